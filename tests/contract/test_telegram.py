"""The Telegram source keeps the contract, against the simulator, which holds every request against the Bot API's
description where that is at hand."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from loopback import Loopback

from connector.adapter import Hook
from connector.errors import (
    AuthFailed,
    BadHook,
    Closed,
    ConnectorError,
    Gone,
    RateLimited,
    Rejected,
    Temporary,
    Uncertain,
    Unsupported,
)
from connector.http import Http
from connector.log import masked
from connector.model import Attachment, Author, Cursor, Mention, ReplyDraft, key_of
from connector.sources.telegram import Telegram, TelegramOptions
from connector.testing.contracts import Misbehaviour, SourceContract, SourceWorld, a_mention, drained
from connector.testing.simulators.telegram import TelegramSimulator

TOKEN = "7000001:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw"
SECRET = "a-webhook_secret-1"


class GroupWorld(SourceWorld):
    """People in a supergroup."""

    secrets = (TOKEN, TOKEN.split(":")[1], SECRET)

    def __init__(self, telegram: TelegramSimulator) -> None:
        self.telegram = telegram
        self.ann = telegram.person("Ann", "ann")
        self.cats = telegram.group("Cats", username="cats")
        self.said: dict[str, dict[str, Any]] = {}
        self.made: list[Telegram] = []
        self.time = 0.0
        self.source: Telegram = self.again()

    def again(self, **more: object) -> Telegram:
        wanted = {
            "type": "telegram",
            "helpdesk": "desk",
            "token": TOKEN,
            "server": self.telegram.url,
            "long_poll": 0,
            "webhook_secret": SECRET,
            **more,
        }
        http = Http("tg", allow_private=True)
        source = Telegram("tg", TelegramOptions.model_validate(wanted), http, clock=lambda: 1.79e9 + self.time)
        self.made.append(source)
        return source

    def keep(self, message: dict[str, Any]) -> str:
        connection = message.get("business_connection_id")
        where = f"{message['chat']['id']}/{message['message_id']}"
        name = f"{connection}/{where}" if connection else where
        self.said[name] = message
        return name

    def say(self, text: str) -> str:
        return self.keep(self.telegram.say(self.cats, self.ann, text))

    def say_ourselves(self, text: str) -> str:
        return self.keep(self.telegram.channel_post(self.cats, text))

    def take_back(self, external_id: str) -> None:
        self.telegram.delete(self.said[external_id])

    def hook(self, text: str) -> Hook:
        self.telegram.webhook = {"url": "https://we.example/hooks/tg", "secret_token": SECRET}
        self.say(text)
        headers, body = self.telegram.call_of(self.telegram.updates[-1])
        return Hook(headers, body, 1.79e9)

    def address(self, external_id: str) -> str:
        return f"https://t.me/cats/{external_id.rpartition('/')[2]}"

    def posted(self) -> list[str]:
        return [str(one.get("text", one.get("caption", ""))) for one in self.telegram.posted]

    def misbehave(self, how: Misbehaviour) -> None:
        self.telegram.misbehave(how)

    def behave(self) -> None:
        self.telegram.behave()


class BusinessWorld(GroupWorld):
    """Customers who write to a business account."""

    def __init__(self, telegram: TelegramSimulator) -> None:
        super().__init__(telegram)
        self.owner = telegram.person("Owner", "owner")
        self.connection = telegram.connect_business(self.owner)

    def say(self, text: str) -> str:
        return self.keep(self.telegram.say_in_business(self.connection, self.ann, text))

    def say_ourselves(self, text: str) -> str:
        return self.keep(self.telegram.say_in_business(self.connection, self.ann, text, by_owner=True))

    def address(self, external_id: str) -> str:
        raise NotImplementedError


@pytest.fixture
def telegram(telegram_description: Path | None) -> Iterator[TelegramSimulator]:
    with TelegramSimulator(TOKEN, description=telegram_description) as simulator:
        yield simulator
        assert simulator.violations == []


@pytest.fixture
def there(telegram: TelegramSimulator) -> Iterator[GroupWorld]:
    world = GroupWorld(telegram)
    yield world
    for source in world.made:
        source.close()


@pytest.fixture
def business(telegram: TelegramSimulator) -> Iterator[BusinessWorld]:
    world = BusinessWorld(telegram)
    yield world
    for source in world.made:
        source.close()


class TestTelegramGroup(SourceContract):
    @pytest.fixture
    def world(self, there: GroupWorld) -> SourceWorld:
        return there

    def test_a_deletion_is_told_as_a_new_version(self, world: SourceWorld) -> None:
        """Telegram tells a bot of deletions in business chats only: there the clause is asked."""
        cursor = begun(world)
        said = world.say("soon gone")
        world.take_back(said)
        assert [one.deleted for one in drained(world, cursor, 1)] == [False]

    def test_what_a_tool_found_is_located_as_we_would_have_heard_it(self, world: SourceWorld) -> None:
        """The Bot API shows no message: words, author and time are the tool's."""
        mention = heard(world, "found by a tool")
        told = replace(a_mention(world.source), text="as the tool has it", url=world.address(mention.external_id))
        found = world.source.locate(told)
        assert found is not None
        for word in ("source", "platform", "external_id", "version", "thread_id", "own", "kind", "url"):
            assert getattr(found, word) == getattr(mention, word), word
        assert (found.text, found.author) == (told.text, told.author)

    def test_our_own_post_is_located_as_our_own(self, world: SourceWorld) -> None:
        mention = heard(world, "please answer")
        receipt = world.source.send(world.source.prepare(ReplyDraft(mention, "we say")), key_of("located"))
        bot = Author("7", handle="Brand_Bot")
        told = replace(a_mention(world.source), author=bot, text="we say", url=world.address(receipt.id))
        found = world.source.locate(told)
        assert found is not None
        assert (found.external_id, found.own) == (receipt.id, True)


