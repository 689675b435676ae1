"""`connector preview`: what the mapping would make of mentions from a file or of the last days. Writes nothing."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from connector import config
from connector.cli import say
from connector.cli.backtest import Backtest, Change, Comparison, Grouping, by_thread, compare, replay
from connector.cli.explain import explained
from connector.cli.place import Place, field_map, opened
from connector.errors import ConnectorError
from connector.flow.intake import conversation_name
from connector.markup import shorten
from connector.model import Decision, Mention
from connector.sources.manual import mentions_from_file
from connector.store import journal

_FOLDER = click.Path(file_okay=False, exists=True, path_type=Path)
_FILE = click.Path(dir_okay=False, exists=True, path_type=Path, allow_dash=False)
_SAMPLES = 5
_SECONDS = {"m": 60, "h": 3_600, "d": 86_400, "w": 604_800}


class _Span(click.ParamType[float]):
    name = "span"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        match = re.fullmatch(r"(\d{1,5})\s*([mhdw])", str(value).strip().lower())
        if match is None:
            self.fail(f'"{value}" is not a length of time; write it as in 7d, 12h or 2w', param, ctx)
        return float(match[1]) * _SECONDS[match[2]]


@click.command()
@click.option("--file", "file", type=_FILE, help="Mentions: CSV, XLSX, JSONL or JSON.")
@click.option(
    "--map", "chart", default="", help="Field map of the file: a preset (export, youscan …) or a .yaml file."
)
@click.option("--last", type=_Span(), help="The mentions that came in lately, from the journal: 7d, 12h.")
@click.option(
    "--source", help="The source's name a file counts as (file), or the only one of the journal to look at."
)
@click.option("--mappings", "folder", type=_FOLDER, help="The folder, if not the configuration's.")
@click.option("--against", type=_FOLDER, help="The mapping's folder before a change: say what it re-routes.")
@click.option("--plan", type=click.IntRange(1), help="Calls a minute that the helpdesk's plan allows.")
@click.option("--samples", default=_SAMPLES, show_default=True, help="How many to show of each.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for scripts.")
@click.pass_context
def preview(
    ctx: click.Context,
    file: Path | None,
    chart: str,
    last: float | None,
    source: str | None,
    folder: Path | None,
    against: Path | None,
    plan: int | None,
    samples: int,
    as_json: bool,
) -> None:
    """Show what the mapping would make of these mentions.

    Nothing is written anywhere. Tickets a day and in the busiest hour, by priority and group, how often each rule was
    met, negatives that would be ignored, and the calls to the helpdesk. With --against, what a change of the mapping
    re-routes.
    """
    if (file is None) == (last is None):
        raise click.UsageError("give --file with mentions, or --last to take them from the journal")
    place: Place = ctx.obj
    policy = place.policy(folder)
    settings = _settings(place, needed=last is not None)
    if file is not None:
        name = source or "file"
        words: dict[str, Any] = {"source": name, "platform": name, "received_at": time.time()}
        mentions = list(mentions_from_file(file, chart=field_map(chart), **words))
    else:
        assert settings is not None
        mentions = _from_journal(settings, time.time() - (last or 0), source)
    grouping = _grouping(settings)
    made = replay(mentions, policy, grouping)
    changes = compare(replay(mentions, place.policy(against), grouping), made) if against is not None else None
    limit = plan or _limit(settings)
    if as_json:
        say.as_json(_as_json(made, changes, limit))
        return
    _print_counts(made)
    _print_calls(made, limit)
    _print_negatives(made, samples)
    if changes is not None:
        _print_changes(changes, samples)
        return
    for one in made.of("ticket")[:samples]:
        say.data()
        say.data("─" * 78)
        _print_ticket(one.mention, one.decision)


def _settings(place: Place, *, needed: bool) -> config.Config | None:
    """The configuration; a file can be looked at without one."""
    try:
        return place.config()
    except ConnectorError:
        if needed:
            raise
        return None


def _from_journal(settings: config.Config, since: float, source: str | None) -> list[Mention]:
    with opened(settings) as store, store.read() as tx:
        return list(journal.recent_mentions(tx, since, source))


def _grouping(settings: config.Config | None) -> Grouping:
    if settings is None:
        return by_thread
    how = {name: options.conversation for name, options in settings.sources.items()}
    return lambda mention: f"{mention.source}\x1f{conversation_name(mention, how.get(mention.source, 'thread'))}"


def _limit(settings: config.Config | None) -> int | None:
    limits = [options.requests_per_minute for options in settings.helpdesks.values()] if settings else []
    known = [limit for limit in limits if limit]
    return int(min(known)) if known else None


# --- printing ----------------------------------------------------------------------------------------------


def _print_counts(made: Backtest) -> None:
    tickets, days, busiest = len(made.of("ticket")), made.days, made.busiest
    rate = f" ({tickets / days:.3g} a day, at most {busiest[1]} in an hour: {_hour(busiest[0])})" if busiest else ""
    edited = f", {len(made.of('edited'))} edits noted" if made.of("edited") else ""
    say.data(
        f"{made.seen} seen → {say.count(tickets, 'ticket')}{rate}, {len(made.of('appended'))} appended, "
        f"{say.count(made.duplicates, 'duplicate')}, {len(made.of('ignored'))} ignored{edited}"
    )
    for title in ("ignored", "priority", "group", "tone", "feedback", "rules", "per_day"):
        rows: list[tuple[str, int]] = list(made.by[title].items())
        if rows:
            say.data()
            rows.sort(key=(lambda row: row[0]) if title == "per_day" else (lambda row: -row[1]))
            what = "tickets" if title in ("priority", "group", "per_day") else "mentions"
            say.table(rows, (title, what))
    if made.never:
        say.data()
        say.data(f"met by none: {', '.join(made.never)}")


def _hour(at: Any) -> str:
    return f"{at:%Y-%m-%d %H}:00"


def _print_calls(made: Backtest, limit: int | None) -> None:
    at_most = made.calls_at_most
    say.data()
    if limit is None:
        allowed = "what the plan allows is not known: --plan, or requests_per_minute in the configuration"
    elif at_most <= limit:
        allowed = f"the plan allows {limit}"
    else:
        allowed = f"the plan allows {limit}, so the busiest minute would take about {-(-at_most // limit)}"
    say.data(f"about {say.count(made.calls, 'call')} to the helpdesk, at most {at_most} in a minute; {allowed}")


def _print_negatives(made: Backtest, samples: int) -> None:
    ignored = made.negatives_ignored
    if not ignored:
        return
    say.data()
    say.data(f"warning: {say.count(len(ignored), 'negative mention')} would be ignored")
    for one in ignored[:samples]:
        say.data(f"  {one.decision.ignored}  {_said(one.mention)}")


def _print_changes(changes: Comparison, samples: int) -> None:
    silenced = changes.silenced
    say.data()
    say.data(
        f"this change: {len(changes.rerouted)} of {changes.decided} mentions re-routed; "
        f"{len(silenced)} negatives would be ignored; "
        f"{len(changes.retouched)} more differ in tags, deadlines or words"
    )
    shown = [*silenced, *(change for change in changes.rerouted if not change.silences)]
    for change in [*shown[:samples], *changes.retouched[: max(0, samples - len(shown))]]:
        say.data()
        say.data(_said(change.mention))
        for name, was, now in change.differs:
            say.data(f"  {name}: {_value(was)} → {_value(now)}")
        rules = [rule for rule in change.after.rules if rule not in change.before.rules]
        gone = [rule for rule in change.before.rules if rule not in change.after.rules]
        if rules or gone:
            say.data("  rules: " + ", ".join([*(f"+ {rule}" for rule in rules), *(f"− {rule}" for rule in gone)]))


def _said(mention: Mention) -> str:
    return f"{mention.source}:{mention.external_id} «{shorten(mention.title or mention.text, 70)}»"


_SHOWN: dict[type, Callable[[Any], str]] = {
    tuple: lambda value: ", ".join(map(str, value)) or "none",
    str: lambda value: shorten(value, 60) or "none",
}


def _value(value: Any) -> str:
    if value is None:
        return "none"
    if hasattr(value, "target"):
        return f"{value.rule} ({value.within})"
    return _SHOWN.get(type(value), str)(value)


def _print_ticket(mention: Mention, decision: Decision) -> None:
    settings = decision.settings
    say.data(decision.subject)
    facts = [settings.priority, settings.type, settings.status, settings.group]
    say.data("  ".join(str(fact) for fact in facts if fact) + "  " + " ".join(f"#{tag}" for tag in settings.tags))
    for name, value in settings.fields.items():
        say.data(f"{name}: {value}")
    if decision.deadlines is not None:
        say.data(f"answer by {decision.deadlines.target:%Y-%m-%d %H:%M UTC}")
    say.data()
    say.data(decision.comment)
    if mention.url and mention.url not in decision.comment:
        say.data(mention.url)


# --- for scripts -------------------------------------------------------------------------------------------


def _as_json(made: Backtest, changes: Comparison | None, limit: int | None) -> dict[str, Any]:
    busiest = made.busiest
    counted: dict[str, Any] = {
        "seen": made.seen,
        "appended": len(made.of("appended")),
        "edited": len(made.of("edited")),
        "duplicates": made.duplicates,
        "negative_ignored": len(made.negatives_ignored),
        **{
            name: dict(made.by[name])
            for name in ("ignored", "priority", "group", "tone", "feedback", "rules", "per_day")
        },
        "rules_never_met": list(made.never),
        "busiest_hour": {"at": busiest[0].isoformat(), "tickets": busiest[1]} if busiest else None,
        "api_calls": made.calls,
        "api_calls_in_a_minute": made.calls_at_most,
        "plan_calls_in_a_minute": limit,
        "tickets": len(made.of("ticket")),
        "decisions": [explained(one.mention, one.decision) for one in made.of("ticket")],
    }
    if changes is not None:
        counted["changes"] = {
            "decided": changes.decided,
            "rerouted": [_change(change) for change in changes.rerouted],
            "retouched": [_change(change) for change in changes.retouched],
            "negatives_newly_ignored": len(changes.silenced),
        }
    return counted


def _change(change: Change) -> dict[str, Any]:
    return {
        "mention": f"{change.mention.source}:{change.mention.external_id}",
        "differs": {name: {"before": was, "after": now} for name, was, now in change.differs},
        "negative_newly_ignored": change.silences,
    }


COMMANDS = (preview,)
