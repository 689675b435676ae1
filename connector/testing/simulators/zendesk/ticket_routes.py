"""The API's ticket pages: tickets, comments, audits, tags, merges, bulk work and its jobs.

Source: vendor's pages "tickets", "ticket_comments", "ticket_audits", "tags", "job_statuses"; recordings.
"""

from __future__ import annotations

import secrets

from connector.testing.simulators.zendesk import comments, fields, shown, tickets
from connector.testing.simulators.zendesk.answers import (
    Answer,
    Call,
    Refusal,
    Row,
    at_most_100,
    ids_of,
    not_found,
    page,
)
from connector.testing.simulators.zendesk.desk import Desk


def create(desk: Desk, call: Call) -> Answer:
    """POST tickets; `?async=true` answers 202 with a job."""
    outcome = tickets.create(desk, call.actor, call.part("ticket"))
    ticket = shown.ticket(outcome.ticket, call.base)
    if call.query.get("async") == "true":
        job = _job(desk, call, "Create Ticket", [{"id": ticket["id"], "status": "Created", "success": True}])
        return Answer(202, {"ticket": {"id": ticket["id"]}, "job_status": job})
    body = {"ticket": ticket, "audit": shown.audit(desk, outcome.audit, call.base)}
    return Answer(201, body, {"Location": ticket["url"], **_warn(outcome.warnings)})


def show(desk: Desk, call: Call) -> Answer:
    """GET tickets/{id}."""
    row = desk.ticket(call.number())
    return Answer(body={"ticket": shown.ticket(row, call.base), **_sideloads(desk, call, [row])})


def show_many(desk: Desk, call: Call) -> Answer:
    """GET tickets/show_many?ids=."""
    rows = [desk.tickets[n] for n in ids_of(call.query.get("ids", "")) if n in desk.tickets]
    rows = [row for row in rows if row["status"] != "deleted"]
    body: Row = {"tickets": [shown.ticket(row, call.base) for row in rows], "count": len(rows)}
    return Answer(body=body | {"next_page": None, "previous_page": None} | _sideloads(desk, call, rows))


def listing(desk: Desk, call: Call) -> Answer:
    """GET tickets, oldest first unless asked otherwise; `external_id` may find several."""
    headers = desk.meter.ticket_list(desk.clock())
    external = call.query.get("external_id")
    if external is not None:
        rows = [desk.tickets[number] for number in desk.by_external.get(external, ())]
    else:
        rows = list(desk.tickets.values())
    return Answer(body=_page(desk, call, rows), headers=headers)


def requested(desk: Desk, call: Call) -> Answer:
    """GET users/{id}/tickets/requested."""
    user = desk.row("user", call.number())["id"]
    return Answer(body=_page(desk, call, [row for row in desk.tickets.values() if row["requester_id"] == user]))


def count(desk: Desk, _: Call) -> Answer:
    """GET tickets/count."""
    value = sum(row["status"] != "deleted" for row in desk.tickets.values())
    return Answer(body={"count": {"value": value, "refreshed_at": desk.stamp()}})


def update(desk: Desk, call: Call) -> Answer:
    """PUT tickets/{id}."""
    row = desk.ticket(call.number())
    headers = desk.meter.ticket_update(call.actor.user_id, row["id"], desk.clock())
    outcome = tickets.update(desk, call.actor, row, call.part("ticket"))
    body = {
        "ticket": shown.ticket(outcome.ticket, call.base),
        "audit": shown.audit(desk, outcome.audit, call.base),
    }
    return Answer(200, body, headers | _warn(outcome.warnings))


def delete(desk: Desk, call: Call) -> Answer:
    """DELETE tickets/{id}."""
    tickets.delete(desk, desk.ticket(call.number()))
    return Answer(204)


def deleted(desk: Desk, call: Call) -> Answer:
    """GET deleted_tickets."""
    actor = desk.users[call.actor.user_id]
    rows = [
        {
            "id": row["id"],
            "subject": row["subject"],
            "actor": {"id": actor["id"], "name": actor["name"]},
            "deleted_at": row["updated_at"],
            "previous_state": row["previous_status"],
        }
        for row in desk.tickets.values()
        if "previous_status" in row
    ]
    return Answer(body=page(call, "deleted_tickets", rows))


def restore(desk: Desk, call: Call) -> Answer:
    """PUT deleted_tickets/{id}/restore (the empty object is recorded)."""
    tickets.restore(desk, desk.row("ticket", call.number()))
    return Answer(200, {})


def scrub(desk: Desk, call: Call) -> Answer:
    """DELETE deleted_tickets/{id}: for good; answers a job."""
    row = desk.row("ticket", call.number())
    if "previous_status" not in row:
        raise not_found()
    tickets.scrub(desk, row)
    return Answer(200, {"job_status": _job(desk, call, "Ticket Deletion", [{"id": row["id"], "success": True}])})


