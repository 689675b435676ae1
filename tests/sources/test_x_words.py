"""X's signatures, its way of counting, and its JSON in our words."""

from __future__ import annotations

import secrets
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.errors import AuthFailed, Closed, Gone, RateLimited, Rejected
from connector.http import Answer
from connector.sources.x.account import Keys, refusal, wait_from
from connector.sources.x.words import Included, has_link, memo_of, mention_from, same_words, text_of, weighted_length


def test_the_signature_is_that_of_xs_own_example(monkeypatch: pytest.MonkeyPatch) -> None:
    # https://docs.x.com/fundamentals/authentication/oauth-1-0a/authorizing-a-request
    nonce = "kYjzVBB8Y0ZFabxSWbWovY3uYSQ2pTgmZeNu2VS4cg"
    monkeypatch.setattr(secrets, "token_hex", lambda _: nonce)
    keys = Keys(
        "xvz1evFS4wEEPTGEFPHBog",
        "kAcSOqF21Fu85e7zjz7ZN2U4ZRhfV3WpwPAoE3Z7kBw",
        "370773112-GmHxMAgYyLbNEtIKZeRNFsMKPR9EyMZeS9weJAEb",
        "LswwdoUaIvS8ltyTt5jkRh4J50vUPVVHtR2YPi5kE",
    )
    params = {"include_entities": "true", "status": "Hello Ladies + Gentlemen, a signed OAuth request!"}
    header = keys.authorization("POST", "https://api.twitter.com/1/statuses/update.json", params, 1318622958.9)
    assert 'oauth_signature="tnnArxj06cWHq44gCs1OSKk%2FjLY%3D"' in header


@pytest.mark.parametrize(
    ("text", "length"),
    [
        ("hello", 5),
        ("привет", 6),
        ("日本", 4),
        ("👾", 2),
        ("🙋🏽", 2),
        ("👨‍👩‍👧‍👦", 2),
        ("🇷🇺", 2),
        ("1️⃣", 2),
        ("cafe\u0301", 4),
        ("“so” — and…", 12),
        ("https://example.com", 23),
        ("https://example.com/very/long/path?with=a#lot", 23),
        ("see https://example.com/a.", 4 + 23 + 1),
        ("a\nhttps://example.com\nb", 2 + 23 + 2),
        ("two https://a.example https://b.example", 4 + 23 + 1 + 23),
        ("acme.com", 23),
        ("me@acme.com", 11),
    ],
)
def test_texts_measure_as_x_counts(text: str, length: int) -> None:
    assert weighted_length(text) == length


@given(st.text(alphabet="aя日👾 .\n", max_size=60), st.text(alphabet="aя日👾 .\n", max_size=60))
def test_more_text_is_never_shorter(one: str, other: str) -> None:
    assert weighted_length(f"{one} {other}") >= weighted_length(one) + weighted_length(other)


def test_links_are_found_with_and_without_their_scheme() -> None:
    assert [has_link(text) for text in ("see https://a.example/x", "see acme.com", "no. Nothing", "v1.2")] == [
        True,
        True,
        False,
        False,
    ]


def test_what_x_does_to_a_text_does_not_make_it_another() -> None:
    assert same_words("@ann @bob  See https://acme.example/ now", "See acme.example now")
    assert not same_words("See https://acme.example/a", "See https://acme.example/b")
    assert not same_words("yes", "no")


POST: dict[str, Any] = {
    "id": "12",
    "author_id": "7",
    "text": "@brand a &amp; b https://t.co/x https://t.co/p",
    "created_at": "2026-07-24T21:23:23.000Z",
    "conversation_id": "3",
    "edit_history_tweet_ids": ["11", "12"],
    "entities": {
        "mentions": [{"start": 0, "end": 6, "username": "brand", "id": "1"}],
        "urls": [
            {"url": "https://t.co/x", "expanded_url": "https://acme.example/long"},
            {"url": "https://t.co/p", "expanded_url": "https://x.com/7/photo/1", "media_key": "3_1"},
        ],
    },
    "lang": "qme",
}


