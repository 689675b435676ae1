"""connector doctor: what is missing here and at the helpdesks, how it gets there, and making what can be made.

It looks first and changes nothing. With --apply it makes what the helpdesks' APIs allow, each thing once, and looks
again. A signing secret is written into a file that only its owner reads, never onto the terminal: terminals scroll
back, and what runs in a pipeline keeps what was printed.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import click

from connector import app, triage
from connector.cli import say
from connector.cli.place import Place
from connector.config import Config
from connector.errors import ConfigError, ConnectorError
from connector.helpdesks.base import Helpdesk
from connector.helpdesks.examination import Finding, Probe, State, refused, told
from connector.http import Http
from connector.log import masked
from connector.store import Store
from connector.yamlfile import did_you_mean, environment

HERE = "here"
_COLOURS: Mapping[State, str] = {"ok": "green", "missing": "red", "wrong": "red", "unknown": "yellow"}


@dataclass(frozen=True, slots=True)
class _Done:
    """One thing that was tried."""

    account: str
    subject: str
    sentence: str
    ok: bool


@click.command()
@click.argument("names", nargs=-1, metavar="[HELPDESK]...")
@click.option("--apply", "mend", is_flag=True, help="Make what the API can make: fields, options, webhook, trigger.")
@click.option("--yes", is_flag=True, help="With --apply: do not ask.")
@click.option("--by-trigger", is_flag=True, help="Zendesk: let a trigger call us; default: its events do.")
@click.option(
    "--secret-file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Zendesk: write the webhook's signing secret into this new file, for you alone to read.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for scripts.")
@click.pass_context
def doctor(
    ctx: click.Context,
    names: tuple[str, ...],
    mend: bool,
    yes: bool,
    by_trigger: bool,
    secret_file: Path | None,
    as_json: bool,
) -> None:
    """Tell what is missing, here and at the helpdesk, and the steps.

    Credentials, role, scopes, limits, groups, fields and their options, the webhook that wakes us up: each with the
    exact steps where it is not as it should be. Nothing is changed without --apply. Exit code 1 when something
    necessary is missing.

    \b
    look:                              connector doctor
    make the webhook, fetch its secret:
                connector doctor desk --apply --secret-file secrets/desk
    """
    place: Place = ctx.obj
    settings = place.config()
    chosen = _chosen(settings, names)
    if as_json and mend and not yes:
        raise click.UsageError("--json cannot ask; add --yes")
    if secret_file is not None and len(chosen) != 1:
        raise click.UsageError(f"--secret-file is for one helpdesk; name it: {', '.join(chosen)}")
    if environment("NO_COLOR"):
        ctx.color = False
    rounds = _Round(place, settings, chosen, by_rule=by_trigger, everything=not names)
    try:
        found = rounds.look()
        done: list[_Done] = []
        if not as_json:
            _print(found, settings)
        makeable = [(account, finding) for account, finding in found if finding.remedy]
        if mend and makeable and _agreed(makeable, yes):
            done = list(rounds.mend(makeable, aloud=not as_json))
            found = rounds.look()
        if secret_file is not None:
            written = rounds.write_secret(chosen[0], secret_file, aloud=not as_json)
            done.append(written)
            found = [_in_the_file(account, one, written) for account, one in found]
        if as_json:
            say.as_json(_document(found, done))
        else:
            _close(found, makeable, done, mended=mend)
    finally:
        rounds.close()
    in_the_way = any(finding.stands_in_the_way for _, finding in found)
    ctx.exit(1 if in_the_way or not all(one.ok for one in done) else 0)


def _in_the_file(account: str, finding: Finding, written: _Done) -> tuple[str, Finding]:
    """The finding, without the step that was just done."""
    if written.ok and (account, finding.section, finding.subject) == (written.account, "webhook", "secret"):
        return account, replace(finding, steps=finding.steps[-1:])
    return account, finding


class _Round:
    """One configuration's helpdesks and sources, looked at as often as need be."""

    def __init__(
        self, place: Place, settings: Config, chosen: Sequence[str], *, by_rule: bool, everything: bool
    ) -> None:
        self._settings = settings
        self._policy, self._mistakes = _policy(place, settings)
        self._chosen = chosen
        self._everything = everything
        self._assembly = app.assemble(settings)
        self._needs = {name: app.needs_of(settings, name, self._policy, by_rule=by_rule) for name in chosen}

    def look(self) -> list[tuple[str, Finding]]:
        """Every finding with the account it is about."""
        found = [(HERE, one) for one in (*_here(self._settings), *self._mistakes)]
        for name in self._chosen:
            found += [(name, one) for one in self._helpdesk(name)]
        if self._everything:
            for name in self._settings.sources:
                found += [(name, one) for one in self._source(name)]
        return found

    def mend(self, makeable: Sequence[tuple[str, Finding]], *, aloud: bool) -> Iterator[_Done]:
        """Make each, in order; one that fails does not keep the others from being made."""
        for account, finding in makeable:
            yield _tried(account, finding.subject, partial(self._make, account, finding), aloud)

    def write_secret(self, name: str, file: Path, *, aloud: bool) -> _Done:
        """Put the signing secret into a file, mode 0600, which has to be new or hold it already."""

        def write() -> str:
            _write_alone(file, self._desk(name).hook_secret(self._needs[name]))
            base = self._settings.file.parent.resolve()
            shown = file.resolve()
            shown = shown.relative_to(base) if shown.is_relative_to(base) else shown
            return (
                f"the signing secret stands in {file}, for you alone to read; in config.yaml, helpdesks.{name}:\n"
                f"             webhook_secret: !file {shown}"
            )

        return _tried(name, "secret file", write, aloud)

    def close(self) -> None:
        """Let go of every connection."""
        for desk in self._assembly.helpdesks.values():
            desk.close()
        for source in self._assembly.sources.values():
            source.close()

    def _make(self, account: str, finding: Finding) -> str:
        return self._desk(account).apply(self._needs[account], finding)

    def _desk(self, name: str) -> Helpdesk:
        found = self._assembly.helpdesks.get(name)
        if found is None:
            raise ConnectorError(self._assembly.broken.get(name, "cannot be set up"), service=name)
        return found

    def _helpdesk(self, name: str) -> list[Finding]:
        probe = Probe()
        try:
            desk = self._desk(name)
        except ConnectorError as error:
            probe.add("account", "set-up", "wrong", error.sentence)
            return probe.found
        probe.found += desk.examine(self._needs[name])
        policy = self._policy
        let_in = not any(finding.stands_in_the_way for finding in probe.found if finding.subject == "credentials")
        if let_in and policy is not None:
            probe.asking("mapping", "mapping", lambda: self._mapping(probe, desk, policy), necessary=True)
        return probe.found

    def _mapping(self, probe: Probe, desk: Helpdesk, policy: triage.Policy) -> None:
        """Each value that the mapping names and the helpdesk would refuse. Fields that are not there were told."""
        wrong = policy.lint(desk.vocabulary(), absent=False)
        for problem in wrong:
            probe.add("mapping", f"{problem.file}:{problem.line}", "wrong", problem.message)
        if not wrong:
            probe.ok("mapping", "mapping", "every group, brand, form and value it names is there")

    def _source(self, name: str) -> list[Finding]:
        probe = Probe()
        source = self._assembly.sources.get(name)
        if source is None:
            probe.add("account", "set-up", "wrong", self._assembly.broken.get(name, "cannot be set up"))
            return probe.found
        try:
            identity = source.check()
        except ConnectorError as error:
            return [refused(error, f"docs/sources/{source.type}.md says how")]
        notes = identity.notes or (() if source.replies else ("can be read, not answered",))
        probe.ok("account", "credentials", say.identified(identity, name, notes))
        return probe.found


