"""Tone: what a mention feels like, in five steps or unknown, and on what evidence.

Three judges, asked in this order, and the first who knows decides: the source (a listening tool has seen more than we
have), the stars of a review, our own word list. `ToneDetector` is the one seam: whatever reads texts better than a
word list takes its place without anything else changing.

The list is honest before it is clever. Words carry weights; "not" turns them, "very" lifts them, what follows "but"
counts more. Where nothing is found, or praise and complaint balance, the answer is `unknown`, never a forced neutral;
a plain question without any feeling is neutral. Every answer brings the words it rests on.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib import resources
from typing import Protocol

from connector.model import TONES, Mention, Tone, ToneLabel
from connector.triage.facts import Said, said_in
from connector.triage.language import detect_language

SCORES: dict[ToneLabel, float] = {
    "very_negative": -1.0,
    "negative": -0.5,
    "neutral": 0.0,
    "positive": 0.5,
    "very_positive": 1.0,
    "unknown": 0.0,
}

_LEXICONS = ("lexicon_ru.txt", "lexicon_en.txt")
_PIECE = re.compile(r"[^\W_]+(?:'[^\W_]+)*|[.,!?;:()\n—]+|[^\w\s]")
_SMILEY = re.compile(r"(?<![\w/])(?:[:;]'?-?[()d]|>:\(|<3|\^\^)(?!\w)")
_BRACKETS = re.compile(r"(?<=[^\W\d_])(\)+|\(+)(?=\s|$)|(?<=[\s!?.])(\){2,}|\({2,})")
_PAIRED = re.compile(r"\([^()]*\)")
_ENUMERATED = re.compile(r"(?:^|(?<=\s))\w{1,2}\)(?=\s)")
_NEGATIONS = frozenset(
    "не нет ни без никогда нельзя вряд not no never without hardly cannot can't don't doesn't didn't isn't wasn't "
    "aren't weren't won't wouldn't couldn't shouldn't ain't nothing".split()
)
_STRONGER = frozenset(
    "очень крайне совсем абсолютно полный полная полное полнейший просто настолько такой такая такое самый самая "
    "невероятно безумно жутко very really so extremely absolutely totally completely utterly incredibly super".split()
)
_WEAKER = frozenset("немного чуть слегка довольно почти slightly somewhat bit little fairly kinda".split())
_BUT = frozenset("но зато однако but however".split())
_QUESTIONS = re.compile(
    r"\?|(?:^|\W)(подскаж\w*|скажите|уточн\w*|вопрос|интересует|можно ли|есть ли|где|как|куда|when|where|how|"
    r"does anyone|is there|do you|can you|could you|can i|question)(?=\W|$)"
)

_STRONG = 6.0
_ENOUGH = 0.75
_SURE = 0.34
_LONG = 40
_MOST_EVIDENCE = 8
_REMEMBERED = 20_000


class ToneDetector(Protocol):
    """Judges a text that nobody has judged yet. Pure, quick, never raises."""

    def detect(self, said: Said, language: str) -> Tone:
        """The tone of the text; `language` is "" where it is not known."""


def judge(mention: Mention, said: Said, detector: ToneDetector) -> tuple[Tone, str]:
    """Tone and language of a mention: given by the source, else by the stars, else found in the text."""
    language = mention.language.strip().lower().replace("_", "-").partition("-")[0]
    if not language:
        language = detect_language(said.raw, said.words)
    given = mention.tone
    if given is not None and given.label in TONES and given.label != "unknown":
        return given, language
    return from_rating(mention.rating) or detector.detect(said, language), language


def tone(mention: Mention) -> tuple[Tone, str]:
    """Tone and language of a mention, as the shipped word list sees it."""
    return judge(mention, said_in(mention), lexicon())


def from_rating(rating: float | None) -> Tone | None:
    """The tone of a review's stars, 1 to 5; None where there are none, or they are on another scale."""
    if rating is None or not 1 <= rating <= 5:
        return None
    label: ToneLabel = (
        "very_negative"
        if rating < 1.5
        else "negative"
        if rating < 2.5
        else "neutral"
        if rating < 3.5
        else "positive"
        if rating < 4.5
        else "very_positive"
    )
    return Tone(label, (rating - 3) / 2, 0.9, (f"{rating:g} of 5",), by="rating")


# --- the word list -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Hit:
    weight: float
    words: str


