"""The sandbox's memory on disk: a file of lines, each the newest state of one row.

One rule holds: what an answer promised is in the operating system's hands before the answer leaves, so
a killed process loses nothing it acknowledged. A line torn by a kill is the last one and is ignored.
Opening the file folds it to one line a row.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

Row = dict[str, Any]
Key = int | str


class Entry(NamedTuple):
    """One saved row: its table, the row it belongs to (comments of a ticket), its key; no row = removed."""

    table: str
    parent: Key | None
    key: Key
    row: Row | None


class Journal:
    """An append-only file of entries; only one process may have it open."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: BinaryIO | None = None

    def open(self) -> Iterator[Entry]:
        """Yield what is saved, oldest first; when exhausted the file is folded and ready to append."""
        live: dict[tuple[str, Key | None, Key], Entry] = {}
        if self._path.exists():
            for line in self._path.read_bytes().split(b"\n"):
                try:
                    table, parent, key, row = json.loads(line)
                except ValueError:
                    continue
                live[table, parent, key] = Entry(table, parent, key, row)
        kept = [entry for entry in live.values() if entry.row is not None]
        yield from kept
        self._path.parent.mkdir(parents=True, exist_ok=True)
        folded = self._path.with_name(self._path.name + ".new")
        folded.write_bytes(b"".join(map(_line, kept)))
        folded.replace(self._path)
        self._file = self._path.open("ab", buffering=0)

    def append(self, entries: Iterable[Entry]) -> None:
        """Hand the entries to the operating system in one write."""
        if self._file is not None:
            self._file.write(b"".join(map(_line, entries)))

    def close(self) -> None:
        """Let go of the file."""
        if self._file is not None:
            self._file.close()
            self._file = None


def _line(entry: Entry) -> bytes:
    return json.dumps(entry, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
