"""Every file in tests/data/mappings_bad is wrong in the way its name says; its last comment is what is told."""

from __future__ import annotations

import shutil
from pathlib import Path

import jsonschema
import pytest

from connector.errors import ConfigError
from connector.triage import load, mapping_schema
from connector.yamlfile import read

BAD = sorted((Path(__file__).parent.parent / "data" / "mappings_bad").glob("*.yaml"))
# What a schema cannot see: names, meanings, patterns and templates are judged by the reader alone.
ONLY_THE_READER_SEES = {
    "bounds_unknown_empty_and_doubled",
    "ignores_complaints",
    "ignores_furious_complaints_only_partly_excluded",
    "list_unknown",
    "names_twice_and_missing",
    "pattern_is_not_a_regular_expression",
    "pattern_would_take_for_ever",
    "star_in_the_middle_of_a_word",
    "template_bomb",
    "template_not_closed",
    "template_reaches_out",
    "template_with_unknown_attribute",
    "template_with_unknown_names",
    "timezone_misspelt",
    "key_given_twice",
}


@pytest.mark.parametrize("path", BAD, ids=lambda path: path.stem)
def test_every_mistake_is_told_at_once_with_its_place_and_the_way_out(path: Path, tmp_path: Path) -> None:
    directory = tmp_path / "mappings"
    directory.mkdir()
    shutil.copy(path, directory)
    told = [line.removeprefix("#   ") for line in path.read_text("utf-8").split("# told:\n")[1].splitlines()]

    with pytest.raises(ConfigError) as caught:
        load(directory)

    assert [str(problem).replace(f"mappings/{path.name}:", "") for problem in caught.value.problems] == told


@pytest.mark.parametrize(
    "path", [path for path in BAD if path.stem not in {*ONLY_THE_READER_SEES, "not_yaml"}], ids=lambda path: path.stem
)
def test_the_editors_schema_sees_it_too(path: Path) -> None:
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(read(path).value, mapping_schema())


def test_mistakes_of_all_files_are_told_together(tmp_path: Path) -> None:
    (tmp_path / "10.yaml").write_text("rules:\n  - name: a\n    set: {priority: hi}\n")
    (tmp_path / "20.yaml").write_text("rules: [\n")
    (tmp_path / "30.yaml").write_text("tables: {tone: {bad: {tags: [a]}}}\n")

    with pytest.raises(ConfigError) as caught:
        load(tmp_path)

    assert [problem.file.rsplit("/")[-1] for problem in caught.value.problems] == ["10.yaml", "20.yaml", "30.yaml"]


def test_what_may_stand_once_is_refused_in_a_second_file(tmp_path: Path) -> None:
    content = (
        "timezone: UTC\nlists: {a: [x]}\ntemplates: {subject: hello}\ntables: {tone: {negative: {tags: [n]}}}\n"
        "rules:\n  - name: one\n    when: {author.handle: {list: a}}\n    set: {tags: [x]}\n"
    )
    (tmp_path / "10.yaml").write_text(content)
    (tmp_path / "20.yaml").write_text(content)

    with pytest.raises(ConfigError) as caught:
        load(tmp_path)

    assert [problem.path for problem in caught.value.problems if problem.severity == "error"] == [
        "timezone",
        "lists.a",
        "templates.subject",
        "tables.tone.negative",
        "rules[0].name",
    ]
    assert "20.yaml:1:1" in str(caught.value)
    assert "10.yaml:1" in caught.value.problems[0].message


def test_a_missing_directory_names_the_command_that_writes_one(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="connector init"):
        load(tmp_path / "nowhere")
