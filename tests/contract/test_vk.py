"""The VK source keeps the contract, against the simulator, which holds every request against VK's own description
where that is at hand."""

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
from connector.model import Attachment, Cursor, Key, Mention, ReplyDraft, key_of
from connector.sources.vk import Vk, VkOptions
from connector.testing.contracts import Misbehaviour, SourceContract, SourceWorld, a_mention, drained
from connector.testing.simulators.vk import VkSimulator

GROUP = 77
TOKEN = "vk1.a.community-token-0123456789"
USER_TOKEN = "vk1.a.user-token-0123456789"
SECRET = "callback-secret"
CONFIRMATION = "1f2e3d4c"


class WallWorld(SourceWorld):
    """People below a post of the community; we have an administrator's token."""

    secrets = (TOKEN, USER_TOKEN, SECRET, CONFIRMATION, "lp-key")
    user_token: str | None = USER_TOKEN

    def __init__(self, vk: VkSimulator) -> None:
        self.vk = vk
        self.ann = vk.person("Ann", "Lee")
        self.post = vk.post("New prices")
        self.made: list[Vk] = []
        self.source: Vk = self.again()

    def again(self, **more: object) -> Vk:
        wanted = {
            "type": "vk",
            "helpdesk": "desk",
            "server": self.vk.url,
            "group_id": GROUP,
            "token": TOKEN,
            "user_token": self.user_token,
            "secret": SECRET,
            "long_poll": 0,
            **more,
        }
        source = Vk("vk", VkOptions.model_validate(wanted), Http("vk"), clock=self.vk.now)
        self.made.append(source)
        return source

    def say(self, text: str) -> str:
        return f"wall-{GROUP}_{self.post}_{self.vk.comment('wall', self.post, self.ann, text)}"

    def say_ourselves(self, text: str) -> str:
        return f"wall-{GROUP}_{self.post}_{self.vk.comment('wall', self.post, -GROUP, text)}"

    def take_back(self, external_id: str) -> None:
        self.vk.delete("wall", self.post, int(external_id.rsplit("_", maxsplit=1)[-1]))

    def hook(self, text: str) -> Hook:
        self.say(text)
        return hook_of(self.vk)

    def forged(self, hook: Hook) -> list[Hook]:
        event = json.loads(hook.body)
        wrong = [event | {"secret": "other"}, {k: v for k, v in event.items() if k != "secret"}]
        wrong += [event | {"secret": None}, event | {"group_id": 5}]
        return [replace(hook, body=json.dumps(one).encode()) for one in wrong]

    def address(self, external_id: str) -> str:
        thing, number = external_id.rsplit("_", maxsplit=1)
        return f"https://vk.com/{thing}?reply={number}"

    def posted(self) -> list[str]:
        return self.vk.sent()

    def misbehave(self, how: Misbehaviour) -> None:
        self.vk.misbehave(how)

    def behave(self) -> None:
        self.vk.behave()


class MessageWorld(WallWorld):
    """People who write to the community; we have its own token only."""

    user_token = None

    def __init__(self, vk: VkSimulator) -> None:
        super().__init__(vk)
        self.messages: dict[str, dict[str, Any]] = {}

    def say(self, text: str) -> str:
        message = self.vk.write(self.ann, text)
        name = f"message{self.ann}_{message['conversation_message_id']}"
        self.messages[name] = message
        return name

    def say_ourselves(self, text: str) -> str:
        raise NotImplementedError

    def address(self, external_id: str) -> str:
        raise NotImplementedError

    def take_back(self, external_id: str) -> None:
        self.vk.unsend(self.messages[external_id])


def hook_of(vk: VkSimulator, number: int = -1) -> Hook:
    return Hook({"content-type": "application/json"}, vk.call_of(vk.events[number], SECRET), 1.79e9)


@pytest.fixture
def vk(vk_contracts: Path | None) -> Iterator[VkSimulator]:
    with VkSimulator(GROUP, TOKEN, USER_TOKEN, contracts=vk_contracts) as simulator:
        yield simulator
        assert simulator.violations == []


