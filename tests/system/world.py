"""A whole world for one connector process: a misbehaving helpdesk, a bridge that takes replies, and the process.

Which helpdesk it is stands in one section of the configuration and in one place here; every test and the balance look
at it through what the sandboxes have in common.
"""

from __future__ import annotations

import json
import os
import random
import re
import socket
import subprocess
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import requests

from connector.store import Store, journal
from connector.testing.simulators import freshdesk, zendesk
from connector.testing.simulators.dice import CommonFaults
from connector.testing.simulators.sandbox import Sandbox

TOKEN = "feed-token-for-tests"
SECRET = "hook-secret-for-tests"

_OUR_MARK = re.compile(r"\s*connector ref [0-9a-f]{20}$")


@dataclass(frozen=True)
class Desk:
    """What differs between the helpdesks: the sandbox, the section of config.yaml, and what its API calls things."""

    sandbox: Callable[..., Sandbox[Any, Any, Any, Any]]
    faults: type[CommonFaults]
    limits: type[Any]
    section: Mapping[str, Any]
    wrong_key: Mapping[str, str]
    updates: str
    """The request by which a comment of the person who wrote is added, as the sandbox counts it."""
    prompt: Mapping[str, Any]
    """Faults that take away its natural slowness."""


DESKS = {
    "zendesk": Desk(
        zendesk.ZendeskSandbox,
        zendesk.Faults,
        zendesk.Limits,
        {"type": "zendesk", "email": zendesk.ADMIN_EMAIL, "api_token": zendesk.TOKEN, "exports_per_minute": 10_000},
        {"api_token": "revoked"},
        "PUT /api/v2/tickets/*",
        {"incremental_lag_s": 0.0},
    ),
    "freshdesk": Desk(
        freshdesk.FreshdeskSandbox,
        freshdesk.Faults,
        freshdesk.Limits,
        {"type": "freshdesk", "api_key": freshdesk.ADMIN_KEY, "webhook_header": "X-Webhook-Secret"},
        {"api_key": "revoked"},
        "POST /api/v2/tickets/*/notes",
        {},
    ),
}


def free_port() -> int:
    """A port nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(what: Callable[[], Any], seconds: float, doing: str) -> Any:
    """Look until it is so; say what did not happen."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        result = what()
        if result:
            return result
        time.sleep(0.05)
    raise AssertionError(f"{doing} did not happen within {seconds} s")


