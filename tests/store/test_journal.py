"""The ledger balances whatever happens, and people may tend what has stopped without doing anything twice."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from store_builders import (
    LEASE,
    NOON,
    answer,
    arrive,
    claim,
    done,
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

from connector.model import Author, Cursor, Mention, TicketId, utc
from connector.store import Claim, Store, journal
from connector.store.arrivals import declare_account, lease_pull, move_cursor
from connector.store.journal import Balance
from connector.store.queue import LeaseLost
from connector.store.tables import metadata

Make = Callable[..., Mention]

LATER = NOON + LEASE + 1


def ledger(store: Store, source: str | None = None, since: float | None = None) -> Balance:
    """The balance."""
    with store.read() as tx:
        return journal.balance(tx, source, since)


def tend(store: Store, verb: str, number: int, at: float = NOON) -> str:
    """What a person does to a delivery; what was wrong with it."""
    with turn(store, at) as tx:
        if verb == "drop":
            return journal.drop(tx, number, "by hand")
        return (journal.retry if verb == "retry" else journal.release)(tx, number)


# --- whatever happens ---


class Play:
    """Arrivals, replicas and people, in any order. Time goes on by itself a little with each act."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.at = NOON
        self.arrived = 0
        self.hand: list[Claim] = []
        self.intended: dict[int, tuple[int, ...]] = {}
        self.comments = 0
        with store.begin() as tx:
            for table in reversed(metadata.sorted_tables):
                tx.execute(sa.delete(table))

    def act(self, name: str, n: int, m: int) -> None:
        """One act; the numbers choose what it is done to."""
        self.at += 1
        with contextlib.suppress(LeaseLost):
            getattr(self, name)(n, m)

    def accept(self, n: int, m: int) -> None:
        """Some mentions at once, some of them known already or edits, into one of two threads."""
        found = [
            Mention("feed", "feed", f"m{n + i}", Author("u"), "text", utc(NOON), thread_id=f"t{n % 2}")
            for i in range(m % 6 + 1)
        ]
        if m % 5 == 0:
            found[0] = replace(found[0], version=str(m))
        settled = {"ignored": "our own post"} if m % 11 == 0 else {"held": "too many"} if m % 7 == 0 else {}
        self.arrived += len(found)
        arrive(self.store, *found, at=self.at, **settled)

    def comment(self, n: int, m: int) -> None:
        """An agent answers on one of the tickets."""
        tickets = list(dict.fromkeys(rows(self.store, "conversation", state="done", kind="mention")))
        if tickets:
            ticket = str(tickets[n % len(tickets)])
            self.comments += 1
            answer(self.store, reply(self.comments, ticket), ticket=ticket, at=self.at)

    def claim(self, n: int, m: int) -> None:
        """One of two replicas takes some."""
        account = ("desk", "feed")[m % 2]
        self.hand += claim(self.store, n % 4 + 1, account=account, owner=f"w{m % 3}", at=self.at)

    def intend(self, n: int, m: int) -> None:
        """One in hand is about to be sent, with those who ride along."""
        if self.hand:
            mine = self.hand[n % len(self.hand)]
            joined = tuple(f.id for f in mine.followers[: m % 3])
            op = "ticket" if mine.kind == "mention" and mine.ticket is None else "comment"
            intend(self.store, mine, op=op, joined=joined, at=self.at, resent=mine.in_doubt)
            self.intended[mine.id] = joined

    def settle(self, n: int, m: int) -> None:
        """One in hand comes to some end, or to none."""
        if not self.hand:
            return
        mine = self.hand.pop(n % len(self.hand))
        sent = mine.id in self.intended
        joined = self.intended.pop(mine.id, ())
        end = (None, "done", "failed", "done", "held", "done", "ignored", "done", "unsure")[m % 9]
        facts: dict[str, Any] = {
            "joined": joined,
            "in_doubt": end is None and (mine.in_doubt or (sent and m % 2 == 0)),
        }
        if end == "done" and not sent and not mine.in_doubt:
            end = "ignored"
        if end == "done":
            ticket = TicketId(str(mine.lane // 2))
            facts |= {"receipt": receipt(f"x{mine.id}", ticket), "ticket": ticket}
        settle(self.store, mine, end, at=self.at, **facts)

    def carry(self, n: int, m: int) -> None:
        """One is claimed, sent and settled in one go, as most are."""
        self.hand = [*claim(self.store, 1, account=("desk", "feed")[n % 3 == 2], owner="w0", at=self.at), *self.hand]
        self.intend(0, n)
        self.settle(0, m)

    def wait(self, n: int, m: int) -> None:
        """Every lease runs out, and whoever had one does not know it."""
        self.at += LEASE + 1

    def die(self, n: int, m: int) -> None:
        """Whoever had something in hand is no more."""
        self.at += LEASE + 1
        self.hand.clear()
        self.intended.clear()

    def tend(self, n: int, m: int) -> None:
        """A person picks a delivery, whatever its state."""
        numbers = rows(self.store, "id")
        if numbers:
            tend(self.store, ("retry", "release", "drop")[m % 3], numbers[n % len(numbers)], self.at)

    def finish(self) -> None:
        """Everybody works on until nothing is left to do."""
        self.die(0, 0)
        for number in rows(self.store, "id", state="unsure"):
            assert tend(self.store, "drop", number, self.at) == ""
        while found := [c for name in ("desk", "feed") for c in claim(self.store, 50, account=name, at=self.at)]:
            for mine in found:
                settle(self.store, mine, at=self.at)
            self.at += 1


ACTS = "accept accept accept comment claim intend settle settle carry carry carry wait die tend tend".split()


GIVEN = st.lists(st.tuples(st.sampled_from(ACTS), st.integers(0, 99), st.integers(0, 99)), min_size=30, max_size=50)
CALM = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]


@pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)
@settings(max_examples=20, deadline=None, suppress_health_check=CALM)
@given(acts=GIVEN)
def test_the_ledger_is_even_and_the_lanes_are_sound_whatever_happens(
    store: Store, acts: list[tuple[str, int, int]]
) -> None:
    _played(store, acts)


