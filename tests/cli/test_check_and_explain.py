"""check, explain and init as a person runs them: places, SARIF, JSON, and what init leaves behind."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from connector.cli import cli
from connector.cli.sarif import sarif
from connector.errors import Problem

SHIPPED = Path(__file__).parents[2] / "mappings"
CONFIG = """\
store: sqlite:///connector.db
helpdesks:
  desk: {type: zendesk, base_url: https://acme.zendesk.com, email: bot@acme.com, api_token: secret-token}
sources:
  found: {type: manual, helpdesk: desk}
"""
BROKEN = """\
rules:
  - name: adverts
    when: {text: hiring}
    ignore: advert
  - name: typo
    set: {priority: hihg}
  - {name: twice, when: {kind: dm}}
"""


def run(directory: Path, *words: str) -> Result:
    return CliRunner().invoke(cli, ["-c", str(directory / "config.yaml"), *words])


@pytest.fixture
def place(tmp_path: Path) -> Path:
    (tmp_path / "config.yaml").write_text(CONFIG)
    (tmp_path / "mappings").mkdir()
    return tmp_path


def test_sarif_names_the_tool_every_place_and_the_level(place: Path) -> None:
    (place / "mappings" / "10.yaml").write_text(BROKEN)
    done = run(place, "check", "--format", "sarif")
    log = json.loads(done.stdout)

    assert done.exit_code == 1
    assert log["version"] == "2.1.0"
    [one] = log["runs"]
    assert one["tool"]["driver"]["name"] == "connector"
    assert one["tool"]["driver"]["rules"][0]["id"] == "rules"
    assert [(result["level"], result["ruleId"]) for result in one["results"]] == [
        ("error", "rules"),
        ("error", "rules"),
        ("warning", "rules"),
    ]
    [where] = one["results"][0]["locations"]
    assert where["physicalLocation"] == {
        "artifactLocation": {"uri": "mappings/10.yaml"},
        "region": {"startLine": 4, "startColumn": 13},
    }
    assert where["logicalLocations"] == [{"fullyQualifiedName": "rules[0].ignore"}]
    assert "could ignore a complaint" in one["results"][0]["message"]["text"]


def test_sarif_of_nothing_and_of_a_mistake_without_a_line_is_whole() -> None:
    assert sarif([])["runs"][0]["results"] == []
    [result] = sarif([Problem("my файл.yaml", 0, 0, "", "cannot be read")])["runs"][0]["results"]

    assert result["ruleId"] == "file"
    assert result["locations"] == [
        {"physicalLocation": {"artifactLocation": {"uri": "my%20%D1%84%D0%B0%D0%B9%D0%BB.yaml"}}}
    ]


def test_json_and_text_tell_the_same_mistakes(place: Path) -> None:
    (place / "mappings" / "10.yaml").write_text(BROKEN)
    told = json.loads(run(place, "check", "--format", "json").stdout)
    text = run(place, "check").stdout.splitlines()

    assert told == json.loads(run(place, "check", "--json").stdout)
    assert [line.split()[0] for line in text] == [f"{p['file']}:{p['line']}:{p['column']}" for p in told]


def explained(place: Path, mention: dict[str, Any], *words: str) -> Result:
    file = place / "mention.json"
    file.write_text(json.dumps(mention))
    return run(place, "explain", "--file", str(file), "--mappings", str(SHIPPED), *words)


MENTION = {
    "id": "1", "text": "Доставку опять задержали, ужас", "created_at": "2026-03-04T12:00:00Z",
    "author": {"id": "7", "followers": 20000}, "tone": "negative",
}  # fmt: skip


def test_explain_tells_kind_score_deadline_and_what_was_not_met(place: Path) -> None:
    done = explained(place, MENTION)

    assert done.exit_code == 0, done.output
    assert "feedback  complaint.delivery; an answer is expected" in done.stdout
    assert "priority  urgent (score 95)" in done.stdout
    assert "deadline  at once: target 2026-03-04 14:00 UTC" in done.stdout
    lines = [line.split() for line in done.stdout.splitlines()]
    assert any(line[:2] == ["because", "score"] and "40" in " ".join(line) for line in lines)
    assert any(line[:3] == ["not", "small", "voice"] for line in lines)


def test_explain_as_json_keeps_its_promise(place: Path) -> None:
    told = json.loads(explained(place, MENTION, "--json").stdout)

    assert told["kind"] == "post"
    assert told["feedback"] == ["complaint.delivery"]
    assert told["answer_expected"] is True
    assert told["owner"] == "logistics"
    assert told["score"] == 95
    assert told["deadlines"]["target"] == "2026-03-04T14:00:00+00:00"
    assert told["deadlines"]["within"] == "2h"
    assert sum(line["value"] for line in told["because"] if line["field"] == "score") == 95


@pytest.mark.parametrize(
    ("hours", "usual"), [("4", "target: 4h, breach: 6h, ceiling: 24h"), ("12", "12h, breach: 18h")]
)
def test_init_writes_a_mapping_that_checks_and_passes_its_tests(tmp_path: Path, hours: str, usual: str) -> None:
    done = CliRunner().invoke(cli, ["init", str(tmp_path), "--yes", "--hours", hours, "--platforms", "manual"])

    assert done.exit_code == 0, done.output
    assert usual in (tmp_path / "mappings" / "35-deadlines.yaml").read_text("utf-8")
    assert run(tmp_path, "test").exit_code == 0, run(tmp_path, "test").stdout
    checked = run(tmp_path, "check", "--json")
    assert [p for p in json.loads(checked.stdout) if p["file"].startswith("mappings")] == []
    again = CliRunner().invoke(cli, ["init", str(tmp_path), "--yes"])
    assert "90-ours.yaml" in again.output
