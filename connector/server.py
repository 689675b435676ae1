"""The HTTP listener: hooks in, health and metrics out. Starlette on uvicorn, in one thread of the daemon.

A hook is answered 2xx only when what it brought is durable; everything refused gets the right 4xx and one sentence,
and nothing of it is stored. Bodies are read up to a limit and no further.
"""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

import uvicorn
import uvloop
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from connector import log
from connector.adapter import ChallengeAnswer, Hook
from connector.errors import BadHook, ConnectorError, Temporary

_SLOWEST_BODY = 30.0
_NO_METHOD = "{} does nothing here; hooks are sent with POST"


@dataclass(frozen=True, slots=True)
class Handlers:
    """What the listener asks the daemon. `receive` verifies and reads a hook (BadHook when it refuses, LookupError
    when no account has that name) and gives a future that is done when it is durable, with what to answer: a text, or
    something to be told as JSON. `alive` and `ready` give what is wrong, or an empty text. `challenged` answers a
    platform's question whether the address is ours, by its query (BadHook when it refuses, LookupError when nobody of
    that name is asked such questions)."""

    receive: Callable[[str, Hook], Future[dict[str, Any] | str]]
    alive: Callable[[], str]
    ready: Callable[[], str]
    metrics: Callable[[], tuple[bytes, str]]
    challenged: Callable[[str, Mapping[str, str]], ChallengeAnswer] | None = None


def application(handlers: Handlers, max_body: int) -> Starlette:
    """The ASGI application, without a listener: `POST /hooks/NAME`, `/healthz`, `/readyz`, `/metrics`."""

    async def hook(request: Request) -> Response:
        received_at = time.time()
        try:
            body = await _body(request, max_body)
            headers = {key.decode("latin-1").lower(): value.decode("latin-1") for key, value in request.headers.raw}
            stored = handlers.receive(
                request.path_params["name"], Hook(headers, body, received_at, dict(request.query_params))
            )
            told = await asyncio.wrap_future(stored)
            return PlainTextResponse(told) if isinstance(told, str) else JSONResponse(told)
        except LookupError:
            return _refused(404, "there is no account of that name that takes hooks")
        except BadHook as error:
            return _refused(error.status or 400, error.sentence)
        except Temporary as error:
            return _refused(503, error.sentence, {"Retry-After": str(int(error.wait or 5))})
        except ClientDisconnect:
            return _refused(400, "the caller hung up")
        except ConnectorError as error:
            return _refused(500, error.sentence)
        except Exception as error:  # noqa: BLE001 - an adapter's bug: told, and no other account suffers from it
            log.get().error("hook failed", account=request.path_params["name"], exc_info=error)
            return _refused(500, "this call could not be read because of a mistake of ours; it is logged")

    async def challenge(request: Request) -> Response:
        return _challenged(handlers, request)

    async def alive(_: Request) -> Response:
        return _state(handlers.alive())

    async def ready(_: Request) -> Response:
        return _state(handlers.ready())

    async def metrics(_: Request) -> Response:
        content, kind = await asyncio.to_thread(handlers.metrics)
        return Response(content, media_type=kind)

    return Starlette(
        routes=[
            Route("/hooks/{name}", hook, methods=["POST"]),
            Route("/hooks/{name}", challenge, methods=["GET", "PUT", "DELETE", "PATCH"]),
            Route("/healthz", alive),
            Route("/readyz", ready),
            Route("/metrics", metrics),
        ],
        exception_handlers={HTTPException: _elsewhere},
    )


def _challenged(handlers: Handlers, request: Request) -> Response:
    """A GET of a hook's address: a question whether it is ours, or a mistake."""
    name, known = request.path_params["name"], handlers.challenged
    if known is not None and request.method == "GET":
        try:
            answer = known(name, dict(request.query_params))
            return Response(answer.body, media_type=answer.type)
        except BadHook as error:
            return _refused(error.status or 400, error.sentence)
        except LookupError:
            pass
        except Exception as error:  # noqa: BLE001 - as with hooks
            log.get().error("challenge failed", account=name, exc_info=error)
            return _refused(500, "this call could not be read because of a mistake of ours; it is logged")
    return _refused(405, _NO_METHOD.format(request.method), {"Allow": "POST"})


async def _body(request: Request, limit: int) -> bytes:
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and int(declared) > limit:
        raise BadHook(f"the body is larger than {limit} bytes", status=413)
    chunks: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(_SLOWEST_BODY):
            async for chunk in request.stream():
                size += len(chunk)
                if size > limit:
                    raise BadHook(f"the body is larger than {limit} bytes", status=413)
                chunks.append(chunk)
    except TimeoutError:
        raise BadHook(f"the body did not come within {_SLOWEST_BODY:.0f} s", status=408) from None
    return b"".join(chunks)


async def _elsewhere(request: Request, error: Exception) -> Response:
    """No such address, or not by that method."""
    status = error.status_code if isinstance(error, HTTPException) else 500
    sentences = {
        404: "there is nothing at this address; hooks are POST /hooks/NAME",
        405: _NO_METHOD.format(request.method),
    }
    return _refused(status, sentences.get(status, "this call cannot be answered"), getattr(error, "headers", None))


def _refused(status: int, sentence: str, headers: Mapping[str, str] | None = None) -> Response:
    return JSONResponse({"error": sentence}, status_code=status, headers=dict(headers or {}))


def _state(trouble: str) -> Response:
    return PlainTextResponse(trouble or "ok", status_code=503 if trouble else 200)


class Listener:
    """uvicorn in a thread of its own; the socket is bound before it starts, so that a taken port is told at once."""

    def __init__(self, app: Starlette, host: str, port: int) -> None:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        # asyncio sends small answers at once only on sockets that say they are TCP; else each waits for an ACK: 40 ms
        self._socket = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            self._socket.bind((host, port))
        except OSError as error:
            self._socket.close()
            raise ConnectorError(
                f"cannot listen on {host}:{port}: {error.strerror}; set `server: listen` to another one"
            ) from None
        self.address = f"http://{host}:{self._socket.getsockname()[1]}"
        config = uvicorn.Config(
            app,
            http="httptools",
            ws="none",
            log_config=None,
            access_log=False,
            lifespan="off",
            timeout_graceful_shutdown=20,
            server_header=False,
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._run, name="listener", daemon=True)

    def start(self) -> None:
        """Listen; gives back when calls are answered."""
        self._thread.start()
        while not self._server.started and self._thread.is_alive():
            time.sleep(0.01)
        if not self._server.started:
            raise ConnectorError(f"the listener on {self.address} did not start")

    def stop(self) -> None:
        """Answer what is under way, then stop listening."""
        self._server.should_exit = True
        self._thread.join(timeout=25)
        self._socket.close()

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(self._server.serve(sockets=[self._socket]))
