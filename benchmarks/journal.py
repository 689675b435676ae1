"""How long the store takes for what is asked of it, on a large journal.

    python benchmarks/journal.py --store sqlite:////tmp/large.db [--mentions 1000000] [--slow 20]

Fills an empty database with so many mentions, their deliveries, calls, answers and tickets (minutes for a million),
then asks what the daemon and the commands ask, each in a transaction that is rolled back. Prints one JSON line:
milliseconds, the median of three; a statement that takes more than `--slow` milliseconds is told on stderr with the
database's plan. A database that is filled already is measured again as it stands.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

from connector.model import (
    Author,
    CommentId,
    Deadlines,
    Mention,
    Parent,
    Receipt,
    Reply,
    Request,
    TicketId,
    TicketState,
    encode,
)
from connector.store import Outcome, Store, Tx, journal, people, queue, reconcile, tickets, watches
from connector.store import arrivals as arriving
from connector.store.arrivals import Arrival
from connector.store.claims import load
from connector.store.queue import Intent
from connector.store.tables import metadata

YEAR = 365 * 86_400.0
LOUD = "feed:loud"
"""Who wrote one mention in fifty."""
_ROUNDS = 3


# --- filling -----------------------------------------------------------------------------------------------


def mention(number: str, author: str, thread: str) -> Mention:
    """One of about 900 bytes."""
    text = "Третий день жду курьера, никто не отвечает. Заказ не привезли! Верните деньги. " * 2
    return Mention(
        source="feed",
        platform="feed",
        external_id=f"m{number}",
        author=Author(author, f"Person {author}", handle=f"h_{author}", followers=100),
        text=text,
        created_at=datetime(2026, 11, 22, 9, 30, tzinfo=UTC),
        url=f"https://social.example/{thread}?comment={number}",
        thread_id=f"t{thread}",
        parent=Parent(f"t{thread}", text="Новая коллекция уже в продаже"),
    )


def reply(comment: str, ticket: str = "7") -> Reply:
    """An agent's public answer."""
    return Reply(TicketId(ticket), CommentId(comment), True, True, "<p>thank you</p>", datetime.now(UTC))


def due(at: float) -> Deadlines:
    """An hour, one more, and a third."""
    target, breach, ceiling = (datetime.fromtimestamp(at + n * 3600, UTC) for n in (1, 2, 3))
    return Deadlines(target, breach, ceiling, "1h", "all")


