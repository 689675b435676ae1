"""What may not become public is found with its place, and told without repeating it."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.errors import ConfigError
from connector.triage import load
from connector.triage.guard import ACTIONS, CHECKS, PUBLIC, Answer, Guard, own

GUARD = Guard(
    allow=own(["8 495 123-45-67", "help@acme.com"]), links=("acme.com",), banned=("конкурент*", "dumb idea")
)


def found(text: str, *, public: bool = True, guard: Guard = GUARD, **facts: object) -> list[tuple[str, str]]:
    """Each check that found something, with the words it is about."""
    looked = guard.look(Answer(text, public, **facts))  # type: ignore[arg-type]
    return [(one.check, text[one.start : one.end]) for one in looked]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Позвоните мне: +7 903 555-12-34.", "+7 903 555-12-34"),
        ("номер 8(903)555-12-34", "8(903)555-12-34"),
        ("Call me at +44 20 7946 0958", "+44 20 7946 0958"),
        ("write to anna.k+shop@mail.example.ru, please", "anna.k+shop@mail.example.ru"),
        ("Карта 4111 1111 1111 1111 принята", "4111 1111 1111 1111"),
        ("карта 5500005555555559", "5500005555555559"),
        ("Ваш паспорт 45 10 123456", "45 10 123456"),
        ("ИНН: 7707083893", "7707083893"),
        ("500100732259 получен", "500100732259"),
        ("СНИЛС 112-233-445 95", "112-233-445 95"),
        ("IBAN DE89 3704 0044 0532 0130 00", "DE89 3704 0044 0532 0130 00"),
        ("на счёт 40817810099910004312", "40817810099910004312"),
        ("Заказ № 4417-А уже едет", "4417-А"),
        ("Your order #A-4417 is on its way", "A-4417"),
    ],
)
def test_personal_data_is_found_with_its_place(text: str, words: str) -> None:
    assert found(text) == [("personal_data", words)]


@pytest.mark.parametrize(
    "text",
    [
        "Ждём вас 12.12.2026 с 10:00 до 19:00, скидка 10 %",
        "Это стоит 12 500 рублей за 1 000 000 штук",
        "Звоните нам: 8 800 555 35 35 или 8 (495) 123-45-67, +7 495 123 45 67, help@acme.com",
        "карта 4111 1111 1111 1112",
        "Ваш заказ передан в доставку",
        "версия 2.0.1.17, артикул 77-12",
        "It takes 24/7 and 365 days",
        "Спасибо, @anna_k! Ждём вас в магазине на Садовой",
    ],
)
def test_what_is_nobodys_secret_may_stand(text: str) -> None:
    assert found(text) == []


def test_an_order_number_the_person_named_in_public_may_be_repeated() -> None:
    assert found("Заказ 4417 едет", asked="Где мой заказ № 4417?") == []
    assert found("Заказ A-4417 едет", asked="Где мой a-4417?") == []
    assert found("Заказ 4418 едет", asked="Где мой заказ № 4417?") == [("personal_data", "4418")]
    assert found("Заказ 4417 едет", asked="Где мой заказ № 9944170?") == [("personal_data", "4417")]


def test_a_phone_number_the_person_named_is_still_not_repeated() -> None:
    assert found("Звоним на 8 903 555-12-34", asked="мой телефон 8 903 555-12-34") != []


@pytest.mark.parametrize(
    "text",
    [
        "Напишите, пожалуйста, ваш номер телефона.",
        "Пришлите номер заказа и паспортные данные: номер паспорта",
        "Please send us your e-mail address",
        "What is your date of birth?",
        "Сообщите кодовое слово",
    ],
)
def test_asking_for_personal_data_in_public_is_found(text: str) -> None:
    assert [check for check, _ in found(text)] == ["asking"]


@pytest.mark.parametrize(
    "text",
    [
        "Напишите нам в личные сообщения номер заказа, дальше всё сделаем сами.",
        "Пришлите телефон в личку, пожалуйста",
        "Please DM us your phone number",
        "Скажите, когда вам удобно?",
        "Send us a direct message with your order number",
    ],
)
def test_asking_to_write_it_privately_is_fine(text: str) -> None:
    assert found(text) == []


def test_in_private_the_profile_is_looser() -> None:
    assert found("Ваш телефон +7 903 555-12-34? Напишите номер телефона.", public=False) == []
    assert found("Это конкуренты виноваты", public=False) == [("banned", "конкуренты")]


def test_banned_words_links_and_shouting_are_found() -> None:
    assert found("Ёлки, конкурента мы не обсуждаем") == [("banned", "конкурента")]
    assert found("What a DUMB  idea") == [("banned", "DUMB  idea")]
    assert found("см. https://evil.example/x и https://help.acme.com/1") == [("links", "https://evil.example/x")]
    assert [check for check, _ in found("ПОЧЕМУ ВАША КОМПАНИЯ МОЛЧИТ")] == ["rude"]
    assert found("Сколько можно???") == [("rude", "???")]
    assert found("Компания ACME и НИИ рады вам") == []


def test_a_brand_is_spelt_as_it_is_spelt() -> None:
    guard = Guard(brand={"Самовар": ("самавар", "samovarr")})
    assert found("Наш самавар и САМОВАР", guard=guard) == [("brand", "самавар"), ("brand", "САМОВАР")]
    assert found("Наш Самовар", guard=guard) == []


def test_repetition_silence_and_the_wrong_account_are_found() -> None:
    guard = Guard(
        most=3, silent_sources=frozenset({"blog"}), silent_threads=frozenset({"t9"}), accounts={"sky": "@acme"}
    )
    checks = [one.check for one in guard.look(Answer("Спасибо", True, "blog", "t9", repeats=3))]
    assert checks == ["do_not_answer", "repeated"]
    assert guard.look(Answer("Спасибо", True, "sky", account="Acme")) == ()
    assert [one.check for one in guard.look(Answer("Спасибо", True, "sky", account="@acme_fan"))] == ["account"]


@given(st.text(max_size=300), st.booleans())
def test_nothing_is_too_odd_to_look_at_and_every_place_lies_in_the_text(text: str, public: bool) -> None:
    for one in GUARD.look(Answer(text, public)):
        assert 0 <= one.start <= one.end <= len(text)
        assert one.action in ACTIONS


@given(st.from_regex(r"\A[а-я ]{0,20}\Z"), st.integers(9030000000, 9039999999), st.from_regex(r"\A[а-я ]{0,20}\Z"))
def test_a_finding_is_told_without_repeating_it(before: str, number: int, after: str) -> None:
    (one,) = GUARD.look(Answer(f"{before} +7{number} {after}", True))
    assert str(number) not in one.sentence


# --- as YAML ---


def _loaded(tmp_path: Path, text: str) -> Guard:
    (tmp_path / "guard.yaml").write_text(text, "utf-8")
    return load(tmp_path).guard


def test_without_a_word_in_the_mapping_personal_data_is_held(tmp_path: Path) -> None:
    assert _loaded(tmp_path, "rules: []").look(Answer("a@b.example", True))[0].action == "hold"


def test_a_whole_guard_is_read(tmp_path: Path) -> None:
    guard = _loaded(
        tmp_path,
        """
