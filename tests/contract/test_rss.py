"""The feed source keeps the contract, over HTTP and from a file."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from html import escape
from pathlib import Path
from typing import Any

import pytest
from loopback import Asked, Loopback, Told

from connector.errors import BadAnswer, Temporary
from connector.http import Http
from connector.model import Cursor
from connector.sources.rss import MAX_KNOWN, Rss, RssOptions
from connector.testing.contracts import Misbehaviour, SourceContract, SourceWorld, drained

FIRST = datetime(2026, 11, 1, 12, tzinfo=UTC)


class FeedWorld(SourceWorld):
    """A blog that serves RSS 2.0, newest first, with both validators of conditional GET."""

    def __init__(self) -> None:
        self.server = Loopback(self.serve)
        self.items: list[tuple[str, str, datetime]] = []
        self.how = ""
        self.order = -1

    def start(self, **more: Any) -> Rss:
        given = {"type": "rss", "helpdesk": "desk", "url": f"{self.server.url}/feed", **more}
        self.source: Rss = Rss("blog", RssOptions.model_validate(given), Http("blog"))
        return self.source

    def document(self) -> bytes:
        items = "".join(
            f"<item><title>{escape(text)}</title><link>https://blog.example/{guid}</link><guid>{guid}</guid>"
            f"<pubDate>{format_datetime(at)}</pubDate></item>"
            for guid, text, at in self.items[:: self.order]
        )
        return f'<?xml version="1.0"?><rss version="2.0"><channel><title>Blog</title>{items}</channel></rss>'.encode()

    def serve(self, asked: Asked) -> Told | None:
        answers: dict[str, Told | None] = {
            "unauthorized": (401, {}, b"who are you"),
            "slow_down": (429, {"Retry-After": "7"}, b""),
            "broken": (500, {}, b"oops"),
            "nonsense": (200, {}, b"\x00\x01 not a feed"),
            "cut": None,
        }
        if self.how in answers:
            return answers[self.how]
        document = self.document()
        tag = f'"{hashlib.sha256(document).hexdigest()[:8]}"'
        if asked[2].get("if-none-match") == tag:
            return 304, {"ETag": tag}, b""
        return 200, {"ETag": tag, "Content-Type": "application/rss+xml"}, document

    def say(self, text: str) -> str:
        guid = f"g{len(self.items) + 1}"
        self.items.append((guid, text, FIRST + timedelta(minutes=len(self.items))))
        return guid

    def say_ourselves(self, text: str) -> str:
        return self.say(text)

    def posted(self) -> list[str]:
        return []

    def misbehave(self, how: Misbehaviour) -> None:
        self.how = how

    def behave(self) -> None:
        self.how = ""


@pytest.fixture
def blog() -> Iterator[FeedWorld]:
    there = FeedWorld()
    with there.server:
        there.start()
        yield there
        there.source.close()


class TestRss(SourceContract):
    @pytest.fixture
    def world(self, blog: FeedWorld, request: pytest.FixtureRequest) -> SourceWorld:
        if "our_own" in request.node.name:
            blog.start(own_domains=["blog.example"])
        return blog


def begun(world: FeedWorld) -> Cursor:
    return world.source.fetch(None, 50).cursor


def test_an_unchanged_feed_is_not_sent_again(blog: FeedWorld) -> None:
    blog.say("one")
    cursor = begun(blog)
    page = blog.source.fetch(cursor, 50)
    assert page.items == ()
    assert page.cursor == cursor
    assert "if-none-match" in blog.server.asked[-1][2]


def test_a_page_that_holds_only_a_part_asks_for_the_whole_feed_again(blog: FeedWorld) -> None:
    cursor = begun(blog)
    said = [blog.say(f"number {number}") for number in range(5)]
    assert [one.external_id for one in drained(blog, cursor, 5, limit=2)] == said


def test_a_feed_that_reorders_and_drops_and_brings_back_tells_each_entry_once(blog: FeedWorld) -> None:
    cursor = begun(blog)
    for number in range(6):
        blog.say(f"number {number}")
    page = blog.source.fetch(cursor, 50)
    assert len(page.items) == 6
    kept = list(blog.items)
    for items, order in ((kept, 1), (kept[3:], -1), ([], -1), (kept, -1)):
        blog.items, blog.order = items, order
        page = blog.source.fetch(page.cursor, 50)
        assert page.items == ()


def test_an_entry_dated_before_others_is_told_all_the_same(blog: FeedWorld) -> None:
    blog.say("one")
    cursor = begun(blog)
    blog.items.append(("late", "written long ago, published now", FIRST - timedelta(days=9)))
    assert [one.external_id for one in blog.source.fetch(cursor, 50).items] == ["late"]


def test_an_edit_is_told_only_where_asked_for(blog: FeedWorld) -> None:
    for edits, told in ((False, []), (True, [("g1", True)])):
        blog.items.clear()
        blog.start(edits=edits, since="all")
        blog.say("first wording")
        page = blog.source.fetch(None, 50)
        blog.items[0] = ("g1", "second wording", FIRST)
        after = blog.source.fetch(page.cursor, 50)
        assert [one.version for one in page.items] == [""]
        assert [(one.external_id, bool(one.version)) for one in after.items] == told
        assert blog.source.fetch(after.cursor, 50).items == ()


def test_since_says_where_to_begin(blog: FeedWorld) -> None:
    for number in range(4):
        blog.say(f"number {number}")
    all_of_it = drained(blog, blog.start(since="all").fetch(None, 0).cursor, 4, limit=3)
    later = blog.start(since="2026-11-01T12:02:00Z").fetch(None, 50).items
    assert [one.external_id for one in all_of_it] == ["g1", "g2", "g3", "g4"]
    assert [one.external_id for one in later] == ["g3", "g4"]


def test_a_file_is_a_feed_too(blog: FeedWorld, tmp_path: Path) -> None:
    blog.say("from a file")
    path = tmp_path / "a feed.xml"
    path.write_bytes(blog.document())
    for url in (str(path), path.as_uri()):
        blog.start(url=url, since="all")
        assert [one.text for one in blog.source.fetch(None, 50).items] == ["from a file"]
        assert blog.source.check().name == "Blog"
    path.unlink()
    with pytest.raises(Temporary):
        blog.source.fetch(None, 50)


def test_a_feed_out_of_all_proportion_is_refused(blog: FeedWorld) -> None:
    blog.server.answer = lambda _: (200, {}, b"<rss>" + b" " * (9 * 1024 * 1024))
    with pytest.raises(BadAnswer):
        blog.source.fetch(None, 50)


def test_a_feed_of_many_entries_keeps_a_cursor_of_bounded_size(blog: FeedWorld) -> None:
    blog.items = [(f"g{n}", "x", FIRST + timedelta(seconds=n)) for n in range(200)]
    cursor = begun(blog)
    for turn in range(3):
        blog.items = [(f"t{turn}-{n}", "x", FIRST + timedelta(seconds=n)) for n in range(200)]
        page = blog.source.fetch(cursor, 500)
        assert len(page.items) == 200
        cursor = page.cursor
    assert len(cursor) < MAX_KNOWN * 40
