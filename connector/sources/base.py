"""The contract every source keeps. `connector.testing.contracts.SourceContract` checks it.

Abilities are flags in `capabilities`, plus the optional method each flag promises; the method's default raises
Unsupported, and a test checks flag against method. Adapters measure; the engine splits.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, Field

from connector.adapter import AccountOptions, ChallengeAnswer, Hook, Outlet
from connector.errors import Unsupported
from connector.http import Download, Http
from connector.model import (
    KINDS,
    Cursor,
    Identity,
    Key,
    Kind,
    Mention,
    Page,
    Receipt,
    ReplyDraft,
    ReplyLimits,
    ReplyOutlook,
    Request,
)


@dataclass(frozen=True, slots=True)
class SourceCapabilities:
    """What an adapter can do at all. `idempotent_reply`: the same key twice gives one post."""

    kinds: tuple[Kind, ...] = KINDS
    pull: bool = False
    push: bool = False
    edits: bool = False
    deletes: bool = False
    reply: bool = False
    private_reply: bool = False
    idempotent_reply: bool = False
    find_reply: bool = False
    enrich: bool = False
    locate: bool = False
    attachments_in: bool = False
    attachments_out: bool = False


def _web_address(value: str) -> str:
    if not value.startswith(("http://", "https://")):
        raise ValueError("has to begin with https://")
    return value.rstrip("/")


WebAddress = Annotated[str, AfterValidator(_web_address)]
"""A setting that is the address of a server, or of a page: without the slash at its end."""


class SourceOptions(AccountOptions):
    """The keys every source takes."""

    helpdesk: str = Field(description="the helpdesk (a name under `helpdesks`) its tickets go to")
    conversation: Literal["thread", "thread_and_author"] = Field(
        default="thread", description="what belongs on one ticket: a whole thread, or one author in a thread"
    )
    poll: float = Field(default=30.0, ge=0.05, description="seconds between two pulls")


class Source(Outlet[ReplyDraft]):
    """One account on one platform that we listen to and may answer on."""

    Options: ClassVar[type[SourceOptions]] = SourceOptions
    capabilities: ClassVar[SourceCapabilities]
    about: ClassVar[str] = ""
    """What it listens to and whether it answers, in one line for people."""
    unconfirmed: ClassVar[tuple[str, ...]] = ()
    """What it takes for granted about the platform and nobody has seen there."""

    def __init__(self, name: str, options: SourceOptions, http: Http) -> None:
        super().__init__(name, http)
        self.options = options

    @property
    def replies(self) -> bool:
        """Whether this account, as configured, can answer at all."""
        return self.capabilities.reply

    def check(self) -> Identity:
        """Who we are there."""
        return Identity(id=self.name, name=self.name)

    def fetch(self, cursor: Cursor | None, limit: int) -> Page[Mention]:
        """The next mentions, oldest first. None: from now on. The same cursor twice loses nothing."""
        raise Unsupported(f"{self.type} cannot be polled", service=self.name)

    def read_hook(self, hook: Hook) -> Sequence[Mention]:
        """The mentions in one incoming call; BadHook when it is not authentic or not readable."""
        raise Unsupported(f"{self.type} takes no incoming calls", service=self.name)

    def hook_answer(self, hook: Hook) -> str | None:
        """The text its caller wants to hear once what the call brought is durable; None: it does not matter."""
        return None

    def answer_challenge(self, query: Mapping[str, str]) -> ChallengeAnswer:
        """The answer to a platform that asks, before it sends hooks, whether their address is ours; BadHook when the
        question is not authentic. For sources that take hooks and are asked."""
        raise Unsupported(f"{self.type} is asked no such questions", service=self.name)

    def enrich(self, mention: Mention) -> Mention:
        """The same mention with what costs a call to know: profile, parent. Called once, before the ticket."""
        raise Unsupported(f"{self.type} knows no more than it gave", service=self.name)

    def download(self, ref: str, limit: int) -> Download:
        """The file behind this account's own `ref` of an attachment; Rejected when it has more bytes than `limit`."""
        raise Unsupported(f"{self.type} holds no files", service=self.name)

    def outlook(self, mention: Mention) -> ReplyOutlook:
        """What is known about answering this mention before an agent writes, for the card. Asks nobody."""
        return ReplyOutlook(possible=self.replies)

    def locate(self, mention: Mention) -> Mention | None:
        """A mention that another source found (a listening tool, a feed, a person), as this account's own: `source`,
        `platform`, `external_id`, `thread_id`, `author` and `own` exactly as `fetch` would give them, so that it is
        known as the same post whichever way it arrives first, and is answered from here. None: its address is none
        of this platform, or there is nothing there to answer. May ask the platform; may fill in what a tool leaves
        out (its text, for one that hands on ids only). Called before the mention is stored."""
        raise Unsupported(f"{self.type} does not know posts by their address", service=self.name)

    def reply_limits(self, mention: Mention) -> ReplyLimits:
        """What may be answered to this mention now. Closed: nothing. Called just before a reply leaves."""
        raise Unsupported(f"{self.type} cannot be answered: use the link and answer there", service=self.name)

    def measure(self, text: str) -> int:
        """The length of a text in the platform's own counting."""
        return len(text)

    def prepare(self, draft: ReplyDraft) -> Request:
        """The post, frozen. Gone when what it answers is no longer there."""
        raise Unsupported(f"{self.type} cannot be answered: use the link and answer there", service=self.name)

    def send(self, request: Request, key: Key) -> Receipt:
        """Exactly one post, one receipt."""
        raise Unsupported(f"{self.type} cannot be answered", service=self.name)

    def find(self, request: Request, key: Key) -> tuple[Receipt, ...]:
        """The post, if it is there already."""
        raise Unsupported(f"{self.type} cannot look for a reply", service=self.name)
