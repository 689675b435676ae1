"""Conditions: what a rule asks of a mention, as values that can be run, told and reasoned about.

A condition is `All`, `Some`, `Not` or a `Test` of one field. Four things can be done with one:

    check               a closure from Facts to bool, made once at load: this is what runs for every mention
    tell(facts, held)   the sentence for the trace: why it held, or why it did not
    bounds(known)       whether it can still be true, and can still be false, when only some fields are known
    implies(a, b)       True only when every mention that fits `a` fits `b` as well

The last two never guess: where they cannot know, `bounds` says both and `implies` says no. So "this ignore rule can
never match a negative mention" and "this rule is never reached" are proofs, as far as they go.

Logic is two-valued: a datum that is missing matches nothing, and so `not` of it holds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from connector.triage.facts import Facts, getter
from connector.triage.wants import Want

Check = Callable[[Facts], bool]

CHANGING = ("priority", "score")
"""Fields that change while rules are applied."""


class Condition:
    """The algebra. Subclasses are frozen and compare by value."""

    @cached_property
    def check(self) -> Check:
        """The closure that runs, made once."""
        return self._made()

    def _made(self) -> Check:
        raise NotImplementedError

    def tell(self, facts: Facts, held: bool) -> str:
        """Why it held, or why not, for this mention."""
        raise NotImplementedError

    def bounds(self, known: Mapping[str, Any]) -> tuple[bool, bool]:
        """(can be true, can be false) for a mention of which only these fields are known."""
        raise NotImplementedError


@dataclass(frozen=True)
class All(Condition):
    """Every part holds; no part at all: always."""

    parts: tuple[Condition, ...] = ()

    def _made(self) -> Check:
        checks = tuple(part.check for part in self.parts)
        if not checks:
            return lambda _: True
        if len(checks) == 1:
            return checks[0]

        def every(facts: Facts) -> bool:
            for check in checks:  # noqa: SIM110 - all() with a generator costs twice as much here
                if not check(facts):
                    return False
            return True

        return every

    def tell(self, facts: Facts, held: bool) -> str:
        if not self.parts:
            return "every mention"
        if held:
            return "; ".join(part.tell(facts, True) for part in self.parts)
        return next((part.tell(facts, False) for part in self.parts if not part.check(facts)), "")

    def bounds(self, known: Mapping[str, Any]) -> tuple[bool, bool]:
        each = [part.bounds(known) for part in self.parts]
        return all(true for true, _ in each), any(false for _, false in each)


@dataclass(frozen=True)
class Some(Condition):
    """At least one part holds; no part at all: never."""

    parts: tuple[Condition, ...] = ()

    def _made(self) -> Check:
        checks = tuple(part.check for part in self.parts)
        if len(checks) == 1:
            return checks[0]

        def some(facts: Facts) -> bool:
            for check in checks:  # noqa: SIM110 - as above
                if check(facts):
                    return True
            return False

        return some

    def tell(self, facts: Facts, held: bool) -> str:
        if held:
            return next((part.tell(facts, True) for part in self.parts if part.check(facts)), "")
        return "; ".join(part.tell(facts, False) for part in self.parts)

    def bounds(self, known: Mapping[str, Any]) -> tuple[bool, bool]:
        each = [part.bounds(known) for part in self.parts]
        return any(true for true, _ in each), all(false for _, false in each)


@dataclass(frozen=True)
class Not(Condition):
    """The part does not hold."""

    part: Condition

    def _made(self) -> Check:
        check = self.part.check
        return lambda facts: not check(facts)

    def tell(self, facts: Facts, held: bool) -> str:
        return self.part.tell(facts, not held)

    def bounds(self, known: Mapping[str, Any]) -> tuple[bool, bool]:
        true, false = self.part.bounds(known)
        return false, true


@dataclass(frozen=True)
class Test(Condition):
    """One field is as wanted."""

    __test__ = False  # a name pytest would otherwise collect

    field: str
    want: Want

    def _made(self) -> Check:
        get, holds = getter(self.field), self.want.compiled()
        return lambda facts: holds(get(facts))

    def tell(self, facts: Facts, held: bool) -> str:
        value = getter(self.field)(facts)
        if value is None or value == "":
            return f"{self.field} is unknown" if held else f"{self.field} is unknown, wanted {self.want.shown()}"
        return self.want.tell(self.field, value, held)

    def bounds(self, known: Mapping[str, Any]) -> tuple[bool, bool]:
        if self.field not in known:
            return True, True
        held = self.want.compiled()(known[self.field])
        return held, not held


@dataclass(frozen=True)
class Called(Condition):
    """A condition that has a name of its own, such as a kind of feedback: it holds exactly when `meaning` does.

    Subclasses say how that was found out, for it is not asked again for every rule.
    """

    field: str
    name: str
    meaning: Condition

    def tell(self, facts: Facts, held: bool) -> str:
        return f"{self.field} is {self.name}" if held else f"{self.field} is not {self.name}"

    def bounds(self, known: Mapping[str, Any]) -> tuple[bool, bool]:
        return self.meaning.bounds(known)


def told(condition: Condition, facts: Facts, held: bool) -> str:
    """The sentence for the trace, also where a pattern takes too long to say it."""
    try:
        return condition.tell(facts, held)
    except TimeoutError:
        return "a pattern took too long on this text"


# --- reasoning ---------------------------------------------------------------------------------------------


def implies(one: Condition, other: Condition) -> bool:
    """True only when every mention that fits `one` fits `other` too. False: it could not be shown.

    Tests of `priority` and `score` prove nothing: those may change between the two rules."""
    if one == other and not set(CHANGING).intersection(fields_in(one)):
        return True
    if isinstance(one, Called):
        return implies(one.meaning, other)
    if isinstance(one, Some):
        return all(implies(part, other) for part in one.parts)
    if isinstance(other, All):
        return all(implies(one, part) for part in other.parts)
    if isinstance(one, All) and any(implies(part, other) for part in one.parts):
        return True
    if isinstance(other, Called):
        return implies(one, other.meaning)
    if isinstance(other, Some):
        return any(implies(one, part) for part in other.parts)
    if isinstance(one, Not) and isinstance(other, Not):
        return implies(other.part, one.part)
    if isinstance(one, Test) and isinstance(other, Test) and one.field == other.field not in CHANGING:
        return type(one.want) is type(other.want) and one.want.within(other.want)
    return False


def leaves(condition: Condition) -> Iterable[Condition]:
    """The conditions a condition is made of, without `All`, `Some` and `Not` around them."""
    if isinstance(condition, All | Some):
        for part in condition.parts:
            yield from leaves(part)
    elif isinstance(condition, Not):
        yield from leaves(condition.part)
    else:
        yield condition


def fields_in(condition: Condition) -> Iterable[str]:
    """The fields a condition looks at."""
    return (leaf.field for leaf in leaves(condition) if isinstance(leaf, Test | Called))
