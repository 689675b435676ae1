"""The API's other pages: contacts, agents, groups, products, roles, companies, fields, surveys, settings.

Documented: which of them there are, what contacts can be filtered by, soft and hard deletion of contacts.
Unconfirmed: that an unknown e-mail in the list of contacts gives an empty list; which pages an agent who is no
admin may not see (here: making and changing ticket fields, companies).
"""

from __future__ import annotations

from collections.abc import Callable

from connector.testing.simulators.freshdesk import account, checks, fields, people, search, shown
from connector.testing.simulators.freshdesk.answers import (
    Answer,
    Call,
    Row,
    complaint,
    invalid,
    not_found,
    page,
    unexpected,
)
from connector.testing.simulators.freshdesk.desk import Desk

Handler = Callable[[Desk, Call], Answer]
_EXACT = ("email", "mobile", "phone", "unique_external_id")
_STATES = ("blocked", "deleted", "unverified", "verified")


# -- contacts -----------------------------------------------------------------------------------------------------


def create_contact(desk: Desk, call: Call) -> Answer:
    """POST contacts."""
    row = people.create(desk, call.body, call.is_form)
    location = {"Location": f"{call.base}/api/v2/contacts/{row['id']}"}
    return Answer(201, people.shown(row, whole=True), location)


def list_contacts(desk: Desk, call: Call) -> Answer:
    """GET contacts."""
    call.allow(*_EXACT, "company_id", "state", "updated_since", "_updated_since", "page", "per_page")
    wanted = {name: call.query[name].lower() for name in _EXACT if name in call.query}
    state, company = call.query.get("state"), call.query.get("company_id")
    since = checks.stamp_of(call.query.get("_updated_since", call.query.get("updated_since", "1970-01-01")))
    if state is not None and state not in _STATES:
        raise invalid(complaint("state", f"It should be {checks.one_of_words(_STATES)}", "invalid_value"))

    def listed(row: Row) -> bool:
        return (
            row["deleted"] == (state == "deleted")
            and all(str(row[name] or "").lower() == value for name, value in wanted.items())
            and (company is None or str(row["company_id"]) == company)
            and (since is None or row["updated_at"] >= since)
        )

    found = desk.named(*next(iter(wanted.items()))) if wanted else None
    everybody = [] if wanted else list(desk.contacts.values())
    rows = [desk.contacts[found]] if found in desk.contacts else everybody
    answer = page(call, [row for row in rows if listed(row)])
    answer.body = [people.shown(row, whole=False) for row in answer.body]
    return answer


def show_contact(desk: Desk, call: Call) -> Answer:
    """GET contacts/{id}."""
    return Answer(body=people.shown(desk.row("contact", call.number()), whole=True))


def update_contact(desk: Desk, call: Call) -> Answer:
    """PUT contacts/{id}."""
    row = _live_contact(desk, call)
    people.update(desk, row, call.body, call.is_form)
    return Answer(body=people.shown(row, whole=True))


def delete_contact(desk: Desk, call: Call) -> Answer:
    """DELETE contacts/{id}: softly."""
    row = _live_contact(desk, call)
    row |= {"deleted": True, "updated_at": desk.stamp()}
    desk.put("contact", row)
    return Answer(204)


def restore_contact(desk: Desk, call: Call) -> Answer:
    """PUT contacts/{id}/restore."""
    row = desk.row("contact", call.number())
    if not row["deleted"]:
        raise not_found()
    row |= {"deleted": False, "updated_at": desk.stamp()}
    desk.put("contact", row)
    return Answer(204)


def forget_contact(desk: Desk, call: Call) -> Answer:
    """DELETE contacts/{id}/hard_delete: for good, if deleted already or `force=true`; the tickets go with it."""
    row = desk.row("contact", call.number())
    if not row["deleted"] and call.query.get("force", "").lower() != "true":
        raise invalid(complaint("force", "The contact is not deleted", "invalid_value"))
    for number in list(desk.tickets_of.get(row["id"], ())):
        desk.tickets[number]["deleted"] = True
        desk.touch(desk.tickets[number])
    desk.remove("contact", row["id"])
    return Answer(204)


def find_contacts(desk: Desk, call: Call) -> Answer:
    """GET search/contacts."""
    wanted = search.contacts(call.query.get("query", ""))
    answer = search.page(call, [row for row in desk.contacts.values() if not row["deleted"] and wanted(row)])
    answer.body["results"] = [people.shown(row, whole=False) for row in answer.body["results"]]
    return answer


def _live_contact(desk: Desk, call: Call) -> Row:
    row = desk.row("contact", call.number())
    if row["deleted"]:
        raise not_found()
    return row


# -- agents -------------------------------------------------------------------------------------------------------


def list_agents(desk: Desk, call: Call) -> Answer:
    """GET agents."""
    call.allow("email", "mobile", "phone", "state", "page", "per_page")
    wanted = {name: call.query[name].lower() for name in ("email", "mobile", "phone") if name in call.query}
    rows = [
        r
        for r in desk.agents.values()
        if all(str(r["contact"][name] or "").lower() == v for name, v in wanted.items())
    ]
    answer = page(call, rows)
    answer.body = [shown.agent(row, whole=False) for row in answer.body]
    return answer


def show_agent(desk: Desk, call: Call) -> Answer:
    """GET agents/{id}."""
    return Answer(body=shown.agent(desk.row("agent", call.number()), whole=True))


