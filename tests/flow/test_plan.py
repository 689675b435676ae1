"""What keeps an answer in the helpdesk: the guard, and the tags by which agents say so."""

from __future__ import annotations

from dataclasses import replace

import pytest
from flow_builders import Stage, answered, reply_claim, said

from connector.model import TicketId
from connector.triage.guard import PUBLIC, Guard

SEVEN = TicketId("7")
PHONE = "<p>Мой номер +7 903 555-12-34, звоните.</p>"


def test_an_answer_the_guard_holds_does_not_leave_and_the_note_shows_the_words() -> None:
    stage = Stage(reply_claim(answered(PHONE)))
    outcome = stage.carry()
    assert (outcome.end, stage.source.posts) == ("held", [])
    (note,) = outcome.notes
    assert "«+7 903 555-12-34»" in note.html
    assert "release_reply" in note.html
    assert note.settings.status == "open"


def test_the_reason_which_is_logged_does_not_show_the_words() -> None:
    outcome = Stage(reply_claim(answered(PHONE))).carry()
    assert outcome.reason == "It holds a phone number, and everybody could read it."


def test_a_released_answer_leaves_in_spite_of_the_guard() -> None:
    stage = Stage(reply_claim(answered(PHONE), released=True))
    assert stage.carry().end == "done"
    assert len(stage.source.posts) == 1


def test_what_is_only_warned_of_leaves_and_the_ticket_tells() -> None:
    stage = Stage(reply_claim(answered("<p>Наш самавар</p>")), guard=Guard(brand={"Самовар": ("самавар",)}))
    outcome = stage.carry()
    assert (outcome.end, stage.source.texts) == ("done", ["Наш самавар"])
    assert "«самавар»" in outcome.notes[0].html
    assert "Reply posted" in outcome.notes[0].html


def test_what_may_not_be_public_can_go_to_the_person_alone() -> None:
    stage = Stage(reply_claim(answered(PHONE)), guard=Guard(public={**PUBLIC, "personal_data": "to_private"}))
    outcome = stage.carry()
    assert outcome.end == "done"
    (post,) = stage.source.posts
    assert post.draft.private
    assert "to the person alone" in outcome.notes[0].html


def test_the_same_text_over_and_over_is_noticed() -> None:
    stage = Stage(reply_claim(answered(), said_before=(0.0, 10.0, -100_000.0)), guard=Guard(most=2))
    assert "posted 2 times" in stage.carry(at=60.0).notes[0].html


def test_a_private_message_is_looked_at_with_the_private_profile() -> None:
    stage = Stage(reply_claim(answered(PHONE), said(private=True)))
    assert stage.carry().end == "done"


@pytest.mark.parametrize("tag", ["do_not_reply"])
def test_a_tag_keeps_the_answers_of_a_ticket_in_the_helpdesk(tag: str) -> None:
    stage = Stage(reply_claim())
    stage.desk.tickets[SEVEN].tags = (tag,)
    outcome = stage.carry()
    assert (outcome.end, stage.source.posts) == ("ignored", [])
    assert "not posted, as the ticket asks" in outcome.notes[0].html
    assert outcome.notes[0].settings.status is None, "nobody has to look at what was wanted"


def test_a_tag_sends_the_answers_of_a_ticket_to_the_person_alone() -> None:
    stage = Stage(reply_claim(answered(PHONE)))
    stage.desk.tickets[SEVEN].tags = ("reply_private",)
    assert stage.carry().end == "done"
    (post,) = stage.source.posts
    assert post.draft.private


def test_where_there_is_no_private_answer_the_tag_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    stage = Stage(reply_claim())
    stage.desk.tickets[SEVEN].tags = ("reply_private",)
    monkeypatch.setattr(stage.source, "capabilities", replace(stage.source.capabilities, private_reply=False))
    outcome = stage.carry()
    assert (outcome.end, stage.source.posts) == ("held", [])
    assert "every answer would be public" in outcome.notes[0].html
