"""From Discourse's JSON to our words, and what a signed call says. Pure functions; nothing here asks anybody."""

from __future__ import annotations

import hashlib
import hmac
import json
import mimetypes
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from html.parser import HTMLParser
from typing import Any
from urllib.parse import urljoin, urlsplit

from connector.adapter import Hook
from connector.errors import BadHook
from connector.markup import to_text
from connector.model import Attachment, Author, Mention, Parent

Post = Mapping[str, Any]
"""A post of theirs, as GET /posts.json, /posts/{id}.json and webhooks have it."""

_REGULAR = 1
"""post_type of what people write; 2 and 3 are the forum's own, 4 a whisper of the staff."""

_IMAGE = re.compile(r"!\[([^\]|]*)(?:\|[^\]]*)?\]\([^)\s]+\)")
_FILE = re.compile(r"\[([^\]|]+)\|attachment\]\([^)\s]+\)(?: \([\d.,]+ \w+\))?")
_QUOTE = re.compile(r'\[quote(?:="?([^",\]]+)[^\]]*)?\]\n?(.*?)\n?\[/quote\]', re.DOTALL)
_NAMED = re.compile(r"<a[^>]*\bclass=[\"']mention(?:-group)?\b[^>]*>@([^<]+)</a>")
_TYPED = re.compile(r"(?<![\w@/])@([\w.-]*\w)")

# --- from their words to ours ------------------------------------------------------------------------------


def mention_from_post(post: Post, source: str, base: str, *, private: bool, own: bool = False) -> Mention:
    """A post as a mention. `base` is the forum's address."""
    topic, number = str(post["topic_id"]), int(post["post_number"])
    answered = number_of(post.get("reply_to_post_number"))
    memo = {"number": number, "answers": answered}
    return Mention(
        source=source,
        platform="discourse",
        external_id=str(post["id"]),
        author=author_from(post, base),
        text=text_of(post),
        created_at=when(post["created_at"]),
        kind="dm" if private else "forum_post",
        url=url_of(post, base),
        title=str(post.get("topic_title") or ""),
        thread_id=topic,
        engagement=_counts(post),
        attachments=attachments_from(post, base),
        own=own,
        private=private,
        ref=json.dumps(memo, separators=(",", ":")),
    )


def author_from(post: Post, base: str) -> Author:
    """Who wrote it. The id has the forum's name in it, for every forum counts its people from 1."""
    username = str(post["username"])
    picture = str(post.get("avatar_template") or "").replace("{size}", "96")
    return Author(
        id=f"{post['user_id']}@{urlsplit(base).netloc}",
        name=str(post.get("name") or ""),
        handle=username,
        url=f"{base}/u/{username}",
        avatar_url=urljoin(base, picture) if picture else "",
    )


def parent_from(post: Post, base: str) -> Parent:
    """The post answered, or the one that began the topic."""
    return Parent(str(post["id"]), text_of(post), url_of(post, base), str(post.get("name") or post["username"]))


def text_of(post: Post) -> str:
    """What the person typed, without the addresses of pictures and files, which come along; quotes as such. Where
    the forum gives only what it made of it, that."""
    raw = post.get("raw")
    if not isinstance(raw, str):
        return to_text(_NAMED.sub(r"@\1", str(post.get("cooked") or "")))
    text = _FILE.sub(r"\1", _IMAGE.sub(r"\1", raw))
    text = _QUOTE.sub(_quoted, text)
    return re.sub(r"\n{3,}", "\n\n", text).strip()


def _quoted(found: re.Match[str]) -> str:
    by = f"{found[1]}: " if found[1] else ""
    return "\n".join(f"> {line}" for line in f"{by}{found[2].strip()}".splitlines()) + "\n"


def named_in(post: Post) -> set[str]:
    """The users and groups a post names, in lower case."""
    cooked = post.get("cooked")
    found = _NAMED.findall(cooked) if isinstance(cooked, str) else _TYPED.findall(str(post.get("raw") or ""))
    return {str(name).strip().lower() for name in found}


def attachments_from(post: Post, base: str, before: str = "") -> tuple[Attachment, ...]:
    """Pictures and files of a post, as far as it was made into HTML."""
    reader = _Files()
    reader.feed(str(post.get("cooked") or ""))
    reader.close()
    found: dict[str, Attachment] = {}
    for address, name in reader.found:
        url = urljoin(f"{base}/", address)
        if url.startswith(("http://", "https://")):
            kind = mimetypes.guess_type(urlsplit(url).path)[0] or ""
            found.setdefault(url, Attachment(url, kind, f"{before}{name}".strip()[:200]))
    return tuple(found.values())


