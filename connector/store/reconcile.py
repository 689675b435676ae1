"""What is looked at again although nothing is due: endings once in doubt, replies that wait too long, and people who
do (`watches.py` says who they are)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from connector.model import CommentDraft, Deadlines, DueStep, TicketId, decode, encode, key_of
from connector.store.arrivals import bear
from connector.store.claims import Claim, load
from connector.store.queue import free_lanes, leave_lanes, notes_of
from connector.store.store import Tx, now, unindexed
from connector.store.tables import accounts, conversations, deliveries, watches

_WAITING = ".waiting"
_WAITS = ("ready", "blocked", "intent")
_ON_ITS_WAY = 600.0
"""Seconds after a step in which an answer that is on its way may still arrive."""


def doubtful(tx: Tx, owner: str, older: float, limit: int) -> list[Claim]:
    """What is done, was in doubt longer than `older` seconds ago, and was not looked at again since."""
    at = now(tx)
    ids = list(
        tx.execute(
            sa.select(deliveries.c.id)
            .where(deliveries.c.doubted_at < at - older, deliveries.c.checked_at.is_(None))
            .where(deliveries.c.doubted_at.is_not(None), unindexed(deliveries.c.state) == "done")
            .order_by(deliveries.c.doubted_at)
            .limit(limit)
        ).scalars()
    )
    return load(tx, ids, set(), owner, at) if ids else []


def checked(tx: Tx, looked: Claim, notes: Sequence[CommentDraft]) -> None:
    """The reconciler has looked; what it found is told on the ticket."""
    at = now(tx)
    marked = tx.execute(
        sa.update(deliveries)
        .where(deliveries.c.id == looked.id, deliveries.c.checked_at.is_(None))
        .values(checked_at=at)
    )
    if marked.rowcount == 1:
        bear(tx, notes_of(looked, notes), at)


def overdue(tx: Tx, owner: str, older: float, limit: int) -> list[tuple[Claim, str]]:
    """Replies that wait longer than `older` seconds and whose ticket was not told yet, each with the reason."""
    at = now(tx)
    told = deliveries.alias("told")
    stopped = sa.func.nullif(accounts.c.stopped, "")
    rows = tx.execute(
        sa.select(deliveries.c.id, sa.func.coalesce(stopped, deliveries.c.reason).label("why"))
        .outerjoin(accounts, accounts.c.name == deliveries.c.account)
        .where(deliveries.c.kind == "reply", deliveries.c.state.in_(_WAITS))
        .where(deliveries.c.created_at < at - older)
        .where(~sa.exists().where(told.c.key == deliveries.c.key + _WAITING))
        .order_by(deliveries.c.created_at, deliveries.c.id)  # by id alone PostgreSQL would go through all there are
        .limit(limit)
    ).all()
    why = {row.id: row.why for row in rows}
    return [(claim, why[claim.id]) for claim in load(tx, list(why), set(), owner, at)] if why else []


def tell_waiting(tx: Tx, waits: Claim, note: CommentDraft) -> None:
    """Have the ticket say that this reply waits, if it still does; once."""
    key = waits.key + _WAITING
    still = sa.select(deliveries.c.id).where(deliveries.c.id == waits.id, deliveries.c.state.in_(_WAITS))
    told = sa.select(deliveries.c.id).where(deliveries.c.key == key)
    if tx.execute(still.with_for_update()).first() is not None and tx.execute(told).first() is None:
        bear(tx, [row | {"key": key} for row in notes_of(waits, [note])], now(tx))


# --- first answers ---


@dataclass(frozen=True, slots=True)
class Passed:
    """A step that passed without an answer. `missed` are all steps that nobody was told of, this one the last;
    `after` is how many steps were acted on before them, `reached` how many are now."""

    conversation: int
    delivery: int
    helpdesk: str
    source: str
    ticket: TicketId
    since: float
    deadlines: Deadlines
    missed: tuple[DueStep, ...]
    after: int
    reached: int

    @property
    def step(self) -> DueStep:
        """The one that passed last."""
        return self.missed[-1]


def passed(tx: Tx, limit: int) -> list[Passed]:
    """Steps that passed, locked until the transaction ends; `told` takes each. After an outage a conversation has
    one, the last: the note about an earlier step that still waits to be written is taken back for it.

    Rows that another replica works on are passed over, so this waits for nobody.
    """
    at = now(tx)
    found = []
    for row in tx.execute(_PASSED, {"at": at, "patience": at - _ON_ITS_WAY, "n": limit}).all():
        deadlines = decode(Deadlines, row.due)
        names = [step for step, when in deadlines.steps if when.timestamp() <= at]
        after = row.note_after if row.note is not None and _taken_back(tx, row.note, at) else row.step
        found.append(
            Passed(
                row.conversation,
                row.delivery,
                row.helpdesk,
                row.source,
                TicketId(row.ticket),
                row.since,
                deadlines,
                tuple(names[after:]),
                after,
                len(names),
            )
        )
    return found


_PASSED = (
    sa.select(watches, conversations.c.helpdesk, conversations.c.source, conversations.c.ticket)
    .join(conversations, conversations.c.id == watches.c.conversation)
    .where(watches.c.next_at <= sa.bindparam("at"), watches.c.next_at.is_not(None))
    .where(sa.or_(conversations.c.live_out == 0, watches.c.next_at <= sa.bindparam("patience")))
    .where(conversations.c.ticket.is_not(None))
    .order_by(watches.c.next_at)
    .limit(sa.bindparam("n"))
    .with_for_update(skip_locked=True, of=[watches, conversations])
)


def _taken_back(tx: Tx, note: int, at: float) -> bool:
    """Whether this note had not begun to be written; then it never will be."""
    row = tx.execute(
        sa.select(deliveries.c.lane, deliveries.c.state)
        .where(deliveries.c.id == note, deliveries.c.state.in_(("ready", "blocked")), deliveries.c.lease_until < at)
        .with_for_update(skip_locked=True)
    ).first()
    if row is None:
        return False
    values: dict[str, Any] = {"state": "ignored", "reason": "a later deadline has passed meanwhile", "ended_at": at}
    tx.execute(sa.update(deliveries).where(deliveries.c.id == note).values(values))
    (free_lanes(tx, {row.lane: 1}, at) if row.state == "ready" else leave_lanes(tx, {row.lane: 1}))
    return True


def told(tx: Tx, step: Passed, note: CommentDraft | None) -> None:
    """Take the step: the note about it, if there is one, is born with a key of its own."""
    at = now(tx)
    left = step.deadlines.steps[step.reached :]
    values: dict[str, Any] = {"step": step.reached, "next_at": left[0][1].timestamp() if left else None}
    if note is not None:
        key = key_of("deadline", str(step.conversation), str(step.delivery), step.step)
        row = {"kind": "note", "account": step.helpdesk, "source": step.source, "body": encode(note), "key": key}
        known = sa.select(deliveries.c.id).where(deliveries.c.key == key)
        if tx.execute(known).scalar() is None:
            bear(tx, [row | {"conversation": step.conversation, "state": "", "reason": ""}], at)
        values |= {"note": tx.execute(known).scalar_one(), "note_after": step.after}
    tx.execute(sa.update(watches).where(watches.c.conversation == step.conversation).values(values))
