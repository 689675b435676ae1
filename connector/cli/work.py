"""Commands that run and tend a connector: run, submit, status, verify, reload."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from connector import app, log, plugins, triage
from connector.cli import say
from connector.cli.place import Place, field_map, opened, running
from connector.config import Config
from connector.daemon import Daemon
from connector.errors import BadHook, ConnectorError
from connector.flow.intake import located
from connector.model import Mention
from connector.sources.manual import ManualOptions, mention_from_text, mentions_from_file
from connector.store import Store, journal, privates, watches
from connector.store.arrivals import Arrival
from connector.store.silences import list_silences
from connector.store.storms import active_storms
from connector.yamlfile import did_you_mean


def _place(ctx: click.Context) -> Place:
    place: Place = ctx.obj
    return place


@click.command()
@click.option(
    "--shadow", is_flag=True, help="Listen and decide, write nothing: every mention is held, to be released."
)
@click.pass_context
def run(ctx: click.Context, shadow: bool) -> None:
    """Run until told to stop: listen, open tickets, carry answers.

    Ctrl-C or SIGTERM ends it when what is in hand is finished. SIGHUP, `connector reload` or a change of the files
    loads the configuration anew.
    """
    settings = _place(ctx).config()
    log.configure(json=settings.log.json_lines, level=settings.log.level)
    policy = triage.load(settings.mappings, find=plugins.tone_detector)
    for warning in policy.warnings:
        say.notice(str(warning))
    daemon = Daemon(settings, policy, shadow=shadow)
    daemon.run(lambda address: say.notice(f"hooks and health on {address}" + (" · shadow" if shadow else "")))


@click.command()
@click.argument("text", required=False)
@click.option(
    "--file", "file", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="CSV, XLSX, JSONL or JSON."
)
@click.option("--url", default="", help="Where it was said.")
@click.option("--author", default="", help="Who said it.")
@click.option("--source", default="", help="Which manual source, if there are several.")
@click.option("--map", "chart", default="", help="Field map of a file: a preset (export, youscan …) or a .yaml file.")
@click.pass_context
def submit(
    ctx: click.Context, text: str | None, file: Path | None, url: str, author: str, source: str, chart: str
) -> None:
    """Hand in a mention that somebody found.

    A TEXT, or a file of them; an export of a listening tool with --map. The same one twice is a duplicate, whoever
    hands it in. What stands on a platform where you have an account becomes that account's mention, and is answered
    from there. A connector that runs takes it up by itself.
    """
    settings: Config = _place(ctx).config()
    name, options = _manual(settings, source)
    words: dict[str, Any] = {"source": name, "platform": options.platform or "manual", "received_at": time.time()}
    if (text is None) == (file is None):
        raise click.UsageError("give a TEXT or --file")
    if text is not None and not text.strip():
        raise click.UsageError("the TEXT is empty")
    try:
        mentions: tuple[Mention, ...] = (
            mentions_from_file(file, chart=field_map(chart or options.map), **words)
            if file is not None
            else (mention_from_text(str(text), url=url, author=author, **words),)
        )
    except BadHook as error:
        raise ConnectorError(error.sentence) from None
    found = _located(settings, name, mentions)
    with opened(settings, create=True) as store, store.begin() as tx:
        fresh = privates.accept(tx, found)
    say.data(f"{sum(fresh)} accepted, {len(fresh) - sum(fresh)} known already")
    if sum(fresh) and settings.store.startswith("sqlite") and running(settings) is None:
        say.notice("it waits until a connector runs: `connector run`")


def _located(settings: Config, name: str, mentions: tuple[Mention, ...]) -> list[Arrival]:
    """These mentions on their way in; those that another account can answer, as that account's."""
    assembly = app.assemble(settings)
    if name in assembly.broken:
        raise ConnectorError(f"{name} {assembly.broken[name]}")
    try:
        return located(mentions, assembly.sources[name], assembly.sources)
    finally:
        for source in assembly.sources.values():
            source.close()
        for helpdesk in assembly.helpdesks.values():
            helpdesk.close()


