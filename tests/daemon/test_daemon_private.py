"""The tag that moves to private, through the running daemon and a Zendesk sandbox, on each database."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from daemon_world import DaemonWorld, mention, until


@pytest.fixture
def world(tmp_path: Path, store_url: str) -> Iterator[DaemonWorld]:
    made = DaemonWorld(tmp_path, store_url)
    yield made
    made.close()


def tags(world: DaemonWorld) -> set[str]:
    (ticket,) = world.sandbox.tickets()
    return set(ticket["tags"])


def posts(world: DaemonWorld) -> list[dict[str, Any]]:
    return [world.bridge.posts[key] for key in world.bridge.order]


def test_a_tag_asks_in_public_and_the_private_message_comes_onto_the_same_ticket(world: DaemonWorld) -> None:
    world.start()
    world.send(mention(1, thread_id="t"))
    world.carried()
    login = ("admin@example.com/token", "sandbox")
    url = f"{world.sandbox.address}/api/v2/tickets/1/tags"
    assert requests.put(url, json={"tags": ["move_to_private"]}, auth=login, timeout=10).ok
    until(lambda: "awaiting_private" in tags(world), "the ticket to wait")
    assert "move_to_private" not in tags(world)
    assert [post["private"] for post in posts(world)] == [False]

    world.send(mention("dm", text="My number is 12", kind="dm", thread_id="dm", private=True))
    until(lambda: "awaiting_private" not in tags(world), "the private message to be seen")
    world.carried()
    world.sandbox.agent_reply(1, html_body="<p>It is on its way.</p>")
    until(lambda: len(posts(world)) == 2, "the answer")

    assert len(world.sandbox.tickets()) == 1
    assert (posts(world)[1]["private"], posts(world)[1]["mention_id"]) == (True, "mdm")
