"""Erasing what people said and who they are, and keeping what counts and what prevents doubles.

Of a mention stay its source, ids, kind and time: so the same one from a poll is known, and the ledger stays even. Its
text, title, address and author go, and with them the decision about it, the frozen requests that carried it and what
quoted it. Nothing that is still to be carried is touched: forgetting drops it first, retention waits for it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import sqlalchemy as sa

from connector.errors import ConnectorError
from connector.model import Author, Mention, Reply, decode, encode
from connector.store import journal
from connector.store.arrivals import MADE, author_of
from connector.store.bulk import bulk
from connector.store.store import Tx, now
from connector.store.storms import counted
from connector.store.tables import (
    conversations,
    deliveries,
    mentions,
    muted,
    parts,
    private_moves,
    replies,
    sightings,
    tickets,
    watches,
)

T = TypeVar("T")

ERASED = "erased"
_UNENDED = ("ready", "blocked", "intent", "held", "unsure", "failed")
_OWN = '%"own":true%'  # as `encode` writes it; in a text the quotes would be escaped
_CHUNK = 500


@dataclass(frozen=True, slots=True)
class Known:
    """What the journal knows of an author. `alone` counts the conversations in which nobody else spoke: our answers
    there are erased too. `pending` is what of theirs has not been carried to its end; `stays` the tickets at the
    helpdesks, as (helpdesk, ticket)."""

    author: str
    name: str
    handle: str
    mentions: int
    conversations: int
    alone: int
    answers: int
    pending: int
    stays: tuple[tuple[str, str], ...]
    muted_on: tuple[str, ...]


# --- who -----------------------------------------------------------------------------------------------------


def authors(tx: Tx, wanted: str) -> list[str]:
    """The identities (`platform:id`) that this names: itself, or every author with that handle."""
    exact = sa.select(mentions.c.author).where(mentions.c.author == wanted).limit(1)
    if tx.execute(exact).first() is not None:
        return [wanted]
    handle = _handle(tx)
    named = sa.select(mentions.c.author).distinct().where(mentions.c.author != "", mentions.c.erased_at.is_(None))
    plain = wanted.removeprefix("@").lower()
    return sorted(tx.execute(named.where(sa.func.lower(handle) == plain)).scalars()) if plain else []


def _handle(tx: Tx) -> Any:
    if tx.dialect.name == "sqlite":
        return sa.func.json_extract(mentions.c.body, "$.author.handle")
    return sa.cast(mentions.c.body, sa.JSON).op("->")("author").op("->>")("handle")


def known(tx: Tx, author: str) -> Known:
    """What would be erased, and what would stay."""
    said = sa.select(mentions.c.id).where(mentions.c.author == author).scalar_subquery()
    places = list(tx.execute(_places(author)).scalars())
    alone = _alone(tx, author, places)
    last = tx.execute(
        sa.select(mentions.c.body).where(mentions.c.author == author).order_by(mentions.c.id.desc()).limit(1)
    ).scalar()
    profile = decode(Mention, last).author if last else Author("")
    linked = sa.select(conversations.c.helpdesk, conversations.c.ticket).where(conversations.c.ticket.is_not(None))
    return Known(
        author=author,
        name=profile.name,
        handle=profile.handle,
        mentions=_count(tx, mentions, mentions.c.author == author),
        conversations=len(places),
        alone=len(alone),
        answers=sum(_count(tx, replies, replies.c.conversation.in_(chunk)) for chunk in _chunks(alone)),
        pending=_count(tx, deliveries, deliveries.c.mention.in_(said), deliveries.c.state.in_(_UNENDED)),
        stays=tuple(
            (row.helpdesk, row.ticket)
            for chunk in _chunks(places)
            for row in tx.execute(linked.where(conversations.c.id.in_(chunk)).order_by(conversations.c.id))
        ),
        muted_on=tuple(tx.execute(sa.select(muted.c.ticket).where(muted.c.author == author)).scalars()),
    )


def _places(author: str) -> Any:
    return sa.select(mentions.c.conversation).distinct().where(mentions.c.author == author).order_by("conversation")


def _alone(tx: Tx, author: str, places: Sequence[int]) -> list[int]:
    """Of these conversations those in which nobody else spoke."""
    shared: set[int] = set()
    others = (
        sa.select(mentions.c.conversation)
        .distinct()
        .where(mentions.c.author.not_in(("", author)))
        .where(mentions.c.body.not_like(_OWN))
    )
    for chunk in _chunks(places):
        shared.update(tx.execute(others.where(mentions.c.conversation.in_(chunk))).scalars())
    return [place for place in places if place not in shared]


def _count(tx: Tx, table: sa.Table, *where: Any) -> int:
    return int(tx.execute(sa.select(sa.func.count()).select_from(table).where(*where)).scalar_one())


def _chunks(items: Sequence[T]) -> Iterator[Sequence[T]]:
    for start in range(0, len(items), _CHUNK):
        yield items[start : start + _CHUNK]


# --- forgetting ------------------------------------------------------------------------------------------------


def forget(tx: Tx, author: str) -> Known:
    """Erase this author; what was known. ConnectorError, and nothing is changed, while something of theirs is being
    sent. An agent who answers one of their tickets later is told that there is nobody to answer."""
    found = known(tx, author)
    places = list(tx.execute(_places(author)).scalars())
    alone = _alone(tx, author, places)
    made = _made_for(tx, author, places)
    with _overwritten(tx):
        _erase_bulletins(tx, _carrying(author))
        for number in _pending(tx, author, alone, made):
            trouble = journal.drop(tx, number, "its author was forgotten")
            if trouble:
                raise ConnectorError(f"nothing was erased: {trouble}")
        bodies = sa.select(mentions.c.id, mentions.c.body).where(mentions.c.erased_at.is_(None))
        mine = list(tx.execute(bodies.where(mentions.c.author == author)).all())
        for chunk in _chunks(alone):  # our own posts there speak to them
            ours = bodies.where(mentions.c.conversation.in_(chunk), mentions.c.author != author)
            mine += tx.execute(ours).all()
        gone: set[str] = set()
        for rows in _chunks(mine):
            gone.update(_erase(tx, rows, _forgotten))
        for chunk in _chunks(places):
            _erase_quotes(tx, chunk, gone)
        _erase_moves(tx, private_moves.c.author == author)
        _erase_sightings(tx, author)
        for chunk in _chunks(made):
            carried = sa.select(deliveries.c.reply).where(deliveries.c.id.in_(chunk)).scalar_subquery()
            _erase_replies(tx, replies.c.id.in_(carried), deliveries.c.id.in_(chunk))
        for chunk in _chunks(alone):
            _erase_answers(tx, chunk)
            tx.execute(
                sa.update(watches)
                .where(watches.c.conversation.in_(chunk), watches.c.ended_at.is_(None))
                .values(ended_at=now(tx), why="forgotten", next_at=None)
            )
    return found


def _made_for(tx: Tx, author: str, places: Sequence[int]) -> list[int]:
    """The deliveries of answers that nobody wrote but the mapping made for them, and of the notes about those: their
    words may name them, also where others speak."""
    said = set(tx.execute(sa.select(mentions.c.external_id).where(mentions.c.author == author)).scalars())
    found: list[int] = []
    for chunk in _chunks(places):
        inside = sa.select(deliveries.c.id, deliveries.c.key, replies.c.body)
        inside = inside.outerjoin(replies, replies.c.id == deliveries.c.reply)
        ours = sa.or_(deliveries.c.kind == "note", replies.c.comment.like(f"{MADE}%"))
        rows = tx.execute(inside.where(deliveries.c.conversation.in_(chunk), ours)).all()
        keys = {row.key for row in rows if row.body and decode(Reply, row.body).answers in said}
        found += [row.id for row in rows if row.key.partition(".")[0] in keys]
    return found


def _pending(tx: Tx, author: str, alone: Sequence[int], made: Sequence[int]) -> list[int]:
    """What of theirs or made for them, or of a conversation that was theirs alone, has not ended; the last first, so
    that nothing is promoted only to be dropped."""
    statement = sa.select(deliveries.c.id).where(deliveries.c.state.in_(_UNENDED))
    said = sa.select(mentions.c.id).where(mentions.c.author == author).scalar_subquery()
    found = set(tx.execute(statement.where(deliveries.c.mention.in_(said))).scalars())
    for chunk in _chunks(alone):
        found.update(tx.execute(statement.where(deliveries.c.conversation.in_(chunk))).scalars())
    for chunk in _chunks(made):
        found.update(tx.execute(statement.where(deliveries.c.id.in_(chunk))).scalars())
    return sorted(found, reverse=True)


def _forgotten(mention: Mention) -> Mention:
    """Nothing to answer either: to whoever asks, the author has taken it back."""
    return replace(_expired(mention), deleted=True, ref="")


def _expired(mention: Mention) -> Mention:
    """What stays: ids, kind, time, and the adapter's memo for answering."""
    return Mention(
        source=mention.source,
        platform=mention.platform,
        external_id=mention.external_id,
        author=Author(ERASED),
        text="",
        created_at=mention.created_at,
        kind=mention.kind,
        version=mention.version,
        thread_id=mention.thread_id,
        own=mention.own,
        private=mention.private,
        deleted=mention.deleted,
        ref=mention.ref,
    )


