"""Storms and digests in words, and a bulletin on its way to the helpdesk.

Where a mention goes is the store's to decide and to remember; here is what it has to know for that, what becomes of
the decision then, and what people are told. Nothing anybody wrote stands in a ticket's first comment: that one is
public, so all of it goes into private notes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from html import escape

from connector.errors import Closed, Gone, Rejected
from connector.flow.turn import Turn, Wiring
from connector.markup import link, shorten, to_html
from connector.model import (
    Because,
    Bulletin,
    CommentDraft,
    Decision,
    Mention,
    Person,
    Settings,
    TicketDraft,
    TicketId,
    key_of,
)
from connector.store.digests import Gathered
from connector.store.queue import Outcome
from connector.store.storms import CALM, Announce, Placement, Sighting, Storm, Summary, Watch
from connector.triage import Policy
from connector.triage.feedback import NEGATIVE

_OURSELVES = Person("connector:storm", "connector")
_MOST_TEXT = 1_500


# --- a mention's place -------------------------------------------------------------------------------------


def placed(turn: Turn, said: Sequence[tuple[int, Mention, Decision]]) -> list[Placement]:
    """Where these mentions go, each with the number of its delivery; all calm where nobody watches."""
    claim, policy = turn.claim, turn.wiring.policy
    wanted = policy.storm is not None or claim.silent or any(decision.answer for _, _, decision in said)
    if not said or turn.place is None or not wanted:
        return [CALM] * len(said)
    found = turn.place([_sighting(turn, *one) for one in said], _watch(policy), _announcing(turn.wiring))
    return list(found)


def _sighting(turn: Turn, delivery: int, mention: Mention, decision: Decision) -> Sighting:
    claim, policy = turn.claim, turn.wiring.policy
    storm, automatic = policy.storm, policy.automatic
    source = turn.wiring.sources.get(claim.source)
    answers = automatic is not None and bool(decision.answer) and source is not None and source.replies
    negative = decision.tone.label in NEGATIVE
    return Sighting(
        delivery=delivery,
        conversation=claim.lane // 2,
        helpdesk=claim.helpdesk,
        source=claim.source,
        topic=decision.topic,
        author=f"{mention.platform}:{mention.author.id}",
        negative=negative,
        apart=decision.apart,
        joins=negative or (storm is not None and storm.by == "rule"),
        opens=claim.ticket is None,
        links=turn.desk.capabilities.problems,
        free=claim.released,
        answers=automatic.per_hour if automatic is not None and answers and claim.ticket is None else None,
    )


def _watch(policy: Policy) -> Watch | None:
    storm = policy.storm
    if storm is None:
        return None
    return Watch(
        authors=storm.authors,
        within=storm.within * 60.0,
        times=storm.times,
        days=storm.days,
        calm=storm.calm * 60.0,
        per_source=storm.per_source,
        per_hour=storm.tickets_per_hour,
    )


def _announcing(wiring: Wiring) -> Announce:
    return lambda storm: announcement(wiring, storm)


def joined(turn: Turn, decision: Decision, here: Placement) -> Decision:
    """The decision about a mention in a storm: its tags, and the link to the problem ticket once that is open."""
    if here.unanswered:
        told = Because("answer", False, "automatic", "", here.unanswered)
        decision = replace(decision, because=(*decision.because, told))
    if here.storm is None:
        return decision
    its = linking(turn.wiring, here.storm, turn.claim.helpdesk)
    settings = replace(decision.settings, tags=tuple(dict.fromkeys((*decision.settings.tags, *its.tags))))
    because = [Because("tags", its.tags, "storm", "", f"a storm on {here.storm.topic} is on")]
    if its.problem and not settings.problem:
        turn.incident = True
        settings = replace(settings, problem=its.problem, type=its.type)
        because.append(Because("problem", its.problem, "storm", "", "the storm's problem ticket"))
    return replace(decision, settings=settings, because=(*decision.because, *because))


def linking(wiring: Wiring, storm: Storm, helpdesk: str) -> Settings:
    """What makes a ticket part of a storm: tags, and where the helpdesk has them, the link of incident to problem."""
    tags = wiring.policy.storm.tags if wiring.policy.storm is not None else ("storm",)
    desk = wiring.helpdesks.get(helpdesk)
    if storm.ticket is None or desk is None or not desk.capabilities.problems:
        return Settings(tags=tags)
    return Settings(tags=tags, type="incident", problem=storm.ticket)


# --- what people are told ----------------------------------------------------------------------------------


def announcement(wiring: Wiring, storm: Storm) -> Bulletin:
    """The problem ticket of a storm that begins."""
    section = wiring.policy.storm
    settings = section.problem if section is not None else Settings(priority="urgent")
    tags = section.tags if section is not None else ("storm",)
    desk = wiring.helpdesks.get(storm.helpdesk)
    problems = desk is not None and desk.capabilities.problems
    settings = replace(
        settings,
        priority=settings.priority or "urgent",
        type="problem" if problems else None,
        tags=tuple(dict.fromkeys((*settings.tags, *tags))),
    )
    within = f" within {section.within} minutes" if section is not None else ""
    counted = (
        f"{storm.authors} different people are unhappy about it{within}; at this time of day there are usually "
        f"{storm.usual:.1f}."
    )
    how = "are linked to this one as its incidents" if problems else f"carry the tag {escape(', '.join(tags))}"
    cap = section.tickets_per_hour if section is not None else None
    beyond = f" What comes beyond {cap} tickets an hour is told here." if cap is not None else ""
    note = (
        f"<p><strong>A storm: {escape(_about(storm))}</strong></p><p>{counted}</p>"
        f"<ul><li>Their tickets {how}; who is kept apart and what is private is not.{beyond}</li>"
        "<li>Automatic answers are paused until it is over.</li>"
        "<li>Answer people on their own tickets: a public comment on this one reaches nobody.</li>"
        "<li>It ends by itself, with a summary here.</li></ul>"
    )
    return Bulletin(_ticket(f"Storm: {_about(storm)}", counted, _called("storm", storm), settings), note)


def incident_note(wiring: Wiring, storm: Storm, helpdesk: str, ticket: TicketId) -> CommentDraft:
    """What a ticket is told that turns out to be part of a storm."""
    where = _link(wiring, storm)
    html = (
        f"<p><strong>Part of a storm: {escape(_about(storm))}</strong></p>"
        f"<p>{storm.authors} people said so when it began. The problem ticket is {where}."
        " Automatic answers are paused.</p>"
    )
    return CommentDraft(ticket, html, settings=linking(wiring, storm, helpdesk))


def summary_note(summary: Summary) -> CommentDraft:
    """What a storm came to, for its problem ticket."""
    storm = summary.storm
    hours = ((storm.ended_at or storm.began_at) - storm.began_at) / 3600
    lines = [
        f"{summary.mentions} messages of {summary.people} people in {hours:.1f} hours",
        f"by source: {', '.join(f'{escape(name)} {count}' for name, count in summary.sources) or 'none'}",
        f"conversations with a ticket of their own: {summary.incidents}",
        f"told in a digest: {summary.digested}",
    ]
    html = (
        f"<p><strong>The storm is over: {escape(_about(storm))}</strong></p>"
        f"<ul>{''.join(f'<li>{line}</li>' for line in lines)}</ul>"
        "<p>Automatic answers go on. The tickets stay as they are.</p>"
    )
    return CommentDraft(TicketId(""), html)  # the ticket is that of its conversation


def digest_bulletin(wiring: Wiring, gathered: Gathered) -> Bulletin:
    """Mentions without a ticket of their own, told on one."""
    count = len(gathered.items)
    what = f"{count} message{'' if count == 1 else 's'} without a ticket of {'its' if count == 1 else 'their'} own"
    why = f" ({escape(gathered.silence)})" if gathered.silence else ""
    more = f"<p>{gathered.left} more follow.</p>" if gathered.left else ""
    note = (
        f"<p><strong>{what}</strong> · {escape(gathered.name)}{why}</p>"
        f"{''.join(_item(number, mention) for number, mention in gathered.items)}{more}"
        "<p>To answer one, give it a ticket: connector deliveries release NUMBER</p>"
    )
    if gathered.storm is not None:
        return Bulletin(announcement(wiring, gathered.storm).ticket, note)
    first = f"{gathered.helpdesk} {gathered.name} {gathered.items[0][0]}"
    subject, intro = f"Digest: {gathered.name}", "Messages that got no ticket of their own are told in private notes."
    called = f"digest:{key_of('digest', first)[:16]}"
    return Bulletin(_ticket(subject, intro, called, Settings(tags=("digest",))), note)


def _item(number: int, mention: Mention) -> str:
    when = mention.created_at.strftime("%Y-%m-%d %H:%M UTC")
    who = link(mention.url, mention.author.shown) if mention.url else escape(mention.author.shown)
    text = "\n".join(part for part in (mention.title, mention.text) if part) or "(no text)"
    head = f"<p><strong>{who}</strong> · {when} · {escape(mention.source)} · delivery {number}</p>"
    return f"{head}<blockquote>{to_html(_cut(text))}</blockquote>"


def _cut(text: str) -> str:
    """At most so much of a text as twenty of them fit into one note."""
    return text if len(text) <= _MOST_TEXT else f"{text[:_MOST_TEXT].rstrip()} …"


def _ticket(subject: str, intro: str, called: str, settings: Settings) -> TicketDraft:
    return TicketDraft(called, shorten(subject, 150), _OURSELVES, f"<p>{escape(intro)}</p>", settings)


def _called(what: str, storm: Storm) -> str:
    """The external id of its ticket: another one for each storm that ever was."""
    return f"{what}:{key_of(what, storm.helpdesk, storm.topic, storm.source, repr(storm.began_at))[:16]}"


def _about(storm: Storm) -> str:
    topic = storm.topic.replace("_", " ").replace(".", ": ")
    return f"{topic} on {storm.source}" if storm.source else topic


def _link(wiring: Wiring, storm: Storm) -> str:
    if storm.ticket is None:
        return "on its way"
    desk = wiring.helpdesks.get(storm.helpdesk)
    url = desk.ticket_url(storm.ticket) if desk is not None else ""
    return link(url, f"#{storm.ticket}") if url else f"#{escape(storm.ticket)}"


# --- carrying ----------------------------------------------------------------------------------------------


def carry_bulletin(turn: Turn) -> Outcome:
    """Carry a bulletin one turn: a note on the ticket of its conversation, which is opened first where there is none
    that could be written on."""
    if turn.wiring.shadow and not turn.begun:
        return turn.outcome("held", "shadow: decided, nothing written")
    claim, bulletin = turn.claim, turn.claim.bulletin
    opening = turn.begun and any(part.request.op == "ticket" for part in claim.parts)
    follow_up, refused = None, False
    if claim.ticket is not None and not opening:
        try:
            turn.part(turn.desk, 0, CommentDraft(claim.ticket, bulletin.note))
            return turn.outcome("done")
        except Closed:
            follow_up, refused = claim.ticket, True
        except Gone:
            refused = True
    elif claim.ticket is not None and 0 not in turn.receipts:
        follow_up = claim.ticket
    turn.external_id = bulletin.ticket.external_id
    opened = turn.part(turn.desk, 0, replace(bulletin.ticket, follow_up_of=follow_up), refused=refused)
    if opened.ticket is None:
        raise Rejected("the helpdesk did not say which ticket it opened", service=turn.desk.name)
    turn.ticket = opened.ticket
    turn.part(turn.desk, 1, CommentDraft(opened.ticket, bulletin.note))
    return turn.outcome("done")
