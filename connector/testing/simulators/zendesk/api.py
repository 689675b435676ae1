"""The API's front door: route, credentials, limits, idempotency, faults, and the look of every answer.

Sources: vendor's pages "introduction", "requests", "security-and-auth"; recorded answers (anonymous 200 on
users/me for a wrong token); idempotency: vendor's page "introduction", its 400: other people's clients. Two
requests in flight with one key are unsettled: here they run one after another. 401 and 403 bodies are
unconfirmed.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from itertools import islice
from typing import Any

from connector.testing.simulators.dice import Fault
from connector.testing.simulators.door import PREFIX, Door, Found, Handler, dump
from connector.testing.simulators.line import Scope
from connector.testing.simulators.zendesk import account_routes, people, people_routes, ticket_routes, uploads
from connector.testing.simulators.zendesk.account import ADMIN_EMAIL, TOKEN
from connector.testing.simulators.zendesk.answers import Actor, Answer, Call, Refusal, Row, query_of
from connector.testing.simulators.zendesk.desk import Desk

KEY_LIFETIME_S = 2 * 3600
MAX_KEY = 255
_ADMIN_ONLY = ("incremental/", "webhooks")
_ADMINS_WRITE = ("triggers", "ticket_fields")
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


class Api(Door[Desk, Call]):
    """The ASGI application below `/api/v2/`."""

    headers = ((b"x-zendesk-api-version", b"v2"), (b"cache-control", b"max-age=0, private, must-revalidate"))

    def __init__(self, desk: Desk) -> None:
        super().__init__(
            desk, [*ticket_routes.ROUTES, *people_routes.ROUTES, *account_routes.ROUTES, *uploads.ROUTES]
        )
        self._users: dict[str, int | None] = {}

    def handled(self, call: Call, found: Found[Desk, Call] | None) -> Answer:
        """Staff only, and admins where the vendor says so; a creation once for each key."""
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
            path.startswith(_ADMIN_ONLY) or (path.startswith(_ADMINS_WRITE) and call.method != "GET")
        ):
            words = "You do not have access to this page. Please contact the account owner of this help desk."
            raise Refusal(403, {"error": "Forbidden", "description": words})
        if "json" in call.headers.get("content-type", "") and call.content and not path.startswith("uploads"):
            call.json = _json(call.content)
        if name == "POST /api/v2/tickets" and "idempotency-key" in call.headers:
            return self._once(call, handler)
        return handler(self._desk, call)

    def _once(self, call: Call, handler: Handler[Desk, Call]) -> Answer:
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
        answer.raw = dump(answer.body)
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

    def counted(self, call: Call, name: str) -> dict[str, str]:
        """Count it in its windows."""
        return self._desk.meter.account(self._desk.clock())

    def too_many(self, wait: int) -> Refusal:
        """The 429 as clients quote it."""
        words = "Number of allowed API requests per minute exceeded"
        return Refusal(429, {"error": "APIRateLimitExceeded", "description": words}, {"Retry-After": str(wait)})

    def refused(self, refusal: Refusal, headers: dict[str, str], plain: bool, russian: bool) -> Answer:
        """See `_refused`."""
        return _refused(refusal, headers, plain, russian)

    def read(self, scope: Scope, body: bytes) -> Call:
        """See `_call`."""
        return _call(scope, body)

    def spoiled(self, struck: dict[str, Fault]) -> Answer | None:
        """The common ones, and two requesters made at once."""
        if "requester_collision" in struck and not {"error_5xx", "rate_429", "rate_429_plain"} & struck.keys():
            return _refused(people.collision(), {}, True, False)
        return super().spoiled(struck)


def _call(scope: Scope, body: bytes) -> Call:
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
    client = scope.get("client") or ("127.0.0.1", 0)
    base = f"{scope.get('scheme', 'http')}://{headers.get('host', 'sandbox.example.com')}"
    path = scope["path"].removesuffix("/").removesuffix(".json")
    actor = Actor(0, address=str(client[0]))
    query = query_of(scope["query_string"])
    return Call(scope["method"], path, query, headers, body, base, actor, "end-user")


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