class TestTelegramBusiness(SourceContract):
    @pytest.fixture
    def world(self, business: BusinessWorld) -> SourceWorld:
        return business

    def test_a_reply_to_what_was_taken_back_is_gone(self, world: SourceWorld) -> None:
        """Telegram sends it all the same in business chats; the flow knows of the deletion and keeps it."""
        mention = heard(world, "please answer")
        world.take_back(mention.external_id)
        world.source.send(world.source.prepare(ReplyDraft(mention, "late")), key_of("late"))
        assert world.posted() == ["late"]


def begun(world: SourceWorld) -> Cursor:
    return world.source.fetch(None, 50).cursor


def heard(world: SourceWorld, text: str = "hello") -> Mention:
    cursor = begun(world)
    world.say(text)
    return drained(world, cursor, 1)[0]


def pulled(world: GroupWorld, cursor: Cursor) -> list[Mention]:
    return list(world.source.fetch(cursor, 50).items)


def answered(world: GroupWorld, mention: Mention, text: str = "hi", **more: Any) -> str:
    return world.source.send(world.source.prepare(ReplyDraft(mention, text, **more)), key_of(text)).id


# --- what comes in -------------------------------------------------------------------------------------------


def test_the_comments_of_a_channel_post_are_one_thread_and_know_the_post(there: GroupWorld) -> None:
    cursor = begun(there)
    post = there.telegram.channel_post(there.cats, "New prices", photo=there.telegram.photo(b"picture of prices"))
    first = there.telegram.say(there.cats, there.ann, "Too much!", answers=post)
    second = there.telegram.say(there.cats, there.telegram.person("Bob"), "No!", answers=first)
    own, one, two = pulled(there, cursor)
    assert own.own
    assert (one.kind, one.own, two.own) == ("comment", False, False)
    assert one.thread_id == two.thread_id == f"{there.cats['id']}/{post['message_id']}"
    assert one.parent is not None
    assert (one.parent.text.splitlines()[0], one.parent.author) == ("New prices", "Cats News")
    assert [file.name for file in one.attachments] == ["answered post: photo.jpg"]
    assert two.parent is not None
    assert two.parent.text == "Too much!"
    assert second["message_id"] == int(two.external_id.split("/")[1])
    assert one.url == f"https://t.me/cats/{first['message_id']}"


def test_an_album_is_one_mention_with_all_its_pictures_once_it_is_whole(there: GroupWorld) -> None:
    cursor = begun(there)
    album = there.telegram.album(there.cats, there.ann, "Broken!", [b"one", b"two", b"three"])
    first = there.source.fetch(cursor, 50)
    assert (first.items, first.more) == ((), False)
    there.time = 3
    page = there.source.fetch(first.cursor, 50)
    assert [(one.text, len(one.attachments)) for one in page.items] == [("Broken!", 3)]
    assert page.items[0].external_id == f"{there.cats['id']}/{album[0]['message_id']}"
    assert there.source.fetch(page.cursor, 50).items == ()


