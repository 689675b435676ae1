"""What the cursor remembers, and reading again what was missed while nobody listened.

VK tells when events were lost, not which. So every place that can be read is read back to the time of the last pull,
newest first: the wall's last hundred posts and the branches of their comments, topics, photos, videos, goods, and the
conversations of the community. It is done in small steps, a few calls a pull, and each step is remembered: a restart
goes on with it. What was told already has the same id and is known to the store. Comments of an older post than the
last hundred, and what was edited or deleted meanwhile, stay unseen.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from connector import log
from connector.errors import AuthFailed, BadAnswer, Closed, Gone, Rejected
from connector.model import Cursor, Mention
from connector.sources.vk.api import Api, Json
from connector.sources.vk.words import Place, Reader

_PAGE = 100
_MOST_AUTHORS = 300
_CALLS = 3
Task = list[Any]
"""The place (wall, topic …), then thing, branch and offset where it is about one, and how much of it was told."""


@dataclass(slots=True)
class Authors:
    """Who wrote what, for the deletion that does not say so."""

    known: dict[str, str] = field(default_factory=dict)

    def add(self, mention: Mention) -> None:
        """This one too; the oldest is forgotten."""
        if not mention.deleted:
            self.known[mention.external_id] = mention.author.id
            while len(self.known) > _MOST_AUTHORS:
                del self.known[next(iter(self.known))]


@dataclass(slots=True)
class Memory:
    """`ts`: the last event that was told; `skip`: how many after it were told as well. `at`: when all that had
    happened was told (Unix seconds). `since` and `todo`: what is still to be read again, and how far back."""

    ts: str = ""
    skip: int = 0
    at: float = 0.0
    since: float = 0.0
    todo: list[Task] = field(default_factory=list)
    authors: Authors = field(default_factory=Authors)

    @classmethod
    def read(cls, cursor: Cursor) -> Memory:
        """What `written` wrote."""
        value = json.loads(cursor)
        return cls(**value | {"authors": Authors(value["authors"])})

    def written(self) -> Cursor:
        """All of it, as the cursor to be stored."""
        return Cursor(json.dumps(asdict(self) | {"authors": self.authors.known}, separators=(",", ":")))

    def missed(self, *, user: bool) -> None:
        """Everything since `at` has to be read again; with a community's token only, messages."""
        places = ["wall", "topic", "photo", "video", "market", "message"] if user else ["message"]
        self.since = min(self.since, self.at) if self.todo else self.at
        self.todo = [[place] for place in places]


