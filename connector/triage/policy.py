"""The policy: what becomes of a mention, and why.

    tone → kinds of feedback → role → score → rules, first to last → tables → deadlines → subject, comment, suggestion

Rules run in the order of the files. What a later rule sets takes the place of what an earlier one set; tags add up,
points add to the score, and a priority that a rule sets is stronger than the score's. Tables come after the rules and
fill what no rule has set. Every value that reaches the ticket has a line in the trace with the rule and its
`file:line`.

Two promises. `decide` never raises: a pattern that takes too long skips its rule and says so, a template that fails
on a mention gives way to the usual one and says so. And a negative mention is never ignored but by a rule that says
`allow_negative: true`: loading proves it, and deciding checks it again.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import tzinfo
from pathlib import Path
from typing import Any

from jinja2 import TemplateError

from connector.errors import Problem
from connector.markup import shorten
from connector.model import (
    Because,
    Deadlines,
    Decision,
    DueStep,
    FieldNeed,
    Mention,
    Past,
    Priority,
    Settings,
    Tone,
    Vocabulary,
)
from connector.triage.automatic import Automatic
from connector.triage.condition import told
from connector.triage.deadlines import Plan
from connector.triage.facts import NOTHING_KNOWN, Facts, fold, said_in
from connector.triage.feedback import NEGATIVE, Kinds, above
from connector.triage.guard import Guard
from connector.triage.lint import lint, needed_fields
from connector.triage.private import USUAL, MoveToPrivate
from connector.triage.roles import Roles
from connector.triage.rules import Rule, Tables
from connector.triage.score import Score
from connector.triage.settings import Assignment, settings_of
from connector.triage.storm import OTHER, Storm, is_apart, topic_of
from connector.triage.templates import DEFAULT_COMMENT, DEFAULT_SUBJECT, MOST_SUBJECT, Answers, Ready, values
from connector.triage.tone import ToneDetector, Trust, judge

DEFAULT_PRIORITY: Priority = "normal"

_BY = {"source": "as the source gave it", "rating": "by the stars of the review", "words": "by the words"}
_CYRILLIC = re.compile(r"[\u0400-\u04ff]")
_EVIDENCE = 5
_KEPT = "would ignore this, but a negative mention is never ignored without `allow_negative: true`, nor a troll's"
_NOTHING = "(no text)"


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
    kinds: Kinds = field(repr=False)
    roles: Roles = field(repr=False)
    score: Score | None = field(repr=False)
    plan: Plan | None = field(repr=False)
    answers: Answers = field(repr=False)
    remember_days: int
    card_trace: bool
    guard: Guard = field(default=Guard(), repr=False)
    storm: Storm | None = field(default=None, repr=False)
    automatic: Automatic | None = field(default=None, repr=False)
    private: MoveToPrivate = field(default_factory=MoveToPrivate, repr=False)

    def decide(self, mention: Mention, past: Past = NOTHING_KNOWN) -> Decision:
        """What becomes of this mention. Pure: the same mention and past give the same decision. Never raises.

        `past` covers the last `remember_days` days."""
        work = self._begun(mention, past)
        facts = work.facts
        ignored = self._apply_rules(work)
        work.settle_priority()
        due = None
        if not ignored:
            self._apply_tables(work)
            due = self._apply_deadlines(work)
        made = Decision(
            settings=settings_of(work.values),
            subject="",
            comment="",
            tone=facts.tone,
            language=facts.language if facts.language != "unknown" else "",
            ignored=ignored,
            rules=tuple(work.fitted),
            policy=self.version,
            feedback=facts.kinds,
            answer_expected=facts.answer_expected,
            score=facts.score if self.score else None,
            deadlines=due,
            owner=self.kinds.owner(facts.kinds[0]) if facts.kinds else "",
            role=facts.role,
            topic=topic_of(self.storm, facts, work.fitted),
            apart=is_apart(self.storm, mention, facts, work.trace),
        )
        named = values(mention, made, past, self.zone)
        subject = self._written("subject", self.subject, DEFAULT_SUBJECT, named, work)
        comment = self._written("comment", self.comment, DEFAULT_COMMENT, named, work)
        suggestion = "" if ignored or facts.role == "troll" else self._suggested(named, work)
        return replace(
            made,
            subject=shorten(subject, MOST_SUBJECT) or mention.kind,
            comment=comment,
            suggestion=suggestion,
            answer=self._answered(suggestion, work, apart=made.apart),
            because=tuple(work.trace),
        )

    def outcomes(self, mention: Mention, past: Past = NOTHING_KNOWN) -> tuple[Outcome, ...]:
        """What came of every rule, for `connector explain`."""
        work = self._begun(mention, past)
        found: list[Outcome] = []
        ended = ""
        for rule in self.rules:
            if ended:
                found.append(Outcome(rule.name, rule.place, None, f"{ended} ended the rules"))
                continue
            held = work.fits(rule)
            if held and work.spares(rule):
                found.append(Outcome(rule.name, rule.place, False, _KEPT))
                continue
            found.append(Outcome(rule.name, rule.place, held, told(rule.condition, work.facts, held)))
            if held:
                for one in rule.settings:
                    work.put(one, rule.name, "")
                ended = rule.name if rule.ends else ""
        return tuple(found)

    def private_line(self, mention: Mention) -> str:
        """What is answered in public where the conversation moves to private; in the mention's language."""
        work = self._begun(mention, NOTHING_KNOWN)
        line = self.private.line(_languages(work.facts))
        made = Decision(Settings(), "", "", work.facts.tone, work.facts.language)
        named = values(mention, made, NOTHING_KNOWN, self.zone)
        return _tried("line", line, named, work, "the line failed", "none") or USUAL["en"]

    def escalation(self, rule: str, steps: Sequence[DueStep]) -> tuple[DueStep, Settings, str] | None:
        """What happens on a ticket whose deadline of that name passed these steps unanswered: the last of them that
        says something, what is set, and what the note adds. None: nothing."""
        return self.plan.escalation(rule, steps) if self.plan else None

    def lint(self, vocabulary: Vocabulary, *, absent: bool = True) -> list[Problem]:
        """What the mapping names and this helpdesk does not have: groups, brands, forms, fields, option values.
        `absent`: also the ticket fields that are not there at all."""
        return lint(self._assignments(), vocabulary, absent=absent)

    def needed_fields(self) -> tuple[FieldNeed, ...]:
        """The ticket fields that the mapping names, each once, with what it has to take."""
        return needed_fields(self._assignments())

    def _assignments(self) -> list[Assignment]:
        """Everything that could be put onto a ticket."""
        rows = [one for table in self.tables.values() for row in table.values() for one in row]
        due = self.plan.examples() if self.plan else []
        alarm = self.storm.settings if self.storm else ()
        return [*(one for rule in self.rules for one in rule.settings), *rows, *due, *alarm]

    def topics(self) -> tuple[str, ...]:
        """Every topic a storm or a silence can be about."""
        if self.storm is not None and self.storm.by == "rule":
            return self.storm.rules
        return (*self.kinds.names(), OTHER)

    def _begun(self, mention: Mention, past: Past) -> _Work:
        """What is known before any rule is asked: tone, kinds of feedback, role, score."""
        said = said_in(mention)
        tone, language = judge(mention, said, self.detector, self.trust)
        work = _Work(Facts(mention, tone, language, self.zone, said, past), self.score)
        self.kinds.find(work.facts, work.trace)
        self.roles.find(work.facts, work.trace)
        work.add_up()
        return work

    def _apply_rules(self, work: _Work) -> str:
        """Puts what the rules set; the reason when one of them ignores the mention, else empty."""
        for rule in self.rules:
            if not work.fits(rule):
                continue
            if work.spares(rule):
                work.trace.append(Because("ignored", "", rule.name, rule.place, f"kept: {_KEPT}"))
                continue
            work.fitted.append(rule.name)
            why = told(rule.condition, work.facts, True)
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
        before = dict(work.owners)
        for name, rows in self.tables.items():
            for row in work.rows(name):
                for one in rows.get(row, ()):
                    label = f"table {name}.{row}"
                    if one.field not in before:
                        work.put(one, label, f"{name} is {row}")
                    else:
                        work.keep(one, label)

    def _apply_deadlines(self, work: _Work) -> Deadlines | None:
        due = self.plan.due(work.facts, work.trace) if self.plan else None
        for one in self.plan.assignments(due) if self.plan and due else ():
            label = f"deadline {due.rule}" if due else ""
            if one.field in work.owners:
                work.keep(one, label)
            else:
                work.put(one, label, "as the deadlines say")
        return due

    def _suggested(self, named: Mapping[str, Any], work: _Work) -> str:
        """The draft of an answer for the first kind that has one; empty where none has, or where it fails."""
        facts = work.facts
        draft = self.answers.find(facts.kinds, _languages(facts))
        if draft is None:
            return ""
        return _tried("suggestion", draft, named, work, "the draft failed on this mention", "none is suggested")

    def _answered(self, suggestion: str, work: _Work, *, apart: bool) -> str:
        """What is answered without an agent; the trace says why nothing is."""
        automatic = self.automatic
        if automatic is None or not suggestion:
            return ""
        why = automatic.against(work.facts, self.answers, apart=apart)
        work.trace.append(Because("answer", not why, "automatic", automatic.place, why or "its draft may be sent"))
        return "" if why else suggestion

    def _written(self, name: str, template: Ready | None, usual: Ready, named: Mapping[str, Any], work: _Work) -> str:
        told = "the template failed on this mention", "the usual one was taken"
        text = _tried(name, template, named, work, *told) if template is not None else ""
        return text or usual.text(named) or _NOTHING


