"""Calendars: when a company is at work, and when so many working hours will have passed.

    calendars:
      office:
        timezone: Europe/Moscow          # the mapping's own, if left out
        hours: {mon-fri: 9-18, sat: "10:00-14:30"}
        holidays: [2026-01-01, 05-09]    # one day, or that day of every year

Wall-clock hours are turned into instants before anything is counted, so a day on which the clocks change is as long
as it is. Nothing here reads the clock.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

from connector.triage.condition import Check, Condition
from connector.triage.facts import WEEKDAYS, Facts
from connector.triage.sheet import Sheet, shown
from connector.yamlfile import Where, did_you_mean

Hours = tuple[int, int]
"""Opening and closing in minutes after midnight; a closing after midnight is above 1440."""

DAY = 24 * 60
CALENDAR_KEYS = ("timezone", "hours", "holidays")

_MOST_DAYS = 1_500
_HOURS = re.compile(r"\s*(\d{1,2})(?::(\d{2}))?\s*[-–]\s*(\d{1,2})(?::(\d{2}))?\s*")
_YEARLY = re.compile(r"(\d{2})-(\d{2})")
_ONE_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Calendar:
    """Opening hours by weekday (Monday first), and the days on which it is closed all the same."""

    name: str
    zone: tzinfo
    hours: tuple[tuple[Hours, ...], ...]
    holidays: frozenset[dt.date] = frozenset()
    yearly: frozenset[tuple[int, int]] = frozenset()

    def is_open(self, at: datetime) -> bool:
        """Whether this instant is within working hours."""
        try:
            today = at.astimezone(self.zone).date()
            return any(start <= at < end for day in (today - _ONE_DAY, today) for start, end in self._on(day))
        except (OverflowError, ValueError):
            return False

    def after(self, at: datetime, minutes: Sequence[int]) -> list[datetime]:
        """For each of these numbers of working minutes, ascending: the instant in UTC at which so many will have
        passed since `at`. OverflowError when that lies too far off."""
        at = at.astimezone(UTC)
        wanted = [timedelta(minutes=one) for one in minutes]
        found: list[datetime] = []
        passed = timedelta()
        done = at
        day = at.astimezone(self.zone).date() - _ONE_DAY
        for _ in range(_MOST_DAYS):
            for start, end in self._on(day):
                begun = max(start, done)
                while len(found) < len(wanted) and begun < end and wanted[len(found)] - passed <= end - begun:
                    found.append(begun + wanted[len(found)] - passed)
                passed += max(end - begun, timedelta())
                done = max(end, done)
            if len(found) == len(wanted):
                return found
            day += _ONE_DAY
        raise OverflowError(f"{self.name} is not open long enough for that")

    def _on(self, day: dt.date) -> list[tuple[datetime, datetime]]:
        """The stretches that begin on this day, as instants."""
        if day in self.holidays or (day.month, day.day) in self.yearly:
            return []
        return [(self._instant(day, start), self._instant(day, end)) for start, end in self.hours[day.weekday()]]

    def _instant(self, day: dt.date, minute: int) -> datetime:
        days, left = divmod(minute, DAY)
        wall = datetime.combine(day + timedelta(days=days), dt.time(left // 60, left % 60), self.zone)
        return wall.astimezone(UTC)


@dataclass(frozen=True)
class Open(Condition):
    """The mention was posted while this calendar was open."""

    calendar: Calendar

    def _made(self) -> Check:
        is_open = self.calendar.is_open
        return lambda facts: is_open(facts.mention.created_at)

    def tell(self, facts: Facts, held: bool) -> str:
        """Open or closed."""
        return f"{self.calendar.name} was {'open' if held else 'closed'}"

    def bounds(self, known: Mapping[str, Any]) -> tuple[bool, bool]:
        """It may hold or not: nothing known of a mention tells the hour."""
        return True, True


def conditions(calendars: Mapping[str, Calendar]) -> dict[str, Condition]:
    """What `open: name` asks for each of them."""
    return {name: Open(calendar) for name, calendar in calendars.items()}


# --- reading -----------------------------------------------------------------------------------------------


def read_zone(value: Any, where: Where, sheet: Sheet) -> tuple[str, tzinfo] | None:
    """A time zone and its name; a mistake and None if there is no such zone."""
    name = sheet.text(value, where)
    zones = available_timezones()
    if name in zones:
        return name, ZoneInfo(name)
    if name:
        hint = did_you_mean(name, sorted(zones)).partition(" (allowed")[0]
        sheet.wrong(where, f'"{name}" is not a time zone{hint} (such as Europe/Moscow, Europe/Berlin or UTC)')
    return None


def read_calendar(name: str, value: Any, where: Where, sheet: Sheet, zone: tzinfo) -> Calendar | None:
    """One calendar; `zone` is the mapping's own. None when it has a mistake."""
    before = len(sheet.problems)
    keys = sheet.mapping(value, where, f"a calendar: a mapping with {', '.join(CALENDAR_KEYS)}")
    sheet.keys(keys, where, CALENDAR_KEYS, "a part of a calendar")
    if "timezone" in keys:
        given = read_zone(keys["timezone"], (*where, "timezone"), sheet)
        zone = given[1] if given else zone
    if "hours" not in keys and len(sheet.problems) == before:
        sheet.wrong(where, "has no hours, as in hours: {mon-fri: 9-18}", at_key=True)
    hours = _week(keys["hours"], (*where, "hours"), sheet) if "hours" in keys else ()
    days, yearly = _holidays(keys["holidays"], (*where, "holidays"), sheet) if "holidays" in keys else (set(), set())
    if len(sheet.problems) > before:
        return None
    return Calendar(name, zone, tuple(hours), frozenset(days), frozenset(yearly))


