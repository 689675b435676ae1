"""A mention becomes a ticket, a comment or a note, or the record says why not."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from flow_builders import Killed, Stage, answered, follower, mention_claim, note_claim, said

from connector.errors import AuthFailed, Closed, Gone, RateLimited, Rejected, Temporary, Uncertain, Unsupported
from connector.model import HIDDEN, Attachment, Author, Decision, ReplyOutlook, TicketId, decode
from connector.store.tables import ANSWERED_THERE

SEVEN = TicketId("7")


# --- a ticket ---


def test_a_first_mention_opens_a_ticket_as_its_author_and_puts_the_card_on_it() -> None:
    stage = Stage(mention_claim(said(text="A refund, please")))
    outcome = stage.carry()
    ((number, draft),) = stage.opened()
    assert (outcome.end, outcome.ticket, outcome.external_id) == ("done", number, "feed:m1")
    assert (draft.external_id, draft.author.external_id, draft.author.name) == ("feed:m1", "memory:u1", "Anna")
    assert draft.settings.tags == ("refund",)
    assert "A refund, please" in draft.html
    (card,) = stage.comments(number)
    assert (card.public, card.author) == (False, None)
    assert "Anna" in card.html
    first, second = stage.memory.intents
    assert decode(Decision, first.trace or "").rules == ("refund",)
    assert (second.trace, outcome.trace) == (None, None), "the decision is stored once"


def test_what_costs_a_call_to_know_stands_on_the_card() -> None:
    stage = Stage(mention_claim())
    outcome = stage.carry()
    (card,) = stage.comments(outcome.ticket or "")
    assert "100 followers" in card.html
    assert stage.source.calls == ["enrich"]


def test_the_link_and_the_receipt_are_durable_before_the_card_is_sent() -> None:
    stage = Stage(mention_claim())
    stage.carry()
    first, second = stage.memory.intents
    assert (first.n, first.ticket, first.external_id, first.receipt) == (0, None, "feed:m1", None)
    assert (second.n, second.ticket) == (1, stage.opened()[0][0])
    assert second.receipt is not None
    assert second.receipt.ticket == second.ticket


def test_attachments_go_along() -> None:
    photo = Attachment("https://memory.example/p.jpg")
    stage = Stage(mention_claim(said(attachments=(photo,))))
    stage.carry()
    assert stage.opened()[0][1].attachments == (photo,)


def test_a_crash_between_ticket_and_card_leaves_one_ticket_with_one_card() -> None:
    stage = Stage(mention_claim())
    stage.desk.faults.order("prepare", Killed(), skip=1)
    stage.carry_and_die()
    outcome = stage.carry(10)
    ((number, _),) = stage.opened()
    assert (outcome.end, outcome.ticket) == ("done", number)
    assert len(stage.comments(number)) == 1


def test_a_card_that_has_to_wait_is_added_later_with_all_it_would_have_said() -> None:
    stage = Stage(mention_claim(said(text="A refund, please")))
    stage.desk.faults.order("prepare", Temporary("busy"), skip=1)
    first = stage.carry()
    assert (first.end, first.in_doubt, first.ticket, first.part) == (None, False, stage.opened()[0][0], 0)
    assert first.receipt is not None, "the ticket is not forgotten"
    assert stage.carry(10).end == "done"
    assert len(stage.opened()) == 1
    (card,) = stage.comments(stage.opened()[0][0])
    assert "100 followers" in card.html
    assert "refund" in card.html


@pytest.mark.parametrize("error", [Rejected("too big"), Closed("no more"), Gone("gone"), Unsupported("cannot")])
def test_a_card_that_is_refused_does_not_make_the_ticket_a_failure(error: Exception) -> None:
    stage = Stage(mention_claim())
    stage.desk.faults.order("send", error, skip=1)
    outcome = stage.carry()
    assert outcome.end == "done"
    assert "without its card" in outcome.reason
    assert outcome.ticket == stage.opened()[0][0]


def test_a_helpdesk_that_does_not_say_which_ticket_it_opened_is_not_believed() -> None:
    stage = Stage(mention_claim())
    send = stage.desk.send
    stage.desk.send = lambda request, key: replace(send(request, key), ticket=None)
    outcome = stage.carry()
    assert (outcome.end, outcome.ticket) == ("failed", None)
    assert "did not say" in outcome.reason


# --- a comment on it ---


def test_a_later_mention_is_added_as_its_author_and_reopens() -> None:
    stage = Stage(mention_claim(said(2, "And a refund"), ticket="7"))
    outcome = stage.carry()
    assert outcome.end == "done"
    assert stage.opened() == []
    (comment,) = stage.comments()
    assert (comment.public, comment.author and comment.author.external_id) == (True, "memory:u1")
    assert (comment.settings.tags, comment.settings.status) == (("refund",), "open")
    assert comment.settings.priority is None, "an agent's priority is not overwritten"


def test_what_waits_behind_it_rides_along_in_one_comment() -> None:
    photo = Attachment("https://memory.example/p.jpg")
    behind = (follower(12, "second voice", attachments=(photo,)), follower(13, "third wants a refund"))
    stage = Stage(mention_claim(said(2, "first voice"), ticket="7", followers=behind))
    outcome = stage.carry()
    (comment,) = stage.comments()
    order = [comment.html.index(text) for text in ("first voice", "second voice", "third wants a refund")]
    assert order == sorted(order)
    assert comment.html.count("Anna") == 3, "each under its author"
    assert (comment.settings.tags, comment.attachments) == (("refund",), (photo,))
    assert outcome.joined == stage.memory.intents[0].joined == (12, 13)


def test_what_a_rule_ignores_does_not_ride_along_nor_what_waits_behind_it() -> None:
    behind = (follower(12, "second voice"), follower(13, "we are hiring"), follower(14, "fourth voice"))
    stage = Stage(mention_claim(said(2), ticket="7", followers=behind))
    assert stage.carry().joined == (12,)
    assert "hiring" not in stage.comments()[0].html
    assert "fourth" not in stage.comments()[0].html


def test_who_rides_along_stays_with_the_frozen_request() -> None:
    stage = Stage(mention_claim(said(2), ticket="7", followers=(follower(12), follower(13))), repeatable=True)
    stage.desk.faults.order("send", Uncertain())
    assert stage.carry().joined == (12, 13)
    outcome = stage.carry(10)
    assert (outcome.end, len(stage.comments())) == ("done", 1)
    assert "message 13" in stage.comments()[0].html
    first, second = stage.memory.intents
    assert (second.resent, second.request) == (True, first.request)


# --- closed, merged, deleted ---


def test_a_closed_ticket_is_followed_up() -> None:
    stage = Stage(mention_claim(said(2), ticket="7", followers=(follower(12),)))
    stage.desk.tickets[SEVEN].state = "closed"
    outcome = stage.carry()
    ((number, draft),) = stage.opened()
    assert (outcome.end, outcome.ticket, draft.follow_up_of) == ("done", number, SEVEN)
    assert len(stage.comments(number)) == 1
    assert outcome.joined == (), "who waits behind it is added to the new ticket, one by one or together"


def test_messages_in_one_comment_tell_their_times_where_we_are() -> None:
    stage = Stage(mention_claim(said(2), ticket="7", followers=(follower(12),)))
    stage.wiring = replace(stage.wiring, policy=replace(stage.wiring.policy, zone=ZoneInfo("Europe/Moscow")))
    stage.carry()
    assert stage.comments("7")[0].html.count("15:00 Europe/Moscow") == 2


def test_a_merged_ticket_is_left_for_its_survivor() -> None:
    stage = Stage(mention_claim(said(2), ticket="7", followers=(follower(12),)))
    _add(stage, "8")
    stage.desk.tickets[SEVEN].state, stage.desk.tickets[SEVEN].merged_into = "closed", TicketId("8")
    outcome = stage.carry()
    assert (outcome.end, outcome.ticket, outcome.joined) == ("done", "8", (12,))
    assert len(stage.comments("8")) == 1
    assert stage.opened() == []


@pytest.mark.parametrize(("fate", "follows"), [("closed", "9"), ("deleted", None)])
def test_a_survivor_that_is_closed_or_deleted_itself_is_no_dead_end(fate: str, follows: str | None) -> None:
    stage = Stage(mention_claim(said(2), ticket="7"))
    for number, state, into in (("8", "closed", "9"), ("9", fate, None)):
        _add(stage, number, state, into)
    stage.desk.tickets[SEVEN].state, stage.desk.tickets[SEVEN].merged_into = "closed", TicketId("8")
    outcome = stage.carry()
    ((number, draft),) = stage.opened()
    assert (outcome.end, outcome.ticket, draft.follow_up_of) == ("done", number, follows)


def test_tickets_merged_in_a_circle_do_not_keep_us_running() -> None:
    stage = Stage(mention_claim(said(2), ticket="7"))
    _add(stage, "8", "closed", "7")
    stage.desk.tickets[SEVEN].state, stage.desk.tickets[SEVEN].merged_into = "closed", TicketId("8")
    assert stage.carry().end == "done"
    assert len(stage.opened()) == 1


def _add(stage: Stage, number: str, state: str = "open", into: str | None = None) -> None:
    ticket = replace(stage.desk.tickets[SEVEN], comments=[], state=state)
    ticket.merged_into = None if into is None else TicketId(into)
    stage.desk.tickets[TicketId(number)] = ticket


def test_a_deleted_ticket_gives_way_to_a_new_one() -> None:
    stage = Stage(mention_claim(said(2), ticket="7"))
    stage.desk.tickets[SEVEN].state = "deleted"
    outcome = stage.carry()
    ((number, draft),) = stage.opened()
    assert (outcome.end, outcome.ticket, draft.follow_up_of) == ("done", number, None)


@pytest.mark.parametrize(("state", "follows"), [("closed", SEVEN), ("deleted", None)])
def test_the_new_ticket_is_the_same_one_after_a_try_that_failed(state: str, follows: TicketId | None) -> None:
    stage = Stage(mention_claim(said(2), ticket="7"))
    stage.desk.tickets[SEVEN].state = state
    stage.desk.faults.order("send", Temporary("busy"), skip=1)
    assert stage.carry().end is None
    assert stage.carry(10).end == "done"
    assert [draft.follow_up_of for _, draft in stage.opened()] == [follows]


@pytest.mark.parametrize("state", ["closed", "deleted"])
def test_the_new_ticket_is_found_when_its_answer_was_lost(state: str) -> None:
    stage = Stage(mention_claim(said(2), ticket="7"))
    stage.desk.tickets[SEVEN].state = state
    stage.desk.faults.order("send", Killed(), after=True)
    stage.carry_and_die()
    outcome = stage.carry(10)
    ((number, _),) = stage.opened()
    assert (outcome.end, outcome.ticket) == ("done", number)


# --- edits and deletions ---


def test_an_edit_is_noted_with_what_stood_there_before() -> None:
    edited = said(1, "Now it is <b>worse</b>", version="2")
    stage = Stage(mention_claim(edited, ticket="7", earlier=said(1, "It was bad")))
    assert stage.carry().end == "done"
    (note,) = stage.comments()
    assert (note.public, note.author, note.settings.status) == (False, None, None)
    assert "edited" in note.html
    assert note.html.index("It was bad") < note.html.index("&lt;b&gt;worse")


@pytest.mark.parametrize("facts", [{"deleted": True}, {"text": "Better so"}])
def test_a_change_of_our_own_post_is_not_told_as_the_persons(facts: dict[str, object]) -> None:
    earlier = said(1, "We say", own=True)
    stage = Stage(mention_claim(said(1, version="2", **facts), ticket="7", earlier=earlier))
    assert (stage.carry().end, stage.comments()) == ("ignored", [])


def test_a_message_that_was_hidden_is_noted_and_called_neither_edited_nor_deleted() -> None:
    hidden = said(1, "", version=HIDDEN)
    stage = Stage(mention_claim(hidden, ticket="7", earlier=said(1)))
    assert stage.carry().end == "done"
    (note,) = stage.comments("7")
    assert "was hidden there" in note.html
    assert "edited" not in note.html
    unknown = Stage(mention_claim(hidden))
    assert unknown.carry().end == "ignored"
    assert unknown.opened() == []


def test_a_deletion_is_noted_and_what_was_said_is_kept() -> None:
    gone = said(1, "", version="deleted", deleted=True)
    stage = Stage(mention_claim(gone, ticket="7", earlier=said(1, "I take it back")))
    assert stage.carry().end == "done"
    (note,) = stage.comments()
    assert not note.public
    assert "deleted" in note.html
    assert "I take it back" in note.html
    assert "enrich" not in stage.source.calls, "nothing is left to ask for"


@pytest.mark.parametrize(
    ("facts", "word"), [({"version": "2"}, "edited"), ({"version": "d", "deleted": True, "text": ""}, "deleted")]
)
def test_an_edit_without_a_ticket_has_nowhere_to_be_noted(facts: dict[str, object], word: str) -> None:
    stage = Stage(mention_claim(said(1, **facts), earlier=said(1)))
    outcome = stage.carry()
    assert (outcome.end, outcome.reason) == ("ignored", f"{word}, and there is no ticket to note it on")
    assert stage.sent == []


def test_an_edit_of_what_we_never_heard_is_heard_as_new() -> None:
    stage = Stage(mention_claim(said(1, "in its second version", version="2")))
    assert stage.carry().end == "done"
    assert len(stage.opened()) == 1


@pytest.mark.parametrize("state", ["closed", "deleted"])
def test_a_note_that_comes_too_late_opens_no_ticket(state: str) -> None:
    for claim in (note_claim(), mention_claim(said(1, version="2"), ticket="7", earlier=said(1))):
        stage = Stage(claim)
        stage.desk.tickets[SEVEN].state = state
        outcome = stage.carry()
        assert outcome.end == "ignored"
        assert "too late" in outcome.reason
        assert stage.opened() == []


def test_a_note_follows_its_ticket_into_the_one_it_was_merged_into() -> None:
    stage = Stage(note_claim("<p>posted</p>"))
    _add(stage, "8", "closed", "9")
    _add(stage, "9")
    stage.desk.tickets[SEVEN].state, stage.desk.tickets[SEVEN].merged_into = "closed", TicketId("8")
    assert stage.carry().end == "done"
    assert [one.html for one in stage.comments("9")] == ["<p>posted</p>"]


def test_notes_on_tickets_merged_in_a_circle_end() -> None:
    stage = Stage(note_claim())
    _add(stage, "8", "closed", "7")
    stage.desk.tickets[SEVEN].state, stage.desk.tickets[SEVEN].merged_into = "closed", TicketId("8")
    assert stage.carry().end == "ignored"


def test_a_note_is_private() -> None:
    stage = Stage(note_claim("<p>posted</p>"))
    assert stage.carry().end == "done"
    (note,) = stage.comments()
    assert (note.html, note.public, note.author) == ("<p>posted</p>", False, None)


# --- rules and shadow ---


@pytest.mark.parametrize("ticket", [None, "7"])
def test_a_rule_may_ignore_and_its_decision_stays_on_record(ticket: str | None) -> None:
    stage = Stage(mention_claim(said(text="We are hiring"), ticket=ticket))
    outcome = stage.carry()
    assert (outcome.end, outcome.reason) == ("ignored", "advert")
    assert decode(Decision, outcome.trace or "").ignored == "advert"
    assert stage.sent == []


def test_a_rule_that_ignores_does_not_leave_half_a_ticket() -> None:
    stage = Stage(mention_claim(said(text="We are hiring")))
    before = stage.wiring
    quiet = replace(before.policy, rules=())
    stage.wiring = replace(before, policy=quiet)
    stage.desk.faults.order("send", Killed(), after=True)
    stage.carry_and_die()
    stage.wiring = before
    assert stage.carry(10).end == "done"
    assert len(stage.comments(stage.opened()[0][0])) == 1


def test_a_rule_mended_while_it_waits_counts() -> None:
    stage = Stage(mention_claim(said(text="We are hiring")))
    mended = stage.wiring
    stage.wiring = replace(mended, policy=replace(mended.policy, rules=()))
    stage.desk.faults.order("send", Temporary())
    assert stage.carry().end is None
    stage.wiring = mended
    assert stage.carry(10).end == "ignored"
    assert stage.opened() == []


SHADOWED = {
    "a first mention": mention_claim(),
    "a later mention": mention_claim(said(2), ticket="7"),
    "an edit": mention_claim(said(1, version="2"), ticket="7", earlier=said(1)),
    "a note": note_claim(),
}


@pytest.mark.parametrize("what", SHADOWED)
def test_a_shadow_decides_and_writes_nothing(what: str) -> None:
    stage = Stage(SHADOWED[what], shadow=True)
    outcome = stage.carry()
    assert outcome.end == "held"
    assert outcome.reason.startswith("shadow")
    assert outcome.notes == ()
    assert stage.memory.intents == []
    if what == "a first mention":
        assert decode(Decision, outcome.trace or "").settings.priority == "normal"


def test_a_shadow_does_not_send_what_was_refused_before_it_fell() -> None:
    stage = Stage(mention_claim())
    stage.desk.faults.order("send", Temporary())
    stage.carry()
    stage.wiring = replace(stage.wiring, shadow=True)
    assert stage.carry(10).end == "held"
    assert stage.opened() == []


def test_a_shadow_finishes_what_has_begun() -> None:
    stage = Stage(mention_claim())
    stage.desk.faults.order("send", Killed(), after=True)
    stage.carry_and_die()
    stage.wiring = replace(stage.wiring, shadow=True)
    assert stage.carry(10).end == "done"
    assert len(stage.comments(stage.opened()[0][0])) == 1


# --- enriching ---


def test_when_more_cannot_be_known_the_ticket_does_without_at_the_fourth_time() -> None:
    stage = Stage(mention_claim())
    stage.source.faults.order("enrich", Temporary("the profile cannot be read"), times=9)
    for attempt in range(3):
        outcome = stage.carry(attempt)
        assert (outcome.end, outcome.reason, outcome.counted) == (None, "the profile cannot be read", True)
    assert stage.carry(9).end == "done"
    ((number, _),) = stage.opened()
    assert "followers" not in stage.comments(number)[0].html


@pytest.mark.parametrize("error", [Gone(), AuthFailed(), Rejected(), RateLimited(wait=60)])
def test_a_ticket_does_not_wait_for_what_will_not_be_known(error: Exception) -> None:
    stage = Stage(mention_claim())
    stage.source.faults.order("enrich", error)
    outcome = stage.carry()
    assert (outcome.end, outcome.stop, outcome.pause) == ("done", "", 0)


def test_a_half_way_ticket_does_not_wait_for_a_profile() -> None:
    stage = Stage(mention_claim())
    stage.desk.faults.order("send", Killed(), after=True)
    stage.carry_and_die()
    stage.source.faults.order("enrich", Temporary())
    assert stage.carry(10).end == "done"


def test_a_mention_of_a_source_that_is_gone_is_a_ticket_all_the_same() -> None:
    stage = Stage(mention_claim())
    stage.wiring = replace(stage.wiring, sources={})
    assert stage.carry().end == "done"


# --- our own post in somebody's conversation ---


OURS = said(9, "We have called you back, Anna.", own=True, author=Author("us", "Acme"))


def test_what_we_answered_on_the_platform_itself_is_told_on_the_ticket() -> None:
    stage = Stage(mention_claim(OURS, ticket="7", replies=(answered("<p>Something else</p>"),)))
    outcome = stage.carry()
    assert (outcome.end, outcome.reason) == ("done", ANSWERED_THERE)
    (note,) = stage.comments("7")
    assert (note.public, note.author, note.settings.tags) == (False, None, ("answered_on_platform",))
    assert "Answered in public on the platform itself, as Acme" in note.html
    assert "We have called you back, Anna." in note.html
    assert "https://memory.example/m9" in note.html


@pytest.mark.parametrize(
    "facts",
    [
        {"posted": frozenset({"m9"})},
        {"replies": (answered("<p>We have called you  back,<br>Anna.</p>"),)},
        {"replies": (answered("<p>Sorry for that. We have called you back, Anna. Good night!</p>"),)},
    ],
    ids=["its id", "its words", "a piece of its words"],
)
@pytest.mark.parametrize("text", [OURS.text, f"{OURS.text} (2/3)"])
def test_what_an_agents_reply_became_is_not_told_again(facts: dict[str, Any], text: str) -> None:
    stage = Stage(mention_claim(replace(OURS, text=text), ticket="7", **facts))
    outcome = stage.carry()
    assert (outcome.end, outcome.reason) == ("ignored", "our own post")
    assert stage.comments("7") == []


def test_a_name_that_the_platform_puts_before_our_words_does_not_hide_them() -> None:
    stage = Stage(mention_claim(replace(OURS, text=f"@anna {OURS.text}"), ticket="7", replies=(answered(OURS.text),)))
    assert stage.carry().end == "ignored"


def test_a_few_words_are_not_taken_for_a_piece_of_a_reply() -> None:
    stage = Stage(mention_claim(replace(OURS, text="Anna."), ticket="7", replies=(answered(OURS.text),)))
    assert stage.carry().reason == ANSWERED_THERE


def test_while_a_reply_is_on_its_way_it_waits_to_see_whether_it_is_that() -> None:
    stage = Stage(mention_claim(OURS, ticket="7", posting=True))
    outcome = stage.carry()
    assert (outcome.end, outcome.counted) == (None, False)
    assert outcome.wait > 0
    stage.claim = replace(stage.claim, posting=False, posted=frozenset({"m9"}))
    assert stage.carry(15).end == "ignored"


def test_where_no_ticket_came_to_be_there_is_nothing_to_tell_it_on() -> None:
    assert Stage(mention_claim(OURS)).carry().end == "ignored"


def test_in_shadow_it_is_not_told() -> None:
    assert Stage(mention_claim(OURS, ticket="7"), shadow=True).carry().end == "held"


# --- what the source knows about answering it ---


def test_what_cannot_be_answered_says_why_and_has_a_tag_for_views(monkeypatch: pytest.MonkeyPatch) -> None:
    stage = Stage(mention_claim())
    why = "the author did not mention us"
    monkeypatch.setattr(type(stage.source), "outlook", lambda *_: ReplyOutlook(possible=False, why=why))
    outcome = stage.carry()
    (card,) = stage.comments(outcome.ticket or "")
    assert "cannot be answered from here" in card.html
    assert why in card.html
    assert "reply_by_hand" in stage.opened()[0][1].settings.tags


def test_the_last_moment_for_an_answer_stands_on_the_card(monkeypatch: pytest.MonkeyPatch) -> None:
    stage = Stage(mention_claim())
    closes = datetime(2026, 3, 5, 12, tzinfo=UTC)
    monkeypatch.setattr(type(stage.source), "outlook", lambda *_: ReplyOutlook(why="short", closes_at=closes))
    outcome = stage.carry()
    (card,) = stage.comments(outcome.ticket or "")
    assert "The platform takes an answer until <strong>Thu 05 Mar 2026, 12:00 UTC</strong>" in card.html
    assert "(short)" in card.html
    assert "reply_by_hand" not in stage.opened()[0][1].settings.tags
