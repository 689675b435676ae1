"""Carrying a delivery: one turn, and what becomes of it when something goes wrong.

Nothing turns back: adapters return values, this hands them to the store. No network, thread, clock or chance of its
own; what it needs of them comes in as arguments.
"""

from __future__ import annotations

from collections.abc import Callable

from connector.adapter import Outlet
from connector.errors import ConnectorError, Gone, Rejected, Uncertain, Unsupported
from connector.flow import notes
from connector.flow.mentions import carry_mention, carry_note
from connector.flow.replies import carry_reply, reply_ended, waiting
from connector.flow.retry import decide
from connector.flow.storms import carry_bulletin
from connector.flow.turn import CannotLook, MadeAnew, Place, StillInDoubt, Turn, Wiring, part_key
from connector.model import CommentDraft, ReplyDraft, TicketDraft
from connector.store.claims import Claim
from connector.store.queue import End, Intent, LeaseLost, Outcome

__all__ = ["Wiring", "carry", "reconcile", "waiting"]


def carry(
    claim: Claim,
    wiring: Wiring,
    intend: Callable[[Intent], None],
    chance: float,
    bug: Callable[[Exception], None],
    place: Place | None = None,
) -> Outcome:
    """Carry a claimed delivery one turn. `intend` gives back when the intent is durable and raises LeaseLost when it
    is not ours any more; `chance` in [0, 1) spreads pauses; `bug` is told of errors that nobody foresaw; `place`
    says durably where mentions go when too many come at once."""
    turn = Turn.of(claim, wiring, intend, place)
    try:
        match claim.kind:
            case "mention":
                return carry_mention(turn)
            case "reply":
                return carry_reply(turn)
            case "note":
                return carry_note(turn, claim.note)
            case "bulletin":
                return carry_bulletin(turn)
    except LeaseLost:
        raise
    except Exception as error:  # noqa: BLE001 - one delivery's bug must not end the worker; it is logged and counted
        if not isinstance(error, ConnectorError):
            bug(error)
        return _troubled(turn, error, chance)


def _troubled(turn: Turn, error: Exception, chance: float) -> Outcome:
    claim = turn.claim
    reason = notes.short(error.sentence if isinstance(error, ConnectorError) else f"bug: {type(error).__name__}")
    if isinstance(error, StillInDoubt):
        return turn.outcome(None, "sent and not answered; looked up again later", wait=error.wait, in_doubt=True)
    if isinstance(error, MadeAnew):
        return turn.outcome(None, "looked up and absent; prepared anew")
    if isinstance(error, CannotLook):
        return _ended(turn, "unsure", reason)
    doubt = turn.doubt or isinstance(error, Uncertain)
    verdict = decide(
        error,
        attempts=claim.attempts,
        age=claim.now - claim.born,
        doubted=turn.doubt and not turn.absent,
        chance=chance,
        patience=turn.wiring.patience,
    )
    if verdict.what != "again":
        return _ended(turn, "unsure" if verdict.what == "person" else "failed", reason)
    troubled = _troubled_account(turn, error)
    return turn.outcome(
        None,
        reason,
        wait=max(verdict.wait, verdict.pause) if troubled else verdict.wait,
        in_doubt=doubt,
        counted=verdict.counted,
        pause=verdict.pause,
        stop=verdict.stop,
        troubled=troubled,
    )


def _troubled_account(turn: Turn, error: Exception) -> str:
    """The account that the error is about, where it is not the one the delivery goes to: a reply is read at the
    helpdesk before it leaves, a mention is completed at its source."""
    service = error.service if isinstance(error, ConnectorError) else ""
    known = service in turn.wiring.sources or service in turn.wiring.helpdesks
    return service if known and service != turn.claim.account else ""


def _ended(turn: Turn, end: End, reason: str) -> Outcome:
    """An ending somebody has to hear of: a reply's goes onto its ticket."""
    return reply_ended(turn, end, reason) if turn.claim.kind == "reply" else turn.outcome(end, reason)


def reconcile(claim: Claim, wiring: Wiring) -> tuple[CommentDraft, ...]:
    """Look once more at what was ever in doubt; a note on its ticket when it is there more than once."""
    told: list[CommentDraft] = []
    for part in claim.parts:
        outlet: Outlet[ReplyDraft] | Outlet[TicketDraft | CommentDraft] | None = (
            wiring.sources.get(claim.account) if claim.kind == "reply" else wiring.helpdesks.get(claim.account)
        )
        if outlet is None or part.receipt is None or claim.ticket is None:
            continue
        try:
            found = outlet.find(part.request, part_key(claim, part.n))
        except (Unsupported, Gone, Rejected):
            continue
        if len(found) > 1:
            told.append(CommentDraft(ticket=claim.ticket, html=notes.doubled_html(found)))
    return tuple(told)
