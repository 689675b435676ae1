"""A store, a helpdesk in memory and the flow between them: many deliveries, carried until nothing is due."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from flow_builders import PATIENCE, Desk, Memory, Platform, Ticket, desk_options, platform_options

from connector.flow import storms as words
from connector.flow.deliver import Wiring, carry
from connector.flow.intake import arrivals
from connector.helpdesks.base import HelpdeskCapabilities
from connector.markup import to_text
from connector.model import Mention
from connector.store import Claim, Outcome, Store, Tx, digests, storms
from connector.store.privates import accept
from connector.store.queue import Intent, claim, intend, settle
from connector.triage import Policy

NOON = 1_772_625_600.0


class ProblemDesk(Desk):
    """A helpdesk that links incidents to problems."""

    capabilities = HelpdeskCapabilities(problems=True, closed_ticket="follow_up")


class House:
    """Everything but threads. The clock stands at `at`."""

    def __init__(self, store: Store, policy: Policy, *, problems: bool = True) -> None:
        self.store = store
        self.memory = Memory()
        self.source = Platform(self.memory, platform_options())
        kind = ProblemDesk if problems else Desk
        self.desk = kind(self.memory, desk_options(), repeatable=True, findable=True)
        self.wiring = Wiring({"feed": self.source}, {"desk": self.desk}, policy, PATIENCE)
        self.at = NOON
        self.bugs: list[Exception] = []
        self.outcomes: list[Outcome] = []

    def turn(self, work: Any) -> Any:
        """A transaction at this time."""
        with self.store.begin() as tx:
            tx.info["now"] = self.at
            return work(tx)

    def say(self, *mentions: Mention) -> None:
        """They come in, and everything that is due is carried."""
        self.turn(lambda tx: accept(tx, arrivals(mentions, self.source.options)))
        self.carry()

    def carry(self) -> None:
        """Until nothing is due."""
        while claims := self.turn(lambda tx: claim(tx, "w", 60.0, {"desk": 50, "feed": 50})):
            for claimed in claims:
                self._carry(claimed)

    def _carry(self, claimed: Claim) -> None:
        outcome = carry(claimed, self.wiring, self._intend, 0.0, self.bugs.append, self._place)
        self.outcomes.append(outcome)
        self.turn(lambda tx: settle(tx, outcome))

    def _intend(self, intent: Intent) -> None:
        self.turn(lambda tx: intend(tx, intent, 60.0))
        self.memory.intend(intent)

    def _place(self, seen: Sequence[storms.Sighting], watch: Any, announce: Any) -> list[storms.Placement]:
        def work(tx: Tx) -> list[storms.Placement]:
            return [storms.place(tx, one, watch, announce) for one in seen]

        found: list[storms.Placement] = self.turn(work)
        return found

    def tend(self, seconds: float = 61.0) -> list[storms.Storm]:
        """A while later, look after storms and digests, and carry what comes of it; the storms that ended."""
        self.at += seconds
        self.turn(lambda tx: storms.link(tx, lambda *which: words.incident_note(self.wiring, *which)))
        while self.turn(lambda tx: digests.gather(tx, lambda some: words.digest_bulletin(self.wiring, some))):
            pass
        ended: list[storms.Storm] = self.turn(lambda tx: storms.end(tx, words.summary_note))
        self.carry()
        return ended

    @property
    def tickets(self) -> list[Ticket]:
        """Opened by us, oldest first."""
        return [ticket for ticket in self.desk.tickets.values() if ticket.draft is not None]

    def called(self, start: str) -> list[Ticket]:
        """Tickets whose subject begins so."""
        return [one for one in self.tickets if one.draft is not None and one.draft.subject.startswith(start)]

    def written(self) -> str:
        """Everything that stands at the helpdesk, as text."""
        texts = [to_text(one.draft.html) for one in self.tickets if one.draft is not None]
        return "\n".join([*texts, *(to_text(d.html) for one in self.tickets for _, _, d in one.comments)])


def house_of(store: Store, policy: Policy, **facts: Any) -> House:
    """A house on an empty store."""
    return House(store, replace(policy), **facts)
