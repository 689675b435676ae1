"""The Zendesk adapter against the sandbox: the contract of helpdesks, and what is Zendesk's own."""

from __future__ import annotations

import json
import time
from base64 import b64encode
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

import pytest
import requests
from pydantic import SecretStr

from connector.adapter import Hook
from connector.errors import (
    AuthFailed,
    BadHook,
    Closed,
    Gone,
    RateLimited,
    Rejected,
    Temporary,
    Uncertain,
    Unsupported,
)
from connector.helpdesks.zendesk import Zendesk, ZendeskOptions, state_of
from connector.helpdesks.zendesk.hooks import sign
from connector.helpdesks.zendesk.people import user_body
from connector.http import Http
from connector.model import (
    Attachment,
    CommentDraft,
    CommentId,
    Key,
    Person,
    Request,
    Settings,
    TicketDraft,
    TicketId,
    TicketState,
    key_of,
)
from connector.testing.helpdesk_contract import ANNA, BORIS, Canned, HelpdeskContract, HelpdeskStage
from connector.testing.simulators.zendesk import ZendeskSandbox

SECRET = "hook-secret-which-is-long"
WRONG = "not-the-token-at-all"


def zendesk(base_url: str, **options: Any) -> Zendesk:
    given = {"email": "admin@example.com", "api_token": "sandbox", "webhook_secret": SECRET, **options}
    made = ZendeskOptions(type="zendesk", base_url=base_url, **given)
    return Zendesk("desk", made, Http("desk", timeout=(2, 5), allow_private=True))


class Stage(HelpdeskStage):
    """The sandbox, with its rate limits off, and one adapter on it."""

    secrets = ("sandbox-api-token", b64encode(b"admin@example.com/token:sandbox-api-token").decode(), SECRET)

    def __init__(self, **options: Any) -> None:
        self.sandbox = ZendeskSandbox(rate_limit=None, **options)
        self.url = self.sandbox.start()
        self.helpdesk: Zendesk = zendesk(self.url)

    def at(self, base_url: str) -> Zendesk:
        return zendesk(base_url, api_token="sandbox-api-token")

    def with_wrong_login(self) -> Zendesk:
        return zendesk(self.url, api_token=WRONG)

    def tickets(self) -> Sequence[TicketId]:
        return [TicketId(str(row["id"])) for row in self.sandbox.tickets() if row["status"] != "deleted"]

    def answer_as_agent(self, ticket: TicketId, html: str, *, public: bool) -> CommentId:
        return CommentId(str(self.sandbox.agent_reply(int(ticket), html_body=html, public=public)["id"]))

    def close(self, ticket: TicketId) -> None:
        self.sandbox.close(int(ticket))

    def delete(self, ticket: TicketId) -> None:
        self.sandbox.delete(int(ticket))

    def lose_next_answer(self) -> None:
        self.strike("answer_lost", "POST", "/api/v2/tickets")
        self.strike("answer_lost", "PUT", "/api/v2/tickets/*")

    def strike(self, fault: str, method: str, path: str, **more: Any) -> None:
        script = {"method": method, "path": path, "fault": fault, "times": 1, **more}
        self.sandbox.faults.script = [*self.sandbox.faults.script, script]


@pytest.fixture
def stage() -> Iterator[Stage]:
    made = Stage()
    yield made
    made.helpdesk.close()
    made.sandbox.stop()


@pytest.fixture
def desk(stage: Stage) -> Zendesk:
    return stage.helpdesk


@pytest.fixture
def canned() -> Iterator[Canned]:
    with Canned() as server:
        yield server


class TestContract(HelpdeskContract):
    """Every clause of the helpdesks' contract."""

    @pytest.fixture
    def stage(self) -> Iterator[HelpdeskStage]:
        made = Stage()
        yield made
        made.sandbox.stop()


def draft(**changes: Any) -> TicketDraft:
    given: dict[str, Any] = {
        "external_id": "sky:at://1",
        "subject": "Where is my parcel",
        "author": ANNA,
        "html": "<p>Where is my parcel?</p>",
        **changes,
    }
    return TicketDraft(**given)


def opened(desk: Zendesk, word: str = "a", **changes: Any) -> TicketId:
    receipt = desk.send(desk.prepare(draft(**changes)), key_of(word))
    assert receipt.ticket
    return receipt.ticket


