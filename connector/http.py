"""The one door to the network.

Every call to the outside goes through `Http.call`, which keeps four promises: a time-out on everything; each failure
comes out as an error that says what to do next (and a write whose answer was lost is Uncertain, never retried here);
reads are repeated within seconds, writes never; nothing secret stands in an error. A read that is sent on to another
server goes there without our credentials, in whatever header they stand, or not at all. `Budget` keeps what the other
side told us about its limits, shared by every thread of an account. `Http.download` fetches what strangers posted and
therefore reaches only public addresses: a name is resolved once, checked, and that very address is connected to,
through redirects too, and through no proxy, which would reach for us what we may not.
"""

from __future__ import annotations

import http.cookiejar
import json as jsonlib
import math
import re
import threading
import time
import urllib.request
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

import requests
import tenacity
import urllib3
from requests.structures import CaseInsensitiveDict
from urllib3.connectionpool import HTTPConnectionPool

from connector import __version__
from connector.errors import (
    AuthFailed,
    BadAnswer,
    ConnectorError,
    Gone,
    RateLimited,
    Rejected,
    Scope,
    Temporary,
    Uncertain,
    Unsupported,
)
from connector.log import masked
from connector.model import Attachment
from connector.wire import AnyAdapter, PrivateAddress, PublicAdapter, causes, never_sent, pool_to, reason

USER_AGENT = f"connector/{__version__}"
_MAX_ANSWER = 32 * 1024 * 1024
_LONGEST = 120.0
"""Seconds for a whole answer: a time-out between two bytes alone would let one drip for ever."""
_DEFAULT_WAIT = 30.0
_LONGEST_WAIT = 86_400.0
_MOST_PLACES = 10
_REDIRECTED = frozenset({301, 302, 303, 307, 308})
_HARMLESS = frozenset(
    ("accept", "accept-encoding", "accept-language", "user-agent", "if-none-match", "if-modified-since", "range")
)
"""The only headers that another server than the one we call may get to see."""
_PLAIN = re.compile(r"https?://[\w.:\[\]-]+(/[!-~]*)?", re.ASCII | re.IGNORECASE)

_REPEATED = tenacity.Retrying(
    retry=tenacity.retry_if_exception_type(Temporary),
    stop=tenacity.stop_after_attempt(3),
    wait=tenacity.wait_random_exponential(multiplier=0.2, max=2.0),
    reraise=True,
)


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back: header names are found in any case, the body is read whole."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    url: str = ""

    def json(self) -> Any:
        """The body as JSON; BadAnswer when it is not."""
        try:
            return jsonlib.loads(self.body)
        except (ValueError, RecursionError):
            raise BadAnswer("the answer is not JSON", status=self.status) from None

    @property
    def text(self) -> str:
        """The body as text, whatever it is."""
        return self.body.decode("utf-8", "replace")


@dataclass(frozen=True, slots=True)
class Download:
    """A fetched file."""

    content: bytes
    type: str


