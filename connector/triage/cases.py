"""Tests of a mapping, written beside it: this mention has to become that decision.

    tests:
      - name: top blogger at 3 a.m. is urgent
        mention: {text: "…", author: {followers: 120000}, at: "2026-03-01T03:00:00+03:00"}
        expect: {decision: ticket, priority: urgent, tone: {not: positive}, because: [top bloggers]}

A mention is Mention JSON of which everything may be left out, with `source`, `platform` and `at`; `past` beside it is
what we remember of its author. What is expected is a value, `{not: …}`, `{one_of: […]}`, `{at_least: …}`; lists of
tags, rules, kinds of feedback and reasons name what has to be among them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from connector.errors import BadHook, ConfigError, Problem
from connector.mentionjson import read_mention
from connector.model import KINDS, PRIORITIES, ROLES, TONES, Author, Decision, Mention, Parent, Past, ToneLabel
from connector.triage.card import because_line
from connector.triage.feedback import above
from connector.triage.policy import Policy
from connector.triage.sheet import Sheet, shown
from connector.yamlfile import Where, read

DIRECTORY = "tests"
DECISIONS = ("ticket", "ignore")
MENTION_KEYS = (
    "id", "source", "platform", "kind", "text", "title", "url", "at", "created_at", "language", "tone", "thread_id",
    "parent", "author", "engagement", "rating", "private", "attachments",
)  # fmt: skip
LABELS: Mapping[str, tuple[str, ...]] = {
    "decision": DECISIONS,
    "priority": PRIORITIES,
    "tone": TONES,
    "role": ROLES,
}
PAST_COUNTS = ("contacts", "negative", "positive")
PAST_KEYS = (*PAST_COUNTS, "answered", "tone")
INSTANTS = ("reminder", "target", "breach", "ceiling")
SCALARS = (
    "decision", "priority", "tone", "language", "group", "brand", "form", "type", "status", "problem", "subject",
    "comment", "ignored", "answer_expected", "score", "owner", "suggestion", "answer", "topic", "role", "deadline",
    "within", *INSTANTS,
)  # fmt: skip
SETS = ("tags", "untag", "rules", "feedback", "because")
EXPECT_KEYS = (*SCALARS, *SETS, "fields")
BOUNDS = ("at_least", "at_most")
MATCHERS = ("not", "one_of", "contains", *BOUNDS)

_USUAL_TIME = "2026-03-04T12:00:00Z"
_END_OF_TIME = 4102444800.0


@dataclass(frozen=True, slots=True)
class CaseResult:
    """What came of one test. `mistakes` says, a sentence each, what was expected and what came instead."""

    name: str
    place: str
    mistakes: tuple[str, ...] = ()
    decision: Decision | None = None

    @property
    def ok(self) -> bool:
        """Whether everything came as expected."""
        return not self.mistakes

    def __str__(self) -> str:
        lines = [f"{'ok  ' if self.ok else 'FAIL'}  {self.name}  ({self.place})"]
        return "\n".join([*lines, *(f"        {mistake}" for mistake in self.mistakes)])


def run_tests(directory: Path, policy: Policy) -> list[CaseResult]:
    """Runs the tests in `tests/*.yaml` below a mapping's directory, in order. ConfigError if unreadable."""
    name = directory.resolve().name
    problems: list[Problem] = []
    results: list[CaseResult] = []
    names: dict[str, str] = {}
    for path in sorted((directory / DIRECTORY).glob("*.yaml")):
        try:
            sheet = Sheet(read(path, f"{name}/{DIRECTORY}/{path.name}"))
        except ConfigError as error:
            problems += error.problems
            continue
        results += [case.run(policy) for case in _cases(sheet, names)]
        problems += sheet.problems
    if any(problem.severity == "error" for problem in problems):
        raise ConfigError(problems)
    return results


@dataclass(frozen=True, slots=True)
class _Case:
    name: str
    place: str
    mention: Mention
    past: Past
    expect: Mapping[str, Any]

    def run(self, policy: Policy) -> CaseResult:
        decision = policy.decide(self.mention, self.past)
        mistakes = [mistake for key, wanted in self.expect.items() if (mistake := _differs(key, wanted, decision))]
        return CaseResult(self.name, self.place, tuple(mistakes), decision)


# --- reading -----------------------------------------------------------------------------------------------


def _cases(sheet: Sheet, names: dict[str, str]) -> Iterable[_Case]:
    content = sheet.mapping(sheet.document.value, (), "a mapping with tests")
    sheet.keys(content, (), ("tests",), "understood here")
    tests = content.get("tests", [])
    if not isinstance(tests, list):
        sheet.wrong(("tests",), "has to be a list: every test begins with `- name:`")
        tests = []
    for index, item in enumerate(tests):
        case = _case(item, ("tests", index), sheet, names)
        if case is not None:
            yield case


