"""An agent's public comment on its way to where the person wrote. It leaves once or the ticket says why not; a
comment that was made private, deleted or blacked out before it left does not leave, and a private message is never
answered in public."""

from __future__ import annotations

from connector.errors import Rejected
from connector.flow import notes
from connector.flow.plan import (
    Held,
    Kept,
    Noticed,
    Plan,
    Redacted,
    Withdrawn,
    planned,
    still_public,
    target_of,
)
from connector.flow.turn import Turn, Wiring
from connector.model import CommentDraft, Mention, ReplyDraft, decode, encode
from connector.sources.base import Source
from connector.store.claims import Claim
from connector.store.privates import is_private
from connector.store.queue import End, Outcome


def carry_reply(turn: Turn) -> Outcome:
    """Carry a reply one turn."""
    claim = turn.claim
    assert claim.reply is not None
    source = turn.wiring.sources.get(claim.source)
    if source is None:
        raise Rejected(f'the source "{claim.source}" is no longer configured')
    try:
        begun = decode(Plan, claim.body) if turn.begun and claim.body else None
        plan = begun or planned(turn, source, claim.reply)
        target = next((m for m in claim.heard if m.external_id == plan.answers), None)
        if target is None:
            raise Rejected("the message this answers is no longer known")
        if turn.wiring.shadow and begun is None:
            return turn.outcome("held", "shadow: nothing is posted")
        _post(turn, source, plan, target, resumed=begun is not None)
    except Withdrawn as error:
        if turn.receipts:
            return reply_ended(turn, "failed", f"{error.sentence}, after a part of it was posted")
        if turn.doubt and not turn.absent:
            return reply_ended(turn, "unsure", "deleted, made private or blacked out, after it may have been posted")
        if isinstance(error, Redacted):
            return reply_ended(turn, "held", error.sentence)
        return turn.outcome("ignored", error.sentence)
    except Kept as error:
        return turn.outcome("ignored", error.sentence, notes=_told(turn, "kept", error.sentence))
    except Held as error:
        return reply_ended(turn, "held", error.sentence, error.noticed)
    return turn.outcome("done", notes=_told(turn, "sent", "", plan.noticed))


def _post(turn: Turn, source: Source, plan: Plan, target: Mention, *, resumed: bool) -> None:
    """Each piece after the other. A resumed turn asks once more whether the comment is still meant to be public."""
    asked = not resumed

    def last_moment() -> None:
        nonlocal asked
        if not asked and turn.claim.reply is not None:
            still_public(turn, turn.claim.reply)
            asked = True

    frozen = encode(plan)
    for n, piece in enumerate(plan.pieces):
        draft = ReplyDraft(
            mention=target,
            text=piece,
            html=plan.html if len(plan.pieces) == 1 else "",
            private=plan.private or is_private(target),
            attachments=plan.attachments if n == plan.files_at else (),
            part=n,
            parts=len(plan.pieces),
            previous=turn.receipts.get(n - 1),
        )
        turn.part(source, n, draft, plan=frozen, before_sending=last_moment)


# --- what the ticket is told -----------------------------------------------------------------------------------


def reply_ended(turn: Turn, end: End, reason: str, noticed: tuple[Noticed, ...] = ()) -> Outcome:
    """A reply that did not arrive, or nobody knows: its ticket says so and why."""
    states: dict[str, notes.ReplyState] = {"failed": "failed", "held": "held", "unsure": "unsure"}
    return turn.outcome(end, reason, notes=_told(turn, states[end], reason, noticed))


def waiting(claim: Claim, wiring: Wiring, why: str) -> CommentDraft | None:
    """The note about a reply that has waited too long, so that no agent believes it was posted."""
    told = _told(Turn.of(claim, wiring, lambda _: None), "queued", notes.short(why))
    return told[0] if told else None


def _told(
    turn: Turn, state: notes.ReplyState, reason: str, noticed: tuple[Noticed, ...] = ()
) -> tuple[CommentDraft, ...]:
    claim = turn.claim
    desk = turn.wiring.helpdesks.get(claim.helpdesk)
    if desk is None or claim.reply is None:
        return ()
    ticket = claim.ticket or claim.reply.ticket
    posted = [turn.receipts[n] for n in sorted(turn.receipts)]
    found = [(one.sentence, one.words) for one in noticed]
    if claim.reply.asked and state == "sent":
        source = turn.wiring.sources.get(claim.source)
        private = source is not None and source.capabilities.private_reply
        command = desk.options.commands.reply_private if private else ""
        return (notes.moved_note(ticket, command, posted),)
    if claim.reply.asked and state == "kept" and claim.overtaken:
        return (notes.not_moved_note(ticket, reason),)
    if claim.reply.answers and not claim.reply.asked:
        told = notes.automatic_note(
            ticket,
            desk.options,
            state,
            claim.reply.html,
            reason=reason,
            noticed=found,
            receipts=posted,
            delivery=claim.id,
        )
        return (told,)
    note = notes.reply_note(
        ticket,
        desk.options,
        state,
        mention=target_of(claim.heard, claim.reply),
        reason=reason,
        noticed=found,
        receipts=posted,
        delivery=claim.id,
    )
    return (note,)
