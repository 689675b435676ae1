"""Whatever is sent to a hook over real HTTP: the right refusal in one sentence of JSON, nothing stored, and alive."""

from __future__ import annotations

import base64
import json
import socket
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import Future
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
from daemon_world import SECRET, TOKEN, DaemonWorld, mention
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from standardwebhooks.webhooks import Webhook as Signer

from connector import server
from connector.adapter import ChallengeAnswer
from connector.errors import BadHook, ConnectorError
from connector.helpdesks.zendesk.hooks import sign
from connector.server import Handlers, Listener, application
from connector.store import Store, journal

SIGNING = "whsec_" + base64.b64encode(b"a secret of the bridge's").decode()
BEARER = {"Authorization": f"Bearer {TOKEN}"}
LIMIT = 65_536


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DaemonWorld]:
    """One daemon for all of them: it has to outlive every one."""
    folder = tmp_path_factory.mktemp("server")
    made = DaemonWorld(folder, f"sqlite:///{folder / 'connector.db'}")
    made.settings["sources"]["signed"] = made.webhook(secret=SIGNING)
    del made.settings["sources"]["signed"]["token"]
    made.start()
    yield made
    made.close()


@pytest.fixture
def untouched(world: DaemonWorld) -> Iterator[DaemonWorld]:
    """Afterwards nothing is stored that was not before, and the daemon takes hooks."""
    before = _stored(world)
    yield world
    assert _stored(world) == before
    assert world.running[0].alive
    assert requests.post(_hook(world), json=[], headers=BEARER, timeout=10).json() == {"accepted": 0, "duplicates": 0}


def _stored(world: DaemonWorld) -> tuple[int, int]:
    store = Store(world.settings["store"])
    with store.read() as tx:
        ledger = journal.balance(tx)
    store.close()
    return ledger.received, ledger.duplicates


def _hook(world: DaemonWorld, name: str = "feed") -> str:
    return f"{world.running[0].url}/hooks/{name}"


def _refused(answer: requests.Response, status: int) -> str:
    assert answer.status_code == status, answer.text
    assert answer.headers["Content-Type"] == "application/json"
    body = answer.json()
    assert list(body) == ["error"]
    sentence: str = body["error"]
    assert sentence
    assert "\n" not in sentence
    assert "Traceback" not in sentence
    return sentence


def _with(**facts: Any) -> bytes:
    return json.dumps(mention(1) | facts).encode()


BODIES = {
    "nothing": (b"", 400),
    "not-json": (b"hello", 400),
    "cut": (b'{"id": "m1", "text": "hel', 400),
    "two-values": (b"{} {}", 400),
    "not-text": (b"\xff\xfe\x00{", 400),
    "a-number": (b"12", 422),
    "a-text": (b'"hello"', 422),
    "null": (b"null", 422),
    "an-empty-object": (b"{}", 422),
    "a-list-of-lists": (b"[[]]", 422),
    "no-author": (b'{"id": "m1", "text": "hello"}', 422),
    "id-is-a-list": (_with(id=["m1"]), 422),
    "id-is-empty": (_with(id=""), 422),
    "id-is-true": (_with(id=True), 422),
    "text-is-a-number": (_with(text=5), 422),
    "author-is-text": (_with(author="Anna"), 422),
    "unknown-kind": (_with(kind="shout"), 422),
    "unknown-tone": (_with(tone="cross"), 422),
    "not-a-time": (_with(created_at="yesterday"), 422),
    "script-address": (_with(url="javascript:alert(1)"), 422),
    "nan": (b'{"id": "m1", "text": "x", "author": {"id": "u"}, "rating": NaN}', 422),
    "huge-float": (b'{"id": "m1", "text": "x", "author": {"id": "u"}, "rating": 1e999}', 422),
    "huge-count": (_with(engagement={"likes": 10**40}), 422),
    "deep-list": (b"[" * 20_000 + b"]" * 20_000, 400),
    "deep-object": (b'{"a":' * 9_000 + b"1" + b"}" * 9_000, 400),
    "deep-in-a-mention": (_with()[:-1] + b', "more": ' + b"[" * 20_000 + b"]" * 20_000 + b"}", 400),
    "too-many": (json.dumps([{"id": "m", "text": "x", "author": {"id": "u"}}] * 1_001).encode(), 413),
    "last-one-is-wrong": (json.dumps([mention(n) for n in range(50)] + [{"id": "m50"}]).encode(), 422),
}


