"""The wire: forms and JSON in, and the listener's handler."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import unquote

Json = dict[str, Any]
Uploads = dict[str, tuple[str, str, bytes]]
"""Name, type and content of what was uploaded, by its field."""
Told = tuple[int, bytes, str]
"""Status, body and type of an answer."""


class Refused(Exception):
    """A refusal: its code, description and parameters."""

    def __init__(self, code: int, description: str, **parameters: int) -> None:
        super().__init__(description)
        self.code, self.description, self.parameters = code, description, parameters

    def body(self) -> bytes:
        """As it is sent."""
        told: Json = {"ok": False, "error_code": self.code, "description": self.description}
        if self.parameters:
            told["parameters"] = self.parameters
        return dump(told)

    def told(self) -> Told:
        """The whole answer."""
        return self.code, self.body(), "application/json"


def dump(value: Any) -> bytes:
    """JSON as it is sent."""
    return json.dumps(value, ensure_ascii=False).encode()


def params_of(kind: str, body: bytes) -> tuple[Json, Uploads]:
    """The parameters of a call, and what was uploaded with it: name, type, content."""
    if not kind.startswith("multipart/form-data"):
        try:
            value = json.loads(body or b"{}")
        except ValueError:
            raise Refused(400, "Bad Request: can't parse JSON") from None
        return dict(value), {}
    params: Json = {}
    uploads: Uploads = {}
    boundary = kind.partition("boundary=")[2].strip('"').encode()
    for part in body.split(b"--" + boundary)[1:-1]:
        head, _, content = part.removeprefix(b"\r\n").removesuffix(b"\r\n").partition(b"\r\n\r\n")
        told = head.decode()
        found = dict(re.findall(r'\b(name|filename)="([^"]*)"', told))
        mime = re.search(r"Content-Type: *([^\r;]+)", told, re.IGNORECASE)
        if "name" not in found:
            raise Refused(400, "Bad Request: can't parse the form")
        if "filename" in found:
            uploads[found["name"]] = (unquote(found["filename"]), mime[1] if mime else "", content)
            continue
        text, name = content.decode(), found["name"]
        params[name] = text if name in ("text", "caption", "business_connection_id") else json.loads(text)
    return params, uploads


def handler(answer: Callable[[str, str, bytes], Told | None]) -> type[BaseHTTPRequestHandler]:
    """Asks `answer` (path, content type, body) for each call; None: hangs up."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_GET(self) -> None:
            self._answer()

        def do_POST(self) -> None:
            self._answer()

        def _answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            told = answer(self.path, self.headers.get("Content-Type", ""), body)
            if told is None:
                self.close_connection = True
                return
            status, content, kind = told
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  the base class's word
            pass

    return Handler
