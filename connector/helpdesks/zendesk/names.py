"""Names as admins see them, turned into the ids and values Zendesk wants: groups, brands, forms, ticket fields.

Read once and kept for ten minutes; a name that is not known is looked up afresh (at most once a minute) before it is
refused, so that a field made a moment ago works. The one rule: a name is never guessed; one that is unknown or stands
for two things is Rejected with a sentence that names it and what there is.

developer.zendesk.com/api-reference/ticketing/tickets/ticket_fields, …/groups, …/brands, …/ticket_forms
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Literal

from connector.errors import AuthFailed, ConnectorError, Gone, Rejected, Unsupported
from connector.helpdesks.zendesk.account import Account, Json
from connector.model import FieldSpec, Vocabulary

List = Literal["group", "brand", "form", "field"]

_FRESH = 600.0
_AGAIN = 60.0
_LISTS: dict[List, tuple[str, str]] = {
    "group": ("/groups", "groups"),
    "brand": ("/brands", "brands"),
    "form": ("/ticket_forms", "ticket_forms"),
    "field": ("/ticket_fields", "ticket_fields"),
}
_SYSTEM = {
    "subject": "the subject template",
    "description": "the comment template",
    "status": "status",
    "custom_status": "status",
    "tickettype": "type",
    "priority": "priority",
    "group": "group",
    "assignee": "group",
}
_YES = frozenset({"true", "yes", "on", "1", "да"})
_NO = frozenset({"false", "no", "off", "0", "", "нет"})


@dataclass(frozen=True, slots=True)
class Option:
    """One choice of a field: the value Zendesk stores (a tag), and the name agents see."""

    value: str
    name: str


@dataclass(frozen=True, slots=True)
class Named:
    """One group, brand, form or ticket field."""

    id: int
    title: str
    type: str = ""
    options: tuple[Option, ...] = ()


class Names:
    """The names of one account. Thread-safe; reads Zendesk only when it has to."""

    def __init__(self, account: Account, clock: Callable[[], float] = time.monotonic) -> None:
        self._account = account
        self._clock = clock
        self._known: dict[List, tuple[float, tuple[Named, ...]]] = {}
        self._lock = threading.Lock()

    def id_of(self, kind: List, name: str) -> int:
        """The id of a group, brand or form given by title or id; Rejected when there is not exactly one."""
        return self._one(kind, name).id

    def field(self, name: str) -> Named:
        """A ticket field by title or id. Rejected for system fields, which have their own place in a draft."""
        found = self._one("field", name)
        if found.type in _SYSTEM:
            raise self._rejected(
                f'"{found.title}" is a system field of Zendesk; set it with `{_SYSTEM[found.type]}`, not under fields'
            )
        return found

    def field_value(self, name: str, value: Any) -> tuple[int, Any]:
        """A custom field's id and the value as Zendesk wants it."""
        found = self.field(name)
        try:
            return found.id, field_value(found, value)
        except ValueError as error:
            raise self._rejected(str(error)) from None

    def title(self, field_id: int) -> str:
        """The title of a ticket field if it is known already; costs no call."""
        _, fields = self._known.get("field", (0.0, ()))
        return next((one.title for one in fields if one.id == field_id), "")

    def vocabulary(self) -> Vocabulary:
        """Everything as it is now. Forms and brands are empty where the plan has none."""
        fields = self._read("field")
        return Vocabulary(
            fields=tuple(FieldSpec(str(one.id), one.title, one.type, _accepted(one.options)) for one in fields),
            groups=tuple(one.title for one in self._read("group")),
            brands=tuple(one.title for one in self._read_if_any("brand")),
            forms=tuple(one.title for one in self._read_if_any("form")),
            requests_per_minute=self._account.plan_limit,
        )

    def _one(self, kind: List, name: str) -> Named:
        wanted = name.strip()
        read_at, known = self._known.get(kind, (None, ()))
        now = self._clock()
        patience = _FRESH if matching(known, wanted) else _AGAIN
        if read_at is None or now - read_at > patience:
            known = self._read_or_id(kind, wanted)
        found = matching(known, wanted)
        if len(found) == 1:
            return found[0]
        word = "ticket field" if kind == "field" else kind
        if found:
            ids = ", ".join(str(one.id) for one in found)
            raise self._rejected(f'the {word} "{wanted}" stands for more than one; use its id ({ids})')
        raise self._rejected(f'there is no {word} "{wanted}"; there are: {_shown(one.title for one in known)}')

    def _read_or_id(self, kind: List, wanted: str) -> tuple[Named, ...]:
        """The list; where this user may not read it, an id is taken on trust."""
        try:
            return self._read(kind)
        except (Rejected, Gone, Unsupported, AuthFailed):
            if kind != "field" and wanted.isdecimal():
                return (Named(int(wanted), wanted),)
            raise

    def _read_if_any(self, kind: List) -> tuple[Named, ...]:
        try:
            return self._read(kind)
        except (Rejected, Gone, Unsupported):
            return ()

    def _read(self, kind: List) -> tuple[Named, ...]:
        path, key = _LISTS[kind]
        rows = self._account.rows(path, key, operation=f"list {key.replace('_', ' ')}")
        known = tuple(named(row) for row in rows if _usable(row))
        with self._lock:
            self._known[kind] = (self._clock(), known)
        return known

    def _rejected(self, sentence: str) -> ConnectorError:
        return Rejected(sentence, service=self._account.http.service, operation="prepare")