def test_an_album_that_something_follows_waits_for_nothing(there: GroupWorld) -> None:
    cursor = begun(there)
    there.telegram.album(there.cats, there.ann, "", [b"one", b"two"])
    there.say("after it")
    assert [len(one.attachments) for one in pulled(there, cursor)] == [2, 0]


def test_an_album_still_growing_is_told_with_what_came_meanwhile(there: GroupWorld) -> None:
    cursor = begun(there)
    album = there.telegram.album(there.cats, there.ann, "Broken!", [b"one", b"two"])
    cursor = there.source.fetch(cursor, 50).cursor
    there.time = 1.5
    more = there.telegram.photo(b"three")
    there.telegram.say(there.cats, there.ann, media_group_id=album[0]["media_group_id"], photo=more)
    grown = there.source.fetch(cursor, 50)
    assert grown.items == ()
    there.time = 4
    assert [len(one.attachments) for one in pulled(there, grown.cursor)] == [3]


def test_albums_woven_into_one_another_and_small_pages_lose_nothing(there: GroupWorld) -> None:
    cursor = begun(there)
    ann, bob = there.ann, there.telegram.person("Bob")
    for n in range(3):
        for who, group in ((ann, "11"), (bob, "22")):
            photo = there.telegram.photo(f"{who['id']} {n}".encode())
            there.telegram.say(there.cats, who, media_group_id=group, photo=photo)
    there.say("the end")
    seen: list[Mention] = []
    for _ in range(6):
        page = there.source.fetch(cursor, 1)
        seen += page.items
        cursor = page.cursor
    assert [(len(one.attachments), one.text) for one in seen] == [(3, ""), (3, ""), (0, "the end")]


def test_a_late_picture_of_an_album_follows_in_its_thread(there: GroupWorld) -> None:
    cursor = begun(there)
    album = there.telegram.album(there.cats, there.ann, "Broken!", [b"one", b"two"])
    there.say("after it")
    page = there.source.fetch(cursor, 50)
    more = there.telegram.photo(b"three")
    there.telegram.say(there.cats, there.ann, media_group_id=album[0]["media_group_id"], photo=more)
    (late,) = there.source.fetch(page.cursor, 50).items
    assert late.thread_id == page.items[0].thread_id
    assert len(late.attachments) == 1


def test_an_edit_is_a_new_version_of_the_same_mention_and_a_touch_is_none(there: GroupWorld) -> None:
    cursor = begun(there)
    said = there.telegram.say(there.cats, there.ann, "I love it")
    there.telegram.touch(said)
    there.telegram.edit(said, "I hate it")
    there.telegram.edit(said, "I love it")
    one, two, three = pulled(there, cursor)
    assert one.external_id == two.external_id == three.external_id
    assert [one.version, two.text, three.text] == ["", "I hate it", "I love it"]
    assert len({one.version, two.version, three.version}) == 3


def test_an_edit_of_any_picture_of_an_album_is_an_edit_of_the_album(there: GroupWorld) -> None:
    cursor = begun(there)
    album = there.telegram.album(there.cats, there.ann, "Broken!", [b"one", b"two"])
    there.telegram.edit(album[1], "see the dent")
    one, two = pulled(there, cursor)
    assert (one.external_id, one.thread_id) == (two.external_id, two.thread_id)
    assert two.version
    assert two.text == "see the dent"


def test_a_deletion_of_many_is_told_page_by_page(business: BusinessWorld) -> None:
    cursor = begun(business)
    said = [business.say(f"number {n}") for n in range(5)]
    cursor = business.source.fetch(cursor, 50).cursor
    business.telegram.delete(*(business.said[one] for one in said))
    seen: list[Mention] = []
    for _ in range(3):
        page = business.source.fetch(cursor, 2)
        seen += page.items
        cursor = page.cursor
    assert [(one.external_id, one.deleted) for one in seen] == [(one, True) for one in said]
    assert business.source.fetch(cursor, 2).items == ()


