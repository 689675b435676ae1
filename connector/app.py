"""Assembles the parts from a configuration: adapters with their doors, the policy, the store."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from connector import log, plugins, triage
from connector.adapter import AccountOptions
from connector.config import Config
from connector.errors import Rejected
from connector.flow.deliver import Wiring
from connector.flow.notes import REPLY_STATES
from connector.flow.retry import Patience
from connector.helpdesks.base import Helpdesk
from connector.helpdesks.examination import Needs
from connector.http import Download, Http
from connector.model import FieldNeed
from connector.sources.base import Source
from connector.store import Store, Tx
from connector.store.arrivals import declare_account
from connector.store.queue import forget_leases

A = TypeVar("A", Source, Helpdesk)


@dataclass(frozen=True, slots=True)
class Assembly:
    """The adapters of a configuration, and those that could not be made, each with the reason."""

    sources: Mapping[str, Source] = field(default_factory=dict)
    helpdesks: Mapping[str, Helpdesk] = field(default_factory=dict)
    broken: Mapping[str, str] = field(default_factory=dict)


def assemble(config: Config, known: Assembly | None = None) -> Assembly:
    """Make the adapters; those of `known` whose options did not change are kept as they are. One that cannot be
    made is left out and named, so that the others can run."""
    broken: dict[str, str] = {}
    old = known or Assembly()
    sources: dict[str, Source] = {}
    helpdesks: dict[str, Helpdesk] = {}
    for name, source_options in config.sources.items():
        kept = old.sources.get(name)
        if kept is not None and kept.options == source_options:
            sources[name] = kept
            continue
        try:
            sources[name] = plugins.source_class(source_options.type)(
                name, source_options, door(name, source_options)
            )
        except Exception as error:  # noqa: BLE001 - an adapter's mistake must not keep the others from running
            broken[name] = f"cannot be set up: {error}"
    for name, desk_options in config.helpdesks.items():
        desk = old.helpdesks.get(name)
        if desk is not None and desk.options == desk_options:
            helpdesks[name] = desk
            continue
        try:
            helpdesks[name] = plugins.helpdesk_class(desk_options.type)(name, desk_options, door(name, desk_options))
        except Exception as error:  # noqa: BLE001 - the same
            broken[name] = f"cannot be set up: {error}"
    for desk in helpdesks.values():
        desk.http.held = lambda ref, limit: _held_file(sources, ref, limit)
    return Assembly(sources, helpdesks, broken)


def _held_file(sources: Mapping[str, Source], ref: str, limit: int) -> Download:
    """A file that only its source can fetch."""
    name, _, rest = ref.partition("/")
    source = sources.get(name)
    if source is None:
        raise Rejected(f'the source "{name}", which holds the file, is not configured any more')
    return source.download(rest, limit)


def door(name: str, options: AccountOptions) -> Http:
    """The door to the network for one account."""
    return Http(name, allow_private=options.allow_private_addresses)


def open_store(config: Config, *, alone: bool = False) -> Store:
    """The store, migrated, with every account and its budget known; `alone`: held for this process's life."""
    store = Store(config.store)
    if alone:
        store.hold()
    backup = store.migrate()
    if backup is not None:
        log.get().info("store migrated", backup=str(backup))
    with store.begin() as tx:
        if alone and store.is_sqlite:
            forget_leases(tx)
        declare(tx, config)
    return store


def declare(tx: Tx, config: Config) -> None:
    """Make every account and its budget known to the store."""
    for name, options in (*config.helpdesks.items(), *config.sources.items()):
        declare_account(tx, name, options.requests_per_minute)


def patience(config: Config) -> Patience:
    """The engine's waiting times."""
    chosen = config.delivery
    return Patience(
        in_doubt_wait=chosen.in_doubt_wait,
        give_up_after=chosen.give_up_after,
        first_pause=chosen.first_pause,
        longest_pause=chosen.longest_pause,
        probe_every=chosen.probe_every,
        reconcile_after=chosen.reconcile_after,
        tell_after=chosen.tell_after,
        lease=chosen.lease,
    )


def needs_of(config: Config, name: str, policy: triage.Policy | None, *, by_rule: bool = False) -> Needs:
    """What a helpdesk has to have for this configuration and mapping."""
    options = config.helpdesks[name]
    ours: tuple[FieldNeed, ...] = ()
    if options.reply_field:
        ours = (FieldNeed(options.reply_field, "dropdown", REPLY_STATES, "reply_field", ours=True),)
    mapped = policy.needed_fields() if policy is not None else ()
    return Needs((*ours, *mapped), config.server.hook_url(name), by_rule)


def wire(
    config: Config,
    assembly: Assembly,
    policy: triage.Policy,
    *,
    identities: Mapping[str, str] | None = None,
    shadow: bool = False,
) -> Wiring:
    """What a turn of carrying works with."""
    return Wiring(
        sources=assembly.sources,
        helpdesks=assembly.helpdesks,
        policy=policy,
        patience=patience(config),
        identities={} if identities is None else identities,
        shadow=shadow,
    )
