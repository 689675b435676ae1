"""Mastodon's JSON read into our words: what other servers of its kind write differently, and what nobody should."""

from __future__ import annotations

from typing import Any

import pytest

from connector.http import Answer
from connector.sources.mastodon.server import limits_from, refusal, wait_from
from connector.sources.mastodon.window import Watched, Window
from connector.sources.mastodon.words import (
    addressed,
    following_id,
    length_of,
    mention_from_status,
    same_words,
    seconds,
    text_of,
)


def a_status(**more: Any) -> dict[str, Any]:
    return {
        "id": "7",
        "created_at": "2026-11-22T04:06:59.934136+00:00",
        "content": "<p>hello</p>",
        "visibility": "public",
        "account": {"id": "1", "acct": "ann", "url": "https://Home.example/@ann"},
        **more,
    }


def test_names_hashtags_and_shortened_links_read_as_people_see_them() -> None:
    content = (
        '<p><span class="h-card"><a href="https://m.example/@b" class="u-url mention">@<span>brand</span></a></span>'
        ' <a href="https://m.example/tags/help" class="mention hashtag" rel="tag">#<span>help</span></a><br />see '
        '<a href="https://shop.example/a/very/long/address"><span class="invisible">https://</span>'
        '<span class="ellipsis">shop.example/a/very</span><span class="invisible">/long/address</span></a></p>'
        "<p>&lt;3</p>"
    )
    assert text_of({"content": content}) == "@brand #help\nsee https://shop.example/a/very/long/address\n\n<3"


def test_a_poll_is_told_with_its_answers() -> None:
    poll = {"options": [{"title": "yes"}, {"title": "no"}]}
    assert text_of(a_status(poll=poll)) == "hello\n○ yes\n○ no"


def test_an_author_of_our_server_has_a_full_address_and_the_short_handle() -> None:
    author = mention_from_status(a_status(), "s").author
    assert (author.id, author.handle) == ("ann@home.example", "ann")


def test_media_that_is_not_ready_or_has_no_address_is_left_out() -> None:
    media = [
        {"type": "image", "url": None, "remote_url": None},
        {"type": "gifv", "url": "https://f.example/1", "description": None},
        {"type": "unknown", "url": None, "remote_url": "https://far.example/2.webp", "description": "x" * 300},
    ]
    found = mention_from_status(a_status(media_attachments=media), "s").attachments
    assert [(one.url, one.type, len(one.name)) for one in found] == [
        ("https://f.example/1", "video/mp4", 0),
        ("https://far.example/2.webp", "image/webp", 200),
    ]


def test_a_visibility_of_a_servers_own_counts_as_restricted() -> None:
    assert mention_from_status(a_status(visibility="mutuals_only"), "s").private is False
    assert mention_from_status(a_status(visibility="direct"), "s").kind == "dm"


@pytest.mark.parametrize("quote", [None, {"state": "pending", "quoted_status": None}, {"state": "deleted"}, "odd"])
def test_a_quote_we_may_not_see_has_no_parent(quote: Any) -> None:
    assert mention_from_status(a_status(quote=quote), "s").parent is None


def test_pleromas_bare_quote_is_read_too() -> None:
    parent = mention_from_status(a_status(quote=a_status(id="3", content="said")), "s").parent
    assert parent is not None
    assert (parent.id, parent.text) == ("3", "said")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("2026-11-22T04:06:59Z", 1795320419.0),
        ("2026-11-22T04:06:59.000+00:00", 1795320419.0),
        ("1795320419", 1795320419.0),
        (1795320419, 1795320419.0),
        ("soon", None),
        ("", None),
        (None, None),
    ],
)
def test_times_come_in_two_forms(value: Any, expected: float | None) -> None:
    assert seconds(value) == expected


def test_the_bookmark_is_taken_from_the_link_header() -> None:
    link = (
        '<https://m.example/n?limit=2&max_id=5>; rel="next", <https://m.example/n?min_id=01JD%3D&limit=2>; rel="prev"'
    )
    assert following_id(link, "prev", "min_id") == "01JD="
    assert following_id(link, "next", "max_id") == "5"
    assert following_id("", "next", "max_id") == ""


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("hi", "@ann@far.example hi"),
        ("hi @Ann@far.example!", "hi @Ann@far.example!"),
        ("hi @ann", "@ann@far.example hi @ann"),
        ("mail ann@far.example", "@ann@far.example mail ann@far.example"),
    ],
)
def test_an_answer_names_the_person_once(text: str, expected: str) -> None:
    assert addressed(text, "ann@far.example") == expected


def test_mastodon_counts_addresses_and_names_short_and_others_do_not() -> None:
    text = "@ann@far.example https://shop.example/a-long-address-of-more-than-23"
    assert length_of(text, 23) == len("@ann ") + 23
    assert length_of(text, 0) == len(text)


