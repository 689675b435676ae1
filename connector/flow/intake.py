"""Accepting, in words: which conversation a mention belongs to, and what is settled before any rule is asked."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass, replace
from typing import Any, TypeVar

from connector.errors import ConnectorError, RateLimited, Temporary
from connector.model import Mention
from connector.sources.base import Source, SourceOptions
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
    """The name of the conversation, unique within its source: the thread, or the thread and the author; of what we
    wrote to somebody, that person."""
    thread = mention.thread_id or mention.external_id
    person = mention.to if mention.own and mention.to else mention.author.id
    return f"{thread}\x1f{person}" if grouping == "thread_and_author" else thread


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


def located(
    mentions: Sequence[Mention], source: Source, sources: Mapping[str, Source], *, patient: bool = False
) -> list[Arrival]:
    """As `arrivals`; but what a source without an answer of its own found on a platform where we have an account
    arrives as that account's mention: it is answered from there, and it is one mention whoever tells of it first.

    Only accounts whose tickets go to the same helpdesk are asked. One that cannot be asked now lets a mention through
    as it is, to be answered by hand; `patient`: its Temporary or RateLimited is raised instead, so that the same page
    is pulled again.
    """
    homes = homes_for(source, sources)
    if not homes:
        return arrivals(mentions, source.options)
    found: list[Arrival] = []
    for mention in mentions:
        home, moved = _home(mention, homes, patient=patient)
        if home is None or moved is None:
            found += arrivals([mention], source.options)
        else:
            found += [replace(one, found_by=source.name) for one in arrivals([moved], home.options)]
    return found


def homes_for(source: Source, sources: Mapping[str, Source]) -> list[Source]:
    """The accounts that could answer what this source finds: none where it answers itself."""
    if source.replies:
        return []
    desk = source.options.helpdesk
    return [
        one
        for one in sources.values()
        if one is not source and one.capabilities.locate and one.replies and one.options.helpdesk == desk
    ]


def _home(mention: Mention, homes: Sequence[Source], *, patient: bool) -> tuple[Source | None, Mention | None]:
    if not mention.url or mention.own or mention.deleted:
        return None, None
    for home in homes:
        try:
            moved = home.locate(mention)
        except ConnectorError as error:
            if patient and isinstance(error, Temporary | RateLimited):
                raise
            continue
        if moved is not None:
            return home, moved
    return None, None
