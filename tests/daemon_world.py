"""The whole daemon inside a test's own process, between a Zendesk sandbox and a bridge that takes replies."""

from __future__ import annotations

import json
import shutil
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import requests
import sqlalchemy as sa

from connector import triage
from connector.config import load
from connector.daemon import Daemon
from connector.model import Deadlines, decode, encode
from connector.store import Store, journal
from connector.store.journal import Balance
from connector.store.tables import watches
from connector.testing.simulators.zendesk import Faults, Limits, ZendeskSandbox
from tests.system.world import Bridge

TOKEN = "feed-token-for-tests"
SECRET = "hook-secret-for-tests"
MAPPINGS = Path(__file__).parents[1] / "mappings"


def until(what: Callable[[], Any], doing: str, seconds: float = 30.0) -> Any:
    """Look until it is so; say what did not happen."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        result = what()
        if result:
            return result
        time.sleep(0.01)
    raise AssertionError(f"{doing} did not happen within {seconds} s")


class Running:
    """One daemon in a thread."""

    def __init__(self, config: Path) -> None:
        loaded = load(config)
        self.daemon = Daemon(loaded, triage.load(loaded.mappings))
        self.error: BaseException | None = None
        up = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(up,), name="daemon")
        self._thread.start()
        up.wait(30)
        self.url = self.daemon.address

    def _run(self, up: threading.Event) -> None:
        try:
            self.daemon.run(lambda _: up.set(), signals=False)
        except BaseException as error:  # noqa: BLE001 - told by whoever stops it
            self.error = error
        finally:
            up.set()

    @property
    def alive(self) -> bool:
        """Whether it runs."""
        return self._thread.is_alive()

    def stop(self) -> None:
        """As SIGTERM does."""
        self.daemon.stop()
        self._thread.join(60)
        assert not self.alive
        if self.error is not None:
            raise self.error


class DaemonWorld:
    """Sandbox, bridge, configuration, and the daemons started on it."""

    def __init__(self, folder: Path, store_url: str, *, faults: Faults | None = None, **delivery: Any) -> None:
        self.folder = folder
        self.sandbox = ZendeskSandbox(faults=faults or Faults(incremental_lag_s=0.0), limits=Limits.off())
        self.desk = self.sandbox.start()
        self.bridge = Bridge()
        self.mappings = folder / "mappings"
        shutil.copytree(MAPPINGS, self.mappings)
        self.config = folder / "config.yaml"
        self.running: list[Running] = []
        self.settings: dict[str, Any] = {
            "store": store_url,
            "server": {"listen": "127.0.0.1:0", "max_body": 65_536},
            "mappings": str(self.mappings),
            "helpdesks": {"desk": self.zendesk()},
            "sources": {"feed": self.webhook()},
            "delivery": {"workers": 4, "in_doubt_wait": 1.0, "first_pause": 0.05, "longest_pause": 1.0} | delivery,
        }

    def zendesk(self, **facts: Any) -> dict[str, Any]:
        """The sandbox as a helpdesk."""
        return {
            "type": "zendesk",
            "base_url": self.desk,
            "email": "admin@example.com",
            "api_token": "sandbox",
            "webhook_secret": SECRET,
            "poll": 0.2,
            "exports_per_minute": 10_000,
            "allow_private_addresses": True,
        } | facts

    def webhook(self, **facts: Any) -> dict[str, Any]:
        """A source that takes hooks and is answered through the bridge."""
        return {"type": "webhook", "helpdesk": "desk", "token": TOKEN, "reply_url": self.bridge.url} | facts

    def write(self) -> None:
        """Put the settings into the file."""
        text = json.dumps(self.settings)
        fresh = self.config.with_suffix(".new")
        fresh.write_text(text, encoding="utf-8")
        fresh.replace(self.config)

    def start(self) -> Running:
        """Start a daemon on the settings."""
        self.write()
        one = Running(self.config)
        self.running.append(one)
        return one

    def send(self, *mentions: dict[str, Any], to: Running | None = None, source: str = "feed") -> requests.Response:
        """Hand mentions in."""
        url = (to or self.running[-1]).url
        return requests.post(
            f"{url}/hooks/{source}", json=list(mentions), headers={"Authorization": f"Bearer {TOKEN}"}, timeout=30
        )

    def carried(self) -> Balance:
        """The ledger, when nothing is under way any more."""

        def settled() -> Balance | None:
            store = Store(self.settings["store"])
            try:
                with store.read() as tx:
                    busy = sum(n for (_, state), n in journal.backlog(tx).items() if state not in ("held", "unsure"))
                    return None if busy else journal.balance(tx)
            finally:
                store.close()

        found: Balance = until(settled, "everything to be carried")
        return found

    def account(self, name: str) -> Any:
        """How that account stands."""
        store = Store(self.settings["store"])
        try:
            with store.read() as tx:
                return next((one for one in journal.standing(tx) if one.name == name), None)
        finally:
            store.close()

    def close(self) -> None:
        """Stop everything."""
        try:
            for one in self.running:
                if one.alive:
                    one.stop()
        finally:
            self.bridge.close()
            self.sandbox.stop()


def hours_pass(store: Store, hours: float) -> None:
    """Whoever still waits has waited so many hours longer."""
    by = timedelta(hours=hours)
    with store.begin() as tx:
        for row in tx.execute(sa.select(watches).where(watches.c.ended_at.is_(None)).with_for_update()).all():
            due = decode(Deadlines, row.due)
            earlier: dict[str, Any] = {step: at - by for step, at in due.steps}
            values = {name: getattr(row, name) - by.total_seconds() for name in ("since", "target", "breach")}
            if row.next_at is not None:
                values["next_at"] = row.next_at - by.total_seconds()
            moved = encode(replace(due, **earlier))
            tx.execute(
                sa.update(watches).where(watches.c.conversation == row.conversation).values(due=moved, **values)
            )


def mention(number: int | str = 1, **facts: Any) -> dict[str, Any]:
    """A mention as a bridge sends it."""
    return {
        "id": f"m{number}",
        "text": f"Where is my order? number {number}",
        "author": {"id": "u1", "name": "Anna", "handle": "anna"},
        "url": f"https://forum.example/{number}",
    } | facts
