"""Anything that can make an HTTP call, bridged with Mention JSON; replies go to the bridge's own address.

It hides signing. One rule must hold: nothing of a call is read before the call is known to be authentic. A call is
authentic when it is signed as Standard Webhooks says (https://www.standardwebhooks.com) or carries the bearer token.
A signed call that is sent again within the library's five minutes is authentic; its mentions carry the same ids, so
the store knows them.

A reply is one POST to `reply_url`, signed the same way. The bridge gets our key in the body and as `webhook-id`, has
to treat it as an idempotency key (the same key again: the same answer, no second post), and then nothing is ever
posted twice. A bridge that cannot promise this says `reply_idempotent: false`; what was in doubt then ends unsure.
"""

from __future__ import annotations

import hmac
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, ClassVar
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator, model_validator
from standardwebhooks.webhooks import EmptyWebhookSecretError, WebhookVerificationError
from standardwebhooks.webhooks import Webhook as Signer

from connector.adapter import Hook
from connector.errors import BadHook, Closed, Gone, Unsupported
from connector.http import Answer, Http
from connector.log import remember_secret
from connector.mentionjson import read_mentions
from connector.model import Identity, Key, Mention, Receipt, ReplyDraft, ReplyLimits, Request
from connector.sources.base import Source, SourceCapabilities, SourceOptions


