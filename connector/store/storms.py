"""Storms and digests: where a mention goes when too many come at once, decided once and remembered.

`place` is asked for every mention that is about to reach the helpdesk, and remembers its answer beside the delivery:
asked again after a crash it gives the same. A storm begins in the transaction that sees one author too many, with its
problem ticket on the way; an index allows one storm for a topic at a time, so two replicas cannot begin it twice.

A mention in a digest is `held` until the bulletin that carries its words is written, and `done` from then on: at
every moment it stands somewhere a person can find it. Authors are counted by a digest of their id; nobody's name is
kept.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from connector.model import Bulletin, CommentDraft, Key, TicketId, encode, key_of, utc
from connector.store.arrivals import bear
from connector.store.bulk import bulk
from connector.store.silences import silencing
from connector.store.store import Tx, insert, now
from connector.store.tables import conversations, deliveries, digests, sightings, storms

_HOUR = 3_600.0
_DAY = 86_400.0
_KEPT_DAYS = 35
_AT_ONCE = 60.0


@dataclass(frozen=True, slots=True)
class Watch:
    """When a storm begins: `authors` people within `within` seconds and `times` the usual of the same time of day in
    the last `days`. It ends when fewer than that are unhappy within `calm` seconds. `per_hour`: tickets to be opened
    in an hour, None for any number."""

    authors: int
    within: float
    times: float
    days: int
    calm: float
    per_source: bool = False
    per_hour: int | None = None


@dataclass(frozen=True, slots=True)
class Sighting:
    """A mention on its way to the helpdesk. `joins`: it belongs to a storm on its topic; `opens`: it has no ticket
    yet; `links`: its ticket can be made an incident of a problem; `free`: a person said that it gets its ticket;
    `answers`: it may be answered automatically, as one of so many in an hour."""

    delivery: int
    conversation: int
    helpdesk: str
    source: str
    topic: str
    author: str
    negative: bool
    apart: bool
    joins: bool
    opens: bool
    links: bool = False
    free: bool = False
    answers: int | None = None


@dataclass(frozen=True, slots=True)
class Storm:
    """A storm as it is remembered. `source` is empty for all together, `ticket` None until its problem is open.
    `authors` and `usual` are the numbers it began with."""

    id: int
    helpdesk: str
    topic: str
    source: str
    began_at: float
    authors: int
    usual: float
    ticket: TicketId | None = None
    ended_at: float | None = None


@dataclass(frozen=True, slots=True)
class Placement:
    """Where a mention goes: into `storm`, if one is on; not onto a ticket of its own, for the reason in `digest`.
    `began`: this mention began the storm. `answered`: it is answered automatically; `unanswered` says why it is not,
    though it might have been."""

    storm: Storm | None = None
    digest: str = ""
    began: bool = False
    answered: bool = False
    unanswered: str = ""


CALM = Placement()
Announce = Callable[[Storm], Bulletin]


# --- placing -----------------------------------------------------------------------------------------------


def place(tx: Tx, seen: Sighting, watch: Watch | None, announce: Announce) -> Placement:
    """Decide where this mention goes, or say what was decided. `announce` words the problem ticket of a storm that
    begins; without a `watch` only silences are heeded."""
    at = now(tx)
    row = {
        "delivery": seen.delivery,
        "conversation": seen.conversation,
        "helpdesk": seen.helpdesk,
        "source": seen.source,
        "topic": seen.topic,
        "author": counted(seen.author),
        "at": at,
        "negative": seen.negative,
        "apart": seen.apart,
        "placed": "ticket" if seen.opens else "comment",
    }
    new = insert(tx, sightings).values(row).on_conflict_do_nothing().returning(sightings.c.delivery)
    if tx.execute(new).first() is None:
        known = tx.execute(sa.select(sightings).where(sightings.c.delivery == seen.delivery)).one()
        return _remembered(tx, known, seen)
    storm, began = _storm(tx, seen, watch, announce, at)
    joined = storm if storm is not None and seen.joins and not seen.apart else None
    linked = joined is not None and joined.ticket is not None and seen.links and seen.opens
    digest, reason = None, ""
    if seen.opens and not seen.apart and not seen.free:
        digest, reason = _digest(tx, seen, watch, joined, at)
    unanswered = _unanswered(tx, seen, at) if seen.answers is not None and digest is None else ""
    answered = seen.answers is not None and digest is None and not unanswered
    tx.execute(
        sa.update(sightings)
        .where(sightings.c.delivery == seen.delivery)
        .values(
            answered=answered,
            storm=joined.id if joined is not None else None,
            linked=linked or digest is not None,
            digest=digest,
            placed="digest" if digest is not None else "ticket" if seen.opens else "comment",
            reason=reason,
        )
    )
    return Placement(joined, reason, began, answered, unanswered)


def stormy(tx: Tx) -> bool:
    """Whether any storm is on."""
    return tx.execute(sa.select(storms.c.id).where(storms.c.ended_at.is_(None)).limit(1)).first() is not None


def _remembered(tx: Tx, known: Any, seen: Sighting) -> Placement:
    storm = None
    if known.storm is not None:
        row = tx.execute(STORMS.where(storms.c.id == known.storm)).first()
        storm = made(row) if row is not None else None
    reason = known.reason if known.digest is not None and not seen.free else ""
    return Placement(storm, reason, answered=known.answered)


def _unanswered(tx: Tx, seen: Sighting, at: float) -> str:
    """Why this one is not answered automatically now; empty when it is."""
    if stormy(tx):
        return "paused: a storm is on"
    answered = sa.select(sa.func.count()).select_from(sightings).where(sightings.c.helpdesk == seen.helpdesk)
    answered = answered.where(sightings.c.answered)
    person = sightings.c.author == counted(seen.author)
    if tx.execute(answered.where(sightings.c.at > at - _DAY, person)).scalar_one():
        return "this person was answered automatically within a day"
    if tx.execute(answered.where(sightings.c.at > at - _HOUR)).scalar_one() >= (seen.answers or 0):
        return f"{seen.answers} were answered automatically within an hour"
    return ""


def counted(author: str) -> str:
    """What stands for a person (`platform:id`) where people are counted."""
    return key_of("author", author)[:16]


STORMS = sa.select(storms, conversations.c.ticket).outerjoin(
    conversations, conversations.c.id == storms.c.conversation
)


def made(row: Any) -> Storm:
    """The storm of a row of STORMS."""
    ticket = None if row.ticket is None else TicketId(row.ticket)
    return Storm(
        row.id, row.helpdesk, row.topic, row.source, row.began_at, row.authors, row.usual, ticket, row.ended_at
    )


def _storm(tx: Tx, seen: Sighting, watch: Watch | None, announce: Announce, at: float) -> tuple[Storm | None, bool]:
    """The storm on this topic now, and whether it begins with this mention."""
    if not seen.topic:
        return None, False
    on = STORMS.where(storms.c.helpdesk == seen.helpdesk, storms.c.topic == seen.topic)
    on = on.where(storms.c.source.in_(("", seen.source)), storms.c.ended_at.is_(None)).order_by(storms.c.id)
    row = tx.execute(on).first()
    if row is not None or watch is None or not seen.negative:
        return (made(row) if row is not None else None), False
    source = seen.source if watch.per_source else ""
    people = _people(tx, seen.helpdesk, seen.topic, source, [(at - watch.within, at)])[0]
    if people < watch.authors:
        return None, False
    usual = _usual(tx, seen.helpdesk, seen.topic, source, watch, at)
    if people < usual * watch.times:
        return None, False
    return _begin(tx, seen, watch, Storm(0, seen.helpdesk, seen.topic, source, at, people, usual), announce)


def _people(tx: Tx, helpdesk: str, topic: str, source: str, spans: Sequence[tuple[float, float]]) -> list[int]:
    """How many different people were unhappy about it in each of these spans of time."""
    rows = [{"n": n, "since": since, "till": till} for n, (since, till) in enumerate(spans)]
    found = _PEOPLE.run(tx, rows, desk=helpdesk, about=topic, here=source)
    counted = {row.n: int(row.people) for row in found}
    return [counted.get(n, 0) for n in range(len(spans))]


_PEOPLE = bulk(
    lambda _, given: (
        sa.select(given["n"].label("n"), sa.func.count(sa.distinct(sightings.c.author)).label("people"))
        .where(sightings.c.topic == sa.bindparam("about", type_=sa.Text))
        .where(sightings.c.at > given["since"], sightings.c.at <= given["till"])
        .where(sightings.c.helpdesk == sa.bindparam("desk", type_=sa.Text), sightings.c.negative)
        .where(
            sa.or_(
                sa.cast(sa.bindparam("here", type_=sa.Text), sa.Text) == "",
                sightings.c.source == sa.bindparam("here", type_=sa.Text),
            )
        )
        .group_by(given["n"])
    ),
    n=sa.Integer(),
    since=sa.Double(),
    till=sa.Double(),
)


def _usual(tx: Tx, helpdesk: str, topic: str, source: str, watch: Watch, at: float) -> float:
    """How many are usually unhappy about it at this time of day: the mean of those of the last days that the journal
    knows whole; 0 where it knows none."""
    first = tx.execute(sa.select(sa.func.min(sightings.c.at)).where(sightings.c.helpdesk == helpdesk)).scalar()
    spans = [(at - day * _DAY - watch.within, at - day * _DAY) for day in range(1, watch.days + 1)]
    known = [span for span in spans if first is not None and span[0] >= first]
    counts = _people(tx, helpdesk, topic, source, known)
    return sum(counts) / len(counts) if counts else 0.0


def _begin(tx: Tx, seen: Sighting, watch: Watch, storm: Storm, announce: Announce) -> tuple[Storm | None, bool]:
    at = storm.began_at
    row = tx.execute(
        insert(tx, storms)
        .values(
            helpdesk=storm.helpdesk,
            topic=storm.topic,
            source=storm.source,
            began_at=at,
            authors=storm.authors,
            usual=storm.usual,
            least=watch.authors,
            calm=watch.calm,
        )
        .on_conflict_do_nothing()
        .returning(storms.c.id)
    ).first()
    if row is None:  # another replica began it this moment; whoever comes next sees it
        return None, False
    began = Storm(row.id, storm.helpdesk, storm.topic, storm.source, at, storm.authors, storm.usual)
    home = own_conversation(tx, seen.helpdesk, seen.source, f"storm {began.id}")
    tx.execute(sa.update(storms).where(storms.c.id == began.id).values(conversation=home))
    tell(tx, home, announce(began), key_of("storm", storm.helpdesk, storm.topic, storm.source, repr(at)))
    before = sa.update(sightings).where(sightings.c.helpdesk == seen.helpdesk, sightings.c.topic == seen.topic)
    before = before.where(sightings.c.at > at - watch.within, sightings.c.negative, ~sightings.c.apart)
    if storm.source:
        before = before.where(sightings.c.source == storm.source)
    tx.execute(
        before.where(sightings.c.storm.is_(None)).values(storm=began.id, linked=sightings.c.placed == "digest")
    )
    return began, True


def _digest(tx: Tx, seen: Sighting, watch: Watch | None, storm: Storm | None, at: float) -> tuple[int | None, str]:
    """The digest this mention goes into and why; None and nothing when it gets a ticket of its own."""
    silence = silencing(tx, seen.topic, seen.source, at)
    if silence is not None:
        why = f" ({silence.why})" if silence.why else ""
        name, reason = f"silence {silence.id}", f"silenced until {utc(silence.until):%Y-%m-%d %H:%M} UTC{why}"
        return _digest_called(tx, seen.helpdesk, name, silence=silence.id), reason
    if watch is None or watch.per_hour is None:
        return None, ""
    opened = tx.execute(
        sa.select(sa.func.count())
        .select_from(sightings)
        .where(sightings.c.helpdesk == seen.helpdesk, sightings.c.at > at - _HOUR)
        .where(sightings.c.placed == "ticket", sightings.c.delivery != seen.delivery)
    ).scalar_one()
    if opened < watch.per_hour:
        return None, ""
    reason = f"more than {watch.per_hour} tickets in an hour: it goes into a digest"
    if storm is not None:
        home = tx.execute(sa.select(storms.c.conversation).where(storms.c.id == storm.id)).scalar()
        return _digest_called(tx, seen.helpdesk, f"storm {storm.id}", conversation=home), reason
    return _digest_called(tx, seen.helpdesk, f"hour {utc(at):%Y-%m-%d %H}:00 UTC"), reason


def _digest_called(
    tx: Tx, helpdesk: str, name: str, *, silence: int | None = None, conversation: int | None = None
) -> int:
    given = {"helpdesk": helpdesk, "name": name, "silence": silence, "conversation": conversation}
    tx.execute(insert(tx, digests).values(given).on_conflict_do_nothing())
    found = sa.select(digests.c.id).where(digests.c.helpdesk == helpdesk, digests.c.name == name)
    return int(tx.execute(found).scalar_one())


def own_conversation(tx: Tx, helpdesk: str, source: str, name: str) -> int:
    """A conversation of our own, for a ticket that is nobody's. No platform's thread can be called so."""
    row = {"source": source, "name": f"\x1f{helpdesk}\x1f{name}", "helpdesk": helpdesk}
    made = tx.execute(sa.insert(conversations).values(row).returning(conversations.c.id)).scalar_one()
    return int(made)


def tell(tx: Tx, home: int, what: Bulletin | CommentDraft, key: Key) -> int:
    """Have this written: a bulletin, or a note on a ticket of that conversation; the delivery's number."""
    place_of = tx.execute(
        sa.select(conversations.c.helpdesk, conversations.c.source).where(conversations.c.id == home)
    ).one()
    kind = "bulletin" if isinstance(what, Bulletin) else "note"
    row = {"kind": kind, "account": place_of.helpdesk, "source": place_of.source, "body": encode(what), "key": key}
    bear(tx, [row | {"conversation": home, "state": "", "reason": ""}], now(tx))
    return int(tx.execute(sa.select(deliveries.c.id).where(deliveries.c.key == key)).scalar_one())


