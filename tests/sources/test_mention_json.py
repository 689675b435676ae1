"""Mention JSON: any bytes give either mentions or one sentence with its place."""

from __future__ import annotations

import contextlib
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import jsonschema
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from connector.errors import BadHook
from connector.mentionjson import EXAMPLE, MAX_MENTIONS, read_mention, read_mentions, schema
from connector.model import Mention, Parent, Tone, decode, encode

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
LEAST: dict[str, Any] = {"id": "1", "text": "hello", "author": {"id": "ann"}}


def read(value: Any) -> tuple[Mention, ...]:
    body = value if isinstance(value, bytes) else json.dumps(value).encode()
    return read_mentions(body, source="feed", platform="forum", received_at=NOW.timestamp())


def one(**more: Any) -> Mention:
    return read(LEAST | more)[0]


def refused(value: Any) -> tuple[int | None, str]:
    with pytest.raises(BadHook) as caught:
        read(value)
    return caught.value.status, caught.value.sentence


def test_the_example_is_read_whole() -> None:
    mention = read(dict(EXAMPLE))[0]
    assert (mention.external_id, mention.kind, mention.language) == ("wall-1_77_501", "comment", "ru")
    assert mention.tone == Tone("negative", -0.5, 1.0, by="source")
    assert mention.parent == Parent("wall-1_77", "Новая коллекция уже в продаже", "https://example.com/wall-1_77")
    assert (mention.author.handle, mention.author.followers) == ("anna_k", 1840)
    assert mention.engagement == {"likes": 12, "replies": 3}
    assert mention.attachments[0].type == "image/jpeg"
    assert mention.created_at == datetime(2026, 11, 22, 9, 30, tzinfo=UTC)


def test_only_id_text_and_the_authors_id_are_needed() -> None:
    mention = read(LEAST)[0]
    assert (mention.source, mention.platform, mention.kind) == ("feed", "forum", "post")
    assert (mention.thread_id, mention.created_at, mention.tone) == ("1", NOW, None)


def test_a_list_comes_in_its_order_and_may_be_empty() -> None:
    assert [m.external_id for m in read([LEAST | {"id": n} for n in (3, 1, 2)])] == ["3", "1", "2"]
    assert read([]) == ()


def test_null_is_the_same_as_absent() -> None:
    optional = (
        "kind url title created_at edited_at deleted language tone thread_id parent engagement rating"
    ).split()
    assert one(**dict.fromkeys([*optional, "attachments", "private", "own"])) == one()


def test_unknown_keys_are_ignored() -> None:
    assert one(sentiment=5, author={"id": "ann", "karma": [1]}) == one()


def test_ids_may_be_numbers_and_stay_exact() -> None:
    mention = one(id=9007199254740993, author={"id": -5}, thread_id=7, parent={"id": 8})
    assert (mention.external_id, mention.author.id, mention.thread_id) == ("9007199254740993", "-5", "7")
    assert mention.parent == Parent("8")


def test_a_thread_is_its_parents_where_none_is_named() -> None:
    assert one(parent={"id": "p"}).thread_id == "p"
    assert one(parent={"text": "only a text"}).thread_id == "1"
    assert one(parent={}).parent is None


def test_private_is_the_default_of_a_dm_and_can_be_told() -> None:
    assert one(kind="dm").private
    assert not one(kind="DM", private=False).private
    assert one(private=True).private
    assert not one().private


def test_an_edit_is_a_version_and_a_deletion_needs_no_text() -> None:
    assert one(edited_at="2026-11-22T12:00:00+03:00").version == "2026-11-22T09:00:00Z"
    gone = read({"id": "1", "deleted": True, "author": {"id": "ann"}})[0]
    assert (gone.deleted, gone.version, gone.text) == (True, "deleted", "")


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("2026-11-22T09:30:00Z", datetime(2026, 11, 22, 9, 30, tzinfo=UTC)),
        ("2026-11-22 09:30", datetime(2026, 11, 22, 9, 30, tzinfo=UTC)),
        ("2026-11-22T12:30:00+03:00", datetime(2026, 11, 22, 9, 30, tzinfo=UTC)),
        (1_795_339_800, datetime(2026, 11, 22, 9, 30, tzinfo=UTC)),
        (1_795_339_800_000, datetime(2026, 11, 22, 9, 30, tzinfo=UTC)),
        ((NOW + timedelta(minutes=4)).isoformat(), NOW + timedelta(minutes=4)),
        ("2031-01-01T00:00:00Z", NOW),
        ("0001-01-01T00:00:00Z", NOW),
        (0, NOW),
    ],
)
def test_times_without_a_zone_are_utc_and_impossible_ones_are_when_it_came(given: Any, expected: datetime) -> None:
    assert one(created_at=given).created_at == expected


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("positive", Tone("positive", 0.5, 1.0, by="source")),
        (" Very_Negative ", Tone("very_negative", -1.0, 1.0, by="source")),
        ({"label": "negative", "score": -0.9, "confidence": 0.7}, Tone("negative", -0.9, 0.7, by="source")),
        ("unknown", None),
        ("", None),
    ],
)
def test_tones(given: Any, expected: Tone | None) -> None:
    assert one(tone=given).tone == expected


