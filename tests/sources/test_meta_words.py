"""Meta's refusals and usage headers as what to do, and its JSON in our words."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from connector.errors import AuthFailed, Closed, Gone, RateLimited, Rejected, Temporary, Uncertain
from connector.http import Answer
from connector.sources.meta.graph import Doing, Duplicate, explain, refusal, wait_from
from connector.sources.meta.memory import Memory, Told
from connector.sources.meta.words import edited, fb_comment, ig_comment, instant, kept_message


def answer(status: int = 400, headers: dict[str, str] | None = None, **error: Any) -> Answer:
    body = json.dumps({"error": {"message": "words", **error}}) if error else "<html>"
    return Answer(status, headers or {}, body.encode())


@pytest.mark.parametrize(
    ("told", "doing", "error"),
    [
        ({"code": 190, "error_subcode": 463}, "read", AuthFailed),
        ({"code": 102}, "read", AuthFailed),
        ({"code": 4}, "comment", RateLimited),
        ({"code": 17}, "read", RateLimited),
        ({"code": 32}, "read", RateLimited),
        ({"code": 341}, "comment", RateLimited),
        ({"code": 613}, "message", RateLimited),
        ({"code": 80002}, "read", RateLimited),
        ({"code": 1}, "read", Temporary),
        ({"code": 2}, "comment", Uncertain),
        ({"code": 99, "is_transient": True}, "message", Uncertain),
        ({"code": 10}, "comment", AuthFailed),
        ({"code": 10, "error_subcode": 2018278}, "message", Closed),
        ({"code": 200}, "comment", AuthFailed),
        ({"code": 200}, "message", Closed),
        ({"code": 551}, "message", Closed),
        ({"code": 283}, "read", AuthFailed),
        ({"code": 368}, "comment", AuthFailed),
        ({"code": 100, "error_subcode": 33}, "comment", Gone),
        ({"code": 100, "message": "Object with ID '1' does not exist"}, "read", Gone),
        ({"code": 803}, "read", Gone),
        ({"code": 100}, "comment", Rejected),
        ({"code": 506}, "comment", Duplicate),
        ({"code": 10900}, "message", Rejected),
    ],
)
def test_a_code_says_what_to_do(told: dict[str, Any], doing: Doing, error: type[Exception]) -> None:
    assert type(refusal(answer(**told), "fb", "op", doing)) is error


@pytest.mark.parametrize(("status", "error"), [(401, AuthFailed), (403, AuthFailed), (404, Gone), (400, Rejected)])
def test_a_refusal_without_a_code_is_judged_by_its_status(status: int, error: type[Exception]) -> None:
    found = refusal(answer(status), "fb", "op", "read")
    assert type(found) is error
    assert str(status) in str(found)


def test_the_sentence_for_people_is_the_one_shown() -> None:
    assert explain(answer(code=1, error_user_msg="Please\n log in")) == "Please log in"


@pytest.mark.parametrize(
    ("headers", "wait"),
    [
        ({}, None),
        ({"X-App-Usage": '{"call_count":28,"total_time":25,"total_cputime":25}'}, None),
        ({"X-App-Usage": '{"call_count":96,"total_time":25}'}, 60.0),
        ({"X-App-Usage": '{"call_count":2,"total_time":101}'}, 300.0),
        ({"X-Business-Use-Case-Usage": '{"1":[{"type":"pages","call_count":100}]}'}, 300.0),
        ({"X-Business-Use-Case-Usage": '{"1":[{"call_count":2},{"estimated_time_to_regain_access":7}]}'}, 420.0),
        ({"Retry-After": "7", "X-App-Usage": '{"call_count":100}'}, 7.0),
        ({"X-App-Usage": "soon"}, None),
        ({"X-App-Usage": '["soon"]'}, None),
    ],
)
def test_usage_headers_say_how_long_to_be_quiet(headers: dict[str, str], wait: float | None) -> None:
    assert wait_from(answer(200, headers)) == wait


@pytest.mark.parametrize("told", [1789997600, "2026-09-21T13:33:20+0000", "2026-09-21T13:33:20Z"])
def test_times_come_in_all_of_metas_forms(told: Any) -> None:
    assert instant(told) == datetime(2026, 9, 21, 13, 33, 20, tzinfo=UTC)


POST = {"id": "1_2", "message": "ours", "from": {"id": "1", "name": "Brand"}}
COMMENT = {"id": "2_3", "message": "hm", "created_time": "2026-09-21T13:33:20+0000"}


def test_a_comment_whose_author_meta_keeps_back_has_an_author_of_its_own() -> None:
    one = fb_comment(COMMENT, POST, source="fb", web="https://f.example", us="1")
    other = fb_comment(COMMENT | {"id": "2_4"}, POST, source="fb", web="https://f.example", us="1")
    assert one.author.id != other.author.id
    assert (one.author.name, one.author.url, one.own, one.url) == ("", "", False, "https://f.example/2_3")


def test_an_instagram_author_is_known_by_name_where_there_is_no_number() -> None:
    comment = {"id": "9", "text": "hm", "timestamp": "2026-09-21T13:33:20+0000", "username": "ann"}
    found = ig_comment(comment, {"id": "8"}, source="ig", web="https://i.example", us="1", handle="brand")
    assert (found.author.id, found.author.handle, found.author.url) == ("@ann", "ann", "https://i.example/ann/")


def test_a_kept_message_tells_its_files_and_whom_it_was_to() -> None:
    files = [{"mime_type": "image/png", "image_data": {"url": "https://f.example/a"}}, {"name": "x"}]
    message = COMMENT | {"from": {"id": "1", "name": "Brand"}, "to": {"data": [{"id": "1"}, {"id": "5"}]}}
    found = kept_message(
        message | {"attachments": {"data": files}}, source="fb", platform="facebook", web="https://f.example", us="1"
    )
    assert (found.own, found.thread_id) == (True, "t:5")
    assert [(one.url, one.type) for one in found.attachments] == [("https://f.example/a", "image/png")]


def test_the_same_words_are_the_same_edit() -> None:
    assert edited("a") == edited("a") != edited("b")


def test_only_what_had_to_be_listed_is_missing() -> None:
    memory = Memory(at=100.0, floor=0.0)
    memory.told = {
        "seen": Told(50, "x", "t", "a"),
        "gone": Told(50, "x", "t", "a"),
        "older": Told(10, "x", "t", "a"),
        "elsewhere": Told(50, "x", "u", "a"),
        "message": Told(50, "x", "t", "a", True),
    }
    assert memory.missing({"t": 20.0}, frozenset({"seen"})) == ["gone"]
    assert Memory.read(memory.written()) == memory
    memory.forget(20.0)
    assert (sorted(memory.told), memory.floor) == (["elsewhere", "gone", "message", "seen"], 20.0)
