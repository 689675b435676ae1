"""From Meta's JSON to our words. Pure functions; nothing here asks anybody. KeyError, TypeError or ValueError when
something is not what it should be."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from connector.model import Attachment, Author, Mention, Parent, utc


def fb_comment(comment: Mapping[str, Any], post: Mapping[str, Any], *, source: str, web: str, us: str) -> Mention:
    """A comment, as the Graph tells it below its post."""
    above = comment.get("parent") or {}
    parent = fb_parent(above or post, web)
    top = str(above.get("id") or comment["id"])
    memo = {"kind": "comment", "post": str(post["id"]), "above": str(above.get("id") or ""), "top": top}
    if parent.text and not above:
        memo["known"] = "yes"
    author = fb_author(comment.get("from"), str(comment["id"]), web)
    return Mention(
        source=source,
        platform="facebook",
        external_id=str(comment["id"]),
        author=author,
        text=str(comment.get("message") or ""),
        created_at=instant(comment["created_time"]),
        kind="comment",
        url=str(comment.get("permalink_url") or f"{web}/{comment['id']}"),
        thread_id=str(post["id"]),
        parent=parent,
        attachments=fb_pictures(comment),
        own=author.id == us,
        ref=json.dumps(memo, separators=(",", ":")),
    )


def fb_post(post: Mapping[str, Any], *, source: str, web: str, us: str) -> Mention:
    """A visitor's post, or one that mentions the page."""
    author = fb_author(post.get("from"), str(post["id"]), web)
    return Mention(
        source=source,
        platform="facebook",
        external_id=str(post["id"]),
        author=author,
        text=str(post.get("message") or ""),
        created_at=instant(post["created_time"]),
        kind="post",
        url=str(post.get("permalink_url") or f"{web}/{post['id']}"),
        thread_id=str(post["id"]),
        attachments=fb_pictures(post),
        own=author.id == us,
        ref='{"kind":"post"}',
    )


def fb_author(told: Any, of: str, web: str) -> Author:
    """Who wrote it; Meta leaves them out where the app may not know, then each thing has an author of its own."""
    person = told if isinstance(told, Mapping) else {}
    number = str(person.get("id") or f"of:{of}")
    return Author(number, str(person.get("name") or ""), url=f"{web}/{number}" if person.get("id") else "")


def fb_parent(post: Mapping[str, Any], web: str) -> Parent:
    """The post or comment above."""
    return Parent(
        str(post["id"]),
        str(post.get("message") or ""),
        str(post.get("permalink_url") or f"{web}/{post['id']}"),
        str((post.get("from") or {}).get("name") or ""),
    )


def fb_pictures(thing: Mapping[str, Any], before: str = "") -> tuple[Attachment, ...]:
    """The picture of a post (full_picture, or link in a hook) or comment (attachment.media.image)."""
    attachment = thing.get("attachment") or {}
    image = ((attachment.get("media") or {}).get("image") or {}).get("src")
    found = [str(url) for url in (thing.get("full_picture"), image, thing.get("photo")) if url]
    return tuple(Attachment(url, "image/jpeg", f"{before}photo") for url in found if url.startswith("http"))


def ig_comment(
    comment: Mapping[str, Any], media: Mapping[str, Any], *, source: str, web: str, us: str, handle: str
) -> Mention:
    """A comment on our media, as the Graph tells it or a hook does."""
    told = comment.get("from") or {}
    name = str(told.get("username") or comment.get("username") or "")
    number = str(told.get("id") or (f"@{name}" if name else f"of:{comment['id']}"))
    top = str(comment.get("parent_id") or comment["id"])
    parent = replace(ig_parent(media), id=top if top != str(comment["id"]) else str(media["id"]))
    memo = {"kind": "comment", "post": str(media["id"]), "top": top}
    if parent.text and top == str(comment["id"]):
        memo["known"] = "yes"
    return Mention(
        source=source,
        platform="instagram",
        external_id=str(comment["id"]),
        author=Author(number, name, name, f"{web}/{name}/" if name else ""),
        text=str(comment.get("text") or ""),
        created_at=instant(comment["timestamp"]),
        kind="comment",
        url=parent.url,
        thread_id=str(media["id"]),
        parent=parent,
        own=number == us or (bool(handle) and name == handle) or str(told.get("self_ig_scoped_id") or "") == us,
        ref=json.dumps(memo, separators=(",", ":")),
    )


