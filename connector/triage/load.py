"""From a directory of YAML to a Policy, or to every mistake in it at once.

All `*.yaml` in the directory make one mapping, in the order of their names; `tests/` below it holds its tests. Rules
add up; a table row, a template, a list and the time zone may be given once.

Beyond single mistakes the whole is looked at (`_review`): an ignore rule that could swallow a complaint is an error,
a rule that is never reached or that says the same as another is a warning.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from datetime import UTC, tzinfo
from itertools import product
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

from connector.errors import ConfigError, Problem
from connector.model import KINDS, PRIORITIES, TONES
from connector.triage.condition import All, fields_in, implies
from connector.triage.policy import DEFAULT_PRIORITY, Policy
from connector.triage.rules import TABLES, Rule, read_rules, read_tables
from connector.triage.settings import Assignment
from connector.triage.sheet import Sheet
from connector.triage.templates import MOST_COMMENT, Ready, read_template
from connector.triage.tone import Ngrams, ToneDetector, Trust
from connector.triage.tone.section import FindDetector, read_tone
from connector.triage.when import lists_in
from connector.yamlfile import did_you_mean, dotted, read

FILE_KEYS = ("timezone", "tone", "rules", "tables", "templates", "lists")
TEMPLATES: Mapping[str, int] = {"subject": 2_000, "comment": MOST_COMMENT}
NEGATIVE = ("negative", "very_negative")


def load(directory: Path, detector: ToneDetector | None = None, find: FindDetector | None = None) -> Policy:
    """The policy written in a directory. ConfigError with every problem at once; what only looks wrong is in
    `Policy.warnings`. `detector` reads tones whatever the mapping says; `find` finds the one that it names."""
    files = mapping_files(directory)
    name = directory.resolve().name
    digest = hashlib.sha256()
    sheets: list[Sheet] = []
    problems: list[Problem] = []
    for path in files:
        try:
            document = read(path, f"{name}/{path.name}")
            digest.update(f"{path.name}\0".encode() + path.read_bytes() + b"\0")
        except ConfigError as error:
            problems += error.problems
        else:
            sheets.append(Sheet(document))
    merged = _Merged(sheets, directory, find)
    merged.read()
    problems += [problem for sheet in sheets for problem in sheet.problems]
    problems += _review([rule for rule in merged.rules if not _broken(rule, problems)])
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
    )


def mapping_files(directory: Path) -> list[Path]:
    """The files a mapping is made of, in the order they are read. ConfigError when there is no such directory."""
    if not directory.is_dir():
        raise ConfigError(
            [Problem(str(directory), 0, 0, "", "is not a directory; `connector init` writes one to start from")]
        )
    return sorted(path for path in directory.glob("*.yaml") if path.is_file() and not path.name.startswith("."))


def _order(problem: Problem) -> tuple[str, int, int]:
    return problem.file, problem.line, problem.column


def _beside(directory: Path, name: str, files: list[Path]) -> list[Problem]:
    """Warnings about what lies in the directory and is not read."""
    found = [
        Problem(f"{name}/{path.name}", 0, 0, "", f"is not read: rename it to {path.stem}.yaml", "warning")
        for path in sorted(directory.glob("*.yml"))
    ]
    if not files:
        found.append(Problem(name, 0, 0, "", "holds no *.yaml: every mention becomes a plain ticket", "warning"))
    return found


class _Merged:
    """What several files say together."""

    def __init__(self, sheets: list[Sheet], directory: Path, find: FindDetector | None) -> None:
        self.sheets = sheets
        self.directory = directory
        self.find = find
        self.detector: ToneDetector = Ngrams()
        self.trust = Trust()
        self.model: Path | None = None
        self.rules: list[Rule] = []
        self.tables: dict[str, dict[str, tuple[Assignment, ...]]] = {}
        self.templates: dict[str, Ready] = {}
        self.lists: dict[str, tuple[str, ...]] = {}
        self.timezone = "UTC"
        self.zone: tzinfo = UTC

    def read(self) -> None:
        """Reads everything: lists first, for rules of any file may use them."""
        contents = [(sheet, self._top(sheet)) for sheet in self.sheets]
        owners: dict[str, str] = {}
        for sheet, content in contents:
            self._read_lists(sheet, content.get("lists"), owners)
            self._read_timezone(sheet, content, owners)
            if content.get("tone") is not None and self._once(sheet, ("tone",), owners):
                read = read_tone(content["tone"], sheet, self.directory, self.find)
                self.detector, self.trust, self.model = read
            self._read_templates(sheet, content.get("templates"), owners)
        names: dict[str, str] = {}
        used: set[str] = set()
        for sheet, content in contents:
            self.rules += read_rules(content.get("rules"), sheet, self.lists, names)
            read_tables(content.get("tables"), sheet, self.tables)
            used |= lists_in(content.get("rules"))
        for sheet, content in contents:
            lists = content.get("lists")
            for name in lists if isinstance(lists, dict) else ():
                if isinstance(name, str) and name not in used:
                    sheet.doubt(("lists", name), f'no rule uses the list "{name}"', at_key=True)

    def _top(self, sheet: Sheet) -> Mapping[str, Any]:
        if sheet.document.value is None:
            return {}
        keys = sheet.mapping(sheet.document.value, (), f"a mapping with {', '.join(FILE_KEYS)}")
        sheet.keys(keys, (), FILE_KEYS, "a part of a mapping")
        return keys

    def _once(self, sheet: Sheet, where: tuple[str, ...], owners: dict[str, str]) -> bool:
        """Whether this is the first file to give it; else a mistake."""
        label = ".".join(where)
        first = owners.setdefault(label, sheet.at(where))
        if first != sheet.at(where):
            sheet.wrong(where, f"is already given at {first}; keep one", at_key=True)
        return first == sheet.at(where)

    def _read_lists(self, sheet: Sheet, value: Any, owners: dict[str, str]) -> None:
        if value is None:
            return
        for name, items in sheet.mapping(value, ("lists",), "a mapping from names to lists").items():
            where = ("lists", name)
            if self._once(sheet, where, owners):
                texts = [sheet.text(item, at) for at, item in sheet.items(items, where)]
                self.lists[name] = tuple(text for text in texts if text)

    def _read_timezone(self, sheet: Sheet, content: Mapping[str, Any], owners: dict[str, str]) -> None:
        if "timezone" not in content or not self._once(sheet, ("timezone",), owners):
            return
        name = sheet.text(content["timezone"], ("timezone",))
        zones = available_timezones()
        if name in zones:
            self.timezone, self.zone = name, ZoneInfo(name)
        elif name:
            hint = did_you_mean(name, sorted(zones)).partition(" (allowed")[0]
            sheet.wrong(
                ("timezone",), f'"{name}" is not a time zone{hint} (such as Europe/Moscow, Europe/Berlin or UTC)'
            )

    def _read_templates(self, sheet: Sheet, value: Any, owners: dict[str, str]) -> None:
        if value is None:
            return
        keys = sheet.mapping(value, ("templates",), "a mapping with subject and comment")
        sheet.keys(keys, ("templates",), TEMPLATES, "a template")
        for name, source in keys.items():
            where = ("templates", name)
            if name in TEMPLATES and self._once(sheet, where, owners):
                ready = read_template(source, where, sheet, TEMPLATES[name])
                if ready is not None:
                    self.templates[name] = ready


# --- the rules together ------------------------------------------------------------------------------------


def _review(rules: list[Rule]) -> list[Problem]:
    found: list[Problem] = []
    for index, rule in enumerate(rules):
        earlier = rules[:index]
        found += _swallows(rule, earlier)
        found += _unreachable(rule, earlier) or _repeats(rule, earlier)
    return found


def _swallows(rule: Rule, earlier: list[Rule]) -> Iterator[Problem]:
    """A complaint must not be ignored unless the admin says so in so many words."""
    if not rule.ignore or rule.allow_negative:
        return
    tones = [tone for tone in NEGATIVE if _reaches(rule, earlier, {"tone": tone})]
    if tones:
        message = (
            f'"{rule.name}" could ignore a complaint: it can match tone {" and ".join(tones)}. Add to its `when`: '
            "not: {tone: [negative, very_negative]}; or, if you mean it, `allow_negative: true`"
        )
        yield rule.document.problem((*rule.where, "ignore"), message)


def _broken(rule: Rule, problems: list[Problem]) -> bool:
    """Whether there is a mistake in the rule itself: then nothing is concluded from it."""
    path = dotted(rule.where)
    return any(
        problem.severity == "error" and problem.file == rule.document.file and _inside(problem.path, path)
        for problem in problems
    )


def _inside(path: str, outer: str) -> bool:
    return path == outer or path.startswith((f"{outer}.", f"{outer}["))


def _reaches(rule: Rule, earlier: list[Rule], known: Mapping[str, str]) -> bool:
    """Whether a mention with these fields can fit the rule without an earlier rule certainly ending the walk."""
    if not rule.condition.bounds(known)[0]:
        return False
    settled = {key: value for key, value in known.items() if key != "priority"}
    return not any(one.ends and not one.condition.bounds(settled)[1] for one in earlier)


def _unreachable(rule: Rule, earlier: list[Rule]) -> list[Problem]:
    blocker = next((one for one in earlier if one.ends and implies(rule.condition, one.condition)), None)
    if blocker is not None:
        what = "every mention" if blocker.condition == All() else "everything this one could match"
        message = f'"{rule.name}" is never reached: "{blocker.name}" ({blocker.place}) already ends with {what}'
        return [rule.document.problem((*rule.where, "name"), message, severity="warning")]
    priorities = {DEFAULT_PRIORITY} | {
        one.value for before in earlier for one in before.settings if one.field == "priority"
    }
    cells = [
        {"tone": tone, "priority": priority, "kind": kind, "private": private}
        for tone, priority, kind, private in product(TONES, sorted(priorities & {*PRIORITIES}), KINDS, (True, False))
    ]
    possible = [cell for cell in cells if rule.condition.bounds(cell)[0]]
    if not possible:
        because = ""
        if "priority" in _asked(rule):
            because = f"; no rule before it sets a priority other than {', '.join(sorted(priorities))}"
        message = f'"{rule.name}" can never match: its conditions exclude each other{because}'
        return [rule.document.problem((*rule.where, "when"), message, severity="warning", at_key=True)]
    if not any(_reaches(rule, earlier, cell) for cell in possible):
        message = f'"{rule.name}" is never reached: the rules before it already end with everything it could match'
        return [rule.document.problem((*rule.where, "name"), message, severity="warning")]
    return []


def _asked(rule: Rule) -> set[str]:
    return set(fields_in(rule.condition))


def _repeats(rule: Rule, earlier: list[Rule]) -> list[Problem]:
    """The same conditions and the same effect as an earlier rule."""
    effect = _effect(rule)
    for one in earlier:
        if one.condition == rule.condition and _effect(one) == effect:
            message = f'"{rule.name}" says the same as "{one.name}" ({one.place}); keep one'
            return [rule.document.problem((*rule.where, "name"), message, severity="warning")]
    return []


def _effect(rule: Rule) -> tuple[object, ...]:
    return rule.ignore, rule.stop, frozenset(one.same for one in rule.settings)