lists: {rude words: [идиот*]}
guard:
  public: {links: warn, repeated: allow, personal_data: to_private}
  private: {banned: warn}
  personal_data: [phone, card]
  region: de
  allow: ["030 1234567"]
  banned: [судиться]
  brand: {Acme: [akme], Samovar: []}
  links: [www.Acme.com]
  rude: {list: rude words}
  repeated: {times: 2, hours: 1.5}
  do_not_answer: {source: blog, thread: [t1, t2]}
  accounts: {sky: "@acme"}
""",
    )
    assert (guard.public["links"], guard.public["personal_data"], guard.private["banned"]) == (
        "warn",
        "to_private",
        "warn",
    )
    assert (guard.data, guard.region, guard.links, guard.most, guard.within) == (
        ("phone", "card"),
        "DE",
        ("acme.com",),
        2,
        1.5,
    )
    assert found("Вы идиоты", guard=guard) == [("rude", "идиоты")]
    assert found("Tel. 030 1234567 oder 030 7654321", guard=guard) == [("personal_data", "030 7654321")]
    assert (guard.silent_sources, guard.silent_threads) == ({"blog"}, {"t1", "t2"})
    assert set(guard.public) == set(CHECKS) == set(PUBLIC)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("guard: {publik: {}}", '"publik" is not a part of the guard — did you mean "public"?'),
        ("guard: {public: {links: holt}}", '"holt" is not something the guard can do — did you mean "hold"?'),
        ("guard: {private: {links: to_private}}", "already cannot go to_private"),
        ("guard: {personal_data: [phon]}", 'did you mean "phone"?'),
        ("guard: {region: XX}", '"XX" is not a country'),
        ("guard: {repeated: {times: 0}}", "has to be a whole number above 0"),
        ("guard: {rude: {list: nothing}}", '"nothing" is not a list'),
        ("guard: []", "has to be a mapping"),
    ],
)
def test_a_mistake_in_the_guard_is_told_with_the_way_out(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(ConfigError) as caught:
        _loaded(tmp_path, text)
    assert told in str(caught.value)
    assert "guard.yaml:1:" in str(caught.value)
