"""The Zendesk sandbox keeps to the vendor's documents: tickets, comments, users, exports, search."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import requests

from connector.testing.simulators.zendesk import Faults, Limits, ZendeskSandbox

Row = dict[str, Any]
NOW = 1_760_000_000


class Clock:
    """Time that passes only when told."""

    def __init__(self) -> None:
        self.now = float(NOW)

    def __call__(self) -> float:
        return self.now


class Account:
    """The sandbox, its address and its clock, with short ways to ask."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.sandbox = ZendeskSandbox(rate_limit=None, clock=self.clock)
        self.base = self.sandbox.start() + "/api/v2/"
        self.session = requests.Session()

    def ask(self, method: str, path: str, body: Any = None, who: str = "admin", **more: Any) -> requests.Response:
        auth = (f"{who}@example.com/token", "sandbox")
        return self.session.request(method, self.base + path, json=body, auth=auth, timeout=10, **more)

    def get(self, path: str, **params: Any) -> Row:
        answer = self.ask("GET", path, params=params)
        assert answer.status_code == 200, answer.text
        found: Row = answer.json()
        return found

    def open(self, **ticket: Any) -> Row:
        ticket.setdefault("comment", {"body": "Ничего не работает"})
        answer = self.ask("POST", "tickets", {"ticket": ticket})
        assert answer.status_code == 201, answer.text
        found: Row = answer.json()
        return found

    def update(self, number: int, **ticket: Any) -> requests.Response:
        return self.ask("PUT", f"tickets/{number}", {"ticket": ticket})

    def person(self, **user: Any) -> Row:
        user.setdefault("name", "Мария")
        found: Row = self.ask("POST", "users", {"user": user}).json()["user"]
        return found

    def field(self, title: str) -> int:
        return int(self.sandbox.fields()[title]["id"])


@pytest.fixture(scope="module")
def running() -> Iterator[Account]:
    account = Account()
    yield account
    account.session.close()
    account.sandbox.stop()


@pytest.fixture
def account(running: Account) -> Account:
    running.clock.now = float(NOW)
    running.sandbox.faults = Faults(incremental_lag_s=0)
    running.sandbox.limits = Limits.off()
    running.sandbox.reset()
    return running


# -- credentials ---------------------------------------------------------------------------------------------


def test_wrong_token_finds_an_anonymous_user_and_is_refused_elsewhere(account: Account) -> None:
    wrong = ("admin@example.com/token", "wrong")
    me = requests.get(account.base + "users/me.json", auth=wrong, timeout=10)
    assert me.status_code == 200
    assert (me.json()["user"]["id"], me.json()["user"]["email"]) == (None, "invalid@example.com")
    other = requests.get(account.base + "tickets", auth=wrong, timeout=10)
    assert other.status_code == 401
    assert other.json() == {"error": "Couldn't authenticate you"}


def test_bearer_token_is_an_admin_and_exports_are_for_admins_only(account: Account) -> None:
    bearer = {"Authorization": "Bearer sandbox"}
    me = requests.get(account.base + "users/me", headers=bearer, timeout=10).json()["user"]
    assert (me["email"], me["role"]) == ("admin@example.com", "admin")
    refused = account.ask("GET", "incremental/tickets/cursor", who="agent", params={"start_time": 0})
    assert refused.status_code == 403


# -- opening a ticket ----------------------------------------------------------------------------------------


def test_ticket_is_opened_with_its_audit_and_found_by_external_id(account: Account) -> None:
    made = account.open(subject="Сбой", external_id="x:1", tags=["Один Два"], priority="high", foo=1)
    ticket, audit = made["ticket"], made["audit"]
    said = next(event for event in audit["events"] if event["type"] == "Comment")
    assert (ticket["status"], ticket["tags"], ticket["via"]["channel"]) == ("new", ["один_два"], "api")
    assert said["id"] == account.get(f"tickets/{ticket['id']}/comments")["comments"][0]["id"]
    account.open(external_id="x:1")
    assert [t["id"] for t in account.get("tickets.json", external_id="x:1")["tickets"]] == [1, 2]