@pytest.fixture
def there(vk: VkSimulator) -> Iterator[WallWorld]:
    world = WallWorld(vk)
    yield world
    for source in world.made:
        source.close()


@pytest.fixture
def messages(vk: VkSimulator) -> Iterator[MessageWorld]:
    world = MessageWorld(vk)
    yield world
    for source in world.made:
        source.close()


class TestVkWall(SourceContract):
    @pytest.fixture
    def world(self, there: WallWorld) -> SourceWorld:
        return there

    def test_find_finds_nothing_before_and_the_post_after(self, world: SourceWorld) -> None:
        """A comment carries no mark of its key: it is known by its place, its time and its words."""
        mention = heard(world, "please answer")
        request = world.source.prepare(ReplyDraft(mention, "look for me"))
        assert world.source.find(request, key_of("k")) == ()
        receipt = world.source.send(request, key_of("k"))
        assert [one.id for one in world.again().find(request, key_of("k"))] == [receipt.id]
        other = world.source.prepare(ReplyDraft(mention, "something else"))
        with pytest.raises(Unsupported):
            world.source.find(other, key_of("another"))


class TestVkMessages(SourceContract):
    @pytest.fixture
    def world(self, messages: MessageWorld) -> SourceWorld:
        return messages

    def test_a_deletion_is_told_as_a_new_version(self, world: SourceWorld) -> None:
        """VK tells of deleted comments, not of deleted messages."""
        cursor = begun(world)
        said = world.say("soon gone")
        world.take_back(said)
        assert [one.deleted for one in drained(world, cursor, 1)] == [False]


def begun(world: SourceWorld) -> Cursor:
    return world.source.fetch(None, 50).cursor


def heard(world: SourceWorld, text: str = "hello") -> Mention:
    cursor = begun(world)
    world.say(text)
    return drained(world, cursor, 1)[0]


def pulled(source: Vk, cursor: Cursor, turns: int = 12) -> list[Mention]:
    """What comes in so many pulls."""
    seen: list[Mention] = []
    for _ in range(turns):
        page = source.fetch(cursor, 50)
        seen += page.items
        cursor = page.cursor
    return seen


def answered(world: WallWorld, mention: Mention, text: str = "hi", **more: Any) -> str:
    return world.source.send(world.source.prepare(ReplyDraft(mention, text, **more)), key_of(text)).id


# --- what comes in -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "page", "what"),
    [
        ("wall", "wall-77_{0}?reply={1}", "comment"),
        ("topic", "topic-77_{0}?post={1}", "forum_post"),
        ("photo", "photo-77_{0}?reply={1}", "comment"),
        ("video", "video-77_{0}?reply={1}", "comment"),
        ("market", "product-77_{0}", "comment"),
    ],
)
def test_comments_of_every_place_come_are_edited_deleted_and_answered(
    there: WallWorld, kind: str, page: str, what: str
) -> None:
    thing = there.vk.thing(kind, title="The thing", text="The thing", sizes=[])
    cursor = begun(there)
    number = there.vk.comment(kind, thing, there.ann, "Too much!")
    there.vk.edit(kind, thing, number, "Far too much!")
    there.vk.delete(kind, thing, number, by=5)
    there.vk.restore(kind, thing, number)
    said, edited, deleted, restored = pulled(there.source, cursor, 1)
    assert said.external_id == edited.external_id == deleted.external_id == f"{kind}-77_{thing}_{number}"
    assert (said.kind, said.thread_id) == (what, f"{kind}-77_{thing}")
    assert said.url == f"https://vk.com/{page.format(thing, number)}"
    assert (edited.text, deleted.deleted, restored.deleted) == ("Far too much!", True, False)
    assert len({one.version for one in (said, edited, deleted, restored)}) == 4
    assert {one.author.id for one in (said, edited, deleted, restored)} == {str(there.ann)}
    receipt = answered(there, said)
    assert receipt.startswith(f"{kind}-77_{thing}_")
    assert there.posted() == ["hi"]


