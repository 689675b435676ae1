"""The API's ticket pages: tickets, their lists, conversations, merges, searches.

Documented: filters and their names, the window of 30 days without `updated_since`, orders, sizes of pages.
Recorded: the complaint about an unknown e-mail. Unconfirmed: that an unknown requester or external id is complained
about alike, that `updated_since` includes its own second, the words for a wrong order.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable

from connector.testing.simulators.freshdesk import checks, conversations, files, search, shown, tickets
from connector.testing.simulators.freshdesk.answers import (
    MAX_PAGE,
    Answer,
    Call,
    Row,
    Wanted,
    complaint,
    included,
    invalid,
    no_match,
    page,
)
from connector.testing.simulators.freshdesk.desk import Desk

WINDOW_S = 30 * 86_400
_ORDERS = ("created_at", "due_by", "updated_at", "status")
_FILTERS = ("new_and_my_open", "watching", "spam", "deleted")
_LIST = (
    "filter", "updated_since", "order_by", "order_type", "page", "per_page", "include", "requester_id", "email",
    "unique_external_id", "company_id",
)  # fmt: skip


def create(desk: Desk, call: Call) -> Answer:
    """POST tickets."""
    row = tickets.create(desk, files.wanted(desk, call))
    told = shown.ticket(desk, row, call.base)
    told |= {name: call.body.get(name) and row[name] for name in ("due_by", "fr_due_by")}
    return Answer(201, told, {"Location": f"{call.base}/api/v2/tickets/{row['id']}"})


def show(desk: Desk, call: Call) -> Answer:
    """GET tickets/{id}; deleted ones are shown as deleted (unconfirmed)."""
    call.allow("include")
    row = desk.row("ticket", call.number())
    return Answer(body=shown.ticket(desk, row, call.base, included(call, shown.ALONE)))


def update(desk: Desk, call: Call) -> Answer:
    """PUT tickets/{id}."""
    row = desk.live_ticket(call.number())
    tickets.update(desk, row, files.wanted(desk, call, row["attachments"]))
    return Answer(body=shown.ticket(desk, row, call.base))


def delete(desk: Desk, call: Call) -> Answer:
    """DELETE tickets/{id}."""
    tickets.delete(desk, desk.row("ticket", call.number()))
    return Answer(204)


def restore(desk: Desk, call: Call) -> Answer:
    """PUT tickets/{id}/restore."""
    tickets.restore(desk, desk.row("ticket", call.number()))
    return Answer(204)


def merge(desk: Desk, call: Call) -> Answer:
    """PUT tickets/merge."""
    tickets.merge(desk, call.agent, call.body)
    return Answer(204)


def index(desk: Desk, call: Call) -> Answer:
    """GET tickets: filtered, ordered, 30 on a page."""
    call.allow(*_LIST)
    parts = included(call, shown.IN_LISTS)
    by, way = call.query.get("order_by", "created_at"), call.query.get("order_type", "desc")
    for name, value, allowed in (("order_by", by, _ORDERS), ("order_type", way, ("asc", "desc"))):
        if value not in allowed:
            words = f"It should be {checks.one_of_words(allowed)}"
            raise invalid(complaint(name, words, "invalid_value"))
    rows = [row for row in _candidates(desk, call) if _listed(call, row)]
    rows.sort(key=lambda row: (row[by], row["touch"] if by == "updated_at" else row["id"]), reverse=way == "desc")
    answer = page(call, rows, last=MAX_PAGE)
    answer.body = [shown.ticket(desk, row, call.base, parts, whole=False) for row in answer.body]
    return answer


def _candidates(desk: Desk, call: Call) -> Iterable[Row]:
    since = _since(call)
    people = _requesters(desk, call)
    if people is not None:
        found = [desk.tickets[n] for who in people for n in desk.tickets_of.get(who, ())]
        rows = [row for row in found if row["requester_id"] in people]
    elif since is not None:
        rows = []
        for row in desk.latest():
            if row["updated_at"] < since:
                break
            rows.append(row)
    else:
        rows = list(desk.tickets.values())
    if since is not None:
        return [row for row in rows if row["updated_at"] >= since]
    begin = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(desk.now() - WINDOW_S))
    return [row for row in rows if row["created_at"] >= begin]


def _since(call: Call) -> str | None:
    text = call.query.get("updated_since")
    if text is None:
        return None
    since = checks.stamp_of(text)
    if since is None:
        words = "It should be in the 'combined date and time ISO8601' format"
        raise invalid(complaint("updated_since", words, "invalid_value"))
    return since


def _requesters(desk: Desk, call: Call) -> set[int] | None:
    """Whose tickets are asked for; None = everybody's. An unknown person is a complaint, not an empty list."""
    found: set[int] | None = None
    for name in ("requester_id", "email", "unique_external_id"):
        text = call.query.get(name)
        if text is None:
            continue
        who = int(text) if name == "requester_id" and text.isdigit() else desk.named(name, text)
        if who is None or desk.person(who) is None:
            raise invalid(no_match("contact", name))
        found = {who} if found is None else found & {who}
    return found


