"""The guard: the last look at an answer before it becomes public.

`Guard.look` gives what it found, each with its place in the text and what is to be done: `warn` (it leaves, and the
ticket tells), `to_private` (it goes to the person alone, where the platform can), `hold` (it does not leave until the
agent answers again or somebody releases it). Pure: what needs memory (how often the same was said) comes in with the
answer. A private answer has a profile of its own, looser by default.

The one rule: a finding's `sentence` never repeats what was found, for it is stored as a reason and logged; only the
note on the ticket shows the span.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal, get_args
from urllib.parse import urlsplit

from connector.triage.facts import fold
from connector.triage.guard import personal

Check = Literal["personal_data", "asking", "banned", "brand", "links", "rude", "repeated", "do_not_answer", "account"]
Action = Literal["allow", "warn", "to_private", "hold"]

CHECKS: tuple[Check, ...] = get_args(Check)
ACTIONS: tuple[Action, ...] = get_args(Action)

PUBLIC: Mapping[Check, Action] = {
    "personal_data": "hold",
    "asking": "hold",
    "banned": "hold",
    "brand": "warn",
    "links": "hold",
    "rude": "hold",
    "repeated": "warn",
    "do_not_answer": "hold",
    "account": "hold",
}
PRIVATE: Mapping[Check, Action] = {
    **PUBLIC,
    "personal_data": "allow",
    "asking": "allow",
    "links": "warn",
    "repeated": "allow",
    "do_not_answer": "allow",
}

_LINK = re.compile(r"(?<![\w@.])(?:https?://|www\.)[^\s<>\"'()]+", re.IGNORECASE)
_SHOUTED = re.compile(r"(?<!\w)[^\W\d_]{4,}(?!\w)")
_MARKS = re.compile(r"[!?]{3,}")
_NUMBERS = re.compile(r"[\w-]*\d[\w-]*")
_MOST_FINDINGS = 20


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer about to leave. `asked` is what the person wrote, `account` who will be seen to answer; `repeats`
    counts the same text said on this source within `Guard.within` hours."""

    text: str
    public: bool
    source: str = ""
    thread: str = ""
    account: str = ""
    asked: str = ""
    repeats: int = 0


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing found: by which check, what to do, where in the text, and a sentence that does not repeat it."""

    check: Check
    action: Action
    sentence: str
    start: int = 0
    end: int = 0


@dataclass(frozen=True)
class Guard:
    """What is looked for. `allow` holds the company's own numbers and addresses, folded and without separators;
    `brand` the wrong spellings by the right one; `links` the domains that may be linked to (empty: any); `accounts`
    who has to be the one that answers, by source."""

    public: Mapping[Check, Action] = field(default_factory=lambda: PUBLIC)
    private: Mapping[Check, Action] = field(default_factory=lambda: PRIVATE)
    data: tuple[str, ...] = tuple(personal.FINDERS)
    region: str = "RU"
    allow: frozenset[str] = frozenset()
    banned: tuple[str, ...] = ()
    brand: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    links: tuple[str, ...] = ()
    rude: tuple[str, ...] = ()
    most: int = 5
    within: float = 24.0
    silent_sources: frozenset[str] = frozenset()
    silent_threads: frozenset[str] = frozenset()
    accounts: Mapping[str, str] = field(default_factory=dict)

    def look(self, answer: Answer) -> tuple[Finding, ...]:
        """What was found, the gravest first, in the order of the text."""
        actions = self.public if answer.public else self.private
        found = [one for one in self._findings(answer, actions) if one.action != "allow"]
        found.sort(key=lambda one: (-ACTIONS.index(one.action), one.start))
        return tuple(found[:_MOST_FINDINGS])

    def _findings(self, answer: Answer, actions: Mapping[Check, Action]) -> Iterator[Finding]:
        text = answer.text

        def found(check: Check, sentence: str, span: tuple[int, int] = (0, 0)) -> Finding:
            return Finding(check, actions[check], sentence, *span)

        for kind, span in self._personal(answer):
            yield found("personal_data", f"It holds {personal.SHOWN[kind]}, and everybody could read it.", span)
        for span in personal.asks(text):
            yield found("asking", "It asks for personal data where everybody could read the answer.", span)
        for span in _spans(self._banned, text):
            yield found("banned", "It holds a word that is not to be used.", span)
        for right, span in self._misspelt(text):
            yield found("brand", f'It spells "{right}" otherwise.', span)
        for span in self._strange_links(text):
            yield found("links", "It links to a site that is not on the list.", span)
        for span in self._rude_spans(text):
            yield found("rude", "It may sound rude.", span)
        if self.most and answer.repeats >= self.most:
            yield found("repeated", f"The same text was posted {answer.repeats} times within {self.within:g} hours.")
        if fold(answer.source) in self.silent_sources or answer.thread in self.silent_threads:
            yield found("do_not_answer", "Nothing is to be answered here.")
        expected = self.accounts.get(answer.source)
        if expected and answer.account and fold(expected.lstrip("@")) != fold(answer.account.lstrip("@")):
            yield found("account", f"It would be posted as {answer.account}, and {expected} is to answer here.")

    def _personal(self, answer: Answer) -> Iterator[tuple[str, tuple[int, int]]]:
        taken: list[tuple[int, int]] = []
        asked = {_bare(number) for number in _NUMBERS.findall(answer.asked)}
        for kind in sorted(self.data, key=_LAST.index):
            for span in personal.FINDERS[kind](answer.text, self.region):
                what = _bare(answer.text[slice(*span)])
                theirs = kind == "order" and what in asked  # the person has named it in public
                if theirs or what in self.allow or any(span[0] < end and start < span[1] for start, end in taken):
                    continue
                taken.append(span)
                yield kind, span

    def _misspelt(self, text: str) -> Iterator[tuple[str, tuple[int, int]]]:
        for right, spellings in self._brand.items():
            yield from ((right, span) for span in _spans(spellings, text) if text[slice(*span)] != right)

    def _strange_links(self, text: str) -> Iterator[tuple[int, int]]:
        for span, host in _links(text) if self.links else ():
            if not any(host == one or host.endswith(f".{one}") for one in self.links):
                yield span

    def _rude_spans(self, text: str) -> Iterator[tuple[int, int]]:
        yield from _spans(self._rude, text)
        yield from (found.span() for found in _MARKS.finditer(text))
        words = list(_SHOUTED.finditer(text))
        shouted = [word for word in words if word[0].isupper()]
        if len(shouted) >= 3 and len(shouted) * 2 > len(words):
            yield shouted[0].start(), shouted[-1].end()

    @cached_property
    def _banned(self) -> re.Pattern[str] | None:
        return _pattern(self.banned)

    @cached_property
    def _rude(self) -> re.Pattern[str] | None:
        return _pattern(self.rude)

    @cached_property
    def _brand(self) -> dict[str, re.Pattern[str] | None]:
        return {right: _pattern((right, *wrong)) for right, wrong in self.brand.items()}


_LAST = ("card", "account", "inn", "snils", "passport", "email", "phone", "order")
"""What is surest comes first: a place that is a card is not looked at as a phone number again."""


def _bare(text: str) -> str:
    """Without case and separators, so that one number is the same in every writing."""
    return re.sub(r"[\s\-()./+]", "", fold(text))


def own(texts: Iterable[str]) -> frozenset[str]:
    """The company's own numbers and addresses as they are compared; a Russian 8 and +7 are one."""
    bare = {_bare(text) for text in texts}
    return frozenset(
        bare
        | {"7" + one[1:] for one in bare if len(one) == 11 and one[:1] == "8"}
        | {"8" + one[1:] for one in bare if len(one) == 11 and one[:1] == "7"}
    )


def _links(text: str) -> Iterator[tuple[tuple[int, int], str]]:
    for found in _LINK.finditer(text):
        address = found[0] if "://" in found[0] else f"http://{found[0]}"
        try:
            host = urlsplit(address).hostname or ""
        except ValueError:
            host = ""
        yield found.span(), host.lower().removeprefix("www.")


def _pattern(entries: Iterable[str]) -> re.Pattern[str] | None:
    """Whole words, case aside, ё as е; `word*` is every word that begins so, several words are a phrase."""
    found = [_entry(entry) for entry in entries if entry.strip()]
    return re.compile(rf"(?<!\w)(?:{'|'.join(found)})(?!\w)", re.IGNORECASE) if found else None


def _entry(entry: str) -> str:
    words = [re.escape(word.rstrip("*")) + (r"\w*" if word.endswith("*") else "") for word in entry.split()]
    return re.sub("[её]", "[её]", r"[\s-]+".join(words), flags=re.IGNORECASE)


def _spans(pattern: re.Pattern[str] | None, text: str) -> Iterator[tuple[int, int]]:
    return iter(()) if pattern is None else (found.span() for found in pattern.finditer(text))
