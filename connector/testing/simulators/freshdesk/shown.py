"""Rows as the API shows them: with their addresses and parts, without what only the sandbox knows.

Documented and recorded: lists of tickets tell neither description nor attachments unless asked; a ticket alone tells
both; `include=conversations` gives the first ten; a create answers null for due dates nobody gave.
"""

from __future__ import annotations

from collections.abc import Iterable

from connector.testing.simulators.freshdesk import fields, files
from connector.testing.simulators.freshdesk.answers import Row
from connector.testing.simulators.freshdesk.conversations import NOTE, REPLY
from connector.testing.simulators.freshdesk.desk import Desk

IN_LISTS = ("requester", "stats", "company", "description")
ALONE = ("conversations", "requester", "company", "stats")
_OWN = ("touch", "deleted", "stats", "merged_into", "attachments", "description", "description_text")


def ticket(desk: Desk, row: Row, base: str, parts: Iterable[str] = (), *, whole: bool = True) -> Row:
    """A ticket with the parts that were asked for."""
    told = {name: value for name, value in row.items() if name not in _OWN}
    told["custom_fields"] = fields.blank(desk) | row["custom_fields"]
    if row["deleted"]:
        told["deleted"] = True
    parts = set(parts)
    if whole or "description" in parts:
        told |= {"description": row["description"], "description_text": row["description_text"]}
    if whole:
        told["attachments"] = [files.shown(desk, number, base) for number in row["attachments"]]
    if "stats" in parts:
        told["stats"] = row["stats"]
    if "requester" in parts:
        person = desk.person(row["requester_id"]) or {}
        told["requester"] = {name: person.get(name) for name in ("id", "name", "email", "mobile", "phone")}
    if "company" in parts:
        company = desk.tables["company"].get(row["company_id"] or 0)
        told["company"] = {name: company[name] for name in ("id", "name")} if company else {}
    if "conversations" in parts:
        told["conversations"] = [conversation(desk, said, base) for said in desk.conversations_of(row["id"])[:10]]
    return told


def conversation(desk: Desk, row: Row, base: str) -> Row:
    """A conversation in a list."""
    return {**row, "attachments": [files.shown(desk, number, base) for number in row["attachments"]]}


def answered(desk: Desk, row: Row, base: str) -> Row:
    """A conversation as the answer to making it: replies, notes and forwards each tell a little else."""
    told = conversation(desk, row, base)
    common = ("body_text", "body", "id", "user_id", "ticket_id", "attachments", "created_at", "updated_at")
    if row["source"] == REPLY:
        names = (*common, "from_email", "cc_emails", "bcc_emails")
        return {name: told[name] for name in names} | {"replied_to": row["to_emails"]}
    if row["source"] == NOTE:
        names = (*common, "incoming", "private", "support_email")
        return {name: told[name] for name in names} | {"notified_to": row["to_emails"]}
    return told


def agent(row: Row, *, whole: bool) -> Row:
    """An agent; in lists without groups and roles."""
    hidden = () if whole else ("group_ids", "role_ids", "skill_ids")
    return {name: value for name, value in row.items() if name not in hidden}
