"""submit and preview with a field map: exports of listening tools, and posts another account can answer."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from cli_builders import Folder, folder

from connector.testing.simulators.bluesky import BlueskySimulator

EXPORT = """\
Отчёт IQBuzz
Дата;Источник;Автор;Текст;Ссылка;Тональность
22.11.2026 12:30;vk.com;Анна К.;Третий день без ответа;https://vk.com/wall-1_2;негатив
22.11.2026 12:31;forum.example;Борис;Спасибо;https://forum.example/7;позитив
"""
OWN = "fields: {text: Что сказали, author.name: Кто}\n"


@pytest.fixture
def here(tmp_path: Path) -> Folder:
    return folder(tmp_path / "here")


def stored(here: Folder) -> list[dict[str, object]]:
    return [json.loads(body) for (body,) in here.sql("SELECT body FROM mentions ORDER BY id")]


def test_an_export_is_submitted_once_by_its_map(here: Folder) -> None:
    file = here.write("export.csv", EXPORT)
    assert here.run("submit", "--file", file, "--map", "export").stdout == "2 accepted, 0 known already\n"
    assert here.run("submit", "--file", file, "--map", "export").stdout == "0 accepted, 2 known already\n"
    assert [(one["platform"], one["tone"]["label"]) for one in stored(here)] == [  # type: ignore[index]
        ("vk", "negative"),
        ("manual", "positive"),
    ]


def test_a_source_can_have_its_map_and_a_file_can_be_one(tmp_path: Path) -> None:
    own = tmp_path / "own.yaml"
    own.write_text(OWN, encoding="utf-8")
    here = folder(
        tmp_path / "here", edit=lambda text: text.replace("{type: manual,", f'{{type: manual, map: "{own}",')
    )
    file = here.write("x.csv", "Что сказали;Кто\nГде заказ?;Анна\n")
    assert here.run("submit", "--file", file).stdout == "1 accepted, 0 known already\n"
    assert stored(here)[0]["text"] == "Где заказ?"


@pytest.mark.parametrize(
    ("chart", "sentence"),
    [("exprt", 'did you mean "export"?'), ("nowhere.yaml", "cannot be read"), ("youscan", "no line names a column")],
)
def test_a_map_that_is_none_or_does_not_fit_is_told(here: Folder, chart: str, sentence: str) -> None:
    done = here.run("submit", "--file", here.write("x.csv", "a;b\n1;2\n"), "--map", chart)
    assert done.exit_code != 0
    assert sentence in done.output


def test_preview_reads_an_export_by_the_same_map(here: Folder) -> None:
    told = here.run("preview", "--file", here.write("export.csv", EXPORT), "--map", "export")
    assert told.exit_code == 0, told.stderr
    assert "Третий день" in told.stdout


def test_what_another_account_can_answer_is_handed_to_it(tmp_path: Path) -> None:
    with BlueskySimulator() as sky:
        sky.add_account("brand.test", "app-pass-word")
        ann = sky.add_account("ann.test", "ann-pass")
        uri = sky.post(ann, "this company lost my parcel")
        source = (
            f"  sky: {{type: bluesky, helpdesk: desk, service: {sky.url}, identifier: brand.test, "
            "app_password: app-pass-word}\n"
        )
        here = folder(tmp_path / "here", edit=lambda text: text + source)
        url = f"https://bsky.app/profile/ann.test/post/{uri.rpartition('/')[2]}"
        done = here.run("submit", "a colleague's words", "--url", url)
        assert done.stdout == "1 accepted, 0 known already\n", done.stderr
        [mention] = stored(here)
        assert (mention["source"], mention["external_id"]) == ("sky", uri)
        assert mention["text"] == "this company lost my parcel"