@pytest.mark.parametrize("store_url", ["postgresql"], indirect=True)
@settings(max_examples=4, deadline=None, suppress_health_check=CALM)
@given(acts=GIVEN)
def test_whatever_happens_it_is_the_same_on_postgresql(store: Store, acts: list[tuple[str, int, int]]) -> None:
    _played(store, acts)


def _played(store: Store, acts: list[tuple[str, int, int]]) -> None:
    play = Play(store)
    ended: set[int] = set()
    for act in acts:
        play.act(*act)
        sound(store)
        assert ledger(store).received == play.arrived
        now_done = set(rows(store, "id", state="done"))
        assert ended <= now_done, "what is done stays done"
        ended = now_done
    play.finish()
    sound(store)
    assert set(states(store)) <= {"done", "failed", "held", "ignored"}, "nothing waits for ever"


# --- the ledger ---


def test_every_ending_has_its_place_in_the_ledger(store: Store, mention: Make) -> None:
    linked(store, mention(thread_id="t0"))
    arrive(store, mention(thread_id="t0"))
    done(store, one(store))
    arrive(store, *(mention(thread_id=f"t{n}") for n in range(1, 9)), mention(thread_id="t1"))
    for got, end in zip(claim(store, 5), ("failed", "held", "ignored", "unsure", None), strict=True):
        settle(store, got, end, reason="advert" if end == "ignored" else "", wait=60)
    intend(store, claim(store, 1)[0])
    arrive(store, mention("mine"), ignored="our own post")
    arrive(store, mention("mine"))
    found = ledger(store)
    assert found == Balance(
        received=13,
        duplicates=1,
        ticketed=1,
        appended=1,
        pending=5,
        held=1,
        failed=1,
        unsure=1,
        ignored={"advert": 1, "our own post": 1},
    )
    assert found.accounted == 13
    assert str(found) == (
        "13 received = 1 ticketed + 1 appended + 1 duplicates + 2 ignored (advert 1, our own post 1)"
        " + 5 pending + 1 held + 1 failed + 1 unsure"
    )
    sound(store)


def test_a_ledger_that_does_not_balance_says_so() -> None:
    assert "3 received ≠ NOT 2 ticketed" in str(Balance(received=3, ticketed=2))


def test_the_ledger_of_one_source_or_since_a_time(store: Store, mention: Make) -> None:
    arrive(store, mention("a"), mention("b", source="other"))
    arrive(store, mention("a"), at=NOON + 5)
    arrive(store, mention("c"), mention("d"), at=NOON + 10)
    assert (ledger(store).received, ledger(store, "feed").received, ledger(store, "other").received) == (5, 4, 1)
    assert ledger(store, "feed").duplicates == 1
    late = ledger(store, since=NOON + 10)
    assert (late.received, late.pending, late.duplicates, late.even) == (2, 2, 0, True)
    assert ledger(store, "other", since=NOON + 10) == Balance()
    assert ledger(store, "nobody").even


