"""Silences: for a time no new tickets of a topic or a source. What is said meanwhile is accepted, kept, and told in
one digest when the silence is over; what is private and whom the mapping keeps apart is heard all the same."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from connector.store.bulk import Prepared
from connector.store.store import Tx, now
from connector.store.tables import digests, sightings, silences


@dataclass(frozen=True, slots=True)
class Silence:
    """No new tickets of a topic or a source, for a time; `kept` mentions wait for its digest."""

    id: int
    topic: str
    source: str
    why: str
    made_at: float
    until: float
    kept: int = 0


def silence(tx: Tx, *, topic: str, source: str, seconds: float, why: str) -> int:
    """Begin a silence; its number."""
    at = now(tx)
    row = {"topic": topic, "source": source, "why": why[:500], "made_at": at, "until": at + seconds}
    return int(tx.execute(sa.insert(silences).values(row).returning(silences.c.id)).scalar_one())


def end_silence(tx: Tx, number: int) -> str:
    """End a silence now; its digest is written. Gives what was wrong with asking, or an empty text."""
    at = now(tx)
    done = tx.execute(
        sa.update(silences).where(silences.c.id == number, silences.c.until > at).values(until=at)
    ).rowcount
    if done:
        return ""
    there = tx.execute(sa.select(silences.c.id).where(silences.c.id == number)).first()
    return f"silence {number} is over already" if there is not None else f"there is no silence {number}"


def list_silences(tx: Tx, *, over: bool = False) -> list[Silence]:
    """Silences that last, or with `over` all of them; the newest first."""
    kept = (
        sa.select(sa.func.count())
        .select_from(sightings.join(digests, digests.c.id == sightings.c.digest))
        .where(digests.c.silence == silences.c.id)
        .scalar_subquery()
    )
    statement = sa.select(silences, kept.label("kept")).order_by(silences.c.id.desc())
    if not over:
        statement = statement.where(silences.c.until > now(tx))
    return [
        Silence(row.id, row.topic, row.source, row.why, row.made_at, row.until, row.kept)
        for row in tx.execute(statement)
    ]


def silencing(tx: Tx, topic: str, source: str, at: float) -> Any:
    """The silence that covers it, the one that lasts longest; a topic covers what stands under it."""
    parts = topic.split(".")
    names = ["", *(".".join(parts[:length]) for length in range(1, len(parts) + 1))]
    return tx.execute(
        sa.select(silences)
        .where(silences.c.until > at, silences.c.topic.in_(names), silences.c.source.in_(("", source)))
        .order_by(silences.c.until.desc(), silences.c.id)
        .limit(1)
    ).first()


def silent(tx: Tx, at: float) -> bool:
    """Whether any silence lasts."""
    return _SILENT.run(tx, moment=at).first() is not None


_SILENT = Prepared(
    lambda _: sa.select(silences.c.id).where(silences.c.until > sa.bindparam("moment", type_=sa.Double)).limit(1)
)
