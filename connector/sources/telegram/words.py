"""From Telegram's JSON to our words. Pure functions; nothing here asks anybody.

Objects: https://core.telegram.org/bots/api#message. Offsets of entities count UTF-16 code units. A reply in a
supergroup carries `message_thread_id` also where there are no topics: the first message of the chain of replies (seen
by others: botman/driver-telegram#128, westacks/telebot#135). A message of a business chat has no mark of who wrote
it but `from`: the person is who the chat is named after.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal
from urllib.parse import parse_qsl, urlsplit

from connector.model import Attachment, Author, Kind, Mention, Parent, utc

Place = Literal["group", "comment", "private", "business", "direct"]
"""Where a message stands; `comment`: below a channel's post, in its discussion group."""

MAX_FILE = 20 * 1024 * 1024

Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Reader:
    """What is known beforehand: the source's name, the bot's own id, and who else speaks for us (ids, @names)."""

    source: str
    bot: str
    ours: frozenset[str] = frozenset()

    def mention(self, message: Json, *, edited: bool = False) -> Mention | None:
        """A message as a mention; None for one that says nothing (somebody joined, the title changed), or that was
        not really edited. KeyError, TypeError or ValueError when it cannot be read."""
        text, files = text_of(message), tuple(self.files(message))
        if not text and not files:
            return None
        if edited and not message.get("edit_date"):
            return None
        above = message.get("reply_to_message")
        above = above if isinstance(above, Mapping) and "forum_topic_created" not in above else None
        place, url = place_of(message), url_of(message)
        parent_files = tuple(self.files(above, "answered post: ")) if above is not None else ()
        return Mention(
            source=self.source,
            platform="telegram",
            external_id=id_of(message),
            author=author_of(message),
            text=text,
            created_at=utc(int(message["date"])),
            kind=_kind(place, answers=above is not None),
            version=_version(message, text, files) if edited else "",
            url=url,
            thread_id=thread_of(message),
            parent=_parent(message, above),
            attachments=files + parent_files,
            own=self.is_ours(message),
            private=place in ("private", "business", "direct"),
            ref=_memo(message),
            to=_to(message, place) if self.is_ours(message) else "",
        )

    def deleted(self, told: Json, at: float) -> list[Mention]:
        """BusinessMessagesDeleted: one mention for each message, without words, of whom the chat is with. `at`: when
        we heard of it (Unix seconds), since Telegram does not say."""
        connection, chat = str(told["business_connection_id"]), told["chat"]
        return [
            Mention(
                source=self.source,
                platform="telegram",
                external_id=f"{connection}/{chat['id']}/{number}",
                version="deleted",
                author=_chat_author(chat),
                text="",
                created_at=utc(at),
                kind="dm",
                thread_id=f"{connection}/{chat['id']}",
                private=True,
                deleted=True,
            )
            for number in told["message_ids"]
        ]

    def is_ours(self, message: Json) -> bool:
        """Whether we said it: the bot, the business account, the group itself (an anonymous admin), the channel's own
        post in its discussion group, or one of those named in `own_accounts`."""
        chat, sender = message["chat"], message.get("sender_chat") or {}
        who = message.get("from") or {}
        if message.get("is_automatic_forward") or message.get("sender_business_bot"):
            return True
        if message.get("business_connection_id") and who.get("id") != chat["id"]:
            return True
        above = message.get("reply_to_message") or {}
        channel = (above.get("sender_chat") or {}).get("id") if above.get("is_automatic_forward") else None
        if sender and sender.get("id") in (chat["id"], channel):
            return True
        speaker = sender or who
        names = {str(speaker.get("id")), f"@{speaker.get('username')}".lower()}
        return str(speaker.get("id")) == self.bot or not self.ours.isdisjoint(names)

    def files(self, message: Json, before: str = "") -> Iterator[Attachment]:
        """The file of a message, if a bot may fetch it: getFile gives 20 MB and no more."""
        file, kind, name = _file(message)
        if file is None or not isinstance(file.get("file_id"), str):
            return
        size = file.get("file_size")
        if isinstance(size, int) and size > MAX_FILE:
            return
        shown = str(file.get("file_name") or name)[:200]
        yield Attachment(
            url=url_of(message),
            type=str(file.get("mime_type") or kind),
            name=f"{before}{shown}",
            size=size if isinstance(size, int) else None,
            ref=f"{self.source}/{file['file_id']}",
        )


