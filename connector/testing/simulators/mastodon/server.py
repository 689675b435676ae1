"""The server itself: accounts, posts, notifications, media. The package tells its story."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from email.policy import HTTP
from typing import Any
from urllib.parse import parse_qs, urlsplit

import regex

from connector.testing.simulators.mastodon.shown import (
    LINK,
    NAME,
    TYPES,
    Account,
    Notification,
    Post,
    account_entity,
    addresses,
    instance_entity,
    iso,
    shown,
    status_entity,
)
from connector.testing.simulators.threaded import ThreadedServer, Told

_CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"

Params = dict[str, list[str]]


class ApiError(Exception):
    """A refusal: status and the sentence under `error`."""

    def __init__(self, status: int, error: str) -> None:
        super().__init__(error)
        self.status, self.error = status, error


class MastodonSimulator(ThreadedServer):
    """The server; a context manager that listens on a free port of loopback."""

    def __init__(self, flavour: str = "mastodon") -> None:
        super().__init__()
        self.flavour = flavour
        self.accounts: list[Account] = []
        self.statuses: dict[str, Post] = {}
        self.notifications: list[Notification] = []
        self.calls: list[str] = []
        self.keys: list[str] = []
        self.converting = False
        self.longest = 500
        self.remaining = 300
        self.media: dict[str, dict[str, Any]] = {}
        self.files: dict[str, tuple[str, bytes]] = {}
        self._by_key: dict[tuple[str, str], Post] = {}
        self._how = ""
        self._lose = False
        self._count = 0
        self._last = 0

    # what a test makes happen

    def add_account(self, acct: str, name: str = "", token: str = "", followers: int = 0) -> Account:
        """A new account, of this server or, with @server, of another one."""
        with self.lock:
            account = Account(self._id(), acct, name, token, followers=followers)
            self.accounts.append(account)
            return account

    def post(
        self,
        by: Account,
        text: str,
        *,
        answers: str = "",
        visibility: str = "public",
        at: datetime | None = None,
        hold: bool = False,
        filtered: bool = False,
        **more: Any,
    ) -> str:
        """Somebody posts; who is named in it gets a notification. Its id."""
        with self.lock:
            above = self.statuses[answers] if answers else None
            names = [one for one in self.accounts if one.acct in NAME.findall(text)]
            post = Post(self._id(), by, text, visibility, at or self._now(), above, names, **more)
            self.statuses[post.id] = post
            for one in names:
                if one is not by and not self._blocked(one, by):
                    self._notify(one, "mention", post, hold, filtered)
            if post.quotes is not None and post.quotes.by is not by:
                self._notify(post.quotes.by, "quote", post, hold, filtered)
            return post.id

    def edit(self, status: str, text: str) -> None:
        """Its author changes it."""
        with self.lock:
            self.statuses[status].text, self.statuses[status].edited = text, self._now()

    def delete(self, status: str) -> None:
        """Its author deletes it; so are the notifications of it, and answers to it stand alone."""
        with self.lock:
            gone = self.statuses.pop(status)
            gone.deleted = True
            self.notifications = [one for one in self.notifications if one.post is not gone]

    def release(self) -> None:
        """Notifications held back become visible, with the ids they had."""
        with self.lock:
            for one in self.notifications:
                one.held = False

    def posts(self, by: Account) -> list[Post]:
        """An account's posts in the order they came."""
        with self.lock:
            return [one for one in self.statuses.values() if one.by is by]

    def serve(self, path: str, kind: str, content: bytes) -> str:
        """A file under that path of this server, such as a helpdesk's attachment; its address."""
        self.files[path] = (kind, content)
        return f"{self.url}{path}"

    def misbehave(self, how: str) -> None:
        """unauthorized, slow_down, broken, cut, refuses or nonsense, for every call until `behave`."""
        self._how = how

    def behave(self) -> None:
        """Answer as one should again."""
        self._how = ""

    def lose_next_answer(self) -> None:
        """The next write is done, and its answer lost."""
        self._lose = True

    # one call

    def answer(self, verb: str, target: str, headers: dict[str, str], body: bytes) -> Told | None:
        """Status, headers and body of one call; None: hang up."""
        parts = urlsplit(target)
        with self.lock:
            if parts.path in self.files:
                kind, content = self.files[parts.path]
                return 200, {"Content-Type": kind}, content
            self.calls.append(f"{verb} {parts.path}")
            how = self._how
            if how == "slow_down":
                return 429, self._limit_headers(0, 7), _json({"error": "Too many requests"})
            if how == "broken":
                return 503, {}, b"<html>Remote data could not be fetched</html>"
            if how == "refuses":
                return 422, {}, _json({"error": "Validation failed: it is not wanted"})
            if how == "nonsense":
                return 200, {}, b"<html>maintenance</html>"
            told: dict[str, str] = {}
            try:
                status, content = self._dispatch(verb, parts.path, parse_qs(parts.query), headers, body, told)
            except ApiError as error:
                return error.status, self._limit_headers(self.remaining, 200), _json({"error": error.error})
            lost = self._lose and verb == "POST"
            self._lose = self._lose and not lost
            return (
                None if how == "cut" or lost else (status, told | self._limit_headers(self.remaining, 200), content)
            )

    def _dispatch(
        self, verb: str, path: str, params: Params, headers: dict[str, str], body: bytes, told: dict[str, str]
    ) -> tuple[int, bytes]:
        versions = ("v1",) if self.flavour == "takahe" else ("v1", "v2")
        if verb == "GET" and path in [f"/api/{one}/instance" for one in versions]:
            return 200, _json(instance_entity(path.split("/")[2], self.flavour, self.longest))
        viewer = self._viewer(headers.get("authorization", ""))
        step = [verb, *path.split("/")[2:]]
        match step:
            case ["GET", "v1", "accounts", "verify_credentials"]:
                return 200, _json(account_entity(viewer))
            case ["GET", "v1", "accounts", "relationships"]:
                return 200, _json([self._relationship(viewer, one) for one in params.get("id[]", [])])
            case ["GET", "v1", "accounts", account, "statuses"]:
                mine = [one for one in self.statuses.values() if one.by.id == account and self._sees(viewer, one)]
                page = self._page([(one.id, one) for one in mine], params, path, 40, told)
                return 200, _json([self._status(one) for one in page])
            case ["GET", "v1", "notifications"]:
                return 200, _json(self._notifications(viewer, params, path, told))
            case ["GET", "v1", "statuses"] if self.flavour == "mastodon":
                wanted = [self.statuses.get(one) for one in params.get("id[]", [])]
                return 200, _json([self._status(one) for one in wanted if one and self._sees(viewer, one)])
            case ["POST", "v1", "statuses"]:
                return 200, _json(self._status(self._publish(viewer, headers, body)))
            case ["GET", "v1", "statuses", status]:
                return 200, _json(self._status(self._seen(viewer, status)))
            case ["GET", "v1", "statuses", status, "context"]:
                return 200, _json(self._context(viewer, self._seen(viewer, status)))
            case ["GET", "v2", "search"]:
                return 200, _json(self._search(viewer, _one(params, "q"), params))
            case ["POST", "v2", "media"]:
                return self._upload(viewer, headers, body)
            case ["GET", "v1", "media", media]:
                return self._media_state(media)
        raise ApiError(404, "Not Found")

    def _viewer(self, login: str) -> Account:
        token = login.removeprefix("Bearer ").strip()
        found = next((one for one in self.accounts if one.token and one.token == token), None)
        if found is None or self._how == "unauthorized":
            if self.flavour == "takahe":
                raise ApiError(400, "Invalid Bearer token")
            raise ApiError(401, "The access token is invalid")
        if found.suspended:
            raise ApiError(403, "Your login is currently disabled")
        return found

    def _may(self, viewer: Account, scope: str) -> None:
        if not {scope, scope.partition(":")[0]} & set(viewer.scopes.split()):
            raise ApiError(403, "This action is outside the authorized scopes")

    # reading

    def _notifications(self, viewer: Account, params: Params, path: str, told: dict[str, str]) -> list[Any]:
        self._may(viewer, "read:notifications")
        kinds, everything = params.get("types[]"), _one(params, "include_filtered") == "true"
        rows = [
            (one.id, one)
            for one in self.notifications
            if one.to is viewer
            and not one.held
            and (everything or not one.filtered)
            and (not kinds or one.kind in kinds)
            and not self._blocked(viewer, one.post.by)
        ]
        page = self._page(sorted(rows, key=lambda row: _order(row[0])), params, path, 80, told)
        return [
            {
                "id": one.id,
                "type": one.kind,
                "created_at": iso(one.at),
                "account": account_entity(one.post.by),
                "status": self._status(one.post),
            }
            for one in page
        ]

    def _search(self, viewer: Account, asked: str, params: Params) -> dict[str, Any]:
        """An address leads to its post, as for people or as for servers; other words to posts that hold them."""
        self._may(viewer, "read:search")
        seen = [one for one in self.statuses.values() if self._sees(viewer, one) and one.visibility != "direct"]
        if asked.startswith("https://") and _one(params, "resolve") == "true":
            found = [one for one in seen if asked.rstrip("/") in addresses(one)]
        else:
            found = [one for one in seen if asked in one.text]
        wanted = found if _one(params, "type", "statuses") == "statuses" else []
        shown = [self._status(one) for one in wanted[: int(_one(params, "limit", "20"))]]
        return {"accounts": [], "statuses": shown, "hashtags": []}

    def _page(
        self, rows: list[tuple[str, Any]], params: Params, path: str, most: int, told: dict[str, str]
    ) -> list[Any]:
        """A page, newest first, with its Link header: as `min_id`, `max_id` and `limit` want it."""
        limit = min(int(_one(params, "limit", "20")), most)
        low, high = _one(params, "min_id"), _one(params, "max_id")
        rows = [row for row in rows if not low or _order(row[0]) > _order(low)]
        rows = [row for row in rows if not high or _order(row[0]) < _order(high)]
        rows = rows[:limit] if low else rows[-limit:]
        rows.reverse()
        if rows:
            here = f"{self.url}{path}?limit={limit}"
            told["Link"] = f'<{here}&max_id={rows[-1][0]}>; rel="next", <{here}&min_id={rows[0][0]}>; rel="prev"'
        return [row for _, row in rows]

    def _context(self, viewer: Account, post: Post) -> dict[str, Any]:
        above: list[Post] = []
        one = post.answers
        while one is not None and not one.deleted:
            if self._sees(viewer, one):
                above.insert(0, one)
            one = one.answers
        below: list[Post] = []
        for other in self.statuses.values():
            if other.answers in (post, *below) and self._sees(viewer, other):
                below.append(other)
        return {
            "ancestors": [self._status(one) for one in above],
            "descendants": [self._status(one) for one in below],
        }

    def _relationship(self, viewer: Account, account: str) -> dict[str, Any]:
        other = next((one for one in self.accounts if one.id == account), None)
        blocked = other is not None and viewer.id in other.blocks
        return {"id": account, "following": False, "blocking": account in viewer.blocks, "blocked_by": blocked}

    def _seen(self, viewer: Account, status: str) -> Post:
        post = self.statuses.get(status)
        if post is None or not self._sees(viewer, post):
            raise ApiError(404, "Record not found")
        return post

    def _sees(self, viewer: Account, post: Post) -> bool:
        if post.by is viewer:
            return True
        if self._blocked(viewer, post.by):
            return False
        return post.visibility in ("public", "unlisted") or viewer in post.names

    # writing

    def _publish(self, viewer: Account, headers: dict[str, str], body: bytes) -> Post:
        self._may(viewer, "write:statuses")
        given = _parsed(body)
        key = headers.get("idempotency-key", "")
        self.keys.append(key)
        if key and self.flavour == "mastodon" and (viewer.id, key) in self._by_key:
            return self._by_key[viewer.id, key]
        text, media = str(given.get("status") or ""), [str(one) for one in given.get("media_ids") or ()]
        self._check(text, media)
        answers = str(given.get("in_reply_to_id") or "")
        if answers and (answers not in self.statuses or not self._sees(viewer, self.statuses[answers])):
            if self.flavour != "takahe":
                raise ApiError(404, "The post you are trying to reply to does not appear to exist.")
            answers = ""
        made = [self.media.pop(one) for one in media]
        visibility, language = str(given.get("visibility") or "public"), given.get("language")
        status = self.post(viewer, text, answers=answers, visibility=visibility, media=made, language=language)
        self._by_key[viewer.id, key] = self.statuses[status]
        return self.statuses[status]

    def _check(self, text: str, media: list[str]) -> None:
        if not text and not media:
            raise ApiError(422, "Validation failed: Text can't be blank")
        if self.flavour == "mastodon":
            counted = NAME.sub(lambda found: "@" + found[1].split("@")[0], LINK.sub("x" * 23, text))
            length = len(regex.findall(r"\X", counted))
        else:
            length = len(text)
        if length > self.longest:
            raise ApiError(422, f"Validation failed: Text character limit of {self.longest} exceeded")
        for one in media:
            if one not in self.media:
                raise ApiError(422, "Validation failed: some media could not be attached")
            if self.media[one]["url"] is None:
                raise ApiError(422, "Cannot attach files that have not finished processing. Try again in a moment!")

    def _upload(self, viewer: Account, headers: dict[str, str], body: bytes) -> tuple[int, bytes]:
        self._may(viewer, "write:media")
        whole = b"Content-Type: " + headers.get("content-type", "").encode() + b"\r\n\r\n" + body
        part = next(iter(message_from_bytes(whole, policy=HTTP).iter_parts()), None)
        if part is None or part.get_param("name", header="content-disposition") != "file":
            raise ApiError(422, "Validation failed: File can't be blank")
        kind = part.get_content_type()
        if kind not in TYPES:
            raise ApiError(422, "Validation failed: File content type is invalid, File is invalid")
        content = part.get_payload(decode=True)
        row: dict[str, Any] = {"id": self._id(), "type": kind.split("/")[0], "url": None, "description": None}
        row |= {"_name": part.get_filename(), "_size": len(content) if isinstance(content, bytes) else 0}
        self.media[row["id"]] = row
        if self.converting:
            return 202, _json(shown(row))
        row["url"] = f"{self.url}/system/{row['id']}"
        return 200, _json(shown(row))

    def _media_state(self, media: str) -> tuple[int, bytes]:
        row = self.media.get(media)
        if row is None:
            raise ApiError(404, "Record not found")
        if not self.converting:
            row["url"] = row["url"] or f"{self.url}/system/{media}"
        return (206 if row["url"] is None else 200), _json(shown(row))

    # what lies below

    def _status(self, post: Post) -> dict[str, Any]:
        return status_entity(post, self.statuses.values(), self.accounts)

    def _notify(self, to: Account, kind: str, post: Post, hold: bool, filtered: bool) -> None:
        self.notifications.append(Notification(self._id(), to, kind, post, post.at, hold, filtered))

    def _blocked(self, one: Account, other: Account) -> bool:
        return one.id in other.blocks or other.id in one.blocks

    def _limit_headers(self, remaining: int, wait: float) -> dict[str, str]:
        if self.flavour != "mastodon" and remaining:
            return {}
        reset = datetime.now(UTC) + timedelta(seconds=wait)
        return {
            "X-RateLimit-Limit": "300",
            "X-RateLimit-Remaining": str(remaining),
            "X-RateLimit-Reset": reset.isoformat(timespec="microseconds").replace("+00:00", "Z"),
        }

    def _id(self) -> str:
        with self.lock:
            self._count += 1
            if self.flavour == "gotosocial":
                number, letters = self._count, ""
                for _ in range(10):
                    letters = _CROCKFORD[number % 32] + letters
                    number //= 32
                return f"01JDQ8Z0000000W0{letters}"
            return str((2**60 if self.flavour == "takahe" else 113_000_000_000_000) + self._count)

    def _now(self) -> datetime:
        """The time, never the same microsecond twice."""
        with self.lock:
            self._last = max(self._last + 1, time.time_ns() // 1_000)
            return datetime.fromtimestamp(self._last / 1_000_000, UTC)


def _order(row: str) -> tuple[int, str]:
    """Numbers as numbers, ULIDs as text."""
    return len(row), row


def _one(params: Params, word: str, default: str = "") -> str:
    return (params.get(word) or [default])[0]


def _json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode()


def _parsed(body: bytes) -> dict[str, Any]:
    try:
        value = json.loads(body)
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise ApiError(400, "There was a problem parsing the request")
    return value