def test_a_post_is_known_again_however_it_is_shown() -> None:
    text = '@ann@far.example "Yes" — it\'s #here: https://shop.example/a?b=c&d 👋\n\nBye & thanks'
    shown = (
        '<p><a class="u-url mention" href="https://far.example/@ann">@<span>ann</span></a> “Yes” — it\'s '
        '<a class="hashtag" href="https://far.example/tags/here">#<span>here</span></a>: '
        '<a href="https://shop.example/a?b=c&amp;d">shop.example/a</a> 👋</p><p>Bye &amp; thanks</p>'
    )
    assert same_words({"content": shown}, text)
    assert not same_words({"content": "<p>@ann Yes it's, bye</p>"}, text)


@pytest.mark.parametrize(
    ("version", "per_url"),
    [
        ("4.4.1", 23),
        ("4.3.0+glitch", 23),
        ("10.0.0", 23),
        ("2.7.2 (compatible; Pleroma 2.6.0)", 0),
        ("0.20.2 git-abcdef1", 0),
        ("takahe/0.11.0", 0),
        ("", 0),
    ],
)
def test_only_mastodon_is_counted_as_mastodon(version: str, per_url: int) -> None:
    told = {"version": version, "configuration": {"statuses": {"characters_reserved_per_url": 23}}}
    assert limits_from(told).per_url == per_url


def test_limits_are_read_where_servers_have_them() -> None:
    assert limits_from({"max_toot_chars": 5000}).characters == 5000
    assert limits_from({"configuration": None, "version": "4.0.0"}).characters == 500
    assert limits_from({"configuration": {"statuses": {"max_characters": 1000}}}).characters == 1000


@pytest.mark.parametrize(
    ("status", "error", "operation", "expected"),
    [
        (400, "Invalid Bearer token", "status", "AuthFailed"),
        (400, "There was a problem parsing the request", "reply", "Rejected"),
        (401, "The access token is invalid", "status", "AuthFailed"),
        (403, "This action is outside the authorized scopes", "reply", "AuthFailed"),
        (403, "Your login is currently disabled", "reply", "AuthFailed"),
        (403, "you do not have permission to reply to this status", "reply", "Closed"),
        (404, "Record not found", "status", "Gone"),
        (410, "gone", "status", "Gone"),
        (422, "Validation failed: Text can't be blank", "reply", "Rejected"),
        (429, "Too many requests", "reply", "RateLimited"),
    ],
)
def test_a_refusal_says_what_to_do(status: int, error: str, operation: str, expected: str) -> None:
    answer = Answer(status, {}, f'{{"error": "{error}"}}'.encode())
    assert type(refusal(answer, "s", operation, None)).__name__ == expected


def test_the_wait_is_read_in_every_form() -> None:
    assert wait_from(Answer(429, {"Retry-After": "9"}, b""), 0.0) == 9
    assert wait_from(Answer(429, {"X-RateLimit-Reset": "2026-11-22T04:07:29Z"}, b""), 1795320419.0) == 30
    assert wait_from(Answer(429, {"X-RateLimit-Reset": "1795320449"}, b""), 1795320419.0) == 30
    assert wait_from(Answer(429, {"X-RateLimit-Reset": "1795320449"}, b""), 1795320500.0) == 1
    assert wait_from(Answer(429, {}, b""), 0.0) is None


# --- what the cursor remembers -----------------------------------------------------------------------------------


def test_the_bookmark_never_passes_what_was_not_told() -> None:
    memory = Window(min_id="1", told=[("3", 10.0)])
    memory.advance([("2", 10.0), ("3", 10.0), ("4", 500.0)], {"4"})
    assert (memory.min_id, [one for one, _ in memory.told]) == ("1", ["3", "4"])
    memory.advance([("2", 10.0), ("3", 10.0), ("4", 500.0)], {"2"})
    assert (memory.min_id, [one for one, _ in memory.told]) == ("3", ["4"])


def test_what_is_told_and_not_read_again_stays_remembered() -> None:
    memory = Window(min_id="1", told=[("9", 500.0)])
    memory.advance([("2", 10.0)], {"2"})
    assert (memory.min_id, [one for one, _ in memory.told]) == ("2", ["9"])


def test_a_window_survives_being_written() -> None:
    memory = Window("5", [("6", 1.5)], "7", 3.0, 1, [Watched("a", "b", "ann@x", "1", 9, "e")])
    assert Window.read(memory.written()) == memory


def test_the_watched_go_round_and_the_old_ones_go() -> None:
    memory = Window()
    memory.watch([Watched(str(n), "t", "a", "1", n) for n in range(5)], now=10, keep=8)
    assert [one.id for one in memory.watched] == ["2", "3", "4"]
    assert [one.id for one in memory.due(2)] == ["2", "3"]
    assert [one.id for one in memory.due(2)] == ["4"]
    assert [one.id for one in memory.due(2)] == ["2", "3"]
