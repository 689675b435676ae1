"""What of an agent's comment is posted, and how: fixed before its first part leaves.

Here everything is asked that may keep it: is it still public, does a tag on the ticket say otherwise, is there
somebody to answer, may it be public, what does the guard find, does it fit. Whatever keeps it is an error with a
sentence for the agent; the words the guard found stand on the ticket only, never in a reason, which is logged.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from connector.errors import ConnectorError, Gone, Rejected, Unsupported
from connector.flow.automatic import overtaken
from connector.flow.split import split
from connector.flow.turn import Turn
from connector.markup import to_html, to_text
from connector.model import Attachment, Mention, Reply, ReplyLimits, TicketState
from connector.sources.base import Source
from connector.store.privates import is_private
from connector.triage.guard import Answer, Finding


class Withdrawn(ConnectorError):
    """deleted or made private before it left"""


class Redacted(Withdrawn):
    """Something in it was blacked out before it left."""


class Kept(ConnectorError):
    """It stays in the helpdesk, as the agents wanted."""


@dataclass(frozen=True, slots=True)
class Noticed:
    """One thing the guard found, for the ticket: what it is, and the words themselves."""

    sentence: str
    words: str = ""


class Held(ConnectorError):
    """It must not leave as it is; the sentence says why."""

    def __init__(self, sentence: str, noticed: tuple[Noticed, ...] = ()) -> None:
        super().__init__(sentence)
        self.noticed = noticed


@dataclass(frozen=True, slots=True)
class Plan:
    """How a reply is posted: the pieces, what they answer, to whom. `noticed` is told on the ticket at the end."""

    pieces: tuple[str, ...]
    html: str
    answers: str
    attachments: tuple[Attachment, ...] = ()
    private: bool = False
    noticed: tuple[Noticed, ...] = ()

    @property
    def files_at(self) -> int:
        """Which piece carries the files: the first, or a last one that has no words."""
        return 0 if self.pieces[-1] else len(self.pieces) - 1


def planned(turn: Turn, source: Source, reply: Reply) -> Plan:
    """What is posted, from the comment and the ticket as they are this moment."""
    current = still_public(turn, reply)
    target = target_of(turn.claim.heard, current)
    if reply.asked and target is not None:
        if turn.claim.overtaken and not turn.claim.released:
            raise Kept(turn.claim.overtaken)
        current = replace(current, html=to_html(turn.wiring.policy.private_line(target)))
    elif reply.answers and not turn.claim.released and (why := overtaken(turn, target)):
        raise Kept(why)
    if target is None:
        raise Rejected("there is no message in this conversation to answer")
    if any(m.deleted and m.external_id == target.external_id for m in turn.claim.heard):
        raise Gone("the message this answers was deleted", service=source.name)
    private = is_private(target)
    if private and not source.capabilities.private_reply:
        raise Unsupported("this was written to us privately, and here an answer would be public", service=source.name)
    private = private or _asked_to_be_private(turn, source, reply)
    by_agent = not (reply.asked or reply.answers)
    if by_agent and not private and turn.claim.private_beside and not turn.claim.released:
        raise Held("This ticket holds a private conversation too, and this answer would be public in the other one.")
    limits = source.reply_limits(target)
    text, attachments = _outgoing(source, current)
    if not text and not attachments:
        raise Held("There is no text in it.")
    private, noticed = _guarded(turn, source, text, target, private)
    pieces = split(text, source.measure, limits.max_length, limits.max_parts) if text else [""]
    if not pieces:
        raise Held(_too_long(source.measure(text), limits))
    if attachments and limits.max_with_files is not None and source.measure(pieces[0]) > limits.max_with_files:
        pieces = [*pieces, ""]
    return Plan(tuple(pieces), current.html, target.external_id, attachments, private, noticed)


def still_public(turn: Turn, reply: Reply) -> Reply:
    """The comment as the helpdesk has it now; an automatic answer stands on no ticket and is as it was born. Blacked
    out in part it leaves only when somebody released it so."""
    if reply.answers:
        return reply
    current = turn.desk.read_reply(reply.ticket, reply.id)
    if current is None and (merge := turn.desk.survivor(reply.ticket)) is not None:
        current = turn.desk.read_reply(merge.into, reply.id)  # a merge may take the comments along
    if current is None or not current.public:
        raise Withdrawn
    if current.redacted and not any(letter.isalnum() for letter in to_text(current.html)):
        raise Withdrawn
    if current.redacted and not turn.claim.released:
        raise Redacted
    return current


def target_of(heard: Sequence[Mention], reply: Reply) -> Mention | None:
    """The message a reply answers: the last one of a person that was there when the agent wrote; an automatic one
    answers the one it was made for."""
    first: dict[str, Mention] = {}
    for mention in heard:  # of each message the version that came first: an edit is no message of its own
        first.setdefault(mention.external_id, mention)
    people = [m for m in first.values() if not m.own and not m.deleted]
    if reply.answers:
        return next((m for m in people if m.external_id == reply.answers), None)
    seen = [m for m in people if m.created_at <= reply.created_at]
    chosen = seen or people
    return chosen[-1] if chosen else None


def _asked_to_be_private(turn: Turn, source: Source, reply: Reply) -> bool:
    """What the ticket's tags ask: not to post at all, or to post to the person alone."""
    commands = turn.desk.options.commands
    state = _state(turn, reply)
    tags = state.tags if state is not None else ()
    if commands.do_not_reply and commands.do_not_reply in tags:
        raise Kept(f"the ticket is tagged {commands.do_not_reply}")
    if reply.answers and commands.mute_author and commands.mute_author in tags:
        raise Kept(f"the ticket is tagged {commands.mute_author}")
    if not commands.reply_private or commands.reply_private not in tags or reply.asked:
        return False  # the line that moves a conversation to private stands in public
    if not source.capabilities.private_reply:
        raise Held(f"The ticket is tagged {commands.reply_private}, and here every answer would be public.")
    return True


