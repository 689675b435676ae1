"""Attachments: they come with a ticket or conversation, and are read from an address that expires.

Recorded: the address is presigned (Amazon S3) and lives 300 seconds; it needs no credentials and gets none: S3
refuses a presigned request that brings an Authorization header as well (from memory, and so are the XML bodies).
Documented: 20 MB together on a ticket or conversation. The words beyond it are unconfirmed.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from collections.abc import Mapping
from urllib.parse import quote

from connector.testing.simulators.freshdesk.answers import Answer, Call, Row, Wanted, complaint
from connector.testing.simulators.freshdesk.desk import Desk
from connector.testing.simulators.web import File

LIFETIME_S = 300
PATH = "/data/helpdesk/attachments/production"
_XML = '<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>{}</Code><Message>{}</Message></Error>'


def check_size(desk: Desk, files: list[File], held: list[int] | None = None) -> list[Row]:
    """What is wrong with so many files, beside those already there."""
    limit = desk.meter.limits.attachment_mb
    total = sum(len(content) for _, _, content in files)
    total += sum(desk.tables["attachment"][number]["size"] for number in held or ())
    if limit is None or total <= limit * 1024 * 1024:
        return []
    return [complaint("attachments", f"Invalid file size. It should be less than {limit} MB", "invalid_size")]


def keep(desk: Desk, files: list[File]) -> list[int]:
    """Keep the files; their ids."""
    stamp, numbers = desk.stamp(), []
    for name, kind, content in files:
        row = {
            "id": desk.new_id(), "name": name, "content_type": kind.partition(";")[0], "size": len(content),
            "created_at": stamp, "updated_at": stamp, "secret": secrets.token_hex(16),
            "content": base64.b64encode(content).decode(),
        }  # fmt: skip
        numbers.append(desk.put("attachment", row)["id"])
    return numbers


def shown(desk: Desk, number: int, base: str) -> Row:
    """An attachment with an address that is good for the next 300 seconds."""
    row = desk.tables["attachment"][number]
    address = f"{base}{PATH}/{number}/original/{quote(row['name'])}?{_signed(row, desk.now())}"
    told = {name: row[name] for name in ("id", "name", "content_type", "size", "created_at", "updated_at")}
    told["attachment_url"] = address
    if row["content_type"].startswith("image/"):
        told["thumb_url"] = address
    return told


def download(desk: Desk, number: int, query: Mapping[str, str], headers: Mapping[str, str]) -> Answer:
    """What the storage says to a presigned address."""
    row = desk.tables["attachment"].get(number)
    if "authorization" in headers:
        return _refused(400, "InvalidArgument", "Only one auth mechanism allowed")
    try:
        begun = int(query.get("X-Amz-Date", ""))
    except ValueError:
        begun = 0
    if row is None or query.get("X-Amz-Signature") != _signature(row, begun):
        return _refused(403, "SignatureDoesNotMatch", "The request signature does not match")
    if desk.clock() >= begun + LIFETIME_S:
        return _refused(403, "AccessDenied", "Request has expired")
    name = quote(row["name"])
    return Answer(
        raw=base64.b64decode(row["content"]),
        headers={"Content-Disposition": f"attachment; filename*=UTF-8''{name}"},
        content_type=row["content_type"],
    )


def remove(desk: Desk, call: Call) -> Answer:
    """DELETE attachments/{id}."""
    number = call.number()
    desk.row("attachment", number)
    for ticket in desk.tickets.values():
        if number in ticket["attachments"]:
            ticket["attachments"].remove(number)
            desk.put("ticket", ticket)
        for said in desk.conversations.get(ticket["id"], {}).values():
            if number in said["attachments"]:
                said["attachments"].remove(number)
                desk.put("conversation", said, owner=ticket["id"])
    desk.remove("attachment", number)
    return Answer(204)


def wanted(desk: Desk, call: Call, held: list[int] | None = None) -> Wanted:
    """What the request asks for; files cannot come in JSON, and not too many of them in a form."""
    body = {name: value for name, value in call.body.items() if name != "attachments"}
    wrong = check_size(desk, call.files, held)
    if "attachments" in call.body:
        words = "It should be a/an Array of valid file format"
        wrong.append(complaint("attachments", words, "datatype_mismatch"))
    return Wanted(body, call.files, wrong, call.is_form)


def _signed(row: Row, now: int) -> str:
    return f"X-Amz-Date={now}&X-Amz-Expires={LIFETIME_S}&X-Amz-Signature={_signature(row, now)}"


def _signature(row: Row, now: int) -> str:
    return hmac.new(row["secret"].encode(), str(now).encode(), hashlib.sha256).hexdigest()


def _refused(status: int, code: str, words: str) -> Answer:
    return Answer(status, raw=_XML.format(code, words).encode(), content_type="application/xml")


ROUTES = [("DELETE", "attachments/*", remove)]
