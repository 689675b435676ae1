"""What `connector doctor` asks of a helpdesk and hears from it: needs, findings, and how ticket fields are judged.

A finding is one thing that is as it should be or is not, with the steps a person would take. The one rule: every step
stands alone, in the words of the helpdesk's own pages, and no finding holds a secret.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Literal

from connector.errors import AuthFailed, ConnectorError, Rejected, Uncertain, Unsupported
from connector.model import FieldNeed, FieldSpec

Section = Literal["account", "limits", "names", "fields", "mapping", "webhook"]
State = Literal["ok", "missing", "wrong", "unknown"]

_ALIKE = 0.8
_SKEW = 30.0

KIND_WORDS: Mapping[str, str] = {
    "tagger": "drop-down",
    "dropdown": "drop-down",
    "multiselect": "multi-select",
    "checkbox": "checkbox",
    "integer": "whole number",
    "decimal": "decimal number",
    "date": "date",
    "text": "single-line text",
    "textarea": "multi-line text",
    "regexp": "text by a pattern",
}
"""The kinds of custom fields, as people call them. What is not here is the helpdesk's own."""

_FREE = frozenset({"text", "textarea", "regexp"})
_TAKES: Mapping[str, frozenset[str]] = {
    "dropdown": frozenset({"tagger", "dropdown", "multiselect"}) | _FREE,
    "multiselect": frozenset({"multiselect"}),
    "checkbox": frozenset({"checkbox"}) | _FREE,
    "integer": frozenset({"integer", "decimal"}) | _FREE,
    "decimal": frozenset({"decimal"}) | _FREE,
    "date": frozenset({"date"}) | _FREE,
    "text": _FREE,
}
"""Which kinds of fields take what a need of that kind writes."""


