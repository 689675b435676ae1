"""Zendesk's rate limits, kept in the account's budget so that a known limit costs no call.

Three kinds hold at once: so many requests a minute for the account (by plan, shared with every other app), so many
for one kind of call (all `/incremental/*`: 10 a minute), and 30 updates in 10 minutes on one ticket for one user. The
one rule: each pauses only what it is about, so that one busy ticket never stops the others.

Facts: developer.zendesk.com/api-reference/introduction/rate-limits; both spellings of the headers and the names of
the per-endpoint ones from recordings of 2023 and 2024. The export's own limit stands in no header, so it is counted
here.
"""

from __future__ import annotations

import re
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping

from connector.errors import Scope
from connector.http import Answer, Budget, retry_after

ACCOUNT = ""
UPDATES = "tickets-update"
INCREMENTAL = "incremental"
USERS = "users"

_NAMED = re.compile(r"zendesk-rate-?limit-(.+)", re.IGNORECASE)
_FACT = re.compile(r"(\w+)\s*=\s*(\d+)")
_PER_TICKET = "per-ticket-updates"
_LONGEST = 3600.0


def of_ticket(ticket: str) -> str:
    """The budget's name for one ticket."""
    return f"ticket:{ticket}"


def learn(budget: Budget, answer: Answer, ticket: str = "") -> None:
    """Pause whatever this answer says is used up, until the reset it names."""
    headers = answer.headers
    remaining, reset = _account(headers)
    if remaining == 0 and reset:
        budget.pause(ACCOUNT, min(reset, _LONGEST), "account")
    for name, facts in _named(headers):
        if facts.get("remaining") == 0 and facts.get("resets"):
            paused, scope = _meant(name, ticket)
            budget.pause(paused, min(float(facts["resets"]), _LONGEST), scope)


def plan_limit(headers: Mapping[str, str]) -> int | None:
    """Requests a minute that the account's plan allows, where the answer tells."""
    for name in ("ratelimit-limit", "rate-limit", "x-rate-limit"):
        if (value := _number(headers.get(name))) is not None:
            return value
    return None


def of_refusal(answer: Answer, kind: str = ACCOUNT, ticket: str = "") -> tuple[str, Scope]:
    """What a 429 speaks of. `kind` is the budget the call belongs to, `ticket` the one it would have changed.

    A header that names its own limit decides. Else, with requests left for the account, it is this kind of call; and
    a wait of more than a minute on an update can only be the ticket's ten minutes.
    """
    for name, facts in _named(answer.headers):
        if facts.get("remaining") == 0:
            return _meant(name, ticket)
    if kind == INCREMENTAL:
        return INCREMENTAL, "endpoint"
    remaining, _ = _account(answer.headers)
    if ticket and (retry_after(answer) or 0.0) > 60.0:
        return of_ticket(ticket), "lane"
    if kind and remaining:
        return kind, "endpoint"
    return ACCOUNT, "account"


class Window:
    """Our own count of calls in the last minute, for a limit that no header shows. Thread-safe."""

    def __init__(self, most: int, seconds: float = 60.0, clock: Callable[[], float] = time.monotonic) -> None:
        self._most = most
        self._seconds = seconds
        self._clock = clock
        self._calls: deque[float] = deque()
        self._lock = threading.Lock()

    def enter(self) -> float:
        """Count one call and give 0, or give the seconds to wait without counting it."""
        with self._lock:
            now = self._clock()
            while self._calls and self._calls[0] <= now - self._seconds:
                self._calls.popleft()
            if len(self._calls) >= self._most:
                return self._calls[0] + self._seconds - now
            self._calls.append(now)
            return 0.0


def _meant(name: str, ticket: str) -> tuple[str, Scope]:
    if name == _PER_TICKET and ticket:
        return of_ticket(ticket), "lane"
    return name, "endpoint"


def _account(headers: Mapping[str, str]) -> tuple[int | None, float | None]:
    remaining = reset = None
    for spelling in ("ratelimit", "rate-limit", "x-rate-limit"):
        if remaining is None:
            remaining = _number(headers.get(f"{spelling}-remaining"))
        if reset is None:
            reset = _number(headers.get(f"{spelling}-reset"))
    return remaining, None if reset is None else float(reset)


def _named(headers: Mapping[str, str]) -> list[tuple[str, dict[str, int]]]:
    found = []
    for header, value in headers.items():
        if (match := _NAMED.fullmatch(header)) is not None:
            facts = {word: int(number) for word, number in _FACT.findall(value)}
            found.append((match.group(1).lower(), facts))
    return found


def _number(value: str | None) -> int | None:
    try:
        return None if value is None else int(value)
    except ValueError:
        return None
