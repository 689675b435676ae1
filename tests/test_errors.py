"""Errors are sentences that say what to do next."""

from __future__ import annotations

import pytest

from connector import errors
from connector.errors import BadHook, ConfigError, ConnectorError, Problem, RateLimited, Temporary

KINDS = [
    kind
    for kind in vars(errors).values()
    if isinstance(kind, type) and issubclass(kind, ConnectorError) and kind not in (ConfigError, BadHook, RateLimited)
]


@pytest.mark.parametrize("kind", KINDS)
def test_the_docstring_of_a_kind_is_its_default_sentence(kind: type[ConnectorError]) -> None:
    assert str(kind()) == str(kind.__doc__).strip()
    assert str(kind("no luck", service="desk", operation="open ticket", status=422)) == (
        "desk open ticket: no luck (HTTP 422)"
    )
    assert str(kind("no luck", status=422)) == "no luck (HTTP 422)"


def test_a_limit_says_how_long_and_what_has_to_wait() -> None:
    limited = RateLimited(wait=3, scope="lane")

    assert (limited.wait, limited.scope) == (3, "lane")
    assert str(limited) == "the other side asks us to slow down"
    assert Temporary().wait is None


def test_a_problem_is_shown_with_its_place_the_path_and_the_way_out() -> None:
    assert str(Problem("a.yaml", 3, 7, "rules[0].when", "is odd")) == "a.yaml:3:7  error  rules[0].when  is odd"
    assert str(Problem("a.yaml", 0, 0, "", "cannot be read")) == "a.yaml  error  cannot be read"
    assert str(Problem("a.yaml", 1, 1, "x", "is odd", "warning")).split("  ")[1] == "warning"


def test_a_wrong_configuration_tells_every_mistake_on_its_line() -> None:
    wrong = ConfigError([Problem("a", 1, 1, "", "one"), Problem("b", 2, 2, "", "two")])

    assert str(wrong) == "a:1:1  error  one\nb:2:2  error  two"


def test_what_a_caller_is_refused_with_is_the_sentence_alone() -> None:
    assert str(BadHook("the signature does not fit", status=401)) == "the signature does not fit"