class _Files(HTMLParser):
    """Full pictures behind small ones, pictures, attached files; not emoji, avatars and previews of links."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[tuple[str, str]] = []
        self._depth = 0
        self._inside = False
        self._file = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        kinds = given.get("class", "").split()
        if tag == "aside":
            self._depth += 1
        if self._depth:
            return
        if tag == "a" and "attachment" in kinds:
            self._file = given.get("href", "")
        elif tag == "a" and "lightbox" in kinds:
            self.found.append((given.get("href", ""), given.get("title", "")))
            self._inside = True
        elif tag == "img" and not self._inside and not {"emoji", "avatar", "site-icon"} & set(kinds):
            self.found.append((given.get("src", ""), given.get("alt", "")))

    def handle_endtag(self, tag: str) -> None:
        if tag == "aside":
            self._depth = max(0, self._depth - 1)
        elif tag == "a":
            self._inside, self._file = False, ""

    def handle_data(self, data: str) -> None:
        if self._file:
            self.found.append((self._file, data))
            self._file = ""


def is_written(post: Post) -> bool:
    """Whether a person wrote it for others to read."""
    return post.get("post_type", _REGULAR) == _REGULAR and not is_gone(post)


def is_gone(post: Post) -> bool:
    """Whether its author or the staff has deleted it."""
    return bool(post.get("deleted_at") or post.get("user_deleted"))


def answers(post: Post, username: str) -> bool:
    """Whether it is an answer to that user."""
    to = post.get("reply_to_user")
    return isinstance(to, Mapping) and str(to.get("username")).lower() == username.lower()


def edition(post: Post) -> str:
    """What tells an edit from the text before it: the forum's count, which quick corrections do not raise, and a
    mark of the words."""
    return f"{post.get('version', 1)}-{mark_of(post)}"


def mark_of(post: Post) -> str:
    """Eight hexadecimal digits for the words."""
    return hashlib.sha256(text_of(post).encode("utf-8", "replace")).hexdigest()[:8]


def url_of(post: Post, base: str) -> str:
    """Where people read it."""
    path = str(post.get("post_url") or f"/t/{post['topic_id']}/{post['post_number']}")
    return urljoin(base, path)


def place_in(url: str, base: str) -> tuple[str, int] | None:
    """Topic and number of the post at an address of this forum (/t/SLUG/TOPIC/NUMBER, /t/TOPIC/NUMBER, without the
    number: the first), or ("", its id) for /p/ID. None for any other address."""
    try:
        there, here = urlsplit(url.strip()), urlsplit(base)
    except ValueError:
        return None
    if there.scheme not in ("http", "https") or there.netloc.lower() != here.netloc.lower():
        return None
    path = there.path.removeprefix(here.path.rstrip("/"))
    if found := re.fullmatch(r"/p/(\d{1,18})(?:/\d+)?/?", path):
        return "", int(found[1])
    found = re.fullmatch(r"/t/(?:[^/]*[^/\d][^/]*/)?(\d{1,18})(?:/(\d{1,9}))?/?", path)
    return (found[1], int(found[2] or 1)) if found else None


def _counts(post: Post) -> dict[str, int]:
    likes = next((one.get("count") for one in post.get("actions_summary") or () if one.get("id") == 2), None)
    counted = {"likes": likes, "replies": post.get("reply_count"), "reads": post.get("reads")}
    return {word: count for word, count in counted.items() if isinstance(count, int)}


def number_of(value: Any) -> int:
    """A number that comes as a number, as text or not at all (0)."""
    text = str(value if value is not None else "")
    return int(text) if text.isdecimal() else 0


def when(value: Any) -> datetime:
    """A time of theirs; ValueError when it is none."""
    at = datetime.fromisoformat(str(value))
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)


def stream_of(topic: Mapping[str, Any]) -> list[int]:
    """The ids of all posts of a topic."""
    stream = topic.get("post_stream")
    ids = stream.get("stream") if isinstance(stream, Mapping) else None
    return [one for one in ids or () if isinstance(one, int)]


def same(one: Any, other: str) -> bool:
    """Whether two texts are the same but for spaces and lines."""
    return str(one or "").split() == other.split()


def memo_of(mention: Mention) -> Mapping[str, Any]:
    """What a mention's `ref` holds: number, answers; empty for one that is not ours."""
    try:
        memo = json.loads(mention.ref)
    except ValueError:
        return {}
    return memo if isinstance(memo, Mapping) else {}


# --- signed calls ------------------------------------------------------------------------------------------


def opened(hook: Hook, secret: str) -> tuple[str, Post | None]:
    """The event of a call, such as post_created, and its post (None: the call is about something else).

    BadHook 401: not signed with the secret; 400: not readable. X-Discourse-Event-Signature is `sha256=` and the
    HMAC of the raw body in hexadecimal digits.
    """
    given = hook.headers.get("x-discourse-event-signature", "")
    wanted = "sha256=" + hmac.new(secret.encode(), hook.body, hashlib.sha256).hexdigest()
    if not given:
        raise BadHook("the call is not signed: give the webhook in Discourse the same secret", status=401)
    if not hmac.compare_digest(given.encode(), wanted.encode()):
        raise BadHook("the signature does not fit this body and secret", status=401)
    try:
        told = json.loads(hook.body)
    except (ValueError, RecursionError):
        raise BadHook(
            "the body is not JSON: choose application/json as the webhook's content type", status=400
        ) from None
    post = told.get("post") if isinstance(told, Mapping) else None
    return hook.headers.get("x-discourse-event", ""), post if isinstance(post, Mapping) else None
