"""Calls of one bot, and what Telegram's refusals ask us to do.

Every answer is `{"ok", "result"}` or `{"ok": false, "error_code", "description", "parameters"}` (Making requests).
The sentences of refusals are no promise of Telegram's; those here are what users of the Bot API report ("message to
be replied not found" since 2024, Stickerifier/Stickerify#254; "replied message not found" before). What is not among
them is Rejected with Telegram's own words.
"""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Mapping, Sequence
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
    Temporary,
    Uncertain,
)
from connector.http import Answer, Download, Http, retry_after

_REFUSED = (400, 401, 403, 404, 409, 413, 429)
_DEFAULT_WAIT = 30.0
_FILE_PATH = re.compile(r"[\w-]+(?:[./ ()+-]+[\w()+-]+)*", re.ASCII)


class Moved(ConnectorError):
    """The group became a supergroup, which has another number; nothing was done."""

    def __init__(self, chat: int) -> None:
        super().__init__()
        self.chat = chat


class BadPhoto(ConnectorError):
    """Telegram does not take this file as a photo; nothing was done."""


@dataclass(frozen=True, slots=True)
class File:
    """A file to upload: the field it goes into, its name, its content and type."""

    field: str
    name: str
    content: bytes
    type: str


class Bot:
    """The methods of the Bot API, as one bot. `server` is the address before `/bot`."""

    def __init__(self, name: str, server: str, token: str, http: Http) -> None:
        self.name = name
        self._server = server
        self._token = token
        self._http = http
        http.explain = explain

    def read(self, method: str, params: Mapping[str, Any] | None = None) -> Any:
        """What a method without effect answers."""
        answer = self._call(method, params or {}, (), read=True, budget="read")
        result = _result(answer)
        if result is None:
            raise BadAnswer("the answer cannot be read", service=self.name, operation=method)
        return result

    def write(self, method: str, params: Mapping[str, Any], files: Sequence[File] = ()) -> Any:
        """What a method with an effect answers. Moved and BadPhoto: it was refused, for a reason with a remedy.
        Uncertain: it may have happened."""
        answer = self._call(method, params, files, read=False, budget=f"chat:{params.get('chat_id')}")
        result = _result(answer)
        if result is None:
            raise Uncertain("done, but the answer cannot be read", service=self.name, operation=method)
        return result

    def download(self, file_id: str, limit: int) -> Download:
        """A file that somebody sent: 20 MB at most (getFile), and the address it then has holds the token."""
        found = self.read("getFile", {"file_id": file_id})
        path = found.get("file_path") if isinstance(found, Mapping) else None
        size = found.get("file_size") if isinstance(found, Mapping) else None
        if not isinstance(path, str) or not _FILE_PATH.fullmatch(path):
            raise BadAnswer("the file has no readable path", service=self.name, operation="getFile")
        if isinstance(size, int) and size > limit:
            raise Rejected(f"the file is larger than {limit // 1024} kB", service=self.name, operation="getFile")
        url = f"{self._server}/file/bot{self._token}/{path}"
        answer = self._http.call("GET", url, operation="download", limits=("read",))
        if len(answer.body) > limit:
            raise Rejected(f"the file is larger than {limit // 1024} kB", service=self.name, operation="download")
        kind = answer.headers.get("Content-Type", "").split(";")[0].strip()
        return Download(answer.body, kind or "application/octet-stream")

    def _call(
        self, method: str, params: Mapping[str, Any], files: Sequence[File], *, read: bool, budget: str
    ) -> Answer:
        given = {name: value for name, value in params.items() if value is not None}
        body, kind = multipart(given, files) if files else (None, "")
        answer = self._http.call(
            "POST",
            f"{self._server}/bot{self._token}/{method}",
            operation=method,
            json=None if files else given,
            body=body,
            headers={"Content-Type": kind} if files else None,
            read=read,
            expect=_REFUSED,
            limits=(budget,),
        )
        if answer.status < 400:
            return answer
        error = refusal(answer, self.name, method)
        if isinstance(error, RateLimited):
            self._http.budget.pause(budget, error.wait, error.scope)
        raise error


