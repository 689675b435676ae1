"""What is logged: facts, and never a secret nor what somebody wrote, not even in a traceback."""

from __future__ import annotations

import contextlib
import io
import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from connector import log
from connector.errors import Problem, Rejected
from connector.model import Author, Mention

Lines = Callable[[], list[dict[str, Any]]]


@pytest.fixture
def stderr(monkeypatch: pytest.MonkeyPatch) -> Iterator[io.StringIO]:
    """Where lines go, with no secret known yet."""
    shown = io.StringIO()
    monkeypatch.setattr(sys, "stderr", shown)
    monkeypatch.setattr(log, "_secrets", set())
    monkeypatch.setattr(log, "_pattern", None)
    yield shown
    structlog.reset_defaults()


@pytest.fixture
def lines(stderr: io.StringIO) -> Lines:
    """Every line logged, as a script reads it."""
    log.configure(level="debug")
    return lambda: [json.loads(line) for line in stderr.getvalue().splitlines()]


def test_an_event_is_a_phrase_and_its_facts_are_keys(lines: Lines) -> None:
    log.get(source="feed").info("delivery carried", delivery=7, seconds=0.5, ok=True, ticket=None)
    (line,) = lines()

    assert datetime.fromisoformat(line.pop("timestamp")).tzinfo is not None
    assert line == {
        "event": "delivery carried", "level": "info", "source": "feed",
        "delivery": 7, "seconds": 0.5, "ok": True, "ticket": None,
    }  # fmt: skip


def test_what_is_less_than_the_level_is_not_logged(stderr: io.StringIO) -> None:
    with contextlib.redirect_stderr(stderr):
        log.configure(level="warning")
    log.get().info("quiet")
    log.get().warning("loud")

    assert [json.loads(line)["event"] for line in stderr.getvalue().splitlines()] == ["loud"]


def test_a_person_gets_lines_for_people(stderr: io.StringIO) -> None:
    with contextlib.redirect_stderr(stderr):
        log.configure(json=False)
    log.get().info("running", address="http://127.0.0.1:1", text="личное")
    shown = stderr.getvalue()

    assert "running" in shown
    assert "личное" not in shown
    assert not shown.startswith("{")


def test_a_secret_is_masked_wherever_it_stands(lines: Lines) -> None:
    log.remember_secret("s3cr3t-t0ken")
    log.get(why="bound s3cr3t-t0ken").info(
        "said s3cr3t-t0ken",
        url="https://x.example/?k=s3cr3t-t0ken",
        deep={"a": ["s3cr3t-t0ken", {"s3cr3t-t0ken": 1}]},
        path=Path("/run/s3cr3t-t0ken"),
    )

    assert "s3cr3t" not in json.dumps(lines())


def test_a_secret_within_another_is_masked_whole() -> None:
    log.remember_secret("abcde12345")
    log.remember_secret("abcde12345-and-more")

    assert log.masked("it is abcde12345-and-more or abcde12345") == "it is *** or ***"


def test_a_very_short_value_would_mask_everything_and_is_left() -> None:
    log.remember_secret("e")
    log.remember_secret("")

    assert log.masked("hello there") == "hello there"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Authorization: Bearer abc.def-123", "Authorization: Bearer ***"),
        ("basic: Basic YWRtaW46cGFzcw==", "basic: Basic ***"),
        ("bearer abc.def-123", "bearer ***"),
        ("postgresql://u:p4ss@db.example/c", "postgresql://u:***@db.example/c"),
        ("https://u:p4ss@x/ and ftp://v:w0rd@y/", "https://u:***@x/ and ftp://v:***@y/"),
        ("https://:p4ss@x/", "https://:***@x/"),
        ("a Bearer of news", "a Bearer of news"),
        ("http://127.0.0.1:8080/a@b", "http://127.0.0.1:8080/a@b"),
    ],
)
def test_tokens_and_passwords_in_addresses_are_masked(text: str, shown: str) -> None:
    assert log.masked(text) == shown


@pytest.mark.parametrize(
    "key", ["token", "api_token", "password", "app_password", "secret", "authorization", "cookie"]
)
def test_what_is_called_a_secret_is_one(key: str, lines: Lines) -> None:
    log.get().info("x", **{key: "anything"}, deep={key: ["anything"]})

    assert "anything" not in json.dumps(lines())


@pytest.mark.parametrize("key", ["text", "html", "body", "name", "handle", "author", "email", "phone", "subject"])
def test_what_people_wrote_is_told_by_its_length(key: str, lines: Lines) -> None:
    log.get().info("x", **{key: "личное"}, deep=[{key: "личное"}])
    (line,) = lines()

    assert line[key] == "<6 characters>"
    assert line["deep"] == [{key: "<6 characters>"}]


def test_a_whole_mention_is_told_by_its_kind(lines: Lines) -> None:
    said = Mention("feed", "feed", "1", Author("7", "Анна Личная"), "личное", datetime(2026, 1, 1, tzinfo=UTC))
    log.get().info("x", mention=said, all=[said], author=replace(said.author), at=said.created_at)
    (line,) = lines()

    assert (line["mention"], line["all"], line["author"]) == ("<Mention>", ["<Mention>"], "<Author>")
    assert line["at"] == "2026-01-01 00:00:00+00:00"
    assert "ичн" not in json.dumps(line, ensure_ascii=False)


def fail(words: str) -> None:
    if words:
        raise ValueError(words)


def test_a_traceback_keeps_its_places_and_none_of_the_words(lines: Lines) -> None:
    log.remember_secret("s3cr3t-t0ken")
    said, name = "личное and s3cr3t-t0ken", "Анна Личная"
    try:
        try:
            fail(said)
        except ValueError as error:
            raise KeyError(name) from error
    except KeyError as error:
        log.get().error("bug", exc_info=error)
        log.get().exception("bug")
    first, second = lines()

    assert first["exception"] == second["exception"]
    assert "in fail" in first["exception"]
    assert "KeyError: <13 characters>" in first["exception"]
    assert "ValueError: <23 characters>" in first["exception"]
    assert "ичн" not in json.dumps([first, second], ensure_ascii=False)
    assert "s3cr3t" not in json.dumps([first, second])


def test_the_sentence_of_an_error_of_ours_is_kept_and_masked(lines: Lines) -> None:
    log.remember_secret("s3cr3t-t0ken")
    log.get().error("bug", exc_info=Rejected("no group of that name: s3cr3t-t0ken", service="desk"))

    assert lines()[0]["exception"] == "Rejected: desk: no group of that name: ***"


def test_no_error_is_no_traceback(lines: Lines) -> None:
    log.get().error("x", exc_info=None)
    log.get().error("x", exc_info=True)

    assert all("exception" not in line and "exc_info" not in line for line in lines())


def test_a_circle_of_causes_ends(lines: Lines) -> None:
    one, two = ValueError("a"), ValueError("b")
    one.__cause__, two.__cause__ = two, one
    log.get().error("bug", exc_info=one)

    assert lines()[0]["exception"].count("ValueError") == 10


def test_an_object_that_nobody_foresaw_is_told_by_its_kind(lines: Lines) -> None:
    log.get().info("x", thing=Problem("a", 1, 1, "", "личное"), raw=b"s3cr3t", call=print)

    assert (lines()[0])["thing"] == "<Problem>"


@given(st.text(min_size=5, alphabet="ab*.+(|\\$^ "), st.text(max_size=20))
def test_a_secret_of_any_form_is_masked(secret: str, around: str) -> None:
    log.remember_secret(secret)

    assert secret not in log.masked(around + "x" + secret + "x" + around).replace("***", "")
