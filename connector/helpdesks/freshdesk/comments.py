"""A ticket and its conversation: what stands on it, which of it is ours, and what an agent wrote to the public.

The first message is the ticket's own description; everything later is a conversation, oldest first. What is public
is told by `private`, by whom by `incoming` and `user_id`, what kind it is by `source`: 0 a reply, 2 a note. Other
sources are no answers to the author (8 is mail forwarded to somebody else), so they never count as public here.

We write private notes and public incoming ones, never a public outgoing note; ours end with our mark. A reply (source
0) is never ours, even when it quotes a text of ours with its mark.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from html import escape
from typing import Any

from bs4 import BeautifulSoup

from connector.errors import BadAnswer, Gone, Rejected
from connector.helpdesks.freshdesk.account import Account, Json
from connector.helpdesks.freshdesk.drafts import mark_in, mark_of
from connector.helpdesks.freshdesk.people import Agents, Contacts
from connector.markup import to_text
from connector.model import Attachment, CommentId, Key, Merge, Reply, TicketId

REPLY, NOTE = 0, 2
_FIRST = "description:"
_A_MOMENT = 10.0
_MOST_JUST_READ = 200
_MERGED_INTO = re.compile(r"\W*(?:this )?ticket\b.{0,60}?\bmerged into\b[^.\d]{0,30}(\d+)", re.IGNORECASE)


class Comments:
    """The tickets of one account as something to read."""

    def __init__(
        self, account: Account, contacts: Contacts, agents: Agents, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._account = account
        self._contacts = contacts
        self._agents = agents
        self._clock = clock
        self._just_read: dict[TicketId, tuple[float, Json]] = {}

    def ticket(self, ticket: TicketId) -> Json:
        """The ticket as it is. Gone when it was deleted or marked as spam: nobody looks at it any more."""
        operation = "read ticket"
        row = self._account.get(f"/tickets/{ticket}", operation=operation)
        if row.get("id") is None or str(row["id"]) != ticket:
            raise BadAnswer("the answer has no ticket", service=self._account.http.service, operation=operation)
        for flag, words in (("deleted", "was deleted"), ("spam", "was marked as spam")):
            if row.get(flag) is True:
                raise Gone(f"the ticket {words}", service=self._account.http.service, operation=operation)
        return row

    def looked_at(self, ticket: TicketId) -> Json:
        """The same, remembered for a moment: who asks how a ticket stands reads its conversation next, and calls are
        what Freshdesk is short of."""
        row = self.ticket(ticket)
        if len(self._just_read) >= _MOST_JUST_READ:
            self._just_read.clear()
        self._just_read[ticket] = (self._clock(), row)
        return row

    def replies(self, ticket: TicketId) -> tuple[Reply, ...]:
        """The description and every conversation, oldest first. The conversation is as it is now, the ticket as it
        was when it was looked at a moment ago, if it was."""
        read_at, row = self._just_read.pop(ticket, (0.0, None))
        fresh = row is not None and self._clock() - read_at < _A_MOMENT
        return self._told(ticket, row if fresh and row is not None else self.ticket(ticket))

    def reply(self, ticket: TicketId, comment: CommentId) -> Reply | None:
        """One of them as it is now, and nothing of it remembered: it is about to leave."""
        return next((reply for reply in self._told(ticket, self.ticket(ticket)) if reply.id == comment), None)

    def _told(self, ticket: TicketId, first: Json) -> tuple[Reply, ...]:
        rows = list(self._rows(ticket))
        try:
            told = [self._reply(ticket, row) for row in rows]
            return (self._description(ticket, first), *sorted(told, key=lambda reply: reply.created_at))
        except (ValueError, TypeError, KeyError, AttributeError):
            raise BadAnswer(
                "a conversation cannot be read", service=self._account.http.service, operation="read conversation"
            ) from None

    def marked(self, ticket: TicketId, key: Key) -> list[str]:
        """Ids of the notes that carry this key, oldest first."""
        wanted = mark_of(key)
        return [
            str(row["id"]) for row in self._rows(ticket) if row.get("source") != REPLY and mark_of_row(row) == wanted
        ]

    def survivor(self, ticket: TicketId) -> Merge | None:
        """The ticket this one was merged into, and when.

        Freshdesk closes the merged ticket and leaves a note on it; no property names the other one. The wording is
        not documented and whoever merges may word it otherwise (all of this unconfirmed). Only a note by somebody who
        works there is believed, and never what we wrote ourselves: else a mention could say where its follow-ups go.
        """
        for row in reversed(list(self._rows(ticket))):
            if row.get("incoming") is True or row.get("source") == REPLY or mark_of_row(row):
                continue
            found = _MERGED_INTO.match(_text(row))
            if found and found.group(1) != ticket and self._by_agent(row):
                return Merge(TicketId(found.group(1)), time_of(row))
        return None

    def _rows(self, ticket: TicketId) -> Iterator[Json]:
        return self._account.rows(f"/tickets/{ticket}/conversations", operation="read conversation")

    def _description(self, ticket: TicketId, row: Json) -> Reply:
        requester = row.get("requester_id")
        return Reply(
            ticket=ticket,
            id=first_id(ticket),
            public=True,
            by_agent=False,
            html=str(row.get("description") or escape(str(row.get("description_text") or ""))),
            created_at=time_of(row),
            author=self._contacts.name_of(requester) if isinstance(requester, int) else "",
            attachments=tuple(attachments(row)),
            ours=bool(mark_of_row(row)),
        )

    def _reply(self, ticket: TicketId, row: Json) -> Reply:
        source = row.get("source")
        ours = source != REPLY and bool(mark_of_row(row))
        public = row.get("private") is False and source in (REPLY, NOTE)
        by_agent = not ours and row.get("incoming") is not True and (not public or self._by_agent(row))
        user = row.get("user_id")
        author = ""
        if isinstance(user, int):
            author = self._agent_name(user) if by_agent and public else self._contacts.name_of(user)
        return Reply(
            ticket=ticket,
            id=CommentId(str(row["id"])),
            public=public,
            by_agent=by_agent,
            html=without_quote(str(row.get("body") or escape(str(row.get("body_text") or "")).replace("\n", "<br>"))),
            created_at=time_of(row),
            author=author,
            attachments=tuple(attachments(row)),
            ours=ours,
        )

    def _by_agent(self, row: Json) -> bool:
        """Whether a person who works there wrote it. Where this key may not look at agents, an outgoing reply can
        only be an agent's, and an outgoing note is taken for one unless a contact we know wrote it."""
        user = row.get("user_id")
        if not isinstance(user, int):
            return False
        try:
            return self._agents.name_of(user) is not None
        except Rejected:
            return row.get("source") == REPLY or not self._contacts.name_of(user)

    def _agent_name(self, user: int) -> str:
        try:
            return self._agents.name_of(user) or ""
        except Rejected:
            return ""


