"""From Mastodon's JSON to our words, and the measure of a text. Pure functions; nothing here asks anybody."""

from __future__ import annotations

import mimetypes
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import unquote, urlsplit

import regex

from connector.markup import to_text
from connector.model import Attachment, Author, Mention, Parent, utc

Status = Mapping[str, Any]
"""A Status of theirs (docs.joinmastodon.org/entities/Status)."""

VISIBILITIES = ("public", "unlisted", "private", "direct")
"""From the widest to the narrowest."""

_TYPES = {"image": "image/jpeg", "gifv": "video/mp4", "video": "video/mp4", "audio": "audio/mpeg"}
_ANCHOR = re.compile(r"<a\b[^>]*\bclass=[\"'][^\"']*\b(?:mention|hashtag)\b[^\"']*[\"'][^>]*>", re.IGNORECASE)
_LINKED = re.compile(r"<a\b[^>]*>.*?</a>", re.IGNORECASE | re.DOTALL)
_TAG = re.compile(r"(?<![\w/#])#\w+")
_URL = re.compile(r"https?://[^\s<>\"]+")
_ACCT = re.compile(r"(?<![\w/@])@([\w.-]*\w)(@[\w.-]*\w)?")
_POST_PATH = re.compile(
    r"/(?:@[^/]+/(?:posts/|statuses/)?[0-9A-Za-z]+|users/[^/]+/statuses/[0-9A-Za-z]+|notice/\w+|objects/[\w-]+)/?"
)

# --- from their words to ours ------------------------------------------------------------------------------


def mention_from_status(
    status: Status, source: str, *, above: Sequence[Status] = (), thread_id: str = "", own: bool = False
) -> Mention:
    """A Status as a mention. `above`: the posts it answers, the thread's first one first."""
    answered = status.get("in_reply_to_id")
    parent = above[-1] if answered and above else quoted_by(status)
    visibility = visibility_of(status)
    return Mention(
        source=source,
        platform="mastodon",
        external_id=str(status["id"]),
        author=author_from(status["account"]),
        text=text_of(status),
        created_at=when(status["created_at"]),
        kind="dm" if visibility == "direct" else "comment" if answered else "post",
        url=url_of(status),
        thread_id=thread_id or str(above[0]["id"] if above else status["id"]),
        parent=parent_from(parent, above) if parent else Parent(str(answered)) if answered else None,
        language=str(status.get("language") or "").split("-")[0].lower(),
        engagement=_counts(status),
        attachments=(*attachments_from(status), *(attachments_from(parent, "above: ") if parent else ())),
        own=own,
        private=visibility == "direct",
    )


def author_from(account: Mapping[str, Any]) -> Author:
    """An Account; its handle is the one to write after @ on our server."""
    acct = str(account["acct"])
    followers = account.get("followers_count")
    return Author(
        id=address_of(account),
        name=str(account.get("display_name") or ""),
        handle=acct,
        url=str(account.get("url") or ""),
        avatar_url=str(account.get("avatar") or ""),
        followers=followers if isinstance(followers, int) and followers >= 0 else None,
    )


def address_of(account: Mapping[str, Any]) -> str:
    """name@server; for an account of our own server, its name and the host of its page."""
    acct = str(account["acct"])
    host = urlsplit(str(account.get("url") or "")).netloc
    return (acct if "@" in acct or not host else f"{acct}@{host}").lower()


def parent_from(parent: Status, above: Sequence[Status]) -> Parent:
    """The post answered or quoted; where it is not the thread's first, that one's text stands before it."""
    author = author_from(parent["account"])
    text = text_of(parent)
    if above and above[0]["id"] != parent["id"]:
        text = f"{author_from(above[0]['account']).shown}: {text_of(above[0])}\n\n↳ {text}"
    return Parent(str(parent["id"]), text, url_of(parent), author.shown)


def quoted_by(status: Status) -> Status | None:
    """The post a quote (Mastodon 4.5, Pleroma) holds, where we may see it."""
    quote = status.get("quote")
    quoted = quote.get("quoted_status", quote) if isinstance(quote, Mapping) else None
    return quoted if isinstance(quoted, Mapping) and quoted.get("id") and quoted.get("account") else None


def text_of(status: Status) -> str:
    """The words of a post, with its content warning before them and a poll's answers behind. Names and hashtags stand
    without the addresses they lead to."""
    parts = [to_text(_ANCHOR.sub("<a>", str(status.get("content") or "")))]
    if status.get("spoiler_text"):
        parts.insert(0, f"[{to_text(str(status['spoiler_text']))}]")
    poll = status.get("poll")
    if isinstance(poll, Mapping):
        parts += [f"○ {option.get('title')}" for option in poll.get("options") or () if isinstance(option, Mapping)]
    return "\n".join(part for part in parts if part)


