"""Rules by source and by brand, lists in files of their own, problem links, and values that never last."""

from __future__ import annotations

from pathlib import Path

import pytest
from triage_builders import policy_of, said

from connector.errors import ConfigError
from connector.model import Tone
from connector.triage import load


def write_list(directory: Path, name: str, content: str) -> None:
    (directory / "lists").mkdir(exist_ok=True)
    (directory / "lists" / name).write_text(content, "utf-8")


def test_rules_of_a_source_are_asked_for_that_source_alone(tmp_path: Path) -> None:
    policy = policy_of(
        tmp_path,
        """
        rules: [{name: everybody, set: {tags: [a]}}]
        sources:
          Sky: {rules: [{name: sky alone, set: {tags: [b]}}, {name: sky dms, when: {kind: dm}, set: {tags: [c]}}]}
          "fo*": {rules: [{name: forums, set: {tags: [d]}}]}
        """,
    )

    assert policy.decide(said()).rules == ("everybody", "sky alone")
    assert policy.decide(said(kind="dm")).rules == ("everybody", "sky alone", "sky dms")
    assert policy.decide(said(source="forum")).rules == ("everybody", "forums")
    assert policy.outcomes(said(source="forum"))[1].why == "source is forum, wanted sky"


def test_what_a_brand_is_about_gets_the_brand_and_its_rules(tmp_path: Path) -> None:
    policy = policy_of(
        tmp_path,
        """
        brands:
          Samovar:
            when: {any: [{source: samovar_*}, {text: [samovar]}]}
            rules: [{name: by hand, when: {tone: negative}, set: {group: Workshop}}]
          Kettle: {when: {text: [kettle]}}
        """,
    )
    decision = policy.decide(said("my samovar", tone=Tone("negative")))

    assert (decision.settings.brand, decision.settings.group) == ("Samovar", "Workshop")
    assert decision.rules == ("brand Samovar", "by hand")
    assert policy.decide(said("my kettle", tone=Tone("negative"))).settings.brand == "Kettle"
    assert policy.decide(said("my cup")).settings.brand is None


def test_a_section_shields_nothing_outside_it(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="could ignore a complaint"):
        policy_of(
            tmp_path,
            """
            sources: {sky: {rules: [{name: stop, when: {tone: [negative, very_negative]}, stop: true}]}}
            brands: {X: {when: {text: [x]}, rules: [{name: adverts, ignore: advert}]}}
            """,
        )


def test_a_list_in_a_file_of_its_own_is_called_by_its_name(tmp_path: Path) -> None:
    write_list(tmp_path, "vip.yaml", "- '@Anna'\n- boss\n")
    write_list(tmp_path, "rude.yaml", "[дурак*, idiot]")
    write_list(tmp_path, "feeds.yaml", "# nobody yet\n")
    policy = policy_of(
        tmp_path,
        """
        rules:
          - {name: vip, when: {author.handle: {list: vip}}, set: {tags: [a]}}
          - {name: rude, when: {text: {list: rude}}, set: {tags: [b]}}
          - {name: feeds, when: {source: {list: feeds}}, set: {tags: [c]}}
        """,
    )

    assert policy.warnings == ()
    assert policy.decide(said("Дураки")).rules == ("vip", "rude")
    before = policy.version
    write_list(tmp_path, "vip.yaml", "- nobody\n")
    assert load(tmp_path).version != before
    assert load(tmp_path).decide(said()).rules == ()


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("a: [b]\n", "lists/vip.yaml:1:1  error  has to be a plain list"),
        ("- [x]\n", "lists/vip.yaml:1:3  error  [0]  has to be text"),
        ("[]\n", "lists/vip.yaml:1:1  error  is an empty list"),
        ("- x\n- : [", "lists/vip.yaml:2:"),
    ],
)
def test_mistakes_in_a_list_file_are_told_with_their_place(tmp_path: Path, content: str, told: str) -> None:
    write_list(tmp_path, "vip.yaml", content)
    with pytest.raises(ConfigError) as caught:
        policy_of(tmp_path, "rules: [{name: a, when: {author.handle: {list: vip}}, set: {tags: [x]}}]")

    assert told in str(caught.value)


