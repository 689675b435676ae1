"""Answering: which call posts it, whether what it answers is still there, and whether it is posted already."""

from __future__ import annotations

import hashlib
import html
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from connector.errors import BadAnswer, ConnectorError, Gone, Uncertain, Unsupported
from connector.model import Key, Receipt
from connector.sources.vk.api import Api, Json
from connector.sources.vk.words import Place

_SLACK = 120
"""Seconds by which VK's clock and ours may differ."""


@dataclass(frozen=True, slots=True)
class Answers:
    """The community's own comments and messages.

    What is frozen: `kind` (message, or that of a place), `text`, `files` (what was uploaded), `at` (when it was made
    ready), `answers` (the comment or message), `after` (the part before); `peer` for messages, else `owner`, `thing`
    and `root` (the comment that begins the branch).
    """

    api: Api
    group: int

    def post(self, frozen: Json, key: Key) -> Receipt:
        """One comment or message. The guard against doubles goes with it: a number made from the key."""
        if frozen["kind"] == "message":
            params = {"peer_id": frozen["peer"], "message": frozen["text"] or None, "random_id": _random_id(key)}
            params["attachment"] = ",".join(frozen["files"]) or None
            if frozen.get("answers"):
                reply = {"peer_id": frozen["peer"], "conversation_message_ids": [frozen["answers"]], "is_reply": 1}
                params["forward"] = json.dumps(reply, separators=(",", ":"))
            return self._receipt(frozen, self.api.write("messages.send", params))
        method, params, user = _comment_call(frozen, self.group)
        return self._receipt(frozen, self.api.write(method, params | {"guid": str(key)}, user=user))

    def find(self, frozen: Json, key: Key) -> tuple[Receipt, ...]:
        """A message by its random_id; a comment of ours in that place, since then, with the same words. Unsupported:
        it cannot be read, or there is one with other words, which only a person can judge."""
        if frozen["kind"] == "message":
            params = {"peer_id": frozen["peer"], "count": 200, "group_id": self.group}
            sent = self._items("messages.getHistory", params, user=False)
            ours = [one for one in reversed(sent) if one.get("from_id") == -self.group]
            found = [one for one in ours if one.get("random_id") == _random_id(key)]
            if not found:  # a history that does not tell the numbers: then by its words
                found = [one for one in self._since(frozen, ours) if not one.get("random_id")]
                found = [one for one in found if _said(str(one.get("text") or "")) == _said(frozen["text"])]
            return tuple(self._message_receipt(frozen, one) for one in found)
        if not self.api.has_user:
            raise Unsupported("without user_token comments cannot be looked up", service=self.api.name)
        wanted = _said(frozen["text"])
        since = self._since(frozen, self._ours(frozen))
        found = [one for one in since if _said(str(one.get("text") or "")) == wanted]
        if since and not found:
            raise Unsupported("a comment of ours is there, but with other words", service=self.api.name)
        return tuple(self._receipt(frozen, one["id"]) for one in sorted(found, key=lambda one: int(one["id"])))

    def raise_if_gone(self, place: Place) -> None:
        """Gone: deleted. Comments can be asked for with an administrator's token only."""
        if place.kind != "message" and not self.api.has_user:
            return
        if self.said(place) is None:
            raise Gone("what this answers was deleted", service=self.api.name, operation="reply")

    def said(self, place: Place) -> Json | None:
        """The comment, message, or thing itself, as it is now; None for one that was deleted. All but messages can be
        asked for with an administrator's token only."""
        if place.kind == "message":
            numbers = {"peer_id": place.owner, "conversation_message_ids": [place.number]}
            call = ("messages.getByConversationMessageId", {**numbers, "group_id": self.group})
            return self.first(*call, user=False)
        if not place.number:
            return self.thing(place)
        if place.kind == "wall":
            return self.first("wall.getComment", {"owner_id": place.owner, "comment_id": place.number})
        return self._comment_below(place)

    def _comment_below(self, place: Place) -> Json | None:
        start = {"start_comment_id": place.number, "count": 1}
        calls: dict[str, tuple[str, Json]] = {
            "topic": ("board.getComments", {"group_id": -place.owner, "topic_id": place.thing}),
            "photo": ("photos.getComments", {"owner_id": place.owner, "photo_id": place.thing}),
            "video": ("video.getComments", {"owner_id": place.owner, "video_id": place.thing}),
            "market": ("market.getComments", {"owner_id": place.owner, "item_id": place.thing}),
        }
        method, params = calls[place.kind]
        found = self.first(method, {**params, **start})
        return found if found is not None and found.get("id") == place.number else None

    def thing(self, place: Place) -> Json | None:
        """The post, topic, photo, video or item itself."""
        named = f"{place.owner}_{place.thing}"
        calls: dict[str, tuple[str, Json]] = {
            "wall": ("wall.getById", {"posts": [named]}),
            "topic": ("board.getTopics", {"group_id": -place.owner, "topic_ids": [place.thing], "preview": 1}),
            "photo": ("photos.getById", {"photos": [named]}),
            "video": ("video.get", {"videos": [named]}),
            "market": ("market.getById", {"item_ids": [named]}),
        }
        return self.first(*calls[place.kind])

    def first(self, method: str, params: Json, *, user: bool = True) -> Json | None:
        """The first item of what a method answers; None for none, and for one marked as deleted."""
        answer = self.api.read(method, params, user=user)
        items = answer.get("items") if isinstance(answer, Mapping) else answer
        if not isinstance(items, list):
            raise BadAnswer("the answer holds no items", service=self.api.name, operation=method)
        found = next((one for one in items if isinstance(one, Mapping)), None)
        return None if found is None or found.get("deleted") or found.get("is_deleted") else found

    def _since(self, frozen: Json, items: list[Json]) -> list[Json]:
        """Those said since it was made ready, and after the part before."""
        after = frozen.get("after", 0)
        word = "conversation_message_id" if frozen["kind"] == "message" else "id"
        fresh = [one for one in items if int(one["date"]) >= frozen["at"] - _SLACK]
        return [one for one in fresh if int(one.get(word) or 0) > after]

    def _ours(self, frozen: Json) -> list[Json]:
        """The community's own comments, newest first, in the place that was answered."""
        kind, owner, thing = frozen["kind"], frozen["owner"], frozen["thing"]
        page: dict[str, Any] = {"count": 100, "sort": "desc"}
        calls: dict[str, tuple[str, Json]] = {
            "wall": ("wall.getComments", {"owner_id": owner, "post_id": thing, "preview_length": 0}),
            "topic": ("board.getComments", {"group_id": -owner, "topic_id": thing}),
            "photo": ("photos.getComments", {"owner_id": owner, "photo_id": thing}),
            "video": ("video.getComments", {"owner_id": owner, "video_id": thing}),
            "market": ("market.getComments", {"owner_id": owner, "item_id": thing}),
        }
        method, params = calls[kind]
        if kind == "wall" and frozen["root"]:
            params = {**params, "comment_id": frozen["root"]}
        items = self._items(method, {**page, **params}, user=True)
        answers = frozen["answers"]
        return [
            one
            for one in items
            if one.get("from_id") == -self.group and (not answers or one.get("reply_to_comment") in (None, answers))
        ]

    def _items(self, method: str, params: Json, *, user: bool) -> list[Json]:
        answer = self.api.read(method, params, user=user)
        items = answer.get("items") if isinstance(answer, Mapping) else None
        if not isinstance(items, list) or not all(isinstance(one, Mapping) for one in items):
            raise BadAnswer("the answer holds no items", service=self.api.name, operation=method)
        return items

    def _receipt(self, frozen: Json, sent: Any) -> Receipt:
        number = sent.get("comment_id") if isinstance(sent, Mapping) else sent
        if not isinstance(number, int) or isinstance(number, bool):
            raise Uncertain("posted, but the answer cannot be read", service=self.api.name, operation="reply")
        if frozen["kind"] == "message":
            return self._message_receipt(frozen, self._sent(number))
        place = Place(frozen["kind"], frozen["owner"], frozen["thing"], number)
        return Receipt(place.id, place.url(frozen["root"]))

    def _sent(self, number: int) -> Json:
        """A message just sent, by the number that is VK's for all chats together."""
        try:
            found = self.first("messages.getById", {"message_ids": [number], "group_id": self.group}, user=False)
        except ConnectorError:  # it was sent, whatever becomes of this
            found = None
        return {"id": number} if found is None else found

    def _message_receipt(self, frozen: Json, message: Json) -> Receipt:
        """By its number in the chat, under which it comes back as an event; where that is not known, by VK's own."""
        place = Place("message", frozen["peer"], 0, int(message.get("conversation_message_id") or 0))
        return Receipt(place.id if place.number else f"sent{frozen['peer']}_{message['id']}")


