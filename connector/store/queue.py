"""The life of a delivery. Drawn once, a letter per arrow:

                         a                b                 c
        (accepted) ──► blocked ────► ready ──────► intent ──────► done
                          │            ▲ │  ▲        │ │
                          │          d │ │  └────────┘ │ f (in doubt: looked up before it is sent again)
                          │            └─┘      e      ▼
                          └──────────► ready         unsure
                        (lane free)      │
                                         └──► failed · held · ignored

    a  promoted in the transaction that ends the one before it in its lane (or born ready: the lane was free)
    b  the request is frozen and stored, and only then sent
    c  the receipt is stored; with several parts b and c alternate, a receipt per part
    d  claimed, and nothing was sent: a limit, a refused connection, a mapping that cannot be read
    e  certainly not done: sent again with the same key
    f  nobody can tell: parked for a person, and its lane with it

A claim is a lease on the database's clock, fenced by owner and a number that grows with each claim: whoever lost it
can no longer write. An `intent` whose lease ran out is *in doubt*. `failed`, `held` and `ignored` free the lane,
`unsure` holds it. A mention held for a digest is `done` when the bulletin that tells of it is. A conversation has two
lanes, one towards the helpdesk and one towards the platform: an answer that is unsure must not keep the person's next
message from the agent.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import sqlalchemy as sa

from connector.errors import ConnectorError
from connector.model import CommentDraft, Deadlines, Receipt, Reply, Request, TicketId, encode
from connector.store import watches
from connector.store.arrivals import accept_answer, bear, wake
from connector.store.bulk import Bulk, Prepared, bulk, bulk_insert
from connector.store.claims import Claim, load
from connector.store.store import Tx, now, unindexed
from connector.store.tables import ANSWERED_THERE, accounts, conversations, cursors, deliveries, parts, sightings

End = Literal["done", "failed", "unsure", "held", "ignored"]


class LeaseLost(ConnectorError):
    """Another replica has taken this delivery over."""


@dataclass(frozen=True, slots=True)
class Intent:
    """What has to be durable before part `n` is sent; `receipt` is that of the part before it. `resent`: the frozen
    request goes out again, with all that rides along in it; otherwise `joined` says anew what does."""

    claim: Claim
    n: int
    request: Request
    plan: str | None = None
    trace: str | None = None
    joined: tuple[int, ...] = ()
    receipt: Receipt | None = None
    ticket: TicketId | None = None
    external_id: str | None = None
    moved_at: float | None = None
    resent: bool = False


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one turn of carrying ended.

    `end` names the ending; without it the delivery stays: due again after `wait`, still in doubt if `in_doubt`.
    `counted` says whether this was an attempt. `ticket` is the link it made, `moved_at` when that ticket took
    over from another (comments on it from before were not for this person). `notes` and an automatic `answer` are
    born in the same transaction. `pause` and `stop` tell about an account, `troubled` if it is not the delivery's
    own: seconds until its next call, and why none is made. `due` is when the mention, said at `since`, has to be
    answered; `tone` is how it was said, `rules` those that fitted.
    """

    claim: Claim
    end: End | None = None
    reason: str = ""
    wait: float = 0.0
    in_doubt: bool = False
    counted: bool = True
    receipt: Receipt | None = None
    part: int = 0
    ticket: TicketId | None = None
    external_id: str | None = None
    moved_at: float | None = None
    trace: str | None = None
    joined: tuple[int, ...] = ()
    notes: tuple[CommentDraft, ...] = ()
    answer: Reply | None = None
    pause: float = 0.0
    stop: str = ""
    troubled: str = ""
    due: Deadlines | None = None
    since: float = 0.0
    tone: str | None = None
    rules: tuple[str, ...] = ()


# --- claim -------------------------------------------------------------------------------------------------


def claim(tx: Tx, owner: str, lease: float, wanted: Mapping[str, int]) -> list[Claim]:
    """Lease up to so many due deliveries per account, the oldest first and answers before mentions.

    A paused account gives none, a stopped one a single probe, one with a budget what it may call now.
    """
    at = now(tx)
    state = {row.name: row for row in _ACCOUNTS.run(tx)}
    shared = [name for name in wanted if name in state and (state[name].per_minute or state[name].stopped)]
    if shared:
        # what all replicas share is looked at by one of them at a time; the others come again in a moment
        free = {row.name: row for row in tx.execute(_TAKE_ACCOUNTS, {"names": shared})}
        state |= free
        wanted = {name: limit for name, limit in wanted.items() if name not in shared or name in free}
    ids: list[int] = []
    doubt: set[int] = set()
    for account, limit in wanted.items():
        known = state.get(account)
        allowed = min(limit, _allowed(known, at)) if known is not None else limit
        if allowed <= 0:
            continue
        rows = _CLAIM.run(tx, to_account=account, at=at, n=allowed, by=owner, until=at + lease).all()
        ids += [row.id for row in rows]
        doubt |= {row.id for row in rows if row.state == "intent"}
        if rows and known is not None:
            _spend(tx, known, len(rows), at)
    return load(tx, ids, doubt, owner, at) if ids else []


