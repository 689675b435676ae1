"""Kinds of feedback: which are found, in what order, whether an answer is expected, and what is known of them."""

from __future__ import annotations

from pathlib import Path

import pytest
from triage_builders import policy_of, said

from connector.errors import ConfigError
from connector.model import Mention, Tone
from connector.triage import Policy, because_line

KINDS = """
    feedback:
      legal: {words: [court], owner: lawyer}
      complaint.delivery: {words: [parcel], tone: [negative, very_negative], owner: logistics}
      complaint.price: {words: [price], tone: [negative, very_negative]}
      complaint: {tone: [negative, very_negative], owner: support}
      question: {when: {text: {matches: '[?]$'}}, answer_expected: true}
      thanks: {words: [thanks], answer_expected: false}
    """


def bad(text: str, **others: object) -> Mention:
    return said(text, tone=Tone("negative"), **others)


def policy(directory: Path, rest: str = "") -> Policy:
    if rest:
        (directory / "20.yaml").write_text(rest, "utf-8")
    return policy_of(directory, KINDS)


@pytest.mark.parametrize(
    ("mention", "kinds", "owner"),
    [
        (bad("where is my parcel"), ("complaint.delivery",), "logistics"),
        (bad("the price of this parcel"), ("complaint.delivery", "complaint.price"), "logistics"),
        (bad("the price"), ("complaint.price",), "support"),
        (bad("see you in court about my parcel"), ("legal", "complaint.delivery"), "lawyer"),
        (bad("so bad"), ("complaint",), "support"),
        (said("a parcel", tone=Tone("neutral")), (), ""),
        (said("thanks, and when?"), ("question", "thanks"), ""),
    ],
)
def test_a_mention_is_of_every_kind_that_fits_the_more_telling_first(
    tmp_path: Path, mention: Mention, kinds: tuple[str, ...], owner: str
) -> None:
    decision = policy(tmp_path).decide(mention)

    assert decision.feedback == kinds
    assert decision.owner == owner


@pytest.mark.parametrize(
    ("mention", "expected", "why"),
    [
        (said("thanks"), False, "thanks"),
        (said("thanks, and when?"), True, "question"),
        (bad("so bad"), True, "it is negative"),
        (said("hm", private=True), True, "it is private"),
        (said("hm? ok"), True, "it asks something"),
        (said("hm"), False, "neither negative, private nor a question"),
    ],
)
def test_whether_an_answer_is_expected_is_said_with_its_reason(
    tmp_path: Path, mention: Mention, expected: bool, why: str
) -> None:
    decision = policy(tmp_path).decide(mention)

    assert decision.answer_expected is expected
    [line] = [line for line in decision.because if line.field == "answer_expected"]
    assert why in because_line(line)


def test_without_kinds_every_mention_is_taken_to_expect_an_answer(tmp_path: Path) -> None:
    decision = policy_of(tmp_path, "").decide(said("hm"))

    assert decision.feedback == ()
    assert decision.answer_expected


def test_the_trace_says_which_words_made_it_that_kind(tmp_path: Path) -> None:
    [line] = [line for line in policy(tmp_path).decide(bad("My PARCEL")).because if line.field == "feedback"]

    assert line.why == "text has «parcel»; tone is negative"
    assert line.place.endswith("10-rules.yaml:4")


def test_a_condition_on_a_kind_takes_in_all_under_it(tmp_path: Path) -> None:
    made = policy(
        tmp_path,
        "rules:\n"
        "  - {name: any complaint, when: {feedback: complaint}, set: {tags: [a]}}\n"
        "  - {name: delivery, when: {feedback: [complaint.delivery, thanks]}, set: {tags: [b]}}\n"
        "  - {name: nobody waits, when: {answer_expected: false}, set: {tags: [c]}}\n",
    )

    assert made.decide(bad("parcel")).rules == ("any complaint", "delivery")
    assert made.decide(bad("price")).rules == ("any complaint",)
    assert made.decide(said("thanks")).rules == ("delivery", "nobody waits")


def test_a_table_brings_the_rows_of_all_kinds_and_the_main_one_wins(tmp_path: Path) -> None:
    made = policy(
        tmp_path,
        "tables:\n  feedback:\n"
        "    complaint: {group: Support, tags: [complaint]}\n"
        "    complaint.delivery: {group: Logistics, tags: [delivery]}\n"
        "    complaint.price: {group: Sales, tags: [price]}\n",
    )
    decision = made.decide(bad("the price of this parcel"))

    assert decision.settings.group == "Logistics"
    assert set(decision.settings.tags) == {"complaint", "delivery", "price"}
    assert made.decide(bad("price")).settings.group == "Sales"


def test_the_draft_is_that_of_the_kind_or_of_the_one_above_in_the_language_of_the_mention(tmp_path: Path) -> None:
    made = policy(
        tmp_path,
        "templates:\n  answers:\n"
        "    complaint: {ru: 'Жаль, {{ author.name }}', en: 'Sorry, {{ author.name }}'}\n"
        "    complaint.delivery: Late\n"
        "    question: '{{ 1 // (text | length - 1) }}'\n",
    )

    assert made.decide(bad("price", language="ru")).suggestion == "Жаль, Anna"
    assert made.decide(bad("the price")).suggestion == "Sorry, Anna"
    assert made.decide(bad("цена price")).suggestion == "Жаль, Anna"
    assert made.decide(bad("parcel")).suggestion == "Late"
    assert made.decide(said("thanks")).suggestion == ""
    failed = made.decide(said("?"))
    assert failed.suggestion == ""
    assert "none is suggested" in "\n".join(map(because_line, failed.because))


