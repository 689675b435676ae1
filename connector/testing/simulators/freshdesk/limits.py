"""How often somebody may ask: a minute's window for the account and for some endpoints, headers, 429.

Numbers: vendor's article of 14 March 2024, plan Enterprise (700 a minute; 280 to create tickets, 280 to update
them, 200 to list them, 200 to list contacts); other plans are other numbers. Header names: recorded. Every
`include` costs credits, wrong requests count, and so do calls of webhooks: vendor's pages. Unconfirmed: the body
of a 429 and what the headers tell when an endpoint's own limit is reached.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass

from connector.testing.simulators.answers import Refusal, Row

WINDOW_S = 60
ENDPOINTS = {
    "POST /api/v2/tickets": "ticket_create",
    "PUT /api/v2/tickets/*": "ticket_update",
    "GET /api/v2/tickets": "ticket_list",
    "GET /api/v2/contacts": "contact_list",
}


@dataclass(frozen=True, slots=True)
class Limits:
    """Allowed requests a minute; None = no limit. `attachment_mb`: what one ticket or conversation may carry."""

    account: int | None = 700
    ticket_create: int | None = 280
    ticket_update: int | None = 280
    ticket_list: int | None = 200
    contact_list: int | None = 200
    attachment_mb: int | None = 20

    @classmethod
    def off(cls) -> Limits:
        """No limit on requests at all."""
        return cls(None, None, None, None, None)

    def shown(self) -> Row:
        """The limits as JSON."""
        return asdict(self)


class Meter:
    """Counts requests in windows. Used under the desk's lock."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self._windows: dict[str, tuple[float, int]] = {}

    def request(self, endpoint: str, cost: int, now: float) -> dict[str, str]:
        """Count one request and its credits; the headers of its answer, or the 429."""
        headers = {"x-fw-ratelimiting-managed": "true"}
        total = self.limits.account
        if total is not None:
            used, wait = self._count("account", cost, now)
            headers |= {
                "x-ratelimit-total": str(total),
                "x-ratelimit-remaining": str(max(total - used, 0)),
                "x-ratelimit-used-currentrequest": str(cost),
            }
            if used > total:
                raise too_many(wait, headers)
        name = ENDPOINTS.get(endpoint)
        allowed = getattr(self.limits, name) if name else None
        if name and allowed is not None:
            used, wait = self._count(name, 1, now)
            if used > allowed:
                raise too_many(wait, headers)
        return headers

    def webhook(self, now: float) -> None:
        """Count one outgoing call; nobody is told."""
        if self.limits.account is not None:
            self._count("account", 1, now)

    def _count(self, name: str, cost: int, now: float) -> tuple[int, int]:
        ends, used = self._windows.get(name, (0.0, 0))
        if ends <= now:
            ends, used = now + WINDOW_S, 0
        self._windows[name] = (ends, used + cost)
        return used + cost, max(1, math.ceil(ends - now))


def too_many(wait: int, headers: dict[str, str]) -> Refusal:
    """The 429."""
    body = {"message": "You have exceeded the limit of requests per minute"}
    return Refusal(429, body, {**headers, "Retry-After": str(wait)})
