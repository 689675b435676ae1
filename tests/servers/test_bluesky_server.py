"""The Bluesky source against the real server stack: the contract, and the whole way there and back.

Opt-in: CONNECTOR_BLUESKY_NETWORK names the network.json that `bluesky_network.mjs` wrote; the commands are in
docs/sources/bluesky.md.
"""

from __future__ import annotations

import base64
import os
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from bluesky_world import POST, RealWorld, now

from connector.errors import AuthFailed, Closed, Gone, Rejected
from connector.http import Http
from connector.model import Attachment, Mention, ReplyDraft, key_of
from connector.sources.bluesky import Bluesky, BlueskyOptions
from connector.testing.contracts import SourceContract, drained
from connector.testing.simulators.threaded import ThreadedServer, Told

PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg=="
)
NETWORK = os.environ.get("CONNECTOR_BLUESKY_NETWORK", "")

pytestmark = [
    pytest.mark.servers,
    pytest.mark.skipif(not NETWORK, reason="set CONNECTOR_BLUESKY_NETWORK to a network.json to run it"),
    pytest.mark.xdist_group("bluesky"),
]


@pytest.fixture
def world() -> Iterator[RealWorld]:
    there = RealWorld(Path(NETWORK))
    yield there
    there.source.close()
    there.client.http.close()
    there.brand.http.close()


class TestRealBluesky(SourceContract):
    @pytest.fixture
    def world(self) -> Iterator[RealWorld]:
        there = RealWorld(Path(NETWORK))
        yield there
        there.source.close()
        there.client.http.close()
        there.brand.http.close()


def heard(world: RealWorld, want: int = 1, **said: str) -> list[Mention]:
    cursor = world.source.fetch(None, 50).cursor
    uri = world.client.mention(world.brand, **said)["uri"]
    world.wait_for(lambda: world._indexed(uri))
    return drained(world, cursor, want)


def test_a_mention_comes_with_text_author_and_address(world: RealWorld) -> None:
    mention = heard(world, before="Привет, ", text="заказ не пришёл 🙂")[0]
    assert mention.text == f"Привет, @{world.brand.handle} заказ не пришёл 🙂"
    assert (mention.kind, mention.language, mention.platform) == ("post", "ru", "bluesky")
    assert mention.author.id == world.client.did
    assert mention.author.handle == world.client.handle
    assert mention.url == f"https://bsky.app/profile/{world.client.handle}/post/{mention.external_id.split('/')[-1]}"
    assert mention.thread_id == mention.external_id


def test_a_reply_to_our_post_comes_with_its_parent_and_followers(world: RealWorld) -> None:
    root = world.brand.create(POST, {"text": "Новая коллекция", "createdAt": now()})
    world.wait_for(lambda: world._indexed(root["uri"]))
    first = world.client.create(
        POST, {"text": "Дорого!", "createdAt": now(), "reply": {"root": root, "parent": root}}
    )
    world.wait_for(lambda: world._indexed(first["uri"]))
    follow = world.brand.create("app.bsky.graph.follow", {"subject": world.client.did, "createdAt": now()})
    world.wait_for(lambda: world.brand.ask("app.bsky.actor.getProfile", actor=world.client.did)["followersCount"])
    cursor = world.source.fetch(None, 50).cursor
    ours = world.brand.create(
        POST, {"text": "Есть скидки", "createdAt": now(), "reply": {"root": root, "parent": first}}
    )
    world.wait_for(lambda: world._indexed(ours["uri"]))
    second = world.client.create(
        POST, {"text": "Какие?", "createdAt": now(), "reply": {"root": root, "parent": ours}}
    )
    world.wait_for(lambda: world._indexed(second["uri"]))
    mention = world.source.enrich(drained(world, cursor, 1)[0])
    world.brand.delete(follow["uri"])
    assert (mention.external_id, mention.kind, mention.thread_id) == (second["uri"], "comment", root["uri"])
    assert mention.parent is not None
    assert mention.parent.id == ours["uri"]
    assert "Новая коллекция" in mention.parent.text
    assert mention.parent.text.endswith("Есть скидки")
    assert mention.author.followers == 1
    assert mention.engagement == {"likes": 0, "replies": 0, "reposts": 0, "quotes": 0}


def test_a_quote_comes_with_what_it_quotes(world: RealWorld) -> None:
    quoted = world.brand.create(POST, {"text": "Мы лучшие", "createdAt": now()})
    world.wait_for(lambda: world._indexed(quoted["uri"]))
    cursor = world.source.fetch(None, 50).cursor
    embed = {"$type": "app.bsky.embed.record", "record": quoted}
    quote = world.client.create(POST, {"text": "Ну-ну", "createdAt": now(), "embed": embed})
    world.wait_for(lambda: world._indexed(quote["uri"]))
    mention = world.source.enrich(drained(world, cursor, 1)[0])
    assert (mention.external_id, mention.kind) == (quote["uri"], "post")
    assert mention.parent is not None
    assert (mention.parent.id, mention.parent.text) == (quoted["uri"], "Мы лучшие")