class Budget:
    """What must not be called before when: for the whole account (name ""), an endpoint, or one ticket.

    Thread-safe. Learnt from answers (`pause`), asked before each call (`take`), so that a known limit costs no call.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._until: dict[str, tuple[float, Scope]] = {}
        self._lock = threading.Lock()

    def pause(self, name: str, seconds: float, scope: Scope = "endpoint") -> None:
        """Nothing under that name for so many seconds."""
        until = self._clock() + seconds
        with self._lock:
            if len(self._until) > 5_000:
                now = self._clock()
                self._until = {k: v for k, v in self._until.items() if v[0] > now}
            known = self._until.get(name)
            if known is None or known[0] < until:
                self._until[name] = (until, scope)

    def take(self, names: Collection[str], service: str, operation: str) -> None:
        """RateLimited when one of the names, or the account, is paused."""
        if not self._until:
            return
        now = self._clock()
        for name in ("", *names):
            until, scope = self._until.get(name, (0.0, "account"))
            if until > now:
                raise RateLimited(wait=until - now, scope=scope, service=service, operation=operation)


class Http:
    """The door for one account. Thread-safe: each thread has its own session, the budget is shared.

    `explain` turns a refusal's body into one sentence for a person (an adapter knows its vendor's shape). `held`
    fetches what only another account can: given an attachment's `ref` and the most bytes.
    """

    def __init__(
        self,
        service: str,
        *,
        timeout: tuple[float, float] = (5.0, 30.0),
        allow_private: bool = False,
        explain: Callable[[Answer], str] | None = None,
    ) -> None:
        self.service = service
        self.timeout = timeout
        self.allow_private = allow_private
        self.explain = explain or (lambda answer: f"HTTP {answer.status}")
        self.budget = Budget()
        self.held: Callable[[str, int], Download] | None = None
        self._local = threading.local()
        self._sessions: list[requests.Session] = []
        self._pools: list[HTTPConnectionPool] = []
        self._behind_proxy: dict[str, bool] = {}
        self._patience = urllib3.Timeout(connect=timeout[0], read=timeout[1])
        self._lock = threading.Lock()

    def call(
        self,
        method: str,
        url: str,
        *,
        operation: str,
        params: Mapping[str, Any] | list[tuple[str, Any]] | None = None,
        json: Any = None,
        body: bytes | str | None = None,
        headers: Mapping[str, str] | None = None,
        sign: Callable[[], Mapping[str, str]] | None = None,
        auth: tuple[str, str] | None = None,
        read: bool | None = None,
        expect: Collection[int] = (),
        limits: Collection[str] = (),
        learn: Callable[[Answer], None] | None = None,
        limited: Callable[[Answer], tuple[str, Scope]] | None = None,
    ) -> Answer:
        """Call and give the answer if it is 2xx or its status is in `expect`; else raise what is to be done.

        `read` says that repeating it is harmless and without effect (default: GET and HEAD); only then is it
        repeated here. `limits` are the budget names it falls under; `learn` sees every answer, refused or not.
        `limited` names the budget a 429 speaks of, and its scope (default: the whole account). `sign` gives headers
        that are made anew for each try, as a signature with a time and a number used once in it has to be.
        """
        harmless = method in ("GET", "HEAD") if read is None else read
        sent = {"User-Agent": USER_AGENT, "Accept": "application/json", **(headers or {})}
        login = auth and (auth[0].encode(), auth[1].encode())
        data = body
        if json is not None:
            data = jsonlib.dumps(json, ensure_ascii=False, separators=(",", ":"))
            sent["Content-Type"] = "application/json"
        if isinstance(data, str):
            data = data.encode()

        def once() -> Answer:
            self.budget.take(limits, self.service, operation)
            signed = {**sent, **sign()} if sign is not None else sent
            answer = self._exchange(method, url, params, data, signed, login, operation, harmless)
            if learn is not None:
                learn(answer)
            if 200 <= answer.status < 300 or answer.status in expect:
                return answer
            if answer.status == 429:
                name, scope = limited(answer) if limited is not None else ("", "account")
                raise self._slow_down(answer, operation, name, scope)
            raise self._refusal(answer, operation, harmless)

        return _REPEATED(once) if harmless else once()

    def download(self, url: str, *, limit: int, headers: Mapping[str, str] | None = None) -> Download:
        """A file a stranger linked to, at most `limit` bytes, from a public address only. Rejected otherwise."""
        session = self._session("public" if not self.allow_private else "any")
        operation = "download"
        try:
            with session.get(
                url, stream=True, timeout=self.timeout, headers={"User-Agent": USER_AGENT, **(headers or {})}
            ) as response:
                if response.status_code != 200:
                    raise Rejected(
                        "the file cannot be fetched",
                        service=self.service,
                        operation=operation,
                        status=response.status_code,
                    )
                content = _read(response.raw, limit)
                if content is None:
                    raise Rejected(
                        f"the file is larger than {limit // 1024} kB",
                        service=self.service,
                        operation=operation,
                    )
                kind = response.headers.get("Content-Type", "application/octet-stream").split(";")[0].strip()
                return Download(content, kind)
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError, ValueError) as error:
            if any(isinstance(cause, PrivateAddress) for cause in causes(error)):
                raise Rejected("the address is not public", service=self.service, operation=operation) from None
            if isinstance(error, ValueError | requests.exceptions.TooManyRedirects):  # as requests' InvalidURL is
                raise Rejected("the address cannot be fetched", service=self.service, operation=operation) from None
            raise Temporary("the file cannot be fetched now", service=self.service, operation=operation) from None

    def file(self, attachment: Attachment, *, limit: int) -> Download:
        """The file of an attachment: from the source that holds it, given its `ref`, else from its address."""
        if not attachment.ref:
            return self.download(attachment.url, limit=limit)
        if self.held is None:
            raise Rejected("the source that holds the file is not known here", service=self.service)
        return self.held(attachment.ref, limit)

    def close(self) -> None:
        """Close every thread's connections."""
        with self._lock:
            for session in self._sessions:
                session.close()
            self._sessions.clear()
            for pool in self._pools:
                pool.close()
            self._pools.clear()
            self._local = threading.local()

    def _session(self, kind: str = "any") -> requests.Session:
        session: requests.Session | None = getattr(self._local, kind, None)
        if session is None:
            session = _Session()
            session.trust_env = False
            session.headers.clear()
            session.max_redirects = 5
            adapter = PublicAdapter() if kind == "public" else AnyAdapter()
            for scheme in ("http://", "https://"):
                session.mount(scheme, adapter)
            session.cookies.set_policy(http.cookiejar.DefaultCookiePolicy(allowed_domains=[]))
            setattr(self._local, kind, session)
            with self._lock:
                self._sessions.append(session)
        return session

    def _exchange(
        self,
        method: str,
        url: str,
        params: Any,
        data: bytes | None,
        headers: Mapping[str, str],
        auth: tuple[bytes, bytes] | None,
        operation: str,
        harmless: bool,
    ) -> Answer:
        try:
            answer = None
            if method not in ("GET", "HEAD") and auth is None and not params and self._is_plain(url, headers):
                answer = self._straight(method, url, data, headers)
            if answer is None or (harmless and answer.status in _REDIRECTED):
                answer = self._roundabout(method, url, params, data, headers, auth, operation, harmless)
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
            raise self._broken(error, operation, harmless) from None
        except ValueError:  # redirected to an address that is none
            raise self._no_address(operation) from None
        if answer.body is None:
            kind = BadAnswer if harmless else Uncertain
            raise kind("the answer is larger than 32 MB", service=self.service, operation=operation)
        return Answer(answer.status, answer.headers, answer.body, answer.url)

    def _is_plain(self, url: str, headers: Mapping[str, str]) -> bool:
        """Whether a call can be sent as it stands: nothing to encode or to refuse, and no proxy in between."""
        return (
            _PLAIN.fullmatch(url) is not None
            and all(value.isascii() and value.isprintable() and value[:1] != " " for value in headers.values())
            and not self._proxied(url)
        )

    def _proxied(self, url: str) -> bool:
        """Whether the environment names a proxy for this place; looked up once, for it goes through all of it."""
        parts = urlsplit(url)
        place = f"{parts.scheme}://{parts.netloc}"
        known = self._behind_proxy.get(place)
        if known is None:
            if len(self._behind_proxy) >= _MOST_PLACES:
                self._behind_proxy.clear()
            known = self._behind_proxy[place] = bool(_proxies(url))
        return known

    def _straight(self, method: str, url: str, data: bytes | None, headers: Mapping[str, str]) -> _Raw:
        """One exchange on a kept connection of this thread: less than half of what it costs through `requests`."""
        parts = urlsplit(url)
        target = f"{parts.path or '/'}?{parts.query}" if parts.query else parts.path or "/"
        response = self._pool(f"{parts.scheme}://{parts.netloc}").urlopen(
            method,
            target,
            body=data,
            headers=dict(headers),
            retries=False,
            redirect=False,
            assert_same_host=False,
            timeout=self._patience,
            preload_content=False,
        )
        return _Raw(response.status, response.headers, _read(response, _MAX_ANSWER), url)

    def _roundabout(
        self,
        method: str,
        url: str,
        params: Any,
        data: bytes | None,
        headers: Mapping[str, str],
        auth: tuple[bytes, bytes] | None,
        operation: str,
        harmless: bool,
    ) -> _Raw:
        """One exchange through `requests`, which encodes addresses, follows redirects and knows proxies."""
        plain = {name: value if value.isascii() else value.encode() for name, value in headers.items()}
        try:
            # prepared without the session: merging with its (empty) defaults costs as much as the call itself
            request = requests.Request(method, url, headers=plain, data=data, params=params, auth=auth).prepare()
        except (requests.RequestException, ValueError):
            raise self._no_address(operation) from None
        response = self._session().send(
            request, timeout=self.timeout, allow_redirects=harmless, stream=True, proxies=_proxies(url)
        )
        content = _read(response.raw, _MAX_ANSWER)
        return _Raw(response.status_code, CaseInsensitiveDict(response.headers), content, response.url)

    def _pool(self, place: str) -> HTTPConnectionPool:
        """This thread's kept connections to that scheme, host and port."""
        pools: dict[str, HTTPConnectionPool] | None = getattr(self._local, "pools", None)
        if pools is None:
            pools = self._local.pools = {}
        pool = pools.get(place)
        if pool is None:
            pool = pool_to(place)
            with self._lock:
                if len(pools) >= _MOST_PLACES:
                    forgotten = pools.pop(next(iter(pools)))
                    self._pools.remove(forgotten)
                    forgotten.close()
                self._pools.append(pool)
            pools[place] = pool
        return pool

    def _broken(self, error: Exception, operation: str, harmless: bool) -> ConnectorError:
        service = self.service
        if isinstance(
            error,
            requests.exceptions.InvalidURL
            | requests.exceptions.InvalidSchema
            | requests.exceptions.MissingSchema
            | requests.exceptions.InvalidHeader
            | urllib3.exceptions.LocationValueError,
        ):
            return self._no_address(operation)
        if never_sent(error):
            return Temporary(f"cannot connect: {reason(error)}", service=service, operation=operation)
        if harmless:
            return Temporary(f"no answer: {reason(error)}", service=service, operation=operation)
        return Uncertain(f"sent, but no answer came: {reason(error)}", service=service, operation=operation)

    def _no_address(self, operation: str) -> ConnectorError:
        return Rejected("the address of the call is not valid", service=self.service, operation=operation)

    def _slow_down(self, answer: Answer, operation: str, name: str, scope: Scope) -> RateLimited:
        wait = retry_after(answer) or _DEFAULT_WAIT
        self.budget.pause(name, wait, scope)
        return RateLimited(wait=wait, scope=scope, service=self.service, operation=operation, status=429)

    def _refusal(self, answer: Answer, operation: str, harmless: bool) -> ConnectorError:
        status = answer.status
        try:
            sentence = masked(self.explain(answer))[:500]
        except (ConnectorError, LookupError, TypeError, ValueError, AttributeError):
            sentence = f"HTTP {status}"
        service = self.service
        if status in (401, 403):
            return AuthFailed(sentence, service=service, operation=operation, status=status)
        if status in (404, 410):
            return Gone(sentence, service=service, operation=operation, status=status)
        if status >= 500 or status == 408:
            if harmless:
                return Temporary(
                    sentence, wait=retry_after(answer), service=service, operation=operation, status=status
                )
            return Uncertain(sentence, service=service, operation=operation, status=status)
        if status in (405, 501):
            return Unsupported(sentence, service=service, operation=operation, status=status)
        if 300 <= status < 400:
            return BadAnswer("redirected somewhere else", service=service, operation=operation, status=status)
        return Rejected(sentence, service=service, operation=operation, status=status)