# --- what is looked at now and then ------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Summary:
    """What a storm came to: people and their mentions, by source, the incidents linked and what went into digests."""

    storm: Storm
    people: int
    mentions: int
    sources: tuple[tuple[str, int], ...]
    incidents: int
    digested: int


def end(tx: Tx, word: Callable[[Summary], CommentDraft]) -> list[Storm]:
    """End the storms that are over, each with a summary on its problem ticket; which they are."""
    at = now(tx)
    over: list[Storm] = []
    on = sa.select(storms).where(storms.c.ended_at.is_(None)).order_by(storms.c.id)
    for row in tx.execute(on.with_for_update(skip_locked=True)).all():
        people = _people(tx, row.helpdesk, row.topic, row.source, [(at - row.calm, at)])[0]
        if people >= row.least:
            continue
        tx.execute(sa.update(storms).where(storms.c.id == row.id).values(ended_at=at))
        storm = made(tx.execute(STORMS.where(storms.c.id == row.id)).one())
        key = key_of("storm over", row.helpdesk, row.topic, row.source, repr(row.began_at))
        tell(tx, row.conversation, word(summary(tx, storm)), key)
        over.append(storm)
    return over


def summary(tx: Tx, storm: Storm) -> Summary:
    """What a storm came to so far."""
    its = sightings.c.storm == storm.id
    incidents = sa.func.count(sa.distinct(sa.case((sightings.c.digest.is_(None), sightings.c.conversation))))
    row = tx.execute(
        sa.select(
            sa.func.count().label("mentions"),
            sa.func.count(sa.distinct(sightings.c.author)).label("people"),
            incidents.label("incidents"),
            sa.func.count(sightings.c.digest).label("digested"),
        ).where(its)
    ).one()
    by = tx.execute(
        sa.select(sightings.c.source, sa.func.count().label("n"))
        .where(its)
        .group_by(sightings.c.source)
        .order_by(sa.desc("n"), sightings.c.source)
    )
    return Summary(
        storm, row.people, row.mentions, tuple((one.source, one.n) for one in by), row.incidents, row.digested
    )


