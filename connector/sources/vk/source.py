"""The source itself: what comes in, what goes out. The package tells its story."""

from __future__ import annotations

import hmac
import json
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar, Literal

from pydantic import Field, SecretStr, model_validator

from connector import log
from connector.adapter import Hook
from connector.errors import (
    BadAnswer,
    BadHook,
    Closed,
    Gone,
    RateLimited,
    Rejected,
    Temporary,
    Unsupported,
)
from connector.http import Http
from connector.model import (
    Attachment,
    Cursor,
    Identity,
    Key,
    Mention,
    Page,
    Parent,
    Receipt,
    ReplyDraft,
    ReplyLimits,
    Request,
)
from connector.sources.base import Source, SourceCapabilities, SourceOptions, WebAddress
from connector.sources.vk.answers import Answers
from connector.sources.vk.api import Api, Json
from connector.sources.vk.files import Uploads, with_links
from connector.sources.vk.gap import Again, Authors, Memory
from connector.sources.vk.words import CHATS, Place, Reader, author_of, files_of, memo_of, place_in, text_of

MAX_MESSAGE = 9_000
_STOPPED = 120.0
_EVENTS = (
    "message_new message_reply message_edit wall_post_new wall_reply_new wall_reply_edit wall_reply_delete "
    "wall_reply_restore board_post_new board_post_edit board_post_delete board_post_restore photo_comment_new "
    "photo_comment_edit photo_comment_delete photo_comment_restore video_comment_new video_comment_edit "
    "video_comment_delete video_comment_restore market_comment_new market_comment_edit market_comment_delete "
    "market_comment_restore"
).split()


class VkOptions(SourceOptions):
    """A community. With `secret` and `confirmation` VK calls us (Callback API); without them we ask (Long Poll)."""

    group_id: int = Field(gt=0, description="the community's number, without a minus")
    token: SecretStr = Field(description="a key of the community: Manage → API usage → Access tokens")
    user_token: SecretStr | None = Field(
        default=None,
        description="an administrator's token: answers topics, photos, videos, goods; reads what was missed",
    )
    secret: SecretStr | None = Field(default=None, description="secret key of the Callback API", max_length=50)
    confirmation: SecretStr | None = Field(
        default=None, description="the string the Callback API wants to hear; with it VK calls us"
    )
    own_accounts: tuple[int, ...] = Field(
        default=(), description="numbers of people who speak for us; what they write becomes no ticket"
    )
    conversation: Literal["thread", "thread_and_author"] = Field(
        default="thread_and_author", description="what belongs on one ticket: a whole thread, or one author in it"
    )
    poll: float = Field(default=0.5, ge=0.05, description="seconds between two pulls; default with the callback: 30")
    long_poll: int = Field(default=4, ge=0, le=10, description="seconds VK may wait for something to tell")
    max_comment: int = Field(default=4_000, ge=100, description="characters that fit in one comment")
    max_parts: int = Field(
        default=4, ge=1, le=20, description="comments or messages a longer reply may be split into"
    )
    server: WebAddress = Field(
        default="https://api.vk.com", description="address of the API; https://api.vk.ru is the same"
    )

    @model_validator(mode="before")
    @classmethod
    def _looks_seldom_when_called(cls, data: Any) -> Any:
        """With the Callback API a pull only notes the time: not twice a second, since each note is a write."""
        if isinstance(data, Mapping) and data.get("confirmation") is not None:
            return {"poll": 30.0, **data}
        return data

    @model_validator(mode="after")
    def _has_a_lock(self) -> VkOptions:
        if self.confirmation is not None and self.secret is None:
            raise ValueError("confirmation needs `secret`, so that only VK can call")
        return self


