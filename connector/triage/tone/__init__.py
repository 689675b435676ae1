"""Tone: what a mention feels like, in five steps or unknown, and on what evidence.

Three judges, asked in this order, and the first who knows decides: the source (a listening tool has seen more than we
have), the stars of a review, a detector that reads the text. `Trust` is where an admin says otherwise.
`ToneDetector` is the one seam: whatever reads texts better than the shipped model takes its place without anything
else changing. How the shipped model was made and how far it can be believed: docs/tone.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from connector.model import TONES, Mention, Tone, ToneLabel
from connector.triage.facts import Said, said_in
from connector.triage.language import detect_language
from connector.triage.tone.detect import UNKNOWN_BELOW, Ngrams, ToneDetector, Words

__all__ = [
    "SCORES",
    "UNKNOWN_BELOW",
    "Ngrams",
    "ToneDetector",
    "Trust",
    "Words",
    "from_rating",
    "judge",
    "tone",
]

SCORES: dict[ToneLabel, float] = {
    "very_negative": -1.0,
    "negative": -0.5,
    "neutral": 0.0,
    "positive": 0.5,
    "very_positive": 1.0,
    "unknown": 0.0,
}

_SHIPPED = Ngrams()


@dataclass(frozen=True, slots=True)
class Trust:
    """Whom to believe before the text is read: the tone a source gives, all sources alike or by their names, and the
    stars of a review."""

    source: bool = True
    sources: Mapping[str, bool] = field(default_factory=dict)
    stars: bool = True

    def in_source(self, name: str) -> bool:
        """Whether the tone that this source gives counts."""
        return self.sources.get(name, self.source)


_ALL = Trust()


def judge(mention: Mention, said: Said, detector: ToneDetector, trust: Trust = _ALL) -> tuple[Tone, str]:
    """Tone and language of a mention: given by the source, else by the stars, else found in the text."""
    language = mention.language.strip().lower().replace("_", "-").partition("-")[0]
    if not language:
        language = detect_language(said.raw, said.words)
    given = mention.tone
    if given is not None and given.label in TONES and given.label != "unknown" and trust.in_source(mention.source):
        return given, language
    stars = from_rating(mention.rating) if trust.stars else None
    return stars or _detected(detector, said, language), language


def _detected(detector: ToneDetector, said: Said, language: str) -> Tone:
    """What the detector says; a detector from elsewhere that breaks gives way to the shipped one."""
    try:
        return detector.detect(said, language)
    except Exception:  # noqa: BLE001 - `decide` promises never to raise, whatever an outside detector does
        return _SHIPPED.detect(said, language)


def tone(mention: Mention) -> tuple[Tone, str]:
    """Tone and language of a mention, as the shipped model reads it."""
    return judge(mention, said_in(mention), _SHIPPED)


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
