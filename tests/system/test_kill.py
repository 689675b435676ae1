"""kill -9 at random moments: nothing lost, nothing twice, order kept. The balance is printed.

CONNECTOR_KILLS and CONNECTOR_MENTIONS set the size; as shipped it is the full one: a hundred kills over 2,000
mentions with replies, on each database, against a helpdesk and a bridge that misbehave.
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
from connector.testing.simulators.zendesk import Faults
from tests.system.world import Bridge, World, wait_for

KILLS = int(os.environ.get("CONNECTOR_KILLS", "100"))
MENTIONS = int(os.environ.get("CONNECTOR_MENTIONS", "2000"))
PER_CONVERSATION = 4
BATCH = 20

FAULTS = Faults(
    rate_429=0.002,
    rate_429_plain=0.001,
    error_5xx=0.01,
    cut_before=0.01,
    answer_lost_post=0.02,
    answer_lost_put=0.02,
    late_apply_post=0.01,
    late_apply_put=0.01,
    late_apply_s=0.5,
    requester_collision=0.01,
    text_plain_errors=0.2,
    localized_errors=True,
    incremental_lag_s=0.0,
    webhook_duplicate=0.2,
    webhook_reorder=0.2,
    webhook_drop=0.2,
)

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
                for ticket in self.world.sandbox.tickets():
                    number = int(ticket["id"])
                    done = self.answered[number]
                    if done < 2:
                        conversation = re.search(r"feed:c(\d+)-", str(ticket["external_id"]))
                        assert conversation is not None, ticket
                        text = f"<p>Смотрим, r{conversation.group(1)}x{done}</p>"
                        self.world.sandbox.agent_reply(number, html_body=text)
                        self.answered[number] += 1
                        self.left -= 1
                time.sleep(0.1)
        except Exception as error:  # noqa: BLE001 - told by the test, not by a thread's traceback
            self.error = error


@pytest.mark.system
def test_a_hundred_kills_lose_nothing_and_double_nothing(store_url: str, tmp_path: Path) -> None:
    chance = random.Random(20_26)
    conversations = MENTIONS // PER_CONVERSATION
    world = World(tmp_path, store_url, FAULTS, Bridge(seed=1, error=0.02, lost=0.03))
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
        for _ in range(KILLS):
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
    store = world.store()
    with store.read() as tx:
        ledger = journal.balance(tx)
        replies = journal.replies_by_state(tx)
    store.close()
    hits = {name: count for name, count in world.sandbox.hits().items() if count}
    print(f"\n{world.starts} starts, faults {hits}, bridge called {world.bridge.calls} times")
    print(ledger, "· replies", replies)

    assert ledger.even
    assert ledger.pending == ledger.held == ledger.failed == ledger.unsure == 0
    assert ledger.ticketed == conversations
    assert ledger.ticketed + ledger.appended == conversations * PER_CONVERSATION

    tickets = world.sandbox.tickets()
    opened = Counter(str(ticket["external_id"]) for ticket in tickets)
    assert len(opened) == conversations
    assert max(opened.values()) == 1, "a ticket was opened twice"

    said: dict[int, list[int]] = defaultdict(list)
    for ticket in tickets:
        number = int(ticket["id"])
        cards = sent = 0
        for comment in world.sandbox.comments(number):
            body = str(comment["plain_body"]).replace("\u2060", "")
            if not comment["public"]:
                cards += "PUBLIC" in body
                sent += "Reply posted" in body
                continue
            for token in _TOKEN.findall(body):
                conversation, n = (int(part) for part in token[1:].split("x"))
                if token.startswith("m"):
                    said[conversation].append(n)
                    assert "{{ticket.id}}" in body, "a placeholder was expanded"
        assert cards == 1, f"ticket {number} has {cards} cards"
        assert sent == 2, f"ticket {number} tells of {sent} replies"
    wrong = {c: ns for c, ns in said.items() if ns != list(range(PER_CONVERSATION))}
    if wrong:
        for ticket in tickets:
            if f"feed:c{next(iter(wrong))}-" in str(ticket["external_id"]):
                print(world.sandbox.comments(int(ticket["id"])))
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
