"""`connector demo`: the main job on this machine, without credentials, and nothing of it pretended but the two ends.

The ends are a Zendesk sandbox and a small website of our own where made-up people write. Between them runs the same
daemon as ever, on a generated config.yaml and the shipped mapping: mentions come in through signed hooks, tickets are
opened over HTTP, agents' answers are found by the helpdesk's signed webhook and posted back, signed again. The one
rule: what is printed was asked from the ends (the sandbox's tickets, the website's pages) or read from the journal,
never from what the demo meant to happen.

This is, beside `connector sandbox`, the one place in the product that may use `connector.testing`.
"""

from __future__ import annotations

import base64
import http.client
import json
import secrets
import shutil
import sys
import tempfile
import textwrap
import time
import unicodedata
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from html import escape
from importlib import resources
from itertools import groupby
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from standardwebhooks.webhooks import Webhook, WebhookVerificationError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from connector import __version__, config, log, plugins, triage
from connector.daemon import Daemon
from connector.errors import ConnectorError
from connector.markup import shorten, to_text
from connector.server import Listener
from connector.store import Store, journal
from connector.testing.simulators.zendesk import ADMIN_EMAIL, TOKEN, ZendeskSandbox

Post = dict[str, Any]

_ELSEWHERE = "https://people.example"
_WIDTH = 98
_PATIENCE = 20.0
_BETWEEN_POSTS = 0.45
_BETWEEN_CHAPTERS = 1.2
_OBVIOUS = ("lang_", "tone_", "social_", "forum_post", "review", "article", "answer_at_once")

_CONFIG = """\
store: sqlite:///connector.db
server: {{listen: "127.0.0.1:0"}}
mappings: mappings/
helpdesks:
  desk:
    type: zendesk
    base_url: {desk}
    email: {email}
    api_token: {token}
    webhook_secret: {desk_secret}
    allow_private_addresses: true     # the website of the demo is on this machine
sources:
  forum: {{type: webhook, helpdesk: desk, secret: {secret}, reply_url: "{site}/reply/forum"}}
  microblog: {{type: webhook, helpdesk: desk, secret: {secret}, reply_url: "{site}/reply/microblog", max_length: 300}}
  reviews: {{type: webhook, helpdesk: desk, secret: {secret}}}     # no reply_url: can be read, not answered
"""

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


def show(*, fast: bool, keep: bool) -> None:
    """Run it and tell it. ConnectorError when anything did not come out even; `fast` leaves out the pauses, `keep`
    lets everything go on running afterwards, until Ctrl-C."""
    log.configure(level="error")
    page = _Page(pause=0.0 if fast else 1.0)
    started = time.monotonic()
    try:
        with _stage() as stage:
            wrong = _play(stage, page)
            if wrong:
                raise ConnectorError("the demo did not come out even: " + "; ".join(wrong))
            page.line()
            page.line(f"   even, after {time.monotonic() - started:.1f} s")
            if keep:
                _keep(stage, page)
    except KeyboardInterrupt:
        page.line()
        page.line("   stopped; nothing is left behind")
        raise SystemExit(1) from None


# --- the stage -------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Stage:
    """Everything that runs: the website, the sandbox, the daemon, and a look into its journal."""

    site: _Site
    sandbox: ZendeskSandbox
    connector: str
    store: Store
    posts: list[Post]
    known_tickets: int = 0


@contextmanager
def _stage() -> Iterator[_Stage]:
    """Build it in a temporary folder and leave nothing behind."""
    secret = "whsec_" + base64.b64encode(secrets.token_bytes(24)).decode()
    desk_secret = secrets.token_urlsafe(24)
    folder = Path(tempfile.mkdtemp(prefix="connector-demo-"))
    site = _Site(secret)
    # where to call is told to the sandbox's webhook below, when our own address is known
    sandbox = ZendeskSandbox(webhook_url="http://127.0.0.1:9/hooks/desk", webhook_secret=desk_secret)
    daemon: Daemon | None = None
    store: Store | None = None
    try:
        site.start()
        words = {"desk": sandbox.start(), "email": ADMIN_EMAIL, "token": TOKEN, "desk_secret": desk_secret}
        (folder / "config.yaml").write_text(_CONFIG.format(site=site.address, secret=secret, **words), "utf-8")
        with resources.as_file(resources.files("connector") / "mappings") as shipped:
            shutil.copytree(shipped, folder / "mappings")
        settings = config.load(folder / "config.yaml")
        made = Daemon(settings, triage.load(settings.mappings, find=plugins.tone_detector))
        made.start()
        daemon = made
        site.hooks = f"{daemon.address}/hooks"
        _point_webhook(sandbox.address, f"{site.hooks}/desk")
        store = Store(settings.store)
        yield _Stage(site, sandbox, daemon.address, store, _posts(site.address))
    finally:
        if store is not None:
            store.close()
        if daemon is not None:
            daemon.drain()
        sandbox.stop()
        site.stop()
        shutil.rmtree(folder, ignore_errors=True)


