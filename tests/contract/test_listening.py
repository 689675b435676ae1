"""Every preset keeps the contract against its tool's simulator; maps of one's own, webhooks and odd answers too."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, get_args

import pytest
from pydantic import ValidationError

from connector.adapter import Hook
from connector.errors import BadHook, Temporary
from connector.http import Http
from connector.model import Cursor
from connector.sources.listening import Listening, ListeningOptions
from connector.testing.contracts import Misbehaviour, SourceContract, SourceWorld, drained
from connector.testing.simulators.listening import ListeningSimulator, Tool

KEY, PASSWORD = "tool-key-4711", "hook-pass-0815"
ACCOUNT: dict[Tool, dict[str, Any]] = {
    "youscan": {"topic": 77},
    "brand_analytics": {"theme": 14},
    "brand24": {"project": 8},
    "mention": {"account": "12_ab", "alert": 34},
    "brandwatch": {"project": 5, "query": 6},
    "awario": {"alert": 9},
}


class ToolWorld(SourceWorld):
    def __init__(self, tool: ListeningSimulator, **more: Any) -> None:
        self.tool = tool
        self.secrets = (KEY, PASSWORD)
        self.more = more
        self.made: list[Listening] = []
        self.ahead = 0.0
        self.source: Listening = self.again()

    def again(self, **more: Any) -> Listening:
        given = {
            "type": "listening",
            "helpdesk": "desk",
            "preset": self.tool.tool,
            "token": KEY,
            "account": ACCOUNT[self.tool.tool],
            "base_url": self.tool.url,
            "own_authors": ["brand"],
            "hook_password": PASSWORD,
            **self.more,
            **more,
        }
        options = ListeningOptions.model_validate(given)
        source = Listening("tool", options, Http("tool"), clock=lambda: time.time() + self.ahead)
        self.made.append(source)
        return source

    def say(self, text: str) -> str:
        return self.tool.find(text)

    def say_ourselves(self, text: str) -> str:
        return self.tool.find(text, author="brand")

    def hook(self, text: str) -> Hook:
        if self.tool.tool != "youscan":
            raise NotImplementedError
        self.tool.find(text)
        return called(self.tool.webhook(self.tool.findings[-1]))

    def posted(self) -> list[str]:
        return []

    def misbehave(self, how: Misbehaviour) -> None:
        self.tool.misbehave(how)

    def behave(self) -> None:
        self.tool.behave()


def called(body: bytes, credential: str = "") -> Hook:
    given = credential or "Basic " + base64.b64encode(f"youscan:{PASSWORD}".encode()).decode()
    return Hook({"authorization": given, "content-type": "application/json"}, body, time.time())


def world_of(tool: Tool, **more: Any) -> Iterator[ToolWorld]:
    with ListeningSimulator(tool, KEY) as there:
        world = ToolWorld(there, **more)
        yield world
        for source in world.made:
            source.close()


class TestListening(SourceContract):
    @pytest.fixture(params=get_args(Tool))
    def world(self, request: pytest.FixtureRequest) -> Iterator[SourceWorld]:
        yield from world_of(request.param)


@pytest.fixture(params=get_args(Tool))
def world(request: pytest.FixtureRequest) -> Iterator[ToolWorld]:
    yield from world_of(request.param)


@pytest.fixture
def youscan() -> Iterator[ToolWorld]:
    yield from world_of("youscan")


@pytest.fixture
def analytics() -> Iterator[ToolWorld]:
    yield from world_of("brand_analytics")


def begun(world: ToolWorld) -> Cursor:
    return world.source.fetch(None, 50).cursor


def test_every_preset_gives_what_a_ticket_needs(world: ToolWorld) -> None:
    cursor = begun(world)
    world.tool.find(
        "Third day without an answer", url="https://vk.com/wall-1_2?reply=3", tone="negative", author="ann"
    )
    [mention] = drained(world, cursor, 1)
    assert mention.text == "Third day without an answer"
    assert mention.url == "https://vk.com/wall-1_2?reply=3"
    assert mention.author.name
    assert mention.author.id != "unknown"
    assert mention.tone is not None
    assert (mention.tone.label, mention.tone.by) == ("negative", "source")
    assert mention.created_at.replace(microsecond=0) == world.tool.findings[-1].written
    if world.tool.tool not in ("mention", "awario", "brandwatch"):  # these name the network themselves
        assert mention.platform == "vk"


def test_a_post_found_late_is_told_though_it_is_older_than_what_was_told(world: ToolWorld) -> None:
    cursor = begun(world)
    world.say("written now, found at once")
    page = world.source.fetch(cursor, 50)
    late = world.tool.find("written yesterday, found now", age_hours=30)
    assert [one.external_id for one in drained(world, page.cursor, 1)] == [late]


def test_rows_told_twice_and_in_any_order_become_one_mention_each(world: ToolWorld) -> None:
    cursor = begun(world)
    said = [world.say(f"number {number}") for number in range(7)]
    world.tool.misbehave("doubled")
    seen = drained(world, cursor, 7, limit=3)
    assert sorted(one.external_id for one in seen) == sorted(said)


def test_a_tool_that_gives_the_last_one_again_tells_it_once(world: ToolWorld) -> None:
    cursor = begun(world)
    first = world.say("one")
    page = world.source.fetch(cursor, 50)
    world.tool.misbehave("inclusive")
    again = world.source.fetch(page.cursor, 50)
    assert [one.external_id for one in page.items] == [first]
    assert (again.items, again.more) == ((), False)


def test_more_than_one_page_of_the_tool_is_read_whole(world: ToolWorld) -> None:
    pull = {"size": {**world.source.chart.model_dump()["pull"]["size"], "most": 3}}
    if world.tool.tool == "mention":
        pytest.skip("it is asked for everything at once")
    world.source = world.again(map={"pull": pull})
    cursor = begun(world)
    said = [world.say(f"number {number}") for number in range(10)]
    assert [one.external_id for one in drained(world, cursor, 10)] == said
    assert max(len(params) for _, params in world.tool.asked) > 1


def test_a_row_that_is_no_mention_holds_nothing_up(youscan: ToolWorld) -> None:
    cursor = begun(youscan)
    youscan.tool.find("bad", id="", url="javascript:alert(1)")
    good = youscan.say("good")
    assert [one.external_id for one in drained(youscan, cursor, 1)] == [good]


def test_what_a_map_skips_is_left_out(youscan: ToolWorld) -> None:
    cursor = begun(youscan)
    youscan.tool.find("buy now", spam=True)
    good = youscan.say("good")
    assert [one.external_id for one in drained(youscan, cursor, 1)] == [good]


def test_a_mention_without_its_text_still_comes_with_its_address(youscan: ToolWorld) -> None:
    cursor = begun(youscan)
    bare = {"fullText": None, "text": None, "author": None, "url": None, "source": "twitter.com", "postId": "99"}
    youscan.tool.find("")
    youscan.tool.findings[-1].more.update(bare)
    [mention] = drained(youscan, cursor, 1)
    assert (mention.text, mention.platform, mention.author.id) == ("", "x", "unknown")
    assert mention.url == "https://x.com/i/status/99"


def test_markup_goes_and_lines_stay(youscan: ToolWorld) -> None:
    cursor = begun(youscan)
    youscan.tool.find("Where is my <b>order</b>?\nThird day &amp; nothing")
    [mention] = drained(youscan, cursor, 1)
    assert mention.text == "Where is my order?\nThird day & nothing"


def test_an_answer_of_nothing_from_a_tool_that_refuses_so_is_no_answer(analytics: ToolWorld) -> None:
    cursor = begun(analytics)
    analytics.say("one")
    cursor = analytics.source.fetch(cursor, 50).cursor
    late = analytics.say("two")
    analytics.tool.misbehave("silent")
    with pytest.raises(Temporary) as caught:
        analytics.source.fetch(cursor, 50)
    assert "asked too often" in caught.value.sentence
    analytics.tool.behave()
    assert [one.external_id for one in drained(analytics, cursor, 1)] == [late]


def test_a_time_away_longer_than_the_window_loses_nothing(analytics: ToolWorld) -> None:
    analytics.source = analytics.again(look_back_hours=1)
    cursor = begun(analytics)
    said = [analytics.say(f"number {number} while we were away") for number in range(5)]
    analytics.ahead = 20 * 3600
    assert [one.external_id for one in drained(analytics, cursor, 5, limit=2)] == said
    after = analytics.source.fetch(cursor, 50).cursor
    assert analytics.source.fetch(after, 50).items == ()


def test_a_cursor_forgets_what_its_window_no_longer_reaches(analytics: ToolWorld) -> None:
    cursor = begun(analytics)
    for number in range(50):
        analytics.say(f"number {number}")
    full = analytics.source.fetch(cursor, 100).cursor
    analytics.ahead = 10 * 86_400
    assert len(json.loads(full)["known"]) == 50
    assert json.loads(analytics.source.fetch(full, 100).cursor)["known"]  # the window still reaches back to `at`
    twice = analytics.source.fetch(analytics.source.fetch(full, 100).cursor, 100).cursor
    assert json.loads(twice)["known"] == {}


# --- webhooks --------------------------------------------------------------------------------------------------


def test_youscans_webhook_is_read_by_the_same_map(youscan: ToolWorld) -> None:
    youscan.tool.find("Where is my <b>order</b>?", url="https://vk.com/wall-1_2", tone="undefined", rating=2, likes=5)
    [mention] = youscan.source.read_hook(called(youscan.tool.webhook(youscan.tool.findings[-1])))
    assert (mention.external_id, mention.text) == ("1000", "Where is my order?")
    assert (mention.platform, mention.tone, mention.rating) == ("vk", None, 2.0)
    assert (mention.author.handle, mention.author.followers, mention.engagement) == ("ann", 12, {"likes": 5})


def test_pictures_come_along(youscan: ToolWorld) -> None:
    cursor = begun(youscan)
    youscan.tool.find(
        "look", images=["https://cdn.example/1.jpg", "not an address"], imageUrl="https://cdn.example/0.jpg"
    )
    [mention] = drained(youscan, cursor, 1)
    assert [one.url for one in mention.attachments] == ["https://cdn.example/1.jpg"]


def test_a_bearer_token_opens_the_door_too(youscan: ToolWorld) -> None:
    youscan.say("hello")
    body = youscan.tool.webhook(youscan.tool.findings[-1])
    assert len(youscan.source.read_hook(called(body, f"Bearer {PASSWORD}"))) == 1


@pytest.mark.parametrize(
    "credential",
    ["Basic !!!", "Basic " + base64.b64encode(b"youscan:").decode(), "Bearer wrong", f"Digest {PASSWORD}", "Bearer "],
)
def test_nobody_else_gets_in(youscan: ToolWorld, credential: str) -> None:
    with pytest.raises(BadHook) as caught:
        youscan.source.read_hook(called(b"{}", credential))
    assert caught.value.status == 401


@pytest.mark.parametrize(
    ("body", "status"),
    [(b"{", 400), (b'"text"', 422), (b'{"mentionId": 1, "url": "javascript:1"}', 422), (b'{"mentionId": 7}', 422)],
)
def test_a_call_that_cannot_be_read_says_why(youscan: ToolWorld, body: bytes, status: int) -> None:
    with pytest.raises(BadHook) as caught:
        youscan.source.read_hook(called(body))
    assert caught.value.status == status


def test_a_tool_that_only_calls_is_never_asked(youscan: ToolWorld) -> None:
    source = youscan.again(token=None)
    page = source.fetch(None, 50)
    assert (page.items, source.fetch(page.cursor, 50).items) == ((), ())
    assert "takes calls at /hooks/tool" in source.check().notes
    assert youscan.tool.asked == []


# --- maps of one's own -----------------------------------------------------------------------------------------

OWN = {
    "items": "result.list",
    "fields": {
        "id": "no",
        "text": {"path": "body", "html": True},
        "url": "href",
        "created_at": {"path": "when", "time": "%d.%m.%Y %H:%M", "zone": "Europe/Moscow"},
        "tone": {"path": "mood", "steps": [[-0.3, "negative"], [0.3, "neutral"], [1, "positive"]]},
        "author.name": "who",
        "engagement.likes": "likes",
    },
}


def test_a_tool_nobody_knows_is_read_by_a_map_alone() -> None:
    options = ListeningOptions.model_validate(
        {"type": "listening", "helpdesk": "desk", "map": OWN, "hook_password": PASSWORD, "platform": "forum"}
    )
    source = Listening("own", options, Http("own"))
    row = {"no": 5, "body": "<p>Where?</p>", "href": "https://f.example/5", "when": "22.11.2026 12:30", "mood": -0.8}
    body = json.dumps({"result": {"list": [row | {"who": "Ann", "likes": "1 840"}]}}).encode()
    [mention] = source.read_hook(called(body))
    assert (mention.external_id, mention.text, mention.platform) == ("5", "Where?", "forum")
    assert mention.created_at == datetime(2026, 11, 22, 9, 30, tzinfo=UTC)
    assert mention.tone is not None
    assert (mention.tone.label, mention.author.id, mention.engagement) == ("negative", "ann", {"likes": 1840})


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({}, "needs `preset`"),
        ({"preset": "youscan"}, "needs `token`"),
        ({"preset": "youscn", "token": "x"}, "neither a .yaml file nor a preset"),
        ({"preset": "youscan", "token": "x"}, "`account` lacks topic"),
        ({"preset": "export", "token": "x"}, "has no `pull`"),
        ({"preset": "maps/own.yaml", "token": "x"}, "is the name of a tool"),
        ({"map": {"fields": {"id": "a"}}, "hook_password": PASSWORD}, "where `text` or `url` are"),
        ({"map": {"fields": {"txt": "a"}}, "hook_password": PASSWORD}, '"txt" is not a field'),
        ({"map": {"fields": {"text": {"pth": "a"}}}, "hook_password": PASSWORD}, "fields.text.pth"),
        ({"map": {**OWN, "fields": {"text": {"path": "a", "zone": "Mars"}}}, "hook_password": PASSWORD}, "time zone"),
        ({"preset": "youscan", "map": {"pull": {"window": {"begin": {"param": "a", "form": "iso"}}}}}, "sequence"),
        ({"preset": "youscan", "hook_password": "short"}, "at least 8"),
    ],
)
def test_mistakes_in_the_options_are_told(given: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValidationError) as caught:
        ListeningOptions.model_validate({"type": "listening", "helpdesk": "desk", **given})
    assert sentence in str(caught.value)
