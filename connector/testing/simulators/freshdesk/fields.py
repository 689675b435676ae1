"""The ticket fields: what an admin made, how they are told, and which values a ticket may hold.

Recorded: the shapes of `choices` in /ticket_fields: status `{"2": [agents' word, customers' word]}`, priority and
source `{"Low": 1}`, group and agent `{"name": id}`, a list `["a", "b"]`, a nested field an object of objects.
Documented: making, changing and deleting fields below admin/ticket_fields, its choices as objects with `value` and
`position`, names that begin with `cf_`. Quoted by other people: `custom_fields.cf_x` as the field of a complaint,
`missing_field` with the list of values for an empty list field. Unconfirmed: the other words, that a child of a
nested field must hang below its parent, an unset checkbox as false, decimals as numbers.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from connector.testing.simulators.freshdesk import checks
from connector.testing.simulators.freshdesk.answers import Row, complaint, invalid, unexpected
from connector.testing.simulators.freshdesk.desk import Desk

PRIORITIES = {1: "Low", 2: "Medium", 3: "High", 4: "Urgent"}
SOURCES = {
    1: "Email", 2: "Portal", 3: "Phone", 4: "Forum", 5: "Twitter", 6: "Facebook", 7: "Chat", 8: "MobiHelp",
    9: "Feedback Widget", 10: "Outbound Email", 11: "Ecommerce", 12: "Bot", 13: "Whatsapp",
}  # fmt: skip
CREATABLE_SOURCES = (1, 2, 3, 7, 9, 10)
CUSTOM = (
    "custom_text", "custom_paragraph", "custom_number", "custom_decimal", "custom_checkbox", "custom_date",
    "custom_dropdown", "nested_field",
)  # fmt: skip
_FLAGS = (
    "customers_can_edit", "required_for_closure", "required_for_agents", "required_for_customers",
    "displayed_to_customers",
)  # fmt: skip
_CREATABLE: dict[str, checks.Kind] = {
    "label": checks.text(255),
    "label_for_customers": checks.text(255),
    "type": checks.one_of(CUSTOM),
    "position": checks.number,
    "description": checks.text(),
    "choices": lambda name, value, _: (value, None if isinstance(value, list) else _not_a_list(name, value)),
    "dependent_fields": lambda name, value, _: (value, None if isinstance(value, list) else _not_a_list(name, value)),
    **dict.fromkeys(_FLAGS, checks.flag),
}


def _not_a_list(name: str, value: object) -> Row:
    return checks.mistyped(name, value, "a/an Array")


# -- making fields ------------------------------------------------------------------------------------------------


def create(desk: Desk, wanted: Row) -> Row:
    """A custom field, as an admin asks for it: `label`, `type`, `choices`, `dependent_fields`, flags."""
    values, wrong = checks.body(_CREATABLE, wanted, False)
    wrong += [
        complaint(name, "It should be a/an String", "missing_field")
        for name in ("label", "type")
        if not wanted.get(name)
    ]
    has_choices = wanted.get("type") in ("custom_dropdown", "nested_field")
    if has_choices != bool(wanted.get("choices")):
        code = "missing_field" if has_choices else "invalid_field"
        wrong.append(complaint("choices", "It should be a/an Array", code))
    if wrong:
        raise invalid(*wrong)
    name = name_of(values["label"])
    if any(row["name"] == name for row in desk.tables["field"].values()):
        raise invalid(complaint("label", "It should be a unique value", "duplicate_value"), status=409)
    row = made(desk, name, values["label"], values["type"], choices=_kept_choices(values))
    row |= {name: values[name] for name in (*_FLAGS, "position", "description") if name in values}
    for level, item in enumerate(values.get("dependent_fields") or (), 2):
        label = str(item["label"])
        row["dependent_fields"].append(
            {
                "id": desk.new_id(), "name": name_of(label), "label": label,
                "label_for_customers": item.get("label_for_customers", label), "level": level,
                "ticket_field_id": row["id"], "created_at": row["created_at"], "updated_at": row["updated_at"],
            }
        )  # fmt: skip
    return desk.put("field", row)


def update(desk: Desk, row: Row, wanted: Row) -> Row:
    """Change a field's labels, flags or choices (the named ones replace the old; unconfirmed)."""
    values, wrong = checks.body(_CREATABLE, wanted, False)
    if row["default"] or "type" in values:
        wrong.append(complaint("type", "This field cannot be changed", "readonly_field"))
    if wrong:
        raise invalid(*wrong)
    if "choices" in values:
        kept = _kept_choices({**values, "type": row["type"]})
        row["choices"] = kept
    row |= {name: values[name] for name in (*_FLAGS, "label", "label_for_customers", "position") if name in values}
    row["updated_at"] = desk.stamp()
    return desk.put("field", row)


