"""Accepting: what came in is stored, gets its delivery and its cursor in one transaction, or none of it.

A mention is known by (source, external_id, version), a reply by (helpdesk, comment): the second time it is a
duplicate, counted and otherwise without effect. A new one is born `ready` when its lane is free and `blocked` when
something of that lane is still under way, decided on the conversation's own row, which every acceptor and every
settler locks; so nothing has to be searched for at claim time.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from connector.markup import folded, to_text
from connector.model import Cursor, Mention, Reply, TicketId, encode, key_of
from connector.store import watches
from connector.store.bulk import Bulk, Given, bulk, bulk_insert
from connector.store.store import Tx, either, insert, now
from connector.store.tables import (
    accounts,
    conversations,
    counters,
    cursors,
    deliveries,
    mentions,
    muted,
    parts,
    private_moves,
    replies,
    wakeups,
)

MADE = "connector:"
"""How the id of an answer begins that stands on no ticket, since nobody wrote it."""

_CHUNK = 500


@dataclass(frozen=True, slots=True)
class Arrival:
    """A mention on its way in: its conversation's name, the helpdesk it goes to, and, when a rule needs no thinking
    to settle it, why it is ignored or held at once. A post of our own that answers somebody is not ignored where
    their ticket is. `found_by` names another source that told of it."""

    mention: Mention
    conversation: str
    helpdesk: str
    ignored: str = ""
    held: str = ""
    found_by: str = ""


@dataclass(frozen=True, slots=True)
class Pull:
    """The right to pull for an account: where to go on, and the epoch that proves the right."""

    cursor: Cursor | None
    epoch: int


def accept_mentions(tx: Tx, arrivals: Sequence[Arrival]) -> list[bool]:
    """Store these mentions in this order; for each whether it was new."""
    fresh: list[bool] = []
    for batch in _batches(arrivals):
        fresh += _accept(tx, batch)
    return fresh


def _batches(arrivals: Sequence[Arrival]) -> Iterator[Sequence[Arrival]]:
    """So many at once; a post of our own not together with what it answers, which has to be stored to be found."""
    start = 0
    answerable: set[tuple[str, str]] = set()
    for number, a in enumerate(arrivals):
        said, parent = a.mention, a.mention.parent
        answers = said.own and not answerable.isdisjoint(
            {(said.source, a.conversation), (said.source, parent.id if parent else "")}
        )
        if answers or number - start == _CHUNK:
            yield arrivals[start:number]
            start = number
            answerable.clear()
        if not said.own:
            answerable |= {(said.source, a.conversation), _id(a)}
    if start < len(arrivals):
        yield arrivals[start:]


def _accept(tx: Tx, arrivals: Sequence[Arrival]) -> list[bool]:
    at = now(tx)
    quiet = _muted(tx, arrivals)
    homes = _homes(tx, arrivals)
    conversation = _conversations(tx, arrivals)
    of_edits = _of_edits(tx, arrivals)
    taken = _told_already(tx, arrivals)

    def place(a: Arrival) -> int:
        found = homes.get(_id(a)) or (of_edits.get(_id(a)) if a.mention.version else None)
        return found or conversation[a.mention.source, a.conversation]

    inserted = _NEW_MENTION.run(
        tx,
        [
            {
                "source": a.mention.source,
                "external_id": a.mention.external_id,
                "version": a.mention.version,
                "author": author_of(a.mention),
                "conversation": place(a),
                "received_at": at,
                "body": encode(a.mention),
            }
            for a in arrivals
            if not (a.found_by and (a.mention.source, a.mention.external_id) in taken)
        ],
    )
    new = {(row.source, row.external_id, row.version): row.id for row in inserted}
    fresh: list[bool] = []
    born: list[dict[str, Any]] = []
    for a in arrivals:
        mention_id = new.pop((a.mention.source, a.mention.external_id, a.mention.version), None)
        fresh.append(mention_id is not None)
        if mention_id is not None:
            home = homes.get(_id(a))
            ignored = "" if home else a.ignored or quiet.get((a.mention.source, author_of(a.mention)), "")
            state, reason = ("ignored", ignored) if ignored else ("held", a.held) if a.held else ("", "")
            key = key_of("mention", a.mention.source, a.mention.external_id, a.mention.version)
            row: dict[str, Any] = {"kind": "mention", "account": a.helpdesk, "source": a.mention.source, "key": key}
            row |= {"mention": mention_id, "conversation": place(a)}
            born.append(row | {"state": state, "reason": reason})
    bear(tx, born, at)
    watches.answered(
        tx,
        [
            (homes.get(_id(a)) or conversation[a.mention.source, a.conversation], a.mention.created_at.timestamp())
            for a, new in zip(arrivals, fresh, strict=True)
            if new and a.mention.own  # somebody answered on the platform itself
        ],
    )
    _count(tx, arrivals, fresh, at)
    return fresh


def _told_already(tx: Tx, arrivals: Sequence[Arrival]) -> set[tuple[str, str]]:
    """Posts that somebody else's finding adds nothing to: the platform told of them in whatever version. Looked up
    behind the conversations' locks, so that of two replicas that accept the same post one sees the other's."""
    found = {(a.mention.source, a.mention.external_id) for a in arrivals if a.found_by}
    if not found:
        return set()
    known = {
        (a.mention.source, a.mention.external_id)
        for a in arrivals
        if not a.found_by and (a.mention.source, a.mention.external_id) in found
    }
    for source in sorted({source for source, _ in found}):
        wanted = [{"external_id": name} for other, name in sorted(found) if other == source]
        known.update((source, row.external_id) for row in _ANY_VERSION.run(tx, wanted, source=source))
    return known


_ANY_VERSION = bulk(
    lambda _, given: (
        sa.select(mentions.c.external_id)
        .where(mentions.c.source == sa.bindparam("source"))
        .where(given.among(mentions.c.external_id, "external_id"))
        .distinct()
    ),
    external_id=sa.Text(),
)

_NEW_MENTION = bulk_insert(
    mentions,
    *("source", "external_id", "version", "author", "conversation", "received_at", "body"),
    then=lambda insert: insert.on_conflict_do_nothing().returning(
        mentions.c.id, mentions.c.source, mentions.c.external_id, mentions.c.version
    ),
)


def author_of(mention: Mention) -> str:
    """The author across all sources of one platform."""
    return f"{mention.platform}:{mention.author.id}"


def _muted(tx: Tx, arrivals: Sequence[Arrival]) -> dict[tuple[str, str], str]:
    """Whose mentions become no tickets any more, and why."""
    people = sorted({(a.mention.source, author_of(a.mention)) for a in arrivals})
    rows = _MUTED.run(tx, [{"source": source, "author": author} for source, author in people])
    return {(row.source, row.author): f"author muted by an agent on ticket {row.ticket}" for row in rows}


_MUTED = bulk(
    lambda _, given: sa.select(muted).where(muted.c.source == given["source"], muted.c.author == given["author"]),
    source=sa.Text(),
    author=sa.Text(),
)


def _id(arrival: Arrival) -> tuple[str, str]:
    return arrival.mention.source, arrival.mention.external_id


def _homes(tx: Tx, arrivals: Sequence[Arrival]) -> dict[tuple[str, str], int]:
    """Of our own posts those that no reply of ours is known to be, each with the conversation it answers in: that of
    its parent (a mention, or a reply of ours), else that of its thread, where there is a ticket or one under way."""
    own = [
        {
            "source": a.mention.source,
            "external_id": a.mention.external_id,
            "parent": a.mention.parent.id if a.mention.parent else "",
            "name": a.conversation,
        }
        for a in arrivals
        if a.mention.own and not a.mention.version and not a.mention.deleted
    ]
    return {(row.source, row.external_id): row.id for row in _HOMES.run(tx, own)}


def _of_edits(tx: Tx, arrivals: Sequence[Arrival]) -> dict[tuple[str, str], int]:
    """Where what is edited or deleted now was said: a platform may tell of that without thread or parent."""
    changed = [
        {"source": a.mention.source, "external_id": a.mention.external_id} for a in arrivals if a.mention.version
    ]
    return {(row.source, row.external_id): row.conversation for row in _FIRST_SAID.run(tx, changed)}


_FIRST_SAID = bulk(
    lambda _, given: (
        sa.select(
            mentions.c.source, mentions.c.external_id, sa.func.min(mentions.c.conversation).label("conversation")
        )
        .where(mentions.c.source == given["source"], mentions.c.external_id == given["external_id"])
        .group_by(mentions.c.source, mentions.c.external_id)
    ),
    source=sa.Text(),
    external_id=sa.Text(),
)


def _find_homes(_: Any, given: Given) -> Any:
    of_parent = (
        sa.select(mentions.c.conversation)
        .where(mentions.c.source == given["source"], mentions.c.external_id == given["parent"])
        .order_by(mentions.c.id)
        .limit(1)
        .scalar_subquery()
    )
    of_reply = (
        sa.select(deliveries.c.conversation)
        .join(parts, parts.c.delivery == deliveries.c.id)
        .where(parts.c.receipt_id == given["parent"], given["parent"] != "")
        .where(deliveries.c.account == given["source"], deliveries.c.kind == "reply")
        .order_by(deliveries.c.id)
        .limit(1)
        .scalar_subquery()
    )
    of_thread = sa.select(conversations.c.id).where(
        conversations.c.source == given["source"], conversations.c.name == given["name"]
    )
    posted = (
        sa.exists()
        .where(parts.c.receipt_id == given["external_id"], deliveries.c.id == parts.c.delivery)
        .where(deliveries.c.account == given["source"], deliveries.c.kind == "reply")
    )
    return sa.select(given["source"].label("source"), given["external_id"].label("external_id"), _HOME.c.id).where(
        _HOME.c.id == sa.func.coalesce(of_reply, of_parent, of_thread.scalar_subquery()),
        sa.or_(_HOME.c.ticket.is_not(None), _HOME.c.live_in > 0),
        ~posted,
    )


_HOME = conversations.alias("home")
_HOMES = bulk(_find_homes, source=sa.Text(), external_id=sa.Text(), parent=sa.Text(), name=sa.Text())


def _conversations(tx: Tx, arrivals: Sequence[Arrival]) -> dict[tuple[str, str], int]:
    wanted = {(a.mention.source, a.conversation): a.helpdesk for a in arrivals}
    _NEW_CONVERSATION.run(
        tx,
        [{"source": source, "name": name, "helpdesk": desk} for (source, name), desk in sorted(wanted.items())],
    )
    found: dict[tuple[str, str], int] = {}
    for source in sorted({source for source, _ in wanted}):
        names = [{"name": name} for other, name in wanted if other == source]
        found.update(((source, row.name), row.id) for row in _CONVERSATION_IDS.run(tx, names, source=source))
    return found


_NEW_CONVERSATION = bulk_insert(
    conversations, "source", "name", "helpdesk", then=lambda insert: insert.on_conflict_do_nothing()
)

# locked in one order, so that two replicas accepting the same conversations cannot wait for each other
_CONVERSATION_IDS = bulk(
    lambda _, given: (
        sa.select(conversations.c.id, conversations.c.name)
        .where(conversations.c.source == sa.bindparam("source"))
        .where(given.among(conversations.c.name, "name"))
        .order_by(conversations.c.id)
        .with_for_update()
    ),
    name=sa.Text(),
)


def bear(tx: Tx, born: list[dict[str, Any]], at: float) -> None:
    """Insert deliveries in this order, `ready` or `blocked` as their lane is free or not; a row that brings a state
    along (ignored, held) is ended or parked from birth and no part of its lane."""
    if not born:
        return
    lanes = Counter((row["conversation"], row["kind"] == "reply") for row in born if not row["state"])
    free = {lane for lane, live in _enlist(tx, lanes, at).items() if live == lanes[lane]}
    for row in born:
        lane = (row["conversation"], row["kind"] == "reply")
        if not row["state"]:
            row["state"] = "ready" if lane in free else "blocked"
            free.discard(lane)
        row["lane"] = lane[0] * 2 + lane[1]
        row["due_at"] = row["created_at"] = at
        row["rank"] = 1 if row["kind"] == "mention" else 0
        row["ended_at"] = at if row["state"] == "ignored" else None
        for column in ("mention", "reply", "body"):
            row.setdefault(column, None)
    _NEW_DELIVERY.run(tx, born)


_NEW_DELIVERY = bulk_insert(
    deliveries,
    *("conversation", "lane", "kind", "account", "source", "key", "mention", "reply", "body", "state", "reason"),
    *("rank", "due_at", "created_at", "ended_at"),
)


def _enlist(tx: Tx, lanes: Counter[tuple[int, bool]], at: float) -> dict[tuple[int, bool], int]:
    """Count these newcomers in their conversations; each lane's number of unfinished deliveries after that."""
    live: dict[tuple[int, bool], int] = {}
    batches: dict[tuple[bool, int], list[int]] = {}
    for (conversation, outward), count in lanes.items():
        batches.setdefault((outward, count), []).append(conversation)
    for (outward, count), ids in batches.items():
        rows = _ENLIST[outward].run(tx, [{"number": number} for number in sorted(ids)], n=count, at=at)
        live.update(((number, outward), total) for number, total in rows)
    return live