def link(tx: Tx, word: Callable[[Storm, str, TicketId], CommentDraft], most: int = 50) -> int:
    """Tell the tickets of a storm that they are its incidents; how many were told. `word` is given the storm, the
    helpdesk and the ticket."""
    told = 0
    _adopt(tx)
    waiting = sa.exists().where(sightings.c.storm == storms.c.id, ~sightings.c.linked)
    for row in tx.execute(_LOCKED.where(waiting)).all():
        storm = made(tx.execute(STORMS.where(storms.c.id == row.id)).one())
        if storm.ticket is None:
            continue
        found = tx.execute(
            sa.select(sightings.c.conversation, conversations.c.ticket)
            .join(conversations, conversations.c.id == sightings.c.conversation)
            .where(sightings.c.storm == storm.id, ~sightings.c.linked, conversations.c.ticket.is_not(None))
            .group_by(sightings.c.conversation, conversations.c.ticket)
            .order_by(sightings.c.conversation)
            .limit(most)
        ).all()
        for one in found:
            its = sa.and_(sightings.c.storm == storm.id, sightings.c.conversation == one.conversation)
            known = tx.execute(sa.select(sightings.c.delivery).where(its, sightings.c.linked).limit(1)).first()
            tx.execute(sa.update(sightings).where(its).values(linked=True))
            if known is None and one.ticket != storm.ticket:
                key = key_of("incident", str(storm.id), repr(storm.began_at), str(one.conversation))
                tell(tx, one.conversation, word(storm, storm.helpdesk, TicketId(one.ticket)), key)
                told += 1
    return told


