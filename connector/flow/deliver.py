"""Carrying one delivery one turn: look if in doubt, prepare, make the intent durable, send, say how it ended.

The one rule: nothing is sent whose frozen request is not in the store, and nothing that may have happened is sent
again before it was looked up. A delivery is carried in parts (the ticket and its card; the pieces of a long reply),
each with its own intent and receipt, so that a crash after part 2 of 3 goes on with part 3.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar

from connector.adapter import Outlet
from connector.errors import Closed, ConnectorError, Gone, Rejected, Temporary, Uncertain, Unsupported
from connector.flow import notes
from connector.flow.retry import Patience, decide
from connector.flow.split import split
from connector.helpdesks.base import Helpdesk
from connector.markup import to_text
from connector.model import (
    Attachment,
    CommentDraft,
    Decision,
    Key,
    Mention,
    Person,
    Receipt,
    Reply,
    ReplyDraft,
    Request,
    Settings,
    TicketDraft,
    TicketId,
    decode,
    encode,
)
from connector.sources.base import Source
from connector.store.queue import Claim, End, Follower, Intent, LeaseLost, Outcome
from connector.triage import Policy, card

_ENRICH_TRIES = 3

D = TypeVar("D")


@dataclass(frozen=True, slots=True)
class Wiring:
    """What a turn of carrying works with; replaced as a whole when the configuration is reloaded.

    `identities` names the account that answers, per source. `shadow`: decide and remember, write nothing.
    """

    sources: Mapping[str, Source]
    helpdesks: Mapping[str, Helpdesk]
    policy: Policy
    patience: Patience = field(default_factory=Patience)
    identities: Mapping[str, str] = field(default_factory=dict)
    shadow: bool = False


class StillInDoubt(ConnectorError):
    """The first try may still take effect."""

    def __init__(self, wait: float) -> None:
        super().__init__()
        self.wait = wait


class MadeAnew(ConnectorError):
    """It certainly did not happen, and what was prepared for it (upload tokens, a remembered key) is too old now."""


class CannotLook(ConnectorError):
    """It was sent and not answered, and this platform cannot be asked whether it is there."""


@dataclass(slots=True)
class _Turn:
    """What this turn has learnt so far, so that any ending can be told with all of it."""

    claim: Claim
    n: int = 0
    doubt: bool = False
    receipt: Receipt | None = None
    ticket: TicketId | None = None
    external_id: str | None = None
    trace: str | None = None
    joined: tuple[int, ...] = ()
    target: Mention | None = None

    def outcome(self, end: End | None = None, reason: str = "", **facts: object) -> Outcome:
        return Outcome(
            self.claim,
            end,
            reason,
            receipt=self.receipt,
            part=self.n,
            ticket=self.ticket,
            external_id=self.external_id,
            trace=self.trace,
            joined=self.joined,
            **facts,  # type: ignore[arg-type]
        )


def carry(
    claim: Claim, wiring: Wiring, intend: Callable[[Intent], None], chance: float, bug: Callable[[Exception], None]
) -> Outcome:
    """Carry a claimed delivery one turn. `intend` returns when the intent is durable and raises LeaseLost when it
    is not ours any more; `chance` in [0, 1) spreads pauses; `bug` is told of errors that nobody foresaw."""
    turn = _Turn(claim, n=next((p.n for p in claim.parts if p.receipt is None), len(claim.parts)))
    turn.doubt = claim.in_doubt
    try:
        match claim.kind:
            case "mention":
                return _mention(turn, wiring, intend)
            case "reply":
                return _reply(turn, wiring, intend)
            case "note":
                return _note(turn, wiring, _desk(claim, wiring), claim.note, intend)
    except LeaseLost:
        raise
    except Exception as error:  # noqa: BLE001 - one delivery's bug must not end the worker; it is logged and counted
        if not isinstance(error, ConnectorError):
            bug(error)
        return _troubled(turn, wiring, error, chance)


def _troubled(turn: _Turn, wiring: Wiring, error: Exception, chance: float) -> Outcome:
    claim = turn.claim
    reason = notes.short(error.sentence if isinstance(error, ConnectorError) else f"bug: {type(error).__name__}")
    if isinstance(error, StillInDoubt):
        return turn.outcome(None, "sent and not answered; looked up again later", wait=error.wait, in_doubt=True)
    if isinstance(error, MadeAnew):
        return turn.outcome(None, "looked up and absent; prepared anew")
    if isinstance(error, CannotLook):
        return _ended(turn, wiring, "unsure", reason)
    doubt = turn.doubt or isinstance(error, Uncertain)
    verdict = decide(
        error,
        attempts=claim.attempts,
        age=claim.now - claim.born,
        doubted=doubt,
        chance=chance,
        patience=wiring.patience,
    )
    if verdict.what == "again":
        return turn.outcome(
            None,
            reason,
            wait=verdict.wait,
            in_doubt=doubt,
            counted=verdict.counted,
            pause=verdict.pause,
            stop=verdict.stop,
        )
    end: End = "unsure" if verdict.what == "person" else "failed"
    return _ended(turn, wiring, end, reason)


def _ended(turn: _Turn, wiring: Wiring, end: End, reason: str) -> Outcome:
    """An ending that somebody has to hear of: a reply's goes onto its ticket."""
    claim = turn.claim
    told: tuple[CommentDraft, ...] = ()
    if claim.kind == "reply" and claim.reply is not None and end in ("failed", "held", "unsure"):
        desk = wiring.helpdesks.get(claim.helpdesk)
        if desk is not None:
            posted = [part.receipt for part in claim.parts if part.receipt is not None]
            note = notes.reply_note(
                claim.ticket or claim.reply.ticket,
                desk.options,
                "held" if end == "held" else "unsure" if end == "unsure" else "failed",
                mention=turn.target or _target(claim.heard, claim.reply),
                reason=reason,
                receipts=posted,
                delivery=claim.id,
            )
            told = (note,)
    return turn.outcome(end, reason, notes=told)