def named(row: Json) -> Named:
    """A group, brand, form or ticket field as Zendesk lists it."""
    options = row.get("custom_field_options") or row.get("system_field_options") or []
    return Named(
        id=int(row["id"]),
        title=str(row.get("title") or row.get("name") or row.get("display_name") or ""),
        type=str(row.get("type") or ""),
        options=tuple(
            Option(str(one.get("value") or ""), str(one.get("name") or ""))
            for one in options
            if isinstance(one, dict)
        ),
    )


def matching(known: Iterable[Named], wanted: str) -> list[Named]:
    """Those of that title, in any case; without one, that of that id."""
    known = tuple(known)
    titled = [one for one in known if one.title.casefold() == wanted.casefold()]
    return titled or [one for one in known if str(one.id) == wanted]


def field_value(wanted: Named, value: Any) -> Any:
    """A value as that field takes it: an option's value for its name, yes and no, numbers, dates.

    None empties the field. ValueError, with a sentence naming the field, for what it cannot take.
    """
    if value is None:
        return None
    if wanted.type == "tagger":
        return _option(wanted, value)
    if wanted.type == "multiselect":
        several = value if isinstance(value, list | tuple | set | frozenset) else [value]
        return [_option(wanted, one) for one in several]
    convert = _CONVERT.get(wanted.type)
    return convert(wanted, value) if convert is not None else _text(value)


def _option(wanted: Named, value: Any) -> str:
    text = str(value).strip()
    folded = text.casefold()
    for option in wanted.options:
        if option.value.casefold() == folded:
            return option.value
    chosen = {option.value for option in wanted.options if option.name.casefold() == folded}
    if len(chosen) == 1:
        return chosen.pop()
    if chosen:
        raise ValueError(
            f'"{text}" names several options of "{wanted.title}"; use the value: {_shown(sorted(chosen))}'
        )
    raise ValueError(
        f'the field "{wanted.title}" has no option "{text}"; there are: '
        f"{_shown(option.value for option in wanted.options)}"
    )


def _checkbox(wanted: Named, value: Any) -> bool:
    if isinstance(value, bool):
        return value
    text = str(value).strip().casefold()
    if text in _YES or text in _NO:
        return text in _YES
    raise ValueError(f'the field "{wanted.title}" takes yes or no, not "{value}"')


def _integer(wanted: Named, value: Any) -> str:
    try:
        return str(int(str(value).strip()))
    except ValueError:
        raise ValueError(f'the field "{wanted.title}" takes a whole number, not "{value}"') from None


def _decimal(wanted: Named, value: Any) -> str:
    text = str(value).strip().replace(",", ".")
    try:
        float(text)
    except ValueError:
        raise ValueError(f'the field "{wanted.title}" takes a number, not "{value}"') from None
    return text


def _date(wanted: Named, value: Any) -> str:
    if isinstance(value, datetime):
        return value.date().isoformat()
    if isinstance(value, date):
        return value.isoformat()
    try:
        return datetime.fromisoformat(str(value).strip()).date().isoformat()
    except ValueError:
        raise ValueError(f'the field "{wanted.title}" takes a date as 2025-12-31, not "{value}"') from None


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list | tuple):
        return ", ".join(str(one) for one in value)
    return str(value)


_CONVERT: Mapping[str, Callable[[Named, Any], Any]] = {
    "checkbox": _checkbox,
    "integer": _integer,
    "decimal": _decimal,
    "date": _date,
}


def _usable(row: Json) -> bool:
    return bool(row.get("active", True)) and not row.get("deleted") and not row.get("is_deleted")


def _accepted(options: Iterable[Option]) -> tuple[str, ...]:
    """Every word an option answers to: its value, and its name where that differs."""
    words: dict[str, None] = {}
    for option in options:
        words.setdefault(option.value)
        if option.name and option.name.casefold() != option.value.casefold():
            words.setdefault(option.name)
    return tuple(words)


def _shown(words: Iterable[str]) -> str:
    listed = [f'"{word}"' for word in words if word]
    more = f" and {len(listed) - 20} more" if len(listed) > 20 else ""
    return (", ".join(listed[:20]) + more) or "none"
