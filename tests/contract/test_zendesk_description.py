"""What the adapter sends and receives, judged by Zendesk's own description of its API and by recorded answers."""

from __future__ import annotations

import json
from base64 import b64decode
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from pydantic import SecretStr

from connector.errors import ConnectorError, Gone, Rejected, Temporary
from connector.helpdesks.zendesk import Zendesk, ZendeskOptions
from connector.http import Answer, Http
from connector.model import Attachment, CommentDraft, Key, Person, Request, Settings, TicketDraft
from connector.testing.helpdesk_contract import Canned
from connector.testing.simulators.zendesk import ZendeskSandbox

ANNA = Person("mastodon:1", "Anna", "https://social.example/@anna")


class Recording(Http):
    """The real door, which keeps what went through: method, path, body sent, the answer."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.seen: list[tuple[str, str, Any, Answer]] = []

    def call(self, method: str, url: str, **options: Any) -> Answer:
        answer = super().call(method, url, **options)
        sent = options.get("json")
        if sent is None and isinstance(options.get("body"), str):
            sent = json.loads(options["body"])
        self.seen.append((method, urlsplit(url).path, sent, answer))
        return answer


def zendesk(url: str, http: Http) -> Zendesk:
    options = ZendeskOptions(
        type="zendesk", base_url=url, email="admin@example.com", api_token=SecretStr("sandbox"), exports_per_minute=99
    )
    return Zendesk("desk", options, http)


@pytest.fixture
def canned() -> Iterator[Canned]:
    with Canned() as server:
        yield server


def test_every_request_and_answer_is_as_zendesk_describes_it(zendesk_oas: Any, canned: Canned) -> None:
    sandbox = ZendeskSandbox(rate_limit=None)
    http = Recording("desk", allow_private=True)
    desk = zendesk(sandbox.start(), http)
    canned.says(200, b"\x89PNG", Content_Type="image/png")
    words = desk.vocabulary()
    fields = {spec.title: spec.values[0] for spec in words.fields if spec.type == "tagger" and spec.values}
    settings = Settings("high", "question", "open", words.groups[0], words.brands[0], tags=("a",), fields=fields)
    file = Attachment(f"{canned.url}/cat.png", "image/png", "cat.png")
    first = TicketDraft("sky:1", "Hello", ANNA, "<p>Hello</p>", settings, (file,))
    ticket = desk.send(desk.prepare(first), Key("k1")).ticket
    assert ticket
    changes = Settings("low", status="pending", tags=("b",), untag=("a",))
    request = desk.prepare(CommentDraft(ticket, "<p>more</p>", True, ANNA, changes))
    desk.send(request, Key("k2"))
    desk.find(request, Key("k2"))
    desk.send(desk.prepare(CommentDraft(ticket, "<p>a note</p>")), Key("k3"))
    desk.check()
    desk.read_replies(ticket)
    desk.find_tickets("sky:1")
    desk.changed_tickets(None, 10)
    sandbox.close(int(ticket))
    follow_up = TicketDraft("sky:1", "Hello again", ANNA, "<p>Hello again</p>", follow_up_of=ticket)
    desk.send(desk.prepare(follow_up), Key("k4"))
    desk.close()
    sandbox.stop()

    checked = set()
    for method, path, sent, answer in http.seen:
        if sent is not None:
            zendesk_oas.check_request(method, path, sent)
        if answer.body.strip():
            zendesk_oas.check_answer(method, path, answer.status, answer.json())
        checked.add((method, path))
    assert len(checked) > 10


def test_the_description_finds_faults(zendesk_oas: Any) -> None:
    """The negative control: a judge that passes everything is no judge."""
    with pytest.raises(AssertionError):
        zendesk_oas.check_request("POST", "/api/v2/tickets", {"ticket": {"comment": {}, "priority": "very high"}})
    with pytest.raises(AssertionError):
        zendesk_oas.check_request("POST", "/api/v2/tickets.json", {"ticket": {"subject": "no comment"}})
    with pytest.raises(AssertionError):
        zendesk_oas.check_answer("GET", "/api/v2/tickets/7/comments", 200, {"comments": [{"id": "seven"}]})
    with pytest.raises(KeyError):
        zendesk_oas.check_request("POST", "/api/v2/nothing", {})


def _refusals(folder: Path) -> list[tuple[str, int, str, bytes]]:
    found = {}
    for file in folder.rglob("*.json"):
        recorded = json.loads(file.read_text(encoding="utf-8"))
        for exchange in recorded.get("http_interactions", []):
            answer = exchange["response"]
            status = answer["status"]["code"]
            body = answer["body"]
            if status >= 400:
                text = body.get("base64_string")
                raw = b64decode(text) if text else str(body.get("string") or "").encode()
                kind = (answer["headers"].get("Content-Type") or [""])[0]
                found[status, raw] = (file.name, status, kind, raw)
    return list(found.values())


def test_recorded_refusals_say_what_to_do_in_a_sentence(zendesk_recordings: Path, canned: Canned) -> None:
    refusals = _refusals(zendesk_recordings)
    assert {status for _, status, _, _ in refusals} >= {400, 404, 406, 409, 422}
    for name, status, kind, raw in refusals:
        desk = zendesk(canned.url, Http("desk"))
        canned.says(status, raw, Content_Type=kind)
        with pytest.raises(ConnectorError) as told:
            desk.send(Request("ticket", '{"ticket":{}}', True), Key("k"))
        wanted = {404: Gone, 409: Temporary}.get(status, Rejected)
        if b"InvalidEndpoint" in raw:
            wanted = Rejected
        assert type(told.value) is wanted, name
        sentence = told.value.sentence
        assert 10 < len(sentence) < 300, name
        assert not set("{}<>[]") & set(sentence), sentence
        desk.close()


def test_recorded_validation_errors_name_the_field(canned: Canned) -> None:
    canned.says(
        422,
        b'{"error":"RecordInvalid","description":"Record validation errors","details":'
        b'{"requester":[{"description":"Requester: Name:  is too short (minimum is 1 character)"}],'
        b'"group":[{"error":"InvalidValue"}]}}',
    )
    desk = zendesk(canned.url, Http("desk"))
    with pytest.raises(Rejected, match=r"Requester: Name: is too short.*group: InvalidValue"):
        desk.send(Request("ticket", '{"ticket":{"requester_id":1}}', True), Key("k"))
    desk.close()
