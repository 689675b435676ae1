"""A claim: a delivery leased to us, read whole, with everything that is needed to carry it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import sqlalchemy as sa
from sqlalchemy.dialects import sqlite

from connector.model import Bulletin, CommentDraft, Key, Mention, Receipt, Reply, Request, TicketId, decode
from connector.store.bulk import Given, bulk
from connector.store.silences import silent
from connector.store.store import Tx
from connector.store.storms import stormy
from connector.store.tables import (
    ANSWERED_THERE,
    conversations,
    deliveries,
    mentions,
    parts,
    private_moves,
    replies,
    watches,
)

_COALESCED = 20
_REMEMBERED = 50
_LOOKED_BACK = 1_000
_HEARD_BEFORE = 20


@dataclass(frozen=True, slots=True)
class Part:
    """One call of a delivery: its frozen request, when it was last intended, what came back."""

    n: int
    request: Request
    intent_at: float
    receipt: Receipt | None


@dataclass(frozen=True, slots=True)
class Follower:
    """A mention of the same lane that waits behind the claimed one and may be carried with it."""

    id: int
    mention: Mention


@dataclass(frozen=True, slots=True)
class Claim:
    """A delivery leased to us, with everything needed to carry it. `now` is the database's clock at the claim.

    Of a post of our own: `replies` are all of its conversation, `posted` the ids that came back for them, and
    `posting` says that one of them may be on its way. `silent`: there is a silence, so the store has to be asked
    where a mention goes. `overtaken`: why an answer that nobody wrote must not leave any more. `private_beside`: by a
    merge, the ticket that the reply stands on holds a private conversation too.

    `unneeded` is None but for a note about a first answer that is due: then it says why nobody needs that any more
    (answered, solved), and is empty while somebody does.
    """

    id: int
    lane: int
    kind: Literal["mention", "reply", "note", "bulletin"]
    account: str
    source: str
    helpdesk: str
    key: Key
    owner: str
    fence: int
    now: float
    born: float
    attempts: int
    in_doubt: bool
    doubted_at: float | None
    released: bool
    ticket: TicketId | None
    external_id: str
    body: str
    mention: Mention | None
    reply: Reply | None
    parts: tuple[Part, ...]
    followers: tuple[Follower, ...] = ()
    earlier: Mention | None = None
    heard: tuple[Mention, ...] = ()
    said_before: tuple[float, ...] = ()
    contacts: tuple[tuple[TicketId, float], ...] = ()
    answered: bool = False
    last_trace: str = ""
    replies: tuple[Reply, ...] = ()
    posted: frozenset[str] = frozenset()
    posting: bool = False
    unneeded: str | None = None
    tones: tuple[tuple[str, float], ...] = ()
    silent: bool = False
    overtaken: str = ""
    private_beside: bool = False

    @property
    def note(self) -> CommentDraft:
        """The draft of a note."""
        return decode(CommentDraft, self.body)

    @property
    def bulletin(self) -> Bulletin:
        """What a bulletin says."""
        return decode(Bulletin, self.body)


_LOAD = bulk(
    lambda _, given: (
        sa.select(
            deliveries.c.id,
            deliveries.c.kind,
            deliveries.c.account,
            deliveries.c.source,
            deliveries.c.key,
            deliveries.c.lane,
            deliveries.c.fence,
            deliveries.c.attempts,
            deliveries.c.doubted_at,
            deliveries.c.reason,
            deliveries.c.created_at,
            deliveries.c.body,
            deliveries.c.reply,
            conversations.c.helpdesk,
            conversations.c.ticket,
            conversations.c.external_id,
            conversations.c.live_in,
            mentions.c.body.label("mention_body"),
            mentions.c.version,
            mentions.c.author,
            replies.c.body.label("reply_body"),
            replies.c.digest,
            watches.c.why.label("unneeded"),
        )
        .join(conversations, conversations.c.id == deliveries.c.conversation)
        .outerjoin(mentions, mentions.c.id == deliveries.c.mention)
        .outerjoin(replies, replies.c.id == deliveries.c.reply)
        .outerjoin(
            watches,
            sa.and_(watches.c.conversation == deliveries.c.conversation, watches.c.note == deliveries.c.id),
        )
        .where(given.among(deliveries.c.id, "number"))
        .order_by(deliveries.c.rank, deliveries.c.due_at, deliveries.c.id)
    ),
    number=deliveries.c.id.type,
)

_PARTS = (
    sa.select(parts)
    .where(parts.c.delivery.in_(sa.bindparam("ids", expanding=True)))
    .order_by(parts.c.delivery, parts.c.n)
)

_FOLLOWERS = (
    sa.select(deliveries.c.id, deliveries.c.kind, mentions.c.body, mentions.c.version)
    .outerjoin(mentions, mentions.c.id == deliveries.c.mention)
    .where(deliveries.c.lane == sa.bindparam("lane"), sa.literal_column("deliveries.state = 'blocked'"))
    .order_by(deliveries.c.id)
    .limit(_COALESCED)
)

_EARLIER = (
    sa.select(mentions.c.body)
    .where(mentions.c.source == sa.bindparam("source"), mentions.c.external_id == sa.bindparam("external_id"))
    .where(mentions.c.version != sa.bindparam("version"))
    .order_by(mentions.c.id.desc())
    .limit(1)
)

_HEARD = (
    sa.select(mentions.c.body)
    .where(mentions.c.conversation == sa.bindparam("conversation"))
    .order_by(mentions.c.id.desc())
    .limit(100)
)


def _last_of(dialect: Any, given: Given, count: int) -> tuple[Any, Any]:
    """The last mentions of each author given, and what joins them. Asked of each author by the index: what somebody
    has said in all takes seconds to go through when they speak a lot."""
    own = mentions.alias("own")
    last = sa.select(own.c.id, own.c.conversation, own.c.received_at).where(own.c.author == given["author"])
    last = last.order_by(own.c.received_at.desc()).limit(count)
    if dialect is sqlite:  # which knows no LATERAL, and looks up each of the few
        return mentions, mentions.c.id.in_(last.with_only_columns(own.c.id))
    return last.lateral("found"), sa.true()


def _contacts(dialect: Any, given: Given) -> Any:
    """Of each author given, the latest conversations that have a ticket, twice as many as are remembered: one of
    them is that of the mention itself, and several may be on one ticket."""
    found, among = _last_of(dialect, given, _LOOKED_BACK)
    at = sa.func.max(found.c.received_at)
    place = sa.func.row_number().over(partition_by=given["author"], order_by=at.desc())
    ranked = (
        sa.select(given["author"].label("author"), found.c.conversation, conversations.c.ticket)
        .add_columns(at.label("at"), place.label("place"))
        .where(among, conversations.c.id == found.c.conversation, conversations.c.ticket.is_not(None))
        .group_by(given["author"], found.c.conversation, conversations.c.ticket)
        .subquery()
    )
    statement = sa.select(ranked).where(ranked.c.place <= 2 * _REMEMBERED)
    return statement.order_by(ranked.c.author, ranked.c.place)


_CONTACTS = bulk(_contacts, author=mentions.c.author.type)


def _before(_: Any, given: Given) -> Any:
    """Of each mention given, whether we have answered in its conversation, and the decision before it."""
    inside = deliveries.c.conversation == given["conversation"]
    by_reply, by_hand = deliveries.c.kind == "reply", deliveries.c.reason == ANSWERED_THERE
    answered = sa.exists().where(inside, sa.or_(by_reply, by_hand), deliveries.c.state == "done")
    trace = (
        sa.select(deliveries.c.trace)
        .where(inside, deliveries.c.kind == "mention", deliveries.c.id < given["number"])
        .where(deliveries.c.trace.is_not(None))
        .order_by(deliveries.c.id.desc())
        .limit(1)
        .scalar_subquery()
    )
    return sa.select(given["number"].label("number"), answered.label("answered"), trace.label("trace"))


def _tones(dialect: Any, given: Given) -> Any:
    """Of each author given, in what tone they spoke in their last few mentions; one under way has none yet."""
    found, among = _last_of(dialect, given, _HEARD_BEFORE + 1)
    return sa.select(given["author"].label("author"), deliveries.c.tone, found.c.received_at.label("at")).where(
        among, deliveries.c.mention == found.c.id, deliveries.c.tone.is_not(None)
    )


_TONES = bulk(_tones, author=mentions.c.author.type)

_BEFORE = bulk(_before, number=deliveries.c.id.type, conversation=conversations.c.id.type)

_REPLIES = (
    sa.select(replies.c.body, deliveries.c.state, parts.c.receipt_id)
    .join(
        deliveries,
        sa.and_(deliveries.c.conversation == replies.c.conversation, deliveries.c.reply == replies.c.id),
    )
    .outerjoin(parts, parts.c.delivery == deliveries.c.id)
    .where(replies.c.conversation == sa.bindparam("conversation"))
    .order_by(replies.c.id)
)

_PRIVATE_BESIDE = (
    sa.select(mentions.c.id)
    .join(conversations, conversations.c.id == mentions.c.conversation)
    .where(conversations.c.helpdesk == sa.bindparam("helpdesk"), conversations.c.ticket == sa.bindparam("ticket"))
    .where(conversations.c.id != sa.bindparam("conversation"))
    # as `encode` writes them; in a text the quotes would be escaped
    .where(sa.or_(mentions.c.body.like('%"private":true%'), mentions.c.body.like('%"kind":"dm"%')))
    .limit(1)
)

_SAID_BEFORE = (
    sa.select(replies.c.received_at)
    .join(conversations, conversations.c.id == replies.c.conversation)
    .where(replies.c.digest == sa.bindparam("digest"), conversations.c.source == sa.bindparam("source"))
    .where(replies.c.id < sa.bindparam("number"))
    .order_by(replies.c.received_at.desc())
    .limit(100)
)


def load(tx: Tx, ids: Sequence[int], doubt: set[int], owner: str, at: float) -> list[Claim]:
    """These deliveries whole, in the order they are due; those in `doubt` are marked so."""
    rows = list(_LOAD.run(tx, [{"number": number} for number in ids]))
    known: dict[int, list[Part]] = {}
    begun = [row.id for row in rows if row.fence > 1 or row.doubted_at is not None]
    for row in tx.execute(_PARTS, {"ids": begun}) if begun else ():
        receipt = decode(Receipt, row.receipt) if row.receipt else None
        part = Part(row.n, Request(row.op, row.body, row.repeatable), row.intent_at, receipt)
        known.setdefault(row.delivery, []).append(part)
    past = _pasts(tx, [row for row in rows if row.kind == "mention"])
    nothing = _Past()
    found = [
        _claim(tx, row, tuple(known.get(row.id, ())), past.get(row.id, nothing), row.id in doubt, owner, at)
        for row in rows
    ]
    if any(claim.kind == "mention" for claim in found) and silent(tx, at):
        return [replace(claim, silent=True) for claim in found]
    return found


def _claim(tx: Tx, row: Any, own: tuple[Part, ...], past: _Past, in_doubt: bool, owner: str, at: float) -> Claim:
    mention = decode(Mention, row.mention_body) if row.mention_body else None
    followers: tuple[Follower, ...] = ()
    earlier: Mention | None = None
    heard: tuple[Mention, ...] = ()
    said: tuple[float, ...] = ()
    answers: list[Any] = []
    beside = False
    if row.kind == "mention" and mention is not None:
        started = in_doubt or any(part.receipt for part in own)
        if mention.own:
            answers = list(tx.execute(_REPLIES, {"conversation": row.lane // 2}))
        elif row.ticket and row.live_in > 1 and not row.version and not started:
            followers = _followers(tx, row.lane)
        if row.version:
            words = {"source": row.source, "external_id": mention.external_id, "version": row.version}
            body = tx.execute(_EARLIER, words).scalar()
            earlier = decode(Mention, body) if body else None
    elif row.kind == "reply":
        bodies = tx.execute(_HEARD, {"conversation": row.lane // 2}).scalars()
        heard = tuple(decode(Mention, body) for body in bodies)[::-1]
        if row.digest:
            words = {"digest": row.digest, "source": row.source, "number": row.reply}
            said = tuple(tx.execute(_SAID_BEFORE, words).scalars())
        if row.ticket:
            words = {"helpdesk": row.helpdesk, "ticket": row.ticket, "conversation": row.lane // 2}
            beside = tx.execute(_PRIVATE_BESIDE, words).first() is not None
    reply = decode(Reply, row.reply_body) if row.reply_body else None
    return Claim(
        id=row.id,
        lane=row.lane,
        kind=row.kind,
        account=row.account,
        source=row.source,
        helpdesk=row.helpdesk,
        key=Key(row.key),
        owner=owner,
        fence=row.fence,
        now=at,
        born=row.created_at,
        attempts=row.attempts,
        in_doubt=in_doubt,
        doubted_at=row.doubted_at,
        released=row.reason == "released",
        ticket=None if row.ticket is None else TicketId(row.ticket),
        external_id=row.external_id or "",
        body=row.body or "",
        mention=mention,
        reply=reply,
        parts=own,
        followers=followers,
        earlier=earlier,
        heard=heard,
        said_before=said,
        contacts=tuple(past.contacts),
        answered=past.answered,
        last_trace=past.last_trace,
        replies=tuple(decode(Reply, body) for body in dict.fromkeys(row.body for row in answers)),
        posted=frozenset(row.receipt_id for row in answers if row.receipt_id),
        posting=any(row.state == "intent" for row in answers),
        unneeded=row.unneeded,
        private_beside=beside,
        tones=tuple(past.tones),
        overtaken=_overtaken(tx, row, reply) if reply is not None and reply.answers else "",
    )


def _overtaken(tx: Tx, row: Any, reply: Reply) -> str:
    """What came between an answer that nobody wrote and its leaving."""
    if reply.asked:
        where = sa.and_(private_moves.c.helpdesk == row.helpdesk, private_moves.c.ticket == reply.ticket)
        move = tx.execute(sa.select(private_moves.c.asks, private_moves.c.ended_at).where(where)).first()
        if move is not None and not reply.id.endswith(f":{move.asks}"):
            return "they were asked once more since"
        return "" if move is None or move.ended_at is None else "the person has written privately meanwhile"
    if stormy(tx):
        return "paused: a storm is on"
    others = (
        sa.select(replies.c.id).where(replies.c.conversation == row.lane // 2, replies.c.id != row.reply).limit(1)
    )
    return "an agent has answered" if tx.execute(others).first() is not None else ""


@dataclass(slots=True)
class _Past:
    """What is remembered of an author when their mention is decided: their other tickets, newest first, in what tone
    they spoke, and, in a conversation that has a ticket, whether we have answered and how their last mention was
    decided."""

    contacts: list[tuple[TicketId, float]] = field(default_factory=list)
    tones: list[tuple[str, float]] = field(default_factory=list)
    answered: bool = False
    last_trace: str = ""


def _pasts(tx: Tx, rows: Sequence[Any]) -> dict[int, _Past]:
    """The past of each of these mentions, by delivery; three statements, however many there are."""
    found = {row.id: _Past() for row in rows}
    of_author: dict[str, list[Any]] = {}
    for row in rows:
        if row.author:
            of_author.setdefault(row.author, []).append(row)
    authors = [{"author": author} for author in of_author]
    tickets: dict[int, dict[TicketId, float]] = {row.id: {} for row in rows}
    for one in _CONTACTS.run(tx, authors):
        for row in of_author[one.author]:
            if one.conversation != row.lane // 2 and len(tickets[row.id]) < _REMEMBERED:
                tickets[row.id].setdefault(TicketId(one.ticket), one.at)
    for one in _TONES.run(tx, authors):
        for row in of_author[one.author]:
            found[row.id].tones.append((one.tone, one.at))
    linked = [{"number": row.id, "conversation": row.lane // 2} for row in rows if row.ticket]
    for one in _BEFORE.run(tx, linked):
        found[one.number].answered, found[one.number].last_trace = bool(one.answered), one.trace or ""
    for number, latest in tickets.items():
        found[number].contacts = list(latest.items())
    return found


def _followers(tx: Tx, lane: int) -> tuple[Follower, ...]:
    found: list[Follower] = []
    for row in tx.execute(_FOLLOWERS, {"lane": lane}):
        if row.kind != "mention" or row.version:
            break
        mention = decode(Mention, row.body)
        if mention.own:
            break
        found.append(Follower(row.id, mention))
    return tuple(found)
