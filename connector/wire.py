"""Connections, and what their failures tell: what `connector.http` alone stands on.

Two promises. A failure counts as "never sent" only when it came while connecting: no address, no connection, no TLS
handshake. A TLS record that breaks later breaks an answer, and the request before it may have taken effect. And a
public connection goes to an address that was checked: a name is resolved once, judged, and that very address is
connected to, since a name may change its mind in between.
"""

from __future__ import annotations

import contextlib
import ipaddress
import socket
import ssl
from collections.abc import Callable
from typing import Any, ClassVar

import requests
import urllib3
from requests.adapters import HTTPAdapter
from requests.utils import DEFAULT_CA_BUNDLE_PATH
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.util.ssl_match_hostname import CertificateError


class PrivateAddress(urllib3.exceptions.NewConnectionError):
    """The name leads to an address that is not public."""


class NoHandshake(ssl.SSLError):
    """TLS was not agreed on, so nothing of the request was sent. Its cause says why."""


class _TLSConnection(HTTPSConnection):
    """Tells a handshake that failed from a connection that broke: both are the same error to ssl and urllib3."""

    def connect(self) -> None:
        try:
            super().connect()
        except (OSError, CertificateError) as error:
            raise NoHandshake from error


class _PublicConnection(HTTPConnection):
    def _new_conn(self) -> socket.socket:
        return _connect(self, super()._new_conn)


class _PublicTLSConnection(_TLSConnection):
    def _new_conn(self) -> socket.socket:
        return _connect(self, super()._new_conn)


class _TLSPool(HTTPSConnectionPool):
    ConnectionCls = _TLSConnection


class _PublicPool(HTTPConnectionPool):
    ConnectionCls = _PublicConnection


class _PublicTLSPool(HTTPSConnectionPool):
    ConnectionCls = _PublicTLSConnection


def pool_to(place: str) -> HTTPConnectionPool:
    """Kept connections to that scheme, host and port."""
    host = urllib3.util.parse_url(place)
    if host.scheme != "https":
        return urllib3.connection_from_url(place)
    assert host.host is not None
    return _TLSPool(host.host, host.port or 443, cert_reqs="CERT_REQUIRED", ca_certs=DEFAULT_CA_BUNDLE_PATH)


class AnyAdapter(HTTPAdapter):
    """Connects anywhere, through a proxy where there is one, and repeats nothing."""

    pools: ClassVar[dict[str, type[HTTPConnectionPool]]] = {"http": HTTPConnectionPool, "https": _TLSPool}

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        """The base class's, with connections of ours."""
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = self.pools

    def proxy_manager_for(self, *args: Any, **kwargs: Any) -> Any:
        """The same for a proxy's."""
        manager = super().proxy_manager_for(*args, **kwargs)
        manager.pool_classes_by_scheme = self.pools
        return manager


class PublicAdapter(AnyAdapter):
    """Connects only to public addresses."""

    pools: ClassVar[dict[str, type[HTTPConnectionPool]]] = {"http": _PublicPool, "https": _PublicTLSPool}


def causes(error: BaseException | None) -> list[BaseException]:
    """The error and everything that led to it, as requests and urllib3 nest it."""
    seen: list[BaseException] = []
    stack: list[Any] = [error]
    while stack:
        one = stack.pop()
        if isinstance(one, BaseException) and all(one is not known for known in seen):
            seen.append(one)
            stack += [one.__cause__, one.__context__, getattr(one, "reason", None), *one.args]
    return seen


def never_sent(error: Exception) -> bool:
    """Whether it failed while connecting, so that the other side cannot have seen the request."""
    return any(
        isinstance(
            cause,
            requests.exceptions.ConnectTimeout
            | urllib3.exceptions.NewConnectionError
            | urllib3.exceptions.ConnectTimeoutError
            | requests.exceptions.ProxyError
            | NoHandshake,
        )
        for cause in causes(error)
    )


def reason(error: Exception) -> str:
    """Why, in a few words that name nobody."""
    for cause in causes(error):
        if isinstance(cause, OSError) and cause.strerror:
            return cause.strerror.lower()
        if isinstance(cause, TimeoutError | requests.exceptions.Timeout):
            return "timed out"
    return "the connection was lost"


_NAT64 = ipaddress.ip_network("64:ff9b::/96")


def is_public(text: str) -> bool:
    """Whether everybody may reach this address; one of IPv6 that stands for one of IPv4 is judged as that."""
    address = ipaddress.ip_address(text.split("%", maxsplit=1)[0])
    if isinstance(address, ipaddress.IPv6Address):
        meant = address.ipv4_mapped or address.sixtofour
        if address in _NAT64:
            meant = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        if meant is not None:
            return meant.is_global
    return address.is_global and not address.is_multicast


def _connect(conn: HTTPConnection, connect: Callable[[], socket.socket]) -> socket.socket:
    """Connect to an address that was checked, not to a name that may change its mind in between."""
    name = conn.host
    try:
        found = [place[4][0] for place in socket.getaddrinfo(name.strip("[]"), conn.port, type=socket.SOCK_STREAM)]
    except (OSError, UnicodeError):
        return connect()  # fails the same way, with urllib3's words
    if not all(is_public(str(address)) for address in found):
        raise PrivateAddress(conn, "the address is not public")
    try:
        for address in found[:-1]:
            conn.host = str(address)
            with contextlib.suppress(urllib3.exceptions.HTTPError):
                return connect()
        conn.host = str(found[-1])
        return connect()
    finally:
        conn.host = name
