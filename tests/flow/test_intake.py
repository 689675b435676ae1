"""Which conversation a mention belongs to, and what is settled before any rule is asked."""

from __future__ import annotations

from dataclasses import replace

import pytest
from flow_builders import said
from hypothesis import given
from hypothesis import strategies as st

from connector.errors import AuthFailed, ConnectorError, RateLimited, Temporary
from connector.flow.intake import arrivals, conversation_name, located
from connector.model import Author, Tone
from connector.sources.base import SourceOptions
from connector.testing.memory import MemoryOptions, MemorySource

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


def test_what_we_wrote_to_one_person_belongs_to_that_person() -> None:
    theirs, ours = said(1, thread_id="a", author=ANNA), said(2, thread_id="a", author=BEN, own=True, to="u1")
    assert conversation_name(ours, "thread_and_author") == conversation_name(theirs, "thread_and_author")
    assert conversation_name(replace(ours, own=False), "thread_and_author").endswith("u2")


def test_our_own_posts_go_no_further_and_others_do() -> None:
    ours, theirs = arrivals([said(1, own=True), said(2)], options())
    assert (ours.ignored, theirs.ignored) == ("our own post", "")


def test_nothing_is_left_out_reordered_or_changed() -> None:
    heard = [said(n, own=n % 2 == 0) for n in range(1, 6)]
    found = arrivals(heard, options())
    assert [arrival.mention for arrival in found] == heard
    assert {arrival.helpdesk for arrival in found} == {"desk"}
    assert not any(arrival.held for arrival in found)


# --- what others found -----------------------------------------------------------------------------------------


def tool(**more: object) -> MemorySource:
    return MemorySource("tool", MemoryOptions.model_validate({"answerable": False, "platform": "web", **more}))


def home(**more: object) -> MemorySource:
    return MemorySource("home", MemoryOptions.model_validate({"platform": "memory", **more}))


def test_what_a_tool_found_arrives_as_the_account_that_can_answer_it() -> None:
    there, finder = home(conversation="thread_and_author"), tool()
    post = there.say("angry", author="ben", thread="root")
    negative = Tone("negative", -0.5, 1.0, by="source")
    finding = replace(said(9), source="tool", platform="web", url=post.url, tone=negative)
    [arrival] = located([finding], finder, {"home": there, "tool": finder})
    [native] = arrivals([post], there.options)
    assert (arrival.mention.source, arrival.mention.external_id) == ("home", post.external_id)
    assert (arrival.conversation, arrival.helpdesk, arrival.found_by) == (native.conversation, "desk", "tool")
    assert arrival.mention.tone == negative


def test_our_own_post_that_a_tool_found_becomes_no_ticket() -> None:
    there, finder = home(), tool()
    post = there.say("we say", own=True)
    [arrival] = located([replace(said(9), url=post.url)], finder, {"home": there})
    assert arrival.ignored == "our own post"


@pytest.mark.parametrize(
    "case", ["elsewhere", "no address", "another desk", "cannot answer", "answers itself", "deleted"]
)
def test_what_nobody_of_ours_can_answer_stays_the_tools(case: str) -> None:
    there = home(helpdesk="other" if case == "another desk" else "desk", answerable=case != "cannot answer")
    finder = tool(answerable=case == "answers itself")
    url = there.say("hello").url
    url = {"elsewhere": "https://forum.example/7", "no address": ""}.get(case, url)
    finding = replace(said(9), source="tool", url=url, deleted=case == "deleted")
    [arrival] = located([finding], finder, {"home": there, "tool": finder})
    assert (arrival.mention.source, arrival.mention.external_id, arrival.found_by) == ("tool", "m9", "")


@pytest.mark.parametrize("trouble", [Temporary("away"), RateLimited(wait=5)])
def test_an_account_that_cannot_be_asked_now_is_waited_for_or_not(trouble: ConnectorError) -> None:
    there, finder = home(), tool()
    finding = replace(said(9), source="tool", url=there.say("hello").url)
    there.fail("locate", trouble, times=2)
    with pytest.raises(type(trouble)):
        located([finding], finder, {"home": there}, patient=True)
    [arrival] = located([finding], finder, {"home": there})
    assert arrival.mention.source == "tool"


def test_an_account_that_refuses_us_holds_nothing_up() -> None:
    there, finder = home(), tool()
    finding = replace(said(9), source="tool", url=there.say("hello").url)
    there.fail("locate", AuthFailed("no"))
    [arrival] = located([finding], finder, {"home": there}, patient=True)
    assert arrival.mention.source == "tool"
