"""What Telegram's messages mean in our words."""

from __future__ import annotations

from typing import Any

import pytest

from connector.errors import AuthFailed, Closed, Gone, RateLimited, Rejected, Temporary
from connector.http import Answer
from connector.model import Author
from connector.sources.telegram import TelegramOptions
from connector.sources.telegram.bot import Moved, refusal
from connector.sources.telegram.updates import Memory
from connector.sources.telegram.words import Reader, text_of, utf16

READER = Reader("tg", "7000001")
CHAT = {"id": -1001234567890, "type": "supergroup", "title": "Cats"}
ANN = {"id": 5, "is_bot": False, "first_name": "Ann", "last_name": "Lee", "username": "ann"}


def message(**facts: Any) -> dict[str, Any]:
    """A message of Ann's in a private supergroup."""
    return {"message_id": 9, "date": 1_790_000_000, "chat": CHAT, "from": ANN} | facts


def test_words_that_carry_a_link_keep_it_whatever_stands_before_them() -> None:
    text = "🙂🙂 see here and там"
    entities = [
        {"type": "text_link", "offset": 9, "length": 4, "url": "https://x.example/a"},
        {"type": "bold", "offset": 0, "length": 4},
        {"type": "text_link", "offset": 18, "length": 3, "url": "tg://user?id=1"},
    ]
    assert text_of({"text": text, "entities": entities}) == "🙂🙂 see here (https://x.example/a) and там"


@pytest.mark.parametrize(
    "entity", [{"offset": 0, "length": 99}, {"offset": 90, "length": 4}, {"offset": 2, "length": -1}]
)
def test_a_link_that_lies_outside_of_the_text_breaks_nothing(entity: dict[str, Any]) -> None:
    found = {"text": "hello", "entities": [{"type": "text_link", "url": "https://x.example", **entity}]}
    assert text_of(found).startswith("h")


@pytest.mark.parametrize(
    ("facts", "told"),
    [
        ({"sticker": {"emoji": "😡", "is_animated": True, "is_video": False}}, "[sticker 😡]"),
        ({"voice": {"file_id": "x", "duration": 12}}, "[voice, 12 s]"),
        ({"location": {"latitude": 55.75, "longitude": 37.61}}, "[location 55.75, 37.61]"),
        ({"contact": {"first_name": "Bob", "phone_number": "+7900"}}, "[contact Bob: +7900]"),
        ({"poll": {"question": "Good?", "options": [{"text": "yes"}, {"text": "no"}]}}, "[poll: Good? yes / no]"),
        ({"dice": {"emoji": "🎲", "value": 4}}, "[🎲 4]"),
        ({"venue": {"title": "Shop", "address": "Street 1"}, "location": {}}, "[place Shop, Street 1]"),
        ({"story": {"id": 1}, "caption": "see"}, "see\n[story]"),
    ],
)
def test_what_has_no_words_is_named(facts: dict[str, Any], told: str) -> None:
    assert text_of(facts) == told


def test_what_says_nothing_is_no_mention() -> None:
    for facts in ({"new_chat_members": [ANN]}, {"pinned_message": {}}, {"new_chat_title": "Dogs"}, {}):
        assert READER.mention(message(**facts)) is None


def test_a_private_supergroup_has_an_address_for_its_members() -> None:
    mention = READER.mention(message(text="hi"))
    assert mention is not None
    assert mention.url == "https://t.me/c/1234567890/9"
    assert mention.author == Author("5", "Ann Lee", "ann", "https://t.me/ann")


def test_a_reply_with_a_quote_shows_what_it_is_about() -> None:
    above = message(message_id=3, text="One. Two. Three.")
    mention = READER.mention(message(text="No", reply_to_message=above, quote={"text": "Two.", "position": 5}))
    assert mention is not None
    assert mention.parent is not None
    assert mention.parent.text == "One. Two. Three.\n\n«Two.»"