def _enlisting(column: sa.Column[int]) -> Bulk:
    return bulk(
        lambda _, given: (
            sa.update(conversations)
            .where(given.among(conversations.c.id, "number"))
            .values(
                {
                    column: column + sa.bindparam("n", type_=sa.Integer),
                    conversations.c.stirred_at: sa.bindparam("at", type_=sa.Double),
                }
            )
            .returning(conversations.c.id, column)
        ),
        number=conversations.c.id.type,
    )


_ENLIST = {False: _enlisting(conversations.c.live_in), True: _enlisting(conversations.c.live_out)}


def _count(tx: Tx, arrivals: Sequence[Arrival], fresh: Sequence[bool], at: float) -> None:
    received = Counter(a.mention.source for a in arrivals)
    known = Counter(a.mention.source for a, new in zip(arrivals, fresh, strict=True) if not new)
    # what a tool found counts where it is stored; the tool itself was heard all the same
    received.update({a.found_by: 0 for a in arrivals if a.found_by and a.found_by not in received})
    tx.execute(
        _COUNTED[tx.dialect.name],
        [
            {"source": source, "received": count, "duplicates": known[source], "last_at": at}
            for source, count in sorted(received.items())
        ],
    )


def _counted(dialect: Any) -> Any:
    statement = dialect.insert(counters)
    return statement.on_conflict_do_update(
        index_elements=["source"],
        set_={
            "received": counters.c.received + statement.excluded.received,
            "duplicates": counters.c.duplicates + statement.excluded.duplicates,
            "last_at": statement.excluded.last_at,
        },
    )