def _rows(n: int, now: float, false: str) -> Iterator[tuple[str, int, str]]:
    """What is inserted where, how often, with which values of `n`.

    Four in five mentions begin a conversation; the last hundredth waits, 2 % were ignored, a few are parked; every
    third conversation was answered; a quarter of the tickets is open; spread over a year.
    """
    talks, answers, live = n * 4 // 5, n * 4 // 15, n - n // 100
    place = "((n - 1) * 4 / 5 + 1)"
    author = "CASE WHEN n % 50 = 0 THEN 'loud' WHEN n % 10 = 1 THEN 'r' || (n % 1000) ELSE 'a' || (n / 2) END"

    def when(last: int) -> str:
        return f"{now} - {YEAR} * ({last} - n) / {last}"

    yield (
        "conversations (id, source, name, helpdesk, ticket, external_id, live_in, stirred_at)",
        talks,
        f"n, 'feed', 't' || n, 'desk', CAST(n AS TEXT), 'feed:m' || n, 0, {when(talks)}",
    )
    words = "CAST(:mention AS TEXT)"
    for mark, value in (("@n@", "CAST(n AS TEXT)"), ("@a@", author), ("@t@", f"CAST({place} AS TEXT)")):
        words = f"replace({words}, '{mark}', {value})"
    yield (
        "mentions (id, source, external_id, version, author, conversation, received_at, body)",
        n,
        f"n, 'feed', 'm' || n, '', 'feed:' || {author}, {place}, {when(n)}, {words}",
    )
    yield (
        "replies (id, helpdesk, comment, ticket, conversation, received_at, body, digest)",
        answers,
        (
            f"n, 'desk', 'c' || n, CAST(n * 3 AS TEXT), n * 3, {when(answers)}, CAST(:reply AS TEXT),"
            " CASE WHEN n % 4 = 0 THEN 'same' ELSE 'd' || n END"
        ),
    )
    state = (
        f"CASE WHEN n > {live} THEN CASE n % 5 WHEN 2 THEN 'blocked' ELSE 'ready' END WHEN n % 50 = 7 THEN 'ignored'"
        " WHEN n % 1000 = 11 THEN 'failed' WHEN n % 5000 = 13 THEN 'held' WHEN n % 20000 = 17 THEN 'unsure'"
        " ELSE 'done' END"
    )
    yield (
        (
            "deliveries (id, conversation, lane, kind, account, source, key, mention, state, reason, trace, tone,"
            " rank, due_at, created_at, ended_at)"
        ),
        n,
        (
            f"n, {place}, {place} * 2, 'mention', 'desk', 'feed', 'k' || n, n, {state},"
            " CASE WHEN n % 50 = 7 THEN 'a rule says so' ELSE '' END, CAST(:trace AS TEXT),"
            f" CASE n % 3 WHEN 0 THEN 'negative' WHEN 1 THEN 'neutral' ELSE 'positive' END, 1, {when(n)}, {when(n)},"
            f" CASE WHEN n > {live} THEN NULL ELSE {when(n)} END"
        ),
    )
    waits = f"n > {answers} - 200"
    yield (
        (
            "deliveries (id, conversation, lane, kind, account, source, key, reply, state, rank, due_at, created_at,"
            " ended_at)"
        ),
        answers,
        (
            f"n + {n}, n * 3, n * 6 + 1, 'reply', 'feed', 'feed', 'r' || n, n,"
            f" CASE WHEN {waits} THEN 'ready' ELSE 'done' END, 0, {when(answers)}, {when(answers)},"
            f" CASE WHEN {waits} THEN NULL ELSE {now} END"
        ),
    )
    for part, op in ((0, "CASE WHEN n % 5 = 0 THEN 'comment' ELSE 'ticket' END"), (1, "'comment'")):
        yield (
            "parts (delivery, n, op, body, repeatable, intent_at, receipt, receipt_id)",
            live,
            f"n, {part}, {op}, CAST(:call AS TEXT), {false}, {when(n)}, CAST(:receipt AS TEXT), 'x{part}' || n",
        )
    yield (
        "tickets (helpdesk, ticket, status, seen_at)",
        talks,
        f"'desk', CAST(n AS TEXT), CASE n % 4 WHEN 0 THEN 'open' ELSE 'solved' END, {now}",
    )
    over = talks * 96 // 100
    yield (
        "watches (conversation, delivery, since, due, target, breach, begun_at, next_at, ended_at, why)",
        talks * 97 // 100,
        (
            f"n, n, {now}, CAST(:due AS TEXT), {now} + 3600, {now} + 7200, {now},"
            f" CASE WHEN n > {over} THEN {now} + 3600 END, CASE WHEN n > {over} THEN NULL ELSE {now} END, 'answered'"
        ),
    )


