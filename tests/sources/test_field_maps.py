"""Field maps: every preset is whole, exports of tools are read by one, and odd values are left out, never guessed."""

from __future__ import annotations

import io
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector import fieldmap
from connector.errors import ConfigError
from connector.fieldmap.values import Rule, at_path, clean_count, time_of
from connector.model import KINDS, TONES, Mention
from connector.sources.manual import mentions_from_bytes

KNOWN: dict[str, Any] = {"source": "manual", "platform": "web", "received_at": 1_795_339_800.0}
HEADER = ["Дата", "Площадка", "Автор", "Текст сообщения", "Ссылка", "Тональность", "Лайки"]
FIRST = [
    "22.11.2026 12:30",
    "vk.com",
    "Анна К.",
    "Третий день без ответа",
    "https://vk.com/wall-1_2",
    "негатив",
    "1 840",
]
SECOND = ["22.11.2026 12:31", "forum.example", "Борис", "Спасибо!", "https://forum.example/7", "позитив", ""]


def workbook(*lines: list[Any]) -> bytes:
    book = openpyxl.Workbook()
    for line in lines:
        book.active.append(line)
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def read(content: bytes, name: str, chart: str = "export") -> tuple[Mention, ...]:
    return mentions_from_bytes(content, name, chart=fieldmap.load(chart) if chart else None, **KNOWN)


def test_every_preset_is_whole_and_names_what_nobody_confirmed() -> None:
    assert set(fieldmap.presets()) == {
        "awario", "brand24", "brand_analytics", "brandwatch", "export", "mention", "youscan",
    }  # fmt: skip
    for name in fieldmap.presets():
        chart = fieldmap.load(name)
        assert len(chart.about) > 40, name
        assert (chart.pull is None) == (name == "export")
        for field, words in (("tone", TONES), ("kind", KINDS)):
            rule = chart.fields.get(field)
            while rule is not None:
                given = {*(rule.values or {}).values(), *(() if rule.default is None else (rule.default,))}
                assert given <= set(words), f"{name}: {field}"
                rule = rule.otherwise


@pytest.mark.parametrize("kind", ["csv", "xlsx"])
def test_an_export_in_russian_is_read_by_its_map(kind: str) -> None:
    lines = [["Отчёт по теме Акме"], [], HEADER, FIRST, SECOND]
    text = "\n".join(";".join(f'"{cell}"' for cell in line) for line in lines)
    content = workbook(*lines) if kind == "xlsx" else text.encode("cp1251")
    first, second = read(content, f"export.{kind}")
    assert (first.text, first.platform, first.url) == ("Третий день без ответа", "vk", "https://vk.com/wall-1_2")
    assert first.created_at == datetime(2026, 11, 22, 9, 30, tzinfo=UTC)
    assert first.tone is not None
    assert (first.tone.label, first.engagement, first.author.name) == ("negative", {"likes": 1840}, "Анна К.")
    assert (second.platform, second.engagement) == ("web", {})


def test_two_people_under_one_address_are_two_mentions_and_a_file_twice_is_none() -> None:
    other = [*FIRST[:2], "Борис", "И у меня!", *FIRST[4:]]
    once = read(workbook(HEADER, FIRST, other), "a.xlsx")
    again = read(workbook(HEADER, FIRST, other), "b.xlsx")
    assert len({one.external_id for one in once}) == 2
    assert [one.external_id for one in once] == [one.external_id for one in again]


def test_a_cell_that_is_a_time_or_a_number_is_read_as_one() -> None:
    line = [datetime(2026, 11, 22, 12, 30), "ok.ru", 17, "Текст", "https://ok.ru/1", "-1", 12.0]  # noqa: DTZ001
    [mention] = read(workbook(HEADER, line), "a.xlsx")
    assert mention.created_at == datetime(2026, 11, 22, 9, 30, tzinfo=UTC)
    assert (mention.author.name, mention.engagement, mention.platform) == ("17", {"likes": 12}, "ok")


def test_a_spreadsheet_in_our_own_words_needs_no_map() -> None:
    [mention] = read(workbook(["text", "author.name"], ["Where?", "Ann"]), "a.xlsx", chart="")
    assert (mention.text, mention.author.name) == ("Where?", "Ann")