# --- one part --------------------------------------------------------------------------------------------------


def _part(
    turn: _Turn,
    wiring: Wiring,
    outlet: Outlet[D],
    n: int,
    draft: Callable[[], D],
    intend: Callable[[Intent], None],
    plan: str | None = None,
    refused: bool = False,
) -> Receipt:
    """The receipt of part `n`: the one we have, the one a look-up finds, or the one sending gives. `refused`: what
    was intended for it before was refused for certain, and something else takes its place."""
    claim = turn.claim
    turn.n, before = n, (turn.receipt if turn.n < n else None)
    known = None if refused else next((part for part in claim.parts if part.n == n), None)
    if known is not None and known.receipt is not None:
        return known.receipt
    key = claim.key if n == 0 else Key(f"{claim.key}-{n}")
    request: Request | None = None
    turn.doubt = claim.in_doubt and known is not None
    if turn.doubt and known is not None:
        found = _look(outlet, known.request, key)
        if found:
            turn.doubt = False
            turn.receipt = found[0]
            return found[0]
        since = claim.now - known.intent_at
        if not known.request.repeatable and since < wiring.patience.in_doubt_wait:
            raise StillInDoubt(wiring.patience.in_doubt_wait - since)
        if since >= wiring.patience.key_memory:
            raise MadeAnew
        request = known.request  # the very same bytes, and with them everything that rides along
    if request is None:
        if before is not None:
            turn.n, turn.receipt = n - 1, before  # should preparing fail, the part before is still told
        request = outlet.prepare(draft())
        turn.n = n
    intend(
        Intent(
            claim,
            n,
            request,
            plan=plan,
            trace=turn.trace,
            joined=turn.joined,
            receipt=before,
            ticket=turn.ticket,
            external_id=turn.external_id,
            resent=known is not None and request is known.request,
        )
    )
    turn.receipt = None
    turn.receipt = outlet.send(request, key)
    turn.doubt = False
    return turn.receipt


def _look(outlet: Outlet[Any], request: Request, key: Key) -> tuple[Receipt, ...]:
    """Look it up; an outlet that cannot look lets a repeatable request go again and leaves the rest to a person."""
    try:
        return outlet.find(request, key)
    except Unsupported:
        if request.repeatable:
            return ()
        raise CannotLook from None


