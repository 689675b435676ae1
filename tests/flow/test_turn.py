"""Sent once: intended before it is sent, looked up before it is sent again, and never called absent too early."""

from __future__ import annotations

from typing import Any

import pytest
from flow_builders import PATIENCE, Killed, Stage, mention_claim, platform_options, reply_claim, said, told

from connector.errors import (
    AuthFailed,
    BadAnswer,
    ConnectorError,
    Gone,
    RateLimited,
    Rejected,
    Temporary,
    Uncertain,
)
from connector.store.queue import LeaseLost

WAIT, MEMORY = PATIENCE.in_doubt_wait, PATIENCE.key_memory


def lost(*, happened: bool, **facts: Any) -> Stage:
    """A reply whose answer was lost on the way."""
    stage = Stage(reply_claim(), **facts)
    stage.source.faults.order("send", Uncertain("no answer came"), after=happened)
    outcome = stage.carry()
    assert (outcome.end, outcome.in_doubt, outcome.counted) == (None, True, True)
    assert 0 < outcome.wait <= WAIT
    return stage


# --- intended, then sent ---


def test_nothing_is_sent_when_the_intent_is_not_durable() -> None:
    for claim in (mention_claim(), mention_claim(said(2), ticket="7"), reply_claim()):
        stage = Stage(claim)
        stage.memory.trouble.append(Temporary("the database is away", wait=40))
        outcome = stage.carry()
        assert (outcome.end, outcome.in_doubt, outcome.wait) == (None, False, 40)
        assert stage.source.texts == []
        assert stage.opened() == []
        assert stage.comments() == []
        assert stage.carry(60).end == "done"


def test_whoever_lost_the_delivery_sends_nothing_and_says_nothing() -> None:
    stage = Stage(reply_claim())
    stage.memory.trouble.append(LeaseLost())
    with pytest.raises(LeaseLost):
        stage.carry()
    assert stage.source.texts == []
    assert stage.bugs == []


def test_the_double_notices_a_send_without_an_intent() -> None:
    stage = Stage(reply_claim())
    stage.memory.intend = lambda intent: None
    with pytest.raises(AssertionError, match="without an intent"):
        stage.carry()


def test_what_is_sent_is_what_was_frozen() -> None:
    stage = Stage(reply_claim())
    stage.carry()
    (intent,) = stage.memory.intents
    (post,) = stage.source.posts
    assert (intent.n, intent.resent, intent.receipt) == (0, False, None)
    assert post.key == intent.claim.key
    assert "Thank you." in intent.request.body


# --- in doubt ---


def test_what_is_found_is_not_sent_again() -> None:
    stage = lost(happened=True)
    outcome = stage.carry(1)
    assert (outcome.end, outcome.receipt and outcome.receipt.id) == ("done", "r1")
    assert stage.source.texts == ["Thank you."]
    assert len(stage.memory.intents) == 1


def test_a_crash_after_sending_is_a_doubt_like_any_other() -> None:
    stage = Stage(reply_claim())
    stage.source.faults.order("send", Killed(), after=True)
    stage.carry_and_die()
    assert stage.carry(1).end == "done"
    assert stage.source.texts == ["Thank you."]


@pytest.mark.parametrize("at", [0, 1, WAIT - 0.5])
def test_what_is_not_there_yet_may_still_come(at: float) -> None:
    stage = lost(happened=False)
    outcome = stage.carry(at)
    assert (outcome.end, outcome.in_doubt, outcome.wait) == (None, True, WAIT - at)
    assert stage.source.texts == []
    assert len(stage.memory.intents) == 1


def test_what_is_not_there_after_the_wait_is_sent_again_to_the_byte() -> None:
    stage = lost(happened=False)
    outcome = stage.carry(WAIT)
    assert outcome.end == "done"
    first, second = stage.memory.intents
    assert second.request == first.request
    assert second.resent
    assert stage.source.faults.calls.count("prepare") == 1
    assert stage.source.texts == ["Thank you."]


def test_a_second_doubt_is_waited_for_from_the_second_try() -> None:
    stage = lost(happened=False)
    stage.source.faults.order("send", Uncertain())
    assert stage.carry(WAIT).in_doubt
    again = stage.carry(WAIT + 1)
    assert (again.in_doubt, again.wait) == (True, WAIT - 1)
    assert stage.carry(2 * WAIT).end == "done"
    assert stage.source.texts == ["Thank you."]


def test_what_may_be_repeated_is_sent_again_at_once() -> None:
    for happened in (False, True):
        stage = lost(happened=happened, source=platform_options(idempotent=True))
        assert stage.carry(1).end == "done"
        assert stage.source.texts == ["Thank you."]


def test_a_key_too_old_to_be_remembered_is_not_relied_on() -> None:
    stage = lost(happened=False, source=platform_options(idempotent=True))
    outcome = stage.carry(MEMORY)
    assert (outcome.end, outcome.in_doubt, outcome.wait) == (None, False, 0)
    assert stage.source.texts == []
    assert stage.carry(MEMORY).end == "done"
    first, second = stage.memory.intents
    assert not second.resent, "made anew, with all that is valid now"
    assert first.request == second.request
    assert stage.source.faults.calls.count("prepare") == 2
    assert stage.source.texts == ["Thank you."]


def test_where_nobody_can_look_a_person_has_to() -> None:
    stage = lost(happened=True, source=platform_options(findable=False))
    outcome = stage.carry(10 * WAIT)
    assert outcome.end == "unsure"
    assert "cannot be asked" in outcome.reason
    assert len(stage.memory.intents) == 1


