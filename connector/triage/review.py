"""A mapping looked at as a whole: what only shows when all rules stand side by side.

An ignore rule that could swallow a complaint is an error. Warned of are rules that are never reached, that can never
match, that say the same as another, or whose every value another rule always takes away; kinds of feedback that
nobody owns, that have no answer drafted, or that no rule or table does anything about. All of it is proof, as far as
`bounds` and `implies` go: what cannot be shown is not said.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import product

from connector.errors import Problem
from connector.model import KINDS, PRIORITIES, TONES
from connector.triage.condition import CHANGING, All, Called, fields_in, implies, leaves
from connector.triage.feedback import NEGATIVE, Kind, Kinds, above, tones_of
from connector.triage.rules import Rule, Tables
from connector.triage.score import Score
from connector.triage.settings import Assignment
from connector.triage.templates import Answers
from connector.yamlfile import dotted


def review(
    rules: Sequence[Rule],
    tables: Tables,
    kinds: Kinds,
    score: Score | None,
    answers: Answers,
    problems: Sequence[Problem],
) -> list[Problem]:
    """Everything to be said about the whole; `problems` are the mistakes found so far, and of a rule or kind that has
    one nothing is concluded."""
    sound = [rule for rule in rules if not _broken(rule, problems)]
    found: list[Problem] = []
    for index, rule in enumerate(sound):
        earlier = sound[:index]
        found += _swallows(rule, earlier)
        found += _unreachable(rule, earlier, score) or _repeats(rule, earlier) or _shadowed(rule, sound[index + 1 :])
    found += _unscored(sound, score)
    if score is not None:
        found += _overruled(tables)
    for kind in [kind for kind in kinds.kinds if not _broken(kind, problems)]:
        found += _uncovered(kind, sound, tables, kinds, answers)
    return found


def _broken(one: Rule | Kind, problems: Sequence[Problem]) -> bool:
    """Whether there is a mistake in the rule or kind itself: then nothing is concluded from it."""
    path = dotted(one.where)
    return any(
        problem.severity == "error" and problem.file == one.document.file and _inside(problem.path, path)
        for problem in problems
    )


def _inside(path: str, outer: str) -> bool:
    return path == outer or path.startswith((f"{outer}.", f"{outer}["))


# --- complaints --------------------------------------------------------------------------------------------


def _swallows(rule: Rule, earlier: Sequence[Rule]) -> Iterator[Problem]:
    """A complaint must not be ignored unless the admin says so in so many words."""
    if not rule.ignore or rule.allow_negative:
        return
    tones = [tone for tone in NEGATIVE if _reaches(rule, earlier, {"tone": tone})]
    if tones:
        message = (
            f'"{rule.name}" could ignore a complaint: it can match tone {" and ".join(tones)}. Add to its '
            "`when`: not: {tone: [negative, very_negative]}; or, if you mean it, `allow_negative: true`"
        )
        yield rule.document.problem((*rule.where, "ignore"), message)


def _reaches(rule: Rule, earlier: Sequence[Rule], known: Mapping[str, object]) -> bool:
    """Whether a mention with these fields can fit the rule without an earlier rule certainly ending the walk."""
    if not rule.condition.bounds(known)[0]:
        return False
    settled = {key: value for key, value in known.items() if key not in CHANGING}
    return not any(one.ends and not one.condition.bounds(settled)[1] for one in earlier)


# --- rules that do nothing ---------------------------------------------------------------------------------


def _unreachable(rule: Rule, earlier: Sequence[Rule], score: Score | None) -> list[Problem]:
    blocker = next((one for one in earlier if one.ends and implies(rule.condition, one.condition)), None)
    if blocker is not None:
        what = "every mention" if blocker.condition == All() else "everything this one could match"
        message = f'"{rule.name}" is never reached: "{blocker.name}" ({blocker.place}) already ends with {what}'
        return [rule.document.problem((*rule.where, "name"), message, severity="warning")]
    priorities = {"normal"} | {one.value for before in earlier for one in before.settings if one.field == "priority"}
    if score is not None:
        priorities = {*PRIORITIES}
    cells = [
        {"tone": tone, "priority": priority, "kind": kind, "private": private}
        for tone, priority, kind, private in product(TONES, sorted(priorities & {*PRIORITIES}), KINDS, (True, False))
    ]
    possible = [cell for cell in cells if rule.condition.bounds(cell)[0]]
    if not possible:
        because = ""
        if "priority" in set(fields_in(rule.condition)):
            because = f"; no rule before it sets a priority other than {', '.join(sorted(priorities))}"
        message = f'"{rule.name}" can never match: its conditions exclude each other{because}'
        return [rule.document.problem((*rule.where, "when"), message, severity="warning", at_key=True)]
    if not any(_reaches(rule, earlier, cell) for cell in possible):
        message = f'"{rule.name}" is never reached: the rules before it already end with everything it could match'
        return [rule.document.problem((*rule.where, "name"), message, severity="warning")]
    return []


def _repeats(rule: Rule, earlier: Sequence[Rule]) -> list[Problem]:
    """The same conditions and the same effect as an earlier rule."""
    effect = _effect(rule)
    for one in earlier:
        if one.condition == rule.condition and _effect(one) == effect:
            message = f'"{rule.name}" says the same as "{one.name}" ({one.place}); keep one'
            return [rule.document.problem((*rule.where, "name"), message, severity="warning")]
    return []


def _effect(rule: Rule) -> tuple[object, ...]:
    return rule.ignore, rule.stop, frozenset(one.same for one in rule.settings)


def _shadowed(rule: Rule, later: Sequence[Rule]) -> Iterator[Problem]:
    """Values that never reach a ticket, because a later rule that always follows sets the same property."""
    if rule.ends:
        return
    for one in rule.settings:
        taker = None if one.field in ("tags", "untag", "score") else _taker(rule, one, later)
        if taker is not None:
            message = f'never lasts: whenever "{rule.name}" fits, "{taker.name}" ({taker.place}) sets it anew'
            yield rule.document.problem(one.where, message, severity="warning", at_key=True)


def _taker(rule: Rule, one: Assignment, later: Sequence[Rule]) -> Rule | None:
    for after in later:
        if any(other.field == one.field for other in after.settings) and implies(rule.condition, after.condition):
            return after
        looked_at = one.field == "priority" and "priority" in set(fields_in(after.condition))
        if after.ends or looked_at:
            return None
    return None


def _unscored(rules: Sequence[Rule], score: Score | None) -> Iterator[Problem]:
    if score is not None:
        return
    for rule in rules:
        for one in rule.settings:
            if one.field == "score":
                message = "adds to a score, and the mapping has none: write `score:` with its thresholds"
                yield one.document.problem(one.where, message, at_key=True)


def _overruled(tables: Tables) -> Iterator[Problem]:
    for rows in tables.values():
        for row in rows.values():
            for one in row:
                if one.field == "priority":
                    message = "is never used: the score already gives every mention its priority; give points instead"
                    yield one.document.problem(one.where, message, severity="warning", at_key=True)


# --- kinds of feedback -------------------------------------------------------------------------------------


def _uncovered(
    kind: Kind, rules: Sequence[Rule], tables: Tables, kinds: Kinds, answers: Answers
) -> Iterator[Problem]:
    """What is missing for a kind: an owner, a drafted answer, anything done about it in some tone."""

    def doubt(message: str) -> Problem:
        return kind.document.problem(kind.where, message, severity="warning", at_key=True)

    if kind.answer_expected is not False and not answers.has(kind.name):
        yield doubt(f'no answer is drafted for "{kind.name}": write one under templates.answers')
    names = {kind.name, *above(kind.name)}
    about = [rule for rule in rules if (rule.settings or rule.ignore) and _is_about(rule, names)]
    rows = [one for name in names for one in tables.get("feedback", {}).get(name, ())]
    if not kinds.owner(kind.name) and not any(one.field == "group" for one in rows):
        grouped = [rule for rule in about if any(one.field == "group" for one in rule.settings)]
        if not any(not rule.condition.bounds({"feedback": names})[1] for rule in grouped):
            yield doubt(f'nobody owns "{kind.name}": give it an owner, or a group in a rule or in tables.feedback')
    if rows:
        return
    toned = tables.get("tone", {})
    open_tones = [
        tone
        for tone in tones_of(kind)
        if not toned.get(tone)
        and not any(rule.condition.bounds({"tone": tone, "feedback": names})[0] for rule in about)
    ]
    if open_tones:
        yield doubt(f'no rule and no table does anything about "{kind.name}" in tone {", ".join(open_tones)}')


def _is_about(rule: Rule, names: set[str]) -> bool:
    """Whether a rule is meant for one of these kinds, or for a tone whatever the kind."""
    asked = {leaf.name for leaf in leaves(rule.condition) if isinstance(leaf, Called)}
    return bool(asked & names) if asked else "tone" in set(fields_in(rule.condition))
