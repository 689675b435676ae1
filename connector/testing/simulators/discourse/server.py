"""The forum itself: users, topics, posts, the queue, webhooks. The package tells its story."""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from email import message_from_bytes
from email.policy import HTTP
from typing import Any
from urllib.parse import parse_qs, urlsplit

from connector.testing.simulators.discourse.shown import Post, Topic, User, post_entity, topic_entity
from connector.testing.simulators.threaded import ThreadedServer, Told

_PAGE = 50
_MEMORY = 120.0
_BAD_KEY = "You are not permitted to view the requested resource. The API username or key is invalid."

Params = dict[str, list[str]]
Headers = dict[str, str]


class ApiError(Exception):
    """A refusal: status, sentence, and the kind under `error_type`."""

    def __init__(self, status: int, error: str, kind: str = "") -> None:
        super().__init__(error)
        self.status, self.error, self.kind = status, error, kind


@dataclass
class Held:
    """A post that waits for a moderator."""

    id: int
    by: User
    topic: Topic
    raw: str
    answers: int | None


class DiscourseSimulator(ThreadedServer):
    """The forum; a context manager that listens on a free port of loopback."""

    def __init__(self) -> None:
        super().__init__()
        self.users: list[User] = []
        self.groups: set[str] = set()
        self.topics: dict[int, Topic] = {}
        self.posts: dict[int, Post] = {}
        self.queue: list[Held] = []
        self.uploads: list[dict[str, Any]] = []
        self.files: dict[str, tuple[str, bytes]] = {}
        self.calls: list[str] = []
        self.moderated = False
        self.shortest = 1
        self.longest = 32_000
        self.time = 0.0
        self._memory: dict[str, tuple[float, dict[str, Any]]] = {}
        self._how = ""
        self._lose = False
        self._hide = False
        self._count = 100
        self._last = 0

    # what a test makes happen

    def add_user(self, username: str, name: str = "", key: str = "", admin: bool = False) -> User:
        """A new account."""
        user = User(len(self.users) + 1, username, name, key, admin)
        self.users.append(user)
        return user

    def begin(self, by: User, title: str, raw: str, *, category: int = 1, to: list[User] | None = None) -> int:
        """A new topic; `to`: a private message to these. The id of its first post."""
        with self.lock:
            topic = Topic(len(self.topics) + 1, title, category, [by, *to] if to else [])
            self.topics[topic.id] = topic
            return self._add(topic, by, raw, None).id

    def answer_in(
        self, by: User, post: int, raw: str, *, at: datetime | None = None, kind: int = 1, to: bool = True
    ) -> int:
        """An answer to a post; not `to` it, only after it. Its id."""
        with self.lock:
            above = self.posts[post]
            made = self._add(above.topic, by, raw, above.number if to else None)
            made.at, made.kind = at or made.at, kind
            return made.id

    def edit(self, post: int, raw: str, *, quickly: bool = False) -> None:
        """Its author changes it; `quickly` is within the forum's grace period."""
        with self.lock:
            self.posts[post].raw = raw
            self.posts[post].version += 0 if quickly else 1

    def delete(self, post: int, *, by_author: bool = False) -> None:
        """The staff deletes it, or its author, of whom a stub stays for a day."""
        with self.lock:
            gone = self.posts[post]
            gone.deleted, gone.user_deleted = not by_author, by_author
            if by_author:
                self.edit(post, "(post deleted by author)")

    def hide_next(self) -> None:
        """The next post gets its id, and is seen by nobody before `reveal`."""
        self._hide = True

    def reveal(self) -> None:
        """What was hidden is there now."""
        for post in self.posts.values():
            post.hidden = False

    def approve(self) -> int:
        """A moderator lets the oldest post in the queue through. Its id."""
        with self.lock:
            held = self.queue.pop(0)
            return self._add(held.topic, held.by, held.raw, held.answers).id

    def refuse(self) -> None:
        """A moderator does not."""
        self.queue.pop(0)

    def of(self, user: User) -> list[Post]:
        """An account's posts, oldest first."""
        return [one for one in self.posts.values() if one.by is user and not one.deleted]

    def serve(self, path: str, kind: str, content: bytes) -> str:
        """A file under that path, such as a helpdesk's attachment; its address."""
        self.files[path] = (kind, content)
        return f"{self.url}{path}"

    def webhook(self, event: str, post: int, secret: str) -> tuple[Headers, bytes]:
        """The call the forum makes of an event: headers in lower case, body."""
        if event == "ping":
            content: dict[str, Any] = {"ping": "OK"}
        else:
            one = self.posts[post]
            told = post_entity(one, self.posts.values(), self.users, self.groups, None)
            archetype = "private_message" if one.topic.private else "regular"
            content = {"post": told | {"topic_archetype": archetype, "category_slug": "general"}}
        body = _json(content)
        signature = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
        return {
            "content-type": "application/json",
            "user-agent": "Discourse/3.5.0",
            "x-discourse-instance": self.url,
            "x-discourse-event-id": "1",
            "x-discourse-event-type": "ping" if event == "ping" else "post",
            "x-discourse-event": event,
            "x-discourse-event-signature": f"sha256={signature}",
        }, body

    def misbehave(self, how: str) -> None:
        """unauthorized, slow_down, slow_gate, broken, cut, refuses or nonsense, for every call until `behave`."""
        self._how = how

    def behave(self) -> None:
        """Answer as one should again."""
        self._how = ""

    def lose_next_answer(self) -> None:
        """The next write is done, and its answer lost."""
        self._lose = True

    # one call

    def answer(self, verb: str, target: str, headers: Headers, body: bytes) -> Told | None:
        """Status, headers and body of one call; None: hang up."""
        parts = urlsplit(target)
        with self.lock:
            if parts.path in self.files:
                kind, content = self.files[parts.path]
                return 200, {"Content-Type": kind}, content
            self.calls.append(f"{verb} {parts.path}")
            how = self._how
            if how == "slow_down":
                errors = ["You’ve performed this action too many times, please try again later."]
                return 429, {}, _json({"errors": errors, "error_type": "rate_limit", "extras": {"wait_seconds": 7}})
            if how == "slow_gate":
                return 429, {"Retry-After": "7", "Content-Type": "text/plain"}, b"Slow down, too many requests.\n"
            if how == "broken":
                return 502, {}, b"<html>The forum is being rebuilt</html>"
            if how == "refuses":
                return 422, {}, _json({"action": "create_post", "errors": ["Body seems unclear"]})
            if how == "nonsense":
                return 200, {}, b"<html>maintenance</html>"
            try:
                told = self._dispatch(verb, parts.path, parse_qs(parts.query), headers, body)
            except ApiError as error:
                return error.status, {}, _json({"errors": [error.error], "error_type": error.kind})
            lost = self._lose and verb == "POST" and parts.path == "/posts.json"
            self._lose = self._lose and not lost
            if how == "cut" or lost:
                return None
            return (301, {"Location": told}, b"") if isinstance(told, str) else (200, {}, _json(told))

    def _dispatch(self, verb: str, path: str, params: Params, headers: Headers, body: bytes) -> Any:
        viewer = self._viewer(headers)
        match [verb, *path.removesuffix(".json").strip("/").split("/")]:
            case ["GET", "u", username]:
                user = next((one for one in self.users if one.username == username.lower()), None)
                if user is None:
                    raise ApiError(404, "The requested URL or resource could not be found.", "not_found")
                return {"user": {"id": user.id, "username": user.username, "name": user.name, "admin": user.admin}}
            case ["GET", "posts" | "private-posts" as stream]:
                return self._latest(viewer, stream == "private-posts", params)
            case ["GET", "posts", username, "pending"] if username == viewer.username:
                return {"pending_posts": [_pending(one) for one in self.queue if one.by is viewer]}
            case ["GET", "posts", "by_number", topic, number]:
                wanted = [
                    one for one in self.posts.values() if (one.topic.id, one.number) == (int(topic), int(number))
                ]
                return self._shown(self._seen(viewer, wanted[0] if wanted else None), viewer)
            case ["GET", "posts", post]:
                return self._shown(self._seen(viewer, self.posts.get(int(post))), viewer)
            case ["GET", "t", "external_id", external_id]:
                made = next((one for one in self.topics.values() if one.external_id == external_id), None)
                if made is None:
                    raise ApiError(404, "The requested URL or resource could not be found.", "not_found")
                return f"{self.url}/t/topic/{made.id}.json"
            case ["GET", "t", topic, "posts"]:
                of_topic = self._of_topic(viewer, topic)
                ids = [int(one) for one in params.get("post_ids[]", [])]
                shown = [self._shown(one, viewer, raw=False) for one in of_topic if one.id in ids]
                return {"post_stream": {"posts": shown}, "id": int(topic)}
            case ["GET", "t", topic] | ["GET", "t", "topic", topic]:
                of_topic = self._of_topic(viewer, topic)
                shown = [self._shown(one, viewer, raw=False) for one in of_topic]
                found = self.topics[int(topic)]
                return topic_entity(found, of_topic, shown, not found.closed or viewer.admin)
            case ["POST", "posts"]:
                return self._create(viewer, _parsed(body))
            case ["POST", "uploads"]:
                return self._upload(headers, body)
        raise ApiError(404, "The requested URL or resource could not be found.", "not_found")

    def _viewer(self, headers: Headers) -> User:
        username, key = headers.get("api-username", "").lower(), headers.get("api-key", "")
        found = next((one for one in self.users if one.username == username and one.key and one.key == key), None)
        if found is None or self._how == "unauthorized":
            raise ApiError(403, _BAD_KEY, "invalid_access")
        return found

    # reading

    def _latest(self, viewer: User, private: bool, params: Params) -> dict[str, Any]:
        before = int((params.get("before") or ["0"])[0])
        rows = [
            one
            for one in self.posts.values()
            if one.topic.private == private
            and not (one.deleted or one.hidden)
            and one.kind == 1
            and (not before or one.id < before)
            and (not private or viewer.admin or viewer in one.topic.members)
        ]
        rows = sorted(rows, key=lambda one: one.id, reverse=True)[:_PAGE]
        word = "private_posts" if private else "latest_posts"
        return {word: [self._shown(one, viewer) for one in rows]}

    def _of_topic(self, viewer: User, topic: str) -> list[Post]:
        found = self.topics.get(int(topic))
        posts = [one for one in self.posts.values() if one.topic is found and not (one.deleted or one.hidden)]
        if found is None or not posts:
            raise ApiError(404, "The requested URL or resource could not be found.", "not_found")
        if found.private and viewer not in found.members and not viewer.admin:
            raise ApiError(403, "You are not permitted to view the requested resource.", "invalid_access")
        return posts

    def _seen(self, viewer: User, post: Post | None) -> Post:
        if post is None or post.deleted or post.hidden:
            raise ApiError(404, "The requested URL or resource could not be found.", "not_found")
        if post.topic.private and viewer not in post.topic.members and not viewer.admin:
            raise ApiError(403, "You are not permitted to view the requested resource.", "invalid_access")
        return post

    def _shown(self, post: Post, viewer: User, *, raw: bool = True) -> dict[str, Any]:
        told = post_entity(post, self.posts.values(), self.users, self.groups, viewer)
        return told if raw else {word: value for word, value in told.items() if word not in ("raw", "topic_title")}

    # writing

    def _create(self, viewer: User, given: dict[str, Any]) -> dict[str, Any]:
        """posts_controller#create: for the API, the same words within two minutes are the same post."""
        signature = f"{viewer.id}{sorted(given.items())}"
        now = time.time() + self.time
        known = self._memory.get(signature)
        if known is None or now - known[0] > _MEMORY:
            known = self._memory[signature] = (now, self._made(viewer, given))
        return known[1]

    def _made(self, viewer: User, given: dict[str, Any]) -> dict[str, Any]:
        raw = str(given.get("raw") or "").rstrip()
        if len(raw) < self.shortest:
            raise ApiError(422, f"Body is too short (minimum is {self.shortest} characters)")
        if len(raw) > self.longest:
            raise ApiError(422, f"Body is limited to {self.longest} characters; you entered {len(raw)}.")
        if given.get("archetype") == "private_message":
            return self._shown(self._message(viewer, given, raw), viewer)
        topic = self.topics.get(int(given.get("topic_id") or 0))
        if topic is None or not any(one.topic is topic and not one.deleted for one in self.posts.values()):
            raise ApiError(404, "The requested URL or resource could not be found.", "not_found")
        if topic.closed and not viewer.admin:
            raise ApiError(403, "You are not permitted to view the requested resource.", "invalid_access")
        answers = int(given["reply_to_post_number"]) if given.get("reply_to_post_number") else None
        if self.moderated and not topic.private:
            self._count += 1
            self.queue.append(Held(self._count, viewer, topic, raw, answers))
            return {"action": "enqueued", "success": True, "pending_count": len(self.queue)}
        return self._shown(self._add(topic, viewer, raw, answers), viewer)

    def _message(self, viewer: User, given: dict[str, Any], raw: str) -> Post:
        names = str(given.get("target_recipients") or "").lower().split(",")
        to = [one for one in self.users if one.username in names]
        external_id = str(given.get("external_id") or "")
        if not to or len(str(given.get("title") or "")) < 2:
            raise ApiError(422, "You must select a valid user.")
        if external_id and not re.fullmatch(r"[\w-]{1,50}", external_id):
            raise ApiError(422, "External ID is invalid")
        if external_id and any(one.external_id == external_id for one in self.topics.values()):
            raise ApiError(422, "External ID has already been taken")
        first = self.begin(viewer, str(given["title"]), raw, to=to)
        self.posts[first].topic.external_id = external_id
        return self.posts[first]

    def _upload(self, headers: Headers, body: bytes) -> dict[str, Any]:
        whole = b"Content-Type: " + headers.get("content-type", "").encode() + b"\r\n\r\n" + body
        fields: dict[str, Any] = {}
        for part in message_from_bytes(whole, policy=HTTP).iter_parts():
            content = part.get_payload(decode=True)
            held = content if isinstance(content, bytes) else b""
            named = str(part.get_param("name", header="content-disposition"))
            fields[named] = (part.get_filename(), part.get_content_type(), held) if named == "file" else held.decode()
        if fields.get("upload_type") != "composer" or fields.get("synchronous") != "true" or "file" not in fields:
            raise ApiError(400, "param is missing or the value is empty: upload_type", "invalid_parameters")
        name, kind, held = fields["file"]
        if str(name).rpartition(".")[2] not in ("png", "jpg", "gif", "pdf"):
            raise ApiError(422, "Sorry, the file you are trying to upload is not authorized.")
        row = {"id": len(self.uploads) + 1, "original_filename": name, "filesize": len(held)}
        row |= {"short_url": f"upload://{hashlib.sha1(held).hexdigest()[:10]}.{name.rpartition('.')[2]}"}  # noqa: S324
        row |= {"width": 4, "height": 3} if kind.startswith("image/") else {"width": None, "height": None}
        self.uploads.append(row)
        return row

    def _add(self, topic: Topic, by: User, raw: str, answers: int | None) -> Post:
        with self.lock:
            self._count += 1
            number = max((one.number for one in self.posts.values() if one.topic is topic), default=0) + 1
            self._last = max(self._last + 1, time.time_ns() // 1_000_000)
            at = datetime.fromtimestamp(self._last / 1_000, UTC)
            post = Post(self._count, topic, number, by, raw, at, answers, hidden=self._hide)
            self._hide = False
            self.posts[post.id] = post
            return post


def _pending(one: Held) -> dict[str, Any]:
    return {"id": one.id, "raw_text": one.raw, "topic_id": one.topic.id, "username": one.by.username}


def _json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode()


def _parsed(body: bytes) -> dict[str, Any]:
    try:
        value = json.loads(body)
    except ValueError:
        value = None
    if not isinstance(value, dict) or "raw" not in value:
        raise ApiError(400, "param is missing or the value is empty: raw", "invalid_parameters")
    return value
