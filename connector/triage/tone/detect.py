"""Reads a text with a tone model: three probabilities, a label in five steps or unknown, and the words it rests on.

The one rule: a guess is never forced. Below `unknown_below`, in a language the model never saw, or where there is
nothing to read, the label is `unknown`; the probabilities and the words are still told.

What the model cannot know is said beside it: words the admin has given a tone of their own (`Words`), and the marks
of irony, which turn praise that they stand next to.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import sqrt
from typing import Protocol, runtime_checkable

from connector.model import Tone, ToneLabel
from connector.triage.facts import Said, fold
from connector.triage.tone.hints import shipped_hints
from connector.triage.tone.ngrams import MOST_TEXT, NOTS, Token, counted, features, shapes_of, tokens, values
from connector.triage.tone.weights import CLASSES, Model, Three, shipped_model, softmax

UNKNOWN_BELOW = 0.45
VERY = 0.85

_SAID_AGAIN = 3
_OUTRIGHT = 3.0

_NEUTRAL = 1
_MOST_EVIDENCE = 8
_SAYS_NOTHING = frozenset('. , 0 : ; - « » — ? "'.split())
_PUSH = 5.0
_IRONY_PUSH = 1.5
_IRONY = re.compile(
    r"(?:^|\W)(?:ну спасибо|спасибо,? что (?:потеряли|забыли|испортили|отменили)|ага,? (?:щас|сейчас|конечно)|"
    r"ну да,? ну да|"
    r"ничего не скажешь|как же\s*[.!,]|удружили|thanks for nothing|thanks a lot for|yeah,? right|oh great|"
    r"slow clap|said nobody|just great|nice job \w+ing|great job \w+ing|#not|#sarcasm|/s)(?=\W|$)|[🙄🤡🙃]",
    re.IGNORECASE,
)


class ToneDetector(Protocol):
    """Judges a text that nobody has judged yet. Pure, quick, never raises."""

    def detect(self, said: Said, language: str) -> Tone:
        """The tone of the text; `language` is "" where it is not known."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What a model makes of a text, before and after a label is made of it."""

    tone: Tone
    probabilities: Three


@runtime_checkable
class Reader(ToneDetector, Protocol):
    """A detector that tells its probabilities too, so that it can be measured by them."""

    def read(self, text: str, language: str) -> Reading:
        """The tone and the probabilities of a text."""


class Words:
    """Words with a tone of their own here: `бомба` is praise. Whole words, `бомб*` for beginnings, or phrases."""

    def __init__(self, entries: Mapping[str, Iterable[str]]) -> None:
        """`entries` are words by class: negative, neutral, positive. ValueError for one without a letter or sign."""
        self._exact: dict[str, list[tuple[tuple[str, ...], int]]] = {}
        self._starts: list[tuple[tuple[str, ...], int]] = []
        for name, words in entries.items():
            for word in words:
                self._add(word, CLASSES.index(name))

    def _add(self, word: str, group: int) -> None:
        parts = tuple(
            piece.text + ("*" if word[piece.end : piece.end + 1] == "*" else "")
            for piece in tokens(fold(word))
            if piece.text.strip("*")
        )
        if not parts:
            raise ValueError(word)
        if parts[0].endswith("*"):
            self._starts.append((parts, group))
        else:
            self._exact.setdefault(parts[0], []).append((parts, group))

    def __bool__(self) -> bool:
        return bool(self._exact or self._starts)

    def found(self, pieces: list[Token]) -> list[tuple[range, int]]:
        """Where they stand in a text, and the class each speaks for; none overlaps another, the longest first."""
        hits: list[tuple[range, int]] = []
        at = 0
        while at < len(pieces):
            options = [*self._exact.get(pieces[at].text, ()), *self._starts]
            fitting = [one for one in options if _fits(one[0], pieces, at)]
            if fitting:
                parts, group = max(fitting, key=lambda one: (len(one[0]), len(one[0][0])))
                hits.append((range(at, at + len(parts)), group))
                at += len(parts)
            else:
                at += 1
        return hits


def _fits(parts: tuple[str, ...], pieces: list[Token], at: int) -> bool:
    return at + len(parts) <= len(pieces) and all(
        piece.text.startswith(part[:-1]) if part.endswith("*") else piece.text == part
        for part, piece in zip(parts, pieces[at : at + len(parts)], strict=True)
    )


