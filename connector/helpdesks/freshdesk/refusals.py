"""What a Freshdesk error body says, and what is to be done about it.

Three shapes are known: `{description, errors: [{field, message, code}]}` for a record that is not valid,
`{code, message}` for everything else, and for 404 an empty body or one space, whether a ticket or the whole account
is missing (recorded). The one rule: decide by status and by `code`, never by a message.

developer reference "Errors" as collected in 2017-2024 recordings; `require_feature`, `account_suspended` and
`ssl_required` from its list of codes, their bodies unconfirmed.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from connector.errors import AuthFailed, BadAnswer, ConnectorError, Gone, Rejected, Temporary, Unsupported
from connector.http import Answer
from connector.log import masked
from connector.markup import shorten, to_text

JUDGED = frozenset({400, 403, 404, 405, 406, 409, 410, 413, 415, 422})
"""Statuses whose meaning stands in Freshdesk's body, so that they are judged here and not in http.py."""

_NO_ACCOUNT = "there is no Freshdesk at this address; check base_url"


@dataclass(frozen=True, slots=True)
class Complaint:
    """One thing wrong with a record: the property, what is wrong in words and in Freshdesk's own word, and, for a
    duplicate, the contact that has the value (unconfirmed)."""

    field: str
    message: str
    code: str = ""
    user_id: int | None = None


@dataclass(frozen=True, slots=True)
class Refusal:
    """`code` is Freshdesk's own word, "" when there is none."""

    code: str = ""
    message: str = ""
    complaints: tuple[Complaint, ...] = ()

    def about(self, *fields: str) -> bool:
        """Whether one of these properties is complained about."""
        return any(one.field.partition("[")[0] in fields for one in self.complaints)

    @property
    def duplicate(self) -> bool:
        """Whether a value is taken already."""
        return any(one.code == "duplicate_value" for one in self.complaints)


def refusal(answer: Answer) -> Refusal:
    """The body of a refused call, in our words."""
    try:
        body = answer.json()
    except BadAnswer:
        return Refusal(message=_plain(answer))
    if not isinstance(body, dict):
        return Refusal(message=_plain(answer))
    rows = body.get("errors")
    complaints = tuple(_complaint(row) for row in rows if isinstance(row, dict)) if isinstance(rows, list) else ()
    said = body.get("message") or body.get("description") or body.get("error") or ""
    return Refusal(str(body.get("code") or ""), str(said), complaints)


def sentence(answer: Answer) -> str:
    """One sentence for a person: what Freshdesk refused and, for a record that is not valid, which field."""
    return _sentence(refusal(answer), answer, lambda _: "")


def refused(
    answer: Answer,
    *,
    service: str,
    operation: str,
    forbidden: type[AuthFailed | Rejected] = Rejected,
    missing: type[AuthFailed | Gone] = Gone,
    label: Callable[[str], str] = lambda _: "",
) -> ConnectorError:
    """The error for a status in JUDGED. `forbidden` is what a 403 means here, `missing` what a 404 means (a list or a
    new record has no id that could be gone, so there the account is); `label` names a field as admins see it."""
    told = refusal(answer)
    status = answer.status
    words = masked(_sentence(told, answer, label))
    if status == 403:
        kind, words = _forbidden(told, words, forbidden)
        return kind(words, service=service, operation=operation, status=status)
    if status in (404, 410):
        words = _NO_ACCOUNT if missing is AuthFailed else "Freshdesk does not have it any more"
        return missing(words, service=service, operation=operation, status=status)
    if status == 405:
        return Unsupported(words, service=service, operation=operation, status=status)
    if status == 409:
        return Temporary(words, wait=2.0, service=service, operation=operation, status=status)
    return Rejected(words, service=service, operation=operation, status=status)


def _forbidden(
    told: Refusal, words: str, otherwise: type[AuthFailed | Rejected]
) -> tuple[type[AuthFailed | Rejected | Unsupported], str]:
    if told.code == "require_feature":
        return Unsupported, f"the plan does not have it: {words}"
    if told.code == "account_suspended":
        return AuthFailed, f"the account is suspended: {words}"
    if told.code == "ssl_required":
        return AuthFailed, "Freshdesk takes https only; base_url has to begin with https://"
    return otherwise, f"not allowed for this agent: {words}"


def _complaint(row: dict[str, Any]) -> Complaint:
    info = row.get("additional_info")
    user = info.get("user_id") if isinstance(info, dict) else None
    return Complaint(
        field=str(row.get("field") or ""),
        message=str(row.get("message") or ""),
        code=str(row.get("code") or ""),
        user_id=user if isinstance(user, int) and not isinstance(user, bool) else None,
    )


def _sentence(told: Refusal, answer: Answer, label: Callable[[str], str]) -> str:
    parts = []
    for one in told.complaints:
        bare = one.field.removeprefix("custom_fields.")
        known = label(bare)
        named = f'"{known}" ({bare})' if known else bare
        parts.append(": ".join(part for part in (named, one.message or one.code.replace("_", " ")) if part))
    said = "; ".join(parts) or told.message or told.code.replace("_", " ")
    return shorten(said, 300) if said.strip() else f"Freshdesk refused it with HTTP {answer.status}"


def _plain(answer: Answer) -> str:
    text = answer.text
    return to_text(text[:5_000]) if re.search(r"<html|<!doctype", text[:500], re.IGNORECASE) else text[:1_000]
