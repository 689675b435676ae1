"""What goes out: a comment, a message or a private reply, made ready, sent once, looked for when nobody knows."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from connector.errors import BadAnswer, Closed, Gone, Rejected, Uncertain, Unsupported
from connector.model import Key, Mention, Receipt, ReplyDraft, Request, utc
from connector.sources.meta.graph import Doing, Duplicate, Graph, listed
from connector.sources.meta.options import MetaOptions
from connector.sources.meta.words import inbox, instant, memo_of, same_words

DAY = timedelta(hours=24)
WEEK = timedelta(days=7)
_SKEW = 60.0
_MARGIN = timedelta(minutes=2)
_MESSAGE_BYTES = {"facebook": 8_000, "instagram": 1_000}


@dataclass(slots=True)
class Posting:
    """The writing half of a page or account. `actor` is whose messages they are (the page, or the account);
    `handle` is ours on Instagram, once it is known."""

    name: str
    platform: str
    us: str
    actor: str
    options: MetaOptions
    web: str
    graph: Graph
    clock: Callable[[], float]
    handle: str = ""

    def closes_at(self, mention: Mention) -> datetime:
        """When the window for an answer to this message closes."""
        return mention.created_at + (WEEK if self.options.human_agent else DAY)

    def prepare(self, draft: ReplyDraft) -> Request:
        """The call, frozen. Gone: what it answers was deleted. Closed: the window is over, or it was used."""
        memo = memo_of(draft.mention)
        kind, now = str(memo.get("kind") or "comment"), utc(self.clock())
        if kind == "message":
            return self._message(draft, str(memo.get("to") or draft.mention.author.id), now)
        if draft.private:
            return self._private(draft, kind, now)
        if kind == "mention":
            self._look_elsewhere(str(memo["comment"] or ""), str(memo["post"]))
            return self._frozen(
                "mention", draft, {"media": memo["post"], "comment": memo["comment"], "url": draft.mention.url}
            )
        target = str(memo.get("story") or "") if kind == "review" else draft.mention.external_id
        if not target:
            raise Closed("this recommendation has no thread of its own: use the link", service=self.name)
        found = self._look(target, "can_comment" if kind == "comment" else "")
        if found.get("can_comment") is False:
            raise Closed("nobody may comment there any more", service=self.name, operation="reply")
        if self.platform == "instagram":
            target = str(found.get("parent_id") or memo.get("top") or target)
        top, url = str(memo.get("top") or target), draft.mention.url
        return self._frozen("comment", draft, {"target": target, "top": top, "url": url})

    def send(self, request: Request, key: Key) -> Receipt:
        """One comment or message."""
        frozen = json.loads(request.body)
        path, body, doing = self._call(request.op, frozen)
        try:
            answer = self.graph.post(path, body, operation="reply", doing=doing)
        except Duplicate:
            if found := self.find(request, key):
                return found[0]
            raise
        try:
            told = answer.json()
            number = str(told["message_id"] if doing == "message" else told["id"])
        except (BadAnswer, KeyError, TypeError):
            raise Uncertain("sent, but the answer cannot be read", service=self.name, operation="reply") from None
        return self._receipt(number, doing, frozen)

    def find(self, request: Request, key: Key) -> tuple[Receipt, ...]:
        """Ours, in the same words, since it was made ready, oldest first. Unsupported: where nobody can look."""
        frozen = json.loads(request.body)
        if request.op == "message":
            return self._found_messages(frozen)
        if request.op == "private":
            return self._found_private(frozen)
        if request.op == "mention":
            raise Unsupported("comments on other people's media cannot be looked up", service=self.name)
        found: dict[str, float] = {}
        for place in dict.fromkeys((frozen["target"], frozen["top"])):
            found |= self._found_comments(str(place), frozen)
        ordered = sorted(found, key=lambda one: (found[one], one))
        return tuple(self._receipt(one, "comment", frozen) for one in ordered)

    # making ready

    def _message(self, draft: ReplyDraft, to: str, now: datetime) -> Request:
        if not self.options.messages:
            raise Closed("messages are off for this source (`messages`)", service=self.name, operation="reply")
        written = draft.mention.created_at
        if now > self.closes_at(draft.mention) - _MARGIN:
            long = "7 days" if self.options.human_agent else "24 hours"
            raise Closed(
                f"{long} have passed since the person wrote, and Meta takes no message from here any more; "
                "it does again when they write, or answer in the inbox there",
                service=self.name,
                operation="reply",
            )
        self._fits(draft.text)
        tag = "" if now <= written + DAY - _MARGIN else "HUMAN_AGENT"
        return self._frozen("message", draft, {"to": to, "tag": tag})

    def _private(self, draft: ReplyDraft, kind: str, now: datetime) -> Request:
        """One message to whoever commented, within seven days; then they have to write."""
        if kind not in ("comment", "post") or not self.options.messages:
            raise Closed("no private answer is possible to this from here", service=self.name, operation="reply")
        if draft.parts > 1:
            raise Rejected(
                f"a private answer to a comment is one message, {self.options.message_length} characters: shorten",
                service=self.name,
                operation="reply",
            )
        if now > draft.mention.created_at + WEEK - _MARGIN:
            raise Closed("Meta takes a private answer to a comment for 7 days only", service=self.name)
        self._fits(draft.text)
        found = self._look(draft.mention.external_id, "can_reply_privately")
        if found.get("can_reply_privately") is False:
            raise Closed(
                "it was answered privately already (once is all Meta takes), or its author takes none",
                service=self.name,
                operation="reply",
            )
        return self._frozen("private", draft, {"kind": kind, "target": draft.mention.external_id})

    def _fits(self, text: str) -> None:
        most = _MESSAGE_BYTES[self.platform]
        if len(text.encode()) > most or len(text) > self.options.message_length:
            raise Rejected(
                f"a message holds {self.options.message_length} characters and {most} bytes at most: shorten it",
                service=self.name,
                operation="reply",
            )

    def _look(self, thing: str, field: str) -> Mapping[str, Any]:
        """What a reply answers, as it is now, with that field where Facebook has it; Gone when it is not there."""
        if self.platform == "instagram":
            return self.graph.get(thing, operation="look", fields="id,parent_id,hidden")
        return self.graph.get(thing, operation="look", fields=f"id,{field}" if field else "id")

    def _look_elsewhere(self, comment: str, media: str) -> None:
        """Whether what mentions us on another's media is still there; Gone when it is not."""
        word = f"mentioned_comment.comment_id({comment})" if comment else f"mentioned_media.media_id({media})"
        found = self.graph.get(self.us, operation="look", fields=f"{word}{{id}}")
        if not found.get(word.partition(".")[0]):
            raise Gone("it was deleted, or is hidden from us", service=self.name, operation="reply")

    def _frozen(self, op: str, draft: ReplyDraft, body: Mapping[str, Any]) -> Request:
        whole = {**body, "text": draft.text, "at": int(self.clock())}
        return Request(op, json.dumps(whole, ensure_ascii=False, separators=(",", ":")))

    # sending and looking

    def _call(self, op: str, frozen: Mapping[str, Any]) -> tuple[str, dict[str, Any], Doing]:
        text = frozen["text"]
        if op == "message":
            body: dict[str, Any] = {"recipient": {"id": frozen["to"]}, "message": {"text": text}}
            tagged = {"messaging_type": "MESSAGE_TAG", "tag": frozen["tag"]}
            body |= tagged if frozen["tag"] else {"messaging_type": "RESPONSE"}
            return f"{self.actor}/messages", body, "message"
        if op == "private":
            word = "post_id" if frozen["kind"] == "post" else "comment_id"
            body = {"recipient": {word: frozen["target"]}, "message": {"text": text}}
            return f"{self.actor}/messages", body, "message"
        if op == "mention":
            body = {"media_id": frozen["media"], "message": text}
            return f"{self.us}/mentions", body | ({"comment_id": c} if (c := frozen["comment"]) else {}), "comment"
        edge = "replies" if self.platform == "instagram" else "comments"
        return f"{frozen['target']}/{edge}", {"message": text}, "comment"

    def _found_comments(self, place: str, frozen: Mapping[str, Any]) -> dict[str, float]:
        if self.platform == "instagram":
            fields = "id,text,timestamp,username,from"
            answer = self.graph.get(f"{place}/replies", operation="look for reply", fields=fields, limit="100")
        else:
            answer = self.graph.get(
                f"{place}/comments",
                operation="look for reply",
                fields="id,message,from,created_time",
                filter="stream",
                order="reverse_chronological",
                limit="100",
            )
        found = {}
        for one in listed(answer):
            at = instant(one.get("created_time") or one.get("timestamp")).timestamp()
            words = str(one.get("message") or one.get("text") or "")
            if self._is_ours(one) and at >= frozen["at"] - _SKEW and same_words(words, frozen["text"]):
                found[str(one["id"])] = at
        return found

    def _found_messages(self, frozen: Mapping[str, Any]) -> tuple[Receipt, ...]:
        fields = "messages.limit(50){id,message,from,created_time}"
        answer = self.graph.get(
            f"{self.actor}/conversations",
            operation="look for reply",
            platform="messenger" if self.platform == "facebook" else "instagram",
            user_id=str(frozen["to"]),
            fields=fields,
        )
        found = [
            (instant(one["created_time"]).timestamp(), str(one["id"]))
            for thread in listed(answer)
            for one in listed(thread.get("messages") or {"data": []})
            if self._is_ours(one) and same_words(str(one.get("message") or ""), frozen["text"])
        ]
        since = frozen["at"] - _SKEW
        return tuple(self._receipt(number, "message", frozen) for at, number in sorted(found) if at >= since)

    def _found_private(self, frozen: Mapping[str, Any]) -> tuple[Receipt, ...]:
        """Once is all Meta takes: where there is a conversation about the comment, it was sent."""
        if self.platform == "instagram":
            raise Unsupported("Instagram does not say whether a comment was answered privately", service=self.name)
        fields = "private_reply_conversation"
        found = self.graph.get(str(frozen["target"]), operation="look for reply", fields=fields).get(fields)
        number = str(found.get("id") or "") if isinstance(found, Mapping) else ""
        return (Receipt(f"private:{number}", inbox(self.web, self.platform)),) if number else ()

    def _is_ours(self, one: Mapping[str, Any]) -> bool:
        writer = one.get("from") or {}
        name = str(writer.get("username") or one.get("username") or "")
        return str(writer.get("id") or "") in (self.us, self.actor) or bool(self.handle and name == self.handle)

    def _receipt(self, number: str, doing: Doing, frozen: Mapping[str, Any]) -> Receipt:
        if doing == "message":
            return Receipt(number, inbox(self.web, self.platform))
        return Receipt(number, f"{self.web}/{number}" if self.platform == "facebook" else str(frozen.get("url", "")))
