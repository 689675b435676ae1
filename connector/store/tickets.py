"""What agents do to tickets, remembered: how they stand, where they were merged to, whom they mute.

Read back from the helpdesk whenever a ticket is looked at; what reports are made of, and what a tag asks of us.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import sqlalchemy as sa

from connector.model import (
    CommentDraft,
    CommentId,
    Decision,
    Mention,
    Merge,
    Receipt,
    Reply,
    Settings,
    TicketId,
    TicketState,
    decode,
    encode,
    key_of,
)
from connector.store import journal
from connector.store.arrivals import MADE, bear, wake
from connector.store.store import Tx, insert, now, unindexed
from connector.store.tables import conversations, deliveries, mentions, muted, parts, replies, tickets

_OVER = ("solved", "closed")


def note_state(tx: Tx, helpdesk: str, state: TicketState) -> None:
    """Remember how a ticket stands; solved and reopened are told by what was seen before. What the person said of an
    answer stays until they say something else."""
    at = now(tx)
    over = state.status in _OVER
    known = tx.execute(
        sa.select(tickets.c.solved_at, tickets.c.reopened, tickets.c.satisfaction).where(
            tickets.c.helpdesk == helpdesk, tickets.c.ticket == state.ticket
        )
    ).first()
    was_over = known is not None and known.solved_at is not None
    row = {
        "helpdesk": helpdesk,
        "ticket": state.ticket,
        "status": state.status,
        "assignee": state.assignee,
        "satisfaction": state.satisfaction or (known.satisfaction if known is not None else ""),
        "tone": state.tone,
        "solved_at": (known.solved_at if known is not None and was_over else at) if over else None,
        "reopened": (known.reopened if known is not None else 0) + (was_over and not over),
        "seen_at": at,
    }
    statement = insert(tx, tickets).values(row)
    tx.execute(statement.on_conflict_do_update(index_elements=["helpdesk", "ticket"], set_=row))


def toned(tx: Tx, since: float = 0.0) -> Iterator[tuple[Mention, Decision, str, bool]]:
    """Of each ticket whose tone field holds something: the mention that opened it, the decision, what the field
    holds, and whether the ticket was solved; nothing where the mention was erased. To be read while the transaction
    lasts."""
    opened = sa.exists().where(parts.c.delivery == deliveries.c.id, parts.c.n == 0, parts.c.op == "ticket")
    first = (
        sa.select(sa.func.min(deliveries.c.id).label("number"), tickets.c.tone, tickets.c.status)
        .select_from(tickets)
        .join(
            conversations,
            sa.and_(conversations.c.helpdesk == tickets.c.helpdesk, conversations.c.ticket == tickets.c.ticket),
        )
        .join(deliveries, deliveries.c.conversation == conversations.c.id)
        .where(tickets.c.tone != "", deliveries.c.kind == "mention", opened)
        .where(tickets.c.seen_at >= since)
        .group_by(tickets.c.helpdesk, tickets.c.ticket, tickets.c.tone, tickets.c.status)
        .subquery()
    )
    rows = tx.execute(
        sa.select(mentions.c.body, deliveries.c.trace, first.c.tone, first.c.status)
        .join(deliveries, deliveries.c.id == first.c.number)
        .join(mentions, mentions.c.id == deliveries.c.mention)
        .where(deliveries.c.trace.is_not(None))
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


def recall(
    tx: Tx,
    helpdesk: str,
    ticket: TicketId,
    found: Sequence[Reply],
    said: Callable[[Sequence[Receipt]], str],
    *,
    missing: bool = True,
) -> int:
    """Have the ticket told, once, of each answer that was posted and is now private, blacked out or gone there; how
    many were new. `found` is all that stands on the ticket, `missing` whether what does not was deleted (and did not
    move in a merge); `said` makes the note of what the platform gave back."""
    now_there = {reply.id: reply for reply in found}
    rows = tx.execute(_TAKEN, {"desk": helpdesk, "number": ticket}).all()
    known = [row for row in rows if missing or CommentId(row.comment) in now_there]
    gone = [row for row in known if _taken_back(decode(Reply, row.body), now_there.get(CommentId(row.comment)))]
    if not gone:
        return 0
    keys = {key_of("recall", helpdesk, row.comment): row for row in gone}
    told = set(tx.execute(sa.select(deliveries.c.key).where(deliveries.c.key.in_(keys))).scalars())
    born = []
    for key, row in keys.items():
        receipts = _posted(tx, row) if key not in told else []
        if receipts:
            note = encode(CommentDraft(ticket, said(receipts)))
            one = {"kind": "note", "account": helpdesk, "source": row.source, "body": note, "key": key}
            born.append(one | {"conversation": row.conversation, "state": "", "reason": ""})
    bear(tx, born, now(tx))
    return len(born)


_TAKEN = (
    sa.select(replies.c.id, replies.c.comment, replies.c.body, replies.c.conversation, conversations.c.source)
    .join(conversations, conversations.c.id == replies.c.conversation)
    .where(conversations.c.helpdesk == sa.bindparam("desk"), conversations.c.ticket == sa.bindparam("number"))
    .where(unindexed(replies.c.helpdesk) == sa.bindparam("desk"), replies.c.ticket == sa.bindparam("number"))
    .order_by(replies.c.id)
)


def _taken_back(before: Reply, current: Reply | None) -> bool:
    """Whether what was public when we took it is so no more; what nobody wrote on a ticket never stood there."""
    if before.answers:
        return False
    return current is None or not current.public or (current.redacted and not before.redacted)


def _posted(tx: Tx, row: Any) -> list[Receipt]:
    """What the platform gave back for a reply, part by part; nothing while it is under way."""
    ended = (
        sa.select(parts.c.receipt)
        .join(deliveries, deliveries.c.id == parts.c.delivery)
        .where(deliveries.c.conversation == row.conversation, deliveries.c.reply == row.id)
        .where(deliveries.c.kind == "reply", deliveries.c.state == "done", parts.c.receipt.is_not(None))
        .order_by(parts.c.n)
    )
    return [decode(Receipt, receipt) for receipt in tx.execute(ended).scalars()]


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
    """Let the held replies of a ticket go because it carries this tag, and have the tag taken off; how many went.
    What nobody wrote does not go along with what agents did, only alone; and while the tag is still to be taken off
    for those before, it says nothing about what is held since."""
    if _coming_off(tx, helpdesk, ticket, tag):
        return 0
    held = tx.execute(
        sa.select(
            deliveries.c.id, deliveries.c.conversation, deliveries.c.source, deliveries.c.fence, replies.c.comment
        )
        .join(replies, replies.c.id == deliveries.c.reply)
        .join(conversations, conversations.c.id == deliveries.c.conversation)
        .where(conversations.c.helpdesk == helpdesk, conversations.c.ticket == ticket)
        .where(deliveries.c.kind == "reply", deliveries.c.state == "held")
        .order_by(deliveries.c.id)
    ).all()
    rows = [row for row in held if not row.comment.startswith(MADE)] or held
    for row in rows:
        journal.release(tx, row.id)
    if rows:
        off = CommentDraft(ticket, "", settings=Settings(untag=(tag,)))
        key = key_of("release", helpdesk, ticket, *(f"{row.id}.{row.fence}" for row in rows))
        born = {"kind": "note", "account": helpdesk, "source": rows[0].source, "body": encode(off), "key": key}
        bear(tx, [born | {"conversation": rows[0].conversation, "state": "", "reason": ""}], now(tx))
    return len(rows)


def _coming_off(tx: Tx, helpdesk: str, ticket: TicketId, tag: str) -> bool:
    """Whether a note that takes this tag off is on its way."""
    notes = (
        sa.select(deliveries.c.body)
        .join(conversations, conversations.c.id == deliveries.c.conversation)
        .where(conversations.c.helpdesk == helpdesk, conversations.c.ticket == ticket)
        .where(deliveries.c.kind == "note", deliveries.c.state.in_(("ready", "blocked", "intent")))
    )
    bodies = tx.execute(notes).scalars()
    return any(body and tag in decode(CommentDraft, body).settings.untag for body in bodies)
