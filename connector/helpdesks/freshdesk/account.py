"""One Freshdesk account as a place to call: its address, how we log in, what it refuses, how often it may be asked.

Hides the log-in header, paging, the budget's names and the reading of bodies. The one rule: whatever comes back is
either what was asked for, of the expected shape, or an error that says what to do next.

API key as the user's name, anything as the password; a next page is announced by a Link header and nothing else; page
300 is the last that may be asked for (recorded, and airbytehq/airbyte#3858).
"""

from __future__ import annotations

import base64
import json as jsonlib
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from connector.errors import AuthFailed, BadAnswer, Gone, Rejected, Scope
from connector.helpdesks.freshdesk import limits
from connector.helpdesks.freshdesk.limits import Limits
from connector.helpdesks.freshdesk.refusals import JUDGED, refused
from connector.http import Answer, Http
from connector.log import remember_secret

PAGE = 100
LAST_PAGE = 300

_NEXT = re.compile(r"""<[^>]*>\s*;[^,]*\brel="?next\b""")

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Sheet:
    """One page of a list, whether another follows, and what time it was there."""

    rows: list[Json]
    more: bool
    at: datetime


class Account:
    """Calls to `base_url`/api/v2."""

    def __init__(self, http: Http, base_url: str, api_key: str) -> None:
        self.http = http
        self.api = f"{base_url}/api/v2"
        self.limits = Limits(http.budget)
        self.field_label: Callable[[str], str] = lambda _: ""
        pair = base64.b64encode(f"{api_key}:X".encode()).decode()
        remember_secret(api_key)
        remember_secret(pair)
        self._login = {"Authorization": f"Basic {pair}"}

    def call(
        self,
        method: str,
        path: str,
        *,
        operation: str,
        params: Mapping[str, Any] | None = None,
        json: Any = None,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        kind: str = limits.ACCOUNT,
        read: bool | None = None,
        expect: Collection[int] = (),
        forbidden: type[AuthFailed | Rejected] = Rejected,
        missing: type[AuthFailed | Gone] = Gone,
    ) -> Answer:
        """The answer if it is 2xx or in `expect`, else the error it means.

        `kind` is the budget of calls like this one; `read` as in `Http.call`; `forbidden`, `missing` as in `refused`.
        """

        def learn(answer: Answer) -> None:
            self.limits.learn(answer, kind)

        def limited(answer: Answer) -> tuple[str, Scope]:
            return self.limits.of_refusal(answer, kind)

        answer = self.http.call(
            method,
            f"{self.api}{path}",
            operation=operation,
            params=params,
            json=json,
            body=body,
            headers={**self._login, **(headers or {})},
            read=read,
            expect=JUDGED,
            limits=[kind] if kind else [],
            learn=learn,
            limited=limited,
        )
        if answer.status < 300 or answer.status in expect:
            return answer
        raise self.refused(answer, operation, forbidden, missing)

    def refused(
        self,
        answer: Answer,
        operation: str,
        forbidden: type[AuthFailed | Rejected] = Rejected,
        missing: type[AuthFailed | Gone] = Gone,
    ) -> Exception:
        """The error for an answer whose status was expected, so that the caller could look at it first."""
        return refused(
            answer,
            service=self.http.service,
            operation=operation,
            forbidden=forbidden,
            missing=missing,
            label=self.field_label,
        )

    def get(self, path: str, *, operation: str, params: Mapping[str, Any] | None = None, **options: Any) -> Json:
        """A GET's body, an object. BadAnswer when it is anything else."""
        return self.object_in(self.call("GET", path, operation=operation, params=params, **options), operation)

    def page(
        self, path: str, number: int, *, operation: str, params: Mapping[str, Any] | None = None, **options: Any
    ) -> Sheet:
        """One page of a list. The Link's address itself is not followed: the log-in would go wherever it points."""
        asked = {"per_page": PAGE, **(params or {}), "page": number}
        answer = self.call("GET", path, operation=operation, params=asked, **options)
        rows = self.rows_in(_parsed(answer), operation)
        more = number < LAST_PAGE and _NEXT.search(answer.headers.get("Link", "")) is not None
        return Sheet(rows, more, _time_there(answer))

    def rows(
        self, path: str, *, operation: str, params: Mapping[str, Any] | None = None, **options: Any
    ) -> Iterator[Json]:
        """Every row on every page."""
        number, more = 1, True
        while more:
            sheet = self.page(path, number, operation=operation, params=params, **options)
            yield from sheet.rows
            number, more = number + 1, sheet.more

    def object_in(self, answer: Answer, operation: str) -> Json:
        """The body of an answer, which has to be an object."""
        body = _parsed(answer)
        if not isinstance(body, dict):
            raise BadAnswer(
                "the answer is not a JSON object",
                service=self.http.service,
                operation=operation,
                status=answer.status,
            )
        return body

    def rows_in(self, body: Any, operation: str) -> list[Json]:
        """A list's rows; BadAnswer when it is not a list of objects with an id."""
        if not isinstance(body, list) or not all(isinstance(row, dict) and _is_id(row.get("id")) for row in body):
            raise BadAnswer(
                "the answer is not a list of things with an id", service=self.http.service, operation=operation
            )
        return body

    def id_in(self, answer: Answer, operation: str) -> int:
        """The id of what an answer brings."""
        found = self.object_in(answer, operation).get("id")
        if not _is_id(found):
            raise BadAnswer("the answer has no id", service=self.http.service, operation=operation)
        return int(found or 0)


def _is_id(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


def _time_there(answer: Answer) -> datetime:
    """The server's own time, to the second; ours when it does not tell."""
    try:
        return parsedate_to_datetime(answer.headers.get("Date", "")).astimezone(UTC)
    except (ValueError, TypeError):
        return datetime.now(UTC)


def _parsed(answer: Answer) -> Any:
    try:
        return jsonlib.loads(answer.body)
    except (ValueError, RecursionError):
        return None
