"""Pages for a person: the tickets, one ticket, answering as an agent, and the files of comments.

They work without JavaScript. Everything is escaped; a comment's HTML went through the sieve when it was made.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from connector.testing.simulators import web
from connector.testing.simulators.zendesk import people, shown, uploads
from connector.testing.simulators.zendesk.answers import Refusal, Row
from connector.testing.simulators.zendesk.fields import CUSTOM

if TYPE_CHECKING:
    from connector.testing.simulators.zendesk.sandbox import ZendeskSandbox

PAGE = 50
STATUSES = {
    "new": "New",
    "open": "Open",
    "pending": "Pending",
    "hold": "On hold",
    "solved": "Solved",
    "closed": "Closed",
    "deleted": "Deleted",
}
PRIORITIES = {"urgent": "Urgent", "high": "High", "normal": "Normal", "low": "Low", None: "—"}


def routes(sandbox: ZendeskSandbox) -> list[Route]:
    """The routes of one sandbox."""
    pages = _Pages(sandbox)
    return [
        Route("/", pages.index),
        Route("/agent/tickets/{id:int}", pages.show, methods=["GET"]),
        Route("/agent/tickets/{id:int}", pages.answer, methods=["POST"]),
        Route("/attachments/token/{token}/", pages.file),
        Route("/sandbox.css", web.style),
    ]


class _Pages:
    def __init__(self, sandbox: ZendeskSandbox) -> None:
        self._sandbox = sandbox
        self._desk = sandbox.desk
        folder = Path(__file__).with_name("templates")
        self._render = web.renderer(folder, statuses=STATUSES, priorities=PRIORITIES)

    async def index(self, request: Request) -> Response:
        """The newest tickets first, 50 on a page."""
        text = request.query_params.get("page", "1")
        number = max(1, int(text)) if text.isdigit() else 1
        desk = self._desk
        with desk.lock:
            total = len(desk.tickets)
            last = total - (number - 1) * PAGE
            ids = [n for n in range(last, max(last - PAGE, 0), -1) if n in desk.tickets]
            rows = [{**desk.tickets[n], "requester": self._name(desk.tickets[n]["requester_id"])} for n in ids]
        return self._render("tickets.html", tickets=rows, total=total, page=number, more=last > PAGE)

    async def show(self, request: Request) -> Response:
        """One ticket."""
        return self._ticket(request.path_params["id"])

    async def answer(self, request: Request) -> Response:
        """Comment as an agent, change the status; wrong input shows the page again with the text kept."""
        number = request.path_params["id"]
        if web.is_foreign(request.headers):
            return self._ticket(number, 403, "The form was sent from another site's page.")
        values, files = web.form(request.headers.get("content-type", ""), await request.body())
        form = dict(values)
        text, status, public = form.get("body", ""), form.get("status", ""), form.get("kind") != "note"
        try:
            with self._desk.lock:
                current = self._desk.ticket(number)["status"]
            new_status = status if status in STATUSES and status != current else None
            if text.strip():
                self._sandbox.agent_reply(
                    number, text, public=public, uploads=[f for _, f in files], status=new_status
                )
            elif new_status:
                self._sandbox.set_status(number, new_status)
        except Refusal as refusal:
            return self._ticket(number, refusal.status, _words(refusal), text)
        return RedirectResponse(f"/agent/tickets/{number}", 303)

    async def file(self, request: Request) -> Response:
        """The content of an attachment; nobody is asked who he is (recorded)."""
        with self._desk.lock:
            found = uploads.download(self._desk, request.path_params["token"])
        if found is None:
            return self._render("missing.html", 404)
        content, kind, name = found
        shape = "inline" if kind.startswith("image/") and "svg" not in kind else "attachment"
        headers = {"Content-Disposition": f"{shape}; filename*=UTF-8''{quote(name)}", **web.HEADERS}
        return Response(content, 200, headers, kind)

    def _ticket(self, number: int, status: int = 200, problem: str = "", draft: str = "") -> Response:
        desk = self._desk
        with desk.lock:
            row = desk.tickets.get(number)
            if row is None:
                return self._render("missing.html", 404)
            titles = {f["id"]: f for f in desk.tables["ticket_field"].values() if f["type"] in CUSTOM}
            filled = [f for f in row["custom_fields"] if f["id"] in titles]
            values: Row = {
                "ticket": dict(row),
                "comments": [self._said(comment) for comment in desk.comments_of(number)],
                "fields": [(titles[f["id"]]["title"], _value(titles[f["id"]], f["value"])) for f in filled],
                "requester": self._name(row["requester_id"]),
                "group": desk.tables["group"].get(row["group_id"] or 0, {}).get("name", "—"),
                "brand": desk.tables["brand"].get(row["brand_id"] or 0, {}).get("name", "—"),
            }
        return self._render("ticket.html", status, **values, problem=problem, draft=draft)

    def _name(self, number: int) -> str:
        user = self._desk.users.get(number)
        return str(user["name"]) if user else "—"

    def _said(self, comment: Row) -> Row:
        author = self._desk.users.get(comment["author_id"], {})
        staff = bool(author) and people.is_staff(author)
        files = [shown.attachment(self._desk, number, "") for number in comment["attachments"]]
        return {**comment, "author": author.get("name", "—"), "staff": staff, "files": files}


def _value(field: Row, value: object) -> str:
    if value is None or value == "":
        return "—"
    if isinstance(value, bool):
        return "yes" if value else "no"
    names = {option["value"]: option["name"] for option in field.get("custom_field_options", ())}
    return str(names.get(value, value)) if isinstance(value, str) else str(value)


def _words(refusal: Refusal) -> str:
    body = refusal.body
    if not isinstance(body, dict):
        return str(body)
    details = body.get("details")
    if isinstance(details, dict):
        return "; ".join(item["description"] for items in details.values() for item in items)
    return str(body.get("description", body.get("error")))
