"""What agents make of the tone: counted, proposed with care, and written so that a model can learn from it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from connector.triage.tone.agents import Judged, class_of, learnable, report, tone_in, write_labelled
from connector.triage.tone.labelled import read_labelled


@pytest.mark.parametrize(
    ("value", "tone"),
    [
        ("negative", "negative"),
        ("tone_negative", "negative"),
        ("tone_very_negative", "very_negative"),
        ("Very Positive", "very_positive"),
        ("unknown", "unknown"),
        ("seminegative", None),
        ("", None),
        ("red", None),
    ],
)
def test_a_fields_value_names_a_tone(value: str, tone: str | None) -> None:
    assert tone_in(value) == tone


def judged(text: str, ours: Any, theirs: Any, **facts: Any) -> Judged:
    return Judged(text, ours, theirs, **({"language": "en", "source": "sky"} | facts))


def test_agreement_is_told_by_source_and_language_and_changes_by_kind() -> None:
    found = report(
        [
            judged("a", "negative", "negative"),
            judged("b", "negative", "positive"),
            judged("c", "negative", "positive", source="forum", language=""),
        ]
    )

    assert (found.texts, found.left, round(found.agreement, 2)) == (3, 1, 0.33)
    assert found.groups == {("sky", "en"): (2, 1), ("forum", "unknown"): (1, 0)}
    assert found.changes == {("negative", "positive"): 2}


def test_a_word_is_proposed_when_it_stands_in_enough_corrections_and_in_nothing_else() -> None:
    bomb = [judged(f"the bomb {n}", "negative", "positive") for n in range(3)]
    also = [judged(f"terrible courier {n}", "neutral", "negative") for n in range(3)]
    against = [judged("a courier came", "neutral", "neutral")]

    assert [(p.word, p.label, p.texts) for p in report([*bomb, *also, *against]).proposals] == [
        ("bomb", "positive", 3),
        ("terrible", "negative", 3),
    ]
    assert report(bomb, least=4).proposals == ()


def test_a_step_within_a_class_is_a_change_but_no_reason_for_a_word() -> None:
    found = report([judged("dreadful", "negative", "very_negative") for _ in range(5)])

    assert (found.left, found.proposals) == (0, ())
    assert class_of("unknown") == ""


def test_what_is_learnt_is_what_was_changed_or_solved_and_reads_back(tmp_path: Path) -> None:
    kept = [
        judged("changed\tit \\ here\nnow", "negative", "positive"),
        judged("seen", "neutral", "neutral", settled=True),
    ]
    left_out = [judged("not looked at", "neutral", "neutral"), judged("who knows", "negative", "unknown")]
    assert learnable([*kept, *left_out]) == kept

    write_labelled(kept, tmp_path / "labels.tsv")
    rows, others = read_labelled(tmp_path / "labels.tsv")

    assert others == 0
    assert [(row.text, row.label, row.language, row.source) for row in rows] == [
        ("changed it \\ here now", 2, "en", "sky"),
        ("seen", 1, "en", "sky"),
    ]
