"""From our drafts to what Freshdesk is sent: a ticket, or a note with the changes that go with it.

Freshdesk has no idempotency key and no metadata, so our key stands in what we write: a short mark, the last words of
every description and note. And the ticket carries our external id, in a tag or a custom field, to be found by. Two
rules: a draft is frozen without its mark, since the key comes when it is sent; and nothing that people wrote holds a
live placeholder or is cut silently.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from connector.helpdesks import content
from connector.helpdesks.freshdesk.account import Json
from connector.model import Attachment, Key, TicketId

LIMIT = 64_000
"""Bytes of one description or note. Freshdesk documents no limit; this one is ours, the same as elsewhere."""

LONGEST_SUBJECT = 250
"""Characters of a subject; its column is said to have 255 (unconfirmed)."""

DUE = ("fr_due_by", "due_by")
"""When the first answer and the solution are due, in Freshdesk's words; a mapping names them like fields."""

_MARK = re.compile(r"connector ref ([0-9a-f]{20})")
_MOMENT = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z")
_NEAR_THE_END = 200
_SAFE = re.compile(r"[^'\"\\\s]{1,200}")


@dataclass(frozen=True, slots=True)
class Opening:
    """A frozen ticket: its properties without the description, the text of that, the files, and when it was made."""

    fields: Json
    html: str
    at: datetime
    external_id: str
    files: tuple[Attachment, ...] = ()


@dataclass(frozen=True, slots=True)
class Change:
    """A frozen change of a ticket: properties and tags to set, then a note ("" for none).

    `user` is the contact who speaks, publicly; None: our own private note.
    """

    ticket: TicketId
    html: str
    public: bool
    user: int | None = None
    fields: dict[str, Any] = field(default_factory=dict)
    custom: dict[str, Any] = field(default_factory=dict)
    tags: tuple[str, ...] = ()
    untag: tuple[str, ...] = ()
    files: tuple[Attachment, ...] = ()

    @property
    def settles(self) -> bool:
        """Whether the ticket itself is changed."""
        return bool(self.fields or self.custom or self.tags or self.untag)


def body_of(html: str, missing: Sequence[Attachment], key: Key) -> str:
    """The text as it is sent: no live placeholder, a line for each file that is not attached, cut to fit, marked."""
    shown = content.comment_html(content.defused(html), missing, "Freshdesk", LIMIT)
    return f'{shown}<p style="color:#9aa0a6;font-size:11px">connector ref {mark_of(key)}</p>'


def mark_of(key: Key) -> str:
    """The short form of a key. Stored at Freshdesk, so its form is a promise."""
    return hashlib.sha256(key.encode()).hexdigest()[:20]


def mark_in(text: str) -> str:
    """The mark at the end of a text, "" for none. What people wrote stands before ours, so the last one counts."""
    found = _MARK.findall(text[-_NEAR_THE_END:])
    return str(found[-1]) if found else ""


def reference_of(external_id: str) -> str:
    """Our external id as a tag: short enough for Freshdesk (32 characters, unconfirmed) and without anything that a
    search would read. Stored there, so its form is a promise."""
    return f"connector-{hashlib.sha256(external_id.encode()).hexdigest()[:20]}"


def reference_text(external_id: str) -> str:
    """The same for a custom field: the id as it is, where a search can ask for it, else its short form."""
    return external_id if _SAFE.fullmatch(external_id) else reference_of(external_id)


def due_of(fields: Mapping[str, Any]) -> dict[str, str]:
    """Freshdesk's own due dates among the fields a mapping writes. It takes both or none (documented), so that one
    alone stands for both; the first answer is not due after the rest. ValueError, with a sentence, for no moment."""
    given = {name: str(fields[name]) for name in DUE if fields.get(name)}
    for name, value in given.items():
        if not _MOMENT.fullmatch(value):
            raise ValueError(f'{name} takes a moment such as 2026-03-04T17:00:00Z, not "{value}"')
    moments = sorted(given.values())
    return {DUE[0]: moments[0], DUE[1]: moments[-1]} if moments else {}


def tags_of(tags: Sequence[str]) -> tuple[str, ...]:
    """Tags as Freshdesk takes them, each once in any case: without commas and runs of spaces."""
    found: dict[str, str] = {}
    for tag in tags:
        clean = " ".join(tag.replace(",", " ").split())
        if clean:
            found.setdefault(clean.casefold(), clean)
    return tuple(found.values())


def tags_after(present: Sequence[str], added: Sequence[str], removed: Sequence[str]) -> list[str]:
    """The whole list that a change leaves: others' tags as they are, in their order. What is removed is not added."""
    gone = {tag.casefold() for tag in removed}
    kept = {tag.casefold(): tag for tag in present if tag.casefold() not in gone}
    for tag in added:
        if tag.casefold() not in gone:
            kept.setdefault(tag.casefold(), tag)
    return list(kept.values())