def made(desk: Desk, name: str, label: str, kind: str, **more: object) -> Row:
    """A new field row with nothing required."""
    stamp = desk.stamp()
    return {
        "id": desk.new_id(), "name": name, "label": label, "label_for_customers": label, "description": "",
        "type": kind, "default": kind.startswith("default_"), "position": len(desk.tables["field"]) + 1,
        "required_for_closure": False, "required_for_agents": False, "required_for_customers": False,
        "customers_can_edit": False, "displayed_to_customers": False, "choices": None, "dependent_fields": [],
        "created_at": stamp, "updated_at": stamp, **more,
    }  # fmt: skip


def name_of(label: str) -> str:
    """The name a custom field gets from its label."""
    return "cf_" + re.sub(r"\W+", "_", label.strip().lower()).strip("_")


def _kept_choices(values: Row) -> object:
    """Lists of words; nested ones as objects, three levels deep."""
    wanted = values.get("choices") or []
    if values["type"] == "custom_dropdown":
        return [_word(item) for item in wanted]
    if values["type"] != "nested_field":
        return None
    return {_word(a): {_word(b): [_word(c) for c in _below(b)] for b in _below(a)} for a in wanted}


def _word(item: object) -> str:
    return str(item.get("value")) if isinstance(item, dict) else str(item)


def _below(item: object) -> list[object]:
    return list(item.get("choices") or []) if isinstance(item, dict) else []


# -- telling fields -----------------------------------------------------------------------------------------------


def shown(desk: Desk, row: Row) -> Row:
    """A field in /ticket_fields."""
    told = {name: value for name, value in row.items() if name not in ("choices", "dependent_fields")}
    told["portal_cc"], told["portal_cc_to"] = (False, "company") if row["name"] == "requester" else (None, None)
    choices = _default_choices(desk, row) if row["default"] else row["choices"]
    if choices is not None:
        told["choices"] = choices
    if row["type"] == "nested_field":
        told["nested_ticket_fields"] = [
            {**{k: item[k] for k in ("id", "name", "label", "level")}, "label_in_portal": item["label_for_customers"]}
            for item in row["dependent_fields"]
        ]
    return {name: value for name, value in told.items() if value is not None}


def shown_to_admin(row: Row, *, whole: bool) -> Row:
    """A field below admin/ticket_fields; choices and dependent fields only when it is shown alone."""
    told = {name: value for name, value in row.items() if name not in ("choices", "dependent_fields", "description")}
    if whole and isinstance(row["choices"], (list, dict)):
        told["choices"] = _as_objects(row["choices"], row["id"])
    if whole and row["dependent_fields"]:
        told["dependent_fields"] = row["dependent_fields"]
    return told


def _as_objects(choices: object, parent: int) -> list[Row]:
    nested = choices if isinstance(choices, dict) else dict.fromkeys(choices if isinstance(choices, list) else ())
    result = []
    for position, (word, below) in enumerate(nested.items(), 1):
        number = parent * 100 + position
        item: Row = {"id": number, "label": word, "value": word, "position": position}
        if below is not None:
            item["choices"] = _as_objects(below, number)
        result.append(item)
    return result


def _default_choices(desk: Desk, row: Row) -> object:
    kind = row["type"]
    if kind == "default_priority":
        return {word: number for number, word in PRIORITIES.items()}
    if kind == "default_source":
        return {word: number for number, word in SOURCES.items()}
    if kind in ("default_group", "default_product"):
        return {item["name"]: item["id"] for item in desk.tables[kind.removeprefix("default_")].values()}
    if kind == "default_agent":
        return {item["contact"]["name"]: item["id"] for item in desk.agents.values()}
    return row["choices"]


def default(desk: Desk, name: str) -> Row:
    """A default field by name: status, ticket_type..."""
    return next(row for row in desk.tables["field"].values() if row["name"] == name)


