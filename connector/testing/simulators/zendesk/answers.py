"""What the sandbox says back: answers, refusals in the vendor's words, and pages of rows.

Sources of the error bodies: recorded answers for RecordInvalid, RecordNotFound, InvalidEndpoint,
DuplicateValue and the text/plain ones; other people's clients for UpdateConflict and IdempotentRequestError;
401, 403 and 429 bodies are unconfirmed. Pages: vendor's page "pagination"; `links.next` beside
`has_more: false` is recorded.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlencode

from connector.testing.simulators.answers import Answer, Refusal, Row

__all__ = [
    "Actor",
    "Answer",
    "Call",
    "Refusal",
    "Row",
    "at_most_100",
    "ids_of",
    "invalid",
    "not_found",
    "page",
    "query_of",
]


@dataclass(frozen=True, slots=True)
class Actor:
    """Who does something: the user, the client's name and address, and the channel it comes through."""

    user_id: int
    client: str = "sandbox"
    address: str = "127.0.0.1"
    channel: str = "api"


@dataclass(slots=True)
class Call:
    """One API request, already authenticated: `values` are the variable parts of its path, in order."""

    method: str
    path: str
    query: dict[str, str]
    headers: Mapping[str, str]
    content: bytes
    base: str
    actor: Actor
    role: str
    values: list[str] = field(default_factory=list)
    json: Row = field(default_factory=dict)

    def number(self, index: int = 0) -> int:
        """The variable part as an id; anything else than digits is an unknown record."""
        try:
            return int(self.values[index])
        except ValueError:
            raise not_found() from None

    def part(self, name: str) -> Row:
        """The root object of a request body (`{"ticket": {...}}`); 400 in text/plain when absent."""
        found = self.json.get(name)
        if not isinstance(found, dict):
            raise Refusal(400, f"Required parameter missing: {name}")
        return found

    def address(self, path: str, **query: object) -> str:
        """A full address of this account for the given path and query."""
        tail = "?" + urlencode({k: str(v) for k, v in query.items()}) if query else ""
        return f"{self.base}{path}{tail}"


def query_of(text: bytes) -> dict[str, str]:
    """A query string as a mapping; the last of equal names wins, but of lists (`role[]=`) all, with commas."""
    found: dict[str, str] = {}
    for name, value in parse_qsl(text.decode("latin-1"), keep_blank_values=True) if text else ():
        found[name] = f"{found[name]},{value}" if name.endswith("[]") and name in found else value
    return found


def not_found() -> Refusal:
    """Unknown or deleted record (recorded answer)."""
    return Refusal(404, {"error": "RecordNotFound", "description": "Not found"})


def invalid(field_name: str, description: str, error: str | None = None, **more: object) -> Refusal:
    """A record that breaks a rule (recorded answer); one complaint about one property."""
    complaint: Row = {"description": description, **more}
    if error:
        complaint["error"] = error
    details = {field_name: [complaint]}
    return Refusal(422, {"error": "RecordInvalid", "description": "Record validation errors", "details": details})


def ids_of(text: str) -> list[int]:
    """The `ids` parameter: numbers with commas, at most 100 (recorded 400 beyond; two spaces are real)."""
    ids = [int(part) for part in text.split(",") if part.strip().isdigit()]
    at_most_100(ids)
    return ids


def at_most_100(values: list[Any]) -> None:
    """Refuse longer lists as recorded."""
    if len(values) > 100:
        words = "Parameter  cannot specify more than 100 values"
        raise Refusal(400, {"error": "TooManyValues", "description": words, "max_count": 100})


def page(call: Call, name: str, rows: list[Row], *, descending: bool = False) -> Row:
    """One page of rows sorted by id: cursor paging when `page[size]` or a cursor is given, else offset."""
    if any(key.startswith("page[") for key in call.query):
        return _cursor_page(call, name, rows, descending)
    number = _int(call.query.get("page"), 1)
    size = max(1, min(_int(call.query.get("per_page"), 100), 100))
    if number > 100:
        words = "Offset pagination is limited to 100 pages"
        raise Refusal(400, {"error": {"title": "Invalid attribute", "message": words}})
    start = (number - 1) * size
    rest = {k: v for k, v in call.query.items() if k not in ("page", "per_page")}

    def link(n: int) -> str:
        return call.address(call.path, **rest, page=n, per_page=size)

    return {
        name: rows[start : start + size],
        "next_page": link(number + 1) if start + size < len(rows) else None,
        "previous_page": link(number - 1) if number > 1 else None,
        "count": len(rows),
    }


def _cursor_page(call: Call, name: str, rows: list[Row], descending: bool) -> Row:
    size = max(1, min(_int(call.query.get("page[size]"), 100), 100))
    after, before = call.query.get("page[after]"), call.query.get("page[before]")
    sign = -1 if descending else 1
    if after:
        mark = _mark(after)
        rows = [row for row in rows if sign * row["id"] > sign * mark]
    elif before:
        mark = _mark(before)
        rows = [row for row in rows if sign * row["id"] < sign * mark][-size:]
    more = len(rows) > size
    rows = rows[:size]
    first, last = (_cursor(rows[0]["id"]), _cursor(rows[-1]["id"])) if rows else (None, None)
    rest = {k: v for k, v in call.query.items() if k not in ("page[after]", "page[before]")}
    return {
        name: rows,
        "meta": {"has_more": more, "after_cursor": last, "before_cursor": first},
        "links": {
            "prev": call.address(call.path, **rest, **{"page[before]": first}) if first else None,
            "next": call.address(call.path, **rest, **{"page[after]": last}) if last else None,
        },
    }


def _cursor(mark: int) -> str:
    return base64.b64encode(b"v1:%d" % mark).decode()


def _mark(cursor: str) -> int:
    try:
        return int(base64.b64decode(cursor)[3:])
    except (ValueError, binascii.Error):
        words = "The provided cursor is not valid"
        raise Refusal(400, {"error": {"title": "Invalid attribute", "message": words}}) from None


def _int(text: str | None, default: int) -> int:
    return int(text) if text and text.isdigit() and int(text) else default
