"""Tone and language: who is believed, what the words say, and where nothing is claimed."""

from __future__ import annotations

from pathlib import Path

import pytest
from triage_builders import said

from connector.model import Tone
from connector.triage import load, tone
from connector.triage.facts import Said
from connector.triage.tone import from_rating


def label(text: str) -> str:
    return tone(said(text))[0].label


# --- who is believed ---------------------------------------------------------------------------------------


def test_the_source_is_believed_before_the_stars_and_the_stars_before_the_words() -> None:
    given_tone = Tone("positive", 0.5, 1.0, by="source")

    assert tone(said("ужас", rating=1, tone=given_tone))[0] is given_tone
    assert tone(said("прекрасно", rating=1))[0].label == "very_negative"
    assert tone(said("прекрасно"))[0].label == "positive"


def test_a_source_that_does_not_know_is_not_believed() -> None:
    assert tone(said("ужас", tone=Tone("unknown")))[0].by == "words"


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
    assert label(text).removeprefix("very_") == expected.removeprefix("very_")


@pytest.mark.parametrize(
    "text",
    ["Подскажите, до скольки вы работаете?", "Где ваш офис", "Hi, do you ship to Canada?", "How do I pair it?"],
)
def test_a_plain_question_is_neutral(text: str) -> None:
    assert label(text) == "neutral"


@pytest.mark.parametrize(
    "text", ["", "…", "12345", "https://example.com/a @somebody", "Das ist ein Haus", "Я не знаю, хорошо це чи ні"]
)
def test_where_nothing_is_found_nothing_is_claimed(text: str) -> None:
    assert label(text) == "unknown"


def test_the_evidence_names_the_words_as_they_stand_the_heaviest_first_with_their_negation() -> None:
    assert "Не понравилось" in tone(said("Не понравилось, увы"))[0].evidence
    assert "мошенники" in tone(said("Дорого, а главное — мошенники"))[0].evidence


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
        ("Тапсырысым қайда?", "kk"),
        ("Awesome flight!", "en"),
        ("12345 !!!", ""),
        ("", ""),
        ("Привет, где мой phone?", "ru"),
    ],
)
def test_the_language_is_what_the_letters_give_away(text: str, expected: str) -> None:
    assert tone(said(text))[1] == expected


def test_the_language_the_source_gave_is_taken_in_its_short_form() -> None:
    assert tone(said("Добрый день", language="kk-KZ"))[1] == "kk"
