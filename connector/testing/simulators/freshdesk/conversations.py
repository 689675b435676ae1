"""Conversations: replies, notes and forwarded mail; changing and deleting them.

Documented: what each takes, the shapes of their answers, that notes alone can be edited and notes and replies alone
deleted. Recorded: the row of the list. `source` 0 reply, 2 note, 8 forwarded. Unconfirmed: that each bumps its
ticket's `updated_at` (here edits and deletions too), what editing a reply is refused with, what a reply to a
requester without an e-mail address is answered with (`Faults.reply_needs_email`), that a customer's note leaves the
status alone (`Faults.incoming_reopens`). No automation event tells of an edit or a deletion.
"""

from __future__ import annotations

from connector.testing.simulators.freshdesk import checks, files, texts
from connector.testing.simulators.freshdesk.answers import Row, Wanted, complaint, invalid, no_match, not_found
from connector.testing.simulators.freshdesk.desk import Desk

REPLY, NOTE, FORWARD = 0, 2, 8
_SUPPORT = "support@sandbox.freshdesk.com"
_REPLY: dict[str, checks.Kind] = {
    "body": checks.text(), "from_email": checks.email, "user_id": checks.number, "cc_emails": checks.emails,
    "bcc_emails": checks.emails,
}  # fmt: skip
_NOTE: dict[str, checks.Kind] = {
    "body": checks.text(), "incoming": checks.flag, "private": checks.flag, "user_id": checks.number,
    "notify_emails": checks.emails,
}  # fmt: skip
_FORWARD: dict[str, checks.Kind] = {
    "body": checks.text(), "to_emails": checks.emails, "cc_emails": checks.emails, "bcc_emails": checks.emails,
    "from_email": checks.email, "include_quoted_text": checks.flag, "include_original_attachments": checks.flag,
}  # fmt: skip


def reply(desk: Desk, ticket: Row, agent: int, wanted: Wanted) -> Row:
    """A public answer, which the vendor mails to the requester."""
    values, bad = _checked(_REPLY, wanted)
    author = values.get("user_id") or agent
    if author not in desk.agents:
        bad.append(no_match("agent", "user_id"))
    mail = (desk.person(ticket["requester_id"]) or {}).get("email")
    if not mail and desk.faults.faults.reply_needs_email:
        bad.append(complaint("to_emails", "The requester has no email address", "invalid_value"))
    if bad:
        raise invalid(*bad)
    said = _row(desk, ticket, author, values, source=REPLY, private=False, incoming=False)
    said |= {
        "to_emails": [mail] if mail else [], "from_email": values.get("from_email") or _SUPPORT,
        "support_email": _SUPPORT, "cc_emails": values.get("cc_emails") or [],
        "bcc_emails": values.get("bcc_emails") or [],
    }  # fmt: skip
    stamp = desk.stamp()
    ticket["stats"] |= {"agent_responded_at": stamp}
    ticket["stats"]["first_responded_at"] = ticket["stats"]["first_responded_at"] or stamp
    return _added(desk, ticket, said, wanted, "{reply_sent:sent}")


def note(desk: Desk, ticket: Row, agent: int, wanted: Wanted) -> Row:
    """A note, private unless told otherwise; `incoming` when a customer said it."""
    values, bad = _checked(_NOTE, wanted)
    author = values.get("user_id") or agent
    if desk.person(author) is None:
        bad.append(no_match("user", "user_id"))
    if bad:
        raise invalid(*bad)
    private, incoming = values.get("private") is not False, bool(values.get("incoming"))
    said = _row(desk, ticket, author, values, source=NOTE, private=private, incoming=incoming)
    said["to_emails"] = values.get("notify_emails") or []
    if incoming:
        ticket["stats"]["requester_responded_at"] = desk.stamp()
        if ticket["status"] in (4, 5) and desk.faults.faults.incoming_reopens:
            ticket |= {"status": 2}
            ticket["stats"] |= {"reopened_at": desk.stamp(), "resolved_at": None, "closed_at": None}
    return _added(desk, ticket, said, wanted, f"{{note_type:{'private' if private else 'public'}}}")


