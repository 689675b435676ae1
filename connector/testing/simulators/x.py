"""A small X on loopback, API v2 and the Activity API's calls, in memory.

An independent reading of https://docs.x.com (guides and OpenAPI 2.167, August 2026); it shares no code with the
adapter. It keeps the manners that matter to whoever connects: OAuth 1.0a signatures, each nonce once; mentions newest
first in pages; errors beside data in a 200; ids that grow with time; edits with a new id; links as t.co and & < >
escaped; handles put before replies; refusals of replies to whom did not call us, and of the same words twice; the
windows of the rate limits in headers.

`dialect` is "guide" (tweet.fields, referenced_tweets …) or "description" (post.fields, referenced_posts …): the two
documents differ, and answers come in the one chosen. `sloppy`: pages come shuffled and tell some posts twice.
`cut_replies`: so many posts and messages are made and not answered.

    with XSimulator() as x:
        brand, ann = x.add_user("brand"), x.add_user("ann")
        x.post(ann, "@brand where is my order?")
        …requests to x.url, signed with x.credentials(brand)…
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import html
import itertools
import json
import random
import re
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl, quote, unquote, urlsplit

from connector.testing.simulators.threaded import ThreadedServer, Told

Row = dict[str, Any]
_PROBLEMS = "https://api.x.com/2/problems/"
_HANDLE = re.compile(r"(?<!\w)@(\w{1,15})")
_URL = re.compile(r"https?://[^\s]+[^\s.,)]")
_ID = re.compile(r"[0-9]{1,19}")


class Problem(Exception):
    """A refusal: status, kind and words."""

    def __init__(self, status: int, kind: str, detail: str) -> None:
        super().__init__(kind)
        self.status = status
        title = kind.replace("-", " ").title()
        self.body: Row = {"type": f"{_PROBLEMS}{kind}", "title": title, "detail": detail, "status": status}


@dataclass
class User:
    """Somebody with an account; `token` and `secret` are those of OAuth 1.0a."""

    id: str
    username: str
    name: str
    followers: int
    token: str
    secret: str
    protected: bool = False
    no_messages: bool = False


@dataclass
class Post:
    """One version of a post. `chain`: the ids of all its versions."""

    id: str
    author: User
    text: str
    at: float
    answers: str
    quotes: str
    conversation: str
    chain: list[str]
    prefix: int = 0
    media: list[Row] = field(default_factory=list)
    urls: list[Row] = field(default_factory=list)
    gone: bool = False


@dataclass
class Message:
    """A direct message."""

    id: str
    sender: User
    to: User
    text: str
    at: float


class XSimulator(ThreadedServer):
    """The server. `calls` are the calls so far, `posted` bodies of the posts made through the API."""

    api_key = "app-key"
    api_secret = "app-secret-app-secret"

    def __init__(self) -> None:
        super().__init__()
        self.users: dict[str, User] = {}
        self.posts_by_id: dict[str, Post] = {}
        self.messages: list[Message] = []
        self.uploads: dict[str, tuple[str, bytes]] = {}
        self.calls: list[str] = []
        self.asked: list[tuple[str, str, Row, Any]] = []
        self.made: list[Row] = []
        self.left: dict[str, int] = {}
        self.dialect = "guide"
        self.sloppy = False
        self.enterprise = False
        self.credits = True
        self.cut_replies = 0
        self._how = ""
        self._nonces: set[str] = set()
        self._ids = itertools.count(0)
        self._last = 0

    # what a test makes happen

    def add_user(self, username: str, name: str = "", followers: int = 0) -> User:
        """A new account."""
        with self.lock:
            number = str(1_000_000 + len(self.users))
            token = f"{number}-{secrets.token_hex(12)}"
            user = User(number, username, name or username.title(), followers, token, secrets.token_hex(20))
            self.users[number] = user
            return user

    def post(
        self, by: User, text: str, *, answers: str = "", quotes: str = "", media: list[Row] | None = None
    ) -> str:
        """Somebody posts in the app: answers begin with the handles of whom they answer. Its id."""
        with self.lock:
            return self._store(by, text, answers=answers, quotes=quotes, media=media or []).id

    def edit(self, post_id: str, text: str) -> str:
        """A new version; its id."""
        with self.lock:
            old = self.posts_by_id[post_id]
            new = self._store(old.author, text, answers=old.answers, quotes=old.quotes, media=old.media)
            old.chain.append(new.id)
            new.chain, new.conversation = old.chain, old.conversation
            return new.id

    def delete(self, post_id: str) -> None:
        """Its author deletes it, with all its versions."""
        with self.lock:
            for one in self.posts_by_id[post_id].chain:
                self.posts_by_id[one].gone = True

    def message(self, by: User, to: User, text: str) -> str:
        """A direct message; its id."""
        with self.lock:
            number, at = self._next()
            self.messages.append(Message(number, by, to, text, at))
            return number

    def posts(self, by: User) -> list[Post]:
        """Somebody's posts, oldest first."""
        with self.lock:
            return [one for one in self.posts_by_id.values() if one.author is by and not one.gone]

    def event(self, kind: str, what: str, to: User) -> tuple[dict[str, str], bytes]:
        """Headers and body of the Activity API's call about a post or message, for that subscriber."""
        with self.lock:
            payload: Row
            if kind == "dm.received":
                sent = next(one for one in self.messages if one.id == what)
                payload = {
                    "direct_message_events": [
                        {
                            "type": "message_create",
                            "id": sent.id,
                            "created_timestamp": str(int(sent.at * 1000)),
                            "message_create": {
                                "target": {"recipient_id": sent.to.id},
                                "sender_id": sent.sender.id,
                                "message_data": {"text": sent.text, "entities": {"urls": []}},
                            },
                        }
                    ],
                    "users": {one.id: {"data": self._user(one)} for one in (sent.sender, sent.to)},
                }
                includes: Row = {}
            else:
                post = self.posts_by_id[what]
                payload, includes = self._shown(post, everything=True), {"users": [self._user(post.author)]}
            data = {"event_uuid": secrets.token_hex(8), "filter": {"user_id": to.id}, "event_type": kind}
            body = json.dumps({"data": data | {"payload": payload, "includes": includes}}).encode()
        return {"x-twitter-webhooks-signature": self.sign(body), "content-type": "application/json"}, body

    def sign(self, content: bytes) -> str:
        """As X signs its calls and expects challenges to be answered."""
        digest = hmac.new(self.api_secret.encode(), content, hashlib.sha256).digest()
        return f"sha256={base64.b64encode(digest).decode()}"

    def misbehave(self, how: str) -> None:
        """unauthorized, slow_down, broken, cut, refuses or nonsense, for every call until `behave`."""
        self._how = how

    def behave(self) -> None:
        """Answer as one should again."""
        self._how = ""

    # one call

    def answer(self, verb: str, target: str, headers: dict[str, str], body: bytes) -> Told | None:
        """One call; a deed is done before its answer is lost."""
        parts = urlsplit(target)
        params = dict(parse_qsl(parts.query, keep_blank_values=True))
        with self.lock:
            self.calls.append(f"{verb} {parts.path}")
            self.asked.append((verb, parts.path, params, json.loads(body) if body else None))
            rates = {"x-rate-limit-limit": "300", "x-rate-limit-reset": str(int(time.time()) + 7)}
            if self._how == "slow_down":
                problem = Problem(429, "rate-limit-exceeded", "Too Many Requests").body
                return 429, rates | {"x-rate-limit-remaining": "0"}, _json(problem)
            if self._how == "broken":
                return (
                    503,
                    {},
                    _json({"title": "Service Unavailable", "detail": "Service Unavailable", "status": 503}),
                )
            if self._how == "nonsense":
                return 200, {}, b"<html>over capacity</html>"
            left = self.left.get(parts.path, 300)
            self.left[parts.path] = left - 1
            try:
                viewer = self._viewer(verb, parts.path, params, headers.get("authorization", ""))
                self._let_in(left)
                status, told = self._dispatch(verb, parts.path, params, viewer, body)
            except Problem as problem:
                more = rates | {"x-rate-limit-remaining": "0"} if problem.status == 429 else {}
                return problem.status, more, _json(problem.body)
            if verb == "POST" and self.cut_replies and parts.path != "/2/media/upload":
                self.cut_replies -= 1
                return None
            if self._how == "cut":
                return None
            return status, rates | {"x-rate-limit-remaining": str(max(0, left - 1))}, _json(told)

    def _let_in(self, left: int) -> None:
        if left <= 0:
            raise Problem(429, "rate-limit-exceeded", "Too Many Requests")
        if not self.credits:
            raise Problem(403, "usage-capped", "Your account has no credits left.")
        if self._how == "refuses":
            raise Problem(400, "invalid-request", "One or more parameters to your request was invalid.")

    def _viewer(self, verb: str, path: str, params: Row, header: str) -> User:
        """Whose signature it is (RFC 5849)."""
        given = {
            unquote(name): unquote(value.strip('"'))
            for name, _, value in (part.strip().partition("=") for part in header.removeprefix("OAuth ").split(","))
        }
        user = next((one for one in self.users.values() if one.token == given.get("oauth_token")), None)
        signature, nonce = given.pop("oauth_signature", ""), given.get("oauth_nonce", "")
        fresh = abs(int(given.get("oauth_timestamp") or 0) - time.time()) < 300
        if user is None or given.get("oauth_consumer_key") != self.api_key or not fresh or nonce in self._nonces:
            raise Problem(401, "unauthorized", "Unauthorized")
        self._nonces.add(nonce)
        pairs = sorted((_pct(k), _pct(v)) for k, v in {**params, **given}.items())
        base = f"{verb}&{_pct(self.url + path)}&{_pct('&'.join(f'{k}={v}' for k, v in pairs))}"
        key = f"{_pct(self.api_secret)}&{_pct(user.secret)}".encode()
        wanted = base64.b64encode(hmac.new(key, base.encode(), hashlib.sha1).digest()).decode()
        if signature != wanted or self._how == "unauthorized":
            raise Problem(401, "unauthorized", "Unauthorized")
        return user

    def _dispatch(self, verb: str, path: str, params: Row, viewer: User, body: bytes) -> tuple[int, Row]:
        routes: list[tuple[str, str, Callable[..., Row], int]] = [
            ("GET", r"/2/users/me", lambda: {"data": self._user(viewer)}, 200),
            ("GET", r"/2/users/(\d+)/mentions", lambda who: self._timeline(params, self._mentioning(who)), 200),
            ("GET", r"/2/users/(\d+)/tweets", lambda who: self._timeline(params, self.posts(self.users[who])), 200),
            ("GET", r"/2/tweets", lambda: self._looked_up(params, viewer), 200),
            ("POST", r"/2/tweets", lambda: self._create(viewer, _parsed(body)), 201),
            ("POST", r"/2/media/upload", lambda: self._upload(_parsed(body)), 200),
            ("GET", r"/2/dm_events", lambda: self._dm_events(params, viewer, ""), 200),
            (
                "GET",
                r"/2/dm_conversations/with/(\d+)/dm_events",
                lambda who: self._dm_events(params, viewer, who),
                200,
            ),
            (
                "POST",
                r"/2/dm_conversations/with/(\d+)/messages",
                lambda who: self._dm(viewer, who, _parsed(body)),
                201,
            ),
        ]
        for known, pattern, act, status in routes:
            found = re.fullmatch(pattern, path)
            if known == verb and found:
                return status, act(*found.groups())
        raise Problem(404, "resource-not-found", f"No route for {verb} {path}")

    # reads

    def _mentioning(self, who: str) -> list[Post]:
        name = self.users[who].username.lower()
        return [
            one
            for one in self.posts_by_id.values()
            if not one.gone and name in (found.lower() for found in _HANDLE.findall(one.text))
        ]

    def _timeline(self, params: Row, posts: list[Post]) -> Row:
        most = int(params.get("max_results", "10"))
        if not 5 <= most <= 100 or not _ID.fullmatch(params.get("since_id", "1")):
            raise Problem(400, "invalid-request", "The `max_results` query parameter value is not between 5 and 100")
        found = [one for one in posts if int(one.id) > int(params.get("since_id", "0"))]
        if "start_time" in params:
            start = datetime.fromisoformat(params["start_time"]).timestamp()
            found = [one for one in found if one.at >= start]
        found.sort(key=lambda one: int(one.id), reverse=True)
        found = found[:800]
        begin = int(params.get("pagination_token", "t0")[1:])
        page = found[begin : begin + most]
        more = {"next_token": f"t{begin + most}"} if len(found) > begin + most else {}
        told = {"meta": {"result_count": len(page), **more}}
        if page:
            told["meta"] |= {"newest_id": page[0].id, "oldest_id": page[-1].id}
        if self.sloppy and page:
            page = [*page, page[0]]
            random.Random(7).shuffle(page)
        return (self._with_includes(page, params) if page else {}) | told

    def _looked_up(self, params: Row, viewer: User) -> Row:
        ids = params.get("ids", "").split(",")
        if not 1 <= len(ids) <= 100 or not all(_ID.fullmatch(one) for one in ids):
            raise Problem(400, "invalid-request", "The `ids` query parameter value is not valid")
        there, errors = [], []
        for one in ids:
            post = self.posts_by_id.get(one)
            kind = ""
            if post is None or post.gone:
                kind = "resource-not-found"
            elif post.author.protected and post.author is not viewer:
                kind = "not-authorized-for-resource"
            if kind or post is None:
                where = {"resource_id": one, "resource_type": "tweet", "parameter": "ids", "value": one}
                words = f"Could not find tweet with ids: [{one}]."
                errors.append({"type": f"{_PROBLEMS}{kind}", "title": "Not Found Error", "detail": words, **where})
            else:
                there.append(post)
        told = self._with_includes(there, params) if there else {}
        return told | ({"errors": errors} if errors else {})

    def _with_includes(self, posts: list[Post], params: Row) -> Row:
        fields = params.get("tweet.fields", "") + "," + params.get("post.fields", "")
        wanted = params.get("expansions", "").split(",")
        data = [self._shown(one, fields=fields) for one in posts]
        includes: Row = {}
        linked = [self.posts_by_id[two] for one in posts for two in (one.answers, one.quotes) if two]
        linked = [one for one in linked if not one.gone]
        if linked and {"referenced_tweets.id", "referenced_posts"} & set(wanted):
            word = "tweets" if self.dialect == "guide" else "posts"
            includes[word] = [self._shown(one, fields=fields) for one in linked]
        if "author_id" in wanted:
            people = {one.author.id: one.author for one in (*posts, *linked)}
            includes["users"] = [self._user(one) for one in people.values()]
        media = [one for post in posts for one in post.media]
        if media and "attachments.media_keys" in wanted:
            includes["media"] = media
        return {"data": data} | ({"includes": includes} if includes else {})

    def _shown(self, post: Post, fields: str = "", *, everything: bool = False) -> Row:
        guide = self.dialect == "guide" or everything
        shown: Row = {"id": post.id, "text": html.escape(post.text, quote=False)}
        shown["edit_history_tweet_ids" if guide else "edit_history_post_ids"] = list(post.chain)
        more: Row = {
            "author_id": post.author.id,
            "conversation_id": post.conversation,
            "created_at": _iso(post.at),
            "display_text_range": [post.prefix, len(post.text)],
            "lang": "en",
            "entities": {
                "mentions": [
                    {"start": found.start(), "end": found.end(), "username": found[1], "id": user.id}
                    for found in _HANDLE.finditer(post.text)
                    if (user := self._named(found[1])) is not None
                ],
                "urls": post.urls,
            },
            "public_metrics": {"like_count": 3, "reply_count": 0, "quote_count": 0, "retweet_count": 1},
        }
        if post.media:
            more["attachments"] = {"media_keys": [one["media_key"] for one in post.media]}
        linked = [("replied_to", post.answers), ("quoted", post.quotes)]
        named = [{"type": kind, "id": one} for kind, one in linked if one]
        if named:
            more["referenced_tweets" if guide else "referenced_posts"] = named
        words = {"referenced_posts": "referenced_tweets"}
        asked = set(fields.split(","))
        return shown | {k: v for k, v in more.items() if everything or k in asked or words.get(k) in asked}

    def _user(self, user: User) -> Row:
        return {
            "id": user.id,
            "username": user.username,
            "name": user.name,
            "verified": False,
            "profile_image_url": f"https://pbs.example/{user.id}.jpg",
            "public_metrics": {"followers_count": user.followers, "following_count": 1},
        }

    def _dm_events(self, params: Row, viewer: User, other: str) -> Row:
        most = int(params.get("max_results", "100"))
        if not 1 <= most <= 100:
            raise Problem(400, "invalid-request", "max_results is not between 1 and 100")
        found = [
            one
            for one in reversed(self.messages)
            if viewer in (one.sender, one.to) and other in ("", one.sender.id, one.to.id)
        ]
        begin = int(params.get("pagination_token", "a" * 16 + "0")[16:])
        page = found[begin : begin + most]
        more = {"next_token": "a" * 16 + str(begin + most)} if len(found) > begin + most else {}
        data = [
            {
                "id": one.id,
                "event_type": "MessageCreate",
                "text": one.text,
                "sender_id": one.sender.id,
                "created_at": _iso(one.at),
                "dm_conversation_id": "-".join(sorted((one.sender.id, one.to.id))),
            }
            for one in page
        ]
        people = {one.sender.id: one.sender for one in page}
        told = {"data": data, "includes": {"users": [self._user(one) for one in people.values()]}} if data else {}
        return told | {"meta": {"result_count": len(data), **more}}

    # writes

    def _create(self, viewer: User, given: Row) -> Row:
        unknown = set(given) - {"text", "reply", "media"}
        answers = str((given.get("reply") or {}).get("in_reply_to_tweet_id") or "")
        text, ids = str(given.get("text") or ""), (given.get("media") or {}).get("media_ids") or []
        if unknown or not (text or ids) or (answers and not _ID.fullmatch(answers)):
            raise Problem(400, "invalid-request", f"The body is not valid: {sorted(unknown)}")
        above = self.posts_by_id.get(answers)
        if answers and (above is None or above.gone):
            raise Problem(
                403, "about:blank", "You attempted to reply to a Tweet that is deleted or not visible to you."
            )
        if above is not None and not self.enterprise and not self._calls(above, viewer):
            raise Problem(403, "about:blank", "Replying is only allowed to authors who mentioned or quoted you.")
        if any(one.text.endswith(text) and one.answers == answers for one in self.posts(viewer) if text):
            raise Problem(403, "about:blank", "You are not allowed to create a Tweet with duplicate content.")
        if _weight(text) > 280:
            raise Problem(403, "about:blank", "Your Tweet text is too long.")
        if any(one not in self.uploads for one in ids) or len(ids) > 4:
            raise Problem(400, "invalid-request", "Your media IDs are invalid.")
        self.made.append(given)
        post = self._store(viewer, text, answers=answers, quotes="", media=[])
        word = "edit_history_tweet_ids" if self.dialect == "guide" else "edit_history_post_ids"
        return {"data": {"id": post.id, "text": post.text, word: [post.id]}}

    def _calls(self, post: Post, viewer: User) -> bool:
        quoted = self.posts_by_id.get(post.quotes)
        named = {found.lower() for found in _HANDLE.findall(post.text)}
        return viewer.username.lower() in named or (quoted is not None and quoted.author is viewer)

    def _upload(self, given: Row) -> Row:
        kinds = ("tweet_image", "dm_image")
        if set(given) != {"media", "media_category"} or given["media_category"] not in kinds:
            raise Problem(400, "invalid-request", "media and media_category are required")
        number = str(self._next()[0])
        self.uploads[number] = (given["media_category"], base64.b64decode(given["media"], validate=True))
        return {"data": {"id": number, "media_key": f"3_{number}", "expires_after_secs": 86400}}

    def _dm(self, viewer: User, who: str, given: Row) -> Row:
        if set(given) - {"text", "attachments"} or not (given.get("text") or given.get("attachments")):
            raise Problem(400, "invalid-request", "text or attachments is required")
        other = self.users.get(who)
        if other is None or other.no_messages:
            raise Problem(403, "about:blank", "You do not have permission to DM one or more participants.")
        made = self.message(viewer, other, str(given.get("text") or ""))
        return {"data": {"dm_event_id": made, "dm_conversation_id": "-".join(sorted((viewer.id, who)))}}

    # what lies below

    def _store(self, by: User, text: str, *, answers: str, quotes: str, media: list[Row]) -> Post:
        number, at = self._next()
        above = self.posts_by_id.get(answers)
        prefix = ""
        if above is not None:
            names = dict.fromkeys([above.author.username, *_HANDLE.findall(above.text[: above.prefix])])
            prefix = "".join(f"@{name} " for name in names if name.lower() != by.username.lower())
            if text.lower().startswith(f"@{above.author.username.lower()} "):
                prefix = ""
        urls: list[Row] = []

        def shortened(found: re.Match[str]) -> str:
            short = f"https://t.co/{secrets.token_hex(5)}"
            urls.append({"url": short, "expanded_url": found[0], "display_url": found[0][8:30]})
            return short

        text = prefix + _URL.sub(shortened, text)
        conversation = above.conversation if above is not None else number
        post = Post(number, by, text, at, answers, quotes, conversation, [number], len(prefix), media, urls)
        self.posts_by_id[number] = post
        return post

    def _next(self) -> tuple[str, float]:
        """An id that grows with time, as X's do, and the time; never the same millisecond twice."""
        self._last = max(self._last + 1, time.time_ns() // 1_000_000)
        return str(((self._last - 1_288_834_974_657) << 22) | (next(self._ids) & 0xFFF)), self._last / 1000

    def _named(self, name: str) -> User | None:
        return next((one for one in self.users.values() if one.username.lower() == name.lower()), None)


def _weight(text: str) -> int:
    """Near enough for texts without emoji: letters of the Latin, Greek, Cyrillic … scripts 1, others 2, links 23."""
    text = _URL.sub("x" * 23, text)
    return sum(1 if ord(letter) <= 4351 or 8192 <= ord(letter) <= 8247 else 2 for letter in text)


def _iso(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _pct(text: str) -> str:
    return quote(text, safe="-._~")


def _json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode()


def _parsed(body: bytes) -> Row:
    try:
        value = json.loads(body)
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise Problem(400, "invalid-request", "A JSON body is required.")
    return value
