"""What this sandbox does wrong on purpose: what every vendor may do, and where Freshdesk's ways are unknown."""

from __future__ import annotations

from dataclasses import dataclass

from connector.testing.simulators.dice import CommonFaults


@dataclass(slots=True)
class Faults(CommonFaults):
    """The wanted misbehaviour, besides what `CommonFaults` tells.

    The rest are questions the vendor's documents leave open; each can be answered either way.
    `reply_needs_email`: a reply to a requester without an e-mail address is refused (one report of a 400).
    `incoming_reopens`: a customer's note opens a resolved or closed ticket again.
    `merge_moves`: a merge takes the conversations of the secondary tickets along, under their old ids.
    `due_in_the_past`: due dates that are over, or that do not go with the status, are refused.
    `webhook_breaks_json`: placeholders stand in the body unescaped, so that a quotation mark spoils it.
    """

    reply_needs_email: bool = False
    incoming_reopens: bool = False
    merge_moves: bool = True
    due_in_the_past: bool = False
    webhook_breaks_json: bool = False
