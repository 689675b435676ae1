"""What both sources share: pulling against what was told, hooks, and answering. A subclass knows what there is to
look through and how one thing of it reads."""

from __future__ import annotations

import time
from abc import abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

from connector.adapter import ChallengeAnswer, Hook
from connector.errors import BadAnswer, BadHook, Closed, Gone
from connector.http import Http
from connector.log import remember_secret
from connector.model import (
    Author,
    Cursor,
    Key,
    Mention,
    Page,
    Receipt,
    ReplyDraft,
    ReplyLimits,
    ReplyOutlook,
    Request,
    utc,
)
from connector.sources.base import Source
from connector.sources.meta import hooks
from connector.sources.meta.graph import Graph, listed, pages
from connector.sources.meta.memory import Memory
from connector.sources.meta.options import FacebookOptions, InstagramOptions
from connector.sources.meta.posting import Posting
from connector.sources.meta.words import edited, instant, kept_message, mark, memo_of

_MESSAGES = "updated_time,messages.limit(25){id,message,from,to,created_time,attachments}"
_MOST_LOOKS = 10
_GRACE = 60.0
"""Seconds: Meta's times are whole seconds, and its clock is not ours. What was there at the start is known by id."""


@dataclass(slots=True)
class Swept:
    """What one look through everything gave: mentions, and for each thread back to which time it was listed (0: from
    its beginning)."""

    mentions: list[Mention] = field(default_factory=list)
    threads: dict[str, float] = field(default_factory=dict)


