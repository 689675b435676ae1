"""The words of the house. Everything that travels between packages is one of these, frozen.

Mention        one thing somebody said: comment, post, dm, forum_post, review, article
Author         who said it, as the platform knows them
Thread         what belongs together on the platform; its id is chosen by the adapter
Conversation   what belongs on one ticket: a thread, or a thread and an author
Tone           very_negative … very_positive or unknown, with score, confidence and evidence
Feedback       what kind of saying it is: thanks, question, complaint.delivery, … as the mapping names them
Role           who an author is to us: client, critic, employee, troll, …
Past           what we remember of an author when their next mention is decided
Deadlines      when the first answer is due: target, breach, ceiling, and when to remind of it
Watch          a conversation whose first answer is due, until it is answered
Decision       what the mapping makes of a mention; its Trace says which rule set what, and why
Draft          what we are about to write: TicketDraft, CommentDraft (helpdesk), ReplyDraft (platform)
Reply          an agent's public comment that has to go back to the thread
Link           conversation ↔ ticket
Delivery       one intended side effect: a mention (becomes ticket or comment), a reply, a note or a bulletin
Storm          many people unhappy about one topic at once: one problem ticket, theirs linked to it
Silence        a topic or source of which no new tickets are made for a time; what was said is kept for a digest
Digest         mentions that got no ticket of their own, gathered in private notes on one ticket
Bulletin       what we tell ourselves about a storm or a digest, on a ticket of our own
Lane           the conversation's id: deliveries of one lane go one after another
Key            idempotency key, fixed when the delivery is born, sent with every try
Request        a side effect ready to be sent, its body frozen
Receipt        what the other side gave back, one per part
Cursor         opaque bookmark of a pull, made and read only by the adapter
Page           items, next cursor, more?

Ids are opaque text, made and parsed only by the adapter they come from. Since they are stored, their form is a
promise. Times are aware datetimes in UTC.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Generic, Literal, NewType, TypeVar

from pydantic import TypeAdapter

TicketId = NewType("TicketId", str)
CommentId = NewType("CommentId", str)
Cursor = NewType("Cursor", str)
Key = NewType("Key", str)

Kind = Literal["comment", "post", "dm", "forum_post", "review", "article"]
DueStep = Literal["reminder", "target", "breach", "ceiling"]
Role = Literal["client", "prospect", "advocate", "critic", "co_creator", "employee", "troll", "unknown"]
ToneLabel = Literal["very_negative", "negative", "neutral", "positive", "very_positive", "unknown"]
Priority = Literal["low", "normal", "high", "urgent"]

KINDS: tuple[Kind, ...] = ("comment", "post", "dm", "forum_post", "review", "article")
TONES: tuple[ToneLabel, ...] = (
    "very_negative",
    "negative",
    "neutral",
    "positive",
    "very_positive",
    "unknown",
)
PRIORITIES: tuple[Priority, ...] = ("low", "normal", "high", "urgent")
ROLES: tuple[Role, ...] = (
    "client",
    "prospect",
    "advocate",
    "critic",
    "co_creator",
    "employee",
    "troll",
    "unknown",
)
DUE_STEPS: tuple[DueStep, ...] = ("reminder", "target", "breach", "ceiling")

HIDDEN = "hidden"
"""The version of a mention that was hidden where it stands by whoever moderates there: not edited, not deleted."""

T = TypeVar("T")


# --- what people say ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Author:
    """Who said it. `id` is stable on the platform; `handle` is without @ and may change."""

    id: str
    name: str = ""
    handle: str = ""
    url: str = ""
    avatar_url: str = ""
    followers: int | None = None
    verified: bool | None = None

    @property
    def shown(self) -> str:
        """The name a person would use for this author."""
        return self.name or (f"@{self.handle}" if self.handle else self.id)


@dataclass(frozen=True, slots=True)
class Parent:
    """The post a mention answers."""

    id: str
    text: str = ""
    url: str = ""
    author: str = ""


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file by address. `size` in bytes, where known.

    `ref` is for a file whose address holds a credential or does not last: the name of the source that can fetch it, a
    slash, and that source's own word for it. `url` is then where people see it, or empty.
    """

    url: str
    type: str = ""
    name: str = ""
    size: int | None = None
    ref: str = ""


