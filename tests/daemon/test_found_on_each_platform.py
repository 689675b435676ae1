"""A tool and the platform tell of the same post, in either order: it is one mention of the platform's own account,
one ticket, and it is answered where it was said."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from daemon_world import DaemonWorld, until
from places import FOUND, REPLY, Place, pulled, rows

from connector.store.tables import counters, mentions

PASSWORD = "hook-password-for-tests"


@pytest.fixture(params=FOUND, ids=lambda kind: kind.__name__)
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    world = DaemonWorld(tmp_path, f"sqlite:///{tmp_path / 'connector.db'}")
    made: Place = request.param(world)
    with made.other_side():
        yield made
        world.close()


@pytest.mark.parametrize("first", ["tool", "platform"])
def test_a_post_told_by_both_is_one_ticket_and_answered_there(place: Place, first: str) -> None:
    world = place.world
    often = 0.1 if first == "platform" else 2.0
    tool = {"type": "listening", "helpdesk": "desk", "preset": "youscan", "hook_password": PASSWORD}
    here = place.source() | {"helpdesk": "desk", "poll": often}
    world.settings["sources"] = {"here": here, "tool": tool}
    hook = f"{world.start().url}/hooks/tool"
    until(lambda: pulled(world), "a first pull")
    asked = place.ask("ann", "Where is my red coat?")
    if first == "platform":
        until(lambda: rows(world, mentions.c.id), "the platform to tell it")
    body = {"mentionId": 4711, "url": place.address(asked), "text": "Where is my red coat?", "sentiment": "negative"}
    told = requests.post(hook, data=json.dumps(body), auth=("youscan", PASSWORD), timeout=30).json()
    assert sum(told.values()) == 1
    until(lambda: sum(row.duplicates for row in rows(world, counters.c.duplicates)) == 1, "the second telling")
    world.carried()
    assert [row.source for row in rows(world, mentions.c.source)] == ["here"]
    assert len(world.sandbox.tickets()) == 1
    world.sandbox.agent_reply(1, REPLY)
    until(place.replied, "the answer where it was said")
