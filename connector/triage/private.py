"""The move to private, as the mapping says: the line that stands in public, and when a ticket is reminded.

move_to_private:
  line: {ru: "Напишите нам, пожалуйста, в личные сообщения.", en: "Please write to us in a private message."}
  remind_after: 24h
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from connector.triage.deadlines import read_minutes
from connector.triage.sheet import Sheet
from connector.triage.templates import MOST_ANSWER, Answers, Ready, read_answer
from connector.yamlfile import Where

PRIVATE_KEYS = ("line", "remind_after")
USUAL: Mapping[str, str] = {
    "en": "Please write to us in a private message, so that we can help you.",
    "ru": "Напишите нам, пожалуйста, в личные сообщения, и мы поможем.",
}
_LINE = "line"


@dataclass(frozen=True, slots=True)
class MoveToPrivate:
    """The section as it is written, or the usual. `remind_after` in minutes."""

    lines: Mapping[str, Ready] = field(
        default_factory=lambda: {name: Ready(text, MOST_ANSWER) for name, text in USUAL.items()}
    )
    remind_after: int = 24 * 60

    def line(self, languages: tuple[str, ...]) -> Ready:
        """The line in the first of these languages it is written in, else in the first it is written in at all."""
        found = Answers({_LINE: self.lines}).find((_LINE,), languages)
        return found or Ready(USUAL["en"], MOST_ANSWER)


def read_private(value: Any, where: Where, sheet: Sheet) -> MoveToPrivate:
    """The section as it is written; mistakes go onto the sheet."""
    keys = sheet.mapping(value, where, f"a mapping with {' and '.join(PRIVATE_KEYS)}")
    sheet.keys(keys, where, PRIVATE_KEYS, "a part of a move to private")
    given: dict[str, Any] = {}
    if "line" in keys:
        given["lines"] = read_answer(keys["line"], (*where, "line"), sheet)
    if "remind_after" in keys:
        given["remind_after"] = read_minutes(keys["remind_after"], (*where, "remind_after"), sheet)
    return MoveToPrivate(**given)
