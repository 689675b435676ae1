"""A pretended OK (Odnoklassniki): the Graph API of one group and its chats, and the calls of its webhook.

From the documents of https://apiok.ru (graph.user.info, chats, messages, subscribe, subscriptions), not from the
adapter. What they leave open it does in one way and says so here: the group's own messages have `group:ID` as sender,
a message that was sent is answered with `message_id`, refusals come with HTTP 200. It misbehaves on purpose: it loses
answers after the write, tells chats twice while they move, and orders histories newest first.
"""

from __future__ import annotations

import json
import time
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from connector.testing.simulators.threaded import ThreadedServer, Told

Row = dict[str, Any]
_CODES = {"unauthorized": (102, "PARAM_SESSION_EXPIRED : Session expired"), "refuses": (100, "PARAM : Invalid value")}


class OkError(Exception):
    """A refusal: code and words."""

    def __init__(self, code: int, words: str) -> None:
        super().__init__(words)
        self.body = {"error_code": code, "error_msg": words, "error_data": None}


class OkSimulator(ThreadedServer):
    """The server, with one group. `calls` are the calls so far, `subscribed` the addresses OK calls."""

    group = "54321000000001"
    token = "tkn18YdUJZe-with-many-letters:CQABPOJKAKEKEKEKE"

    def __init__(self) -> None:
        super().__init__()
        self.people: dict[str, str] = {}
        self.chats: dict[str, list[Row]] = {}
        self.titles: dict[str, Row] = {}
        self.forbidden: set[str] = set()
        self.subscribed: list[str] = []
        self.calls: list[str] = []
        self.page = 100
        self.silent_about_ids = False
        self.lose_next = False
        self.later = 0
        self._how = ""
        self._count = 0
        self._last = 0

    # what a test makes happen

    def person(self, name: str) -> str:
        """Somebody, as user:ID, with a chat of their own with the group."""
        with self.lock:
            who = f"user:{570000000000 + len(self.people)}"
            self.people[who] = name
            self.chats[self.chat(who)] = []
            return who

    def chat(self, who: str) -> str:
        """The chat of that person with the group."""
        return f"chat:C{int(who.removeprefix('user:')):x}"

    def say(self, who: str, text: str, **more: Any) -> str:
        """A person writes to the group; the mid."""
        return self._write(self.chat(who), {"name": self.people[who], "user_id": who}, text, **more)

    def say_ourselves(self, to: str, text: str) -> str:
        """A person of ours writes as the group, on OK's own pages."""
        return self._write(self.chat(to), {"name": "Brand", "user_id": f"group:{self.group}"}, text)

    def delete(self, mid: str) -> None:
        """Its author takes it back: histories do not show it any more."""
        with self.lock:
            for some in self.chats.values():
                some[:] = [one for one in some if one["message"]["mid"] != mid]

    def message(self, mid: str) -> Row:
        """A message as it stands there."""
        return next(one for some in self.chats.values() for one in some if one["message"]["mid"] == mid)

    def ours(self) -> list[str]:
        """What the group wrote, oldest first."""
        with self.lock:
            found = [one for some in self.chats.values() for one in some if one["sender"]["user_id"][:5] == "group"]
            return [str(one["message"].get("text", "")) for one in sorted(found, key=lambda one: one["timestamp"])]

    def call_of(self, mid: str) -> bytes:
        """The body of the webhook's call about a message."""
        return json.dumps(self.message(mid) | {"webhookType": "MESSAGE_CREATED"}).encode()

    def misbehave(self, how: str) -> None:
        """unauthorized, slow_down, broken, cut, refuses or nonsense, for every call until `behave`."""
        self._how = how

    def behave(self) -> None:
        """Answer as one should again."""
        self._how = ""

    def _write(self, chat: str, sender: Row, text: str, **more: Any) -> str:
        with self.lock:
            self._count += 1
            self._last = max(self._last + 1, time.time_ns() // 1_000_000 + self.later)
            mid = f"mid:{chat.removeprefix('chat:')}.{self._last:x}{self._count:x}"
            message: Row = {"seq": 98_211_000_000_000_000 + self._count, "mid": mid, **more}
            if text:
                message["text"] = text
            told = {"sender": sender, "recipient": {"chat_id": chat}, "message": message, "timestamp": self._last}
            self.chats[chat].append(told)
            return mid

    # one call

    def answer(self, verb: str, target: str, headers: dict[str, str], body: bytes) -> Told | None:
        """One call; a deed is done before its answer is lost."""
        parts = urlsplit(target)
        params = dict(parse_qsl(parts.query))
        path = parts.path.removeprefix("/graph/me/").strip("/")
        with self.lock:
            self.calls.append(f"{verb} {path}")
            if self._how == "slow_down":
                return 429, {"Retry-After": "7"}, b"too many"
            if self._how == "broken":
                return 503, {}, b"<html>maintenance</html>"
            if self._how == "nonsense":
                return 200, {}, b"<html>OK</html>"
            try:
                self._let_in(params)
                told = self._done(verb, path, params, headers, body)
            except OkError as error:
                told = error.body
            lost = self._how == "cut" or (self.lose_next and verb == "POST")
            self.lose_next = self.lose_next and not lost
            return None if lost else (200, {}, json.dumps(told, ensure_ascii=False).encode())

    def _let_in(self, params: dict[str, str]) -> None:
        if params.get("access_token") != self.token:
            raise OkError(103, "PARAM_SESSION_KEY : Invalid session key")
        if self._how in _CODES:
            raise OkError(*_CODES[self._how])

    def _done(self, verb: str, path: str, params: dict[str, str], headers: dict[str, str], body: bytes) -> Row:
        name, _, chat = path.partition("/")
        if verb == "GET" and name == "info":
            return {"name": "Brand", "group_id": f"group:{self.group}"}
        if verb == "GET" and name == "chats":
            return self._chats(params)
        if verb == "GET" and name == "messages":
            return self._messages(chat, params)
        if verb == "GET" and name == "subscriptions":
            return {"subscriptions": [{"time": 1498577751487, "url": one} for one in self.subscribed]}
        if verb == "POST" and headers.get("content-type") != "application/json;charset=utf-8":
            raise OkError(100, "PARAM : Content-Type")
        given = json.loads(body)
        if verb == "POST" and name == "subscribe":
            self.subscribed.append(given["url"])
            return {"success": True}
        if verb == "POST" and name == "messages":
            return self._send(chat, given)
        raise OkError(3, "METHOD : Unknown method")

    def _chats(self, params: dict[str, str]) -> Row:
        begin, count = int(params.get("marker", "m0")[1:]), min(int(params.get("count", 50)), self.page)
        if not 1 <= int(params.get("count", 50)) <= 100:
            raise OkError(100, "PARAM : count")
        shown = [
            {
                "type": "GROUP_CHAT",
                "status": "ACTIVE",
                "participants": {who: some[-1]["timestamp"] if some else 0},
                "lastEventTime": some[-1]["timestamp"] if some else 0,
                "chat_id": self.chat(who),
                "group_id": f"group:{self.group}",
            }
            for who in self.people
            for some in (self.chats[self.chat(who)],)
        ]
        shown.sort(key=lambda one: -int(str(one["lastEventTime"])))
        # a chat that moved up between two pages pushes another one down: it is told twice
        page = shown[max(0, begin - 1) : begin + count]
        return {"chats": page} | ({"marker": f"m{begin + count}"} if begin + count < len(shown) else {})

    def _messages(self, chat: str, params: dict[str, str]) -> Row:
        if chat not in self.chats:
            raise OkError(300, "NOT_FOUND : no such chat")
        latest, first = int(params.get("from", 2**63 - 1)), int(params.get("to", 0))
        found = [one for one in self.chats[chat] if first <= one["timestamp"] <= latest]
        return {"messages": found[::-1][: int(params.get("count", 50))]}

    def _send(self, chat: str, given: Row) -> Row:
        if chat not in self.chats or given.get("recipient") != {"chat_id": chat}:
            raise OkError(300, "NOT_FOUND : no such chat")
        text = str((given.get("message") or {}).get("text") or "")
        if not text or set(given["message"]) - {"text"}:
            raise OkError(100, "PARAM : message")
        if chat in self.forbidden:
            raise OkError(455, "FRIEND_RESTRICTION : the user has not allowed messages of the group")
        mid = self._write(chat, {"name": "Brand", "user_id": f"group:{self.group}"}, text)
        return {"success": True} if self.silent_about_ids else {"recipient_id": chat, "message_id": mid}
