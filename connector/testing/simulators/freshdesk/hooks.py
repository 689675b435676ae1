"""Automation rules: on every change of a ticket a URL is called with a body of placeholders. Nothing is signed.

Documented: an admin makes the rule, with method, URL, own headers and own body; there is no API for it; calls count
against the API limit; changes by the API set rules off as changes by people do. Quoted by other people: retries after
5, 30 and 60 minutes, then a mail to the admin; the default body (`freshdesk_webhook` around `ticket_…` names); the
words of `triggered_event` (Zulip's integration). Unconfirmed: what counts as failed (here everything but 2xx), that
values are escaped for JSON (`Faults.webhook_breaks_json`), that an unknown placeholder becomes nothing.
"""

from __future__ import annotations

import http.client
import json
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field

from connector.testing.simulators import courier
from connector.testing.simulators.freshdesk import fields
from connector.testing.simulators.freshdesk.answers import Row
from connector.testing.simulators.freshdesk.desk import Desk

RETRY_MINUTES = (5, 30, 60)
_PLACEHOLDER = re.compile(r"\{\{\s*([\w.]+)\s*\}\}")
DEFAULT_BODY = json.dumps(
    {
        "freshdesk_webhook": {
            "triggered_event": "{{triggered_event}}",
            "ticket_id": "{{ticket.id}}",
            "ticket_subject": "{{ticket.subject}}",
            "ticket_status": "{{ticket.status}}",
            "ticket_priority": "{{ticket.priority}}",
            "ticket_tags": "{{ticket.tags}}",
            "ticket_url": "{{ticket.url}}",
            "ticket_requester_name": "{{ticket.requester.name}}",
            "ticket_latest_public_comment": "{{ticket.latest_public_comment}}",
        }
    }
).replace('"{{ticket.id}}"', "{{ticket.id}}")


@dataclass(frozen=True, slots=True)
class Rule:
    """What the admin wrote: where to, with which headers and which body; `retry_scale` shortens the retries."""

    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: str = DEFAULT_BODY
    method: str = "POST"
    retry_scale: float = 1.0


class Courier(courier.Courier):
    """Carries the calls of the one rule there is; `deliveries` tell status, attempts' codes and the body."""

    def __init__(self, desk: Desk, rule: Rule | None, timeout: float = 10.0) -> None:
        super().__init__("freshdesk-sandbox-webhooks", timeout)
        self.rule = rule
        self._desk = desk

    def post(self, happened: str, ticket: Row, _: Row) -> None:
        """Queue the call for one change; called under the desk's lock."""
        if self.rule is None:
            return
        self._desk.meter.webhook(self._desk.clock())
        body = written(self._desk, self.rule.body, happened, ticket)
        call = {
            "id": secrets.token_hex(8), "event": happened, "ticket_id": ticket["id"], "status": "queued",
            "attempts": [], "body": body,
        }  # fmt: skip
        self.queue(call, self._desk.faults)

    def carry(self, call: Row) -> float | None:
        """Call; whatever is no 2xx is tried again after 5, 30 and 60 minutes, scaled."""
        rule = self.rule
        if rule is None:
            call["status"] = "dropped"
            return None
        headers = {"Content-Type": "application/json", "User-Agent": "Freshdesk", **rule.headers}
        try:
            outcome: int | str = courier.send(rule.method, rule.url, call["body"].encode(), headers, self._timeout)[0]
        except TimeoutError:
            outcome = "timeout"
        except (OSError, http.client.HTTPException) as error:
            outcome = type(error).__name__
        call["attempts"].append(outcome)
        if isinstance(outcome, int) and outcome < 300:
            call["status"] = "success"
            return None
        tried = len(call["attempts"])
        call["status"] = "queued" if tried <= len(RETRY_MINUTES) else "failed"
        return RETRY_MINUTES[tried - 1] * 60 * rule.retry_scale if tried <= len(RETRY_MINUTES) else None


def written(desk: Desk, body: str, happened: str, ticket: Row) -> str:
    """The body with its placeholders filled."""
    raw = desk.faults.faults.webhook_breaks_json

    def value(found: re.Match[str]) -> str:
        text = _value(desk, ticket, happened, found[1])
        return text if raw else json.dumps(text, ensure_ascii=False)[1:-1]

    return _PLACEHOLDER.sub(value, body)


def _value(desk: Desk, ticket: Row, happened: str, name: str) -> str:
    person = desk.person(ticket["requester_id"]) or {}
    agent = desk.agents.get(ticket["responder_id"] or 0)
    address = f"https://sandbox.freshdesk.com/a/tickets/{ticket['id']}"
    known = {
        "triggered_event": happened,
        "ticket.id": ticket["id"],
        "ticket.subject": ticket["subject"],
        "ticket.description": ticket["description"],
        "ticket.description_text": ticket["description_text"],
        "ticket.status": fields.statuses(desk).get(ticket["status"]),
        "ticket.priority": fields.PRIORITIES.get(ticket["priority"]),
        "ticket.source": fields.SOURCES.get(ticket["source"]),
        "ticket.ticket_type": ticket["type"],
        "ticket.tags": ", ".join(ticket["tags"]),
        "ticket.url": address,
        "ticket.group.name": desk.tables["group"].get(ticket["group_id"] or 0, {}).get("name"),
        "ticket.agent.name": agent["contact"]["name"] if agent else None,
        "ticket.requester.name": person.get("name"),
        "ticket.requester.email": person.get("email"),
        "ticket.latest_public_comment": _latest(desk, ticket, private=False),
        "ticket.latest_private_comment": _latest(desk, ticket, private=True),
        **{f"ticket.{name}": value for name, value in ticket["custom_fields"].items()},
    }
    found = known.get(name)
    return "" if found is None else str(found)


def _latest(desk: Desk, ticket: Row, *, private: bool) -> str | None:
    rows = [row for row in desk.conversations_of(ticket["id"]) if row["private"] == private]
    return rows[-1]["body_text"] if rows else None
