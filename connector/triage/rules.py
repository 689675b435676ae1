"""Rules and tables as the admin wrote them, read and made ready to run.

A rule has a unique name and one purpose: it sets something, or it ignores the mention and says why. `stop: true` ends
the walk through the rules; so does ignoring. Rules under `sources` or `brands` are asked only for that source, or
where the brand's `when` holds. A table row is what a tone, a kind, a kind of feedback, a language, a source or a
priority always brings with it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from connector.model import KINDS, PRIORITIES, TONES
from connector.triage.condition import All, Check, Condition, Test
from connector.triage.facts import UNKNOWN_LANGUAGE, fold
from connector.triage.settings import Assignment, read_settings
from connector.triage.sheet import Sheet
from connector.triage.wants import OneOf
from connector.triage.when import Named, read_when
from connector.yamlfile import Document, Where, did_you_mean

RULE_KEYS = ("name", "when", "set", "ignore", "stop", "allow_negative")
TABLES: Mapping[str, tuple[str, ...] | None] = {
    "tone": TONES,
    "kind": KINDS,
    "feedback": None,
    "language": None,
    "source": None,
    "priority": PRIORITIES,
}

SOURCE_KEYS = ("rules",)
BRAND_KEYS = ("when", "rules")

Tables = Mapping[str, Mapping[str, tuple[Assignment, ...]]]


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule. `ignore` is the reason, empty for a rule that sets; `where` is its path in `document`."""

    name: str
    condition: Condition
    check: Check
    settings: tuple[Assignment, ...]
    ignore: str
    stop: bool
    allow_negative: bool
    where: Where
    document: Document

    @property
    def ends(self) -> bool:
        """Whether no later rule is looked at once this one fits."""
        return self.stop or bool(self.ignore)

    @property
    def place(self) -> str:
        """`file:line` of its name."""
        return self.document.at((*self.where, "name"))


class Rules:
    """Reads the rules of all files, in their order: first those for everybody, then by source, then by brand."""

    def __init__(self, named: Named) -> None:
        self.named = named
        self.rules: list[Rule] = []
        self._names: dict[str, str] = {}

    def read(self, content: Mapping[str, Any], sheet: Sheet) -> None:
        """Adds the rules of one file."""
        self._list(content.get("rules"), ("rules",), sheet, All())
        for name, keys, at in _sections(content, "sources", SOURCE_KEYS, sheet):
            within = Test("source", OneOf(frozenset({fold(name)})))
            self._list(keys.get("rules"), (*at, "rules"), sheet, within)
        for name, keys, at in _sections(content, "brands", BRAND_KEYS, sheet):
            if "when" not in keys:
                sheet.wrong(at, "has no `when`: say which mentions are about this brand", at_key=True)
                continue
            within_brand = read_when(keys["when"], (*at, "when"), sheet, self.named)
            self._add(_brand(name, within_brand, at, sheet), sheet)
            self._list(keys.get("rules"), (*at, "rules"), sheet, within_brand)

    def _list(self, value: Any, where: Where, sheet: Sheet, within: Condition) -> None:
        if value is None:
            return
        if not isinstance(value, list):
            sheet.wrong(where, "has to be a list: every rule begins with `- name:`")
            return
        for index, item in enumerate(value):
            rule = _rule(item, (*where, index), sheet, self.named, within)
            if rule is not None:
                self._add(rule, sheet)

    def _add(self, rule: Rule, sheet: Sheet) -> None:
        first = self._names.setdefault(rule.name, rule.place)
        if first != rule.place:
            sheet.wrong((*rule.where, "name"), f'the name "{rule.name}" is taken by the rule at {first}')
        self.rules.append(rule)


def _sections(
    content: Mapping[str, Any], part: str, allowed: tuple[str, ...], sheet: Sheet
) -> list[tuple[str, Mapping[str, Any], Where]]:
    if content.get(part) is None:
        return []
    found: list[tuple[str, Mapping[str, Any], Where]] = []
    for name, item in sheet.mapping(content[part], (part,), f"a mapping from {part} to their rules").items():
        where: Where = (part, name)
        keys = sheet.mapping(item, where, f"a mapping with {', '.join(allowed)}")
        sheet.keys(keys, where, allowed, "understood here")
        if keys:
            found.append((name, keys, where))
    return found


def _brand(name: str, within: Condition, where: Where, sheet: Sheet) -> Rule:
    """The rule that puts the brand onto the ticket."""
    at = sheet.document.key_places.get(where) or sheet.document.place(where)
    brand = Assignment("brand", name, where, f"{sheet.document.file}:{at.line}", sheet.document)
    return Rule(f"brand {name}", within, within.check, (brand,), "", False, False, where, sheet.document)


