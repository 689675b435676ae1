"""Commands that run and tend a connector: run, submit, status, deliveries, verify, reload."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from connector import app, log, plugins, triage
from connector.cli import say
from connector.config import Config
from connector.daemon import Daemon
from connector.errors import BadHook, ConnectorError
from connector.flow.intake import arrivals
from connector.markup import shorten, to_text
from connector.model import Mention
from connector.sources.manual import ManualOptions, mention_from_text, mentions_from_file
from connector.store import Store, Tx, journal
from connector.store.arrivals import accept_mentions

_STATES = ("blocked", "ready", "intent", "done", "failed", "unsure", "held", "ignored")


@contextmanager
def _opened(settings: Config) -> Iterator[Store]:
    store = app.open_store(settings)
    try:
        yield store
    finally:
        store.close()


@click.command()
@click.option(
    "--shadow", is_flag=True, help="Listen and decide, write nothing: every mention is held, to be released."
)
@click.pass_context
def run(ctx: click.Context, shadow: bool) -> None:
    """Run until told to stop (Ctrl-C or SIGTERM): listen, open tickets, carry answers back.

    SIGHUP, `connector reload` or a change of the files loads the configuration anew.
    """
    settings = ctx.obj.config()
    log.configure(json=settings.log.json_lines, level=settings.log.level)
    policy = triage.load(settings.mappings, find=plugins.tone_detector)
    for warning in policy.warnings:
        say.notice(str(warning))
    daemon = Daemon(settings, policy, shadow=shadow)
    daemon.run(lambda address: say.notice(f"hooks and health on {address}" + (" · shadow" if shadow else "")))


@click.command()
@click.argument("text", required=False)
@click.option(
    "--file", "file", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="CSV, JSONL or JSON."
)
@click.option("--url", default="", help="Where it was said.")
@click.option("--author", default="", help="Who said it.")
@click.option("--source", default="", help="Which manual source, if there are several.")
@click.pass_context
def submit(ctx: click.Context, text: str | None, file: Path | None, url: str, author: str, source: str) -> None:
    """Hand in a mention that somebody found: a TEXT, or a file of them. The same one twice is a duplicate."""
    settings: Config = ctx.obj.config()
    name, options = _manual(settings, source)
    words: dict[str, Any] = {"source": name, "platform": options.platform or "manual", "received_at": time.time()}
    if (text is None) == (file is None):
        raise click.UsageError("give a TEXT or --file")
    try:
        mentions: tuple[Mention, ...] = (
            mentions_from_file(file, **words)
            if file is not None
            else (mention_from_text(str(text), url=url, author=author, **words),)
        )
    except BadHook as error:
        raise ConnectorError(error.sentence) from None
    with _opened(settings) as store, store.begin() as tx:
        fresh = accept_mentions(tx, arrivals(mentions, options))
    say.data(f"{sum(fresh)} accepted, {len(fresh) - sum(fresh)} known already")


def _manual(settings: Config, wanted: str) -> tuple[str, ManualOptions]:
    found = {name: options for name, options in settings.sources.items() if isinstance(options, ManualOptions)}
    if wanted and wanted not in found:
        raise ConnectorError(f'"{wanted}" is not a source of type manual')
    if not found:
        raise ConnectorError(
            "there is no source of type manual; add one under `sources`: found: {type: manual, helpdesk: NAME}"
        )
    if len(found) > 1 and not wanted:
        raise ConnectorError(f"say which with --source: {', '.join(found)}")
    name = wanted or next(iter(found))
    return name, found[name]


@click.command()
@click.option("--json", "as_json", is_flag=True, help="For scripts.")
@click.pass_context
def status(ctx: click.Context, as_json: bool) -> None:
    """How things stand: accounts, backlog, replies that need somebody. Exit code 1 when something does."""
    settings: Config = ctx.obj.config()
    with _opened(settings) as store, store.read() as tx:
        accounts = journal.standing(tx)
        backlog = journal.backlog(tx)
        replies = journal.replies_by_state(tx)
        ledger = journal.balance(tx)
        oldest = journal.oldest_waiting(tx)
        loaded = json.loads(journal.recall(tx, "reload") or "{}")
    kinds = {name: o.type for name, o in (*settings.helpdesks.items(), *settings.sources.items())}
    running = _running(settings)
    trouble = [a for a in accounts if a.trouble or a.stopped]
    parked = {state: sum(n for (_, s), n in backlog.items() if s == state) for state in ("held", "failed", "unsure")}
    if as_json:
        say.as_json(
            {
                "running": running,
                "policy": loaded,
                "accounts": [asdict(a) | {"type": kinds.get(a.name)} for a in accounts],
                "backlog": {f"{kind}.{state}": n for (kind, state), n in backlog.items()},
                "replies": replies,
                "balance": asdict(ledger) | {"accounted": ledger.accounted, "even": ledger.even},
                "oldest_waiting_seconds": None if oldest is None else time.time() - oldest,
            }
        )
    else:
        _print_status(running, loaded, accounts, kinds, backlog, replies, ledger, oldest)
    ctx.exit(1 if trouble or any(parked.values()) or not ledger.even or loaded.get("ok") is False else 0)


def _print_status(
    running: int | None,
    loaded: dict[str, Any],
    accounts: list[journal.Account],
    kinds: dict[str, str],
    backlog: dict[tuple[str, str], int],
    replies: dict[str, int],
    ledger: journal.Balance,
    oldest: float | None,
) -> None:
    say.data(f"{'running as process ' + str(running) if running else 'not running here'}")
    if loaded:
        refused = "" if loaded["ok"] else f" · last reload REFUSED: {loaded['problems'][0]}"
        say.data(f"policy {loaded['policy']}, loaded {say.ago(loaded['at'])}{refused}")
    say.data()
    say.table(
        [
            (a.name, kinds.get(a.name, "gone"), a.received, say.ago(a.last_at), a.waiting, _account_state(a))
            for a in accounts
        ],
        ("account", "type", "received", "last mention", "waiting", "state"),
    )
    say.data()
    waiting = [(kind, state, count) for (kind, state), count in sorted(backlog.items())]
    if waiting:
        say.table(waiting, ("kind", "state", "deliveries"))
        say.data()
    say.data("replies   " + (", ".join(f"{n} {state}" for state, n in sorted(replies.items())) or "none yet"))
    if oldest is not None:
        say.data(f"oldest    waiting since {say.span(time.time() - oldest)}")
    say.data(f"balance   {ledger}")
    parked = sum(n for (_, state), n in backlog.items() if state in ("held", "failed", "unsure"))
    if parked:
        say.notice(f"{parked} need somebody: connector deliveries list --state held,failed,unsure")


def _account_state(account: journal.Account) -> str:
    if account.stopped:
        return f"STOPPED {say.ago(account.stopped_at)}: {account.stopped}"
    if account.trouble:
        return f"TROUBLE since {say.ago(account.trouble_since)}: {account.trouble}"
    if account.paused_until > time.time():
        return f"paused for {say.span(account.paused_until - time.time())} (rate limit)"
    return "ok" if account.pulled_at is None else f"ok, pulled {say.ago(account.pulled_at)}"


def balance_line(ledger: journal.Balance) -> str:
    """The ledger as an equation."""
    return str(ledger)


def _running(settings: Config) -> int | None:
    """The process that runs on this configuration, if one does here."""
    file = settings.file.with_name(settings.file.name + ".pid")
    try:
        number = int(file.read_text(encoding="ascii"))
        os.kill(number, 0)
    except (OSError, ValueError):
        return None
    return number


@click.group()
def deliveries() -> None:
    """The deliveries: each one side effect on the helpdesk or a platform."""


@deliveries.command("list")
@click.option("--state", default="", help=f"One or several, by comma: {', '.join(_STATES)}.")
@click.option("--kind", default="", help="mention, reply or note; several by comma.")
@click.option("--source", default=None, help="Of one source.")
@click.option("--limit", default=50, show_default=True, help="How many, the newest first.")
@click.option("--json", "as_json", is_flag=True, help="For scripts.")
@click.pass_context
def deliveries_list(ctx: click.Context, state: str, kind: str, source: str | None, limit: int, as_json: bool) -> None:
    """List deliveries, newest first."""
    states = [s.strip() for s in state.split(",") if s.strip()]
    for one in states:
        if one not in _STATES:
            raise click.BadParameter(f'"{one}" is no state; there are {", ".join(_STATES)}', param_hint="--state")
    with _opened(ctx.obj.config()) as store, store.read() as tx:
        rows = journal.list_deliveries(
            tx, states=states, kinds=[k.strip() for k in kind.split(",") if k.strip()], source=source, limit=limit
        )
    if as_json:
        say.as_json([asdict(row) for row in rows])
        return
    say.table(
        [
            (
                r.id,
                r.kind,
                r.state,
                r.source,
                r.ticket or "-",
                say.ago(r.created_at),
                r.reason or shorten(_text(r), 60),
            )
            for r in rows
        ],
        ("id", "kind", "state", "source", "ticket", "born", "what"),
    )


def _text(row: journal.Row) -> str:
    """What a delivery carries, in plain words."""
    try:
        body = json.loads(row.body)
    except ValueError:
        return row.body
    return str(body.get("text") or to_text(str(body.get("html") or "")))


@deliveries.command("show")
@click.argument("reference")
@click.option("--json", "as_json", is_flag=True, help="For scripts.")
@click.pass_context
def deliveries_show(ctx: click.Context, reference: str, as_json: bool) -> None:
    """Show one whole: its number, SOURCE:ID of a mention, or ticket:ID."""
    with _opened(ctx.obj.config()) as store, store.read() as tx:
        row = journal.show_delivery(tx, reference)
    if row is None:
        raise ConnectorError(f'the journal knows nothing of "{reference}"')
    if as_json:
        say.as_json(asdict(row))
        return
    doubt = " (in doubt: looked up before it is sent again)" if row.in_doubt else ""
    say.data(f"delivery  {row.id}  {row.kind} → {row.account}")
    say.data(f"state     {row.state}{doubt}, {row.attempts} attempts")
    if row.reason:
        say.data(f"reason    {row.reason}")
    say.data(f"about     {row.reference or '-'}   ticket {row.ticket or '-'}")
    say.data(f"born      {say.moment(row.created_at)}")
    say.data(
        f"ended     {say.moment(row.ended_at) or '-'}" if row.ended_at else f"due       {say.moment(row.due_at)}"
    )
    for receipt in row.receipts:
        got = json.loads(receipt)
        say.data(f"receipt   {got['id']}  {got.get('url') or ''}".rstrip())
    say.data()
    say.data(_text(row))


def _tend(name: str, help_text: str, act: Callable[[Tx, int], str], done: str) -> click.Command:
    @click.command(name, help=help_text)
    @click.argument("numbers", type=int, nargs=-1, required=True, metavar="ID...")
    @click.pass_context
    def command(ctx: click.Context, numbers: tuple[int, ...]) -> None:
        _act(ctx, numbers, act, done)

    return command


def _act(ctx: click.Context, numbers: tuple[int, ...], act: Callable[[Tx, int], str], done: str) -> None:
    wrong = 0
    with _opened(ctx.obj.config()) as store:
        for number in numbers:
            with store.begin() as tx:
                trouble = act(tx, number)
            wrong += bool(trouble)
            (say.notice if trouble else say.data)(trouble or f"delivery {number} {done}")
    ctx.exit(1 if wrong else 0)


deliveries.add_command(
    _tend(
        "retry",
        "Send again what failed, is held or unsure. What is done is never done again.",
        journal.retry,
        "goes again",
    )
)
deliveries.add_command(
    _tend("release", "Let a held one go in spite of why it was held.", journal.release, "is released")
)


@deliveries.command("drop")
@click.argument("numbers", type=int, nargs=-1, required=True, metavar="ID...")
@click.option("--reason", default="given up by hand", show_default=True, help="Why; it is kept.")
@click.pass_context
def deliveries_drop(ctx: click.Context, numbers: tuple[int, ...], reason: str) -> None:
    """Give up for good. It counts as ignored, with the reason."""
    _act(ctx, numbers, lambda tx, number: journal.drop(tx, number, reason), "is dropped")


@click.command()
@click.option("--offline", is_flag=True, help="Only the ledger; ask the helpdesk nothing.")
@click.option("--limit", default=0, help="Look up at most so many tickets (0: all).")
@click.option("--json", "as_json", is_flag=True, help="For scripts.")
@click.pass_context
def verify(ctx: click.Context, offline: bool, limit: int, as_json: bool) -> None:
    """Prove the ledger: everything received is accounted for, and every ticket is there once."""
    settings: Config = ctx.obj.config()
    missing: list[str] = []
    doubled: list[str] = []
    moved: list[str] = []
    looked = 0
    with _opened(settings) as store:
        with store.read() as tx:
            ledger = journal.balance(tx)
            per_source = {name: journal.balance(tx, source=name) for name in settings.sources}
        if not offline:
            looked = _look_up(settings, store, limit, missing, doubled, moved)
    fine = ledger.even and not missing and not doubled
    if as_json:
        say.as_json(
            {
                "even": ledger.even,
                "balance": asdict(ledger),
                "sources": {name: asdict(one) for name, one in per_source.items()},
                "tickets_looked_up": looked,
                "missing": missing,
                "doubled": doubled,
                "moved": moved,
            }
        )
    else:
        say.data(str(ledger))
        for name, one in per_source.items():
            say.data(f"  {name}: {one}")
        if not offline:
            say.data(
                f"{looked} tickets looked up: {len(missing)} missing, {len(doubled)} doubled, {len(moved)} moved"
            )
        for title, found in (("missing", missing), ("doubled", doubled), ("moved", moved)):
            for line in found:
                say.data(f"{title}  {line}")
    ctx.exit(0 if fine else 1)


def _look_up(
    settings: Config, store: Store, limit: int, missing: list[str], doubled: list[str], moved: list[str]
) -> int:
    """Every linked ticket by the external id it carries; how many were looked up."""
    desks = app.assemble(settings).helpdesks
    looked, after = 0, 0
    with click.progressbar(length=0, label="tickets", file=sys.stderr) as bar:
        while True:
            with store.read() as tx:
                batch = journal.links(tx, after, 200)
            for conversation, helpdesk, ticket, external_id in batch:
                after = conversation
                desk = desks.get(helpdesk)
                if desk is None or not external_id or (limit and looked >= limit):
                    continue
                looked += 1
                found = desk.find_tickets(external_id)
                tickets = [receipt.ticket for receipt in found]
                if not tickets:
                    missing.append(f"{external_id}: ticket {ticket} is not at {helpdesk}")
                elif len(tickets) > 1:
                    doubled.append(f"{external_id}: tickets {', '.join(str(t) for t in tickets)} at {helpdesk}")
                elif tickets[0] != ticket:
                    moved.append(f"{external_id}: the journal says {ticket}, {helpdesk} says {tickets[0]}")
                bar.update(1)
            if not batch or (limit and looked >= limit):
                return looked


@click.command()
@click.pass_context
def reload(ctx: click.Context) -> None:
    """Check the files, then have the running connector take them up."""
    settings: Config = ctx.obj.config()
    policy = triage.load(settings.mappings, find=plugins.tone_detector)
    number = _running(settings)
    if number is None:
        raise ConnectorError("no connector runs on this configuration here; `connector run` starts one")
    asked = time.time()
    os.kill(number, signal.SIGHUP)
    with _opened(settings) as store:
        while time.time() - asked < 15:
            with store.read() as tx:
                state = json.loads(journal.recall(tx, "reload") or "{}")
            if state.get("at", 0) >= asked:
                break
            time.sleep(0.1)
        else:
            raise ConnectorError("the running connector did not answer within 15 s; see its log")
    if not state["ok"]:
        for problem in state["problems"]:
            say.data(problem)
        raise ConnectorError("refused; the old configuration goes on")
    say.data(
        f"reloaded, policy {state['policy']}" + ("" if state["policy"] == policy.version else " (changed since)")
    )


COMMANDS = (run, submit, status, deliveries, verify, reload)
