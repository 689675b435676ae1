"""Somebody of ours answers on the platform itself: the asker's ticket gets one private note of it, on whichever
platform; an agent's own reply that the platform tells us back gets none. One author in a thread has a ticket of their
own here, so a post of ours has to find whom it answers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from daemon_world import DaemonWorld, until
from places import NATIVE, PLACES, REPLY, Place, pulled, rows

from connector.store.tables import deliveries, mentions, parts


@pytest.fixture(params=PLACES, ids=lambda kind: kind.__name__)
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    world = DaemonWorld(tmp_path, f"sqlite:///{tmp_path / 'connector.db'}")
    made: Place = request.param(world)
    with made.other_side():
        given = {"helpdesk": "desk", "conversation": "thread_and_author", "poll": 0.1}
        world.settings["sources"] = {"here": given | made.source()}
        world.start()
        until(lambda: made.source()["type"] == "webhook" or pulled(world), "a first pull")
        yield made
        world.close()


def receipts(world: DaemonWorld) -> list[str]:
    """The ids that the agents' replies got."""
    replies = {row.id for row in rows(world, deliveries.c.id, deliveries.c.kind) if row.kind == "reply"}
    found = rows(world, parts.c.delivery, parts.c.receipt_id)
    return [row.receipt_id for row in found if row.delivery in replies and row.receipt_id]


def ticket_with(world: DaemonWorld, words: str) -> int:
    """The number of the ticket that begins with these words, its card on it."""

    def found() -> int:
        for one in world.sandbox.tickets():
            bodies = [comment["plain_body"] for comment in world.sandbox.comments(int(one["id"]))]
            if words in bodies[0] and len(bodies) > 1:
                return int(one["id"])
        return 0

    number: int = until(found, f"a ticket with {words!r}")
    return number


def notes(world: DaemonWorld, ticket: int, words: str) -> int:
    """How many private notes hold these words."""
    told = world.sandbox.comments(ticket)
    return sum(words in one["plain_body"] for one in told if not one["public"])


def tags(world: DaemonWorld, ticket: int) -> list[str]:
    found: list[str] = next(one["tags"] for one in world.sandbox.tickets() if int(one["id"]) == ticket)
    return found


def test_a_native_answer_is_one_note_on_the_askers_ticket_and_an_agents_own_reply_none(place: Place) -> None:
    world = place.world
    asked = place.ask("ann", "Where is my red coat?")
    anns = ticket_with(world, "red coat")
    others = 0
    if place.several:
        place.ask("bob", "Are there any blue hats?")
        others = ticket_with(world, "blue hats")
    place.answer(asked, NATIVE)
    until(lambda: notes(world, anns, NATIVE), "the note of what was answered there")
    assert "answered_on_platform" in tags(world, anns)

    world.sandbox.agent_reply(anns, REPLY)
    until(place.replied, "the agent's reply")
    if place.tells_back:
        (receipt,) = until(lambda: receipts(world), "the reply's receipt")
        place.tell_back(receipt)
        heard = mentions.c.external_id
        until(lambda: receipt in {row.external_id for row in rows(world, heard)}, "the reply, told back by its id")
    place.ask("ann", "And where is my green scarf?")
    until(lambda: any("green scarf" in row.body for row in rows(world, mentions.c.body)), "what comes after")
    world.carried()
    assert notes(world, anns, "on the platform itself") == 1
    if others:
        assert notes(world, others, NATIVE) == 0
        assert "answered_on_platform" not in tags(world, others)
