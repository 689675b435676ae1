"""Users and the identities by which the outside world knows them.

Sources: vendor's pages "users", "user_identities" (external ids are unique and case-insensitive;
create-or-update matches on e-mail or external id); recorded answers (row shape, DuplicateValue, a user
with only a name). Wordings other than the recorded ones are unconfirmed.
"""

from __future__ import annotations

from connector.testing.simulators.zendesk.answers import Refusal, Row, invalid, not_found
from connector.testing.simulators.zendesk.desk import Desk

IDENTITY_TYPES = (
    "email",
    "twitter",
    "facebook",
    "google",
    "phone_number",
    "agent_forwarding",
    "any_channel",
    "foreign",
    "sdk",
    "messaging",
    "microsoft",
)
ROLES = ("end-user", "agent", "admin")
_SETTABLE = {
    "name", "email", "external_id", "role", "phone", "tags", "notes", "details", "verified", "user_fields",
    "locale", "locale_id", "time_zone", "alias", "signature", "suspended", "organization_id",
}  # fmt: skip
_ACCEPTED = _SETTABLE | {"identities", "skip_verify_email", "id", "remote_photo_url", "photo", "active"}


def is_staff(user: Row) -> bool:
    """Whether the user is an agent or an admin."""
    return user["role"] in ("agent", "admin")


def create(desk: Desk, wanted: Row) -> Row:
    """A new user; 422 if the name is missing or e-mail, external id or an identity is taken."""
    _check(desk, wanted, None)
    number = desk.new_id()
    stamp = desk.stamp()
    user: Row = {
        "id": number, "name": "", "email": None, "created_at": stamp, "updated_at": stamp,
        "time_zone": "Moscow", "iana_time_zone": "Europe/Moscow", "phone": None, "shared_phone_number": None,
        "photo": None, "locale_id": 27, "locale": "ru", "organization_id": None, "role": "end-user",
        "verified": False, "external_id": None, "tags": [], "alias": None, "active": True, "shared": False,
        "shared_agent": False, "last_login_at": None, "two_factor_auth_enabled": None, "signature": None,
        "details": None, "notes": None, "role_type": None, "custom_role_id": None, "moderator": False,
        "ticket_restriction": "requested", "only_private_comments": False, "restricted_agent": True,
        "suspended": False, "default_group_id": None, "report_csv": False, "user_fields": {},
    }  # fmt: skip
    _apply(user, wanted)
    desk.put("user", user)
    if user["email"]:
        _identity(desk, user, "email", user["email"], primary=True)
    for identity in wanted.get("identities") or []:
        _identity(desk, user, str(identity["type"]), str(identity["value"]), primary=False)
    return user


def create_or_update(desk: Desk, wanted: Row) -> tuple[Row, bool]:
    """The user of that e-mail or external id brought up to date, or a new one; True = new."""
    found = known(desk, wanted)
    if found is None:
        return create(desk, wanted), True
    return update(desk, found, wanted), False


def update(desk: Desk, user: Row, wanted: Row) -> Row:
    """Change the named properties; identities that the user does not have yet are added."""
    _check(desk, wanted, user)
    desk.forget_names(user)
    old_email = user["email"]
    _apply(user, wanted)
    user["updated_at"] = desk.stamp()
    desk.put("user", user)
    if user["email"] and user["email"] != old_email:
        _identity(desk, user, "email", user["email"], primary=old_email is None)
    for identity in wanted.get("identities") or []:
        if desk.users_by_identity.get((str(identity["type"]), str(identity["value"]).lower())) is None:
            _identity(desk, user, str(identity["type"]), str(identity["value"]), primary=False)
    return user


def known(desk: Desk, wanted: Row) -> Row | None:
    """The user with that e-mail or external id."""
    for index, name in ((desk.users_by_email, "email"), (desk.users_by_external, "external_id")):
        value = wanted.get(name)
        if value and (number := index.get(str(value).lower())) is not None:
            return desk.users[number]
    return None


def requester(desk: Desk, wanted: Row) -> Row | None:
    """The user a ticket names inline, if known; e-mail is the key (others' issues).

    422 for an empty name of somebody new; without an e-mail an inline requester does not work (others'
    issues), which exact words are unconfirmed.
    """
    email = wanted.get("email")
    if not email:
        words = "Requester: Email:  cannot be blank"
        raise invalid("requester", words, "BlankValue")
    number = desk.users_by_email.get(str(email).lower())
    if number is not None:
        return desk.users[number]
    if not str(wanted.get("name") or "").strip():
        raise invalid("requester", "Requester: Name:  is too short (minimum is 1 character)")
    if desk.faults.happens("requester_collision"):
        raise collision()
    return None


