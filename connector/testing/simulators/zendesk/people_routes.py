"""The API's user pages. Source: vendor's pages "users", "user_identities", "rate-limits"; recordings."""

from __future__ import annotations

from connector.testing.simulators.zendesk import people, shown
from connector.testing.simulators.zendesk.answers import Answer, Call, Row, ids_of, page
from connector.testing.simulators.zendesk.desk import Desk


def me(desk: Desk, call: Call) -> Answer:
    """GET users/me: a wrong token finds an anonymous user and 200 (recorded)."""
    user = desk.users.get(call.actor.user_id)
    if user is None:
        nobody: Row = {
            "id": None, "url": None, "name": "Anonymous user", "email": "invalid@example.com",
            "role": "end-user", "active": True, "verified": False, "external_id": None, "locale": "ru",
            "tags": [],
        }  # fmt: skip
        return Answer(body={"user": nobody})
    return Answer(body={"user": shown.plain("user", user, call.base)})


def show(desk: Desk, call: Call) -> Answer:
    """GET users/{id}."""
    return Answer(body={"user": shown.plain("user", desk.row("user", call.number()), call.base)})


def show_many(desk: Desk, call: Call) -> Answer:
    """GET users/show_many?ids= or ?external_ids=."""
    if "external_ids" in call.query:
        names = call.query["external_ids"].lower().split(",")
        ids = [desk.users_by_external[name] for name in names if name in desk.users_by_external]
    else:
        ids = ids_of(call.query.get("ids", ""))
    rows = [shown.plain("user", desk.users[number], call.base) for number in ids if number in desk.users]
    return Answer(body={"users": rows, "count": len(rows), "next_page": None, "previous_page": None})


def listing(desk: Desk, call: Call) -> Answer:
    """GET users, perhaps of some roles only."""
    asked = [value for name, value in call.query.items() if name in ("role", "role[]")]
    roles = {role for value in asked for role in value.split(",")}
    rows = [user for user in desk.users.values() if not roles or user["role"] in roles]
    return Answer(body=_page(call, rows))


def count(desk: Desk, _: Call) -> Answer:
    """GET users/count."""
    return Answer(body={"count": {"value": len(desk.users), "refreshed_at": desk.stamp()}})


def search(desk: Desk, call: Call) -> Answer:
    """GET users/search?external_id= or ?query=."""
    return Answer(body=_page(call, people.search(desk, call.query.get("query", ""), call.query.get("external_id"))))


def create(desk: Desk, call: Call) -> Answer:
    """POST users."""
    return _made(call, people.create(desk, call.part("user")), new=True)


def create_or_update(desk: Desk, call: Call) -> Answer:
    """POST users/create_or_update: 201 if new, else 200."""
    wanted = call.part("user")
    name = wanted.get("email") or wanted.get("external_id")
    desk.meter.user_update(str(name).lower(), desk.clock())
    user, new = people.create_or_update(desk, wanted)
    return _made(call, user, new=new)


def update(desk: Desk, call: Call) -> Answer:
    """PUT users/{id}."""
    user = desk.row("user", call.number())
    desk.meter.user_update(user["id"], desk.clock())
    return _made(call, people.update(desk, user, call.part("user")), new=False)


def delete(desk: Desk, call: Call) -> Answer:
    """DELETE users/{id}: the answer shows the user inactive and without e-mail (recorded)."""
    user = desk.row("user", call.number())
    for number in list(desk.identities.get(user["id"], {})):
        people.remove_identity(desk, user, int(number))
    desk.forget_names(user)
    user |= {"active": False, "email": None, "external_id": None, "updated_at": desk.stamp()}
    desk.put("user", user)
    return _made(call, user, new=False)


def identities(desk: Desk, call: Call) -> Answer:
    """GET users/{id}/identities."""
    user = desk.row("user", call.number())
    rows = [shown.identity(row, call.base) for row in desk.identities.get(user["id"], {}).values()]
    return Answer(body=page(call, "identities", rows))


def add_identity(desk: Desk, call: Call) -> Answer:
    """POST users/{id}/identities."""
    row = people.add_identity(desk, desk.row("user", call.number()), call.part("identity"))
    made = shown.identity(row, call.base)
    return Answer(201, {"identity": made}, {"Location": made["url"]})


def remove_identity(desk: Desk, call: Call) -> Answer:
    """DELETE users/{id}/identities/{id}."""
    people.remove_identity(desk, desk.row("user", call.number()), call.number(1))
    return Answer(204)


def _made(call: Call, user: Row, *, new: bool) -> Answer:
    made = shown.plain("user", user, call.base)
    return Answer(201, {"user": made}, {"Location": made["url"]}) if new else Answer(200, {"user": made})


def _page(call: Call, rows: list[Row]) -> Row:
    body = page(call, "users", rows)
    body["users"] = [shown.plain("user", user, call.base) for user in body["users"]]
    return body


ROUTES = [
    ("GET", "users/me", me),
    ("GET", "users/show_many", show_many),
    ("GET", "users/search", search),
    ("GET", "users/count", count),
    ("GET", "users", listing),
    ("POST", "users", create),
    ("POST", "users/create_or_update", create_or_update),
    ("GET", "users/*", show),
    ("PUT", "users/*", update),
    ("DELETE", "users/*", delete),
    ("GET", "users/*/identities", identities),
    ("POST", "users/*/identities", add_identity),
    ("DELETE", "users/*/identities/*", remove_identity),
]