class _Session(requests.Session):
    """One that is not led elsewhere with our credentials: `requests` itself leaves only Authorization behind."""

    def rebuild_auth(self, prepared_request: requests.PreparedRequest, response: requests.Response) -> None:
        """Called for each redirect, before it is followed. BadAnswer: another server asks for what we sent along."""
        old, new = str(response.request.url), str(prepared_request.url)
        if not self.should_strip_auth(old, new):  # type: ignore[no-untyped-call]
            return
        if prepared_request.body is not None:
            raise BadAnswer("redirected somewhere else", status=response.status_code)
        for name in [name for name in prepared_request.headers if name.lower() not in _HARMLESS]:
            del prepared_request.headers[name]


def retry_after(answer: Answer) -> float | None:
    """Seconds of a Retry-After header in either of its forms (RFC 9110), else None."""
    value = answer.headers.get("Retry-After", "").strip()
    if not value:
        return None
    try:
        seconds = float(value)
    except ValueError:
        try:
            seconds = parsedate_to_datetime(value).timestamp() - time.time()
        except (ValueError, TypeError, OverflowError):
            return None
    return None if math.isnan(seconds) else min(max(0.0, seconds), _LONGEST_WAIT)


@dataclass(frozen=True, slots=True)
class _Raw:
    """An answer whose body may be too large (None)."""

    status: int
    headers: Mapping[str, str]
    body: bytes | None
    url: str


def _read(response: urllib3.response.BaseHTTPResponse, limit: int) -> bytes | None:
    """The body, decompressed; None when it is larger than the limit. TimeoutError when the whole takes too long."""
    length = response.headers.get("Content-Length", "")
    until = time.monotonic() + _LONGEST
    chunks: list[bytes] = []
    size = int(length) if length.isdecimal() and int(length) > limit else 0
    while size <= limit and (chunk := response.read1(65_536, decode_content=True)):
        chunks.append(chunk)
        size += len(chunk)
        if time.monotonic() > until:
            response.close()
            raise TimeoutError
    if size > limit:
        response.close()
        return None
    return b"".join(chunks)


def _proxies(url: str) -> dict[str, str]:
    """The environment's proxies for this address; none when it is among those excepted (no_proxy)."""
    found = urllib.request.getproxies()
    if not found or urllib.request.proxy_bypass(urlsplit(url).netloc.rpartition("@")[2], found):
        return {}
    return found