def forward(desk: Desk, ticket: Row, agent: int, wanted: Wanted) -> Row:
    """Send the ticket to somebody else by mail; a private conversation."""
    values, bad = _checked(_FORWARD, wanted)
    if not values.get("to_emails"):
        bad.append(complaint("to_emails", "It should be a/an Array", "missing_field"))
    if bad:
        raise invalid(*bad)
    said = _row(desk, ticket, agent, values, source=FORWARD, private=True, incoming=False)
    said |= {name: values.get(name) or [] for name in ("to_emails", "cc_emails", "bcc_emails")}
    said |= {"from_email": values.get("from_email") or _SUPPORT, "support_email": _SUPPORT, "category": 2}
    ticket["fwd_emails"] = sorted({*ticket["fwd_emails"], *said["to_emails"]})
    return _added(desk, ticket, said, wanted, "{mail_sent:third_party}")


def edit(desk: Desk, number: int, agent: int, wanted: Wanted) -> Row:
    """Change the text of a note."""
    ticket, said = found(desk, number)
    values, bad = checks.body({"body": checks.text()}, wanted.body, wanted.is_form)
    bad = wanted.wrong + bad
    if not values.get("body") and not wanted.files:
        bad.append(complaint("body", "It should be a/an String", "missing_field"))
    if said["source"] != NOTE:
        bad.append(complaint("id", "Only notes can be edited", "invalid_value"))
    if bad:
        raise invalid(*bad)
    if values.get("body"):
        html = texts.html_of(values["body"])
        said |= {"body": html, "body_text": texts.text_of(html)}
    said["attachments"] = [*said["attachments"], *files.keep(desk, wanted.files)]
    return _changed(desk, ticket, said, agent)


def delete(desk: Desk, number: int) -> None:
    """Take a note or a reply away for good."""
    ticket, said = found(desk, number)
    if said["source"] not in (REPLY, NOTE):
        raise invalid(complaint("id", "Only notes and replies can be deleted", "invalid_value"))
    desk.remove("conversation", number, ticket["id"])
    desk.touch(ticket)


def make_private(desk: Desk, number: int, agent: int) -> Row:
    """Turn a public note into a private one, as an agent can in the web interface."""
    ticket, said = found(desk, number)
    said["private"] = True
    return _changed(desk, ticket, said, agent)


def found(desk: Desk, number: int) -> tuple[Row, Row]:
    """(the ticket, the conversation), or 404."""
    ticket = desk.tickets.get(desk.ticket_of.get(number, 0))
    said = desk.conversations.get(ticket["id"], {}).get(number) if ticket else None
    if ticket is None or said is None or ticket["deleted"]:
        raise not_found()
    return ticket, said


def _checked(kinds: dict[str, checks.Kind], wanted: Wanted) -> tuple[Row, list[Row]]:
    values, bad = checks.body(kinds, wanted.body, wanted.is_form)
    if not values.get("body"):
        bad.append(complaint("body", "It should be a/an String", "missing_field"))
    return values, [*wanted.wrong, *bad]


def _row(desk: Desk, ticket: Row, author: int, values: Row, *, source: int, private: bool, incoming: bool) -> Row:
    stamp, html = desk.stamp(), texts.html_of(str(values.get("body") or ""))
    return {
        "id": desk.new_id(), "body": html, "body_text": texts.text_of(html), "incoming": incoming,
        "private": private, "user_id": author, "support_email": None, "source": source, "category": 1,
        "ticket_id": ticket["id"], "to_emails": [], "from_email": None, "cc_emails": [], "bcc_emails": [],
        "email_failure_count": None, "outgoing_failures": None, "attachments": [], "created_at": stamp,
        "updated_at": stamp, "last_edited_at": None, "last_edited_user_id": None, "source_additional_info": None,
    }  # fmt: skip


def _added(desk: Desk, ticket: Row, said: Row, wanted: Wanted, happened: str) -> Row:
    said["attachments"] = files.keep(desk, wanted.files)
    desk.put("conversation", said, owner=ticket["id"])
    desk.touch(ticket)
    desk.tell(happened, ticket, said=said)
    return said


def _changed(desk: Desk, ticket: Row, said: Row, agent: int) -> Row:
    stamp = desk.stamp()
    said |= {"updated_at": stamp, "last_edited_at": stamp, "last_edited_user_id": agent}
    desk.put("conversation", said, owner=ticket["id"])
    desk.touch(ticket)
    return said
