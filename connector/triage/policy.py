"""The policy: what becomes of a mention, and why.

    tone → rules, first to last → tables → subject and comment

Rules run in the order of the files. What a later rule sets takes the place of what an earlier one set; tags add up.
Tables come after the rules and fill what no rule has set. Every value that reaches the ticket has a line in the trace
with the rule and its `file:line`. The one promise: `decide` never raises. A pattern that takes too long skips its
rule and says so; a template that fails on a mention gives way to the usual one and says so.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import tzinfo
from pathlib import Path
from typing import Any

from jinja2 import TemplateError

from connector.errors import Problem
from connector.markup import shorten
from connector.model import Because, Decision, Mention, Priority, Tone, Vocabulary
from connector.triage.facts import Facts, fold, said_in
from connector.triage.lint import lint
from connector.triage.rules import Rule, Tables
from connector.triage.settings import Assignment, settings_of
from connector.triage.templates import DEFAULT_COMMENT, DEFAULT_SUBJECT, MOST_SUBJECT, Ready, values
from connector.triage.tone import ToneDetector, Trust, judge

DEFAULT_PRIORITY: Priority = "normal"

_BY = {"source": "as the source gave it", "rating": "by the stars of the review", "words": "by the words"}
_EVIDENCE = 5


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one rule for one mention: it fitted, it did not, or it was not reached; and why."""

    rule: str
    place: str
    fitted: bool | None
    why: str


@dataclass(frozen=True)
class Policy:
    """A whole mapping, loaded and immutable. `version` changes with any byte of its files."""

    version: str
    files: tuple[Path, ...]
    warnings: tuple[Problem, ...]
    timezone: str
    rules: tuple[Rule, ...] = field(repr=False)
    tables: Tables = field(repr=False)
    subject: Ready | None = field(repr=False)
    comment: Ready | None = field(repr=False)
    detector: ToneDetector = field(repr=False)
    trust: Trust = field(repr=False)
    zone: tzinfo = field(repr=False)

    def decide(self, mention: Mention) -> Decision:
        """What becomes of this mention. Pure: the same mention gives the same decision. Never raises."""
        facts = self._facts(mention)
        work = _Work(facts)
        ignored = self._apply_rules(work)
        if not ignored:
            self._apply_tables(work)
        settings = settings_of(work.values)
        language = facts.language if facts.language != "unknown" else ""
        named = values(mention, facts.tone, language, settings, self.zone)
        subject = self._written("subject", self.subject, DEFAULT_SUBJECT, named, work)
        return Decision(
            settings=settings,
            subject=shorten(subject, MOST_SUBJECT) or mention.kind,
            comment=self._written("comment", self.comment, DEFAULT_COMMENT, named, work),
            tone=facts.tone,
            language=language,
            ignored=ignored,
            rules=tuple(work.fitted),
            because=tuple(work.trace),
            policy=self.version,
        )

    def outcomes(self, mention: Mention) -> tuple[Outcome, ...]:
        """What came of every rule, for `connector explain`."""
        work = _Work(self._facts(mention))
        found: list[Outcome] = []
        ended = ""
        for rule in self.rules:
            if ended:
                found.append(Outcome(rule.name, rule.place, None, f"{ended} ended the rules"))
                continue
            held = work.fits(rule)
            found.append(Outcome(rule.name, rule.place, held, work.why(rule, held)))
            if held:
                for one in rule.settings:
                    work.put(one, rule.name, "")
                ended = rule.name if rule.ends else ""
        return tuple(found)

    def lint(self, vocabulary: Vocabulary) -> list[Problem]:
        """What the mapping names and this helpdesk does not have: groups, brands, forms, fields, option values."""
        rows = [one for table in self.tables.values() for row in table.values() for one in row]
        return lint([*(one for rule in self.rules for one in rule.settings), *rows], vocabulary)

    def _facts(self, mention: Mention) -> Facts:
        said = said_in(mention)
        tone, language = judge(mention, said, self.detector, self.trust)
        return Facts(mention, tone, language, self.zone, said)

    def _apply_rules(self, work: _Work) -> str:
        """Puts what the rules set; the reason when one of them ignores the mention, else empty."""
        for rule in self.rules:
            if not work.fits(rule):
                continue
            work.fitted.append(rule.name)
            why = work.why(rule, True)
            if rule.ignore:
                work.trace.append(Because("ignored", rule.ignore, rule.name, rule.place, why))
                return rule.ignore
            for one in rule.settings:
                work.put(one, rule.name, why)
            if rule.stop:
                work.trace.append(Because("stop", True, rule.name, rule.place, "later rules were not looked at"))
                break
        return ""

    def _apply_tables(self, work: _Work) -> None:
        by_rules = dict(work.owners)
        for name, rows in self.tables.items():
            row = work.row(name)
            for one in rows.get(row, ()):
                owner = by_rules.get(one.field)
                label = f"table {name}.{row}"
                if owner is None:
                    work.put(one, label, f"{name} is {row}")
                elif work.values[one.field] != one.value:
                    why = f"kept: {label} would set {_plain(one.value)}, but what a rule sets wins"
                    work.trace.append(Because(one.field, work.values[one.field], owner, one.place, why))

    def _written(self, name: str, template: Ready | None, usual: Ready, named: Mapping[str, Any], work: _Work) -> str:
        if template is not None:
            try:
                text = template.text(named)
            except (TemplateError, TypeError, ValueError, ArithmeticError) as error:
                why = f"the template failed on this mention ({type(error).__name__}); the usual one was taken"
                work.trace.append(Because(name, "", "template", "", why))
            else:
                if text:
                    return text
        return usual.text(named)


