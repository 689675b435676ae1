"""A small Bluesky on loopback: a personal data server and the app's view of it, in one process and in memory.

An independent reading of the lexicons (npm @atproto/api 0.x) and of what a real server stack was seen to answer; it
shares no code with the adapter. It keeps the manners that matter to whoever connects: notifications in the order of
the time the author claims (never later than when it was seen), tokens that expire as 400, putRecord that repeats
harmlessly and createRecord that answers 500 instead, replies to deleted posts accepted silently, 300 graphemes.

    with BlueskySimulator() as sky:
        brand = sky.add_account("brand.test", "secret")
        ann = sky.add_account("ann.test", "secret")
        sky.post(ann, "@brand.test hello")         # a mention, for the handle is known
        …requests to sky.url…

Misbehaviour is switched with `misbehave` and `behave`; `expire_access` and `expire_sessions` age the tokens.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

import regex

from connector.testing.simulators.threaded import ThreadedServer, Told

POST = "app.bsky.feed.post"
_TID_CHARS = "234567abcdefghijklmnopqrstuvwxyz"
_TID = re.compile(r"[234567abcdefghij][234567abcdefghijklmnopqrstuvwxyz]{12}")
_HANDLE = re.compile(r"@([a-z0-9-]+(?:\.[a-z0-9-]+)+)")

Params = dict[str, list[str]]


class XrpcError(Exception):
    """A refusal: status, the error's name, and a message."""

    def __init__(self, status: int, error: str, message: str) -> None:
        super().__init__(error)
        self.status, self.error, self.message = status, error, message


@dataclass
class Account:
    """Somebody's repository and what others see of it."""

    did: str
    handle: str
    password: str
    name: str = ""
    followers: int = 0
    records: dict[str, dict[str, Any]] = field(default_factory=dict)
    blocks: set[str] = field(default_factory=set)


