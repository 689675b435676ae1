"""A small Meta on loopback: the Graph API of a Facebook Page and an Instagram account, and Meta's webhook calls.

An independent reading of https://developers.facebook.com/docs (Graph API v26.0, Messenger and Instagram platforms)
that shares no code with the adapters. It keeps the manners that matter to whoever connects: fields as asked for, and
error 100 for those a thing does not have; cursors; times in whole seconds; errors as `{"error": {code …}}` with HTTP
400; tokens and proofs; the windows of messages; one private reply; the same words twice refused (506); replies to
replies that end up below the first comment; bodies of hooks signed as they are sent, with unicode escaped.

    with MetaSimulator() as meta:
        post = meta.add_post("New collection")
        meta.comment("ann", post, "How much?")
        …requests to meta.url/v26.0/…, with meta.token…

`sloppy`: hooks tell their entries twice and backwards. `cut_replies`: so many writes are done and not answered.
`usage` is sent as X-App-Usage, `business_usage` likewise.
"""

from __future__ import annotations

import hashlib
import hmac
import itertools
import json
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from connector.testing.simulators.threaded import ThreadedServer, Told

Row = dict[str, Any]
_PICTURE = "https://scontent.example/{0}.jpg"
_DAY = 86_400


class GraphError(Exception):
    """A refusal: code, subcode and words."""

    def __init__(self, code: int, message: str, subcode: int = 0, status: int = 400, **more: Any) -> None:
        super().__init__(message)
        self.status = status
        self.body: Row = {"error": {"message": message, "type": "OAuthException", "code": code, **more}}
        if subcode:
            self.body["error"]["error_subcode"] = subcode


@dataclass
class Thing:
    """Anything that was written: a post, comment, media, message. `fields` are those it can be asked for."""

    id: str
    kind: str
    by: str
    text: str
    at: float
    below: str = ""
    answers: str = ""
    picture: str = ""
    gone: bool = False
    closed: bool = False
    private_replies: int = 0
    to: str = ""
    order: int = 0


@dataclass
class Wanted:
    """One field that was asked for: its arguments and the fields below it."""

    name: str
    arguments: Row = field(default_factory=dict)
    below: list[Wanted] = field(default_factory=list)


