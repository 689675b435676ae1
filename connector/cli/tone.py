"""`connector tone`: how texts feel, one JSON line each; how well that is read; a model of one's own."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from connector import triage
from connector.cli import say
from connector.cli.place import Place, opened
from connector.errors import ConnectorError
from connector.store import tickets
from connector.triage.facts import Said
from connector.triage.tone import Ngrams, agents
from connector.triage.tone.adapt import adapt
from connector.triage.tone.detect import Reader
from connector.triage.tone.labelled import Labelled, Measure, language_of, measured, read_labelled
from connector.triage.tone.weights import CLASSES, load_model

_TSV = click.Path(dir_okay=False, exists=True, path_type=Path)


@click.group(invoke_without_command=True)
@click.option("--language", default="", help="What the texts are in, such as ru or en, where a line does not say.")
@click.option("--model", type=_TSV, help="A model file, in place of what the mapping says.")
@click.option(
    "--mappings",
    type=click.Path(file_okay=False, exists=True, path_type=Path),
    help="The folder, if not the configuration's.",
)
@click.pass_context
def tone(ctx: click.Context, language: str, model: Path | None, mappings: Path | None) -> None:
    """Say how texts feel, one JSON line each.

    They are read from standard input. A line is a text, or a JSON object with "text" and maybe "title" and
    "language". Read with the mapping's `tone:` settings where there is a mapping, else with the shipped model.
    """
    ctx.obj = (_detector(ctx, model, mappings), ctx.obj)
    if ctx.invoked_subcommand is None:
        if sys.stdin.isatty():
            say.notice("one text a line; Ctrl-D ends")
        for line in sys.stdin.buffer:
            said, given = _line(line.decode("utf-8", "replace").rstrip("\r\n"))
            click.echo(json.dumps(_judged(ctx.obj[0], said, given or language), ensure_ascii=False))


def _detector(ctx: click.Context, model: Path | None, mappings: Path | None) -> triage.ToneDetector:
    if model is not None:
        return Ngrams(load_model(model))
    folder = mappings or ctx.obj.mappings()
    return ctx.obj.policy(folder).detector if folder.is_dir() else Ngrams()


def _line(line: str) -> tuple[str, str]:
    """The text and the language that a line gives."""
    if line.lstrip().startswith("{"):
        try:
            found = json.loads(line)
        except ValueError:
            return line, ""
        if isinstance(found, dict) and isinstance(found.get("text"), str):
            title, language = found.get("title"), found.get("language") or found.get("lang")
            text = f"{title}\n{found['text']}" if isinstance(title, str) and title else found["text"]
            return text, language if isinstance(language, str) else ""
    return line, ""


def _judged(detector: triage.ToneDetector, text: str, language: str) -> dict[str, Any]:
    language = language.strip().lower().replace("_", "-").partition("-")[0] or language_of(text)
    if isinstance(detector, Reader):
        reading = detector.read(text, language)
        found, chances = reading.tone, dict(zip(CLASSES, _rounded(reading.probabilities), strict=True))
    else:
        found, chances = detector.detect(Said(text), language), None
    return {
        "label": found.label,
        "score": found.score,
        "confidence": found.confidence,
        "language": language or "unknown",
        "evidence": list(found.evidence),
        "probabilities": chances,
    }


def _rounded(chances: tuple[float, float, float]) -> tuple[float, float, float]:
    """Four places, and still 1 together."""
    first, last = round(chances[0], 4), round(chances[2], 4)
    return first, round(1 - first - last, 4), last


@tone.command()
@click.argument("file", type=_TSV)
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for scripts.")
@click.pass_context
def evaluate(ctx: click.Context, file: Path, as_json: bool) -> None:
    """Measure the reading on labelled texts.

    A TSV with `text`, `label` (negative, neutral, positive) and maybe `lang`, named in its first line.
    """
    detector = ctx.obj[0]
    if not isinstance(detector, Reader):
        raise ConnectorError("the mapping's detector tells no probabilities to measure; give --model to measure ours")
    rows, left_out = read_labelled(file)
    if not rows:
        raise ConnectorError(f"{file} has no row labelled {', '.join(CLASSES)}")
    measure = measured(rows, detector)
    if as_json:
        say.as_json(measure.as_json() | {"left_out": left_out})
        return
    _print(measure)
    if left_out:
        say.notice(f"{left_out} rows with another label or no text were left out")


@tone.command()
@click.argument("files", type=_TSV, nargs=-1, required=True)
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    default=Path("tone.bin.gz"),
    show_default=True,
    help="The model file to write.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for scripts.")
@click.pass_context
def train(ctx: click.Context, files: tuple[Path, ...], out: Path, as_json: bool) -> None:
    """Fit the model to your own labelled texts.

    The files are as for `evaluate`. Every fifth text is first kept apart, to say what the new model is worth. Put the
    written file beside the mapping and name it there: `tone: {model: tone.bin.gz}`.
    """
    detector = _own(ctx)
    rows: list[Labelled] = []
    left_out = 0
    for file in files:
        found, others = read_labelled(file)
        rows += found
        left_out += others
    adapted = adapt(detector.model, rows)
    try:
        adapted.model.save(out)
    except OSError as error:
        raise ConnectorError(f"{out} cannot be written: {error.strerror or error}") from error
    if as_json:
        both = {"before": adapted.before.as_json(), "after": adapted.after.as_json()}
        say.as_json(both | {"texts": len(rows), "left_out": left_out, "file": str(out)})
        return
    say.data(f"{len(rows)} texts, {adapted.before.count} of them kept apart to measure")
    say.data(f"macro-F1 on those: {adapted.before.macro_f1:.3f} before, {adapted.after.macro_f1:.3f} after")
    _print(adapted.after)
    say.data(f"written {out}: name it in the mapping, tone: {{model: {out.name}}}")
    if adapted.after.macro_f1 <= adapted.before.macro_f1:
        say.notice("it reads no better than before: give it more labelled texts before you use it")


def _own(ctx: click.Context) -> Ngrams:
    detector = ctx.obj[0]
    if not isinstance(detector, Ngrams):
        raise ConnectorError("the mapping names another detector; give --model to fit a model of ours")
    return detector


def _print(measure: Measure) -> None:
    say.data(f"texts {measure.count}   macro-F1 {measure.macro_f1:.3f}   accuracy {measure.accuracy:.3f}")
    told = measure.told / max(1, measure.count)
    say.data(f"not unknown {told:.0%}, of those right {measure.told_right / max(1, measure.told):.0%}")
    rows = [
        (
            name,
            *measure.table[at],
            f"{measure.precision(at):.2f}",
            f"{measure.recall(at):.2f}",
            f"{measure.f1(at):.2f}",
        )
        for at, name in enumerate(CLASSES)
    ]
    say.table(rows, ("is \\ read as", *CLASSES, "precision", "recall", "F1"))


@tone.command()
@click.option("--least", default=3, type=click.IntRange(2, 1000), show_default=True, help="Texts behind a proposal.")
@click.option(
    "--export",
    "export",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write the texts and agents' labels there, a TSV for `tone train`.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for scripts.")
@click.pass_context
def report(ctx: click.Context, least: int, export: Path | None, as_json: bool) -> None:
    """Say how often agents agree with the tones read.

    Where `tone_field` is set for the helpdesk, what stands in that field is read back with the ticket: a tone an
    agent changed is a correction. Words that stand in several corrected texts are proposed for the mapping; look at
    them before you take them over.
    """
    judged = _judged_by_agents(ctx.obj[1])
    if not judged:
        raise ConnectorError(
            "no ticket with a tone was read back yet: set `tone_field` of the helpdesk, and have the mapping put the"
            " tone into that field (tables: tone)"
        )
    found = agents.report(judged, least)
    if export is not None:
        _export(agents.learnable(judged), export)
    if as_json:
        say.as_json(
            {
                "texts": found.texts,
                "left": found.left,
                "agreement": round(found.agreement, 4),
                "groups": [
                    {"source": source, "language": language, "texts": texts, "left": left}
                    for (source, language), (texts, left) in found.groups.items()
                ],
                "changes": [{"read": a, "agent": b, "texts": n} for (a, b), n in found.changes.items()],
                "proposals": [asdict(one) for one in found.proposals],
            }
        )
        return
    say.data(f"{say.count(found.texts, 'ticket')} with a tone, {found.agreement:.0%} left as it was read")
    rows = [(s, lang, n, f"{left / n:.0%}") for (s, lang), (n, left) in found.groups.items()]
    say.table(rows, ("source", "language", "tickets", "agreement"))
    if found.changes:
        say.data()
        say.table([(a, b, n) for (a, b), n in found.changes.items()], ("read as", "agents say", "tickets"))
    if found.proposals:
        say.data()
        say.data("to be looked at, for the mapping:")
        say.data("tone:")
        say.data("  words:")
        for label in CLASSES:
            words = [one.word for one in found.proposals if one.label == label]
            if words:
                say.data(f"    {label}: [{', '.join(words)}]")


def _judged_by_agents(place: Place) -> list[agents.Judged]:
    found = []
    with opened(place.config()) as store, store.read() as tx:
        for mention, decision, value, settled in tickets.toned(tx):
            theirs = agents.tone_in(value)
            if theirs is not None:
                text = f"{mention.title}\n{mention.text}" if mention.title else mention.text
                one = agents.Judged(
                    text, decision.tone.label, theirs, decision.language, mention.source, settled=settled
                )
                found.append(one)
    return found


def _export(judged: list[agents.Judged], file: Path) -> None:
    try:
        agents.write_labelled(judged, file)
    except OSError as error:
        raise ConnectorError(f"{file} cannot be written: {error.strerror or error}") from error
    say.notice(f"{say.count(len(judged), 'text')} written to {file}: connector tone train {file}")


COMMANDS = (tone,)
