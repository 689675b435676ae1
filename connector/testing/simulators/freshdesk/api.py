"""The API's front door: route, credentials, limits, faults, bodies, and the look of every answer.

Documented: Basic credentials `key:X`; JSON, but multipart with files (`attachments[]`, `tags[]`,
`custom_fields[cf_x]`); credits for `include`. Recorded: the 401, the empty 404, names of the headers. Unconfirmed:
the bodies of 405 and 415, that a request with a wrong key counts against the account.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import json
import re
import secrets
from collections.abc import Callable
from typing import Any

from connector.testing.simulators.dice import Fault
from connector.testing.simulators.freshdesk import account, account_routes, files, ticket_routes
from connector.testing.simulators.freshdesk.answers import Answer, Call, Refusal, Row, denied, not_found, query_of
from connector.testing.simulators.freshdesk.desk import Desk
from connector.testing.simulators.freshdesk.limits import too_many
from connector.testing.simulators.line import Receive, Scope, Send, content, cut
from connector.testing.simulators.routes import Routes
from connector.testing.simulators.web import form

Handler = Callable[[Desk, Call], Answer]
Found = tuple[Handler, str, list[str]]
PREFIX = "/api/v2/"
_HTML = "<html><head><title>{0}</title></head><body><h1>{0}</h1><p>Please try again later.</p></body></html>"
_PART = re.compile(r"\[([^\]]*)\]")
_RUSSIAN = {
    "missing_field": "Поле должно быть заполнено",
    "invalid_value": "Недопустимое значение",
    "datatype_mismatch": "Неверный тип значения",
    "invalid_field": "Неизвестное поле в запросе",
    "duplicate_value": "Значение должно быть уникальным",
}


class Api:
    """The ASGI application below `/api/v2/`."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._routes: Routes[Handler] = Routes(PREFIX, [*ticket_routes.ROUTES, *account_routes.ROUTES, *files.ROUTES])

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or cut its connection."""
        call = _call(scope, await content(receive))
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
        answer = self._spoiled(struck) or self.apply(call, found, "text_plain_errors" in struck)
        if "answer_lost" in struck:
            await cut(scope, receive)
            return
        await _send(send, answer)

    def apply(self, call: Call, found: Found | None, plain: bool) -> Answer:
        """Do what the request asks and tell the result; refusals are results too."""
        desk = self._desk
        with desk.turn():
            headers: dict[str, str] = {}
            try:
                headers = desk.meter.request(found[1] if found else "", _cost(call), desk.clock())
                answer = self._handled(call, found)
            except Refusal as refusal:
                plain = plain or desk.faults.happens("text_plain_errors")
                return _refused(refusal, headers, plain, desk.faults.faults.localized_errors)
            answer.headers = headers | answer.headers
            return answer

    def _handled(self, call: Call, found: Found | None) -> Answer:
        path = call.path.removeprefix(PREFIX)
        agent = self._agent(call.headers.get("authorization", ""))
        if agent is None:
            words = "You have to be logged in to perform this action."
            raise Refusal(401, {"code": "invalid_credentials", "message": words})
        if found is None:
            raise self._no_route(call.method, path)
        handler, _, call.values = found
        call.agent = agent
        call.is_admin = agent == self._desk.named("email", account.ADMIN_EMAIL)
        if not call.is_admin and f"{call.method} {path}".startswith(account_routes.ADMIN_ONLY):
            raise denied()
        if call.method in ("POST", "PUT") and call.content:
            _read_body(call)
        return handler(self._desk, call)

    def _no_route(self, method: str, path: str) -> Refusal:
        allowed = self._routes.methods(path)
        if not allowed:
            return not_found()
        words = f"{method} method is not allowed. It should be one of these method(s): {', '.join(allowed)}"
        return Refusal(405, {"code": "method_not_allowed", "message": words}, {"Allow": ", ".join(allowed)})

    def _agent(self, header: str) -> int | None:
        kind, _, secret = header.partition(" ")
        if kind.lower() != "basic":
            return None
        try:
            key = base64.b64decode(secret, validate=True).decode().partition(":")[0]
        except (ValueError, binascii.Error):
            return None
        email = account.KEYS.get(key)
        return self._desk.named("email", email) if email else None

    def _spoiled(self, struck: dict[str, Fault]) -> Answer | None:
        faults = self._desk.faults.faults
        if "error_5xx" in struck:
            options = struck["error_5xx"].options
            status = options.get("status") or self._desk.faults.pick([500, 502, 503])
            headers = {"Retry-After": str(options.get("retry_after", faults.retry_after_s))}
            title = {500: "Internal Server Error", 502: "Bad Gateway"}.get(status, "Down for maintenance")
            html = _HTML.format(title)
            return Answer(status, raw=html.encode(), headers=headers, content_type="text/html; charset=UTF-8")
        for name in ("rate_429", "rate_429_plain"):
            if name in struck:
                wait = struck[name].options.get("retry_after", faults.retry_after_s)
                return _refused(too_many(wait, {}), {}, name.endswith("plain"), faults.localized_errors)
        return None


def _cost(call: Call) -> int:
    """One credit, and for each included part one more, two on lists (documented)."""
    parts = [part for part in call.query.get("include", "").split(",") if part.strip()]
    return 1 + len(parts) * (1 if call.path.rpartition("/")[2].isdigit() else 2)


def _call(scope: Scope, body: bytes) -> Call:
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
    base = f"{scope.get('scheme', 'http')}://{headers.get('host', 'sandbox.freshdesk.com')}"
    path = scope["path"].removesuffix("/")
    return Call(scope["method"], path, query_of(scope["query_string"]), headers, body, base)


def _read_body(call: Call) -> None:
    kind = call.headers.get("content-type", "")
    if kind.startswith("multipart/form-data"):
        values, files_by_name = form(kind, call.content)
        call.is_form, call.body = True, {}
        for name, value in values:
            _place(call.body, name, value)
        call.files = [file for name, file in files_by_name if name == "attachments[]"]
        for name, _ in files_by_name:
            if name != "attachments[]":
                call.body[name.partition("[")[0]] = "file"
        return
    if "json" not in kind:
        words = f"Content-Type header is set to {kind or 'nothing'}. It should be set to application/json"
        raise Refusal(415, {"code": "invalid_content_type", "message": words})
    try:
        found = json.loads(call.content)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise Refusal(400, {"code": "invalid_json", "message": "Request body has invalid json format"})
    call.body = found


def _place(body: Row, name: str, value: str) -> None:
    """Put a form's value where its name says: `tags[]`, `custom_fields[cf_x]`, `body`."""
    top, parts = name.partition("[")[0], _PART.findall(name)
    if not parts:
        body[top] = value
    elif parts[-1] == "":
        body.setdefault(top, []).append(value)
    else:
        body.setdefault(top, {})[parts[0]] = value