def fill(store: Store, count: int) -> None:
    """Put so many mentions into an empty database, and what goes with them."""
    now = time.time()
    texts = {"mention": encode(mention("@n@", "@a@", "@t@")), "reply": encode(reply("@n@")), "call": "x" * 700}
    texts |= {"receipt": encode(Receipt("1", "https://desk.example/1", TicketId("1"))), "due": encode(due(now))}
    texts |= {"trace": json.dumps({"because": ["why this rule and not another, word by word"] * 24})}
    series = "SELECT n FROM generate_series(1, {0}) AS g(n)"
    if store.is_sqlite:
        series = "WITH RECURSIVE g(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM g WHERE n < {0}) SELECT n FROM g"
    with store.begin() as tx:
        for table, last, values in _rows(count, now, "0" if store.is_sqlite else "false"):
            began = time.monotonic()
            text = f"INSERT INTO {table} SELECT {values} FROM ({series.format(last)}) AS s"
            tx.execute(sa.text(text), {name: value for name, value in texts.items() if f":{name} " in text})
            print(f"{table.partition(' ')[0]}: {last} in {time.monotonic() - began:.0f} s", file=sys.stderr)
        if not store.is_sqlite:
            tx.execute(sa.text("ANALYZE"))
        live = "FROM deliveries d WHERE d.state IN ('ready', 'blocked', 'unsure')"
        each = f"SELECT count(*) {live} AND d.conversation = conversations.id AND d.kind = "
        sides = f"live_in = ({each} 'mention'), live_out = ({each} 'reply')"
        tx.execute(sa.text(f"UPDATE conversations SET {sides} WHERE id IN (SELECT d.conversation {live})"))
        tx.execute(sa.text("INSERT INTO counters (source, received) VALUES ('feed', :n)"), {"n": count})
        for name in ("desk", "feed"):
            arriving.declare_account(tx, name, None)
        for table in metadata.sorted_tables if not store.is_sqlite else ():
            if "id" in table.c:
                after = f"SELECT setval(pg_get_serial_sequence('{table.name}', 'id'), max(id)) FROM {table.name}"
                tx.execute(sa.text(after))
    if not store.is_sqlite:  # as its own autovacuum does within minutes
        with store.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as idle:
            idle.execute(sa.text("VACUUM ANALYZE"))


# --- asking ------------------------------------------------------------------------------------------------


