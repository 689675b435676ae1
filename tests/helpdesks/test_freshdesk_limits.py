"""What Freshdesk's rate headers tell, and what a 429 speaks of."""

from __future__ import annotations

import pytest
from requests.structures import CaseInsensitiveDict

from connector.errors import RateLimited
from connector.helpdesks.freshdesk import limits
from connector.helpdesks.freshdesk.limits import Limits
from connector.http import Answer, Budget


def answer(total: object = "", left: object = "", status: int = 200) -> Answer:
    told = {"X-RateLimit-Total": str(total), "X-RateLimit-Remaining": str(left)}
    return Answer(status, CaseInsensitiveDict(told), b"")


def paused(budget: Budget, *names: str) -> tuple[float, str] | None:
    try:
        budget.take(names, "desk", "x")
    except RateLimited as told:
        return round(told.wait), told.scope
    return None


def learnt(*answers: tuple[Answer, str]) -> tuple[Limits, Budget]:
    budget = Budget(lambda: 0.0)
    known = Limits(budget)
    for one, kind in answers:
        known.learn(one, kind)
    return known, budget


def test_the_largest_total_is_the_plans() -> None:
    known, _ = learnt((answer(20, 19), limits.TICKETS), (answer(200, 180), limits.NOTES), (answer(80, 70), "x"))
    assert known.plan == 200
    assert learnt()[0].plan is None


def test_a_list_that_is_used_up_holds_back_only_lists() -> None:
    _, budget = learnt((answer(200, 180), limits.NOTES), (answer(20, 0), limits.TICKETS))
    assert paused(budget, limits.TICKETS) == (5, "endpoint")
    assert paused(budget, limits.NOTES) is None
    assert paused(budget) is None


def test_an_account_that_is_used_up_holds_back_everything() -> None:
    _, budget = learnt((answer(200, 1), limits.NOTES), (answer(200, 0), limits.TICKETS))
    assert paused(budget) == (5, "account")


@pytest.mark.parametrize(("total", "left"), [("", ""), ("many", "few"), (200, 5)])
def test_nothing_waits_without_a_reason(total: object, left: object) -> None:
    _, budget = learnt((answer(total, left), limits.TICKETS))
    assert paused(budget, limits.TICKETS) is None


@pytest.mark.parametrize(
    ("total", "left", "kind", "meant"),
    [
        ("", "", "", ("", "account")),
        ("", "", limits.TICKETS, (limits.TICKETS, "endpoint")),
        ("", "", limits.NOTES, ("", "account")),
        (200, 60, limits.NOTES, (limits.NOTES, "endpoint")),
        (200, 0, limits.NOTES, ("", "account")),
    ],
)
def test_a_429_pauses_what_it_speaks_of(total: object, left: object, kind: str, meant: tuple[str, str]) -> None:
    known, _ = learnt((answer(200, 100), limits.NOTES), (answer(20, 5), limits.TICKETS))
    assert known.of_refusal(answer(total, left, 429), kind) == meant