def test_a_comment_in_a_branch_knows_its_branch_and_what_it_answers(there: WallWorld) -> None:
    cursor = begun(there)
    first = there.vk.comment("wall", there.post, there.ann, "Too much!")
    second = there.vk.comment("wall", there.post, there.vk.person("Bob"), "No, [id5|Ann], it is not", answers=first)
    _, mention = pulled(there.source, cursor, 1)
    assert mention.text == "No, Ann, it is not"
    assert mention.url == f"https://vk.com/wall-77_{there.post}?reply={second}&thread={first}"
    richer = there.source.enrich(mention)
    assert richer.author.name == "Bob"
    assert richer.parent is not None
    assert (richer.parent.text, richer.parent.author) == ("Too much!", "Ann Lee")


def test_the_post_stands_on_the_ticket_with_its_picture(there: WallWorld) -> None:
    photo = {"id": 1, "sizes": [{"url": "https://x.example/s.jpg", "width": 1, "height": 1, "type": "s"}]}
    photo["sizes"].append({"url": "https://x.example/w.jpg", "width": 9, "height": 9, "type": "w"})  # type: ignore[attr-defined]
    there.post = there.vk.post("Look at this", attachments=[{"type": "photo", "photo": photo}])
    mention = there.source.enrich(heard(there))
    assert mention.parent is not None
    assert (mention.parent.text, mention.parent.author) == ("Look at this", "Club 77")
    assert [(file.url, file.name) for file in mention.attachments] == [
        ("https://x.example/w.jpg", "answered post: photo1.jpg")
    ]


def test_without_an_administrators_token_a_mention_keeps_what_it_has(messages: MessageWorld) -> None:
    cursor = begun(messages)
    messages.vk.comment("wall", messages.post, messages.ann, "Too much!")
    (mention,) = pulled(messages.source, cursor, 1)
    richer = messages.source.enrich(mention)
    assert richer.author.name == "Ann Lee"
    assert richer.parent == mention.parent


def test_posts_of_others_come_and_our_own_are_ours(there: WallWorld) -> None:
    cursor = begun(there)
    there.vk.post("We say")
    theirs = there.vk.post("They say", by=there.ann)
    own, mention = pulled(there.source, cursor, 1)
    assert (own.own, mention.own, mention.external_id) == (True, False, f"wall-77_{theirs}")
    answered(there, mention)
    assert "reply_to_comment" not in there.vk.asked[-1][1]


def test_our_answer_by_message_comes_back_as_our_own(messages: MessageWorld) -> None:
    cursor = begun(messages)
    messages.say("hello")
    page = messages.source.fetch(cursor, 50)
    answered(messages, page.items[0])
    assert [one.own for one in messages.source.fetch(page.cursor, 50).items] == [True]


def test_who_speaks_for_us_becomes_no_ticket(there: WallWorld) -> None:
    source = there.again(own_accounts=[there.ann])
    cursor = begun(there)
    there.say("as a colleague")
    assert [one.own for one in pulled(source, cursor, 1)] == [True]


def test_a_message_brings_its_files_and_what_it_answers(messages: MessageWorld) -> None:
    cursor = begun(messages)
    above = messages.vk.write(messages.ann, "first")
    doc = {"type": "doc", "doc": {"url": "https://x.example/a.pdf", "title": "a.pdf", "size": 9}}
    voice = {"type": "audio_message", "audio_message": {"link_mp3": "https://x.example/v.mp3", "duration": 3}}
    sticker = {"type": "sticker", "sticker": {"sticker_id": 1}}
    messages.vk.write(messages.ann, "second", attachments=[doc, voice, sticker], reply_message=above)
    _, mention = pulled(messages.source, cursor, 1)
    assert (mention.private, mention.kind, mention.text) == (True, "dm", "second\n[sticker]")
    assert [file.name for file in mention.attachments] == ["a.pdf", "voice.mp3"]
    assert mention.parent is not None
    assert messages.source.enrich(mention).parent == replace(mention.parent, author="Ann Lee")


