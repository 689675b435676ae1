"""Sources with manners of their own, through the whole daemon: there and back, and what the ticket is told."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from daemon_world import DaemonWorld, until

from connector.store import Store, journal
from connector.testing.simulators.discourse import DiscourseSimulator
from connector.testing.simulators.mastodon import MastodonSimulator
from connector.testing.simulators.ok import OkSimulator


@pytest.fixture
def world(tmp_path: Path) -> Iterator[DaemonWorld]:
    made = DaemonWorld(tmp_path, f"sqlite:///{tmp_path / 'connector.db'}", tell_after=1.0)
    yield made
    made.close()


@pytest.fixture
def fedi() -> Iterator[MastodonSimulator]:
    with MastodonSimulator() as server:
        yield server


@pytest.fixture
def forum() -> Iterator[DiscourseSimulator]:
    with DiscourseSimulator() as server:
        yield server


def listening(world: DaemonWorld, **source: Any) -> None:
    """A daemon on this one source, its first pull behind it."""
    watched = {} if source["type"] == "ok" else {"watch_every": 0.1}
    world.settings["sources"] = {"here": {"helpdesk": "desk", "poll": 0.1, **watched, **source}}
    world.start()
    store = Store(world.settings["store"])
    try:

        def pulled() -> bool:
            with store.read() as tx:
                return journal.cursor_of(tx, "here") is not None

        until(pulled, "a first pull")
    finally:
        store.close()


def notes(world: DaemonWorld, *, public: bool = False) -> list[str]:
    return [str(one["plain_body"]) for one in world.sandbox.comments(1) if one["public"] is public]


def test_a_private_mention_there_and_back_with_its_edit(world: DaemonWorld, fedi: MastodonSimulator) -> None:
    brand, ann = fedi.add_account("brand", "Brand", token="token"), fedi.add_account("ann@far.example", "Ann")
    listening(world, type="mastodon", server=fedi.url, access_token="token")
    said = fedi.post(ann, "@brand order 7 is late", visibility="direct")
    until(lambda: world.sandbox.tickets() and len(notes(world)) == 1, "a ticket with its card")
    assert "order 7 is late" in notes(world, public=True)[0]
    assert "PRIVATE" in notes(world)[0]
    fedi.edit(said, "@brand order 8 is late")
    until(lambda: any("order 7" in one and "order 8" in one for one in notes(world)[1:]), "the note of the edit")
    fedi.lose_next_answer()
    world.sandbox.agent_reply(1, "We look into it.")
    until(lambda: any("posted" in one.lower() for one in notes(world)[2:]), "the note of the answer")
    (post,) = fedi.posts(brand)
    assert (post.text, post.visibility) == ("@ann@far.example We look into it.", "direct")
    assert post.answers is fedi.statuses[said]
    world.carried()
    assert len(world.sandbox.tickets()) == 1


def test_an_answer_held_for_a_moderator_is_told_then_delivered(world: DaemonWorld, forum: DiscourseSimulator) -> None:
    brand, ann = forum.add_user("brand", "Brand", key="key"), forum.add_user("ann", "Ann")
    listening(world, type="discourse", base_url=forum.url, api_username="brand", api_key="key", approval_every=1)
    forum.begin(ann, "My order", "@brand order 7 is late")
    until(lambda: world.sandbox.tickets() and len(notes(world)) == 1, "a ticket with its card")
    forum.moderated = True
    world.sandbox.agent_reply(1, "We look into it.")
    until(lambda: any("moderator" in one for one in notes(world)[1:]), "the note that it waits for a moderator")
    assert (len(forum.queue), forum.of(brand)) == (1, [])
    published = forum.approve()
    until(lambda: any(f"/t/topic/1/{forum.posts[published].number}" in one for one in notes(world)), "its delivery")
    assert [one.raw for one in forum.of(brand)] == ["We look into it."]
    assert forum.queue == []


def test_an_answer_a_moderator_refused_is_left_to_a_person(world: DaemonWorld, forum: DiscourseSimulator) -> None:
    forum.add_user("brand", "Brand", key="key")
    listening(world, type="discourse", base_url=forum.url, api_username="brand", api_key="key", approval_every=1)
    forum.begin(forum.add_user("ann", "Ann"), "My order", "@brand order 7 is late")
    until(lambda: world.sandbox.tickets() and len(notes(world)) == 1, "a ticket with its card")
    forum.moderated = True
    world.sandbox.agent_reply(1, "We look into it.")
    until(lambda: forum.queue, "the queue")
    forum.refuse()
    until(lambda: any("did not approve" in one for one in notes(world)), "the note that it was not approved")
    assert len(forum.posts) == 1
    assert forum.queue == []


def test_a_message_to_an_ok_group_comes_by_a_call_and_by_reading_once(
    world: DaemonWorld, capfd: pytest.CaptureFixture[str]
) -> None:
    secret = "a-secret-in-the-address"
    with OkSimulator() as ok:
        ann = ok.person("Ann Lee")
        listening(world, type="ok", server=ok.url, token=ok.token, webhook_secret=secret, poll=0.3)
        mid = ok.say(ann, "order 7 is late")
        hook = f"{world.running[-1].url}/hooks/here"
        for query in ("", "?secret=another", f"?other={secret}"):
            assert requests.post(hook + query, data=ok.call_of(mid), timeout=10).status_code == 401
        assert requests.post(f"{hook}?secret={secret}", data=ok.call_of(mid), timeout=10).status_code == 200
        until(lambda: world.sandbox.tickets() and len(notes(world)) == 1, "a ticket with its card")
        ok.lose_next = True
        world.sandbox.agent_reply(1, "We look into it.")
        until(lambda: any("posted" in one.lower() for one in notes(world)[1:]), "the note of the answer")
        assert ok.ours() == ["We look into it."]
        world.carried()
        assert len(world.sandbox.tickets()) == 1
    told = capfd.readouterr()
    for hidden in (secret, ok.token):
        assert hidden not in told.out + told.err
        assert hidden.encode() not in b"".join(one.read_bytes() for one in world.folder.glob("connector.db*"))