_COUNTED = either(_counted)


# --- replies -----------------------------------------------------------------------------------------------


def accept_replies(tx: Tx, helpdesk: str, ticket: TicketId, found: Sequence[Reply], seq: int | None) -> int:
    """Take the agents' public comments of one ticket that are new to us; how many there were.

    Kept: public, by a person who works there, on a linked ticket, and not one of our own writes (known by its mark
    or by a receipt's id). Private ones are never stored. `seq` is the wake-up this settles, if it was one.
    """
    at = now(tx)
    links = tx.execute(_LINKS, {"desk": helpdesk, "number": ticket}).all()
    count = 0
    if links:
        wanted = [r for r in found if r.public and r.by_agent and not r.ours]
        ours = _own_receipts(tx, helpdesk, [r.id for r in wanted])
        links = _moved_first(tx, links) if wanted and len(links) > 1 else links
        meant = [(r, link) for r in wanted if r.id not in ours and (link := _meant(r, links)) is not None]
        rows = [
            {"helpdesk": helpdesk, "comment": r.id, "ticket": ticket, "conversation": link.id, "received_at": at}
            | {"body": encode(r), "digest": digest_of(r)}
            for r, link in meant
        ]
        new = {}
        if rows:
            statement = insert(tx, replies).on_conflict_do_nothing().returning(replies.c.id, replies.c.comment)
            new = {comment: number for number, comment in tx.execute(statement, rows)}
        born = [
            {"kind": "reply", "account": link.source, "source": link.source, "reply": new[r.id]}
            | {"key": key_of("reply", helpdesk, r.id), "conversation": link.id, "state": "", "reason": ""}
            for r, link in meant
            if r.id in new
        ]
        bear(tx, born, at)
        count = len(born)
    if seq is not None:
        tx.execute(
            sa.delete(wakeups).where(wakeups.c.helpdesk == helpdesk, wakeups.c.ticket == ticket, wakeups.c.seq == seq)
        )
    return count


