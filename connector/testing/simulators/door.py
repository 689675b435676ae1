"""An API's front door: it routes a call, lets the wanted faults strike, and sends what came of it.

What a call is, who may make it, how it is counted and how a refusal looks is each vendor's business.
"""

from __future__ import annotations

import asyncio
import json
import secrets
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from typing import Any, ClassVar, Generic, Protocol, TypeVar

from connector.testing.simulators.answers import Answer, Refusal
from connector.testing.simulators.desk import AccountDesk
from connector.testing.simulators.dice import Fault
from connector.testing.simulators.line import Receive, Scope, Send, content, cut
from connector.testing.simulators.routes import Routes

PREFIX = "/api/v2/"
_HTML = "<html><head><title>{0}</title></head><body><h1>{0}</h1><p>Please try again later.</p></body></html>"
_TITLES = {500: "Internal Server Error", 502: "Bad Gateway"}


class AnyCall(Protocol):
    """What the door has to know of a call."""

    method: str
    path: str


DeskT = TypeVar("DeskT", bound=AccountDesk[Any, Any])
CallT = TypeVar("CallT", bound=AnyCall)
Handler = Callable[[DeskT, CallT], Answer]
Found = tuple[Handler[DeskT, CallT], str, list[str]]


class Door(ABC, Generic[DeskT, CallT]):
    """The ASGI application below `/api/v2/`."""

    headers: ClassVar[tuple[tuple[bytes, bytes], ...]]
    """What the vendor adds to each answer."""

    def __init__(self, desk: DeskT, routes: Iterable[tuple[str, str, Handler[DeskT, CallT]]]) -> None:
        self._desk = desk
        self._routes: Routes[Handler[DeskT, CallT]] = Routes(PREFIX, routes)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or cut its connection."""
        call = self.read(scope, await content(receive))
        found = self._routes.find(call.method, call.path.removeprefix(PREFIX))
        with self._desk.lock:
            self._desk.requests[found[1] if found else f"{call.method} (unknown)"] += 1
            struck = {fault.name: fault for fault in self._desk.faults.draw(call.method, call.path)}
        wanted = self._desk.faults.faults
        if "slow" in struck:
            await asyncio.sleep(struck["slow"].options.get("seconds", wanted.slow_s))
        if "cut_before" in struck:
            await cut(scope, receive)
            return
        if "late_apply" in struck:
            wait = struck["late_apply"].options.get("seconds", wanted.late_apply_s)
            asyncio.get_running_loop().call_later(wait, self.apply, call, found, False)
            await cut(scope, receive)
            return
        answer = self.spoiled(struck) or self.apply(call, found, "text_plain_errors" in struck)
        if "answer_lost" in struck:
            await cut(scope, receive)
            return
        await self._send(send, answer)

    def apply(self, call: CallT, found: Found[DeskT, CallT] | None, plain: bool) -> Answer:
        """Do what the request asks and tell the result; refusals are results too."""
        desk = self._desk
        with desk.turn():
            headers: dict[str, str] = {}
            try:
                headers = self.counted(call, found[1] if found else "")
                answer = self.handled(call, found)
            except Refusal as refusal:
                plain = plain or desk.faults.happens("text_plain_errors")
                return self.refused(refusal, headers, plain, desk.faults.faults.localized_errors)
            answer.headers = headers | answer.headers
            return answer

    def spoiled(self, struck: dict[str, Fault]) -> Answer | None:
        """The answer of a fault that comes in the place of the real one."""
        faults = self._desk.faults.faults
        if "error_5xx" in struck:
            options = struck["error_5xx"].options
            status = options.get("status") or self._desk.faults.pick([500, 502, 503])
            headers = {"Retry-After": str(options.get("retry_after", faults.retry_after_s))}
            html = _HTML.format(_TITLES.get(status, "Down for maintenance"))
            return Answer(status, raw=html.encode(), headers=headers, content_type="text/html; charset=UTF-8")
        for name in ("rate_429", "rate_429_plain"):
            if name in struck:
                refusal = self.too_many(struck[name].options.get("retry_after", faults.retry_after_s))
                return self.refused(refusal, {}, name.endswith("plain"), faults.localized_errors)
        return None

    @abstractmethod
    def read(self, scope: Scope, body: bytes) -> CallT:
        """The call in a request."""

    @abstractmethod
    def counted(self, call: CallT, name: str) -> dict[str, str]:
        """Count it; the rate headers of its answer. Refusal: there were too many."""

    @abstractmethod
    def handled(self, call: CallT, found: Found[DeskT, CallT] | None) -> Answer:
        """Let it in and do it, or refuse."""

    @abstractmethod
    def too_many(self, wait: int) -> Refusal:
        """The vendor's 429."""

    @abstractmethod
    def refused(self, refusal: Refusal, headers: dict[str, str], plain: bool, russian: bool) -> Answer:
        """How a refusal looks: as JSON or plain text, in English or not."""

    async def _send(self, send: Send, answer: Answer) -> None:
        empty = answer.status == 204
        body = answer.raw if answer.raw is not None else b"" if empty else dump(answer.body)
        shape = [(b"content-type", answer.content_type.encode()), (b"content-length", b"%d" % len(body))]
        own = [*self.headers, (b"x-request-id", secrets.token_hex(16).encode())]
        told = [(name.lower().encode(), value.encode("latin-1")) for name, value in answer.headers.items()]
        headers = [*([] if empty else shape), *own, *told]
        await send({"type": "http.response.start", "status": answer.status, "headers": headers})
        await send({"type": "http.response.body", "body": body})


def dump(body: Any) -> bytes:
    """JSON as it is sent."""
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