def test_answer_to_a_new_ticket_has_its_place_and_a_warning_for_unknown_keys(account: Account) -> None:
    answer = account.ask("POST", "tickets.json", {"ticket": {"comment": {"body": "a"}, "foo": 1}})
    assert answer.headers["Location"].endswith("/api/v2/tickets/1.json")
    assert '"foo"' in answer.headers["x-zendesk-api-warn"]


def test_ticket_without_words_is_refused_as_recorded(account: Account) -> None:
    answer = account.ask("POST", "tickets", {"ticket": {"subject": "a"}})
    assert answer.status_code == 422
    assert answer.json() == {
        "error": "RecordInvalid",
        "description": "Record validation errors",
        "details": {"base": [{"description": "Description: cannot be blank", "error": "BlankValue"}]},
    }


def test_same_key_and_body_give_the_same_ticket_once(account: Account) -> None:
    def send(subject: str) -> requests.Response:
        body = {"ticket": {"subject": subject, "comment": {"body": "a"}}}
        return account.ask("POST", "tickets", body, headers={"Idempotency-Key": "k"})

    first, again, other = send("a"), send("a"), send("b")
    assert (first.headers["x-idempotency-lookup"], again.headers["x-idempotency-lookup"]) == ("miss", "hit")
    assert (first.status_code, first.content) == (again.status_code, again.content)
    assert other.status_code == 400
    assert other.json()["error"] == "IdempotentRequestError"
    account.clock.now += 2 * 3600 + 1
    assert send("a").json()["ticket"]["id"] == 2


def test_inline_requester_is_found_by_email_or_made(account: Account) -> None:
    first = account.open(requester={"name": "Пётр", "email": "p@example.com"})["ticket"]
    second = account.open(requester={"name": "Другой", "email": "P@example.com"})["ticket"]
    assert first["requester_id"] == second["requester_id"]
    nameless = account.ask(
        "POST", "tickets", {"ticket": {"comment": {"body": "a"}, "requester": {"email": "q@example.com"}}}
    )
    assert nameless.status_code == 422
    assert "requester" in nameless.json()["details"]


def test_list_field_takes_its_options_only_and_its_value_becomes_a_tag(account: Account) -> None:
    tone = account.field("Tone")
    ticket = account.open(custom_fields=[{"id": tone, "value": "negative"}, {"id": 7, "value": "a"}])["ticket"]
    assert ticket["tags"] == ["negative"]
    assert {"id": tone, "value": "negative"} in ticket["custom_fields"]
    changed = account.update(1, custom_fields=[{"id": tone, "value": "positive"}]).json()["ticket"]
    assert changed["tags"] == ["positive"]
    refused = account.update(1, custom_fields=[{"id": tone, "value": "Positive"}])
    assert refused.status_code == 422
    assert account.sandbox.ticket(1)["tags"] == ["positive"]


def test_unknown_field_is_passed_over_with_a_warning(account: Account) -> None:
    answer = account.ask(
        "POST", "tickets", {"ticket": {"comment": {"body": "a"}, "custom_fields": [{"id": 7, "value": "a"}]}}
    )
    assert answer.status_code == 201
    assert "custom_fields[7]" in answer.headers["x-zendesk-api-warn"]


def test_unknown_group_priority_or_requester_is_refused(account: Account) -> None:
    for wrong in ({"group_id": 5}, {"priority": "big"}, {"requester_id": 5}, {"status": "gone"}):
        assert account.ask("POST", "tickets", {"ticket": {"comment": {"body": "a"}, **wrong}}).status_code == 422
    assert account.sandbox.tickets() == []


# -- what becomes of a text ----------------------------------------------------------------------------------


def test_placeholders_work_for_staff_and_stay_text_for_end_users(account: Account) -> None:
    mary = account.person()["id"]
    text = "{{ticket.id}} {{ticket.requester.name}} {{ticket.secret}}!"
    account.open(requester_id=mary, comment={"body": text, "author_id": mary})
    account.update(1, comment={"body": text})
    bodies = [comment["body"] for comment in account.sandbox.comments(1)]
    assert bodies == [text, "1 Мария !"]


