"""The source in memory keeps the contract: so the suite itself is proved, and engine tests stand on firm ground."""

from __future__ import annotations

import time

import pytest

from connector.adapter import Hook
from connector.errors import AuthFailed, BadAnswer, RateLimited, Rejected, Temporary, Uncertain
from connector.model import ReplyDraft, key_of
from connector.testing.contracts import Misbehaviour, SourceContract, SourceWorld
from connector.testing.memory import MemoryOptions, MemorySource


class MemoryWorld(SourceWorld):
    def __init__(self) -> None:
        self.source: MemorySource = MemorySource("mem", MemoryOptions(max_length=40, max_parts=3))

    def say(self, text: str) -> str:
        return self.source.say(text).external_id

    def say_ourselves(self, text: str) -> str:
        return self.source.say(text, own=True).external_id

    def take_back(self, external_id: str) -> None:
        self.source.take_back(external_id)

    def address(self, external_id: str) -> str:
        return f"https://memory.example/{external_id}"

    def hook(self, text: str) -> Hook:
        body = b'{"id": "h1", "text": "%s", "author": {"id": "ann"}}' % text.encode()
        return Hook({"authorization": "Bearer memory"}, body, time.time())

    def posted(self) -> list[str]:
        return self.source.texts

    def misbehave(self, how: Misbehaviour) -> None:
        reads = {
            "unauthorized": AuthFailed(),
            "slow_down": RateLimited(wait=7),
            "broken": Temporary(),
            "cut": Temporary(),
            "refuses": Rejected(),
            "nonsense": BadAnswer(),
        }
        writes = {**reads, "broken": Uncertain(), "cut": Uncertain(), "nonsense": Uncertain()}
        self.source.fail("fetch", reads[how], times=9)
        self.source.fail("send", writes[how], after=how == "cut", times=9)

    def behave(self) -> None:
        self.source.heal()


class TestMemory(SourceContract):
    @pytest.fixture
    def world(self) -> SourceWorld:
        return MemoryWorld()


def test_trouble_after_the_deed_leaves_the_post_and_raises() -> None:
    world = MemoryWorld()
    world.source.fail("send", Uncertain(), after=True)
    request = world.source.prepare(ReplyDraft(world.source.say("hello"), "hi"))
    with pytest.raises(Uncertain):
        world.source.send(request, key_of("k"))
    assert world.posted() == ["hi"]
    assert world.source.send(request, key_of("k")).id == "r1"
