"""Calls to one forum in our name: Api-Key and Api-Username, what its refusals ask us to do, uploads.

One rule must hold: a refusal is read for what it means. Discourse answers 403 to a wrong key and to a closed topic.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import unquote, urlsplit

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
from connector.http import Answer, Http, retry_after
from connector.model import Attachment
from connector.multipart import FormFile, multipart
from connector.sources.discourse.words import Post

_REFUSALS = (400, 401, 403, 404, 410, 422, 429)
_LOGIN = re.compile(r"api (?:username|key)|log(?:ged)? in|not_logged_in", re.IGNORECASE)
_LARGEST_FILE = 32 * 1024 * 1024


class Forum:
    """One forum. Thread-safe; no network until the first call."""

    def __init__(self, name: str, url: str, key: str, username: str, http: Http) -> None:
        self.name = name
        self.url = url
        self.username = username
        self.http = http
        self._key = key
        self._me: Mapping[str, Any] | None = None
        http.explain = explain

    def call(
        self,
        verb: str,
        path: str,
        operation: str,
        *,
        params: list[tuple[str, Any]] | None = None,
        json: Any = None,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        read: bool | None = None,
    ) -> Answer:
        """One call; refusals come as the error that says what to do. A key's limit is for all its calls together."""

        def learn(answer: Answer) -> None:
            if answer.status == 429:
                self.http.budget.pause("key", wait_from(answer), "account")

        answer = self.http.call(
            verb,
            f"{self.url}{path}",
            operation=operation,
            params=params,
            json=json,
            body=body,
            headers={"Api-Key": self._key, "Api-Username": self.username, **(headers or {})},
            read=read,
            expect=_REFUSALS,
            limits=("key",),
            learn=learn,
        )
        if answer.status >= 400:
            raise refusal(answer, self.name, operation)
        return answer

    def an_object(self, path: str, operation: str, params: list[tuple[str, Any]] | None = None) -> Mapping[str, Any]:
        """What a GET answers; BadAnswer when it is no JSON object."""
        found = self.call("GET", path, operation, params=params).json()
        if not isinstance(found, Mapping):
            raise BadAnswer("the answer is no object", service=self.name, operation=operation)
        return found

    def me(self, *, again: bool = False) -> Mapping[str, Any]:
        """Our account: id, username, name, admin; asked once, or `again`."""
        if self._me is None or again:
            found = self.an_object(f"/u/{self.username}.json", "who we are").get("user")
            if not isinstance(found, Mapping) or not found.get("id"):
                raise BadAnswer("the answer holds no user", service=self.name, operation="who we are")
            self._me = found
        return self._me

    def posts(self, private: bool, before: int | None = None) -> list[Post]:
        """The 50 newest posts, or those before an id, newest first: public ones, or private messages."""
        path, word = ("/private-posts.json", "private_posts") if private else ("/posts.json", "latest_posts")
        found = self.an_object(path, word, [("before", before)] if before is not None else None).get(word)
        if not isinstance(found, list) or not all(isinstance(one, Mapping) for one in found):
            raise BadAnswer(f"the answer holds no {word}", service=self.name, operation=word)
        return found

    def post(self, post: str) -> Post | None:
        """A post; None when it is deleted, or not for us to see."""
        return self._one(f"/posts/{post}.json")

    def post_number(self, topic: str, number: int) -> Post | None:
        """A post by its place in a topic."""
        return self._one(f"/posts/by_number/{topic}/{number}.json")

    def _one(self, path: str) -> Post | None:
        try:
            found = self.an_object(path, "post")
        except (Gone, Closed):
            return None
        if not found.get("id") or not found.get("topic_id"):
            raise BadAnswer("the answer is no post", service=self.name, operation="post")
        return found

    def topic(self, topic: str) -> Mapping[str, Any]:
        """A topic with the ids of its posts; Gone when it is not there."""
        try:
            return self.an_object(f"/t/{topic}.json", "topic")
        except Closed:
            raise Gone("the topic is hidden from us", service=self.name, operation="topic") from None

    def posts_of(self, topic: str, wanted: Sequence[int]) -> list[Post]:
        """Some posts of a topic, by id; without what people typed."""
        found: list[Post] = []
        for start in range(0, len(wanted), 20):
            params = [("post_ids[]", one) for one in wanted[start : start + 20]]
            stream = self.an_object(f"/t/{topic}/posts.json", "topic", params).get("post_stream")
            posts = stream.get("posts") if isinstance(stream, Mapping) else None
            found += [one for one in posts or () if isinstance(one, Mapping)]
        return found

    def topic_by_key(self, external_id: str) -> str:
        """The id of the topic that was made with this external_id; "" when there is none."""
        try:
            return str(self.an_object(f"/t/external_id/{external_id}.json", "topic").get("id") or "")
        except (Gone, Closed):
            return ""

    def held(self) -> list[Mapping[str, Any]]:
        """Our own posts that wait for a moderator: topic_id, raw_text."""
        found = self.an_object(f"/posts/{self.username}/pending.json", "our queue").get("pending_posts")
        return [one for one in found or () if isinstance(one, Mapping)]

    def publish(self, body: Mapping[str, Any]) -> Mapping[str, Any]:
        """The post that was made, or {"action": "enqueued"}. Uncertain: the answer cannot be read."""
        answer = self.call("POST", "/posts.json", "reply", json=body)
        try:
            told = answer.json()
        except BadAnswer:
            told = None
        if not isinstance(told, Mapping) or not (told.get("id") or told.get("action")):
            raise Uncertain("posted, but the answer cannot be read", service=self.name, operation="reply")
        return told

    def upload(self, attachments: Sequence[Attachment]) -> list[str]:
        """Markdown for each file, uploaded. Rejected: the forum does not take one; it says why."""
        return [self._upload(one) for one in attachments]

    def _upload(self, attachment: Attachment) -> str:
        file = self.http.download(attachment.url, limit=_LARGEST_FILE)
        name = attachment.name or unquote(urlsplit(attachment.url).path.rpartition("/")[2]) or "file"
        kind = attachment.type or file.type or "application/octet-stream"
        fields = [("upload_type", "composer"), ("synchronous", "true")]
        body, content_type = multipart(fields, [FormFile("file", name, file.content, kind)])
        try:
            told = self.call(
                "POST",
                "/uploads.json",
                "upload",
                body=body,
                headers={"Content-Type": content_type},
                read=True,  # an upload no post uses is dropped: repeating it harms nothing
            ).json()
        except (Rejected, Closed) as error:
            raise Rejected(
                f'the file "{name}" is not taken: {error.sentence}', service=self.name, operation="upload"
            ) from None
        address = told.get("short_url") or told.get("url") if isinstance(told, Mapping) else None
        if not address:
            raise Temporary("the upload gave no address", service=self.name, operation="upload")
        shown = re.sub(r"[\[\]|\r\n]", " ", name)
        if not kind.startswith("image/"):
            return f"[{shown}|attachment]({address})"
        size = f"|{told['width']}x{told['height']}" if told.get("width") and told.get("height") else ""
        return f"![{shown}{size}]({address})"


