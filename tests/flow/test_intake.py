"""Which conversation a mention belongs to, and what is settled before any rule is asked."""

from __future__ import annotations

import pytest
from flow_builders import said
from hypothesis import given
from hypothesis import strategies as st

from connector.flow.intake import arrivals, conversation_name
from connector.model import Author
from connector.sources.base import SourceOptions

ANNA, BEN = Author("u1"), Author("u2")


def options(grouping: str = "thread") -> SourceOptions:
    """A source whose tickets go to `desk`."""
    return SourceOptions(type="memory", helpdesk="desk", conversation=grouping)


@pytest.mark.parametrize(("grouping", "tickets"), [("thread", 2), ("thread_and_author", 3)])
def test_a_ticket_holds_a_thread_or_one_author_in_it(grouping: str, tickets: int) -> None:
    heard = [
        said(1, thread_id="a", author=ANNA),
        said(2, thread_id="a", author=ANNA),
        said(3, thread_id="a", author=BEN),
        said(4, thread_id="b", author=ANNA),
    ]
    names = [arrival.conversation for arrival in arrivals(heard, options(grouping))]
    assert names[0] == names[1]
    assert len(set(names)) == tickets


def test_what_belongs_to_no_thread_is_its_own() -> None:
    names = [arrival.conversation for arrival in arrivals([said(1, thread_id=""), said(2, thread_id="")], options())]
    assert names == ["m1", "m2"]


def test_an_answer_to_a_first_post_finds_its_conversation() -> None:
    first, answer = said(1, external_id="p1", thread_id=""), said(2, thread_id="p1")
    assert conversation_name(first, "thread") == conversation_name(answer, "thread")


PLAIN = st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=8)


@given(one=st.tuples(PLAIN, PLAIN), other=st.tuples(PLAIN, PLAIN))
def test_two_conversations_never_share_a_name(one: tuple[str, str], other: tuple[str, str]) -> None:
    def name(thread: str, author: str) -> str:
        return conversation_name(said(thread_id=thread, author=Author(author)), "thread_and_author")

    assert (name(*one) == name(*other)) == (one == other)


def test_our_own_posts_go_no_further_and_others_do() -> None:
    ours, theirs = arrivals([said(1, own=True), said(2)], options())
    assert (ours.ignored, theirs.ignored) == ("our own post", "")


def test_nothing_is_left_out_reordered_or_changed() -> None:
    heard = [said(n, own=n % 2 == 0) for n in range(1, 6)]
    found = arrivals(heard, options())
    assert [arrival.mention for arrival in found] == heard
    assert {arrival.helpdesk for arrival in found} == {"desk"}
    assert not any(arrival.held for arrival in found)
