"""A listening tool's findings through the whole daemon: one ticket, answered where the person wrote, or by hand."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from daemon_world import DaemonWorld, until

from connector.store import Store, journal
from connector.store.journal import Balance
from connector.testing.simulators.bluesky import Account, BlueskySimulator

PASSWORD = "hook-password-for-tests"


class ToolWorld(DaemonWorld):
    """A brand's Bluesky account beside a YouScan webhook."""

    def __init__(self, folder: Path, store_url: str, sky: BlueskySimulator) -> None:
        super().__init__(folder, store_url)
        self.sky = sky
        self.brand = sky.add_account("brand.test", "app-pass-word", "Brand")
        self.ann = sky.add_account("ann.test", "ann-pass", "Ann")
        self.settings["sources"] = {
            "sky": {
                "type": "bluesky",
                "helpdesk": "desk",
                "service": sky.url,
                "identifier": "brand.test",
                "app_password": "app-pass-word",
                "poll": 0.2,
            },
            "tool": {"type": "listening", "helpdesk": "desk", "preset": "youscan", "hook_password": PASSWORD},
        }

    def found(self, url: str, **more: Any) -> dict[str, int]:
        """YouScan calls about a post."""
        body = {
            "mentionId": 4711,
            "sourceName": "bsky.app",
            "url": url,
            "sentiment": "negative",
            "text": "found",
            **more,
        }
        answer = requests.post(
            f"{self.running[-1].url}/hooks/tool", data=json.dumps(body), auth=("youscan", PASSWORD), timeout=30
        )
        assert answer.status_code == 200, answer.text
        told: dict[str, int] = answer.json()
        return told

    def address(self, uri: str, by: Account) -> str:
        return f"https://bsky.app/profile/{by.handle}/post/{uri.rpartition('/')[2]}"

    def ledger(self) -> Balance:
        """The books as they stand."""
        store = Store(self.settings["store"])
        try:
            with store.read() as tx:
                return journal.balance(tx)
        finally:
            store.close()

    def listening(self) -> None:
        """Wait until the account is asked for new mentions: what stood there before is not told."""
        until(lambda: self.account("sky") is not None and self.account("sky").pulled_at, "a first pull")


@pytest.fixture
def world(tmp_path: Path, store_url: str) -> Iterator[ToolWorld]:
    with BlueskySimulator() as sky:
        made = ToolWorld(tmp_path, store_url, sky)
        yield made
        made.close()


def test_a_post_only_the_tool_found_is_answered_in_its_thread(world: ToolWorld) -> None:
    world.start()
    uri = world.sky.post(world.ann, "this company lost my parcel")  # names nobody, so the account is not told
    assert world.found(world.address(uri, world.ann)) == {"accepted": 1, "duplicates": 0}
    assert world.found(world.address(uri, world.ann)) == {"accepted": 0, "duplicates": 1}
    assert world.carried().ticketed == 1
    (ticket,) = world.sandbox.tickets()
    shown = " ".join(one["plain_body"] for one in world.sandbox.comments(int(ticket["id"])))
    assert "lost my parcel" in shown
    assert "negative" in shown
    world.sandbox.agent_reply(int(ticket["id"]), html_body="<p>We are looking for it.</p>")
    until(lambda: world.sky.posts(world.brand), "the answer")
    world.carried()
    (posted,) = world.sky.posts(world.brand)
    assert posted["reply"]["parent"]["uri"] == uri


@pytest.mark.parametrize("first", ["tool", "platform"])
def test_a_post_told_by_both_is_one_ticket(world: ToolWorld, first: str) -> None:
    world.start()
    world.listening()
    if first == "tool":
        uri = world.sky.post(world.ann, "hello there, brand")
        assert world.found(world.address(uri, world.ann))["accepted"] == 1
        feature = {"$type": "app.bsky.richtext.facet#mention", "did": world.brand.did}
        world.sky.record(uri)["facets"] = [{"index": {"byteStart": 0, "byteEnd": 5}, "features": [feature]}]
    else:
        uri = world.sky.post(world.ann, "@brand.test hello there")
        until(lambda: world.ledger().received, "the platform to tell it")
        assert world.found(world.address(uri, world.ann)) == {"accepted": 0, "duplicates": 1}
    until(lambda: world.ledger().duplicates == 1, "the second telling")
    assert world.carried().ticketed == 1
    assert len(world.sandbox.tickets()) == 1


def test_our_own_post_that_the_tool_found_is_no_ticket(world: ToolWorld) -> None:
    world.start()
    uri = world.sky.post(world.brand, "Our new collection")
    world.found(world.address(uri, world.brand))
    assert world.carried().ignored == {"our own post": 1}


@pytest.mark.parametrize("away", [False, True])
def test_what_nobody_of_ours_can_answer_is_answered_by_hand(world: ToolWorld, away: bool) -> None:
    world.start()
    url = world.address(world.sky.post(world.ann, "angry"), world.ann) if away else "https://forum.example/7"
    if away:
        world.listening()
        world.sky.misbehave("broken")
    assert world.found(url)["accepted"] == 1
    world.carried()
    (ticket,) = world.sandbox.tickets()
    number = int(ticket["id"])
    card = next(one["html_body"] for one in world.sandbox.comments(number) if not one["public"])
    assert f'href="{url}"' in card
    assert "cannot be answered from here" in card
    world.sandbox.agent_reply(number, html_body="<p>We are looking.</p>")
    until(lambda: any("link" in one["plain_body"] for one in _notes(world, number)[1:]), "the note to the agent")
    assert world.sky.posts(world.brand) == []


def _notes(world: ToolWorld, number: int) -> list[dict[str, Any]]:
    return [one for one in world.sandbox.comments(number) if not one["public"]]