def test_replies_and_the_backlog_are_counted_by_state(store: Store, mention: Make) -> None:
    linked(store, mention())
    answer(store, reply(1), reply(2), reply(3), at=NOON + 3)
    settle(store, one(store, account="feed", at=NOON + 3), "held", at=NOON + 3)
    arrive(store, mention(thread_id="t2"), at=NOON + 9)
    with store.read() as tx:
        assert journal.replies_by_state(tx) == {"held": 1, "ready": 1, "blocked": 1}
        assert journal.backlog(tx) == {
            ("reply", "held"): 1,
            ("reply", "ready"): 1,
            ("reply", "blocked"): 1,
            ("mention", "ready"): 1,
        }
        assert journal.oldest_waiting(tx) == NOON + 3


def test_where_nothing_waits_nothing_is_oldest(store: Store, mention: Make) -> None:
    linked(store, mention())
    with store.read() as tx:
        assert journal.oldest_waiting(tx) is None
        assert journal.backlog(tx) == {}


# --- what a person may do ---


def _in_state(store: Store, mention: Make, state: str) -> int:
    """A delivery in that state, alone in its lane but for `blocked`; its number."""
    arrive(store, mention())
    if state == "blocked":
        arrive(store, mention())
        return 2
    if state != "ready":
        got = one(store)
        if state == "intent":
            settle(store, got, None, in_doubt=True)
        else:
            settle(store, got, state, reason="so it is")
    return 1


TENDED = {
    "retry": {"failed": "ready", "unsure": "ready", "held": "ready", "ready": "ready", "blocked": "blocked"},
    "release": {"held": "ready"},
    "drop": dict.fromkeys(("failed", "unsure", "held", "ready", "blocked"), "ignored"),
}
SENTENCES = {
    ("retry", "done"): "delivery 1 is done; this is for failed, unsure, held",
    ("retry", "ignored"): "delivery 1 is ignored; this is for failed, unsure, held",
    ("retry", "intent"): "delivery 1 is intent; this is for failed, unsure, held",
    ("release", "failed"): "delivery 1 is failed; this is for held",
    ("release", "ready"): "delivery 1 is ready; this is for held",
    ("release", "blocked"): "delivery 2 is blocked; this is for held",
    ("release", "unsure"): "delivery 1 is unsure; this is for held",
    ("release", "done"): "delivery 1 is done; this is for held",
    ("release", "ignored"): "delivery 1 is ignored; this is for held",
    ("release", "intent"): "delivery 1 is intent; this is for held",
    ("drop", "done"): "delivery 1 is done already",
    ("drop", "ignored"): "delivery 1 is ignored already",
    ("drop", "intent"): "delivery 1 may have happened already; it is being looked up, wait for that",
}


@pytest.mark.parametrize("state", ["ready", "blocked", "intent", "done", "failed", "held", "ignored", "unsure"])
@pytest.mark.parametrize("verb", TENDED)
def test_each_verb_does_what_it_says_or_says_why_not(store: Store, mention: Make, verb: str, state: str) -> None:
    number = _in_state(store, mention, state)
    assert tend(store, verb, number) == SENTENCES.get((verb, state), "")
    assert rows(store, "state", id=number) == [TENDED[verb].get(state, state)]
    assert ((verb, state) in SENTENCES) == (state not in TENDED[verb])
    sound(store)


@pytest.mark.parametrize("verb", TENDED)
def test_what_is_not_there_cannot_be_tended(store: Store, verb: str) -> None:
    assert tend(store, verb, 17) == "there is no delivery 17"


def test_a_retry_begins_with_no_attempts_and_at_once(store: Store, mention: Make) -> None:
    arrive(store, mention())
    settle(store, one(store), None, wait=900)
    assert claim(store, at=NOON + 1) == []
    assert tend(store, "retry", 1, NOON + 2) == ""
    settle(store, one(store, at=NOON + 2), "failed", reason="no")
    tend(store, "retry", 1, NOON + 3)
    got = one(store, at=NOON + 3)
    assert (got.attempts, got.in_doubt, got.released) == (0, False, False)


