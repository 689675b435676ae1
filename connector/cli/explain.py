"""`connector explain`: why a mention became what it became, in words and as JSON."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import click

from connector import config, mentionjson, triage
from connector.cli import say
from connector.errors import BadHook, ConnectorError
from connector.model import Deadlines, Decision, Mention, decode
from connector.store import Store, journal

_FOLDER = click.Path(file_okay=False, exists=True, path_type=Path)
_FILE = click.Path(dir_okay=False, exists=True, path_type=Path, allow_dash=False)


@click.command()
@click.argument("reference", required=False)
@click.option("--file", "file", type=_FILE, help="A mention as JSON (see `connector schema mention`).")
@click.option("--source", default="file", show_default=True, help="The source's name, for a file.")
@click.option("--mappings", "folder", type=_FOLDER, help="The folder, if not the configuration's.")
@click.option("--json", "as_json", is_flag=True, help="For scripts.")
@click.pass_context
def explain(
    ctx: click.Context, reference: str | None, file: Path | None, source: str, folder: Path | None, as_json: bool
) -> None:
    """Say why: which rule set what, for a mention in a file or one in the journal.

    REFERENCE is a delivery's number, SOURCE:ID of a mention, or ticket:ID.
    """
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
        mention, decided, standing = _from_journal(ctx.obj.config(), str(reference))
    policy = ctx.obj.policy(folder)
    decision = decided or policy.decide(mention)
    if as_json:
        say.as_json(explained(mention, decision))
        return
    if standing:
        say.data(f"journal   {standing}")
    _print_decision(mention, decision)
    if decided is None:
        for outcome in policy.outcomes(mention):
            if not outcome.fitted:
                say.data(f"not met   {outcome.rule} ({outcome.place}): {outcome.why}")


def _from_journal(settings: config.Config, reference: str) -> tuple[Mention, Decision | None, str]:
    store = Store(settings.store)
    with store.read() as tx:
        row = journal.show_delivery(tx, reference)
    store.close()
    if row is None:
        raise ConnectorError(
            f'the journal knows nothing of "{reference}"; `connector deliveries list` shows what it knows'
        )
    if row.kind != "mention":
        raise ConnectorError(
            f"delivery {row.id} is a {row.kind}; `connector deliveries show {row.id}` tells about it"
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
        "score": decision.score,
        "priority": settings.priority,
        "deadlines": _due(decision.deadlines),
        "rules": list(decision.rules),
        "set": changed,
        "subject": decision.subject,
        "suggestion": decision.suggestion,
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
    say.data(f"rules     {', '.join(decision.rules) or 'none met'}")
    if not decision.ignored:
        say.data(f"subject   {decision.subject}")
    for because in decision.because:
        say.data(f"because   {triage.because_line(because)}")


COMMANDS = (explain,)