def _point_webhook(desk: str, endpoint: str) -> None:
    """What an admin does in Zendesk's Admin Center: give the webhook its address."""
    login = base64.b64encode(f"{ADMIN_EMAIL}/token:{TOKEN}".encode()).decode()
    headers = {"Authorization": f"Basic {login}", "Content-Type": "application/json"}
    listed = json.loads(_call("GET", f"{desk}/api/v2/webhooks", headers=headers)[1])
    number = listed["webhooks"][0]["id"]
    change = json.dumps({"webhook": {"endpoint": endpoint}}).encode()
    _call("PATCH", f"{desk}/api/v2/webhooks/{number}", change, headers)


def _posts(address: str) -> list[Post]:
    """The mentions that are shipped, at the website's address, and moved by whole weeks to the most recent ones, so
    that nights stay nights and weekdays weekdays."""
    text = (resources.files("connector") / "demo_mentions.jsonl").read_text(encoding="utf-8")
    posts: list[Post] = [json.loads(line) for line in text.replace(_ELSEWHERE, address).splitlines()]
    newest = max(datetime.fromisoformat(post.get("edited_at") or post["created_at"]) for post in posts)
    weeks = timedelta(weeks=(datetime.now(UTC) - newest) // timedelta(weeks=1))
    for post in posts:
        for name in ("created_at", "edited_at"):
            if name in post:
                post[name] = (datetime.fromisoformat(post[name]) + weeks).isoformat()
    return posts


# --- the website where people write ----------------------------------------------------------------------------


@dataclass(slots=True)
class _Site:
    """A forum, a microblog and a page of reviews under one roof. It does what a bridge has to do, and no more: it
    tells the connector of each post, posts the replies it is handed, checks who signed them, answers a key it knows
    with the post it has, and tells the connector of that post too, as platforms do."""

    secret: str
    hooks: str = ""
    replies: dict[str, Post] = field(default_factory=dict)
    refused: int = 0
    _told: list[Post] = field(default_factory=list)
    _listener: Listener | None = None

    @property
    def address(self) -> str:
        return self._listener.address if self._listener is not None else ""

    def start(self) -> None:
        app = Starlette(
            routes=[
                Route("/reply/{source}", self._reply, methods=["POST"]),
                Route("/files/{name}", self._file),
                Route("/{thread}", self._thread),
            ]
        )
        self._listener = Listener(app, "127.0.0.1", 0)
        self._listener.start()

    def stop(self) -> None:
        if self._listener is not None:
            self._listener.stop()

    def tell(self, posts: list[Post]) -> dict[str, Any]:
        """Show these posts, and call the connector; what it answered."""
        source = posts[0]["source"]
        self._told += [post for post in posts if all(known["id"] != post["id"] for known in self._told)]
        body = json.dumps(posts if len(posts) > 1 else posts[0], ensure_ascii=False)
        now, name = datetime.now(UTC), f"msg_{secrets.token_hex(8)}"
        headers = {
            "Content-Type": "application/json",
            "webhook-id": name,
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": Webhook(self.secret).sign(msg_id=name, timestamp=now, data=body),
        }
        status, answer = _call("POST", f"{self.hooks}/{source}", body.encode(), headers)
        if status != 200:
            raise ConnectorError(f"the hook answered {status}: {answer.decode()}")
        told: dict[str, Any] = json.loads(answer)
        return told

    def shown(self, thread: str) -> list[Post]:
        """What stands in a thread, oldest first."""
        posts = [*self._told, *self.replies.values()]
        return [post for post in posts if post["thread_id"] == thread and not post.get("deleted")]

    async def _reply(self, request: Request) -> Response:
        content = await request.body()
        try:
            Webhook(self.secret).verify(content, dict(request.headers))
        except WebhookVerificationError:
            self.refused += 1
            return JSONResponse({"error": "the signature does not fit"}, 401)
        wanted = json.loads(content)
        source = request.path_params["source"]
        if wanted["key"] not in self.replies:
            number = f"{source[0]}-a{len(self.replies) + 1}"
            self.replies[wanted["key"]] = {
                "source": source,
                "id": number,
                "kind": "dm" if wanted["private"] else "comment",
                "text": wanted["text"],
                "created_at": datetime.now(UTC).isoformat(),
                "thread_id": wanted["thread_id"],
                "url": f"{self.address}/{wanted['thread_id']}#{number}",
                "author": {"id": "115", "name": "Самовар", "handle": "samovar"},
                "private": wanted["private"],
                "own": True,
            }
        post = self.replies[wanted["key"]]
        return JSONResponse({"id": post["id"], "url": post["url"]})

    async def _file(self, _: Request) -> Response:
        return PlainTextResponse("Чек 4417\nЧайник эмалированный, синий ... 1 шт.\nОплачено картой\n")

    async def _thread(self, request: Request) -> Response:
        posts = [
            f'<article id="{escape(post["id"])}"><b>{escape(post["author"]["name"])}</b>'
            f"{' · only between us' if post['kind'] == 'dm' else ''}<p>{escape(post['text'])}</p></article>"
            for post in self.shown(request.path_params["thread"])
        ]
        style = (
            "<style>body{font:1rem/1.5 system-ui,sans-serif;max-width:40rem;margin:2rem auto;padding:0 1rem}</style>"
        )
        return HTMLResponse(
            f"<!doctype html><meta charset=utf-8><title>{request.path_params['thread']}</title>{style}"
            + ("".join(posts) or "<p>Nothing is written here.</p>"),
            200 if posts else 404,
        )


def _call(
    method: str, url: str, body: bytes | None = None, headers: dict[str, str] | None = None
) -> tuple[int, bytes]:
    """One call as somebody else's program makes it: status and body."""
    where = urlsplit(url)
    connection = http.client.HTTPConnection(where.hostname or "", where.port, timeout=_PATIENCE)
    try:
        connection.request(method, where.path, body, headers or {})
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


# --- the play --------------------------------------------------------------------------------------------------


def _play(stage: _Stage, page: _Page) -> list[str]:
    """The chapters; what was not even at the end."""
    page.title(f"connector {__version__} · demo: nothing to set up, and nothing leaves this machine")
    page.line(f"   people write on    {stage.site.address}   a forum, a microblog, reviews")
    page.line(f"   the helpdesk is    {stage.sandbox.address}   a Zendesk sandbox")
    page.line(f"   between them runs  {stage.connector}   the connector, on the mapping it is shipped with")
    page.chapter("1. What people write becomes tickets")
    page.ticket("№", "priority", "subject", ["tags"])
    for posts in _calls(stage.posts):
        _hear(stage, page, posts)
    page.chapter("2. Two of the tickets, whole")
    for source, number, _ in (_LATE, _DIRECT):
        _show_ticket(stage, page, _ticket_of(stage, source, number))
    page.chapter("3. Agents answer in the helpdesk")
    _answer(stage, page)
    page.chapter("4. Where they were asked, people read the answers")
    for source, number, _ in (_LATE, _BROKEN, _DIRECT):
        _show_thread(stage, page, source, number)
    _echo(stage, page)
    page.chapter("5. The books")
    return _balance(stage, page)


def _calls(posts: list[Post]) -> Iterator[list[Post]]:
    """The posts as the website hands them over: one by one, but what came in a burst in one thread together."""
    for _, burst in groupby(posts, key=lambda post: (post["source"], post["thread_id"], "parent" in post)):
        yield list(burst)


def _hear(stage: _Stage, page: _Page, posts: list[Post]) -> None:
    """One call, and what became of it."""
    told = stage.site.tell(posts)
    _quiet(stage)
    first = posts[0]
    with stage.store.read() as tx:
        row = journal.show_delivery(tx, f"{first['source']}:{first['id']}")
    if row is None:
        raise ConnectorError(f"the journal does not know {first['id']}")
    who, said = first["author"]["name"], first["text"]
    tickets = stage.sandbox.tickets()
    if not told["accepted"]:
        page.event("same", row.ticket, f"{who}: the same call once more; it is known, nothing happens twice")
    elif row.state == "ignored":
        page.event("ignored", None, f"{row.reason} · {who}: {said}")
    elif first.get("deleted"):
        page.event("deleted", row.ticket, f"{who} took it back; a note on the ticket keeps what it said")
    elif first.get("edited_at"):
        page.event("edited", row.ticket, f"{who} changed it; a note on the ticket shows before and after")
    elif len(tickets) == stage.known_tickets:
        more = f" and {len(posts) - 1} more, in one comment" if len(posts) > 1 else ""
        page.event(f"+ {len(posts)}", row.ticket, f"{who}: {said}", more)
    else:
        new = tickets[-1]
        tags = [tag for tag in new["tags"] if not tag.startswith(_OBVIOUS)]
        page.ticket(str(new["id"]), new["priority"] or "–", new["subject"], tags)
        for post in posts[1:]:
            page.event("+ 1", str(new["id"]), f"{post['author']['name']}: {post['text']}")
    stage.known_tickets = len(tickets)
    page.wait(_BETWEEN_POSTS)


def _answer(stage: _Stage, page: _Page) -> None:
    late, broken, direct = (_ticket_of(stage, *case[:2]) for case in (_LATE, _BROKEN, _DIRECT))
    for number, text, public in (
        (late, _LATE[2], True),
        (broken, _BROKEN_NOTE, False),
        (broken, _BROKEN[2], True),
        (direct, _DIRECT[2], True),
    ):
        there = len(stage.site.replies)
        stage.sandbox.agent_reply(number, text, public=public, status="pending" if public else None)
        page.line(f"   №{number}  " + ("public answer" if public else "private note, which has to stay here"))
        page.text(text)
        if public:
            _until(partial(_arrived, stage.site, there + 1), "an answer did not arrive")
        _quiet(stage)
        page.wait(_BETWEEN_CHAPTERS)
    page.line()
    note = stage.sandbox.comments(late)[-1]
    page.line(f"   №{late}  and the ticket says what became of it:")
    page.text(to_text(note["html_body"]))
    page.line(f"        tags: {', '.join(t for t in stage.sandbox.ticket(late)['tags'] if t.startswith('reply'))}")


def _arrived(site: _Site, count: int) -> bool:
    return len(site.replies) >= count


def _echo(stage: _Stage, page: _Page) -> None:
    """Platforms show us our own posts as well; so does the website."""
    for answer in list(stage.site.replies.values()):
        stage.site.tell([answer])
    _quiet(stage)
    count = len(stage.site.replies)
    page.line(f"   The {count} answers came back through the hooks, as on real platforms: known as our own.")


def _balance(stage: _Stage, page: _Page) -> list[str]:
    """What the journal says, and whether the two ends agree; everything that does not."""
    with stage.store.read() as tx:
        ledger = journal.balance(tx)
        replies = journal.replies_by_state(tx)
        links = journal.links(tx, 0, 10_000)
    page.line(*textwrap.wrap(str(ledger), _WIDTH - 3, initial_indent="   ", subsequent_indent="     "))
    carried = [ticket["external_id"] for ticket in stage.sandbox.tickets() if ticket["external_id"]]
    answers = [post["text"] for post in stage.site.replies.values()]
    noted = any(_BROKEN_NOTE in answer for answer in answers)
    checks = {
        "everything that came in is accounted for": ledger.even,
        "nothing waits, failed or is unsure": not (ledger.pending or ledger.failed or ledger.unsure or ledger.held),
        f"{len(links)} tickets in the journal, {len(carried)} in the helpdesk, each once": (
            sorted(link[3] for link in links) == sorted(set(carried)) and len(carried) == len(set(carried))
        ),
        f"{replies.get('done', 0)} answers sent, {len(answers)} arrived, each once": (
            replies == {"done": 3} and sorted(answers) == sorted({_LATE[2], _BROKEN[2], _DIRECT[2]})
        ),
        "the private note is on no page people can read": not noted,
        "every call was signed and fitted": not stage.site.refused,
    }
    for sentence, fine in checks.items():
        page.line(f"   {'ok  ' if fine else 'NOT '} {sentence}")
    return [sentence for sentence, fine in checks.items() if not fine]


def _keep(stage: _Stage, page: _Page) -> None:
    """Let it run, to look at it and to answer by hand."""
    page.chapter("It goes on running, until Ctrl-C")
    page.line(f"   {stage.sandbox.address}/   read the tickets, answer one, and watch your answer arrive")
    page.line(f"   {stage.site.address}/f-201   the thread of the late delivery, as everybody sees it")
    page.line(f"   {stage.connector}/metrics   what Prometheus reads")
    try:
        while True:
            time.sleep(3600)
    except KeyboardInterrupt:
        page.line()


# --- looking -----------------------------------------------------------------------------------------------------


def _quiet(stage: _Stage) -> None:
    """Wait until nothing is on its way."""

    def idle() -> bool:
        with stage.store.read() as tx:
            return not any(state in ("ready", "blocked", "intent") for _, state in journal.backlog(tx))

    _until(idle, "something is still on its way")


def _until(true: Callable[[], bool], otherwise: str) -> None:
    end = time.monotonic() + _PATIENCE
    while not true():
        if time.monotonic() > end:
            raise ConnectorError(f"{otherwise} after {_PATIENCE:.0f} s")
        time.sleep(0.01)


def _ticket_of(stage: _Stage, source: str, number: str) -> int:
    with stage.store.read() as tx:
        row = journal.show_delivery(tx, f"{source}:{number}")
    if row is None or row.ticket is None:
        raise ConnectorError(f"there is no ticket for {source}:{number}")
    return int(row.ticket)


def _show_ticket(stage: _Stage, page: _Page, number: int) -> None:
    ticket = stage.sandbox.ticket(number)
    names = {user["id"]: user["name"] for user in stage.sandbox.users()}
    page.line(f"   ┌─ №{number}  {shorten(ticket['subject'], _WIDTH - 12)}")
    facts = [ticket["status"], ticket["priority"], ticket["type"]]
    page.framed(
        " · ".join(str(fact) for fact in facts if fact) + " · " + " ".join(f"#{tag}" for tag in ticket["tags"])
    )
    for comment in stage.sandbox.comments(number):
        page.line("   ├─ " + ("" if comment["public"] else "PRIVATE NOTE of ") + names[comment["author_id"]])
        page.framed(to_text(comment["html_body"]))
        for file in comment["attachments"]:
            page.framed(f"📎 {file['file_name']}, {file['size']} bytes")
    page.line("   └─")
    page.wait(_BETWEEN_CHAPTERS)


def _show_thread(stage: _Stage, page: _Page, source: str, number: str) -> None:
    thread = next(post["thread_id"] for post in stage.posts if post["id"] == number)
    status, _ = _call("GET", f"{stage.site.address}/{thread}")
    posts = [post for post in stage.site.shown(thread) if status == 200]
    page.line(f"   ┌─ {source} · {stage.site.address}/{thread}")
    for post in posts:
        ours = " · our answer" if post.get("own") else ""
        page.framed(f"{post['author']['name']}{ours}{' · only between us' if post['kind'] == 'dm' else ''}")
        page.framed(textwrap.indent("\n".join(textwrap.wrap(post["text"], _WIDTH - 12)), "  "))
        if ours:
            page.framed(f"  → {post['url']}")
    page.line("   └─")
    page.wait(_BETWEEN_CHAPTERS)


# --- the terminal ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Page:
    """What the demo prints on; 100 columns will do. Weight says nothing that words do not say too."""

    pause: float

    def wait(self, seconds: float) -> None:
        """Time to read; none when it has to be fast."""
        if self.pause:
            time.sleep(seconds * self.pause)

    def line(self, *texts: str) -> None:
        for text in texts or ("",):
            print(text.rstrip(), flush=True)

    def title(self, text: str) -> None:
        self.line(f"\033[1m{text}\033[0m" if sys.stdout.isatty() else text)

    def chapter(self, text: str) -> None:
        self.line()
        self.title(text)
        self.line()
        self.wait(_BETWEEN_CHAPTERS)

    def ticket(self, number: str, priority: str, subject: str, tags: list[str]) -> None:
        shown = ", ".join(tags)
        for left in range(1, len(tags)):
            if len(shown) > _WIDTH - 66:
                shown = ", ".join(tags[:-left]) + f" +{left}"
        self.line(f"{number:>5}  {priority:<8}  {_fitted(subject, 47)}  {shown}")

    def event(self, what: str, ticket: str | None, text: str, tail: str = "") -> None:
        self.line(f"{ticket or '–':>5}  {what:<8}  {_fitted(text, _WIDTH - 19 - len(tail)).rstrip()}{tail}")

    def text(self, text: str) -> None:
        for paragraph in text.splitlines():
            self.line(*textwrap.wrap(paragraph, _WIDTH - 8, initial_indent=" " * 8, subsequent_indent=" " * 8))

    def framed(self, text: str) -> None:
        for paragraph in text.splitlines():
            indent = " " * (len(paragraph) - len(paragraph.lstrip()))
            for part in textwrap.wrap(paragraph, _WIDTH - 6, subsequent_indent=indent) or [""]:
                self.line(f"   │  {part}")


def _fitted(text: str, width: int) -> str:
    """One line of exactly so many columns; an emoji takes two."""
    text = " ".join(text.split())
    if _columns(text) > width:
        while _columns(text) >= width:
            text = text[:-1]
        text = text.rstrip(" ,.:(") + "…"
    return text + " " * (width - _columns(text))


def _columns(text: str) -> int:
    return sum(2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in text)
