"""Freshdesk's webhooks: are they our admin's, and which ticket do they speak of?

Freshdesk signs nothing; an automation rule sends whatever headers its author gives it, so a secret in one of them is
all there is. It is compared in constant time and never told back. A hook is only a wake-up: nothing but the ticket's
id is taken from it. The rule's simple content wraps its placeholders in `freshdesk_webhook` (seen in receivers).
"""

from __future__ import annotations

import hmac
from typing import Any

from connector.adapter import Hook
from connector.errors import BadHook
from connector.helpdesks.hooks import object_in, ticket_id
from connector.model import TicketId


def verify(hook: Hook, secret: str, header: str) -> None:
    """BadHook unless that header holds the secret."""
    if not secret:
        raise BadHook("this helpdesk takes no hooks: webhook_secret is not set", status=403)
    given = hook.headers.get(header.lower(), "")
    if not given:
        raise BadHook(f"the header {header} is missing", status=401)
    if not hmac.compare_digest(given.strip().encode(), secret.encode()):
        raise BadHook(f"the header {header} does not hold the secret", status=401)


def tickets_in(body: bytes) -> tuple[TicketId, ...]:
    """The ticket a body names as `ticket_id`, alone or in `freshdesk_webhook`. BadHook for others."""
    payload = object_in(body)
    wrapped = payload.get("freshdesk_webhook")
    inner: dict[str, Any] = wrapped if isinstance(wrapped, dict) else payload
    ticket = ticket_id(inner.get("ticket_id"))
    if ticket is None:
        raise BadHook('the body names no ticket: give the rule the content {"ticket_id": {{ticket.id}}}', status=400)
    return (ticket,)
