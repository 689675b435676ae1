"""Calls to one server with our token: what its refusals ask us to do, what it limits, who we are there.

One rule must hold: a refusal is read for what it means, not for its number alone. Takahē answers 400 to a bad token,
Mastodon 403 to a missing scope and to a suspended account, GoToSocial 403 to a reply its author does not want.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
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
    Unsupported,
)
from connector.http import Answer, Http, retry_after
from connector.sources.mastodon.words import Status, seconds, stands_at

SCOPES = "read, write:statuses and write:media"
_REFUSALS = (400, 401, 403, 404, 410, 422, 429)
_KNOWN_FOR = 3600.0
_AT_ONCE = 20
_BAD_TOKEN = re.compile(r"token|bearer|authenticat", re.IGNORECASE)
_ACCOUNT = re.compile(r"scope|token|log ?in|suspend|disabled|confirm|approv|pending|authenticat", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Limits:
    """What a server told of itself. Sizes in bytes; `per_url` 0: it does not count as Mastodon does."""

    version: str
    characters: int
    per_url: int
    files: int
    types: tuple[str, ...]
    image_bytes: int
    video_bytes: int


class Server:
    """One server. Thread-safe; no network until the first call."""

    def __init__(self, name: str, url: str, token: str, http: Http, clock: Callable[[], float]) -> None:
        self.name = name
        self.http = http
        self._url = url
        self._token = token
        self._clock = clock
        self._limits: tuple[float, Limits] | None = None
        self._me: Mapping[str, Any] | None = None
        self._many = True
        http.explain = explain

    def call(
        self,
        verb: str,
        path: str,
        operation: str,
        *,
        params: list[tuple[str, Any]] | None = None,
        json: Any = None,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        read: bool | None = None,
    ) -> Answer:
        """One call; refusals come as the error that says what to do."""
        budget = "read" if verb == "GET" else "media" if "/media" in path else "write"

        def learn(answer: Answer) -> None:
            wait = wait_from(answer, self._clock())
            spent = answer.headers.get("X-RateLimit-Remaining") == "0" and wait is not None
            if answer.status == 429 or spent:
                self.http.budget.pause(budget, wait or 30.0, "endpoint")

        answer = self.http.call(
            verb,
            f"{self._url}{path}",
            operation=operation,
            params=params,
            json=json,
            body=body,
            headers={"Authorization": f"Bearer {self._token}", **(headers or {})},
            read=read,
            expect=_REFUSALS,
            limits=(budget,),
            learn=learn,
        )
        if answer.status >= 400:
            raise refusal(answer, self.name, operation, wait_from(answer, self._clock()))
        return answer

    def an_object(self, path: str, operation: str, params: list[tuple[str, Any]] | None = None) -> Mapping[str, Any]:
        """What a GET answers; BadAnswer when it is no JSON object."""
        found = self.call("GET", path, operation, params=params).json()
        if not isinstance(found, Mapping):
            raise BadAnswer("the answer is no object", service=self.name, operation=operation)
        return found

    def a_list(
        self, path: str, operation: str, params: list[tuple[str, Any]] | None = None
    ) -> tuple[list[Mapping[str, Any]], str]:
        """What a GET answers, and its Link header; BadAnswer when it is no list of objects."""
        answer = self.call("GET", path, operation, params=params)
        found = answer.json()
        if not isinstance(found, list) or not all(isinstance(one, Mapping) for one in found):
            raise BadAnswer("the answer is no list", service=self.name, operation=operation)
        return found, answer.headers.get("Link", "")

    def me(self, *, again: bool = False) -> Mapping[str, Any]:
        """Our account; asked once, or `again`."""
        if self._me is None or again:
            found = self.an_object("/api/v1/accounts/verify_credentials", "verify_credentials")
            if not found.get("id") or not found.get("acct"):
                raise BadAnswer("the answer holds no account", service=self.name, operation="verify_credentials")
            self._me = found
        return self._me

    def limits(self) -> Limits:
        """As the server tells them, remembered for an hour. Older ones and Pleroma have them in v1 only."""
        now = self._clock()
        if self._limits is None or now - self._limits[0] > _KNOWN_FOR:
            try:
                told = self.an_object("/api/v2/instance", "instance")
            except (Gone, Rejected, Unsupported):
                told = self.an_object("/api/v1/instance", "instance")
            self._limits = (now, limits_from(told))
        return self._limits[1]

    @property
    def per_url(self) -> int:
        """What an address of the web counts, as far as we know without asking."""
        return self._limits[1].per_url if self._limits else 23

    def status(self, status: str) -> Status | None:
        """A post; None when it is deleted or not for us to see."""
        try:
            found = self.an_object(f"/api/v1/statuses/{status}", "status")
        except Gone:
            return None
        if not found.get("id") or not isinstance(found.get("account"), Mapping):
            raise BadAnswer("the answer is no post", service=self.name, operation="status")
        return found

    def at_address(self, url: str) -> Status | None:
        """The post at an address, of whichever server: ours fetches it if it does not know it yet. None: there is
        none, or none for us to see. docs.joinmastodon.org/methods/search: `q` an address, `resolve`."""
        params = [("q", url), ("type", "statuses"), ("resolve", "true"), ("limit", 1)]
        try:
            told = self.an_object("/api/v2/search", "search", params)
        except (Gone, Unsupported):  # a server without this method
            return None
        found = told.get("statuses")
        if not isinstance(found, list):
            raise BadAnswer("the answer holds no posts", service=self.name, operation="search")
        return next((one for one in found if isinstance(one, Mapping) and stands_at(one, url)), None)

    def statuses(self, wanted: Sequence[str]) -> dict[str, Status]:
        """Those posts that are there, by id: twenty with a call since Mastodon 4.3; {} where that cannot be asked."""
        found: dict[str, Status] = {}
        for start in range(0, len(wanted), _AT_ONCE) if self._many else ():
            params = [("id[]", one) for one in wanted[start : start + _AT_ONCE]]
            try:
                page, _ = self.a_list("/api/v1/statuses", "statuses", params)
            except (Gone, Rejected, Unsupported, BadAnswer):
                self._many = False
                break
            found |= {str(one.get("id")): one for one in page}
        return found

    @property
    def at_once(self) -> int:
        """How many posts it is reasonable to look at in a row."""
        return 4 * _AT_ONCE if self._many else _AT_ONCE

    def above_and_below(self, status: str) -> tuple[list[Status], list[Status]]:
        """The posts a post answers, the first one first, and those that answer it. Gone: it is not there."""
        found = self.an_object(f"/api/v1/statuses/{status}/context", "context")
        parts = [found.get(word) for word in ("ancestors", "descendants")]
        if not all(isinstance(part, list) for part in parts):
            raise BadAnswer("the answer holds no thread", service=self.name, operation="context")
        above, below = ([one for one in part or () if isinstance(one, Mapping)] for part in parts)
        return above, below

    def our_posts(self, most: int, after: str = "") -> list[Status]:
        """Our own newest posts, newest first, without those we only pass on; `after` an id: those right after it."""
        params: list[tuple[str, Any]] = [("limit", most), ("exclude_reblogs", "true")]
        params += [("min_id", after)] if after else []
        found, _ = self.a_list(f"/api/v1/accounts/{self.me()['id']}/statuses", "our posts", params)
        return list(found)

    def is_blocked_by(self, account: str) -> bool:
        """Whether that account blocks us; False where the server does not say."""
        try:
            found, _ = self.a_list("/api/v1/accounts/relationships", "relationships", [("id[]", account)])
        except (Gone, Rejected, Closed, AuthFailed, BadAnswer, Unsupported):
            return False
        return any(str(one.get("id")) == account and one.get("blocked_by") is True for one in found)


# --- their answers -------------------------------------------------------------------------------------------


def explain(answer: Answer) -> str:
    """One sentence of a refusal: `{"error", "error_description"}` is how every method refuses."""
    try:
        told = answer.json()
    except BadAnswer:
        told = None
    words = (told.get("error_description") or told.get("error")) if isinstance(told, Mapping) else None
    return " ".join(str(words).split())[:300] if words else f"the server answered HTTP {answer.status}"


def refusal(answer: Answer, service: str, operation: str, wait: float | None) -> ConnectorError:
    """What a refusal asks us to do."""
    sentence, status = explain(answer), answer.status
    where: dict[str, Any] = {"service": service, "operation": operation, "status": status}
    if status == 429:
        return RateLimited(wait=wait or 30.0, scope="endpoint", **where)
    if status == 403 and "scope" in sentence.lower():
        return AuthFailed(f"{sentence}: the token needs {SCOPES}", **where)
    if status == 401 or (status == 400 and _BAD_TOKEN.search(sentence)):
        return AuthFailed(sentence, **where)
    if status == 403:
        refused = operation == "reply" and not _ACCOUNT.search(sentence)
        return Closed(sentence, **where) if refused else AuthFailed(sentence, **where)
    if status in (404, 410):
        return Gone(sentence, **where)
    return Rejected(sentence, **where)


def wait_from(answer: Answer, now: float) -> float | None:
    """Seconds until the limit is lifted: Retry-After, else X-RateLimit-Reset, in ISO form or in Unix seconds."""
    wait = retry_after(answer)
    if wait is not None:
        return wait
    reset = seconds(answer.headers.get("X-RateLimit-Reset"))
    return None if reset is None else min(max(1.0, reset - now), 3600.0)


def limits_from(told: Mapping[str, Any]) -> Limits:
    """From an Instance of either version. Where a server is silent, Mastodon's own defaults hold."""
    configured = told.get("configuration")
    configured = configured if isinstance(configured, Mapping) else {}
    statuses, media = (_part(configured, word) for word in ("statuses", "media_attachments"))
    version = str(told.get("version") or "")
    types = media.get("supported_mime_types")
    return Limits(
        version=version,
        characters=_number(statuses.get("max_characters") or told.get("max_toot_chars"), 500),
        per_url=_number(statuses.get("characters_reserved_per_url"), 23) if _is_mastodon(version) else 0,
        files=_number(statuses.get("max_media_attachments"), 4),
        types=tuple(str(one) for one in types) if isinstance(types, list) else (),
        image_bytes=_number(media.get("image_size_limit"), 10_485_760),
        video_bytes=_number(media.get("video_size_limit"), 41_943_040),
    )


def _is_mastodon(version: str) -> bool:
    """Mastodon and its forks are 2.0 or later ("4.3.1+glitch"); others say so ("2.7.2 (compatible; Pleroma 2.6.0)",
    "takahe/0.9.0") or are below 1 (GoToSocial 0.20)."""
    return re.match(r"([2-9]|\d\d+)\.", version) is not None and "compatible" not in version


def _part(value: Mapping[str, Any], word: str) -> Mapping[str, Any]:
    part = value.get(word)
    return part if isinstance(part, Mapping) else {}


def _number(value: Any, default: int) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else default
