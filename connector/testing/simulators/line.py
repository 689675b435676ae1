"""The wire: a listener in its own thread, and the knife that cuts a connection: the client sees a reset.

uvicorn offers an application no way to drop a connection without an answer, so its own protocol is extended
by a register of open transports, found again by the two ends of the connection.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Awaitable, Callable, MutableMapping
from threading import Thread
from typing import Any

import uvicorn
from uvicorn.protocols.http.auto import AutoHTTPProtocol

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]
Ends = tuple[object, object]

_open: dict[Ends, asyncio.Transport] = {}


class _Registered:
    _ends: Ends | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:
        """Remember the transport by the connection's two ends."""
        self._ends = (transport.get_extra_info("peername"), transport.get_extra_info("sockname"))
        _open[self._ends] = transport
        super().connection_made(transport)  # type: ignore[misc]

    def connection_lost(self, error: Exception | None) -> None:
        """Forget it."""
        if self._ends is not None:
            _open.pop(self._ends, None)
        super().connection_lost(error)  # type: ignore[misc]


_Protocol: type[asyncio.Protocol] = type("RegisteredProtocol", (_Registered, AutoHTTPProtocol), {})


async def content(receive: Receive) -> bytes:
    """The whole body of a request."""
    parts: list[bytes] = []
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return b"".join(parts)
        parts.append(message.get("body", b""))
        if not message.get("more_body"):
            return b"".join(parts)


async def cut(scope: Scope, receive: Receive) -> None:
    """Reset the connection of this request; returns when it is gone, so that nothing is answered."""
    ends = tuple(tuple(scope[name]) if scope.get(name) else None for name in ("client", "server"))
    transport = _open.get((ends[0], ends[1]))
    if transport is None:
        raise ConnectionResetError("connection cut on purpose")
    raw = transport.get_extra_info("socket")
    if raw is not None:
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()
    while (await receive())["type"] != "http.disconnect":
        pass


class Listener:
    """One application on one address."""

    def __init__(self, app: App, host: str, port: int, name: str) -> None:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._socket = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)  # named, else no TCP_NODELAY
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            self._socket.bind((host, port))
        except OSError:
            self._socket.close()
            raise
        self._socket.listen(1024)
        shown = f"[{host}]" if ":" in host else host
        self.address = f"http://{shown}:{self._socket.getsockname()[1]}"
        config = uvicorn.Config(
            app, http=_Protocol, ws="none", lifespan="off", log_config=None, log_level="warning",
            access_log=False, timeout_graceful_shutdown=1, timeout_keep_alive=60,
        )  # fmt: skip
        self._server = uvicorn.Server(config)
        self._name = name
        self._thread: Thread | None = None

    def start(self) -> None:
        """Answer from a thread of its own. The socket listens already, so nobody is turned away meanwhile."""
        self._thread = Thread(target=self.run, name=self._name, daemon=True)
        self._thread.start()

    def run(self) -> None:
        """Answer until stopped, here; in the main thread an interrupt stops it too."""
        try:
            self._server.run(sockets=[self._socket])
        finally:
            self._socket.close()

    def stop(self) -> None:
        """Answer nobody any more; returns when the thread has ended."""
        self._server.should_exit = True
        if self._thread is not None:
            self._thread.join()
            self._thread = None
        self._socket.close()
