"""The Freshdesk adapter against the sandbox: the contract of helpdesks, and whole ways there and back."""

from __future__ import annotations

import time
from base64 import b64encode
from collections.abc import Iterator, Sequence
from typing import Any
from urllib.parse import urlsplit

import pytest

from connector.adapter import Hook
from connector.errors import Closed, Gone, RateLimited, Rejected, Uncertain
from connector.helpdesks.freshdesk import Freshdesk, FreshdeskOptions, drafts
from connector.http import Answer, Http
from connector.model import Attachment, CommentDraft, CommentId, Settings, TicketDraft, TicketId, key_of
from connector.testing.helpdesk_contract import ANNA, BORIS, Canned, HelpdeskContract, HelpdeskStage
from connector.testing.simulators.freshdesk import ADMIN_KEY, FreshdeskSandbox, Limits

SECRET = "rule-secret-which-is-long"


class Recording(Http):
    """The real door, which keeps what went through: method, path, what was sent as JSON, the answer."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.seen: list[tuple[str, str, Any, Answer]] = []

    def call(self, method: str, url: str, **options: Any) -> Answer:
        answer = super().call(method, url, **options)
        self.seen.append((method, urlsplit(url).path.removeprefix("/api/v2"), options.get("json"), answer))
        return answer


def freshdesk(base_url: str, http: Http | None = None, **options: Any) -> Freshdesk:
    given = {"api_key": ADMIN_KEY, "webhook_secret": SECRET, **options}
    made = FreshdeskOptions(type="freshdesk", base_url=base_url, **given)
    return Freshdesk("desk", made, http or Http("desk", timeout=(2, 5), allow_private=True))


class Stage(HelpdeskStage):
    """The sandbox, with its rate limits off, and one adapter on it."""

    secrets = ("another-api-key", b64encode(b"another-api-key:X").decode(), SECRET)

    def __init__(self, **options: Any) -> None:
        self.sandbox = FreshdeskSandbox(**{"limits": Limits.off(), **options})
        self.url = self.sandbox.start()
        self.helpdesk: Freshdesk = freshdesk(self.url)

    def at(self, base_url: str) -> Freshdesk:
        return freshdesk(base_url, api_key="another-api-key")

    def with_wrong_login(self) -> Freshdesk:
        return freshdesk(self.url, api_key="not-the-key-at-all")

    def tickets(self) -> Sequence[TicketId]:
        rows = self.sandbox.tickets()
        return [TicketId(str(row["id"])) for row in rows if not row.get("deleted") and not row.get("spam")]

    def answer_as_agent(self, ticket: TicketId, html: str, *, public: bool) -> CommentId:
        return CommentId(str(self.sandbox.agent_reply(int(ticket), html, public=public)["id"]))

    def close(self, ticket: TicketId) -> None:
        self.sandbox.close(int(ticket))

    def delete(self, ticket: TicketId) -> None:
        self.sandbox.delete(int(ticket))

    def lose_next_answer(self) -> None:
        self.strike("answer_lost", "POST", "/api/v2/tickets")
        self.strike("answer_lost", "POST", "/api/v2/tickets/*/notes")

    def strike(self, fault: str, method: str, path: str, **more: Any) -> None:
        script = {"method": method, "path": path, "fault": fault, "times": 1, **more}
        self.sandbox.faults.script = [*self.sandbox.faults.script, script]


class TestFreshdesk(HelpdeskContract):
    @pytest.fixture
    def stage(self) -> Iterator[Stage]:
        made = Stage()
        yield made
        made.sandbox.stop()


class TestFreshdeskWithItsIdInAField(HelpdeskContract):
    """The same with key_in: field, and with search lagging by minutes."""

    @pytest.fixture
    def stage(self) -> Iterator[Stage]:
        made = Stage()
        made.sandbox.faults.search_lag_s = 300.0
        made.helpdesk.close()
        made.helpdesk = freshdesk(made.url, key_in="field", key_field="Connector id")
        yield made
        made.sandbox.stop()


@pytest.fixture
def stage() -> Iterator[Stage]:
    made = Stage()
    yield made
    made.sandbox.stop()


@pytest.fixture
def desk(stage: Stage) -> Iterator[Freshdesk]:
    yield stage.helpdesk
    stage.helpdesk.close()


@pytest.fixture
def canned() -> Iterator[Canned]:
    with Canned() as server:
        yield server


def draft(**more: Any) -> TicketDraft:
    given = {"external_id": "sky:1", "subject": "Where is it?", "author": ANNA, "html": "<p>Where?</p>", **more}
    return TicketDraft(**given)


def opened(desk: Freshdesk, word: str = "k", **more: Any) -> TicketId:
    ticket = desk.send(desk.prepare(draft(**more)), key_of(word)).ticket
    assert ticket is not None
    return ticket


def contact(stage: Stage, external_id: str) -> dict[str, Any]:
    (found,) = [row for row in stage.sandbox.contacts() if row["unique_external_id"] == external_id]
    return found


# --- tickets ---------------------------------------------------------------------------------------------------


def test_the_requester_is_one_contact_however_often_and_after_a_restart(stage: Stage, desk: Freshdesk) -> None:
    opened(desk)
    opened(desk, "b", external_id="x")
    again = freshdesk(stage.url)
    ticket = opened(again, "c", external_id="y")
    again.close()
    made = contact(stage, ANNA.external_id)
    assert (made["name"], made["email"], made["description"]) == (ANNA.name, None, ANNA.url)
    assert stage.sandbox.ticket(int(ticket))["requester_id"] == made["id"]


def test_a_status_of_the_accounts_own_is_set_by_its_label_or_number(stage: Stage, desk: Freshdesk) -> None:
    assert {"hold", "Waiting on Customer"} <= set(desk.vocabulary().statuses)
    assert {"task", "Refund"} <= set(desk.vocabulary().types)
    for number, name in enumerate(("waiting on customer", "6")):
        ticket = opened(desk, f"k{number}", external_id=f"x{number}", settings=Settings(status=name, type="refund"))
        row = stage.sandbox.ticket(int(ticket))
        assert (row["status"], row["type"]) == (6, "Refund")
    desk.send(desk.prepare(CommentDraft(ticket, "", settings=Settings(type="task", status="open"))), key_of("s"))
    row = stage.sandbox.ticket(int(ticket))
    assert (row["status"], row["type"]) == (2, "Refund"), "there is no Task: left as it was"


def test_deadlines_become_freshdesks_own_due_dates(stage: Stage, desk: Freshdesk) -> None:
    first, last = "2099-03-04T17:00:00Z", "2099-03-05T09:00:00Z"
    both = {"due_by": last, "fr_due_by": first, "Followers": 7}
    row = stage.sandbox.ticket(int(opened(desk, settings=Settings(fields=both))))
    assert (row["fr_due_by"], row["due_by"], row["custom_fields"]["cf_followers"]) == (first, last, 7)
    one = Settings(fields={"fr_due_by": first})
    row = stage.sandbox.ticket(int(opened(desk, "b", external_id="y", settings=one)))
    assert (row["fr_due_by"], row["due_by"]) == (first, first)
    with pytest.raises(Rejected, match="due_by takes a moment"):
        desk.prepare(draft(settings=Settings(fields={"due_by": "2099-03-04"})))


def test_a_ticket_is_opened_without_due_dates_that_are_refused(stage: Stage, desk: Freshdesk) -> None:
    stage.sandbox.faults.due_in_the_past = True
    over = Settings(fields={"fr_due_by": "2020-01-01T00:00:00Z", "due_by": "2020-01-02T00:00:00Z"})
    row = stage.sandbox.ticket(int(opened(desk, settings=over)))
    assert row["due_by"] > "2026"
    assert stage.sandbox.requests()["POST /api/v2/tickets"] == 2


def test_settings_are_given_by_name_in_any_case(stage: Stage, desk: Freshdesk) -> None:
    words = desk.vocabulary()
    names = {"group": words.groups[1].upper(), "brand": words.brands[1], "form": "Complaint"}
    settings = Settings("urgent", "problem", "hold", **names, tags=("A b", "c"), untag=("C",))
    ticket = stage.sandbox.ticket(int(opened(desk, settings=settings)))
    assert (ticket["priority"], ticket["type"], ticket["status"]) == (4, "Problem", 3)
    assert ticket["tags"] == ["A b", drafts.reference_of("sky:1")]
    assert ticket["group_id"]
    assert ticket["product_id"]


def test_custom_fields_of_every_kind_are_set(stage: Stage, desk: Freshdesk) -> None:
    specs = {spec.title: spec for spec in desk.vocabulary().fields}
    values: dict[str, Any] = {
        "Tone": specs["Tone"].values[0].upper(),
        "Followers": "1200",
        "Rating": "4,5",
        "Verified": "yes",
        "Posted on": "2026-01-31",
        "Author": "Anna",
        "Topic": specs["Topic"].values[0],
    }
    ticket = stage.sandbox.ticket(int(opened(desk, settings=Settings(fields=values))))
    shown = ticket["custom_fields"]
    assert shown[specs["Tone"].id] == specs["Tone"].values[0]
    assert (shown[specs["Followers"].id], float(shown[specs["Rating"].id])) == (1200, 4.5)
    assert (shown[specs["Verified"].id], shown[specs["Posted on"].id]) == (True, "2026-01-31")
    assert shown[specs["Topic"].id] == specs["Topic"].values[0]
    with pytest.raises(Rejected, match="no option"):
        desk.prepare(draft(settings=Settings(fields={"Tone": "furious"})))


def test_every_level_of_a_nested_field_is_set(stage: Stage, desk: Freshdesk) -> None:
    settings = Settings(fields={"Topic": "Delivery", "Subtopic": "Late", "Detail": "By courier"})
    ticket = stage.sandbox.ticket(int(opened(desk, settings=settings)))
    assert {"Delivery", "Late", "By courier"} <= set(ticket["custom_fields"].values())


def test_a_required_field_that_is_missing_is_named(stage: Stage, desk: Freshdesk) -> None:
    stage.sandbox.add_field("Cost centre", "custom_text", required_for_agents=True)
    desk.vocabulary()
    with pytest.raises(Rejected, match="Cost centre"):
        opened(desk)


def test_attachments_go_along_and_come_back(stage: Stage, desk: Freshdesk, canned: Canned) -> None:
    canned.says(200, b"\x89PNG....", Content_Type="image/png")
    good = Attachment(f"{canned.url}/cat", type="image/png", name="кот")
    lost = Attachment("http://127.0.0.1:1/lost.png", name="lost.png")
    settings = Settings("high", tags=("a",), fields={"Tone": "negative", "Verified": True})
    ticket = opened(desk, attachments=(good, lost), settings=settings)
    (reply,) = desk.read_replies(ticket)
    assert [(one.name, one.type, one.size) for one in reply.attachments] == [("кот.png", "image/png", 8)]
    assert "http://127.0.0.1:1/lost.png" in reply.html
    row = stage.sandbox.ticket(int(ticket))
    assert (row["priority"], len(row["tags"])) == (3, 2)
    assert row["custom_fields"]["cf_verified"] is True
    change = CommentDraft(ticket, "<p>look</p>", public=True, author=BORIS, attachments=(good,))
    receipt = desk.send(desk.prepare(change), key_of("c"))
    note = desk.read_reply(ticket, CommentId(receipt.id))
    assert note is not None
    assert (note.public, note.by_agent, note.ours, len(note.attachments)) == (True, False, True, 1)
    assert "authorization" not in canned.calls[0][3]


def test_files_that_are_too_much_for_the_account_are_linked(stage: Stage, desk: Freshdesk, canned: Canned) -> None:
    canned.says(200, b"x" * 1_500_000, Content_Type="application/zip")
    stage.sandbox.limits = Limits(None, None, None, None, None, attachment_mb=1)
    ticket = opened(desk, attachments=(Attachment(f"{canned.url}/big.zip", name="big.zip"),))
    (reply,) = desk.read_replies(ticket)
    assert reply.attachments == ()
    assert "big.zip</a>" in reply.html


def test_an_answer_lost_is_found_although_search_lags(stage: Stage, desk: Freshdesk) -> None:
    stage.sandbox.faults.search_lag_s = 600.0
    other = opened(desk, "other", external_id="other")
    request = desk.prepare(draft())
    stage.lose_next_answer()
    with pytest.raises(Uncertain):
        desk.send(request, key_of("k"))
    (found,) = desk.find(request, key_of("k"))
    assert found.ticket not in (None, other)
    assert [one.ticket for one in desk.find_tickets("sky:1")] == [found.ticket]


def test_what_a_person_wrote_is_shown_and_never_expanded(stage: Stage, desk: Freshdesk) -> None:
    nasty = "<p>{{ticket.id}} {%if x%} &#123;&#123;ticket.id}} &lt;script&gt;</p>"
    ticket = opened(desk, html=nasty, subject="{{ticket.subject}} <b>")
    desk.send(desk.prepare(CommentDraft(ticket, nasty, public=True, author=BORIS)), key_of("c"))
    for reply in desk.read_replies(ticket):
        plain = reply.html.replace("\u2060", "")
        assert "{{ticket.id}}" in plain
        assert "<script" not in plain
        assert "{{" not in reply.html


# --- notes and changes -----------------------------------------------------------------------------------------


def test_tags_are_added_and_removed_without_losing_the_others(stage: Stage, desk: Freshdesk) -> None:
    ticket = opened(desk, settings=Settings(tags=("kept", "dropped")))
    change = CommentDraft(ticket, "<p>x</p>", settings=Settings(tags=("new",), untag=("Dropped",), status="pending"))
    desk.send(desk.prepare(change), key_of("c"))
    row = stage.sandbox.ticket(int(ticket))
    assert row["tags"] == ["kept", drafts.reference_of("sky:1"), "new"]
    assert row["status"] == 3


def test_a_closed_ticket_is_opened_again_by_a_follow_up(stage: Stage, desk: Freshdesk) -> None:
    ticket = opened(desk)
    stage.close(ticket)
    change = CommentDraft(ticket, "<p>still there?</p>", public=True, author=ANNA, settings=Settings(status="open"))
    assert desk.send(desk.prepare(change), key_of("c")).ticket == ticket
    assert stage.sandbox.ticket(int(ticket))["status"] == 2


def test_spam_is_gone_and_so_is_what_never_was(stage: Stage, desk: Freshdesk) -> None:
    ticket = opened(desk)
    stage.sandbox.spam(int(ticket))
    for number in (ticket, TicketId("424242")):
        with pytest.raises(Gone):
            desk.send(desk.prepare(CommentDraft(number, "<p>x</p>")), key_of("n"))
        with pytest.raises(Gone):
            desk.read_replies(number)


def test_a_merged_ticket_takes_no_more_follow_ups(stage: Stage, desk: Freshdesk) -> None:
    first, second = opened(desk), opened(desk, "b", external_id="y")
    assert desk.survivor(second) is None
    stage.sandbox.merge(int(first), int(second))
    merge = desk.survivor(second)
    assert merge is not None
    assert merge.into == first
    with pytest.raises(Closed, match="merged"):
        desk.send(desk.prepare(CommentDraft(second, "<p>x</p>", public=True, author=ANNA)), key_of("c"))


def test_how_tickets_stand_is_told_in_our_words(stage: Stage, desk: Freshdesk) -> None:
    first, second = opened(desk), opened(desk, "b", external_id="y")
    solved = CommentDraft(second, "", settings=Settings(tags=("mute_author",), status="solved"))
    desk.send(desk.prepare(solved), key_of("s"))
    found = {state.ticket: state for state in desk.read_tickets((first, second, TicketId("999")))}
    assert set(found) == {first, second}
    assert (found[first].status, found[second].status) == ("open", "solved")
    assert "mute_author" in found[second].tags


def test_who_works_on_a_ticket_is_told_by_name_and_what_the_person_said_of_the_answer(
    stage: Stage, desk: Freshdesk
) -> None:
    first, second = opened(desk), opened(desk, "b", external_id="y")
    stage.sandbox.assign(int(first))
    stage.sandbox.agent_reply(int(first), "<p>done</p>", status=4)
    stage.sandbox.rate(int(first), 103)
    stage.sandbox.rate(int(first), -102)
    states = desk.read_tickets((first, second))
    told = [(state.status, state.assignee, state.satisfaction) for state in states]
    assert told == [("solved", "Oleg Agent", "bad"), ("open", "", "")]
    desk.read_tickets((first, second))
    assert stage.sandbox.requests()["GET /api/v2/surveys/satisfaction_ratings"] == 1


def test_a_look_at_a_ticket_and_its_answers_reads_the_ticket_once(stage: Stage, desk: Freshdesk) -> None:
    ticket = opened(desk)
    before = stage.sandbox.requests().get("GET /api/v2/tickets/*", 0)
    desk.read_tickets((ticket,))
    answer = stage.answer_as_agent(ticket, "<p>meanwhile</p>", public=True)
    assert desk.read_replies(ticket)[-1].id == answer
    assert stage.sandbox.requests()["GET /api/v2/tickets/*"] == before + 1
    desk.read_tickets((ticket,))
    stage.delete(ticket)
    with pytest.raises(Gone):
        desk.read_reply(ticket, answer)


def test_the_tone_field_is_read_back_and_one_that_is_not_there_keeps_nobody(stage: Stage, desk: Freshdesk) -> None:
    (spec,) = [one for one in desk.vocabulary().fields if one.title == "Tone"]
    ticket = opened(desk, settings=Settings(fields={"Tone": spec.values[0]}))
    assert [one.tone for one in desk.read_tickets((ticket,))] == [""]
    desk.options = desk.options.model_copy(update={"tone_field": "Tone"})
    assert [one.tone for one in desk.read_tickets((ticket,))] == [spec.values[0]]
    desk.options = desk.options.model_copy(update={"tone_field": "Mood"})
    assert [(one.status, one.tone) for one in desk.read_tickets((ticket,))] == [("open", "")]


# --- answers ---------------------------------------------------------------------------------------------------


def test_a_public_note_of_an_agent_is_an_answer_too(stage: Stage, desk: Freshdesk) -> None:
    ticket = opened(desk)
    note = stage.sandbox.agent_note(int(ticket), "<p>by note</p>", public=True)
    stage.sandbox.agent_note(int(ticket), "<p>secret</p>")
    leaving = [one for one in desk.read_replies(ticket) if one.public and one.by_agent and not one.ours]
    assert [one.id for one in leaving] == [str(note["id"])]
    assert leaving[0].author == "Oleg Agent"


def test_an_answer_made_private_or_taken_away_is_read_as_that(stage: Stage, desk: Freshdesk) -> None:
    ticket = opened(desk)
    first = stage.answer_as_agent(ticket, "<p>oops</p>", public=True)
    second = stage.answer_as_agent(ticket, "<p>oops again</p>", public=True)
    stage.sandbox.make_private(int(first))
    stage.sandbox.delete_conversation(int(second))
    reply = desk.read_reply(ticket, first)
    assert reply is not None
    assert not reply.public
    assert desk.read_reply(ticket, second) is None


def test_a_long_conversation_is_read_over_all_its_pages(stage: Stage, desk: Freshdesk) -> None:
    ticket = opened(desk)
    for number in range(105):
        stage.answer_as_agent(ticket, f"<p>{number}</p>", public=True)
    replies = desk.read_replies(ticket)
    assert len({reply.id for reply in replies}) == 106
    assert desk.read_reply(ticket, replies[-1].id) == replies[-1]


def test_an_answer_moves_its_ticket_and_no_other() -> None:
    passed = [0.0]
    stage = Stage(clock=lambda: time.time() + passed[0])
    desk = stage.helpdesk
    opened(desk)
    second = opened(desk, "b", external_id="y")
    cursor = desk.changed_tickets(None, 1_000).cursor
    passed[0] = 2.0  # Freshdesk's times are whole seconds
    stage.answer_as_agent(second, "<p>hello</p>", public=True)
    page = desk.changed_tickets(cursor, 1_000)
    assert list(page.items) == [second]
    assert desk.changed_tickets(page.cursor, 1_000).items == ()
    desk.close()
    stage.sandbox.stop()


def test_the_sandbox_calls_as_we_listen() -> None:
    received: list[Hook] = []
    with Canned() as listener:
        made = Stage(
            webhook_url=f"{listener.url}/hooks/desk", webhook_secret=SECRET, webhook_header="X-Connector-Secret"
        )
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


def test_a_list_at_its_limit_does_not_stop_the_rest() -> None:
    made = Stage(limits=Limits(account=200, ticket_list=3))
    desk = made.helpdesk
    ticket = opened(desk)
    cursor = desk.changed_tickets(None, 10).cursor
    with pytest.raises(RateLimited) as told:
        for _ in range(10):
            desk.changed_tickets(cursor, 10)
    assert told.value.scope == "endpoint"
    assert 0 < told.value.wait <= 60
    desk.send(desk.prepare(CommentDraft(ticket, "<p>x</p>")), key_of("n"))
    desk.close()
    made.sandbox.stop()


def test_an_account_at_its_limit_costs_no_more_calls() -> None:
    made = Stage(limits=Limits(account=6))
    with pytest.raises(RateLimited) as told:
        for _ in range(20):
            made.helpdesk.check()
    assert told.value.scope == "account"
    before = sum(made.sandbox.requests().values())
    with pytest.raises(RateLimited):
        made.helpdesk.read_replies(TicketId("1"))
    assert sum(made.sandbox.requests().values()) == before
    made.helpdesk.close()
    made.sandbox.stop()


# --- the vendor's schemas --------------------------------------------------------------------------------------

# what a ticket takes besides what it shows, and what it shows besides what the schemas know (reference, 2.2 and 2.10)
_ALSO = frozenset({"attachments", "deleted", "unique_external_id", "structured_description"})


def test_every_property_sent_is_one_freshdesk_knows(stage: Stage, freshdesk_schemas: Any) -> None:
    http = Recording("desk", allow_private=True)
    desk = freshdesk(stage.url, http, source=7, product="Main product")
    settings = Settings(
        "high", "question", "open", "Support", tags=("a",), fields={"Tone": "negative", "Rating": 4.5}
    )
    ticket = opened(desk, settings=settings)
    changes = Settings("low", status="pending", tags=("b",), untag=("a",), fields={"Verified": True})
    desk.send(desk.prepare(CommentDraft(ticket, "<p>more</p>", True, BORIS, changes)), key_of("c"))
    desk.send(desk.prepare(CommentDraft(ticket, "<p>a note</p>")), key_of("n"))
    desk.close()
    kinds = {"/tickets": "tickets", "/contacts": "contacts", f"/tickets/{ticket}": "tickets"}
    checked = set()
    for method, path, sent, _ in http.seen:
        if method == "GET":
            continue
        kind = kinds.get(path, "conversations")
        freshdesk_schemas.check(kind, sent, _ALSO)
        checked.add((method, kind))
    assert checked == {
        ("POST", "tickets"),
        ("POST", "contacts"),
        ("PUT", "tickets"),
        ("POST", "conversations"),
    }