def user(stage: Stage, external_id: str) -> dict[str, Any]:
    (found,) = [one for one in stage.sandbox.users() if one["external_id"] == external_id]
    return found


# --- who we are ------------------------------------------------------------------------------------------------


def test_an_agent_is_told_what_it_cannot_do(stage: Stage) -> None:
    desk = zendesk(stage.url, email="agent@example.com")
    identity = desk.check()
    assert any("incremental export" in note for note in identity.notes)
    with pytest.raises(Unsupported, match="admin"):
        desk.changed_tickets(None, 10)
    desk.close()


def test_an_admin_has_nothing_to_be_told(desk: Zendesk) -> None:
    assert desk.check().notes == ()


def test_an_address_without_a_help_desk_stops_the_account(canned: Canned) -> None:
    body = {"error": {"title": "No help desk at acme.zendesk.com", "message": "There is no help desk here."}}
    canned.says(404, json.dumps(body).encode())
    desk = zendesk(canned.url)
    with pytest.raises(AuthFailed, match="base_url"):
        desk.check()
    with pytest.raises(AuthFailed):
        desk.read_replies(TicketId("1"))
    desk.close()


def test_an_oauth_token_is_sent_as_bearer(canned: Canned) -> None:
    canned.says(200, b'{"user":{"id":7,"name":"Bot","role":"admin"}}')
    made = ZendeskOptions(type="zendesk", base_url=canned.url, oauth_token=SecretStr("an-oauth-token"))
    desk = Zendesk("desk", made, Http("desk"))
    assert desk.check().id == "7"
    assert canned.calls[0][3]["authorization"] == "Bearer an-oauth-token"
    desk.close()


def test_vocabulary_lists_what_a_mapping_may_name(desk: Zendesk) -> None:
    words = desk.vocabulary()
    assert words.groups
    assert words.brands
    assert any(spec.type == "priority" for spec in words.fields)


def test_a_status_of_the_accounts_own_is_set_by_its_label_and_told_by_its_category(
    stage: Stage, desk: Zendesk
) -> None:
    waiting = stage.sandbox.add_status("pending", "Waiting for the courier")
    stage.sandbox.add_status("pending", "No longer used", active=False)
    words = desk.vocabulary()
    assert {"hold", "Waiting for the courier"} <= set(words.statuses)
    assert "No longer used" not in words.statuses
    for number, name in enumerate(("waiting FOR the courier", str(waiting))):
        ticket = opened(desk, f"k{number}", external_id=f"x{number}", settings=Settings(status=name))
        row = stage.sandbox.ticket(int(ticket))
        assert (row["status"], row["custom_status_id"]) == ("pending", waiting)
    assert desk.read_tickets((ticket,))[0].status == "pending"
    desk.send(desk.prepare(CommentDraft(ticket, "", settings=Settings(status="Solved"))), key_of("s"))
    assert stage.sandbox.ticket(int(ticket))["status"] == "solved"
    with pytest.raises(Rejected, match=r'cannot be "Waiting"; there are: new, .*"Waiting for the courier"'):
        desk.prepare(CommentDraft(ticket, "", settings=Settings(status="Waiting")))


# --- tickets ---------------------------------------------------------------------------------------------------


def test_the_requester_is_an_end_user_with_an_external_id_and_no_address(stage: Stage, desk: Zendesk) -> None:
    ticket = stage.sandbox.ticket(int(opened(desk)))
    anna = user(stage, ANNA.external_id)
    assert (anna["role"], anna["email"], anna["name"]) == ("end-user", None, ANNA.name)
    assert ticket["requester_id"] == ticket["submitter_id"] == anna["id"]
    (comment,) = stage.sandbox.comments(ticket["id"])
    assert (comment["author_id"], comment["public"]) == (anna["id"], True)


def test_a_known_requester_costs_no_call(stage: Stage, desk: Zendesk) -> None:
    opened(desk)
    before = sum(stage.sandbox.requests().values())
    opened(desk, "b", external_id="other")
    assert sum(stage.sandbox.requests().values()) == before + 1


def test_a_requester_that_zendesk_knows_is_looked_up(stage: Stage, desk: Zendesk) -> None:
    opened(desk)
    other = zendesk(stage.url)
    second = opened(other, "b", external_id="other")
    assert stage.sandbox.ticket(int(second))["requester_id"] == user(stage, ANNA.external_id)["id"]
    other.close()