def test_a_retry_goes_on_after_the_parts_that_were_done(store: Store, mention: Make) -> None:
    linked(store, mention())
    answer(store, reply(1))
    got = one(store, account="feed")
    intend(store, got, 0, op="reply", plan="the pieces")
    intend(store, got, 1, op="reply", receipt=receipt("r1", None))
    settle(store, got, "failed", part=1)
    tend(store, "retry", 2)
    again = one(store, account="feed")
    assert [(part.n, part.receipt and part.receipt.id) for part in again.parts] == [(0, "r1")]
    assert again.body == "the pieces"


def test_an_unsure_one_that_is_sent_again_is_not_looked_for(store: Store, mention: Make) -> None:
    arrive(store, mention())
    got = one(store)
    intend(store, got)
    settle(store, got, "unsure")
    tend(store, "retry", 1)
    again = one(store)
    assert (again.in_doubt, again.parts) == (False, ())


def test_a_revived_one_takes_its_turn_in_its_lane(store: Store, mention: Make) -> None:
    arrive(store, mention(), mention(), mention())
    settle(store, one(store), "failed")
    tend(store, "retry", 1)
    assert states(store) == ["blocked", "ready", "blocked"]
    settle(store, one(store))
    assert one(store).id == 1
    sound(store)


def test_a_released_one_knows_that_it_was_until_it_ends(store: Store, mention: Make) -> None:
    arrive(store, mention(), held="too many at once")
    assert tend(store, "release", 1) == ""
    got = one(store)
    assert got.released
    settle(store, got, None, reason="no answer")
    assert one(store).released
    sound(store)


def test_a_dropped_one_counts_as_ignored_and_frees_its_lane(store: Store, mention: Make) -> None:
    arrive(store, mention(), mention())
    settle(store, one(store), "unsure")
    assert tend(store, "drop", 1) == ""
    assert states(store) == ["ignored", "ready"]
    assert ledger(store).ignored == {"dropped: by hand": 1}
    assert rows(store, "ended_at")[0] == NOON
    sound(store)


def test_dropping_one_that_waits_lets_nobody_past_the_head(store: Store, mention: Make) -> None:
    arrive(store, mention(), mention(), mention())
    assert tend(store, "drop", 2) == ""
    assert states(store) == ["ready", "ignored", "blocked"]
    sound(store)


def test_what_is_under_way_cannot_be_dropped(store: Store, mention: Make) -> None:
    arrive(store, mention())
    one(store)
    assert "under way this moment" in tend(store, "drop", 1, NOON + LEASE - 1)
    assert tend(store, "drop", 1, LATER) == ""


def test_what_rides_along_cannot_be_dropped_while_that_may_have_happened(store: Store, mention: Make) -> None:
    linked(store, mention())
    arrive(store, mention(), mention())
    got = one(store)
    intend(store, got, op="comment", joined=(3,))
    assert tend(store, "drop", 3) == "delivery 3 rides along with delivery 2, which may have happened already"
    settle(store, got, "unsure", joined=(3,))
    assert "rides along" in tend(store, "drop", 3)
    assert tend(store, "drop", 2) == ""
    assert states(store) == ["done", "ignored", "ready"]
    assert tend(store, "drop", 3) == ""
    sound(store)


# --- lists ---


def _listed(store: Store, **facts: Any) -> list[int]:
    with store.read() as tx:
        return [row.id for row in journal.list_deliveries(tx, **facts)]


def test_deliveries_are_listed_the_newest_first_and_as_asked_for(store: Store, mention: Make) -> None:
    linked(store, mention())
    arrive(store, mention(source="other"), mention())
    answer(store, reply(1))
    settle(store, claim(store, 1)[0], "failed")
    assert _listed(store) == [4, 3, 2, 1]
    assert _listed(store, limit=2) == [4, 3]
    assert _listed(store, states=["failed", "done"]) == [2, 1]
    assert _listed(store, kinds=["reply"]) == [4]
    assert _listed(store, source="other") == [2]
    assert _listed(store, states=["ready"], kinds=["mention"], source="feed") == [3]
    assert _listed(store, states=["held"]) == []


