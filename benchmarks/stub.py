"""A helpdesk that answers at once: the few Zendesk calls that the measured programs make, as cheap as Python can.

It is a process of its own, so that what it costs is not counted. For every call that shows somebody's words to an
agent (a ticket's first comment, a public comment) it notes when each mention came, known by the mark in its text;
that is all the truth the benchmark has, and it is the same for both programs. Nothing is checked and nothing is kept:
correctness is the tests' affair.

    python benchmarks/stub.py [--latency 0.02]      prints its port; GET /seen tells what came
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import time
from itertools import count

MARK = re.compile(rb"bench\d{7}")
_PUBLIC = (b'"public":true', b'"public": true')
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)


class Seen:
    """When which mention came before an agent's eyes, how often, and when the last write of all came."""

    def __init__(self) -> None:
        self.first: dict[str, float] = {}
        self.twice = 0
        self.tickets = self.calls = 0
        self.last = 0.0

    def note(self, head: bytes, body: bytes) -> None:
        """One call."""
        if head.startswith(b"GET"):
            return
        self.calls += 1
        self.last = now = time.monotonic()
        opening = head.startswith(b"POST /api/v2/tickets ")
        self.tickets += opening
        if opening or (head.startswith(b"PUT") and any(word in body for word in _PUBLIC)):
            for mark in {found.decode() for found in MARK.findall(body)}:
                self.twice += mark in self.first
                self.first.setdefault(mark, now)

    def told(self, everything: bool) -> bytes:
        """What came, as JSON."""
        words: dict[str, object] = {"seen": len(self.first), "twice": self.twice, "tickets": self.tickets}
        words |= {"calls": self.calls, "last": self.last, "first": self.first if everything else {}}
        return json.dumps(words).encode()


class Line(asyncio.Protocol):
    """One kept-alive connection; one call at a time, as the programs under test make them."""

    def __init__(self, seen: Seen, numbers: count[int], latency: float) -> None:
        self._seen, self._numbers, self._latency = seen, numbers, latency
        self._came = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Remember where answers go."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Answer each call once it is here whole."""
        self._came += data
        while (end := self._came.find(b"\r\n\r\n")) >= 0:
            head = self._came[:end]
            declared = _LENGTH.search(head)
            whole = end + 4 + (int(declared.group(1)) if declared else 0)
            if len(self._came) < whole:
                return
            body, self._came = self._came[end + 4 : whole], self._came[whole:]
            self._seen.note(head, body)
            answer = self._answer(head)
            packet = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b"
            text = packet % (len(answer), answer)
            if self._latency:
                asyncio.get_running_loop().call_later(self._latency, self._transport.write, text)
            else:
                self._transport.write(text)

    def _answer(self, head: bytes) -> bytes:
        method, path = head.split(b" ", 2)[:2]
        number = next(self._numbers)
        if path.startswith(b"/seen"):
            return self._seen.told(path.endswith(b"everything"))
        if path.endswith(b"/tags"):
            return b'{"tags":[]}'
        if path.startswith(b"/api/v2/users/me"):
            return b'{"user":{"id":1,"name":"Bench","role":"admin"}}'
        if method == b"GET":
            return b'{"tickets":[],"after_cursor":"c","end_of_stream":true}'
        if path == b"/api/v2/users":
            return b'{"user":{"id":%d}}' % number
        ticket = int(path.rsplit(b"/", 1)[1]) if method == b"PUT" else number
        event = b'{"id":%d,"type":"Comment","public":true}' % (number + 1_000_000_000)
        return b'{"ticket":{"id":%d},"audit":{"id":%d,"ticket_id":%d,"events":[%b]}}' % (
            ticket,
            number,
            ticket,
            event,
        )


async def serve(latency: float) -> None:
    """Answer until killed."""
    seen, numbers = Seen(), count(1000)
    server = await asyncio.get_running_loop().create_server(lambda: Line(seen, numbers, latency), "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--latency", type=float, default=0.0, help="seconds until each answer")
    asyncio.run(serve(arguments.parse_args().latency))