def _manual(settings: Config, wanted: str) -> tuple[str, ManualOptions]:
    found = {name: options for name, options in settings.sources.items() if isinstance(options, ManualOptions)}
    if wanted and wanted not in found:
        raise ConnectorError(f'"{wanted}" is not a source of type manual' + did_you_mean(wanted, found))
    if not found:
        raise ConnectorError(
            "there is no source of type manual; add one under `sources`: found: {type: manual, helpdesk: NAME}"
        )
    if len(found) > 1 and not wanted:
        raise ConnectorError(f"say which with --source: {', '.join(found)}")
    name = wanted or next(iter(found))
    return name, found[name]


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for scripts.")
@click.pass_context
def status(ctx: click.Context, as_json: bool) -> None:
    """Show how things stand, and what needs somebody.

    Accounts, what waits, agents' answers, and the ledger. Exit code 1 when something needs somebody.
    """
    settings: Config = _place(ctx).config()
    with opened(settings) as store, store.read() as tx:
        accounts = _with_silent(journal.standing(tx), settings)
        backlog = journal.backlog(tx)
        replies = journal.replies_by_state(tx)
        ledger = journal.balance(tx)
        oldest = journal.oldest_waiting(tx)
        awaited = watches.overview(tx)
        loaded = json.loads(journal.recall(tx, "reload") or "{}")
        raging, silent = active_storms(tx), list_silences(tx)
    kinds = {name: o.type for name, o in (*settings.helpdesks.items(), *settings.sources.items())}
    process = running(settings)
    trouble = [a for a in accounts if a.trouble or a.stopped]
    parked = {state: sum(n for (_, s), n in backlog.items() if s == state) for state in ("held", "failed", "unsure")}
    if as_json:
        say.as_json(
            {
                "running": process,
                "policy": loaded,
                "accounts": [asdict(a) | {"type": kinds.get(a.name)} for a in accounts],
                "backlog": {f"{kind}.{state}": n for (kind, state), n in backlog.items()},
                "replies": replies,
                "first_answers": asdict(awaited),
                "balance": asdict(ledger) | {"accounted": ledger.accounted, "even": ledger.even},
                "oldest_waiting_seconds": None if oldest is None else time.time() - oldest,
                "storms": [asdict(summary) for summary in raging],
                "silences": [asdict(one) for one in silent],
            }
        )
    else:
        _print_status(process, loaded, accounts, kinds, backlog, replies, awaited, ledger, oldest)
        for summary in raging:
            storm = summary.storm
            where = f" on {storm.source}" if storm.source else ""
            since = f"since {say.moment(storm.began_at)}, {say.count(summary.mentions, 'message')}"
            say.data(f"STORM     {storm.topic}{where} {since}, problem ticket {storm.ticket or 'on its way'}")
        for one in silent:
            what = " on ".join(part for part in (one.topic, one.source) if part)
            say.data(f"silence   {one.id}: {what} until {say.moment(one.until)}, {one.kept} kept")
    ctx.exit(1 if trouble or any(parked.values()) or not ledger.even or loaded.get("ok") is False else 0)


def _print_status(
    process: int | None,
    loaded: dict[str, Any],
    accounts: list[journal.Account],
    kinds: dict[str, str],
    backlog: dict[tuple[str, str], int],
    replies: dict[str, int],
    awaited: watches.Overview,
    ledger: journal.Balance,
    oldest: float | None,
) -> None:
    say.data(f"running as process {process}" if process else "not running here")
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
    late = f", {awaited.past_target} past the target, {awaited.late} of them late" if awaited.past_target else ""
    say.data(f"awaited   {say.count(awaited.watched, 'first answer')}{late}")
    if oldest is not None:
        say.data(f"oldest    waiting since {say.span(time.time() - oldest)}")
    say.data(f"balance   {ledger}")
    parked = sum(n for (_, state), n in backlog.items() if state in ("held", "failed", "unsure"))
    if parked:
        verb = "needs" if parked == 1 else "need"
        say.notice(f"{parked} {verb} somebody: connector deliveries list --state held,failed,unsure")


