"""A post that a tool found and the platform told of is one mention, whichever comes first, on both databases."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace

import pytest
import sqlalchemy as sa
from store_builders import rows, sound

from connector.model import Mention
from connector.store import Store, journal
from connector.store.arrivals import Arrival, accept_mentions
from connector.store.tables import counters, mentions

Make = Callable[..., Mention]


def told(mention: Mention) -> Arrival:
    """As the platform told it."""
    return Arrival(mention, mention.thread_id, "desk")


def found(mention: Mention) -> Arrival:
    """As a tool found it and the platform's adapter located it."""
    return Arrival(mention, mention.thread_id, "desk", found_by="tool")


def accept(store: Store, *arrivals: Arrival) -> list[bool]:
    with store.begin() as tx:
        return accept_mentions(tx, arrivals)


@pytest.mark.parametrize("first", ["tool", "platform"])
def test_it_is_one_mention_and_one_delivery_in_both_orders(store: Store, mention: Make, first: str) -> None:
    post = mention("at://x/1")
    order = [found(post), told(post)] if first == "tool" else [told(post), found(post)]
    assert [accept(store, arrival) for arrival in order] == [[True], [False]]
    assert len(rows(store, "id")) == 1
    with store.read() as tx:
        ledger = journal.balance(tx)
    assert (ledger.received, ledger.duplicates, ledger.pending) == (2, 1, 1)
    sound(store)


@pytest.mark.parametrize("first", ["tool", "platform"])
def test_both_in_one_batch_are_one(store: Store, mention: Make, first: str) -> None:
    post = mention("at://x/1")
    batch = [found(post), told(post)] if first == "tool" else [told(post), found(post)]
    assert sum(accept(store, *batch)) == 1
    assert len(rows(store, "id")) == 1
    sound(store)


def test_a_tool_that_comes_after_an_edit_adds_nothing(store: Store, mention: Make) -> None:
    assert accept(store, told(mention("at://x/1", version="2026-03-04T12:00:00Z"))) == [True]
    assert accept(store, found(mention("at://x/1"))) == [False]


def test_an_edit_told_after_the_finding_is_told(store: Store, mention: Make) -> None:
    assert accept(store, found(mention("at://x/1"))) == [True]
    assert accept(store, told(mention("at://x/1"))) == [False]
    assert accept(store, told(mention("at://x/1", version="2026-03-04T12:00:00Z"))) == [True]


def test_two_replicas_that_accept_it_at_once_make_one(store: Store, mention: Make) -> None:
    edited, late = mention(version="later"), mention()
    for trial in range(5):
        name = {"external_id": f"at://x/{trial}", "thread_id": f"t{trial}"}
        a, b = told(replace(edited, **name)), found(replace(late, **name))
        start = threading.Barrier(2)

        def go(arrival: Arrival, start: threading.Barrier = start) -> None:
            start.wait()
            accept(store, arrival)

        both = [threading.Thread(target=go, args=(arrival,)) for arrival in (a, b)]
        for thread in both:
            thread.start()
        for thread in both:
            thread.join()
        with store.read() as tx:
            order = sa.select(mentions.c.version).order_by(mentions.c.id)
            versions = list(tx.execute(order.where(mentions.c.external_id == name["external_id"])).scalars())
        assert versions in (["later"], ["", "later"]), "a finding came after the edit"


def test_a_tool_was_heard_though_its_finding_counts_elsewhere(store: Store, mention: Make) -> None:
    accept(store, found(mention("at://x/1")))
    with store.read() as tx:
        tool = tx.execute(sa.select(counters).where(counters.c.source == "tool")).one()
    assert (tool.received, tool.duplicates) == (0, 0)
    assert tool.last_at is not None
