"""The watcher in the running daemon: reminders and escalations on both helpdesks, and what ends them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import requests
import sqlalchemy as sa
from daemon_world import DaemonWorld, hours_pass, mention, until

from connector.daemon import watcher
from connector.errors import Temporary
from connector.store import Store
from connector.store.tables import conversations, watches
from connector.testing.simulators.freshdesk import FreshdeskSandbox
from connector.testing.simulators.freshdesk import Limits as FreshdeskLimits

DUE, LATE = "First answer due by", "First answer is late since"


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watcher, "_EVERY", 0.05)


@pytest.fixture
def world(tmp_path: Path, store_url: str) -> Iterator[DaemonWorld]:
    made = DaemonWorld(tmp_path, store_url)
    yield made
    made.close()


@pytest.fixture
def small(tmp_path: Path) -> Iterator[DaemonWorld]:
    made = DaemonWorld(tmp_path, f"sqlite:///{tmp_path / 'connector.db'}")
    yield made
    made.close()


def spoken(hours: float, number: int = 1, **facts: Any) -> dict[str, Any]:
    """Said so many hours ago: by the shipped mapping it is reminded of after 7, wanted after 8 and late after 12."""
    return mention(number, created_at=(datetime.now(UTC) - timedelta(hours=hours)).isoformat(), **facts)


def pass_by(world: DaemonWorld, hours: float) -> None:
    store = Store(world.settings["store"])
    hours_pass(store, hours)
    store.close()


def why(world: DaemonWorld) -> str:
    """Why the only watch ended."""
    store = Store(world.settings["store"])
    with store.read() as tx:
        found = tx.execute(sa.select(watches.c.why)).scalar_one()
    store.close()
    return str(found)


def notes(world: DaemonWorld, words: str, ticket: int = 1) -> list[str]:
    every = [one["plain_body"] for one in world.sandbox.comments(ticket) if not one["public"]]
    return [note for note in every if words in note]


def change(world: DaemonWorld, **fields: Any) -> None:
    """An agent changes the ticket."""
    login = ("admin@example.com/token", "sandbox")
    url = f"{world.sandbox.address}/api/v2/tickets/1"
    assert requests.put(url, json={"ticket": fields}, auth=login, timeout=10).ok


def test_a_reminder_then_an_escalation_with_its_tag_and_none_after_the_answer(world: DaemonWorld) -> None:
    world.start()
    world.send(spoken(7.5))
    until(lambda: notes(world, DUE), "the reminder")
    assert "answer_late" not in world.sandbox.ticket(1)["tags"]
    pass_by(world, 5)
    until(lambda: notes(world, LATE), "the escalation")
    assert "answer_late" in world.sandbox.ticket(1)["tags"]
    world.sandbox.agent_reply(1, html_body="<p>Here it is.</p>")
    until(lambda: why(world) == "answered", "the answer to end it")
    world.carried()
    assert (len(notes(world, DUE)), len(notes(world, LATE)), len(notes(world, "at the latest"))) == (1, 1, 0)


@pytest.mark.parametrize(
    ("fields", "reason"),
    [({"status": "solved"}, "solved"), ({"additional_tags": ["do_not_reply"]}, "do_not_reply")],
    ids=["solved", "tagged"],
)
def test_what_an_agent_does_to_the_ticket_ends_it(small: DaemonWorld, fields: dict[str, Any], reason: str) -> None:
    small.start()
    small.send(spoken(1))
    small.carried()
    if "additional_tags" in fields:
        login = ("admin@example.com/token", "sandbox")
        url = f"{small.sandbox.address}/api/v2/tickets/1/tags"
        assert requests.put(url, json={"tags": fields["additional_tags"]}, auth=login, timeout=10).ok
    else:
        change(small, **fields)
    until(lambda: why(small) == reason, "it to end")
    pass_by(small, 30)
    small.carried()
    assert notes(small, "First answer") == []


def test_who_waits_on_a_ticket_that_is_merged_waits_on(small: DaemonWorld) -> None:
    small.start()
    small.send(spoken(1, thread_id="a"), spoken(1, 2, thread_id="b", author={"id": "u9", "name": "Olga"}))
    small.carried()
    small.sandbox.merge(1, 2)
    store = Store(small.settings["store"])
    tickets = sa.select(conversations.c.ticket)

    def moved() -> bool:
        with store.read() as tx:
            return set(tx.execute(tickets).scalars()) == {"1"}

    until(moved, "the conversation to move")
    with store.read() as tx:
        assert tx.execute(sa.select(watches.c.why)).scalars().all() == ["", ""]
    store.close()
    pass_by(small, 6.5)
    until(lambda: len(notes(small, DUE)) == 2, "both reminders on the ticket that survived")


def test_freshdesk_is_told_in_the_same_way(small: DaemonWorld) -> None:
    with FreshdeskSandbox(limits=FreshdeskLimits.off()) as fresh:
        small.settings["helpdesks"]["desk"] = {
            "type": "freshdesk",
            "base_url": fresh.start(),
            "api_key": "sandbox",
            "poll": 0.2,
            "allow_private_addresses": True,
        }
        small.start()
        small.send(spoken(7.5))

        def told(words: str) -> int:
            rows = fresh.conversations(int(fresh.tickets()[0]["id"])) if fresh.tickets() else []
            return sum(row["private"] and words in row["body_text"] for row in rows)

        until(lambda: told(DUE), "the reminder")
        pass_by(small, 30)
        until(lambda: told("should have left by"), "the last escalation")
        small.carried()
        (ticket,) = fresh.tickets()
        assert {"answer_late", "answer_overdue"} <= set(ticket["tags"])
        assert ticket["priority"] == 4, "urgent"
        assert (told(DUE), told(LATE), told("should have left by")) == (1, 0, 1), "missed ones are told together"


class _Writer:
    """Does the work, or cannot."""

    def __init__(self, error: Exception | None, tx: Any = None) -> None:
        self.error = error
        self.tx = tx

    def run(self, work: Callable[[Any], Any]) -> Future[Any]:
        done: Future[Any] = Future()
        if self.error is not None:
            done.set_exception(self.error)
        else:
            done.set_result(work(self.tx))
        return done


def _unused() -> Any:
    raise AssertionError("the wiring is not asked for")


@pytest.mark.parametrize("error", [Temporary("the database is away"), ZeroDivisionError()])
def test_trouble_is_waited_out(error: Exception) -> None:
    assert watcher.Watcher(_Writer(error), _unused).pull_once() == watcher._EVERY
