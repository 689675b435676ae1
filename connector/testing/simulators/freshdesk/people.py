"""Contacts: how they are made, found, changed and told; and how a ticket finds its requester.

Documented: which properties make a contact, that e-mail, Twitter handle and external id are unique, that a ticket's
unknown e-mail, phone, handle or external id makes a contact and an unknown Facebook id does not, that a phone number
alone needs a name. Unconfirmed: which name wins when several are given (here the first of `LOOKED_UP`), upper and
lower case (here the same), that a deleted contact still holds its names, the name of a contact nobody named.
"""

from __future__ import annotations

from connector.testing.simulators.freshdesk import checks
from connector.testing.simulators.freshdesk.answers import Row, complaint, invalid, no_match, unexpected
from connector.testing.simulators.freshdesk.desk import Desk

UNIQUE = ("email", "twitter_id", "unique_external_id")
LOOKED_UP = ("email", "unique_external_id", "twitter_id", "phone", "facebook_id")
CONTACT: dict[str, checks.Kind] = {
    "name": checks.text(255), "email": checks.email, "phone": checks.text(255), "mobile": checks.text(255),
    "twitter_id": checks.text(255), "unique_external_id": checks.text(255), "facebook_id": checks.text(255),
    "other_emails": checks.emails, "company_id": checks.number, "view_all_tickets": checks.flag,
    "address": checks.text(), "description": checks.text(), "job_title": checks.text(255),
    "language": checks.text(), "time_zone": checks.text(), "tags": checks.texts(32),
    "custom_fields": checks.mapping,
}  # fmt: skip
_ONE_OF = ("email", "mobile", "phone", "twitter_id", "unique_external_id")


def create(desk: Desk, wanted: Row, is_form: bool = False) -> Row:
    """A contact as the API makes it; 409 if a name that must be unique is taken."""
    values, wrong = checks.body(CONTACT, wanted, is_form)
    if not values.get("name"):
        wrong.append(complaint("name", "It should be a/an String", "missing_field"))
    if not any(values.get(name) for name in _ONE_OF):
        words = f"Please fill at least 1 of {', '.join(_ONE_OF)} fields"
        wrong.append(complaint("email", words, "missing_field"))
    wrong += _unknown(desk, values)
    if wrong:
        raise invalid(*wrong)
    _check_unique(desk, values, None)
    return make(desk, values)


def make(desk: Desk, values: Row) -> Row:
    """A contact out of checked values."""
    stamp = desk.stamp()
    row: Row = {
        "id": desk.new_id(), "active": False, "address": None, "company_id": None, "view_all_tickets": False,
        "deleted": False, "description": None, "email": None, "job_title": None, "language": "en", "mobile": None,
        "name": None, "phone": None, "time_zone": "UTC", "twitter_id": None, "facebook_id": None,
        "unique_external_id": None, "custom_fields": {}, "tags": [], "other_emails": [], "other_companies": [],
        "csat_rating": None, "preferred_source": None, "avatar": None, "created_at": stamp, "updated_at": stamp,
    }  # fmt: skip
    row |= {name: value for name, value in values.items() if value is not None}
    if row["facebook_id"] is not None and str(row["facebook_id"]).isdigit():
        row["facebook_id"] = int(row["facebook_id"])
    return desk.put("contact", row)


def update(desk: Desk, row: Row, wanted: Row, is_form: bool = False) -> None:
    """Change the named properties of a contact."""
    values, wrong = checks.body(CONTACT, wanted, is_form)
    if "name" in values and not values["name"]:
        wrong.append(complaint("name", "It should be a/an String", "invalid_value"))
    wrong += _unknown(desk, values)
    if wrong:
        raise invalid(*wrong)
    _check_unique(desk, values, row["id"])
    desk.forget_names(row)
    row |= {**values, "updated_at": desk.stamp()}
    desk.put("contact", row)


def requester(desk: Desk, values: Row) -> tuple[int | None, list[Row]]:
    """(the person a ticket is from, what is wrong); None without a complaint: nobody yet, see `make_requester`."""
    number = values.get("requester_id")
    if number is not None:
        known = desk.person(number) is not None
        return (number, []) if known else (None, [no_match("contact", "requester_id")])
    given = [name for name in LOOKED_UP if values.get(name)]
    if not given:
        words = "Please fill at least 1 of requester_id, phone, email, twitter_id, facebook_id fields"
        return None, [complaint("requester_id", words, "missing_field")]
    for name in given:
        found = desk.named(name, values[name])
        if found is not None:
            return found, []
    if given == ["facebook_id"]:
        return None, [no_match("contact", "facebook_id")]
    if given == ["phone"] and not values.get("name"):
        return None, [complaint("name", "It should be a/an String", "missing_field")]
    return None, []


def make_requester(desk: Desk, values: Row) -> int:
    """A contact for a ticket's unknown requester."""
    named = {name: values[name] for name in LOOKED_UP if values.get(name)}
    mail = str(values.get("email") or "").partition("@")[0]
    named["name"] = values.get("name") or mail or values.get("twitter_id") or values.get("unique_external_id")
    return int(make(desk, named)["id"])


def shown(row: Row, *, whole: bool) -> Row:
    """A contact; in lists without what only the contact's own page tells."""
    hidden = {"deleted"} if not row["deleted"] else set()
    if not whole:
        hidden |= {"view_all_tickets", "other_emails", "avatar", "tags"}
    return {name: value for name, value in row.items() if name not in hidden}


def _unknown(desk: Desk, values: Row) -> list[Row]:
    wrong = []
    if values.get("company_id") is not None and values["company_id"] not in desk.tables["company"]:
        wrong.append(no_match("company", "company_id"))
    wrong += [unexpected(f"custom_fields.{name}") for name in values.get("custom_fields") or ()]
    return wrong


def _check_unique(desk: Desk, values: Row, own: int | None) -> None:
    taken = []
    for name in UNIQUE:
        holder = desk.named(name, values[name]) if values.get(name) else None
        if holder is not None and holder != own:
            more = {"additional_info": {"user_id": holder}}
            taken.append(complaint(name, "It should be a unique value", "duplicate_value", **more))
    if taken:
        raise invalid(*taken, status=409)