def accept_answer(tx: Tx, helpdesk: str, conversation: int, reply: Reply) -> bool:
    """Take an answer that nobody wrote on its way to the platform, once; whether it was new."""
    at = now(tx)
    source = tx.execute(sa.select(conversations.c.source).where(conversations.c.id == conversation)).scalar_one()
    row = {"helpdesk": helpdesk, "comment": reply.id, "ticket": reply.ticket, "conversation": conversation}
    row |= {"received_at": at, "body": encode(reply), "digest": digest_of(reply)}
    new = tx.execute(insert(tx, replies).values(row).on_conflict_do_nothing().returning(replies.c.id)).scalar()
    if new is not None:
        born = {"kind": "reply", "account": source, "source": source, "reply": new, "state": "", "reason": ""}
        bear(tx, [born | {"key": key_of("reply", helpdesk, reply.id), "conversation": conversation}], at)
    return new is not None


_HEARD_LAST = (
    sa.select(sa.func.max(mentions.c.id)).where(mentions.c.conversation == conversations.c.id).scalar_subquery()
)
_LINKS = (
    sa.select(conversations.c.id, conversations.c.source, conversations.c.linked_at)
    .where(conversations.c.helpdesk == sa.bindparam("desk"), conversations.c.ticket == sa.bindparam("number"))
    .order_by(_HEARD_LAST.desc(), conversations.c.id)
    .with_for_update()
)


