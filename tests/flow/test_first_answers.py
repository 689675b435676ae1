"""When a first answer is due goes with the ticket into the store; the notes about it say what an agent needs to know,
and are not written any more when there is nobody who waits."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from flow_builders import NOON, Killed, Stage, desk_options, follower, mention_claim, note_claim, said

from connector.errors import Closed, Rejected, Temporary, Unsupported
from connector.flow.notes import deadline_note
from connector.model import Deadlines, DueStep, Settings, TicketId
from connector.store.reconcile import Passed
from connector.triage import Policy, load

MAPPING = """
timezone: Europe/Moscow
calendars: {office: {hours: {mon-fri: 9-21}}}
deadlines:
  first_reply:
    - {name: nobody waits, when: {text: thanks}, none: true}
    - {name: usual, calendar: office}
  remind_before: 1h
  escalate:
    breach: {tags: [late], group: Leads, note: "Take it & <b>answer</b>"}
"""


@cache
def policy() -> Policy:
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "mapping.yaml").write_text(MAPPING, "utf-8")
        return load(Path(folder))


def stage(claim: Any, **facts: Any) -> Stage:
    """One delivery under that mapping."""
    made = Stage(claim, **facts)
    made.wiring = replace(made.wiring, policy=policy())
    return made


BORN = NOON.timestamp() + 60


def test_a_ticket_that_is_opened_brings_its_deadlines(tmp_path: Path) -> None:
    outcome = stage(mention_claim(born=BORN)).carry()
    due = policy().decide(said()).deadlines

    assert (outcome.end, outcome.due) == ("done", due)
    assert outcome.since == said().created_at.timestamp()


def test_a_comment_brings_those_of_the_first_that_expects_an_answer() -> None:
    claim = mention_claim(
        said(2, "thanks"), ticket="7", born=BORN, followers=(follower(3, "why?"), follower(4, "so?"))
    )
    outcome = stage(claim).carry()

    assert outcome.joined == (3, 4)
    assert outcome.due == policy().decide(said(3, "why?")).deadlines
    assert outcome.since == said(3).created_at.timestamp()


def test_where_nobody_expects_an_answer_nothing_is_due() -> None:
    assert stage(mention_claim(said(1, "thanks"), born=BORN)).carry().due is None
    assert stage(mention_claim(said(1, "thanks"), ticket="7", born=BORN)).carry().due is None


def test_what_reached_us_after_its_last_deadline_is_not_watched() -> None:
    late = NOON + timedelta(days=30)
    assert stage(mention_claim(born=late.timestamp())).carry().due is None


def test_a_clock_ahead_of_ours_does_not_make_a_mention_younger_than_its_arrival() -> None:
    assert stage(mention_claim(born=NOON.timestamp() - 60)).carry().since == NOON.timestamp() - 60


def test_a_ticket_opened_by_a_turn_that_was_killed_is_due_all_the_same() -> None:
    made = stage(mention_claim(born=BORN))
    made.desk.faults.order("send", Killed(), after=True)
    made.carry_and_die()
    assert made.carry(200).due is not None


# --- notes ---

DUE = Deadlines(
    *(datetime(2026, 3, 4, hour, tzinfo=UTC) for hour in (12, 16, 20)),
    within="8h",
    rule="usual",
    calendar="office",
    reminder=datetime(2026, 3, 4, 11, tzinfo=UTC),
)


def passed(*missed: DueStep) -> Passed:
    since = datetime(2026, 3, 4, 4, tzinfo=UTC).timestamp()
    return Passed(1, 1, "desk", "feed", TicketId("7"), since, DUE, missed, 0, 4)


def test_a_reminder_says_until_when_an_answer_is_wanted_and_what_ends_the_matter() -> None:
    note = deadline_note(passed("reminder"), policy(), "do_not_reply")

    assert note is not None
    assert (note.ticket, note.public, note.settings) == ("7", False, Settings())
    assert "First answer due by Wed 04 Mar 2026, 15:00 Europe/Moscow" in note.html
    assert "said on Wed 04 Mar 2026, 07:00 Europe/Moscow" in note.html
    assert "within 8h (deadline «usual», counted in the hours of office)" in note.html
    assert "or the tag do_not_reply" in note.html


def test_an_escalation_sets_what_the_mapping_says_and_its_words_are_only_words() -> None:
    note = deadline_note(passed("breach"), policy(), "")

    assert note is not None
    assert note.settings == Settings(group="Leads", tags=("late",))
    assert "First answer is late since Wed 04 Mar 2026, 19:00" in note.html
    assert "Take it &amp; &lt;b&gt;answer&lt;/b&gt;" in note.html
    assert "the tag" not in note.html


def test_a_step_nothing_is_said_about_makes_no_note() -> None:
    assert deadline_note(passed("target"), policy(), "") is None
    assert deadline_note(passed("reminder", "target"), policy(), "") is None


def test_of_all_that_was_missed_the_last_that_says_something_speaks() -> None:
    note = deadline_note(passed("reminder", "target", "breach", "ceiling"), policy(), "")

    assert note is not None
    assert "First answer is late since" in note.html
    assert "due by" not in note.html


# --- writing them ---


def due_note(why: str = "") -> Stage:
    return Stage(replace(note_claim("<p>late</p>"), unneeded=why))


def test_a_note_that_is_still_needed_is_written() -> None:
    made = due_note()
    assert made.carry().end == "done"
    assert len(made.comments()) == 1


@pytest.mark.parametrize("why", ["answered", "solved", "do_not_reply"])
def test_a_note_nobody_needs_any_more_is_not_written(why: str) -> None:
    made = due_note(why)
    outcome = made.carry()
    assert (outcome.end, outcome.reason) == ("ignored", f"not needed any more: {why}")
    assert made.sent == []


def test_the_ticket_itself_has_the_last_word() -> None:
    for state, tags, end in (
        ("pending", (), "ignored"),
        ("solved", (), "ignored"),
        ("closed", (), "ignored"),
        ("open", ("do_not_reply",), "ignored"),
        ("open", ("other",), "done"),
    ):
        made = due_note()
        made.desk.tickets[TicketId("7")].state = state
        made.desk.tickets[TicketId("7")].tags = tags
        if state == "pending":
            made.desk.faults.order("send", Closed("the ticket is closed"))
        assert made.carry().end == end, (state, tags)


def test_a_tag_that_was_switched_off_says_nothing() -> None:
    made = Stage(
        replace(note_claim(), unneeded=""),
        desk=desk_options(commands={"do_not_reply": ""}),
    )
    made.desk.tickets[TicketId("7")].tags = ("do_not_reply",)
    assert made.carry().end == "done"


@pytest.mark.parametrize("error", [Unsupported("cannot tell"), Rejected("not allowed")])
def test_a_helpdesk_that_cannot_tell_is_written_to(error: Exception) -> None:
    made = due_note()
    made.desk.faults.order("read_tickets", error)
    assert made.carry().end == "done"


def test_a_helpdesk_that_is_away_is_asked_again() -> None:
    made = due_note()
    made.desk.faults.order("read_tickets", Temporary("away"))
    assert (made.carry().end, made.sent) == (None, [])
    assert made.carry(10).end == "done"


def test_a_note_that_may_have_been_written_is_looked_up_even_when_nobody_needs_it_now() -> None:
    made = due_note()
    made.desk.faults.order("send", Killed(), after=True)
    made.carry_and_die()
    made.claim = replace(made.claim, unneeded="answered")
    assert made.carry(200).end == "done"
    assert len(made.comments()) == 1