def test_html_is_stripped_from_plain_bodies_and_sieved_in_html_bodies(account: Account) -> None:
    account.open(comment={"body": "a  <b>b</b>\n\n\n\nc"})
    account.update(
        1, comment={"html_body": '<p onclick="x">Да</p><script>alert(1)</script><a href="javascript:x">y</a>'}
    )
    plain, rich = account.sandbox.comments(1)
    assert plain["body"] == "a b\n\nc"
    assert "zd-comment" in plain["html_body"]
    assert (rich["body"], "script" in rich["html_body"], "onclick" in rich["html_body"]) == ("Да\ny", False, False)


def test_text_beyond_64_kilobytes_is_cut_without_a_word(account: Account) -> None:
    account.open(comment={"body": "я" * 40_000})
    assert len(account.sandbox.comments(1)[0]["body"]) == 32 * 1024


# -- changing a ticket ---------------------------------------------------------------------------------------


def test_update_adds_a_comment_with_metadata_and_replaces_tags(account: Account) -> None:
    account.open(tags=["a", "b"])
    answer = account.update(
        1, comment={"body": "note", "public": False}, tags=["c"], additional_tags=["d"], metadata={"key": "k1"}
    )
    audit = answer.json()["audit"]
    assert (answer.status_code, answer.json()["ticket"]["tags"]) == (200, ["c"])
    assert audit["metadata"]["custom"] == {"key": "k1"}
    assert [c["public"] for c in account.sandbox.comments(1)] == [True, False]
    assert account.get("tickets/1/audits")["audits"][-1]["id"] == audit["id"]
    assert account.get(f"tickets/1/audits/{audit['id']}")["audit"] == audit


def test_closed_ticket_refuses_updates_but_can_be_followed_up(account: Account) -> None:
    account.open()
    early = account.ask("POST", "tickets", {"ticket": {"comment": {"body": "a"}, "via_followup_source_id": 1}})
    assert early.status_code == 422
    account.sandbox.close(1)
    refused = account.update(1, comment={"body": "a"})
    assert refused.status_code == 422
    assert refused.json()["details"] == {"status": [{"description": "Status: closed prevents ticket update"}]}
    follow_up = account.open(via_followup_source_id=1)["ticket"]
    assert follow_up["via"]["source"]["rel"] == "follow_up"
    assert follow_up["via"]["source"]["from"]["ticket_id"] == 1
    assert account.sandbox.ticket(1)["followup_ids"] == [follow_up["id"]]


def test_safe_update_refuses_a_stale_stamp(account: Account) -> None:
    seen = account.open()["ticket"]["updated_at"]
    account.clock.now += 2
    assert account.update(1, priority="low", safe_update=True, updated_stamp=seen).status_code == 200
    stale = account.update(1, priority="high", safe_update=True, updated_stamp=seen)
    assert (stale.status_code, stale.json()["error"]) == (409, "UpdateConflict")


def test_deleted_ticket_is_not_found_and_can_be_restored(account: Account) -> None:
    account.open()
    assert account.ask("DELETE", "tickets/1").status_code == 204
    gone = account.ask("GET", "tickets/1.json")
    assert (gone.status_code, gone.json()) == (404, {"error": "RecordNotFound", "description": "Not found"})
    assert [row["id"] for row in account.get("deleted_tickets")["deleted_tickets"]] == [1]
    assert account.ask("PUT", "deleted_tickets/1/restore").json() == {}
    assert account.get("tickets/1")["ticket"]["status"] == "new"
    assert account.ask("GET", "nothing").json()["error"] == "InvalidEndpoint"


def test_merge_closes_the_source_and_tells_a_job(account: Account) -> None:
    account.open()
    account.open()
    job = account.ask("POST", "tickets/1/merge", {"ids": [2]}).json()["job_status"]
    assert job["status"] == "queued"
    assert account.get(f"job_statuses/{job['id']}")["job_status"]["status"] == "completed"
    assert account.sandbox.ticket(2)["status"] == "closed"
    assert [c["public"] for c in account.sandbox.comments(1)] == [True, False]


def test_tags_are_set_added_and_taken_away(account: Account) -> None:
    account.open(tags=["a"])
    assert account.ask("PUT", "tickets/1/tags", {"tags": ["b"]}).json() == {"tags": ["a", "b"]}
    assert account.ask("DELETE", "tickets/1/tags", {"tags": ["a"]}).json() == {"tags": ["b"]}
    assert account.ask("POST", "tickets/1/tags", {"tags": ["c"]}).json() == {"tags": ["c"]}
    assert account.get("tickets/1/tags") == {"tags": ["c"]}