def _moved_first(tx: Tx, links: Sequence[Any]) -> Sequence[Any]:
    """With those first that were moved to private: what agents write then is for the person alone."""
    among = private_moves.c.private.in_([link.id for link in links])
    private = set(tx.execute(sa.select(private_moves.c.private).where(among)).scalars())
    return sorted(links, key=lambda link: link.id not in private)


def _meant(reply: Reply, links: Sequence[Any]) -> Any:
    """The conversation a comment answers: of several on one ticket (merged ones) the one heard last. A comment from
    before a conversation came to this ticket was not written for its people."""
    said = reply.created_at.timestamp()
    return next((link for link in links if link.linked_at is None or said >= link.linked_at), None)


def digest_of(reply: Reply) -> str:
    """What makes two replies the same words; empty when there are none."""
    words = folded(to_text(reply.html))
    return key_of("said", words) if words else ""


def _own_receipts(tx: Tx, helpdesk: str, ids: Sequence[str]) -> set[str]:
    if not ids:
        return set()
    rows = tx.execute(
        sa.select(parts.c.receipt_id)
        .join(deliveries, deliveries.c.id == parts.c.delivery)
        .where(parts.c.receipt_id.in_(ids), deliveries.c.account == helpdesk)
    )
    return {str(row.receipt_id) for row in rows}


