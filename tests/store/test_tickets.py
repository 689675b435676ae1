"""What agents do to tickets is remembered, and whoever is muted, merged or released is treated so."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
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

from connector.model import (
    Author,
    CommentDraft,
    Decision,
    Mention,
    Merge,
    Reply,
    Settings,
    TicketId,
    TicketState,
    Tone,
    decode,
    encode,
)
from connector.store import Store, people, tables, tickets

Make = Callable[..., Mention]
SEVEN, NINE = TicketId("7"), TicketId("9")


def linked(store: Store, mention: Mention, ticket: TicketId = SEVEN, **facts: Any) -> None:
    """Its conversation stands on that ticket."""
    arrive(store, mention, **facts)
    settle(store, claim(store)[-1], receipt=receipt(f"first-{ticket}"), ticket=ticket)


def state(store: Store, status: str, at: float, **facts: Any) -> Any:
    """Note it; what is remembered then."""
    with turn(store, at) as tx:
        tickets.note_state(tx, "desk", TicketState(SEVEN, status, **facts))
    with store.read() as tx:
        return tx.execute(sa.select(tables.tickets)).one()


def test_solved_and_reopened_are_told_by_what_was_seen_before(store: Store) -> None:
    assert state(store, "open", NOON).solved_at is None
    assert state(store, "solved", NOON + 10, satisfaction="good", assignee="Olga").solved_at == NOON + 10
    closed = state(store, "closed", NOON + 20, satisfaction="good", assignee="Olga")
    assert (closed.solved_at, closed.reopened, closed.satisfaction, closed.assignee) == (NOON + 10, 0, "good", "Olga")
    again = state(store, "open", NOON + 30)
    assert (again.solved_at, again.reopened, again.satisfaction) == (None, 1, "good")
    assert state(store, "open", NOON + 35, satisfaction="bad").satisfaction == "bad"
    assert state(store, "solved", NOON + 40).solved_at == NOON + 40


def test_a_muted_author_is_ignored_with_the_reason_and_heard_again(store: Store, mention: Make) -> None:
    linked(store, mention(thread_id="a"))
    with turn(store) as tx:
        assert tickets.mute(tx, "desk", SEVEN) == 1
        assert tickets.mute(tx, "desk", SEVEN) == 0, "a second look at the same tag"
    arrive(store, mention(thread_id="b"), mention(thread_id="c", author=Author("u2", "Olga")))
    assert states(store) == ["done", "ignored", "ready"]
    assert rows(store, "reason")[1] == "author muted by an agent on ticket 7"
    with turn(store) as tx:
        assert tickets.unmute(tx, "desk", SEVEN) == 1
    arrive(store, mention(thread_id="d"))
    assert states(store)[-1] == "ready"
    sound(store)


def test_muting_touches_who_opened_the_ticket_and_nobody_else(store: Store, mention: Make) -> None:
    linked(store, mention(thread_id="a"))
    arrive(store, mention(thread_id="a", author=Author("u2", "Olga")))
    with turn(store) as tx:
        tickets.mute(tx, "desk", SEVEN)
    arrive(store, mention(thread_id="b", author=Author("u2", "Olga")), mention(thread_id="e"))
    assert states(store)[-2:] == ["ready", "ignored"]


def test_the_conversation_of_a_merged_ticket_goes_on_where_it_went(store: Store, mention: Make) -> None:
    linked(store, mention())
    with turn(store) as tx:
        merged = Merge(NINE, datetime.fromtimestamp(NOON + 50, UTC))
        assert tickets.move(tx, "desk", SEVEN, merged) == 1
        assert tickets.move(tx, "desk", SEVEN, merged) == 0
    assert answer(store, reply(49, "9"), ticket="9") == 0, "said to somebody else, before the merge"
    assert answer(store, reply(49, "9"), reply(51, "9"), ticket="9") == 1
    assert rows(store, "kind") == ["mention", "reply"]


def test_of_two_conversations_on_one_ticket_the_one_heard_last_is_answered(store: Store, mention: Make) -> None:
    linked(store, mention(thread_id="a"))
    linked(store, mention(thread_id="b"), NINE)
    with turn(store) as tx:
        tickets.move(tx, "desk", SEVEN, Merge(NINE, datetime.fromtimestamp(NOON + 50, UTC)))
    answer(store, reply(60, "9"), reply(40, "9"), ticket="9")
    with store.read() as tx:
        found = tx.execute(
            sa.select(tables.replies.c.comment, tables.conversations.c.name)
            .join(tables.conversations, tables.conversations.c.id == tables.replies.c.conversation)
            .order_by(tables.replies.c.comment)
        ).all()
    assert [tuple(row) for row in found] == [("c40", "b"), ("c60", "b")]
    arrive(store, mention(thread_id="a"))
    answer(store, reply(70, "9"), reply(45, "9"), ticket="9")
    with store.read() as tx:
        found = tx.execute(
            sa.select(tables.conversations.c.name)
            .join(tables.replies, tables.conversations.c.id == tables.replies.c.conversation)
            .where(tables.replies.c.comment.in_(["c45", "c70"]))
            .order_by(tables.replies.c.comment)
        ).scalars()
        assert list(found) == ["b", "a"], "what was said before the merge was not said to the newcomers"


def test_a_tag_releases_the_held_replies_and_is_taken_off(store: Store, mention: Make) -> None:
    linked(store, mention())
    answer(store, reply(1))
    settle(store, one(store, account="feed"), "held", reason="It holds a phone number.")
    with turn(store) as tx:
        assert tickets.release(tx, "desk", SEVEN, "release_reply") == 1
        assert tickets.release(tx, "desk", SEVEN, "release_reply") == 0
    again = one(store, account="feed")
    assert again.released
    (note,) = [found for found in claim(store) if found.kind == "note"]
    draft = decode(CommentDraft, note.body)
    assert (draft.html, draft.settings.untag) == ("", ("release_reply",))
    sound(store)


def test_a_tag_that_is_still_being_taken_off_releases_nothing_held_since(store: Store, mention: Make) -> None:
    linked(store, mention())

    def held(number: int) -> None:
        answer(store, reply(number))
        settle(store, one(store, account="feed"), "held", reason="a phone number")

    def released() -> int:
        with turn(store) as tx:
            return tickets.release(tx, "desk", SEVEN, "release_reply")

    held(1)
    assert released() == 1
    settle(store, one(store, account="feed"), receipt=receipt("p1", None))
    held(2)
    assert released() == 0
    done(store, one(store))  # the tag is off
    assert released() == 1  # and on again
    sound(store)


def recall(store: Store, *found: Reply) -> int:
    """Look at the ticket as it is now."""
    with turn(store) as tx:
        return tickets.recall(tx, "desk", SEVEN, found, lambda posted: f"still at {posted[0].url}")


@pytest.mark.parametrize(
    "now", [[reply(1, public=False)], [reply(1, redacted=True)], []], ids=["hid", "blotted", "gone"]
)
def test_of_an_answer_taken_back_after_it_was_posted_the_ticket_is_told_once(
    store: Store, mention: Make, now: list[Reply]
) -> None:
    linked(store, mention())
    answer(store, reply(1), reply(2))
    done(store, one(store, account="feed"), number="p1")
    assert recall(store, reply(1), reply(2)) == 0
    assert recall(store, *now, reply(2)) == 1
    assert recall(store, *now, reply(2)) == 0, "told twice"
    (note,) = [found for found in claim(store) if found.kind == "note"]
    draft = decode(CommentDraft, note.body)
    assert (draft.ticket, draft.public, draft.html) == (SEVEN, False, "still at https://desk.example/p1")
    sound(store)


def test_what_may_have_moved_in_a_merge_does_not_count_as_taken_back(store: Store, mention: Make) -> None:
    linked(store, mention())
    answer(store, reply(1), reply(2))
    done(store, one(store, account="feed"), number="p1")
    with turn(store) as tx:
        assert tickets.recall(tx, "desk", SEVEN, [], lambda _: "gone", missing=False) == 0
        hidden = [reply(1, public=False)]
        assert tickets.recall(tx, "desk", SEVEN, hidden, lambda _: "hid", missing=False) == 1


def test_an_answer_taken_back_before_it_left_is_no_news(store: Store, mention: Make) -> None:
    linked(store, mention())
    answer(store, reply(1), reply(2, redacted=True))
    assert recall(store, reply(1, public=False), reply(2, redacted=True)) == 0
    settle(store, one(store, account="feed"), "ignored")
    assert recall(store, reply(1, public=False), reply(2, redacted=True)) == 0


def test_the_same_words_said_before_on_the_source_are_known(store: Store, mention: Make) -> None:
    linked(store, mention(thread_id="a"))
    linked(store, mention(thread_id="b"), NINE)
    answer(store, reply(1, html="<p>Thank  you!</p>"), at=NOON + 5)
    answer(store, reply(2, "9", html="<div>thank you!</div>"), reply(3, "9", html="<p>Other</p>"), ticket="9")
    found = {claimed.reply.id: claimed.said_before for claimed in claim(store, account="feed", at=NOON + 9)}
    assert found == {"c1": (), "c2": (NOON + 5,)}


def test_the_tone_agents_give_is_told_beside_the_decision_of_the_ticket(store: Store, mention: Any) -> None:
    arrive(store, mention("a", thread_id="a"), mention("b", thread_id="a"), mention("c", thread_id="c"))
    decision = Decision(Settings(), "s", "c", Tone("negative", -0.5, 0.9))
    for number, claimed in enumerate(claim(store)):
        intend(store, claimed, trace=encode(decision))
        settle(store, claimed, receipt=receipt(str(number), str(number)), ticket=TicketId(str(number)))
    with turn(store) as tx:
        tickets.note_state(tx, "desk", TicketState(TicketId("0"), "solved", tone="tone_positive"))
        tickets.note_state(tx, "desk", TicketState(TicketId("1"), "open"))
        (found,) = tickets.toned(tx)

    said, decided, value, solved = found
    assert (said.external_id, decided.tone.label, value, solved) == ("a", "negative", "tone_positive", True)


def test_what_agents_say_of_the_forgotten_is_not_said_of_somebody_else(store: Store, mention: Any) -> None:
    decision = encode(Decision(Settings(), "s", "c", Tone("negative", -0.5, 0.9)))
    arrive(store, mention("a", thread_id="a"), mention("b", thread_id="a", author=Author("u2")))
    opening = one(store)
    intend(store, opening, trace=decision)
    settle(store, opening, receipt=receipt(), ticket=SEVEN)
    later = one(store)
    intend(store, later, op="comment", trace=decision)
    settle(store, later, receipt=receipt("c1"))
    with turn(store) as tx:
        tickets.note_state(tx, "desk", TicketState(SEVEN, "solved", tone="tone_positive"))
        assert [said.external_id for said, *_ in tickets.toned(tx)] == ["a"]
        people.forget(tx, "feed:u1")
        assert list(tickets.toned(tx)) == []
