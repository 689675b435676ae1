"""The Freshdesk adapter call by call: what exactly is sent, how often, and what each odd answer leads to."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from loopback import Asked, Loopback, Told
from pydantic import SecretStr

from connector.adapter import Hook
from connector.errors import AuthFailed, BadHook, Closed, ConnectorError, Gone, RateLimited, Rejected, Temporary
from connector.helpdesks.freshdesk import Freshdesk, FreshdeskOptions, drafts
from connector.http import Http
from connector.model import Attachment, CommentDraft, Person, Settings, TicketDraft, TicketId, key_of

ANNA = Person("mastodon:1001", "Anna", "https://social.example/@anna")
SECRET = "rule-secret"
NOW = "2026-01-01T09:00:00Z"
Answer = Callable[[dict[str, list[str]], Any], tuple[int, Any]]


class Desk:
    """A server that answers each call as a test says, by method and path; what it is not told is 404, one space."""

    def __init__(self) -> None:
        self.answers: dict[str, Answer | tuple[int, Any]] = {}
        self.calls: list[tuple[str, dict[str, list[str]], Any]] = []
        self.headers: dict[str, str] = {}
        self.server = Loopback(self._answer)

    def on(self, call: str, status: int, body: Any = None) -> None:
        self.answers[call] = (status, body)

    def sent(self, call: str) -> list[Any]:
        return [body for made, _, body in self.calls if made == call]

    def asked(self, call: str) -> list[dict[str, list[str]]]:
        return [params for made, params, _ in self.calls if made == call]

    def _answer(self, asked: Asked) -> Told | None:
        method, path, headers, body = asked
        parts = urlsplit(path)
        call = f"{method} {parts.path.removeprefix('/api/v2')}"
        params = parse_qs(parts.query)
        is_json = headers.get("content-type") == "application/json"
        told = json.loads(body) if is_json else body
        self.calls.append((call, params, told))
        known = self.answers.get(call, (404, b" "))
        status, content = known(params, told) if callable(known) else known
        if status == 0:
            return None
        raw = content if isinstance(content, bytes) else json.dumps(content).encode()
        return status, {"Content-Type": "application/json", **self.headers}, raw


def ticket(number: int = 7, **more: Any) -> dict[str, Any]:
    whole = {"id": number, "status": 2, "priority": 1, "tags": [], "custom_fields": {}, "deleted": False}
    return {**whole, "created_at": NOW, "updated_at": NOW, "description": "<div>hi</div>", "requester_id": 5, **more}


def said(number: int, body: str, **more: Any) -> dict[str, Any]:
    whole = {"id": number, "body": body, "incoming": False, "private": False, "user_id": 1, "source": 0}
    return {**whole, "created_at": NOW, "updated_at": NOW, "attachments": [], **more}


@pytest.fixture
def there() -> Iterator[Desk]:
    desk = Desk()
    desk.on("POST /contacts", 201, {"id": 5, "name": "Anna"})
    desk.on("POST /tickets", 201, ticket())
    desk.on("GET /tickets/7", 200, ticket())
    desk.on("PUT /tickets/7", 200, ticket())
    desk.on("POST /tickets/7/notes", 201, {"id": 70})
    desk.on("GET /tickets/7/conversations", 200, [])
    desk.on("GET /agents/1", 200, {"id": 1, "contact": {"name": "Oleg"}})
    with desk.server:
        yield desk


def adapter(there: Desk, **options: Any) -> Freshdesk:
    options.setdefault("webhook_secret", SecretStr(SECRET))
    made = FreshdeskOptions(type="freshdesk", base_url=there.server.url, api_key=SecretStr("key"), **options)
    return Freshdesk("desk", made, Http("desk", timeout=(2, 5), allow_private=True))


@pytest.fixture
def desk(there: Desk) -> Iterator[Freshdesk]:
    made = adapter(there)
    yield made
    made.close()


def draft(**more: Any) -> TicketDraft:
    return TicketDraft("feed:1", more.pop("subject", "Where is it?"), ANNA, more.pop("html", "<p>Where?</p>"), **more)


def opened(desk: Freshdesk, **more: Any) -> Any:
    return desk.send(desk.prepare(draft(**more)), key_of("k"))


# --- people ----------------------------------------------------------------------------------------------------


def test_a_contact_has_an_external_id_a_name_and_no_invented_address(there: Desk, desk: Freshdesk) -> None:
    opened(desk)
    opened(desk)
    assert there.sent("POST /contacts") == [
        {"name": "Anna", "unique_external_id": "mastodon:1001", "description": "https://social.example/@anna"}
    ]
    assert {body["requester_id"] for body in there.sent("POST /tickets")} == {5}


def taken(**more: Any) -> dict[str, Any]:
    error = {"field": "unique_external_id", "message": "It should be a unique value", "code": "duplicate_value"}
    return {"description": "Validation failed", "errors": [{**error, **more}]}


def test_a_contact_that_exists_is_found_by_its_id_in_the_refusal(there: Desk, desk: Freshdesk) -> None:
    there.on("POST /contacts", 409, taken(additional_info={"user_id": 9}))
    opened(desk)
    assert there.sent("POST /tickets")[0]["requester_id"] == 9
    assert there.asked("GET /contacts") == []


def test_a_contact_that_exists_is_looked_up_when_the_refusal_does_not_say(there: Desk, desk: Freshdesk) -> None:
    there.on("POST /contacts", 409, taken())
    there.on("GET /contacts", 200, [{"id": 8, "unique_external_id": "MASTODON:1001", "name": "Anna P."}])
    opened(desk)
    assert there.sent("POST /tickets")[0]["requester_id"] == 8
    assert there.asked("GET /contacts")[0]["unique_external_id"] == ["mastodon:1001"]


def test_a_list_that_pays_no_heed_to_the_filter_makes_nobody_the_requester(there: Desk, desk: Freshdesk) -> None:
    there.on("POST /contacts", 409, taken())
    there.on("GET /contacts", 200, [{"id": 8, "unique_external_id": None, "name": "Somebody else"}])
    with pytest.raises(Temporary, match="does not find it yet"):
        desk.prepare(draft())


def test_a_deleted_contact_is_told_with_the_way_out(there: Desk, desk: Freshdesk) -> None:
    there.on("POST /contacts", 409, taken())
    gone = [{"id": 8, "unique_external_id": "mastodon:1001"}]
    there.answers["GET /contacts"] = lambda params, _: (200, gone if params.get("state") == ["deleted"] else [])
    with pytest.raises(Rejected, match="restore it"):
        desk.prepare(draft())


def test_a_requester_that_was_refused_is_made_again(there: Desk, desk: Freshdesk) -> None:
    error = {"field": "requester_id", "message": "There is no contact matching the given id", "code": "invalid_value"}
    there.on("POST /tickets", 400, {"description": "Validation failed", "errors": [error]})
    with pytest.raises(Rejected, match="requester_id"):
        opened(desk)
    there.on("POST /tickets", 201, ticket())
    opened(desk)
    assert len(there.sent("POST /contacts")) == 2


# --- tickets ---------------------------------------------------------------------------------------------------


def test_a_ticket_is_sent_as_freshdesk_wants_it(there: Desk) -> None:
    fields = [
        {"id": 1, "label": "Topic", "name": "cf_topic", "type": "custom_dropdown", "choices": ["Parcel"]},
        {"id": 2, "label": "VIP", "name": "cf_vip", "type": "custom_checkbox"},
        {"id": 3, "label": "Followers", "name": "cf_followers", "type": "custom_number"},
        {"id": 4, "label": "Type", "name": "ticket_type", "type": "default_ticket_type", "choices": ["Problem"]},
        {"id": 5, "label": "Group", "name": "group", "type": "default_group", "choices": {"Support": 11}},
        {"id": 6, "label": "Product", "name": "product", "type": "default_product", "choices": {"Acme": 21, "B": 22}},
    ]
    there.on("GET /ticket_fields", 200, fields)
    desk = adapter(there, source=7, email_config=3, product="Acme")
    settings = Settings(
        "urgent",
        "problem",
        "pending",
        "support",
        form="Complaint",
        tags=("Angry", "b"),
        untag=("B",),
        fields={"topic": "parcel"},
    )
    opened(desk, settings=settings, subject="{{ticket.id}} " + "word " * 100)
    (sent,) = there.sent("POST /tickets")
    subject, description = sent.pop("subject"), sent.pop("description")
    assert sent == {
        "requester_id": 5,
        "priority": 4,
        "type": "Problem",
        "status": 3,
        "group_id": 11,
        "product_id": 21,
        "source": 7,
        "email_config_id": 3,
        "tags": ["Angry", drafts.reference_of("feed:1")],
        "custom_fields": {"cf_topic": "Parcel"},
    }
    assert len(subject) <= 250
    assert "{{" not in subject
    assert description.startswith("<p>Where?</p>")
    assert drafts.mark_of(key_of("k")) in description
    opened(desk, settings=Settings(brand="b", fields={"VIP": "yes", "Followers": "12"}))
    second = there.sent("POST /tickets")[1]
    assert (second["product_id"], second["custom_fields"]) == (22, {"cf_vip": True, "cf_followers": 12})
    desk.close()


def test_our_id_can_stand_in_a_field(there: Desk) -> None:
    there.on("GET /ticket_fields", 200, [{"id": 1, "label": "Ref", "name": "cf_ref", "type": "custom_text"}])
    desk = adapter(there, key_in="field", key_field="Ref")
    request = desk.prepare(draft())
    desk.send(request, key_of("k"))
    (sent,) = there.sent("POST /tickets")
    assert (sent["custom_fields"], "tags" in sent) == ({"cf_ref": "feed:1"}, False)
    there.on("GET /tickets", 200, [ticket(custom_fields={"cf_ref": "feed:1"})])
    assert [one.ticket for one in desk.find(request, key_of("k"))] == ["7"]
    there.on("GET /search/tickets", 200, {"results": [{"id": 7}], "total": 1})
    there.on("GET /tickets/7", 200, ticket(custom_fields={"cf_ref": "feed:1"}))
    assert [one.ticket for one in desk.find_tickets("feed:1")] == ["7"]
    assert there.asked("GET /search/tickets")[0]["query"] == ["\"cf_ref:'feed:1'\""]
    desk.close()


def test_an_unclear_creation_is_looked_for_in_the_contacts_tickets_and_never_by_search(
    there: Desk, desk: Freshdesk
) -> None:
    request = desk.prepare(draft())
    tags = [drafts.reference_of("feed:1")]

    def marked(number: int, key: str) -> dict[str, Any]:
        return ticket(number, tags=tags, description=drafts.body_of("<p>x</p>", (), key_of(key)))

    there.on("GET /tickets", 200, [ticket(1), ticket(2, tags=tags), ticket(3, tags=tags), ticket(4, tags=tags)])
    there.on("GET /tickets/2", 200, marked(2, "another"))
    there.on("GET /tickets/3", 200, marked(3, "k"))
    there.on("GET /tickets/4", 200, {**marked(4, "k"), "deleted": True})
    assert [(one.id, one.ticket) for one in desk.find(request, key_of("k"))] == [("description:3", "3")]
    (asked,) = there.asked("GET /tickets")
    assert asked["requester_id"] == ["5"]
    assert "updated_since" in asked, "else only tickets of the last 30 days are listed"
    assert "include" not in asked, "each costs two requests more"
    assert there.asked("GET /search/tickets") == []


def test_a_ticket_whose_mark_an_agent_took_away_is_still_found(there: Desk, desk: Freshdesk) -> None:
    request = desk.prepare(draft())
    there.on("GET /tickets", 200, [ticket(2, tags=[drafts.reference_of("feed:1")])])
    there.on("GET /tickets/2", 200, ticket(2, description="<p>rewritten</p>"))
    assert [one.ticket for one in desk.find(request, key_of("k"))] == ["2"]


def test_a_look_up_goes_on_over_the_pages_the_link_header_promises(there: Desk, desk: Freshdesk) -> None:
    request = desk.prepare(draft())
    there.headers = {"Link": f'<{there.server.url}/api/v2/tickets?page=2>; rel="next"'}

    def page(params: dict[str, list[str]], _: Any) -> tuple[int, Any]:
        if params["page"] == ["2"]:
            there.headers = {}
            return 200, [ticket(102, tags=[drafts.reference_of("feed:1")])]
        return 200, [ticket(number) for number in range(1, 101)]

    there.answers["GET /tickets"] = page
    there.on("GET /tickets/102", 200, ticket(102))
    assert [one.ticket for one in desk.find(request, key_of("k"))] == ["102"]
    assert [params["page"] for params in there.asked("GET /tickets")] == [["1"], ["2"]]


def test_verify_looks_among_new_tickets_when_search_knows_none(there: Desk, desk: Freshdesk) -> None:
    there.on("GET /search/tickets", 200, {"results": [], "total": 0})
    there.on("GET /tickets", 200, [ticket(1), ticket(2, tags=[drafts.reference_of("feed:1")])])
    assert [one.ticket for one in desk.find_tickets("feed:1")] == ["2"]
    reference = drafts.reference_of("feed:1")
    assert there.asked("GET /search/tickets")[0]["query"] == [f"\"tag:'{reference}'\""]


def test_a_ticket_that_search_still_shows_but_is_deleted_does_not_count(there: Desk, desk: Freshdesk) -> None:
    tags = [drafts.reference_of("feed:1")]
    there.on("GET /search/tickets", 200, {"results": [{"id": 7, "tags": tags}], "total": 1})
    there.on("GET /tickets/7", 200, ticket(tags=tags, deleted=True))
    there.on("GET /tickets", 200, [])
    assert desk.find_tickets("feed:1") == ()


def test_no_account_at_the_address_stops_it(there: Desk, desk: Freshdesk) -> None:
    """404 with one space is all there is (recorded), for a wrong address and for anything missing."""
    del there.answers["POST /tickets"]
    for doing in (desk.check, lambda: opened(desk), lambda: desk.changed_tickets(None, 10)):
        with pytest.raises(AuthFailed, match="base_url"):
            doing()
    with pytest.raises(Gone):
        desk.read_replies(TicketId("8"))


# --- files -----------------------------------------------------------------------------------------------------


def test_files_go_along_in_one_call_and_what_fails_is_linked(there: Desk, desk: Freshdesk) -> None:
    there.on("GET /cat.png", 200, b"\x89PNG....")
    there.on("GET /long.bin", 200, b"x" * 1_000)
    base = there.server.url
    files = (
        Attachment(f"{base}/cat.png", name="cat.png"),
        Attachment("http://127.0.0.1:1/lost.png", name="lost.png"),
        Attachment(f"{base}/huge.bin", name="huge.bin", size=10**9),
        Attachment(f"{base}/long.bin", name="long.bin"),
    )
    opened(desk, attachments=files, settings=Settings("high", tags=("a", "б")))
    (sent,) = there.sent("POST /tickets")
    assert sent.count(b'name="attachments[]"') == 2
    assert sent.count(b'name="tags[]"') == 3
    assert b'name="priority"\r\n\r\n3\r\n' in sent
    assert b'filename="cat.png"' in sent
    assert b"lost.png</a>" in sent
    assert b"huge.bin</a>" in sent
    assert b"cat.png</a>" not in sent


def test_all_files_together_keep_to_the_limit(there: Desk) -> None:
    there.on("GET /a.bin", 200, b"x" * 700_000)
    desk = adapter(there, attachment_limit_mb=1)
    desk.send(
        desk.prepare(
            CommentDraft(
                TicketId("7"),
                "<p>x</p>",
                attachments=tuple(Attachment(f"{there.server.url}/a.bin", name=f"{n}.bin") for n in range(2)),
            )
        ),
        key_of("n"),
    )
    (sent,) = there.sent("POST /tickets/7/notes")
    assert sent.count(b'name="attachments[]"') == 1
    assert b"1.bin</a>" in sent
    desk.close()


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (413, b"<html>Too Large</html>"),
        (400, {"description": "Validation failed", "errors": [{"field": "attachments", "message": "too large"}]}),
    ],
)
def test_a_message_refused_for_its_files_is_sent_without_them(
    there: Desk, desk: Freshdesk, status: int, body: Any
) -> None:
    there.on("GET /cat.png", 200, b"\x89PNG....")
    file = Attachment(f"{there.server.url}/cat.png", name="cat.png")

    def refuse_files(_: Any, sent: Any) -> tuple[int, Any]:
        return (status, body) if isinstance(sent, bytes) else (201, {**ticket(), "id": 7})

    for call in ("POST /tickets", "POST /tickets/7/notes"):
        there.answers[call] = refuse_files
    opened(desk, attachments=(file,))
    desk.send(desk.prepare(CommentDraft(TicketId("7"), "<p>x</p>", attachments=(file,))), key_of("n"))
    assert "cat.png</a>" in there.sent("POST /tickets")[1]["description"]
    assert "cat.png</a>" in there.sent("POST /tickets/7/notes")[1]["body"]


# --- notes and changes -----------------------------------------------------------------------------------------


def test_a_follow_up_is_a_public_incoming_note_of_the_contact(there: Desk, desk: Freshdesk) -> None:
    change = CommentDraft(TicketId("7"), "<p>{{ticket.id}}</p>", public=True, author=ANNA)
    receipt = desk.send(desk.prepare(change), key_of("c"))
    (sent,) = there.sent("POST /tickets/7/notes")
    body = sent.pop("body")
    assert sent == {"private": False, "incoming": True, "user_id": 5}
    assert "{{" not in body
    assert (receipt.id, receipt.ticket) == ("70", "7")
    assert there.sent("PUT /tickets/7") == []


def test_our_own_note_costs_one_call(there: Desk, desk: Freshdesk) -> None:
    desk.send(desk.prepare(CommentDraft(TicketId("7"), "<p>card</p>")), key_of("n"))
    assert [call for call, _, _ in there.calls] == ["POST /tickets/7/notes"]
    assert {name: value for name, value in there.calls[0][2].items() if name != "body"} == {"private": True}


def test_a_change_is_made_before_its_note_and_only_what_differs_is_sent(there: Desk, desk: Freshdesk) -> None:
    there.on("GET /ticket_fields", 200, [{"id": 1, "label": "State", "name": "cf_state", "type": "custom_text"}])
    there.on("GET /tickets/7", 200, ticket(status=4, priority=3, tags=["VIP", "reply_queued"]))
    settings = Settings(
        "high", status="open", tags=("reply_sent",), untag=("reply_queued",), fields={"State": "sent"}
    )
    desk.send(desk.prepare(CommentDraft(TicketId("7"), "<p>done</p>", settings=settings)), key_of("n"))
    assert there.sent("PUT /tickets/7") == [
        {"status": 2, "custom_fields": {"cf_state": "sent"}, "tags": ["VIP", "reply_sent"]}
    ]
    made = [call for call, _, _ in there.calls]
    assert made.index("PUT /tickets/7") < made.index("POST /tickets/7/notes")


def test_a_change_that_is_made_already_costs_no_write(there: Desk, desk: Freshdesk) -> None:
    there.on("GET /tickets/7", 200, ticket(status=2, tags=["Angry"]))
    request = desk.prepare(CommentDraft(TicketId("7"), "", settings=Settings(status="open", tags=("angry",))))
    assert request.repeatable
    assert desk.send(request, key_of("s")).ticket == "7"
    assert there.sent("PUT /tickets/7") == []
    assert desk.find(request, key_of("s")) == ()


def test_a_change_whose_answer_is_lost_is_tried_again_and_its_note_is_not_sent(there: Desk, desk: Freshdesk) -> None:
    there.on("PUT /tickets/7", 500)
    request = desk.prepare(CommentDraft(TicketId("7"), "<p>x</p>", settings=Settings(tags=("a",))))
    with pytest.raises(Temporary):
        desk.send(request, key_of("n"))
    assert there.sent("POST /tickets/7/notes") == []


@pytest.mark.parametrize("flag", ["deleted", "spam"])
def test_a_ticket_nobody_sees_any_more_is_gone(there: Desk, desk: Freshdesk, flag: str) -> None:
    there.on("GET /tickets/7", 200, ticket(**{flag: True}))
    public = CommentDraft(TicketId("7"), "<p>x</p>", public=True, author=ANNA)
    with pytest.raises(Gone, match=flag):
        desk.send(desk.prepare(public), key_of("c"))
    for status in (400, 403, 404, 405, 409):
        there.on("POST /tickets/7/notes", status, b" ")
        with pytest.raises(Gone):
            desk.send(desk.prepare(CommentDraft(TicketId("7"), "<p>x</p>")), key_of("n"))
    with pytest.raises(Gone):
        desk.read_replies(TicketId("7"))


def test_a_refused_field_is_named_as_admins_see_it(there: Desk, desk: Freshdesk) -> None:
    there.on("GET /ticket_fields", 200, [{"id": 1, "label": "Topic", "name": "cf_topic", "type": "custom_text"}])
    error = {"field": "cf_topic", "message": "It should be a/an String", "code": "datatype_mismatch"}
    there.on("PUT /tickets/7", 400, {"description": "Validation failed", "errors": [error]})
    request = desk.prepare(CommentDraft(TicketId("7"), "", settings=Settings(fields={"Topic": "x"})))
    with pytest.raises(Rejected, match=r'"Topic" \(cf_topic\): It should be'):
        desk.send(request, key_of("s"))


def test_a_ticket_merged_into_another_sends_its_follow_ups_there(there: Desk, desk: Freshdesk) -> None:
    note = said(1, "<div>This ticket is closed and merged into ticket 12</div>", private=True, source=2)
    there.on("GET /tickets/7", 200, ticket(status=5))
    there.on("GET /tickets/7/conversations", 200, [note, said(2, "<p>thanks</p>", incoming=True, source=2)])
    public = CommentDraft(TicketId("7"), "<p>x</p>", public=True, author=ANNA)
    with pytest.raises(Closed):
        desk.send(desk.prepare(public), key_of("c"))
    merge = desk.survivor(TicketId("7"))
    assert merge is not None
    assert merge.into == "12"
    assert there.sent("POST /tickets/7/notes") == []


def test_nobody_outside_can_say_where_a_ticket_was_merged_into(there: Desk, desk: Freshdesk) -> None:
    words = "<p>This ticket was closed and merged into #12</p>"
    there.on("GET /tickets/7", 200, ticket(status=5))
    there.on(
        "GET /tickets/7/conversations",
        200,
        [
            said(1, words, incoming=True, source=2),
            said(2, drafts.body_of(words, (), key_of("n")), private=True, source=2),
            said(3, words, private=True, source=2, user_id=99),
            said(4, words, source=0),
            said(5, "<p>not to be merged into ticket 12</p>", private=True, source=2),
        ],
    )
    public = CommentDraft(TicketId("7"), "<p>x</p>", public=True, author=ANNA)
    assert desk.send(desk.prepare(public), key_of("c")).ticket == "7"


def test_an_unclear_note_is_looked_for_in_the_conversation(there: Desk, desk: Freshdesk) -> None:
    request = desk.prepare(CommentDraft(TicketId("7"), "<p>x</p>"))
    body = drafts.body_of("<p>x</p>", (), key_of("n"))
    rows = [
        said(1, drafts.body_of("<p>x</p>", (), key_of("other")), private=True, source=2),
        said(2, body, private=True, source=2),
        said(3, body, private=False, source=0),
    ]
    there.on("GET /tickets/7/conversations", 200, rows)
    assert [one.id for one in desk.find(request, key_of("n"))] == ["2"]


# --- answers ---------------------------------------------------------------------------------------------------


def test_only_an_agents_public_words_are_an_answer(there: Desk, desk: Freshdesk) -> None:
    ours = drafts.body_of("<p>x</p>", (), key_of("n"))
    rows = [
        said(1, "<p>an answer</p>"),
        said(2, "<p>a public note</p>", source=2),
        said(3, "<p>private</p>", private=True, source=2),
        said(4, "<p>customer</p>", incoming=True, user_id=5),
        said(5, ours, incoming=True, source=2, user_id=5),
        said(6, ours, private=True, source=2),
        said(7, f"<p>an answer</p><div class='freshdesk_quote'>{ours}</div>"),
        said(8, "<p>to a third party</p>", source=8),
        said(9, "<p>by a contact?</p>", source=2, user_id=99),
        said(10, "<p>by the system</p>", source=2, user_id=None),
    ]
    there.on("GET /tickets/7/conversations", 200, rows)
    replies = desk.read_replies(TicketId("7"))
    leaving = [one.id for one in replies if one.public and one.by_agent and not one.ours]
    assert leaving == ["1", "2", "7"]
    assert [one.id for one in replies if one.ours] == ["5", "6"]
    assert {one.author for one in replies if one.id in leaving} == {"Oleg"}
    assert "connector ref" not in next(one.html for one in replies if one.id == "7")


def test_where_agents_may_not_be_looked_at_a_reply_is_still_an_answer(there: Desk, desk: Freshdesk) -> None:
    there.on("GET /agents/1", 403, {"code": "access_denied", "message": "no"})
    there.on("GET /tickets/7/conversations", 200, [said(1, "<p>an answer</p>"), said(2, "<p>a note</p>", source=2)])
    replies = desk.read_replies(TicketId("7"))[1:]
    assert [(one.by_agent, one.author) for one in replies] == [(True, ""), (True, "")]


def test_a_contact_made_an_agent_is_one_soon(there: Desk) -> None:
    now = [0.0]
    desk = adapter(there)
    desk._agents._clock = lambda: now[0]
    there.on("GET /tickets/7/conversations", 200, [said(1, "<p>x</p>", user_id=2)])
    assert not desk.read_replies(TicketId("7"))[1].by_agent
    there.on("GET /agents/2", 200, {"id": 2, "contact": {"name": "Eva"}})
    now[0] = 61.0
    assert desk.read_replies(TicketId("7"))[1].author == "Eva"
    desk.close()


def test_changes_are_asked_for_oldest_first_without_extras(there: Desk, desk: Freshdesk) -> None:
    there.on("GET /tickets", 200, [ticket(7), ticket(8)])
    page = desk.changed_tickets(None, 1_000)
    assert (list(page.items), page.more) == (["7", "8"], False)
    assert desk.changed_tickets(page.cursor, 1_000).items == ()
    asked = there.asked("GET /tickets")
    assert {name: value[0] for name, value in asked[0].items() if name != "updated_since"} == {
        "order_by": "updated_at",
        "order_type": "asc",
        "per_page": "100",
        "page": "1",
    }
    since = datetime.fromisoformat(asked[1]["updated_since"][0])
    assert since.tzinfo is not None
    assert since <= datetime.now(UTC)


def test_the_page_after_the_three_hundredth_is_not_asked_for(there: Desk, desk: Freshdesk) -> None:
    there.headers = {"Link": '<https://elsewhere.example/>; rel="next"'}
    there.on("GET /tickets", 200, [])
    assert not desk.changed_tickets(None, 10).more
    assert len(there.asked("GET /tickets")) == 300


# --- limits and hooks ------------------------------------------------------------------------------------------


def test_a_list_at_its_limit_does_not_stop_notes(there: Desk, desk: Freshdesk) -> None:
    there.headers = {"X-RateLimit-Total": "200", "X-RateLimit-Remaining": "150", "Retry-After": "12"}
    there.on("GET /tickets", 429, {"message": "You have exceeded the limit of requests per hour"})
    for _ in range(2):
        with pytest.raises(RateLimited) as told:
            desk.changed_tickets(None, 10)
        assert (round(told.value.wait), told.value.scope) == (12, "endpoint")
    assert len(there.asked("GET /tickets")) == 1
    desk.send(desk.prepare(CommentDraft(TicketId("7"), "<p>x</p>")), key_of("n"))
    assert there.sent("POST /tickets/7/notes")


def hook(body: bytes = b'{"ticket_id": 12}', **headers: str) -> Hook:
    given = headers or {"x-connector-secret": SECRET}
    return Hook({name.replace("_", "-"): value for name, value in given.items()}, body, 0.0)


@pytest.mark.parametrize(
    "body",
    [
        b'{"ticket_id": 12}',
        b'{"ticket_id": "12"}',
        b'{"freshdesk_webhook": {"ticket_id": 12, "ticket_subject": "x"}}',
    ],
)
def test_a_hook_names_its_ticket(desk: Freshdesk, body: bytes) -> None:
    assert list(desk.read_hook(hook(body))) == ["12"]


@pytest.mark.parametrize(
    "body", [b"", b"x", b"[1]", b"{}", b'{"ticket_id": true}', b'{"ticket_id": "../7"}', b"[" * 100_000, b"\xff\xfe"]
)
def test_a_hook_that_names_no_ticket_is_refused(desk: Freshdesk, body: bytes) -> None:
    with pytest.raises(BadHook) as told:
        desk.read_hook(hook(body))
    assert told.value.status == 400


def test_a_hook_without_the_secret_is_refused(there: Desk, desk: Freshdesk) -> None:
    for bad in (
        Hook({}, b'{"ticket_id":1}', 0.0),
        hook(x_connector_secret="guessed"),
        hook(x_connector_secret="ключ"),
    ):
        with pytest.raises(BadHook) as told:
            desk.read_hook(bad)
        assert told.value.status == 401
        assert SECRET not in str(told.value)
    with pytest.raises(BadHook, match="webhook_secret"):
        adapter(there, webhook_secret=None).read_hook(hook())
    other = adapter(there, webhook_header="X-Desk")
    assert list(other.read_hook(hook(x_desk=SECRET))) == ["12"]
    with pytest.raises(BadHook, match="X-Desk"):
        other.read_hook(hook())
    other.close()


def test_a_wrong_key_field_is_told_at_the_check(there: Desk) -> None:
    there.on("GET /agents/me", 200, {"id": 1, "contact": {"name": "Oleg"}})
    there.on("GET /ticket_fields", 200, [{"id": 1, "label": "Ref", "name": "cf_ref", "type": "custom_text"}])
    desk = adapter(there, key_in="field", key_field="Reference", webhook_secret=None)
    polling, field = desk.check().notes
    assert "polling" in polling
    assert 'no ticket field "Reference"; there are: "Ref"' in field
    desk.close()


def test_nothing_in_an_error_is_a_secret(there: Desk) -> None:
    desk = adapter(there)
    there.on("GET /tickets/7", 400, {"message": f"key and {SECRET}"})
    with pytest.raises(ConnectorError) as told:
        desk.read_replies(TicketId("7"))
    assert SECRET not in str(told.value)
    desk.close()