def test_more_than_a_hundred_at_once_are_refused_and_bulk_updates_add_tags(account: Account) -> None:
    account.open(tags=["a"])
    too_many = account.ask("POST", "tickets/create_many", {"tickets": [{}] * 101})
    assert (too_many.status_code, too_many.json()["max_count"]) == (400, 100)
    answer = account.ask("PUT", "tickets/update_many?ids=1", {"ticket": {"additional_tags": ["b"]}})
    assert answer.json()["job_status"]["status"] == "queued"
    assert account.sandbox.ticket(1)["tags"] == ["a", "b"]


# -- comments ------------------------------------------------------------------------------------------------


def test_cursor_pages_of_comments_always_have_a_next_link(account: Account) -> None:
    account.open()
    for index in range(4):
        account.update(1, comment={"body": str(index)})
    seen: list[str] = []
    params: Row = {"page[size]": 2, "include": "users"}
    while True:
        page = account.get("tickets/1/comments", **params)
        seen += [comment["body"] for comment in page["comments"]]
        assert page["links"]["next"]
        assert {user["role"] for user in page["users"]} == {"admin"}
        if not page["meta"]["has_more"]:
            break
        params["page[after]"] = page["meta"]["after_cursor"]
    assert seen[1:] == ["0", "1", "2", "3"]
    newest = account.get("tickets/1/comments", **{"page[size]": 1, "sort": "-created_at"})["comments"]
    assert [comment["body"] for comment in newest] == ["3"]
    offset = account.get("tickets/1/comments", page=2, per_page=2, sort_order="asc")
    assert ([c["body"] for c in offset["comments"]], offset["count"]) == (["1", "2"], 5)


def test_comment_is_made_private_and_blacked_out(account: Account) -> None:
    account.open(comment={"body": "номер 1234"})
    number = account.sandbox.comments(1)[0]["id"]
    redacted = account.ask("PUT", f"tickets/1/comments/{number}/redact", {"text": "1234"}).json()["comment"]
    assert redacted["body"] == "номер ▇▇▇▇"
    assert account.ask("PUT", f"tickets/1/comments/{number}/make_private").status_code == 200
    assert account.sandbox.comments(1)[0]["public"] is False
    assert account.ask("PUT", "tickets/1/comments/5/make_private").status_code == 404


def test_agent_answers_on_the_web_and_the_channel_tells(account: Account) -> None:
    account.open()
    said = account.sandbox.agent_reply(1, "Чиним", uploads=[("a.txt", "text/plain", b"abc")], status="open")
    assert (said["via"]["channel"], said["public"]) == ("web", True)
    url = said["attachments"][0]["content_url"]
    assert requests.get(url, timeout=10).content == b"abc"
    assert account.get("tickets/1")["ticket"]["status"] == "open"


def test_upload_answers_json_as_plain_text_and_becomes_an_attachment(account: Account) -> None:
    answer = account.ask("POST", "uploads?filename=a.png", data=b"png", headers={"Content-Type": "image/png"})
    assert (answer.status_code, answer.headers["Content-Type"]) == (201, "text/plain; charset=utf-8")
    token = answer.json()["upload"]["token"]
    said = account.open(comment={"body": "фото", "uploads": token})["audit"]["events"][0]
    assert said["attachments"][0]["file_name"] == "a.png"
    assert requests.get(said["attachments"][0]["content_url"], timeout=10).headers["Content-Type"] == "image/png"
    account.clock.now += 3601
    late = account.update(1, comment={"body": "a", "uploads": [token]})
    assert late.status_code == 422


# -- users ---------------------------------------------------------------------------------------------------


def test_user_is_made_once_by_external_id_and_needs_no_email(account: Account) -> None:
    body = {"user": {"name": "Мария", "external_id": "vk:7", "skip_verify_email": True}}
    first = account.ask("POST", "users/create_or_update", body)
    body["user"]["external_id"] = "VK:7"
    again = account.ask("POST", "users/create_or_update", body)
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json()["user"]["id"] == again.json()["user"]["id"]
    assert first.json()["user"]["email"] is None
    found = account.get("users/search", external_id="vk:7")["users"]
    assert [user["id"] for user in found] == [first.json()["user"]["id"]]


