"""Accepting, in words: which conversation a mention belongs to, and what is settled before any rule is asked."""

from __future__ import annotations

from collections.abc import Sequence

from connector.model import Mention
from connector.sources.base import SourceOptions
from connector.store.arrivals import Arrival


def conversation_name(mention: Mention, grouping: str) -> str:
    """The name of the conversation, unique within its source: the thread, or the thread and the author."""
    thread = mention.thread_id or mention.external_id
    return f"{thread}\x1f{mention.author.id}" if grouping == "thread_and_author" else thread


def arrivals(mentions: Sequence[Mention], options: SourceOptions) -> list[Arrival]:
    """Mentions of one source on their way into the store. Our own posts are remembered and go no further."""
    return [
        Arrival(
            mention=mention,
            conversation=conversation_name(mention, options.conversation),
            helpdesk=options.helpdesk,
            ignored="our own post" if mention.own else "",
        )
        for mention in mentions
    ]
