"""The source itself: what comes in, what goes out. The package tells its story."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar, Literal

from pydantic import Field, SecretStr, field_validator

from connector.adapter import Hook
from connector.errors import BadAnswer, BadHook, Closed, ConnectorError, Gone, Rejected, Temporary, Uncertain
from connector.http import Http
from connector.log import remember_secret
from connector.model import (
    Author,
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
    utc,
)
from connector.sources.base import Source, SourceCapabilities, SourceOptions, WebAddress
from connector.sources.discourse.forum import Forum
from connector.sources.discourse.window import Stream, Watched, Window
from connector.sources.discourse.words import (
    Post,
    answers,
    attachments_from,
    edition,
    is_gone,
    is_written,
    mark_of,
    memo_of,
    mention_from_post,
    named_in,
    number_of,
    opened,
    parent_from,
    place_in,
    same,
    stream_of,
    url_of,
    when,
)

_STEP = 50
_STEPS = 10
_LOOK_AT_ONCE = 10
_MOST_LOOKED_FOR = 200
_REMEMBERED_HOURS = 48.0
_HELD = "the forum holds it until a moderator approves it: it is not published yet"


class DiscourseOptions(SourceOptions):
    """An account of the forum and a key for it (Admin → Advanced → API keys)."""

    base_url: WebAddress = Field(description="address of the forum, such as https://forum.example.com")
    api_username: str = Field(description="name of the account that reads and answers; not an administrator")
    api_key: SecretStr = Field(description="an API key for that one account")
    webhook_secret: SecretStr | None = Field(
        default=None,
        min_length=8,
        description="secret of the forum's webhook, which signs its calls; without: polled",
    )
    groups: tuple[str, ...] = Field(default=(), description="groups of ours: naming one is naming us")
    topics: tuple[int, ...] = Field(default=(), description="ids of topics of which every post is for us")
    categories: tuple[int, ...] = Field(default=(), description="ids of categories of which every post is for us")
    private_messages: bool = Field(default=True, description="also read private messages to the account")
    conversation: Literal["thread", "thread_and_author"] = Field(
        default="thread_and_author", description="what belongs on one ticket: a whole topic, or one author in it"
    )
    own_replies: bool = Field(
        default=True, description="also read what our account writes by hand in the topics it told of"
    )
    watch_hours: float = Field(
        default=48.0, ge=0, le=720, description="how long to look whether a post was edited or deleted; 0: never"
    )
    watch_every: float = Field(default=300.0, ge=0, description="seconds between two such looks")
    approval_every: float = Field(
        default=300.0, ge=1, description="seconds between two looks whether a moderator approved an answer"
    )
    max_length: int = Field(default=32_000, ge=1, description="characters of a post; the forum's max post length")
    max_parts: int = Field(default=2, ge=1, le=20, description="posts a longer reply may be split into")

    @field_validator("api_username")
    @classmethod
    def _without_at(cls, value: str) -> str:
        return value.strip().removeprefix("@")


class Discourse(Source):
    """One account on one forum."""

    type: ClassVar[str] = "discourse"
    about: ClassVar[str] = (
        "forum posts that name or answer us, listed topics, private messages; answers, once approved"
    )
    unconfirmed: ClassVar[tuple[str, ...]] = (
        "all of it on a real forum: it was written from the forum's source and its description of the API",
        "the names of the admin menus and the length of `external_id` (50)",
    )
    Options = DiscourseOptions
    capabilities: ClassVar[SourceCapabilities] = SourceCapabilities(
        kinds=("forum_post", "dm"),
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

    def __init__(
        self, name: str, options: DiscourseOptions, http: Http, *, clock: Callable[[], float] = time.time
    ) -> None:
        super().__init__(name, options, http)
        self.options: DiscourseOptions = options
        self._clock = clock
        self._held: set[Key] = set()
        key = options.api_key.get_secret_value()
        remember_secret(key)
        if options.webhook_secret is not None:
            remember_secret(options.webhook_secret.get_secret_value())
        self._forum = Forum(name, options.base_url, key, options.api_username, http)
        self._names = {options.api_username.lower(), *(one.lower() for one in options.groups)}

    # who we are

    def check(self) -> Identity:
        """Our account, as the forum knows it by its key."""
        me = self._forum.me(again=True)
        notes = [] if self.options.webhook_secret is None else [f"takes calls at /hooks/{self.name}"]
        if me.get("admin") and self.options.private_messages:
            notes.append("is an administrator, so private messages are not read: use an ordinary account")
        username = str(me["username"])
        url = f"{self.options.base_url}/u/{username}"
        return Identity(str(me["id"]), str(me.get("name") or f"@{username}"), url, tuple(notes))

    # what comes in

    def fetch(self, cursor: Cursor | None, limit: int) -> Page[Mention]:
        """Posts for us not told yet, then edits and deletions. None: remembers what is there."""
        now = self._clock()
        memory = Window.read(cursor)
        if memory is None:
            memory = Window(looked_at=now)
            for private, stream in self._streams(memory):
                stream.begin([self._stamped(one, now) for one in self._forum.posts(private)])
            memory.level()
            return Page((), memory.written())
        told: list[Mention] = []
        more = False
        for private, stream in self._streams(memory):
            found, rest = self._unread(memory, stream, private, limit - len(told), now)
            told += found
            more = more or rest
        if not more:
            memory.level()
        told.sort(key=lambda one: one.created_at)
        if not more and self.options.watch_hours and now - memory.looked_at >= self.options.watch_every:
            told += self._changes(memory, now, limit - len(told))
        return Page(tuple(told), memory.written(), more)

    def _streams(self, memory: Window) -> Iterable[tuple[bool, Stream]]:
        yield False, memory.public
        if self.options.private_messages and not self._forum.me().get("admin"):
            yield True, memory.private

    def _unread(
        self, memory: Window, stream: Stream, private: bool, room: int, now: float
    ) -> tuple[list[Mention], bool]:
        """What of a stream is new and for us, and whether there is more of it."""
        if room <= 0:
            return [], True
        posts, until = self._above(stream, private)
        told: list[Mention] = []
        waiting: list[int] = []
        for number, post in sorted(posts.items()):
            if number <= stream.floor or number in stream.seen:
                continue
            if not waiting and self._is_for_us(post, private, memory):
                if len(told) >= room:
                    waiting.append(number)
                else:
                    mention = self._read(post, private)
                    if mention.own:
                        mention = replace(mention, parent=self._answered(mention))
                    told.append(mention)
                    if not mention.own:
                        memory.watch([_watched(mention, post)], now, self._kept)
            if waiting:
                break
            stream.seen[number] = self._stamped(post, now)[1]
        if until is None or waiting:
            stream.settle(waiting)
        else:
            stream.floor = until
            stream.forget()
        return told, bool(waiting) or until is not None

    def _above(self, stream: Stream, private: bool) -> tuple[dict[int, Post], int | None]:
        """Posts above the floor, by id; and the id up to which these are all (None: there are no others).

        The newest page is enough but after a stop. Then it goes upward: fifty ids hold at most fifty posts, so no
        page leaves one out, and each step is remembered."""
        newest = {number_of(one.get("id")): one for one in self._forum.posts(private)}
        at, lowest = stream.floor, min(newest, default=0)
        found: dict[int, Post] = {}
        for _ in range(_STEPS):
            if at + 1 >= lowest or len(newest) < _STEP:
                return found | newest, None
            page = self._forum.posts(private, before=at + _STEP + 1)
            found |= {number_of(one.get("id")): one for one in page}
            at += _STEP
        return found, at

    def _stamped(self, post: Post, now: float) -> tuple[int, float]:
        try:
            return int(post["id"]), min(when(post["created_at"]).timestamp(), now)
        except (KeyError, TypeError, ValueError):
            raise self._unreadable() from None

    def _is_for_us(self, post: Post, private: bool, memory: Window | None) -> bool:
        try:
            topic, author = str(post["topic_id"]), self._author(post)
            if not is_written(post):
                return False
            if self._is_own(post):
                return self.options.own_replies and memory is not None and memory.knows(topic)
            return (
                private
                or bool(named_in(post) & self._names)
                or answers(post, self.options.api_username)
                or int(topic) in self.options.topics
                or number_of(post.get("category_id")) in self.options.categories
                or (memory is not None and memory.knows(topic, author))
            )
        except (KeyError, TypeError, ValueError, AttributeError):
            raise self._unreadable() from None

    def _is_own(self, post: Post) -> bool:
        return str(post["username"]).lower() == self.options.api_username.lower()

    def _author(self, post: Post) -> str:
        return mention_from_post(post, self.name, self.options.base_url, private=False).author.id

    def _read(self, post: Post, private: bool) -> Mention:
        try:
            return mention_from_post(post, self.name, self.options.base_url, private=private, own=self._is_own(post))
        except (KeyError, TypeError, ValueError, AttributeError):
            raise self._unreadable() from None

    def _unreadable(self) -> BadAnswer:
        return BadAnswer("a post cannot be read", service=self.name, operation="posts")

    @property
    def _kept(self) -> float:
        return (self.options.watch_hours or _REMEMBERED_HOURS) * 3600

    def _changes(self, memory: Window, now: float, room: int) -> list[Mention]:
        """Which of the watched posts were edited or are gone. Trouble here keeps no mention from coming in."""
        memory.looked_at = now
        told: list[Mention] = []
        try:
            for one in memory.due(_LOOK_AT_ONCE):
                if len(told) >= room:
                    break
                post = self._forum.post(one.id)
                if post is None or is_gone(post):
                    told.append(self._deleted(one))
                    memory.watched.remove(one)
                elif not post.get("hidden") and (mark := mark_of(post)) != one.mark:
                    told.append(replace(self._read(post, one.private), version=edition(post)))
                    one.mark = mark
        except ConnectorError:
            pass
        return told

    def _deleted(self, one: Watched) -> Mention:
        return Mention(
            source=self.name,
            platform="discourse",
            external_id=one.id,
            version="deleted",
            author=Author(one.author),
            text="",
            created_at=utc(one.stamp),
            kind="dm" if one.private else "forum_post",
            thread_id=one.topic,
            private=one.private,
            deleted=True,
        )

    def read_hook(self, hook: Hook) -> Sequence[Mention]:
        """The post of one signed call, if it is for us. Our own posts and private messages come by polling alone."""
        secret = self.options.webhook_secret
        if secret is None:
            raise BadHook("this source takes no calls: set its webhook_secret", status=403)
        event, post = opened(hook, secret.get_secret_value())
        try:
            if post is None or post.get("topic_archetype", "regular") != "regular" or self._is_own(post):
                return []
            if event == "post_destroyed" or (event == "post_edited" and is_gone(post)):
                mention = self._read(post, private=False)
                return [self._deleted(_watched(mention, post))]
            if not self._is_for_us(post, False, None):
                return []
            mention = self._read(post, private=False)
        except (BadAnswer, KeyError):
            raise BadHook("the post in it cannot be read", status=422) from None
        if event == "post_created":
            return [mention]
        return [replace(mention, version=edition(post))] if event in ("post_edited", "post_recovered") else []

    def enrich(self, mention: Mention) -> Mention:
        """The post it answers, or the one that began the topic, with its pictures."""
        post = self._post_above(mention)
        if post is None:
            return mention
        base = self.options.base_url
        pictures = attachments_from(post, base, "above: ")
        return replace(mention, parent=parent_from(post, base), attachments=(*mention.attachments, *pictures))

    def _post_above(self, mention: Mention) -> Post | None:
        """The post it answers, or the one that began the topic."""
        memo = memo_of(mention)
        above = number_of(memo.get("answers")) or (1 if number_of(memo.get("number")) > 1 else 0)
        try:
            return self._forum.post_number(mention.thread_id, above) if above else None
        except (Rejected, Closed, BadAnswer):
            return None

    def _answered(self, mention: Mention) -> Parent | None:
        """Whom a post of ours answers, by which its ticket is found: the forum tells a number only."""
        post = self._post_above(mention)
        return None if post is None else parent_from(post, self.options.base_url)

    def locate(self, mention: Mention) -> Mention | None:
        """The post as a pull would have told it, with the finder's tone and rating. None also for one that nobody may
        read any more."""
        place = place_in(mention.url, self.options.base_url)
        if place is None:
            return None
        post = self._forum.post_number(*place) if place[0] else self._forum.post(str(place[1]))
        if post is None or not is_written(post) or post.get("hidden"):
            return None
        try:
            topic = self._forum.topic(str(post["topic_id"]))
        except Gone:
            return None
        titled = {**post, "topic_title": topic.get("title") or ""}
        told = self._read(titled, private=topic.get("archetype") == "private_message")
        return replace(told, tone=mention.tone, rating=mention.rating)

    # what goes out

    def reply_limits(self, mention: Mention) -> ReplyLimits:
        """As configured. Gone: the post was deleted. Closed: the topic is."""
        post = self._there(mention.external_id)
        self._open_topic(str(post["topic_id"]))
        return ReplyLimits(self.options.max_length, self.options.max_parts)

    def prepare(self, draft: ReplyDraft) -> Request:
        """The post, its files uploaded. Gone: what it answers was deleted. Closed: the topic is. An answer that is to
        be private begins a private message to the author; one to a private message stays in it."""
        mention, previous = draft.mention, draft.previous
        post = self._there(previous.id if previous is not None else mention.external_id, part=previous is not None)
        topic = self._open_topic(str(post["topic_id"]))
        raw = "\n\n".join(part for part in (draft.text, *self._forum.upload(draft.attachments)) if part)
        if draft.private and not mention.private and previous is None:
            title = f"Re: {topic.get('title') or mention.title or mention.text}"
            body: dict[str, Any] = {
                "title": title if len(title) <= 200 else f"{title[:199]}…",
                "raw": raw,
                "target_recipients": str(post["username"]),
                "archetype": "private_message",
            }
            op, after = "message", 0
        else:
            body = {
                "raw": raw,
                "topic_id": int(post["topic_id"]),
                "reply_to_post_number": int(post["post_number"]),
            }
            op, after = "post", max(stream_of(topic), default=0)
        frozen = {"by": self.options.api_username, "after": after, "body": body}
        return Request(op, json.dumps(frozen, ensure_ascii=False, separators=(",", ":")))

    def send(self, request: Request, key: Key) -> Receipt:
        """One post. Uncertain: also while the forum holds it for a moderator."""
        frozen = self._unfrozen(request)
        body = dict(frozen["body"])
        if request.op == "message":
            body["external_id"] = str(key)
        told = self._forum.publish(body)
        if told.get("action") == "enqueued":
            self._held.add(key)
            raise Uncertain(_HELD, service=self.name, operation="reply")
        try:
            if int(told["id"]) <= frozen["after"]:  # the forum answers the same words again with the post it has
                sentence = "the forum took it for a repetition of the same words: change one, or wait two minutes"
                raise Rejected(sentence, service=self.name, operation="reply")
            return self._receipt(told)
        except (KeyError, TypeError, ValueError):
            raise Uncertain("posted, but the answer cannot be read", service=self.name, operation="reply") from None

    def find(self, request: Request, key: Key) -> tuple[Receipt, ...]:
        """Our post with these words among those that came into the topic since the request was frozen; a private
        message by its key. Temporary: it waits for a moderator. Closed: a moderator did not approve it."""
        frozen = self._unfrozen(request)
        body = frozen["body"]
        if request.op == "message":
            topic = self._forum.topic_by_key(str(key))
            first = self._forum.post_number(topic, 1) if topic else None
            return () if first is None else (self._receipt(first),)
        held = any(
            str(one.get("topic_id")) == str(body["topic_id"]) and same(one.get("raw_text"), body["raw"])
            for one in self._queue()
        )
        if held:  # asked before the topic is read: what is approved in between is then found there
            self._held.add(key)
            raise Temporary(_HELD, wait=self.options.approval_every, service=self.name, operation="reply")
        found = self._posted(str(body["topic_id"]), int(frozen["after"]), str(body["raw"]))
        if not found and key in self._held:
            raise Closed("a moderator of the forum did not approve it", service=self.name, operation="reply")
        self._held.discard(key)
        return tuple(self._receipt(one) for one in found)

    # steps

    def _posted(self, topic: str, after: int, raw: str) -> list[Post]:
        try:
            stream = stream_of(self._forum.topic(topic))
            newer = sorted(one for one in stream if one > after)[:_MOST_LOOKED_FOR]
            ours = [one for one in self._forum.posts_of(topic, newer) if self._is_own(one)]
        except Gone:
            return []
        whole = [self._forum.post(str(one["id"])) for one in ours]
        return [one for one in whole if one is not None and same(one.get("raw"), raw)]

    def _queue(self) -> list[Mapping[str, Any]]:
        try:
            return self._forum.held()
        except (Gone, Closed):  # a forum older than its own page of what waits
            return []

    def _unfrozen(self, request: Request) -> Mapping[str, Any]:
        frozen: Mapping[str, Any] = json.loads(request.body)
        if frozen.get("by") != self.options.api_username:
            raise Rejected("this reply was made ready for another account", service=self.name, operation="reply")
        return frozen

    def _receipt(self, post: Post) -> Receipt:
        return Receipt(str(post["id"]), url_of(post, self.options.base_url))

    def _there(self, post: str, *, part: bool = False) -> Post:
        """The post to be answered."""
        found = self._forum.post(post)
        if found is None or is_gone(found):
            what = "the part before this one" if part else "the post"
            raise Gone(f"{what} was deleted or is hidden from us", service=self.name, operation="reply")
        return found

    def _open_topic(self, topic: str) -> Mapping[str, Any]:
        """The topic; Closed when nobody but the staff may write in it."""
        found = self._forum.topic(topic)
        may = found.get("details")
        allowed = isinstance(may, Mapping) and may.get("can_create_post") is True
        if (found.get("closed") or found.get("archived")) and not allowed:
            word = "closed" if found.get("closed") else "archived"
            raise Closed(f"the topic is {word}", service=self.name, operation="reply")
        return found


def _watched(mention: Mention, post: Post) -> Watched:
    return Watched(
        mention.external_id,
        mention.thread_id,
        mention.author.id,
        mention.private,
        int(mention.created_at.timestamp()),
        mark_of(post),
    )