def comment_list(desk: Desk, call: Call) -> Answer:
    """GET tickets/{id}/comments, oldest first unless `sort=-created_at` or `sort_order=desc`."""
    row = desk.ticket(call.number())
    descending = call.query.get("sort", "").startswith("-") or call.query.get("sort_order") == "desc"
    rows = desk.comments_of(row["id"])
    if descending:
        rows.reverse()
    body = page(call, "comments", rows, descending=descending)
    if "users" in call.query.get("include", ""):
        ids = dict.fromkeys(said["author_id"] for said in body["comments"])
        body["users"] = [shown.plain("user", desk.users[number], call.base) for number in ids]
    body["comments"] = [shown.comment(desk, said, call.base) for said in body["comments"]]
    return Answer(body=body)


def comment_count(desk: Desk, call: Call) -> Answer:
    """GET tickets/{id}/comments/count."""
    value = len(desk.comments_of(desk.ticket(call.number())["id"]))
    return Answer(body={"count": {"value": value, "refreshed_at": desk.stamp()}})


def make_private(desk: Desk, call: Call) -> Answer:
    """PUT tickets/{id}/comments/{id}/make_private; what a 200 holds is unconfirmed, here nothing."""
    comments.make_private(desk, desk.ticket(call.number()), call.number(1))
    return Answer(200, {})


def redact(desk: Desk, call: Call) -> Answer:
    """PUT tickets/{id}/comments/{id}/redact {"text": "..."}."""
    row = desk.ticket(call.number())
    said = comments.redact(desk, row, call.number(1), str(call.json.get("text") or ""))
    return Answer(body={"comment": shown.comment(desk, said, call.base)})


def redact_html(desk: Desk, call: Call) -> Answer:
    """PUT comment_redactions/{comment id} {"ticket_id", "html_body"}."""
    number = call.json.get("ticket_id")
    row = desk.ticket(number if isinstance(number, int) else 0)
    said = comments.redact_html(desk, row, call.number(), str(call.json.get("html_body") or ""))
    return Answer(body={"comment": shown.comment(desk, said, call.base)})


def audit_list(desk: Desk, call: Call) -> Answer:
    """GET tickets/{id}/audits."""
    row = desk.ticket(call.number())
    body = page(call, "audits", list(desk.audits.get(row["id"], {}).values()))
    body["audits"] = [shown.audit(desk, audit, call.base) for audit in body["audits"]]
    return Answer(body=body)


def audit(desk: Desk, call: Call) -> Answer:
    """GET tickets/{id}/audits/{id}."""
    found = desk.audits.get(desk.ticket(call.number())["id"], {}).get(call.number(1))
    if found is None:
        raise not_found()
    return Answer(body={"audit": shown.audit(desk, found, call.base)})


def tags(desk: Desk, call: Call) -> Answer:
    """tickets/{id}/tags: GET shows, POST sets, PUT adds, DELETE takes away."""
    row = desk.ticket(call.number())
    if call.method == "GET":
        return Answer(body={"tags": row["tags"]})
    given = fields.tags_of(call.json.get("tags"))
    wanted = {"POST": given, "PUT": [*row["tags"], *given]}.get(call.method)
    if wanted is None:
        wanted = [tag for tag in row["tags"] if tag not in given]
    outcome = tickets.update(desk, call.actor, row, {"tags": wanted})
    status = 201 if call.method == "POST" else 200
    return Answer(status, {"tags": outcome.ticket["tags"]})


def merge(desk: Desk, call: Call) -> Answer:
    """POST tickets/{id}/merge."""
    ids = call.json.get("ids")
    if not isinstance(ids, list) or not ids:
        raise Refusal(400, "Required parameter missing: ids")
    target = desk.ticket(call.number())
    tickets.merge(desk, call.actor, target, [desk.ticket(int(number)) for number in ids], call.json)
    return Answer(200, {"job_status": _job(desk, call, "Ticket Merge", [{"id": target["id"], "success": True}])})


def create_many(desk: Desk, call: Call) -> Answer:
    """POST tickets/create_many, at most 100."""
    wanted = call.json.get("tickets")
    if not isinstance(wanted, list):
        raise Refusal(400, "Required parameter missing: tickets")
    at_most_100(wanted)
    results: list[Row] = []
    for index, item in enumerate(wanted):
        try:
            results.append({"index": index, "id": tickets.create(desk, call.actor, item).ticket["id"]})
        except Refusal as refusal:
            body = refusal.body if isinstance(refusal.body, dict) else {"error": str(refusal.body)}
            results.append({"index": index, "error": body["error"], "details": str(body.get("details"))})
    return Answer(200, {"job_status": _job(desk, call, "Bulk Create Ticket", results)})