_ACCOUNTS = Prepared(lambda _: sa.select(accounts))

_TAKE_ACCOUNTS = (
    sa.select(accounts)
    .where(accounts.c.name.in_(sa.bindparam("names", expanding=True)))
    .with_for_update(skip_locked=True)
)

_CLAIM = Prepared(
    lambda _: (
        sa.update(deliveries)
        .where(
            deliveries.c.id.in_(
                sa.select(deliveries.c.id)
                .where(deliveries.c.account == sa.bindparam("to_account"))
                .where(sa.literal_column("state IN ('ready', 'intent')"))
                .where(deliveries.c.due_at <= sa.bindparam("at"), deliveries.c.lease_until < sa.bindparam("at"))
                .order_by(deliveries.c.rank, deliveries.c.due_at, deliveries.c.id)
                .limit(sa.bindparam("n"))
                .with_for_update(skip_locked=True)
                .scalar_subquery()
            )
        )
        .values(owner=sa.bindparam("by"), fence=deliveries.c.fence + 1, lease_until=sa.bindparam("until"))
        .returning(deliveries.c.id, deliveries.c.state)
    )
)


def _allowed(account: Any, at: float) -> int:
    if account.paused_until > at:
        return 0
    if account.stopped:
        return 1
    if account.per_minute:
        return int((at - _budget_start(account, at)) * account.per_minute / 60.0)
    return 1_000_000


def _budget_start(account: Any, at: float) -> float:
    """When the budget was last empty: at most a twelfth of a minute's calls may be saved up for a burst."""
    return max(float(account.next_at), at - 5.0)


def _spend(tx: Tx, account: Any, calls: int, at: float) -> None:
    if account.per_minute:
        start = _budget_start(account, at)
        tx.execute(
            sa.update(accounts)
            .where(accounts.c.name == account.name)
            .values(next_at=start + calls * 60.0 / account.per_minute)
        )
    if account.stopped:
        # one probe at a time: the next only when this one is settled or forgotten
        tx.execute(sa.update(accounts).where(accounts.c.name == account.name).values(paused_until=at + 60.0))


def forget_leases(tx: Tx) -> None:
    """Nobody else can be working on this database: whatever is leased was left by a dead process."""
    leased = sa.and_(sa.literal_column("state IN ('ready', 'intent')"), deliveries.c.lease_until > 0)
    for table, held in ((deliveries, leased), (cursors, cursors.c.lease_until > 0)):
        tx.execute(sa.update(table).where(held).values(lease_until=0.0, owner=""))


# --- intend ------------------------------------------------------------------------------------------------


def intend(tx: Tx, intent: Intent, lease: float) -> None:
    """Make an intent durable. LeaseLost: somebody else has the delivery, send nothing."""
    if intend_all(tx, [intent], lease) != [True]:
        raise LeaseLost(service="store", operation=f"delivery {intent.claim.id}")


def intend_all(tx: Tx, intents: Sequence[Intent], lease: float) -> list[bool]:
    """Make these intents durable, in a handful of statements for all of them. For each whether the delivery is still
    ours; where it is not, nothing of it is stored and nothing may be sent."""
    at = now(tx)
    ours = _still_ours(tx, [intent.claim for intent in intents])
    kept = [intent for intent, is_ours in zip(intents, ours, strict=True) if is_ours]
    rows = [{"number": i.claim.id, "plan": i.plan, "decision": i.trace} for i in kept]
    _INTEND.run(tx, rows, until=at + lease)
    _save_receipts(tx, [(i.claim, i.n - 1, i.receipt) for i in kept if i.receipt is not None])
    _link(tx, [i for i in kept if i.ticket or i.external_id])
    _PUT_PART.run(tx, [_frozen(intent, at) for intent in kept])
    parted = [i.claim for i in kept if not i.resent and i.n == 0 and i.claim.kind == "mention"]
    _many(tx, _PART_WITH, [{"in_lane": c.lane, "ridden": c.id} for c in parted if c.followers or c.parts])
    _many(tx, _JOIN, [{"rider": rider, "by": i.claim.id} for i in kept for rider in i.joined])
    return ours