def _rule(value: Any, where: Where, sheet: Sheet, named: Named, within: Condition) -> Rule | None:
    keys = sheet.mapping(value, where, "a rule: a mapping with name, when, and set or ignore")
    if not keys:
        return None
    sheet.keys(keys, where, RULE_KEYS, "a key of a rule")
    if "name" not in keys:
        sheet.wrong(where, "has no name: give every rule one, it is what traces and tickets show")
    name = " ".join(sheet.text(keys["name"], (*where, "name")).split()) if "name" in keys else ""
    own = read_when(keys["when"], (*where, "when"), sheet, named) if "when" in keys else All()
    condition = own if within == All() else within if own == All() else All((within, own))
    settings = read_settings(keys["set"], (*where, "set"), sheet) if "set" in keys else ()
    ignore = " ".join(sheet.text(keys["ignore"], (*where, "ignore")).split()) if "ignore" in keys else ""
    flags = {key: sheet.flag(keys[key], (*where, key)) for key in ("stop", "allow_negative") if key in keys}
    if "ignore" in keys and "set" in keys:
        sheet.wrong(
            (*where, "ignore"), "a rule sets something or ignores, not both: make two rules of it", at_key=True
        )
    if "ignore" in keys and flags.get("stop") is False:
        sheet.wrong((*where, "stop"), "an ignored mention meets no further rule: leave `stop` out")
    if "allow_negative" in keys and "ignore" not in keys:
        sheet.doubt((*where, "allow_negative"), "says something only together with `ignore`", at_key=True)
    if not {"set", "ignore", "stop"} & keys.keys():
        sheet.doubt(where, "changes nothing: it has neither set nor ignore nor stop")
    return Rule(
        name=name,
        condition=condition,
        check=condition.check,
        settings=settings,
        ignore=ignore,
        stop=bool(flags.get("stop")),
        allow_negative=bool(flags.get("allow_negative")),
        where=where,
        document=sheet.document,
    )


def read_tables(value: Any, sheet: Sheet, tables: dict[str, dict[str, tuple[Assignment, ...]]], named: Named) -> None:
    """Adds the tables of one file to `tables`. A row may stand in one file only."""
    if value is None:
        return
    keys = sheet.mapping(value, ("tables",), f"a mapping with {', '.join(TABLES)}")
    sheet.keys(keys, ("tables",), TABLES, "a table")
    for name, rows in keys.items():
        if name not in TABLES:
            continue
        where: Where = ("tables", name)
        for row, item in _rows(rows, where, sheet).items():
            at = (*where, row)
            label = _row_name(name, row, at, sheet, named)
            settings = read_settings(item, at, sheet)
            if any(one.field == "score" for one in settings):
                message = "a table comes after the score: write the points under `score`"
                sheet.wrong((*at, "score"), message, at_key=True)
            if name == "priority" and any(one.field == "priority" for one in settings):
                sheet.wrong((*at, "priority"), "a priority cannot set the priority: use a rule", at_key=True)
            known = tables.setdefault(name, {})
            if label in known:
                first = known[label][0].place if known[label] else "another file"
                sheet.wrong(at, f"the row {row} is already given at {first}; keep one", at_key=True)
            elif label:
                known[label] = settings


def _rows(value: Any, where: Where, sheet: Sheet) -> Mapping[str, Any]:
    if value is None:
        return {}
    return sheet.mapping(value, where, f"a mapping from {where[-1]} to ticket properties")


def _row_name(table: str, row: str, where: Where, sheet: Sheet, named: Named) -> str:
    allowed = TABLES[table]
    if table == "feedback":
        if row not in named.feedback:
            there = did_you_mean(row, named.feedback) if named.feedback else "; the mapping names none"
            sheet.wrong(where, f'"{row}" is not a kind of feedback{there}', at_key=True)
        return row
    if allowed is not None:
        sheet.keys({row: None}, where[:-1], allowed, f"a {table}")
        return row if row in allowed else ""
    if (
        table == "language"
        and row != UNKNOWN_LANGUAGE
        and not (row.isalpha() and row.islower() and len(row) in (2, 3))
    ):
        sheet.wrong(
            where,
            f'"{row}" is not a language code: two or three letters such as ru, uk, en, or {UNKNOWN_LANGUAGE}',
            at_key=True,
        )
    return fold(row)
