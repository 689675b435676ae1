"""The command line: prints, and turns errors into sentences and exit codes.

0 ok · 1 findings, or it did not work · 2 wrong usage · 78 the configuration cannot be used (sysexits' EX_CONFIG)
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

import click

from connector import __version__, log, plugins, triage
from connector.cli import say
from connector.config import Config
from connector.config import load as load_config
from connector.errors import ConfigError, ConnectorError
from connector.yamlfile import read

EX_CONFIG = 78


@dataclass(slots=True)
class Place:
    """Where the commands find the configuration; read when a command first needs it."""

    file: Path

    def config(self) -> Config:
        """The whole configuration; ConfigError when it cannot be used."""
        if not self.file.exists():
            raise MissingConfig(self.file)
        return load_config(self.file)

    def mappings(self) -> Path:
        """The mapping's folder, without needing the secrets of a whole configuration."""
        if self.file.exists():
            value = read(self.file).value
            named = value.get("mappings") if isinstance(value, dict) else None
            if isinstance(named, str):
                return self.file.parent / named
        return self.file.parent / "mappings"

    def policy(self, folder: Path | None = None) -> triage.Policy:
        """The mapping, from that folder or from the configuration's."""
        return triage.load(folder or self.mappings(), find=plugins.tone_detector)


class MissingConfig(ConnectorError):
    """There is no configuration yet."""

    def __init__(self, file: Path) -> None:
        super().__init__(f"there is no {file}; `connector init` writes one, `connector demo` needs none")


class _Group(click.Group):
    """Errors become sentences here, once, for every command."""

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except ConfigError as error:
            say.problems(error.problems)
            count = len(error.problems)
            say.notice(f"{count} mistake{'s' if count != 1 else ''}; nothing was started or changed")
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
    See it:        connector demo
    Begin:         connector init, then check, test, preview --file, run --shadow, run
    Every day:     connector status, deliveries list, explain, verify
    After a change of mappings/:  connector check && connector test; a running one takes it up by itself
    """
    ctx.obj = Place(file)


from connector.cli import begin, look, tone, work  # noqa: E402 - they hang their commands on `cli`

for command in (*begin.COMMANDS, *look.COMMANDS, *tone.COMMANDS, *work.COMMANDS):
    cli.add_command(command)


def main() -> None:
    """The console script."""
    try:
        cli(prog_name="connector")
    except BrokenPipeError:
        sys.exit(0)
