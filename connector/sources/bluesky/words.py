"""From Bluesky's JSON to our words, and from a reply to a record. Pure functions; nothing here asks anybody."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import unquote, urlsplit

from connector.model import Attachment, Author, Key, Mention, Parent, utc

POST = "app.bsky.feed.post"

# --- from their words to ours ------------------------------------------------------------------------------


def mention_from_notification(view: Mapping[str, Any], source: str, web: str, here: str) -> Mention:
    """app.bsky.notification.listNotifications#notification as a mention; `here` is our own DID."""
    uri, record = str(view["uri"]), view["record"]
    did, rkey = split_uri(uri)
    author = author_from(view["author"], web)
    reply = record.get("reply") or {}
    quoted = _quoted(record.get("embed"))
    parent = str((reply.get("parent") or {}).get("uri") or (quoted if view.get("reason") == "quote" else ""))
    root = reply.get("root") or {}
    memo = {"uri": uri, "cid": str(view["cid"]), "parent": parent}
    if root.get("uri"):
        memo |= {"root_uri": str(root["uri"]), "root_cid": str(root.get("cid", ""))}
    return Mention(
        source=source,
        platform="bluesky",
        external_id=uri,
        author=author,
        text=text_of(record),
        created_at=said_at(record, view),
        kind="comment" if reply else "post",
        url=f"{profile_url(web, author.handle, did)}/post/{rkey}",
        thread_id=str(root.get("uri") or uri),
        parent=Parent(parent, url=post_url(web, parent)) if parent else None,
        language=str((record.get("langs") or [""])[0]).split("-")[0].lower(),
        own=author.id == here,
        ref=json.dumps(memo, separators=(",", ":")),
    )


def text_of(record: Mapping[str, Any]) -> str:
    """The text with every link in full, and the address of a link card where the text does not have it.

    Facets count UTF-8 bytes. Apps show links shortened ("example.com/a..."): those become the address; other words
    that carry a link keep standing before it.
    """
    raw = str(record.get("text") or "").encode("utf-8", "replace")
    out: list[bytes] = []
    end = 0
    for start, stop, url in sorted(_links(record, len(raw))):
        if start < end:
            continue
        shown = raw[start:stop].decode("utf-8", "replace").strip()
        short = shown.rstrip(".…")
        full = url if short and short in url else f"{shown} ({url})"
        out += [raw[end:start], full.encode()]
        end = stop
    text = b"".join([*out, raw[end:]]).decode("utf-8", "replace").replace("\x00", "")
    card = _card(record.get("embed"))
    return f"{text}\n{card}".strip() if card and card not in text else text


def _links(record: Mapping[str, Any], length: int) -> Iterator[tuple[int, int, str]]:
    for facet in record.get("facets") or ():
        index = facet.get("index") or {}
        start, stop = index.get("byteStart"), index.get("byteEnd")
        if not (isinstance(start, int) and isinstance(stop, int) and 0 <= start < stop <= length):
            continue
        for feature in facet.get("features") or ():
            url = str(feature.get("uri") or "")
            if feature.get("$type") == "app.bsky.richtext.facet#link" and url.startswith(("http://", "https://")):
                yield start, stop, url
                break


def _card(embed: Any) -> str:
    if not isinstance(embed, Mapping):
        return ""
    media = embed.get("media") if isinstance(embed.get("media"), Mapping) else embed
    url = str(((media or {}).get("external") or {}).get("uri") or "")
    return url if url.startswith(("http://", "https://")) else ""


def _quoted(embed: Any) -> str:
    """The address of a quoted post: embed.record, or embed.recordWithMedia, one level deeper."""
    if not isinstance(embed, Mapping):
        return ""
    record = embed.get("record") or {}
    return str(record.get("uri") or (record.get("record") or {}).get("uri") or "")


def author_from(view: Mapping[str, Any], web: str) -> Author:
    """app.bsky.actor.defs#profileView, Basic or Detailed (which alone has the followers)."""
    did, handle = str(view["did"]), str(view.get("handle") or "")
    verification = view.get("verification")
    followers = view.get("followersCount")
    return Author(
        id=did,
        name=str(view.get("displayName") or ""),
        handle="" if handle == "handle.invalid" else handle,
        url=profile_url(web, handle, did),
        avatar_url=str(view.get("avatar") or ""),
        followers=followers if isinstance(followers, int) else None,
        verified=verification.get("verifiedStatus") == "valid" if isinstance(verification, Mapping) else None,
    )


def parent_from(posts: Mapping[str, Mapping[str, Any]], memo: Mapping[str, Any], web: str) -> Parent | None:
    """The post answered or quoted; where it is not the thread's first, that one's text stands before it."""
    uri = str(memo.get("parent") or "")
    post = posts.get(uri)
    if post is None:
        return None
    author = author_from(post["author"], web)
    text = text_of(post.get("record") or {})
    root = posts.get(str(memo.get("root_uri") or ""))
    if root is not None and root.get("uri") != uri:
        first = author_from(root["author"], web)
        text = f"{first.shown}: {text_of(root.get('record') or {})}\n\n↳ {text}"
    return Parent(uri, text, f"{profile_url(web, author.handle, author.id)}/post/{split_uri(uri)[1]}", author.shown)


def counts_from(post: Mapping[str, Any]) -> dict[str, int]:
    """What a post view counts, in our words."""
    words = {"likeCount": "likes", "replyCount": "replies", "repostCount": "reposts", "quoteCount": "quotes"}
    return {ours: post[theirs] for theirs, ours in words.items() if isinstance(post.get(theirs), int)}