@pytest.mark.parametrize(
    ("given", "code"), [("ru", "ru"), ("en-GB", "en"), ("zh_Hans", "zh"), ("und", ""), ("Русский", "")]
)
def test_languages_are_two_or_three_letters(given: str, code: str) -> None:
    assert one(language=given).language == code


def test_what_no_database_can_hold_is_dropped_or_replaced() -> None:
    mention = read(
        rb'{"id": 1, "text": "a\u0000b\u0007c \ud83d d\ttab", "author": {"id": 1, "name": "x\u0000y\nz"}}'
    )[0]
    assert mention.text == "abc \ufffd d\ttab"
    assert mention.author.name == "xy z"
    assert decode(Mention, encode(mention)) == mention


def test_a_mark_of_byte_order_is_no_mistake() -> None:
    assert len(read(b"\xef\xbb\xbf" + json.dumps(LEAST).encode())) == 1


DEEP = b"[" * 100_000


@pytest.mark.parametrize(
    ("value", "status", "words"),
    [
        (b"", 400, "empty"),
        (b"  \n", 400, "empty"),
        (b"hello", 400, "not JSON"),
        (b'{"id": 1', 400, "not JSON"),
        (b'{"id": 1} {"id": 2}', 400, "not JSON"),
        (b"\xff\xfe{", 400, "not JSON"),
        (b'{"id": "\xff"}', 400, "not JSON"),
        (b'{"id": NaN, "text": "x", "author": {"id": 1}}', 422, "id has to be"),
        (DEEP, 400, "nested too deeply"),
        (b'{"a":' * 100_000, 400, "nested too deeply"),
        (b'{"id": 1, "text": "\\ud83d", "author": {"id": 1}, "deep": ' + DEEP, 400, "nested too deeply"),
        (b'{"id": ' + b"9" * 5000 + b', "text": "x", "author": {"id": 1}}', 400, "number"),
        (b'{"id": ' + b"9" * 100 + b', "text": "x", "author": {"id": 1}}', 422, "id is too large"),
        (b" " * (17 * 1024 * 1024), 413, "16 MB"),
        (5, 422, "not a number"),
        ("x", 422, "not a text"),
        (None, 422, "not null"),
        ([LEAST] * (MAX_MENTIONS + 1), 413, "1000"),
        ([LEAST, 5], 422, "[1] has to be an object"),
        ([LEAST] * 3 + [LEAST | {"author": {}}], 422, "[3].author.id is missing"),
        ([LEAST, LEAST | {"kind": "coment"}], 422, '[1].kind is not a kind — did you mean "comment"?'),
        ({"id": 1, "author": {"id": 1}}, 422, "text is missing"),
        ({"text": "x", "author": {"id": 1}}, 422, "id is missing"),
        (LEAST | {"id": ""}, 422, "id is empty"),
        (LEAST | {"id": "a\x00b"}, 422, "id holds a control character"),
        (LEAST | {"id": "x" * 501}, 422, "id is longer"),
        (LEAST | {"id": True}, 422, "id has to be text or a whole number"),
        (LEAST | {"id": 1.5}, 422, "id has to be text or a whole number"),
        (LEAST | {"text": 5}, 422, "text has to be text"),
        (LEAST | {"text": "я" * 140_000}, 422, "text is longer than 256 kB"),
        (LEAST | {"url": "javascript:alert(1)"}, 422, "url is not an address"),
        (LEAST | {"attachments": [{"url": "https://x"}, {}]}, 422, "attachments[1].url is missing"),
        (LEAST | {"attachments": [{"url": "data:x"}]}, 422, "attachments[0].url is not an address"),
        (LEAST | {"created_at": "yesterday"}, 422, "created_at is not a time"),
        (LEAST | {"created_at": "9999-12-31T23:59:59-14:00"}, 422, "created_at is not a time"),
        (LEAST | {"edited_at": 1e300}, 422, "edited_at is not a time"),
        (LEAST | {"tone": "bad"}, 422, "tone is not a tone"),
        (LEAST | {"tone": {"label": "positive", "score": 7}}, 422, "tone.score has to be a number from -1 to 1"),
        (LEAST | {"tone": {"score": 0}}, 422, "tone.label is not a tone"),
        (LEAST | {"rating": float("inf")}, 422, "rating has to be a finite number"),
        (LEAST | {"engagement": {"likes": "many"}}, 422, "engagement.likes has to be a whole number"),
        (LEAST | {"engagement": {"likes": 10**30}}, 422, "engagement.likes is too large"),
        (LEAST | {"engagement": {str(n): n for n in range(101)}}, 422, "engagement is longer than 100"),
        (LEAST | {"author": {"id": 1, "followers": -1}}, 422, "author.followers is too small"),
        (LEAST | {"private": "perhaps"}, 422, "private has to be true or false"),
        (LEAST | {"parent": "p"}, 422, "parent has to be an object"),
    ],
)
def test_each_mistake_is_named_with_its_place(value: Any, status: int, words: str) -> None:
    got, sentence = refused(value)
    assert got == status
    assert words in sentence
    assert "\n" not in sentence