def _erase(tx: Tx, rows: Sequence[Any], blank: Callable[[Mention], Mention]) -> list[str]:
    """These mentions, as (id, body), with all that carried them; their external ids."""
    whole = [(row.id, decode(Mention, row.body)) for row in rows]
    at = now(tx)
    _BLANK.run(tx, [{"number": number, "text": encode(blank(mention))} for number, mention in whole], at=at)
    given = [{"number": number} for number, _ in whole]
    carried = list(_CARRIED.run(tx, given))
    _UNTRACE.run(tx, given, at=at)
    carriers = {row.carrier for row in carried if row.carrier is not None}
    touched = sorted({row.id for row in carried} | carriers)
    _EMPTY.run(tx, [{"number": number} for number in touched])
    return [mention.external_id for _, mention in whole]


_BLANK = bulk(
    lambda _, given: (
        sa.update(mentions)
        .where(mentions.c.id == given["number"])
        .values(body=given["text"], author="", erased_at=sa.bindparam("at", type_=sa.Double))
    ),
    number=mentions.c.id.type,
    text=sa.Text(),
)

_CARRIED = bulk(
    lambda _, given: sa.select(deliveries.c.id, deliveries.c.carrier).where(
        given.among(deliveries.c.mention, "number")
    ),
    number=deliveries.c.mention.type,
)