class BlueskySimulator(ThreadedServer):
    """The server."""

    def __init__(self) -> None:
        super().__init__()
        self.accounts: dict[str, Account] = {}
        self.calls: list[str] = []
        self.gated: set[str] = set()
        self.blobs: dict[str, bytes] = {}
        self._indexed: dict[str, datetime] = {}
        self._access: dict[str, str] = {}
        self._refresh: dict[str, str] = {}
        self._expired: set[str] = set()
        self._how = ""
        self._last = 0

    # what a test makes happen

    def add_account(self, handle: str, password: str, name: str = "", followers: int = 0) -> Account:
        """A new account."""
        letters = base64.b32encode(hashlib.sha256(handle.encode()).digest()).decode().lower()[:24]
        account = Account(f"did:plc:{letters}", handle, password, name, followers)
        with self.lock:
            self.accounts[account.did] = account
        return account

    def post(
        self,
        by: Account,
        text: str,
        *,
        answers: str = "",
        quotes: str = "",
        created_at: datetime | None = None,
        **more: Any,
    ) -> str:
        """Somebody posts, as an app would write it: with facets for the @handles there are. Its address."""
        with self.lock:
            record: dict[str, Any] = {"$type": POST, "text": text, "langs": ["en"]}
            record["createdAt"] = _iso(created_at or self._now())
            facets = []
            for found in _HANDLE.finditer(text):
                whom = self._by_handle(found.group(1))
                if whom is not None:
                    index = {
                        "byteStart": len(text[: found.start()].encode()),
                        "byteEnd": len(text[: found.end()].encode()),
                    }
                    feature = {"$type": "app.bsky.richtext.facet#mention", "did": whom.did}
                    facets.append({"index": index, "features": [feature]})
            if facets:
                record["facets"] = facets
            if answers:
                above = self.record(answers)
                parent = {"uri": answers, "cid": _cid(above)}
                record["reply"] = {"root": above.get("reply", {}).get("root", parent), "parent": parent}
            if quotes:
                strong = {"uri": quotes, "cid": _cid(self.record(quotes))}
                record["embed"] = {"$type": "app.bsky.embed.record", "record": strong}
            return self._write(by, POST, self._tid(), record | more)

    def delete(self, uri: str) -> None:
        """Its author deletes it."""
        with self.lock:
            account, path = self._place(uri)
            account.records.pop(path, None)

    def record(self, uri: str) -> dict[str, Any]:
        """The record at an address; KeyError when there is none."""
        with self.lock:
            account, path = self._place(uri)
            return account.records[path]

    def posts(self, by: Account) -> list[dict[str, Any]]:
        """An account's posts in the order they came."""
        with self.lock:
            uris = [f"at://{by.did}/{path}" for path in by.records if path.startswith(POST)]
            return [self.record(uri) for uri in sorted(uris, key=lambda uri: self._indexed[uri])]

    def misbehave(self, how: str) -> None:
        """unauthorized, slow_down, broken, cut, refuses or nonsense, for every call until `behave`."""
        self._how = how

    def behave(self) -> None:
        """Answer as one should again."""
        self._how = ""

    def expire_access(self) -> None:
        """Two hours pass: every access token is too old, the refresh tokens are good."""
        with self.lock:
            self._expired |= set(self._access)

    def expire_sessions(self) -> None:
        """Months pass: the refresh tokens are too old as well."""
        with self.lock:
            self._expired |= set(self._access) | set(self._refresh)

    # one call

    def answer(self, verb: str, target: str, headers: dict[str, str], body: bytes) -> Told | None:
        """One call; a deed is done before its answer is lost."""
        token = headers.get("authorization", "").removeprefix("Bearer ").strip()
        parts = urlsplit(target)
        method = parts.path.removeprefix("/xrpc/")
        with self.lock:
            self.calls.append(method)
            how = self._how
            if how == "slow_down":
                reset = {"RateLimit-Remaining": "0", "RateLimit-Reset": str(int(time.time()) + 7)}
                return 429, reset, _json({"error": "RateLimitExceeded", "message": "Rate Limit Exceeded"})
            if how == "broken":
                return 502, {}, _json({"error": "UpstreamFailure", "message": "Upstream server unavailable"})
            if how == "refuses":
                return 400, {}, _json({"error": "InvalidRequest", "message": "Input is not wanted"})
            if how == "nonsense":
                return 200, {}, b"<html>maintenance</html>"
            try:
                kind = headers.get("content-type", "")
                told = self._dispatch(verb, method, parse_qs(parts.query), token, body, kind)
            except XrpcError as error:
                return error.status, {}, _json({"error": error.error, "message": error.message})
            return None if how == "cut" else (200, {}, _json(told))

    def _dispatch(self, verb: str, method: str, params: Params, token: str, body: bytes, kind: str) -> Any:
        if method == "com.atproto.server.createSession":
            return self._create_session(_parsed(body))
        if method == "com.atproto.server.refreshSession":
            return self._refresh_session(token)
        viewer = self._viewer(token)
        queries: dict[str, Callable[[Account, Params], Any]] = {
            "app.bsky.notification.listNotifications": self._notifications,
            "app.bsky.feed.getPosts": self._get_posts,
            "app.bsky.feed.getPostThread": self._thread_view,
            "app.bsky.actor.getProfile": self._profile,
            "com.atproto.identity.resolveHandle": self._resolve,
            "com.atproto.repo.getRecord": self._get_record,
        }
        procedures: dict[str, Callable[[Account, dict[str, Any]], Any]] = {
            "com.atproto.repo.putRecord": self._put_record,
            "com.atproto.repo.createRecord": self._create_record,
            "com.atproto.repo.deleteRecord": self._delete_record,
        }
        if verb == "POST" and method == "com.atproto.repo.uploadBlob":
            return self._upload_blob(body, kind)
        if verb == "GET" and method in queries:
            return queries[method](viewer, params)
        if verb == "POST" and method in procedures:
            return procedures[method](viewer, _parsed(body))
        raise XrpcError(501, "MethodNotImplemented", "Method Not Implemented")

    # sessions

    def _create_session(self, given: dict[str, Any]) -> dict[str, Any]:
        who = self._by_handle(str(given.get("identifier", "")).lower())
        who = who or self.accounts.get(str(given.get("identifier")))
        if who is None or who.password != given.get("password") or self._how == "unauthorized":
            raise XrpcError(401, "AuthenticationRequired", "Invalid identifier or password")
        return self._session(who)

    def _refresh_session(self, token: str) -> dict[str, Any]:
        did = self._refresh.get(token)
        if did is None or self._how == "unauthorized":
            raise XrpcError(400, "InvalidToken", "Token could not be verified")
        if token in self._expired:
            raise XrpcError(400, "ExpiredToken", "Token has expired")
        return self._session(self.accounts[did])

    def _session(self, who: Account) -> dict[str, Any]:
        access, refresh = (f"{kind}.{secrets.token_urlsafe(24)}" for kind in ("access", "refresh"))
        self._access[access] = self._refresh[refresh] = who.did
        return {"accessJwt": access, "refreshJwt": refresh, "did": who.did, "handle": who.handle, "active": True}

    def _viewer(self, token: str) -> Account:
        if not token:
            raise XrpcError(401, "AuthMissing", "Authentication Required")
        if token not in self._access or self._how == "unauthorized":
            raise XrpcError(400, "InvalidToken", "Token could not be verified")
        if token in self._expired:
            raise XrpcError(400, "ExpiredToken", "Token has expired")
        return self.accounts[self._access[token]]

    # queries

    def _notifications(self, viewer: Account, params: Params) -> dict[str, Any]:
        limit = int(_one(params, "limit", "50"))
        if not 1 <= limit <= 100:
            raise XrpcError(400, "InvalidRequest", "limit must be from 1 to 100")
        wanted, cursor = params.get("reasons"), _one(params, "cursor")
        found = []
        for uri, author, record in self._all_posts():
            reason, subject = self._reason(viewer, author, record)
            if reason and (not wanted or reason in wanted) and not self._blocked(viewer, author):
                found.append((self._sort_at(uri, record), uri, author, record, reason, subject))
        found.sort(key=lambda one: one[0], reverse=True)
        if cursor:
            found = [one for one in found if one[0] < cursor]
        page = found[:limit]
        views = [
            {
                "uri": uri,
                "cid": _cid(record),
                "author": self._author_view(viewer, author),
                "reason": reason,
                "record": record,
                "isRead": False,
                "indexedAt": sort_at,
                "labels": [],
                **({"reasonSubject": subject} if subject else {}),
            }
            for sort_at, uri, author, record, reason, subject in page
        ]
        more = {"cursor": page[-1][0]} if page else {}
        return {"notifications": views, "priority": False, **more}

    def _get_posts(self, viewer: Account, params: Params) -> dict[str, Any]:
        uris = params.get("uris") or []
        if not 1 <= len(uris) <= 25:
            raise XrpcError(400, "InvalidRequest", "uris must have from 1 to 25 items")
        return {"posts": [post for uri in uris if (post := self._post_view(viewer, uri)) is not None]}

    def _thread_view(self, viewer: Account, params: Params) -> dict[str, Any]:
        uri = _one(params, "uri")
        if not self._there(uri):
            raise XrpcError(400, "NotFound", f"Post not found: {uri}")
        author, _ = self._place(uri)
        if self._blocked(viewer, author):
            blocked = {"$type": "app.bsky.feed.defs#blockedPost", "uri": uri, "blocked": True}
            return {"thread": blocked | {"author": {"did": author.did}}}
        replies = [
            {"$type": "app.bsky.feed.defs#threadViewPost", "post": self._post_view(viewer, one)}
            for one, _, record in self._all_posts()
            if record.get("reply", {}).get("parent", {}).get("uri") == uri
        ]
        post = self._post_view(viewer, uri)
        return {"thread": {"$type": "app.bsky.feed.defs#threadViewPost", "post": post, "replies": replies}}

    def _profile(self, viewer: Account, params: Params) -> dict[str, Any]:
        actor = _one(params, "actor")
        who = self.accounts.get(actor) or self._by_handle(actor)
        if who is None:
            raise XrpcError(400, "InvalidRequest", "Profile not found")
        return self._author_view(viewer, who) | {"followersCount": who.followers, "followsCount": 0, "postsCount": 0}

    def _resolve(self, _: Account, params: Params) -> dict[str, str]:
        who = self._by_handle(_one(params, "handle"))
        if who is None:
            raise XrpcError(400, "InvalidRequest", "Unable to resolve handle")
        return {"did": who.did}

    def _get_record(self, _: Account, params: Params) -> dict[str, Any]:
        uri = f"at://{_one(params, 'repo')}/{_one(params, 'collection')}/{_one(params, 'rkey')}"
        if _one(params, "repo") not in self.accounts:
            raise XrpcError(400, "InvalidRequest", f"Could not find repo: {_one(params, 'repo')}")
        if not self._there(uri):
            raise XrpcError(400, "RecordNotFound", f"Could not locate record: {uri}")
        return {"uri": uri, "cid": _cid(self.record(uri)), "value": self.record(uri)}

    # procedures

    def _put_record(self, viewer: Account, given: dict[str, Any]) -> dict[str, Any]:
        rkey, record = str(given.get("rkey", "")), self._valid(viewer, given)
        path = f"{POST}/{rkey}"
        if viewer.records.get(path) == record:
            return {"uri": f"at://{viewer.did}/{path}", "cid": _cid(record), "validationStatus": "valid"}
        return self._written(self._write(viewer, POST, rkey, record))

    def _create_record(self, viewer: Account, given: dict[str, Any]) -> dict[str, Any]:
        rkey, record = str(given.get("rkey") or self._tid()), self._valid(viewer, given)
        if f"{POST}/{rkey}" in viewer.records:
            raise XrpcError(500, "InternalServerError", "Internal Server Error")
        return self._written(self._write(viewer, POST, rkey, record))

    def _upload_blob(self, body: bytes, kind: str) -> dict[str, Any]:
        if not body or "/" not in kind:
            raise XrpcError(400, "InvalidRequest", "Request encoding (Content-Type) required but not provided")
        link = "bafkrei" + base64.b32encode(hashlib.sha256(body).digest()).decode().lower().rstrip("=")
        self.blobs[link] = body
        return {"blob": {"$type": "blob", "ref": {"$link": link}, "mimeType": kind, "size": len(body)}}

    def _delete_record(self, viewer: Account, given: dict[str, Any]) -> dict[str, Any]:
        viewer.records.pop(f"{given.get('collection')}/{given.get('rkey')}", None)
        return {}

    def _written(self, uri: str) -> dict[str, Any]:
        cid = _cid(self.record(uri))
        return {"uri": uri, "cid": cid, "commit": {"cid": cid, "rev": self._tid()}, "validationStatus": "valid"}

    def _valid(self, viewer: Account, given: dict[str, Any]) -> dict[str, Any]:
        """The record, when it is a post as the lexicon app.bsky.feed.post wants it, in the caller's own repo."""
        if given.get("repo") not in (viewer.did, viewer.handle):
            raise XrpcError(401, "AuthRequired", "Authentication Required")
        record = given.get("record")
        problem = "only posts are kept here" if given.get("collection") != POST else _problem(record)
        problem = problem or self._picture_problem(record if isinstance(record, dict) else {})
        if given.get("rkey") is not None and not _TID.fullmatch(str(given["rkey"])):
            problem = "Record key is not a TID"
        if problem or not isinstance(record, dict):
            raise XrpcError(400, "InvalidRequest", f"Invalid {POST} record: {problem}")
        return record

    def _picture_problem(self, record: dict[str, Any]) -> str:
        """At most four pictures of two megabytes, each kept here and with an alternative text."""
        embed = record.get("embed") or {}
        if embed.get("$type") != "app.bsky.embed.images":
            return ""
        images = embed.get("images") or []
        if not 1 <= len(images) <= 4:
            return "array too big (maximum 4) at $.record.embed.images"
        for one in images:
            blob = one.get("image") or {}
            if blob.get("ref", {}).get("$link") not in self.blobs or not isinstance(one.get("alt"), str):
                return "Could not find blob"
            if not str(blob.get("mimeType")).startswith("image/") or blob.get("size", 0) > 2_000_000:
                return "blob too big or not accepted at $.record.embed.images"
        return ""

    # what lies below

    def _write(self, by: Account, collection: str, rkey: str, record: dict[str, Any]) -> str:
        path = f"{collection}/{rkey}"
        by.records[path] = record
        uri = f"at://{by.did}/{path}"
        self._indexed.setdefault(uri, self._now())
        return uri

    def _reason(self, viewer: Account, author: Account, record: dict[str, Any]) -> tuple[str, str]:
        """One notification a post at most: a mention, else a quote, else a reply to us or in a thread of ours."""
        if author is viewer:
            return "", ""
        for facet in record.get("facets", ()):
            if any(feature.get("did") == viewer.did for feature in facet["features"]):
                return "mention", ""
        quoted = record.get("embed", {}).get("record", {}).get("uri", "")
        if quoted.startswith(f"at://{viewer.did}/") and self._there(quoted):
            return "quote", quoted
        for step in ("parent", "root"):
            above = record.get("reply", {}).get(step, {}).get("uri", "")
            if above.startswith(f"at://{viewer.did}/") and self._there(above):
                return "reply", above
        return "", ""

    def _all_posts(self) -> list[tuple[str, Account, dict[str, Any]]]:
        return [
            (f"at://{account.did}/{path}", account, record)
            for account in self.accounts.values()
            for path, record in account.records.items()
        ]

    def _post_view(self, viewer: Account, uri: str) -> dict[str, Any] | None:
        if not self._there(uri):
            return None
        author, _ = self._place(uri)
        if self._blocked(viewer, author):
            return None
        record = self.record(uri)
        root = record.get("reply", {}).get("root", {}).get("uri", uri)
        below = [one for _, _, one in self._all_posts() if one.get("reply", {}).get("parent", {}).get("uri") == uri]
        view: dict[str, Any] = {
            "uri": uri,
            "cid": _cid(record),
            "author": self._author_view(viewer, author),
            "record": record,
            "replyCount": len(below),
            "repostCount": 0,
            "likeCount": 0,
            "quoteCount": 0,
            "indexedAt": self._sort_at(uri, record),
            "viewer": {"replyDisabled": True} if root in self.gated and author is not viewer else {},
            "labels": [],
        }
        if record.get("embed", {}).get("images"):
            images = [
                {"fullsize": f"https://cdn.example/{author.did}/{n}", "thumb": "", "alt": image.get("alt", "")}
                for n, image in enumerate(record["embed"]["images"])
            ]
            view["embed"] = {"$type": "app.bsky.embed.images#view", "images": images}
        return view

    def _author_view(self, viewer: Account, who: Account) -> dict[str, Any]:
        relation: dict[str, Any] = {"muted": False, "blockedBy": viewer.did in who.blocks}
        if who.did in viewer.blocks:
            relation["blocking"] = f"at://{viewer.did}/app.bsky.graph.block/{_TID_CHARS[:13]}"
        name = {"displayName": who.name} if who.name else {}
        return {"did": who.did, "handle": who.handle, **name, "viewer": relation, "labels": []}

    def _blocked(self, one: Account, other: Account) -> bool:
        return one.did in other.blocks or other.did in one.blocks

    def _there(self, uri: str) -> bool:
        try:
            account, path = self._place(uri)
        except KeyError:
            return False
        return path in account.records

    def _place(self, uri: str) -> tuple[Account, str]:
        did, _, path = uri.removeprefix("at://").partition("/")
        return self.accounts[did], path

    def _by_handle(self, handle: str) -> Account | None:
        return next((one for one in self.accounts.values() if one.handle == handle), None)

    def _sort_at(self, uri: str, record: dict[str, Any]) -> str:
        return min(str(record["createdAt"]), _iso(self._indexed[uri]))

    def _now(self) -> datetime:
        """The time, never the same millisecond twice."""
        with self.lock:
            self._last = max(self._last + 1, time.time_ns() // 1_000_000)
            return datetime.fromtimestamp(self._last / 1000, UTC)

    def _tid(self) -> str:
        number = int(self._now().timestamp() * 1_000_000) << 10
        return "".join(_TID_CHARS[number >> shift & 31] for shift in range(60, -1, -5))


def _problem(record: Any) -> str:
    """What is wrong with a post; empty when nothing is."""
    if not isinstance(record, dict) or record.get("$type") != POST or not isinstance(record.get("text"), str):
        return "Record must have the property text"
    length = len(regex.findall(r"\X", record["text"]))
    if length > 300:
        return f"grapheme too big (maximum 300, got {length}) at $.record.text"
    if len(record["text"].encode()) > 3000:
        return "string too big (maximum 3000) at $.record.text"
    if not re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)", str(record.get("createdAt"))):
        return "createdAt must be a datetime"
    refs = record.get("reply", {"root": {"uri": "at://x", "cid": "x"}, "parent": {"uri": "at://x", "cid": "x"}})
    for step in ("root", "parent"):
        ref = refs.get(step) or {}
        if not str(ref.get("uri", "")).startswith("at://") or not ref.get("cid"):
            return f"reply.{step} must be a strong reference"
    for facet in record.get("facets", ()):
        start, end = facet["index"]["byteStart"], facet["index"]["byteEnd"]
        if not 0 <= start < end <= len(record["text"].encode()):
            return "a facet lies outside of the text"
    return ""


def _cid(record: dict[str, Any]) -> str:
    digest = hashlib.sha256(json.dumps(record, sort_keys=True).encode()).digest()
    return "bafyrei" + base64.b32encode(digest).decode().lower().rstrip("=")


def _iso(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


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
        raise XrpcError(400, "InvalidRequest", "A request body was expected but none was provided")
    return value
