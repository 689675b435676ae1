"""Storms, silences and digests in the store: begun once, linked once, told once, and nothing lost in between."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa
from store_builders import NOON, arrive, claim, done, one, rows, settle, sound, turn

from connector.errors import ConnectorError
from connector.model import Author, Bulletin, CommentDraft, Mention, Person, TicketDraft, TicketId, decode
from connector.store import Claim, Store, digests, journal, people, silences, storms
from connector.store.digests import Gathered
from connector.store.storms import Placement, Sighting, Storm, Summary, Watch
from connector.store.tables import deliveries, parts, sightings
from connector.store.tables import storms as storm_rows

WATCH = Watch(authors=3, within=1800, times=2, days=7, calm=3600)
DAY = 86_400.0


def announce(storm: Storm) -> Bulletin:
    return Bulletin(TicketDraft(f"storm:{storm.id}", f"Storm: {storm.topic}", Person("us", "us"), "x"), "details")


def told(gathered: Gathered) -> Bulletin:
    words = " | ".join(mention.text for _, mention in gathered.items)
    return Bulletin(TicketDraft("digest", gathered.name, Person("us", "us"), "x"), f"{words} +{gathered.left}")


def over(summary: Summary) -> CommentDraft:
    return CommentDraft(TicketId(""), f"{summary.people} people, {summary.mentions} messages")


def part_of(storm: Storm, helpdesk: str, ticket: TicketId) -> CommentDraft:
    return CommentDraft(ticket, f"part of {storm.ticket}")


class Weather:
    """A stream of mentions, each of a new author in a thread of their own, and what was decided of them."""

    def __init__(self, store: Store, mention: Callable[..., Mention]) -> None:
        self.store = store
        self.mention = mention
        self.count = 0

    def seen(self, at: float = NOON, watch: Watch | None = WATCH, **facts: Any) -> tuple[int, Placement]:
        """Somebody says something, and it is placed; the number of its delivery."""
        self.count += 1
        who = facts.pop("author", f"u{self.count}")
        source = facts.get("source", "feed")
        said = self.mention(f"m{self.count}", author=Author(who), thread_id=f"t{self.count}", source=source)
        arrive(self.store, said, at=at)
        (number,) = rows(self.store, "id", key=_key(self.store))
        return number, self.place(number, at, watch, author=f"feed:{who}", **facts)

    def place(self, number: int, at: float = NOON, watch: Watch | None = WATCH, **facts: Any) -> Placement:
        """Ask where that delivery goes."""
        (home,) = rows(self.store, "conversation", id=number)
        given: dict[str, Any] = {"helpdesk": "desk", "source": "feed", "topic": "complaint", "author": "feed:u"}
        given |= {"negative": True, "apart": False, "joins": True, "opens": True, "links": True}
        with turn(self.store, at) as tx:
            return storms.place(tx, Sighting(number, home, **(given | facts)), watch, announce)

    def hold(self, number: int, reason: str, at: float = NOON) -> None:
        """It goes into its digest, as the flow would have it."""
        (claimed,) = [c for c in claim(self.store, 50, at=at) if c.id == number]
        settle(self.store, claimed, "held", reason=reason, at=at)


def _key(store: Store) -> str:
    return str(rows(store, "key", kind="mention")[-1])


@pytest.fixture
def weather(store: Store, mention: Callable[..., Mention]) -> Weather:
    return Weather(store, mention)


def bulletins(store: Store) -> list[Bulletin]:
    return [decode(Bulletin, body) for body in rows(store, "body", kind="bulletin")]


def test_a_storm_begins_with_one_author_too_many_and_once(store: Store, weather: Weather) -> None:
    placed = [weather.seen()[1] for _ in range(5)]

    assert [p.began for p in placed] == [False, False, True, False, False]
    assert [p.storm is not None for p in placed] == [False, False, True, True, True]
    assert [p.storm is not None for p in placed][-1]
    assert [b.ticket.subject for b in bulletins(store)] == ["Storm: complaint"]
    with store.read() as tx:
        (summary,) = storms.active_storms(tx)
    assert (summary.people, summary.mentions, summary.storm.authors) == (5, 5, 3)
    sound(store)


def test_who_was_placed_elsewhere_while_it_began_is_linked_too(store: Store, weather: Weather) -> None:
    stray, _ = weather.seen(watch=None)  # as a replica sees it that does not see the others' mentions yet
    early, _ = weather.seen(watch=None, at=NOON - 120)
    for _ in range(3):
        weather.seen()
    with store.begin() as tx:
        tx.execute(sa.update(sightings).where(sightings.c.delivery.in_((stray, early))).values(storm=None))
    for claimed in claim(store, 50):
        done(store, claimed, ticket="7" if claimed.kind == "bulletin" else str(100 + claimed.id))
    with turn(store) as tx:
        assert storms.link(tx, part_of) == 4
        held = tx.execute(sa.select(sightings.c.delivery).where(sightings.c.storm.is_(None))).scalars().all()
    assert held == [early]


def test_one_angry_author_is_no_storm(weather: Weather) -> None:
    placed = [weather.seen(author="u1")[1] for _ in range(9)]

    assert not any(p.storm for p in placed)


def test_what_is_not_negative_or_of_another_topic_or_too_old_counts_for_nothing(weather: Weather) -> None:
    weather.seen(negative=False)
    weather.seen(topic="question")
    weather.seen(at=NOON - 1801)
    weather.seen()
    _, placed = weather.seen()

    assert placed.storm is None


def test_what_is_usual_at_that_time_of_day_is_no_storm(weather: Weather) -> None:
    weather.seen(at=NOON - 2 * DAY - 7200, watch=None, negative=False)  # the journal knows both days whole
    for day in (1, 2):
        for _ in range(2):
            weather.seen(at=NOON - day * DAY - 60, watch=None)
        weather.seen(at=NOON - day * DAY - 7200, watch=None)  # another hour of that day
    first = [weather.seen()[1] for _ in range(3)]
    _, fourth = weather.seen()

    assert not any(p.storm for p in first)  # three are enough, but not twice the usual two
    assert fourth.began
    assert fourth.storm is not None
    assert fourth.storm.usual == 2.0


def test_sources_are_counted_together_or_each_for_itself(weather: Weather) -> None:
    each = Watch(3, 1800, 2, 7, 3600, per_source=True)
    for _ in range(2):
        weather.seen(watch=each, source="forum")
    _, mixed = weather.seen(watch=each)
    _, third = weather.seen(watch=each, source="forum")
    _, elsewhere = weather.seen(watch=each)

    assert mixed.storm is None
    assert third.storm is not None
    assert third.storm.source == "forum"
    assert elsewhere.storm is None


def test_asked_again_after_a_crash_it_says_the_same(store: Store, weather: Weather) -> None:
    for _ in range(2):
        weather.seen()
    number, first = weather.seen()
    again = weather.place(number)

    assert (first.began, again.began) == (True, False)
    assert again.storm is not None
    assert first.storm is not None
    assert again.storm.id == first.storm.id
    assert len(bulletins(store)) == 1


def test_who_is_kept_apart_counts_but_is_not_drawn_in(store: Store, weather: Weather) -> None:
    for _ in range(2):
        weather.seen()
    _, vip = weather.seen(apart=True)

    assert (vip.began, vip.storm) == (True, None)
    with store.read() as tx:
        (summary,) = storms.active_storms(tx)
    assert summary.mentions == 2


def opened(store: Store, weather: Weather, people: int = 3) -> tuple[list[int], TicketId]:
    """A storm with tickets 101 … for its people and its problem ticket 7 open."""
    numbers = [weather.seen()[0] for _ in range(people)]
    for claimed in claim(store, 50):
        ticket = "7" if claimed.kind == "bulletin" else str(100 + claimed.id)
        done(store, claimed, ticket=ticket)
    return numbers, TicketId("7")


def linked(store: Store, at: float = NOON) -> int:
    with turn(store, at) as tx:
        return storms.link(tx, part_of)


def test_the_tickets_before_the_storm_are_linked_when_its_problem_ticket_is_open_and_once(
    store: Store, weather: Weather
) -> None:
    weather.seen()
    weather.seen()
    weather.seen()
    early = linked(store)
    for claimed in claim(store, 50):
        done(store, claimed, ticket="7" if claimed.kind == "bulletin" else str(100 + claimed.id))

    assert (early, linked(store), linked(store)) == (0, 3, 0)
    notes = [decode(CommentDraft, body) for body in rows(store, "body", kind="note")]
    assert [note.html for note in notes] == ["part of 7"] * 3
    assert len({note.ticket for note in notes}) == 3
    sound(store)


def test_a_ticket_opened_while_the_problem_is_known_needs_no_note(store: Store, weather: Weather) -> None:
    opened(store, weather)
    linked(store)
    _, late = weather.seen()
    _, cannot = weather.seen(links=False)
    for claimed in claim(store, 50):
        if claimed.kind == "mention":
            done(store, claimed, ticket=str(100 + claimed.id))

    assert late.storm is not None
    assert late.storm.ticket == "7"
    assert cannot.storm is not None
    assert linked(store) == 1  # a helpdesk without problems is told by a note


def test_a_storm_ends_by_itself_with_a_summary_and_once(store: Store, weather: Weather) -> None:
    opened(store, weather)
    with turn(store, NOON + 3599) as tx:
        early = storms.end(tx, over)
    with turn(store, NOON + 3601) as tx:
        ended = storms.end(tx, over)
    with turn(store, NOON + 3601) as tx:
        again = storms.end(tx, over)

    assert (early, [storm.topic for storm in ended], again) == ([], ["complaint"], [])
    assert [decode(CommentDraft, body).html for body in rows(store, "body", kind="note")] == ["3 people, 3 messages"]
    (note,) = [c for c in claim(store, 50, at=NOON + 3601) if c.kind == "note"]
    assert note.ticket == "7"
    with store.read() as tx:
        assert not storms.stormy(tx)


def test_after_it_ended_the_next_one_is_another(store: Store, weather: Weather) -> None:
    opened(store, weather)
    with turn(store, NOON + 3601) as tx:
        storms.end(tx, over)
    later = NOON + 3 * 3600
    for _ in range(3):
        weather.seen(at=later)

    assert len(bulletins(store)) == 2
    with store.read() as tx:
        assert len(tx.execute(sa.select(storm_rows)).all()) == 2


# --- the cap and its digests -----------------------------------------------------------------------------------

CAP = Watch(authors=50, within=1800, times=2, days=7, calm=3600, per_hour=2)


def gathered(store: Store, at: float = NOON) -> int:
    with turn(store, at) as tx:
        return digests.gather(tx, told)


def test_what_is_beyond_the_cap_is_held_and_told_in_one_digest(store: Store, weather: Weather) -> None:
    placed = [weather.seen(watch=CAP) for _ in range(5)]
    assert [bool(p.digest) for _, p in placed] == [False, False, True, True, True]
    for claimed in claim(store, 50):
        where = dict(placed)[claimed.id].digest
        settle(store, claimed, "held", reason=where) if where else done(store, claimed, ticket=str(claimed.id))

    assert gathered(store, NOON + 30) == 0  # it may still fill
    assert (gathered(store, NOON + 61), gathered(store, NOON + 61)) == (3, 0)
    assert [b.note for b in bulletins(store)] == ["message 3 | message 4 | message 5 +0"]
    with store.read() as tx:
        assert journal.balance(tx).held == 3  # until it is written

    done(store, one(store, at=NOON + 61), ticket="900")
    with store.read() as tx:
        ledger = journal.balance(tx)
    assert (ledger.held, ledger.appended, ledger.ticketed, ledger.even) == (0, 3, 2, True)
    sound(store)


@pytest.mark.parametrize(
    ("facts", "told_of"), [({"text": "I will sue"}, "I will sue"), ({"text": "", "deleted": True}, "message 3")]
)
def test_a_digest_tells_what_was_said_last(
    store: Store, weather: Weather, mention: Any, facts: dict[str, Any], told_of: str
) -> None:
    placed = dict(weather.seen(watch=CAP) for _ in range(3))
    for claimed in claim(store, 50):
        where = placed[claimed.id].digest
        settle(store, claimed, "held", reason=where) if where else done(store, claimed, ticket=str(claimed.id))
    arrive(store, mention("m3", author=Author("u3"), thread_id="t3", version="2", **facts))
    settle(store, one(store), "ignored", reason="edited, and there is no ticket to note it on")
    assert gathered(store, NOON + 61) == 1
    assert [b.note for b in bulletins(store)] == [f"{told_of} +0"]


def test_a_digest_that_fails_leaves_its_mentions_held(store: Store, weather: Weather) -> None:
    placed = dict(weather.seen(watch=CAP) for _ in range(3))
    for claimed in claim(store, 50):
        where = placed[claimed.id].digest
        settle(store, claimed, "held", reason=where) if where else done(store, claimed, ticket=str(claimed.id))
    gathered(store, NOON + 61)
    settle(store, one(store, at=NOON + 61), "failed", reason="refused")

    with store.read() as tx:
        assert journal.balance(tx).held == 1


def test_the_cap_is_of_an_hour_and_spares_who_is_apart_and_who_has_a_ticket(weather: Weather) -> None:
    for _ in range(2):
        weather.seen(watch=CAP)

    assert not weather.seen(watch=CAP, apart=True)[1].digest
    assert not weather.seen(watch=CAP, opens=False)[1].digest
    assert weather.seen(watch=CAP)[1].digest
    assert not weather.seen(at=NOON + 3601, watch=CAP)[1].digest


def test_beyond_the_cap_a_storm_is_told_on_its_problem_ticket(store: Store, weather: Weather) -> None:
    both = Watch(authors=3, within=1800, times=2, days=7, calm=3600, per_hour=3)
    for _ in range(3):
        weather.seen(watch=both)
    for claimed in claim(store, 50):
        done(store, claimed, ticket="7" if claimed.kind == "bulletin" else str(100 + claimed.id))
    number, placed = weather.seen(watch=both)
    weather.hold(number, placed.digest)
    gathered(store, NOON + 61)

    (digest,) = [c for c in claim(store, 50, at=NOON + 61) if c.kind == "bulletin"]
    assert digest.ticket == "7"
    with store.read() as tx:
        (summary,) = storms.active_storms(tx)
    assert (summary.incidents, summary.digested) == (3, 1)


def test_full_bulletins_go_at_once_and_the_rest_is_counted(store: Store, weather: Weather) -> None:
    tight = Watch(50, 1800, 2, 7, 3600, per_hour=1)
    placed = dict(weather.seen(watch=tight) for _ in range(24))
    for claimed in claim(store, 50):
        where = placed[claimed.id].digest
        settle(store, claimed, "held", reason=where) if where else done(store, claimed, ticket="1")

    assert gathered(store) == 20
    assert bulletins(store)[0].note.endswith(" +3")
    assert (gathered(store), gathered(store, NOON + 61)) == (0, 3)


def test_a_released_one_gets_its_own_ticket_before_and_after_it_was_told(store: Store, weather: Weather) -> None:
    placed = dict(weather.seen(watch=CAP) for _ in range(4))
    for claimed in claim(store, 50):
        where = placed[claimed.id].digest
        settle(store, claimed, "held", reason=where) if where else done(store, claimed, ticket=str(claimed.id))
    early, late = [number for number, p in placed.items() if p.digest]
    with turn(store) as tx:
        assert journal.release(tx, early) == ""
    gathered(store, NOON + 61)
    for claimed in claim(store, 50, at=NOON + 61):
        if claimed.kind == "bulletin":
            done(store, claimed, ticket="900")
    with turn(store) as tx:
        assert journal.release(tx, late) == ""

    assert [b.note for b in bulletins(store)] == ["message 4 +0"]
    assert not weather.place(early, watch=CAP, free=True).digest
    assert not weather.place(late, watch=CAP, free=True).digest
    assert rows(store, "state", id=late) == ["ready"]
    with turn(store) as tx:
        ticketed = next(n for n, p in placed.items() if not p.digest)
        assert "is done" in journal.release(tx, ticketed)


# --- silences --------------------------------------------------------------------------------------------------


def silenced(store: Store, at: float = NOON, seconds: float = 7200, **what: str) -> int:
    with turn(store, at) as tx:
        return silences.silence(
            tx, topic=what.get("topic", ""), source=what.get("source", ""), seconds=seconds, why=""
        )


def test_a_silence_covers_its_topic_with_all_below_it_and_its_source(store: Store, weather: Weather) -> None:
    silenced(store, topic="complaint")

    assert weather.seen(watch=None)[1].digest
    assert weather.seen(watch=None, topic="complaint.delivery")[1].digest
    assert not weather.seen(watch=None, topic="complaints")[1].digest
    assert not weather.seen(watch=None, apart=True)[1].digest
    assert not weather.seen(watch=None, opens=False)[1].digest
    silenced(store, source="forum")
    assert weather.seen(watch=None, topic="thanks", source="forum")[1].digest
    assert not weather.seen(at=NOON + 7201, watch=None)[1].digest


def test_what_was_silenced_is_told_when_the_silence_is_over(store: Store, weather: Weather) -> None:
    silenced(store, topic="complaint")
    number, placed = weather.seen(watch=None)
    weather.hold(number, placed.digest)

    assert (gathered(store, NOON + 7199), gathered(store, NOON + 7200)) == (0, 1)
    assert bulletins(store)[0].ticket.subject.startswith("silence 1")


def test_a_silence_ended_by_hand_is_told_at_once_and_ends_once(store: Store, weather: Weather) -> None:
    number = silenced(store, topic="complaint")
    held, placed = weather.seen(watch=None)
    weather.hold(held, placed.digest)
    with turn(store, NOON + 60) as tx:
        (listed,) = silences.list_silences(tx)
        first, second = silences.end_silence(tx, number), silences.end_silence(tx, number)
        unknown = silences.end_silence(tx, 99)

    assert listed.kept == 1
    assert (first, second, unknown) == ("", "silence 1 is over already", "there is no silence 99")
    assert gathered(store, NOON + 61) == 1


def test_a_claim_knows_whether_there_is_a_silence(store: Store, weather: Weather, mention: Any) -> None:
    arrive(store, mention(thread_id="a"))
    assert not one(store).silent
    silenced(store, topic="complaint")
    arrive(store, mention(thread_id="b"))
    assert one(store).silent


# --- small ones ------------------------------------------------------------------------------------------------


def test_nothing_is_looked_at_while_all_is_calm(store: Store, weather: Weather) -> None:
    weather.seen()
    with store.read() as tx:
        assert not storms.busy(tx)
    weather.seen()
    weather.seen()
    with store.read() as tx:
        assert storms.busy(tx)


def test_what_was_seen_is_forgotten_but_not_what_waits_to_be_told(store: Store, weather: Weather) -> None:
    weather.seen(watch=CAP)
    weather.seen(watch=CAP)
    number, placed = weather.seen(watch=CAP)
    weather.hold(number, placed.digest)
    with turn(store, NOON + 36 * DAY) as tx:
        assert storms.forget_sightings(tx) == 2
        assert tx.execute(sa.select(sightings.c.delivery)).scalars().all() == [number]


def test_no_authors_name_is_kept(store: Store, weather: Weather) -> None:
    weather.seen(author="anna_petrova")
    with store.read() as tx:
        kept = tx.execute(sa.select(sightings.c.author)).scalar_one()
    assert "anna" not in kept


def test_two_replicas_cannot_begin_the_same_storm(store: Store, weather: Weather) -> None:
    for _ in range(2):
        weather.seen()
    weather.seen()
    with turn(store) as tx:
        seen = Sighting(1, 1, "desk", "feed", "complaint", "x", True, False, True, True)
        began = storms._begin(tx, seen, WATCH, Storm(0, "desk", "complaint", "", NOON, 9, 0.0), announce)

    assert began == (None, False)
    assert len(bulletins(store)) == 1
    with store.read() as tx:
        assert tx.execute(sa.select(sa.func.count()).select_from(deliveries)).scalar_one() == 4


# --- who is in a digest can be forgotten ---------------------------------------------------------------------


def _digested(store: Store, weather: Weather) -> Claim:
    """Two are in a digest, which is claimed."""
    placed = [weather.seen(watch=CAP) for _ in range(4)]
    for claimed in claim(store, 50):
        where = dict(placed)[claimed.id].digest
        settle(store, claimed, "held", reason=where) if where else done(store, claimed, ticket=str(claimed.id))
    gathered(store, NOON + 61)
    (found,) = [c for c in claim(store, 50, at=NOON + 62) if c.kind == "bulletin"]
    return found


def test_what_a_digest_quotes_is_erased_with_its_author(store: Store, weather: Weather) -> None:
    digest = _digested(store, weather)
    done(store, digest, ticket="9")
    with turn(store) as tx:
        people.forget(tx, "feed:u4")
    with store.read() as tx:
        bodies = tx.execute(sa.select(parts.c.body).where(parts.c.delivery == digest.id)).scalars().all()
    assert bodies == [""]
    assert rows(store, "body", kind="bulletin") == [None]
    sound(store)


def test_while_a_digest_that_quotes_them_is_on_its_way_nothing_is_erased(store: Store, weather: Weather) -> None:
    digest = _digested(store, weather)
    with pytest.raises(ConnectorError, match=f"delivery {digest.id} quotes them"), turn(store) as tx:
        people.forget(tx, "feed:u4")
    assert "message 4" in rows(store, "body", kind="bulletin")[0]
    with turn(store) as tx:
        assert people.forget(tx, "feed:u1").mentions == 1  # who is not in it


def test_an_old_digest_loses_what_it_quotes(store: Store, weather: Weather) -> None:
    done(store, _digested(store, weather), ticket="9")
    with turn(store, NOON + 40 * DAY) as tx:
        assert people.expire(tx, 30, 100)[0] > 0
    assert rows(store, "body", kind="bulletin") == [None]


def test_what_a_digest_tells_of_is_not_sent_again_beside_it(store: Store, weather: Weather) -> None:
    digest = _digested(store, weather)
    number, _ = _told_by(store, digest.id)
    with turn(store, NOON + 63) as tx:
        assert "told in a digest" in journal.retry(tx, number)
    done(store, digest, ticket="9")
    assert rows(store, "state", id=number) == ["done"]
    sound(store)


def test_of_a_digest_that_is_dropped_everybody_in_it_says_so(store: Store, weather: Weather) -> None:
    digest = _digested(store, weather)
    number, _ = _told_by(store, digest.id)
    settle(store, digest, "failed", reason="refused", at=NOON + 62)
    with turn(store, NOON + 63) as tx:
        assert journal.drop(tx, digest.id, "nobody reads it") == ""

    assert rows(store, "state", "reason", id=number) == [("held", "its digest was dropped: nobody reads it")]
    with turn(store, NOON + 64) as tx:
        assert journal.release(tx, number) == ""
    sound(store)


def test_who_was_forgotten_cannot_be_recognised_by_what_was_counted(store: Store, weather: Weather) -> None:
    for _ in range(2):
        weather.seen(author="anna")
    weather.seen(author="olga")
    for claimed in claim(store, 50):
        done(store, claimed, ticket=str(claimed.id))
    with turn(store) as tx:
        people.forget(tx, "feed:anna")
    with store.read() as tx:
        seen = tx.execute(sa.select(sightings.c.author).order_by(sightings.c.delivery)).scalars().all()

    assert storms.counted("feed:anna") not in seen
    assert (seen[0], len(set(seen))) == (seen[1], 2)  # one person still


def test_a_note_whose_words_were_erased_is_not_sent_again(store: Store, weather: Weather) -> None:
    digest = _digested(store, weather)
    settle(store, digest, "failed", reason="refused", at=NOON + 62)
    with turn(store) as tx:
        tx.execute(sa.update(deliveries).where(deliveries.c.id == digest.id).values(body=None))
        assert "erased" in journal.retry(tx, digest.id)


def _told_by(store: Store, bulletin: int) -> list[int]:
    with store.read() as tx:
        return list(tx.execute(sa.select(sightings.c.delivery).where(sightings.c.told == bulletin)).scalars())
