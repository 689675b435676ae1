"""Personal data in a text, and asking for it: what may not stand in public.

Numbers are believed when their check digits fit (cards by Luhn, IBAN by mod 97, INN and SNILS by their own sums) or
when a word beside them says what they are; phone numbers are recognised by the library of the phone world
(`phonenumbers`). Free numbers (8 800 …) belong to companies and are nobody's secret. A finder gives places in the
text, never a judgement.

INN: order of the Federal Tax Service, SNILS: pension fund's rule, both as commonly published; IBAN: ISO 13616.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import phonenumbers
from phonenumbers import PhoneNumberMatcher, PhoneNumberType

Spans = Iterator[tuple[int, int]]
Finder = Callable[[str, str], Spans]

_NOBODYS = (PhoneNumberType.TOLL_FREE, PhoneNumberType.SHARED_COST, PhoneNumberType.UAN, PhoneNumberType.PREMIUM_RATE)
_EMAIL = re.compile(r"(?<![\w.+-])[\w.+-]+@[\w-]+(?:\.[\w-]+)+(?![\w@])")
_DIGITS = re.compile(r"(?<![\w-])\d(?:[ \-\u00a0]?\d){7,22}(?![\w-])")
_IBAN = re.compile(r"(?<!\w)[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,4})?(?!\w)")
_SNILS = re.compile(r"(?<!\d)\d{3}-\d{3}-\d{3}[ -]\d{2}(?!\d)")
_PASSPORT = re.compile(r"(?<!\d)\d{2} ?\d{2}[ №-]{0,3}\d{6}(?!\d)")
_FOREIGN_PASSPORT = re.compile(r"(?<!\w)(?:[A-Z]{1,2}\d{6,8}|\d{2} ?\d{7}|\d{9})(?!\w)")
_ORDER = re.compile(
    r"(?:заказ\w*|заявк\w*|договор\w*|накладн\w*|трек\w*|order|booking|invoice|tracking|reference)"
    r"(?:\s+(?:номер\w*|number|no\.?|id))?\s*[:#№-]?\s*№?\s*(?P<number>(?=[\w-]*\d)[A-Za-zА-Яа-я\d][\w-]{2,})",
    re.IGNORECASE,
)
_NEAR = 40


def _near(text: str, start: int, words: re.Pattern[str]) -> bool:
    return words.search(text, max(0, start - _NEAR), start) is not None


_PASSPORT_WORDS = re.compile(r"паспорт|серия|passport", re.IGNORECASE)
_INN_WORDS = re.compile(r"(?<!\w)инн(?!\w)|tax(?:payer)? (?:id|number)", re.IGNORECASE)
_ACCOUNT_WORDS = re.compile(r"сч[её]т|р/с|account", re.IGNORECASE)


def phones(text: str, region: str) -> Spans:
    """Phone numbers of people, in any country's writing; without a country code those of `region`."""
    if sum(letter.isdigit() for letter in text) < 6:
        return
    for match in PhoneNumberMatcher(text, region or None):
        if phonenumbers.number_type(match.number) not in _NOBODYS:
            yield match.start, match.end


def emails(text: str, _: str) -> Spans:
    """E-mail addresses."""
    yield from (found.span() for found in _EMAIL.finditer(text))


def cards(text: str, _: str) -> Spans:
    """Payment cards: 13 to 19 digits whose Luhn sum fits."""
    for found in _DIGITS.finditer(text):
        digits = _only(found[0])
        if 13 <= len(digits) <= 19 and len(set(digits)) > 1 and _luhn(digits):
            yield found.span()


def accounts(text: str, _: str) -> Spans:
    """Bank accounts: an IBAN whose check fits, or 20 digits beside a word for account."""
    for found in _IBAN.finditer(text):
        if _mod97(found[0].replace(" ", "")):
            yield found.span()
    for found in _DIGITS.finditer(text):
        if len(_only(found[0])) == 20 and _near(text, found.start(), _ACCOUNT_WORDS):
            yield found.span()


def passports(text: str, _: str) -> Spans:
    """Passports: a Russian series and number, or another country's number beside a word for it."""
    for pattern in (_PASSPORT, _FOREIGN_PASSPORT):
        for found in pattern.finditer(text):
            if _near(text, found.start(), _PASSPORT_WORDS):
                yield found.span()


def inns(text: str, _: str) -> Spans:
    """Russian tax numbers: beside the word, or of a person (12 digits) when both check digits fit."""
    for found in _DIGITS.finditer(text):
        digits = _only(found[0])
        if len(digits) not in (10, 12):
            continue
        if _near(text, found.start(), _INN_WORDS) or (len(digits) == 12 and digits == found[0] and _inn(digits)):
            yield found.span()