def _week(value: Any, where: Where, sheet: Sheet) -> list[tuple[Hours, ...]]:
    before = len(sheet.problems)
    week: list[tuple[Hours, ...]] = [() for _ in WEEKDAYS]
    for key, item in sheet.mapping(value, where, "a mapping from weekdays to hours, as in {mon-fri: 9-18}").items():
        at = (*where, key)
        spans = [span for place, one in sheet.items(item, at) if (span := _hours(one, place, sheet))]
        for day in weekdays(key, at, sheet, at_key=True):
            if week[day]:
                sheet.wrong(at, f"{WEEKDAYS[day]} is given twice; keep one", at_key=True)
            week[day] = tuple(sorted(spans))
    if not any(week) and len(sheet.problems) == before:
        sheet.wrong(where, "is never open: name at least one weekday with its hours")
    return week


def weekdays(text: str, where: Where, sheet: Sheet, *, at_key: bool = False) -> list[int]:
    """`mon` or `mon-fri` as numbers, Monday 0; `sat-mon` goes past Sunday and on from Monday."""
    first, dash, last = text.strip().lower().replace("–", "-").partition("-")
    ends = [end.strip() for end in ((first, last) if dash else (first,))]
    if not text:
        return []
    for end in ends:
        if end not in WEEKDAYS:
            sheet.wrong(where, f'"{end}" is not a weekday{did_you_mean(end, WEEKDAYS)}', at_key=at_key)
            return []
    low, high = WEEKDAYS.index(ends[0]), WEEKDAYS.index(ends[-1])
    return [day % 7 for day in range(low, (high if high >= low else high + 7) + 1)]


def _hours(value: Any, where: Where, sheet: Sheet) -> Hours | None:
    match = _HOURS.fullmatch(value) if isinstance(value, str) else None
    if match:
        start, end = (int(match[i]) * 60 + int(match[i + 1] or 0) for i in (1, 3))
        if start < DAY and end <= DAY and start != end and not any(int(match[i] or 0) > 59 for i in (2, 4)):
            return start, end if end > start else end + DAY
    sheet.wrong(where, f'{shown(value)} are not hours: write them as in 9-18, "9:00-17:30" or 20-4')
    return None


def _holidays(value: Any, where: Where, sheet: Sheet) -> tuple[set[dt.date], set[tuple[int, int]]]:
    days: set[dt.date] = set()
    yearly: set[tuple[int, int]] = set()
    for at, item in sheet.items(value, where):
        match = _YEARLY.fullmatch(item) if isinstance(item, str) else None
        if match and 1 <= int(match[1]) <= 12 and 1 <= int(match[2]) <= 31:
            yearly.add((int(match[1]), int(match[2])))
        elif (day := read_day(item, at, sheet, "or 05-09 for every year")) is not None:
            days.add(day)
    return days, yearly


def read_day(value: Any, where: Where, sheet: Sheet, other: str = "") -> dt.date | None:
    """A day; a mistake and None if it is none."""
    if isinstance(value, dt.date) and not isinstance(value, datetime):
        return value
    if isinstance(value, str):
        try:
            return dt.date.fromisoformat(value.strip())
        except ValueError:
            pass
    what = str(value) if isinstance(value, datetime) else shown(value)
    sheet.wrong(where, f"{what} is not a day: write it as in 2026-05-09{f', {other}' if other else ''}")
    return None


def around_the_clock(at: datetime, minutes: Sequence[int]) -> list[datetime]:
    """The same as `Calendar.after` where every hour counts."""
    return [at.astimezone(UTC) + timedelta(minutes=one) for one in minutes]
