"""The pages about sources name every setting, and none that is not there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from connector.sources.base import Source, SourceOptions
from connector.sources.bluesky import Bluesky
from connector.sources.listening import Listening
from connector.sources.manual import COLUMNS, Manual
from connector.sources.rss import Rss
from connector.sources.webhook import Webhook
from connector.sources.wordpress import Wordpress

DOCS = Path(__file__).parent.parent.parent / "docs" / "sources"


@pytest.mark.parametrize("source", [Bluesky, Listening, Manual, Rss, Webhook, Wordpress])
def test_the_table_of_settings_is_complete(source: type[Source]) -> None:
    page = (DOCS / f"{source.type}.md").read_text(encoding="utf-8")
    section = page.partition("## Settings")[2].partition("\n## ")[0]
    told = set(re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE))
    fields, base = source.Options.model_fields, SourceOptions.model_fields
    own = {name for name in fields if name not in base or fields[name].default != base[name].default}
    assert told == own


def test_the_columns_named_for_files_are_columns() -> None:
    page = (DOCS / "manual.md").read_text(encoding="utf-8").partition("## Files")[2]
    named = set(re.findall(r"`((?:author|parent)\.\w+)`", page))
    assert named
    assert named <= set(COLUMNS)