def test_a_requester_that_zendesk_does_not_take_is_made_anew(canned: Canned) -> None:
    desk = zendesk(canned.url)
    canned.says(201, b'{"user":{"id":7}}')
    request = desk.prepare(draft())
    canned.says(422, b'{"error":"RecordInvalid","details":{"requester":[{"description":"Requester: is deleted"}]}}')
    with pytest.raises(Rejected, match="is deleted"):
        desk.send(request, key_of("a"))
    canned.says(201, b'{"user":{"id":8}}')
    assert '"requester_id":8' in desk.prepare(draft()).body
    desk.close()


def test_a_requester_without_a_name_gets_one(stage: Stage, desk: Zendesk) -> None:
    opened(desk, author=Person("vk:77", "  "))
    assert user(stage, "vk:77")["name"] == "77"


def test_a_collision_of_two_requesters_is_tried_again(stage: Stage, desk: Zendesk) -> None:
    stage.sandbox.faults.requester_collision = 1.0
    try:
        desk.prepare(draft())
    except Temporary:
        stage.sandbox.faults.requester_collision = 0.0
        desk.prepare(draft())
    assert user(stage, ANNA.external_id)


def test_settings_are_given_by_name_in_any_case(stage: Stage, desk: Zendesk) -> None:
    group = desk.vocabulary().groups[0]
    brand = desk.vocabulary().brands[0]
    settings = Settings(
        priority="urgent",
        type="problem",
        status="open",
        group=group.upper(),
        brand=brand,
        tags=("A b", "c"),
        untag=("c",),
    )
    ticket = stage.sandbox.ticket(int(opened(desk, settings=settings)))
    assert (ticket["priority"], ticket["type"], ticket["status"]) == ("urgent", "problem", "open")
    assert ticket["tags"] == ["a_b"]
    assert ticket["group_id"]
    assert ticket["brand_id"]


def test_an_incident_is_linked_to_its_problem(stage: Stage, desk: Zendesk) -> None:
    problem = opened(desk, settings=Settings(type="problem"))
    linked = opened(desk, "two", external_id="feed:2", settings=Settings(type="incident", problem=problem))

    assert stage.sandbox.ticket(int(linked))["problem_id"] == int(problem)


def test_an_unknown_name_is_rejected_with_what_there_is(desk: Zendesk) -> None:
    groups = desk.vocabulary().groups
    with pytest.raises(Rejected, match="no group") as told:
        desk.prepare(draft(settings=Settings(group="Nobody")))
    assert groups[0] in str(told.value)
    with pytest.raises(Rejected, match="no ticket field"):
        desk.prepare(draft(settings=Settings(fields={"Colour": "red"})))
    with pytest.raises(Rejected, match="solved"):
        desk.prepare(draft(settings=Settings(status="done")))


def test_custom_fields_take_option_names_and_values(stage: Stage, desk: Zendesk) -> None:
    choices = [one for one in stage.sandbox.fields().values() if one["type"] == "tagger"]
    if not choices:
        pytest.skip("the sandbox has no drop-down field")
    field = choices[0]
    option = field["custom_field_options"][0]
    by_name = stage.sandbox.ticket(int(opened(desk, settings=Settings(fields={field["title"]: option["name"]}))))
    by_id = stage.sandbox.ticket(
        int(opened(desk, "b", settings=Settings(fields={str(field["id"]): option["value"]}), external_id="x"))
    )
    for ticket in (by_name, by_id):
        assert {"id": field["id"], "value": option["value"]} in ticket["custom_fields"]
    with pytest.raises(Rejected, match="no option"):
        desk.prepare(draft(settings=Settings(fields={field["title"]: "nothing of the sort"})))


def test_every_try_sends_the_same_bytes(canned: Canned) -> None:
    canned.says(500)
    desk = zendesk(canned.url)
    request = Request("ticket", '{"ticket":{"external_id":"x","comment":{"html_body":"ё"}}}', True)
    for _ in range(2):
        with pytest.raises(Uncertain):
            desk.send(request, key_of("k"))
    (first, second) = [(body, headers["idempotency-key"]) for _, _, body, headers in canned.calls]
    assert first == second
    assert json.loads(first[0])["ticket"]["metadata"] == {"connector_key": key_of("k")}
    desk.close()


