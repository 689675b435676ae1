"""Comments: how they are made, shown, hidden and blacked out.

Sources: vendor's page "ticket_comments" (placeholders, 64 kB, 5,000 comments on a ticket, make private,
redact with the block character); recorded answers (comment inside the audit). Names of placeholders:
vendor's help pages, a few of the most used; the rest becomes nothing.
"""

from __future__ import annotations

import re

from connector.testing.simulators.zendesk import people, texts
from connector.testing.simulators.zendesk.answers import Refusal, Row, invalid, not_found
from connector.testing.simulators.zendesk.desk import Desk

MAX_COMMENTS = 5000
BLOCK = "▇"


def content(wanted: Row) -> tuple[str, bool] | None:
    """(text, is it HTML?) of a comment in a request; None when it says nothing."""
    html = wanted.get("html_body")
    if isinstance(html, str) and html.strip():
        return html, True
    body = wanted.get("body", wanted.get("value"))
    if isinstance(body, str) and body.strip():
        return body, False
    return None


def author_of(desk: Desk, wanted: Row, default: int) -> Row:
    """The comment's author: `author_id` if given, else the default; 422 if there is no such user."""
    number = wanted.get("author_id") or default
    user = desk.users.get(number)
    if user is None:
        raise invalid("author", "Author: is invalid", "InvalidValue")
    return user


def uploads_of(desk: Desk, wanted: Row) -> list[str]:
    """The upload tokens of a comment; a bare string is accepted (recorded). Unknown: 422, unconfirmed."""
    tokens = wanted.get("uploads") or []
    tokens = [tokens] if isinstance(tokens, str) else tokens
    for token in tokens:
        upload = desk.tables["upload"].get(token)
        if upload is None or upload["expires"] < desk.clock():
            raise invalid("uploads", f"Upload: {token} is invalid or has expired", "InvalidValue")
    return list(tokens)


def check_room(desk: Desk, ticket: Row) -> None:
    """422 for the 5,001st comment."""
    if len(desk.comments.get(ticket["id"], ())) >= MAX_COMMENTS:
        raise invalid("base", f"Ticket has reached the limit of {MAX_COMMENTS} comments")


def add(desk: Desk, ticket: Row, audit: Row, wanted: Row, author: Row) -> Row:
    """Put a comment under a ticket as part of the given audit."""
    said = content(wanted)
    assert said is not None
    text, is_html = said
    if people.is_staff(author):
        text = texts.expand(text, lambda name: _placeholder(desk, ticket, author, name))
    text = texts.cut(text)
    if is_html:
        html, body = texts.html_of_html(text), texts.plain_of_html(text)
    else:
        body = texts.plain(text)
        html = texts.html_of_plain(body)
    attachments = []
    for token in uploads_of(desk, wanted):
        attachments += desk.tables["upload"][token]["attachment_ids"]
    comment = {
        "id": desk.new_id(),
        "type": "Comment",
        "author_id": author["id"],
        "body": body,
        "html_body": html,
        "plain_body": body,
        "public": wanted.get("public", True) not in (False, "false"),
        "attachments": attachments,
        "audit_id": audit["id"],
        "via": audit["via"],
        "created_at": audit["created_at"],
        "metadata": audit["metadata"],
    }
    desk.put("comment", comment, owner=ticket["id"])
    audit["events"].append({"id": comment["id"], "type": "Comment"})
    return comment


def one(desk: Desk, ticket: int, number: int) -> Row:
    """A comment of a ticket, or 404."""
    found = desk.comments.get(ticket, {}).get(number)
    if found is None:
        raise not_found()
    return found


def make_private(desk: Desk, ticket: Row, number: int) -> None:
    """Turn a public comment into an internal note."""
    comment = one(desk, ticket["id"], number)
    if comment["public"]:
        comment["public"] = False
        desk.put("comment", comment, owner=ticket["id"])
        ticket["is_public"] = any(c["public"] for c in desk.comments_of(ticket["id"]))
        ticket["updated_at"] = desk.stamp()
        desk.touch(ticket)
        desk.tell("comment_made_private", ticket, {"comment": comment})


def redact(desk: Desk, ticket: Row, number: int, text: str) -> Row:
    """Black out a string in a comment for good; closed tickets refuse."""
    comment = one(desk, ticket["id"], number)
    if not text:
        raise Refusal(400, "Required parameter missing: text")
    if ticket["status"] == "closed":
        raise invalid("status", "Status: closed prevents ticket update")
    for name in ("body", "html_body", "plain_body"):
        comment[name] = comment[name].replace(text, BLOCK * len(text))
    return _redacted(desk, ticket, comment)


def redact_html(desk: Desk, ticket: Row, number: int, html: str) -> Row:
    """Black out what stands in `<redact>` tags; works on closed tickets too."""
    comment = one(desk, ticket["id"], number)
    for found in re.findall(r"<redact>(.*?)</redact>", html, re.DOTALL):
        inner = re.sub(r"<[^>]+>", "", found)
        for name in ("body", "html_body", "plain_body"):
            comment[name] = comment[name].replace(inner, BLOCK * len(inner))
    return _redacted(desk, ticket, comment)


def _redacted(desk: Desk, ticket: Row, comment: Row) -> Row:
    desk.put("comment", comment, owner=ticket["id"])
    first = next(iter(desk.comments[ticket["id"]].values()))
    if first is comment:
        ticket["description"] = comment["body"]
    ticket["updated_at"] = desk.stamp()
    desk.touch(ticket)
    desk.tell("comment_redacted", ticket, {"comment": comment})
    return comment


def _placeholder(desk: Desk, ticket: Row, author: Row, name: str) -> str:
    requester = desk.users.get(ticket["requester_id"] or 0, {})
    plain = {
        "ticket.id": ticket["id"],
        "ticket.title": ticket["subject"],
        "ticket.description": ticket["description"],
        "ticket.external_id": ticket["external_id"],
        "ticket.status": ticket["status"],
        "ticket.priority": ticket["priority"],
        "ticket.ticket_type": ticket["type"],
        "ticket.tags": " ".join(ticket["tags"]),
        "ticket.link": f"https://sandbox.example.com/agent/tickets/{ticket['id']}",
        "ticket.url": f"sandbox.example.com/agent/tickets/{ticket['id']}",
        "ticket.account": "Sandbox",
        "ticket.requester.name": requester.get("name"),
        "ticket.requester.first_name": str(requester.get("name") or "").split(" ")[0],
        "ticket.requester.email": requester.get("email"),
        "ticket.requester.external_id": requester.get("external_id"),
        "ticket.group.name": desk.tables["group"].get(ticket["group_id"] or 0, {}).get("name"),
        "ticket.brand.name": desk.tables["brand"].get(ticket["brand_id"] or 0, {}).get("name"),
        "ticket.assignee.name": desk.users.get(ticket["assignee_id"] or 0, {}).get("name"),
        "current_user.name": author["name"],
        "current_user.email": author["email"],
    }
    if name in plain:
        return str(plain[name] if plain[name] is not None else "")
    if name.startswith("ticket.ticket_field_"):
        number = name.removeprefix("ticket.ticket_field_")
        return next((str(f["value"] or "") for f in ticket["custom_fields"] if str(f["id"]) == number), "")
    return ""
