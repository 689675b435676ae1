"""The one writer: groups commits, keeps what only it knows while the database is away, and is fair among accounts."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path

import pytest
import sqlalchemy as sa
from daemon_builders import (
    ShakyStore,
    arrival,
    arrivals,
    dispatcher,
    done,
    intent,
    shaky,
    states,
    take,
    wait_for,
)

from connector.daemon import dispatcher as module
from connector.daemon.dispatcher import Dispatcher
from connector.errors import ConnectorError, Temporary
from connector.model import Receipt
from connector.store import Store, Tx, journal
from connector.store.queue import LeaseLost, Outcome


@pytest.fixture
def shaky_store(store_url: str) -> Iterator[ShakyStore]:
    """A store on each database, with the accounts `desk`, `other` and `feed`."""
    opened = shaky(store_url, "desk", "other", "feed")
    yield opened
    opened.close()


@pytest.fixture
def running() -> Iterator[Callable[[Dispatcher], Dispatcher]]:
    """Starts dispatchers and stops them afterwards."""
    started: list[Dispatcher] = []

    def run(pool: Dispatcher) -> Dispatcher:
        pool.start()
        started.append(pool)
        return pool

    yield run
    for pool in started:
        pool.stop(within=0)


Running = Callable[[Dispatcher], Dispatcher]


# --- durable together ---


def test_many_arrivals_become_durable_in_one_transaction(shaky_store: ShakyStore, running: Running) -> None:
    pool = dispatcher(shaky_store)
    pool.stop_claiming()
    futures = [pool.accept([arrival(f"m{n}")]) for n in range(300)]
    running(pool)
    assert [future.result(20) for future in futures] == [[True]] * 300
    assert shaky_store.commits == 1
    assert states(shaky_store) == ["ready"] * 300


def test_each_caller_learns_what_was_new_of_its_own(shaky_store: ShakyStore, running: Running) -> None:
    pool = dispatcher(shaky_store)
    pool.stop_claiming()
    first, second = pool.accept(arrivals(2)), pool.accept([*arrivals(3), arrival("m0")])
    running(pool)
    assert (first.result(20), second.result(20)) == ([True, True], [False, False, True, False])


def test_a_future_is_done_only_when_it_is_durable(shaky_store: ShakyStore, running: Running) -> None:
    pool = running(dispatcher(shaky_store))
    seen: list[int] = []
    future = pool.accept([arrival()])

    def look(_: Future[list[bool]]) -> None:
        with shaky_store.read() as tx:
            seen.append(journal.balance(tx).received)

    future.add_done_callback(look)
    future.result(20)
    wait_for(lambda: seen)
    assert seen == [1]


def test_too_much_waiting_is_refused_with_a_time_to_come_again(
    shaky_store: ShakyStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_MOST_WAITING", 2)
    pool = dispatcher(shaky_store)  # not started: nothing is written
    futures = [pool.accept([arrival(f"m{n}")]) for n in range(5)]
    refused = [future for future in futures if future.done()]
    assert futures[3:] == refused
    error = refused[0].exception()
    assert isinstance(error, Temporary)
    assert error.wait


# --- claims, intents, outcomes ---


def test_a_claim_becomes_an_intent_and_then_is_done(shaky_store: ShakyStore, running: Running) -> None:
    pool = running(dispatcher(shaky_store))
    pool.accept([arrival()]).result(20)
    (claim,) = take(pool, 1)
    pool.intend(intent(claim))
    assert states(shaky_store) == ["intent"]
    assert pool.in_hand == 1
    pool.settle(done(claim))
    wait_for(lambda: pool.in_hand == 0)
    assert states(shaky_store) == ["done"]
    assert pool.settled["mention", "done"] == 1


def test_the_next_of_a_lane_is_claimed_by_the_turn_that_ends_the_one_before(
    shaky_store: ShakyStore, running: Running
) -> None:
    pool = running(dispatcher(shaky_store))
    pool.accept(arrivals(3, thread="t")).result(20)
    order = []
    for _ in range(3):
        (claim,) = take(pool, 1)
        assert claim.mention is not None
        order.append(claim.mention.external_id)
        pool.settle(done(claim))
    assert order == ["m0", "m1", "m2"]


def test_a_lost_lease_is_told_and_nothing_is_stored(shaky_store: ShakyStore, running: Running) -> None:
    pool = running(dispatcher(shaky_store))
    pool.accept([arrival()]).result(20)
    (claim,) = take(pool, 1)
    stale = replace(claim, fence=claim.fence - 1)
    with pytest.raises(LeaseLost):
        pool.intend(intent(stale))
    pool.settle(done(stale))
    wait_for(lambda: pool.in_hand == 0)
    assert states(shaky_store) == ["ready"]


def test_work_may_refuse_itself_without_harm_to_what_shares_its_transaction(
    shaky_store: ShakyStore, running: Running
) -> None:
    pool = dispatcher(shaky_store)
    pool.stop_claiming()

    def refuse(tx: Tx) -> None:
        journal.remember(tx, "half", "done")
        raise LeaseLost(service="store")

    before, refused = pool.accept([arrival("a")]), pool.run(refuse)
    after = pool.run(lambda tx: journal.remember(tx, "whole", "done"))
    running(pool)
    assert before.result(20) == [True]
    after.result(20)
    with pytest.raises(LeaseLost):
        refused.result(20)
    with shaky_store.read() as tx:
        assert (journal.recall(tx, "half"), journal.recall(tx, "whole")) == (None, "done")
    assert shaky_store.commits == 1


def test_one_bad_job_does_not_spoil_the_others(shaky_store: ShakyStore, running: Running) -> None:
    pool = dispatcher(shaky_store)
    pool.stop_claiming()

    def bug(tx: Tx) -> None:
        journal.remember(tx, "half", "done")
        raise KeyError("nobody foresaw this")

    before, broken = pool.accept([arrival("a")]), pool.run(bug)
    after = pool.accept([arrival("b")])
    running(pool)
    assert (before.result(20), after.result(20)) == ([True], [True])
    with pytest.raises(ConnectorError, match="cannot be stored: KeyError"):
        broken.result(20)
    with shaky_store.read() as tx:
        assert journal.recall(tx, "half") is None
    assert not pool.trouble


def test_an_outcome_that_cannot_be_written_frees_its_hand(shaky_store: ShakyStore, running: Running) -> None:
    pool = running(dispatcher(shaky_store))
    pool.accept(arrivals(2)).result(20)
    bad, good = take(pool, 2)
    pool.settle(Outcome(bad, "done", receipt=Receipt("\ud83d")))  # half an emoji, which no database can hold
    pool.settle(done(good))
    wait_for(lambda: pool.in_hand == 0)
    assert sorted(states(shaky_store)) == ["done", "ready"]


# --- the database goes away ---


def test_while_the_database_is_away_arrivals_and_intents_are_refused_and_outcomes_kept(
    shaky_store: ShakyStore, running: Running
) -> None:
    pool = running(dispatcher(shaky_store))
    pool.accept(arrivals(2)).result(20)
    first, second = take(pool, 2)
    pool.intend(intent(first))
    shaky_store.away = True
    pool.settle(done(first))
    with pytest.raises(Temporary):
        pool.accept([arrival("late")]).result(20)
    with pytest.raises(Temporary):
        pool.intend(intent(second))
    with pytest.raises(Temporary):
        pool.run(lambda tx: None).result(20)
    assert "away" in pool.trouble
    assert states(shaky_store) == ["intent", "ready"]
    shaky_store.away = False
    wait_for(lambda: "done" in states(shaky_store), "the outcome to be written")
    assert states(shaky_store) == ["done", "ready"]
    wait_for(lambda: not pool.trouble, "the dispatcher to know that the database is back")
    assert pool.accept([arrival("late")]).result(20) == [True]


def test_a_turn_in_which_two_replicas_waited_for_each_other_is_taken_again(
    shaky_store: ShakyStore, running: Running
) -> None:
    pool = running(dispatcher(shaky_store))
    tries: list[int] = []

    def work(until: int) -> str:
        tries.append(1)
        if len(tries) < until:
            raise sa.exc.OperationalError("UPDATE", {}, _Deadlock("deadlock detected"))
        return "done"

    assert pool.run(lambda _: work(3)).result(timeout=20) == "done"
    assert pool.trouble == ""
    tries.clear()
    with pytest.raises(Temporary, match="waited for each other"):
        pool.run(lambda _: work(9)).result(timeout=20)
    assert len(tries) == 3


class _Deadlock(Exception):
    sqlstate = "40P01"


def test_a_locked_sqlite_file_is_a_database_that_is_away(tmp_path: Path, running: Running) -> None:
    url = f"sqlite:///{tmp_path / 'locked.db'}"
    store, other = shaky(url, "desk"), Store(url)
    store.engine.dispose()
    # the shipped patience with a lock is 30 s
    sa.event.listen(store.engine, "connect", lambda raw, _: raw.execute("PRAGMA busy_timeout=20"))
    pool = running(dispatcher(store))
    with other.begin(), pytest.raises(Temporary, match="locked"):
        pool.accept([arrival()]).result(20)
    assert pool.accept([arrival()]).result(20) == [True]
    other.close()


# --- fairness ---


def test_a_flood_for_one_account_leaves_room_for_the_other(shaky_store: ShakyStore, running: Running) -> None:
    pool = running(dispatcher(shaky_store, "desk", "other", workers=8))
    pool.accept(arrivals(200)).result(20)
    wait_for(lambda: pool.in_hand == 14, "seven eighths of the room to be filled")
    pool.accept(arrivals(3, "o", helpdesk="other")).result(20)
    accounts = {claim.account for claim in take(pool, 16)}
    assert accounts == {"desk", "other"}
    assert pool.in_hand == 16


def test_both_of_two_busy_accounts_get_half(shaky_store: ShakyStore, running: Running) -> None:
    pool = dispatcher(shaky_store, "desk", "other", workers=8)
    waiting = pool.accept([*arrivals(100), *arrivals(100, "o", helpdesk="other")])
    running(pool)
    waiting.result(20)
    claims = take(pool, 16)
    assert {name: sum(c.account == name for c in claims) for name in ("desk", "other")} == {"desk": 8, "other": 8}


# --- the end ---


def test_stopping_waits_for_what_is_in_hand_and_claims_no_more(shaky_store: ShakyStore, running: Running) -> None:
    pool = running(dispatcher(shaky_store, workers=1))
    pool.accept(arrivals(5)).result(20)
    claims = take(pool, 2)
    ended: list[bool] = []
    stopper = threading.Thread(target=lambda: ended.append(pool.stop(within=20)))
    stopper.start()
    for claim in claims:
        pool.settle(done(claim))
    stopper.join(20)
    assert ended == [True]
    assert sorted(states(shaky_store)) == ["done", "done", "ready", "ready", "ready"]


def test_stopping_gives_up_on_what_never_ends(shaky_store: ShakyStore, running: Running) -> None:
    pool = running(dispatcher(shaky_store))
    pool.accept([arrival()]).result(20)
    take(pool, 1)
    assert pool.stop(within=0.05) is False