def ig_parent(media: Mapping[str, Any]) -> Parent:
    """Our media, as the thing a comment answers."""
    return Parent(
        str(media["id"]),
        str(media.get("caption") or ""),
        str(media.get("permalink") or ""),
        str(media.get("username") or ""),
    )


def ig_pictures(media: Mapping[str, Any], before: str = "") -> tuple[Attachment, ...]:
    """The picture of a media, or the still of a video."""
    url = str(media.get("thumbnail_url") or media.get("media_url") or "")
    return (Attachment(url, "image/jpeg", f"{before}photo"),) if url.startswith("http") else ()


def ig_mention(value: Mapping[str, Any], at: float, *, source: str) -> Mention:
    """A mention of our account on somebody's media. The hook tells ids only: the words are asked for later."""
    media, comment = str(value["media_id"]), str(value.get("comment_id") or "")
    memo = {"kind": "mention", "post": media, "comment": comment}
    return Mention(
        source=source,
        platform="instagram",
        external_id=f"mention:{comment or media}",
        author=Author(f"of:{comment or media}"),
        text="",
        created_at=utc(at),
        kind="comment" if comment else "post",
        thread_id=media,
        ref=json.dumps(memo, separators=(",", ":")),
    )


def fb_place(url: str, web: str, page: str) -> tuple[str, str] | None:
    """The post of the page and the comment on it ("": none) at an address for people: PAGE/posts/POST,
    permalink.php?story_fbid=POST&id=PAGE, both with `comment_id` and `reply_comment_id`, or PAGE_POST, POST_COMMENT
    as our own receipts have it. None for any other: what Facebook calls pfbid… the Graph does not know."""
    try:
        parts = urlsplit(url.strip())
        query = dict(parse_qsl(parts.query))
    except ValueError:
        return None
    host = parts.netloc.lower()
    if host != urlsplit(web).netloc.lower() and not re.fullmatch(r"(?:\w+\.)?facebook\.com", host):
        return None
    if pair := re.fullmatch(r"/(\d+)_(\d+)/?", parts.path):
        return (f"{page}_{pair[2]}", "") if pair[1] == page else (f"{page}_{pair[1]}", f"{pair[1]}_{pair[2]}")
    post = re.fullmatch(r"/[\w.-]+/posts/(?:[^/]+/)?(\d+)/?", parts.path)
    number = post[1] if post else ""
    if parts.path in ("/permalink.php", "/story.php") and query.get("id") == page:
        number = query.get("story_fbid", "")
    comment = query.get("reply_comment_id") or query.get("comment_id") or ""
    if not number.isdecimal() or (comment and not comment.isdecimal()):
        return None
    return f"{page}_{number}", f"{number}_{comment}" if comment else ""


def ig_place(url: str, web: str) -> tuple[str, str] | None:
    """The short code of a media and the id of a comment at an address such as /p/CODE/c/COMMENT/ or, for an answer to
    a comment, /p/CODE/c/COMMENT/r/ANSWER/. None for any other: the Graph knows nothing else by its address."""
    try:
        parts = urlsplit(url.strip())
    except ValueError:
        return None
    if parts.netloc.lower() not in ("www.instagram.com", "instagram.com", urlsplit(web).netloc.lower()):
        return None
    found = re.fullmatch(r"/(?:[\w.]+/)?(?:p|reel|tv)/([\w-]+)/c/(\d+)(?:/r/(\d+))?/?", parts.path)
    return (found[1], found[3] or found[2]) if found else None


def code_of(permalink: str) -> str:
    """The short code in a media's address."""
    found = re.search(r"/(?:p|reel|tv)/([\w-]+)/?(?:\?.*)?$", permalink)
    return found[1] if found else ""


