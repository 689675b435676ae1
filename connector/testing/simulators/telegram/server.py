"""The server: who and where there is, what happens there, and the methods. The package tells its story."""

from __future__ import annotations

import copy
import itertools
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from connector.testing.simulators.telegram.description import Description
from connector.testing.simulators.telegram.wire import Json, Refused, Uploads, dump, params_of
from connector.testing.simulators.threaded import ThreadedServer, Told

_BOT_NAME = "brand_bot"
_LATEST = 1_790_000_000


class TelegramSimulator(ThreadedServer):
    """The server; a context manager that listens on a free port of loopback."""

    def __init__(self, token: str, *, description: Path | None = None) -> None:
        super().__init__()
        self.token = token
        self.bot: Json = {
            "id": int(token.split(":", maxsplit=1)[0]),
            "is_bot": True,
            "first_name": "Brand",
            "username": _BOT_NAME,
        }
        self.calls: list[str] = []
        self.asked: list[tuple[str, Json]] = []
        self.posted: list[Json] = []
        self.violations: list[str] = []
        self.updates: list[Json] = []
        self.webhook: Json = {"url": ""}
        self.blocked: set[int] = set()
        self.started: set[int] = set()
        self.refused_photos = False
        self.strange: list[Json] = []
        """Public groups and channels the bot is not in."""
        self._description = Description(description) if description else None
        self._chats: dict[int, Json] = {}
        self._messages: dict[tuple[str, int, int], Json] = {}
        self._connections: dict[str, Json] = {}
        self._files: dict[str, bytes] = {}
        self._moved: dict[int, int] = {}
        self._floods: dict[int, int] = {}
        self._numbers = itertools.count(5_000)
        self._people = itertools.count(70_000_001)
        self._groups = itertools.count(1_500)
        self._update_ids = itertools.count(900_000_001)
        self._clock = itertools.count(_LATEST)
        self._how = ""
        self._cut_next = ""
        self._news = threading.Condition(self.lock)

    # who and where there is

    def person(self, name: str, username: str = "", *, started: bool = False) -> Json:
        """Somebody; `started`: has written to the bot before."""
        with self.lock:
            user: Json = {"id": next(self._people), "is_bot": False, "first_name": name, "language_code": "ru"}
            if username:
                user["username"] = username
            if started:
                self.started.add(user["id"])
            return user

    def private(self, user: Json) -> Json:
        """The chat between somebody and the bot, begun by them."""
        with self.lock:
            self.started.add(user["id"])
            chat = {"id": user["id"], "type": "private", "first_name": user["first_name"]}
            if "username" in user:
                chat["username"] = user["username"]
            return self._chats.setdefault(user["id"], chat)

    def group(self, title: str, *, username: str = "", basic: bool = False, **more: Any) -> Json:
        """A group the bot is in: a supergroup, or a small one."""
        with self.lock:
            number = next(self._groups)
            chat: Json = {"id": -number if basic else -(1_000_000_000_000 + number), "title": title}
            chat |= {"type": "group" if basic else "supergroup", **more}
            if username:
                chat["username"] = username
            return self._chats.setdefault(chat["id"], chat)

    def channel_post(self, group: Json, text: str, **more: Any) -> Json:
        """A post of the channel whose discussion group this is, as it is forwarded there."""
        channel = {"id": group["id"] - 50_000, "type": "channel", "title": f"{group['title']} News"}
        service = {"id": 777_000, "is_bot": False, "first_name": "Telegram"}
        return self.say(group, service, text, sender_chat=channel, is_automatic_forward=True, **more)

    def connect_business(self, owner: Json, *, can_reply: bool = True) -> Json:
        """A business account gives its chats to the bot."""
        with self.lock:
            connection: Json = {"id": f"bc{next(self._numbers)}", "user": owner, "user_chat_id": owner["id"]}
            connection |= {"date": next(self._clock), "is_enabled": True, "rights": {"can_reply": can_reply}}
            self._connections[connection["id"]] = connection
            self._tell("business_connection", copy.deepcopy(connection))
            return connection

    # what happens

    def say(self, chat: Json, user: Json, text: str = "", *, answers: Json | None = None, **more: Any) -> Json:
        """Somebody writes; the bot is told."""
        with self.lock:
            message: Json = {"message_id": next(self._numbers), "from": user, "chat": dict(chat)}
            message["date"] = next(self._clock)
            if text:
                message["text"] = text
            if answers is not None:
                message["reply_to_message"] = {k: v for k, v in answers.items() if k != "reply_to_message"}
                if chat["type"] == "supergroup":
                    message["message_thread_id"] = answers.get("message_thread_id", answers["message_id"])
            return self._heard(message | more)

    def say_in_business(
        self, connection: Json, user: Json, text: str, *, by_owner: bool = False, **more: Any
    ) -> Json:
        """A message in a chat of the business account: of its customer, or of the owner."""
        chat = {"id": user["id"], "type": "private", "first_name": user["first_name"]}
        who = connection["user"] if by_owner else user
        return self.say(chat, who, text, business_connection_id=connection["id"], **more)

    def album(self, chat: Json, user: Json, caption: str, contents: list[bytes], **more: Any) -> list[Json]:
        """Several photos at once, with the caption on the first."""
        group = str(next(self._numbers) * 7919)
        told: list[Json] = [{"caption": caption} if n == 0 and caption else {} for n in range(len(contents))]
        return [
            self.say(chat, user, media_group_id=group, photo=self.photo(content), **words, **more)
            for content, words in zip(contents, told, strict=True)
        ]

    def photo(self, content: bytes) -> list[Json]:
        """The sizes of a photo, the largest of which has this content."""
        return [self.file(content[:10], width=90, height=60), self.file(content, width=1280, height=853)]

    def file(self, content: bytes, *, size: int | None = None, **more: Any) -> Json:
        """A file object."""
        with self.lock:
            name = f"AgACAgIAAxkBAAI{next(self._numbers)}"
            self._files[name] = content
            size = len(content) if size is None else size
            return {"file_id": name, "file_unique_id": f"AQAD{name[-5:]}", "file_size": size, **more}

    def edit(self, message: Json, text: str) -> Json:
        """Its author changes it."""
        with self.lock:
            known = self._messages[_place(message)]
            known["caption" if "caption" in known or "photo" in known else "text"] = text
            known["edit_date"] = next(self._clock)
            kind = "edited_business_message" if "business_connection_id" in known else "edited_message"
            self._tell(kind, copy.deepcopy(known))
            return known

    def touch(self, message: Json) -> None:
        """Something about it changes that nobody wrote, such as its link's preview: told as an edit, but without
        a date."""
        with self.lock:
            self._tell("edited_message", copy.deepcopy(self._messages[_place(message)]))

    def delete(self, *messages: Json) -> None:
        """Their author deletes them; told in business chats only."""
        with self.lock:
            for message in messages:
                del self._messages[_place(message)]
            first = messages[0]
            if "business_connection_id" in first:
                told = {word: first[word] for word in ("business_connection_id", "chat")}
                self._tell("deleted_business_messages", told | {"message_ids": [m["message_id"] for m in messages]})

    def migrate(self, chat: Json) -> Json:
        """A small group becomes a supergroup."""
        with self.lock:
            after = self.group(chat["title"])
            self._moved[chat["id"]] = after["id"]
            service = {"id": 1, "is_bot": False, "first_name": "Ann"}
            self.say(chat, service, migrate_to_chat_id=after["id"])
            self.say(after, service, migrate_from_chat_id=chat["id"])
            return after

    def remove_bot(self, chat: Json) -> None:
        """The bot is thrown out."""
        self._chats.pop(chat["id"])

    def flood(self, chat: Json, seconds: int) -> None:
        """Too much was sent there: refused until `calm`."""
        self._floods[chat["id"]] = seconds

    def calm(self) -> None:
        """The waiting time is over."""
        self._floods.clear()

    def cut_next_of(self, method: str) -> None:
        """The next call of that method is done and not answered."""
        self._cut_next = method

    def misbehave(self, how: str) -> None:
        """unauthorized, slow_down, broken, cut, refuses or nonsense, for every call until `behave`."""
        self._how = how

    def behave(self) -> None:
        """Answer as one should again."""
        self._how = ""

    def forget_numbers(self, start: int) -> None:
        """A week without updates: numbers begin anew."""
        self._update_ids = itertools.count(start)

    def call_of(self, update: Json) -> tuple[dict[str, str], bytes]:
        """The headers and body of the call that brings an update to the webhook."""
        secret = self.webhook.get("secret_token")
        headers = {"content-type": "application/json"}
        if secret:
            headers["x-telegram-bot-api-secret-token"] = secret
        return headers, dump(update)

    def _heard(self, message: Json) -> Json:
        self._messages[_place(message)] = message
        self._tell("business_message" if "business_connection_id" in message else "message", copy.deepcopy(message))
        return message

    def _tell(self, kind: str, content: Json) -> None:
        self.updates.append({"update_id": next(self._update_ids), kind: content})
        self._news.notify_all()

    # one call

    def answer(self, verb: str, target: str, headers: dict[str, str], body: bytes) -> Told | None:
        """Status, headers and body of one call; None: hang up."""
        if target.startswith("/file/bot"):
            return self._download(target)
        token, _, method = target.removeprefix("/bot").partition("/")
        with self.lock:
            self.calls.append(method)
            spoiled = self._spoiled()
            if spoiled is not None:
                return spoiled
            try:
                if token != self.token or self._how == "unauthorized":
                    raise Refused(401, "Unauthorized") if ":" in token else Refused(404, "Not Found")
                params, uploads = params_of(headers.get("content-type", ""), body)
                self.asked.append((method, params))
                self._check(method, params, uploads)
                result = self._done(method, params, uploads)
            except Refused as refused:
                return refused.told()
            if self._how == "cut" or self._cut_next == method:
                self._cut_next = ""
                return None
            return 200, {}, dump({"ok": True, "result": result})

    def _check(self, method: str, params: Json, uploads: Uploads) -> None:
        if self._description is None:
            return
        problems = self._description.problems(method, params, set(uploads))
        self.violations += problems
        if problems:
            raise Refused(400, f"Bad Request: {problems[0]}")

    def _spoiled(self) -> Told | None:
        if self._how == "slow_down":
            refused = Refused(429, "Too Many Requests: retry after 7", retry_after=7)
            return refused.told()
        if self._how == "broken":
            return 502, {"Content-Type": "text/html"}, b"<html><h1>502 Bad Gateway</h1></html>"
        if self._how == "refuses":
            return Refused(400, "Bad Request: can't parse entities").told()
        if self._how == "nonsense":
            return 200, {"Content-Type": "text/html"}, b"<html>maintenance</html>"
        return None

    def _done(self, method: str, params: Json, uploads: Uploads) -> Any:
        if method in ("sendMessage", "sendPhoto", "sendDocument", "sendMediaGroup"):
            return self._send(method, params, uploads)
        known: dict[str, Callable[[Json], Any]] = {
            "getMe": lambda _: self.bot | {"can_read_all_group_messages": True, "can_connect_to_business": True},
            "getUpdates": self._get_updates,
            "setWebhook": self._set_webhook,
            "deleteWebhook": lambda _: self._set_webhook({"url": ""}),
            "getWebhookInfo": self._webhook_info,
            "getFile": self._get_file,
            "getBusinessConnection": self._get_connection,
            "getChat": self._get_chat,
            "getChatMember": self._get_member,
        }
        if method not in known:
            raise Refused(404, "Not Found")
        return known[method](params)

    def _get_updates(self, params: Json) -> list[Json]:
        if self.webhook["url"]:
            raise Refused(
                409,
                "Conflict: can't use getUpdates method while webhook is active; use deleteWebhook to delete it first",
            )
        offset, limit = int(params.get("offset", 0)), int(params.get("limit", 100))
        if not 1 <= limit <= 100:
            raise Refused(400, "Bad Request: invalid limit")
        if offset < 0:
            self.updates = self.updates[offset:]
        elif offset > 0:
            self.updates = [one for one in self.updates if one["update_id"] >= offset]
        wanted = params.get("allowed_updates")
        until = time.monotonic() + int(params.get("timeout", 0))
        while True:
            found = [one for one in self.updates if not wanted or next(k for k in one if k != "update_id") in wanted]
            left = until - time.monotonic()
            if found or left <= 0:
                return copy.deepcopy(found[:limit])
            self._news.wait(left)

    def _set_webhook(self, params: Json) -> bool:
        self.webhook = dict(params)
        return True

    def _webhook_info(self, _: Json) -> Json:
        told = {k: v for k, v in self.webhook.items() if k != "secret_token"}
        return {"has_custom_certificate": False, "pending_update_count": len(self.updates), **told}

    def _get_file(self, params: Json) -> Json:
        name = params["file_id"]
        if name not in self._files:
            raise Refused(400, "Bad Request: wrong file_id or the file is temporarily unavailable")
        if len(self._files[name]) > 20 * 1024 * 1024:
            raise Refused(400, "Bad Request: file is too big")
        return {"file_id": name, "file_unique_id": name[-5:], "file_path": f"photos/file_{name}.jpg"}

    def _download(self, path: str) -> Told | None:
        token, _, rest = path.removeprefix("/file/bot").partition("/")
        name = rest.removeprefix("photos/file_").removesuffix(".jpg")
        with self.lock:
            self.calls.append("download")
            spoiled = self._spoiled()
            if spoiled is not None or self._how == "cut":
                return spoiled
            if token != self.token or name not in self._files:
                return Refused(404, "Not Found").told()
            return 200, {"Content-Type": "image/jpeg"}, self._files[name]

    def _get_connection(self, params: Json) -> Json:
        found = self._connections.get(params["business_connection_id"])
        if found is None:
            raise Refused(400, "Bad Request: business connection not found")
        return found

    def _get_chat(self, params: Json) -> Json:
        """Public ones by name, whether the bot is in them or not; others by number, if it is."""
        named = str(params["chat_id"])
        for chat in (*self._chats.values(), *self.strange):
            public = f"@{chat.get('username')}".lower() == named.lower()
            if public or (str(chat["id"]) == named and chat not in self.strange):
                return chat
        raise Refused(400, "Bad Request: chat not found")

    def _get_member(self, params: Json) -> Json:
        chat = int(params["chat_id"])
        if chat not in self._chats:
            raise Refused(403, "Forbidden: bot is not a member of the supergroup chat")
        return {"status": "member", "user": self.bot}

    # sending

    def _send(self, method: str, params: Json, uploads: Uploads) -> Any:
        chat, connection = self._target(params), params.get("business_connection_id", "")
        above = self._answered(params, chat, connection)
        if method == "sendMediaGroup":
            media = params["media"]
            if not 2 <= len(media) <= 10:
                raise Refused(400, "Bad Request: wrong number of media in the group")
            group = str(next(self._numbers) * 7919)
            kinds = {one["type"] for one in media}
            if "document" in kinds and len(kinds) > 1:
                raise Refused(400, "Bad Request: documents can't be mixed with other media types")
            sent = []
            for one in media:
                upload = self._upload(one["type"], one["media"], uploads)
                caption = _caption(one.get("caption", ""))
                sent.append(self._post(chat, connection, above, upload | caption | {"media_group_id": group}))
            return sent
        if method == "sendMessage":
            text = params["text"]
            if not text.strip():
                raise Refused(400, "Bad Request: message text is empty")
            if len(text.encode("utf-16-le")) // 2 > 4096:
                raise Refused(400, "Bad Request: message is too long")
            return self._post(chat, connection, above, {"text": text})
        kind = method.removeprefix("send").lower()
        upload = self._upload(kind, params.get(kind, f"attach://{kind}"), uploads)
        return self._post(chat, connection, above, upload | _caption(params.get("caption", "")))

    def _target(self, params: Json) -> Json:
        number = int(params["chat_id"])
        if number in self._floods:
            wait = self._floods[number]
            raise Refused(429, f"Too Many Requests: retry after {wait}", retry_after=wait)
        if params.get("business_connection_id"):
            connection = self._get_connection(params)
            if not connection["is_enabled"] or not connection["rights"].get("can_reply"):
                raise Refused(400, "Bad Request: BUSINESS_PEER_INVALID")
            return {"id": number, "type": "private"}
        if number in self._moved:
            after = self._moved[number]
            raise Refused(400, "Bad Request: group chat was upgraded to a supergroup chat", migrate_to_chat_id=after)
        if number > 0:
            if number in self.blocked:
                raise Refused(403, "Forbidden: bot was blocked by the user")
            if number not in self.started:
                raise Refused(403, "Forbidden: bot can't initiate conversation with a user")
            return self._chats.get(number, {"id": number, "type": "private", "first_name": "Somebody"})
        if number not in self._chats:
            raise Refused(403, "Forbidden: bot was kicked from the supergroup chat")
        return self._chats[number]

    def _answered(self, params: Json, chat: Json, connection: str) -> Json | None:
        reply = params.get("reply_parameters")
        if reply is None:
            return None
        where = int(reply.get("chat_id", chat["id"]))
        found = self._messages.get((connection, where, int(reply["message_id"])))
        if found is None and not connection and not reply.get("allow_sending_without_reply"):
            raise Refused(400, "Bad Request: message to be replied not found")
        return found

    def _upload(self, kind: str, named: Any, uploads: Uploads) -> Json:
        field = str(named).removeprefix("attach://")
        if field not in uploads:
            raise Refused(400, f"Bad Request: there is no {kind} in the request")
        name, mime, content = uploads[field]
        if len(content) > 50 * 1024 * 1024:
            raise Refused(413, "Request Entity Too Large")
        if kind == "photo":
            if self.refused_photos or len(content) > 10 * 1024 * 1024:
                raise Refused(400, "Bad Request: PHOTO_INVALID_DIMENSIONS")
            return {"photo": self.photo(content)}
        return {"document": self.file(content, file_name=name, mime_type=mime)}

    def _post(self, chat: Json, connection: str, above: Json | None, content: Json) -> Json:
        message: Json = {"message_id": next(self._numbers), "from": self.bot, "chat": chat, "date": next(self._clock)}
        if connection:
            message["business_connection_id"] = connection
        if above is not None:
            message["reply_to_message"] = {k: v for k, v in above.items() if k != "reply_to_message"}
            if chat["type"] == "supergroup":
                message["message_thread_id"] = above.get("message_thread_id", above["message_id"])
        message |= content
        self._messages[_place(message)] = message
        self.posted.append(message)
        if connection:  # what goes out of a business chat is told, whoever sent it
            told = message | {"from": self._connections[connection]["user"], "sender_business_bot": self.bot}
            self._tell("business_message", copy.deepcopy(told))
        return message

    def content(self, message: Json) -> bytes:
        """The file of a message the bot sent."""
        file = message["photo"][-1] if "photo" in message else message["document"]
        return self._files[file["file_id"]]


def _place(message: Json) -> tuple[str, int, int]:
    return message.get("business_connection_id", ""), message["chat"]["id"], message["message_id"]


def _caption(text: str) -> Json:
    if len(text.encode("utf-16-le")) // 2 > 1024:
        raise Refused(400, "Bad Request: message caption is too long")
    return {"caption": text} if text else {}
