"""The source itself: what comes in, what goes out. The package tells its story."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, ClassVar, Literal

import regex
from pydantic import Field, SecretStr, field_validator

from connector.errors import BadAnswer, Closed, Gone, Rejected, Temporary, Uncertain
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
from connector.sources.bluesky.session import Account, as_list, as_object
from connector.sources.bluesky.window import Window, mark
from connector.sources.bluesky.words import (
    POST,
    attachments_from,
    author_from,
    counts_from,
    facets_for,
    memo_of,
    mention_from_notification,
    parent_from,
    place_in,
    profile_url,
    record_key,
    root_of,
    seconds,
    split_uri,
)

Reason = Literal["mention", "reply", "quote"]

MAX_GRAPHEMES = 300
MAX_BYTES = 3_000
_PAGE = 100
_MAX_PAGES = 200
_WHOLE_WINDOW_EVERY = 600.0


class BlueskyOptions(SourceOptions):
    """An account and its app password (Settings → Privacy and security → App passwords)."""

    service: WebAddress = Field(default="https://bsky.social", description="address of the account's server (PDS)")
    identifier: str = Field(description="handle, such as acme.example, or DID of our account")
    app_password: SecretStr = Field(description="an app password, never the account's own password")
    reasons: tuple[Reason, ...] = Field(
        default=("mention", "reply", "quote"), min_length=1, description="which notifications become mentions"
    )
    conversation: Literal["thread", "thread_and_author"] = Field(
        default="thread_and_author", description="what belongs on one ticket: a whole thread, or one author in it"
    )
    overlap_hours: float = Field(
        default=24.0, gt=0, le=168, description="how far back to look again, for posts written with an old date"
    )
    watch_deletes_hours: float = Field(
        default=48.0, ge=0, le=720, description="how long to look whether a mention was deleted; 0: never"
    )
    watch_deletes_every: float = Field(default=300.0, ge=0, description="seconds between two such looks")
    max_parts: int = Field(default=4, ge=1, le=20, description="posts a longer reply may be split into")
    web: WebAddress = Field(default="https://bsky.app", description="web address under which people read posts")

    @field_validator("identifier")
    @classmethod
    def _without_at(cls, value: str) -> str:
        return value.strip().removeprefix("@")


@dataclass(frozen=True, slots=True)
class _Note:
    uri: str
    stamp: float
    mention: Mention


class Bluesky(Source):
    """One account."""

    type: ClassVar[str] = "bluesky"
    about: ClassVar[str] = "mentions, replies and quotes of an account; answers in the thread"
    Options = BlueskyOptions
    capabilities: ClassVar[SourceCapabilities] = SourceCapabilities(
        kinds=("post", "comment"),
        pull=True,
        deletes=True,
        reply=True,
        idempotent_reply=True,
        find_reply=True,
        enrich=True,
        locate=True,
        attachments_in=True,
    )

    def __init__(
        self, name: str, options: BlueskyOptions, http: Http, *, clock: Callable[[], float] = time.time
    ) -> None:
        super().__init__(name, options, http)
        self.options: BlueskyOptions = options
        self._clock = clock
        password = options.app_password.get_secret_value()
        remember_secret(password)
        self._account = Account(name, options.service, options.identifier, password, http, clock)

    # who we are

    def check(self) -> Identity:
        """Our account, asked for with our session: so a revoked app password shows."""
        did = self._account.signed_in().did
        profile = self._account.get("app.bsky.actor.getProfile", {"actor": did})
        handle = str(profile.get("handle") or self._account.signed_in().handle)
        return Identity(did, str(profile.get("displayName") or f"@{handle}"), self._profile_url(handle, did))

    # what comes in

    def fetch(self, cursor: Cursor | None, limit: int) -> Page[Mention]:
        """Notifications not told yet, oldest first, and deletions of what was told. None: remembers what is there."""
        now = self._clock()
        memory = Window.read(cursor)
        first = memory is None
        memory = memory or Window(at=now)
        horizon = max(memory.at - self.options.overlap_hours * 3600, memory.floor)
        whole = first or now - memory.whole_at >= _WHOLE_WINDOW_EVERY
        found = [one for one in self._notifications(memory, horizon, whole=whole) if mark(one.uri) not in memory.seen]
        found.sort(key=lambda one: (one.mention.created_at, one.uri))
        page = [] if first else found[:limit]
        for one in found if first else page:
            memory.seen[mark(one.uri)] = int(one.stamp)
        more = len(found) > len(page) and not first
        if not more:
            memory.whole_at = now if whole else memory.whole_at
            memory.at = now
            memory.forget(now - self.options.overlap_hours * 3600)
        told = [one.mention for one in page]
        if self.options.watch_deletes_hours:
            memory.watch(told, now, self.options.watch_deletes_hours * 3600)
            if not more and now - memory.looked_at >= self.options.watch_deletes_every:
                told += self._deletions(memory, now, limit - len(told))
        return Page(tuple(told), memory.written(), more)

    def _notifications(self, memory: Window, horizon: float, *, whole: bool) -> list[_Note]:
        """What stands in the window, newest first. Not `whole`: as far down as there is something unknown."""
        here = self._account.signed_in().did
        notes: list[_Note] = []
        floor = horizon if whole else max(horizon, memory.at - _WHOLE_WINDOW_EVERY)
        params: dict[str, Any] = {"limit": _PAGE, "reasons": list(self.options.reasons)}
        for _ in range(_MAX_PAGES):
            answer = self._account.get("app.bsky.notification.listNotifications", params)
            views = [view for view in as_list(answer, "notifications") if view.get("reason") in self.options.reasons]
            page = [self._note(view, here) for view in views]
            notes += [one for one in page if one.stamp >= horizon]
            following = answer.get("cursor")
            known = page and all(mark(one.uri) in memory.seen for one in page)
            if not following or (known and not whole):
                break
            below = seconds(following)
            if (below is not None and below < floor) or (page and max(one.stamp for one in page) < horizon):
                break
            params["cursor"] = following
        return list({one.uri: one for one in reversed(notes)}.values())

    def _note(self, view: Mapping[str, Any], here: str) -> _Note:
        try:
            mention = mention_from_notification(view, self.name, self.options.web, here)
            stamp = seconds(view.get("indexedAt"))
        except (KeyError, TypeError, ValueError, AttributeError):
            raise BadAnswer("a notification cannot be read", service=self.name, operation="notifications") from None
        return _Note(mention.external_id, mention.created_at.timestamp() if stamp is None else stamp, mention)

    def _deletions(self, memory: Window, now: float, room: int) -> list[Mention]:
        """Which of the watched mentions are gone: missing from getPosts, and their record not to be found either. A
        post that only hides from us (a block) is no deletion. Trouble here keeps no mention from coming in."""
        memory.looked_at = now
        gone: list[Mention] = []
        try:
            for chunk in memory.next_watched():
                there = {str(post.get("uri")) for post in self._posts([uri for uri, _, _ in chunk])}
                for watched in chunk:
                    uri, root, stamp = watched
                    if uri in there or len(gone) >= room:
                        continue
                    if self._is_gone(uri):
                        gone.append(self._deleted(uri, root, stamp))
                        memory.watched.remove(watched)
        except (Temporary, BadAnswer, Rejected, Gone, Closed):
            pass
        return gone

    def _deleted(self, uri: str, root: str, stamp: int) -> Mention:
        did, rkey = split_uri(uri)
        return Mention(
            source=self.name,
            platform="bluesky",
            external_id=uri,
            version="deleted",
            author=Author(did, url=self._profile_url("", did)),
            text="",
            created_at=utc(stamp),
            kind="comment" if root else "post",
            url=f"{self._profile_url('', did)}/post/{rkey}",
            thread_id=root or uri,
            deleted=True,
        )

    def enrich(self, mention: Mention) -> Mention:
        """Followers and name of the author, the posts above (the thread's first, and the one answered), counts and
        pictures. What is no longer there or not for us to see is left out."""
        memo = memo_of(mention)
        uris = [mention.external_id, *(uri for uri in (memo.get("parent"), memo.get("root_uri")) if uri)]
        posts: dict[str, Mapping[str, Any]] = {}
        profile: Mapping[str, Any] = {}
        try:
            posts = {str(post.get("uri")): post for post in self._posts(list(dict.fromkeys(uris)))}
            profile = self._account.get("app.bsky.actor.getProfile", {"actor": mention.author.id})
        except (Rejected, Gone, Closed, BadAnswer):
            pass
        own = posts.get(mention.external_id, {})
        return replace(
            mention,
            author=author_from(profile, self.options.web) if profile.get("did") else mention.author,
            parent=parent_from(posts, memo, self.options.web) or mention.parent,
            engagement=counts_from(own) or mention.engagement,
            attachments=attachments_from(own.get("embed")) or mention.attachments,
        )

    def locate(self, mention: Mention) -> Mention | None:
        """The post as a notification would have told it, with the finder's tone and rating. None also for one that is
        gone, or that we are not let see."""
        try:
            place = place_in(mention.url, self.options.web)
        except ValueError:
            return None
        if place is None:
            return None
        did = place[0] if place[0].startswith("did:") else self._resolve(place[0])
        post = next(iter(self._posts([f"at://{did}/{POST}/{place[1]}"])), None) if did else None
        if post is None:
            return None
        try:
            told = mention_from_notification(post, self.name, self.options.web, self._account.signed_in().did)
        except (KeyError, TypeError, ValueError, AttributeError):
            raise BadAnswer("a post cannot be read", service=self.name, operation="locate") from None
        return replace(told, tone=mention.tone, rating=mention.rating)

    # what goes out

    def reply_limits(self, mention: Mention) -> ReplyLimits:
        """300 graphemes. Closed: the author restricts replies, or one blocks the other. Gone: deleted."""
        params = {"uri": mention.external_id, "depth": 0, "parentHeight": 0}
        thread = as_object(self._account.get("app.bsky.feed.getPostThread", params).get("thread"), "thread")
        if thread.get("blocked"):
            raise self._closed("this account and the author block each other")
        post = thread.get("post")
        if thread.get("notFound") or not isinstance(post, Mapping):
            raise self._gone()
        self._raise_if_closed(post)
        return ReplyLimits(MAX_GRAPHEMES, self.options.max_parts)

    def measure(self, text: str) -> int:
        """Graphemes, as the server counts; where 3,000 bytes are reached sooner, tenths of those."""
        return max(len(regex.findall(r"\X", text)), math.ceil(len(text.encode()) / (MAX_BYTES / MAX_GRAPHEMES)))

    def prepare(self, draft: ReplyDraft) -> Request:
        """The record with facets and references. Gone: what it answers was deleted; the server would not mind."""
        did = self._account.signed_in().did
        memo = memo_of(draft.mention)
        if draft.previous is None:
            post = next(iter(self._posts([draft.mention.external_id])), None)
            if post is None:
                raise self._gone()
            self._raise_if_closed(post)
            parent = {"uri": draft.mention.external_id, "cid": str(post.get("cid") or memo.get("cid"))}
            root = root_of(post) or parent
        else:
            before = self._record(draft.previous.id)
            if before is None:
                raise Gone("the part before this one was deleted", service=self.name, operation="reply")
            parent = {"uri": draft.previous.id, "cid": str(before.get("cid"))}
            root = (as_object(before.get("value"), "record").get("reply") or {}).get("root") or parent
        record: dict[str, Any] = {
            "$type": POST,
            "text": draft.text,
            "createdAt": datetime.fromtimestamp(self._clock(), UTC).isoformat(timespec="milliseconds")[:-6] + "Z",
            "reply": {"root": root, "parent": parent},
        }
        if facets := facets_for(draft.text, self._resolve):
            record["facets"] = facets
        if draft.mention.language:
            record["langs"] = [draft.mention.language]
        frozen = {"repo": did, "at": int(draft.mention.created_at.timestamp()), "part": draft.part, "record": record}
        return Request("putRecord", json.dumps(frozen, ensure_ascii=False, separators=(",", ":")), repeatable=True)

    def send(self, request: Request, key: Key) -> Receipt:
        """One post. The same key again gives the same receipt, and nothing new."""
        did, rkey, record = self._unfrozen(request, key)
        body = {"repo": did, "collection": POST, "rkey": rkey, "record": record}
        answer = self._account.call("POST", "com.atproto.repo.putRecord", json_body=body)
        try:
            uri = answer.json()["uri"]
        except (BadAnswer, KeyError, TypeError):
            raise Uncertain("posted, but the answer cannot be read", service=self.name, operation="reply") from None
        return self._receipt(str(uri))

    def find(self, request: Request, key: Key) -> tuple[Receipt, ...]:
        """The post under the key's record key, if it stands there."""
        did, rkey, _ = self._unfrozen(request, key)
        uri = f"at://{did}/{POST}/{rkey}"
        return () if self._record(uri) is None else (self._receipt(uri),)

    # steps

    def _unfrozen(self, request: Request, key: Key) -> tuple[str, str, Mapping[str, Any]]:
        frozen = json.loads(request.body)
        if frozen["repo"] != self._account.signed_in().did:
            raise Rejected("this reply was made ready for another account", service=self.name, operation="reply")
        return frozen["repo"], record_key(key, frozen["at"], frozen["part"]), frozen["record"]

    def _receipt(self, uri: str) -> Receipt:
        did, rkey = split_uri(uri)
        return Receipt(uri, f"{self._profile_url(self._account.signed_in().handle, did)}/post/{rkey}")

    def _raise_if_closed(self, post: Mapping[str, Any]) -> None:
        author = (post.get("author") or {}).get("viewer") or {}
        if author.get("blockedBy"):
            raise self._closed("the author has blocked this account")
        if author.get("blocking") or author.get("blockingByList"):
            raise self._closed("this account has blocked the author")
        if (post.get("viewer") or {}).get("replyDisabled"):
            raise self._closed("the author has restricted who may reply in this thread")

    def _closed(self, sentence: str) -> Closed:
        return Closed(sentence, service=self.name, operation="reply")

    def _gone(self) -> Gone:
        return Gone("the post was deleted or is hidden from us", service=self.name, operation="reply")

    def _posts(self, uris: Sequence[str]) -> list[Mapping[str, Any]]:
        """At most 25 (the lexicon's limit); deleted and blocked ones are simply not among them."""
        return as_list(self._account.get("app.bsky.feed.getPosts", {"uris": list(uris)}), "posts")

    def _record(self, uri: str) -> Mapping[str, Any] | None:
        did, rkey = split_uri(uri)
        try:
            return as_object(
                self._account.get("com.atproto.repo.getRecord", {"repo": did, "collection": POST, "rkey": rkey}),
                "record",
            )
        except Gone:
            return None

    def _is_gone(self, uri: str) -> bool:
        try:
            return self._record(uri) is None
        except Rejected:  # "Could not find repo": its author's account is closed or set aside, which can be undone
            return False

    def _resolve(self, handle: str) -> str | None:
        try:
            found = self._account.get("com.atproto.identity.resolveHandle", {"handle": handle})
        except (Rejected, Gone, BadAnswer):
            return None
        return str(found["did"]) if found.get("did") else None

    def _profile_url(self, handle: str, did: str) -> str:
        return profile_url(self.options.web, handle, did)
