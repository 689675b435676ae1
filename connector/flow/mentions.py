"""A mention on its way to the helpdesk: a ticket with its card, a comment on the conversation's ticket, or a note
about an edit or about an answer that somebody of ours gave on the platform itself. What waits behind it in a busy
conversation is carried in the same comment."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from connector.errors import BadAnswer, Closed, ConnectorError, Gone, Rejected, Temporary, Unsupported
from connector.flow import automatic, notes
from connector.flow.storms import joined, linking, placed
from connector.flow.turn import Turn
from connector.markup import folded, to_text
from connector.model import (
    HIDDEN,
    Attachment,
    CommentDraft,
    Decision,
    Mention,
    Past,
    Person,
    Reply,
    ReplyOutlook,
    Settings,
    TicketDraft,
    TicketId,
    decode,
    encode,
    utc,
)
from connector.store.queue import Outcome
from connector.store.storms import Placement
from connector.store.tables import ANSWERED_THERE, OWN_POST
from connector.triage import card
from connector.triage.feedback import NEGATIVE, POSITIVE

BY_HAND = "reply_by_hand"
"""The tag of a ticket whose mention the source cannot answer, though it answers others."""

_ENRICH_TRIES = 3
_SHOWN_TICKETS = 5
_SETTLING = 15.0
_TELLING = 20
_NUMBERED = re.compile(r"\s*\(\d+/\d+\)\s*$")


def carry_mention(turn: Turn) -> Outcome:
    """Carry a mention one turn."""
    claim = turn.claim
    assert claim.mention is not None
    if claim.mention.own:
        return _own(turn, claim.mention)
    mention = _enriched(turn, claim.mention)
    never_seen = claim.ticket is None and claim.earlier is None and not mention.deleted and mention.version != HIDDEN
    if mention.version and not never_seen:
        if claim.earlier is not None and claim.earlier.own:
            return turn.outcome("ignored", "our own post, edited or deleted")
        return _edited(turn, mention)
    past = _past(turn)
    decision = turn.wiring.policy.decide(mention, past)
    turn.trace, turn.tone, turn.rules = encode(decision), decision.tone.label, decision.rules
    if not turn.begun:
        if decision.ignored:
            return turn.outcome("ignored", decision.ignored)
        if turn.wiring.shadow:
            return turn.outcome("held", "shadow: decided, nothing written")
    (here,) = placed(turn, [(claim.id, mention, decision)])
    if here.digest and not turn.begun:
        return turn.outcome("held", here.digest)
    if (stormy := joined(turn, decision, here)) is not decision:
        decision, turn.trace = stormy, encode(stormy)
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


def _own(turn: Turn, mention: Mention) -> Outcome:
    """A post of ours in somebody's conversation. One that an agent's reply became is known by its id, or, where the
    platform names it otherwise there, by its words; any other was written by hand and is told on the ticket."""
    claim = turn.claim
    if mention.external_id in claim.posted or _is_said(mention, claim.replies):
        return turn.outcome("ignored", OWN_POST)
    if claim.posting:
        return turn.outcome(None, "waits until our own reply is settled", wait=_SETTLING, counted=False)
    if claim.ticket is None:
        return turn.outcome("ignored", OWN_POST)
    html, tags = notes.answered_there_html(mention), Settings(tags=(notes.ANSWERED_THERE_TAG,))
    told = carry_note(turn, CommentDraft(claim.ticket, html, settings=tags, attachments=mention.attachments))
    return replace(told, reason=ANSWERED_THERE) if told.end == "done" else told


def _is_said(mention: Mention, replies: tuple[Reply, ...]) -> bool:
    """Whether its words are a reply's: the same, or, long enough not to be so by chance, a piece of them or they with
    a name or a link that the platform put in."""
    words = folded(_NUMBERED.sub("", mention.text))
    for reply in replies:
        said = folded(to_text(reply.html))
        if words and (words == said or (min(len(words), len(said)) >= _TELLING and (words in said or said in words))):
            return True
    return False


def _past(turn: Turn) -> Past:
    """What we remember of the author, as far back as the mapping looks."""
    claim = turn.claim
    since = claim.now - turn.wiring.policy.remember_days * 86_400.0
    earlier = tuple(ticket for ticket, at in claim.contacts if at >= since)
    last = decode(Decision, claim.last_trace).tone.label if claim.last_trace else "unknown"
    heard = [tone for tone, at in claim.tones if at >= since]
    return Past(
        contacts=len(earlier),
        tickets=earlier[:_SHOWN_TICKETS],
        answered=claim.answered,
        tone=last,
        negative=sum(tone in NEGATIVE for tone in heard),
        positive=sum(tone in POSITIVE for tone in heard),
    )


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
    desk, policy = turn.desk, turn.wiring.policy
    turn.joined = ()
    _awaited(turn, [(mention, decision)])
    outlook = _outlook(turn, mention)
    turn.external_id = f"{mention.source}:{mention.external_id}"
    draft = TicketDraft(
        external_id=turn.external_id,
        subject=decision.subject,
        author=_person(mention),
        html=notes.together_html([(mention, decision.comment)], policy.zone),
        settings=_with_outlook(decision.settings, outlook),
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
    html = card(
        mention,
        decision,
        answers_as=_answers_as(turn, mention) if outlook.possible else "",
        limits=outlook.why,
        closes_at=outlook.closes_at,
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
        turn.rules += its.rules
        together.append((follower.mention, its.comment))
        attachments += follower.mention.attachments
        tags |= dict.fromkeys(its.settings.tags)
    turn.joined = tuple(riders)
    _awaited(turn, [(mention, decision), *((said, its) for _, said, its in decided)])
    for place in placed(turn, decided):
        if place.storm is not None:
            tags |= dict.fromkeys(linking(turn.wiring, place.storm, turn.claim.helpdesk).tags)
    draft = CommentDraft(
        ticket=ticket,
        html=notes.together_html(together, turn.wiring.policy.zone),
        public=True,
        author=_person(mention),
        settings=Settings(tags=tuple(tags), status="open"),
        attachments=tuple(attachments),
    )
    turn.part(turn.desk, 0, draft, refused=refused)
    return turn.outcome("done")


def _awaited(turn: Turn, decided: Sequence[tuple[Mention, Decision]]) -> None:
    """When an answer is due, by the first of these that expects one. What reached us after its last deadline, such as
    a feed's history, is not watched: nobody could have kept it."""
    turn.due = None
    for mention, decision in decided:
        due, posted = decision.deadlines, mention.created_at.timestamp()
        if due is not None and due.ceiling.timestamp() > turn.claim.born:
            turn.due, turn.since = due, min(posted, turn.claim.born)
            return


