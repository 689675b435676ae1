"""Who still waits for a first answer, and since when: one watch a conversation.

A watch begins with the mention that expects an answer, in the transaction that ends its delivery. It ends with an
answer, when the ticket is solved or when somebody says that there will be none; the next mention that expects one
begins another. Mentions that come while it runs wait with it: the last of them takes its place should the answer
turn out to be older than they are.

Nothing is sent from here. What has to be told when a step passes is a note like any other, born with its key in the
transaction that takes the step (`reconcile.py`), so that neither a second replica nor a crash can double it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from connector.model import Deadlines, TicketState, decode, encode
from connector.store.bulk import bulk, bulk_insert
from connector.store.store import Tx, now
from connector.store.tables import ANSWERED_THERE, OWN_POST, conversations, deliveries, mentions, watches

ANSWERED, SOLVED, KEPT, DELETED = "answered", "solved", "do_not_reply", "deleted"
_OVER = ("solved", "closed")


@dataclass(frozen=True, slots=True)
class Begun:
    """A mention that expects an answer: its conversation and delivery, when it was said, when the answer is due."""

    conversation: int
    delivery: int
    since: float
    due: Deadlines


@dataclass(frozen=True, slots=True)
class Overview:
    """How many conversations wait for a first answer; of those, how many are past their target, and how many are
    late (past the breach)."""

    watched: int = 0
    past_target: int = 0
    late: int = 0


def begin(tx: Tx, begun: Sequence[Begun]) -> None:
    """Watch these from now on, one of each conversation; where a watch runs already it goes on."""
    if not begun:
        return
    at = now(tx)
    rows = [_row(one, at) for one in begun]
    _BEGIN.run(tx, rows)
    given = [{"number": one.conversation, "by": one.delivery} for one in begun]
    _END_ANSWERED.run(tx, given, at=at)


def _row(one: Begun, at: float) -> dict[str, Any]:
    first = one.due.steps[0][1].timestamp()
    target, breach = one.due.target.timestamp(), one.due.breach.timestamp()
    row = {"conversation": one.conversation, "delivery": one.delivery, "since": one.since, "due": encode(one.due)}
    return row | {"target": target, "breach": breach, "next_at": first, "begun_at": at}


_GIVEN = ("conversation", "delivery", "since", "due", "target", "breach", "next_at", "begun_at")


def _beginning(insert: Any) -> Any:
    """A new watch, or the newest mention of one that runs."""
    ended = watches.c.ended_at.is_not(None)
    afresh = {name: sa.case((ended, insert.excluded[name]), else_=watches.c[name]) for name in _GIVEN[1:]}
    reset = {"step": 0, "note": None, "note_after": 0, "ended_at": None, "why": ""}
    cleared = {
        name: sa.case((ended, sa.cast(value, watches.c[name].type)), else_=watches.c[name])
        for name, value in reset.items()
    }
    newest = {"later": "due", "later_delivery": "delivery", "later_since": "since"}
    later = {name: sa.case((ended, sa.null()), else_=insert.excluded[given]) for name, given in newest.items()}
    return insert.on_conflict_do_update(index_elements=["conversation"], set_={**afresh, **cleared, **later})


_BEGIN = bulk_insert(watches, *_GIVEN, then=_beginning)

# somebody answered on the platform itself, before we had even opened the ticket
_END_ANSWERED = bulk(
    lambda _, given: (
        sa.update(watches)
        .where(watches.c.conversation == given["number"], watches.c.delivery == given["by"])
        .where(
            sa.exists().where(
                deliveries.c.conversation == watches.c.conversation,
                deliveries.c.id > watches.c.delivery,
                sa.literal_column(f"deliveries.reason IN ('{OWN_POST}', '{ANSWERED_THERE}')"),
            )
        )
        .values(ended_at=sa.bindparam("at", type_=sa.Double), why=sa.literal_column(f"'{ANSWERED}'"), next_at=None)
    ),
    number=watches.c.conversation.type,
    by=watches.c.delivery.type,
)


def answered(tx: Tx, answers: Sequence[tuple[int, float]]) -> None:
    """These conversations were answered at these times: what was said until then waits no longer."""
    if not answers:
        return
    latest: dict[int, float] = {}
    for conversation, said_at in answers:
        latest[conversation] = max(said_at, latest.get(conversation, said_at))
    for row in tx.execute(_RUNNING, {"numbers": sorted(latest)}).all():
        said_at = latest[row.conversation]
        if row.since > said_at:
            continue
        _over_for(tx, row, ANSWERED, newest=row.later is not None and row.later_since > said_at)


def withdrawn(tx: Tx, gone: Sequence[tuple[int, str]]) -> None:
    """These messages, each of a conversation, were taken back by who wrote them: nobody waits for an answer to them,
    but perhaps to what was said since."""
    ids = dict(gone)
    for row in tx.execute(_RUNNING, {"numbers": sorted(ids)}).all() if ids else ():
        said = sa.select(deliveries.c.id, mentions.c.external_id).join(
            mentions, mentions.c.id == deliveries.c.mention
        )
        asked = (row.delivery, row.later_delivery or row.delivery)
        found = {one.id: one.external_id for one in tx.execute(said.where(deliveries.c.id.in_(asked)))}
        if found.get(row.delivery) == ids[row.conversation]:
            later = found.get(row.later_delivery) if row.later is not None else None
            _over_for(tx, row, DELETED, newest=later is not None and later != ids[row.conversation])


def _over_for(tx: Tx, row: Any, why: str, *, newest: bool) -> None:
    """This watch ends, or goes on for the newest mention that waits with it."""
    at = now(tx)
    if newest:
        begun = Begun(row.conversation, row.later_delivery, row.later_since, decode(Deadlines, row.later))
        values: dict[str, Any] = _row(begun, at) | {"step": 0, "note": None, "note_after": 0}
        values |= {"later": None, "later_delivery": None, "later_since": None}
    else:
        values = {"ended_at": at, "why": why, "next_at": None}
    tx.execute(sa.update(watches).where(watches.c.conversation == row.conversation).values(values))


_RUNNING = (
    sa.select(watches)
    .where(watches.c.conversation.in_(sa.bindparam("numbers", expanding=True)), watches.c.ended_at.is_(None))
    .order_by(watches.c.conversation)
    .with_for_update()
)


def heed(tx: Tx, helpdesk: str, state: TicketState, quiet: str, read_at: float) -> None:
    """What the ticket says of it: solved, or tagged `quiet`, nobody waits any more; the tag taken off, they do again.
    `read_at` is when the ticket was read, on the database's clock: what began later is not judged by that."""
    why = SOLVED if state.status in _OVER else KEPT if quiet and quiet in state.tags else ""
    mine = (
        sa.select(conversations.c.id)
        .where(conversations.c.helpdesk == helpdesk, conversations.c.ticket == state.ticket)
        .scalar_subquery()
    )
    chosen = watches.c.conversation.in_(mine)
    if why:
        tx.execute(
            sa.update(watches)
            .where(chosen, watches.c.ended_at.is_(None), watches.c.begun_at <= read_at)
            .values(ended_at=now(tx), why=why, next_at=None)
        )
        return
    for row in tx.execute(sa.select(watches).where(chosen, watches.c.why == KEPT)).all():
        steps = decode(Deadlines, row.due).steps[row.step :]
        tx.execute(
            sa.update(watches)
            .where(watches.c.conversation == row.conversation, watches.c.why == KEPT)
            .values(ended_at=None, why="", next_at=steps[0][1].timestamp() if steps else None)
        )


def overview(tx: Tx) -> Overview:
    """How many wait now, and how many of them too long."""
    at = now(tx)
    row = tx.execute(
        sa.select(
            sa.func.count(),
            sa.func.count(sa.case((watches.c.target <= at, 1))),
            sa.func.count(sa.case((watches.c.breach <= at, 1))),
        ).where(watches.c.ended_at.is_(None))
    ).one()
    return Overview(*row)
