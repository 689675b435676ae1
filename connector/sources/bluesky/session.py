"""Our session on an AT Protocol server: log-in, calls, limits, and what its refusals ask us to do.

One rule must hold: a call is repeated here only when the server said it was not done (an expired token); a log-in has
no effect worth fearing, so its lost answer is Temporary, never Uncertain.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
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
)
from connector.http import Answer, Http, retry_after
from connector.log import remember_secret


@dataclass(frozen=True, slots=True)
class Session:
    """Who is logged in, and the two tokens."""

    did: str
    handle: str
    access: str
    refresh: str


class Account:
    """Calls with our session. Thread-safe; no network until the first call."""

    def __init__(
        self, name: str, service: str, identifier: str, password: str, http: Http, clock: Callable[[], float]
    ) -> None:
        self.name = name
        self._service = service
        self._identifier = identifier
        self._password = password
        self._http = http
        self._clock = clock
        self._session: Session | None = None
        self._lock = threading.Lock()
        http.explain = explain

    def get(self, method: str, params: Mapping[str, Any]) -> Mapping[str, Any]:
        """What a query answers; BadAnswer when it is no JSON object."""
        return as_object(self.call("GET", method, params=params).json(), "object")

    def upload(self, content: bytes, kind: str) -> Mapping[str, Any]:
        """A file kept for a post that will name it (com.atproto.repo.uploadBlob); one that none names is dropped, so
        that it may be done again."""
        method = "com.atproto.repo.uploadBlob"
        answer = self._tried(lambda token: self._exchange("POST", method, token, body=content, kind=kind))
        return as_object(as_object(self._accepted(answer, method).json(), "object").get("blob"), "blob")

    def call(
        self, verb: str, method: str, *, params: Mapping[str, Any] | None = None, json_body: Any = None
    ) -> Answer:
        """One call with our session, which is renewed once when it has expired: that answer means it was not done."""
        answer = self._tried(lambda token: self._exchange(verb, method, token, params=params, json_body=json_body))
        return self._accepted(answer, method)

    def _tried(self, exchange: Callable[[str], Answer]) -> Answer:
        session = self.signed_in()
        answer = exchange(session.access)
        if error_of(answer) in ("ExpiredToken", "InvalidToken"):
            answer = exchange(self._renewed(session).access)
        return answer

    def _exchange(
        self,
        verb: str,
        method: str,
        token: str,
        *,
        params: Mapping[str, Any] | None = None,
        json_body: Any = None,
        body: bytes | None = None,
        kind: str = "",
        budget: str = "",
    ) -> Answer:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        budget = budget or ("read" if verb == "GET" else "write")
        return self._http.call(
            verb,
            f"{self._service}/xrpc/{method}",
            operation=method.rsplit(".", 1)[-1],
            params=params,
            json=json_body,
            body=body,
            headers={**headers, "Content-Type": kind} if kind else headers,
            read=True if budget == "login" or body is not None else None,
            expect=(400, 401, 403, 404, 429),
            limits=(budget,),
            learn=lambda answer: self._learn(answer, budget),
        )

    def _learn(self, answer: Answer, budget: str) -> None:
        """What the RateLimit headers of production say: nothing left until then."""
        wait = wait_from(answer, self._clock())
        if answer.status == 429 or (wait is not None and answer.headers.get("RateLimit-Remaining") == "0"):
            self._http.budget.pause(budget, wait or 30.0, "endpoint")

    def _accepted(self, answer: Answer, method: str) -> Answer:
        if answer.status < 400:
            return answer
        raise refusal(answer, self.name, method.rsplit(".", 1)[-1], wait_from(answer, self._clock()))

    def signed_in(self) -> Session:
        """Our session; logs in when there is none."""
        with self._lock:
            if self._session is None:
                self._session = self._login()
            return self._session

    def _renewed(self, stale: Session) -> Session:
        """The session after `stale`: refreshed, or begun anew when that is no longer possible. Log-ins are limited
        (30 in five minutes, 300 a day), so all threads share the session and its newest refresh token is used."""
        with self._lock:
            if self._session is not None and self._session is not stale:
                return self._session
            self._session = None
            answer = self._exchange("POST", "com.atproto.server.refreshSession", stale.refresh, budget="login")
            if answer.status < 400:
                self._session = self._begun(answer)
            elif answer.status == 429:
                raise refusal(answer, self.name, "refreshSession", wait_from(answer, self._clock()))
            else:
                self._session = self._login()
            return self._session

    def _login(self) -> Session:
        body = {"identifier": self._identifier, "password": self._password}
        method = "com.atproto.server.createSession"
        answer = self._exchange("POST", method, "", json_body=body, budget="login")
        return self._begun(self._accepted(answer, method))

    def _begun(self, answer: Answer) -> Session:
        try:
            told = answer.json()
            session = Session(told["did"], told["handle"], told["accessJwt"], told["refreshJwt"])
        except (BadAnswer, KeyError, TypeError):
            raise Temporary("the answer to our log-in cannot be read", service=self.name, operation="login") from None
        if told.get("active") is False:
            status = str(told.get("status") or "not active")[:40]
            raise AuthFailed(f"the account is {status}", service=self.name, operation="login")
        remember_secret(session.access)
        remember_secret(session.refresh)
        return session


# --- their answers -------------------------------------------------------------------------------------------

_LOGIN = frozenset(
    "AuthenticationRequired AuthMissing InvalidToken ExpiredToken AccountTakedown AccountDeactivated AccountNotFound "
    "AccountSuspended AuthFactorTokenRequired UntrustedIss BadJwtAudience MissingJwt".split()
)


def error_of(answer: Answer) -> str:
    """The name of an error: `{"error", "message"}` is how every method refuses."""
    if answer.status < 400:
        return ""
    try:
        told = answer.json()
    except BadAnswer:
        return ""
    return str(told.get("error") or "") if isinstance(told, dict) else ""


def explain(answer: Answer) -> str:
    """One sentence of a refusal."""
    try:
        told = answer.json()
    except BadAnswer:
        told = None
    if not isinstance(told, dict):
        return f"the server answered HTTP {answer.status}"
    words = str(told.get("message") or told.get("error") or f"HTTP {answer.status}")
    return " ".join(words.split())[:300]


def refusal(answer: Answer, service: str, operation: str, wait: float | None) -> ConnectorError:
    """What a refusal asks us to do. Expired and bad tokens come as 400, seen; account states as 401 or 403."""
    name, sentence, status = error_of(answer), explain(answer), answer.status
    where: dict[str, Any] = {"service": service, "operation": operation, "status": status}
    if status == 429 or name == "RateLimitExceeded":
        return RateLimited(wait=wait or 30.0, scope="endpoint", **where)
    if name == "AuthFactorTokenRequired":
        return AuthFailed("the account asks for a code: give an app password, not its own password", **where)
    if name in _LOGIN or status == 401:
        return AuthFailed(sentence, **where)
    if name in ("BlockedActor", "BlockedByActor"):
        return Closed("this account and the author block each other", **where)
    if name in ("NotFound", "RecordNotFound") or (status == 404 and not name):
        return Gone(sentence, **where)
    if status == 403:
        return AuthFailed(sentence, **where)
    return Rejected(sentence, **where)


def wait_from(answer: Answer, now: float) -> float | None:
    """Seconds until the limit is lifted: Retry-After, else RateLimit-Reset, which is a Unix time."""
    wait = retry_after(answer)
    if wait is not None:
        return wait
    reset = answer.headers.get("RateLimit-Reset", "")
    return max(1.0, float(reset) - now) if reset.isdecimal() else None


def as_object(value: Any, what: str) -> Mapping[str, Any]:
    """The value as an object; BadAnswer when it is none."""
    if not isinstance(value, Mapping):
        raise BadAnswer(f"the answer holds no {what}")
    return value


def as_list(value: Mapping[str, Any], word: str) -> list[Mapping[str, Any]]:
    """The list of objects under that word; BadAnswer when there is none."""
    found = value.get(word)
    if not isinstance(found, list) or not all(isinstance(one, Mapping) for one in found):
        raise BadAnswer(f"the answer holds no {word}")
    return found
