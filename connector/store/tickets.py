"""What agents do to tickets, remembered: how they stand, where they were merged to, whom they mute.

Read back from the helpdesk whenever a ticket is looked at; what reports are made of, and what a tag asks of us.
"""

from __future__ import annotations

from collections.abc import Iterator

import sqlalchemy as sa

from connector.model import (
    CommentDraft,
    Decision,
    Mention,
    Merge,
    Settings,
    TicketId,
    TicketState,
    decode,
    encode,
    key_of,
)
from connector.store import journal
from connector.store.arrivals import bear, wake
from connector.store.store import Tx, insert, now
from connector.store.tables import conversations, deliveries, mentions, muted, tickets

_OVER = ("solved", "closed")


def note_state(tx: Tx, helpdesk: str, state: TicketState) -> None:
    """Remember how a ticket stands; solved and reopened are told by what was seen before."""
    at = now(tx)
    over = state.status in _OVER
    known = tx.execute(
        sa.select(tickets.c.solved_at, tickets.c.reopened).where(
            tickets.c.helpdesk == helpdesk, tickets.c.ticket == state.ticket
        )
    ).first()
    was_over = known is not None and known.solved_at is not None
    row = {
        "helpdesk": helpdesk,
        "ticket": state.ticket,
        "status": state.status,
        "assignee": state.assignee,
        "satisfaction": state.satisfaction,
        "tone": state.tone,
        "solved_at": (known.solved_at if known is not None and was_over else at) if over else None,
        "reopened": (known.reopened if known is not None else 0) + (was_over and not over),
        "seen_at": at,
    }
    statement = insert(tx, tickets).values(row)
    tx.execute(statement.on_conflict_do_update(index_elements=["helpdesk", "ticket"], set_=row))


def toned(tx: Tx, since: float = 0.0) -> Iterator[tuple[Mention, Decision, str, bool]]:
    """Of each ticket whose tone field holds something: the mention that opened it and was decided, the decision, what
    the field holds, and whether the ticket was solved. To be read while the transaction lasts."""
    first = (
        sa.select(sa.func.min(deliveries.c.id).label("number"), tickets.c.tone, tickets.c.status)
        .select_from(tickets)
        .join(
            conversations,
            sa.and_(conversations.c.helpdesk == tickets.c.helpdesk, conversations.c.ticket == tickets.c.ticket),
        )
        .join(deliveries, deliveries.c.conversation == conversations.c.id)
        .where(tickets.c.tone != "", deliveries.c.kind == "mention", deliveries.c.trace.is_not(None))
        .where(tickets.c.seen_at >= since)
        .group_by(tickets.c.helpdesk, tickets.c.ticket, tickets.c.tone, tickets.c.status)
        .subquery()
    )
    rows = tx.execute(
        sa.select(mentions.c.body, deliveries.c.trace, first.c.tone, first.c.status)
        .join(deliveries, deliveries.c.id == first.c.number)
        .join(mentions, mentions.c.id == deliveries.c.mention)
        .order_by(first.c.number)
        .execution_options(yield_per=500)
    )
    for row in rows:
        yield decode(Mention, row.body), decode(Decision, row.trace), row.tone, row.status in _OVER


def move(tx: Tx, helpdesk: str, ticket: TicketId, merge: Merge) -> int:
    """The conversations of a merged ticket go on where it went; how many they are. What agents said there before the
    merge was not said to these people."""
    moved = tx.execute(
        sa.update(conversations)
        .where(conversations.c.helpdesk == helpdesk, conversations.c.ticket == ticket)
        .values(ticket=merge.into, linked_at=merge.at.timestamp())
    )
    if moved.rowcount:
        wake(tx, helpdesk, [merge.into])
    return int(moved.rowcount)


def mute(tx: Tx, helpdesk: str, ticket: TicketId) -> int:
    """Mute the people whose first words opened this ticket; how many were not muted yet."""
    first = (
        sa.select(sa.func.min(mentions.c.id))
        .join(conversations, conversations.c.id == mentions.c.conversation)
        .where(conversations.c.helpdesk == helpdesk, conversations.c.ticket == ticket)
        .group_by(conversations.c.id)
        .scalar_subquery()
    )
    people = tx.execute(
        sa.select(mentions.c.source, mentions.c.author).where(mentions.c.id.in_(first), mentions.c.author != "")
    ).all()
    if not people:
        return 0
    rows = [{"source": source, "author": author} for source, author in {tuple(one) for one in people}]
    done = tx.execute(
        insert(tx, muted).on_conflict_do_nothing().returning(muted.c.author),
        [row | {"helpdesk": helpdesk, "ticket": ticket, "muted_at": now(tx)} for row in rows],
    )
    return len(done.all())


def unmute(tx: Tx, helpdesk: str, ticket: TicketId) -> int:
    """The tag was taken off again; how many are heard again."""
    gone = tx.execute(sa.delete(muted).where(muted.c.helpdesk == helpdesk, muted.c.ticket == ticket))
    return int(gone.rowcount)


def release(tx: Tx, helpdesk: str, ticket: TicketId, tag: str) -> int:
    """Let the held replies of a ticket go because it carries this tag, and have the tag taken off; how many went."""
    rows = tx.execute(
        sa.select(deliveries.c.id, deliveries.c.conversation, deliveries.c.source, deliveries.c.fence)
        .join(conversations, conversations.c.id == deliveries.c.conversation)
        .where(conversations.c.helpdesk == helpdesk, conversations.c.ticket == ticket)
        .where(deliveries.c.kind == "reply", deliveries.c.state == "held")
        .order_by(deliveries.c.id)
    ).all()
    for row in rows:
        journal.release(tx, row.id)
    if rows:
        off = CommentDraft(ticket, "", settings=Settings(untag=(tag,)))
        key = key_of("release", helpdesk, ticket, *(f"{row.id}.{row.fence}" for row in rows))
        born = {"kind": "note", "account": helpdesk, "source": rows[0].source, "body": encode(off), "key": key}
        bear(tx, [born | {"conversation": rows[0].conversation, "state": "", "reason": ""}], now(tx))
    return len(rows)
