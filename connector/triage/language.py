"""Which language a text is in, as far as its letters and a few small words give it away: ru, uk, kk, en, or "".

A quarter of Cyrillic letters makes a text Cyrillic, since Latin names stand in Russian texts far more often than the
other way round. It is Russian unless letters of Ukrainian or Kazakh outnumber the Russian ones or another alphabet
shows. Latin is English unless its letters or its small words are another language's. Where neither helps it says
nothing.
"""

from __future__ import annotations

import re
from collections.abc import Collection

_CYRILLIC = re.compile(r"[\u0400-\u04ff]")
_LATIN = re.compile(r"[a-z\u00c0-\u024f]", re.IGNORECASE)
_UKRAINIAN = re.compile(r"[іїєґ]", re.IGNORECASE)
_RUSSIAN = re.compile(r"[ыэъё]", re.IGNORECASE)
_KAZAKH = re.compile(r"[әғқңөұүһ]", re.IGNORECASE)
_OTHER_CYRILLIC = re.compile(r"[\u045e\u0452\u0458-\u045c\u045f\u0453\u0455\u0493-\u04ff]", re.IGNORECASE)
_NOT_ENGLISH = re.compile(r"[äöüßñçãõåøæœğşżźćłąęșțčěřů]", re.IGNORECASE)
_ENGLISH = frozenset(
    "the and you your this that with have not was were are is it my of for what why how when where who can could "
    "would should will just been from they their there here about please thanks thank hello hi love great good bad "
    "don't can't won't i'm it's doesn't didn't isn't still never always again to on be me we our at".split()
)
_FOREIGN = frozenset(
    "der das und ist nicht ich wir wo ein eine mit für auf wie el los las que una por para del mi "
    "le les des est une je vous nous il lo di che non sono gli della um uma não os het een niet nie "
    "jest się czy gdzie dla bir için ne".split()
)


def detect_language(text: str, words: Collection[str]) -> str:
    """The language of a text whose folded words are given; "" for none that is known here."""
    cyrillic, latin = len(_CYRILLIC.findall(text)), len(_LATIN.findall(text))
    if cyrillic * 3 > latin:
        return _cyrillic(text)
    if not latin or _NOT_ENGLISH.search(text):
        return ""
    english = sum(1 for word in words if word in _ENGLISH)
    foreign = sum(1 for word in words if word in _FOREIGN)
    return "en" if english >= foreign else ""


def _cyrillic(text: str) -> str:
    if _KAZAKH.search(text):
        return "kk"
    if _OTHER_CYRILLIC.search(text):
        return ""
    return "uk" if len(_UKRAINIAN.findall(text)) > len(_RUSSIAN.findall(text)) else "ru"
