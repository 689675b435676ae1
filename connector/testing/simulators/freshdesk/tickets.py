"""Tickets: opening, changing, deleting, marking as spam, merging.

Documented: what a ticket takes and its defaults, due dates (null in the answer to a create, computed a moment later),
DELETE 204, restore, merge (`primary_id` may stand among `ticket_ids`, default notes when none are given). Recorded:
the complaint of a ticket without a requester (2017; today's names unique_external_id as well). From memory,
unconfirmed: closed tickets can be changed and reopen; deleted ones and spam are still shown but not worked on;
subject and description are needed; what becomes of a merged ticket's conversations (`Faults.merge_moves`).
"""

from __future__ import annotations

import time

from connector.testing.simulators.freshdesk import checks, conversations, fields, files, people, texts
from connector.testing.simulators.freshdesk.answers import Row, Wanted, complaint, invalid, no_match, not_found
from connector.testing.simulators.freshdesk.desk import Desk

RESOLVED, CLOSED = 4, 5
_RECORDS = {
    "group_id": "group", "responder_id": "agent", "product_id": "product", "company_id": "company",
    "email_config_id": "email_config",
}  # fmt: skip
_PROPERTIES = ("status", "priority", "type", "group_id", "responder_id", "subject", "source", "product_id", "tags")


def _kinds(desk: Desk, sources: tuple[int, ...]) -> dict[str, checks.Kind]:
    types = fields.default(desk, "ticket_type")["choices"]
    return {
        "name": checks.text(255), "requester_id": checks.number, "email": checks.email, "phone": checks.text(255),
        "twitter_id": checks.text(255), "facebook_id": checks.text(255), "unique_external_id": checks.text(255),
        "subject": checks.text(255), "description": checks.text(), "type": checks.one_of([*types, None]),
        "status": checks.one_of(fields.statuses(desk)), "priority": checks.one_of(fields.PRIORITIES),
        "source": checks.one_of(sources), "tags": checks.texts(32), "custom_fields": checks.mapping,
        "cc_emails": checks.emails, "due_by": checks.moment, "fr_due_by": checks.moment, "parent_id": checks.number,
        **dict.fromkeys(_RECORDS, checks.number),
    }  # fmt: skip


def create(desk: Desk, wanted: Wanted) -> Row:
    """Open a ticket; nothing is kept if anything is wrong."""
    values, bad = checks.body(_kinds(desk, fields.CREATABLE_SOURCES), wanted.body, wanted.is_form)
    wrong = wanted.wrong + bad
    who, bad = people.requester(desk, values)
    wrong += bad
    for name in ("subject", "description"):
        if not values.get(name):
            wrong.append(complaint(name, "It should be a/an String", "missing_field"))
    held = fields.blank(desk)
    status = values.get("status") or 2
    custom, bad = fields.custom(desk, values.get("custom_fields") or {}, held, status, wanted.is_form)
    wrong += bad + _unknown(desk, values) + _half_due(values) + _over_due(desk, values, status)
    if wrong:
        raise invalid(*wrong)
    row = _opened(desk, values, who if who is not None else people.make_requester(desk, values))
    row |= {"custom_fields": custom, "attachments": files.keep(desk, wanted.files)}
    _note_status(row, None, row["created_at"])
    desk.touch(row)
    desk.tell("{ticket_action:created}", row)
    return row


def _opened(desk: Desk, values: Row, requester: int) -> Row:
    stamp, cc = desk.stamp(), values.get("cc_emails") or []
    html = texts.html_of(values["description"])
    row: Row = {
        "id": desk.new_ticket_id(), "cc_emails": cc, "fwd_emails": [], "reply_cc_emails": list(cc),
        "ticket_cc_emails": list(cc), "ticket_bcc_emails": [], "fr_escalated": False, "spam": False,
        "email_config_id": None, "group_id": None, "priority": 1, "requester_id": requester, "responder_id": None,
        "source": 2, "company_id": None, "status": 2, "subject": None, "association_type": None,
        "support_email": None, "to_emails": None, "product_id": None, "type": None, "due_by": _in(desk, 3),
        "fr_due_by": _in(desk, 1), "is_escalated": False, "description": html,
        "description_text": texts.text_of(html), "created_at": stamp, "updated_at": stamp,
        "associated_tickets_count": None, "tags": [], "nr_due_by": None, "nr_escalated": False, "deleted": False,
        "stats": _stats(stamp),
    }  # fmt: skip
    names = (*_PROPERTIES, *_RECORDS, "due_by", "fr_due_by")
    return row | {name: values[name] for name in names if values.get(name) is not None}


