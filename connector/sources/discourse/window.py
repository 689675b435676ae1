"""What the cursor remembers between two pulls: how far each stream of posts was read, and what is watched."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Sequence
from dataclasses import asdict, dataclass, field

from connector.model import Cursor

_SETTLED = 60.0
_MAX_WATCHED = 300


@dataclass(slots=True)
class Stream:
    """`floor`: every post up to this id was read. `seen`: those read above it, and their times in Unix seconds."""

    floor: int = -1
    seen: dict[int, float] = field(default_factory=dict)

    def begin(self, there: Sequence[tuple[int, float]]) -> None:
        """All that is there now counts as read."""
        self.seen = dict(there)
        self.floor = min(self.seen, default=1) - 1
        self.settle(())

    def settle(self, waiting: Collection[int]) -> None:
        """Move the floor up to what nobody can slip in below any more, and to nothing that still waits to be told."""
        newest, until = max(self.seen.values(), default=0.0), min(waiting, default=None)
        old = [one for one, at in self.seen.items() if at <= newest - _SETTLED and (until is None or one < until)]
        self.floor = max([self.floor, *old])
        self.forget()

    def forget(self) -> None:
        """What lies below the floor need not be remembered."""
        self.seen = {one: at for one, at in self.seen.items() if one > self.floor}


@dataclass(slots=True)
class Watched:
    """A post told, and what has to be known to tell of its edits and its end. `mark` is that of the words told."""

    id: str
    topic: str
    author: str
    private: bool
    stamp: int
    mark: str


@dataclass(slots=True)
class Window:
    """Both streams, and what is watched."""

    public: Stream = field(default_factory=Stream)
    private: Stream = field(default_factory=Stream)
    looked_at: float = 0.0
    turn: int = 0
    watched: list[Watched] = field(default_factory=list)

    @classmethod
    def read(cls, cursor: Cursor | None) -> Window | None:
        """What `written` wrote; None for None."""
        if cursor is None:
            return None
        value = json.loads(cursor)
        streams = {
            word: Stream(value[word]["floor"], {int(one): at for one, at in value[word]["seen"].items()})
            for word in ("public", "private")
        }
        watched = [Watched(*one) for one in value["watched"]]
        return cls(**streams, looked_at=value["looked_at"], turn=value["turn"], watched=watched)

    def written(self) -> Cursor:
        """All of it, as the cursor to be stored."""
        value = asdict(self)
        value["watched"] = [list(one.values()) for one in value["watched"]]
        return Cursor(json.dumps(value, ensure_ascii=False, separators=(",", ":")))

    def level(self) -> None:
        """Both were read to their ends. They count in one row, so what is settled in one is in the other: a quiet
        stream's bookmark does not stay far behind."""
        self.public.floor = self.private.floor = max(self.public.floor, self.private.floor)
        self.public.forget()
        self.private.forget()

    def watch(self, more: Sequence[Watched], now: float, keep: float) -> None:
        """These too, and none older than so many seconds."""
        self.watched = [one for one in [*self.watched, *more] if one.stamp >= now - keep][-_MAX_WATCHED:]

    def knows(self, topic: str, author: str = "") -> bool:
        """Whether something of this topic (by this author) was told lately."""
        return any(one.topic == topic and author in ("", one.author) for one in self.watched)

    def due(self, most: int) -> Iterator[Watched]:
        """The next ones to look at, going round."""
        start = self.turn if self.turn < len(self.watched) else 0
        chosen = self.watched[start : start + most]
        self.turn = start + len(chosen)
        return iter(chosen)
