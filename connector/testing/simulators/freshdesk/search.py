"""The language of searches: `priority:3 AND (tag:'x' OR created_at:>'2026-01-01')`.

Documented: the query stands in double quotes and has at most 512 characters; AND, OR, brackets; `:>` and `:<`
include the value itself; strings and dates in single quotes; null; 30 rows a page, ten pages; lag of minutes; which
fields can be asked for. Unconfirmed: the words of the refusals.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from connector.testing.simulators.freshdesk.answers import Answer, Call, Refusal, Row, complaint, invalid
from connector.testing.simulators.freshdesk.answers import page as page_of

MAX_CHARS = 512
_TOKEN = re.compile(r"\s*(?:(\()|(\))|(AND|OR)\b|([a-z_0-9]+):([<>]?)('(?:[^'\\]|\\.)*'|[^\s()']+))")
_TICKET_FIELDS = {
    "agent_id": "responder_id", "group_id": "group_id", "priority": "priority", "status": "status", "tag": "tags",
    "type": "type", "due_by": "due_by", "fr_due_by": "fr_due_by", "created_at": "created_at",
    "updated_at": "updated_at",
}  # fmt: skip
_CONTACT_FIELDS = dict.fromkeys(
    ("active", "company_id", "email", "mobile", "phone", "language", "time_zone", "tag", "created_at", "updated_at",
     "twitter_id", "unique_external_id", "name")
)  # fmt: skip
Predicate = Callable[[Row], bool]


def page(call: Call, rows: list[Row]) -> Answer:
    """30 rows a page, ten pages, with the total around them."""
    call.allow("query", "page")
    if call.query.get("page", "1").isdigit() and int(call.query.get("page", "1")) > 10:
        raise invalid(complaint("page", "It should be a Positive Integer less than or equal to 10", "invalid_value"))
    found = page_of(call, rows)
    return Answer(body={"total": len(rows), "results": found.body})


def tickets(query: str, custom: list[str]) -> Predicate:
    """Whether a ticket is meant."""
    known = {**_TICKET_FIELDS, **dict.fromkeys(custom)}

    def value(row: Row, name: str) -> object:
        return row["custom_fields"].get(name) if name in custom else row[_TICKET_FIELDS[name]]

    return _Parser(query, set(known), value).predicate()


def contacts(query: str) -> Predicate:
    """Whether a contact is meant."""

    def value(row: Row, name: str) -> object:
        return row["tags"] if name == "tag" else row.get(name)

    return _Parser(query, set(_CONTACT_FIELDS), value).predicate()


class _Parser:
    def __init__(self, query: str, known: set[str], value: Callable[[Row, str], object]) -> None:
        if len(query) < 2 or query[0] != '"' or query[-1] != '"':
            raise _bad("The query should be in double quotes")
        if len(query) - 2 > MAX_CHARS:
            raise _bad(f"Has {len(query) - 2} characters, it can have maximum of {MAX_CHARS} characters")
        self._rest = query[1:-1].strip()
        self._known = known
        self._value = value

    def predicate(self) -> Predicate:
        found = self._any()
        if self._rest:
            raise _bad("Given query is invalid")
        return found

    def _any(self) -> Predicate:
        parts = [self._all()]
        while self._word() == "OR":
            self._take()
            parts.append(self._all())
        return lambda row: any(part(row) for part in parts)

    def _all(self) -> Predicate:
        parts = [self._one()]
        while self._word() == "AND":
            self._take()
            parts.append(self._one())
        return lambda row: all(part(row) for part in parts)

    def _one(self) -> Predicate:
        token = self._take()
        if token[1]:
            found = self._any()
            if not self._take()[2]:
                raise _bad("Given query is invalid")
            return found
        name, sign, wanted = token[4], token[5], token[6]
        if not name:
            raise _bad("Given query is invalid")
        if name not in self._known:
            raise invalid(complaint(name, "Unexpected/invalid field in request", "invalid_field"))
        return lambda row: _matches(self._value(row, name), sign, wanted)

    def _word(self) -> str:
        found = _TOKEN.match(self._rest)
        return (found[3] or "") if found else ""

    def _take(self) -> re.Match[str]:
        found = _TOKEN.match(self._rest)
        if found is None:
            raise _bad("Given query is invalid")
        self._rest = self._rest[found.end() :].strip()
        return found


def _matches(held: object, sign: str, wanted: str) -> bool:
    if wanted == "null":
        return held is None or held == []
    quoted = wanted.startswith("'")
    text = re.sub(r"\\(.)", r"\1", wanted[1:-1]) if quoted else wanted
    if sign:
        if held is None:
            return False
        if isinstance(held, str):
            have = held[: len(text)] if len(text) <= 10 else held
            return have >= text if sign == ">" else have <= text
        try:
            number = float(text)
        except ValueError:
            return False
        return isinstance(held, (int, float)) and (held >= number if sign == ">" else held <= number)
    if isinstance(held, list):
        return text.lower() in (str(item).lower() for item in held)
    if isinstance(held, bool):
        return text.lower() == str(held).lower()
    if isinstance(held, str):
        when = re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", held)
        return held[: len(text)] == text if when else held.lower() == text.lower()
    return held is not None and not quoted and str(held) == text


def _bad(words: str) -> Refusal:
    return invalid(complaint("query", words, "invalid_value"))
