"""A form with files as browsers send it: multipart/form-data (RFC 7578, and the HTML standard for names)."""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class FormFile:
    """One file of a form: the field it belongs to, the file's name, its content and its media type."""

    field: str
    name: str
    content: bytes
    type: str


def multipart(fields: Iterable[tuple[str, str]], files: Iterable[FormFile]) -> tuple[bytes, str]:
    """The body and its Content-Type."""
    boundary = secrets.token_hex(16)
    parts = [
        f'--{boundary}\r\nContent-Disposition: form-data; name="{_quoted(name)}"\r\n\r\n{value}'.encode()
        for name, value in fields
    ]
    for file in files:
        head = (
            f"--{boundary}\r\nContent-Type: {file.type}\r\n"
            f'Content-Disposition: form-data; name="{_quoted(file.field)}"; filename="{_quoted(file.name)}"\r\n\r\n'
        )
        parts.append(head.encode() + file.content)
    parts.append(f"--{boundary}--\r\n".encode())
    return b"\r\n".join(parts), f"multipart/form-data; boundary={boundary}"


def _quoted(name: str) -> str:
    return name.replace("\r", "%0D").replace("\n", "%0A").replace('"', "%22")
