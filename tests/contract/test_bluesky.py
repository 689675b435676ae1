"""The Bluesky source keeps the contract, against the simulator; `tests/servers` asks the real one the same."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from loopback import Loopback

from connector.errors import AuthFailed, Closed, Gone, RateLimited, Rejected, Temporary
from connector.http import Http
from connector.model import Attachment, Cursor, Mention, ReplyDraft, key_of
from connector.sources.bluesky import Bluesky, BlueskyOptions
from connector.testing.contracts import Misbehaviour, SourceContract, SourceWorld, drained
from connector.testing.simulators.bluesky import BlueskySimulator


class SkyWorld(SourceWorld):
    def __init__(self, sky: BlueskySimulator) -> None:
        self.sky = sky
        self.brand = sky.add_account("brand.test", "app-pass-word", "Brand")
        self.ann = sky.add_account("ann.test", "ann-pass", "Ann", followers=7)
        self.secrets = ("app-pass-word", "access.", "refresh.")
        self.made: list[Bluesky] = []
        self.time = 0.0
        self.source: Bluesky = self.again()

    def again(self, **more: object) -> Bluesky:
        options = BlueskyOptions.model_validate(
            {
                "type": "bluesky",
                "helpdesk": "desk",
                "service": self.sky.url,
                "identifier": "@brand.test",
                "app_password": "app-pass-word",
                "watch_deletes_every": 0,
                **more,
            }
        )
        http = Http("sky", allow_private=True)
        source = Bluesky("sky", options, http, clock=lambda: datetime.now(UTC).timestamp() + self.time)
        self.made.append(source)
        return source

    def say(self, text: str) -> str:
        return self.sky.post(self.ann, f"@brand.test {text}")

    def take_back(self, external_id: str) -> None:
        self.sky.delete(external_id)

    def address(self, external_id: str) -> str:
        did, rkey = external_id.removeprefix("at://").split("/app.bsky.feed.post/")
        return f"https://bsky.app/profile/{self.sky.accounts[did].handle}/post/{rkey}"

    def posted(self) -> list[str]:
        return [str(one["text"]) for one in self.sky.posts(self.brand)]

    def misbehave(self, how: Misbehaviour) -> None:
        self.sky.misbehave(how)

    def behave(self) -> None:
        self.sky.behave()


@pytest.fixture
def there() -> Iterator[SkyWorld]:
    with BlueskySimulator() as sky:
        world = SkyWorld(sky)
        yield world
        for source in world.made:
            source.close()


class TestBluesky(SourceContract):
    @pytest.fixture
    def world(self, there: SkyWorld) -> SourceWorld:
        return there


def begun(world: SkyWorld) -> Cursor:
    return world.source.fetch(None, 50).cursor


def heard(world: SkyWorld, text: str = "hello") -> Mention:
    cursor = begun(world)
    world.say(text)
    return drained(world, cursor, 1)[0]


def test_a_mention_with_an_old_date_is_found_when_the_whole_window_is_looked_through(there: SkyWorld) -> None:
    cursor = begun(there)
    for number in range(120):
        there.say(f"number {number}")
    page = there.source.fetch(cursor, 500)
    old = there.sky.post(there.ann, "@brand.test old", created_at=datetime.now(UTC) - timedelta(hours=20))
    there.time = 30
    soon = there.source.fetch(page.cursor, 500)
    there.time = 700
    later = there.source.fetch(soon.cursor, 500)
    assert len(page.items) == 120
    assert [one.external_id for one in (*soon.items, *later.items)] == [old]


def test_what_is_older_than_the_window_never_floods_in(there: SkyWorld) -> None:
    there.sky.post(there.ann, "@brand.test ancient", created_at=datetime.now(UTC) - timedelta(hours=30))
    cursor = begun(there)
    there.time = 20 * 3600
    assert there.source.fetch(cursor, 50).items == ()


def test_a_wider_window_chosen_later_brings_no_history(there: SkyWorld) -> None:
    there.sky.post(there.ann, "@brand.test ancient", created_at=datetime.now(UTC) - timedelta(hours=30))
    cursor = begun(there)
    there.time = 700
    assert there.again(overlap_hours=100).fetch(cursor, 50).items == ()


def test_after_a_long_stop_everything_since_then_comes(there: SkyWorld) -> None:
    there.time = -5 * 86400
    cursor = begun(there)
    there.time = 0
    said = [
        there.sky.post(there.ann, f"@brand.test {day}", created_at=datetime.now(UTC) - timedelta(days=day))
        for day in (4, 3, 2, 1)
    ]
    assert [one.external_id for one in drained(there, cursor, 4, limit=3)] == said


def test_a_quiet_pull_costs_one_call(there: SkyWorld) -> None:
    source = there.again(watch_deletes_hours=0)
    for number in range(130):
        there.say(f"number {number}")
    cursor = source.fetch(None, 50).cursor
    before = len(there.sky.calls)
    page = source.fetch(cursor, 50)
    assert page.items == ()
    assert there.sky.calls[before:] == ["app.bsky.notification.listNotifications"]


def test_only_the_reasons_asked_for_come(there: SkyWorld) -> None:
    source = there.again(reasons=["quote"])
    ours = there.sky.post(there.brand, "we say")
    cursor = source.fetch(None, 50).cursor
    there.say("a mention")
    quote = there.sky.post(there.ann, "look at this", quotes=ours)
    items = source.fetch(cursor, 50).items
    assert [one.external_id for one in items] == [quote]
    assert items[0].parent is not None
    assert items[0].parent.id == ours


def test_a_reply_knows_its_thread_its_parent_and_its_author(there: SkyWorld) -> None:
    ours = there.sky.post(there.brand, "New collection")
    cursor = begun(there)
    first = there.sky.post(there.ann, "How much?", answers=ours)
    mention = there.source.enrich(drained(there, cursor, 1)[0])
    assert (mention.external_id, mention.kind, mention.thread_id) == (first, "comment", ours)
    assert mention.parent is not None
    assert (mention.parent.text, mention.parent.author) == ("New collection", "Brand")
    assert (mention.author.name, mention.author.handle, mention.author.followers) == ("Ann", "ann.test", 7)
    assert mention.author.url == "https://bsky.app/profile/ann.test"


def test_enriching_a_mention_that_is_gone_leaves_it_as_it_was(there: SkyWorld) -> None:
    mention = heard(there)
    there.take_back(mention.external_id)
    del there.sky.accounts[there.ann.did]
    assert there.source.enrich(mention) == mention


def test_a_reply_carries_references_facets_and_a_record_key_that_servers_take(there: SkyWorld) -> None:
    ours = there.sky.post(there.brand, "New collection")
    cursor = begun(there)
    there.sky.post(there.ann, "Сколько?", answers=ours)
    mention = drained(there, cursor, 1)[0]
    text = "Привет, @ann.test и @nobody.test: https://acme.example/цены."
    receipt = there.source.send(there.source.prepare(ReplyDraft(mention, text)), key_of("k"))
    record = there.sky.record(receipt.id)
    assert record["reply"]["root"]["uri"] == ours
    assert record["reply"]["parent"]["uri"] == mention.external_id
    raw = text.encode()
    shown = {raw[f["index"]["byteStart"] : f["index"]["byteEnd"]].decode() for f in record["facets"]}
    assert shown == {"@ann.test", "https://acme.example/цены"}
    assert receipt.url == f"https://bsky.app/profile/brand.test/post/{receipt.id.split('/')[-1]}"


def test_one_key_for_all_parts_still_gives_a_post_for_each(there: SkyWorld) -> None:
    mention = heard(there)
    one = there.source.send(there.source.prepare(ReplyDraft(mention, "one", parts=2)), key_of("k"))
    draft = ReplyDraft(mention, "two", part=1, parts=2, previous=one)
    two = there.source.send(there.source.prepare(draft), key_of("k"))
    assert there.posted() == ["one", "two"]
    reply = there.sky.record(two.id)["reply"]
    assert (reply["root"]["uri"], reply["parent"]["uri"]) == (mention.external_id, one.id)


def test_a_part_whose_forerunner_was_deleted_is_gone(there: SkyWorld) -> None:
    mention = heard(there)
    one = there.source.send(there.source.prepare(ReplyDraft(mention, "one", parts=2)), key_of("k"))
    there.sky.delete(one.id)
    with pytest.raises(Gone):
        there.source.prepare(ReplyDraft(mention, "two", part=1, parts=2, previous=one))


def test_a_restricted_thread_is_closed(there: SkyWorld) -> None:
    mention = heard(there)
    there.sky.gated.add(mention.external_id)
    for call in (lambda: there.source.reply_limits(mention), lambda: there.source.prepare(ReplyDraft(mention, "x"))):
        with pytest.raises(Closed):
            call()


def test_a_block_is_closed_and_no_deletion(there: SkyWorld) -> None:
    cursor = begun(there)
    there.say("hello")
    page = there.source.fetch(cursor, 50)
    there.ann.blocks.add(there.brand.did)
    assert there.source.fetch(page.cursor, 50).items == ()
    with pytest.raises(Closed):
        there.source.reply_limits(page.items[0])


def test_an_account_that_vanished_is_no_deletion_and_hides_no_other(there: SkyWorld) -> None:
    bob = there.sky.add_account("bob.test", "x")
    cursor = begun(there)
    there.sky.post(bob, "@brand.test from bob")
    said = there.say("from ann")
    page = there.source.fetch(cursor, 50)
    there.take_back(said)
    del there.sky.accounts[bob.did]
    assert [(one.external_id, one.deleted) for one in there.source.fetch(page.cursor, 50).items] == [(said, True)]


def test_trouble_in_looking_for_deletions_keeps_no_mention_out(there: SkyWorld) -> None:
    mention = heard(there)
    cursor = begun(there)
    said = there.say("next")

    def fails(uris: object) -> object:
        raise Temporary

    there.source._posts = fails  # type: ignore[method-assign,assignment]
    assert [one.external_id for one in there.source.fetch(cursor, 50).items] == [said]
    assert mention.external_id != said


def test_an_expired_token_is_refreshed_and_an_expired_session_begun_anew(there: SkyWorld) -> None:
    there.source.check()
    there.sky.expire_access()
    there.source.check()
    there.sky.expire_sessions()
    there.source.check()
    logins = [one for one in there.sky.calls if one.startswith("com.atproto.server")]
    assert [one.split(".")[-1] for one in logins] == [
        "createSession",
        "refreshSession",
        "refreshSession",
        "createSession",
    ]


def test_an_expired_token_in_a_write_is_no_second_post(there: SkyWorld) -> None:
    mention = heard(there)
    request = there.source.prepare(ReplyDraft(mention, "once"))
    there.sky.expire_access()
    there.source.send(request, key_of("k"))
    assert there.posted() == ["once"]


def test_a_wrong_password_is_told_without_showing_it(there: SkyWorld) -> None:
    with pytest.raises(AuthFailed) as caught:
        there.again(app_password="not-this-one").check()
    assert "not-this-one" not in str(caught.value)


def test_trouble_while_logging_in_is_no_doubt_about_the_post(there: SkyWorld) -> None:
    mention = heard(there)
    request = there.source.prepare(ReplyDraft(mention, "hi"))
    for how in ("cut", "broken", "nonsense"):
        there.sky.misbehave(how)
        with pytest.raises(Temporary):
            there.again().send(request, key_of("k"))


def test_after_a_429_no_call_is_made_until_the_limit_is_lifted(there: SkyWorld) -> None:
    cursor = begun(there)
    there.sky.misbehave("slow_down")
    with pytest.raises(RateLimited):
        there.source.fetch(cursor, 50)
    there.sky.behave()
    before = len(there.sky.calls)
    with pytest.raises(RateLimited):
        there.source.fetch(cursor, 50)
    assert len(there.sky.calls) == before


def test_a_reply_made_ready_for_another_account_is_rejected(there: SkyWorld) -> None:
    mention = heard(there)
    request = there.source.prepare(ReplyDraft(mention, "hi"))
    other = there.again(identifier="ann.test", app_password="ann-pass")
    with pytest.raises(Rejected):
        other.send(request, key_of("k"))


def test_a_mention_without_our_memo_can_still_be_answered(there: SkyWorld) -> None:
    mention = replace(heard(there), ref="")
    receipt = there.source.send(there.source.prepare(ReplyDraft(mention, "hi")), key_of("k"))
    assert there.sky.record(receipt.id)["reply"]["parent"]["uri"] == mention.external_id


# --- pictures of an agent ---


def _picture(url: str, **facts: Any) -> Attachment:
    return Attachment(f"{url}/a.png", **({"type": "image/png", "name": "a.png", "size": 8} | facts))


def test_pictures_of_an_agent_stand_in_the_post_and_are_posted_once(there: SkyWorld) -> None:
    asked = heard(there)
    with Loopback(lambda _: (200, {"Content-Type": "image/png"}, b"picture!")) as files:
        draft = ReplyDraft(asked, "Here", attachments=(_picture(files.url), _picture(files.url, name="b.png")))
        request = there.source.prepare(draft)
        there.sky.expire_access()
        assert there.source.prepare(replace(draft, text="Here"))  # an upload that nobody posts harms nothing
    key = key_of("pictures")
    first = there.source.send(request, key)
    assert there.source.send(request, key) == first
    (post,) = there.sky.posts(there.brand)
    images = post["embed"]["images"]
    assert [one["alt"] for one in images] == ["a.png", "b.png"]
    assert {there.sky.blobs[one["image"]["ref"]["$link"]] for one in images} == {b"picture!"}


def test_more_pictures_than_a_post_holds_are_refused_with_the_way_out(there: SkyWorld) -> None:
    asked = heard(there)
    with pytest.raises(Rejected, match="5 pictures; 4 fit in one post here: link to the others"):
        there.source.prepare(ReplyDraft(asked, "Here", attachments=(_picture("http://x"),) * 5))
    assert there.posted() == []


@pytest.mark.parametrize(
    ("facts", "taken"), [({}, True), ({"type": "application/pdf"}, False), ({"size": 2_000_001}, False)]
)
def test_what_is_no_picture_or_too_large_goes_as_its_link(
    there: SkyWorld, facts: dict[str, Any], taken: bool
) -> None:
    assert there.source.takes(_picture("http://x", **facts)) is taken
