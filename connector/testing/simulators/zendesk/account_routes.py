"""The API's pages about the account itself: fields, groups, brands, statuses, webhooks, triggers, exports.

Source: vendor's pages of the same names and its API description; recorded answers for created rows. Triggers
are kept and shown; of what they do, only calling webhooks happens (`hooks`).
"""

from __future__ import annotations

import base64
import secrets
from collections.abc import Callable

from connector.testing.simulators.zendesk import account, exports, hooks, shown
from connector.testing.simulators.zendesk.answers import Answer, Call, Row, invalid, not_found, page
from connector.testing.simulators.zendesk.desk import Desk

Handler = Callable[[Desk, Call], Answer]


def _list(table: str, name: str) -> Handler:
    def listing(desk: Desk, call: Call) -> Answer:
        rows = [_row(table, row, call.base) for row in desk.tables[table].values()]
        return Answer(body=page(call, name, rows))

    return listing


def _show(table: str, name: str) -> Handler:
    def show(desk: Desk, call: Call) -> Answer:
        return Answer(body={name: _row(table, desk.row(table, call.number()), call.base)})

    return show


def _count(table: str) -> Handler:
    def count(desk: Desk, _: Call) -> Answer:
        return Answer(body={"count": {"value": len(desk.tables[table]), "refreshed_at": desk.stamp()}})

    return count


def _row(table: str, row: Row, base: str) -> Row:
    return row if table == "custom_status" else shown.plain(table, row, base)


def create_field(desk: Desk, call: Call) -> Answer:
    """POST ticket_fields; option values are unique in the account (vendor's page), a clash is 422."""
    wanted = call.part("ticket_field")
    title = wanted.get("title")
    if not title:
        raise invalid("title", "Title: cannot be blank", "BlankValue")
    options = [(str(o.get("name")), str(o.get("value"))) for o in wanted.get("custom_field_options") or []]
    taken = {
        option["value"]
        for row in desk.tables["ticket_field"].values()
        for option in row.get("custom_field_options", ())
    }
    for _, value in options:
        if value in taken:
            words = f"Tag: {value} is already being used by another field"
            raise invalid("custom_field_options", words, "DuplicateValue")
    kept = ("description", "required", "tag", "regexp_for_validation", "agent_description", "active")
    more = {name: wanted[name] for name in kept if name in wanted}
    row = account.field(desk, str(wanted.get("type", "text")), str(title), **more, options=options or None)
    for form in desk.tables["ticket_form"].values():
        form["ticket_field_ids"] = [*form["ticket_field_ids"], row["id"]]
        desk.put("ticket_form", form)
    return _created("ticket_field", row, call)


def options(desk: Desk, call: Call) -> Answer:
    """GET ticket_fields/{id}/options."""
    rows = list(desk.row("ticket_field", call.number()).get("custom_field_options") or ())
    return Answer(body=page(call, "custom_field_options", [_option(call, row) for row in rows]))


def save_option(desk: Desk, call: Call) -> Answer:
    """POST ticket_fields/{id}/options: changes the one whose id is given (200), else makes one (201)."""
    field = desk.row("ticket_field", call.number())
    if "custom_field_options" not in field:
        raise invalid("base", f"{field['title']}: has no options", "InvalidValue")
    wanted = call.part("custom_field_option")
    if not wanted.get("name") or not wanted.get("value"):
        raise invalid("value", "Value: cannot be blank", "BlankValue")
    known = next((row for row in field["custom_field_options"] if row["id"] == wanted.get("id")), None)
    others = [row for owner in desk.tables["ticket_field"].values() for row in owner.get("custom_field_options", ())]
    if any(row["value"] == wanted["value"] and row is not known for row in others):
        raise invalid("value", f"Tag: {wanted['value']} is already being used", "DuplicateValue")
    row: Row = known if known is not None else {"id": desk.new_id(), "default": False}
    row |= {"name": wanted["name"], "raw_name": wanted["name"], "value": wanted["value"]}
    if known is None:
        field["custom_field_options"] = [*field["custom_field_options"], row]
    desk.put("ticket_field", field)
    place = {"Location": f"{call.base}/api/v2/ticket_fields/{field['id']}/options.json"}
    return Answer(201 if known is None else 200, {"custom_field_option": _option(call, row)}, place)


