"""The play of the demo: what people write, what agents answer, and the books at the end.

The one rule: what is printed was asked from the ends (the sandbox's tickets, the website's pages) or read from the
journal, never from what the demo meant to happen.
"""

from __future__ import annotations

import textwrap
import time
from collections.abc import Iterator
from functools import partial
from itertools import groupby

from connector import __version__
from connector.demo.screen import BETWEEN_CHAPTERS, WIDTH, Screen
from connector.demo.site import Post, Site, call
from connector.demo.stage import Stage, until
from connector.errors import ConnectorError
from connector.markup import shorten, to_html, to_text
from connector.store import journal

_BETWEEN_POSTS = 0.45
_OBVIOUS = ("lang_", "tone_", "social_", "forum_post", "review", "article", "answer_at_once", "connector-")

# The two worked cases, and an answer in private; what an agent writes in them.
_LATE = (
    "forum",
    "f-201",
    (
        "Марина, простите нас за задержку и за молчание. Заказ 4417 сегодня передан другому курьеру: он приедет "
        "завтра с 10 до 14 и позвонит за час. На следующий заказ дарим вам скидку 10 %, она уже в личном кабинете."
    ),
)
_BROKEN = (
    "microblog",
    "b-301",
    (
        "Олеся, очень жаль, что чайник не включается. Заменим его завтра или вернём деньги, как вам удобнее. "
        "Напишите нам в личные сообщения номер заказа, дальше всё сделаем сами."
    ),
)
_BROKEN_NOTE = "Коллеги, третий чайник из партии 0218. Сообщил складу, пусть проверят остальные."
_DIRECT = ("microblog", "b-311", "Марина, адрес видим только мы. Курьер приедет на Садовую завтра, с 10 до 14.")


def play(stage: Stage, screen: Screen) -> list[str]:
    """The chapters; what was not even at the end."""
    screen.title(f"connector {__version__} · demo: nothing to set up, and nothing leaves this machine")
    screen.line(f"   people write on    {stage.site.address}   a forum, a microblog, reviews")
    screen.line(f"   the helpdesk is    {stage.sandbox.address}   a {stage.helpdesk.capitalize()} sandbox")
    screen.line(f"   between them runs  {stage.connector}   the connector, on the mapping it is shipped with")
    screen.chapter("1. What people write becomes tickets")
    screen.ticket("№", "priority", "subject", ["tags"])
    for posts in _calls(stage.posts):
        _hear(stage, screen, posts)
    screen.chapter("2. Two of the tickets, whole")
    for source, number, _ in (_LATE, _DIRECT):
        _show_ticket(stage, screen, stage.ticket_of(source, number))
    screen.chapter("3. Agents answer in the helpdesk")
    _answer(stage, screen)
    screen.chapter("4. Where they were asked, people read the answers")
    for source, number, _ in (_LATE, _BROKEN, _DIRECT):
        _show_thread(stage, screen, source, number)
    _echo(stage, screen)
    screen.chapter("5. The books")
    return _balance(stage, screen)


def _calls(posts: list[Post]) -> Iterator[list[Post]]:
    """The posts as the website hands them over: one by one, but what came in a burst in one thread together."""
    for _, burst in groupby(posts, key=lambda post: (post["source"], post["thread_id"], "parent" in post)):
        yield list(burst)


def _hear(stage: Stage, screen: Screen, posts: list[Post]) -> None:
    """One call, and what became of it."""
    told = stage.site.tell(posts)
    stage.quiet()
    first = posts[0]
    with stage.store.read() as tx:
        row = journal.show_delivery(tx, f"{first['source']}:{first['id']}")
    if row is None:
        raise ConnectorError(f"the journal does not know {first['id']}")
    who, said = first["author"]["name"], first["text"]
    tickets = stage.sandbox.seen_tickets()
    if not told["accepted"]:
        screen.event("same", row.ticket, f"{who}: the same call once more; it is known, nothing happens twice")
    elif row.state == "ignored":
        screen.event("ignored", None, f"{row.reason} · {who}: {said}")
    elif first.get("deleted"):
        screen.event("deleted", row.ticket, f"{who} took it back; a note on the ticket keeps what it said")
    elif first.get("edited_at"):
        screen.event("edited", row.ticket, f"{who} changed it; a note on the ticket shows before and after")
    elif len(tickets) == stage.known_tickets:
        more = f" and {len(posts) - 1} more, in one comment" if len(posts) > 1 else ""
        screen.event(f"+ {len(posts)}", row.ticket, f"{who}: {said}", more)
    else:
        new = tickets[-1]
        tags = [tag for tag in new.tags if not tag.startswith(_OBVIOUS)]
        screen.ticket(str(new.number), new.priority or "–", new.subject, tags)
        for post in posts[1:]:
            screen.event("+ 1", str(new.number), f"{post['author']['name']}: {post['text']}")
    stage.known_tickets = len(tickets)
    screen.wait(_BETWEEN_POSTS)


