"""The sieve for HTML that somebody else wrote: only harmless tags and attributes pass."""

from __future__ import annotations

import re
from html import escape, unescape
from html.parser import HTMLParser

_SILENT = {"script", "style", "iframe", "object", "embed", "template", "noscript", "title"}
_VOID = {"br", "hr", "img"}
_KEPT = (
    "a abbr b blockquote br code dd del div dl dt em h1 h2 h3 h4 h5 h6 hr i img ins li ol p pre q s span "
    "strike strong sub sup table tbody td tfoot th thead tr u ul"
).split()
_ATTRIBUTES = {"a": ("href", "title"), "img": ("src", "alt", "title", "width", "height")}
_ANYWHERE = ("dir", "class")


def safe_html(html: str) -> str:
    """The same HTML without scripts, styles, event handlers and strange addresses."""
    if "<" not in html:
        return escape(unescape(html), quote=False)
    sieve = _Sieve()
    sieve.feed(html)
    sieve.close()
    return "".join(sieve.parts) + "".join(f"</{tag}>" for tag in reversed(sieve.open))


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
