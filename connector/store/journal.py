"""What people ask the store, and what they may do to a delivery: retry, drop, release.

The balance is proof, not decoration: `received` and `duplicates` are counted where a mention arrives, everything else
is counted from the rows, so the two sides come from different places and must still agree.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from connector.model import Cursor, Mention, decode
from connector.store.queue import free_lanes, leave_lanes
from connector.store.store import Tx, now
from connector.store.tables import (
    accounts,
    conversations,
    counters,
    cursors,
    deliveries,
    mentions,
    meta,
    parts,
    replies,
    sightings,
)


@dataclass(frozen=True, slots=True)
class Balance:
    """received = ticketed + appended + duplicates + ignored + pending + held + failed + unsure.

    `ignored` by reason. `ticketed` opened a ticket, `appended` became a comment (or rode along in one).
    """

    received: int = 0
    duplicates: int = 0
    ticketed: int = 0
    appended: int = 0
    pending: int = 0
    held: int = 0
    failed: int = 0
    unsure: int = 0
    ignored: dict[str, int] = field(default_factory=dict)

    @property
    def accounted(self) -> int:
        """The right-hand side."""
        parts_of_it = (
            self.ticketed,
            self.appended,
            self.duplicates,
            self.pending,
            self.held,
            self.failed,
            self.unsure,
        )
        return sum(parts_of_it) + sum(self.ignored.values())

    @property
    def even(self) -> bool:
        """Whether the ledger balances."""
        return self.received == self.accounted

    def __str__(self) -> str:
        """The ledger as an equation."""
        reasons = ", ".join(f"{reason} {count}" for reason, count in sorted(self.ignored.items()))
        return (
            f"{self.received} received {'=' if self.even else '≠ NOT'} {self.ticketed} ticketed"
            f" + {self.appended} appended + {self.duplicates} duplicates + {sum(self.ignored.values())} ignored"
            + (f" ({reasons})" if reasons else "")
            + f" + {self.pending} pending + {self.held} held + {self.failed} failed + {self.unsure} unsure"
        )


@dataclass(frozen=True, slots=True)
class Row:
    """One delivery, for people: what it is, where it stands, why, and what it is about."""

    id: int
    kind: str
    state: str
    source: str
    account: str
    reason: str
    attempts: int
    created_at: float
    due_at: float
    ended_at: float | None
    in_doubt: bool
    ticket: str | None
    reference: str
    summary: str
    receipts: tuple[str, ...] = ()
    trace: str | None = None
    body: str = ""
    erased_at: float | None = None


@dataclass(frozen=True, slots=True)
class Account:
    """How one account stands."""

    name: str
    received: int
    duplicates: int
    last_at: float | None
    pulled_at: float | None
    trouble: str
    trouble_since: float | None
    stopped: str
    stopped_at: float | None
    paused_until: float
    waiting: int


def balance(tx: Tx, source: str | None = None, since: float | None = None) -> Balance:
    """The ledger, of everything or of one source. With `since`, only what arrived later (duplicates then stay out of
    both sides, for they are counted without a date)."""
    where: list[Any] = [deliveries.c.kind == "mention"]
    if source is not None:
        where.append(deliveries.c.source == source)
    if since is not None:
        where.append(deliveries.c.created_at >= since)
    # counted from indices alone: reading a million rows for it takes minutes from a cold disk
    rows = tx.execute(sa.select(deliveries.c.state, sa.func.count()).where(*where).group_by(deliveries.c.state))
    counted: Counter[str] = Counter()
    for state, n in rows:
        counted[_BALANCE_NAME.get(state, state)] += n
    del counted["ignored"]
    opened = sa.exists().where(parts.c.delivery == deliveries.c.id, sa.literal_column("op = 'ticket'"))
    ticketed = sa.select(sa.func.count()).select_from(deliveries).where(*where, deliveries.c.state == "done", opened)
    counted["ticketed"] = tx.execute(ticketed).scalar_one()
    counted["appended"] -= counted["ticketed"]
    reasons = sa.select(deliveries.c.reason, sa.func.count()).where(*where, deliveries.c.state == "ignored")
    ignored: dict[str, int] = {row[0]: row[1] for row in tx.execute(reasons.group_by(deliveries.c.reason))}
    if since is not None:
        return Balance(received=counted.total() + sum(ignored.values()), ignored=ignored, **counted)
    totals = sa.select(
        sa.func.coalesce(sa.func.sum(counters.c.received), 0), sa.func.coalesce(sa.func.sum(counters.c.duplicates), 0)
    )
    if source is not None:
        totals = totals.where(counters.c.source == source)
    received, duplicates = tx.execute(totals).one()
    return Balance(received=int(received), duplicates=int(duplicates), ignored=ignored, **counted)


_BALANCE_NAME = {
    "done": "appended",
    "blocked": "pending",
    "ready": "pending",
    "intent": "pending",
    "held": "held",
    "failed": "failed",
    "unsure": "unsure",
}


def replies_by_state(tx: Tx) -> dict[str, int]:
    """How many agents' replies stand where."""
    rows = tx.execute(
        sa.select(deliveries.c.state, sa.func.count())
        .where(deliveries.c.kind == "reply")
        .group_by(deliveries.c.state)
    )
    return {row[0]: row[1] for row in rows}


