"""The life of a delivery: claimed once, intended before it is sent, ended once, and the next of its lane let go."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from store_builders import (
    LEASE,
    NOON,
    answer,
    arrive,
    claim,
    done,
    intend,
    linked,
    numbers,
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
from connector.store import Claim, Outcome, Store, journal, queue
from connector.store.arrivals import declare_account
from connector.store.queue import Intent, LeaseLost

Make = Callable[..., Mention]

LATER = NOON + LEASE + 1


# --- claim ---


def test_a_claim_brings_everything_needed_to_carry_it(store: Store, mention: Make) -> None:
    said = mention()
    arrive(store, said)
    got = one(store)
    assert (got.kind, got.account, got.helpdesk, got.source) == ("mention", "desk", "desk", "feed")
    assert (got.mention, got.parts, got.followers, got.ticket, got.in_doubt) == (said, (), (), None, False)
    assert (got.now, got.born, got.attempts) == (NOON, NOON, 0)


def test_what_is_claimed_is_not_claimed_again_while_the_lease_lasts(store: Store, mention: Make) -> None:
    arrive(store, mention())
    first = one(store)
    assert claim(store, owner="other", at=NOON + LEASE - 1) == []
    again = one(store, owner="other", at=LATER)
    assert (again.id, again.fence) == (first.id, first.fence + 1)
    assert not again.in_doubt, "nothing was intended, so nothing can have happened"


def test_an_intent_whose_lease_ran_out_is_in_doubt_and_brings_its_frozen_request(store: Store, mention: Make) -> None:
    arrive(store, mention())
    intend(store, one(store), body="frozen", repeatable=True)
    got = one(store, owner="other", at=LATER)
    assert got.in_doubt
    (part,) = got.parts
    assert (part.n, part.request.body, part.request.repeatable) == (0, "frozen", True)
    assert (part.intent_at, part.receipt) == (NOON, None)


def test_a_dead_process_leases_are_forgotten_at_once(store: Store, mention: Make) -> None:
    arrive(store, mention(thread_id="a"), mention(thread_id="b"))
    intend(store, claim(store)[0])
    with turn(store) as tx:
        queue.forget_leases(tx)
    assert [got.in_doubt for got in claim(store, owner="next")] == [True, False]


def test_only_the_head_of_a_lane_is_claimed(store: Store, mention: Make) -> None:
    arrive(store, mention(), mention(), mention(thread_id="t2"))
    assert numbers(claim(store)) == [1, 3]


def test_as_many_are_claimed_as_were_asked_for_the_oldest_first(store: Store, mention: Make) -> None:
    arrive(store, *(mention(thread_id=f"t{n}") for n in range(5)))
    assert numbers(claim(store, 2)) == [1, 2]
    assert numbers(claim(store, 2)) == [3, 4]
    assert numbers(claim(store, 2)) == [5]


def test_what_is_due_later_is_claimed_later(store: Store, mention: Make) -> None:
    arrive(store, mention())
    settle(store, one(store), None, wait=30, reason="busy")
    assert claim(store, at=NOON + 29) == []
    got = one(store, at=NOON + 30)
    assert (got.attempts, got.in_doubt) == (1, False)


def test_a_turn_that_does_not_count_leaves_the_attempts(store: Store, mention: Make) -> None:
    arrive(store, mention())
    settle(store, one(store), None, counted=False)
    assert one(store).attempts == 0


def test_a_note_goes_before_mentions(store: Store, mention: Make) -> None:
    linked(store, mention(thread_id="t1"))
    arrive(store, *(mention(thread_id=f"o{n}") for n in range(3)))
    answer(store, reply(1))
    note = CommentDraft(TicketId("7"), "<p>posted</p>")
    settle(store, one(store, account="feed"), receipt=receipt("r1", None), notes=(note,), at=NOON + 5)
    got = claim(store, 1, at=NOON + 6)[0]
    assert (got.kind, got.note) == ("note", note)


def test_a_paused_account_gives_none_until_the_pause_is_over(store: Store, mention: Make) -> None:
    _declare(store)
    arrive(store, mention(thread_id="a"), mention(thread_id="b"))
    settle(store, claim(store, 1)[0], None, counted=False, wait=10, pause=10)
    assert claim(store, at=NOON + 9) == []
    assert len(claim(store, at=NOON + 11)) == 2


def test_a_longer_pause_is_not_made_shorter(store: Store, mention: Make) -> None:
    _declare(store)
    arrive(store, mention(thread_id="a"), mention(thread_id="b"))
    first, second = claim(store)
    settle(store, first, None, pause=100)
    settle(store, second, None, pause=10)
    assert claim(store, at=NOON + 99) == []


def test_a_stopped_account_is_probed_with_one_and_is_back_when_that_went_well(store: Store, mention: Make) -> None:
    _declare(store)
    arrive(store, *(mention(thread_id=f"t{n}") for n in range(4)))
    settle(store, claim(store, 1)[0], None, counted=False, wait=1, pause=300, stop="the token was refused")
    with store.read() as tx:
        (desk,) = (account for account in journal.standing(tx) if account.name == "desk")
    assert (desk.stopped, desk.stopped_at, desk.paused_until) == ("the token was refused", NOON, NOON + 300)
    assert claim(store, at=NOON + 299) == []
    (probe,) = claim(store, at=NOON + 301)
    assert claim(store, at=NOON + 302) == [], "one probe at a time"
    intend(store, probe, at=NOON + 303)
    settle(store, probe, receipt=receipt(), at=NOON + 303)
    assert len(claim(store, at=NOON + 304)) == 3


def test_a_probe_that_fails_stops_it_again_since_the_first_time(store: Store, mention: Make) -> None:
    _declare(store)
    arrive(store, mention())
    settle(store, one(store), None, wait=1, pause=300, stop="refused")
    settle(store, one(store, at=NOON + 301), None, wait=1, pause=300, stop="still refused", at=NOON + 302)
    with store.read() as tx:
        (desk,) = (account for account in journal.standing(tx) if account.name == "desk")
    assert (desk.stopped, desk.stopped_at, desk.paused_until) == ("still refused", NOON, NOON + 602)


def test_trouble_may_be_another_accounts_and_ends_when_a_reply_left(store: Store, mention: Make) -> None:
    _declare(store)
    linked(store, mention())
    answer(store, reply(1))
    settle(store, one(store, account="feed"), None, wait=1, pause=1, stop="refused", troubled="desk")
    with store.read() as tx:
        assert {one.name: one.stopped for one in journal.standing(tx) if one.stopped} == {"desk": "refused"}
    again = one(store, account="feed", at=NOON + 2)
    intend(store, again, op="reply", at=NOON + 2)
    settle(store, again, receipt=receipt(), at=NOON + 2)
    with store.read() as tx:
        assert not any(one.stopped for one in journal.standing(tx))


@pytest.mark.parametrize(
    ("facts", "beside"), [({"private": True}, True), ({"kind": "dm"}, True), ({"text": '"private":true'}, False)]
)
def test_a_reply_on_a_ticket_that_holds_a_private_conversation_says_so(
    store: Store, mention: Make, facts: dict[str, Any], beside: bool
) -> None:
    linked(store, mention("a", thread_id="x", **facts))
    linked(store, mention("b", thread_id="y"))  # as after a merge: both stand on ticket 7
    answer(store, reply(1))
    got = one(store, account="feed")
    assert (got.heard[0].external_id, got.private_beside) == ("b", beside)


# --- budgets and replicas ---


def _declare(store: Store, per_minute: float | None = None) -> None:
    with turn(store) as tx:
        declare_account(tx, "desk", per_minute)


@pytest.fixture
def other(store: Store) -> Iterator[Store]:
    """A second replica on the same database."""
    opened = Store(store.url.render_as_string(hide_password=False))
    yield opened
    opened.close()


def test_a_budget_is_shared_by_all_replicas(store: Store, other: Store, mention: Make) -> None:
    _declare(store, 120)
    arrive(store, *(mention(thread_id=f"t{n}") for n in range(100)))
    taken = [0, 0]
    for second in range(60):
        for replica, opened in enumerate((store, other)):
            taken[replica] += len(claim(opened, 50, owner=f"w{replica}", at=NOON + second))
    assert sum(taken) <= 120 + 10
    assert len(states(store)) == 100
    assert sum(taken) == 100
    with turn(store) as tx:
        declare_account(tx, "desk", 120)


def test_no_minute_sees_more_calls_than_its_budget_and_a_small_burst(store: Store, mention: Make) -> None:
    _declare(store, 60)
    arrive(store, *(mention(thread_id=f"t{n}") for n in range(90)))
    per_second = [len(claim(store, 50, at=NOON + 1_000 + second)) for second in range(60)]
    assert per_second[0] == 5, "what was saved up: a twelfth of a minute"
    assert sum(per_second) <= 60 + 5
    assert sum(per_second) >= 60


def test_replicas_that_claim_at_once_share_the_budget(store: Store, other: Store, mention: Make) -> None:
    """The first has claimed and not committed yet when the second looks."""
    if store.is_sqlite:
        return  # one writer at a time
    _declare(store, 60)
    arrive(store, *(mention(thread_id=f"t{n}") for n in range(20)))
    with turn(store, NOON + 100) as tx:
        first = queue.claim(tx, "w1", LEASE, {"desk": 20})
        second = claim(other, 20, owner="w2", at=NOON + 100)
    assert len(first) == 5
    assert second == []


def test_replicas_that_claim_at_once_get_different_ones(store: Store, other: Store, mention: Make) -> None:
    if store.is_sqlite:
        return  # one writer at a time
    arrive(store, *(mention(thread_id=f"t{n}") for n in range(6)))
    with turn(store) as tx:
        first = queue.claim(tx, "w1", LEASE, {"desk": 4})
        second = claim(other, 4, owner="w2")
    assert numbers(first) == [1, 2, 3, 4]
    assert numbers(second) == [5, 6]


# --- intend ---


def test_an_intent_stores_the_request_and_the_receipt_of_the_part_before(store: Store, mention: Make) -> None:
    arrive(store, mention())
    got = one(store)
    intend(store, got, 0)
    intend(store, got, 1, op="comment", receipt=receipt("c1"), ticket=TicketId("7"), external_id="feed:m1")
    again = one(store, at=LATER)
    assert [(part.n, part.receipt and part.receipt.id) for part in again.parts] == [(0, "c1"), (1, None)]
    assert (again.ticket, again.external_id) == ("7", "feed:m1")


def test_an_intent_prolongs_the_lease(store: Store, mention: Make) -> None:
    arrive(store, mention())
    got = one(store)
    intend(store, got, at=NOON + LEASE - 1)
    assert claim(store, owner="other", at=LATER) == []


def test_whoever_lost_the_delivery_can_neither_intend_nor_settle(store: Store, mention: Make) -> None:
    arrive(store, mention())
    mine = one(store, owner="w1")
    theirs = one(store, owner="w2", at=LATER)
    with pytest.raises(LeaseLost):
        intend(store, mine, at=LATER)
    with pytest.raises(LeaseLost):
        settle(store, mine, receipt=receipt(), ticket=TicketId("7"), at=LATER)
    assert states(store) == ["ready"]
    done(store, theirs, ticket="8")
    with pytest.raises(LeaseLost):
        settle(store, mine, "failed")
    with pytest.raises(LeaseLost):
        settle(store, theirs, "failed")
    assert rows(store, "state") == ["done"]
    sound(store)


def test_the_same_owner_may_lose_to_itself(store: Store, mention: Make) -> None:
    arrive(store, mention())
    slow = one(store)
    fast = one(store, at=LATER)
    with pytest.raises(LeaseLost):
        settle(store, slow, at=LATER)
    settle(store, fast, at=LATER)


def test_a_group_of_settlings_stores_what_is_ours_and_skips_what_is_not(store: Store, mention: Make) -> None:
    arrive(store, mention(thread_id="a"), mention(thread_id="b"))
    lost, _ = claim(store, 2, owner="w1")
    _, kept = claim(store, 2, owner="w2", at=LATER)
    with turn(store, LATER) as tx:
        assert queue.settle_all(tx, [Outcome(lost, "failed"), Outcome(kept, "done")]) == [False, True]
    assert states(store) == ["ready", "done"]
    sound(store)


# --- settle ---


@pytest.mark.parametrize("end", ["done", "failed", "held", "ignored"])
def test_an_ending_lets_the_next_of_the_lane_go(store: Store, mention: Make, end: str) -> None:
    arrive(store, mention(), mention(), mention())
    settle(store, one(store), end, reason="so it is")
    assert states(store) == [end, "ready", "blocked"]
    assert one(store).id == 2
    sound(store)


def test_endings_in_one_turn_let_the_next_of_each_of_their_lanes_go(store: Store, mention: Make) -> None:
    arrive(store, *(mention(f"{thread}{n}", thread_id=thread) for thread in "abc" for n in range(3)))
    heads = claim(store)
    with turn(store) as tx:
        queue.settle_all(tx, [Outcome(head, "done") for head in heads[:2]])
    assert states(store) == ["done", "ready", "blocked"] * 2 + ["ready", "blocked", "blocked"]
    sound(store)


def test_what_is_unsure_keeps_its_lane(store: Store, mention: Make) -> None:
    arrive(store, mention(), mention())
    settle(store, one(store), "unsure", reason="nobody can tell")
    assert states(store) == ["unsure", "blocked"]
    assert claim(store, at=LATER) == []
    sound(store)


def test_what_is_tried_again_keeps_its_place(store: Store, mention: Make) -> None:
    arrive(store, mention(), mention())
    settle(store, one(store), None, wait=5)
    assert states(store) == ["ready", "blocked"]


def test_a_lane_is_carried_in_the_order_of_its_arrival(store: Store, mention: Make) -> None:
    arrive(store, *(mention(thread_id=f"t{n % 3}") for n in range(12)))
    order: list[int] = []
    while found := claim(store, 2):
        order += numbers(found)
        for got in reversed(found):
            settle(store, got)
    for lane in range(3):
        mine = [number for number in order if (number - 1) % 3 == lane]
        assert mine == sorted(mine)
    assert set(states(store)) == {"done"}
    sound(store)


def test_the_receipt_and_the_link_are_stored_with_the_ending(store: Store, mention: Make) -> None:
    arrive(store, mention())
    got = one(store)
    intend(store, got)
    settle(store, got, receipt=receipt("c1"), ticket=TicketId("7"), external_id="feed:m1", trace="{}")
    with store.read() as tx:
        row = journal.show_delivery(tx, "1")
        assert journal.links(tx, 0, 10) == [(1, "desk", "7", "feed:m1")]
    assert row is not None
    assert (row.state, row.ticket, row.trace, row.attempts) == ("done", "7", "{}", 1)
    assert "c1" in row.receipts[0]


def test_notes_are_born_in_the_lane_towards_the_helpdesk(store: Store, mention: Make) -> None:
    linked(store, mention())
    arrive(store, mention())
    answer(store, reply(1))
    note = CommentDraft(TicketId("7"), "<p>posted</p>")
    settle(store, one(store, account="feed"), receipt=receipt("r1", None), notes=(note, note))
    assert rows(store, "kind", "state", "account")[2:] == [
        ("reply", "done", "feed"),
        ("note", "blocked", "desk"),
        ("note", "blocked", "desk"),
    ]
    sound(store)


# --- riding along ---


def _crowd(store: Store, mention: Make, size: int = 4) -> Claim:
    """A linked conversation in which so many have spoken since; its head is claimed."""
    linked(store, mention())
    arrive(store, *(mention() for _ in range(size)))
    return one(store)


def test_a_claim_tells_who_waits_behind_it(store: Store, mention: Make) -> None:
    got = _crowd(store, mention)
    assert [follower.id for follower in got.followers] == [3, 4, 5]


def test_a_first_mention_takes_nobody_along(store: Store, mention: Make) -> None:
    arrive(store, mention(), mention())
    assert one(store).followers == ()


def test_nobody_rides_past_an_edit_or_a_note(store: Store, mention: Make) -> None:
    linked(store, mention())
    arrive(store, mention(), mention("a"), mention("a", version="2"), mention())
    assert [follower.id for follower in one(store).followers] == [3]


def test_no_more_ride_along_than_fit_in_one_comment(store: Store, mention: Make) -> None:
    assert len(_crowd(store, mention, 30).followers) == 20


def test_riders_are_done_with_their_carrier(store: Store, mention: Make) -> None:
    got = _crowd(store, mention)
    riders = tuple(follower.id for follower in got.followers[:2])
    intend(store, got, op="comment", joined=riders)
    settle(store, got, receipt=receipt("c2"), joined=riders)
    assert states(store) == ["done", "done", "done", "done", "ready"]
    with store.read() as tx:
        ledger = journal.balance(tx)
    assert (ledger.ticketed, ledger.appended, ledger.pending) == (1, 3, 1)
    sound(store)


@pytest.mark.parametrize("end", ["failed", "held", None])
def test_riders_wait_for_themselves_again_when_it_certainly_was_not_sent(
    store: Store, mention: Make, end: str | None
) -> None:
    got = _crowd(store, mention)
    intend(store, got, op="comment", joined=(3, 4))
    settle(store, got, end, joined=(3, 4))
    assert rows(store, "carrier") == [None] * 5
    assert states(store)[2:] == ["ready" if end else "blocked", "blocked", "blocked"]
    sound(store)


@pytest.mark.parametrize("end", ["unsure", None])
def test_riders_stay_with_it_while_it_is_unclear(store: Store, mention: Make, end: str | None) -> None:
    got = _crowd(store, mention)
    intend(store, got, op="comment", joined=(3, 4))
    settle(store, got, end, joined=(3, 4), in_doubt=end is None)
    assert rows(store, "carrier") == [None, None, 2, 2, None]
    sound(store)


def test_riders_of_a_doubtful_one_end_with_it_when_it_is_found(store: Store, mention: Make) -> None:
    intend(store, _crowd(store, mention), op="comment", joined=(3, 4))
    again = one(store, at=LATER)
    assert again.in_doubt
    assert again.followers == (), "what rides along was decided when it was frozen"
    settle(store, again, receipt=receipt("c2"), at=LATER)
    assert states(store) == ["done"] * 4 + ["ready"]
    sound(store)


def test_riders_are_sent_again_with_the_frozen_request(store: Store, mention: Make) -> None:
    intend(store, _crowd(store, mention), op="comment", joined=(3, 4), body="three voices")
    again = one(store, at=LATER)
    with turn(store, LATER) as tx:
        queue.intend(tx, Intent(again, 0, again.parts[0].request, resent=True), LEASE)
    assert rows(store, "carrier") == [None, None, 2, 2, None]
    settle(store, again, receipt=receipt("c2"), at=LATER)
    assert states(store) == ["done"] * 4 + ["ready"]


def test_a_request_prepared_anew_says_anew_who_rides_along(store: Store, mention: Make) -> None:
    got = _crowd(store, mention)
    intend(store, got, op="comment", joined=(3, 4))
    settle(store, got, None, joined=(3, 4), counted=False)
    again = one(store)
    intend(store, again, op="comment", joined=(3,))
    settle(store, again, receipt=receipt("c2"), joined=(3,))
    assert states(store) == ["done", "done", "done", "ready", "blocked"]
    sound(store)