class Lexicon:
    """A list of weighted words, beginnings, phrases and signs."""

    def __init__(self, text: str) -> None:
        self.words: dict[str, float] = {}
        self.starts: dict[str, float] = {}
        self.signs: dict[str, float] = {}
        self.phrases: dict[str, list[tuple[tuple[str, ...], float]]] = {}
        for line in text.splitlines():
            weight, *entries = line.split() or ["#"]
            if not weight.startswith("#"):
                for entry in entries:
                    self._add(entry, float(weight))
        for found in self.phrases.values():
            found.sort(key=lambda item: -len(item[0]))
        self.longest = max(map(len, self.starts), default=0)
        self._weight = lru_cache(_REMEMBERED)(self._look_up)

    def _add(self, entry: str, weight: float) -> None:
        parts = tuple(part for part in re.split(r"[_-]", entry) if part) if entry[0].isalnum() else ()
        if len(parts) > 1:
            self.phrases.setdefault(parts[0].rstrip("*"), []).append((parts, weight))
        elif not parts:
            self.signs[entry] = weight
        elif parts[0].endswith("*"):
            self.starts[parts[0][:-1]] = weight
        else:
            self.words[parts[0]] = weight

    def detect(self, said: Said, language: str) -> Tone:
        """The tone of a text by its words."""
        hits = self._hits(_PIECE.findall(said.folded)) + _faces(said.folded, self.signs)
        if not hits:
            asks = _QUESTIONS.search(said.folded)
            if asks:
                return Tone("neutral", 0.0, 0.4, (asks.group().strip(),), by="lexicon")
            return Tone("unknown", by="lexicon")
        total = sum(hit.weight for hit in hits)
        weight = sum(abs(hit.weight) for hit in hits)
        evidence = tuple(dict.fromkeys(hit.words for hit in sorted(hits, key=lambda hit: -abs(hit.weight))))
        strength = abs(total) / max(1.0, len(said.words) / _LONG) ** 0.5
        confidence = round(strength / (strength + 1.5) * abs(total) / weight, 2) if weight else 0.0
        score = round(total / (abs(total) + 2), 2)
        label: ToneLabel = "unknown"
        if strength >= _ENOUGH and confidence >= _SURE:
            label = "negative" if total < 0 else "positive"
            if strength >= _STRONG and abs(total) > 0.8 * weight:
                label = "very_negative" if total < 0 else "very_positive"
        return Tone(label, score, confidence, evidence[:_MOST_EVIDENCE], by="lexicon")

    def _hits(self, pieces: list[str]) -> list[_Hit]:
        hits: list[_Hit] = []
        negated = lifted = at = 0
        lift = factor = 1.0
        while at < len(pieces):
            piece = pieces[at]
            if not piece[0].isalnum():
                negated = lifted = 0
                weight = self.signs.get(piece)
                if weight:
                    hits.append(_Hit(weight, piece))
                at += 1
                continue
            used, weight = self._match(pieces, at)
            if weight:
                words = " ".join(pieces[at : at + used])
                turned = weight * factor * (lift if lifted else 1.0)
                if negated and used == 1:
                    turned *= -0.8 if weight > 0 else -0.4
                    words = f"{pieces[at - 1] if pieces[at - 1] in _NEGATIONS else 'not'} {words}"
                hits.append(_Hit(turned, words))
                negated = lifted = 0
            elif piece in _NEGATIONS:
                negated = 4
            elif piece in _STRONGER or piece in _WEAKER:
                lifted, lift = 3, 1.5 if piece in _STRONGER else 0.6
            elif piece in _BUT and hits:
                hits = [_Hit(hit.weight * 0.6, hit.words) for hit in hits]
                factor, negated = 1.3, 0
            negated -= negated > 0
            lifted -= lifted > 0
            at += used
        return hits

    def _match(self, pieces: list[str], at: int) -> tuple[int, float]:
        """How many pieces the best entry here takes, and its weight; (1, 0.0) when there is none."""
        piece = pieces[at]
        if piece in self.phrases:
            phrase = self._phrase(pieces, at)
            if phrase:
                return phrase
        return 1, self._weight(piece)

    def _look_up(self, word: str) -> float:
        exact = self.words.get(word)
        if exact is not None:
            return exact
        for length in range(min(len(word), self.longest), 1, -1):
            weight = self.starts.get(word[:length])
            if weight is not None:
                return weight
        return 0.0

    def _phrase(self, pieces: list[str], at: int) -> tuple[int, float] | None:
        for parts, weight in self.phrases[pieces[at]]:
            size = len(parts)
            if at + size <= len(pieces) and all(
                piece.startswith(part[:-1]) if part[-1] == "*" else piece == part
                for part, piece in zip(parts[1:], pieces[at + 1 : at + size], strict=True)
            ):
                return size, weight
        return None


def _faces(folded: str, signs: dict[str, float]) -> list[_Hit]:
    """Smileys, and the brackets that stand for them in Russian: `спасибо)` and `опять((`."""
    hits = [_Hit(signs.get(found, 0.0), found) for found in _SMILEY.findall(folded) if found in signs]
    if not hits and ("(" in folded or ")" in folded):
        bare = _ENUMERATED.sub(" ", _PAIRED.sub(" ", folded))
        match = _BRACKETS.search(bare)
        if match:
            mark = match.group()
            hits.append(_Hit(-1.0 if mark[0] == "(" else 0.8, mark))
    return hits


@cache
def lexicon() -> Lexicon:
    """The shipped list, read once."""
    here = resources.files(__package__)
    return Lexicon("\n".join((here / name).read_text(encoding="utf-8") for name in _LEXICONS))
