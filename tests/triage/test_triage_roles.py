"""Who an author is to us: by lists and by the past, before the score and the rules."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from triage_builders import policy_of, said

from connector.model import Decision, Past, Role, Tone, decode, encode
from connector.triage import because_line, card
from connector.triage.facts import Facts
from connector.triage.roles import Roles

PEOPLE = """
    lists: {staff: [ann_at_acme], trolls: ["@Quarrel"]}
    feedback:
      insult: {words: [idiots], owner: a}
      advert: {words: [hiring], owner: a}
    people:
      employee: {author.handle: {list: staff}}
      troll: {any: [{author.handle: {list: trolls}}, {author.negative: {at_least: 5}, feedback: insult}]}
      critic: {author.negative: {at_least: 3}}
      advocate: {author.positive: {at_least: 3}}
      prospect: {text: {matches: 'how much'}, author.contacts: 0}
    score: {start: 20, role: {critic: 10, troll: -5}, author.negative: {at_least: 4, points: 3}}
    rules:
      - {name: theirs, when: {role: troll}, set: {tags: [troll], group: Moderation}}
      - {name: adverts, when: {feedback: advert, not: {tone: [negative, very_negative]}}, ignore: advert}
      - {name: lies, when: {text: lies}, allow_negative: true, ignore: nonsense}
    templates: {answers: {insult: "We hear you.", advert: "No."}, subject: "{{ role }}"}
    """


@pytest.mark.parametrize(
    ("handle", "text", "past", "role"),
    [
        ("anna", "hello", Past(), "unknown"),
        ("Ann_at_Acme", "idiots", Past(negative=9), "employee"),
        ("quarrel", "hello", Past(), "troll"),
        ("anna", "idiots", Past(negative=5), "troll"),
        ("anna", "idiots", Past(negative=4), "critic"),
        ("anna", "hello", Past(negative=3, positive=9), "critic"),
        ("anna", "hello", Past(negative=2, positive=3), "advocate"),
        ("anna", "how much?", Past(), "prospect"),
        ("anna", "how much?", Past(contacts=1), "unknown"),
    ],
)
def test_the_first_role_that_fits_counts(tmp_path: Path, handle: str, text: str, past: Past, role: Role) -> None:
    decision = policy_of(tmp_path, PEOPLE).decide(said(text, author_handle=handle), past)

    assert decision.role == decision.subject == role
    reasons = [line for line in decision.because if line.field == "role"]
    assert [line.value for line in reasons] == ([role] if role != "unknown" else [])
    assert all(line.place for line in reasons)


def test_a_role_counts_in_the_score_and_the_trace_says_so(tmp_path: Path) -> None:
    decision = policy_of(tmp_path, PEOPLE).decide(said("hello"), Past(negative=4))

    assert decision.score == 33
    told = "\n".join(map(because_line, decision.because))
    assert "score  +10  score role.critic" in told
    assert "score  +3  score author.negative" in told
    assert "role  critic  critic" in told


def test_what_a_troll_says_goes_to_its_queue_without_a_draft_and_is_never_dropped(tmp_path: Path) -> None:
    policy = policy_of(tmp_path, PEOPLE)
    theirs = policy.decide(said("we are hiring", author_handle="quarrel"))

    assert (theirs.ignored, theirs.suggestion, theirs.settings.group) == ("", "", "Moderation")
    assert "nor a troll's" in "\n".join(map(because_line, theirs.because))
    assert policy.decide(said("we are hiring")).ignored == "advert"
    assert policy.decide(said("idiots")).suggestion == "We hear you."
    allowed = policy.decide(said("lies", author_handle="quarrel"))
    assert allowed.ignored == "nonsense", "the admin said so"


def test_a_pattern_that_takes_too_long_leaves_its_role_out(tmp_path: Path) -> None:
    policy = policy_of(tmp_path, PEOPLE)

    def slow(_: Facts) -> bool:
        raise TimeoutError

    known = tuple(replace(one, check=slow) if one.role == "prospect" else one for one in policy.roles.known)
    decision = replace(policy, roles=Roles(known)).decide(said("how much?"))

    assert decision.role == "unknown"
    assert any("the role was left out" in line.why for line in decision.because)


def test_the_card_says_who_it_is(tmp_path: Path) -> None:
    policy = policy_of(tmp_path, PEOPLE)

    def who(handle: str, past: Past) -> str:
        mention = said("hello", author_handle=handle)
        return card(mention, policy.decide(mention, past), answers_as="", limits="")

    assert "<strong>critic</strong>" in who("anna", Past(negative=3))
    assert "unknown</strong>" not in who("anna", Past())


def test_without_people_everybody_is_unknown(tmp_path: Path) -> None:
    assert policy_of(tmp_path, "").decide(said(tone=Tone("negative")), Past(negative=9)).role == "unknown"
    assert policy_of(tmp_path, "people:").decide(said()).role == "unknown"


def test_a_role_goes_through_the_store_and_older_decisions_have_none(tmp_path: Path) -> None:
    decision = policy_of(tmp_path, PEOPLE).decide(said("hello"), Past(negative=3))
    assert decode(Decision, encode(decision)) == decision
    old = '{"settings":{},"subject":"s","comment":"c","tone":{"label":"negative"}}'
    assert decode(Decision, old).role == "unknown"