async def _send(send: Send, answer: Answer) -> None:
    body = answer.raw if answer.raw is not None else b"" if answer.status == 204 else _dump(answer.body)
    headers = [(b"content-type", answer.content_type.encode()), (b"content-length", b"%d" % len(body))]
    headers = headers if answer.status != 204 else []
    headers += [
        (b"x-freshdesk-api-version", b"latest=v2; requested=v2"),
        (b"x-request-id", secrets.token_hex(16).encode()),
        (b"cache-control", b"no-cache, no-store, max-age=0, must-revalidate"),
    ]
    headers += [(name.lower().encode(), value.encode("latin-1")) for name, value in answer.headers.items()]
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def _refused(refusal: Refusal, headers: dict[str, str], plain: bool, russian: bool) -> Answer:
    body = _russian(refusal.body) if russian else refusal.body
    merged = headers | refusal.headers
    if isinstance(body, str):
        return Answer(refusal.status, raw=body.encode(), headers=merged)
    if plain:
        text = body.get("description", body.get("message")) if body else ""
        return Answer(
            refusal.status, raw=str(text).encode(), headers=merged, content_type="text/plain; charset=UTF-8"
        )
    return Answer(refusal.status, body, merged)


def _russian(body: Any) -> Any:
    if not isinstance(body, dict):
        return body
    changed: Row = dict(body)
    if "message" in body:
        changed["message"] = "Запрос отклонён"
    if "errors" in body:
        changed["description"] = "Проверка не пройдена"
        changed["errors"] = [
            {**item, "message": _RUSSIAN.get(item["code"], "Неверное значение")} for item in body["errors"]
        ]
    return changed


def _dump(body: Any) -> bytes:
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
