"""What a fresh account holds: staff, groups, brands, a form, statuses, system and custom fields.

Row shapes: recorded answers and the vendor's API description. The custom fields are what a team that answers
social mentions would have made: tone, author, source, reply state, followers, verified.
"""

from __future__ import annotations

from connector.testing.simulators.zendesk import people
from connector.testing.simulators.zendesk.answers import Row
from connector.testing.simulators.zendesk.desk import Desk

ADMIN_EMAIL = "admin@example.com"
AGENT_EMAIL = "agent@example.com"
TOKEN = "sandbox"

STATUSES = (
    ("new", "Новый"),
    ("open", "Открыт"),
    ("pending", "Ждёт ответа автора"),
    ("hold", "Отложен"),
    ("solved", "Решён"),
)
TONES = ("very_negative", "negative", "neutral", "positive", "very_positive")
REPLY_STATES = ("queued", "sent", "held", "failed")
SOURCES = ("vk", "telegram", "x", "discourse", "news", "review_site", "another_source")


def seed(desk: Desk) -> None:
    """Put the default rows into an empty account."""
    admin = people.create(desk, {"name": "Анна Администратор", "email": ADMIN_EMAIL, "role": "admin"})
    agent = people.create(desk, {"name": "Олег Оператор", "email": AGENT_EMAIL, "role": "agent"})
    for user in (admin, agent):
        user |= {"verified": True, "restricted_agent": False, "ticket_restriction": None}
        desk.put("user", user)
    groups = [_group(desk, name) for name in ("Поддержка", "Социальные сети", "PR")]
    groups[0]["default"] = True
    for user in (admin, agent):
        for group in groups:
            membership(desk, user["id"], group["id"], default=group is groups[0])
        user["default_group_id"] = groups[0]["id"]
    for category, label in STATUSES:
        custom_status(desk, category, label, default=True)
    fields = _fields(desk)
    form = _form(desk, "Обращение из соцсетей", [field["id"] for field in fields])
    for name, subdomain in (("Основной бренд", "sandbox"), ("Второй бренд", "sandbox-second")):
        brand(desk, name, subdomain, form["id"], default=subdomain == "sandbox")


def status_id(desk: Desk, category: str) -> int:
    """The default custom status of a category; closed tickets keep the one of solved."""
    wanted = "solved" if category in ("closed", "deleted") else category
    rows = desk.tables["custom_status"].values()
    return int(next(row["id"] for row in rows if row["status_category"] == wanted and row["default"]))


def membership(desk: Desk, user: int, group: int, *, default: bool = False) -> Row:
    """Put a user into a group."""
    return desk.put("group_membership", _dated(desk, user_id=user, group_id=group, default=default))


def brand(desk: Desk, name: str, subdomain: str, form: int, *, default: bool = False) -> Row:
    """A brand with its form."""
    row = _dated(
        desk, name=name, subdomain=subdomain, host_mapping=None, has_help_center=False,
        help_center_state="disabled", active=True, default=default, is_deleted=False, logo=None,
        ticket_form_ids=[form], signature_template="{{agent.signature}}",
        brand_url=f"https://{subdomain}.example.com",
    )  # fmt: skip
    return desk.put("brand", row)


def field(desk: Desk, kind: str, title: str, **more: object) -> Row:
    """A ticket field; list options are `(name, value)` pairs under `options`."""
    options = more.pop("options", None)
    row = _dated(
        desk, type=kind, title=title, raw_title=title, description="", raw_description="",
        position=len(desk.tables["ticket_field"]) + 1, active=True, required=False,
        collapsed_for_agents=False, regexp_for_validation=None,
        title_in_portal=title, raw_title_in_portal=title,
        visible_in_portal=False,
        editable_in_portal=False, required_in_portal=False, agent_can_edit=True, agent_description=None,
        tag=None, removable=True, key=None,
    )  # fmt: skip
    row |= more
    if isinstance(options, list):
        row["custom_field_options"] = [
            {"id": desk.new_id(), "name": name, "raw_name": name, "value": value, "default": False}
            for name, value in options
        ]
    return desk.put("ticket_field", row)


def _group(desk: Desk, name: str) -> Row:
    return desk.put("group", group_row(desk, name))


def group_row(desk: Desk, name: str) -> Row:
    """A group, not yet saved."""
    return _dated(desk, name=name, description="", is_public=True, default=False, deleted=False)


def custom_status(desk: Desk, category: str, label: str, *, default: bool = False, active: bool = True) -> Row:
    """A status of the account's own in one of the system's categories; each of them has a default one."""
    row = _dated(
        desk, status_category=category, agent_label=label, end_user_label=label, description="",
        end_user_description="", active=active, default=default, raw_agent_label=label, raw_end_user_label=label,
        raw_description="", raw_end_user_description="",
    )  # fmt: skip
    return desk.put("custom_status", row)


def _fields(desk: Desk) -> list[Row]:
    system = {"removable": False}
    statuses = [{"name": label, "value": category} for category, label in STATUSES]
    kinds = [{"name": v.capitalize(), "value": v} for v in ("question", "incident", "problem", "task")]
    priorities = [{"name": v.capitalize(), "value": v} for v in ("low", "normal", "high", "urgent")]
    rows = [
        field(desk, "subject", "Тема", **system),
        field(desk, "description", "Описание", **system),
        field(desk, "status", "Статус", sub_type_id=1, system_field_options=statuses, **system),
        field(desk, "tickettype", "Тип", system_field_options=kinds, **system),
        field(desk, "priority", "Приоритет", sub_type_id=0, system_field_options=priorities, **system),
        field(desk, "group", "Группа", **system),
        field(desk, "assignee", "Исполнитель", **system),
    ]
    custom = [dict(row) for row in desk.tables["custom_status"].values()]
    rows.append(field(desk, "custom_status", "Статус обращения", custom_statuses=custom, **system))
    names = ("Очень плохой", "Плохой", "Нейтральный", "Хороший", "Очень хороший")
    tones = list(zip(names, TONES, strict=True))
    states = [(value.capitalize(), value) for value in REPLY_STATES]
    rows += [
        field(desk, "tagger", "Tone", options=tones),
        field(desk, "text", "Author"),
        field(desk, "tagger", "Source", options=[(v.capitalize(), v) for v in SOURCES]),
        field(desk, "tagger", "Reply state", options=states),
        field(desk, "integer", "Followers"),
        field(desk, "checkbox", "Verified author", tag="verified_author"),
    ]
    return rows


def _form(desk: Desk, name: str, fields: list[int]) -> Row:
    row = _dated(
        desk, name=name, raw_name=name, display_name=name, raw_display_name=name, end_user_visible=False,
        position=1, ticket_field_ids=fields, active=True, default=True, in_all_brands=True,
        restricted_brand_ids=[], end_user_conditions=[], agent_conditions=[],
    )  # fmt: skip
    return desk.put("ticket_form", row)


def _dated(desk: Desk, **properties: object) -> Row:
    stamp = desk.stamp()
    return {"id": desk.new_id(), **properties, "created_at": stamp, "updated_at": stamp}
