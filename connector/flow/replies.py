"""An agent's public comment on its way to where the person wrote. It leaves once or the ticket says why not; a
comment that was made private or deleted before it left does not leave, and a private message is never answered in
public."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from connector.errors import ConnectorError, Rejected, Unsupported
from connector.flow import notes
from connector.flow.split import split
from connector.flow.turn import Turn, Wiring
from connector.markup import to_text
from connector.model import Attachment, CommentDraft, Mention, Reply, ReplyDraft, decode, encode
from connector.sources.base import Source
from connector.store.claims import Claim
from connector.store.queue import End, Outcome


class _Withdrawn(ConnectorError):
    """deleted or made private before it left"""


class _Held(ConnectorError):
    """It must not leave as it is; the sentence says why."""


@dataclass(frozen=True, slots=True)
class _Plan:
    """How a reply is posted, fixed before its first part leaves: the pieces, and what they answer."""

    pieces: tuple[str, ...]
    html: str
    answers: str
    attachments: tuple[Attachment, ...] = ()


def carry_reply(turn: Turn) -> Outcome:
    """Carry a reply one turn."""
    claim = turn.claim
    assert claim.reply is not None
    source = turn.wiring.sources.get(claim.source)
    if source is None:
        raise Rejected(f'the source "{claim.source}" is no longer configured')
    try:
        begun = decode(_Plan, claim.body) if turn.begun and claim.body else None
        plan = begun or _planned(turn, source, claim.reply)
        target = next((m for m in claim.heard if m.external_id == plan.answers), None)
        if target is None:
            raise Rejected("the message this answers is no longer known")
        if turn.wiring.shadow and begun is None:
            return turn.outcome("held", "shadow: nothing is posted")
        _post(turn, source, plan, target, resumed=begun is not None)
    except _Withdrawn as error:
        if turn.receipts:
            return reply_ended(turn, "failed", f"{error.sentence}, after a part of it was posted")
        if turn.doubt and not turn.absent:
            return reply_ended(turn, "unsure", "deleted or made private, after it may have been posted")
        return turn.outcome("ignored", error.sentence)
    except _Held as error:
        return reply_ended(turn, "held", error.sentence)
    return turn.outcome("done", notes=_told(turn, "sent", ""))


def _planned(turn: Turn, source: Source, reply: Reply) -> _Plan:
    """What is posted, from the comment as it is this moment."""
    current = _still_public(turn, reply)
    target = _target(turn.claim.heard, current)
    if target is None:
        raise Rejected("there is no message in this conversation to answer")
    if _is_private(target) and not source.capabilities.private_reply:
        raise Unsupported("this was written to us privately, and here an answer would be public", service=source.name)
    limits = source.reply_limits(target)
    text, attachments = _outgoing(source, current)
    if not text and not attachments:
        raise _Held("There is no text in it.")
    pieces = split(text, source.measure, limits.max_length, limits.max_parts) if text else [""]
    if not pieces:
        raise _Held(_too_long(source.measure(text), limits.max_length or 0, limits.max_parts))
    return _Plan(tuple(pieces), current.html, target.external_id, attachments)


def _post(turn: Turn, source: Source, plan: _Plan, target: Mention, *, resumed: bool) -> None:
    """Each piece after the other. A resumed turn asks once more whether the comment is still meant to be public."""
    asked = not resumed

    def last_moment() -> None:
        nonlocal asked
        if not asked and turn.claim.reply is not None:
            _still_public(turn, turn.claim.reply)
            asked = True

    frozen = encode(plan)
    for n, piece in enumerate(plan.pieces):
        draft = ReplyDraft(
            mention=target,
            text=piece,
            html=plan.html if len(plan.pieces) == 1 else "",
            private=_is_private(target),
            attachments=plan.attachments if n == 0 else (),
            part=n,
            parts=len(plan.pieces),
            previous=turn.receipts.get(n - 1),
        )
        turn.part(source, n, draft, plan=frozen, before_sending=last_moment)


def _still_public(turn: Turn, reply: Reply) -> Reply:
    """The comment as the helpdesk has it now."""
    current = turn.desk.read_reply(reply.ticket, reply.id)
    if current is None or not current.public:
        raise _Withdrawn
    return current


def _outgoing(source: Source, reply: Reply) -> tuple[str, tuple[Attachment, ...]]:
    """The reply as plain text; files go along where the platform takes them, else as their links."""
    text = to_text(reply.html)
    if source.capabilities.attachments_out:
        return text, reply.attachments
    linked = "\n".join(f"{a.name}: {a.url}" if a.name else a.url for a in reply.attachments)
    return "\n\n".join(part for part in (text, linked) if part), ()


def _too_long(length: int, longest: int, parts: int) -> str:
    allowed = f"{longest} characters" if parts == 1 else f"{parts} posts of {longest} characters"
    over = length - longest * parts
    remedy = f"Shorten it by at least {over}." if over > 0 else "Shorten it a little."
    return f"It has {length} characters; {allowed} are allowed here. {remedy}"


def _target(heard: Sequence[Mention], reply: Reply) -> Mention | None:
    """The message a reply answers: the last one of a person that was there when the agent wrote."""
    people = [m for m in heard if not m.own and not m.deleted and not m.version]
    seen = [m for m in people if m.created_at <= reply.created_at]
    chosen = seen or people
    return chosen[-1] if chosen else None


def _is_private(mention: Mention) -> bool:
    return mention.private or mention.kind == "dm"


# --- what the ticket is told -----------------------------------------------------------------------------------


def reply_ended(turn: Turn, end: End, reason: str) -> Outcome:
    """A reply that did not arrive, or nobody knows: its ticket says so and why."""
    states: dict[str, notes.ReplyState] = {"failed": "failed", "held": "held", "unsure": "unsure"}
    return turn.outcome(end, reason, notes=_told(turn, states[end], reason))


def waiting(claim: Claim, wiring: Wiring, why: str) -> CommentDraft | None:
    """The note about a reply that has waited too long, so that no agent believes it was posted."""
    told = _told(Turn.of(claim, wiring, lambda _: None), "queued", notes.short(why))
    return told[0] if told else None


def _told(turn: Turn, state: notes.ReplyState, reason: str) -> tuple[CommentDraft, ...]:
    claim = turn.claim
    desk = turn.wiring.helpdesks.get(claim.helpdesk)
    if desk is None or claim.reply is None:
        return ()
    note = notes.reply_note(
        claim.ticket or claim.reply.ticket,
        desk.options,
        state,
        mention=_target(claim.heard, claim.reply),
        reason=reason,
        receipts=[turn.receipts[n] for n in sorted(turn.receipts)],
        delivery=claim.id,
    )
    return (note,)
