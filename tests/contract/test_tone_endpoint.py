"""A tone service over HTTP: what is asked, what is believed, and that its trouble is not ours."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from loopback import Asked, Loopback, Told

from connector import plugins, triage
from connector.errors import BadAnswer, ConnectorError, Temporary
from connector.model import Author, Mention, Tone
from connector.tones.endpoint import Endpoint
from connector.triage.facts import Said

MENTION = Mention("feed", "forum", "1", Author("a"), "Ужасный сервис", datetime(2026, 3, 4, tzinfo=UTC))


def told(body: object, status: int = 200) -> Told:
    return status, {"Content-Type": "application/json"}, json.dumps(body).encode()


def judged(_: Asked) -> Told:
    return told({"label": "very_negative", "score": -0.9, "confidence": 0.8, "evidence": ["late"], "model": "x"})


def test_a_text_is_asked_about_and_the_answer_believed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TONE_TOKEN", "s3cret-token")
    with Loopback(judged) as service:
        (tmp_path / "a.yaml").write_text(
            f"tone: {{detector: endpoint, options: {{url: '{service.url}/v1', token: !env TONE_TOKEN}}}}\n", "utf-8"
        )
        detector = triage.load(tmp_path, find=plugins.tone_detector).detector
        tone = detector.detect(Said("It is late"), "en")
    assert tone == Tone("very_negative", -0.9, 0.8, ("late",), "endpoint")
    ((method, path, headers, body),) = service.asked
    assert (method, path, headers["authorization"]) == ("POST", "/v1", "Bearer s3cret-token")
    assert json.loads(body) == {"text": "It is late", "language": "en"}


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (told({"label": "furious"}), BadAnswer),
        (told({"score": -1}), BadAnswer),
        (told({"label": "negative", "score": 7}), BadAnswer),
        ((200, {}, b"<html>"), BadAnswer),
        (told({}, 503), ConnectorError),
        (None, ConnectorError),
    ],
    ids=["no such label", "no label", "no such score", "no JSON", "busy", "hung up"],
)
def test_a_service_that_fails_is_left_alone_for_a_while(answer: Told | None, error: type[ConnectorError]) -> None:
    now = [0.0]
    with Loopback(lambda _: answer) as service:
        detector = Endpoint({"url": service.url, "rest": 60}, clock=lambda: now[0])
        with pytest.raises(error):
            detector.detect(Said("a"), "en")
        now[0] = 59.0
        with pytest.raises(Temporary, match="a moment ago"):
            detector.detect(Said("a"), "en")
        assert len(service.asked) == 1
        now[0], service.answer = 61.0, judged
        assert detector.detect(Said("a"), "en").label == "very_negative"


def test_our_own_model_stands_in_for_it(tmp_path: Path) -> None:
    with Loopback(lambda _: told({}, 500)) as service:
        text = f"tone: {{detector: endpoint, options: {{url: '{service.url}'}}}}\n"
        (tmp_path / "a.yaml").write_text(text, encoding="utf-8")
        policy = triage.load(tmp_path, find=plugins.tone_detector)
        tone = policy.decide(MENTION).tone
    assert (tone.label, tone.by) == ("negative", "words")
    assert len(service.asked) == 1


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({}, "its option url: Field required"),
        ({"url": "ftp://x"}, "its option url"),
        ({"url": "http://x", "tiemout": 1}, "its option tiemout"),
    ],
)
def test_wrong_options_are_told(options: dict[str, object], why: str) -> None:
    with pytest.raises(ConnectorError) as caught:
        plugins.tone_detector("endpoint", options)
    assert why in str(caught.value)
