"""The command line: prints, and turns errors into sentences and exit codes.

0 ok · 1 findings, or it did not work · 2 wrong usage · 78 the configuration cannot be used (sysexits' EX_CONFIG)
"""

from __future__ import annotations

import sys
from pathlib import Path

import click

from connector import __version__, log
from connector.cli import say
from connector.cli.place import MissingConfig, Place
from connector.errors import ConfigError, ConnectorError

EX_CONFIG = 78


class _Group(click.Group):
    """Errors become sentences here, once, for every command."""

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except ConfigError as error:
            say.problems(error.problems)
            mistakes = sum(problem.severity == "error" for problem in error.problems)
            say.notice(f"{say.count(mistakes, 'mistake')}; nothing was started or changed")
            ctx.exit(EX_CONFIG)
        except MissingConfig as error:
            say.notice(str(error))
            ctx.exit(EX_CONFIG)
        except ConnectorError as error:
            say.notice(f"error: {log.masked(str(error))}")
            ctx.exit(1)


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="connector")
@click.option(
    "-c",
    "--config",
    "file",
    type=click.Path(dir_okay=False, path_type=Path),
    default=Path("config.yaml"),
    show_default=True,
    envvar="CONNECTOR_CONFIG",
    help="The configuration file.",
)
@click.pass_context
def cli(ctx: click.Context, file: Path) -> None:
    """Turns what people say about you into helpdesk tickets, and carries agents' answers back, once.

    \b
    See it:     connector demo
    Begin:      connector init; then doctor, check, test, preview, run --shadow, run
    Every day:  connector status, deliveries list, explain, verify
    After a change of mappings/:  connector check && connector test
                                  (a connector that runs takes it up by itself)

    Exit codes: 0 all is well; 1 something was found, or it did not work;
    2 wrong usage; 78 the configuration cannot be used.
    """
    ctx.obj = Place(file)


# they hang their commands on `cli`
from connector.cli import (  # noqa: E402
    begin,
    deliveries,
    doctor,
    explain,
    look,
    people,
    preview,
    silence,
    sources,
    tone,
    work,
)

for part in (begin, doctor, look, explain, preview, people, silence, sources, tone, work, deliveries):
    for command in part.COMMANDS:
        cli.add_command(command)


def main() -> None:
    """The console script."""
    try:
        cli(prog_name="connector")
    except BrokenPipeError:
        sys.exit(0)
