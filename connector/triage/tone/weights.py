"""A tone model: what each bucket of features says for negative, neutral and positive, in one small file.

The file is gzip of a line of JSON (what it is, where it comes from, its licence) and four tables of bytes: how rare
each bucket is, and its weight for each of the three classes. The one rule: a file of another version is refused,
never half understood.
"""

from __future__ import annotations

import gzip
import json
import math
import zlib
from array import array
from dataclasses import dataclass, field, replace
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

from connector.errors import ConnectorError
from connector.triage.tone.ngrams import BUCKETS, VERSION

CLASSES = ("negative", "neutral", "positive")
SHIPPED = "tone.bin.gz"

_MAGIC = "connector tone"
_MOST_FILE = 16 * 1024 * 1024

Three = tuple[float, float, float]


@dataclass(frozen=True, eq=False)
class Model:
    """Weights as whole numbers, -127 to 127; times `scale` they are log-odds. `bias` is per language, "" for others;
    `hint` is how far the word list may push; `about` is what the file says of itself."""

    rarity: bytes = field(repr=False)
    weights: tuple[array[int], array[int], array[int]] = field(repr=False)
    scale: float
    bias: dict[str, Three]
    hint: float
    about: dict[str, Any]

    def logits(self, weighed: dict[int, float], language: str) -> Three:
        """The three log-odds of a text's values (see `ngrams.values`)."""
        for_neg, for_neu, for_pos = self.weights
        neg = neu = pos = 0.0
        for bucket, value in weighed.items():
            neg += value * for_neg[bucket]
            neu += value * for_neu[bucket]
            pos += value * for_pos[bucket]
        bias = self.bias.get(language) or self.bias[""]
        return neg * self.scale + bias[0], neu * self.scale + bias[1], pos * self.scale + bias[2]

    @property
    def languages(self) -> frozenset[str]:
        """What it was trained on; of other languages it knows nothing."""
        return frozenset(name for name in self.bias if name)

    def save(self, path: Path) -> None:
        """Write the file; the same model gives the same bytes."""
        head = {
            **self.about,
            "scale": self.scale,
            "bias": self.bias,
            "hint": self.hint,
            "kind": _MAGIC,
            "features": VERSION,
        }
        body = self.rarity + b"".join(table.tobytes() for table in self.weights)
        line = json.dumps(head, ensure_ascii=False, sort_keys=True).encode() + b"\n"
        path.write_bytes(gzip.compress(line + body, 9, mtime=0))

    def with_weights(self, tables: list[list[float]], bias: dict[str, Three], about: dict[str, Any]) -> Model:
        """The same features with other weights (log-odds, a table per class), made whole numbers again."""
        largest = max((abs(weight) for table in tables for weight in table), default=0.0) or 1.0
        scale = largest / 127
        rounded = [array("b", (round(weight / scale) for weight in table)) for table in tables]
        return replace(self, weights=(rounded[0], rounded[1], rounded[2]), scale=scale, bias=bias, about=about)


def softmax(logits: Three) -> Three:
    """Log-odds as probabilities."""
    most = max(logits)
    a, b, c = (math.exp(one - most) for one in logits)
    total = a + b + c
    return a / total, b / total, c / total


def read_model(content: bytes, name: str) -> Model:
    """The model in the bytes of a file. ConnectorError, with the way out, when it is none or of another version."""
    try:
        raw = gzip.decompress(content) if len(content) <= _MOST_FILE else b""
        line, _, body = raw.partition(b"\n")
        head = json.loads(line)
        whole = head.pop("kind") == _MAGIC and len(body) == 4 * BUCKETS
        version = head.pop("features")
        bias = {str(key): (float(a), float(b), float(c)) for key, (a, b, c) in head.pop("bias").items()}
        scale, hint = float(head.pop("scale")), float(head.pop("hint"))
    except (OSError, EOFError, zlib.error, ValueError, KeyError, TypeError, AttributeError):
        whole, version, bias, scale, hint, head = False, VERSION, {}, 1.0, 0.0, {}
    if version != VERSION:
        raise ConnectorError(f"{name} is a tone model of another version; make it anew with `connector tone train`")
    if not whole or "" not in bias or not math.isfinite(scale + hint):
        raise ConnectorError(f"{name} is no tone model; `connector tone train` writes one")
    tables = [array("b", body[at * BUCKETS : (at + 1) * BUCKETS]) for at in (1, 2, 3)]
    return Model(body[:BUCKETS], (tables[0], tables[1], tables[2]), scale, bias, hint, head)


@cache
def shipped_model() -> Model:
    """The model in this package, read once, when first asked."""
    return read_model((resources.files(__package__) / SHIPPED).read_bytes(), SHIPPED)


def load_model(path: Path) -> Model:
    """The model in a file; ConnectorError when it cannot be used."""
    try:
        return read_model(path.read_bytes(), str(path))
    except OSError as error:
        raise ConnectorError(f"{path} cannot be read: {error.strerror or error}") from error