def multipart(params: Mapping[str, Any], files: Sequence[File]) -> tuple[bytes, str]:
    """A multipart/form-data body and its Content-Type; whatever is no text goes as JSON, as Telegram wants it."""
    boundary = secrets.token_hex(16)
    parts: list[bytes] = []
    for name, value in params.items():
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, separators=(",", ":"))
        head = f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n'
        parts.append(head.encode() + text.encode())
    for file in files:
        shown = file.name.replace("\r", "%0D").replace("\n", "%0A").replace('"', "%22")
        head = (
            f'--{boundary}\r\nContent-Disposition: form-data; name="{file.field}"; filename="{shown}"\r\n'
            f"Content-Type: {file.type}\r\n\r\n"
        )
        parts.append(head.encode() + file.content)
    parts.append(f"--{boundary}--\r\n".encode())
    return b"\r\n".join(parts), f"multipart/form-data; boundary={boundary}"


# --- their answers -------------------------------------------------------------------------------------------

_NO_PARENT = ("message to be replied not found", "replied message not found", "reply message not found",
              "message to reply not found")  # fmt: skip
_NO_PHOTO = (
    "PHOTO_INVALID_DIMENSIONS",
    "PHOTO_SAVE_FILE_INVALID",
    "IMAGE_PROCESS_FAILED",
    "wrong type of the web page",
)
_CLOSED = (
    ("bot was blocked by the user", "the person has blocked this bot"),
    ("user is deactivated", "the person's account is deleted"),
    (
        "bot can't initiate conversation",
        "a bot may write privately only to who wrote to it first, and this person has not",
    ),
    ("bot was kicked", "this bot was removed from the chat"),
    ("bot is not a member", "this bot is not a member of the chat"),
    ("bot can't send messages to bots", "the author is a bot, and bots cannot be written to"),
    ("not enough rights", "this bot has no right to write in the chat"),
    ("have no rights to send", "this bot has no right to write in the chat"),
    ("need administrator rights", "this bot has no right to write in the chat"),
    ("CHAT_WRITE_FORBIDDEN", "this bot has no right to write in the chat"),
    ("CHAT_SEND_", "the chat does not allow messages of this kind"),
    ("TOPIC_CLOSED", "the topic is closed"),
    ("chat not found", "the chat is not there for this bot: the person never wrote to it, or the bot was removed"),
    ("PEER_ID_INVALID", "the chat is not there for this bot"),
    ("BUSINESS_PEER_INVALID", "the business account does not let this bot answer in this chat"),
    ("BUSINESS_PEER_USAGE_MISSING", "the business account lets a bot answer only within 24 hours of a message"),
    ("business connection not found", "the business account has disconnected this bot"),
    ("BUSINESS_CONNECTION", "the business account has disconnected this bot"),
)


def _told(answer: Answer) -> Mapping[str, Any]:
    try:
        told = answer.json()
    except BadAnswer:
        return {}
    return told if isinstance(told, Mapping) else {}


def _result(answer: Answer) -> Any:
    """The result of a success; None when there is none to read."""
    told = _told(answer)
    return told.get("result") if told.get("ok") is True else None


def explain(answer: Answer) -> str:
    """One sentence of a refusal."""
    words = " ".join(str(_told(answer).get("description") or "").split())[:300]
    return words or f"Telegram answered HTTP {answer.status}"


def refusal(answer: Answer, service: str, operation: str) -> ConnectorError:
    """What a refusal asks us to do."""
    sentence, status = explain(answer), answer.status
    where: dict[str, Any] = {"service": service, "operation": operation, "status": status}
    parameters = _told(answer).get("parameters")
    parameters = parameters if isinstance(parameters, Mapping) else {}
    if status == 429:
        asked = parameters.get("retry_after")
        wait = float(asked) if isinstance(asked, int | float) else retry_after(answer) or _DEFAULT_WAIT
        return RateLimited(wait=wait, scope="endpoint" if operation.startswith("get") else "lane", **where)
    if isinstance(parameters.get("migrate_to_chat_id"), int):
        return Moved(parameters["migrate_to_chat_id"])
    if status in (401, 404):  # 404: the token has not even the form of one
        return AuthFailed("Telegram does not know this token: take it from @BotFather again", **where)
    if status == 409:
        if "webhook" in sentence:
            remedy = "a webhook is set for this bot: set webhook_url here, or take it away with deleteWebhook"
            return Rejected(remedy, **where)
        return Temporary("another program asks for this bot's updates: let only one do so", wait=30.0, **where)
    low = sentence.lower()
    if any(words in low for words in _NO_PARENT):
        return Gone("the message this answers was deleted", **where)
    if any(words.lower() in low for words in _NO_PHOTO):
        return BadPhoto(sentence, **where)
    for words, meaning in _CLOSED:
        if words.lower() in low:
            return Closed(meaning, **where)
    if status == 403:
        return Closed(sentence, **where)
    return Rejected(sentence, **where)
