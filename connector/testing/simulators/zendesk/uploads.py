"""Files: uploaded for a token, then part of a comment, then read from a tokenised address.

Sources: vendor's page "ticket-attachments" (tokens live 60 minutes); recorded answers (`expires_at` three
days ahead, text/plain around the JSON, width and height are numbers or null).
"""

from __future__ import annotations

import base64
import json
import mimetypes
import secrets
import time

from connector.testing.simulators.zendesk import shown
from connector.testing.simulators.zendesk.answers import Answer, Call, Refusal, Row, not_found
from connector.testing.simulators.zendesk.desk import Desk

LIFETIME_S = 3600
MAX_BYTES = 50 * 1024 * 1024


def create(desk: Desk, call: Call) -> Answer:
    """POST uploads: the raw body is the file; `token` adds it to an earlier upload."""
    name = call.query.get("filename")
    if not name:
        raise Refusal(400, "Required parameter missing: filename")
    if len(call.content) > MAX_BYTES:
        raise Refusal(413, {"error": "AttachmentTooLarge", "description": "Attachment is too large"})
    kind = call.headers.get("content-type") or mimetypes.guess_type(name)[0] or "application/octet-stream"
    upload = add(desk, name, kind, call.content, call.query.get("token"))
    attachments = [shown.attachment(desk, number, call.base) for number in upload["attachment_ids"]]
    body = {
        "token": upload["token"],
        "expires_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(desk.now() + 3 * 86400)),
        "attachments": attachments,
        "attachment": attachments[-1],
    }
    raw = json.dumps({"upload": body}, ensure_ascii=False).encode()
    location = {"Location": attachments[-1]["url"]}
    return Answer(201, raw=raw, headers=location, content_type="text/plain; charset=utf-8")


def add(desk: Desk, name: str, kind: str, content: bytes, token: str | None = None) -> Row:
    """Keep a file under a new token, or under the given one."""
    upload = desk.tables["upload"].get(token or "")
    if token and upload is None:
        raise not_found()
    attachment = {
        "id": desk.new_id(), "file_name": name, "content_type": kind.partition(";")[0], "size": len(content),
        "width": None, "height": None, "inline": False, "deleted": False, "malware_access_override": False,
        "malware_scan_result": "malware_not_found", "token": secrets.token_urlsafe(18),
        "content": base64.b64encode(content).decode(),
    }  # fmt: skip
    desk.put("attachment", attachment)
    if upload is None:
        upload = {"token": secrets.token_urlsafe(18), "attachment_ids": []}
    upload["expires"] = desk.clock() + LIFETIME_S
    upload["attachment_ids"] = [*upload["attachment_ids"], attachment["id"]]
    return desk.put("upload", upload, key=upload["token"])


def remove(desk: Desk, call: Call) -> Answer:
    """DELETE uploads/{token}."""
    desk.row("upload", call.values[0])
    desk.remove("upload", call.values[0])
    return Answer(204)


def show(desk: Desk, call: Call) -> Answer:
    """GET attachments/{id}."""
    desk.row("attachment", call.number())
    return Answer(body={"attachment": shown.attachment(desk, call.number(), call.base)})


def download(desk: Desk, token: str) -> tuple[bytes, str, str] | None:
    """Content, content type and name of the attachment at a tokenised address; nobody is asked who he is."""
    for row in desk.tables["attachment"].values():
        if row["token"] == token and not row["deleted"]:
            return base64.b64decode(row["content"]), row["content_type"], row["file_name"]
    return None


ROUTES = [
    ("POST", "uploads", create),
    ("DELETE", "uploads/*", remove),
    ("GET", "attachments/*", show),
]
