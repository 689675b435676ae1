"""A ticket's comments: which of them are ours, what an agent wrote, and where to find the one we are looking for.

Ours carry our key in the audit's custom metadata (`ticket.metadata` when writing, `metadata.custom` when reading):
the API channel alone is no sign, since other integrations write through it too. Comments that come without their
custom metadata are looked up in the ticket's audits, where an event of type Comment has the comment's own id.

developer.zendesk.com/api-reference/ticketing/tickets/ticket_comments and …/ticket_audits
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from html import escape
from typing import Any

from connector.errors import BadAnswer
from connector.helpdesks.zendesk.account import Account, Json
from connector.markup import to_text
from connector.model import Attachment, CommentId, Key, Merge, Receipt, Reply, TicketId

MARK = "connector_key"
"""Our key's name in a ticket's audit metadata. Stored at Zendesk, so its form is a promise."""

BLOT = "▇"
"""What Zendesk puts in place of each redacted letter (ticket_comments page). No property tells of it."""

_CLOCKS_DIFFER = timedelta(days=1)
_STAFF = frozenset({"agent", "admin"})
_MERGED_INTO = re.compile(r"(?:This request|Request #\d+) was closed and merged into (?:request )?#(\d+)")


class Comments:
    """The comments of one account's tickets."""

    def __init__(self, account: Account) -> None:
        self._account = account

    def replies(self, ticket: TicketId) -> tuple[Reply, ...]:
        """Every comment, oldest first."""
        return tuple(reply for reply in self._told(ticket, "created_at"))

    def reply(self, ticket: TicketId, comment: CommentId) -> Reply | None:
        """One comment as it is now. Zendesk shows agents no single comment, so it is sought from the newest on."""
        return next((reply for reply in self._told(ticket, "-created_at") if reply.id == comment), None)

    def marked(self, ticket: TicketId, key: Key, since: datetime | None) -> list[str]:
        """Ids of the comments that carry this key, oldest first; none older than `since` is looked at.

        A day's grace, since `since` was read on our clock and comments bear Zendesk's.
        """
        oldest = since - _CLOCKS_DIFFER if since is not None else None
        found: list[str] = []
        unmarked = False
        for comment in self._rows(ticket, "-created_at"):
            if oldest is not None and time_of(comment) < oldest:
                break
            custom = custom_metadata(comment)
            unmarked = unmarked or custom is None
            if custom is not None and custom.get(MARK) == key:
                found.append(str(comment["id"]))
        if not found and unmarked:
            return self._marked_in_audits(ticket, key)
        return found[::-1]

    def first(self, ticket: TicketId) -> tuple[str, str | None]:
        """The id of a ticket's first comment and the key it carries: None when nothing tells, "" for nobody's."""
        params = {"sort": "created_at", "page[size]": 1}
        body = self._account.get(f"/tickets/{ticket}/comments", operation="read comments", params=params)
        rows = self._account.rows_in(body, "comments", "read comments")
        if not rows:
            return "", None
        custom = custom_metadata(rows[0])
        if custom is not None:
            return str(rows[0]["id"]), str(custom.get(MARK) or "")
        for audit in self._audits(ticket):
            return str(rows[0]["id"]), str(audit_key(audit) or "")
        return str(rows[0]["id"]), None

    def survivor(self, ticket: TicketId) -> Merge | None:
        """The ticket this one was merged into, and when.

        Zendesk documents no field for it. Read from the last comment, since a merged ticket is closed and takes no
        other: its `via` says `rel: merge` and names a ticket (unconfirmed), or it has the wording Zendesk proposes
        for it, "This request was closed and merged into request #7" (seen in several clients' tests; English only,
        and whoever merges may word it otherwise). Only a person who works there is believed, and never what we wrote
        ourselves: else a mention could say where its follow-ups go.
        """
        params = {"sort": "-created_at", "page[size]": 1, "include": "users"}
        body = self._account.get(f"/tickets/{ticket}/comments", operation="read comments", params=params)
        for comment in self._account.rows_in(body, "comments", "read comments")[:1]:
            staff = {user.get("id") for user in body.get("users") or [] if user.get("role") in _STAFF}
            if comment.get("author_id") in staff and MARK not in (custom_metadata(comment) or {}):
                target = merge_target(comment, ticket)
                return Merge(target, time_of(comment)) if target is not None else None
        return None

    def _told(self, ticket: TicketId, sort: str) -> Iterator[Reply]:
        params = {"sort": sort, "include": "users"}
        operation = "read comments"
        users: dict[int, Json] = {}
        for page in self._account.pages(f"/tickets/{ticket}/comments", operation=operation, params=params):
            users.update({user["id"]: user for user in page.get("users") or [] if isinstance(user, dict)})
            for comment in self._account.rows_in(page, "comments", operation):
                if comment.get("type", "Comment") == "Comment":
                    try:
                        yield reply_from_comment(ticket, comment, users.get(comment.get("author_id") or 0))
                    except (ValueError, TypeError, KeyError, AttributeError):
                        raise BadAnswer(
                            "a comment cannot be read", service=self._account.http.service, operation=operation
                        ) from None

    def _rows(self, ticket: TicketId, sort: str) -> Iterator[Json]:
        path = f"/tickets/{ticket}/comments"
        return self._account.rows(path, "comments", operation="read comments", params={"sort": sort})

    def _audits(self, ticket: TicketId) -> Iterator[Json]:
        return self._account.rows(f"/tickets/{ticket}/audits", "audits", operation="read audits")

    def _marked_in_audits(self, ticket: TicketId, key: Key) -> list[str]:
        return [
            comment
            for audit in self._audits(ticket)
            if audit_key(audit) == key and (comment := comment_of(audit)) is not None
        ]


