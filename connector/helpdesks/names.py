"""Names and values as admins write them, turned into what helpdesks want: what both adapters do alike.

Lists are read once and kept for ten minutes; a name that is not known is looked up afresh (at most once a minute)
before it is refused, so that a field made a moment ago works. The one rule: a name is never guessed; one that is
unknown or stands for two things is Rejected with a sentence that names it and what there is.
"""

from __future__ import annotations

import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, ClassVar

from connector.errors import AuthFailed, Gone, Rejected, Unsupported

_FRESH = 600.0
_AGAIN = 60.0
_YES = frozenset({"true", "yes", "on", "1", "да"})
_NO = frozenset({"false", "no", "off", "0", "", "нет"})


@dataclass(frozen=True, slots=True)
class Option:
    """One choice of a field: the value the helpdesk stores, and the name agents see."""

    value: str
    name: str


@dataclass(frozen=True, slots=True)
class Named:
    """One group, brand or product, form or ticket field. `name` is what the API calls it, where that differs from
    the title."""

    id: int
    title: str
    type: str = ""
    options: tuple[Option, ...] = ()
    name: str = ""


class NameLists(ABC):
    """The lists of one account, by their kind. Thread-safe; reads the helpdesk only when it has to.

    `trusted` kinds take an id on trust where this user may not read the list.
    """

    service = ""
    words: ClassVar[dict[str, str]] = {}
    trusted: ClassVar[frozenset[str]] = frozenset()

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._known: dict[str, tuple[float, tuple[Named, ...]]] = {}
        self._lock = threading.Lock()

    @abstractmethod
    def listed(self, kind: str) -> Iterable[Named]:
        """Everything of that kind as the helpdesk lists it now. Costs calls."""

    def one(self, kind: str, name: str) -> Named:
        """The one with that title, name or id; Rejected when there is not exactly one."""
        wanted = name.strip()
        read_at, known = self._known.get(kind, (None, ()))
        now = self._clock()
        patience = _FRESH if matching(known, wanted) else _AGAIN
        if read_at is None or now - read_at > patience:
            known = self._read_or_id(kind, wanted)
        found = matching(known, wanted)
        if len(found) == 1:
            return found[0]
        word = self.words.get(kind, kind)
        if found:
            ids = ", ".join(one.name or str(one.id) for one in found)
            raise self.rejected(f'the {word} "{wanted}" stands for more than one; use its id ({ids})')
        raise self.rejected(f'there is no {word} "{wanted}"; there are: {shown(one.title for one in known)}')

    def known(self, kind: str) -> tuple[Named, ...]:
        """What is known of that kind already; costs no call."""
        return self._known.get(kind, (0.0, ()))[1]

    def read(self, kind: str) -> tuple[Named, ...]:
        """Everything of that kind, read now and kept."""
        known = tuple(self.listed(kind))
        with self._lock:
            self._known[kind] = (self._clock(), known)
        return known

    def read_if_any(self, kind: str) -> tuple[Named, ...]:
        """The same, or nothing where the plan or the role has none."""
        try:
            return self.read(kind)
        except (Rejected, Gone, Unsupported):
            return ()

    def rejected(self, sentence: str) -> Rejected:
        """A name or value that the helpdesk does not have."""
        return Rejected(sentence, service=self.service, operation="prepare")

    def _read_or_id(self, kind: str, wanted: str) -> tuple[Named, ...]:
        try:
            return self.read(kind)
        except (Rejected, Gone, Unsupported, AuthFailed) as error:
            if kind in self.trusted and wanted.isdecimal():
                return (Named(int(wanted), wanted),)
            if isinstance(error, Gone):  # it is the list that is not there, not the ticket
                word = self.words.get(kind, kind)
                raise self.rejected(f'the {word} "{wanted}" cannot be looked up: there is no list of them') from None
            raise


def matching(known: Iterable[Named], wanted: str) -> list[Named]:
    """Those of that title, in any case; without one, those of that name; else that of that id."""
    known = tuple(known)
    folded = wanted.casefold()
    titled = [one for one in known if one.title.casefold() == folded]
    return (
        titled
        or [one for one in known if one.name.casefold() == folded != ""]
        or [one for one in known if str(one.id) == wanted]
    )


def yes_or_no(wanted: Named, value: Any) -> bool:
    """A checkbox's value; ValueError with a sentence, as from the others."""
    if isinstance(value, bool):
        return value
    word = str(value).strip().casefold()
    if word in _YES or word in _NO:
        return word in _YES
    raise ValueError(f'the field "{wanted.title}" takes yes or no, not "{value}"')


def whole_number(wanted: Named, value: Any) -> str:
    """A whole number as text."""
    try:
        return str(int(str(value).strip()))
    except ValueError:
        raise ValueError(f'the field "{wanted.title}" takes a whole number, not "{value}"') from None


def decimal(wanted: Named, value: Any) -> str:
    """A number as text; a comma may stand for the point."""
    number = str(value).strip().replace(",", ".")
    try:
        float(number)
    except ValueError:
        raise ValueError(f'the field "{wanted.title}" takes a number, not "{value}"') from None
    return number


def day(wanted: Named, value: Any) -> str:
    """A date, 2025-12-31."""
    if isinstance(value, datetime):
        return value.date().isoformat()
    if isinstance(value, date):
        return value.isoformat()
    try:
        return datetime.fromisoformat(str(value).strip()).date().isoformat()
    except ValueError:
        raise ValueError(f'the field "{wanted.title}" takes a date as 2025-12-31, not "{value}"') from None


def text(value: Any) -> str:
    """Any value as plain text."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list | tuple):
        return ", ".join(str(one) for one in value)
    return str(value)


def shown(words: Iterable[str]) -> str:
    """Words for a sentence, each in quotes, not too many."""
    listed = [f'"{word}"' for word in words if word]
    more = f" and {len(listed) - 20} more" if len(listed) > 20 else ""
    return (", ".join(listed[:20]) + more) or "none"
