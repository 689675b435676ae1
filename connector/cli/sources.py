"""`connector sources`: which platforms can be listened to, what each can do, and every setting it takes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

import click

from connector import plugins
from connector.cli import say
from connector.errors import ConnectorError
from connector.sources.base import Source
from connector.yamlfile import did_you_mean

HEAD = (
    "source",
    "listens",
    "answers",
    "an answer lost",
    "sees edits",
    "sees deletions",
    "files in",
    "files out",
    "by address",
)
_INTERNAL = ("type", "allow_private_addresses")


@click.group()
def sources() -> None:
    """See what can be listened to, and how.

    An account on a platform is a source in config.yaml; its `type` is one of these.
    """


@sources.command(name="list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for scripts.")
@click.option("--markdown", is_flag=True, help="Print the table of docs/sources/README.md.")
def list_(as_json: bool, markdown: bool) -> None:
    """List the types of sources and what each can do."""
    kinds = [plugins.source_class(kind) for kind in plugins.source_types()]
    if as_json:
        say.as_json([{"type": kind.type, "about": kind.about, **asdict(kind.capabilities)} for kind in kinds])
    elif markdown:
        for line in markdown_table():
            say.data(line)
    else:
        say.table([_row(kind) for kind in kinds], HEAD)


@sources.command()
@click.argument("kind", metavar="TYPE")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for scripts.")
def show(kind: str, as_json: bool) -> None:
    """Show what one type can do, and its settings.

    Also what it takes for granted about the platform and nobody has confirmed.
    """
    try:
        found = plugins.source_class(kind)
    except LookupError:
        guess = did_you_mean(kind, plugins.source_types())
        raise ConnectorError(f'there is no source of type "{kind}"{guess}') from None
    settings = list(_settings(found))
    if as_json:
        facts = {"type": found.type, "about": found.about, **asdict(found.capabilities)}
        say.as_json(facts | {"settings": settings, "unconfirmed": list(found.unconfirmed)})
        return
    say.data(f"{found.type}: {found.about}")
    say.data()
    for head, cell in list(zip(HEAD, _row(found), strict=True))[1:]:
        say.data(f"{head.ljust(15)} {cell}")
    say.data(f"{'tells of'.ljust(15)} {', '.join(found.capabilities.kinds)}")
    say.data()
    say.table([(one["name"], _default(one), one["meaning"]) for one in settings], ("setting", "default", "meaning"))
    if found.unconfirmed:
        say.data()
        say.data("Nobody has confirmed:")
        for fact in found.unconfirmed:
            say.data(f"- {fact}")
    say.data()
    say.data(f"How it is set up on the platform's side: docs/sources/{found.type}.md")


def markdown_table() -> Iterator[str]:
    """What every installed source can do, as lines of Markdown."""
    yield "| " + " | ".join(HEAD) + " |"
    yield "|" + "---|" * len(HEAD)
    for kind in plugins.source_types():
        found = plugins.source_class(kind)
        first, *cells = _row(found)
        yield f"| [`{first}`]({first}.md) | " + " | ".join(cells) + " |"


def _row(kind: type[Source]) -> tuple[str, ...]:
    can = kind.capabilities
    listens = " and ".join([*(["polled"] if can.pull else []), *(["calls"] if can.push else [])]) or "by hand"
    answers = "in private" if can.private_reply else ""
    if can.reply:
        answers = "in public, " + answers if answers else "in public"
    lost = "sent again, once there" if can.idempotent_reply else "looked up" if can.find_reply else "left to a person"
    marks = [
        "yes" if one else "no"
        for one in (can.edits, can.deletes, can.attachments_in, can.attachments_out, can.locate)
    ]
    return (kind.type, listens, answers, lost, *marks) if can.reply else (kind.type, listens, "no", "–", *marks)


def _settings(kind: type[Source]) -> Iterator[dict[str, Any]]:
    """Each setting: name, whether it has to be given, default, meaning. Those without a default first."""
    made = kind.Options.model_json_schema()
    needed = made.get("required", [])
    for name, about in sorted(made["properties"].items(), key=lambda item: item[0] not in needed):
        if name not in _INTERNAL:
            yield {
                "name": name,
                "required": name in needed,
                "default": about.get("default"),
                "meaning": about.get("description", ""),
            }


def _default(setting: dict[str, Any]) -> str:
    value = setting["default"]
    if setting["required"]:
        return "required"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (list, tuple)):
        return ", ".join(map(str, value)) or "–"
    return "–" if value in (None, "") else str(value)


COMMANDS = (sources,)
