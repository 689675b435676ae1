"""From a directory of YAML to a Policy, or to every mistake in it at once.

All `*.yaml` in the directory make one mapping, in the order of their names; each file in `lists/` below it is one
list, called by its file's name; `tests/` holds its tests. Rules and kinds of feedback add up; everything else may be
given once, in whichever file. Beyond single mistakes the whole is looked at: review.py.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from datetime import UTC, tzinfo
from pathlib import Path
from typing import Any

from connector.errors import ConfigError, Problem
from connector.triage.automatic import Automatic, read_automatic
from connector.triage.calendars import Calendar, conditions, read_calendar, read_zone
from connector.triage.deadlines import Plan, read_plan
from connector.triage.feedback import Kind, Kinds, read_kind
from connector.triage.guard import Guard
from connector.triage.guard.read import read_guard
from connector.triage.policy import Policy
from connector.triage.private import MoveToPrivate, read_private
from connector.triage.review import review
from connector.triage.roles import Roles, read_roles
from connector.triage.rules import TABLES, Rule, Rules, read_tables
from connector.triage.score import Score, read_score
from connector.triage.settings import Assignment
from connector.triage.sheet import Sheet, shown
from connector.triage.storm import Storm, read_storm
from connector.triage.templates import MOST_COMMENT, Answers, Ready, read_answer, read_template
from connector.triage.tone import Ngrams, ToneDetector, Trust
from connector.triage.tone.section import FindDetector, read_tone
from connector.triage.when import Named, lists_in
from connector.yamlfile import read

FILE_KEYS = (
    "timezone", "remember_days", "tone", "lists", "calendars", "feedback", "people", "score", "rules", "sources",
    "brands", "tables", "deadlines", "templates", "card", "guard", "storm", "automatic", "move_to_private",
)  # fmt: skip
TEMPLATES: Mapping[str, int] = {"subject": 2_000, "comment": MOST_COMMENT}
TEMPLATE_KEYS = (*TEMPLATES, "answers")
CARD_KEYS = ("trace",)
LISTS = "lists"
REMEMBER_DAYS = 30


def load(directory: Path, detector: ToneDetector | None = None, find: FindDetector | None = None) -> Policy:
    """The policy written in a directory. ConfigError with every problem at once; what only looks wrong is in
    `Policy.warnings`. `detector` reads tones whatever the mapping says; `find` finds the one that it names."""
    files = mapping_files(directory)
    name = directory.resolve().name
    digest = hashlib.sha256()
    sheets: list[Sheet] = []
    lists: list[Sheet] = []
    problems: list[Problem] = []
    for path in files:
        try:
            within = _within(path, directory)
            document = read(path, f"{name}/{within}")
            digest.update(f"{within}\0".encode() + path.read_bytes() + b"\0")
        except ConfigError as error:
            problems += error.problems
        else:
            (lists if path.parent.name == LISTS and path.parent != directory else sheets).append(Sheet(document))
    merged = _Merged(sheets, lists, directory, find)
    merged.read()
    problems += [problem for sheet in (*lists, *sheets) for problem in sheet.problems]
    problems += review(merged.rules, merged.tables, merged.kinds, merged.score, merged.answers, problems)
    problems += _beside(directory, name, files)
    if merged.model is not None and merged.model.is_file():
        digest.update(merged.model.read_bytes())
    if any(problem.severity == "error" for problem in problems):
        raise ConfigError(sorted(problems, key=_order))
    return Policy(
        version=digest.hexdigest()[:12],
        files=tuple(files),
        warnings=tuple(sorted(problems, key=_order)),
        timezone=merged.timezone,
        rules=tuple(merged.rules),
        tables={table: merged.tables[table] for table in TABLES if table in merged.tables},
        subject=merged.templates.get("subject"),
        comment=merged.templates.get("comment"),
        detector=detector or merged.detector,
        trust=merged.trust,
        zone=merged.zone,
        kinds=merged.kinds,
        roles=merged.roles,
        score=merged.score,
        plan=merged.plan,
        answers=merged.answers,
        remember_days=merged.remember_days,
        card_trace=merged.card_trace,
        guard=merged.guard,
        storm=merged.storm,
        automatic=merged.automatic,
        private=merged.private,
    )


def mapping_files(directory: Path) -> list[Path]:
    """The files a mapping is made of, in the order they are read. ConfigError when there is no such directory."""
    if not directory.is_dir():
        raise ConfigError(
            [Problem(str(directory), 0, 0, "", "is not a directory; `connector init` writes one to start from")]
        )
    found = [*sorted(directory.glob("*.yaml")), *sorted((directory / LISTS).glob("*.yaml"))]
    return [path for path in found if path.is_file() and not path.name.startswith(".")]


def _within(path: Path, directory: Path) -> str:
    return path.relative_to(directory).as_posix()


def _order(problem: Problem) -> tuple[str, int, int]:
    return problem.file, problem.line, problem.column


def _beside(directory: Path, name: str, files: list[Path]) -> list[Problem]:
    """Warnings about what lies in the directory and is not read."""
    found = [
        Problem(
            f"{name}/{_within(path, directory)}",
            0,
            0,
            "",
            f"is not read: rename it to {path.stem}.yaml",
            "warning",
        )
        for path in (*sorted(directory.glob("*.yml")), *sorted((directory / LISTS).glob("*.yml")))
    ]
    if not files:
        found.append(Problem(name, 0, 0, "", "holds no *.yaml: every mention becomes a plain ticket", "warning"))
    return found


class _Merged:
    """What several files say together."""

    def __init__(self, sheets: list[Sheet], lists: list[Sheet], directory: Path, find: FindDetector | None) -> None:
        self.sheets = sheets
        self.list_sheets = lists
        self.directory = directory
        self.find = find
        self.detector: ToneDetector = Ngrams()
        self.trust = Trust()
        self.model: Path | None = None
        self.rules: list[Rule] = []
        self.tables: dict[str, dict[str, tuple[Assignment, ...]]] = {}
        self.templates: dict[str, Ready] = {}
        self.lists: dict[str, tuple[str, ...]] = {}
        self.calendars: dict[str, Calendar | None] = {}
        self.kinds = Kinds()
        self.roles = Roles()
        self.score: Score | None = None
        self.plan: Plan | None = None
        self.answers = Answers({})
        self.guard = Guard()
        self.storm: Storm | None = None
        self.automatic: Automatic | None = None
        self.private = MoveToPrivate()
        self.timezone = "UTC"
        self.zone: tzinfo = UTC
        self.remember_days = REMEMBER_DAYS
        self.card_trace = False
        self.owners: dict[str, str] = {}

    def read(self) -> None:
        """Reads everything: first what has names, for conditions of any file may use them."""
        contents = [(sheet, self._top(sheet)) for sheet in self.sheets]
        self._read_list_files()
        for sheet, content in contents:
            self._read_lists(sheet, content.get("lists"))
            self._read_timezone(sheet, content)
            if content.get("tone") is not None and self._once(sheet, ("tone",)):
                read_one = read_tone(content["tone"], sheet, self.directory, self.find)
                self.detector, self.trust, self.model = read_one
        for sheet, content in contents:
            self._read_calendars(sheet, content.get("calendars"))
        ready = {name: calendar for name, calendar in self.calendars.items() if calendar is not None}
        named = Named(lists=self.lists, calendars=conditions(ready))
        self.kinds = Kinds(kind for sheet, content in contents for kind in self._kinds(sheet, content, named))
        named = Named(self.lists, self.kinds.conditions(), conditions(ready))
        rules = Rules(named)
        answers: dict[str, Mapping[str, Ready]] = {}
        for sheet, content in contents:
            if content.get("people") is not None and self._once(sheet, ("people",)):
                self.roles = read_roles(content["people"], ("people",), sheet, named)
            if "score" in content and self._once(sheet, ("score",)):
                self.score = read_score(content["score"], ("score",), sheet, named)
            rules.read(content, sheet)
            read_tables(content.get("tables"), sheet, self.tables, named)
            if "deadlines" in content and self._once(sheet, ("deadlines",)):
                value = {} if content["deadlines"] is None else content["deadlines"]
                self.plan = read_plan(value, ("deadlines",), sheet, named, self.calendars)
            self._read_templates(sheet, content.get("templates"), named, answers)
            if "guard" in content and self._once(sheet, ("guard",)):
                self.guard = read_guard(content["guard"], sheet, self.lists)
            if content.get("move_to_private") is not None and self._once(sheet, ("move_to_private",)):
                self.private = read_private(content["move_to_private"], ("move_to_private",), sheet)
            self._read_small(sheet, content)
        self.rules, self.answers = rules.rules, Answers(answers)
        for sheet, content in contents:  # after all rules and drafts, which they may name
            if content.get("storm") is not None and self._once(sheet, ("storm",)):
                names = [rule.name for rule in self.rules]
                self.storm = read_storm(content["storm"], ("storm",), sheet, named, names)
            if content.get("automatic") is not None and self._once(sheet, ("automatic",)):
                where = ("automatic",)
                self.automatic = read_automatic(content["automatic"], where, sheet, self.kinds, self.answers)
        self._unused(contents)

    def _unused(self, contents: list[tuple[Sheet, Mapping[str, Any]]]) -> None:
        used: set[str] = set()
        for _, content in contents:
            used |= lists_in({key: value for key, value in content.items() if key != "lists"})
        for sheet, content in contents:
            lists = content.get("lists")
            for name in lists if isinstance(lists, dict) else ():
                if isinstance(name, str) and name not in used:
                    sheet.doubt(("lists", name), f'no rule uses the list "{name}"', at_key=True)
        for sheet in self.list_sheets:
            name = Path(sheet.document.file).stem
            if name not in used:
                sheet.doubt((), f'no rule uses the list "{name}"')

    def _top(self, sheet: Sheet) -> Mapping[str, Any]:
        if sheet.document.value is None:
            return {}
        keys = sheet.mapping(sheet.document.value, (), f"a mapping with {', '.join(FILE_KEYS)}")
        sheet.keys(keys, (), FILE_KEYS, "a part of a mapping")
        return keys

    def _once(self, sheet: Sheet, where: tuple[str, ...]) -> bool:
        """Whether this is the first file to give it; else a mistake."""
        label = ".".join(where)
        first = self.owners.setdefault(label, sheet.at(where))
        if first != sheet.at(where):
            sheet.wrong(where, f"is already given at {first}; keep one", at_key=True)
        return first == sheet.at(where)

    def _read_list_files(self) -> None:
        for sheet in self.list_sheets:
            name = Path(sheet.document.file).stem
            self.owners[f"lists.{name}"] = sheet.at(())
            if sheet.document.value is None:
                self.lists[name] = ()
            elif isinstance(sheet.document.value, dict):
                sheet.wrong((), "has to be a plain list, each item on a line of its own after a dash")
            else:
                texts = [sheet.text(item, at) for at, item in sheet.items(sheet.document.value, ())]
                self.lists[name] = tuple(text for text in texts if text)

    def _read_lists(self, sheet: Sheet, value: Any) -> None:
        if value is None:
            return
        for name, items in sheet.mapping(value, ("lists",), "a mapping from names to lists").items():
            where = ("lists", name)
            if self._once(sheet, where):
                texts = [sheet.text(item, at) for at, item in sheet.items(items, where)]
                self.lists[name] = tuple(text for text in texts if text)

    def _read_timezone(self, sheet: Sheet, content: Mapping[str, Any]) -> None:
        if "timezone" in content and self._once(sheet, ("timezone",)):
            zone = read_zone(content["timezone"], ("timezone",), sheet)
            self.timezone, self.zone = zone or (self.timezone, self.zone)

    def _read_calendars(self, sheet: Sheet, value: Any) -> None:
        if value is None:
            return
        for name, item in sheet.mapping(value, ("calendars",), "a mapping from names to calendars").items():
            where = ("calendars", name)
            if self._once(sheet, where):
                self.calendars[name] = read_calendar(name, item, where, sheet, self.zone)

    def _kinds(self, sheet: Sheet, content: Mapping[str, Any], named: Named) -> Iterator[Kind]:
        if content.get("feedback") is None:
            return
        what = "a mapping from kinds of feedback to their words"
        for name, item in sheet.mapping(content["feedback"], ("feedback",), what).items():
            where = ("feedback", name)
            kind = read_kind(name, item, where, sheet, named) if self._once(sheet, where) else None
            if kind is not None:
                yield kind

    def _read_templates(
        self, sheet: Sheet, value: Any, named: Named, answers: dict[str, Mapping[str, Ready]]
    ) -> None:
        if value is None:
            return
        keys = sheet.mapping(value, ("templates",), f"a mapping with {', '.join(TEMPLATE_KEYS)}")
        sheet.keys(keys, ("templates",), TEMPLATE_KEYS, "a template")
        for name, source in keys.items():
            where = ("templates", name)
            if name in TEMPLATES and self._once(sheet, where):
                ready = read_template(source, where, sheet, TEMPLATES[name])
                if ready is not None:
                    self.templates[name] = ready
        if keys.get("answers") is None:
            return
        where = ("templates", "answers")
        drafts = sheet.mapping(keys["answers"], where, "a mapping from kinds of feedback to answers")
        sheet.keys(drafts, where, named.feedback, "a kind of feedback")
        for kind, source in drafts.items():
            if self._once(sheet, (*where, kind)):
                answers[kind] = read_answer(source, (*where, kind), sheet)

    def _read_small(self, sheet: Sheet, content: Mapping[str, Any]) -> None:
        if "remember_days" in content and self._once(sheet, ("remember_days",)):
            days = content["remember_days"]
            if isinstance(days, bool) or not isinstance(days, int) or not 1 <= days <= 3_650:
                sheet.wrong(("remember_days",), f"has to be a number of days, 1 to 3650, not {shown(days)}")
            else:
                self.remember_days = days
        if content.get("card") is not None and self._once(sheet, ("card",)):
            keys = sheet.mapping(content["card"], ("card",), "a mapping with trace")
            sheet.keys(keys, ("card",), CARD_KEYS, "a setting of the card")
            if "trace" in keys:
                self.card_trace = bool(sheet.flag(keys["trace"], ("card", "trace")))