@pytest.mark.parametrize(("body", "status"), list(BODIES.values()), ids=list(BODIES))
def test_what_is_no_mention_is_refused_and_not_stored(untouched: DaemonWorld, body: bytes, status: int) -> None:
    _refused(requests.post(_hook(untouched), data=body, headers=BEARER, timeout=10), status)


def test_a_refusal_names_the_place_and_none_of_what_was_said(untouched: DaemonWorld) -> None:
    body = json.dumps([mention(1), mention(2, text="my card is 4111", kind="my secret kind")])
    sentence = _refused(requests.post(_hook(untouched), data=body, headers=BEARER, timeout=10), 422)
    assert sentence.startswith("[1].kind")
    assert "4111" not in sentence


def test_a_body_that_says_it_is_too_large_is_not_read(untouched: DaemonWorld) -> None:
    head = (
        f"POST /hooks/feed HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {TOKEN}\r\nContent-Length: 99999999\r\n\r\n"
    )
    status, body = _raw(untouched, head.encode())
    assert status == 413
    assert json.loads(body) == {"error": f"the body is larger than {LIMIT} bytes"}


def test_a_body_that_grows_too_large_is_cut_off(untouched: DaemonWorld) -> None:
    chunk = b"1000\r\n" + b"x" * 4096 + b"\r\n"
    head = (
        f"POST /hooks/feed HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {TOKEN}\r\nTransfer-Encoding: chunked\r\n\r\n"
    )
    status, body = _raw(untouched, head.encode() + chunk * 20)
    assert status == 413
    assert "larger" in json.loads(body)["error"]


def test_a_caller_that_hangs_up_in_the_middle_leaves_nothing(untouched: DaemonWorld) -> None:
    head = f"POST /hooks/feed HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {TOKEN}\r\nContent-Length: 500\r\n\r\n"
    with _connected(untouched) as line:
        line.sendall(head.encode() + _with()[:40])


def test_a_body_that_dribbles_is_given_up(untouched: DaemonWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "_SLOWEST_BODY", 0.2)
    head = b"POST /hooks/feed HTTP/1.1\r\nHost: x\r\nContent-Length: 500\r\n\r\n{"
    status, body = _raw(untouched, head)
    assert status == 408
    assert "did not come within" in json.loads(body)["error"]


def test_what_is_not_http_is_refused(untouched: DaemonWorld) -> None:
    status, _ = _raw(untouched, b"\x16\x03\x01 hello\r\n\r\n")
    assert status == 400


def _connected(world: DaemonWorld) -> socket.socket:
    address = urlsplit(world.running[0].url)
    assert address.hostname
    assert address.port
    return socket.create_connection((address.hostname, address.port), timeout=10)


def _raw(world: DaemonWorld, sent: bytes) -> tuple[int, bytes]:
    with _connected(world) as line:
        line.sendall(sent)
        answer = b""
        while b"\r\n\r\n" not in answer or not answer.partition(b"\r\n\r\n")[2]:
            piece = line.recv(65_536)
            if not piece:
                break
            answer += piece
    head, _, body = answer.partition(b"\r\n\r\n")
    return int(head.split()[1]), body


# --- who may ---


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": "Bearer wrong-token"},
        {"Authorization": f"Basic {TOKEN}"},
        {"Authorization": TOKEN},
        {"Authorization": "Bearer"},
        {"Authorization": "Bearer \u00fc"},
    ],
    ids=["none", "wrong", "basic", "bare", "empty", "not-ascii"],
)
def test_without_the_token_nothing_is_even_read(untouched: DaemonWorld, headers: dict[str, str]) -> None:
    raw = {name: value.encode("latin-1") for name, value in headers.items()}
    sentence = _refused(requests.post(_hook(untouched), data=b"[" * 30_000, headers=raw, timeout=10), 401)
    assert TOKEN not in sentence


def _signed(body: bytes, at: datetime, secret: str = SIGNING, ident: str = "msg_1") -> dict[str, str]:
    return {
        "webhook-id": ident,
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": Signer(secret).sign(msg_id=ident, timestamp=at, data=body.decode()),
    }


def test_a_signed_call_is_taken_and_the_same_again_is_a_duplicate(world: DaemonWorld) -> None:
    body = _with(id="signed-1", thread_id="signed")
    headers = _signed(body, datetime.now(UTC))
    first, again = (requests.post(_hook(world, "signed"), data=body, headers=headers, timeout=10) for _ in range(2))
    assert first.json() == {"accepted": 1, "duplicates": 0}
    assert again.json() == {"accepted": 0, "duplicates": 1}


