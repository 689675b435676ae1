"""`tone:` in a mapping: whom to believe, words and a model of one's own, another detector; mistakes told."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import pytest
from triage_builders import policy_of, said

from connector import plugins
from connector.errors import ConfigError, ConnectorError
from connector.model import Tone
from connector.triage import load
from connector.triage.facts import Said
from connector.triage.tone.weights import shipped_model

GIVEN = Tone("negative", -0.5, 1.0, by="source")


def mistakes(directory: Path, content: str) -> str:
    with pytest.raises(ConfigError) as caught:
        policy_of(directory, content)
    return "\n".join(map(str, caught.value.problems))


def test_a_source_is_overruled_where_the_mapping_says_so(tmp_path: Path) -> None:
    mention = said("Спасибо, очень быстро помогли!", tone=GIVEN)

    assert policy_of(tmp_path, "tone: {source: believe}").decide(mention).tone == GIVEN
    assert policy_of(tmp_path, "tone: {source: ignore}").decide(mention).tone.by == "words"


def test_one_source_is_overruled_and_another_believed(tmp_path: Path) -> None:
    policy = policy_of(tmp_path, "tone: {source: {sky: ignore, listening: believe}}")

    assert policy.decide(said("Спасибо!", tone=GIVEN, source="sky")).tone.by == "words"
    assert policy.decide(said("Спасибо!", tone=GIVEN, source="listening")).tone == GIVEN
    assert policy.decide(said("Спасибо!", tone=GIVEN, source="another")).tone == GIVEN


def test_stars_are_overruled_where_the_mapping_says_so(tmp_path: Path) -> None:
    policy = policy_of(tmp_path, "tone: {stars: ignore}")

    assert policy.decide(said("Спасибо, всё отлично", rating=1)).tone.by == "words"


def test_a_word_means_something_else_here(tmp_path: Path) -> None:
    policy = policy_of(tmp_path, "tone: {words: {positive: [бомба, огонь*], neutral: Плохие парни}}")

    assert policy.decide(said("Этот чехол — бомба")).tone.score > 0.5


def test_the_threshold_is_the_admins(tmp_path: Path) -> None:
    assert policy_of(tmp_path, "tone: {unknown_below: 1}").decide(said("ужас")).tone.label == "unknown"


def test_a_model_of_ones_own_is_read_and_counts_in_the_version(tmp_path: Path) -> None:
    shipped_model().save(tmp_path / "own.bin.gz")
    first = policy_of(tmp_path, "tone: {model: own.bin.gz}")
    shipped_model().with_weights([[0.0] * (1 << 18)] * 3, {"": (0.0, 0.0, 5.0)}, {}).save(tmp_path / "own.bin.gz")
    second = load(tmp_path)

    assert first.decide(said("ужас")).tone.score < 0 < second.decide(said("ужас 😡", language="")).tone.score
    assert first.version != second.version


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("tone: {sources: ignore}", '"sources" is not a tone setting'),
        ("tone: {source: maybe}", '"maybe" is not believe or ignore'),
        ("tone: {source: {sky: 3}}", '"3" is not believe or ignore'),
        ("tone: {unknown_below: 45}", "has to be a number from 0 to 1, not 45"),
        ("tone: {words: {praise: [бомба]}}", '"praise" is not a tone that words can have'),
        ("tone: {words: {positive: [бомба], negative: [бомба]}}", '"бомба" is already under positive; keep one'),
        ("tone: {words: {positive: ['*']}}", '"*" has nothing in it that could be found in a text'),
        ("tone: {model: nowhere.gz}", "cannot be read: No such file"),
        ("tone: {model: 10-rules.yaml}", "is no tone model; `connector tone train` writes one"),
        ("tone: {detector: acme}", '"acme" cannot be looked for here'),
        ("tone: {options: {a: 1}}", "are for a `detector`; name one"),
        ("tone: [a]", "has to be a mapping with source, stars"),
    ],
)
def test_mistakes_are_told_with_the_way_out(tmp_path: Path, content: str, told: str) -> None:
    assert told in mistakes(tmp_path, content)


def test_tone_may_be_given_in_one_file_only(tmp_path: Path) -> None:
    (tmp_path / "20.yaml").write_text("tone: {stars: ignore}")

    assert "is already given at" in mistakes(tmp_path, "tone: {stars: believe}")


# --- another detector --------------------------------------------------------------------------------------


class Gloomy:
    """A detector of somebody else's."""

    def __init__(self, options: Mapping[str, Any]) -> None:
        self.score = float(options.get("score", -0.5))

    def detect(self, said: Said, language: str) -> Tone:
        if "boom" in said.words:
            raise RuntimeError("no network")
        return Tone("negative", self.score, 0.7, (language,), by="gloom")


def not_a_detector(options: Mapping[str, Any]) -> object:
    return object()


@pytest.fixture(autouse=True)
def _installed(monkeypatch: pytest.MonkeyPatch) -> None:
    points = {
        "gloomy": EntryPoint("gloomy", f"{__name__}:Gloomy", plugins.TONES),
        "broken": EntryPoint("broken", f"{__name__}:not_a_detector", plugins.TONES),
    }
    monkeypatch.setattr(plugins, "_found", lambda group: points if group == plugins.TONES else {})


def test_a_detector_is_found_by_its_entry_point_and_gets_its_options(tmp_path: Path) -> None:
    (tmp_path / "r.yaml").write_text("tone: {detector: gloomy, options: {score: -0.9}}")
    decision = load(tmp_path, find=plugins.tone_detector).decide(said("Добрый день"))

    assert (decision.tone.by, decision.tone.score, decision.tone.evidence) == ("gloom", -0.9, ("ru",))


def test_a_detector_that_breaks_gives_way_to_ours(tmp_path: Path) -> None:
    (tmp_path / "r.yaml").write_text("tone: {detector: gloomy}")

    assert load(tmp_path, find=plugins.tone_detector).decide(said("boom")).tone.by == "words"


@pytest.mark.parametrize(
    ("name", "told"),
    [("nowhere", '"nowhere" is no tone detector here; there are broken, gloomy'), ("broken", "has no detect")],
)
def test_a_detector_that_is_not_there_is_a_mistake_in_the_mapping(tmp_path: Path, name: str, told: str) -> None:
    (tmp_path / "r.yaml").write_text(f"tone: {{detector: {name}}}")
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, find=plugins.tone_detector)

    assert told in str(caught.value.problems[0])


def test_a_detector_that_cannot_be_made_says_why() -> None:
    with pytest.raises(ConnectorError, match='the tone detector "gloomy" cannot be made: could not convert'):
        plugins.tone_detector("gloomy", {"score": "much"})