def test_numbers_that_begin_anew_after_a_quiet_week_lose_nothing(there: GroupWorld) -> None:
    cursor = begun(there)
    there.say("one")
    cursor = there.source.fetch(cursor, 50).cursor
    there.source.fetch(cursor, 50)
    there.time = 7 * 86_400
    there.telegram.forget_numbers(1_000)
    there.say("a week later")
    assert [one.text for one in pulled(there, cursor)] == ["a week later"]


def test_small_groups_and_private_chats_are_one_thread(there: GroupWorld) -> None:
    cursor = begun(there)
    small = there.telegram.group("Family", basic=True)
    private = there.telegram.private(there.ann)
    there.telegram.say(private, there.ann, "/start")
    there.telegram.say(small, there.ann, "one")
    there.telegram.say(private, there.ann, "two")
    one, two = pulled(there, cursor)
    assert (one.thread_id, one.private, one.kind, one.url) == (str(small["id"]), False, "post", "")
    assert (two.thread_id, two.private, two.kind) == (str(there.ann["id"]), True, "dm")


def test_the_direct_messages_of_a_channel_are_private_and_answered_in_their_topic(there: GroupWorld) -> None:
    cursor = begun(there)
    chat = there.telegram.group("News", is_direct_messages=True)
    topic = {"topic_id": 77, "user": there.ann}
    there.telegram.say(chat, there.ann, "hello", direct_messages_topic=topic)
    (mention,) = pulled(there, cursor)
    answered(there, mention)
    assert (mention.private, mention.thread_id) == (True, f"{chat['id']}/77")
    assert there.telegram.asked[-1][1]["direct_messages_topic_id"] == 77


def test_a_topic_of_a_forum_is_a_thread_and_its_beginning_is_no_parent(there: GroupWorld) -> None:
    cursor = begun(there)
    there.telegram.say(there.cats, there.ann, forum_topic_created={"name": "Prices", "icon_color": 7322096})
    begin = {"message_id": 5, "forum_topic_created": {}, "chat": there.cats, "date": 1, "from": there.ann}
    more = {"message_thread_id": 5, "is_topic_message": True, "reply_to_message": begin}
    there.telegram.say(there.cats, there.ann, "too much", **more)
    (mention,) = pulled(there, cursor)
    assert (mention.thread_id, mention.parent, mention.kind) == (f"{there.cats['id']}/5", None, "post")


def test_only_the_places_and_chats_asked_for_are_listened_to(there: GroupWorld) -> None:
    dogs = there.telegram.group("Dogs")
    cursor = begun(there)
    there.telegram.say(there.telegram.private(there.ann), there.ann, "private")
    there.telegram.say(dogs, there.ann, "dogs")
    there.say("cats")
    source = there.again(listen=["group", "comment"], chats=[there.cats["id"]])
    assert [one.text for one in source.fetch(cursor, 50).items] == ["cats"]


def test_who_speaks_for_us_becomes_no_ticket(there: GroupWorld) -> None:
    cursor = begun(there)
    staff = there.telegram.person("Staff", "Staff_Member")
    anonymous = {"id": 1087968824, "is_bot": True, "first_name": "Group", "username": "GroupAnonymousBot"}
    there.telegram.say(there.cats, staff, "by name")
    there.telegram.say(there.cats, anonymous, "by nobody", sender_chat=there.cats)
    there.say("by a person")
    source = there.again(own_accounts=["@staff_member"])
    assert [one.own for one in source.fetch(cursor, 50).items] == [True, True, False]


def test_an_answer_we_sent_in_a_business_chat_comes_back_as_our_own(business: BusinessWorld) -> None:
    cursor = begun(business)
    business.say("hello")
    page = business.source.fetch(cursor, 50)
    receipt = answered(business, page.items[0])
    assert [(one.external_id, one.own) for one in business.source.fetch(page.cursor, 50).items] == [(receipt, True)]


def test_a_file_is_fetched_by_its_source_and_its_address_stands_nowhere(there: GroupWorld) -> None:
    cursor = begun(there)
    there.telegram.say(there.cats, there.ann, photo=there.telegram.photo(b"a broken cup"), caption="Look")
    (mention,) = pulled(there, cursor)
    (attachment,) = mention.attachments
    name, _, ref = attachment.ref.partition("/")
    assert (name, attachment.url) == ("tg", mention.url)
    assert TOKEN not in repr(mention)
    assert there.source.download(ref, 1_000).content == b"a broken cup"
    with pytest.raises(Rejected):
        there.source.download(ref, 5)