def list_deliveries(
    tx: Tx,
    *,
    states: Sequence[str] = (),
    kinds: Sequence[str] = (),
    source: str | None = None,
    limit: int = 50,
) -> list[Row]:
    """Deliveries, newest first."""
    statement = _ROWS.order_by(deliveries.c.id.desc()).limit(limit)
    if states:
        statement = statement.where(deliveries.c.state.in_(states))
    if kinds:
        statement = statement.where(deliveries.c.kind.in_(kinds))
    if source is not None:
        statement = statement.where(deliveries.c.source == source)
    return [_row(row) for row in tx.execute(statement)]


def recent_mentions(tx: Tx, since: float, source: str | None = None) -> Iterator[Mention]:
    """Mentions that came in since then, of all sources or of one, in the order they came; an edit is a further
    version of its mention, and what was erased is left out. To be read while the transaction lasts."""
    statement = sa.select(mentions.c.body).where(mentions.c.received_at >= since, mentions.c.erased_at.is_(None))
    statement = statement.order_by(mentions.c.received_at, mentions.c.id)
    if source is not None:
        statement = statement.where(mentions.c.source == source)
    for body in tx.execute(statement.execution_options(yield_per=500)).scalars():
        yield decode(Mention, body)


def show_delivery(tx: Tx, reference: str) -> Row | None:
    """One delivery by its number, its mention's external id (`source:id` or the id alone), or `ticket:ID`."""
    if reference.isascii() and reference.isdigit() and len(reference) < 19:
        row = tx.execute(_ROWS.where(deliveries.c.id == int(reference))).first()
        if row is not None:
            return _row(row, _receipts(tx, row.id))
    places = [deliveries.c.mention.in_(_mentions_named(tx, reference))]
    if reference.startswith("ticket:"):
        places.append(deliveries.c.conversation.in_(_conversations_on(tx, reference.removeprefix("ticket:"))))
    statement = _ROWS.where(deliveries.c.kind == "mention").order_by(deliveries.c.id).limit(1)
    rows = [row for place in places if (row := tx.execute(statement.where(place)).first()) is not None]
    first = min(rows, key=lambda row: int(row.id), default=None)
    return _row(first, _receipts(tx, first.id)) if first is not None else None


def _mentions_named(tx: Tx, reference: str) -> list[int]:
    """The mentions with that external id, of any source or of the one it begins with."""
    names = [(source, reference) for source in _each(tx, mentions.c.source)]
    source, _, external = reference.partition(":")
    found: list[int] = []
    for named, name in (*names, (source, external)):
        same = mentions.c.source == named, mentions.c.external_id == name
        found += tx.execute(sa.select(mentions.c.id).where(*same)).scalars()
    return found


def _conversations_on(tx: Tx, ticket: str) -> list[int]:
    """The conversations on the ticket of that number, of any helpdesk."""
    found: list[int] = []
    for desk in _each(tx, conversations.c.helpdesk):
        same = conversations.c.helpdesk == desk, conversations.c.ticket == ticket
        found += tx.execute(sa.select(conversations.c.id).where(*same)).scalars()
    return found


def _each(tx: Tx, column: sa.Column[str]) -> Iterator[str]:
    """The few values of a column that an index begins with, each looked up by it behind the one before."""
    value = tx.execute(sa.select(sa.func.min(column))).scalar()
    while value is not None:
        yield value
        value = tx.execute(sa.select(sa.func.min(column)).where(column > value)).scalar()


_ROWS = (
    sa.select(
        deliveries,
        conversations.c.ticket,
        mentions.c.external_id.label("mention_id"),
        mentions.c.body.label("mention_body"),
        mentions.c.erased_at,
        replies.c.comment,
        replies.c.body.label("reply_body"),
    )
    .join(conversations, conversations.c.id == deliveries.c.conversation)
    .outerjoin(mentions, mentions.c.id == deliveries.c.mention)
    .outerjoin(replies, replies.c.id == deliveries.c.reply)
)


