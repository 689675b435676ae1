"""Whether a helpdesk has what the mapping names. Needs its Vocabulary; runs in `connector check --live` and in
`connector doctor`, which also asks which ticket fields there have to be."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from typing import Any

from connector.errors import Problem
from connector.model import FieldKind, FieldNeed, FieldSpec, Vocabulary
from connector.triage.settings import KEYS, Assignment
from connector.yamlfile import did_you_mean

_SYSTEM = {
    "priority": "priority",
    "status": "status",
    "custom_status": "status",
    "tickettype": "type",
    "group": "group",
}
_MOST_OPTION = 60
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
_INSTANT = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z")


def lint(assignments: Iterable[Assignment], vocabulary: Vocabulary, *, absent: bool = True) -> list[Problem]:
    """Every name and value in these that the helpdesk would refuse or drop, with its place. `absent`: also the ticket
    fields that are not there."""
    found: list[Problem] = []
    for one in assignments:
        if one.field.startswith("fields."):
            found += _field(one, vocabulary.fields, absent)
        elif one.field in ("group", "brand", "form"):
            names = {"group": vocabulary.groups, "brand": vocabulary.brands, "form": vocabulary.forms}[one.field]
            found += _name(one, names)
        elif one.field in ("status", "type"):
            found += _word(one, vocabulary.statuses if one.field == "status" else vocabulary.types)
    return found


def needed_fields(assignments: Iterable[Assignment]) -> tuple[FieldNeed, ...]:
    """The ticket fields these name, each once, of the kind that takes every value they give it."""
    named: dict[str, list[Assignment]] = {}
    for one in assignments:
        if one.field.startswith("fields."):
            named.setdefault(one.field.removeprefix("fields."), []).append(one)
    return tuple(_need(name, uses) for name, uses in named.items())


def _need(name: str, uses: Sequence[Assignment]) -> FieldNeed:
    many = any(isinstance(one.value, tuple) for one in uses)
    every = [item for one in uses for item in (one.value if isinstance(one.value, tuple) else (one.value,))]
    kind = "multiselect" if many else _kind(every)
    values = tuple(dict.fromkeys(str(value) for value in every)) if kind in ("dropdown", "multiselect") else ()
    return FieldNeed(name, kind, values, uses[0].place)


def _kind(values: Sequence[Any]) -> FieldKind:
    if all(isinstance(value, bool) for value in values):
        return "checkbox"
    if all(_number(value, whole=True) and not isinstance(value, str) for value in values):
        return "integer"
    if all(_number(value, whole=False) and not isinstance(value, str) for value in values):
        return "decimal"
    if all(_DAY.fullmatch(str(value)) for value in values):
        return "date"
    words = all(isinstance(value, str) and len(value) <= _MOST_OPTION for value in values)
    return "dropdown" if words and not any(_INSTANT.fullmatch(value) for value in values) else "text"


def _name(one: Assignment, names: Sequence[str]) -> list[Problem]:
    if one.value in names or one.value.isdigit():
        return []
    there = did_you_mean(one.value, names) if names else f"; this helpdesk has no {one.field}s"
    return [_problem(one, f'there is no {one.field} "{one.value}"{there}')]


def _word(one: Assignment, words: Sequence[str]) -> list[Problem]:
    """A status or a type, by a common word or as the account calls it, in any case; nothing where it cannot tell."""
    known = {word.casefold(): word for word in words if word.casefold() != "closed"}  # nobody may set that
    if not words or one.value.casefold() in known or one.value.isdigit():
        return []
    return [_problem(one, f'there is no {one.field} "{one.value}"{did_you_mean(one.value, known.values())}')]


def _field(one: Assignment, specs: Sequence[FieldSpec], absent: bool) -> list[Problem]:
    name = one.field.removeprefix("fields.")
    fitting = [spec for spec in specs if name == spec.id] or [spec for spec in specs if name == spec.title]
    if not fitting and not absent:
        return []
    if not fitting:
        titles = [spec.title for spec in specs if spec.type not in _SYSTEM]
        there = did_you_mean(name, titles) if titles else "; this helpdesk has no fields of its own"
        return [_problem(one, f'there is no ticket field "{name}"{there}', at_key=True)]
    if len(fitting) > 1:
        ids = ", ".join(spec.id for spec in fitting)
        return [_problem(one, f'{len(fitting)} fields are called "{name}"; use the id ({ids})', at_key=True)]
    spec = fitting[0]
    system = _SYSTEM.get(spec.type)
    if system in KEYS:
        return [_problem(one, f"is the helpdesk's own {system}: write `{system}` instead", at_key=True)]
    message = _misfit(one, spec)
    return [_problem(one, message)] if message else []


def _misfit(one: Assignment, spec: FieldSpec) -> str:
    """Why the field would not take the value; empty when it would."""
    value, many = one.value, spec.type in ("multiselect", "multi_select")
    if isinstance(value, tuple) and not many:
        return f'the field "{spec.title}" takes one value, not a list'
    if spec.values:
        wrong = next(
            (item for item in (value if isinstance(value, tuple) else (value,)) if str(item) not in spec.values), None
        )
        return (
            ""
            if wrong is None
            else f'"{wrong}" is not a value of "{spec.title}"{did_you_mean(str(wrong), spec.values)}'
        )
    if spec.type == "checkbox" and not isinstance(value, bool):
        return f'the field "{spec.title}" is a checkbox: true or false'
    if spec.type in ("integer", "decimal", "number") and not _number(value, whole=spec.type == "integer"):
        kind = "a whole number" if spec.type == "integer" else "a number"
        return f'the field "{spec.title}" takes {kind}'
    if spec.type == "date" and not _DAY.fullmatch(str(value)):
        return f'the field "{spec.title}" takes a date such as 2026-01-31'
    if spec.type == "moment" and not re.fullmatch(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z", str(value)):
        return f'"{spec.title}" takes a moment such as 2026-01-31T12:00:00Z'
    return ""


def _number(value: object, *, whole: bool) -> bool:
    if isinstance(value, bool):
        return False
    try:
        number = float(str(value))
    except ValueError:
        return False
    return math.isfinite(number) and (not whole or number.is_integer())


def _problem(one: Assignment, message: str, *, at_key: bool = False) -> Problem:
    return one.document.problem(one.where, message, at_key=at_key)