def wake(tx: Tx, helpdesk: str, tickets: Sequence[TicketId]) -> int:
    """Remember to look at these tickets, those of them that are linked; how many those are."""
    wanted = sorted(set(tickets))
    linked = set(
        tx.execute(
            sa.select(conversations.c.ticket).where(
                conversations.c.helpdesk == helpdesk, conversations.c.ticket.in_(wanted)
            )
        ).scalars()
    )
    if linked:
        at = now(tx)
        statement = insert(tx, wakeups)
        tx.execute(
            statement.on_conflict_do_update(
                index_elements=["helpdesk", "ticket"],
                set_={"seq": wakeups.c.seq + 1, "due_at": statement.excluded.due_at},
            ),
            [{"helpdesk": helpdesk, "ticket": ticket, "due_at": at} for ticket in sorted(linked)],
        )
    return len(linked)


def due_wakeups(tx: Tx, helpdesk: str, limit: int) -> list[tuple[TicketId, int]]:
    """Tickets to look at now, with the number that `accept_replies` settles."""
    rows = tx.execute(
        sa.select(wakeups.c.ticket, wakeups.c.seq)
        .where(wakeups.c.helpdesk == helpdesk, wakeups.c.due_at <= now(tx))
        .order_by(wakeups.c.due_at)
        .limit(limit)
    )
    return [(TicketId(ticket), seq) for ticket, seq in rows]


def delay_wakeup(tx: Tx, helpdesk: str, ticket: TicketId, seconds: float) -> None:
    """Look at that ticket later: it cannot be read now."""
    tx.execute(
        sa.update(wakeups)
        .where(wakeups.c.helpdesk == helpdesk, wakeups.c.ticket == ticket)
        .values(due_at=now(tx) + seconds)
    )


# --- cursors -----------------------------------------------------------------------------------------------


def lease_pull(tx: Tx, account: str, owner: str, seconds: float) -> Pull | None:
    """The right to pull for this account for so long; None while another replica has it. Also renews our own."""
    at = now(tx)
    tx.execute(insert(tx, cursors).values(account=account).on_conflict_do_nothing())
    row = tx.execute(
        sa.update(cursors)
        .where(cursors.c.account == account)
        .where(sa.or_(cursors.c.owner == owner, cursors.c.lease_until < at))
        .values(
            epoch=sa.case((cursors.c.owner == owner, cursors.c.epoch), else_=cursors.c.epoch + 1),
            owner=owner,
            lease_until=at + seconds,
        )
        .returning(cursors.c.value, cursors.c.epoch)
    ).first()
    return None if row is None else Pull(None if row.value is None else Cursor(row.value), row.epoch)


def release_pulls(tx: Tx, owner: str) -> None:
    """Give up every right to pull, so that another replica need not wait for it to run out."""
    tx.execute(sa.update(cursors).where(cursors.c.owner == owner).values(owner="", lease_until=0.0))


def move_cursor(tx: Tx, account: str, pull: Pull, cursor: Cursor) -> bool:
    """Set the bookmark in the transaction that stores what it stands for; False when the right was lost meanwhile
    (the caller then rolls back: whoever has it now pulls the same page)."""
    at = now(tx)
    moved = tx.execute(
        sa.update(cursors)
        .where(cursors.c.account == account, cursors.c.epoch == pull.epoch)
        .values(value=cursor, pulled_at=at, trouble="", trouble_since=None)
    )
    return moved.rowcount == 1


def note_trouble(tx: Tx, account: str, trouble: str) -> None:
    """Remember why pulling does not work now, and since when."""
    tx.execute(
        sa.update(cursors)
        .where(cursors.c.account == account)
        .values(
            trouble=trouble[:500],
            trouble_since=sa.case((cursors.c.trouble == "", now(tx)), else_=cursors.c.trouble_since),
        )
    )


def declare_account(tx: Tx, name: str, per_minute: float | None) -> None:
    """Make an account known with the calls it may make in a minute (None: as many as it takes)."""
    statement = insert(tx, accounts).values(name=name, per_minute=per_minute)
    tx.execute(statement.on_conflict_do_update(index_elements=["name"], set_={"per_minute": per_minute}))