def _tried(account: str, subject: str, do: Callable[[], str], aloud: bool) -> _Done:
    """Do it, and say how it ended."""
    try:
        done = _Done(account, subject, do(), True)
    except ConnectorError as error:
        done = _Done(account, subject, f"{subject}: could not be done: {masked(told(error))}", False)
    if aloud:
        mark = click.style("done   ", fg="green") if done.ok else click.style("failed ", fg="red")
        say.data(f"  {mark}  {account}: {done.sentence}")
    return done


def _chosen(settings: Config, names: Sequence[str]) -> list[str]:
    for name in names:
        if name not in settings.helpdesks:
            raise click.UsageError(f'there is no helpdesk "{name}"{did_you_mean(name, settings.helpdesks)}')
    return list(dict.fromkeys(names)) or list(settings.helpdesks)


def _policy(place: Place, settings: Config) -> tuple[triage.Policy | None, list[Finding]]:
    """The mapping; or its mistakes, which keep nothing else from being looked at."""
    try:
        return place.policy(settings.mappings), []
    except ConfigError as error:
        return None, [
            Finding("mapping", f"{one.file}:{one.line}", "wrong", f"{one.path}: {one.message}".removeprefix(": "))
            for one in error.problems
        ]


# --- here --------------------------------------------------------------------------------------------------


def _here(settings: Config) -> list[Finding]:
    """What this machine and its configuration have to have."""
    probe = Probe()
    _store(probe, settings)
    _public_url(probe, settings)
    return probe.found


def _store(probe: Probe, settings: Config) -> None:
    try:
        store = Store(settings.store)
    except ConnectorError as error:
        probe.add("account", "store", "wrong", error.sentence, "mend `store` in config.yaml")
        return
    try:
        if store.path is not None and not store.path.exists():
            words = f"{store.shown} is not there yet: the first `connector run` makes it"
            probe.add("account", "store", "missing", words, necessary=False)
            return
        store.look()
        probe.ok("account", "store", f"{store.shown} can be read and is up to date")
    except ConnectorError as error:
        probe.add("account", "store", "wrong", told(error))
    finally:
        store.close()


