"""What a Zendesk error body says, in whatever shape it comes, and what is to be done about it.

The one rule: decide by status, by `error` and by the names of the fields in `details`, never by a description, which
Zendesk translates into the account's language (zendesk_api_client_php#306). `error` may be text or an object, and the
body may be plain text or HTML. Shapes: recordings of 2012-2015, zenpy's, and the issues named in each place.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from connector.errors import (
    AuthFailed,
    BadAnswer,
    ConnectorError,
    Gone,
    Rejected,
    Temporary,
)
from connector.http import Answer
from connector.log import masked
from connector.markup import shorten, to_text

JUDGED = frozenset({400, 403, 404, 406, 409, 410, 413, 415, 422})
"""Statuses whose meaning stands in Zendesk's body, so that they are judged here and not in http.py."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """`code` is Zendesk's own word ("" when there is none); `details` maps a field to its sentences."""

    code: str = ""
    sentence: str = ""
    details: Mapping[str, tuple[Mapping[str, Any], ...]] = field(default_factory=dict)

    def duplicate(self, name: str) -> bool:
        """Whether that field's value is taken already."""
        entries = self.details.get(name, ())
        others = self.details.get("base", ())
        return bool(entries) or any(entry.get("error") == "DuplicateValue" for entry in others)


def refusal(answer: Answer) -> Refusal:
    """The body of a refused call, in our words."""
    try:
        body = answer.json()
    except BadAnswer:
        return Refusal(sentence=_plain(answer))
    if not isinstance(body, dict):
        return Refusal(sentence=_plain(answer))
    error = body.get("error")
    if isinstance(error, dict):
        words = [str(error[key]) for key in ("title", "message") if error.get(key)]
        return Refusal(str(error.get("title") or ""), _sentence(". ".join(words), answer))
    details = _details(body.get("details"))
    said = _told(details) or str(body.get("description") or body.get("message") or error or "")
    return Refusal(str(error or ""), _sentence(said, answer), details)


def sentence(answer: Answer) -> str:
    """One sentence for a person: what Zendesk refused and, for a record that is not valid, which field."""
    return refusal(answer).sentence


def refused(
    answer: Answer,
    *,
    service: str,
    operation: str,
    forbidden: type[AuthFailed | Rejected] = Rejected,
    title: Callable[[int], str] = lambda _: "",
) -> ConnectorError:
    """The error for a status in JUDGED. `forbidden` is what a 403 means here; `title` names a ticket field by id."""
    told = refusal(answer)
    status = answer.status
    words = masked(_with_titles(told, title))
    if status == 403:
        return forbidden(f"not allowed for this user: {words}", service=service, operation=operation, status=status)
    if status in (404, 410):
        return _missing(told, words, service, operation, status)
    if status == 409:
        return Temporary(words, wait=2.0, service=service, operation=operation, status=status)
    return Rejected(words, service=service, operation=operation, status=status)


def _missing(told: Refusal, words: str, service: str, operation: str, status: int) -> ConnectorError:
    if told.code.startswith("No help desk"):
        return AuthFailed(f"{words} Check base_url.", service=service, operation=operation, status=status)
    if told.code == "InvalidEndpoint":
        return Rejected(
            "Zendesk knows no such call; check base_url", service=service, operation=operation, status=status
        )
    return Gone("Zendesk does not have it any more", service=service, operation=operation, status=status)


def _details(value: object) -> dict[str, tuple[Mapping[str, Any], ...]]:
    if not isinstance(value, dict):
        return {}
    found: dict[str, tuple[Mapping[str, Any], ...]] = {}
    for name, entries in value.items():
        rows = entries if isinstance(entries, list) else [entries]
        found[str(name)] = tuple(row if isinstance(row, dict) else {"description": str(row)} for row in rows)
    return found


def _told(details: Mapping[str, tuple[Mapping[str, Any], ...]]) -> str:
    parts = []
    for name, entries in details.items():
        for entry in entries:
            said = str(entry.get("description") or entry.get("error") or "is not valid")
            named = name == "base" or said.lower().startswith(name.replace("_", " ").lower())
            parts.append(said if named else f"{name}: {said}")
    return "; ".join(parts)


def _with_titles(told: Refusal, title: Callable[[int], str]) -> str:
    """The sentence, with the titles of the ticket fields it is about where Zendesk gives only their ids."""
    names = []
    for entries in told.details.values():
        for entry in entries:
            number = entry.get("ticket_field_id")
            known = title(number) if isinstance(number, int) else ""
            if known and known.lower() not in told.sentence.lower():
                names.append(f'"{known}"')
    return f"field {', '.join(names)}: {told.sentence}" if names else told.sentence


def _sentence(said: str, answer: Answer) -> str:
    return shorten(said, 300) if said.strip() else f"Zendesk refused it with HTTP {answer.status}"


def _plain(answer: Answer) -> str:
    text = answer.text
    if re.search(r"<html|<!doctype", text[:500], re.IGNORECASE):
        text = to_text(text[:5_000])
    return _sentence(text[:1_000], answer)
