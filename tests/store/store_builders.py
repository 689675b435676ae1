"""Short words for the tests of the store: one transaction each, at a time the test chooses."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

from connector.model import CommentId, Mention, Receipt, Reply, Request, TicketId
from connector.store import Claim, Outcome, Store, Tx, journal, queue
from connector.store.arrivals import Arrival, accept_mentions, accept_replies
from connector.store.queue import Intent
from connector.store.tables import conversations, deliveries

NOON = 1_772_625_600.0
LEASE = 60.0


@contextmanager
def turn(store: Store, at: float = NOON) -> Iterator[Tx]:
    """One transaction; the database's clock stands at `at`."""
    with store.begin() as tx:
        tx.info["now"] = at
        yield tx


def arrival(mention: Mention, **facts: Any) -> Arrival:
    """On its way to the helpdesk `desk`, a conversation per thread."""
    return Arrival(mention, facts.pop("conversation", mention.thread_id), facts.pop("helpdesk", "desk"), **facts)


def arrive(store: Store, *mentions: Mention, at: float = NOON, **facts: Any) -> list[bool]:
    """Accept these mentions."""
    with turn(store, at) as tx:
        return accept_mentions(tx, [arrival(mention, **facts) for mention in mentions])


def reply(number: int, ticket: str = "7", **facts: Any) -> Reply:
    """A public comment of an agent."""
    given: dict[str, Any] = {"public": True, "by_agent": True, "html": f"<p>answer {number}</p>"}
    at = datetime.fromtimestamp(NOON + number, UTC)
    return Reply(TicketId(ticket), CommentId(f"c{number}"), created_at=at, **(given | facts))


def answer(store: Store, *found: Reply, ticket: str = "7", seq: int | None = None, at: float = NOON) -> int:
    """Read these comments on the ticket."""
    with turn(store, at) as tx:
        return accept_replies(tx, "desk", TicketId(ticket), found, seq)


def claim(
    store: Store, wanted: int = 10, *, account: str = "desk", owner: str = "w", at: float = NOON
) -> list[Claim]:
    """Claim for one account."""
    with turn(store, at) as tx:
        return queue.claim(tx, owner, LEASE, {account: wanted})


def one(store: Store, **facts: Any) -> Claim:
    """Claim, and there is exactly one."""
    (found,) = claim(store, **facts)
    return found


def intend(store: Store, claimed: Claim, n: int = 0, *, op: str = "ticket", at: float = NOON, **facts: Any) -> None:
    """Make an intent durable."""
    body = facts.pop("body", f"body {claimed.id}.{n}")
    request = Request(op, body, repeatable=facts.pop("repeatable", False))
    with turn(store, at) as tx:
        queue.intend(tx, Intent(claimed, n, request, **facts), LEASE)


def settle(store: Store, claimed: Claim, end: Any = "done", *, at: float = NOON, **facts: Any) -> None:
    """Store how it ended."""
    with turn(store, at) as tx:
        queue.settle(tx, Outcome(claimed, end, **facts))


def receipt(number: str = "1", ticket: str | None = "7") -> Receipt:
    """What the helpdesk gives back."""
    return Receipt(number, f"https://desk.example/{number}", None if ticket is None else TicketId(ticket))


def done(store: Store, claimed: Claim, ticket: str | None = None, number: str = "") -> None:
    """Send it and be answered."""
    intend(store, claimed, op="ticket" if claimed.ticket is None and ticket else "comment")
    given = receipt(number or f"x{claimed.id}", ticket)
    settle(store, claimed, receipt=given, ticket=None if ticket is None else TicketId(ticket))


def linked(store: Store, first: Mention, ticket: str = "7") -> None:
    """Accept a mention and open its ticket."""
    arrive(store, first)
    done(store, one(store, wanted=1), ticket=ticket)


def rows(store: Store, *columns: str, **where: Any) -> list[Any]:
    """Deliveries in the order of their numbers; one column gives its values, several give tuples."""
    statement = sa.select(*(deliveries.c[name] for name in columns)).order_by(deliveries.c.id)
    for name, value in where.items():
        statement = statement.where(deliveries.c[name] == value)
    with store.read() as tx:
        found = tx.execute(statement).all()
    return [row[0] if len(columns) == 1 else tuple(row) for row in found]


def states(store: Store, **where: Any) -> list[str]:
    """Their states, in the order of their numbers."""
    return rows(store, "state", **where)


def numbers(claims: Sequence[Claim]) -> list[int]:
    """Their delivery numbers."""
    return [claimed.id for claimed in claims]


def sound(store: Store) -> None:
    """What must be true after every transaction: the ledger is even, the counters say how many are unfinished, a
    lane has one head, and nothing waits behind nobody."""
    with store.read() as tx:
        ledger = journal.balance(tx)
        live = {row.id: (row.live_in, row.live_out) for row in tx.execute(sa.select(conversations))}
        found = tx.execute(sa.select(deliveries.c.id, deliveries.c.lane, deliveries.c.state)).all()
    assert ledger.even, ledger
    unfinished: dict[int, list[str]] = {}
    for row in found:
        if row.state in ("ready", "blocked", "intent", "unsure"):
            unfinished.setdefault(row.lane, []).append(row.state)
    for conversation, counted in live.items():
        there = tuple(len(unfinished.get(conversation * 2 + side, ())) for side in (0, 1))
        assert counted == there, f"conversation {conversation} counts {counted}, {there} are unfinished"
    for lane, waiting in unfinished.items():
        heads = [state for state in waiting if state != "blocked"]
        assert len(heads) == 1, f"lane {lane} holds {waiting}"
