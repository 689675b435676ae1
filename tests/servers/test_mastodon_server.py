"""The Mastodon source against a server by somebody else: the contract, and the whole way there and back.

Opt-in: CONNECTOR_MASTODON is `https://server token-of-ours token-of-a-client`; docs/sources/mastodon.md has the
commands for the one from PyPI. Use accounts that are for nothing else.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from mastodon_world import MastodonWorld

from connector.errors import AuthFailed, Gone, Rejected
from connector.model import Attachment, Mention, ReplyDraft, key_of
from connector.store import Store, journal
from connector.testing.contracts import SourceContract, drained
from tests.daemon_world import DaemonWorld, until

GIVEN = os.environ.get("CONNECTOR_MASTODON", "").split()

pytestmark = [
    pytest.mark.servers,
    pytest.mark.skipif(len(GIVEN) != 3, reason="set CONNECTOR_MASTODON to a server and two tokens to run it"),
    pytest.mark.xdist_group("mastodon"),
]


@pytest.fixture
def there() -> Iterator[MastodonWorld]:
    world = MastodonWorld(*GIVEN)
    yield world
    world.behave()
    world.close()


class TestRealMastodon(SourceContract):
    @pytest.fixture
    def world(self, there: MastodonWorld) -> MastodonWorld:
        return there


def heard(world: MastodonWorld, text: str, **more: str) -> Mention:
    cursor = world.source.fetch(None, 50).cursor
    world.client.post(f"@{world.brand.acct} {text}", **more)
    return drained(world, cursor, 1)[0]


def shown(world: MastodonWorld, status: str) -> Any:
    return world.client.call("GET", f"/api/v1/statuses/{status}")


def test_a_mention_comes_with_text_author_and_address(there: MastodonWorld) -> None:
    mention = heard(there, "заказ не пришёл 🙂 https://shop.example/orders/12345", language="ru")
    assert mention.text.endswith("заказ не пришёл 🙂 https://shop.example/orders/12345")
    assert (mention.kind, mention.language, mention.platform) == ("post", "ru", "mastodon")
    assert mention.author.handle == there.client.acct
    assert mention.author.id.startswith(f"{there.client.acct}@")
    assert mention.url == shown(there, mention.external_id)["url"]


def test_a_reply_to_our_post_comes_with_its_thread_and_parent(there: MastodonWorld) -> None:
    ours = there.brand.post("Новая коллекция")
    mention = heard(there, "Сколько?", in_reply_to_id=ours)
    assert (mention.kind, mention.thread_id) == ("comment", ours)
    assert mention.parent is not None
    assert (mention.parent.id, mention.parent.text) == (ours, "Новая коллекция")


@pytest.mark.parametrize("visibility", ["public", "unlisted", "private", "direct"])
def test_an_answer_is_as_public_as_the_question(there: MastodonWorld, visibility: str) -> None:
    mention = heard(there, "между нами", visibility=visibility)
    receipt = there.source.send(there.source.prepare(ReplyDraft(mention, "да")), key_of(mention.external_id))
    status = shown(there, receipt.id)
    assert (status["visibility"], status["in_reply_to_id"]) == (visibility, mention.external_id)
    assert [one["acct"] for one in status["mentions"]] == [there.client.acct]
    assert there.source.find(there.source.prepare(ReplyDraft(mention, "да")), key_of("x")) == ()


def test_an_edit_and_a_deletion_are_told(there: MastodonWorld) -> None:
    cursor = there.source.fetch(None, 50).cursor
    said = there.say("order 7")
    page = there.source.fetch(cursor, 50)
    there.client.call("PUT", f"/api/v1/statuses/{said}", data={"status": f"@{there.brand.acct} order 8"})
    changed = there.source.fetch(page.cursor, 50)
    assert [(one.external_id, one.text) for one in changed.items] == [(said, f"@{there.brand.acct} order 8")]
    assert changed.items[0].version
    there.take_back(said)
    gone = there.source.fetch(changed.cursor, 50)
    assert [(one.external_id, one.deleted) for one in gone.items] == [(said, True)]
    with pytest.raises(Gone):
        there.source.prepare(ReplyDraft(page.items[0], "поздно"))


def test_a_picture_goes_along_and_comes_back(there: MastodonWorld) -> None:
    png = bytes.fromhex(
        "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c4890000000d49444154789c6360f8cfc0"
        "000003010100c9fe92ef0000000049454e44ae426082"
    )
    mention = heard(there, "покажите")
    there.source.http.download = lambda *_, **__: _File(png)  # type: ignore[method-assign,assignment]
    draft = ReplyDraft(mention, "вот", attachments=(Attachment("https://desk.example/1", "image/png", "чек.png"),))
    receipt = there.source.send(there.source.prepare(draft), key_of(mention.external_id))
    assert [one["type"] for one in shown(there, receipt.id)["media_attachments"]] == ["image"]
    answer = heard(there, "спасибо", in_reply_to_id=receipt.id)
    assert [one.type.partition("/")[0] for one in answer.attachments] == ["image"]


class _File:
    type = "image/png"

    def __init__(self, content: bytes) -> None:
        self.content = content


def test_limits_are_those_of_the_server(there: MastodonWorld) -> None:
    mention = heard(there, "длинно")
    limits = there.source.reply_limits(mention)
    assert limits.max_length is not None
    text = "я" * limits.max_length  # no link: mastodon_mock counts them in full, Mastodon as 23 characters
    assert there.source.measure(text) == limits.max_length
    there.source.send(there.source.prepare(ReplyDraft(mention, text)), key_of("fits", mention.external_id))
    with pytest.raises(Rejected):
        there.source.send(there.source.prepare(ReplyDraft(mention, text + "яя")), key_of("l", mention.external_id))


def test_a_wrong_token_is_told(there: MastodonWorld) -> None:
    with pytest.raises(AuthFailed) as caught:
        there.again(access_token="not-a-token-of-ours").check()
    assert "not-a-token" not in str(caught.value)


def test_a_mention_becomes_a_ticket_and_the_answer_stands_in_the_thread(there: MastodonWorld, tmp_path: Path) -> None:
    world = DaemonWorld(tmp_path, f"sqlite:///{tmp_path / 'connector.db'}")
    source = {
        "type": "mastodon",
        "helpdesk": "desk",
        "server": there.server,
        "access_token": there.token,
        "poll": 0.5,
    }
    world.settings["sources"] = {"fedi": source}
    world.start()
    try:
        store = Store(world.settings["store"])

        def pulled() -> bool:
            with store.read() as tx:
                return journal.cursor_of(tx, "fedi") is not None

        until(pulled, "a first pull")
        store.close()
        said = there.say("заказ 77 не пришёл")
        until(world.sandbox.tickets, "a ticket")
        world.sandbox.agent_reply(1, "Извините! Уже ищем")
        until(there.posted, "the answer")
        world.carried()
        answer = shown(there, str(there.brand.posts()[-1]["id"]))
        assert (answer["in_reply_to_id"], there.posted()) == (said, ["Извините! Уже ищем"])
        assert [one for one in world.sandbox.comments(1) if "заказ 77" in str(one["plain_body"])]
    finally:
        world.close()
