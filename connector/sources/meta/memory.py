"""What the cursor remembers between two pulls: what was told, in which words, and since when we listen."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from connector.model import Cursor, Mention
from connector.sources.meta.words import mark

_MOST = 3_000


@dataclass(slots=True)
class Told:
    """One thing that was told: its Unix time, the mark of its words, thread and author; `private`: a message."""

    at: float
    words: str
    thread: str
    author: str
    private: bool = False


@dataclass(slots=True)
class Memory:
    """`at`: when all was told last; `floor`: nothing older is told, for it is not remembered. Unix seconds."""

    at: float
    floor: float
    told: dict[str, Told] = field(default_factory=dict)

    @classmethod
    def read(cls, cursor: Cursor) -> Memory:
        """What `written` wrote."""
        value = json.loads(cursor)
        return cls(value["at"], value["floor"], {key: Told(*one) for key, one in value["told"].items()})

    def written(self) -> Cursor:
        """All of it, as the cursor to be stored."""
        told = {key: [one.at, one.words, one.thread, one.author, one.private] for key, one in self.told.items()}
        value = {"at": self.at, "floor": self.floor, "told": told}
        return Cursor(json.dumps(value, separators=(",", ":")))

    def remember(self, mention: Mention) -> None:
        """It was told, in these words."""
        self.told[mention.external_id] = Told(
            mention.created_at.timestamp(),
            mark(mention.text),
            mention.thread_id,
            mention.author.id,
            mention.private,
        )

    def forget(self, before: float) -> None:
        """What is older is not looked at again, and not told if it should appear."""
        kept = sorted(((key, one) for key, one in self.told.items() if one.at >= before), key=lambda it: it[1].at)
        if len(kept) > _MOST:
            kept = kept[-_MOST:]
            before = kept[0][1].at
        self.told = dict(kept)
        self.floor = max(self.floor, before)

    def missing(self, there: Mapping[str, float], known: frozenset[str]) -> list[str]:
        """What was told, is not among `known`, and would have to be: its thread is in `there`, which says back to
        which time that thread was listed."""
        return [
            key
            for key, one in self.told.items()
            if key not in known and not one.private and one.at >= there.get(one.thread, float("inf"))
        ]