@pytest.mark.parametrize(
    "spoil",
    [
        lambda body: _signed(body, datetime.now(UTC) - timedelta(minutes=6)),
        lambda body: _signed(body, datetime.now(UTC) + timedelta(minutes=6)),
        lambda body: _signed(body + b" ", datetime.now(UTC)),
        lambda body: _signed(body, datetime.now(UTC), "whsec_" + base64.b64encode(b"another").decode()),
        lambda body: _signed(body, datetime.now(UTC)) | {"webhook-id": "msg_2"},
        lambda body: _signed(body, datetime.now(UTC)) | {"webhook-timestamp": "soon"},
        lambda body: _signed(body, datetime.now(UTC)) | {"webhook-signature": "v1,%%%"},
        lambda body: _signed(body, datetime.now(UTC)) | {"webhook-signature": "nonsense"},
        lambda body: {"webhook-signature": "v1,AAAA"},
        lambda body: BEARER,
    ],
    ids=["replayed", "future", "body", "secret", "id", "time", "base64", "shape", "alone", "unsigned"],
)
def test_a_signature_that_does_not_fit_is_refused(untouched: DaemonWorld, spoil: Any) -> None:
    body = _with()
    _refused(requests.post(_hook(untouched, "signed"), data=body, headers=spoil(body), timeout=10), 401)


def test_no_other_address_and_no_other_method(untouched: DaemonWorld) -> None:
    url = untouched.running[0].url
    _refused(requests.post(f"{url}/hooks/nobody", json=[], headers=BEARER, timeout=10), 404)
    _refused(requests.post(f"{url}/hooks/feed/more", json=[], headers=BEARER, timeout=10), 404)
    _refused(requests.get(f"{url}/", timeout=10), 404)
    for method in ("GET", "PUT", "DELETE", "PATCH"):
        answer = requests.request(method, _hook(untouched), headers=BEARER, timeout=10)
        assert "POST" in _refused(answer, 405)
        assert answer.headers["Allow"] == "POST"


# --- what is strange and yet welcome ---


def test_what_loses_nothing_is_taken(world: DaemonWorld) -> None:
    before = _stored(world)[0]
    taken = [
        _with(id="n1", text="a\x00b \u202e c"),
        b'{"id": "n2", "text": "half \\ud83d", "author": {"id": "u"}}',
        b'{"id": "x", "id": "n3", "text": "twice", "author": {"id": "u"}}',
        b'\xef\xbb\xbf {"id": 12345678901234567890123, "text": "", "author": {"id": 7}, "unknown": {"x": [1]}}',
    ]
    for body in taken:
        answer = requests.post(_hook(world), data=body, headers=BEARER, timeout=10)
        assert answer.json() == {"accepted": 1, "duplicates": 0}, answer.text
    assert _stored(world)[0] == before + len(taken)


def test_a_thousand_at_once_are_taken_whole(world: DaemonWorld) -> None:
    many = [{"id": f"k{n}", "text": "x", "thread_id": "k", "author": {"id": "u"}} for n in range(1_000)]
    body = json.dumps(many, separators=(",", ":"))
    assert len(body) < LIMIT
    answer = requests.post(_hook(world), data=body, headers=BEARER, timeout=30)
    assert answer.json() == {"accepted": 1_000, "duplicates": 0}


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=300) | st.text(max_size=100).map(lambda text: json.dumps({"id": text}).encode()))
def test_any_bytes_at_all_are_answered_in_a_sentence(untouched: DaemonWorld, body: bytes) -> None:
    answer = requests.post(_hook(untouched), data=body, headers=BEARER, timeout=10)
    assert answer.status_code in (200, 400, 413, 422), answer.text
    if answer.status_code == 200:
        assert answer.json() == {"accepted": 0, "duplicates": 0}, body
    else:
        _refused(answer, answer.status_code)


# --- Zendesk's hooks ---


def _zendesk(body: bytes, at: str, secret: str = SECRET) -> dict[str, str]:
    return {
        "X-Zendesk-Webhook-Signature": sign(secret, at, body),
        "X-Zendesk-Webhook-Signature-Timestamp": at,
        "Content-Type": "application/json",
    }


