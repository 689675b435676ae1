"""The score: how much a mention matters, as a sum everybody can check, and the priority it comes to.

    score:
      start: 20
      tone: {very_negative: 40, negative: 30, positive: -10}
      strength: 10                         # times how negative the words are, 0 to 1
      author.followers: [{at_least: 10000, points: 40}, {below: 100, points: -15}]
      also:
        - {name: at night, when: {hour: 0-6}, points: 10}
      thresholds: {normal: 15, high: 45, urgent: 75}

The sum stands before any rule is asked, so rules may look at `score` and `priority`; a rule's `set: {score: 20}` adds
to it, and a rule's `set: {priority: …}` has the last word. Every summand has its line in the trace.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from connector.model import KINDS, ROLES, TONES, Because, Priority
from connector.triage.condition import All, Condition, fields_in, told
from connector.triage.facts import UNKNOWN_LANGUAGE, Facts, fold, getter
from connector.triage.feedback import NEGATIVE, above
from connector.triage.settings import read_points
from connector.triage.sheet import Sheet
from connector.triage.wants import Span
from connector.triage.when import BOUNDS, COUNTS, Named, read_span, read_when
from connector.yamlfile import Document, Where, did_you_mean

THRESHOLDS: Mapping[Priority, int] = {"normal": 20, "high": 50, "urgent": 80}
TALLIES: Mapping[str, tuple[str, ...] | None] = {
    "tone": TONES,
    "last_tone": TONES,
    "role": ROLES,
    "kind": KINDS,
    "feedback": None,
    "source": None,
    "platform": None,
    "language": None,
}
STEPPED = (
    "author.followers",
    "author.contacts",
    "author.negative",
    "author.positive",
    "rating",
    "engagement.total",
    *(f"engagement.{count}" for count in COUNTS),
    "text.length",
    "text.links",
)
EXTRA_KEYS = ("name", "when", "points")
SCORE_KEYS = ("start", "strength", *TALLIES, *STEPPED, "also", "thresholds")


_ALWAYS = All()


@dataclass(frozen=True, slots=True)
class Summand:
    """Points for one thing that may be true of a mention: a label, a stretch of numbers or a condition."""

    name: str
    points: int
    place: str
    span: Span | None = None
    condition: Condition = _ALWAYS


@dataclass(frozen=True, slots=True)
class Score:
    """A whole score, ready to add up."""

    start: int
    strength: int
    tallies: Mapping[str, Mapping[str, Summand]]
    steps: Mapping[str, tuple[Summand, ...]]
    also: tuple[Summand, ...]
    thresholds: Mapping[Priority, int]
    where: Where
    document: Document

    @property
    def place(self) -> str:
        """`file:line` of the thresholds, or of the score."""
        return self.document.at((*self.where, "thresholds"))

    def priority(self, score: int) -> Priority:
        """What a sum comes to."""
        reached: list[Priority] = [name for name, least in self.thresholds.items() if score >= least]
        return reached[-1] if reached else "low"

    def why(self, score: int) -> str:
        """The sentence for the trace."""
        name = self.priority(score)
        if name == "low":
            return f"the score {score} is below {self.thresholds['normal']}"
        return f"the score {score} is at least {self.thresholds[name]}"

    def summands(self, facts: Facts) -> Iterator[Because]:
        """What this mention is given points for, a line of the trace each; their values add up to its score."""
        if self.start:
            yield Because(
                "score", self.start, "score start", self.document.at((*self.where, "start")), "to begin with"
            )
        for field, table in self.tallies.items():
            for label in self._labels(field, facts):
                one = table.get(label)
                if one is not None:
                    yield Because("score", one.points, f"score {one.name}", one.place, f"{field} is {label}")
        yield from self._strength(facts)
        for field, steps in self.steps.items():
            value = getter(field)(facts)
            step = next((step for step in steps if value is not None and step.span and step.span.has(value)), None)
            if step is not None and step.span is not None:
                why = f"{field} {value:g} is {step.span.shown()}"
                yield Because("score", step.points, f"score {field}", step.place, why)
        for one in self.also:
            try:
                if one.condition.check(facts):
                    yield Because("score", one.points, one.name, one.place, told(one.condition, facts, True))
            except TimeoutError:
                yield Because("score", 0, one.name, one.place, "a pattern took too long on this text")

    def _strength(self, facts: Facts) -> Iterator[Because]:
        if not self.strength or facts.tone.label not in NEGATIVE or math.isnan(facts.tone.score):
            return
        share = min(1.0, abs(facts.tone.score))
        points = round(self.strength * share)
        if points:
            place = self.document.at((*self.where, "strength"))
            yield Because("score", points, "score strength", place, f"the tone is {share:.2f} of 1 negative")

    def _labels(self, field: str, facts: Facts) -> Sequence[str]:
        """The rows of a table this mention takes; of a kind of feedback the nearest row above it too."""
        if field != "feedback":
            value = getter(field)(facts)
            return (value,)
        rows = self.tallies[field]
        found = (next((one for one in (name, *above(name)) if one in rows), "") for name in facts.kinds)
        return tuple(dict.fromkeys(one for one in found if one))


# --- reading -----------------------------------------------------------------------------------------------


def read_score(value: Any, where: Where, sheet: Sheet, named: Named) -> Score:
    """The score as it is written; mistakes go onto the sheet."""
    keys = sheet.mapping(value, where, "a mapping of what counts how much")
    sheet.keys(keys, where, SCORE_KEYS, "a part of a score")
    tallies = {
        name: _tally(name, keys[name], (*where, name), sheet, named) for name in TALLIES if keys.get(name) is not None
    }
    steps = {name: _steps(name, keys[name], (*where, name), sheet) for name in STEPPED if keys.get(name) is not None}
    return Score(
        start=read_points(keys.get("start", 0), (*where, "start"), sheet),
        strength=read_points(keys.get("strength", 0), (*where, "strength"), sheet),
        tallies=tallies,
        steps=steps,
        also=_also(keys["also"], (*where, "also"), sheet, named) if "also" in keys else (),
        thresholds=_thresholds(keys.get("thresholds", {}), (*where, "thresholds"), sheet),
        where=where,
        document=sheet.document,
    )


def _tally(name: str, value: Any, where: Where, sheet: Sheet, named: Named) -> dict[str, Summand]:
    found: dict[str, Summand] = {}
    rows = sheet.mapping(value, where, f"a mapping from {name} to points")
    allowed = tuple(named.feedback) if name == "feedback" else TALLIES[name]
    if allowed is not None:
        what = "a kind of feedback" if name == "feedback" else "a tone" if name.endswith("tone") else f"a {name}"
        sheet.keys(rows, where, allowed, what)
    for row, points in rows.items():
        at = (*where, row)
        if name == "language" and row != UNKNOWN_LANGUAGE and not (row.isalpha() and row.islower()):
            sheet.wrong(at, f'"{row}" is not a language code{did_you_mean(row, ("ru", "en", "uk"))}', at_key=True)
        label = fold(row) if name in ("source", "platform") else row
        found[label] = Summand(f"{name}.{row}", read_points(points, at, sheet), sheet.at(at))
    return found


def _steps(name: str, value: Any, where: Where, sheet: Sheet) -> tuple[Summand, ...]:
    found = []
    for at, item in sheet.items(value, where):
        keys = sheet.mapping(item, at, "bounds with points, as in {at_least: 1000, points: 10}")
        if not keys:
            continue
        sheet.keys(keys, at, (*BOUNDS, "points"), "understood here")
        span = read_span({key: keys[key] for key in BOUNDS if key in keys}, at, sheet)
        if "points" not in keys:
            sheet.wrong(at, "has no points")
        found.append(Summand(name, read_points(keys.get("points", 0), (*at, "points"), sheet), sheet.at(at), span))
    for index, step in enumerate(found):
        blocker = next((one for one in found[:index] if step.span and one.span and step.span.within(one.span)), None)
        if blocker is not None:
            sheet.doubt((*where, index), f"never counts: the step at {blocker.place} already takes all of it")
    return tuple(found)


def _also(value: Any, where: Where, sheet: Sheet, named: Named) -> tuple[Summand, ...]:
    found: list[Summand] = []
    if not isinstance(value, list):
        sheet.wrong(where, "has to be a list of {name: …, when: …, points: …}")
        return ()
    for index, item in enumerate(value):
        at = (*where, index)
        keys = sheet.mapping(item, at, "a mapping with name, when and points")
        sheet.keys(keys, at, EXTRA_KEYS, "understood here")
        missing = [key for key in EXTRA_KEYS if key not in keys]
        if missing:
            sheet.wrong(at, f"has no {' and no '.join(missing)}")
            continue
        condition = read_when(keys["when"], (*at, "when"), sheet, named)
        late = sorted({"priority", "score"}.intersection(fields_in(condition)))
        if late:
            sheet.wrong((*at, "when"), f"cannot ask for {' and '.join(late)}: this is what makes it", at_key=True)
        name = " ".join(sheet.text(keys["name"], (*at, "name")).split())
        points = read_points(keys["points"], (*at, "points"), sheet)
        found.append(Summand(name, points, sheet.at((*at, "name")), condition=condition))
    return tuple(found)


def _thresholds(value: Any, where: Where, sheet: Sheet) -> Mapping[Priority, int]:
    keys = sheet.mapping(value, where, "a mapping with normal, high and urgent")
    sheet.keys(keys, where, THRESHOLDS, "a priority that begins at a score")
    found = {
        name: read_points(keys[name], (*where, name), sheet) if name in keys else usual
        for name, usual in THRESHOLDS.items()
    }
    if not found["normal"] < found["high"] < found["urgent"]:
        told = ", ".join(f"{name} {least}" for name, least in found.items())
        sheet.wrong(where, f"have to grow from normal to urgent; they are {told}")
    return found