# --- their answers -------------------------------------------------------------------------------------------


def explain(answer: Answer) -> str:
    """One sentence of a refusal: `{"errors": [...], "error_type"}`, or plain text from the gate before the forum."""
    try:
        told = answer.json()
    except BadAnswer:
        text = answer.text.strip()
        plain = answer.status == 429 and text and "<" not in text
        return " ".join(text.split())[:300] if plain else f"the forum answered HTTP {answer.status}"
    words = told.get("errors") or told.get("message") or told.get("error_type") if isinstance(told, Mapping) else None
    sentence = " ".join(str(one) for one in words) if isinstance(words, list) else str(words or "")
    return " ".join(sentence.split())[:300] or f"the forum answered HTTP {answer.status}"


def refusal(answer: Answer, service: str, operation: str) -> ConnectorError:
    """What a refusal asks us to do."""
    sentence, status = explain(answer), answer.status
    where: dict[str, Any] = {"service": service, "operation": operation, "status": status}
    if status == 429:
        return RateLimited(wait=wait_from(answer), **where)
    if status == 401 or (status == 403 and (_LOGIN.search(sentence) or _LOGIN.search(_type_of(answer)))):
        return AuthFailed(sentence, **where)
    if status == 403:
        return Closed(sentence, **where)
    if status in (404, 410):
        return Gone(sentence, **where)
    return Rejected(sentence, **where)


def wait_from(answer: Answer) -> float:
    """Seconds: Retry-After, else extras.wait_seconds, else half a minute."""
    wait = retry_after(answer)
    if wait is None:
        try:
            told = answer.json()
            wait = float(told["extras"]["wait_seconds"])
        except (BadAnswer, KeyError, TypeError, ValueError):
            wait = 30.0
    return min(max(wait, 1.0), 3600.0)


def _type_of(answer: Answer) -> str:
    try:
        told = answer.json()
    except BadAnswer:
        return ""
    return str(told.get("error_type") or "") if isinstance(told, Mapping) else ""