def update_many(desk: Desk, call: Call) -> Answer:
    """PUT tickets/update_many: one change for `ids`, or `tickets` with their own; tags may be added here."""
    if isinstance(call.json.get("tickets"), list):
        pairs = [(item.get("id"), item) for item in call.json["tickets"]]
    else:
        pairs = [(number, call.part("ticket")) for number in ids_of(call.query.get("ids", ""))]
    at_most_100(pairs)
    results: list[Row] = []
    for number, item in pairs:
        try:
            row = desk.ticket(number)
            kept = [tag for tag in row["tags"] if tag not in fields.tags_of(item.get("remove_tags"))]
            more = fields.tags_of(item.get("additional_tags"))
            wanted = {**item, "tags": [*kept, *more]} if more or "remove_tags" in item else item
            tickets.update(desk, call.actor, row, wanted)
            results.append({"id": number, "status": "Updated", "success": True})
        except Refusal as refusal:
            body = refusal.body if isinstance(refusal.body, dict) else {"error": str(refusal.body)}
            results.append({"id": number, "error": body["error"], "success": False})
    return Answer(200, {"job_status": _job(desk, call, "Bulk Update Ticket", results)})


def job(desk: Desk, call: Call) -> Answer:
    """GET job_statuses/{id}: whoever asks finds the work done."""
    return Answer(body={"job_status": shown.plain("job", desk.row("job", call.values[0]), call.base)})


def jobs(desk: Desk, call: Call) -> Answer:
    """GET job_statuses and job_statuses/show_many?ids=."""
    ids = call.query["ids"].split(",") if "ids" in call.query else list(desk.tables["job"])
    rows = [desk.tables["job"][number] for number in ids if number in desk.tables["job"]]
    return Answer(body={"job_statuses": [shown.plain("job", row, call.base) for row in rows]})


def _job(desk: Desk, call: Call, kind: str, results: list[Row]) -> Row:
    row = {
        "id": f"V3-{secrets.token_hex(16)}", "job_type": kind, "total": len(results),
        "progress": len(results), "status": "completed", "results": results,
        "message": f"Completed at {desk.stamp()}",
    }  # fmt: skip
    desk.put("job", row)
    waiting = {"status": "queued", "progress": None, "message": None, "results": None}
    return shown.plain("job", row | waiting, call.base)


def _page(desk: Desk, call: Call, rows: list[Row]) -> Row:
    rows = [row for row in rows if row["status"] != "deleted"]
    by = call.query.get("sort", call.query.get("sort_by", ""))
    descending = by.startswith("-") or call.query.get("sort_order") == "desc"
    by = by.lstrip("-")
    cursor = any(name.startswith("page[") for name in call.query)
    if by == "updated_at" and not cursor:
        rows.sort(key=lambda row: row["touch"])
    if descending:
        rows.reverse()
    body = page(call, "tickets", rows, descending=descending)
    body |= _sideloads(desk, call, body["tickets"])
    body["tickets"] = [shown.ticket(row, call.base) for row in body["tickets"]]
    return body


def _sideloads(desk: Desk, call: Call, rows: list[Row]) -> Row:
    include = call.query.get("include", "")
    body: Row = {}
    if "users" in include:
        ids = dict.fromkeys(n for row in rows for n in (row["requester_id"], row["submitter_id"]))
        body["users"] = [shown.plain("user", desk.users[number], call.base) for number in ids]
    if "groups" in include:
        ids = dict.fromkeys(row["group_id"] for row in rows if row["group_id"])
        body["groups"] = [shown.plain("group", desk.tables["group"][number], call.base) for number in ids]
    return body


def _warn(warnings: list[str]) -> dict[str, str]:
    if not warnings:
        return {}
    names = ", ".join(f'"{name}"' for name in warnings).encode("ascii", "replace").decode().replace("\n", " ")
    return {"x-zendesk-api-warn": f"Removed restricted keys [{names}] from parameters according to whitelist"}


ROUTES = [
    ("POST", "tickets", create),
    ("GET", "tickets", listing),
    ("GET", "tickets/count", count),
    ("GET", "tickets/show_many", show_many),
    ("POST", "tickets/create_many", create_many),
    ("PUT", "tickets/update_many", update_many),
    ("GET", "tickets/*", show),
    ("PUT", "tickets/*", update),
    ("DELETE", "tickets/*", delete),
    ("GET", "tickets/*/comments", comment_list),
    ("GET", "tickets/*/comments/count", comment_count),
    ("PUT", "tickets/*/comments/*/make_private", make_private),
    ("PUT", "tickets/*/comments/*/redact", redact),
    ("PUT", "comment_redactions/*", redact_html),
    ("GET", "tickets/*/audits", audit_list),
    ("GET", "tickets/*/audits/*", audit),
    ("GET", "tickets/*/tags", tags),
    ("POST", "tickets/*/tags", tags),
    ("PUT", "tickets/*/tags", tags),
    ("DELETE", "tickets/*/tags", tags),
    ("POST", "tickets/*/merge", merge),
    ("GET", "users/*/tickets/requested", requested),
    ("GET", "deleted_tickets", deleted),
    ("PUT", "deleted_tickets/*/restore", restore),
    ("DELETE", "deleted_tickets/*", scrub),
    ("GET", "job_statuses", jobs),
    ("GET", "job_statuses/show_many", jobs),
    ("GET", "job_statuses/*", job),
]
