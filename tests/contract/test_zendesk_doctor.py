"""`connector doctor` at Zendesk: each thing that can be wrong is found, what can be made is made once."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from loopback import Asked, Loopback, Told

from connector.adapter import Hook
from connector.errors import Gone, Rejected, Uncertain, Unsupported
from connector.flow.notes import REPLY_STATES
from connector.helpdesks.examination import Finding, Needs
from connector.helpdesks.zendesk import Zendesk, ZendeskOptions
from connector.http import Answer, Http
from connector.log import masked
from connector.model import FieldNeed, Settings, TicketDraft, key_of
from connector.testing.helpdesk_contract import ANNA
from connector.testing.simulators.zendesk import ZendeskSandbox

URL = "https://connector.example/hooks/desk"
REPLY = FieldNeed("Reply state", "dropdown", REPLY_STATES, "reply_field", ours=True)
EVENTS = ["zen:event-type:ticket.comment_added", "zen:event-type:ticket.merged"]


def zendesk(url: str, **options: Any) -> Zendesk:
    given = {"email": "admin@example.com", "api_token": "sandbox", **options}
    if "oauth_token" in options:
        given = options
    made = ZendeskOptions(type="zendesk", base_url=url, **given)
    return Zendesk("desk", made, Http("desk", timeout=(2, 5), allow_private=True))


@pytest.fixture
def sandbox() -> Iterator[ZendeskSandbox]:
    made = ZendeskSandbox(rate_limit=700)
    made.start()
    yield made
    made.stop()


@pytest.fixture
def at(sandbox: ZendeskSandbox) -> Iterator[Callable[..., Zendesk]]:
    """An adapter on the sandbox, with these options."""
    made: list[Zendesk] = []

    def make(**options: Any) -> Zendesk:
        made.append(zendesk(sandbox.address, **options))
        return made[-1]

    yield make
    for desk in made:
        desk.close()


def found(desk: Zendesk, *fields: FieldNeed, url: str = URL, by_rule: bool = False) -> dict[str, Finding]:
    """The findings by what they are about."""
    return {one.subject: one for one in desk.examine(Needs(fields, url, by_rule))}


def apply_all(desk: Zendesk, needs: Needs) -> list[str]:
    return [desk.apply(needs, one) for one in desk.examine(needs) if one.remedy]


def writes(sandbox: ZendeskSandbox) -> dict[str, int]:
    return {name: count for name, count in sandbox.requests().items() if not name.startswith("GET ")}


def admin(sandbox: ZendeskSandbox, email: str = "admin@example.com") -> dict[str, Any]:
    """That user's row itself, to be changed."""
    return sandbox.desk.users[sandbox.desk.users_by_email[email]]


def hook_row(sandbox: ZendeskSandbox) -> dict[str, Any]:
    (row,) = sandbox.desk.tables["webhook"].values()
    return row


# --- who we are ---------------------------------------------------------------------------------------------------


def test_a_healthy_account_has_nothing_in_the_way_and_is_only_read(
    sandbox: ZendeskSandbox, at: Callable[..., Zendesk]
) -> None:
    told = found(at(), FieldNeed("Tone", "dropdown", ("negative",), "20-rules.yaml:3"))

    assert not [one for one in told.values() if one.stands_in_the_way]
    assert told["credentials"].sentence == "as Анна Администратор, admin"
    assert told["requests"].sentence.startswith("700 a minute")
    assert '"Социальные сети"' in told["groups"].sentence
    assert '"Второй бренд"' in told["brands"].sentence
    assert '"Обращение из соцсетей"' in told["forms"].sentence
    assert told["agents"].sentence == "2 who can answer"
    assert told["clock"].state == "ok"
    assert told["Tone"].sentence == "drop-down (20-rules.yaml:3)"
    assert not writes(sandbox)


def test_a_token_that_zendesk_answers_with_an_anonymous_200_is_told_as_wrong(at: Callable[..., Zendesk]) -> None:
    (only,) = at(api_token="not-the-token").examine(Needs())

    assert (only.state, only.stands_in_the_way) == ("wrong", True)
    assert only.sentence == "Zendesk does not know this e-mail address and token"
    assert "Add API token" in only.steps[0]


