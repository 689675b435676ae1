"""The API's front door: route, credentials, limits, faults, bodies, and the look of every answer.

Documented: Basic credentials `key:X`; JSON, but multipart with files (`attachments[]`, `tags[]`,
`custom_fields[cf_x]`); credits for `include`. Recorded: the 401, the empty 404, names of the headers. Unconfirmed:
the bodies of 405 and 415, that a request with a wrong key counts against the account.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from typing import Any

from connector.testing.simulators.door import PREFIX, Door, Found
from connector.testing.simulators.freshdesk import account, account_routes, files, ticket_routes
from connector.testing.simulators.freshdesk.answers import Answer, Call, Refusal, Row, denied, not_found, query_of
from connector.testing.simulators.freshdesk.desk import Desk
from connector.testing.simulators.freshdesk.limits import too_many
from connector.testing.simulators.line import Scope
from connector.testing.simulators.web import form

_PART = re.compile(r"\[([^\]]*)\]")
_RUSSIAN = {
    "missing_field": "Поле должно быть заполнено",
    "invalid_value": "Недопустимое значение",
    "datatype_mismatch": "Неверный тип значения",
    "invalid_field": "Неизвестное поле в запросе",
    "duplicate_value": "Значение должно быть уникальным",
}


class Api(Door[Desk, Call]):
    """The ASGI application below `/api/v2/`."""

    headers = (
        (b"x-freshdesk-api-version", b"latest=v2; requested=v2"),
        (b"cache-control", b"no-cache, no-store, max-age=0, must-revalidate"),
    )

    def __init__(self, desk: Desk) -> None:
        super().__init__(desk, [*ticket_routes.ROUTES, *account_routes.ROUTES, *files.ROUTES])

    def handled(self, call: Call, found: Found[Desk, Call] | None) -> Answer:
        """Agents only, and admins where the vendor says so."""
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

    def counted(self, call: Call, name: str) -> dict[str, str]:
        """Count it in its windows."""
        return self._desk.meter.request(name, _cost(call), self._desk.clock())

    def too_many(self, wait: int) -> Refusal:
        """The 429 as clients quote it."""
        return too_many(wait, {})

    def refused(self, refusal: Refusal, headers: dict[str, str], plain: bool, russian: bool) -> Answer:
        """See `_refused`."""
        return _refused(refusal, headers, plain, russian)

    def read(self, scope: Scope, body: bytes) -> Call:
        """See `_call`."""
        return _call(scope, body)


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
