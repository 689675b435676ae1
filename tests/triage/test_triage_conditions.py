"""Conditions: each field and operator, and the laws any, all and not keep."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from triage_builders import one_rule, said

from connector.model import KINDS, PRIORITIES, TONES, Author, Mention, Parent, Tone
from connector.triage import load
from connector.triage.condition import All, Condition, Not, Some, Test, implies
from connector.triage.facts import Facts, said_in
from connector.triage.tone import Ngrams, judge
from connector.triage.wants import HasWord, InSpans, Is, OneOf, Span, entry_of

NIGHT = datetime(2026, 3, 1, 0, 30, tzinfo=UTC)  # a Sunday


@pytest.mark.parametrize(
    ("when", "mention", "fits"),
    [
        ("{source: sky}", said(), True),
        ("{source: SKY}", said(), True),
        ("{source: [vk, sky]}", said(), True),
        ("{source: 's*'}", said(), True),
        ("{source: vk}", said(), False),
        ("{platform: bluesky}", said(), True),
        ("{kind: [review, post]}", said(), True),
        ("{kind: dm}", said(), False),
        ("{tone: negative}", said(tone=Tone("negative")), True),
        ("{tone: [positive, unknown]}", said(tone=Tone("negative")), False),
        ("{priority: normal}", said(), True),
        ("{priority: high}", said(), False),
        ("{language: ru}", said("Добрый день"), True),
        ("{language: ru}", said("hello", language="ru-RU"), True),
        ("{language: unknown}", said("12345"), True),
        ("{author.followers: {at_least: 10}}", said(author_followers=10), True),
        ("{author.followers: {above: 10}}", said(author_followers=10), False),
        ("{author.followers: {at_most: 10}}", said(author_followers=10), True),
        ("{author.followers: {below: 10}}", said(author_followers=10), False),
        ("{author.followers: {at_least: 5, below: 10}}", said(author_followers=7), True),
        ("{author.followers: 7}", said(author_followers=7), True),
        ("{author.followers: [1, 7]}", said(author_followers=7), True),
        ("{author.followers: {below: 10}}", said(author_followers=None), False),
        ("{author.followers: 0}", said(author_followers=None), False),
        ("{not: {author.followers: {at_least: 10}}}", said(author_followers=None), True),
        ("{author.handle: '@Anna'}", said(), True),
        ("{author.handle: 'an*'}", said(), True),
        ("{author.handle: '*'}", said(author_handle=""), False),
        ("{author.handle: {matches: '^a.na$'}}", said(), True),
        ("{author.name: [Пётр, анна]}", said(author_name="Анна"), True),
        ("{author.name: Петр}", said(author_name="ПЁТР"), True),
        ("{author.verified: true}", said(author_verified=True), True),
        ("{author.verified: false}", said(author_verified=None), False),
        ("{text: возврат}", said("Где возврат?"), True),
        ("{text: возврат}", said("Где возвраты?"), False),
        ("{text: {words: [возврат*]}}", said("Где ВОЗВРАТЫ?"), True),
        ("{text: {words: [счет]}}", said("Мой счёт"), True),
        ("{text: {words: [счёт]}}", said("Мой счет"), True),
        ("{text: {words: [верните деньги]}}", said("Верните, деньги!"), True),
        ("{text: {words: [задерж* доставк*]}}", said("задержали доставку"), True),
        ("{text: {words: [задерж* доставк*]}}", said("задержали и доставку"), False),
        ("{text: {words: [кол-центр]}}", said("ваш кол-центр"), True),
        ('{text: {words: ["don\'t"]}}', said("I don’t know"), True),
        ("{text: {words: ['🤬']}}", said("ну вы и 🤬!"), True),
        ("{text: {words: [art]}}", said("startup"), False),
        ("{text: {words: [title]}}", said("text", title="A Title"), True),
        ("{text: {words: [404]}}", said("error 404"), True),
        (r"{text: {matches: 'order\s*#?\d+'}}", said("my ORDER #123"), True),
        ("{text: {words: [a], matches: 'b'}}", said("a only"), False),
        ("{text: {words: [a], matches: 'b'}}", said("a b"), True),
        ("{parent: true}", said(parent=Parent("1")), True),
        ("{parent: false}", said(), True),
        ("{parent: true}", said(), False),
        ("{parent: {words: [sale]}}", said(parent=Parent("1", "Big sale!")), True),
        ("{parent: {words: [sale]}}", said("sale"), False),
        ("{parent: sale}", said(parent=Parent("1", "Big sale!")), True),
        ("{rating: {at_most: 2}}", said(rating=1.5), True),
        ("{rating: {at_most: 2}}", said(), False),
        ("{rating: [4, 5]}", said(rating=5), True),
        ("{engagement.likes: {at_least: 100}}", said(engagement={"likes": 100}), True),
        ("{engagement.likes: {at_least: 100}}", said(engagement={"replies": 100}), False),
        ("{engagement.total: {at_least: 100}}", said(engagement={"likes": 60, "replies": 40}), True),
        ("{engagement.total: {below: 100}}", said(), False),
        ("{hour: 22-7}", said(created_at=NIGHT), True),
        ("{hour: 0}", said(created_at=NIGHT), True),
        ("{hour: [9-17, 23]}", said(created_at=NIGHT), False),
        ("{hour: 12-12}", said(), True),
        ("{weekday: sun}", said(created_at=NIGHT), True),
        ("{weekday: mon-fri}", said(), True),
        ("{weekday: sat-mon}", said(created_at=NIGHT), True),
        ("{weekday: [thu, fri-sat]}", said(), False),
        ("{private: true}", said(private=True), True),
        ("{private: false}", said(private=True), False),
        ("{any: [{source: vk}, {kind: post}]}", said(), True),
        ("{all: [{source: vk}, {kind: post}]}", said(), False),
        ("[{source: sky}, {kind: post}]", said(), True),
        ("{not: {any: [{source: vk}, {not: {kind: post}}]}}", said(), True),
        ("{source: sky, kind: dm}", said(), False),
    ],
)
def test_a_condition_fits_what_it_says(tmp_path: Path, when: str, mention: Mention, fits: bool) -> None:
    assert bool(one_rule(tmp_path, when).decide(mention).rules) is fits


def test_hours_and_weekdays_are_those_of_the_time_zone(tmp_path: Path) -> None:
    (tmp_path / "00.yaml").write_text("timezone: Asia/Vladivostok\n")
    policy = one_rule(tmp_path, "{hour: 10, weekday: sun}")

    assert policy.timezone == "Asia/Vladivostok"
    assert policy.decide(said(created_at=NIGHT)).rules == ("r",)


def test_a_list_is_used_by_name_for_authors_and_words(tmp_path: Path) -> None:
    (tmp_path / "00.yaml").write_text("lists: {vip: ['@anna', boss], rude: [дурак*]}\n")
    policy = one_rule(
        tmp_path, "{any: [{author.handle: {list: vip}}, {text: {words: {list: rude}}}, {text: {list: rude}}]}"
    )

    assert policy.decide(said()).rules
    assert policy.decide(said("дураки", author_handle="x")).rules
    assert not policy.decide(said("умники", author_handle="x")).rules


def test_priority_is_the_one_set_so_far(tmp_path: Path) -> None:
    (tmp_path / "10.yaml").write_text(
        "rules:\n"
        "  - {name: early, when: {priority: high}, set: {tags: [early]}}\n"
        "  - {name: raise, set: {priority: high}}\n"
    )
    (tmp_path / "20.yaml").write_text("rules:\n  - {name: late, when: {priority: high}, set: {tags: [late]}}\n")

    assert load(tmp_path).decide(said()).settings.tags == ("late",)


# --- the laws ----------------------------------------------------------------------------------------------

WORDS = ("возврат", "sale", "hello", "не", "счёт")
tests = st.one_of(
    st.sets(st.sampled_from(TONES)).map(lambda values: Test("tone", OneOf(frozenset(values)))),
    st.sets(st.sampled_from(KINDS)).map(lambda values: Test("kind", OneOf(frozenset(values)))),
    st.sets(st.sampled_from(PRIORITIES)).map(lambda values: Test("priority", OneOf(frozenset(values)))),
    st.builds(
        lambda name, ends, *opened: Test(name, InSpans((Span(min(ends), max(ends), *opened),))),
        st.sampled_from(("author.followers", "rating", "engagement.likes")),
        st.tuples(st.integers(0, 5), st.integers(0, 5)),
        st.booleans(),
        st.booleans(),
    ),
    st.booleans().map(lambda value: Test("private", Is(value))),
    st.booleans().map(lambda value: Test("parent", Is(value))),
    st.sets(st.sampled_from(WORDS)).map(lambda words: Test("text", HasWord(frozenset(map(entry_of, words))))),
    st.sets(st.integers(0, 23)).map(lambda hours: Test("hour", OneOf(frozenset(hours)))),
)  # fmt: skip
conditions = st.recursive(
    tests,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3).map(lambda parts: All(tuple(parts))),
        st.lists(inner, max_size=3).map(lambda parts: Some(tuple(parts))),
        inner.map(Not),
    ),
    max_leaves=8,
)
counts = st.none() | st.integers(0, 6)
mentions = st.builds(
    said,
    st.lists(st.sampled_from(WORDS), max_size=4).map(" ".join),
    kind=st.sampled_from(KINDS),
    tone=st.sampled_from(TONES).map(Tone),
    author_followers=counts,
    rating=counts,
    private=st.booleans(),
    parent=st.none() | st.just(Parent("0")),
    engagement=st.dictionaries(st.just("likes"), st.integers(0, 6)),
    created_at=st.datetimes(timezones=st.just(UTC)),
)


def holds(condition: Condition, mention: Mention) -> bool:
    text = said_in(mention)
    tone, language = judge(mention, text, Ngrams())
    return condition.check(Facts(mention, tone, language, UTC, text))


@given(conditions, conditions, conditions, mentions)
@settings(deadline=None)
def test_any_all_and_not_keep_the_laws_of_logic(a: Condition, b: Condition, c: Condition, mention: Mention) -> None:
    x, y, z = (holds(condition, mention) for condition in (a, b, c))
    assert holds(Not(a), mention) is not x
    assert holds(Not(Not(a)), mention) is x
    assert holds(All((a, b, c)), mention) is (x and y and z)
    assert holds(Some((a, b, c)), mention) is (x or y or z)
    assert holds(Not(All((a, b))), mention) is holds(Some((Not(a), Not(b))), mention)
    assert holds(Not(Some((a, b))), mention) is holds(All((Not(a), Not(b))), mention)
    assert holds(All((a, Some((b, c)))), mention) is holds(Some((All((a, b)), All((a, c)))), mention)
    assert holds(All((a, Not(a))), mention) is False
    assert holds(Some((a, Not(a))), mention) is True


@given(conditions, mentions)
@settings(deadline=None)
def test_what_is_proved_about_a_condition_holds_for_every_mention(condition: Condition, mention: Mention) -> None:
    tone, _ = judge(mention, said_in(mention), Ngrams())
    known = {"tone": tone.label, "kind": mention.kind, "private": mention.private, "priority": "normal"}
    can_hold, can_fail = condition.bounds(known)

    assert can_hold or not holds(condition, mention)
    assert can_fail or holds(condition, mention)


@given(conditions, conditions, mentions)
@settings(deadline=None)
def test_what_implies_is_never_true_without_what_it_implies(a: Condition, b: Condition, mention: Mention) -> None:
    if implies(a, b):
        assert holds(b, mention) or not holds(a, mention)
    assert "priority" in str(a) or implies(a, All((a,)))


@given(conditions, mentions)
@settings(deadline=None)
def test_a_condition_can_always_say_why(condition: Condition, mention: Mention) -> None:
    text = said_in(mention)
    tone, language = judge(mention, text, Ngrams())
    facts = Facts(mention, tone, language, UTC, text)

    assert isinstance(condition.tell(facts, condition.check(facts)), str)


@given(st.floats(allow_nan=False), st.floats(allow_nan=False), st.booleans(), st.booleans(), st.floats())
def test_a_stretch_of_numbers_that_is_empty_has_none(low: float, high: float, a: bool, b: bool, value: float) -> None:
    span = Span(low, high, a, b)
    if span.empty:
        assert not span.has(value)
    if span.has(value):
        assert span.within(Span(-math.inf, math.inf))


def test_an_author_without_anything_matches_no_name() -> None:
    assert not holds(Test("author.name", OneOf(frozenset({"*"}))), Mention("s", "p", "1", Author("1"), "", NIGHT))