def test_taken_identity_is_refused_as_recorded(account: Account) -> None:
    mary, paul = account.person()["id"], account.person(name="Пётр")["id"]
    body = {"identity": {"type": "twitter", "value": "maria"}}
    assert account.ask("POST", f"users/{mary}/identities", body).status_code == 201
    taken = account.ask("POST", f"users/{paul}/identities", body)
    words = "Value: maria is already being used by another user"
    assert taken.status_code == 422
    assert taken.json()["details"] == {"value": [{"description": words, "error": "DuplicateValue"}]}
    assert [row["type"] for row in account.get(f"users/{mary}/identities")["identities"]] == ["twitter"]


# -- exports and search --------------------------------------------------------------------------------------


def test_export_hides_the_newest_minute(account: Account) -> None:
    account.sandbox.faults = Faults()
    account.open()
    assert account.get("incremental/tickets/cursor", start_time=0)["tickets"] == []
    too_recent = account.ask("GET", "incremental/tickets/cursor", params={"start_time": NOW})
    assert too_recent.status_code == 422
    account.clock.now += 60
    assert len(account.get("incremental/tickets/cursor", start_time=0)["tickets"]) == 1


def test_cursor_export_tells_every_change_once_also_within_one_second(account: Account) -> None:
    for _ in range(5):
        account.open()
    page = account.get("incremental/tickets/cursor", start_time=0, per_page=2)
    seen = [ticket["id"] for ticket in page["tickets"]]
    account.update(1, priority="low")
    while not page["end_of_stream"]:
        page = account.get("incremental/tickets/cursor", cursor=page["after_cursor"], per_page=2)
        seen += [ticket["id"] for ticket in page["tickets"]]
    assert seen == [1, 2, 3, 4, 5, 1]
    assert account.get("incremental/tickets/cursor", cursor=page["after_cursor"])["tickets"] == []


def test_time_export_holds_a_whole_second_and_pages_overlap(account: Account) -> None:
    for _ in range(3):
        account.open()
    account.clock.now += 10
    account.open()
    account.clock.now += 10
    first = account.get("incremental/tickets", start_time=0, per_page=1)
    assert ([t["id"] for t in first["tickets"]], first["end_time"]) == ([1, 2, 3], NOW)
    second = account.get("incremental/tickets", start_time=first["end_time"], per_page=4)
    assert [t["id"] for t in second["tickets"]] == [1, 2, 3, 4]
    assert (second["end_of_stream"], second["end_time"]) == (True, NOW + 11)


def test_exports_hold_deleted_tickets_unless_told_otherwise(account: Account) -> None:
    account.open()
    account.sandbox.delete(1)
    assert account.get("incremental/tickets/cursor", start_time=0)["tickets"][0]["status"] == "deleted"
    without = account.get("incremental/tickets/cursor", start_time=0, exclude_deleted="true")
    assert without["tickets"] == []


def test_ticket_events_hold_comments_when_asked(account: Account) -> None:
    account.open()
    account.sandbox.agent_reply(1, "Чиним")
    events = account.get("incremental/ticket_events", start_time=0, include="comment_events")["ticket_events"]
    said = [c for e in events for c in e["child_events"] if c["event_type"] == "Comment"]
    assert [c["body"] for c in said] == ["Ничего не работает", "Чиним"]
    bare = account.get("incremental/ticket_events", start_time=0)["ticket_events"]
    assert all("body" not in child for event in bare for child in event["child_events"])


def test_search_lags_behind_and_lists_do_not(account: Account) -> None:
    account.sandbox.faults = Faults(search_lag_s=120)
    account.open(external_id="x:1", subject="Сбой оплаты")
    query = {"query": 'type:ticket external_id:"x:1"'}
    assert account.get("search", **query)["results"] == []
    assert len(account.get("tickets", external_id="x:1")["tickets"]) == 1
    account.clock.now += 121
    assert [row["result_type"] for row in account.get("search", **query)["results"]] == ["ticket"]
    assert account.get("search/count", query="type:ticket оплаты status:new") == {"count": 1}
    assert account.ask("GET", "search", params={"query": "a", "page": 11}).status_code == 422