class MetaSimulator(ThreadedServer):
    """The server, with one page and one linked Instagram account."""

    page, account, handle = "100001", "17840001", "brand"
    token = "EAAB-page-token-with-many-letters"
    app_secret = "app-secret-0123456789abcdef"
    people: Row

    def __init__(self) -> None:
        super().__init__()
        self.people = {"ann": ("5001", "Ann"), "bob": ("5002", "Bob")}
        self.things: dict[str, Thing] = {}
        self.calls: list[str] = []
        self.asked: list[tuple[str, str, Row, Any]] = []
        self.require_proof = False
        self.sloppy = False
        self.age = 0.0
        self.cut_replies = 0
        self.usage: Row = {}
        self.business_usage: Row = {}
        self.fail_next: GraphError | None = None
        self.fail_after: GraphError | None = None
        self._how = ""
        self._numbers = itertools.count(1)

    # what a test makes happen

    def add_post(self, text: str, by: str = "", *, tagged: bool = False) -> str:
        """A post on the page: the page's own, or a visitor's; `tagged`: elsewhere, and it mentions the page."""
        kind = "tagged" if tagged else "post"
        return self._keep(kind, by or self.page, text, prefix=f"{self.page}_", picture="post").id

    def comment(self, by: str, post: str, text: str, answers: str = "") -> str:
        """A comment below a post; `answers`: below another comment."""
        prefix = f"{post.rpartition('_')[2]}_"
        return self._keep("comment", by or self.page, text, prefix=prefix, below=post, answers=answers).id

    def add_media(self, caption: str) -> str:
        """A picture on the Instagram account."""
        return self._keep("media", self.account, caption, prefix="179", picture="media").id

    def ig_comment(self, by: str, media: str, text: str, answers: str = "") -> str:
        """A comment on a media."""
        return self._keep("ig_comment", by or self.account, text, prefix="178", below=media, answers=answers).id

    def message(self, by: str, text: str, *, instagram: bool = False) -> str:
        """A direct message to the page or account; `by` empty: from it, to ann."""
        us = self.account if instagram else self.page
        kind = "ig_message" if instagram else "message"
        to = us if by else self._person("ann")
        return self._keep(kind, by or us, text, prefix="m_", to=to).id

    def edit(self, thing: str, text: str) -> None:
        """Its author changes the words."""
        with self.lock:
            self.things[thing].text = text

    def delete(self, thing: str) -> None:
        """Its author takes it back, and with a comment its answers."""
        with self.lock:
            for one in self.things.values():
                if thing in (one.id, one.below, one.answers):
                    one.gone = True

    def ours(self, kind: str) -> list[Thing]:
        """What the page or account wrote of that kind, in order."""
        with self.lock:
            found = [one for one in self.things.values() if one.kind == kind and one.by in (self.page, self.account)]
            return sorted(found, key=lambda one: one.order)

    def feed_event(self, thing: str, verb: str = "add", field: str = "feed", **more: Any) -> tuple[Row, bytes]:
        """Headers and body of a call about a comment or post of the page."""
        one = self.things[thing]
        value: Row = {"from": self._from(one.by), "post_id": one.below or one.id, "verb": verb}
        value |= {"item": "comment" if one.kind == "comment" else "status", "created_time": int(one.at)}
        if one.kind == "comment":
            value |= {"comment_id": one.id, "parent_id": one.answers or one.below}
        if verb in ("add", "edited", "edit"):
            value["message"] = one.text
        return self.call("page", {"id": self.page, "changes": [{"field": field, "value": value | more}]})

    def ig_event(self, thing: str) -> tuple[Row, bytes]:
        """A call about a comment on the account's media."""
        one = self.things[thing]
        who = {"id": self._person(one.by), "username": one.by if one.by in self.people else self.handle}
        value: Row = {"id": one.id, "text": one.text, "from": who, "media": {"id": one.below}}
        value |= {"parent_id": one.answers} if one.answers else {}
        return self.call("instagram", {"id": self.account, "field": "comments", "value": value})

    def message_event(self, thing: str, **made: Any) -> tuple[Row, bytes]:
        """A call about a direct message."""
        one = self.things[thing]
        us = self.account if one.kind == "ig_message" else self.page
        event: Row = {"sender": {"id": self._person(one.by)}, "recipient": {"id": one.to}}
        event |= {"timestamp": int(one.at * 1000)} | (made or {"message": {"mid": one.id, "text": one.text}})
        return self.call("instagram" if us == self.account else "page", {"id": us, "messaging": [event]})

    def call(self, kind: str, *entries: Row) -> tuple[Row, bytes]:
        """A call with these entries."""
        told = [{"time": int(time.time()), **one} for one in entries]
        if self.sloppy:
            told = [*told, *told][::-1]
        body = json.dumps({"object": kind, "entry": told}).encode()
        digest = hmac.new(self.app_secret.encode(), body, hashlib.sha256).hexdigest()
        return {"x-hub-signature-256": f"sha256={digest}", "content-type": "application/json"}, body

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
        params: Row = dict(parse_qsl(parts.query))
        path = re.sub(r"^/v\d+\.\d+/", "", parts.path)
        with self.lock:
            self.calls.append(f"{verb} {path}")
            self.asked.append((verb, path, params, json.loads(body) if body else None))
            told: Row = {}
            more = {"X-App-Usage": json.dumps(self.usage)} if self.usage else {}
            more |= {"X-Business-Use-Case-Usage": json.dumps(self.business_usage)} if self.business_usage else {}
            if self._how == "slow_down":
                return 429, {"Retry-After": "7"}, _json(GraphError(4, "Application request limit reached").body)
            if self._how == "broken":
                return 500, {}, _json(GraphError(2, "An unexpected error has occurred.").body)
            if self._how == "nonsense":
                return 200, {}, b"<html>Sorry, something went wrong.</html>"
            try:
                self._let_in(params)
                told = self._dispatch(verb, path, params, json.loads(body) if body else {})
                if self.fail_after is not None:
                    error, self.fail_after = self.fail_after, None
                    raise error
            except GraphError as error:
                return error.status, more, _json(error.body)
            if verb == "POST" and self.cut_replies:
                self.cut_replies -= 1
                return None
            return None if self._how == "cut" else (200, more, _json(told))

    def _let_in(self, params: Row) -> None:
        error, self.fail_next = self.fail_next, None
        if error is not None:
            raise error
        if params.get("access_token") != self.token or self._how == "unauthorized":
            raise GraphError(190, "Invalid OAuth access token.", 463)
        proof = hmac.new(self.app_secret.encode(), self.token.encode(), hashlib.sha256).hexdigest()
        given = params.get("appsecret_proof")
        if (given and given != proof) or (self.require_proof and not given):
            raise GraphError(100, "Invalid appsecret_proof provided in the API argument")
        if self._how == "refuses":
            raise GraphError(100, "(#100) Invalid parameter")

    def _dispatch(self, verb: str, path: str, params: Row, body: Row) -> Row:
        node, _, edge = path.partition("/")
        if verb == "POST":
            return self._write(node, edge, body)
        wanted = _fields(params.get("fields", "id"))
        if not edge:
            return self._node(node, wanted)
        return self._edge(node, edge, wanted, params)

    # reads

    def _node(self, node: str, wanted: list[Wanted]) -> Row:
        if node in ("me", self.page):
            return self._pick({"id": self.page, "name": "Brand", "link": "https://facebook.example/brand"}, wanted)
        if node == self.account:
            mentioned = [one for one in wanted if one.name.startswith("mentioned_")]
            if mentioned:
                return self._mentioned(mentioned[0])
            return self._pick({"id": self.account, "username": self.handle}, wanted)
        for name, (number, shown) in self.people.items():
            if number == node:
                known = {"name": shown, "profile_pic": "", "username": name, "follower_count": 7, "id": number}
                return self._pick(known, wanted) | {"id": number}
        return self._told(self._thing(node), wanted)

    def _mentioned(self, wanted: Wanted) -> Row:
        word = "comment_id" if wanted.name == "mentioned_comment" else "media_id"
        one = self._thing(str(wanted.arguments[word]))
        told = self._told(one, wanted.below, elsewhere=True)
        return {wanted.name: told, "id": self.account}

    def _edge(self, node: str, edge: str, wanted: list[Wanted], params: Row) -> Row:
        us = node in (self.page, self.account)
        if edge == "feed" and us:
            found = [one for one in self._all("post") if not one.gone]
        elif edge == "tagged" and us:
            found = self._all("tagged")
        elif edge == "media" and us:
            found = self._all("media")
        elif edge == "conversations" and us:
            return self._conversations(params, wanted)
        elif edge in ("comments", "replies"):
            return self._comments(self._thing(node), edge, wanted, params)
        else:
            raise GraphError(100, f"Tried accessing nonexisting field ({edge})")
        return self._paged([*reversed(found)], wanted, params)

    def _comments(self, on: Thing, edge: str, wanted: list[Wanted], params: Row) -> Row:
        stream = params.get("filter") == "stream"
        if on.kind in ("comment", "ig_comment"):
            found = [one for one in self._all(on.kind) if one.answers == on.id]
        elif on.kind == "media":
            found = [one for one in self._all("ig_comment") if one.below == on.id and not one.answers]
        else:
            found = [one for one in self._all("comment") if one.below == on.id and (stream or not one.answers)]
        if params.get("order") == "reverse_chronological" or on.kind == "media":
            found.reverse()
        return self._paged(found, wanted, params)

    def _paged(self, found: list[Thing], wanted: list[Wanted], params: Row) -> Row:
        begin, most = int(params.get("after", "0")), int(params.get("limit", "25"))
        if not 1 <= most <= 100:
            raise GraphError(100, "(#100) Param limit must be from 1 to 100")
        page = found[begin : begin + most]
        told: Row = {"data": [self._told(one, wanted) for one in page]}
        if page:
            told["paging"] = {"cursors": {"before": str(begin), "after": str(begin + len(page))}}
            if begin + most < len(found):
                told["paging"]["next"] = f"{self.url}/next"
        return told

    def _conversations(self, params: Row, wanted: list[Wanted]) -> Row:
        kinds = {"messenger": "message", "instagram": "ig_message"}
        if params.get("platform") not in kinds:
            raise GraphError(100, "(#100) Param platform must be one of {instagram, messenger}")
        us = self.page if params["platform"] == "messenger" else self.account
        threads: dict[str, list[Thing]] = {}
        for one in self._all(kinds[params["platform"]]):
            other = one.to if self._person(one.by) == us else self._person(one.by)
            threads.setdefault(other, []).append(one)
        if "user_id" in params:
            threads = {key: value for key, value in threads.items() if key == params["user_id"]}
        below = next((one for one in wanted if one.name == "messages"), Wanted("messages"))
        most = int(below.arguments.get("limit", "25"))
        told = []
        for other, messages in threads.items():
            messages.sort(key=lambda one: -one.order)
            shown = [self._told(one, below.below) for one in messages[:most]]
            told.append({"id": f"t_{other}", "updated_time": _iso(messages[0].at), "messages": {"data": shown}})
        return {"data": told}

    def _told(self, one: Thing, wanted: list[Wanted], *, elsewhere: bool = False) -> Row:
        """The fields that were asked for; error 100 for one it does not have."""
        url = f"https://facebook.example/{one.id}" if one.kind != "media" else f"https://instagram.example/p/{one.id}"
        person = self._person(one.by)
        name = one.by if one.by in self.people else self.handle
        known: dict[str, Callable[[Wanted], Any]] = {"id": lambda _: one.id}
        if one.kind in ("post", "tagged"):
            known |= {
                "message": lambda _: one.text,
                "from": lambda _: self._from(one.by),
                "created_time": lambda _: _iso(one.at),
                "permalink_url": lambda _: url,
                "full_picture": lambda _: _PICTURE.format(one.id) if one.picture else None,
                "can_reply_privately": lambda _: not one.private_replies,
                "private_reply_conversation": lambda _: {"id": f"t_{person}"} if one.private_replies else None,
                "comments": lambda it: self._comments(one, "comments", it.below, it.arguments),
            }
        elif one.kind == "comment":
            known |= {
                "message": lambda _: one.text,
                "from": lambda _: self._from(one.by),
                "created_time": lambda _: _iso(one.at),
                "permalink_url": lambda _: url,
                "attachment": lambda _: None,
                "parent": lambda it: self._told(self.things[one.answers], it.below) if one.answers else None,
                "can_comment": lambda _: not one.closed,
                "can_reply_privately": lambda _: not one.private_replies,
                "private_reply_conversation": lambda _: {"id": f"t_{person}"} if one.private_replies else None,
            }
        elif one.kind == "media":
            known |= {
                "caption": lambda _: one.text,
                "permalink": lambda _: url,
                "timestamp": lambda _: _iso(one.at),
                "username": lambda _: name,
                "media_url": lambda _: _PICTURE.format(one.id),
                "thumbnail_url": lambda _: None,
                "comments": lambda it: self._comments(one, "comments", it.below, it.arguments),
            }
        elif one.kind == "ig_comment":
            known |= {
                "text": lambda _: one.text,
                "timestamp": lambda _: _iso(one.at),
                "username": lambda _: name,
                "from": lambda _: {"id": person, "username": name},
                "parent_id": lambda _: one.answers or None,
                "hidden": lambda _: False,
                "replies": lambda it: self._comments(one, "replies", it.below, it.arguments),
                "media": lambda it: self._told(self.things[one.below], it.below),
            }
        else:
            shown = {"id": person, "name": self._from(one.by).get("name", ""), "username": name}
            known |= {
                "message": lambda _: one.text,
                "from": lambda _: shown,
                "to": lambda _: {"data": [{"id": one.to}]},
                "created_time": lambda _: _iso(one.at),
                "attachments": lambda _: None,
            }
        told: Row = {"id": one.id}
        for want in wanted:
            if want.name not in known:
                raise GraphError(100, f"(#100) Tried accessing nonexisting field ({want.name}) on node type")
            value = known[want.name](want)
            if value is not None and value != {"data": []}:
                told[want.name] = value
        return told

    def _pick(self, known: Row, wanted: list[Wanted]) -> Row:
        return {one.name: known[one.name] for one in wanted if known.get(one.name)} | {"id": known["id"]}

    # writes

    def _write(self, node: str, edge: str, body: Row) -> Row:
        if edge == "messages" and node in (self.page, self.account):
            return self._send(node, body)
        if edge == "mentions" and node == self.account:
            on = self._thing(str(body.get("comment_id") or body["media_id"]))
            return {"id": self._keep("ig_comment", self.account, str(body["message"]), "178", on.below, on.id).id}
        on = self._thing(node)
        kinds = {"comments": ("post", "tagged", "comment"), "replies": ("ig_comment",)}
        if on.kind not in kinds.get(edge, ()):
            raise GraphError(100, f"Unsupported post request on {edge}", 33)
        text = str(body.get("message") or "")
        if not text or set(body) != {"message"}:
            raise GraphError(100, "(#100) Invalid parameter")
        kind, us = ("ig_comment", self.account) if edge == "replies" else ("comment", self.page)
        if len(text) > (2200 if us == self.account else 8000):
            raise GraphError(100, "(#100) The comment is too long.")
        top = (on.answers or on.id) if on.kind in ("comment", "ig_comment") else ""
        last = self.ours(kind)[-1:]
        if last and last[0].text == text and last[0].answers == top:
            raise GraphError(506, "Duplicate status message")
        below = on.below if on.kind in ("comment", "ig_comment") else on.id
        prefix = "178" if us == self.account else f"{below.rpartition('_')[2]}_"
        return {"id": self._keep(kind, us, text, prefix, below, top).id}

    def _send(self, node: str, body: Row) -> Row:
        recipient, text = body.get("recipient") or {}, str((body.get("message") or {}).get("text") or "")
        if not text or set(body) - {"recipient", "message", "messaging_type", "tag"}:
            raise GraphError(100, "(#100) Invalid parameter")
        kind = "ig_message" if node == self.account else "message"
        thing = recipient.get("comment_id") or recipient.get("post_id")
        if thing:
            on = self._thing(str(thing))
            if on.private_replies:
                raise GraphError(10900, "Activity already replied to")
            if self._now() - on.at > 7 * _DAY:
                raise GraphError(10, "This message is sent outside of allowed window.", 2018278)
            on.private_replies += 1
            to = self._person(on.by)
        else:
            to = str(recipient.get("id") or "")
            theirs = [one.at for one in self._all(kind) if self._person(one.by) == to]
            human = body.get("messaging_type") == "MESSAGE_TAG" and body.get("tag") == "HUMAN_AGENT"
            if not theirs:
                raise GraphError(100, "No matching user found", 2018001)
            if self._now() - max(theirs) > (7 * _DAY if human else _DAY):
                raise GraphError(10, "This message is sent outside of allowed window.", 2018278)
        made = self._keep(kind, node, text, "m_", to=to)
        return {"recipient_id": to, "message_id": made.id}

    # what lies below

    def _keep(
        self,
        kind: str,
        by: str,
        text: str,
        prefix: str = "",
        below: str = "",
        answers: str = "",
        picture: str = "",
        to: str = "",
    ) -> Thing:
        with self.lock:
            number = next(self._numbers)
            made = Thing(f"{prefix}{10**9 + number}", kind, by, text, self._now(), below, answers, picture, to=to)
            made.order = number
            self.things[made.id] = made
            return made

    def _now(self) -> float:
        return time.time() + self.age

    def _all(self, kind: str) -> list[Thing]:
        found = [one for one in self.things.values() if one.kind == kind and not one.gone]
        return sorted(found, key=lambda one: one.order)

    def _thing(self, number: str) -> Thing:
        one = self.things.get(number)
        if one is None or one.gone:
            words = f"Unsupported get request. Object with ID '{number}' does not exist, cannot be loaded"
            raise GraphError(100, words, 33)
        return one

    def _person(self, by: str) -> str:
        return str(self.people[by][0]) if by in self.people else by

    def _from(self, by: str) -> Row:
        return {"id": self._person(by), "name": self.people[by][1] if by in self.people else "Brand"}


def _fields(text: str) -> list[Wanted]:
    """What `fields` asks for: names, arguments `.name(value)`, and fields below in braces."""
    found: list[Wanted] = []
    at = 0
    while at < len(text):
        matched = re.compile(r"(\w+)((?:\.\w+\([^()]*\))*)").match(text, at)
        if matched is None:
            raise GraphError(2500, "Syntax error in field expansion")
        wanted = Wanted(matched[1], dict(re.findall(r"\.(\w+)\(([^()]*)\)", matched[2])))
        at = matched.end()
        if text[at : at + 1] == "{":
            depth, begin = 1, at + 1
            while depth:
                at += 1
                depth += {"{": 1, "}": -1}.get(text[at : at + 1], 0)
                if at >= len(text):
                    raise GraphError(2500, "Syntax error in field expansion")
            wanted.below = _fields(text[begin:at])
            at += 1
        found.append(wanted)
        at += text[at : at + 1] == ","
    return found


def _iso(at: float) -> str:
    return datetime.fromtimestamp(int(at), UTC).strftime("%Y-%m-%dT%H:%M:%S+0000")


def _json(value: Any) -> bytes:
    return json.dumps(value).encode()
