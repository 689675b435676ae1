"""The Graph API: calls with our token, what the usage headers and refusals ask us to do.

One rule must hold: an app that Meta throttles stays quiet until it may speak again, for calls meanwhile prolong it.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Callable, Mapping
from typing import Any, Literal

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

_THROTTLED_WAIT = 300.0
_ALMOST = 95.0
_ALMOST_WAIT = 60.0

Doing = Literal["read", "comment", "message"]


class Graph:
    """Calls in the name of one page or account. Thread-safe."""

    def __init__(self, name: str, base: str, token: str, proof_of: str, http: Http) -> None:
        self.name = name
        self._base = base
        self._http = http
        self._given = {"access_token": token}
        if proof_of:
            digest = hmac.new(proof_of.encode(), token.encode(), hashlib.sha256)
            self._given["appsecret_proof"] = digest.hexdigest()
        http.explain = explain

    def get(self, path: str, *, operation: str, **params: str) -> Mapping[str, Any]:
        """What a read answers; BadAnswer when it is no JSON object."""
        return as_object(self._call("GET", path, operation, "read", params).json())

    def post(self, path: str, body: Mapping[str, Any], *, operation: str, doing: Doing) -> Answer:
        """What a write answers, if it was done."""
        return self._call("POST", path, operation, doing, {}, json=dict(body))

    def _call(
        self, verb: str, path: str, operation: str, doing: Doing, params: Mapping[str, str], **more: Any
    ) -> Answer:
        answer = self._http.call(
            verb,
            f"{self._base}/{path}",
            operation=operation,
            params={**params, **self._given},
            expect=(400, 401, 403, 404, 429),
            learn=self._learn,
            **more,
        )
        if answer.status >= 400:
            raise refusal(answer, self.name, operation, doing)
        return answer

    def _learn(self, answer: Answer) -> None:
        """The whole account waits when a limit is reached or nearly reached; it is counted for all calls together."""
        wait = wait_from(answer)
        if wait is None and (answer.status == 429 or _code(error_of(answer)) in _THROTTLED):
            wait = _THROTTLED_WAIT
        if wait is not None:
            self._http.budget.pause("", wait, "account")


# --- their answers -------------------------------------------------------------------------------------------

_THROTTLED = frozenset({4, 17, 32, 341, 613, *range(80_001, 80_015)})
_OVER = frozenset({2018278, 2534022})
"""Subcodes of 10: the window for messages is over (not confirmed)."""


def error_of(answer: Answer) -> Mapping[str, Any]:
    """`error` of a refusal: {message, type, code, error_subcode, is_transient}; empty for any other body."""
    if answer.status < 400:
        return {}
    try:
        told = answer.json()
    except BadAnswer:
        return {}
    error = told.get("error") if isinstance(told, dict) else None
    return error if isinstance(error, dict) else {}


def explain(answer: Answer) -> str:
    """One sentence of a refusal: the one for people, where Meta has one."""
    error = error_of(answer)
    words = str(error.get("error_user_msg") or error.get("message") or f"Meta answered HTTP {answer.status}")
    return " ".join(words.split())[:300]


def refusal(answer: Answer, service: str, operation: str, doing: Doing) -> ConnectorError:
    """What a refusal asks us to do, by its code (https://developers.facebook.com/docs/graph-api/guides/error-handling
    and …/messenger-platform/error-codes)."""
    error, sentence, status = error_of(answer), explain(answer), answer.status
    code, subcode = _code(error), _code(error, "error_subcode")
    where: dict[str, Any] = {"service": service, "operation": operation, "status": status}
    if status == 429 or code in _THROTTLED:
        return RateLimited(wait=wait_from(answer) or _THROTTLED_WAIT, scope="account", **where)
    if code in (1, 2) or error.get("is_transient") is True:
        return Temporary(sentence, **where) if doing == "read" else Uncertain(sentence, **where)
    if code in (102, 190) or (status == 401 and not code):
        return AuthFailed(f"{sentence} (make a new access_token)", **where)
    if code == 368:
        return AuthFailed(f"Meta has blocked this account for a while: {sentence}", **where)
    if (code == 10 and subcode in _OVER) or (doing == "message" and code in (200, 551)):
        return Closed(f"the message cannot be sent: {sentence}; use the link and answer there", **where)
    if code in (3, 10) or 200 <= code <= 299:
        return AuthFailed(f"{sentence} (a permission of the app is missing)", **where)
    if (
        code == 803
        or (code == 100 and (subcode == 33 or "does not exist" in sentence))
        or (status == 404 and not code)
    ):
        return Gone(sentence, **where)
    if code == 506:
        return Duplicate(sentence, **where)
    if status == 403 and not code:
        return AuthFailed(sentence, **where)
    return Rejected(sentence, **where)


class Duplicate(Rejected):
    """Meta has the same words from us already."""


def wait_from(answer: Answer) -> float | None:
    """Seconds until we may call again, by Retry-After, X-Business-Use-Case-Usage (minutes) or X-App-Usage (percent of
    what is allowed); None: at once."""
    wait = retry_after(answer)
    if wait is not None:
        return wait
    minutes, percent = 0.0, 0.0
    for word in ("X-App-Usage", "X-Page-Usage", "X-Business-Use-Case-Usage"):
        for usage in _usages(answer.headers.get(word, "")):
            minutes = max(minutes, _number(usage.get("estimated_time_to_regain_access")))
            counts = (_number(usage.get(one)) for one in ("call_count", "total_time", "total_cputime"))
            percent = max(percent, *counts)
    if minutes:
        return minutes * 60
    return _THROTTLED_WAIT if percent >= 100 else _ALMOST_WAIT if percent >= _ALMOST else None


def _usages(header: str) -> list[Mapping[str, Any]]:
    """The usages in a header: one object, or lists of them by business."""
    try:
        told = json.loads(header) if header else {}
    except ValueError:
        return []
    if not isinstance(told, dict):
        return []
    lists = [one for value in told.values() if isinstance(value, list) for one in value]
    return [one for one in (lists or [told]) if isinstance(one, dict)]


def _number(value: Any) -> float:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else 0.0


def _code(error: Mapping[str, Any], word: str = "code") -> int:
    value = error.get(word)
    return value if isinstance(value, int) else 0


def as_object(value: Any) -> Mapping[str, Any]:
    """The value as an object; BadAnswer when it is none."""
    if not isinstance(value, Mapping):
        raise BadAnswer("the answer is no object")
    return value


def listed(value: Any) -> list[Mapping[str, Any]]:
    """The objects of an edge, `{"data": [...]}`; BadAnswer when it is none."""
    found = value.get("data") if isinstance(value, Mapping) else None
    if not isinstance(found, list) or not all(isinstance(one, Mapping) and one.get("id") for one in found):
        raise BadAnswer("the answer holds no list of things with ids")
    return found


def after(value: Any) -> str:
    """Where the next page of an edge begins; "" when there is none."""
    paging = value.get("paging") if isinstance(value, Mapping) else None
    if not isinstance(paging, Mapping) or not paging.get("next"):
        return ""
    return str((paging.get("cursors") or {}).get("after") or "")


def pages(
    get: Callable[[str], Mapping[str, Any]], first: Mapping[str, Any], wanted: Callable[[Mapping[str, Any]], bool]
) -> tuple[list[Mapping[str, Any]], bool]:
    """Everything of an edge from its first page on while a page holds something wanted, 20 pages at most; and
    whether that is all there is."""
    found = list(listed(first))
    page = first
    for _ in range(20):
        following = after(page)
        if not following:
            return found, True
        if not any(wanted(one) for one in listed(page)):
            return found, False
        page = get(following)
        found += listed(page)
    return found, False