def test_a_key_with_another_body_finds_what_it_made(stage: Stage, desk: Zendesk) -> None:
    request = desk.prepare(draft())
    receipt = desk.send(request, key_of("k"))
    other = desk.prepare(draft(html="<p>changed meanwhile</p>"))
    assert desk.send(other, key_of("k")) == receipt
    elsewhere = desk.prepare(draft(external_id="elsewhere"))
    with pytest.raises(Rejected):
        desk.send(elsewhere, key_of("k"))
    assert len(stage.tickets()) == 1 + len([t for t in stage.tickets() if t != receipt.ticket])


def test_a_follow_up_is_not_mistaken_for_the_ticket_it_follows(stage: Stage, desk: Zendesk) -> None:
    first = opened(desk)
    stage.close(first)
    request = desk.prepare(draft(follow_up_of=first))
    assert desk.find(request, key_of("b")) == ()
    receipt = desk.send(request, key_of("b"))
    assert desk.find(request, key_of("b")) == (receipt,)
    assert [one.ticket for one in desk.find_tickets("sky:at://1")] == [first, receipt.ticket]
    shown = stage.sandbox.ticket(int(receipt.ticket or 0))
    assert str(shown["via"]["source"]["from"]["ticket_id"]) == first
    (comment,) = stage.sandbox.comments(shown["id"])
    assert comment["author_id"] == user(stage, ANNA.external_id)["id"]


def test_what_a_person_wrote_is_never_expanded(stage: Stage, desk: Zendesk) -> None:
    nasty = "<p>{{ticket.id}} {%if x%} {{{y}}} &#123;&#123;ticket.id}}</p>"
    ticket = opened(desk, html=nasty, subject="{{ticket.id}}")
    desk.send(desk.prepare(CommentDraft(ticket, nasty, public=True, author=BORIS)), key_of("c"))
    desk.send(desk.prepare(CommentDraft(ticket, nasty)), key_of("n"))
    for comment in stage.sandbox.comments(int(ticket)):
        plain = comment["html_body"].replace("\u2060", "")
        assert "{{ticket.id}}" in plain
        assert f"{ticket} " not in plain


def test_a_comment_too_long_is_cut_visibly_with_its_link_kept(stage: Stage, desk: Zendesk) -> None:
    link = '<a href="https://social.example/p/1">open</a>'
    ticket = opened(desk, html=f"<blockquote><p>{'слово &amp; дело ' * 8_000}</p></blockquote><p>{link}</p>")
    (comment,) = stage.sandbox.comments(int(ticket))
    assert "cut here" in comment["html_body"]
    assert "social.example/p/1" in comment["html_body"]
    assert len(comment["html_body"].encode()) <= 65_536


def test_attachments_are_uploaded_and_what_fails_is_linked(stage: Stage, desk: Zendesk, canned: Canned) -> None:
    canned.says(200, b"\x89PNG....", Content_Type="image/png")
    good = Attachment(f"{canned.url}/cat", type="image/png", name="cat")
    lost = Attachment("http://127.0.0.1:1/lost.png", name="lost.png")
    large = Attachment(f"{canned.url}/large.png", name="large.png", size=10**9)
    ticket = opened(desk, attachments=(good, lost, large))
    (comment,) = stage.sandbox.comments(int(ticket))
    assert [one["file_name"] for one in comment["attachments"]] == ["cat.png"]
    assert "http://127.0.0.1:1/lost.png" in comment["html_body"]
    assert "large.png" in comment["html_body"]
    (reply,) = desk.read_replies(ticket)
    assert [(one.name, one.type, one.size) for one in reply.attachments] == [("cat.png", "image/png", 8)]
    assert "authorization" not in canned.calls[0][3]


def test_a_field_that_zendesk_refuses_is_named(canned: Canned) -> None:
    details = {"base": [{"description": "Тема: не может быть пустым", "error": "BlankValue", "ticket_field_id": 42}]}
    canned.says(200, b'{"ticket_fields":[{"id":42,"title":"Topic","type":"text","active":true}]}')
    desk = zendesk(canned.url)
    body = desk.prepare(CommentDraft(TicketId("1"), "<p>x</p>", settings=Settings(fields={"topic": "parcel"})))
    assert '"custom_fields":[{"id":42,"value":"parcel"}]' in body.body
    canned.says(422, json.dumps({"error": "RecordInvalid", "description": "…", "details": details}).encode())
    with pytest.raises(Rejected, match=r'"Topic".*не может быть пустым'):
        desk.send(Request("ticket", '{"ticket":{"requester_id":1}}', True), key_of("k"))
    desk.close()