# what was in doubt can no longer be looked up: nobody looks once more
_UNTRACE = bulk(
    lambda _, given: (
        sa.update(deliveries)
        .where(given.among(deliveries.c.mention, "number"))
        .values(
            trace=sa.null(),
            body=sa.null(),
            checked_at=sa.func.coalesce(deliveries.c.checked_at, sa.bindparam("at", type_=sa.Double)),
        )
    ),
    number=deliveries.c.mention.type,
)

_EMPTY = bulk(
    lambda _, given: (
        sa.update(parts).where(given.among(parts.c.delivery, "number")).values(body=sa.literal_column("''"))
    ),
    number=parts.c.delivery.type,
)


def _erase_quotes(tx: Tx, places: Sequence[int], gone: set[str]) -> None:
    """What others' mentions quote of those that are gone."""
    rows = tx.execute(sa.select(mentions.c.id, mentions.c.body).where(mentions.c.conversation.in_(places))).all()
    for row in rows:
        mention = decode(Mention, row.body)
        parent = mention.parent
        if parent is not None and parent.id in gone and (parent.text or parent.author):
            bare = replace(mention, parent=replace(parent, text="", author="", url=""))
            tx.execute(sa.update(mentions).where(mentions.c.id == row.id).values(body=encode(bare)))


def _erase_answers(tx: Tx, places: Sequence[int]) -> None:
    """Our answers and notes in conversations that are erased whole."""
    ours = sa.and_(deliveries.c.conversation.in_(places), deliveries.c.kind != "mention")
    _erase_replies(tx, replies.c.conversation.in_(places), ours)


def _erase_replies(tx: Tx, which: Any, carried: Any) -> None:
    """The words of these replies, and those of the deliveries that carried or told of them."""
    for row in tx.execute(sa.select(replies.c.id, replies.c.body).where(which)).all():
        bare = replace(decode(Reply, row.body), html="", author="", attachments=())
        tx.execute(sa.update(replies).where(replies.c.id == row.id).values(body=encode(bare)))
    numbers = sa.select(deliveries.c.id).where(carried).scalar_subquery()
    tx.execute(sa.update(parts).where(parts.c.delivery.in_(numbers)).values(body=""))
    looked = sa.func.coalesce(deliveries.c.checked_at, now(tx))
    tx.execute(
        sa.update(deliveries).where(carried, deliveries.c.body.is_not(None)).values(body=None, checked_at=looked)
    )


def _erase_sightings(tx: Tx, author: str) -> None:
    """They were counted by a digest that whoever knows the author could make again; they stay one person."""
    mine = sightings.c.author == counted(author)
    first = tx.execute(sa.select(sa.func.min(sightings.c.delivery)).where(mine)).scalar()
    if first is not None:
        tx.execute(sa.update(sightings).where(mine).values(author=f"forgotten {first}"))


def _erase_moves(tx: Tx, which: Any) -> None:
    """Nobody is waited for there any more; whoever has come is not named. The row stays: by it, what agents write
    goes to the private conversation and not to whoever else talks on the ticket, and its count is part of keys."""
    waits = private_moves.c.ended_at.is_(None)
    tx.execute(sa.update(private_moves).where(waits, which).values(author="", ended_at=now(tx)))


def _carrying(author: str) -> Any:
    """The digests and notes about storms in which this author is quoted."""
    said = sa.select(deliveries.c.id).join(mentions, mentions.c.id == deliveries.c.mention)
    said = said.where(mentions.c.author == author)
    return sa.select(sightings.c.told).where(sightings.c.delivery.in_(said.scalar_subquery()))


