"""A folder with a configuration, commands run in it, and what waits in its journal carried to a sandbox."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from click.testing import CliRunner, Result

from connector import app, config, triage
from connector.cli import cli
from connector.flow.deliver import carry
from connector.store import Store
from connector.store.queue import claim, intend, settle

ROOT = Path(__file__).parents[2]
SHIPPED = ROOT / "connector" / "mappings"

CONFIG = """\
store: sqlite:///connector.db
server: {{listen: 127.0.0.1:0}}
mappings: mappings/
helpdesks:
  desk:
    type: zendesk
    base_url: {desk}
    email: {email}
    api_token: {token}
    webhook_secret: wh-s3cr3t
sources:
  found: {{type: manual, helpdesk: desk}}
  feed: {{type: webhook, helpdesk: desk, token: try-me-out}}
"""

RULES = """\
rules:
  - name: complaint
    when: {tone: [negative, very_negative]}
    set: {priority: high, tags: [complaint]}
"""


@dataclass(frozen=True)
class Folder:
    """One installation."""

    path: Path

    @property
    def file(self) -> Path:
        return self.path / "config.yaml"

    @property
    def database(self) -> Path:
        return self.path / "connector.db"

    def run(self, *words: str, input: str | None = None) -> Result:  # noqa: A002  click's word
        """A command on it; an error that is not a sentence comes out as it is."""
        return CliRunner().invoke(
            cli, ["-c", str(self.file), *words], input=input, prog_name="connector", catch_exceptions=False
        )

    def json(self, *words: str) -> Any:
        """What a command says to a script."""
        return json.loads(self.run(*words, "--json").stdout)

    def mapping(self, text: str, name: str = "10-rules.yaml") -> None:
        (self.path / "mappings").mkdir(exist_ok=True)
        (self.path / "mappings" / name).write_text(text, encoding="utf-8")

    def write(self, name: str, text: str) -> str:
        """A file in it; its path."""
        (self.path / name).write_text(text, encoding="utf-8")
        return str(self.path / name)

    def carry(self) -> None:
        """Carry everything that is due, as the daemon would, but here and now."""
        settings = config.load(self.file)
        assembly = app.assemble(settings)
        wiring = app.wire(settings, assembly, triage.load(settings.mappings))
        store = app.open_store(settings)

        def intended(intent: Any) -> None:
            with store.begin() as tx:
                intend(tx, intent, 60.0)

        def bug(error: Exception) -> None:
            raise error

        while True:
            with store.begin() as tx:
                claims = claim(tx, "test", 60.0, {"desk": 50})
            if not claims:
                break
            for one in claims:
                outcome = carry(one, wiring, intended, 0.5, bug)
                with store.begin() as tx:
                    settle(tx, outcome)
        store.close()
        for desk in assembly.helpdesks.values():
            desk.close()

    def sql(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        """Behind the journal's back."""
        connection = sqlite3.connect(self.database)
        try:
            rows = connection.execute(statement, values).fetchall()
            connection.commit()
        finally:
            connection.close()
        return rows

    def migrated(self, revision: str | None = None) -> None:
        """Make the database, of the current schema or marked as another one's."""
        store = Store(f"sqlite:///{self.database}")
        store.migrate()
        store.close()
        if revision is not None:
            self.sql("UPDATE alembic_version SET version_num = ?", revision)


def folder(
    path: Path,
    *,
    desk: str = "http://127.0.0.1:9",
    email: str = "admin@example.com",
    token: str = "sandbox",
    rules: str | None = RULES,
    edit: Callable[[str], str] = str,
) -> Folder:
    """An installation that can be used; `rules` None: the mapping that is shipped."""
    made = Folder(path)
    path.mkdir(exist_ok=True)
    made.file.write_text(edit(CONFIG.format(desk=desk, email=email, token=token)), encoding="utf-8")
    if rules is None:
        shutil.copytree(SHIPPED, path / "mappings")
    else:
        made.mapping(rules)
    return made


def lines(text: str) -> Sequence[str]:
    """Lines without the spaces that only align them."""
    return [" ".join(line.split()) for line in text.splitlines()]
