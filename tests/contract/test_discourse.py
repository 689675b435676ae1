"""The Discourse source keeps the contract, against the simulator; there is no real forum that could be had here."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from connector.adapter import Hook
from connector.errors import AuthFailed, BadHook, Closed, Gone, RateLimited, Rejected, Temporary, Uncertain
from connector.http import Http
from connector.model import Attachment, Cursor, Mention, Receipt, ReplyDraft, key_of
from connector.sources.discourse import Discourse, DiscourseOptions
from connector.testing.contracts import Misbehaviour, SourceContract, SourceWorld, a_mention, drained
from connector.testing.simulators.discourse import DiscourseSimulator

SECRET = "hook-secret-of-the-forum"
PNG = b"\x89PNG\r\n\x1a\n" + b"0" * 40


class ForumWorld(SourceWorld):
    """Everything in category 5 is for us; `say` begins a topic there or answers in the one that is there."""

    def __init__(self, forum: DiscourseSimulator) -> None:
        self.forum = forum
        self.brand = forum.add_user("brand", "Brand", key="key-of-the-brand")
        self.ann = forum.add_user("ann", "Ann")
        self.bob = forum.add_user("bob")
        self.secrets = ("key-of-the-brand", SECRET)
        self.made: list[Discourse] = []
        self.time = 0.0
        self.source: Discourse = self.again()

    def again(self, **more: object) -> Discourse:
        options = DiscourseOptions.model_validate(
            {
                "type": "discourse",
                "helpdesk": "desk",
                "base_url": self.forum.url + "/",
                "api_username": "@brand",
                "api_key": "key-of-the-brand",
                "webhook_secret": SECRET,
                "categories": [5],
                "watch_every": 0,
                **more,
            }
        )
        http = Http("forum", allow_private=True)
        source = Discourse("forum", options, http, clock=lambda: datetime.now(UTC).timestamp() + self.time)
        self.made.append(source)
        return source

    def say(self, text: str) -> str:
        return str(self.forum.begin(self.ann, f"About {text}", text, category=5))

    def say_ourselves(self, text: str) -> str:
        return str(self.forum.answer_in(self.brand, int(self.say("what do you say?")), text))

    def take_back(self, external_id: str) -> None:
        self.forum.delete(int(external_id))

    def hook(self, text: str) -> Hook:
        return self.call("post_created", int(self.say(text)))

    def call(self, event: str, post: int) -> Hook:
        headers, body = self.forum.webhook(event, post, SECRET)
        return Hook(headers, body, datetime.now(UTC).timestamp())

    def address(self, external_id: str) -> str:
        post = self.forum.posts[int(external_id)]
        return f"{self.forum.url}/t/{post.topic.title.lower().replace(' ', '-')}/{post.topic.id}/{post.number}"

    def posted(self) -> list[str]:
        return [one.raw for one in self.forum.of(self.brand)]

    def misbehave(self, how: Misbehaviour) -> None:
        self.forum.misbehave(how)

    def behave(self) -> None:
        self.forum.behave()


@pytest.fixture
def there() -> Iterator[ForumWorld]:
    with DiscourseSimulator() as forum:
        world = ForumWorld(forum)
        yield world
        for source in world.made:
            source.close()


class TestDiscourse(SourceContract):
    @pytest.fixture
    def world(self, there: ForumWorld) -> SourceWorld:
        return there


def begun(world: ForumWorld, **more: object) -> Cursor:
    return world.again(**more).fetch(None, 50).cursor


def heard(world: ForumWorld, text: str = "hello") -> Mention:
    cursor = begun(world)
    world.say(text)
    return drained(world, cursor, 1)[0]


def sent(world: ForumWorld, mention: Mention, text: str, **more: Any) -> Receipt:
    return world.source.send(world.source.prepare(ReplyDraft(mention, text, **more)), key_of(text))


# --- what comes in -------------------------------------------------------------------------------------------------


def test_only_what_is_for_us_comes(there: ForumWorld) -> None:
    forum = there.forum
    forum.groups.add("support")
    source = there.again(categories=[], groups=["Support"], topics=[3])
    ours = forum.begin(there.brand, "Our news", "We have news")
    other = forum.begin(there.bob, "Football", "Goal!")
    listed = forum.begin(there.bob, "A topic of interest", "Let us talk")
    cursor = source.fetch(None, 50).cursor
    forum.answer_in(there.bob, other, "brand is not named here, nor brand@mail.example")
    named = forum.answer_in(there.ann, other, "What does @Brand say?")
    of_group = forum.answer_in(there.bob, other, "Ask @support")
    answer = forum.answer_in(there.ann, ours, "Which ones?")
    forum.answer_in(there.bob, ours, "never mind", to=False)
    watched = forum.answer_in(there.bob, listed, "well")
    forum.answer_in(there.bob, listed, "closed this", kind=3)
    follow_up = forum.answer_in(there.ann, other, "Anybody?", to=False)
    told = [int(one.external_id) for one in source.fetch(cursor, 50).items]
    assert told == [named, of_group, answer, watched, follow_up]


def test_a_mention_comes_whole(there: ForumWorld) -> None:
    picture = "![receipt|640x480](/uploads/receipt.png)"
    mention = heard(
        there, f"where is my order? 🙂\n\n{picture}\n\n[bill.pdf|attachment](/uploads/bill.pdf) (12.5 KB)"
    )
    url = there.forum.url
    assert mention.text == "where is my order? 🙂\n\nreceipt\n\nbill.pdf"
    assert (mention.kind, mention.private, mention.title[:6]) == ("forum_post", False, "About ")
    host = url.removeprefix("http://")
    assert (mention.author.id, mention.author.name, mention.author.handle) == (f"2@{host}", "Ann", "ann")
    assert mention.author.avatar_url.startswith(f"{url}/user_avatar/")
    assert mention.url == f"{url}/t/topic/{mention.thread_id}/1"
    assert mention.engagement["likes"] == 3
    assert [(one.url, one.type, one.name) for one in mention.attachments] == [
        (f"{url}/uploads/receipt.png", "image/png", "receipt"),
        (f"{url}/uploads/bill.pdf", "application/pdf", "bill.pdf"),
    ]


def test_an_answer_comes_with_the_post_above_and_its_picture(there: ForumWorld) -> None:
    ours = there.forum.begin(there.brand, "New collection", "Look: ![dress](/uploads/dress.png)")
    cursor = begun(there)
    there.forum.answer_in(there.ann, ours, "How much?")
    mention = there.source.enrich(there.source.fetch(cursor, 50).items[0])
    assert mention.parent is not None
    assert (mention.parent.id, mention.parent.text, mention.parent.author) == (str(ours), "Look: dress", "Brand")
    assert [(one.url, one.name) for one in mention.attachments] == [
        (f"{there.forum.url}/uploads/dress.png", "above: dress")
    ]


def test_a_private_message_is_private_and_those_of_others_are_not_read(there: ForumWorld) -> None:
    cursor = begun(there)
    there.forum.begin(there.ann, "Between us", "and not the brand", to=[there.bob])
    secret = there.forum.begin(there.ann, "My address", "It is …", to=[there.brand])
    (mention,) = there.source.fetch(cursor, 50).items
    assert (mention.external_id, mention.kind, mention.private) == (str(secret), "dm", True)
    off = there.again(private_messages=False)
    assert off.fetch(cursor, 50).items == ()


def test_an_administrators_key_reads_no_private_messages_and_the_check_says_so(there: ForumWorld) -> None:
    there.brand.admin = True
    cursor = begun(there)
    there.forum.begin(there.ann, "Between us", "secret", to=[there.bob])
    assert there.source.fetch(cursor, 50).items == ()
    assert "ordinary account" in there.source.check().notes[-1]


def test_a_post_that_becomes_visible_after_a_younger_one_is_told(there: ForumWorld) -> None:
    topic = int(there.say("begin"))
    cursor = begun(there)
    there.forum.hide_next()
    late = there.forum.answer_in(there.ann, topic, "late")
    there.forum.answer_in(there.ann, topic, "early")
    page = there.source.fetch(cursor, 50)
    there.forum.reveal()
    after = there.source.fetch(page.cursor, 50)
    assert [one.external_id for one in after.items] == [str(late)]
    assert there.source.fetch(after.cursor, 50).items == ()


def test_after_a_long_stop_every_post_comes_in_order_and_progress_is_kept(there: ForumWorld) -> None:
    there.say("before")
    cursor = begun(there)
    topic = int(there.say("first"))
    for number in range(1300):
        by = there.ann if number % 10 == 0 else there.bob
        there.forum.answer_in(by, topic, f"number {number}", to=False)
    source = there.again(categories=[], topics=[])
    pages = []
    while True:
        before = len(there.forum.calls)
        page = source.fetch(cursor, 40)
        assert len(there.forum.calls) - before <= 13
        pages.append(page)
        cursor = page.cursor
        if not page.more:
            break
    assert [one for page in pages for one in page.items] == []
    there.forum.answer_in(there.ann, topic, "@brand now")
    assert [one.text for one in source.fetch(cursor, 40).items] == ["@brand now"]


def test_a_long_stop_loses_none_that_are_for_us(there: ForumWorld) -> None:
    cursor = begun(there)
    topic = int(there.say("first"))
    for number in range(700):
        there.forum.answer_in(there.bob, topic, f"number {number}", to=False)
    told = drained(there, cursor, 701, limit=60)
    assert [one.text for one in told] == ["first", *(f"number {number}" for number in range(700))]


def test_a_quiet_pull_costs_two_calls(there: ForumWorld) -> None:
    source = there.again(watch_hours=0)
    for number in range(60):
        there.say(f"number {number}")
    cursor = source.fetch(None, 50).cursor
    source.fetch(cursor, 50)
    before = len(there.forum.calls)
    assert source.fetch(cursor, 50).items == ()
    assert there.forum.calls[before:] == ["GET /posts.json", "GET /private-posts.json"]


def test_what_is_settled_is_not_remembered(there: ForumWorld) -> None:
    cursor = begun(there)
    topic = int(there.say("first"))
    for minutes in range(40, 0, -1):
        there.forum.answer_in(there.ann, topic, f"{minutes}", at=datetime.now(UTC) - timedelta(minutes=minutes))
    page = there.source.fetch(cursor, 50)
    assert len(page.items) == 41
    assert len(json.loads(page.cursor)["public"]["seen"]) <= 3


def test_a_quiet_stream_stays_as_near_as_the_busy_one(there: ForumWorld) -> None:
    topic = int(there.say("first"))
    for minutes in range(5, 0, -1):
        there.forum.answer_in(there.ann, topic, f"{minutes}", at=datetime.now(UTC) - timedelta(minutes=minutes))
    cursor = begun(there)
    floors = {json.loads(cursor)[word]["floor"] for word in ("public", "private")}
    assert len(floors) == 1
    assert floors.pop() > topic


@pytest.mark.parametrize("quickly", [True, False])
def test_an_edit_comes_as_a_new_version_once_by_call_or_by_looking(there: ForumWorld, quickly: bool) -> None:
    cursor = begun(there)
    said = there.say("order 7")
    page = there.source.fetch(cursor, 50)
    there.forum.edit(int(said), "order 8", quickly=quickly)
    changed = there.source.fetch(page.cursor, 50)
    (edit,) = changed.items
    assert (edit.external_id, edit.text, edit.deleted) == (said, "order 8", False)
    assert there.source.fetch(changed.cursor, 50).items == ()
    (called,) = there.source.read_hook(there.call("post_edited", int(said)))
    assert (called.version, called.text) == (edit.version, "order 8")


def test_a_post_its_author_deleted_is_gone_though_a_stub_stays(there: ForumWorld) -> None:
    cursor = begun(there)
    said = there.say("soon gone")
    page = there.source.fetch(cursor, 50)
    there.forum.delete(int(said), by_author=True)
    (gone,) = there.source.fetch(page.cursor, 50).items
    assert (gone.external_id, gone.deleted, gone.thread_id) == (said, True, page.items[0].thread_id)
    for event in ("post_destroyed", "post_edited"):
        (called,) = there.source.read_hook(there.call(event, int(said)))
        assert (called.external_id, called.deleted, called.version) == (said, True, gone.version)
    with pytest.raises(Gone):
        there.source.prepare(ReplyDraft(page.items[0], "late"))


def test_trouble_in_looking_for_changes_keeps_no_mention_out(there: ForumWorld) -> None:
    cursor = begun(there)
    page = there.source.fetch(cursor, 50)
    said = there.say("next")

    def fails(*_: object) -> Any:
        raise Temporary

    there.source._forum.post = fails  # type: ignore[method-assign]
    assert [one.external_id for one in there.source.fetch(page.cursor, 50).items] == [said]


def test_an_answer_written_by_hand_comes_as_our_own(there: ForumWorld) -> None:
    cursor = begun(there)
    said = there.say("hello")
    by_hand = there.forum.answer_in(there.brand, int(said), "hi!")
    there.forum.begin(there.brand, "News", "for everybody")
    told = [(one.external_id, one.own) for one in there.source.fetch(cursor, 50).items]
    assert told == [(said, False), (str(by_hand), True)]
    assert [one.own for one in there.again(own_replies=False).fetch(cursor, 50).items] == [False]


# --- calls ---------------------------------------------------------------------------------------------------------


def test_a_call_about_something_else_brings_nothing(there: ForumWorld) -> None:
    for_nobody = there.forum.begin(there.bob, "Football", "Goal!")
    ours = there.forum.begin(there.brand, "News", "from us", category=5)
    secret = there.forum.begin(there.ann, "Between us", "@brand is bad", to=[there.bob])
    calls = [there.call("ping", 0), *(there.call("post_created", one) for one in (for_nobody, ours, secret))]
    assert [list(there.source.read_hook(one)) for one in calls] == [[], [], [], []]


def test_a_call_to_a_source_without_a_secret_is_refused(there: ForumWorld) -> None:
    with pytest.raises(BadHook) as caught:
        there.again(webhook_secret=None).read_hook(there.hook("hi"))
    assert caught.value.status == 403


def test_a_call_and_a_look_bring_the_same_mention(there: ForumWorld) -> None:
    cursor = begun(there)
    (called,) = there.source.read_hook(there.hook("by hook"))
    assert there.source.fetch(cursor, 50).items == (called,)


# --- what goes out -------------------------------------------------------------------------------------------------


def test_an_answer_stands_in_the_topic_below_the_post(there: ForumWorld) -> None:
    mention = heard(there)
    receipt = sent(there, mention, "hi")
    post = there.forum.posts[int(receipt.id)]
    assert (str(post.topic.id), post.answers, post.by.username) == (mention.thread_id, 1, "brand")
    assert receipt.url == f"{there.forum.url}/t/topic/{mention.thread_id}/2"


def test_an_answer_to_a_private_message_stays_in_it(there: ForumWorld) -> None:
    cursor = begun(there)
    there.forum.begin(there.ann, "My address", "It is …", to=[there.brand])
    (mention,) = there.source.fetch(cursor, 50).items
    post = there.forum.posts[int(sent(there, mention, "thanks", private=True).id)]
    assert (str(post.topic.id), post.topic.private) == (mention.thread_id, True)


def test_a_private_answer_to_a_public_post_is_a_message_to_its_author_found_by_its_key(there: ForumWorld) -> None:
    mention = heard(there)
    draft = ReplyDraft(mention, "your address, please", private=True, parts=2)
    request, key = there.source.prepare(draft), key_of("private")
    assert there.source.find(request, key) == ()
    there.forum.lose_next_answer()
    with pytest.raises(Uncertain):
        there.source.send(request, key)
    (found,) = there.again().find(request, key)
    post = there.forum.posts[int(found.id)]
    assert [one.username for one in post.topic.members] == ["brand", "ann"]
    assert post.topic.title == "Re: About hello"
    second = ReplyDraft(mention, "and the name", private=True, part=1, parts=2, previous=found)
    other = there.forum.posts[int(there.source.send(there.source.prepare(second), key_of("private", "1")).id)]
    assert other.topic is post.topic


def test_a_held_answer_is_in_doubt_until_it_is_approved(there: ForumWorld) -> None:
    mention = heard(there)
    there.forum.moderated = True
    request, key = there.source.prepare(ReplyDraft(mention, "for approval")), key_of("k")
    with pytest.raises(Uncertain) as told:
        there.source.send(request, key)
    assert "moderator" in told.value.sentence
    for source in (there.source, there.again()):
        with pytest.raises(Temporary) as waits:
            source.find(request, key)
        assert "not published yet" in waits.value.sentence
        assert waits.value.wait == 300
    published = there.forum.approve()
    assert [one.id for one in there.again().find(request, key)] == [str(published)]
    assert [one.id for one in there.source.find(request, key)] == [str(published)]


def test_an_answer_a_moderator_did_not_approve_is_not_sent_again(there: ForumWorld) -> None:
    mention = heard(there)
    there.forum.moderated = True
    request, key = there.source.prepare(ReplyDraft(mention, "for approval")), key_of("k")
    with pytest.raises(Uncertain):
        there.source.send(request, key)
    there.forum.refuse()
    with pytest.raises(Closed) as caught:
        there.source.find(request, key)
    assert "did not approve" in caught.value.sentence


def test_the_same_words_said_before_or_elsewhere_are_not_taken_for_the_lost_answer(there: ForumWorld) -> None:
    mention = heard(there)
    sent(there, mention, "Thank you!")
    request = there.source.prepare(ReplyDraft(mention, "Thank you!"))
    there.forum.answer_in(there.brand, int(mention.external_id), "something else")
    there.forum.answer_in(there.bob, int(mention.external_id), "Thank you!")
    there.forum.answer_in(there.brand, int(there.say("other")), "Thank you!")
    assert there.source.find(request, key_of("second")) == ()


def test_a_lost_answer_is_found_in_a_busy_topic(there: ForumWorld) -> None:
    mention = heard(there)
    request = there.source.prepare(ReplyDraft(mention, "here\n\nyou are 🙂"))
    for number in range(45):
        there.forum.answer_in(there.bob, int(mention.external_id), f"{number}")
    there.forum.lose_next_answer()
    with pytest.raises(Uncertain):
        there.source.send(request, key_of("k"))
    assert len(there.again().find(request, key_of("k"))) == 1


def test_words_the_forum_takes_for_a_repetition_are_told_and_are_no_second_receipt(there: ForumWorld) -> None:
    mention = heard(there)
    sent(there, mention, "Thank you!")
    request = there.source.prepare(ReplyDraft(mention, "Thank you!"))
    with pytest.raises(Rejected) as caught:
        there.source.send(request, key_of("second"))
    assert "repetition" in caught.value.sentence
    there.forum.time = 130
    there.source.send(request, key_of("second"))
    assert there.posted() == ["Thank you!", "Thank you!"]


def test_a_closed_topic_is_closed_unless_we_are_staff(there: ForumWorld) -> None:
    mention = heard(there)
    request = there.source.prepare(ReplyDraft(mention, "x"))
    there.forum.topics[int(mention.thread_id)].closed = True
    for call in (
        lambda: there.source.reply_limits(mention),
        lambda: there.source.prepare(ReplyDraft(mention, "x")),
        lambda: there.source.send(request, key_of("k")),
    ):
        with pytest.raises(Closed):
            call()
    there.brand.admin = True
    assert there.source.reply_limits(mention).max_length == 32_000


def test_a_part_whose_forerunner_was_deleted_is_gone(there: ForumWorld) -> None:
    mention = heard(there)
    one = there.source.send(there.source.prepare(ReplyDraft(mention, "one", parts=2)), key_of("k"))
    there.forum.delete(int(one.id))
    with pytest.raises(Gone):
        there.source.prepare(ReplyDraft(mention, "two", part=1, parts=2, previous=one))


def test_files_go_along(there: ForumWorld) -> None:
    files = (
        Attachment(there.forum.serve("/1", "image/png", PNG), "image/png", "чек [1].png"),
        Attachment(there.forum.serve("/2", "application/pdf", b"%PDF"), "application/pdf", "bill.pdf"),
    )
    sent(there, heard(there), "look", attachments=files)
    names = [(one["original_filename"], one["filesize"]) for one in there.forum.uploads]
    assert names == [("чек [1].png", len(PNG)), ("bill.pdf", 4)]
    first, second = (one["short_url"] for one in there.forum.uploads)
    assert there.posted() == [f"look\n\n![чек  1 .png|4x3]({first})\n\n[bill.pdf|attachment]({second})"]


def test_a_file_the_forum_does_not_take_is_told_to_the_agent(there: ForumWorld) -> None:
    file = Attachment(there.forum.serve("/1", "text/html", b"x"), "text/html", "page.html")
    with pytest.raises(Rejected) as caught:
        there.source.prepare(ReplyDraft(heard(there), "look", attachments=(file,)))
    assert '"page.html" is not taken: Sorry' in caught.value.sentence


def test_a_file_is_fetched_from_public_addresses_only(there: ForumWorld) -> None:
    source = there.again()
    source.http.allow_private = False
    file = Attachment(there.forum.serve("/1", "image/png", PNG), "image/png", "a.png")
    with pytest.raises(Rejected) as caught:
        source.prepare(ReplyDraft(heard(there), "look", attachments=(file,)))
    assert "public" in caught.value.sentence


# --- what goes wrong -----------------------------------------------------------------------------------------------


def test_a_short_answer_is_told_in_the_forums_own_words(there: ForumWorld) -> None:
    there.forum.shortest = 20
    request = there.source.prepare(ReplyDraft(heard(there), "thanks"))
    with pytest.raises(Rejected) as caught:
        there.source.send(request, key_of("k"))
    assert caught.value.sentence == "Body is too short (minimum is 20 characters)"


def test_the_gate_before_the_forum_slows_down_too_and_no_call_is_made_meanwhile(there: ForumWorld) -> None:
    cursor = begun(there)
    there.forum.misbehave("slow_gate")
    with pytest.raises(RateLimited) as caught:
        there.source.fetch(cursor, 50)
    assert caught.value.wait == 7
    there.forum.behave()
    before = len(there.forum.calls)
    with pytest.raises(RateLimited):
        there.source.fetch(cursor, 50)
    assert len(there.forum.calls) == before


def test_a_wrong_key_is_told_without_showing_it(there: ForumWorld) -> None:
    with pytest.raises(AuthFailed) as caught:
        there.again(api_key="not-this-one").check()
    assert "not-this-one" not in str(caught.value)


def test_a_reply_made_ready_for_another_account_is_rejected(there: ForumWorld) -> None:
    request = there.source.prepare(ReplyDraft(heard(there), "hi"))
    there.forum.add_user("other", key="another-key")
    with pytest.raises(Rejected):
        there.again(api_username="other", api_key="another-key").send(request, key_of("k"))


# --- what others found --------------------------------------------------------------------------------------


def found_at(world: ForumWorld, url: str) -> Mention | None:
    return world.source.locate(replace(a_mention(world.source), url=url))


def test_a_private_message_found_by_its_address_stays_private(there: ForumWorld) -> None:
    post = there.forum.begin(there.ann, "My order", "It is late", to=[there.brand])
    found = found_at(there, there.address(str(post)))
    assert found is not None
    assert (found.private, found.kind, found.title) == (True, "dm", "My order")


def test_a_post_is_found_by_its_short_address_and_with_its_topics_title(there: ForumWorld) -> None:
    post = there.forum.begin(there.ann, "Cold coats", "They are cold")
    answer = there.forum.answer_in(there.bob, post, "They are")
    found = found_at(there, f"{there.forum.url}/p/{answer}")
    assert found is not None
    assert (found.external_id, found.title, found.author.handle) == (str(answer), "Cold coats", "bob")


def test_what_is_deleted_or_for_others_is_not_found(there: ForumWorld) -> None:
    post = there.say("hello")
    url = there.address(post)
    there.take_back(post)
    assert found_at(there, url) is None
    secret = there.forum.begin(there.ann, "Between us", "psst", to=[there.bob])
    assert found_at(there, there.address(str(secret))) is None
