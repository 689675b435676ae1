"""From X's JSON to our words, and X's way of counting. Pure functions; nothing here asks anybody.

Weights (https://docs.x.com/fundamentals/counting-characters, and the configuration v3 of the library twitter-text it
names): a link is 23, an emoji 2 however it is composed, letters of the ranges below 1, all others 2; after NFC.
"""

from __future__ import annotations

import html
import json
import unicodedata
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

import regex

from connector.model import Attachment, Author, Mention, Parent, utc

LINK = 23
_SINGLE = ((0, 4351), (8192, 8205), (8208, 8223), (8242, 8247))
_HOST = r"(?:[\p{L}\p{N}](?:[\p{L}\p{N}-]*[\p{L}\p{N}])?\.)+\p{L}{2,24}"
_LINK = regex.compile(rf"https?://{_HOST}(?::\d+)?(?:[/?#][^\s]*[^\s.,;:!?'\"»”)\]])?/?", regex.IGNORECASE)
_BARE = regex.compile(rf"(?<![\w@./-]){_HOST}(?![\w@])(?:/[^\s]*[^\s.,;:!?'\"»”)\]])?", regex.IGNORECASE)
_EMOJI = regex.compile(r"\p{Emoji_Presentation}|\p{Extended_Pictographic}|\p{Regional_Indicator}|\u20e3")
_LEADING = regex.compile(r"^(?:@\w{1,15}\s+)+")

FIELDS = {
    "tweet.fields": "attachments,author_id,conversation_id,created_at,display_text_range,entities,"
    "in_reply_to_user_id,lang,note_tweet,public_metrics,referenced_tweets",
    "expansions": "author_id,attachments.media_keys,referenced_tweets.id,referenced_tweets.id.author_id",
    "user.fields": "name,username,profile_image_url,public_metrics,verified",
    "media.fields": "alt_text,preview_image_url,type,url",
}
"""What we ask of posts, in the guides' names."""

MESSAGE_FIELDS = {
    "dm_event.fields": "attachments,created_at,dm_conversation_id,event_type,sender_id,text",
    "event_types": "MessageCreate",
    "expansions": "sender_id,attachments.media_keys",
    "user.fields": FIELDS["user.fields"],
    "media.fields": FIELDS["media.fields"],
}
"""What we ask of direct messages."""


# --- counting ----------------------------------------------------------------------------------------------


def weighted_length(text: str) -> int:
    """The length as X counts it. What may be a link without `https://` counts as one where that is longer."""
    text = unicodedata.normalize("NFC", text)
    length = 0
    rest = _LINK.sub(lambda _: "\n" + "\0" * LINK, text)
    for found in _BARE.finditer(rest):
        length += max(0, LINK - _plain_length(found[0]))
    return length + _plain_length(rest.replace("\n\0", "\0"))


def _plain_length(text: str) -> int:
    return sum(2 if _EMOJI.search(one) else sum(map(_weight, one)) for one in regex.findall(r"\X", text))


def _weight(letter: str) -> int:
    return 1 if any(low <= ord(letter) <= high for low, high in _SINGLE) else 2


def has_link(text: str) -> bool:
    """Whether X would find a link in it, and bill the post as one with a link."""
    return _LINK.search(text) is not None or _BARE.search(text) is not None


# --- from their words to ours ------------------------------------------------------------------------------


class Included:
    """What an answer brought along with its posts, by id."""

    def __init__(self, includes: Any, more: Iterable[Mapping[str, Any]] = ()) -> None:
        value = includes if isinstance(includes, Mapping) else {}
        self.users = {str(one.get("id")): one for one in (*_objects(value, "users"), *more)}
        self.media = {str(one.get("media_key")): one for one in _objects(value, "media")}
        self.posts = {str(one.get("id")): one for one in (*_objects(value, "tweets"), *_objects(value, "posts"))}


def _objects(value: Mapping[str, Any], word: str) -> list[Mapping[str, Any]]:
    found = value.get(word)
    return [one.get("data", one) for one in found if isinstance(one, Mapping)] if isinstance(found, list) else []


