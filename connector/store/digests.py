"""Digests: mentions that got no ticket of their own, told in private notes on one ticket, some to a note.

A mention comes into a digest by `storms.place` and waits there `held`. Its bulletin is born in the transaction that
marks it told, and only what is held is told: what a person let go meanwhile has a ticket of its own.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from connector.model import HIDDEN, Bulletin, Mention, decode, key_of
from connector.store.store import Tx, now
from connector.store.storms import STORMS, Storm, made, own_conversation, tell
from connector.store.tables import deliveries, digests, mentions, sightings, silences, storms

DIGEST_SIZE = 20
"""Mentions in one bulletin: Zendesk allows 30 updates of a ticket in ten minutes."""
DIGEST_WAIT = 60.0
"""Seconds for which a bulletin waits to be full."""


@dataclass(frozen=True, slots=True)
class Gathered:
    """Mentions for one bulletin, each with the number of its delivery. `left` more wait. `storm`: they are told on
    its problem ticket; `silence`: why it was silent."""

    helpdesk: str
    name: str
    items: tuple[tuple[int, Mention], ...]
    left: int
    storm: Storm | None = None
    silence: str = ""


def gather(tx: Tx, word: Callable[[Gathered], Bulletin], most: int = DIGEST_SIZE, wait: float = DIGEST_WAIT) -> int:
    """Put what waits in digests into bulletins, full ones at once, others after `wait` seconds, silenced ones when
    their silence is over; how many mentions."""
    at = now(tx)
    told = 0
    waiting = sa.exists().where(sightings.c.digest == digests.c.id, sightings.c.told.is_(None))
    over = sa.or_(
        digests.c.silence.is_(None),
        sa.exists().where(silences.c.id == digests.c.silence, silences.c.until <= at),
    )
    due = sa.select(digests).where(waiting, over).order_by(digests.c.id).with_for_update(skip_locked=True)
    for digest in tx.execute(due).all():
        rows = tx.execute(
            sa.select(sightings.c.delivery, sightings.c.at, deliveries.c.source, mentions.c.body, _LAST)
            .join(deliveries, deliveries.c.id == sightings.c.delivery)
            .join(mentions, mentions.c.id == deliveries.c.mention)
            .where(sightings.c.digest == digest.id, sightings.c.told.is_(None), deliveries.c.state == "held")
            .order_by(sightings.c.delivery)
            .limit(10 * most)
        ).all()
        if not rows or (len(rows) < most and rows[0].at > at - wait and digest.silence is None):
            continue
        chosen, home = rows[:most], digest.conversation
        if home is None:
            home = own_conversation(tx, digest.helpdesk, chosen[0].source, f"digest {digest.id}")
            tx.execute(sa.update(digests).where(digests.c.id == digest.id).values(conversation=home))
        items = tuple((row.delivery, _said(row)) for row in chosen)
        storm = tx.execute(STORMS.where(storms.c.conversation == home)).first()
        why = tx.execute(sa.select(silences.c.why).where(silences.c.id == digest.silence)).scalar() or ""
        gathered = Gathered(
            digest.helpdesk, digest.name, items, len(rows) - len(chosen), made(storm) if storm else None, why
        )
        key = key_of("digest", digest.helpdesk, digest.name, *(str(number) for number, _ in items))
        number = tell(tx, home, word(gathered), key)
        numbers = [row.delivery for row in chosen]
        tx.execute(sa.update(sightings).where(sightings.c.delivery.in_(numbers)).values(told=number))
        told += len(chosen)
    return told


_later = mentions.alias("later")
_LAST = (
    sa.select(_later.c.body)
    .where(_later.c.source == mentions.c.source, _later.c.external_id == mentions.c.external_id)
    .order_by(_later.c.id.desc())
    .limit(1)
    .scalar_subquery()
    .label("last")
)


def _said(row: Any) -> Mention:
    """As its author left it, for an edit has no ticket to be noted on. What was taken back is told as it was."""
    last = decode(Mention, row.last)
    return decode(Mention, row.body) if last.deleted or last.version == HIDDEN else last
