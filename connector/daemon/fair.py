"""The queue between the dispatcher and the workers. One rule: no account ever has all workers.

A helpdesk that hangs answers no call before its time-out; if every worker waited for it, replies to a platform that
is well would wait too. So an account gets at most seven eighths of the workers at once, however much is claimed.
"""

from __future__ import annotations

import threading
from collections import Counter, deque

from connector.store import Claim


class FairQueue:
    """Claims by account, each account's in order. Thread-safe."""

    def __init__(self, workers: int) -> None:
        self._most = max(1, workers - max(1, workers // 8))
        self._waiting: dict[str, deque[Claim]] = {}
        self._busy: Counter[str] = Counter()
        self._closed = False
        self._changed = threading.Condition()

    def put(self, claim: Claim) -> None:
        """A worker may have it."""
        with self._changed:
            self._waiting.setdefault(claim.account, deque()).append(claim)
            self._changed.notify()

    def get(self, timeout: float | None = None) -> Claim | None:
        """The next one, of the account that has the fewest workers; None when the queue is closed and empty, or after
        `timeout` seconds. Whoever got one says `done` when it is carried."""
        with self._changed:
            while True:
                free = [name for name in self._waiting if self._closed or self._busy[name] < self._most]
                if free:
                    return self._taken(min(free, key=self._busy.__getitem__))
                if (self._closed and not self._waiting) or not self._changed.wait(timeout):
                    return None

    def done(self, claim: Claim) -> None:
        """Its worker is free again."""
        with self._changed:
            self._busy[claim.account] -= 1
            if claim.account in self._waiting:
                self._changed.notify()

    def close(self) -> None:
        """Give out what is there, then None to whoever asks."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _taken(self, name: str) -> Claim:
        claims = self._waiting[name]
        claim = claims.popleft()
        if not claims:
            del self._waiting[name]
        self._busy[name] += 1
        if self._closed and not self._waiting:
            self._changed.notify_all()
        return claim
