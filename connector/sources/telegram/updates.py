"""Which updates are told, and what the cursor remembers of them: the first one that was not told, and albums.

An album comes as one message for each file, each an update of its own. Pulled, it is told as one mention, when it is
whole. By hook each message is told as it comes, since a call is answered only when what it brought is durable; the
thread of all is that of the first, so that they become one ticket.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from connector.model import Cursor, Mention
from connector.sources.telegram.words import Json, Reader, place_of, together

ALLOWED = ("message", "edited_message", "business_message", "edited_business_message", "deleted_business_messages")
"""The kinds of updates we ask for."""

PAGE = 100
_NEW = ("message", "business_message")
_EDITED = ("edited_message", "edited_business_message")
_QUIET = 2.0
_MOST_ALBUMS = 300
_NUMBERS_LAST = 6 * 86_400.0
"""Seconds without an update after which the next number may be any: Telegram says a week."""


@dataclass(slots=True)
class Albums:
    """Albums that were told: their key, the message that stands for them, and the last one that was told with it."""

    told: dict[str, tuple[int, int]] = field(default_factory=dict)

    def add(self, key: str, first: int, last: int) -> None:
        """This one too; the oldest is forgotten."""
        self.told[key] = (first, last)
        while len(self.told) > _MOST_ALBUMS:
            del self.told[next(iter(self.told))]

    def placed(self, message: Json) -> Json:
        """The message as if it were the one that stands for its album."""
        known = self.told.get(album_of(message))
        return message if known is None else {**message, "message_id": known[0]}


@dataclass(slots=True)
class Memory:
    """`offset`: the first update not told yet (0: whatever there is). `skip`: how much of it was told. `at`: when we
    last saw one (Unix seconds). `growing`: the album that is not whole yet, how many messages, and since when."""

    offset: int = 0
    at: float = 0.0
    skip: int = 0
    growing: tuple[str, int, float] | None = None
    albums: Albums = field(default_factory=Albums)

    @classmethod
    def read(cls, cursor: Cursor) -> Memory:
        """What `written` wrote."""
        value = json.loads(cursor)
        albums = {key: (first, last) for key, (first, last) in value.pop("albums").items()}
        growing = value.pop("growing")
        return cls(**value, growing=tuple(growing) if growing else None, albums=Albums(albums))

    def written(self) -> Cursor:
        """All of it, as the cursor to be stored."""
        return Cursor(json.dumps(asdict(self) | {"albums": self.albums.told}, separators=(",", ":")))

    def asked(self, now: float) -> int | None:
        """The number to ask with; None where numbers may have begun anew."""
        return self.offset if self.offset and now - self.at < _NUMBERS_LAST else None


@dataclass(frozen=True, slots=True)
class Sieve:
    """Turns updates into mentions, leaving out what nobody asked for: other places and other chats. `unreadable` is
    told the number of an update that cannot be read; it is left out as well, since it would hold up all others."""

    reader: Reader
    places: frozenset[str]
    chats: frozenset[str]
    unreadable: Callable[[int], None]

    def page(self, memory: Memory, updates: Sequence[Json], limit: int, now: float) -> tuple[list[Mention], bool]:
        """The mentions of what was pulled, and whether there is more right now; moves the memory on."""
        albums = _albums_in(updates, memory.albums)
        stop = _growing(memory, updates, albums, now)
        mentions: list[Mention] = []
        skip, after = memory.skip, memory.offset
        for number, update in enumerate(updates[:stop]):
            room = limit - len(mentions)
            found = self._told(update, number, updates, albums, memory.albums, now)[skip:] if room else []
            mentions += found[:room]
            if len(found) > room or not room:
                memory.offset, memory.skip, memory.at = int(update["update_id"]), skip + len(found[:room]), now
                return mentions, True
            skip, after = 0, int(update["update_id"]) + 1
        memory.offset, memory.skip = after, 0
        if stop < len(updates):
            memory.offset = int(updates[stop]["update_id"])
        if updates:
            memory.at = now
        return mentions, len(updates) == PAGE and stop > 0

    def hooked(self, update: Json, albums: Albums, now: float) -> list[Mention]:
        """The mentions of one update that was brought to us."""
        message = _of(update, _NEW)
        key = album_of(message) if message else ""
        if not key or message is None:
            return self._told(update, 0, (update,), {}, albums, now)
        number = int(message["message_id"])
        if key not in albums.told:
            albums.add(key, number, number)
        placed = self._mention(albums.placed(message))
        own = self._mention(message)
        if own is None or placed is None:
            return []
        return [_in_thread(own, placed)]

    def _told(
        self,
        update: Json,
        number: int,
        updates: Sequence[Json],
        albums: Mapping[str, list[int]],
        told: Albums,
        now: float,
    ) -> list[Mention]:
        try:
            if (deleted := update.get("deleted_business_messages")) is not None:
                return self.reader.deleted(deleted, now) if self._is_wanted("business", deleted) else []
            if (edited := _of(update, _EDITED)) is not None:
                return _one(self._mention(told.placed(edited), edited=True))
            message = _of(update, _NEW)
            if message is None:
                return []
            key = album_of(message)
            if key in albums:
                if number != albums[key][0]:
                    return []
                messages = [one for n in albums[key] if (one := _of(updates[n], _NEW)) is not None]
                told.add(key, int(message["message_id"]), max(int(one["message_id"]) for one in messages))
                read = [mention for one in messages if (mention := self._mention(one)) is not None]
                return [together(read)] if read else []
            if key in told.told:  # of an album that was told: again, or late
                if int(message["message_id"]) <= told.told[key][1]:
                    return []
                late, placed = self._mention(message), self._mention(told.placed(message))
                return [_in_thread(late, placed)] if late is not None and placed is not None else []
            return _one(self._mention(message))
        except (KeyError, TypeError, ValueError, AttributeError):
            self.unreadable(int(update.get("update_id") or 0))
            return []

    def _mention(self, message: Json, *, edited: bool = False) -> Mention | None:
        place = place_of(message)
        if not self._is_wanted(place, message):
            return None
        if place == "private" and str(message.get("text") or "").split(" ")[0] == "/start":
            return None  # the button that begins a chat with a bot
        return self.reader.mention(message, edited=edited)

    def _is_wanted(self, place: str, told: Json) -> bool:
        return place in self.places and (not self.chats or str(told["chat"]["id"]) in self.chats)


def album_of(message: Json) -> str:
    """The key of the album a message belongs to; empty for none."""
    group = message.get("media_group_id")
    return f"{message['chat']['id']}/{group}" if group and "chat" in message else ""


def _of(update: Json, words: Sequence[str]) -> Json | None:
    for word in words:
        found = update.get(word)
        if isinstance(found, Mapping):
            return found
    return None


def _albums_in(updates: Sequence[Json], told: Albums) -> dict[str, list[int]]:
    """Which updates make up which album, of those that were not told yet."""
    found: dict[str, list[int]] = {}
    for number, update in enumerate(updates):
        message = _of(update, _NEW)
        key = album_of(message) if message is not None else ""
        if key and key not in told.told:
            found.setdefault(key, []).append(number)
    return found


def _growing(memory: Memory, updates: Sequence[Json], albums: Mapping[str, list[int]], now: float) -> int:
    """Where to stop: before an album that may still grow, since it is the last there is."""
    last = next((key for key, numbers in albums.items() if numbers[-1] == len(updates) - 1), "")
    if not last or len(updates) == PAGE:
        memory.growing = None
        return len(updates)
    count = len(albums[last])
    known = memory.growing
    if known is None or known[:2] != (last, count):
        memory.growing = (last, count, now)
    elif now - known[2] >= _QUIET:
        memory.growing = None
        return len(updates)
    return albums[last][0]


def _in_thread(mention: Mention, first: Mention) -> Mention:
    """The mention, in the thread of the one that stands for its album."""
    return replace(mention, thread_id=first.thread_id)


def _one(mention: Mention | None) -> list[Mention]:
    return [] if mention is None else [mention]


def as_update(value: Any) -> Json:
    """The update in a call; TypeError when it is none."""
    if not isinstance(value, Mapping) or not isinstance(value.get("update_id"), int):
        raise TypeError("no update")
    return value
