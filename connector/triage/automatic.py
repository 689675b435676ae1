"""Automatic answers: which mentions may be answered by their draft without an agent, as the mapping says.

    automatic:
      kinds: [thanks, praise]     # of `feedback`; each needs its draft in templates.answers
      confidence: 0.8             # of the tone, at least
      per_hour: 20                # all together; and nobody gets two within a day
      dry_run: false              # true, and if left out: a private note says what would have been sent

Nobody who is unhappy, or whose tone is not clear, gets one, whatever the mapping says; nor does anybody who is kept
apart, wrote privately, was answered before, or said anything besides of a kind that is not named here. It answers
only what opens a ticket, in the language it was written in. A storm pauses all of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from connector.triage.facts import Facts
from connector.triage.feedback import NEGATIVE, Kinds, above, tones_of
from connector.triage.sheet import Sheet, shown
from connector.triage.templates import Answers
from connector.yamlfile import Where

AUTOMATIC_KEYS = ("kinds", "confidence", "per_hour", "dry_run")


@dataclass(frozen=True, slots=True)
class Automatic:
    """The section as it is written. `place` is its `file:line`."""

    kinds: tuple[str, ...]
    confidence: float
    per_hour: int
    dry_run: bool
    place: str

    def against(self, facts: Facts, answers: Answers, *, apart: bool) -> str:
        """Why this mention is not answered by itself; empty when it may be."""
        tone = facts.tone
        if tone.label in NEGATIVE or facts.past.tone in NEGATIVE:
            return "who is unhappy is answered by a person"
        if tone.label == "unknown" or not tone.confidence >= self.confidence:
            return f"the tone is not sure enough ({tone.confidence:.2f}, needed {self.confidence:.2f})"
        other = next((kind for kind in facts.kinds if not self._named(kind)), "")
        if other or not facts.kinds:
            return f"{other} is not answered automatically" if other else "it is of no kind of feedback"
        if apart:
            return "it is private, or kept apart"
        if facts.past.answered:
            return "it was answered before"
        if not answers.has(facts.kinds[0], facts.language):
            return f"{facts.kinds[0]} has no draft in {facts.language}"
        return ""

    def _named(self, kind: str) -> bool:
        return any(name in self.kinds for name in (kind, *above(kind)))


def read_automatic(value: Any, where: Where, sheet: Sheet, kinds: Kinds, answers: Answers) -> Automatic:
    """The section as it is written; mistakes go onto the sheet."""
    keys = sheet.mapping(value, where, f"a mapping with {', '.join(AUTOMATIC_KEYS)}")
    sheet.keys(keys, where, AUTOMATIC_KEYS, "a part of automatic answers")
    if "kinds" not in keys:
        sheet.wrong(where, "has no `kinds`: name the kinds of feedback that are answered automatically", at_key=True)
    dry = sheet.flag(keys["dry_run"], (*where, "dry_run")) if "dry_run" in keys else True
    return Automatic(
        kinds=_kinds(keys, where, sheet, kinds, answers),
        confidence=_confidence(keys, where, sheet),
        per_hour=_per_hour(keys, where, sheet),
        dry_run=dry is not False,
        place=sheet.at(where),
    )


def _kinds(keys: Mapping[str, Any], where: Where, sheet: Sheet, kinds: Kinds, answers: Answers) -> tuple[str, ...]:
    found = []
    for at, item in sheet.items(keys["kinds"], (*where, "kinds")) if "kinds" in keys else ():
        name = sheet.choice(item, at, kinds.names(), "a kind of feedback")
        if not name:
            continue
        found.append(name)
        its = [kind for kind in kinds.kinds if name in (kind.name, *above(kind.name))]
        if all(set(tones_of(kind)) <= {*NEGATIVE, "unknown"} for kind in its):
            sheet.wrong(at, f'"{name}" is only said by people who are unhappy, and they are answered by a person')
        elif not any(answers.has(kind.name) for kind in its):
            sheet.wrong(at, f'"{name}" has no draft: write one under templates.answers')
    return tuple(found)


def _confidence(keys: Mapping[str, Any], where: Where, sheet: Sheet) -> float:
    value = keys.get("confidence", 0.8)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0.5 <= value <= 1:
        sheet.wrong((*where, "confidence"), f"has to be a number, 0.5 to 1, not {shown(value)}")
        return 1.0
    return float(value)


def _per_hour(keys: Mapping[str, Any], where: Where, sheet: Sheet) -> int:
    value = keys.get("per_hour", 20)
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= 10_000:
        sheet.wrong((*where, "per_hour"), f"has to be a whole number, 1 to 10000, not {shown(value)}")
        return 1
    return value
