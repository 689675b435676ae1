"""The contract of helpdesks as tests, for whoever writes an adapter.

    class TestMyDesk(HelpdeskContract):
        @pytest.fixture
        def stage(self) -> Iterator[HelpdeskStage]:
            yield MyStage(...)

A stage is an account on a simulator or a test system, together with the hands of the people on its other side. The
suite asks for nothing that a real helpdesk could not show; what an adapter cannot do is read from its capabilities.
Clauses about broken answers need no simulator: the adapter is pointed at a server here that answers everything alike.
"""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self

import pytest

from connector.errors import (
    AuthFailed,
    BadAnswer,
    Closed,
    ConnectorError,
    Gone,
    RateLimited,
    Temporary,
    Uncertain,
    Unsupported,
)
from connector.helpdesks.base import Helpdesk
from connector.helpdesks.examination import Finding, Needs
from connector.model import (
    CommentDraft,
    CommentId,
    FieldNeed,
    Key,
    Person,
    Receipt,
    Settings,
    TicketDraft,
    TicketId,
    key_of,
)

ANNA = Person(external_id="mastodon:1001", name="Anna Petrova", url="https://social.example/@anna")
BORIS = Person(external_id="mastodon:1002", name="Борис")


class HelpdeskStage(ABC):
    """One account and the people on its other side. Made afresh for each test."""

    helpdesk: Helpdesk
    secrets: tuple[str, ...] = ()

    @abstractmethod
    def at(self, base_url: str) -> Helpdesk:
        """An adapter with the same log-in that talks to another address."""

    @abstractmethod
    def with_wrong_login(self) -> Helpdesk:
        """An adapter for this account with a token it does not know."""

    @abstractmethod
    def tickets(self) -> Sequence[TicketId]:
        """Every ticket there is, as the other side sees it."""

    @abstractmethod
    def answer_as_agent(self, ticket: TicketId, html: str, *, public: bool) -> CommentId:
        """A person who works there comments."""

    @abstractmethod
    def close(self, ticket: TicketId) -> None:
        """Close it for good."""

    @abstractmethod
    def delete(self, ticket: TicketId) -> None:
        """Delete it."""

    @abstractmethod
    def lose_next_answer(self) -> None:
        """The next write takes effect, and its answer never comes."""


class Canned:
    """A server on loopback that gives every call the same answer. Status 0: takes the call and hangs up.

    `paths` has bodies for single paths, answered with 200. `calls` is what came: method, path, body, headers in lower
    case.
    """

    def __init__(self) -> None:
        self.status = 200
        self.body = b""
        self.headers: dict[str, str] = {"Content-Type": "application/json"}
        self.paths: dict[str, bytes] = {}
        self.calls: list[tuple[str, str, bytes, dict[str, str]]] = []
        canned = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                canned.calls.append((self.command, self.path, body, {k.lower(): v for k, v in self.headers.items()}))
                if canned.status == 0:
                    self.close_connection = True
                    return
                single = canned.paths.get(self.path.partition("?")[0])
                content = canned.body if single is None else single
                self.send_response(canned.status if single is None else 200)
                for name, value in canned.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            do_GET = do_POST = do_PUT = do_DELETE = do_PATCH = answer  # noqa: N815

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def says(self, status: int, body: bytes = b"{}", **headers: str) -> None:
        """From now on answer like this; header names are written with _ for -."""
        self.status, self.body = status, body
        self.headers = {"Content-Type": "application/json"}
        self.headers |= {name.replace("_", "-"): value for name, value in headers.items()}

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@contextmanager
def refusing_port() -> Iterator[str]:
    """An address where nobody listens."""
    canned = Canned()
    url = canned.url
    canned._server.server_close()  # noqa: SLF001
    yield url


