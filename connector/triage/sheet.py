"""One mapping file while it is read: its document, and the mistakes found in it so far.

Every reader in this package takes a sheet and a path, gives what it could understand, and writes what it could not
onto the sheet. Nobody stops at the first mistake, and nobody says "invalid": a mistake names the value, what would
be right, and what was probably meant.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from connector.errors import Problem
from connector.yamlfile import Document, Where, did_you_mean


class Sheet:
    """A mapping file being read."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self.problems: list[Problem] = list(document.problems)

    def wrong(self, where: Where, message: str, *, at_key: bool = False) -> None:
        """A mistake: the policy is not used."""
        made = self.document.problem(where, message, at_key=at_key)
        told = {(one.line, one.column) for one in self.document.problems}
        if (made.line, made.column) not in told:  # what could not be read at all is nothing, and nothing more is said
            self.problems.append(made)

    def doubt(self, where: Where, message: str, *, at_key: bool = False) -> None:
        """Something that works, but hardly as meant."""
        self.problems.append(self.document.problem(where, message, severity="warning", at_key=at_key))

    def at(self, where: Where) -> str:
        """`file:line`, for traces."""
        return self.document.at(where)

    def mapping(self, value: Any, where: Where, what: str) -> Mapping[str, Any]:
        """The value if it is a mapping with text keys; a mistake and nothing if not."""
        if not isinstance(value, dict):
            self.wrong(where, f"has to be {what}, not {shown(value)}")
            return {}
        for key in value:
            if not isinstance(key, str):
                self.wrong((*where, str(key)), f"the key {shown(key)} has to be text: quote it", at_key=True)
        return {key: item for key, item in value.items() if isinstance(key, str)}

    def keys(self, value: Mapping[str, Any], where: Where, allowed: Iterable[str], what: str) -> None:
        """A mistake for every key that is not among the allowed ones."""
        options = list(allowed)
        for key in value:
            if key not in options:
                message = f'"{key}" is not {what}{did_you_mean(key, options)}'
                self.wrong((*where, key), message, at_key=True)

    def items(self, value: Any, where: Where) -> list[tuple[Where, Any]]:
        """The items of a list, or the one value that stands in its place, each with its path."""
        if isinstance(value, list):
            if not value:
                self.wrong(where, "is an empty list: name at least one value, or leave the key out")
            return [((*where, i), item) for i, item in enumerate(value)]
        return [(where, value)]

    def text(self, value: Any, where: Where, *, empty: bool = False) -> str:
        """The value as text; numbers are taken as text, true and false are a mistake (YAML's yes, no, on and off)."""
        if isinstance(value, bool):
            self.wrong(where, f"is read by YAML as {str(value).lower()}: put it in quotes if you mean the word")
            return ""
        if isinstance(value, int | float):
            return str(value)
        if not isinstance(value, str):
            self.wrong(where, f"has to be text, not {shown(value)}")
            return ""
        if not value.strip() and not empty:
            self.wrong(where, "is empty")
        return value.strip()

    def flag(self, value: Any, where: Where) -> bool | None:
        """The value if it is true or false."""
        if isinstance(value, bool):
            return value
        self.wrong(where, f"has to be true or false, not {shown(value)}")
        return None

    def choice(self, value: Any, where: Where, allowed: Iterable[str], what: str) -> str:
        """The value if it is one of those allowed, else a mistake and nothing."""
        options = list(allowed)
        word = self.text(value, where)
        if word and word not in options:
            self.wrong(where, f'"{word}" is not {what}{did_you_mean(word, options)}')
            return ""
        return word


def shown(value: Any) -> str:
    """A value in a sentence about it."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list):
        return "a list"
    if isinstance(value, str):
        return f'"{value[:60]}"'
    return str(value)
