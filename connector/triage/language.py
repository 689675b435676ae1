"""Which language a text is in, as far as its letters and a few small words give it away: ru, uk, en, or "".

It hides nothing clever, and says nothing where it does not know: a Latin text without any common English word is not
called English.
"""

from __future__ import annotations

import re
from collections.abc import Collection

_CYRILLIC = re.compile(r"[\u0400-\u04ff]")
_LATIN = re.compile(r"[a-z\u00c0-\u024f]", re.IGNORECASE)
_UKRAINIAN = re.compile(r"[іїєґ]", re.IGNORECASE)
_RUSSIAN = re.compile(r"[ыэъё]", re.IGNORECASE)
_OTHER_CYRILLIC = re.compile(r"[\u045e\u0452\u0458-\u045c\u045f\u0453\u0455\u0493-\u04ff]", re.IGNORECASE)
_NOT_ENGLISH = re.compile(r"[äöüßñçãõåøæœğşżźćłąęșțčěřů]", re.IGNORECASE)
_ENGLISH = frozenset(
    "the and you your this that with have not was were are is it my of for what why how when where who can could "
    "would should will just been from they their there here about please thanks thank hello hi love great good bad "
    "don't can't won't i'm it's doesn't didn't isn't still never always again to on be me we our at".split()
)


def detect_language(text: str, words: Collection[str]) -> str:
    """The language of a text whose folded words are given; "" for none that is known here."""
    cyrillic, latin = len(_CYRILLIC.findall(text)), len(_LATIN.findall(text))
    if cyrillic > latin:
        return _cyrillic(text)
    if not latin or _NOT_ENGLISH.search(text):
        return ""
    common = sum(1 for word in words if word in _ENGLISH)
    return "en" if common and common * 8 >= len(words) else ""


def _cyrillic(text: str) -> str:
    if _OTHER_CYRILLIC.search(text):
        return ""
    return "uk" if len(_UKRAINIAN.findall(text)) > len(_RUSSIAN.findall(text)) else "ru"
