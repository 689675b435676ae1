"""What people hand in: the same thing twice is the same mention, and every mistake has its line."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connector.errors import BadHook, ConfigError
from connector.http import Http
from connector.model import Mention
from connector.sources.manual import Manual, ManualOptions, mention_from_text, mentions_from_bytes, mentions_from_file
from connector.testing.contracts import SourceContract, SourceWorld

KNOWN: dict[str, Any] = {"source": "manual", "platform": "phone", "received_at": 1_795_339_800.0}


class Nobody(SourceWorld):
    def __init__(self) -> None:
        self.source = Manual("manual", ManualOptions(type="manual", helpdesk="desk"), Http("manual"))

    def posted(self) -> list[str]:
        return []


class TestManual(SourceContract):
    @pytest.fixture
    def world(self) -> SourceWorld:
        return Nobody()


def read(content: str | bytes, name: str = "a.csv") -> tuple[Mention, ...]:
    return mentions_from_bytes(content.encode() if isinstance(content, str) else content, name, **KNOWN)


def lines(content: str | bytes, name: str = "a.csv") -> list[tuple[int, str]]:
    with pytest.raises(ConfigError) as caught:
        read(content, name)
    assert all(problem.file == name for problem in caught.value.problems)
    return [(problem.line, problem.message) for problem in caught.value.problems]


def test_a_text_has_the_same_id_whenever_it_is_handed_in() -> None:
    one = mention_from_text("Где мой заказ?", url="https://x.example/1", author="Анна", **KNOWN)
    later = mention_from_text(
        "Где мой заказ?", url="https://x.example/1", author="Анна", **KNOWN | {"received_at": 2e9}
    )
    other = mention_from_text("Где мой заказ?", url="https://x.example/2", author="Анна", **KNOWN)
    assert one.external_id == later.external_id != other.external_id
    assert (one.author.id, one.author.name, one.platform) == ("анна", "Анна", "phone")
    assert mention_from_text("x", **KNOWN).author.id == "unknown"


def test_a_text_beyond_all_bounds_is_refused() -> None:
    with pytest.raises(BadHook):
        mention_from_text("x" * 300_000, **KNOWN)


TABLE = 'id{0}text{0}author.name{0}rating{0}engagement.likes{0}parent.text\n7{0}"a{0} b\nc"{0}Анна{0}4,5{0}3{0}post\n'


@pytest.mark.parametrize("delimiter", [";", "\t"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1251", "utf-16"])
def test_tables_of_every_spreadsheet_are_read(delimiter: str, encoding: str) -> None:
    mention = read(TABLE.format(delimiter).encode(encoding))[0]
    assert (mention.external_id, mention.text, mention.author.name) == ("7", f"a{delimiter} b\nc", "Анна")
    assert (mention.rating, mention.engagement) == (4.5, {"likes": 3})
    assert mention.parent is not None
    assert mention.parent.text == "post"


def test_the_same_file_twice_gives_the_same_ids() -> None:
    table = "text,author.handle\nhello,@ann\nhello,bob\n"
    first, second = read(table), read(table)
    assert [one.external_id for one in first] == [one.external_id for one in second]
    assert len({one.external_id for one in first}) == 2
    assert first[0].author.id == "ann"


def test_jsonl_and_json_are_read_too(tmp_path: Path) -> None:
    line = '{"text": "hello", "author": {"name": "Ann"}, "language": "en"}'
    for name, content in (("a.jsonl", f"{line}\n\n{line}\n"), ("a.json", f"[{line}, {line}]"), ("b.json", line)):
        path = tmp_path / name
        path.write_text(content)
        assert {one.language for one in mentions_from_file(path, **KNOWN)} == {"en"}


def test_attachments_and_times_come_from_cells() -> None:
    mention = read("text,attachments,created_at\nhi,https://x/1 https://x/2,2026-11-22 08:00\n")[0]
    assert [one.url for one in mention.attachments] == ["https://x/1", "https://x/2"]
    assert mention.created_at.hour == 8


def test_every_mistake_of_a_table_is_told_at_once_with_its_line() -> None:
    table = 'text,created_at,kind\n"two\nlines",yesterday,post\nok,,post\nno,,tweet\na,b,c,d\n'
    assert [(line, message.split()[0]) for line, message in lines(table)] == [
        (2, "created_at"),
        (5, "kind"),
        (6, "has"),
    ]


def test_columns_are_checked_before_rows() -> None:
    assert lines("txt,author\nx,y\n") == [(1, lines("txt\nx\n")[0][1])]
    assert 'did you mean "author.name"' in lines("text,autor.name\nx,y\n")[0][1]
    assert "twice" in lines("text,text\nx,y\n")[0][1]
    assert "no column" in lines("")[0][1]


def test_every_mistake_of_jsonl_is_told_with_its_line() -> None:
    content = '{"text": "x"}\n{"text": \n5\n{"text": 5}\n{"text": "x", "author": 5}\n' + "[" * 50_000
    assert [line for line, _ in lines(content, "a.jsonl")] == [2, 3, 4, 5, 6]


def test_a_column_of_another_name_is_told_with_what_was_meant_and_the_way_out() -> None:
    assert [message.partition(";")[0] for _, message in lines("text,author,folowers\nx,Ann,3\n")] == [
        'unknown column — did you mean "author.name"?',
        'unknown column — did you mean "author.followers"?',
    ]
    [(_, message)] = lines("author,words\nAnn,x\n")
    assert message.startswith('has no column "text" in its first line;')
    assert "did you mean" not in message
    assert "--map" in message


def test_a_file_that_is_not_there_is_told() -> None:
    with pytest.raises(ConfigError) as caught:
        mentions_from_file(Path("nowhere.csv"), **KNOWN)
    assert "nowhere.csv" in str(caught.value)


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=120), st.sampled_from(["a.csv", "a.jsonl", "a.json"]), st.booleans())
def test_any_bytes_give_mentions_or_problems(noise: bytes, name: str, headed: bool) -> None:
    with contextlib.suppress(ConfigError):
        read(b"text,author.id\n" + noise if headed else noise, name)
