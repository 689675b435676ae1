"""The source itself: what comes in, what goes out. The package tells its story."""

from __future__ import annotations

import hmac
import json
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, ClassVar, Literal

from pydantic import Field, SecretStr, field_validator, model_validator

from connector import log
from connector.adapter import Hook
from connector.errors import BadAnswer, BadHook, ConnectorError, Gone, Rejected, Uncertain
from connector.http import Http
from connector.model import Cursor, Identity, Key, Mention, Page, Receipt, ReplyDraft, ReplyLimits, Request
from connector.sources.base import Source, SourceCapabilities, SourceOptions
from connector.sources.ok.api import Api, Json
from connector.sources.ok.window import Window
from connector.sources.ok.words import Reader, number_of, same_words, sender_of

_CHATS = 100
_PAGE = 50
_MOST_PAGES = 40
_HOOK_LOOK = 600.0


class OkOptions(SourceOptions):
    """A group, with the key from its settings. With `webhook_url` OK calls us as well as being asked."""

    token: SecretStr = Field(description="the group's access key (group settings → API); a new one ends the old one")
    webhook_url: str | None = Field(
        default=None, description="our public https address ending in /hooks/NAME; OK is told it at the start"
    )
    webhook_secret: SecretStr | None = Field(
        default=None, description="letters, digits, _ and -, at least 16, of your own making: its calls are unsigned"
    )
    own_accounts: tuple[str, ...] = Field(
        default=(), description="numbers of people who answer in the group's chats for us; what they say is no ticket"
    )
    conversation: Literal["thread", "thread_and_author"] = Field(
        default="thread_and_author", description="what belongs on one ticket: a whole chat, or one author in it"
    )
    max_length: int = Field(default=4000, ge=1, description="characters of a message")
    max_parts: int = Field(default=4, ge=1, le=20, description="messages a longer reply may be split into")
    server: str = Field(default="https://api.ok.ru", description="address of the API")

    @field_validator("server")
    @classmethod
    def _is_address(cls, value: str) -> str:
        if not value.startswith(("http://", "https://")):
            raise ValueError("has to begin with https://")
        return value.rstrip("/")

    @field_validator("webhook_url")
    @classmethod
    def _has_no_query(cls, value: str | None) -> str | None:
        if value is not None and (not value.startswith("https://") or "?" in value):
            raise ValueError("has to begin with https:// and to end in /hooks/NAME; the secret is added to it")
        return value

    @field_validator("webhook_secret")
    @classmethod
    def _can_be_sent(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and not re.fullmatch(r"[A-Za-z0-9_-]{16,128}", value.get_secret_value()):
            raise ValueError("may have letters, digits, _ and - only, at least 16 and at most 128")
        return value

    @field_validator("own_accounts")
    @classmethod
    def _are_numbers(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(number_of(one) for one in value)

    @model_validator(mode="after")
    def _has_a_lock(self) -> OkOptions:
        if self.webhook_url is not None and self.webhook_secret is None:
            raise ValueError("webhook_url needs webhook_secret, so that only OK can call it")
        return self


class Ok(Source):
    """One group."""

    type: ClassVar[str] = "ok"
    about: ClassVar[str] = (
        "messages to a group on Odnoklassniki, by webhook and by reading its chats; answers in the chat"
    )
    unconfirmed: ClassVar[tuple[str, ...]] = (
        "all of it against OK itself: proved on our own simulator, written from OK's documents",
        "how the group's own messages name their sender, and that a sent message is answered with `message_id`",
        "the codes of refusals, how long a message may be, how lines about who joined look",
        "comments in topics are left out: they need rights OK grants by letter",
    )
    Options = OkOptions
    capabilities: ClassVar[SourceCapabilities] = SourceCapabilities(
        kinds=("dm",),
        pull=True,
        push=True,
        reply=True,
        private_reply=True,
        find_reply=True,
        attachments_in=True,
    )

    def __init__(self, name: str, options: OkOptions, http: Http, *, clock: Callable[[], float] = time.time) -> None:
        super().__init__(name, options, http)
        self.options: OkOptions = options
        self._clock = clock
        self._api = Api(name, options.server, options.token.get_secret_value(), http)
        self._secret = options.webhook_secret.get_secret_value() if options.webhook_secret is not None else ""
        if self._secret:
            log.remember_secret(self._secret)
        self._reader: Reader | None = None
        # a call tells of people only, so that reading one needs to ask nobody who we are
        self._called = Reader(name, "", frozenset(options.own_accounts))
        self._next_look = 0.0

    # who we are

    def check(self) -> Identity:
        """The group the key belongs to."""
        told = self._api.read("info", "info")
        number = number_of(str(told.get("group_id") or ""))
        if not number:
            raise BadAnswer("the key is no group's: take it from the group's settings", service=self.name)
        notes = (f"takes calls at /hooks/{self.name}",) if self._secret else ()
        return Identity(number, str(told.get("name") or number), f"https://ok.ru/group/{number}", notes)

    @property
    def _read_by(self) -> Reader:
        if self._reader is None:
            self._reader = Reader(self.name, self.check().id, frozenset(self.options.own_accounts))
        return self._reader

    # what comes in

    def fetch(self, cursor: Cursor | None, limit: int) -> Page[Mention]:
        """Messages not told yet, oldest first, our own too. None: remembers what is there."""
        self._look_after_hook()
        memory = Window.read(cursor) if cursor is not None else None
        if memory is None:
            memory = Window()
            newest = [int(chat["lastEventTime"]) for chat in self._chats(0, pages=1)]
            memory.settle(newest)
            found = self._news(memory)
            memory.told = {mid: at for at, _, mid, _ in found}
            memory.settle([at for at, *_ in found])
            return Page((), memory.written())
        found = self._news(memory)
        told: list[Mention] = []
        more = False
        for at, _, mid, mention in found:
            if mention is not None:
                if len(told) >= limit:
                    more = True
                    break
                told.append(mention)
            memory.told[mid] = at
        if not more:
            memory.settle([at for at, *_ in found])
        return Page(tuple(told), memory.written(), more)

    def _news(self, memory: Window) -> list[tuple[int, int, str, Mention | None]]:
        """Messages since the floor that were not told: time, number, mid, and the mention, if it is one."""
        found: dict[str, tuple[int, int, str, Mention | None]] = {}
        for chat in self._chats(memory.floor):
            participants = chat.get("participants")
            people = participants if isinstance(participants, Mapping) else None
            for one in self._history(str(chat["chat_id"]), memory.floor):
                mid = str(one["message"]["mid"])
                if mid not in memory.told:
                    at, number = int(one["timestamp"]), int(one["message"].get("seq") or 0)
                    found[mid] = (at, number, mid, self._mention(one, people))
        return sorted(found.values(), key=lambda one: one[:3])

    def _chats(self, since: int, pages: int = _MOST_PAGES) -> Iterator[Json]:
        """Chats in which something happened since then; OK tells the newest first."""
        marker: str | None = None
        seen: set[str] = set()
        for _ in range(pages):
            answer = self._api.read("chats", "chats", count=_CHATS, marker=marker)
            chats = _objects(answer, "chats", self.name)
            for chat in chats:
                if "chat_id" not in chat or not isinstance(chat.get("lastEventTime"), int):
                    raise BadAnswer("a chat cannot be read", service=self.name, operation="chats")
                if str(chat["chat_id"]) not in seen and chat["lastEventTime"] >= since:
                    seen.add(str(chat["chat_id"]))
                    yield chat
            marker = str(answer.get("marker") or "") or None
            if marker is None or not chats or min(chat["lastEventTime"] for chat in chats) < since:
                return

    def _history(self, chat: str, since: int) -> list[Json]:
        """A chat's messages since then; OK tells the newest first."""
        found: dict[str, Json] = {}
        before: int | None = None
        for _ in range(_MOST_PAGES):
            answer = self._api.read(f"messages/{chat}", "messages", **{"from": before, "to": since, "count": _PAGE})
            page = _objects(answer, "messages", self.name)
            try:
                fresh = [one for one in page if str(one["message"]["mid"]) not in found]
                found |= {str(one["message"]["mid"]): one for one in fresh if int(one["timestamp"]) >= since}
                oldest = min((int(one["timestamp"]) for one in page), default=0)
            except (KeyError, TypeError, ValueError):
                raise BadAnswer("a message cannot be read", service=self.name, operation="messages") from None
            if len(page) < _PAGE or not fresh or oldest < since:
                break
            before = oldest
        return list(found.values())

    def _mention(self, told: Json, participants: Json | None = None) -> Mention | None:
        """The mention of a message. One that cannot be read is left out: it would hold up all others."""
        try:
            return self._read_by.mention(told, participants)
        except (KeyError, TypeError, ValueError, AttributeError):
            log.get(account=self.name).warning("message cannot be read, left out")
            return None

    def _look_after_hook(self) -> None:
        """Tell OK our address again where it has dropped it. Trouble here keeps nothing from being read."""
        now = self._clock()
        if self.options.webhook_url is None or now < self._next_look:
            return
        self._next_look = now + _HOOK_LOOK
        address = f"{self.options.webhook_url}?secret={self._secret}"
        try:
            known = _objects(self._api.read("subscriptions", "subscriptions"), "subscriptions", self.name)
            if address not in {str(one.get("url")) for one in known}:
                self._api.write("subscribe", "subscribe", {"url": address})
        except ConnectorError as error:
            log.get(account=self.name).warning("OK cannot be told our address", why=error.sentence)

    def read_hook(self, hook: Hook) -> Sequence[Mention]:
        """The message of one call. BadHook 401: its address has not our secret; 400: it is no message."""
        if not self._secret:
            raise BadHook("no webhook_secret is set for this source, so it takes no calls", status=401)
        if not hmac.compare_digest(hook.query.get("secret", "").encode(), self._secret.encode()):
            raise BadHook("the address called has not the secret of this source", status=401)
        try:
            told = json.loads(hook.body)
            mention = self._called.mention(told)
        except (KeyError, TypeError, ValueError, AttributeError, RecursionError):
            raise BadHook("the body is no message of OK's", status=400) from None
        if mention is not None and not sender_of(told):
            raise BadHook("the message does not say who wrote it", status=400)
        return [] if mention is None else [mention]

    # what goes out

    def reply_limits(self, mention: Mention) -> ReplyLimits:
        """As configured: OK names no length."""
        return ReplyLimits(self.options.max_length, self.options.max_parts)

    def prepare(self, draft: ReplyDraft) -> Request:
        """The message, and which of ours stand there already. Gone: what it answers was deleted."""
        mention = draft.mention
        if not mention.thread_id.startswith("chat:"):
            raise Rejected("this mention is not from Odnoklassniki", service=self.name, operation="reply")
        at = int(mention.created_at.timestamp() * 1000)
        there = self._api.read(
            f"messages/{mention.thread_id}", "look", **{"from": at + 1_000, "to": at - 1_000, "count": _PAGE}
        )
        known = {str((one.get("message") or {}).get("mid")) for one in _objects(there, "messages", self.name)}
        if mention.external_id not in known and len(known) < _PAGE:
            raise Gone("the message this answers was deleted", service=self.name, operation="reply")
        # since the message that is answered, by OK's clock, not by ours
        before = [str(one["message"]["mid"]) for one in self._ours(mention.thread_id, at - 1_000)]
        frozen = {"chat": mention.thread_id, "text": draft.text, "since": at - 1_000, "before": sorted(before)}
        return Request("message", json.dumps(frozen, ensure_ascii=False, separators=(",", ":")))

    def send(self, request: Request, key: Key) -> Receipt:
        """One message. Closed: the person has not allowed the group to write."""
        frozen = json.loads(request.body)
        body = {"recipient": {"chat_id": frozen["chat"]}, "message": {"text": frozen["text"]}}
        told = self._api.write(f"messages/{frozen['chat']}", "reply", body)
        if told.get("message_id"):
            return Receipt(str(told["message_id"]))
        if found := self.find(request, key):
            return found[-1]
        raise Uncertain("sent, but the answer does not say as what", service=self.name, operation="reply")

    def find(self, request: Request, key: Key) -> tuple[Receipt, ...]:
        """Our message with these words that did not stand there when the request was frozen."""
        frozen = json.loads(request.body)
        before = set(frozen["before"])
        found = [
            one
            for one in self._ours(frozen["chat"], frozen["since"])
            if str(one["message"]["mid"]) not in before and same_words(one["message"], frozen["text"])
        ]
        return tuple(Receipt(str(one["message"]["mid"])) for one in sorted(found, key=_when))

    # steps

    def _ours(self, chat: str, since: int) -> list[Json]:
        """The group's own messages in a chat since then."""
        reader = self._read_by
        found = self._history(chat, since)
        return [one for one in found if reader.is_ours(sender_of(one))]


def _when(told: Json) -> int:
    return int(told["timestamp"])


def _objects(answer: Json, word: str, service: str) -> list[Json]:
    found: Any = answer.get(word, [])
    if not isinstance(found, list) or not all(isinstance(one, Mapping) for one in found) or word not in answer:
        raise BadAnswer(f"the answer holds no {word}", service=service, operation=word)
    return found
