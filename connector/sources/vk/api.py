"""Calls of the VK API, and what its errors ask us to do.

POST with a form; the token in the header, so that it stands in no address and no echo of parameters. Every answer is
HTTP 200: `{"response": …}` or `{"error": {"error_code", "error_msg"}}`, without headers about limits. The codes are
those of errors.json in VKCOM/vk-api-schema; how long to wait VK does not say, so the waits here are ours.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from connector.errors import (
    AuthFailed,
    BadAnswer,
    Closed,
    ConnectorError,
    Gone,
    RateLimited,
    Rejected,
    Temporary,
    Uncertain,
)
from connector.http import Answer, Download, Http
from connector.log import remember_secret

VERSION = "5.199"

Json = Mapping[str, Any]


class Api:
    """The methods, with the community's token or with an administrator's. `server` is the address before /method/."""

    def __init__(self, name: str, server: str, token: str, user_token: str | None, http: Http) -> None:
        self.name = name
        self._server = server
        self._tokens = {"community": token, "user": user_token}
        self._http = http
        for secret in (token, user_token):
            if secret:
                remember_secret(secret)

    @property
    def has_user(self) -> bool:
        """Whether there is an administrator's token."""
        return self._tokens["user"] is not None

    def read(self, method: str, params: Json, *, user: bool = False) -> Any:
        """What a method without effect answers."""
        return self._call(method, params, user=user, read=True)

    def write(self, method: str, params: Json, *, user: bool = False) -> Any:
        """What a method with an effect answers. Uncertain: it may have happened."""
        return self._call(method, params, user=user, read=False)

    def poll(self, server: str, key: str, ts: str, wait: int) -> Json:
        """What Bots Long Poll answers: ts and updates, or failed."""
        remember_secret(key)
        params = {"act": "a_check", "key": key, "ts": ts, "wait": wait}
        told = _object(self._http.call("GET", server, operation="a_check", params=params, limits=("poll",)))
        if told is None or not ("failed" in told or isinstance(told.get("updates"), list)):
            raise BadAnswer("the answer holds no updates", service=self.name, operation="a_check")
        return told

    def upload(self, url: str, name: str, file: Download) -> Json | None:
        """What an upload server answers to a picture; None when it cannot be read."""
        boundary, shown = secrets.token_hex(16), re.sub(r'["\r\n]', "_", name)
        head = (
            f'--{boundary}\r\nContent-Disposition: form-data; name="photo"; filename="{shown}"\r\n'
            f"Content-Type: {file.type}\r\n\r\n"
        )
        body = head.encode() + file.content + f"\r\n--{boundary}--\r\n".encode()
        kind = {"Content-Type": f"multipart/form-data; boundary={boundary}"}
        return _object(self._http.call("POST", url, operation="upload", body=body, headers=kind, read=True))

    def _call(self, method: str, params: Json, *, user: bool, read: bool) -> Any:
        who = "user" if user else "community"
        token = self._tokens[who]
        if token is None:
            raise Rejected(f"{method} needs user_token, an administrator's", service=self.name, operation=method)
        given = {name: _plain(value) for name, value in params.items() if value is not None}
        answer = self._http.call(
            "POST",
            f"{self._server}/method/{method}",
            operation=method,
            body=urlencode(given | {"v": VERSION}),
            headers={"Content-Type": "application/x-www-form-urlencoded", "Authorization": f"Bearer {token}"},
            read=read,
            limits=(who,),
        )
        told = _object(answer)
        if told is not None and "response" in told:
            return told["response"]
        error = told.get("error") if told is not None else None
        if not isinstance(error, Mapping) or not isinstance(error.get("error_code"), int):
            kind = BadAnswer if read else Uncertain
            raise kind("the answer cannot be read", service=self.name, operation=method)
        raised = refusal(error, self.name, method, read=read)
        if isinstance(raised, RateLimited) and raised.scope == "account":
            self._http.budget.pause(who, raised.wait, "account")
        raise raised


def _plain(value: Any) -> str:
    if isinstance(value, bool):
        return str(int(value))
    return ",".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def _object(answer: Answer) -> Json | None:
    try:
        told = answer.json()
    except BadAnswer:
        return None
    return told if isinstance(told, Mapping) else None


# --- their errors --------------------------------------------------------------------------------------------

_WAITS: Mapping[int, tuple[float, bool]] = {
    6: (1.0, True),  # too many requests per second: 3 for a person, 20 for a community (not in the schema)
    9: (60.0, False),  # flood control: the same thing too often
    29: (3600.0, True),  # the method's limit of a day
    32: (30.0, True),
    223: (3600.0, False),  # too many replies
}
"""Seconds, and whether the whole account waits."""

_AUTH = frozenset({4, 5, 20, 27, 28, 1114, 1116, 1117, 3609})
_PERSON = frozenset({14, 17, 24, 25, 3300, 3301, 3302, 3303, 3304, 11500})
_MAYBE = frozenset({1, 10, 13, 36})
_LATER = frozenset({43, 603})
_GONE = frozenset({104, 629, 1403})
_CLOSED: Mapping[int, str] = {
    7: "the token has no right to do this here",
    15: "access is denied: the place is closed, or what was said there was deleted",
    18: "the person's account is deleted or banned",
    19: "VK has blocked what is said there",
    30: "the person's profile is private",
    37: "the person's account is banned",
    183: "access to the comment is denied",
    203: "access to the community is denied",
    204: "access to the video is denied",
    205: "access to the goods is denied",
    210: "access to the post is denied",
    211: "access to the comment is denied",
    212: "access to the comments of the post is denied",
    213: "comments are closed there",
    801: "comments on the video are closed",
    1401: "comments on the goods are closed",
    900: "the person is on the community's blacklist",
    901: "the person has not allowed messages of the community: they have to write to it first",
    902: "the person's privacy settings do not let the community write",
    917: "the community has no access to the chat",
    932: "the community cannot write to this peer",
    945: "the chat is switched off",
    946: "the chat cannot be written to",
    950: "the time in which this may be answered is over",
    985: "the community is for notifications only",
    1012: "writing is switched off in the chat",
    3610: "the person's account is deactivated",
}
_MENDED: Mapping[int, str] = {
    222: "VK takes no links in comments there: answer without the link",
    914: "the message is too long for VK",
    910: "the message is too big for VK",
}


def refusal(error: Json, service: str, operation: str, *, read: bool) -> ConnectorError:
    """What an error asks us to do."""
    code = int(error["error_code"])
    said = " ".join(str(error.get("error_msg") or "").split())[:200]
    sentence = f"VK answers {code}: {said}"
    where: dict[str, Any] = {"service": service, "operation": operation}
    if code in _WAITS:
        wait, whole = _WAITS[code]
        return RateLimited(sentence, wait=wait, scope="account" if whole else "lane", **where)
    if code in _AUTH:
        return AuthFailed(f"{sentence}; make a new token", **where)
    if code in _MAYBE:
        kind: type[ConnectorError] = Temporary if read else Uncertain
        return kind(sentence, **where)
    if code in _LATER:
        return Temporary(sentence, wait=300.0, **where)
    if code in _PERSON:
        return Rejected(f"VK wants a person to confirm this (error {code}): answer by hand", **where)
    if code in _GONE:
        return Gone(sentence, **where)
    if code in _CLOSED:
        return Closed(f"{_CLOSED[code]} (error {code})", **where)
    return Rejected(f"{_MENDED[code]} (error {code})" if code in _MENDED else sentence, **where)
