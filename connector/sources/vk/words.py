"""From VK's JSON to our words. Pure functions; nothing here asks anybody.

Objects: wall_wall_comment, board_topic_comment and messages_message of VKCOM/vk-api-schema, wrapped into events as
dev.vk.com/api/community-events has it: `post_owner_id`, `topic_owner_id`, `photo_owner_id`, `video_owner_id`,
`market_owner_id` and `item_id` name the place. Who wrote is a number only; `enrich` asks for names.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal
from urllib.parse import parse_qsl, urlsplit

from connector.model import Attachment, Author, Kind, Mention, Parent, utc

Json = Mapping[str, Any]
Kinds = Literal["wall", "topic", "photo", "video", "market", "message"]

CHATS = 2_000_000_000
"""Peers from here on are chats of several people."""

_EVENTS: Mapping[str, tuple[Kinds, str, str]] = {
    "wall_reply": ("wall", "post_owner_id", "post_id"),
    "board_post": ("topic", "topic_owner_id", "topic_id"),
    "photo_comment": ("photo", "photo_owner_id", "photo_id"),
    "video_comment": ("video", "video_owner_id", "video_id"),
    "market_comment": ("market", "market_owner_id", "item_id"),
}
_ID = re.compile(r"(wall|topic|photo|video|market)(-?\d+)_(\d+)(?:_(\d+))?|(message)(\d+)_(\d+)")
_NAMED = re.compile(r"(wall|topic|photo|video)(-?\d{1,18})_(\d{1,18})(?:_r(\d{1,18}))?(?![\d_])", re.ASCII)
_WEB = "https://vk.com"


@dataclass(frozen=True, slots=True)
class Place:
    """Where something stands. `thing`: post, topic, photo, video, item; for messages the peer is the `owner`.
    `number` is the comment's, or the message's in its conversation; 0: the thing itself."""

    kind: Kinds
    owner: int
    thing: int
    number: int = 0

    @classmethod
    def of(cls, external_id: str) -> Place | None:
        """The place an id of ours names; None for one that is not ours."""
        found = _ID.fullmatch(external_id)
        if found is None:
            return None
        if found[5]:
            return cls("message", int(found[6]), 0, int(found[7]))
        kind: Any = found[1]
        return cls(kind, int(found[2]), int(found[3]), int(found[4] or 0))

    @property
    def thread(self) -> str:
        """The id of what belongs together."""
        return f"message{self.owner}" if self.kind == "message" else f"{self.kind}{self.owner}_{self.thing}"

    @property
    def id(self) -> str:
        """The external id."""
        return f"{self.thread}_{self.number}" if self.number else self.thread

    def url(self, root: int = 0) -> str:
        """Where people see it; `root` is the comment whose branch it stands in. Messages have no public address. The
        form for goods is not confirmed by documents."""
        if self.kind == "message":
            return ""
        if self.kind == "market":
            return f"{_WEB}/product{self.owner}_{self.thing}"
        page = f"{_WEB}/{self.kind}{self.owner}_{self.thing}"
        if not self.number:
            return page
        branch = f"&thread={root}" if root and root != self.number else ""
        return f"{page}?{'post' if self.kind == 'topic' else 'reply'}={self.number}{branch}"


def place_in(url: str) -> Place | None:
    """The place at an address of vk.com or vk.ru: /wall-1_2?reply=3, /topic-1_2?post=3, /photo-1_2?reply=3, the older
    /wall-1_2_r3, and any of these behind `w=` or `z=`, as in /feed?w=wall-1_2_r3. None for any other address. Goods
    are left out: how comments on them are addressed no document says."""
    try:
        parts = urlsplit(url.strip())
        query = dict(parse_qsl(parts.query))
    except ValueError:
        return None
    host = parts.netloc.lower().removeprefix("www.").removeprefix("m.")
    if parts.scheme not in ("http", "https") or host not in ("vk.com", "vk.ru"):
        return None
    for named in (parts.path.strip("/"), query.get("w", ""), query.get("z", "")):
        found = _NAMED.match(named)
        if found is not None:
            kind: Any = found[1]
            number = found[4] or query.get("post" if kind == "topic" else "reply", "")
            return Place(kind, int(found[2]), int(found[3]), int(number) if number.isdecimal() else 0)
    return None


@dataclass(frozen=True, slots=True)
class Reader:
    """What is known beforehand: the source's name, the community's number, people who speak for it."""

    source: str
    group: int
    ours: frozenset[int] = frozenset()

    def event(self, event: Json, at: float, author: str = "") -> Mention | None:
        """An event as a mention; None for one that is none. `at`: when we heard of it (Unix seconds); `author`: who
        wrote what was deleted, where that is known. KeyError, TypeError or ValueError: it cannot be read."""
        kind, told, mark = str(event["type"]), event["object"], str(event.get("event_id") or "")
        if kind in ("message_new", "message_reply", "message_edit"):
            message = told.get("message", told)
            mention = self.message(message)
            if mention is None or kind == "message_new":
                return mention
            if kind == "message_reply":
                return replace(
                    mention, own=True, to=mention.thread_id.removeprefix("message") if mention.private else ""
                )
            return replace(mention, version=_version("edit", mark, mention))
        if kind == "wall_post_new":
            return self.post(told) if told.get("post_type", "post") in ("post", "suggest", "reply") else None
        name, _, what = kind.rpartition("_")
        if name not in _EVENTS or what not in ("new", "edit", "restore", "delete"):
            return None
        thing, owner_word, thing_word = _EVENTS[name]
        owner = int(told.get(owner_word) or told.get("owner_id") or -self.group)
        place = Place(thing, owner, int(told[thing_word]), int(told["id"]))
        if what == "delete":
            return self._deleted(place, author or str(told.get("deleter_id") or told.get("user_id") or ""), mark, at)
        mention = self.comment(place, told)
        if mention is None or what == "new":
            return mention
        return replace(mention, version=_version(what, mark, mention))

    def comment(self, place: Place, told: Json) -> Mention | None:
        """A comment, wherever it stands; None for a deleted one."""
        if told.get("deleted") or "from_id" not in told:
            return None
        stack = told.get("parents_stack") or []
        root = int(stack[0]) if stack else 0
        above = int(told.get("reply_to_comment") or root)
        parent = replace(place, number=above)
        return self._mention(
            place, told, url=place.url(root), parent=parent, memo={"above": above, "root": root or place.number}
        )

    def post(self, told: Json) -> Mention | None:
        """A post that somebody wrote on the community's wall, or suggested for it."""
        place = Place("wall", int(told.get("owner_id") or -self.group), int(told["id"]))
        return self._mention(place, told, url=place.url(), kind="post")

    def message(self, told: Json) -> Mention | None:
        """A message to the community, or in a chat it is in; None for what nobody wrote (somebody joined)."""
        if told.get("action"):
            return None
        peer = int(told["peer_id"])
        number = int(told.get("conversation_message_id") or told.get("cmid") or 0)
        if not number:
            return None
        above = told.get("reply_message")
        mention = self._mention(
            Place("message", peer, 0, number), told, url="", kind="dm" if peer < CHATS else "post"
        )
        if mention is None:
            return None
        parent = None
        if isinstance(above, Mapping):
            quoted = Place("message", peer, 0, int(above.get("conversation_message_id") or 0))
            parent = Parent(quoted.id, text_of(above), "", str(above.get("from_id") or ""))
        forwarded = "\n".join(f"> {text_of(one)}" for one in told.get("fwd_messages") or ())
        return replace(
            mention,
            text="\n".join(part for part in (mention.text, forwarded) if part),
            private=peer < CHATS,
            own=mention.own or bool(told.get("out")),
            parent=parent,
            to=str(peer) if peer < CHATS and (mention.own or told.get("out")) else "",
        )

    def _mention(
        self,
        place: Place,
        told: Json,
        *,
        url: str,
        kind: Kind = "comment",
        parent: Place | None = None,
        memo: Mapping[str, int] | None = None,
    ) -> Mention | None:
        text, files = text_of(told), tuple(files_of(told))
        who = int(told["from_id"])
        return Mention(
            source=self.source,
            platform="vk",
            external_id=place.id,
            author=author_of(who),
            text=text,
            created_at=utc(int(told["date"])),
            kind="forum_post" if place.kind == "topic" else kind,
            url=url,
            thread_id=place.thread,
            parent=Parent(parent.id, url=parent.url()) if parent is not None else None,
            attachments=files,
            own=who == -self.group or who in self.ours,
            ref=json.dumps(memo, separators=(",", ":")) if memo else "",
        )

    def _deleted(self, place: Place, author: str, mark: str, at: float) -> Mention:
        return Mention(
            source=self.source,
            platform="vk",
            external_id=place.id,
            version=f"deleted-{mark}" if mark else "deleted",
            author=author_of(int(author or 0)),
            text="",
            created_at=utc(at),
            kind="forum_post" if place.kind == "topic" else "comment",
            url=place.url(),
            thread_id=place.thread,
            deleted=True,
        )


