"""What happens to tickets and messages afterwards: closed, merged, deleted, edited, taken back, with files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
import sqlalchemy as sa

from connector.store.tables import deliveries
from connector.testing.simulators import freshdesk
from tests.system.world import DESKS, Bridge, World, wait_for

pytestmark = pytest.mark.system


@pytest.fixture(params=DESKS)
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    """A running connector at each helpdesk, on SQLite; the database makes no difference here."""
    made = World(tmp_path, f"sqlite:///{tmp_path / 'connector.db'}", request.param)
    made.start()
    made.up()
    yield made
    try:
        assert made.stop() == 0
    finally:
        made.close()


def say(world: World, ident: str, text: str = "", **facts: Any) -> None:
    """Somebody says something in the one thread; gives back when it is carried."""
    given: dict[str, Any] = {
        "id": ident,
        "text": text or f"this is {ident}",
        "thread_id": "t",
        "author": {"id": "u", "name": "Anna"},
    }
    # long before the agent answers: helpdesks tell a comment's time in whole seconds
    given["created_at"] = "2026-03-04T11:00:00Z"
    world.send([given | facts])
    wait_for(lambda: world.settled(0), 20, f"carrying {ident}")


def texts(world: World, ticket: int, *, public: bool = True) -> list[str]:
    """What stands on a ticket."""
    return [text for is_public, text in world.comments(ticket) if is_public is public]


def replied(world: World, count: int) -> list[dict[str, Any]]:
    """The posts of the bridge, when there are so many."""
    wait_for(lambda: len(world.bridge.order) >= count and world.settled(count), 20, f"{count} replies")
    return [world.bridge.posts[key] for key in world.bridge.order]


def test_after_a_ticket_is_closed_the_thread_goes_on(world: World) -> None:
    say(world, "a")
    world.sandbox.close(1)
    say(world, "b")
    say(world, "c")
    if world.helpdesk == "zendesk":  # closed is for good: a follow-up
        first, second = world.sandbox.tickets()
        assert second["via"]["source"]["rel"] == "follow_up"
        assert second["via"]["source"]["from"]["ticket_id"] == first["id"]
        assert texts(world, 1) == ["this is a"]
        assert texts(world, 2) == ["this is b", "this is c"]
    else:  # the same ticket is opened again
        (only,) = world.sandbox.seen_tickets()
        assert only.status == "open"
        assert texts(world, 1) == ["this is a", "this is b", "this is c"]
    world.sandbox.answer(len(world.sandbox.seen_tickets()), "<p>after that</p>")
    assert [(post["mention_id"], post["text"]) for post in replied(world, 1)] == [("c", "after that")]


def test_after_a_merge_the_thread_goes_on_where_it_was_merged_into(world: World) -> None:
    say(world, "a")
    say(world, "z", thread_id="other")
    world.sandbox.merge(2, 1)
    say(world, "b")
    assert len(world.sandbox.seen_tickets()) == 2
    assert "this is b" in texts(world, 2)
    assert "this is b" not in texts(world, 1)


def test_after_a_ticket_is_deleted_the_thread_goes_on_in_a_new_one(world: World) -> None:
    say(world, "a")
    world.sandbox.delete(1)
    say(world, "b")
    gone, new = world.sandbox.seen_tickets()
    assert gone.status == "deleted"
    assert new.status in ("new", "open")
    assert texts(world, 2) == ["this is b"]


def test_an_edit_and_a_deletion_are_noted_and_overwrite_nothing(world: World) -> None:
    say(world, "a", "it broke")
    say(world, "a", "it broke and burnt", edited_at="2026-03-04T12:00:00Z")
    say(world, "a", "", deleted=True)
    assert len(world.sandbox.seen_tickets()) == 1
    assert texts(world, 1) == ["it broke"]
    edit, deletion = texts(world, 1, public=False)[-2:]
    assert "edited this message" in edit
    assert "it broke and burnt" in edit
    assert "deleted this message" in deletion


def test_files_go_both_ways(world: World) -> None:
    say(world, "a")
    first = world.sandbox.answer(1, "<p>look</p>", files=[("plan.png", "image/png", b"\x89PNG the plan")])
    (posted,) = replied(world, 1)
    (sent,) = posted["attachments"]
    assert (sent["name"], sent["type"]) == ("plan.png", "image/png")
    assert requests.get(sent["url"], timeout=5).content == b"\x89PNG the plan"
    say(world, "b", attachments=[{"url": first.files[0].url, "name": "receipt.png"}])
    comment = next(said for said in world.sandbox.seen_comments(1) if "this is b" in said.text)
    (taken,) = comment.files
    assert taken.name == "receipt.png"
    assert requests.get(taken.url, timeout=5).content == b"\x89PNG the plan"


def test_of_all_an_agent_writes_only_public_answers_leave(world: World) -> None:
    say(world, "a")
    world.sandbox.answer(1, "<p>between us</p>", public=False)
    world.sandbox.answer(1, "<p>for everybody</p>")
    if world.helpdesk == "freshdesk":  # its other kinds: a public note is an answer too, forwarded mail is not
        world.sandbox.agent_note(1, "<p>a public note</p>", public=True)
        forward = {"body": "for the courier", "to_emails": ["courier@example.com"]}
        key = (freshdesk.AGENT_KEY, "X")
        assert requests.post(f"{world.desk}/api/v2/tickets/1/forward", json=forward, auth=key, timeout=5).ok
    world.sandbox.answer(1, "<p>and one more</p>", status="solved")
    wanted = ["for everybody", *["a public note"] * (world.helpdesk == "freshdesk"), "and one more"]
    assert [post["text"] for post in replied(world, len(wanted))] == wanted
    say(world, "b")
    assert len(world.bridge.order) == len(wanted)


@pytest.fixture
def unreachable(world: World) -> World:
    """The same, with nobody listening where the answers go, until it is opened again."""
    world.bridge.close()
    return world


def reopen(world: World) -> None:
    """Answers can leave again."""
    world.bridge = Bridge(port=int(world.bridge.url.split(":")[2].partition("/")[0]))


@pytest.mark.parametrize("withdrawn", ["hide", "take_away"])
def test_a_reply_withdrawn_before_it_left_never_leaves(unreachable: World, withdrawn: str) -> None:
    world = unreachable
    say(world, "a")
    secret = world.sandbox.answer(1, "<p>the password is swordfish</p>")
    wait_for(lambda: any(attempts for _, attempts in _replies(world)), 20, "a try")
    getattr(world.sandbox, withdrawn)(1, secret.id)
    # not reopened before: a try that looked before it was withdrawn would be right to leave
    wait_for(lambda: [state for state, _ in _replies(world)] == ["ignored"], 20, "the reply to be withdrawn")
    reopen(world)
    world.sandbox.answer(1, "<p>this one may leave</p>")
    assert [post["text"] for post in replied(world, 1)] == ["this one may leave"]


def test_a_reply_whose_ticket_is_merged_before_it_left_leaves_once(unreachable: World) -> None:
    world = unreachable
    say(world, "a")
    say(world, "z", thread_id="other")
    world.sandbox.answer(1, "<p>for the first</p>")
    wait_for(lambda: any(attempts for _, attempts in _replies(world)), 20, "a try")
    world.sandbox.merge(2, 1)
    reopen(world)
    (post,) = replied(world, 1)
    assert (post["text"], post["mention_id"]) == ("for the first", "a")
    say(world, "b")
    assert len(world.bridge.order) == 1
    assert [state for state, _ in _replies(world)] == ["done"]


@pytest.mark.parametrize("withdrawn", ["hide", "take_away"])
def test_of_a_reply_withdrawn_after_it_left_the_ticket_says_that_it_still_stands(
    world: World, withdrawn: str
) -> None:
    say(world, "a")
    answer = world.sandbox.answer(1, "<p>for everybody</p>")
    replied(world, 1)
    getattr(world.sandbox, withdrawn)(1, answer.id)
    wait_for(lambda: _recalled(world), 20, "the note")
    say(world, "b")
    (note,) = _recalled(world)
    assert "https://forum.example/p/" in note
    assert len(world.bridge.order) == 1


def _recalled(world: World) -> list[str]:
    return [text for text in texts(world, 1, public=False) if "still stands where it was posted" in text]


def _replies(world: World) -> list[tuple[str, int]]:
    store = world.store()
    try:
        with store.read() as tx:
            wanted = sa.select(deliveries.c.state, deliveries.c.attempts).where(deliveries.c.kind == "reply")
            return [(row.state, row.attempts) for row in tx.execute(wanted.order_by(deliveries.c.id))]
    finally:
        store.close()