@dataclass(frozen=True, slots=True)
class Tone:
    """`score` runs from -1 (negative) to 1, `confidence` from 0 to 1. `by` is who judged: source, rating, words, or
    another detector's own name."""

    label: ToneLabel
    score: float = 0.0
    confidence: float = 0.0
    evidence: tuple[str, ...] = ()
    by: str = ""


@dataclass(frozen=True, slots=True)
class Mention:
    """One thing somebody said.

    `source` is the name of the account it came through, `platform` the network it was said on (the author's
    requester is `platform:author.id`). `version` tells edits of one external_id apart ("" for the first).
    `ref` is the adapter's own memo for answering; nobody else reads it. `own` marks what we wrote ourselves,
    `private` what others cannot read, `deleted` that the author took it back. `to` is, of what we wrote to one person
    alone, that person's id: a message need not answer another one.
    """

    source: str
    platform: str
    external_id: str
    author: Author
    text: str
    created_at: datetime
    kind: Kind = "post"
    version: str = ""
    url: str = ""
    title: str = ""
    thread_id: str = ""
    parent: Parent | None = None
    language: str = ""
    tone: Tone | None = None
    rating: float | None = None
    engagement: Mapping[str, int] = field(default_factory=dict)
    attachments: tuple[Attachment, ...] = ()
    own: bool = False
    private: bool = False
    deleted: bool = False
    ref: str = ""
    to: str = ""


# --- what we make of it ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Settings:
    """Ticket properties. None or empty means: leave it as the helpdesk has it.

    `group`, `brand`, `form` and the keys of `fields` are names as admins see them, or ids written as text.
    `problem` is the id of the problem ticket this one is an incident of. `tags` are added, `untag` removed.
    """

    priority: Priority | None = None
    type: str | None = None
    status: str | None = None
    group: str | None = None
    brand: str | None = None
    form: str | None = None
    problem: str | None = None
    tags: tuple[str, ...] = ()
    untag: tuple[str, ...] = ()
    fields: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Because:
    """One line of a trace: this rule (or table, or default) set this field to this value, at this place."""

    field: str
    value: Any
    rule: str
    place: str = ""
    why: str = ""


@dataclass(frozen=True, slots=True)
class Past:
    """What we remember of an author when their next mention is decided; the default is: nothing.

    `contacts` counts their earlier tickets, of other conversations, within the mapping's `remember_days`; `tickets`
    names some of them, newest first. `answered`: an answer of ours already stands in this conversation. `tone` is
    that of their last mention in it. `negative` and `positive` count their earlier mentions, in any conversation,
    of such a tone within the same days; of the last twenty of them.
    """

    contacts: int = 0
    tickets: tuple[TicketId, ...] = ()
    answered: bool = False
    tone: ToneLabel = "unknown"
    negative: int = 0
    positive: int = 0


@dataclass(frozen=True, slots=True)
class Deadlines:
    """When the first answer is due, as instants: wanted by `target`, late from `breach`, never after `ceiling`.

    `within` is the target as it was written (8h), `rule` the deadline that applied, `calendar` whose hours were
    counted (empty: around the clock). `reminder` comes before the target, where the mapping wants one.
    """

    target: datetime
    breach: datetime
    ceiling: datetime
    within: str
    rule: str
    calendar: str = ""
    reminder: datetime | None = None

    @property
    def steps(self) -> tuple[tuple[DueStep, datetime], ...]:
        """What comes due one after another, and when."""
        each = ((step, getattr(self, step)) for step in DUE_STEPS)
        return tuple((step, at) for step, at in each if at is not None)