def _adopt(tx: Tx) -> None:
    """Two replicas do not see what the other is about to write: who was placed by one in the moment in which the
    other began the storm belongs to it as well."""
    for row in tx.execute(sa.select(storms).where(storms.c.ended_at.is_(None)).order_by(storms.c.id)).all():
        stray = sa.update(sightings).where(sightings.c.topic == row.topic, sightings.c.helpdesk == row.helpdesk)
        stray = stray.where(sightings.c.at.between(row.began_at - _AT_ONCE, row.began_at + _AT_ONCE))
        stray = stray.where(sightings.c.storm.is_(None), sightings.c.negative, ~sightings.c.apart)
        if row.source:
            stray = stray.where(sightings.c.source == row.source)
        tx.execute(stray.values(storm=row.id, linked=sightings.c.placed == "digest"))


_LOCKED = sa.select(storms.c.id).order_by(storms.c.id).with_for_update(skip_locked=True)


def forget_sightings(tx: Tx) -> int:
    """Forget what was seen longer ago than any comparison looks; what still waits in a digest stays."""
    old = sa.delete(sightings).where(sightings.c.at < now(tx) - _KEPT_DAYS * _DAY)
    waits = sa.exists().where(deliveries.c.id == sightings.c.delivery, deliveries.c.state == "held")
    return int(tx.execute(old.where(~waits)).rowcount)


def busy(tx: Tx) -> bool:
    """Whether there is anything to look at now and then: a storm, a ticket to be linked, a digest to be told."""
    raging = sa.exists().where(storms.c.ended_at.is_(None))
    ticket = sa.exists().where(conversations.c.id == sightings.c.conversation, conversations.c.ticket.is_not(None))
    unlinked = sa.exists().where(sightings.c.storm.is_not(None), ~sightings.c.linked, ticket)
    held = sa.exists().where(deliveries.c.id == sightings.c.delivery, deliveries.c.state == "held")
    untold = sa.exists().where(sightings.c.digest.is_not(None), sightings.c.told.is_(None), held)
    each = [sa.select(sa.literal(1)).where(one) for one in (raging, unlinked, untold)]
    return tx.execute(sa.union_all(*each)).first() is not None


def active_storms(tx: Tx) -> list[Summary]:
    """The storms that are on, the oldest first."""
    rows = tx.execute(STORMS.where(storms.c.ended_at.is_(None)).order_by(storms.c.id)).all()
    return [summary(tx, made(row)) for row in rows]