class WebhookOptions(SourceOptions):
    """`token` or `secret` has to be given: an open door would let anybody write tickets."""

    token: SecretStr | None = Field(default=None, description="bearer token that callers send", min_length=8)
    secret: SecretStr | None = Field(
        default=None, description="signing secret of Standard Webhooks, whsec_ and base64, for calls both ways"
    )
    platform: str = Field(default="", description="network the mentions come from; default: the source's name")
    reply_url: str | None = Field(default=None, description="where replies are posted; without it: no replies")
    reply_secret: SecretStr | None = Field(
        default=None, description="signing secret for replies; default: the same as `secret`"
    )
    reply_token: SecretStr | None = Field(default=None, description="bearer token sent with replies, if any")
    reply_idempotent: bool = Field(
        default=True, description="the receiver answers the same key again with the same id and posts nothing"
    )
    max_length: int | None = Field(default=None, ge=1, description="characters that fit in one reply; default: any")
    max_parts: int = Field(default=4, ge=1, le=20, description="parts a longer reply may be split into")

    @field_validator("secret", "reply_secret")
    @classmethod
    def _can_sign(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None:
            try:
                Signer(value.get_secret_value())
            except (EmptyWebhookSecretError, ValueError):
                raise ValueError("has to be whsec_ followed by base64, as Standard Webhooks has it") from None
        return value

    @field_validator("reply_url")
    @classmethod
    def _is_address(cls, value: str | None) -> str | None:
        if value is not None and not value.startswith(("http://", "https://")):
            raise ValueError("has to begin with http:// or https://")
        return value

    @model_validator(mode="after")
    def _has_a_lock(self) -> WebhookOptions:
        if self.token is None and self.secret is None:
            raise ValueError("needs `token` or `secret`, so that only your bridge can call it")
        return self


class Webhook(Source):
    """POST /hooks/<name> in, POST <reply_url> out."""

    type: ClassVar[str] = "webhook"
    about: ClassVar[str] = "anything that can make an HTTP call; answers go to your reply_url"
    Options = WebhookOptions
    capabilities: ClassVar[SourceCapabilities] = SourceCapabilities(
        push=True,
        edits=True,
        deletes=True,
        reply=True,
        private_reply=True,
        idempotent_reply=True,
        attachments_in=True,
        attachments_out=True,
    )

    def __init__(self, name: str, options: WebhookOptions, http: Http) -> None:
        super().__init__(name, options, http)
        self.options: WebhookOptions = options
        self.platform = options.platform or name
        for secret in (options.token, options.secret, options.reply_secret, options.reply_token):
            if secret is not None:
                remember_secret(secret.get_secret_value())
        signing = options.reply_secret or options.secret
        self._signer = Signer(signing.get_secret_value()) if signing is not None else None
        http.explain = explain

    @property
    def replies(self) -> bool:
        """Only with a `reply_url`."""
        return self.options.reply_url is not None

    def check(self) -> Identity:
        """No call is made: a bridge has no answer to "who am I" that we could know."""
        host = urlsplit(self.options.reply_url or "").hostname
        out = f"replies go to {host}" if host else "cannot be answered: no reply_url is set"
        return Identity(self.name, self.platform, notes=(f"takes calls at /hooks/{self.name}", out))

    def read_hook(self, hook: Hook) -> Sequence[Mention]:
        """The mentions of one call. BadHook 401: not authentic; 400, 413, 422: not readable."""
        self._authenticate(hook)
        return read_mentions(hook.body, source=self.name, platform=self.platform, received_at=hook.received_at)

    def reply_limits(self, mention: Mention) -> ReplyLimits:
        """As configured: the bridge knows its platform, we do not."""
        self._reply_url()
        return ReplyLimits(self.options.max_length, self.options.max_parts if self.options.max_length else 1)

    def prepare(self, draft: ReplyDraft) -> Request:
        """The body but for the key. Parts of a split reply say which they are, and which post they follow."""
        self._reply_url()
        body: dict[str, Any] = {
            "mention_id": draft.mention.external_id,
            "thread_id": draft.mention.thread_id,
            "text": draft.text,
            "html": draft.html,
            "private": draft.private,
            "attachments": [{"url": one.url, "type": one.type, "name": one.name} for one in draft.attachments],
        }
        if draft.parts > 1:
            body |= {"part": draft.part, "parts": draft.parts}
            body["previous"] = draft.previous.id if draft.previous is not None else None
        text = json.dumps(body, ensure_ascii=False, separators=(",", ":"))
        return Request("reply", text, repeatable=self.options.reply_idempotent)

    def send(self, request: Request, key: Key) -> Receipt:
        """One post. Closed (403): may not be answered. Gone (404, 410): no longer there. A 2xx without an id is still
        a post that happened; the key then stands for its id."""
        body = json.dumps({"key": key, **json.loads(request.body)}, ensure_ascii=False, separators=(",", ":"))
        answer = self.http.call(
            "POST",
            self._reply_url(),
            operation="reply",
            body=body,
            headers={"Content-Type": "application/json", **self._signed(key, body)},
            expect=(403, 404, 410),
        )
        if answer.status == 403:
            raise Closed(explain(answer), service=self.name, operation="reply", status=403)
        if answer.status in (404, 410):
            raise Gone(explain(answer), service=self.name, operation="reply", status=answer.status)
        return receipt_from(answer, key)

    def find(self, request: Request, key: Key) -> tuple[Receipt, ...]:
        """A bridge cannot be asked; where it keeps its promise about keys, sending again is the way to know."""
        raise Unsupported("the bridge cannot be asked whether it posted a reply", service=self.name)

    def _reply_url(self) -> str:
        if self.options.reply_url is None:
            raise Unsupported(
                f"{self.name} cannot be answered: use the link and answer there, or set reply_url",
                service=self.name,
            )
        return self.options.reply_url

    def _authenticate(self, hook: Hook) -> None:
        secret, token = self.options.secret, self.options.token
        if secret is not None and "webhook-signature" in hook.headers:
            verify(secret.get_secret_value(), hook)
            return
        sent = hook.headers.get("authorization", "")
        if token is not None and sent:
            scheme, _, given = sent.partition(" ")
            expected = token.get_secret_value().encode()
            if scheme.lower() == "bearer" and hmac.compare_digest(given.strip().encode(), expected):
                return
            raise BadHook("the bearer token is not the one configured for this source", status=401)
        ways = " or ".join(
            way
            for way, there in (
                ("sign it as Standard Webhooks says", secret),
                ("send Authorization: Bearer with the token", token),
            )
            if there is not None
        )
        raise BadHook(f"the call is not authenticated: {ways}", status=401)

    def _signed(self, key: Key, body: str) -> dict[str, str]:
        headers = {"webhook-id": str(key)}
        if self._signer is not None:
            now = datetime.now(UTC)
            headers["webhook-timestamp"] = str(int(now.timestamp()))
            headers["webhook-signature"] = self._signer.sign(msg_id=key, timestamp=now, data=body)
        if self.options.reply_token is not None:
            headers["Authorization"] = f"Bearer {self.options.reply_token.get_secret_value()}"
        return headers


def verify(secret: str, hook: Hook) -> None:
    """BadHook 401 unless the call is signed with that secret, for this body, within the last five minutes."""
    try:
        Signer(secret).verify(hook.body, dict(hook.headers), json_parse=False)
    except WebhookVerificationError as error:
        words = str(error).lower()
        if "too old" in words:
            sentence = "the signature is more than five minutes old: a replayed call, or a clock that is wrong"
        elif "too new" in words:
            sentence = "the signature is from the future: set the sender's clock"
        elif "required headers" in words:
            sentence = "webhook-id or webhook-timestamp is missing beside webhook-signature"
        elif "signature headers" in words:
            sentence = "webhook-timestamp has to be Unix seconds"
        else:
            sentence = "the signature does not fit this body and secret"
        raise BadHook(sentence, status=401) from None
    except UnicodeDecodeError:
        raise BadHook("the body is not UTF-8, so its signature cannot be checked", status=401) from None
    except ValueError:
        raise BadHook("webhook-signature has to be v1, and base64", status=401) from None


def receipt_from(answer: Answer, key: Key) -> Receipt:
    """The receipt in a bridge's answer `{"id", "url"}`."""
    try:
        told = json.loads(answer.body)
    except (ValueError, RecursionError):
        told = None
    if not isinstance(told, dict):
        return Receipt(id=str(key))
    given, url = told.get("id"), told.get("url")
    known = str(given).strip() if isinstance(given, str | int) and not isinstance(given, bool) else ""
    return Receipt(id=known or str(key), url=url if isinstance(url, str) else "")


def explain(answer: Answer) -> str:
    """One sentence from a bridge's refusal: its `error` or `message`, else what the status means here."""
    try:
        told = json.loads(answer.body)
    except (ValueError, RecursionError):
        told = None
    if isinstance(told, dict):
        for word in ("error", "message", "detail"):
            if isinstance(told.get(word), str) and told[word].strip():
                return " ".join(told[word].split())[:300]
    meanings = {
        403: "the bridge says this may not be answered",
        404: "the bridge says it is no longer there (or reply_url is wrong)",
        410: "the bridge says it is no longer there",
        409: "the bridge has this key already, with another text",
        422: "the bridge does not take this reply",
    }
    return meanings.get(answer.status, f"the bridge answered HTTP {answer.status}")
