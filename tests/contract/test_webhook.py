"""The webhook source keeps the contract, with a bridge on loopback that keeps its promise about keys."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from loopback import Asked, Loopback, Told
from pydantic import ValidationError
from standardwebhooks.webhooks import Webhook as Signer

from connector.adapter import Hook
from connector.errors import BadHook, Closed, ConnectorError, Gone, Rejected, Temporary, Uncertain, Unsupported
from connector.http import Http
from connector.model import Attachment, Receipt, ReplyDraft, key_of
from connector.sources.webhook import Webhook, WebhookOptions
from connector.testing.contracts import Misbehaviour, SourceContract, SourceWorld, a_mention

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
TOKEN = "a-token-for-the-feed"


def source_with(**more: Any) -> Webhook:
    given = {"type": "webhook", "helpdesk": "desk", "token": TOKEN, "secret": SECRET, **more}
    return Webhook("feed", WebhookOptions.model_validate(given), Http("feed"))


def signed(body: bytes, *, secret: str = SECRET, at: datetime | None = None, msg_id: str = "msg_1") -> Hook:
    at = at or datetime.now(UTC)
    headers = {
        "webhook-id": msg_id,
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": Signer(secret).sign(msg_id, at, body.decode()),
    }
    return Hook(headers, body, time.time())


def one(text: str = "hello") -> bytes:
    return json.dumps({"id": "1", "text": text, "author": {"id": "ann"}}).encode()


class Bridge(SourceWorld):
    """The receiver of replies: the same key again is the same post."""

    def __init__(self) -> None:
        self.server = Loopback(self.take)
        self.posts: dict[str, dict[str, Any]] = {}
        self.how = ""
        self.secrets = (SECRET, SECRET[6:], TOKEN)

    def start(self, **more: Any) -> None:
        self.source: Webhook = source_with(reply_url=f"{self.server.url}/reply", **more)

    def take(self, asked: Asked) -> Told | None:
        verb, path, headers, body = asked
        assert (verb, path) == ("POST", "/reply")
        answers: dict[str, Told] = {
            "unauthorized": (401, {}, b'{"error": "unknown signature"}'),
            "slow_down": (429, {"Retry-After": "7"}, b""),
            "broken": (500, {}, b"oops"),
            "refuses": (422, {}, b'{"error": "too rude"}'),
            "nonsense": (200, {}, b"<html>thanks</html>"),
        }
        if self.how in answers:
            return answers[self.how]
        Signer(SECRET).verify(body, headers)
        told = json.loads(body)
        assert told["key"] == headers["webhook-id"]
        self.posts.setdefault(told["key"], told)
        number = list(self.posts).index(told["key"]) + 1
        reply = {"id": f"r{number}", "url": f"https://bridge.example/r{number}"}
        return None if self.how == "cut" else (200, {}, json.dumps(reply).encode())

    def hook(self, text: str) -> Hook:
        return signed(one(text))

    def posted(self) -> list[str]:
        return [one["text"] for one in self.posts.values()]

    def misbehave(self, how: Misbehaviour) -> None:
        self.how = how

    def behave(self) -> None:
        self.how = ""


@pytest.fixture
def bridge() -> Iterator[Bridge]:
    there = Bridge()
    with there.server:
        there.start(max_length=40)
        yield there
        there.source.close()


class TestWebhook(SourceContract):
    @pytest.fixture
    def world(self, bridge: Bridge) -> SourceWorld:
        return bridge


class TestWebhookWithoutReplies(SourceContract):
    @pytest.fixture
    def world(self) -> Iterator[SourceWorld]:
        there = Bridge()
        there.source = source_with()
        yield there
        there.server._server.server_close()


# who may call


def refused(source: Webhook, hook: Hook) -> BadHook:
    with pytest.raises(BadHook) as caught:
        source.read_hook(hook)
    return caught.value


def test_the_token_opens_and_so_does_the_signature() -> None:
    bearer = Hook({"authorization": f"bearer {TOKEN}"}, one(), time.time())
    assert len(source_with().read_hook(bearer)) == 1
    assert len(source_with(secret=None).read_hook(bearer)) == 1
    assert len(source_with().read_hook(signed(one()))) == 1
    assert len(source_with(token=None).read_hook(signed(one()))) == 1


def test_each_kind_of_unauthentic_call_gets_its_own_sentence() -> None:
    source, now = source_with(), datetime.now(UTC)
    bad = {
        "no credentials": Hook({}, one(), 0.0),
        "wrong token": Hook({"authorization": "Bearer wrong"}, one(), 0.0),
        "another secret": signed(one(), secret="whsec_bm90IHRoZSBzZWNyZXQgYXQgYWxs"),
        "changed body": Hook(signed(one()).headers, one("changed"), 0.0),
        "replayed": signed(one(), at=now - timedelta(minutes=6)),
        "from the future": signed(one(), at=now + timedelta(minutes=6)),
        "no timestamp": Hook({**signed(one()).headers, "webhook-timestamp": ""}, one(), 0.0),
        "bad timestamp": Hook({**signed(one()).headers, "webhook-timestamp": "today"}, one(), 0.0),
        "bad signature": Hook({**signed(one()).headers, "webhook-signature": "hello"}, one(), 0.0),
        "not UTF-8": Hook(signed(one()).headers, b"\xff", 0.0),
    }
    told = {why: refused(source, hook) for why, hook in bad.items()}
    assert {error.status for error in told.values()} == {401}
    changed, other = told.pop("changed body"), told.pop("another secret")
    assert changed.sentence == other.sentence
    assert len({error.sentence for error in told.values()}) == len(told)


def test_a_good_token_does_not_heal_a_bad_signature() -> None:
    forged = Hook({**signed(one()).headers, "authorization": f"Bearer {TOKEN}"}, one("changed"), 0.0)
    assert refused(source_with(), forged).status == 401


def test_an_unauthentic_call_is_refused_before_its_body_is_read() -> None:
    assert refused(source_with(), Hook({}, b"{" * 100_000, 0.0)).status == 401


def test_an_open_door_is_a_mistake_in_the_configuration() -> None:
    for bad in ({"token": None, "secret": None}, {"secret": "whsec_"}, {"token": "short"}, {"reply_url": "ftp://x"}):
        with pytest.raises(ValidationError):
            source_with(**bad)


# what goes out


def test_the_reply_is_the_documented_json_with_the_key(bridge: Bridge) -> None:
    draft = ReplyDraft(
        a_mention(bridge.source, "m1"),
        "hi",
        html="<p>hi</p>",
        private=True,
        attachments=(Attachment("https://x.example/a.png", "image/png", "a.png"),),
    )
    receipt = bridge.source.send(bridge.source.prepare(draft), key_of("k"))
    assert receipt == Receipt("r1", "https://bridge.example/r1")
    assert bridge.posts[key_of("k")] == {
        "key": key_of("k"),
        "mention_id": "m1",
        "thread_id": "m1",
        "text": "hi",
        "html": "<p>hi</p>",
        "private": True,
        "attachments": [{"url": "https://x.example/a.png", "type": "image/png", "name": "a.png"}],
    }


@pytest.mark.parametrize(
    ("status", "body", "error", "words"),
    [
        (403, b'{"error": "comments are closed"}', Closed, "comments are closed"),
        (404, b"", Gone, "no longer there"),
        (410, b"{}", Gone, "no longer there"),
        (409, b"", Rejected, "key already"),
        (400, b'{"message": "no such field"}', Rejected, "no such field"),
        (405, b"", Unsupported, "405"),
        (500, b"", Uncertain, "500"),
        (503, b"", Uncertain, "503"),
    ],
)
def test_what_a_bridge_answers_decides_what_is_done(
    bridge: Bridge, status: int, body: bytes, error: type[ConnectorError], words: str
) -> None:
    bridge.server.answer = lambda _: (status, {}, body)
    request = bridge.source.prepare(ReplyDraft(a_mention(bridge.source), "hi"))
    with pytest.raises(error) as caught:
        bridge.source.send(request, key_of("k"))
    assert words in str(caught.value)


@pytest.mark.parametrize(
    "body", [b"", b"ok", b"{}", b'{"id": null}', b'{"id": ""}', b'{"id": true}', b"[1]", b"[" * 9999]
)
def test_a_post_without_an_id_is_known_by_its_key(bridge: Bridge, body: bytes) -> None:
    bridge.server.answer = lambda _: (201, {}, body)
    request = bridge.source.prepare(ReplyDraft(a_mention(bridge.source), "hi"))
    assert bridge.source.send(request, key_of("k")) == Receipt(key_of("k"))


def test_a_number_as_id_is_text(bridge: Bridge) -> None:
    bridge.server.answer = lambda _: (200, {}, b'{"id": 9007199254740993}')
    request = bridge.source.prepare(ReplyDraft(a_mention(bridge.source), "hi"))
    assert bridge.source.send(request, key_of("k")).id == "9007199254740993"


def test_a_bridge_that_is_not_there_was_not_reached() -> None:
    source = source_with(reply_url="http://127.0.0.1:9/reply")
    with pytest.raises(Temporary):
        source.send(source.prepare(ReplyDraft(a_mention(source), "hi")), key_of("k"))


def test_a_bridge_that_promises_nothing_about_keys_makes_no_repeatable_request() -> None:
    source = source_with(reply_url="http://127.0.0.1:9/reply", reply_idempotent=False)
    request = source.prepare(ReplyDraft(a_mention(source), "hi"))
    assert not request.repeatable
    with pytest.raises(Unsupported):
        source.find(request, key_of("k"))


def test_a_token_only_bridge_gets_the_key_and_its_own_token(bridge: Bridge) -> None:
    seen: list[dict[str, str]] = []

    def answer(asked: Asked) -> Told:
        seen.append(asked[2])
        return 200, {}, b'{"id": 1}'

    bridge.server.answer = answer
    source = source_with(secret=None, reply_url=bridge.server.url, reply_token="for-the-bridge")
    source.send(source.prepare(ReplyDraft(a_mention(source), "hi")), key_of("k"))
    source.close()
    assert seen[0]["webhook-id"] == key_of("k")
    assert seen[0]["authorization"] == "Bearer for-the-bridge"
    assert "webhook-signature" not in seen[0]
