"""When to try again is a table: every error, how often, how old, and whether it may have happened."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector import errors
from connector.errors import (
    AuthFailed,
    BadAnswer,
    BadHook,
    Closed,
    ConfigError,
    ConnectorError,
    Gone,
    RateLimited,
    Rejected,
    Temporary,
    Uncertain,
    Unsupported,
)
from connector.flow.retry import Patience, Verdict, decide, growing

PATIENCE = Patience(
    in_doubt_wait=50, give_up_after=1_000, first_pause=4, longest_pause=600, probe_every=300, key_memory=7_000
)
YOUNG, OLD = 1_000.0, 1_000.5
ALL = {
    RateLimited: RateLimited(wait=30),
    AuthFailed: AuthFailed("the token was refused"),
    Temporary: Temporary(),
    Uncertain: Uncertain(),
    Rejected: Rejected(),
    Unsupported: Unsupported(),
    Closed: Closed(),
    Gone: Gone(),
    BadAnswer: BadAnswer(),
    BadHook: BadHook("no", status=401),
    ConfigError: ConfigError([]),
    ConnectorError: ConnectorError(),
    ZeroDivisionError: ZeroDivisionError(),
}


def verdict(error: Exception, *, attempts: int = 0, age: float = 0, doubted: bool = False) -> Verdict:
    """With the shortest pauses."""
    return decide(error, attempts=attempts, age=age, doubted=doubted, chance=0.0, patience=PATIENCE)


def test_the_table_knows_every_error_there_is() -> None:
    there = {kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, ConnectorError)}
    assert there <= set(ALL)


# error, certainly not done (young), may be done (young), certainly not done (old), may be done (old)
TABLE: list[tuple[type[Exception], str, str, str, str]] = [
    (RateLimited, "again", "again", "again", "again"),
    (AuthFailed, "again", "again", "again", "again"),
    (Temporary, "again", "again", "fail", "person"),
    (Uncertain, "again", "again", "person", "person"),
    (Rejected, "fail", "person", "fail", "person"),
    (Unsupported, "fail", "person", "fail", "person"),
    (Closed, "fail", "person", "fail", "person"),
    (Gone, "fail", "person", "fail", "person"),
    (BadAnswer, "fail", "person", "fail", "person"),
    (BadHook, "again", "again", "fail", "person"),
    (ConfigError, "again", "again", "fail", "person"),
    (ConnectorError, "again", "again", "fail", "person"),
]


@pytest.mark.parametrize("attempts", [0, 1, 2, 3, 50])
@pytest.mark.parametrize("row", TABLE, ids=lambda row: row[0].__name__)
def test_what_becomes_of_an_error_does_not_depend_on_how_often_it_came(row: tuple[Any, ...], attempts: int) -> None:
    cells = [(age, doubted) for age in (YOUNG, OLD) for doubted in (False, True)]
    found = [verdict(ALL[row[0]], attempts=attempts, age=age, doubted=doubted).what for age, doubted in cells]
    assert found == list(row[1:])


@pytest.mark.parametrize("age", [YOUNG, OLD])
@pytest.mark.parametrize(
    ("attempts", "doubted", "what"),
    [
        (0, False, "again"),
        (1, False, "again"),
        (2, False, "fail"),
        (9, False, "fail"),
        (0, True, "again"),
        (1, True, "again"),
        (2, True, "person"),
    ],
)
def test_a_bug_is_tried_three_times(attempts: int, doubted: bool, age: float, what: str) -> None:
    assert verdict(ZeroDivisionError(), attempts=attempts, doubted=doubted, age=age).what == what


def test_a_limit_is_no_attempt_and_pauses_what_it_concerns() -> None:
    account = verdict(RateLimited(wait=30, scope="account"))
    assert (account.wait, account.pause, account.counted, account.stop) == (30, 30, False, "")
    for scope in ("endpoint", "lane"):
        narrow = verdict(RateLimited(wait=30, scope=scope))
        assert (narrow.wait, narrow.pause, narrow.counted) == (30, 0, False)


def test_refused_credentials_stop_the_account_until_the_next_probe() -> None:
    found = verdict(ALL[AuthFailed], age=OLD)
    assert (found.stop, found.pause, found.counted) == ("the token was refused", 300, False)
    assert found.wait < found.pause, "it is the probe"
    assert verdict(AuthFailed("")).stop, "an account is never stopped without a reason"


def test_only_an_account_that_refuses_us_is_stopped_and_only_a_limit_pauses_it() -> None:
    for kind, error in ALL.items():
        found = verdict(error)
        assert bool(found.stop) == (kind is AuthFailed)
        assert bool(found.pause) == (kind in (AuthFailed, RateLimited))
        assert found.counted == (kind not in (AuthFailed, RateLimited))


def test_a_wait_that_was_asked_for_is_kept_when_it_is_longer_than_ours() -> None:
    assert verdict(Temporary(wait=500)).wait == 500
    assert verdict(Temporary(wait=0.1)).wait == 2
    assert verdict(Temporary(wait=0.1), attempts=9).wait == 300


def test_what_may_have_happened_is_looked_up_no_later_than_it_can_be_told() -> None:
    assert verdict(Uncertain(), attempts=0).wait == 2
    assert verdict(Uncertain(), attempts=30).wait == PATIENCE.in_doubt_wait


@given(attempts=st.integers(0, 10**6), chance=st.floats(0, 1, exclude_max=True))
def test_a_pause_is_spread_over_the_second_half_of_its_length(attempts: int, chance: float) -> None:
    full = min(600.0, 4.0 * 2 ** min(attempts, 20))
    pause = growing(attempts, chance, PATIENCE)
    assert full / 2 <= pause <= full
    assert growing(attempts, 0.0, PATIENCE) == full / 2


@given(attempts=st.integers(0, 100), chance=st.floats(0, 1, exclude_max=True))
def test_pauses_grow_and_never_past_the_longest(attempts: int, chance: float) -> None:
    now, later = growing(attempts, chance, PATIENCE), growing(attempts + 1, chance, PATIENCE)
    assert now <= later <= PATIENCE.longest_pause
    if 4.0 * 2**attempts < PATIENCE.longest_pause / 2:
        assert later == pytest.approx(2 * now)


@given(
    kind=st.sampled_from(list(ALL)),
    attempts=st.integers(0, 40),
    age=st.floats(0, 5_000),
    doubted=st.booleans(),
    chance=st.floats(0, 1, exclude_max=True),
)
def test_nothing_that_may_have_happened_is_called_failed_nor_tried_without_a_pause(
    kind: type[Exception], attempts: int, age: float, doubted: bool, chance: float
) -> None:
    found = decide(ALL[kind], attempts=attempts, age=age, doubted=doubted, chance=chance, patience=PATIENCE)
    if doubted or kind is Uncertain:
        assert found.what != "fail"
    if found.what == "again":
        assert found.wait > 0
    else:
        assert found == replace(Verdict("fail"), what=found.what)
