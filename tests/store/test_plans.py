"""What SQLite does for what is asked all the time: it looks things up, however many there are. It keeps no counts,
so its plans are the same on an empty database as on one of a million mentions."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from store_builders import NOON, answer, arrive, claim, done, intend, linked, one, reply, settle, turn

from connector.model import Mention, TicketId, TicketState
from connector.store import Store, journal, people, queue, reconcile, tickets
from connector.store.arrivals import wake

Make = Callable[..., Mention]
_THROUGH_ALL = re.compile(r"SCAN (?!given|anon|\(|CONSTANT|accounts|counters|cursors|silences|[0-9])")
_BY_STATE = re.compile(r"deliveries_state \(state=\?")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    made = Store(f"sqlite:///{tmp_path / 'connector.db'}")
    made.migrate()
    yield made
    made.close()


@contextmanager
def plans(store: Store) -> Iterator[dict[str, list[str]]]:
    """The plan of each statement that is executed inside, filled in at the end."""
    asked: dict[str, Any] = {}

    def heard(_: Any, __: Any, text: str, words: Any, ___: Any, many: bool) -> None:
        asked.setdefault(text, words[0] if many else words)

    found: dict[str, list[str]] = {}
    sa.event.listen(store.engine, "before_cursor_execute", heard)
    yield found
    sa.event.remove(store.engine, "before_cursor_execute", heard)
    with store.read() as tx:
        for text, words in asked.items():
            if text.split(maxsplit=1)[0] in ("SELECT", "UPDATE", "DELETE"):
                found[text] = [row[-1] for row in tx.exec_driver_sql(f"EXPLAIN QUERY PLAN {text}", words)]


def slow(found: dict[str, list[str]], *ways: re.Pattern[str]) -> list[str]:
    """Statements that go one of these ways, with the step."""
    return [f"{step}: {text}" for text, steps in found.items() for step in steps if any(w.match(step) for w in ways)]


def test_carrying_a_mention_and_its_answer_looks_everything_up(store: Store, mention: Make) -> None:
    with plans(store) as found:
        linked(store, mention("1"))
        arrive(store, mention("2"), mention("3"), mention("4", author=mention().author, thread_id="t2"))
        heads = claim(store)
        for head in heads:
            intend(store, head, joined=tuple(follower.id for follower in head.followers))
            settle(store, head, joined=tuple(follower.id for follower in head.followers))
        answer(store, reply(1))
        done(store, one(store, account="feed"))
        arrive(store, mention("5", own=True), mention("1", version="2"))
        for _ in range(2):
            settle(store, one(store))
    assert len(found) > 20
    assert slow(found, _THROUGH_ALL, re.compile(rf".*{_BY_STATE.pattern}")) == []


def test_what_the_daemon_asks_again_and_again_goes_through_no_table(store: Store, mention: Make) -> None:
    linked(store, mention("1"))
    ticket = TicketId("7")
    with plans(store) as found:
        with turn(store) as tx:
            queue.forget_leases(tx)
            reconcile.doubtful(tx, "w", 60, 20)
            reconcile.overdue(tx, "w", 60, 20)
            reconcile.passed(tx, 20)
            wake(tx, "desk", [ticket])
            tickets.note_state(tx, "desk", TicketState(ticket, "solved"))
            tickets.recall(tx, "desk", ticket, [], lambda _: "gone")
            journal.show_delivery(tx, "feed:1")
            journal.show_delivery(tx, "ticket:7")
        with turn(store, NOON + 90 * 86_400) as tx:
            assert people.expire(tx, 30, 10)[0] == 1
    assert len(found) > 15
    assert slow(found, _THROUGH_ALL) == []
    assert [text for text in slow(found, re.compile(r".*\(helpdesk=\?\)")) if "replies" in text] == []
