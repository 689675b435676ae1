"""Outgoing webhooks: who is told of what, in which words, signed how, and tried how often.

Sources: vendor's pages "webhooks", "ticket-events" and "verifying" (payload, signature over time and body);
recorded answers (delivery headers, ULID ids, `terminated` after one refused attempt). Numbers of retries are
from memory. In the event payload ids are strings, enums upper case, and the API's channel is `web_service`.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import http.client
import json
import secrets
import time
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from connector.testing.simulators import courier
from connector.testing.simulators.zendesk import people
from connector.testing.simulators.zendesk.answers import Row, invalid
from connector.testing.simulators.zendesk.desk import ACCOUNT_ID, Desk

PREFIX = "zen:event-type:ticket."
BY_TRIGGER = "conditional_ticket_events"
DEFAULT_KINDS = (
    "created", "comment_added", "comment_made_private", "comment_redacted", "status_changed", "merged",
    "soft_deleted",
)  # fmt: skip
MAX_TRIES = {"conflict": 3, "busy": 3, "timeout": 5}
_ULID = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


def create(desk: Desk, wanted: Row, user: int) -> Row:
    """A webhook; 422 for a missing property or for subscriptions that cannot stand together."""
    for name in ("name", "endpoint"):
        if not wanted.get(name):
            raise invalid(name, f"{name.capitalize()}: cannot be blank", "BlankValue")
    _check(wanted)
    stamp = desk.stamp()
    row = {
        "id": ulid(desk.clock()), "name": wanted["name"], "description": wanted.get("description", ""),
        "status": wanted.get("status", "active"),
        "subscriptions": wanted.get("subscriptions") or [BY_TRIGGER], "endpoint": wanted["endpoint"],
        "http_method": wanted.get("http_method", "POST"),
        "request_format": wanted.get("request_format", "json"),
        "authentication": wanted.get("authentication"), "custom_headers": wanted.get("custom_headers"),
        "created_at": stamp, "created_by": str(user),
        "updated_at": stamp, "updated_by": str(user),
        "secret": wanted.get("secret") or base64.b64encode(secrets.token_bytes(32)).decode(),
    }  # fmt: skip
    return desk.put("webhook", row)


def update(desk: Desk, row: Row, wanted: Row, user: int) -> None:
    """Change the named properties."""
    _check(wanted)
    names = (
        "name", "description", "status", "subscriptions", "endpoint", "http_method", "request_format",
        "authentication", "custom_headers",
    )  # fmt: skip
    row |= {name: wanted[name] for name in names if name in wanted}
    row |= {"updated_at": desk.stamp(), "updated_by": str(user)}
    desk.put("webhook", row)


def shown(row: Row) -> Row:
    """A webhook without its secret and the secrets of its authentication."""
    result = {k: v for k, v in row.items() if k != "secret" and v is not None}
    if row.get("authentication"):
        result["authentication"] = {k: v for k, v in row["authentication"].items() if k != "data"}
    return result


def ulid(now: float) -> str:
    """A webhook's id: 26 characters that sort by time (recorded)."""
    number = (int(now * 1000) << 80) | secrets.randbits(80)
    return "".join(_ULID[number >> shift & 31] for shift in range(125, -1, -5))


def signature(secret: str, timestamp: str, body: bytes) -> str:
    """The value of `X-Zendesk-Webhook-Signature`."""
    made = hmac.new(secret.encode(), timestamp.encode() + body, hashlib.sha256)
    return base64.b64encode(made.digest()).decode()


def event(desk: Desk, kind: str, ticket: Row, said: Row, now: float) -> Row:
    """The fixed payload of one ticket event."""
    comment = said.get("comment")
    if comment is not None:
        author = desk.users[comment["author_id"]]
        who = {"id": str(author["id"]), "is_staff": people.is_staff(author), "name": author["name"]}
        body = {
            "id": str(comment["id"]),
            "body": comment["body"],
            "is_public": comment["public"],
            "author": who,
        }
        said = {"comment": body}
    elif "current" in said:
        said = {name: _told(said[name]) for name in ("current", "previous")}
    audits = desk.audits.get(ticket["id"], {})
    latest = next(reversed(audits.values()), None)
    meta = {"sequence": {"id": str(latest["id"] if latest else ""), "position": 1}}
    return {
        "account_id": ACCOUNT_ID,
        "id": str(uuid.uuid4()),
        "time": datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f000Z"),
        "type": PREFIX + kind,
        "subject": f"zen:ticket:{ticket['id']}",
        "zendesk_event_version": "2022-11-06",
        "detail": _detail(ticket, latest["author_id"] if latest else ticket["submitter_id"]),
        "event": {**said, "meta": meta},
    }