def _receipts(tx: Tx, delivery: int) -> tuple[str, ...]:
    rows = tx.execute(sa.select(parts.c.receipt).where(parts.c.delivery == delivery).order_by(parts.c.n))
    return tuple(receipt for receipt in rows.scalars() if receipt)


def _row(row: Any, receipts: tuple[str, ...] = ()) -> Row:
    reference = (
        f"{row.source}:{row.mention_id}" if row.mention_id else f"comment {row.comment}" if row.comment else ""
    )
    return Row(
        id=row.id,
        kind=row.kind,
        state=row.state,
        source=row.source,
        account=row.account,
        reason=row.reason,
        attempts=row.attempts,
        created_at=row.created_at,
        due_at=row.due_at,
        ended_at=row.ended_at,
        in_doubt=row.state == "intent" and row.doubted_at is not None,
        ticket=row.ticket,
        reference=reference,
        summary="",
        receipts=receipts,
        trace=row.trace,
        body=row.mention_body or row.reply_body or row.body or "",
        erased_at=row.erased_at,
    )


# --- what a person may do ------------------------------------------------------------------------------------


def retry(tx: Tx, number: int) -> str:
    """Send it again from where it stopped: a failed, held or unsure one, or one that waits for its next try.
    Gives what was wrong with asking, or an empty text."""
    told = sa.select(sightings.c.told).join(deliveries, deliveries.c.id == sightings.c.delivery)
    told = told.where(sightings.c.delivery == number, sightings.c.told.is_not(None), deliveries.c.state == "held")
    if (bulletin := tx.execute(told).scalar()) is not None:
        return (
            f"delivery {number} is told in a digest by delivery {bulletin};"
            f" `connector deliveries release {number}` gives it a ticket of its own"
        )
    return _revive(tx, number, ("failed", "unsure", "held"), "")


def release(tx: Tx, number: int) -> str:
    """Let a held one go in spite of why it was held. One that was told in a digest gets a ticket of its own."""
    its = sightings.c.delivery == number
    gathered = tx.execute(sa.select(sightings.c.delivery).where(its, sightings.c.digest.is_not(None))).first()
    trouble = _revive(tx, number, ("held",) if gathered is None else ("held", "done"), "released")
    if gathered is not None and not trouble:
        tx.execute(sa.update(sightings).where(its).values(digest=None, told=None, placed="ticket"))
    return trouble


def _revive(tx: Tx, number: int, states: Sequence[str], reason: str) -> str:
    row = _parked(tx, number)
    if row is None:
        return f"there is no delivery {number}"
    if row.state in ("ready", "blocked") and not reason:
        tx.execute(sa.update(deliveries).where(deliveries.c.id == number).values(due_at=now(tx)))
        return ""
    if row.state not in states:
        return f"delivery {number} is {row.state}; this is for {', '.join(states)}"
    erased = sa.select(mentions.c.erased_at).where(mentions.c.id == row.mention)
    wordless = row.kind in ("note", "bulletin") and row.body is None
    if wordless or (row.mention is not None and tx.execute(erased).scalar() is not None):
        return f"what delivery {number} said was erased; there is nothing to send"
    at = now(tx)
    state = "ready"
    if row.state != "unsure":  # an unsure one never left its lane
        column = conversations.c.live_out if row.lane % 2 else conversations.c.live_in
        live = tx.execute(
            sa.update(conversations)
            .where(conversations.c.id == row.conversation)
            .values({column: column + 1})
            .returning(column)
        ).scalar_one()
        state = "ready" if live == 1 else "blocked"
    tx.execute(sa.delete(parts).where(parts.c.delivery == number, parts.c.receipt.is_(None)))
    _let_go(tx, row)
    tx.execute(
        sa.update(deliveries)
        .where(deliveries.c.id == number)
        .values(state=state, reason=reason, due_at=at, attempts=0, ended_at=None, owner="", lease_until=0.0)
    )
    return ""


def drop(tx: Tx, number: int, why: str) -> str:
    """Give it up for good; it counts as ignored, with the reason. What a digest would have told of stays held and
    says so."""
    row = _parked(tx, number)
    if row is None:
        return f"there is no delivery {number}"
    at = now(tx)
    if row.state in ("done", "ignored"):
        return f"delivery {number} is {row.state} already"
    if row.lease_until > at:
        return f"delivery {number} is under way this moment; try again in a minute"
    if row.carrier is not None:
        return f"delivery {number} rides along with delivery {row.carrier}, which may have happened already"
    if row.state == "intent":
        return f"delivery {number} may have happened already; it is being looked up, wait for that"
    _let_go(tx, row)
    tx.execute(
        sa.update(deliveries)
        .where(deliveries.c.id == number)
        .values(state="ignored", reason=f"dropped: {why}"[:2000], ended_at=at, owner="", lease_until=0.0)
    )
    quoted = sa.select(sightings.c.delivery).where(sightings.c.told == number).scalar_subquery()
    waits = sa.and_(deliveries.c.id.in_(quoted), deliveries.c.state == "held")
    tx.execute(sa.update(deliveries).where(waits).values(reason=f"its digest was dropped: {why}"[:2000]))
    if row.state in ("ready", "unsure"):
        free_lanes(tx, {row.lane: 1}, at)
    elif row.state == "blocked":  # the head of its lane is still under way
        leave_lanes(tx, {row.lane: 1})
    return ""


