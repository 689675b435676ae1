"""Feedback: what kind of saying it is (thanks, question, complaint.delivery …), and whether an answer is expected.

    feedback:
      complaint: {tone: [negative, very_negative], owner: support}
      complaint.delivery:
        words: [доставк*, курьер*, delivery, courier]
        tone: [negative, very_negative, neutral, unknown]

A mention may be of several kinds; the order of the files is the order of precedence, and the first is the main one. A
kind under another (complaint.delivery under complaint) counts as that one too. Kinds are found before any rule is
asked, each once; a condition on feedback then only looks them up, and still can be reasoned about by its meaning.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from connector.model import TONES, Because, ToneLabel
from connector.triage.condition import All, Called, Check, Condition, Some, fields_in, told
from connector.triage.facts import Facts
from connector.triage.sheet import Sheet
from connector.triage.when import Named, read_one, read_when
from connector.yamlfile import Document, Where

KIND_KEYS = ("words", "tone", "when", "answer_expected", "owner")
NEGATIVE: tuple[ToneLabel, ...] = ("negative", "very_negative")
POSITIVE: tuple[ToneLabel, ...] = ("positive", "very_positive")

_NAME = re.compile(r"[^\W\d_]\w*(?:\.\w+)*")


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of feedback. `answer_expected` is None where the kind does not say."""

    name: str
    condition: Condition
    check: Check
    answer_expected: bool | None
    owner: str
    where: Where
    document: Document

    @property
    def place(self) -> str:
        """`file:line` of its name."""
        at = self.document.key_places.get(self.where) or self.document.place(self.where)
        return f"{self.document.file}:{at.line}"


@dataclass(frozen=True)
class OfKind(Called):
    """The mention is of this kind of feedback, or of one under it."""

    def _made(self) -> Check:
        name = self.name
        return lambda facts: name in facts.feedback

    def bounds(self, known: Mapping[str, Any]) -> tuple[bool, bool]:
        """As far as what makes the kind is known."""
        if self.name in known.get("feedback", ()):
            return True, False
        return self.meaning.bounds(known)


class Kinds:
    """All kinds of a mapping, in their order."""

    def __init__(self, kinds: Iterable[Kind] = ()) -> None:
        self.kinds = tuple(kinds)
        self.by_name = {kind.name: kind for kind in self.kinds}

    def names(self) -> list[str]:
        """Every name a condition may use: the kinds, and what stands above them."""
        return list(dict.fromkeys(name for kind in self.kinds for name in (kind.name, *above(kind.name))))

    def conditions(self) -> dict[str, Condition]:
        """What `feedback: name` asks for each of those names."""
        return {
            name: OfKind(
                "feedback",
                name,
                Some(tuple(kind.condition for kind in self.kinds if name in (kind.name, *above(kind.name)))),
            )
            for name in self.names()
        }

    def find(self, facts: Facts, trace: list[Because]) -> None:
        """Puts the kinds of this mention, the main one first, and whether an answer is expected into the facts, and
        the reasons into the trace. A pattern that takes too long leaves its kind out."""
        if not self.kinds:
            return
        fitting: list[Kind] = []
        for kind in self.kinds:
            try:
                if kind.check(facts):
                    fitting.append(kind)
            except TimeoutError:
                why = "a pattern took too long on this text, so the kind was left out"
                trace.append(Because("feedback", "", kind.name, kind.place, why))
        facts.feedback = frozenset(name for kind in fitting for name in (kind.name, *above(kind.name)))
        covered = {name for kind in fitting for name in above(kind.name)}
        facts.kinds = tuple(kind.name for kind in fitting if kind.name not in covered)
        trace.extend(
            Because("feedback", kind.name, kind.name, kind.place, told(kind.condition, facts, True))
            for kind in fitting
            if kind.name not in covered
        )
        _expect(facts, fitting, trace)

    def owner(self, name: str) -> str:
        """Whose matter this kind is: as it says itself, or the nearest above it."""
        return next(
            (kind.owner for one in (name, *above(name)) if (kind := self.by_name.get(one)) and kind.owner), ""
        )


def above(name: str) -> tuple[str, ...]:
    """What a kind stands under, the nearest first: complaint.delivery.late → complaint.delivery, complaint."""
    parts = name.split(".")
    return tuple(".".join(parts[:length]) for length in range(len(parts) - 1, 0, -1))


def _expect(facts: Facts, fitting: list[Kind], trace: list[Because]) -> None:
    decisive = next((kind for kind in fitting if kind.answer_expected is not None), None)
    if decisive is not None:
        facts.answer_expected = bool(decisive.answer_expected)
        trace.append(
            Because("answer_expected", facts.answer_expected, decisive.name, decisive.place, "its kind says so")
        )
        return
    reasons = (
        ("it is negative", facts.tone.label in NEGATIVE),
        ("it is private", facts.mention.private),
        ("it asks something", "?" in facts.text.raw),
    )
    why = next((reason for reason, holds in reasons if holds), "")
    facts.answer_expected = bool(why)
    trace.append(
        Because("answer_expected", bool(why), "default", "", why or "neither negative, private nor a question")
    )


# --- reading -----------------------------------------------------------------------------------------------


def read_kind(name: str, value: Any, where: Where, sheet: Sheet, named: Named) -> Kind | None:
    """One kind of feedback as it is written; mistakes go onto the sheet."""
    if not _NAME.fullmatch(name):
        message = f'"{name}" is not a name for a kind: letters, digits and _, a dot before what is under it'
        sheet.wrong(where, message, at_key=True)
        return None
    keys = sheet.mapping(value, where, f"a kind of feedback: a mapping with {', '.join(KIND_KEYS)}")
    if not keys:
        return None
    sheet.keys(keys, where, KIND_KEYS, "a part of a kind of feedback")
    parts = [read_one(field, keys[key], (*where, key), sheet, named) for key, field in _SHORT if key in keys]
    if "when" in keys:
        parts.append(read_when(keys["when"], (*where, "when"), sheet, named))
    if not parts:
        sheet.wrong(where, "says nothing of when it is meant: give it words, tone or when", at_key=True)
    condition = parts[0] if len(parts) == 1 else All(tuple(parts))
    late = sorted({"priority", "score", "feedback", "answer_expected", "role"}.intersection(fields_in(condition)))
    if late:
        message = f"cannot ask for {' and '.join(late)}: kinds of feedback are found before those are known"
        sheet.wrong((*where, "when"), message, at_key=True)
    answer = sheet.flag(keys["answer_expected"], (*where, "answer_expected")) if "answer_expected" in keys else None
    owner = sheet.text(keys["owner"], (*where, "owner")) if "owner" in keys else ""
    return Kind(name, condition, condition.check, answer, owner, where, sheet.document)


_SHORT = (("words", "text"), ("tone", "tone"))


def tones_of(kind: Kind) -> list[ToneLabel]:
    """The tones a mention of this kind can have."""
    return [tone for tone in TONES if kind.condition.bounds({"tone": tone})[0]]
