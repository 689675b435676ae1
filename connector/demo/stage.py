"""The stage of the demo: the website, a helpdesk's sandbox, and between them the connector as it always runs.

Which helpdesk it is differs in one line of the generated config.yaml, the one that says how to log in.
"""

from __future__ import annotations

import base64
import json
import secrets
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from importlib import resources
from pathlib import Path
from typing import Any

from connector import config, plugins, triage
from connector.daemon import Daemon
from connector.demo.site import PATIENCE, Post, Site
from connector.errors import ConnectorError
from connector.store import Store, journal
from connector.testing.simulators import freshdesk, zendesk
from connector.testing.simulators.sandbox import Sandbox
from connector.testing.simulators.seen import SeenTicket

_ELSEWHERE = "https://people.example"

_CONFIG = """\
store: sqlite:///connector.db
server: {{listen: "127.0.0.1:0"}}
mappings: mappings/
helpdesks:
  desk:
    {login}
    base_url: {desk}
    webhook_secret: {desk_secret}
    allow_private_addresses: true     # the website of the demo is on this machine
sources:
  forum: {{type: webhook, helpdesk: desk, secret: {secret}, reply_url: "{site}/reply/forum"}}
  microblog: {{type: webhook, helpdesk: desk, secret: {secret}, reply_url: "{site}/reply/microblog", max_length: 300}}
  reviews: {{type: webhook, helpdesk: desk, secret: {secret}}}     # no reply_url: can be read, not answered
"""
_SANDBOXES: Mapping[str, Callable[..., Sandbox[Any, Any, Any, Any]]] = {
    "zendesk": zendesk.ZendeskSandbox,
    "freshdesk": freshdesk.FreshdeskSandbox,
}
_LOGINS = {
    "zendesk": f"type: zendesk\n    email: {zendesk.ADMIN_EMAIL}\n    api_token: {zendesk.TOKEN}",
    "freshdesk": f"type: freshdesk\n    api_key: {freshdesk.ADMIN_KEY}\n    webhook_header: X-Webhook-Secret",
}


@dataclass(slots=True)
class Stage:
    """Everything that runs: the website, the sandbox, the daemon, and a look into its journal."""

    site: Site
    helpdesk: str
    sandbox: Sandbox[Any, Any, Any, Any]
    connector: str
    store: Store
    posts: list[Post]
    known_tickets: int = 0

    def quiet(self) -> None:
        """Wait until nothing is on its way."""

        def idle() -> bool:
            with self.store.read() as tx:
                return not any(state in ("ready", "blocked", "intent") for _, state in journal.backlog(tx))

        until(idle, "something is still on its way")

    def ticket_of(self, source: str, number: str) -> int:
        """The ticket a post became."""
        with self.store.read() as tx:
            row = journal.show_delivery(tx, f"{source}:{number}")
        if row is None or row.ticket is None:
            raise ConnectorError(f"there is no ticket for {source}:{number}")
        return int(row.ticket)

    def ticket(self, number: int) -> SeenTicket:
        """How a ticket stands at the helpdesk."""
        return next(one for one in self.sandbox.seen_tickets() if one.number == number)


def until(true: Callable[[], bool], otherwise: str) -> None:
    """Wait for it; ConnectorError when it does not become so."""
    end = time.monotonic() + PATIENCE
    while not true():
        if time.monotonic() > end:
            raise ConnectorError(f"{otherwise} after {PATIENCE:.0f} s")
        time.sleep(0.01)


@contextmanager
def stage(helpdesk: str) -> Iterator[Stage]:
    """Build it in a temporary folder and leave nothing behind."""
    secret = "whsec_" + base64.b64encode(secrets.token_bytes(24)).decode()
    desk_secret = secrets.token_urlsafe(24)
    folder = Path(tempfile.mkdtemp(prefix="connector-demo-"))
    site = Site(secret)
    # where to call is told to the sandbox's webhook below, when our own address is known
    sandbox = _SANDBOXES[helpdesk](webhook_url="http://127.0.0.1:9/hooks/desk", webhook_secret=desk_secret)
    daemon: Daemon | None = None
    store: Store | None = None
    try:
        site.start()
        words = {"desk": sandbox.start(), "desk_secret": desk_secret, "login": _LOGINS[helpdesk]}
        (folder / "config.yaml").write_text(_CONFIG.format(site=site.address, secret=secret, **words), "utf-8")
        with resources.as_file(resources.files("connector") / "mappings") as shipped:
            shutil.copytree(shipped, folder / "mappings")
        settings = config.load(folder / "config.yaml")
        made = Daemon(settings, triage.load(settings.mappings, find=plugins.tone_detector))
        made.start()
        daemon = made
        site.hooks = f"{daemon.address}/hooks"
        sandbox.call_at(f"{site.hooks}/desk")
        store = Store(settings.store)
        yield Stage(site, helpdesk, sandbox, daemon.address, store, _posts(site.address))
    finally:
        if store is not None:
            store.close()
        if daemon is not None:
            daemon.drain()
        sandbox.stop()
        site.stop()
        shutil.rmtree(folder, ignore_errors=True)


def _posts(address: str) -> list[Post]:
    """The mentions that are shipped, at the website's address, and moved by whole weeks to the most recent ones, so
    that nights stay nights and weekdays weekdays."""
    text = (resources.files("connector") / "demo_mentions.jsonl").read_text(encoding="utf-8")
    posts: list[Post] = [json.loads(line) for line in text.replace(_ELSEWHERE, address).splitlines()]
    newest = max(datetime.fromisoformat(post.get("edited_at") or post["created_at"]) for post in posts)
    weeks = timedelta(weeks=(datetime.now(UTC) - newest) // timedelta(weeks=1))
    for post in posts:
        for name in ("created_at", "edited_at"):
            if name in post:
                post[name] = (datetime.fromisoformat(post[name]) + weeks).isoformat()
    return posts
