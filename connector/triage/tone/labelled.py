"""Labelled texts: reading them from TSV, and how well a model reads them.

A file has a head line with `text` and `label`, and may have `lang`. Labels are the three classes or the five steps
(very_negative counts as negative); rows with any other label are left out and counted.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from connector.errors import ConnectorError
from connector.triage.facts import Said
from connector.triage.language import detect_language
from connector.triage.tone.detect import Reader
from connector.triage.tone.weights import CLASSES

_FOLDED = {"very_negative": "negative", "very_positive": "positive", "neg": "negative", "neu": "neutral"} | {
    "pos": "positive"
}


@dataclass(frozen=True, slots=True)
class Labelled:
    """A text and what a person said of it: 0 negative, 1 neutral, 2 positive. `source` is where it was said, if the
    file tells."""

    text: str
    label: int
    language: str
    source: str = ""


@dataclass(frozen=True, slots=True)
class Measure:
    """How well a model reads: `table[a][b]` counts texts of class a that were read as b, always the likeliest class.
    `told` and `told_right` count those whose label was not `unknown`, and those of them that were right."""

    table: tuple[tuple[int, ...], ...]
    told: int
    told_right: int

    @property
    def count(self) -> int:
        """How many texts."""
        return sum(map(sum, self.table))

    @property
    def accuracy(self) -> float:
        """The share that was read right."""
        return sum(self.table[at][at] for at in range(3)) / max(1, self.count)

    def precision(self, group: int) -> float:
        """Of those read as this class, the share that is."""
        return self.table[group][group] / max(1, sum(row[group] for row in self.table))

    def recall(self, group: int) -> float:
        """Of this class, the share that was found."""
        return self.table[group][group] / max(1, sum(self.table[group]))

    def f1(self, group: int) -> float:
        """Both in one; 0 where there is nothing."""
        both = self.precision(group) + self.recall(group)
        return 2 * self.precision(group) * self.recall(group) / both if both else 0.0

    @property
    def macro_f1(self) -> float:
        """The mean of the three, so that a rare class counts as much as a common one."""
        return sum(map(self.f1, range(3))) / 3

    def as_json(self) -> dict[str, Any]:
        """What `connector tone evaluate --json` promises."""
        return {
            "texts": self.count,
            "macro_f1": round(self.macro_f1, 4),
            "accuracy": round(self.accuracy, 4),
            "classes": {
                name: {
                    "precision": round(self.precision(at), 4),
                    "recall": round(self.recall(at), 4),
                    "f1": round(self.f1(at), 4),
                    "texts": sum(self.table[at]),
                }
                for at, name in enumerate(CLASSES)
            },
            "confusion": {name: dict(zip(CLASSES, self.table[at], strict=True)) for at, name in enumerate(CLASSES)},
            "not_unknown": round(self.told / max(1, self.count), 4),
            "accuracy_of_those": round(self.told_right / max(1, self.told), 4),
        }


def read_labelled(path: Path) -> tuple[list[Labelled], int]:
    """The rows of a file and how many were left out for their label. ConnectorError when it cannot be read."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE, escapechar="\\")
            if not {"text", "label"} <= set(reader.fieldnames or ()):
                raise ConnectorError(f"{path} needs a first line that names its columns: text, label and maybe lang")
            rows = list(reader)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ConnectorError(f"{path} cannot be read as TSV in UTF-8: {error}") from error
    found: list[Labelled] = []
    for row in rows:
        text, language = row["text"] or "", (row.get("lang") or "").strip().lower()
        plain = (row["label"] or "").strip().lower()
        plain = _FOLDED.get(plain, plain)
        if plain in CLASSES and text.strip():
            found.append(Labelled(text, CLASSES.index(plain), language or language_of(text), row.get("source") or ""))
    return found, len(rows) - len(found)


def language_of(text: str) -> str:
    """The language a text is in, "" where that is not known."""
    said = Said(text)
    return detect_language(said.raw, said.words)


def measured(rows: Sequence[Labelled], detector: Reader) -> Measure:
    """How the detector reads these."""
    table = [[0, 0, 0], [0, 0, 0], [0, 0, 0]]
    told = right = 0
    for row in rows:
        reading = detector.read(row.text, row.language)
        best = max(range(3), key=reading.probabilities.__getitem__)
        table[row.label][best] += 1
        if reading.tone.label != "unknown":
            told += 1
            right += best == row.label
    return Measure(tuple(tuple(row) for row in table), told, right)