def _public_url(probe: Probe, settings: Config) -> None:
    url = settings.server.public_url
    if not url:
        words = "not set: nobody can tell helpdesks where to call; answers are then found by polling"
        probe.add(
            "account",
            "public_url",
            "missing",
            words,
            "let a web server with TLS pass /hooks/ on to " + settings.server.listen,
            "in config.yaml, server: public_url: https://its.address",
            necessary=False,
        )
        return
    at_home = [name for name, options in settings.helpdesks.items() if _loopback(getattr(options, "base_url", ""))]
    if _loopback(url) and len(at_home) < len(settings.helpdesks):
        words = f"{url} is this machine: no helpdesk in the internet can call it"
        probe.add("account", "public_url", "wrong", words, "in config.yaml, server: public_url: https://…")
        return
    name = next(iter(settings.helpdesks))
    door = Http("public_url", timeout=(5.0, 10.0))
    try:
        answer = door.call(
            "POST", settings.server.hook_url(name), operation="reach", json={}, expect=range(300, 600), read=None
        )
    except ConnectorError as error:
        _unreached(probe, url, told(error))
    else:
        # an unsigned call is refused by us in this way, and nothing is stored of it
        ours = answer.status in (401, 403) and answer.text.startswith('{"error"')
        if ours:
            probe.ok("account", "public_url", f"{url} leads to a connector that runs")
        else:
            _unreached(probe, url, f"it answered HTTP {answer.status}")
    finally:
        door.close()


def _unreached(probe: Probe, url: str, why: str) -> None:
    words = f"from here no connector is seen behind {url}: {why}"
    probe.add(
        "account",
        "public_url",
        "unknown",
        words,
        "does a connector run, and does your web server pass /hooks/ on to it?",
        necessary=False,
    )


def _loopback(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    return host == "localhost" or host.startswith("127.") or host == "::1"


def _write_alone(file: Path, secret: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    try:
        handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        if file.read_text(encoding="utf-8").strip() != secret:
            raise ConnectorError(f"{file} holds something else; take it away, or name another file") from None
        file.chmod(0o600)
        return
    except OSError as error:
        raise ConnectorError(f"{file} cannot be written: {error.strerror}") from None
    with os.fdopen(handle, "w", encoding="utf-8") as stream:
        stream.write(secret + "\n")


# --- telling -----------------------------------------------------------------------------------------------


def _agreed(makeable: Sequence[tuple[str, Finding]], yes: bool) -> bool:
    if yes:
        return True
    say.notice("")
    for account, finding in makeable:
        say.notice(f"  {account}: {finding.subject}: {finding.sentence}")
    return click.confirm("Make these at the helpdesk?", err=True)


def _print(found: Sequence[tuple[str, Finding]], settings: Config) -> None:
    accounts = list(dict.fromkeys(account for account, _ in found))
    width = min(24, max((len(finding.subject) for _, finding in found), default=0))
    for account in accounts:
        say.data(click.style(_title(account, settings), bold=True))
        for owner, finding in found:
            if owner == account:
                _print_one(finding, width)
        say.data()


def _title(account: str, settings: Config) -> str:
    if account == HERE:
        return f"{HERE}  {settings.file}"
    options = settings.helpdesks.get(account) or settings.sources[account]
    where = next(
        (str(at) for key in ("base_url", "url", "server", "service") if (at := getattr(options, key, ""))), ""
    )
    return f"{account}  {options.type}" + (f", {where}" if where else "")


def _print_one(finding: Finding, width: int) -> None:
    colour = _COLOURS[finding.state] if finding.necessary or finding.state == "ok" else "yellow"
    state = click.style(finding.state.ljust(7), fg=colour)
    say.data(f"  {state}  {finding.subject.ljust(width)}  {masked(finding.sentence)}")
    for number, step in enumerate(finding.steps):
        mark = "→" if number == 0 else " "
        say.data(f"           {' ' * width}  {mark} {step}")


def _close(
    found: Sequence[tuple[str, Finding]],
    makeable: Sequence[tuple[str, Finding]],
    done: Sequence[_Done],
    *,
    mended: bool,
) -> None:
    """What remains, in a sentence or two."""
    left = [(account, one) for account, one in found if one.stands_in_the_way]
    if done and left:
        say.data("")
        say.data("what remains:")
        for account, finding in left:
            _print_one(replace(finding, subject=f"{account}: {finding.subject}"), 0)
    others = sum(finding.state != "ok" and not finding.necessary for _, finding in found)
    in_the_way = f"{say.count(len(left), 'thing')} in the way" if left else "nothing in the way"
    say.notice(f"{in_the_way}, {others} worth a look" if left or others else "all is well")
    if makeable and not mended:
        say.notice(f"{len(makeable)} of them can be made for you: connector doctor --apply")


def _document(found: Sequence[tuple[str, Finding]], done: Sequence[_Done]) -> dict[str, Any]:
    rows = [
        {
            "account": account,
            "section": one.section,
            "subject": one.subject,
            "state": one.state,
            "necessary": one.necessary,
            "sentence": masked(one.sentence),
            "steps": list(one.steps),
            "can_apply": bool(one.remedy),
        }
        for account, one in found
    ]
    in_the_way = any(finding.stands_in_the_way for _, finding in found)
    return {"ok": not in_the_way, "findings": rows, "applied": [asdict(one) for one in done]}


COMMANDS = (doctor,)
