"""Which tickets changed: a bookmark in the list of tickets ordered by their last update, oldest first.

`updated_since` lifts the list's window of 30 days. Page numbers would lose tickets, since one that is updated between
two pages moves to the end and the rest move up; so each look starts at page 1 from the time last seen, and the
bookmark remembers what it has seen there. A few seconds are looked at twice, for updates that become visible late.
Pages past the first are only needed when more than a page of tickets was updated within those seconds.

That a reply or note moves the ticket's `updated_at` is from memory; hooks do not depend on it.
"""

from __future__ import annotations

import json as jsonlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from connector.errors import BadAnswer
from connector.helpdesks.freshdesk.account import Json
from connector.helpdesks.freshdesk.comments import time_of
from connector.model import Cursor, Page, TicketId

_LOOK_BACK = timedelta(seconds=10)
_FIRST_LOOK = timedelta(seconds=60)


@dataclass(frozen=True, slots=True)
class Bookmark:
    """Go on from `since`; `seen` has the tickets told already, with their update, at or after that time."""

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


def changed(bookmark: Bookmark, page: Callable[[int], tuple[Sequence[Json], bool]]) -> Page[TicketId]:
    """The next tickets that are not seen yet. `page` gives a page of the list and whether another follows."""
    rows: list[Json] = []
    fresh: dict[str, None] = {}
    number, more = 0, True
    while more and not fresh:
        number += 1
        found, more = page(number)
        rows += found
        for row in found:
            if bookmark.seen.get(str(row["id"])) != str(row.get("updated_at")):
                fresh.setdefault(str(row["id"]))
    times = {str(row["id"]): time_of(row, "updated_at") for row in rows}
    since = max([bookmark.since, *(at - _LOOK_BACK for at in times.values())])
    # a row older than was asked for will be told again next time, so it is remembered like the newest ones
    passed = {ticket for ticket, at in times.items() if bookmark.since <= at < since}
    seen = {str(row["id"]): str(row["updated_at"]) for row in rows if str(row["id"]) not in passed}
    kept = {ticket: at for ticket, at in bookmark.seen.items() if _time(at) >= since}
    reached = Bookmark(since, {**kept, **seen})
    return Page(tuple(TicketId(ticket) for ticket in fresh), reached.cursor, more=more)


def stamp(at: datetime) -> str:
    """A time as Freshdesk's parameters want it."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _time(told: str) -> datetime:
    return time_of({"updated_at": told}, "updated_at")
