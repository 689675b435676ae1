"""Names as admins see them, turned into the ids and values Zendesk wants: groups, brands, forms, fields, statuses.

Beside the system's statuses an account may have its own, each in one of their categories; agents may list them.

Options of a drop-down are given by their value (a tag) or by the name agents see; system fields have their own place
in a draft and are refused here.

developer.zendesk.com/api-reference/ticketing/tickets/ticket_fields, …/groups, …/brands, …/ticket_forms,
…/custom_ticket_statuses
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, ClassVar, Literal

from connector.errors import Rejected
from connector.helpdesks.names import (
    Named,
    NameLists,
    Option,
    day,
    decimal,
    matching,
    shown,
    text,
    whole_number,
    yes_or_no,
)
from connector.helpdesks.zendesk.account import Account, Json
from connector.model import FieldSpec, Vocabulary

List = Literal["group", "brand", "form", "field", "status"]

STATUSES = ("new", "open", "pending", "hold", "solved", "closed")
TYPES = ("problem", "incident", "question", "task")

_LISTS: dict[str, tuple[str, str]] = {
    "group": ("/groups", "groups"),
    "brand": ("/brands", "brands"),
    "form": ("/ticket_forms", "ticket_forms"),
    "field": ("/ticket_fields", "ticket_fields"),
    "status": ("/custom_statuses", "custom_statuses"),
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


class Names(NameLists):
    """The names of one account."""

    words: ClassVar[dict[str, str]] = {"field": "ticket field", "status": "ticket status"}
    trusted: ClassVar[frozenset[str]] = frozenset({"group", "brand", "form"})

    def __init__(self, account: Account, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__(clock)
        self._account = account
        self.service = account.http.service

    def id_of(self, kind: List, name: str) -> int:
        """The id of a group, brand or form given by title or id; Rejected when there is not exactly one."""
        return self.one(kind, name).id

    def status(self, name: str) -> dict[str, Any]:
        """A status as a property of a ticket: one of the system's by its word, else the account's own by the label
        that agents see, or by its id. Zendesk sets the system's from the category of one's own."""
        word = name.strip().lower()
        if word in STATUSES:
            return {"status": word}
        try:
            return {"custom_status_id": self.id_of("status", name)}
        except Rejected:
            own = self.known("status")
            if matching(own, name.strip()):
                raise
            there = f"{', '.join(STATUSES)}, {shown(one.title for one in own)}"
            raise self.rejected(f'a ticket\'s status cannot be "{name}"; there are: {there}') from None

    def field(self, name: str) -> Named:
        """A ticket field by title or id. Rejected for system fields, which have their own place in a draft."""
        found = self.one("field", name)
        if found.type in _SYSTEM:
            raise self.rejected(
                f'"{found.title}" is a system field of Zendesk; set it with `{_SYSTEM[found.type]}`, not under fields'
            )
        return found

    def field_value(self, name: str, value: Any) -> tuple[int, Any]:
        """A custom field's id and the value as Zendesk wants it."""
        found = self.field(name)
        try:
            return found.id, field_value(found, value)
        except ValueError as error:
            raise self.rejected(str(error)) from None

    def title(self, field_id: int) -> str:
        """The title of a ticket field if it is known already; costs no call."""
        return next((one.title for one in self.known("field") if one.id == field_id), "")

    def vocabulary(self) -> Vocabulary:
        """Everything as it is now. Forms and brands are empty where the plan has none."""
        fields = self.read("field")
        return Vocabulary(
            fields=tuple(FieldSpec(str(one.id), one.title, one.type, _accepted(one.options)) for one in fields),
            groups=tuple(one.title for one in self.read("group")),
            brands=tuple(one.title for one in self.read_if_any("brand")),
            forms=tuple(one.title for one in self.read_if_any("form")),
            statuses=(*STATUSES, *(one.title for one in self.read_if_any("status"))),
            types=TYPES,
            requests_per_minute=self._account.plan_limit,
        )

    def listed(self, kind: str) -> Iterator[Named]:
        """Everything of that kind that is in use."""
        path, key = _LISTS[kind]
        rows = self._account.rows(path, key, operation=f"list {key.replace('_', ' ')}")
        return (named(row) for row in rows if _usable(row))


def named(row: Json) -> Named:
    """A group, brand, form, ticket field or status as Zendesk lists it."""
    options = row.get("custom_field_options") or row.get("system_field_options") or []
    return Named(
        id=int(row["id"]),
        title=str(row.get("title") or row.get("name") or row.get("display_name") or row.get("agent_label") or ""),
        type=str(row.get("type") or ""),
        options=tuple(
            Option(str(one.get("value") or ""), str(one.get("name") or ""))
            for one in options
            if isinstance(one, dict)
        ),
    )


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
    return convert(wanted, value) if convert is not None else text(value)


def _option(wanted: Named, value: Any) -> str:
    word = str(value).strip()
    folded = word.casefold()
    for option in wanted.options:
        if option.value.casefold() == folded:
            return option.value
    chosen = {option.value for option in wanted.options if option.name.casefold() == folded}
    if len(chosen) == 1:
        return chosen.pop()
    if chosen:
        raise ValueError(
            f'"{word}" names several options of "{wanted.title}"; use the value: {shown(sorted(chosen))}'
        )
    raise ValueError(
        f'the field "{wanted.title}" has no option "{word}"; there are: '
        f"{shown(option.value for option in wanted.options)}"
    )


_CONVERT: Mapping[str, Callable[[Named, Any], Any]] = {
    "checkbox": yes_or_no,
    "integer": whole_number,
    "decimal": decimal,
    "date": day,
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
