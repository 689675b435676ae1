"""An automatic answer from its mention to the thread: once, through the guard, and not if anything is against it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from flow_builders import NOON as DAY
from flow_builders import said
from weather_builders import House

from connector.errors import Temporary, Uncertain
from connector.model import Author, CommentId, Mention, Reply, TicketId, Tone
from connector.store import Store, journal, tickets
from connector.store.arrivals import accept_replies
from connector.triage import load

MAPPING = """
feedback:
  complaint: {tone: [negative, very_negative], owner: a}
  thanks: {words: [thank you], owner: a}
templates: {answers: {complaint: sorry, thanks: "You are welcome, {{ author.name }}!"}}
automatic: {kinds: [thanks], dry_run: false, per_hour: 3}
storm: {authors: 2}
"""


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store(f"sqlite:///{tmp_path / 'connector.db'}")
    opened.migrate()
    yield opened
    opened.close()


@pytest.fixture
def house(store: Store, tmp_path: Path) -> Callable[..., House]:
    def make(mapping: str = MAPPING) -> House:
        folder = tmp_path / "mapping"
        folder.mkdir(exist_ok=True)
        (folder / "m.yaml").write_text(mapping, "utf-8")
        return House(store, load(folder))

    return make


def grateful(number: int = 1, **facts: Any) -> Mention:
    given = {"author": Author(f"u{number}", f"Person {number}"), "thread_id": f"t{number}", "created_at": DAY}
    return said(number, "thank you", **(given | {"tone": Tone("positive", 0.8, 0.95)} | facts))


def notes(house: House, ticket: int = 0) -> list[str]:
    return [draft.html for _, _, draft in house.tickets[ticket].comments]


def test_it_is_posted_once_and_the_ticket_tells_its_words(house: Callable[..., House], store: Store) -> None:
    here = house()
    here.say(grateful())
    here.carry()

    assert here.source.texts == ["You are welcome, Person 1!"]
    assert here.source.posts[0].draft.mention.external_id == "m1"
    assert sum("Automatic answer posted" in note and "You are welcome" in note for note in notes(here)) == 1
    assert "answered_automatically" in here.tickets[0].comments[-1][2].settings.tags
    with store.read() as tx:
        assert journal.replies_by_state(tx) == {"done": 1}


def test_in_a_dry_run_a_note_says_what_would_have_been_sent(house: Callable[..., House]) -> None:
    here = house(MAPPING.replace(", dry_run: false", ""))
    here.say(grateful())

    assert here.source.posts == []
    assert "Would have been answered automatically" in notes(here)[-1]
    assert "You are welcome, Person 1!" in notes(here)[-1]


@pytest.mark.parametrize(
    "facts", [{"tone": Tone("negative", -0.8, 0.99)}, {"private": True}, {"tone": Tone("positive", 0.1, 0.6)}]
)
def test_some_are_left_to_a_person(house: Callable[..., House], facts: dict[str, Any]) -> None:
    here = house()
    here.say(grateful(**facts))

    assert here.source.posts == []
    assert not any("utomatic" in note for note in notes(here))


def test_it_is_looked_up_before_it_is_posted_again(house: Callable[..., House]) -> None:
    here = house()
    here.source.faults.order("send", Uncertain("the connection broke"), after=True)
    here.say(grateful())
    here.at += 600
    here.carry()

    assert len(here.source.posts) == 1
    assert here.memory.breaches == []


def test_what_the_guard_finds_is_held_and_told(house: Callable[..., House]) -> None:
    here = house(MAPPING.replace("You are welcome", "Call +7 495 123-45-67") + "guard: {region: RU}\n")
    here.say(grateful())

    assert here.source.posts == []
    assert "Automatic answer: held" in notes(here)[-1]
    assert "release_reply" in notes(here)[-1]


def test_there_are_so_many_in_an_hour_and_one_a_day_for_a_person(house: Callable[..., House]) -> None:
    here = house()
    here.say(*(grateful(n) for n in range(1, 6)))
    assert len(here.source.posts) == 3
    here.at += 3700
    here.say(grateful(7, author=Author("u1", "Person 1")), grateful(8))

    assert here.source.texts[3:] == ["You are welcome, Person 8!"]


def waiting(here: House) -> None:
    """One that could not be posted yet."""
    here.source.faults.order("reply_limits", Temporary("away"))
    here.say(grateful())
    assert here.source.posts == []


def test_a_storm_pauses_them_also_those_on_their_way(house: Callable[..., House]) -> None:
    here = house()
    waiting(here)
    upset = {"tone": Tone("negative", -0.5, 0.9)}
    here.say(*(said(n, "awful", author=Author(f"x{n}"), thread_id=f"x{n}", **upset) for n in (21, 22)))
    here.at += 600
    here.carry()
    here.say(grateful(9))

    assert here.source.posts == []
    assert "paused: a storm is on" in notes(here)[-1]
    assert not any("utomatic answer" in note for note in notes(here, -1))


def test_an_agents_answer_takes_its_place(house: Callable[..., House]) -> None:
    here = house()
    waiting(here)
    ticket = next(number for number, one in here.desk.tickets.items() if one is here.tickets[0])
    theirs = Reply(ticket, CommentId("c1"), True, True, "<p>My pleasure</p>", DAY)
    here.desk.replies[theirs.id] = theirs
    here.turn(lambda tx: accept_replies(tx, "desk", TicketId(ticket), [theirs], None))
    here.at += 600
    here.carry()

    assert here.source.texts == ["My pleasure"]
    assert any("an agent has answered" in note for note in notes(here))


@pytest.mark.parametrize("more", [{"external_id": "m2"}, {"version": "2"}], ids=["wrote again", "edited"])
def test_whoever_has_written_more_is_left_to_a_person(house: Callable[..., House], more: dict[str, Any]) -> None:
    here = house()
    waiting(here)
    here.say(grateful(**more))
    here.at += 600
    here.carry()

    assert here.source.posts == []
    assert any("something was written, changed or deleted since" in note for note in notes(here))


@pytest.mark.parametrize("tag", ["do_not_reply", "mute_author"])
def test_a_tag_keeps_it(house: Callable[..., House], tag: str) -> None:
    here = house()
    waiting(here)
    here.tickets[0].tags = (tag,)
    here.at += 600
    here.carry()

    assert here.source.posts == []
    assert any(f"tagged {tag}" in note for note in notes(here))


def test_a_mapping_that_does_not_want_it_any_more_is_heard(house: Callable[..., House]) -> None:
    here = house()
    waiting(here)
    other = house(MAPPING.replace("dry_run: false", "dry_run: true"))
    here.wiring = replace(here.wiring, policy=other.wiring.policy)
    here.at += 600
    here.carry()

    assert here.source.posts == []
    assert any("switched off" in note for note in notes(here))


def test_a_ticket_found_again_under_another_mapping_gets_no_empty_answer(house: Callable[..., House]) -> None:
    here = house()
    here.desk.faults.order("send", Uncertain("the connection broke"), after=True)
    here.say(grateful())
    other = house(MAPPING.replace("confidence: 0.5", "").replace("words: [thank you]", "words: [cheers]"))
    here.wiring = replace(here.wiring, policy=other.wiring.policy)
    here.at += 600
    here.carry()

    assert (len(here.tickets), here.source.posts) == (1, [])
    assert not any("utomatic" in note for note in notes(here))


def test_releasing_what_an_agent_wrote_does_not_release_the_automatic_answer(house: Callable[..., House]) -> None:
    here = house(MAPPING.replace("You are welcome", "Call +7 495 123-45-67") + "guard: {region: RU}\n")
    here.say(grateful())
    ticket = next(number for number, one in here.desk.tickets.items() if one is here.tickets[0])
    theirs = Reply(ticket, CommentId("c1"), True, True, "<p>Call +7 495 765-43-21</p>", DAY)
    here.desk.replies[theirs.id] = theirs
    here.turn(lambda tx: accept_replies(tx, "desk", ticket, [theirs], None))
    here.carry()
    assert here.turn(lambda tx: tickets.release(tx, "desk", ticket, "release_reply")) == 1
    here.carry()
    assert here.source.texts == ["Call +7 495 765-43-21"]

    assert here.turn(lambda tx: tickets.release(tx, "desk", ticket, "release_reply")) == 1  # said once more
    here.carry()
    assert len(here.source.posts) == 2


def told_of_recall(here: House) -> int:
    """The ticket is looked at, with nothing on it that an agent wrote."""
    ticket = next(number for number, one in here.desk.tickets.items() if one is here.tickets[0])
    found: int = here.turn(lambda tx: tickets.recall(tx, "desk", ticket, [], lambda _: "still there"))
    return found


def test_the_ticket_is_not_told_that_it_was_taken_back(house: Callable[..., House]) -> None:
    here = house()
    here.say(grateful())
    assert len(here.source.posts) == 1
    assert told_of_recall(here) == 0


def test_our_own_answer_on_the_platform_takes_its_place(house: Callable[..., House]) -> None:
    here = house()
    waiting(here)
    us = Author("us", "The Brand")
    here.say(said(2, "Thanks, Ann!", author=us, own=True, thread_id="t1"))
    here.at += 600
    here.carry()

    assert here.source.posts == []
    assert any("something was written, changed or deleted since" in note for note in notes(here))


def test_a_troll_by_list_is_left_to_a_person(house: Callable[..., House], store: Store) -> None:
    here = house(MAPPING + "people: {troll: {author.handle: trolly}}\n")
    here.say(grateful(author=Author("u1", "Trolly", "trolly")))
    assert here.source.posts == []
    assert here.bugs == []
