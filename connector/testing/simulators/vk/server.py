"""The server: who and what there is, what happens there, Long Poll, and the methods. The package tells its story."""

from __future__ import annotations

import copy
import itertools
import json
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from connector.testing.simulators.threaded import ThreadedServer, Told
from connector.testing.simulators.vk.description import Description

Json = dict[str, Any]

_KINDS = {
    "wall": ("wall_reply", "post_owner_id", "post_id", "wall"),
    "topic": ("board_post", "topic_owner_id", "topic_id", "board"),
    "photo": ("photo_comment", "photo_owner_id", "photo_id", "photos"),
    "video": ("video_comment", "video_owner_id", "video_id", "video"),
    "market": ("market_comment", "market_owner_id", "item_id", "market"),
}
_FAMILIES = {family: kind for kind, (_, _, _, family) in _KINDS.items()}


class VkError(Exception):
    """An error of the API."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code, self.message = code, message


class VkSimulator(ThreadedServer):
    """The server; a context manager that listens on a free port of loopback. `group`: the community's number."""

    def __init__(self, group: int, token: str, user_token: str, *, contracts: Path | None = None) -> None:
        super().__init__()
        self.group = group
        self.tokens = {token: "group", user_token: "user"}
        self.calls: list[str] = []
        self.asked: list[tuple[str, Json]] = []
        self.violations: list[str] = []
        self.long_poll: Json = {"is_enabled": True, "events": {}}
        self.allowed: set[int] = set()
        self.later = 0
        self.events: list[Json] = []
        self.uploads: dict[int, bytes] = {}
        self.callbacks: list[Json] = []
        self._description = Description(contracts) if contracts else None
        self._people: dict[int, Json] = {}
        self._things: dict[str, dict[int, Json]] = {kind: {} for kind in _KINDS}
        self._comments: dict[tuple[str, int], list[Json]] = {}
        self._messages: dict[int, list[Json]] = {}
        self._guids: dict[str, Any] = {}
        self._numbers = itertools.count(11)
        self._errors: dict[str, tuple[int, str]] = {}
        self._first_kept = 0
        self._key = "lp-key-1"
        self._failed = 0
        self._how = ""
        self._cut_next = ""
        self._news = threading.Condition(self.lock)

    def now(self) -> int:
        """The time there, in Unix seconds; `later` moves it on."""
        return int(time.time()) + self.later

    # what there is and what happens

    def person(self, first: str, last: str = "", *, allows: bool = True) -> int:
        """Somebody, by number; `allows`: has allowed the community to write."""
        with self.lock:
            number = 1000 + next(self._numbers)
            self._people[number] = {"id": number, "first_name": first, "last_name": last, "followers_count": 12}
            self._people[number]["screen_name"] = f"{first}{number}".lower()
            if allows:
                self.allowed.add(number)
            return number

    def thing(self, kind: str, **facts: Any) -> int:
        """A topic, photo, video or item of the community."""
        with self.lock:
            number = next(self._numbers)
            self._things[kind][number] = {"id": number, "owner_id": -self.group, "date": self.now(), **facts}
            return number

    def post(self, text: str, by: int | None = None, **facts: Any) -> int:
        """A post on the community's wall, its own or somebody's."""
        with self.lock:
            number = self.thing("wall", text=text, from_id=by or -self.group, post_type="post", **facts)
            self._tell("wall_post_new", self._things["wall"][number])
            return number

    def comment(self, kind: str, thing: int, by: int, text: str, *, answers: int = 0, **facts: Any) -> int:
        """Somebody comments on a thing, or answers a comment on it; its number."""
        with self.lock:
            number = next(self._numbers)
            made: Json = {"id": number, "from_id": by, "date": self.now(), "text": text, "owner_id": -self.group}
            if kind == "wall":
                made["post_id"] = thing
            if answers:
                above = self._comment(kind, thing, answers)
                made["reply_to_comment"] = answers
                made["parents_stack"] = [*(above.get("parents_stack") or [answers])][:1]
            made |= facts
            self._comments.setdefault((kind, thing), []).append(made)
            self._happened(kind, "new", thing, made)
            return number

    def edit(self, kind: str, thing: int, number: int, text: str) -> None:
        """Its author changes it."""
        with self.lock:
            found = self._comment(kind, thing, number)
            found["text"] = text
            self._happened(kind, "edit", thing, found)

    def delete(self, kind: str, thing: int, number: int, by: int | None = None) -> None:
        """It is deleted, by whom is told."""
        with self.lock:
            found = self._comment(kind, thing, number)
            found["deleted"] = True
            thing_word = _KINDS[kind][2]
            owner = {"topic_owner_id": -self.group} if kind == "topic" else {"owner_id": -self.group}
            told = {**owner, thing_word: thing, "id": number, "deleter_id": by or found["from_id"]}
            self._tell(f"{_KINDS[kind][0]}_delete", told)

    def restore(self, kind: str, thing: int, number: int) -> None:
        """It is brought back."""
        with self.lock:
            found = next(one for one in self._comments[kind, thing] if one["id"] == number)
            found.pop("deleted")
            self._happened(kind, "restore", thing, found)

    def write(self, by: int, text: str, *, peer: int = 0, **facts: Any) -> Json:
        """Somebody writes to the community, or in a chat it is in."""
        with self.lock:
            made = self._message(peer or by, by, text, 0) | facts
            self._messages[peer or by][-1] = made
            self._tell("message_new", {"message": made, "client_info": {}})
            return made

    def unsend(self, message: Json) -> None:
        """It is taken back; nobody is told."""
        with self.lock:
            self._messages[message["peer_id"]].remove(message)

    def sent(self) -> list[str]:
        """What the community said in answer, oldest first."""
        with self.lock:
            ours = [one for some in self._comments.values() for one in some if one["from_id"] == -self.group]
            ours += [one for some in self._messages.values() for one in some if one["out"]]
            return [str(one["text"]) for one in sorted(ours, key=lambda one: int(one["id"]))]

    def add_callback(self, secret: str, status: str = "ok") -> Json:
        """A server of the Callback API; its `status` may be changed."""
        server = {"id": next(self._numbers), "title": "ours", "creator_id": 1, "url": "https://we.example/hooks/club"}
        self.callbacks.append(server | {"secret_key": secret, "status": status})
        return self.callbacks[-1]

    def call_of(self, event: Json, secret: str) -> bytes:
        """The body of the call that brings an event to the callback."""
        return json.dumps({**event, "secret": secret}, ensure_ascii=False).encode()

    def lose_events(self, failed: int) -> None:
        """Long Poll forgets: 1 what is too old, 2 its key, 3 everything."""
        with self.lock:
            self._failed = failed
            self._first_kept = len(self.events)
            if failed != 1:
                self._key = f"lp-key-{next(self._numbers)}"

    def fail_with(self, method: str, code: int, message: str = "no") -> None:
        """The method answers that error until `behave`."""
        self._errors[method] = (code, message)

    def cut_next_of(self, method: str) -> None:
        """The next call of that method is done and not answered."""
        self._cut_next = method

    def misbehave(self, how: str) -> None:
        """unauthorized, slow_down, broken, cut, refuses or nonsense, for every call until `behave`."""
        self._how = how

    def behave(self) -> None:
        """Answer as one should again."""
        self._how = ""
        self._errors.clear()

    def _happened(self, kind: str, what: str, thing: int, made: Json) -> None:
        name, owner_word, thing_word, _ = _KINDS[kind]
        self._tell(f"{name}_{what}", {**made, owner_word: -self.group, thing_word: thing})

    def _tell(self, kind: str, content: Json) -> None:
        event = {"type": kind, "object": copy.deepcopy(content), "group_id": self.group, "v": "5.199"}
        self.events.append(event | {"event_id": f"{next(self._numbers):040x}"})
        self._news.notify_all()

    def _comment(self, kind: str, thing: int, number: int) -> Json:
        return next(one for one in self._comments[kind, thing] if one["id"] == number and not one.get("deleted"))

    def _message(self, peer: int, by: int, text: str, random_id: int) -> Json:
        some = self._messages.setdefault(peer, [])
        made: Json = {"id": next(self._numbers), "conversation_message_id": len(some) + 1, "peer_id": peer}
        made |= {"from_id": by, "date": self.now(), "text": text, "out": int(by == -self.group), "attachments": []}
        some.append(made | {"random_id": random_id})
        return some[-1]

    # one call

    def answer(self, verb: str, target: str, headers: dict[str, str], body: bytes) -> Told | None:
        """Status, headers and body of one call; None: hang up."""
        parts = urlsplit(target)
        if parts.path == "/upload":
            return self._uploaded(body)
        polled = parts.path == "/lp"
        method = "lp" if polled else parts.path.removeprefix("/method/")
        with self.lock:
            self.calls.append(method)
            spoiled = self._spoiled(method)
            if spoiled is not None:
                return spoiled
            try:
                if polled:
                    told = self._polled(dict(parse_qsl(parts.query)))
                else:
                    params = dict(parse_qsl(body.decode()))
                    told = {"response": self._done(verb, method, headers.get("authorization", ""), params)}
            except VkError as error:
                told = {"error": {"error_code": error.code, "error_msg": error.message, "request_params": []}}
            if self._how == "cut" or self._cut_next == method:
                self._cut_next = ""
                return None
            return 200, {}, json.dumps(told, ensure_ascii=False).encode()

    def _spoiled(self, method: str) -> Told | None:
        if self._how == "slow_down":
            return 429, {"Retry-After": "7"}, b"slow down"
        if self._how == "broken":
            return 502, {}, b"<html>502 Bad Gateway</html>"
        if self._how == "nonsense":
            return 200, {}, b"<html>maintenance</html>"
        if self._how == "refuses" and method != "lp":
            return 200, {}, b'{"error": {"error_code": 100, "error_msg": "One of the parameters is invalid"}}'
        return None

    def _uploaded(self, body: bytes) -> Told:
        head, _, rest = body.partition(b"\r\n\r\n")
        with self.lock:
            self.calls.append("upload")
            if b'name="photo"' not in head:
                return 200, {}, b'{"error": "ERR_UPLOAD_BAD_IMAGE_SIZE"}'
            number = next(self._numbers)
            self.uploads[number] = rest.rpartition(b"\r\n--")[0].removesuffix(b"--" + head.split(b"\r\n")[0][2:])
            told = {"server": 5, "photo": json.dumps([{"photo": str(number)}]), "hash": f"h{number}"}
            return 200, {}, json.dumps(told).encode()

    def _saved(self, params: dict[str, str]) -> list[Json]:
        number = int(json.loads(params["photo"])[0]["photo"])
        if params.get("hash") != f"h{number}" or params.get("server") != "5":
            raise VkError(121, "Invalid hash")
        return [{"id": number, "owner_id": -self.group, "access_key": "key"}]

    def _polled(self, params: dict[str, str]) -> Json:
        if self._how == "unauthorized" or params.get("key") != self._key:
            return {"failed": 2} if self._failed != 3 else {"failed": 3}
        if self._failed == 1 and int(params["ts"]) < self._first_kept:
            return {"failed": 1, "ts": str(self._first_kept)}
        until = time.monotonic() + int(params.get("wait", 25))
        while int(params["ts"]) >= len(self.events) and (left := until - time.monotonic()) > 0:
            self._news.wait(left)
        found = self.events[int(params["ts"]) :]
        return {"ts": str(len(self.events)), "updates": copy.deepcopy(found)}

    def _done(self, verb: str, method: str, authorization: str, params: dict[str, str]) -> Any:
        token = authorization.removeprefix("Bearer ")
        if verb != "POST" or token not in self.tokens or self._how == "unauthorized":
            raise VkError(5, f"User authorization failed: invalid access_token ({token[:4]}).")
        if params.pop("v", "") != "5.199":
            raise VkError(8, "Invalid request: v is required")
        self.asked.append((method, dict(params)))
        if self._description is not None:
            problems = self._description.problems(method, params)
            self.violations += problems
            if problems:
                raise VkError(100, problems[0])
            if not self._description.may(method, self.tokens[token]):
                self.violations.append(f"{method} with the token of a {self.tokens[token]}")
                raise VkError(27, "Group authorization failed: method is unavailable with group auth.")
        if method in self._errors:
            raise VkError(*self._errors[method])
        family, _, name = method.partition(".")
        known: dict[str, Callable[[dict[str, str]], Any]] = {
            "groups.getById": self._group,
            "groups.getLongPollSettings": lambda _: self.long_poll,
            "groups.getLongPollServer": lambda _: {
                "server": f"{self.url}/lp",
                "key": self._key,
                "ts": str(len(self.events)),
            },
            "groups.getCallbackServers": lambda _: {"count": len(self.callbacks), "items": self.callbacks},
            "users.get": lambda p: [self._people[n] for n in map(int, p["user_ids"].split(",")) if n in self._people],
            "messages.send": self._send,
            "messages.getHistory": self._history,
            "messages.getConversations": self._conversations,
            "messages.getByConversationMessageId": self._by_number,
            "messages.getById": self._by_id,
            "messages.isMessagesFromGroupAllowed": lambda p: {"is_allowed": int(int(p["user_id"]) in self.allowed)},
            "wall.getComment": self._get_comment,
            "photos.getMessagesUploadServer": lambda _: {"upload_url": f"{self.url}/upload", "album_id": -64},
            "photos.getWallUploadServer": lambda _: {"upload_url": f"{self.url}/upload", "album_id": -14},
            "photos.saveMessagesPhoto": self._saved,
            "photos.saveWallPhoto": self._saved,
            "photos.getAllComments": self._all_comments,
        }
        if method in known:
            return known[method](params)
        if family in _FAMILIES and name == "createComment":
            return self._create(_FAMILIES[family], params)
        if family in _FAMILIES and name == "getComments":
            return self._get_comments(_FAMILIES[family], params)
        if family in _FAMILIES:
            return self._get_things(_FAMILIES[family], params)
        raise VkError(3, "Unknown method passed")

    # methods

    def _group(self, params: dict[str, str]) -> Json:
        number = int(params["group_id"])
        return {"groups": [{"id": number, "name": f"Club {number}", "screen_name": f"club{number}"}]}

    def _send(self, params: dict[str, str]) -> int:
        peer, guard = int(params["peer_id"]), f"m{params['peer_id']}:{params['random_id']}"
        if guard in self._guids:
            return int(self._guids[guard])
        if peer not in self.allowed:
            raise VkError(901, "Can't send messages for users without permission")
        if len(params.get("message", "")) > 9000:
            raise VkError(914, "Message is too long")
        if "forward" in params:
            forward = json.loads(params["forward"])
            assert forward["is_reply"] == 1
            assert forward["peer_id"] == peer
        if not params.get("message") and not params.get("attachment"):
            raise VkError(100, "One of the parameters specified was missing or invalid: message is empty")
        made = self._message(peer, -self.group, params.get("message", ""), int(params["random_id"]))
        self._guids[guard] = made["id"]
        self._tell("message_reply", made)
        return int(made["id"])

    def _history(self, params: dict[str, str]) -> Json:
        some = self._messages.get(int(params["peer_id"]), [])
        start = int(params.get("offset", 0))
        return {"count": len(some), "items": some[::-1][start : start + int(params.get("count", 20))]}

    def _conversations(self, _: dict[str, str]) -> Json:
        items = [
            {"conversation": {"peer": {"id": peer, "type": "user"}}, "last_message": some[-1]}
            for peer, some in self._messages.items()
        ]
        return {"count": len(items), "items": items}

    def _by_number(self, params: dict[str, str]) -> Json:
        wanted = set(map(int, params["conversation_message_ids"].split(",")))
        some = self._messages.get(int(params["peer_id"]), [])
        items = [one for one in some if one["conversation_message_id"] in wanted]
        return {"count": len(items), "items": items}

    def _by_id(self, params: dict[str, str]) -> Json:
        wanted = set(map(int, params["message_ids"].split(",")))
        items = [one for some in self._messages.values() for one in some if one["id"] in wanted]
        return {"count": len(items), "items": items}

    def _get_comment(self, params: dict[str, str]) -> Json:
        number = int(params["comment_id"])
        found = [one for (kind, _), some in self._comments.items() if kind == "wall" for one in some]
        return {"items": [one for one in found if one["id"] == number and not one.get("deleted")]}

    def _all_comments(self, params: dict[str, str]) -> Json:
        found = [
            one | {"pid": thing}
            for (kind, thing), some in self._comments.items()
            if kind == "photo"
            for one in some
            if not one.get("deleted")
        ]
        found.sort(key=lambda one: int(one["id"]), reverse=True)
        start = int(params.get("offset", 0))
        return {"count": len(found), "items": found[start : start + int(params.get("count", 20))]}

    def _get_comments(self, kind: str, params: dict[str, str]) -> Json:
        thing = int(params[_KINDS[kind][2]])
        there = [one for one in self._comments.get((kind, thing), []) if not one.get("deleted")]
        branch = int(params.get("comment_id", 0))
        top = [one for one in there if kind != "wall" or (one.get("parents_stack") or [0])[0] == branch]
        top.sort(key=lambda one: int(one["id"]), reverse=params.get("sort") == "desc")
        start, count = int(params.get("offset", 0)), int(params.get("count", 20))
        if "start_comment_id" in params:
            top = [one for one in top if one["id"] >= int(params["start_comment_id"])]
        items = []
        for one in top[start : start + count]:
            inside = [reply for reply in there if reply.get("parents_stack") == [one["id"]]]
            shown = inside[: int(params.get("thread_items_count", 0))]
            thread = {"thread": {"count": len(inside), "items": shown}} if kind == "wall" and not branch else {}
            items.append(copy.deepcopy(one) | thread)
        return {"count": len(top), "items": items}

    def _get_things(self, kind: str, params: dict[str, str]) -> Json:
        named = next((params[w] for w in ("posts", "photos", "videos", "item_ids", "topic_ids") if w in params), "")
        wanted = {int(one.rpartition("_")[2]) for one in named.split(",")} if named else None
        items = [
            one | {"comments": len(self._comments.get((kind, number), ())), "updated": self._updated(kind, number)}
            for number, one in reversed(self._things[kind].items())
            if wanted is None or number in wanted
        ]
        if kind == "wall":
            items = [one | {"comments": {"count": one["comments"]}} for one in items]
        return {"count": len(items), "items": items}

    def _updated(self, kind: str, thing: int) -> int:
        return max((one["date"] for one in self._comments.get((kind, thing), ())), default=0)

    def _create(self, kind: str, params: dict[str, str]) -> Any:
        thing = int(params[_KINDS[kind][2]])
        if params.get("guid") in self._guids:
            return self._guids[params["guid"]]
        if thing not in self._things[kind]:
            raise VkError(100, f"One of the parameters specified was missing or invalid: no such {kind}")
        if not params.get("from_group") or not (params.get("message") or params.get("attachments")):
            raise VkError(100, "One of the parameters specified was missing or invalid: from_group or message")
        answers = int(params.get("reply_to_comment", 0))
        known = any(one["id"] == answers and not one.get("deleted") for one in self._comments.get((kind, thing), ()))
        number = self.comment(kind, thing, -self.group, params.get("message", ""), answers=answers if known else 0)
        told = {"comment_id": number, "parents_stack": []} if kind == "wall" else number
        self._guids[params.get("guid", "")] = told
        return told