def mention_from(
    post: Mapping[str, Any], there: Included, *, source: str, web: str, us: str, called: str = "no"
) -> Mention:
    """A post as a mention; KeyError, TypeError or ValueError when it is none. `us` is our id;
    `called` is how far its author is known to have called us, by where it came from: yes, perhaps or no."""
    versions = versions_of(post)
    author = author_from(str(post["author_id"]), there, web)
    answered, quoted = reference(post, "replied_to"), reference(post, "quoted")
    above = answered or quoted
    parent = parent_from([above], there, web) if above else None
    thread = str(post.get("conversation_id") or versions[0])
    memo: dict[str, Any] = {"summoned": _summoned(post, there, us, called)}
    if above:
        memo["above"] = above
        if thread not in (versions[0], above):
            memo["root"] = thread
        memo["known"] = parent is not None and "root" not in memo and not _media_keys(there.posts[above])
    return Mention(
        source=source,
        platform="x",
        external_id=versions[0],
        version="" if str(post["id"]) == versions[0] else str(post["id"]),
        author=author,
        text=text_of(post),
        created_at=said_at(post),
        kind="comment" if answered else "post",
        url=post_url(web, author.handle, str(post["id"])),
        thread_id=thread,
        parent=parent or (Parent(above, url=post_url(web, "", above)) if above else None),
        language=_language(post),
        engagement=counts_of(post),
        attachments=pictures_of(post, there),
        own=author.id == us,
        ref=json.dumps(memo, separators=(",", ":")),
    )


def message_from(message: Mapping[str, Any], there: Included, *, source: str, web: str, us: str) -> Mention | None:
    """A direct message in either of its forms (GET /2/dm_events, the event dm.received); None: of another kind."""
    if "message_create" in message:
        made = message["message_create"]
        sender, to = str(made["sender_id"]), str((made.get("target") or {}).get("recipient_id") or "")
        body, thread, at = made["message_data"], "", float(message["created_timestamp"]) / 1000
    elif message.get("event_type", "MessageCreate") == "MessageCreate":
        sender, to, body = str(message["sender_id"]), "", message
        thread, at = str(message.get("dm_conversation_id") or ""), said_at(message).timestamp()
    else:
        return None
    if sender == us and not to:  # dm_conversation_id of two people is A-B
        to = next((one for one in thread.split("-") if one.isdecimal() and one != us), "") if "-" in thread else ""
    other = to if sender == us else sender
    pair = "-".join(sorted((us, other), key=int)) if other else ""
    return Mention(
        source=source,
        platform="x",
        external_id=f"dm:{message['id']}",
        author=author_from(sender, there, web),
        text=text_of(body),
        created_at=utc(at),
        kind="dm",
        url=f"{web}/messages/{thread or pair}",
        thread_id=f"dm:{thread or pair}",
        attachments=pictures_of(message, there),
        own=sender == us,
        private=True,
        ref=json.dumps({"to": other}, separators=(",", ":")),
        to=to if sender == us else "",
    )


def versions_of(post: Mapping[str, Any]) -> list[str]:
    """The ids of all its versions, oldest first; its own where none are told."""
    found = _either(post, "edit_history_tweet_ids", "edit_history_post_ids")
    ids = [str(one) for one in found] if isinstance(found, list) else []
    return ids or [str(post["id"])]


def reference(post: Mapping[str, Any], kind: str) -> str:
    """The id of the post it answers (replied_to) or quotes (quoted); "" for none."""
    found = _either(post, "referenced_tweets", "referenced_posts")
    named = found if isinstance(found, list) else []
    told = next((str(one["id"]) for one in named if isinstance(one, Mapping) and one.get("type") == kind), "")
    return told or (str(post.get("in_reply_to_tweet_id") or "") if kind == "replied_to" else "")


def author_from(author_id: str, there: Included, web: str) -> Author:
    """The author, as far as the answer tells of them."""
    user = there.users.get(author_id, {})
    handle = str(user.get("username") or "")
    followers = (user.get("public_metrics") or {}).get("followers_count")
    verified = user.get("verified")
    return Author(
        id=author_id,
        name=str(user.get("name") or ""),
        handle=handle,
        url=f"{web}/{handle}" if handle else f"{web}/i/user/{author_id}",
        avatar_url=str(user.get("profile_image_url") or ""),
        followers=followers if isinstance(followers, int) else None,
        verified=verified if isinstance(verified, bool) else None,
    )


def parent_from(ids: list[str], there: Included, web: str) -> Parent | None:
    """The post answered or quoted, the first of `ids`; the text of the thread's first, where that is another and
    known, stands before it. None when it is not known."""
    post = there.posts.get(ids[0])
    if post is None:
        return None
    author = author_from(str(post.get("author_id") or ""), there, web)
    text = text_of(post)
    for root in (there.posts[one] for one in ids[1:] if one in there.posts):
        first = author_from(str(root.get("author_id") or ""), there, web)
        text = f"{first.shown}: {text_of(root)}\n\n↳ {text}"
    return Parent(ids[0], text, post_url(web, author.handle, ids[0]), author.shown)


def text_of(post: Mapping[str, Any]) -> str:
    """The whole text: long posts in full, links as they lead, the links of its own pictures left out. X escapes
    & < >."""
    note = _either(post, "note_tweet", "note_post")
    place = note if isinstance(note, Mapping) and note.get("text") else post
    text = str(place.get("text") or "")
    for entities in (place.get("entities"), post.get("entities")):
        for link in (entities.get("urls") or ()) if isinstance(entities, Mapping) else ():
            short, full = str(link.get("url") or ""), str(link.get("unwound_url") or link.get("expanded_url") or "")
            if short and (link.get("media_key") or full.startswith(("http://", "https://"))):
                text = text.replace(short, "" if link.get("media_key") else full)
    return html.unescape(text).replace("\x00", "").strip()