def direct_message(event: Mapping[str, Any], *, source: str, platform: str, web: str, us: str) -> Mention | None:
    """A message in a hook's `messaging` list, its edit, or its being taken back; None: something else."""
    sender, to = str(event["sender"]["id"]), str(event["recipient"]["id"])
    made, changed = event.get("message"), event.get("message_edit")
    if isinstance(made, Mapping):
        deleted = made.get("is_deleted") is True
        version = "deleted" if deleted else ""
        text, mid, echo = str(made.get("text") or ""), str(made["mid"]), made.get("is_echo") is True
        files = _files(made)
    elif isinstance(changed, Mapping):
        text, mid, echo, deleted, files = str(changed.get("text") or ""), str(changed["mid"]), False, False, ()
        version = edited(text)
    else:
        return None
    own = echo or sender == us
    other = to if own else sender
    return Mention(
        source=source,
        platform=platform,
        external_id=mid,
        version=version,
        author=Author(sender),
        text="" if deleted else text,
        created_at=utc(float(event["timestamp"]) / 1000),
        kind="dm",
        url=inbox(web, platform),
        thread_id=f"t:{other}",
        attachments=files,
        own=own,
        private=True,
        deleted=deleted,
        ref=json.dumps({"kind": "message", "to": other}, separators=(",", ":")),
        to=to if own else "",
    )


def kept_message(message: Mapping[str, Any], *, source: str, platform: str, web: str, us: str) -> Mention:
    """A message as a conversation's list of messages has it."""
    sender = message["from"]
    number = str(sender["id"])
    own = number == us
    others = [str(one["id"]) for one in ((message.get("to") or {}).get("data") or ()) if str(one["id"]) != us]
    other = (others[0] if others else "") if own else number
    name, handle = str(sender.get("name") or sender.get("username") or ""), str(sender.get("username") or "")
    files = [
        Attachment(str(url), str(one.get("mime_type") or ""), str(one.get("name") or ""))
        for one in ((message.get("attachments") or {}).get("data") or ())
        if (url := (one.get("image_data") or one.get("video_data") or {}).get("url") or one.get("file_url"))
    ]
    return Mention(
        source=source,
        platform=platform,
        external_id=str(message["id"]),
        author=Author(number, name, handle),
        text=str(message.get("message") or ""),
        created_at=instant(message["created_time"]),
        kind="dm",
        url=inbox(web, platform),
        thread_id=f"t:{other}",
        attachments=tuple(files),
        own=own,
        private=True,
        ref=json.dumps({"kind": "message", "to": other}, separators=(",", ":")),
        to=other if own else "",
    )


def _files(made: Mapping[str, Any]) -> tuple[Attachment, ...]:
    kinds = {"image": "image/jpeg", "video": "video/mp4", "audio": "audio/mp4"}
    found = []
    for one in made.get("attachments") or ():
        url = str((one.get("payload") or {}).get("url") or "")
        if url.startswith(("http://", "https://")):
            found.append(Attachment(url, kinds.get(str(one.get("type")), ""), str(one.get("type") or "file")))
    return tuple(found)


def memo_of(mention: Mention) -> Mapping[str, Any]:
    """What the mention's `ref` holds: kind (comment, post, review, mention, message) and ids; empty for one that is
    not ours."""
    try:
        memo = json.loads(mention.ref)
    except ValueError:
        return {}
    return memo if isinstance(memo, Mapping) else {}


def instant(value: Any) -> datetime:
    """A time of Meta's: Unix seconds, or ISO with +0000."""
    if isinstance(value, int | float):
        return utc(float(value))
    at = datetime.fromisoformat(str(value))
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)


def inbox(web: str, platform: str) -> str:
    """Where the account's people read messages."""
    return f"{web}/direct/inbox/" if platform == "instagram" else f"{web}/latest/inbox"


def same_words(one: str, other: str) -> bool:
    """Whether two texts are the same but for white space."""
    return " ".join(one.split()) == " ".join(other.split())


def mark(text: str) -> str:
    """A short mark of some words: the same words, the same mark."""
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:12]


def edited(text: str) -> str:
    """The version of an edit: Meta numbers none, so it is made from the words."""
    return f"edited-{mark(text)}"
