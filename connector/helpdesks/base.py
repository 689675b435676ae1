"""The contract every helpdesk keeps. `connector.testing.helpdesk_contract.HelpdeskContract` checks it.

Writing is the Outlet's prepare, send, find: a TicketDraft opens a ticket, a CommentDraft adds a comment (public as
its author, or our private note) and changes settings with it. `send` of a comment raises Closed when the ticket can
no longer be updated (the engine then opens a follow-up) and Gone when it was deleted (the engine opens a new one).

Reading replies has one truth, the ticket's own comments, and two ways to learn where to look: a hook, and the list
of changed tickets as safety net.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field

from connector.adapter import AccountOptions, Hook, Outlet
from connector.errors import ConnectorError, Unsupported
from connector.helpdesks.examination import Finding, Needs, Probe, fields_found, refused
from connector.http import Http
from connector.model import (
    CommentDraft,
    CommentId,
    Cursor,
    Merge,
    Page,
    Receipt,
    Reply,
    TicketDraft,
    TicketId,
    TicketState,
    Vocabulary,
)


@dataclass(frozen=True, slots=True)
class HelpdeskCapabilities:
    """What a helpdesk can do. `closed_ticket`: what has to happen to write on a closed one.
    `problems`: a ticket of type incident can be linked to one of type problem."""

    push: bool = False
    idempotent_create: bool = False
    find: bool = True
    attachments: bool = False
    custom_fields: bool = False
    problems: bool = False
    closed_ticket: Literal["reopen", "follow_up"] = "reopen"


class TagCommands(BaseModel):
    """The tags by which an agent tells the connector something; an empty text switches one off."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    reply_private: str = Field(default="reply_private", description="public comments go to the person alone")
    do_not_reply: str = Field(default="do_not_reply", description="public comments stay in the helpdesk")
    mute_author: str = Field(default="mute_author", description="no more tickets of this author")
    move_to_private: str = Field(default="move_to_private", description="ask the person to write privately")
    release_reply: str = Field(default="release_reply", description="held replies of this ticket leave after all")


class HelpdeskOptions(AccountOptions):
    """The keys every helpdesk takes."""

    poll: float = Field(default=60.0, ge=0.05, description="seconds between two looks for changed tickets")
    reply_field: str = Field(
        default="", description="ticket field (title or id) that shows the state of a reply; else a tag"
    )
    tone_field: str = Field(
        default="", description="ticket field (title or id) with the tone; what agents make of it is learnt"
    )
    reopen: bool = Field(default=True, description="reopen a ticket whose reply failed or is held")
    commands: TagCommands = Field(default=TagCommands(), description="tags by which agents tell us something")


def plain_address(value: str, example: str) -> str:
    """An account's address without its API path: https, or http on this machine only. ValueError says what is wrong
    with it."""
    parts = urlsplit(value.strip())
    host = parts.hostname or ""
    if parts.scheme not in ("https", "http") or not host:
        raise ValueError(f"has to be an address such as {example}")
    if parts.scheme == "http" and not _is_loopback(host):
        raise ValueError("has to begin with https:// (http:// only for this machine)")
    if parts.username or parts.password or parts.query or parts.fragment:
        raise ValueError("has to be the plain address, without a log-in, ? or #")
    path = parts.path.rstrip("/").removesuffix("/api/v2")
    return f"{parts.scheme}://{parts.netloc}{path}"


def _is_loopback(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


class Helpdesk(Outlet[TicketDraft | CommentDraft]):
    """One Zendesk or Freshdesk account."""

    Options: ClassVar[type[HelpdeskOptions]] = HelpdeskOptions
    capabilities: ClassVar[HelpdeskCapabilities]
    erasing: ClassVar[str] = ""
    """How somebody is erased there, in words for `connector forget`."""

    def __init__(self, name: str, options: HelpdeskOptions, http: Http) -> None:
        super().__init__(name, http)
        self.options = options

    def ticket_url(self, ticket: TicketId) -> str:
        """Where an agent reads the ticket in a browser."""
        return ""

    def vocabulary(self) -> Vocabulary:
        """Fields, groups, brands and forms as they are now. Called by `check --live`."""
        raise Unsupported(f"{self.type} cannot list its fields", service=self.name)

    def examine(self, needs: Needs) -> tuple[Finding, ...]:
        """What can be told about this account without changing anything there. Called by `connector doctor`. Never
        raises a ConnectorError: what cannot be asked is a finding too. This much every helpdesk can tell."""
        try:
            identity, vocabulary = self.check(), self.vocabulary()
        except ConnectorError as error:
            return (refused(error),)
        probe = Probe()
        probe.ok("account", "credentials", f"as {identity.name or identity.id}")
        for note in identity.notes:
            probe.add("account", "note", "unknown", note, necessary=False)
        probe.found += fields_found(needs.fields, vocabulary.fields, self.type)
        return tuple(probe.found)

    def apply(self, needs: Needs, finding: Finding) -> str:
        """Make what a finding says is missing, if it is still missing, and say in a sentence what was done. Called by
        `connector doctor --apply`, for findings whose `remedy` is not empty; doing it twice is doing it once."""
        raise Unsupported(f"{self.type} lets nobody make that by its API", service=self.name)

    def hook_secret(self, needs: Needs) -> str:
        """The secret that the helpdesk made to sign its hooks with. Called by `connector doctor --secret-file`; it is
        masked in every log from then on. Unsupported where the admin thinks of one."""
        raise Unsupported(f"{self.type} makes no secret; the one in webhook_secret is yours", service=self.name)

    def read_hook(self, hook: Hook) -> Sequence[TicketId]:
        """The tickets a hook says have changed; BadHook when it is not authentic."""
        raise Unsupported(f"{self.type} takes no incoming calls", service=self.name)

    def changed_tickets(self, cursor: Cursor | None, limit: int) -> Page[TicketId]:
        """Tickets that changed, oldest first. None: from now on. The safety net under the hooks."""
        raise Unsupported(f"{self.type} cannot list changes", service=self.name)

    def read_replies(self, ticket: TicketId) -> Sequence[Reply]:
        """Every comment of a ticket that could be a reply, oldest first: the truth. Gone when it was deleted."""
        raise Unsupported(f"{self.type} cannot list comments", service=self.name)

    def read_reply(self, ticket: TicketId, comment: CommentId) -> Reply | None:
        """One comment as it is now, read just before it leaves. None: it was taken away."""
        for reply in self.read_replies(ticket):
            if reply.id == comment:
                return reply
        return None

    def read_tickets(self, tickets: Sequence[TicketId]) -> Sequence[TicketState]:
        """How up to 100 tickets stand; one that was deleted is left out."""
        raise Unsupported(f"{self.type} cannot tell how tickets stand", service=self.name)

    def find_tickets(self, external_id: str) -> tuple[Receipt, ...]:
        """Tickets that carry our external id, oldest first, deleted ones not among them. Called by `verify`."""
        raise Unsupported(f"{self.type} cannot look up tickets", service=self.name)

    def survivor(self, ticket: TicketId) -> Merge | None:
        """The ticket this one was merged into, if it was, and when."""
        return None
