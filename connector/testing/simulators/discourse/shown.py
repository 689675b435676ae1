"""How the pretended forum shows what it holds."""

from __future__ import annotations

import html
import re
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

_NAME = re.compile(r"(?<![\w@/])@([\w.-]*\w)")
_PICTURE = re.compile(r"!\[([^\]|]*)(?:\|\d+x\d+)?\]\(([^)]+)\)")
_FILE = re.compile(r"\[([^\]|]*)\|attachment\]\(([^)]+)\)")


@dataclass
class User:
    """Somebody; with a key, somebody who may use the API."""

    id: int
    username: str
    name: str = ""
    key: str = ""
    admin: bool = False


@dataclass
class Topic:
    """A topic, or a private message, which is a topic for `members` alone."""

    id: int
    title: str
    category: int
    members: list[User] = field(default_factory=list)
    closed: bool = False
    external_id: str = ""

    @property
    def private(self) -> bool:
        """Whether it is a private message."""
        return bool(self.members)


@dataclass
class Post:
    """One post. `raw` is what its author typed."""

    id: int
    topic: Topic
    number: int
    by: User
    raw: str
    at: datetime
    answers: int | None = None
    version: int = 1
    deleted: bool = False
    user_deleted: bool = False
    kind: int = 1
    hidden: bool = False


def iso(at: datetime) -> str:
    """A time as Rails writes it."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def cooked(raw: str, users: Collection[User], groups: Collection[str]) -> str:
    """The HTML the forum makes: names become links, pictures and files too, paragraphs."""

    def name(found: re.Match[str]) -> str:
        word = found[1].lower()
        if any(one.username == word for one in users):
            return f'<a class="mention" href="/u/{word}">@{word}</a>'
        if word in groups:
            return f'<a class="mention-group notify" href="/groups/{word}">@{word}</a>'
        return found.group()

    text = html.escape(raw, quote=False)
    text = _PICTURE.sub(
        r'<div><a class="lightbox" href="\2" title="\1"><img src="\2-small" alt="\1"></a></div>',
        text,
    )
    text = _FILE.sub(r'<a class="attachment" href="\2">\1</a>', text)
    text = _NAME.sub(name, text).replace(
        "🙂", '<img src="/images/emoji/smile.png" class="emoji" alt=":slight_smile:">'
    )
    return "".join(f"<p>{one}</p>" for one in text.split("\n\n"))


def post_entity(
    post: Post, posts: Collection[Post], users: Collection[User], groups: Collection[str], viewer: User | None
) -> dict[str, Any]:
    """A post as PostSerializer has it with `add_raw` and `add_title`."""
    above = next((one for one in posts if one.topic is post.topic and one.number == post.answers), None)
    below = [one for one in posts if one.topic is post.topic and one.answers == post.number]
    told: dict[str, Any] = {
        "id": post.id,
        "name": post.by.name or None,
        "username": post.by.username,
        "avatar_template": f"/user_avatar/forum.example/{post.by.username}/{{size}}/1_2.png",
        "created_at": iso(post.at),
        "cooked": cooked(post.raw, users, groups),
        "raw": post.raw,
        "post_number": post.number,
        "post_type": post.kind,
        "reply_count": len(below),
        "reply_to_post_number": post.answers,
        "reads": 1,
        "topic_id": post.topic.id,
        "topic_slug": "topic",
        "topic_title": post.topic.title,
        "category_id": None if post.topic.private else post.topic.category,
        "version": post.version,
        "user_id": post.by.id,
        "hidden": False,
        "deleted_at": iso(post.at) if post.deleted else None,
        "user_deleted": post.user_deleted,
        "actions_summary": [{"id": 2, "count": 3}],
        "post_url": f"/t/topic/{post.topic.id}/{post.number}",
    }
    if viewer is not None:
        told["yours"] = viewer is post.by
    if above is not None:
        told["reply_to_user"] = {"id": above.by.id, "username": above.by.username}
    return told


def topic_entity(topic: Topic, posts: list[Post], shown: list[dict[str, Any]], may: bool) -> dict[str, Any]:
    """A topic as TopicViewSerializer has it, without what few look at."""
    return {
        "id": topic.id,
        "title": topic.title,
        "archetype": "private_message" if topic.private else "regular",
        "category_id": None if topic.private else topic.category,
        "closed": topic.closed,
        "archived": False,
        "posts_count": len(posts),
        "post_stream": {"posts": shown[:20], "stream": [one.id for one in posts]},
        "details": {"can_create_post": True} if may else {},
    }