def update(desk: Desk, row: Row, wanted: Wanted) -> Row:
    """Change the named properties of a ticket; tags are replaced."""
    values, bad = checks.body(_kinds(desk, tuple(fields.SOURCES)), wanted.body, wanted.is_form)
    wrong = wanted.wrong + bad
    who = row["requester_id"]
    if any(values.get(name) for name in ("requester_id", *people.LOOKED_UP)):
        found, bad = people.requester(desk, values)
        wrong += bad
        who = found if found is not None or bad else people.make_requester(desk, values)
    status = values.get("status") or row["status"]
    given = values.get("custom_fields") or {}
    held = fields.blank(desk) | row["custom_fields"]
    custom, bad = fields.custom(desk, given, held, status, wanted.is_form)
    wrong += bad + _unknown(desk, values)
    if wrong:
        raise invalid(*wrong)
    before = {name: row[name] for name in (*_PROPERTIES, "custom_fields")}
    row |= {name: values[name] for name in (*_PROPERTIES, *_RECORDS, "due_by", "fr_due_by") if name in values}
    row |= {"custom_fields": custom, "requester_id": who}
    if values.get("description"):
        html = texts.html_of(values["description"])
        row |= {"description": html, "description_text": texts.text_of(html)}
    row["attachments"] = [*row["attachments"], *files.keep(desk, wanted.files)]
    _note_status(row, before["status"], desk.stamp())
    desk.touch(row)
    changed = [name for name, old in before.items() if row[name] != old]
    if changed:
        desk.tell(_told(desk, row, before, changed), row)
    return row


def delete(desk: Desk, row: Row) -> None:
    """Delete softly; 404 if it is deleted already."""
    if row["deleted"]:
        raise not_found()
    row["deleted"] = True
    desk.touch(row)
    desk.tell("{ticket_action:deleted}", row)


def restore(desk: Desk, row: Row) -> None:
    """Bring a deleted ticket back; 404 if it is not deleted."""
    if not row["deleted"]:
        raise not_found()
    row["deleted"] = False
    desk.touch(row)


def spam(desk: Desk, row: Row) -> None:
    """Mark as spam."""
    row["spam"] = True
    desk.touch(row)
    desk.tell("{ticket_action:marked_spam}", row)


def merge(desk: Desk, agent: int, wanted: Row) -> None:
    """Close the secondary tickets, leave a note in all of them, perhaps take their conversations along."""
    kinds: dict[str, checks.Kind] = {
        "primary_id": checks.number, "ticket_ids": _numbers, "convert_recepients_to_cc": checks.flag,
        "note_in_primary": checks.mapping, "note_in_secondary": checks.mapping,
    }  # fmt: skip
    values, wrong = checks.body(kinds, wanted, False)
    for name in ("primary_id", "ticket_ids"):
        if not values.get(name):
            wrong.append(complaint(name, "It should not be blank", "missing_field"))
    if wrong:
        raise invalid(*wrong)
    primary = _mergeable(desk, "primary_id", [values["primary_id"]])[0]
    others = _mergeable(desk, "ticket_ids", [n for n in values["ticket_ids"] if n != primary["id"]])
    for other in others:
        _take_over(desk, agent, primary, other, values)
    names = ", ".join(f"#{other['id']}" for other in others)
    said = values.get("note_in_primary") or {
        "body": f"Tickets {names} were merged into this one.",
    }
    conversations.note(desk, primary, agent, _note(said))