def test_an_agent_may_not_list_changes_so_it_needs_the_webhook(at: Callable[..., Zendesk]) -> None:
    poor = found(at(email="agent@example.com"))["role"]
    connected = found(at(email="agent@example.com", webhook_secret="s3cr3t-of-the-hook"))

    assert (poor.state, poor.stands_in_the_way) == ("wrong", True)
    assert "make it an admin" in poor.steps[0]
    assert not connected["role"].stands_in_the_way
    assert connected["webhook"].state == "unknown"
    assert "HTTP 403" in connected["webhook"].sentence


@pytest.mark.parametrize(
    ("name", "value", "subject"),
    [
        ("suspended", True, "user"),
        ("only_private_comments", True, "role"),
        ("ticket_restriction", "groups", "ticket access"),
    ],
)
def test_what_keeps_a_user_from_working_is_told(
    sandbox: ZendeskSandbox, at: Callable[..., Zendesk], name: str, value: object, subject: str
) -> None:
    admin(sandbox, "agent@example.com")[name] = value
    finding = found(at(email="agent@example.com", webhook_secret="s3cr3t-of-the-hook"))[subject]

    assert (finding.state, finding.stands_in_the_way) == ("wrong", True)
    assert finding.steps


@pytest.mark.parametrize(
    ("scopes", "state"),
    [
        (("read", "write"), "ok"),
        (("read",), "wrong"),
        (("read", "tickets:write", "users:write"), "ok"),
        ((), "wrong"),
    ],
)
def test_the_scopes_of_an_access_token_are_looked_at(
    sandbox: ZendeskSandbox, at: Callable[..., Zendesk], scopes: tuple[str, ...], state: str
) -> None:
    sandbox.desk.scopes = scopes

    assert found(at(oauth_token="sandbox"))["scopes"].state == state
    assert "scopes" not in found(at())


def test_calling_more_often_than_the_plan_allows_is_told(at: Callable[..., Zendesk]) -> None:
    finding = found(at(requests_per_minute=2500))["requests"]

    assert (finding.state, finding.necessary) == ("wrong", False)
    assert finding.sentence == "requests_per_minute is 2500, and the plan allows 700"


@pytest.mark.parametrize(("away", "in_the_way"), [(-40, False), (600, True)])
def test_a_clock_that_is_wrong_is_told_with_what_it_costs(
    sandbox: ZendeskSandbox, away: int, in_the_way: bool
) -> None:
    class Elsewhen(Http):
        """A door to a place whose clock goes differently."""

        def call(self, *words: Any, **options: Any) -> Answer:
            answer = super().call(*words, **options)
            there = format_datetime(datetime.now(UTC) + timedelta(seconds=away), usegmt=True)
            return replace(answer, headers={**answer.headers, "Date": there})

    options = ZendeskOptions(type="zendesk", base_url=sandbox.address, email="admin@example.com", api_token="sandbox")
    desk = Zendesk("desk", options, Elsewhen("desk", allow_private=True))
    finding = found(desk)["clock"]
    desk.close()

    assert (finding.state, finding.stands_in_the_way) == ("wrong", in_the_way)
    assert "hooks signed more than 300 s away from it are refused" in finding.sentence


def test_whatever_answers_nonsense_is_a_finding_and_no_end() -> None:
    user = {"user": {"id": 1, "name": "Ann", "role": "admin"}}

    def answer(asked: Asked) -> Told:
        body = user if asked[1].startswith("/api/v2/users/me") else {}
        return 200, {}, json.dumps(body).encode()

    with Loopback(answer) as server:
        desk = zendesk(server.url)
        told = found(desk, REPLY)
        desk.close()

    assert told["credentials"].state == "ok"
    assert [told[name].state for name in ("requests", "groups", "ticket fields", "webhook")] == ["unknown"] * 4
    assert told["ticket fields"].stands_in_the_way


# --- ticket fields ------------------------------------------------------------------------------------------------