def _frozen(intent: Intent, at: float) -> dict[str, Any]:
    """What `_PUT_PART` writes."""
    request = intent.request
    row = {"op": request.op, "body": request.body, "repeatable": request.repeatable}
    return row | {"delivery": intent.claim.id, "n": intent.n, "intent_at": at, "receipt": None, "receipt_id": None}


def _still_ours(tx: Tx, claims: Sequence[Claim]) -> list[bool]:
    """For each of these deliveries whether nobody else has claimed it since; those of ours are locked."""
    rows: Iterable[Any] = _HELD.run(tx, [{"number": claim.id} for claim in claims])
    held = {(row.id, row.owner, row.fence) for row in rows}
    return [(claim.id, claim.owner, claim.fence) in held for claim in claims]


def _many(tx: Tx, statement: Any, rows: Sequence[Mapping[str, Any]]) -> None:
    """One statement for any number of rows, also none."""
    if rows:
        tx.execute(statement, rows)


_HELD = bulk(
    lambda _, given: (
        sa.select(deliveries.c.id, deliveries.c.owner, deliveries.c.fence)
        .where(given.among(deliveries.c.id, "number"))
        .where(unindexed(deliveries.c.state).in_((sa.literal_column("'ready'"), sa.literal_column("'intent'"))))
        .order_by(deliveries.c.id)
        .with_for_update()
    ),
    number=deliveries.c.id.type,
)

_INTEND = bulk(
    lambda _, given: (
        sa.update(deliveries)
        .where(deliveries.c.id == given["number"])
        .values(
            state=sa.literal_column("'intent'"),
            lease_until=sa.bindparam("until", type_=sa.Double),
            body=sa.func.coalesce(given["plan"], deliveries.c.body),
            trace=sa.func.coalesce(given["decision"], deliveries.c.trace),
        )
    ),
    number=deliveries.c.id.type,
    plan=sa.Text(),
    decision=sa.Text(),
)

_PART_WITH = (
    sa.update(deliveries)
    .where(deliveries.c.lane == sa.bindparam("in_lane"), deliveries.c.carrier == sa.bindparam("ridden"))
    .where(sa.literal_column("state = 'blocked'"))
    .values(carrier=None)
)

_JOIN = (
    sa.update(deliveries)
    .where(deliveries.c.id == sa.bindparam("rider"), sa.literal_column("state = 'blocked'"))
    .values(carrier=sa.bindparam("by"))
)


_FROZEN = ("op", "body", "repeatable", "intent_at", "receipt", "receipt_id")

_PUT_PART = bulk_insert(
    parts,
    *("delivery", "n", *_FROZEN),
    then=lambda insert: insert.on_conflict_do_update(
        index_elements=["delivery", "n"], set_={name: insert.excluded[name] for name in _FROZEN}
    ),
)

_PUT_RECEIPT = bulk(
    lambda _, given: (
        sa.update(parts)
        .where(parts.c.delivery == given["number"], parts.c.n == given["part"])
        .values(receipt=given["text"], receipt_id=given["theirs"])
    ),
    number=parts.c.delivery.type,
    part=parts.c.n.type,
    text=sa.Text(),
    theirs=sa.Text(),
)

_PUT_LINK = bulk(
    lambda _, given: (
        sa.update(conversations)
        .where(conversations.c.id == given["number"])
        .values(
            ticket=sa.func.coalesce(given["to_ticket"], conversations.c.ticket),
            external_id=sa.func.coalesce(given["named"], conversations.c.external_id),
            linked_at=sa.func.coalesce(given["moved_at"], conversations.c.linked_at),
        )
    ),
    number=conversations.c.id.type,
    to_ticket=sa.Text(),
    named=sa.Text(),
    moved_at=sa.Double(),
)


def _save_receipts(tx: Tx, saved: Sequence[tuple[Claim, int, Receipt]]) -> None:
    rows = [{"number": c.id, "part": n, "text": encode(receipt), "theirs": receipt.id} for c, n, receipt in saved]
    _PUT_RECEIPT.run(tx, rows)