def _listed(call: Call, row: Row) -> bool:
    wanted = call.query.get("filter")
    if wanted is not None and wanted not in _FILTERS:
        words = f"It should be {checks.one_of_words(_FILTERS)}"
        raise invalid(complaint("filter", words, "invalid_value"))
    company = call.query.get("company_id")
    if company is not None and str(row["company_id"]) != company:
        return False
    if wanted in ("spam", "deleted"):
        return bool(row[wanted]) and not (wanted == "spam" and row["deleted"])
    if row["spam"] or row["deleted"] or wanted == "watching":
        return False
    if wanted == "new_and_my_open":
        return row["status"] == 2 and row["responder_id"] in (None, call.agent)
    return True


def find(desk: Desk, call: Call) -> Answer:
    """GET search/tickets; new tickets are unknown to it for `search_lag_s`."""
    custom = list(_custom_names(desk))
    wanted = search.tickets(call.query.get("query", ""), custom)
    lag = desk.faults.faults.search_lag_s
    known = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(desk.clock() - lag))
    rows = [
        row
        for row in reversed(desk.tickets.values())
        if not row["spam"] and not row["deleted"] and (not lag or row["created_at"] < known) and wanted(row)
    ]
    answer = search.page(call, rows)
    answer.body["results"] = [shown.ticket(desk, row, call.base, whole=False) for row in answer.body["results"]]
    return answer


def _custom_names(desk: Desk) -> Iterable[str]:
    return (row["name"] for row in desk.tables["field"].values() if not row["default"])


def list_conversations(desk: Desk, call: Call) -> Answer:
    """GET tickets/{id}/conversations, oldest first, 30 on a page."""
    call.allow("page", "per_page")
    number = call.number()
    desk.row("ticket", number)
    answer = page(call, desk.conversations_of(number))
    answer.body = [shown.conversation(desk, row, call.base) for row in answer.body]
    return answer


Adding = Callable[[Desk, Row, int, Wanted], Row]


def _adds(make: Adding) -> Callable[[Desk, Call], Answer]:
    def handler(desk: Desk, call: Call) -> Answer:
        ticket = desk.live_ticket(call.number())
        said = make(desk, ticket, call.agent, files.wanted(desk, call))
        return Answer(201, shown.answered(desk, said, call.base))

    return handler


def edit_conversation(desk: Desk, call: Call) -> Answer:
    """PUT conversations/{id}."""
    said = conversations.edit(desk, call.number(), call.agent, files.wanted(desk, call))
    return Answer(body=shown.answered(desk, said, call.base))


def delete_conversation(desk: Desk, call: Call) -> Answer:
    """DELETE conversations/{id}."""
    conversations.delete(desk, call.number())
    return Answer(204)


def ratings(desk: Desk, call: Call) -> Answer:
    """GET tickets/{id}/satisfaction_ratings."""
    number = call.number()
    desk.row("ticket", number)
    return page(call, [row for row in desk.tables["rating"].values() if row["ticket_id"] == number])


ROUTES = [
    ("POST", "tickets", create),
    ("GET", "tickets", index),
    ("PUT", "tickets/merge", merge),
    ("GET", "tickets/*", show),
    ("PUT", "tickets/*", update),
    ("DELETE", "tickets/*", delete),
    ("PUT", "tickets/*/restore", restore),
    ("GET", "tickets/*/conversations", list_conversations),
    ("POST", "tickets/*/reply", _adds(conversations.reply)),
    ("POST", "tickets/*/notes", _adds(conversations.note)),
    ("POST", "tickets/*/forward", _adds(conversations.forward)),
    ("GET", "tickets/*/satisfaction_ratings", ratings),
    ("PUT", "conversations/*", edit_conversation),
    ("DELETE", "conversations/*", delete_conversation),
    ("GET", "search/tickets", find),
]