# --- mentions --------------------------------------------------------------------------------------------------


def _mention(turn: _Turn, wiring: Wiring, intend: Callable[[Intent], None]) -> Outcome:
    claim = turn.claim
    assert claim.mention is not None
    desk = _desk(claim, wiring)
    mention = _enriched(turn, wiring, claim.mention)
    if mention.version:
        return _edited(turn, wiring, desk, mention, intend)
    decision = wiring.policy.decide(mention)
    turn.trace = encode(decision)
    if decision.ignored and not claim.parts:
        return turn.outcome("ignored", decision.ignored)
    if wiring.shadow and not claim.parts:
        return turn.outcome("held", "shadow: decided, nothing written")
    opening = any(part.request.op == "ticket" for part in claim.parts)
    if claim.ticket is None or opening:
        return _open(turn, wiring, desk, mention, decision, intend, follow_up_of=claim.ticket)
    try:
        return _append(turn, wiring, desk, claim.ticket, mention, decision, intend)
    except Closed:
        survivor = desk.survivor(claim.ticket)
        if survivor is not None:
            turn.ticket = survivor
            return _append(turn, wiring, desk, survivor, mention, decision, intend, refused=True)
        return _open(turn, wiring, desk, mention, decision, intend, follow_up_of=claim.ticket, refused=True)
    except Gone:
        return _open(turn, wiring, desk, mention, decision, intend, refused=True)


def _open(
    turn: _Turn,
    wiring: Wiring,
    desk: Helpdesk,
    mention: Mention,
    decision: Decision,
    intend: Callable[[Intent], None],
    follow_up_of: TicketId | None = None,
    refused: bool = False,
) -> Outcome:
    """A ticket with the mention as its first comment, then the card as a private note."""
    turn.joined = ()
    turn.external_id = f"{mention.source}:{mention.external_id}"
    draft = TicketDraft(
        external_id=turn.external_id,
        subject=decision.subject,
        author=_person(mention),
        html=notes.together_html([(mention, decision.comment)]),
        settings=decision.settings,
        attachments=mention.attachments,
        follow_up_of=follow_up_of,
    )
    opened = _part(turn, wiring, desk, 0, lambda: draft, intend, refused=refused)
    if opened.ticket is None:
        raise Rejected("the helpdesk did not say which ticket it opened", service=desk.name)
    turn.ticket = ticket = opened.ticket
    html = card(mention, decision, answers_as=_answers_as(wiring, mention), limits="", zone=wiring.policy.zone)
    try:
        _part(turn, wiring, desk, 1, lambda: CommentDraft(ticket=ticket, html=html), intend)
    except (Rejected, Closed, Gone, Unsupported) as error:
        return turn.outcome("done", notes.short(f"ticket opened, but without its card: {error.sentence}"))
    return turn.outcome("done")


def _append(
    turn: _Turn,
    wiring: Wiring,
    desk: Helpdesk,
    ticket: TicketId,
    mention: Mention,
    decision: Decision,
    intend: Callable[[Intent], None],
    refused: bool = False,
) -> Outcome:
    """A comment on the conversation's ticket, together with what waits behind it."""
    together: list[tuple[Mention, str]] = [(mention, decision.comment)]
    attachments: list[Attachment] = list(mention.attachments)
    tags = dict.fromkeys(decision.settings.tags)
    riders: list[Follower] = []
    for follower in turn.claim.followers:
        its = wiring.policy.decide(follower.mention)
        if its.ignored or follower.mention.own:
            break
        riders.append(follower)
        together.append((follower.mention, its.comment))
        attachments += follower.mention.attachments
        tags |= dict.fromkeys(its.settings.tags)
    if not turn.doubt:
        turn.joined = tuple(rider.id for rider in riders)
    draft = CommentDraft(
        ticket=ticket,
        html=notes.together_html(together),
        public=True,
        author=_person(mention),
        settings=Settings(tags=tuple(tags), status="open"),
        attachments=tuple(attachments),
    )
    _part(turn, wiring, desk, 0, lambda: draft, intend, refused=refused)
    return turn.outcome("done")