@dataclass(frozen=True, slots=True)
class Again:
    """Reads again, as an administrator; messages as the community."""

    api: Api
    reader: Reader

    def step(self, memory: Memory, room: int) -> list[Mention]:
        """Up to so many mentions of what is to do, with a few calls. What cannot be read is left out and logged."""
        told: list[Mention] = []
        for _ in range(_CALLS):
            if not memory.todo or len(told) >= room:
                break
            task = memory.todo[0]
            skip = task.pop() if task and isinstance(task[-1], str) and task[-1].startswith("told:") else "told:0"
            done = int(skip.removeprefix("told:"))
            try:
                found, more = self._read(task, memory.since)
            except (Closed, Gone, Rejected, BadAnswer, AuthFailed) as error:
                # an administrator's token that is no longer good must not keep the community's from listening
                if isinstance(error, AuthFailed) and task[0] == "message":
                    raise
                log.get(account=self.reader.source).warning(
                    "not read again", place=task[0], why=error.sentence, status=error.status
                )
                memory.todo.pop(0)
                continue
            left = found[done:]
            told_now = left[: room - len(told)]
            told += told_now
            if len(told_now) < len(left):
                task.append(f"told:{done + len(told_now)}")
                break
            memory.todo[:1] = more
        return told

    def _read(self, task: Task, since: float) -> tuple[list[Mention], list[Task]]:
        """The mentions of one call, oldest first, and the tasks that follow from it."""
        kind, *rest = task
        if kind == "message":
            return self._messages(rest, since)
        if not rest and kind != "photo":
            return self._things(kind, since)
        thing, branch, offset = rest or (0, 0, 0)
        answer = self.api.read(*_comments(kind, -self.reader.group, thing, branch, offset), user=True)
        items = list(_items(answer))
        found: list[Mention] = []
        more: list[Task] = []
        for item in items:
            found += self._comment(kind, thing, item, since)
            thread = item.get("thread") or {}
            inside = list(thread.get("items") or ())
            for one in inside:
                found += self._comment(kind, thing, one, since)
            if kind == "wall" and not branch and int(thread.get("count") or 0) > len(inside):
                more.append([kind, thing, int(item["id"]), 0])
        oldest = min((float(item.get("date") or 0) for item in items), default=0.0)
        if len(items) == _PAGE and oldest >= since:
            more.append([kind, thing, branch, offset + _PAGE])
        return sorted(found, key=lambda one: one.created_at), more

    def _comment(self, kind: Any, thing: int, item: Json, since: float) -> Iterator[Mention]:
        if float(item.get("date") or 0) < since:
            return
        owner = -self.reader.group
        place = Place(kind, owner, thing or int(item.get("pid") or item.get("photo_id") or 0), int(item["id"]))
        mention = self.reader.comment(place, item)
        if mention is not None:
            yield mention

    def _things(self, kind: str, since: float) -> tuple[list[Mention], list[Task]]:
        """The posts, topics, videos or goods whose comments are to be read."""
        owner = -self.reader.group
        calls: Mapping[str, tuple[str, Json]] = {
            "wall": ("wall.get", {"domain": f"club{self.reader.group}", "count": _PAGE}),
            "topic": ("board.getTopics", {"group_id": self.reader.group, "order": 1, "count": _PAGE}),
            "video": ("video.get", {"owner_id": owner, "count": _PAGE}),
            "market": ("market.get", {"owner_id": owner, "count": _PAGE}),
        }
        found: list[Mention] = []
        more: list[Task] = []
        for item in _items(self.api.read(*calls[kind], user=True)):
            comments = item.get("comments")
            count = comments.get("count") if isinstance(comments, Mapping) else comments
            if kind == "wall" and float(item.get("date") or 0) >= since and item.get("from_id") != owner:
                post = self.reader.post(item)
                found += [post] if post is not None else []
            if kind == "topic" and float(item.get("updated") or 0) < since:
                continue
            if count != 0:
                more.append([kind, int(item["id"]), 0, 0])
        return sorted(found, key=lambda one: one.created_at), more

    def _messages(self, rest: list[Any], since: float) -> tuple[list[Mention], list[Task]]:
        group = self.reader.group
        if not rest:
            answer = self.api.read("messages.getConversations", {"group_id": group, "count": _PAGE})
            fresh = [
                one for one in _items(answer) if float((one.get("last_message") or {}).get("date") or 0) >= since
            ]
            return [], [["message", int(one["conversation"]["peer"]["id"]), 0] for one in fresh]
        peer, offset = rest
        params = {"group_id": group, "peer_id": peer, "count": _PAGE, "offset": offset}
        items = list(_items(self.api.read("messages.getHistory", params)))
        fresh = [one for one in items if float(one.get("date") or 0) >= since]
        found = [mention for one in reversed(fresh) if (mention := self.reader.message(one)) is not None]
        more = [["message", peer, offset + _PAGE]] if len(fresh) == _PAGE else []
        return found, more


def _comments(kind: str, owner: int, thing: int, branch: int, offset: int) -> tuple[str, dict[str, Any]]:
    """The call that reads a page of comments, newest first."""
    page: dict[str, Any] = {"count": _PAGE, "offset": offset, "sort": "desc"}
    if kind == "wall":
        inside = {"comment_id": branch} if branch else {"thread_items_count": 10}
        return "wall.getComments", page | {"owner_id": owner, "post_id": thing, "preview_length": 0} | inside
    if kind == "topic":
        return "board.getComments", page | {"group_id": -owner, "topic_id": thing}
    if kind == "photo":  # newest first whatever is asked, and all photos together
        return "photos.getAllComments", {"owner_id": owner, "count": _PAGE, "offset": offset}
    word = {"video": "video_id", "market": "item_id"}[kind]
    return f"{kind}.getComments", page | {"owner_id": owner, word: thing}


def _items(answer: Any) -> Iterator[Json]:
    items = answer.get("items") if isinstance(answer, Mapping) else None
    if not isinstance(items, list):
        raise BadAnswer("the answer holds no items")
    yield from (one for one in items if isinstance(one, Mapping))