def receipt_from_audit(body: Json, ticket_url: str) -> Receipt | None:
    """The receipt of a created or updated ticket: {ticket, audit}. None when the answer names no ticket.

    Its id is the comment's; a change of settings alone made no comment, and its receipt is the audit's, `audit:7`.
    """
    ticket, audit = body.get("ticket"), body.get("audit")
    if not isinstance(ticket, dict) or not isinstance(ticket.get("id"), int):
        return None
    comment = comment_of(audit) if isinstance(audit, dict) else None
    if comment is None:
        comment = f"audit:{audit['id']}" if isinstance(audit, dict) and audit.get("id") else ""
    return Receipt(comment, f"{ticket_url}{ticket['id']}", TicketId(str(ticket["id"])))


def comment_of(audit: Json) -> str | None:
    """The id of the comment an audit brought, if it brought one."""
    events = audit.get("events")
    for event in events if isinstance(events, list) else []:
        if isinstance(event, dict) and event.get("type") == "Comment" and event.get("id"):
            return str(event["id"])
    return None


def audit_key(audit: Json) -> str | None:
    """Our key in an audit."""
    custom = custom_metadata(audit) or {}
    key = custom.get(MARK)
    return key if isinstance(key, str) else None


def custom_metadata(row: Json) -> Mapping[str, Any] | None:
    """The custom metadata of a comment or audit; None when it does not tell."""
    metadata = row.get("metadata")
    custom = metadata.get("custom") if isinstance(metadata, dict) else None
    return custom if isinstance(custom, dict) else None


def reply_from_comment(ticket: TicketId, comment: Json, author: Json | None) -> Reply:
    """A comment in our words. An author Zendesk does not show (deleted, or a system one) is no agent."""
    author = author or {}
    html = comment.get("html_body")
    if not html:
        html = escape(str(comment.get("plain_body") or comment.get("body") or "")).replace("\n", "<br>")
    return Reply(
        ticket=ticket,
        id=CommentId(str(comment["id"])),
        public=comment.get("public") is True,
        by_agent=author.get("role") in _STAFF,
        html=str(html),
        created_at=time_of(comment),
        author=str(author.get("name") or ""),
        attachments=tuple(_attachments(comment.get("attachments") or [])),
        ours=MARK in (custom_metadata(comment) or {}),
        redacted=BLOT in str(html),
    )


def _attachments(rows: Iterable[Json]) -> Iterator[Attachment]:
    """Files of a comment, by the address that needs no log-in; one found to be malware does not travel on."""
    for row in rows:
        if row.get("content_url") and row.get("malware_scan_result") != "malware_found":
            size = row.get("size")
            yield Attachment(
                url=str(row["content_url"]),
                type=str(row.get("content_type") or ""),
                name=str(row.get("file_name") or ""),
                size=size if isinstance(size, int) else None,
            )


def time_of(row: Json) -> datetime:
    """`created_at` as an aware time; BadAnswer when it is not one."""
    try:
        told = datetime.fromisoformat(str(row.get("created_at")))
    except ValueError:
        raise BadAnswer("a comment has no readable time", operation="read comments") from None
    return told if told.tzinfo is not None else told.replace(tzinfo=UTC)


def merge_target(comment: Json, ticket: TicketId) -> TicketId | None:
    """The other ticket that a comment on a merged ticket names."""
    via = comment.get("via")
    source = via.get("source") if isinstance(via, dict) else None
    if isinstance(source, dict) and source.get("rel") == "merge":
        for side in ("to", "from"):
            place = source.get(side)
            other = place.get("ticket_id") if isinstance(place, dict) else None
            if other and str(other) != ticket:
                return TicketId(str(other))
    text = str(comment.get("plain_body") or comment.get("body") or "") or to_text(str(comment.get("html_body") or ""))
    match = _MERGED_INTO.match(text.strip())
    return TicketId(match.group(1)) if match and match.group(1) != ticket else None
