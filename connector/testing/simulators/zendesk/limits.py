"""How often somebody may ask: fixed windows, both spellings of the headers, 429 with Retry-After.

Numbers: vendor's page "rate-limits" (account by plan; 100 updates a minute on an account; 30 updates in
10 minutes on a ticket by one user; 10 exports a minute; users 5 a minute each and 1 a second on an account).
Header spellings: recorded answers of 2023 and 2024; exports tell nothing of their own limit (recorded).
The 429 bodies are other people's quotations; which limit is checked first is unconfirmed.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, fields

from connector.testing.simulators.answers import Refusal, Row


@dataclass(frozen=True, slots=True)
class Limits:
    """Allowed requests; None = no limit. A minute each unless the name says otherwise."""

    account: int | None = 700
    account_updates: int | None = 100
    ticket_updates_10min: int | None = 30
    exports: int | None = 10
    ticket_lists: int | None = None
    user_updates: int | None = 5
    account_user_updates_1s: int | None = 1

    @classmethod
    def off(cls) -> Limits:
        """No limit at all."""
        return cls(**{f.name: None for f in fields(cls)})

    def shown(self) -> Row:
        """The limits as JSON."""
        return asdict(self)


class _Window:
    __slots__ = ("count", "ends")

    def __init__(self, ends: float) -> None:
        self.ends = ends
        self.count = 0


class Meter:
    """Counts requests in windows. Used under the desk's lock."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self._windows: dict[tuple[str, object], _Window] = {}

    def account(self, now: float) -> dict[str, str]:
        """Count one request of the account; the headers of its answer, or the 429."""
        total = self.limits.account
        if total is None:
            return {}
        left, reset = self._count("account", None, total, 60, now)
        headers = {
            "x-rate-limit": str(total),
            "x-rate-limit-remaining": str(max(left, 0)),
            "ratelimit-limit": str(total),
            "ratelimit-remaining": str(max(left, 0)),
            "ratelimit-reset": str(reset),
            "rate-limit": str(total),
            "rate-limit-remaining": str(max(left, 0)),
            "rate-limit-reset": str(reset),
        }
        if left < 0:
            raise _too_many("Number of allowed API requests per minute exceeded", reset, headers)
        return headers

    def ticket_update(self, user: int, ticket: int, now: float) -> dict[str, str]:
        """Count one update of a ticket by a user."""
        limits = self.limits
        headers = self._named("tickets-update", None, limits.account_updates, 60, now)
        key = (user, ticket)
        return headers | self._named("per-ticket-updates", key, limits.ticket_updates_10min, 600, now)

    def ticket_list(self, now: float) -> dict[str, str]:
        """Count one listing of tickets."""
        return self._named("tickets-index", None, self.limits.ticket_lists, 60, now)

    def user_update(self, user: object, now: float) -> dict[str, str]:
        """Count one update (or create-or-update) of a user; `user` is whatever names that user."""
        limits = self.limits
        self._named("users-update-account", None, limits.account_user_updates_1s, 1, now)
        self._named("users-update", user, limits.user_updates, 60, now)
        return {}

    def export(self, now: float) -> None:
        """Count one incremental export; only the 429 ever tells of this limit (recorded)."""
        total = self.limits.exports
        if total is None:
            return
        left, reset = self._count("exports", None, total, 60, now)
        if left < 0:
            raise _too_many("Number of allowed incremental export API requests per minute exceeded", reset, {})

    def _named(self, name: str, key: object, total: int | None, seconds: int, now: float) -> dict[str, str]:
        if total is None:
            return {}
        left, reset = self._count(name, key, total, seconds, now)
        words = f"total={total}; remaining={max(left, 0)}; resets={reset}"
        headers = {f"zendesk-ratelimit-{name}": words, f"zendesk-rate-limit-{name}": words}
        if left < 0:
            raise _too_many("Number of allowed API requests per minute exceeded", reset, headers)
        return headers

    def _count(self, name: str, key: object, total: int, seconds: int, now: float) -> tuple[int, int]:
        window = self._windows.get((name, key))
        if window is None or window.ends <= now:
            if len(self._windows) > 10_000:
                self._windows = {k: w for k, w in self._windows.items() if w.ends > now}
            window = self._windows[name, key] = _Window(now + seconds)
        if window.count <= total:
            window.count += 1
        return total - window.count, max(1, math.ceil(window.ends - now))


def _too_many(words: str, wait: int, headers: dict[str, str]) -> Refusal:
    body = {"error": "APIRateLimitExceeded", "description": words}
    return Refusal(429, body, {**headers, "Retry-After": str(wait)})
