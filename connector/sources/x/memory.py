"""What the cursor remembers between two pulls: how far we have read, what the day cost, what is looked at again."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field

from connector.model import Cursor, Mention

_MOST_WATCHED = 300


@dataclass(slots=True)
class Watched:
    """A post that may yet be edited or deleted: its first id, its newest, thread, author, Unix time."""

    id: str
    newest: str
    thread: str
    author: str
    at: float


@dataclass(slots=True)
class Memory:
    """`since` and `messages_since` are ids of the newest post and message told; `began` (ISO) stands in for `since`
    while there is none. `messages_at` and `looked_at` are Unix times. `day`, `reads`, `posts`: what that UTC day
    cost so far."""

    began: str
    since: str = ""
    messages_since: str = ""
    messages_at: float = 0.0
    looked_at: float = 0.0
    day: str = ""
    reads: int = 0
    posts: int = 0
    watched: list[Watched] = field(default_factory=list)

    @classmethod
    def read(cls, cursor: Cursor) -> Memory:
        """What `written` wrote."""
        value = json.loads(cursor)
        return cls(**value | {"watched": [Watched(*one) for one in value["watched"]]})

    def written(self) -> Cursor:
        """All of it, as the cursor to be stored."""
        value = asdict(self) | {"watched": [[w.id, w.newest, w.thread, w.author, w.at] for w in self.watched]}
        return Cursor(json.dumps(value, separators=(",", ":")))

    def watch(self, mentions: Sequence[Mention], now: float, seconds: float) -> None:
        """These too, in their newest version, and none that is older than so many seconds."""
        known = {one.id: one for one in self.watched}
        for mention in mentions:
            if mention.private or mention.own or mention.deleted:
                continue
            at = known[mention.external_id].at if mention.external_id in known else mention.created_at.timestamp()
            newest = mention.version or mention.external_id
            known[mention.external_id] = Watched(
                mention.external_id, newest, mention.thread_id, mention.author.id, at
            )
        self.watched = [one for one in known.values() if one.at >= now - seconds][-_MOST_WATCHED:]