def read(post: dict[str, Any], us: str = "1", called: str = "no") -> Any:
    return mention_from(post, Included({}), source="x", web="https://x.com", us=us, called=called)


@pytest.mark.parametrize(
    ("entities", "begin", "called", "summoned"),
    [
        ([{"id": "1", "start": 0}], 0, "no", "yes"),
        ([{"id": "1", "start": 0}], 7, "no", "perhaps"),
        ([{"id": "1", "start": 0}, {"id": "1", "start": 9}], 7, "no", "yes"),
        ([{"id": "2", "start": 0}], 0, "no", "no"),
        ([{"username": "brand", "start": 0}], 0, "perhaps", "perhaps"),
        ([], 0, "yes", "yes"),
    ],
)
def test_who_called_us_is_known_by_the_handle_and_by_where_it_came_from(
    entities: list[dict[str, Any]], begin: int, called: str, summoned: str
) -> None:
    post = POST | {"entities": {"mentions": entities}, "display_text_range": [begin, 20]}
    assert memo_of(read(post, called=called))["summoned"] == summoned


def test_a_post_is_read_whole() -> None:
    mention = read(POST)
    assert (mention.external_id, mention.version, mention.thread_id) == ("11", "12", "3")
    assert mention.text == "@brand a & b https://acme.example/long"
    assert (mention.language, mention.own, mention.author.url) == ("", False, "https://x.com/i/user/7")
    assert read(POST, us="7").own


def test_a_long_post_is_read_in_full() -> None:
    note = {"text": "all of it https://t.co/z", "entities": {"urls": [{"url": "https://t.co/z"}]}}
    assert text_of(POST | {"note_tweet": note}) == "all of it https://t.co/z"
    assert text_of(POST | {"note_post": note}) == "all of it https://t.co/z"


@pytest.mark.parametrize("missing", ["id", "author_id", "created_at"])
def test_what_is_no_post_is_refused(missing: str) -> None:
    bad = {name: value for name, value in POST.items() if name != missing and name != "edit_history_tweet_ids"}
    with pytest.raises((KeyError, TypeError, ValueError)):
        read(bad)


def answer(status: int, kind: str = "", **headers: str) -> Answer:
    body = f'{{"type": "https://api.x.com/2/problems/{kind}", "title": "No", "detail": "words"}}'
    return Answer(status, headers, body.encode())


@pytest.mark.parametrize(
    ("status", "kind", "write", "error"),
    [
        (401, "", False, AuthFailed),
        (402, "", True, AuthFailed),
        (403, "usage-capped", True, AuthFailed),
        (429, "usage-capped", False, AuthFailed),
        (403, "client-forbidden", True, AuthFailed),
        (403, "oauth1-permissions", True, AuthFailed),
        (403, "about:blank", True, Closed),
        (403, "about:blank", False, AuthFailed),
        (403, "not-authorized-for-resource", False, Closed),
        (404, "", False, Gone),
        (429, "", True, RateLimited),
        (400, "invalid-request", True, Rejected),
        (422, "", True, Rejected),
    ],
)
def test_a_refusal_says_what_to_do(status: int, kind: str, write: bool, error: type[Exception]) -> None:
    found = refusal(answer(status, kind), "x", "op", None, write=write)
    assert type(found) is error


def test_the_wait_is_until_the_last_of_the_windows_that_are_used_up() -> None:
    used = {"x-rate-limit-remaining": "0", "x-rate-limit-reset": "130", "x-user-limit-24hour-remaining": "0"}
    assert wait_from(Answer(200, used | {"x-user-limit-24hour-reset": "900"}, b""), 100.0) == 800.0
    assert wait_from(Answer(200, used, b""), 100.0) == 30.0
    assert wait_from(Answer(200, {"x-rate-limit-remaining": "3", "x-rate-limit-reset": "130"}, b""), 100.0) is None
    assert wait_from(Answer(429, {"x-rate-limit-reset": "90"}, b""), 100.0) == 1.0
    assert wait_from(Answer(429, {"Retry-After": "9"}, b""), 100.0) == 9.0