def _answer(stage: Stage, screen: Screen) -> None:
    late, broken, direct = (stage.ticket_of(*case[:2]) for case in (_LATE, _BROKEN, _DIRECT))
    for number, text, public in (
        (late, _LATE[2], True),
        (broken, _BROKEN_NOTE, False),
        (broken, _BROKEN[2], True),
        (direct, _DIRECT[2], True),
    ):
        there = len(stage.site.replies)
        stage.sandbox.answer(number, to_html(text), public=public, status="pending" if public else None)
        screen.line(f"   №{number}  " + ("public answer" if public else "private note, which has to stay here"))
        screen.text(text)
        if public:
            until(partial(_arrived, stage.site, there + 1), "an answer did not arrive")
        stage.quiet()
        screen.wait(BETWEEN_CHAPTERS)
    screen.line()
    note = stage.sandbox.seen_comments(late)[-1]
    screen.line(f"   №{late}  and the ticket says what became of it:")
    screen.text(to_text(note.html))
    screen.line(f"        tags: {', '.join(t for t in stage.ticket(late).tags if t.startswith('reply'))}")


def _arrived(site: Site, count: int) -> bool:
    return len(site.replies) >= count


def _echo(stage: Stage, screen: Screen) -> None:
    """Platforms show us our own posts as well; so does the website."""
    for answer in list(stage.site.replies.values()):
        stage.site.tell([answer])
    stage.quiet()
    count = len(stage.site.replies)
    screen.line(f"   The {count} answers came back through the hooks, as on real platforms: known as our own.")


def _balance(stage: Stage, screen: Screen) -> list[str]:
    """What the journal says, and whether the two ends agree; everything that does not."""
    with stage.store.read() as tx:
        ledger = journal.balance(tx)
        replies = journal.replies_by_state(tx)
        links = journal.links(tx, 0, 10_000)
    screen.line(*textwrap.wrap(str(ledger), WIDTH - 3, initial_indent="   ", subsequent_indent="     "))
    opened = sorted(ticket.number for ticket in stage.sandbox.seen_tickets())
    answers = [post["text"] for post in stage.site.replies.values()]
    noted = any(_BROKEN_NOTE in answer for answer in answers)
    checks = {
        "everything that came in is accounted for": ledger.even,
        "nothing waits, failed or is unsure": not (ledger.pending or ledger.failed or ledger.unsure or ledger.held),
        f"{len(links)} tickets in the journal, {len(opened)} in the helpdesk, each once": (
            sorted(int(ticket) for _, _, ticket, _ in links) == opened
        ),
        f"{replies.get('done', 0)} answers sent, {len(answers)} arrived, each once": (
            replies == {"done": 3} and sorted(answers) == sorted({_LATE[2], _BROKEN[2], _DIRECT[2]})
        ),
        "the private note is on no page people can read": not noted,
        "every call was signed and fitted": not stage.site.refused,
    }
    for sentence, fine in checks.items():
        screen.line(f"   {'ok  ' if fine else 'NOT '} {sentence}")
    return [sentence for sentence, fine in checks.items() if not fine]


def keep_on(stage: Stage, screen: Screen) -> None:
    """Let it run, to look at it and to answer by hand."""
    screen.chapter("It goes on running, until Ctrl-C")
    screen.line(f"   {stage.sandbox.address}/   read the tickets, answer one, and watch your answer arrive")
    screen.line(f"   {stage.site.address}/f-201   the thread of the late delivery, as everybody sees it")
    screen.line(f"   {stage.connector}/metrics   what Prometheus reads")
    try:
        while True:
            time.sleep(3600)
    except KeyboardInterrupt:
        screen.line()


def _show_ticket(stage: Stage, screen: Screen, number: int) -> None:
    ticket = stage.ticket(number)
    screen.line(f"   ┌─ №{number}  {shorten(ticket.subject, WIDTH - 12)}")
    facts = [fact for fact in (ticket.status, ticket.priority, ticket.type) if fact]
    screen.framed(" · ".join([*facts, " ".join(f"#{tag}" for tag in ticket.tags)]))
    for comment in stage.sandbox.seen_comments(number):
        screen.line("   ├─ " + ("" if comment.public else "PRIVATE NOTE of ") + comment.author)
        screen.framed(to_text(comment.html))
        for file in comment.files:
            screen.framed(f"📎 {file.name}, {file.size} bytes")
    screen.line("   └─")
    screen.wait(BETWEEN_CHAPTERS)


def _show_thread(stage: Stage, screen: Screen, source: str, number: str) -> None:
    thread = next(post["thread_id"] for post in stage.posts if post["id"] == number)
    status, _ = call("GET", f"{stage.site.address}/{thread}")
    posts = [post for post in stage.site.shown(thread) if status == 200]
    screen.line(f"   ┌─ {source} · {stage.site.address}/{thread}")
    for post in posts:
        ours = " · our answer" if post.get("own") else ""
        screen.framed(f"{post['author']['name']}{ours}{' · only between us' if post['kind'] == 'dm' else ''}")
        screen.framed(textwrap.indent("\n".join(textwrap.wrap(post["text"], WIDTH - 12)), "  "))
        if ours:
            screen.framed(f"  → {post['url']}")
    screen.line("   └─")
    screen.wait(BETWEEN_CHAPTERS)