def test_an_answer_to_a_message_of_another_chat_knows_where_it_stands() -> None:
    channel = {"id": -1009, "type": "channel", "title": "News", "username": "news"}
    other = {"origin": {"type": "channel", "chat": channel, "date": 1}, "chat": channel, "message_id": 4}
    mention = READER.mention(message(text="No", external_reply=other, quote={"text": "prices", "position": 0}))
    assert mention is not None
    assert mention.parent is not None
    assert (mention.parent.url, mention.parent.text, mention.parent.author) == (
        "https://t.me/news/4",
        "prices",
        "News",
    )


@pytest.mark.parametrize("text", ["🙂", "я", "", "🏳️‍🌈", "a\ud83d"])
def test_length_is_counted_in_utf_16(text: str) -> None:
    assert utf16(text) == sum(2 if ord(letter) > 0xFFFF else 1 for letter in text)


@pytest.mark.parametrize(
    ("status", "description", "kind"),
    [
        (401, "Unauthorized", AuthFailed),
        (404, "Not Found", AuthFailed),
        (403, "Forbidden: bot was blocked by the user", Closed),
        (403, "Forbidden: something new", Closed),
        (400, "Bad Request: not enough rights to send text messages to the chat", Closed),
        (400, "Bad Request: chat not found", Closed),
        (400, "Bad Request: TOPIC_CLOSED", Closed),
        (400, "Bad Request: message to be replied not found", Gone),
        (400, "Bad Request: reply message not found", Gone),
        (400, "Bad Request: message is too long", Rejected),
        (409, "Conflict: terminated by other getUpdates request", Temporary),
        (409, "Conflict: can't use getUpdates method while webhook is active", Rejected),
        (429, "Too Many Requests: retry after 5", RateLimited),
    ],
)
def test_a_refusal_says_what_to_do(status: int, description: str, kind: type[Exception]) -> None:
    body = f'{{"ok": false, "error_code": {status}, "description": "{description}"}}'.encode()
    error = refusal(Answer(status, {}, body), "tg", "sendMessage")
    assert type(error) is kind


def test_a_wait_is_taken_from_the_body_then_the_header_then_a_guess() -> None:
    told = Answer(429, {"Retry-After": "9"}, b'{"ok": false, "parameters": {"retry_after": 5}}')
    for answer, wait in ((told, 5), (Answer(429, {"Retry-After": "9"}, b"<html>"), 9), (Answer(429, {}, b""), 30)):
        error = refusal(answer, "tg", "sendMessage")
        assert isinstance(error, RateLimited)
        assert error.wait == wait


def test_a_new_number_of_a_group_is_read() -> None:
    body = b'{"ok": false, "error_code": 400, "parameters": {"migrate_to_chat_id": -1005}}'
    error = refusal(Answer(400, {}, body), "tg", "sendMessage")
    assert isinstance(error, Moved)
    assert error.chat == -1005


@pytest.mark.parametrize(
    "wrong",
    [
        {"token": "no-token"},
        {"token": "123:short"},
        {"webhook_url": "https://x.example/hooks/tg"},
        {"webhook_url": "x.example", "webhook_secret": "good"},
        {"webhook_secret": "not good"},
        {"listen": []},
        {"listen": ["channel"]},
        {"long_poll": 60},
        {"server": "api.telegram.org"},
    ],
)
def test_options_that_cannot_work_are_refused_without_showing_the_token(wrong: dict[str, Any]) -> None:
    good = {"type": "telegram", "helpdesk": "desk", "token": "123456:" + "A" * 35}
    TelegramOptions.model_validate(good)
    with pytest.raises(ValueError) as caught:
        TelegramOptions.model_validate(good | wrong)
    assert "A" * 35 not in str(caught.value)


def test_a_cursor_is_read_as_it_was_written() -> None:
    memory = Memory(5, 1.5, 2, ("x", 3, 4.5))
    memory.albums.add("-1/7", 8, 9)
    assert Memory.read(memory.written()) == memory
    for n in range(400):
        memory.albums.add(f"-1/{n}", n, n)
    assert len(Memory.read(memory.written()).albums.told) == 300
