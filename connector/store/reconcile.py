"""What is looked at again although nothing is due: endings once in doubt, and replies that wait too long."""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa

from connector.model import CommentDraft
from connector.store.arrivals import bear
from connector.store.claims import Claim, load
from connector.store.queue import notes_of
from connector.store.store import Tx, now
from connector.store.tables import accounts, deliveries

_WAITING = ".waiting"
_WAITS = ("ready", "blocked", "intent")


def doubtful(tx: Tx, owner: str, older: float, limit: int) -> list[Claim]:
    """What is done, was in doubt longer than `older` seconds ago, and was not looked at again since."""
    at = now(tx)
    ids = list(
        tx.execute(
            sa.select(deliveries.c.id)
            .where(deliveries.c.doubted_at < at - older, deliveries.c.checked_at.is_(None))
            .where(deliveries.c.doubted_at.is_not(None), deliveries.c.state == "done")
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
        .order_by(deliveries.c.id)
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
