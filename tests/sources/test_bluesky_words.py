"""Bluesky's JSON, as recorded from a real server stack, in our words; and a reply in theirs."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.errors import AuthFailed, BadAnswer, Closed, ConnectorError, Gone, RateLimited, Rejected
from connector.http import Answer, Http
from connector.model import Attachment, Key, Mention, decode, encode
from connector.sources.bluesky import Bluesky, BlueskyOptions
from connector.sources.bluesky.session import refusal, wait_from
from connector.sources.bluesky.window import Window
from connector.sources.bluesky.words import (
    attachments_from,
    author_from,
    facets_for,
    mention_from_notification,
    record_key,
    text_of,
)

RECORDED: dict[str, Any] = json.loads(
    (Path(__file__).parent.parent / "data" / "bluesky" / "recorded.json").read_text()
)
WEB = "https://bsky.app"
BRAND = "did:plc:szubesrcktdtmwr2oklasd4y"


def test_a_recorded_mention() -> None:
    mention = mention_from_notification(RECORDED["notification_mention"], "sky", WEB, BRAND)
    uri = "at://did:plc:bupappy3fv5pfxd44ccg3h5b/app.bsky.feed.post/3n2uqltdros2u"
    assert (mention.external_id, mention.thread_id, mention.kind) == (uri, uri, "post")
    assert mention.text == "Привет, @xbrand.test заказ 3b6660 не пришёл"
    assert mention.created_at == datetime(2026, 11, 22, 4, 9, 8, 997000, tzinfo=UTC)
    assert (mention.author.handle, mention.language, mention.own) == ("xclient.test", "ru", False)
    assert mention.url == "https://bsky.app/profile/xclient.test/post/3n2uqltdros2u"
    assert decode(Mention, encode(mention)) == mention


def test_a_recorded_reply_belongs_to_the_thread_of_its_root() -> None:
    mention = mention_from_notification(RECORDED["notification_reply"], "sky", WEB, BRAND)
    assert mention.kind == "comment"
    assert mention.thread_id == RECORDED["notification_mention"]["uri"]
    assert mention.parent is not None
    assert mention.parent.id == RECORDED["notification_mention"]["uri"]
    assert mention.own


@pytest.mark.parametrize(
    ("recorded", "error"),
    [
        ("refusal_getPostThread_NotFound_400", Gone),
        ("refusal_createRecord_InvalidRequest_400", Rejected),
        ("refusal_listNotifications_InvalidToken_400", AuthFailed),
    ],
)
def test_recorded_refusals_say_what_to_do(recorded: str, error: type[ConnectorError]) -> None:
    told = RECORDED[recorded]
    answer = Answer(told["status"], {}, json.dumps(told["body"]).encode())
    assert type(refusal(answer, "sky", "x", None)) is error


@pytest.mark.parametrize(
    ("status", "name", "error"),
    [
        (401, "AccountTakedown", AuthFailed),
        (401, "AuthFactorTokenRequired", AuthFailed),
        (403, "AccountNotFound", AuthFailed),
        (400, "ExpiredToken", AuthFailed),
        (400, "RecordNotFound", Gone),
        (400, "BlockedActor", Closed),
        (404, "XRPCNotSupported", Rejected),
        (404, "", Gone),
        (429, "RateLimitExceeded", RateLimited),
        (400, "", Rejected),
    ],
)
def test_refusals_by_name(status: int, name: str, error: type[ConnectorError]) -> None:
    body = json.dumps({"error": name, "message": "m"}).encode() if name else b"<html>"
    assert type(refusal(Answer(status, {}, body), "sky", "x", 3.0)) is error


def test_the_wait_is_read_from_either_header() -> None:
    assert wait_from(Answer(429, {"Retry-After": "9"}, b""), 0) == 9
    assert wait_from(Answer(429, {"RateLimit-Reset": "1007"}, b""), 1000) == 7
    assert wait_from(Answer(429, {"RateLimit-Reset": "900"}, b""), 1000) == 1
    assert wait_from(Answer(429, {"RateLimit-Reset": "soon"}, b""), 1000) is None


def with_link(text: str, shown: str, url: str, **more: Any) -> dict[str, Any]:
    start = len(text[: text.index(shown)].encode())
    index = {"byteStart": start, "byteEnd": start + len(shown.encode())}
    return {
        "text": text,
        "facets": [{"index": index, "features": [{"$type": "app.bsky.richtext.facet#link", "uri": url}]}],
        **more,
    }


def test_links_come_in_full_whatever_the_app_showed() -> None:
    url = "https://shop.example/заказы/12345"
    assert text_of(with_link("Вот: shop.example/за... да", "shop.example/за...", url)) == f"Вот: {url} да"
    assert text_of(with_link("🙂 жми сюда!", "сюда", url)) == f"🙂 жми сюда ({url})!"
    assert text_of(with_link(f"🙂 {url}!", url, url)) == f"🙂 {url}!"
    assert text_of(with_link("жми сюда", "сюда", "javascript:alert(1)")) == "жми сюда"


def test_a_card_is_told_unless_the_text_has_its_address() -> None:
    embed = {"$type": "app.bsky.embed.external", "external": {"uri": "https://a.example/x", "title": "t"}}
    assert text_of({"text": "look", "embed": embed}) == "look\nhttps://a.example/x"
    assert text_of(with_link("look a.example/x", "a.example/x", "https://a.example/x", embed=embed)) == (
        "look https://a.example/x"
    )
    nested = {"$type": "app.bsky.embed.recordWithMedia", "record": {"record": {"uri": "at://x/y/z"}}, "media": embed}
    assert text_of({"text": "", "embed": nested}) == "https://a.example/x"


@given(st.text(max_size=60), st.integers(-5, 200), st.integers(-5, 200))
def test_facets_that_lie_anywhere_do_no_harm(text: str, start: int, end: int) -> None:
    facet = {
        "index": {"byteStart": start, "byteEnd": end},
        "features": [{"$type": "app.bsky.richtext.facet#link", "uri": "https://a.example"}],
    }
    assert isinstance(text_of({"text": text, "facets": [facet, facet, {}]}), str)


def test_an_invalid_handle_is_not_shown_and_the_did_stands_in_the_address() -> None:
    author = author_from({"did": "did:plc:x", "handle": "handle.invalid"}, WEB)
    assert (author.handle, author.url) == ("", "https://bsky.app/profile/did:plc:x")
    verified = {"did": "did:plc:x", "handle": "a.b", "verification": {"verifiedStatus": "valid"}, "followersCount": 5}
    assert (author_from(verified, WEB).verified, author_from(verified, WEB).followers) == (True, 5)


def test_pictures_and_the_still_of_a_video_are_attachments() -> None:
    image = {"fullsize": "https://cdn.example/1", "alt": "чек"}
    images = {"$type": "app.bsky.embed.images#view", "images": [image]}
    both = {"$type": "app.bsky.embed.recordWithMedia#view", "record": {}, "media": images}
    video = {"$type": "app.bsky.embed.video#view", "thumbnail": "https://cdn.example/v.jpg", "playlist": "x"}
    expected = (Attachment("https://cdn.example/1", "image/jpeg", "чек"),)
    assert attachments_from(images) == expected
    assert attachments_from(both) == expected
    assert attachments_from(video) == (Attachment("https://cdn.example/v.jpg", "image/jpeg", "video"),)
    assert attachments_from(None) == ()


def test_facets_count_bytes_and_leave_unknown_handles_and_mail_addresses_alone() -> None:
    asked: list[str] = []

    def resolve(handle: str) -> str | None:
        asked.append(handle)
        return "did:plc:ann" if handle == "ann.test" else None

    text = "Привет, @Ann.test! Пишите a@ann.test, @nobody.test или (https://acme.example/помощь?a=1). https://x.y/@ann.test"
    raw, facets = text.encode(), facets_for(text, resolve)
    shown = [raw[one["index"]["byteStart"] : one["index"]["byteEnd"]].decode() for one in facets]
    assert shown == ["@Ann.test", "https://acme.example/помощь?a=1", "https://x.y/@ann.test"]
    assert asked == ["ann.test", "nobody.test"]


@given(st.text(max_size=20), st.integers(-(10**9), 10**12), st.integers(0, 20))
def test_a_record_key_is_always_a_tid_and_always_the_same(key: str, at: int, part: int) -> None:
    made = record_key(Key(key), at, part)
    assert re.fullmatch("[234567abcdefghij][234567abcdefghijklmnopqrstuvwxyz]{12}", made)
    assert made == record_key(Key(key), at, part)


def test_record_keys_are_what_they_were_since_they_were_first_made() -> None:
    assert record_key(Key("k"), 1_795_320_548, 0) == "3n2utgdfee7nd"


def test_a_cursor_of_the_first_version_is_still_read() -> None:
    window = Window(at=5.0, seen={"a": 1}, watched=[("at://a/b/c", "", 4)])
    assert Window.read(window.written()) == window
    assert Window.read(None) is None


def test_length_is_counted_as_the_server_does() -> None:
    options = BlueskyOptions(type="bluesky", helpdesk="d", identifier="@a.test", app_password="secret")
    source = Bluesky("sky", options, Http("sky"))
    assert source.measure("я" * 300) == 300
    assert source.measure("👩‍👩‍👧‍👦") == 3  # one grapheme, but 25 bytes: 3,000 bytes are the other limit
    assert source.measure("é") == 1
    assert options.identifier == "a.test"
    assert "secret" not in repr(options)


def test_an_answer_that_is_nonsense_is_no_mention() -> None:
    options = BlueskyOptions(type="bluesky", helpdesk="d", identifier="a.test", app_password="secret")
    source = Bluesky("sky", options, Http("sky"))
    for view in ({}, {"uri": "x", "cid": "y", "record": {}, "author": {}}, {"uri": 5, "record": None}):
        with pytest.raises(BadAnswer):
            source._note(view, BRAND)
