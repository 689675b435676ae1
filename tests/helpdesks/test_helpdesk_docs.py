"""The page about helpdesks says what the adapters can do, and names their options and no others."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

import pytest

from connector import plugins
from connector.helpdesks.base import HelpdeskCapabilities

PAGE = (Path(__file__).parents[2] / "docs" / "helpdesks.md").read_text(encoding="utf-8")
FIRST_TABLE = PAGE.split("## Side by side", 1)[1].strip().split("\n\n", 1)[0]


def table() -> dict[str, dict[str, str]]:
    """What the first table says: capability → column → cell."""
    head, _, *rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in FIRST_TABLE.splitlines()]
    said = {}
    for row in rows:
        name = re.match(r"`(\w+)`", row[0])
        assert name is not None, row
        said[name[1]] = {column.lower(): cell for column, cell in zip(head, row, strict=True)}
    return said


def test_every_capability_has_its_row_and_every_helpdesk_its_column() -> None:
    said = table()
    assert sorted(said) == sorted(field.name for field in fields(HelpdeskCapabilities))
    assert set(said["push"]) >= set(plugins.helpdesk_types())


@pytest.mark.parametrize("kind", plugins.helpdesk_types())
def test_the_table_says_what_the_adapter_can_do(kind: str) -> None:
    capabilities = plugins.helpdesk_class(kind).capabilities
    for name, cells in table().items():
        is_so = getattr(capabilities, name)
        wanted = is_so if isinstance(is_so, str) else "yes" if is_so else "no"
        assert cells[kind].partition(":")[0] == wanted, f"{kind}, {name}"


@pytest.mark.parametrize("kind", plugins.helpdesk_types())
def test_the_set_up_names_options_that_exist(kind: str) -> None:
    section = next(part for part in PAGE.split("\n## ") if part.lower().startswith(f"setting up {kind}"))
    block = re.search(r"```yaml\n(.*?)```", section, re.DOTALL)
    assert block is not None
    named = set(re.findall(r"^ {7,}(\w+):", block[1], re.MULTILINE))
    assert named <= set(plugins.helpdesk_class(kind).Options.model_fields)
    assert {"type", "base_url", "webhook_secret"} <= named
