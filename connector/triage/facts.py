"""What a rule can see of a mention.

`Facts` answers every question a condition may ask, each at most once: most rules never look at the words, so the
words are only cut when somebody asks. Text is compared folded: without case, ё as е, one kind of apostrophe.
Only the first `MOST_TEXT` characters are looked at, so that a very long article costs no more than a long comment.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from datetime import date, datetime, tzinfo
from functools import cached_property
from typing import Any

from connector.model import Mention, Past, Priority, Role, Tone

MOST_TEXT = 20_000
UNKNOWN_LANGUAGE = "unknown"
WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")

_LINK = re.compile(r"https?://|www\.\w", re.IGNORECASE)
_HASHTAG = re.compile(r"#\w")
_WORD = re.compile(r"[^\W_]+(?:'[^\W_]+)*")
_FOLD = str.maketrans({"ё": "е", "’": "'", "ʼ": "'"})


def fold(text: str) -> str:
    """The text as it is compared."""
    return unicodedata.normalize("NFC", text).casefold().translate(_FOLD)


def words_of(folded: str) -> list[str]:
    """The words of a folded text: letters and digits, apostrophes inside; a hyphen separates."""
    return _WORD.findall(folded)


NOTHING_KNOWN = Past()


class Said:
    """A text, whole (`raw`), folded, and as a `line` of its words with one space around each."""

    def __init__(self, raw: str) -> None:
        self.raw = raw[:MOST_TEXT]

    @cached_property
    def folded(self) -> str:
        """As it is compared."""
        return fold(self.raw)

    @cached_property
    def words(self) -> list[str]:
        """Its words, in order."""
        return words_of(self.folded)

    @cached_property
    def line(self) -> str:
        """` word word `: a word is in it exactly when ` word ` is."""
        return f" {' '.join(self.words)} "

    @cached_property
    def links(self) -> int:
        """How many web addresses stand in it."""
        return len(_LINK.findall(self.raw))

    @cached_property
    def hashtags(self) -> int:
        """How many #hashtags."""
        return len(_HASHTAG.findall(self.raw))


class Facts:
    """One mention as conditions see it.

    `kinds` are its kinds of feedback, `feedback` those with all above them (complaint of complaint.delivery): found
    before any rule is asked, and then `role`. `priority` and `score` are those so far and change while rules are
    applied.
    """

    def __init__(
        self, mention: Mention, tone: Tone, language: str, zone: tzinfo, said: Said, past: Past = NOTHING_KNOWN
    ) -> None:
        self.mention = mention
        self.tone = tone
        self.language = language or UNKNOWN_LANGUAGE
        self.zone = zone
        self.text = said
        self.past = past
        self.kinds: tuple[str, ...] = ()
        self.feedback: frozenset[str] = frozenset()
        self.answer_expected = True
        self.score = 0
        self.priority: Priority = "normal"
        self.role: Role = "unknown"

    @cached_property
    def parent_text(self) -> Said:
        """What the mention answers; empty when it answers nothing."""
        parent = self.mention.parent
        return Said(parent.text if parent else "")

    @cached_property
    def local(self) -> datetime | None:
        """When it was posted, in the policy's time zone; None at the very ends of time, where no zone reaches."""
        try:
            return self.mention.created_at.astimezone(self.zone)
        except (OverflowError, ValueError):
            return None

    def hour(self) -> int | None:
        """The hour of day, 0 to 23."""
        return self.local.hour if self.local else None

    def weekday(self) -> str | None:
        """mon … sun."""
        return WEEKDAYS[self.local.weekday()] if self.local else None

    def date(self) -> date | None:
        """The day it was posted on."""
        return self.local.date() if self.local else None


def said_in(mention: Mention) -> Said:
    """What was said: the title, if there is one, and the text."""
    return Said(f"{mention.title}\n{mention.text}" if mention.title else mention.text)


GETTERS: dict[str, Callable[[Facts], Any]] = {
    "source": lambda facts: fold(facts.mention.source),
    "platform": lambda facts: fold(facts.mention.platform),
    "kind": lambda facts: facts.mention.kind,
    "tone": lambda facts: facts.tone.label,
    "priority": lambda facts: facts.priority,
    "language": lambda facts: facts.language,
    "author.handle": lambda facts: fold(facts.mention.author.handle.removeprefix("@")),
    "author.name": lambda facts: fold(facts.mention.author.name),
    "author.followers": lambda facts: facts.mention.author.followers,
    "author.verified": lambda facts: facts.mention.author.verified,
    "text": lambda facts: facts.text,
    "parent": lambda facts: facts.mention.parent is not None,
    "parent.text": lambda facts: facts.parent_text,
    "rating": lambda facts: facts.mention.rating,
    "engagement.total": lambda facts: sum(facts.mention.engagement.values()) if facts.mention.engagement else None,
    "hour": Facts.hour,
    "weekday": Facts.weekday,
    "private": lambda facts: facts.mention.private,
    "date": Facts.date,
    "text.length": lambda facts: len(facts.text.raw),
    "text.links": lambda facts: facts.text.links,
    "text.hashtags": lambda facts: facts.text.hashtags,
    "author.contacts": lambda facts: facts.past.contacts,
    "author.negative": lambda facts: facts.past.negative,
    "author.positive": lambda facts: facts.past.positive,
    "role": lambda facts: facts.role,
    "after_answer": lambda facts: facts.past.answered,
    "last_tone": lambda facts: facts.past.tone,
    "answer_expected": lambda facts: facts.answer_expected,
    "score": lambda facts: facts.score,
}


def getter(name: str) -> Callable[[Facts], Any]:
    """How a condition's field is looked up; every `engagement.<count>` is one."""
    known = GETTERS.get(name)
    if known is not None:
        return known
    count = name.removeprefix("engagement.")
    return lambda facts: facts.mention.engagement.get(count)
