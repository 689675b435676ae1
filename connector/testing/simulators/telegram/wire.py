"""The wire: forms and JSON in, refusals out."""

from __future__ import annotations

import json
import re
from typing import Any
from urllib.parse import unquote

from connector.testing.simulators.threaded import Told

Json = dict[str, Any]
Uploads = dict[str, tuple[str, str, bytes]]
"""Name, type and content of what was uploaded, by its field."""


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
        return self.code, {}, self.body()


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
