"""Real processes through bad days: stopped in the middle, one of two killed, a helpdesk away, a token gone bad."""

from __future__ import annotations

import json
import random
import signal
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import requests
import sqlalchemy as sa

from connector.store import journal
from connector.store.journal import Balance
from connector.store.tables import deliveries
from tests.system.world import DESKS, TOKEN, World, free_port, wait_for

pytestmark = pytest.mark.system

Make = Callable[..., World]


@pytest.fixture(params=DESKS)
def helpdesk(request: pytest.FixtureRequest) -> str:
    """Each helpdesk."""
    return str(request.param)


@pytest.fixture
def make(tmp_path: Path, store_url: str, helpdesk: str) -> Iterator[Make]:
    """Worlds at each helpdesk, on each database."""
    yield from _making(tmp_path, store_url, helpdesk)


@pytest.fixture
def make_shared(tmp_path: Path, postgres: Any, helpdesk: str) -> Iterator[Make]:
    """Worlds at each helpdesk, on one PostgreSQL database, for several replicas."""
    yield from _making(tmp_path, postgres.fresh(), helpdesk)


def _making(tmp_path: Path, store_url: str, helpdesk: str) -> Iterator[Make]:
    made: list[World] = []

    def build(faults: Mapping[str, Any] | None = None, **delivery: Any) -> World:
        world = World(tmp_path, store_url, helpdesk, faults, **delivery)
        made.append(world)
        return world

    yield build
    for world in made:
        world.close()


def mention(conversation: int, n: int = 0) -> dict[str, object]:
    """The n-th message of a conversation."""
    return {
        "id": f"c{conversation}-{n}",
        "text": f"Where is my order? m{conversation}x{n}",
        "thread_id": f"c{conversation}",
        "author": {"id": f"u{conversation % 7}", "name": f"Person {conversation % 7}"},
    }


def balance(world: World) -> Balance:
    """The ledger now."""
    store = world.store()
    try:
        with store.read() as tx:
            return journal.balance(tx)
    finally:
        store.close()


def rows(world: World) -> list[Any]:
    """Every delivery's state, reason and whether it was ever in doubt."""
    store = world.store()
    try:
        with store.read() as tx:
            return list(tx.execute(sa.select(deliveries.c.state, deliveries.c.reason, deliveries.c.doubted_at)))
    finally:
        store.close()


def said(world: World) -> dict[int, list[int]]:
    """Per conversation the messages on its one ticket, in the order they stand there."""
    found: dict[int, list[int]] = defaultdict(list)
    owners: dict[int, set[int]] = defaultdict(set)
    for ticket in world.sandbox.seen_tickets():
        for public, text in world.comments(ticket.number):
            for word in text.split() if public else ():
                if word.startswith("m") and "x" in word and word[1:].replace("x", "").isdigit():
                    conversation, n = (int(part) for part in word[1:].split("x"))
                    found[conversation].append(n)
                    owners[conversation].add(ticket.number)
    assert all(len(numbers) == 1 for numbers in owners.values()), "a conversation has two tickets"
    return found


# --- stopping and reloading ---


def test_a_stop_in_the_middle_of_calls_is_clean(make: Make) -> None:
    world = make({"slow": 1.0, "slow_s": 0.5})
    world.start()
    world.up()
    for number in range(30):
        world.send([mention(number)])
    wait_for(lambda: world.sandbox.requests().get("POST /api/v2/tickets"), 20, "a call")
    assert world.stop() == 0
    assert {row.state for row in rows(world)} <= {"ready", "blocked", "done"}
    assert not [row for row in rows(world) if row.doubted_at is not None]
    world.sandbox.faults.slow = 0.0
    world.start()
    world.up()
    wait_for(lambda: world.settled(0), 30, "the rest")
    assert said(world) == {number: [0] for number in range(30)}


def test_a_hangup_signal_takes_over_what_changed_and_keeps_what_was_good(make: Make) -> None:
    world = make()
    world.start()
    world.up()
    assert world.process is not None
    good = world.config.read_text(encoding="utf-8")
    changed = json.loads(good)
    changed["sources"]["second"] = changed["sources"]["feed"]
    second = f"http://127.0.0.1:{world.port}/hooks/second"
    headers = {"Authorization": f"Bearer {TOKEN}"}

    def status() -> int:
        return requests.post(second, json=[], headers=headers, timeout=5).status_code

    assert status() == 404
    world.config.write_text(json.dumps(changed), encoding="utf-8")
    world.process.send_signal(signal.SIGHUP)
    wait_for(lambda: status() == 200, 10, "the new source")
    world.config.write_text("helpdesks: [", encoding="utf-8")
    world.process.send_signal(signal.SIGHUP)
    wait_for(lambda: b"reload refused" in (world.folder / "connector.log").read_bytes(), 10, "the refusal")
    assert status() == 200
    world.send([mention(1)])
    wait_for(lambda: world.settled(0), 20, "the ticket")
    assert world.stop() == 0


