"""Whatever goes wrong in a turn, it ends or gets another turn, and the account hears what concerns it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from flow_builders import (
    PATIENCE,
    Killed,
    Stage,
    answered,
    mention_claim,
    note_claim,
    platform_options,
    reply_claim,
    said,
    told,
)

from connector.errors import (
    AuthFailed,
    BadAnswer,
    Gone,
    RateLimited,
    Rejected,
    Temporary,
    Unsupported,
)
from connector.store.queue import LeaseLost

CLAIMS: dict[str, Any] = {
    "a ticket": mention_claim(),
    "a comment": mention_claim(said(2), ticket="7"),
    "a reply": reply_claim(),
    "a note": note_claim(),
}


def outlet(stage: Stage) -> Any:
    """What the delivery is sent to."""
    return stage.source if stage.claim.kind == "reply" else stage.desk


@pytest.fixture(params=CLAIMS)
def stage(request: pytest.FixtureRequest) -> Stage:
    """Each kind of delivery."""
    return Stage(CLAIMS[request.param])


def test_every_kind_is_carried(stage: Stage) -> None:
    outcome = stage.carry()
    assert (outcome.end, outcome.receipt is not None) == ("done", True)
    assert stage.bugs == []


def test_refused_credentials_stop_the_account_and_the_delivery_stays(stage: Stage) -> None:
    outlet(stage).faults.order("send", AuthFailed("the token was refused"))
    outcome = stage.carry()
    assert (outcome.end, outcome.stop, outcome.pause) == (None, "the token was refused", PATIENCE.probe_every)
    assert (outcome.counted, outcome.in_doubt, outcome.notes) == (False, False, ())
    assert stage.carry(PATIENCE.give_up_after * 2).end == "done", "however long it took"


def test_a_limit_pauses_and_is_no_attempt(stage: Stage) -> None:
    outlet(stage).faults.order("send", RateLimited(wait=40))
    outcome = stage.carry(chance=0.5)
    assert (outcome.end, outcome.pause, outcome.counted) == (None, 40, False)
    assert outcome.wait == pytest.approx(42)
    assert stage.carry(50).end == "done"


def test_trouble_is_waited_for_longer_each_time_and_given_up_when_it_is_old(stage: Stage) -> None:
    outlet(stage).faults.order("send", Temporary("down"), times=20)
    waits = [stage.carry(at).wait for at in range(5)]
    assert waits == sorted(set(waits))
    outcome = stage.carry(PATIENCE.give_up_after + 1)
    assert (outcome.end, outcome.reason) == ("failed", "down")


def test_a_refusal_is_the_end(stage: Stage) -> None:
    outlet(stage).faults.order("send", Rejected("no"))
    outcome = stage.carry()
    assert (outcome.end, outcome.reason) == ("failed", "no")


def test_a_bug_is_told_each_time_and_the_end_at_the_third(stage: Stage) -> None:
    bug = ZeroDivisionError("secret inside")
    outlet(stage).faults.order("send", bug, times=3)
    assert [stage.carry(at).end for at in range(3)] == [None, None, "failed"]
    assert stage.bugs == [bug] * 3
    assert {outcome.reason for outcome in stage.outcomes} == {"bug: ZeroDivisionError"}, "its text may hold anything"


def test_a_bug_in_a_reply_is_told_on_its_ticket_in_the_end() -> None:
    stage = Stage(reply_claim())
    stage.source.faults.order("prepare", RuntimeError(), times=3)
    notes = [stage.carry(at).notes for at in range(3)]
    assert notes[:2] == [(), ()]
    assert "bug: RuntimeError" in notes[2][0].html


def test_what_the_trade_foresees_is_no_bug(stage: Stage) -> None:
    for error in (Temporary(), Rejected(), RateLimited(wait=1), AuthFailed()):
        outlet(stage).faults.order("send", error)
        if stage.carry().end:
            break
    assert stage.bugs == []


def test_a_lost_lease_passes_through(stage: Stage) -> None:
    stage.memory.trouble.append(LeaseLost())
    with pytest.raises(LeaseLost):
        stage.carry()
    assert stage.bugs == []


def test_the_end_of_the_process_passes_through(stage: Stage) -> None:
    outlet(stage).faults.order("send", Killed())
    assert stage.live() is None
    assert stage.bugs == []


def test_a_long_reason_is_one_short_line() -> None:
    stage = Stage(reply_claim())
    stage.source.faults.order("send", Rejected("word \n" * 900))
    outcome = stage.carry()
    assert len(outcome.reason) <= 300
    assert "\n" not in outcome.reason
    assert len(told(outcome)) < 1_000


def test_an_old_doubt_in_a_bug_is_left_to_a_person() -> None:
    stage = Stage(reply_claim())
    stage.source.faults.order("send", Killed(), after=True)
    stage.carry_and_die()
    stage.source.faults.order("find", RuntimeError(), times=3)
    assert [stage.carry(at).end for at in range(3)] == [None, None, "unsure"]


# --- the reconciler ---


def test_what_is_there_once_is_not_told_of(stage: Stage) -> None:
    stage.carry()
    assert stage.reconcile() == ()


def doubled(stage: Stage) -> Stage:
    """It was done, and the same was done once more, as a request does that was lost on the way and came after all."""
    stage.carry()
    (intent, *_) = stage.memory.intents
    stage.memory.sendable.add((intent.claim.key, intent.request))
    outlet(stage).send(intent.request, intent.claim.key)
    return stage


def test_what_is_there_twice_is_told_on_its_ticket_with_the_second_one(stage: Stage) -> None:
    (note,) = doubled(stage).reconcile()
    assert note.ticket == stage.claim.ticket
    assert (note.public, note.author) == (False, None)
    assert "more than once" in note.html
    url = "https://memory.example/r2" if stage.claim.kind == "reply" else "https://desk.example/"
    assert url in note.html
    assert "https://memory.example/r1" not in note.html, "this one is kept"


@pytest.mark.parametrize("error", [Unsupported(), Gone(), Rejected()])
def test_a_look_that_cannot_be_made_is_no_finding(stage: Stage, error: Exception) -> None:
    doubled(stage)
    outlet(stage).faults.order("find", error)
    assert stage.reconcile() == ()


@pytest.mark.parametrize("error", [Temporary(), AuthFailed(), BadAnswer()])
def test_a_look_that_fails_is_made_again(stage: Stage, error: Exception) -> None:
    doubled(stage)
    outlet(stage).faults.order("find", error)
    with pytest.raises(type(error)):
        stage.reconcile()
    assert len(stage.reconcile()) == 1


def test_an_account_that_is_gone_is_not_looked_at(stage: Stage) -> None:
    doubled(stage)
    stage.wiring = replace(stage.wiring, sources={}, helpdesks={})
    assert stage.reconcile() == ()


def test_each_part_is_looked_for_under_its_own_key() -> None:
    source = platform_options(max_length=24, max_parts=3)
    stage = Stage(reply_claim(answered("<p>Part number one.</p><p>Part two.</p>")), source=source)
    stage.carry()
    assert len(stage.source.texts) == 2
    second = stage.memory.intents[1]
    key = stage.source.posts[1].key
    stage.memory.sendable.add((key, second.request))
    stage.source.send(second.request, key)
    (note,) = stage.reconcile()
    assert "https://memory.example/r3" in note.html
