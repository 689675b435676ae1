"""The section automatic of a mapping: who may be answered without an agent, and who never is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from triage_builders import policy_of, said

from connector.model import Past, Tone
from connector.triage import Policy, because_line

MAPPING = """
feedback:
  insult: {words: [idiots], owner: a}
  complaint: {tone: [negative, very_negative], owner: a}
  question: {words: [where], owner: a}
  thanks: {words: [thank you], owner: a}
  thanks.staff: {words: [courier], owner: a}
templates:
  answers:
    thanks: {en: "You are welcome, {{ author.name }}!"}
    complaint: sorry
    question: good question
    insult: calm down
automatic:
  kinds: [thanks]
  confidence: 0.7
  dry_run: false
"""
SURE = Tone("positive", 0.8, 0.9)


@pytest.fixture
def policy(tmp_path: Path) -> Policy:
    return policy_of(tmp_path, MAPPING)


def answer(policy: Policy, text: str = "thank you", tone: Tone = SURE, past: Past | None = None, **facts: Any) -> str:
    decision = policy.decide(said(text, tone=tone, **{"language": "en"} | facts), past or Past())
    return decision.answer


def test_what_is_named_is_answered_with_its_draft_made_personal(policy: Policy) -> None:
    assert answer(policy) == "You are welcome, Anna!"
    assert answer(policy, "thank you, dear courier") == "You are welcome, Anna!"


@pytest.mark.parametrize(
    ("facts", "why"),
    [
        ({"tone": Tone("negative", -0.9, 0.99)}, "answered by a person"),
        ({"tone": Tone("very_negative", -0.9, 0.99)}, "answered by a person"),
        ({"past": Past(tone="negative")}, "answered by a person"),
        ({"tone": Tone("positive", 0.8, 0.69)}, "not sure enough"),
        ({"tone": Tone("positive", 0.8, float("nan"))}, "not sure enough"),
        ({"text": "thank you, idiots"}, "insult is not answered automatically"),
        ({"text": "thank you, but where is it"}, "question is not answered automatically"),
        ({"private": True}, "private"),
        ({"kind": "dm"}, "private"),
        ({"past": Past(answered=True)}, "answered before"),
        ({"language": "ru"}, "no draft in ru"),
        ({"language": "fi"}, "no draft in fi"),
    ],
)
def test_who_is_left_to_a_person_and_the_trace_says_why(policy: Policy, facts: dict[str, Any], why: str) -> None:
    given = {"text": "thank you", "tone": SURE, "language": "en"} | facts
    decision = policy.decide(said(**{k: v for k, v in given.items() if k != "past"}), given.get("past", Past()))

    assert decision.answer == ""
    assert any(line.field == "answer" and why in because_line(line) for line in decision.because)


def test_it_is_tried_first_unless_the_mapping_says_otherwise(tmp_path: Path) -> None:
    policy = policy_of(tmp_path, MAPPING.replace("  dry_run: false\n", ""))

    assert policy.automatic is not None
    assert policy.automatic.dry_run


def test_without_the_section_nothing_is_answered(tmp_path: Path) -> None:
    assert answer(policy_of(tmp_path, MAPPING.partition("automatic:")[0])) == ""


def test_a_tone_that_is_not_clear_is_left_to_a_person(tmp_path: Path) -> None:
    decision = policy_of(tmp_path, MAPPING + "tone: {unknown_below: 1}\n").decide(said("thank you", language="en"))

    assert (decision.tone.label, decision.answer) == ("unknown", "")
