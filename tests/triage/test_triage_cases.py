"""The admin's own tests: what they may expect, and how a failure reads."""

from __future__ import annotations

from pathlib import Path

import pytest
from triage_builders import policy_of

from connector.errors import ConfigError
from connector.triage import CaseResult, run_tests

POLICY = """
    rules:
      - {name: vip, when: {author.followers: {at_least: 100}}, set: {priority: urgent, tags: [vip], group: Tier 2}}
      - {name: form, when: {kind: review}, set: {fields: {Stars: 3, Tone: bad}, type: question, untag: [x], brand: B}}
      - {name: advert, when: {text: hiring, tone: [neutral, unknown]}, ignore: job advert}
    """


def run(directory: Path, tests: str) -> list[CaseResult]:
    mapping = directory / "mappings"
    (mapping / "tests").mkdir(parents=True)
    (mapping / "tests" / "some.yaml").write_text(f"tests:\n{tests}", "utf-8")
    return run_tests(mapping, policy_of(mapping, POLICY))


@pytest.mark.parametrize(
    ("mention", "expect"),
    [
        (
            "{author: {followers: 100}}",
            "{priority: urgent, tags: vip, group: Tier 2, rules: [vip], decision: ticket}",
        ),
        (
            "{author: {followers: 100}}",
            "{priority: {not: low}, tags: {not: [other, more]}, rules: {one_of: [vip, x]}}",
        ),
        (
            "{author: {followers: 100}}",
            "{priority: [high, urgent], tags: [vip, {not: low}], group: {contains: Tier}}",
        ),
        ("{author: {followers: 100}}", "{because: [author.followers 100, vip, 'mappings/10-rules.yaml:3']}"),
        ("{author: {followers: 100}}", "{because: {not: [advert]}, ignored: false}"),
        ("{text: hiring}", "{decision: ignore, ignored: job advert, rules: [advert], tags: []}"),
        ("{text: hiring}", "{ignored: true, decision: {not: ticket}}"),
        (
            "{kind: review}",
            "{fields: {Stars: 3, Tone: {not: good}}, type: question, untag: x, brand: B, group: null}",
        ),
        ("{text: Ужас, tone: positive}", "{tone: positive, language: ru}"),
        ("{text: hello, at: '2026-03-01T03:00:00+03:00'}", "{subject: {contains: hello}, comment: hello}"),
        ("{parent: {text: Sale}, rating: 1, private: true}", "{tone: very_negative}"),
    ],
)
def test_what_is_expected_and_comes_is_ok(tmp_path: Path, mention: str, expect: str) -> None:
    [result] = run(tmp_path, f"  - name: one\n    mention: {mention}\n    expect: {expect}\n")

    assert result.mistakes == ()
    assert result.ok
    assert str(result) == "ok    one  (mappings/tests/some.yaml:2)"


WHOLE = """
    feedback: {question: {words: [when], answer_expected: true, owner: desk}}
    score: {start: 40, author.contacts: {at_least: 1, points: 15}}
    deadlines: {tags: true}
    templates: {answers: {question: Soon}}
    tables: {feedback: {question: {type: question}}}
    """


@pytest.mark.parametrize(
    ("test", "mistakes"),
    [
        ("expect: {feedback: question, answer_expected: true, owner: desk, suggestion: Soon, within: 8h}", ()),
        ("expect: {score: 40, deadline: usual, target: '2026-03-04T23:00:00+03:00', problem: null}", ()),
        ("expect: {breach: 2026-03-05T00:00:00Z, ceiling: {not: '2026-03-05T00:00:00Z'}}", ()),
        ("past: {contacts: 2, answered: true, tone: negative}, expect: {score: 55, priority: high}", ()),
        ("expect: {score: {at_least: 40, at_most: 40}, feedback: [question, {not: complaint}]}", ()),
        ("expect: {score: {at_least: 41}}", ("score: expected at least 41, got 40",)),
        ("expect: {score: {at_most: 39}}", ("score: expected at most 39, got 40",)),
        ("expect: {feedback: []}", ("feedback: expected none, got question",)),
        ("expect: {answer_expected: false}", ("answer_expected: expected false, got true",)),
        ("expect: {within: 9h}", ('within: expected "9h", got "8h"',)),
    ],
)
def test_kinds_scores_deadlines_and_what_was_before_can_be_expected(
    tmp_path: Path, test: str, mistakes: tuple[str, ...]
) -> None:
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "some.yaml").write_text(f"tests:\n  - {{name: one, mention: {{text: when}}, {test}}}\n")

    [result] = run_tests(tmp_path, policy_of(tmp_path, WHOLE))
    assert result.mistakes == mistakes


