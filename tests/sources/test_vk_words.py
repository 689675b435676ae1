"""What VK's events mean in our words."""

from __future__ import annotations

from typing import Any

import pytest

from connector.sources.telegram import TelegramOptions
from connector.sources.vk import VkOptions
from connector.sources.vk.gap import Memory
from connector.sources.vk.words import Place, Reader, author_of, files_of, text_of

READER = Reader("club", 77)


def event(kind: str, **facts: Any) -> dict[str, Any]:
    """An event of Ann's."""
    return {"type": kind, "event_id": "e1", "object": {"id": 9, "from_id": 5, "date": 1_790_000_000, **facts}}


@pytest.mark.parametrize(
    "name",
    ["wall-77_1_2", "wall-77_1", "topic-77_3_4", "photo-77_5_6", "video-77_7_8", "market-77_9_10", "message5_11"],
)
def test_an_id_names_its_place_and_the_place_its_id(name: str) -> None:
    place = Place.of(name)
    assert place is not None
    assert place.id == name


@pytest.mark.parametrize(
    "name", ["", "wall", "wall1", "sent5_7", "wall-77_1_2_3", "post-1_2", "message5", "messagex_1"]
)
def test_what_is_no_id_of_ours_names_no_place(name: str) -> None:
    assert Place.of(name) is None


@pytest.mark.parametrize("kind", ["like_add", "group_join", "photo_new", "market_order_new", "wall_repost", "x"])
def test_other_events_are_no_mentions(kind: str) -> None:
    assert READER.event(event(kind), 0.0) is None


def test_a_comment_on_our_post_names_the_owner_or_it_is_our_wall() -> None:
    for facts in ({"post_owner_id": -77}, {"owner_id": -77}, {}):
        mention = READER.event(event("wall_reply_new", post_id=3, text="hi", **facts), 0.0)
        assert mention is not None
        assert mention.external_id == "wall-77_3_9"


def test_a_deletion_whose_author_nobody_remembers_names_who_deleted() -> None:
    told = event("wall_reply_delete", post_id=3, owner_id=-77, deleter_id=8)
    for author, expected in (("5", "5"), ("", "8")):
        mention = READER.event(told, 0.0, author)
        assert mention is not None
        assert (mention.author.id, mention.deleted) == (expected, True)


def test_an_edit_without_a_mark_is_told_apart_by_what_it_says() -> None:
    versions = set()
    for text in ("one", "two", "one"):
        found = event("wall_reply_edit", post_id=3, text=text) | {"event_id": ""}
        mention = READER.event(found, 0.0)
        assert mention is not None
        versions.add(mention.version)
    assert len(versions) == 2


def test_a_message_in_a_chat_is_not_private_and_what_nobody_wrote_is_no_mention() -> None:
    told = {"peer_id": 2_000_000_001, "from_id": 5, "date": 1, "conversation_message_id": 3, "text": "hi"}
    mention = READER.message(told)
    assert mention is not None
    assert (mention.private, mention.kind, mention.url) == (False, "post", "")
    assert READER.message(told | {"action": {"type": "chat_invite_user"}}) is None


def test_forwarded_messages_stand_below_the_words() -> None:
    told = {"peer_id": 5, "from_id": 5, "date": 1, "conversation_message_id": 3, "text": "look"}
    mention = READER.message(told | {"fwd_messages": [{"text": "first"}, {"text": "second"}]})
    assert mention is not None
    assert mention.text == "look\n> first\n> second"


def test_names_written_as_links_are_read_as_names_and_what_is_no_file_is_named() -> None:
    attachments = [
        {"type": "video", "video": {"owner_id": 5, "id": 6, "title": "Film"}},
        {"type": "link", "link": {"url": "https://x.example"}},
        {"type": "wall", "wall": {"owner_id": -1, "id": 2}},
        {"type": "poll", "poll": {"question": "Good?"}},
        {"type": "unknown"},
        {"type": "sticker"},
    ]
    told = {"text": "[id5|Ann], and [club7|Cats], [x|y]", "attachments": attachments}
    assert text_of(told).splitlines() == [
        "Ann, and Cats, [x|y]",
        "[video Film: https://vk.com/video5_6]",
        "https://x.example",
        "[post https://vk.com/wall-1_2]",
        "[poll Good?]",
    ]


def test_a_photo_comes_in_its_largest_size_and_one_without_sizes_not_at_all() -> None:
    sizes = [{"url": f"https://x.example/{n}.jpg", "width": n, "height": n} for n in (100, 900, 300)]
    attachments = [{"type": "photo", "photo": {"id": 1, "sizes": sizes}}, {"type": "photo", "photo": {"id": 2}}]
    assert [file.url for file in files_of({"attachments": attachments})] == ["https://x.example/900.jpg"]


def test_somebody_has_a_page_by_number_whoever_they_are() -> None:
    assert author_of(5).url == "https://vk.com/id5"
    assert author_of(-7, {"name": "Cats", "screen_name": "cats", "members_count": 3}).name == "Cats"
    assert author_of(-7).url == "https://vk.com/club7"


def test_a_cursor_is_read_as_it_was_written() -> None:
    memory = Memory("5", 2, 1.5, 1.0, [["wall", 3, 0, 100, "told:7"], ["message"]])
    memory.authors.known["wall-77_1_2"] = "5"
    assert Memory.read(memory.written()) == memory


def test_where_the_other_side_calls_us_a_pull_is_seldom() -> None:
    tg = {"type": "telegram", "helpdesk": "desk", "token": "123456:" + "A" * 35, "webhook_secret": "s"}
    vk = {"type": "vk", "helpdesk": "desk", "token": "x", "group_id": 1, "secret": "s"}
    assert TelegramOptions.model_validate(tg).poll == VkOptions.model_validate(vk).poll == 0.5
    tg |= {"webhook_url": "https://x.example/hooks/tg"}
    vk |= {"confirmation": "c"}
    assert TelegramOptions.model_validate(tg).poll == VkOptions.model_validate(vk).poll == 30
    assert TelegramOptions.model_validate(tg | {"poll": 5}).poll == 5
