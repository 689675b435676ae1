"""`connector tone`: one JSON line for each text, the measure, and a model of one's own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from connector.cli import cli

OWN = Path(__file__).parent / "tone_own.tsv"


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def run(*words: str, typed: str = "") -> Result:
    return CliRunner().invoke(cli, ["tone", *words], input=typed)


def lines(typed: str, *words: str) -> list[dict[str, Any]]:
    done = run(*words, typed=typed)
    assert done.exit_code == 0, done.output
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_each_line_gets_one_line_of_json() -> None:
    found = lines("Опять не работает\n\nThank you so much!\n")

    assert [one["label"].removeprefix("very_") for one in found] == ["negative", "unknown", "positive"]
    assert [one["language"] for one in found] == ["ru", "unknown", "en"]
    assert all(sum(one["probabilities"].values()) == pytest.approx(1) for one in found)
    assert list(found[0]) == ["label", "score", "confidence", "language", "evidence", "probabilities"]


def test_json_lines_may_say_the_language_and_broken_ones_are_texts() -> None:
    found = lines('{"text": "ok", "language": "en-GB"}\n{"text": 3}\n{ужас\n"quoted"\n')

    assert len(found) == 4
    assert found[0]["language"] == "en"
    assert found[2]["evidence"] == ["ужас"]


def test_bytes_that_are_no_text_are_read_all_the_same() -> None:
    done = CliRunner().invoke(cli, ["tone"], input=b"\xff\xfe ok\n")

    assert done.exit_code == 0
    assert json.loads(done.stdout)["label"]


def test_the_mapping_at_hand_has_its_say() -> None:
    Path("mappings").mkdir()
    Path("mappings/10.yaml").write_text("tone: {words: {positive: [бомба]}}", "utf-8")

    assert lines("Чехол бомба")[0]["score"] > 0.5


def test_the_measure_is_told_for_people_and_for_scripts() -> None:
    told, script = run("evaluate", str(OWN)), run("evaluate", str(OWN), "--json")
    found = json.loads(script.stdout)

    assert told.exit_code == script.exit_code == 0
    assert "macro-F1" in told.stdout
    assert "precision" in told.stdout
    assert found["texts"] == sum(sum(row.values()) for row in found["confusion"].values()) == 60
    assert found["classes"]["negative"]["texts"] == 24
    assert 0.6 < found["macro_f1"] <= 1


@pytest.mark.parametrize(
    ("content", "told"),
    [("a\tb\n1\t2\n", "needs a first line"), ("text\tlabel\nx\tspeech\n", "has no row labelled negative")],
)
def test_a_file_that_cannot_be_measured_says_what_it_needs(content: str, told: str) -> None:
    Path("f.tsv").write_text(content)
    done = run("evaluate", "f.tsv")

    assert done.exit_code == 1
    assert told in done.stderr


def test_a_model_is_trained_on_ones_own_texts_and_read_with() -> None:
    rows = [
        f"{word} номер {n}\t{label}"
        for n in range(40)
        for word, label in (("имба", "positive"), ("пшик", "negative"))
    ]
    Path("own.tsv").write_text("text\tlabel\n" + "\n".join(rows), "utf-8")
    done = run("train", "own.tsv", "--out", "mine.bin.gz")

    assert done.exit_code == 0, done.output
    assert "80 texts" in done.stdout
    assert [one["label"].removeprefix("very_") for one in lines("имба\nпшик", "--model", "mine.bin.gz")] == [
        "positive",
        "negative",
    ]


def test_too_few_texts_to_train_on_are_refused() -> None:
    Path("few.tsv").write_text("text\tlabel\nх\tnegative\n", "utf-8")
    done = run("train", "few.tsv")

    assert done.exit_code == 1
    assert "too few labelled texts" in done.stderr
