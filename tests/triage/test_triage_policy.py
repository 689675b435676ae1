"""The policy: order, tables, traces, warnings, and that deciding never fails."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from triage_builders import one_rule, policy_of, said

from connector.errors import ConfigError
from connector.model import KINDS, TONES, Attachment, Author, Decision, Mention, Parent, Tone, decode, encode
from connector.triage import because_line, load

SHIPPED = Path(__file__).parents[2] / "mappings"


def lines(decision: Decision) -> list[str]:
    return [because_line(line) for line in decision.because]


def warnings(directory: Path, rules: list[str]) -> list[str]:
    content = "rules:\n" + "".join(f"  - {{{rule}}}\n" for rule in rules)
    return [problem.message for problem in policy_of(directory, content).warnings]


# --- rules -------------------------------------------------------------------------------------------------


def test_a_later_rule_takes_the_place_of_an_earlier_one_and_tags_add_up(tmp_path: Path) -> None:
    policy = policy_of(
        tmp_path,
        """
        rules:
          - name: first
            set: {priority: low, tags: [a, b], group: One, fields: {Topic: x, Kept: 1}}
          - name: second
            set: {priority: high, tags: [b, c], fields: {Topic: y}}
        """,
    )
    decision = policy.decide(said())

    assert decision.rules == ("first", "second")
    assert decision.settings.priority == "high"
    assert decision.settings.tags == ("a", "b", "c")
    assert decision.settings.group == "One"
    assert decision.settings.fields == {"Topic": "y", "Kept": 1}


def test_stop_ends_the_rules_but_not_the_tables(tmp_path: Path) -> None:
    policy = policy_of(
        tmp_path,
        """
        rules:
          - {name: first, when: {private: false}, set: {tags: [a]}, stop: true}
          - {name: second, set: {tags: [b]}}
        tables:
          kind: {post: {tags: [post]}}
        """,
    )

    assert policy.decide(said()).settings.tags == ("a", "post")
    assert "stop  True  first" in "\n".join(lines(policy.decide(said())))


def test_an_ignored_mention_meets_no_further_rule_and_no_table(tmp_path: Path) -> None:
    policy = policy_of(
        tmp_path,
        """
        rules:
          - {name: advert, when: {tone: positive, text: hiring}, ignore: job   advert}
          - {name: rest, set: {tags: [a]}}
        tables: {kind: {post: {tags: [post]}}}
        """,
    )
    decision = policy.decide(said("hiring", tone=Tone("positive")))

    assert decision.ignored == "job advert"
    assert decision.rules == ("advert",)
    assert decision.settings.tags == ()
    assert "mappings" not in lines(decision)[-1]
    assert "10-rules.yaml:3" in lines(decision)[-1]


def test_files_are_one_mapping_in_the_order_of_their_names(tmp_path: Path) -> None:
    (tmp_path / "20.yaml").write_text("rules: [{name: later, set: {priority: low}}]\n")
    (tmp_path / "10.yaml").write_text("rules: [{name: sooner, set: {priority: high}}]\n")
    (tmp_path / "00-empty.yaml").write_text("# nothing yet\n")
    policy = load(tmp_path)

    assert policy.decide(said()).rules == ("sooner", "later")
    assert [path.name for path in policy.files] == ["00-empty.yaml", "10.yaml", "20.yaml"]


def test_untag_and_tag_take_back_each_other(tmp_path: Path) -> None:
    policy = policy_of(
        tmp_path,
        """
        rules:
          - {name: one, set: {tags: [a, b]}}
          - {name: two, set: {untag: [a]}}
          - {name: three, set: {untag: c}}
          - {name: four, set: {tags: C}}
        """,
    )

    assert policy.decide(said()).settings.tags == ("b", "c")
    assert policy.decide(said()).settings.untag == ("a",)


# --- tables ------------------------------------------------------------------------------------------------


def test_tables_fill_what_no_rule_has_set_and_the_trace_says_who_won(tmp_path: Path) -> None:
    policy = policy_of(
        tmp_path,
        """
        rules:
          - {name: calm, when: {text: calm}, set: {priority: low, fields: {Tone: by_rule}}}
        tables:
          tone:
            negative: {priority: high, tags: [neg], fields: {Tone: by_table}}
          priority:
            high: {tags: [is_high]}
            low: {tags: [is_low]}
          source:
            Sky: {brand: Acme}
          language:
            unknown: {tags: [no_language]}
        """,
    )
    plain = policy.decide(said("1234", tone=Tone("negative")))
    calm = policy.decide(said("calm 1 2 3 4 5 6 7 8 9", tone=Tone("negative")))

    assert plain.settings.priority == "high"
    assert plain.settings.tags == ("neg", "no_language", "is_high")
    assert plain.settings.brand == "Acme"
    assert plain.settings.fields == {"Tone": "by_table"}
    assert calm.settings.priority == "low"
    assert calm.settings.fields == {"Tone": "by_rule"}
    assert "is_low" in calm.settings.tags
    kept = [line for line in lines(calm) if "kept:" in line]
    assert len(kept) == 2
    assert "priority  low  calm" in kept[0]
    assert "would set high, but what a rule sets wins" in kept[0]


# --- traces ------------------------------------------------------------------------------------------------


def test_every_value_has_a_line_with_its_rule_its_place_and_the_reason(tmp_path: Path) -> None:
    directory = tmp_path / "mappings"
    directory.mkdir()
    policy = policy_of(
        directory,
        """
        rules:
          - name: loud complaint
            when:
              author.followers: {at_least: 10000}
              tone: [negative, very_negative]
              any: [{text: {words: [позор*]}}, {parent: true}]
            set:
              priority: urgent
              tags: [vip]
        """,
    )
    decision = policy.decide(said("Это позорище", author_followers=120000, tone=Tone("negative")))

    [priority] = [line for line in decision.because if line.field == "priority" and line.rule == "loud complaint"]
    assert priority.place == "mappings/10-rules.yaml:9"
    assert priority.why == "author.followers 120000 is ≥ 10000; tone is negative; text has «позорище»"
    assert ("priority", "normal", "default") in [(line.field, line.value, line.rule) for line in decision.because]


def test_the_tone_in_the_trace_brings_its_evidence(tmp_path: Path) -> None:
    [line] = [line for line in one_rule(tmp_path, "{kind: dm}").decide(said("Ужас")).because if line.field == "tone"]

    assert (line.value, line.rule) == ("negative", "words")
    assert "«Ужас»" in line.why


def test_outcomes_say_of_every_rule_why_it_fitted_or_not(tmp_path: Path) -> None:
    policy = policy_of(
        tmp_path,
        """
        rules:
          - {name: big, when: {author.followers: {at_least: 50}}, set: {priority: high}}
          - {name: unknown, when: {rating: {at_most: 2}}, set: {tags: [x]}}
          - {name: end, when: {kind: post}, stop: true}
          - {name: never, when: {kind: post}, set: {tags: [y]}}
        """,
    )
    told = [(one.rule, one.fitted, one.why) for one in policy.outcomes(said(author_followers=3))]

    assert told == [
        ("big", False, "author.followers is 3, wanted ≥ 50"),
        ("unknown", False, "rating is unknown, wanted ≤ 2"),
        ("end", True, "kind is post"),
        ("never", None, "end ended the rules"),
    ]


def test_a_decision_goes_through_the_store_and_back(tmp_path: Path) -> None:
    decision = load(SHIPPED).decide(said("Верните деньги, мошенники! Не работает", author_followers=20000))

    again = decode(Decision, encode(decision))
    assert again.settings == decision.settings
    assert [because_line(line) for line in again.because] == lines(decision)


def test_the_version_is_that_of_the_content(tmp_path: Path) -> None:
    one = one_rule(tmp_path, "{kind: dm}")
    same = load(tmp_path)
    other = one_rule(tmp_path, "{kind: post}")

    assert one.version == same.version != other.version
    assert one.decide(said()).policy == one.version
    with pytest.raises(dataclasses.FrozenInstanceError):
        one.version = "x"  # type: ignore[misc]


# --- subject and comment -----------------------------------------------------------------------------------


def test_the_usual_subject_names_platform_author_and_words(tmp_path: Path) -> None:
    policy = policy_of(tmp_path, "")
    subject = policy.decide(said("Третий день\nбез связи " + "и без ответа " * 30)).subject

    assert subject.startswith("Bluesky · Anna (@anna): Третий день без связи и без")
    assert subject.endswith("…")
    assert len(subject) <= 150
    assert policy.decide(said("", platform="forum", author_name="", author_handle="")).subject == "Forum · 7: post"


def test_the_usual_comment_is_plain_text_with_title_rating_and_link(tmp_path: Path) -> None:
    policy = policy_of(tmp_path, "")
    mention = said("<b>Плохо</b> & {{ ticket.id }}", title="Отзыв", rating=2, url="https://example.com/1")

    assert policy.decide(mention).comment == (
        "Отзыв\n\n<b>Плохо</b> & {{ ticket.id }}\n\nRating: ★★☆☆☆ (2 of 5)\n\nhttps://example.com/1"
    )
    assert policy.decide(said("")).comment == "(no text)"


# --- what looks wrong --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rules", "told"),
    [
        (
            ["name: a, stop: true, set: {tags: [a]}", "name: b, when: {kind: dm}, set: {tags: [b]}"],
            '"b" is never reached: "a" (',
        ),
        (
            [
                "name: a, when: {source: [vk, ok]}, set: {tags: [a]}, stop: true",
                "name: b, when: {source: vk, kind: dm}, set: {tags: [b]}",
            ],
            '"b" is never reached: "a" (',
        ),
        (
            [
                "name: a, when: {author.followers: {at_least: 10}}, stop: true",
                "name: b, when: {author.followers: {above: 20, below: 40}}, set: {tags: [b]}",
            ],
            '"b" is never reached: "a" (',
        ),
        (
            [
                "name: a, when: {tone: [negative, very_negative]}, stop: true",
                "name: b, when: {not: {tone: [negative, very_negative]}}, stop: true",
                "name: c, when: {kind: dm}, set: {tags: [b]}",
            ],
            '"c" is never reached: the rules before it already end with everything',
        ),
        (
            ["name: a, when: {all: [{tone: positive}, {tone: negative}]}, set: {tags: [a]}"],
            '"a" can never match: its conditions exclude each other',
        ),
        (
            ["name: a, when: {priority: urgent}, set: {tags: [a]}", "name: b, set: {priority: urgent}"],
            '"a" can never match: its conditions exclude each other; no rule before it sets a priority other than',
        ),
        (
            ["name: a, when: {kind: dm}, set: {tags: [a]}", "name: b, when: {kind: dm}, set: {tags: [a]}"],
            '"b" says the same as "a" (',
        ),
        (["name: a, when: {kind: dm}"], "changes nothing"),
        (["name: a, allow_negative: true, set: {tags: [a]}"], "only together with `ignore`"),
        (["name: a, when: {engagement.like: 3}, set: {tags: [a]}"], 'did you mean "likes"'),
    ],
)
def test_what_hardly_can_be_meant_is_a_warning(tmp_path: Path, rules: list[str], told: str) -> None:
    found = warnings(tmp_path, rules)

    assert len(found) == 1
    assert told in found[0]


@pytest.mark.parametrize(
    "rules",
    [
        [
            "name: a, when: {author.followers: {at_least: 10}}, stop: true",
            "name: b, when: {author.followers: {at_least: 5}}, set: {tags: [b]}",
        ],
        ["name: a, when: {text: x}, set: {tags: [a]}", "name: b, when: {text: x}, set: {tags: [b]}"],
        ["name: a, set: {priority: urgent}", "name: b, when: {priority: urgent}, set: {tags: [b]}"],
    ],
)
def test_what_can_be_meant_is_not(tmp_path: Path, rules: list[str]) -> None:
    assert warnings(tmp_path, rules) == []


def test_a_priority_asked_for_before_it_was_set_shields_nothing_after(tmp_path: Path) -> None:
    rules = [
        "name: a, when: {tone: negative}, set: {priority: high}",
        "name: b, when: {priority: normal}, set: {tags: [b]}, stop: true",
        "name: c, when: {priority: high}, set: {tags: [c]}",
    ]
    assert warnings(tmp_path, rules) == []


def test_a_list_nobody_uses_is_named(tmp_path: Path) -> None:
    [told] = policy_of(tmp_path, "lists: {a: [b]}").warnings

    assert 'no rule uses the list "a"' in str(told)


def test_files_that_are_not_read_are_named(tmp_path: Path) -> None:
    (tmp_path / "rules.yml").write_text("rules: []\n")

    told = [str(problem) for problem in load(tmp_path).warnings]
    assert "rename it to rules.yaml" in told[1]
    assert "every mention becomes a plain ticket" in told[0]


# --- never ignore a complaint ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "when",
    [
        "{tone: positive, text: hiring}",
        "{text: hiring, not: {tone: [negative, very_negative]}}",
        "{all: [{text: hiring}, {any: [{tone: neutral}, {tone: unknown}]}]}",
        "{not: {any: [{tone: [very_negative, negative]}, {kind: dm}]}}",
    ],
)
def test_an_ignore_rule_that_provably_spares_complaints_is_accepted(tmp_path: Path, when: str) -> None:
    policy_of(tmp_path, f"rules:\n  - {{name: a, when: {when}, ignore: because}}\n")


def test_one_that_a_stop_rule_shields_is_accepted_too(tmp_path: Path) -> None:
    policy_of(
        tmp_path,
        """
        rules:
          - {name: complaints first, when: {tone: [negative, very_negative]}, set: {priority: high}, stop: true}
          - {name: adverts, when: {text: hiring}, ignore: advert}
        """,
    )


@pytest.mark.parametrize(
    "rules",
    [
        ["name: a, ignore: because"],
        ["name: a, when: {any: [{tone: positive}, {text: hiring}]}, ignore: because"],
        ["name: a, when: {not: {tone: negative}}, ignore: because"],
        [
            "name: s, when: {tone: [negative, very_negative], kind: dm}, stop: true",
            "name: a, when: {text: x}, ignore: because",
        ],
    ],
)
def test_any_other_ignore_rule_is_refused(tmp_path: Path, rules: list[str]) -> None:
    with pytest.raises(ConfigError, match="could ignore a complaint"):
        warnings(tmp_path, rules)


def test_an_admin_may_insist(tmp_path: Path) -> None:
    policy = policy_of(tmp_path, "rules: [{name: a, when: {text: bot}, ignore: a bot, allow_negative: true}]")

    assert policy.decide(said("awful bot", tone=Tone("very_negative"))).ignored == "a bot"


# --- never fails -------------------------------------------------------------------------------------------

texts = st.text(max_size=60)
authors = st.builds(
    Author, texts, name=texts, handle=texts, url=texts, followers=st.none() | st.integers(-5, 10**12),
    verified=st.none() | st.booleans(),
)  # fmt: skip
anything = st.builds(
    Mention,
    source=texts,
    platform=texts,
    external_id=texts,
    author=authors,
    text=st.text(max_size=300),
    created_at=st.just(datetime.max.replace(tzinfo=UTC)) | st.datetimes(timezones=st.just(UTC)),
    kind=st.sampled_from(KINDS),
    url=texts,
    title=texts,
    parent=st.none() | st.builds(Parent, texts, texts, texts, texts),
    language=texts,
    tone=st.none() | st.builds(Tone, st.sampled_from(TONES), evidence=st.tuples(texts)),
    rating=st.none() | st.floats(),
    engagement=st.dictionaries(texts, st.integers()),
    attachments=st.lists(st.builds(Attachment, texts), max_size=2).map(tuple),
    private=st.booleans(),
)
POLICY = load(SHIPPED)


@given(anything)
@settings(deadline=None, max_examples=200)
def test_deciding_never_fails_whatever_the_mention(mention: Mention) -> None:
    decision = POLICY.decide(mention)

    assert decision == POLICY.decide(mention)
    assert 0 < len(decision.subject) <= 150
    assert not any(letter in decision.subject for letter in "\r\n\x00")
    assert decision.comment
    assert len(POLICY.outcomes(mention)) == len(POLICY.rules)
    if decision.tone.label in ("negative", "very_negative"):
        assert not decision.ignored


def test_a_pattern_that_takes_too_long_leaves_its_rule_out_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("connector.triage.wants.PATTERN_SECONDS", 0.02)
    policy = policy_of(
        tmp_path,
        r"""
        rules:
          - name: slow
            when: {not: {text: {matches: 'zq(b|bb)+(b|bb)+(b|bb)+[.]'}}}
            set: {priority: urgent}
        """,
    )
    decision = policy.decide(said("zq" + "b" * 3000))

    assert decision.settings.priority == "normal"
    assert "took too long" in "\n".join(lines(decision))
    assert policy.outcomes(said("zq" + "b" * 3000))[0].fitted is False
