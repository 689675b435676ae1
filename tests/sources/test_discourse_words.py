"""Discourse's JSON read into our words, its signed calls, its refusals, and what the cursor remembers."""

from __future__ import annotations

import hashlib
import hmac
import json
from typing import Any

import pytest

from connector.adapter import Hook
from connector.errors import BadHook, RateLimited
from connector.http import Answer
from connector.sources.discourse.forum import explain, refusal, wait_from
from connector.sources.discourse.window import Stream, Watched, Window
from connector.sources.discourse.words import (
    answers,
    attachments_from,
    edition,
    is_gone,
    is_written,
    mention_from_post,
    named_in,
    number_of,
    opened,
    text_of,
)

BASE = "https://forum.example.com"
SECRET = "a-secret-of-ours"


def a_post(**more: Any) -> dict[str, Any]:
    return {
        "id": 70,
        "topic_id": 7,
        "post_number": 2,
        "user_id": 3,
        "username": "ann",
        "created_at": "2026-11-22T04:06:59.934Z",
        "raw": "hello",
        "cooked": "<p>hello</p>",
        **more,
    }


def a_hook(body: bytes, **headers: str) -> Hook:
    signature = hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
    given = {"x-discourse-event": "post_created", "x-discourse-event-signature": f"sha256={signature}"}
    return Hook(given | {name.replace("_", "-"): value for name, value in headers.items()}, body, 0.0)


# --- posts -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        ("see ![a dress|690x388](upload://x.png) there", "see a dress there"),
        ("[bill.pdf|attachment](upload://y.pdf) (1.2 MB)", "bill.pdf"),
        ('[quote="bob, post:1, topic:7"]\nIt is\nlate\n[/quote]\n\nIndeed', "> bob: It is\n> late\n\nIndeed"),
        ("[quote]who?[/quote]\nme", "> who?\n\nme"),
        ("[a link](https://shop.example) stays", "[a link](https://shop.example) stays"),
        ("  \n\n\n\nx  ", "x"),
    ],
)
def test_what_a_person_typed_is_read_without_the_forums_markings(raw: str, text: str) -> None:
    assert text_of({"raw": raw}) == text


def test_where_nothing_typed_is_given_the_page_is_read() -> None:
    cooked = '<p><a class="mention" href="/u/brand">@brand</a> where?<br>now</p>'
    assert text_of({"cooked": cooked}) == "@brand where?\nnow"


def test_names_are_those_the_forum_made_links_of() -> None:
    cooked = (
        '<p><a class="mention" href="/u/brand">@Brand</a> <a class="mention-group notify" href="/groups/support">'
        "@support</a> a@mail.example <code>@coded</code></p>"
    )
    assert named_in({"cooked": cooked, "raw": "@other"}) == {"brand", "support"}
    assert named_in({"raw": "@Brand. and me@mail.example"}) == {"brand"}


def test_pictures_and_files_are_taken_whole_and_decorations_are_not() -> None:
    cooked = (
        '<a class="lightbox" href="/uploads/big.jpg" title="receipt"><img src="/uploads/small.jpg" alt="receipt"></a>'
        '<img src="//cdn.example/plain.png" alt="plain"><img class="emoji" src="/smile.png" alt=":smile:">'
        '<aside class="quote"><img class="avatar" src="/bob.png"><img src="/uploads/quoted.png"></aside>'
        '<aside class="onebox"><img src="/preview.png"></aside><img src="data:image/png;base64,x">'
        '<a class="attachment" href="/uploads/bill.pdf">bill.pdf</a><a href="/x">x</a>'
        '<img src="/uploads/big.jpg">'
    )
    assert [(one.url, one.type, one.name) for one in attachments_from({"cooked": cooked}, BASE)] == [
        (f"{BASE}/uploads/big.jpg", "image/jpeg", "receipt"),
        ("https://cdn.example/plain.png", "image/png", "plain"),
        (f"{BASE}/uploads/bill.pdf", "application/pdf", "bill.pdf"),
    ]


def test_people_of_two_forums_are_never_the_same() -> None:
    ids = {mention_from_post(a_post(), "f", base, private=False).author.id for base in (BASE, "https://b.example")}
    assert ids == {"3@forum.example.com", "3@b.example"}


def test_an_address_is_made_where_the_forum_gives_none() -> None:
    assert mention_from_post(a_post(), "f", BASE, private=False).url == f"{BASE}/t/7/2"
    assert mention_from_post(a_post(post_url="/t/late/7/2"), "f", BASE, private=False).url == f"{BASE}/t/late/7/2"


@pytest.mark.parametrize(("value", "number"), [(3, 3), ("3", 3), (None, 0), ("", 0), ("x", 0), ("-1", 0)])
def test_numbers_come_as_numbers_or_as_text(value: Any, number: int) -> None:
    assert number_of(value) == number


def test_what_is_written_and_what_is_gone() -> None:
    assert is_written(a_post())
    assert not is_written(a_post(post_type=3))
    assert not is_written(a_post(post_type=4))
    assert is_gone(a_post(user_deleted=True))
    assert is_gone(a_post(deleted_at="2026-11-22T04:06:59.934Z"))
    assert not is_gone(a_post(deleted_at=None, user_deleted=False))


