"""The contract of a source as tests, shipped for whoever writes one.

Write a `SourceWorld` (how to make things happen on the other side: a simulator, a test server) and subclass:

    class TestMine(SourceContract):
        @pytest.fixture
        def world(self) -> Iterator[SourceWorld]:
            with MySimulator() as there:
                yield MyWorld(there)

Every clause of `connector.sources.base` is then one test. A clause the source makes no promise about, or the world
cannot bring about, is skipped and says so. pytest is needed to import this.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Literal, TypeVar

import pytest

from connector.adapter import Hook
from connector.errors import (
    AuthFailed,
    BadAnswer,
    BadHook,
    ConnectorError,
    Gone,
    RateLimited,
    Rejected,
    Temporary,
    Uncertain,
    Unsupported,
)
from connector.model import (
    Author,
    Cursor,
    Key,
    Mention,
    Receipt,
    ReplyDraft,
    Request,
    Tone,
    decode,
    encode,
    key_of,
)
from connector.sources.base import Source, SourceOptions

Misbehaviour = Literal["unauthorized", "slow_down", "broken", "cut", "refuses", "nonsense"]
"""What the other side does to every call from now on:

unauthorized   our credentials are not accepted, in the platform's own way
slow_down      429, and asks for a wait of 7 seconds
broken         5xx
cut            takes the request and hangs up without an answer
refuses        a plain 4xx that is none of the above
nonsense       2xx with a body nobody can read
"""


T = TypeVar("T")


class SourceWorld(ABC):
    """The other side of a source under test. What a world cannot do raises NotImplementedError: a skipped clause."""

    source: Source
    secrets: tuple[str, ...] = ()
    tells_repetitions_apart: bool = True
    """Whether the same words said again are known not to be the first ones, though the platform keeps no key."""

    def say(self, text: str) -> str:
        """Somebody writes something that is for us; its external id."""
        raise NotImplementedError

    def say_ourselves(self, text: str) -> str:
        """Our own account writes something that comes back through the source; its external id."""
        raise NotImplementedError

    def take_back(self, external_id: str) -> None:
        """Its author deletes it."""
        raise NotImplementedError

    def hook(self, text: str) -> Hook:
        """An authentic call that brings one mention."""
        raise NotImplementedError

    def forged(self, hook: Hook) -> list[Hook]:
        """The same call without its proof, and with another one; here the proof stands in the headers."""
        harmless = {k: v for k, v in hook.headers.items() if k in ("content-type", "content-length")}
        other = {k: v[:-3] + ("AAA" if v[-3:] != "AAA" else "BBB") for k, v in hook.headers.items()}
        return [replace(hook, headers=harmless), replace(hook, headers=other)]

    @abstractmethod
    def posted(self) -> list[str]:
        """The texts of our replies as people see them there, oldest first; empty where nothing can be posted."""

    def address(self, external_id: str) -> str:
        """Where people read a post, as a listening tool would hand it on."""
        raise NotImplementedError

    def misbehave(self, how: Misbehaviour) -> None:
        """From now on, until `behave`, every call ends like this."""
        raise NotImplementedError

    def behave(self) -> None:
        """Be a good server again."""
        raise NotImplementedError

    def settle(self) -> None:  # noqa: B027  simulators have nothing to do here
        """Let the other side catch up with itself, as real servers need."""

    def again(self) -> Source:
        """The same account after a restart of ours; None of what the object remembered is left."""
        return self.source


class SourceContract:
    """One test for each clause. Subclasses give the `world`."""

    @pytest.fixture
    def world(self) -> SourceWorld:
        """The other side of the source under test."""
        raise NotImplementedError("a subclass of SourceContract gives the `world` fixture")

    # what it says of itself

    def test_every_flag_has_its_method_and_every_other_method_raises_unsupported(self, world: SourceWorld) -> None:
        source, can = world.source, world.source.capabilities
        draft = ReplyDraft(a_mention(source), "x")
        promised: list[tuple[bool, str, Callable[[], object]]] = [
            (can.pull, "fetch", lambda: source.fetch(None, 1)),
            (can.push, "read_hook", lambda: source.read_hook(Hook({}, b"", 0.0))),
            (can.enrich, "enrich", lambda: source.enrich(draft.mention)),
            (can.locate, "locate", lambda: source.locate(draft.mention)),
            (can.reply, "reply_limits", lambda: source.reply_limits(draft.mention)),
            (can.reply, "prepare", lambda: source.prepare(draft)),
            (can.reply, "send", lambda: source.send(Request("reply", "{}"), Key("k"))),
            (can.find_reply, "find", lambda: source.find(Request("reply", "{}"), Key("k"))),
        ]
        for flag, name, call in promised:
            if flag:
                assert getattr(type(source), name) is not getattr(Source, name), f"{name} is promised but not there"
            else:
                with pytest.raises(Unsupported):
                    call()

    def test_its_options_take_no_unknown_key_and_describe_every_key(self, world: SourceWorld) -> None:
        options = type(world.source).Options
        assert issubclass(options, SourceOptions)
        assert options.model_config.get("extra") == "forbid"
        for name, field in options.model_fields.items():
            assert field.description, f"the option {name} has no description"

    def test_check_says_who_we_are(self, world: SourceWorld) -> None:
        identity = world.source.check()
        assert isinstance(identity.id, str)
        assert identity.id

    def test_closing_twice_is_harmless(self, world: SourceWorld) -> None:
        world.source.close()
        world.source.close()

    # what comes in

    def test_a_first_pull_listens_from_now(self, world: SourceWorld) -> None:
        _needs(world.source.capabilities.pull, "it is not polled")
        _try(lambda: world.say("before we came"))
        world.settle()
        page = world.source.fetch(None, 50)
        assert page.items == ()
        later = world.say("after we came")
        assert [one.external_id for one in drained(world, page.cursor, 1)] == [later]

    def test_pages_are_oldest_first_and_lose_nothing(self, world: SourceWorld) -> None:
        _needs(world.source.capabilities.pull, "it is not polled")
        cursor = world.source.fetch(None, 50).cursor
        said = [_try(lambda n=n: world.say(f"number {n}")) for n in range(5)]  # type: ignore[misc]
        seen = drained(world, cursor, 5, limit=2)
        assert [one.external_id for one in seen] == said
        assert [one.created_at for one in seen] == sorted(one.created_at for one in seen)

    def test_the_same_cursor_twice_gives_the_same_again(self, world: SourceWorld) -> None:
        _needs(world.source.capabilities.pull, "it is not polled")
        cursor = world.source.fetch(None, 50).cursor
        said = [_try(lambda n=n: world.say(f"number {n}")) for n in range(3)]  # type: ignore[misc]
        first = drained(world, cursor, 3)
        again = [mention for mention in world.again().fetch(cursor, 50).items if not mention.deleted]
        assert [one.external_id for one in first] == said
        assert [one.external_id for one in again] == said

    def test_a_cursor_survives_a_restart_and_nothing_comes_twice(self, world: SourceWorld) -> None:
        _needs(world.source.capabilities.pull, "it is not polled")
        cursor = world.source.fetch(None, 50).cursor
        _try(lambda: world.say("one"))
        page = _pull_until(world, cursor, 1)
        after = world.again().fetch(Cursor(str(page[-1][1])), 50)
        assert after.items == ()

    def test_what_comes_in_is_whole_and_survives_being_stored(self, world: SourceWorld) -> None:
        mention = self._one(world, "Привет, мир 🙂")
        assert mention.source == world.source.name
        assert mention.platform
        assert mention.external_id
        assert mention.external_id == mention.external_id.strip()
        assert mention.thread_id
        assert mention.author.id
        assert mention.created_at.utcoffset() == timedelta(0)
        assert "Привет, мир 🙂" in mention.text
        assert mention.kind in world.source.capabilities.kinds
        assert decode(Mention, encode(mention)) == mention

    def test_our_own_posts_come_back_as_our_own(self, world: SourceWorld) -> None:
        _needs(world.source.capabilities.pull, "it is not polled")
        cursor = world.source.fetch(None, 50).cursor
        own = _try(lambda: world.say_ourselves("we say"))
        seen = drained(world, cursor, 1)
        assert {one.own for one in seen if one.external_id == own} == {True}

    def test_a_deletion_is_told_as_a_new_version(self, world: SourceWorld) -> None:
        can = world.source.capabilities
        _needs(can.pull and can.deletes, "it does not see deletions")
        cursor = world.source.fetch(None, 50).cursor
        said = _try(lambda: world.say("soon gone"))
        pages = _pull_until(world, cursor, 1)
        _try(lambda: world.take_back(said))
        world.settle()
        told = [one for one, _ in _pull_until(world, pages[-1][1], 1)]
        assert [(one.external_id, one.deleted) for one in told] == [(said, True)]
        assert told[0].version
        assert told[0].thread_id == pages[0][0].thread_id
        assert told[0].author.id == pages[0][0].author.id

    def test_enriching_keeps_what_was_said(self, world: SourceWorld) -> None:
        _needs(world.source.capabilities.enrich, "it knows no more than it gave")
        mention = self._one(world, "who is asking")
        richer = world.source.enrich(mention)
        assert (richer.external_id, richer.thread_id) == (mention.external_id, mention.thread_id)
        assert mention.text in richer.text
        assert richer.author.id == mention.author.id
        assert decode(Mention, encode(richer)) == richer

    def test_what_a_tool_found_is_located_as_we_would_have_heard_it(self, world: SourceWorld) -> None:
        _needs(world.source.capabilities.locate, "it does not know posts by their address")
        heard = self._one(world, "found by a tool")
        url = _try(lambda: world.address(heard.external_id))
        found = world.source.locate(_from_a_tool(url))
        assert found is not None
        for word in ("source", "platform", "external_id", "version", "thread_id", "own"):
            assert getattr(found, word) == getattr(heard, word), word
        assert (found.author.id, found.created_at) == (heard.author.id, heard.created_at)
        assert found.text
        assert found.tone == _TOOL_TONE
        assert decode(Mention, encode(found)) == found

    def test_an_address_of_elsewhere_is_not_located(self, world: SourceWorld) -> None:
        _needs(world.source.capabilities.locate, "it does not know posts by their address")
        for url in ("", "https://forum.example/7", "https://[broken", "mailto:a@b.example"):
            assert world.source.locate(_from_a_tool(url)) is None

    def test_our_own_post_is_located_as_our_own(self, world: SourceWorld) -> None:
        _needs(world.source.capabilities.locate, "it does not know posts by their address")
        draft = self._draft(world, "we say")
        receipt = world.source.send(world.source.prepare(draft), key_of("located"))
        found = world.source.locate(_from_a_tool(_try(lambda: world.address(receipt.id))))
        assert found is not None
        assert found.own

    def test_a_hook_brings_its_mention(self, world: SourceWorld) -> None:
        _needs(world.source.capabilities.push, "it takes no calls")
        hook = _try(lambda: world.hook("by hook"))
        assert [one.text for one in world.source.read_hook(hook)] == ["by hook"]

    def test_an_unauthentic_hook_is_refused_whatever_it_holds(self, world: SourceWorld) -> None:
        _needs(world.source.capabilities.push, "it takes no calls")
        hook = _try(lambda: world.hook("by hook"))
        for bad in world.forged(hook):
            with pytest.raises(BadHook) as caught:
                world.source.read_hook(bad)
            assert caught.value.status in (400, 401, 403)
            self._no_secret(world, caught.value)

    # what goes out

    def test_a_reply_is_one_post_and_one_receipt(self, world: SourceWorld) -> None:
        draft = self._draft(world, "Разбираемся, ответим сегодня.")
        request = decode(Request, encode(world.source.prepare(draft)))
        receipt = world.source.send(request, key_of("reply", draft.mention.external_id))
        assert isinstance(receipt.id, str)
        assert receipt.id
        assert world.posted() == ["Разбираемся, ответим сегодня."]
        assert decode(Receipt, encode(receipt)) == receipt

    def test_preparing_posts_nothing(self, world: SourceWorld) -> None:
        draft = self._draft(world, "not yet")
        world.source.prepare(draft)
        world.source.prepare(draft)
        assert world.posted() == []

    def test_the_same_key_twice_has_one_effect_where_that_is_promised(self, world: SourceWorld) -> None:
        draft = self._draft(world, "only once")
        request = world.source.prepare(draft)
        _needs(request.repeatable, "it makes no promise about repeated keys")
        key = key_of("reply", draft.mention.external_id)
        first = world.source.send(request, key)
        assert world.again().send(decode(Request, encode(request)), key) == first
        assert world.posted() == ["only once"]

    def test_a_promise_about_keys_and_the_flag_agree(self, world: SourceWorld) -> None:
        draft = self._draft(world, "x")
        if world.source.prepare(draft).repeatable:
            assert world.source.capabilities.idempotent_reply

    def test_find_finds_nothing_before_and_the_post_after(self, world: SourceWorld) -> None:
        _needs(world.source.capabilities.find_reply, "it cannot look for a reply")
        draft = self._draft(world, "look for me")
        request, key = world.source.prepare(draft), key_of("reply", draft.mention.external_id)
        assert world.source.find(request, key) == ()
        receipt = world.source.send(request, key)
        assert [one.id for one in world.again().find(request, key)] == [receipt.id]
        other = world.source.prepare(replace(draft, text="something else"))
        assert world.source.find(other, key_of("another")) == ()
        if world.tells_repetitions_apart:
            assert world.source.find(world.source.prepare(draft), key_of("another")) == ()  # the same words again
        if request.repeatable:
            assert world.source.find(request, key_of("another")) == ()

    def test_two_replies_with_two_keys_are_two_posts(self, world: SourceWorld) -> None:
        draft = self._draft(world, "first")
        world.source.send(world.source.prepare(draft), key_of("a"))
        world.source.send(world.source.prepare(replace(draft, text="second")), key_of("b"))
        assert world.posted() == ["first", "second"]

    def test_parts_follow_one_another(self, world: SourceWorld) -> None:
        draft = self._draft(world, "part one")
        _needs(world.source.reply_limits(draft.mention).max_parts > 1, "a reply is never split")
        one = world.source.send(world.source.prepare(replace(draft, parts=2)), key_of("p", "0"))
        second = replace(draft, text="part two", part=1, parts=2, previous=one)
        two = world.source.send(world.source.prepare(second), key_of("p", "1"))
        assert one.id != two.id
        assert world.posted() == ["part one", "part two"]

    def test_what_measures_as_fitting_is_accepted(self, world: SourceWorld) -> None:
        draft = self._draft(world, "x")
        limit = world.source.reply_limits(draft.mention).max_length
        _needs(limit is not None, "there is no limit of length")
        assert limit is not None
        text = "я" * limit
        assert world.source.measure(text) == limit
        assert world.source.measure(text + "я") > limit
        world.source.send(world.source.prepare(replace(draft, text=text)), key_of("long"))
        assert world.posted() == [text]

    def test_a_reply_to_what_was_taken_back_is_gone(self, world: SourceWorld) -> None:
        draft = self._draft(world, "too late")
        _try(lambda: world.take_back(draft.mention.external_id))
        world.settle()
        with pytest.raises(Gone):
            world.source.send(world.source.prepare(draft), key_of("late"))
        assert world.posted() == []

    def test_a_source_that_cannot_be_answered_says_so(self, world: SourceWorld) -> None:
        _needs(not world.source.replies, "it can be answered")
        draft = ReplyDraft(a_mention(world.source), "x")
        for call in (lambda: world.source.reply_limits(draft.mention), lambda: world.source.prepare(draft)):
            with pytest.raises(Unsupported) as caught:
                call()
            assert "link" in caught.value.sentence

    # what goes wrong

    @pytest.mark.parametrize(
        ("how", "error"),
        [
            ("unauthorized", AuthFailed),
            ("slow_down", RateLimited),
            ("broken", Temporary),
            ("cut", Temporary),
            ("nonsense", BadAnswer),
        ],
    )
    def test_trouble_on_a_read_says_what_to_do(
        self, world: SourceWorld, how: Misbehaviour, error: type[ConnectorError]
    ) -> None:
        _needs(world.source.capabilities.pull, "it is not polled")
        cursor = world.source.fetch(None, 50).cursor
        _try(lambda: world.misbehave(how))
        with pytest.raises(error) as caught:
            world.source.fetch(cursor, 50)
        self._no_secret(world, caught.value)
        if isinstance(caught.value, RateLimited):
            assert 5 <= caught.value.wait <= 8

    @pytest.mark.parametrize(
        ("how", "error"),
        [
            ("unauthorized", AuthFailed),
            ("slow_down", RateLimited),
            ("broken", Uncertain),
            ("cut", Uncertain),
            ("refuses", Rejected),
        ],
    )
    def test_trouble_on_a_write_says_what_to_do(
        self, world: SourceWorld, how: Misbehaviour, error: type[ConnectorError]
    ) -> None:
        draft = self._draft(world, "does it arrive?")
        request = world.source.prepare(draft)
        _try(lambda: world.misbehave(how))
        with pytest.raises(error) as caught:
            world.source.send(request, key_of("trouble"))
        self._no_secret(world, caught.value)
        if isinstance(caught.value, RateLimited):
            assert 5 <= caught.value.wait <= 8

    def test_a_write_answered_with_nonsense_is_not_taken_for_failed(self, world: SourceWorld) -> None:
        draft = self._draft(world, "does it arrive?")
        request = world.source.prepare(draft)
        _try(lambda: world.misbehave("nonsense"))
        try:
            receipt = world.source.send(request, key_of("nonsense"))
        except Uncertain as error:
            self._no_secret(world, error)
        else:
            assert receipt.id

    def test_after_a_cut_the_same_key_brings_it_to_one_post(self, world: SourceWorld) -> None:
        draft = self._draft(world, "once, after trouble")
        request, key = world.source.prepare(draft), key_of("after a cut")
        _needs(request.repeatable or world.source.capabilities.find_reply, "it can neither repeat nor look")
        _try(lambda: world.misbehave("cut"))
        with pytest.raises(Uncertain):
            world.source.send(request, key)
        world.behave()
        if request.repeatable or not world.source.find(request, key):
            world.source.send(request, key)
        assert world.posted() == ["once, after trouble"]

    # steps

    def _one(self, world: SourceWorld, text: str) -> Mention:
        if world.source.capabilities.pull:
            cursor = world.source.fetch(None, 50).cursor
            _try(lambda: world.say(text))
            return drained(world, cursor, 1)[0]
        _needs(world.source.capabilities.push, "nothing comes in by itself")
        return world.source.read_hook(_try(lambda: world.hook(text)))[0]

    def _draft(self, world: SourceWorld, text: str) -> ReplyDraft:
        _needs(world.source.replies, "it cannot be answered")
        return ReplyDraft(self._one(world, "please answer"), text, html=f"<p>{text}</p>")

    def _no_secret(self, world: SourceWorld, error: Exception) -> None:
        shown = f"{error!s} {error!r} {error.args!r}"
        for secret in world.secrets:
            assert secret not in shown, "an error shows a secret"
        assert re.search(r"\b(Bearer|Basic) [A-Za-z0-9]{6}", shown) is None, "an error shows a credential"


_TOOL_TONE = Tone("negative", -0.5, 1.0, by="source")


def _from_a_tool(url: str) -> Mention:
    """What a listening tool hands on: its own ids, the address, perhaps no text."""
    return Mention(
        source="tool",
        platform="somewhere",
        external_id="4711",
        author=Author("unknown"),
        text="",
        created_at=datetime(2026, 1, 1, tzinfo=UTC),
        url=url,
        thread_id="4711",
        tone=_TOOL_TONE,
    )


def a_mention(source: Source, external_id: str = "1") -> Mention:
    """A mention of that source which is nowhere on the platform."""
    return Mention(
        source=source.name,
        platform="somewhere",
        external_id=external_id,
        author=Author("a"),
        text="text",
        created_at=datetime(2026, 1, 1, tzinfo=UTC),
        thread_id=external_id,
    )


def drained(world: SourceWorld, cursor: Cursor, want: int, limit: int = 50) -> list[Mention]:
    """What comes from a cursor on: at least `want` mentions, or as many as there are."""
    return [mention for mention, _ in _pull_until(world, cursor, want, limit)]


def _pull_until(world: SourceWorld, cursor: Cursor, want: int, limit: int = 50) -> list[tuple[Mention, Cursor]]:
    seen: list[tuple[Mention, Cursor]] = []
    for _ in range(200):
        page = world.source.fetch(cursor, limit)
        assert len(page.items) <= limit, "a page holds more than was asked for"
        cursor = page.cursor
        seen += [(mention, cursor) for mention in page.items]
        if len(seen) >= want and not page.more:
            break
        if not page.more:
            world.settle()
    return seen


def _needs(there: bool, else_why: str) -> None:
    if not there:
        pytest.skip(else_why)


def _try(step: Callable[[], T]) -> T:
    try:
        return step()
    except NotImplementedError:
        pytest.skip("this world cannot bring that about")
