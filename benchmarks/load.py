"""Sends mentions to a listener and measures how fast they are accepted. A process of its own, cheap: ready-made bytes
over kept-alive sockets, one call under way on each.

    python benchmarks/load.py PORT --mentions 2000 --rate 0 …      prints one JSON line

With `--rate 0` each connection sends the next mention as soon as the last was accepted; else mention n is sent n/rate
seconds after the start, or as soon after as a connection is free, and is measured from when it should have been sent.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import time
from collections.abc import Iterator

from stub import MARK

_TEXTS = (
    ("ru", "Третий день жду курьера, никто не отвечает. Заказ не привезли! Верните деньги."),
    ("ru", "Спасибо большое, всё пришло вовремя, упаковка целая, буду заказывать ещё."),
    ("ru", "Подскажите, пожалуйста, когда снова появится синий цвет и есть ли доставка в Тверь?"),
    ("en", "My parcel is three days late and support does not answer. I want a refund."),
    ("en", "Love the new app, so much faster than before. Great job!"),
    ("en", "How do I change the delivery address after I have paid for the order?"),
)


def mentions(number: int, known: float, follow_ups: float, first: int = 0) -> Iterator[dict[str, object]]:
    """The mix, the same for every run: a share of follow-ups in a conversation begun before, and among the mentions
    that begin one a share by authors who have begun another before."""
    chance = random.Random(20261122)
    begun: list[tuple[str, str]] = []
    for n in range(first, first + number):
        if begun and chance.random() < follow_ups:
            thread, author = chance.choice(begun[-200:])
        else:
            repeats = begun and chance.random() < known
            author = chance.choice(begun)[1] if repeats else f"a{n}"
            thread = f"t{n}"
            begun.append((thread, author))
        language, text = _TEXTS[n % len(_TEXTS)]
        yield {
            "id": f"m{n}",
            "kind": "comment",
            "text": f"{text} bench{n:07d}",
            "url": f"https://social.example/{thread}?comment={n}",
            "created_at": "2026-11-22T09:30:00Z",
            "language": language,
            "thread_id": thread,
            "parent": {
                "id": thread,
                "text": "Новая коллекция уже в продаже",
                "url": f"https://social.example/{thread}",
            },
            "author": {"id": author, "name": f"Person {author}", "handle": author, "followers": int(n * 37 % 20_000)},
            "engagement": {"likes": n % 90, "replies": n % 7},
        }


class Times:
    """When each mention was (or should have been) sent, and how long until it was accepted."""

    def __init__(self) -> None:
        self.sent: dict[str, float] = {}
        self.accepted: list[float] = []
        self.refused = 0
        self.last = 0.0


async def _connection(port: int, work: Iterator[tuple[int, bytes]], start: float, rate: float, times: Times) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for n, packet in work:
        due = start + n / rate if rate else time.monotonic()
        if (early := due - time.monotonic()) > 0:
            await asyncio.sleep(early)
        writer.write(packet)
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n", 1)[0])
        await reader.readexactly(length)
        times.last = time.monotonic()
        times.accepted.append(times.last - due)
        times.refused += not head.startswith(b"HTTP/1.1 2")
        times.sent[MARK.search(packet)[0].decode()] = due  # type: ignore[index]
    writer.close()


async def send(options: argparse.Namespace) -> dict[str, object]:
    """Send everything; the times, on the machine's monotonic clock."""
    head = b"POST /hooks/feed HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\n"
    head += b"Authorization: Bearer %b\r\nContent-Length: %%d\r\n\r\n%%b" % options.token.encode()
    bodies = [
        json.dumps(m, ensure_ascii=False).encode()
        for m in mentions(options.mentions, options.known, options.follow_ups, options.first)
    ]
    packets = [head % (len(body), body) for body in bodies]
    times = Times()
    start = time.monotonic() + 0.05
    work = iter(enumerate(packets))
    await asyncio.sleep(0.05)
    lines = [_connection(options.port, work, start, options.rate, times) for _ in range(options.connections)]
    await asyncio.gather(*lines)
    return {
        "start": start,
        "last": times.last,
        "refused": times.refused,
        "accepted": times.accepted,
        "sent": times.sent,
    }


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("port", type=int)
    arguments.add_argument("--mentions", type=int, default=2000)
    arguments.add_argument("--first", type=int, default=0, help="number of the first mention")
    arguments.add_argument("--known", type=float, default=0.25)
    arguments.add_argument("--follow-ups", type=float, default=0.2)
    arguments.add_argument("--rate", type=float, default=0.0, help="mentions a second; 0: as fast as accepted")
    arguments.add_argument("--connections", type=int, default=32)
    arguments.add_argument("--token", default="benchmark-token")
    print(json.dumps(asyncio.run(send(arguments.parse_args()))))
