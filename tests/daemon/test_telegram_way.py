"""Telegram through the whole daemon: a picture onto the ticket, an answer back once, and what nobody can know."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from daemon_world import DaemonWorld, until

from connector.store import Store, journal
from connector.testing.simulators.telegram import TelegramSimulator

TOKEN = "7000001:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw"


@pytest.fixture
def telegram() -> Iterator[TelegramSimulator]:
    with TelegramSimulator(TOKEN) as simulator:
        yield simulator


@pytest.fixture
def world(tmp_path: Path, telegram: TelegramSimulator) -> Iterator[DaemonWorld]:
    made = DaemonWorld(tmp_path, f"sqlite:///{tmp_path / 'connector.db'}")
    made.settings["sources"] = {
        "tg": {
            "type": "telegram",
            "helpdesk": "desk",
            "token": TOKEN,
            "server": telegram.url,
            "poll": 0.05,
            "long_poll": 0,
            "allow_private_addresses": True,
        }
    }
    made.start()
    until(lambda: telegram.calls.count("getUpdates") >= 2, "listening")
    yield made
    made.close()


def replies(world: DaemonWorld) -> dict[str, int]:
    store = Store(world.settings["store"])
    try:
        with store.read() as tx:
            return dict(journal.replies_by_state(tx))
    finally:
        store.close()


def test_an_album_a_reply_and_an_answer_whose_fate_nobody_knows(
    world: DaemonWorld, telegram: TelegramSimulator, capfd: pytest.CaptureFixture[str]
) -> None:
    ann, cats = telegram.person("Ann", "ann"), telegram.group("Cats", username="cats")
    album = telegram.album(cats, ann, "My parcel came broken!", [b"the parcel", b"the cup"])
    until(world.sandbox.tickets, "a ticket")
    first = world.sandbox.comments(1)[0]
    assert "My parcel came broken!" in first["plain_body"]
    files = [requests.get(file["content_url"], timeout=5).content for file in first["attachments"]]
    assert files == [b"the parcel", b"the cup"]

    world.sandbox.agent_reply(1, "We send a new one.", uploads=[("label.pdf", "application/pdf", b"a label")])
    until(lambda: replies(world).get("done") == 1, "the answer")
    (sent,) = telegram.posted
    assert sent["caption"] == "We send a new one."
    assert telegram.content(sent) == b"a label"
    assert sent["reply_to_message"]["message_id"] == album[0]["message_id"]

    telegram.edit(album[0], "My parcel came empty!")
    until(lambda: any("edited this message" in one["plain_body"] for one in world.sandbox.comments(1)), "the edit")

    telegram.cut_next_of("sendMessage")
    world.sandbox.agent_reply(1, "It leaves today.")
    until(lambda: replies(world).get("unsure") == 1, "the answer to be unsure")
    assert [one["text"] for one in telegram.posted[1:]] == ["It leaves today."]
    until(lambda: any("Nobody can tell" in one["plain_body"] for one in world.sandbox.comments(1)), "the note")

    secret = TOKEN.split(":")[1]
    assert len(world.sandbox.tickets()) == 1
    assert secret not in str(world.sandbox.state())
    assert secret.encode() not in b"".join(one.read_bytes() for one in world.folder.glob("connector.db*"))
    told = capfd.readouterr()
    assert secret not in told.out + told.err


def test_a_long_answer_with_a_file_goes_as_words_and_then_the_file(
    world: DaemonWorld, telegram: TelegramSimulator
) -> None:
    ann = telegram.person("Ann")
    telegram.say(telegram.private(ann), ann, "How do I send it back?")
    until(world.sandbox.tickets, "a ticket")
    words = "Put it into the box and close it. " * 40
    world.sandbox.agent_reply(1, words, uploads=[("label.pdf", "application/pdf", b"a label")])
    until(lambda: replies(world).get("done") == 1, "the answer")
    text, file = telegram.posted
    assert text["text"] == words.strip()
    assert telegram.content(file) == b"a label"
    assert file["reply_to_message"]["message_id"] == text["message_id"]


def test_an_answer_to_a_message_known_to_be_deleted_stays_back(
    world: DaemonWorld, telegram: TelegramSimulator
) -> None:
    ann, owner = telegram.person("Ann"), telegram.person("Owner")
    connection = telegram.connect_business(owner)
    message = telegram.say_in_business(connection, ann, "Forget it!")
    until(world.sandbox.tickets, "a ticket")
    telegram.delete(message)
    until(lambda: any("deleted this message" in one["plain_body"] for one in world.sandbox.comments(1)), "the note")
    world.sandbox.agent_reply(1, "Are you sure?")
    until(lambda: replies(world).get("failed") == 1, "the answer to fail")
    until(
        lambda: any("the message this answers was deleted" in one["plain_body"] for one in world.sandbox.comments(1)),
        "the note",
    )
    assert telegram.posted == []
