"""The database: open it, migrate it, hand out transactions.

SQLite runs in WAL with synchronous=FULL (what was answered 2xx survives a power cut) and BEGIN IMMEDIATE (a writer
waits its turn instead of failing half-way); one process at a time may *run* on it, kept by a lock file held for the
process's life, so that every lease found at its start is known to be dead. PostgreSQL is the engine for several
replicas. Nothing outside this package imports SQLAlchemy.

Migrations are Alembic's, all of them in one transaction that is begun by us, DDL included: a kill in the middle
leaves what was there before, and of several processes that start at once the first migrates while the others wait.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from connector.errors import ConnectorError, Temporary

Tx = sa.Connection

HEAD = "0006"
_MIGRATION_LOCK = 4242
_DEADLOCK = "40P01"


class StoreBusy(ConnectorError):
    """Another process runs on this database."""


class Collided(Temporary):
    """Two transactions waited for each other; this one gave way, and nothing of it happened."""


class Store:
    """One database. Thread-safe; each transaction has a connection of its own."""

    def __init__(self, url: str) -> None:
        """`url`: `sqlite:///relative.db`, `sqlite:////absolute.db` or `postgresql://…`. Nothing is opened yet."""
        self.url = _dialled(url)
        self.path = Path(self.url.database) if self.is_sqlite and self.url.database else None
        options: dict[str, Any] = {"pool_size": 5, "max_overflow": 20}
        if self.is_sqlite:
            options["connect_args"] = {"check_same_thread": False, "timeout": 30}
        else:
            options |= {"pool_pre_ping": True, "connect_args": {"connect_timeout": 10}}
        try:
            self.engine = sa.create_engine(self.url, **options)
        except ModuleNotFoundError:
            raise ConnectorError(
                "PostgreSQL needs its driver: pip install 'helpdesk-connector[postgresql]'", service="store"
            ) from None
        if self.is_sqlite:
            sa.event.listen(self.engine, "connect", _sqlite_connect)
            sa.event.listen(self.engine, "begin", _sqlite_begin)
        self._lock: IO[str] | None = None

    @property
    def is_sqlite(self) -> bool:
        """Whether one process must have the database for itself."""
        return self.url.get_backend_name() == "sqlite"

    @property
    def shown(self) -> str:
        """The address without its password."""
        return self.url.render_as_string(hide_password=True)

    @contextmanager
    def begin(self) -> Iterator[Tx]:
        """A writing transaction: all of it or nothing. Temporary when the database is away, Collided when it gave way
        to another."""
        try:
            with self.engine.begin() as tx:
                tx.info.pop("now", None)
                yield tx
        except sa.exc.OperationalError as error:
            if getattr(error.orig, "sqlstate", "") == _DEADLOCK:
                raise Collided(service="store") from error
            raise Temporary(f"the database is not available: {_first_line(error)}", service="store") from error

    @contextmanager
    def read(self) -> Iterator[Tx]:
        """A reading transaction: one consistent picture, and no writer waits for it."""
        try:
            with self.engine.connect().execution_options(reading=True) as tx:
                tx.info.pop("now", None)
                yield tx
        except sa.exc.OperationalError as error:
            raise Temporary(f"the database is not available: {_first_line(error)}", service="store") from error

    def hold(self) -> None:
        """Take the SQLite database for this process's life; StoreBusy when another one runs on it."""
        if self.path is None or self._lock is not None:
            return
        self.path.parent.mkdir(parents=True, exist_ok=True)
        lock = self.path.with_name(self.path.name + ".lock").open("a+")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            lock.seek(0)
            holder = lock.read().strip() or "unknown"
            lock.close()
            raise StoreBusy(
                f"another connector (process {holder}) runs on {self.path}; stop it, or use PostgreSQL to run several"
            ) from None
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        self._lock = lock

    def migrate(self) -> Path | None:
        """Bring the schema up to date; the address of the SQLite back-up, when there was something to keep."""
        if self.path is not None:
            self.path.parent.mkdir(parents=True, exist_ok=True)
        if self.revision() == HEAD:
            return None
        with self.begin() as tx:
            if tx.dialect.name == "postgresql":
                # several replicas may start at once: the first migrates, the others wait and find nothing to do
                tx.execute(sa.text("SELECT pg_advisory_xact_lock(:n)"), {"n": _MIGRATION_LOCK})
            current = _revision(tx)
            if current == HEAD:
                return None
            if current is not None and current > HEAD:
                raise _newer(current)
            backup = self._back_up(current) if current and self.path else None
            _upgrade(tx, HEAD)
        return backup

    def look(self, *, create: bool = False) -> None:
        """Make sure that what is there can be read, and change nothing of it: a connector that runs may be an older
        one. ConnectorError says what to do when it cannot; with `create`, a database that is not there yet is made.
        """
        missing = self.path is not None and not self.path.exists()
        current = None if missing else self.revision()
        if current is None and create:
            self.migrate()
        elif current is None:
            raise ConnectorError(f"there is no database yet at {self.path or self.shown}; `connector run` makes it")
        elif current > HEAD:
            raise _newer(current)
        elif current != HEAD:
            raise ConnectorError(
                f"the database is that of an older connector (schema {current}, this one needs {HEAD}):"
                " stop that one, then `connector run` brings it up to date"
            )

    def revision(self) -> str | None:
        """The schema's revision, None for an empty database; ConnectorError when it is no database at all."""
        try:
            with self.read() as tx:
                return _revision(tx)
        except sa.exc.DatabaseError as error:
            raise ConnectorError(f"{self.shown} cannot be read: {_first_line(error)}", service="store") from None

    def _back_up(self, revision: str) -> Path:
        assert self.path is not None
        copy = self.path.with_name(f"{self.path.name}.{revision}.{int(time.time())}.bak")
        unfinished = copy.with_suffix(".part")
        unfinished.unlink(missing_ok=True)
        connection = self.engine.raw_connection()
        try:
            connection.cursor().execute("VACUUM INTO ?", (str(unfinished),))
        finally:
            connection.close()
        return unfinished.replace(copy)

    def close(self) -> None:
        """Let go of every connection and of the lock."""
        self.engine.dispose()
        if self._lock is not None:
            self._lock.close()
            self._lock = None


