"""Six listening tools on loopback, each with the manners its vendor describes: one list of findings, six ways to ask.

An independent reading of the vendors' pages (YouScan's OpenAPI document, dev.mention.com, developers.brandwatch.com,
awario.com/help/api, Brand24's introduction) and of public programs that use Brand Analytics; it shares no code with
the adapter. Findings are numbered in the order they were found, which is not the order in which they were written.

    with ListeningSimulator("youscan", "secret-key") as tool:
        tool.find("Where is my order?", url="https://vk.com/wall-1_2", tone="negative")
        …requests to tool.url…

Misbehaviour is switched with `misbehave` and `behave`: unauthorized, slow_down, broken, cut, refuses, nonsense, and
`silent` (200 with nothing in it, as one tool does instead of 429), `doubled` (each row twice, in any order) and
`inclusive` (a number asked for counts as above itself).
"""

from __future__ import annotations

import json
import random
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Literal
from urllib.parse import parse_qs, urlsplit

from connector.testing.simulators.threaded import ThreadedServer, Told

Tool = Literal["youscan", "brand_analytics", "brand24", "mention", "brandwatch", "awario"]
Params = dict[str, list[str]]


@dataclass(frozen=True)
class Finding:
    """Something the tool found: its number, and when it was found."""

    number: int
    text: str
    url: str
    tone: str
    author: str
    written: datetime
    found: datetime
    more: dict[str, Any] = field(default_factory=dict)


class Refused(Exception):
    """An answer that is none of the good ones."""

    def __init__(self, status: int, body: dict[str, Any] | str) -> None:
        super().__init__(status)
        self.status, self.body = status, body


