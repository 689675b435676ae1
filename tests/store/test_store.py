"""The database is opened, held, and brought up to date whatever happens in between."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from store_builders import NOON, arrive, done, one, rows, sound, states, turn

from connector.errors import ConnectorError, Temporary
from connector.model import Mention, encode
from connector.store import Store, StoreBusy, journal
from connector.store.arrivals import author_of
from connector.store.store import HEAD, _upgrade, now
from connector.store.tables import metadata

Make = Callable[..., Mention]
PROCESS = Path(__file__).with_name("store_process.py")


@pytest.fixture(params=["sqlite", "postgresql"])
def empty(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """A store on a database without a schema."""
    url = f"sqlite:///{tmp_path / 'empty.db'}"
    if request.param == "postgresql":
        url = request.getfixturevalue("postgres").create()
    opened = Store(url)
    yield opened
    opened.close()


def address(store: Store) -> str:
    """Its whole address."""
    return store.url.render_as_string(hide_password=False)


def written_by(store: Store, revision: str) -> None:
    """The schema of an older connector."""
    with store.begin() as tx:
        _upgrade(tx, revision)


def process(*words: str) -> subprocess.CompletedProcess[str]:
    """Another process, to its end."""
    return subprocess.run([sys.executable, PROCESS, *words], check=False, capture_output=True, text=True, timeout=60)


@contextmanager
def holder(store: Store) -> Iterator[subprocess.Popen[str]]:
    """Another process that holds the database."""
    words = [sys.executable, str(PROCESS), "hold", address(store)]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        assert running.stdout.readline() == "held\n"
        yield running
        running.kill()


# --- addresses ---


@pytest.mark.parametrize(
    ("url", "dialled"),
    [
        ("sqlite:///some.db", "sqlite:///some.db"),
        ("sqlite:////var/lib/some.db", "sqlite:////var/lib/some.db"),
        ("postgresql://u@h/d", "postgresql+psycopg://u@h/d"),
        ("postgres://u@h/d", "postgresql+psycopg://u@h/d"),
        ("postgresql+psycopg://u@h/d", "postgresql+psycopg://u@h/d"),
    ],
)
def test_both_databases_are_named_by_address(url: str, dialled: str) -> None:
    assert Store(url).url.render_as_string() == dialled


@pytest.mark.parametrize(
    "url",
    [
        "",
        "connector.db",
        "mysql://u:geheim@h/d",
        "file:///connector.db",
        "postgresql://u:geheim@h:port/d",
        "postgresql:u:geheim@h/d",
        "postgresql+asyncpg://u:geheim@h/d",
        "sqlite+aiosqlite:///connector.db",
        "sqlite://connector.db",
        "sqlite://",
        "sqlite:///:memory:",
    ],
)
def test_any_other_address_is_refused_in_one_sentence_that_says_what_to_write(url: str) -> None:
    with pytest.raises(ConnectorError) as refused:
        Store(url)
    sentence = str(refused.value)
    assert "sqlite:///connector.db" in sentence
    assert "postgresql://" in sentence
    assert "\n" not in sentence
    assert "geheim" not in sentence


def test_a_password_is_not_shown() -> None:
    store = Store("postgresql://u:geheim@h/d")
    assert store.shown == "postgresql+psycopg://u:***@h/d"
    assert "geheim" not in repr(store.url)
    assert "geheim" not in repr(store.engine)


# --- transactions ---


def test_a_transaction_is_stored_whole_or_not_at_all(store: Store, mention: Make) -> None:
    class Changed(Exception):
        pass

    with pytest.raises(Changed), store.begin() as tx:
        journal.remember(tx, "policy", "a")
        raise Changed
    with store.read() as tx:
        assert journal.recall(tx, "policy") is None
    for value in ("a", "b"):
        with store.begin() as tx:
            journal.remember(tx, "policy", value)
    with store.read() as tx:
        assert journal.recall(tx, "policy") == "b"


def test_the_clock_is_read_once_in_a_transaction(store: Store) -> None:
    with store.begin() as tx:
        first = now(tx)
        assert now(tx) == first
    with store.begin() as tx:
        assert now(tx) > first


@pytest.mark.parametrize("way", ["begin", "read"])
def test_a_database_that_is_away_is_waited_for(tmp_path: Path, way: str) -> None:
    for url in (f"sqlite:///{tmp_path}/nowhere/some.db", "postgresql://u:geheim@127.0.0.1:1/d"):
        store = Store(url)
        with pytest.raises(Temporary) as away, getattr(store, way)():
            pass
        assert "the database is not available" in str(away.value)
        assert "\n" not in str(away.value)
        assert "geheim" not in str(away.value)
        store.close()


def test_a_database_that_goes_away_meanwhile_is_back_later(store: Store) -> None:
    if store.is_sqlite:
        return  # a file does not go away
    with pytest.raises(Temporary), store.begin() as tx:
        journal.remember(tx, "policy", "a")
        mine = tx.execute(sa.text("SELECT pg_backend_pid()")).scalar()
        with store.begin() as other:
            other.execute(sa.text("SELECT pg_terminate_backend(:n)"), {"n": mine})
        tx.execute(sa.text("SELECT 1"))
    with store.read() as tx:
        assert journal.recall(tx, "policy") is None


def test_a_mistake_of_ours_is_not_called_a_database_that_is_away(store: Store) -> None:
    with pytest.raises(sa.exc.IntegrityError), store.begin() as tx:
        for _ in range(2):
            tx.execute(sa.text("INSERT INTO meta (name, value) VALUES ('a', 'b')"))


def test_what_was_committed_survives_a_power_cut(store: Store) -> None:
    with store.read() as tx:
        if store.is_sqlite:
            assert tx.execute(sa.text("PRAGMA journal_mode")).scalar() == "wal"
            assert tx.execute(sa.text("PRAGMA synchronous")).scalar() == 2
        else:
            assert tx.execute(sa.text("SHOW synchronous_commit")).scalar() == "on"


# --- held by one process ---


def test_a_second_process_is_refused_with_the_number_of_the_first(tmp_path: Path) -> None:
    store = Store(f"sqlite:///{tmp_path}/new/connector.db")
    with holder(store) as running:
        for _ in range(2):
            with pytest.raises(StoreBusy) as busy:
                store.hold()
            assert f"process {running.pid}" in str(busy.value)
            assert "stop it, or use PostgreSQL" in str(busy.value)
    store.hold()
    store.hold()
    assert Path(f"{store.path}.lock").read_text() == str(os.getpid())
    store.close()


def test_a_store_that_was_closed_is_free(tmp_path: Path) -> None:
    first, second = (Store(f"sqlite:///{tmp_path}/connector.db") for _ in range(2))
    first.hold()
    with pytest.raises(StoreBusy, match=str(os.getpid())):
        second.hold()
    first.close()
    second.hold()
    second.close()


def test_postgresql_is_held_by_as_many_as_like() -> None:
    for _ in range(2):
        Store("postgresql://u@h/d").hold()


# --- migrations ---


def arrived_before(store: Store, *mentions: Mention) -> None:
    """Mentions of one conversation, as the oldest schema has them: the functions of today write more."""
    with store.begin() as tx:
        old = sa.MetaData()
        old.reflect(tx)
        into = {name: sa.insert(old.tables[name]) for name in ("conversations", "mentions", "deliveries", "counters")}
        tx.execute(
            into["conversations"],
            {"id": 1, "source": "feed", "name": "t1", "helpdesk": "desk", "live_in": len(mentions)},
        )
        tx.execute(into["counters"], {"source": "feed", "received": len(mentions), "duplicates": 0})
        for n, mention in enumerate(mentions, 1):
            known = {"external_id": mention.external_id, "version": "", "body": encode(mention)}
            if "author" in old.tables["mentions"].c:
                known["author"] = author_of(mention)
            tx.execute(into["mentions"], known | {"id": n, "source": "feed", "conversation": 1, "received_at": 1.0})
            row = {"conversation": 1, "lane": 2, "kind": "mention", "account": "desk", "source": "feed", "mention": n}
            row |= {"key": f"k{n}", "state": "ready" if n == 1 else "blocked", "due_at": 1.0, "created_at": 1.0}
            tx.execute(into["deliveries"], row)
        if tx.dialect.name == "postgresql":
            for name in ("conversations", "mentions"):
                tx.execute(sa.text(f"SELECT setval(pg_get_serial_sequence('{name}', 'id'), {len(mentions) + 1})"))


def test_an_empty_database_is_brought_up_to_date_and_has_nothing_to_back_up(empty: Store, mention: Make) -> None:
    assert empty.revision() is None
    assert empty.migrate() is None
    assert empty.revision() == HEAD
    assert empty.migrate() is None
    arrive(empty, mention())
    assert states(empty) == ["ready"]


def everything_of(store: Store) -> dict[str, list[dict[str, Any]]]:
    """All rows of all tables that there are."""
    with store.begin() as tx:
        there = sa.MetaData()
        there.reflect(tx)
        return {
            name: [dict(row) for row in tx.execute(sa.select(table)).mappings()]
            for name, table in there.tables.items()
            if name != "alembic_version"
        }


def noted_before(store: Store) -> None:
    """A row in each of the other tables that its schema has, as it was written then."""
    number, text, times = 1, "x", {"Double", "DOUBLE", "DOUBLE_PRECISION", "REAL", "FLOAT"}
    with store.begin() as tx:
        old = sa.MetaData()
        old.reflect(tx)
        for table in old.sorted_tables:
            if table.name == "alembic_version" or tx.execute(sa.select(table)).first() is not None:
                continue
            values: dict[str, Any] = {}
            for column in table.c:
                kind = type(column.type).__name__
                values[column.name] = text if kind == "TEXT" else 5.0 if kind in times else number
                if kind == "BOOLEAN":
                    values[column.name] = True
            tx.execute(sa.insert(table).values(values))


@pytest.mark.parametrize("revision", ["0001", "0002", "0003", "0004", "0005"])
def test_what_an_older_connector_wrote_is_kept_and_backed_up(empty: Store, mention: Make, revision: str) -> None:
    written_by(empty, revision)
    arrived_before(empty, mention(), mention())
    noted_before(empty)
    before = everything_of(empty)
    written = rows(empty, "key", "state", "body")
    with pytest.raises(ConnectorError, match=f"older connector .schema {revision}"):
        empty.look()
    backup = empty.migrate()
    assert empty.revision() == HEAD
    after = everything_of(empty)
    filled = {"author", "stirred_at"}  # made of what was there
    for name, lines in before.items():
        kept = [{key: row[key] for key in old} for old, row in zip(lines, after[name], strict=True)]
        bare = [[{k: v for k, v in line.items() if k not in filled} for line in some] for some in (lines, kept)]
        assert bare[0] == bare[1], name
    assert {row["stirred_at"] for row in after["conversations"]} == ({1.0} if revision < "0004" else {None})
    with empty.read() as tx:
        assert set(tx.execute(sa.text("SELECT author FROM mentions")).scalars()) == {"feed:u1"}
    done(empty, one(empty), ticket="7")
    assert states(empty) == ["done", "ready"]
    sound(empty)
    if empty.is_sqlite:
        assert backup is not None
        assert (backup.parent, f".{revision}." in backup.name) == (empty.path and empty.path.parent, True)
        kept = Store(f"sqlite:///{backup}")
        assert (kept.revision(), rows(kept, "key", "state", "body")) == (revision, written)
        kept.close()
    else:
        assert backup is None


def test_what_a_newer_connector_wrote_is_left_alone(store: Store) -> None:
    with store.begin() as tx:
        tx.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))
    for way in (Store.migrate, Store.look):
        with pytest.raises(ConnectorError, match=r"newer connector .*9999.*upgrade"):
            way(store)
    assert store.revision() == "9999"
    with store.begin() as tx:
        tx.execute(sa.text("UPDATE alembic_version SET version_num = :head"), {"head": HEAD})


def test_a_file_that_is_no_database_is_called_that(tmp_path: Path) -> None:
    (tmp_path / "notes.db").write_text("Monday: buy milk. " * 100)
    for way in (Store.migrate, Store.look):
        store = Store(f"sqlite:///{tmp_path}/notes.db")
        with pytest.raises(ConnectorError, match=r"notes.db cannot be read: file is not a database"):
            way(store)
        store.close()


@pytest.mark.parametrize(
    ("statement", "left"), [("CREATE INDEX deliveries_due", None), ("CREATE TABLE wakeups", "0001")]
)
def test_a_migration_killed_in_the_middle_succeeds_at_the_retry(
    empty: Store, mention: Make, statement: str, left: str | None
) -> None:
    if left is not None:
        written_by(empty, left)
        arrived_before(empty, mention())
    killed = process("kill", address(empty), statement)
    assert killed.returncode == -9, killed.stderr
    assert empty.revision() == left
    empty.migrate()
    assert empty.revision() == HEAD
    assert states(empty) == (["ready"] if left else [])


@pytest.mark.parametrize("written", [None, "0001"])
def test_several_processes_may_migrate_at_once(empty: Store, mention: Make, written: str | None) -> None:
    if written is not None:
        written_by(empty, written)
        arrived_before(empty, mention())
    found = process("migrate", address(empty), "5")
    assert found.stdout.split() == ["0"] * 5, found.stderr
    assert empty.revision() == HEAD
    assert states(empty) == (["ready"] if written else [])


def test_the_migrations_make_the_tables_of_the_code(store: Store) -> None:
    options = {
        "compare_type": True,
        "compare_server_default": not store.is_sqlite,
    }  # it takes '' for another '' there
    with store.engine.connect() as connection:
        differences = compare_metadata(MigrationContext.configure(connection, opts=options), metadata)
    assert [found for found in differences if not (isinstance(found, list) and found[0][0] == "modify_comment")] == []


def test_the_migrations_make_what_the_code_makes_at_once(store: Store, empty: Store) -> None:
    """Defaults and the conditions of indexes, which Alembic does not compare."""
    if store.is_sqlite != empty.is_sqlite:
        return
    metadata.create_all(empty.engine)

    def made(of: Store) -> dict[str, list[str]]:
        inspector = sa.inspect(of.engine)
        return {
            table.name: sorted(
                [f"{c['name']} {c['type']} {c['nullable']} {c['default']}" for c in inspector.get_columns(table.name)]
                + [
                    f"{i['name']} {i['column_names']} {[str(what) for what in i['dialect_options'].values()]}"
                    for i in inspector.get_indexes(table.name)
                ]
            )
            for table in metadata.sorted_tables
        }

    found = made(store)
    assert found == made(empty)
    assert any("deliveries_blocked" in line and "'blocked'" in line for line in found["deliveries"])


def test_a_time_the_test_chose_does_not_outlive_its_transaction(store: Store) -> None:
    with turn(store, NOON):
        pass
    with store.begin() as tx:
        assert now(tx) > NOON + 1
