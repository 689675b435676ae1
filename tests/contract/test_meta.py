"""The Facebook and Instagram sources keep the contract, against the simulator, and what is Meta's own: windows, one
private reply, throttling, hooks that come twice and out of order."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from connector.adapter import Hook
from connector.errors import AuthFailed, BadHook, Closed, Gone, RateLimited, Rejected, Uncertain, Unsupported
from connector.http import Http
from connector.model import HIDDEN, Cursor, Mention, ReplyDraft, key_of
from connector.sources.meta import Facebook, FacebookOptions, Instagram, InstagramOptions
from connector.sources.meta.source import MetaSource
from connector.testing.contracts import Misbehaviour, SourceContract, SourceWorld, a_mention, drained
from connector.testing.simulators.meta import GraphError, MetaSimulator

DAY = 86_400


class MetaWorld(SourceWorld):
    kind: type[Facebook | Instagram] = Facebook
    tells_repetitions_apart = False  # Meta tells times by the second, and nothing of ours

    def __init__(self, meta: MetaSimulator) -> None:
        self.meta = meta
        self.secrets = (meta.token, meta.app_secret, "verify-me-please")
        self.made: list[MetaSource] = []
        self.post = self.begin()
        self.source: MetaSource = self.again()

    def begin(self) -> str:
        return self.meta.add_post("New collection")

    def again(self, **more: object) -> MetaSource:
        options = {
            "type": self.kind.type,
            "helpdesk": "desk",
            "service": self.meta.url,
            "app_secret": self.meta.app_secret,
            "access_token": self.meta.token,
            "verify_token": "verify-me-please",
            **({"page_id": self.meta.page} if self.kind is Facebook else {"account_id": self.meta.account}),
            **more,
        }
        made = self.kind(
            "meta",
            self.kind.Options.model_validate(options),  # type: ignore[arg-type]
            Http("meta"),
            clock=lambda: datetime.now(UTC).timestamp() + self.meta.age,
        )
        self.made.append(made)
        return made

    def say(self, text: str) -> str:
        return self.meta.comment("ann", self.post, text)

    def say_ourselves(self, text: str) -> str:
        return self.meta.comment("", self.post, text)

    def take_back(self, external_id: str) -> None:
        self.meta.delete(external_id)

    def hook(self, text: str) -> Hook:
        return hooked(self.meta.feed_event(self.say(text)))

    def address(self, external_id: str) -> str:
        post, comment = external_id.split("_")
        return f"https://www.facebook.com/brand/posts/{post}?comment_id={comment}&__cft__=x"

    def posted(self) -> list[str]:
        return [one.text for one in self.meta.ours("comment")]

    def misbehave(self, how: Misbehaviour) -> None:
        self.meta.misbehave(how)

    def behave(self) -> None:
        self.meta.behave()


class MessengerWorld(MetaWorld):
    def say(self, text: str) -> str:
        return self.meta.message("ann", text)

    def say_ourselves(self, text: str) -> str:
        return self.meta.message("", text)

    def take_back(self, external_id: str) -> None:
        raise NotImplementedError

    def address(self, external_id: str) -> str:
        raise NotImplementedError

    def hook(self, text: str) -> Hook:
        return hooked(self.meta.message_event(self.say(text)))

    def posted(self) -> list[str]:
        return [one.text for one in self.meta.ours("message")]


class InstagramWorld(MetaWorld):
    kind = Instagram

    def begin(self) -> str:
        return self.meta.add_media("New collection")

    def say(self, text: str) -> str:
        return self.meta.ig_comment("ann", self.post, text)

    def say_ourselves(self, text: str) -> str:
        return self.meta.ig_comment("", self.post, text)

    def address(self, external_id: str) -> str:
        return f"https://www.instagram.com/p/{self.post}/c/{external_id}/"

    def hook(self, text: str) -> Hook:
        return hooked(self.meta.ig_event(self.say(text)))

    def posted(self) -> list[str]:
        return [one.text for one in self.meta.ours("ig_comment")]


class DirectWorld(InstagramWorld):
    def say(self, text: str) -> str:
        return self.meta.message("ann", text, instagram=True)

    def say_ourselves(self, text: str) -> str:
        return self.meta.message("", text, instagram=True)

    def take_back(self, external_id: str) -> None:
        raise NotImplementedError

    def address(self, external_id: str) -> str:
        raise NotImplementedError

    def hook(self, text: str) -> Hook:
        return hooked(self.meta.message_event(self.say(text)))

    def posted(self) -> list[str]:
        return [one.text for one in self.meta.ours("ig_message")]


def hooked(call: tuple[dict[str, Any], bytes]) -> Hook:
    return Hook(call[0], call[1], datetime.now(UTC).timestamp())


def worlds(kind: type[MetaWorld]) -> Iterator[MetaWorld]:
    with MetaSimulator() as meta:
        world = kind(meta)
        yield world
        for source in world.made:
            source.close()


@pytest.fixture
def fb() -> Iterator[MetaWorld]:
    yield from worlds(MetaWorld)


@pytest.fixture
def ig() -> Iterator[MetaWorld]:
    yield from worlds(InstagramWorld)


class TestFacebook(SourceContract):
    @pytest.fixture
    def world(self, fb: MetaWorld) -> SourceWorld:
        return fb


class TestInstagram(SourceContract):
    @pytest.fixture
    def world(self, ig: MetaWorld) -> SourceWorld:
        return ig


class _Private(SourceContract):
    def _draft(self, world: SourceWorld, text: str) -> ReplyDraft:
        return replace(super()._draft(world, text), private=True)


class TestMessenger(_Private):
    @pytest.fixture
    def world(self) -> Iterator[SourceWorld]:
        yield from worlds(MessengerWorld)


class TestInstagramMessages(_Private):
    @pytest.fixture
    def world(self) -> Iterator[SourceWorld]:
        yield from worlds(DirectWorld)


def begun(world: MetaWorld) -> Cursor:
    return world.source.fetch(None, 50).cursor


def heard(world: MetaWorld, text: str = "How much?") -> Mention:
    cursor = begun(world)
    world.say(text)
    return drained(world, cursor, 1)[0]


def read(world: MetaWorld, call: tuple[dict[str, Any], bytes]) -> list[Mention]:
    return list(world.source.read_hook(hooked(call)))


# --- listening ---


def test_a_comment_knows_the_post_and_the_comment_above_with_words_and_picture(fb: MetaWorld) -> None:
    cursor = begun(fb)
    above = fb.meta.comment("bob", fb.post, "Too dear")
    fb.meta.comment("ann", fb.post, "I agree", answers=above)
    mention = fb.source.enrich(drained(fb, cursor, 2)[1])
    assert mention.thread_id == fb.post
    assert mention.parent is not None
    assert mention.parent.text == "Brand: New collection\n\n↳ Too dear"
    assert (mention.parent.id, mention.parent.author) == (above, "Bob")
    assert [one.name for one in mention.attachments] == ["above: photo"]
    assert (mention.author.id, mention.author.name) == ("5001", "Ann")


def test_a_comment_on_instagram_knows_its_media_and_the_comment_above(ig: MetaWorld) -> None:
    cursor = begun(ig)
    above = ig.meta.ig_comment("bob", ig.post, "Too dear")
    ig.meta.ig_comment("ann", ig.post, "I agree", answers=above)
    mention = ig.source.enrich(drained(ig, cursor, 2)[1])
    assert mention.parent is not None
    assert mention.parent.text == "New collection\n\n↳ bob: Too dear"
    assert [one.name for one in mention.attachments] == ["above: photo"]
    assert (mention.author.handle, mention.url) == ("ann", f"https://instagram.example/p/{ig.post}")


def test_visitors_posts_and_posts_elsewhere_that_mention_the_page_come(fb: MetaWorld) -> None:
    source = fb.again(tagged=True)
    cursor = source.fetch(None, 50).cursor
    visitor = fb.meta.add_post("My parcel is lost", by="ann")
    elsewhere = fb.meta.add_post("Never buy there", by="bob", tagged=True)
    page = source.fetch(cursor, 50)
    assert [(one.external_id, one.kind) for one in page.items] == [(visitor, "post"), (elsewhere, "post")]
    source.send(source.prepare(ReplyDraft(page.items[1], "We are sorry")), key_of("k"))
    assert [(one.below, one.text) for one in fb.meta.ours("comment")] == [(elsewhere, "We are sorry")]


def test_more_comments_than_a_page_holds_all_come(fb: MetaWorld) -> None:
    cursor = begun(fb)
    said = [fb.say(f"number {number}") for number in range(130)]
    assert [one.external_id for one in drained(fb, cursor, 130, limit=40)] == said


def test_an_edit_seen_by_the_pull_and_the_hook_is_one_edit(fb: MetaWorld) -> None:
    cursor = begun(fb)
    said = fb.say("it is brken")
    page = fb.source.fetch(cursor, 50)
    fb.meta.edit(said, "it is broken")
    (pulled,) = fb.source.fetch(page.cursor, 50).items
    (from_hook,) = read(fb, fb.meta.feed_event(said, "edited"))
    (older,) = read(fb, fb.meta.feed_event(said, "edit"))
    assert pulled.external_id == said
    assert pulled.version.startswith("edited-")
    assert {pulled.version, from_hook.version, older.version} == {pulled.version}
    assert (pulled.text, from_hook.text, from_hook.thread_id) == ("it is broken", "it is broken", pulled.thread_id)
    assert from_hook.author.id == pulled.author.id


def test_removal_and_hiding_come_by_the_hook_and_unhiding_brings_nothing(fb: MetaWorld) -> None:
    said = fb.say("rude words")
    (removed,) = read(fb, fb.meta.feed_event(said, "remove"))
    (hidden,) = read(fb, fb.meta.feed_event(said, "hide"))
    assert (removed.deleted, removed.version, removed.thread_id, removed.author.id) == (
        True,
        "deleted",
        fb.post,
        "5001",
    )
    assert (hidden.deleted, hidden.version) == (False, HIDDEN)
    assert read(fb, fb.meta.feed_event(said, "unhide")) == []
    assert read(fb, fb.meta.feed_event(said, item="reaction")) == []


def test_what_the_page_itself_wrote_is_our_own(fb: MetaWorld, ig: MetaWorld) -> None:
    assert [one.own for one in read(fb, fb.meta.feed_event(fb.say_ourselves("we say")))] == [True]
    assert [one.own for one in read(ig, ig.meta.ig_event(ig.say_ourselves("we say")))] == [True]
    echo = fb.meta.message("", "our answer")
    call = fb.meta.message_event(echo, message={"mid": echo, "text": "our answer", "is_echo": True})
    assert [(one.own, one.thread_id) for one in read(fb, call)] == [(True, "t:5001")]


def test_hooks_that_come_twice_and_backwards_bring_the_same_ids(fb: MetaWorld) -> None:
    fb.meta.sloppy = True
    said = fb.say("hello")
    found = read(fb, fb.meta.feed_event(said))
    assert len(found) == 2
    assert len({(one.external_id, one.version) for one in found}) == 1


def test_the_hook_and_the_pull_bring_the_same_mention(fb: MetaWorld, ig: MetaWorld) -> None:
    same = ("external_id", "version", "thread_id", "text", "kind", "own", "private")
    for world, event in ((fb, fb.meta.feed_event), (ig, ig.meta.ig_event)):
        cursor = begun(world)
        said = world.say("hello")
        (by_hook,) = read(world, event(said))
        (pulled,) = world.source.fetch(cursor, 50).items
        assert [getattr(by_hook, one) for one in same] == [getattr(pulled, one) for one in same]
        assert by_hook.author.id == pulled.author.id


def test_a_message_is_introduced_edited_and_taken_back(fb: MetaWorld) -> None:
    mid = fb.meta.message("ann", "hello")
    (first,) = read(fb, fb.meta.message_event(mid))
    assert fb.source.enrich(first).author.name == "Ann"
    change = {"mid": mid, "text": "hello!", "num_edit": 1}
    (edit,) = read(fb, fb.meta.message_event(mid, message_edit=change))
    assert (edit.external_id, edit.text, edit.version != "") == (mid, "hello!", True)
    gone = {"mid": mid, "is_deleted": True}
    (deleted,) = read(fb, fb.meta.message_event(mid, message=gone))
    assert (deleted.deleted, deleted.text, deleted.thread_id) == (True, "", first.thread_id)
    assert read(fb, fb.meta.message_event(mid, read={"watermark": 1})) == []


def test_files_of_a_message_come_along(fb: MetaWorld) -> None:
    mid = fb.meta.message("ann", "")
    files = [{"type": "image", "payload": {"url": "https://scontent.example/a.jpg"}}, {"type": "fallback"}]
    (mention,) = read(fb, fb.meta.message_event(mid, message={"mid": mid, "attachments": files}))
    assert [(one.url, one.type) for one in mention.attachments] == [("https://scontent.example/a.jpg", "image/jpeg")]


def test_a_mention_on_instagram_is_only_named_and_its_words_are_asked_for(ig: MetaWorld) -> None:
    media = ig.meta.add_media("their picture")
    comment = ig.meta.ig_comment("bob", media, "ask @brand")
    value = {"media_id": media, "comment_id": comment}
    call = ig.meta.call("instagram", {"id": ig.meta.account, "changes": [{"field": "mentions", "value": value}]})
    (named,) = read(ig, call)
    assert named.text == ""
    known = ig.source.enrich(named)
    assert (known.text, known.author.handle, known.author.id) == ("ask @brand", "bob", named.author.id)
    request = ig.source.prepare(ReplyDraft(known, "Here we are"))
    ig.source.send(request, key_of("k"))
    assert ig.meta.asked[-1][3] == {"media_id": media, "comment_id": comment, "message": "Here we are"}
    with pytest.raises(Unsupported):
        ig.source.find(request, key_of("k"))
    ig.meta.delete(comment)
    with pytest.raises(Gone):
        ig.source.prepare(ReplyDraft(known, "again"))


def test_a_recommendation_is_a_review_with_its_rating(fb: MetaWorld) -> None:
    story = fb.meta.add_post("story", by="ann")
    value = {
        "item": "rating",
        "verb": "add",
        "reviewer_id": "5001",
        "reviewer_name": "Ann",
        "created_time": 1790000000,
    }
    value |= {"recommendation_type": "negative", "review_text": "Slow", "open_graph_story_id": story}
    entry = {"id": fb.meta.page, "changes": [{"field": "ratings", "value": value}]}
    (mention,) = read(fb, fb.meta.call("page", entry))
    assert (mention.kind, mention.rating, mention.text, mention.author.name) == ("review", 1.0, "Slow", "Ann")
    fb.source.send(fb.source.prepare(ReplyDraft(mention, "Sorry!")), key_of("k"))
    assert [(one.below, one.text) for one in fb.meta.ours("comment")] == [(story, "Sorry!")]
    del value["open_graph_story_id"]
    (alone,) = read(fb, fb.meta.call("page", entry))
    assert not fb.source.outlook(alone).possible


def test_entries_of_another_page_and_other_objects_bring_nothing(fb: MetaWorld) -> None:
    change = {"field": "feed", "value": {"item": "comment"}}
    assert read(fb, fb.meta.call("page", {"id": "999", "changes": [change]})) == []
    assert read(fb, fb.meta.call("instagram", {"id": fb.meta.page, "changes": [change]})) == []


@pytest.mark.parametrize(
    "entry", [{"changes": [{"field": "feed", "value": {"item": "comment"}}]}, {"messaging": [{}]}]
)
def test_an_entry_that_cannot_be_read_is_refused(fb: MetaWorld, entry: dict[str, Any]) -> None:
    with pytest.raises(BadHook) as caught:
        read(fb, fb.meta.call("page", {"id": fb.meta.page, **entry}))
    assert caught.value.status == 422


def test_the_challenge_is_given_back_to_whoever_knows_the_token(fb: MetaWorld) -> None:
    asked = {"hub.mode": "subscribe", "hub.verify_token": "verify-me-please", "hub.challenge": "1158201444"}
    answer = fb.source.answer_challenge(asked)
    assert (answer.body, answer.type) == ("1158201444", "text/plain")
    for wrong in ({"hub.verify_token": "another"}, {"hub.mode": "unsubscribe"}):
        with pytest.raises(BadHook) as caught:
            fb.source.answer_challenge(asked | wrong)
        assert caught.value.status == 403
    with pytest.raises(BadHook):
        fb.again(verify_token=None).answer_challenge(asked)


def test_old_comments_of_a_first_start_never_come_and_late_ones_do(fb: MetaWorld) -> None:
    for number in range(5):
        fb.say(f"old {number}")
    cursor = begun(fb)
    fb.meta.age = 3600
    late = fb.say("late")
    page = fb.source.fetch(cursor, 50)
    assert [one.external_id for one in page.items] == [late]
    fb.meta.age = 80 * 3600
    assert fb.source.fetch(page.cursor, 50).items == ()


# --- answering ---


def test_a_message_is_answered_for_a_day_and_a_week_by_a_human_agent(fb: MetaWorld) -> None:
    world = MessengerWorld(fb.meta)
    mention = heard(world)
    draft = ReplyDraft(mention, "hello", private=True)
    closes = world.source.outlook(mention).closes_at
    assert closes == mention.created_at + timedelta(hours=24)
    world.source.send(world.source.prepare(draft), key_of("k"))
    assert world.meta.asked[-1][3]["messaging_type"] == "RESPONSE"
    world.meta.age = 2 * DAY
    with pytest.raises(Closed, match="24 hours have passed"):
        world.source.prepare(draft)
    human = world.again(human_agent=True)
    assert human.outlook(mention).closes_at == mention.created_at + timedelta(days=7)
    human.send(human.prepare(replace(draft, text="sorry for the wait")), key_of("l"))
    assert world.meta.asked[-1][3]["tag"] == "HUMAN_AGENT"
    world.meta.age = 8 * DAY
    with pytest.raises(Closed, match="7 days have passed"):
        human.prepare(draft)


def test_a_window_that_closes_between_making_ready_and_sending_is_closed(fb: MetaWorld) -> None:
    world = MessengerWorld(fb.meta)
    request = world.source.prepare(ReplyDraft(heard(world), "hello", private=True))
    world.meta.age = 2 * DAY
    with pytest.raises(Closed, match="outside of allowed window"):
        world.source.send(request, key_of("k"))


def test_a_private_reply_to_a_comment_is_possible_once_and_for_a_week(fb: MetaWorld) -> None:
    mention = heard(fb)
    assert "privately" in fb.source.outlook(mention).why
    draft = ReplyDraft(mention, "Your order number?", private=True)
    request = fb.source.prepare(draft)
    assert fb.source.find(request, key_of("k")) == ()
    fb.source.send(request, key_of("k"))
    assert fb.meta.asked[-1][3]["recipient"] == {"comment_id": mention.external_id}
    assert [one.text for one in fb.meta.ours("message")] == ["Your order number?"]
    assert len(fb.source.find(request, key_of("k"))) == 1
    with pytest.raises(Closed, match="already"):
        fb.source.prepare(replace(draft, text="again"))
    with pytest.raises(Rejected, match="one message"):
        fb.source.prepare(replace(draft, parts=2))
    fb.meta.age = 8 * DAY
    with pytest.raises(Closed, match="7 days"):
        fb.source.prepare(draft)


def test_whether_instagram_took_a_private_reply_nobody_can_tell(ig: MetaWorld) -> None:
    request = ig.source.prepare(ReplyDraft(heard(ig), "Your order number?", private=True))
    ig.source.send(request, key_of("k"))
    with pytest.raises(Unsupported):
        ig.source.find(request, key_of("k"))


def test_a_thread_that_takes_no_comments_is_closed(fb: MetaWorld) -> None:
    mention = heard(fb)
    fb.meta.things[mention.external_id].closed = True
    with pytest.raises(Closed, match="comment there any more"):
        fb.source.prepare(ReplyDraft(mention, "hello"))


def test_a_reply_to_a_reply_is_found_below_the_first_comment(fb: MetaWorld, ig: MetaWorld) -> None:
    for world, say in ((fb, fb.meta.comment), (ig, ig.meta.ig_comment)):
        cursor = begun(world)
        top = say("bob", world.post, "Too dear")
        say("ann", world.post, "I agree", answers=top)
        mention = drained(world, cursor, 2)[1]
        request = world.source.prepare(ReplyDraft(mention, "Here is why"))
        world.meta.misbehave("cut")
        with pytest.raises(Uncertain):
            world.source.send(request, key_of("k"))
        world.meta.behave()
        (found,) = world.again().find(request, key_of("k"))
        kind = "comment" if world is fb else "ig_comment"
        assert [(one.id, one.answers) for one in world.meta.ours(kind)] == [(found.id, top)]


def test_the_same_words_sent_again_by_mistake_are_the_comment_that_is_there(fb: MetaWorld) -> None:
    request = fb.source.prepare(ReplyDraft(heard(fb), "once"))
    receipt = fb.source.send(request, key_of("k"))
    assert fb.again().send(request, key_of("k")) == receipt
    assert fb.posted() == ["once"]


def test_an_error_of_theirs_after_the_deed_is_looked_up(fb: MetaWorld) -> None:
    request = fb.source.prepare(ReplyDraft(heard(fb), "once"))
    fb.meta.fail_after = GraphError(2, "Service temporarily unavailable", is_transient=True)
    with pytest.raises(Uncertain):
        fb.source.send(request, key_of("k"))
    assert len(fb.source.find(request, key_of("k"))) == 1


def test_a_message_of_too_many_bytes_is_told_before_it_is_sent(ig: MetaWorld) -> None:
    world = DirectWorld(ig.meta)
    with pytest.raises(Rejected, match="1000 bytes"):
        world.source.prepare(ReplyDraft(heard(world), "🙂" * 260, private=True))


def test_a_person_who_takes_no_messages_is_no_trouble_of_the_account(fb: MetaWorld) -> None:
    world = MessengerWorld(fb.meta)
    request = world.source.prepare(ReplyDraft(heard(world), "hello", private=True))
    world.meta.fail_next = GraphError(200, "This person isn't receiving messages from you right now.", 1545041)
    with pytest.raises(Closed, match="isn't receiving"):
        world.source.send(request, key_of("k"))


# --- limits and credentials ---


@pytest.mark.parametrize("code", [4, 17, 32, 613, 80001])
def test_a_throttled_app_is_quiet_until_it_may_speak(fb: MetaWorld, code: int) -> None:
    cursor = begun(fb)
    fb.meta.business_usage = {fb.meta.page: [{"type": "pages", "estimated_time_to_regain_access": 9}]}
    fb.meta.fail_next = GraphError(code, "limit reached")
    with pytest.raises(RateLimited) as caught:
        fb.source.fetch(cursor, 50)
    assert caught.value.wait == 540
    before = len(fb.meta.calls)
    with pytest.raises(RateLimited):
        fb.source.check()
    assert len(fb.meta.calls) == before


def test_nearly_used_up_is_a_pause_before_the_limit(fb: MetaWorld) -> None:
    cursor = begun(fb)
    fb.meta.usage = {"call_count": 97, "total_time": 3, "total_cputime": 3}
    with pytest.raises(RateLimited) as caught:
        for _ in range(3):
            fb.source.fetch(cursor, 50)
    assert 50 < caught.value.wait <= 60


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (GraphError(190, "Session has expired", 463), "new access_token"),
        (GraphError(10, "Application does not have permission"), "permission of the app"),
        (GraphError(200, "Requires pages_read_engagement"), "permission of the app"),
        (GraphError(368, "Temporarily blocked for policies violations"), "blocked"),
    ],
)
def test_what_stops_the_account_says_what_to_do(fb: MetaWorld, error: GraphError, sentence: str) -> None:
    cursor = begun(fb)
    fb.meta.fail_next = error
    with pytest.raises(AuthFailed, match=sentence):
        fb.source.fetch(cursor, 50)


def test_each_call_carries_the_proof_of_the_apps_secret(fb: MetaWorld, ig: MetaWorld) -> None:
    fb.meta.require_proof = ig.meta.require_proof = True
    fb.source.check()
    with pytest.raises(Rejected, match="appsecret_proof"):
        ig.source.check()
    ig.again(appsecret_proof=True).check()


def test_a_token_of_somebody_else_is_told(fb: MetaWorld) -> None:
    with pytest.raises(AuthFailed, match="page's own token"):
        fb.again(page_id="77").check()


def test_our_comments_on_instagram_are_known_by_our_name_too(ig: MetaWorld) -> None:
    assert ig.source.check().name == "@brand"
    value = {"id": "1780", "text": "we say", "username": "brand", "media": {"id": ig.post}}
    call = ig.meta.call("instagram", {"id": ig.meta.account, "field": "comments", "value": value})
    assert [one.own for one in read(ig, call)] == [True]


def test_messages_of_a_linked_account_go_through_its_page(ig: MetaWorld) -> None:
    world = DirectWorld(ig.meta)
    linked = world.again(page_id=ig.meta.page)
    (mention,) = read(world, ig.meta.message_event(ig.meta.message("ann", "hello", instagram=True)))
    request = linked.prepare(ReplyDraft(mention, "hi", private=True))
    with pytest.raises(Rejected, match="No matching user"):  # the simulator's page has no such conversation
        linked.send(request, key_of("k"))
    assert ig.meta.calls[-1] == f"POST {ig.meta.page}/messages"


def test_secrets_do_not_stand_in_the_cursor(fb: MetaWorld) -> None:
    cursor = begun(fb)
    assert all(secret not in cursor for secret in fb.secrets)
    assert json.loads(cursor)["told"] == {}


def test_options_of_both_are_checked() -> None:
    given = {"helpdesk": "d", "app_secret": "s", "access_token": "t"}
    with pytest.raises(ValueError, match="page_id"):
        FacebookOptions.model_validate({"type": "facebook", "page_id": "acme", **given})
    with pytest.raises(ValueError, match="service"):
        InstagramOptions.model_validate({"type": "instagram", "account_id": "1", "service": "graph", **given})


def test_where_only_the_webhook_listens_a_pull_costs_nothing(fb: MetaWorld) -> None:
    source = fb.again(look_through=0, messages=False)
    cursor = source.fetch(None, 50).cursor
    fb.say("hello")
    assert source.fetch(cursor, 50).items == ()
    assert fb.meta.calls == []
    call = fb.meta.message_event(fb.meta.message("ann", "psst"))
    assert list(source.read_hook(hooked(call))) == []


def test_the_same_words_of_yesterday_are_not_taken_for_this_answer(fb: MetaWorld) -> None:
    mention = heard(fb)
    fb.source.send(fb.source.prepare(ReplyDraft(mention, "thank you")), key_of("k"))
    fb.meta.age = DAY
    assert fb.source.find(fb.source.prepare(ReplyDraft(mention, "thank you")), key_of("l")) == ()


def test_somebody_elses_words_are_not_taken_for_ours(fb: MetaWorld, ig: MetaWorld) -> None:
    for world, say in ((fb, fb.meta.comment), (ig, ig.meta.ig_comment)):
        mention = heard(world)
        request = world.source.prepare(ReplyDraft(mention, "thank you"))
        say("bob", world.post, "thank you", answers=mention.external_id)
        assert world.source.find(request, key_of("k")) == ()


def test_what_was_written_before_the_start_does_not_come_when_it_is_seen_later(fb: MetaWorld) -> None:
    fb.say("before we came")
    fb.meta.age = 1800
    newest = fb.meta.add_post("Another collection")
    source = fb.again(look_through=1)
    cursor = source.fetch(None, 50).cursor
    fb.meta.delete(newest)
    assert source.fetch(cursor, 50).items == ()
    fb.say("after")
    assert [one.text for one in source.fetch(cursor, 50).items] == ["after"]


# --- what others found --------------------------------------------------------------------------------------


def found_at(world: MetaWorld, url: str) -> Mention | None:
    return world.source.locate(replace(a_mention(world.source), url=url))


def test_a_visitors_post_and_an_answer_below_a_comment_are_found(fb: MetaWorld) -> None:
    cursor = fb.source.fetch(None, 50).cursor
    post = fb.meta.add_post("Your coats are cold", "ann")
    above = fb.say("too dear")
    fb.meta.comment("bob", fb.post, "I agree", above)
    number, comment = fb.post.split("_")[1], above.split("_")[1]
    heard = {one.text: one for one in drained(fb, cursor, 3)}
    visitor = found_at(fb, f"https://www.facebook.com/brand/posts/{post.split('_')[1]}")
    assert visitor is not None
    assert replace(visitor, tone=None) == heard["Your coats are cold"]
    last = heard["I agree"].external_id.split("_")[1]
    url = f"https://www.facebook.com/brand/posts/{number}?comment_id={comment}&reply_comment_id={last}"
    answer = found_at(fb, url)
    assert answer is not None
    assert replace(answer, tone=None) == heard["I agree"]


def test_what_is_gone_or_not_on_the_page_is_not_found(fb: MetaWorld) -> None:
    said = fb.say("hello")
    url = fb.address(said)
    assert found_at(fb, url.replace("comment_id=", "comment_id=9")) is None
    fb.take_back(said)
    assert found_at(fb, url) is None
    assert found_at(fb, "https://www.facebook.com/brand/posts/77") is None


def test_a_comment_below_another_media_than_the_address_says_is_not_found(ig: MetaWorld) -> None:
    said = ig.say("hello")
    assert found_at(ig, ig.address(said)) is not None
    assert found_at(ig, f"https://www.instagram.com/p/C_other/c/{said}/") is None
    assert found_at(ig, f"https://www.instagram.com/p/{ig.post}/c/17999/") is None