@pytest.mark.parametrize(
    ("mention", "expect", "told"),
    [
        ("{}", "{priority: urgent}", 'priority: expected "urgent", got "normal"'),
        ("{}", "{priority: {not: normal}}", 'priority: expected not "normal", got "normal"'),
        ("{}", "{tags: [vip, a]}", 'tags: expected "vip", "a", got none'),
        ("{author: {followers: 100}}", "{tags: []}", "tags: expected none, got vip"),
        ("{author: {followers: 100}}", "{tags: {not: vip}}", 'tags: expected not "vip", got vip'),
        ("{}", "{group: Tier 2}", 'group: expected "Tier 2", got nothing'),
        ("{text: hiring}", "{ignored: false}", 'ignored: expected false, got "job advert"'),
        ("{}", "{ignored: true}", "ignored: expected true, got false"),
        ("{kind: review}", "{fields: {Stars: 4}}", "fields.Stars: expected 4, got 3"),
        (
            "{kind: review}",
            "{fields: {Stars: {not: 3}, Tone: good}}",
            'fields.Stars: expected not 3, got 3; fields.Tone: expected "good", got "bad"',
        ),
        ("{}", "{rules: {one_of: [vip, advert]}}", 'rules: expected one of "vip", "advert", got none'),
    ],
)
def test_what_does_not_come_is_told_with_what_came(tmp_path: Path, mention: str, expect: str, told: str) -> None:
    [result] = run(tmp_path, f"  - name: one\n    mention: {mention}\n    expect: {expect}\n")

    assert result.mistakes == (told,)
    assert str(result).splitlines()[0] == "FAIL  one  (mappings/tests/some.yaml:2)"


def test_a_missing_reason_shows_the_whole_trace(tmp_path: Path) -> None:
    [result] = run(tmp_path, "  - {name: one, mention: {}, expect: {because: [vip]}}\n")

    assert 'expected "vip", got\n' in result.mistakes[0]
    assert "priority  normal  default" in result.mistakes[0]


@pytest.mark.parametrize(
    ("tests", "told"),
    [
        ("  - {name: a, mention: {}}\n", "2:5  error  tests[0]  has no expect"),
        ("  - {name: a, mention: {}, expect: {}}\n", "expects nothing"),
        ("  - {name: a, mention: {}, expect: {priorty: low}}\n", 'did you mean "priority"?'),
        (
            "  - {name: a, mention: {}, expect: {priority: hight}}\n",
            '"hight" is not a priority — did you mean "high"?',
        ),
        ("  - {name: a, mention: {}, expect: {decision: {not: ignored}}}\n", 'did you mean "ignore"?'),
        ("  - {name: a, mention: {}, expect: {tone: {no: negative}}}\n", "the key false has to be text: quote it"),
        ("  - {name: a, mention: {}, expect: {tags: [{nto: a}]}}\n", 'did you mean "not"?'),
        ("  - {name: a, mention: {}, expect: {fields: {Tone: {is: a}}}}\n", '"is" is not understood here'),
        ("  - {name: a, mention: {}, expect: {subject: {}}}\n", "is empty; it takes not, one_of, contains"),
        ("  - {name: a, mention: {}, expect: {priority: []}}\n", "is an empty list"),
        ("  - {name: a, mention: {}, expect: {fields: 4}}\n", "has to be a mapping of fields to values"),
        ("  - {name: a, mention: {txt: hi}, expect: {tone: negative}}\n", 'did you mean "text"?'),
        ("  - {name: a, mention: {author: {follower: 1}}, expect: {tone: negative}}\n", 'did you mean "followers"?'),
        ("  - {name: a, mention: {kind: tweet}, expect: {tone: negative}}\n", '"tweet" is not a kind'),
        ("  - {name: a, mention: {at: yesterday}, expect: {tone: negative}}\n", "is not a time"),
        ("  - {name: a, mention: {rating: lots}, expect: {tone: negative}}\n", "rating  has to be a number"),
        ("  - {name: a, mention: hello, expect: {tone: negative}}\n", "has to be a mention"),
        (
            "  - {name: a, mention: {}, expect: {type: null}}\n  - {name: a, mention: {}, expect: {type: null}}\n",
            'the name "a" is taken by the test at mappings/tests/some.yaml:2',
        ),
        ("  - {name: a, mention: {}, past: {contact: 1}, expect: {score: 1}}\n", 'did you mean "contacts"?'),
        ("  - {name: a, mention: {}, past: {contacts: -1}, expect: {score: 1}}\n", "has to be a number of tickets"),
        ("  - {name: a, mention: {}, past: {tone: bad}, expect: {score: 1}}\n", '"bad" is not a tone'),
        ("  - {name: a, mention: {}, expect: {score: {at_least: lots}}}\n", "has to be a number, not"),
        ("  - {name: a, mention: {}, expect: {target: soon}}\n", '"soon" is not a time'),
        ("  - just text\n", "has to be a test"),
        ("  {}\n", "has to be a list"),
        ("  - [\n", "is not valid YAML"),
    ],
)
def test_a_test_that_cannot_be_meant_is_a_mistake_with_its_place(tmp_path: Path, tests: str, told: str) -> None:
    with pytest.raises(ConfigError) as caught:
        run(tmp_path, tests)

    assert told in str(caught.value)
    assert str(caught.value).startswith("mappings/tests/some.yaml:")


def test_no_tests_are_no_results(tmp_path: Path) -> None:
    assert run_tests(tmp_path, policy_of(tmp_path, POLICY)) == []
