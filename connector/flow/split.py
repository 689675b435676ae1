"""Cutting a reply that is too long for one post, in the platform's own counting, where a reader would cut it."""

from __future__ import annotations

import re
from collections.abc import Callable

_CUTS = (r"\n\s*\n", r"\n", r"(?<=[.!?…])\s+", r"\s+")


def split(text: str, measure: Callable[[str], int], longest: int | None, most: int) -> list[str]:
    """The text in pieces no longer than `longest`, at most `most` of them; empty when it cannot be done.

    Cut between paragraphs, else lines, sentences, words; never inside a word unless the word alone is too long.
    With more than one piece each ends in its number, `(1/3)`, which is counted in.
    """
    text = text.strip()
    if longest is None or measure(text) <= longest:
        return [text] if text else []
    for pieces in range(2, most + 1):
        room = longest - measure(f" ({pieces}/{pieces})")
        found = _fill(text, measure, room) if room > 0 else []
        if found and len(found) <= pieces:
            return [f"{piece} ({n}/{len(found)})" for n, piece in enumerate(found, 1)]
    return []


def _fill(text: str, measure: Callable[[str], int], room: int) -> list[str]:
    pieces: list[str] = []
    rest = text
    while rest:
        if measure(rest) <= room:
            pieces.append(rest)
            break
        head = _head(rest, measure, room)
        if not head:
            return []
        pieces.append(head.rstrip())
        rest = rest[len(head) :].lstrip()
    return pieces


def _head(text: str, measure: Callable[[str], int], room: int) -> str:
    """The longest beginning that fits, cut at the best place that leaves it at least half full."""
    low, high = 0, len(text)
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if measure(text[:middle]) <= room else (low, middle - 1)
    fits = text[:low]
    for cut in _CUTS:
        ends = [found.start() for found in re.finditer(cut, text[: low + 1]) if 0 < found.start() <= low]
        if ends and (ends[-1] >= low // 2 or cut is _CUTS[-1]):
            return text[: ends[-1]]
    return fits
