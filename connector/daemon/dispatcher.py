"""The one writer: everything that has to become durable goes through this thread and commits in groups.

Each turn is one transaction: what arrived is accepted, requests about to be sent are stored as intents, finished
calls are settled, lanes promoted, and the next deliveries claimed. Whoever waits for durability (a hook, a worker
about to send) gets its future done after that commit. A database that is away loses nothing: arrivals are refused
(the caller comes again), intents are refused (nothing is sent), and outcomes are kept until they can be written.
"""

from __future__ import annotations

import queue
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar

from connector import log
from connector.daemon.fair import FairQueue
from connector.errors import ConnectorError, Temporary
from connector.store import Outcome, Store, Tx
from connector.store import queue as deliveries
from connector.store.arrivals import Arrival
from connector.store.privates import accept
from connector.store.queue import Intent, LeaseLost
from connector.store.store import Collided

T = TypeVar("T")

_IDLE = 0.5
_FLOOD = 4
_ASIDE = 0.5
_MOST_JOBS = 400
_AGAIN = 2
_BUSY = 4
_TOGETHER = 0.012
_MOST_WAITING = 20_000


@dataclass(slots=True)
class _Accept:
    arrivals: Sequence[Arrival]
    future: Future[list[bool]] = field(default_factory=Future)


@dataclass(slots=True)
class _Run:
    """Any other piece of work in the shared transaction."""

    work: Callable[[Tx], Any]
    future: Future[Any] = field(default_factory=Future)


@dataclass(slots=True)
class _Intend:
    intent: Intent
    future: Future[None] = field(default_factory=Future)


@dataclass(slots=True)
class _Settle:
    outcome: Outcome


_Job = _Accept | _Run | _Intend | _Settle


def written(future: Future[T], within: float) -> T:
    """What a turn of the writer gave; Temporary when it did not come about within so many seconds."""
    try:
        return future.result(timeout=within)
    except TimeoutError:
        raise Temporary("the database does not answer", service="store") from None


