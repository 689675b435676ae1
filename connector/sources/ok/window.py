"""What the cursor remembers between two pulls: how far it has read, and what it told of the last minute."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field

from connector.model import Cursor

OVERLAP = 60_000
"""Milliseconds that are read again: messages may become visible in another order than that of their times."""


@dataclass(slots=True)
class Window:
    """Times are OK's own, in milliseconds. `at`: all up to here was seen. `told`: mids and their times since a minute
    before that."""

    at: int = 0
    told: dict[str, int] = field(default_factory=dict)

    @classmethod
    def read(cls, cursor: Cursor) -> Window:
        """What `written` wrote."""
        value = json.loads(cursor)
        return cls(value["at"], value["told"])

    def written(self) -> Cursor:
        """All of it, as the cursor to be stored."""
        return Cursor(json.dumps({"at": self.at, "told": self.told}, separators=(",", ":")))

    @property
    def floor(self) -> int:
        """From when on histories are read."""
        return max(0, self.at - OVERLAP)

    def settle(self, newest: Iterable[int]) -> None:
        """Everything up to the newest of these times was seen."""
        self.at = max([self.at, *newest])
        self.told = {mid: at for mid, at in self.told.items() if at >= self.floor}
