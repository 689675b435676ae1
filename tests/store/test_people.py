"""Erasing takes what people said and who they are, keeps the ledger even, and lets nothing come twice."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import sqlalchemy as sa
from store_builders import (
    NOON,
    answer,
    arrive,
    claim,
    done,
    intend,
    one,
    receipt,
    reply,
    rows,
    settle,
    sound,
    states,
    turn,
)

from connector.errors import ConnectorError
from connector.model import (
    Attachment,
    Author,
    CommentDraft,
    CommentId,
    Decision,
    Mention,
    Parent,
    Settings,
    TicketId,
    TicketState,
    Tone,
    decode,
    encode,
)
from connector.store import Store, journal, people, tables, tickets
from connector.store.arrivals import accept_answer
from connector.store.tables import OWN_POST

Make = Callable[..., Mention]
DAY = 86_400.0
SECRET = ("hunter2", "Annabel", "annabel77", "pic.example")
ANNA = Author("u1", "Annabel", "annabel77", "https://feed.example/annabel77", "https://pic.example/a.png", 12)
OLGA = Author("u2", "Olga", "olga")
TRACE = encode(
    Decision(Settings(), "hunter2", "hunter2", Tone("negative", evidence=("hunter2",)), suggestion="hunter2")
)


def secret(mention: Make, external_id: str = "", **facts: Any) -> Mention:
    """Something Annabel said that nobody must find again."""
    given: dict[str, Any] = {
        "author": ANNA,
        "text": "my password is hunter2",
        "title": "hunter2",
        "url": "https://feed.example/annabel77/1",
        "attachments": (Attachment("https://pic.example/b.png"),),
        "ref": "annabel77/1",
    }
    return mention(external_id, **(given | facts))


def opened(store: Store, said: Mention, ticket: str = "7", at: float = NOON) -> None:
    """It became a ticket, with all that a ticket leaves behind."""
    arrive(store, said, at=at)
    (mine,) = claim(store, at=at)
    intend(store, mine, trace=TRACE, body="hunter2 of Annabel", at=at)
    note = CommentDraft(TicketId(ticket), "<p>posted for Annabel</p>")
    settle(store, mine, receipt=receipt(f"r{mine.id}", ticket), ticket=TicketId(ticket), notes=(note,), at=at)
    (told,) = claim(store, at=at)
    intend(store, told, op="comment", body="<p>posted for Annabel</p>", at=at)
    settle(store, told, receipt=receipt(f"r{told.id}", ticket), at=at)


def answered(store: Store, number: int = 1, at: float = NOON) -> None:
    answer(store, reply(number, html="<p>Dear Annabel, hunter2</p>", author="Agent"), at=at)
    mine = one(store, account="feed", at=at)
    intend(store, mine, op="reply", plan='{"text": "Dear Annabel, hunter2"}', body="Dear Annabel", at=at)
    settle(store, mine, receipt=receipt("p1", None), at=at)


def everything(store: Store) -> str:
    """All that stands in the database, as one text."""
    found = []
    with store.read() as tx:
        for table in tables.metadata.sorted_tables:
            found += [str(tuple(row)) for row in tx.execute(sa.select(table))]
    return "\n".join(found)


def forget(store: Store, author: str = "feed:u1", at: float = NOON) -> people.Known:
    with turn(store, at) as tx:
        return people.forget(tx, author)


def found(store: Store, wanted: str) -> list[str]:
    with store.read() as tx:
        return people.authors(tx, wanted)


def mention_at(store: Store, number: int) -> Mention:
    with store.read() as tx:
        body = tx.execute(sa.select(tables.mentions.c.body).where(tables.mentions.c.id == number)).scalar_one()
    return decode(Mention, body)


# --- who ---


@pytest.mark.parametrize("name", ["feed:u1", "annabel77", "@Annabel77"])
def test_an_author_is_found_by_identity_and_by_handle(store: Store, mention: Make, name: str) -> None:
    arrive(store, secret(mention), mention(author=OLGA))
    assert found(store, name) == ["feed:u1"]


def test_a_handle_on_two_platforms_names_two(store: Store, mention: Make) -> None:
    arrive(store, secret(mention), secret(mention, platform="other", author=replace(ANNA, id="x")))
    assert found(store, "annabel77") == ["feed:u1", "other:x"]
    assert found(store, "nobody") == found(store, "") == found(store, "@") == []


def test_it_is_known_beforehand_what_goes_and_what_stays(store: Store, mention: Make) -> None:
    opened(store, secret(mention, thread_id="a"))
    answered(store)
    opened(store, mention(thread_id="b", author=OLGA), "8")
    arrive(store, secret(mention, thread_id="b"))
    with turn(store) as tx:
        tickets.mute(tx, "desk", TicketId("7"))
    with store.read() as tx:
        known = people.known(tx, "feed:u1")
    assert known == people.Known(
        "feed:u1", "Annabel", "annabel77", 2, 2, 1, 1, 1, (("desk", "7"), ("desk", "8")), ("7",)
    )


# --- forgetting ---


def test_nothing_that_was_said_is_found_again(store: Store, mention: Make) -> None:
    opened(store, secret(mention, "s1"))
    answered(store)
    arrive(store, secret(mention, "s1", version="2", text="hunter2, edited"))
    done(store, one(store))
    before = everything(store)
    assert all(word in before for word in SECRET)
    forget(store)
    after = everything(store)
    assert [word for word in SECRET if word in after] == []
    assert "feed:u1" not in after
    sound(store)


def test_the_ledger_stays_even_and_the_same_mention_makes_no_second_ticket(store: Store, mention: Make) -> None:
    said = secret(mention, "s1")
    opened(store, said)
    with store.read() as tx:
        before = journal.balance(tx)
    forget(store)
    assert arrive(store, said) == [False]
    with store.read() as tx:
        after = journal.balance(tx)
    assert (after.received, after.ticketed, after.duplicates) == (before.received + 1, 1, 1)
    assert claim(store) == []
    assert "hunter2" not in everything(store)
    sound(store)


def test_what_others_said_stays_but_for_what_they_quote(store: Store, mention: Make) -> None:
    opened(store, secret(mention, "s1"))
    quoting = mention(
        "o1", author=OLGA, text="I agree", parent=Parent("s1", "my password is hunter2", author="Annabel")
    )
    elsewhere = mention("o2", author=OLGA, thread_id="x", parent=Parent("z", "another"))
    arrive(store, quoting, elsewhere)
    for got in claim(store):
        done(store, got)
    answered(store)
    forget(store)
    assert mention_at(store, 2) == replace(quoting, parent=Parent("s1"))
    assert mention_at(store, 3) == elsewhere
    with store.read() as tx:
        (answer_there,) = tx.execute(sa.select(tables.replies.c.body)).scalars()
    assert "hunter2" in answer_there, "somebody else was spoken to as well"


def test_a_comment_that_carried_it_along_is_emptied_too(store: Store, mention: Make) -> None:
    opened(store, mention(author=OLGA))
    arrive(store, mention(author=OLGA))
    arrive(store, secret(mention))
    head = one(store)
    intend(store, head, op="comment", body="together: hunter2", joined=(head.followers[0].id,))
    settle(store, head, receipt=receipt("c1"), joined=(head.followers[0].id,))
    forget(store)
    assert "together" not in everything(store)


def test_what_was_still_to_be_carried_is_dropped_and_others_go_on(store: Store, mention: Make) -> None:
    opened(store, mention(author=OLGA))
    arrive(store, secret(mention), mention(author=OLGA), secret(mention))
    arrive(store, secret(mention, thread_id="parked"), held="too many at once")
    forget(store)
    assert states(store, kind="mention") == ["done", "ignored", "ready", "ignored", "ignored"]
    assert set(rows(store, "reason", state="ignored")) == {"dropped: its author was forgotten"}
    sound(store)


def test_while_something_is_being_sent_nothing_is_erased(store: Store, mention: Make) -> None:
    opened(store, secret(mention, thread_id="a"))
    arrive(store, secret(mention, thread_id="b"), secret(mention, thread_id="c"))
    intend(store, claim(store, 1)[0])
    before = everything(store)
    with pytest.raises(ConnectorError, match="nothing was erased: delivery 3"):
        forget(store)
    assert everything(store) == before


def test_an_answer_to_the_forgotten_finds_nobody(store: Store, mention: Make) -> None:
    opened(store, secret(mention))
    forget(store)
    answer(store, reply(9))
    claimed = one(store, account="feed")
    assert [(heard.deleted, heard.ref) for heard in claimed.heard] == [(True, "")]


@pytest.mark.parametrize("posted", [True, False], ids=["posted", "not yet posted"])
def test_among_others_what_was_answered_to_them_automatically_goes_too(
    store: Store, mention: Make, *, posted: bool
) -> None:
    arrive(store, secret(mention, "m1"), mention("m2", author=OLGA, text="hello"))
    for _ in range(2):
        settle(store, one(store), receipt=receipt(), ticket=TicketId("7"))
    words = reply(1, html="<p>Welcome, Annabel</p>", by_agent=False, answers="m1")
    to_them = replace(words, id=CommentId("connector:m1"))
    with turn(store) as tx:
        (home,) = tx.execute(sa.select(tables.conversations.c.id)).scalars()
        assert accept_answer(tx, "desk", home, to_them)
    if posted:
        mine = one(store, account="feed")
        intend(store, mine, op="reply", plan="Welcome, Annabel", body="Welcome, Annabel")
        settle(store, mine, receipt=receipt("p1", None), notes=(CommentDraft(TicketId("7"), "Welcome, Annabel"),))
        told = one(store)
        intend(store, told, op="comment", body="Welcome, Annabel")
        settle(store, told, receipt=receipt("n1"))
    assert "Annabel" in everything(store)
    forget(store)

    assert [word for word in SECRET if word in everything(store)] == []
    assert states(store, kind="reply") == ["done" if posted else "ignored"]
    assert "hello" in everything(store)
    sound(store)


def test_nobody_waits_for_the_forgotten(store: Store, mention: Make) -> None:
    from test_watches import DUE, watch

    arrive(store, secret(mention))
    settle(store, one(store), receipt=receipt(), ticket=TicketId("7"), due=DUE, since=NOON)
    forget(store)
    assert watch(store).why == "forgotten"


def test_our_own_posts_among_theirs_are_erased_with_them(store: Store, mention: Make) -> None:
    opened(store, secret(mention))
    ours = mention(own=True, author=Author("we", "We"), text="Dear Annabel")
    arrive(store, ours, ignored=OWN_POST)
    assert forget(store).alone == 1
    assert "Annabel" not in everything(store)


def test_forgetting_twice_and_forgetting_nobody_do_no_harm(store: Store, mention: Make) -> None:
    opened(store, secret(mention))
    forget(store)
    assert forget(store).mentions == 0
    assert found(store, "feed:u1") == []
    assert forget(store, "feed:nobody").mentions == 0


def test_who_speaks_again_is_new_to_us_and_can_be_forgotten_again(store: Store, mention: Make) -> None:
    opened(store, secret(mention))
    forget(store)
    arrive(store, secret(mention))
    again = one(store)
    assert (again.ticket, again.contacts) == ("7", ())
    done(store, again)
    assert forget(store).alone == 1
    assert "hunter2" not in everything(store)


@pytest.mark.parametrize("end", ["failed", "held", "unsure"])
def test_what_was_erased_cannot_be_sent_again(store: Store, mention: Make, end: str) -> None:
    arrive(store, secret(mention))
    settle(store, one(store), end)
    forget(store)
    with turn(store) as tx:
        assert "ignored" in journal.retry(tx, 1)


def test_sqlite_keeps_nothing_of_it_in_its_file(store: Store, mention: Make) -> None:
    if store.path is None:
        pytest.skip("PostgreSQL frees it at the next vacuum")
    opened(store, secret(mention))
    forget(store)
    connection = store.engine.raw_connection()
    connection.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    assert b"hunter2" not in store.path.read_bytes()


# --- retention ---


def expire(store: Store, days: float, *, at: float, limit: int = 100) -> int:
    with turn(store, at) as tx:
        return people.expire(tx, days, limit)[0]


def test_a_finished_conversation_is_erased_when_its_time_is_over(store: Store, mention: Make) -> None:
    opened(store, secret(mention))
    answered(store)
    assert expire(store, 30, at=NOON + 30 * DAY) == 0
    assert expire(store, 30, at=NOON + 31 * DAY) == 1
    assert [word for word in (*SECRET[:2], "pic.example") if word in everything(store)] == []
    assert expire(store, 30, at=NOON + 31 * DAY) == 0, "once"
    sound(store)


def test_its_ticket_can_still_be_answered_and_its_person_speak_again(store: Store, mention: Make) -> None:
    said = secret(mention, "s1")
    opened(store, said)
    expire(store, 30, at=NOON + 31 * DAY)
    (heard,) = [mention_at(store, 1)]
    assert (heard.ref, heard.deleted, heard.thread_id) == ("annabel77/1", False, "t1")
    assert arrive(store, said, at=NOON + 31 * DAY) == [False]
    later = NOON + 32 * DAY
    arrive(store, secret(mention), at=later)
    again = one(store, at=later)
    assert (again.ticket, again.last_trace) == ("7", "")
    settle(store, again, receipt=receipt("c2"), at=later)
    assert expire(store, 30, at=NOON + 40 * DAY) == 0
    assert expire(store, 30, at=NOON + 63 * DAY) == 1


def test_what_is_not_finished_stays(store: Store, mention: Make) -> None:
    opened(store, secret(mention, thread_id="answered"))
    answered(store, at=NOON + 20 * DAY)
    opened(store, secret(mention, thread_id="goes on"), "8")
    arrive(store, secret(mention, thread_id="goes on"), at=NOON + 20 * DAY)
    arrive(store, secret(mention, thread_id="waits"))
    arrive(store, secret(mention, thread_id="held"), held="too many at once")
    assert expire(store, 30, at=NOON + 31 * DAY) == 0


@pytest.mark.parametrize(("status", "erased"), [("open", 0), ("pending", 0), ("solved", 1), ("closed", 1)])
def test_a_ticket_known_to_be_open_is_not_finished(store: Store, mention: Make, status: str, erased: int) -> None:
    opened(store, secret(mention))
    with turn(store) as tx:
        tickets.note_state(tx, "desk", TicketState(TicketId("7"), status))
    assert expire(store, 30, at=NOON + 31 * DAY) == erased


def test_it_goes_in_small_batches_the_oldest_first(store: Store, mention: Make) -> None:
    for n in range(5):
        opened(store, secret(mention, f"s{n}", thread_id=f"t{n}"), str(n), at=NOON + n)
    assert [expire(store, 30, at=NOON + 31 * DAY, limit=2) for _ in range(4)] == [2, 2, 1, 0]


def test_a_sweep_looks_once_at_what_has_to_stay_and_goes_on_behind_it(store: Store, mention: Make) -> None:
    for n in range(5):  # two at the same moment
        opened(store, secret(mention, f"s{n}", thread_id=f"t{n}"), str(n), at=NOON + n // 2)
    for ticket in ("0", "1", "2"):
        with turn(store) as tx:
            tickets.note_state(tx, "desk", TicketState(TicketId(ticket), "open"))
    erased: list[int] = []
    after: people.Place | None = (0.0, 0)
    while after is not None:
        with turn(store, NOON + 31 * DAY) as tx:
            count, after = people.expire(tx, 30, 2, after)
        erased.append(count)
    assert erased == [0, 1, 1]


def test_what_was_ever_in_doubt_is_not_looked_up_once_it_is_erased(store: Store, mention: Make) -> None:
    from connector.store import reconcile

    arrive(store, secret(mention))
    mine = one(store)
    intend(store, mine)
    settle(store, mine, None, in_doubt=True)
    settle(store, one(store, at=NOON + 1), receipt=receipt(), ticket=TicketId("7"), at=NOON + 1)
    expire(store, 30, at=NOON + 31 * DAY)
    with turn(store, NOON + 31 * DAY) as tx:
        assert reconcile.doubtful(tx, "w", 900, 10) == []


def test_the_last_week_is_previewed_without_what_was_erased(store: Store, mention: Make) -> None:
    arrive(store, mention(author=OLGA, thread_id="o"), secret(mention))
    forget(store)
    with store.read() as tx:
        assert [said.author for said in journal.recent_mentions(tx, 0)] == [OLGA]