def together(album: Sequence[Mention]) -> Mention:
    """The messages of one album as one mention: the first one, with the words and files of all."""
    first = album[0]
    texts = dict.fromkeys(one.text for one in album if one.text)
    files = dict.fromkeys(file for one in album for file in one.attachments)
    return replace(first, text="\n".join(texts), attachments=tuple(files))


# --- who, where ----------------------------------------------------------------------------------------------


def place_of(message: Json) -> Place:
    """Where a message stands."""
    chat = message["chat"]
    if message.get("business_connection_id"):
        return "business"
    if chat.get("is_direct_messages"):
        return "direct"
    if chat["type"] == "private":
        return "private"
    above = message.get("reply_to_message") or {}
    return "comment" if message.get("is_automatic_forward") or above.get("is_automatic_forward") else "group"


def _kind(place: Place, *, answers: bool) -> Kind:
    if place in ("private", "business", "direct"):
        return "dm"
    return "comment" if answers or place == "comment" else "post"


def id_of(message: Json) -> str:
    """The id of a mention or receipt."""
    connection = message.get("business_connection_id")
    where = f"{message['chat']['id']}/{message['message_id']}"
    return f"{connection}/{where}" if connection else where


def thread_of(message: Json) -> str:
    """What belongs together: a private chat; in a supergroup the chain of replies, the topic or the comments below a
    post; a small group as a whole, since there nothing says what a reply to a reply is about."""
    chat, connection = message["chat"], message.get("business_connection_id")
    if connection:
        return f"{connection}/{chat['id']}"
    if topic := message.get("direct_messages_topic"):
        return f"{chat['id']}/{topic['topic_id']}"
    if chat["type"] != "supergroup":
        return str(chat["id"])
    above = message.get("reply_to_message") or {}
    thread = message.get("message_thread_id") or above.get("message_id") or message["message_id"]
    return f"{chat['id']}/{thread}"


def author_of(message: Json) -> Author:
    """The person, or the channel in whose name they speak."""
    sender = message.get("sender_chat")
    if isinstance(sender, Mapping):
        return _chat_author(sender)
    return _chat_author(message["from"])


def _chat_author(who: Json) -> Author:
    """A User or Chat as an author."""
    name = " ".join(str(who[word]) for word in ("first_name", "last_name") if who.get(word))
    handle = str(who.get("username") or "")
    return Author(
        id=str(who["id"]),
        name=name or str(who.get("title") or ""),
        handle=handle,
        url=f"https://t.me/{handle}" if handle else "",
    )


def _to(message: Json, place: Place) -> str:
    """To whom alone a message of ours goes: whom the business chat is named after, or whose the channel's direct
    messages are; "" elsewhere."""
    if place == "business":
        return str(message["chat"]["id"])
    who = (message.get("direct_messages_topic") or {}).get("user") or {}
    return str(who.get("id") or "") if place == "direct" else ""


def url_of(message: Json) -> str:
    """Where people see a message: members only, unless the group has a public name. Private chats have no address."""
    chat = message["chat"]
    if message.get("business_connection_id") or chat["type"] not in ("supergroup", "channel"):
        return ""
    number = str(chat["id"]).removeprefix("-100")
    return f"https://t.me/{chat.get('username') or f'c/{number}'}/{message['message_id']}"