def test_a_file_too_large_for_bots_is_told_and_not_promised(there: GroupWorld) -> None:
    cursor = begun(there)
    film = there.telegram.file(b"", size=30 * 1024 * 1024, file_name="film.mp4")
    there.telegram.say(there.cats, there.ann, video=film | {"width": 1, "height": 1, "duration": 1}, caption="See")
    (mention,) = pulled(there, cursor)
    assert mention.attachments == ()
    assert mention.text == "See\n[film.mp4, 30 MB: too large for a bot to fetch]"


def test_an_update_that_cannot_be_read_holds_up_no_other(there: GroupWorld) -> None:
    cursor = begun(there)
    there.telegram.updates.append({"update_id": 900_000_050, "message": {"text": "no chat"}})
    there.telegram.forget_numbers(900_000_051)
    there.say("next")
    assert [one.text for one in pulled(there, cursor)] == ["next"]


def test_two_programs_and_a_forgotten_webhook_are_told_with_the_remedy(there: GroupWorld) -> None:
    cursor = begun(there)
    there.telegram.webhook = {"url": "https://elsewhere.example/"}
    with pytest.raises(Rejected) as caught:
        there.source.fetch(cursor, 50)
    assert "deleteWebhook" in caught.value.sentence


@pytest.mark.parametrize("seed", range(5))
def test_whatever_breaks_everything_that_was_said_is_told_once(there: GroupWorld, seed: int) -> None:
    chance = random.Random(seed)
    cursor = begun(there)
    said: set[str] = set()
    sent: set[str] = set()
    seen: list[Mention] = []

    def pull(limit: int) -> None:
        nonlocal cursor
        source = there.again() if chance.random() < 0.2 else there.source
        page = source.fetch(cursor, limit)
        assert len(page.items) <= limit
        seen.extend(page.items)
        cursor = page.cursor

    for step in range(80):
        there.time += chance.random() * 1.5
        what = chance.random()
        if what < 0.3:
            said.add(there.say(f"number {step}"))
        elif what < 0.6:  # one picture of one of two albums, which come woven into one another
            photo = there.telegram.photo(str(step).encode())
            sent.add(photo[-1]["file_id"])
            album = f"{step // 20}{chance.choice('ab')}"
            there.telegram.say(there.cats, there.ann, media_group_id=album, photo=photo)
        elif what < 0.75:
            there.misbehave(chance.choice(["broken", "cut", "nonsense"]))
            with pytest.raises(ConnectorError):
                pull(50)
            there.behave()
        else:
            pull(chance.randint(1, 6))
    for _ in range(5):
        there.time += 3
        pull(chance.randint(1, 6))
    told = [file.ref.partition("/")[2] for one in seen for file in one.attachments]
    assert sorted(told) == sorted(sent)
    assert [one.external_id for one in seen if one.text] == sorted(said, key=lambda name: int(name.split("/")[1]))
    assert len({one.external_id for one in seen}) == len(seen)


# --- by hook -------------------------------------------------------------------------------------------------


def hook_of(world: GroupWorld, number: int = -1) -> Hook:
    headers, body = world.telegram.call_of(world.telegram.updates[number])
    return Hook(headers, body, 1.79e9)


def hooked(world: GroupWorld) -> Telegram:
    source = world.again(webhook_url="https://we.example/hooks/tg")
    source.fetch(None, 50)
    return source


def test_telegram_is_told_the_address_the_secret_and_the_kinds_once(there: GroupWorld) -> None:
    source = hooked(there)
    source.fetch(None, 50)
    there.time = 120
    source.fetch(None, 50)
    assert there.telegram.calls == ["getWebhookInfo", "setWebhook", "getWebhookInfo"]
    assert there.telegram.webhook["secret_token"] == SECRET
    assert "deleted_business_messages" in there.telegram.webhook["allowed_updates"]


def test_a_webhook_that_telegram_cannot_reach_is_told(there: GroupWorld) -> None:
    source = hooked(there)
    there.time = 100
    there.telegram.webhook |= {"last_error_date": int(1.79e9) + 90, "last_error_message": "Connection refused"}
    there.say("waits")
    with pytest.raises(Temporary) as caught:
        source.fetch(None, 50)
    assert "Connection refused" in caught.value.sentence


