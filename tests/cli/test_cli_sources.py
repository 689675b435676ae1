"""What can be listened to is told from the code, and the page about it says the same."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from connector import plugins
from connector.cli import cli
from connector.cli.sources import markdown_table

DOCS = Path(__file__).parent.parent.parent / "docs" / "sources"


def run(*words: str) -> str:
    done = CliRunner().invoke(cli, ["sources", *words])
    assert done.exit_code == 0, done.output
    return done.stdout


def test_every_type_is_listed_with_what_it_can_do() -> None:
    lines = run("list").splitlines()
    assert [line.split()[0] for line in lines[1:]] == plugins.source_types()
    facts = {one["type"]: one for one in json.loads(run("list", "--json"))}
    assert facts["rss"]["reply"] is False
    assert facts["webhook"]["private_reply"] is True


def test_the_page_has_the_table_that_the_code_makes() -> None:
    page = (DOCS / "README.md").read_text(encoding="utf-8")
    assert "\n".join(markdown_table()) in page
    assert run("list", "--markdown").strip() in page


@pytest.mark.parametrize("kind", plugins.source_types())
def test_every_type_says_what_it_is_and_what_each_setting_means(kind: str) -> None:
    found = plugins.source_class(kind)
    assert found.about
    told = json.loads(run("show", kind, "--json"))
    assert {one["name"] for one in told["settings"]} >= set(found.Options.model_fields) - {"type"} - INTERNAL
    assert all(one["meaning"] for one in told["settings"]), kind
    text = run("show", kind)
    assert text.startswith(f"{kind}: {found.about}")
    assert all(fact in text for fact in found.unconfirmed)
    assert (DOCS / f"{kind}.md").is_file()


INTERNAL = {"allow_private_addresses"}


def test_a_type_that_is_not_there_is_told_with_what_is() -> None:
    done = CliRunner().invoke(cli, ["sources", "show", "blusky"])
    assert done.exit_code == 1
    assert 'did you mean "bluesky"?' in done.stderr
