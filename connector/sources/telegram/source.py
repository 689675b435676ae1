"""The source itself: what comes in, what goes out. The package tells its story."""

from __future__ import annotations

import hmac
import json
import re
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import PurePosixPath
from typing import Any, ClassVar, Literal
from urllib.parse import unquote, urlsplit

from pydantic import Field, SecretStr, field_validator, model_validator

from connector import log
from connector.adapter import Hook
from connector.errors import BadAnswer, BadHook, Closed, Gone, Rejected, Temporary, Uncertain, Unsupported
from connector.http import Download, Http
from connector.model import (
    Attachment,
    Cursor,
    Identity,
    Key,
    Mention,
    Page,
    Receipt,
    ReplyDraft,
    ReplyLimits,
    Request,
    utc,
)
from connector.sources.base import Source, SourceCapabilities, SourceOptions, WebAddress
from connector.sources.telegram.bot import BadPhoto, Bot, File, Moved
from connector.sources.telegram.updates import ALLOWED, PAGE, Albums, Memory, Sieve, as_update
from connector.sources.telegram.words import Place, Reader, id_of, link_in, memo_of, url_of, utf16

MAX_TEXT = 4_096
MAX_CAPTION = 1_024
MAX_UPLOAD = 50 * 1024 * 1024
_MAX_PHOTO = 10 * 1024 * 1024
_MOST_FILES = 10
_BUSINESS_WINDOW = timedelta(hours=24)
_HOOK_LOOK = 60.0
_PHOTOS = frozenset({"image/jpeg", "image/png", "image/webp"})
_TOKEN = re.compile(r"\d{3,20}:[A-Za-z0-9_-]{20,100}")

_PLACES: tuple[Place, ...] = ("group", "comment", "private", "business", "direct")


