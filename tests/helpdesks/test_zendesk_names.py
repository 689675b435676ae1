"""Names to ids and values, as admins write them and as Zendesk wants them."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pytest

from connector.errors import Rejected
from connector.helpdesks.zendesk.account import Account
from connector.helpdesks.zendesk.names import Named, Names, Option, field_value, named
from connector.http import Http

TOPIC = Named(1, "Topic", "tagger", (Option("topic_parcel", "Parcel"), Option("topic_money", "Деньги")))
MANY = Named(2, "Marks", "multiselect", TOPIC.options)


@pytest.mark.parametrize(
    ("kind", "value", "wanted"),
    [
        ("checkbox", True, True),
        ("checkbox", "Yes", True),
        ("checkbox", "нет", False),
        ("checkbox", 0, False),
        ("integer", " 42 ", "42"),
        ("integer", 42, "42"),
        ("decimal", "3,5", "3.5"),
        ("decimal", 2, "2"),
        ("date", "2025-12-31", "2025-12-31"),
        ("date", date(2025, 12, 31), "2025-12-31"),
        ("date", datetime(2025, 12, 31, 23, tzinfo=UTC), "2025-12-31"),
        ("date", "2025-12-31T23:00:00Z", "2025-12-31"),
        ("text", 5, "5"),
        ("text", True, "true"),
        ("textarea", ["a", "b"], "a, b"),
        ("regexp", "A-1", "A-1"),
        ("integer", None, None),
    ],
)
def test_a_value_is_written_as_the_field_takes_it(kind: str, value: Any, wanted: Any) -> None:
    assert field_value(Named(1, "X", kind), value) == wanted


@pytest.mark.parametrize("value", ["Parcel", "parcel", "TOPIC_PARCEL", " topic_parcel "])
def test_an_option_is_known_by_name_and_by_value(value: str) -> None:
    assert field_value(TOPIC, value) == "topic_parcel"


def test_several_options_are_several() -> None:
    assert field_value(MANY, ["Parcel", "деньги"]) == ["topic_parcel", "topic_money"]
    assert field_value(MANY, "Parcel") == ["topic_parcel"]


@pytest.mark.parametrize(
    ("kind", "value"), [("checkbox", "maybe"), ("integer", "4.5"), ("decimal", "much"), ("date", "tomorrow")]
)
def test_a_wrong_value_is_refused_with_the_field_named(kind: str, value: str) -> None:
    with pytest.raises(ValueError, match='"X"'):
        field_value(Named(1, "X", kind), value)


def test_an_unknown_option_is_refused_with_what_there_is() -> None:
    with pytest.raises(ValueError, match="topic_parcel"):
        field_value(TOPIC, "Weather")
    twice = Named(3, "T", "tagger", (Option("a", "Same"), Option("b", "Same")))
    with pytest.raises(ValueError, match="several"):
        field_value(twice, "same")


class Lists(Account):
    """An account that lists what it is told, and counts."""

    def __init__(self, **lists: list[dict[str, Any]]) -> None:
        super().__init__(Http("desk"), "http://127.0.0.1:1", "Basic x")
        self.lists = lists
        self.asked = 0

    def rows(self, path: str, key: str, **_: Any) -> Any:
        self.asked += 1
        if key not in self.lists:
            raise Rejected("not for you")
        return iter(self.lists[key])


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_a_name_costs_a_call_only_once() -> None:
    account = Lists(groups=[{"id": 1, "name": "Support"}, {"id": 2, "name": "Sales"}])
    names = Names(account, Clock())
    assert [names.id_of("group", word) for word in ("support", "SALES", "2", " Support ")] == [1, 2, 2, 1]
    assert account.asked == 1


def test_a_list_is_read_again_when_it_is_old() -> None:
    clock = Clock()
    account = Lists(groups=[{"id": 1, "name": "Support"}])
    names = Names(account, clock)
    names.id_of("group", "Support")
    clock.now += 601
    names.id_of("group", "Support")
    assert account.asked == 2


def test_a_name_that_was_just_made_is_found_and_an_unknown_one_is_not_asked_for_all_the_time() -> None:
    clock = Clock()
    account = Lists(groups=[{"id": 1, "name": "Support"}])
    names = Names(account, clock)
    for _ in range(5):
        with pytest.raises(Rejected, match='no group "New"; there are: "Support"'):
            names.id_of("group", "New")
    assert account.asked == 1
    account.lists["groups"].append({"id": 9, "name": "New"})
    clock.now += 61
    assert names.id_of("group", "new") == 9


def test_a_name_that_stands_for_two_is_refused_but_its_ids_are_not() -> None:
    names = Names(Lists(brands=[{"id": 1, "name": "Acme"}, {"id": 2, "name": "acme"}]), Clock())
    with pytest.raises(Rejected, match="more than one"):
        names.id_of("brand", "ACME")
    assert names.id_of("brand", "2") == 2


def test_an_id_is_taken_on_trust_where_the_list_is_not_for_us() -> None:
    names = Names(Lists(), Clock())
    assert names.id_of("form", "77") == 77
    with pytest.raises(Rejected, match="not for you"):
        names.id_of("form", "Complaint")


def test_fields_that_are_switched_off_or_zendesks_own_cannot_be_set() -> None:
    fields = [
        {"id": 1, "title": "Priority", "type": "priority", "active": True},
        {"id": 2, "title": "Old", "type": "text", "active": False},
        {"id": 3, "title": "Topic", "type": "text", "active": True},
    ]
    names = Names(Lists(ticket_fields=fields), Clock())
    with pytest.raises(Rejected, match="`priority`"):
        names.field("Priority")
    with pytest.raises(Rejected, match="no ticket field"):
        names.field("Old")
    assert names.field_value("topic", 5) == (3, "5")
    assert names.title(3) == "Topic"
    assert names.title(99) == ""


def test_a_field_is_read_with_its_options() -> None:
    row = {"id": 5, "title": "T", "type": "tagger", "custom_field_options": [{"id": 1, "name": "N", "value": "v"}]}
    assert named(row) == Named(5, "T", "tagger", (Option("v", "N"),))