def test_a_refusal_shows_nothing_of_what_people_wrote() -> None:
    for bad in ({"kind": "my phone is 555"}, {"created_at": "my phone is 555"}, {"rating": "my phone is 555"}):
        assert "555" not in refused(LEAST | bad)[1]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
KEYS = [*EXAMPLE, "title", "private", "edited_at", "deleted", "own"]
NEARLY = st.fixed_dictionaries(
    {"id": JSON, "text": JSON | st.text(), "author": JSON | st.fixed_dictionaries({"id": st.text() | JSON})},
    optional={key: JSON | st.sampled_from([EXAMPLE.get(key)]) for key in KEYS if key not in LEAST},
)


def comes_to_something(body: bytes) -> None:
    mentions: tuple[Mention, ...] = ()
    refusal: BadHook | None = None
    try:
        mentions = read(body)
    except BadHook as raised:
        refusal = raised
    if refusal is not None:
        assert refusal.status in (400, 413, 422)
        assert refusal.sentence
        assert refusal.sentence.isprintable()
    for mention in mentions:
        assert mention.external_id
        assert mention.author.id
        assert mention.created_at.tzinfo is UTC
        assert "\x00" not in mention.text
        assert decode(Mention, encode(mention)) == mention


@settings(max_examples=200, deadline=None)
@given(NEARLY | JSON | st.lists(NEARLY, max_size=3))
@example({"id": "\ud800", "text": "", "author": {"id": "\x00"}})
@example({"id": "1", "text": "x", "author": {"id": "1"}, "engagement": {"\ud800": 1}})
def test_any_json_gives_mentions_or_a_refusal(value: Any) -> None:
    comes_to_something(json.dumps(value).encode())


@settings(max_examples=200, deadline=None)
@given(
    st.binary(max_size=80) | st.builds(lambda a, b: a[: len(b)] + b, st.just(json.dumps(LEAST).encode()), st.binary())
)
def test_any_bytes_give_mentions_or_a_refusal(body: bytes) -> None:
    comes_to_something(body)


@settings(max_examples=100, deadline=None)
@given(NEARLY)
def test_an_object_parsed_already_is_read_the_same(value: Any) -> None:
    with contextlib.suppress(BadHook):
        read_mention(value, source="s", platform="p", received_at=NOW.timestamp())


def test_the_schema_is_valid_and_agrees_with_the_reader() -> None:
    published = schema()
    jsonschema.Draft202012Validator.check_schema(published)
    check = jsonschema.Draft202012Validator(published)
    for good in (
        dict(EXAMPLE),
        LEAST,
        [LEAST, dict(EXAMPLE)],
        LEAST | {"tone": {"label": "positive"}},
        LEAST | {"id": 5},
    ):
        assert check.is_valid(good)
        read(good)
    for bad in (5, {"id": "1"}, LEAST | {"kind": "tweet"}, LEAST | {"author": {}}, LEAST | {"tone": "angry"}):
        assert not check.is_valid(bad)
        refused(bad)
    mention = published["$defs"]["mention"]
    assert all("description" in rule for rule in mention["properties"].values())
    assert set(EXAMPLE) <= set(mention["properties"])
    assert mention["examples"] == [dict(EXAMPLE)]
