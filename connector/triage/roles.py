"""Roles: who an author is to us, by lists and by what they have said before.

    people:                                              # the first that fits counts
      employee: {author.handle: {list: employees}}
      troll: {author.negative: {at_least: 5}, feedback: insult}
      critic: {author.negative: {at_least: 3}}           # earlier mentions within remember_days

A role is found after the kinds of feedback and before the score, so a score and every rule may ask for it. Whom
nothing fits is `unknown`. What a troll says is never ignored but by a rule that says `allow_negative: true`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from connector.model import ROLES, Because, Role
from connector.triage.condition import All, Check, Condition, fields_in, told
from connector.triage.facts import Facts
from connector.triage.sheet import Sheet
from connector.triage.when import Named, read_when
from connector.yamlfile import Where

NAMED: tuple[Role, ...] = tuple(role for role in ROLES if role != "unknown")


@dataclass(frozen=True, slots=True)
class Membership:
    """One role and whom it fits."""

    role: Role
    condition: Condition
    check: Check
    place: str


@dataclass(frozen=True, slots=True)
class Roles:
    """All roles of a mapping, in their order."""

    known: tuple[Membership, ...] = ()

    def find(self, facts: Facts, trace: list[Because]) -> None:
        """Puts the role of this author into the facts, and the reason into the trace. A pattern that takes too long
        leaves its role out."""
        for one in self.known:
            try:
                fits = one.check(facts)
            except TimeoutError:
                why = "a pattern took too long on this text, so the role was left out"
                trace.append(Because("role", "", one.role, one.place, why))
                continue
            if fits:
                facts.role = one.role
                trace.append(Because("role", one.role, one.role, one.place, told(one.condition, facts, True)))
                return


def read_roles(value: Any, where: Where, sheet: Sheet, named: Named) -> Roles:
    """The roles as they are written; mistakes go onto the sheet."""
    keys = sheet.mapping(value, where, "a mapping from roles to the people they fit")
    sheet.keys(keys, where, NAMED, "a role")
    roles = {role: role for role in NAMED}
    found: list[Membership] = []
    for name, item in keys.items():
        role = roles.get(name)  # type: ignore[call-overload]
        if role is None:
            continue
        at = (*where, name)
        condition = read_when(item, at, sheet, named)
        late = sorted({"priority", "score", "role"}.intersection(fields_in(condition)))
        if late:
            sheet.wrong(
                at, f"cannot ask for {' and '.join(late)}: roles are found before those are known", at_key=True
            )
        blocker = next((before for before in found if before.condition == All()), None)
        if blocker is not None:
            sheet.doubt(
                at, f'"{role}" is never reached: "{blocker.role}" ({blocker.place}) fits everybody', at_key=True
            )
        found.append(Membership(role, condition, condition.check, sheet.at(at)))
    return Roles(tuple(found))
