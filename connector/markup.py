"""Between what people type and what the two sides show: plain text to safe HTML, an agent's HTML to plain text."""

from __future__ import annotations

import re
from html import escape

from bs4 import BeautifulSoup
from bs4.element import NavigableString, Tag

_URL = re.compile(r"https?://[^\s<>\"']+[^\s<>\"'.,;:!?)\]»”]")
_BLOCKS = frozenset("p div ul ol table tr blockquote pre h1 h2 h3 h4 h5 h6 section article header footer hr".split())
_SILENT = frozenset({"script", "style", "head", "title", "template"})
_KEPT = "\x1f"
"""A space of preformatted text, until all others are gone that a browser would not show."""
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")


def to_html(text: str) -> str:
    """Plain text as HTML that shows exactly that text: escaped, paragraphs kept, addresses made links."""
    paragraphs = re.split(r"\n\s*\n", _CONTROL.sub("", text).strip().replace("\r\n", "\n"))
    return "".join(f"<p>{_inline(paragraph)}</p>" for paragraph in paragraphs if paragraph.strip())


def link(url: str, text: str = "") -> str:
    """A link, or just the text when the address is not a web address (no javascript:, no data:)."""
    shown = escape(text or url)
    if not re.match(r"https?://", url, re.IGNORECASE):
        return shown
    return f'<a href="{escape(url, quote=True)}" rel="noopener noreferrer nofollow">{shown}</a>'


def _inline(text: str) -> str:
    parts: list[str] = []
    end = 0
    for match in _URL.finditer(text):
        parts += [escape(text[end : match.start()]), link(match.group())]
        end = match.end()
    parts.append(escape(text[end:]))
    return "".join(parts).replace("\n", "<br>")


def to_text(html: str) -> str:
    """An agent's HTML as plain text: paragraphs and lists kept, a link as `text (address)` or the bare address,
    images by their alternative text, quoted scripts and styles gone, spaces as a browser would show them."""
    soup = BeautifulSoup(_CONTROL.sub("", html), "html.parser")
    out: list[str] = []
    try:
        _walk(soup, out)
    except RecursionError:  # nested deeper than anything a person made; its words are still wanted
        out = [soup.get_text()]
    text = "".join(out)
    text = re.sub(r"[ \t\u00a0]*\n[ \t\u00a0]*", "\n", text)
    text = re.sub(r"\n{3,}", "\n\n", text)
    return _CONTROL.sub("", text.replace(_KEPT, " ")).replace("\u00a0", " ").strip()


def _walk(node: Tag, out: list[str], pre: bool = False) -> None:
    for child in node.children:
        if isinstance(child, NavigableString):
            if type(child) is NavigableString:
                out.append(str(child).replace(" ", _KEPT) if pre else re.sub(r"[ \t\r\n\f]+", " ", str(child)))
        elif isinstance(child, Tag) and child.name not in _SILENT:
            _element(child, out, pre)


def _element(tag: Tag, out: list[str], pre: bool) -> None:
    name = tag.name
    if name == "br":
        out.append("\n")
    elif name == "a":
        inner: list[str] = []
        _walk(tag, inner, pre)
        shown, href = "".join(inner).strip(), str(tag.get("href") or "")
        plain = re.match(r"(https?|mailto|tel):", href, re.IGNORECASE) is None
        bare = re.sub(r"^(mailto:|tel:|https?://)|/$", "", href)
        out.append(shown if plain or bare == re.sub(r"^https?://|/$", "", shown) else _named(shown, href))
    elif name == "img":
        out.append(str(tag.get("alt") or ""))
    elif name == "li":
        out.append("\n• ")
        _walk(tag, out, pre)
    elif name in _BLOCKS:
        out.append("\n\n" if name == "p" else "\n")
        _walk(tag, out, pre or name == "pre")
        out.append("\n\n" if name == "p" else "\n")
    elif name in ("td", "th"):
        _walk(tag, out, pre)
        out.append(" ")
    else:
        _walk(tag, out, pre)


def _named(shown: str, href: str) -> str:
    address = href.removeprefix("mailto:").removeprefix("tel:")
    return f"{shown} ({address})" if shown else address


def folded(text: str) -> str:
    """The words alone, as they are compared: in one case, with one space between."""
    return " ".join(text.casefold().split())


def shorten(text: str, length: int) -> str:
    """The text in one line, cut at a word with an ellipsis when it is longer."""
    line = " ".join(text.split())
    if len(line) <= length:
        return line
    cut = line[: length - 1]
    space = cut.rfind(" ")
    return (cut[:space] if space > length // 2 else cut).rstrip(" ,.;:—-") + "…"