def test_a_field_that_is_missing_is_made_with_its_kind_and_options(
    sandbox: ZendeskSandbox, at: Callable[..., Zendesk]
) -> None:
    desk = at()
    needs = Needs(
        (
            FieldNeed("Topic", "dropdown", ("Late delivery", "negative"), "20-rules.yaml:9"),
            FieldNeed("Marks", "multiselect", ("a", "b")),
            FieldNeed("Urgent case", "checkbox"),
            FieldNeed("Reach", "integer"),
            FieldNeed("Weight", "decimal"),
            FieldNeed("Last day", "date"),
            FieldNeed("Answer by", "text"),
        ),
    )
    missing = {one.subject: one for one in desk.examine(needs)}["Topic"]
    assert (missing.state, missing.stands_in_the_way) == ("missing", True)
    assert missing.steps[0].endswith("Add field: Drop-down, named Topic")

    told = apply_all(desk, needs)
    made = sandbox.fields()

    assert told[0].startswith('made the ticket field "Topic" (drop-down, with "Late delivery", "negative")')
    kinds = {name: made[name]["type"] for name in [need.name for need in needs.fields]}
    assert list(kinds.values()) == ["tagger", "multiselect", "checkbox", "integer", "decimal", "date", "text"]
    # "negative" is a tag of the field Tone already, and no tag may be used twice
    options = [(one["name"], one["value"]) for one in made["Topic"]["custom_field_options"]]
    assert options == [("Late delivery", "late_delivery"), ("negative", "topic_negative")]
    assert all(one.state == "ok" for one in desk.examine(needs) if one.section == "fields")
    before = writes(sandbox)
    assert apply_all(desk, needs) == []
    assert "is there already" in desk.apply(needs, missing)
    assert writes(sandbox) == before


def test_what_was_made_takes_what_the_rules_write(sandbox: ZendeskSandbox, at: Callable[..., Zendesk]) -> None:
    desk = at()
    needs = Needs((FieldNeed("Topic", "dropdown", ("Late delivery", "negative")), REPLY))
    apply_all(desk, needs)
    settings = {"Topic": "negative", "Reply state": "kept"}
    draft = TicketDraft("sky:1", "Hello", ANNA, "<p>Hello</p>", Settings(fields=settings))
    ticket = desk.send(desk.prepare(draft), key_of("k")).ticket
    assert ticket
    numbers = {name: row["id"] for name, row in sandbox.fields().items()}
    written = {one["id"]: one["value"] for one in sandbox.ticket(int(ticket))["custom_fields"]}

    assert written[numbers["Topic"]] == "topic_negative"
    assert written[numbers["Reply state"]] == "kept"


def test_options_of_ours_that_a_field_lacks_are_added_and_no_others_touched(
    sandbox: ZendeskSandbox, at: Callable[..., Zendesk]
) -> None:
    desk = at()
    before = [one["value"] for one in sandbox.fields()["Reply state"]["custom_field_options"]]
    finding = found(desk, REPLY)["Reply state"]
    assert finding.sentence == '"Reply state" lacks the options "unsure", "kept" (reply_field)'

    assert desk.apply(Needs((REPLY,)), finding) == 'added "unsure", "kept" to the ticket field "Reply state"'
    after = [one["value"] for one in sandbox.fields()["Reply state"]["custom_field_options"]]
    assert after == [*before, "unsure", "kept"]
    assert found(desk, REPLY)["Reply state"].state == "ok"
    assert desk.apply(Needs((REPLY,)), finding) == "the options are there already"


def test_a_field_whose_name_was_mistyped_is_not_made_beside_the_one_that_was_meant(
    at: Callable[..., Zendesk],
) -> None:
    finding = found(at(), FieldNeed("Follower", "integer", (), "20-rules.yaml:4"))["Follower"]

    assert finding.remedy == ""
    assert finding.sentence.endswith('— did you mean "Followers"?')


def test_a_field_that_is_switched_off_is_not_made_again(sandbox: ZendeskSandbox, at: Callable[..., Zendesk]) -> None:
    row = sandbox.fields()["Tone"]
    sandbox.desk.tables["ticket_field"][row["id"]]["active"] = False
    finding = found(at(), FieldNeed("Tone", "dropdown", ("negative",)))["Tone"]

    assert (finding.state, finding.remedy) == ("wrong", "")
    assert "switched off" in finding.sentence


def test_a_field_whose_making_was_not_answered_is_looked_for_and_not_made_twice(
    sandbox: ZendeskSandbox, at: Callable[..., Zendesk]
) -> None:
    desk, needs = at(), Needs((FieldNeed("Topic", "dropdown", ("a",)),))
    sandbox.faults.script = [{"method": "POST", "path": "/api/v2/ticket_fields", "fault": "answer_lost", "times": 1}]
    (told,) = apply_all(desk, needs)

    assert told.startswith('made the ticket field "Topic"')
    assert [name for name in sandbox.fields() if name == "Topic"] == ["Topic"]
    assert sandbox.requests()["POST /api/v2/ticket_fields"] == 1


