"""Labels to names, numbers and values, as admins write them and as Freshdesk wants them."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from connector import triage
from connector.errors import Rejected
from connector.helpdesks.freshdesk.account import Account
from connector.helpdesks.freshdesk.names import Names, field_value, named
from connector.helpdesks.names import Named, Option
from connector.http import Http

STATUS = {
    "id": 1,
    "label": "Status",
    "name": "status",
    "type": "default_status",
    "choices": {
        "2": ["Open", "Being Processed"],
        "3": ["Pending", "Awaiting your Reply"],
        "4": ["Resolved", "This ticket has been Resolved"],
        "5": ["Closed", "This ticket has been Closed"],
        "6": ["Waiting on Customer", "Awaiting your Reply"],
    },
}
TYPE = {"id": 2, "label": "Type", "name": "ticket_type", "type": "default_ticket_type"}
TYPE |= {"choices": ["Question", "Incident", "Problem", "Feature Request"]}
GROUP = {"id": 3, "label": "Group", "name": "group", "type": "default_group", "choices": {"Support": 11, "Sales": 12}}
PRODUCT = {"id": 4, "label": "Product", "name": "product", "type": "default_product", "choices": {"Acme": 21}}
TOPIC = {"id": 5, "label": "Topic", "name": "cf_topic", "type": "custom_dropdown", "choices": ["Parcel", "Деньги"]}
PLACE = {
    "id": 6,
    "label": "Country",
    "name": "cf_country",
    "type": "nested_field",
    "choices": {"USA": {"Texas": ["Austin", "Dallas"]}, "Russia": {"Karelia": []}},
    "nested_ticket_fields": [
        {"id": 62, "label": "City", "name": "cf_city", "level": 3},
        {"id": 61, "label": "State", "name": "cf_state", "level": 2},
    ],
}
URGENT = {"id": 7, "label": "VIP", "name": "cf_vip", "type": "custom_checkbox", "choices": None}
FIELDS = [STATUS, TYPE, GROUP, PRODUCT, TOPIC, PLACE, URGENT]


class Lists(Account):
    """An account that lists what it is told, and counts."""

    def __init__(self, **lists: list[dict[str, Any]]) -> None:
        super().__init__(Http("desk"), "http://127.0.0.1:1", "key")
        self.lists = lists
        self.asked: list[str] = []

    def rows(self, path: str, **_: Any) -> Any:
        self.asked.append(path)
        if path[1:] not in self.lists:
            raise Rejected("not for you")
        return iter(self.lists[path[1:]])


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize(
    ("word", "number"),
    [
        ("new", 2),
        ("Open", 2),
        ("pending", 3),
        ("hold", 3),
        ("solved", 4),
        ("resolved", 4),
        ("closed", 5),
        ("waiting on customer", 6),
        ("6", 6),
    ],
)
def test_a_status_is_known_by_the_common_word_its_label_and_its_number(word: str, number: int) -> None:
    assert Names(Lists(ticket_fields=FIELDS), Clock()).status(word) == number


def test_hold_is_a_status_of_that_name_where_there_is_one() -> None:
    status = {**STATUS, "choices": {**STATUS["choices"], "8": ["On Hold", "Waiting"]}}
    assert Names(Lists(ticket_fields=[status]), Clock()).status("hold") == 8


def test_the_common_statuses_cost_no_call() -> None:
    account = Lists()
    names = Names(account, Clock())
    assert [names.status(word) for word in ("open", "pending", "solved", "closed")] == [2, 3, 4, 5]
    assert account.asked == []


def test_an_unknown_status_or_type_is_refused_with_what_there_is() -> None:
    names = Names(Lists(ticket_fields=FIELDS), Clock())
    with pytest.raises(Rejected, match="Waiting on Customer"):
        names.status("asleep")
    with pytest.raises(Rejected, match=r'"Question".*"Feature Request"'):
        names.ticket_type("praise")
    assert names.ticket_type("feature request") == "Feature Request"


def test_a_common_type_the_account_does_not_have_is_left_out() -> None:
    names = Names(Lists(ticket_fields=FIELDS), Clock())
    assert [names.ticket_type(word) for word in ("question", "task")] == ["Question", ""]


def test_a_type_is_taken_on_trust_where_the_list_is_not_for_us() -> None:
    assert Names(Lists(), Clock()).ticket_type(" Question ") == "Question"


def test_groups_and_products_stand_in_the_list_of_fields() -> None:
    account = Lists(ticket_fields=FIELDS)
    names = Names(account, Clock())
    assert [names.group("support"), names.group("12"), names.product("ACME")] == [11, 12, 21]
    assert account.asked == ["/ticket_fields"]


def test_groups_and_products_have_lists_of_their_own() -> None:
    account = Lists(ticket_fields=[TOPIC], groups=[{"id": 11, "name": "Support"}])
    names = Names(account, Clock())
    assert names.group("Support") == 11
    with pytest.raises(Rejected, match="not for you"):
        names.product("Acme")
    assert names.product("21") == 21, "an id is taken on trust where the list is not for us"
    with pytest.raises(Rejected, match='no group "Nobody"; there are: "Support"'):
        names.group("Nobody")


@pytest.mark.parametrize("name", ["Topic", "TOPIC", "cf_topic", "5"])
def test_a_field_is_known_by_label_name_and_id(name: str) -> None:
    names = Names(Lists(ticket_fields=FIELDS), Clock())
    assert names.field_value(name, "parcel") == ("cf_topic", "Parcel")
    assert names.label("cf_topic") == "Topic"


def test_a_field_of_freshdesks_own_cannot_be_set_as_one() -> None:
    names = Names(Lists(ticket_fields=FIELDS), Clock())
    with pytest.raises(Rejected, match="set it with status"):
        names.field("Status")
    with pytest.raises(Rejected, match='no ticket field "Colour"'):
        names.field("Colour")


def test_each_level_of_a_nested_field_is_a_field() -> None:
    names = Names(Lists(ticket_fields=FIELDS), Clock())
    values = [("Country", "usa"), ("State", "Texas"), ("cf_city", "dallas")]
    assert [names.field_value(*one) for one in values] == [
        ("cf_country", "USA"),
        ("cf_state", "Texas"),
        ("cf_city", "Dallas"),
    ]
    with pytest.raises(Rejected, match='"City" has no option "Paris"; there are: "Austin", "Dallas"'):
        names.field_value("City", "Paris")


@pytest.mark.parametrize(
    ("kind", "value", "wanted"),
    [
        ("checkbox", "Yes", True),
        ("checkbox", False, False),
        ("integer", " 42 ", 42),
        ("decimal", "3,5", 3.5),
        ("date", date(2025, 12, 31), "2025-12-31"),
        ("date", datetime(2025, 12, 31, 23, tzinfo=UTC), "2025-12-31"),
        ("text", 5, "5"),
        ("textarea", ["a", "b"], "a, b"),
        ("integer", None, None),
    ],
)
def test_a_value_is_written_as_the_field_takes_it(kind: str, value: Any, wanted: Any) -> None:
    assert field_value(Named(1, "X", kind, name="cf_x"), value) == wanted


@pytest.mark.parametrize(
    ("kind", "value"), [("checkbox", "maybe"), ("integer", "4.5"), ("decimal", "much"), ("date", "tomorrow")]
)
def test_a_wrong_value_is_refused_with_the_field_named(kind: str, value: str) -> None:
    with pytest.raises(ValueError, match='"X"'):
        field_value(Named(1, "X", kind, name="cf_x"), value)


def test_several_options_are_several() -> None:
    many = Named(1, "Marks", "multiselect", (Option("a", "a"), Option("b", "b")), "cf_marks")
    assert field_value(many, ["A", "b"]) == ["a", "b"]
    assert field_value(many, "b") == ["b"]


def test_the_vocabulary_has_all_that_a_mapping_may_name() -> None:
    words = Names(Lists(ticket_fields=FIELDS), Clock()).vocabulary()
    shown = {spec.id: (spec.title, spec.type, spec.values) for spec in words.fields}
    assert shown["cf_topic"] == ("Topic", "dropdown", ("Parcel", "Деньги"))
    assert shown["cf_city"] == ("City", "dropdown", ("Austin", "Dallas"))
    assert shown["cf_vip"] == ("VIP", "checkbox", ())
    assert (shown["status"][1], shown["ticket_type"][1], shown["group"][1]) == ("status", "tickettype", "group")
    assert "product" not in shown, "a field of Freshdesk's own that no mapping can set"
    assert (words.groups, words.brands, words.forms) == (("Support", "Sales"), ("Acme",), ())


def test_the_lint_of_a_mapping_knows_them(tmp_path: Path) -> None:
    rules = """
rules:
  - name: fine
    set: {group: Support, brand: Acme, fields: {Topic: Parcel, cf_vip: true, City: Austin}}
  - name: odd
    set: {group: Nobody, form: Complaint, fields: {Topic: Weather, Status: Open, Product: Acme, VIP: 5}}
"""
    (tmp_path / "rules.yaml").write_text(rules, encoding="utf-8")
    words = Names(Lists(ticket_fields=FIELDS), Clock()).vocabulary()
    told = sorted(problem.message for problem in triage.load(tmp_path).lint(words))
    assert len(told) == 6
    for word in ("Nobody", "no forms", "Weather", "`status`", "Product", "checkbox"):
        assert [one for one in told if word in one], word


def test_a_field_without_choices_or_levels_is_just_itself() -> None:
    (one,) = named({"id": 9, "label": "Note", "name": "cf_note", "type": "custom_paragraph"})
    assert (one.title, one.type, one.options, one.name) == ("Note", "textarea", (), "cf_note")