def snils(text: str, _: str) -> Spans:
    """Russian insurance numbers, written as they are on the card, when the check fits."""
    for found in _SNILS.finditer(text):
        digits = _only(found[0])
        total = sum(int(digit) * weight for digit, weight in zip(digits[:9], range(9, 0, -1), strict=True))
        if total % 101 % 100 == int(digits[9:]):
            yield found.span()


def orders(text: str, _: str) -> Spans:
    """Numbers of orders, contracts and parcels, beside the word for it."""
    yield from (found.span("number") for found in _ORDER.finditer(text))


FINDERS: dict[str, Finder] = {
    "phone": phones,
    "email": emails,
    "card": cards,
    "account": accounts,
    "passport": passports,
    "inn": inns,
    "snils": snils,
    "order": orders,
}

SHOWN = {
    "phone": "a phone number",
    "email": "an e-mail address",
    "card": "a payment card",
    "account": "a bank account",
    "passport": "a passport number",
    "inn": "a tax number (INN)",
    "snils": "an insurance number (SNILS)",
    "order": "an order number",
}


# --- asking for it ---------------------------------------------------------------------------------------------

_ASKING = (
    r"напишите|пришлите|отправьте|укажите|сообщите|назовите|продиктуйте|оставьте|скиньте|подскажите|уточните|дайте|"
    r"нужен|нужна|нужны|понадоб\w+|"
    r"send|give|provide|share|tell us|tell me|leave|write|let us know|what is|what's|confirm|reply with|need"
)
_DATA = (
    r"номер\w* (?:\w+ )?(?:телефон\w*|карт\w*|паспорт\w*|сч[её]т\w*|заказ\w*|договор\w*)|телефон\w*|"
    r"(?:электронн\w+ )?почт\w+|e-?mail\w*|е-?мейл\w*|имейл\w*|паспорт\w*|(?:данн\w+|реквизит\w*) (?:\w+ )?карт\w*|"
    r"снилс|инн|домашн\w+ адрес\w*|адрес\w* (?:доставк\w*|прожив\w*|регистрац\w*)|дат\w+ рождения|"
    r"кодов\w+ слов\w+|парол\w*|"
    r"phone(?: number)?|mobile number|e-?mail(?: address)?|passport(?: number)?|card (?:number|details)|order number|"
    r"account number|home address|date of birth|password|one-time code"
)
_ASKS = re.compile(rf"(?<!\w)(?:{_ASKING})(?!\w)[^.!?\n]{{0,60}}?(?<!\w)(?:{_DATA})(?!\w)", re.IGNORECASE)
_IN_PRIVATE = re.compile(
    r"личн\w+ (?:сообщ\w+|переписк\w+)|в личк\w|(?<!\w)(?:в|на) (?:лс|л/с|директ\w*|dm)(?!\w)|лично нам|"
    r"direct message|private(?:ly)?|(?<!\w)(?:dm|pm)s?(?!\w)|inbox",
    re.IGNORECASE,
)
_SENTENCE = re.compile(r"[^.!?\n]*[.!?\n]*")


def asks(text: str) -> Spans:
    """Where somebody is asked for personal data in public; asking them to write it privately is fine."""
    for sentence in _SENTENCE.finditer(text):
        if sentence[0] and not _IN_PRIVATE.search(sentence[0]):
            for found in _ASKS.finditer(sentence[0]):
                yield sentence.start() + found.start(), sentence.start() + found.end()


# --- sums ------------------------------------------------------------------------------------------------------


def _only(text: str) -> str:
    return "".join(letter for letter in text if letter.isdigit())


def _luhn(digits: str) -> bool:
    total = 0
    for place, digit in enumerate(reversed(digits)):
        value = int(digit) * (2 if place % 2 else 1)
        total += value - 9 if value > 9 else value
    return total % 10 == 0


def _mod97(iban: str) -> bool:
    moved = iban[4:] + iban[:4]
    return int("".join(str(int(letter, 36)) for letter in moved)) % 97 == 1


_WEIGHTS = (3, 7, 2, 4, 10, 3, 5, 9, 4, 6, 8)


def _inn(digits: str) -> bool:
    """Both check digits of a person's number."""
    for length in (10, 11):
        weights = _WEIGHTS[-length:]
        total = sum(int(digit) * weight for digit, weight in zip(digits, weights, strict=False))
        if total % 11 % 10 != int(digits[length]):
            return False
    return True