def now(tx: Tx) -> float:
    """The database's clock in Unix seconds, the one clock all replicas share; read once in a transaction."""
    at: float | None = tx.info.get("now")
    if at is None:
        at = time.time() if tx.dialect.name == "sqlite" else float(tx.execute(_PG_NOW).scalar_one())
        tx.info["now"] = at
    return at


_PG_NOW = sa.text("SELECT extract(epoch FROM clock_timestamp())")


def insert(tx: Tx, table: sa.Table) -> Any:
    """An INSERT that knows ON CONFLICT in the database's own dialect."""
    return sqlite.insert(table) if tx.dialect.name == "sqlite" else postgresql.insert(table)


def either(statement: Callable[[Any], Any]) -> dict[str, Any]:
    """A statement that is often executed, made once for each dialect, to be picked by the dialect's name."""
    return {dialect.dialect.name: statement(dialect) for dialect in (sqlite, postgresql)}


def unindexed(column: sa.Column[str]) -> sa.ColumnElement[str]:
    """A text column as it is, but looked up by no index of its own. Because: SQLite keeps no counts and takes
    `state = 'done'` or `helpdesk = 'desk'` for a few rows, while it is nearly all of them."""
    return column.concat(sa.literal_column("''"))


def _revision(tx: Tx) -> str | None:
    if not sa.inspect(tx).has_table("alembic_version"):
        return None
    found: str | None = tx.execute(sa.text("SELECT version_num FROM alembic_version")).scalar()
    return found


def _upgrade(tx: Tx, revision: str) -> None:
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", "connector.store:migrations")
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = tx
    command.upgrade(config, revision)


def _dialled(url: str) -> sa.URL:
    remedy = "write sqlite:///connector.db or postgresql://…"
    try:
        parsed = sa.make_url(url)
    except (sa.exc.ArgumentError, ValueError):
        shown = "this" if "@" in url else f'"{url}"'  # there may be a password in it
        raise ConnectorError(f"{shown} is not a database address: {remedy}") from None
    if parsed.drivername in ("postgresql", "postgres"):
        return parsed.set(drivername="postgresql+psycopg")
    if parsed.drivername not in ("sqlite", "postgresql+psycopg"):
        raise ConnectorError(f'a store cannot be "{parsed.drivername}": {remedy}')
    if parsed.drivername == "sqlite" and (parsed.host or parsed.database in (None, "", ":memory:")):
        raise ConnectorError(f'"{url}" names no file, and the store has to last: {remedy}')
    return parsed


def _sqlite_connect(connection: Any, _: Any) -> None:
    connection.isolation_level = None  # transactions are begun by us, see _sqlite_begin
    cursor = connection.cursor()
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "busy_timeout=30000", "temp_store=MEMORY"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _sqlite_begin(connection: sa.Connection) -> None:
    reading = connection.get_execution_options().get("reading")
    connection.exec_driver_sql("BEGIN" if reading else "BEGIN IMMEDIATE")


def _newer(current: str) -> ConnectorError:
    return ConnectorError(
        f"the database was written by a newer connector (schema {current}, this one knows {HEAD}): upgrade"
    )


def _first_line(error: Exception) -> str:
    return str(getattr(error, "orig", error)).splitlines()[0][:200]