def attachments_from(embed: Any) -> tuple[Attachment, ...]:
    """Pictures of a post view's embed, and the still of a video; their names are the alternative texts."""
    if not isinstance(embed, Mapping):
        return ()
    media = embed.get("media") if isinstance(embed.get("media"), Mapping) else embed
    assert isinstance(media, Mapping)
    found = [
        Attachment(str(image["fullsize"]), "image/jpeg", str(image.get("alt") or "")[:200])
        for image in media.get("images") or ()
        if isinstance(image, Mapping) and str(image.get("fullsize", "")).startswith("http")
    ]
    if str(media.get("$type", "")).startswith("app.bsky.embed.video") and media.get("thumbnail"):
        found.append(Attachment(str(media["thumbnail"]), "image/jpeg", str(media.get("alt") or "video")[:200]))
    return tuple(found)


def said_at(record: Mapping[str, Any], view: Mapping[str, Any]) -> datetime:
    """The earlier of what the author's app says and what the server saw: nobody writes in the future."""
    times = [at for at in (seconds(record.get("createdAt")), seconds(view.get("indexedAt"))) if at is not None]
    return utc(max(min(times), 0.0))


def root_of(post: Mapping[str, Any]) -> dict[str, str] | None:
    """The reference to the first post of its thread; None when it is the first."""
    root = ((post.get("record") or {}).get("reply") or {}).get("root")
    return {"uri": str(root["uri"]), "cid": str(root["cid"])} if isinstance(root, Mapping) else None


# --- from our words to theirs ------------------------------------------------------------------------------

_URL = re.compile(r"https?://[^\s<>\"]*[^\s<>\"'.,;:!?)\]»”]")
_HANDLE = re.compile(
    r"(?<![\w@/.])@((?:[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?\.)+[a-zA-Z][a-zA-Z0-9-]{0,61})(?!\w)"
)
_TID = "234567abcdefghijklmnopqrstuvwxyz"


def facets_for(text: str, resolve: Callable[[str], str | None]) -> list[dict[str, Any]]:
    """Links and @handles of a text as app.bsky.richtext.facet. A handle nobody has stays plain text."""
    link = "app.bsky.richtext.facet#link"
    found = [(*match.span(), {"$type": link, "uri": match.group()}) for match in _URL.finditer(text)]
    dids: dict[str, str | None] = {}
    for match in _HANDLE.finditer(text):
        if any(start <= match.start() < end for start, end, _ in found):
            continue
        handle = match.group(1).lower()
        if handle not in dids and len(dids) < 10:
            dids[handle] = resolve(handle)
        if did := dids.get(handle):
            found.append((*match.span(), {"$type": "app.bsky.richtext.facet#mention", "did": did}))
    return [
        {
            "index": {"byteStart": len(text[:start].encode()), "byteEnd": len(text[:end].encode())},
            "features": [feature],
        }
        for start, end, feature in sorted(found, key=lambda one: one[0])
    ]


def record_key(key: Key, at: int, part: int) -> str:
    """The TID for one post: always the same for the same key, second and part (see the module's story)."""
    digest = hashlib.sha256(f"{key}\x1f{part}".encode()).digest()
    micros = max(at, 0) * 1_000_000 + int.from_bytes(digest[:4], "big")
    number = (micros << 10 | int.from_bytes(digest[4:6], "big") & 0x3FF) & (2**63 - 1)
    return "".join(_TID[number >> shift & 31] for shift in range(60, -1, -5))


def memo_of(mention: Mention) -> Mapping[str, Any]:
    """What the mention's `ref` holds: uri, cid, parent, root_uri, root_cid; empty for one that is not ours."""
    try:
        memo = json.loads(mention.ref)
    except ValueError:
        return {}
    return memo if isinstance(memo, Mapping) else {}


def split_uri(uri: str) -> tuple[str, str]:
    """DID and record key of at://did/collection/rkey. ValueError when it is no such address."""
    match = re.fullmatch(r"at://([^/]+)/[^/]+/([^/]+)", uri)
    if match is None:
        raise ValueError("no address of a record")
    return match[1], match[2]


def place_in(url: str, web: str) -> tuple[str, str] | None:
    """Whose post and which, in the address under which people read it (…/profile/WHO/post/KEY on bsky.app or `web`)
    or in its at:// address; WHO is a handle or a DID. None for any other address."""
    parts = urlsplit(url.strip())
    if parts.scheme == "at":
        match = re.fullmatch(rf"at://([^/]+)/{re.escape(POST)}/([^/]+)", url.strip())
    elif parts.scheme in ("http", "https") and parts.netloc.lower() in ("bsky.app", urlsplit(web).netloc.lower()):
        match = re.fullmatch(r"/profile/([^/]+)/post/([^/]+)/?", unquote(parts.path))
    else:
        return None
    return (match[1].removeprefix("@"), match[2]) if match else None


def seconds(value: Any) -> float | None:
    """A time in their ISO form as Unix seconds; None for anything else."""
    if not isinstance(value, str):
        return None
    try:
        at = datetime.fromisoformat(value)
        return (at.replace(tzinfo=UTC) if at.tzinfo is None else at).timestamp()
    except (ValueError, OverflowError):
        return None


def profile_url(web: str, handle: str, did: str) -> str:
    """Where people see an account; by DID where it has no valid handle."""
    return f"{web}/profile/{handle if handle and handle != 'handle.invalid' else did}"


def post_url(web: str, uri: str) -> str:
    """Where people read a post whose author's handle we do not know; "" when it is no post."""
    try:
        did, rkey = split_uri(uri)
    except ValueError:
        return ""
    return f"{profile_url(web, '', did)}/post/{rkey}"
