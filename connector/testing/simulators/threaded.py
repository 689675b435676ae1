"""A small HTTP server in a thread of its own, for simulators that answer call by call."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

Told = tuple[int, dict[str, str], bytes]
"""status, headers, body"""


class ThreadedServer(ABC):
    """A context manager that listens on a free port of loopback; `lock` is for the state of whoever derives."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True
        )

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @abstractmethod
    def answer(self, verb: str, target: str, headers: dict[str, str], body: bytes) -> Told | None:
        """One call, header names in lower case; None: hang up without an answer."""


def _handler(server: ThreadedServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_GET(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            headers = {name.lower(): value for name, value in self.headers.items()}
            told = server.answer(self.command, self.path, headers, body)
            if told is None:
                self.close_connection = True
                return
            status, more, content = told
            self.send_response(status)
            for name, value in ({"Content-Type": "application/json; charset=utf-8"} | more).items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_POST = do_DELETE = do_GET  # noqa: N815  the base class's words

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  the base class's word
            pass

    return Handler