def _edited(
    turn: _Turn, wiring: Wiring, desk: Helpdesk, mention: Mention, intend: Callable[[Intent], None]
) -> Outcome:
    """A private note about an edit or a deletion; without a ticket there is nothing to note it on."""
    claim = turn.claim
    if claim.ticket is None and claim.earlier is None and not mention.deleted:
        # we never saw the first version: this one is the mention
        decision = wiring.policy.decide(mention)
        turn.trace = encode(decision)
        if decision.ignored and not claim.parts:
            return turn.outcome("ignored", decision.ignored)
        return _open(turn, wiring, desk, mention, decision, intend)
    if claim.ticket is None:
        return turn.outcome(
            "ignored", "deleted before a ticket was opened" if mention.deleted else "edited, no ticket"
        )
    if wiring.shadow:
        return turn.outcome("held", "shadow: decided, nothing written")
    draft = CommentDraft(ticket=claim.ticket, html=notes.edited_html(claim.earlier, mention))
    return _note(turn, wiring, desk, draft, intend)


def _note(
    turn: _Turn, wiring: Wiring, desk: Helpdesk, draft: CommentDraft, intend: Callable[[Intent], None]
) -> Outcome:
    """A private note; on a ticket that is closed or deleted nobody waits for it."""
    try:
        _part(turn, wiring, desk, 0, lambda: draft, intend)
    except (Closed, Gone) as error:
        return turn.outcome("ignored", notes.short(f"the note came too late: {error.sentence}"))
    return turn.outcome("done")


def _enriched(turn: _Turn, wiring: Wiring, mention: Mention) -> Mention:
    """What costs a call to know is asked for once; when it keeps failing, the ticket does without."""
    source = wiring.sources.get(mention.source)
    if source is None or not source.capabilities.enrich or turn.claim.parts or mention.deleted:
        return mention
    try:
        return source.enrich(mention)
    except ConnectorError as error:
        if isinstance(error, Temporary) and turn.claim.attempts < _ENRICH_TRIES:
            raise
        return mention


# --- replies ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Plan:
    """How a reply is posted, fixed before its first part leaves: the pieces, and what they answer."""

    pieces: tuple[str, ...]
    html: str
    answers: str
    attachments: tuple[Attachment, ...] = ()


def _reply(turn: _Turn, wiring: Wiring, intend: Callable[[Intent], None]) -> Outcome:
    claim = turn.claim
    reply = claim.reply
    assert reply is not None
    desk = _desk(claim, wiring)
    source = wiring.sources.get(claim.source)
    if source is None:
        raise Rejected(f'the source "{claim.source}" is no longer configured')
    plan = decode(_Plan, claim.body) if claim.parts and claim.body else None
    if plan is None:
        current = desk.read_reply(reply.ticket, reply.id)
        if current is None or not current.public:
            return turn.outcome("ignored", "deleted or made private before it left")
        turn.target = _target(claim.heard, current)
        if turn.target is None:
            raise Rejected("there is no message in this conversation to answer")
        if wiring.shadow:
            return turn.outcome("held", "shadow: nothing is posted")
        if _is_private(turn.target) and not source.capabilities.private_reply:
            raise Unsupported(
                "this was written to us privately, and here an answer would be public", service=source.name
            )
        limits = source.reply_limits(turn.target)
        text, attachments = _outgoing(source, current)
        if not text and not attachments:
            return turn.outcome("ignored", "there is no text in it")
        pieces = split(text, source.measure, limits.max_length, limits.max_parts) or ([""] if not text else [])
        if not pieces:
            return _ended(turn, wiring, "held", _too_long(source.measure(text), limits.max_length, limits.max_parts))
        plan = _Plan(tuple(pieces), current.html, turn.target.external_id, attachments)
    target = turn.target or next((m for m in claim.heard if m.external_id == plan.answers), None)
    if target is None:
        raise Rejected("the message this answers is no longer known")
    turn.target = target
    receipts: list[Receipt] = []
    for n, piece in enumerate(plan.pieces):
        draft = ReplyDraft(
            mention=target,
            text=piece,
            html=plan.html if len(plan.pieces) == 1 else "",
            private=_is_private(target),
            attachments=plan.attachments if n == 0 else (),
            part=n,
            parts=len(plan.pieces),
            previous=receipts[-1] if receipts else None,
        )
        receipts.append(_part(turn, wiring, source, n, partial(_same, draft), intend, plan=encode(plan)))
    note = notes.reply_note(
        claim.ticket or reply.ticket,
        desk.options,
        "sent",
        mention=target,
        receipts=receipts,
        delivery=claim.id,
    )
    return turn.outcome("done", notes=(note,))