# --- comments --------------------------------------------------------------------------------------------------


def test_tags_are_added_and_removed_without_losing_the_others(stage: Stage, desk: Zendesk) -> None:
    ticket = opened(desk, settings=Settings(tags=("kept", "dropped")))
    change = CommentDraft(ticket, "<p>x</p>", settings=Settings(tags=("new",), untag=("dropped",), status="pending"))
    desk.send(desk.prepare(change), key_of("c"))
    shown = stage.sandbox.ticket(int(ticket))
    assert sorted(shown["tags"]) == ["kept", "new"]
    assert shown["status"] == "pending"


def test_tags_alone_need_no_comment(stage: Stage, desk: Zendesk) -> None:
    ticket = opened(desk)
    request = desk.prepare(CommentDraft(ticket, "", settings=Settings(tags=("new",))))
    assert request.repeatable
    assert desk.send(request, key_of("c")).ticket == ticket
    assert stage.sandbox.ticket(int(ticket))["tags"] == ["new"]
    assert len(stage.sandbox.comments(int(ticket))) == 1
    assert desk.find(request, key_of("c")) == ()


def test_a_closed_ticket_is_known_whatever_language_says_so(stage: Stage, desk: Zendesk) -> None:
    ticket = opened(desk)
    stage.close(ticket)
    stage.sandbox.faults.localized_errors = True
    for change in (
        CommentDraft(ticket, "<p>x</p>"),
        CommentDraft(ticket, "", settings=Settings(tags=("x",))),
        CommentDraft(ticket, "", settings=Settings(status="open")),
    ):
        with pytest.raises(Closed):
            desk.send(desk.prepare(change), key_of("c"))


def test_refusals_in_plain_text_are_understood(stage: Stage, desk: Zendesk) -> None:
    ticket = opened(desk)
    stage.close(ticket)
    stage.sandbox.faults.text_plain_errors = 1.0
    with pytest.raises(Closed):
        desk.send(desk.prepare(CommentDraft(ticket, "<p>x</p>")), key_of("c"))
    with pytest.raises(Gone):
        desk.read_replies(TicketId("424242"))


def test_an_update_conflict_is_temporary(canned: Canned) -> None:
    canned.says(409, b'{"error":"UpdateConflict","description":"Safe Update prevented the update"}')
    desk = zendesk(canned.url)
    with pytest.raises(Temporary):
        desk.send(desk.prepare(CommentDraft(TicketId("1"), "<p>x</p>")), key_of("c"))
    canned.says(409, b"Requester creation collision - please try again", Content_Type="text/plain")
    with pytest.raises(Temporary, match="collision"):
        desk.send(Request("ticket", '{"ticket":{}}', True), key_of("c"))
    desk.close()


def test_comments_without_their_metadata_are_found_in_the_audits(canned: Canned) -> None:
    """Recorded comments carry `metadata.custom`; this is for those that do not."""
    comments = {
        "comments": [{"id": 11, "created_at": "2099-01-01T00:00:00Z", "metadata": {"system": {}}}],
        "meta": {"has_more": False},
    }
    audits = {
        "audits": [
            {"id": 1, "metadata": {"custom": {"connector_key": "k"}}, "events": [{"type": "Comment", "id": 11}]}
        ]
    }
    canned.paths["/api/v2/tickets/5/comments"] = json.dumps(comments).encode()
    canned.paths["/api/v2/tickets/5/audits"] = json.dumps(audits).encode()
    desk = zendesk(canned.url)
    request = desk.prepare(CommentDraft(TicketId("5"), "<p>x</p>"))
    assert [found.id for found in desk.find(request, Key("k"))] == ["11"]
    assert desk.find(request, Key("other")) == ()
    desk.close()