def pictures_of(post: Mapping[str, Any], there: Included, before: str = "") -> tuple[Attachment, ...]:
    """Its pictures, and the still of a video; their names are the alternative texts, with `before` in front."""
    found = []
    for media in (there.media[key] for key in _media_keys(post) if key in there.media):
        url = str(media.get("url") or media.get("preview_image_url") or "")
        if url.startswith(("http://", "https://")):
            name = str(media.get("alt_text") or media.get("type") or "photo")
            found.append(Attachment(url, "image/jpeg", f"{before}{name}"[:200]))
    return tuple(found)


def _media_keys(post: Mapping[str, Any]) -> list[str]:
    keys = (post.get("attachments") or {}).get("media_keys")
    return [str(key) for key in keys] if isinstance(keys, list) else []


def counts_of(post: Mapping[str, Any]) -> dict[str, int]:
    """What X counts of a post, in our words."""
    told = post.get("public_metrics") or {}
    words = {"like": "likes", "reply": "replies", "retweet": "reposts", "repost": "reposts", "quote": "quotes"}
    found = {ours: told.get(f"{theirs}_count") for theirs, ours in words.items() if f"{theirs}_count" in told}
    return {ours: count for ours, count in found.items() if isinstance(count, int)}


def _summoned(post: Mapping[str, Any], there: Included, us: str, called: str) -> str:
    """Whether its author called us: "yes" (our handle in the text, or a quote of ours), "perhaps" (our handle only
    among those X puts before a reply), or "no"."""
    quoted = there.posts.get(reference(post, "quoted"), {})
    if called == "yes" or (us and str(quoted.get("author_id")) == us):
        return "yes"
    shown = post.get("display_text_range")
    begin = shown[0] if isinstance(shown, list) and shown and isinstance(shown[0], int) else 0
    named = [
        one
        for entities in (post.get("entities"), (_either(post, "note_tweet", "note_post") or {}).get("entities"))
        for one in ((entities or {}).get("mentions") or ())
        if str(one.get("id")) == us
    ]
    if any(int(one.get("start") or 0) >= begin for one in named):
        return "yes"
    return "perhaps" if named else called


def memo_of(mention: Mention) -> Mapping[str, Any]:
    """What the mention's `ref` holds: summoned, above, root, known, or to; empty for one that is not ours."""
    try:
        memo = json.loads(mention.ref)
    except ValueError:
        return {}
    return memo if isinstance(memo, Mapping) else {}


def said_at(post: Mapping[str, Any]) -> datetime:
    """`created_at` as an instant; ValueError when it is none."""
    at = datetime.fromisoformat(str(post["created_at"]))
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)


def same_words(one: str, other: str) -> bool:
    """Whether two texts are the same but for what X does to them: handles before a reply, links, white space."""
    return _bare_words(one) == _bare_words(other)


def _bare_words(text: str) -> str:
    text = regex.sub(r"https?://", "", _LEADING.sub("", unicodedata.normalize("NFC", text.strip()) + " "))
    return " ".join(regex.sub(r"/(?=\s|$)", "", text).split())


def post_url(web: str, handle: str, post_id: str) -> str:
    """Where people read a post; X leads on from `i` where the handle is not known."""
    return f"{web}/{handle or 'i'}/status/{post_id}"


def post_in(url: str, web: str) -> str:
    """The id of the post at an address of x.com, twitter.com or `web` (/HANDLE/status/ID, /i/web/status/ID); "" for
    any other."""
    try:
        parts = urlsplit(url.strip())
    except ValueError:
        return ""
    host = parts.netloc.lower().removeprefix("www.").removeprefix("mobile.")
    if parts.scheme not in ("http", "https") or host not in ("x.com", "twitter.com", urlsplit(web).netloc.lower()):
        return ""
    found = regex.fullmatch(r"/(?:i/web|\w+)/status(?:es)?/(\d{1,19})(?:/.*)?", parts.path)
    return str(found[1]) if found else ""


def _language(post: Mapping[str, Any]) -> str:
    """Two or three letters; X's own codes for "undetermined" and "no words" (und, qme, zxx …) are none."""
    code = str(post.get("lang") or "").split("-")[0].lower()
    return "" if code in ("und", "zxx") or code.startswith("q") else code


def _either(value: Mapping[str, Any], guide: str, description: str) -> Any:
    return value.get(guide) if value.get(guide) is not None else value.get(description)