def _outgoing(source: Source, reply: Reply) -> tuple[str, tuple[Attachment, ...]]:
    """The reply as plain text; files go along where the platform takes them, else as their links."""
    text = to_text(reply.html)
    if source.capabilities.attachments_out:
        return text, reply.attachments
    linked = "\n".join(f"{a.name}: {a.url}" if a.name else a.url for a in reply.attachments)
    return "\n\n".join(part for part in (text, linked) if part), ()


def _too_long(length: int, longest: int | None, parts: int) -> str:
    allowed = f"{longest} characters" if parts == 1 else f"{parts} posts of {longest} characters"
    return f"It has {length} characters; {allowed} are allowed here. Shorten it by {length - (longest or 0) * parts}."


def _target(heard: Sequence[Mention], reply: Reply) -> Mention | None:
    """The message a reply answers: the last one of a person that was there when the agent wrote."""
    people = [m for m in heard if not m.own and not m.deleted and not m.version]
    seen = [m for m in people if m.created_at <= reply.created_at]
    chosen = seen or people
    return chosen[-1] if chosen else None


def _is_private(mention: Mention) -> bool:
    return mention.private or mention.kind == "dm"


def _same(draft: ReplyDraft) -> ReplyDraft:
    return draft


# --- the reconciler --------------------------------------------------------------------------------------------


def reconcile(claim: Claim, wiring: Wiring) -> tuple[CommentDraft, ...]:
    """Look once more at what was ever in doubt; a note on its ticket when it is there more than once."""
    told: list[CommentDraft] = []
    for part in claim.parts:
        outlet: Outlet[ReplyDraft] | Outlet[TicketDraft | CommentDraft] | None = (
            wiring.sources.get(claim.account) if claim.kind == "reply" else wiring.helpdesks.get(claim.account)
        )
        if outlet is None or part.receipt is None or claim.ticket is None:
            continue
        key = claim.key if part.n == 0 else Key(f"{claim.key}-{part.n}")
        try:
            found = outlet.find(part.request, key)
        except (Unsupported, Gone, Rejected):
            continue
        if len(found) > 1:
            told.append(CommentDraft(ticket=claim.ticket, html=notes.doubled_html(found)))
    return tuple(told)


def waiting(claim: Claim, wiring: Wiring, why: str) -> CommentDraft | None:
    """The note about a reply that has waited too long, so that no agent believes it was posted."""
    desk = wiring.helpdesks.get(claim.helpdesk)
    if desk is None or claim.reply is None:
        return None
    return notes.reply_note(
        claim.ticket or claim.reply.ticket,
        desk.options,
        "queued",
        mention=_target(claim.heard, claim.reply),
        reason=notes.short(why),
        delivery=claim.id,
    )


# --- small ones ------------------------------------------------------------------------------------------------


def _desk(claim: Claim, wiring: Wiring) -> Helpdesk:
    desk = wiring.helpdesks.get(claim.helpdesk)
    if desk is None:
        raise Temporary(f'the helpdesk "{claim.helpdesk}" is not configured any more; put it back, or drop this')
    return desk


def _person(mention: Mention) -> Person:
    author = mention.author
    return Person(f"{mention.platform}:{author.id}", author.shown, author.url, author.avatar_url)


def _answers_as(wiring: Wiring, mention: Mention) -> str:
    """Which account answers; empty when none can."""
    source = wiring.sources.get(mention.source)
    if source is None or not source.replies:
        return ""
    return wiring.identities.get(mention.source) or mention.source
