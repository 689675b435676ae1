"""The descriptions of Telegram and VK as judges: of what the simulators tell, and of calls that are wrong on purpose,
for a judge that never says no proves nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from connector.testing.simulators.telegram import TelegramSimulator
from connector.testing.simulators.telegram.description import Description as BotApi
from connector.testing.simulators.vk.description import Description as VkApi


@pytest.fixture
def bot_api(telegram_description: Path | None) -> BotApi:
    if telegram_description is None:
        pytest.skip("the Bot API's description is not here (../shared/contracts/telegram/bot-api.json)")
    return BotApi(telegram_description)


@pytest.fixture
def vk_api(vk_contracts: Path | None) -> VkApi:
    if vk_contracts is None:
        pytest.skip("VK's description is not here (../shared/contracts/vk)")
    return VkApi(vk_contracts)


def test_what_the_telegram_simulator_tells_is_what_the_bot_api_describes(bot_api: BotApi) -> None:
    with TelegramSimulator("7000001:" + "A" * 35) as telegram:
        something_of_everything(telegram)
    kinds = {word for update in telegram.updates for word in update if word != "update_id"}
    assert kinds >= {"message", "edited_message", "business_message", "deleted_business_messages"}
    for update in telegram.updates:
        assert bot_api.fits(update, ["Update"]), update
    broken = telegram.updates[0] | {"message": {"text": "no chat"}}
    assert not bot_api.fits(broken, ["Update"])


def something_of_everything(telegram: TelegramSimulator) -> None:
    """People write, edit, delete, in every kind of chat."""
    ann, owner = telegram.person("Ann", "ann"), telegram.person("Owner")
    cats = telegram.group("Cats", username="cats")
    post = telegram.channel_post(cats, "New prices", photo=telegram.photo(b"x"))
    comment = telegram.say(cats, ann, "Too much!", answers=post)
    telegram.edit(comment, "Far too much!")
    telegram.album(cats, ann, "Broken", [b"one", b"two"])
    connection = telegram.connect_business(owner)
    telegram.delete(telegram.say_in_business(connection, ann, "hello"))
    telegram.migrate(telegram.group("Family", basic=True))


@pytest.mark.parametrize(
    ("method", "params", "word"),
    [
        ("sendLetter", {}, "no method"),
        ("sendMessage", {"chat_id": 1}, "needs text"),
        ("sendMessage", {"chat_id": 1, "text": 5}, "text is no"),
        ("sendMessage", {"chat_id": True, "text": "x"}, "chat_id is no"),
        ("sendMessage", {"chat_id": 1, "text": "x", "reply_to_message_id": 5}, "has no reply_to_message_id"),
        ("sendMessage", {"chat_id": 1, "text": "x", "reply_parameters": {"id": 5}}, "reply_parameters is no"),
        ("getUpdates", {"allowed_updates": "message"}, "allowed_updates is no"),
        ("sendPhoto", {"chat_id": 1}, "needs photo"),
    ],
)
def test_a_wrong_call_of_the_bot_api_is_seen(bot_api: BotApi, method: str, params: dict[str, Any], word: str) -> None:
    (problem,) = bot_api.problems(method, params, set())
    assert word in problem
    assert bot_api.problems("sendPhoto", {"chat_id": 1}, {"photo"}) == []


@pytest.mark.parametrize(
    ("method", "params", "word"),
    [
        ("wall.createReply", {}, "no method"),
        ("board.createComment", {"group_id": "1"}, "needs topic_id"),
        ("board.createComment", {"group_id": "0", "topic_id": "1"}, "group_id is out of range"),
        ("wall.createComment", {"post_id": "x"}, "post_id is no integer"),
        ("wall.createComment", {"post_id": "1", "text": "x"}, "has no text"),
        ("board.createComment", {"group_id": "1", "topic_id": "1", "from_group": "yes"}, "from_group is no boolean"),
        ("messages.send", {"message": "x" * 9001}, "message is too long"),
        ("wall.getComments", {"sort": "newest"}, "sort is none of"),
    ],
)
def test_a_wrong_call_of_vk_is_seen(vk_api: VkApi, method: str, params: dict[str, str], word: str) -> None:
    problems = vk_api.problems(method, params)
    assert any(word in problem for problem in problems), problems
    assert vk_api.problems("wall.createComment", {"post_id": "1", "message": "x"}) == []


def test_which_token_may_what_is_what_vk_says(vk_api: VkApi) -> None:
    for method in ("wall.createComment", "messages.send", "groups.getLongPollServer"):
        assert vk_api.may(method, "group")
    for method in ("board.createComment", "photos.createComment", "wall.getComment", "wall.getComments"):
        assert not vk_api.may(method, "group")
        assert vk_api.may(method, "user")