class MetaSource(Source):
    """A page or an account."""

    platform: ClassVar[str]
    kind_of_entry: ClassVar[str]

    def __init__(
        self,
        name: str,
        options: FacebookOptions | InstagramOptions,
        http: Http,
        us: str,
        actor: str,
        clock: Callable[[], float] = time.time,
    ) -> None:
        super().__init__(name, options, http)
        self._given = options
        self._us = us
        self._ours = frozenset({us, actor})
        self._clock = clock
        self._secret = options.app_secret.get_secret_value()
        token = options.access_token.get_secret_value()
        verify = options.verify_token.get_secret_value() if options.verify_token is not None else None
        for secret in (self._secret, token, verify or ""):
            remember_secret(secret)
        self._verify = verify
        base = f"{options.service}/{options.version}"
        self._graph = Graph(name, base, token, self._secret if options.appsecret_proof else "", http)
        self._posting = Posting(name, self.platform, us, actor, options, options.web, self._graph, clock)

    @property
    def _notes(self) -> tuple[str, ...]:
        """What `connector check` says beside who we are."""
        return (f"takes Meta's calls at /hooks/{self.name}",) if self._verify else ("no webhook: no verify_token",)

    # what comes in

    @abstractmethod
    def _sweep(self, since: float) -> Swept:
        """Everything there is to look through that was written since then, and perhaps more."""

    @abstractmethod
    def _read_entry(self, entry: Mapping[str, Any]) -> Iterable[Mention]:
        """What one entry of a hook brings; KeyError, TypeError or ValueError when it cannot be read."""

    def fetch(self, cursor: Cursor | None, limit: int) -> Page[Mention]:
        """What was not told yet, oldest first; what reads otherwise than it was told, and what is gone. None: from
        now on."""
        now = self._clock()
        if not self._given.look_through and not self._given.messages:
            return Page((), cursor or Memory(at=now, floor=now).written())
        if cursor is None:
            memory = Memory(at=now, floor=now - _GRACE)
            for one in self._swept(now - self._given.overlap_hours * 3600).mentions:
                memory.remember(one)
            memory.forget(now - self._given.overlap_hours * 3600)
            return Page((), memory.written())
        memory = Memory.read(cursor)
        since = max(memory.at - self._given.overlap_hours * 3600, memory.floor)
        swept = self._swept(since)
        told = self._news(memory, swept, since)
        page = told[:limit]
        more = len(told) > len(page)
        for one in page:
            memory.remember(one)
        if not more and len(page) < limit:
            page += self._gone(memory, swept, limit - len(page))
        if not more:
            memory.at = now
            memory.forget(now - self._given.overlap_hours * 3600)
        return Page(tuple(page), memory.written(), more)

    def _swept(self, since: float) -> Swept:
        try:
            return self._sweep(since)
        except (KeyError, TypeError, ValueError, AttributeError):
            raise BadAnswer("something in the answer cannot be read", service=self.name, operation="pull") from None

    def _messages(self, node: str, platform: str, since: float, swept: Swept) -> None:
        """The conversations of a page or an account with something new since then."""

        def ask(**more: str) -> Mapping[str, Any]:
            operation = "conversations"
            fixed = {"platform": platform, "fields": _MESSAGES, "limit": "25"}
            return self._graph.get(f"{node}/conversations", operation=operation, **fixed, **more)

        threads, _ = pages(
            lambda after: ask(after=after), ask(), lambda one: instant(one["updated_time"]).timestamp() >= since
        )
        for thread in threads:
            for one in listed(thread.get("messages") or {"data": []}):
                swept.mentions.append(
                    kept_message(one, source=self.name, platform=self.platform, web=self._given.web, us=self._us)
                )

    def _news(self, memory: Memory, swept: Swept, since: float) -> list[Mention]:
        found: dict[str, Mention] = {}
        for one in swept.mentions:
            known = memory.told.get(one.external_id)
            if known is None and one.created_at.timestamp() >= since:
                found[one.external_id] = one
            elif known is not None and known.words != mark(one.text):
                found[one.external_id] = replace(one, version=edited(one.text))
        return sorted(found.values(), key=lambda one: (one.created_at, one.external_id))

    def _gone(self, memory: Memory, swept: Swept, room: int) -> list[Mention]:
        """Of what was told and is no longer listed where it was, what is certainly gone."""
        known = frozenset(one.external_id for one in swept.mentions)
        told: list[Mention] = []
        for key in memory.missing(swept.threads, known)[: min(room, _MOST_LOOKS)]:
            try:
                self._graph.get(key, operation="look", fields="id")
            except Gone:
                one = memory.told.pop(key)
                told.append(
                    Mention(
                        source=self.name,
                        platform=self.platform,
                        external_id=key,
                        version="deleted",
                        author=Author(one.author),
                        text="",
                        created_at=utc(one.at),
                        kind="comment",
                        thread_id=one.thread,
                        deleted=True,
                    )
                )
        return told

    def read_hook(self, hook: Hook) -> Sequence[Mention]:
        """The mentions in one of Meta's calls; none of other accounts or kinds."""
        found: list[Mention] = []
        for entry in hooks.entries(self._secret, hook, self.kind_of_entry, self._ours):
            try:
                found += self._read_entry(entry)
            except (KeyError, TypeError, ValueError, AttributeError):
                raise BadHook("an entry cannot be read", status=422) from None
        return found

    def answer_challenge(self, query: Mapping[str, str]) -> ChallengeAnswer:
        """Meta's question whether the address is ours."""
        return hooks.answered(self._verify, query)

    # what goes out

    def outlook(self, mention: Mention) -> ReplyOutlook:
        """Until when Meta takes an answer, by what kind of thing it is."""
        memo = memo_of(mention)
        kind = memo.get("kind")
        if kind == "message":
            if not self._given.messages:
                return ReplyOutlook(possible=False, why="messages are off for this source")
            return ReplyOutlook(
                why=f"{self._given.message_length} characters; each new message of theirs begins the time anew",
                closes_at=self._posting.closes_at(mention),
            )
        if kind == "review" and not memo.get("story"):
            return ReplyOutlook(possible=False, why="this recommendation has no thread of its own")
        once = "; once within 7 days also privately" if kind in ("comment", "post") and self._given.messages else ""
        return ReplyOutlook(why=f"{self._given.comment_length} characters{once}")

    def reply_limits(self, mention: Mention) -> ReplyLimits:
        """Closed: not from here. Whether the window is open is asked when the reply is made ready."""
        outlook = self.outlook(mention)
        if not outlook.possible:
            raise Closed(f"{outlook.why}: use the link and answer there", service=self.name, operation="reply")
        private = memo_of(mention).get("kind") == "message"
        longest = self._given.message_length if private else self._given.comment_length
        return ReplyLimits(longest, self._given.max_parts, outlook.closes_at)

    def prepare(self, draft: ReplyDraft) -> Request:
        """The call, frozen; asked just before is whether what it answers is still there."""
        return self._posting.prepare(draft)

    def send(self, request: Request, key: Key) -> Receipt:
        """One comment or message."""
        return self._posting.send(request, key)

    def find(self, request: Request, key: Key) -> tuple[Receipt, ...]:
        """Ours that answers the same in the same words, since it was made ready."""
        return self._posting.find(request, key)
