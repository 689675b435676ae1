"""Automatic answers: born with the ticket of the mention they answer, and asked once more before they leave.

They take the way of an agent's answer: the same lane, guard, limits and keys. Everything that made one possible has
to be so still in the moment it leaves: the mapping says so of what was said, no storm is on, nobody wrote in between.
"""

from __future__ import annotations

from connector.flow import notes
from connector.flow.turn import Turn
from connector.markup import to_html
from connector.model import CommentDraft, CommentId, Decision, Mention, Past, Reply, TicketId, utc
from connector.store.arrivals import MADE
from connector.store.storms import Placement


def answer(turn: Turn, mention: Mention, decision: Decision, here: Placement) -> Reply | None:
    """The answer that is born with this ticket; none where it is only tried, or not to be."""
    if _dry(turn, decision, here) is not False or turn.ticket is None:
        return None
    return Reply(
        ticket=turn.ticket,
        id=CommentId(f"{MADE}{turn.claim.key}"),
        public=True,
        by_agent=False,
        html=to_html(decision.answer),
        created_at=utc(turn.claim.now),
        author="connector",
        answers=mention.external_id,
    )


def trial(turn: Turn, decision: Decision, here: Placement) -> tuple[CommentDraft, ...]:
    """The note that says what would have been sent."""
    if not _dry(turn, decision, here) or turn.ticket is None:
        return ()
    return (CommentDraft(TicketId(turn.ticket), notes.trial_html(decision.answer)),)


def _dry(turn: Turn, decision: Decision, here: Placement) -> bool | None:
    """Whether the answer is only tried; None where there is none. A ticket that was in doubt may be found again under
    a mapping that answers it no more."""
    automatic = turn.wiring.policy.automatic
    return automatic.dry_run if here.answered and automatic is not None and decision.answer else None


def overtaken(turn: Turn, target: Mention | None) -> str:
    """Why it must not leave any more; empty when it may."""
    automatic = turn.wiring.policy.automatic
    if turn.claim.overtaken:
        return turn.claim.overtaken
    if automatic is None or automatic.dry_run:
        return "automatic answers are switched off"
    if target is None or _more(turn, target):
        return "something was written, changed or deleted since"
    decision = turn.wiring.policy.decide(target, Past())
    return "" if decision.answer else "the mapping does not answer this automatically any more"


def _more(turn: Turn, target: Mention) -> bool:
    """Whether its author changed it, took it back or wrote once more, or one of us answered on the platform."""
    heard = turn.claim.heard
    return any(later.own or later.author.id == target.author.id for later in heard[heard.index(target) + 1 :])
