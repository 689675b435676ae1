"""What every helpdesk does to what people wrote: no live placeholder, no silent cut, no file without its link.

Pure text in, text out. A comment longer than the helpdesk keeps is cut by us, visibly, with its last link kept; a
`{{placeholder}}` that somebody typed is never replaced by a secret of the ticket.
"""

from __future__ import annotations

import mimetypes
import re
from collections.abc import Sequence
from html import unescape
from pathlib import PurePosixPath
from urllib.parse import unquote, urlsplit

from connector.http import Download
from connector.markup import link
from connector.model import Attachment

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
_UNSAFE = re.compile(r"[\x00-\x1f\x7f/\\:*?\"<>|]+")


def defused(text: str) -> str:
    """The text with no placeholder in it that a helpdesk would replace: an invisible joiner between the braces.

    Braces written as entities are made plain first, since they may be decoded before placeholders are looked for.
    """
    if "&" in text:
        text = _ENTITY_BRACE.sub(lambda match: unescape(match.group()), text)
    return _BRACES.sub(_WORD_JOINER, text) if "{" in text or "}" in text else text


def comment_html(html: str, missing: Sequence[Attachment], desk: str, limit: int) -> str:
    """A comment that fits into so many bytes, with a line for each file that could not be attached. `desk` is whose
    limit it is."""
    lines = "".join(f"<p>Attachment: {_file_link(one)}</p>" for one in missing[:_MOST_LINES])
    if len(missing) > _MOST_LINES:
        lines += f"<p>… and {len(missing) - _MOST_LINES} more attachments</p>"
    while lines and len(lines.encode()) > limit // 2:
        lines = lines[: lines.rfind("<p>")]
    return fitting(html, desk, limit - len(lines.encode())) + lines


def _file_link(attachment: Attachment) -> str:
    return link(attachment.url, attachment.name or attachment.url)


def fitting(html: str, desk: str, limit: int) -> str:
    """The HTML cut to so many bytes of UTF-8, if it is longer: between characters, open elements closed, with a note
    that says so and the last link of the whole, which is where the full text can be read."""
    if len(html) * 4 <= limit or len(html.encode()) <= limit:
        return html
    links = _LINK.findall(html)
    note = f"<p>… cut here: the text is longer than {desk} keeps.</p>"
    if links and len(links[-1].encode()) < limit // 4:
        note = f"<p>… cut here: the text is longer than {desk} keeps. Read on: {links[-1]}</p>"
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


def file_name(attachment: Attachment, file: Download) -> str:
    """The file's name, with the ending its content has: agents' browsers go by it."""
    name = attachment.name or PurePosixPath(unquote(urlsplit(attachment.url).path)).name
    name = _UNSAFE.sub("_", name).strip(" ._")[-120:] or "attachment"
    if not PurePosixPath(name).suffix:
        name += mimetypes.guess_extension(file.type) or ""
    return name