def _with_silent(standing: list[journal.Account], settings: Config) -> list[journal.Account]:
    """Also the accounts of which nothing was heard yet."""
    known = {account.name for account in standing}
    nothing: dict[str, Any] = {"received": 0, "duplicates": 0, "last_at": None, "pulled_at": None, "waiting": 0}
    nothing |= {"trouble": "", "trouble_since": None, "stopped": "", "stopped_at": None, "paused_until": 0.0}
    silent = [name for name in (*settings.helpdesks, *settings.sources) if name not in known]
    return sorted([*standing, *(journal.Account(name, **nothing) for name in silent)], key=lambda one: one.name)


def _account_state(account: journal.Account) -> str:
    if account.stopped:
        return f"STOPPED {say.ago(account.stopped_at)}: {account.stopped}"
    if account.trouble:
        return f"TROUBLE since {say.ago(account.trouble_since)}: {account.trouble}"
    if account.paused_until > time.time():
        return f"paused for {say.span(account.paused_until - time.time())} (rate limit)"
    return "ok" if account.pulled_at is None else f"ok, pulled {say.ago(account.pulled_at)}"


@click.command()
@click.option("--offline", is_flag=True, help="Only the ledger; ask the helpdesk nothing.")
@click.option("--limit", default=0, type=click.IntRange(min=0), help="Look up at most so many tickets (0: all).")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for scripts.")
@click.pass_context
def verify(ctx: click.Context, offline: bool, limit: int, as_json: bool) -> None:
    """Prove that nothing was lost and nothing doubled.

    Everything received has to be accounted for, and every ticket has to be at the helpdesk, once. Exit code 1 when
    something is not.
    """
    settings: Config = _place(ctx).config()
    missing: list[str] = []
    doubled: list[str] = []
    moved: list[str] = []
    looked = 0
    with opened(settings) as store:
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
            found = f"{len(missing)} missing, {len(doubled)} doubled, {len(moved)} moved"
            say.data(f"{say.count(looked, 'ticket')} looked up: {found}")
        for title, lines in (("missing", missing), ("doubled", doubled), ("moved", moved)):
            for line in lines:
                say.data(f"{title}  {line}")
        asked = "in the ledger" if offline else "in the ledger and at the helpdesk"
        say.data(f"nothing is lost, nothing is doubled {asked}" if fine else "NOT even, as told above")
    ctx.exit(0 if fine else 1)


def _look_up(
    settings: Config, store: Store, limit: int, missing: list[str], doubled: list[str], moved: list[str]
) -> int:
    """Every linked ticket by the external id it carries; how many were looked up."""
    desks = app.assemble(settings).helpdesks
    looked, after = 0, 0
    while True:
        with store.read() as tx:
            batch = journal.links(tx, after, 200)
        for conversation, helpdesk, ticket, external_id in batch:
            after = conversation
            desk = desks.get(helpdesk)
            if desk is None or not external_id or (limit and looked >= limit):
                continue
            looked += 1
            tickets = [receipt.ticket for receipt in desk.find_tickets(external_id)]
            if not tickets:
                missing.append(f"{external_id}: ticket {ticket} is not at {helpdesk}")
            elif len(tickets) > 1:
                doubled.append(f"{external_id}: tickets {', '.join(str(t) for t in tickets)} at {helpdesk}")
            elif tickets[0] != ticket:
                moved.append(f"{external_id}: the journal says {ticket}, {helpdesk} says {tickets[0]}")
        if not batch or (limit and looked >= limit):
            break
        if sys.stderr.isatty():
            say.notice(f"{looked} tickets looked up …")
    for desk in desks.values():
        desk.close()
    return looked


@click.command()
@click.pass_context
def reload(ctx: click.Context) -> None:
    """Have the running connector take up changed files.

    They are checked first; with a mistake in them the old ones go on.
    """
    settings: Config = _place(ctx).config()
    policy = triage.load(settings.mappings, find=plugins.tone_detector)
    number = running(settings)
    if number is None:
        raise ConnectorError("no connector runs on this configuration here; `connector run` starts one")
    asked = time.time()
    os.kill(number, signal.SIGHUP)
    with opened(settings) as store:
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


COMMANDS = (run, submit, status, verify, reload)
