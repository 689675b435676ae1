"""How the pretended server shows what it holds: the entities of docs.joinmastodon.org."""

from __future__ import annotations

import html
import re
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

NAME = re.compile(r"(?<![\w/@])@([\w.-]*\w(?:@[\w.-]*\w)?)")
LINK = re.compile(r"https?://\S*[^\s.,;:!?)]")
TYPES = ("image/jpeg", "image/png", "image/gif", "video/mp4")


@dataclass
class Account:
    """Somebody; `acct` is the name, with its server where that is another one."""

    id: str
    acct: str
    name: str = ""
    token: str = ""
    scopes: str = "read write"
    followers: int = 0
    blocks: set[str] = field(default_factory=set)
    suspended: bool = False


@dataclass
class Post:
    """One status. `text` is what its author typed."""

    id: str
    by: Account
    text: str
    visibility: str
    at: datetime
    answers: Post | None
    names: list[Account]
    spoiler: str = ""
    language: str | None = None
    edited: datetime | None = None
    media: list[dict[str, Any]] = field(default_factory=list)
    deleted: bool = False
    quotes: Post | None = None


@dataclass
class Notification:
    """What an account is told."""

    id: str
    to: Account
    kind: str
    post: Post
    at: datetime
    held: bool = False
    filtered: bool = False


def instance_entity(version: str, flavour: str, longest: int) -> dict[str, Any]:
    """Instance, of either version of the method."""
    names = {"mastodon": "4.4.1", "gotosocial": "0.20.2 git-abcdef1", "takahe": "takahe/0.11.0"}
    configuration = {
        "statuses": {
            "max_characters": longest,
            "max_media_attachments": 4,
            "characters_reserved_per_url": 23,
        },
        "media_attachments": {
            "supported_mime_types": list(TYPES),
            "image_size_limit": 1_048_576,
            "video_size_limit": 2_097_152,
        },
    }
    where = {"domain": "home.example"} if version == "v2" else {"uri": "home.example"}
    return {**where, "title": "Home", "version": names[flavour], "configuration": configuration}


def account_entity(who: Account) -> dict[str, Any]:
    """Account."""
    name, _, server = who.acct.partition("@")
    url = f"https://{server or 'home.example'}/@{name}"
    return {
        "id": who.id,
        "username": name,
        "acct": who.acct,
        "display_name": who.name,
        "url": url,
        "avatar": f"{url}/avatar.png",
        "followers_count": who.followers,
        "bot": False,
    }


def status_entity(post: Post, everything: Collection[Post], everybody: Collection[Account]) -> dict[str, Any]:
    """Status."""
    alone = post.answers is None or post.answers.deleted
    above = None if alone else post.answers
    below = [one for one in everything if one.answers is post]
    author = account_entity(post.by)
    told: dict[str, Any] = {
        "id": post.id,
        "uri": addresses(post)[1],
        "url": addresses(post)[0],
        "created_at": iso(post.at),
        "edited_at": iso(post.edited) if post.edited else None,
        "in_reply_to_id": above.id if above else None,
        "in_reply_to_account_id": above.by.id if above else None,
        "sensitive": bool(post.spoiler),
        "spoiler_text": post.spoiler,
        "visibility": post.visibility,
        "language": post.language,
        "content": rendered(post.text, everybody),
        "replies_count": len(below),
        "reblogs_count": 0,
        "favourites_count": 0,
        "account": author,
        "media_attachments": [shown(one) for one in post.media],
        "mentions": [{"id": one.id, "acct": one.acct} for one in post.names],
        "reblog": None,
        "poll": None,
    }
    if post.quotes is not None:
        told["quote"] = {"state": "accepted", "quoted_status": status_entity(post.quotes, everything, everybody)}
    return told


def addresses(post: Post) -> tuple[str, str]:
    """Where people read it, and its name among servers."""
    page = str(account_entity(post.by)["url"])
    return f"{page}/{post.id}", f"{page.replace('/@', '/users/')}/statuses/{post.id}"


def rendered(text: str, everybody: Collection[Account]) -> str:
    """As Mastodon renders it: paragraphs, names without their servers, long links with hidden ends."""

    def link(found: re.Match[str]) -> str:
        scheme, _, rest = html.unescape(found.group()).partition("://")
        shown, end = html.escape(rest[:30]), html.escape(rest[30:])
        words = f'<span class="invisible">{scheme}://</span><span class="ellipsis">{shown}</span>'
        return f'<a href="{found.group()}" rel="nofollow">{words}<span class="invisible">{end}</span></a>'

    def name(found: re.Match[str]) -> str:
        named = next((one for one in everybody if one.acct == found[1]), None)
        if named is None:
            return found.group()
        where = account_entity(named)
        inner = f'<a href="{where["url"]}" class="u-url mention">@<span>{where["username"]}</span></a>'
        return f'<span class="h-card" translate="no">{inner}</span>'

    paragraphs = []
    for paragraph in html.escape(text, quote=False).split("\n\n"):
        pieces, end = [], 0
        for found in LINK.finditer(paragraph):
            pieces += [NAME.sub(name, paragraph[end : found.start()]), link(found)]
            end = found.end()
        paragraphs.append("".join([*pieces, NAME.sub(name, paragraph[end:])]).replace("\n", "<br />"))
    return "".join(f"<p>{one}</p>" for one in paragraphs)


def shown(row: dict[str, Any]) -> dict[str, Any]:
    """A MediaAttachment without what only the server knows."""
    return {word: value for word, value in row.items() if not word.startswith("_")}


def iso(at: datetime) -> str:
    """A time as Mastodon writes it."""
    return at.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
