"""The eraser works in batches, as long as the configuration says so, and a reload is enough to change that."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest
import requests
import sqlalchemy as sa
from daemon_world import DaemonWorld, mention, until

from connector.daemon import eraser
from connector.errors import Temporary
from connector.store import Store
from connector.store.people import Place
from connector.store.tables import conversations, mentions, tickets


class Writer:
    """Erases so many and tells how far it got, one batch after the other; or cannot."""

    def __init__(self, *batches: tuple[int, Place | None] | Exception) -> None:
        self.batches = list(batches)

    def run(self, work: Callable[[Any], Any]) -> Future[Any]:
        """Give the next."""
        done: Future[Any] = Future()
        batch = self.batches.pop(0)
        if isinstance(batch, Exception):
            done.set_exception(batch)
        else:
            done.set_result(batch)
        return done


def test_it_goes_on_until_it_has_looked_at_everything_and_then_rests() -> None:
    one = eraser.Eraser(Writer((100, (1.0, 100)), (0, (1.0, 200)), (7, None)), lambda: 30)
    assert [one.pull_once() for _ in range(3)] == [eraser._BETWEEN, eraser._BETWEEN, eraser._EVERY]


def test_without_a_retention_time_it_asks_for_nothing() -> None:
    assert eraser.Eraser(Writer(), lambda: 0).pull_once() == eraser._EVERY


@pytest.mark.parametrize("error", [Temporary("the database is away"), ZeroDivisionError()])
def test_trouble_is_waited_out(error: Exception) -> None:
    assert eraser.Eraser(Writer(error), lambda: 30).pull_once() == eraser._EVERY


@pytest.fixture
def world(tmp_path: Path, store_url: str) -> Iterator[DaemonWorld]:
    made = DaemonWorld(tmp_path, store_url)
    yield made
    made.close()


def test_the_running_daemon_erases_once_it_is_told_to(world: DaemonWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(eraser, "_EVERY", 0.05)
    one = world.start()
    world.send(mention(1, text="my password is hunter2"))
    world.carried()
    store = Store(world.settings["store"])

    def said() -> str:
        with store.read() as tx:
            return str(tx.execute(sa.select(mentions.c.body)).scalar_one())

    def status() -> str:
        with store.read() as tx:
            return str(tx.execute(sa.select(tickets.c.status)).scalar())

    login = ("admin@example.com/token", "sandbox")
    url = f"{world.sandbox.address}/api/v2/tickets/1"
    assert requests.put(url, json={"ticket": {"status": "solved"}}, auth=login, timeout=10).ok
    until(lambda: status() == "solved", "the ticket to be seen solved")
    with store.begin() as tx:
        tx.execute(sa.update(mentions).values(received_at=mentions.c.received_at - 40 * 86_400))
        tx.execute(sa.update(conversations).values(stirred_at=conversations.c.stirred_at - 40 * 86_400))
    assert "hunter2" in said()
    world.settings["retention_days"] = 30
    world.write()
    assert one.daemon.reload() == []
    until(lambda: "hunter2" not in said(), "the text to be erased")
    assert world.send(mention(1)).json() == {"accepted": 0, "duplicates": 1}
    store.close()
