"""Deadlines: when the first answer to a mention is due, from the moment it was posted.

    deadlines:
      first_reply:                                       # the first that fits counts
        - {name: at once, when: {priority: urgent}, target: 1h, breach: 2h, ceiling: 4h}
        - {name: thanks, when: {answer_expected: false}, none: true}
        - {name: usual, target: 8h, breach: 12h, ceiling: 24h, calendar: office}
      tags: true                                         # answer_within_8h
      fields: {target: Answer by, ceiling: {name: Last day, as: date}}
      remind_before: 1h                                  # a note before the target
      escalate:                                          # what happens when a step passes without an answer
        breach: {tags: [answer_late], priority: high, note: Whoever leads the shift takes it.}
        ceiling: {group: Leads}

`target` is what we want, `breach` what is late, `ceiling` what must never be passed. Left out, they are 8, 12 and 24
hours around the clock. Only instants are made here, and what an escalation says; the store and the daemon watch them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal

from connector.model import Because, Deadlines, DueStep, Settings
from connector.triage.calendars import Calendar, around_the_clock
from connector.triage.condition import All, Check, Condition, told
from connector.triage.facts import Facts
from connector.triage.settings import Assignment, read_settings, settings_of
from connector.triage.sheet import Sheet, shown
from connector.triage.when import Named, read_when
from connector.yamlfile import Document, Where, did_you_mean

Step = Literal["target", "breach", "ceiling"]
Form = Literal["time", "date"]

USUAL: Mapping[Step, int] = {"target": 8 * 60, "breach": 12 * 60, "ceiling": 24 * 60}
STEPS: tuple[Step, ...] = tuple(USUAL)
ESCALATED = ("priority", "group", "tags", "untag", "fields")
ESCALATION_KEYS = ("note", *ESCALATED)
DEADLINES_KEYS = ("first_reply", "tags", "fields", "remind_before", "escalate")
DEADLINE_KEYS = ("name", "when", *STEPS, "calendar", "none", "remind_before", "escalate")
FIELD_KEYS = ("name", "as")
FORMS: tuple[Form, ...] = ("time", "date")

_MOST_MINUTES = 90 * 24 * 60
_SPAN = re.compile(r"\s*(?:(\d{1,4})\s*h)?\s*(?:(\d{1,4})\s*min)?\s*")


@dataclass(frozen=True, slots=True)
class Escalation:
    """What happens when a step passes without an answer: what is set on the ticket, and what its note adds."""

    settings: tuple[Assignment, ...] = ()
    note: str = ""


Escalations = Mapping[Step, Escalation]


@dataclass(frozen=True, slots=True)
class Deadline:
    """One deadline: for which mentions, the three steps in minutes, and whose hours count (None: every hour).

    `remind` is how many minutes before the target somebody is reminded (None: nobody), `escalations` what happens
    after each step."""

    name: str
    condition: Condition
    check: Check
    minutes: tuple[int, int, int]
    calendar: Calendar | None
    none: bool
    where: Where
    document: Document
    remind: int | None = None
    escalations: Escalations = field(default_factory=dict)

    @property
    def place(self) -> str:
        """`file:line` of it."""
        return self.document.at(self.where)


@dataclass(frozen=True, slots=True)
class Written:
    """A step written into a ticket field, as an instant or as a day."""

    step: Step
    field: str
    form: Form
    where: Where
    document: Document

    def assignment(self, at: datetime) -> Assignment:
        """The value for the ticket: 2026-03-04T20:00:00Z, or 2026-03-04 (both UTC)."""
        day = at.astimezone(UTC)
        value = day.strftime("%Y-%m-%d" if self.form == "date" else "%Y-%m-%dT%H:%M:%SZ")
        return Assignment(f"fields.{self.field}", value, self.where, self.document.at(self.where), self.document)


@dataclass(frozen=True, slots=True)
class Plan:
    """All deadlines of a mapping, and where they are written. `escalations` are for those without their own."""

    first_reply: tuple[Deadline, ...]
    tags: bool
    fields: tuple[Written, ...]
    where: Where
    document: Document
    escalations: Escalations = field(default_factory=dict)

    def due(self, facts: Facts, trace: list[Because]) -> Deadlines | None:
        """The deadlines of this mention, explained in the trace; None where none applies."""
        for one in self.first_reply:
            if not _fits(one, facts, trace):
                continue
            if one.none:
                trace.append(Because("deadline", "none", one.name, one.place, told(one.condition, facts, True)))
                return None
            count = one.calendar.after if one.calendar else around_the_clock
            before = one.minutes[0] - one.remind if one.remind is not None else 0
            minutes = (before, *one.minutes) if before > 0 else one.minutes
            try:
                *reminder, target, breach, ceiling = count(facts.mention.created_at, minutes)
            except (OverflowError, ValueError):
                trace.append(Because("deadline", "none", one.name, one.place, "it lies beyond the calendar"))
                return None
            names = spelt(one.minutes[0]), one.name, _name(one.calendar)
            made = Deadlines(target, breach, ceiling, *names, reminder=reminder[0] if reminder else None)
            trace.append(Because("deadline", _shown(target), one.name, one.place, _why(one, facts)))
            return made
        return None

    def assignments(self, due: Deadlines) -> list[Assignment]:
        """What they put onto the ticket."""
        found = [one.assignment(getattr(due, one.step)) for one in self.fields]
        if self.tags:
            at = (*self.where, "tags")
            place = self.document.at(at)
            found.append(Assignment("tags", (f"answer_within_{due.within}",), at, place, self.document))
        return found

    def escalation(self, rule: str, steps: Sequence[DueStep]) -> tuple[Step, Settings, str] | None:
        """What happens on a ticket whose deadline of that name has passed these steps: the last of them that says
        something, what is set, what the note adds; None where nothing is to happen. Tags of several add up, and
        otherwise a later step takes the place of an earlier one."""
        own = next((one.escalations for one in self.first_reply if one.name == rule), self.escalations)
        said = [step for step in STEPS if step in steps and step in own]
        if not said:
            return None
        passed = [own[step] for step in said]
        values: dict[str, Any] = {}
        for one in (one for escalation in passed for one in escalation.settings):
            added = one.field in ("tags", "untag")
            values[one.field] = (*values.get(one.field, ()), *one.value) if added else one.value
        return said[-1], settings_of(values), passed[-1].note

    def examples(self) -> list[Assignment]:
        """What they could put onto tickets, for the helpdesk to be asked about."""
        every = {id(own): own for own in (self.escalations, *(one.escalations for one in self.first_reply))}
        return [
            *(one.assignment(datetime(2026, 1, 31, tzinfo=UTC)) for one in self.fields),
            *(one for own in every.values() for escalation in own.values() for one in escalation.settings),
        ]


def spelt(minutes: int) -> str:
    """8h, 45min or 1h30min."""
    hours, left = divmod(minutes, 60)
    return (f"{hours}h" if hours else "") + (f"{left}min" if left or not hours else "")


def _fits(one: Deadline, facts: Facts, trace: list[Because]) -> bool:
    try:
        return one.check(facts)
    except TimeoutError:
        why = "a pattern took too long on this text, so the deadline was left out"
        trace.append(Because("deadline", False, one.name, one.place, why))
        return False


def _why(one: Deadline, facts: Facts) -> str:
    steps = ", ".join(f"{step} {spelt(minutes)}" for step, minutes in zip(STEPS, one.minutes, strict=True))
    whose = f" of {one.calendar.name}" if one.calendar else ""
    because = f"; {told(one.condition, facts, True)}" if one.condition != All() else ""
    return f"{steps}{whose}, from when it was posted{because}"


def _shown(at: datetime) -> str:
    return at.strftime("%Y-%m-%d %H:%M UTC")


def _name(calendar: Calendar | None) -> str:
    return calendar.name if calendar else ""


# --- reading -----------------------------------------------------------------------------------------------


def read_plan(value: Any, where: Where, sheet: Sheet, named: Named, calendars: Mapping[str, Calendar | None]) -> Plan:
    """The deadlines as they are written; mistakes go onto the sheet."""
    keys = sheet.mapping(value, where, f"a mapping with {', '.join(DEADLINES_KEYS)}")
    sheet.keys(keys, where, DEADLINES_KEYS, "a part of the deadlines")
    listed = keys.get("first_reply", [{}])
    if not isinstance(listed, list) or not listed:
        sheet.wrong((*where, "first_reply"), "has to be a list: every deadline begins with `- name:`")
        listed = []
    remind = (
        read_minutes(keys["remind_before"], (*where, "remind_before"), sheet) if "remind_before" in keys else None
    )
    escalations = _escalations(keys["escalate"], (*where, "escalate"), sheet) if "escalate" in keys else {}
    usual = _Usual(named, calendars, remind, escalations)
    found: list[Deadline] = []
    names: dict[str, str] = {}
    for index, item in enumerate(listed):
        at = (*where, "first_reply", index)
        one = _deadline(item, at, sheet, usual)
        first = names.setdefault(one.name, one.place)
        if first != one.place:
            sheet.wrong((*at, "name"), f'the name "{one.name}" is taken by the deadline at {first}')
        blocker = next((before for before in found if before.condition == All()), None)
        if blocker is not None:
            sheet.doubt(at, f'"{one.name}" is never reached: "{blocker.name}" ({blocker.place}) fits every mention')
        found.append(one)
    tags = sheet.flag(keys["tags"], (*where, "tags")) if "tags" in keys else False
    written = _fields(keys["fields"], (*where, "fields"), sheet) if "fields" in keys else ()
    return Plan(tuple(found), bool(tags), written, where, sheet.document, escalations)


@dataclass(frozen=True, slots=True)
class _Usual:
    """What a deadline may name, and what it has where it does not say otherwise."""

    named: Named
    calendars: Mapping[str, Calendar | None]
    remind: int | None
    escalations: Escalations


def _deadline(value: Any, where: Where, sheet: Sheet, usual: _Usual) -> Deadline:
    keys = sheet.mapping(value, where, "a deadline: a mapping with name, when, target, breach and ceiling")
    sheet.keys(keys, where, DEADLINE_KEYS, "a part of a deadline")
    name = " ".join(sheet.text(keys["name"], (*where, "name")).split()) if "name" in keys else ""
    if keys and not name and "name" not in keys:
        sheet.wrong(where, "has no name: give every deadline one, it is what traces show")
    condition = read_when(keys["when"], (*where, "when"), sheet, usual.named) if "when" in keys else All()
    none = bool(sheet.flag(keys["none"], (*where, "none"))) if "none" in keys else False
    before = len(sheet.problems)
    given = {step: read_minutes(keys[step], (*where, step), sheet) for step in STEPS if step in keys}
    understood = len(sheet.problems) == before  # else it is told already, and what follows from it would be untrue
    if none and (given or {"calendar", "remind_before", "escalate"} & keys.keys()):
        sheet.wrong((*where, "none"), "is given together with hours; keep one", at_key=True)
    minutes = _filled(given)
    if understood and not minutes[0] <= minutes[1] <= minutes[2]:
        steps = ", ".join(f"{step} {spelt(length)}" for step, length in zip(STEPS, minutes, strict=True))
        sheet.wrong(where, f"target, breach and ceiling have to come in this order; they are {steps}")
    remind = usual.remind
    if "remind_before" in keys:
        remind = read_minutes(keys["remind_before"], (*where, "remind_before"), sheet)
    if remind is not None and not none and understood and remind >= minutes[0]:
        early = f"{spelt(remind)} before a target of {spelt(minutes[0])}"
        sheet.doubt(where, f"nobody is reminded of it: {early} would be at once; give it a shorter `remind_before`")
    escalations = usual.escalations
    if "escalate" in keys:
        escalations = _escalations(keys["escalate"], (*where, "escalate"), sheet)
    calendar = _calendar(keys, where, sheet, usual.calendars)
    return Deadline(
        name or "usual",
        condition,
        condition.check,
        minutes,
        calendar,
        none,
        where,
        sheet.document,
        remind,
        escalations,
    )


def _calendar(
    keys: Mapping[str, Any], where: Where, sheet: Sheet, calendars: Mapping[str, Calendar | None]
) -> Calendar | None:
    if "calendar" not in keys:
        return None
    word = sheet.text(keys["calendar"], (*where, "calendar"))
    if word and word not in calendars:
        there = did_you_mean(word, calendars) if calendars else "; there are none yet: write them under `calendars`"
        sheet.wrong((*where, "calendar"), f'there is no calendar "{word}"{there}')
    return calendars.get(word)


def _escalations(value: Any, where: Where, sheet: Sheet) -> Escalations:
    keys = sheet.mapping(value, where, f"a mapping from {', '.join(STEPS)} to what happens then")
    sheet.keys(keys, where, STEPS, "a deadline")
    return {step: _escalation(keys[step], (*where, step), sheet) for step in STEPS if step in keys}


def _escalation(value: Any, where: Where, sheet: Sheet) -> Escalation:
    keys = sheet.mapping(value, where, f"a mapping with {', '.join(ESCALATION_KEYS)}")
    if isinstance(value, dict) and not value:
        sheet.wrong(where, "is empty: say what is set, or what the note says")
    sheet.keys(keys, where, ESCALATION_KEYS, "a part of an escalation")
    note = sheet.text(keys["note"], (*where, "note")) if "note" in keys else ""
    set_on = {key: item for key, item in keys.items() if key in ESCALATED}
    return Escalation(read_settings(set_on, where, sheet) if set_on else (), note)


def _filled(given: Mapping[Step, int]) -> tuple[int, int, int]:
    """The three steps: what is left out is the usual, but never sooner than the step before it."""
    target = given.get("target", min(USUAL["target"], *given.values()) if given else USUAL["target"])
    breach = given.get("breach", max(target, min(USUAL["breach"], given.get("ceiling", USUAL["breach"]))))
    return target, breach, given.get("ceiling", max(breach, USUAL["ceiling"]))


def read_minutes(value: Any, where: Where, sheet: Sheet) -> int:
    """A length of time in minutes; a mistake and an hour if it is none."""
    match = _SPAN.fullmatch(value) if isinstance(value, str) else None
    if match and (match[1] or match[2]):
        minutes = int(match[1] or 0) * 60 + int(match[2] or 0)
        if 0 < minutes <= _MOST_MINUTES:
            return minutes
    sheet.wrong(where, f"{shown(value)} is not a length of time: write it as in 8h, 45min or 1h 30min")
    return 60


def _fields(value: Any, where: Where, sheet: Sheet) -> tuple[Written, ...]:
    found = []
    keys = sheet.mapping(value, where, f"a mapping from {', '.join(STEPS)} to ticket fields")
    sheet.keys(keys, where, STEPS, "a deadline")
    for step in STEPS:
        if step not in keys:
            continue
        at: Where = (*where, step)
        item = keys[step]
        inner = sheet.mapping(item, at, "a field") if isinstance(item, dict) else {"name": item}
        sheet.keys(inner, at, FIELD_KEYS, "understood here")
        spot: Where = (*at, "name") if isinstance(item, dict) else at
        name = sheet.text(inner.get("name"), spot)
        form = sheet.choice(inner["as"], (*at, "as"), FORMS, "a form") if "as" in inner else "time"
        if name:
            found.append(Written(step, name, "date" if form == "date" else "time", spot, sheet.document))
    return tuple(found)
