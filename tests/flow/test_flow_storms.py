"""A storm from the first complaint to its summary: what tickets get, what people are told, and nobody is lost."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from flow_builders import NOON as DAY
from flow_builders import said
from weather_builders import House

from connector.errors import Rejected, Temporary, Uncertain
from connector.model import Author, CommentId, Mention, Reply, Tone
from connector.store import Store, journal, silences
from connector.store.arrivals import accept_replies
from connector.triage import load

FEEDBACK = """
feedback:
  complaint: {tone: [negative, very_negative], owner: a}
templates: {answers: {complaint: sorry}}
"""
STORM = (
    FEEDBACK
    + """
storm:
  authors: 3
  keep_apart: {author.handle: vip}
  set: {group: Crisis}
"""
)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """On SQLite; the databases are told apart in the tests of the store."""
    opened = Store(f"sqlite:///{tmp_path / 'connector.db'}")
    opened.migrate()
    yield opened
    opened.close()


@pytest.fixture
def house(store: Store, tmp_path: Path) -> Callable[..., House]:
    def make(section: str = STORM, **facts: Any) -> House:
        folder = tmp_path / "mapping"
        folder.mkdir(exist_ok=True)
        (folder / "m.yaml").write_text(section, "utf-8")
        return House(store, load(folder), **facts)

    return make


def angry(number: int, **facts: Any) -> Mention:
    """Somebody else is unhappy, in a thread of their own."""
    who = Author(f"u{number}", f"Person {number}", facts.pop("handle", f"p{number}"))
    given = {"author": who, "thread_id": f"t{number}", "tone": Tone("negative", -0.5, 0.9), "created_at": DAY}
    return said(number, f"complaint {number}", **(given | facts))


def test_one_problem_ticket_and_everybodys_ticket_linked_to_it(house: Callable[..., House]) -> None:
    here = house()
    here.say(*(angry(n) for n in range(1, 6)))
    here.tend()

    (problem,) = here.called("Storm: complaint")
    assert problem.draft is not None
    number = next(n for n, one in here.desk.tickets.items() if one is problem)
    settings = problem.draft.settings
    assert (settings.type, settings.priority, settings.group, settings.tags) == (
        "problem",
        "urgent",
        "Crisis",
        ("storm",),
    )
    own = [one for one in here.tickets if one is not problem]
    assert len(own) == 5
    for ticket in own:
        assert ticket.draft is not None
        given = [ticket.draft.settings, *(comment.settings for _, _, comment in ticket.comments)]
        assert [one.problem for one in given if one.problem] == [number]
        assert any(one.type == "incident" and "storm" in one.tags for one in given)


def test_nothing_anybody_wrote_stands_in_the_public_comment_of_our_own_tickets(house: Callable[..., House]) -> None:
    here = house(STORM + "  tickets_per_hour: 3\n")
    here.say(*(angry(n) for n in range(1, 30)))
    here.tend()

    for ticket in (*here.called("Storm"), *here.called("Digest")):
        assert ticket.draft is not None
        assert "complaint " not in ticket.draft.html
        assert not any(comment.public for _, _, comment in ticket.comments)


def test_a_later_ticket_is_linked_as_it_is_opened(house: Callable[..., House]) -> None:
    here = house()
    here.say(*(angry(n) for n in range(1, 4)))
    here.tend()
    here.say(angry(9))

    late = here.tickets[-1]
    assert late.draft is not None
    assert (late.draft.settings.type, "storm" in late.draft.settings.tags) == ("incident", True)
    assert late.draft.settings.problem
    assert here.tend() == []
    assert len(late.comments) == 1  # its card and nothing else


def test_a_link_the_helpdesk_refuses_does_not_keep_anybody_from_being_heard(house: Callable[..., House]) -> None:
    here = house()
    here.say(*(angry(n) for n in range(1, 4)))
    here.tend()
    here.desk.faults.order("send", Rejected("that ticket is no problem"))
    here.say(angry(9))

    late = here.tickets[-1]
    assert late.draft is not None
    assert "complaint 9" in late.draft.html
    assert late.draft.settings.problem is None


def test_a_helpdesk_without_problems_gets_a_tag_and_a_note(house: Callable[..., House]) -> None:
    here = house(problems=False)
    here.say(*(angry(n) for n in range(1, 5)))
    here.tend()

    (problem,) = here.called("Storm")
    assert problem.draft is not None
    assert problem.draft.settings.type is None
    for ticket in here.tickets:
        if ticket is not problem and ticket.draft is not None:
            settings = [ticket.draft.settings, *(comment.settings for _, _, comment in ticket.comments)]
            assert not any(one.problem or one.type for one in settings)
            assert any("storm" in one.tags for one in settings)
            assert any("Part of a storm" in comment.html for _, _, comment in ticket.comments)


def test_who_is_kept_apart_and_what_is_private_is_not_drawn_in(house: Callable[..., House]) -> None:
    here = house(STORM + "  tickets_per_hour: 3\n")
    here.say(*(angry(n) for n in range(1, 5)))
    here.say(angry(7, handle="vip"), angry(8, private=True))
    here.tend()

    for text in ("complaint 7", "complaint 8"):
        (ticket,) = [one for one in here.tickets if one.draft and text in one.draft.html]
        assert ticket.draft is not None
        settings = [ticket.draft.settings, *(comment.settings for _, _, comment in ticket.comments)]
        assert not any(one.problem or "storm" in one.tags for one in settings)


def test_it_ends_by_itself_with_a_summary_on_the_problem_ticket(house: Callable[..., House]) -> None:
    here = house()
    here.say(*(angry(n) for n in range(1, 5)))
    here.tend()
    assert here.tend(3000) == []
    (ended,) = here.tend(700)

    assert ended.topic == "complaint"
    (problem,) = here.called("Storm")
    last = problem.comments[-1][2]
    assert "The storm is over" in last.html
    assert "4 messages of 4 people" in last.html
    assert here.tend() == []


def test_beyond_the_cap_everybody_stands_in_a_digest_and_the_ledger_is_even(
    house: Callable[..., House], store: Store
) -> None:
    capped = house(FEEDBACK + "storm: {authors: 500, tickets_per_hour: 4}\n")
    capped.say(*(angry(n) for n in range(1, 51)))
    with store.read() as tx:
        assert journal.balance(tx).held == 46
    capped.tend()

    (digest,) = capped.called("Digest: hour")
    assert len(capped.tickets) == 5
    written = capped.written()
    assert all(f"complaint {n}\n" in f"{written}\n" for n in range(1, 51))
    assert len(digest.comments) == 3  # twenty to a note
    with store.read() as tx:
        ledger = journal.balance(tx)
    assert (ledger.ticketed, ledger.appended, ledger.held, ledger.even) == (4, 46, 0, True)


def test_a_digest_goes_on_in_a_new_ticket_when_its_own_was_closed(house: Callable[..., House]) -> None:
    here = house(FEEDBACK + "storm: {authors: 2, tickets_per_hour: 1}\n")
    here.say(angry(1))
    here.say(angry(1, external_id="a", thread_id="a"))  # the same person: no storm
    here.tend()
    (first,) = here.called("Digest")
    first.state = "closed"
    here.say(angry(1, external_id="b", thread_id="b", title="once more"))
    here.tend()

    second = here.called("Digest")[-1]
    assert second is not first
    assert second.draft is not None
    assert second.draft.follow_up_of is not None
    assert "once more" in second.comments[0][2].html


def test_what_is_silenced_is_kept_and_told_when_it_is_over(house: Callable[..., House], store: Store) -> None:
    here = house(FEEDBACK)
    here.turn(lambda tx: silences.silence(tx, topic="complaint", source="", seconds=7200, why="we know"))
    here.say(angry(1), said(2, "nice", thread_id="nice", author=Author("u2", "Bob", "bob")))
    here.tend()

    assert [one.draft.subject for one in here.tickets if one.draft] == ["Memory · Bob (@bob): nice"]
    with store.read() as tx:
        assert journal.balance(tx).held == 1
    here.tend(7200)
    (digest,) = here.called("Digest: silence")
    assert "complaint 1" in digest.comments[0][2].html
    assert "we know" in digest.comments[0][2].html
    with store.read() as tx:
        assert journal.balance(tx).held == 0


def test_who_writes_in_a_busy_thread_is_counted_too(house: Callable[..., House]) -> None:
    here = house()
    here.say(angry(1, thread_id="one"))
    here.say(*(angry(n, thread_id="one") for n in range(2, 6)))
    here.tend()

    assert len(here.called("Storm")) == 1
    thread = here.tickets[0]
    assert sum(comment.settings.problem is not None for _, _, comment in thread.comments) == 1


def test_the_problem_ticket_is_opened_once_though_the_answer_was_lost(house: Callable[..., House]) -> None:
    here = house()
    here.say(angry(1), angry(2))
    here.desk.faults.order("send", Uncertain("the connection broke"), after=True, skip=2)
    here.say(angry(3))
    assert any(outcome.in_doubt for outcome in here.outcomes)
    here.at += 600
    here.carry()
    here.tend()

    assert len(here.called("Storm")) == 1
    assert here.bugs == []
    assert here.memory.breaches == []


def test_a_note_that_is_refused_comes_with_the_next_try_and_no_second_ticket(
    house: Callable[..., House], store: Store
) -> None:
    here = house()
    here.say(angry(1), angry(2))
    here.desk.faults.order("send", Temporary("away"), skip=3)
    here.say(angry(3))
    here.at += 600
    here.carry()

    (problem,) = here.called("Storm")
    assert ["A storm: complaint" in draft.html for _, _, draft in problem.comments] == [True]


def test_a_public_comment_on_the_problem_ticket_reaches_nobody_and_the_agent_is_told(
    house: Callable[..., House],
) -> None:
    here = house()
    here.say(*(angry(n) for n in range(1, 4)))
    (problem,) = here.called("Storm")
    number = next(n for n, one in here.desk.tickets.items() if one is problem)
    said_by_agent = Reply(number, CommentId("c1"), True, True, "<p>We are on it</p>", DAY)
    here.desk.replies[said_by_agent.id] = said_by_agent
    here.turn(lambda tx: accept_replies(tx, "desk", number, [said_by_agent], None))
    here.carry()

    assert here.source.posts == []
    assert "Reply NOT delivered" in problem.comments[-1][2].html
