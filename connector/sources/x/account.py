"""Our account at X: signed calls, what their limits and refusals ask us to do, and what a day may cost.

One rule must hold: no call leaves unsigned or beyond a known limit. Signatures are OAuth 1.0a, HMAC-SHA1 (RFC 5849);
JSON bodies are not part of them.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
import threading
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

from connector.errors import AuthFailed, BadAnswer, Closed, ConnectorError, Gone, RateLimited, Rejected
from connector.http import Answer, Http, retry_after

_LIMITS = ("x-rate-limit", "x-user-limit-24hour", "x-app-limit-24hour")
_UNKNOWN_WAIT = 60.0


class Keys:
    """The four secrets of OAuth 1.0a."""

    def __init__(self, api_key: str, api_secret: str, token: str, token_secret: str) -> None:
        self.api_key = api_key
        self.token = token
        self._key = f"{encoded(api_secret)}&{encoded(token_secret)}".encode()

    def authorization(self, verb: str, url: str, params: Mapping[str, str], at: float) -> str:
        """The Authorization header for one call at that Unix time, with a number used once."""
        oauth = {
            "oauth_consumer_key": self.api_key,
            "oauth_nonce": secrets.token_hex(16),
            "oauth_signature_method": "HMAC-SHA1",
            "oauth_timestamp": str(int(at)),
            "oauth_token": self.token,
            "oauth_version": "1.0",
        }
        pairs = sorted((encoded(name), encoded(value)) for name, value in {**params, **oauth}.items())
        joined = "&".join(f"{name}={value}" for name, value in pairs)
        base = "&".join((verb.upper(), encoded(url), encoded(joined)))
        digest = hmac.new(self._key, base.encode(), hashlib.sha1).digest()
        oauth["oauth_signature"] = base64.b64encode(digest).decode()
        return "OAuth " + ", ".join(f'{name}="{encoded(value)}"' for name, value in sorted(oauth.items()))


class Spending:
    """What was read and written this UTC day, against what a day may cost. Thread-safe.

    X bills a post once a day however often it is read, so what was counted is remembered by its id.
    """

    def __init__(self, name: str, reads: int | None, posts: int | None, clock: Callable[[], float]) -> None:
        self._name = name
        self._most = {"read": reads, "post": posts}
        self._clock = clock
        self._day = ""
        self._spent = {"read": 0, "post": 0}
        self._known: set[str] = set()
        self._lock = threading.Lock()

    def take_over(self, day: str, reads: int, posts: int) -> None:
        """What a cursor says was spent that day; it counts where we know of less."""
        with self._lock:
            self._begin_day()
            if day == self._day:
                self._spent["read"] = max(self._spent["read"], reads)
                self._spent["post"] = max(self._spent["post"], posts)

    def told(self) -> tuple[str, int, int]:
        """The day, and what was read and posted in it: for the cursor."""
        with self._lock:
            self._begin_day()
            return self._day, self._spent["read"], self._spent["post"]

    def has_read(self, ids: Iterable[str]) -> None:
        """These posts were read."""
        with self._lock:
            self._begin_day()
            fresh = set(ids) - self._known
            self._known |= fresh
            self._spent["read"] += len(fresh)

    def take(self, what: str, count: int = 0) -> None:
        """RateLimited, until midnight UTC, when the day's budget is spent; else count so many as spent."""
        with self._lock:
            self._begin_day()
            most = self._most[what]
            if most is not None and self._spent[what] >= most:
                raise RateLimited(
                    f"the day's budget of {most} is spent ({what}s_per_day); it goes on at midnight UTC",
                    wait=self._until_midnight(),
                    scope="endpoint",
                    service=self._name,
                    operation=what,
                )
            self._spent[what] += count

    def give_back(self, what: str) -> None:
        """One that was counted certainly did not happen."""
        with self._lock:
            self._spent[what] = max(0, self._spent[what] - 1)

    def _begin_day(self) -> None:
        today = datetime.fromtimestamp(self._clock(), UTC).date().isoformat()
        if today != self._day:
            self._day, self._spent, self._known = today, {"read": 0, "post": 0}, set()

    def _until_midnight(self) -> float:
        now = datetime.fromtimestamp(self._clock(), UTC)
        midnight = (now + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
        return max(1.0, (midnight - now).total_seconds())


class Account:
    """Calls in our account's name. Thread-safe."""

    def __init__(self, name: str, service: str, keys: Keys, http: Http, clock: Callable[[], float]) -> None:
        self.name = name
        self._service = service
        self._keys = keys
        self._http = http
        self._clock = clock
        http.explain = explain

    def get(self, path: str, params: Mapping[str, str], *, operation: str) -> Mapping[str, Any]:
        """What a read answers; BadAnswer when it is no JSON object. Errors beside data are the caller's business."""
        return as_object(self._call("GET", path, operation=operation, params=params).json())

    def post(self, path: str, body: Any, *, operation: str, harmless: bool = False) -> Answer:
        """What a write answers, if it was done. `harmless`: doing it twice costs nothing (an upload)."""
        return self._call("POST", path, operation=operation, json=body, read=harmless or None)

    def _call(self, verb: str, path: str, *, operation: str, **more: Any) -> Answer:
        url, params = f"{self._service}{path}", more.get("params") or {}
        answer = self._http.call(
            verb,
            url,
            operation=operation,
            sign=lambda: {"Authorization": self._keys.authorization(verb, url, params, self._clock())},
            expect=(400, 401, 402, 403, 404, 429),
            limits=(operation,),
            learn=lambda answer: self._learn(answer, operation),
            **more,
        )
        if answer.status >= 400:
            raise refusal(answer, self.name, operation, wait_from(answer, self._clock()), write=verb != "GET")
        return answer

    def _learn(self, answer: Answer, operation: str) -> None:
        """Nothing is left in this window: the next call waits for its end."""
        wait = wait_from(answer, self._clock())
        if answer.status == 429:
            self._http.budget.pause(operation, wait or _UNKNOWN_WAIT, "endpoint")
        elif wait is not None and retry_after(answer) is None:
            self._http.budget.pause(operation, wait, "endpoint")


# --- their answers -------------------------------------------------------------------------------------------

_OURS = ("client-forbidden", "unsupported-authentication", "oauth1-permissions", "client-not-enrolled")
"""Kinds of 403 that are about our app, not about what was asked."""


def problem(answer: Answer) -> Mapping[str, Any]:
    """The refusal's own words: `{type, title, detail}` (https://docs.x.com/x-api/fundamentals/response-codes-and-errors),
    at the top or as the first of `errors`; empty for any other body."""
    try:
        told = answer.json()
    except BadAnswer:
        return {}
    if isinstance(told, dict) and not told.get("detail") and isinstance(told.get("errors"), list) and told["errors"]:
        told = told["errors"][0]
    return told if isinstance(told, dict) else {}


def explain(answer: Answer) -> str:
    """One sentence of a refusal."""
    told = problem(answer)
    words = str(told.get("detail") or told.get("message") or told.get("title") or f"X answered HTTP {answer.status}")
    return " ".join(words.split())[:300]


def refusal(answer: Answer, service: str, operation: str, wait: float | None, *, write: bool) -> ConnectorError:
    """What a refusal asks us to do. A 403 about a write is about that post; one about our app or our credits stops
    the account."""
    kind, sentence, status = str(problem(answer).get("type") or "").rsplit("/", 1)[-1], explain(answer), answer.status
    where: dict[str, Any] = {"service": service, "operation": operation, "status": status}
    if status == 402 or kind == "usage-capped":
        return AuthFailed("the credits or the cap of the plan are used up: see https://console.x.com", **where)
    if status == 429:
        return RateLimited(wait=wait or _UNKNOWN_WAIT, scope="endpoint", **where)
    if status == 401:
        return AuthFailed(sentence, **where)
    if status == 403:
        if kind in _OURS or (not write and kind != "not-authorized-for-resource"):
            return AuthFailed(f"{sentence} (has the app read and write permission?)", **where)
        return Closed(f"X refuses it: {sentence}; use the link and answer there", **where)
    if status == 404 or kind == "resource-not-found":
        return Gone(sentence, **where)
    return Rejected(sentence, **where)


def wait_from(answer: Answer, now: float) -> float | None:
    """Seconds until a limit is lifted: Retry-After, else the latest reset (Unix time) of those that have nothing
    left. The names of the 24-hour limits are known from answers only. None: nothing is used up."""
    wait = retry_after(answer)
    if wait is not None:
        return wait
    resets = []
    for limit in _LIMITS:
        reset = answer.headers.get(f"{limit}-reset", "")
        if reset.isdecimal() and answer.headers.get(f"{limit}-remaining") == "0":
            resets.append(float(reset) - now)
    if not resets and answer.status == 429 and answer.headers.get("x-rate-limit-reset", "").isdecimal():
        resets.append(float(answer.headers["x-rate-limit-reset"]) - now)
    return max(1.0, *resets) if resets else None


def as_object(value: Any) -> Mapping[str, Any]:
    """The value as an object; BadAnswer when it is none."""
    if not isinstance(value, Mapping):
        raise BadAnswer("the answer is no object")
    return value


def encoded(text: str) -> str:
    """Percent-encoded as RFC 5849 wants it: all but letters, digits, - . _ ~."""
    return quote(text, safe="-._~")


def objects(answer: Mapping[str, Any], word: str, *, needed: bool = True) -> list[Mapping[str, Any]]:
    """The list of objects under that word, which X leaves out when it is empty. BadAnswer for anything else, and for
    an answer that is none of X's at all."""
    found = answer.get(word, [])
    if needed and word not in answer and not ({"meta", "errors"} & answer.keys()):
        raise BadAnswer(f"the answer holds no {word}")
    if not isinstance(found, list) or not all(isinstance(one, Mapping) for one in found):
        raise BadAnswer(f"the answer holds no {word}")
    if word == "data" and not all(str(one.get("id", "")).isdecimal() for one in found):
        raise BadAnswer("something in the answer has no id")
    return found