def _parent(message: Json, above: Json | None) -> Parent | None:
    """The message answered, with the words quoted of it; or the one of another chat, or a story."""
    quote = str((message.get("quote") or {}).get("text") or "")
    if above is not None:
        text = text_of(above)
        if quote and quote != text:
            text = f"{text}\n\n«{quote}»"
        return Parent(id_of(above), text, url_of(above), author_of(above).shown)
    other = message.get("external_reply")
    if not isinstance(other, Mapping):
        return None
    origin, chat = other.get("origin") or {}, other.get("chat") or {}
    who = origin.get("sender_user") or origin.get("sender_chat") or origin.get("chat") or {}
    name = _chat_author(who).shown if who.get("id") else str(origin.get("sender_user_name") or "")
    number = other.get("message_id")
    if not chat.get("id") or number is None:
        return Parent(f"elsewhere:{name}", quote, "", name) if quote or name else None
    return Parent(f"{chat['id']}/{number}", quote, url_of({"chat": chat, "message_id": number}), name)


@dataclass(frozen=True, slots=True)
class Link:
    """What a t.me address names: a chat by @name or number, the message in it, and, where told, the first message of
    its thread; `post`: it is the comment `message` below that post of a channel. https://core.telegram.org/api/links
    """

    chat: str | int
    message: int
    thread: int = 0
    post: int = 0


def link_in(url: str) -> Link | None:
    """The message at an address of t.me: /NAME/MESSAGE, /NAME/TOPIC/MESSAGE, /c/NUMBER/MESSAGE, with `thread` or
    `comment`. None for any other address."""
    try:
        parts = urlsplit(url.strip())
        query = dict(parse_qsl(parts.query))
    except ValueError:
        return None
    if parts.scheme not in ("http", "https") or parts.netloc.lower() not in ("t.me", "telegram.me", "telegram.dog"):
        return None
    found = re.fullmatch(
        r"/(?:s/)?(?:c/(\d{1,15})|([A-Za-z]\w{3,31}))(?:/(\d{1,18}))?/(\d{1,18})/?", parts.path, re.ASCII
    )
    if found is None:
        return None
    chat: str | int = int(f"-100{found[1]}") if found[1] else f"@{found[2]}"
    thread = found[3] or (query["thread"] if query.get("thread", "").isdecimal() else "0")
    if query.get("comment", "").isdecimal():
        return Link(chat, int(query["comment"]), post=int(found[4]))
    return Link(chat, int(found[4]), int(thread))


# --- what ----------------------------------------------------------------------------------------------------


def text_of(message: Json) -> str:
    """The words with the address behind every linked word; for what has no words, what it is in brackets."""
    caption = "caption" if message.get("caption") else "text"
    entities = message.get("caption_entities" if caption == "caption" else "entities") or ()
    words = _with_links(str(message.get(caption) or ""), entities)
    label = _label(message)
    return "\n".join(part for part in (words, label) if part)


def _with_links(text: str, entities: Sequence[Json]) -> str:
    raw, out, end = text.encode("utf-16-le", "surrogatepass"), [], 0
    for entity in sorted(entities, key=lambda one: int(one["offset"])):
        stop = 2 * (int(entity["offset"]) + int(entity["length"]))
        url = str(entity.get("url") or "")
        if entity.get("type") == "text_link" and url.startswith(("http://", "https://")) and end <= stop <= len(raw):
            out += [raw[end:stop].decode("utf-16-le", "replace"), f" ({url})"]
            end = stop
    return ("".join(out) + raw[end:].decode("utf-16-le", "replace")).replace("\x00", "")


_NAMED = ("animation", "video", "audio", "document", "voice", "video_note")
_ENDINGS = {"animation": "mp4", "video": "mp4", "video_note": "mp4", "voice": "ogg", "audio": "mp3"}
_TYPES = {"animation": "video/mp4", "video": "video/mp4", "video_note": "video/mp4", "voice": "audio/ogg"}


