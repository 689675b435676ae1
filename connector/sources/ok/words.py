"""From OK's JSON to our words. Pure functions; nothing here asks anybody.

A message: `{sender: {user_id, name}, recipient: {chat_id}, message: {text, seq, mid, attachments, reply_to},
timestamp}`, the same in a history and in a call (https://apiok.ru/en/dev/graph_api/methods/graph.user). The `sender`
of what the group itself wrote is not shown there: it is taken to be known by the group's number, or as no person.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from connector.model import Attachment, Author, Mention, Parent, utc

Json = Mapping[str, Any]

_WEB = "https://ok.ru"
_TYPES = {"IMAGE": "image/jpeg", "VIDEO": "video/mp4", "AUDIO": "audio/mpeg", "FILE": "application/octet-stream"}


@dataclass(frozen=True, slots=True)
class Reader:
    """What is known beforehand: the source's name, the group's number, people who speak for it (numbers)."""

    source: str
    group: str
    ours: frozenset[str] = frozenset()

    def mention(self, told: Json, participants: Mapping[str, Any] | None = None) -> Mention | None:
        """A message as a mention; None for what nobody wrote (somebody joined, a title changed). KeyError, TypeError
        or ValueError: it cannot be read. `participants`: the chat's, where they are known."""
        if told.get("webhookType", "MESSAGE_CREATED") != "MESSAGE_CREATED":
            return None
        message, sender, chat = told["message"], told.get("sender") or {}, str(told["recipient"]["chat_id"])
        text, files = text_of(message), tuple(files_of(message))
        if is_service(message) or not (text or files):
            return None
        who = sender_of(told) or f"group:{self.group}"
        own = self.is_ours(who)
        people = {number_of(one) for one in participants or () if not self.is_ours(str(one))}
        above = message.get("reply_to")
        return Mention(
            source=self.source,
            platform="ok",
            external_id=str(message["mid"]),
            author=Author(
                number_of(who),
                str(sender.get("name") or ""),
                url=f"{_WEB}/{'profile' if who.startswith('user:') else 'group'}/{number_of(who)}",
            ),
            text=text,
            created_at=utc(int(told["timestamp"]) / 1000),
            kind="dm",
            thread_id=chat,
            parent=Parent(str(above)) if above else None,
            attachments=files,
            own=own,
            private=True,
            to=people.pop() if own and len(people) == 1 else "",
        )

    def is_ours(self, who: str) -> bool:
        """Whether that sender is the group, or speaks for it."""
        return number_of(who) == self.group or not who.startswith("user:") or number_of(who) in self.ours


def sender_of(told: Json) -> str:
    """user:1, or group:1; "" where the message does not say."""
    sender = told.get("sender") or {}
    return str(sender.get("user_id") or sender.get("group_id") or "")


def number_of(named: str) -> str:
    """The number in user:1, group:1."""
    return named.rpartition(":")[2]


def is_service(message: Json) -> bool:
    """Whether it is the chat's own line: its text is then an object with `ty`, such as USERS_ADDED (seen by others in
    the sister API of TamTam, not in OK's documents)."""
    text = str(message.get("text") or "")
    if not text.startswith("{"):
        return False
    try:
        told = json.loads(text)
    except (ValueError, RecursionError):
        return False
    return isinstance(told, dict) and isinstance(told.get("ty"), str)


def text_of(message: Json) -> str:
    """The words, the addresses of what was shared, and a line for what is neither word nor file."""
    parts = [str(message.get("text") or "")]
    for kind, url in _attachments(message):
        if kind == "SHARE" and url and url not in parts[0]:
            parts.append(url)
        elif kind not in ("SHARE", *_TYPES) or (kind != "SHARE" and not url):
            parts.append(f"[{kind.lower().replace('_', ' ')}]")
    return "\n".join(part for part in parts if part)


def files_of(message: Json) -> Iterator[Attachment]:
    """Pictures, videos, recordings and files, by their addresses."""
    for kind, url in _attachments(message):
        if kind in _TYPES and url:
            name = urlsplit(url).path.rpartition("/")[2] if kind == "FILE" else kind.lower()
            yield Attachment(url, _TYPES[kind], name[:200])


def _attachments(message: Json) -> Iterator[tuple[str, str]]:
    for one in message.get("attachments") or ():
        payload = one.get("payload")
        url = str(payload.get("url") or "") if isinstance(payload, Mapping) else ""
        yield str(one.get("type") or "attachment"), url if url.startswith(("http://", "https://")) else ""


def same_words(message: Json, text: str) -> bool:
    """Whether a message says this, but for spaces and lines."""
    return str(message.get("text") or "").split() == text.split()
