"""Reading a helpdesk's hook, whoever sent it: a wake-up that names tickets, of which nothing else is believed."""

from __future__ import annotations

import json
from typing import Any

from connector.errors import BadHook
from connector.model import TicketId

_LONGEST_ID = 20


def object_in(body: bytes) -> dict[str, Any]:
    """The JSON object in a body; BadHook when it holds none."""
    try:
        payload = json.loads(body)
    except (ValueError, RecursionError):
        raise BadHook("the body is not JSON", status=400) from None
    if not isinstance(payload, dict):
        raise BadHook("the body has to be a JSON object", status=400)
    return payload


def ticket_id(value: object) -> TicketId | None:
    """A ticket's number, as number or text; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | str):
        return None
    text = str(value).strip()
    fits = text.isascii() and text.isdigit() and len(text) <= _LONGEST_ID and int(text) > 0
    return TicketId(text) if fits else None