def _state(turn: Turn, reply: Reply) -> TicketState | None:
    try:
        found = turn.desk.read_tickets((reply.ticket,))
    except Unsupported:
        return None
    return found[0] if found else None


def _guarded(
    turn: Turn, source: Source, text: str, target: Mention, private: bool
) -> tuple[bool, tuple[Noticed, ...]]:
    """Whether it goes to the person alone, and what was noticed. Held: it does not leave, unless somebody released
    it, which is a person's word against the guard's."""
    claim, guard = turn.claim, turn.wiring.policy.guard
    answer = Answer(
        text,
        public=not private,
        source=claim.source,
        thread=target.thread_id,
        account=turn.wiring.identities.get(claim.source, ""),
        asked="\n".join(m.text for m in claim.heard if not m.own),
        repeats=sum(at >= claim.now - guard.within * 3600 for at in claim.said_before),
    )
    found = guard.look(answer)
    if claim.released or not found:
        return private, ()
    if found[0].action == "to_private" and source.capabilities.private_reply:
        again = guard.look(replace(answer, public=False))
        if not any(one.action == "hold" for one in again):
            why = Noticed("It was posted to the person alone, since in public it would have been held.")
            return True, (why, *_noticed(found, text))
        found = again
    if found[0].action in ("hold", "to_private"):
        grave = [one for one in found if one.action != "warn"]
        raise Held(" ".join(dict.fromkeys(one.sentence for one in grave)), _noticed(grave, text))
    return private, _noticed(found, text)


def _noticed(found: Sequence[Finding], text: str) -> tuple[Noticed, ...]:
    return tuple(Noticed(one.sentence, text[one.start : one.end]) for one in found)


def _outgoing(source: Source, reply: Reply) -> tuple[str, tuple[Attachment, ...]]:
    """The reply as plain text; files go along where the platform takes them, else as their links."""
    taken = tuple(one for one in reply.attachments if source.takes(one))
    others = [one for one in reply.attachments if one not in taken]
    linked = "\n".join(f"{a.name}: {a.url}" if a.name else a.url for a in others)
    return "\n\n".join(part for part in (to_text(reply.html), linked) if part), taken


def _too_long(length: int, limits: ReplyLimits) -> str:
    longest, parts = limits.max_length or 0, limits.max_parts
    allowed = f"{longest} characters" if parts == 1 else f"{parts} posts of {longest} characters"
    over = length - longest * parts
    remedy = f"Shorten it by at least {over}." if over > 0 else "Shorten it a little."
    return f"It has {length} characters; {allowed} are allowed here. {remedy}"
