"""Pages for a person: the tickets, one ticket, answering as an agent; and the storage of attachments.

They work without JavaScript. Everything is escaped; a conversation's HTML went through the sieve when it was made.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from connector.testing.simulators import web
from connector.testing.simulators.freshdesk import fields, files, shown
from connector.testing.simulators.freshdesk.answers import Refusal, Row

if TYPE_CHECKING:
    from connector.testing.simulators.freshdesk.sandbox import FreshdeskSandbox

PAGE = 50
_CLASSES = {4: "solved", 5: "closed"}
_SOURCES = {0: "reply", 2: "note", 8: "forwarded"}


def routes(sandbox: FreshdeskSandbox) -> list[Route]:
    """The routes of one sandbox."""
    pages = _Pages(sandbox)
    return [
        Route("/", pages.index),
        Route("/a/tickets/{id:int}", pages.show, methods=["GET"]),
        Route("/a/tickets/{id:int}", pages.answer, methods=["POST"]),
        Route(files.PATH + "/{id:int}/original/{name:path}", pages.file),
        Route("/sandbox.css", web.style),
    ]


class _Pages:
    def __init__(self, sandbox: FreshdeskSandbox) -> None:
        self._sandbox = sandbox
        self._desk = sandbox.desk
        folder = Path(__file__).with_name("templates")
        self._render = web.renderer(
            folder, priorities=fields.PRIORITIES, sources=fields.SOURCES, classes=_CLASSES, kinds=_SOURCES
        )

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
            statuses = fields.statuses(desk)
        return self._render(
            "tickets.html", tickets=rows, total=total, page=number, more=last > PAGE, statuses=statuses
        )

    async def show(self, request: Request) -> Response:
        """One ticket."""
        return self._ticket(request.path_params["id"], request.headers.get("host", ""))

    async def answer(self, request: Request) -> Response:
        """Reply or leave a note as an agent, change the status; wrong input shows the page with the text kept."""
        number, host = request.path_params["id"], request.headers.get("host", "")
        if web.is_foreign(request.headers):
            return self._ticket(number, host, 403, "The form came from another site's page.")
        values, sent = web.form(request.headers.get("content-type", ""), await request.body())
        form = dict(values)
        text, kind = form.get("body", ""), form.get("kind", "reply")
        try:
            with self._desk.lock:
                current = self._desk.live_ticket(number)["status"]
            wanted = form.get("status", "")
            status = int(wanted) if wanted.isdigit() and int(wanted) != current else None
            if text.strip():
                body = _html(text)
                self._sandbox.agent_reply(number, body, kind != "note", [file for _, file in sent], status)
            elif status is not None:
                self._sandbox.set_status(number, status)
        except Refusal as refusal:
            return self._ticket(number, host, refusal.status, _words(refusal), text)
        return RedirectResponse(f"/a/tickets/{number}", 303)

    async def file(self, request: Request) -> Response:
        """The content of an attachment, at an address that expires; nobody is asked who he is (recorded)."""
        with self._desk.lock:
            answer = files.download(self._desk, request.path_params["id"], request.query_params, request.headers)
        return Response(answer.raw, answer.status, {**answer.headers, **web.HEADERS}, answer.content_type)

    def _ticket(self, number: int, host: str, status: int = 200, problem: str = "", draft: str = "") -> Response:
        desk = self._desk
        with desk.lock:
            row = desk.tickets.get(number)
            if row is None:
                return self._render("missing.html", 404)
            base = f"http://{host}" if host else ""
            first = {"files": shown.ticket(desk, row, base)["attachments"]}
            custom = fields.blank(desk) | row["custom_fields"]
            values: Row = {
                "ticket": dict(row),
                "opening": first,
                "conversations": [self._said(said, base) for said in desk.conversations_of(number)],
                "fields": [(label, _value(custom[name])) for name, label in self._labels() if custom.get(name)],
                "requester": self._name(row["requester_id"]),
                "group": desk.tables["group"].get(row["group_id"] or 0, {}).get("name", "—"),
                "product": desk.tables["product"].get(row["product_id"] or 0, {}).get("name", "—"),
                "agent": self._name(row["responder_id"] or 0),
                "statuses": fields.statuses(desk),
            }
        return self._render("ticket.html", status, **values, problem=problem, draft=draft)

    def _labels(self) -> list[tuple[str, str]]:
        labels = []
        for row in self._desk.tables["field"].values():
            labels += [(row["name"], row["label"])]
            labels += [(item["name"], item["label"]) for item in row["dependent_fields"]]
        return labels

    def _name(self, number: int) -> str:
        person = self._desk.person(number)
        return str(person["name"]) if person else "—"

    def _said(self, said: Row, base: str) -> Row:
        told = shown.conversation(self._desk, said, base)
        return {**told, "author": self._name(said["user_id"]), "staff": said["user_id"] in self._desk.agents}


def _html(text: str) -> str:
    """What a person typed, as the editor of the web interface would send it."""
    safe = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return "".join(f"<div>{line or '<br>'}</div>" for line in safe.replace("\r\n", "\n").split("\n"))


def _value(value: object) -> str:
    if value is None or value == "":
        return "—"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)


def _words(refusal: Refusal) -> str:
    body = refusal.body
    if not isinstance(body, dict):
        return "There is no such ticket, or it is deleted or spam."
    return "; ".join(f"{item['field']}: {item['message']}" for item in body.get("errors", ())) or str(body)
