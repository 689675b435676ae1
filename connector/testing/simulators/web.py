"""What the pages for a person share: one style sheet, headers, forms, and the sieve for other people's HTML.

Pages work without JavaScript. Everything is escaped, but HTML that went through the sieve.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from email import message_from_bytes
from email.policy import HTTP
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from jinja2 import Environment, FileSystemLoader, select_autoescape
from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from connector.testing.simulators.sieve import safe_html

File = tuple[str, str, bytes]
"""(file name, content type, content)"""

HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; img-src * data:; form-action 'self'; base-uri 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}
_STYLE = (Path(__file__).with_name("templates") / "sandbox.css").read_text("utf-8")


def renderer(folder: Path, **known: object) -> Callable[..., HTMLResponse]:
    """A function (template's name, status=200, **values) -> page, over the templates of a folder."""
    templates = Environment(loader=FileSystemLoader(folder), autoescape=select_autoescape(["html"]))
    templates.globals.update(known)
    templates.filters["safe_html"] = lambda html: Markup(safe_html(html))  # noqa: S704 - sieved

    def render(name: str, status: int = 200, **values: Any) -> HTMLResponse:
        return HTMLResponse(templates.get_template(name).render(**values), status, HEADERS)

    return render


async def style(_: Request) -> Response:
    """The one style sheet."""
    return Response(_STYLE, media_type="text/css")


def is_foreign(headers: Mapping[str, str]) -> bool:
    """Whether a form came from another site's page."""
    origin = headers.get("origin")
    return bool(origin and origin != "null" and urlsplit(origin).netloc != headers.get("host"))


def form(kind: str, content: bytes) -> tuple[list[tuple[str, str]], list[tuple[str, File]]]:
    """(values, files) of a form by name, in either of the two encodings a browser uses; names may repeat."""
    if not kind.startswith("multipart/"):
        return parse_qsl(content.decode("utf-8", "replace"), keep_blank_values=True), []
    values: list[tuple[str, str]] = []
    files: list[tuple[str, File]] = []
    whole = message_from_bytes(b"Content-Type: " + kind.encode("latin-1") + b"\r\n\r\n" + content, policy=HTTP)
    for part in whole.iter_parts():
        payload = part.get_payload(decode=True)
        held = payload if isinstance(payload, bytes) else b""
        name = str(part.get_param("name", header="content-disposition"))
        if part.get_filename():
            files.append((name, (str(part.get_filename()), part.get_content_type(), held)))
        elif (
            part.get_content_disposition() == "form-data"
            and part.get_param("filename", None, "content-disposition") is None
        ):
            values.append((name, held.decode("utf-8", "replace")))
    return values, files