def test_an_event_that_cannot_be_read_holds_up_no_other(there: WallWorld) -> None:
    cursor = begun(there)
    for broken in ({"type": "wall_reply_new", "object": {}}, {"type": "message_new"}, {}, {"type": "like_add"}):
        there.vk.events.append(broken)
    there.say("next")
    assert [one.text for one in pulled(there.source, cursor, 1)] == ["next"]


# --- what was missed -----------------------------------------------------------------------------------------


def test_a_key_that_is_too_old_loses_nothing(there: WallWorld) -> None:
    cursor = begun(there)
    there.say("one")
    there.vk.lose_events(2)
    there.say("two")
    assert [one.text for one in pulled(there.source, cursor)] == ["one", "two"]


@pytest.mark.parametrize("failed", [1, 3])
def test_what_long_poll_lost_is_read_again_wherever_it_stands(there: WallWorld, failed: int) -> None:
    things = {kind: there.vk.thing(kind, title="x") for kind in ("topic", "photo", "video", "market")}
    old = there.vk.comment("wall", there.post, there.ann, "of old")
    there.vk.later = 1_000
    cursor = begun(there)
    there.vk.later = 2_000
    said = {there.say("on the wall")}
    said |= {
        f"wall-77_{there.post}_{there.vk.comment('wall', there.post, there.ann, f'branch {n}', answers=old)}"
        for n in range(12)
    }
    for kind, thing in things.items():
        said.add(f"{kind}-77_{thing}_{there.vk.comment(kind, thing, there.ann, 'below')}")
    said.add(f"wall-77_{there.vk.post('a post', by=there.ann)}")
    said.add(f"message{there.ann}_{there.vk.write(there.ann, 'a message')['conversation_message_id']}")
    there.vk.lose_events(failed)
    there.vk.later = 3_000
    seen = pulled(there.source, cursor, 30)
    assert {one.external_id for one in seen} == said
    page = there.source.fetch(cursor, 50)
    for _ in range(30):
        page = there.source.fetch(page.cursor, 50)
    assert (page.items, page.more) == ((), False)


def test_reading_again_keeps_to_the_size_of_a_page_and_goes_on_after_a_restart(there: WallWorld) -> None:
    cursor = begun(there)
    there.vk.later = 100
    said = {there.say(f"number {n}") for n in range(7)}
    there.vk.lose_events(3)
    seen: list[Mention] = []
    for _ in range(30):
        page = there.again().fetch(cursor, 2)
        assert len(page.items) <= 2
        seen += page.items
        cursor = page.cursor
    assert {one.external_id for one in seen} == said


def test_without_an_administrators_token_messages_are_read_again(messages: MessageWorld) -> None:
    cursor = begun(messages)
    messages.vk.later = 100
    messages.vk.comment("wall", messages.post, messages.ann, "unseen")
    said = messages.say("a message")
    messages.vk.lose_events(3)
    assert [one.external_id for one in pulled(messages.source, cursor)] == [said]


def test_places_that_may_not_be_read_are_left_out(there: WallWorld) -> None:
    cursor = begun(there)
    there.vk.later = 100
    said = there.say("on the wall")
    there.vk.lose_events(3)
    for method in ("board.getTopics", "photos.getAllComments", "video.get", "market.get"):
        there.vk.fail_with(method, 15, "Access denied")
    assert [one.external_id for one in pulled(there.source, cursor)] == [said]


def test_an_administrators_token_that_is_no_longer_good_keeps_no_message_out(there: WallWorld) -> None:
    source = there.again(user_token="vk1.a.of-yesterday")
    cursor = source.fetch(None, 50).cursor
    there.vk.later = 100
    there.say("on the wall")
    said = there.vk.write(there.ann, "a message")
    there.vk.lose_events(3)
    seen = pulled(source, cursor)
    assert [one.external_id for one in seen] == [f"message{there.ann}_{said['conversation_message_id']}"]
    there.say("and later")
    assert [one.text for one in pulled(source, source.fetch(None, 50).cursor, 1)] == []


