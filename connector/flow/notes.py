"""What the ticket tells the agent: every reply's outcome, every edit and deletion, in private notes.

A note says what happened, where to see it, and what the agent can do now. The state also goes into a field or a tag
so that views and reports can use it; what did not arrive reopens the ticket.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import tzinfo
from html import escape
from typing import Literal

from connector.helpdesks.base import HelpdeskOptions
from connector.markup import link, shorten, to_html
from connector.model import HIDDEN, CommentDraft, DueStep, Mention, Receipt, Settings, TicketId, utc
from connector.store.privates import AWAITING
from connector.store.reconcile import Passed
from connector.triage import Policy
from connector.triage.card import moment

ReplyState = Literal["queued", "sent", "held", "failed", "unsure", "kept"]
REPLY_STATES: tuple[ReplyState, ...] = ("queued", "sent", "held", "failed", "unsure", "kept")

ANSWERED_THERE_TAG = "answered_on_platform"

_HEADINGS: dict[ReplyState, str] = {
    "queued": "Reply is still waiting: it is NOT public yet",
    "sent": "Reply posted",
    "held": "Reply held: it is NOT public",
    "failed": "Reply NOT delivered",
    "unsure": "Nobody can tell whether the reply was posted",
    "kept": "Reply not posted, as the ticket asks",
}

_REMEDIES: dict[ReplyState, str] = {
    "queued": "It is tried again by itself and you are told how it ends. If it cannot wait, answer by hand.",
    "sent": "",
    "held": "Answer again with a public comment that fits.",
    "failed": "Answer again with a public comment, if an answer is still wanted, or by hand where it was written.",
    "unsure": "Look at the thread before you answer again; then tell an admin to retry or drop this delivery.",
    "kept": "Take the tag off and answer again if the person is to read it.",
}


_DUE: dict[DueStep, str] = {
    "reminder": "First answer due by {}",
    "target": "First answer was due by {}",
    "breach": "First answer is late since {}",
    "ceiling": "First answer should have left by {} at the latest",
}


def deadline_note(passed: Passed, policy: Policy, quiet: str) -> CommentDraft | None:
    """The note about a first answer that is due soon, or late, with what the mapping sets on the ticket then; None
    where the mapping wants nothing said. `quiet` is the tag that says there will be no answer."""
    due = passed.deadlines
    happens = policy.escalation(due.rule, passed.missed)
    if happens is None and passed.step != "reminder":
        return None
    step, settings, added = happens or (passed.step, Settings(), "")
    when = due.target if step == "reminder" else getattr(due, step)
    said = moment(utc(passed.since), policy.zone)
    whose = f", counted in the hours of {due.calendar}" if due.calendar else ""
    ends = "a public answer, or solving the ticket" + (f", or the tag {quiet}" if quiet else "")
    wanted = f"One is wanted within {due.within} (deadline «{escape(due.rule)}»{escape(whose)})."
    lines = [
        f"<p><strong>{escape(_DUE[step].format(moment(when, policy.zone)))}</strong></p>",
        to_html(added) if added else "",
        f"<p>No answer has been seen yet to what was said on {escape(said)}. {wanted}</p>",
        f"<p>What ends this: {escape(ends)}.</p>",
    ]
    return CommentDraft(passed.ticket, "".join(lines), settings=settings)


def reply_settings(options: HelpdeskOptions, state: ReplyState) -> Settings:
    """The field or the tags that show the state; a reply that did not arrive reopens the ticket."""
    status = "open" if options.reopen and state in ("held", "failed", "unsure") else None
    if options.reply_field:
        return Settings(fields={options.reply_field: state}, status=status)
    others = tuple(f"reply_{other}" for other in REPLY_STATES if other != state)
    return Settings(tags=(f"reply_{state}",), untag=others, status=status)


def reply_note(
    ticket: TicketId,
    options: HelpdeskOptions,
    state: ReplyState,
    *,
    mention: Mention | None,
    reason: str = "",
    noticed: Sequence[tuple[str, str]] = (),
    receipts: Sequence[Receipt] = (),
    delivery: int,
) -> CommentDraft:
    """The note about one reply, with the permalink of each post or with the reason and the way out. `noticed` are
    the guard's findings, each a sentence with the words it is about."""
    lines = [f"<p><strong>{_HEADINGS[state]}</strong></p>"]
    if noticed:
        lines.append(f"<ul>{''.join(_noticed_html(*one) for one in noticed)}</ul>")
    elif reason:
        lines.append(f"<p>Why: {escape(reason)}</p>")
    posted = "<br>".join(link(receipt.url) if receipt.url else escape(receipt.id) for receipt in receipts)
    if posted:
        lines.append(
            f"<p>{posted}</p>" if state == "sent" else f"<p>This part of it is public already:<br>{posted}</p>"
        )
    elif state == "failed":
        lines.append("<p>Nothing of it was posted.</p>")
    if state != "sent":
        thread = f" {link(mention.url, 'Open the thread')}" if mention is not None and mention.url else ""
        tag = options.commands.release_reply if state == "held" else ""
        release = f" Or add the tag {escape(tag)}: then it leaves as it is." if tag else ""
        lines.append(f"<p>{_REMEDIES[state]}{release}{thread}</p><p>delivery {delivery}</p>")
    return CommentDraft(ticket=ticket, html="".join(lines), settings=reply_settings(options, state))


