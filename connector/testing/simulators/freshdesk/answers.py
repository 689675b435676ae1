"""What the sandbox says back: complaints in the vendor's words, and pages of rows.

Recorded: 401 invalid_credentials; 404 with one space for a body; `invalid_field` and its words; the words for
an unknown e-mail; `link` as the only sign of a next page. Quoted by other people: the words for a page beyond
300, "Value set is of type String.It should be one of these values: '…'" (freshworks-oss/fresh-samples#33).
Documented: the shape `{description, errors: [{field, message, code}]}` and the list of codes. From memory,
unconfirmed: every other sentence, `additional_info.user_id`, the content type of a 404, 405, 406 and 415 bodies.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlencode

from connector.testing.simulators.answers import Answer, Refusal, Row
from connector.testing.simulators.web import File

__all__ = [
    "Answer",
    "Call",
    "Refusal",
    "Row",
    "Wanted",
    "complaint",
    "denied",
    "included",
    "invalid",
    "no_match",
    "not_found",
    "page",
    "query_of",
    "unexpected",
]

MAX_PAGE = 300


@dataclass(slots=True)
class Call:
    """One API request of an agent: `values` are the variable parts of its path, `body` its JSON or form."""

    method: str
    path: str
    query: dict[str, str]
    headers: Mapping[str, str]
    content: bytes
    base: str
    agent: int = 0
    is_admin: bool = False
    values: list[str] = field(default_factory=list)
    body: Row = field(default_factory=dict)
    files: list[File] = field(default_factory=list)
    is_form: bool = False

    def number(self, index: int = 0) -> int:
        """The variable part as an id; anything else than digits is an unknown record."""
        if not self.values[index].isdigit():
            raise not_found()
        return int(self.values[index])

    def allow(self, *names: str) -> None:
        """Refuse query parameters that are not among the names (recorded)."""
        unknown = [name for name in self.query if name not in names]
        if unknown:
            raise invalid(*(unexpected(name) for name in unknown))


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a request asks for: properties, files, and what was wrong with them before anybody looked closer."""

    body: Row
    files: list[File] = field(default_factory=list)
    wrong: list[Row] = field(default_factory=list)
    is_form: bool = False


def query_of(text: bytes) -> dict[str, str]:
    """A query string as a mapping; the last of equal names wins."""
    return dict(parse_qsl(text.decode("latin-1"), keep_blank_values=True)) if text else {}


def complaint(name: str, message: str, code: str, **more: object) -> Row:
    """What is wrong with one property."""
    return {"field": name, "message": message, "code": code, **more}


def unexpected(name: str) -> Row:
    """A property or parameter nobody knows (recorded)."""
    return complaint(name, "Unexpected/invalid field in request", "invalid_field")


def no_match(kind: str, name: str) -> Row:
    """A record nobody knows; the words are recorded for contacts and `email`."""
    return complaint(name, f"There is no {kind} matching the given {name}", "invalid_value")


def invalid(*complaints: Row, status: int = 400) -> Refusal:
    """A request that breaks rules, all of them told at once."""
    return Refusal(status, {"description": "Validation failed", "errors": list(complaints)})


def not_found() -> Refusal:
    """Unknown record or path: a body of one space (recorded)."""
    return Refusal(404, " ")


def denied() -> Refusal:
    """The agent may not do this."""
    return Refusal(403, {"code": "access_denied", "message": "You are not authorized to perform this action."})


def page(call: Call, rows: list[Row], *, size: int = 30, last: int | None = None, biggest: int = 100) -> Answer:
    """One page of rows; 30 unless asked for up to `biggest`, a Link header when there are more (recorded)."""
    number, size = _number(call, "page", 1), _number(call, "per_page", size)
    if size > biggest:
        words = f"It should be a Positive Integer less than or equal to {biggest}"
        raise invalid(complaint("per_page", words, "invalid_value"))
    if last is not None and number > last:
        words = f"You cannot access tickets beyond the {last}th page. Please provide a smaller page number."
        raise invalid(complaint("page", words, "invalid_value"))
    start = (number - 1) * size
    headers = {}
    if start + size < len(rows):
        query = urlencode({**call.query, "page": number + 1, "per_page": size})
        headers["link"] = f'<{call.base}{call.path}?{query}>; rel="next"'
    return Answer(body=rows[start : start + size], headers=headers)


def _number(call: Call, name: str, default: int) -> int:
    text = call.query.get(name)
    if text is None:
        return default
    if not text.isdigit() or int(text) < 1:
        raise invalid(complaint(name, "It should be a Positive Integer", "datatype_mismatch"))
    return int(text)


def included(call: Call, known: tuple[str, ...]) -> list[str]:
    """The parts that `include=` asks for; 400 for others."""
    wanted: list[Any] = [part.strip() for part in call.query.get("include", "").split(",") if part.strip()]
    if any(part not in known for part in wanted):
        words = f"It should be one of these values: '{', '.join(known)}'"
        raise invalid(complaint("include", words, "invalid_value"))
    return wanted
