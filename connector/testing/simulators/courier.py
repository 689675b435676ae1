"""Carries a sandbox's outgoing calls, one at a time, in its own thread; and loses, doubles or swaps them on demand.

What is called, how it is signed and how often it is tried again is the business of each sandbox: `carry`.
"""

from __future__ import annotations

import http.client
import time
from abc import abstractmethod
from collections import deque
from collections.abc import Callable, Mapping
from heapq import heapify, heappop, heappush
from threading import Condition, Thread
from typing import Any
from urllib.parse import urlsplit

from connector.testing.simulators.answers import Row
from connector.testing.simulators.dice import FaultBox


class Courier(Thread):
    """The queue of calls. `deliveries` is what happened, newest last; a call's `status` begins as `queued`."""

    def __init__(self, name: str, timeout: float) -> None:
        super().__init__(name=name, daemon=True)
        self.deliveries: deque[Row] = deque(maxlen=10_000)
        self._timeout = timeout
        self._wake = Condition()
        self._due: list[tuple[float, int, Row]] = []
        self._held: Row | None = None
        self._count = 0
        self._stopping = False

    @abstractmethod
    def carry(self, call: Row) -> float | None:
        """Make the call and note its outcome; the seconds until it is tried again, or None when it is over."""

    def queue(self, call: Row, faults: FaultBox[Any]) -> None:
        """Take a call on, as the faults allow; used under the desk's lock."""
        self.deliveries.append(call)
        if faults.happens("webhook_drop"):
            call["status"] = "dropped"
            return
        now = time.monotonic() + faults.faults.webhook_delay_s
        with self._wake:
            if self._held is None and faults.happens("webhook_reorder"):
                self._held = call
                self._push(now + 1.0, call)
                return
            self._push(now, call)
            if faults.happens("webhook_duplicate"):
                self._push(now, call)
            if self._held is not None:
                held, self._held = self._held, None
                self._due = [item for item in self._due if item[2] is not held]
                heapify(self._due)
                self._push(now, held)

    def stop(self) -> None:
        """Let the running call end, forget the others."""
        with self._wake:
            self._stopping = True
            self._wake.notify()
        if self.is_alive():
            self.join(self._timeout + 1)

    def clear(self) -> None:
        """Forget what is queued and what was carried."""
        with self._wake:
            self._due.clear()
            self._held = None
        self.deliveries.clear()

    def run(self) -> None:
        """Carry until stopped."""
        while True:
            with self._wake:
                while not self._stopping and (not self._due or self._due[0][0] > time.monotonic()):
                    self._wake.wait(self._due[0][0] - time.monotonic() if self._due else None)
                if self._stopping:
                    return
                call = heappop(self._due)[2]
                if call is self._held:
                    self._held = None
            wait = self.carry(call)
            if wait is not None:
                with self._wake:
                    self._push(time.monotonic() + wait, call)

    def _push(self, due: float, call: Row) -> None:
        self._count += 1
        heappush(self._due, (due, self._count, call))
        self._wake.notify()


def send(method: str, url: str, body: bytes, headers: Mapping[str, str], timeout: float) -> tuple[int, float]:
    """(status, Retry-After in seconds or -1) of one call."""
    where = urlsplit(url)
    kind: Callable[..., http.client.HTTPConnection] = (
        http.client.HTTPSConnection if where.scheme == "https" else http.client.HTTPConnection
    )
    connection = kind(where.hostname, where.port, timeout=timeout)
    try:
        path = (where.path or "/") + ("?" + where.query if where.query else "")
        connection.request(method, path, body, dict(headers))
        answer = connection.getresponse()
        answer.read()
        wait = answer.getheader("Retry-After", "")
        return answer.status, float(wait) if wait.isdigit() else -1.0
    finally:
        connection.close()
