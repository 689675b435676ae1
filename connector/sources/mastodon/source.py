"""The source itself: what comes in, what goes out. The package tells its story."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Literal

from pydantic import Field, SecretStr

from connector.errors import AuthFailed, BadAnswer, Closed, ConnectorError, Gone, Rejected, Uncertain, Unsupported
from connector.http import Http
from connector.log import remember_secret
from connector.model import (
    Author,
    Cursor,
    Identity,
    Key,
    Mention,
    Page,
    Receipt,
    ReplyDraft,
    ReplyLimits,
    Request,
    utc,
)
from connector.sources.base import Source, SourceCapabilities, SourceOptions, WebAddress
from connector.sources.mastodon.media import Media
from connector.sources.mastodon.server import Server
from connector.sources.mastodon.window import Watched, Window
from connector.sources.mastodon.words import (
    Status,
    addressed,
    following_id,
    ids_of,
    length_of,
    mention_from_status,
    post_address,
    same_words,
    seconds,
    url_of,
    visibility_of,
)

Kind = Literal["mention", "quote", "status"]

_PAGE = 80
_SHORT = 20
"""A page of fewer than this is the last one: no server known gives fewer at a time when asked for 80."""
_MAX_PAGES = 50
_REMEMBERED_HOURS = 48.0


class MastodonOptions(SourceOptions):
    """An account and a token of its own application (Preferences → Development → New application)."""

    server: WebAddress = Field(description="address of the account's server, such as https://mastodon.social")
    access_token: SecretStr = Field(description="access token with the scopes read, write:statuses and write:media")
    notifications: tuple[Kind, ...] = Field(
        default=("mention",),
        min_length=1,
        description="what becomes a mention: mention, quote (Mastodon 4.5), status (posts of accounts you watch)",
    )
    include_filtered: bool = Field(
        default=True, description="also what the account's own filters hide, such as private mentions by strangers"
    )
    conversation: Literal["thread", "thread_and_author"] = Field(
        default="thread_and_author", description="what belongs on one ticket: a whole thread, or one author in it"
    )
    own_replies: bool = Field(
        default=True, description="also read what our account answers by hand to the mentions it told of"
    )
    watch_hours: float = Field(
        default=48.0, ge=0, le=720, description="how long to look whether a mention was edited or deleted; 0: never"
    )
    watch_every: float = Field(default=300.0, ge=0, description="seconds between two such looks")
    max_parts: int = Field(default=4, ge=1, le=20, description="posts a longer reply may be split into")


@dataclass(frozen=True, slots=True)
class _Note:
    id: str
    stamp: float
    status: Status | None


class Mastodon(Source):
    """One account."""

    type: ClassVar[str] = "mastodon"
    about: ClassVar[str] = (
        "mentions, private ones too, on Mastodon, GoToSocial, Takahē, Pleroma; answers in the thread, no more public"
    )
    unconfirmed: ClassVar[tuple[str, ...]] = (
        "what Pleroma and Akkoma answer (from Mastodon's documents and their version strings only)",
        "the sentence of GoToSocial's refusal when an author does not want replies",
        "whether Takahē and Pleroma look a post up by its address as Mastodon does",
        "how many posts one look-up of many may name (20 are asked for)",
    )
    Options = MastodonOptions
    capabilities: ClassVar[SourceCapabilities] = SourceCapabilities(
        kinds=("post", "comment", "dm"),
        pull=True,
        edits=True,
        deletes=True,
        reply=True,
        private_reply=True,
        find_reply=True,
        locate=True,
        attachments_in=True,
        attachments_out=True,
    )

    def __init__(
        self, name: str, options: MastodonOptions, http: Http, *, clock: Callable[[], float] = time.time
    ) -> None:
        super().__init__(name, options, http)
        self.options: MastodonOptions = options
        self._clock = clock
        token = options.access_token.get_secret_value()
        remember_secret(token)
        self._server = Server(name, options.server, token, http, clock)
        self._media = Media(self._server)

    # who we are

    def check(self) -> Identity:
        """Our account, and that the token may read its notifications. What it may write shows with the first reply:
        there is no harmless way to ask every server."""
        me = self._server.me(again=True)
        self._server.a_list("/api/v1/notifications", "notifications", [("limit", 1)])
        limits = self._server.limits()
        return Identity(
            str(me["id"]),
            str(me.get("display_name") or f"@{me['acct']}"),
            str(me.get("url") or ""),
            (f"server version {limits.version or 'unknown'}: {limits.characters} characters, {limits.files} files",),
        )

    # what comes in

    def fetch(self, cursor: Cursor | None, limit: int) -> Page[Mention]:
        """Notifications not told yet, then our own answers, edits and deletions. None: remembers what is there."""
        now = self._clock()
        memory = Window.read(cursor)
        if memory is None:
            memory = Window(looked_at=now)
            memory.begin([(one.id, one.stamp) for one in self._page([("limit", _PAGE)])[0]])
            memory.own = next(ids_of(self._newest_of_ours(1)), "") if self.options.own_replies else ""
            return Page((), memory.written())
        known = {one for one, _ in memory.told}
        read = self._unread(memory, limit)
        fresh = [one for one in read if one.id not in known]
        page = fresh[:limit]
        mentions = [self._mention(one.status, memory) for one in page if one.status is not None]
        memory.advance([(one.id, one.stamp) for one in read], {one.id for one in page})
        mentions.sort(key=lambda one: one.created_at)
        watched = [self._watched(one.status, mentions) for one in page if one.status is not None]
        memory.watch(watched, now, (self.options.watch_hours or _REMEMBERED_HOURS) * 3600)
        more = len(fresh) > len(page)
        if not more and self.options.own_replies:
            mentions += self._own(memory, limit - len(mentions))
        if not more and self.options.watch_hours and now - memory.looked_at >= self.options.watch_every:
            mentions += self._changes(memory, now, limit - len(mentions))
        return Page(tuple(mentions), memory.written(), more)

    def _page(self, params: list[tuple[str, Any]]) -> tuple[list[_Note], str]:
        """One page of notifications, oldest first, and its Link header."""
        params = [*params, *(("types[]", one) for one in self.options.notifications)]
        if self.options.include_filtered:
            params.append(("include_filtered", "true"))
        found, link = self._server.a_list("/api/v1/notifications", "notifications", params)
        return [self._note(one) for one in reversed(found)], link

    def _note(self, view: Mapping[str, Any]) -> _Note:
        stamp, status = seconds(view.get("created_at")), view.get("status")
        if not view.get("id") or stamp is None:
            raise BadAnswer("a notification cannot be read", service=self.name, operation="notifications")
        wanted = view.get("type") in self.options.notifications and isinstance(status, Mapping)
        return _Note(str(view["id"]), stamp, status if wanted else None)

    def _unread(self, memory: Window, limit: int) -> list[_Note]:
        """What stands above the bookmark, oldest first, as far as `limit` of it is new. Without a bookmark: all."""
        known = {one for one, _ in memory.told}
        read: dict[str, _Note] = {}
        at = memory.min_id
        step: tuple[str, str] = ("min_id", "prev") if at else ("max_id", "next")
        for _ in range(_MAX_PAGES):
            page, link = self._page([("limit", _PAGE), *([(step[0], at)] if at else [])])
            new = {one.id: one for one in page if one.id not in read}
            if not new:
                break
            read = read | new if step[0] == "min_id" else new | read
            at = following_id(link, step[1], step[0]) or (page[-1] if step[0] == "min_id" else page[0]).id
            if len(page) < _SHORT or (step[0] == "min_id" and len(read.keys() - known) >= limit):
                break
        return list(read.values())

    def locate(self, mention: Mention) -> Mention | None:
        """The post as a notification would have told it, with the finder's tone and rating. Our server is asked for
        any address that looks like a post's, since a post has the address of its author's server."""
        address = post_address(mention.url)
        status = self._server.at_address(address) if address else None
        if status is None:
            return None
        told = self._read(status, above=self._above(status))
        return replace(told, tone=mention.tone, rating=mention.rating)

    def _above(self, status: Status) -> list[Status]:
        """The posts it answers, the thread's first one first."""
        if not status.get("in_reply_to_id"):
            return []
        try:
            return self._server.above_and_below(str(status["id"]))[0]
        except Gone:
            return []

    def _mention(self, status: Status, memory: Window) -> Mention:
        """With the thread above it. One that answers a mention we told belongs to that one's thread, whatever became
        of the posts further up."""
        above = self._above(status)
        thread = next((known for one in reversed(above) if (known := memory.thread_of(str(one.get("id"))))), "")
        thread = thread or memory.thread_of(str(status.get("in_reply_to_id") or ""))
        return self._read(status, above=above, thread_id=thread)

    def _read(self, status: Status, **more: Any) -> Mention:
        try:
            own = str(status["account"]["id"]) == str(self._server.me()["id"])
            return mention_from_status(status, self.name, own=own, **more)
        except (KeyError, TypeError, ValueError, AttributeError):
            raise BadAnswer("a post cannot be read", service=self.name, operation="notifications") from None

    def _watched(self, status: Status, mentions: list[Mention]) -> Watched:
        mention = next(one for one in mentions if one.external_id == str(status["id"]))
        return Watched(
            mention.external_id,
            mention.thread_id,
            mention.author.id,
            str(status["account"]["id"]),
            int(mention.created_at.timestamp()),
            str(status.get("edited_at") or ""),
        )

    def _own(self, memory: Window, room: int) -> list[Mention]:
        """What our account wrote since, below a mention we told. Trouble here keeps no mention from coming in."""
        told: list[Mention] = []
        try:
            for status in reversed(self._server.our_posts(40, memory.own)):
                thread = memory.thread_of(str(status.get("in_reply_to_id") or ""))
                if thread:
                    if len(told) >= room:
                        break
                    told.append(self._read(status, thread_id=thread))
                memory.own = str(status["id"])
        except ConnectorError:
            pass
        return told

    def _changes(self, memory: Window, now: float, room: int) -> list[Mention]:
        """Which of the watched mentions were edited or are gone. One whose author blocks us only hides, which is no
        deletion. Trouble here keeps no mention from coming in."""
        memory.looked_at = now
        told: list[Mention] = []
        try:
            due = list(memory.due(self._server.at_once))
            there = self._server.statuses([one.id for one in due])
            for one in due:
                if len(told) >= room:
                    break
                status = there.get(one.id) or self._server.status(one.id)
                if status is None:
                    if not self._server.is_blocked_by(one.account):
                        told.append(self._deleted(one))
                        memory.watched.remove(one)
                elif (edited := str(status.get("edited_at") or "")) and edited != one.edited:
                    told.append(replace(self._read(status, thread_id=one.thread), version=edited))
                    one.edited = edited
        except ConnectorError:
            pass
        return told

    def _deleted(self, one: Watched) -> Mention:
        return Mention(
            source=self.name,
            platform="mastodon",
            external_id=one.id,
            version="deleted",
            author=Author(one.author),
            text="",
            created_at=utc(one.stamp),
            thread_id=one.thread,
            deleted=True,
        )

    # what goes out

    def reply_limits(self, mention: Mention) -> ReplyLimits:
        """What the server says, less the @acct in front. Gone: deleted, or hidden from us. Closed: its author blocks
        this account."""
        status = self._there(mention.external_id)
        acct = str(status["account"].get("acct") or mention.author.handle)
        limits = self._server.limits()
        room = limits.characters - length_of(f"@{acct} ", limits.per_url)
        return ReplyLimits(max(room, 1), self.options.max_parts)

    def measure(self, text: str) -> int:
        """Graphemes, with addresses and names as Mastodon counts them; elsewhere code points."""
        return length_of(text, self._server.per_url)

    def prepare(self, draft: ReplyDraft) -> Request:
        """The post, its files uploaded. Gone: what it answers was deleted; not every server would mind. Remembers
        which posts of ours stand there already, so that `find` can tell the new one from them."""
        mention = draft.mention
        target = draft.previous.id if draft.previous is not None else mention.external_id
        status = self._there(target, previous=draft.previous is not None)
        acct = str(status["account"].get("acct")) if draft.previous is None else mention.author.handle
        secret = draft.private or mention.private or mention.kind == "dm"
        body: dict[str, Any] = {
            "status": addressed(draft.text, acct or mention.author.handle),
            "in_reply_to_id": target,
            "visibility": "direct" if secret else visibility_of(status),
        }
        if media := self._media.ids(draft):
            body["media_ids"] = media
        if len(mention.language) == 2:
            body["language"] = mention.language
        frozen = {
            "account": str(self._server.me()["id"]),
            "before": sorted(ids_of(self._ours_below(target))),
            "body": body,
        }
        return Request("status", json.dumps(frozen, ensure_ascii=False, separators=(",", ":")))

    def send(self, request: Request, key: Key) -> Receipt:
        """One post. Gone: what it answers is no longer there. Closed: its author does not want it."""
        frozen = self._unfrozen(request)
        answer = self._server.call(
            "POST", "/api/v1/statuses", "reply", json=frozen["body"], headers={"Idempotency-Key": str(key)}
        )
        try:
            return self._receipt(answer.json())
        except (BadAnswer, KeyError, TypeError, AttributeError):
            raise Uncertain("posted, but the answer cannot be read", service=self.name, operation="reply") from None

    def find(self, request: Request, key: Key) -> tuple[Receipt, ...]:
        """Our post below the one it answers, if it stands there and did not when the request was frozen. A post bears
        no trace of our key: it is known by its words, in which a native answer would differ."""
        frozen = self._unfrozen(request)
        body, before = frozen["body"], set(frozen["before"])
        found = [
            one
            for one in self._ours_below(str(body["in_reply_to_id"]))
            if str(one["id"]) not in before and same_words(one, str(body["status"]))
        ]
        return tuple(self._receipt(one) for one in sorted(found, key=lambda one: str(one.get("created_at"))))

    # steps

    def _unfrozen(self, request: Request) -> Mapping[str, Any]:
        frozen: Mapping[str, Any] = json.loads(request.body)
        if frozen.get("account") != str(self._server.me()["id"]):
            raise Rejected("this reply was made ready for another account", service=self.name, operation="reply")
        return frozen

    def _receipt(self, status: Status) -> Receipt:
        return Receipt(str(status["id"]), url_of(status))

    def _there(self, status: str, *, previous: bool = False) -> Status:
        """The post to be answered."""
        found = self._server.status(status)
        if found is None:
            what = "the part before this one" if previous else "the post"
            raise Gone(f"{what} was deleted or is hidden from us", service=self.name, operation="reply")
        if not previous and self._server.is_blocked_by(str(found["account"].get("id"))):
            raise Closed("the author has blocked this account", service=self.name, operation="reply")
        return found

    def _ours_below(self, target: str) -> list[Status]:
        """Our posts that answer `target`, or have lost what they answered: in its thread, and among our newest, since
        a thread may hide private ones."""
        me = str(self._server.me()["id"])
        found: dict[str, Status] = {}
        try:
            _, below = self._server.above_and_below(target)
            found = {str(one["id"]): one for one in below if str((one.get("account") or {}).get("id")) == me}
        except Gone:
            pass
        found |= {str(one["id"]): one for one in self._newest_of_ours(40)}
        return [one for one in found.values() if one.get("in_reply_to_id") is None or _answers(one, target)]

    def _newest_of_ours(self, most: int) -> list[Status]:
        try:
            return [one for one in self._server.our_posts(most) if one.get("id")]
        except (Gone, Rejected, Unsupported, AuthFailed):  # a server that does not tell an account its own posts
            return []


def _answers(status: Status, target: str) -> bool:
    return str(status.get("in_reply_to_id")) == target
