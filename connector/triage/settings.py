"""Reading a `set`: what a rule or a table row puts onto the ticket, one `Assignment` per value.

What can be wrong without asking a helpdesk is told here; whether groups, brands, forms, fields and the account's own
statuses and types exist is asked by `connector check --live` (lint.py).
"""

from __future__ import annotations

import datetime as dt
import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from connector.model import PRIORITIES, Settings
from connector.triage.sheet import Sheet, shown
from connector.yamlfile import Document, Where

TYPES = ("problem", "incident", "question", "task")
STATUSES = ("new", "open", "pending", "hold", "solved")
NAMES = ("group", "brand", "form")
KEYS = ("priority", "score", "type", "status", *NAMES, "problem", "tags", "untag", "fields")

_MOST_TAG = 255
_SLIP = 0.8
_MOST_POINTS = 10_000


@dataclass(frozen=True, slots=True)
class Assignment:
    """One value for one ticket property. `field` is a word of Settings, `fields.<name>`, or `score`, whose value is
    added; tags are tuples."""

    field: str
    value: Any
    where: Where
    place: str
    document: Document

    @property
    def same(self) -> tuple[str, str]:
        """What makes two of them say the same."""
        return self.field, str(self.value)


def read_settings(value: Any, where: Where, sheet: Sheet) -> tuple[Assignment, ...]:
    """What a `set` says; mistakes go onto the sheet."""
    keys = sheet.mapping(value, where, "a mapping of ticket properties")
    if isinstance(value, dict) and not value:
        sheet.wrong(where, "is empty: name at least one ticket property")
    sheet.keys(keys, where, KEYS, "a ticket property")
    found: list[Assignment] = []
    for key, item in keys.items():
        at = (*where, key)
        if key == "fields":
            found += _fields(item, at, sheet)
        elif key in KEYS:
            read = _value(key, item, at, sheet)
            if read:
                found.append(Assignment(key, read, at, sheet.at(at), sheet.document))
    if "problem" in keys:
        found += _incident(keys, where, sheet)
    return tuple(found)


def _incident(keys: Mapping[str, Any], where: Where, sheet: Sheet) -> list[Assignment]:
    """What is linked to a problem is an incident: helpdesks link no other type."""
    at = (*where, "problem")
    if "type" not in keys:
        return [Assignment("type", "incident", at, sheet.at(at), sheet.document)]
    if keys["type"] != "incident":
        sheet.wrong((*where, "type"), "has to be incident where `problem` is set; leave it out", at_key=True)
    return []


def _value(key: str, value: Any, where: Where, sheet: Sheet) -> Any:
    if key == "priority":
        return sheet.choice(value, where, PRIORITIES, "a priority")
    if key == "type":
        return _word(value, where, TYPES, sheet)
    if key == "status":
        if str(value).strip().lower() == "closed":
            sheet.wrong(where, "a ticket cannot be made closed; solved is the last one can set")
            return ""
        return _word(value, where, STATUSES, sheet)
    if key == "score":
        return read_points(value, where, sheet)
    if key == "problem":
        number = sheet.text(value, where)
        if number and not (number.isascii() and number.isdigit()):
            sheet.wrong(where, f'"{number}" is not the number of a ticket')
        return number
    if key in NAMES:
        return sheet.text(value, where)
    return tuple(tag for at, item in sheet.items(value, where) if (tag := _tag(item, at, sheet)))


def _word(value: Any, where: Where, common: Sequence[str], sheet: Sheet) -> str:
    """A common word, or one of the account's own. One that looks like a slip of a common word is a mistake."""
    word = sheet.text(value, where)
    if word.lower() in common:
        return word.lower()
    meant = difflib.get_close_matches(word.lower(), common, n=1, cutoff=_SLIP)
    if meant:
        sheet.wrong(where, f'"{word}" — did you mean "{meant[0]}"? (common: {", ".join(common)})')
        return ""
    return word


def read_points(value: Any, where: Where, sheet: Sheet) -> int:
    """A number of points: a whole number, also below zero; a mistake and 0 if it is none."""
    if isinstance(value, bool) or not isinstance(value, int) or abs(value) > _MOST_POINTS:
        sheet.wrong(where, f"has to be a whole number of points, such as 20 or -10, not {shown(value)}")
        return 0
    return value


def _tag(value: Any, where: Where, sheet: Sheet) -> str:
    tag = sheet.text(value, where)
    if any(letter.isspace() for letter in tag) or "," in tag:
        fixed = "_".join(tag.replace(",", " ").split())
        sheet.wrong(where, f'"{tag}": a tag is one word without spaces or commas; write {fixed}')
        return ""
    if len(tag) > _MOST_TAG:
        sheet.wrong(where, f"is longer than {_MOST_TAG} characters")
        return ""
    return tag.lower()


def _fields(value: Any, where: Where, sheet: Sheet) -> list[Assignment]:
    found = []
    if not isinstance(value, dict):
        sheet.wrong(where, f"has to be a mapping of field names or ids to values, not {shown(value)}")
        return []
    for key, item in value.items():
        at = (*where, str(key))
        read = _field(item, at, sheet)
        if isinstance(key, bool):
            sheet.wrong(at, f"the key {shown(key)} has to be text: quote it", at_key=True)
        elif read is not None:
            found.append(Assignment(f"fields.{key}", read, at, sheet.at(at), sheet.document))
    return found


def _field(value: Any, where: Where, sheet: Sheet) -> Any:
    if isinstance(value, dt.date):
        return value.isoformat()
    if isinstance(value, list):
        return tuple(sheet.text(item, (*where, i)) for i, item in enumerate(value))
    if isinstance(value, str | int | float | bool):
        return value
    sheet.wrong(where, f"has to be text, a number, true, false or a list of texts, not {shown(value)}")
    return None


def settings_of(values: Mapping[str, Any]) -> Settings:
    """The ticket properties in a collection of values by field."""
    return Settings(
        **{key: values.get(key) for key in ("priority", "type", "status", *NAMES, "problem")},
        tags=tuple(values.get("tags", ())),
        untag=tuple(values.get("untag", ())),
        fields={key.removeprefix("fields."): item for key, item in values.items() if key.startswith("fields.")},
    )