def test_a_list_may_stand_in_one_place_only_and_is_named_when_nobody_uses_it(tmp_path: Path) -> None:
    write_list(tmp_path, "vip.yaml", "[anna]")
    write_list(tmp_path, "other.yml", "[anna]")

    told = [str(problem) for problem in policy_of(tmp_path, "rules: []").warnings]
    assert any("lists/vip.yaml:1:1  warning  no rule uses" in line for line in told)
    assert any("lists/other.yml  warning  is not read: rename it to other.yaml" in line for line in told)
    with pytest.raises(ConfigError, match=r"lists\.vip  is already given at .*lists/vip.yaml:1"):
        policy_of(tmp_path, "lists: {vip: [boss]}")


def test_what_is_linked_to_a_problem_is_an_incident(tmp_path: Path) -> None:
    settings = policy_of(tmp_path, "rules: [{name: outage, set: {problem: 4812}}]").decide(said()).settings

    assert (settings.problem, settings.type) == ("4812", "incident")


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("rules: [{name: a, set: {problem: soon}}]", '"soon" is not the number of a ticket'),
        ("rules: [{name: a, set: {problem: 1, type: question}}]", "has to be incident where `problem` is set"),
        ("sources: {sky: [a]}", "has to be a mapping with rules"),
        ("sources: {sky: {rule: []}}", 'did you mean "rules"?'),
        ("sources: {sky: {rules: 3}}", "has to be a list"),
        ("brands: {Acme: {rules: []}}", "has no `when`"),
        (
            "rules: [{name: a, stop: true}]\nsources: {sky: {rules: [{name: a, stop: true}]}}",
            "is taken by the rule at",
        ),
        ("remember_days: 0", "has to be a number of days, 1 to 3650"),
        ("card: {trase: true}", 'did you mean "trace"?'),
        ("card: {trace: 1}", "has to be true or false"),
    ],
)
def test_mistakes_are_told_with_the_way_out(tmp_path: Path, content: str, told: str) -> None:
    with pytest.raises(ConfigError) as caught:
        policy_of(tmp_path, content)

    assert told in str(caught.value)


# --- values that never last --------------------------------------------------------------------------------


def shadowed(directory: Path, rules: list[str]) -> list[str]:
    content = "rules:\n" + "".join(f"  - {{{rule}}}\n" for rule in rules)
    return [problem.message for problem in policy_of(directory, content).warnings]


def test_a_value_that_a_later_rule_always_takes_away_is_warned_of(tmp_path: Path) -> None:
    [told] = shadowed(
        tmp_path,
        [
            "name: a, when: {kind: dm, tone: negative}, set: {group: One, tags: [a]}",
            "name: b, when: {kind: [dm, post]}, set: {group: Two}",
        ],
    )

    assert told.startswith('never lasts: whenever "a" fits, "b"')


@pytest.mark.parametrize(
    "rules",
    [
        [
            "name: a, when: {kind: dm}, set: {group: One}",
            "name: b, when: {kind: dm, tone: negative}, set: {group: Two}",
        ],
        ["name: a, when: {kind: dm}, set: {group: One}, stop: true", "name: b, set: {group: Two}"],
        ["name: a, when: {kind: dm}, set: {tags: [x]}", "name: b, set: {tags: [y]}"],
        [
            "name: a, when: {kind: dm}, set: {priority: low}",
            "name: m, when: {priority: low}, set: {tags: [x]}",
            "name: b, set: {priority: high}",
        ],
        [
            "name: a, when: {kind: dm}, set: {group: One}",
            "name: m, when: {text: x}, set: {tags: [x]}, stop: true",
            "name: b, set: {group: Two}",
        ],
    ],
)
def test_one_that_may_last_is_not(tmp_path: Path, rules: list[str]) -> None:
    assert shadowed(tmp_path, rules) == []