def _link(tx: Tx, made: Sequence[Intent] | Sequence[Outcome]) -> None:
    rows = [
        {"number": one.claim.lane // 2, "to_ticket": one.ticket, "named": one.external_id, "moved_at": one.moved_at}
        for one in made
    ]
    _PUT_LINK.run(tx, sorted(rows, key=lambda row: int(row["number"])))


# --- settle ------------------------------------------------------------------------------------------------


def settle(tx: Tx, outcome: Outcome) -> None:
    """Store how a turn ended; ends, parks or re-arms the delivery and lets the next of its lane go.

    LeaseLost when somebody else has the delivery: whatever was done is found by its key there.
    """
    if settle_all(tx, [outcome]) != [True]:
        raise LeaseLost(service="store", operation=f"delivery {outcome.claim.id}")


def settle_all(tx: Tx, outcomes: Sequence[Outcome]) -> list[bool]:
    """Store how these turns ended, in a handful of statements for all of them.

    For each whether the delivery was still ours; where it is not, nothing is stored: whoever has it finds by its key
    what was done.
    """
    at = now(tx)
    ours = _still_ours(tx, [outcome.claim for outcome in outcomes])
    kept = [outcome for outcome, is_ours in zip(outcomes, ours, strict=True) if is_ours]
    _SETTLE.run(tx, [_settled(outcome, at) for outcome in kept])
    _save_receipts(tx, [(o.claim, o.part, o.receipt) for o in kept if o.receipt is not None])
    _link(tx, [o for o in kept if o.ticket is not None])
    for outcome in kept:
        mine = outcome.claim
        if outcome.ticket is not None and (mine.in_doubt or mine.doubted_at is not None):
            # the link was made late: an agent may have answered before we knew the ticket
            wake(tx, mine.helpdesk, [outcome.ticket])
    ended: Counter[int] = Counter()
    for outcome in kept:
        joined = _settle_joined(tx, outcome, at)
        if outcome.end is not None and outcome.end != "unsure":
            ended[outcome.claim.lane] += 1 + joined
    told = [o.claim.id for o in kept if o.claim.kind == "bulletin" and o.end == "done"]
    _many(tx, _TOLD, [{"bulletin": number, "at": at} for number in told])
    free_lanes(tx, ended, at)
    bear(tx, [row for outcome in kept for row in notes_of(outcome.claim, outcome.notes)], at)
    _watch(tx, [outcome for outcome in kept if outcome.end == "done"])
    for outcome in kept:
        if outcome.answer is not None:
            accept_answer(tx, outcome.claim.helpdesk, outcome.claim.lane // 2, outcome.answer)
    _tell_accounts(tx, kept, at)
    return ours


def _watch(tx: Tx, finished: Sequence[Outcome]) -> None:
    """Whose first answer is awaited from now on, and who has got it."""
    said = [(o.claim, o.claim.reply or (o.claim.mention if o.reason == ANSWERED_THERE else None)) for o in finished]
    watches.answered(tx, [(claim.lane // 2, one.created_at.timestamp()) for claim, one in said if one is not None])
    taken_back = [
        (o.claim.lane // 2, o.claim.mention.external_id)
        for o in finished
        if o.claim.mention is not None and o.claim.mention.deleted and not o.claim.mention.own
    ]
    watches.withdrawn(tx, taken_back)
    asked = [watches.Begun(o.claim.lane // 2, o.claim.id, o.since, o.due) for o in finished if o.due is not None]
    watches.begin(tx, asked)


def _settled(outcome: Outcome, at: float) -> dict[str, Any]:
    """What `_SETTLE` writes."""
    mine = outcome.claim
    stays = outcome.end is None
    return {
        "number": mine.id,
        "new_state": outcome.end or ("intent" if outcome.in_doubt else "ready"),
        "why": "released" if stays and mine.released else outcome.reason[:2000],
        "tries": int(outcome.counted),
        "decision": outcome.trace,
        "tone": outcome.tone if outcome.end == "done" else None,
        "doubt": at if outcome.in_doubt or outcome.end == "unsure" or mine.in_doubt else None,
        "due": at + outcome.wait if stays else None,
        "end": at if outcome.end in ("done", "failed", "ignored") else None,
    }


_SETTLE = bulk(
    lambda _, given: (
        sa.update(deliveries)
        .where(deliveries.c.id == given["number"])
        .values(
            state=given["new_state"],
            reason=given["why"],
            attempts=deliveries.c.attempts + given["tries"],
            trace=sa.func.coalesce(given["decision"], deliveries.c.trace),
            tone=sa.func.coalesce(given["tone"], deliveries.c.tone),
            doubted_at=sa.func.coalesce(deliveries.c.doubted_at, given["doubt"]),
            due_at=sa.func.coalesce(given["due"], deliveries.c.due_at),
            ended_at=given["end"],
            owner=sa.literal_column("''"),
            lease_until=sa.literal_column("0"),
        )
    ),
    number=deliveries.c.id.type,
    new_state=sa.Text(),
    why=sa.Text(),
    tries=sa.Integer(),
    decision=sa.Text(),
    tone=sa.Text(),
    doubt=sa.Double(),
    due=sa.Double(),
    end=sa.Double(),
)


def _settle_joined(tx: Tx, outcome: Outcome, at: float) -> int:
    """Those carried along end with it when it is done, stay with it while that is unclear, and wait for themselves
    again when it certainly was not."""
    mine = outcome.claim
    if not outcome.joined and not mine.parts:
        return 0
    riders = sa.update(deliveries).where(deliveries.c.lane == mine.lane, deliveries.c.carrier == mine.id)
    riders = riders.where(sa.literal_column("state = 'blocked'"))
    if outcome.end == "done":
        return int(tx.execute(riders.values(state="done", ended_at=at, reason=outcome.reason[:2000])).rowcount)
    if outcome.end != "unsure" and not outcome.in_doubt:
        tx.execute(riders.values(carrier=None))
    return 0


# what a bulletin told of stands at the helpdesk now
_TOLD = (
    sa.update(deliveries)
    .where(deliveries.c.id.in_(sa.select(sightings.c.delivery).where(sightings.c.told == sa.bindparam("bulletin"))))
    .where(deliveries.c.state == "held")
    .values(state="done", ended_at=sa.bindparam("at"))
)


def free_lanes(tx: Tx, ended: Mapping[int, int], at: float) -> None:
    """So many of each of these lanes have ended, their heads among them: the next one that waits becomes ready."""
    leave_lanes(tx, ended)
    _PROMOTE.run(tx, [{"lane": lane} for lane in ended], at=at)


def leave_lanes(tx: Tx, ended: Mapping[int, int]) -> None:
    """So many of each of these lanes have ended."""
    for side, leave in enumerate(_LEAVE):
        lanes = sorted(lane for lane in ended if lane % 2 == side)
        leave.run(tx, [{"number": lane // 2, "ended": ended[lane]} for lane in lanes])


def _leaving(column: sa.Column[int]) -> Bulk:
    return bulk(
        lambda _, given: (
            sa.update(conversations)
            .where(conversations.c.id == given["number"])
            .values({column: column - given["ended"]})
        ),
        number=conversations.c.id.type,
        ended=sa.Integer(),
    )


_LEAVE = [_leaving(conversations.c.live_in), _leaving(conversations.c.live_out)]


def _first_of(lane: Any) -> Any:
    """What waits first in a lane: asked of each lane, for else SQLite goes through all that waits anywhere."""
    waits = deliveries.alias("waits")
    first = sa.select(sa.func.min(waits.c.id)).where(waits.c.lane == lane)
    return first.where(sa.literal_column("waits.state = 'blocked'")).scalar_subquery()


_PROMOTE = bulk(
    lambda _, given: (
        sa.update(deliveries)
        .where(deliveries.c.id.in_(given.each(_first_of(given["lane"]))))
        .values(state=sa.literal_column("'ready'"), due_at=sa.bindparam("at", type_=sa.Double))
    ),
    lane=deliveries.c.lane.type,
)


def notes_of(mine: Claim, notes: Sequence[CommentDraft]) -> list[dict[str, Any]]:
    """Notes are deliveries of their own: they wait their turn in the lane towards the helpdesk."""
    return [
        {"kind": "note", "account": mine.helpdesk, "source": mine.source, "body": encode(note)}
        | {"key": f"{mine.key}.{mine.fence}.note{n}", "conversation": mine.lane // 2, "state": "", "reason": ""}
        for n, note in enumerate(notes)
    ]


def _tell_accounts(tx: Tx, outcomes: Sequence[Outcome], at: float) -> None:
    """An account is stopped, paused, or back; that it is back is told once, not for each delivery."""
    back: set[str] = set()
    for outcome in outcomes:
        name = outcome.troubled or outcome.claim.account
        if outcome.stop:
            back.discard(name)
            tx.execute(
                sa.update(accounts)
                .where(accounts.c.name == name)
                .values(
                    stopped_at=sa.case((accounts.c.stopped == "", at), else_=accounts.c.stopped_at),
                    stopped=outcome.stop[:500],
                    paused_until=at + outcome.pause,
                )
            )
        elif outcome.pause:
            tx.execute(
                sa.update(accounts)
                .where(accounts.c.name == name, accounts.c.paused_until < at + outcome.pause)
                .values(paused_until=at + outcome.pause)
            )
        elif outcome.receipt is not None:
            for called in sorted({name, outcome.claim.helpdesk} - back):  # a reply was read there before it left
                back.add(called)
                _BACK.run(tx, called=called)


_BACK = Prepared(
    lambda _: (
        sa.update(accounts)
        .where(accounts.c.name == sa.bindparam("called"), accounts.c.stopped != "")
        .values(stopped="", stopped_at=None, paused_until=0.0)
    )
)
