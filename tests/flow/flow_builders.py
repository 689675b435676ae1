"""A platform, a helpdesk and a store in memory, and one delivery between them.

The store double keeps what was made durable and forgets the rest, so that the next claim is what a process would find
after a crash. Both outlets ask it before every send: a request that is not stored, or stored and sent already, is a
breach, and the turn that did it fails the test.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any, ClassVar

from connector.errors import Closed, Gone, Unsupported
from connector.flow.deliver import Wiring, carry, reconcile
from connector.flow.retry import Patience
from connector.flow.turn import part_key
from connector.helpdesks.base import Helpdesk, HelpdeskCapabilities, HelpdeskOptions
from connector.http import Http
from connector.model import (
    Author,
    CommentDraft,
    CommentId,
    Key,
    Mention,
    Merge,
    Receipt,
    Reply,
    ReplyDraft,
    ReplyLimits,
    Request,
    TicketDraft,
    TicketId,
    TicketState,
    decode,
    encode,
)
from connector.store import Claim, Follower, Outcome, Part
from connector.store.queue import Intent
from connector.testing.memory import MemoryOptions, MemorySource
from connector.triage import Policy, load
from connector.triage.guard import Guard

NOON = datetime(2026, 3, 4, 12, tzinfo=UTC)
PATIENCE = Patience(in_doubt_wait=120, key_memory=7_000, give_up_after=100_000)
MAPPING = """
rules:
  - {name: advert, when: {text: hiring}, allow_negative: true, ignore: advert}
  - {name: refund, when: {text: refund}, set: {tags: [refund]}}
"""


class Killed(BaseException):
    """The process ends here: nobody catches it and nothing is settled."""


@cache
def policy() -> Policy:
    """Ignores adverts and tags refunds."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "mapping.yaml").write_text(MAPPING, "utf-8")
        return load(Path(folder))


def said(number: int = 1, text: str = "", **facts: Any) -> Mention:
    """The mention of that number, said that many seconds after noon."""
    given: dict[str, Any] = {
        "source": "feed",
        "platform": "memory",
        "external_id": f"m{number}",
        "author": Author("u1", "Anna", "anna"),
        "text": text or f"message {number}",
        "created_at": NOON + timedelta(seconds=number),
        "url": f"https://memory.example/m{number}",
        "thread_id": "t1",
    }
    return Mention(**(given | facts))


def answered(html: str = "<p>Thank you.</p>", number: int = 1, **facts: Any) -> Reply:
    """An agent's public comment on ticket 7, written an hour after noon."""
    given: dict[str, Any] = {"public": True, "by_agent": True, "created_at": NOON + timedelta(hours=1)}
    return Reply(TicketId("7"), CommentId(f"c{number}"), html=html, **(given | facts))


def mention_claim(mention: Mention | None = None, *, ticket: str | None = None, **facts: Any) -> Claim:
    """A mention, claimed for the first time."""
    return _claim("mention", "desk", mention=mention or said(), ticket=ticket, **facts)


def reply_claim(reply: Reply | None = None, *heard: Mention, **facts: Any) -> Claim:
    """A reply, claimed for the first time; heard before it was what is given, else one mention."""
    return _claim("reply", "feed", reply=reply or answered(), heard=heard or (said(),), ticket="7", **facts)


def note_claim(html: str = "<p>posted</p>") -> Claim:
    """A note on ticket 7, claimed for the first time."""
    return _claim("note", "desk", body=encode(CommentDraft(TicketId("7"), html)), ticket="7")


def follower(number: int, text: str = "", **facts: Any) -> Follower:
    """A mention that waits behind the claimed one."""
    return Follower(number, said(number, text, **facts))


def _claim(kind: Any, account: str, **facts: Any) -> Claim:
    given: dict[str, Any] = {
        "id": 1,
        "lane": 2 + (kind == "reply"),
        "kind": kind,
        "account": account,
        "source": "feed",
        "helpdesk": "desk",
        "key": Key("k" * 40),
        "owner": "w",
        "fence": 1,
        "now": 0.0,
        "born": 0.0,
        "attempts": 0,
        "in_doubt": False,
        "doubted_at": None,
        "released": False,
        "ticket": None,
        "external_id": "",
        "body": "",
        "mention": None,
        "reply": None,
        "parts": (),
    }
    return Claim(**(given | facts))