class TelegramOptions(SourceOptions):
    """A bot, made with @BotFather. With `webhook_url` Telegram calls us; without it we ask Telegram."""

    token: SecretStr = Field(description="the bot's token from @BotFather, digits, a colon and letters")
    listen: tuple[Place, ...] = Field(
        default=_PLACES,
        min_length=1,
        description="where mentions are taken from: group, comment, private, business, direct",
    )
    chats: tuple[int, ...] = Field(
        default=(), description="ids of the only chats to listen in; none: every chat the bot is in"
    )
    own_accounts: tuple[str, ...] = Field(
        default=(), description="who else speaks for us there, by id or @name; what they write becomes no ticket"
    )
    conversation: Literal["thread", "thread_and_author"] = Field(
        default="thread_and_author", description="what belongs on one ticket: a whole thread, or one author in it"
    )
    poll: float = Field(default=0.5, ge=0.05, description="seconds between two pulls; default with a webhook: 30")
    long_poll: int = Field(default=4, ge=0, le=10, description="seconds Telegram may wait for something to tell")
    webhook_url: WebAddress | None = Field(
        default=None, description="our public https address ending in /hooks/NAME; Telegram is told it at the start"
    )
    webhook_secret: SecretStr | None = Field(
        default=None, description="what Telegram sends with every call: 1 to 256 letters, digits, _ and -"
    )
    max_parts: int = Field(default=4, ge=1, le=20, description="messages a longer reply may be split into")
    server: WebAddress = Field(default="https://api.telegram.org", description="address of the Bot API server")

    @field_validator("token")
    @classmethod
    def _is_token(cls, value: SecretStr) -> SecretStr:
        if not _TOKEN.fullmatch(value.get_secret_value()):
            raise ValueError("is not of the form 123456:letters, as @BotFather gives it")
        return value

    @field_validator("webhook_secret")
    @classmethod
    def _can_be_sent(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and not re.fullmatch(r"[A-Za-z0-9_-]{1,256}", value.get_secret_value()):
            raise ValueError("may have letters, digits, _ and - only, at most 256")
        return value

    @model_validator(mode="before")
    @classmethod
    def _looks_seldom_when_called(cls, data: Any) -> Any:
        """With a webhook a pull only looks after that: not twice a second, since each look is a write."""
        if isinstance(data, Mapping) and data.get("webhook_url") is not None:
            return {"poll": 30.0, **data}
        return data

    @model_validator(mode="after")
    def _has_a_lock(self) -> TelegramOptions:
        if self.webhook_url is not None and self.webhook_secret is None:
            raise ValueError("webhook_url needs webhook_secret, so that only Telegram can call it")
        return self


class Telegram(Source):
    """One bot."""

    type: ClassVar[str] = "telegram"
    about: ClassVar[str] = (
        "groups, comments below channel posts, private and business chats of a bot; answers with files"
    )
    unconfirmed: ClassVar[tuple[str, ...]] = (
        "the wording of refusals (an unknown one is shown to the agent as it is)",
        "`message_thread_id` on replies in supergroups without topics (seen by others)",
        "that a message of before a group became a supergroup can still be replied to",
    )
    Options = TelegramOptions
    capabilities: ClassVar[SourceCapabilities] = SourceCapabilities(
        kinds=("comment", "post", "dm"),
        pull=True,
        push=True,
        edits=True,
        deletes=True,
        reply=True,
        private_reply=True,
        locate=True,
        attachments_in=True,
        attachments_out=True,
    )

    def __init__(
        self, name: str, options: TelegramOptions, http: Http, *, clock: Callable[[], float] = time.time
    ) -> None:
        super().__init__(name, options, http)
        self.options: TelegramOptions = options
        self._clock = clock
        token = options.token.get_secret_value()
        number, _, rest = token.partition(":")
        for secret in (token, rest, *(one.get_secret_value() for one in (options.webhook_secret,) if one)):
            log.remember_secret(secret)
        self._bot = Bot(name, options.server, token, http)
        self._ours = frozenset(one.lower() for one in options.own_accounts)
        self._sieve = Sieve(
            Reader(name, number, self._ours),
            frozenset(options.listen),
            frozenset(map(str, options.chats)),
            lambda update: log.get(account=name).warning("update cannot be read, left out", update=update),
        )
        self._hooked = Albums()
        self._lock = threading.Lock()
        self._moved: dict[int, int] = {}
        self._next_look = 0.0
        self._told_telegram = False

    # who we are

    def check(self) -> Identity:
        """The bot, and what it cannot see: with privacy mode on, only commands and replies to it come from groups."""
        me = self._bot.read("getMe")
        if not isinstance(me, Mapping) or "id" not in me:
            raise BadAnswer("the answer does not say who we are", service=self.name, operation="getMe")
        notes = []
        if not me.get("can_read_all_group_messages") and {"group", "comment"} & set(self.options.listen):
            notes.append(
                "privacy mode is on: in groups where the bot is no admin it sees only commands, mentions of it and "
                "replies to it (@BotFather, /setprivacy)"
            )
        if not me.get("can_connect_to_business") and "business" in self.options.listen:
            notes.append("business mode is off: no business chats (@BotFather, /mybots, Bot Settings)")
        handle = str(me.get("username") or me["id"])
        return Identity(str(me["id"]), f"@{handle}", f"https://t.me/{handle}", tuple(notes))

    # what comes in

    def fetch(self, cursor: Cursor | None, limit: int) -> Page[Mention]:
        """Updates not told yet, as mentions. None: forgets what waits there. With a webhook: only looks after it."""
        now = self._clock()
        if self.options.webhook_url is not None:
            self._look_after_hook(now)
            return Page((), cursor or Memory(at=now).written())
        if cursor is None:
            last = self._updates(-1, 0)
            offset = int(last[-1]["update_id"]) + 1 if last else 0
            return Page((), Memory(offset=offset, at=now).written())
        memory = Memory.read(cursor)
        updates = self._updates(memory.asked(now), self.options.long_poll)
        mentions, more = self._sieve.page(memory, updates, limit, self._clock())
        return Page(tuple(mentions), memory.written(), more)

    def _updates(self, offset: int | None, wait: int) -> list[Mapping[str, Any]]:
        params = {"offset": offset, "limit": PAGE, "timeout": wait, "allowed_updates": list(ALLOWED)}
        found = self._bot.read("getUpdates", params)
        try:
            return [as_update(one) for one in found]
        except (TypeError, ValueError):
            raise BadAnswer("the answer holds no updates", service=self.name, operation="getUpdates") from None

    def _look_after_hook(self, now: float) -> None:
        """Tell Telegram our address, once in a life of ours (what secret it knows cannot be asked) and when another
        stands there; Temporary with its words when it cannot reach us."""
        secret = self.options.webhook_secret
        if now < self._next_look or secret is None:
            return
        info = self._bot.read("getWebhookInfo")
        if not self._told_telegram or info.get("url") != self.options.webhook_url:
            self._bot.read(
                "setWebhook",
                {
                    "url": self.options.webhook_url,
                    "secret_token": secret.get_secret_value(),
                    "allowed_updates": list(ALLOWED),
                },
            )
            self._told_telegram = True
        self._next_look = now + _HOOK_LOOK
        failed = info.get("last_error_date")
        if info.get("pending_update_count") and isinstance(failed, int) and now - failed < 5 * _HOOK_LOOK:
            why = str(info.get("last_error_message") or "")[:200]
            raise Temporary(f"Telegram cannot call us: {why}", wait=_HOOK_LOOK, service=self.name)

    def read_hook(self, hook: Hook) -> Sequence[Mention]:
        """The mentions of one update. BadHook 401: it does not come from Telegram; 400: it is no update."""
        secret = self.options.webhook_secret
        if secret is None:
            raise BadHook("no webhook_secret is set for this source, so it takes no calls", status=401)
        given = hook.headers.get("x-telegram-bot-api-secret-token", "").encode()
        if not hmac.compare_digest(given, secret.get_secret_value().encode()):
            raise BadHook("X-Telegram-Bot-Api-Secret-Token is not the webhook_secret of this source", status=401)
        try:
            update = as_update(json.loads(hook.body))
        except (TypeError, ValueError, RecursionError):
            raise BadHook("the body is not an update of the Bot API", status=400) from None
        with self._lock:
            return self._sieve.hooked(update, self._hooked, hook.received_at)

    def download(self, ref: str, limit: int) -> Download:
        """A file that somebody sent, by its file_id."""
        return self._bot.download(ref, limit)

    def locate(self, mention: Mention) -> Mention | None:
        """The message at a t.me address in a supergroup the bot is in, with the words, the author and the time that
        the finder told: the Bot API shows no message, so an id is all that can be looked up. None also for one
        without words, for a channel's own post, and for a place or chat that is not listened to."""
        link = link_in(mention.url)
        if link is None or not mention.text:
            return None
        try:
            chat = self._bot.read("getChat", {"chat_id": link.chat})
            if link.post:
                chat = self._bot.read("getChat", {"chat_id": chat["linked_chat_id"]})
            known = self._in_chat(chat)
        except (KeyError, TypeError, AttributeError, Closed, Rejected, Gone):
            return None
        if known is None:
            return None
        message: dict[str, Any] = {"chat": chat, "message_id": link.message}
        return replace(
            mention,
            source=self.name,
            platform="telegram",
            external_id=id_of(message),
            version="",
            kind="comment" if link.post else "post",
            url=url_of(message),
            thread_id=f"{chat['id']}/{link.thread or link.message}",
            parent=None,
            own=f"@{mention.author.handle}".lower() in known | self._ours,
            ref="",
        )

    def _in_chat(self, chat: Any) -> set[str] | None:
        """What the bot is called, where it is in that supergroup and listens there; else None."""
        place = "comment" if chat.get("linked_chat_id") else "group"
        if chat["type"] != "supergroup" or not {place, "group"} & set(self.options.listen):
            return None
        if self.options.chats and chat["id"] not in self.options.chats:
            return None
        me = self._bot.read("getMe")
        there = self._bot.read("getChatMember", {"chat_id": chat["id"], "user_id": me["id"]})
        inside = there["status"] in ("creator", "administrator", "member") or there.get("is_member") is True
        return {f"@{me.get('username')}".lower()} if inside else None

    # what goes out

    def reply_limits(self, mention: Mention) -> ReplyLimits:
        """4,096 UTF-16 code units, 1,024 below files. Closed: the business account does not let us."""
        memo = self._memo(mention)
        closes_at = None
        if connection := memo.get("business"):
            closes_at = mention.created_at + _BUSINESS_WINDOW
            found = self._bot.read("getBusinessConnection", {"business_connection_id": connection})
            if not found.get("is_enabled"):
                raise self._closed("the business account has disconnected this bot")
            if not (found.get("rights") or {}).get("can_reply"):
                raise self._closed("the business account does not let this bot answer (right: reply to messages)")
            if utc(self._clock()) > closes_at:
                raise self._closed("in a business chat a bot may answer only within 24 hours of a message")
        return ReplyLimits(MAX_TEXT, self.options.max_parts, closes_at, MAX_CAPTION)

    def measure(self, text: str) -> int:
        """UTF-16 code units. Words are sent as they are, with nothing to parse in them."""
        return utf16(text)

    def prepare(self, draft: ReplyDraft) -> Request:
        """The message. Whether what it answers is still there, only Telegram knows: it says so to `send`."""
        memo = self._memo(draft.mention)
        files = [_file_of(one) for one in draft.attachments]
        if len(files) > _MOST_FILES:
            raise Rejected(f"Telegram takes {_MOST_FILES} files in one answer, not {len(files)}", service=self.name)
        private = draft.private and not draft.mention.private
        frozen: dict[str, Any] = {"chat": memo["chat"], "text": draft.text, "files": files}
        if private:
            if "user" not in memo:
                raise self._closed("it was said in the name of a channel, which cannot be written to privately")
            frozen["chat"] = memo["user"]
        if not private or draft.previous is not None:
            previous = draft.previous.id.rsplit("/", 1)[-1] if draft.previous is not None else memo["message"]
            frozen["answers"] = int(previous)
        if not private:
            frozen |= {word: memo[word] for word in ("business", "topic") if word in memo}
        return Request("message", json.dumps(frozen, ensure_ascii=False, separators=(",", ":")))

    def send(self, request: Request, key: Key) -> Receipt:
        """One message, or one album. Gone: what it answers was deleted. Closed: we may not write there."""
        frozen = json.loads(request.body)
        files = [self._fetched(one, number) for number, one in enumerate(frozen["files"])]
        chat = self._moved.get(frozen["chat"], frozen["chat"])
        try:
            return self._posted(frozen, chat, files)
        except Moved as moved:
            self._moved[frozen["chat"]] = moved.chat
            return self._posted(frozen, moved.chat, files)

    def find(self, request: Request, key: Key) -> tuple[Receipt, ...]:
        """The Bot API shows no message that was sent."""
        raise Unsupported("Telegram cannot be asked whether a message was sent", service=self.name)

    # steps

    def _posted(self, frozen: Mapping[str, Any], chat: int, files: Sequence[File]) -> Receipt:
        """Posting it. A group that became a supergroup has new numbers: what is answered stands in the old one."""
        params: dict[str, Any] = {
            "chat_id": chat,
            "business_connection_id": frozen.get("business"),
            "direct_messages_topic_id": frozen.get("topic"),
        }
        if "answers" in frozen:
            answered: dict[str, Any] = {"message_id": frozen["answers"], "allow_sending_without_reply": False}
            if chat != frozen["chat"]:
                answered["chat_id"] = frozen["chat"]
            params["reply_parameters"] = answered
        words = frozen["text"]
        if not files:
            return self._receipt(self._bot.write("sendMessage", params | {"text": words}))
        photos = all(one.type in _PHOTOS and len(one.content) <= _MAX_PHOTO for one in files)
        try:
            return self._receipt(self._upload(params, words, files, "photo" if photos else "document"))
        except BadPhoto as error:
            if not photos:
                raise Rejected(error.sentence, service=self.name) from None
            return self._receipt(self._upload(params, words, files, "document"))

    def _upload(self, params: dict[str, Any], words: str, files: Sequence[File], kind: str) -> Any:
        caption = {"caption": words} if words else {}
        if len(files) == 1:
            (file,) = files
            named = File(kind, file.name, file.content, file.type)
            return self._bot.write(f"send{kind.capitalize()}", params | caption, [named])
        media: list[dict[str, str]] = [{"type": kind, "media": f"attach://{one.field}"} for one in files]
        media[0] |= caption
        return self._bot.write("sendMediaGroup", params | {"media": media}, files)

    def _fetched(self, told: Mapping[str, str], number: int) -> File:
        """A file of the agent's, before anything is sent."""
        file = self.http.file(Attachment(told["url"], told["type"], told["name"], ref=told["ref"]), limit=MAX_UPLOAD)
        name = told["name"] or PurePosixPath(unquote(urlsplit(told["url"]).path)).name or "file"
        kind = told["type"] or file.type
        return File(f"file{number}", name, file.content, kind)

    def _receipt(self, sent: Any) -> Receipt:
        message = sent[0] if isinstance(sent, list) and sent else sent
        try:
            return Receipt(id_of(message), url_of(message))
        except (KeyError, TypeError, AttributeError):
            raise Uncertain("posted, but the answer cannot be read", service=self.name, operation="reply") from None

    def _memo(self, mention: Mention) -> dict[str, Any]:
        memo = memo_of(mention)
        if not memo:
            raise Rejected("this mention is not from Telegram", service=self.name, operation="reply")
        return memo

    def _closed(self, why: str) -> Closed:
        return Closed(why, service=self.name, operation="reply")


def _file_of(attachment: Attachment) -> dict[str, str]:
    return {"url": attachment.url, "type": attachment.type, "name": attachment.name, "ref": attachment.ref}
