"""Templates: what they may say, what they may not do, and what happens when one fails."""

from __future__ import annotations

from pathlib import Path

import pytest
from triage_builders import policy_of, said

from connector.errors import ConfigError
from connector.model import Parent, Tone
from connector.triage import because_line


def templated(directory: Path, name: str, text: str) -> str:
    return f"templates:\n  {name}: |\n" + "".join(f"    {line}\n" for line in text.splitlines())


@pytest.mark.parametrize(
    ("template", "shown"),
    [
        ("{{ platform }}/{{ source }}/{{ kind }}", "Bluesky/sky/forum post"),
        ("{{ author }} {{ author.name }} {{ author.followers }}", "Anna (@anna) Anna 12"),
        ("{{ tone }} {{ priority }} {{ language }} {{ posted }}", "negative normal en 2026-03-04 12:00"),
        ("{% if parent %}re: {{ parent.text }} by {{ parent.author }}{% endif %}", "re: Sale! by Acme"),
        ("{{ text | upper | excerpt(12) }}", "THE QUICK…"),
        ("{% for tag in tags %}[{{ tag }}]{% endfor %}", "[a][b]"),
        ("{{ tags | join(' ') }} {{ text | replace('quick', 'slow') }}", "a b the slow brown fox"),
        ("{{ engagement.likes | default(0) }} {{ engagement.views | default('?') }}", "3 ?"),
        ("{{ stars }} {{ rating }}", "★★★★★ (4.5 of 5) 4.5"),
        ("{{ 'private' if private else 'public' }} {{ title | default('none', true) }}", "public none"),
        ("{{ url }}", "https://example.com/1"),
    ],
)
def test_a_template_may_name_what_is_known_of_a_mention(tmp_path: Path, template: str, shown: str) -> None:
    policy_of(tmp_path, "rules: [{name: r, set: {tags: [a, b]}}]")
    policy = policy_of(tmp_path, templated(tmp_path, "comment", template), name="30.yaml")
    mention = said(
        "the quick brown fox", kind="forum_post", author_followers=12, rating=4.5, engagement={"likes": 3},
        parent=Parent("0", "Sale!", "", "Acme"), url="https://example.com/1", tone=Tone("negative"),
    )  # fmt: skip

    assert policy.decide(mention).comment == shown


@pytest.mark.parametrize(
    "template",
    [
        "{{ ''.__class__ }}",
        "{{ text.__init__.__globals__ }}",
        "{{ author.__class__.__mro__ }}",
        "{{ text.upper() }}",
        "{{ cycler }}",
        "{{ text * 9999 }}",
        "{{ 9 ** 9 ** 9 }}",
        "{{ '%999999999d' % 1 }}",
        "{{ text | center(999999999) }}",
        "{{ text | format(1) }}",
        "{{ text | attr('__class__') }}",
        "{% macro a() %}{{ a() }}{% endmacro %}{{ a() }}",
        "{% set a = text %}{{ a }}",
        "{% with a = text %}{{ a }}{% endwith %}",
        "{% filter upper %}x{% endfilter %}",
        "{% import 'x' as y %}",
        "{% extends 'x' %}",
        "{% block x %}{% endblock %}",
        "{% for a in text %}{% for b in text %}x{% endfor %}{% endfor %}",
        "{% for a in text recursive %}{{ loop(text) }}{% endfor %}",
        "{{ text is weird }}",
        "{{ author + 1 }}",
        "{{ rating > 1 }}",
        "x" * 9000,
    ],
)
def test_a_template_that_calls_multiplies_or_reaches_out_is_refused(tmp_path: Path, template: str) -> None:
    with pytest.raises(ConfigError):
        policy_of(tmp_path, templated(tmp_path, "subject", template))


def test_a_loop_over_a_long_text_ends_at_the_length_of_the_output(tmp_path: Path) -> None:
    policy = policy_of(
        tmp_path, templated(tmp_path, "comment", "{% for letter in text %}{{ letter }}{{ text }}{% endfor %}")
    )

    comment = policy.decide(said("x" * 20_000)).comment
    assert len(comment) == 60_000
    assert comment.endswith("…")


def test_replacing_everything_with_something_long_is_left_alone(tmp_path: Path) -> None:
    policy = policy_of(tmp_path, templated(tmp_path, "comment", "{{ text | replace('x', text) | excerpt(50) }}"))

    assert len(policy.decide(said("x" * 20_000)).comment) == 50


def test_a_template_that_fails_on_one_mention_gives_way_and_says_so(tmp_path: Path) -> None:
    policy = policy_of(tmp_path, templated(tmp_path, "subject", "{{ 10 // (text | length - 3) }}"))
    decision = policy.decide(said("abc"))

    assert decision.subject == "Bluesky · Anna (@anna): abc"
    assert "the template failed on this mention (ZeroDivisionError)" in "\n".join(map(because_line, decision.because))


def test_a_template_that_says_nothing_gives_way_silently(tmp_path: Path) -> None:
    policy = policy_of(tmp_path, templated(tmp_path, "subject", "{{ title }}"))

    assert policy.decide(said("abc")).subject == "Bluesky · Anna (@anna): abc"


def test_a_text_of_invisible_characters_alone_is_no_text(tmp_path: Path) -> None:
    assert policy_of(tmp_path, "").decide(said("\x1b", title="\x00")).comment == "(no text)"


def test_invisible_and_turning_characters_do_not_reach_the_ticket(tmp_path: Path) -> None:
    decision = policy_of(tmp_path, "").decide(said("a\x00b\u202ec\x07", author_name="An\u2066na"))

    assert decision.subject == "Bluesky · Anna (@anna): abc"
    assert decision.comment == "abc"
