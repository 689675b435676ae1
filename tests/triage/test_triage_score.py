"""The score: what adds up, what priority it comes to, who has the last word, and that the trace holds all of it."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from triage_builders import policy_of, said

from connector.errors import ConfigError
from connector.model import PRIORITIES, TONES, Mention, Past, Tone, ToneLabel
from connector.triage import because_line, load

SHIPPED = load(Path(__file__).parents[2] / "mappings")
WHOLE = """
    feedback:
      complaint: {tone: [negative, very_negative], owner: a}
      complaint.late: {words: [late], owner: a}
      legal: {words: [court], owner: a}
    score:
      start: 10
      tone: {negative: 30, positive: -10}
      last_tone: {negative: 4}
      strength: 10
      feedback: {complaint: 5, legal: 40}
      kind: {review: 3}
      source: {Sky: 2}
      platform: {bluesky: 1}
      language: {ru: 6}
      author.followers: [{at_least: 1000, points: 20}, {at_least: 100, points: 7}, {below: 10, points: -5}]
      engagement.likes: {above: 5, points: 8}
      author.contacts: {at_least: 2, points: 9}
      also: [{name: at night, when: {hour: 0-6}, points: 11}, {name: again, when: {after_answer: true}, points: 12}]
    """
BASE = 10 + 2 + 1


@pytest.mark.parametrize(
    ("mention", "past", "points"),
    [
        (said("a"), Past(), 0),
        (said("a", tone=Tone("positive")), Past(), -10),
        (said("a", tone=Tone("negative", -0.64)), Past(), 30 + 6 + 5),
        (said("a", tone=Tone("negative", 0.0)), Past(), 30 + 5),
        (said("late", tone=Tone("negative")), Past(), 30 + 5),
        (said("late court", tone=Tone("neutral")), Past(), 5 + 40),
        (said("a", kind="review"), Past(), 3),
        (said("a", source="other"), Past(), -2),
        (said("a", language="ru"), Past(), 6),
        (said("a", author_followers=5000), Past(), 20),
        (said("a", author_followers=100), Past(), 7),
        (said("a", author_followers=50), Past(), 0),
        (said("a", author_followers=3), Past(), -5),
        (said("a", engagement={"likes": 6}), Past(), 8),
        (said("a"), Past(contacts=2), 9),
        (said("a"), Past(answered=True, tone="negative"), 12 + 4),
    ],
)
def test_every_part_adds_what_it_says(tmp_path: Path, mention: Mention, past: Past, points: int) -> None:
    decision = policy_of(tmp_path, WHOLE).decide(mention, past)

    assert decision.score == BASE + points
    assert sum(line.value for line in decision.because if line.field == "score") == decision.score


def test_the_priority_is_the_highest_threshold_reached(tmp_path: Path) -> None:
    (tmp_path / "00.yaml").write_text("score: {thresholds: {normal: 5, high: 10, urgent: 15}, rating: [")
    found = {}
    for points in (4, 5, 9, 10, 14, 15, 99):
        policy = policy_of(
            tmp_path, f"score: {{start: {points}, thresholds: {{normal: 5, high: 10, urgent: 15}}}}", name="00.yaml"
        )
        found[points] = policy.decide(said()).settings.priority

    assert found == {4: "low", 5: "normal", 9: "normal", 10: "high", 14: "high", 15: "urgent", 99: "urgent"}


def test_rules_add_to_it_and_see_what_it_comes_to(tmp_path: Path) -> None:
    decision = policy_of(
        tmp_path,
        """
        score: {start: 45}
        rules:
          - {name: before, when: {priority: normal, score: {below: 50}}, set: {tags: [before]}}
          - {name: more, set: {score: 40}}
          - {name: after, when: {priority: urgent, score: 85}, set: {tags: [after], score: -1}}
        """,
    ).decide(said())

    assert decision.rules == ("before", "more", "after")
    assert (decision.score, decision.settings.priority) == (84, "urgent")
    lines = [because_line(line) for line in decision.because]
    assert any("score  +40  more" in line for line in lines)
    assert any("priority  urgent  score" in line and "the score 84 is at least 80" in line for line in lines)


def test_a_rule_that_sets_the_priority_wins_and_the_trace_says_what_the_score_would_have_made(tmp_path: Path) -> None:
    decision = policy_of(
        tmp_path,
        """
        score: {start: 90}
        rules:
          - {name: calm, set: {priority: low}}
          - {name: low, when: {priority: low}, set: {tags: [seen], score: 5}}
        """,
    ).decide(said())

    assert decision.settings.priority == "low"
    assert decision.settings.tags == ("seen",)
    [line] = [line for line in decision.because if line.field == "priority" and "kept" in line.why]
    assert line.rule == "calm"
    assert line.why == "kept: the score 95 is at least 80, so it would be urgent, but what a rule sets wins"


def test_a_priority_in_a_table_never_counts_beside_a_score_and_is_warned_of(tmp_path: Path) -> None:
    policy = policy_of(tmp_path, "score: {start: 90}\ntables: {kind: {post: {priority: low}}}")

    assert [problem.message.partition(":")[0] for problem in policy.warnings] == ["is never used"]
    decision = policy.decide(said())
    assert decision.settings.priority == "urgent"
    assert "but the score wins" in "\n".join(map(because_line, decision.because))


def test_without_a_score_a_decision_has_none(tmp_path: Path) -> None:
    decision = policy_of(tmp_path, "").decide(said())

    assert decision.score is None
    assert decision.settings.priority == "normal"


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("score: {strat: 1}", 'did you mean "start"?'),
        ("score: {start: 1.5}", "has to be a whole number of points"),
        ("score: {tone: {negativ: 1}}", 'did you mean "negative"?'),
        ("score: {feedback: {a: 1}}", '"a" is not a kind of feedback'),
        ("score: {language: {Russian: 1}}", "is not a language code"),
        (
            "score: {thresholds: {high: 90}}",
            "have to grow from normal to urgent; they are normal 20, high 90, urgent 80",
        ),
        ("score: {author.followers: [{at_least: 5}]}", "has no points"),
        ("score: {author.followers: [{points: 5}]}", "is empty; bounds are"),
        ("score: {also: [{name: a, points: 5}]}", "has no when"),
        ("score: {also: [{name: a, when: {score: 3}, points: 5}]}", "cannot ask for score: this is what makes it"),
        ("score: {also: {name: a}}", "has to be a list"),
        ("rules: [{name: a, set: {score: 5}}]", "adds to a score, and the mapping has none"),
        ("score: {}\nrules: [{name: a, set: {score: lots}}]", "has to be a whole number of points"),
        ("score: {}\ntables: {tone: {negative: {score: 5}}}", "a table comes after the score"),
    ],
)
def test_mistakes_are_told_with_the_way_out(tmp_path: Path, content: str, told: str) -> None:
    with pytest.raises(ConfigError) as caught:
        policy_of(tmp_path, content)

    assert told in str(caught.value)


def test_a_step_that_never_counts_is_warned_of(tmp_path: Path) -> None:
    steps = "[{at_least: 100, points: 5}, {at_least: 1000, points: 20}]"
    [told] = policy_of(tmp_path, f"score: {{author.followers: {steps}}}").warnings

    assert "never counts: the step at" in told.message


@given(
    st.sampled_from(TONES),
    st.none() | st.integers(0, 10**7),
    st.integers(0, 9),
    st.booleans(),
    st.text(max_size=40),
)
@settings(deadline=None)
def test_what_stands_in_the_trace_is_the_score_and_more_followers_never_matter_less(
    tone: ToneLabel, followers: int | None, contacts: int, answered: bool, text: str
) -> None:
    past = Past(contacts=contacts, answered=answered)
    decision = SHIPPED.decide(said(text, tone=Tone(tone), author_followers=followers), past)
    if decision.ignored:
        return
    known = said(text, tone=Tone(tone), author_followers=(followers or 0) + 10_000)
    louder = SHIPPED.decide(known, past)

    assert sum(line.value for line in decision.because if line.field == "score") == decision.score
    assert louder.score is not None
    assert decision.score is not None
    assert louder.score >= decision.score
    assert decision.settings.priority in PRIORITIES
