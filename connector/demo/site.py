"""The website of the demo, where made-up people write and read."""

from __future__ import annotations

import http.client
import json
import secrets
from dataclasses import dataclass, field
from datetime import UTC, datetime
from html import escape
from typing import Any
from urllib.parse import urlsplit

from standardwebhooks.webhooks import Webhook, WebhookVerificationError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from connector.errors import ConnectorError
from connector.server import Listener

Post = dict[str, Any]

PATIENCE = 20.0


@dataclass(slots=True)
class Site:
    """A forum, a microblog and a page of reviews under one roof. It does what a bridge has to do, and no more: it
    tells the connector of each post, posts the replies it is handed, checks who signed them, answers a key it knows
    with the post it has, and tells the connector of that post too, as platforms do."""

    secret: str
    hooks: str = ""
    replies: dict[str, Post] = field(default_factory=dict)
    refused: int = 0
    _told: list[Post] = field(default_factory=list)
    _listener: Listener | None = None

    @property
    def address(self) -> str:
        """Where it listens."""
        return self._listener.address if self._listener is not None else ""

    def start(self) -> None:
        """Listen, on this machine only."""
        app = Starlette(
            routes=[
                Route("/reply/{source}", self._reply, methods=["POST"]),
                Route("/files/{name}", self._file),
                Route("/{thread}", self._thread),
            ]
        )
        self._listener = Listener(app, "127.0.0.1", 0)
        self._listener.start()

    def stop(self) -> None:
        """Stop listening."""
        if self._listener is not None:
            self._listener.stop()

    def tell(self, posts: list[Post]) -> dict[str, Any]:
        """Show these posts, and call the connector; what it answered."""
        source = posts[0]["source"]
        self._told += [post for post in posts if all(known["id"] != post["id"] for known in self._told)]
        body = json.dumps(posts if len(posts) > 1 else posts[0], ensure_ascii=False)
        now, name = datetime.now(UTC), f"msg_{secrets.token_hex(8)}"
        headers = {
            "Content-Type": "application/json",
            "webhook-id": name,
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": Webhook(self.secret).sign(msg_id=name, timestamp=now, data=body),
        }
        status, answer = call("POST", f"{self.hooks}/{source}", body.encode(), headers)
        if status != 200:
            raise ConnectorError(f"the hook answered {status}: {answer.decode()}")
        told: dict[str, Any] = json.loads(answer)
        return told

    def shown(self, thread: str) -> list[Post]:
        """What stands in a thread, oldest first."""
        posts = [*self._told, *self.replies.values()]
        return [post for post in posts if post["thread_id"] == thread and not post.get("deleted")]

    async def _reply(self, request: Request) -> Response:
        content = await request.body()
        try:
            Webhook(self.secret).verify(content, dict(request.headers))
        except WebhookVerificationError:
            self.refused += 1
            return JSONResponse({"error": "the signature does not fit"}, 401)
        wanted = json.loads(content)
        source = request.path_params["source"]
        if wanted["key"] not in self.replies:
            number = f"{source[0]}-a{len(self.replies) + 1}"
            self.replies[wanted["key"]] = {
                "source": source,
                "id": number,
                "kind": "dm" if wanted["private"] else "comment",
                "text": wanted["text"],
                "created_at": datetime.now(UTC).isoformat(),
                "thread_id": wanted["thread_id"],
                "url": f"{self.address}/{wanted['thread_id']}#{number}",
                "author": {"id": "115", "name": "Самовар", "handle": "samovar"},
                "private": wanted["private"],
                "own": True,
            }
        post = self.replies[wanted["key"]]
        return JSONResponse({"id": post["id"], "url": post["url"]})

    async def _file(self, _: Request) -> Response:
        return PlainTextResponse("Чек 4417\nЧайник эмалированный, синий ... 1 шт.\nОплачено картой\n")

    async def _thread(self, request: Request) -> Response:
        posts = [
            f'<article id="{escape(post["id"])}"><b>{escape(post["author"]["name"])}</b>'
            f"{' · only between us' if post['kind'] == 'dm' else ''}<p>{escape(post['text'])}</p></article>"
            for post in self.shown(request.path_params["thread"])
        ]
        style = (
            "<style>body{font:1rem/1.5 system-ui,sans-serif;max-width:40rem;margin:2rem auto;padding:0 1rem}</style>"
        )
        return HTMLResponse(
            f"<!doctype html><meta charset=utf-8><title>{request.path_params['thread']}</title>{style}"
            + ("".join(posts) or "<p>Nothing is written here.</p>"),
            200 if posts else 404,
        )


def call(
    method: str, url: str, body: bytes | None = None, headers: dict[str, str] | None = None
) -> tuple[int, bytes]:
    """One call as somebody else's program makes it: status and body."""
    where = urlsplit(url)
    connection = http.client.HTTPConnection(where.hostname or "", where.port, timeout=PATIENCE)
    try:
        connection.request(method, where.path, body, headers or {})
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()
