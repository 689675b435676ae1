"""Each pull once: a page and its cursor together or not at all, trouble told once, one bad thing only itself."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, ClassVar

import pytest
import sqlalchemy as sa
import structlog
from daemon_builders import dispatcher, wait_for
from hypothesis import given
from hypothesis import strategies as st

from connector.daemon import pullers
from connector.daemon.dispatcher import Dispatcher
from connector.daemon.pullers import ReplyPuller, SourcePuller
from connector.errors import (
    AuthFailed,
    BadAnswer,
    ConnectorError,
    Gone,
    RateLimited,
    Temporary,
    Unsupported,
)
from connector.flow.intake import storable
from connector.helpdesks.base import Helpdesk, HelpdeskCapabilities, HelpdeskOptions
from connector.http import Http
from connector.model import CommentId, Cursor, Identity, Page, Receipt, Reply, TicketId
from connector.store import Store, Tx, journal
from connector.store.arrivals import Arrival, accept_mentions, accept_replies, declare_account, lease_pull, wake
from connector.store.tables import conversations, mentions, wakeups
from connector.testing.memory import MemoryOptions, MemorySource

NOON = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)


class _Desk(Helpdesk):
    """A helpdesk in memory: which tickets changed, and what stands on them."""

    type: ClassVar[str] = "fake"
    capabilities: ClassVar[HelpdeskCapabilities] = HelpdeskCapabilities()

    def __init__(self) -> None:
        super().__init__("desk", HelpdeskOptions(type="fake", poll=60), Http("desk"))
        self.changes: list[str] = []
        self.replies: dict[str, list[Reply]] = {}
        self.trouble: dict[str, Exception] = {}
        self.looked: list[str] = []

    def check(self) -> Identity:
        self._raise("check")
        return Identity("1", "Desk", notes=("cannot see everything",))

    def prepare(self, draft: Any) -> Any:
        raise NotImplementedError

    def send(self, request: Any, key: Any) -> Receipt:
        raise NotImplementedError

    def find(self, request: Any, key: Any) -> tuple[Receipt, ...]:
        raise NotImplementedError

    def changed_tickets(self, cursor: Cursor | None, limit: int) -> Page[TicketId]:
        self._raise("changed")
        start = len(self.changes) if cursor is None else int(cursor)
        items = tuple(TicketId(one) for one in self.changes[start:])
        return Page(items, Cursor(str(len(self.changes))))

    def read_replies(self, ticket: TicketId) -> Sequence[Reply]:
        self.looked.append(ticket)
        self._raise(ticket)
        return self.replies.get(ticket, ())

    def _raise(self, what: str) -> None:
        if what in self.trouble:
            raise self.trouble[what]


def _reply(ticket: str, number: int) -> Reply:
    return Reply(TicketId(ticket), CommentId(f"c{number}"), True, True, "<p>hello</p>", NOON)


@pytest.fixture
def writer(store: Store) -> Iterator[Dispatcher]:
    """A running dispatcher that claims nothing."""
    with store.begin() as tx:
        for name in ("desk", "memory"):
            declare_account(tx, name, None)
    pool = dispatcher(store)
    pool.stop_claiming()
    pool.start()
    yield pool
    pool.stop(within=0)


@pytest.fixture
def logged() -> Iterator[list[Any]]:
    """What is logged meanwhile."""
    with structlog.testing.capture_logs() as lines:
        yield lines  # type: ignore[misc]


def _events(lines: Sequence[Any], *names: str) -> list[str]:
    return [line["event"] for line in lines if line["event"] in names]


def _source(writer: Dispatcher, **options: Any) -> tuple[MemorySource, SourcePuller]:
    source = MemorySource("memory", MemoryOptions(poll=30, since_start=True, **options))
    return source, SourcePuller(source, "tester", writer, grace=15)


def _link(store: Store, *tickets: str) -> None:
    """Conversations that have these tickets."""
    source = MemorySource("memory")
    with store.begin() as tx:
        for ticket in tickets:
            mention = source.say("hello", thread=f"t{ticket}")
            accept_mentions(tx, [Arrival(mention, f"t{ticket}", "desk")])
            tx.execute(sa.update(conversations).where(conversations.c.name == f"t{ticket}").values(ticket=ticket))


def _woken(store: Store) -> list[str]:
    with store.read() as tx:
        return list(tx.execute(sa.select(wakeups.c.ticket).order_by(wakeups.c.ticket)).scalars())


def _received(store: Store) -> int:
    with store.read() as tx:
        return journal.balance(tx).received


def _cursor(store: Store, name: str = "memory") -> str | None:
    with store.read() as tx:
        return journal.cursor_of(tx, name)


def _trouble(store: Store, name: str = "memory") -> str:
    with store.read() as tx:
        return next(account.trouble for account in journal.standing(tx) if account.name == name)


# --- mentions ---


def test_a_page_is_stored_with_its_cursor(store: Store, writer: Dispatcher) -> None:
    source, puller = _source(writer)
    source.say("one")
    source.say("two")
    known: list[str] = []
    puller.known = known.append
    assert puller.pull_once() == 30
    assert (_received(store), _cursor(store), known) == (2, "2", ["We"])
    assert puller.pull_once() == 30
    assert _received(store) == 2
    assert source.calls.count("check") == 1


def test_while_there_is_more_the_next_pull_follows_at_once(store: Store, writer: Dispatcher) -> None:
    source, puller = _source(writer)
    for number in range(150):
        source.say(f"message {number}")
    assert puller.pull_once() == 0
    assert puller.pull_once() == 30
    assert _received(store) == 150


def test_while_another_replica_has_the_right_nothing_is_pulled(store: Store, writer: Dispatcher) -> None:
    source, puller = _source(writer)
    with store.begin() as tx:
        lease_pull(tx, "memory", "another", 60)
    wait = puller.pull_once()
    assert 0 < wait <= 45
    assert source.calls == []


def test_a_right_lost_meanwhile_writes_nothing_and_the_other_replica_pulls_the_page_again(
    store: Store, writer: Dispatcher
) -> None:
    source, puller = _source(writer)
    source.say("one")
    fetch = source.fetch

    def slow(cursor: Cursor | None, limit: int) -> Page[Any]:
        page = fetch(cursor, limit)
        _steal(store, "memory")
        return page

    source.fetch = slow  # type: ignore[method-assign]
    assert puller.pull_once() == 30
    assert (_received(store), _cursor(store), puller.trouble) == (0, None, "")
    other = SourcePuller(source, "another", writer, grace=15)
    source.fetch = fetch  # type: ignore[method-assign]
    other.pull_once()
    assert (_received(store), _cursor(store)) == (1, "1")


def test_a_tool_waits_for_an_account_that_is_away_but_not_for_ever(store: Store, writer: Dispatcher) -> None:
    home = MemorySource("home", MemoryOptions())
    post = home.say("found by a tool")
    tool = MemorySource("tool", MemoryOptions(poll=30, since_start=True, answerable=False))
    tool.put([replace(post, source="tool", external_id="4711")])
    home.fail("locate", Temporary("away"), times=50)
    puller = SourcePuller(tool, "tester", writer, 15, lambda: {"home": home, "tool": tool})
    for _ in range(5):
        assert puller.pull_once() > 30
        assert (_received(store), _cursor(store, "tool"), puller.trouble) == (0, None, "away")
    puller.pull_once()
    assert (_sources(store), _cursor(store, "tool")) == (["tool"], "1")


def test_a_tools_finding_is_stored_as_the_account_that_answers(store: Store, writer: Dispatcher) -> None:
    home = MemorySource("home", MemoryOptions(since_start=True))
    post = home.say("told by both")
    tool = MemorySource("tool", MemoryOptions(since_start=True, answerable=False))
    tool.put([replace(post, source="tool", external_id="4711")])
    for source in (tool, home):
        SourcePuller(source, "tester", writer, 15, lambda: {"home": home, "tool": tool}).pull_once()
    assert _sources(store) == ["home"]


def _sources(store: Store) -> list[str]:
    with store.read() as tx:
        return list(tx.execute(sa.select(mentions.c.source)).scalars())


def _steal(store: Store, account: str) -> None:
    with store.begin() as tx:
        tx.info["now"] = 9e9  # long after the lease
        assert lease_pull(tx, account, "another", 60) is not None


def test_a_retired_puller_stores_nothing_more(store: Store, writer: Dispatcher) -> None:
    source, puller = _source(writer)
    source.say("one")
    fetch = source.fetch

    def retired_meanwhile(cursor: Cursor | None, limit: int) -> Page[Any]:
        puller.retired = True
        return fetch(cursor, limit)

    source.fetch = retired_meanwhile  # type: ignore[method-assign]
    puller.pull_once()
    assert (_received(store), _cursor(store)) == (0, None)


def test_trouble_is_told_once_when_it_begins_and_once_when_it_ends(
    store: Store, writer: Dispatcher, logged: list[Any]
) -> None:
    source, puller = _source(writer)
    source.fail("fetch", Temporary("the platform is away"), times=4)
    waits = [puller.pull_once() for _ in range(4)]
    assert _events(logged, "account in trouble", "account back") == ["account in trouble"]
    assert _trouble(store) == "the platform is away"
    assert waits == [60, 120, 240, 480]
    puller.pull_once()
    puller.pull_once()
    assert _events(logged, "account in trouble", "account back") == ["account in trouble", "account back"]
    assert _trouble(store) == ""


def test_the_pause_grows_up_to_ten_minutes(store: Store, writer: Dispatcher) -> None:
    source, puller = _source(writer)
    source.fail("fetch", Temporary("away"), times=20)
    assert [puller.pull_once() for _ in range(20)][-1] == 600


@pytest.mark.parametrize(
    ("error", "wait"),
    [
        (RateLimited(wait=77), 77),
        (AuthFailed("the password is wrong"), 300),
        (Temporary("away", wait=400), 400),
        (BadAnswer("nonsense"), 60),
    ],
    ids=["rate-limited", "not-authorised", "asked-to-wait", "nonsense"],
)
def test_how_long_to_wait_is_the_errors_to_say(
    store: Store, writer: Dispatcher, error: ConnectorError, wait: float
) -> None:
    source, puller = _source(writer)
    source.fail("fetch", error)
    assert puller.pull_once() == wait
    assert _trouble(store) == error.sentence


def test_who_we_are_is_asked_until_it_is_known(store: Store, writer: Dispatcher) -> None:
    source, puller = _source(writer)
    source.fail("check", AuthFailed("the password is wrong"))
    assert puller.pull_once() == 300
    assert puller.pull_once() == 30
    assert source.calls == ["check", "check", "fetch"]


def test_a_bug_in_an_adapter_is_told_and_ends_nothing(store: Store, writer: Dispatcher, logged: list[Any]) -> None:
    source, puller = _source(writer)
    fetch, source.fetch = source.fetch, _bug  # type: ignore[method-assign]
    assert puller.pull_once() == 60
    assert _trouble(store) == "bug: ZeroDivisionError"
    assert _events(logged, "pull failed") == ["pull failed"]
    source.fetch = fetch  # type: ignore[method-assign]
    assert puller.pull_once() == 30


def _bug(*_: Any) -> Any:
    return 1 // 0


def test_a_mention_with_half_an_emoji_is_stored_and_does_not_hold_up_the_page(
    store: Store, writer: Dispatcher
) -> None:
    source, puller = _source(writer)
    source.say("before")
    source.say("broken \ud83d\x00 text", author="x\x00y\udc00")
    source.say("after")
    assert puller.pull_once() == 30
    assert (_received(store), _cursor(store)) == (3, "3")


@given(
    st.recursive(
        st.text(st.characters(codec=None, exclude_categories=())),
        lambda inner: st.tuples(inner, inner) | st.dictionaries(st.text(), inner),
    )
)
def test_what_is_stored_can_be_encoded_and_nothing_else_changes(value: Any) -> None:
    cleaned = storable(value)
    json.dumps(cleaned, ensure_ascii=False).encode()
    assert storable(cleaned) is cleaned
    assert "\x00" not in str(cleaned)


# --- replies ---


def _desk(writer: Dispatcher, **facts: Any) -> tuple[_Desk, ReplyPuller]:
    desk = _Desk()
    return desk, ReplyPuller(desk, "tester", writer, grace=15)


def _replies(store: Store) -> int:
    with store.read() as tx:
        return sum(journal.replies_by_state(tx).values())


def test_a_wakeup_is_settled_by_looking_at_its_ticket(store: Store, writer: Dispatcher) -> None:
    _link(store, "7")
    desk, puller = _desk(writer)
    desk.replies["7"] = [_reply("7", 1)]
    with store.begin() as tx:
        wake(tx, "desk", [TicketId("7")])
    assert puller.pull_once() == 0
    assert (_replies(store), _woken(store), desk.looked) == (1, [], ["7"])
    assert puller.pull_once() > 50
    assert desk.looked == ["7"]


def test_changed_tickets_are_the_safety_net(store: Store, writer: Dispatcher) -> None:
    _link(store, "7")
    desk, puller = _desk(writer)
    assert puller.pull_once() == 60  # from now on
    desk.changes += ["7", "8"]
    desk.replies["7"] = [_reply("7", 1)]
    puller._next_look = 0
    assert puller.pull_once() == 0
    assert puller.pull_once() == 0
    assert (_replies(store), desk.looked, _cursor(store, "desk")) == (1, ["7"], "2")


def test_a_ticket_that_is_gone_is_looked_at_once(store: Store, writer: Dispatcher) -> None:
    _link(store, "7")
    desk, puller = _desk(writer)
    desk.trouble["7"] = Gone("deleted")
    with store.begin() as tx:
        wake(tx, "desk", [TicketId("7")])
    puller.pull_once()
    assert (_woken(store), puller.trouble) == ([], "")


@pytest.mark.parametrize(
    "error", [Temporary("busy", wait=9), BadAnswer("nonsense"), ZeroDivisionError()], ids=["busy", "bad", "bug"]
)
def test_a_ticket_that_cannot_be_read_keeps_no_other_from_it(
    store: Store, writer: Dispatcher, error: Exception
) -> None:
    _link(store, "7", "8")
    desk, puller = _desk(writer)
    desk.trouble["7"] = error
    desk.replies["8"] = [replace(_reply("8", 1), html="<p>half \ud83d</p>")]
    with store.begin() as tx:
        wake(tx, "desk", [TicketId("7"), TicketId("8")])
    puller.pull_once()
    assert (_replies(store), _woken(store), puller.trouble) == (1, ["7"], "")
    puller.pull_once()
    assert desk.looked == ["7", "8"], "it was looked at again before its time"


def test_a_ticket_that_cannot_be_stored_keeps_no_other_from_it(
    store: Store, writer: Dispatcher, monkeypatch: pytest.MonkeyPatch, logged: list[Any]
) -> None:
    _link(store, "7", "8")
    desk, puller = _desk(writer)
    desk.replies["8"] = [_reply("8", 1)]

    def accept(tx: Tx, name: str, ticket: TicketId, *rest: Any) -> int:
        return _bug() if ticket == "7" else accept_replies(tx, name, ticket, *rest)

    monkeypatch.setattr(pullers, "accept_replies", accept)
    with store.begin() as tx:
        wake(tx, "desk", [TicketId("7"), TicketId("8")])
    puller.pull_once()
    assert (_replies(store), _woken(store), puller.trouble) == (1, ["7"], "")
    assert _events(logged, "ticket cannot be stored") == ["ticket cannot be stored"]


@pytest.mark.parametrize(
    ("error", "wait"), [(AuthFailed("no"), 300), (RateLimited(wait=20), 20)], ids=["not-authorised", "slow-down"]
)
def test_what_concerns_the_whole_account_ends_the_pull_and_keeps_the_wakeups(
    store: Store, writer: Dispatcher, error: ConnectorError, wait: float
) -> None:
    _link(store, "7", "8")
    desk, puller = _desk(writer)
    desk.trouble["7"] = desk.trouble["8"] = error
    with store.begin() as tx:
        wake(tx, "desk", [TicketId("7"), TicketId("8")])
    assert puller.pull_once() == wait
    assert (_woken(store), len(desk.looked)) == (["7", "8"], 1)


def test_a_helpdesk_that_cannot_list_changes_lives_on_hooks(
    store: Store, writer: Dispatcher, logged: list[Any]
) -> None:
    _link(store, "7")
    desk, puller = _desk(writer)
    desk.trouble["changed"] = Unsupported("only for admins")
    assert puller.pull_once() == 60
    assert puller.blind == "only for admins"
    desk.replies["7"] = [_reply("7", 1)]
    with store.begin() as tx:
        wake(tx, "desk", [TicketId("7")])
    assert puller.pull_once() == 60
    assert _replies(store) == 1
    assert len(_events(logged, "only hooks tell of replies")) == 1


def test_a_limit_on_listing_changes_is_waited_for_without_trouble(store: Store, writer: Dispatcher) -> None:
    desk, puller = _desk(writer)
    desk.trouble["changed"] = RateLimited(wait=90)
    assert puller.pull_once() == 90
    assert puller.trouble == ""


def test_changes_seen_after_the_right_was_lost_wake_nobody(store: Store, writer: Dispatcher) -> None:
    _link(store, "7")
    desk, puller = _desk(writer)
    puller.pull_once()
    desk.changes.append("7")
    puller._next_look = 0
    listed = desk.changed_tickets

    def slow(cursor: Cursor | None, limit: int) -> Page[TicketId]:
        _steal(store, "desk")
        return listed(cursor, limit)

    desk.changed_tickets = slow  # type: ignore[method-assign]
    puller.pull_once()
    assert (_woken(store), _cursor(store, "desk")) == ([], "0")


def test_pulling_with_the_database_away_is_trouble_that_passes(store: Store, writer: Dispatcher) -> None:
    class Away:
        def run(self, work: Callable[[Tx], Any]) -> Any:
            raise Temporary("the database is not available")

    _, puller = _source(writer)
    puller.writer = Away()  # type: ignore[assignment]
    assert puller.pull_once() == 60
    puller.writer = writer
    assert puller.pull_once() == 30
    wait_for(lambda: _cursor(store) is not None)