def test_looking_stops_at_the_age_of_the_request(canned: Canned) -> None:
    comments = {
        "comments": [
            {"id": year, "created_at": f"{year}-01-01T00:00:00Z", "metadata": {"custom": {}}} for year in (2099, 2010)
        ],
        "meta": {"has_more": True, "after_cursor": "more"},
    }
    canned.says(200, json.dumps(comments).encode())
    desk = zendesk(canned.url)
    request = desk.prepare(CommentDraft(TicketId("5"), "<p>x</p>"))
    assert desk.find(request, Key("k")) == ()
    assert len(canned.calls) == 1
    desk.close()


# --- replies ---------------------------------------------------------------------------------------------------


def test_a_long_conversation_is_read_over_all_its_pages(stage: Stage, desk: Zendesk) -> None:
    ticket = opened(desk)
    for number in range(105):
        stage.answer_as_agent(ticket, f"<p>{number}</p>", public=True)
    replies = desk.read_replies(ticket)
    assert len(replies) == 106
    assert len({reply.id for reply in replies}) == 106
    assert desk.read_reply(ticket, replies[0].id) == replies[0]


def test_a_reply_made_private_is_read_as_private(stage: Stage, desk: Zendesk) -> None:
    ticket = opened(desk)
    answer = stage.answer_as_agent(ticket, "<p>oops</p>", public=True)
    stage.sandbox.make_private(int(ticket), int(answer))
    reply = desk.read_reply(ticket, answer)
    assert reply is not None
    assert not reply.public


def test_a_reply_that_was_blacked_out_says_so(stage: Stage, desk: Zendesk) -> None:
    ticket = opened(desk)
    answer = stage.answer_as_agent(ticket, "<p>the code is swordfish, bye</p>", public=True)
    before = desk.read_reply(ticket, answer)
    stage.sandbox.redact(int(ticket), int(answer), "swordfish")
    after = desk.read_reply(ticket, answer)
    assert before is not None
    assert after is not None
    assert (before.redacted, after.redacted) == (False, True)
    assert "swordfish" not in after.html


def test_changed_tickets_come_once_the_export_shows_them(stage: Stage, desk: Zendesk) -> None:
    stage.sandbox.faults.incremental_lag_s = 0.0
    start = desk.changed_tickets(None, 100)
    first, second = opened(desk), opened(desk, "b", external_id="y")
    gone = opened(desk, "c", external_id="z")
    stage.delete(gone)
    page = desk.changed_tickets(start.cursor, 100)
    assert set(page.items) >= {first, second}
    assert gone not in page.items
    assert desk.changed_tickets(start.cursor, 100).items == page.items


def test_the_export_is_asked_no_more_than_allowed(stage: Stage) -> None:
    desk = zendesk(stage.url, exports_per_minute=2)
    cursor = desk.changed_tickets(None, 10).cursor
    desk.changed_tickets(cursor, 10)
    asked = dict(stage.sandbox.requests())
    for _ in range(2):
        with pytest.raises(RateLimited) as told:
            desk.changed_tickets(cursor, 10)
        assert told.value.scope == "endpoint"
        assert 0 < told.value.wait <= 60
    assert stage.sandbox.requests() == asked
    desk.check()
    desk.close()


def test_the_ticket_that_another_was_merged_into_is_found(stage: Stage, desk: Zendesk) -> None:
    first, second = opened(desk), opened(desk, "b", external_id="y")
    assert desk.survivor(second) is None
    stage.sandbox.merge(int(first), int(second))
    with pytest.raises(Closed):
        desk.send(desk.prepare(CommentDraft(second, "<p>x</p>")), key_of("c"))
    merge = desk.survivor(second)
    assert merge is not None
    assert merge.into == first
    assert abs(merge.at.timestamp() - time.time()) < 60


def test_how_tickets_stand_is_told_with_tags_and_who_works_on_them(stage: Stage, desk: Zendesk) -> None:
    first, second, third = (opened(desk, word, external_id=word) for word in ("a", "b", "c"))
    solved = CommentDraft(second, "", settings=Settings(tags=("mute_author",), status="solved"))
    desk.send(desk.prepare(solved), key_of("s"))
    stage.delete(third)
    found = {state.ticket: state for state in desk.read_tickets((first, second, third, TicketId("999")))}
    assert set(found) == {first, second}
    assert (found[first].status, found[second].status) == ("new", "solved")
    assert "mute_author" in found[second].tags


