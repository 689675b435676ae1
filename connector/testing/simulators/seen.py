"""Tickets and comments as people see them at any helpdesk: what tests and the demo ask of every sandbox alike.

The words are those that both vendors' agents would use; how a vendor stores them is each sandbox's own business.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SeenTicket:
    """A ticket. `status` is new, open, pending, hold, solved, closed, deleted, spam, or the account's own label;
    `priority` low, normal, high, urgent or nothing."""

    number: int
    subject: str
    status: str
    priority: str
    type: str
    tags: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SeenFile:
    """A file under a comment; `url` gives its content without a log-in. `size` in bytes."""

    name: str
    type: str
    size: int
    url: str


@dataclass(frozen=True, slots=True)
class SeenComment:
    """Something said on a ticket, the first message too, which has the id 0 where it has none of its own. `staff`:
    by an agent or by a program that works as one."""

    id: int
    public: bool
    staff: bool
    author: str
    html: str
    text: str
    files: tuple[SeenFile, ...]