def _case(value: Any, where: Where, sheet: Sheet, names: dict[str, str]) -> _Case | None:
    before = len(sheet.problems)
    keys = sheet.mapping(value, where, "a test: a mapping with name, mention and expect")
    sheet.keys(keys, where, ("name", "mention", "past", "expect"), "a key of a test")
    for missing in [key for key in ("name", "mention", "expect") if key not in keys]:
        sheet.wrong(where, f"has no {missing}")
    if len(sheet.problems) > before:
        return None
    name = sheet.text(keys["name"], (*where, "name"))
    place = sheet.at((*where, "name"))
    first = names.setdefault(name, place)
    if first != place:
        sheet.wrong((*where, "name"), f'the name "{name}" is taken by the test at {first}')
    mention = _mention(keys["mention"], (*where, "mention"), sheet)
    past = _past(keys["past"], (*where, "past"), sheet) if "past" in keys else Past()
    expect = _expected(keys["expect"], (*where, "expect"), sheet)
    return _Case(name, place, mention, past, expect) if mention and len(sheet.problems) == before else None


def _past(value: Any, where: Where, sheet: Sheet) -> Past:
    keys = sheet.mapping(value, where, f"a mapping with {', '.join(PAST_KEYS)}")
    sheet.keys(keys, where, PAST_KEYS, "something we remember")
    counts = dict.fromkeys(PAST_COUNTS, 0)
    for name in PAST_COUNTS:
        count = keys.get(name, 0)
        if isinstance(count, bool) or not isinstance(count, int) or count < 0:
            what = "tickets" if name == "contacts" else "mentions"
            sheet.wrong((*where, name), f"has to be a number of {what}, not {shown(count)}")
        else:
            counts[name] = count
    answered = bool(sheet.flag(keys["answered"], (*where, "answered"))) if "answered" in keys else False
    tone = sheet.choice(keys["tone"], (*where, "tone"), TONES, "a tone") if "tone" in keys else "unknown"
    labels: Mapping[str, ToneLabel] = {label: label for label in TONES}
    return Past(
        contacts=counts["contacts"],
        answered=answered,
        tone=labels.get(tone, "unknown"),
        negative=counts["negative"],
        positive=counts["positive"],
    )


def _mention(value: Any, where: Where, sheet: Sheet) -> Mention | None:
    given = dict(sheet.mapping(value, where, "a mention"))
    sheet.keys(given, where, MENTION_KEYS, "a part of a mention")
    for part, known in (("author", Author), ("parent", Parent)):
        if part in given:
            inner = sheet.mapping(given[part], (*where, part), f"the {part} as a mapping")
            sheet.keys(inner, (*where, part), [one.name for one in fields(known)], f"a part of the {part}")
    if given.get("kind") is not None:
        sheet.choice(given["kind"], (*where, "kind"), KINDS, "a kind")
    if isinstance(given.get("author", {}), dict):
        given["author"] = {"id": "somebody", **given.get("author", {})}
    if isinstance(given.get("parent"), dict):
        given["parent"] = {"id": "parent", **given["parent"]}
    time = given.pop("at", None) or given.get("created_at") or _USUAL_TIME
    given |= {"id": given.get("id", "test"), "text": given.get("text", ""), "created_at": str(time)}
    source = str(given.pop("source", "test"))
    platform = str(given.pop("platform", source))
    try:
        return read_mention(given, source=source, platform=platform, received_at=_END_OF_TIME)
    except BadHook as error:
        path, _, message = str(error).partition(" ")
        if path.split(".")[0] in given:
            sheet.wrong((*where, *path.split(".")), message)
        else:
            sheet.wrong(where, str(error))
        return None


def _expected(value: Any, where: Where, sheet: Sheet) -> Mapping[str, Any]:
    keys = sheet.mapping(value, where, "a mapping of what is expected")
    if isinstance(value, dict) and not value:
        sheet.wrong(where, "expects nothing")
    sheet.keys(keys, where, EXPECT_KEYS, "something that can be expected")
    for key, item in keys.items():
        at = (*where, key)
        if key == "fields":
            for name, wanted in sheet.mapping(item, at, "a mapping of fields to values").items():
                _check(wanted, (*at, name), sheet, key)
        elif key in EXPECT_KEYS:
            _check(item, at, sheet, key)
    return keys