def show_me(desk: Desk, call: Call) -> Answer:
    """GET agents/me."""
    return Answer(body=shown.agent(desk.agents[call.agent], whole=True))


# -- ticket fields ------------------------------------------------------------------------------------------------


def list_fields(desk: Desk, call: Call) -> Answer:
    """GET ticket_fields; `type=` picks one kind."""
    call.allow("type", "page", "per_page")
    kind = call.query.get("type")
    rows = sorted(desk.tables["field"].values(), key=lambda row: (row["position"], row["id"]))
    return Answer(body=[fields.shown(desk, row) for row in rows if kind in (None, row["type"])])


def list_fields_for_admin(desk: Desk, _: Call) -> Answer:
    """GET admin/ticket_fields."""
    return Answer(body=[fields.shown_to_admin(row, whole=False) for row in desk.tables["field"].values()])


def show_field(desk: Desk, call: Call) -> Answer:
    """GET admin/ticket_fields/{id}."""
    return Answer(body=fields.shown_to_admin(desk.row("field", call.number()), whole=True))


def create_field(desk: Desk, call: Call) -> Answer:
    """POST admin/ticket_fields."""
    return Answer(201, fields.shown_to_admin(fields.create(desk, call.body), whole=True))


def update_field(desk: Desk, call: Call) -> Answer:
    """PUT admin/ticket_fields/{id}."""
    row = fields.update(desk, desk.row("field", call.number()), call.body)
    return Answer(body=fields.shown_to_admin(row, whole=True))


def delete_field(desk: Desk, call: Call) -> Answer:
    """DELETE admin/ticket_fields/{id}; the values go with it."""
    row = desk.row("field", call.number())
    if row["default"]:
        raise invalid(complaint("id", "Default fields cannot be deleted", "invalid_value"))
    names = {row["name"], *(item["name"] for item in row["dependent_fields"])}
    for ticket in desk.tickets.values():
        if names & ticket["custom_fields"].keys():
            ticket["custom_fields"] = {k: v for k, v in ticket["custom_fields"].items() if k not in names}
            desk.put("ticket", ticket)
    desk.remove("field", row["id"])
    return Answer(204)


# -- the rest -----------------------------------------------------------------------------------------------------


def create_company(desk: Desk, call: Call) -> Answer:
    """POST companies."""
    unknown = [name for name in call.body if name not in ("name", "domains", "description", "note")]
    if unknown:
        raise invalid(*(unexpected(name) for name in unknown))
    if not isinstance(call.body.get("name"), str) or not call.body["name"]:
        raise invalid(complaint("name", "It should be a/an String", "missing_field"))
    if any(row["name"].lower() == call.body["name"].lower() for row in desk.tables["company"].values()):
        raise invalid(complaint("name", "It should be a unique value", "duplicate_value"), status=409)
    row = account.company(desk, call.body["name"], call.body.get("domains") or [])
    row |= {name: call.body.get(name) for name in ("description", "note")}
    return Answer(201, desk.put("company", row))


def list_ratings(desk: Desk, call: Call) -> Answer:
    """GET surveys/satisfaction_ratings."""
    call.allow("created_since", "user_id", "page", "per_page")
    since = checks.stamp_of(call.query.get("created_since", "1970-01-01")) or ""
    return page(call, [row for row in desk.tables["rating"].values() if row["created_at"] >= since])


def settings(_: Desk, __: Call) -> Answer:
    """GET settings/helpdesk."""
    return Answer(body=account.SETTINGS)


def _list(table: str) -> Handler:
    return lambda desk, call: page(call, list(desk.tables[table].values()))


def _show(table: str) -> Handler:
    return lambda desk, call: Answer(body=desk.row(table, call.number()))


_PLAIN = {
    "groups": "group", "products": "product", "roles": "role", "companies": "company",
    "email_configs": "email_config",
}  # fmt: skip
ADMIN_ONLY = ("POST admin/", "PUT admin/", "DELETE admin/", "POST companies")
ROUTES: list[tuple[str, str, Handler]] = [
    ("POST", "contacts", create_contact),
    ("GET", "contacts", list_contacts),
    ("GET", "contacts/*", show_contact),
    ("PUT", "contacts/*", update_contact),
    ("DELETE", "contacts/*", delete_contact),
    ("PUT", "contacts/*/restore", restore_contact),
    ("DELETE", "contacts/*/hard_delete", forget_contact),
    ("GET", "search/contacts", find_contacts),
    ("GET", "agents", list_agents),
    ("GET", "agents/me", show_me),
    ("GET", "agents/*", show_agent),
    ("GET", "ticket_fields", list_fields),
    ("GET", "admin/ticket_fields", list_fields_for_admin),
    ("GET", "admin/ticket_fields/*", show_field),
    ("POST", "admin/ticket_fields", create_field),
    ("PUT", "admin/ticket_fields/*", update_field),
    ("DELETE", "admin/ticket_fields/*", delete_field),
    ("POST", "companies", create_company),
    ("GET", "surveys", _list("survey")),
    ("GET", "surveys/satisfaction_ratings", list_ratings),
    ("GET", "settings/helpdesk", settings),
    *(("GET", path, _list(table)) for path, table in _PLAIN.items()),
    *(("GET", f"{path}/*", _show(table)) for path, table in _PLAIN.items()),
]