def test_a_making_that_never_came_through_is_told_as_unclear(
    sandbox: ZendeskSandbox, at: Callable[..., Zendesk]
) -> None:
    sandbox.faults.script = [{"method": "POST", "path": "/api/v2/ticket_fields", "fault": "error_5xx", "times": 1}]

    with pytest.raises(Uncertain):
        apply_all(at(), Needs((FieldNeed("Topic", "dropdown", ("a",)),)))


# --- the webhook --------------------------------------------------------------------------------------------------


def test_a_missing_webhook_is_made_and_its_calls_are_then_believed(
    sandbox: ZendeskSandbox, at: Callable[..., Zendesk]
) -> None:
    """The whole way: made by the doctor, called by Zendesk, its signature found right with the fetched secret."""
    heard: list[Asked] = []

    def listen(asked: Asked) -> Told:
        heard.append(asked)
        return 200, {}, b""

    with Loopback(listen) as here:
        needs = Needs((), f"{here.url}/hooks/desk")
        desk = at()
        assert found(desk, url=needs.hook_url)["webhook"].state == "missing"
        assert not found(desk, url=needs.hook_url)["webhook"].stands_in_the_way
        (told,) = apply_all(desk, needs)
        assert told == f'made the webhook "connector desk": comments and merges call {needs.hook_url}'
        assert hook_row(sandbox)["subscriptions"] == EVENTS
        secret = desk.hook_secret(needs)
        lacking = found(desk, url=needs.hook_url)["secret"]
        assert (lacking.state, lacking.stands_in_the_way) == ("missing", True)
        connected = at(webhook_secret=secret)
        assert all(one.state == "ok" for one in connected.examine(needs))
        assert apply_all(connected, needs) == []
        _answered(sandbox, connected)
        _until(lambda: bool(heard))

    hook = Hook(heard[0][2], heard[0][3], time.time())
    assert connected.read_hook(hook) == (str(sandbox.tickets()[0]["id"]),)


def test_with_a_trigger_the_webhook_is_connected_and_the_trigger_made(
    sandbox: ZendeskSandbox, at: Callable[..., Zendesk]
) -> None:
    heard: list[Asked] = []

    def listen(asked: Asked) -> Told:
        heard.append(asked)
        return 200, {}, b""

    with Loopback(listen) as here:
        needs = Needs((), f"{here.url}/hooks/desk", by_rule=True)
        desk = at()
        told = apply_all(desk, needs)
        assert told[0] == f'made the webhook "connector desk": a trigger calls {needs.hook_url}'
        assert told[1] == 'made the trigger "connector desk: public comment"'
        assert hook_row(sandbox)["subscriptions"] == ["conditional_ticket_events"]
        connected = at(webhook_secret=desk.hook_secret(needs))
        assert all(one.state == "ok" for one in connected.examine(needs))
        assert apply_all(connected, needs) == []
        assert len(sandbox.desk.tables["webhook"]) == len(sandbox.desk.tables["trigger"]) == 1
        _answered(sandbox, connected)
        _until(lambda: bool(heard))

    assert json.loads(heard[0][3]) == {"ticket_id": str(sandbox.tickets()[0]["id"])}
    hook = Hook(heard[0][2], heard[0][3], time.time())
    assert connected.read_hook(hook) == (str(sandbox.tickets()[0]["id"]),)
    # a private note wakes nobody
    assert [len(heard), sandbox.comments(sandbox.tickets()[0]["id"])[-1]["public"]] == [1, False]


@pytest.mark.parametrize("by_rule", [False, True], ids=["events", "trigger"])
def test_a_connection_that_was_spoiled_is_told_and_mended(
    sandbox: ZendeskSandbox, at: Callable[..., Zendesk], by_rule: bool
) -> None:
    desk, needs = at(), Needs((), URL, by_rule)
    apply_all(desk, needs)
    row = hook_row(sandbox)
    row["status"] = "inactive"
    if not by_rule:
        row["subscriptions"] = ["zen:event-type:ticket.created"]
    for trigger in sandbox.desk.tables["trigger"].values():
        trigger["active"] = False
    told = found(desk)

    assert told["webhook"].sentence == '"connector desk" is switched off'
    assert (told["trigger"].sentence if by_rule else "") == (
        'the trigger "connector desk: public comment" is switched off' if by_rule else ""
    )
    apply_all(desk, needs)
    assert found(desk)["webhook"].state == "ok"
    assert hook_row(sandbox)["status"] == "active"
    assert by_rule or hook_row(sandbox)["subscriptions"] == ["zen:event-type:ticket.created", *EVENTS]
    assert all(trigger["active"] for trigger in sandbox.desk.tables["trigger"].values())
    assert len(sandbox.desk.tables["trigger"]) == by_rule


