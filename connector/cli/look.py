"""Commands that look at the mapping and the configuration and change nothing: check, test, schema."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from connector import app, config, mentionjson, triage
from connector.cli import say
from connector.cli.place import Place
from connector.cli.sarif import sarif
from connector.errors import ConfigError, ConnectorError, Problem
from connector.helpdesks.base import Helpdesk
from connector.helpdesks.examination import unfit
from connector.model import Identity, Vocabulary
from connector.yamlfile import did_you_mean, read

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
    """Find every mistake in the configuration and the mapping.

    Each is told with file:line:column and the way out. Exit code 1 when there are errors, 78 without a configuration.
    """
    place: Place = ctx.obj
    found: list[Problem] = []
    seen: list[str] = []
    settings: config.Config | None = None
    policy: triage.Policy | None = None
    try:
        settings = place.config()
    except ConfigError as error:
        found += error.problems
    try:
        if (
            settings is not None or place.mappings().is_dir()
        ):  # a folder that is not there was told by the configuration
            policy = place.policy(settings.mappings if settings else None)
            found += policy.warnings
    except ConfigError as error:
        found += error.problems
    if live and settings is not None:
        found += _ask(settings, policy, seen)
    found = sorted(dict.fromkeys(found), key=lambda problem: (problem.file, problem.line, problem.column))
    if form == "sarif" and not as_json:
        say.as_json(sarif(found))
    else:
        say.problems(found, json_too=as_json or form == "json")
    errors = sum(problem.severity == "error" for problem in found)
    warnings = len(found) - errors
    say.notice(f"{say.count(errors, 'error')}, {say.count(warnings, 'warning')}")
    for line in seen:
        say.notice(f"  {line}")
    ctx.exit(1 if errors or (strict and warnings) else 0)


def _ask(settings: config.Config, policy: triage.Policy | None, seen: list[str]) -> list[Problem]:
    """What the accounts themselves say."""
    found: list[Problem] = []
    assembly = app.assemble(settings)
    document = read(settings.file)

    def tell(account: str, message: str, severity: Any = "error") -> None:
        section = "helpdesks" if account in settings.helpdesks else "sources"
        found.append(document.problem((section, account), message, severity=severity, at_key=True))

    def refused(account: str, error: ConnectorError) -> None:
        tell(account, error.sentence + (f" (HTTP {error.status})" if error.status is not None else ""))

    def noted(account: str, identity: Identity, facts: Sequence[str]) -> None:
        seen.append(f"{account}: {say.identified(identity, account, facts)}")

    for account, why in assembly.broken.items():
        tell(account, why)
    for account, helpdesk in assembly.helpdesks.items():
        try:
            identity, vocabulary = helpdesk.check(), helpdesk.vocabulary()
        except ConnectorError as error:
            refused(account, error)
            continue
        for note in identity.notes:
            tell(account, note, "warning")
        limit = vocabulary.requests_per_minute
        facts = [say.count(len(vocabulary.fields), "field"), say.count(len(vocabulary.groups), "group")]
        noted(account, identity, [*facts, *([f"{limit} requests a minute"] if limit else [])])
        if policy is not None:
            found += policy.lint(vocabulary)
        for option, wrong in _own_fields(settings, account, helpdesk, vocabulary):
            found.append(document.problem(("helpdesks", account, option), wrong))
    for account, source in assembly.sources.items():
        try:
            identity = source.check()
        except ConnectorError as error:
            refused(account, error)
            continue
        noted(account, identity, identity.notes or ([] if source.replies else ["can be read, not answered"]))
    for helpdesk in assembly.helpdesks.values():
        helpdesk.close()
    for source in assembly.sources.values():
        source.close()
    return found


def _own_fields(
    settings: config.Config, account: str, helpdesk: Helpdesk, vocabulary: Vocabulary
) -> Iterator[tuple[str, str]]:
    """What is wrong with the ticket fields that the helpdesk's own options name."""
    reply_field = next((one for one in app.needs_of(settings, account, None).fields if one.ours), None)
    if reply_field is not None and (wrong := unfit(replace(reply_field, place=""), vocabulary.fields)):
        yield "reply_field", wrong
    tone_field = helpdesk.options.tone_field
    if tone_field and not any(tone_field in (one.id, one.title) for one in vocabulary.fields):
        guess = did_you_mean(tone_field, [one.title for one in vocabulary.fields])
        yield "tone_field", f'there is no ticket field "{tone_field}"{guess}'


@click.command()
@click.option("--mappings", "folder", type=_FOLDER, help="The folder, if not the configuration's.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for scripts.")
@click.pass_context
def test(ctx: click.Context, folder: Path | None, as_json: bool) -> None:
    """Run the tests of the mapping: mappings/tests/*.yaml.

    Each is a mention and what has to become of it. Exit code 1 when one fails.
    """
    place: Place = ctx.obj
    folder = folder or place.mappings()
    policy = place.policy(folder)
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
    """Print a JSON Schema, for editors and for bridges.

    `mention` is what bridges send to a webhook source; `mapping` and `config` let an editor complete and check files.
    """
    made = {"mention": mentionjson.schema, "mapping": triage.mapping_schema, "config": config.schema}[what]()
    say.data(json.dumps(made, ensure_ascii=False, indent=2))


COMMANDS = (check, test, schema)
