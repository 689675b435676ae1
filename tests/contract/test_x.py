"""The X source keeps the contract, against the simulator, and what is X's own: edits, money, summons, messages."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from loopback import Loopback

from connector.adapter import Hook
from connector.errors import AuthFailed, BadHook, Closed, Gone, RateLimited, Rejected, Uncertain
from connector.http import Http
from connector.model import Attachment, Cursor, Mention, ReplyDraft, key_of
from connector.sources.x import X, XOptions
from connector.testing.contracts import Misbehaviour, SourceContract, SourceWorld, a_mention, drained
from connector.testing.simulators.x import XSimulator


class XWorld(SourceWorld):
    tells_repetitions_apart = False  # X refuses the same words again, and tells times by the second

    def __init__(self, there: XSimulator) -> None:
        self.x = there
        self.brand = there.add_user("brand", followers=9)
        self.ann = there.add_user("ann", "Ann", followers=7)
        self.secrets = (there.api_key, there.api_secret, self.brand.token, self.brand.secret)
        self.made: list[X] = []
        self.time = 0.0
        self.source: X = self.again()

    def again(self, **more: object) -> X:
        options = XOptions.model_validate(
            {
                "type": "x",
                "helpdesk": "desk",
                "service": self.x.url,
                "api_key": self.x.api_key,
                "api_secret": self.x.api_secret,
                "access_token": self.brand.token,
                "access_token_secret": self.brand.secret,
                "watch_every": 0,
                "direct_messages": True,
                "direct_messages_every": 0,
                **more,
            }
        )
        http = Http("x", allow_private=True)
        source = X("x", options, http, clock=lambda: datetime.now(UTC).timestamp() + self.time)
        self.made.append(source)
        return source

    def say(self, text: str) -> str:
        return self.x.post(self.ann, f"@brand {text}")

    def say_ourselves(self, text: str) -> str:
        return self.x.post(self.brand, f"@brand {text}")

    def take_back(self, external_id: str) -> None:
        self.x.delete(external_id)

    def hook(self, text: str) -> Hook:
        headers, body = self.x.event("post.reply.create", self.x.post(self.ann, text), self.brand)
        return Hook(headers, body, datetime.now(UTC).timestamp())

    def address(self, external_id: str) -> str:
        return f"https://twitter.com/{self.x.posts_by_id[external_id].author.username}/status/{external_id}?s=20"

    def posted(self) -> list[str]:
        return [one.text[one.prefix :] for one in self.x.posts(self.brand)]

    def misbehave(self, how: Misbehaviour) -> None:
        self.x.misbehave(how)

    def behave(self) -> None:
        self.x.behave()


@pytest.fixture
def there() -> Iterator[XWorld]:
    with XSimulator() as simulator:
        world = XWorld(simulator)
        yield world
        for source in world.made:
            source.close()


class TestX(SourceContract):
    @pytest.fixture
    def world(self, there: XWorld) -> SourceWorld:
        return there


class TestXInTheWordsOfItsDescription(SourceContract):
    """The same, where answers use the names of the OpenAPI description."""

    @pytest.fixture
    def world(self, there: XWorld) -> SourceWorld:
        there.x.dialect = "description"
        return there


class MessageWorld(XWorld):
    def say(self, text: str) -> str:
        return f"dm:{self.x.message(self.ann, self.brand, text)}"

    def say_ourselves(self, text: str) -> str:
        return f"dm:{self.x.message(self.brand, self.ann, text)}"

    def take_back(self, external_id: str) -> None:
        raise NotImplementedError

    def address(self, external_id: str) -> str:
        raise NotImplementedError

    def hook(self, text: str) -> Hook:
        headers, body = self.x.event("dm.received", self.x.message(self.ann, self.brand, text), self.brand)
        return Hook(headers, body, datetime.now(UTC).timestamp())

    def posted(self) -> list[str]:
        return [one.text for one in self.x.messages if one.sender is self.brand]


class TestXMessages(SourceContract):
    """The same for direct messages: what is written privately is answered privately."""

    @pytest.fixture
    def world(self) -> Iterator[SourceWorld]:
        with XSimulator() as simulator:
            world = MessageWorld(simulator)
            yield world
            for source in world.made:
                source.close()

    def _draft(self, world: SourceWorld, text: str) -> ReplyDraft:
        return replace(super()._draft(world, text), private=True)


def begun(world: XWorld) -> Cursor:
    return world.source.fetch(None, 50).cursor


def heard(world: XWorld, text: str = "@brand hello", **facts: Any) -> Mention:
    cursor = begun(world)
    world.x.post(world.ann, text, **facts)
    return drained(world, cursor, 1)[0]


# --- listening ---


def test_many_mentions_come_in_their_order_though_pages_are_shuffled_and_tell_some_twice(there: XWorld) -> None:
    cursor = begun(there)
    said = [there.say(f"number {number}") for number in range(230)]
    there.x.sloppy = True
    assert [one.external_id for one in drained(there, cursor, 230, limit=100)] == said


def test_a_reply_knows_its_thread_its_author_and_the_post_above_with_its_picture(there: XWorld) -> None:
    picture = {"media_key": "3_1", "type": "photo", "url": "https://pbs.example/1.jpg", "alt_text": "a red coat"}
    ours = there.x.post(there.brand, "New collection", media=[picture])
    mention = heard(there, "How much &amp; when? <now>", answers=ours)
    assert (mention.kind, mention.thread_id) == ("comment", ours)
    assert mention.text == "@brand How much &amp; when? <now>"
    richer = there.source.enrich(mention)
    assert richer.parent is not None
    assert (richer.parent.text, richer.parent.author) == ("New collection", "Brand")
    assert richer.attachments == (Attachment("https://pbs.example/1.jpg", "image/jpeg", "above: a red coat"),)
    assert (richer.author.name, richer.author.handle, richer.author.followers) == ("Ann", "ann", 7)
    assert richer.url == f"https://x.com/ann/status/{mention.external_id}"


def test_the_first_post_of_the_thread_stands_before_the_one_answered(there: XWorld) -> None:
    ours = there.x.post(there.brand, "New collection")
    bob = there.x.add_user("bob", "Bob")
    above = there.x.post(bob, "Too dear", answers=ours)
    mention = there.source.enrich(heard(there, "@brand I agree", answers=above))
    assert mention.parent is not None
    assert mention.parent.text == "Brand: New collection\n\n↳ @brand Too dear"


def test_enriching_costs_no_call_where_the_mention_came_whole(there: XWorld) -> None:
    ours = there.x.post(there.brand, "New collection")
    mention = heard(there, "nice", answers=ours)
    before = len(there.x.calls)
    assert there.source.enrich(mention).parent is not None
    assert len(there.x.calls) == before


def test_links_lead_where_they_lead_and_pictures_come_along(there: XWorld) -> None:
    picture = {"media_key": "3_2", "type": "photo", "url": "https://pbs.example/2.jpg"}
    mention = heard(there, "@brand look https://acme.example/broken?x=1", media=[picture])
    assert mention.text == "@brand look https://acme.example/broken?x=1"
    assert [one.url for one in mention.attachments] == ["https://pbs.example/2.jpg"]


def test_an_edit_has_a_new_id_there_and_is_a_version_here(there: XWorld) -> None:
    cursor = begun(there)
    said = there.say("it is brken")
    page = there.source.fetch(cursor, 50)
    newer = there.x.edit(said, "@brand it is broken")
    (edit,) = there.source.fetch(page.cursor, 50).items
    assert (edit.external_id, edit.version, edit.text) == (said, newer, "@brand it is broken")
    assert edit.thread_id == page.items[0].thread_id


def test_an_edit_that_no_longer_mentions_us_is_found_by_looking_again(there: XWorld) -> None:
    cursor = begun(there)
    said = there.say("never again")
    page = there.source.fetch(cursor, 50)
    newer = there.x.edit(said, "never mind")
    (edit,) = there.source.fetch(page.cursor, 50).items
    assert (edit.external_id, edit.version, edit.text) == (said, newer, "never mind")
    assert there.source.fetch(there.source.fetch(page.cursor, 50).cursor, 50).items == ()


def test_an_account_that_hid_itself_has_deleted_nothing(there: XWorld) -> None:
    cursor = begun(there)
    there.say("hello")
    page = there.source.fetch(cursor, 50)
    there.ann.protected = True
    assert there.source.fetch(page.cursor, 50).items == ()


def test_posts_and_messages_come_together_in_their_order(there: XWorld) -> None:
    cursor = begun(there)
    first = there.x.message(there.ann, there.brand, "psst")
    second = there.say("aloud")
    third = there.x.message(there.ann, there.brand, "psst again")
    seen = drained(there, cursor, 3, limit=2)
    assert [one.external_id for one in seen] == [f"dm:{first}", second, f"dm:{third}"]
    assert [one.private for one in seen] == [True, False, True]
    assert len({one.thread_id for one in seen if one.private}) == 1


# --- money ---


def test_when_the_days_reads_are_spent_listening_waits_for_midnight_and_loses_nothing(there: XWorld) -> None:
    source = there.again(reads_per_day=3, watch_hours=0)
    cursor = source.fetch(None, 50).cursor
    said = [there.say(f"number {number}") for number in range(4)]
    page = source.fetch(cursor, 50)
    late = there.say("late")
    calls = len(there.x.calls)
    with pytest.raises(RateLimited, match="reads_per_day") as caught:
        there.again(reads_per_day=3, watch_hours=0).fetch(page.cursor, 50)
    assert len(there.x.calls) == calls
    assert 0 < caught.value.wait <= 86_400
    there.time = caught.value.wait + 1
    again = there.again(reads_per_day=3, watch_hours=0)
    assert [one.external_id for one in page.items] == said
    with pytest.raises(AuthFailed):  # the signature's time is tomorrow's; the budget let it through
        again.fetch(page.cursor, 50)
    there.time = 0
    assert [one.external_id for one in there.source.fetch(page.cursor, 50).items] == [late]


def test_a_post_read_twice_a_day_is_counted_once(there: XWorld) -> None:
    source = there.again(reads_per_day=2)
    cursor = source.fetch(None, 50).cursor
    there.say("hello")
    for _ in range(3):
        cursor = source.fetch(cursor, 50).cursor
    assert json.loads(cursor)["reads"] == 1


def test_the_last_look_before_a_reply_is_never_refused(there: XWorld) -> None:
    mention = heard(there)
    source = there.again(reads_per_day=1)
    source.prepare(ReplyDraft(mention, "on its way"))
    source.send(source.prepare(ReplyDraft(mention, "on its way")), key_of("k"))
    assert there.posted() == ["on its way"]


def test_when_the_days_posts_are_spent_replies_wait_for_midnight(there: XWorld) -> None:
    mention = heard(there)
    source = there.again(posts_per_day=1)
    request = source.prepare(ReplyDraft(mention, "one"))
    source.send(request, key_of("a"))
    for call in (lambda: source.prepare(ReplyDraft(mention, "two")), lambda: source.send(request, key_of("b"))):
        with pytest.raises(RateLimited, match="posts_per_day"):
            call()
    assert there.posted() == ["one"]


def test_what_was_spent_survives_a_restart(there: XWorld) -> None:
    mention = heard(there)
    there.source.send(there.source.prepare(ReplyDraft(mention, "one")), key_of("a"))
    cursor = begun(there)
    again = there.again(posts_per_day=1)
    again.fetch(cursor, 50)
    with pytest.raises(RateLimited):
        again.prepare(ReplyDraft(mention, "two"))


def test_a_post_that_x_refused_is_not_counted(there: XWorld) -> None:
    mention = heard(there, "no call here", answers=there.x.post(there.brand, "hm"))
    source = there.again(posts_per_day=1, replies_to="anyone")
    request = source.prepare(ReplyDraft(mention, "one"))
    there.x.posts_by_id[mention.external_id].text = "no handle"
    with pytest.raises(Closed):
        source.send(request, key_of("a"))
    source.prepare(ReplyDraft(mention, "one"))


def test_a_link_can_be_refused_for_what_it_costs(there: XWorld) -> None:
    mention = heard(there)
    source = there.again(links="refuse")
    with pytest.raises(Rejected, match="link"):
        source.prepare(ReplyDraft(mention, "see acme.example/help"))
    assert "no links" in source.outlook(mention).why
    assert "dearer" in there.source.outlook(mention).why


def test_credits_that_are_used_up_stop_the_account_with_a_sentence(there: XWorld) -> None:
    cursor = begun(there)
    there.x.credits = False
    with pytest.raises(AuthFailed, match=r"credits.*console\.x\.com"):
        there.source.fetch(cursor, 50)


def test_what_a_rate_limit_has_left_is_known_before_the_next_call(there: XWorld) -> None:
    cursor = begun(there)
    there.x.left[f"/2/users/{there.brand.id}/mentions"] = 1
    there.source.fetch(cursor, 50)
    before = len(there.x.calls)
    with pytest.raises(RateLimited):
        there.source.fetch(cursor, 50)
    assert len(there.x.calls) == before


# --- answering ---


def test_whoever_called_us_can_be_answered_and_who_did_not_cannot_and_that_is_known_at_once(there: XWorld) -> None:
    ours = there.x.post(there.brand, "New collection")
    called = heard(there, "@brand how much?", answers=ours)
    implied = heard(there, "nice", answers=ours)
    assert there.source.outlook(called).possible
    assert "may refuse" not in there.source.outlook(called).why
    assert there.source.outlook(implied).possible
    assert "may refuse" in there.source.outlook(implied).why
    headers, body = there.x.event("post.reply.create", there.x.post(there.ann, "not to them"), there.brand)
    (other,) = there.source.read_hook(Hook(headers, body, 0.0))
    assert not there.source.outlook(other).possible
    with pytest.raises(Closed, match="use the link"):
        there.source.reply_limits(other)
    assert there.again(replies_to="anyone").outlook(other).possible


def test_whoever_quoted_us_can_be_answered(there: XWorld) -> None:
    ours = there.x.post(there.brand, "New collection")
    quote = there.x.post(there.ann, "look at this", quotes=ours)
    headers, body = there.x.event("post.quote.create", quote, there.brand)
    (mention,) = there.source.read_hook(Hook(headers, body, 0.0))
    assert there.source.outlook(mention).possible
    there.source.send(there.source.prepare(ReplyDraft(mention, "thank you")), key_of("k"))
    assert there.posted() == ["New collection", "thank you"]


def test_what_x_refuses_ends_with_the_way_out(there: XWorld) -> None:
    mention = heard(there)
    request = there.source.prepare(ReplyDraft(mention, "hello"))
    there.x.posts_by_id[mention.external_id].text = "no handle"
    with pytest.raises(Closed, match="use the link and answer there"):
        there.source.send(request, key_of("k"))


def test_a_reply_to_an_edited_post_answers_its_newest_version(there: XWorld) -> None:
    mention = heard(there, "@brand brken")
    newer = there.x.edit(mention.external_id, "@brand broken")
    there.source.send(there.source.prepare(ReplyDraft(mention, "sorry")), key_of("k"))
    assert there.x.made[-1]["reply"] == {"in_reply_to_tweet_id": newer}


def test_parts_each_answer_the_mention_where_only_summons_are_answered(there: XWorld) -> None:
    mention = heard(there)
    there.source.check()
    one = there.source.send(there.source.prepare(ReplyDraft(mention, "one", parts=2)), key_of("k", "0"))
    second = ReplyDraft(mention, "two", part=1, parts=2, previous=one)
    there.source.send(there.source.prepare(second), key_of("k", "1"))
    assert {one["reply"]["in_reply_to_tweet_id"] for one in there.x.made} == {mention.external_id}
    assert one.url == f"https://x.com/brand/status/{one.id}"
    there.x.enterprise = True
    chained = there.again(replies_to="anyone")
    chained.send(chained.prepare(replace(second, text="three")), key_of("k", "2"))
    assert there.x.made[-1]["reply"]["in_reply_to_tweet_id"] == one.id


def test_a_part_whose_forerunner_was_deleted_is_gone(there: XWorld) -> None:
    mention = heard(there)
    source = there.again(replies_to="anyone")
    one = source.send(source.prepare(ReplyDraft(mention, "one", parts=2)), key_of("k"))
    there.x.delete(one.id)
    with pytest.raises(Gone):
        source.prepare(ReplyDraft(mention, "two", part=1, parts=2, previous=one))


def test_a_lost_answer_is_found_again_though_x_rewrote_the_links(there: XWorld) -> None:
    mention = heard(there)
    request = there.source.prepare(ReplyDraft(mention, "see https://acme.example/a and https://acme.example/b."))
    there.x.misbehave("cut")
    with pytest.raises(Uncertain):
        there.source.send(request, key_of("k"))
    there.x.behave()
    assert [one.id for one in there.again().find(request, key_of("k"))] == [there.x.posts(there.brand)[-1].id]


def test_the_same_words_sent_again_by_mistake_are_the_post_that_is_there(there: XWorld) -> None:
    mention = heard(there)
    request = there.source.prepare(ReplyDraft(mention, "once"))
    receipt = there.source.send(request, key_of("k"))
    assert there.again().send(request, key_of("k")) == receipt
    assert there.posted() == ["once"]


def test_the_same_words_of_last_week_are_not_taken_for_this_answer(there: XWorld) -> None:
    mention = heard(there)
    there.source.send(there.source.prepare(ReplyDraft(mention, "thank you")), key_of("k"))
    there.time = 200
    later = there.source.prepare(replace(ReplyDraft(mention, "x"), text="x"))
    frozen = json.loads(later.body) | {"text": "thank you"}
    assert there.source.find(replace(later, body=json.dumps(frozen)), key_of("l")) == ()


def test_an_agents_picture_is_uploaded_and_other_files_are_refused(there: XWorld) -> None:
    mention = heard(there)
    files = {"/map.png": ("image/png", b"\x89PNG"), "/bill.pdf": ("application/pdf", b"%PDF")}
    with Loopback(lambda asked: (200, {"Content-Type": files[asked[1]][0]}, files[asked[1]][1])) as desk:
        draft = ReplyDraft(mention, "here", attachments=(Attachment(f"{desk.url}/map.png"),))
        there.source.send(there.source.prepare(draft), key_of("k"))
        (uploaded,) = there.x.uploads
        assert there.x.uploads[uploaded] == ("tweet_image", b"\x89PNG")
        assert there.x.made[-1]["media"] == {"media_ids": [uploaded]}
        with pytest.raises(Rejected, match=r"not application/pdf: take it off"):
            there.source.prepare(replace(draft, attachments=(Attachment(f"{desk.url}/bill.pdf"),)))
    with pytest.raises(Rejected, match="at most 4"):
        there.source.prepare(replace(draft, attachments=draft.attachments * 5))


def test_a_private_answer_to_a_public_post_is_a_message_and_says_when_they_take_none(there: XWorld) -> None:
    mention = heard(there)
    private = ReplyDraft(mention, "your order number?", private=True)
    there.source.send(there.source.prepare(private), key_of("k"))
    assert [(one.to.username, one.text) for one in there.x.messages] == [("ann", "your order number?")]
    there.ann.no_messages = True
    with pytest.raises(Closed, match="permission to DM"):
        there.source.send(there.source.prepare(replace(private, text="again")), key_of("l"))
    with pytest.raises(Closed, match="direct_messages"):
        there.again(direct_messages=False).prepare(private)


# --- the webhook ---


def test_the_challenge_is_answered_with_the_apps_secret(there: XWorld) -> None:
    answer = there.source.answer_challenge({"crc_token": "MTZjYmIzZDE-token_1"})
    assert json.loads(answer.body) == {"response_token": there.x.sign(b"MTZjYmIzZDE-token_1")}
    assert answer.type == "application/json"


@pytest.mark.parametrize("token", ["", '{"data":{"event_type":"post.mention.create"}}', "a b", "a" * 300, "é"])
def test_a_challenge_that_could_be_a_body_is_not_signed(there: XWorld, token: str) -> None:
    with pytest.raises(BadHook):
        there.source.answer_challenge({"crc_token": token})


def test_events_for_another_account_of_the_app_and_of_other_kinds_bring_nothing(there: XWorld) -> None:
    post = there.x.post(there.ann, "@brand hello")
    for headers, body in (
        there.x.event("post.mention.create", post, there.ann),
        there.x.event("post.repost.create", post, there.brand),
    ):
        assert there.source.read_hook(Hook(headers, body, 0.0)) == ()


def test_what_the_hook_and_the_pull_bring_is_the_same_mention(there: XWorld) -> None:
    cursor = begun(there)
    said = there.say("hello")
    headers, body = there.x.event("post.mention.create", said, there.brand)
    (hooked,) = there.source.read_hook(Hook(headers, body, 0.0))
    (pulled,) = there.source.fetch(cursor, 50).items
    same = ("external_id", "version", "thread_id", "text", "author", "created_at", "url", "kind")
    assert [getattr(hooked, one) for one in same] == [getattr(pulled, one) for one in same]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"hello", 400),
        (b"[]", 422),
        (b'{"data": 1}', 422),
        (b'{"data": {"event_type": "post.mention.create", "payload": {"id": "1"}}}', 422),
        (b'{"data": {"event_type": "dm.received", "payload": {}}}', 422),
    ],
)
def test_a_signed_body_that_is_no_event_is_refused(there: XWorld, body: bytes, status: int) -> None:
    with pytest.raises(BadHook) as caught:
        there.source.read_hook(Hook({"x-twitter-webhooks-signature": there.x.sign(body)}, body, 0.0))
    assert caught.value.status == status


def test_a_backlog_larger_than_the_days_budget_gets_through(there: XWorld) -> None:
    source = there.again(reads_per_day=150, watch_hours=0)
    cursor = source.fetch(None, 50).cursor
    said = [there.say(f"number {number}") for number in range(300)]
    assert [one.external_id for one in source.fetch(cursor, 300).items] == said


# --- who we are ---


def test_a_token_of_another_account_is_told(there: XWorld) -> None:
    with pytest.raises(AuthFailed, match="another account"):
        there.again(user_id="77").check()


def test_an_access_token_without_a_number_needs_user_id() -> None:
    given = {"helpdesk": "d", "api_key": "a", "api_secret": "b", "access_token": "c", "access_token_secret": "d"}
    with pytest.raises(ValueError, match="user_id"):
        XOptions.model_validate({"type": "x", **given})
    assert XOptions.model_validate({"type": "x", "user_id": "7", **given}).us == "7"


def test_old_mentions_of_a_first_start_do_not_come_where_there_was_none_before(there: XWorld) -> None:
    cursor = begun(there)
    assert "start_time" not in there.x.asked[-1][2]
    there.source.fetch(cursor, 50)
    assert any("start_time" in params for _, _, params, _ in there.x.asked)
    assert timedelta(seconds=0) <= datetime.now(UTC) - datetime.fromisoformat(json.loads(cursor)["began"])


def test_where_only_the_webhook_listens_a_pull_costs_nothing(there: XWorld) -> None:
    source = there.again(poll_mentions=False, direct_messages=False)
    cursor = source.fetch(None, 50).cursor
    there.say("hello")
    assert source.fetch(cursor, 50).items == ()
    assert there.x.calls == []
    headers, body = there.x.event("dm.received", there.x.message(there.ann, there.brand, "psst"), there.brand)
    assert source.read_hook(Hook(headers, body, 0.0)) == ()


def test_the_same_words_under_another_post_are_not_taken_for_this_answer(there: XWorld) -> None:
    cursor = begun(there)
    there.say("first")
    there.say("second")
    one, other = drained(there, cursor, 2)
    there.source.send(there.source.prepare(ReplyDraft(one, "thank you")), key_of("k"))
    assert there.source.find(there.source.prepare(ReplyDraft(other, "thank you")), key_of("l")) == ()


# --- what others found --------------------------------------------------------------------------------------


def found_at(world: XWorld, url: str, **more: object) -> Mention | None:
    return world.again(**more).locate(replace(a_mention(world.source), url=url))


def test_who_does_not_call_us_is_found_and_answered_by_hand(there: XWorld) -> None:
    found = found_at(there, there.address(there.x.post(there.ann, "That brand again")))
    assert found is not None
    assert found.text == "That brand again"
    assert not there.source.outlook(found).possible
    called = found_at(there, there.address(there.say("hello")))
    assert called is not None
    assert there.source.outlook(called).possible


def test_an_edited_post_is_found_under_its_first_id(there: XWorld) -> None:
    first = there.say("helo")
    second = there.x.edit(first, "@brand hello")
    found = found_at(there, there.address(second))
    assert found is not None
    assert (found.external_id, found.version) == (first, second)


def test_a_look_up_is_counted_and_waits_when_the_day_is_spent(there: XWorld) -> None:
    url = there.address(there.say("hello"))
    source = there.again(reads_per_day=1)
    assert source.locate(replace(a_mention(source), url=url)) is not None
    with pytest.raises(RateLimited):
        source.locate(replace(a_mention(source), url=url))


def test_what_is_deleted_is_not_found(there: XWorld) -> None:
    said = there.say("hello")
    there.take_back(said)
    assert found_at(there, f"https://x.com/ann/status/{said}") is None