@dataclass(frozen=True, slots=True)
class Decision:
    """What the mapping makes of one mention: a ticket with these settings, or ignored for a reason.

    `feedback` are the kinds of feedback it is, the most telling first, and `owner` whose matter that kind is.
    `score` is None where the mapping has none; `suggestion` is the answer it drafts for the agent; `role` is who the
    author is to us. `topic` is what storms and silences go by; `apart`: it gets a ticket of its own and no part in
    either. `answer` is what may be answered without an agent.
    """

    settings: Settings
    subject: str
    comment: str
    tone: Tone
    language: str = ""
    ignored: str = ""
    rules: tuple[str, ...] = ()
    because: tuple[Because, ...] = ()
    policy: str = ""
    feedback: tuple[str, ...] = ()
    answer_expected: bool = True
    score: int | None = None
    deadlines: Deadlines | None = None
    owner: str = ""
    suggestion: str = ""
    role: Role = "unknown"
    topic: str = ""
    apart: bool = False
    answer: str = ""


# --- what we are about to write ----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Person:
    """A requester or the author of a comment: `external_id` is `platform:id`; never an invented e-mail address.
    `handle` is their name on the platform, without @."""

    external_id: str
    name: str
    url: str = ""
    avatar_url: str = ""
    handle: str = ""


@dataclass(frozen=True, slots=True)
class TicketDraft:
    """A ticket to be opened; `html` is its first, public comment, authored by `author`.

    `external_id` is how we find it again. `follow_up_of` names the closed ticket it continues.
    """

    external_id: str
    subject: str
    author: Person
    html: str
    settings: Settings = Settings()
    attachments: tuple[Attachment, ...] = ()
    follow_up_of: TicketId | None = None


@dataclass(frozen=True, slots=True)
class CommentDraft:
    """A comment on a ticket: public and authored by `author`, or (author None) our own private note.

    `settings` are changed together with it, in the same call where the helpdesk can. Empty `html`: settings only.
    """

    ticket: TicketId
    html: str
    public: bool = False
    author: Person | None = None
    settings: Settings = Settings()
    attachments: tuple[Attachment, ...] = ()


@dataclass(frozen=True, slots=True)
class Bulletin:
    """What we have to tell ourselves: `note` (HTML) as a private note on the ticket of its conversation. Where there
    is none, or it was closed or deleted, `ticket` is opened for it first."""

    ticket: TicketDraft
    note: str


@dataclass(frozen=True, slots=True)
class ReplyDraft:
    """One post to be written on the platform, answering `mention`; already short enough to fit.

    `part` counts from 0: with `parts` more than one, each part answers the one before it (`previous`).
    """

    mention: Mention
    text: str
    html: str = ""
    private: bool = False
    attachments: tuple[Attachment, ...] = ()
    part: int = 0
    parts: int = 1
    previous: Receipt | None = None


@dataclass(frozen=True, slots=True)
class Request:
    """A side effect ready to be sent. `body` is made and read only by its adapter, and never changes again.

    `op` is "ticket" for one that opens a ticket and "comment" for one that adds to it; else the adapter's own word.
    `repeatable`: sending it twice with the same key is known to have one effect, at once and for hours.
    """

    op: str
    body: str
    repeatable: bool = False


@dataclass(frozen=True, slots=True)
class Receipt:
    """What the other side gave back: the id of the comment or post, its address, the ticket it stands on."""

    id: str
    url: str = ""
    ticket: TicketId | None = None


@dataclass(frozen=True, slots=True)
class Reply:
    """A comment on a ticket, as the helpdesk tells it.

    `by_agent`: written by a person who works there. `ours`: it carries the mark of one of our own writes.
    `redacted`: something in it was blacked out since. `answers`: nobody wrote it; it answers the mention of that
    external id automatically, and stands on no ticket. `asked`: an agent asked for it by a tag; its words are the
    mapping's line for a move to private.
    """

    ticket: TicketId
    id: CommentId
    public: bool
    by_agent: bool
    html: str
    created_at: datetime
    author: str = ""
    attachments: tuple[Attachment, ...] = ()
    ours: bool = False
    redacted: bool = False
    answers: str = ""
    asked: bool = False


