"""What tests and people in other processes may do to the sandbox, below `/_sandbox/`."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

from starlette.requests import Request
from starlette.routing import Route

from connector.testing.simulators import control
from connector.testing.simulators.answers import Row
from connector.testing.simulators.freshdesk.account import AGENT_EMAIL

if TYPE_CHECKING:
    from connector.testing.simulators.freshdesk.sandbox import FreshdeskSandbox


def routes(sandbox: FreshdeskSandbox) -> list[Route]:
    """The routes of one sandbox; wrong input is 400 with a sentence."""

    def reply(request: Request, wanted: Row) -> Row:
        files = [
            (item["name"], item["content_type"], base64.b64decode(item["content"]))
            for item in wanted.get("uploads", [])
        ]
        return sandbox.agent_reply(
            request.path_params["id"],
            wanted.get("html_body") or wanted.get("body") or "",
            wanted.get("public", True),
            files,
            wanted.get("status"),
            wanted.get("author", AGENT_EMAIL),
        )

    def on_ticket(name: str) -> control.Act:
        def act(request: Request, _: Row) -> Any:
            getattr(sandbox, name)(request.path_params["id"])
            return sandbox.ticket(request.path_params["id"])

        return act

    def make_private(request: Request, _: Row) -> Row:
        return sandbox.make_private(request.path_params["id"])

    def edit(request: Request, wanted: Row) -> Row:
        return sandbox.edit(request.path_params["id"], str(wanted.get("body") or ""))

    def delete_conversation(request: Request, _: Row) -> Row:
        sandbox.delete_conversation(request.path_params["id"])
        return {}

    table: list[tuple[str, str, control.Act]] = [
        *control.common(sandbox),
        ("POST", "/fields", lambda _, wanted: sandbox.add_field(**wanted)),
        ("POST", "/tickets/{id:int}/reply", reply),
        *(
            ("POST", f"/tickets/{{id:int}}/{name}", on_ticket(name))
            for name in ("close", "delete", "spam", "restore")
        ),
        ("POST", "/conversations/{id:int}/make_private", make_private),
        ("POST", "/conversations/{id:int}/edit", edit),
        ("POST", "/conversations/{id:int}/delete", delete_conversation),
    ]
    return control.routes(table)