# --- the outlets -------------------------------------------------------------------------------------------------


@dataclass
class Memory:
    """What is durable of one delivery. `breaches` are sends that nothing durable stood behind."""

    intents: list[Intent] = field(default_factory=list)
    sendable: set[tuple[Key, Request]] = field(default_factory=set)
    parts: dict[int, Part] = field(default_factory=dict)
    breaches: list[str] = field(default_factory=list)
    trouble: list[Exception] = field(default_factory=list)
    at: float = 0.0

    def intend(self, intent: Intent) -> None:
        """Durable, unless trouble was ordered."""
        if self.trouble:
            raise self.trouble.pop(0)
        self.intents.append(intent)
        self.sendable.add((part_key(intent.claim, intent.n), intent.request))
        self.parts[intent.n] = Part(intent.n, intent.request, self.at, None)
        if intent.receipt is not None:
            self.parts[intent.n - 1] = replace(self.parts[intent.n - 1], receipt=intent.receipt)

    def asked(self, request: Request, key: Key) -> None:
        """An outlet is about to do it."""
        if (key, request) not in self.sendable:
            self.breaches.append(f"{request.op} was sent under {key} without an intent of its own")
        self.sendable.discard((key, request))


class Faults:
    """Trouble that was ordered for an outlet's next calls."""

    def __init__(self) -> None:
        self.ordered: list[list[Any]] = []
        self.calls: list[str] = []

    def order(
        self, operation: str, error: BaseException, *, after: bool = False, skip: int = 0, times: int = 1
    ) -> None:
        """So many calls after `skip` others raise it; `after`: having done the deed."""
        self.ordered += [[operation, error, after, skip] for _ in range(times)]

    def come(self, operation: str, *, after: bool = False) -> None:
        """Raise what was ordered for this moment."""
        if not after:
            self.calls.append(operation)
        for number, fault in enumerate(self.ordered):
            wanted, error, late, skip = fault
            if (wanted, late) == (operation, after):
                fault[3] -= 1
                if skip == 0:
                    del self.ordered[number]
                    raise error
                return


class Platform(MemorySource):
    """The platform in memory; every send is asked of the store first."""

    def __init__(self, memory: Memory, options: MemoryOptions) -> None:
        super().__init__("feed", options)
        self.memory = memory
        self.max_with_files: int | None = None
        self.faults = Faults()

    def enrich(self, mention: Mention) -> Mention:
        """A hundred followers."""
        self.faults.come("enrich")
        return super().enrich(mention)

    def reply_limits(self, mention: Mention) -> ReplyLimits:
        """As configured."""
        self.faults.come("reply_limits")
        return replace(super().reply_limits(mention), max_with_files=self.max_with_files)

    def prepare(self, draft: ReplyDraft) -> Request:
        """The draft itself, frozen."""
        self.faults.come("prepare")
        return super().prepare(draft)

    def send(self, request: Request, key: Key) -> Receipt:
        """One post."""
        self.memory.asked(request, key)
        self.faults.come("send")
        receipt = super().send(request, key)
        self.faults.come("send", after=True)
        return receipt

    def find(self, request: Request, key: Key) -> tuple[Receipt, ...]:
        """Every post with that key."""
        self.faults.come("find")
        return super().find(request, key)


@dataclass
class Ticket:
    """A ticket as the helpdesk has it: what opened it and its comments, each with the key it came with."""

    draft: TicketDraft | None
    key: Key
    comments: list[tuple[Key, str, CommentDraft]] = field(default_factory=list)
    state: str = "open"
    merged_into: TicketId | None = None
    tags: tuple[str, ...] = ()


