"""VK through the whole daemon: what its callback hears, a comment onto a ticket, one answer whatever breaks."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from daemon_world import DaemonWorld, until

from connector.store import Store, journal
from connector.testing.simulators.vk import VkSimulator

TOKEN, USER_TOKEN = "vk1.a.community-token-0123456789", "vk1.a.user-token-0123456789"
SECRET, CONFIRMATION = "callback-secret", "1f2e3d4c"


@pytest.fixture
def vk() -> Iterator[VkSimulator]:
    with VkSimulator(77, TOKEN, USER_TOKEN) as simulator:
        yield simulator


@pytest.fixture
def world(tmp_path: Path, vk: VkSimulator) -> Iterator[DaemonWorld]:
    made = DaemonWorld(tmp_path, f"sqlite:///{tmp_path / 'connector.db'}")
    made.settings["sources"] = {
        "club": {
            "type": "vk",
            "helpdesk": "desk",
            "server": vk.url,
            "group_id": 77,
            "token": TOKEN,
            "user_token": USER_TOKEN,
            "poll": 0.05,
            "long_poll": 0,
        }
    }
    yield made
    made.close()


def ended(world: DaemonWorld) -> dict[str, int]:
    store = Store(world.settings["store"])
    try:
        with store.read() as tx:
            return dict(journal.replies_by_state(tx))
    finally:
        store.close()


def test_a_comment_becomes_a_ticket_and_a_lost_answer_stands_there_once(world: DaemonWorld, vk: VkSimulator) -> None:
    world.start()
    until(lambda: "lp" in vk.calls, "listening")
    ann, post = vk.person("Ann", "Lee"), vk.post("New prices")
    number = vk.comment("wall", post, ann, "Far too much!")
    until(lambda: world.sandbox.tickets() and len(world.sandbox.comments(1)) > 1, "a ticket with its card")
    card = " ".join(one["plain_body"] for one in world.sandbox.comments(1))
    assert "Ann Lee" in card
    assert "New prices" in card

    vk.cut_next_of("wall.createComment")
    world.sandbox.agent_reply(1, "We look into it.")
    until(lambda: ended(world).get("done") == 1, "the answer")
    assert vk.sent() == ["We look into it."]
    assert vk.calls.count("wall.createComment") == 1

    vk.edit("wall", post, number, "Far too much, and late!")
    until(lambda: any("edited this message" in one["plain_body"] for one in world.sandbox.comments(1)), "the edit")
    vk.delete("wall", post, number)
    until(lambda: any("deleted this message" in one["plain_body"] for one in world.sandbox.comments(1)), "the end")
    assert len(world.sandbox.tickets()) == 1


def test_the_callback_hears_what_it_wants_and_only_after_it_is_durable(world: DaemonWorld, vk: VkSimulator) -> None:
    vk.add_callback(SECRET)
    world.settings["sources"]["club"] |= {"secret": SECRET, "confirmation": CONFIRMATION}
    hooks = f"{world.start().url}/hooks/club"
    asked = json.dumps({"type": "confirmation", "group_id": 77})
    assert requests.post(hooks, data=asked, timeout=10).text == CONFIRMATION
    vk.write(vk.person("Ann"), "Where is my parcel?")
    call = vk.call_of(vk.events[-1], SECRET)
    answers = [requests.post(hooks, data=call, timeout=10) for _ in range(3)]
    assert [(one.status_code, one.text) for one in answers] == [(200, "ok")] * 3
    assert requests.post(hooks, data=vk.call_of(vk.events[-1], "other"), timeout=10).status_code == 401
    until(world.sandbox.tickets, "a ticket")
    ledger = world.carried()
    assert (ledger.ticketed, ledger.duplicates) == (1, 2)
