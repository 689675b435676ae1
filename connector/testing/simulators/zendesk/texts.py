"""What becomes of a comment's text: tags stripped, placeholders expanded, the end cut off, HTML made safe.

Sources: vendor's page "ticket_comments" (HTML is stripped from `body`, runs of blanks and newlines collapse,
text beyond 64 kB is cut silently, placeholders work only in the comments of agents and admins); the
`zd-comment` wrapper is recorded. How many newlines stay is unconfirmed: here two, so that paragraphs remain.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from html import escape, unescape

from connector.testing.simulators.sieve import safe_html

MAX_BYTES = 64 * 1024
_TAG = re.compile(r"<!--.*?-->|</?[a-zA-Z][^>]*>", re.DOTALL)
_BLANKS = re.compile(r"[ \t\xa0]+")
_NEWLINES = re.compile(r" ?\n ?(?:\n ?)+")
_BREAK = re.compile(r"<br\s*/?>\s*|</(?:p|div|li|tr|h[1-6]|blockquote|pre)>\s*", re.IGNORECASE)
_PLACEHOLDER = re.compile(r"\{\{\s*([^{}]*?)\s*\}\}")


def cut(text: str) -> str:
    """At most 64 kB of it, whole characters; nobody is told."""
    if len(text) * 4 <= MAX_BYTES:
        return text
    return text.encode("utf-8", "replace")[:MAX_BYTES].decode("utf-8", "ignore")


def plain(body: str) -> str:
    """A comment's `body`: no tags, no runs of blanks or newlines."""
    if "<" in body:
        body = _TAG.sub("", body)
    return _collapse(body)


def plain_of_html(html: str) -> str:
    """The text of an HTML comment, a line for each block."""
    return _collapse(unescape(_TAG.sub("", _BREAK.sub("\n", safe_html(html)))))


def html_of_plain(body: str) -> str:
    """The HTML that a plain comment is shown as."""
    paragraphs = escape(body, quote=False).split("\n\n")
    inner = "".join(f'<p dir="auto">{p.replace(chr(10), "<br>")}</p>' for p in paragraphs)
    return f'<div class="zd-comment" dir="auto">{inner}</div>'


def html_of_html(html: str) -> str:
    """The HTML that an HTML comment is shown as: only harmless tags and attributes."""
    return f'<div class="zd-comment" dir="auto">{safe_html(html)}</div>'


def expand(text: str, value: Callable[[str], str]) -> str:
    """Replace every `{{name}}` by its value; unknown names become nothing."""
    return _PLACEHOLDER.sub(lambda found: value(found[1]), text) if "{{" in text else text


def _collapse(text: str) -> str:
    return _NEWLINES.sub("\n\n", _BLANKS.sub(" ", text.replace("\r\n", "\n").replace("\r", "\n"))).strip()