def test_a_row_tells_what_it_is_about_and_why_it_stands_there(store: Store, mention: Make) -> None:
    linked(store, mention("https://x.example/1", text="what was said"))
    answer(store, reply(1))
    settle(store, one(store, account="feed"), None, in_doubt=True, reason="no answer", wait=30)
    with store.read() as tx:
        answered, said = journal.list_deliveries(tx)
    assert (said.kind, said.state, said.ticket, said.reference) == (
        "mention",
        "done",
        "7",
        "feed:https://x.example/1",
    )
    assert "what was said" in said.body
    assert (said.created_at, said.ended_at, said.in_doubt) == (NOON, NOON, False)
    assert (answered.kind, answered.state, answered.in_doubt, answered.reference) == (
        "reply",
        "intent",
        True,
        "comment c1",
    )
    assert (answered.account, answered.reason, answered.attempts, answered.due_at) == (
        "feed",
        "no answer",
        1,
        NOON + 30,
    )
    assert "answer 1" in answered.body


def _shown(store: Store, reference: str) -> int | None:
    with store.read() as tx:
        row = journal.show_delivery(tx, reference)
    return None if row is None else row.id


def test_one_delivery_is_found_by_whatever_a_person_has_at_hand(store: Store, mention: Make) -> None:
    arrive(store, mention("a:b"), mention("900"), mention("2", thread_id="t2"))
    got = claim(store, 1)[0]
    done(store, got, ticket="7")
    for reference, number in {
        "1": 1,
        "a:b": 1,
        "feed:a:b": 1,
        "ticket:7": 1,
        "900": 2,
        "feed:900": 2,
        "2": 2,
        "feed:2": 3,
    }.items():
        assert _shown(store, reference) == number, reference


@pytest.mark.parametrize(
    "reference", ["", "17", "nobody", "other:a", "ticket:8", "ticket:", "²", "9" * 19, "9" * 5_000]
)
def test_what_nobody_knows_is_not_found(store: Store, mention: Make, reference: str) -> None:
    arrive(store, mention("a"))
    assert _shown(store, reference) is None


def test_one_delivery_is_shown_with_every_receipt(store: Store, mention: Make) -> None:
    arrive(store, mention())
    got = one(store)
    intend(store, got, 0)
    intend(store, got, 1, op="comment", receipt=receipt("first"))
    settle(store, got, receipt=receipt("second"), part=1, ticket=TicketId("7"))
    with store.read() as tx:
        row = journal.show_delivery(tx, "1")
    assert row is not None
    assert [name in text for name, text in zip(("first", "second"), row.receipts, strict=True)] == [True, True]


# --- how things stand ---


def test_every_account_that_has_anything_to_do_with_us_is_shown(store: Store, mention: Make) -> None:
    with turn(store) as tx:
        declare_account(tx, "idle", None)
        pull = lease_pull(tx, "puller", "w", 30)
        assert pull is not None
        move_cursor(tx, "puller", pull, Cursor("1"))
    arrive(store, mention("a"), mention("b"), mention("a"))
    settle(store, claim(store, 1)[0], "failed")
    with store.read() as tx:
        found = {account.name: account for account in journal.standing(tx)}
    assert list(found) == ["desk", "feed", "idle", "puller"]
    feed = found["feed"]
    assert (feed.received, feed.duplicates, feed.last_at, feed.waiting) == (3, 1, NOON, 0)
    assert found["desk"].waiting == 1
    assert (found["puller"].pulled_at, found["puller"].trouble) == (NOON, "")
    assert (found["idle"].received, found["idle"].last_at, found["idle"].stopped) == (0, None, "")


def test_links_come_in_steps(store: Store, mention: Make) -> None:
    for number in range(1, 5):
        linked(store, mention(thread_id=f"t{number}"), ticket=str(number * 10))
    arrive(store, mention(thread_id="unlinked"))
    with store.read() as tx:
        first = journal.links(tx, 0, 3)
        assert [(number, ticket) for number, _, ticket, _ in first] == [(1, "10"), (2, "20"), (3, "30")]
        assert journal.links(tx, first[-1][0], 3) == [(4, "desk", "40", "")]
        assert journal.links(tx, 4, 3) == []


def test_a_cursor_and_a_fact_are_remembered_as_they_were_given(store: Store) -> None:
    with turn(store) as tx:
        assert journal.cursor_of(tx, "feed") is None
        pull = lease_pull(tx, "feed", "w", 30)
        assert pull is not None
        assert journal.cursor_of(tx, "feed") is None
        move_cursor(tx, "feed", pull, Cursor('{"at": "2026"} é'))
        assert journal.cursor_of(tx, "feed") == '{"at": "2026"} é'
        assert journal.recall(tx, "policy") is None
