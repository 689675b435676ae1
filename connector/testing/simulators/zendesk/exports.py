"""Incremental exports and search: the slow, broad views of the account.

Sources: vendor's pages "incremental_exports", "search"; recorded answers: the cursor is base64 of
`<second>.0||<ticket id>|` (here a change number stands last); a page holds all rows of one second even if
that is more than `per_page`; a full page ends at its last second (pages overlap), the last page one second
after. Event rows: other people's clients (no recording is known, and the vendor's own example shows another
endpoint's rows).
"""

from __future__ import annotations

import base64
import binascii
import shlex
from collections.abc import Iterator
from itertools import islice
from typing import Any

from connector.testing.simulators.zendesk import shown
from connector.testing.simulators.zendesk.answers import Answer, Call, Refusal, Row, page
from connector.testing.simulators.zendesk.desk import Desk


def ticket_cursor(desk: Desk, call: Call) -> Answer:
    """GET incremental/tickets/cursor."""
    desk.meter.export(desk.clock())
    after, number = 0, 0
    if call.query.get("cursor"):
        start, number, after = _mark(call.query["cursor"])
    else:
        start = _start(desk, call)
    size = _size(call)
    rows = list(islice(_tickets(desk, call, start, after), size + 1))
    more = len(rows) > size
    rows = rows[:size]
    if rows:
        last = rows[-1]
        start, number, after = last["generated_timestamp"], last["id"], last["touch"]
    cursor = _cursor(start, number, after)
    path = "/api/v2/incremental/tickets/cursor.json"
    body: Row = {
        "tickets": [shown.ticket(row, call.base) for row in rows],
        "after_url": call.address(path, cursor=cursor, per_page=size),
        "after_cursor": cursor,
        "before_url": None,
        "before_cursor": None,
        "end_of_stream": not more,
    }
    return Answer(body=body | _sideloads(desk, call, rows))


def tickets_by_time(desk: Desk, call: Call) -> Answer:
    """GET incremental/tickets."""
    desk.meter.export(desk.clock())
    start = _start(desk, call)
    found = ((row["generated_timestamp"], row) for row in _tickets(desk, call, start))
    rows, end, more = _by_seconds(found, _size(call), start)
    body = _timed(call, "/api/v2/incremental/tickets.json", end, len(rows), more)
    body["tickets"] = [shown.ticket(row, call.base) for row in rows]
    return Answer(body=body | _sideloads(desk, call, rows))


def ticket_events(desk: Desk, call: Call) -> Answer:
    """GET incremental/ticket_events; `include=comment_events` puts the comments in."""
    desk.meter.export(desk.clock())
    start = _start(desk, call)
    with_comments = "comment_events" in call.query.get("include", "")
    rows, end, more = _by_seconds(desk.events_since(start, _until(desk)), _size(call), start)
    body = _timed(call, "/api/v2/incremental/ticket_events.json", end, len(rows), more)
    body["ticket_events"] = [_ticket_event(desk, row, call.base, with_comments) for row in rows]
    return Answer(body=body)


def search(desk: Desk, call: Call) -> Answer:
    """GET search: 1,000 results at most, new tickets are found only after the lag."""
    size = int(call.query.get("per_page") or 100)
    if int(call.query.get("page") or 1) * min(size, 100) > 1000:
        words = "Invalid search: Requested response size was greater than Search Response Limits"
        raise Refusal(422, {"error": "invalid", "description": words})
    rows = found(desk, call.query.get("query", ""))
    body = page(call, "results", rows)
    body["results"] = [_result(row, call.base) for row in body["results"]]
    return Answer(body=body | {"facets": None})


def search_count(desk: Desk, call: Call) -> Answer:
    """GET search/count."""
    return Answer(body={"count": len(found(desk, call.query.get("query", "")))})


def search_export(desk: Desk, call: Call) -> Answer:
    """GET search/export: cursor pages of one type, which must be named."""
    kind = call.query.get("filter[type]")
    if kind not in ("ticket", "user"):
        raise Refusal(400, {"error": {"title": "Invalid attribute", "message": "filter[type] is required"}})
    call.query.setdefault("page[size]", "100")
    body = page(call, "results", found(desk, f"type:{kind} {call.query.get('query', '')}"))
    body["results"] = [_result(row, call.base) for row in body["results"]]
    return Answer(body=body | {"facets": None})


def found(desk: Desk, query: str) -> list[Row]:
    """Tickets (or users, with `type:user`) that meet every condition of a search query."""
    try:
        words = shlex.split(query.replace("'", "\\'"))
    except ValueError:
        words = query.split()
    names = {word.partition(":")[0]: word.partition(":")[2] for word in words if ":" in word}
    free = [word.lower() for word in words if ":" not in word and "<" not in word and ">" not in word]
    if names.get("type") == "user":
        rows = desk.users.values()
        return [u for u in rows if all(w in f"{u['name']} {u['email']}".lower() for w in free)]
    until = desk.clock() - desk.faults.faults.search_lag_s
    if "external_id" in names:
        ids = list(desk.by_external.get(names["external_id"], ()))
        candidates = [desk.tickets[number] for number in ids]
    else:
        candidates = list(desk.tickets.values())
    rows_found = []
    for row in candidates:
        if row["status"] == "deleted" or _born(desk, row) > until:
            continue
        if all(_meets(desk, row, name, value) for name, value in names.items()):
            text = " ".join([row["subject"] or "", *(c["body"] for c in desk.comments_of(row["id"]))]) if free else ""
            if all(word in text.lower() for word in free):
                rows_found.append(row)
    return rows_found


