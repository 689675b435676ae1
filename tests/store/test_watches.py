"""Who waits for a first answer is watched from the mention to the answer, and each step is taken once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from store_builders import (
    LEASE,
    NOON,
    answer,
    arrive,
    claim,
    intend,
    one,
    receipt,
    reply,
    rows,
    settle,
    sound,
    states,
    turn,
)

from connector.model import CommentDraft, Deadlines, Mention, Settings, TicketId, TicketState
from connector.store import Store, reconcile, watches
from connector.store.reconcile import Passed
from connector.store.tables import ANSWERED_THERE, OWN_POST
from connector.store.tables import watches as table

Make = Callable[..., Mention]
HOUR = 3600.0
SEVEN = TicketId("7")


def at(hours: float) -> datetime:
    return datetime.fromtimestamp(NOON + hours * HOUR, UTC)


DUE = Deadlines(at(8), at(12), at(24), "8h", "usual", reminder=at(7))


def opened(store: Store, mention: Mention, due: Deadlines | None = DUE, when: float = NOON, **facts: Any) -> None:
    """Its ticket is open, and the answer is due then."""
    arrive(store, mention, at=when)
    settle(store, one(store, at=when), receipt=receipt(), ticket=SEVEN, due=due, since=when, at=when, **facts)


def appended(store: Store, mention: Mention, due: Deadlines, when: float) -> None:
    """It became a comment on that ticket."""
    arrive(store, mention, at=when)
    settle(store, one(store, at=when), receipt=receipt(f"c{when}"), due=due, since=when, at=when)


def note(step: Passed) -> CommentDraft:
    return CommentDraft(step.ticket, f"<p>{step.step}</p>", settings=Settings(tags=step.missed))


def look(store: Store, hours: float, tell: Callable[[Passed], CommentDraft | None] = note) -> list[Sequence[str]]:
    """What passed by then, told; for each all steps nobody was told of before."""
    with turn(store, NOON + hours * HOUR) as tx:
        found = reconcile.passed(tx, 10)
        for step in found:
            reconcile.told(tx, step, tell(step))
    return [step.missed for step in found]


def written(store: Store, hours: float = 30) -> None:
    """Whatever waits for the helpdesk is written."""
    for waiting in claim(store, at=NOON + hours * HOUR):
        settle(store, waiting, receipt=receipt(f"n{waiting.id}"), at=NOON + hours * HOUR)


def watch(store: Store) -> Any:
    with store.read() as tx:
        return tx.execute(sa.select(table)).one_or_none()


def overview(store: Store, hours: float) -> tuple[int, int, int]:
    with turn(store, NOON + hours * HOUR) as tx:
        found = watches.overview(tx)
    return found.watched, found.past_target, found.late


# --- steps ---


def test_each_step_is_told_once_when_it_passes(store: Store, mention: Make) -> None:
    opened(store, mention())
    told = []
    for hours in (6.9, 7, 7.1, 8, 11.9, 12, 12, 24, 25):
        told += look(store, hours)
        written(store, hours)
    assert told == [("reminder",), ("target",), ("breach",), ("ceiling",)]
    assert rows(store, "kind", "state") == [("mention", "done"), *[("note", "done")] * 4]
    assert len(set(rows(store, "key"))) == 5
    sound(store)


def test_what_the_mapping_says_nothing_about_is_passed_over(store: Store, mention: Make) -> None:
    opened(store, mention())
    assert look(store, 8, lambda _: None) == [("reminder", "target")]
    assert look(store, 8.1) == []
    assert look(store, 12) == [("breach",)]
    assert rows(store, "kind") == ["mention", "note"]


def test_after_an_outage_there_is_one_note_for_all_that_was_missed(store: Store, mention: Make) -> None:
    opened(store, mention())
    assert look(store, 30) == [("reminder", "target", "breach", "ceiling")]
    assert look(store, 31) == []
    assert rows(store, "kind") == ["mention", "note"]


def test_a_note_that_could_not_be_written_meanwhile_is_taken_back_for_the_next(store: Store, mention: Make) -> None:
    opened(store, mention())
    look(store, 7)
    assert look(store, 8, lambda _: None) == [("reminder", "target")]
    look(store, 12)
    assert look(store, 24) == [("breach", "ceiling")], "the target was passed over, the breach never written"
    assert states(store, kind="note") == ["ignored", "ignored", "ready"]
    assert one(store, at=NOON + 24 * HOUR).note.settings.tags == ("breach", "ceiling")
    sound(store)


def test_a_note_that_is_being_written_is_not_taken_back(store: Store, mention: Make) -> None:
    opened(store, mention())
    look(store, 7)
    under_way = one(store, at=NOON + 8 * HOUR)
    assert look(store, 8) == [("target",)]
    intend(store, under_way, op="comment", at=NOON + 8 * HOUR)
    assert look(store, 12) == [("target", "breach")]
    settle(store, under_way, receipt=receipt("n1"), at=NOON + 12 * HOUR)
    assert states(store, kind="note") == ["done", "ignored", "ready"]
    sound(store)


def test_in_a_busy_lane_the_note_waits_its_turn_and_can_still_be_taken_back(store: Store, mention: Make) -> None:
    opened(store, mention())
    arrive(store, mention())
    look(store, 7)
    assert states(store, kind="note") == ["blocked"]
    look(store, 8)
    assert states(store, kind="note") == ["ignored", "blocked"]
    written(store)
    written(store)
    assert states(store) == ["done", "done", "ignored", "done"]
    sound(store)


def test_two_replicas_that_look_at_once_take_each_step_once(store: Store, mention: Make) -> None:
    opened(store, mention())
    if store.is_sqlite:
        pytest.skip("one process at a time")
    with turn(store, NOON + 7 * HOUR) as first:
        mine = reconcile.passed(first, 10)
        with turn(store, NOON + 7 * HOUR) as second:
            assert reconcile.passed(second, 10) == [], "it is passed over, not waited for"
        for step in mine:
            reconcile.told(first, step, note(step))
    assert look(store, 7) == []
    assert states(store, kind="note") == ["ready"]


def test_a_crash_before_the_end_of_the_transaction_takes_nothing(store: Store, mention: Make) -> None:
    opened(store, mention())

    class Killed(Exception):
        pass

    with pytest.raises(Killed), turn(store, NOON + 7 * HOUR) as tx:
        for step in reconcile.passed(tx, 10):
            reconcile.told(tx, step, note(step))
        raise Killed
    assert states(store, kind="note") == []
    assert look(store, 7) == [("reminder",)]


def test_without_a_reminder_the_target_comes_first(store: Store, mention: Make) -> None:
    opened(store, mention(), Deadlines(at(8), at(12), at(24), "8h", "usual"))
    assert look(store, 7.5) == []
    assert look(store, 8) == [("target",)]


def test_what_needs_no_answer_is_not_watched(store: Store, mention: Make) -> None:
    opened(store, mention(), None)
    assert watch(store) is None
    assert look(store, 30) == []


@pytest.mark.parametrize("end", ["failed", "unsure", "ignored"])
def test_what_made_no_ticket_is_not_watched(store: Store, mention: Make, end: str) -> None:
    arrive(store, mention())
    settle(store, one(store), end, due=DUE, since=NOON)
    assert watch(store) is None


# --- the end ---


def test_an_answer_that_was_posted_ends_it_and_one_that_was_not_does_not(store: Store, mention: Make) -> None:
    opened(store, mention())
    answer(store, reply(1))
    settle(store, one(store, account="feed"), "held")
    assert look(store, 7) == [("reminder",)], "the answer that was held is none"
    answer(store, reply(2))
    settle(store, one(store, account="feed"), receipt=receipt("p2"), at=NOON + 13)
    assert (watch(store).why, watch(store).ended_at) == ("answered", NOON + 13)
    assert look(store, 30) == []


def test_a_note_that_waits_when_the_answer_is_posted_says_that_nobody_needs_it(store: Store, mention: Make) -> None:
    opened(store, mention())
    look(store, 7)
    assert one(store, at=NOON + 7 * HOUR).unneeded == ""
    answer(store, reply(1))
    settle(store, one(store, account="feed"), receipt=receipt("p1"))
    assert one(store, at=NOON + 7 * HOUR + LEASE + 1).unneeded == "answered"


def test_notes_about_anything_else_are_always_needed(store: Store, mention: Make) -> None:
    opened(store, mention(), notes=(CommentDraft(SEVEN, "<p>posted</p>"),))
    assert one(store).unneeded is None


def test_an_answer_on_its_way_has_ten_minutes_to_arrive(store: Store, mention: Make) -> None:
    opened(store, mention())
    answer(store, reply(1), at=NOON + 6.9 * HOUR)
    assert look(store, 7) == []
    assert look(store, 7.16) == []
    assert look(store, 7.17) == [("reminder",)]


def test_our_own_post_in_the_conversation_is_an_answer(store: Store, mention: Make) -> None:
    opened(store, mention(created_at=at(0)))
    older = mention(own=True, created_at=at(-1))
    arrive(store, older, ignored=OWN_POST)
    assert watch(store).ended_at is None, "what we said before is no answer"
    arrive(store, older, ignored=OWN_POST)
    arrive(store, mention(own=True, created_at=at(1)), ignored=OWN_POST)
    assert watch(store).why == "answered"


def test_our_own_post_that_was_there_before_the_ticket_is_an_answer_too(store: Store, mention: Make) -> None:
    arrive(store, mention())
    arrive(store, mention(own=True), ignored=OWN_POST)
    settle(store, one(store), receipt=receipt(), ticket=SEVEN, due=DUE, since=NOON)
    settle(store, one(store), reason=ANSWERED_THERE)
    assert watch(store).why == "answered"
    assert look(store, 30) == []


def test_who_took_their_message_back_waits_for_nothing(store: Store, mention: Make) -> None:
    opened(store, mention("a"))
    arrive(store, mention("a", version="deleted", deleted=True))
    settle(store, one(store))
    assert (watch(store).why, look(store, 30)) == ("deleted", [])


def test_what_was_said_since_still_waits_when_the_first_is_taken_back(store: Store, mention: Make) -> None:
    opened(store, mention("a"))
    later = Deadlines(at(28), at(32), at(44), "8h", "usual", reminder=at(27))
    appended(store, mention("b"), later, NOON + HOUR)
    arrive(store, mention("a", version="deleted", deleted=True), at=NOON + 2 * HOUR)
    settle(store, one(store, at=NOON + 2 * HOUR), at=NOON + 2 * HOUR)
    assert look(store, 26) == []
    assert look(store, 27) == [("reminder",)]


def test_what_is_said_after_the_answer_waits_anew(store: Store, mention: Make) -> None:
    opened(store, mention())
    look(store, 12)
    written(store, 12)
    answer(store, reply(1))
    settle(store, one(store, account="feed"), receipt=receipt("p1"))
    later = Deadlines(at(28), at(32), at(44), "8h", "usual", reminder=at(27))
    appended(store, mention(), later, NOON + 20 * HOUR)
    assert look(store, 26) == []
    assert look(store, 27) == [("reminder",)]
    sound(store)


def test_the_first_of_several_mentions_counts(store: Store, mention: Make) -> None:
    opened(store, mention())
    appended(store, mention(), Deadlines(at(13), at(17), at(29), "8h", "usual"), NOON + 5 * HOUR)
    assert look(store, 8) == [("reminder", "target")]


def test_an_answer_older_than_the_last_mention_leaves_that_one_waiting(store: Store, mention: Make) -> None:
    opened(store, mention())
    answer(store, reply(3600), at=NOON + HOUR)
    appended(store, mention(), Deadlines(at(10), at(14), at(26), "8h", "usual"), NOON + 2 * HOUR)
    settle(store, one(store, account="feed", at=NOON + 2 * HOUR), receipt=receipt("p1"), at=NOON + 2 * HOUR)
    assert look(store, 9) == []
    assert look(store, 10) == [("target",)]
    answer(store, reply(9 * 3600), at=NOON + 11 * HOUR)
    settle(store, one(store, account="feed", at=NOON + 11 * HOUR), receipt=receipt("p2"), at=NOON + 11 * HOUR)
    assert watch(store).why == "answered"


# --- what the ticket says ---


def heed(store: Store, status: str = "open", *tags: str, hours: float = 1, read: float | None = None) -> None:
    with turn(store, NOON + hours * HOUR) as tx:
        read_at = NOON + (hours if read is None else read) * HOUR
        watches.heed(tx, "desk", TicketState(SEVEN, status, tags), "do_not_reply", read_at)


@pytest.mark.parametrize("status", ["solved", "closed"])
def test_a_solved_ticket_ends_it(store: Store, mention: Make, status: str) -> None:
    opened(store, mention())
    heed(store, "pending")
    assert watch(store).ended_at is None
    heed(store, status)
    assert watch(store).why == "solved"
    heed(store, "open")
    assert look(store, 30) == [], "who opens it again has seen it"


def test_what_began_after_the_ticket_was_read_is_not_judged_by_that(store: Store, mention: Make) -> None:
    opened(store, mention(), when=NOON + 10)
    heed(store, "solved", read=0)
    assert watch(store).ended_at is None


def test_a_ticket_that_is_not_to_be_answered_is_not_watched_until_the_tag_is_off(store: Store, mention: Make) -> None:
    opened(store, mention())
    look(store, 7)
    written(store, 7)
    heed(store, "open", "do_not_reply", hours=7.5)
    assert watch(store).why == "do_not_reply"
    assert look(store, 13) == []
    heed(store, "open", hours=13)
    assert look(store, 13) == [("target", "breach")]


def test_another_ticket_says_nothing_of_this_one(store: Store, mention: Make) -> None:
    opened(store, mention())
    with turn(store, NOON + HOUR) as tx:
        watches.heed(tx, "desk", TicketState(TicketId("8"), "solved"), "do_not_reply", NOON + HOUR)
        watches.heed(tx, "other", TicketState(SEVEN, "solved"), "do_not_reply", NOON + HOUR)
    assert watch(store).ended_at is None


def test_it_is_counted_who_waits_and_who_waits_too_long(store: Store, mention: Make) -> None:
    for n, hours in enumerate((0, 5, 9)):
        due = Deadlines(*(at(hours) + timedelta(hours=h) for h in (8, 12, 24)), within="8h", rule="usual")
        arrive(store, mention(thread_id=f"t{n}"))
        settle(store, one(store), receipt=receipt(), ticket=TicketId(f"{n}"), due=due, since=NOON)
    assert [overview(store, hours) for hours in (1, 8, 13, 40)] == [(3, 0, 0), (3, 1, 0), (3, 2, 1), (3, 3, 3)]


def test_the_next_one_due_is_found_by_its_index(store: Store, mention: Make) -> None:
    opened(store, mention())
    if not store.is_sqlite:
        pytest.skip("PostgreSQL chooses by statistics")
    with store.read() as tx:
        plan = tx.exec_driver_sql(
            "EXPLAIN QUERY PLAN SELECT conversation FROM watches"
            " WHERE next_at <= 1 AND next_at IS NOT NULL ORDER BY next_at"
        ).all()
    assert any("watches_due" in str(row) for row in plan)