def test_an_answer_is_one_to_the_user_in_any_case() -> None:
    assert answers(a_post(reply_to_user={"username": "Brand"}), "brand")
    assert not answers(a_post(reply_to_user=None), "brand")
    assert not answers(a_post(reply_to_post_number=1), "brand")


def test_a_quick_correction_is_another_edition_though_the_forum_does_not_count_it() -> None:
    assert edition(a_post(version=1)) != edition(a_post(version=1, raw="hallo"))
    assert edition(a_post(version=1)) != edition(a_post(version=2))


# --- calls -------------------------------------------------------------------------------------------------------


def test_a_signed_call_is_opened() -> None:
    assert opened(a_hook(b'{"post": {"id": 1}}'), SECRET) == ("post_created", {"id": 1})
    assert opened(a_hook(b'{"ping": "OK"}', x_discourse_event="ping"), SECRET) == ("ping", None)
    assert opened(a_hook(b"[1]"), SECRET) == ("post_created", None)


@pytest.mark.parametrize(
    ("hook", "status", "words"),
    [
        (a_hook(b"{}", x_discourse_event_signature=""), 401, "not signed"),
        (a_hook(b"{}", x_discourse_event_signature="sha256=00"), 401, "does not fit"),
        (a_hook(b"{}", x_discourse_event_signature="sha256=é"), 401, "does not fit"),
        (a_hook(b"payload=%7B%7D"), 400, "application/json"),
        (a_hook(b"[" * 100_000), 400, "application/json"),
    ],
)
def test_a_call_that_cannot_be_trusted_or_read_is_refused_with_the_remedy(
    hook: Hook, status: int, words: str
) -> None:
    with pytest.raises(BadHook) as caught:
        opened(hook, SECRET)
    assert (caught.value.status, words in caught.value.sentence) == (status, True)


# --- refusals ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "error", "kind", "expected"),
    [
        (403, "The API username or key is invalid.", "invalid_access", "AuthFailed"),
        (403, "You need to be logged in to do that.", "not_logged_in", "AuthFailed"),
        (403, "You are not permitted to view the requested resource.", "invalid_access", "Closed"),
        (401, "", "", "AuthFailed"),
        (404, "could not be found", "not_found", "Gone"),
        (410, "", "", "Gone"),
        (422, "Body is too similar to what you recently posted", "", "Rejected"),
        (400, "param is missing", "invalid_parameters", "Rejected"),
        (429, "Slow down", "rate_limit", "RateLimited"),
    ],
)
def test_a_refusal_says_what_to_do(status: int, error: str, kind: str, expected: str) -> None:
    body = json.dumps({"errors": [error], "error_type": kind}).encode()
    assert type(refusal(Answer(status, {}, body), "f", "reply")).__name__ == expected


def test_the_wait_is_read_in_every_form() -> None:
    assert wait_from(Answer(429, {"Retry-After": "9"}, b"Slow down")) == 9
    assert wait_from(Answer(429, {}, b'{"extras": {"wait_seconds": 14}}')) == 14
    assert wait_from(Answer(429, {}, b'{"extras": {"wait_seconds": "12"}}')) == 12
    assert wait_from(Answer(429, {}, b"[]")) == 30
    assert wait_from(Answer(429, {}, b"<html>")) == 30
    found = refusal(Answer(429, {}, b'{"errors": ["x"], "extras": {"wait_seconds": 14}}'), "f", "reply")
    assert isinstance(found, RateLimited)
    assert found.wait == 14


def test_a_sentence_is_found_and_a_page_is_not_shown() -> None:
    assert explain(Answer(422, {}, b'{"errors": ["Body is", "too short"]}')) == "Body is too short"
    assert explain(Answer(429, {}, b"Slow down, too many requests.\n")) == "Slow down, too many requests."
    assert explain(Answer(404, {}, b"<html>lots of it</html>")) == "the forum answered HTTP 404"
    assert explain(Answer(404, {}, b"[]")) == "the forum answered HTTP 404"


# --- what the cursor remembers -----------------------------------------------------------------------------------


def test_the_floor_never_passes_what_was_not_told() -> None:
    stream = Stream(floor=1, seen={2: 10.0, 4: 20.0, 9: 500.0})
    stream.settle([3])
    assert (stream.floor, stream.seen) == (2, {4: 20.0, 9: 500.0})
    stream.settle([])
    assert (stream.floor, stream.seen) == (4, {9: 500.0})


def test_an_empty_forum_begins_at_its_beginning() -> None:
    stream = Stream()
    stream.begin([])
    assert (stream.floor, stream.seen) == (0, {})


def test_a_window_survives_being_written() -> None:
    watched = [Watched("70", "7", "3@x", True, 9, "abcd")]
    memory = Window(Stream(4, {5: 1.5}), Stream(2, {}), 3.0, 1, watched)
    assert Window.read(memory.written()) == memory


def test_a_topic_is_known_by_its_author_or_by_itself() -> None:
    memory = Window(watched=[Watched("70", "7", "3@x", False, 9, "abcd")])
    assert memory.knows("7")
    assert memory.knows("7", "3@x")
    assert not memory.knows("7", "4@x")
    assert not memory.knows("8")
