"""What goes out: a post or a message, made ready, sent once, and looked for when nobody knows."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from connector.errors import BadAnswer, Closed, ConnectorError, Rejected, Uncertain
from connector.http import Http
from connector.model import Attachment, Key, Receipt, ReplyDraft, Request
from connector.sources.x.account import Account, Spending, objects
from connector.sources.x.options import XOptions
from connector.sources.x.words import (
    FIELDS,
    MESSAGE_FIELDS,
    has_link,
    memo_of,
    post_url,
    reference,
    said_at,
    same_words,
    text_of,
    versions_of,
)

MESSAGES_OFF = "direct messages are off for this source (`direct_messages`)"
_MAX_PAGES = 9
_SKEW = 60.0
_PICTURES = ("image/jpeg", "image/png", "image/gif", "image/webp")
_PICTURE_BYTES = 5 * 1024 * 1024
_MOST_PICTURES = {"tweet_image": 4, "dm_image": 1}


@dataclass(slots=True)
class Posting:
    """The writing half of an account. `look` gives a post in its newest version, or raises Gone; `handle` is ours,
    once it is known."""

    name: str
    us: str
    options: XOptions
    account: Account
    spending: Spending
    http: Http
    clock: Callable[[], float]
    look: Callable[[str], Mapping[str, Any]]
    handle: str = ""

    def prepare(self, draft: ReplyDraft) -> Request:
        """The post, its pictures uploaded. Gone: what it answers was deleted. Closed, Rejected: it may not leave.

        Parts after the first answer the mention too, for only there X knows us as summoned; else the part before.
        """
        self.spending.take("post")
        at = int(self.clock())
        if draft.private:
            if not self.options.direct_messages:
                raise Closed(MESSAGES_OFF, service=self.name, operation="reply")
            to = str(memo_of(draft.mention).get("to") or draft.mention.author.id)
            media = self._uploaded(draft.attachments, "dm_image")
            return _frozen("message", {"to": to, "text": draft.text, "media": media, "at": at})
        if self.options.links == "refuse" and has_link(draft.text):
            raise Rejected(
                "it has a link, which X bills many times dearer (`links: refuse`): leave it out",
                service=self.name,
                operation="reply",
            )
        chained = draft.previous is not None and self.options.replies_to == "anyone"
        parent = draft.previous.id if chained and draft.previous is not None else draft.mention.external_id
        newest = versions_of(self.look(parent))[-1]
        media = self._uploaded(draft.attachments, "tweet_image")
        return _frozen("post", {"parent": newest, "text": draft.text, "media": media, "at": at})

    def send(self, request: Request, key: Key) -> Receipt:
        """One post or message. Closed: X refuses this answer. RateLimited: the day's budget is spent."""
        frozen = json.loads(request.body)
        self.spending.take("post", 1)
        try:
            return self._message(frozen) if request.op == "message" else self._post(request, key, frozen)
        except Uncertain:
            raise
        except ConnectorError:
            self.spending.give_back("post")
            raise

    def find(self, request: Request, key: Key) -> tuple[Receipt, ...]:
        """Our posts since then that answer the same one in the same words, oldest first; X keeps no key."""
        frozen = json.loads(request.body)
        since = frozen["at"] - _SKEW
        if request.op == "message":
            return self._found_messages(frozen, since)
        params = {
            "max_results": "100",
            "start_time": datetime.fromtimestamp(since, UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
            "tweet.fields": FIELDS["tweet.fields"],
        }
        found: list[str] = []
        for _ in range(_MAX_PAGES):
            answer = self.account.get(f"/2/users/{self.us}/tweets", params, operation="our posts")
            posts = objects(answer, "data")
            self.spending.has_read(str(one["id"]) for one in posts)
            found += [
                str(one["id"])
                for one in posts
                if reference(one, "replied_to") == frozen["parent"] and same_words(text_of(one), frozen["text"])
            ]
            following = (answer.get("meta") or {}).get("next_token")
            if not following:
                break
            params["pagination_token"] = str(following)
        return tuple(self._receipt(one) for one in sorted(found, key=int))

    def _post(self, request: Request, key: Key, frozen: Mapping[str, Any]) -> Receipt:
        body: dict[str, Any] = {"text": frozen["text"], "reply": {"in_reply_to_tweet_id": frozen["parent"]}}
        if frozen["media"]:
            body["media"] = {"media_ids": frozen["media"]}
        try:
            answer = self.account.post("/2/tweets", body, operation="reply")
        except Closed as refused:
            if "duplicate" in refused.sentence.lower() and (found := self.find(request, key)):
                return found[0]
            raise
        return self._receipt(self._id_in(answer.json, "id"))

    def _message(self, frozen: Mapping[str, Any]) -> Receipt:
        body: dict[str, Any] = {"text": frozen["text"]} if frozen["text"] else {}
        if frozen["media"]:
            body["attachments"] = [{"media_id": one} for one in frozen["media"]]
        path = f"/2/dm_conversations/with/{frozen['to']}/messages"
        answer = self.account.post(path, body, operation="message")
        return self._message_receipt(self._id_in(answer.json, "dm_event_id"), frozen["to"])

    def _found_messages(self, frozen: Mapping[str, Any], since: float) -> tuple[Receipt, ...]:
        path = f"/2/dm_conversations/with/{frozen['to']}/dm_events"
        answer = self.account.get(path, {"max_results": "100", **MESSAGE_FIELDS}, operation="message look-up")
        messages = objects(answer, "data")
        self.spending.has_read(str(one["id"]) for one in messages)
        found = [
            str(one["id"])
            for one in messages
            if str(one.get("sender_id")) == self.us
            and said_at(one).timestamp() >= since
            and same_words(text_of(one), frozen["text"])
        ]
        return tuple(self._message_receipt(one, frozen["to"]) for one in sorted(found, key=int))

    def _uploaded(self, files: Sequence[Attachment], kind: str) -> list[str]:
        """The ids of an agent's pictures, uploaded. Rejected: too many, too large, or no pictures."""
        most = _MOST_PICTURES[kind]
        if len(files) > most:
            raise Rejected(f"X takes at most {most} of such files: take some off", service=self.name)
        ids = []
        for file in files:
            got = self.http.download(file.url, limit=_PICTURE_BYTES)
            if got.type not in _PICTURES:
                raise Rejected(
                    f"X takes JPEG, PNG, GIF and WebP pictures from here, not {got.type or 'this file'}: take it off",
                    service=self.name,
                    operation="upload",
                )
            body = {"media": base64.b64encode(got.content).decode(), "media_category": kind}
            answer = self.account.post("/2/media/upload", body, operation="upload", harmless=True)
            try:
                ids.append(str(answer.json()["data"]["id"]))
            except (KeyError, TypeError):
                raise BadAnswer("the upload has no id", service=self.name, operation="upload") from None
        return ids

    def _id_in(self, read: Callable[[], Any], word: str) -> str:
        """The new id in an answer to a write; Uncertain when it cannot be read: it was done all the same."""
        try:
            return str(read()["data"][word])
        except (BadAnswer, KeyError, TypeError):
            raise Uncertain("posted, but the answer cannot be read", service=self.name, operation="reply") from None

    def _receipt(self, post_id: str) -> Receipt:
        return Receipt(post_id, post_url(self.options.web, self.handle, post_id))

    def _message_receipt(self, event_id: str, to: str) -> Receipt:
        pair = "-".join(sorted((self.us, to), key=int))
        return Receipt(f"dm:{event_id}", f"{self.options.web}/messages/{pair}")


def _frozen(op: str, body: Mapping[str, Any]) -> Request:
    return Request(op, json.dumps(body, ensure_ascii=False, separators=(",", ":")))