# --- two replicas ---


def test_one_of_two_replicas_is_killed_again_and_again(make_shared: Make) -> None:
    world = make_shared(lease=5.0)
    left, right = world, _replica(world)
    left.start()
    right.start()
    left.up()
    chance = random.Random(7)
    try:
        for batch in range(15):
            world.send([mention(c, n) for c in range(batch * 5, batch * 5 + 5) for n in range(4)])
            if batch % 3 == 2:
                victim = chance.choice((left, right))
                other = right if victim is left else left
                other.up()
                victim.kill()
                victim.start()
            time.sleep(chance.uniform(0.05, 0.3))
            left.up()
        wait_for(lambda: world.settled(0), 60, "everything")
        ledger = balance(world)
        assert (ledger.received, ledger.ticketed, ledger.ticketed + ledger.appended) == (300, 75, 300)
        assert said(world) == {c: [0, 1, 2, 3] for c in range(75)}
    finally:
        right.kill()
        right.log.close()


def _replica(world: World) -> World:
    """A second process on the same database and sandbox."""
    twin: World = object.__new__(World)
    twin.__dict__.update(world.__dict__)
    twin.port = free_port()
    twin.config = world.folder / "second.yaml"
    settings = json.loads(world.config.read_text(encoding="utf-8"))
    settings["server"]["listen"] = f"127.0.0.1:{twin.port}"
    twin.config.write_text(json.dumps(settings), encoding="utf-8")
    twin.log = (world.folder / "second.log").open("ab")
    twin.process = None
    return twin


# --- the helpdesk has a bad day ---


def test_a_helpdesk_that_is_away_for_seconds_loses_nothing(make: Make) -> None:
    world = make()
    world.start()
    world.up()
    for n in range(3):
        world.send([mention(c, n) for c in range(20)])
    wait_for(lambda: len(world.sandbox.seen_tickets()) > 3, 20, "the first tickets")
    world.sandbox.faults.error_5xx = 1.0
    for n in range(3, 6):
        world.send([mention(c, n) for c in range(20)])
    time.sleep(4)
    world.sandbox.faults.error_5xx = 0.0
    wait_for(lambda: world.settled(0), 40, "everything")
    assert said(world) == {c: list(range(6)) for c in range(20)}
    assert balance(world).failed == balance(world).unsure == 0
    proved = world.command("verify")
    assert proved.returncode == 0, proved.stdout + proved.stderr
    world.sandbox.delete(1)
    missed = world.command("verify")
    assert missed.returncode != 0, missed.stdout


def test_a_token_that_stops_being_good_stops_the_account_until_it_is_mended(make: Make) -> None:
    world = make(probe_every=1.0)
    world.start()
    world.up()
    world.send([mention(c) for c in range(5)])
    wait_for(lambda: world.settled(0), 20, "the first")
    good = world.config.read_text(encoding="utf-8")
    spoilt = json.loads(good)
    spoilt["helpdesks"]["desk"] |= world.kind.wrong_key
    world.config.write_text(json.dumps(spoilt), encoding="utf-8")
    assert world.process is not None
    world.process.send_signal(signal.SIGHUP)
    log = world.folder / "connector.log"
    wait_for(lambda: b'"reloaded"' in log.read_bytes(), 10, "the reload")
    before = sum(world.sandbox.requests().values())
    world.send([mention(c) for c in range(5, 65)])
    wait_for(lambda: _standing(world, "desk").stopped, 20, "the account to be stopped")
    time.sleep(3)
    calls = sum(world.sandbox.requests().values()) - before
    assert calls < 60, f"{calls} calls with a token that is known to be wrong"
    assert {row.state for row in rows(world)} == {"done", "ready"}
    world.config.write_text(good, encoding="utf-8")
    world.process.send_signal(signal.SIGHUP)
    wait_for(lambda: world.settled(0), 40, "everything")
    assert said(world) == {c: [0] for c in range(65)}
    assert not _standing(world, "desk").stopped
    told = log.read_text(encoding="utf-8")
    assert told.count('"account stopped"') == 1
    assert "revoked" not in told


def _standing(world: World, name: str) -> Any:
    store = world.store()
    try:
        with store.read() as tx:
            return next(one for one in journal.standing(tx) if one.name == name)
    finally:
        store.close()
