"""What becomes of a text: HTML goes through a sieve and into a `<div>`, and is told again as plain text.

Recorded: plain text comes back as `<div>…</div>`, with `description_text`. Unconfirmed: which tags pass, and that
HTML which is a `<div>` already is not wrapped once more.
"""

from __future__ import annotations

import re
from html import unescape

from connector.testing.simulators.sieve import safe_html

_BREAK = re.compile(r"<br\s*/?>|</(?:p|div|li|tr|h[1-6]|blockquote|pre)>", re.IGNORECASE)
_TAG = re.compile(r"<[^>]*>")


def html_of(text: str) -> str:
    """The HTML as the API shows it."""
    safe = safe_html(text)
    return safe if safe.startswith("<div") else f"<div>{safe}</div>"


def text_of(html: str) -> str:
    """The plain text of HTML, a line for each block."""
    words = unescape(_TAG.sub("", _BREAK.sub("\n", html)))
    return re.sub(r"\n\s*\n+", "\n\n", words.replace("\xa0", " ")).strip()