def author_of(number: int, found: Json | None = None) -> Author:
    """Somebody by number (a community's is negative), with what users.get or groups.getById tell of them."""
    page = f"{_WEB}/{'club' if number < 0 else 'id'}{abs(number)}"
    if found is None:
        return Author(str(number), url=page)
    name = " ".join(str(found[word]) for word in ("first_name", "last_name") if found.get(word))
    followers = found.get("followers_count") or found.get("members_count")
    return Author(
        id=str(number),
        name=name or str(found.get("name") or ""),
        handle=str(found.get("screen_name") or ""),
        url=page,
        avatar_url=str(found.get("photo_200") or ""),
        followers=followers if isinstance(followers, int) else None,
        verified=bool(found["verified"]) if "verified" in found else None,
    )


def text_of(told: Json) -> str:
    """The words, with [id5|Ann] read as Ann, and a line for what is neither word nor file."""
    words = re.sub(r"\[(?:id|club|public)\d+(?::\w+)?\|([^\]]*)\]", r"\1", str(told.get("text") or ""))
    return "\n".join(part for part in (words, *_labels(told)) if part)


def _labels(told: Json) -> Iterator[str]:
    for attachment in told.get("attachments") or ():
        kind = attachment.get("type")
        one = attachment.get(kind) if isinstance(kind, str) else None
        if not isinstance(one, Mapping):
            continue
        if kind == "video":
            title = one.get("title") or "video"
            yield f"[video {title}: {_WEB}/video{one.get('owner_id')}_{one.get('id')}]"
        elif kind == "link" and one.get("url"):
            yield str(one["url"])
        elif kind in ("wall", "wall_reply"):
            yield f"[post {_WEB}/wall{one.get('owner_id') or one.get('from_id')}_{one.get('id')}]"
        elif kind in ("sticker", "poll", "market", "audio", "gift", "story", "call", "note", "page", "graffiti"):
            title = str(one.get("title") or one.get("question") or "")
            yield f"[{kind} {title}]".replace(" ]", "]")