class Ngrams:
    """A tone model as a detector. Without a model it takes the shipped one, read when the first text comes."""

    def __init__(
        self, model: Model | None = None, words: Words | None = None, unknown_below: float = UNKNOWN_BELOW
    ) -> None:
        self._model = model
        self._words = words or Words({})
        self._unknown_below = unknown_below

    @property
    def model(self) -> Model:
        """The model it reads with."""
        return self._model or shipped_model()

    def detect(self, said: Said, language: str) -> Tone:
        """The tone of the text, by its words."""
        return self.read(said.raw, language).tone

    def read(self, text: str, language: str) -> Reading:
        """The tone and the probabilities of a text. Never raises."""
        model = self.model
        pieces = tokens(text)
        hits = self._words.found(pieces) if self._words else []
        taken = {at for hit, _ in hits for at in hit}
        found = features(text, pieces, taken)
        weighed = values(found, model.rarity)
        logits = list(model.logits(weighed, language))
        hint = model.hint * shipped_hints().score(fold(_without(text, pieces, taken)))
        logits[0] -= hint
        logits[2] += hint
        for hit, group in hits:
            turned = hit.start > 0 and pieces[hit.start - 1].text in NOTS
            logits[2 - group if turned else group] += _PUSH
        praise = logits[2] > max(logits[0], logits[1])
        if praise and _IRONY.search(text):
            logits[0] += _IRONY_PUSH
            logits[2] -= _IRONY_PUSH
        chances = softmax((logits[0], logits[1], logits[2]))
        best = max(range(3), key=chances.__getitem__)
        weights = _token_weights(model, found, weighed, best, len(pieces))
        for hit, group in hits:
            for at in hit:
                weights[at] = _PUSH if group == best else 0.0
        evidence = _evidence(text, pieces, weights)
        readable = any(piece.word for piece in pieces)
        known = language in model.languages if readable else bool(evidence)
        label = self._label(chances, best) if known or hits else "unknown"
        if label in ("negative", "positive") and chances[best] >= VERY:
            loud = "!caps" in shapes_of(text) or "!!" in text
            if _outright(model, found, best, len(pieces)) + loud >= _SAID_AGAIN:
                label = "very_negative" if best == 0 else "very_positive"
        confidence = round(chances[best], 2)
        return Reading(Tone(label, round(chances[2] - chances[0], 2), confidence, evidence, by="words"), chances)

    def _label(self, chances: Three, best: int) -> ToneLabel:
        if chances[best] < self._unknown_below:
            return "unknown"
        if best == _NEUTRAL:
            return "neutral"
        return "negative" if best == 0 else "positive"


def _without(text: str, pieces: list[Token], taken: set[int]) -> str:
    """The part of a text that is read, less the words the admin has spoken about."""
    text = text[:MOST_TEXT]
    for at in sorted(taken, reverse=True):
        text = f"{text[: pieces[at].start]} {text[pieces[at].end :]}"
    return text


def _token_weights(
    model: Model, found: list[tuple[int, int, int]], weighed: dict[int, float], best: int, size: int
) -> list[float]:
    """How far each token speaks for the class that won, against the mean of the others."""
    own, (one, two) = model.weights[best], (model.weights[at] for at in range(3) if at != best)
    counts = counted(found)
    weights = [0.0] * size
    for bucket, first, last in found:
        if first >= 0:
            says = (own[bucket] - (one[bucket] + two[bucket]) / 2) * weighed[bucket] / counts[bucket]
            if first == last:
                weights[first] += says
            else:
                weights[first] += says / 2
                weights[last] += says / 2
    return [weight * model.scale for weight in weights]


def _outright(model: Model, found: list[tuple[int, int, int]], best: int, size: int) -> int:
    """How many words would say so even alone: strong is what is said again, not what is said in few words."""
    own, (one, two) = model.weights[best], (model.weights[at] for at in range(3) if at != best)
    says, rare = [0.0] * size, [0.0] * size
    for bucket, first, last in found:
        if 0 <= first == last:
            says[first] += (own[bucket] - (one[bucket] + two[bucket]) / 2) * model.rarity[bucket]
            rare[first] += model.rarity[bucket] ** 2
    return sum(
        1 for much, length in zip(says, rare, strict=True) if length and much / sqrt(length) * model.scale > _OUTRIGHT
    )


def _evidence(text: str, pieces: list[Token], weights: list[float]) -> tuple[str, ...]:
    """The words that weigh most, as they stand in the text, with the "not" before them."""
    most = max(weights, default=0.0)
    if most <= 0:
        return ()
    order = sorted(range(len(pieces)), key=lambda at: -weights[at])
    shown: list[str] = []
    used: set[int] = set()
    for at in order:
        if weights[at] < 0.2 * most or len(shown) == _MOST_EVIDENCE:
            break
        piece = pieces[at]
        if at in used or piece.text in _SAYS_NOTHING or (piece.word and len(piece.text) < 3 and shown):
            continue
        first = last = at
        if at and pieces[at - 1].text in NOTS and piece.word:
            first = at - 1
        elif piece.text in NOTS and at + 1 < len(pieces) and pieces[at + 1].word:
            last = at + 1
        used |= {first, last}
        words = text[pieces[first].start : pieces[last].end]
        if words not in shown:
            shown.append(words)
    return tuple(shown)