def _now(shift: float = 0.0) -> str:
    return datetime.fromtimestamp(time.time() + shift, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


EVENT = json.dumps({"type": "zen:event-type:ticket.comment_added", "subject": "zen:ticket:1", "detail": {"id": "1"}})


def test_a_zendesk_hook_may_come_twice(untouched: DaemonWorld) -> None:
    body = EVENT.encode()
    headers = _zendesk(body, _now())
    for _ in range(2):
        answer = requests.post(_hook(untouched, "desk"), data=body, headers=headers, timeout=10)
        assert answer.status_code == 200
        assert list(answer.json()) == ["woken"]


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        (EVENT, lambda body: _zendesk(body, _now(), "wrong"), 401),
        (EVENT, lambda body: _zendesk(body, _now(-4_000)), 401),
        (EVENT, lambda body: _zendesk(body, _now(4_000)), 401),
        (EVENT, lambda body: _zendesk(body, "lately"), 401),
        (EVENT, lambda body: _zendesk(body + b" ", _now()), 401),
        (EVENT, lambda body: {}, 401),
        (EVENT, lambda body: BEARER, 401),
        ("nonsense", lambda body: _zendesk(body, _now()), 400),
        ("[]", lambda body: _zendesk(body, _now()), 400),
        ("[" * 20_000, lambda body: _zendesk(body, _now()), 400),
        ('{"ticket_id": -1}', lambda body: _zendesk(body, _now()), 400),
        ('{"ticket_id": 1e400}', lambda body: _zendesk(body, _now()), 400),
        ('{"ticket_id": ' + "9" * 5_000 + "}", lambda body: _zendesk(body, _now()), 400),
    ],
    ids="wrong old future time body none bearer nonsense list deep negative infinite long".split(),
)
def test_a_zendesk_hook_that_is_not_zendesks_is_refused(
    untouched: DaemonWorld, body: str, headers: Any, status: int
) -> None:
    raw = body.encode()
    _refused(requests.post(_hook(untouched, "desk"), data=raw, headers=headers(raw), timeout=10), status)


# --- the listener itself ---


def _listening(receive: Any) -> Listener:
    handlers = Handlers(receive=receive, alive=lambda: "", ready=lambda: "", metrics=lambda: (b"", "text/plain"))
    listener = Listener(application(handlers, LIMIT), "127.0.0.1", 0)
    listener.start()
    return listener


def test_an_adapters_bug_is_answered_in_a_sentence_without_its_details() -> None:
    def bug(*_: Any) -> Future[dict[str, Any]]:
        raise RuntimeError("with a secret in it")

    listener = _listening(bug)
    try:
        sentence = _refused(requests.post(f"{listener.address}/hooks/feed", data=b"x", timeout=10), 500)
        assert "secret" not in sentence
    finally:
        listener.stop()


def test_a_taken_port_is_told_at_once() -> None:
    listener = _listening(lambda *_: Future())
    port = urlsplit(listener.address).port
    assert port
    try:
        handlers = Handlers(lambda *_: Future(), lambda: "", lambda: "", lambda: (b"", ""))
        with pytest.raises(ConnectorError, match=f"cannot listen on 127.0.0.1:{port}"):
            Listener(application(handlers, LIMIT), "127.0.0.1", port)
    finally:
        listener.stop()


def test_stopping_answers_what_is_under_way() -> None:
    waiting: list[Future[dict[str, Any]]] = []

    def receive(*_: Any) -> Future[dict[str, Any]]:
        waiting.append(Future())
        return waiting[-1]

    listener = _listening(receive)
    with socket.create_connection(("127.0.0.1", urlsplit(listener.address).port or 0), timeout=10) as line:
        line.sendall(b"POST /hooks/feed HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n")
        while not waiting:
            time.sleep(0.005)
        listener._server.should_exit = True
        waiting[0].set_result({"accepted": 1})
        answer = b""
        while piece := line.recv(4096):
            answer += piece
        assert answer.endswith(b'{"accepted":1}')
    listener.stop()


def test_a_platform_that_asks_whether_the_address_is_ours_is_answered() -> None:
    def challenged(name: str, query: Mapping[str, str]) -> ChallengeAnswer:
        if name != "there":
            raise LookupError(name)
        if query.get("token") != "good":
            raise BadHook("the token is another", status=403)
        return ChallengeAnswer('{"token": "good"}', "application/json")

    handlers = Handlers(lambda *_: Future(), lambda: "", lambda: "", lambda: (b"", ""), challenged)
    listener = Listener(application(handlers, LIMIT), "127.0.0.1", 0)
    listener.start()
    try:
        hooks = f"{listener.address}/hooks"
        asked = requests.get(f"{hooks}/there?token=good", timeout=10)
        assert (asked.status_code, asked.headers["Content-Type"], asked.json()) == (
            200,
            "application/json",
            {"token": "good"},
        )
        assert _refused(requests.get(f"{hooks}/there?token=bad", timeout=10), 403) == "the token is another"
        assert requests.get(f"{hooks}/nobody", timeout=10).headers["Allow"] == "POST"
        _refused(requests.put(f"{hooks}/there?token=good", timeout=10), 405)
    finally:
        listener.stop()
