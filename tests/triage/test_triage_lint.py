"""Linting against a helpdesk: names and values that are not there are told where the admin typed them."""

from __future__ import annotations

from pathlib import Path

import pytest
from triage_builders import policy_of

from connector.model import FieldSpec, Vocabulary

DESK = Vocabulary(
    fields=(
        FieldSpec("1", "Tone", "tagger", ("tone_negative", "tone_positive")),
        FieldSpec("2", "Topics", "multiselect", ("a", "b")),
        FieldSpec("3", "Urgent", "checkbox"),
        FieldSpec("4", "Followers", "integer"),
        FieldSpec("5", "Score", "decimal"),
        FieldSpec("6", "Seen", "date"),
        FieldSpec("7", "Note", "text"),
        FieldSpec("8", "Twice", "text"),
        FieldSpec("9", "Twice", "text"),
        FieldSpec("10", "Priority", "priority"),
        FieldSpec("11", "Type", "tickettype"),
    ),
    groups=("Tier 1", "Tier 2"),
    brands=("Acme",),
    forms=(),
    statuses=("new", "open", "pending", "hold", "solved", "closed", "Waiting for the courier"),
    types=("problem", "incident", "question", "task", "Refund"),
)


def told(directory: Path, settings: str, desk: Vocabulary = DESK) -> list[str]:
    policy = policy_of(directory, f"rules:\n  - name: r\n    set: {settings}\n")
    return [f"{problem.line}:{problem.column} {problem.message}" for problem in policy.lint(desk)]


@pytest.mark.parametrize(
    "settings",
    [
        "{group: Tier 2, brand: Acme, priority: high}",
        "{group: 360001}",
        "{status: hold, type: task}",
        "{status: waiting for the courier, type: refund}",
        "{status: 7}",
        "{fields: {Tone: tone_negative, 2: [a, b], Urgent: true, 4: 12, Score: 0.5, Seen: 2026-01-31, Note: x}}",
        "{fields: {Topics: a, Score: 3, Followers: '7', 8: by id}}",
    ],
)
def test_what_the_helpdesk_has_is_fine(tmp_path: Path, settings: str) -> None:
    assert told(tmp_path, settings) == []


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ("{group: Tier2}", '3:18 there is no group "Tier2" — did you mean "Tier 2"? (allowed: Tier 1, Tier 2)'),
        ("{brand: Acne}", '3:18 there is no brand "Acne" — did you mean "Acme"? (allowed: Acme)'),
        (
            "{status: Waiting for courier}",
            '3:19 there is no status "Waiting for courier" — did you mean "Waiting for the courier"?',
        ),
        ("{type: Praise}", '3:17 there is no type "Praise" (allowed: problem, incident, question, task, Refund)'),
        ("{form: Social}", '3:17 there is no form "Social"; this helpdesk has no forms'),
        ("{fields: {Ton: x}}", '3:20 there is no ticket field "Ton" — did you mean "Tone"?'),
        (
            "{fields: {Tone: tone_negativ}}",
            '3:26 "tone_negativ" is not a value of "Tone" — did you mean "tone_negative"?',
        ),
        ("{fields: {Topics: [a, c]}}", '3:28 "c" is not a value of "Topics" (allowed: a, b)'),
        ("{fields: {Tone: [tone_negative]}}", '3:26 the field "Tone" takes one value, not a list'),
        ("{fields: {Urgent: 'yes'}}", '3:28 the field "Urgent" is a checkbox: true or false'),
        ("{fields: {Followers: 1.5}}", '3:31 the field "Followers" takes a whole number'),
        ("{fields: {Score: high}}", '3:27 the field "Score" takes a number'),
        ("{fields: {Score: true}}", '3:27 the field "Score" takes a number'),
        ("{fields: {Seen: today}}", '3:26 the field "Seen" takes a date such as 2026-01-31'),
        ("{fields: {Twice: x}}", '3:20 2 fields are called "Twice"; use the id (8, 9)'),
        ("{fields: {Priority: high}}", "3:20 is the helpdesk's own priority: write `priority` instead"),
        ("{fields: {Type: question}}", "3:20 is the helpdesk's own type: write `type` instead"),
    ],
)
def test_what_it_has_not_is_told_with_what_was_probably_meant(tmp_path: Path, settings: str, message: str) -> None:
    [only] = told(tmp_path, settings)

    assert only.startswith(message)


def test_tables_are_looked_at_too(tmp_path: Path) -> None:
    policy = policy_of(tmp_path, "tables: {tone: {negative: {group: Nowhere}}}")

    [problem] = policy.lint(DESK)
    assert problem.path == "tables.tone.negative.group"


def test_a_helpdesk_without_fields_says_so(tmp_path: Path) -> None:
    assert told(tmp_path, "{fields: {Tone: x}}", Vocabulary()) == [
        '3:20 there is no ticket field "Tone"; this helpdesk has no fields of its own'
    ]


NAMED = """\
rules:
  - name: r
    set: {fields: {Tone: bad, Urgent: true, Followers: 3, Weight: 3, Seen: 2026-01-31, Topics: [a, b]}}
  - name: s
    set:
      fields:
        Tone: good
        Weight: 2.5
        Topics: c
        Mixed: 3
        Note: "a sentence that is a good deal longer than any option of a drop-down would ever be made"
  - name: t
    set: {fields: {Mixed: three}, priority: high, tags: [x]}
tables:
  tone:
    negative: {fields: {Tone: worse}}
deadlines:
  fields: {target: Answer by, ceiling: {name: Last day, as: date}}
"""


def test_the_fields_that_are_named_are_told_once_with_the_kind_that_takes_every_value(tmp_path: Path) -> None:
    needs = policy_of(tmp_path, NAMED).needed_fields()
    told = {need.name: (need.kind, need.values) for need in needs}

    assert len(needs) == len(told)
    assert told == {
        "Tone": ("dropdown", ("bad", "good", "worse")),
        "Urgent": ("checkbox", ()),
        "Followers": ("integer", ()),
        "Weight": ("decimal", ()),
        "Seen": ("date", ()),
        "Topics": ("multiselect", ("a", "b", "c")),
        "Mixed": ("text", ()),
        "Note": ("text", ()),
        "Answer by": ("text", ()),
        "Last day": ("date", ()),
    }
    assert next(need.place for need in needs if need.name == "Tone").endswith(":3")


def test_fields_that_are_not_there_can_be_left_out(tmp_path: Path) -> None:
    policy = policy_of(tmp_path, "rules:\n  - name: r\n    set: {fields: {Nothing: x, Urgent: 3}}\n")

    assert len(policy.lint(DESK)) == 2
    (left,) = policy.lint(DESK, absent=False)
    assert left.message == 'the field "Urgent" is a checkbox: true or false'
