"""What a field may be asked to be: one of some words, within some numbers, with a word in it, as a pattern says.

Each is a value with four sides: the test that runs, whether it lies within another of its class (for proofs about
rules), how a person would write it, and the words for the trace. Unknown, that is None, matches none of them.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from fnmatch import fnmatchcase
from functools import cached_property
from typing import Any, Protocol

import regex

from connector.triage.facts import Said, fold, words_of

PATTERN_SECONDS = 0.25
_SAMPLE_SECONDS = 0.05
_CERTAIN_SECONDS = 0.5

_SAMPLES = ("a", "а", "1", " ", "ab", "a ", "а1", "!", "a@b.", "/a")


class Want(Protocol):
    """What is wanted of one field's value. The value may be None: unknown matches nothing."""

    def compiled(self) -> Callable[[Any], bool]:
        """The test that runs."""

    def within(self, other: Any) -> bool:
        """Every value that fits this fits the other (of the same class)."""

    def shown(self) -> str:
        """As a person would write it."""

    def tell(self, name: str, value: Any, held: bool) -> str:
        """Why it held, or why not."""


@dataclass(frozen=True, slots=True)
class OneOf:
    """The value is one of these; text values may hold `*` for any letters, and are compared folded."""

    values: frozenset[Any]

    def compiled(self) -> Callable[[Any], bool]:
        plain = frozenset(value for value in self.values if not _is_glob(value))
        globs = tuple(str(value) for value in self.values if _is_glob(value))
        if not globs:
            return plain.__contains__
        return lambda value: value in plain or (bool(value) and any(_globbed(value, glob) for glob in globs))

    def within(self, other: OneOf) -> bool:
        return self.values <= other.values

    def shown(self) -> str:
        return " or ".join(sorted(str(value) for value in self.values))

    def tell(self, name: str, value: Any, held: bool) -> str:
        return f"{name} is {_show(value)}" if held else f"{name} is {_show(value)}, wanted {self.shown()}"


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of numbers; an open end does not count itself."""

    low: float = float("-inf")
    high: float = float("inf")
    low_open: bool = False
    high_open: bool = False

    def has(self, value: float) -> bool:
        """Whether the number lies in it."""
        above = value > self.low if self.low_open else value >= self.low
        return above and (value < self.high if self.high_open else value <= self.high)

    def within(self, other: Span) -> bool:
        """Whether it lies inside the other."""
        low = self.low > other.low or (self.low == other.low and (self.low_open or not other.low_open))
        return low and (
            self.high < other.high or (self.high == other.high and (self.high_open or not other.high_open))
        )

    @property
    def empty(self) -> bool:
        """Whether no number lies in it."""
        return self.low > self.high or (self.low == self.high and (self.low_open or self.high_open))

    def shown(self) -> str:
        """As a person would write it."""
        if self.low == self.high:
            return _show(self.low)
        parts = []
        if self.low != float("-inf"):
            parts.append(f"{'>' if self.low_open else '≥'} {_show(self.low)}")
        if self.high != float("inf"):
            parts.append(f"{'<' if self.high_open else '≤'} {_show(self.high)}")
        return " and ".join(parts)


@dataclass(frozen=True, slots=True)
class InSpans:
    """The number lies in one of these stretches."""

    spans: tuple[Span, ...]

    def compiled(self) -> Callable[[Any], bool]:
        spans = self.spans
        if len(spans) == 1:
            has = spans[0].has
            return lambda value: value is not None and has(value)
        return lambda value: value is not None and any(span.has(value) for span in spans)

    def within(self, other: InSpans) -> bool:
        return all(any(span.within(wider) for wider in other.spans) for span in self.spans)

    def shown(self) -> str:
        return " or ".join(span.shown() for span in self.spans)

    def tell(self, name: str, value: Any, held: bool) -> str:
        shown = _show(value)
        if held and any(span.low == span.high == value for span in self.spans):
            return f"{name} is {shown}"
        return f"{name} {shown} is {self.shown()}" if held else f"{name} is {shown}, wanted {self.shown()}"


@dataclass(frozen=True)
class HasWord:
    """The text has one of these: a whole word, a beginning (`возврат*`), a phrase of such, or a sign (emoji).

    `entries` are in the form `entry_of` makes."""

    entries: frozenset[str]

    def compiled(self) -> Callable[[Any], bool]:
        needles, patterns, signs = self.sought

        def holds(said: Said) -> bool:
            line = said.line
            for needle in needles:
                if needle in line:
                    return True
            return any(pattern.search(line) for pattern in patterns) or any(sign in said.folded for sign in signs)

        return holds

    @cached_property
    def sought(self) -> tuple[tuple[str, ...], tuple[re.Pattern[str], ...], tuple[str, ...]]:
        """What to look for in the line of words, as it stands and as patterns, and in the whole text."""
        needles: list[str] = []
        patterns: list[re.Pattern[str]] = []
        signs: list[str] = []
        for entry in sorted(self.entries):
            if not words_of(entry):
                signs.append(entry)
            elif "*" in entry[:-1]:
                patterns.append(re.compile(f" {re.escape(entry)} ".replace(r"\*", r"\S*").replace("\\ ", " ")))
            else:
                needles.append(f" {entry[:-1]}" if entry.endswith("*") else f" {entry} ")
        return tuple(needles), tuple(patterns), tuple(signs)

    def within(self, other: HasWord) -> bool:
        return self.entries <= other.entries

    def shown(self) -> str:
        entries = sorted(self.entries)
        return ", ".join(entries[:5]) + (", …" if len(entries) > 5 else "")

    def tell(self, name: str, value: Said, held: bool) -> str:
        if not held:
            return f"{name} has none of: {self.shown()}"
        return f"{name} has «{self.found(value)}»"

    def found(self, said: Said) -> str:
        """The words of the text that fit first, in the order of the entries."""
        needles, patterns, signs = self.sought
        for needle in needles:
            at = said.line.find(needle)
            if at >= 0:
                end = said.line.index(" ", at + len(needle.rstrip()))
                return said.line[at:end].strip()
        match = next((match for pattern in patterns if (match := pattern.search(said.line))), None)
        return match.group().strip() if match else next((sign for sign in signs if sign in said.folded), "")


@dataclass(frozen=True, slots=True)
class Fits:
    """The text fits a regular expression somewhere, without regard to case. TimeoutError when that takes too long."""

    pattern: str

    def compiled(self) -> Callable[[Any], bool]:
        search = regex.compile(self.pattern, regex.IGNORECASE).search
        return lambda value: search(_raw(value), timeout=PATTERN_SECONDS) is not None

    def within(self, other: Fits) -> bool:
        return self == other

    def shown(self) -> str:
        return f"/{self.pattern}/"

    def tell(self, name: str, value: Any, held: bool) -> str:
        if not held:
            return f"{name} does not match {self.shown()}"
        found = regex.compile(self.pattern, regex.IGNORECASE).search(_raw(value), timeout=PATTERN_SECONDS)
        return f"{name} matches {self.shown()} («{found.group()[:60] if found else ''}»)"


@dataclass(frozen=True, slots=True)
class OnDays:
    """The day is in one of these stretches, both ends included."""

    stretches: tuple[tuple[date, date], ...]

    def compiled(self) -> Callable[[Any], bool]:
        stretches = self.stretches
        return lambda day: day is not None and any(first <= day <= last for first, last in stretches)

    def within(self, other: OnDays) -> bool:
        return all(
            any(low <= first and last <= high for low, high in other.stretches) for first, last in self.stretches
        )

    def shown(self) -> str:
        return " or ".join(_stretch(first, last) for first, last in self.stretches)

    def tell(self, name: str, value: Any, held: bool) -> str:
        return f"{name} {value} is {self.shown()}" if held else f"{name} is {value}, wanted {self.shown()}"


@dataclass(frozen=True, slots=True)
class Is:
    """The flag is so."""

    value: bool

    def compiled(self) -> Callable[[Any], bool]:
        wanted = self.value
        return lambda value: value is wanted

    def within(self, other: Is) -> bool:
        return self == other

    def shown(self) -> str:
        return _show(self.value)

    def tell(self, name: str, value: Any, held: bool) -> str:
        return f"{name} is {_show(value)}" if held else f"{name} is {_show(value)}, wanted {self.shown()}"


def _stretch(first: date, last: date) -> str:
    if first == last:
        return first.isoformat()
    return " ".join(
        part
        for part in (
            f"from {first}" if first != date.min else "",
            f"to {last}" if last != date.max else "",
        )
        if part
    )


def _raw(value: Any) -> str:
    return value.raw if isinstance(value, Said) else str(value)


def _is_glob(value: Any) -> bool:
    return isinstance(value, str) and "*" in value


def _globbed(value: Any, glob: str) -> bool:
    return fnmatchcase(str(value), glob.replace("[", "[[]").replace("?", "[?]"))


def _show(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def entry_of(text: str) -> str:
    """A word, beginning or phrase of a mapping in the form `HasWord` compares; a `*` ends a word and stands nowhere
    else. What has no letter or digit in it, such as an emoji, is looked for as it is."""
    found: list[str] = []
    for part in fold(text).split():
        words = words_of(part)
        found += [*words[:-1], words[-1] + "*"] if words and part.endswith("*") else words
    return " ".join(found) or fold(text.strip())


def too_slow(pattern: str) -> bool:
    """Whether a regular expression loses itself in short, ordinary texts (overlapping alternatives in a repetition,
    such as `(a|aa)+$`; nested repetition alone the library sees through)."""
    compiled = regex.compile(pattern, regex.IGNORECASE)
    letters = "".join(sorted(set(regex.findall(r"\w", pattern))))[:20]
    samples = (*_SAMPLES, *letters, letters) if letters else _SAMPLES
    texts = [sample * (64 // len(sample) + 1) for sample in samples]
    return any(_loses_itself(compiled, text) for text in (*texts, *(f"{text}\x01" for text in texts)))


def _loses_itself(compiled: Any, text: str) -> bool:
    # Asked twice, the second time with ten times the patience: a busy machine must not make a pattern look guilty.
    for seconds in (_SAMPLE_SECONDS, _CERTAIN_SECONDS):
        try:
            compiled.search(text, timeout=seconds)
        except TimeoutError:
            continue
        return False
    return True
