"""The section storm of a mapping: what it says, what a decision tells of it, and what is wrong with it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from triage_builders import policy_of, said

from connector.model import Tone, Vocabulary
from connector.triage import Policy, because_line
from connector.triage.storm import Storm

KINDS = """
feedback:
  complaint.delivery: {words: [parcel], owner: a}
  complaint: {tone: [negative, very_negative], owner: a}
templates: {answers: {complaint: sorry}}
"""


def storm_of(directory: Path, section: str, *, before: str = KINDS) -> tuple[Policy, Storm]:
    policy = policy_of(directory, f"{before}\nstorm: {section}\n")
    assert policy.storm is not None
    return policy, policy.storm


def test_what_is_left_out_is_the_usual(tmp_path: Path) -> None:
    _, storm = storm_of(tmp_path, "{tags: [storm]}")

    assert (storm.by, storm.per_source, storm.authors, storm.within) == ("feedback", False, 15, 30)
    assert (storm.times, storm.days, storm.calm, storm.tickets_per_hour) == (3.0, 7, 60, None)


def test_everything_can_be_said(tmp_path: Path) -> None:
    _, storm = storm_of(
        tmp_path,
        "{per_source: true, authors: 4, within: 10min, times: 1.5, days: 3, calm: 2h, tags: [storm, Crisis],"
        " set: {priority: high, group: Crisis, fields: {Topic: outage}}, tickets_per_hour: 9}",
    )

    assert (storm.per_source, storm.authors, storm.within, storm.times, storm.days) == (True, 4, 10, 1.5, 3)
    assert (storm.calm, storm.tags, storm.tickets_per_hour) == (120, ("storm", "crisis"), 9)
    problem = storm.problem
    assert (problem.priority, problem.group, problem.fields) == ("high", "Crisis", {"Topic": "outage"})


@pytest.mark.parametrize(
    ("text", "topic"), [("my parcel", "complaint.delivery"), ("anything", "complaint"), ("nice", "other")]
)
def test_the_topic_is_the_main_kind_of_feedback(tmp_path: Path, text: str, topic: str) -> None:
    tone = "neutral" if topic == "other" else "negative"
    with_storm, _ = storm_of(tmp_path, "{tags: [storm]}")

    assert with_storm.decide(said(text, tone=Tone(tone))).topic == topic
    assert with_storm.topics() == ("complaint.delivery", "complaint", "other")


def test_without_a_storm_there_is_a_topic_too_for_silences(tmp_path: Path) -> None:
    policy = policy_of(tmp_path, KINDS)

    assert policy.decide(said("my parcel", tone=Tone("negative"))).topic == "complaint.delivery"


def test_the_topic_may_be_a_rule(tmp_path: Path) -> None:
    rules = """
rules:
  - {name: outage, when: {text: [is down]}, set: {tags: [outage]}}
  - {name: else, set: {tags: [x]}}
"""
    policy, _ = storm_of(tmp_path, "{by: rule, rules: [outage]}", before=rules)

    assert policy.decide(said("it is down")).topic == "outage"
    assert policy.decide(said("hello")).topic == ""
    assert policy.topics() == ("outage",)


@pytest.mark.parametrize(
    ("facts", "apart"),
    [
        ({"author_handle": "anna"}, True),
        ({"author_handle": "bob"}, False),
        ({"author_handle": "bob", "private": True}, True),
        ({"author_handle": "bob", "kind": "dm"}, True),
    ],
)
def test_who_is_kept_apart_and_what_is_private_is_marked_so(
    tmp_path: Path, facts: dict[str, Any], apart: bool
) -> None:
    policy, _ = storm_of(tmp_path, "{keep_apart: {author.handle: anna}}")
    decision = policy.decide(said(tone=Tone("negative"), **facts))

    assert decision.apart is apart
    told = [because_line(line) for line in decision.because if line.field == "apart"]
    assert bool(told) is (facts["author_handle"] == "anna")


def test_what_is_private_is_apart_without_a_storm_too(tmp_path: Path) -> None:
    assert policy_of(tmp_path, KINDS).decide(said(private=True)).apart


def test_whoever_cannot_be_judged_in_time_is_kept_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("connector.triage.wants.PATTERN_SECONDS", 0.02)
    policy, _ = storm_of(tmp_path, r"{keep_apart: {text: {matches: 'zq(b|bb)+(b|bb)+(b|bb)+[.]'}}}")

    assert policy.decide(said("zq" + "b" * 3000, tone=Tone("negative"))).apart


def test_a_cap_below_what_makes_a_storm_is_warned_of(tmp_path: Path) -> None:
    policy, _ = storm_of(tmp_path, "{authors: 15, tickets_per_hour: 10}")

    assert sum("storm.tickets_per_hour" in str(problem) for problem in policy.warnings) == 1


def test_what_the_problem_ticket_gets_is_asked_of_the_helpdesk(tmp_path: Path) -> None:
    policy, _ = storm_of(tmp_path, "{set: {group: Crisis}}")

    (problem,) = policy.lint(Vocabulary(groups=("Support", "Crises")))
    assert 'there is no group "Crisis"' in problem.message