def _detail(ticket: Row, actor: int) -> Row:
    ids = ("assignee_id", "brand_id", "group_id", "organization_id", "requester_id", "submitter_id")
    channel = ticket["via"]["channel"]
    return {
        "id": str(ticket["id"]),
        "actor_id": str(actor),
        **{name: str(ticket[name] or "") for name in ids},
        "form_id": str(ticket["ticket_form_id"] or ""),
        "custom_status": str(ticket["custom_status_id"] or ""),
        "created_at": ticket["created_at"],
        "updated_at": ticket["updated_at"],
        "description": ticket["description"],
        "subject": ticket["subject"],
        "external_id": ticket["external_id"],
        "is_public": ticket["is_public"],
        "priority": (ticket["priority"] or "").upper() or None,
        "status": ticket["status"].upper(),
        "type": (ticket["type"] or "").upper() or None,
        "tags": ticket["tags"],
        "via": {"channel": "web_service" if channel == "api" else channel},
    }


def _told(value: object) -> object:
    return value.upper() if isinstance(value, str) else str(value) if isinstance(value, int) else value


def _check(wanted: Row) -> None:
    kinds = wanted.get("subscriptions") or []
    if BY_TRIGGER in kinds and len(kinds) > 1:
        raise invalid("subscriptions", "Subscriptions: cannot be mixed with conditional_ticket_events")
    by_event = bool(kinds) and BY_TRIGGER not in kinds
    if by_event and (wanted.get("http_method", "POST"), wanted.get("request_format", "json")) != (
        "POST",
        "json",
    ):
        raise invalid("subscriptions", "Subscriptions: need http_method POST and request_format json")
    if wanted.get("endpoint") and urlsplit(wanted["endpoint"]).scheme not in ("http", "https"):
        raise invalid("endpoint", "Endpoint: is not a valid URL", "InvalidValue")


class Courier(courier.Courier):
    """Carries the calls.

    `deliveries` is what happened, newest last: invocation id, webhook id, event id and type, status as the
    vendor names it (`queued`, `success`, `terminated`, `timeout`, `dropped`...), and every attempt's code.
    """

    def __init__(self, desk: Desk, timeout: float = 10.0) -> None:
        super().__init__("zendesk-sandbox-webhooks", timeout)
        self._desk = desk

    def post(self, kind: str, ticket: Row, said: Row) -> None:
        """Queue the calls for one event; called under the desk's lock."""
        faults = self._desk.faults
        for hook, told_body in self._triggered(kind, ticket, said):
            self.queue(_call(hook, BY_TRIGGER, told_body.encode()), faults)
        hooks = [
            hook
            for hook in self._desk.tables["webhook"].values()
            if hook["status"] == "active" and PREFIX + kind in hook["subscriptions"]
        ]
        if not hooks:
            return
        body = json.dumps(event(self._desk, kind, ticket, said, time.time()), ensure_ascii=False).encode()
        for hook in hooks:
            self.queue(_call(hook, PREFIX + kind, body), faults)

    def _triggered(self, kind: str, ticket: Row, said: Row) -> Iterator[tuple[Row, str]]:
        """The webhooks that triggers call for this comment, each with its body and the ticket's id in it."""
        comment = said.get("comment")
        if kind != "comment_added" or comment is None:
            return
        for trigger in list(self._desk.tables["trigger"].values()):
            if not trigger["active"] or not _met(trigger["conditions"], self._desk, ticket, comment):
                continue
            for action in trigger["actions"]:
                value = action.get("value")
                if action.get("field") != "notification_webhook" or not isinstance(value, list) or len(value) < 2:
                    continue
                hook = self._desk.tables["webhook"].get(value[0])
                if hook is not None and hook["status"] == "active" and BY_TRIGGER in hook["subscriptions"]:
                    yield hook, str(value[1]).replace("{{ticket.id}}", str(ticket["id"]))

    def carry(self, call: Row) -> float | None:
        """Call; 409, 429, 503 and time-outs are tried again, a few times."""
        hook = self._desk.tables["webhook"].get(call["webhook_id"])
        if hook is None or hook["status"] != "active":
            call["status"] = "dropped"
            return None
        try:
            code, retry_after = _send(hook, call, self._timeout)
        except TimeoutError:
            call["attempts"].append("timeout")
            return self._again(call, "timeout", 1.0) if self._may(call, "timeout") else None
        except (OSError, http.client.HTTPException) as error:
            call["attempts"].append(type(error).__name__)
            call["status"] = "failed"
            return None
        call["attempts"].append(code)
        if code < 300:
            call["status"] = "success"
        elif code == 409 and self._may(call, "conflict"):
            return self._again(call, "conflict", 0.1)
        elif code in (429, 503) and 0 <= retry_after < 60 and self._may(call, "busy"):
            return self._again(call, "busy", retry_after)
        else:
            call["status"] = "terminated"
        return None

    @staticmethod
    def _may(call: Row, reason: str) -> bool:
        call["status"] = "timeout" if reason == "timeout" else "terminated"
        return int(call["tries"].get(reason, 0)) < MAX_TRIES[reason]

    @staticmethod
    def _again(call: Row, reason: str, wait: float) -> float:
        call["tries"][reason] = call["tries"].get(reason, 0) + 1
        call["status"] = "queued"
        return wait