def files_of(told: Json, before: str = "") -> Iterator[Attachment]:
    """Photos in their largest size, documents, voice messages: all at public addresses."""
    for attachment in told.get("attachments") or ():
        kind = attachment.get("type")
        one = attachment.get(kind) if isinstance(kind, str) else None
        if not isinstance(one, Mapping):
            continue
        if kind == "photo":
            sizes = [size for size in one.get("sizes") or () if size.get("url")]
            if sizes:
                best = max(sizes, key=lambda size: int(size.get("width") or 0) * int(size.get("height") or 0))
                yield Attachment(str(best["url"]), "image/jpeg", f"{before}photo{one.get('id', '')}.jpg")
        elif kind == "doc" and one.get("url"):
            size = one.get("size")
            name = f"{before}{one.get('title') or 'document'}"
            yield Attachment(str(one["url"]), "", name, size if isinstance(size, int) else None)
        elif kind == "audio_message" and (one.get("link_mp3") or one.get("link_ogg")):
            yield Attachment(str(one.get("link_mp3") or one["link_ogg"]), "audio/mpeg", f"{before}voice.mp3")


def _version(what: str, mark: str, mention: Mention) -> str:
    """Which edit: VK marks each event; without a mark, what it says."""
    said = "\x1f".join((mention.text, *(file.url for file in mention.attachments)))
    return f"{what}-{mark or hashlib.sha256(said.encode('utf-8', 'replace')).hexdigest()[:12]}"


def memo_of(mention: Mention) -> Mapping[str, int]:
    """above (the comment answered, 0: the thing itself) and root (the comment that begins the branch)."""
    try:
        memo = json.loads(mention.ref)
    except ValueError:
        return {}
    return memo if isinstance(memo, dict) else {}