def automatic_note(
    ticket: TicketId,
    options: HelpdeskOptions,
    state: ReplyState,
    text: str,
    *,
    reason: str = "",
    noticed: Sequence[tuple[str, str]] = (),
    receipts: Sequence[Receipt] = (),
    delivery: int,
) -> CommentDraft:
    """The note about an answer that no agent wrote, with its words: they stand nowhere else on the ticket."""
    heading = "Automatic answer posted" if state == "sent" else f"Automatic answer: {_AUTOMATIC[state]}"
    lines = [f"<p><strong>{heading}</strong></p><blockquote>{text}</blockquote>"]
    if noticed:
        lines.append(f"<ul>{''.join(_noticed_html(*one) for one in noticed)}</ul>")
    elif reason:
        lines.append(f"<p>{escape(reason)}</p>")
    if receipts:
        lines.append(f"<p>{'<br>'.join(link(r.url) if r.url else escape(r.id) for r in receipts)}</p>")
    if state != "sent":
        tag = options.commands.release_reply if state == "held" else ""
        release = f" Or add the tag {escape(tag)}: then it leaves as it is." if tag else ""
        lines.append(f"<p>Answer with a public comment if the person is to hear from us.{release}</p>")
        lines.append(f"<p>delivery {delivery}</p>")
    tags = ("answered_automatically",) if state == "sent" else ()
    return CommentDraft(ticket=ticket, html="".join(lines), settings=Settings(tags=tags))


_AUTOMATIC: dict[ReplyState, str] = {
    "queued": "still waiting, NOT public yet",
    "sent": "posted",
    "held": "held, it is NOT public",
    "failed": "NOT delivered",
    "unsure": "nobody can tell whether it was posted",
    "kept": "not sent",
}


def moved_note(ticket: TicketId, reply_private: str, receipts: Sequence[Receipt]) -> CommentDraft:
    """The line stands in public; the ticket waits for the person. `reply_private` is the tag by which public comments
    go to the person alone, empty where that cannot be."""
    posted = "<br>".join(link(receipt.url) if receipt.url else escape(receipt.id) for receipt in receipts)
    how = (
        "Public comments on this ticket go to the person alone from now on."
        if reply_private
        else "We cannot write first here: what you answer before the person has written is public."
    )
    html = (
        f"<p><strong>Moved to private: the person is asked to write to us</strong></p><p>{posted}</p>"
        f"<p>{how} Their private message comes onto this ticket.</p>"
    )
    tags = (AWAITING, *([reply_private] if reply_private else []))
    return CommentDraft(ticket, html, settings=Settings(tags=tags))


