"""Tickets: opening, changing, closing, merging, deleting, and the audits that tell of it.

Sources: vendor's pages "tickets", "ticket_audits" and recorded answers; closed tickets, conflicts and merges
as other people's clients report them. A merge is carried out at once although the vendor queues it. A
comment by an end user does not reopen a ticket by itself here (unconfirmed for comments written with a token).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from connector.testing.simulators.zendesk import account, comments, fields, people
from connector.testing.simulators.zendesk.answers import Actor, Refusal, Row, invalid, not_found
from connector.testing.simulators.zendesk.desk import Desk

_ACCEPTED = {
    "subject", "external_id", "requester_id", "requester", "submitter_id", "comment", "description",
    "priority", "type", "status", "custom_status_id", "group_id", "brand_id", "ticket_form_id", "tags",
    "custom_fields",
    "fields", "metadata", "via", "via_followup_source_id", "assignee_id", "assignee_email", "due_at",
    "recipient", "organization_id", "problem_id", "collaborator_ids", "collaborators", "follower_ids",
    "followers", "email_cc_ids", "email_ccs", "safe_update", "updated_stamp", "raw_subject", "macro_ids",
    "macro_id", "sharing_agreement_ids", "voice_comment", "is_public", "id", "additional_collaborators",
    "additional_tags", "remove_tags",
}  # fmt: skip
_TOLD = (
    ("status", "status_changed"),
    ("priority", "priority_changed"),
    ("group_id", "group_assignment_changed"),
    ("subject", "subject_changed"),
    ("external_id", "external_id_changed"),
    ("type", "type_changed"),
    ("brand_id", "brand_changed"),
    ("custom_status_id", "custom_status_changed"),
)


@dataclass(frozen=True, slots=True)
class Outcome:
    """A ticket as it stands after a request, the audit of the change, and what was passed over."""

    ticket: Row
    audit: Row
    warnings: list[str]


def create(desk: Desk, actor: Actor, wanted: Row) -> Outcome:
    """Open a ticket with its first comment; nothing is kept if anything is wrong."""
    said = _first_comment(wanted)
    source = _followup_source(desk, wanted)
    values, warnings = fields.changes(desk, wanted, None)
    comments.uploads_of(desk, said)
    submitter = actor.user_id if source else values.get("submitter_id") or actor.user_id
    author = comments.author_of(desk, said, submitter)
    requester_id = _requester(desk, wanted, values, submitter)
    stamp = desk.stamp()
    brand = next(row["id"] for row in desk.tables["brand"].values() if row["default"])
    form = next(row["id"] for row in desk.tables["ticket_form"].values() if row["default"])
    number = desk.new_ticket_id()
    via: Row = {"channel": actor.channel, "source": {"from": {}, "to": {}, "rel": None}}
    if source:
        origin = {"ticket_id": source["id"], "subject": source["subject"]}
        via = {"channel": actor.channel, "source": {"from": origin, "to": {}, "rel": "follow_up"}}
        source["followup_ids"] = [*source["followup_ids"], number]
        desk.put("ticket", source)
    ticket = {
        "id": number, "external_id": None, "via": via, "created_at": stamp, "updated_at": stamp,
        "generated_timestamp": 0, "type": None, "subject": None, "raw_subject": None, "description": "",
        "priority": None, "status": "new", "recipient": None, "requester_id": requester_id,
        "submitter_id": submitter, "assignee_id": None, "organization_id": None, "group_id": None,
        "collaborator_ids": [], "follower_ids": [], "email_cc_ids": [], "forum_topic_id": None,
        "problem_id": None, "has_incidents": False, "is_public": True, "due_at": None, "tags": [],
        "custom_fields": [], "satisfaction_rating": {"score": "unoffered"}, "sharing_agreement_ids": [],
        "custom_status_id": account.status_id(desk, "new"), "followup_ids": [], "ticket_form_id": form,
        "brand_id": brand, "allow_channelback": False, "allow_attachments": True,
        "from_messaging_channel": False,
    }  # fmt: skip
    ticket |= {name: value for name, value in values.items() if name != "submitter_id"}
    ticket["requester_id"] = requester_id
    if ticket["assignee_id"] and ticket["status"] == "new":
        ticket |= {"status": "open", "custom_status_id": account.status_id(desk, "open")}
    audit = _audit(desk, actor, ticket, wanted)
    comment = comments.add(desk, ticket, audit, said, author)
    ticket["description"] = comment["body"]
    ticket["subject"] = ticket["raw_subject"] = ticket["subject"] or comment["body"][:150]
    ticket["is_public"] = comment["public"]
    told = ("subject", "requester_id", "tags", "type", "priority", "status", "brand_id", "group_id")
    for name in told:
        if ticket[name] not in (None, []):
            _event(desk, audit, "Create", name, ticket[name])
    _finish(desk, ticket, audit)
    desk.tell("created", ticket, {"meta": {}})
    desk.tell("comment_added", ticket, {"comment": comment})
    return Outcome(ticket, audit, _warned(wanted, warnings))


def update(desk: Desk, actor: Actor, ticket: Row, wanted: Row) -> Outcome:
    """Change a ticket and perhaps add a comment; closed ones refuse.

    `additional_tags` and `remove_tags` are left alone: documented for the bulk update only.
    """
    if ticket["status"] == "closed":
        raise invalid("status", "Status: closed prevents ticket update")
    _check_stamp(ticket, wanted)
    values, warnings = fields.changes(desk, wanted, ticket)
    if "requester" in wanted and isinstance(wanted["requester"], dict):
        values["requester_id"] = _requester(desk, wanted, values, ticket["requester_id"])
    said, author = _new_comment(desk, actor, ticket, wanted)
    audit = _audit(desk, actor, ticket, wanted)
    comment = comments.add(desk, ticket, audit, said, author) if author else None
    before = {name: ticket.get(name) for name in values}
    ticket |= values
    if "subject" in values:
        ticket["raw_subject"] = ticket["subject"]
    if comment is not None and comment["public"]:
        ticket["is_public"] = True
    changed = [name for name in values if before[name] != ticket[name]]
    _tell_changes(desk, audit, ticket, before, changed)
    if changed or comment is not None or audit["metadata"]["custom"]:
        ticket["updated_at"] = desk.stamp()
        _finish(desk, ticket, audit)
    if comment is not None:
        desk.tell("comment_added", ticket, {"comment": comment})
    _announce(desk, ticket, before, changed)
    return Outcome(ticket, audit, _warned(wanted, warnings))


def delete(desk: Desk, ticket: Row) -> None:
    """Delete softly: gone for reads, still in the exports."""
    ticket |= {"previous_status": ticket["status"], "status": "deleted", "updated_at": desk.stamp()}
    desk.touch(ticket)
    desk.tell("soft_deleted", ticket, {})


def restore(desk: Desk, ticket: Row) -> None:
    """Bring a deleted ticket back; 404 if it is not deleted."""
    if ticket["status"] != "deleted" or "previous_status" not in ticket:
        raise not_found()
    ticket |= {"status": ticket.pop("previous_status"), "updated_at": desk.stamp()}
    desk.touch(ticket)


def scrub(desk: Desk, ticket: Row) -> None:
    """Delete for good: an empty row stays in the exports (recorded)."""
    ticket |= {"subject": "SCRUBBED", "raw_subject": "SCRUBBED", "description": "X", "external_id": None}
    ticket.pop("previous_status", None)
    for comment in list(desk.comments.get(ticket["id"], {})):
        desk.remove("comment", comment, ticket["id"])
    desk.touch(ticket)


def merge(desk: Desk, actor: Actor, target: Row, sources: list[Row], wanted: Row) -> None:
    """Close the sources and tell it under both; the comments are private unless asked otherwise."""
    names = ", ".join(f"#{source['id']}" for source in sources)
    for source in sources:
        if source is target or source["status"] == "closed":
            raise invalid("base", f"Ticket #{source['id']} cannot be merged", "InvalidValue")
    for source in sources:
        text = wanted.get("source_comment") or f"Request #{source['id']} was closed and merged into #{target['id']}."
        public = bool(wanted.get("source_comment_is_public"))
        said = {"body": text, "public": public}
        update(desk, actor, source, {"comment": said, "status": "closed"})
        source["tags"] = sorted({*source["tags"], "closed_by_merge"})
        desk.put("ticket", source)
        desk.tell("merged", source, {"target_ticket_id": str(target["id"])})
    text = wanted.get("target_comment") or f"Requests {names} were closed and merged into this request."
    public = bool(wanted.get("target_comment_is_public"))
    update(desk, actor, target, {"comment": {"body": text, "public": public}})


def _first_comment(wanted: Row) -> Row:
    said = wanted.get("comment")
    if isinstance(said, str):
        said = {"body": said}
    if not isinstance(said, dict) or comments.content(said) is None:
        said = {**(said if isinstance(said, dict) else {}), "body": wanted.get("description")}
    if comments.content(said) is None:
        raise invalid("base", "Description: cannot be blank", "BlankValue")
    return said


def _new_comment(desk: Desk, actor: Actor, ticket: Row, wanted: Row) -> tuple[Row, Row | None]:
    said = wanted.get("comment")
    said = {"body": said} if isinstance(said, str) else said if isinstance(said, dict) else {}
    if comments.content(said) is None:
        if said.get("uploads"):
            raise invalid("base", "Comment body: cannot be blank", "BlankValue")
        return said, None
    comments.check_room(desk, ticket)
    comments.uploads_of(desk, said)
    return said, comments.author_of(desk, said, actor.user_id)


def _tell_changes(desk: Desk, audit: Row, ticket: Row, before: Row, changed: list[str]) -> None:
    for name in changed:
        if name != "custom_fields":
            _event(desk, audit, "Change", name, ticket[name], previous_value=before[name])
            continue
        previous = {item["id"]: item["value"] for item in before[name] or []}
        for item in ticket[name]:
            if previous.get(item["id"]) != item["value"]:
                old = previous.get(item["id"])
                _event(desk, audit, "Change", str(item["id"]), item["value"], previous_value=old)


def _announce(desk: Desk, ticket: Row, before: Row, changed: list[str]) -> None:
    for name, kind in _TOLD:
        if name in changed:
            desk.tell(kind, ticket, {"current": ticket[name], "previous": before[name]})
    if "tags" in changed:
        old, new = set(before["tags"] or []), set(ticket["tags"])
        desk.tell("tags_changed", ticket, {"tags_added": sorted(new - old), "tags_removed": sorted(old - new)})


def _followup_source(desk: Desk, wanted: Row) -> Row | None:
    number = wanted.get("via_followup_source_id")
    if number is None:
        return None
    source = desk.tickets.get(number)
    if source is None or source["status"] != "closed":
        raise invalid("base", "Followup source: is not a closed ticket", "InvalidValue")
    return source


def _requester(desk: Desk, wanted: Row, values: Row, default: int) -> int:
    if values.get("requester_id"):
        return int(values["requester_id"])
    inline = wanted.get("requester")
    if not isinstance(inline, dict):
        return default
    found = people.requester(desk, inline)
    if found is None:
        found = people.create(desk, {"name": inline["name"], "email": inline["email"]})
    return int(found["id"])


def _check_stamp(ticket: Row, wanted: Row) -> None:
    if wanted.get("safe_update") not in (True, "true"):
        return
    try:
        seen = datetime.fromisoformat(str(wanted.get("updated_stamp")))
        stale = seen < datetime.fromisoformat(ticket["updated_at"])
    except (ValueError, TypeError):
        stale = True
    if stale:
        words = (
            "Safe Update prevented the update due to outdated ticket data. "
            "Please fetch the latest ticket data and try again."
        )
        raise Refusal(409, {"error": "UpdateConflict", "description": words})


def _audit(desk: Desk, actor: Actor, ticket: Row, wanted: Row) -> Row:
    custom = wanted.get("metadata")
    system = {"client": actor.client, "ip_address": actor.address, "location": "Moscow, Russia"}
    return {
        "id": desk.new_id(),
        "ticket_id": ticket["id"],
        "created_at": desk.stamp(),
        "author_id": actor.user_id,
        "via": {"channel": actor.channel, "source": {"from": {}, "to": {}, "rel": None}},
        "metadata": {"system": system, "custom": custom if isinstance(custom, dict) else {}},
        "events": [],
    }


def _event(desk: Desk, audit: Row, kind: str, name: str, value: object, **more: object) -> None:
    audit["events"].append({"id": desk.new_id(), "type": kind, "value": value, "field_name": name, **more})


def _finish(desk: Desk, ticket: Row, audit: Row) -> None:
    desk.touch(ticket)
    audit["generated_timestamp"] = ticket["generated_timestamp"]
    desk.put("audit", audit, owner=ticket["id"])


def _warned(wanted: Row, warnings: list[str]) -> list[str]:
    return [key for key in wanted if key not in _ACCEPTED] + warnings