def _take_over(desk: Desk, agent: int, primary: Row, other: Row, values: Row) -> None:
    moved = f"From ticket #{other['id']}: {other['description']}"
    conversations.note(desk, primary, agent, _note({"body": moved}))
    if desk.faults.faults.merge_moves:
        for said in desk.conversations_of(other["id"]):
            desk.remove("conversation", said["id"], other["id"])
            desk.put("conversation", {**said, "ticket_id": primary["id"]}, owner=primary["id"])
    if values.get("convert_recepients_to_cc"):
        mail = (desk.person(other["requester_id"]) or {}).get("email")
        primary["reply_cc_emails"] = sorted({*primary["reply_cc_emails"], *([mail] if mail else [])})
    text = f"This ticket was closed and merged into #{primary['id']}."
    conversations.note(desk, other, agent, _note(values.get("note_in_secondary") or {"body": text}))
    other |= {"status": CLOSED, "merged_into": primary["id"]}
    _note_status(other, None, desk.stamp())
    desk.touch(other)
    desk.tell("{status:{from:Open,to:Closed}}", other)


def _note(said: Row) -> Wanted:
    return Wanted({"body": said.get("body"), "private": said.get("private", True)})


def _numbers(name: str, value: object, _: bool) -> checks.Checked:
    if isinstance(value, list) and all(isinstance(item, int) for item in value):
        return value, None
    return value, checks.mistyped(name, value, "a/an Array")


def _mergeable(desk: Desk, name: str, numbers: list[int]) -> list[Row]:
    rows = [desk.tickets.get(number) for number in numbers]
    found = [row for row in rows if row is not None and not row["deleted"] and not row["spam"]]
    if len(found) < len(numbers) or not numbers:
        missing = [number for number, row in zip(numbers, rows, strict=True) if row not in found]
        words = f"One of these tickets is not there: '{', '.join(map(str, missing))}'"
        raise invalid(complaint(name, words, "invalid_value"))
    return found


def _unknown(desk: Desk, values: Row) -> list[Row]:
    wrong = []
    for name, table in _RECORDS.items():
        if isinstance(values.get(name), int) and values[name] not in desk.tables[table]:
            wrong.append(no_match(table, name))
    if isinstance(values.get("parent_id"), int) and values["parent_id"] not in desk.tickets:
        wrong.append(no_match("ticket", "parent_id"))
    return wrong


def _half_due(values: Row) -> list[Row]:
    given = [name for name in ("due_by", "fr_due_by") if values.get(name)]
    if len(given) != 1:
        return []
    other = "fr_due_by" if given == ["due_by"] else "due_by"
    return [complaint(other, "It should not be blank if the other due date is given", "missing_field")]


def _over_due(desk: Desk, values: Row, status: int) -> list[Row]:
    given = [name for name in ("due_by", "fr_due_by") if values.get(name)]
    if not desk.faults.faults.due_in_the_past:
        return []
    over = [name for name in given if values[name] <= desk.stamp() or status in (RESOLVED, CLOSED)]
    return [complaint(name, "It should be a date in the future", "invalid_value") for name in over]


def _told(desk: Desk, row: Row, before: Row, changed: list[str]) -> str:
    if "status" in changed:
        words = fields.statuses(desk)
        return f"{{status:{{from:{words[before['status']]},to:{words[row['status']]}}}}}"
    name = changed[0]
    return f"{{{name}:{{from:{before[name]},to:{row[name]}}}}}"


def _in(desk: Desk, days: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(desk.now() + days * 86_400))


def _stats(stamp: str) -> Row:
    names = (
        "agent_responded_at", "requester_responded_at", "first_responded_at", "status_updated_at", "reopened_at",
        "resolved_at", "closed_at", "pending_since",
    )  # fmt: skip
    return dict.fromkeys(names) | {"status_updated_at": stamp}


def _note_status(row: Row, before: int | None, stamp: str) -> None:
    status, stats = row["status"], row["stats"]
    if status == before:
        return
    stats["status_updated_at"] = stamp
    stats["pending_since"] = stamp if status == 3 else None
    if before in (RESOLVED, CLOSED) and status not in (RESOLVED, CLOSED):
        stats |= {"reopened_at": stamp, "resolved_at": None, "closed_at": None}
    if status in (RESOLVED, CLOSED):
        stats["resolved_at"] = stats["resolved_at"] or stamp
    if status == CLOSED:
        stats["closed_at"] = stamp
