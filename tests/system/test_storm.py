"""A viral thread while others go on: nobody is starved, few calls carry many mentions, the order is kept."""

from __future__ import annotations

from pathlib import Path

import pytest

from connector.store import Store, journal
from connector.testing.simulators import freshdesk, zendesk
from tests.system.test_outages import balance, mention, rows, said
from tests.system.world import DESKS, World, wait_for

pytestmark = pytest.mark.system

STORM = 1_500
OTHERS = 60


LIMITS = {
    "zendesk": zendesk.Limits(
        account=None, account_updates=None, ticket_updates_10min=30, exports=None, user_updates=None,
        account_user_updates_1s=None,
    ),
    "freshdesk": freshdesk.Limits.off(),
}  # fmt: skip
"""Of one ticket alone: Freshdesk has no such limit, so there the whole storm is carried."""


@pytest.mark.parametrize("helpdesk", DESKS)
def test_a_viral_thread_starves_nobody_and_stays_in_order(helpdesk: str, store_url: str, tmp_path: Path) -> None:
    world = World(tmp_path, store_url, helpdesk, {"slow": 1.0, "slow_s": 0.05} if helpdesk == "freshdesk" else {})
    world.sandbox.limits = LIMITS[helpdesk]
    try:
        world.start()
        world.up()
        for start in range(0, STORM, 100):
            world.send([mention(0, n) for n in range(start, start + 100)])
            world.send([mention(1 + start // 25 + n) for n in range(OTHERS * 100 // STORM)])
        wait_for(lambda: len(said(world)) == OTHERS + 1, 30, "the others' tickets")
        if helpdesk == "zendesk":
            wait_for(lambda: _limited(world), 30, "the limit of the one ticket")
        else:
            wait_for(lambda: world.settled(0), 60, "everything")
        found = said(world)
        assert {c: ns for c, ns in found.items() if c} == {c: [0] for c in range(1, OTHERS + 1)}
        assert found[0] == list(range(len(found[0])))
        assert len(found[0]) > 400, "the storm was not coalesced"
        comments = sum(public for public, _ in world.comments(_ticket_of(world, 0)))
        assert comments < len(found[0]) / 10, f"{comments} comments"
        updates = world.sandbox.requests()[world.kind.updates]
        assert updates < comments + OTHERS + 20, f"{updates} updates"
        ledger = balance(world)
        assert ledger.even
        assert (ledger.received, ledger.failed, ledger.unsure, ledger.held) == (STORM + OTHERS, 0, 0, 0)
        assert ledger.pending == STORM - len(found[0])
        # what comes now for others does not wait for the storm
        world.send([mention(1_000)])
        wait_for(lambda: 1_000 in said(world), 10, "a ticket beside the storm")
        assert world.stop() == 0
        assert not [row for row in rows(world) if row.state == "intent"]
    finally:
        world.close()


def _ticket_of(world: World, conversation: int) -> int:
    numbers = [ticket.number for ticket in world.sandbox.seen_tickets()]
    return next(n for n in numbers if f"m{conversation}x0" in world.sandbox.seen_comments(n)[0].text)


def _limited(world: World) -> bool:
    store: Store = world.store()
    try:
        with store.read() as tx:
            waiting = journal.list_deliveries(tx, states=("ready",), limit=10)
    finally:
        store.close()
    return any("slow down" in row.reason for row in waiting)
