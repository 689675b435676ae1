"""The tone model: its file, its arithmetic beside the training script's own, how well it reads, and adapting it."""

from __future__ import annotations

import json
import random
import time
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connector.errors import ConnectorError
from connector.triage.tone import Ngrams, Words
from connector.triage.tone.adapt import adapt
from connector.triage.tone.labelled import Labelled, measured, read_labelled
from connector.triage.tone.ngrams import tokens
from connector.triage.tone.weights import load_model, read_model, shipped_model

HERE = Path(__file__).parent
REFERENCE = json.loads((HERE / "tone_reference.json").read_text("utf-8"))
OWN = HERE / "tone_own.tsv"
SHARED = HERE.parents[2] / "shared" / "tone"
SHIPPED = HERE.parents[1] / "connector" / "triage" / "tone" / "tone.bin.gz"
FLOORS = {
    ("dev_sentirueval2015_EVALONLY.tsv", "sre15_telecom"): 0.59,
    ("dev_sentirueval2015_EVALONLY.tsv", "sre15_banks"): 0.63,
    ("dev_rusentitweet_train_EVALONLY.tsv", "rusentitweet"): 0.59,
    ("dev_airline_1000_EVALONLY.tsv", "airline"): 0.68,
    ("dev_tweeteval_val_EVALONLY.tsv", "tweeteval"): 0.54,
}


# --- the file ----------------------------------------------------------------------------------------------


def test_the_shipped_file_is_small_and_says_what_it_is_made_of() -> None:
    model = shipped_model()

    assert SHIPPED.stat().st_size < 1_000_000
    assert model.about["licence"] == "Apache-2.0"
    assert all(name in " ".join(model.about["sources"]) for name in ("own phrases", "CEDR", "GoEmotions", "Encoder"))
    assert model.languages == {"ru", "en"}


def test_every_source_of_the_shipped_file_is_named_in_the_notice_beside_it() -> None:
    notice = SHIPPED.with_name("NOTICE.txt").read_text("utf-8")

    for source in ("CEDR", "GoEmotions", "ru-GoEmotions", "Universal Sentence Encoder"):
        assert source in notice


@pytest.mark.parametrize("case", REFERENCE, ids=range(len(REFERENCE)))
def test_inference_says_what_the_training_script_said(case: dict[str, object]) -> None:
    found = Ngrams().read(str(case["text"]), str(case["language"])).probabilities

    assert found == pytest.approx(case["probabilities"], abs=2e-5)


def test_a_saved_model_is_read_back_as_it_was(tmp_path: Path) -> None:
    shipped_model().save(tmp_path / "m.gz")
    again = load_model(tmp_path / "m.gz")

    assert Ngrams(again).read("опять не работает", "ru") == Ngrams().read("опять не работает", "ru")
    assert again.about == shipped_model().about


@pytest.mark.parametrize("content", [b"", b"text", b"\x1f\x8b broken", SHIPPED.read_bytes()[:2000]])
def test_what_is_no_model_is_refused_in_a_sentence(content: bytes) -> None:
    with pytest.raises(ConnectorError, match="no tone model; `connector tone train` writes one"):
        read_model(content, "x.gz")


def test_reading_a_text_takes_less_than_a_millisecond() -> None:
    texts = [str(case["text"]) for case in REFERENCE]
    detector = Ngrams()
    detector.read("warm", "en")
    took = []
    for _ in range(5):
        began = time.thread_time()
        for text in texts:
            detector.read(text, "ru")
        took.append((time.thread_time() - began) / len(texts))

    assert min(took) < 0.001


# --- how well it reads -------------------------------------------------------------------------------------


def test_it_reads_texts_of_ours_that_it_was_not_trained_on() -> None:
    rows, left_out = read_labelled(OWN)
    trained = {line.strip().lower() for path in (HERE.parents[1] / "training" / "phrases").glob("*.txt")
               for line in path.read_text("utf-8").splitlines()}  # fmt: skip

    assert left_out == 0
    assert not [row.text for row in rows if row.text.lower() in trained]
    assert measured(rows, Ngrams()).macro_f1 > 0.65


@pytest.mark.parametrize(("file", "source"), FLOORS)
def test_it_does_not_fall_below_its_floor_on_texts_of_others(file: str, source: str, tmp_path: Path) -> None:
    if not (SHARED / file).exists():
        pytest.skip("the labelled texts of others are not part of the project; see docs/tone.md")
    lines = (SHARED / file).read_text("utf-8").splitlines()
    chosen = [line for line in lines[1:] if line.endswith(f"\t{source}")]
    random.Random(1).shuffle(chosen)
    (tmp_path / "part.tsv").write_text("\n".join([lines[0], *chosen[:3000]]), "utf-8")

    rows, _ = read_labelled(tmp_path / "part.tsv")

    assert measured(rows, Ngrams()).macro_f1 >= FLOORS[file, source] - 0.02  # a part of a file swings