class Dispatcher:
    """The writer thread and the queue of claims it feeds. `accounts` are asked for at every turn."""

    def __init__(
        self,
        store: Store,
        owner: str,
        *,
        workers: int,
        lease: float,
        accounts: Callable[[], Sequence[str]],
    ) -> None:
        self.store = store
        self.owner = owner
        self.lease = lease
        self.accounts = accounts
        self.claims = FairQueue(workers)
        self.beat = time.monotonic()
        self.settled: Counter[tuple[str, str]] = Counter()
        self.hits: Counter[str] = Counter()
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._room = workers * 2
        self._in_hand: Counter[str] = Counter()
        self._hot: set[str] = set()
        self._kept: list[_Settle] = []
        self._claiming = True
        self._running = True
        self._trouble = ""
        self._next_look = 0.0
        self._claimed_at = 0.0
        self._thread = threading.Thread(target=self._loop, name="dispatcher", daemon=True)
        self._log = log.get(thread="dispatcher")

    # --- asked by other threads ---

    def start(self) -> None:
        """Begin to write and to claim."""
        self._thread.start()

    def accept(self, arrivals: Sequence[Arrival]) -> Future[list[bool]]:
        """Store these; done when durable, with for each whether it was new."""
        job = _Accept(arrivals)
        if self._jobs.qsize() > _MOST_WAITING:
            job.future.set_exception(Temporary("too much is waiting to be stored; come again", wait=5))
        else:
            self._jobs.put(job)
        return job.future

    def run(self, work: Callable[[Tx], T]) -> Future[T]:
        """Do this in the next transaction; done when durable."""
        job = _Run(work)
        self._jobs.put(job)
        return job.future

    def intend(self, intent: Intent) -> None:
        """Give back when the intent is durable. LeaseLost, Temporary: it is not, send nothing."""
        job = _Intend(intent)
        self._jobs.put(job)
        written(job.future, self.lease)

    def settle(self, outcome: Outcome) -> None:
        """Write this ending as soon as the database takes it."""
        self._jobs.put(_Settle(outcome))

    @property
    def trouble(self) -> str:
        """What is wrong with the database now."""
        return self._trouble

    @property
    def in_hand(self) -> int:
        """Deliveries claimed and not settled."""
        return sum(self._in_hand.values())

    def stop_claiming(self) -> None:
        """From now on only finish what is in hand."""
        self._claiming = False

    def stop(self, within: float) -> bool:
        """End when everything in hand is settled, or after so many seconds; whether all of it was."""
        deadline = time.monotonic() + within
        self.stop_claiming()
        while (self.in_hand or self._jobs.qsize()) and time.monotonic() < deadline and self._thread.is_alive():
            time.sleep(0.01)
        self._running = False
        self._jobs.put(None)
        self._thread.join(timeout=10)
        return not self.in_hand

    # --- the thread ---

    def _loop(self) -> None:
        while self._running or self._jobs.qsize():
            jobs = self._gather()
            try:
                self._take(jobs)
                self._told("")
            except Temporary as error:
                self._refuse(jobs, error)
                self._told(error.sentence)
                time.sleep(0.5)
            except Exception:  # noqa: BLE001 - the writer must outlive any single job
                self._log.exception("turn failed, its jobs go one by one")
                self._one_by_one(jobs)
            self.beat = time.monotonic()

    def _gather(self) -> list[_Job]:
        """What waits; when nothing does, wait for the next job or the next look at the database."""
        jobs: list[_Job] = list(self._kept)
        self._kept = []
        wait = max(0.0, self._next_look - time.monotonic())
        if self._wanted():
            wait = 0.0
        try:
            first = self._jobs.get(timeout=wait) if wait and not jobs else self._jobs.get_nowait()
            if first is not None:
                jobs.append(first)
            if self.in_hand >= _BUSY:
                time.sleep(_TOGETHER)  # the others have something too in a moment: one commit and one sync for all
            while len(jobs) < _MOST_JOBS:
                job = self._jobs.get_nowait()
                if job is not None:
                    jobs.append(job)
        except queue.Empty:
            pass
        return jobs

    def _take(self, jobs: Sequence[_Job]) -> None:
        """One turn; at once again when another replica's stood in its way: nobody has to come again for that."""
        for _ in range(_AGAIN):
            with suppress(Collided):
                return self._turn(jobs)
        return self._turn(jobs)

    def _turn(self, jobs: Sequence[_Job]) -> None:
        now = time.monotonic()
        if now >= self._next_look:
            self._hot.update(self.accounts())
            self._next_look = now + _IDLE
        wanted = self._wanted()
        if not jobs and not wanted:
            return
        done: list[Callable[[], None]] = []
        with self.store.begin() as tx:
            self._write(tx, jobs, done)
            # settling may have made room and work: count again before claiming
            wanted = self._wanted(freed=Counter(j.outcome.claim.account for j in jobs if isinstance(j, _Settle)))
            flooded = sum(isinstance(job, _Accept) for job in jobs) >= _FLOOD
            if flooded and now < self._claimed_at + _ASIDE:
                wanted = {}  # whoever sends a hook waits for its answer; the tickets can wait a moment
            if wanted:
                self._claimed_at = now
            claims = deliveries.claim(tx, self.owner, self.lease, wanted) if wanted else []
        for finish in done:
            finish()
        given = Counter(claim.account for claim in claims)
        for account, asked in wanted.items():
            if given[account] < asked:
                self._hot.discard(account)
        self._in_hand.update(given)
        for claim in claims:
            self.claims.put(claim)

    def _wanted(self, freed: Counter[str] | None = None) -> dict[str, int]:
        """How many to claim per account: as many as there is room for, shared among those that may have work, and
        never so many that one slow account fills the room."""
        if not self._claiming:
            return {}
        freed = freed or Counter()
        hot = [name for name in self.accounts() if name in self._hot]
        room = self._room - self.in_hand + sum(freed.values())
        if room <= 0 or not hot:
            return {}
        share = max(1, room // len(hot))
        ceiling = max(2, self._room - self._room // 8)
        asked = {name: min(share, ceiling - self._in_hand[name] + freed[name]) for name in hot}
        return {name: count for name, count in asked.items() if count > 0}

    def _write(self, tx: Tx, jobs: Sequence[_Job], done: list[Callable[[], None]]) -> None:
        """All jobs of one kind in one go: a handful of statements, however many calls brought them."""
        self._accept(tx, [job for job in jobs if isinstance(job, _Accept)], done)
        for job in jobs:
            if isinstance(job, _Run):
                self._run(tx, job, done)
        self._intend(tx, [job for job in jobs if isinstance(job, _Intend)], done)
        self._settle(tx, [job for job in jobs if isinstance(job, _Settle)], done)

    def _accept(self, tx: Tx, jobs: Sequence[_Accept], done: list[Callable[[], None]]) -> None:
        if not jobs:
            return
        everything = [arrival for job in jobs for arrival in job.arrivals]
        fresh = accept(tx, everything)
        self._hot.update({arrival.helpdesk for arrival in everything})
        start = 0
        for job in jobs:
            end = start + len(job.arrivals)
            done.append(_setter(job.future, fresh[start:end]))
            start = end

    def _run(self, tx: Tx, job: _Run, done: list[Callable[[], None]]) -> None:
        try:
            with tx.begin_nested():
                result = job.work(tx)
        except ConnectorError as error:
            done.append(_failer(job.future, error))
        else:
            self._hot.update(self.accounts())
            done.append(_setter(job.future, result))

    def _intend(self, tx: Tx, jobs: Sequence[_Intend], done: list[Callable[[], None]]) -> None:
        if not jobs:
            return
        ours = deliveries.intend_all(tx, [job.intent for job in jobs], self.lease)
        for job, is_ours in zip(jobs, ours, strict=True):
            done.append(_setter(job.future, None) if is_ours else _failer(job.future, LeaseLost(service="store")))

    def _settle(self, tx: Tx, jobs: Sequence[_Settle], done: list[Callable[[], None]]) -> None:
        if not jobs:
            return
        outcomes = [job.outcome for job in jobs]
        for outcome, is_ours in zip(outcomes, deliveries.settle_all(tx, outcomes), strict=True):
            if not is_ours:
                self._log.warning("lease lost, whoever has it looks it up", delivery=outcome.claim.id)
            done.append(partial(self._ended, outcome))
            self._hot.update((outcome.claim.account, outcome.claim.helpdesk))

    def _ended(self, outcome: Outcome) -> None:
        claim = outcome.claim
        self._in_hand[claim.account] -= 1
        self.settled[claim.kind, outcome.end or "again"] += 1
        if outcome.end is not None:
            self.hits.update(outcome.rules)

    def _refuse(self, jobs: Sequence[_Job], error: Temporary) -> None:
        """The database is away: refuse what can come again, keep what only we know."""
        for job in jobs:
            if isinstance(job, _Settle):
                self._kept.append(job)
            elif not job.future.done():
                job.future.set_exception(error)

    def _one_by_one(self, jobs: Sequence[_Job]) -> None:
        for job in jobs:
            done: list[Callable[[], None]] = []
            try:
                with self.store.begin() as tx:
                    self._write(tx, [job], done)
            except Temporary as error:
                self._refuse([job], error)
            except Exception as error:  # noqa: BLE001 - told to whoever waits, and logged
                self._log.exception("job failed")
                if isinstance(job, _Settle):
                    self._ended(job.outcome)  # its lease runs out and it is looked up
                elif not job.future.done():
                    job.future.set_exception(ConnectorError(f"cannot be stored: {type(error).__name__}"))
            for finish in done:
                finish()

    def _told(self, trouble: str) -> None:
        """Say once when the database goes away, and once when it is back."""
        if trouble and not self._trouble:
            self._log.error("database away", trouble=trouble)
        elif self._trouble and not trouble:
            self._log.info("database back")
        self._trouble = trouble


def _setter(future: Future[Any], value: Any) -> Callable[[], None]:
    return lambda: None if future.done() else future.set_result(value)


def _failer(future: Future[Any], error: Exception) -> Callable[[], None]:
    return lambda: None if future.done() else future.set_exception(error)