class Bridge:
    """Takes replies as our documentation asks: the key is an idempotency key. Misbehaves on purpose."""

    def __init__(self, seed: int = 0, error: float = 0.0, lost: float = 0.0, port: int = 0) -> None:
        self.posts: dict[str, dict[str, Any]] = {}
        self.order: list[str] = []
        self.calls = 0
        self.bodies: dict[str, set[str]] = defaultdict(set)
        chance, lock = random.Random(seed), threading.Lock()
        bridge = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                raw = self.rfile.read(int(self.headers["Content-Length"]))
                body = json.loads(raw)
                with lock:
                    bridge.calls += 1
                    luck = chance.random()
                    if luck >= error:
                        key = body["key"]
                        bridge.bodies[key].add(body["text"])
                        if key not in bridge.posts:
                            bridge.posts[key] = body
                            bridge.order.append(key)
                if luck < error:
                    return self.answer(503, {"error": "busy"})
                if luck < error + lost:
                    self.close_connection = True
                    self.connection.shutdown(socket.SHUT_RDWR)
                    return None
                key = body["key"]
                return self.answer(200, {"id": f"p-{key[:12]}", "url": f"https://forum.example/p/{key[:12]}"})

            def answer(self, status: int, body: dict[str, Any]) -> None:
                content = json.dumps(body).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_: Any) -> None:
                """Quiet."""

        class Server(ThreadingHTTPServer):
            request_queue_size = 128
            daemon_threads = True

            def handle_error(self, *_: Any) -> None:
                """A caller that was killed is no news here."""

        self._server = Server(("127.0.0.1", port), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/reply"
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def close(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()


def words(text: str) -> str:
    """A comment's text as it was meant: no mark of ours at its end, nothing that hides a placeholder."""
    return _OUR_MARK.sub("", text.strip()).replace("\u2060", "").strip()


class World:
    """Everything around one connector process, which may be killed and started again at will."""

    def __init__(
        self,
        folder: Path,
        store_url: str,
        helpdesk: str,
        faults: Mapping[str, Any] | None = None,
        bridge: Bridge | None = None,
        **delivery: Any,
    ) -> None:
        self.folder = folder
        self.store_url = store_url
        self.helpdesk = helpdesk
        self.kind = DESKS[helpdesk]
        self.port = free_port()
        self.hooks = f"http://127.0.0.1:{self.port}/hooks"
        self.sandbox = self.kind.sandbox(
            faults=self.kind.faults(**(dict(self.kind.prompt) | dict(faults or {}))),
            limits=self.kind.limits.off(),
            webhook_url=f"{self.hooks}/desk",
            webhook_secret=SECRET,
            webhook_timeout=2.0,
        )
        self.desk = self.sandbox.start()
        self.bridge = bridge or Bridge()
        self.process: subprocess.Popen[bytes] | None = None
        self.starts = 0
        self.log = (folder / "connector.log").open("ab")
        self.config = folder / "config.yaml"
        section = {"base_url": self.desk, "webhook_secret": SECRET, "poll": 0.5, "allow_private_addresses": True}
        settings = {"in_doubt_wait": 3.0, "first_pause": 0.2, "longest_pause": 2.0, "lease": 10.0} | delivery
        self.config.write_text(
            json.dumps(
                {
                    "store": store_url,
                    "server": {"listen": f"127.0.0.1:{self.port}"},
                    "mappings": str(Path(__file__).parents[2] / "mappings"),
                    "helpdesks": {"desk": {**self.kind.section, **section}},
                    "sources": {
                        "feed": {
                            "type": "webhook",
                            "helpdesk": "desk",
                            "token": TOKEN,
                            "reply_url": self.bridge.url,
                        }
                    },
                    "delivery": settings,
                }
            ),
            encoding="utf-8",
        )

    def start(self) -> None:
        """Start the connector, if it does not run; gives back at once."""
        self.starts += 1
        self.process = subprocess.Popen(  # the package under test, as a person would start it
            [sys.executable, "-m", "connector", "-c", str(self.config), "run"],
            stdout=self.log,
            stderr=self.log,
            cwd=self.folder,
            env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
        )

    def up(self, seconds: float = 20) -> None:
        """Wait until it answers."""

        def ready() -> bool:
            try:
                return requests.get(f"http://127.0.0.1:{self.port}/readyz", timeout=2).status_code == 200
            except requests.RequestException:
                return False

        wait_for(ready, seconds, "start")

    def kill(self) -> None:
        """As the kernel's out-of-memory killer would."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def stop(self, within: float = 60) -> int:
        """As an operator would; the exit code."""
        assert self.process is not None
        self.process.terminate()
        code = self.process.wait(timeout=within)
        self.process = None
        return code

    def send(self, mentions: list[dict[str, Any]], patience: float = 60) -> dict[str, Any]:
        """Hand mentions in as a bridge does: again and again until they are taken."""
        deadline = time.monotonic() + patience
        while time.monotonic() < deadline:
            try:
                answer = requests.post(
                    f"{self.hooks}/feed", json=mentions, headers={"Authorization": f"Bearer {TOKEN}"}, timeout=5
                )
                if answer.status_code == 200:
                    return dict(answer.json())
                assert answer.status_code == 503, answer.text
            except requests.RequestException:
                pass
            time.sleep(0.05)
        raise AssertionError("nobody took the mentions")

    def command(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Another command of the connector, beside the running one."""
        return subprocess.run(
            [sys.executable, "-m", "connector", "-c", str(self.config), *words],
            capture_output=True, text=True, cwd=self.folder, timeout=120, check=False,
        )  # fmt: skip

    def store(self) -> Store:
        """The same database, for looking."""
        return Store(self.store_url)

    def comments(self, ticket: int) -> list[tuple[bool, str]]:
        """What stands on a ticket, oldest first: whether it is public, and the words, without our mark."""
        return [(said.public, words(said.text)) for said in self.sandbox.seen_comments(ticket)]

    def settled(self, replies: int) -> bool:
        """Whether nothing is under way any more and so many replies have ended."""
        store = self.store()
        try:
            with store.read() as tx:
                waiting = sum(
                    n for (_, state), n in journal.backlog(tx).items() if state in ("ready", "blocked", "intent")
                )
                ended = sum(n for state, n in journal.replies_by_state(tx).items() if state in ("done", "failed"))
            return waiting == 0 and ended >= replies
        finally:
            store.close()

    def close(self) -> None:
        """Stop everything."""
        self.kill()
        self.log.close()
        self.bridge.close()
        self.sandbox.stop()
