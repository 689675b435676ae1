"""Moving a conversation to where only the person reads: asked for by a tag, waited for, joined to the same ticket.

The tag counts when it appears, not while it stays: it is taken off by a note that may come late. From then on the
ticket waits for the person's private message. When one comes, its conversation is linked to the ticket, and what
agents write there goes to the person alone from then on, however many others talk on in public.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import sqlalchemy as sa

from connector.model import (
    HIDDEN,
    CommentDraft,
    CommentId,
    Mention,
    Reply,
    Settings,
    TicketId,
    decode,
    encode,
    key_of,
    utc,
)
from connector.store.arrivals import MADE, Arrival, accept_answer, accept_mentions, author_of, bear
from connector.store.store import Tx, insert, now
from connector.store.tables import conversations, deliveries, mentions, private_moves, tickets

_OVER = ("solved", "closed")
_LOOKED_AT = 50
AWAITING = "awaiting_private"
"""The tag of a ticket that waits for its person's private message."""


def heed(tx: Tx, helpdesk: str, ticket: TicketId, tag: str, *, there: bool) -> bool:
    """The tag that moves to private is there, or not; whether a move began."""
    where = sa.and_(private_moves.c.helpdesk == helpdesk, private_moves.c.ticket == ticket)
    known = tx.execute(sa.select(private_moves).where(where).with_for_update()).first()
    if not there or (known is not None and known.tagged):
        if known is not None and known.tagged and not there:
            tx.execute(sa.update(private_moves).where(where).values(tagged=False))
        return False
    at, count = now(tx), 1 if known is None else known.asks + 1
    home = _last_heard(tx, helpdesk, ticket)
    if home is None:
        return False  # not a ticket of ours
    conversation, source, said = home
    row = {"helpdesk": helpdesk, "ticket": ticket, "conversation": conversation, "asks": count, "tagged": True}
    row |= {"author": author_of(said) if said is not None else "", "asked_at": at, "reminded": said is None}
    row |= {"ended_at": at if said is None else None}
    if known is None or known.private is None:
        row["private"] = None
    statement = insert(tx, private_moves).values(row)
    tx.execute(statement.on_conflict_do_update(index_elements=["helpdesk", "ticket"], set_=row))
    told = "" if said is not None else "<p>Nobody said anything in public here: there is nothing to move.</p>"
    off = CommentDraft(ticket, told, settings=Settings(untag=(tag,)))
    born = {"kind": "note", "account": helpdesk, "source": source, "body": encode(off), "state": "", "reason": ""}
    key = key_of("private", helpdesk, ticket, str(count))
    bear(tx, [born | {"conversation": conversation, "key": key}], at)
    if said is not None:
        ident = CommentId(f"{MADE}private:{ticket}:{count}")
        line = Reply(ticket, ident, True, False, "", utc(at), "connector", answers=said.external_id, asked=True)
        accept_answer(tx, helpdesk, conversation, line)
    return said is not None


def _last_heard(tx: Tx, helpdesk: str, ticket: TicketId) -> tuple[int, str, Mention | None] | None:
    """The conversation of this ticket heard last, and the last thing a person said on it in public."""
    rows = tx.execute(
        sa.select(conversations.c.id, conversations.c.source, mentions.c.body)
        .join(mentions, mentions.c.conversation == conversations.c.id)
        .where(conversations.c.helpdesk == helpdesk, conversations.c.ticket == ticket)
        .order_by(mentions.c.id.desc())
        .limit(_LOOKED_AT)
    ).all()
    for row in rows:
        said = decode(Mention, row.body)
        if not (said.own or said.deleted or said.version or is_private(said)):
            return row.id, row.source, said
    return (rows[0].id, rows[0].source, None) if rows else None


def is_private(mention: Mention) -> bool:
    """Whether only the person and we can read it."""
    return mention.private or mention.kind == "dm"


def accept(tx: Tx, arrivals: Sequence[Arrival]) -> list[bool]:
    """Accept these mentions, for each whether it was new; what is private joins the ticket that waits for it."""
    fresh = accept_mentions(tx, arrivals)
    _welcome(tx, [arrival for arrival, new in zip(arrivals, fresh, strict=True) if new])
    return fresh


def _welcome(tx: Tx, arrived: Sequence[Arrival]) -> None:
    private: dict[str, list[Arrival]] = {}
    for arrival in arrived:
        said = arrival.mention
        if is_private(said) and not (said.own or said.deleted or said.version == HIDDEN):
            private.setdefault(author_of(said), []).append(arrival)
    if not private:
        return
    waiting = sa.select(private_moves).where(private_moves.c.author.in_(private), private_moves.c.ended_at.is_(None))
    for row in tx.execute(waiting.with_for_update()).all():
        homes = [_home(tx, one) for one in private[row.author] if one.helpdesk == row.helpdesk]
        written = [home for home in homes if home is not None]
        if written:
            _came(tx, row, written)


