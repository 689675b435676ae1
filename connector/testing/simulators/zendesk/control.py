"""What tests and people in other processes may do to the sandbox, below `/_sandbox/`."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.routing import Route

from connector.testing.simulators import control
from connector.testing.simulators.answers import Row
from connector.testing.simulators.zendesk.account import AGENT_EMAIL

if TYPE_CHECKING:
    from connector.testing.simulators.zendesk.sandbox import ZendeskSandbox


def routes(sandbox: ZendeskSandbox) -> list[Route]:
    """The routes of one sandbox; wrong input is 400 with a sentence."""

    def reply(request: Request, wanted: Row) -> Row:
        files = [
            item if isinstance(item, str) else (item["name"], item["content_type"], base64.b64decode(item["content"]))
            for item in wanted.get("uploads", [])
        ]
        return sandbox.agent_reply(
            request.path_params["id"],
            wanted.get("body"),
            wanted.get("html_body"),
            wanted.get("public", True),
            wanted.get("author", AGENT_EMAIL),
            files,
            wanted.get("status"),
        )

    def close(request: Request, _: Row) -> Row:
        sandbox.close(request.path_params["id"])
        return sandbox.ticket(request.path_params["id"])

    def delete(request: Request, _: Row) -> Row:
        sandbox.delete(request.path_params["id"])
        return sandbox.ticket(request.path_params["id"])

    def make_private(request: Request, _: Row) -> Row:
        sandbox.make_private(request.path_params["id"], request.path_params["comment"])
        return {}

    def redact(request: Request, wanted: Row) -> Row:
        sandbox.redact(request.path_params["id"], request.path_params["comment"], str(wanted.get("text") or ""))
        return {}

    table: list[tuple[str, str, control.Act]] = [
        *control.common(sandbox),
        ("POST", "/tickets/{id:int}/reply", reply),
        ("POST", "/tickets/{id:int}/close", close),
        ("POST", "/tickets/{id:int}/delete", delete),
        ("POST", "/tickets/{id:int}/comments/{comment:int}/make_private", make_private),
        ("POST", "/tickets/{id:int}/comments/{comment:int}/redact", redact),
    ]
    return control.routes(table)
