"""Freshdesk's rate limits, kept in the account's budget so that a known limit costs no call.

So many requests a minute for the account, by plan, and within them fewer for creating, updating and listing (article
of March 2024; older accounts count by the hour). No number is built in: what there is comes from the headers
`x-ratelimit-total` and `x-ratelimit-remaining` (recorded) and from the Retry-After of a 429. The one rule: a limit
that can be told to belong to one kind of call pauses only calls of that kind.
"""

from __future__ import annotations

from connector.errors import Scope
from connector.http import Answer, Budget

ACCOUNT = ""
CREATES = "tickets-create"
UPDATES = "tickets-update"
TICKETS = "tickets-list"
CONTACTS = "contacts-list"
NOTES = "notes-create"

_MOMENT = 5.0


class Limits:
    """What the answers of one account tell of its limits. Thread-safe."""

    def __init__(self, budget: Budget) -> None:
        self._budget = budget
        self._totals: dict[str, int] = {}

    @property
    def plan(self) -> int | None:
        """Requests a minute (an hour on old accounts) that the account may make, where an answer told."""
        return max(self._totals.values(), default=None)

    def learn(self, answer: Answer, kind: str) -> None:
        """Remember the total for this kind of call; with none left, hold such calls back for a moment. No header says
        when the minute is over: the next call asks, and a 429 then tells exactly."""
        total, left = _number(answer, "x-ratelimit-total"), _number(answer, "x-ratelimit-remaining")
        if total:
            self._totals[kind] = total
        if left is not None and left <= 0 and answer.status < 400:
            name, scope = self._meant(kind)
            self._budget.pause(name, _MOMENT, scope)

    def of_refusal(self, answer: Answer, kind: str) -> tuple[str, Scope]:
        """What a 429 speaks of: this kind of call when the account has requests left, or when its total is smaller
        than the account's; else the account."""
        left = _number(answer, "x-ratelimit-remaining")
        if kind and left is not None and left > 0:
            return kind, "endpoint"
        return self._meant(kind)

    def _meant(self, kind: str) -> tuple[str, Scope]:
        own, plan = self._totals.get(kind), self.plan
        if kind and own is not None and plan is not None and own < plan:
            return kind, "endpoint"
        return ACCOUNT, "account"


def _number(answer: Answer, header: str) -> int | None:
    try:
        return int(answer.headers.get(header, ""))
    except ValueError:
        return None
