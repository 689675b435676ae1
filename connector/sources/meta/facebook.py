"""A Facebook Page: comments, visitors' posts, mentions, recommendations, Messenger."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any, ClassVar

from connector.errors import AuthFailed, BadAnswer, ConnectorError, Gone, Temporary
from connector.http import Http
from connector.model import Attachment, Author, Identity, Mention
from connector.sources.base import SourceCapabilities
from connector.sources.meta import hooks
from connector.sources.meta.graph import listed, pages
from connector.sources.meta.options import FacebookOptions
from connector.sources.meta.source import MetaSource, Swept
from connector.sources.meta.words import (
    fb_comment,
    fb_parent,
    fb_pictures,
    fb_place,
    fb_post,
    instant,
    memo_of,
)

_COMMENT = "id,message,from,created_time,permalink_url,parent{id,message,from,permalink_url},attachment"
_POST = "id,message,from,created_time,permalink_url,full_picture"
_COMMENTS = f"comments.filter(stream).order(reverse_chronological).limit(50){{{_COMMENT}}}"


class Facebook(MetaSource):
    """One page."""

    type: ClassVar[str] = "facebook"
    about: ClassVar[str] = (
        "a page: comments, visitors' posts, mentions, recommendations, Messenger; answers within Meta's windows"
    )
    unconfirmed: ClassVar[tuple[str, ...]] = (
        "how long a text may be",
        "that the numbers in a comment's address make its id in the Graph, as POST_COMMENT",
        "what `hide`, `remove` and `ratings` tell",
        "all of it against Meta itself: proved on our own simulator",
    )
    platform: ClassVar[str] = "facebook"
    kind_of_entry: ClassVar[str] = "page"
    Options = FacebookOptions
    capabilities: ClassVar[SourceCapabilities] = SourceCapabilities(
        kinds=("comment", "post", "review", "dm"),
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
    )

    def __init__(
        self, name: str, options: FacebookOptions, http: Http, *, clock: Callable[[], float] = time.time
    ) -> None:
        super().__init__(name, options, http, options.page_id, options.page_id, clock)
        self.options: FacebookOptions = options

    def check(self) -> Identity:
        """The page; AuthFailed when the token is not a page's own."""
        me = self._graph.get("me", operation="me", fields="id,name,link")
        if str(me.get("id")) != self._us:
            raise AuthFailed(
                "access_token belongs to somebody else than page_id: take the page's own token",
                service=self.name,
                operation="me",
            )
        return Identity(self._us, str(me.get("name") or self._us), str(me.get("link") or ""), self._notes)

    def enrich(self, mention: Mention) -> Mention:
        """The post above and the comment above, with text and picture, and the name of who writes a message."""
        memo = memo_of(mention)
        if memo.get("kind") == "message":
            return self._introduced(mention)
        if memo.get("kind") != "comment":
            return mention
        parent = mention.parent
        pictures: tuple[Attachment, ...] = ()
        try:
            post = self._graph.get(str(memo["post"]), operation="post", fields=_POST)
            parent, pictures = fb_parent(post, self.options.web), fb_pictures(post, "above: ")
            if memo.get("above"):
                fields = "id,message,from,permalink_url"
                comment = self._graph.get(str(memo["above"]), operation="comment", fields=fields)
                above = fb_parent(comment, self.options.web)
                first = f"{parent.author}: {parent.text}" if parent.author else parent.text
                parent = replace(above, text=f"{first}\n\n↳ {above.text}")
        except Temporary:
            raise
        except (ConnectorError, KeyError, TypeError):
            pass
        return replace(mention, parent=parent, attachments=(*mention.attachments, *pictures))

    def locate(self, mention: Mention) -> Mention | None:
        """A post on the page or a comment below one, as a pull would have told it, with the finder's tone and rating.
        None also for what is deleted or stands elsewhere."""
        place = fb_place(mention.url, self.options.web, self._us)
        if place is None:
            return None
        try:
            post = self._graph.get(place[0], operation="locate", fields=_POST)
            if place[1]:
                comment = self._graph.get(place[1], operation="locate", fields=_COMMENT)
                told = fb_comment(comment, post, source=self.name, web=self.options.web, us=self._us)
            else:
                told = self._post(post)
        except Gone:
            return None
        except (KeyError, TypeError, ValueError, AttributeError):
            raise BadAnswer("what is there cannot be read", service=self.name, operation="locate") from None
        return replace(told, tone=mention.tone, rating=mention.rating)

    def _introduced(self, mention: Mention) -> Mention:
        if mention.author.name or mention.own:
            return mention
        try:
            person = self._graph.get(mention.author.id, operation="person", fields="name,profile_pic")
        except Temporary:
            raise
        except ConnectorError:
            return mention
        author = Author(
            mention.author.id, str(person.get("name") or ""), avatar_url=str(person.get("profile_pic") or "")
        )
        return replace(mention, author=author)

    def _read_entry(self, entry: Mapping[str, Any]) -> Iterable[Mention]:
        return hooks.page_mentions(
            entry, source=self.name, web=self.options.web, us=self._us, messages=self.options.messages
        )

    def _sweep(self, since: float) -> Swept:
        swept = Swept()
        if self.options.look_through:
            fields = f"{_POST},{_COMMENTS}"
            most = str(self.options.look_through)
            answer = self._graph.get(f"{self._us}/feed", operation="feed", fields=fields, limit=most)
            for post in listed(answer):
                self._look_through(post, since, swept)
            if self.options.tagged:
                answer = self._graph.get(f"{self._us}/tagged", operation="tagged", fields=_POST, limit=most)
                swept.mentions += [self._post(post) for post in listed(answer)]
        if self.options.messages:
            self._messages(self._us, "messenger", since, swept)
        return swept

    def _look_through(self, post: Mapping[str, Any], since: float, swept: Swept) -> None:
        """A post, where it is a visitor's, and its comments back to that time."""
        number = str(post["id"])
        if str((post.get("from") or {}).get("id") or self._us) != self._us:
            swept.mentions.append(self._post(post))
        first = post.get("comments")
        comments: list[Mapping[str, Any]] = []
        whole = True
        if first is not None:

            def following(after: str) -> Mapping[str, Any]:
                return self._graph.get(
                    f"{number}/comments",
                    operation="comments",
                    fields=_COMMENT,
                    filter="stream",
                    order="reverse_chronological",
                    limit="50",
                    after=after,
                )

            comments, whole = pages(following, first, lambda one: instant(one["created_time"]).timestamp() >= since)
        swept.mentions += [
            fb_comment(one, post, source=self.name, web=self.options.web, us=self._us) for one in comments
        ]
        oldest = min((instant(one["created_time"]).timestamp() for one in comments), default=0.0)
        swept.threads[number] = 0.0 if whole else oldest

    def _post(self, post: Mapping[str, Any]) -> Mention:
        return fb_post(post, source=self.name, web=self.options.web, us=self._us)