def test_the_tone_field_is_read_back_and_one_that_is_not_there_keeps_nobody(stage: Stage, desk: Zendesk) -> None:
    (field,) = [one for one in stage.sandbox.fields().values() if one["title"] == "Tone"]
    option = field["custom_field_options"][0]
    ticket = opened(desk, settings=Settings(fields={"Tone": option["name"]}))
    assert [one.tone for one in desk.read_tickets((ticket,))] == [""]
    desk.options = desk.options.model_copy(update={"tone_field": "Tone"})
    assert [one.tone for one in desk.read_tickets((ticket,))] == [option["value"]]
    desk.options = desk.options.model_copy(update={"tone_field": "Mood"})
    assert [(one.status, one.tone) for one in desk.read_tickets((ticket,))] == [("new", "")]


@pytest.mark.parametrize(
    ("rating", "told"),
    [(None, ""), ({"score": "unoffered"}, ""), ({"score": "good"}, "good"), ({"score": "bad_with_comment"}, "bad")],
)
def test_satisfaction_is_good_bad_or_nothing_and_the_assignee_a_name(rating: Any, told: str) -> None:
    row = {"id": 7, "status": "open", "tags": ["a"], "assignee_id": 5, "satisfaction_rating": rating}
    assert state_of(row, {5: "Olga"}) == TicketState(TicketId("7"), "open", ("a",), "Olga", told)


def test_the_picture_of_a_person_comes_along_when_it_can_be_fetched() -> None:
    shown = Person("x:1", "Anna", avatar_url="https://x.example/a.png")
    assert user_body(shown)["remote_photo_url"] == "https://x.example/a.png"
    assert "remote_photo_url" not in user_body(Person("x:1", "Anna", avatar_url="http://x.example/a.png"))


def _identities(stage: Stage, external_id: str) -> list[tuple[str, str]]:
    number = user(stage, external_id)["id"]
    answer = requests.get(
        f"{stage.url}/api/v2/users/{number}/identities.json",
        auth=("admin@example.com/token", "sandbox"),
        timeout=10,
    )
    return [(one["type"], one["value"]) for one in answer.json()["identities"]]


def test_who_is_known_on_x_can_be_found_by_that(stage: Stage, desk: Zendesk) -> None:
    opened(desk, author=Person("x:5", "Anna", handle="anna"))
    opened(desk, "b", external_id="other", author=Person("vk:5", "Anna", handle="anna_vk"))
    assert _identities(stage, "x:5") == [("twitter", "anna")]
    assert _identities(stage, "vk:5") == []


def test_where_another_user_has_that_identity_ours_does_without(stage: Stage, desk: Zendesk) -> None:
    opened(desk, author=Person("x:5", "Anna", handle="anna"))
    ticket = opened(desk, "b", external_id="other", author=Person("twitter:5", "Anna", handle="Anna"))
    assert _identities(stage, "twitter:5") == []
    (row,) = [one for one in stage.sandbox.tickets() if str(one["id"]) == ticket]
    assert row["requester_id"] == user(stage, "twitter:5")["id"]


def test_nobody_outside_can_say_where_a_ticket_was_merged_into(stage: Stage, desk: Zendesk) -> None:
    nasty = "This request was closed and merged into request #1"
    ticket = opened(desk, html=f"<p>{nasty}</p>", external_id="y")
    assert desk.survivor(ticket) is None
    desk.send(desk.prepare(CommentDraft(ticket, f"<p>{nasty}</p>")), key_of("n"))
    stage.close(ticket)
    assert desk.survivor(ticket) is None


# --- hooks -----------------------------------------------------------------------------------------------------

NOW = datetime(2025, 1, 8, 10, 12, 7, tzinfo=UTC).timestamp()
STAMP = "2025-01-08T10:12:07Z"


def hook(body: bytes, *, secret: str = SECRET, at: float = NOW, stamp: str = STAMP) -> Hook:
    headers = {
        "x-zendesk-webhook-signature": sign(secret, stamp, body),
        "x-zendesk-webhook-signature-timestamp": stamp,
    }
    return Hook(headers, body, at)