def test_a_webhook_for_a_trigger_that_is_gone_gets_one_whatever_was_asked_for(
    sandbox: ZendeskSandbox, at: Callable[..., Zendesk]
) -> None:
    """One kind of webhook cannot be made the other, so what is there decides."""
    desk = at()
    apply_all(desk, Needs((), URL, by_rule=True))
    sandbox.desk.tables["trigger"].clear()
    finding = found(desk)["trigger"]

    assert (finding.state, finding.stands_in_the_way) == ("missing", True)
    assert apply_all(desk, Needs((), URL)) == ['made the trigger "connector desk: public comment"']
    assert found(desk)["trigger"].state == "ok"


def test_a_trigger_whose_body_names_no_ticket_is_told_and_left_to_its_admin(
    sandbox: ZendeskSandbox, at: Callable[..., Zendesk]
) -> None:
    desk, needs = at(), Needs((), URL, by_rule=True)
    apply_all(desk, needs)
    (trigger,) = sandbox.desk.tables["trigger"].values()
    trigger["actions"][0]["value"][1] = '{"text": "{{ticket.title}}"}'
    finding = found(desk)["trigger"]

    assert (finding.state, finding.remedy) == ("wrong", "")
    assert finding.steps[-1].strip() == '{"ticket_id": "{{ticket.id}}"}'


def test_a_secret_that_is_not_the_webhooks_is_told_without_showing_either(at: Callable[..., Zendesk]) -> None:
    desk = at()
    apply_all(desk, Needs((), URL))
    finding = found(at(webhook_secret="another-secret-altogether"))["secret"]
    said = " ".join((finding.sentence, *finding.steps))

    assert (finding.state, finding.stands_in_the_way) == ("wrong", True)
    assert finding.steps[0].startswith("connector doctor desk --secret-file ")
    assert "another-secret-altogether" not in said
    assert desk.hook_secret(Needs((), URL)) not in said


def test_the_secret_is_masked_in_whatever_is_logged_after_it_was_fetched(at: Callable[..., Zendesk]) -> None:
    desk = at()
    apply_all(desk, Needs((), URL))
    secret = desk.hook_secret(Needs((), URL))

    assert secret not in masked(f"it is {secret}")


def test_where_nobody_knows_our_address_a_webhook_is_known_by_its_path(
    sandbox: ZendeskSandbox, at: Callable[..., Zendesk]
) -> None:
    desk = at(webhook_secret="s3cr3t-of-the-hook")
    lacking = found(desk, url="")["webhook"]
    assert (lacking.remedy, lacking.stands_in_the_way) == ("", True)
    assert "public_url" in lacking.steps[0]
    apply_all(desk, Needs((), URL))

    assert found(desk, url="")["webhook"].state == "ok"
    assert found(desk, url="https://elsewhere.example/hooks/desk")["webhook"].state == "missing"


def test_a_second_webhook_to_us_is_worth_a_look(sandbox: ZendeskSandbox, at: Callable[..., Zendesk]) -> None:
    desk = at()
    apply_all(desk, Needs((), URL))
    row = hook_row(sandbox)
    sandbox.desk.tables["webhook"]["other"] = {**row, "id": "other", "name": "mine"}
    finding = found(desk)["second webhook"]

    assert (finding.state, finding.necessary) == ("wrong", False)


def test_a_webhook_whose_making_was_not_answered_is_not_made_twice(
    sandbox: ZendeskSandbox, at: Callable[..., Zendesk]
) -> None:
    sandbox.faults.script = [{"method": "POST", "path": "/api/v2/webhooks", "fault": "answer_lost", "times": 1}]
    apply_all(at(), Needs((), URL))

    assert len(sandbox.desk.tables["webhook"]) == 1


