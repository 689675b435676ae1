"""The calls of the X Activity API (https://docs.x.com/x-api/webhooks/quickstart, …/x-api/activity/event-payloads).

One rule must hold: nothing of a call is read before its signature is known to fit. The challenge (CRC) and the
signature are made with the same secret in the same way, so whoever may choose the challenge freely could have any
body signed: only tokens without the signs of a JSON object are answered.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
from collections.abc import Mapping
from typing import Any

from connector.adapter import ChallengeAnswer, Hook
from connector.errors import BadHook

HEADER = "x-twitter-webhooks-signature"
REPLY = "post.reply.create"
POSTS = ("post.mention.create", REPLY, "post.quote.create")
"""Of these, only answers to our posts may come from people who did not call us."""
MESSAGES = "dm.received"
_TOKEN = re.compile(r"[A-Za-z0-9_.~+/=-]{1,256}")


def signed(secret: str, content: bytes) -> str:
    """`sha256=` and the base64 of the HMAC."""
    return "sha256=" + base64.b64encode(hmac.new(secret.encode(), content, hashlib.sha256).digest()).decode()


def answered(secret: str, query: Mapping[str, str]) -> ChallengeAnswer:
    """The answer to a challenge; BadHook when it has no token, or one that could be a body."""
    token = query.get("crc_token", "")
    if _TOKEN.fullmatch(token) is None:
        raise BadHook("crc_token is missing, or is no token that X would send", status=400)
    return ChallengeAnswer(json.dumps({"response_token": signed(secret, token.encode())}), "application/json")


def event_of(secret: str, hook: Hook) -> Mapping[str, Any]:
    """The event in a call: event_type, filter, payload, includes. BadHook 401: not signed by X; 400, 422: not one."""
    given = hook.headers.get(HEADER, "")
    if not given:
        raise BadHook(f"{HEADER} is missing: only X may call this", status=401)
    if not hmac.compare_digest(given.encode(), signed(secret, hook.body).encode()):
        raise BadHook("the signature does not fit this body and the app's API secret", status=401)
    try:
        told = json.loads(hook.body)
    except (ValueError, RecursionError):
        raise BadHook("the body is not JSON", status=400) from None
    data = told.get("data") if isinstance(told, dict) else None
    if not isinstance(data, dict) or not isinstance(data.get("event_type"), str):
        raise BadHook("the body holds no event of the X Activity API", status=422)
    return data


def users_of(event: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The people an event tells of: a list beside it or a map in it; each may be wrapped in `data`."""
    found: list[Any] = []
    for place in (event.get("includes"), event.get("payload")):
        users = place.get("users") if isinstance(place, Mapping) else None
        found += list(users.values()) if isinstance(users, Mapping) else users if isinstance(users, list) else []
    plain = [one.get("data", one) if isinstance(one, Mapping) else None for one in found]
    return [one for one in plain if isinstance(one, Mapping)]
