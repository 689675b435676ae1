"""Mentions and policies with good defaults, for the tests of triage."""

from __future__ import annotations

import textwrap
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from connector.model import Author, Mention
from connector.triage import Policy, load

NOON = datetime(2026, 3, 4, 12, tzinfo=UTC)  # a Wednesday


def said(text: str = "Hello", **others: Any) -> Mention:
    """A mention; what begins with `author_` goes to its author."""
    author = {key.removeprefix("author_"): others.pop(key) for key in list(others) if key.startswith("author_")}
    return Mention(
        **{
            "source": "sky",
            "platform": "bluesky",
            "external_id": "1",
            "author": Author(**{"id": "7", "name": "Anna", "handle": "anna", **author}),
            "text": text,
            "created_at": NOON,
            **others,
        }
    )


def policy_of(directory: Path, content: str, *, name: str = "10-rules.yaml") -> Policy:
    """The policy of one file with this content."""
    (directory / name).write_text(textwrap.dedent(content), "utf-8")
    return load(directory)


def one_rule(directory: Path, when: str) -> Policy:
    """A policy with one rule `r` and this condition."""
    return policy_of(directory, f"rules:\n  - name: r\n    when: {when}\n    set: {{tags: [hit]}}\n")
