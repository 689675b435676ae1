"""Feeds as they are found: every dialect, broken ones too, becomes mentions, or one sentence."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from connector.errors import BadAnswer
from connector.http import Answer
from connector.model import Attachment, Mention
from connector.sources.rss import RssOptions, mentions_from, parsed, unwrapped

FEEDS = Path(__file__).parent.parent / "data" / "feeds"
BASE = "https://www.acme.example/feed"


def options(**more: Any) -> RssOptions:
    return RssOptions.model_validate({"type": "rss", "helpdesk": "desk", "url": BASE, **more})


def read(content: bytes | str, **more: Any) -> list[Mention]:
    body = (FEEDS / content).read_bytes() if isinstance(content, str) else content
    return mentions_from(parsed(Answer(200, {}, body, BASE), "feed"), "feed", options(**more), BASE)


def test_a_google_alert_is_freed_of_its_wrapping() -> None:
    mention = read("google_alert.xml")[0]
    assert mention.external_id == "tag:google.com,2013:googlealerts/feed:1234567890123456789"
    assert mention.title == "Acme opens & sells"
    assert mention.text == "Shops of Acme open in May ..."
    assert mention.url == "https://news.example/acme?id=1"
    assert mention.author.name == "news.example"
    assert mention.created_at == datetime(2026, 11, 22, 9, tzinfo=UTC)


def test_only_links_of_google_are_unwrapped() -> None:
    assert unwrapped("https://www.google.co.uk/url?q=https://a.example/x") == "https://a.example/x"
    for link in (
        "https://evil.example/url?url=https://a.example",
        "https://www.google.com/url?url=javascript:alert(1)",
        "https://www.google.com.evil.example/url?url=https://a.example",
        "https://[broken/url?url=https://a.example",
        "",
    ):
        assert unwrapped(link) == link


def test_wordpress_posts_and_comments_as_recorded() -> None:
    posts, comments = read("wordpress_posts.xml"), read("wordpress_comments.xml")
    assert posts[0].title == "Hello world!"
    assert posts[0].author.name == "admin"
    assert "Welcome to WordPress" in posts[0].text
    assert comments
    assert [one.created_at for one in comments] == sorted(one.created_at for one in comments)
    assert all(one.kind == "article" for one in (*posts, *comments))
    assert len({one.external_id for one in (*posts, *comments)}) == len(posts) + len(comments)


def test_full_text_language_author_and_media_are_taken() -> None:
    mention = read("podcast_with_media.xml", own_domains=["acme.example"])[0]
    assert mention.external_id == "e2"
    assert mention.text == "Long text with a link (https://x.example/)"
    assert (mention.language, mention.author.name, mention.own) == ("ru", "Ann", True)
    assert mention.url == "https://www.acme.example/2"
    assert mention.created_at == datetime(2026, 11, 22, 7, tzinfo=UTC)
    assert mention.attachments == (
        Attachment("https://cdn.example/a%20b.mp3", "audio/mpeg", "a b.mp3", 123),
        Attachment("https://cdn.example/p.jpg", "image/jpeg", "p.jpg"),
    )


def test_own_domains_do_not_take_in_strangers_with_a_similar_name() -> None:
    feed = b"<rss version='2.0'><channel><item><link>https://notacme.example/1</link><title>x</title></item></channel></rss>"
    assert not read(feed, own_domains=["acme.example"])[0].own


def test_a_feed_without_dates_keeps_its_order_newest_first() -> None:
    mentions = read("rss_091_without_dates.xml")
    assert [one.title for one in mentions] == ["Second", "First"]
    assert [one.external_id for one in mentions] == ["http://old.example/1", "http://old.example/2"]


def test_rdf_and_windows_1251_are_read() -> None:
    rdf, cyrillic = read("rdf_rss_10.xml")[0], read("windows_1251.xml")[0]
    assert (rdf.external_id, rdf.author.name) == ("https://rdf.example/1", "Ann")
    assert (cyrillic.text, cyrillic.language) == ("Привет", "ru")


def test_a_feed_cut_in_the_middle_gives_what_is_whole() -> None:
    assert read("cut_in_the_middle.xml")[0].external_id == "w1"


def test_an_entry_without_id_and_link_is_known_by_its_title_and_date() -> None:
    feed = b"<rss version='2.0'><channel><item><title>%s</title></item><item></item></channel></rss>"
    one, same, other = (read(feed % title)[0].external_id for title in (b"a", b"a", b"b"))
    assert one == same
    assert one != other
    assert len(read(feed % b"a")) == 1


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"<!doctype html><html><body>hi</body></html>", "web page"),
        (b"", "empty"),
        (b"/etc/passwd", "neither"),
        (b"http://127.0.0.1:9/", "neither"),
        (b'{"version": "https://jsonfeed.org/version/1"}', "neither"),
        (b"\x00\x01\x02", "neither"),
    ],
)
def test_what_is_no_feed_is_told_in_one_sentence(content: bytes, words: str) -> None:
    with pytest.raises(BadAnswer) as caught:
        read(content)
    assert words in caught.value.sentence


def test_entities_neither_explode_nor_read_files() -> None:
    bomb = b'<!DOCTYPE l [<!ENTITY a "' + b"a" * 99 + b'">'
    for n in range(9):
        bomb += b'<!ENTITY %c "%s">' % (98 + n, b"&%c;" % (97 + n) * 10)
    item = b"<rss version='2.0'><channel><item><guid>1</guid><title>x &%s;</title></item></channel></rss>"
    outside = b'<!DOCTYPE l [<!ENTITY a SYSTEM "file:///etc/passwd">]>' + item % b"a"
    for feed in (bomb + b"]>" + item % b"j", outside):
        assert all(len(one.title) < 200 and "root:" not in one.title for one in read(feed))


def test_impossible_options_are_refused() -> None:
    for bad in ({"url": "ftp://x"}, {"url": ""}, {"since": "yesterday"}, {"kind": "post"}):
        with pytest.raises(ValidationError):
            options(**bad)


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=300))
def test_any_bytes_in_the_middle_of_a_feed_do_no_harm(noise: bytes) -> None:
    whole = (FEEDS / "podcast_with_media.xml").read_bytes()
    for content in (whole[:300] + noise + whole[300:], noise):
        try:
            read(content)
        except BadAnswer:
            continue
