"""The Odnoklassniki source keeps the contract, and what only it has to: chats, a secret in the address, doubt."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import ValidationError

from connector.adapter import Hook
from connector.errors import AuthFailed, BadHook, Closed, Gone, RateLimited, Rejected, Uncertain
from connector.http import Http
from connector.model import Attachment, Cursor, Mention, ReplyDraft, key_of
from connector.sources.ok import Ok, OkOptions
from connector.sources.ok.words import is_service
from connector.testing.contracts import Misbehaviour, SourceContract, SourceWorld, drained
from connector.testing.simulators.ok import OkSimulator

SECRET = "a-secret-in-the-address"


class ChatWorld(SourceWorld):
    def __init__(self, ok: OkSimulator) -> None:
        self.ok = ok
        self.ann, self.bob = ok.person("Ann Lee"), ok.person("Bob")
        self.secrets = (ok.token, SECRET)
        self.made: list[Ok] = []
        self.source: Ok = self.again()

    def again(self, **more: object) -> Ok:
        given = {"type": "ok", "helpdesk": "desk", "server": self.ok.url, "token": self.ok.token}
        options = OkOptions.model_validate(given | {"webhook_secret": SECRET, **more})
        source = Ok("ok", options, Http("ok"), clock=lambda: datetime.now(UTC).timestamp() + self.ok.later / 1000)
        self.made.append(source)
        return source

    def say(self, text: str) -> str:
        return self.ok.say(self.ann, text)

    def say_ourselves(self, text: str) -> str:
        return self.ok.say_ourselves(self.ann, text)

    def take_back(self, external_id: str) -> None:
        self.ok.delete(external_id)

    def hook(self, text: str) -> Hook:
        return self.call(self.say(text))

    def call(self, mid: str, **query: str) -> Hook:
        headers = {"content-type": "application/json"}
        return Hook(headers, self.ok.call_of(mid), datetime.now(UTC).timestamp(), query or {"secret": SECRET})

    def forged(self, hook: Hook) -> list[Hook]:
        return [
            replace(hook, query={}),
            replace(hook, query={"secret": SECRET[:-1]}),
            replace(hook, query={"s": SECRET}),
        ]

    def posted(self) -> list[str]:
        return self.ok.ours()

    def misbehave(self, how: Misbehaviour) -> None:
        self.ok.misbehave(how)

    def behave(self) -> None:
        self.ok.behave()


@pytest.fixture
def there() -> Iterator[ChatWorld]:
    with OkSimulator() as ok:
        world = ChatWorld(ok)
        yield world
        for source in world.made:
            source.close()


class TestOk(SourceContract):
    @pytest.fixture
    def world(self, there: ChatWorld) -> SourceWorld:
        return there


def begun(world: ChatWorld) -> Cursor:
    return world.source.fetch(None, 50).cursor


def heard(world: ChatWorld, text: str = "hello", **more: Any) -> Mention:
    cursor = begun(world)
    world.ok.say(world.ann, text, **more)
    return drained(world, cursor, 1)[0]


# --- what comes in ------------------------------------------------------------------------------------------------


def test_a_call_and_a_pull_tell_the_same_message(there: ChatWorld) -> None:
    cursor = begun(there)
    mid = there.say("Where is my parcel?")
    (pulled,) = drained(there, cursor, 1)
    (called,) = there.source.read_hook(there.call(mid))
    assert pulled == called
    assert (pulled.external_id, pulled.thread_id, pulled.kind, pulled.private) == (
        mid,
        there.ok.chat(there.ann),
        "dm",
        True,
    )
    assert (pulled.author.id, pulled.author.name) == (there.ann.removeprefix("user:"), "Ann Lee")
    assert pulled.author.url == f"https://ok.ru/profile/{pulled.author.id}"


def test_a_call_is_read_without_asking_anybody(there: ChatWorld) -> None:
    there.ok.calls.clear()
    assert len(there.source.read_hook(there.hook("hello"))) == 1
    assert there.ok.calls == []


def test_other_events_and_bodies_that_are_none(there: ChatWorld) -> None:
    call = there.hook("hello")
    told = json.loads(call.body)
    assert (
        there.source.read_hook(replace(call, body=json.dumps(told | {"webhookType": "CHAT_SYSTEM"}).encode())) == []
    )
    for body in (b"", b"[]", b"{}", b'{"sender": {"user_id": "user:1"}}', b"[" * 100_000):
        with pytest.raises(BadHook) as caught:
            there.source.read_hook(replace(call, body=body))
        assert caught.value.status == 400
    with pytest.raises(BadHook) as caught:
        there.again(webhook_secret=None).read_hook(call)
    assert caught.value.status == 401


def test_many_chats_over_many_pages_though_some_are_told_twice(there: ChatWorld) -> None:
    there.ok.page = 4
    people = [there.ok.person(f"person {number}") for number in range(15)]
    cursor = begun(there)
    said = [there.ok.say(who, f"from {who}") for who in [*people, *people[:5]]]
    assert [one.external_id for one in drained(there, cursor, 20, limit=3)] == said


def test_a_long_history_is_read_page_by_page(there: ChatWorld) -> None:
    cursor = begun(there)
    said = [there.say(f"number {number}") for number in range(120)]
    assert [one.external_id for one in drained(there, cursor, 120, limit=50)] == said


def test_a_quiet_pull_reads_no_old_history(there: ChatWorld) -> None:
    heard(there)
    there.ok.later = 3_600_000
    there.ok.say(there.bob, "an hour later")
    cursor = begun(there)
    there.ok.calls.clear()
    assert there.source.fetch(cursor, 50).items == ()
    assert there.ok.calls == ["GET chats", f"GET messages/{there.ok.chat(there.bob)}"]


def test_what_we_write_by_hand_says_to_whom(there: ChatWorld) -> None:
    cursor = begun(there)
    there.say_ourselves("we say")
    (ours,) = drained(there, cursor, 1)
    assert (ours.own, ours.to) == (True, there.ann.removeprefix("user:"))


def test_a_colleague_named_in_own_accounts_speaks_for_us(there: ChatWorld) -> None:
    cursor = begun(there)
    there.ok.say(there.bob, "I am one of us")
    source = there.again(own_accounts=[there.bob])
    assert [one.own for one in source.fetch(cursor, 50).items] == [True]


def test_files_links_stickers_and_what_it_answers(there: ChatWorld) -> None:
    first = there.say("first")
    mention = heard(
        there,
        "look",
        reply_to=first,
        attachments=[
            {"type": "IMAGE", "payload": {"url": "https://i.mycdn.example/image?id=1"}},
            {"type": "FILE", "payload": {"url": "https://files.example/bill.pdf"}},
            {"type": "SHARE", "payload": {"url": "https://ya.example/"}},
            {"type": "STICKER", "payload": {}},
            {"type": "VIDEO"},
        ],
    )
    assert mention.text == "look\nhttps://ya.example/\n[sticker]\n[video]"
    assert mention.attachments == (
        Attachment("https://i.mycdn.example/image?id=1", "image/jpeg", "image"),
        Attachment("https://files.example/bill.pdf", "application/octet-stream", "bill.pdf"),
    )
    assert mention.parent is not None
    assert mention.parent.id == first


def test_the_chats_own_lines_are_nobodys_words(there: ChatWorld) -> None:
    assert is_service({"text": '{"ai":5,"ty":"USERS_ADDED"}'})
    assert not is_service({"text": '{"what": "a person typed"}'})
    assert not is_service({"text": "{not json"})
    cursor = begun(there)
    there.say('{"ai":5,"ty":"THEME_CHANGED"}')
    said = there.say("hello")
    assert [one.external_id for one in drained(there, cursor, 1)] == [said]


def test_an_address_that_ok_dropped_is_told_again_and_the_pull_goes_on(there: ChatWorld) -> None:
    source = there.again(webhook_url="https://we.example/hooks/ok")
    source.fetch(None, 50)
    address = f"https://we.example/hooks/ok?secret={SECRET}"
    assert there.ok.subscribed == [address]
    source.fetch(None, 50)
    there.ok.later += 3_600_000
    source.fetch(None, 50)
    assert there.ok.subscribed == [address]
    there.ok.subscribed.clear()
    there.ok.later += 3_600_000
    source.fetch(None, 50)
    assert there.ok.subscribed == [address]


@pytest.mark.parametrize(
    "wrong",
    [
        {"webhook_url": "https://we.example/hooks/ok", "webhook_secret": None},
        {"webhook_url": "http://we.example/hooks/ok"},
        {"webhook_url": "https://we.example/hooks/ok?a=b"},
        {"webhook_secret": "short"},
        {"webhook_secret": "not / in & an ? address"},
        {"server": "api.ok.ru"},
    ],
)
def test_settings_that_cannot_work_are_refused(there: ChatWorld, wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        there.again(**wrong)


# --- what goes out ------------------------------------------------------------------------------------------------


def test_who_has_not_allowed_messages_cannot_be_answered(there: ChatWorld) -> None:
    mention = heard(there)
    there.ok.forbidden.add(mention.thread_id)
    with pytest.raises(Closed, match="may not allow it"):
        there.source.send(there.source.prepare(ReplyDraft(mention, "we say")), key_of("k"))


def test_a_lost_answer_is_found_and_a_repetition_is_another_message(there: ChatWorld) -> None:
    mention = heard(there)
    request = there.source.prepare(ReplyDraft(mention, "we say"))
    there.ok.lose_next = True
    with pytest.raises(Uncertain):
        there.source.send(request, key_of("k"))
    (found,) = there.again().find(request, key_of("k"))
    again = there.source.prepare(ReplyDraft(mention, "we say"))
    assert there.source.find(again, key_of("k2")) == ()
    assert there.source.send(again, key_of("k2")).id != found.id
    assert there.posted() == ["we say", "we say"]


@pytest.mark.parametrize("minutes", [-30, 30])
def test_a_clock_that_differs_from_oks_hides_no_answer(there: ChatWorld, minutes: int) -> None:
    there.ok.later = minutes * 60_000
    mention = heard(there)
    source = Ok("ok", there.source.options, Http("ok"))  # by the clock of this machine
    there.made.append(source)
    request = source.prepare(ReplyDraft(mention, "we say"))
    there.ok.lose_next = True
    with pytest.raises(Uncertain):
        source.send(request, key_of("k"))
    assert len(source.find(request, key_of("k"))) == 1


def test_an_answer_without_an_id_is_looked_up_at_once(there: ChatWorld) -> None:
    mention = heard(there)
    there.ok.silent_about_ids = True
    receipt = there.source.send(there.source.prepare(ReplyDraft(mention, "we say")), key_of("k"))
    assert there.ok.message(receipt.id)["message"]["text"] == "we say"


def test_the_receipt_is_the_id_it_comes_back_under(there: ChatWorld) -> None:
    mention = heard(there)
    cursor = begun(there)
    receipt = there.source.send(there.source.prepare(ReplyDraft(mention, "we say")), key_of("k"))
    assert [(one.external_id, one.own) for one in drained(there, cursor, 1)] == [(receipt.id, True)]


def test_what_is_not_ours_to_answer_and_what_is_gone(there: ChatWorld) -> None:
    mention = heard(there)
    with pytest.raises(Rejected, match="not from Odnoklassniki"):
        there.source.prepare(ReplyDraft(replace(mention, thread_id="5"), "x"))
    there.take_back(mention.external_id)
    with pytest.raises(Gone):
        there.source.prepare(ReplyDraft(mention, "x"))


def test_a_wrong_key_stops_the_account_and_a_limit_pauses_it(there: ChatWorld) -> None:
    with pytest.raises(AuthFailed):
        there.again(token="another").check()
    there.ok.misbehave("slow_down")
    with pytest.raises(RateLimited):
        there.source.check()
    there.ok.behave()
    with pytest.raises(RateLimited):  # without a call
        there.source.check()