def _erase_bulletins(tx: Tx, chosen: Any) -> None:
    """What these said. ConnectorError while one of them is not at its end, for what is sent must not change."""
    carried = deliveries.c.id.in_(chosen.where(sightings.c.told.is_not(None)).scalar_subquery())
    open_ = tx.execute(sa.select(deliveries.c.id).where(carried, deliveries.c.state.in_(_UNENDED)).limit(1)).scalar()
    if open_ is not None:
        raise ConnectorError(
            f"nothing was erased: delivery {open_} quotes them and is not at its end; "
            f"wait for it, or `connector deliveries drop {open_}`"
        )
    quoting = sa.select(deliveries.c.id).where(carried).scalar_subquery()
    tx.execute(sa.update(parts).where(parts.c.delivery.in_(quoting), parts.c.body != "").values(body=""))
    looked = sa.func.coalesce(deliveries.c.checked_at, now(tx))  # nothing is left to look for
    tx.execute(sa.update(deliveries).where(carried).values(checked_at=looked, body=None))


@contextmanager
def _overwritten(tx: Tx) -> Iterator[None]:
    """SQLite leaves what is deleted in its file until the place is needed; here it is written over with zeros."""
    if tx.dialect.name != "sqlite":
        yield
        return
    tx.exec_driver_sql("PRAGMA secure_delete = ON")
    try:
        yield
    finally:
        tx.exec_driver_sql("PRAGMA secure_delete = OFF")


# --- retention -------------------------------------------------------------------------------------------------


Place = tuple[float, int]
"""How far a sweep has got: when the last mention it looked at came, and its number."""


def expire(tx: Tx, days: float, limit: int, after: Place = (0.0, 0)) -> tuple[int, Place | None]:
    """Look at the next so many mentions that are old enough, the oldest first, and erase those of conversations that
    are finished: nothing in them waits or is parked for a person, nothing was said or answered for so many days, and
    the ticket is not known to be open. How many were erased, and where to go on: None when these were the last.

    What has to stay is looked at once in a sweep, not in each step of it: there may be a lot of it.
    """
    before = now(tx) - days * 86_400.0
    looked = tx.execute(_OLDEST, {"before": before, "at": after[0], "number": after[1], "n": limit}).all()
    rows = list(_EXPIRED.run(tx, [{"number": row.id} for row in looked], before=before))
    if rows:
        whose = sorted({author_of(decode(Mention, row.body)) for row in rows})
        with _overwritten(tx):
            _erase(tx, rows, _expired)
            places = sorted({row.conversation for row in rows})
            _erase_answers(tx, places)
            waited = private_moves.c.author.in_(whose), private_moves.c.conversation.in_(places)
            _erase_moves(tx, sa.and_(*waited))
            _erase_bulletins(tx, _OLD_BULLETINS.where(deliveries.c.ended_at < before, deliveries.c.state == "done"))
    return len(rows), (looked[-1].received_at, looked[-1].id) if len(looked) == limit else None


_OLD_BULLETINS = sa.select(sightings.c.told).join(deliveries, deliveries.c.id == sightings.c.told).distinct()

_OLDEST = (
    sa.select(mentions.c.id, mentions.c.received_at)
    .where(mentions.c.erased_at.is_(None), mentions.c.received_at < sa.bindparam("before"))
    .where(mentions.c.received_at >= sa.bindparam("at"))
    .where(sa.or_(mentions.c.received_at > sa.bindparam("at"), mentions.c.id > sa.bindparam("number")))
    .order_by(mentions.c.received_at, mentions.c.id)
    .limit(sa.bindparam("n"))
)

_parked = (
    sa.exists()
    .where(deliveries.c.conversation == conversations.c.id)
    .where(sa.literal_column("deliveries.state IN ('held', 'unsure')"))
)
_open = (
    sa.exists()
    .where(tickets.c.helpdesk == conversations.c.helpdesk, tickets.c.ticket == conversations.c.ticket)
    .where(sa.literal_column("tickets.status NOT IN ('solved', 'closed')"))
)
_EXPIRED = bulk(
    lambda _, given: (
        sa.select(mentions.c.id, mentions.c.body, mentions.c.conversation)
        .join(conversations, conversations.c.id == mentions.c.conversation)
        .where(given.among(mentions.c.id, "number"), mentions.c.erased_at.is_(None))
        .where(sa.literal_column("live_in = 0 AND live_out = 0"))
        .where(sa.func.coalesce(conversations.c.stirred_at, 0.0) < sa.bindparam("before"))
        .where(~_parked, ~_open)
        .order_by(mentions.c.id)
        .with_for_update(skip_locked=True, of=[mentions, conversations])
    ),
    number=mentions.c.id.type,
)