class Vk(Source):
    """One community."""

    type: ClassVar[str] = "vk"
    about: ClassVar[str] = (
        "comments below posts, topics, photos, videos and goods, messages; answers as the community"
    )
    unconfirmed: ClassVar[tuple[str, ...]] = (
        "that `random_id` comes back in a community's message history",
        "what a second call with the same `guid` answers",
        "the address of goods, how long a comment may be, the numbers of the limits",
    )
    Options = VkOptions
    capabilities: ClassVar[SourceCapabilities] = SourceCapabilities(
        kinds=("comment", "post", "dm", "forum_post"),
        pull=True,
        push=True,
        edits=True,
        deletes=True,
        reply=True,
        private_reply=True,
        find_reply=True,
        enrich=True,
        locate=True,
        attachments_in=True,
        attachments_out=True,
    )

    def __init__(self, name: str, options: VkOptions, http: Http, *, clock: Callable[[], float] = time.time) -> None:
        super().__init__(name, options, http)
        self.options: VkOptions = options
        self._clock = clock
        user = options.user_token.get_secret_value() if options.user_token is not None else None
        for secret in (options.secret, options.confirmation):
            if secret is not None:
                log.remember_secret(secret.get_secret_value())
        self._api = Api(name, options.server, options.token.get_secret_value(), user, http)
        self._reader = Reader(name, options.group_id, frozenset(options.own_accounts))
        self._again = Again(self._api, self._reader)
        self._answers = Answers(self._api, options.group_id)
        self._uploads = Uploads(self._api, http, options.group_id)
        self._session: tuple[str, str] | None = None
        self._authors = Authors()
        self._lock = threading.Lock()

    # who we are

    def check(self) -> Identity:
        """The community, and what is switched off there or cannot be done without an administrator's token."""
        group = self.options.group_id
        answer = self._api.read("groups.getById", {"group_id": group})
        found = answer.get("groups") if isinstance(answer, Mapping) else answer
        if not isinstance(found, list) or not found:
            raise BadAnswer("the answer does not say who we are", service=self.name, operation="groups.getById")
        notes = []
        if self.options.confirmation is None:
            settings = self._api.read("groups.getLongPollSettings", {"group_id": group})
            if not settings.get("is_enabled"):
                notes.append("Long Poll is switched off: Manage → API usage → Long Poll API")
            events = settings.get("events") or {}
            off = [event for event in _EVENTS if not events.get(event)]
            if off:
                notes.append(f"these events are switched off: {', '.join(off)}")
        if not self._api.has_user:
            notes.append(
                "without user_token: no answers in topics and below photos, videos and goods, and after a stop only "
                "messages are read again"
            )
        name = str(found[0].get("name") or group)
        return Identity(str(group), name, f"https://vk.com/club{group}", tuple(notes))

    # what comes in

    def fetch(self, cursor: Cursor | None, limit: int) -> Page[Mention]:
        """Events not told yet, as mentions, and what is read again after a stop. None: listens from now."""
        now = self._clock()
        if cursor is None:
            ts = "" if self.options.confirmation is not None else self._server()[2]
            return Page((), Memory(ts=ts, at=now).written())
        memory = Memory.read(cursor)
        told: list[Mention] = []
        lost = more = False
        if self.options.confirmation is not None:
            self._raise_unless_called()
            if now - memory.at > max(_STOPPED, 4 * self.options.poll):
                memory.missed(user=self._api.has_user)
        else:
            lost, more = self._listen(memory, told, limit)
        if memory.todo and len(told) < limit:
            told += self._again.step(memory, limit - len(told))
        if not lost and not more:
            memory.at = now
        for mention in told:
            memory.authors.add(mention)
        return Page(tuple(told), memory.written(), more or bool(memory.todo))

    def _raise_unless_called(self) -> None:
        """Temporary while VK does not call us: it pauses a server that did not answer, and tells nobody. The cursor
        stays, so that what was missed is read when it calls again."""
        answer = self._api.read("groups.getCallbackServers", {"group_id": self.options.group_id})
        servers = answer.get("items") if isinstance(answer, Mapping) else None
        if not isinstance(servers, list):
            raise BadAnswer("the answer names no servers", service=self.name, operation="getCallbackServers")
        secret = self.options.secret.get_secret_value() if self.options.secret is not None else ""
        states = {one.get("status") for one in servers if one.get("secret_key") == secret}
        if "ok" not in states:
            why = f"its server is {', '.join(sorted(map(str, states)))}" if states else "no server has our secret key"
            raise Temporary(f"VK does not call us: {why} (Manage → API usage → Callback API)", service=self.name)

    def _listen(self, memory: Memory, told: list[Mention], limit: int) -> tuple[bool, bool]:
        """What Long Poll tells after `ts`; whether it had nothing to tell but that it lost something, and whether
        there is more."""
        server, key = self._session or self._server()[:2]
        wait = 0 if memory.todo or memory.skip else self.options.long_poll
        answer = self._api.poll(server, key, memory.ts, wait)
        if failed := answer.get("failed"):
            self._lost(memory, failed, answer)
            return True, False
        updates = answer["updates"]
        for number, update in enumerate(updates[memory.skip :], memory.skip):
            if len(told) >= limit:
                memory.skip = number
                return False, True
            told += self._told(update, memory.authors, told)
        memory.ts, memory.skip = str(answer["ts"]), 0
        return False, False

    def _lost(self, memory: Memory, failed: Any, answer: Json) -> None:
        """1: events were lost, go on with the given ts; 2: the key is too old; 3: both begin anew."""
        if failed == 1:
            memory.ts, memory.skip = str(answer.get("ts") or memory.ts), 0
            memory.missed(user=self._api.has_user)
            return
        self._session = None
        ts = self._server()[2]
        if failed != 2:
            memory.ts, memory.skip = ts, 0
            memory.missed(user=self._api.has_user)

    def _server(self) -> tuple[str, str, str]:
        told = self._api.read("groups.getLongPollServer", {"group_id": self.options.group_id})
        try:
            server, key, ts = str(told["server"]), str(told["key"]), str(told["ts"])
        except (KeyError, TypeError):
            raise BadAnswer("the answer names no server", service=self.name, operation="getLongPollServer") from None
        self._session = (server, key)
        return server, key, ts

    def _told(self, event: Any, authors: Authors, before: Sequence[Mention] = ()) -> list[Mention]:
        """The mention of one event. One that cannot be read is left out: it would hold up all others."""
        known = authors.known | {one.external_id: one.author.id for one in before if not one.deleted}
        try:
            mention = self._reader.event(event, self._clock())
            if mention is not None and mention.deleted:
                mention = self._reader.event(event, self._clock(), known.get(mention.external_id, ""))
        except (KeyError, TypeError, ValueError, AttributeError):
            kind = str(event.get("type"))[:40] if isinstance(event, Mapping) else ""
            log.get(account=self.name).warning("event cannot be read, left out", event_type=kind)
            return []
        return [] if mention is None else [mention]

    def read_hook(self, hook: Hook) -> Sequence[Mention]:
        """The mention of one event. BadHook 401: it does not carry our secret; 400: it is no event."""
        event = self._event(hook)
        if event["type"] == "confirmation":
            return []
        with self._lock:
            told = self._told(event, self._authors)
            for mention in told:
                self._authors.add(mention)
        return told

    def hook_answer(self, hook: Hook) -> str | None:
        """`ok`, or the confirmation string: the only answers VK takes."""
        confirmation = self.options.confirmation
        if confirmation is not None and self._event(hook)["type"] == "confirmation":
            return confirmation.get_secret_value()
        return "ok"

    def _event(self, hook: Hook) -> Json:
        """The event of an authentic call. The call that asks for the confirmation string may come before the secret
        is set there; it brings nothing in and is known by the community's number."""
        secret = self.options.secret
        if secret is None:
            raise BadHook("no secret is set for this source, so it takes no calls", status=401)
        try:
            event = json.loads(hook.body)
        except (ValueError, RecursionError):
            event = None
        if not isinstance(event, Mapping) or not isinstance(event.get("type"), str):
            raise BadHook("the body is not an event of the Callback API", status=400)
        if event.get("group_id") != self.options.group_id:
            raise BadHook("the event is of another community", status=401)
        given = str(event.get("secret") or "").encode()
        if event["type"] != "confirmation" and not hmac.compare_digest(given, secret.get_secret_value().encode()):
            raise BadHook("the secret is not the one of this source", status=401)
        return event

    # what is asked for before the ticket

    def enrich(self, mention: Mention) -> Mention:
        """Who wrote it by name, and what it is about: the comment answered, else the post, photo, video, item."""
        place = Place.of(mention.external_id)
        if place is None:
            return mention
        try:
            author = replace(mention.author, **self._profile(int(mention.author.id)))
            parent, files = self._above(mention, place)
        except RateLimited as error:
            raise Temporary(error.sentence, wait=error.wait, service=self.name) from None
        return replace(mention, author=author, parent=parent, attachments=mention.attachments + files)

    def locate(self, mention: Mention) -> Mention | None:
        """A comment in the community, or a post on its wall, as an event would have told it, with the finder's tone
        and rating. None also without user_token, for VK shows comments to people only."""
        place = place_in(mention.url)
        if place is None or place.owner != -self.options.group_id or not self._api.has_user:
            return None
        if not place.number and place.kind != "wall":
            return None
        try:
            found = self._answers.said(place)
            if found is None:
                return None
            if place.kind == "wall" and place.number and found.get("post_id"):
                place = replace(place, thing=int(found["post_id"]))
            told = self._reader.comment(place, found) if place.number else self._reader.post(found)
        except (Gone, Closed):
            return None
        except (KeyError, TypeError, ValueError, AttributeError):
            raise BadAnswer("what is there cannot be read", service=self.name, operation="locate") from None
        return None if told is None else replace(told, tone=mention.tone, rating=mention.rating)

    def _profile(self, number: int) -> dict[str, Any]:
        try:
            if number > 0:
                fields = "screen_name,photo_200,followers_count,verified"
                found = self._api.read("users.get", {"user_ids": [number], "fields": fields})
            else:
                told = self._api.read("groups.getById", {"group_id": -number})
                found = told.get("groups") if isinstance(told, Mapping) else told
            author = author_of(number, found[0])
        except (Rejected, Closed, Gone, BadAnswer, LookupError, TypeError, AttributeError):
            return {}
        words = ("name", "handle", "avatar_url", "followers", "verified")
        return {word: getattr(author, word) for word in words}

    def _above(self, mention: Mention, place: Place) -> tuple[Parent | None, tuple[Attachment, ...]]:
        """What is answered, with its words, its author and its pictures."""
        if place.kind == "message" or not place.number or not self._api.has_user:
            return self._quoted(mention), ()
        above = int(memo_of(mention).get("above") or 0)
        try:
            if above and place.kind == "wall":
                found = self._answers.first("wall.getComment", {"owner_id": place.owner, "comment_id": above})
            else:
                found = self._answers.thing(place)
        except (Rejected, Closed, Gone, BadAnswer):
            return mention.parent, ()
        if found is None:
            return mention.parent, ()
        shown = replace(place, number=above if place.kind == "wall" else 0)
        who = int(found.get("from_id") or found.get("owner_id") or place.owner)
        name = str(self._profile(who).get("name") or author_of(who).id)
        words = text_of(found) or str(found.get("title") or found.get("description") or "")
        pictures = files_of(found if place.kind != "photo" else _as_photo(found), "answered post: ")
        return Parent(shown.id, words, shown.url(), name), tuple(pictures)

    def _quoted(self, mention: Mention) -> Parent | None:
        parent = mention.parent
        if parent is None or not parent.author.lstrip("-").isdecimal():
            return parent
        return replace(parent, author=str(self._profile(int(parent.author)).get("name") or parent.author))

    # what goes out

    def reply_limits(self, mention: Mention) -> ReplyLimits:
        """9,000 characters of a message, `max_comment` of a comment. Unsupported: needs an administrator's token."""
        place = self._place(mention)
        if place.kind == "message":
            self._raise_unless_allowed(place.owner)
            return ReplyLimits(MAX_MESSAGE, self.options.max_parts)
        self._raise_without_user(place)
        return ReplyLimits(self.options.max_comment, self.options.max_parts)

    def prepare(self, draft: ReplyDraft) -> Request:
        """The comment or message, its pictures uploaded. Gone: what it answers was deleted."""
        place = self._place(draft.mention)
        frozen: dict[str, Any] = {"text": draft.text, "at": int(self._clock())}
        if draft.previous is not None:
            previous = Place.of(draft.previous.id)
            frozen["after"] = previous.number if previous is not None else 0
        if place.kind == "message" or draft.private:
            peer = place.owner if place.kind == "message" else int(draft.mention.author.id)
            if peer <= 0:
                raise Closed("a community cannot be written to privately", service=self.name, operation="reply")
            self._raise_unless_allowed(peer)
            frozen |= {"kind": "message", "peer": peer}
            if place.kind == "message":
                self._answers.raise_if_gone(place)
                frozen["answers"] = place.number
        else:
            self._raise_without_user(place)
            self._answers.raise_if_gone(place)
            root = int(memo_of(draft.mention).get("root") or place.number)
            frozen |= {"kind": place.kind, "owner": place.owner, "thing": place.thing, "answers": place.number}
            frozen["root"] = root
        files, missing = self._uploads.upload(draft.attachments, frozen.get("peer", 0))
        frozen |= {"text": with_links(draft.text, missing), "files": files}
        return Request("reply", json.dumps(frozen, ensure_ascii=False, separators=(",", ":")))

    def send(self, request: Request, key: Key) -> Receipt:
        """One comment or message. The guard against doubles goes with it: a number made from the key."""
        return self._answers.post(json.loads(request.body), key)

    def find(self, request: Request, key: Key) -> tuple[Receipt, ...]:
        """A message by its random_id; a comment of ours in that place, since then, with the same words. Unsupported:
        it cannot be read, or there is one with other words, which only a person can judge."""
        return self._answers.find(json.loads(request.body), key)

    # steps

    def _raise_unless_allowed(self, peer: int) -> None:
        """Closed: the person has not allowed messages. Chats have no such permission."""
        if peer >= CHATS:
            return
        params = {"group_id": self.options.group_id, "user_id": peer}
        told = self._api.read("messages.isMessagesFromGroupAllowed", params)
        if not told.get("is_allowed"):
            raise Closed("the person has not allowed messages of the community", service=self.name, operation="reply")

    def _raise_without_user(self, place: Place) -> None:
        if place.kind != "wall" and not self._api.has_user:
            raise Unsupported(
                "VK lets only an administrator's token answer here: set user_token, or use the link and answer there",
                service=self.name,
            )

    def _place(self, mention: Mention) -> Place:
        place = Place.of(mention.external_id)
        if place is None:
            raise Rejected("this mention is not from VK", service=self.name, operation="reply")
        return place


def _as_photo(found: Json) -> Json:
    return {"attachments": [{"type": "photo", "photo": found}]}
