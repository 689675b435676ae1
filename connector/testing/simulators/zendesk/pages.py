"""Pages for a person: the tickets, one ticket, answering as an agent, and the files of comments.

They work without JavaScript. Everything is escaped; a comment's HTML went through the sieve when it was made.
"""

from __future__ import annotations

from email import message_from_bytes
from email.policy import HTTP
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, quote, urlsplit

from jinja2 import Environment, FileSystemLoader, select_autoescape
from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from connector.testing.simulators.zendesk import people, shown, texts, uploads
from connector.testing.simulators.zendesk.answers import Refusal, Row
from connector.testing.simulators.zendesk.fields import CUSTOM

if TYPE_CHECKING:
    from connector.testing.simulators.zendesk.sandbox import ZendeskSandbox

PAGE = 50
STATUSES = {
    "new": "Новая",
    "open": "Открыта",
    "pending": "Ждёт автора",
    "hold": "Отложена",
    "solved": "Решена",
    "closed": "Закрыта",
    "deleted": "Удалена",
}
PRIORITIES = {"urgent": "Срочный", "high": "Высокий", "normal": "Обычный", "low": "Низкий", None: "—"}
_FOLDER = Path(__file__).with_name("templates")
_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; img-src * data:; form-action 'self'; base-uri 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}


def routes(sandbox: ZendeskSandbox) -> list[Route]:
    """The routes of one sandbox."""
    templates = Environment(loader=FileSystemLoader(_FOLDER), autoescape=select_autoescape(["html"]))
    templates.globals |= {"statuses": STATUSES, "priorities": PRIORITIES}
    templates.filters["safe_html"] = lambda html: Markup(texts.safe_html(html))  # noqa: S704 - sieved
    desk = sandbox.desk

    def render(name: str, status: int = 200, **values: object) -> HTMLResponse:
        return HTMLResponse(templates.get_template(name).render(**values), status, _HEADERS)

    def missing() -> Response:
        return render("missing.html", 404)

    async def index(request: Request) -> Response:
        text = request.query_params.get("page", "1")
        number = max(1, int(text)) if text.isdigit() else 1
        with desk.lock:
            total = len(desk.tickets)
            last = total - (number - 1) * PAGE
            ids = [n for n in range(last, max(last - PAGE, 0), -1) if n in desk.tickets]
            rows = [
                {**desk.tickets[n], "requester": _name(sandbox, desk.tickets[n]["requester_id"])} for n in ids
            ]
        more = last > PAGE
        return render("tickets.html", tickets=rows, total=total, page=number, more=more)

    def ticket_page(number: int, status: int = 200, problem: str = "", draft: str = "") -> Response:
        with desk.lock:
            row = desk.tickets.get(number)
            if row is None:
                return missing()
            said = [_said(sandbox, comment) for comment in desk.comments_of(number)]
            titles = {f["id"]: f for f in desk.tables["ticket_field"].values() if f["type"] in CUSTOM}
            values = [
                (titles[f["id"]]["title"], _value(titles[f["id"]], f["value"]))
                for f in row["custom_fields"]
                if f["id"] in titles
            ]
            names = {
                "requester": _name(sandbox, row["requester_id"]),
                "group": desk.tables["group"].get(row["group_id"] or 0, {}).get("name", "—"),
                "brand": desk.tables["brand"].get(row["brand_id"] or 0, {}).get("name", "—"),
            }
            ticket = dict(row)
        return render(
            "ticket.html", status, ticket=ticket, comments=said, fields=values, problem=problem, draft=draft, **names
        )  # fmt: skip

    async def show(request: Request) -> Response:
        return ticket_page(request.path_params["id"])

    async def answer(request: Request) -> Response:
        number = request.path_params["id"]
        origin = request.headers.get("origin")
        if origin and origin != "null" and urlsplit(origin).netloc != request.headers.get("host"):
            return ticket_page(number, 403, "Форма отправлена с чужой страницы.")
        form, files = _form(request.headers.get("content-type", ""), await request.body())
        text, status, public = form.get("body", ""), form.get("status", ""), form.get("kind") != "note"
        try:
            with desk.lock:
                current = desk.ticket(number)["status"]
            new_status = status if status in STATUSES and status != current else None
            if text.strip():
                sandbox.agent_reply(number, text, public=public, uploads=files, status=new_status)
            elif new_status:
                sandbox.set_status(number, new_status)
        except Refusal as refusal:
            if refusal.status == 404:
                return missing()
            return ticket_page(number, refusal.status, _words(refusal), text)
        return RedirectResponse(f"/agent/tickets/{number}", 303)

    async def file(request: Request) -> Response:
        with desk.lock:
            found = uploads.download(desk, request.path_params["token"])
        if found is None:
            return missing()
        content, kind, name = found
        shape = "inline" if kind.startswith("image/") and "svg" not in kind else "attachment"
        headers = {"Content-Disposition": f"{shape}; filename*=UTF-8''{quote(name)}", **_HEADERS}
        return Response(content, 200, headers, kind)

    async def style(_: Request) -> Response:
        return Response((_FOLDER / "sandbox.css").read_text("utf-8"), media_type="text/css")

    return [
        Route("/", index),
        Route("/agent/tickets/{id:int}", show, methods=["GET"]),
        Route("/agent/tickets/{id:int}", answer, methods=["POST"]),
        Route("/attachments/token/{token}/", file),
        Route("/sandbox.css", style),
    ]


def _form(kind: str, content: bytes) -> tuple[dict[str, str], list[tuple[str, str, bytes]]]:
    """Values and files of a form, in either of the two encodings a browser uses."""
    if not kind.startswith("multipart/"):
        return dict(parse_qsl(content.decode("utf-8", "replace"), keep_blank_values=True)), []
    values: dict[str, str] = {}
    files: list[tuple[str, str, bytes]] = []
    whole = message_from_bytes(
        b"Content-Type: " + kind.encode("latin-1") + b"\r\n\r\n" + content, policy=HTTP
    )
    for part in whole.iter_parts():
        payload = part.get_payload(decode=True)
        held = payload if isinstance(payload, bytes) else b""
        name = part.get_param("name", header="content-disposition")
        if part.get_filename():
            files.append((str(part.get_filename()), part.get_content_type(), held))
        elif (
            part.get_content_disposition() == "form-data"
            and part.get_param("filename", None, "content-disposition") is None
        ):
            values[str(name)] = held.decode("utf-8", "replace")
    return values, files


def _name(sandbox: ZendeskSandbox, number: int) -> str:
    user = sandbox.desk.users.get(number)
    return str(user["name"]) if user else "—"


def _said(sandbox: ZendeskSandbox, comment: Row) -> Row:
    author = sandbox.desk.users.get(comment["author_id"], {})
    staff = bool(author) and people.is_staff(author)
    files = [shown.attachment(sandbox.desk, number, "") for number in comment["attachments"]]
    return {**comment, "author": author.get("name", "—"), "staff": staff, "files": files}


def _value(field: Row, value: object) -> str:
    if value is None or value == "":
        return "—"
    if isinstance(value, bool):
        return "да" if value else "нет"
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
