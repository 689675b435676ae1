"""Reading a `when`: from what the admin typed to a Condition.

    when: {author.followers: {at_least: 10000}, tone: [negative, very_negative]}      all keys have to hold
    when: {any: [{text: {words: [вакансия, hiring]}}, {not: {private: true}}]}        any, all and not nest freely
    when: [{…}, {…}]                                                                   the same as {all: […]}

`FIELDS` is the one table of what may be asked; the JSON Schema is made from it too.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Literal

import regex

from connector.model import KINDS, PRIORITIES, ROLES, TONES
from connector.triage.calendars import read_day, weekdays
from connector.triage.condition import All, Condition, Not, Some, Test
from connector.triage.facts import UNKNOWN_LANGUAGE, WEEKDAYS, fold
from connector.triage.sheet import Sheet, shown
from connector.triage.wants import Fits, HasWord, InSpans, Is, OnDays, OneOf, Span, entry_of, too_slow
from connector.yamlfile import Where, did_you_mean

Lists = Mapping[str, tuple[str, ...]]
Shape = Literal[
    "label",
    "name",
    "language",
    "number",
    "text",
    "flag",
    "parent",
    "hours",
    "weekdays",
    "dates",
    "called",
]

FIELDS: Mapping[str, Shape] = {
    "source": "name",
    "platform": "name",
    "kind": "label",
    "tone": "label",
    "priority": "label",
    "language": "language",
    "author.followers": "number",
    "author.handle": "name",
    "author.name": "name",
    "author.verified": "flag",
    "text": "text",
    "parent": "parent",
    "rating": "number",
    "engagement.total": "number",
    "hour": "hours",
    "weekday": "weekdays",
    "date": "dates",
    "open": "called",
    "private": "flag",
    "feedback": "called",
    "answer_expected": "flag",
    "score": "number",
    "author.contacts": "number",
    "author.negative": "number",
    "author.positive": "number",
    "role": "label",
    "after_answer": "flag",
    "last_tone": "label",
    "text.length": "number",
    "text.links": "number",
    "text.hashtags": "number",
}
LABELS: Mapping[str, tuple[str, ...]] = {
    "kind": KINDS,
    "tone": TONES,
    "last_tone": TONES,
    "priority": PRIORITIES,
    "role": ROLES,
}
COUNTS = ("likes", "replies", "reposts", "quotes", "shares", "comments", "views", "votes", "reactions")
BOUNDS = ("at_least", "at_most", "above", "below")
JOINS = ("any", "all", "not")

_MOST_PATTERN = 2_000
_KEYS = (*JOINS, *FIELDS, *(f"engagement.{count}" for count in COUNTS))


@dataclass(frozen=True, slots=True)
class Named:
    """What a condition may call by name: lists, kinds of feedback, calendars."""

    lists: Lists = field(default_factory=dict)
    feedback: Mapping[str, Condition] = field(default_factory=dict)
    calendars: Mapping[str, Condition] = field(default_factory=dict)


def read_when(value: Any, where: Where, sheet: Sheet, named: Named) -> Condition:
    """The condition written at `where`; mistakes go onto the sheet and leave a condition that never matters."""
    return _Reader(sheet, named).condition(value, where)


def read_one(key: str, value: Any, where: Where, sheet: Sheet, named: Named) -> Condition:
    """The condition on one field alone, its value written at `where`."""
    return _Reader(sheet, named).key(key, value, where)


def read_span(value: Mapping[str, Any], where: Where, sheet: Sheet) -> Span:
    """A stretch of numbers from its bounds (at_least, at_most, above, below)."""
    return _Reader(sheet, Named()).span({key: value[key] for key in value}, where)


class _Reader:
    def __init__(self, sheet: Sheet, named: Named) -> None:
        self.sheet = sheet
        self.known = named
        self.shapes: Mapping[Shape, Callable[[str, Any, Where], Condition]] = {
            "label": self.label,
            "name": self.name,
            "language": self.language,
            "number": self.number,
            "text": self.words,
            "flag": self.flag,
            "parent": self.parent,
            "hours": self.hours,
            "weekdays": self.weekdays,
            "dates": self.dates,
            "called": self.called,
        }

    # conditions of conditions

    def condition(self, value: Any, where: Where) -> Condition:
        if isinstance(value, list):
            return All(self.parts(value, where))
        if value is None or value == {}:
            self.sheet.wrong(where, "is empty: to match every mention, leave `when` out")
            return All()
        keys = self.sheet.mapping(value, where, "a mapping of conditions")
        parts = tuple(self.key(key, item, (*where, key)) for key, item in keys.items())
        return parts[0] if len(parts) == 1 else All(parts)

    def parts(self, value: Any, where: Where) -> tuple[Condition, ...]:
        if not isinstance(value, list) or not value:
            self.sheet.wrong(where, f"has to be a list of conditions, not {shown(value) if value else 'nothing'}")
            return ()
        return tuple(self.condition(item, (*where, i)) for i, item in enumerate(value))

    def key(self, key: str, value: Any, where: Where) -> Condition:
        if key == "any":
            return Some(self.parts(value, where))
        if key == "all":
            return All(self.parts(value, where))
        if key == "not":
            return Not(self.condition(value, where))
        if key.startswith("engagement.") and key not in FIELDS:
            return self.count(key, value, where)
        shape = FIELDS.get(key)
        if shape is None:
            self.unknown(key, value, where)
            return All()
        if value is None:
            self.sheet.wrong(where, "has nothing to compare with")
            return All()
        return self.shapes[shape](key, value, where)

    def unknown(self, key: str, value: Any, where: Where) -> None:
        inner = (
            next((f"{key}.{name}" for name in value if f"{key}.{name}" in _KEYS), "")
            if isinstance(value, dict)
            else ""
        )
        if inner:
            self.sheet.wrong(where, f'write it as one key: "{inner}"', at_key=True)
        else:
            self.sheet.wrong(where, f'"{key}" is not a condition{_meant(key)}', at_key=True)

    def count(self, key: str, value: Any, where: Where) -> Condition:
        name = key.removeprefix("engagement.")
        if not regex.fullmatch(r"[a-z][a-z0-9_]*", name):
            self.sheet.wrong(where, f'"{name}" is not a count{did_you_mean(name, COUNTS)}', at_key=True)
        elif name not in COUNTS:
            hint = did_you_mean(name, COUNTS)
            if "did you mean" in hint:
                self.sheet.doubt(where, f'"{name}" is a count no source here gives{hint}', at_key=True)
        return self.number(key, value, where)

    # conditions on one field

    def label(self, key: str, value: Any, where: Where) -> Condition:
        what = f"a {key}"
        words = [self.sheet.choice(item, at, LABELS[key], what) for at, item in self.sheet.items(value, where)]
        return Test(key, OneOf(frozenset(word for word in words if word)))

    def name(self, key: str, value: Any, where: Where) -> Condition:
        if isinstance(value, dict):
            keys = self.sheet.mapping(value, where, "a name, a list of names, {list: …} or {matches: …}")
            self.sheet.keys(keys, where, ("list", "matches"), "understood here")
            parts: list[Condition] = []
            if "list" in keys:
                parts.append(Test(key, OneOf(frozenset(map(_name, self.named(keys["list"], (*where, "list")))))))
            if "matches" in keys:
                parts.append(self.pattern(key, keys["matches"], (*where, "matches")))
            return parts[0] if len(parts) == 1 else All(tuple(parts))
        names = [self.sheet.text(item, at) for at, item in self.sheet.items(value, where)]
        return Test(key, OneOf(frozenset(_name(name) for name in names if name)))

    def language(self, key: str, value: Any, where: Where) -> Condition:
        found = set()
        for at, item in self.sheet.items(value, where):
            word = self.sheet.text(item, at).lower()
            if word and word != UNKNOWN_LANGUAGE and not regex.fullmatch(r"[a-z]{2,3}", word):
                self.sheet.wrong(
                    at,
                    f'"{word}" is not a language code: two or three letters such as ru, uk, en, or '
                    f"{UNKNOWN_LANGUAGE}",
                )
            found.add(word)
        return Test(key, OneOf(frozenset(found)))

    def number(self, key: str, value: Any, where: Where) -> Condition:
        if isinstance(value, dict):
            return Test(key, InSpans((self.span(value, where),)))
        points = [self.real(item, at) for at, item in self.sheet.items(value, where)]
        return Test(key, InSpans(tuple(Span(point, point) for point in points if point is not None)))

    def span(self, value: dict[Any, Any], where: Where) -> Span:
        keys = self.sheet.mapping(value, where, "bounds")
        self.sheet.keys(keys, where, BOUNDS, "a bound")
        if not keys:
            self.sheet.wrong(where, f"is empty; bounds are {', '.join(BOUNDS)}")
        ends = {name: self.real(keys[name], (*where, name)) for name in BOUNDS if name in keys}
        for one, other in (("at_least", "above"), ("at_most", "below")):
            if one in ends and other in ends:
                self.sheet.wrong((*where, other), f"{one} and {other} are given together; keep one", at_key=True)
        low = ends.get("at_least", ends.get("above"))
        high = ends.get("at_most", ends.get("below"))
        span = Span(
            -math.inf if low is None else low, math.inf if high is None else high, "above" in ends, "below" in ends
        )
        if span.empty:
            self.sheet.wrong(where, f"no number is {span.shown()}")
        return span

    def real(self, value: Any, where: Where) -> float | None:
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            self.sheet.wrong(
                where, f"has to be a number, a list of numbers or bounds ({', '.join(BOUNDS)}), not {shown(value)}"
            )
            return None
        return value

    def words(self, key: str, value: Any, where: Where) -> Condition:
        if not isinstance(value, dict):
            return self.has_word(key, value, where)
        keys = self.sheet.mapping(value, where, "words")
        self.sheet.keys(keys, where, ("words", "matches", "list"), "understood here")
        if not keys:
            self.sheet.wrong(where, "is empty; write {words: […]} or {matches: …}")
        parts: list[Condition] = []
        for name in ("words", "list"):
            if name in keys:
                listed = {"list": keys[name]} if name == "list" else keys[name]
                parts.append(self.has_word(key, listed, where if name == "list" else (*where, name)))
        if "matches" in keys:
            parts.append(self.pattern(key, keys["matches"], (*where, "matches")))
        return parts[0] if len(parts) == 1 else All(tuple(parts))

    def has_word(self, key: str, value: Any, where: Where) -> Condition:
        if isinstance(value, dict):
            keys = self.sheet.mapping(value, where, "a list of words or {list: …}")
            self.sheet.keys(keys, where, ("list",), "understood here")
            words = [(where, word) for word in self.named(keys.get("list"), (*where, "list"))]
        else:
            words = [(at, self.sheet.text(item, at)) for at, item in self.sheet.items(value, where)]
        entries = set()
        for at, word in words:
            entry = entry_of(word)
            if any("*" in part[:-1] or part == "*" for part in word.split()):
                self.sheet.wrong(at, f'"{word}": the * may only stand at the end of a word, as in возврат*')
            elif entry:
                entries.add(entry)
        return Test(key, HasWord(frozenset(entries)))

    def pattern(self, key: str, value: Any, where: Where) -> Condition:
        text = value if isinstance(value, str) else self.sheet.text(value, where)
        if not text:
            self.sheet.wrong(where, "is empty: an empty pattern matches everything")
        elif len(text) > _MOST_PATTERN:
            self.sheet.wrong(where, f"is longer than {_MOST_PATTERN} characters; use a list of words")
        else:
            try:
                if too_slow(text):
                    message = (
                        "takes far too long even on short texts: inside a repetition only one alternative should be "
                        "able to fit, as in (a)+ instead of (a|aa)+"
                    )
                    self.sheet.wrong(where, message)
                return Test(key, Fits(text))
            except regex.error as error:
                at = f" at character {error.pos + 1}" if error.pos is not None else ""
                self.sheet.wrong(where, f"is not a regular expression: {error.msg}{at}")
        return All()

    def flag(self, key: str, value: Any, where: Where) -> Condition:
        wanted = self.sheet.flag(value, where)
        return All() if wanted is None else Test(key, Is(wanted))

    def parent(self, key: str, value: Any, where: Where) -> Condition:
        if isinstance(value, bool):
            return Test(key, Is(value))
        return self.words("parent.text", value, where)

    def hours(self, key: str, value: Any, where: Where) -> Condition:
        found: set[int] = set()
        for at, item in self.sheet.items(value, where):
            ends = regex.fullmatch(r"\s*(\d{1,2})\s*[-–]\s*(\d{1,2})\s*", item) if isinstance(item, str) else None
            if ends:
                first, last = int(ends[1]), int(ends[2])
            elif isinstance(item, int) and not isinstance(item, bool):
                first = last = item
            else:
                first = last = -1
            if not (0 <= first <= 23 and 0 <= last <= 23):
                self.sheet.wrong(at, f"{shown(item)} is not an hour: 0 to 23, or a range such as 9-17 or 22-6")
                continue
            found.update(_around(first, last, 24))
        return Test(key, OneOf(frozenset(found)))

    def weekdays(self, key: str, value: Any, where: Where) -> Condition:
        days = [
            day
            for at, item in self.sheet.items(value, where)
            for day in weekdays(self.sheet.text(item, at), at, self.sheet)
        ]
        return Test(key, OneOf(frozenset(WEEKDAYS[day] for day in days)))

    def dates(self, key: str, value: Any, where: Where) -> Condition:
        if isinstance(value, dict):
            keys = self.sheet.mapping(value, where, "a day, a list of days or {from: …, to: …}")
            self.sheet.keys(keys, where, ("from", "to"), "understood here")
            ends = {name: read_day(item, (*where, name), self.sheet) for name, item in keys.items()}
            first, last = ends.get("from") or date.min, ends.get("to") or date.max
            if not keys or first > last:
                self.sheet.wrong(where, "holds no day: write {from: 2026-06-01, to: 2026-08-31}, or one of them")
            return Test(key, OnDays(((first, last),)))
        days = [read_day(item, at, self.sheet) for at, item in self.sheet.items(value, where)]
        return Test(key, OnDays(tuple((day, day) for day in days if day)))

    def called(self, key: str, value: Any, where: Where) -> Condition:
        """One of several conditions that have names of their own: kinds of feedback, calendars."""
        what = "a calendar" if key == "open" else "a kind of feedback"
        known = self.known.calendars if key == "open" else self.known.feedback
        parts = []
        for at, item in self.sheet.items(value, where):
            name = self.sheet.text(item, at)
            if name in known:
                parts.append(known[name])
            elif name:
                there = did_you_mean(name, known) if known else "; the mapping names none"
                self.sheet.wrong(at, f'"{name}" is not {what}{there}')
        return parts[0] if len(parts) == 1 else Some(tuple(parts))

    def named(self, value: Any, where: Where) -> tuple[str, ...]:
        """The entries of a named list."""
        name = self.sheet.text(value, where)
        lists = self.known.lists
        if name and name not in lists:
            allowed = did_you_mean(name, lists) if lists else "; there are no lists yet: write them under `lists`"
            self.sheet.wrong(where, f'there is no list "{name}"{allowed}')
        return lists.get(name, ())


def lists_in(value: Any) -> set[str]:
    """The names of the lists a `when` uses."""
    if isinstance(value, list):
        return set().union(*(lists_in(item) for item in value))
    if not isinstance(value, dict):
        return set()
    own = {value["list"]} if isinstance(value.get("list"), str) else set()
    return own.union(*(lists_in(item) for item in value.values()))


def _around(first: int, last: int, size: int) -> list[int]:
    """first … last, both included, past the end and on from the start where last comes before first."""
    return [step % size for step in range(first, (last if last >= first else last + size) + 1)]


def _name(text: str) -> str:
    return fold(text.removeprefix("@"))


def _meant(key: str) -> str:
    hint = did_you_mean(key, _KEYS)
    guess = hint.partition(" (allowed")[0]
    return f"{guess} (allowed: {', '.join((*JOINS, *FIELDS))}, engagement.<count>)"