def collision() -> Refusal:
    """Two creates of the same new requester at once (recorded answer)."""
    return Refusal(409, "Requester creation collision - please try again")


def add_identity(desk: Desk, user: Row, wanted: Row) -> Row:
    """One more identity of a user; 422 DuplicateValue when somebody has it (recorded)."""
    kind, value = str(wanted.get("type")), str(wanted.get("value") or "")
    if kind not in IDENTITY_TYPES:
        raise invalid("type", f"Type: {kind} is not a valid identity type", "InvalidValue")
    if not value:
        raise invalid("value", "Value: cannot be blank", "BlankValue")
    _free(desk, kind, value, None)
    return _identity(desk, user, kind, value, primary=False)


def remove_identity(desk: Desk, user: Row, number: int) -> None:
    """Forget an identity; 404 if the user has none of that id."""
    found = desk.identities.get(user["id"], {}).get(number)
    if found is None:
        raise not_found()
    desk.users_by_identity.pop((found["type"], found["value"].lower()), None)
    desk.remove("identity", number, user["id"])


def search(desk: Desk, query: str, external_id: str | None) -> list[Row]:
    """Users of that external id, or whose e-mail, name or notes hold all words of the query."""
    if external_id is not None:
        number = desk.users_by_external.get(external_id.lower())
        return [desk.users[number]] if number is not None else []
    words = []
    for word in query.lower().split():
        name, colon, value = word.partition(":")
        if name in ("email", "external_id") and colon:
            index = desk.users_by_email if name == "email" else desk.users_by_external
            number = index.get(value.strip('"'))
            return [desk.users[number]] if number is not None else []
        if name != "type":
            words.append(word.strip('"'))
    if not words:
        return list(desk.users.values())
    hit = desk.users_by_email.get(words[0]) if len(words) == 1 else None
    if hit is not None:
        return [desk.users[hit]]
    rows = desk.users.values()
    return [u for u in rows if all(w in f"{u['name']} {u['email']} {u['external_id']}".lower() for w in words)]


def warnings(wanted: Row) -> list[str]:
    """The keys that are not the vendor's."""
    return [key for key in wanted if key not in _ACCEPTED]


def _apply(user: Row, wanted: Row) -> None:
    user.update({key: value for key, value in wanted.items() if key in _SETTABLE})
    user["email"] = str(user["email"]).lower() if user["email"] else None
    if user["external_id"] is not None:
        user["external_id"] = str(user["external_id"])


def _check(desk: Desk, wanted: Row, user: Row | None) -> None:
    own = user["id"] if user else None
    if (user is None or "name" in wanted) and not str(wanted.get("name") or "").strip():
        raise invalid("name", "Name:  is too short (minimum one character)")
    if wanted.get("role", "end-user") not in ROLES:
        raise invalid("role", f"Role: {wanted['role']} is not a valid role", "InvalidValue")
    email = wanted.get("email")
    if email:
        if "@" not in str(email):
            raise invalid("email", f"Email:  {email} is not properly formatted")
        _free(desk, "email", str(email), own, "email", "Email")
    external = wanted.get("external_id")
    if external is not None and desk.users_by_external.get(str(external).lower(), own) != own:
        raise invalid("external_id", "External has already been taken", "DuplicateValue")
    for identity in wanted.get("identities") or []:
        if not isinstance(identity, dict) or identity.get("type") not in IDENTITY_TYPES:
            raise invalid("identities", "Identities: is invalid", "InvalidValue")
        _free(desk, str(identity["type"]), str(identity.get("value")), own)


def _free(
    desk: Desk, kind: str, value: str, own: int | None, field_name: str = "value", label: str = "Value"
) -> None:
    holder = desk.users_by_identity.get((kind, value.lower()))
    if holder is not None and holder != own:
        words = f"{label}: {value} is already being used by another user"
        raise invalid(field_name, words, "DuplicateValue")


def _identity(desk: Desk, user: Row, kind: str, value: str, *, primary: bool) -> Row:
    stamp = desk.stamp()
    row = {
        "id": desk.new_id(), "user_id": user["id"], "type": kind, "value": value, "verified": False,
        "primary": primary, "created_at": stamp, "updated_at": stamp,
    }  # fmt: skip
    if kind == "email":
        row |= {"undeliverable_count": 0, "deliverable_state": "deliverable"}
    return desk.put("identity", row, owner=user["id"])