def _let_go(tx: Tx, row: Any) -> None:
    """What waits behind it and rode along in it waits for itself again."""
    riders = deliveries.c.lane == row.lane, deliveries.c.carrier == row.id
    tx.execute(sa.update(deliveries).where(*riders, sa.literal_column("state = 'blocked'")).values(carrier=None))


def _parked(tx: Tx, number: int) -> Any:
    return tx.execute(sa.select(deliveries).where(deliveries.c.id == number).with_for_update()).first()


# --- how things stand ------------------------------------------------------------------------------------------


def standing(tx: Tx) -> list[Account]:
    """Every account that ever pulled, received or was written to, by name."""
    names: set[str] = set()
    counted = {row.source: row for row in tx.execute(sa.select(counters))}
    pulled = {row.account: row for row in tx.execute(sa.select(cursors))}
    known = {row.name: row for row in tx.execute(sa.select(accounts))}
    rows = tx.execute(
        sa.select(deliveries.c.account, sa.func.count())
        .where(deliveries.c.state.in_(("ready", "blocked", "intent")))
        .group_by(deliveries.c.account)
    )
    waiting = {row[0]: row[1] for row in rows}
    names.update(counted, pulled, known, waiting)
    return [
        Account(
            name=name,
            received=counted[name].received if name in counted else 0,
            duplicates=counted[name].duplicates if name in counted else 0,
            last_at=counted[name].last_at if name in counted else None,
            pulled_at=pulled[name].pulled_at if name in pulled else None,
            trouble=pulled[name].trouble if name in pulled else "",
            trouble_since=pulled[name].trouble_since if name in pulled else None,
            stopped=known[name].stopped if name in known else "",
            stopped_at=known[name].stopped_at if name in known else None,
            paused_until=known[name].paused_until if name in known else 0.0,
            waiting=waiting.get(name, 0),
        )
        for name in sorted(names)
    ]


def backlog(tx: Tx) -> dict[tuple[str, str], int]:
    """Deliveries that are not at their end, by kind and state."""
    rows = tx.execute(
        sa.select(deliveries.c.kind, deliveries.c.state, sa.func.count())
        .where(deliveries.c.state.in_(("ready", "blocked", "intent", "held", "unsure", "failed")))
        .group_by(deliveries.c.kind, deliveries.c.state)
    )
    return {(kind, state): count for kind, state, count in rows}


def oldest_waiting(tx: Tx) -> float | None:
    """When the oldest delivery that is due was born."""
    value = tx.execute(
        sa.select(sa.func.min(deliveries.c.created_at)).where(deliveries.c.state.in_(("ready", "intent")))
    ).scalar()
    return None if value is None else float(value)


def links(tx: Tx, after: int, limit: int) -> list[tuple[int, str, str, str]]:
    """Links in steps: (conversation, helpdesk, ticket, external id), ordered by conversation."""
    rows = tx.execute(
        sa.select(conversations.c.id, conversations.c.helpdesk, conversations.c.ticket, conversations.c.external_id)
        .where(conversations.c.id > after, conversations.c.ticket.is_not(None))
        .order_by(conversations.c.id)
        .limit(limit)
    )
    return [(row.id, row.helpdesk, row.ticket, row.external_id or "") for row in rows]


def cursor_of(tx: Tx, account: str) -> Cursor | None:
    """The bookmark of an account."""
    value = tx.execute(sa.select(cursors.c.value).where(cursors.c.account == account)).scalar()
    return None if value is None else Cursor(value)


def remember(tx: Tx, name: str, value: str) -> None:
    """A fact of the installation, such as which policy runs."""
    done = tx.execute(sa.update(meta).where(meta.c.name == name).values(value=value))
    if done.rowcount == 0:
        tx.execute(sa.insert(meta).values(name=name, value=value))


def recall(tx: Tx, name: str) -> str | None:
    """The fact remembered under that name."""
    value: str | None = tx.execute(sa.select(meta.c.value).where(meta.c.name == name)).scalar()
    return value
