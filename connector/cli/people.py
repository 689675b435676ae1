"""`connector forget`: take what somebody said, and who they are, out of the journal."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import click

from connector import plugins
from connector.cli import say
from connector.cli.place import Place, opened
from connector.config import Config
from connector.errors import ConnectorError
from connector.store import Store, people

_SHOWN = 12


@click.command()
@click.argument("author")
@click.option("--yes", is_flag=True, help="Erase without asking.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for scripts; erases only with --yes.")
@click.pass_context
def forget(ctx: click.Context, author: str, yes: bool, as_json: bool) -> None:
    """Erase what somebody said and who they are.

    AUTHOR is an identity as tickets carry it, such as mastodon:1234, or a handle. It is shown first what that would
    be. The journal keeps what is counted and the ids that tell a message it knows; what stands at the helpdesk has to
    be erased there, and it is said how.
    """
    place: Place = ctx.obj
    settings = place.config()
    with opened(settings) as store:
        known = _found(store, author)
        if not as_json:
            _print(known, settings)
        sure = yes or (not as_json and click.confirm("Erase this?", err=True))
        if sure:
            with store.begin() as tx:
                known = people.forget(tx, known.author)
    if as_json:
        stays = [{"helpdesk": desk, "ticket": ticket} for desk, ticket in known.stays]
        say.as_json(asdict(known) | {"stays": stays, "erased": sure, "there": _there(known, settings)})
    else:
        say.notice("erased" if sure else "nothing was erased")


def _found(store: Store, wanted: str) -> people.Known:
    """The one author that this names."""
    with store.read() as tx:
        named = people.authors(tx, wanted)
        if len(named) == 1:
            return people.known(tx, named[0])
    if named:
        raise ConnectorError(f'"{wanted}" are several: {", ".join(named)}; say which')
    raise ConnectorError(
        f'the journal knows nobody called "{wanted}"; an identity is what tickets carry as the external id of'
        " their requester, such as mastodon:1234"
    )


def _print(known: people.Known, settings: Config) -> None:
    shown = " ".join(part for part in (known.name, f"@{known.handle}" if known.handle else "") if part)
    say.data(f"author    {known.author}{f'  {shown}' if shown else ''}")
    where = say.count(known.conversations, "conversation")
    say.data(f"erases    {say.count(known.mentions, 'mention')} in {where}, and how they were decided and sent")
    if known.alone:
        spoke = say.count(known.alone, "conversation")
        say.data(f"          {say.count(known.answers, 'answer')} of ours, in {spoke} where nobody else spoke")
    if known.pending:
        say.data(
            f"drops     {say.count(known.pending, 'delivery').replace('deliverys', 'deliveries')} not yet at its end"
        )
    say.data("keeps     what is counted, and the platform's ids of messages and threads, so that nothing comes twice")
    if known.muted_on:
        say.data(
            f"keeps     that the author is muted, by ticket {', '.join(known.muted_on)}; take the tag off to end it"
        )
    for desk, hint in _there(known, settings).items():
        numbers = [ticket for name, ticket in known.stays if name == desk]
        more = f" and {len(numbers) - _SHOWN} more" if len(numbers) > _SHOWN else ""
        say.data(f"stays     at {desk}: {', '.join(numbers[:_SHOWN])}{more}")
        say.data(f"          {hint}")


def _there(known: people.Known, settings: Config) -> dict[str, str]:
    """How they are erased at each helpdesk that has tickets of theirs."""
    found: dict[str, str] = {}
    for name in dict.fromkeys(desk for desk, _ in known.stays):
        options: Any = settings.helpdesks.get(name)
        hint = plugins.helpdesk_class(options.type).erasing if options is not None else ""
        found[name] = hint or "erase the tickets and the requester there by hand"
    return found


COMMANDS = (forget,)
