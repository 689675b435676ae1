"""The rows of one pretended account, and the one door through which they change.

Every change happens inside `Ledger.turn()`, which holds the lock and hands the changed rows to the journal in
one write at its end. What the rows mean, and how they are found, is the business of each sandbox.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import RLock

from connector.testing.simulators.answers import Row
from connector.testing.simulators.journal import Entry, Journal, Key

Table = dict[Key, Row]


class Ledger:
    """All rows of an account.

    `tables` map a key to a row; `owned` map an owner's id to such a mapping, oldest first. `clock` gives Unix
    seconds. A subclass makes its tables in `_clear` and keeps its indexes in `_set`.
    """

    tables: dict[str, Table]
    owned: dict[str, dict[Key, Table]]

    def __init__(self, journal: Journal | None, clock: Callable[[], float]) -> None:
        self.lock = RLock()
        self.clock = clock
        self._journal = journal
        self._dirty: dict[tuple[str, Key | None, Key], Row | None] = {}
        self._stamp = (0, "")
        self._clear()
        if journal is not None:
            for entry in journal.open():
                assert entry.row is not None
                self._set(entry.table, entry.parent, entry.key, entry.row)

    def now(self) -> int:
        """Whole Unix seconds."""
        return int(self.clock())

    def stamp(self) -> str:
        """Now, as the vendors write times."""
        now = self.now()
        if self._stamp[0] != now:
            self._stamp = (now, time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now)))
        return self._stamp[1]

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Hold the account; what was put is saved at the end, also after a refusal."""
        with self.lock:
            try:
                yield
            finally:
                if self._dirty:
                    if self._journal is not None:
                        self._journal.append(Entry(*key, row) for key, row in self._dirty.items())
                    self._dirty = {}

    def put(self, table: str, row: Row, key: Key | None = None, owner: Key | None = None) -> Row:
        """Save a new or changed row under its id (or `key`), within its owner if it has one."""
        key = row["id"] if key is None else key
        self._set(table, owner, key, row)
        self._dirty[table, owner, key] = row
        return row

    def remove(self, table: str, key: Key, owner: Key | None = None) -> None:
        """Forget a row."""
        rows = self.tables[table] if owner is None else self.owned[table].get(owner, {})
        rows.pop(key, None)
        self._dirty[table, owner, key] = None

    def empty(self) -> None:
        """Forget every row."""
        for table, rows in self.tables.items():
            self._dirty.update({(table, None, key): None for key in rows})
        for table, owners in self.owned.items():
            for owner, rows in owners.items():
                self._dirty.update({(table, owner, key): None for key in rows})
        self._clear()

    def _clear(self) -> None:
        """Make the empty tables and indexes."""
        self.tables, self.owned = {}, {}

    def _set(self, table: str, owner: Key | None, key: Key, row: Row) -> None:
        """Put a row where it belongs."""
        if owner is None:
            self.tables[table][key] = row
        else:
            self.owned[table].setdefault(owner, {})[key] = row