def test_templates_may_name_kinds_owner_score_and_contacts(tmp_path: Path) -> None:
    made = policy(
        tmp_path,
        "score: {start: 7}\n"
        "templates: {subject: '{{ feedback }}|{{ kinds | join }}|{{ owner }}|{{ answer_expected }}|{{ score }}'}\n",
    )

    assert made.decide(bad("court, parcel")).subject == "legal|legal, complaint.delivery|lawyer|True|7"


def test_a_pattern_that_takes_too_long_leaves_its_kind_out_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("connector.triage.wants.PATTERN_SECONDS", 0.02)
    made = policy_of(tmp_path, r"feedback: {slow: {when: {text: {matches: 'zq(b|bb)+(b|bb)+(b|bb)+[.]'}}}}")
    decision = made.decide(said("zq" + "b" * 3000))

    assert decision.feedback == ()
    assert "so the kind was left out" in "\n".join(map(because_line, decision.because))


# --- what is told of them ----------------------------------------------------------------------------------


def test_what_is_missing_for_a_kind_is_listed(tmp_path: Path) -> None:
    late = "very_negative, neutral, positive, very_positive, unknown"
    told = [
        (problem.path, problem.message.partition(":")[0])
        for problem in policy_of(
            tmp_path,
            "feedback:\n"
            "  complaint: {tone: negative, owner: support}\n"
            "  complaint.late: {words: [late]}\n"
            "  thanks: {words: [thanks], answer_expected: false}\n"
            "rules:\n"
            "  - {name: late, when: {feedback: complaint.late, tone: negative}, set: {tags: [late]}}\n"
            "  - {name: thanked, when: {feedback: thanks}, set: {group: Fans}}\n"
            "templates: {answers: {complaint.late: sorry}}\n",
        ).warnings
    ]

    assert told == [
        ("feedback.complaint", 'no answer is drafted for "complaint"'),
        ("feedback.complaint", 'no rule and no table does anything about "complaint" in tone negative'),
        ("feedback.complaint.late", f'no rule and no table does anything about "complaint.late" in tone {late}'),
    ]


def test_a_group_makes_an_owner_and_a_tone_table_does_something(tmp_path: Path) -> None:
    policy_of(tmp_path, "tables: {tone: {negative: {tags: [n]}}}", name="20.yaml")
    [told] = policy_of(tmp_path, "feedback: {complaint: {tone: negative, answer_expected: false}}").warnings

    assert told.message.startswith('nobody owns "complaint"')


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("feedback: {'my kind': {words: [a]}}", "is not a name for a kind"),
        ("feedback: {a: {owner: x}}", "says nothing of when it is meant"),
        ("feedback: {a: {when: {priority: low}}}", "cannot ask for priority: kinds of feedback are found before"),
        ("feedback: {a: {when: {feedback: a}}}", "is not a kind of feedback"),
        ("feedback: {a: {word: [x]}}", 'did you mean "words"?'),
        ("feedback: {a: {words: [x], answer_expected: maybe}}", "has to be true or false"),
        ("feedback: {a: {words: {list: b}}}", 'there is no list "b"'),
        ("feedback: [a]", "has to be a mapping from kinds of feedback"),
        ("rules: [{name: r, when: {feedback: a}, set: {tags: [x]}}]", "the mapping names none"),
        ("tables: {feedback: {a: {tags: [x]}}}", '"a" is not a kind of feedback; the mapping names none'),
        ("feedback: {ab: {words: [x]}}\ntemplates: {answers: {abc: x}}", 'did you mean "ab"?'),
        ("feedback: {a: {words: [x]}}\ntemplates: {answers: {a: {rus: x, english: y}}}", "is not a language code"),
        ("feedback: {a: {words: [x]}}\ntemplates: {answers: {a: {}}}", "has no text in any language"),
        ("feedback: {a: {words: [x]}}\ntemplates: {answers: {a: '{{ nobody }}'}}", '"nobody" is not known here'),
    ],
)
def test_mistakes_are_told_with_the_way_out(tmp_path: Path, content: str, told: str) -> None:
    with pytest.raises(ConfigError) as caught:
        policy_of(tmp_path, content)

    assert told in str(caught.value)


def test_a_kind_may_be_given_once_over_all_files(tmp_path: Path) -> None:
    policy_of(tmp_path, "feedback: {a: {words: [x]}}", name="00.yaml")
    with pytest.raises(ConfigError, match="is already given at"):
        policy_of(tmp_path, "feedback: {a: {words: [y]}}")


# --- never ignore a complaint ------------------------------------------------------------------------------


def test_ignoring_a_kind_that_cannot_be_negative_is_accepted_and_one_that_can_is_not(tmp_path: Path) -> None:
    policy_of(
        tmp_path,
        "feedback: {spam: {words: [casino], tone: [neutral, positive, very_positive, unknown], owner: nobody}}\n",
        name="00.yaml",
    )
    policy_of(tmp_path, "rules: [{name: spam, when: {feedback: spam}, ignore: spam}]")

    with pytest.raises(ConfigError, match="could ignore a complaint"):
        policy_of(tmp_path, "feedback: {spam: {words: [casino]}}", name="00.yaml")
