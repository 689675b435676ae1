"""The API's front door: route, credentials, limits, idempotency, faults, and the look of every answer.

Sources: vendor's pages "introduction", "requests", "security-and-auth"; recorded answers (anonymous 200 on
users/me for a wrong token); idempotency: vendor's page "introduction", its 400: other people's clients. Two
requests in flight with one key are unsettled: here they run one after another. 401 and 403 bodies are
unconfirmed.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
import json
import secrets
from collections.abc import Callable
from itertools import islice
from typing import Any

from connector.testing.simulators.dice import Fault
from connector.testing.simulators.line import Receive, Scope, Send, content, cut
from connector.testing.simulators.routes import Routes
from connector.testing.simulators.zendesk import account_routes, people, people_routes, ticket_routes, uploads
from connector.testing.simulators.zendesk.account import ADMIN_EMAIL, TOKEN
from connector.testing.simulators.zendesk.answers import Actor, Answer, Call, Refusal, Row, query_of
from connector.testing.simulators.zendesk.desk import Desk

Handler = Callable[[Desk, Call], Answer]
PREFIX = "/api/v2/"
KEY_LIFETIME_S = 2 * 3600
MAX_KEY = 255
_ADMIN_ONLY = ("incremental/", "webhooks")
_HTML = "<html><head><title>{0}</title></head><body><h1>{0}</h1><p>Please try again later.</p></body></html>"
_RUSSIAN = {
    "RecordInvalid": "Ошибка проверки записи",
    "RecordNotFound": "Не найдено",
    "InvalidEndpoint": "Не найдено",
    "BlankValue": "Поле не может быть пустым",
    "DuplicateValue": "Значение уже используется другим пользователем",
    "InvalidValue": "Недопустимое значение",
    "UpdateConflict": "Обновление отклонено: данные заявки устарели",
    "APIRateLimitExceeded": "Превышено допустимое число запросов",
    "Forbidden": "Нет доступа к этой странице",
}


class Api:
    """The ASGI application below `/api/v2/`."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._routes: Routes[Handler] = Routes(
            PREFIX, [*ticket_routes.ROUTES, *people_routes.ROUTES, *account_routes.ROUTES, *uploads.ROUTES]
        )
        self._users: dict[str, int | None] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or cut its connection."""
        call = _call(scope, await content(receive))
        path = call.path.removeprefix(PREFIX)
        found = self._routes.find(call.method, path)
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

    def apply(self, call: Call, found: tuple[Handler, str, list[str]] | None, plain: bool) -> Answer:
        """Do what the request asks and tell the result; refusals are results too."""
        desk = self._desk
        with desk.turn():
            headers: dict[str, str] = {}
            try:
                headers = desk.meter.account(desk.clock())
                answer = self._handled(call, found)
            except Refusal as refusal:
                plain = plain or desk.faults.happens("text_plain_errors")
                return _refused(refusal, headers, plain, desk.faults.faults.localized_errors)
            answer.headers = headers | answer.headers
            return answer

    def _handled(self, call: Call, found: tuple[Handler, str, list[str]] | None) -> Answer:
        path = call.path.removeprefix(PREFIX)
        user = self._user(call.headers.get("authorization", ""))
        if user is None and path != "users/me":
            raise Refusal(401, {"error": "Couldn't authenticate you"}, {"WWW-Authenticate": 'Basic realm="API"'})
        if found is None:
            raise Refusal(404, {"error": "InvalidEndpoint", "description": "Not found"})
        handler, name, call.values = found
        if user is not None:
            call.role = self._desk.users[user]["role"]
            client = call.headers.get("user-agent", "")
            call.actor = Actor(user, client, call.actor.address)
        if call.role != "admin" and (
            path.startswith(_ADMIN_ONLY) or (path.startswith("triggers") and call.method != "GET")
        ):
            words = "You do not have access to this page. Please contact the account owner of this help desk."
            raise Refusal(403, {"error": "Forbidden", "description": words})
        if "json" in call.headers.get("content-type", "") and call.content and not path.startswith("uploads"):
            call.json = _json(call.content)
        if name == "POST /api/v2/tickets" and "idempotency-key" in call.headers:
            return self._once(call, handler)
        return handler(self._desk, call)

    def _once(self, call: Call, handler: Handler) -> Answer:
        desk = self._desk
        key = call.headers["idempotency-key"]
        if len(key) > MAX_KEY:
            words = f"Idempotency key is longer than {MAX_KEY} characters"
            raise Refusal(400, {"error": "IdempotentRequestError", "description": words})
        kept = desk.tables["idempotency"]
        for old in [k for k in islice(kept, 2) if kept[k]["until"] <= desk.clock()]:
            desk.remove("idempotency", old)
        digest = hashlib.sha256(json.dumps([call.json, call.query], sort_keys=True).encode()).hexdigest()
        known = kept.get(key)
        if known is not None and known["until"] > desk.clock():
            if known["digest"] != digest:
                words = "Request parameters don't match the given idempotency key"
                raise Refusal(400, {"error": "IdempotentRequestError", "description": words})
            headers = {**known["headers"], "x-idempotency-lookup": "hit"}
            return Answer(known["status"], raw=known["body"].encode(), headers=headers)
        answer = handler(desk, call)
        answer.raw = _dump(answer.body)
        kept.pop(key, None)
        row = {"status": answer.status, "headers": answer.headers, "body": answer.raw.decode()}
        desk.put("idempotency", row | {"digest": digest, "until": desk.clock() + KEY_LIFETIME_S}, key=key)
        answer.headers = {**answer.headers, "x-idempotency-lookup": "miss"}
        return answer

    def _user(self, header: str) -> int | None:
        number = self._users.get(header)
        if number is None or number not in self._desk.users:
            number = self._users[header] = self._authenticate(header)
            if len(self._users) > 1000:
                self._users.clear()
        return number

    def _authenticate(self, header: str) -> int | None:
        kind, _, secret = header.partition(" ")
        email = ""
        if kind.lower() == "bearer" and secret.strip() == TOKEN:
            email = ADMIN_EMAIL
        elif kind.lower() == "basic":
            try:
                name, _, token = base64.b64decode(secret, validate=True).decode().partition(":")
            except (ValueError, binascii.Error):
                return None
            if token == TOKEN and name.endswith("/token"):
                email = name.removesuffix("/token").lower()
        number = self._desk.users_by_email.get(email)
        return number if number is not None and people.is_staff(self._desk.users[number]) else None

    def _spoiled(self, struck: dict[str, Fault]) -> Answer | None:
        faults = self._desk.faults.faults
        if "error_5xx" in struck:
            options = struck["error_5xx"].options
            status = options.get("status") or self._desk.faults.pick([500, 502, 503])
            headers = {"Retry-After": str(options.get("retry_after", faults.retry_after_s))}
            html = _HTML.format(
                {500: "Internal Server Error", 502: "Bad Gateway"}.get(status, "Down for maintenance")
            )
            return Answer(status, raw=html.encode(), headers=headers, content_type="text/html; charset=UTF-8")
        for name in ("rate_429", "rate_429_plain"):
            if name in struck:
                words = "Number of allowed API requests per minute exceeded"
                headers = {"Retry-After": str(struck[name].options.get("retry_after", faults.retry_after_s))}
                refusal = Refusal(429, {"error": "APIRateLimitExceeded", "description": words}, headers)
                return _refused(refusal, {}, name.endswith("plain"), faults.localized_errors)
        if "requester_collision" in struck:
            return _refused(people.collision(), {}, True, False)
        return None


def _call(scope: Scope, body: bytes) -> Call:
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
    client = scope.get("client") or ("127.0.0.1", 0)
    base = f"{scope.get('scheme', 'http')}://{headers.get('host', 'sandbox.example.com')}"
    path = scope["path"].removesuffix("/").removesuffix(".json")
    actor = Actor(0, address=str(client[0]))
    query = query_of(scope["query_string"])
    return Call(scope["method"], path, query, headers, body, base, actor, "end-user")


async def _send(send: Send, answer: Answer) -> None:
    body = answer.raw if answer.raw is not None else b"" if answer.status == 204 else _dump(answer.body)
    headers = [
        (b"content-type", answer.content_type.encode()),
        (b"content-length", b"%d" % len(body)),
        (b"x-zendesk-api-version", b"v2"),
        (b"x-request-id", secrets.token_hex(16).encode()),
        (b"cache-control", b"max-age=0, private, must-revalidate"),
    ]
    if answer.status == 204:
        headers = headers[2:]
    headers += [(name.lower().encode(), value.encode("latin-1")) for name, value in answer.headers.items()]
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def _refused(refusal: Refusal, headers: dict[str, str], plain: bool, russian: bool) -> Answer:
    body = refusal.body
    if russian:
        body = _russian(body)
    merged = headers | refusal.headers
    if plain or not isinstance(body, dict):
        text = body.get("description", body.get("error")) if isinstance(body, dict) else body or ""
        raw = str(text).encode()
        return Answer(refusal.status, raw=raw, headers=merged, content_type="text/plain; charset=UTF-8")
    return Answer(refusal.status, body, merged)


def _russian(body: Any) -> Any:
    if isinstance(body, list):
        return [_russian(item) for item in body]
    if not isinstance(body, dict):
        return body
    changed: Row = {name: _russian(value) for name, value in body.items()}
    if isinstance(body.get("description"), str):
        changed["description"] = _RUSSIAN.get(str(body.get("error")), "Запись не прошла проверку")
    return changed


def _json(body: bytes) -> Row:
    try:
        found = json.loads(body)
    except ValueError:
        words = "The request body is not valid JSON"
        raise Refusal(400, {"error": {"title": "Invalid request", "message": words}}) from None
    return found if isinstance(found, dict) else {}


def _dump(body: Any) -> bytes:
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