def test_an_agent_can_make_nothing_and_is_told_so(at: Callable[..., Zendesk]) -> None:
    desk = at(email="agent@example.com")
    needs = Needs((FieldNeed("Topic", "dropdown", ("a",)),), URL)

    with pytest.raises(Rejected, match="not allowed for this user"):
        apply_all(desk, needs)
    with pytest.raises(Rejected, match="not allowed for this user"):
        desk.hook_secret(needs)


def test_there_is_no_secret_of_a_webhook_that_is_not_there(at: Callable[..., Zendesk]) -> None:
    with pytest.raises(Gone, match="no webhook of this account calls us"):
        at().hook_secret(Needs((), URL))


def test_nobody_is_made_who_was_not_asked_for(at: Callable[..., Zendesk]) -> None:
    with pytest.raises(Unsupported):
        at().apply(Needs((), URL), Finding("fields", "X", "missing", "", remedy="field:X"))


# --- as Zendesk describes it --------------------------------------------------------------------------------------


class Recording(Http):
    """The real door, which keeps what went through: method, path, what was sent, the answer."""

    def __init__(self) -> None:
        super().__init__("desk", timeout=(2, 5), allow_private=True)
        self.seen: list[tuple[str, str, Any, Answer]] = []

    def call(self, method: str, url: str, **options: Any) -> Answer:
        answer = super().call(method, url, **options)
        self.seen.append((method, url.partition("/api/v2")[2], options.get("json"), answer))
        return answer


def without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: without_nulls(one) for name, one in value.items() if one is not None}
    return [without_nulls(one) for one in value] if isinstance(value, list) else value


def test_every_call_and_answer_is_as_zendesk_describes_it(
    zendesk_oas: Any, zendesk_webhooks_oas: Any, sandbox: ZendeskSandbox
) -> None:
    http = Recording()
    options = ZendeskOptions(type="zendesk", base_url=sandbox.address, oauth_token="sandbox")
    desk = Zendesk("desk", options, http)
    needs = Needs((FieldNeed("Topic", "dropdown", ("a",)), REPLY), URL, by_rule=True)
    for _ in range(2):
        apply_all(desk, needs)
        for row in (*sandbox.desk.tables["trigger"].values(), hook_row(sandbox)):
            row |= {"active": False, "status": "inactive"}
    desk.hook_secret(needs)
    desk.close()

    judged = set()
    for method, path, sent, answer in http.seen:
        judge, known = (
            (zendesk_webhooks_oas, path) if path.startswith("/webhooks") else (zendesk_oas, f"/api/v2{path}")
        )
        if answer.body.strip():
            # the description of webhooks forgets that what is not there is null
            body = answer.json() if judge is zendesk_oas else without_nulls(answer.json())
            judge.check_answer(method, known, answer.status, body)
        if sent is not None:
            judge.check_request(method, known, sent)
        judged.add((method, re.sub(r"/[0-9A-Z]{6,}", "/*", path)))
    assert judged >= {
        ("GET", "/users/me"), ("GET", "/users"), ("GET", "/oauth/tokens/current"), ("GET", "/ticket_fields"),
        ("POST", "/ticket_fields"), ("POST", "/ticket_fields/*/options"), ("GET", "/webhooks"), ("POST", "/webhooks"),
        ("PATCH", "/webhooks/*"), ("GET", "/webhooks/*/signing_secret"), ("GET", "/triggers"), ("POST", "/triggers"),
        ("PUT", "/triggers/*"),
    }  # fmt: skip


def test_the_description_of_webhooks_finds_faults(zendesk_webhooks_oas: Any) -> None:
    """The negative control."""
    wrong = {"webhook": {"name": "a", "endpoint": "https://x.example", "http_method": "SHOUT"}}
    with pytest.raises(AssertionError):
        zendesk_webhooks_oas.check_request("POST", "/webhooks", wrong)


def _answered(sandbox: ZendeskSandbox, desk: Zendesk) -> None:
    """A ticket, a public answer of an agent on it, and a private note."""
    draft = TicketDraft("sky:1", "Hello", ANNA, "<p>Hello</p>")
    ticket = desk.send(desk.prepare(draft), key_of("k")).ticket
    assert ticket
    sandbox.agent_reply(int(ticket), html_body="<p>Here it is</p>")
    sandbox.agent_reply(int(ticket), html_body="<p>for us</p>", public=False)


def _until(happened: Callable[[], bool]) -> None:
    end = time.monotonic() + 5
    while not happened():
        assert time.monotonic() < end, "it did not happen within 5 s"
        time.sleep(0.01)
