"""From a text to what a tone model weighs: its words, pairs of words, word parts, faces and marks, each in a bucket.

Training and inference read texts through here and nowhere else, so a weight always meets the feature it was learnt
for. Changing anything here changes what a model file means: raise `VERSION`, and files of another one are refused.

Addresses, @handles and digits say nothing about tone and are put aside first, so a brand's name in a handle cannot
lean a judgement. A token remembers where in the text it stood: evidence is always words of the text itself.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from functools import lru_cache
from operator import itemgetter
from zlib import crc32

VERSION = 1
BUCKETS = 1 << 18

_SIGNS = "\u2190-\u2bff\u3000-\u303f\U0001f000-\U0001faff"
_PIECE = re.compile(
    rf"""(?P<gone>https?://\S+|www\.\S+|(?<!\w)(?:rt\s+)?@[\w.\-]+:?|[\ufe0f\u200d])
       | (?P<word>[^\W\d_]+(?:['’][^\W\d_]+)*)
       | (?P<digits>\d+(?:[.,:]\d+)*)
       | (?P<sign>[{_SIGNS}])
       | (?P<marks>[^\w\s{_SIGNS}\ufe0f\u200d]+)""",
    re.VERBOSE | re.IGNORECASE,
)
_REPEATED = re.compile(r"(.)\1{2,}", re.DOTALL)
_FOLD = str.maketrans({"ё": "е", "’": "'"})
NOTS = frozenset(
    "не нет ни без никогда нельзя никаких никакого not no never without hardly cannot can't don't doesn't didn't "
    "isn't wasn't aren't weren't won't wouldn't couldn't shouldn't ain't haven't hasn't hadn't dont doesnt didnt "
    "isnt wasnt cant wont nobody nothing".split()
)
_BETWEEN = frozenset(
    "очень так такой такая слишком особо особенно самый самая совсем very so really that too a an the at all even "
    "been be was any exactly".split()
)
MOST_TEXT = 4_000
_MOST_TOKENS = 400
_BUCKET = itemgetter(0)
_MOST_WORD = 24
_CAPS_FROM = 7


@dataclass(frozen=True, slots=True)
class Token:
    """A piece of a text as it is compared, and where it stands in the text; `word` when it is made of letters."""

    text: str
    start: int
    end: int
    word: bool


def tokens(text: str) -> list[Token]:
    """The pieces of the first 4,000 characters, in order, at most 400."""
    found: list[Token] = []
    for match in _PIECE.finditer(text[:MOST_TEXT]):
        kind = match.lastgroup
        if kind == "gone":
            continue
        piece = "0" if kind == "digits" else _REPEATED.sub(r"\1\1", match[0].lower().translate(_FOLD))
        if kind == "marks":
            piece = piece[:3]
        found.append(Token(piece, match.start(), match.end(), kind == "word"))
        if len(found) == _MOST_TOKENS:
            break
    return found


def features(text: str, pieces: list[Token], without: Collection[int] = ()) -> list[tuple[int, int, int]]:
    """Every feature with the tokens it comes from: (bucket, first token, last token); (bucket, -1, -1) is of the
    text as a whole. What comes from a token in `without` is left out. A word after "not" is another word."""
    found: list[tuple[int, int, int]] = []
    last = ""
    turned = False
    for at, piece in enumerate(pieces):
        if at in without:
            last, turned = "", False
            continue
        sign = "n" if turned and piece.word else ""
        found.append((_bucket(f"w{sign}{piece.text}"), at, at))
        if last:
            found.append((_bucket(f"b{last} {piece.text}"), at - 1, at))
        if piece.word and len(piece.text) > 2:
            found += [(bucket, at, at) for bucket in _parts(piece.text, sign)]
        last = piece.text
        turned = last in NOTS or (turned and last in _BETWEEN)
    return found + [(_bucket(shape), -1, -1) for shape in shapes_of(text)]


def counted(found: list[tuple[int, int, int]]) -> Counter[int]:
    """How often each bucket stands in a text."""
    return Counter(map(_BUCKET, found))


def values(found: list[tuple[int, int, int]], rarity: bytes) -> dict[int, float]:
    """The weight of each bucket in a text: (1 + ln count) * rarity, of length 1 together. `rarity` holds a bucket's
    inverse document frequency times 16."""
    counts = counted(found)
    weighed = {
        bucket: (rarity[bucket] if count == 1 else (1 + math.log(count)) * rarity[bucket])
        for bucket, count in counts.items()
    }
    length = math.sqrt(sum([value * value for value in weighed.values()]))
    return {bucket: value / length for bucket, value in weighed.items()} if length else {}


def shapes_of(text: str) -> list[str]:
    """What is true of the text as a whole: loud, asking, with a link."""
    text = text[:MOST_TEXT]
    found = []
    letters = [char for char in text if char.isalpha()]
    if len(letters) >= _CAPS_FROM and sum(map(str.isupper, letters)) > 0.6 * len(letters):
        found.append("!caps")
    if text.rstrip().endswith("?"):
        found.append("!ask")
    if "http" in text:
        found.append("!link")
    return found


def _bucket(feature: str) -> int:
    return crc32(feature.encode("utf-8", "surrogatepass")) & (BUCKETS - 1)


@lru_cache(20_000)
def _parts(word: str, sign: str) -> tuple[int, ...]:
    """Word parts of 3 to 5 letters, the word's ends marked."""
    marked = f"<{word[:_MOST_WORD]}>"
    return tuple(
        _bucket(f"c{sign}{marked[at : at + size]}") for size in (3, 4, 5) for at in range(len(marked) - size + 1)
    )
