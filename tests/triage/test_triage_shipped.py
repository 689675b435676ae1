"""What is shipped: the starting mapping, its tests, the editors' schema and the documentation agree with the code."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path

import jsonschema
import pytest
from triage_builders import NOON, said

from connector.model import Vocabulary
from connector.triage import CaseResult, load, mapping_schema, run_tests
from connector.triage.facts import GETTERS
from connector.triage.settings import KEYS
from connector.triage.templates import _samples
from connector.triage.when import COUNTS, FIELDS
from connector.yamlfile import parse, read

ROOT = Path(__file__).parents[2]
MAPPINGS = ROOT / "mappings"
DOCUMENT = (ROOT / "docs" / "mapping.md").read_text("utf-8")
EXAMPLES = re.findall(r"```yaml\n(.*?)```", DOCUMENT, re.DOTALL)
POLICY = load(MAPPINGS)


def test_the_shipped_mapping_loads_without_a_warning() -> None:
    assert POLICY.warnings == ()
    assert [path.relative_to(MAPPINGS).as_posix() for path in POLICY.files] == [
        "00-company.yaml",
        "10-feedback.yaml",
        "15-people.yaml",
        "20-rules.yaml",
        "30-score.yaml",
        "35-deadlines.yaml",
        "40-tables.yaml",
        "50-templates.yaml",
        "60-guard.yaml",
        "70-storm.yaml",
        "80-automatic.yaml",
        "lists/clients.yaml",
        "lists/co_creators.yaml",
        "lists/employees.yaml",
        "lists/job_words.yaml",
        "lists/rude_words.yaml",
        "lists/spam_words.yaml",
        "lists/trolls.yaml",
        "lists/vip.yaml",
    ]


@pytest.mark.parametrize("result", run_tests(MAPPINGS, POLICY), ids=lambda result: result.name)
def test_the_shipped_mapping_passes_its_own_tests(result: CaseResult) -> None:
    assert result.ok, str(result)


def test_it_works_on_a_helpdesk_without_fields_groups_or_brands() -> None:
    assert POLICY.lint(Vocabulary()) == []


def test_every_rule_of_it_is_met_by_one_of_its_tests() -> None:
    met = {rule for result in run_tests(MAPPINGS, POLICY) if result.decision for rule in result.decision.rules}

    assert {rule.name for rule in POLICY.rules} - met == set()


def test_every_kind_of_feedback_is_met_by_one_of_its_tests_and_has_a_draft_where_an_answer_is_due() -> None:
    met = {kind for result in run_tests(MAPPINGS, POLICY) if result.decision for kind in result.decision.feedback}

    assert {kind.name for kind in POLICY.kinds.kinds} - met <= {"complaint", "praise"}
    assert all(POLICY.kinds.owner(kind.name) for kind in POLICY.kinds.kinds)


def test_a_mention_of_any_hour_becomes_a_ticket_however_little_is_known() -> None:
    for hour in range(24):
        decision = POLICY.decide(said("ужас", created_at=NOON + timedelta(hours=hour)))
        assert not decision.ignored
        assert decision.settings.priority == "high"


# --- the schema --------------------------------------------------------------------------------------------


def test_the_schema_is_a_schema_and_accepts_what_is_shipped() -> None:
    schema = mapping_schema()
    jsonschema.Draft202012Validator.check_schema(schema)

    for path in POLICY.files:
        if path.parent == MAPPINGS:
            jsonschema.validate(read(path).value, schema)


def test_the_schema_knows_every_key_the_reader_knows() -> None:
    definitions = mapping_schema()["$defs"]
    conditions = definitions["when"]["anyOf"][1]["properties"]

    assert {*FIELDS, "any", "all", "not"} <= conditions.keys()
    assert {f"engagement.{count}" for count in COUNTS} <= conditions.keys()
    assert set(KEYS) == definitions["settings"]["properties"].keys()
    assert {*FIELDS} - {"parent", "feedback", "open"} <= GETTERS.keys()


# --- the documentation -------------------------------------------------------------------------------------


@pytest.mark.parametrize("example", EXAMPLES, ids=range(len(EXAMPLES)))
def test_every_example_in_the_documentation_works(example: str, tmp_path: Path) -> None:
    value = parse(example, "example").value
    if "tests" in value:
        (tmp_path / "tests").mkdir()
        (tmp_path / "tests" / "example.yaml").write_text(example, "utf-8")
        results = run_tests(tmp_path, POLICY)
        assert results
        assert all(result.ok for result in results), "\n".join(map(str, results))
    else:
        (tmp_path / "10.yaml").write_text(example, "utf-8")
        load(tmp_path)
        jsonschema.validate(value, mapping_schema())


@pytest.mark.parametrize(
    "word",
    [*FIELDS, *KEYS, *_samples()[0], "at_least", "at_most", "above", "below", "allow_negative", "one_of", "contains"],
)
def test_the_documentation_names_every_key(word: str) -> None:
    assert f"`{word}" in DOCUMENT or f"{word}:" in DOCUMENT
