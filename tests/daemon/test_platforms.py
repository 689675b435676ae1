"""X and Meta through the running daemon: a mention becomes a ticket whose card says how it can be answered, and the
agent's answer stands there once, though its answer was lost."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from daemon_world import DaemonWorld, until

from connector.testing.simulators.meta import MetaSimulator
from connector.testing.simulators.x import XSimulator


@pytest.fixture
def world(tmp_path: Path) -> Iterator[DaemonWorld]:
    made = DaemonWorld(tmp_path, f"sqlite:///{tmp_path / 'connector.db'}")
    made.settings["sources"] = {}
    yield made
    made.close()


def ticket_of(world: DaemonWorld, words: str) -> dict[str, Any]:
    """The ticket that holds those words, when its card is on it."""

    def found() -> dict[str, Any] | None:
        for one in world.sandbox.tickets():
            bodies = [comment["html_body"] for comment in world.sandbox.comments(one["id"])]
            if words in bodies[0] and len(bodies) > 1:
                return one | {"card": bodies[1]}
        return None

    ticket: dict[str, Any] = until(found, f"a ticket with {words!r}")
    return ticket


def told(world: DaemonWorld, ticket: dict[str, Any], words: str) -> bool:
    return any(words in one["html_body"] for one in world.sandbox.comments(ticket["id"]))


def test_a_comment_on_facebook_is_answered_once_though_the_answer_was_lost(world: DaemonWorld) -> None:
    with MetaSimulator() as meta:
        post = meta.add_post("New collection")
        world.settings["sources"]["fb"] = {
            "type": "facebook",
            "helpdesk": "desk",
            "page_id": meta.page,
            "app_secret": meta.app_secret,
            "access_token": meta.token,
            "verify_token": "verify-me-please",
            "service": meta.url,
            "poll": 0.2,
        }
        hook = f"{world.start().url}/hooks/fb"
        asked = {"hub.mode": "subscribe", "hub.verify_token": "verify-me-please", "hub.challenge": "42"}
        challenge = requests.get(hook, params=asked, timeout=10)
        assert (challenge.status_code, challenge.text) == (200, "42")
        assert requests.get(hook, params=asked | {"hub.verify_token": "x"}, timeout=10).status_code == 403

        comment = meta.comment("ann", post, "Where is my red coat?")
        headers, body = meta.feed_event(comment)
        assert requests.post(hook, data=body, headers=headers, timeout=10).status_code == 200
        ticket = ticket_of(world, "red coat")
        assert "New collection" in ticket["card"]
        assert "once within 7 days also privately" in ticket["card"]

        meta.cut_replies = 1
        world.sandbox.agent_reply(int(ticket["id"]), html_body="<p>On its way!</p>")
        until(lambda: told(world, ticket, "Reply posted"), "the answer to be carried")
        assert [(one.text, one.answers) for one in meta.ours("comment")] == [("On its way!", comment)]

        meta.edit(comment, "Where is my BLUE coat?")
        until(lambda: told(world, ticket, "BLUE"), "the edit to be noted")
        assert len(world.sandbox.tickets()) == 1


def test_a_post_on_x_that_cannot_be_answered_says_so_on_its_card_and_another_is_answered(world: DaemonWorld) -> None:
    with XSimulator() as x:
        brand, ann = x.add_user("brand"), x.add_user("ann", "Ann")
        world.settings["sources"]["tw"] = {
            "type": "x",
            "helpdesk": "desk",
            "api_key": x.api_key,
            "api_secret": x.api_secret,
            "access_token": brand.token,
            "access_token_secret": brand.secret,
            "service": x.url,
            "poll": 0.2,
        }
        hook = f"{world.start().url}/hooks/tw"
        challenge = requests.get(hook, params={"crc_token": "abc"}, timeout=10)
        assert challenge.json() == {"response_token": x.sign(b"abc")}
        assert requests.get(hook, params={"crc_token": '{"a":1}'}, timeout=10).status_code == 400

        headers, body = x.event("post.reply.create", x.post(ann, "I do not call them"), brand)
        assert requests.post(hook, data=body, headers=headers, timeout=10).json() == {"accepted": 1, "duplicates": 0}
        silent = ticket_of(world, "I do not call them")
        assert "cannot be answered from here" in silent["card"]
        assert "reply_by_hand" in silent["tags"]

        until(lambda: "GET /2/users/1000000/mentions" in x.calls, "listening to begin")
        x.post(ann, "@brand where is my parcel?")
        ticket = ticket_of(world, "where is my parcel")
        assert "280 characters as X counts" in ticket["card"]
        x.cut_replies = 1
        world.sandbox.agent_reply(int(ticket["id"]), html_body="<p>On its way!</p>")
        until(lambda: told(world, ticket, "Reply posted"), "the answer to be carried")
        assert [one.text[one.prefix :] for one in x.posts(brand)] == ["On its way!"]
