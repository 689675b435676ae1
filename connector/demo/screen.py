"""What the demo prints on. 100 columns will do, and weight says nothing that words do not say too."""

from __future__ import annotations

import sys
import textwrap
import time
import unicodedata
from dataclasses import dataclass

WIDTH = 98
BETWEEN_CHAPTERS = 1.2


@dataclass(frozen=True, slots=True)
class Screen:
    """A terminal, or a pipe. `pause` scales the time to read; 0 for none."""

    pause: float

    def wait(self, seconds: float) -> None:
        """Time to read; none when it has to be fast."""
        if self.pause:
            time.sleep(seconds * self.pause)

    def line(self, *texts: str) -> None:
        """These lines, or an empty one."""
        for text in texts or ("",):
            print(text.rstrip(), flush=True)

    def title(self, text: str) -> None:
        """A line to begin with."""
        self.line(f"\033[1m{text}\033[0m" if sys.stdout.isatty() else text)

    def chapter(self, text: str) -> None:
        """A heading."""
        self.line()
        self.title(text)
        self.line()
        self.wait(BETWEEN_CHAPTERS)

    def ticket(self, number: str, priority: str, subject: str, tags: list[str]) -> None:
        """A row of the table of tickets."""
        shown = ", ".join(tags)
        for left in range(1, len(tags)):
            if len(shown) > WIDTH - 66:
                shown = ", ".join(tags[:-left]) + f" +{left}"
        self.line(f"{number:>5}  {priority:<8}  {_fitted(subject, 47)}  {shown}")

    def event(self, what: str, ticket: str | None, text: str, tail: str = "") -> None:
        """Something that became no new ticket; `tail` is never cut."""
        self.line(f"{ticket or '–':>5}  {what:<8}  {_fitted(text, WIDTH - 19 - len(tail)).rstrip()}{tail}")

    def text(self, text: str) -> None:
        """Several sentences, set in."""
        for paragraph in text.splitlines():
            self.line(*textwrap.wrap(paragraph, WIDTH - 8, initial_indent=" " * 8, subsequent_indent=" " * 8))

    def framed(self, text: str) -> None:
        """The same in a frame that is open to the right."""
        for paragraph in text.splitlines():
            indent = " " * (len(paragraph) - len(paragraph.lstrip()))
            for part in textwrap.wrap(paragraph, WIDTH - 6, subsequent_indent=indent) or [""]:
                self.line(f"   │  {part}")


def _fitted(text: str, width: int) -> str:
    """One line of exactly so many columns; an emoji takes two."""
    text = " ".join(text.split())
    if _columns(text) > width:
        while _columns(text) >= width:
            text = text[:-1]
        text = text.rstrip(" ,.:(") + "…"
    return text + " " * (width - _columns(text))


def _columns(text: str) -> int:
    return sum(2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in text)
