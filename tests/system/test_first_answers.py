"""First answers that are due, with real processes: two replicas that share the work and are killed while they do it,
against a helpdesk that loses answers. Each step is told on each ticket once.

Nobody sleeps until a deadline: the people spoke hours ago, and then they are made to have spoken earlier still, which
is the same as time going by.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from daemon_world import hours_pass

from connector.store import Store
from connector.store.tables import watches
from tests.system.world import DESKS, World, free_port, wait_for

CONVERSATIONS = 30
REMINDED, LATE, LAST = "First answer due by", "First answer is late since", "First answer should have left by"
MAPPING = """
deadlines:
  remind_before: 1h
  escalate:
    breach: {tags: [answer_late], priority: high, group: PR}
    ceiling: {tags: [answer_overdue], priority: urgent}
"""
FAULTS = {
    "error_5xx": 0.02,
    "cut_before": 0.01,
    "answer_lost_post": 0.02,
    "answer_lost_put": 0.05,
    "late_apply_put": 0.02,
    "late_apply_s": 0.5,
}


class Replica:
    """One more process on the same database and the same helpdesk."""

    def __init__(self, world: World, number: int, mappings: Path) -> None:
        self.world = world
        settings = json.loads(world.config.read_text(encoding="utf-8"))
        self.port = free_port() if number else world.port
        settings["server"] = {"listen": f"127.0.0.1:{self.port}"}
        settings["mappings"] = str(mappings)
        self.config = world.folder / f"replica{number}.yaml"
        self.config.write_text(json.dumps(settings), encoding="utf-8")
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, if it does not run; gives back at once."""
        if self.process is None:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "connector", "-c", str(self.config), "run"],
                stdout=self.world.log,
                stderr=self.world.log,
                cwd=self.world.folder,
                env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
            )

    def kill(self) -> None:
        """In the middle of whatever it does."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None


def told(world: World) -> dict[int, Counter[str]]:
    """Which notes about a first answer stand on each ticket."""
    found: dict[int, Counter[str]] = {}
    for ticket in world.sandbox.seen_tickets():
        notes = [one.text for one in world.sandbox.seen_comments(ticket.number) if not one.public]
        found[ticket.number] = Counter(words for note in notes for words in (REMINDED, LATE, LAST) if words in note)
    return found


def all_have(world: World, words: str, count: int) -> bool:
    return sum(notes[words] > 0 for notes in told(world).values()) == count


@pytest.mark.system
@pytest.mark.parametrize("helpdesk", DESKS)
def test_each_step_is_told_once_by_replicas_that_are_killed_meanwhile(
    helpdesk: str, store_url: str, tmp_path: Path
) -> None:
    chance = random.Random(8)
    world = World(tmp_path, store_url, helpdesk, FAULTS)
    mappings = tmp_path / "mappings"
    mappings.mkdir()
    (mappings / "deadlines.yaml").write_text(MAPPING, encoding="utf-8")
    store = world.store()
    replicas = [Replica(world, number, mappings) for number in range(1 if store.is_sqlite else 2)]
    spoken = (datetime.now(UTC) - timedelta(hours=7, minutes=10)).isoformat()

    def killed_until(words: str, count: int) -> None:
        """Kill one after the other until every ticket has such a note."""
        deadline = time.monotonic() + 120
        while not all_have(world, words, count):
            assert time.monotonic() < deadline, f"{words}: {told(world)}"
            victim = chance.choice(replicas)
            time.sleep(chance.uniform(2.0, 7.0))
            victim.kill()
            victim.start()

    try:
        for one in replicas:
            one.start()
        world.send(
            [
                {"id": f"m{n}", "text": "Where is it?", "author": {"id": f"u{n}"}, "created_at": spoken}
                for n in range(CONVERSATIONS)
            ]
        )
        killed_until(REMINDED, CONVERSATIONS)

        answered = world.sandbox.seen_tickets()[0].number
        world.sandbox.answer(answered, "<p>Here it is.</p>")
        wait_for(lambda: world.bridge.order, 60, "the answer to arrive")
        wait_for(lambda: _waiting(store) == CONVERSATIONS - 1, 60, "the answer to end the watch")

        hours_pass(store, 5)
        killed_until(LATE, CONVERSATIONS - 1)
        wait_for(lambda: world.settled(1), 60, "settling everything")

        for one in replicas:
            one.kill()
        hours_pass(store, 48)
        for one in replicas:
            one.start()
        wait_for(lambda: all_have(world, LAST, CONVERSATIONS - 1), 90, "the last escalation")
        wait_for(lambda: world.settled(1), 60, "settling everything")
    finally:
        for one in replicas:
            one.kill()
        store.close()
        hits = {name: count for name, count in world.sandbox.hits().items() if count}
        print(f"\nfaults {hits}")
        notes, tickets = told(world), {one.number: one for one in world.sandbox.seen_tickets()}
        world.close()

    assert len(notes) == CONVERSATIONS
    assert notes.pop(answered) == {REMINDED: 1}
    assert set(tickets.pop(answered).tags).isdisjoint({"answer_late", "answer_overdue"})
    doubled = {ticket: counted for ticket, counted in notes.items() if counted != {REMINDED: 1, LATE: 1, LAST: 1}}
    assert not doubled
    for ticket in tickets.values():
        assert {"answer_late", "answer_overdue"} <= set(ticket.tags)
        assert ticket.priority == "urgent"


def _waiting(store: Store) -> int:
    with store.read() as tx:
        return int(
            tx.execute(
                sa.select(sa.func.count()).select_from(watches).where(watches.c.ended_at.is_(None))
            ).scalar_one()
        )
