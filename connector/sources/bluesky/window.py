"""What the cursor remembers between two pulls: what was told already, and what is watched for deletion."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from connector.model import Cursor, Mention

_MAX_SEEN = 10_000
_MAX_WATCHED = 300
_LOOK_AT_ONCE = 25
_CALLS_PER_LOOK = 4


@dataclass(slots=True)
class Window:
    """`at`: when all was told last; `whole_at`: when we looked through all of it; `looked_at`: when for deletions.
    `floor`: nothing older is remembered, so nothing older may be told, however wide the window is made later.

    `seen`: mark of what was told, and its time. `watched`: address, root ("" for itself) and time. Unix seconds.
    """

    at: float
    floor: float = 0.0
    whole_at: float = 0.0
    looked_at: float = 0.0
    turn: int = 0
    seen: dict[str, int] = field(default_factory=dict)
    watched: list[tuple[str, str, int]] = field(default_factory=list)

    @classmethod
    def read(cls, cursor: Cursor | None) -> Window | None:
        """What `written` wrote; None for None."""
        if cursor is None:
            return None
        value = json.loads(cursor)
        watched = [(uri, root, stamp) for uri, root, stamp in value.pop("watched")]
        return cls(**value, watched=watched)

    def written(self) -> Cursor:
        """All of it, as the cursor to be stored."""
        value = {
            "at": round(self.at, 3),
            "floor": round(self.floor, 3),
            "whole_at": round(self.whole_at, 3),
            "looked_at": round(self.looked_at, 3),
            "turn": self.turn,
            "seen": self.seen,
            "watched": self.watched,
        }
        return Cursor(json.dumps(value, separators=(",", ":")))

    def forget(self, before: float) -> None:
        """What is older than the window is never looked at again, so it need not be remembered."""
        kept = sorted((item for item in self.seen.items() if item[1] >= int(before)), key=lambda item: item[1])
        if len(kept) > _MAX_SEEN:
            kept = kept[-_MAX_SEEN:]
            before = kept[0][1]
        self.seen = dict(kept)
        self.floor = max(self.floor, before)

    def watch(self, mentions: Sequence[Mention], now: float, seconds: float) -> None:
        """These too, and none that is older than so many seconds."""
        for one in mentions:
            root = "" if one.thread_id == one.external_id else one.thread_id
            self.watched.append((one.external_id, root, int(one.created_at.timestamp())))
        self.watched = [one for one in self.watched if one[2] >= now - seconds][-_MAX_WATCHED:]

    def next_watched(self) -> Iterator[list[tuple[str, str, int]]]:
        """Up to four calls' worth, going round."""
        size = _LOOK_AT_ONCE * _CALLS_PER_LOOK
        start = self.turn if self.turn < len(self.watched) else 0
        due = self.watched[start : start + size]
        self.turn = start + len(due)
        for begin in range(0, len(due), _LOOK_AT_ONCE):
            yield due[begin : begin + _LOOK_AT_ONCE]


def mark(uri: str) -> str:
    """Fourteen hexadecimal digits for an address: an address itself is five times as long."""
    return hashlib.sha256(uri.encode()).hexdigest()[:14]