class HelpdeskContract:
    """Subclass it, give it a `stage`, and pytest runs every clause."""

    @pytest.fixture
    def stage(self) -> Iterator[HelpdeskStage]:
        """The account to test with; to be overridden."""
        raise NotImplementedError

    @pytest.fixture
    def desk(self, stage: HelpdeskStage) -> Iterator[Helpdesk]:
        """The adapter on the stage."""
        yield stage.helpdesk
        stage.helpdesk.close()

    @pytest.fixture
    def canned(self) -> Iterator[Canned]:
        """A server that answers everything alike."""
        with Canned() as server:
            yield server

    @pytest.fixture
    def strange(self, stage: HelpdeskStage, canned: Canned) -> Iterator[Helpdesk]:
        """The adapter, talking to that server."""
        desk = stage.at(canned.url)
        yield desk
        desk.close()

    # --- who we are ----------------------------------------------------------------------------------------

    def test_check_says_who_we_are(self, desk: Helpdesk) -> None:
        assert desk.check().id

    def test_a_wrong_login_is_auth_failed(self, stage: HelpdeskStage) -> None:
        desk = stage.with_wrong_login()
        with pytest.raises(AuthFailed):
            desk.check()
        desk.close()

    def test_flags_have_their_methods(self, desk: Helpdesk) -> None:
        flagged = {"push": "read_hook"}
        for flag, method in flagged.items():
            own = getattr(type(desk), method) is not getattr(Helpdesk, method)
            assert getattr(desk.capabilities, flag) == own, f"capability {flag} and method {method} disagree"

    # --- what is missing -----------------------------------------------------------------------------------

    def test_an_examination_says_who_we_are_and_changes_nothing(self, stage: HelpdeskStage, desk: Helpdesk) -> None:
        before = list(stage.tickets())
        found = desk.examine(Needs())
        credentials = [one for one in found if one.subject == "credentials"]
        assert [one.state for one in credentials] == ["ok"]
        assert list(stage.tickets()) == before

    def test_an_examination_with_a_wrong_login_finds_that_alone(self, stage: HelpdeskStage) -> None:
        desk = stage.with_wrong_login()
        (only,) = desk.examine(Needs())
        assert (only.subject, only.state) == ("credentials", "wrong")
        assert only.stands_in_the_way
        desk.close()

    def test_an_account_that_does_not_answer_is_a_finding_too(self, stage: HelpdeskStage) -> None:
        with refusing_port() as url:
            desk = stage.at(url)
            (only,) = desk.examine(Needs())
            desk.close()
        assert (only.subject, only.state) == ("credentials", "unknown")
        assert only.stands_in_the_way

    def test_a_ticket_field_that_is_not_there_is_missing_and_the_steps_are_told(self, desk: Helpdesk) -> None:
        need = FieldNeed("Quite another thing", "dropdown", ("this", "that"), "20-rules.yaml:4")
        (missing,) = [one for one in desk.examine(Needs((need,))) if one.subject == need.name]
        assert missing.state == "missing"
        assert "20-rules.yaml:4" in missing.sentence
        assert any("this, that" in step for step in missing.steps)

    def test_what_is_made_is_there_and_making_it_twice_makes_it_once(self, desk: Helpdesk) -> None:
        needs = Needs((FieldNeed("Quite another thing", "dropdown", ("this", "that")),))

        def examined() -> Finding:
            (finding,) = [one for one in desk.examine(needs) if one.subject == "Quite another thing"]
            return finding

        missing = examined()
        if not missing.remedy:
            pytest.skip("this helpdesk lets nobody make fields by its API")
        desk.apply(needs, missing)
        desk.apply(needs, missing)
        assert examined().state == "ok"
        titles = [spec.title for spec in desk.vocabulary().fields]
        assert titles.count("Quite another thing") == 1

    def test_no_secret_stands_in_a_finding(self, stage: HelpdeskStage) -> None:
        desk = stage.at("http://127.0.0.1:9")
        needs = Needs((FieldNeed("Nothing", "text"),), "https://connector.example/hooks/desk")
        for found in (desk.examine(needs), stage.helpdesk.examine(needs)):
            text = " ".join(word for one in found for word in (one.sentence, *one.steps))
            assert not [secret for secret in stage.secrets if secret in text]
        desk.close()

    # --- tickets -------------------------------------------------------------------------------------------

    def test_a_ticket_is_opened_with_its_author_and_external_id(self, stage: HelpdeskStage, desk: Helpdesk) -> None:
        receipt = _open(desk, "a")
        assert receipt.ticket in stage.tickets()
        assert receipt.id
        assert receipt.url == desk.ticket_url(_ticket(receipt))
        assert [found.ticket for found in desk.find_tickets("conversation-a")] == [receipt.ticket]

    def test_preparing_a_ticket_writes_no_ticket(self, stage: HelpdeskStage, desk: Helpdesk) -> None:
        before = list(stage.tickets())
        desk.prepare(_ticket_draft("a"))
        desk.prepare(_ticket_draft("a"))
        assert list(stage.tickets()) == before

    def test_the_same_key_twice_gives_one_ticket(self, stage: HelpdeskStage, desk: Helpdesk) -> None:
        if not desk.capabilities.idempotent_create:
            pytest.skip("this helpdesk has no idempotent creation")
        request = desk.prepare(_ticket_draft("a"))
        assert request.repeatable
        first, second = desk.send(request, _key("a")), desk.send(request, _key("a"))
        assert first == second
        assert stage.tickets().count(_ticket(first)) == 1

    def test_a_ticket_is_found_by_its_key_and_by_no_other(self, desk: Helpdesk) -> None:
        request = desk.prepare(_ticket_draft("a"))
        assert desk.find(request, _key("a")) == ()
        receipt = desk.send(request, _key("a"))
        assert desk.find(request, _key("a")) == (receipt,)
        assert desk.find(request, _key("other")) == ()

    def test_a_ticket_whose_answer_was_lost_is_uncertain_and_then_found(
        self, stage: HelpdeskStage, desk: Helpdesk
    ) -> None:
        request = desk.prepare(_ticket_draft("a"))
        stage.lose_next_answer()
        with pytest.raises(Uncertain):
            desk.send(request, _key("a"))
        found = desk.find(request, _key("a"))
        assert [receipt.ticket for receipt in found] == list(stage.tickets())[-1:]

    # --- comments ------------------------------------------------------------------------------------------

    def test_a_comment_stands_on_the_ticket_as_its_author_and_marked_as_ours(self, desk: Helpdesk) -> None:
        ticket = _ticket(_open(desk, "a"))
        draft = CommentDraft(ticket, "<p>and another thing</p>", public=True, author=BORIS)
        receipt = desk.send(desk.prepare(draft), _key("c"))
        comment = desk.read_reply(ticket, CommentId(receipt.id))
        assert comment is not None
        assert (comment.public, comment.by_agent, comment.ours) == (True, False, True)
        assert "another thing" in comment.html
        assert comment.author == BORIS.name
        assert receipt.ticket == ticket

    def test_a_note_is_private(self, desk: Helpdesk) -> None:
        ticket = _ticket(_open(desk, "a"))
        receipt = desk.send(desk.prepare(CommentDraft(ticket, "<p>for agents</p>")), _key("n"))
        note = desk.read_reply(ticket, CommentId(receipt.id))
        assert note is not None
        assert (note.public, note.ours) == (False, True)

    def test_a_comment_is_found_by_its_key_and_by_no_other(self, desk: Helpdesk) -> None:
        ticket = _ticket(_open(desk, "a"))
        request = desk.prepare(CommentDraft(ticket, "<p>once</p>", public=True, author=ANNA))
        assert not request.repeatable
        assert desk.find(request, _key("c")) == ()
        receipt = desk.send(request, _key("c"))
        assert desk.find(request, _key("c")) == (receipt,)
        assert desk.find(request, _key("other")) == ()

    def test_a_comment_whose_answer_was_lost_is_uncertain_and_then_found(
        self, stage: HelpdeskStage, desk: Helpdesk
    ) -> None:
        ticket = _ticket(_open(desk, "a"))
        request = desk.prepare(CommentDraft(ticket, "<p>once</p>", public=True, author=ANNA))
        stage.lose_next_answer()
        with pytest.raises(Uncertain):
            desk.send(request, _key("c"))
        (found,) = desk.find(request, _key("c"))
        assert found.id in [reply.id for reply in desk.read_replies(ticket)]

    def test_settings_change_without_a_comment(self, desk: Helpdesk) -> None:
        ticket = _ticket(_open(desk, "a"))
        before = len(desk.read_replies(ticket))
        draft = CommentDraft(ticket, "", settings=Settings(priority="high", tags=("seen",)))
        desk.send(desk.prepare(draft), _key("s"))
        assert len(desk.read_replies(ticket)) == before

    def test_a_closed_ticket_is_closed_or_reopens(self, stage: HelpdeskStage, desk: Helpdesk) -> None:
        ticket = _ticket(_open(desk, "a"))
        stage.close(ticket)
        request = desk.prepare(CommentDraft(ticket, "<p>still there?</p>", public=True, author=ANNA))
        if desk.capabilities.closed_ticket == "reopen":
            assert desk.send(request, _key("c")).ticket == ticket
            return
        with pytest.raises(Closed):
            desk.send(request, _key("c"))
        receipt = desk.send(desk.prepare(_ticket_draft("b", follow_up_of=ticket)), _key("b"))
        assert receipt.ticket != ticket

    def test_a_deleted_ticket_is_gone(self, stage: HelpdeskStage, desk: Helpdesk) -> None:
        ticket = _ticket(_open(desk, "a"))
        stage.delete(ticket)
        with pytest.raises(Gone):
            desk.send(desk.prepare(CommentDraft(ticket, "<p>hello?</p>", public=True, author=ANNA)), _key("c"))
        with pytest.raises(Gone):
            desk.read_replies(ticket)
        assert desk.find_tickets("conversation-a") == ()

    # --- replies -------------------------------------------------------------------------------------------

    def test_replies_come_oldest_first_with_who_may_see_them(self, stage: HelpdeskStage, desk: Helpdesk) -> None:
        ticket = _ticket(_open(desk, "a"))
        public = stage.answer_as_agent(ticket, "<p>We are on it</p>", public=True)
        private = stage.answer_as_agent(ticket, "<p>what a bore</p>", public=False)
        replies = desk.read_replies(ticket)
        assert [reply.id for reply in replies][1:] == [public, private]
        assert [reply.created_at for reply in replies] == sorted(reply.created_at for reply in replies)
        first, answer, note = replies
        assert (first.ours, first.by_agent, first.public) == (True, False, True)
        assert (answer.ours, answer.by_agent, answer.public) == (False, True, True)
        assert (note.ours, note.by_agent, note.public) == (False, True, False)
        assert "We are on it" in answer.html
        assert answer.created_at.tzinfo is not None

    def test_one_reply_is_read_as_it_is_now(self, stage: HelpdeskStage, desk: Helpdesk) -> None:
        ticket = _ticket(_open(desk, "a"))
        answer = stage.answer_as_agent(ticket, "<p>We are on it</p>", public=True)
        reply = desk.read_reply(ticket, answer)
        assert reply is not None
        assert (reply.id, reply.ticket) == (answer, ticket)
        assert desk.read_reply(ticket, CommentId("999999999")) is None

    def test_changes_are_listed_from_now_on_and_a_cursor_may_be_used_twice(self, desk: Helpdesk) -> None:
        try:
            page = desk.changed_tickets(None, 100)
        except Unsupported:
            pytest.skip("this account cannot list changes")
        assert page.cursor
        again = desk.changed_tickets(page.cursor, 100)
        assert set(desk.changed_tickets(page.cursor, 100).items) >= set(again.items)

    # --- trouble -------------------------------------------------------------------------------------------

    def test_401_is_auth_failed(self, canned: Canned, strange: Helpdesk) -> None:
        canned.says(401, b'{"error":"Couldn\'t authenticate you"}')
        for doing in (strange.check, lambda: strange.read_replies(TicketId("1")), _writing(strange)):
            with pytest.raises(AuthFailed):
                doing()

    def test_429_is_rate_limited_with_the_wait(self, canned: Canned, strange: Helpdesk) -> None:
        canned.says(429, b"slow down", Retry_After="17")
        with pytest.raises(RateLimited) as told:
            strange.read_replies(TicketId("1"))
        assert told.value.wait == pytest.approx(17, abs=1)
        with pytest.raises(RateLimited):
            strange.read_replies(TicketId("1"))
        assert len(canned.calls) == 1, "a known limit costs no call"

    def test_a_broken_read_is_temporary(self, canned: Canned, strange: Helpdesk) -> None:
        canned.says(503, b"<html>maintenance</html>")
        with pytest.raises(Temporary):
            strange.read_replies(TicketId("1"))

    def test_a_broken_write_is_uncertain(self, canned: Canned, strange: Helpdesk) -> None:
        for status in (500, 0):
            canned.says(status)
            with pytest.raises(Uncertain):
                _writing(strange)()

    def test_a_refused_connection_is_temporary_for_writes_too(self, stage: HelpdeskStage) -> None:
        with refusing_port() as url:
            desk = stage.at(url)
            with pytest.raises(Temporary):
                _writing(desk)()
            desk.close()

    @pytest.mark.parametrize("body", [b"<html>hello</html>", b"[1, 2]", b'{"comments": "none"}', b"", b"[" * 100_000])
    def test_nonsense_is_a_bad_answer(self, canned: Canned, strange: Helpdesk, body: bytes) -> None:
        canned.says(200, body)
        with pytest.raises(BadAnswer):
            strange.read_replies(TicketId("1"))

    def test_a_write_answered_with_nonsense_is_uncertain(self, canned: Canned, strange: Helpdesk) -> None:
        canned.says(200, b"<html>hello</html>")
        with pytest.raises(Uncertain):
            _writing(strange)()

    @pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 413, 422, 429, 500, 503])
    def test_no_secret_stands_in_an_error(
        self, stage: HelpdeskStage, canned: Canned, strange: Helpdesk, status: int
    ) -> None:
        told = " ".join(stage.secrets)
        canned.says(status, f'{{"error":"{told}","description":"{told}"}}'.encode(), Retry_After="0")
        for doing in (strange.check, lambda: strange.read_replies(TicketId("1")), _writing(strange)):
            with pytest.raises(ConnectorError) as error:
                doing()
            shown = f"{error.value} {error.value!r} {error.value.__cause__!r}"
            assert not [secret for secret in stage.secrets if secret in shown]


def _key(word: str) -> Key:
    return key_of("contract", word)


def _ticket_draft(word: str, follow_up_of: TicketId | None = None) -> TicketDraft:
    return TicketDraft(
        external_id=f"conversation-{word}",
        subject="My parcel never came",
        author=ANNA,
        html="<p>My parcel never came.<br>Where is it?</p>",
        settings=Settings(priority="normal", tags=("social",)),
        follow_up_of=follow_up_of,
    )


def _open(desk: Helpdesk, word: str) -> Receipt:
    return desk.send(desk.prepare(_ticket_draft(word)), _key(word))


def _ticket(receipt: Receipt) -> TicketId:
    assert receipt.ticket is not None
    return receipt.ticket


def _writing(desk: Helpdesk) -> Callable[[], Receipt]:
    """A write that needs nothing to be prepared on the other side: our own note."""
    return lambda: desk.send(desk.prepare(CommentDraft(TicketId("1"), "<p>a note</p>")), _key("n"))
