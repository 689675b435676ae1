"""No configuration can drop a negative mention silently: whatever an admin writes, either the mapping is refused, or
every negative mention becomes a ticket, or a rule that says `allow_negative: true` is on record for it."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from triage_builders import policy_of, said

from connector.errors import ConfigError
from connector.model import KINDS, PRIORITIES, TONES, Mention, Past, Tone
from connector.triage import because_line, load

WORDS = ("parcel", "casino", "thanks")
FEEDBACK = ("complaint", "complaint.delivery", "spam", "thanks")

labels = st.lists(st.sampled_from(TONES), min_size=1, max_size=3, unique=True)
words = st.lists(st.sampled_from(WORDS), min_size=1, max_size=2, unique=True)
leaves = st.one_of(
    labels.map(lambda tones: {"tone": tones}),
    words.map(lambda found: {"text": found}),
    st.lists(st.sampled_from(FEEDBACK), min_size=1, max_size=2, unique=True).map(lambda names: {"feedback": names}),
    st.lists(st.sampled_from(KINDS), min_size=1, max_size=3, unique=True).map(lambda kinds: {"kind": kinds}),
    st.booleans().map(lambda flag: {"answer_expected": flag}),
    st.booleans().map(lambda flag: {"after_answer": flag}),
    st.booleans().map(lambda flag: {"private": flag}),
    st.integers(0, 60).map(lambda points: {"score": {"at_least": points}}),
    st.lists(st.sampled_from(PRIORITIES), min_size=1, max_size=2, unique=True).map(lambda found: {"priority": found}),
    st.just({"text": {"matches": "par.*l"}}),
    st.just({"open": "office"}),
    labels.map(lambda tones: {"last_tone": tones}),
)
conditions: st.SearchStrategy[dict[str, Any]] = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.lists(inner, min_size=1, max_size=3).map(lambda parts: {"any": parts}),
        st.lists(inner, min_size=1, max_size=3).map(lambda parts: {"all": parts}),
        inner.map(lambda part: {"not": part}),
    ),
    max_leaves=5,
)
effects = st.one_of(
    st.just({"ignore": "because"}),
    st.just({"ignore": "because", "allow_negative": True}),
    st.just({"stop": True}),
    st.just({"set": {"tags": ["x"]}}),
    st.sampled_from(PRIORITIES).map(lambda priority: {"set": {"priority": priority}}),
    st.integers(-90, 90).map(lambda points: {"set": {"score": points}}),
)


@st.composite
def rules(draw: st.DrawFn, prefix: str) -> list[dict[str, Any]]:
    made = []
    for index in range(draw(st.integers(0, 3))):
        rule = {"name": f"{prefix}{index}", **draw(effects)}
        if draw(st.integers(0, 5)):
            rule["when"] = draw(conditions)
        made.append(rule)
    return made


storms = st.fixed_dictionaries(
    {"authors": st.integers(2, 5)},
    optional={
        "per_source": st.booleans(),
        "keep_apart": conditions,
        "times": st.integers(1, 3),
        "tickets_per_hour": st.integers(1, 9),
        "set": st.just({"priority": "urgent"}),
    },
)


@st.composite
def mappings(draw: st.DrawFn) -> dict[str, Any]:
    tones = draw(st.lists(labels, min_size=4, max_size=4))
    return {
        "calendars": {"office": {"hours": {"mon-fri": "9-18"}}},
        "feedback": {
            name: {"tone": tone, **({"words": draw(words)} if draw(st.booleans()) else {})}
            for name, tone in zip(FEEDBACK, tones, strict=True)
        },
        "score": {"start": draw(st.integers(0, 90)), "tone": {"negative": 30}},
        "rules": draw(rules("r")),
        "sources": {"sky": {"rules": draw(rules("s"))}},
        "brands": {"Acme": {"when": draw(conditions), "rules": draw(rules("b"))}},
        "deadlines": {"first_reply": [{"name": "d", "when": draw(conditions), "none": True}]},
        "tables": {"tone": {"negative": {"tags": ["negative"]}}},
        **({"storm": draw(storms)} if draw(st.booleans()) else {}),
    }


negatives = st.builds(
    said,
    st.lists(st.sampled_from((*WORDS, "RT @x:", "?")), max_size=3).map(" ".join),
    tone=st.sampled_from(("negative", "very_negative")).map(Tone),
    kind=st.sampled_from(KINDS),
    private=st.booleans(),
    source=st.sampled_from(("sky", "other")),
)
pasts = st.builds(Past, contacts=st.integers(0, 3), answered=st.booleans(), tone=st.sampled_from(TONES))


@given(mappings(), st.lists(st.tuples(negatives, pasts), min_size=1, max_size=8))
@settings(deadline=None, max_examples=300)
def test_no_configuration_drops_a_negative_silently(
    mapping: dict[str, Any], mentions: list[tuple[Mention, Past]]
) -> None:
    with tempfile.TemporaryDirectory() as directory:
        (Path(directory) / "10.yaml").write_text(json.dumps(mapping))
        try:
            policy = load(Path(directory))
        except ConfigError as error:
            told = [problem.message for problem in error.problems if problem.severity == "error"]
            assert told
            assert all("could ignore a complaint" in message for message in told)
            return
    allowed = {rule.name for rule in policy.rules if rule.allow_negative}
    for mention, past in mentions:
        decision = policy.decide(mention, past)
        if decision.ignored:
            assert decision.rules[-1] in allowed
            assert any(line.field == "ignored" and line.rule in allowed for line in decision.because)
        else:
            assert "negative" in decision.settings.tags or decision.tone.label == "very_negative"
            assert "could ignore" not in "\n".join(map(because_line, decision.because))
            assert decision.topic  # of what a storm makes of it: tests/flow/test_nobody_is_lost.py
            assert decision.apart or not mention.private


def test_a_shield_whose_pattern_takes_too_long_does_not_let_a_negative_through(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("connector.triage.wants.PATTERN_SECONDS", 0.02)
    policy = policy_of(
        tmp_path,
        r"""
        rules:
          - name: shield
            when: {any: [{text: {matches: 'zq(b|bb)+(b|bb)+(b|bb)+[.]'}}, {tone: [negative, very_negative]}]}
            stop: true
          - {name: adverts, when: {text: {matches: zq}}, ignore: advert}
        """,
    )
    mention = said("zq" + "b" * 3000, tone=Tone("negative"))
    decision = policy.decide(mention)

    assert not decision.ignored
    assert "adverts" not in decision.rules
    assert "a negative mention is never ignored" in "\n".join(map(because_line, decision.because))
    assert [outcome.fitted for outcome in policy.outcomes(mention)] == [False, False]
