"""`connector explain`: why a mention became what it became, in words and as JSON."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import click

from connector import config, mentionjson
from connector.cli import say
from connector.cli.place import Place, opened
from connector.errors import BadHook, ConnectorError
from connector.model import Deadlines, Decision, Mention, decode
from connector.store import journal

_FOLDER = click.Path(file_okay=False, exists=True, path_type=Path)
_FILE = click.Path(dir_okay=False, exists=True, path_type=Path, allow_dash=False)


@click.command()
@click.argument("reference", required=False)
@click.option("--file", "file", type=_FILE, help="A mention as JSON (see `connector schema mention`).")
@click.option("--source", default="file", show_default=True, help="The source's name, for a file.")
@click.option("--mappings", "folder", type=_FOLDER, help="The folder, if not the configuration's.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for scripts.")
@click.pass_context
def explain(
    ctx: click.Context, reference: str | None, file: Path | None, source: str, folder: Path | None, as_json: bool
) -> None:
    """Say why a mention became what it became.

    Which rule set what, at which line, for a mention in the journal or one in a file; and which rules did not fit.
    REFERENCE is a delivery's number, SOURCE:ID of a mention, or ticket:ID.
    """
    place: Place = ctx.obj
    if (reference is None) == (file is None):
        raise click.UsageError("give a REFERENCE from the journal, or --file with a mention")
    standing = ""
    if file is not None:
        try:
            mentions = mentionjson.read_mentions(
                file.read_bytes(), source=source, platform=source, received_at=time.time()
            )
        except BadHook as error:
            raise ConnectorError(f"{file}: {error.sentence}") from None
        if len(mentions) != 1:
            raise ConnectorError(f"{file} holds {len(mentions)} mentions; `connector preview --file` takes many")
        mention = mentions[0]
        decided = None
    else:
        mention, decided, standing = _from_journal(place.config(), str(reference))
    unfit: list[tuple[str, str, str]] = []
    if decided is None:
        policy = place.policy(folder)
        decided = policy.decide(mention)
        unfit = [(one.rule, one.place, one.why) for one in policy.outcomes(mention) if not one.fitted]
    if as_json:
        say.as_json(explained(mention, decided))
        return
    if standing:
        say.data(f"journal   {standing}")
    _print_decision(mention, decided)
    for line in say.columns(unfit):
        say.data(f"not       {line}")


def _from_journal(settings: config.Config, reference: str) -> tuple[Mention, Decision | None, str]:
    with opened(settings) as store, store.read() as tx:
        row = journal.show_delivery(tx, reference)
    if row is None:
        raise ConnectorError(
            f'the journal knows nothing of "{reference}"; `connector deliveries list` shows what it knows'
        )
    if row.kind != "mention":
        raise ConnectorError(
            f"delivery {row.id} is a {row.kind}; `connector deliveries show {row.id}` tells about it"
        )
    if row.erased_at is not None:
        raise ConnectorError(
            f"what delivery {row.id} said was erased {say.ago(row.erased_at)}; why it became what it is, too"
        )
    ticket = f", ticket {row.ticket}" if row.ticket else ""
    reason = f": {row.reason}" if row.reason else ""
    decision = decode(Decision, row.trace) if row.trace else None
    return decode(Mention, row.body), decision, f"delivery {row.id}, {row.state}{reason}{ticket}"


def explained(mention: Mention, decision: Decision) -> dict[str, Any]:
    """A decision in the form that `explain --json` promises."""
    settings = decision.settings
    changed = {
        name: value
        for name in ("priority", "type", "status", "group", "brand", "form", "problem")
        if (value := getattr(settings, name)) is not None
    }
    changed |= {"tags": list(settings.tags)} if settings.tags else {}
    changed |= {"fields": dict(settings.fields)} if settings.fields else {}
    tone = decision.tone
    return {
        "decision": "ignore" if decision.ignored else "ticket",
        "reason": decision.ignored,
        "tone": {
            "label": tone.label,
            "score": tone.score,
            "confidence": tone.confidence,
            "language": decision.language,
            "evidence": list(tone.evidence),
            "by": tone.by,
        },
        "kind": mention.kind,
        "feedback": list(decision.feedback),
        "answer_expected": decision.answer_expected,
        "owner": decision.owner,
        "role": decision.role,
        "score": decision.score,
        "priority": settings.priority,
        "deadlines": _due(decision.deadlines),
        "rules": list(decision.rules),
        "set": changed,
        "subject": decision.subject,
        "suggestion": decision.suggestion,
        "answer": decision.answer,
        "topic": decision.topic,
        "because": [
            {"field": b.field, "value": b.value, "rule": b.rule, "place": b.place, "why": b.why}
            for b in decision.because
        ],
        "policy": decision.policy,
    }


def _due(due: Deadlines | None) -> dict[str, Any] | None:
    if due is None:
        return None
    instants = {name: getattr(due, name).isoformat() for name in ("target", "breach", "ceiling")}
    return {"deadline": due.rule, "within": due.within, "calendar": due.calendar} | instants


def _print_decision(mention: Mention, decision: Decision) -> None:
    tone = decision.tone
    say.data(
        f"decision  {'ignored: ' + decision.ignored if decision.ignored else 'ticket'}   policy {decision.policy}"
    )
    evidence = ", ".join(f"«{word}»" for word in tone.evidence) or "no evidence words"
    say.data(
        f"tone      {tone.label} ({tone.score:+.2f}, confidence {tone.confidence:.2f}, by {tone.by})  {evidence}"
    )
    say.data(f"language  {decision.language or 'unknown'}")
    say.data(f"kind      {mention.kind}{', private' if mention.private else ''}")
    answer = "an answer is expected" if decision.answer_expected else "no answer is expected"
    say.data(f"feedback  {', '.join(decision.feedback) or 'of no known kind'}; {answer}")
    if not decision.ignored:
        score = f" (score {decision.score})" if decision.score is not None else ""
        say.data(f"priority  {decision.settings.priority}{score}")
    due = decision.deadlines
    if due is not None:
        steps = ", ".join(
            f"{name} {getattr(due, name):%Y-%m-%d %H:%M UTC}" for name in ("target", "breach", "ceiling")
        )
        say.data(f"deadline  {due.rule}: {steps}")
    say.data(f"rules     {', '.join(decision.rules) or 'none fired'}")
    if not decision.ignored:
        say.data(f"subject   {decision.subject}")
    because = [(one.field, _shown(one.value), one.rule, one.place, one.why) for one in decision.because]
    for line in say.columns(because):
        say.data(f"because   {line}")


def _shown(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, tuple | list) else str(value)


COMMANDS = (explain,)
