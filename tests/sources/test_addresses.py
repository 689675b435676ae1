"""Which addresses each platform takes for its own, and what they name: what people copy, what tools hand on."""

from __future__ import annotations

import pytest

from connector.sources.discourse import words as discourse
from connector.sources.mastodon.words import post_address
from connector.sources.meta.words import code_of, fb_place, ig_place
from connector.sources.telegram.words import Link, link_in
from connector.sources.vk.words import place_in
from connector.sources.x.words import post_in

NOT_OURS = (
    "",
    "https://[broken",
    "mailto:a@b.example",
    "https://forum.example/7",
    "https://evil.example/vk.com/wall-1_2?reply=3",
)


@pytest.mark.parametrize(
    ("url", "place"),
    [
        ("https://vk.com/wall-1_2?reply=3", "wall-1_2_3"),
        ("https://m.vk.com/wall-1_2?reply=9&thread=3", "wall-1_2_9"),
        ("https://vk.ru/wall-1_2_r3", "wall-1_2_3"),
        ("https://vk.com/feed?w=wall-1_2_r3", "wall-1_2_3"),
        ("https://vk.com/club1?z=photo-1_2%2Falbum-1_00", "photo-1_2"),
        ("https://vk.com/topic-1_2?post=3", "topic-1_2_3"),
        ("https://vk.com/video-1_2?reply=3", "video-1_2_3"),
        ("https://vk.com/wall-1_2", "wall-1_2"),
        ("https://vk.com/wall-1_2?reply=x", "wall-1_2"),
        ("https://vk.com/club1", ""),
        ("https://vk.com/wall-1", ""),
        ("https://vk.com/product-1_2?reply=3", ""),
        ("https://vk.com.example/wall-1_2?reply=3", ""),
        *((url, "") for url in NOT_OURS),
    ],
)
def test_vk(url: str, place: str) -> None:
    found = place_in(url)
    assert (found.id if found is not None else "") == place


@pytest.mark.parametrize(
    ("url", "link"),
    [
        ("https://t.me/cats/7", Link("@cats", 7)),
        ("https://t.me/s/cats/7", Link("@cats", 7)),
        ("https://t.me/cats/3/7", Link("@cats", 7, thread=3)),
        ("https://t.me/cats/7?thread=3", Link("@cats", 7, thread=3)),
        ("https://t.me/news/5?comment=7", Link("@news", 7, post=5)),
        ("https://t.me/c/1500/7", Link(-1001500, 7)),
        ("https://telegram.me/cats/7?single", Link("@cats", 7)),
        ("https://t.me/cats", None),
        ("https://t.me/+AbCdEf", None),
        ("https://t.me/joinchat/AbC", None),
        ("https://t.me/c/7", None),
        *((url, None) for url in NOT_OURS),
    ],
)
def test_telegram(url: str, link: Link | None) -> None:
    assert link_in(url) == link


@pytest.mark.parametrize(
    ("url", "post"),
    [
        ("https://x.com/ann/status/17?s=20", "17"),
        ("https://twitter.com/ann/status/17/photo/1", "17"),
        ("http://mobile.twitter.com/ann/statuses/17", "17"),
        ("https://www.x.com/i/web/status/17", "17"),
        ("https://x.com/i/status/17", "17"),
        ("https://x.com/ann", ""),
        ("https://x.com/messages/1-2", ""),
        ("https://x.com/ann/status/17x", ""),
        *((url, "") for url in NOT_OURS),
    ],
)
def test_x(url: str, post: str) -> None:
    assert post_in(url, "https://x.com") == post


@pytest.mark.parametrize(
    ("url", "place"),
    [
        ("https://talk.example/t/a-cold-coat/12/3?u=ann", ("12", 3)),
        ("https://talk.example/t/a-cold-coat/12", ("12", 1)),
        ("https://talk.example/t/12/3", ("12", 3)),
        ("https://TALK.example/t/12", ("12", 1)),
        ("https://talk.example/t/-/12/3", ("12", 3)),
        ("https://talk.example/p/77/4", ("", 77)),
        ("https://talk.example/u/ann", None),
        ("https://other.example/t/12/3", None),
        *((url, None) for url in NOT_OURS),
    ],
)
def test_discourse(url: str, place: tuple[str, int] | None) -> None:
    assert discourse.place_in(url, "https://talk.example") == place


def test_a_forum_in_a_folder() -> None:
    assert discourse.place_in("https://a.example/talk/t/x/12/3", "https://a.example/talk") == ("12", 3)


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("https://far.example/@ann/113#replies", "https://far.example/@ann/113"),
        ("https://far.example/@ann@other.example/113", "https://far.example/@ann@other.example/113"),
        ("https://Far.example/users/ann/statuses/113", "https://far.example/users/ann/statuses/113"),
        ("https://far.example/@ann/statuses/01HX", "https://far.example/@ann/statuses/01HX"),
        ("https://far.example/@ann/posts/113/", "https://far.example/@ann/posts/113/"),
        ("https://far.example/notice/AbC9", "https://far.example/notice/AbC9"),
        ("https://far.example/objects/1b4e28ba-2fa1", "https://far.example/objects/1b4e28ba-2fa1"),
        ("https://far.example/@ann", ""),
        ("https://medium.example/@ann/a-story-of-a-coat-1a2b", ""),
        ("https://shop.example/cart", ""),
        *((url, "") for url in NOT_OURS),
    ],
)
def test_mastodon(url: str, address: str) -> None:
    assert post_address(url) == address


@pytest.mark.parametrize(
    ("url", "place"),
    [
        ("https://www.facebook.com/brand/posts/7?comment_id=8", ("1_7", "7_8")),
        ("https://m.facebook.com/brand/posts/7?comment_id=8&reply_comment_id=9", ("1_7", "7_9")),
        ("https://www.facebook.com/brand/posts/new-coats/7", ("1_7", "")),
        ("https://www.facebook.com/permalink.php?story_fbid=7&id=1&comment_id=8", ("1_7", "7_8")),
        ("https://www.facebook.com/permalink.php?story_fbid=7&id=2", None),
        ("https://www.facebook.com/1_7", ("1_7", "")),
        ("https://www.facebook.com/7_8", ("1_7", "7_8")),
        ("https://www.facebook.com/brand/posts/pfbid02abc?comment_id=8", None),
        ("https://www.facebook.com/brand/posts/7?comment_id=Y29t", None),
        ("https://www.facebook.com/brand", None),
        ("https://notfacebook.com/1_7", None),
        *((url, None) for url in NOT_OURS),
    ],
)
def test_facebook(url: str, place: tuple[str, str] | None) -> None:
    assert fb_place(url, "https://www.facebook.com", "1") == place


@pytest.mark.parametrize(
    ("url", "place"),
    [
        ("https://www.instagram.com/p/C_a-9/c/178/", ("C_a-9", "178")),
        ("https://www.instagram.com/brand/reel/C_a-9/c/178/r/179/", ("C_a-9", "179")),
        ("https://www.instagram.com/p/C_a-9/", None),
        ("https://www.instagram.com/brand/", None),
        *((url, None) for url in NOT_OURS),
    ],
)
def test_instagram(url: str, place: tuple[str, str] | None) -> None:
    assert ig_place(url, "https://www.instagram.com") == place


def test_the_code_of_a_media_is_read_from_its_address() -> None:
    assert code_of("https://www.instagram.com/reel/C_a-9/?x=1") == "C_a-9"
    assert code_of("https://www.instagram.com/brand/") == ""
