"""What one would write in an afternoon: a listener, a pool of threads, `requests`. The other side of the comparison.

It shows agents the same as the connector does (requester, ticket, private card; follow-ups as comments by their
author with their tags) with the same calls, judges tone, language and priority by a few words, and keeps everything
in memory: a mention is answered 200 as soon as it is in the queue. Not durable, not idempotent, no retries, no
limits: a crash loses whatever is in the queue, and a repeated hook makes a second ticket.

    python benchmarks/naive.py HELPDESK_ADDRESS      prints its port
"""

from __future__ import annotations

import html
import json
import sys
import threading
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import requests

WORKERS = 16
TOKEN = "benchmark-token"
BAD = ("не отвечает", "не привезли", "верните деньги", "жду", "late", "refund", "does not answer")
GOOD = ("спасибо", "вовремя", "love", "great")
ASKS = ("?", "подскажите", "how do")

desk = f"{sys.argv[1]}/api/v2"
local = threading.local()
authors: dict[str, int] = {}
tickets: dict[str, int] = {}
locks: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)
pool = ThreadPoolExecutor(WORKERS)


def call(method: str, path: str, body: dict[str, Any]) -> dict[str, Any]:
    """One call on this thread's session."""
    if not hasattr(local, "session"):
        local.session = requests.Session()
        local.session.auth = ("bot@example.com/token", "sandbox")
        local.session.trust_env = False
    answer = local.session.request(method, f"{desk}{path}", json=body, timeout=30)
    answer.raise_for_status()
    found: dict[str, Any] = answer.json()
    return found


def judge(mention: dict[str, Any]) -> tuple[str, str, list[str]]:
    """Tone, priority and tags."""
    text = mention["text"].lower()
    bad, good = any(word in text for word in BAD), any(word in text for word in GOOD)
    tone = "negative" if bad else "positive" if good else "neutral"
    followers = mention["author"].get("followers") or 0
    priority = "urgent" if bad and followers >= 10_000 else "high" if bad else "low" if good else "normal"
    tags = [f"tone_{tone}", f"social_{mention['kind']}", f"lang_{mention['language']}"]
    if any(word in text for word in ASKS):
        tags.append("question")
    if followers >= 1_000:
        tags.append("wide_audience")
    return tone, priority, tags


def carry(mention: dict[str, Any]) -> None:
    """Requester, ticket and card; or a comment on the conversation's ticket."""
    author = mention["author"]
    conversation = f"{mention['thread_id']} {author['id']}"
    with locks[conversation]:
        if author["id"] not in authors:
            user = {"name": author["name"], "external_id": f"feed:{author['id']}", "role": "end-user"}
            authors[author["id"]] = call("POST", "/users", {"user": user})["user"]["id"]
        requester = authors[author["id"]]
        tone, priority, tags = judge(mention)
        words = f'<p>{html.escape(mention["text"])}</p><p><a href="{mention["url"]}">{mention["url"]}</a></p>'
        comment: dict[str, Any] = {"html_body": words, "public": True, "author_id": requester}
        if conversation in tickets:
            path = f"/tickets/{tickets[conversation]}"
            call("PUT", f"{path}/tags", {"tags": tags})
            call("PUT", path, {"ticket": {"comment": comment, "status": "open"}})
            return
        ticket: dict[str, Any] = {
            "subject": f"feed · {author['name']}: {mention['text']}"[:150],
            "external_id": f"feed:{mention['id']}",
        }
        ticket |= {"requester_id": requester, "submitter_id": requester, "comment": comment}
        ticket |= {"priority": priority, "tags": tags}
        tickets[conversation] = number = call("POST", "/tickets", {"ticket": ticket})["ticket"]["id"]
        card = f"<p><b>PUBLIC</b></p><p>{html.escape(author['name'])}, {author['followers']} followers</p>"
        card += f"<p>{mention['kind']}, {tone}, {mention['created_at']}</p><p>{mention['url']}</p>"
        call("PUT", f"/tickets/{number}", {"ticket": {"comment": {"html_body": card, "public": False}}})


class Hooks(BaseHTTPRequestHandler):
    """POST of one mention."""

    protocol_version = "HTTP/1.1"
    wbufsize = 4096

    def do_POST(self) -> None:
        """Queue it, say yes."""
        body = self.rfile.read(int(self.headers["Content-Length"]))
        allowed = self.headers.get("Authorization") == f"Bearer {TOKEN}"
        if allowed:
            pool.submit(carry, json.loads(body))
        answer = b'{"accepted":1}'
        self.send_response(200 if allowed else 401)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_: object) -> None:
        """Quiet."""


class Listener(ThreadingHTTPServer):
    """A thread per connection."""

    daemon_threads = True
    request_queue_size = 128


if __name__ == "__main__":
    server = Listener(("127.0.0.1", 0), Hooks)
    print(server.server_address[1], flush=True)
    server.serve_forever()
