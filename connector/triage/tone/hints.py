"""Our own list of words of praise and complaint, as a hint beside the model: what it leans to, from -1 to 1.

The model has seen many texts, the list knows what people mean who write to companies: together they read better than
either (docs/tone.md has the figures). Words carry weights; "not" turns them, "very" lifts them, what follows "but"
counts more. The lists are plain text, hints_ru.txt and hints_en.txt, for everyone to see.
"""

from __future__ import annotations

import re
from functools import cache, lru_cache
from importlib import resources

_LISTS = ("hints_ru.txt", "hints_en.txt")
_PIECE = re.compile(r"[^\W_]+(?:'[^\W_]+)*|[.,!?;:()\n—]+|[^\w\s]")
_SMILEY = re.compile(r"(?<![\w/])(?:[:;]'?-?[()d]|>:\(|<3|\^\^)(?!\w)")
_BRACKETS = re.compile(r"(?<=[^\W\d_])(\)+|\(+)(?=\s|$)|(?<=[\s!?.])(\){2,}|\({2,})")
_PAIRED = re.compile(r"\([^()]*\)")
_ENUMERATED = re.compile(r"(?:^|(?<=\s))\w{1,2}\)(?=\s)")
_NEGATIONS = frozenset(
    "не нет ни без никогда нельзя вряд not no never without hardly cannot can't don't doesn't didn't isn't wasn't "
    "aren't weren't won't wouldn't couldn't shouldn't ain't nothing".split()
)
_STRONGER = frozenset(
    "очень крайне совсем абсолютно полный полная полное полнейший просто настолько такой такая такое самый самая "
    "невероятно безумно жутко very really so extremely absolutely totally completely utterly incredibly super".split()
)
_WEAKER = frozenset("немного чуть слегка довольно почти slightly somewhat bit little fairly kinda".split())
_BUT = frozenset("но зато однако but however".split())

_HALF = 2.0
_REMEMBERED = 20_000


class Hints:
    """A list of weighted words, beginnings, phrases and signs."""

    def __init__(self, text: str) -> None:
        self.words: dict[str, float] = {}
        self.starts: dict[str, float] = {}
        self.signs: dict[str, float] = {}
        self.phrases: dict[str, list[tuple[tuple[str, ...], float]]] = {}
        for line in text.splitlines():
            weight, *entries = line.split() or ["#"]
            if not weight.startswith("#"):
                for entry in entries:
                    self._add(entry, float(weight))
        for found in self.phrases.values():
            found.sort(key=lambda item: -len(item[0]))
        self.longest = max(map(len, self.starts), default=0)
        self._weight = lru_cache(_REMEMBERED)(self._look_up)

    def _add(self, entry: str, weight: float) -> None:
        parts = tuple(part for part in re.split(r"[_-]", entry) if part) if entry[0].isalnum() else ()
        if len(parts) > 1:
            self.phrases.setdefault(parts[0].rstrip("*"), []).append((parts, weight))
        elif not parts:
            self.signs[entry] = weight
        elif parts[0].endswith("*"):
            self.starts[parts[0][:-1]] = weight
        else:
            self.words[parts[0]] = weight

    def score(self, folded: str) -> float:
        """From -1, nothing but complaint, to 1, nothing but praise; 0 where no word of the list stands. The text is
        folded."""
        hits = self._hits(_PIECE.findall(folded)) + _faces(folded, self.signs)
        total = sum(hits)
        return total / (abs(total) + _HALF)

    def _hits(self, pieces: list[str]) -> list[float]:
        hits: list[float] = []
        negated = lifted = at = 0
        lift = factor = 1.0
        while at < len(pieces):
            piece = pieces[at]
            if not piece[0].isalnum():
                negated = lifted = 0
                weight = self.signs.get(piece)
                if weight:
                    hits.append(weight)
                at += 1
                continue
            used, weight = self._match(pieces, at)
            if weight:
                turned = weight * factor * (lift if lifted else 1.0)
                if negated and used == 1:
                    turned *= -0.8 if weight > 0 else -0.4
                hits.append(turned)
                negated = lifted = 0
            elif piece in _NEGATIONS:
                negated = 4
            elif piece in _STRONGER or piece in _WEAKER:
                lifted, lift = 3, 1.5 if piece in _STRONGER else 0.6
            elif piece in _BUT and hits:
                hits = [hit * 0.6 for hit in hits]
                factor, negated = 1.3, 0
            negated -= negated > 0
            lifted -= lifted > 0
            at += used
        return hits

    def _match(self, pieces: list[str], at: int) -> tuple[int, float]:
        """How many pieces the best entry here takes, and its weight; (1, 0.0) when there is none."""
        piece = pieces[at]
        if piece in self.phrases:
            phrase = self._phrase(pieces, at)
            if phrase:
                return phrase
        return 1, self._weight(piece)

    def _look_up(self, word: str) -> float:
        exact = self.words.get(word)
        if exact is not None:
            return exact
        for length in range(min(len(word), self.longest), 1, -1):
            weight = self.starts.get(word[:length])
            if weight is not None:
                return weight
        return 0.0

    def _phrase(self, pieces: list[str], at: int) -> tuple[int, float] | None:
        for parts, weight in self.phrases[pieces[at]]:
            size = len(parts)
            if at + size <= len(pieces) and all(
                piece.startswith(part[:-1]) if part[-1] == "*" else piece == part
                for part, piece in zip(parts[1:], pieces[at + 1 : at + size], strict=True)
            ):
                return size, weight
        return None


def _faces(folded: str, signs: dict[str, float]) -> list[float]:
    """Smileys, and the brackets that stand for them in Russian: `спасибо)` and `опять((`."""
    hits = [signs[found] for found in _SMILEY.findall(folded) if found in signs]
    if not hits and ("(" in folded or ")" in folded):
        bare = _ENUMERATED.sub(" ", _PAIRED.sub(" ", folded))
        match = _BRACKETS.search(bare)
        if match:
            mark = match.group()
            hits.append(-1.0 if mark[0] == "(" else 0.8)
    return hits


@cache
def shipped_hints() -> Hints:
    """The shipped lists, read once."""
    here = resources.files(__package__)
    return Hints("\n".join((here / name).read_text(encoding="utf-8") for name in _LISTS))
