"""What every pretended service says back: an answer, or the refusal of a request."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

Row = dict[str, Any]


@dataclass(slots=True)
class Answer:
    """One HTTP answer; `body` is JSON unless `raw` bytes are given."""

    status: int = 200
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    raw: bytes | None = None
    content_type: str = "application/json; charset=utf-8"


class Refusal(Exception):
    """A request that the vendor would refuse; a `str` body goes out as text/plain, a dict as JSON."""

    def __init__(self, status: int, body: Row | str | None, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(f"{status} {body}")
        self.status = status
        self.body = body
        self.headers = dict(headers or {})
