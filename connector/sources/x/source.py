"""The source itself: what comes in, what goes out. The package tells its story."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, ClassVar

from connector.adapter import ChallengeAnswer, Hook
from connector.errors import AuthFailed, BadAnswer, BadHook, Closed, ConnectorError, Gone, RateLimited
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
    ReplyOutlook,
    Request,
    utc,
)
from connector.sources.base import Source, SourceCapabilities
from connector.sources.x import hooks
from connector.sources.x.account import Account, Keys, Spending, objects
from connector.sources.x.memory import Memory, Watched
from connector.sources.x.options import XOptions
from connector.sources.x.posting import MESSAGES_OFF, Posting
from connector.sources.x.words import (
    FIELDS,
    MESSAGE_FIELDS,
    Included,
    memo_of,
    mention_from,
    message_from,
    parent_from,
    pictures_of,
    post_in,
    post_url,
    versions_of,
    weighted_length,
)

_MAX_PAGES = 9
_PAGE = 100
_LONGEST_MESSAGE = 10_000


class X(Source):
    """One account."""

    type: ClassVar[str] = "x"
    about: ClassVar[str] = (
        "mentions, quotes and direct messages, within a day's budget; answers to who mentioned or quoted us"
    )
    unconfirmed: ClassVar[tuple[str, ...]] = (
        "whether a handle that X itself puts before a reply counts as a mention (the card warns)",
        "which of the two field vocabularies is served: `tweet.fields` is sent, both are read",
    )
    Options = XOptions
    capabilities: ClassVar[SourceCapabilities] = SourceCapabilities(
        kinds=("post", "comment", "dm"),
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

    def __init__(self, name: str, options: XOptions, http: Http, *, clock: Callable[[], float] = time.time) -> None:
        super().__init__(name, options, http)
        self.options: XOptions = options
        self._clock = clock
        self._us = options.us
        given = (options.api_key, options.api_secret, options.access_token, options.access_token_secret)
        secrets = [one.get_secret_value() for one in given]
        for secret in secrets:
            remember_secret(secret)
        self._secret = secrets[1]
        self._account = Account(name, options.service, Keys(*secrets), http, clock)
        self._spending = Spending(name, options.reads_per_day, options.posts_per_day, clock)
        self._posting = Posting(
            name, self._us, options, self._account, self._spending, http, clock, look=self._still_there
        )

    # who we are

    def check(self) -> Identity:
        """Our account; AuthFailed when the token is another's."""
        user = self._account.get("/2/users/me", {"user.fields": "name,username"}, operation="me").get("data")
        if not isinstance(user, Mapping) or not user.get("id"):
            raise BadAnswer("the answer does not say who we are", service=self.name, operation="me")
        if str(user["id"]) != self._us:
            raise AuthFailed(
                "access_token belongs to another account than user_id", service=self.name, operation="me"
            )
        handle = self._posting.handle = str(user.get("username") or "")
        most = [
            f"at most {count} {what} a UTC day"
            for count, what in ((self.options.reads_per_day, "reads"), (self.options.posts_per_day, "posts"))
            if count is not None
        ]
        notes = (*most, f"takes calls of the Activity API at /hooks/{self.name}")
        return Identity(self._us, f"@{handle}", f"{self.options.web}/{handle}", notes)

    # what comes in

    def fetch(self, cursor: Cursor | None, limit: int) -> Page[Mention]:
        """Mentions and messages not told yet, oldest first, and edits and deletions of what was told. None: listens
        from now. RateLimited until midnight UTC when the day's budget is spent."""
        now = self._clock()
        if cursor is None:
            return Page((), self._written(self._begun(now)))
        memory = Memory.read(cursor)
        self._spending.take_over(memory.day, memory.reads, memory.posts)
        found = self._mentions(memory) if self.options.poll_mentions else []
        messages_due = self.options.direct_messages and now - memory.messages_at >= self.options.direct_messages_every
        if messages_due:
            try:
                found += self._messages(memory.messages_since)
            except RateLimited:
                if not found:
                    raise
                messages_due = False  # what was read is told; the messages come with a later pull
        found.sort(key=lambda one: int(_number(one)))  # ids grow with time, those of messages too
        page = found[:limit]
        for one in page:
            if one.private:
                memory.messages_since = _number(one)
            else:
                memory.since = _number(one)
        more = len(found) > len(page)
        if messages_due and not more:
            memory.messages_at = now
        if self.options.watch_hours:
            memory.watch(page, now, self.options.watch_hours * 3600)
            if not more and now - memory.looked_at >= self.options.watch_every and len(page) < limit:
                page += self._changed(memory, now, limit - len(page))
        return Page(tuple(page), self._written(memory), more)

    def _begun(self, now: float) -> Memory:
        """A bookmark at what is newest now."""
        memory = Memory(began=datetime.fromtimestamp(now, UTC).isoformat(timespec="seconds").replace("+00:00", "Z"))
        if self.options.poll_mentions:
            answer = self._read(f"/2/users/{self._us}/mentions", {"max_results": "5"}, operation="mentions")
            memory.since = max((str(one["id"]) for one in objects(answer, "data")), key=int, default="")
        if self.options.direct_messages:
            answer = self._read("/2/dm_events", {"max_results": "1", **MESSAGE_FIELDS}, operation="messages")
            memory.messages_since = max((str(one["id"]) for one in objects(answer, "data")), key=int, default="0")
        return memory

    def _mentions(self, memory: Memory) -> list[Mention]:
        """Every post since the bookmark that mentions us; X tells the newest first, and knows the last 800."""
        start = {"since_id": memory.since} if memory.since else {"start_time": memory.began}
        found: list[Mention] = []
        params = {"max_results": str(_PAGE), **FIELDS, **start}
        for page in range(_MAX_PAGES):
            # within a pull the budget is asked once: what was paid for must not be thrown away and read again
            answer = self._read(f"/2/users/{self._us}/mentions", params, operation="mentions", always=page > 0)
            there = Included(answer.get("includes"))
            found += [self._mention(post, there, called="perhaps") for post in objects(answer, "data")]
            following = (answer.get("meta") or {}).get("next_token")
            if not following:
                break
            params["pagination_token"] = str(following)
        return list({(one.external_id, one.version): one for one in found}.values())

    def _messages(self, since: str) -> list[Mention]:
        """Every direct message after that one; X tells the newest first, and has no bookmark of its own."""
        found: list[Mention] = []
        params = {"max_results": str(_PAGE), **MESSAGE_FIELDS}
        for number in range(_MAX_PAGES):
            answer = self._read("/2/dm_events", params, operation="messages", always=number > 0)
            there = Included(answer.get("includes"))
            page = objects(answer, "data")
            read = (self._message(one, there) for one in page if int(one["id"]) > int(since or 0))
            found += [message for message in read if message is not None]
            following = (answer.get("meta") or {}).get("next_token")
            if not following or any(int(one["id"]) <= int(since or 0) for one in page):
                break
            params["pagination_token"] = str(following)
        return found

    def _changed(self, memory: Memory, now: float, room: int) -> list[Mention]:
        """What of the watched posts was edited or deleted. Trouble here keeps no mention from coming in."""
        memory.looked_at = now
        told: list[Mention] = []
        try:
            for begin in range(0, len(memory.watched), _PAGE):
                watched = {one.id: one for one in memory.watched[begin : begin + _PAGE]}
                posts, gone = self._look_up(list(watched))
                told += [self._deleted(watched[one]) for one in gone if one in watched]
                newer = {
                    versions[-1]
                    for one in posts.values()
                    if (known := watched.get((versions := versions_of(one))[0])) and versions[-1] != known.newest
                }
                if newer:
                    edited, _ = self._look_up(sorted(newer))
                    told += [self._mention(one, Included({})) for one in edited.values()]
        except ConnectorError:
            return []
        told = told[:room]
        memory.watch(told, now, self.options.watch_hours * 3600)
        deleted = {one.external_id for one in told if one.deleted}
        memory.watched = [one for one in memory.watched if one.id not in deleted]
        return told

    def _deleted(self, watched: Watched) -> Mention:
        return Mention(
            source=self.name,
            platform="x",
            external_id=watched.id,
            version="deleted",
            author=Author(watched.author, url=f"{self.options.web}/i/user/{watched.author}"),
            text="",
            created_at=utc(watched.at),
            url=post_url(self.options.web, "", watched.newest),
            thread_id=watched.thread,
            deleted=True,
        )

    def read_hook(self, hook: Hook) -> Sequence[Mention]:
        """The mention in one call of the Activity API; none in one about another account, or of another kind."""
        event = hooks.event_of(self._secret, hook)
        if str((event.get("filter") or {}).get("user_id") or self._us) != self._us:
            return ()
        kind, payload = event["event_type"], event.get("payload")
        there = Included(event.get("includes"), hooks.users_of(event))
        try:
            if kind in hooks.POSTS and isinstance(payload, Mapping):
                return (self._mention(payload, there, called="no" if kind == hooks.REPLY else "yes"),)
            if kind == hooks.MESSAGES and self.options.direct_messages and isinstance(payload, Mapping):
                read = [self._message(one, there) for one in payload["direct_message_events"]]
                return [one for one in read if one is not None]
        except (BadAnswer, KeyError, TypeError):
            raise BadHook(f"the event {kind} cannot be read", status=422) from None
        return ()

    def answer_challenge(self, query: Mapping[str, str]) -> ChallengeAnswer:
        """X's challenge-response check."""
        return hooks.answered(self._secret, query)

    def enrich(self, mention: Mention) -> Mention:
        """The post above and the thread's first, with text and pictures, where they did not come along."""
        memo = memo_of(mention)
        above = str(memo.get("above") or "")
        wanted = [one for one in (above, str(memo.get("root") or "")) if one]
        if mention.private or memo.get("known"):
            return mention
        if not mention.author.handle:
            wanted.append(mention.version or mention.external_id)
        if not wanted:
            return mention
        answer = self._read("/2/tweets", {"ids": ",".join(wanted), **FIELDS}, operation="posts")
        posts = {str(one["id"]): one for one in objects(answer, "data")}
        there = Included(answer.get("includes"))
        there.posts |= posts
        parent = parent_from([above, str(memo.get("root") or "")], there, self.options.web) if above else None
        pictures = pictures_of(posts[above], there, "above: ") if above in posts else ()
        itself = posts.get(mention.version or mention.external_id)
        return replace(
            mention,
            author=self._mention(itself, there).author if itself else mention.author,
            parent=parent or mention.parent,
            attachments=(*mention.attachments, *pictures),
        )

    def locate(self, mention: Mention) -> Mention | None:
        """The post as a pull would have told it, with the finder's tone and rating. One read of the day's budget;
        RateLimited when that is spent. Who neither mentioned nor quoted us is answered by hand all the same."""
        post_id = post_in(mention.url, self.options.web)
        if not post_id:
            return None
        answer = self._read("/2/tweets", {"ids": post_id, **FIELDS}, operation="posts")
        post = next(iter(objects(answer, "data")), None)
        if post is None:
            return None
        told = self._mention(post, Included(answer.get("includes")))
        return replace(told, tone=mention.tone, rating=mention.rating)

    # what goes out

    def outlook(self, mention: Mention) -> ReplyOutlook:
        """Whether X takes an answer, by what it told of the mention."""
        if mention.private:
            return ReplyOutlook(self.options.direct_messages, "" if self.options.direct_messages else MESSAGES_OFF)
        summoned = memo_of(mention).get("summoned", "perhaps")
        if self.options.replies_to == "summoned" and summoned == "no":
            return ReplyOutlook(possible=False, why=_NOT_SUMMONED)
        words = [f"{self.options.max_length} characters as X counts"]
        refuses = self.options.links == "refuse"
        words.append("no links" if refuses else "a link makes it about twenty times dearer")
        if self.options.replies_to == "summoned" and summoned == "perhaps":
            words.append("X may refuse it, for our handle stands only among those it answers")
        return ReplyOutlook(why="; ".join(words))

    def reply_limits(self, mention: Mention) -> ReplyLimits:
        """Closed: X takes no answer to this one. Whether it is still there is asked when the reply is made ready."""
        outlook = self.outlook(mention)
        if not outlook.possible:
            raise Closed(f"{outlook.why}: use the link and answer there", service=self.name, operation="reply")
        if mention.private:
            return ReplyLimits(_LONGEST_MESSAGE, self.options.max_parts)
        return ReplyLimits(self.options.max_length, self.options.max_parts)

    def measure(self, text: str) -> int:
        """As X counts: a link is 23, an emoji 2."""
        return weighted_length(text)

    def prepare(self, draft: ReplyDraft) -> Request:
        """The post or the message, frozen; asked just before is whether what it answers is still there."""
        return self._posting.prepare(draft)

    def send(self, request: Request, key: Key) -> Receipt:
        """One post or message."""
        return self._posting.send(request, key)

    def find(self, request: Request, key: Key) -> tuple[Receipt, ...]:
        """Ours that answers the same in the same words, since it was made ready."""
        return self._posting.find(request, key)

    # steps

    def _still_there(self, post_id: str) -> Mapping[str, Any]:
        """The post in its newest version; Gone when it was deleted or is not for us to see."""
        posts, _ = self._look_up([post_id], always=True)
        if not posts:
            raise Gone("the post was deleted, or is hidden from us", service=self.name, operation="reply")
        return next(iter(posts.values()))

    def _look_up(
        self, ids: Sequence[str], *, always: bool = False
    ) -> tuple[dict[str, Mapping[str, Any]], tuple[str, ...]]:
        """Posts by id, and the ids of those that are no longer there; one hidden from us is neither."""
        params = {"ids": ",".join(ids), **FIELDS}
        answer = self._read("/2/tweets", params, operation="posts", always=always)
        gone = [
            str(one.get("resource_id") or one.get("value") or "")
            for one in objects(answer, "errors", needed=False)
            if str(one.get("type") or "").endswith("/resource-not-found")
        ]
        return {str(one["id"]): one for one in objects(answer, "data")}, tuple(gone)

    def _read(
        self, path: str, params: Mapping[str, str], *, operation: str, always: bool = False
    ) -> Mapping[str, Any]:
        """One read, against the day's budget unless it is the last look before a reply (`always`)."""
        if not always:
            self._spending.take("read")
        answer = self._account.get(path, params, operation=operation)
        told = (*objects(answer, "data"), *Included(answer.get("includes")).posts.values())
        self._spending.has_read(str(one.get("id")) for one in told)
        return answer

    def _mention(self, post: Mapping[str, Any], there: Included, *, called: str = "no") -> Mention:
        web = self.options.web
        try:
            return mention_from(post, there, source=self.name, web=web, us=self._us, called=called)
        except (KeyError, TypeError, ValueError, AttributeError):
            raise BadAnswer("a post cannot be read", service=self.name, operation="mentions") from None

    def _message(self, message: Mapping[str, Any], there: Included) -> Mention | None:
        try:
            return message_from(message, there, source=self.name, web=self.options.web, us=self._us)
        except (KeyError, TypeError, ValueError, AttributeError):
            raise BadAnswer("a message cannot be read", service=self.name, operation="messages") from None

    def _written(self, memory: Memory) -> Cursor:
        memory.day, memory.reads, memory.posts = self._spending.told()
        return memory.written()


_NOT_SUMMONED = "X lets an account answer through its API only whoever mentioned or quoted it"


def _number(mention: Mention) -> str:
    """The id by which X orders it: that of its newest version, or of the message."""
    return mention.version or mention.external_id.removeprefix("dm:")