def statuses(desk: Desk) -> dict[int, str]:
    """The agents' words for the statuses."""
    return {int(number): words[0] for number, words in default(desk, "status")["choices"].items()}


# -- values -------------------------------------------------------------------------------------------------------


def blank(desk: Desk) -> Row:
    """Every custom field without a value."""
    values: Row = {}
    for row in desk.tables["field"].values():
        if not row["default"]:
            values[row["name"]] = False if row["type"] == "custom_checkbox" else None
            values |= {item["name"]: None for item in row["dependent_fields"]}
    return values


def custom(desk: Desk, given: Row, held: Row, status: int, is_form: bool) -> tuple[Row, list[Row]]:
    """(the custom values a ticket would hold, what is wrong); unknown names are refused at once."""
    rows = {row["name"]: row for row in desk.tables["field"].values() if not row["default"]}
    children = {item["name"]: row for row in rows.values() for item in row["dependent_fields"]}
    unknown = [name for name in given if name not in rows and name not in children]
    if unknown:
        raise invalid(*(unexpected(f"custom_fields.{name}") for name in unknown))
    values, wrong = {**held, **given}, []
    for name, row in rows.items():
        if row["type"] == "nested_field":
            wrong += _wrong_nested(row, values, given)
        elif name in given:
            values[name], bad = _kind(row)(f"custom_fields.{name}", given[name], is_form)
            wrong += [bad] if bad else []
        needed = row["required_for_agents"] or (row["required_for_closure"] and status in (4, 5))
        if needed and values.get(name) in (None, "", False):
            wish = _wish(row)
            wrong.append(complaint(f"custom_fields.{name}", f"It should be {wish}", "missing_field"))
    return values, wrong


def _kind(row: Row) -> checks.Kind:
    kind = row["type"]
    if kind == "custom_dropdown":
        return checks.one_of([*row["choices"], None])
    if kind == "custom_number":
        return _integer
    if kind == "custom_decimal":
        return _decimal
    return {"custom_checkbox": checks.flag, "custom_date": checks.day, "custom_text": checks.text(255)}.get(
        kind, checks.text()
    )


def _wish(row: Row) -> str:
    if row["type"] == "custom_dropdown":
        return checks.one_of_words(row["choices"])
    words = {
        "custom_number": "Integer",
        "custom_decimal": "Number",
        "custom_checkbox": "Boolean",
        "custom_date": "Date",
    }
    return f"a/an {words.get(row['type'], 'String')}"


def _integer(name: str, value: object, is_form: bool) -> checks.Checked:
    if is_form and isinstance(value, str) and re.fullmatch(r"-?\d+", value):
        value = int(value)
    if value is None or (isinstance(value, int) and not isinstance(value, bool)):
        return value, None
    return value, checks.mistyped(name, value, "a/an Integer")


def _decimal(name: str, value: object, is_form: bool) -> checks.Checked:
    if is_form and isinstance(value, str) and re.fullmatch(r"-?\d+(\.\d+)?", value):
        value = float(value)
    if value is None or (isinstance(value, (int, float)) and not isinstance(value, bool)):
        return value, None
    return value, checks.mistyped(name, value, "a/an Number")


def _wrong_nested(row: Row, values: Row, given: Row) -> list[Row]:
    names = [row["name"], *(item["name"] for item in row["dependent_fields"])]
    if not any(name in given for name in names):
        return []
    options: object = row["choices"]
    for depth, name in enumerate(names):
        value = values.get(name)
        allowed: Iterable[str] = options if isinstance(options, (dict, list)) else ()
        if value is None:
            if name in given or depth:
                values |= dict.fromkeys(names[depth:]) if not any(given.get(n) for n in names[depth:]) else {}
            orphans = [n for n in names[depth + 1 :] if given.get(n) is not None]
            return [complaint(f"custom_fields.{name}", "It should not be blank", "missing_field")] if orphans else []
        if value not in allowed:
            if name not in given:
                values |= dict.fromkeys(names[depth:])
                return []
            words = f"It should be {checks.one_of_words(allowed)}"
            return [complaint(f"custom_fields.{name}", words, "invalid_value")]
        options = options[value] if isinstance(options, dict) else ()
    return []
