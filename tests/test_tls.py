"""TLS through the one door: what fails before the request was never sent; what breaks later leaves it open."""

from __future__ import annotations

import os
import shutil
import socket
import ssl
import struct
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
import requests.adapters

from connector import http as door
from connector import wire
from connector.errors import Temporary, Uncertain
from connector.http import Http

OPENSSL = shutil.which("openssl")

pytestmark = pytest.mark.skipif(OPENSSL is None, reason="makes its certificate with openssl, which is not here")

WAYS = pytest.mark.parametrize("auth", [None, ("ann", "secret")], ids=["straight", "through requests"])
"""Writes without a log-in go straight through urllib3, those with one through requests."""


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A key, and a certificate for 127.0.0.1 that it signed itself."""
    folder = tmp_path_factory.mktemp("tls")
    key, made = folder / "key.pem", folder / "cert.pem"
    subprocess.run(
        [str(OPENSSL), "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1",
         "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(made)],
        check=True, capture_output=True,
    )  # fmt: skip
    return key, made


@pytest.fixture
def trusted(certificate: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """Our certificate is among those that are trusted."""
    for module in (wire, requests.adapters):
        monkeypatch.setattr(module, "DEFAULT_CA_BUNDLE_PATH", str(certificate[1]))


@pytest.fixture
def http(monkeypatch: pytest.MonkeyPatch) -> Iterator[Http]:
    monkeypatch.setattr(door, "_REPEATED", door._REPEATED.copy(sleep=lambda _: None))
    made = Http("desk", timeout=(2.0, 2.0))
    yield made
    made.close()


class Listener:
    """What came to it: how many connections, and the requests that could be read."""

    def __init__(self) -> None:
        self.connections = 0
        self.requests: list[bytes] = []


@contextmanager
def listening(serve: Callable[[socket.socket, Listener], None]) -> Iterator[tuple[str, Listener]]:
    """`serve` gets each connection, before any TLS."""
    seen = Listener()
    server = socket.create_server(("127.0.0.1", 0))

    def accept() -> None:
        with suppress(OSError):
            while True:
                connection, _ = server.accept()
                connection.settimeout(5)
                seen.connections += 1
                with suppress(OSError):
                    serve(connection, seen)
                connection.close()

    thread = threading.Thread(target=accept, daemon=True)
    thread.start()
    try:
        yield f"https://127.0.0.1:{server.getsockname()[1]}/tickets", seen
    finally:
        server.shutdown(socket.SHUT_RDWR)
        server.close()
        thread.join()


def handshake(connection: socket.socket, certificate: tuple[Path, Path]) -> ssl.SSLSocket:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate[1], certificate[0])
    return context.wrap_socket(connection, server_side=True)


def request_on(tls: ssl.SSLSocket) -> bytes:
    """A whole request: its head, and as much body as that says."""
    text = b""
    while b"\r\n\r\n" not in text:
        text += tls.recv(65_536)
    head, _, body = text.partition(b"\r\n\r\n")
    length = next(int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
    while len(body) < length:
        body += tls.recv(65_536)
    return body


@pytest.fixture
def broken_record(certificate: tuple[Path, Path]) -> Callable[[socket.socket, Listener], None]:
    """Reads the request, and answers with a record that cannot be decrypted."""

    def serve(connection: socket.socket, seen: Listener) -> None:
        tls = handshake(connection, certificate)
        seen.requests.append(request_on(tls))
        raw = socket.socket(fileno=tls.detach())
        raw.sendall(b"\x17\x03\x03" + struct.pack("!H", 64) + os.urandom(64))
        with suppress(OSError):
            raw.recv(65_536)  # the other side's alert, so that it is not met with a reset
        raw.close()

    return serve


@WAYS
def test_a_record_that_breaks_in_the_answer_leaves_a_write_open(
    http: Http, trusted: None, auth: tuple[str, str] | None, broken_record: Callable[[socket.socket, Listener], None]
) -> None:
    with listening(broken_record) as (url, seen), pytest.raises(Uncertain) as raised:
        http.call("POST", url, operation="open", body=b"one ticket", auth=auth)

    assert seen.requests == [b"one ticket"]
    assert str(raised.value).startswith("desk open: sent, but no answer came: ")


@WAYS
def test_a_certificate_nobody_trusts_was_never_sent_anything(
    http: Http,
    auth: tuple[str, str] | None,
    certificate: tuple[Path, Path],
    broken_record: Callable[[socket.socket, Listener], None],
) -> None:
    with listening(broken_record) as (url, seen), pytest.raises(Temporary) as raised:
        http.call("POST", url, operation="open", body=b"one ticket", auth=auth)

    assert (seen.connections, seen.requests) == (1, [])
    assert str(raised.value).startswith("desk open: cannot connect: ")


@WAYS
@pytest.mark.parametrize("rudely", [False, True], ids=["closed", "reset"])
def test_a_connection_that_ends_within_the_handshake_was_never_sent_anything(
    http: Http, auth: tuple[str, str] | None, rudely: bool
) -> None:
    def serve(connection: socket.socket, _: Listener) -> None:
        connection.recv(65_536)
        if rudely:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")

    with listening(serve) as (url, _), pytest.raises(Temporary, match="cannot connect"):
        http.call("POST", url, operation="open", body=b"one ticket", auth=auth)


@WAYS
def test_a_handshake_that_never_ends_was_never_sent_anything(auth: tuple[str, str] | None) -> None:
    def serve(connection: socket.socket, _: Listener) -> None:
        while connection.recv(65_536):
            pass

    made = Http("desk", timeout=(0.2, 0.2))
    with listening(serve) as (url, _), pytest.raises(Temporary, match="cannot connect: timed out"):
        made.call("POST", url, operation="open", body=b"one ticket", auth=auth)
    made.close()


@WAYS
def test_what_is_trusted_and_whole_comes_through(
    http: Http, trusted: None, auth: tuple[str, str] | None, certificate: tuple[Path, Path]
) -> None:
    def serve(connection: socket.socket, seen: Listener) -> None:
        tls = handshake(connection, certificate)
        seen.requests.append(request_on(tls))
        tls.sendall(b"HTTP/1.1 201 Created\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}")
        tls.close()

    with listening(serve) as (url, seen):
        assert http.call("POST", url, operation="open", body=b"one ticket", auth=auth).status == 201
    assert seen.requests == [b"one ticket"]
