"""How tickets stand at Freshdesk: status and tags, who works on it, and what the person said of the answer.

The ticket tells the first two. Who works on it is a number there, whose name the list of agents has. What the person
said stands in the answers to surveys: the account's new ones are listed once a minute at most, and those of the last
week when we begin, so that it costs no call for each ticket.

A survey's `default_question` is answered with 103 (extremely happy) to -103 (extremely unhappy), 100 is neutral; the
older surveys say 1 happy, 2 neutral, 3 unhappy (both as clients read them, and so `created_since`). Unconfirmed: that
an answer to a survey moves the ticket's `updated_at`; where it does not, it is seen when the ticket changes next.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from connector.errors import BadAnswer, Gone, RateLimited, Rejected, Temporary, Unsupported
from connector.helpdesks.freshdesk.account import Account, Json
from connector.helpdesks.freshdesk.changes import stamp
from connector.helpdesks.freshdesk.names import STANDING
from connector.helpdesks.freshdesk.people import Agents
from connector.model import TicketId, TicketState

_LOOK_BACK = timedelta(days=7)
_FRESH = 60.0
_NOT_FOR_US = 3_600.0
_NEUTRAL = 100
_OLDER = {1: "good", 3: "bad"}


class Standing:
    """The tickets of one account, each as a row of the API. Thread-safe."""

    def __init__(self, account: Account, agents: Agents, clock: Callable[[], float] = time.monotonic) -> None:
        self._account = account
        self._agents = agents
        self._clock = clock
        self._lock = threading.Lock()
        self._rated: dict[TicketId, tuple[str, int, str]] = {}
        self._since = stamp(datetime.now(UTC) - _LOOK_BACK)
        self._next_look = 0.0

    def of(self, ticket: TicketId, row: Json, tone_field: str = "") -> TicketState:
        """A ticket in our words; a status of the account's own counts as open. What the person said is told when it
        was said in the last week; nothing for neutral. `tone_field` is the name of the field of the tone (cf_…)."""
        status = STANDING.get(row.get("status") or 0, "open")
        tags = tuple(str(tag) for tag in row.get("tags") or ())
        agent = self._agent(row.get("responder_id"))
        with self._lock:
            self._look()
            satisfaction = self._rated.get(ticket, ("", 0, ""))[2]
        custom = row.get("custom_fields")
        tone = str(custom.get(tone_field) or "") if isinstance(custom, dict) else ""
        return TicketState(ticket, status, tags, agent, satisfaction, tone)

    def _agent(self, number: Any) -> str:
        """The agent's name; nothing where nobody works on it, or where this key may not look at agents."""
        try:
            return (self._agents.name_of(number) or "") if isinstance(number, int) else ""
        except Rejected:
            return ""

    def _look(self) -> None:
        """List what was said since the last look. Where the plan has no surveys, or they are not for this key, there
        is nothing, and it is tried again in an hour."""
        if self._clock() < self._next_look:
            return
        operation = "list satisfaction ratings"
        try:
            rows = list(
                self._account.rows(
                    "/surveys/satisfaction_ratings", operation=operation, params={"created_since": self._since}
                )
            )
        except (Rejected, Gone, Unsupported):
            self._next_look = self._clock() + _NOT_FOR_US
            return
        except (Temporary, RateLimited, BadAnswer):
            self._next_look = self._clock() + _FRESH  # answers do not wait for surveys
            return
        self._next_look = self._clock() + _FRESH
        for row in rows:
            ticket, at = TicketId(str(row.get("ticket_id"))), str(row.get("created_at") or "")
            said = (at, int(row["id"]), satisfaction_in(row))
            self._rated[ticket] = max(said, self._rated.get(ticket, said))
            self._since = max(self._since, at)


def satisfaction_in(row: Json) -> str:
    """What an answer to a survey says: good, bad, or nothing for neutral and for what cannot be read."""
    ratings = row.get("ratings")
    rating = ratings.get("default_question") if isinstance(ratings, dict) else None
    if not isinstance(rating, int) or isinstance(rating, bool):
        return ""
    if abs(rating) < _NEUTRAL:
        return _OLDER.get(rating, "")
    return "good" if rating > _NEUTRAL else "bad" if rating < 0 else ""