@pytest.mark.parametrize(
    ("content", "name", "sentence"),
    [
        (b"not a zip", "a.xlsx", "is not an .xlsx file"),
        (b"\xd0\xcf\x11\xe0", "a.xls", "save it as .xlsx or CSV"),
        (workbook(["Имя", "Возраст"], ["Анна", 5]), "a.xlsx", "no line names a column for text or url"),
        (workbook(), "a.xlsx", "no line names a column"),
        (workbook(HEADER, [*FIRST[:3], "", "javascript:x", "", ""]), "a.xlsx", "is not an address"),
        (workbook(HEADER, ["22.11.2026", "", "Анна", "", "", "", ""]), "a.xlsx", "neither a text nor an address"),
        (b'{"other": 1}', "a.json", "neither a text nor an address"),
    ],
)
def test_a_file_that_cannot_be_read_says_why(content: bytes, name: str, sentence: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read(content, name)
    assert sentence in str(caught.value)


def test_a_map_of_ones_own_is_laid_over_a_preset(tmp_path: Path) -> None:
    own = tmp_path / "own.yaml"
    own.write_text("fields:\n  text: Что сказали\n  author.name: Кто\n", encoding="utf-8")
    content = workbook(["Что сказали", "Кто"], ["Где заказ?", "Анна"])
    [mention] = mentions_from_bytes(content, "a.xlsx", chart=fieldmap.load(str(own)), **KNOWN)
    assert (mention.text, mention.author.name) == ("Где заказ?", "Анна")
    merged = fieldmap.load("youscan", {"fields": {"title": "headline"}})
    assert merged.fields["title"].path == ("headline",)
    assert merged.fields["text"] == fieldmap.load("youscan").fields["text"]


def test_what_is_skipped_is_known_in_any_spelling() -> None:
    chart = fieldmap.load("", {"fields": {"text": "t"}, "skip": {"spam": [True, "да"]}})
    rows = [{"spam": True}, {"spam": "TRUE"}, {"Spam": "Да "}, {"spam": False}, {"spam": None}, {}]
    assert [chart.left_out(row) for row in rows] == [True, True, True, False, False, False]


@pytest.mark.parametrize(
    ("value", "forms", "told"),
    [
        ("2019-11-06T14:04:59.9506137Z", ("iso",), "2019-11-06T14:04:59.950613+00:00"),
        ("2019-10-10T17:48:54.588+0000", (), "2019-10-10T17:48:54.588000+00:00"),
        (1_795_339_800, ("unix",), "2026-11-22T09:30:00+00:00"),
        ("1795339800000", ("iso", "unix_ms"), "2026-11-22T09:30:00+00:00"),
        ("22.11.2026 12:30", ("%d.%m.%Y %H:%M",), "2026-11-22T09:30:00+00:00"),
        ("yesterday", ("iso",), None),
        ("", (), None),
        ("1e300", ("unix",), None),
    ],
)
def test_times_in_every_form_tools_use(value: Any, forms: tuple[str, ...], told: str | None) -> None:
    assert time_of(value, forms, "Europe/Moscow") == told


@pytest.mark.parametrize(
    ("value", "count"),
    [("1 840", 1840), ("12.0", 12), (7, 7), ("1,5", None), ("many", None), (True, None), ("", None), ("-3", -3)],
)
def test_counts_in_every_form_tools_use(value: Any, count: int | None) -> None:
    assert clean_count(value) == count


def test_a_path_is_a_key_as_written_or_steps() -> None:
    row = {"a.b": 1, "a": {"b": 2, "c": [{"d": 3}]}, "Текст Сообщения": 4}
    paths = ("a.b", "a.c.0.d", "текст сообщения", "a.c.9.d", "a.x.y", "")
    assert [at_path(row, path) for path in paths] == [1, 3, 4, None, None, None]


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
)
def test_no_value_whatever_breaks_a_rule(value: Any) -> None:
    for field in ("text", "created_at", "rating", "attachments", "tone", "author.id"):
        for rule in (
            Rule(path=("a",), html=True),
            Rule(path=("a",), time=("unix", "%d.%m.%Y")),
            Rule(path=("a",), values={"x": "y"}),
            Rule(path=("a",), steps=((0.5, "negative"),)),
        ):
            rule.read({"a": value}, field)