def _option(call: Call, row: Row) -> Row:
    shown_row = {name: row[name] for name in ("id", "name", "raw_name", "value")}
    return {**shown_row, "url": f"{call.base}{call.path.removesuffix('/options')}/options/{row['id']}.json"}


def create_group(desk: Desk, call: Call) -> Answer:
    """POST groups."""
    name = call.part("group").get("name")
    if not name:
        raise invalid("name", "Name: cannot be blank", "BlankValue")
    row = account.group_row(desk, str(name))
    return _created("group", desk.put("group", row), call)


def memberships(desk: Desk, call: Call) -> Answer:
    """GET group_memberships, also of one group or one user."""
    rows = list(desk.tables["group_membership"].values())
    if call.values:
        owner = "group_id" if "/groups/" in call.path else "user_id"
        rows = [row for row in rows if row[owner] == call.number()]
    shown_rows = [shown.plain("group_membership", row, call.base) for row in rows]
    return Answer(body=page(call, "group_memberships", shown_rows))


def create_trigger(desk: Desk, call: Call) -> Answer:
    """POST triggers."""
    wanted = call.part("trigger")
    if not wanted.get("title"):
        raise invalid("title", "Title: cannot be blank", "BlankValue")
    conditions = wanted.get("conditions") or {}
    stamp = desk.stamp()
    row = {
        "id": desk.new_id(), "title": wanted["title"], "raw_title": wanted["title"],
        "active": wanted.get("active", True), "default": False, "description": wanted.get("description"),
        "actions": wanted.get("actions") or [], "position": len(desk.tables["trigger"]) + 1,
        "conditions": {"all": conditions.get("all") or [], "any": conditions.get("any") or []},
        "category_id": wanted.get("category_id"), "created_at": stamp, "updated_at": stamp,
    }  # fmt: skip
    return _created("trigger", desk.put("trigger", row), call)


def update_trigger(desk: Desk, call: Call) -> Answer:
    """PUT triggers/{id}: title, conditions and actions each time (the description requires them)."""
    row, wanted = desk.row("trigger", call.number()), call.part("trigger")
    for name in ("title", "conditions", "actions"):
        if not wanted.get(name):
            raise invalid(name, f"{name.capitalize()}: cannot be blank", "BlankValue")
    conditions = wanted["conditions"]
    row["conditions"] = {"all": conditions.get("all") or [], "any": conditions.get("any") or []}
    kept = ("title", "active", "description", "category_id", "actions")
    row |= {name: wanted[name] for name in kept if name in wanted}
    row["updated_at"] = desk.stamp()
    return Answer(body={"trigger": shown.plain("trigger", desk.put("trigger", row), call.base)})


def delete_trigger(desk: Desk, call: Call) -> Answer:
    """DELETE triggers/{id}."""
    desk.row("trigger", call.number())
    desk.remove("trigger", call.number())
    return Answer(204)


def webhooks(desk: Desk, _: Call) -> Answer:
    """GET webhooks; all on one page."""
    rows = [hooks.shown(row) for row in desk.tables["webhook"].values()]
    empty = {"has_more": False, "after_cursor": None, "before_cursor": None}
    return Answer(body={"webhooks": rows, "meta": empty, "links": {"prev": None, "next": None}})


def create_webhook(desk: Desk, call: Call) -> Answer:
    """POST webhooks."""
    wanted = {k: v for k, v in call.part("webhook").items() if k != "secret"}
    return Answer(201, {"webhook": hooks.shown(hooks.create(desk, wanted, call.actor.user_id))})


def webhook(desk: Desk, call: Call) -> Answer:
    """GET webhooks/{id}."""
    return Answer(body={"webhook": hooks.shown(desk.row("webhook", call.values[0]))})


def update_webhook(desk: Desk, call: Call) -> Answer:
    """PUT and PATCH webhooks/{id}: 204 (recorded)."""
    hooks.update(desk, desk.row("webhook", call.values[0]), call.part("webhook"), call.actor.user_id)
    return Answer(204)


def delete_webhook(desk: Desk, call: Call) -> Answer:
    """DELETE webhooks/{id}."""
    desk.row("webhook", call.values[0])
    desk.remove("webhook", call.values[0])
    return Answer(204)


def signing_secret(desk: Desk, call: Call) -> Answer:
    """webhooks/{id}/signing_secret: GET shows, POST makes a new one (recorded)."""
    row = desk.row("webhook", call.values[0])
    if call.method == "POST":
        row["secret"] = base64.b64encode(secrets.token_bytes(32)).decode()
        desk.put("webhook", row)
    return Answer(201 if call.method == "POST" else 200, {"signing_secret": _secret(row)})


