"""What a fresh account holds: agents, groups, products, roles, fields, a mailbox, a company, a survey.

Row shapes: the contract schemas and the vendor's documents. The custom fields are what a team that answers social
mentions would have made: tone, source, topic, reply state, author, followers, verified, our own number.
"""

from __future__ import annotations

from connector.testing.simulators.freshdesk import fields
from connector.testing.simulators.freshdesk.answers import Row
from connector.testing.simulators.freshdesk.desk import Desk

ADMIN_EMAIL = "admin@example.com"
AGENT_EMAIL = "agent@example.com"
ADMIN_KEY = "sandbox"
AGENT_KEY = "sandbox-agent"
KEYS = {ADMIN_KEY: ADMIN_EMAIL, AGENT_KEY: AGENT_EMAIL}
SUPPORT_EMAIL = "support@sandbox.freshdesk.com"
SETTINGS: Row = {"primary_language": "en", "supported_languages": ["ru"], "portal_languages": ["ru"]}

STATUSES = {
    "2": ["Open", "Being Processed"],
    "3": ["Pending", "Awaiting your Reply"],
    "4": ["Resolved", "This ticket has been Resolved"],
    "5": ["Closed", "This ticket has been Closed"],
    "6": ["Waiting on Customer", "Awaiting your Reply"],
    "7": ["Waiting on Third Party", "Being Processed"],
}
TYPES = ["Question", "Incident", "Problem", "Feature Request", "Refund"]
TONES = ["very_negative", "negative", "neutral", "positive", "very_positive"]
REPLY_STATES = ["queued", "sent", "held", "failed"]
SOURCES = ["vk", "telegram", "x", "discourse", "news", "review_site", "another_source"]
TOPICS = [
    {"value": "Delivery", "choices": [{"value": "Late", "choices": [{"value": "By courier"}]}, {"value": "Damaged"}]},
    {"value": "Price", "choices": [{"value": "Too high"}]},
]


def seed(desk: Desk) -> None:
    """Put the default rows into an empty account."""
    roles = [_named(desk, "role", name, default=True) for name in ("Account Administrator", "Agent")]
    admin = _agent(desk, "Ann Admin", ADMIN_EMAIL, roles[0]["id"])
    agent = _agent(desk, "Oleg Agent", AGENT_EMAIL, roles[1]["id"])
    for name in ("Support", "Social Media", "PR"):
        group = _named(desk, "group", name, agent_ids=[admin["id"], agent["id"]], group_type="support_agent_group")
        group |= {"escalate_to": None, "unassigned_for": None, "business_hour_id": None, "auto_ticket_assign": 0}
        for member in (admin, agent):
            member["group_ids"].append(group["id"])
            desk.put("agent", member)
        desk.put("group", group)
    for name in ("Main product", "Second product"):
        _named(desk, "product", name)
    stamp = desk.stamp()
    number = desk.new_id()
    desk.put("email_config", {
        "id": number, "name": "Support", "to_email": SUPPORT_EMAIL, "reply_email": SUPPORT_EMAIL, "group_id": None,
        "product_id": None, "primary_role": True, "active": True, "created_at": stamp, "updated_at": stamp,
    })  # fmt: skip
    company(desk, "Acme", ["acme.example"])
    _survey(desk)
    _fields(desk)


def company(desk: Desk, name: str, domains: list[str]) -> Row:
    """A company."""
    return _named(
        desk, "company", name, note=None, domains=domains, custom_fields={}, health_score=None,
        account_tier=None, renewal_date=None, industry=None,
    )  # fmt: skip


def _named(desk: Desk, table: str, name: str, **more: object) -> Row:
    stamp = desk.stamp()
    row = {"id": desk.new_id(), "name": name, "description": None, "created_at": stamp, "updated_at": stamp, **more}
    return desk.put(table, row)


def _agent(desk: Desk, name: str, email: str, role: int) -> Row:
    stamp = desk.stamp()
    contact = {
        "active": True, "email": email, "job_title": None, "language": "en", "last_login_at": stamp, "mobile": None,
        "name": name, "phone": None, "time_zone": "UTC", "created_at": stamp, "updated_at": stamp,
    }  # fmt: skip
    row = {
        "id": desk.new_id(), "available": True, "occasional": False, "signature": None, "ticket_scope": 1,
        "created_at": stamp, "updated_at": stamp, "last_active_at": stamp, "available_since": None,
        "type": "support_agent", "contact": contact, "group_ids": [], "role_ids": [role], "skill_ids": [],
    }  # fmt: skip
    return desk.put("agent", row)


def _survey(desk: Desk) -> None:
    stamp = desk.stamp()
    question = {
        "id": "default_question", "label": "How would you rate our answer?", "default": True,
        "accepted_ratings": [-103, -102, -101, 100, 101, 102, 103],
    }  # fmt: skip
    desk.put("survey", {
        "id": desk.new_id(), "title": "After an answer", "active": True, "questions": [question],
        "created_at": stamp, "updated_at": stamp,
    })  # fmt: skip


def _fields(desk: Desk) -> None:
    defaults = [
        ("requester", "Search a requester", "default_requester"), ("subject", "Subject", "default_subject"),
        ("ticket_type", "Type", "default_ticket_type"), ("source", "Source", "default_source"),
        ("status", "Status", "default_status"), ("priority", "Priority", "default_priority"),
        ("group", "Group", "default_group"), ("agent", "Agent", "default_agent"),
        ("product", "Product", "default_product"), ("company", "Company", "default_company"),
        ("description", "Description", "default_description"),
    ]  # fmt: skip
    needed = ("requester", "subject", "status", "priority", "description")
    for name, label, kind in defaults:
        choices = {"ticket_type": TYPES, "status": STATUSES}.get(name)
        desk.put("field", fields.made(desk, name, label, kind, choices=choices, required_for_agents=name in needed))
    custom: list[tuple[str, str, Row]] = [
        ("Tone", "custom_dropdown", {"choices": TONES}), ("Mention source", "custom_dropdown", {"choices": SOURCES}),
        ("Reply state", "custom_dropdown", {"choices": REPLY_STATES}), ("Author", "custom_text", {}),
        ("Connector id", "custom_text", {}), ("Mention", "custom_paragraph", {}), ("Followers", "custom_number", {}),
        ("Rating", "custom_decimal", {}), ("Verified", "custom_checkbox", {}), ("Posted on", "custom_date", {}),
        ("Topic", "nested_field", {
            "choices": TOPICS, "dependent_fields": [{"label": "Subtopic"}, {"label": "Detail"}],
        }),
    ]  # fmt: skip
    for label, kind, more in custom:
        fields.create(desk, {"label": label, "type": kind, **more})
