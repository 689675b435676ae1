"""A store that goes away on command, a dispatcher on it, and waiting for what threads do."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

from connector.daemon.dispatcher import Dispatcher
from connector.errors import Temporary
from connector.model import Author, Mention, Receipt, Request
from connector.store import Claim, Outcome, Store, Tx
from connector.store.arrivals import Arrival, declare_account
from connector.store.queue import Intent
from connector.store.tables import deliveries


def wait_for(what: Callable[[], Any], doing: str = "it", seconds: float = 20.0) -> Any:
    """Look until it is so; say what did not happen."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        result = what()
        if result:
            return result
        time.sleep(0.005)
    raise AssertionError(f"{doing} did not happen within {seconds} s")


class ShakyStore(Store):
    """A real store whose writing transactions can be refused, and are counted."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.away = False
        self.commits = 0
        self.refused = 0

    @contextmanager
    def begin(self) -> Iterator[Tx]:
        """As the real one, unless it is away."""
        if self.away:
            self.refused += 1
            raise Temporary("the database is not available: told to be away", service="store")
        with super().begin() as tx:
            yield tx
        self.commits += 1


def shaky(url: str, *accounts: str) -> ShakyStore:
    """Migrated, with these accounts known."""
    store = ShakyStore(url)
    store.migrate()
    with store.begin() as tx:
        for name in accounts:
            declare_account(tx, name, None)
    store.commits = 0
    return store


def dispatcher(store: Store, *accounts: str, workers: int = 4, lease: float = 60.0) -> Dispatcher:
    """Not started yet."""
    return Dispatcher(store, "tester", workers=workers, lease=lease, accounts=lambda: accounts or ("desk",))


def arrival(name: str = "m1", *, helpdesk: str = "desk", thread: str = "", **facts: Any) -> Arrival:
    """A mention on its way in, in a conversation of its own unless told otherwise."""
    given: dict[str, Any] = {
        "source": "feed",
        "platform": "feed",
        "external_id": name,
        "author": Author("u1", "Anna", "anna"),
        "text": f"this is {name}",
        "created_at": datetime(2026, 3, 4, 12, 0, tzinfo=UTC),
        "thread_id": thread or name,
    }
    mention = Mention(**(given | facts))
    return Arrival(mention, mention.thread_id, helpdesk)


def arrivals(count: int, prefix: str = "m", **facts: Any) -> list[Arrival]:
    """So many of them."""
    return [arrival(f"{prefix}{n}", **facts) for n in range(count)]


def intent(claim: Claim) -> Intent:
    """About to send a ticket."""
    return Intent(claim, 0, Request("ticket", f"body of {claim.id}"))


def done(claim: Claim, **facts: Any) -> Outcome:
    """It was sent and answered."""
    return Outcome(claim, "done", receipt=Receipt(f"r{claim.id}"), **facts)


def states(store: Store) -> list[str]:
    """The deliveries' states, in the order of their numbers."""
    with store.read() as tx:
        return list(tx.execute(sa.select(deliveries.c.state).order_by(deliveries.c.id)).scalars())


def take(pool: Dispatcher, count: int) -> list[Claim]:
    """So many claims, as workers would get them."""
    found = []
    for _ in range(count):
        claim = pool.claims.get(timeout=20)
        assert claim is not None, f"only {len(found)} claims of {count} came"
        pool.claims.done(claim)
        found.append(claim)
    return found