def _languages(facts: Facts) -> tuple[str, str]:
    """The language it was said in, and the one its letters look like."""
    return facts.language, "ru" if _CYRILLIC.search(facts.text.raw) else "en"


def _tried(name: str, template: Ready, named: Mapping[str, Any], work: _Work, what: str, instead: str) -> str:
    """What a template makes of the mention; empty where it fails on it, and the trace says so."""
    try:
        return template.text(named)
    except (TemplateError, TypeError, ValueError, ArithmeticError) as error:
        work.trace.append(Because(name, "", "template", "", f"{what} ({type(error).__name__}); {instead}"))
        return ""


class _Work:
    """One decision in the making."""

    def __init__(self, facts: Facts, score: Score | None) -> None:
        self.facts = facts
        self.score = score
        self.values: dict[str, Any] = {"priority": DEFAULT_PRIORITY}
        self.owners: dict[str, str] = {}
        self.fitted: list[str] = []
        self.trace = [Because("tone", facts.tone.label, facts.tone.by or "source", "", _tone_why(facts.tone))]
        if score is None:
            why = "where no rule and no table says otherwise"
            self.trace.append(Because("priority", DEFAULT_PRIORITY, "default", "", why))

    def add_up(self) -> None:
        """The score before any rule is asked."""
        if self.score is None:
            return
        for line in self.score.summands(self.facts):
            self.trace.append(line)
            self.facts.score += line.value
        self._rate()

    def _rate(self) -> None:
        if self.score is not None and "priority" not in self.owners:
            self.facts.priority = self.values["priority"] = self.score.priority(self.facts.score)

    def settle_priority(self) -> None:
        """The last word on the priority: the score's, unless a rule has set it; either way the trace says so."""
        if self.score is None:
            return
        owner, total = self.owners.get("priority"), self.facts.score
        why = self.score.why(total)
        if owner is not None:
            why = f"kept: {why}, so it would be {self.score.priority(total)}, but what a rule sets wins"
        line = Because("priority", self.values["priority"], owner or "score", self.score.place, why)
        self.trace.append(line)
        self.owners.setdefault("priority", "score")

    def spares(self, rule: Rule) -> bool:
        """Whether this rule would ignore a negative mention, or a troll's, without being allowed to."""
        spared = self.facts.tone.label in NEGATIVE or self.facts.role == "troll"
        return bool(rule.ignore) and not rule.allow_negative and spared

    def fits(self, rule: Rule) -> bool:
        """Whether the rule fits; one whose pattern takes too long does not."""
        try:
            return rule.check(self.facts)
        except TimeoutError:
            why = "a pattern took too long on this text, so the rule was left out"
            self.trace.append(Because("rule", False, rule.name, rule.place, why))
            return False

    def put(self, one: Assignment, owner: str, why: str) -> None:
        """One value onto the ticket: tags add up, anything else takes the place of what was there."""
        if one.field in ("tags", "untag"):
            other = "untag" if one.field == "tags" else "tags"
            had = self.values.get(one.field, ())
            self.values[one.field] = tuple(dict.fromkeys((*had, *one.value)))
            if self.values.get(other):
                self.values[other] = tuple(tag for tag in self.values[other] if tag not in one.value)
        elif one.field == "score":
            self.facts.score += one.value
            self._rate()
        else:
            self.values[one.field] = one.value
            self.owners[one.field] = owner
            if one.field == "priority":
                self.facts.priority = one.value
        self.trace.append(Because(one.field, one.value, owner, one.place, why))

    def keep(self, one: Assignment, label: str) -> None:
        """What was set before stays, and the trace says what would have taken its place."""
        if self.values[one.field] != one.value:
            owner = self.owners[one.field]
            winner = "the score" if owner == "score" else "what a rule sets"
            why = f"kept: {label} would set {_plain(one.value)}, but {winner} wins"
            self.trace.append(Because(one.field, self.values[one.field], owner, one.place, why))

    def rows(self, table: str) -> tuple[str, ...]:
        """Which rows of a table this mention takes, the strongest last."""
        facts = self.facts
        if table == "feedback":
            every = [name for kind in facts.kinds for name in (kind, *above(kind))]
            return tuple(reversed(list(dict.fromkeys(every))))
        if table == "tone":
            return (facts.tone.label,)
        if table == "priority":
            return (facts.priority,)
        if table == "kind":
            return (facts.mention.kind,)
        return (facts.language if table == "language" else fold(facts.mention.source),)


def _tone_why(tone: Tone) -> str:
    words = ", ".join(f"«{word}»" for word in tone.evidence[:_EVIDENCE])
    how = _BY.get(tone.by, f"by {tone.by}" if tone.by else _BY["source"])
    if tone.label == "unknown":
        return f"not clear: {words}" if words else "nothing in it that would tell"
    return f"{how}{': ' + words if words else ''}; confidence {tone.confidence:.2f}"


def _plain(value: Any) -> str:
    return ", ".join(value) if isinstance(value, tuple) else str(value)
