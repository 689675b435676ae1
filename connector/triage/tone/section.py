"""Reads `tone:` of a mapping: whom to believe, which model reads, and the words that mean something else here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from connector.errors import ConnectorError
from connector.triage.sheet import Sheet, shown
from connector.triage.tone import Trust
from connector.triage.tone.detect import UNKNOWN_BELOW, Ngrams, ToneDetector, Words
from connector.triage.tone.weights import CLASSES, Model, load_model

KEYS = ("source", "stars", "unknown_below", "words", "model", "detector", "options")
BELIEF = ("believe", "ignore")

FindDetector = Callable[[str, Mapping[str, Any]], ToneDetector]
"""A detector by its name in the entry point group connector.tones, with its options; LookupError when there is
none, ConnectorError when it cannot be made."""


def read_tone(
    value: Any, sheet: Sheet, directory: Path, find: FindDetector | None
) -> tuple[ToneDetector, Trust, Path | None]:
    """The detector, whom to trust, and its model file (None: the shipped one). Mistakes go onto the sheet."""
    keys = sheet.mapping(value, ("tone",), f"a mapping with {', '.join(KEYS)}")
    sheet.keys(keys, ("tone",), KEYS, "a tone setting")
    trust = _trust(keys, sheet)
    path, model = _model(keys.get("model"), sheet, directory) if "model" in keys else (None, None)
    words = _words(keys["words"], sheet) if "words" in keys else None
    detector: ToneDetector = Ngrams(model, words, _threshold(keys, sheet))
    if "detector" in keys:
        for other in ("model", "words", "unknown_below"):
            if other in keys:
                sheet.wrong(("tone", other), "is for our own reading of the text; leave it out beside `detector`")
        detector = _other(keys, sheet, find) or detector
    elif "options" in keys:
        sheet.wrong(("tone", "options"), "are for a `detector`; name one", at_key=True)
    return detector, trust, path


def _trust(keys: Mapping[str, Any], sheet: Sheet) -> Trust:
    source, stars = keys.get("source", "believe"), keys.get("stars", "believe")
    believed = sheet.choice(stars, ("tone", "stars"), BELIEF, "believe or ignore") != "ignore"
    if isinstance(source, dict):
        named = sheet.mapping(source, ("tone", "source"), "believe, ignore, or one of them for each source by name")
        chosen = {
            name: sheet.choice(one, ("tone", "source", name), BELIEF, "believe or ignore") != "ignore"
            for name, one in named.items()
        }
        return Trust(sources=chosen, stars=believed)
    return Trust(sheet.choice(source, ("tone", "source"), BELIEF, "believe or ignore") != "ignore", stars=believed)


def _threshold(keys: Mapping[str, Any], sheet: Sheet) -> float:
    value = keys.get("unknown_below", UNKNOWN_BELOW)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        sheet.wrong(("tone", "unknown_below"), f"has to be a number from 0 to 1, not {shown(value)}")
        return UNKNOWN_BELOW
    return float(value)


def _model(value: Any, sheet: Sheet, directory: Path) -> tuple[Path | None, Model | None]:
    name = sheet.text(value, ("tone", "model"))
    if not name:
        return None, None
    path = directory / name
    try:
        return path, load_model(path)
    except ConnectorError as error:
        sheet.wrong(("tone", "model"), str(error))
        return None, None


def _words(value: Any, sheet: Sheet) -> Words:
    where = ("tone", "words")
    groups = sheet.mapping(value, where, f"a mapping from {', '.join(CLASSES)} to words")
    sheet.keys(groups, where, CLASSES, "a tone that words can have")
    entries: dict[str, list[str]] = {}
    owners: dict[str, str] = {}
    for group, listed in groups.items():
        for at, item in sheet.items(listed, (*where, group)):
            word = sheet.text(item, at)
            if not word or group not in CLASSES:
                continue
            try:
                Words({group: [word]})
            except ValueError:
                sheet.wrong(at, f'"{word}" has nothing in it that could be found in a text')
                continue
            if owners.setdefault(word, group) != group:
                sheet.wrong(at, f'"{word}" is already under {owners[word]}; keep one')
            entries.setdefault(group, []).append(word)
    return Words(entries)


def _other(keys: Mapping[str, Any], sheet: Sheet, find: FindDetector | None) -> ToneDetector | None:
    where = ("tone", "detector")
    name = sheet.text(keys["detector"], where)
    options = sheet.mapping(keys.get("options", {}), ("tone", "options"), "a mapping of the detector's own options")
    if not name:
        return None
    if find is None:
        sheet.wrong(where, f'"{name}" cannot be looked for here')
        return None
    try:
        return find(name, options)
    except LookupError as error:
        sheet.wrong(where, str(error.args[0]))
    except ConnectorError as error:
        sheet.wrong(where, str(error))
    return None