def not_moved_note(ticket: TicketId, why: str) -> CommentDraft:
    """The line has become needless before it could be posted."""
    told = escape(f"{why[:1].upper()}{why[1:]}.")
    heading = "The line that asks for a private message was not posted"
    return CommentDraft(ticket, f"<p><strong>{heading}</strong></p><p>{told}</p>")


def reminder_note(ticket: TicketId, seconds: float) -> CommentDraft:
    """The person was asked to write privately and has not."""
    heading = f"No private message after {seconds / 3600:.0f} hours"
    html = f"<p><strong>{heading}</strong></p><p>Ask again, or answer here.</p>"
    return CommentDraft(ticket, html, settings=Settings(status="open"))


def trial_html(text: str) -> str:
    """What would have been answered automatically."""
    return (
        "<p><strong>Would have been answered automatically (dry run): nothing was sent</strong></p>"
        f"<blockquote>{to_html(text)}</blockquote>"
    )


def _noticed_html(sentence: str, words: str) -> str:
    return f"<li>{escape(sentence)}" + (f" «{escape(words)}»" if words else "") + "</li>"


def recalled_html(receipts: Sequence[Receipt]) -> str:
    """An answer was made private, blacked out or deleted here when it had been posted already."""
    posted = "<br>".join(link(receipt.url) if receipt.url else escape(receipt.id) for receipt in receipts)
    return (
        "<p><strong>This answer still stands where it was posted</strong></p>"
        "<p>The comment was made private, blacked out or deleted here after it had left. Nothing was taken back "
        f"there: if it has to go, delete it by hand.</p><p>{posted}</p>"
    )


def edited_html(before: Mention | None, after: Mention) -> str:
    """The author changed or deleted what they wrote; nothing is overwritten."""
    where = f"<p>{link(after.url)}</p>" if after.url else ""
    if after.deleted:
        known = f"<p>It said:</p><blockquote>{to_html(before.text)}</blockquote>" if before else ""
        return f"<p><strong>{escape(after.author.shown)} deleted this message</strong></p>{known}{where}"
    if after.version == HIDDEN:
        return f"<p><strong>This message was hidden there: others cannot read it any more</strong></p>{where}"
    heading = f"<p><strong>{escape(after.author.shown)} edited this message</strong></p>"
    was = f"<p>Before:</p><blockquote>{to_html(before.text)}</blockquote>" if before else ""
    return f"{heading}{was}<p>After:</p><blockquote>{to_html(after.text)}</blockquote>{where}"


def answered_there_html(mention: Mention) -> str:
    """Somebody of ours answered on the platform itself."""
    how = "in private" if mention.private else "in public"
    where = f"<p>{link(mention.url)}</p>" if mention.url else ""
    return (
        f"<p><strong>Answered {how} on the platform itself, as {escape(mention.author.shown)}</strong></p>"
        f"<blockquote>{to_html(mention.text)}</blockquote>{where}"
    )


def together_html(texts: Sequence[tuple[Mention, str]], zone: tzinfo) -> str:
    """Several messages of one conversation in one comment, each under its author, time in `zone` and link."""
    if len(texts) == 1:
        return to_html(texts[0][1])
    blocks = []
    for mention, text in texts:
        head = link(mention.url, mention.author.shown) if mention.url else escape(mention.author.shown)
        blocks.append(f"<p><strong>{head}</strong> · {moment(mention.created_at, zone)}</p>{to_html(text)}")
    return "".join(blocks)


def doubled_html(receipts: Sequence[Receipt]) -> str:
    """The reconciler found one of our writes more than once."""
    extra = ", ".join(link(r.url, r.ticket or r.id) if r.url else escape(r.ticket or r.id) for r in receipts[1:])
    return (
        "<p><strong>Written more than once</strong></p>"
        f"<p>An answer was lost on the way and the same message exists again: {extra}. "
        "This one is kept; merge or delete the other.</p>"
    )


def short(text: str) -> str:
    """A reason in one line."""
    return shorten(text, 300)