def token(desk: Desk, call: Call) -> Answer:
    """GET oauth/tokens/current: what the access token in use may do; with another log-in there is none (unconfirmed
    how that is told)."""
    if not call.headers.get("authorization", "").lower().startswith("bearer "):
        raise not_found()
    stamp = desk.stamp()
    row = {
        "id": 1, "client_id": 1, "user_id": call.actor.user_id, "token": call.headers["authorization"][7:17],
        "refresh_token": None, "scopes": desk.scopes, "created_at": stamp, "used_at": stamp, "expires_at": None,
        "url": f"{call.base}/api/v2/oauth/tokens/1.json",
    }  # fmt: skip
    return Answer(body={"token": row})


def settings(desk: Desk, _: Call) -> Answer:
    """GET account/settings: the few that a client of ours might read."""
    brand = next(row["id"] for row in desk.tables["brand"].values() if row["default"])
    body = {
        "active_features": {"sandbox": True, "ticket_forms": True, "ticket_tagging": True, "markdown": True},
        "api": {"accepted_api_agreement": True, "api_password_access": "false", "api_token_access": "true"},
        "brands": {"default_brand_id": brand, "require_brand_on_new_tickets": False},
        "localization": {"locale_ids": [27, 1]},
        "tickets": {"comments_public_by_default": True, "agent_ticket_deletion": True},
    }
    return Answer(body={"settings": body})


def _secret(row: Row) -> Row:
    return {"algorithm": "SHA256", "secret": row["secret"]}


def _created(table: str, row: Row, call: Call) -> Answer:
    made = shown.plain(table, row, call.base)
    return Answer(201, {table: made}, {"Location": made["url"]})


ROUTES: list[tuple[str, str, Handler]] = [
    ("GET", "ticket_fields", _list("ticket_field", "ticket_fields")),
    ("GET", "ticket_fields/count", _count("ticket_field")),
    ("GET", "ticket_fields/*", _show("ticket_field", "ticket_field")),
    ("POST", "ticket_fields", create_field),
    ("GET", "ticket_fields/*/options", options),
    ("POST", "ticket_fields/*/options", save_option),
    ("GET", "ticket_forms", _list("ticket_form", "ticket_forms")),
    ("GET", "ticket_forms/*", _show("ticket_form", "ticket_form")),
    ("GET", "groups", _list("group", "groups")),
    ("GET", "groups/assignable", _list("group", "groups")),
    ("GET", "groups/count", _count("group")),
    ("GET", "groups/*", _show("group", "group")),
    ("POST", "groups", create_group),
    ("GET", "group_memberships", memberships),
    ("GET", "groups/*/memberships", memberships),
    ("GET", "users/*/group_memberships", memberships),
    ("GET", "brands", _list("brand", "brands")),
    ("GET", "brands/*", _show("brand", "brand")),
    ("GET", "custom_statuses", _list("custom_status", "custom_statuses")),
    ("GET", "custom_statuses/*", _show("custom_status", "custom_status")),
    ("GET", "triggers", _list("trigger", "triggers")),
    ("GET", "triggers/*", _show("trigger", "trigger")),
    ("POST", "triggers", create_trigger),
    ("PUT", "triggers/*", update_trigger),
    ("DELETE", "triggers/*", delete_trigger),
    ("GET", "webhooks", webhooks),
    ("POST", "webhooks", create_webhook),
    ("GET", "webhooks/*", webhook),
    ("PUT", "webhooks/*", update_webhook),
    ("PATCH", "webhooks/*", update_webhook),
    ("DELETE", "webhooks/*", delete_webhook),
    ("GET", "webhooks/*/signing_secret", signing_secret),
    ("POST", "webhooks/*/signing_secret", signing_secret),
    ("GET", "oauth/tokens/current", token),
    ("GET", "account/settings", settings),
    ("GET", "search", exports.search),
    ("GET", "search/count", exports.search_count),
    ("GET", "search/export", exports.search_export),
    ("GET", "incremental/tickets/cursor", exports.ticket_cursor),
    ("GET", "incremental/tickets", exports.tickets_by_time),
    ("GET", "incremental/ticket_events", exports.ticket_events),
]
