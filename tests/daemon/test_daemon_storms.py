"""A storm and a silence through the running daemon and a Zendesk sandbox, on each database."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from daemon_world import DaemonWorld, mention, until

from connector.store import Store, silences, storms

STORM = """
storm:
  authors: 4
  set: {priority: urgent}
"""


@pytest.fixture
def world(tmp_path: Path, store_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[DaemonWorld]:
    """A world that watches for storms, and looks after them often."""
    monkeypatch.setattr("connector.daemon.storms._EVERY", 0.05)
    made = DaemonWorld(tmp_path, store_url)
    (made.mappings / "70-storm.yaml").write_text(STORM, encoding="utf-8")
    yield made
    made.close()


def angry(number: int, **facts: Any) -> dict[str, Any]:
    """Somebody else is unhappy."""
    who = {"id": f"u{number}", "name": f"Person {number}"}
    return mention(number, text=f"This is terrible, number {number}", author=who) | {"tone": "negative"} | facts


def problems(world: DaemonWorld) -> list[dict[str, Any]]:
    return [one for one in world.sandbox.tickets() if one["type"] == "problem"]


def linked(world: DaemonWorld) -> list[dict[str, Any]]:
    return [one for one in world.sandbox.tickets() if one["problem_id"]]


def test_a_storm_makes_one_problem_ticket_with_everybody_linked_to_it(world: DaemonWorld) -> None:
    running = world.start()
    world.send(*(angry(n) for n in range(1, 9)))
    until(lambda: len(linked(world)) == 8, "everybody to be linked")
    world.carried()
    (problem,) = problems(world)

    assert {one["problem_id"] for one in linked(world)} == {problem["id"]}
    assert {one["type"] for one in linked(world)} == {"incident"}
    assert all("storm" in one["tags"] for one in world.sandbox.tickets())
    notes = [one["plain_body"] for one in world.sandbox.comments(int(problem["id"])) if not one["public"]]
    assert sum("A storm" in note for note in notes) == 1
    metrics = requests.get(f"{running.url}/metrics", timeout=10).text
    assert 'connector_storm_people{source="",topic="complaint"} 8.0' in metrics


def test_a_process_that_starts_over_and_over_opens_one_problem_ticket(world: DaemonWorld) -> None:
    for first in (1, 4, 7):
        running = world.start()
        world.send(*(angry(n) for n in range(first, first + 3)), to=running)
        running.stop()
    world.start()
    until(lambda: len(linked(world)) == 9, "everybody to be linked")
    world.carried()

    assert len(problems(world)) == 1
    assert len(world.sandbox.tickets()) == 10


def test_two_processes_see_one_storm(tmp_path: Path, postgres: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("connector.daemon.storms._EVERY", 0.05)
    world = DaemonWorld(tmp_path, postgres.fresh())
    (world.mappings / "70-storm.yaml").write_text(STORM, encoding="utf-8")
    try:
        both = [world.start(), world.start()]
        for number in range(1, 25):
            world.send(angry(number), to=both[number % 2])
        until(lambda: len(linked(world)) == 24, "everybody to be linked")
        world.carried()

        assert len(problems(world)) == 1
        assert len(world.sandbox.tickets()) == 25
        notes = [one["plain_body"] for t in world.sandbox.tickets() for one in world.sandbox.comments(int(t["id"]))]
        assert sum("Part of a storm" in note for note in notes) <= 24
    finally:
        world.close()


def test_a_storm_that_is_over_says_so_on_its_ticket(world: DaemonWorld, store_url: str) -> None:
    world.start()
    world.send(*(angry(n) for n in range(1, 5)))
    until(lambda: len(linked(world)) == 4, "everybody to be linked")
    store = Store(store_url)
    try:
        with store.begin() as tx:  # as if an hour had gone by
            tx.exec_driver_sql("UPDATE sightings SET at = at - 3700")
        until(lambda: not _active(store), "the storm to end")
    finally:
        store.close()
    world.carried()

    (problem,) = problems(world)
    notes = [one["plain_body"] for one in world.sandbox.comments(int(problem["id"]))]
    assert sum("The storm is over" in note for note in notes) == 1


def _active(store: Store) -> list[storms.Summary]:
    with store.read() as tx:
        return storms.active_storms(tx)


def test_what_is_silenced_is_told_when_the_silence_ends(world: DaemonWorld, store_url: str) -> None:
    world.start()
    store = Store(store_url)
    try:
        with store.begin() as tx:
            number = silences.silence(tx, topic="complaint", source="", seconds=3600, why="we know")
        world.send(angry(1), mention(2, text="Where is my order?", tone="neutral"))
        assert world.carried().held == 1
        assert len(world.sandbox.tickets()) == 1
        with store.begin() as tx:
            assert silences.end_silence(tx, number) == ""
    finally:
        store.close()
    until(lambda: len(world.sandbox.tickets()) == 2, "the digest")
    ledger = world.carried()

    digest = world.sandbox.tickets()[-1]
    told = json.dumps(world.sandbox.comments(int(digest["id"])))
    assert "This is terrible, number 1" in told
    assert (ledger.held, ledger.appended, ledger.even) == (0, 1, True)