# -- the account ---------------------------------------------------------------------------------------------


def test_fresh_account_has_what_a_team_would_have_made(account: Account) -> None:
    fields = {row["title"]: row for row in account.get("ticket_fields")["ticket_fields"]}
    values = [option["value"] for option in fields["Tone"]["custom_field_options"]]
    assert values == ["very_negative", "negative", "neutral", "positive", "very_positive"]
    assert {fields[name]["type"] for name in ("Author", "Followers")} == {"text", "integer"}
    assert len(account.get("groups")["groups"]) == 3
    assert {s["status_category"] for s in account.get("custom_statuses")["custom_statuses"]} == {
        "new", "open", "pending", "hold", "solved",
    }  # fmt: skip
    clash = {"type": "tagger", "title": "A", "custom_field_options": [{"name": "a", "value": "negative"}]}
    assert account.ask("POST", "ticket_fields", {"ticket_field": clash}).status_code == 422


def test_custom_status_and_status_move_together(account: Account) -> None:
    statuses = {s["status_category"]: s["id"] for s in account.get("custom_statuses")["custom_statuses"]}
    account.open()
    ticket = account.update(1, custom_status_id=statuses["pending"]).json()["ticket"]
    assert ticket["status"] == "pending"
    ticket = account.update(1, status="solved").json()["ticket"]
    assert ticket["custom_status_id"] == statuses["solved"]


# -- what admins make ----------------------------------------------------------------------------------------


def test_ticket_fields_get_options_whose_tags_nobody_else_uses(account: Account) -> None:
    path = f"ticket_fields/{account.field('Reply state')}/options"
    made = account.ask("POST", path, {"custom_field_option": {"name": "Unsure", "value": "unsure"}})
    changed = {"id": made.json()["custom_field_option"]["id"], "name": "Not sure", "value": "unsure"}

    assert made.status_code == 201
    assert account.ask("POST", path, {"custom_field_option": changed}).status_code == 200
    assert [row["name"] for row in account.get(path)["custom_field_options"]][-1] == "Not sure"
    for wrong in ({"name": "A", "value": "negative"}, {"name": "A"}):
        assert account.ask("POST", path, {"custom_field_option": wrong}).status_code == 422
    text = f"ticket_fields/{account.field('Author')}/options"
    assert account.ask("POST", text, {"custom_field_option": {"name": "A", "value": "a"}}).status_code == 422


def test_only_admins_change_fields_and_triggers(account: Account) -> None:
    field = {"ticket_field": {"type": "text", "title": "Mine"}}

    assert account.ask("POST", "ticket_fields", field, who="agent").status_code == 403
    assert account.ask("POST", "triggers", {"trigger": {"title": "t"}}, who="agent").status_code == 403
    assert account.ask("GET", "ticket_fields", who="agent").status_code == 200
    assert account.ask("GET", "triggers", who="agent").status_code == 200


def test_a_trigger_is_changed_as_a_whole(account: Account) -> None:
    whole = {"title": "t", "conditions": {"all": [], "any": []}, "actions": [{"field": "status", "value": "open"}]}
    number = account.ask("POST", "triggers", {"trigger": whole}).json()["trigger"]["id"]

    assert account.ask("PUT", f"triggers/{number}", {"trigger": {"active": False}}).status_code == 422
    changed = account.ask("PUT", f"triggers/{number}", {"trigger": {**whole, "active": False}})
    assert (changed.status_code, changed.json()["trigger"]["active"]) == (200, False)


def test_users_are_listed_by_several_roles(account: Account) -> None:
    account.person(name="Somebody")
    listed = account.get("users", **{"role[]": ["admin", "agent"]})["users"]

    assert {row["role"] for row in listed} == {"admin", "agent"}


def test_an_access_token_tells_its_scopes(account: Account) -> None:
    bearer = {"Authorization": "Bearer sandbox"}
    told = account.session.get(account.base + "oauth/tokens/current", headers=bearer, timeout=10)

    assert told.json()["token"]["scopes"] == ["read", "write"]
    assert account.ask("GET", "oauth/tokens/current").status_code == 404
