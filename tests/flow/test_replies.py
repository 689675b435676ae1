"""An agent's answer leaves once, as it was meant, or its ticket says why not and what to do."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from flow_builders import (
    NOON,
    PATIENCE,
    Killed,
    Stage,
    answered,
    desk_options,
    platform_options,
    reply_claim,
    said,
    told,
)

from connector.errors import AuthFailed, BadAnswer, Closed, Gone, RateLimited, Rejected, Temporary, Uncertain
from connector.flow.deliver import waiting
from connector.model import Attachment, TicketId

LONG = "<p>First part of the answer.</p><p>Second part of the answer.</p><p>Third part.</p>"
PIECES = ["First part of the answer. (1/3)", "Second part of the answer. (2/3)", "Third part. (3/3)"]


def long_stage(**facts: Any) -> Stage:
    """A reply that takes three posts."""
    return Stage(reply_claim(answered(LONG)), source=platform_options(max_length=33, max_parts=3), **facts)


def remedied(html: str) -> bool:
    """Whether the note says what the agent can do."""
    return any(word in html for word in ("Answer again", "Look at the thread"))


# --- posted ---


def test_an_answer_is_posted_as_text_under_the_message_it_answers() -> None:
    stage = Stage(reply_claim(answered("<p>Sorry &amp; thanks,<br>see <a href='https://x.example/a'>here</a></p>")))
    outcome = stage.carry()
    assert outcome.end == "done"
    (post,) = stage.source.posts
    assert post.draft.text == "Sorry & thanks,\nsee here (https://x.example/a)"
    assert (post.draft.mention.external_id, post.draft.private, post.draft.parts) == ("m1", False, 1)


def test_the_ticket_is_told_where_the_answer_stands() -> None:
    outcome = Stage(reply_claim()).carry()
    (note,) = outcome.notes
    assert "Reply posted" in note.html
    assert "https://memory.example/r1" in note.html
    assert (note.ticket, note.public, note.author, note.settings.status) == (TicketId("7"), False, None, None)
    assert (note.settings.tags, "reply_failed" in note.settings.untag) == (("reply_sent",), True)


def test_the_state_stands_in_a_field_where_one_is_named() -> None:
    outcome = Stage(reply_claim(), desk=desk_options(reply_field="Reply")).carry()
    assert dict(outcome.notes[0].settings.fields) == {"Reply": "sent"}
    assert outcome.notes[0].settings.tags == ()


def test_it_answers_the_last_message_that_was_there_when_the_agent_wrote() -> None:
    late = said(3, created_at=NOON + timedelta(hours=2))
    ours = said(4, own=True)
    edited = said(1, version="2")
    stage = Stage(reply_claim(answered(), said(1), said(2), ours, edited, late))
    stage.carry()
    assert stage.source.posts[0].draft.mention.external_id == "m2"


def test_an_answer_to_a_message_that_was_deleted_does_not_reach_another_one() -> None:
    stage = Stage(reply_claim(answered(), said(1), said(2), said(2, deleted=True, version="deleted", text="")))
    outcome = stage.carry()
    assert (outcome.end, outcome.reason, stage.source.posts) == ("failed", "the message this answers was deleted", [])


@pytest.mark.parametrize(("fits", "posts"), [(12, [("Here it is.", 1)]), (5, [("Here it is.", 0), ("", 1)])])
def test_files_go_after_the_words_where_a_post_with_files_takes_fewer(
    fits: int, posts: list[tuple[str, int]]
) -> None:
    stage = Stage(reply_claim(answered("<p>Here it is.</p>", attachments=(Attachment("https://x.example/a.pdf"),))))
    stage.source.max_with_files = fits
    assert stage.carry().end == "done"
    assert [(post.draft.text, len(post.draft.attachments)) for post in stage.source.posts] == posts
    assert stage.source.posts[-1].draft.parts == len(posts)


def test_words_in_several_posts_come_before_the_files_that_do_not_fit_beside_them() -> None:
    reply = answered(LONG, attachments=(Attachment("https://x.example/a.pdf"),))
    stage = Stage(reply_claim(reply), source=platform_options(max_length=33, max_parts=3))
    stage.source.max_with_files = 10
    assert stage.carry().end == "done"
    sent = [(post.draft.text, len(post.draft.attachments)) for post in stage.source.posts]
    assert sent == [*((piece, 0) for piece in PIECES), ("", 1)]


def test_a_message_that_was_edited_before_we_first_saw_it_is_answered_too() -> None:
    stage = Stage(reply_claim(answered(), said(1, version="2")))
    assert stage.carry().end == "done"
    assert stage.source.posts[0].draft.mention.external_id == "m1"


def test_clocks_that_disagree_do_not_leave_it_without_a_message_to_answer() -> None:
    stage = Stage(reply_claim(answered(created_at=NOON - timedelta(hours=1)), said(1)))
    assert stage.carry().end == "done"


def test_what_was_said_to_us_alone_is_answered_to_them_alone() -> None:
    for facts in ({"private": True}, {"kind": "dm"}):
        stage = Stage(reply_claim(answered(), said(1, **facts)))
        assert stage.carry().end == "done"
        assert stage.source.posts[0].draft.private


@pytest.mark.parametrize("facts", [{"private": True}, {"kind": "dm"}])
def test_what_was_said_to_us_alone_is_never_answered_in_public(facts: dict[str, Any]) -> None:
    stage = Stage(reply_claim(answered(), said(1, **facts)))
    stage.source.capabilities = replace(stage.source.capabilities, private_reply=False)
    outcome = stage.carry()
    assert (outcome.end, stage.source.texts, stage.memory.intents) == ("failed", [], [])
    assert "privately" in told(outcome)
    assert remedied(told(outcome))


def test_files_go_along_or_are_named_by_their_links() -> None:
    photo = Attachment("https://desk.example/p.jpg", name="p.jpg")
    stage = Stage(reply_claim(answered(attachments=(photo,))))
    stage.carry()
    assert stage.source.posts[0].draft.attachments == (photo,)
    stage = Stage(reply_claim(answered(attachments=(photo,))))
    stage.source.capabilities = replace(stage.source.capabilities, attachments_out=False)
    stage.carry()
    assert stage.source.texts == ["Thank you.\n\np.jpg: https://desk.example/p.jpg"]
    assert stage.source.posts[0].draft.attachments == ()


def test_files_alone_are_an_answer() -> None:
    stage = Stage(reply_claim(answered("<p> </p>", attachments=(Attachment("https://desk.example/p.jpg"),))))
    assert stage.carry().end == "done"


# --- in parts ---


def test_a_long_answer_goes_in_parts_each_under_the_one_before() -> None:
    photo = Attachment("https://desk.example/p.jpg")
    stage = long_stage()
    stage.change_comment(attachments=(photo,))
    outcome = stage.carry()
    assert stage.source.texts == PIECES
    drafts = [post.draft for post in stage.source.posts]
    assert [draft.previous and draft.previous.id for draft in drafts] == [None, "r1", "r2"]
    assert [draft.part for draft in drafts] == [0, 1, 2]
    assert [draft.attachments for draft in drafts] == [(photo,), (), ()]
    assert len({post.key for post in stage.source.posts}) == 3
    assert all(f"https://memory.example/r{n}" in told(outcome) for n in (1, 2, 3))


@pytest.mark.parametrize("happened", [False, True])
@pytest.mark.parametrize("before", [0, 1, 2])
def test_a_crash_at_any_part_goes_on_there_with_the_same_pieces(before: int, happened: bool) -> None:
    stage = long_stage()
    stage.source.faults.order("send", Killed(), skip=before, after=happened)
    stage.carry_and_die()
    stage.change_comment(html="<p>Something quite different, and short.</p>")
    assert stage.carry(PATIENCE.in_doubt_wait).end == "done"
    assert stage.source.texts == PIECES
    assert [post.draft.previous and post.draft.previous.id for post in stage.source.posts] == [None, "r1", "r2"]


def test_the_note_names_every_part_also_those_of_the_turn_before() -> None:
    stage = long_stage()
    stage.source.faults.order("send", Killed(), skip=1, after=True)
    stage.carry_and_die()
    html = told(stage.carry(PATIENCE.in_doubt_wait))
    assert all(f"https://memory.example/r{n}" in html for n in (1, 2, 3))


def test_a_part_refused_after_others_were_posted_is_told_with_what_stands_there() -> None:
    stage = long_stage()
    stage.source.faults.order("send", Rejected("you may not post here any more"), skip=2)
    outcome = stage.carry()
    assert outcome.end == "failed"
    html = told(outcome)
    assert "you may not post here any more" in html
    assert "public already" in html
    assert "https://memory.example/r2" in html
    assert "Nothing of it was posted" not in html


def test_the_receipt_of_a_part_is_kept_when_the_next_has_to_wait() -> None:
    stage = long_stage()
    stage.source.faults.order("prepare", Temporary("busy"), skip=1)
    outcome = stage.carry()
    assert (outcome.end, outcome.part, outcome.receipt and outcome.receipt.id) == (None, 0, "r1")
    assert stage.carry(10).end == "done"
    assert stage.source.texts == PIECES


# --- thought better of ---


CHANGES: dict[str, dict[str, Any]] = {"made private": {"public": False}, "deleted": {}}


@pytest.mark.parametrize("change", CHANGES)
def test_a_comment_withdrawn_before_it_left_does_not_leave(change: str) -> None:
    stage = Stage(reply_claim())
    stage.change_comment(**CHANGES[change])
    outcome = stage.carry()
    assert (outcome.end, outcome.reason) == ("ignored", "deleted or made private before it left")
    assert (outcome.notes, stage.source.texts, stage.memory.intents) == ((), [], [])


@pytest.mark.parametrize("change", CHANGES)
def test_a_comment_withdrawn_while_it_waited_does_not_leave(change: str) -> None:
    stage = Stage(reply_claim())
    stage.source.faults.order("send", Temporary("busy"))
    stage.carry()
    stage.change_comment(**CHANGES[change])
    assert stage.carry(10).end == "ignored"
    assert stage.source.texts == []


@pytest.mark.parametrize("change", CHANGES)
def test_a_comment_withdrawn_between_two_parts_goes_no_further_and_the_ticket_says_so(change: str) -> None:
    stage = long_stage()
    stage.source.faults.order("send", Temporary("busy"), skip=1)
    stage.carry()
    stage.change_comment(**CHANGES[change])
    outcome = stage.carry(10)
    assert outcome.end == "failed"
    assert stage.source.texts == PIECES[:1]
    assert "after a part of it was posted" in told(outcome)
    assert "https://memory.example/r1" in told(outcome)


@pytest.mark.parametrize("change", CHANGES)
def test_a_comment_withdrawn_while_in_doubt_is_not_sent_again(change: str) -> None:
    stage = Stage(reply_claim())
    stage.source.faults.order("send", Uncertain())
    stage.carry()
    stage.change_comment(**CHANGES[change])
    assert stage.carry(PATIENCE.in_doubt_wait).end == "ignored"
    assert stage.source.texts == []


def test_a_comment_withdrawn_while_it_may_still_come_is_not_called_held_back() -> None:
    stage = Stage(reply_claim(), source=platform_options(idempotent=True))
    stage.source.faults.order("send", Uncertain())
    stage.carry()
    stage.change_comment()
    outcome = stage.carry(1)
    assert outcome.end == "unsure"
    assert "may have been posted" in told(outcome)
    assert stage.source.texts == []


def test_a_comment_that_moved_with_a_merge_while_it_waited_leaves_all_the_same() -> None:
    stage = Stage(reply_claim())
    reply = stage.claim.reply
    assert reply is not None
    stage.desk.moved[reply.id] = TicketId("9")
    stage.desk.tickets[reply.ticket].merged_into = TicketId("9")
    assert stage.carry().end == "done"
    assert len(stage.source.texts) == 1


BLOTTED = {"html": "<p>Call ▇▇▇▇▇ now</p>", "redacted": True}


def test_a_comment_blacked_out_in_part_is_held_until_it_is_released() -> None:
    stage = Stage(reply_claim())
    stage.change_comment(**BLOTTED)
    outcome = stage.carry()
    assert (outcome.end, stage.source.texts) == ("held", [])
    assert "Something in it was blacked out before it left." in told(outcome)
    stage = Stage(reply_claim(released=True))
    stage.change_comment(**BLOTTED)
    assert (stage.carry().end, stage.source.texts) == ("done", ["Call ▇▇▇▇▇ now"])


def test_a_comment_blacked_out_while_it_waited_does_not_leave_as_it_was() -> None:
    stage = Stage(reply_claim())
    stage.source.faults.order("send", Temporary("busy"))
    stage.carry()
    stage.change_comment(**BLOTTED)
    assert (stage.carry(10).end, stage.source.texts) == ("held", [])


def test_a_comment_of_which_nothing_is_left_is_withdrawn() -> None:
    stage = Stage(reply_claim())
    stage.change_comment(html="<p>▇▇▇ ▇▇▇▇▇</p>", redacted=True)
    assert (stage.carry().end, stage.source.texts) == ("ignored", [])


def test_a_comment_that_cannot_be_read_now_does_not_leave_now() -> None:
    stage = Stage(reply_claim())
    stage.desk.faults.order("read_reply", Temporary("down"))
    assert stage.carry().end is None
    assert stage.source.texts == []
    assert stage.carry(10).end == "done"


def test_an_edit_before_it_left_is_what_leaves() -> None:
    stage = Stage(reply_claim())
    stage.change_comment(html="<p>Thanks!</p>")
    stage.carry()
    assert stage.source.texts == ["Thanks!"]


# --- held, failed, unsure: the ticket hears of it ---


@pytest.mark.parametrize(
    ("longest", "parts", "sentence"),
    [
        (10, 1, "It has 40 characters; 10 characters are allowed here. Shorten it by at least 30."),
        (15, 2, "It has 40 characters; 2 posts of 15 characters are allowed here. Shorten it by at least 10."),
        (20, 2, "It has 40 characters; 2 posts of 20 characters are allowed here. Shorten it a little."),
    ],
)
def test_what_is_too_long_is_held_and_the_agent_told_by_how_much(longest: int, parts: int, sentence: str) -> None:
    reply = answered("<p>" + "four " * 7 + "words</p>")
    stage = Stage(reply_claim(reply), source=platform_options(max_length=longest, max_parts=parts))
    outcome = stage.carry()
    assert (outcome.end, outcome.reason) == ("held", sentence)
    assert sentence in told(outcome)
    assert outcome.notes[0].settings.tags == ("reply_held",)
    assert outcome.notes[0].settings.status == "open"
    assert stage.source.texts == []


def test_what_has_no_text_is_held() -> None:
    outcome = Stage(reply_claim(answered("<p><br></p>"))).carry()
    assert (outcome.end, outcome.reason) == ("held", "There is no text in it.")
    assert remedied(told(outcome))


def test_what_is_held_leaves_when_it_was_mended_and_released() -> None:
    stage = Stage(reply_claim(answered("<p>far too long for this place</p>")), source=platform_options(max_length=10))
    assert stage.carry().end == "held"
    stage.change_comment(html="<p>short</p>")
    assert stage.carry(10).end == "done"


UNDELIVERED = {
    "refused": Rejected("the text breaks a rule"),
    "gone": Gone("the post was deleted"),
    "closed": Closed("the author has restricted who may reply"),
    "nonsense": BadAnswer("the answer cannot be read"),
}


@pytest.mark.parametrize("operation", ["reply_limits", "prepare", "send"])
@pytest.mark.parametrize("what", UNDELIVERED)
def test_what_cannot_be_delivered_is_told_with_the_reason_and_the_way_out(what: str, operation: str) -> None:
    error = UNDELIVERED[what]
    stage = Stage(reply_claim())
    stage.source.faults.order(operation, error)
    outcome = stage.carry()
    assert (outcome.end, outcome.reason) == ("failed", error.sentence)
    html = told(outcome)
    assert "NOT delivered" in html
    assert error.sentence in html
    assert "Nothing of it was posted." in html
    assert remedied(html)
    assert "https://memory.example/m1" in html, "where it was written"
    assert "delivery 1" in html
    assert (outcome.notes[0].settings.tags, outcome.notes[0].settings.status) == (("reply_failed",), "open")


def test_what_nobody_can_tell_is_told_as_that() -> None:
    stage = Stage(reply_claim(), source=platform_options(findable=False))
    stage.source.faults.order("send", Uncertain(), after=True)
    stage.carry()
    outcome = stage.carry(1)
    html = told(outcome)
    assert outcome.end == "unsure"
    assert "Nobody can tell" in html
    assert "retry or drop this delivery" in html
    assert "delivery 1" in html
    assert (outcome.notes[0].settings.tags, outcome.notes[0].settings.status) == (("reply_unsure",), "open")


@pytest.mark.parametrize("state", ["held", "failed", "unsure"])
def test_a_desk_may_ask_not_to_be_reopened(state: str) -> None:
    stage = Stage(
        reply_claim(answered("" if state == "held" else "<p>x</p>")),
        desk=desk_options(reopen=False),
        source=platform_options(findable=False),
    )
    error = Uncertain() if state == "unsure" else Rejected()
    stage.source.faults.order("send", error)
    outcome = stage.carry()
    outcome = outcome if outcome.end else stage.carry(1)
    assert (outcome.end, outcome.notes[0].settings.status) == (state, None)


def test_a_reason_is_shown_as_text() -> None:
    stage = Stage(reply_claim())
    stage.source.faults.order("send", Rejected("<script>alert(1)</script>"))
    assert "<script>" not in told(stage.carry())


def test_an_answer_in_a_conversation_without_people_fails() -> None:
    outcome = Stage(reply_claim(answered(), said(1, own=True))).carry()
    assert (outcome.end, outcome.reason) == ("failed", "there is no message in this conversation to answer")
    assert remedied(told(outcome))


def test_an_answer_whose_source_is_gone_from_the_configuration_fails() -> None:
    stage = Stage(reply_claim())
    stage.wiring = replace(stage.wiring, sources={})
    outcome = stage.carry()
    assert (outcome.end, outcome.reason) == ("failed", 'the source "feed" is no longer configured')
    assert remedied(told(outcome))


def test_an_answer_that_may_have_left_is_not_called_undelivered_when_its_source_is_gone() -> None:
    stage = Stage(reply_claim())
    stage.source.faults.order("send", Uncertain(), after=True)
    stage.carry()
    stage.wiring = replace(stage.wiring, sources={})
    assert stage.carry(10).end == "unsure"


def test_an_answer_whose_helpdesk_is_gone_waits_for_it() -> None:
    stage = Stage(reply_claim())
    stage.wiring = replace(stage.wiring, helpdesks={})
    outcome = stage.carry()
    assert outcome.end is None
    assert "put it back, or drop this" in outcome.reason


@pytest.mark.parametrize("error", [Temporary("busy"), RateLimited(wait=9), AuthFailed("refused")])
def test_what_is_tried_again_is_not_told_yet(error: Exception) -> None:
    stage = Stage(reply_claim())
    stage.source.faults.order("send", error)
    outcome = stage.carry()
    assert (outcome.end, outcome.notes) == (None, ())


@pytest.mark.parametrize("error", [RateLimited(wait=9, service="desk"), AuthFailed("refused", service="desk")])
def test_trouble_with_the_helpdesk_is_no_trouble_of_the_source(error: Exception) -> None:
    stage = Stage(reply_claim())
    stage.desk.faults.order("read_reply", error)
    outcome = stage.carry()
    assert (outcome.claim.account, outcome.troubled) == ("feed", "desk")
    assert outcome.wait >= outcome.pause > 0, "it does not ask again while the helpdesk rests"


def test_trouble_of_its_own_account_is_told_of_that() -> None:
    stage = Stage(reply_claim())
    stage.source.faults.order("send", AuthFailed("refused", service="feed"))
    assert stage.carry().troubled == ""


def test_beside_a_private_conversation_nothing_goes_public_unasked() -> None:
    stage = Stage(reply_claim(private_beside=True))
    outcome = stage.carry()
    assert (outcome.end, stage.source.texts) == ("held", [])
    assert "holds a private conversation too" in outcome.notes[0].html
    assert Stage(reply_claim(private_beside=True, released=True)).carry().end == "done"


def test_an_answer_to_the_private_conversation_itself_leaves() -> None:
    stage = Stage(reply_claim(answered(), said(1, private=True), private_beside=True))
    assert stage.carry().end == "done"


def test_a_shadow_posts_nothing() -> None:
    stage = Stage(reply_claim(), shadow=True)
    outcome = stage.carry()
    assert (outcome.end, outcome.notes, stage.source.texts) == ("held", (), [])


# --- waiting ---


def test_a_reply_that_waits_says_so_on_its_ticket() -> None:
    stage = Stage(reply_claim())
    note = waiting(stage.claim, stage.wiring, "the token was refused")
    assert note is not None
    assert (note.ticket, note.public) == (TicketId("7"), False)
    assert "NOT public yet" in note.html
    assert "the token was refused" in note.html
    assert (note.settings.tags, note.settings.status) == (("reply_queued",), None)


def test_a_reply_that_waits_half_way_tells_what_is_public() -> None:
    stage = long_stage()
    stage.source.faults.order("send", Temporary("busy"), skip=1)
    stage.carry()
    note = waiting(stage.claim, stage.wiring, "busy")
    assert note is not None
    assert "public already" in note.html
    assert "https://memory.example/r1" in note.html


def test_nobody_is_told_where_the_helpdesk_is_gone() -> None:
    stage = Stage(reply_claim())
    assert waiting(stage.claim, replace(stage.wiring, helpdesks={}), "busy") is None