@dataclass(frozen=True, slots=True)
class Needs:
    """What a helpdesk has to have. `hook_url` is the address it has to call, empty where nobody knows how the world
    reaches us; `by_rule`: a rule of the helpdesk's shall call it where its events could do so as well."""

    fields: tuple[FieldNeed, ...] = ()
    hook_url: str = ""
    by_rule: bool = False


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at.

    `sentence` says how it stands; `steps` what a person does about it, a line each. `remedy` is what `apply` would
    do, in words only the adapter reads; empty: its API cannot do it. `necessary`: without it the connector does not
    do what the configuration asks.
    """

    section: Section
    subject: str
    state: State
    sentence: str
    steps: tuple[str, ...] = ()
    remedy: str = ""
    necessary: bool = True

    @property
    def stands_in_the_way(self) -> bool:
        """Whether this has to be mended."""
        return self.necessary and self.state != "ok"


@dataclass(slots=True)
class Probe:
    """Findings in the making."""

    found: list[Finding] = field(default_factory=list)

    def add(
        self,
        section: Section,
        subject: str,
        state: State,
        sentence: str,
        *steps: str,
        remedy: str = "",
        necessary: bool = True,
    ) -> None:
        """One more."""
        self.found.append(Finding(section, subject, state, sentence, tuple(steps), remedy, necessary))

    def ok(self, section: Section, subject: str, sentence: str) -> None:
        """One that is as it should be."""
        self.add(section, subject, "ok", sentence)

    def asking(self, section: Section, subject: str, ask: Callable[[], None], *, necessary: bool = False) -> None:
        """Ask something; where it cannot be asked, that is the finding."""
        try:
            ask()
        except ConnectorError as error:
            self.add(section, subject, "unknown", f"cannot be asked: {told(error)}", necessary=necessary)


def told(error: ConnectorError) -> str:
    """An error as part of a sentence."""
    return error.sentence + (f" (HTTP {error.status})" if error.status is not None else "")


def refused(error: ConnectorError, *steps: str) -> Finding:
    """The account did not let us in, or did not answer: nothing else can be asked."""
    if isinstance(error, AuthFailed | Rejected | Unsupported):
        return Finding("account", "credentials", "wrong", told(error), steps)
    return Finding("account", "credentials", "unknown", f"cannot be asked: {told(error)}")


def clock(probe: Probe, date: str, before: datetime, after: datetime, window: float | None) -> None:
    """Our clock beside the helpdesk's, by the Date header (whole seconds) of a call made between two moments of ours.
    `window`: how many seconds signed hooks may be away from now, where they are signed."""
    try:
        there = parsedate_to_datetime(date)
        away = max((before - there).total_seconds() - 1.0, (there - after).total_seconds(), 0.0)
    except (ValueError, TypeError):
        probe.add("account", "clock", "unknown", "the helpdesk does not tell its time", necessary=False)
        return
    if away <= _SKEW:
        probe.ok("account", "clock", f"within {_SKEW:.0f} s of the helpdesk's")
        return
    fatal = window is not None and away > window
    signed = f"; hooks signed more than {window:.0f} s away from it are refused" if window is not None else ""
    probe.add(
        "account",
        "clock",
        "wrong",
        f"this machine's clock is {away:.0f} s away from the helpdesk's{signed}",
        "let the machine keep time by NTP: timedatectl set-ntp true",
        necessary=fatal,
    )


def write_once(write: Callable[[], object], there: Callable[[], object]) -> None:
    """Write; when no answer came, look whether it happened. Uncertain only when it is not there: then nobody knows
    whether it still comes, and the next examination tells."""
    try:
        write()
    except Uncertain:
        if not there():
            raise


# --- ticket fields -----------------------------------------------------------------------------------------


def fields_found(
    needs: Sequence[FieldNeed],
    known: Sequence[FieldSpec],
    helpdesk: str,
    steps: Callable[[FieldNeed], tuple[str, ...]] = lambda _: (),
    *,
    makes: bool = False,
    extends: bool = False,
) -> list[Finding]:
    """Each needed field as it stands. `makes`, `extends`: the API can make a field, can add options to one."""
    return [_field(need, known, helpdesk, steps, makes=makes, extends=extends) for need in needs]


def matching(name: str, known: Sequence[FieldSpec]) -> list[FieldSpec]:
    """The fields of that title, in any case; without one, that of that id."""
    folded = name.strip().casefold()
    return [spec for spec in known if spec.title.casefold() == folded] or [
        spec for spec in known if spec.id.casefold() == folded
    ]


def unfit(need: FieldNeed, known: Sequence[FieldSpec]) -> str:
    """What is wrong with a needed field, in one sentence; empty when nothing is."""
    finding = _field(need, known, "the helpdesk", lambda _: (), makes=False, extends=False)
    return "" if finding.state == "ok" else finding.sentence


def misfit(need: FieldNeed, spec: FieldSpec) -> str:
    """Why a field cannot take what is written into it; empty when it can."""
    if spec.type not in KIND_WORDS:
        return f'"{spec.title}" is a field of the helpdesk itself'
    if spec.type not in _TAKES[need.kind]:
        return f'"{spec.title}" is a {KIND_WORDS[spec.type]} field; it has to be a {KIND_WORDS[need.kind]} one'
    lacking = missing_values(need, spec)
    return f'"{spec.title}" lacks the option{"s" if len(lacking) > 1 else ""} {_quoted(lacking)}' if lacking else ""


def missing_values(need: FieldNeed, spec: FieldSpec) -> list[str]:
    """The values a field of choices does not have."""
    if spec.type in _FREE:
        return []
    there = {value.casefold() for value in spec.values}
    return [value for value in need.values if value.casefold() not in there]


def _field(
    need: FieldNeed,
    known: Sequence[FieldSpec],
    helpdesk: str,
    steps: Callable[[FieldNeed], tuple[str, ...]],
    *,
    makes: bool,
    extends: bool,
) -> Finding:
    named = f" ({need.place})" if need.place else ""
    fitting = matching(need.name, known)
    if not fitting:
        return _absent(need, known, named, steps, makes)
    if len(fitting) > 1:
        ids = ", ".join(spec.id for spec in fitting)
        sentence = f'{len(fitting)} fields are called "{need.name}"{named}'
        return Finding("fields", need.name, "wrong", sentence, (f"name it by its id instead: {ids}",))
    spec = fitting[0]
    # what a mapping writes is judged value by value, with its line, by the mapping's own check
    wrong = misfit(need, spec) if need.ours else ""
    if not wrong:
        return Finding("fields", need.name, "ok", f"{KIND_WORDS.get(spec.type, spec.type)}{named}")
    lacking = missing_values(need, spec) if spec.type in _TAKES[need.kind] else []
    if not lacking:
        return Finding("fields", need.name, "wrong", wrong + named, ("name another field, or none",))
    return Finding(
        "fields",
        need.name,
        "wrong",
        wrong + named,
        (f'open the ticket field "{spec.title}" in {helpdesk} and add {_quoted(lacking)}',),
        f"options:{need.name}" if extends else "",
    )


def _absent(
    need: FieldNeed,
    known: Sequence[FieldSpec],
    named: str,
    steps: Callable[[FieldNeed], tuple[str, ...]],
    makes: bool,
) -> Finding:
    titles = [spec.title for spec in known if spec.type in KIND_WORDS]
    alike = difflib.get_close_matches(need.name.casefold(), [t.casefold() for t in titles], 1, _ALIKE)
    meant = next((title for title in titles if alike and title.casefold() == alike[0]), "")
    sentence = f'there is no ticket field "{need.name}"{named}'
    if meant:
        # made by mistake it would stand beside the one that was meant
        way = (f'write "{meant}" there, if that is meant; else:', *steps(need))
        return Finding("fields", need.name, "missing", f'{sentence} — did you mean "{meant}"?', way)
    by_id = need.name.strip().isdecimal() or need.name.startswith("cf_")
    if by_id:
        return Finding("fields", need.name, "missing", sentence, ("name a field that is there, by its title or id",))
    return Finding("fields", need.name, "missing", sentence, steps(need), f"field:{need.name}" if makes else "")


def _quoted(words: Sequence[str]) -> str:
    return ", ".join(f'"{word}"' for word in words)
