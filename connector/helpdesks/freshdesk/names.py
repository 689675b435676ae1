"""Names as admins see them, turned into the numbers and values Freshdesk wants: fields, groups, products, statuses.

Nearly all of it stands in one list, `/ticket_fields`, whose `choices` come in four shapes (recorded): status
`{"2": ["Open", "Being Processed"]}`, priority `{"Low": 1}`, group `{"name": id}`, a list's `["a", "b"]`; a nested
field's is an object of objects. Values of custom fields go by the field's `name` (cf_topic). A nested field's levels
below the first are fields of their own here, as they are when written (`nested_ticket_fields` or `dependent_fields`:
seen in clients and in the schema).

What other helpdesks call new, open, pending, hold, solved and closed is Freshdesk's Open, Open, Pending, a custom
status "On hold" (else Pending), Resolved and Closed; low to urgent are 1 to 4. Of the types problem, incident,
question and task one that the account does not have is left out: no account starts with a Task.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, ClassVar

from connector.errors import AuthFailed, Gone, Rejected
from connector.helpdesks.freshdesk.account import Account, Json
from connector.helpdesks.freshdesk.drafts import DUE
from connector.helpdesks.names import Named, NameLists, Option, day, decimal, shown, text, whole_number, yes_or_no
from connector.model import FieldSpec, Priority, Vocabulary

PRIORITIES: Mapping[Priority, int] = {"low": 1, "normal": 2, "high": 3, "urgent": 4}
OPEN, PENDING, RESOLVED, CLOSED = 2, 3, 4, 5
STANDING = {OPEN: "open", PENDING: "pending", RESOLVED: "solved", CLOSED: "closed"}

_STATUSES = {
    "new": OPEN,
    "open": OPEN,
    "pending": PENDING,
    "solved": RESOLVED,
    "resolved": RESOLVED,
    "closed": CLOSED,
}
_COMMON_TYPES = ("problem", "incident", "question", "task")
_JUST_NOW = 60.0
_HOLD = frozenset({"hold", "on hold", "on-hold"})
_SYSTEM = {
    "requester": "the mention's author",
    "subject": "the subject template",
    "description": "the comment template",
    "status": "status",
    "tickettype": "type",
    "priority": "priority",
    "group": "group",
    "product": "brand",
    "source": "the option `source` in config.yaml",
    "agent": "group",
    "company": "the contact",
}
_OF_A_MAPPING = frozenset({"status", "tickettype", "priority", "group"})
_TYPES = {
    "default_ticket_type": "tickettype",
    "custom_checkbox": "checkbox",
    "custom_number": "integer",
    "custom_decimal": "decimal",
    "custom_date": "date",
    "custom_dropdown": "dropdown",
    "nested_field": "dropdown",
    "custom_multi_select_dropdown": "multiselect",
    "custom_text": "text",
    "custom_paragraph": "textarea",
}


class Names(NameLists):
    """The names of one account."""

    words: ClassVar[dict[str, str]] = {"field": "ticket field", "brand": "product"}
    trusted: ClassVar[frozenset[str]] = frozenset({"group", "brand"})

    def __init__(self, account: Account, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__(clock)
        self._account = account
        self.service = account.http.service

    def group(self, name: str) -> int:
        """The id of a group given by name or id."""
        return self.one("group", name).id

    def product(self, name: str) -> int:
        """The id of a product, which is what Freshdesk calls a brand."""
        return self.one("brand", name).id

    def status(self, word: str) -> int:
        """A status by the common word, by its label at Freshdesk or by its number."""
        folded = word.strip().casefold()
        if folded in _STATUSES:
            return _STATUSES[folded]
        there = self._choices("status", folded)
        fitting = [one for one in there if folded in (one.name.casefold(), one.value)]
        if not fitting and folded in _HOLD:
            fitting = [one for one in there if one.name.casefold() in _HOLD]
            if not fitting:
                return PENDING
        if len(fitting) != 1:
            raise self.rejected(
                f'a ticket\'s status cannot be "{word}"; there are: new, open, pending, hold, solved, closed and '
                f"{shown(one.name for one in there)}"
            )
        return int(fitting[0].value)

    def ticket_type(self, word: str) -> str:
        """A ticket's type as Freshdesk spells it; as it is written where this agent may not read the types. Empty for
        a common word that this account has no type for."""
        folded = word.strip().casefold()
        there = self._choices("tickettype", folded)
        fitting = next((one.value for one in there if one.value.casefold() == folded), "")
        if there and not fitting and folded not in _COMMON_TYPES:
            raise self.rejected(
                f'a ticket\'s type cannot be "{word}"; there are: {shown(one.value for one in there)}'
            )
        return fitting if there else word.strip()

    def field(self, name: str) -> Named:
        """A custom field by label, name (cf_topic) or id. Rejected for Freshdesk's own, which have another place."""
        found = self.one("field", name)
        if found.type in _SYSTEM:
            raise self.rejected(
                f'"{found.title}" is a field of Freshdesk itself; set it with {_SYSTEM[found.type]}, not under fields'
            )
        return found

    def field_value(self, name: str, value: Any) -> tuple[str, Any]:
        """A custom field's name and the value as Freshdesk wants it."""
        found = self.field(name)
        try:
            return found.name, field_value(found, value)
        except ValueError as error:
            raise self.rejected(str(error)) from None

    def label(self, name: str) -> str:
        """The label of a field if it is known already; costs no call."""
        return next((one.title for one in self.known("field") if one.name == name), "")

    def vocabulary(self) -> Vocabulary:
        """Everything as it is now. Products stand under brands; Freshdesk has no forms. Of its own fields only those
        are told that a mapping sets by another word, so that it can be told that word."""
        fields = [one for one in self.read("field") if one.type not in _SYSTEM or one.type in _OF_A_MAPPING]
        return Vocabulary(
            fields=tuple(
                FieldSpec(one.name, one.title, one.type, tuple(option.value for option in one.options))
                for one in fields
            )
            + tuple(FieldSpec(name, name, "moment") for name in DUE),
            groups=tuple(one.title for one in self.read_if_any("group")),
            brands=tuple(one.title for one in self.read_if_any("brand")),
            statuses=(*_STATUSES, "hold", *(one.name for one in _options_of("status", self.known("field")))),
            types=(*_COMMON_TYPES, *(one.value for one in _options_of("tickettype", self.known("field")))),
            requests_per_minute=self._account.limits.plan,
        )

    def listed(self, kind: str) -> Iterable[Named]:
        """Fields, with the levels of nested ones; groups and products from the fields' choices, else from their own
        lists, which some roles may not read."""
        if kind == "field":
            rows = self._account.rows("/ticket_fields", operation="list ticket fields", missing=AuthFailed)
            return [one for row in rows for one in named(row)]
        system, path = ("group", "/groups") if kind == "group" else ("product", "/products")
        choices = _options_of(system, self._fields())
        if choices:
            return [Named(int(one.value), one.name) for one in choices if one.value.isdigit()]
        rows = self._account.rows(path, operation=f"list {system}s")
        return [Named(int(row["id"]), str(row.get("name") or "")) for row in rows]

    def _fields(self) -> tuple[Named, ...]:
        """The fields, read within the last minute."""
        read_at, known = self._known.get("field", (None, ()))
        return known if read_at is not None and self._clock() - read_at < _JUST_NOW else self.read("field")

    def _choices(self, kind: str, folded: str) -> tuple[Option, ...]:
        """The choices of a field of Freshdesk's own; read anew when the wanted one is not among those we know."""
        known = _options_of(kind, self.known("field"))
        if any(folded in (one.name.casefold(), one.value.casefold()) for one in known):
            return known
        try:
            return _options_of(kind, self._fields())
        except (Rejected, Gone):
            return known


