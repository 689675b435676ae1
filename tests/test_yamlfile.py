"""YAML in which every value knows its place; what tags bring in is a secret; bombs and mistakes are sentences."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from connector.errors import ConfigError, Problem
from connector.log import masked
from connector.yamlfile import Document, Place, did_you_mean, dotted, environment, load_dotenv, parse, read


def places(document: Document) -> list[tuple[int, int, str]]:
    return [(one.line, one.column, one.message) for one in document.problems]


def refusal(text: str) -> Problem:
    with pytest.raises(ConfigError) as caught:
        parse(text, "a.yaml")
    (problem,) = caught.value.problems
    assert problem.file == "a.yaml"
    return problem


def test_each_value_and_each_key_has_its_place() -> None:
    document = parse("a:\n  - b: 1\n    c: {d: x}\n", "a.yaml")

    assert document.value == {"a": [{"b": 1, "c": {"d": "x"}}]}
    assert document.places["a", 0, "c", "d"] == Place(3, 12)
    assert document.key_places["a", 0, "c"] == Place(3, 5)
    assert document.at(("a", 0, "b")) == "a.yaml:2"
    assert str(document.problem(("a", 0, "c"), "is odd", at_key=True)) == "a.yaml:3:5  error  a[0].c  is odd"


def test_what_has_no_place_has_that_of_what_is_around_it() -> None:
    document = parse("a:\n  b: {c: 1}\n", "a.yaml")

    assert document.place(("a", "b", "x", "y")) == Place(2, 6)
    assert document.place(("nowhere",)) == Place(1, 1)
    assert parse("", "a.yaml").place(("a",)) == Place(1, 1)


@pytest.mark.parametrize("text", ["", "   \n", "# only words\n", "---\n"])
def test_nothing_is_nothing(text: str) -> None:
    assert parse(text, "a.yaml").value is None


def test_every_mistake_is_told_at_once() -> None:
    text = "a: 1\nb: !secret x\na: 2\nc: !env NOT_THERE\nd: !file nowhere.txt\n? [x]\n: 1\ne: 2026-99-99\n"

    assert places(parse(text, "a.yaml")) == [
        (2, 4, 'unknown tag "!secret"; known are !env NAME and !file PATH'),
        (3, 1, 'the key "a" is given twice; keep one'),
        (4, 4, "the environment variable NOT_THERE is not set; set it, or write it into .env"),
        (5, 4, "the file nowhere.txt cannot be read: FileNotFoundError"),
        (6, 3, "a key has to be plain text"),
        (8, 4, "cannot be read: month must be in 1..12"),
    ]


@pytest.mark.parametrize(
    ("text", "place", "word"),
    [
        ("a: [1, 2\nb: 3\n", (2, 2), "not valid YAML"),
        ("a:\n\t- b\n", (2, 1), "not valid YAML"),
        ("a: *nowhere\n", (1, 4), "undefined alias"),
        ("a: b: c\n", (1, 5), "not valid YAML"),
        ("--- 1\n--- 2\n", (2, 1), "not valid YAML"),
        ("a: \x00", (1, 1), "not valid YAML"),
        ('a: "never closed\n', (2, 1), "not valid YAML"),
    ],
)
def test_what_is_no_yaml_is_told_with_its_place(text: str, place: tuple[int, int], word: str) -> None:
    problem = refusal(text)

    assert (problem.line, problem.column) == place
    assert word in problem.message


def test_tags_of_python_make_nothing() -> None:
    document = parse(
        "a: !!python/object/apply:os.system ['touch /tmp/never']\nb: !!python/name:os.system\n", "a.yaml"
    )

    assert [line for line, _, _ in places(document)] == [1, 2]
    assert document.value == {"a": None, "b": None}


BOMB = "a: &a [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{new}: &{new} [{', '.join(['*' + old] * 10)}]\n" for old, new in ("ab", "bc", "cd", "de", "ef", "fg", "gh")
)


@pytest.mark.parametrize(
    "text",
    [BOMB, "[" * 45 + "]" * 45, "a: &a [*a]\n", "&a {b: *a}", "[" * 500 + "]" * 500, "{a: " * 500],
    ids=["aliases", "depth", "itself", "itself in a key", "great depth", "great depth, open"],
)
def test_a_bomb_is_refused_and_not_blown_up(text: str) -> None:
    assert refusal(text).message.startswith(("is nested or repeated out of all proportion", "is not valid YAML"))


def test_an_alias_may_be_used_in_proportion() -> None:
    assert parse("a: &a {x: 1}\nb: *a\n", "a.yaml").value == {"a": {"x": 1}, "b": {"x": 1}}


# --- tags --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("tag", "value"),
    [
        ("!env TEST_GIVEN", "from outside"),
        ("!env TEST_GIVEN other", "from outside"),
        ("!env TEST_NOT_GIVEN other words", "other words"),
        ('!env TEST_NOT_GIVEN ""', ""),
        ("!env TEST_NOT_GIVEN 'quoted'", "quoted"),
        ('!env "TEST_GIVEN"', "from outside"),
        ('!env TEST_EMPTY ""', ""),
    ],
)
def test_a_value_comes_from_the_environment(tag: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEST_GIVEN", "from outside")
    monkeypatch.setenv("TEST_EMPTY", "")
    document = parse(f"a: {tag}\n", "a.yaml")

    assert document.problems == []
    assert document.value == {"a": value}


def test_an_empty_variable_is_a_mistake_unless_empty_is_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEST_EMPTY", "")

    assert places(parse("a: !env TEST_EMPTY\n", "a.yaml")) == [
        (1, 4, "the environment variable TEST_EMPTY is empty; fill it in, there or in .env")
    ]


def test_a_file_is_looked_for_beside_the_one_that_names_it(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("  s3cr3t-of-a-file \r\n\n", encoding="utf-8")
    (tmp_path / "a.yaml").write_text("a: !file secret\nb: !file /nowhere/at-all\n", encoding="utf-8")
    document = read(tmp_path / "a.yaml", "a.yaml")

    assert document.value["a"] == "  s3cr3t-of-a-file "
    assert places(document) == [(2, 4, "the file /nowhere/at-all cannot be read: FileNotFoundError")]


def test_what_a_tag_brought_in_is_a_secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEST_GIVEN", "env-s3cr3t")
    (tmp_path / "secret").write_text("file-s3cr3t\n", encoding="utf-8")
    parse("a: !env TEST_GIVEN\nb: !file secret\nc: !env TEST_NOT default-s3cr3t\n", "a.yaml", tmp_path)

    assert masked("env-s3cr3t, file-s3cr3t and default-s3cr3t") == "***, *** and ***"


def test_a_tag_on_more_than_a_word_is_told() -> None:
    document = parse("a: !env [X]\nb: !secret {x: 1}\n!env X: 1\n", "a.yaml")

    assert places(document) == [
        (1, 4, 'unknown tag "!env"; known are !env NAME and !file PATH'),
        (2, 4, 'unknown tag "!secret"; known are !env NAME and !file PATH'),
        (3, 1, "a key has to be plain text"),
    ]


# --- files --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "word"),
    [("имя: Анна".encode("cp1251"), "not UTF-8 text (byte 0)"), (b"a: \xff", "not UTF-8 text (byte 3)")],
)
def test_a_file_that_is_not_utf_8_is_told_with_the_way_out(content: bytes, word: str, tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_bytes(content)
    with pytest.raises(ConfigError) as caught:
        read(tmp_path / "a.yaml", "a.yaml")

    assert word in str(caught.value)
    assert "save it as UTF-8" in str(caught.value)


def test_a_file_with_a_byte_order_mark_is_read(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_bytes(b"\xef\xbb\xbfa: 1\n")

    assert read(tmp_path / "a.yaml").value == {"a": 1}


@pytest.mark.parametrize("name", ["nowhere.yaml", "."])
def test_a_file_that_cannot_be_read_is_told(name: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        read(tmp_path / name, name)

    assert str(caught.value).startswith(f"{name}  error  cannot be read: ")


def test_a_dotenv_file_fills_what_is_not_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("TEST_A", "TEST_B", "TEST_C", "TEST_D", "TEST_E", "TEST_F"):
        monkeypatch.setenv(name, "x")
        monkeypatch.delenv(name)
    monkeypatch.setenv("TEST_D", "from outside")
    (tmp_path / ".env").write_text(
        "# TEST_F=never\nTEST_A=one\nexport TEST_B='two words'\n\n TEST_C = a=b \nTEST_D=never\nnothing\nTEST_E=\n",
        encoding="utf-8",
    )
    load_dotenv(tmp_path / ".env")

    found = {name: environment(name, "-") for name in ("TEST_A", "TEST_B", "TEST_C", "TEST_D", "TEST_E", "TEST_F")}
    assert list(found.values()) == ["one", "two words", "a=b", "from outside", "", "-"]


def test_a_dotenv_file_from_windows_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEST_A", "x")
    monkeypatch.delenv("TEST_A")
    (tmp_path / ".env").write_bytes(b"\xef\xbb\xbfTEST_A=one\r\n")
    load_dotenv(tmp_path / ".env")

    assert environment("TEST_A") == "one"


def test_no_dotenv_file_is_fine_and_one_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    load_dotenv(tmp_path / ".env")
    (tmp_path / ".env").write_bytes("ИМЯ=Анна".encode("cp1251"))
    with pytest.raises(ConfigError, match="save it as UTF-8"):
        load_dotenv(tmp_path / ".env")


# --- words --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("word", "tail"),
    [
        ("prioritty", ' — did you mean "priority"? (allowed: priority, group, Tags)'),
        ("TAGS", ' — did you mean "Tags"? (allowed: priority, group, Tags)'),
        ("zebra", " (allowed: priority, group, Tags)"),
    ],
)
def test_what_was_probably_meant_is_told(word: str, tail: str) -> None:
    assert did_you_mean(word, ["priority", "group", "Tags"]) == tail
    assert did_you_mean(word, []) == ""


def test_a_long_list_of_what_is_allowed_is_cut() -> None:
    assert did_you_mean("x", map(str, range(20))).endswith("10, 11, …)")
    assert did_you_mean("x", map(str, range(13))).endswith("11, 12)")


def test_a_path_is_written_as_people_write_it() -> None:
    assert dotted(("rules", 2, "set", "fields", "Tone")) == "rules[2].set.fields.Tone"


# PyYAML writes U+0085, U+2028 and U+2029 so that it reads a newline or a blank
letters = st.characters(exclude_characters="\x85\u2028\u2029", exclude_categories=["Cs"])
plain = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(letters, max_size=20)
keys = st.text(letters, max_size=8)
values = st.recursive(plain, lambda v: st.lists(v, max_size=4) | st.dictionaries(keys, v, max_size=4), max_leaves=12)


@settings(max_examples=100, deadline=None)
@given(values)
def test_what_yaml_writes_is_read_as_it_was(value: Any) -> None:
    document = parse(yaml.safe_dump(value), "a.yaml")

    assert document.problems == []
    assert document.value == value


@settings(max_examples=300, deadline=None)
@given(st.text(alphabet="ab:-[]{}&*!?|>'\"%@`#, \n\t1.", max_size=40) | st.text(max_size=30))
def test_whatever_is_typed_is_a_value_or_a_mistake_with_a_place(text: str) -> None:
    with contextlib.suppress(ConfigError):
        document = parse(text, "a.yaml")
        for problem in document.problems:
            assert 1 <= problem.line <= text.count("\n") + 2
