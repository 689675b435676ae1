"""`connector doctor` at Freshdesk: what can be asked is found, how the rule has to be is told, fields are made."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from connector.errors import Rejected, Uncertain, Unsupported
from connector.flow.notes import REPLY_STATES
from connector.helpdesks.examination import Finding, Needs
from connector.helpdesks.freshdesk import Freshdesk, FreshdeskOptions
from connector.http import Http
from connector.model import FieldNeed
from connector.testing.helpdesk_contract import Canned
from connector.testing.simulators.freshdesk import ADMIN_KEY, AGENT_KEY, FreshdeskSandbox, Limits

URL = "https://connector.example/hooks/desk"
SECRET = "rule-secret-which-is-long"
REPLY = FieldNeed("Reply state", "dropdown", REPLY_STATES, "reply_field", ours=True)


def freshdesk(url: str, **options: Any) -> Freshdesk:
    given = {"api_key": ADMIN_KEY, "webhook_secret": SECRET, **options}
    made = FreshdeskOptions(type="freshdesk", base_url=url, **given)
    return Freshdesk("desk", made, Http("desk", timeout=(2, 5), allow_private=True))


@pytest.fixture
def sandbox() -> Iterator[FreshdeskSandbox]:
    made = FreshdeskSandbox()
    made.start()
    yield made
    made.stop()


@pytest.fixture
def at(sandbox: FreshdeskSandbox) -> Iterator[Callable[..., Freshdesk]]:
    """An adapter on the sandbox, with these options."""
    made: list[Freshdesk] = []

    def make(**options: Any) -> Freshdesk:
        made.append(freshdesk(sandbox.address, **options))
        return made[-1]

    yield make
    for desk in made:
        desk.close()


def found(desk: Freshdesk, *fields: FieldNeed, url: str = URL) -> dict[str, Finding]:
    """The findings by what they are about."""
    return {one.subject: one for one in desk.examine(Needs(fields, url))}


def apply_all(desk: Freshdesk, *fields: FieldNeed) -> list[str]:
    needs = Needs(fields, URL)
    return [desk.apply(needs, one) for one in desk.examine(needs) if one.remedy]


def agent_row(sandbox: FreshdeskSandbox) -> dict[str, Any]:
    return next(row for row in sandbox.desk.agents.values() if row["contact"]["email"] == "admin@example.com")


def test_a_healthy_account_has_nothing_in_the_way_and_is_only_read(
    sandbox: FreshdeskSandbox, at: Callable[..., Freshdesk]
) -> None:
    desk = at(key_in="field", key_field="Connector id", product="Main product")
    told = found(desk, FieldNeed("Tone", "dropdown", ("negative",), "20-rules.yaml:3"))

    assert not [one for one in told.values() if one.stands_in_the_way]
    assert told["credentials"].sentence == "as Ann Admin"
    assert told["ticket scope"].sentence == "all tickets"
    assert told["requests"].sentence.startswith("700 a minute")
    assert '"Social Media"' in told["groups"].sentence
    assert '"Second product"' in told["products"].sentence
    assert told["Connector id"].sentence == "single-line text (key_field)"
    assert {name.split(" ")[0] for name in sandbox.requests()} == {"GET"}


def test_a_wrong_key_and_a_wrong_address_are_told_with_the_steps(at: Callable[..., Freshdesk]) -> None:
    (only,) = at(api_key="not-the-key").examine(Needs())

    assert (only.state, only.stands_in_the_way) == ("wrong", True)
    assert "View API key" in only.steps[0]
    assert "not-the-key" not in only.sentence


def test_a_plan_without_an_api_is_told() -> None:
    with Canned() as canned:
        canned.says(403, b'{"code":"require_feature","message":"The API feature is not supported in your plan."}')
        desk = freshdesk(canned.url)
        (only,) = desk.examine(Needs())
        desk.close()

    assert only.stands_in_the_way
    assert only.sentence.startswith("the plan does not have it: ")
    assert any("free plan has no API" in step for step in only.steps)


@pytest.mark.parametrize(("scope", "words"), [(2, "of its groups"), (3, "assigned to it")])
def test_an_agent_that_does_not_see_all_tickets_is_told(
    sandbox: FreshdeskSandbox, at: Callable[..., Freshdesk], scope: int, words: str
) -> None:
    agent_row(sandbox)["ticket_scope"] = scope
    finding = found(at())["ticket scope"]

    assert (finding.state, finding.stands_in_the_way) == ("wrong", True)
    assert words in finding.sentence


def test_an_occasional_agent_is_worth_a_look(sandbox: FreshdeskSandbox, at: Callable[..., Freshdesk]) -> None:
    agent_row(sandbox)["occasional"] = True
    finding = found(at())["agent"]

    assert (finding.state, finding.necessary) == ("wrong", False)


def test_a_trial_is_known_by_its_limit(sandbox: FreshdeskSandbox, at: Callable[..., Freshdesk]) -> None:
    sandbox.limits = replace(Limits(), account=50)
    finding = found(at())["requests"]

    assert (finding.state, finding.necessary) == ("wrong", False)
    assert finding.sentence.startswith("50 a minute: a trial.")


def test_calling_more_often_than_the_plan_allows_is_told(at: Callable[..., Freshdesk]) -> None:
    assert found(at(requests_per_minute=900))["requests"].state == "wrong"


@pytest.mark.parametrize(
    ("options", "subject"), [({"product": "Third product"}, "product"), ({"email_config": 7}, "email_config")]
)
def test_options_that_name_what_is_not_there_are_told(
    at: Callable[..., Freshdesk], options: dict[str, Any], subject: str
) -> None:
    finding = found(at(**options))[subject]

    assert (finding.state, finding.stands_in_the_way) == ("wrong", True)
    assert "there is no" in finding.sentence


def test_the_support_address_that_is_named_is_shown(sandbox: FreshdeskSandbox, at: Callable[..., Freshdesk]) -> None:
    (number,) = sandbox.desk.tables["email_config"]

    assert found(at(email_config=number))["email_config"].sentence == "support@sandbox.freshdesk.com"


def test_a_required_field_that_no_rule_sets_is_told(sandbox: FreshdeskSandbox, at: Callable[..., Freshdesk]) -> None:
    sandbox.add_field("Region", "custom_text", required_for_agents=True)
    desk = at()

    assert found(desk)["Region"].stands_in_the_way
    assert "tickets cannot be made" in found(desk)["Region"].sentence
    assert found(desk, FieldNeed("region", "text"))["region"].state == "ok"
    assert "Region" not in found(desk, FieldNeed("cf_region", "text"))


def test_a_field_that_is_missing_is_made_with_its_kind_and_choices(
    sandbox: FreshdeskSandbox, at: Callable[..., Freshdesk]
) -> None:
    needs = (
        FieldNeed("Mood", "dropdown", ("good", "bad"), "20-rules.yaml:9"),
        FieldNeed("Urgent case", "checkbox"),
        FieldNeed("Reach", "integer"),
        FieldNeed("Weight", "decimal"),
        FieldNeed("Last day", "date"),
        FieldNeed("Answer by", "text"),
    )
    desk = at(key_in="field", key_field="Our number")
    told = apply_all(desk, *needs)
    made = sandbox.fields()

    assert told[0] == 'made the ticket field "Mood" (drop-down, with "good", "bad")'
    assert told[-1] == 'made the ticket field "Our number" (single-line text)'
    kinds = [made[f"cf_{need.name.lower().replace(' ', '_')}"]["type"] for need in needs]
    assert kinds == [
        "custom_dropdown", "custom_checkbox", "custom_number", "custom_decimal", "custom_date", "custom_text",
    ]  # fmt: skip
    assert made["cf_mood"]["choices"] == ["good", "bad"]
    assert all(one.state == "ok" for one in desk.examine(Needs(needs, URL)) if one.section == "fields")
    before = sandbox.requests()["POST /api/v2/admin/ticket_fields"]
    assert apply_all(desk, *needs) == []
    again = Finding("fields", "Mood", "missing", "", remedy="field:Mood")
    assert desk.apply(Needs(needs), again) == 'the ticket field "Mood" is there already'
    assert sandbox.requests()["POST /api/v2/admin/ticket_fields"] == before


def test_what_the_api_is_not_known_to_make_is_told_and_not_tried(at: Callable[..., Freshdesk]) -> None:
    told = found(at(), FieldNeed("Marks", "multiselect", ("a", "b")), REPLY)

    assert (told["Marks"].state, told["Marks"].remedy) == ("missing", "")
    assert (told["Reply state"].state, told["Reply state"].remedy) == ("wrong", "")
    assert 'add "unsure", "kept"' in told["Reply state"].steps[0]


def test_a_key_field_that_holds_no_text_is_told(at: Callable[..., Freshdesk]) -> None:
    finding = found(at(key_in="field", key_field="Followers"))["Followers"]

    assert (finding.state, finding.stands_in_the_way) == ("wrong", True)
    assert finding.sentence == '"Followers" is a whole number field; it has to be a single-line text one (key_field)'


def test_a_field_whose_making_was_not_answered_is_looked_for_and_not_made_twice(
    sandbox: FreshdeskSandbox, at: Callable[..., Freshdesk]
) -> None:
    sandbox.faults.script = [
        {"method": "POST", "path": "/api/v2/admin/ticket_fields", "fault": "answer_lost", "times": 1}
    ]
    (told,) = apply_all(at(), FieldNeed("Mood", "dropdown", ("good",)))

    assert told.startswith('made the ticket field "Mood"')
    assert sandbox.requests()["POST /api/v2/admin/ticket_fields"] == 1


def test_a_making_that_never_came_through_is_told_as_unclear(
    sandbox: FreshdeskSandbox, at: Callable[..., Freshdesk]
) -> None:
    sandbox.faults.script = [
        {"method": "POST", "path": "/api/v2/admin/ticket_fields", "fault": "error_5xx", "times": 1}
    ]
    with pytest.raises(Uncertain):
        apply_all(at(), FieldNeed("Mood", "dropdown", ("good",)))


def test_an_agent_can_make_nothing_and_is_told_so(at: Callable[..., Freshdesk]) -> None:
    desk = at(api_key=AGENT_KEY)
    assert found(desk)["credentials"].sentence == "as Oleg Agent"

    with pytest.raises(Rejected, match="not allowed for this agent"):
        apply_all(desk, FieldNeed("Mood", "dropdown", ("good",)))


def test_the_rule_that_nobody_can_ask_about_is_told_whole_and_without_the_secret(
    at: Callable[..., Freshdesk],
) -> None:
    finding = found(at(webhook_header="X-Ours"))["automation rule"]
    said = "\n".join(finding.steps)

    assert (finding.state, finding.necessary) == ("unknown", False)
    for word in (URL, "X-Ours", '{"ticket_id": {{ticket.id}}}', "Reply is sent"):
        assert word in said
    assert SECRET not in said
    assert found(at(webhook_secret=None))["automation rule"].state == "missing"


def test_the_secret_is_the_admins_own(at: Callable[..., Freshdesk]) -> None:
    with pytest.raises(Unsupported, match="is yours"):
        at().hook_secret(Needs())