def test_after_a_stop_of_the_callback_what_was_missed_is_read(there: WallWorld) -> None:
    there.vk.add_callback(SECRET)
    source = there.again(confirmation=CONFIRMATION)
    cursor = source.fetch(None, 50).cursor
    there.vk.later = 60
    page = source.fetch(cursor, 50)
    assert (page.items, page.more) == ((), False)
    there.vk.later = 4_000
    said = there.say("nobody was there")
    assert [one.external_id for one in pulled(source, page.cursor)] == [said]


@pytest.mark.parametrize("seed", range(5))
def test_whatever_breaks_and_is_lost_everything_that_was_said_is_told(there: WallWorld, seed: int) -> None:
    chance = random.Random(seed)
    topic = there.vk.thing("topic", title="x")
    cursor = begun(there)
    said: list[str] = []
    seen: list[Mention] = []

    def pull(limit: int) -> None:
        nonlocal cursor
        page = (there.again() if chance.random() < 0.2 else there.source).fetch(cursor, limit)
        assert len(page.items) <= limit
        seen.extend(page.items)
        cursor = page.cursor

    for step in range(5):
        there.vk.later += chance.randint(0, 30)
        what = chance.random()
        if what < 0.3:
            said.append(there.say(f"number {step}"))
        elif what < 0.5:
            said.append(f"topic-77_{topic}_{there.vk.comment('topic', topic, there.ann, f'number {step}')}")
        elif what < 0.6:
            there.vk.lose_events(chance.choice([1, 2, 3]))
        elif what < 0.7:
            there.misbehave(chance.choice(["broken", "cut", "nonsense"]))  # type: ignore[arg-type]
            with pytest.raises(ConnectorError):
                pull(50)
            there.behave()
        else:
            pull(chance.randint(1, 6))
    for _ in range(80):
        pull(chance.randint(1, 6))
    assert {one.external_id for one in seen} == set(said)
    assert {one.version for one in seen} <= {""}


def test_a_callback_that_vk_paused_is_told_and_what_was_missed_is_read_when_it_calls_again(there: WallWorld) -> None:
    source = there.again(confirmation=CONFIRMATION)
    cursor = source.fetch(None, 50).cursor
    with pytest.raises(Temporary, match="no server has our secret key"):
        source.fetch(cursor, 50)
    there.vk.add_callback("of-somebody-else")
    server = there.vk.add_callback(SECRET, "failed")
    there.vk.later = 1_000
    said = there.say("VK did not call")
    with pytest.raises(Temporary, match="its server is failed") as caught:
        source.fetch(cursor, 50)
    assert SECRET not in str(caught.value)
    server["status"] = "ok"
    assert [one.external_id for one in pulled(source, cursor)] == [said]


# --- by hook -------------------------------------------------------------------------------------------------


def test_vk_hears_the_confirmation_string_and_then_ok(there: WallWorld) -> None:
    source = there.again(confirmation=CONFIRMATION)
    first = Hook({}, json.dumps({"type": "confirmation", "group_id": GROUP}).encode(), 0.0)
    assert (source.read_hook(first), source.hook_answer(first)) == ([], CONFIRMATION)
    hook = there.hook("by hook")
    assert [one.text for one in source.read_hook(hook)] == ["by hook"]
    assert source.hook_answer(hook) == "ok"
    other = Hook({}, json.dumps({"type": "confirmation", "group_id": 5}).encode(), 0.0)
    with pytest.raises(BadHook):
        source.hook_answer(other)


def test_events_called_twice_and_in_another_order_give_the_same_mentions(there: WallWorld) -> None:
    number = there.vk.comment("wall", there.post, there.ann, "one")
    there.vk.edit("wall", there.post, number, "two")
    seen = [one for n in (-1, -2, -1) for one in there.source.read_hook(hook_of(there.vk, n))]
    assert [one.text for one in seen] == ["two", "one", "two"]
    assert len({(one.external_id, one.version) for one in seen}) == 2


