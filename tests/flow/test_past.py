"""What an author said before decides who they are, as far back as the mapping looks."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest
from flow_builders import Stage, mention_claim

from connector.model import Decision, decode
from connector.triage import Policy, load

DAY = 86_400.0
MAPPING = """
remember_days: 30
people: {critic: {author.negative: {at_least: 2}}, advocate: {author.positive: {at_least: 2}}}
"""


@cache
def policy() -> Policy:
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "mapping.yaml").write_text(MAPPING, "utf-8")
        return load(Path(folder))


@pytest.mark.parametrize(
    ("tones", "role"),
    [
        ((), "unknown"),
        ((("negative", 99 * DAY), ("very_negative", 71 * DAY)), "critic"),
        ((("negative", 99 * DAY), ("negative", 69 * DAY)), "unknown"),
        (
            (("positive", 99 * DAY), ("very_positive", 98 * DAY), ("neutral", 98 * DAY), ("unknown", 97 * DAY)),
            "advocate",
        ),
        ((("negative", 99 * DAY), ("positive", 98 * DAY)), "unknown"),
    ],
)
def test_earlier_tones_make_the_role(tones: tuple[tuple[str, float], ...], role: str) -> None:
    stage = Stage(mention_claim(tones=tones))
    stage.wiring = replace(stage.wiring, policy=policy())
    outcome = stage.carry(100 * DAY)
    assert decode(Decision, stage.memory.intents[0].trace or "").role == role
    assert outcome.tone == "neutral", "and how this one was said is remembered"
