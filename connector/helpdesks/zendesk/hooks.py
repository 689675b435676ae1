"""Zendesk's webhooks: are they really Zendesk's, and which tickets do they speak of?

Signed with base64(HMAC-SHA256(secret, timestamp + raw body)) (developer.zendesk.com, "Verifying webhooks"). The
protocol has no replay window, so we keep one of our own. A hook is only a wake-up: the payload may be cut or belong
to another state of the ticket, so nothing but the ticket's id is taken from it.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from datetime import UTC, datetime
from typing import Any

from connector.adapter import Hook
from connector.errors import BadHook
from connector.helpdesks.hooks import object_in, ticket_id
from connector.model import TicketId

_SUBJECT = "zen:ticket:"
_TYPE = "zen:event-type:ticket."


def verify(hook: Hook, secret: str, window: float) -> None:
    """BadHook unless the hook was signed with the secret, no further than `window` seconds from now."""
    if not secret:
        raise BadHook("this helpdesk takes no hooks: webhook_secret is not set", status=403)
    signature = hook.headers.get("x-zendesk-webhook-signature", "")
    timestamp = hook.headers.get("x-zendesk-webhook-signature-timestamp", "")
    if not signature or not timestamp:
        raise BadHook("the signature headers are missing", status=401)
    if not hmac.compare_digest(sign(secret, timestamp, hook.body).encode(), signature.strip().encode()):
        raise BadHook("the signature does not match", status=401)
    try:
        signed_at = datetime.fromisoformat(timestamp)
    except ValueError:
        raise BadHook("the signature's time cannot be read", status=401) from None
    if signed_at.tzinfo is None:
        signed_at = signed_at.replace(tzinfo=UTC)
    if abs(signed_at.timestamp() - hook.received_at) > window:
        raise BadHook("the signature is too old or from the future", status=401)


def sign(secret: str, timestamp: str, body: bytes) -> str:
    """The signature of a body."""
    digest = hmac.new(secret.encode(), timestamp.encode() + body, hashlib.sha256).digest()
    return base64.b64encode(digest).decode()


def tickets_in(body: bytes) -> tuple[TicketId, ...]:
    """The tickets a payload names: Zendesk's own event, or a trigger's {"ticket_id": …}. BadHook for others."""
    payload = object_in(body)
    found = [ticket for ticket in _named(payload) if ticket is not None]
    if not found:
        raise BadHook("the body names no ticket: neither a ticket event nor ticket_id", status=400)
    return tuple(dict.fromkeys(found))


def _named(payload: dict[str, Any]) -> list[TicketId | None]:
    subject, kind = str(payload.get("subject") or ""), str(payload.get("type") or "")
    if subject.startswith(_SUBJECT):
        return [ticket_id(subject.removeprefix(_SUBJECT)), _merged_into(payload)]
    if kind.startswith(_TYPE):
        detail = payload.get("detail")
        return [ticket_id(detail.get("id")) if isinstance(detail, dict) else None, _merged_into(payload)]
    return [ticket_id(payload.get("ticket_id"))]


def _merged_into(payload: dict[str, Any]) -> TicketId | None:
    event = payload.get("event")
    return ticket_id(event.get("target_ticket_id")) if isinstance(event, dict) else None
