"""Accepting, in words: which conversation a mention belongs to, and what is settled before any rule is asked."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass, replace
from typing import Any, TypeVar

from connector.model import Mention
from connector.sources.base import SourceOptions
from connector.store.arrivals import Arrival
from connector.store.tables import OWN_POST

T = TypeVar("T")

_UNSTORABLE = re.compile(r"[\x00\ud800-\udfff]")


def storable(value: T) -> T:
    """The same value without what no database holds: NUL, and halves of characters, which platforms make when they
    cut a text in the middle of an emoji. One such text would otherwise hold up everything pulled with it."""
    cleaned: Any = value
    if isinstance(value, str):
        cleaned = _UNSTORABLE.sub("\ufffd", value) if _UNSTORABLE.search(value) else value
    elif is_dataclass(value) and not isinstance(value, type):
        before = {field.name: getattr(value, field.name) for field in fields(value)}
        changed = {name: now for name, was in before.items() if (now := storable(was)) is not was}
        cleaned = replace(value, **changed) if changed else value
    elif isinstance(value, tuple) and value:
        now = tuple(storable(item) for item in value)
        cleaned = value if all(a is b for a, b in zip(now, value, strict=True)) else now
    elif isinstance(value, Mapping) and value:
        cleaned = {storable(key): storable(item) for key, item in value.items()}
        cleaned = value if cleaned == value else cleaned
    return cleaned  # type: ignore[no-any-return]


def conversation_name(mention: Mention, grouping: str) -> str:
    """The name of the conversation, unique within its source: the thread, or the thread and the author."""
    thread = mention.thread_id or mention.external_id
    return f"{thread}\x1f{mention.author.id}" if grouping == "thread_and_author" else thread


def arrivals(mentions: Sequence[Mention], options: SourceOptions) -> list[Arrival]:
    """Mentions of one source on their way into the store. Our own posts are remembered and go no
    further, unless they answer somebody: see `Arrival`."""
    return [
        Arrival(
            mention=mention,
            conversation=conversation_name(mention, options.conversation),
            helpdesk=options.helpdesk,
            ignored=OWN_POST if mention.own else "",
        )
        for mention in map(storable, mentions)
    ]
