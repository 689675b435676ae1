"""Which tickets changed: a bookmark in the list of tickets ordered by their last update, oldest first.

`updated_since` lifts the list's window of 30 days. Page numbers would lose tickets, since one that is updated between
two pages moves to the end and the rest move up; so each look starts at page 1 from the time last seen, and the
bookmark remembers what it has seen there. A few seconds are looked at twice, for updates that become visible late.
Pages past the first are only needed when more than a page of tickets was updated within those seconds.

Times are whole seconds. A ticket seen in the very second of its update may be updated once more in it, and nothing
would show; so it is told once more when that second is over.

That a reply or note moves the ticket's `updated_at` is from memory; hooks do not depend on it.
"""

from __future__ import annotations

import json as jsonlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from connector.errors import BadAnswer
from connector.helpdesks.freshdesk.account import Sheet
from connector.helpdesks.freshdesk.comments import time_of
from connector.model import Cursor, Page, TicketId

_LOOK_BACK = timedelta(seconds=10)
_FIRST_LOOK = timedelta(seconds=60)
_SECOND = timedelta(seconds=1)
_OPEN = "~"


@dataclass(frozen=True, slots=True)
class Bookmark:
    """Go on from `since`; `seen` has the tickets told already, with their update at or after that time, which ends in
    ~ while its second was not over."""

    since: datetime
    seen: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, cursor: Cursor | None, now: datetime) -> Bookmark:
        """What a cursor stands for; None: from now on, with a minute's grace for clocks that differ."""
        if cursor is None:
            return cls(now.astimezone(UTC).replace(microsecond=0) - _FIRST_LOOK)
        try:
            kept = jsonlib.loads(cursor)
            return cls(datetime.fromisoformat(kept["since"]), dict(kept["seen"]))
        except (ValueError, TypeError, KeyError):
            raise BadAnswer(
                "the bookmark of changed tickets cannot be read", operation="read changed tickets"
            ) from None

    @property
    def cursor(self) -> Cursor:
        """For the store."""
        return Cursor(jsonlib.dumps({"since": self.since.isoformat(), "seen": dict(self.seen)}, sort_keys=True))

    @property
    def asked(self) -> str:
        """The time as the list wants it."""
        return stamp(self.since)


def changed(bookmark: Bookmark, page: Callable[[int], Sheet]) -> Page[TicketId]:
    """The next tickets that are not seen yet. `page` gives a page of the list."""
    told: dict[str, datetime] = {}
    seen: dict[str, str] = {}
    fresh: dict[str, None] = {}
    number, more = 0, True
    while more and not fresh:
        number += 1
        sheet = page(number)
        more = sheet.more
        for row in sheet.rows:
            ticket, at = str(row["id"]), time_of(row, "updated_at")
            told[ticket] = at
            over = at + _SECOND <= sheet.at
            known, seen[ticket] = bookmark.seen.get(ticket), stamp(at) + ("" if over else _OPEN)
            if known != stamp(at) and (over or known != seen[ticket]):
                fresh.setdefault(ticket)
    since = max([bookmark.since, *(at - _LOOK_BACK for at in told.values())])
    # a row older than was asked for will be told again next time, so it is remembered like the newest ones
    passed = {ticket for ticket, at in told.items() if bookmark.since <= at < since}
    kept = {ticket: at for ticket, at in bookmark.seen.items() if ticket not in told and _time(at) >= since}
    reached = Bookmark(since, kept | {ticket: at for ticket, at in seen.items() if ticket not in passed})
    return Page(tuple(TicketId(ticket) for ticket in fresh), reached.cursor, more=more)


def stamp(at: datetime) -> str:
    """A time as Freshdesk's parameters want it."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _time(told: str) -> datetime:
    return time_of({"updated_at": told.rstrip(_OPEN)}, "updated_at")