def test_a_call_that_is_no_event_is_refused(there: WallWorld) -> None:
    for body in (b"", b"[]", b'{"type": 5}', b"\xff"):
        with pytest.raises(BadHook) as caught:
            there.source.read_hook(Hook({}, body, 0.0))
        assert caught.value.status == 400


# --- what goes out -------------------------------------------------------------------------------------------


def test_a_comment_is_answered_in_the_name_of_the_community_with_a_guard(there: WallWorld) -> None:
    mention = heard(there)
    answered(there, mention)
    method, params = there.vk.asked[-1]
    assert method == "wall.createComment"
    assert (params["from_group"], params["reply_to_comment"]) == ("77", mention.external_id.split("_")[-1])
    assert params["guid"] == key_of("hi")


def test_only_an_administrator_answers_elsewhere_and_without_one_the_agent_is_told(messages: MessageWorld) -> None:
    topic = messages.vk.thing("topic", title="x")
    cursor = begun(messages)
    messages.vk.comment("topic", topic, messages.ann, "hello")
    (mention,) = pulled(messages.source, cursor, 1)
    for call in (
        lambda: messages.source.reply_limits(mention),
        lambda: messages.source.prepare(ReplyDraft(mention, "x")),
    ):
        with pytest.raises(Unsupported) as caught:
            call()
        assert "user_token" in caught.value.sentence
        assert "link" in caught.value.sentence


def test_a_lost_comment_is_found_by_its_words_and_never_posted_twice(there: WallWorld) -> None:
    mention = heard(there)
    request = there.source.prepare(ReplyDraft(mention, "Sorry &  thanks"))
    there.vk.cut_next_of("wall.createComment")
    with pytest.raises(Uncertain):
        there.source.send(request, key_of("k"))
    (found,) = there.source.find(request, key_of("k"))
    assert there.posted() == ["Sorry &  thanks"]
    assert found.id.startswith(f"wall-77_{there.post}_")


def test_the_same_words_of_long_ago_are_not_taken_for_this_answer(there: WallWorld) -> None:
    mention = heard(there)
    answered(there, mention, "Thanks")
    there.vk.later = 1_000
    request = there.source.prepare(ReplyDraft(mention, "Thanks"))
    assert there.source.find(request, key_of("another")) == ()


def test_a_second_part_is_not_confused_with_the_first(there: WallWorld) -> None:
    mention = heard(there)
    one = there.source.send(there.source.prepare(ReplyDraft(mention, "one", parts=2)), key_of("1"))
    second = there.source.prepare(ReplyDraft(mention, "two", part=1, parts=2, previous=one))
    assert there.source.find(second, key_of("2")) == ()
    there.source.send(second, key_of("2"))
    assert len(there.source.find(second, key_of("2"))) == 1


def test_without_an_administrators_token_a_lost_comment_cannot_be_looked_up(messages: MessageWorld) -> None:
    cursor = begun(messages)
    messages.vk.comment("wall", messages.post, messages.ann, "hello")
    (mention,) = pulled(messages.source, cursor, 1)
    request = messages.source.prepare(ReplyDraft(mention, "x"))
    assert not request.repeatable
    with pytest.raises(Unsupported):
        messages.source.find(request, key_of("x"))


def last_sent(world: WallWorld) -> dict[str, str]:
    """What the last call that wrote something said."""
    return next(
        given for method, given in reversed(world.vk.asked) if method in ("messages.send", "wall.createComment")
    )


def test_a_messages_receipt_is_the_id_it_comes_back_under(messages: MessageWorld) -> None:
    mention = heard(messages)
    cursor = begun(messages)
    receipt = messages.source.send(messages.source.prepare(ReplyDraft(mention, "we say")), key_of("k"))
    (back,) = pulled(messages.source, cursor, 1)
    assert (back.external_id, back.own, back.to) == (receipt.id, True, mention.author.id)


