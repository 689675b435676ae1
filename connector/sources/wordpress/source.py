"""The source itself: what comes in, what goes out. The package tells its story."""

from __future__ import annotations

import html
import json
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, ClassVar, Literal
from urllib.parse import urlsplit

from pydantic import Field, SecretStr

from connector.errors import AuthFailed, BadAnswer, Closed, ConnectorError, Gone, Rejected, Temporary, Uncertain
from connector.http import Answer, Http
from connector.log import remember_secret
from connector.markup import to_text
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
from connector.sources.wordpress.words import (
    AUTHOR,
    POST,
    PRINT,
    SAID,
    SLACK,
    TOLD,
    code_of,
    explain,
    memo,
    mention_from,
    number_of,
    print_of,
    remembered,
    written,
)

MAX_LENGTH = 16_000
"""Characters: the column holds 65,525 bytes, and a character may have four."""

_PAGE = 100
_MAX_PAGES = 200
_MARK = "connector key/"
_FLOOD_WAIT = 20.0
_HELD = "WordPress holds the answer for moderation; approve it there, and it counts as posted"
_NOT_PUBLIC = ("trash", "spam")


class WordpressOptions(SourceOptions):
    """A site, and a user of it with an application password (Users → Profile → Application Passwords)."""

    url: WebAddress = Field(description="address of the site, such as https://blog.acme.example")
    user: str = Field(description="name of a user with the role editor: it answers, and it sees moderation")
    app_password: SecretStr = Field(description="an application password of that user, not the one it logs in with")
    held: bool = Field(
        default=False, description="comments that await moderation become tickets too, not only once approved"
    )
    watch_hours: float = Field(
        default=168.0, gt=0, le=2_160, description="how far back edits, deletions and late approvals are looked for"
    )
    conversation: Literal["thread", "thread_and_author"] = Field(
        default="thread_and_author",
        description="what belongs on one ticket: a post's comments, or one author's of it",
    )
    poll: float = Field(default=60.0, ge=0.05, description="seconds between two pulls")


