"""Calls in the name of one group, and what OK's errors ask us to do.

The token is the parameter `access_token`. A refusal is `{"error_code", "error_msg"}`, with HTTP 200 or not; the codes
are those of https://apiok.ru/en/dev/errors, their meaning for messages is not written down anywhere: what is not
known here is Rejected with OK's own words. How long to wait OK does not say; the waits are ours.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from connector.errors import (
    AuthFailed,
    BadAnswer,
    Closed,
    ConnectorError,
    Gone,
    RateLimited,
    Rejected,
    Temporary,
    Uncertain,
)
from connector.http import Answer, Http, retry_after
from connector.log import remember_secret

Json = Mapping[str, Any]

_REFUSED = (400, 401, 403, 404, 429)
_WAIT = 60.0


class Api:
    """The methods below graph/me."""

    def __init__(self, name: str, server: str, token: str, http: Http) -> None:
        self.name = name
        self._server = server
        self._token = token
        self._http = http
        remember_secret(token)
        http.explain = explain

    def read(self, path: str, operation: str, **params: Any) -> Json:
        """What a GET answers; BadAnswer when it is no JSON object."""
        given = {word: str(value) for word, value in params.items() if value is not None}
        told = _told(self._call("GET", path, operation, given))
        if told is None:
            raise BadAnswer("the answer cannot be read", service=self.name, operation=operation)
        self._raise_if_refused(told, operation, write=False)
        return told

    def write(self, path: str, operation: str, body: Json) -> Json:
        """What a POST answers. Uncertain: it may have happened."""
        text = json.dumps(body, ensure_ascii=False, separators=(",", ":"))
        headers = {"Content-Type": "application/json;charset=utf-8"}
        told = _told(self._call("POST", path, operation, {}, body=text, headers=headers))
        if told is None:
            raise Uncertain("done, but the answer cannot be read", service=self.name, operation=operation)
        self._raise_if_refused(told, operation, write=True)
        return told

    def _call(self, verb: str, path: str, operation: str, params: Mapping[str, str], **more: Any) -> Answer:
        answer = self._http.call(
            verb,
            f"{self._server}/graph/me/{path}",
            operation=operation,
            params={**params, "access_token": self._token},
            expect=_REFUSED,
            **more,
        )
        if answer.status == 429:
            raise self._limited(operation, retry_after(answer))
        if answer.status >= 400 and not _code(_told(answer)):
            kind = AuthFailed if answer.status == 401 else Gone if answer.status == 404 else Rejected
            raise kind(explain(answer), service=self.name, operation=operation, status=answer.status)
        return answer

    def _raise_if_refused(self, told: Json, operation: str, *, write: bool) -> None:
        code = _code(told)
        if not code:
            return
        if code in _LIMITS:
            raise self._limited(operation, None)
        raise refusal(code, _sentence(told), self.name, operation, write=write)

    def _limited(self, operation: str, wait: float | None) -> RateLimited:
        self._http.budget.pause("", wait or _WAIT, "account")
        return RateLimited(wait=wait or _WAIT, scope="account", service=self.name, operation=operation, status=429)


def _told(answer: Answer) -> Json | None:
    try:
        told = answer.json()
    except BadAnswer:
        return None
    return told if isinstance(told, Mapping) else None


def explain(answer: Answer) -> str:
    """One sentence of a refusal."""
    return _sentence(_told(answer) or {}) or f"OK answered HTTP {answer.status}"


def _sentence(told: Json) -> str:
    return " ".join(str(told.get("error_msg") or "").split())[:300]


def _code(told: Json | None) -> int:
    code = (told or {}).get("error_code")
    return code if isinstance(code, int) else 0


# --- their errors --------------------------------------------------------------------------------------------

_LIMITS = frozenset({8, 11, 26})
_LATER = frozenset({1, 2})
_AUTH = frozenset({9, 101, 102, 103, 104, 210, 401, 453})
_NO_RIGHT = frozenset({10, 50, 200})
_CLOSED = frozenset({7, 22, 24, 455, 456, 457})
_GONE = frozenset({106, 110, 140, 300})


def refusal(code: int, sentence: str, service: str, operation: str, *, write: bool) -> ConnectorError:
    """What an error asks us to do. Without a right to read the account stops; without one to write it is this person
    who has not allowed messages of the group."""
    where: dict[str, Any] = {"service": service, "operation": operation}
    words = sentence or f"error {code}"
    if code in _LATER:
        return (Uncertain if write else Temporary)(words, **where)
    if code in _AUTH or (code in _NO_RIGHT and not write):
        return AuthFailed(f"{words} (a new key in the group's settings ends the old one)", **where)
    if code in _NO_RIGHT or code in _CLOSED:
        return Closed(f"OK does not let the group write there: {words}; the person may not allow it", **where)
    if code in _GONE:
        return Gone(words, **where)
    return Rejected(words, **where)