def test_a_message_whose_number_cannot_be_asked_for_is_sent_all_the_same(messages: MessageWorld) -> None:
    mention = heard(messages)
    messages.vk.fail_with("messages.getById", 10)
    receipt = messages.source.send(messages.source.prepare(ReplyDraft(mention, "we say", parts=2)), key_of("k"))
    assert receipt.id.startswith(f"sent{messages.ann}_")
    more = ReplyDraft(mention, "and more", part=1, parts=2, previous=receipt)
    request = messages.source.prepare(more)
    messages.source.send(request, key_of("k2"))
    assert messages.posted() == ["we say", "and more"]
    assert len(messages.source.find(request, key_of("k2"))) == 1


def test_a_private_answer_goes_by_message_to_who_allows_it(there: WallWorld) -> None:
    mention = heard(there)
    answered(there, mention, private=True)
    assert last_sent(there)["peer_id"] == str(there.ann)
    there.vk.allowed.clear()
    with pytest.raises(Closed):
        there.source.prepare(ReplyDraft(mention, "x", private=True))


def test_pictures_go_along_and_other_files_as_links(there: WallWorld) -> None:
    source = there.again(allow_private_addresses=True)
    source.http.allow_private = True
    comment = heard(there)
    with Loopback(lambda _: (200, {"Content-Type": "image/png"}, b"a picture")) as files:
        picture = Attachment(f"{files.url}/a.png", "image/png", "a.png")
        paper = Attachment(f"{files.url}/b.pdf", "application/pdf", "b.pdf")
        gone = Attachment("http://127.0.0.1:9/c.png", "image/png", "c.png")
        for private, word in ((False, "attachments"), (True, "attachment")):
            draft = ReplyDraft(comment, "Look", attachments=(picture, paper, gone), private=private)
            source.send(source.prepare(draft), key_of(word))
            params = last_sent(there)
            number = max(there.vk.uploads)
            assert params[word] == f"photo-77_{number}_key"
            assert there.vk.uploads[number] == b"a picture"
            assert params["message"] == f"Look\n\nb.pdf: {files.url}/b.pdf\nc.png: http://127.0.0.1:9/c.png"
        source.send(source.prepare(ReplyDraft(comment, "", attachments=(picture,))), key_of("no words"))
    assert "message" not in there.vk.asked[-1][1]


def test_without_an_administrators_token_a_picture_below_a_post_is_linked(messages: MessageWorld) -> None:
    cursor = begun(messages)
    messages.vk.comment("wall", messages.post, messages.ann, "hello")
    (mention,) = pulled(messages.source, cursor, 1)
    picture = Attachment("https://x.example/a.png", "image/png", "a.png")
    answered(messages, mention, "Look", attachments=(picture,))
    assert messages.posted() == ["Look\n\na.png: https://x.example/a.png"]


def test_a_history_without_the_numbers_is_read_by_its_words(messages: MessageWorld) -> None:
    mention = heard(messages)
    request = messages.source.prepare(ReplyDraft(mention, "Found?"))
    receipt = messages.source.send(request, key_of("k"))
    for some in messages.vk._messages.values():
        for one in some:
            one["random_id"] = 0
    assert [one.id for one in messages.source.find(request, key_of("k"))] == [receipt.id]
    other = messages.source.prepare(ReplyDraft(mention, "Something else"))
    assert messages.source.find(other, key_of("o")) == ()


@pytest.mark.parametrize(
    ("code", "error"),
    [
        (1, Uncertain),
        (5, AuthFailed),
        (6, RateLimited),
        (7, Closed),
        (9, RateLimited),
        (10, Uncertain),
        (14, Rejected),
        (15, Closed),
        (27, AuthFailed),
        (29, RateLimited),
        (36, Uncertain),
        (43, Temporary),
        (100, Rejected),
        (104, Gone),
        (213, Closed),
        (222, Rejected),
        (223, RateLimited),
        (901, Closed),
        (950, Closed),
        (3300, Rejected),
        (99999, Rejected),
    ],
)
def test_an_error_in_an_answer_of_200_says_what_to_do(there: WallWorld, code: int, error: type[Exception]) -> None:
    request = there.source.prepare(ReplyDraft(heard(there), "x"))
    there.vk.fail_with("wall.createComment", code)
    with pytest.raises(ConnectorError) as caught:
        there.source.send(request, Key("k"))
    assert type(caught.value) is error
    assert there.posted() == []