def _comment_call(frozen: Json, group: int) -> tuple[str, dict[str, Any], bool]:
    """Method, parameters but for the guid, and whether an administrator has to call it (access_token_type)."""
    kind = frozen["kind"]
    words = {"message": frozen["text"] or None, "attachments": frozen["files"] or None}
    answers = {"reply_to_comment": frozen["answers"]} if frozen["answers"] else {}
    if kind == "wall":
        place = {"owner_id": frozen["owner"], "post_id": frozen["thing"], "from_group": group}
        return "wall.createComment", {**place, **words, **answers}, False
    if kind == "topic":
        return "board.createComment", {"group_id": group, "topic_id": frozen["thing"], "from_group": 1, **words}, True
    family, thing = {
        "photo": ("photos", "photo_id"),
        "video": ("video", "video_id"),
        "market": ("market", "item_id"),
    }[kind]
    place = {"owner_id": frozen["owner"], thing: frozen["thing"], "from_group": 1}
    return f"{family}.createComment", {**place, **words, **answers}, True


def _random_id(key: Key) -> int:
    """A number of 31 bits, never 0: always the same for the same key."""
    return int.from_bytes(hashlib.sha256(key.encode()).digest()[:4], "big") % (2**31 - 1) + 1


def _said(text: str) -> str:
    """Words as they are compared: VK may give back entities and other spaces."""
    return " ".join(html.unescape(text).split()).casefold()
