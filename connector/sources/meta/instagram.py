"""An Instagram professional account: comments on its media, mentions, messages."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any, ClassVar

from connector.errors import AuthFailed, BadAnswer, ConnectorError, Gone, Temporary
from connector.http import Http
from connector.model import Author, Identity, Mention
from connector.sources.base import SourceCapabilities
from connector.sources.meta import hooks
from connector.sources.meta.graph import listed, pages
from connector.sources.meta.options import InstagramOptions
from connector.sources.meta.source import MetaSource, Swept
from connector.sources.meta.words import (
    code_of,
    ig_comment,
    ig_parent,
    ig_pictures,
    ig_place,
    instant,
    memo_of,
)

_COMMENT = "id,text,timestamp,username,from,parent_id"
_COMMENTS = f"comments.limit(50){{{_COMMENT},replies.limit(50){{{_COMMENT}}}}}"
_MEDIA = "id,caption,permalink,timestamp,username,media_url,thumbnail_url"


class Instagram(MetaSource):
    """One account."""

    type: ClassVar[str] = "instagram"
    about: ClassVar[str] = "a professional account: comments, mentions, messages; answers within Meta's windows"
    unconfirmed: ClassVar[tuple[str, ...]] = (
        "how long a text may be",
        "whether `graph.instagram.com` takes `appsecret_proof`",
        "that a comment's address holds the number by which the Graph knows it",
        "all of it against Meta itself: proved on our own simulator",
    )
    platform: ClassVar[str] = "instagram"
    kind_of_entry: ClassVar[str] = "instagram"
    Options = InstagramOptions
    capabilities: ClassVar[SourceCapabilities] = SourceCapabilities(
        kinds=("comment", "post", "dm"),
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
        self, name: str, options: InstagramOptions, http: Http, *, clock: Callable[[], float] = time.time
    ) -> None:
        actor = options.page_id or options.account_id
        super().__init__(name, options, http, options.account_id, actor, clock)
        self.options: InstagramOptions = options
        self._actor = actor

    def check(self) -> Identity:
        """The account, and its handle, by which its own comments are known."""
        me = self._graph.get(self._us, operation="me", fields="id,username")
        handle = str(me.get("username") or "")
        if not handle:
            raise AuthFailed("the token does not open account_id", service=self.name, operation="me")
        self._posting.handle = handle
        return Identity(self._us, f"@{handle}", f"{self.options.web}/{handle}/", self._notes)

    def enrich(self, mention: Mention) -> Mention:
        """The media above with words and picture; the words of a mention; the name of who writes a message."""
        memo = memo_of(mention)
        try:
            if memo.get("kind") == "mention":
                return self._mentioned(mention, memo)
            if memo.get("kind") == "message":
                return self._introduced(mention)
            if memo.get("kind") == "comment":
                media = self._graph.get(str(memo["post"]), operation="media", fields=_MEDIA)
                pictures = ig_pictures(media, "above: ")
                parent = replace(ig_parent(media), id=mention.parent.id if mention.parent else str(media["id"]))
                if memo.get("top") not in (None, mention.external_id):
                    fields = "id,text,username"
                    above = self._graph.get(str(memo["top"]), operation="comment", fields=fields)
                    words = f"{parent.text}\n\n↳ {above.get('username') or ''}: {above.get('text') or ''}"
                    parent = replace(parent, text=words)
                return replace(
                    mention,
                    parent=parent,
                    url=mention.url or parent.url,
                    attachments=(*mention.attachments, *pictures),
                )
        except Temporary:
            raise
        except (ConnectorError, KeyError, TypeError):
            pass
        return mention

    def _mentioned(self, mention: Mention, memo: Mapping[str, Any]) -> Mention:
        """What the hook only named: the comment or the caption in which we are mentioned."""
        if memo["comment"]:
            word = f"mentioned_comment.comment_id({memo['comment']})"
            fields = f"{word}{{id,text,timestamp,username,media{{id,caption,permalink,media_url}}}}"
        else:
            word = f"mentioned_media.media_id({memo['post']})"
            fields = f"{word}{{id,caption,permalink,media_url,timestamp,username}}"
        found = self._graph.get(self._us, operation="mention", fields=fields)[word.partition(".")[0]]
        media = found.get("media") or {} if memo["comment"] else found
        name = str(found.get("username") or "")
        author = replace(mention.author, name=name, handle=name, url=f"{self.options.web}/{name}/" if name else "")
        return replace(
            mention,
            author=author,
            text=str(found.get("text") or found.get("caption") or ""),
            url=str(media.get("permalink") or ""),
            parent=ig_parent(media) if memo["comment"] and media.get("id") else None,
            attachments=ig_pictures(media, "above: " if memo["comment"] else ""),
        )

    def locate(self, mention: Mention) -> Mention | None:
        """A comment on a media of ours by its own address, as a pull would have told it, with the finder's tone and
        rating. The number in the address is taken for the Graph's: one it does not know there gives None."""
        place = ig_place(mention.url, self.options.web)
        if place is None:
            return None
        try:
            comment = self._graph.get(place[1], operation="locate", fields=f"{_COMMENT},media{{{_MEDIA}}}")
            media = comment["media"]
            if code_of(str(media.get("permalink") or "")) != place[0]:
                return None
            handle = self._posting.handle
            told = ig_comment(comment, media, source=self.name, web=self.options.web, us=self._us, handle=handle)
        except Gone:
            return None
        except (KeyError, TypeError, ValueError, AttributeError):
            raise BadAnswer("what is there cannot be read", service=self.name, operation="locate") from None
        return replace(told, tone=mention.tone, rating=mention.rating)

    def _introduced(self, mention: Mention) -> Mention:
        if mention.author.name or mention.own:
            return mention
        fields = "name,username,profile_pic,follower_count"
        person = self._graph.get(mention.author.id, operation="person", fields=fields)
        handle, followers = str(person.get("username") or ""), person.get("follower_count")
        author = Author(
            mention.author.id,
            str(person.get("name") or handle),
            handle,
            f"{self.options.web}/{handle}/" if handle else "",
            str(person.get("profile_pic") or ""),
            followers if isinstance(followers, int) else None,
        )
        return replace(mention, author=author)

    def _read_entry(self, entry: Mapping[str, Any]) -> Iterable[Mention]:
        return hooks.account_mentions(
            entry,
            source=self.name,
            web=self.options.web,
            us=self._us,
            handle=self._posting.handle,
            messages=self.options.messages,
        )

    def _sweep(self, since: float) -> Swept:
        swept = Swept()
        if self.options.look_through:
            fields, most = f"{_MEDIA},{_COMMENTS}", str(self.options.look_through)
            answer = self._graph.get(f"{self._us}/media", operation="media", fields=fields, limit=most)
            for media in listed(answer):
                self._look_through(media, since, swept)
        if self.options.messages:
            self._messages(self._actor, "instagram", since, swept)
        return swept

    def _look_through(self, media: Mapping[str, Any], since: float, swept: Swept) -> None:
        """The comments on one media and their replies, as far back as pages hold something since then."""
        number, first = str(media["id"]), media.get("comments")
        comments: list[Mapping[str, Any]] = []
        whole = True
        if first is not None:
            fields = f"{_COMMENT},replies.limit(50){{{_COMMENT}}}"

            def following(after: str) -> Mapping[str, Any]:
                return self._graph.get(
                    f"{number}/comments", operation="comments", fields=fields, limit="50", after=after
                )

            comments, whole = pages(following, first, lambda one: instant(one["timestamp"]).timestamp() >= since)
        flat = list(comments)
        for one in comments:
            replies = one.get("replies")
            if replies is not None:
                flat += [{"parent_id": str(one["id"]), **reply} for reply in listed(replies)]
                whole = whole and not (replies.get("paging") or {}).get("next")
        handle = self._posting.handle
        swept.mentions += [
            ig_comment(one, media, source=self.name, web=self.options.web, us=self._us, handle=handle) for one in flat
        ]
        if whole:
            swept.threads[number] = 0.0
