"""One turn of carrying one delivery, part by part: look if in doubt, prepare, make the intent durable, send.

The one rule: nothing is sent whose frozen request is not in the store, and nothing that may have happened is sent
again before it was looked up. Each part has its own intent and receipt, so that a crash after part 2 of 3 goes on
with part 3. The turn remembers all it has learnt, so that whatever ends it can be told with all of it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from connector.adapter import Outlet
from connector.errors import ConnectorError, Temporary, Unsupported
from connector.flow.retry import Patience
from connector.helpdesks.base import Helpdesk
from connector.model import Deadlines, Key, Receipt, Request, TicketId
from connector.sources.base import Source
from connector.store.claims import Claim
from connector.store.queue import End, Intent, Outcome
from connector.store.storms import Announce, Placement, Sighting, Watch
from connector.triage import Policy

D = TypeVar("D")
Place = Callable[[Sequence[Sighting], Watch | None, Announce], Sequence[Placement]]


@dataclass(frozen=True, slots=True)
class Wiring:
    """What a turn works with; replaced as a whole when the configuration is reloaded.

    `identities` names the account that answers, per source. `shadow`: decide and remember, write nothing.
    """

    sources: Mapping[str, Source]
    helpdesks: Mapping[str, Helpdesk]
    policy: Policy
    patience: Patience = field(default_factory=Patience)
    identities: Mapping[str, str] = field(default_factory=dict)
    shadow: bool = False


class StillInDoubt(ConnectorError):
    """The first try may still take effect."""

    def __init__(self, wait: float) -> None:
        super().__init__()
        self.wait = wait


class MadeAnew(ConnectorError):
    """It certainly did not happen, and what was prepared for it (upload tokens, a remembered key) is too old now."""


class CannotLook(ConnectorError):
    """It was sent and not answered, and this platform cannot be asked whether it is there."""


@dataclass(slots=True)
class Turn:
    """A claimed delivery in our hands, and what we have learnt about it.

    `intend` gives back when an intent is durable and raises LeaseLost when the delivery is not ours any more.
    `doubt`: the part at hand may have happened; `absent`: a look-up proved that it has not. `receipt` is that of part
    `n`, not yet stored; `receipts` are all. `incident`: a storm, and no rule, links its ticket to a problem.
    """

    claim: Claim
    wiring: Wiring
    intend: Callable[[Intent], None]
    n: int = 0
    doubt: bool = False
    absent: bool = False
    receipt: Receipt | None = None
    receipts: dict[int, Receipt] = field(default_factory=dict)
    ticket: TicketId | None = None
    moved_at: float | None = None
    external_id: str | None = None
    trace: str | None = None
    joined: tuple[int, ...] = ()
    due: Deadlines | None = None
    since: float = 0.0
    tone: str | None = None
    rules: tuple[str, ...] = ()
    place: Place | None = None
    incident: bool = False

    @classmethod
    def of(cls, claim: Claim, wiring: Wiring, intend: Callable[[Intent], None], place: Place | None = None) -> Turn:
        """The turn that begins with this claim."""
        receipts = {part.n: part.receipt for part in claim.parts if part.receipt is not None}
        return cls(claim, wiring, intend, n=len(receipts), doubt=claim.in_doubt, receipts=receipts, place=place)

    @property
    def desk(self) -> Helpdesk:
        """The helpdesk of the conversation."""
        desk = self.wiring.helpdesks.get(self.claim.helpdesk)
        if desk is None:
            name = self.claim.helpdesk
            raise Temporary(f'the helpdesk "{name}" is not configured any more; put it back, or drop this')
        return desk

    @property
    def begun(self) -> bool:
        """Whether something of it had happened before this turn, or may have. What certainly did not is made anew."""
        return self.claim.in_doubt or any(part.receipt is not None for part in self.claim.parts)

    def outcome(self, end: End | None = None, reason: str = "", **facts: Any) -> Outcome:
        """How the turn ended, with everything learnt in it."""
        return Outcome(
            self.claim,
            end,
            reason,
            receipt=self.receipt,
            part=self.n,
            ticket=self.ticket,
            moved_at=self.moved_at,
            external_id=self.external_id,
            trace=self.trace,
            joined=self.joined,
            due=self.due,
            since=self.since,
            tone=self.tone,
            rules=self.rules,
            **facts,
        )

    def part(
        self,
        outlet: Outlet[D],
        n: int,
        draft: D,
        *,
        plan: str | None = None,
        refused: bool = False,
        before_sending: Callable[[], None] | None = None,
    ) -> Receipt:
        """The receipt of part `n`: the one we have, the one a look-up finds, or the one sending gives.

        `refused`: what was intended for it before was refused for certain, and this takes its place.
        `before_sending` may raise: the last moment to think better of it.
        """
        if n in self.receipts:
            return self.receipts[n]
        claim = self.claim
        earlier = self.receipt  # of the part before, not yet stored: with the next intent, or with the outcome
        known = None if refused else next((part for part in claim.parts if part.n == n), None)
        key = part_key(claim, n)
        request: Request | None = None
        self.doubt = claim.in_doubt and known is not None
        if self.doubt and known is not None:
            self.n = n
            found = _look(outlet, known.request, key)
            if found:
                return self._got(n, found[0])
            since = claim.now - known.intent_at
            patience = self.wiring.patience
            if not known.request.repeatable and since < patience.in_doubt_wait:
                raise StillInDoubt(patience.in_doubt_wait - since)
            if since >= patience.key_memory:
                raise CannotLook if found is None else MadeAnew
            self.absent = found is not None and since >= patience.in_doubt_wait
            request = known.request  # the very same bytes, and with them everything that rides along
        if before_sending is not None:
            before_sending()
        if request is None:
            request = outlet.prepare(draft)
        self.intend(
            Intent(
                claim,
                n,
                request,
                plan=plan,
                trace=self.trace,
                joined=self.joined,
                receipt=earlier,
                ticket=self.ticket,
                moved_at=self.moved_at,
                external_id=self.external_id,
                resent=known is not None and request is known.request,
            )
        )
        self.n, self.receipt = n, None
        self.trace = None  # stored with this intent: not written again with the next, nor with the outcome
        return self._got(n, outlet.send(request, key))

    def _got(self, n: int, receipt: Receipt) -> Receipt:
        self.n, self.receipt, self.doubt, self.absent = n, receipt, False, False
        self.receipts[n] = receipt
        return receipt


def part_key(claim: Claim, n: int) -> Key:
    """The key of part `n`: the delivery's own for the first."""
    return claim.key if n == 0 else Key(f"{claim.key}-{n}")


def _look(outlet: Outlet[Any], request: Request, key: Key) -> tuple[Receipt, ...] | None:
    """Look it up. None: this outlet cannot look and the request may go again; what may not is left to a person."""
    try:
        return outlet.find(request, key)
    except Unsupported:
        if request.repeatable:
            return None
        raise CannotLook from None
