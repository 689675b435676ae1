"""An answer that a blog holds for moderation, through the whole daemon: the agent hears of it, and it leaves once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from daemon_world import DaemonWorld, until

from connector.testing.simulators.wordpress import WordpressSimulator


@pytest.fixture
def blog() -> Iterator[WordpressSimulator]:
    with WordpressSimulator("connector", "abcd EFGH ijkl") as site:
        yield site


@pytest.fixture
def world(tmp_path: Path, blog: WordpressSimulator) -> Iterator[DaemonWorld]:
    made = DaemonWorld(tmp_path, f"sqlite:///{tmp_path / 'connector.db'}", tell_after=1, in_doubt_wait=0.2)
    made.settings["sources"] = {
        "blog": {
            "type": "wordpress",
            "helpdesk": "desk",
            "url": blog.url,
            "user": "connector",
            "app_password": "abcd EFGH ijkl",
            "poll": 0.2,
        }
    }
    yield made
    made.close()


def notes(world: DaemonWorld, number: int) -> str:
    found: list[dict[str, Any]] = world.sandbox.comments(number)
    return "\n".join(one["plain_body"] for one in found if not one["public"])


def test_the_ticket_says_that_it_waits_and_then_that_it_is_posted(
    world: DaemonWorld, blog: WordpressSimulator
) -> None:
    world.start()
    until(lambda: world.account("blog") is not None and world.account("blog").pulled_at, "a first pull")
    comment = blog.comment("Where is my order?")
    until(world.sandbox.tickets, "the ticket")
    number = int(world.sandbox.tickets()[0]["id"])
    world.carried()
    blog.moderated = True
    world.sandbox.agent_reply(number, html_body="<p>We are looking.</p>")
    until(lambda: "holds the answer for moderation" in notes(world, number), "the note that it waits")
    assert blog.answers() == []
    answer = max(blog.comments)
    assert blog.comments[answer].parent == comment
    blog.set_status(answer, "approved")
    until(lambda: "Reply posted" in notes(world, number), "the note that it is posted")
    assert blog.answers() == ["We are looking."]
    assert blog.calls.count("POST /wp/v2/comments") == 1
