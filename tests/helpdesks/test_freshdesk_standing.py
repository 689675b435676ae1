"""How tickets stand at Freshdesk, in our words: agents by name, and what people said in surveys."""

from __future__ import annotations

from typing import Any

import pytest

from connector.errors import ConnectorError, Rejected, Temporary
from connector.helpdesks.freshdesk.account import Account
from connector.helpdesks.freshdesk.people import Agents
from connector.helpdesks.freshdesk.standing import Standing, satisfaction_in
from connector.http import Http
from connector.model import TicketId

SEVEN = TicketId("7")


class Surveys(Account):
    """An account with answers to surveys, and one agent."""

    def __init__(self, *ratings: dict[str, Any], refusal: ConnectorError | None = None) -> None:
        super().__init__(Http("desk"), "http://127.0.0.1:1", "key")
        self.ratings, self.refusal = list(ratings), refusal
        self.asked: list[str] = []

    def rows(self, path: str, *, params: Any = None, **_: Any) -> Any:
        assert path == "/surveys/satisfaction_ratings"
        self.asked.append(params["created_since"])
        if self.refusal is not None:
            raise self.refusal
        return iter([row for row in self.ratings if row["created_at"] >= params["created_since"]])

    def get(self, path: str, **_: Any) -> Any:
        if path != "/agents/5":
            raise Rejected("not for you")
        return {"id": 5, "contact": {"name": "Olga"}}


def rated(number: int, value: Any, at: str = "2099-01-01T12:00:00Z", ticket: int = 7) -> dict[str, Any]:
    return {"id": number, "ticket_id": ticket, "ratings": {"default_question": value}, "created_at": at}


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def standing(account: Account, clock: Clock | None = None) -> Standing:
    return Standing(account, Agents(account), clock or Clock())


@pytest.mark.parametrize(
    ("value", "told"),
    [(103, "good"), (101, "good"), (100, ""), (-101, "bad"), (-103, "bad"), (1, "good"), (2, ""), (3, "bad"),
     (None, ""), ("103", ""), (True, "")],
)  # fmt: skip
def test_what_people_say_is_good_bad_or_nothing(value: Any, told: str) -> None:
    assert satisfaction_in(rated(1, value)) == told


@pytest.mark.parametrize("row", [{}, {"ratings": None}, {"ratings": {"question_3": -103}}])
def test_an_answer_without_the_main_question_says_nothing(row: dict[str, Any]) -> None:
    assert satisfaction_in(row) == ""


def test_the_newest_answer_counts_whatever_their_order() -> None:
    account = Surveys(rated(3, 103, "2099-01-02T00:00:00Z"), rated(2, -103), rated(1, -103, ticket=8))
    assert standing(account).of(SEVEN, {"status": 4}).satisfaction == "good"


def test_surveys_are_listed_once_a_minute_from_where_we_were() -> None:
    account, clock = Surveys(rated(1, -103)), Clock()
    told = standing(account, clock)
    for _ in range(3):
        assert told.of(SEVEN, {"status": 5}).satisfaction == "bad"
    assert len(account.asked) == 1
    account.ratings.append(rated(2, 102))
    clock.now += 61
    assert told.of(SEVEN, {"status": 2}).satisfaction == "good"
    assert account.asked[1:] == ["2099-01-01T12:00:00Z"]


def test_where_surveys_or_agents_are_not_for_us_the_rest_is_told_and_they_are_left_alone_for_an_hour() -> None:
    account, clock = Surveys(refusal=Rejected("not for you")), Clock()
    told = standing(account, clock)
    for _ in range(2):
        state = told.of(SEVEN, {"status": 3, "tags": ["a"], "responder_id": 6})
        assert (state.status, state.tags, state.assignee, state.satisfaction) == ("pending", ("a",), "", "")
        clock.now += 61
    assert len(account.asked) == 1
    clock.now += 3_600
    told.of(SEVEN, {"status": 3})
    assert len(account.asked) == 2


def test_surveys_that_cannot_be_listed_now_keep_nothing_waiting() -> None:
    account, clock = Surveys(rated(1, 103), refusal=Temporary("busy")), Clock()
    told = standing(account, clock)
    assert told.of(SEVEN, {"status": 4}).satisfaction == ""
    account.refusal = None
    clock.now += 61
    assert told.of(SEVEN, {"status": 4}).satisfaction == "good"


def test_an_agent_is_told_by_name_and_a_status_of_ones_own_is_open() -> None:
    state = standing(Surveys()).of(SEVEN, {"status": 9, "responder_id": 5})
    assert (state.status, state.assignee) == ("open", "Olga")