def questions(count: int) -> dict[str, Callable[[Tx], Any]]:
    """What is asked, by its name."""
    fresh = [mention(f"new{n}", f"new{n}", f"new{n}") for n in range(100)]
    loud = [mention(f"loud{n}", "loud", f"loud{n}") for n in range(20)]
    now = time.time()
    last = str(count * 4 // 5 // 3 * 3)
    found = [reply(f"new{n}", last) for n in range(5)]

    def accepted(tx: Tx, given: list[Mention]) -> list[bool]:
        return arriving.accept_mentions(tx, [Arrival(m, m.thread_id, "desk") for m in given])

    def carried(tx: Tx) -> None:
        got = queue.claim(tx, "me", 60.0, {"desk": 20, "feed": 20})
        mine = [one for one in got if one.kind == "mention"]
        queue.intend_all(tx, [Intent(one, 0, Request("ticket", "x", False)) for one in mine], 60.0)
        receipt = Receipt("1", ticket=TicketId("1"))
        ends = [
            Outcome(one, "done", receipt=receipt, ticket=TicketId("1"), tone="neutral", due=due(now), since=now)
            for one in mine
        ]
        queue.settle_all(tx, ends)

    def loudest(tx: Tx) -> None:
        accepted(tx, loud)
        ids = tx.execute(sa.text("SELECT id FROM deliveries ORDER BY id DESC LIMIT 20")).scalars().all()
        load(tx, ids, set(), "me", now)

    state = TicketState(TicketId(last), "open")
    return {
        "accept_100": lambda tx: accepted(tx, fresh),
        "accept_20_and_load_of_a_loud_author": loudest,
        "carry_40": carried,
        "accept_replies_5": lambda tx: arriving.accept_replies(tx, "desk", TicketId(last), found, None),
        "wake_20": lambda tx: arriving.wake(tx, "desk", [TicketId(str(n)) for n in range(1, 21)]),
        "ticket_state": lambda tx: tickets.note_state(tx, "desk", state),
        "ticket_heeded": lambda tx: watches.heed(tx, "desk", state, "do_not_reply", now),
        "ticket_recall": lambda tx: tickets.recall(tx, "desk", TicketId(last), [], lambda _: "gone"),
        "ticket_mute": lambda tx: tickets.mute(tx, "desk", TicketId(last)),
        "ticket_release": lambda tx: tickets.release(tx, "desk", TicketId(last), "send"),
        "deadlines_passed": lambda tx: reconcile.passed(tx, 50),
        "doubtful": lambda tx: reconcile.doubtful(tx, "me", 60.0, 20),
        "overdue": lambda tx: reconcile.overdue(tx, "me", 60.0, 20),
        "expire_100": lambda tx: people.expire(tx, 90, 100),
        "forget_leases": queue.forget_leases,
        "standing": journal.standing,
        "backlog": journal.backlog,
        "oldest_waiting": journal.oldest_waiting,
        "first_answers": watches.overview,
        "balance": journal.balance,
        "balance_of_a_source": lambda tx: journal.balance(tx, source="feed"),
        "balance_since_yesterday": lambda tx: journal.balance(tx, since=now - 86_400),
        "replies_by_state": journal.replies_by_state,
        "list": journal.list_deliveries,
        "list_parked": lambda tx: journal.list_deliveries(tx, states=("held", "failed", "unsure")),
        "list_failed_replies": lambda tx: journal.list_deliveries(tx, states=("failed",), kinds=("reply",)),
        "list_of_no_source": lambda tx: journal.list_deliveries(tx, source="nothing"),
        "show_by_number": lambda tx: journal.show_delivery(tx, "77"),
        "show_by_mention": lambda tx: journal.show_delivery(tx, "feed:m77"),
        "show_by_bare_id": lambda tx: journal.show_delivery(tx, "m77"),
        "show_by_ticket": lambda tx: journal.show_delivery(tx, "ticket:77"),
        "links_200": lambda tx: journal.links(tx, count // 2, 200),
        "recent_mentions_1d": lambda tx: sum(1 for _ in journal.recent_mentions(tx, now - 86_400)),
        "authors_by_handle": lambda tx: people.authors(tx, "@h_loud"),
        "known_loud_author": lambda tx: people.known(tx, LOUD),
    }


@contextmanager
def undone(store: Store) -> Iterator[Tx]:
    """A transaction that leaves nothing behind."""
    with store.begin() as tx:
        yield tx
        tx.rollback()


class Slow:
    """Tells of statements that take long, once each, with the plan."""

    def __init__(self, store: Store, limit: float) -> None:
        self.store = store
        self.limit = limit
        self.told: set[str] = set()
        self.asking = ""
        sa.event.listen(store.engine, "before_cursor_execute", self._begins)
        sa.event.listen(store.engine, "after_cursor_execute", self._ends)

    def _begins(self, connection: Any, *_: Any) -> None:
        connection.info["began"] = time.perf_counter()

    def _ends(self, connection: Any, cursor: Any, text: str, words: Any, _: Any, many: bool) -> None:
        took = (time.perf_counter() - connection.info["began"]) * 1000
        if took < self.limit or text in self.told or many or text.startswith(("EXPLAIN", "INSERT INTO", "VACUUM")):
            return
        self.told.add(text)
        plan = "EXPLAIN QUERY PLAN " if self.store.is_sqlite else "EXPLAIN ANALYZE "
        rows = connection.exec_driver_sql(plan + text, words).all()
        lines = [str(row[-1])[:200] for row in rows]
        print(f"\n{self.asking}: {took:.0f} ms\n{text[:1500]}\n  " + "\n  ".join(lines), file=sys.stderr)


def measured(store: Store, count: int, limit: float) -> dict[str, float]:
    """Milliseconds for each question."""
    asked = questions(count)
    slow = Slow(store, limit)
    found: dict[str, float] = {}
    for name, ask in asked.items():
        slow.asking = name
        times = []
        for _ in range(_ROUNDS):
            with undone(store) as tx:
                began = time.perf_counter()
                ask(tx)
                times.append((time.perf_counter() - began) * 1000)
        found[name] = round(statistics.median(times), 1)
    return found


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--store", required=True, help="an empty database, or one that this has filled")
    parser.add_argument("--mentions", type=int, default=1_000_000)
    parser.add_argument("--slow", type=float, default=20.0, help="milliseconds")
    chosen = parser.parse_args()
    store = Store(chosen.store)
    store.migrate()
    with store.read() as tx:
        count = tx.execute(sa.text("SELECT coalesce(sum(received), 0) FROM counters")).scalar_one()
    if not count:
        fill(store, chosen.mentions)
        count = chosen.mentions
    print(
        json.dumps(
            {
                "store": store.url.get_backend_name(),
                "mentions": int(count),
                "ms": measured(store, int(count), chosen.slow),
            }
        )
    )
    store.close()


if __name__ == "__main__":
    main()
