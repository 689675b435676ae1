"""Control routes below `/_sandbox/`, for tests and people in other processes. Nobody has to log in."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import fields
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from connector.testing.simulators.answers import Refusal, Row
from connector.testing.simulators.sandbox import Sandbox

Act = Callable[[Request, Row], Any]


def routes(table: Iterable[tuple[str, str, Act]]) -> list[Route]:
    """Routes of (method, path, what it does with the request and its JSON); wrong input is 400 with a sentence."""
    return [Route(path, _endpoint(act), methods=[method]) for method, path, act in table]


def common(sandbox: Sandbox[Any, Any, Any, Any]) -> list[tuple[str, str, Act]]:
    """What may be done to every sandbox: look, set faults and limits, merge tickets, begin anew."""

    def set_faults(_: Request, wanted: Row) -> Row:
        with sandbox.desk.lock:
            changed: Row = sandbox.desk.faults.change(wanted)
            return changed

    def shown_limits(_: Request, __: Row) -> Any:
        return sandbox.limits.shown()

    def set_limits(request: Request, wanted: Row) -> Any:
        sandbox.limits = changed_limits(sandbox.limits, wanted)
        return shown_limits(request, wanted)

    def merge(request: Request, wanted: Row) -> Row:
        source = int(wanted["source"])
        sandbox.merge(request.path_params["id"], source)
        return sandbox.ticket(source)

    def reset(_: Request, __: Row) -> Row:
        sandbox.reset()
        return {}

    return [
        ("GET", "/state", lambda _, __: sandbox.state()),
        ("GET", "/faults", lambda _, __: sandbox.desk.faults.shown()),
        ("PUT", "/faults", set_faults),
        ("GET", "/limits", shown_limits),
        ("PUT", "/limits", set_limits),
        ("POST", "/tickets/{id:int}/merge", merge),
        ("POST", "/reset", reset),
    ]


def changed_limits(limits: Any, wanted: Row) -> Any:
    """The limits (a dataclass of numbers or None) with the wanted ones; ValueError names what is wrong."""
    known = {f.name: getattr(limits, f.name) for f in fields(limits)}
    for name, value in wanted.items():
        if name not in known or not (value is None or (isinstance(value, int) and value >= 0)):
            raise ValueError(f"unknown limit or bad value: {name}={value!r}")
    return type(limits)(**{**known, **wanted})


def _endpoint(act: Act) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        try:
            content = await request.body()
            wanted = json.loads(content) if content else {}
            return JSONResponse(act(request, dict(wanted)))
        except Refusal as refusal:
            return JSONResponse({"error": refusal.body}, refusal.status)
        except (ValueError, KeyError, TypeError) as error:
            return JSONResponse({"error": f"{type(error).__name__}: {error}"}, 400)

    return endpoint
