"""How the commands speak: data on stdout, notices on stderr, tables people can read, JSON scripts can."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import click

from connector.errors import Problem
from connector.model import Identity


def data(text: str = "") -> None:
    """A line of the answer."""
    click.echo(text)


def notice(text: str) -> None:
    """A line beside the answer."""
    click.echo(text, err=True)


def as_json(value: Any) -> None:
    """The answer for a script."""
    click.echo(json.dumps(value, ensure_ascii=False, indent=2, default=str))


def table(rows: Sequence[Sequence[object]], head: Sequence[str]) -> None:
    """Rows under a head, each column as wide as it has to be; the last one may run on."""
    for line in columns([list(head), *rows]):
        data(line)


def columns(rows: Sequence[Sequence[object]], widest: int = 48) -> list[str]:
    """Rows as lines, their columns under one another; what is wider than `widest` pushes its own line only."""
    cells = [[str(cell) for cell in row] for row in rows]
    count = max((len(row) for row in cells), default=0)
    widths = [max(min(widest, len(row[n])) for row in cells if n < len(row)) for n in range(count)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=False)).rstrip() for row in cells]


def problems(found: Sequence[Problem], *, json_too: bool = False) -> None:
    """Every mistake, one a line, in columns; as JSON when asked."""
    if json_too:
        as_json(
            [
                {"file": p.file, "line": p.line, "column": p.column, "path": p.path}
                | {"severity": p.severity, "message": p.message}
                for p in found
            ]
        )
        return
    places = [f"{p.file}:{p.line}:{p.column}" if p.line else p.file for p in found]
    width = min(48, max((len(place) for place in places), default=0))
    for place, problem in zip(places, found, strict=True):
        path = f"{problem.path}  " if problem.path else ""
        data(f"{place.ljust(width)}  {problem.severity.ljust(7)}  {path}{problem.message}")


def count(number: int, word: str) -> str:
    """`1 error`, `2 errors`."""
    return f"{number} {word}" if number == 1 else f"{number} {word}s"


def identified(identity: Identity, account: str, facts: Sequence[str]) -> str:
    """Who we are on an account, and what is to be known of it; who has no account there has no name either."""
    who = [] if identity.id == account else [f"as {identity.name or identity.id}"]
    return ", ".join([*who, *facts])


def ago(at: float | None) -> str:
    """How long ago, in the largest unit that fits."""
    if at is None:
        return "never"
    return f"{span(time.time() - at)} ago"


def span(seconds: float) -> str:
    """A length of time in the largest unit that fits."""
    seconds = max(0.0, seconds)
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"


def moment(at: float | None) -> str:
    """A Unix time as people in operations read it."""
    return "" if at is None else datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