def _file(message: Json) -> tuple[Json | None, str, str]:
    """The file object of a message, the type it has when it does not say, and a name."""
    if photos := message.get("photo"):
        return max(photos, key=lambda one: int(one["width"]) * int(one["height"])), "image/jpeg", "photo.jpg"
    for word in _NAMED:
        if isinstance(file := message.get(word), Mapping):
            return file, _TYPES.get(word, ""), f"{word}.{_ENDINGS.get(word, 'bin')}"
    sticker = message.get("sticker")
    if isinstance(sticker, Mapping) and not sticker.get("is_animated") and not sticker.get("is_video"):
        return sticker, "image/webp", "sticker.webp"
    return None, "", ""


def _label(message: Json) -> str:
    """What there is besides words and files, or is too large to come along."""
    file, _, name = _file(message)
    size = file.get("file_size") if file is not None else None
    if file is not None and isinstance(size, int) and size > MAX_FILE:
        return f"[{file.get('file_name') or name}, {size // 1_048_576} MB: too large for a bot to fetch]"
    if sticker := message.get("sticker"):
        return f"[sticker {sticker.get('emoji') or ''}]".replace(" ]", "]")
    for word in ("voice", "video_note"):
        if found := message.get(word):
            return f"[{word.replace('_', ' ')}, {found.get('duration', 0)} s]"
    if contact := message.get("contact"):
        name = " ".join(str(contact[word]) for word in ("first_name", "last_name") if contact.get(word))
        return f"[contact {name}: {contact.get('phone_number', '')}]"
    if venue := message.get("venue"):
        return f"[place {venue.get('title', '')}, {venue.get('address', '')}]"
    if location := message.get("location"):
        return f"[location {location.get('latitude')}, {location.get('longitude')}]"
    if poll := message.get("poll"):
        options = " / ".join(str(option.get("text")) for option in poll.get("options") or ())
        return f"[poll: {poll.get('question', '')} {options}]"
    if dice := message.get("dice"):
        return f"[{dice.get('emoji', 'dice')} {dice.get('value', '')}]"
    for word in ("story", "paid_media", "checklist", "game", "giveaway"):
        if message.get(word):
            return f"[{word.replace('_', ' ')}]"
    return ""


def _version(message: Json, text: str, files: Sequence[Attachment]) -> str:
    """Which edit: its second, and a mark of what it says, for two edits in one second."""
    unique = (_file(message)[0] or {}).get("file_unique_id", "") if files else ""
    said = hashlib.sha256(f"{text}\x1f{unique}".encode("utf-8", "replace")).hexdigest()[:8]
    return f"{int(message['edit_date'])}-{said}"


def _memo(message: Json) -> str:
    """What answering needs."""
    topic, sender = message.get("direct_messages_topic") or {}, message.get("sender_chat")
    memo = {
        "chat": int(message["chat"]["id"]),
        "message": int(message["message_id"]),
        "user": None if sender else (message.get("from") or {}).get("id"),
        "business": message.get("business_connection_id"),
        "topic": topic.get("topic_id"),
    }
    return json.dumps({word: value for word, value in memo.items() if value is not None}, separators=(",", ":"))


def memo_of(mention: Mention) -> dict[str, Any]:
    """chat and message, and user, business, topic where there are any; made of the id for one without our memo.
    Empty for a mention that is not Telegram's."""
    try:
        memo = json.loads(mention.ref)
    except ValueError:
        memo = None
    if isinstance(memo, dict) and "chat" in memo and "message" in memo:
        return memo
    found = re.fullmatch(r"(?:([^/]+)/)?(-?\d+)/(\d+)", mention.external_id)
    if found is None:
        return {}
    memo = {"chat": int(found[2]), "message": int(found[3])}
    return memo | {"business": found[1]} if found[1] else memo


def utf16(text: str) -> int:
    """Length in UTF-16 code units, as Telegram counts: most emoji are two."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2
