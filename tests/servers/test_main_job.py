"""The main job on real input: a real Bluesky network and a real feed file become tickets; answers appear on Bluesky.

Opt-in: CONNECTOR_BLUESKY_NETWORK names the network.json of a running network, see docs/sources/bluesky.md.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.servers.bluesky_world import RealWorld
from tests.system.world import World, wait_for

NETWORK = os.environ.get("CONNECTOR_BLUESKY_NETWORK", "")

pytestmark = [
    pytest.mark.servers,
    pytest.mark.skipif(not NETWORK, reason="CONNECTOR_BLUESKY_NETWORK names no network.json"),
]

FEED = """<?xml version="1.0" encoding="utf-8"?>
<rss version="2.0"><channel><title>Blog</title><link>https://blog.example/</link><description>d</description>
{items}</channel></rss>
"""
ITEM = "<item><title>{title}</title><link>https://blog.example/{n}</link><guid>{n}</guid><description>{text}</description></item>"


@pytest.fixture
def network() -> RealWorld:
    return RealWorld(Path(NETWORK))


@pytest.fixture
def world(network: RealWorld, tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path, f"sqlite:///{tmp_path / 'connector.db'}", "zendesk")
    (tmp_path / "feed.xml").write_text(FEED.format(items=""), encoding="utf-8")
    config = json.loads(made.config.read_text())
    config["sources"] = {
        "sky": {
            "type": "bluesky",
            "helpdesk": "desk",
            "service": network.pds,
            "identifier": network.account["handle"],
            "app_password": network.account["password"],
            "watch_deletes_every": 1.0,
            "poll": 0.5,
        },
        "blog": {"type": "rss", "helpdesk": "desk", "url": f"file://{tmp_path / 'feed.xml'}", "poll": 0.5},
    }
    made.config.write_text(json.dumps(config), encoding="utf-8")
    made.start()
    made.up()
    yield made
    made.close()


def _ticket(world: World, told: Callable[[dict[str, Any]], bool], doing: str) -> dict[str, Any]:
    found: dict[str, Any] = wait_for(lambda: next((t for t in world.sandbox.tickets() if told(t)), None), 60, doing)
    return found


def _comments(world: World, ticket: int, public: bool) -> list[str]:
    return [str(c["plain_body"]) for c in world.sandbox.comments(ticket) if c["public"] is public]


def test_mentions_become_tickets_and_answers_appear_where_people_wrote(
    world: World, network: RealWorld, tmp_path: Path
) -> None:
    time.sleep(2)  # the first pull listens from now: let it be over
    started = time.monotonic()
    said = network.client.mention(network.brand, "заказ 77 не пришёл, третий день жду", before="Привет, ")
    ticket = _ticket(world, lambda t: said["uri"] in str(t["external_id"]), "a ticket for the mention")
    took = time.monotonic() - started
    number = int(ticket["id"])
    wait_for(lambda: _comments(world, number, False), 20, "the card")
    print(f"\nticket {number} after {took:.1f} s: {ticket['subject']} {ticket['priority']} {ticket['tags']}")
    print(_comments(world, number, True)[0])
    print(_comments(world, number, False)[0])
    assert "заказ 77 не пришёл" in _comments(world, number, True)[0]

    world.sandbox.agent_reply(number, html_body="<p>Тайная заметка</p>", public=False)
    answer = '<p>Извините! Уже ищем, <a href="https://status.example/77">следить здесь</a></p>'
    world.sandbox.agent_reply(number, html_body=answer)
    thread = wait_for(lambda: _answers(network, said["uri"]), 60, "the answer on Bluesky")
    print("on Bluesky:", json.dumps(thread, ensure_ascii=False))
    assert len(thread) == 1
    assert "Извините! Уже ищем" in thread[0]["text"]
    assert "https://status.example/77" in thread[0]["text"]
    assert "Тайная" not in thread[0]["text"]
    wait_for(lambda: any("Reply posted" in n for n in _comments(world, number, False)), 20, "the note with the link")
    print(_comments(world, number, False)[-1])

    # the person writes again in the same thread: a comment on the same ticket
    seen = {"uris": thread[0]["uri"]}  # nobody can answer what the network does not show yet
    wait_for(lambda: network.client.ask("app.bsky.feed.getPosts", **seen)["posts"], 30, "the answer being shown")
    refs = {"root": said, "parent": {"uri": thread[0]["uri"], "cid": thread[0]["cid"]}}
    network.client.create(
        "app.bsky.feed.post",
        {"text": "Спасибо, жду ещё час", "createdAt": _now(), "langs": ["ru"], "reply": refs},
    )
    wait_for(
        lambda: any("жду ещё час" in text for text in _comments(world, number, True)), 60, "the follow-up comment"
    )

    # a post in the feed becomes a ticket that says it cannot be answered; an answer tells so too
    items = ITEM.format(n=1, title="Разбор", text="Купил у них чайник, сломался через день")
    (tmp_path / "feed.xml").write_text(FEED.format(items=items), encoding="utf-8")
    article = _ticket(world, lambda t: str(t["external_id"]).startswith("blog:"), "a ticket for the article")
    other = int(article["id"])
    wait_for(lambda: _comments(world, other, False), 20, "its card")
    assert "cannot be answered from here" in _comments(world, other, False)[0]
    world.sandbox.agent_reply(other, html_body="<p>Здравствуйте!</p>")
    wait_for(lambda: any("NOT delivered" in n for n in _comments(world, other, False)), 60, "the note that says no")
    print(_comments(world, other, False)[-1])

    # deleted there, noted here
    network.client.delete(said["uri"])
    wait_for(
        lambda: any("deleted this message" in n for n in _comments(world, number, False)),
        90,
        "the note of a deletion",
    )
    assert world.stop() == 0
    assert len(_answers(network, said["uri"])) <= 1


def _now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime())


def _answers(network: RealWorld, uri: str) -> list[dict[str, Any]]:
    """Our account's answers to a post, as the client's own server has them."""
    found = []
    for one in network.brand.posts():
        value = one["value"]
        if value.get("reply", {}).get("parent", {}).get("uri") == uri:
            found.append({"uri": one["uri"], "cid": one["cid"], **value})
    return found