# --- what never happens ------------------------------------------------------------------------------------


@given(st.text(max_size=300), st.sampled_from(["ru", "en", "uk", ""]))
@settings(deadline=None)
def test_any_text_is_read_and_its_evidence_is_words_of_it(text: str, language: str) -> None:
    reading = Ngrams().read(text, language)

    assert sum(reading.probabilities) == pytest.approx(1)
    assert -1 <= reading.tone.score <= 1
    assert all(word in text for word in reading.tone.evidence)
    assert reading.tone.label == "unknown" or reading.tone.confidence >= 0.44


@given(
    st.from_regex(r"[a-z0-9_]{1,15}", fullmatch=True), st.sampled_from(["@{} спасибо, помогли", "oh no @{} again"])
)
@settings(deadline=None)
def test_whose_handle_it_is_does_not_matter(handle: str, text: str) -> None:
    assert (
        Ngrams().read(text.format(handle), "en").probabilities
        == Ngrams().read(text.format("user"), "en").probabilities
    )


@given(st.text(max_size=200))
@settings(deadline=None)
def test_tokens_stand_where_they_say(text: str) -> None:
    found = tokens(text)

    assert all(0 <= one.start < one.end <= len(text) for one in found)
    assert all(one.end <= two.start for one, two in pairwise(found))


def test_below_the_threshold_the_label_is_unknown_and_the_numbers_are_still_told() -> None:
    reading = Ngrams(unknown_below=1.0).read("ужасно, не работает", "ru")

    assert reading.tone.label == "unknown"
    assert reading.tone.score < 0
    assert reading.tone.evidence


def test_a_language_it_never_saw_is_unknown() -> None:
    assert Ngrams().read("Der Service ist schlecht", "de").tone.label == "unknown"


# --- words of one's own ------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["Этот чехол бомба", "бомба!", "Новый тариф — БОМБА"])
def test_a_word_can_be_praise_here(text: str) -> None:
    found = Ngrams(words=Words({"positive": ["бомба"]})).read(text, "ru").tone

    assert found.label in ("positive", "very_positive")
    assert any(word.lower() == "бомба" for word in found.evidence)


def test_a_word_can_say_nothing_here() -> None:
    text = "Игра Плохие парни"
    plain, told = (
        Ngrams(words=words).read(text, "ru").probabilities for words in (None, Words({"neutral": ["плохие"]}))
    )

    assert told[1] > plain[1]
    assert told[0] < plain[0]


def test_not_before_a_word_of_praise_turns_it() -> None:
    words = Words({"positive": ["топчик*"]})

    assert Ngrams(words=words).read("топчиково", "ru").tone.score > 0
    assert Ngrams(words=words).read("не топчик", "ru").tone.score < 0


# --- taking it on ------------------------------------------------------------------------------------------


def tickets(count: int = 200) -> list[Labelled]:
    """Texts in the jargon of a company, which the shipped model cannot know."""
    chance = random.Random(3)
    bad, fine, plain = (
        "зашквар пшик фуфел".split(),
        "имба годнота лямпово".split(),
        "отгрузка накладная реестр".split(),
    )
    made = []
    for _ in range(count):
        label = chance.randrange(3)
        words = chance.choice((bad, plain, fine)[label])
        made.append(
            Labelled(f"{chance.choice(['у нас', 'вчера', 'ваш'])} {words} {chance.randrange(999)}", label, "ru")
        )
    return made


def test_a_model_learns_a_companys_own_words_and_keeps_what_it_knew() -> None:
    adapted = adapt(shipped_model(), tickets())

    assert adapted.after.macro_f1 > max(0.9, adapted.before.macro_f1)
    own, _ = read_labelled(OWN)
    assert measured(own, Ngrams(adapted.model)).macro_f1 > measured(own, Ngrams()).macro_f1 - 0.08
    assert adapted.model.about["adapted"]["texts"] == 200


def test_the_same_texts_make_the_same_model(tmp_path: Path) -> None:
    for name in ("a", "b"):
        adapt(shipped_model(), tickets(80)).model.save(tmp_path / name)

    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


@pytest.mark.parametrize("rows", [[], tickets(49), [Labelled("текст", 0, "ru")] * 60])
def test_too_few_texts_are_refused_with_how_many_it_takes(rows: list[Labelled]) -> None:
    with pytest.raises(ConnectorError, match=r"too few labelled texts.*50 or more"):
        adapt(shipped_model(), rows)
