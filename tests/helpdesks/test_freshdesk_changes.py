"""The bookmark in Freshdesk's list of changed tickets loses nothing and tells nothing twice."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connector.errors import BadAnswer
from connector.helpdesks.freshdesk.account import Sheet
from connector.helpdesks.freshdesk.changes import Bookmark, changed, stamp
from connector.model import Cursor, Page, TicketId

START = datetime(2026, 1, 1, tzinfo=UTC)


class Desk:
    """A list of tickets as Freshdesk keeps it: by update, oldest first, to the second."""

    def __init__(self, page: int = 3) -> None:
        self.size = page
        self.updated: dict[int, datetime] = {}
        self.now = START + timedelta(days=1)
        self.asked = 0

    def touch(self, ticket: int, second: int) -> None:
        self.updated[ticket] = START + timedelta(seconds=second)

    def look(self, cursor: Cursor | None, now: datetime = START) -> Page[TicketId]:
        bookmark = Bookmark.of(cursor, now)

        def page(number: int) -> Sheet:
            self.asked += 1
            since = datetime.fromisoformat(bookmark.asked)
            rows = sorted((at, ticket) for ticket, at in self.updated.items() if at >= since)
            first = (number - 1) * self.size
            told = [{"id": ticket, "updated_at": stamp(at)} for at, ticket in rows[first : first + self.size]]
            return Sheet(told, len(rows) > first + self.size, self.now)

        return changed(bookmark, page)

    def drain(self, cursor: Cursor | None) -> tuple[list[str], Cursor]:
        told: list[str] = []
        while True:
            page = self.look(cursor)
            told += page.items
            cursor = page.cursor
            if not page.more:
                return told, page.cursor


@settings(deadline=None)
@given(
    st.lists(
        st.lists(st.tuples(st.integers(1, 12), st.integers(0, 6)), max_size=8),
        max_size=6,
    )
)
def test_every_update_is_told_once(rounds: list[list[tuple[int, int]]]) -> None:
    desk = Desk()
    _, cursor = desk.drain(None)
    second = 0
    for updates in rounds:
        wanted = set()
        before = dict(desk.updated)
        for ticket, later in updates:
            second += later
            desk.touch(ticket, second)
        wanted = {str(ticket) for ticket, at in desk.updated.items() if before.get(ticket) != at}
        told, cursor = desk.drain(cursor)
        assert sorted(told) == sorted(wanted)
        assert desk.drain(cursor)[0] == [], "a second look tells nothing"


def test_an_update_between_two_pages_does_not_hide_another() -> None:
    desk = Desk(page=2)
    _, cursor = desk.drain(None)
    for ticket in range(1, 6):
        desk.touch(ticket, ticket * 60)
    first = desk.look(cursor)
    desk.touch(1, 1_000)
    rest, _ = desk.drain(first.cursor)
    assert list(first.items) == ["1", "2"]
    assert rest == ["3", "4", "5", "1"]


def test_more_tickets_in_one_second_than_a_page_holds_are_all_told() -> None:
    desk = Desk(page=3)
    for ticket in range(1, 21):
        desk.touch(ticket, 5)
    told, cursor = desk.drain(None)
    assert sorted(map(int, told)) == list(range(1, 21))
    assert desk.drain(cursor)[0] == []


def test_an_update_that_becomes_visible_late_is_still_told() -> None:
    desk = Desk()
    desk.touch(1, 100)
    _, cursor = desk.drain(None)
    desk.touch(2, 95)
    assert desk.drain(cursor)[0] == ["2"]


def test_a_second_update_in_the_same_second_is_told_when_that_second_is_over() -> None:
    desk = Desk()
    desk.now = START + timedelta(seconds=5)
    desk.touch(1, 5)
    told, cursor = desk.drain(None)
    assert told == ["1"]
    told, cursor = desk.drain(cursor)
    assert told == [], "not again while nothing can be known"
    desk.now = START + timedelta(seconds=6)
    told, cursor = desk.drain(cursor)
    assert told == ["1"], "it may have been updated again"
    assert desk.drain(cursor)[0] == []


def test_a_cursor_may_be_used_twice() -> None:
    desk = Desk()
    for ticket in range(1, 8):
        desk.touch(ticket, ticket)
    cursor = desk.look(None).cursor
    assert desk.look(cursor) == desk.look(cursor)


def test_a_first_look_begins_a_minute_ago_and_a_quiet_desk_costs_one_call() -> None:
    desk = Desk()
    desk.touch(1, -61)
    desk.touch(2, -59)
    told, cursor = desk.drain(None)
    assert told == ["2"]
    desk.asked = 0
    desk.drain(cursor)
    assert desk.asked == 1


@pytest.mark.parametrize("cursor", ["", "no json", "[]", '{"since": 5, "seen": {}}', '{"since": "x"}'])
def test_a_bookmark_of_somebody_else_is_refused(cursor: str) -> None:
    with pytest.raises(BadAnswer):
        Bookmark.of(Cursor(cursor), START)
