"""Rows as the API shows them: with their addresses, without what only the sandbox knows.

Shapes: recorded answers and the vendor's API description.
"""

from __future__ import annotations

from connector.testing.simulators.zendesk.answers import Row
from connector.testing.simulators.zendesk.desk import Desk

_FOLDERS = {
    "user": "users",
    "group": "groups",
    "group_membership": "group_memberships",
    "brand": "brands",
    "ticket_field": "ticket_fields",
    "ticket_form": "ticket_forms",
    "trigger": "triggers",
    "job": "job_statuses",
}


def ticket(row: Row, base: str) -> Row:
    """A ticket; its custom fields stand twice, as recorded."""
    shown = {"url": f"{base}/api/v2/tickets/{row['id']}.json", **row, "fields": row["custom_fields"]}
    shown.pop("touch", None)
    shown.pop("previous_status", None)
    return shown


def plain(table: str, row: Row, base: str) -> Row:
    """A row of any table that only needs its address."""
    return {"url": f"{base}/api/v2/{_FOLDERS[table]}/{row['id']}.json", **row}


def identity(row: Row, base: str) -> Row:
    """A user's identity."""
    return {"url": f"{base}/api/v2/users/{row['user_id']}/identities/{row['id']}.json", **row}


def comment(desk: Desk, row: Row, base: str) -> Row:
    """A comment with its attachments."""
    if not row["attachments"]:
        return row
    return {**row, "attachments": [attachment(desk, number, base) for number in row["attachments"]]}


def audit(desk: Desk, row: Row, base: str) -> Row:
    """An audit; its comment event holds the whole comment, as recorded."""
    events = []
    for event in row["events"]:
        if event["type"] != "Comment":
            events.append(event)
        elif (said := desk.comments.get(row["ticket_id"], {}).get(event["id"])) is not None:
            whole = comment(desk, said, base)
            events.append({k: v for k, v in whole.items() if k not in ("created_at", "via", "metadata")})
    return {**{k: v for k, v in row.items() if k != "generated_timestamp"}, "events": events}


def attachment(desk: Desk, number: int, base: str) -> Row:
    """An attachment; its content lies at a tokenised address that needs no credentials (recorded)."""
    row = desk.tables["attachment"][number]
    content_url = f"{base}/attachments/token/{row['token']}/?name={row['file_name']}"
    shown = {k: v for k, v in row.items() if k not in ("token", "content")}
    return {
        "url": f"{base}/api/v2/attachments/{number}.json",
        **shown,
        "content_url": content_url,
        "mapped_content_url": content_url,
        "thumbnails": [],
    }
