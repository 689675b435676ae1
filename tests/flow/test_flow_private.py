"""A conversation moved to private: one line in public, one ticket, and nothing private in public afterwards."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from flow_builders import platform_options, said
from weather_builders import House

from connector.errors import Temporary, Uncertain
from connector.flow import notes
from connector.model import CommentId, Mention, Reply, TicketId, TicketState, utc
from connector.store import Store, privates, tickets
from connector.store.arrivals import accept_replies
from connector.triage import load

MAPPING = 'move_to_private: {line: {en: "Please write to us, {{ author.name }}."}, remind_after: 2h}\n'
TAG = "move_to_private"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store(f"sqlite:///{tmp_path / 'connector.db'}")
    opened.migrate()
    yield opened
    opened.close()


@pytest.fixture
def house(store: Store, tmp_path: Path) -> Callable[..., House]:
    def make(mapping: str = MAPPING) -> House:
        (tmp_path / "m.yaml").write_text(mapping, "utf-8")
        here = House(store, load(tmp_path))
        here.say(said(1, "help me", language="en"))
        return here

    return make


def number(here: House) -> TicketId:
    return next(n for n, one in here.desk.tickets.items() if one is here.tickets[0])


def tagged(here: House, *, there: bool = True) -> bool:
    """The ticket is seen with the tag, or without."""
    ticket = number(here)
    begun: bool = here.turn(lambda tx: privates.heed(tx, "desk", ticket, TAG, there=there))
    here.carry()
    return begun


def tags(here: House) -> tuple[set[str], set[str]]:
    """What was put onto the ticket, and what was taken off."""
    settings = [draft.settings for _, _, draft in here.tickets[0].comments]
    return {t for one in settings for t in one.tags}, {t for one in settings for t in one.untag}


def privately(count: int = 9, **facts: Any) -> Mention:
    return said(count, "my number is 12", **({"thread_id": "dm", "private": True, "kind": "dm"} | facts))


def answered(here: House, text: str, ident: str = "c1") -> None:
    """An agent writes in public on the ticket."""
    reply = Reply(number(here), CommentId(ident), True, True, f"<p>{text}</p>", utc(here.at) + timedelta(seconds=5))
    here.desk.replies[reply.id] = reply
    here.turn(lambda tx: accept_replies(tx, "desk", reply.ticket, [reply], None))
    here.carry()


def test_the_line_is_posted_in_public_once_and_the_ticket_waits(house: Callable[..., House]) -> None:
    here = house()

    assert (tagged(here), tagged(here)) == (True, False)
    (post,) = here.source.posts
    assert (post.draft.text, post.draft.private) == ("Please write to us, Anna.", False)
    put, taken = tags(here)
    assert {"awaiting_private", "reply_private"} <= put
    assert TAG in taken


def test_a_private_message_comes_onto_the_same_ticket(house: Callable[..., House]) -> None:
    here = house()
    tagged(here)
    here.say(privately())

    assert len(here.tickets) == 1
    texts = [draft.html for _, _, draft in here.tickets[0].comments]
    assert sum("my number is 12" in text for text in texts) == 1
    assert sum("has written privately" in text for text in texts) == 1
    assert "awaiting_private" in tags(here)[1]


def test_after_it_what_agents_write_goes_to_the_person_alone_whoever_talks_in_public(
    house: Callable[..., House],
) -> None:
    here = house()
    tagged(here)
    here.say(privately())
    here.say(said(10, "what about me?"))  # the public thread goes on
    answered(here, "Your order 12 is on its way")

    post = here.source.posts[-1]
    assert post.draft.private
    assert post.draft.mention.external_id == "m9"
    assert [p.draft.text for p in here.source.posts if not p.draft.private] == ["Please write to us, Anna."]


def test_what_an_agent_wrote_in_that_very_second_goes_to_the_person_too(house: Callable[..., House]) -> None:
    here = house()
    tagged(here)
    here.say(privately())
    early = Reply(number(here), CommentId("c2"), True, True, "<p>Order 12</p>", utc(here.at) - timedelta(seconds=1))
    here.desk.replies[early.id] = early
    here.turn(lambda tx: accept_replies(tx, "desk", early.ticket, [early], None))
    here.carry()

    assert (here.source.posts[-1].draft.private, here.source.posts[-1].draft.mention.external_id) == (True, "m9")


def test_who_has_written_before_the_line_could_be_posted_is_not_asked(house: Callable[..., House]) -> None:
    here = house()
    here.source.faults.order("reply_limits", Temporary("away"))
    assert tagged(here)
    here.say(privately())
    here.at += 600
    here.carry()

    assert here.source.posts == []
    assert "awaiting_private" not in tags(here)[0]
    assert any("The person has written privately meanwhile" in d.html for _, _, d in here.tickets[0].comments)


def test_asked_twice_before_it_could_be_posted_the_line_is_posted_once(house: Callable[..., House]) -> None:
    here = house()
    here.source.faults.order("reply_limits", Temporary("away"))
    assert tagged(here)
    tagged(here, there=False)
    assert tagged(here)
    here.at += 600
    here.carry()

    assert len(here.source.posts) == 1
    assert here.memory.breaches == []


def test_somebody_elses_private_message_and_one_nobody_waits_for_get_their_own_ticket(
    house: Callable[..., House],
) -> None:
    here = house()
    here.say(privately(8, thread_id="before"))
    tagged(here)
    here.say(privately(9, author=replace(said(1).author, id="u2")))

    assert len(here.tickets) == 3


def test_the_tag_counts_again_when_it_was_gone(house: Callable[..., House]) -> None:
    here = house()
    tagged(here)
    tagged(here, there=False)
    assert tagged(here)
    assert len(here.source.posts) == 2


def test_a_tag_that_stays_asks_nothing_again_when_the_person_has_written(house: Callable[..., House]) -> None:
    here = house()
    tagged(here)
    here.say(privately())

    assert not tagged(here)
    assert len(here.source.posts) == 1


def test_the_line_is_looked_up_before_it_is_posted_again(house: Callable[..., House]) -> None:
    here = house()
    here.source.faults.order("send", Uncertain("the connection broke"), after=True)
    tagged(here)
    here.at += 600
    here.carry()

    assert len(here.source.posts) == 1
    assert here.memory.breaches == []


def test_a_line_the_guard_would_not_let_an_agent_say_is_held(house: Callable[..., House]) -> None:
    here = house('move_to_private: {line: "Send us your phone number"}\n')
    tagged(here)

    assert here.source.posts == []
    assert any("Reply held" in draft.html for _, _, draft in here.tickets[0].comments)


def reminded(here: House, seconds: float) -> int:
    here.at += seconds
    patience = here.wiring.policy.private.remind_after * 60.0
    count: int = here.turn(lambda tx: privates.remind(tx, patience, notes.reminder_note))
    here.carry()
    return count


def test_a_ticket_that_waits_is_reminded_once(house: Callable[..., House], store: Store) -> None:
    here = house()
    tagged(here)

    assert [reminded(here, seconds) for seconds in (7000, 300, 9000)] == [0, 1, 0]
    assert "No private message after 2 hours" in here.tickets[0].comments[-1][2].html


@pytest.mark.parametrize("how", ["written", "solved"])
def test_it_is_not_reminded_when_the_person_wrote_or_it_is_solved(house: Callable[..., House], how: str) -> None:
    here = house()
    tagged(here)
    if how == "written":
        here.say(privately())
    else:
        here.turn(lambda tx: tickets.note_state(tx, "desk", TicketState(number(here), "solved")))

    assert reminded(here, 9000) == 0


def test_where_nothing_was_said_in_public_there_is_nothing_to_move(store: Store, tmp_path: Path) -> None:
    (tmp_path / "m.yaml").write_text(MAPPING, "utf-8")
    here = House(store, load(tmp_path))
    here.say(privately())

    assert not tagged(here)
    assert here.source.posts == []
    assert any("nothing to move" in draft.html for _, _, draft in here.tickets[0].comments)


def test_without_a_section_the_usual_line_is_said_in_the_persons_language(house: Callable[..., House]) -> None:
    policy = house("remember_days: 30\n").wiring.policy

    assert policy.private_line(said(1, "Помогите", language="ru")).startswith("Напишите нам")
    assert policy.private_line(said(1, "help", language="en")).startswith("Please write to us")
    assert platform_options().answerable
