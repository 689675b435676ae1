"""What the cursor remembers between two pulls: the bookmark, what was told above it, and what is watched."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field

from connector.model import Cursor

_SETTLED = 60.0
_MAX_WATCHED = 300


@dataclass(slots=True)
class Watched:
    """A mention told, and what has to be known to tell of its end. `edited` is the time of the last edit told."""

    id: str
    thread: str
    author: str
    account: str
    stamp: int
    edited: str = ""


@dataclass(slots=True)
class Window:
    """`min_id`: everything up to this notification is told ("": there was none yet). `told`: ids and times of those
    told above it, in the server's order. `own`: our newest post that was looked at. Times are Unix seconds."""

    min_id: str = ""
    told: list[tuple[str, float]] = field(default_factory=list)
    own: str = ""
    looked_at: float = 0.0
    turn: int = 0
    watched: list[Watched] = field(default_factory=list)

    @classmethod
    def read(cls, cursor: Cursor | None) -> Window | None:
        """What `written` wrote; None for None."""
        if cursor is None:
            return None
        value = json.loads(cursor)
        watched = [Watched(*one) for one in value.pop("watched")]
        told = [(str(one), float(stamp)) for one, stamp in value.pop("told")]
        return cls(**value, told=told, watched=watched)

    def written(self) -> Cursor:
        """All of it, as the cursor to be stored."""
        value = asdict(self)
        value["watched"] = [list(one.values()) for one in value["watched"]]
        return Cursor(json.dumps(value, ensure_ascii=False, separators=(",", ":")))

    def advance(self, read: Sequence[tuple[str, float]], told: set[str]) -> None:
        """Move the bookmark over what was read in the server's order, as far as all of it is told and settled."""
        known = {one for one, _ in self.told} | told
        above = [(one, stamp) for one, stamp in read if one in known]
        above += [one for one in self.told if one[0] not in {seen for seen, _ in above}]
        newest = max((stamp for _, stamp in above), default=0.0)
        for one, stamp in read:
            if one not in known or stamp > newest - _SETTLED:
                break
            self.min_id = one
            above = [kept for kept in above if kept[0] != one]
        self.told = above

    def begin(self, read: Sequence[tuple[str, float]]) -> None:
        """Everything there now counts as told."""
        if read:
            self.min_id = read[0][0]
            self.told = list(read[1:])
            self.advance(read, {one for one, _ in read})

    def watch(self, more: Sequence[Watched], now: float, keep: float) -> None:
        """These too, and none older than so many seconds."""
        self.watched = [one for one in [*self.watched, *more] if one.stamp >= now - keep][-_MAX_WATCHED:]

    def thread_of(self, status: str) -> str:
        """The thread of a mention we told; "" for another post."""
        return next((one.thread for one in reversed(self.watched) if one.id == status), "")

    def due(self, most: int) -> Iterator[Watched]:
        """The next ones to look at, going round."""
        start = self.turn if self.turn < len(self.watched) else 0
        chosen = self.watched[start : start + most]
        self.turn = start + len(chosen)
        return iter(chosen)