class _Work:
    """One decision in the making."""

    def __init__(self, facts: Facts) -> None:
        self.facts = facts
        self.values: dict[str, Any] = {"priority": DEFAULT_PRIORITY}
        self.owners: dict[str, str] = {}
        self.fitted: list[str] = []
        self.trace = [
            Because("tone", facts.tone.label, facts.tone.by or "source", "", _tone_why(facts.tone)),
            Because("priority", DEFAULT_PRIORITY, "default", "", "where no rule and no table says otherwise"),
        ]

    def fits(self, rule: Rule) -> bool:
        """Whether the rule fits; one whose pattern takes too long does not."""
        try:
            return rule.check(self.facts)
        except TimeoutError:
            why = "a pattern took too long on this text, so the rule was left out"
            self.trace.append(Because("rule", False, rule.name, rule.place, why))
            return False

    def why(self, rule: Rule, held: bool) -> str:
        """The sentence for the trace."""
        try:
            return rule.condition.tell(self.facts, held)
        except TimeoutError:
            return "a pattern took too long on this text"

    def put(self, one: Assignment, owner: str, why: str) -> None:
        """One value onto the ticket: tags add up, anything else takes the place of what was there."""
        if one.field in ("tags", "untag"):
            other = "untag" if one.field == "tags" else "tags"
            had = self.values.get(one.field, ())
            self.values[one.field] = tuple(dict.fromkeys((*had, *one.value)))
            if self.values.get(other):
                self.values[other] = tuple(tag for tag in self.values[other] if tag not in one.value)
        else:
            self.values[one.field] = one.value
            self.owners[one.field] = owner
            if one.field == "priority":
                self.facts.priority = one.value
        self.trace.append(Because(one.field, one.value, owner, one.place, why))

    def row(self, table: str) -> str:
        """Which row of a table this mention takes."""
        if table == "tone":
            return self.facts.tone.label
        if table == "priority":
            return self.facts.priority
        if table == "kind":
            return self.facts.mention.kind
        return self.facts.language if table == "language" else fold(self.facts.mention.source)


def _tone_why(tone: Tone) -> str:
    words = ", ".join(f"«{word}»" for word in tone.evidence[:_EVIDENCE])
    how = _BY.get(tone.by, f"by {tone.by}" if tone.by else _BY["source"])
    if tone.label == "unknown":
        return f"not clear: {words}" if words else "nothing in it that would tell"
    return f"{how}{': ' + words if words else ''}; confidence {tone.confidence:.2f}"


def _plain(value: Any) -> str:
    return ", ".join(value) if isinstance(value, tuple) else str(value)
