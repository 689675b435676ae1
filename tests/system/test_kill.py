"""kill -9 at random moments: nothing lost, nothing twice, order kept. The balance is printed.

CONNECTOR_KILLS and CONNECTOR_MENTIONS set the size of the full one, on the Zendesk sandbox: as shipped a hundred
kills over 2,000 mentions with replies, on each database, against a helpdesk and a bridge that misbehave. On the
Freshdesk sandbox it is three tenths of that, so that all of it takes minutes.
"""

from __future__ import annotations

import os
import random
import re
import threading
import time
from collections import Counter, defaultdict
from pathlib import Path

import pytest

from connector.store import journal
from tests.system.world import DESKS, Bridge, World, wait_for

KILLS = int(os.environ.get("CONNECTOR_KILLS", "100"))
MENTIONS = int(os.environ.get("CONNECTOR_MENTIONS", "2000"))
SHARE = {"zendesk": 1.0, "freshdesk": 0.3}
PER_CONVERSATION = 4
BATCH = 20

FAULTS = {
    "rate_429": 0.002,
    "rate_429_plain": 0.001,
    "error_5xx": 0.01,
    "cut_before": 0.01,
    "answer_lost_post": 0.02,
    "answer_lost_put": 0.02,
    "late_apply_post": 0.01,
    "late_apply_put": 0.01,
    "late_apply_s": 0.5,
    "search_lag_s": 300.0,
    "text_plain_errors": 0.2,
    "localized_errors": True,
    "webhook_duplicate": 0.2,
    "webhook_reorder": 0.2,
    "webhook_drop": 0.2,
}
ALSO = {"zendesk": {"requester_collision": 0.01}, "freshdesk": {"incoming_reopens": True}}

_TOKEN = re.compile(r"\b[mr]\d+x\d+\b")


def _mention(conversation: int, n: int) -> dict[str, object]:
    return {
        "id": f"c{conversation}-{n}",
        "text": f"Где мой заказ? m{conversation}x{n} {{{{ticket.id}}}}",
        "thread_id": f"c{conversation}",
        "url": f"https://forum.example/c{conversation}#{n}",
        "author": {"id": f"u{conversation % 97}", "name": f"Person {conversation % 97}"},
    }


class _Agent(threading.Thread):
    """Answers every ticket twice, as soon as it is there."""

    def __init__(self, world: World, conversations: int) -> None:
        super().__init__(daemon=True)
        self.world = world
        self.left = conversations * 2
        self.answered: Counter[int] = Counter()
        self.error: Exception | None = None

    def run(self) -> None:
        try:
            while self.left:
                for ticket in self.world.sandbox.seen_tickets():
                    done = self.answered[ticket.number]
                    if done < 2:
                        conversation = _conversation(self.world, ticket.number)
                        self.world.sandbox.answer(ticket.number, f"<p>Смотрим, r{conversation}x{done}</p>")
                        self.answered[ticket.number] += 1
                        self.left -= 1
                time.sleep(0.1)
        except Exception as error:  # noqa: BLE001 - told by the test, not by a thread's traceback
            self.error = error


def _conversation(world: World, ticket: int) -> int:
    """Whose ticket it is: its first message tells."""
    found = _TOKEN.search(world.sandbox.seen_comments(ticket)[0].text)
    assert found is not None, world.sandbox.seen_comments(ticket)
    return int(found.group()[1:].partition("x")[0])


@pytest.mark.system
@pytest.mark.parametrize("helpdesk", DESKS)
def test_a_hundred_kills_lose_nothing_and_double_nothing(helpdesk: str, store_url: str, tmp_path: Path) -> None:
    chance = random.Random(20_26)
    kills, conversations = int(KILLS * SHARE[helpdesk]), int(MENTIONS * SHARE[helpdesk]) // PER_CONVERSATION
    world = World(tmp_path, store_url, helpdesk, FAULTS | ALSO[helpdesk], Bridge(seed=1, error=0.02, lost=0.03))
    agent = _Agent(world, conversations)
    batches = [
        [_mention(c, n) for c in range(start, min(start + BATCH, conversations))]
        for start in range(0, conversations, BATCH)
        for n in range(PER_CONVERSATION)
    ]
    sender = threading.Thread(target=lambda: [world.send(batch, 600) for batch in batches], daemon=True)
    try:
        world.start()
        sender.start()
        agent.start()
        for _ in range(kills):
            time.sleep(chance.uniform(0.7, 2.0))
            world.kill()
            world.start()
        world.up()
        wait_for(lambda: not sender.is_alive(), 300, "sending everything")
        wait_for(lambda: not agent.is_alive(), 300, "answering every ticket")
        assert agent.error is None, agent.error
        wait_for(lambda: world.settled(conversations * 2), 300, "settling everything")
        _prove(world, conversations)
        assert world.stop() == 0
    finally:
        world.close()


def _prove(world: World, conversations: int) -> None:
    """The balance, the same at every helpdesk: each mention is one comment on the one ticket of its conversation, in
    order; each answer was posted once, in order; each ticket has one card and tells of each answer once."""
    store = world.store()
    with store.read() as tx:
        ledger = journal.balance(tx)
        replies = journal.replies_by_state(tx)
    store.close()
    hits = {name: count for name, count in world.sandbox.hits().items() if count}
    print(f"\n{world.helpdesk}: {world.starts} starts, faults {hits}, bridge called {world.bridge.calls} times")
    print(ledger, "· replies", replies)

    assert ledger.even
    assert ledger.pending == ledger.held == ledger.failed == ledger.unsure == 0
    assert ledger.ticketed == conversations
    assert ledger.ticketed + ledger.appended == conversations * PER_CONVERSATION

    tickets = [ticket.number for ticket in world.sandbox.seen_tickets()]
    opened = Counter(_conversation(world, number) for number in tickets)
    assert len(opened) == conversations
    assert max(opened.values()) == 1, "a ticket was opened twice"

    said: dict[int, list[int]] = defaultdict(list)
    for number in tickets:
        cards = sent = 0
        for public, body in world.comments(number):
            if not public:
                cards += "PUBLIC" in body
                sent += "Reply posted" in body
                continue
            for token in _TOKEN.findall(body):
                conversation, n = (int(part) for part in token[1:].split("x"))
                if token.startswith("m"):
                    assert conversation == _conversation(world, number), "a mention is on somebody else's ticket"
                    said[conversation].append(n)
                    assert "{{ticket.id}}" in body, "a placeholder was expanded"
        assert cards == 1, f"ticket {number} has {cards} cards"
        assert sent == 2, f"ticket {number} tells of {sent} replies"
    wrong = {c: ns for c, ns in said.items() if ns != list(range(PER_CONVERSATION))}
    if wrong:
        for number in tickets:
            if _conversation(world, number) == next(iter(wrong)):
                print(world.comments(number))
    assert not wrong, f"lost, doubled or out of order: {dict(list(wrong.items())[:5])}"
    assert len(said) == conversations

    answered: dict[int, list[int]] = defaultdict(list)
    for key in world.bridge.order:
        found = _TOKEN.findall(world.bridge.posts[key]["text"])
        assert len(found) == 1
        conversation, n = (int(part) for part in found[0][1:].split("x"))
        answered[conversation].append(n)
        assert len(world.bridge.bodies[key]) == 1, "one key came with two texts"
    wrong = {c: ns for c, ns in answered.items() if ns != [0, 1]}
    assert not wrong, f"replies lost, doubled or out of order: {dict(list(wrong.items())[:5])}"
    assert len(answered) == conversations
