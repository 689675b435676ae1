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
from html import unescape
from typing import Any

from connector.helpdesks.zendesk.account import Json
from connector.helpdesks.zendesk.comments import MARK
from connector.markup import link
from connector.model import Attachment, Key, TicketId

LIMIT = 65_000
"""Bytes of one comment. Zendesk keeps 64 kB and does not say of what; counted in UTF-8 we are on the safe side."""

_WORD_JOINER = "\u2060"
_BRACES = re.compile(r"(?<=\{)(?=[{%])|(?<=[}%])(?=\})")
_ENTITY_BRACE = re.compile(
    r"&(?:#0*(?:123|125|37)(?:;|(?!\d))|#x0*(?:7b|7d|25)(?:;|(?![\da-f]))|(?:lbrace|lcub|rbrace|rcub|percnt);)",
    re.IGNORECASE,
)
_TOKEN = re.compile(r"<!--.*?-->|<[^>]*>|&[#\w]{1,32};|[^<&]+|[<&]", re.DOTALL)
_TAG = re.compile(r"<\s*(/?)\s*([a-zA-Z][\w-]*)")
_LINK = re.compile(r"<a\s[^>]*href=[^>]*>.*?</a>", re.IGNORECASE | re.DOTALL)
_VOID = frozenset("area base br col embed hr img input link meta source track wbr".split())
_MOST_LINES = 20


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


def defused(text: str) -> str:
    """The text with no placeholder in it that Zendesk would replace: an invisible joiner between the braces.

    Braces written as entities are made plain first, since they may be decoded before placeholders are looked for.
    """
    if "&" in text:
        text = _ENTITY_BRACE.sub(lambda match: unescape(match.group()), text)
    return _BRACES.sub(_WORD_JOINER, text) if "{" in text or "}" in text else text


def comment_html(html: str, missing: Sequence[Attachment], limit: int = LIMIT) -> str:
    """A comment that fits, with a line for each file that could not be attached."""
    lines = "".join(f"<p>Attachment: {_file_link(one)}</p>" for one in missing[:_MOST_LINES])
    if len(missing) > _MOST_LINES:
        lines += f"<p>… and {len(missing) - _MOST_LINES} more attachments</p>"
    while lines and len(lines.encode()) > limit // 2:
        lines = lines[: lines.rfind("<p>")]
    return fitting(html, limit - len(lines.encode())) + lines


def _file_link(attachment: Attachment) -> str:
    return link(attachment.url, attachment.name or attachment.url)


def fitting(html: str, limit: int = LIMIT) -> str:
    """The HTML cut to so many bytes of UTF-8, if it is longer: between characters, open elements closed, with a note
    that says so and the last link of the whole, which is where the full text can be read."""
    if len(html) * 4 <= limit or len(html.encode()) <= limit:
        return html
    links = _LINK.findall(html)
    note = "<p>… cut here: the text is longer than Zendesk keeps.</p>"
    if links and len(links[-1].encode()) < limit // 4:
        note = f"<p>… cut here: the text is longer than Zendesk keeps. Read on: {links[-1]}</p>"
    return _cut(html, limit - len(note.encode())) + note


def _cut(html: str, room: int) -> str:
    kept: list[str] = []
    open_tags: list[str] = []
    closing = 0
    for token in _TOKEN.findall(html):
        size = len(token.encode())
        tag = _TAG.match(token)
        if tag and not tag.group(1):
            name = tag.group(2).lower()
            alone = name in _VOID or token.endswith("/>")
            after = 0 if alone else len(name) + 3
            if size + after + closing > room:
                break
            if not alone:
                open_tags.append(name)
                closing += after
        elif tag and open_tags and open_tags[-1] == tag.group(2).lower():
            closing -= len(open_tags.pop()) + 3
        elif tag:
            continue
        elif size + closing > room:
            if not token.startswith(("<", "&")):
                kept.append(_whole(token, room - closing))
            break
        kept.append(token)
        room -= size
    return "".join(kept) + "".join(f"</{name}>" for name in reversed(open_tags))


def _whole(text: str, room: int) -> str:
    """As many whole characters as fit into so many bytes, back to a space if one is near."""
    cut = text.encode()[: max(0, room)].decode("utf-8", "ignore")
    space = cut.rfind(" ")
    return cut[:space] if space > len(cut) - 40 and space > 0 else cut


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
