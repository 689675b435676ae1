"""What may stand in a ticket's fields, and how list fields and tags hang together.

Sources: vendor's pages "ticket_fields", "tickets"; recorded answers. The option's *value* is written and
becomes a tag. That a value that is no option gives 422 is unconfirmed, and so is the wording of every 422
here but its outer shape. Unknown keys are accepted and told in `x-zendesk-api-warn` (recorded).
"""

from __future__ import annotations

import re
from datetime import date

from connector.testing.simulators.zendesk import account
from connector.testing.simulators.zendesk.answers import Row, invalid
from connector.testing.simulators.zendesk.desk import Desk

CUSTOM = (
    "tagger",
    "multiselect",
    "text",
    "textarea",
    "checkbox",
    "integer",
    "decimal",
    "date",
    "regexp",
    "partialcreditcard",
    "lookup",
)
_CHOICES = {
    "priority": ("urgent", "high", "normal", "low"),
    "type": ("problem", "incident", "question", "task"),
    "status": ("new", "open", "pending", "hold", "solved", "closed"),
}
_RECORDS = {
    "group_id": ("group", "Group"),
    "brand_id": ("brand", "Brand"),
    "ticket_form_id": ("ticket_form", "Ticket form"),
    "custom_status_id": ("custom_status", "Custom status"),
    "requester_id": ("user", "Requester"),
    "submitter_id": ("user", "Submitter"),
    "assignee_id": ("user", "Assignee"),
}
_FREE = ("subject", "external_id", "due_at", "recipient", "organization_id", "problem_id")


def changes(desk: Desk, wanted: Row, ticket: Row | None) -> tuple[Row, list[str]]:
    """The ticket properties that a request sets, checked, and warnings; `ticket` is None for a new one."""
    found: Row = {}
    for name, allowed in _CHOICES.items():
        if name in wanted:
            value = wanted[name] or None
            if (value is not None and value not in allowed) or (name == "status" and value is None):
                raise invalid(name, f"{name.capitalize()}: {value} is not valid", "InvalidValue")
            found[name] = value
    for name, (table, label) in _RECORDS.items():
        if name in wanted:
            value = wanted[name]
            if value is not None and (not isinstance(value, int) or value not in desk.tables[table]):
                raise invalid(name.removesuffix("_id"), f"{label}: is invalid", "InvalidValue")
            found[name] = value
    for name in _FREE:
        if name in wanted:
            found[name] = wanted[name]
    if found.get("external_id") is not None:
        found["external_id"] = str(found["external_id"])
    if "custom_status_id" in found and found["custom_status_id"] is not None:
        found["status"] = desk.tables["custom_status"][found["custom_status_id"]]["status_category"]
    elif "status" in found:
        found["custom_status_id"] = account.status_id(desk, found["status"])
    tags = tags_of(wanted["tags"]) if "tags" in wanted else None
    values, tags, warnings = _custom(desk, wanted, ticket, tags)
    if values is not None:
        found["custom_fields"] = values
    if tags is not None:
        found["tags"] = tags
    return found, warnings


def tags_of(value: object) -> list[str]:
    """Tags as the vendor keeps them: lower case, no blanks, each once, sorted."""
    words = value.replace(",", " ").split() if isinstance(value, str) else value
    if not isinstance(words, list):
        return []
    return sorted({re.sub(r"\s+", "_", str(word).strip().lower()) for word in words if str(word).strip()})


def blank_values(desk: Desk) -> list[Row]:
    """Every custom field of the account without a value."""
    return [{"id": number, "value": value} for number, value in _blank(desk).items()]


def _blank(desk: Desk) -> dict[int, object]:
    rows = desk.tables["ticket_field"].values()
    return {f["id"]: False if f["type"] == "checkbox" else None for f in rows if f["type"] in CUSTOM}


def _custom(
    desk: Desk, wanted: Row, ticket: Row | None, tags: list[str] | None
) -> tuple[list[Row] | None, list[str] | None, list[str]]:
    given = wanted.get("custom_fields", wanted.get("fields"))
    if isinstance(given, dict):
        given = [{"id": key, "value": value} for key, value in given.items()]
    if not isinstance(given, list):
        given = []
    values = _blank(desk)
    if ticket is not None:
        values |= {item["id"]: item["value"] for item in ticket["custom_fields"]}
    warnings = []
    old_tags: list[str] = list(ticket["tags"]) if ticket else []
    new_tags = list(old_tags) if tags is None else list(tags)
    if tags is not None and desk.faults.faults.tag_removal_clears_field:
        _clear_untagged(desk, values, old_tags, tags)
    for item in given:
        number = item.get("id") if isinstance(item, dict) else None
        field = desk.tables["ticket_field"].get(int(number)) if str(number).isdigit() and number else None
        if field is None or field["type"] not in CUSTOM:
            warnings.append(f"custom_fields[{number}]")
            continue
        before, value = values.get(field["id"]), _value(field, item.get("value"))
        values[field["id"]] = value
        gone, come = _tags_for(field, before), _tags_for(field, value)
        new_tags = [tag for tag in new_tags if tag not in gone] + come
    if not given and tags is None and ticket is not None:
        return None, None, warnings
    rows = [{"id": number, "value": value} for number, value in values.items()]
    return rows, sorted(set(new_tags)), warnings


def _clear_untagged(desk: Desk, values: dict[int, object], old: list[str], new: list[str]) -> None:
    for number, value in values.items():
        field = desk.tables["ticket_field"].get(number)
        if field is not None and any(t in old and t not in new for t in _tags_for(field, value)):
            values[number] = False if field["type"] == "checkbox" else None


def _tags_for(field: Row, value: object) -> list[str]:
    if field["type"] == "tagger" and isinstance(value, str):
        return [value]
    if field["type"] == "multiselect" and isinstance(value, list):
        return [str(item) for item in value]
    if field["type"] == "checkbox" and value is True and field["tag"]:
        return [field["tag"]]
    return []


def _value(field: Row, value: object) -> object:
    kind = field["type"]
    if kind == "checkbox":
        if value in (True, "true", "1", 1):
            return True
        if value in (False, None, "", "false", "0", 0):
            return False
        raise _bad(field, value)
    if value is None or value == "":
        return None
    if kind in ("tagger", "multiselect"):
        options = {option["value"] for option in field.get("custom_field_options", [])}
        wanted = value if isinstance(value, list) else [value]
        if any(item not in options for item in wanted) or (kind == "tagger" and isinstance(value, list)):
            raise _bad(field, value)
        return wanted if kind == "multiselect" else value
    if kind == "integer":
        if isinstance(value, bool) or not re.fullmatch(r"-?\d+", str(value)):
            raise _bad(field, value)
        return int(str(value))
    if kind == "decimal":
        if not re.fullmatch(r"-?\d+([.,]\d+)?", str(value)):
            raise _bad(field, value)
        return str(value)
    if kind == "date":
        try:
            return date.fromisoformat(str(value)[:10]).isoformat()
        except ValueError:
            raise _bad(field, value) from None
    if kind == "regexp" and not re.fullmatch(field["regexp_for_validation"] or ".*", str(value)):
        raise _bad(field, value)
    return value if isinstance(value, str) else str(value)


def _bad(field: Row, value: object) -> Exception:
    words = f"{field['title']}: {value} is not a valid value"
    kind = "Field" + field["type"].capitalize()
    return invalid("base", words, "InvalidValue", ticket_field_id=field["id"], ticket_field_type=kind)