@dataclass(frozen=True, slots=True)
class TicketState:
    """How a ticket stands, as the helpdesk tells it: its status in our words (new, open, pending, hold, solved,
    closed), its tags, who works on it, what the person said of the answer (good, bad; empty: nothing), and what
    stands in the field that holds the tone."""

    ticket: TicketId
    status: str
    tags: tuple[str, ...] = ()
    assignee: str = ""
    satisfaction: str = ""
    tone: str = ""


@dataclass(frozen=True, slots=True)
class Merge:
    """A ticket went on in another one, since `at` on the helpdesk's clock."""

    into: TicketId
    at: datetime


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """One answer of a pull: items oldest first, where to go on, and whether there is more right now."""

    items: tuple[T, ...]
    cursor: Cursor
    more: bool = False


@dataclass(frozen=True, slots=True)
class Identity:
    """Who we are on an account, to know our own posts and to show which account will answer."""

    id: str
    name: str = ""
    url: str = ""
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ReplyLimits:
    """What may be written in this thread now. `max_length` is in the platform's own counting (None: no limit);
    `max_with_files` is what fits in a post that carries files (None: as much as in any other)."""

    max_length: int | None = None
    max_parts: int = 1
    closes_at: datetime | None = None
    max_with_files: int | None = None


@dataclass(frozen=True, slots=True)
class ReplyOutlook:
    """What is known about answering one mention before anybody writes.

    Not `possible`: an agent has to answer by hand, where it was said. `why` tells the agent the reason, or what an
    answer has to keep to; `closes_at` is the last moment at which the platform takes one.
    """

    possible: bool = True
    why: str = ""
    closes_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class FieldSpec:
    """A ticket field of the helpdesk: its id, title, type and, for a choice, the values it takes."""

    id: str
    title: str
    type: str
    values: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """The names a mapping may use at one helpdesk now: ticket fields, groups, brands, forms, statuses and types (the
    common words and the account's own; empty where they cannot be told), and its plan's limit in requests a minute
    where it told us."""

    fields: tuple[FieldSpec, ...] = ()
    groups: tuple[str, ...] = ()
    brands: tuple[str, ...] = ()
    forms: tuple[str, ...] = ()
    statuses: tuple[str, ...] = ()
    types: tuple[str, ...] = ()
    requests_per_minute: int | None = None


FieldKind = Literal["dropdown", "multiselect", "checkbox", "integer", "decimal", "date", "text"]


@dataclass(frozen=True, slots=True)
class FieldNeed:
    """A ticket field that the configuration or the mapping names, by title or id, and what it would have to be.

    `values` are those it has to take, where it is a choice; `place` is where it is named. `ours`: the connector
    itself writes the values, so nobody can have mistyped them, and one that lacks may be added.
    """

    name: str
    kind: FieldKind
    values: tuple[str, ...] = ()
    place: str = ""
    ours: bool = False


# --- small functions on the words --------------------------------------------------------------------------


_adapters: dict[type, TypeAdapter[Any]] = {}


def _adapter(kind: type[Any]) -> TypeAdapter[Any]:
    adapter = _adapters.get(kind)
    if adapter is None:
        adapter = _adapters[kind] = TypeAdapter(kind)
    return adapter


def encode(value: object) -> str:
    """Any value of this module as JSON text, for the store."""
    return _adapter(type(value)).dump_json(value).decode()


def decode(kind: type[T], text: str) -> T:
    """The value that `encode` wrote."""
    value: T = _adapter(kind).validate_json(text)
    return value


def key_of(*words: str) -> Key:
    """The idempotency key for one side effect: the same words give the same key, for ever."""
    return Key(hashlib.sha256("\x1f".join(words).encode()).hexdigest()[:40])


def utc(seconds: float) -> datetime:
    """A Unix time as an aware datetime."""
    return datetime.fromtimestamp(seconds, UTC)