class Wordpress(Source):
    """One site."""

    type: ClassVar[str] = "wordpress"
    about: ClassVar[str] = "comments of a blog, edits, deletions and moderation; answers under the comment"
    Options = WordpressOptions
    capabilities: ClassVar[SourceCapabilities] = SourceCapabilities(
        kinds=("comment",),
        pull=True,
        edits=True,
        deletes=True,
        reply=True,
        find_reply=True,
        enrich=True,
        locate=True,
    )

    def __init__(
        self, name: str, options: WordpressOptions, http: Http, *, clock: Callable[[], float] = time.time
    ) -> None:
        super().__init__(name, options, http)
        self.options: WordpressOptions = options
        self._clock = clock
        self._me = 0
        remember_secret(options.app_password.get_secret_value())
        http.explain = explain

    def check(self) -> Identity:
        """The user that answers. AuthFailed when it may not moderate comments: then half of this would be blind."""
        me = self._get("/users/me", context="edit")
        if not (me.get("capabilities") or {}).get("moderate_comments"):
            raise AuthFailed(
                "this user may not moderate comments; give it the role editor", service=self.name, operation="check"
            )
        self._me = number_of(me.get("id"))
        return Identity(str(self._me), str(me.get("name") or me.get("slug") or ""), str(me.get("link") or ""))

    # what comes in

    def fetch(self, cursor: Cursor | None, limit: int) -> Page[Mention]:
        """Comments not told yet, edits and deletions, oldest first. None: remembers what is there."""
        memory = remembered(cursor)
        known: dict[str, list[Any]] = dict(memory.get("known") or {})
        horizon = self._clock() - self.options.watch_hours * 3600
        rows = {str(row["id"]): row for row in self._window(horizon - SLACK)}
        if not memory:
            history = {number: memo(row, told=False) for number, row in rows.items() if self._is_news(row)}
            return Page((), written(history, horizon))
        news: list[tuple[Mention, str, list[Any]]] = []
        for number, row in rows.items():
            before = known.get(number)
            if before is None:
                if self._is_news(row):
                    news.append((self._mention(row), number, memo(row, told=True)))
            elif before[TOLD] and row.get("status") not in _NOT_PUBLIC and print_of(row) != before[PRINT]:
                news.append((self._mention(row, version=print_of(row)), number, memo(row, told=True)))
        for number, before in known.items():
            if before[TOLD] and before[SAID] >= horizon and self._is_gone(number, rows.get(number)):
                news.append((self._deleted(number, before), number, [*before[:TOLD], False]))
        news.sort(key=lambda one: (one[0].created_at, int(one[1])))
        known.update((number, memo) for _, number, memo in news[:limit])
        return Page(tuple(one for one, _, _ in news[:limit]), written(known, horizon), more=len(news) > limit)

    def _window(self, since: float) -> list[Mapping[str, Any]]:
        """Every comment from then on, whatever became of it, with its post and the comment it answers."""
        found: list[Mapping[str, Any]] = []
        after = utc(max(since, 0.0)).strftime("%Y-%m-%dT%H:%M:%S")
        for page in range(1, _MAX_PAGES + 1):
            rows = self._get(
                "/comments",
                context="edit",
                status="any",
                orderby="id",
                order="asc",
                after=after,
                per_page=str(_PAGE),
                page=str(page),
                _embed="up,in-reply-to",
            )
            if not isinstance(rows, list) or not all(isinstance(row, Mapping) and row.get("id") for row in rows):
                raise BadAnswer("the answer is no list of comments", service=self.name, operation="comments")
            found += rows
            if len(rows) < _PAGE:
                break
        return found

    def _is_news(self, row: Mapping[str, Any]) -> bool:
        """Whether a ticket is wanted: a person's comment that stands there, or waits to, where that was asked for."""
        wanted = ("approved", "hold") if self.options.held else ("approved",)
        return row.get("status") in wanted and row.get("type") == "comment"

    def _is_gone(self, number: str, row: Mapping[str, Any] | None) -> bool:
        """Trashed, marked as spam or deleted. One that is only missing from the list is asked for by itself."""
        found = row if row is not None else self._comment(number)
        return found is None or found.get("status") in _NOT_PUBLIC

    def _mention(self, row: Mapping[str, Any], version: str = "") -> Mention:
        try:
            mention = mention_from(row, self.name, self._my_id(), version)
        except (KeyError, TypeError, ValueError, AttributeError):
            raise BadAnswer("a comment cannot be read", service=self.name, operation="comments") from None
        return mention

    def _deleted(self, number: str, before: list[Any]) -> Mention:
        return Mention(
            source=self.name,
            platform="wordpress",
            external_id=number,
            version="deleted",
            author=Author(str(before[AUTHOR])),
            text="",
            created_at=utc(float(before[SAID])),
            kind="comment",
            url=f"{self.options.url}/?p={before[POST]}#comment-{number}",
            thread_id=str(before[POST]),
            deleted=True,
        )

    def enrich(self, mention: Mention) -> Mention:
        """The comment above in full, or the post's own words where the list gave none."""
        if mention.parent is None or mention.parent.text:
            return mention
        try:
            row = self._get(f"/posts/{mention.thread_id}")
        except (Gone, Rejected, AuthFailed, BadAnswer):  # a page, or of a type of its own: its title is all we have
            return mention
        words = to_text(str((row.get("excerpt") or {}).get("rendered") or ""))
        return replace(mention, parent=replace(mention.parent, text=words or mention.parent.text))

    def locate(self, mention: Mention) -> Mention | None:
        """The comment whose permalink this is: an address of this site that ends in #comment-7."""
        try:
            there, here = urlsplit(mention.url.strip()), urlsplit(self.options.url)
        except ValueError:
            return None
        number = re.fullmatch(r"comment-(\d{1,18})", there.fragment)
        if number is None or there.netloc.lower() != here.netloc.lower():
            return None
        row = self._comment(number[1])
        if row is None or row.get("status") in _NOT_PUBLIC:
            return None
        return replace(self._mention(row), tone=mention.tone, rating=mention.rating)

    # what goes out

    def reply_limits(self, mention: Mention) -> ReplyLimits:
        """Closed: it waits for moderation itself. Gone: trashed, spam or deleted."""
        row = self._standing(mention.external_id)
        if row.get("status") != "approved":
            raise Closed(
                "the comment awaits moderation in WordPress; approve it there, then answer",
                service=self.name,
                operation="reply",
            )
        return ReplyLimits(MAX_LENGTH, 1)

    def prepare(self, draft: ReplyDraft) -> Request:
        """The comment, but for the key. Gone: what it answers is no longer there; WordPress would not mind."""
        row = self._standing(draft.mention.external_id)
        body = {
            "post": row.get("post"),
            "parent": row.get("id"),
            "content": html.escape(draft.text, quote=False),
        }
        return Request("comment", json.dumps(body, ensure_ascii=False, separators=(",", ":")))

    def send(self, request: Request, key: Key) -> Receipt:
        """One comment. Closed: comments are closed there. Uncertain: WordPress has it and holds it for moderation."""
        body = {**json.loads(request.body), "author_user_agent": f"{_MARK}{key}"}
        answer = self._call("POST", "/comments", json_body=body, expect=(400, 401, 403, 409))
        if answer.status in (400, 401, 403, 409):
            self._refuse(answer)
        try:
            row = answer.json()
            number, status = str(row["id"]), row.get("status")
        except (BadAnswer, KeyError, TypeError, AttributeError):
            raise Uncertain("posted, but the answer cannot be read", service=self.name, operation="reply") from None
        if status != "approved":
            raise Uncertain(_HELD, service=self.name, operation="reply")
        return Receipt(number, str(row.get("link") or ""))

    def find(self, request: Request, key: Key) -> tuple[Receipt, ...]:
        """Our comment with that key. Temporary: it is there and awaits moderation. Rejected: it was thrown away."""
        body = json.loads(request.body)
        found: list[Receipt] = []
        for row in self._answers_to(str(body["post"]), str(body["parent"])):
            if not _is_ours(row, key, str(body["content"])):
                continue
            if row.get("status") == "hold":
                raise Temporary(_HELD, service=self.name, operation="reply")
            if row.get("status") in _NOT_PUBLIC:
                raise Rejected(
                    f"WordPress has the answer as {row['status']}, where nobody reads it; look there",
                    service=self.name,
                    operation="reply",
                )
            found.append(Receipt(str(row.get("id")), str(row.get("link") or "")))
        return tuple(found)

    def _answers_to(self, post: str, parent: str) -> list[Mapping[str, Any]]:
        """What this user answered to that comment, oldest first."""
        rows = self._get(
            "/comments",
            context="edit",
            status="any",
            post=post,
            parent=parent,
            author=str(self._my_id()),
            per_page=str(_PAGE),
        )
        if not isinstance(rows, list):
            raise BadAnswer("the answer is no list of comments", service=self.name, operation="reply")
        return [row for row in rows if isinstance(row, Mapping)][::-1]

    def _refuse(self, answer: Answer) -> None:
        """What to do about a refused answer; codes as a real WordPress gave them."""
        code, sentence = code_of(answer), explain(answer)
        kind: type[ConnectorError] = AuthFailed if answer.status in (401, 403) else Rejected
        if code == "comment_flood":
            raise Temporary(sentence, wait=_FLOOD_WAIT, service=self.name, operation="reply", status=answer.status)
        if code == "rest_comment_closed":
            kind, sentence = Closed, "comments are closed under this post"
        elif code in ("rest_comment_invalid_post_id", "rest_comment_draft_post", "rest_comment_trash_post"):
            kind, sentence = Gone, "the post is no longer there"
        elif code == "comment_duplicate":
            sentence = "WordPress has this very answer under this comment already"
        raise kind(sentence, service=self.name, operation="reply", status=answer.status)

    # steps

    def _standing(self, number: str) -> Mapping[str, Any]:
        row = self._comment(number)
        if row is None or row.get("status") in _NOT_PUBLIC:
            raise Gone("the comment was deleted or is in the trash", service=self.name, operation="reply")
        return row

    def _comment(self, number: str) -> Mapping[str, Any] | None:
        try:
            row = self._get(f"/comments/{number}", context="edit", _embed="up,in-reply-to")
        except Gone:
            return None
        if not isinstance(row, Mapping):
            raise BadAnswer("the answer is no comment", service=self.name, operation="comment")
        return row

    def _my_id(self) -> int:
        if not self._me:
            self._me = number_of(self._get("/users/me", context="edit").get("id"))
        return self._me

    def _get(self, route: str, **params: str) -> Any:
        return self._call("GET", route, params=params).json()

    def _call(
        self,
        method: str,
        route: str,
        params: Mapping[str, str] | None = None,
        json_body: Any = None,
        expect: tuple[int, ...] = (),
    ) -> Answer:
        """`?rest_route=` works with every setting of permalinks; a rewritten /wp-json does not."""
        return self.http.call(
            method,
            f"{self.options.url}/",
            operation=route.strip("/").partition("/")[0],
            params={"rest_route": f"/wp/v2{route}", **(params or {})},
            json=json_body,
            auth=(self.options.user, self.options.app_password.get_secret_value()),
            expect=expect,
        )


def _is_ours(row: Mapping[str, Any], key: Key, content: str) -> bool:
    """Whether this is the answer with that key. One that was moderated over REST (by an app) has lost its mark to
    the app's own user agent: then its words tell, which no user can write twice under one comment."""
    agent = str(row.get("author_user_agent") or "")
    if agent.startswith(_MARK):
        return agent == f"{_MARK}{key}"
    return (row.get("content") or {}).get("raw") == content
