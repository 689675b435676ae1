"""What is looked at again although nothing is due, and told once."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from store_builders import (
    LEASE,
    NOON,
    answer,
    arrive,
    claim,
    intend,
    linked,
    one,
    receipt,
    reply,
    rows,
    settle,
    sound,
    states,
    turn,
)

from connector.model import CommentDraft, Mention, TicketId
from connector.store import Claim, Store, reconcile
from connector.store.arrivals import declare_account

Make = Callable[..., Mention]

LATER = NOON + LEASE + 1
NOTE = CommentDraft(TicketId("7"), "<p>still waiting</p>")


# --- once in doubt ---


def test_what_was_ever_in_doubt_is_looked_at_once_more_when_it_is_done(store: Store, mention: Make) -> None:
    arrive(store, mention())
    got = one(store)
    intend(store, got)
    settle(store, got, None, in_doubt=True)
    again = one(store, at=NOON + 1)
    assert again.doubted_at == NOON
    settle(store, again, receipt=receipt("c1"), ticket=TicketId("7"), at=NOON + 2)
    with turn(store, NOON + 899) as tx:
        assert reconcile.doubtful(tx, "w", 900, 10) == []
    with turn(store, NOON + 901) as tx:
        (look,) = reconcile.doubtful(tx, "w", 900, 10)
        assert look.parts[0].receipt == receipt("c1")
        reconcile.checked(tx, look, [CommentDraft(TicketId("7"), "<p>twice</p>")])
        reconcile.checked(tx, look, [CommentDraft(TicketId("7"), "<p>twice</p>")])
    with turn(store, NOON + 902) as tx:
        assert reconcile.doubtful(tx, "w", 900, 10) == []
    assert rows(store, "kind") == ["mention", "note"]
    sound(store)


def test_a_crash_leaves_a_doubt_that_the_reconciler_knows_of(store: Store, mention: Make) -> None:
    arrive(store, mention())
    intend(store, one(store))
    settle(store, one(store, at=LATER), receipt=receipt("c1"), ticket=TicketId("7"), at=LATER)
    with turn(store, LATER + 901) as tx:
        assert len(reconcile.doubtful(tx, "w", 900, 10)) == 1


def test_what_never_was_in_doubt_is_not_looked_at_again(store: Store, mention: Make) -> None:
    linked(store, mention())
    with turn(store, NOON + 10_000) as tx:
        assert reconcile.doubtful(tx, "w", 900, 10) == []


@pytest.mark.parametrize("end", ["unsure", "failed", "ignored"])
def test_what_is_not_done_is_not_looked_at(store: Store, mention: Make, end: str) -> None:
    arrive(store, mention())
    intend(store, one(store))
    settle(store, one(store, at=LATER), end, at=LATER)
    with turn(store, LATER + 901) as tx:
        assert reconcile.doubtful(tx, "w", 900, 10) == []


def test_the_oldest_doubts_come_first_and_no_more_than_asked_for(store: Store, mention: Make) -> None:
    arrive(store, *(mention(thread_id=f"t{n}") for n in range(3)))
    for wait, got in zip((20, 10, 30), claim(store), strict=True):
        intend(store, got)
        settle(store, got, None, in_doubt=True, at=NOON + wait)
    for got in claim(store, at=LATER):
        settle(store, got, receipt=receipt(), ticket=TicketId("7"), at=LATER)
    with turn(store, LATER + 901) as tx:
        assert [found.id for found in reconcile.doubtful(tx, "w", 900, 2)] == [2, 1]


# --- waiting too long ---


def _overdue(store: Store, at: float, older: float = 600) -> list[tuple[Claim, str]]:
    with turn(store, at) as tx:
        return reconcile.overdue(tx, "w", older, 10)


def _tell(store: Store, waits: Claim, at: float = NOON) -> None:
    with turn(store, at) as tx:
        reconcile.tell_waiting(tx, waits, NOTE)


def test_a_reply_that_waits_too_long_is_overdue_until_its_ticket_was_told(store: Store, mention: Make) -> None:
    linked(store, mention())
    answer(store, reply(1))
    assert _overdue(store, NOON + 600) == []
    ((waits, why),) = _overdue(store, NOON + 601)
    assert (waits.kind, waits.reply, why) == ("reply", reply(1), "")
    assert [heard.external_id for heard in waits.heard] == ["m1"], "enough to say what it answers"
    _tell(store, waits)
    _tell(store, waits)
    assert _overdue(store, NOON + 9_000) == []
    assert rows(store, "kind", "account", "state") == [
        ("mention", "desk", "done"),
        ("reply", "feed", "ready"),
        ("note", "desk", "ready"),
    ]
    assert one(store, account="desk").note == NOTE
    sound(store)


def test_the_reason_is_that_of_the_account_before_that_of_the_last_try(store: Store, mention: Make) -> None:
    with turn(store) as tx:
        declare_account(tx, "feed", None)
    linked(store, mention())
    answer(store, reply(1))
    settle(store, one(store, account="feed"), None, reason="no answer", wait=1)
    assert [why for _, why in _overdue(store, NOON + 601)] == ["no answer"]
    settle(store, one(store, account="feed", at=NOON + 2), None, reason="refused", stop="the token was refused")
    assert [why for _, why in _overdue(store, NOON + 601)] == ["the token was refused"]


def test_replies_behind_it_wait_as_well_and_are_told_each(store: Store, mention: Make) -> None:
    linked(store, mention())
    answer(store, reply(1), reply(2))
    found = _overdue(store, NOON + 601)
    assert [waits.reply and waits.reply.id for waits, _ in found] == ["c1", "c2"]
    for waits, _ in found:
        _tell(store, waits)
    assert states(store, kind="note") == ["ready", "blocked"]
    sound(store)


def test_what_may_have_happened_waits_too(store: Store, mention: Make) -> None:
    linked(store, mention())
    answer(store, reply(1))
    intend(store, one(store, account="feed"), op="reply")
    assert len(_overdue(store, NOON + 601)) == 1


@pytest.mark.parametrize("end", ["done", "failed", "held", "ignored", "unsure"])
def test_a_reply_that_ended_meanwhile_is_not_called_waiting(store: Store, mention: Make, end: str) -> None:
    linked(store, mention())
    answer(store, reply(1))
    ((waits, _),) = _overdue(store, NOON + 601)
    settle(store, one(store, account="feed"), end)
    _tell(store, waits)
    assert rows(store, "kind") == ["mention", "reply"]
    assert _overdue(store, NOON + 602) == []
    sound(store)


def test_a_mention_that_waits_is_nothing_an_agent_believes_posted(store: Store, mention: Make) -> None:
    linked(store, mention())
    arrive(store, mention())
    assert _overdue(store, NOON + 9_000) == []
