"""A mention on its way to the helpdesk: a ticket with its card, a comment on the conversation's ticket, or a note
about an edit. What waits behind it in a busy conversation is carried in the same comment."""

from __future__ import annotations

from dataclasses import replace

from connector.errors import Closed, ConnectorError, Gone, Rejected, Temporary, Unsupported
from connector.flow import automatic, notes
from connector.flow.storms import joined, linking, placed
from connector.flow.turn import Turn
from connector.model import (
    Attachment,
    CommentDraft,
    Decision,
    Mention,
    Past,
    Person,
    Settings,
    TicketDraft,
    TicketId,
    decode,
    encode,
    utc,
)
from connector.store.queue import Outcome
from connector.store.storms import Placement
from connector.triage import card

_ENRICH_TRIES = 3
_SHOWN_TICKETS = 5


def carry_mention(turn: Turn) -> Outcome:
    """Carry a mention one turn."""
    claim = turn.claim
    assert claim.mention is not None
    mention = _enriched(turn, claim.mention)
    never_seen = claim.ticket is None and claim.earlier is None and not mention.deleted
    if mention.version and not never_seen:
        return _edited(turn, mention)
    past = _past(turn)
    decision = turn.wiring.policy.decide(mention, past)
    turn.trace = encode(decision)
    if not turn.begun:
        if decision.ignored:
            return turn.outcome("ignored", decision.ignored)
        if turn.wiring.shadow:
            return turn.outcome("held", "shadow: decided, nothing written")
    (here,) = placed(turn, [(claim.id, mention, decision)])
    if here.digest and not turn.begun:
        return turn.outcome("held", here.digest)
    decision = joined(turn, decision, here)
    turn.trace = encode(decision)
    opening = turn.begun and any(part.request.op == "ticket" for part in claim.parts)
    if claim.ticket is None or opening:
        return _open(turn, mention, decision, past, here, follow_up_of=claim.ticket)
    tried: list[TicketId] = []
    ticket: TicketId | None = claim.ticket
    while ticket is not None and ticket not in tried:
        try:
            return _append(turn, ticket, mention, decision, refused=bool(tried))
        except Closed:
            tried.append(ticket)
            merge = turn.desk.survivor(ticket)
            ticket = merge.into if merge is not None else None
            if merge is not None:
                turn.ticket, turn.moved_at = merge.into, merge.at.timestamp()
        except Gone:
            return _open(turn, mention, decision, past, here, refused=True)
    return _open(turn, mention, decision, past, here, follow_up_of=tried[-1], refused=True)


def _past(turn: Turn) -> Past:
    """What we remember of the author, as far back as the mapping looks."""
    claim = turn.claim
    since = claim.now - turn.wiring.policy.remember_days * 86_400.0
    earlier = tuple(ticket for ticket, at in claim.contacts if at >= since)
    last = decode(Decision, claim.last_trace).tone.label if claim.last_trace else "unknown"
    return Past(len(earlier), earlier[:_SHOWN_TICKETS], claim.answered, last)


def _open(
    turn: Turn,
    mention: Mention,
    decision: Decision,
    past: Past,
    here: Placement,
    follow_up_of: TicketId | None = None,
    refused: bool = False,
) -> Outcome:
    """A ticket with the mention as its first comment, then the card as a private note."""
    desk = turn.desk
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
    turn.moved_at = None
    try:
        opened = turn.part(desk, 0, draft, refused=refused)
    except Rejected:
        if turn.doubt or not turn.incident:
            raise
        # perhaps the problem ticket is one no more; the person has to be heard all the same
        settings = replace(draft.settings, problem=None, type=None)
        opened = turn.part(desk, 0, replace(draft, settings=settings), refused=True)
    if opened.ticket is None:
        raise Rejected("the helpdesk did not say which ticket it opened", service=desk.name)
    turn.ticket = opened.ticket
    policy = turn.wiring.policy
    html = card(
        mention,
        decision,
        answers_as=_answers_as(turn, mention),
        limits="",
        zone=policy.zone,
        trace=policy.card_trace,
        past=past,
        tickets={number: desk.ticket_url(number) for number in past.tickets},
        seen=utc(turn.claim.born),
    )
    try:
        turn.part(desk, 1, CommentDraft(ticket=opened.ticket, html=html))
    except (Rejected, Closed, Gone, Unsupported) as error:
        return turn.outcome("done", notes.short(f"ticket opened, but without its card: {error.sentence}"))
    own = automatic.answer(turn, mention, decision, here)
    return turn.outcome("done", answer=own, notes=automatic.trial(turn, decision, here))


