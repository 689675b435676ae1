"""What becomes of a comment's text: tags stripped, placeholders expanded, the end cut off, HTML made safe.

Sources: vendor's page "ticket_comments" (HTML is stripped from `body`, runs of blanks and newlines collapse,
text beyond 64 kB is cut silently, placeholders work only in the comments of agents and admins); the
`zd-comment` wrapper is recorded. How many newlines stay is unconfirmed: here two, so that paragraphs remain.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from html import escape, unescape
from html.parser import HTMLParser

MAX_BYTES = 64 * 1024
_TAG = re.compile(r"<!--.*?-->|</?[a-zA-Z][^>]*>", re.DOTALL)
_BLANKS = re.compile(r"[ \t\xa0]+")
_NEWLINES = re.compile(r" ?\n ?(?:\n ?)+")
_BREAK = re.compile(r"<br\s*/?>\s*|</(?:p|div|li|tr|h[1-6]|blockquote|pre)>\s*", re.IGNORECASE)
_PLACEHOLDER = re.compile(r"\{\{\s*([^{}]*?)\s*\}\}")
_SILENT = {"script", "style", "iframe", "object", "embed", "template", "noscript", "title"}
_VOID = {"br", "hr", "img"}
_KEPT = (
    "a abbr b blockquote br code dd del div dl dt em h1 h2 h3 h4 h5 h6 hr i img ins li ol p pre q s span "
    "strike strong sub sup table tbody td tfoot th thead tr u ul"
).split()
_ATTRIBUTES = {"a": ("href", "title"), "img": ("src", "alt", "title", "width", "height")}
_ANYWHERE = ("dir", "class")


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


def safe_html(html: str) -> str:
    """The same HTML without scripts, styles, event handlers and strange addresses."""
    if "<" not in html:
        return escape(unescape(html), quote=False)
    sieve = _Sieve()
    sieve.feed(html)
    sieve.close()
    return "".join(sieve.parts) + "".join(f"</{tag}>" for tag in reversed(sieve.open))


def _collapse(text: str) -> str:
    return _NEWLINES.sub("\n\n", _BLANKS.sub(" ", text.replace("\r\n", "\n").replace("\r", "\n"))).strip()


class _Sieve(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []
        self.open: list[str] = []
        self._silent = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _SILENT:
            self._silent += 1
        if self._silent or tag not in _KEPT:
            return
        kept = "".join(f' {n}="{escape(v or "")}"' for n, v in attrs if _harmless(tag, n, v or ""))
        self.parts.append(f"<{tag}{kept}>")
        if tag not in _VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag in _SILENT:
            self._silent = max(0, self._silent - 1)
        elif not self._silent and tag in self.open:
            while True:
                closed = self.open.pop()
                self.parts.append(f"</{closed}>")
                if closed == tag:
                    return

    def handle_data(self, data: str) -> None:
        if not self._silent:
            self.parts.append(escape(data, quote=False))


def _harmless(tag: str, name: str, value: str) -> bool:
    if name in ("href", "src"):
        address = re.sub(r"[\x00-\x20]+", "", value).lower()
        return name in _ATTRIBUTES.get(tag, ()) and address.startswith(("http://", "https://", "mailto:", "/"))
    return name in _ANYWHERE or name in _ATTRIBUTES.get(tag, ())