def test_updates_called_twice_and_in_another_order_give_the_same_mentions(there: GroupWorld) -> None:
    source = hooked(there)
    for n in range(3):
        there.say(f"number {n}")
    seen = [one for n in (2, 0, 1, 0, 2) for one in source.read_hook(hook_of(there, n))]
    assert [one.text for one in seen] == ["number 2", "number 0", "number 1", "number 0", "number 2"]
    assert len({(one.external_id, one.version) for one in seen}) == 3


def test_an_album_by_hook_is_one_thread(there: GroupWorld) -> None:
    source = hooked(there)
    there.telegram.album(there.cats, there.ann, "Broken!", [b"one", b"two", b"three"])
    seen = [one for n in range(3) for one in source.read_hook(hook_of(there, n))]
    assert len({one.external_id for one in seen}) == 3
    assert {one.thread_id for one in seen} == {seen[0].external_id}


def test_a_call_that_is_no_update_is_refused(there: GroupWorld) -> None:
    headers = {"x-telegram-bot-api-secret-token": SECRET}
    for body in (b"", b"[]", b'{"update_id": "x"}', b"\xff"):
        with pytest.raises(BadHook) as caught:
            there.source.read_hook(Hook(headers, body, 0.0))
        assert caught.value.status == 400


def test_without_a_secret_no_call_is_taken(there: GroupWorld) -> None:
    with pytest.raises(BadHook):
        there.again(webhook_secret=None).read_hook(Hook({"x-telegram-bot-api-secret-token": ""}, b"{}", 0.0))


# --- what goes out -------------------------------------------------------------------------------------------


def test_an_answer_names_the_message_and_is_not_sent_without_it(there: GroupWorld) -> None:
    mention = heard(there)
    answered(there, mention)
    method, params = there.telegram.asked[-1]
    number = int(mention.external_id.split("/")[1])
    assert method == "sendMessage"
    assert params["reply_parameters"] == {"message_id": number, "allow_sending_without_reply": False}
    assert "message_thread_id" not in params


def test_an_answer_lost_after_the_write_is_uncertain_and_cannot_be_looked_up(there: GroupWorld) -> None:
    mention = heard(there)
    request = there.source.prepare(ReplyDraft(mention, "once"))
    there.telegram.cut_next_of("sendMessage")
    with pytest.raises(Uncertain):
        there.source.send(request, key_of("once"))
    assert there.posted() == ["once"]
    assert not request.repeatable
    with pytest.raises(Unsupported):
        there.source.find(request, key_of("once"))


def test_a_group_that_became_a_supergroup_is_answered_there(there: GroupWorld) -> None:
    cursor = begun(there)
    small = there.telegram.group("Family", basic=True)
    there.telegram.say(small, there.ann, "hello")
    (mention,) = pulled(there, cursor)
    after = there.telegram.migrate(small)
    receipt = answered(there, mention)
    assert receipt.startswith(f"{after['id']}/")
    assert there.telegram.asked[-1][1]["reply_parameters"]["chat_id"] == small["id"]
    answered(there, mention, "again")
    assert [method for method, _ in there.telegram.asked].count("sendMessage") == 3


def test_a_flooded_chat_waits_and_no_other_does(there: GroupWorld) -> None:
    mention = heard(there)
    other = there.telegram.say(there.telegram.private(there.ann), there.ann, "and here")
    there.telegram.flood(there.cats, 9)
    for _ in range(2):
        with pytest.raises(RateLimited) as caught:
            answered(there, mention)
        assert caught.value.scope == "lane"
        assert 5 < caught.value.wait <= 9
    assert [method for method, _ in there.telegram.asked].count("sendMessage") == 1
    elsewhere = replace(mention, external_id=f"{other['chat']['id']}/{other['message_id']}", ref="")
    answered(there, elsewhere)


def test_who_has_blocked_the_bot_or_thrown_it_out_is_told(there: GroupWorld) -> None:
    mention = heard(there)
    there.telegram.remove_bot(there.cats)
    with pytest.raises(Closed) as caught:
        answered(there, mention)
    assert "removed" in caught.value.sentence
    cursor = begun(there)
    there.telegram.say(there.telegram.private(there.ann), there.ann, "hello")
    (private,) = pulled(there, cursor)
    there.telegram.blocked.add(there.ann["id"])
    with pytest.raises(Closed) as caught:
        answered(there, private)
    assert "blocked" in caught.value.sentence