def _options_of(kind: str, fields: Iterable[Named]) -> tuple[Option, ...]:
    return next((one.options for one in fields if one.type == kind), ())


def named(row: Json) -> Iterator[Named]:
    """A ticket field as Freshdesk lists it; a nested one with the levels below it."""
    told = str(row.get("type") or "")
    kind = _TYPES.get(told) or told.removeprefix("default_").removeprefix("custom_")
    choices = row.get("choices")
    label, name = str(row.get("label") or ""), str(row.get("name") or "")
    yield Named(int(row["id"]), label, kind, tuple(options(kind, choices)), name)
    below = row.get("nested_ticket_fields") or row.get("dependent_fields") or []
    for depth, level in enumerate(sorted((one for one in below if isinstance(one, dict)), key=_level), start=1):
        values = dict.fromkeys(at_depth(choices, depth))
        yield Named(
            int(level.get("id") or 0),
            str(level.get("label") or ""),
            kind,
            tuple(Option(value, value) for value in values),
            str(level.get("name") or ""),
        )


def options(kind: str, choices: Any) -> Iterator[Option]:
    """A field's choices, whichever shape they come in."""
    if isinstance(choices, list):
        yield from (Option(str(one), str(one)) for one in choices if isinstance(one, str | int))
    elif isinstance(choices, dict):
        for key, value in choices.items():
            if kind == "status":
                labels = value if isinstance(value, list) else [value]
                yield Option(str(key), str(labels[0]) if labels else "")
            elif isinstance(value, int) and not isinstance(value, bool):
                yield Option(str(value), str(key))
            else:
                yield Option(str(key), str(key))


def at_depth(choices: Any, depth: int) -> Iterator[str]:
    """The values of a nested field so many levels below the first."""
    if depth == 0:
        yield from (str(one) for one in choices) if isinstance(choices, list | dict) else ()
    elif isinstance(choices, dict):
        for below in choices.values():
            yield from at_depth(below, depth - 1)


def field_value(wanted: Named, value: Any) -> Any:
    """A value as that field takes it: the option as it is spelt, yes and no, numbers as numbers, dates.

    None empties the field. ValueError, with a sentence naming the field, for what it cannot take.
    """
    if value is None:
        return None
    if wanted.type == "multiselect":
        several = value if isinstance(value, list | tuple | set | frozenset) else [value]
        return [_option(wanted, one) for one in several]
    if wanted.options:
        return _option(wanted, value)
    convert = _CONVERT.get(wanted.type)
    return convert(wanted, value) if convert is not None else text(value)


def _option(wanted: Named, value: Any) -> str:
    word = str(value).strip()
    folded = word.casefold()
    exact = [one.value for one in wanted.options if one.value == word]
    for known in exact or [one.value for one in wanted.options if one.value.casefold() == folded]:
        return known
    raise ValueError(
        f'the field "{wanted.title}" has no option "{word}"; there are: '
        f"{shown(option.value for option in wanted.options)}"
    )


_CONVERT: Mapping[str, Callable[[Named, Any], Any]] = {
    "checkbox": yes_or_no,
    "integer": lambda wanted, value: int(whole_number(wanted, value)),
    "decimal": lambda wanted, value: float(decimal(wanted, value)),
    "date": day,
}


def _level(row: Json) -> int:
    level = row.get("level")
    return level if isinstance(level, int) else 0