def first_id(ticket: TicketId) -> CommentId:
    """The id of the description, which has none of its own. Stored, so its form is a promise."""
    return CommentId(f"{_FIRST}{ticket}")


def mark_of_row(row: Json) -> str:
    """Our mark at the end of a description or conversation."""
    return mark_in(_text(row))


def without_quote(html: str) -> str:
    """An agent's words without the conversation Freshdesk quotes below them (class `freshdesk_quote`, seen in several
    clients that remove it): it must not be posted again."""
    if "freshdesk_quote" not in html:
        return html
    soup = BeautifulSoup(html, "html.parser")
    for quote in soup.select(".freshdesk_quote"):
        if not quote.decomposed:
            quote.decompose()
    return str(soup)


def attachments(row: Json) -> Iterator[Attachment]:
    """Files of a description or conversation. Their addresses need no log-in and live for 300 seconds (recorded)."""
    for one in row.get("attachments") or []:
        if one.get("attachment_url"):
            size = one.get("size", one.get("file_size"))
            yield Attachment(
                url=str(one["attachment_url"]),
                type=str(one.get("content_type") or ""),
                name=str(one.get("name") or ""),
                size=size if isinstance(size, int) else None,
            )


def time_of(row: Json, name: str = "created_at") -> datetime:
    """A time of a row, aware; BadAnswer when it is not one."""
    try:
        told = datetime.fromisoformat(str(row.get(name)))
    except ValueError:
        raise BadAnswer("a ticket has no readable time", operation="read ticket") from None
    return (told if told.tzinfo is not None else told.replace(tzinfo=UTC)).astimezone(UTC)


def _text(row: dict[str, Any]) -> str:
    for name in ("body_text", "description_text"):
        if isinstance(row.get(name), str) and row[name]:
            return str(row[name])
    return to_text(str(row.get("body") or row.get("description") or ""))