def test_a_private_answer_reaches_who_wrote_to_the_bot_first(there: GroupWorld) -> None:
    mention = heard(there)
    with pytest.raises(Closed) as caught:
        answered(there, mention, private=True)
    assert "wrote to it first" in caught.value.sentence
    there.telegram.private(there.ann)
    answered(there, mention, private=True)
    assert there.telegram.posted[-1]["chat"]["id"] == there.ann["id"]


def test_who_spoke_for_a_channel_cannot_be_written_to_privately(there: GroupWorld) -> None:
    cursor = begun(there)
    channel = {"id": -1_000_000_009_999, "type": "channel", "title": "Others"}
    there.telegram.say(there.cats, there.ann, "we say", sender_chat=channel)
    (mention,) = pulled(there, cursor)
    assert (mention.author.id, mention.own) == (str(channel["id"]), False)
    with pytest.raises(Closed):
        there.source.prepare(ReplyDraft(mention, "hi", private=True))


def test_a_business_account_decides_whether_and_how_long_it_is_answered(business: BusinessWorld) -> None:
    mention = heard(business)
    assert business.source.reply_limits(mention).closes_at is not None
    business.time = 25 * 3_600
    with pytest.raises(Closed):
        business.source.reply_limits(mention)
    business.time = 0
    for change in ({"rights": {}}, {"is_enabled": False}):
        business.connection |= change
        with pytest.raises(Closed):
            business.source.reply_limits(mention)


def test_files_go_along_with_the_words_as_their_caption(there: GroupWorld) -> None:
    mention = heard(there)
    with Loopback(lambda _: (200, {"Content-Type": "image/jpeg"}, b"a picture")) as files:
        photo = Attachment(f"{files.url}/a.jpg", "image/jpeg", 'a "nice" one.jpg')
        text = Attachment(f"{files.url}/b.pdf", "application/pdf", "чек.pdf")
        answered(there, mention, "one", attachments=(photo,))
        answered(there, mention, "two", attachments=(text,))
        answered(there, mention, "three", attachments=(photo, photo))
        answered(there, mention, "four", attachments=(photo, text))
    methods = [method for method, _ in there.telegram.asked if method.startswith("send")]
    assert methods == ["sendPhoto", "sendDocument", "sendMediaGroup", "sendMediaGroup"]
    assert there.posted() == ["one", "two", "three", "", "four", ""]
    assert ["document" in one for one in there.telegram.posted] == [False, True, False, False, True, True]
    assert {there.telegram.content(one) for one in there.telegram.posted} == {b"a picture"}
    assert there.telegram.posted[1]["document"]["file_name"] == "чек.pdf"


def test_what_is_no_photo_for_telegram_goes_as_a_document(there: GroupWorld) -> None:
    mention = heard(there)
    there.telegram.refused_photos = True
    with Loopback(lambda _: (200, {"Content-Type": "image/jpeg"}, b"a banner")) as files:
        answered(there, mention, "one", attachments=(Attachment(f"{files.url}/a.jpg", "image/jpeg", "a.jpg"),))
    assert len(there.telegram.posted) == 1
    assert "document" in there.telegram.posted[0]


def test_a_file_that_cannot_be_fetched_sends_nothing(there: GroupWorld) -> None:
    mention = heard(there)
    with Loopback(lambda _: (404, {}, b"")) as files, pytest.raises(Rejected):
        answered(there, mention, "one", attachments=(Attachment(f"{files.url}/a.jpg", "image/jpeg", "a.jpg"),))
    assert there.posted() == []