class Desk(Helpdesk):
    """A helpdesk in memory. Ticket 7 is there from the beginning."""

    type: ClassVar[str] = "desk"
    capabilities: ClassVar[HelpdeskCapabilities] = HelpdeskCapabilities(closed_ticket="follow_up")

    def __init__(self, memory: Memory, options: HelpdeskOptions, *, repeatable: bool, findable: bool) -> None:
        super().__init__("desk", options, Http("desk"))
        self.memory = memory
        self.repeatable = repeatable
        self.findable = findable
        self.faults = Faults()
        self.tickets: dict[TicketId, Ticket] = {TicketId("7"): Ticket(None, Key("before"))}
        self.replies: dict[CommentId, Reply] = {}
        self.moved: dict[CommentId, TicketId] = {}

    def check(self) -> Any:
        """Not asked by the flow."""
        raise NotImplementedError

    def prepare(self, draft: TicketDraft | CommentDraft) -> Request:
        """The draft itself, frozen."""
        self.faults.come("prepare")
        op = "ticket" if isinstance(draft, TicketDraft) else "comment"
        return Request(op, encode(draft), repeatable=self.repeatable)

    def send(self, request: Request, key: Key) -> Receipt:
        """Open the ticket or add the comment; once per key where requests are repeatable."""
        self.memory.asked(request, key)
        self.faults.come("send")
        known = self._under(key) if request.repeatable else ()
        receipt = known[0] if known else self._do(request, key)
        self.faults.come("send", after=True)
        return receipt

    def find(self, request: Request, key: Key) -> tuple[Receipt, ...]:
        """What stands under that key."""
        if not self.findable:
            raise Unsupported("this desk was told not to look", service=self.name)
        self.faults.come("find")
        return self._under(key)

    def read_reply(self, ticket: TicketId, comment: CommentId) -> Reply | None:
        """The comment as it is now."""
        self.faults.come("read_reply")
        return self.replies.get(comment) if self.moved.get(comment, ticket) == ticket else None

    def survivor(self, ticket: TicketId) -> Merge | None:
        """What it was merged into, at noon."""
        into = self.tickets[ticket].merged_into
        return None if into is None else Merge(into, NOON)

    def read_tickets(self, tickets: Sequence[TicketId]) -> Sequence[TicketState]:
        """Their state and tags."""
        self.faults.come("read_tickets")
        return [TicketState(n, self.tickets[n].state, self.tickets[n].tags) for n in tickets]

    def _do(self, request: Request, key: Key) -> Receipt:
        if request.op == "ticket":
            number = TicketId(str(100 + len(self.tickets)))
            self.tickets[number] = Ticket(decode(TicketDraft, request.body), key)
            return Receipt(f"first-{number}", f"https://desk.example/{number}", number)
        draft = decode(CommentDraft, request.body)
        ticket = self.tickets[draft.ticket]
        if ticket.state != "open":
            raise Closed("the ticket is closed") if ticket.state == "closed" else Gone("the ticket was deleted")
        comment = f"x{sum(len(one.comments) for one in self.tickets.values()) + 1}"
        ticket.comments.append((key, comment, draft))
        return Receipt(comment, f"https://desk.example/{draft.ticket}#{comment}", draft.ticket)

    def _under(self, key: Key) -> tuple[Receipt, ...]:
        opened = [
            Receipt(f"first-{n}", f"https://desk.example/{n}", n) for n, t in self.tickets.items() if t.key == key
        ]
        added = [
            Receipt(comment, f"https://desk.example/{number}#{comment}", number)
            for number, ticket in self.tickets.items()
            for its, comment, _ in ticket.comments
            if its == key
        ]
        return (*opened, *added)


# --- the stage ---------------------------------------------------------------------------------------------------