def attachments_from(status: Status, before: str = "") -> tuple[Attachment, ...]:
    """Pictures, videos and sounds of a post; their names are the descriptions. Those still being made have no url."""
    found = []
    for media in status.get("media_attachments") or ():
        url = str(media.get("url") or media.get("remote_url") or "")
        if url.startswith(("http://", "https://")):
            kind = mimetypes.guess_type(urlsplit(url).path)[0] or _TYPES.get(str(media.get("type")), "")
            found.append(Attachment(url, kind, f"{before}{media.get('description') or ''}".strip()[:200]))
    return tuple(found)


def visibility_of(status: Status) -> str:
    """public, unlisted, private or direct; a word of another server's own (Pleroma's `local`, `list`, GoToSocial's
    `mutuals_only`) counts as private, since fewer than all may read it."""
    word = str(status.get("visibility") or "public")
    return word if word in VISIBILITIES else "private"


def url_of(status: Status) -> str:
    """Where people read it; a remote post has no `url` on some servers, then its `uri` leads there."""
    return str(status.get("url") or status.get("uri") or "")


def _counts(status: Status) -> dict[str, int]:
    words = {"favourites_count": "likes", "replies_count": "replies", "reblogs_count": "reposts"}
    return {ours: status[theirs] for theirs, ours in words.items() if isinstance(status.get(theirs), int)}


def when(value: Any) -> datetime:
    """A time of theirs; ValueError when it is none."""
    at = seconds(value)
    if at is None:
        raise ValueError("no time")
    return utc(max(at, 0.0))


def seconds(value: Any) -> float | None:
    """A time as Unix seconds: ISO text, or already a number; None for anything else."""
    text = str(value or "").strip()
    try:
        if re.fullmatch(r"\d+(\.\d+)?", text):
            return float(text)
        at = datetime.fromisoformat(text)
        return (at.replace(tzinfo=UTC) if at.tzinfo is None else at).timestamp()
    except (ValueError, OverflowError):
        return None


def post_address(url: str) -> str:
    """The address, without what leads to a place on its page, if it looks like that of a post: as Mastodon
    (/@ann/113), GoToSocial (/@ann/statuses/01H), Takahē (/@ann/posts/113) and the Pleroma family (/notice/A,
    /objects/UUID) write it, or its ActivityPub id (/users/ann/statuses/113). "" for any other."""
    try:
        parts = urlsplit(url.strip())
    except ValueError:
        return ""
    if parts.scheme not in ("http", "https") or not parts.netloc or not _POST_PATH.fullmatch(parts.path):
        return ""
    return f"{parts.scheme}://{parts.netloc.lower()}{parts.path}"


def stands_at(status: Status, url: str) -> bool:
    """Whether this is its address for people or for other servers."""
    return url.rstrip("/") in {post_address(str(status.get(word) or "")).rstrip("/") for word in ("url", "uri")}


def following_id(link: str, rel: str, word: str) -> str:
    """The parameter `word` of the address that a Link header gives for `rel`; "" when there is none."""
    for part in link.split(","):
        if re.search(rf'rel="?{rel}\b', part):
            found = re.search(rf"[?&]{word}=([^&>\s]+)", part)
            if found:
                return unquote(found[1])
    return ""


# --- from our words to theirs ------------------------------------------------------------------------------


def addressed(text: str, acct: str) -> str:
    """The text so that it reaches @acct."""
    if any(found.group().lower() == f"@{acct}".lower() for found in _ACCT.finditer(text)):
        return text
    return f"@{acct} {text}"


def length_of(text: str, per_url: int) -> int:
    """As Mastodon counts (StatusLengthValidator): graphemes, each address of the web as `per_url`, of an account only
    @name. `per_url` 0: code points, nothing shortened, which is never less than what other servers count."""
    if not per_url:
        return len(text)
    counted = _ACCT.sub(lambda found: f"@{found[1]}", _URL.sub("x" * per_url, text))
    return len(regex.findall(r"\X", counted))


def words_of(text: str) -> str:
    """What is left of a text to know it again by, once a server has shown it in its own way: letters and digits,
    without what servers make links of (addresses, names, hashtags)."""
    plain = _TAG.sub(" ", _ACCT.sub(" ", _URL.sub(" ", text)))
    return " ".join(re.findall(r"\w+", plain.casefold()))


def same_words(status: Status, text: str) -> bool:
    """Whether a post of ours says this."""
    shown = to_text(_LINKED.sub(" ", str(status.get("content") or "")))
    return words_of(shown) == words_of(text)


def ids_of(statuses: Sequence[Status]) -> Iterator[str]:
    """Their ids as text."""
    return (str(one["id"]) for one in statuses)
