"""A platform that lives in memory, and the Source that speaks with it: for tests of the engine and for demos.

It hides nothing and has no network. What people say is put in with `say`; what the engine answered stands in `posts`.
Trouble is ordered beforehand: `fail(operation, error)` raises at the next call, `fail(…, after=True)` does the deed
first and then raises, as a connection does that breaks after the request has left. Thread-safe.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import ClassVar

from pydantic import Field

from connector.adapter import Hook
from connector.errors import BadHook, ConnectorError, Gone, Unsupported
from connector.http import Http
from connector.mentionjson import read_mentions
from connector.model import (
    Author,
    Cursor,
    Identity,
    Key,
    Kind,
    Mention,
    Page,
    Parent,
    Receipt,
    ReplyDraft,
    ReplyLimits,
    Request,
    decode,
    encode,
)
from connector.sources.base import Source, SourceCapabilities, SourceOptions

_FIRST = datetime(2026, 1, 1, 9, 0, tzinfo=UTC)


class MemoryOptions(SourceOptions):
    """How the platform behaves; the defaults are the easiest platform there could be."""

    type: str = Field(default="memory", description="this adapter")
    helpdesk: str = Field(default="desk", description="the helpdesk its tickets go to")
    platform: str = Field(default="memory", description="network to note on the tickets")
    max_length: int | None = Field(default=None, description="characters that fit in one post")
    max_parts: int = Field(default=1, description="parts a reply may have")
    idempotent: bool = Field(default=True, description="the same key twice gives one post")
    findable: bool = Field(default=True, description="a post can be looked up by its key")
    answerable: bool = Field(default=True, description="replies are possible at all")
    since_start: bool = Field(default=False, description="a first pull gives everything, not only what comes next")


@dataclass(frozen=True, slots=True)
class MemoryPost:
    """A reply as the platform has it: its id, the key it came with and the draft it was made of."""

    id: str
    key: Key
    draft: ReplyDraft


class MemorySource(Source):
    """Platform and adapter in one."""

    type: ClassVar[str] = "memory"
    Options = MemoryOptions
    capabilities: ClassVar[SourceCapabilities] = SourceCapabilities(
        pull=True,
        push=True,
        edits=True,
        deletes=True,
        reply=True,
        private_reply=True,
        idempotent_reply=True,
        find_reply=True,
        enrich=True,
        locate=True,
        attachments_in=True,
        attachments_out=True,
    )

    def __init__(self, name: str = "memory", options: MemoryOptions | None = None, http: Http | None = None) -> None:
        chosen = options or MemoryOptions()
        super().__init__(name, chosen, http or Http(name))
        self.options: MemoryOptions = chosen
        self.posts: list[MemoryPost] = []
        self.calls: list[str] = []
        self._said: list[Mention] = []
        self._faults: list[tuple[str, ConnectorError, bool]] = []
        self._lock = threading.RLock()

    # what the test does

    def say(
        self,
        text: str,
        *,
        id: str = "",  # noqa: A002  the word of the trade
        author: str = "ann",
        thread: str = "",
        answers: str = "",
        kind: Kind = "post",
        own: bool = False,
        language: str = "",
    ) -> Mention:
        """Somebody says something; a second later than the one before."""
        with self._lock:
            number = len(self._said) + 1
            external_id = id or f"p{number}"
            mention = Mention(
                source=self.name,
                platform=self.options.platform,
                external_id=external_id,
                author=Author(author, author.capitalize(), author),
                text=text,
                created_at=_FIRST + timedelta(seconds=number),
                kind=kind,
                url=f"https://memory.example/{external_id}",
                thread_id=thread or answers or external_id,
                parent=Parent(answers) if answers else None,
                language=language,
                own=own,
            )
            self._said.append(mention)
            return mention

    def put(self, mentions: Iterable[Mention]) -> None:
        """These mentions exactly, in this order."""
        with self._lock:
            self._said.extend(mentions)

    def take_back(self, external_id: str) -> None:
        """Its author deletes it: a new version comes with the next pull, and replies to it find it gone."""
        with self._lock:
            known = next(one for one in self._said if one.external_id == external_id)
            self._said.append(replace(known, deleted=True, version="deleted", text=""))

    def fail(self, operation: str, error: ConnectorError, *, after: bool = False, times: int = 1) -> None:
        """The next `times` calls of check, fetch, enrich, locate, prepare, send or find raise it; `after`: after the
        deed."""
        with self._lock:
            self._faults += [(operation, error, after)] * times

    def heal(self) -> None:
        """Forget all trouble that was ordered and has not come yet."""
        with self._lock:
            self._faults.clear()

    @property
    def texts(self) -> list[str]:
        """What was posted, oldest first."""
        with self._lock:
            return [post.draft.text for post in self.posts]

    # what the engine does

    @property
    def replies(self) -> bool:
        """As configured."""
        return self.options.answerable

    def check(self) -> Identity:
        """The account of the test."""
        with self._trouble("check"):
            return Identity("we", "We", "https://memory.example/we")

    def fetch(self, cursor: Cursor | None, limit: int) -> Page[Mention]:
        """What was said since; the cursor is how many were seen."""
        with self._trouble("fetch"):
            if cursor is None and not self.options.since_start:
                return Page((), Cursor(str(len(self._said))))
            start = int(cursor or "0")
            items = tuple(self._said[start : start + limit])
            end = start + len(items)
            return Page(items, Cursor(str(end)), more=end < len(self._said))

    def read_hook(self, hook: Hook) -> Sequence[Mention]:
        """Mention JSON from whoever says `Bearer memory`."""
        if hook.headers.get("authorization") != "Bearer memory":
            raise BadHook("the bearer token is not the one configured for this source", status=401)
        return read_mentions(
            hook.body, source=self.name, platform=self.options.platform, received_at=hook.received_at
        )

    def enrich(self, mention: Mention) -> Mention:
        """The same, with a hundred followers."""
        with self._trouble("enrich"):
            return replace(mention, author=replace(mention.author, followers=100))

    def locate(self, mention: Mention) -> Mention | None:
        """What stands at that address here, said by somebody or posted by us."""
        with self._trouble("locate"):
            place, _, wanted = mention.url.partition("https://memory.example/")
            said = [one for one in self._said if one.external_id == wanted and not one.deleted]
            ours = [post.draft.mention for post in self.posts if post.id == wanted]
            if place or not (said or ours):
                return None
            found = said[0] if said else replace(ours[0], external_id=wanted, author=Author("we"), own=True)
            return replace(found, tone=mention.tone, rating=mention.rating)

    def reply_limits(self, mention: Mention) -> ReplyLimits:
        """As configured."""
        self._answerable()
        with self._trouble("reply_limits"):
            return ReplyLimits(self.options.max_length, self.options.max_parts)

    def prepare(self, draft: ReplyDraft) -> Request:
        """The draft itself, frozen. Gone when its mention was taken back."""
        self._answerable()
        with self._trouble("prepare"):
            if any(one.deleted and one.external_id == draft.mention.external_id for one in self._said):
                raise Gone("the post was deleted", service=self.name, operation="reply")
            return Request("reply", encode(draft), repeatable=self.options.idempotent)

    def send(self, request: Request, key: Key) -> Receipt:
        """One post; with `idempotent`, the one there is already."""
        self._answerable()
        with self._trouble("send"):
            known = [post for post in self.posts if post.key == key] if self.options.idempotent else []
            if not known:
                post = MemoryPost(f"r{len(self.posts) + 1}", key, decode(ReplyDraft, request.body))
                self.posts.append(post)
                known = [post]
            return _receipt(known[0])

    def find(self, request: Request, key: Key) -> tuple[Receipt, ...]:
        """Every post with that key; Unsupported unless `findable`."""
        if not self.options.findable:
            raise Unsupported("memory was told not to look", service=self.name)
        with self._trouble("find"):
            return tuple(_receipt(post) for post in self.posts if post.key == key)

    def _answerable(self) -> None:
        if not self.options.answerable:
            raise Unsupported("memory was told that it cannot be answered", service=self.name)

    def _trouble(self, operation: str) -> _Trouble:
        return _Trouble(self, operation)


class _Trouble:
    """Holds the lock for one call, and raises what was ordered for it: before the deed, or when it is done."""

    def __init__(self, source: MemorySource, operation: str) -> None:
        self.source = source
        self.operation = operation
        self.late: ConnectorError | None = None

    def __enter__(self) -> None:
        source = self.source
        source._lock.acquire()  # noqa: SLF001  two halves of one thing
        source.calls.append(self.operation)
        for number, (operation, error, after) in enumerate(source._faults):  # noqa: SLF001
            if operation == self.operation:
                del source._faults[number]  # noqa: SLF001
                if after:
                    self.late = error
                    return
                source._lock.release()  # noqa: SLF001
                raise error

    def __exit__(self, kind: object, error: object, traceback: object) -> None:
        self.source._lock.release()  # noqa: SLF001
        if self.late is not None and error is None:
            raise self.late


def _receipt(post: MemoryPost) -> Receipt:
    return Receipt(post.id, f"https://memory.example/{post.id}")
