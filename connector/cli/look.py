"""Commands that look at the mapping and the configuration and change nothing: check, test, schema."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from connector import app, config, mentionjson, triage
from connector.cli import say
from connector.cli.sarif import sarif
from connector.errors import ConfigError, ConnectorError, Problem

_FOLDER = click.Path(file_okay=False, exists=True, path_type=Path)


@click.command()
@click.option("--live", is_flag=True, help="Also ask the helpdesk: credentials, fields, groups, option values.")
@click.option("--strict", is_flag=True, help="Warnings count as errors.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "json", "sarif"]),
    default="text",
    show_default=True,
    help="SARIF 2.1.0 is what code review shows beside the lines.",
)
@click.option("--json", "as_json", is_flag=True, help="The same as --format json.")
@click.pass_context
def check(ctx: click.Context, live: bool, strict: bool, form: str, as_json: bool) -> None:
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
    if form == "sarif" and not as_json:
        say.as_json(sarif(found))
    else:
        say.problems(found, json_too=as_json or form == "json")
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
    policy = triage.load(folder)
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
@click.argument("what", type=click.Choice(["mention", "mapping", "config"]))
def schema(what: str) -> None:
    """Print a JSON Schema: of a mention (for bridges), of the mapping or the configuration (for editors)."""
    made = {"mention": mentionjson.schema, "mapping": triage.mapping_schema, "config": config.schema}[what]()
    say.data(json.dumps(made, ensure_ascii=False, indent=2))


COMMANDS = (check, test, schema)