def _edited(turn: Turn, mention: Mention) -> Outcome:
    """A private note about an edit or a deletion; without a ticket there is nothing to note it on."""
    claim = turn.claim
    if claim.ticket is None:
        what = "deleted" if mention.deleted else "edited"
        return turn.outcome("ignored", f"{what}, and there is no ticket to note it on")
    return carry_note(turn, CommentDraft(ticket=claim.ticket, html=notes.edited_html(claim.earlier, mention)))


def carry_note(turn: Turn, draft: CommentDraft) -> Outcome:
    """A private note; it follows its ticket into the one that it was merged into. On one that is closed or deleted
    nobody waits for it, nor for one about an answer that is due where there will be none."""
    if turn.claim.unneeded is not None and not turn.begun and (why := turn.claim.unneeded or _over(turn, draft)):
        return turn.outcome("ignored", f"not needed any more: {why}")
    if turn.wiring.shadow and not turn.begun:
        return turn.outcome("held", "shadow: decided, nothing written")
    if not draft.ticket:  # written before its ticket was open
        if turn.claim.ticket is None:
            return turn.outcome("ignored", "there is no ticket to note it on")
        draft = replace(draft, ticket=turn.claim.ticket)
    tried: list[TicketId] = []
    while True:
        try:
            turn.part(turn.desk, 0, draft, refused=bool(tried))
            return turn.outcome("done")
        except Gone as error:
            return turn.outcome("ignored", notes.short(f"the note came too late: {error.sentence}"))
        except Closed as error:
            tried.append(draft.ticket)
            merge = turn.desk.survivor(draft.ticket)
            if merge is None or merge.into in tried:
                return turn.outcome("ignored", notes.short(f"the note came too late: {error.sentence}"))
            draft = replace(draft, ticket=merge.into)


def _over(turn: Turn, draft: CommentDraft) -> str:
    """Why nobody waits on this ticket as it is now; empty when somebody does, or nobody can tell."""
    try:
        found = turn.desk.read_tickets((draft.ticket,))
    except (Unsupported, BadAnswer, Rejected, Gone):
        return ""
    quiet = turn.desk.options.commands.do_not_reply
    for state in found:
        if state.status in ("solved", "closed"):
            return state.status
        if quiet and quiet in state.tags:
            return quiet
    return ""


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
    return Person(f"{mention.platform}:{author.id}", author.shown, author.url, author.avatar_url, author.handle)


def _outlook(turn: Turn, mention: Mention) -> ReplyOutlook:
    """What the source knows about answering it; a source that is gone or cannot answer at all knows nothing."""
    source = turn.wiring.sources.get(mention.source)
    return source.outlook(mention) if source is not None and source.replies else ReplyOutlook()


def _with_outlook(settings: Settings, outlook: ReplyOutlook) -> Settings:
    """With a tag that views can use where the source answers, but not this."""
    return settings if outlook.possible else replace(settings, tags=(*settings.tags, BY_HAND))


def _answers_as(turn: Turn, mention: Mention) -> str:
    """Which account answers; empty when none can."""
    source = turn.wiring.sources.get(mention.source)
    if source is None or not source.replies:
        return ""
    return turn.wiring.identities.get(mention.source) or mention.source