def _home(tx: Tx, arrival: Arrival) -> int | None:
    """The conversation it was said in; None when it is not carried, or is an edit of what was said before."""
    mine = mentions.alias("mine")
    said = arrival.mention
    known = sa.exists().where(
        mentions.c.source == said.source, mentions.c.external_id == said.external_id, mentions.c.id < mine.c.id
    )
    return tx.execute(
        sa.select(mine.c.conversation)
        .join(deliveries, deliveries.c.mention == mine.c.id)
        .where(mine.c.source == said.source, mine.c.external_id == said.external_id, mine.c.version == said.version)
        .where(deliveries.c.state != "ignored", ~known)
    ).scalar()


def _came(tx: Tx, row: Any, homes: Sequence[int]) -> None:
    """The person wrote in these conversations: the first that can be comes onto the ticket that waits, and the ticket
    is told where to read it."""
    ticket = TicketId(_ticket_of(tx, row.conversation) or row.ticket)
    joined = next((home for home in homes if _joins(tx, home, ticket)), None)
    where = sa.and_(private_moves.c.helpdesk == row.helpdesk, private_moves.c.ticket == row.ticket)
    # somebody who was moved here before is answered alone still
    values = {"ended_at": now(tx), "author": "", "private": row.private if joined is None else joined}
    tx.execute(sa.update(private_moves).where(where).values(values))
    other = _ticket_of(tx, homes[-1]) or "(opening)"
    place = f"on ticket {other}" if joined is None else "here: answers go to the person alone from now on"
    draft = CommentDraft(
        ticket,
        f"<p><strong>The person has written privately</strong>, {place}.</p>",
        settings=Settings(untag=(AWAITING,), status="open"),
    )
    _note(tx, row, draft, "private came", str(row.asks))


def _joins(tx: Tx, home: int, ticket: TicketId) -> bool:
    """Whether that conversation stands on this ticket now; one with another, or on its way to one, does not."""
    under_way = sa.exists().where(deliveries.c.conversation == home, deliveries.c.fence > 0)
    under_way = under_way.where(deliveries.c.state.in_(("ready", "intent")))
    tx.execute(
        sa.update(conversations)
        .where(conversations.c.id == home, conversations.c.ticket.is_(None), ~under_way)
        .values(ticket=ticket)  # without linked_at: what is read late goes to the person rather than in public
    )
    return _ticket_of(tx, home) == ticket


def _ticket_of(tx: Tx, conversation: int) -> str | None:
    """The ticket it stands on now, wherever a merge has taken it."""
    found: str | None = tx.execute(
        sa.select(conversations.c.ticket).where(conversations.c.id == conversation)
    ).scalar()
    return found


def waits_longer(tx: Tx, seconds: float) -> bool:
    """Whether a ticket has waited so long and was not reminded."""
    return tx.execute(_due(tx, seconds).limit(1)).first() is not None


def remind(tx: Tx, seconds: float, word: Callable[[TicketId, float], CommentDraft]) -> int:
    """Remind the tickets that have waited so long, each once; how many. One that is solved is not reminded."""
    rows = tx.execute(_due(tx, seconds).with_for_update(skip_locked=True)).all()
    for row in rows:
        where = sa.and_(private_moves.c.helpdesk == row.helpdesk, private_moves.c.ticket == row.ticket)
        tx.execute(sa.update(private_moves).where(where).values(reminded=True))
        ticket = TicketId(_ticket_of(tx, row.conversation) or row.ticket)
        _note(tx, row, word(ticket, now(tx) - row.asked_at), "private reminder", str(row.asks))
    return len(rows)


def _due(tx: Tx, seconds: float) -> Any:
    solved = sa.exists().where(
        conversations.c.id == private_moves.c.conversation,
        tickets.c.helpdesk == conversations.c.helpdesk,
        tickets.c.ticket == conversations.c.ticket,
        tickets.c.status.in_(_OVER),
    )
    return (
        sa.select(private_moves)
        .where(private_moves.c.ended_at.is_(None), ~private_moves.c.reminded)
        .where(private_moves.c.asked_at <= now(tx) - seconds, ~solved)
        .order_by(private_moves.c.asked_at)
    )


def _note(tx: Tx, row: Any, draft: CommentDraft, *words: str) -> None:
    source = tx.execute(sa.select(conversations.c.source).where(conversations.c.id == row.conversation)).scalar_one()
    born = {
        "kind": "note",
        "account": row.helpdesk,
        "source": source,
        "body": encode(draft),
        "state": "",
        "reason": "",
    }
    key = key_of(words[0], row.helpdesk, row.ticket, *words[1:])
    bear(tx, [born | {"conversation": row.conversation, "key": key}], now(tx))