def _check(value: Any, where: Where, sheet: Sheet, key: str) -> None:
    """Looks at what is expected of one key: plain values, lists of them, and the matchers around them."""
    if isinstance(value, dict):
        matchers = sheet.mapping(value, where, "matchers")
        sheet.keys(matchers, where, MATCHERS, "understood here")
        if not value:
            sheet.wrong(where, f"is empty; it takes {', '.join(MATCHERS)}")
        for name, item in matchers.items():
            _check(item, (*where, name), sheet, key)
    elif isinstance(value, list):
        if not value and key not in SETS:
            sheet.wrong(where, "is an empty list: nothing could ever be expected")
        for index, item in enumerate(value):
            _check(item, (*where, index), sheet, key)
    elif key in LABELS and where[-1] != "contains":
        sheet.choice(value, where, LABELS[key], f"a {key}")
    elif where[-1] in BOUNDS and (isinstance(value, bool) or not isinstance(value, int | float)):
        sheet.wrong(where, f"has to be a number, not {shown(value)}")
    elif key in INSTANTS and value is not None and _instant(value) is None:
        sheet.wrong(where, f'{shown(value)} is not a time: write it as in "2026-03-04T20:00:00+03:00"')


# --- comparing ---------------------------------------------------------------------------------------------


def _actual(key: str, decision: Decision) -> Any:
    if key == "decision":
        return "ignore" if decision.ignored else "ticket"
    if key == "tone":
        return decision.tone.label
    if key == "because":
        return [because_line(line) for line in decision.because]
    if key == "feedback":
        return list(dict.fromkeys(name for kind in decision.feedback for name in (kind, *above(kind))))
    if key in _OF_DECISION:
        return getattr(decision, key)
    if key in _OF_DEADLINES:
        return getattr(decision.deadlines, _OF_DEADLINES[key]) if decision.deadlines else None
    return getattr(decision.settings, key)


_OF_DECISION = (
    "language", "subject", "comment", "ignored", "rules", "answer_expected", "score", "owner", "suggestion", "answer",
    "topic", "role",
)  # fmt: skip
_OF_DEADLINES = {"deadline": "rule", "within": "within", **{name: name for name in INSTANTS}}


def _instant(value: Any) -> datetime | None:
    try:
        found = value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _differs(key: str, wanted: Any, decision: Decision) -> str:
    """What is not as expected, as a sentence; empty when all is well."""
    actual = _actual(key, decision)
    if key == "fields":
        return _fields_differ(wanted, actual)
    if key == "ignored" and isinstance(wanted, bool):
        return "" if bool(actual) is wanted else f"ignored: expected {shown(wanted)}, got {shown(actual or False)}"
    if key in SETS:
        return _set_differs(key, wanted, [str(item) for item in actual])
    return "" if _fits(wanted, actual) else f"{key}: expected {_told(wanted)}, got {shown(actual)}"


def _set_differs(key: str, wanted: Any, actual: list[str]) -> str:
    if wanted == []:
        fine = not actual
    else:
        fine = all(_among(item, actual, key) for item in (wanted if isinstance(wanted, list) else [wanted]))
    if fine:
        return ""
    got = (
        "".join(f"\n            {line}" for line in actual) if key == "because" else f" {', '.join(actual) or 'none'}"
    )
    return f"{key}: expected {_told(wanted)}, got{got}"


def _among(wanted: Any, actual: list[str], key: str) -> bool:
    """Whether a tag or rule is among the actual ones; of a reason, a part of one line is enough."""
    if isinstance(wanted, dict):
        each = {name: _listed(item) for name, item in wanted.items()}
        return (
            not any(_among(item, actual, key) for item in each.get("not", []))
            and all(_among(item, actual, key) for item in each.get("contains", []))
            and ("one_of" not in each or any(_among(item, actual, key) for item in each["one_of"]))
        )
    if key == "because":
        return any(str(wanted) in line for line in actual)
    return str(wanted) in actual


def _fields_differ(wanted: Mapping[str, Any], actual: Mapping[str, Any]) -> str:
    return "; ".join(
        f"fields.{name}: expected {_told(item)}, got {shown(actual.get(str(name)))}"
        for name, item in wanted.items()
        if not _fits(item, actual.get(str(name)))
    )


def _fits(wanted: Any, actual: Any) -> bool:
    if isinstance(wanted, dict):
        return (
            ("not" not in wanted or not _fits(wanted["not"], actual))
            and ("one_of" not in wanted or _fits(_listed(wanted["one_of"]), actual))
            and ("contains" not in wanted or str(wanted["contains"]) in str(actual or ""))
            and ("at_least" not in wanted or (_is_number(actual) and actual >= wanted["at_least"]))
            and ("at_most" not in wanted or (_is_number(actual) and actual <= wanted["at_most"]))
        )
    if isinstance(wanted, list):
        return any(_fits(item, actual) for item in wanted)
    if wanted is None or isinstance(wanted, bool):
        return actual is wanted
    if isinstance(actual, datetime):
        return _instant(wanted) == actual
    return str(actual if actual is not None else "") == str(wanted)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _told(wanted: Any) -> str:
    if isinstance(wanted, dict):
        return " and ".join(f"{name.replace('_', ' ')} {_told(item)}" for name, item in wanted.items())
    if isinstance(wanted, list):
        return ", ".join(_told(item) for item in wanted) or "none"
    return shown(wanted)
