"""connector deliveries: what is under way, what became of it, and what a person does about it."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict

import click

from connector.cli import say
from connector.cli.place import Place, opened
from connector.errors import ConnectorError
from connector.markup import shorten, to_text
from connector.store import Tx, journal
from connector.yamlfile import did_you_mean

_NUMBER = click.IntRange(1, 2**62)
_KINDS = ("mention", "reply", "note", "bulletin")
_STATES = ("blocked", "ready", "intent", "done", "failed", "unsure", "held", "ignored")


@click.group()
def deliveries() -> None:
    """Look at deliveries; send them again, let them go, drop them.

    A delivery is one intended side effect: a mention to become a ticket or a comment, an agent's reply, a note, a
    bulletin about a storm or a digest.
    """


@deliveries.command("list")
@click.option("--state", default="", help=f"One or several, by comma: {', '.join(_STATES)}.")
@click.option("--kind", default="", help="One or several, by comma: mention, reply, note, bulletin.")
@click.option("--source", default=None, help="Of one source.")
@click.option("--limit", default=50, type=click.IntRange(min=1), show_default=True, help="How many.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for scripts.")
@click.pass_context
def deliveries_list(ctx: click.Context, state: str, kind: str, source: str | None, limit: int, as_json: bool) -> None:
    """List deliveries, newest first.

    \b
    blocked, ready   wait their turn        intent   sent, the answer is awaited
    done             has arrived            ignored  a rule said so, or it was dropped
    held             waits for a person: `deliveries release`, retry or drop
    failed           refused for good, the reason beside it
    unsure           nobody can tell: look there, then `deliveries retry` or drop
    """
    place: Place = ctx.obj
    settings = place.config()
    states, kinds = _chosen(state, _STATES, "--state"), _chosen(kind, _KINDS, "--kind")
    with opened(settings) as store, store.read() as tx:
        rows = journal.list_deliveries(tx, states=states, kinds=kinds, source=source, limit=limit)
    if not rows and source is not None and source not in settings.sources:  # one that is gone may have left some
        guess = did_you_mean(source, settings.sources)
        raise click.BadParameter(f'there is no source "{source}"{guess}', param_hint="--source")
    if as_json:
        say.as_json([asdict(row) for row in rows])
        return
    if not rows:
        say.notice("none")
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


def _chosen(text: str, known: Sequence[str], option: str) -> list[str]:
    """The words of a list by comma, each of them known."""
    words = [word.strip() for word in text.split(",") if word.strip()]
    for word in words:
        if word not in known:
            raise click.BadParameter(f'"{word}"{did_you_mean(word, known)}', param_hint=option)
    return words


def _text(row: journal.Row) -> str:
    """What a delivery carries, in plain words."""
    try:
        body = json.loads(row.body)
    except ValueError:
        return row.body
    return str(body.get("text") or to_text(str(body.get("html") or body.get("note") or "")))


@deliveries.command("show")
@click.argument("reference")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for scripts.")
@click.pass_context
def deliveries_show(ctx: click.Context, reference: str, as_json: bool) -> None:
    """Show one whole: what it carries, where it stands, and why.

    REFERENCE is its number, SOURCE:ID of a mention, or ticket:ID.
    """
    with opened(ctx.obj.config()) as store, store.read() as tx:
        row = journal.show_delivery(tx, reference)
    if row is None:
        raise ConnectorError(
            f'the journal knows nothing of "{reference}"; `connector deliveries list` shows what it knows'
        )
    if as_json:
        say.as_json(asdict(row))
        return
    doubt = " (in doubt: looked up before it is sent again)" if row.in_doubt else ""
    say.data(f"delivery  {row.id}  {row.kind} → {row.account}")
    say.data(f"state     {row.state}{doubt}, {say.count(row.attempts, 'attempt')}")
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
    @click.argument("numbers", type=_NUMBER, nargs=-1, required=True, metavar="ID...")
    @click.pass_context
    def command(ctx: click.Context, numbers: tuple[int, ...]) -> None:
        _act(ctx, numbers, act, done)

    return command


def _act(ctx: click.Context, numbers: tuple[int, ...], act: Callable[[Tx, int], str], done: str) -> None:
    wrong = 0
    with opened(ctx.obj.config()) as store:
        for number in numbers:
            with store.begin() as tx:
                trouble = act(tx, number)
            wrong += bool(trouble)
            (say.notice if trouble else say.data)(trouble or f"delivery {number} {done}")
    ctx.exit(1 if wrong else 0)


deliveries.add_command(
    _tend(
        "retry",
        "Send again what failed, is held or unsure.\n\nWhat is done is never done again.",
        journal.retry,
        "goes again",
    )
)
deliveries.add_command(
    _tend(
        "release",
        "Let held ones go in spite of why they were held.\n\n`deliveries list --state held` shows them.",
        journal.release,
        "is released",
    )
)


@deliveries.command("drop")
@click.argument("numbers", type=_NUMBER, nargs=-1, required=True, metavar="ID...")
@click.option("--reason", default="given up by hand", show_default=True, help="Why; it is kept.")
@click.pass_context
def deliveries_drop(ctx: click.Context, numbers: tuple[int, ...], reason: str) -> None:
    """Give up for good.

    They count as ignored in the ledger, with the reason.
    """
    _act(ctx, numbers, lambda tx, number: journal.drop(tx, number, reason), "is dropped")


COMMANDS = (deliveries,)
