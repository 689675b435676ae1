"""Many rows in one statement: they travel as one JSON parameter, and the database takes them apart.

It hides how each database does that. Because: with a statement for each row, the writer's thread gives up the
interpreter's lock at every row and, with many workers about, waits for it again; a turn of 70 rows took 26 ms for
5 ms of work. The text of a statement stays the same however many rows there are, so that it is prepared once.

SQLite: json_each, UPDATE FROM (3.33); PostgreSQL: json_array_elements.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from connector.store.store import Tx


class Given:
    """The rows on their way in, as columns of a statement: `given["number"]`."""

    def __init__(self, dialect: Any, columns: Mapping[str, Any]) -> None:
        rows = sa.bindparam("rows", type_=sa.Text)
        self._columns: dict[str, Any] = {}
        if dialect is sqlite:
            self._table: Any = sa.func.json_each(rows).table_valued("key", "value").alias("given")
            for n, (name, kind) in enumerate(columns.items()):
                place: Any = sa.literal_column(f"'$[{n}]'")
                self._columns[name] = sa.type_coerce(sa.func.json_extract(self._table.c.value, place), kind)
        else:
            elements = sa.func.json_array_elements(sa.cast(rows, sa.JSON(none_as_null=True)))
            self._table = elements.table_valued("value", with_ordinality="key").render_derived(name="given")
            for n, (name, kind) in enumerate(columns.items()):
                text = self._table.c.value.op("->>")(sa.literal_column(str(n)))
                self._columns[name] = sa.cast(text, kind)

    def __getitem__(self, name: str) -> Any:
        return self._columns[name]

    def among(self, column: Any, name: str) -> Any:
        """That this column is one of them."""
        return column.in_(sa.select(self[name]))

    def each(self, value: Any) -> Any:
        """This value (a subquery about the row), for each of them."""
        return sa.select(value).select_from(self._table)

    @property
    def in_order(self) -> Any:
        """All rows, in the order given."""
        # SQLite takes the ON of ON CONFLICT for a join's unless there is a WHERE
        return sa.select(*self._columns.values()).where(sa.literal_column("1 = 1")).order_by(self._table.c.key)


class Prepared:
    """A statement that every turn executes: its text is made once for each database and goes to the driver as it is,
    which costs half of what the usual way does. Times, numbers and texts only: nothing is converted."""

    def __init__(self, make: Callable[[Any], Any]) -> None:
        self._make = make
        self._ready: dict[str, tuple[str, tuple[str, ...] | None, dict[str, Any]]] = {}

    def run(self, tx: Tx, **words: Any) -> sa.CursorResult[Any]:
        """Execute it with these parameters."""
        ready = self._ready.get(tx.dialect.name)
        if ready is None:
            made = self._make(postgresql if tx.dialect.name == "postgresql" else sqlite).compile(dialect=tx.dialect)
            fixed = {name: value for name, value in made.params.items() if not made.binds[name].required}
            ready = made.string, tuple(made.positiontup) if made.positional else None, fixed
            self._ready[tx.dialect.name] = ready
        text, order, fixed = ready
        words = {**fixed, **words}
        return tx.exec_driver_sql(text, words if order is None else tuple(words[name] for name in order))


class Bulk:
    """A statement for any number of rows with these columns."""

    def __init__(self, make: Callable[[Any, Given], Any], columns: Mapping[str, Any]) -> None:
        self._columns = tuple(columns)
        self._statement = Prepared(lambda dialect: make(dialect, Given(dialect, columns)))

    def run(self, tx: Tx, rows: Sequence[Mapping[str, Any]], **words: Any) -> Iterable[Any]:
        """Execute it for these rows, also none; what it returns. `words` are the same for all rows."""
        if not rows:
            return ()
        if any(len(row) != len(self._columns) for row in rows):
            raise TypeError(f"a row has to have exactly these columns: {', '.join(self._columns)}")
        text = json.dumps([[row[name] for name in self._columns] for row in rows], ensure_ascii=False)
        return self._statement.run(tx, rows=text, **words)


def bulk(make: Callable[[Any, Given], Any], **columns: Any) -> Bulk:
    """The statement that `make(dialect, given)` gives; columns with their types."""
    return Bulk(make, columns)


def bulk_insert(table: sa.Table, *names: str, then: Callable[[Any], Any] = lambda insert: insert) -> Bulk:
    """An INSERT of these columns, in the order of the rows; `then` adds ON CONFLICT and RETURNING."""

    def make(dialect: Any, given: Given) -> Any:
        return then(dialect.insert(table).from_select(list(names), given.in_order, include_defaults=False))

    return bulk(make, **{name: table.c[name].type for name in names})