def test_a_caption_of_the_promised_length_is_taken(there: GroupWorld) -> None:
    mention = heard(there)
    longest = there.source.reply_limits(mention).max_with_files
    assert longest is not None
    with Loopback(lambda _: (200, {"Content-Type": "image/jpeg"}, b"x")) as files:
        picture = Attachment(f"{files.url}/a.jpg", "image/jpeg", "a.jpg")
        answered(there, mention, "🙂" * (longest // 2), attachments=(picture,))
        with pytest.raises(Rejected):
            answered(there, mention, "🙂" * (longest // 2) + "x", attachments=(picture,))


# --- secrets -------------------------------------------------------------------------------------------------


def test_the_token_is_in_no_error_whatever_happens(there: GroupWorld) -> None:
    mention = heard(there)
    request = there.source.prepare(ReplyDraft(mention, "x"))
    closed = there.again(server="http://127.0.0.1:9")
    broken = there.again(server="http://no such host")
    calls = [closed.check, broken.check, lambda: broken.send(request, key_of("x")), lambda: closed.download("x", 9)]
    for how in ("unauthorized", "slow_down", "broken", "cut", "refuses", "nonsense"):
        there.misbehave(how)  # type: ignore[arg-type]
        calls += [
            there.again().check,
            lambda: there.again().send(request, key_of("x")),
            lambda: there.again().download("x", 9),
        ]
        for call in calls:
            with pytest.raises(ConnectorError) as caught:
                call()
            shown = f"{caught.value!s} {caught.value!r} {caught.value.__cause__!r}"
            assert TOKEN.split(":")[1] not in shown
        calls.clear()
    there.behave()
    assert masked(f"https://api.telegram.org/bot{TOKEN}/getMe") == "https://api.telegram.org/bot***/getMe"
    assert TOKEN not in repr(there.source.options)


def test_a_token_of_another_bot_stops_the_account(there: GroupWorld) -> None:
    other = there.again(token="7000002:" + "B" * 35)
    with pytest.raises(AuthFailed) as caught:
        other.check()
    assert "@BotFather" in caught.value.sentence


def test_a_message_gone_in_either_wording_is_gone(there: GroupWorld) -> None:
    mention = heard(there)
    request = there.source.prepare(ReplyDraft(mention, "x"))
    words = iter(["Bad Request: message to be replied not found", "Bad Request: replied message not found"])

    def refuse(_: object) -> tuple[int, dict[str, str], bytes]:
        return 400, {}, json.dumps({"ok": False, "error_code": 400, "description": next(words)}).encode()

    with Loopback(refuse) as server:
        source = there.again(server=server.url)
        for _ in range(2):
            with pytest.raises(Gone):
                source.send(request, key_of("x"))


# --- what others found --------------------------------------------------------------------------------------


def found_at(world: GroupWorld, url: str, **more: object) -> Mention | None:
    told = replace(a_mention(world.source), text="as the tool has it", url=url)
    return world.again(**more).locate(told)


def test_a_topic_and_a_group_without_a_name_are_found(there: GroupWorld) -> None:
    found = found_at(there, "https://t.me/cats/3/7")
    assert found is not None
    assert (found.external_id, found.thread_id) == (f"{there.cats['id']}/7", f"{there.cats['id']}/3")
    closed = there.telegram.group("Closed")
    found = found_at(there, f"https://t.me/c/{str(closed['id']).removeprefix('-100')}/7")
    assert found is not None
    assert found.external_id == f"{closed['id']}/7"


def test_a_comment_below_a_channels_post_stands_in_the_discussion_group(there: GroupWorld) -> None:
    news = {"id": -1009, "type": "channel", "title": "News", "username": "news", "linked_chat_id": there.cats["id"]}
    there.telegram.strange.append(news)
    found = found_at(there, "https://t.me/news/5?comment=7")
    assert found is not None
    assert (found.external_id, found.kind) == (f"{there.cats['id']}/7", "comment")
    assert found_at(there, "https://t.me/news/5") is None  # our own channel's post


def test_where_the_bot_is_not_or_does_not_listen_nothing_is_found(there: GroupWorld) -> None:
    there.telegram.strange.append({"id": -1008, "type": "supergroup", "title": "Dogs", "username": "dogs"})
    assert found_at(there, "https://t.me/dogs/7") is None
    assert found_at(there, "https://t.me/nobody/7") is None
    assert found_at(there, "https://t.me/cats/7", chats=[-5]) is None
    assert found_at(there, "https://t.me/cats/7", listen=["private"]) is None
    assert there.source.locate(replace(a_mention(there.source), text="", url="https://t.me/cats/7")) is None


def test_what_a_tool_found_is_answered_in_the_group(there: GroupWorld) -> None:
    message = there.telegram.say(there.cats, there.ann, "hello")
    found = found_at(there, f"https://t.me/cats/{message['message_id']}")
    assert found is not None
    there.source.send(there.source.prepare(ReplyDraft(found, "we say")), key_of("k"))
    assert there.telegram.posted[-1]["reply_to_message"]["message_id"] == message["message_id"]