def _append(turn: Turn, ticket: TicketId, mention: Mention, decision: Decision, refused: bool = False) -> Outcome:
    """A comment on the conversation's ticket, together with what waits behind it."""
    together: list[tuple[Mention, str]] = [(mention, decision.comment)]
    attachments: list[Attachment] = list(mention.attachments)
    tags = dict.fromkeys(decision.settings.tags)
    riders: list[int] = []
    decided: list[tuple[int, Mention, Decision]] = []
    for follower in turn.claim.followers:
        its = turn.wiring.policy.decide(follower.mention)
        if its.ignored:
            break
        riders.append(follower.id)
        decided.append((follower.id, follower.mention, its))
        together.append((follower.mention, its.comment))
        attachments += follower.mention.attachments
        tags |= dict.fromkeys(its.settings.tags)
    turn.joined = tuple(riders)
    for place in placed(turn, decided):
        if place.storm is not None:
            tags |= dict.fromkeys(linking(turn.wiring, place.storm, turn.claim.helpdesk).tags)
    draft = CommentDraft(
        ticket=ticket,
        html=notes.together_html(together),
        public=True,
        author=_person(mention),
        settings=Settings(tags=tuple(tags), status="open"),
        attachments=tuple(attachments),
    )
    turn.part(turn.desk, 0, draft, refused=refused)
    return turn.outcome("done")


def _edited(turn: Turn, mention: Mention) -> Outcome:
    """A private note about an edit or a deletion; without a ticket there is nothing to note it on."""
    claim = turn.claim
    if claim.ticket is None:
        what = "deleted" if mention.deleted else "edited"
        return turn.outcome("ignored", f"{what}, and there is no ticket to note it on")
    return carry_note(turn, CommentDraft(ticket=claim.ticket, html=notes.edited_html(claim.earlier, mention)))


def carry_note(turn: Turn, draft: CommentDraft) -> Outcome:
    """A private note; on a ticket that is closed or deleted nobody waits for it."""
    if turn.wiring.shadow and not turn.begun:
        return turn.outcome("held", "shadow: decided, nothing written")
    if not draft.ticket:  # written before its ticket was open
        if turn.claim.ticket is None:
            return turn.outcome("ignored", "there is no ticket to note it on")
        draft = replace(draft, ticket=turn.claim.ticket)
    try:
        turn.part(turn.desk, 0, draft)
    except (Closed, Gone) as error:
        return turn.outcome("ignored", notes.short(f"the note came too late: {error.sentence}"))
    return turn.outcome("done")


def _enriched(turn: Turn, mention: Mention) -> Mention:
    """With what costs a call to know; when that keeps failing, or the ticket is half-way there, it does without."""
    source = turn.wiring.sources.get(mention.source)
    if source is None or not source.capabilities.enrich or mention.deleted:
        return mention
    try:
        return source.enrich(mention)
    except ConnectorError as error:
        if isinstance(error, Temporary) and turn.claim.attempts < _ENRICH_TRIES and not turn.begun:
            raise
        return mention


def _person(mention: Mention) -> Person:
    author = mention.author
    return Person(f"{mention.platform}:{author.id}", author.shown, author.url, author.avatar_url)


def _answers_as(turn: Turn, mention: Mention) -> str:
    """Which account answers; empty when none can."""
    source = turn.wiring.sources.get(mention.source)
    if source is None or not source.replies:
        return ""
    return turn.wiring.identities.get(mention.source) or mention.source