def _meets(desk: Desk, row: Row, name: str, value: str) -> bool:
    if name == "status":
        return bool(row["status"] == value)
    if name == "tags":
        return any(tag in row["tags"] for tag in value.split(","))
    if name == "requester":
        user = desk.users.get(row["requester_id"], {})
        return value.lower() in f"{user.get('email')} {user.get('name')} {user.get('id')}".lower()
    if name == "priority":
        return bool(row["priority"] == value)
    if name == "subject":
        return value.lower() in (row["subject"] or "").lower()
    if name.startswith("custom_field_"):
        wanted = name.removeprefix("custom_field_")
        return any(str(f["id"]) == wanted and str(f["value"]) == value for f in row["custom_fields"])
    return True


def _born(desk: Desk, row: Row) -> float:
    audits = desk.audits.get(row["id"])
    return float(next(iter(audits.values()))["generated_timestamp"]) if audits else 0.0


def _result(row: Row, base: str) -> Row:
    if "requester_id" in row:
        return {**shown.ticket(row, base), "result_type": "ticket"}
    return {**shown.plain("user", row, base), "result_type": "user"}


def _tickets(desk: Desk, call: Call, start: int, after: int = 0) -> Iterator[Row]:
    without = call.query.get("exclude_deleted") == "true"
    for row in desk.touched_since(start, _until(desk), after):
        if not (without and row["status"] == "deleted"):
            yield row


def _until(desk: Desk) -> float:
    return desk.clock() - desk.faults.faults.incremental_lag_s


def _start(desk: Desk, call: Call) -> int:
    text = call.query.get("start_time", "")
    if not text.lstrip("-").isdigit():
        raise Refusal(400, "Required parameter missing: start_time")
    if int(text) > _until(desk):
        words = "Too recent start_time. Use a start_time older than 60 seconds"
        raise Refusal(422, {"error": "InvalidValue", "description": words})
    return int(text)


def _size(call: Call) -> int:
    text = call.query.get("per_page", "")
    return max(1, min(int(text), 1000)) if text.isdigit() else 1000


def _by_seconds(found: Iterator[tuple[int, Row]], size: int, start: int) -> tuple[list[Row], int, bool]:
    rows: list[Row] = []
    last = start
    for when, row in found:
        if len(rows) >= size and when != last:
            return rows, last, True
        rows.append(row)
        last = when
    return rows, last + 1 if rows else start, False


def _timed(call: Call, path: str, end: int, count: int, more: bool) -> Row:
    kept = {k: v for k, v in call.query.items() if k in ("per_page", "include", "exclude_deleted")}
    link = call.address(path, start_time=end, **kept)
    return {"count": count, "end_time": end, "end_of_stream": not more, "next_page": link}


def _sideloads(desk: Desk, call: Call, rows: list[Row]) -> Row:
    if "users" not in call.query.get("include", ""):
        return {}
    ids = dict.fromkeys(row["requester_id"] for row in rows)
    return {"users": [shown.plain("user", desk.users[number], call.base) for number in ids]}


def _ticket_event(desk: Desk, audit: Row, base: str, with_comments: bool) -> Row:
    children: list[Row] = []
    for event in shown.audit(desk, audit, base)["events"]:
        child: dict[str, Any] = {"id": event["id"], "via": "Web service", "via_reference_id": None}
        if event["type"] == "Comment":
            child |= {"comment_present": True, "comment_public": event["public"], "event_type": "Comment"}
            if with_comments:
                child |= {k: v for k, v in event.items() if k != "via"}
        else:
            child |= {event["field_name"]: event["value"], "event_type": event["type"]}
            if "previous_value" in event:
                child["previous_value"] = event["previous_value"]
        children.append(child)
    return {
        "id": audit["id"],
        "ticket_id": audit["ticket_id"],
        "timestamp": audit["generated_timestamp"],
        "created_at": audit["created_at"],
        "updater_id": audit["author_id"],
        "via": "Web service" if audit["via"]["channel"] == "api" else "Web form",
        "system": audit["metadata"]["system"],
        "metadata": audit["metadata"],
        "event_type": "Audit",
        "child_events": children,
    }


def _cursor(second: int, ticket: int, touch: int) -> str:
    return base64.b64encode(f"{second}.0||{ticket}|{touch}".encode()).decode()


def _mark(cursor: str) -> tuple[int, int, int]:
    try:
        second, _, rest = base64.b64decode(cursor).decode().partition(".0||")
        ticket, _, touch = rest.partition("|")
        return int(second), int(ticket), int(touch)
    except (ValueError, binascii.Error):
        raise Refusal(400, {"error": "InvalidPaginationParameter", "description": "Invalid cursor"}) from None