def test_a_picture_and_a_shortened_link_come_whole(world: RealWorld) -> None:
    png = bytes.fromhex(
        "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c4890000000d49444154789c6360f8cfc0"
        "000003010100c9fe92ef0000000049454e44ae426082"
    )
    told = world.client.http.post(
        f"{world.pds}/xrpc/com.atproto.repo.uploadBlob", data=png, headers={"Content-Type": "image/png"}, timeout=30
    )
    image = {"alt": "чек", "image": told.json()["blob"]}
    shown = "shop.example/orders/12..."
    tag = f"@{world.brand.handle}"
    text = f"{tag} {shown}"
    facets = [
        {
            "index": {"byteStart": 0, "byteEnd": len(tag)},
            "features": [{"$type": "app.bsky.richtext.facet#mention", "did": world.brand.did}],
        },
        {
            "index": {"byteStart": len(tag) + 1, "byteEnd": len(text)},
            "features": [{"$type": "app.bsky.richtext.facet#link", "uri": "https://shop.example/orders/12345"}],
        },
    ]
    embed = {"$type": "app.bsky.embed.images", "images": [image]}
    cursor = world.source.fetch(None, 50).cursor
    post = world.client.create(POST, {"text": text, "createdAt": now(), "facets": facets, "embed": embed})
    world.wait_for(lambda: world._indexed(post["uri"]))
    mention = world.source.enrich(drained(world, cursor, 1)[0])
    assert mention.text == f"{tag} https://shop.example/orders/12345"
    assert [(one.type, one.name) for one in mention.attachments] == [("image/jpeg", "чек")]
    assert mention.attachments[0].url.startswith("http")


def test_a_mention_with_an_old_date_is_not_lost(world: RealWorld) -> None:
    cursor = world.source.fetch(None, 50).cursor
    newer = world.say("newer")
    seen = drained(world, cursor, 1)
    old = world.client.mention(world.brand, "older", createdAt=now(timedelta(hours=-5)))["uri"]
    world.wait_for(lambda: world._indexed(old))
    told = drained(world, cursor, 2)
    assert [one.external_id for one in seen] == [newer]
    assert [one.external_id for one in told] == [old, newer]


def test_a_reply_stands_in_the_thread_with_links_and_mentions_and_only_once(world: RealWorld) -> None:
    mention = heard(world, text="где заказ?")[0]
    text = f"Здравствуйте, @{world.client.handle}! Смотрите https://acme.example/помощь?a=1. @nobody.test"
    request = world.source.prepare(ReplyDraft(mention, text))
    key = key_of("reply", mention.external_id)
    receipt = world.source.send(request, key)
    assert world.again().send(request, key) == receipt
    assert [one.id for one in world.source.find(request, key)] == [receipt.id]
    world.wait_for(lambda: world._indexed(receipt.id))
    thread = world.client.ask("app.bsky.feed.getPostThread", uri=mention.external_id)["thread"]
    assert [one["post"]["uri"] for one in thread["replies"]] == [receipt.id]
    record = thread["replies"][0]["post"]["record"]
    raw = record["text"].encode()
    shown = {
        raw[f["index"]["byteStart"] : f["index"]["byteEnd"]].decode(): f["features"][0] for f in record["facets"]
    }
    assert shown == {
        f"@{world.client.handle}": {"$type": "app.bsky.richtext.facet#mention", "did": world.client.did},
        "https://acme.example/помощь?a=1": {
            "$type": "app.bsky.richtext.facet#link",
            "uri": "https://acme.example/помощь?a=1",
        },
    }
    notes = world.client.ask("app.bsky.notification.listNotifications")["notifications"]
    assert receipt.id in [one["uri"] for one in notes]


def test_parts_hang_one_below_the_other(world: RealWorld) -> None:
    mention = heard(world, text="подробнее?")[0]
    one = world.source.send(
        world.source.prepare(ReplyDraft(mention, "раз", parts=2)), key_of("x", mention.external_id)
    )
    draft = ReplyDraft(mention, "два", part=1, parts=2, previous=one)
    two = world.source.send(world.source.prepare(draft), key_of("y", mention.external_id))
    world.wait_for(lambda: world._indexed(two.id))
    thread = world.client.ask("app.bsky.feed.getPostThread", uri=mention.external_id)["thread"]
    assert thread["replies"][0]["post"]["uri"] == one.id
    assert thread["replies"][0]["replies"][0]["post"]["uri"] == two.id