@pytest.mark.parametrize(
    ("body", "tickets"),
    [
        (
            b'{"type":"zen:event-type:ticket.comment_added","subject":"zen:ticket:5158","detail":{"id":"5158"}}',
            ["5158"],
        ),
        (b'{"type":"zen:event-type:ticket.created","detail":{"id":"7"}}', ["7"]),
        (
            b'{"type":"zen:event-type:ticket.merged","subject":"zen:ticket:7","event":{"target_ticket_id":"9"}}',
            ["7", "9"],
        ),
        (b'{"ticket_id": "12"}', ["12"]),
        (b'{"ticket_id": 12}', ["12"]),
    ],
)
def test_a_hook_names_its_ticket(desk: Zendesk, body: bytes, tickets: list[str]) -> None:
    assert list(desk.read_hook(hook(body))) == tickets


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"no json",
        b"[1]",
        b"{}",
        b'"7"',
        b"[" * 100_000,
        b'{"ticket_id": true}',
        b'{"ticket_id": "../7"}',
        b'{"ticket_id": "1234567890123456789012345"}',
        b'{"type":"zen:event-type:user.created","subject":"zen:user:7","detail":{"id":"7"}}',
        b'{"type":"zen:event-type:ticket.created","detail":[]}',
        b"\xff\xfe",
    ],
)
def test_a_hook_that_names_no_ticket_is_refused(desk: Zendesk, body: bytes) -> None:
    with pytest.raises(BadHook) as told:
        desk.read_hook(hook(body))
    assert told.value.status == 400


@pytest.mark.parametrize("away", [-301.0, 301.0, 86_400.0])
def test_a_hook_from_another_time_is_refused(desk: Zendesk, away: float) -> None:
    with pytest.raises(BadHook) as told:
        desk.read_hook(hook(b'{"ticket_id":1}', at=NOW + away))
    assert told.value.status == 401


def test_a_hook_that_is_not_signed_is_refused(stage: Stage, desk: Zendesk) -> None:
    good = hook(b'{"ticket_id":1}')
    bad = (
        Hook({}, good.body, NOW),
        Hook(good.headers, b'{"ticket_id":2}', NOW),
        hook(b'{"ticket_id":1}', secret="guessed"),
        hook(b'{"ticket_id":1}', stamp="yesterday"),
        Hook({**good.headers, "x-zendesk-webhook-signature": "ключ"}, good.body, NOW),
    )
    for one in bad:
        with pytest.raises(BadHook) as told:
            desk.read_hook(one)
        assert told.value.status == 401
    without = zendesk(stage.url, webhook_secret=None)
    with pytest.raises(BadHook, match="webhook_secret") as told:
        without.read_hook(good)
    assert told.value.status == 403
    without.close()


def test_the_sandbox_signs_as_we_check() -> None:
    received: list[Hook] = []
    with Canned() as listener:
        made = Stage(webhook_url=f"{listener.url}/hooks/desk", webhook_secret=SECRET)
        ticket = opened(made.helpdesk)
        made.answer_as_agent(ticket, "<p>hello</p>", public=True)
        deadline = time.monotonic() + 10
        while not listener.calls and time.monotonic() < deadline:
            made.sandbox.deliveries()
        received += [Hook(headers, body, time.time()) for _, _, body, headers in listener.calls]
        made.sandbox.stop()
        named = {one for each in received for one in made.helpdesk.read_hook(each)}
        made.helpdesk.close()
    assert named == {ticket}


# --- limits ----------------------------------------------------------------------------------------------------


def test_a_busy_ticket_does_not_stop_the_others() -> None:
    sandbox = ZendeskSandbox(rate_limit=700)
    desk = zendesk(sandbox.start())
    busy, other = opened(desk), opened(desk, "b", external_id="y")
    with pytest.raises(RateLimited) as told:
        for number in range(40):
            desk.send(desk.prepare(CommentDraft(busy, f"<p>{number}</p>")), key_of(str(number)))
    assert told.value.scope == "lane"
    assert told.value.wait > 1
    assert desk.send(desk.prepare(CommentDraft(other, "<p>x</p>")), key_of("x")).ticket == other
    desk.close()
    sandbox.stop()


def test_an_account_at_its_limit_costs_no_more_calls() -> None:
    sandbox = ZendeskSandbox(rate_limit=6)
    desk = zendesk(sandbox.start())
    with pytest.raises(RateLimited) as told:
        for _ in range(20):
            desk.check()
    assert told.value.scope == "account"
    before = sum(sandbox.requests().values())
    with pytest.raises(RateLimited):
        desk.read_replies(TicketId("1"))
    assert sum(sandbox.requests().values()) == before
    desk.close()
    sandbox.stop()
