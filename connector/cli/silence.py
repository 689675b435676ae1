"""The command silence: for a time no new tickets of a topic or a source."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from dataclasses import asdict

import click

from connector.cli import say
from connector.cli.place import Place, opened
from connector.store import silences
from connector.yamlfile import did_you_mean

_FOR = re.compile(r"\s*(?:(\d{1,3})d)?\s*(?:(\d{1,4})h)?\s*(?:(\d{1,5})(?:min|m))?\s*")
_LONGEST = 30 * 86_400


@click.group()
def silence() -> None:
    """Make no new tickets of a topic or a source for a time.

    Mentions are accepted and kept; when the silence is over they are told in one digest ticket. What is private, whom
    the mapping keeps apart, and who has a ticket already is heard all the same.
    """


@silence.command("add")
@click.option("--topic", default="", help="A kind of feedback, with all under it, or a storm's topic.")
@click.option("--source", default="", help="A source by its name in config.yaml.")
@click.option("--for", "length", required=True, help="How long: 2h, 45min, 1d.")
@click.option("--why", default="", help="For whoever looks at the list, and for the digest.")
@click.pass_context
def add(ctx: click.Context, topic: str, source: str, length: str, why: str) -> None:
    """Begin a silence.

    \b
    connector silence add --topic complaint.delivery --for 2h --why "courier strike, we know"
    """
    if not topic and not source:
        raise click.UsageError("say what to silence: --topic, --source or both")
    seconds = _seconds(length)
    place: Place = ctx.obj
    settings = place.config()
    if source and source not in settings.sources:
        raise click.BadParameter(f'"{source}"{did_you_mean(source, settings.sources)}', param_hint="--source")
    if topic:
        known = place.policy(settings.mappings).topics()
        if topic not in known:
            raise click.BadParameter(f'"{topic}"{did_you_mean(topic, known)}', param_hint="--topic")
    with opened(settings) as store, store.begin() as tx:
        number = silences.silence(tx, topic=topic, source=source, seconds=seconds, why=why)
    what = " on ".join(part for part in (topic, source) if part)
    say.data(f"silence {number}: no new tickets of {what} until {say.moment(time.time() + seconds)}")
    say.notice(f"end it sooner: connector silence end {number}")


def _seconds(length: str) -> float:
    match = _FOR.fullmatch(length)
    days, hours, minutes = (int(part or 0) for part in match.groups()) if match else (0, 0, 0)
    seconds = days * 86_400 + hours * 3_600 + minutes * 60
    if not 0 < seconds <= _LONGEST:
        raise click.BadParameter(f'"{length}": write it as in 2h, 45min or 1d 12h, at most 30d', param_hint="--for")
    return float(seconds)


@silence.command("list")
@click.option("--all", "everything", is_flag=True, help="Also those that are over.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for scripts.")
@click.pass_context
def show(ctx: click.Context, everything: bool, as_json: bool) -> None:
    """List silences, newest first."""
    place: Place = ctx.obj
    with opened(place.config()) as store, store.read() as tx:
        found = silences.list_silences(tx, over=everything)
    if as_json:
        say.as_json([asdict(one) for one in found])
        return
    if not found:
        say.notice("none")
        return
    say.table(_rows(found), ("id", "topic", "source", "until", "kept", "why"))


def _rows(found: Sequence[silences.Silence]) -> list[tuple[object, ...]]:
    return [
        (one.id, one.topic or "(any)", one.source or "(any)", say.moment(one.until), one.kept, one.why)
        for one in found
    ]


@silence.command("end")
@click.argument("number", type=click.IntRange(1, 2**62), metavar="ID")
@click.pass_context
def end(ctx: click.Context, number: int) -> None:
    """End a silence now; what was kept is told in a digest ticket."""
    place: Place = ctx.obj
    with opened(place.config()) as store, store.begin() as tx:
        trouble = silences.end_silence(tx, number)
    (say.notice if trouble else say.data)(trouble or f"silence {number} is over")
    ctx.exit(1 if trouble else 0)


COMMANDS = (silence,)
