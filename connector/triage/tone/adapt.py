"""Takes a tone model on to a company's own labelled texts: the same features, weights moved as far as the texts say.

Logistic regression by stochastic steps (AdaGrad) from the model's weights, which every weight is drawn back to, so
that a few hundred tickets correct what they know about and leave the rest. Pure Python: ten thousand texts take well
under a minute. The same texts give the same model, in whatever order they come.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from zlib import crc32

from connector.errors import ConnectorError
from connector.triage.facts import fold
from connector.triage.tone.detect import Ngrams
from connector.triage.tone.hints import shipped_hints
from connector.triage.tone.labelled import Labelled, Measure, measured
from connector.triage.tone.ngrams import MOST_TEXT, features, tokens, values
from connector.triage.tone.weights import CLASSES, Model, Three, softmax

LEAST = 50
LEAST_OF_A_CLASS = 10
LEAST_OF_A_LANGUAGE = 100

_ROUNDS = 4
_STEP = 0.35
_PULL = 0.002
_HELD_OUT = 5


@dataclass(frozen=True, slots=True)
class Adapted:
    """A model taken on to all the texts, and how one taken on to four fifths of them read the last fifth, beside the
    model it came from."""

    model: Model
    before: Measure
    after: Measure


def adapt(model: Model, rows: Sequence[Labelled]) -> Adapted:
    """The adapted model and its measure. ConnectorError when the texts are too few to learn from."""
    counts = Counter(row.label for row in rows)
    if len(rows) < LEAST or sum(count >= LEAST_OF_A_CLASS for count in counts.values()) < 2:
        had = ", ".join(f"{counts[at]} {name}" for at, name in enumerate(CLASSES))
        raise ConnectorError(
            f"too few labelled texts to learn from ({had}); it takes {LEAST} or more, and {LEAST_OF_A_CLASS} or more "
            "of two classes"
        )
    held = [row for row in rows if _lot(row) % _HELD_OUT == 0]
    kept = [row for row in rows if _lot(row) % _HELD_OUT]
    before = measured(held, Ngrams(model))
    after = measured(held, Ngrams(_fitted(model, kept)))
    return Adapted(_fitted(model, rows), before, after)


def _fitted(model: Model, rows: Sequence[Labelled]) -> Model:
    start = [[weight * model.scale for weight in table] for table in model.weights]
    tables = [table.copy() for table in start]
    languages = Counter(row.language for row in rows)
    bias = {name: list(three) for name, three in model.bias.items()}
    for name, count in languages.items():
        if name not in bias and count >= LEAST_OF_A_LANGUAGE:
            bias[name] = list(model.bias[""])
    counts = Counter(row.label for row in rows)
    weight = [sqrt(len(rows) / (3 * counts[at])) if counts[at] else 0.0 for at in range(3)]
    ready = [
        (
            values(features(row.text, tokens(row.text)), model.rarity),
            model.hint * shipped_hints().score(fold(row.text[:MOST_TEXT])),
            row,
        )
        for row in rows
    ]
    squares: list[dict[int, float]] = [{}, {}, {}]
    bias_squares = {name: [1.0, 1.0, 1.0] for name in bias}
    for turn in range(_ROUNDS):
        ready.sort(key=lambda one: (_lot(one[2], turn), one[2].text))
        for weighed, hint, row in ready:
            own = row.language if row.language in bias else ""
            _step(weighed, hint, row.label, weight[row.label], tables, start, squares, bias[own], bias_squares[own])
    biases: dict[str, Three] = {
        name: (round(a, 4), round(b, 4), round(c, 4)) for name, (a, b, c) in sorted(bias.items())
    }
    about = {**model.about, "adapted": {"texts": len(rows), **{CLASSES[at]: counts[at] for at in range(3)}}}
    return model.with_weights(tables, biases, about)


def _lot(row: Labelled, turn: int = 0) -> int:
    """A number drawn for this text and this turn, the same whenever it is drawn."""
    return crc32(row.text.encode("utf-8", "surrogatepass"), turn)


def _step(
    weighed: dict[int, float],
    hint: float,
    label: int,
    importance: float,
    tables: list[list[float]],
    start: list[list[float]],
    squares: list[dict[int, float]],
    bias: list[float],
    bias_squares: list[float],
) -> None:
    """One text's step."""
    logits = [sum(table[bucket] * value for bucket, value in weighed.items()) for table in tables]
    chances = softmax((logits[0] + bias[0] - hint, logits[1] + bias[1], logits[2] + bias[2] + hint))
    for at in range(3):
        slope = importance * (chances[at] - (at == label))
        bias_squares[at] += slope * slope
        bias[at] -= 0.1 * slope / sqrt(bias_squares[at])
        table, origin, seen = tables[at], start[at], squares[at]
        for bucket, value in weighed.items():
            pull = slope * value + _PULL * (table[bucket] - origin[bucket])
            total = seen.get(bucket, 0.01) + pull * pull
            seen[bucket] = total
            table[bucket] -= _STEP * pull / sqrt(total)
