"""From our drafts to the text Zendesk is sent: one comment, its author, settings, and what has to fit.

Three rules. A body is frozen here, and our key is put into it in a fixed place when it is sent, so that every try
sends the same bytes. A comment longer than Zendesk keeps is cut by us, visibly, with its last link kept, since
Zendesk cuts silently. What is written as an agent holds no live placeholder: Zendesk would replace it.

developer.zendesk.com/api-reference/ticketing/tickets/tickets (submitter, static text) and …/ticket_comments (64 kB,
placeholders of agents)
"""

from __future__ import annotations

import json as jsonlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from connector.helpdesks import content
from connector.helpdesks.zendesk.account import Json
from connector.helpdesks.zendesk.comments import MARK
from connector.model import Attachment, Key, TicketId

LIMIT = 65_000
"""Bytes of one comment. Zendesk keeps 64 kB and does not say of what; counted in UTF-8 we are on the safe side."""


@dataclass(frozen=True, slots=True)
class Written:
    """A frozen change of a ticket: the tags to add and remove first, when it was made, and the PUT's body ("" for
    none)."""

    ticket: TicketId
    tags: tuple[str, ...]
    untag: tuple[str, ...]
    made_at: datetime
    body: str
    comments: bool


def dumped(body: Json) -> str:
    """JSON as it is sent."""
    return jsonlib.dumps(body, ensure_ascii=False, separators=(",", ":"))


def with_key(text: str, key: Key) -> str:
    """A frozen `{"ticket":{…}}` with our key as its metadata. The same key gives the same text, without parsing."""
    return f'{text[:-2]},"metadata":{dumped({MARK: key})}}}}}'


def freeze(written: Written) -> str:
    """One line that we read, and one that is sent as it stands."""
    head = {
        "ticket": written.ticket,
        "tags": written.tags,
        "untag": written.untag,
        "at": written.made_at.isoformat(),
        "comments": written.comments,
    }
    return f"{dumped(head)}\n{written.body}"


def thaw(text: str) -> Written:
    """What `freeze` wrote."""
    line, _, body = text.partition("\n")
    head = jsonlib.loads(line)
    return Written(
        TicketId(head["ticket"]),
        tuple(head["tags"]),
        tuple(head["untag"]),
        datetime.fromisoformat(head["at"]),
        body,
        head["comments"],
    )


def comment_html(html: str, missing: Sequence[Attachment]) -> str:
    """A comment that fits, with a line for each file that could not be attached."""
    return content.comment_html(html, missing, "Zendesk", LIMIT)


def tag_of(text: str) -> str:
    """A tag as Zendesk keeps it: lower case, and no spaces or commas, which would make two of it."""
    return re.sub(r"[\s,]+", "_", text.strip()).lower()


def tags_of(tags: Sequence[str]) -> tuple[str, ...]:
    """Tags, each once."""
    return tuple(dict.fromkeys(tag for tag in map(tag_of, tags) if tag))


def ticket_in(body: str) -> dict[str, Any]:
    """The fields of a frozen ticket that a look-up needs; only read when something went wrong."""
    ticket = jsonlib.loads(body)["ticket"]
    return dict(ticket)
