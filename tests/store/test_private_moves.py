"""A move to private outlives merges, a second asking and the forgetting of people: private stays private."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
import sqlalchemy as sa
from store_builders import NOON, answer, arrival, claim, done, linked, one, receipt, reply, rows, settle, sound, turn

from connector.model import Author, CommentDraft, Mention, Merge, TicketId, TicketState, decode
from connector.store import Store, people, privates, tickets
from connector.store.tables import private_moves

Make = Callable[..., Mention]
SEVEN, NINE = TicketId("7"), TicketId("9")
TAG = "move_to_private"
ANNA, OLGA = Author("u1", "Anna"), Author("u2", "Olga")


def asked(store: Store, *, there: bool = True) -> bool:
    """The ticket is seen with the tag, or without it."""
    with turn(store) as tx:
        return privates.heed(tx, "desk", SEVEN, TAG, there=there)


def heard(store: Store, *said: Mention, at: float = NOON) -> list[bool]:
    """These come in as the daemon takes them."""
    with turn(store, at) as tx:
        return privates.accept(tx, [arrival(one) for one in said])


def carried(store: Store, at: float = NOON) -> None:
    """Whatever waits is written and posted."""
    for account in ("desk", "feed", "desk"):
        for mine in claim(store, 50, account=account, at=at):
            settle(store, mine, receipt=receipt(f"x{mine.id}", None), at=at)


def privately(mention: Make, external_id: str = "dm1", **facts: Any) -> Mention:
    return mention(external_id, **({"author": ANNA, "thread_id": "dm", "private": True, "kind": "dm"} | facts))


def answers_go_to(store: Store, ticket: TicketId, seconds: int = 600) -> str:
    """In which thread the person stands whom a comment reaches that an agent writes then."""
    at = NOON + seconds
    assert answer(store, reply(seconds, ticket), ticket=ticket, at=at)
    mine = one(store, account="feed", at=at)
    settle(store, mine, receipt=receipt(f"p{mine.id}", None), at=at)
    return mine.heard[-1].thread_id


def moved(store: Store, mention: Make) -> None:
    """Anna spoke in public, was asked, and wrote privately: both stand on ticket 7."""
    linked(store, mention("m1", author=ANNA, thread_id="t1"))
    assert asked(store)
    carried(store)
    heard(store, privately(mention))
    carried(store)


def test_after_a_merge_the_person_is_still_answered_alone(store: Store, mention: Make) -> None:
    moved(store, mention)
    with turn(store, NOON + 100) as tx:
        tickets.move(tx, "desk", SEVEN, Merge(NINE, datetime.fromtimestamp(NOON + 100, UTC)))
    heard(store, mention("m2", author=OLGA, thread_id="t1"), at=NOON + 200)  # somebody goes on in public
    carried(store, NOON + 200)

    assert answers_go_to(store, NINE) == "dm"
    sound(store)


def test_a_private_message_comes_onto_the_ticket_that_theirs_was_merged_into(store: Store, mention: Make) -> None:
    linked(store, mention("m1", author=ANNA, thread_id="t1"))
    assert asked(store)
    carried(store)
    with turn(store, NOON + 100) as tx:
        tickets.move(tx, "desk", SEVEN, Merge(NINE, datetime.fromtimestamp(NOON + 100, UTC)))
    heard(store, privately(mention), at=NOON + 200)
    (found,) = [mine for mine in claim(store, at=NOON + 200) if mine.kind == "mention"]
    assert found.ticket == NINE
    sound(store)


def test_asked_again_they_are_answered_alone_still(store: Store, mention: Make) -> None:
    moved(store, mention)
    asked(store, there=False)
    heard(store, mention("m2", author=ANNA, thread_id="t1"))
    carried(store)
    assert asked(store)
    carried(store)
    heard(store, privately(mention, "dm2"), mention("m3", author=OLGA, thread_id="t1"))
    note = next(decode(CommentDraft, body) for body in reversed(rows(store, "body", kind="note")))
    carried(store)

    assert "here: answers go to the person alone" in note.html
    assert answers_go_to(store, SEVEN) == "dm"
    sound(store)


def test_who_writes_on_another_ticket_leaves_the_first_person_private(store: Store, mention: Make) -> None:
    moved(store, mention)
    heard(store, privately(mention, "other", author=OLGA, thread_id="olga"))
    done(store, one(store), ticket="9")
    heard(store, mention("m2", author=OLGA, thread_id="t1"))
    carried(store)
    asked(store, there=False)
    assert asked(store)
    carried(store)
    heard(store, privately(mention, "more", author=OLGA, thread_id="olga"))
    heard(store, mention("m4", author=OLGA, thread_id="t1"))
    carried(store)

    assert answers_go_to(store, SEVEN) == "dm"


@pytest.mark.parametrize("facts", [{"version": "2"}, {"deleted": True, "version": "gone"}], ids=["edited", "deleted"])
def test_an_edit_of_what_was_said_before_is_no_private_message(
    store: Store, mention: Make, facts: dict[str, Any]
) -> None:
    linked(store, privately(mention, thread_id="long ago"), ticket="3")
    linked(store, mention("m1", author=ANNA, thread_id="t1"))
    assert asked(store)
    carried(store)
    heard(store, privately(mention, thread_id="long ago", **facts))

    with store.read() as tx:
        assert tx.execute(sa.select(private_moves.c.ended_at)).scalar_one() is None


def test_of_two_private_conversations_the_one_without_a_ticket_is_joined(store: Store, mention: Make) -> None:
    linked(store, privately(mention, "old", thread_id="long ago"), ticket="3")
    linked(store, mention("m1", author=ANNA, thread_id="t1"))
    assert asked(store)
    carried(store)
    heard(store, privately(mention), privately(mention, "again", thread_id="long ago"))
    tickets_of = {mine.mention.thread_id: mine.ticket for mine in claim(store) if mine.mention is not None}

    assert tickets_of == {"dm": SEVEN, "long ago": TicketId("3")}


def test_who_was_forgotten_is_not_answered_in_public_instead(store: Store, mention: Make) -> None:
    moved(store, mention)
    heard(store, mention("m2", author=OLGA, thread_id="t1"))
    carried(store)
    with turn(store) as tx:
        people.forget(tx, "feed:u1")

    assert answers_go_to(store, SEVEN) == "dm"
    with store.read() as tx:
        assert "u1" not in str(tx.execute(sa.select(private_moves)).one())


def test_a_tag_that_stays_when_somebody_was_forgotten_asks_nobody_twice(store: Store, mention: Make) -> None:
    linked(store, mention("m1", author=ANNA, thread_id="t1"))
    heard(store, mention("m2", author=OLGA, thread_id="t1"))
    carried(store)
    heard(store, mention("m3", author=ANNA, thread_id="t1"))
    carried(store)
    assert asked(store)
    carried(store)
    with turn(store) as tx:
        people.forget(tx, "feed:u1")

    assert not asked(store)  # it was seen before
    asked(store, there=False)
    assert asked(store)  # for Olga now
    sound(store)


@pytest.mark.parametrize("came", [True, False], ids=["they came", "nobody came"])
def test_retention_takes_the_person_out_of_a_move_too(store: Store, mention: Make, *, came: bool) -> None:
    if came:
        moved(store, mention)
    else:
        linked(store, mention("m1", author=ANNA, thread_id="t1"))
        assert asked(store)
        carried(store)
    with turn(store, NOON + 40 * 86_400.0) as tx:
        assert people.expire(tx, 30, 100)[0] > 0
    with store.read() as tx:
        row = tx.execute(sa.select(private_moves)).one()
    assert (row.author, row.ended_at is None) == ("", False)


def test_what_a_muted_person_writes_privately_ends_no_waiting(store: Store, mention: Make) -> None:
    linked(store, mention("m1", author=ANNA, thread_id="t1"))
    assert asked(store)
    carried(store)
    with turn(store) as tx:
        tickets.mute(tx, "desk", SEVEN)
    heard(store, privately(mention))

    assert [decode(CommentDraft, body).settings.untag for body in rows(store, "body", kind="note")] == [(TAG,)]


def test_after_a_merge_the_ticket_that_survived_is_reminded(store: Store, mention: Make) -> None:
    linked(store, mention("m1", author=ANNA, thread_id="t1"))
    assert asked(store)
    carried(store)
    closed = TicketState(SEVEN, "closed")
    with turn(store, NOON + 100) as tx:
        tickets.note_state(tx, "desk", closed)
        tickets.move(tx, "desk", SEVEN, Merge(NINE, datetime.fromtimestamp(NOON + 100, UTC)))
    with turn(store, NOON + 9_000) as tx:
        assert privates.remind(tx, 3_600, lambda ticket, _: CommentDraft(ticket, "reminded")) == 1
    (note,) = [found.note for found in claim(store, at=NOON + 9_000) if found.kind == "note"]
    assert note.ticket == NINE