@pytest.mark.parametrize(("code", "whole"), [(6, True), (9, False), (29, True)])
def test_a_limit_holds_back_what_it_is_about(there: WallWorld, code: int, whole: bool) -> None:
    request = there.source.prepare(ReplyDraft(heard(there), "x"))
    there.vk.fail_with("wall.createComment", code)
    with pytest.raises(RateLimited) as caught:
        there.source.send(request, Key("k"))
    there.vk.behave()
    assert (caught.value.scope == "account") is whole
    if whole:
        with pytest.raises(RateLimited):
            there.source.send(request, Key("k"))
    else:
        there.source.send(request, Key("k"))


def test_a_limit_while_asking_for_names_is_waited_for(there: WallWorld) -> None:
    mention = heard(there)
    there.vk.fail_with("users.get", 6)
    with pytest.raises(Temporary):
        there.source.enrich(mention)


def test_a_check_tells_what_is_switched_off_and_what_cannot_be_done(messages: MessageWorld) -> None:
    messages.vk.long_poll = {"is_enabled": False, "events": {"message_new": 1}}
    identity = messages.source.check()
    assert (identity.id, identity.name) == ("77", "Club 77")
    told = " ".join(identity.notes)
    assert "Long Poll is switched off" in told
    assert "wall_reply_new" in told
    assert "message_new," not in told
    assert "user_token" in told


def test_options_that_cannot_work_are_refused_without_showing_a_token() -> None:
    good = {"type": "vk", "helpdesk": "desk", "group_id": 1, "token": TOKEN}
    VkOptions.model_validate(good)
    for wrong in ({"confirmation": "x"}, {"group_id": -1}, {"server": "api.vk.com"}, {"secret": "x" * 51}):
        with pytest.raises(ValueError) as caught:
            VkOptions.model_validate(good | wrong)
        assert TOKEN not in str(caught.value)


# --- what others found --------------------------------------------------------------------------------------


def found_at(world: WallWorld, url: str, **more: object) -> Mention | None:
    return world.again(**more).locate(replace(a_mention(world.source), url=url))


def test_a_branch_topic_or_post_is_found_as_its_event_tells_it(there: WallWorld) -> None:
    cursor = begun(there)
    first = there.vk.comment("wall", there.post, there.ann, "first")
    there.vk.comment("wall", there.post, there.ann, "second", answers=first)
    topic = there.vk.thing("topic", title="Sizes")
    there.vk.comment("topic", topic, there.ann, "too small")
    there.vk.post("I wrote on your wall", there.ann)
    for heard in drained(there, cursor, 4):
        found = found_at(there, heard.url)
        assert found is not None
        assert replace(found, tone=None, rating=None) == heard


def test_another_communitys_wall_a_wrong_post_and_what_is_gone_are_not_ours(there: WallWorld) -> None:
    number = there.vk.comment("wall", there.post, there.ann, "hello")
    assert found_at(there, f"https://vk.com/wall-5_{there.post}?reply={number}") is None
    wrong = found_at(there, f"https://vk.com/wall-{GROUP}_999?reply={number}")
    assert wrong is not None
    assert wrong.external_id == f"wall-{GROUP}_{there.post}_{number}"
    there.vk.delete("wall", there.post, number)
    assert found_at(there, f"https://vk.com/wall-{GROUP}_{there.post}?reply={number}") is None
    assert found_at(there, f"https://vk.com/photo-{GROUP}_{there.vk.thing('photo')}") is None


def test_without_an_administrators_token_nothing_is_looked_up(there: WallWorld) -> None:
    url = there.address(there.say("hello"))
    there.vk.calls.clear()
    assert found_at(there, url, user_token=None) is None
    assert there.vk.calls == []