class ListeningSimulator(ThreadedServer):
    """One tool with one topic (alert, project); a context manager that listens on a free port of loopback."""

    def __init__(self, tool: Tool, key: str) -> None:
        super().__init__()
        self.tool = tool
        self.key = key
        self.findings: list[Finding] = []
        self.asked: list[tuple[str, Params]] = []
        self._how = ""
        self._dice = random.Random(7)

    # what a test makes happen

    def find(
        self,
        words: str,
        *,
        url: str = "",
        tone: str = "neutral",
        author: str = "ann",
        age_hours: float = 0,
        **more: Any,
    ) -> str:
        """The tool finds something that was written so many hours ago; its id there."""
        with self.lock:
            number = 1_000 + len(self.findings) * 3  # numbers of other topics lie between
            now = datetime.now(UTC).replace(microsecond=0) - timedelta(seconds=200 - len(self.findings))
            address = url or f"https://forum.example/{number}"
            made = Finding(number, words, address, tone, author, now - timedelta(hours=age_hours), now, more)
            self.findings.append(made)
            return self.id_of(made)

    def id_of(self, finding: Finding) -> str:
        """What the tool calls it."""
        return finding.url if self.tool == "brand24" else f"{finding.number}"

    def misbehave(self, how: str) -> None:
        """From now on every call ends like this."""
        self._how = how

    def behave(self) -> None:
        """Answer well again."""
        self._how = ""

    def webhook(self, finding: Finding) -> bytes:
        """The body of YouScan's call about it: nulls are left out, found words are bold."""
        body = {
            "topicId": 77,
            "topicName": "Acme",
            "mentionId": finding.number,
            "sourceName": urlsplit(finding.url).hostname or "forum.example",
            "text": finding.text,
            "url": finding.url,
            "published": finding.written.isoformat(),
            "addedAt": finding.found.isoformat(),
            "sentiment": finding.tone,
            "postType": "post",
            "resourceType": "social",
            "author": {"name": finding.author.title(), "nickname": finding.author, "subscribers": 12},
            **finding.more,
        }
        return json.dumps({key: value for key, value in body.items() if value is not None}).encode()

    # what it answers

    def answer(self, verb: str, target: str, headers: dict[str, str], body: bytes) -> Told | None:
        """The answer to one GET; None to hang up."""
        path, params = urlsplit(target).path, parse_qs(urlsplit(target).query)
        with self.lock:
            self.asked.append((path, params))
            bad = self._bad()
            if self._how == "cut" or bad is not None:
                return bad
            try:
                self._check_key(params, headers)
                told = getattr(self, f"_{self.tool}")(path, params, headers)
            except Refused as refusal:
                why = refusal.body if isinstance(refusal.body, str) else json.dumps(refusal.body)
                return refusal.status, {"Content-Type": "application/json"}, why.encode()
            return 200, {}, json.dumps(told).encode()

    def _bad(self) -> Told | None:
        calm = b"Please enhance your calm" if self.tool == "youscan" else b'{"message": "too many requests"}'
        return {
            "unauthorized": (401, {}, b'{"errorCode": "unauthorized", "message": "the key is not valid"}'),
            "slow_down": (429, {"Retry-After": "7"}, calm),
            "broken": (502, {"Content-Type": "text/html"}, b"<h1>Bad gateway</h1>"),
            "refuses": (400, {}, b'{"message": "that cannot be asked"}'),
            "nonsense": (200, {"Content-Type": "text/html"}, b"<html>maintenance</html>"),
        }.get(self._how)

    def _check_key(self, params: Params, headers: dict[str, str]) -> None:
        sent = {
            "youscan": headers.get("x-api-key"),
            "brand24": headers.get("x-api-key"),
            "mention": headers.get("authorization", "").removeprefix("Bearer "),
            "brandwatch": headers.get("authorization", "").removeprefix("bearer "),
            "brand_analytics": params.get("token", [""])[0],
            "awario": params.get("access_token", [""])[0],
        }[self.tool]
        if sent != self.key:
            raise Refused(401, {"message": "the key is not valid"})

    def _spread(self, rows: list[Any]) -> list[Any]:
        if self._how == "silent":
            return []
        if self._how == "doubled":
            rows = rows * 2
            self._dice.shuffle(rows)
        return rows

    def _above(self, since: int) -> list[Finding]:
        edge = 1 if self._how == "inclusive" else 0
        return [one for one in self.findings if one.number > since - edge]

    def _youscan(self, path: str, params: Params, _: dict[str, str]) -> dict[str, Any]:
        if path != "/api/external/topics/77/mentions":
            raise Refused(404, {"errorCode": "notFound", "message": "no such topic"})
        size, order = int(_one(params, "size", "10")), _one(params, "orderBy", "published")
        if size > 1_000 or order not in ("published", "publishedAsc", "seqAsc", "engagement"):
            raise Refused(400, {"errorCode": "validation", "message": "size or orderBy is wrong"})
        since = int(_one(params, "sinceSeq", "0"))
        found = self._above(since)
        found.sort(key=lambda one: one.number if order == "seqAsc" else -one.written.timestamp())
        rows = [
            {
                "id": str(one.number),
                "seq": one.number,
                "published": one.written.isoformat(),
                "addedAt": one.found.isoformat().replace("+00:00", ".9506137Z"),
                "url": one.url,
                "text": one.text[:20],
                "fullText": one.text,
                "source": urlsplit(one.url).hostname,
                "author": {"name": one.author.title(), "nickname": one.author, "url": None},
                "sentiment": one.tone,
                "sourceType": "social",
                "postType": "post",
                "language": "rus",
                "engagement": {"likes": 3, "comments": 1, "reposts": 0},
                "tags": [],
                **one.more,
            }
            for one in found[:size]
        ]
        last = max((one.number for one in self.findings), default=0)
        return {"total": len(found), "lastSeq": last, "mentions": self._spread(rows)}

    def _mention(self, path: str, params: Params, headers: dict[str, str]) -> dict[str, Any]:
        if path != "/api/accounts/12_ab/alerts/34/mentions" or "accept-version" not in headers:
            raise Refused(404, {"code": 404, "message": "not found"})
        limit = min(int(_one(params, "limit", "20")), 1_000)
        since = _one(params, "since_id", "")
        found = self._above(int(since)) if since else list(self.findings)
        # the reference does not say which end of the order comes first: the inconvenient one
        found.sort(key=(lambda one: -one.number) if since else (lambda one: -one.written.timestamp()))
        rows = [
            {
                "id": str(one.number),
                "alert_id": 34,
                "title": one.text[:30],
                "description": one.text,
                "original_url": one.url,
                "source_type": "web",
                "published_at": one.written.isoformat().replace("+00:00", ".10090700+00:00"),
                "tone": {"negative": -1, "neutral": 0, "positive": 1}[one.tone],
                "language_code": "en",
                "author": {"name": one.author},
            }
            for one in found[:limit]
        ]
        return {"mentions": self._spread(rows), "_links": {}}

    def _awario(self, path: str, params: Params, _: dict[str, str]) -> dict[str, Any]:
        if path != "/v1.0/alerts/9/mentions":
            raise Refused(404, {"error": "no such alert"})
        since = int(_one(params, "since_id", "0"))
        found = self._above(since)
        by_id, down = _one(params, "sort_by", "date") == "id", _one(params, "sort_order", "desc") == "desc"
        found.sort(key=lambda one: one.number if by_id else one.written.timestamp(), reverse=down)
        rows = [
            {
                "id": one.number,
                "source": "web",
                "url": one.url,
                "text": one.text,
                "date": int(one.written.timestamp() * 1_000),
                "sentiment": one.tone,
                "reach": 120,
                "author_name": one.author,
            }
            for one in found[: int(_one(params, "limit", "10"))]
        ]
        return {"limits": [{"limit_name": "monthly_mentions"}], "mentions": self._spread(rows)}

    def _brandwatch(self, path: str, params: Params, _: dict[str, str]) -> dict[str, Any]:
        if path != "/projects/5/data/mentions" or _one(params, "queryId", "") != "6":
            raise Refused(400, {"errors": [{"message": "queryId is not yours"}]})
        begin, end = (_parsed(_one(params, name, "")) for name in ("startDate", "endDate"))
        size, start = int(_one(params, "pageSize", "20")), int(_one(params, "cursor", "AQ0").removeprefix("AQ"))
        found = sorted((one for one in self.findings if begin <= one.written <= end), key=lambda one: one.found)
        rows = [
            {
                "resourceId": str(one.number),
                "added": one.found.isoformat(timespec="milliseconds").replace("+00:00", "+0000"),
                "date": one.written.isoformat(timespec="milliseconds").replace("+00:00", "+0000"),
                "snippet": one.text,
                "url": one.url,
                "originalUrl": None,
                "pageType": "forum",
                "author": one.author,
                "fullname": f"{one.author} ({one.author.title()})",
                "sentiment": one.tone,
                "threadId": None,
            }
            for one in found[start : start + size]
        ]
        onward = {"nextCursor": f"AQ{start + size}"} if start + size < len(found) else {}
        return {"resultsTotal": len(found), "results": self._spread(rows), **onward}

    def _brand_analytics(self, path: str, params: Params, _: dict[str, str]) -> dict[str, Any]:
        if path != "/ba_api/feed.listMessagesCustom" or _one(params, "themeId", "") != "14":
            raise Refused(400, {"error": "themeId"})
        begin, end = (int(_one(params, name, "0")) for name in ("timeFrom", "timeTo"))
        start, limit = int(_one(params, "offset", "0")), int(_one(params, "limit", "100"))
        words = "text" in params.get("fieldGroups[]", [])
        if limit > 5_000 and words:
            raise Refused(400, {"error": "limit"})
        found = [one for one in self.findings if begin <= one.written.timestamp() <= end]
        rows = [
            {
                "id": one.number,
                "url": one.url,
                "hubTitle": "Forum",
                "timeCreate": int(one.written.timestamp()),
                "toneMark": {"negative": -1, "neutral": 0, "positive": 1}[one.tone],
                "author": {"name": one.author, "url": f"https://forum.example/u/{one.author}"},
                **({"textNorm": one.text, "text": f"<p>{one.text}</p>"} if words else {}),
                **one.more,
            }
            for one in found[start : start + limit]
        ]
        return {"messages": self._spread(rows)}

    def _brand24(self, path: str, params: Params, _: dict[str, str]) -> dict[str, Any]:
        if path != "/api-data/v1/project/8/mentions":
            raise Refused(404, {"status": "fail", "message": "no such project", "code": 404})
        begin, end = (_one(params, name, "") for name in ("date_from", "date_to"))
        if not begin or not end or datetime.fromisoformat(end) - datetime.fromisoformat(begin) > timedelta(days=31):
            raise Refused(400, {"status": "fail", "message": "at most one month at once", "code": 400})
        page, size = int(_one(params, "page", "1")), int(_one(params, "per_page", "20"))
        found = [one for one in self.findings if begin <= one.written.date().isoformat() <= end]
        rows = [
            {
                "date": one.written.date().isoformat(),
                "time": one.written.strftime("%H:%M:%S"),
                "title": one.text[:40],
                "content": one.text[:250],
                "url": one.url,
                "host": urlsplit(one.url).hostname,
                "sentiment": one.tone,
                "author": one.author,
            }
            for one in found[(page - 1) * size : page * size]
        ]
        return {"status": "success", "data": {"mentions": self._spread(rows)}}


def _one(params: Params, name: str, default: str) -> str:
    return params.get(name, [default])[0]


def _parsed(text: str) -> datetime:
    try:
        return datetime.strptime(text, "%Y-%m-%dT%H:%M:%S.%f%z")
    except ValueError:
        raise Refused(400, {"errors": [{"message": f"not a date: {text}"}]}) from None