def test_where_nobody_can_look_the_same_key_may_go_again_while_it_is_remembered() -> None:
    stage = lost(happened=True, source=platform_options(findable=False, idempotent=True))
    assert stage.carry(MEMORY - 1).end == "done"
    assert stage.source.texts == ["Thank you."]


def test_where_nobody_can_look_and_the_key_is_forgotten_a_person_has_to() -> None:
    stage = lost(happened=True, source=platform_options(findable=False, idempotent=True))
    assert stage.carry(MEMORY).end == "unsure"
    assert stage.source.texts == ["Thank you."]


@pytest.mark.parametrize("error", [Temporary("down"), AuthFailed("refused"), RateLimited(wait=9), Uncertain()])
def test_a_look_that_fails_leaves_the_doubt(error: ConnectorError) -> None:
    stage = lost(happened=True)
    stage.source.faults.order("find", error)
    outcome = stage.carry(10 * WAIT)
    assert (outcome.end, outcome.in_doubt) == (None, True)
    assert stage.carry(11 * WAIT).end == "done"
    assert stage.source.texts == ["Thank you."]


@pytest.mark.parametrize("error", [Rejected("no"), Gone("no more"), BadAnswer("?")])
def test_a_look_that_tells_nothing_is_no_proof_that_nothing_was_posted(error: ConnectorError) -> None:
    stage = lost(happened=True)
    stage.source.faults.order("find", error)
    outcome = stage.carry(WAIT)
    assert outcome.end == "unsure"
    assert "Nothing of it was posted" not in told(outcome)


@pytest.mark.parametrize("error", [Rejected("no"), Gone("no more")])
def test_a_refusal_after_it_was_proved_absent_is_a_failure(error: ConnectorError) -> None:
    stage = lost(happened=False)
    stage.source.faults.order("send", error)
    outcome = stage.carry(WAIT)
    assert outcome.end == "failed"
    assert "Nothing of it was posted" in told(outcome)


def test_a_refusal_before_it_was_proved_absent_is_left_to_a_person() -> None:
    stage = lost(happened=False, source=platform_options(idempotent=True))
    stage.source.faults.order("send", Rejected("no"))
    assert stage.carry(1).end == "unsure"


def test_trouble_while_sending_again_leaves_the_doubt() -> None:
    stage = lost(happened=False)
    stage.source.faults.order("send", Temporary("busy"))
    outcome = stage.carry(WAIT)
    assert (outcome.end, outcome.in_doubt) == (None, True)
    stage.carry(3 * WAIT)
    assert stage.source.texts == ["Thank you."]
    assert len({intent.request for intent in stage.memory.intents}) == 1


def test_a_doubt_that_grows_too_old_is_left_to_a_person() -> None:
    stage = lost(happened=False)
    stage.source.faults.order("find", Temporary("down"))
    outcome = stage.carry(PATIENCE.give_up_after + 1)
    assert (outcome.end, outcome.reason) == ("unsure", "down")


def test_what_certainly_did_not_happen_is_made_anew() -> None:
    stage = Stage(reply_claim())
    stage.source.faults.order("send", Temporary("busy"))
    outcome = stage.carry()
    assert (outcome.end, outcome.in_doubt) == (None, False)
    stage.carry(10)
    assert stage.source.faults.calls.count("find") == 0
    assert not stage.memory.intents[1].resent


def test_what_was_made_anew_says_what_the_agent_says_now() -> None:
    stage = Stage(reply_claim())
    stage.source.faults.order("send", Temporary("busy"))
    stage.carry()
    stage.change_comment(html="<p>Thank you, Anna.</p>")
    stage.carry(10)
    assert stage.source.texts == ["Thank you, Anna."]


# --- the same towards the helpdesk ---


@pytest.mark.parametrize("ticket", [None, "7"])
@pytest.mark.parametrize("repeatable", [False, True])
@pytest.mark.parametrize("happened", [False, True])
def test_a_mention_in_doubt_is_on_the_ticket_once(ticket: str | None, repeatable: bool, happened: bool) -> None:
    stage = Stage(mention_claim(said(2), ticket=ticket), repeatable=repeatable)
    stage.desk.faults.order("send", Uncertain(), after=happened)
    assert stage.carry().in_doubt
    waited = stage.carry(1)
    assert waited.in_doubt == (not happened and not repeatable)
    assert stage.outcomes[-1].end == "done" or stage.carry(WAIT).end == "done"
    if ticket is None:
        ((number, _),) = stage.opened()
        assert len(stage.comments(number)) == 1
    else:
        assert stage.opened() == []
        assert len(stage.comments()) == 1


@pytest.mark.parametrize("kills", range(5))
@pytest.mark.parametrize("happened", [False, True])
@pytest.mark.parametrize("ticket", [None, "7"])
def test_a_process_killed_again_and_again_writes_once(ticket: str | None, kills: int, happened: bool) -> None:
    stage = Stage(mention_claim(said(2), ticket=ticket))
    stage.desk.faults.order("send", Killed(), after=happened, times=kills)
    lives = 0
    while (outcome := stage.live(lives * WAIT)) is None or outcome.end is None:
        lives += 1
        assert lives <= kills
    assert outcome.end == "done"
    assert [len(stage.comments(number)) for number, _ in stage.opened()] == ([] if ticket else [1])
    assert len(stage.comments()) == (1 if ticket else 0)
