"""Tone and language: who is believed, what the words say, and where nothing is claimed."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from triage_builders import said

from connector.model import TONES, Tone
from connector.triage import load, tone
from connector.triage.facts import Said
from connector.triage.tone import Lexicon, from_rating, lexicon


def label(text: str) -> str:
    return tone(said(text))[0].label


# --- who is believed ---------------------------------------------------------------------------------------


def test_the_source_is_believed_before_the_stars_and_the_stars_before_the_words() -> None:
    given_tone = Tone("positive", 0.5, 1.0, by="source")

    assert tone(said("ужас", rating=1, tone=given_tone))[0] is given_tone
    assert tone(said("прекрасно", rating=1))[0].label == "very_negative"
    assert tone(said("прекрасно"))[0].label == "positive"


def test_a_source_that_does_not_know_is_not_believed() -> None:
    assert tone(said("ужас", tone=Tone("unknown")))[0].by == "lexicon"


@pytest.mark.parametrize(
    ("rating", "expected"),
    [
        (1, "very_negative"),
        (1.5, "negative"),
        (2, "negative"),
        (3, "neutral"),
        (3.5, "positive"),
        (4, "positive"),
        (4.5, "very_positive"),
        (5, "very_positive"),
    ],
)
def test_stars_are_a_tone(rating: float, expected: str) -> None:
    found = from_rating(rating)

    assert found is not None
    assert found.label == expected
    assert found.by == "rating"


@pytest.mark.parametrize("rating", [None, 0, 8.5, 100, -1, float("nan"), float("inf")])
def test_stars_of_another_scale_are_not_guessed_at(rating: float | None) -> None:
    assert from_rating(rating) is None


# --- what the words say ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Третий день без связи, это позор", "negative"),
        ("мошенники, верните деньги", "negative"),
        ("Ужасное обслуживание, хамы, обманули, никому не советую!", "very_negative"),
        ("Заказ не привезли, курьер не отвечает", "negative"),
        ("Не работает второй день", "negative"),
        ("Мне не понравилось", "negative"),
        ("Не очень вежливый персонал", "negative"),
        ("Всё быстро, но курьер нахамил и обманул", "negative"),
        ("опять((", "negative"),
        ("😡😡", "negative"),
        ("Спасибо, очень быстро помогли!", "positive"),
        ("Отличный магазин, всем рекомендую, вежливые и внимательные сотрудники, супер!", "very_positive"),
        ("Не подвели, без проблем", "positive"),
        ("❤️", "positive"),
        ("The worst service ever, scammers, I want a refund", "very_negative"),
        ("It doesn't work and nobody answers", "negative"),
        ("not happy with this", "negative"),
        ("My parcel is delayed again, so annoying", "negative"),
        ("Thank you so much, great service", "positive"),
        ("No complaints, works perfectly", "positive"),
        ("It was slow but the staff were wonderful and helpful", "positive"),
    ],
)
def test_praise_and_complaint_are_heard(text: str, expected: str) -> None:
    assert label(text) == expected


@pytest.mark.parametrize(
    "text",
    ["Подскажите, до скольки вы работаете?", "Где ваш офис", "Hi, do you ship to Canada?", "How do I pair it?"],
)
def test_a_plain_question_is_neutral(text: str) -> None:
    assert label(text) == "neutral"


@pytest.mark.parametrize(
    "text", ["", "…", "12345", "Купил телефон в среду", "The company opened a store", "ну такое", "Das ist ein Haus"]
)
def test_where_nothing_is_found_nothing_is_claimed(text: str) -> None:
    assert label(text) == "unknown"


def test_where_praise_and_complaint_balance_nothing_is_claimed_but_the_words_are_shown() -> None:
    found = tone(said("Вкусно, но дорого и долго ждали; вежливо, но грязно"))[0]

    assert found.label == "unknown"
    assert found.evidence


def test_the_evidence_names_the_words_the_heaviest_first_with_their_negation() -> None:
    assert tone(said("Дорого, а главное — не понравилось, мошенники"))[0].evidence == (
        "мошенники",
        "не понравилось",
        "дорого",
    )


def test_one_harsh_word_in_a_long_text_weighs_less() -> None:
    short = tone(said("Ужасно"))[0]
    long = tone(said("Ужасно " + "и вот идёт рассказ о прогулке по городу " * 30))[0]

    assert short.confidence > long.confidence


def test_very_makes_it_stronger_and_slightly_weaker() -> None:
    scores = [tone(said(text))[0].score for text in ("slightly disappointed", "disappointed", "very disappointed")]

    assert scores == sorted(scores, reverse=True)


def test_smileys_in_a_list_or_an_address_are_none() -> None:
    assert label("1) хлеб 2) молоко (https://example.com/a)") == "unknown"
    assert label("приходите (мы рядом)") == "unknown"
    assert label("ну вот)") == "positive"
    assert label("ну вот (") == "unknown"


@given(st.text(max_size=400))
def test_any_text_has_a_tone_within_bounds(text: str) -> None:
    found = lexicon().detect(Said(text), "")

    assert found.label in TONES
    assert -1 <= found.score <= 1
    assert 0 <= found.confidence <= 1
    assert (found.label == "unknown") or found.evidence


def test_a_list_of_ones_own_is_as_good() -> None:
    own = Lexicon("# ours\n2 bomb* top_notch\n-2 meh 🙃\n")

    assert own.detect(Said("It is a bombshell"), "").label == "positive"
    assert own.detect(Said("top notch"), "").label == "positive"
    assert own.detect(Said("meh 🙃"), "").label == "negative"


def test_another_detector_takes_its_place_without_further_change(tmp_path: Path) -> None:
    class Gloomy:
        def detect(self, said: Said, language: str) -> Tone:
            return Tone("negative", -0.5, 0.7, (language,), by="gloom")

    (tmp_path / "r.yaml").write_text("rules: [{name: n, when: {tone: negative}, set: {tags: [n]}}]")
    decision = load(tmp_path, Gloomy()).decide(said("Добрый день"))

    assert decision.rules == ("n",)
    assert decision.tone.evidence == ("ru",)


# --- language ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Добрый день, где заказ?", "ru"),
        ("Де моє замовлення? Дякую, її немає", "uk"),
        ("Where is my order?", "en"),
        ("I love this phone", "en"),
        ("Wo ist meine Bestellung? Schöne Grüße", ""),
        ("¿Dónde está mi pedido?", ""),
        ("Тапсырысым қайда?", ""),
        ("12345 !!!", ""),
        ("", ""),
        ("Привет, где мой phone?", "ru"),
    ],
)
def test_the_language_is_what_the_letters_give_away(text: str, expected: str) -> None:
    assert tone(said(text))[1] == expected


def test_the_language_the_source_gave_is_taken_in_its_short_form() -> None:
    assert tone(said("Добрый день", language="kk-KZ"))[1] == "kk"
