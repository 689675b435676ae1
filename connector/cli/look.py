"""Commands that look and change nothing: check, test, preview, explain, schema."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import click

from connector import app, config, mentionjson, plugins, triage
from connector.cli import say
from connector.errors import BadHook, ConfigError, ConnectorError, Problem
from connector.flow.intake import conversation_name
from connector.model import Decision, Mention, decode
from connector.sources.manual import mentions_from_file
from connector.store import Store, journal

_FOLDER = click.Path(file_okay=False, exists=True, path_type=Path)
_FILE = click.Path(dir_okay=False, exists=True, path_type=Path, allow_dash=False)
_SAMPLES = 5
_CALLS_PER_TICKET = 3  # requester, ticket, card


@click.command()
@click.option("--live", is_flag=True, help="Also ask the helpdesk: credentials, fields, groups, option values.")
@click.option("--strict", is_flag=True, help="Warnings count as errors.")
@click.option("--json", "as_json", is_flag=True, help="For scripts.")
@click.pass_context
def check(ctx: click.Context, live: bool, strict: bool, as_json: bool) -> None:
    """Find every mistake in the configuration and the mapping, with file:line:column."""
    found: list[Problem] = []
    seen: list[str] = []
    settings: config.Config | None = None
    policy: triage.Policy | None = None
    try:
        settings = ctx.obj.config()
    except ConfigError as error:
        found += error.problems
    try:
        policy = ctx.obj.policy(settings.mappings if settings else None)
        found += policy.warnings
    except ConfigError as error:
        found += error.problems
    if live and settings is not None:
        found += _ask(settings, policy, seen)
    found.sort(key=lambda problem: (problem.file, problem.line, problem.column))
    say.problems(found, json_too=as_json)
    errors = sum(problem.severity == "error" for problem in found)
    warnings = len(found) - errors
    words = [f"{errors} errors, {warnings} warnings", *seen]
    say.notice(" · ".join(words))
    ctx.exit(1 if errors or (strict and warnings) else 0)


def _ask(settings: config.Config, policy: triage.Policy | None, seen: list[str]) -> list[Problem]:
    """What the accounts themselves say."""
    found: list[Problem] = []
    assembly = app.assemble(settings)
    name = str(settings.file)

    def wrong(section: str, account: str, message: str, severity: Any = "error") -> None:
        found.append(Problem(name, 0, 0, f"{section}.{account}", message, severity))

    for account, why in assembly.broken.items():
        wrong("accounts", account, why)
    for account, helpdesk in assembly.helpdesks.items():
        try:
            identity = helpdesk.check()
            vocabulary = helpdesk.vocabulary()
        except ConnectorError as error:
            wrong("helpdesks", account, str(error))
            continue
        found += [Problem(name, 0, 0, f"helpdesks.{account}", note, "warning") for note in identity.notes]
        limit = vocabulary.requests_per_minute
        seen.append(
            f"{account}: as {identity.name or identity.id}, {len(vocabulary.fields)} fields, "
            f"{len(vocabulary.groups)} groups" + (f", {limit} requests a minute" if limit else "")
        )
        if policy is not None:
            found += policy.lint(vocabulary)
    for account, source in assembly.sources.items():
        try:
            identity = source.check()
        except ConnectorError as error:
            wrong("sources", account, str(error))
            continue
        seen.append(f"{account}: as {identity.name or identity.id}")
        if not source.replies:
            wrong("sources", account, "can be read, cannot be answered; tickets will say so", "warning")
    return found


@click.command()
@click.option("--mappings", "folder", type=_FOLDER, help="The folder, if not the configuration's.")
@click.option("--json", "as_json", is_flag=True, help="For scripts.")
@click.pass_context
def test(ctx: click.Context, folder: Path | None, as_json: bool) -> None:
    """Run the tests of the mapping: mappings/tests/*.yaml."""
    folder = folder or ctx.obj.mappings()
    policy = triage.load(folder, find=plugins.tone_detector)
    results = triage.run_tests(folder, policy)
    if as_json:
        say.as_json([{"name": r.name, "place": r.place, "ok": r.ok, "mistakes": list(r.mistakes)} for r in results])
    else:
        for result in results:
            say.data(str(result))
    failed = sum(not result.ok for result in results)
    say.notice(f"{len(results) - failed} passed, {failed} failed")
    if not results:
        say.notice(f"there are no tests in {folder / 'tests'}; docs/mapping.md shows how to write one")
    ctx.exit(1 if failed else 0)


@click.command()
@click.argument("reference", required=False)
@click.option("--file", "file", type=_FILE, help="A mention as JSON (see `connector schema mention`).")
@click.option("--source", default="file", show_default=True, help="The source's name, for a file.")
@click.option("--mappings", "folder", type=_FOLDER, help="The folder, if not the configuration's.")
@click.option("--json", "as_json", is_flag=True, help="For scripts.")
@click.pass_context
def explain(
    ctx: click.Context, reference: str | None, file: Path | None, source: str, folder: Path | None, as_json: bool
) -> None:
    """Say why: which rule set what, for a mention in a file or one in the journal.

    REFERENCE is a delivery's number, SOURCE:ID of a mention, or ticket:ID.
    """
    if (reference is None) == (file is None):
        raise click.UsageError("give a REFERENCE from the journal, or --file with a mention")
    standing = ""
    if file is not None:
        try:
            mentions = mentionjson.read_mentions(
                file.read_bytes(), source=source, platform=source, received_at=time.time()
            )
        except BadHook as error:
            raise ConnectorError(f"{file}: {error.sentence}") from None
        if len(mentions) != 1:
            raise ConnectorError(f"{file} holds {len(mentions)} mentions; `connector preview --file` takes many")
        mention = mentions[0]
        decided = None
    else:
        mention, decided, standing = _from_journal(ctx.obj.config(), str(reference))
    policy = ctx.obj.policy(folder)
    decision = decided or policy.decide(mention)
    if as_json:
        say.as_json(explained(mention, decision))
        return
    if standing:
        say.data(f"journal   {standing}")
    _print_decision(mention, decision)
    if decided is None:
        for outcome in policy.outcomes(mention):
            if not outcome.fired:
                say.data(f"not fired {outcome.name} ({outcome.place}): {outcome.why}")


def _from_journal(settings: config.Config, reference: str) -> tuple[Mention, Decision | None, str]:
    store = Store(settings.store)
    with store.read() as tx:
        row = journal.show_delivery(tx, reference)
    store.close()
    if row is None:
        raise ConnectorError(
            f'the journal knows nothing of "{reference}"; `connector deliveries list` shows what it knows'
        )
    if row.kind != "mention":
        raise ConnectorError(
            f"delivery {row.id} is a {row.kind}; `connector deliveries show {row.id}` tells about it"
        )
    ticket = f", ticket {row.ticket}" if row.ticket else ""
    reason = f": {row.reason}" if row.reason else ""
    decision = decode(Decision, row.trace) if row.trace else None
    return decode(Mention, row.body), decision, f"delivery {row.id}, {row.state}{reason}{ticket}"


def explained(mention: Mention, decision: Decision) -> dict[str, Any]:
    """A decision in the form that `explain --json` promises."""
    settings = decision.settings
    changed = {
        name: value
        for name in ("priority", "type", "status", "group", "brand", "form")
        if (value := getattr(settings, name)) is not None
    }
    changed |= {"tags": list(settings.tags)} if settings.tags else {}
    changed |= {"fields": dict(settings.fields)} if settings.fields else {}
    tone = decision.tone
    return {
        "decision": "ignore" if decision.ignored else "ticket",
        "reason": decision.ignored,
        "tone": {
            "label": tone.label,
            "score": tone.score,
            "confidence": tone.confidence,
            "language": decision.language,
            "evidence": list(tone.evidence),
            "by": tone.by,
        },
        "kind": mention.kind,
        "priority": settings.priority,
        "rules": list(decision.rules),
        "set": changed,
        "subject": decision.subject,
        "because": [
            {"field": b.field, "value": b.value, "rule": b.rule, "place": b.place, "why": b.why}
            for b in decision.because
        ],
        "policy": decision.policy,
    }


def _print_decision(mention: Mention, decision: Decision) -> None:
    tone = decision.tone
    say.data(
        f"decision  {'ignored: ' + decision.ignored if decision.ignored else 'ticket'}   policy {decision.policy}"
    )
    evidence = ", ".join(f"«{word}»" for word in tone.evidence) or "no evidence words"
    say.data(
        f"tone      {tone.label} ({tone.score:+.2f}, confidence {tone.confidence:.2f}, by {tone.by})  {evidence}"
    )
    say.data(f"language  {decision.language or 'unknown'}")
    say.data(f"kind      {mention.kind}{', private' if mention.private else ''}")
    say.data(f"rules     {', '.join(decision.rules) or 'none fired'}")
    if not decision.ignored:
        say.data(f"subject   {decision.subject}")
    for because in decision.because:
        say.data(f"because   {triage.because_line(because)}")


@click.command()
@click.option("--file", "file", type=_FILE, required=True, help="Mentions: CSV, JSONL or JSON.")
@click.option("--source", default="file", show_default=True, help="The source's name they count as.")
@click.option("--mappings", "folder", type=_FOLDER, help="The folder, if not the configuration's.")
@click.option("--samples", default=_SAMPLES, show_default=True, help="How many tickets to show whole.")
@click.option("--json", "as_json", is_flag=True, help="For scripts.")
@click.pass_context
def preview(ctx: click.Context, file: Path, source: str, folder: Path | None, samples: int, as_json: bool) -> None:
    """Show what the mapping would make of these mentions. Nothing is written anywhere."""
    policy = ctx.obj.policy(folder)
    mentions = mentions_from_file(file, source=source, platform=source, received_at=time.time())
    report = _previewed(mentions, policy)
    if as_json:
        say.as_json(report["counts"] | {"tickets": [explained(m, d) for m, d in report["opened"]]})
        return
    counts = report["counts"]
    say.data(
        f"{counts['seen']} seen → {counts['tickets']} tickets, {counts['appended']} appended, "
        f"{counts['duplicates']} duplicates, {sum(counts['ignored'].values())} ignored"
    )
    for title in ("ignored", "priority", "group", "tone", "rules", "per_day"):
        if counts[title]:
            say.data()
            rows: list[tuple[str, int]] = list(counts[title].items())
            rows.sort(key=(lambda row: row[0]) if title == "per_day" else (lambda row: -row[1]))
            say.table(rows, (title, "mentions"))
    if counts["negative_ignored"]:
        say.data()
        say.data(f"warning: {counts['negative_ignored']} negative mentions would be ignored")
    say.data()
    say.data(f"about {counts['api_calls']} calls to the helpdesk")
    for mention, decision in report["opened"][:samples]:
        say.data()
        say.data("─" * 78)
        _print_ticket(mention, decision)


def _print_ticket(mention: Mention, decision: Decision) -> None:
    settings = decision.settings
    say.data(decision.subject)
    facts = [settings.priority, settings.type, settings.status, settings.group]
    say.data("  ".join(str(fact) for fact in facts if fact) + "  " + " ".join(f"#{tag}" for tag in settings.tags))
    for name, value in settings.fields.items():
        say.data(f"{name}: {value}")
    say.data()
    say.data(decision.comment)
    if mention.url and mention.url not in decision.comment:
        say.data(mention.url)


def _previewed(mentions: Iterable[Mention], policy: triage.Policy) -> dict[str, Any]:
    """Counted as the engine would: known ones are duplicates, later ones of a thread are appended."""
    known: set[tuple[str, str]] = set()
    threads: set[str] = set()
    opened: list[tuple[Mention, Decision]] = []
    by: dict[str, Counter[str]] = {
        name: Counter() for name in ("ignored", "priority", "group", "tone", "rules", "per_day")
    }
    counts = Counter[str]()
    for mention in mentions:
        counts["seen"] += 1
        if (mention.external_id, mention.version) in known:
            counts["duplicates"] += 1
            continue
        known.add((mention.external_id, mention.version))
        decision = policy.decide(mention)
        by["tone"][decision.tone.label] += 1
        by["rules"].update(decision.rules)
        if mention.own or decision.ignored:
            by["ignored"]["our own post" if mention.own else decision.ignored] += 1
            counts["negative_ignored"] += decision.tone.label in ("negative", "very_negative") and not mention.own
            continue
        thread = conversation_name(mention, "thread")
        if thread in threads:
            counts["appended"] += 1
            continue
        threads.add(thread)
        counts["tickets"] += 1
        opened.append((mention, decision))
        by["priority"][decision.settings.priority or "none"] += 1
        by["group"][decision.settings.group or "none"] += 1
        by["per_day"][mention.created_at.date().isoformat()] += 1
    counted = {name: counts[name] for name in ("seen", "tickets", "appended", "duplicates", "negative_ignored")}
    calls = counts["tickets"] * _CALLS_PER_TICKET + counts["appended"]
    return {"counts": counted | {name: dict(c) for name, c in by.items()} | {"api_calls": calls}, "opened": opened}


@click.command()
@click.argument("what", type=click.Choice(["mention", "mapping", "config"]))
def schema(what: str) -> None:
    """Print a JSON Schema: of a mention (for bridges), of the mapping or the configuration (for editors)."""
    made = {"mention": mentionjson.schema, "mapping": triage.mapping_schema, "config": config.schema}[what]()
    say.data(json.dumps(made, ensure_ascii=False, indent=2))


COMMANDS = (check, test, explain, preview, schema)
