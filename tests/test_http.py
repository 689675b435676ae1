"""The one door, against a server that misbehaves: each failure comes out as what is to be done about it."""

from __future__ import annotations

import contextlib
import gzip
import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from connector import http as door
from connector import wire
from connector.errors import (
    AuthFailed,
    BadAnswer,
    ConnectorError,
    Gone,
    RateLimited,
    Rejected,
    Temporary,
    Uncertain,
    Unsupported,
)
from connector.http import Answer, Budget, Download, Http, retry_after
from connector.log import remember_secret
from connector.model import Attachment

Handler = BaseHTTPRequestHandler
Answering = Callable[[Handler], None]


class Server:
    """A loopback server that does what a test says, and remembers what it was asked."""

    def __init__(self, answering: Answering) -> None:
        self.asked: list[tuple[str, str, dict[str, str], bytes]] = []
        outer = self

        class Told(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                outer.asked.append((self.command, self.path, dict(self.headers.items()), body))
                answering(self)

            do_POST = do_PUT = do_HEAD = do_DELETE = do_GET  # noqa: N815  the base class's words

            def log_message(self, *_: Any) -> None: ...

        class Quiet(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *_: Any) -> None: ...

        self.server = Quiet(("127.0.0.1", 0), Told)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"


@contextmanager
def serving(answering: Answering) -> Iterator[Server]:
    server = Server(answering)
    thread = threading.Thread(target=server.server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.server.shutdown()
        server.server.server_close()
        thread.join()


def answer(status: int, body: bytes = b"{}", **headers: str) -> Answering:
    def told(handler: Handler) -> None:
        handler.send_response(status)
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    return told


def cut(handler: Handler) -> None:
    """The request was read; the connection is reset."""
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")
    handler.connection.close()
    handler.close_connection = True


def silent(handler: Handler) -> None:
    """No answer before the other side gives up."""
    handler.connection.settimeout(5)
    handler.rfile.read(1)
    handler.close_connection = True


def cut_within(handler: Handler) -> None:
    """Half an answer."""
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nhalf")
    handler.close_connection = True


def nonsense(handler: Handler) -> None:
    handler.wfile.write(b"hello, I am no HTTP\r\n\r\n")
    handler.close_connection = True


def in_turn(turns: Iterator[Answering]) -> Answering:
    """One after another."""

    def told(handler: Handler) -> None:
        next(turns)(handler)

    return told


@pytest.fixture
def http() -> Iterator[Http]:
    """An impatient one."""
    made = Http("desk", timeout=(1.0, 0.2))
    yield made
    made.close()


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Repetitions follow at once."""
    monkeypatch.setattr(door, "_REPEATED", door._REPEATED.copy(sleep=lambda _: None))


def closed_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


# --- what no answer means -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_refused_connection_is_temporary_for_reads_and_writes(method: str, http: Http) -> None:
    with pytest.raises(Temporary, match="desk ask: cannot connect: connection refused"):
        http.call(method, f"http://127.0.0.1:{closed_port()}/", operation="ask")


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_name_nobody_knows_is_temporary(method: str, http: Http) -> None:
    with pytest.raises(Temporary, match="cannot connect"):
        http.call(method, "http://nobody.invalid/", operation="ask")


@pytest.mark.parametrize("how", [silent, cut, cut_within, nonsense])
def test_a_read_without_an_answer_is_repeated_and_then_temporary(how: Answering, http: Http) -> None:
    with serving(how) as server, pytest.raises(Temporary):
        http.call("GET", server.url, operation="ask")

    assert len(server.asked) == 3


@pytest.mark.parametrize("how", [silent, cut, cut_within, nonsense])
def test_a_write_without_an_answer_is_uncertain_and_never_repeated(how: Answering, http: Http) -> None:
    with serving(how) as server, pytest.raises(Uncertain, match="sent, but no answer came"):
        http.call("POST", server.url, operation="open ticket", json={"a": 1})

    assert len(server.asked) == 1


def test_a_write_that_is_harmless_may_be_repeated(http: Http) -> None:
    with serving(cut) as server, pytest.raises(Temporary):
        http.call("POST", server.url, operation="log in", read=True)

    assert len(server.asked) == 3


def test_what_signs_a_call_is_made_anew_for_each_try(http: Http) -> None:
    numbers = iter(range(9))
    with serving(cut) as server, pytest.raises(Temporary):
        http.call("GET", server.url, operation="ask", sign=lambda: {"X-Once": str(next(numbers))})

    assert [headers["X-Once"] for _, _, headers, _ in server.asked] == ["0", "1", "2"]


def test_a_read_that_is_not_harmless_is_not_repeated(http: Http) -> None:
    with serving(cut) as server, pytest.raises(Uncertain):
        http.call("GET", server.url, operation="press", read=False)

    assert len(server.asked) == 1


def test_a_read_that_works_again_is_answered(http: Http) -> None:
    turns = iter([cut, answer(503), answer(200, b'{"fine": true}')])
    with serving(in_turn(turns)) as server:
        assert http.call("GET", server.url, operation="ask").json() == {"fine": True}


def test_a_kept_connection_that_the_server_closed_between_calls_costs_no_write(http: Http) -> None:
    """Servers close idle connections at any time; a write that meets a closed one is not known to be unsent."""

    closed = threading.Event()

    def once(handler: Handler) -> None:
        answer(200)(handler)
        handler.wfile.flush()
        handler.close_connection = True
        handler.connection.shutdown(socket.SHUT_RDWR)
        closed.set()

    with serving(once) as server:
        for _ in range(3):
            assert http.call("POST", server.url, operation="write", json={}).status == 200
            assert closed.wait(5)
            closed.clear()


# --- what a status means ------------------------------------------------------------------------------------------

REFUSALS: list[tuple[int, type[ConnectorError], type[ConnectorError]]] = [
    (301, BadAnswer, BadAnswer),
    (400, Rejected, Rejected),
    (401, AuthFailed, AuthFailed),
    (403, AuthFailed, AuthFailed),
    (404, Gone, Gone),
    (405, Unsupported, Unsupported),
    (408, Temporary, Uncertain),
    (409, Rejected, Rejected),
    (410, Gone, Gone),
    (413, Rejected, Rejected),
    (422, Rejected, Rejected),
    (429, RateLimited, RateLimited),
    (500, Temporary, Uncertain),
    (501, Temporary, Uncertain),
    (502, Temporary, Uncertain),
    (503, Temporary, Uncertain),
    (504, Temporary, Uncertain),
    (599, Temporary, Uncertain),
]


@pytest.mark.parametrize(("status", "read", "write"), REFUSALS)
def test_a_status_says_what_to_do(
    status: int, read: type[ConnectorError], write: type[ConnectorError], http: Http
) -> None:
    for method, wanted in (("GET", read), ("POST", write)):
        with serving(answer(status)) as server, pytest.raises(ConnectorError) as caught:
            http.call(method, server.url, operation="ask")
        http.budget = Budget()

        assert type(caught.value) is wanted
        assert caught.value.status == status
        assert str(caught.value).startswith("desk ask: ")
        assert len(server.asked) == (3 if type(caught.value) is Temporary else 1)


def test_a_status_that_was_expected_is_an_answer(http: Http) -> None:
    with serving(answer(404, b"no")) as server:
        assert http.call("GET", server.url, operation="ask", expect=[404]).text == "no"


def test_a_write_is_never_sent_elsewhere(http: Http) -> None:
    with (
        serving(answer(200)) as there,
        serving(answer(307, Location=there.url)) as here,
        pytest.raises(BadAnswer, match="redirected somewhere else"),
    ):
        http.call("POST", here.url, operation="write", json={})

    assert there.asked == []


def test_a_read_follows_and_leaves_its_credentials_behind(http: Http) -> None:
    with serving(answer(200, b'{"a": 1}')) as there, serving(answer(302, Location=there.url)) as here:
        found = http.call("GET", here.url, operation="ask", auth=("ann", "pass"))

    assert found.json() == {"a": 1}
    assert "Authorization" in here.asked[0][2]
    assert "Authorization" not in there.asked[0][2]


@pytest.mark.parametrize("header", ["Api-Key", "X-API-Key", "Authorization", "Cookie", "X-Vault-Token"])
def test_no_header_with_a_credential_goes_to_another_server(http: Http, header: str) -> None:
    sent = {header: "our secret", "If-None-Match": '"7"', "Accept": "application/json"}
    with serving(answer(200)) as there, serving(answer(302, Location=there.url)) as here:
        http.call("GET", here.url, operation="ask", headers=sent)

    assert here.asked[0][2][header] == "our secret"
    assert header not in there.asked[0][2]
    assert (there.asked[0][2]["If-None-Match"], there.asked[0][2]["Accept"]) == ('"7"', "application/json")
    assert "our secret" not in str(there.asked)


def test_on_the_same_server_a_read_keeps_its_credentials(http: Http) -> None:
    with serving(in_turn(iter([answer(302, Location="/there"), answer(200)]))) as server:
        http.call("GET", server.url, operation="ask", headers={"Api-Key": "our secret"})

    assert [asked[2]["Api-Key"] for asked in server.asked] == ["our secret", "our secret"]


@pytest.mark.parametrize("status", [307, 308])
def test_what_a_read_says_in_its_body_goes_to_no_other_server(http: Http, status: int) -> None:
    with (
        serving(answer(200)) as there,
        serving(answer(status, Location=there.url)) as here,
        pytest.raises(BadAnswer, match="redirected somewhere else"),
    ):
        http.call("POST", here.url, operation="ask", body=b"secret=1", read=True)

    assert there.asked == []


def test_a_circle_of_redirects_ends(http: Http) -> None:
    with serving(answer(302, Location="/again")) as server, pytest.raises(ConnectorError):
        http.call("GET", server.url, operation="ask")

    assert len(server.asked) <= 18


@pytest.mark.parametrize("body", [b"", b"hello", b"{", b"[" * 100_000, b"\xff\xfe"])
def test_what_is_not_json_is_a_bad_answer(body: bytes, http: Http) -> None:
    with serving(answer(200, body)) as server, pytest.raises(BadAnswer, match="not JSON"):
        http.call("GET", server.url, operation="ask").json()


def test_a_huge_answer_is_not_read(http: Http, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(door, "_MAX_ANSWER", 100_000)

    def chunked(handler: Handler) -> None:
        handler.send_response(200)
        handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()
        for _ in range(10):
            handler.wfile.write(b"4e20\r\n" + b"x" * 20_000 + b"\r\n")
        handler.wfile.write(b"0\r\n\r\n")

    bomb = gzip.compress(b"x" * 10_000_000)
    for how in (answer(200, b"x" * 100_001), chunked, answer(200, bomb, Content_Encoding="gzip")):
        with serving(how) as server, pytest.raises(BadAnswer, match="larger than"):
            http.call("GET", server.url, operation="ask")
    with serving(answer(200, b"x" * 100_000)) as server:
        assert len(http.call("GET", server.url, operation="ask").body) == 100_000


def test_a_huge_answer_to_a_write_leaves_open_whether_it_happened(
    http: Http, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(door, "_MAX_ANSWER", 10)
    with serving(answer(200, b"x" * 100)) as server, pytest.raises(Uncertain):
        http.call("POST", server.url, operation="write", json={})


def test_an_answer_that_drips_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each byte comes in time, the whole would take for ever."""
    monkeypatch.setattr(door, "_LONGEST", 0.5)
    end = threading.Event()

    def dripping(handler: Handler) -> None:
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        while not end.wait(0.05):
            handler.wfile.write(b"x")
            handler.wfile.flush()

    patient = Http("desk", timeout=(1.0, 5.0), allow_private=True)
    with serving(dripping) as server:
        with pytest.raises(Uncertain):
            patient.call("POST", server.url, operation="ask", json={})
        with pytest.raises(Temporary):
            patient.download(server.url, limit=10_000)
        end.set()
    patient.close()


@pytest.mark.parametrize("url", ["nowhere", "ftp://x.example/", "http://", "http://[::1", "", "http://a b/"])
def test_an_address_that_is_none_is_rejected(url: str, http: Http) -> None:
    with pytest.raises(Rejected, match="the address of the call is not valid"):
        http.call("POST", url, operation="ask")


# --- limits -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("header", "least", "most"),
    [
        ("7", 7, 7),
        ("0", 30, 30),
        ("1.5", 1.5, 1.5),
        ("", 30, 30),
        ("soon", 30, 30),
        ("-5", 30, 30),
        ("nan", 30, 30),
        ("inf", 30, 86_400),
        ("1e12", 30, 86_400),
        ("date", 55, 60),
    ],
)
def test_a_429_waits_as_long_as_it_says(header: str, least: float, most: float, http: Http) -> None:
    value = format_datetime(datetime.now(UTC) + timedelta(seconds=60), usegmt=True) if header == "date" else header
    with serving(answer(429, Retry_After=value)) as server, pytest.raises(RateLimited) as caught:
        http.call("GET", server.url, operation="ask")

    assert least <= caught.value.wait <= most
    assert caught.value.scope == "account"
    assert len(server.asked) == 1


def test_a_429_without_a_wait_pauses_a_little(http: Http) -> None:
    with serving(answer(429)) as server, pytest.raises(RateLimited) as caught:
        http.call("POST", server.url, operation="ask")

    assert caught.value.wait == 30


@pytest.mark.parametrize("status", [500, 503])
def test_a_broken_server_may_say_how_long(status: int, http: Http) -> None:
    with serving(answer(status, Retry_After="120")) as server, pytest.raises(Temporary) as caught:
        http.call("GET", server.url, operation="ask")

    assert caught.value.wait == 120


def test_a_paused_account_costs_no_call(http: Http) -> None:
    with serving(answer(429, Retry_After="60")) as server:
        for _ in range(3):
            with pytest.raises(RateLimited) as caught:
                http.call("POST", server.url, operation="ask")

    assert len(server.asked) == 1
    assert 59 < caught.value.wait <= 60
    assert "desk ask" in str(caught.value)


def test_a_limit_of_one_endpoint_or_ticket_holds_only_that(http: Http) -> None:
    def turn(handler: Handler) -> None:
        answer(429 if handler.path == "/7" else 200, Retry_After="60")(handler)

    def ask(number: str) -> None:
        http.call(
            "PUT",
            f"{server.url}/{number}",
            operation="ask",
            limits=[f"ticket {number}"],
            limited=lambda _: (f"ticket {number}", "lane"),
        )

    with serving(turn) as server:
        with pytest.raises(RateLimited) as first:
            ask("7")
        with pytest.raises(RateLimited) as second:
            ask("7")
        ask("8")

    assert [path for _, path, _, _ in server.asked] == ["/7", "/8"]
    assert first.value.scope == second.value.scope == "lane"


def test_every_answer_is_learnt_from_refused_or_not(http: Http) -> None:
    seen: list[int] = []
    turns = iter([answer(200), answer(500), answer(429)])
    with serving(in_turn(turns)) as server:
        for _ in range(3):
            try:
                http.call("POST", server.url, operation="ask", learn=lambda told: seen.append(told.status))
            except ConnectorError:
                continue

    assert seen == [200, 500, 429]


def test_a_budget_keeps_the_longest_pause_and_forgets_it_when_it_is_over() -> None:
    now = [100.0]
    budget = Budget(clock=lambda: now[0])
    budget.pause("ticket 7", 50, "lane")
    budget.pause("ticket 7", 10, "account")

    with pytest.raises(RateLimited) as caught:
        budget.take(["ticket 7"], "desk", "ask")
    assert (caught.value.wait, caught.value.scope) == (50, "lane")
    budget.take(["ticket 8"], "desk", "ask")
    now[0] = 150.0
    budget.take(["ticket 7"], "desk", "ask")


def test_a_pause_of_the_account_holds_every_name() -> None:
    budget = Budget(clock=lambda: 0.0)
    budget.pause("", 5, "account")

    for names in ([], ["anything"]):
        with pytest.raises(RateLimited):
            budget.take(names, "desk", "ask")


def test_a_budget_of_many_tickets_does_not_grow_for_ever() -> None:
    now = [0.0]
    budget = Budget(clock=lambda: now[0])
    for number in range(20_000):
        now[0] += 1
        budget.pause(f"ticket {number}", 10)

    assert len(budget._until) < 6_000


def test_retry_after_reads_both_forms() -> None:
    def told(value: str) -> float | None:
        return retry_after(Answer(429, {"Retry-After": value}, b""))

    assert told("3") == 3
    assert told("Thu, 01 Jan 1970 00:00:00 GMT") == 0
    assert told("never") is None
    assert told("nan") is None
    assert retry_after(Answer(429, {}, b"")) is None


# --- what is sent, what is shown ----------------------------------------------------------------------------------


def test_json_is_sent_as_it_is_written(http: Http) -> None:
    with serving(answer(200)) as server:
        http.call("POST", server.url + "/a?b=1", operation="w", json={"text": "Чайник ☕"}, params={"c": "д&"})

    (method, path, headers, body), *_ = server.asked
    assert (method, path) == ("POST", "/a?b=1&c=%D0%B4%26")
    assert json.loads(body) == {"text": "Чайник ☕"}
    assert headers["Content-Type"] == "application/json"
    assert headers["User-Agent"].startswith("connector/")


@pytest.mark.parametrize("value", ["a\r\nX-Evil: 1", "a\nb", "a\r"])
def test_a_header_cannot_hold_another_header(value: str, http: Http) -> None:
    with serving(answer(200)) as server, pytest.raises(Rejected):
        http.call("POST", server.url, operation="w", headers={"X-Key": value})

    assert server.asked == []


def test_a_header_beyond_latin_1_is_sent_as_utf_8_or_rejected_and_never_a_bug(http: Http) -> None:
    with serving(answer(200)) as server:
        try:
            http.call("POST", server.url, operation="w", headers={"X-Key": "ключ"})
        except Rejected:
            assert server.asked == []
        else:
            assert server.asked[0][2]["X-Key"].encode("latin-1").decode() == "ключ"


def test_credentials_beyond_latin_1_are_sent_as_utf_8_or_rejected_and_never_a_bug(http: Http) -> None:
    with serving(answer(200)) as server:
        http.call("GET", server.url, operation="w", auth=("анна@acme.example/token", "пароль"))

    assert server.asked[0][2]["Authorization"].startswith("Basic ")


def test_no_secret_stands_in_an_error(http: Http) -> None:
    remember_secret("s3cr3t-t0ken")
    http.explain = lambda told: told.text
    echo = b"you sent Authorization: Bearer abcdef123456 and s3cr3t-t0ken to https://u:p4ss@x.example/"
    for status in (400, 401, 403, 404, 409, 422, 500, 503):
        with serving(answer(status, echo)) as server, pytest.raises(ConnectorError) as caught:
            http.call("POST", server.url + "?token=s3cr3t-t0ken", operation="w", auth=("a", "s3cr3t-t0ken"))
        assert not any(word in str(caught.value) for word in ("s3cr3t", "abcdef123456", "p4ss"))
        assert caught.value.__cause__ is None


@pytest.mark.parametrize("how", [cut, silent])
def test_no_address_stands_in_an_error_without_an_answer(how: Answering, http: Http) -> None:
    with serving(how) as server, pytest.raises(Uncertain) as caught:
        http.call("POST", server.url + "/hook?key=abcdefgh", operation="w")

    assert "abcdefgh" not in str(caught.value)


def test_an_explanation_that_fails_is_no_second_error(http: Http) -> None:
    http.explain = lambda told: str(told.json()["error"]["message"])
    for body in (b"<html>", b"[]", b"{}", b'{"error": "text"}'):
        with serving(answer(422, body)) as server, pytest.raises(Rejected, match="HTTP 422"):
            http.call("POST", server.url, operation="w")


def test_a_long_explanation_is_cut(http: Http) -> None:
    http.explain = lambda told: told.text
    with serving(answer(422, b"x" * 5_000)) as server, pytest.raises(Rejected) as caught:
        http.call("POST", server.url, operation="w")

    assert len(caught.value.sentence) <= 500


# --- sessions -----------------------------------------------------------------------------------------------------


def test_each_thread_has_its_own_session_and_all_are_closed(http: Http) -> None:
    found: list[Any] = []
    with serving(answer(200)) as server:

        def ask() -> None:
            http.call("GET", server.url, operation="ask")
            found.append(http._session())

        for _ in range(3):
            thread = threading.Thread(target=ask)
            thread.start()
            thread.join()

    assert len({id(session) for session in found}) == 3
    assert len(http._sessions) == 3
    http.close()
    http.close()
    assert http._sessions == []


def test_a_connection_is_kept_for_the_next_call(http: Http) -> None:
    peers: set[Any] = set()

    def told(handler: Handler) -> None:
        peers.add(handler.client_address)
        answer(200)(handler)

    with serving(told) as server:
        for _ in range(4):
            http.call("POST", server.url, operation="w", json={})

    assert len(peers) == 1


def test_cookies_are_not_kept(http: Http) -> None:
    with serving(answer(200, Set_Cookie="session=1; Path=/")) as server:
        for _ in range(2):
            http.call("GET", server.url, operation="ask")

    assert "Cookie" not in server.asked[1][2]


def test_a_netrc_file_gives_no_credentials_away(http: Http, tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "netrc").write_text("default login someone password else\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    with serving(answer(200)) as server:
        http.call("GET", server.url, operation="ask")

    assert "Authorization" not in server.asked[0][2]


def test_a_proxy_is_used_but_for_what_is_excepted(monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(answer(200, b"from the proxy")) as proxy, serving(answer(200, b"directly")) as server:
        monkeypatch.setenv("http_proxy", proxy.url)
        monkeypatch.setenv("no_proxy", "127.0.0.1,internal.example")
        http = Http("desk", timeout=(1.0, 1.0))
        near = http.call("GET", server.url, operation="ask").text
        far = http.call("GET", "http://somewhere.example/x", operation="ask").text
        http.close()

    assert (near, far) == ("directly", "from the proxy")
    assert proxy.asked[0][1] == "http://somewhere.example/x"


# --- downloads ----------------------------------------------------------------------------------------------------

PRIVATE = [
    "127.0.0.1", "127.9.9.9", "10.0.0.1", "169.254.169.254", "192.168.1.1", "172.16.0.1", "100.64.0.1", "0.0.0.0",
    "[::1]", "[::]", "[fc00::1]", "[fe80::1]", "[::ffff:127.0.0.1]", "[::ffff:10.0.0.1]", "[64:ff9b::7f00:1]",
    "[2002:7f00:1::]", "2130706433", "0x7f000001", "0x7f.1", "127.1", "017700000001", "localhost",
]  # fmt: skip


class Reached:
    """Sockets that connect nowhere and say where they would have: what a name resolves to decides."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, names: dict[str, str]) -> None:
        self.connected: list[str] = []
        resolve, connect = socket.getaddrinfo, socket.socket.connect
        outer = self

        def known(host: Any, *args: Any, **more: Any) -> Any:
            return resolve(names.get(host, host), *args, **more)

        def connecting(sock: socket.socket, address: Any) -> None:
            outer.connected.append(str(address[0]))
            connect(sock, address)

        monkeypatch.setattr(socket, "getaddrinfo", known)
        monkeypatch.setattr(socket.socket, "connect", connecting)


@pytest.mark.parametrize("host", PRIVATE)
def test_a_download_reaches_no_private_address(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    reached = Reached(monkeypatch, {})
    http = Http("desk", timeout=(0.3, 0.3))
    with serving(answer(200, b"inside")) as server, pytest.raises(Rejected, match="the address is not public"):
        http.download(f"http://{host}:{server.url.rpartition(':')[2]}/", limit=1_000)
    http.close()

    assert server.asked == []
    assert reached.connected == []


def test_a_download_reaches_no_private_address_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    reached = Reached(monkeypatch, {"innocent.example": "127.0.0.1"})
    http = Http("desk")
    with serving(answer(200, b"inside")) as server, pytest.raises(Rejected, match="the address is not public"):
        http.download(f"http://innocent.example:{server.url.rpartition(':')[2]}/", limit=1_000)
    http.close()

    assert server.asked == []
    assert reached.connected == []


def test_a_download_reaches_no_private_address_through_a_redirect(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first server stands on loopback and is let through, as if it were public; the second is not."""
    with serving(answer(200, b"inside")) as inside, serving(answer(302, Location=inside.url)) as outside:
        answers = iter([True])
        public = wire.is_public
        monkeypatch.setattr(wire, "is_public", lambda address: next(answers, public(address)))
        http = Http("desk")
        with pytest.raises(Rejected, match="the address is not public"):
            http.download(outside.url, limit=1_000)
        http.close()

    assert len(outside.asked) == 1
    assert inside.asked == []


def test_a_download_goes_through_no_proxy_which_would_reach_what_we_may_not(monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(answer(200, b"inside")) as proxy:
        monkeypatch.setenv("http_proxy", proxy.url)
        http = Http("desk", timeout=(0.3, 0.3))
        with pytest.raises(Rejected):
            http.download("http://10.0.0.1/", limit=1_000)
        http.close()

    assert proxy.asked == []


@pytest.fixture
def near() -> Iterator[Http]:
    """A door that may download from loopback, for the tests."""
    made = Http("desk", timeout=(1.0, 0.5), allow_private=True)
    yield made
    made.close()


def test_a_file_is_downloaded_with_its_type(near: Http) -> None:
    with serving(answer(200, b"picture", Content_Type="image/png; charset=binary")) as server:
        file = near.download(server.url, limit=7)

    assert (file.content, file.type) == (b"picture", "image/png")


def endless(handler: Handler) -> None:
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + b"x" * 5_000)
    handler.close_connection = True


@pytest.mark.parametrize(
    "how", [answer(200, b"x" * 2_049), endless, answer(200, gzip.compress(b"x" * 9_000), Content_Encoding="gzip")]
)
def test_a_file_that_is_too_large_is_rejected(how: Answering, near: Http) -> None:
    with serving(how) as server, pytest.raises(Rejected, match="the file is larger than 2 kB"):
        near.download(server.url, limit=2_048)


@pytest.mark.parametrize("length", ["-5", "many", "99999999999999999999"])
def test_a_length_that_lies_is_no_bug(length: str, near: Http) -> None:
    def lying(handler: Handler) -> None:
        handler.wfile.write(f"HTTP/1.1 200 OK\r\nContent-Length: {length}\r\nConnection: close\r\n\r\nhello".encode())
        handler.close_connection = True

    with serving(lying) as server, contextlib.suppress(ConnectorError):
        assert near.download(server.url, limit=2_048).content == b"hello"


@pytest.mark.parametrize("status", [204, 301, 403, 404, 500])
def test_a_file_that_is_not_there_is_rejected(status: int, near: Http) -> None:
    with serving(answer(status, b"")) as server, pytest.raises(Rejected, match="the file cannot be fetched"):
        near.download(server.url, limit=2_048)


@pytest.mark.parametrize(
    "url",
    ["ftp://x.example/a", "file:///etc/passwd", "data:text/plain,a", "nothing", "", "http://", "http://[::1", "//x"],
)
def test_an_address_that_cannot_be_fetched_is_rejected(url: str, near: Http) -> None:
    with pytest.raises(Rejected, match="the address cannot be fetched"):
        near.download(url, limit=2_048)


@pytest.mark.parametrize("target", ["file:///etc/passwd", "ftp://x.example/", "http://[::1"])
def test_a_redirect_to_what_cannot_be_fetched_is_rejected(target: str, near: Http) -> None:
    with (
        serving(answer(302, Location=target)) as server,
        pytest.raises(Rejected, match="the address cannot be fetched"),
    ):
        near.download(server.url, limit=2_048)


@pytest.mark.parametrize("how", [cut, silent, cut_within, nonsense])
def test_a_download_that_breaks_off_is_temporary(how: Answering, near: Http) -> None:
    with serving(how) as server, pytest.raises(Temporary, match="the file cannot be fetched now"):
        near.download(server.url, limit=2_048)


def test_a_file_that_only_a_source_can_fetch_is_asked_of_it(near: Http) -> None:
    held = Attachment("https://t.example/1", ref="tg/abc")
    with pytest.raises(Rejected, match="not known here"):
        near.file(held, limit=9)
    asked: list[tuple[str, int]] = []

    def fetch(ref: str, limit: int) -> Download:
        asked.append((ref, limit))
        return Download(b"x", "image/jpeg")

    near.held = fetch
    assert near.file(held, limit=9).content == b"x"
    assert asked == [("tg/abc", 9)]
    with serving(answer(200)) as server:
        assert near.file(Attachment(server.url), limit=2_048).content
    assert len(asked) == 1


def test_a_download_sends_no_credentials_of_ours(near: Http) -> None:
    with serving(answer(200)) as server:
        near.call("GET", server.url, operation="ask", auth=("a", "b"))
        near.download(server.url, limit=2_048)

    assert "Authorization" not in server.asked[1][2]