class Stage:
    """One delivery, carried turn after turn. `claim` is what the store would hand out next."""

    def __init__(
        self,
        claim: Claim,
        *,
        source: MemoryOptions | None = None,
        desk: HelpdeskOptions | None = None,
        repeatable: bool = False,
        findable: bool = True,
        shadow: bool = False,
        guard: Guard | None = None,
    ) -> None:
        self.claim = claim
        self.memory = Memory()
        self.source = Platform(self.memory, source or platform_options())
        self.desk = Desk(self.memory, desk or desk_options(), repeatable=repeatable, findable=findable)
        rules = policy() if guard is None else replace(policy(), guard=guard)
        self.wiring = Wiring({"feed": self.source}, {"desk": self.desk}, rules, PATIENCE, shadow=shadow)
        self.bugs: list[Exception] = []
        self.outcomes: list[Outcome] = []
        if claim.reply is not None:
            self.desk.replies[claim.reply.id] = claim.reply

    def carry(self, at: float = 0.0, *, chance: float = 0.0) -> Outcome:
        """Carry it one turn at that second, settle what came of it, and make the next claim ready."""
        self._claimed(at)
        outcome = carry(self.claim, self.wiring, self.memory.intend, chance, self.bugs.append)
        self._lawful()
        self.outcomes.append(outcome)
        self._settled(outcome)
        return outcome

    def carry_and_die(self, at: float = 0.0) -> None:
        """Carry it one turn in which the process is killed, as was ordered."""
        outcome = self.live(at)
        if outcome is not None:
            raise AssertionError(f"nobody was killed: {outcome}")

    def live(self, at: float = 0.0) -> Outcome | None:
        """Carry it one turn; None when the process was killed in it."""
        try:
            return self.carry(at)
        except Killed:
            self._lawful()
            self._remembered(in_doubt=bool(self.memory.intents))
            return None

    def reconcile(self) -> tuple[CommentDraft, ...]:
        """Look once more."""
        return reconcile(self.claim, self.wiring)

    def _lawful(self) -> None:
        if self.memory.breaches:
            raise AssertionError("; ".join(self.memory.breaches))

    def _claimed(self, at: float) -> None:
        self.memory.at = at
        self.claim = replace(self.claim, now=at, fence=self.claim.fence + 1)

    def _settled(self, outcome: Outcome) -> None:
        if outcome.receipt is not None:
            self.memory.parts[outcome.part] = replace(self.memory.parts[outcome.part], receipt=outcome.receipt)
        self.claim = replace(self.claim, attempts=self.claim.attempts + outcome.counted)
        self._remembered(in_doubt=outcome.in_doubt, ticket=outcome.ticket)

    def _remembered(self, *, in_doubt: bool, ticket: TicketId | None = None) -> None:
        """The next claim, made of what is durable."""
        intents = self.memory.intents
        plan = next((intent.plan for intent in reversed(intents) if intent.plan), None)
        linked = ticket or next((intent.ticket for intent in reversed(intents) if intent.ticket), None)
        parts = tuple(self.memory.parts[n] for n in sorted(self.memory.parts))
        started = in_doubt or any(part.receipt for part in parts)
        self.claim = replace(
            self.claim,
            parts=parts,
            in_doubt=in_doubt,
            body=plan or self.claim.body,
            ticket=linked or self.claim.ticket,
            followers=() if started else self.claim.followers,
        )

    def change_comment(self, **facts: Any) -> None:
        """The agent changes the comment; without facts it is deleted."""
        reply = self.claim.reply
        assert reply is not None
        if facts:
            self.desk.replies[reply.id] = replace(self.desk.replies[reply.id], **facts)
        else:
            del self.desk.replies[reply.id]

    # what a test looks at

    @property
    def sent(self) -> list[str]:
        """The operations that were intended, in order; each was sent at most once."""
        return [intent.request.op for intent in self.memory.intents]

    def opened(self) -> list[tuple[TicketId, TicketDraft]]:
        """The tickets we opened."""
        return [(number, ticket.draft) for number, ticket in self.desk.tickets.items() if ticket.draft is not None]

    def comments(self, ticket: str = "7") -> list[CommentDraft]:
        """The comments on a ticket, its first not among them."""
        return [draft for _, _, draft in self.desk.tickets[TicketId(ticket)].comments]


def platform_options(**facts: Any) -> MemoryOptions:
    """The easiest platform, but one on which a request sent twice is two posts."""
    return MemoryOptions(**({"idempotent": False} | facts))


def desk_options(**facts: Any) -> HelpdeskOptions:
    """A desk that reopens."""
    return HelpdeskOptions(**({"type": "desk"} | facts))


def told(outcome: Outcome) -> str:
    """The one note that is born with this outcome."""
    (note,) = outcome.notes
    assert not note.public
    return note.html


def texts(found: Sequence[CommentDraft]) -> list[str]:
    """Their bodies."""
    return [draft.html for draft in found]
