"""No account ever has all workers."""

from __future__ import annotations

import threading
from types import SimpleNamespace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from connector.daemon.fair import FairQueue


def _claim(account: str, number: int) -> Any:
    return SimpleNamespace(account=account, number=number)


def _filled(workers: int, *accounts: str) -> FairQueue:
    queue = FairQueue(workers)
    for number, account in enumerate(accounts):
        queue.put(_claim(account, number))
    return queue


def test_an_account_that_hangs_leaves_a_worker_for_the_others() -> None:
    queue = _filled(8, *["slow"] * 20)
    taken = [queue.get(timeout=0) for _ in range(8)]
    assert [claim is not None for claim in taken] == [True] * 7 + [False]
    queue.put(_claim("well", 99))
    found = queue.get(timeout=0)
    assert found is not None
    assert found.account == "well"


def test_a_single_worker_works_for_everybody() -> None:
    queue = _filled(1, "a", "b")
    first = queue.get(timeout=0)
    assert first is not None
    queue.done(first)
    assert queue.get(timeout=0) is not None


def test_a_finished_claim_lets_the_next_of_its_account_go_to_a_worker_that_waits() -> None:
    queue = _filled(2, "a", "a")
    first = queue.get(timeout=0)
    assert first is not None
    got: list[Any] = []
    waiter = threading.Thread(target=lambda: got.append(queue.get(timeout=20)))
    waiter.start()
    queue.done(first)
    waiter.join(20)
    assert [claim.number for claim in got] == [1]


def test_closing_gives_out_the_rest_and_then_nothing() -> None:
    queue = _filled(2, "a", "a", "a")
    got: list[Any] = []

    def work() -> None:
        while (claim := queue.get()) is not None:
            got.append(claim.number)

    workers = [threading.Thread(target=work) for _ in range(2)]
    for worker in workers:
        worker.start()
    queue.close()
    for worker in workers:
        worker.join(20)
    assert sorted(got) == [0, 1, 2]


@given(st.integers(1, 12), st.lists(st.sampled_from("abc"), max_size=60), st.data())
def test_every_claim_is_given_out_once_and_in_its_accounts_order(
    workers: int, accounts: list[str], data: st.DataObject
) -> None:
    queue = _filled(workers, *accounts)
    busy: list[Any] = []
    given: list[Any] = []
    while len(given) < len(accounts):
        claim = queue.get(timeout=0)
        if busy and (claim is None or data.draw(st.booleans())):
            queue.done(busy.pop(data.draw(st.integers(0, len(busy) - 1))))
        if claim is not None:
            given.append(claim)
            busy.append(claim)
            assert workers == 1 or sum(one.account == claim.account for one in busy) < max(2, workers)
    for account in "abc":
        numbers = [claim.number for claim in given if claim.account == account]
        assert numbers == sorted(numbers)
    assert sorted(claim.number for claim in given) == list(range(len(accounts)))