def test_a_restricted_thread_and_a_block_are_closed(world: RealWorld) -> None:
    mention = heard(world, text="никто не отвечайте")[0]
    gate = world.client.create(
        "app.bsky.feed.threadgate",
        {"post": mention.external_id, "allow": [], "createdAt": now()},
        rkey=mention.external_id.split("/")[-1],
    )
    params = {"uri": mention.external_id, "depth": 0}
    world.wait_for(
        lambda: world.brand.ask("app.bsky.feed.getPostThread", **params)["thread"]["post"]["viewer"].get(
            "replyDisabled"
        )
    )
    with pytest.raises(Closed):
        world.source.reply_limits(mention)
    with pytest.raises(Closed):
        world.source.prepare(ReplyDraft(mention, "x"))
    world.client.delete(gate["uri"])
    block = world.client.create("app.bsky.graph.block", {"subject": world.brand.did, "createdAt": now()})
    world.wait_for(lambda: world.brand.ask("app.bsky.feed.getPostThread", **params)["thread"].get("blocked"))
    try:
        with pytest.raises(Closed):
            world.source.reply_limits(mention)
    finally:
        world.client.delete(block["uri"])
        world.wait_for(lambda: world._indexed(mention.external_id))


def test_a_block_is_not_taken_for_a_deletion(world: RealWorld) -> None:
    cursor = world.source.fetch(None, 50).cursor
    world.say("you will not see me")
    page = world.source.fetch(cursor, 50)
    assert len(page.items) == 1
    block = world.client.create("app.bsky.graph.block", {"subject": world.brand.did, "createdAt": now()})
    world.wait_for(lambda: not world._indexed(page.items[0].external_id))
    try:
        assert world.source.fetch(page.cursor, 50).items == ()
    finally:
        world.client.delete(block["uri"])
        world.wait_for(lambda: world._indexed(page.items[0].external_id))


def test_limits_are_those_of_the_server(world: RealWorld) -> None:
    mention = heard(world, text="длинно")[0]
    assert world.source.reply_limits(mention).max_length == 300
    family = "👩‍👩‍👧‍👦"
    fits = family * 100 + "я" * 20
    assert world.source.measure(fits) <= 300
    world.source.send(world.source.prepare(ReplyDraft(mention, fits)), key_of("fits", mention.external_id))
    with pytest.raises(Rejected):
        world.source.send(world.source.prepare(ReplyDraft(mention, "я" * 301)), key_of("long", mention.external_id))


def test_an_expired_session_is_renewed_unseen_and_a_wrong_password_is_told(world: RealWorld) -> None:
    world.source.check()
    account = world.source._account
    assert account._session is not None
    account._session = replace(account._session, access="eyJhbGciOiJIUzI1NiJ9.e30.x")
    assert world.source.check().id == world.brand.did
    account._session = replace(account._session, access="x", refresh="y")
    assert world.source.check().id == world.brand.did
    wrong = BlueskyOptions(
        type="bluesky", helpdesk="d", service=world.pds, identifier=world.brand.handle, app_password="wrong-pass"
    )
    with pytest.raises(AuthFailed) as caught:
        Bluesky("sky", wrong, Http("sky")).check()
    assert "wrong-pass" not in str(caught.value)


def test_a_reply_to_a_deleted_mention_is_gone_and_the_deletion_is_seen(world: RealWorld) -> None:
    cursor = world.source.fetch(None, 50).cursor
    said = world.say("сейчас удалю")
    page = world.source.fetch(cursor, 50)
    world.take_back(said)
    with pytest.raises(Gone):
        world.source.reply_limits(page.items[0])
    with pytest.raises(Gone):
        world.source.prepare(ReplyDraft(page.items[0], "поздно"))
    told = drained(world, page.cursor, 1)
    assert [(one.external_id, one.deleted, one.version) for one in told] == [(said, True, "deleted")]


class Files(ThreadedServer):
    """A helpdesk's store of files: it has one."""

    def answer(self, verb: str, target: str, headers: dict[str, str], body: bytes) -> Told | None:
        return 200, {"Content-Type": "image/png"}, PIXEL


def test_pictures_of_an_agent_stand_in_the_post(world: RealWorld) -> None:
    mention = heard(world, text="How does it look?")[0]
    with Files() as files:
        picture = Attachment(f"{files.url}/a.png", "image/png", "a red dot", len(PIXEL))
        request = world.source.prepare(ReplyDraft(mention, "Here", attachments=(picture,)))
    first = world.source.send(request, key_of("picture", mention.external_id))
    assert world.source.send(request, key_of("picture", mention.external_id)) == first
    (post,) = [one for one in world.brand.posts() if one["uri"] == first.id]
    (image,) = post["value"]["embed"]["images"]
    assert (image["alt"], image["image"]["mimeType"], image["image"]["size"]) == (
        "a red dot",
        "image/png",
        len(PIXEL),
    )
