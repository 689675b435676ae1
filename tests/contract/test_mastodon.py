"""The Mastodon source keeps the contract, against the simulator of each server it speaks to; `tests/servers` asks one
by somebody else the same."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from connector.errors import AuthFailed, Closed, Gone, RateLimited, Rejected, Temporary, Uncertain
from connector.http import Http
from connector.model import Attachment, Cursor, Mention, ReplyDraft, key_of
from connector.sources.mastodon import Mastodon, MastodonOptions
from connector.testing.contracts import Misbehaviour, SourceContract, SourceWorld, a_mention, drained
from connector.testing.simulators.mastodon import MastodonSimulator
from connector.testing.simulators.mastodon.shown import addresses

PNG = b"\x89PNG\r\n\x1a\n" + b"0" * 40


class FediWorld(SourceWorld):
    def __init__(self, there: MastodonSimulator) -> None:
        self.there = there
        self.brand = there.add_account("brand", "Brand", token="token-of-the-brand")
        self.ann = there.add_account("ann@far.example", "Ann", followers=7)
        self.secrets = ("token-of-the-brand",)
        self.made: list[Mastodon] = []
        self.time = 0.0
        self.source: Mastodon = self.again()

    def again(self, **more: object) -> Mastodon:
        options = MastodonOptions.model_validate(
            {
                "type": "mastodon",
                "helpdesk": "desk",
                "server": self.there.url + "/",
                "access_token": "token-of-the-brand",
                "watch_every": 0,
                **more,
            }
        )
        http = Http("fedi", allow_private=True)
        source = Mastodon("fedi", options, http, clock=lambda: datetime.now(UTC).timestamp() + self.time)
        self.made.append(source)
        return source

    def say(self, text: str, **more: Any) -> str:
        return self.there.post(self.ann, f"@brand {text}", **more)

    def say_ourselves(self, text: str) -> str:
        return self.there.post(self.brand, f"@ann@far.example {text}", answers=self.say("what do you say?"))

    def take_back(self, external_id: str) -> None:
        self.there.delete(external_id)

    def address(self, external_id: str) -> str:
        return addresses(self.there.statuses[external_id])[0]

    def posted(self) -> list[str]:
        return [one.text.removeprefix("@ann@far.example ") for one in self.there.posts(self.brand)]

    def misbehave(self, how: Misbehaviour) -> None:
        self.there.misbehave(how)

    def behave(self) -> None:
        self.there.behave()


@pytest.fixture(params=["mastodon", "gotosocial", "takahe"])
def there(request: pytest.FixtureRequest) -> Iterator[FediWorld]:
    with MastodonSimulator(request.param) as simulator:
        world = FediWorld(simulator)
        yield world
        for source in world.made:
            source.close()


class TestMastodon(SourceContract):
    @pytest.fixture
    def world(self, there: FediWorld) -> SourceWorld:
        return there


def begun(world: FediWorld) -> Cursor:
    return world.source.fetch(None, 50).cursor


def heard(world: FediWorld, text: str = "hello", **more: Any) -> Mention:
    cursor = begun(world)
    world.say(text, **more)
    return drained(world, cursor, 1)[0]


def answered(world: FediWorld, mention: Mention, text: str, **more: Any) -> Any:
    receipt = world.source.send(world.source.prepare(ReplyDraft(mention, text, **more)), key_of(text))
    return world.there.statuses[receipt.id]


# --- what comes in ------------------------------------------------------------------------------------------


def test_a_mention_comes_whole(there: FediWorld) -> None:
    mention = heard(there, "где заказ? https://shop.example/orders/a-very-long-address-indeed/12345", language="ru")
    assert mention.text == "@brand где заказ? https://shop.example/orders/a-very-long-address-indeed/12345"
    assert (mention.kind, mention.language, mention.private) == ("post", "ru", False)
    author = mention.author
    assert (author.id, author.handle, author.name) == ("ann@far.example", "ann@far.example", "Ann")
    assert (author.followers, author.url) == (7, "https://far.example/@ann")
    assert mention.url == f"https://far.example/@ann/{mention.external_id}"
    assert mention.thread_id == mention.external_id


def test_the_first_notification_ever_is_not_missed_nor_are_a_hundred(there: FediWorld) -> None:
    cursor = begun(there)
    assert json.loads(cursor)["min_id"] == ""
    said = [there.say(f"number {number}") for number in range(100)]
    assert [one.external_id for one in drained(there, cursor, 100, limit=30)] == said


def test_a_notification_that_becomes_visible_after_a_younger_one_is_told(there: FediWorld) -> None:
    there.say("long ago", at=datetime.now(UTC) - timedelta(hours=1))
    cursor = begun(there)
    late = there.say("late", hold=True)
    there.say("early")
    page = there.source.fetch(cursor, 50)
    there.there.release()
    after = there.source.fetch(page.cursor, 50)
    assert [one.external_id for one in after.items] == [late]
    assert there.source.fetch(after.cursor, 50).items == ()


def test_what_is_settled_is_not_read_again(there: FediWorld) -> None:
    cursor = begun(there)
    for minutes in range(50, 0, -1):
        there.say(f"{minutes}", at=datetime.now(UTC) - timedelta(minutes=minutes))
    page = there.source.fetch(cursor, 50)
    assert len(page.items) == 50
    assert len(json.loads(page.cursor)["told"]) <= 2


def test_a_quiet_pull_costs_two_calls(there: FediWorld) -> None:
    source = there.again(watch_hours=0)
    there.say("before")
    cursor = source.fetch(None, 50).cursor
    before = len(there.there.calls)
    assert source.fetch(cursor, 50).items == ()
    assert [one.rpartition("/")[2] for one in there.there.calls[before:]] == ["notifications", "statuses"]


def test_a_reply_knows_its_thread_and_the_post_above_with_its_picture(there: FediWorld) -> None:
    picture = {"id": "1", "type": "image", "url": "https://files.example/new.png", "description": "a dress"}
    ours = there.there.post(there.brand, "New collection", media=[picture])
    cursor = begun(there)
    asked = there.say("How much?", answers=ours)
    again = there.there.post(there.ann, "@brand Hello?", answers=asked)
    first, second = drained(there, cursor, 2)
    assert (first.external_id, first.kind, first.thread_id) == (asked, "comment", ours)
    assert first.parent is not None
    assert (first.parent.text, first.parent.author, first.parent.id) == ("New collection", "Brand", ours)
    assert [(one.url, one.type, one.name) for one in first.attachments] == [
        ("https://files.example/new.png", "image/png", "above: a dress")
    ]
    assert (second.external_id, second.thread_id) == (again, ours)
    assert second.parent is not None
    assert second.parent.text == "Brand: New collection\n\n↳ @brand How much?"


def test_a_thread_stays_one_when_its_first_post_is_deleted(there: FediWorld) -> None:
    ours = there.there.post(there.brand, "New collection")
    cursor = begun(there)
    asked = there.say("How much?", answers=ours)
    page = there.source.fetch(cursor, 50)
    by_hand = there.there.post(there.brand, "@ann@far.example soon", answers=asked)
    there.there.delete(ours)
    there.say("Hello?", answers=by_hand)
    told = [one for one in there.source.fetch(page.cursor, 50).items if not one.version]
    assert [(one.own, one.thread_id) for one in told] == [(False, ours), (True, ours)]


def test_a_mention_that_is_gone_before_its_thread_is_read_still_belongs_to_it(there: FediWorld) -> None:
    ours = there.there.post(there.brand, "New collection")
    cursor = begun(there)
    asked = there.say("How much?", answers=ours)
    page = there.source.fetch(cursor, 50)
    there.say("Hello?", answers=asked)

    def gone(_: str) -> Any:
        raise Gone

    there.source._server.above_and_below = gone  # type: ignore[method-assign]
    (mention,) = there.source.fetch(page.cursor, 50).items
    assert (mention.thread_id, mention.parent and mention.parent.id) == (ours, asked)


def test_a_private_mention_is_private_and_a_followers_only_one_is_not_a_message_to_us(there: FediWorld) -> None:
    secret = heard(there, "between us", visibility="direct")
    friends = heard(there, "among friends", visibility="private")
    assert (secret.kind, secret.private) == ("dm", True)
    assert (friends.kind, friends.private) == ("post", False)


def test_what_the_accounts_filters_hide_comes_unless_told_otherwise(there: FediWorld) -> None:
    source = there.again(include_filtered=False)
    cursor = begun(there)
    hidden = there.say("from a stranger", visibility="direct", filtered=True)
    assert source.fetch(cursor, 50).items == ()
    assert [one.external_id for one in there.source.fetch(cursor, 50).items] == [hidden]


def test_a_quote_comes_with_what_it_quotes_when_asked_for(there: FediWorld) -> None:
    source = there.again(notifications=["mention", "quote"])
    ours = there.there.post(there.brand, "We are the best")
    cursor = source.fetch(None, 50).cursor
    there.there.post(there.ann, "Well well", quotes=there.there.statuses[ours])
    (quote,) = source.fetch(cursor, 50).items
    assert quote.parent is not None
    assert (quote.text, quote.parent.text, quote.parent.author) == ("Well well", "We are the best", "Brand")
    assert there.source.fetch(cursor, 50).items == ()


def test_a_content_warning_stands_before_the_words(there: FediWorld) -> None:
    assert heard(there, "it burns", spoiler="fire").text == "[fire]\n@brand it burns"


def test_an_edit_comes_as_a_new_version_once(there: FediWorld) -> None:
    cursor = begun(there)
    said = there.say("order 7")
    page = there.source.fetch(cursor, 50)
    there.there.edit(said, "@brand order 8")
    changed = there.source.fetch(page.cursor, 50)
    (edit,) = changed.items
    assert (edit.external_id, edit.text, edit.deleted) == (said, "@brand order 8", False)
    assert edit.version
    assert edit.thread_id == page.items[0].thread_id
    assert there.source.fetch(changed.cursor, 50).items == ()
    there.there.edit(said, "@brand order 9")
    assert [one.text for one in there.source.fetch(changed.cursor, 50).items] == ["@brand order 9"]


def test_a_block_is_closed_and_no_deletion(there: FediWorld) -> None:
    cursor = begun(there)
    there.say("hello")
    page = there.source.fetch(cursor, 50)
    there.ann.blocks.add(there.brand.id)
    assert there.source.fetch(page.cursor, 50).items == ()
    with pytest.raises((Closed, Gone)):
        there.source.reply_limits(page.items[0])


def test_trouble_in_looking_for_changes_keeps_no_mention_out(there: FediWorld) -> None:
    cursor = begun(there)
    said = there.say("next")

    def fails(*_: object) -> Any:
        raise Temporary

    there.source._server.statuses = fails  # type: ignore[method-assign]
    there.source._server.our_posts = fails  # type: ignore[method-assign]
    assert [one.external_id for one in there.source.fetch(cursor, 50).items] == [said]


def test_an_answer_written_by_hand_comes_as_our_own_in_its_thread(there: FediWorld) -> None:
    cursor = begun(there)
    said = there.say("hello")
    by_hand = there.there.post(there.brand, "@ann@far.example hi!", answers=said)
    there.there.post(there.brand, "news for everybody")
    first = there.source.fetch(cursor, 50)
    told = [(one.external_id, one.own, one.thread_id) for one in first.items]
    assert told == [(said, False, said), (by_hand, True, said)]
    own = first.items[1]
    assert own.parent is not None
    assert own.parent.id == said
    assert there.source.fetch(first.cursor, 50).items == ()


# --- what goes out ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("visibility", ["public", "unlisted", "private", "direct"])
def test_an_answer_is_as_public_as_the_question_and_names_the_person(there: FediWorld, visibility: str) -> None:
    mention = heard(there, visibility=visibility)
    post = answered(there, mention, "hi")
    assert (post.visibility, post.text) == (visibility, "@ann@far.example hi")
    assert post.answers.id == mention.external_id
    assert there.ann in post.names


def test_an_answer_that_is_to_be_private_is_direct_in_every_part(there: FediWorld) -> None:
    mention = heard(there)
    one = there.source.send(
        there.source.prepare(ReplyDraft(mention, "one", private=True, parts=2)), key_of("private", "0")
    )
    draft = ReplyDraft(mention, "two", private=True, part=1, parts=2, previous=one)
    two = there.source.send(there.source.prepare(draft), key_of("private", "1"))
    posts = [there.there.statuses[receipt.id] for receipt in (one, two)]
    assert [(post.visibility, there.ann in post.names) for post in posts] == [("direct", True)] * 2
    assert posts[1].answers is posts[0]


def test_a_person_who_is_named_already_is_not_named_twice(there: FediWorld) -> None:
    assert answered(there, heard(there), "Hello @ann@far.example!").text == "Hello @ann@far.example!"


def test_a_part_whose_forerunner_was_deleted_is_gone(there: FediWorld) -> None:
    mention = heard(there)
    one = there.source.send(there.source.prepare(ReplyDraft(mention, "one", parts=2)), key_of("k"))
    there.there.delete(one.id)
    with pytest.raises(Gone):
        there.source.prepare(ReplyDraft(mention, "two", part=1, parts=2, previous=one))


def test_a_lost_answer_is_found_by_its_words_and_only_once(there: FediWorld) -> None:
    mention = heard(there)
    text = "Смотрите https://acme.example/помощь?a=1, @ann@far.example!\n\nДо встречи 👋 & удачи"
    request = there.source.prepare(ReplyDraft(mention, text))
    there.there.lose_next_answer()
    with pytest.raises(Uncertain):
        there.source.send(request, key_of("k"))
    (found,) = there.again().find(request, key_of("k"))
    assert there.there.statuses[found.id].text == text


def test_the_same_words_said_before_or_by_hand_are_not_taken_for_the_lost_answer(there: FediWorld) -> None:
    mention = heard(there)
    answered(there, mention, "Thank you!")
    request = there.source.prepare(ReplyDraft(mention, "Thank you!"))
    there.there.post(there.brand, "@ann@far.example something else", answers=mention.external_id)
    assert there.source.find(request, key_of("second")) == ()


def test_a_lost_answer_is_found_though_the_question_was_deleted_since(there: FediWorld) -> None:
    mention = heard(there)
    request = there.source.prepare(ReplyDraft(mention, "here you are"))
    there.there.lose_next_answer()
    with pytest.raises(Uncertain):
        there.source.send(request, key_of("k"))
    there.there.delete(mention.external_id)
    assert len(there.source.find(request, key_of("k"))) == 1


def test_the_key_goes_with_every_post(there: FediWorld) -> None:
    answered(there, heard(there), "hi")
    assert there.there.keys == [key_of("hi")]


def test_the_limit_is_the_servers_less_the_address(there: FediWorld) -> None:
    there.there.longest = 100
    mention = heard(there)
    shortened = there.there.flavour == "mastodon"
    assert there.source.reply_limits(mention).max_length == 100 - len("@ann " if shortened else "@ann@far.example ")
    link = "https://shop.example/" + "a" * 80
    assert there.source.measure(link) == (23 if shortened else len(link))
    assert there.source.measure("👩‍👩‍👧‍👦") == (1 if shortened else 7)


def test_a_file_goes_along(there: FediWorld) -> None:
    url = there.there.serve("/attachments/1", "image/png", PNG)
    post = answered(there, heard(there), "look", attachments=(Attachment(url, "image/png", "чек.png"),))
    assert [(one["type"], one["_name"], one["_size"]) for one in post.media] == [("image", "чек.png", len(PNG))]


def test_a_reply_waits_until_its_file_is_converted_and_uploads_it_once(there: FediWorld) -> None:
    url = there.there.serve("/attachments/1", "video/mp4", b"0" * 99)
    draft = ReplyDraft(heard(there), "look", attachments=(Attachment(url, "video/mp4", "a.mp4"),))
    there.there.converting = True
    for _ in range(2):
        with pytest.raises(Temporary) as caught:
            there.source.prepare(draft)
        assert caught.value.wait == 5
    there.there.converting = False
    there.source.send(there.source.prepare(draft), key_of("k"))
    assert len([one for one in there.there.calls if one.startswith("POST") and one.endswith("media")]) == 1
    assert len(there.there.posts(there.brand)[0].media) == 1


@pytest.mark.parametrize(
    ("kind", "size", "count", "words"),
    [("application/pdf", 9, 1, "does not take"), ("image/png", 1_100_000, 1, "1 MB"), ("image/png", 9, 5, "4 fit")],
)
def test_a_file_that_cannot_go_along_is_told_to_the_agent(
    there: FediWorld, kind: str, size: int, count: int, words: str
) -> None:
    url = there.there.serve("/attachments/1", kind, b"0" * size)
    draft = ReplyDraft(heard(there), "look", attachments=(Attachment(url, kind, "price list"),) * count)
    with pytest.raises(Rejected) as caught:
        there.source.prepare(draft)
    assert words in caught.value.sentence
    assert there.posted() == []


def test_a_file_is_fetched_from_public_addresses_only(there: FediWorld) -> None:
    url = there.there.serve("/attachments/1", "image/png", PNG)
    source = there.again()
    source.http.allow_private = False
    with pytest.raises(Rejected) as caught:
        source.prepare(ReplyDraft(heard(there), "look", attachments=(Attachment(url, "image/png"),)))
    assert "public" in caught.value.sentence


# --- what goes wrong ----------------------------------------------------------------------------------------


def test_a_token_that_may_not_write_says_which_scopes_it_needs(there: FediWorld) -> None:
    request = there.source.prepare(ReplyDraft(heard(there), "hi"))
    there.brand.scopes = "read"
    with pytest.raises(AuthFailed) as caught:
        there.source.send(request, key_of("k"))
    assert "write:statuses" in caught.value.sentence


def test_a_token_that_may_not_read_notifications_is_told_by_the_check(there: FediWorld) -> None:
    there.brand.scopes = "read:accounts"
    with pytest.raises(AuthFailed):
        there.source.check()


def test_a_suspended_account_is_stopped_and_no_refused_answer(there: FediWorld) -> None:
    request = there.source.prepare(ReplyDraft(heard(there), "hi"))
    there.brand.suspended = True
    with pytest.raises(AuthFailed):
        there.source.send(request, key_of("k"))


def test_after_a_429_no_call_is_made_until_the_limit_is_lifted(there: FediWorld) -> None:
    cursor = begun(there)
    there.there.misbehave("slow_down")
    with pytest.raises(RateLimited):
        there.source.fetch(cursor, 50)
    there.there.behave()
    before = len(there.there.calls)
    with pytest.raises(RateLimited):
        there.source.fetch(cursor, 50)
    assert len(there.there.calls) == before


def test_the_last_call_a_server_grants_is_noticed(there: FediWorld) -> None:
    cursor = begun(there)
    there.there.remaining = 0
    with pytest.raises(RateLimited) as caught:
        for _ in range(3):
            there.source.fetch(cursor, 50)
    assert 150 < caught.value.wait <= 200


def test_a_reply_made_ready_for_another_account_is_rejected(there: FediWorld) -> None:
    request = there.source.prepare(ReplyDraft(heard(there), "hi"))
    there.there.add_account("other", token="another-token")
    with pytest.raises(Rejected):
        there.again(access_token="another-token").send(request, key_of("k"))


def test_a_reply_whose_question_went_at_the_last_moment_is_gone_where_the_server_minds(there: FediWorld) -> None:
    mention = heard(there)
    request = there.source.prepare(ReplyDraft(mention, "hi"))
    there.take_back(mention.external_id)
    if there.there.flavour == "takahe":
        assert there.source.send(request, key_of("k")).id
        return
    with pytest.raises(Gone):
        there.source.send(request, key_of("k"))


def test_a_mention_as_an_older_version_stored_it_can_still_be_answered(there: FediWorld) -> None:
    mention = replace(heard(there), ref="", author=replace(heard(there).author, handle=""))
    assert answered(there, mention, "hi").text == "@ann@far.example hi"


# --- what others found --------------------------------------------------------------------------------------


def found_at(world: FediWorld, url: str) -> Mention | None:
    return world.source.locate(replace(a_mention(world.source), url=url))


def test_an_answer_found_by_its_address_belongs_to_its_thread(there: FediWorld) -> None:
    first = there.there.post(there.ann, "Who knows this brand?")
    answer = there.there.post(there.ann, "Nobody?", answers=first)
    found = found_at(there, addresses(there.there.statuses[answer])[1])
    assert found is not None
    assert (found.external_id, found.thread_id, found.kind, found.text) == (answer, first, "comment", "Nobody?")
    assert found.parent is not None
    assert found.parent.text == "Who knows this brand?"


def test_a_post_that_only_speaks_of_the_address_is_not_it(there: FediWorld) -> None:
    there.there.post(there.ann, "see https://gone.example/@bob/7")
    assert found_at(there, "https://gone.example/@bob/7") is None


def test_no_server_is_asked_for_what_is_no_address_of_a_post(there: FediWorld) -> None:
    there.there.calls.clear()
    assert found_at(there, "https://shop.example/cart") is None
    assert there.there.calls == []


def test_a_post_of_whoever_blocks_us_or_that_is_deleted_is_not_found(there: FediWorld) -> None:
    said = there.say("hello")
    url = there.address(said)
    there.ann.blocks.add(there.brand.id)
    assert found_at(there, url) is None
    there.ann.blocks.clear()
    there.take_back(said)
    assert found_at(there, url) is None
