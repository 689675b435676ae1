"""Zendesk's rate headers, in both spellings, and what a 429 speaks of."""

from __future__ import annotations

import pytest
from requests.structures import CaseInsensitiveDict

from connector.errors import RateLimited
from connector.helpdesks.zendesk import limits
from connector.http import Answer, Budget


def answer(headers: dict[str, str], status: int = 200) -> Answer:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Answer(status, CaseInsensitiveDict(named), b"")


def paused(budget: Budget, *names: str) -> tuple[float, str] | None:
    try:
        budget.take(names, "desk", "x")
    except RateLimited as told:
        return round(told.wait), told.scope
    return None


@pytest.mark.parametrize(
    "headers",
    [
        {"ratelimit_limit": "700", "ratelimit_remaining": "0", "ratelimit_reset": "20"},
        {"rate_limit": "700", "rate_limit_remaining": "0", "rate_limit_reset": "20"},
        {"x_rate_limit": "700", "x_rate_limit_remaining": "0", "ratelimit_reset": "20"},
    ],
)
def test_an_account_that_is_used_up_waits_until_its_reset(headers: dict[str, str]) -> None:
    budget = Budget(lambda: 0.0)
    limits.learn(budget, answer(headers))
    assert paused(budget) == (20, "account")
    assert limits.plan_limit(answer(headers).headers) == 700


@pytest.mark.parametrize(
    "headers",
    [
        {"ratelimit_remaining": "5", "ratelimit_reset": "20"},
        {"x_rate_limit_remaining": "0"},
        {"ratelimit_remaining": "none", "ratelimit_reset": "soon"},
        {},
    ],
)
def test_nothing_waits_without_a_reason_and_an_end(headers: dict[str, str]) -> None:
    budget = Budget(lambda: 0.0)
    limits.learn(budget, answer(headers))
    assert paused(budget) is None


@pytest.mark.parametrize("spelling", ["zendesk-ratelimit", "Zendesk-Rate-Limit"])
def test_a_named_limit_pauses_only_what_it_names(spelling: str) -> None:
    budget = Budget(lambda: 0.0)
    headers = {
        f"{spelling}-tickets-update": "total=100; remaining=0; resets=29",
        f"{spelling}-per-ticket-updates": "total=30; remaining=0; resets=600",
        f"{spelling}-tickets-index": "total=100; remaining=94; resets=29",
    }
    limits.learn(budget, Answer(200, headers, b""), "7")
    assert paused(budget) is None
    assert paused(budget, "tickets-index") is None
    assert paused(budget, "tickets-update") == (29, "endpoint")
    assert paused(budget, "ticket:7") == (600, "lane")
    assert paused(budget, "ticket:8") is None


@pytest.mark.parametrize(
    ("headers", "kind", "ticket", "meant"),
    [
        ({}, "", "", ("", "account")),
        ({"retry_after": "12"}, "tickets-update", "7", ("", "account")),
        ({"retry_after": "12", "ratelimit_remaining": "60"}, "tickets-update", "7", ("tickets-update", "endpoint")),
        ({"retry_after": "400", "ratelimit_remaining": "60"}, "tickets-update", "7", ("ticket:7", "lane")),
        ({"retry_after": "30", "x_rate_limit_remaining": "699"}, "incremental", "", ("incremental", "endpoint")),
        (
            {"zendesk_ratelimit_per_ticket_updates": "total=30; remaining=0; resets=50", "retry_after": "50"},
            "tickets-update",
            "7",
            ("ticket:7", "lane"),
        ),
    ],
)
def test_a_429_pauses_what_it_speaks_of(
    headers: dict[str, str], kind: str, ticket: str, meant: tuple[str, str]
) -> None:
    assert limits.of_refusal(answer(headers, 429), kind, ticket) == meant


def test_our_own_count_lets_so_many_through_in_a_minute() -> None:
    now = [0.0]
    window = limits.Window(2, 60.0, lambda: now[0])
    assert (window.enter(), window.enter()) == (0.0, 0.0)
    now[0] = 20.0
    assert window.enter() == 40.0
    now[0] = 60.0
    assert window.enter() == 0.0