def _met(conditions: Row, desk: Desk, ticket: Row, comment: Row) -> bool:
    """Whether a trigger goes off. Two conditions are known, `update_type` and `comment_is_public` (vendor's page
    "conditions reference"); any other is taken for one that does not hold."""
    first = next(iter(desk.comments_of(ticket["id"])), comment)
    facts = {
        "update_type": {"create" if first["id"] == comment["id"] else "change"},
        "comment_is_public": {str(comment["public"]).lower(), "not_relevant"},
    }

    def holds(condition: Row) -> bool:
        known = facts.get(str(condition.get("field")), set())
        return condition.get("operator", "is") == "is" and str(condition.get("value")).lower() in known

    return all(map(holds, conditions["all"])) and (not conditions["any"] or any(map(holds, conditions["any"])))


def told(call: Row) -> Row:
    """A delivery as JSON, with its payload; the text of one that is no JSON, which a trigger may send."""
    try:
        payload = json.loads(call["body"])
    except ValueError:
        payload = call["body"].decode()
    return {k: v for k, v in call.items() if k not in ("body", "tries")} | {"payload": payload}


def _call(hook: Row, kind: str, body: bytes) -> Row:
    return {
        "invocation_id": ulid(time.time()), "webhook_id": hook["id"], "type": kind,
        "status": "queued", "attempts": [], "body": body, "tries": {},
    }  # fmt: skip


def _send(hook: Row, call: Row, timeout: float) -> tuple[int, float]:
    timestamp = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    headers = {
        "Content-Type": "application/json; charset=utf-8",
        "User-Agent": "Zendesk Webhook",
        "X-Zendesk-Account-Id": str(ACCOUNT_ID),
        "X-Zendesk-Webhook-Id": hook["id"],
        "X-Zendesk-Webhook-Invocation-Id": call["invocation_id"],
        "X-Zendesk-Webhook-Signature": signature(hook["secret"], timestamp, call["body"]),
        "X-Zendesk-Webhook-Signature-Timestamp": timestamp,
        **(hook.get("custom_headers") or {}),
        **_credentials(hook.get("authentication") or {}),
    }
    return courier.send(hook["http_method"], hook["endpoint"], call["body"], headers, timeout)


def _credentials(authentication: Row) -> dict[str, str]:
    data: dict[str, Any] = authentication.get("data") or {}
    kind = authentication.get("type")
    if kind == "basic_auth":
        pair = f"{data.get('username', '')}:{data.get('password', '')}"
        return {"Authorization": "Basic " + base64.b64encode(pair.encode()).decode()}
    if kind == "bearer_token":
        return {"Authorization": f"Bearer {data.get('token', '')}"}
    if kind == "api_key":
        return {str(data.get("name", "")): str(data.get("value", ""))}
    return {}
