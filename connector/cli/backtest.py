"""What a mapping would have made of mentions that are already there. Pure: it is handed mentions and counts.

It decides as the engine does: a mention known already is a duplicate, a later one of a conversation is appended, an
edit becomes a note, everything else opens a ticket or is ignored. An author's earlier tickets are remembered as far
as they are among the mentions themselves; whether we had answered is not known here.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal

from connector.flow.intake import conversation_name
from connector.model import Decision, Mention, Past, ToneLabel
from connector.triage import Policy

Fate = Literal["ticket", "appended", "edited", "ignored"]
Grouping = Callable[[Mention], str]

NEGATIVE = ("negative", "very_negative")
POSITIVE = ("positive", "very_positive")
_HEARD = 20
CALLS: dict[Fate, int] = {"ticket": 3, "appended": 1, "edited": 1, "ignored": 0}
"""Calls to the helpdesk: requester, ticket and card; a comment; a note."""

_ROUTING = ("priority", "type", "status", "group", "brand", "form", "problem", "fields")


@dataclass(frozen=True, slots=True)
class Replayed:
    """One mention with what became of it."""

    mention: Mention
    decision: Decision
    fate: Fate


@dataclass(slots=True)
class Backtest:
    """All of them, counted. `by` counts mentions by ignored reason, tone, feedback and rule, and tickets by priority,
    group and day; `hours` counts tickets by the hour they would have been opened in."""

    seen: int = 0
    duplicates: int = 0
    replayed: list[Replayed] = field(default_factory=list)
    by: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    hours: Counter[datetime] = field(default_factory=Counter)
    minutes: Counter[datetime] = field(default_factory=Counter)
    never: tuple[str, ...] = ()

    def of(self, fate: Fate) -> list[Replayed]:
        """Those that ended so."""
        return [one for one in self.replayed if one.fate == fate]

    @property
    def negatives_ignored(self) -> list[Replayed]:
        """Negative mentions that would get no ticket."""
        return [one for one in self.of("ignored") if not one.mention.own and one.decision.tone.label in NEGATIVE]

    @property
    def days(self) -> int:
        """Over how many days the tickets spread, from the first to the last."""
        dates = [datetime.fromisoformat(day) for day in self.by["per_day"]]
        return (max(dates) - min(dates)).days + 1 if dates else 0

    @property
    def busiest(self) -> tuple[datetime, int] | None:
        """The hour in which most tickets would have been opened, and how many."""
        return max(self.hours.items(), key=lambda row: (row[1], row[0]), default=None)

    @property
    def calls(self) -> int:
        """About how many calls to the helpdesk all of it needs."""
        return sum(self.minutes.values())

    @property
    def calls_at_most(self) -> int:
        """About how many calls its busiest minute needs."""
        return max(self.minutes.values(), default=0)


def by_thread(mention: Mention) -> str:
    """The usual grouping: a conversation is a thread of its source."""
    return f"{mention.source}\x1f{conversation_name(mention, 'thread')}"


def replay(mentions: Iterable[Mention], policy: Policy, grouping: Grouping = by_thread) -> Backtest:
    """What this policy would have made of these mentions, in their order."""
    made = Backtest()
    memory = _Memory(policy.remember_days)
    known: set[tuple[str, str, str]] = set()
    threads: set[str] = set()
    for mention in mentions:
        made.seen += 1
        if (mention.source, mention.external_id, mention.version) in known:
            made.duplicates += 1
            continue
        edited = bool(mention.version) and (mention.source, mention.external_id, "") in known
        known |= {(mention.source, mention.external_id, version) for version in (mention.version, "")}
        decision = policy.decide(mention, memory.past(mention, grouping(mention)))
        fate: Fate = "edited" if edited else "ignored" if mention.own or decision.ignored else "ticket"
        if fate == "ticket" and grouping(mention) in threads:
            fate = "appended"
        if fate == "ticket":
            threads.add(grouping(mention))
        memory.keep(mention, grouping(mention), decision, opened=fate == "ticket")
        _count(made, Replayed(mention, decision, fate), policy)
    made.never = tuple(rule.name for rule in policy.rules if not made.by["rules"][rule.name])
    return made


class _Memory:
    """Earlier tickets and tones of the authors among the mentions."""

    def __init__(self, days: int) -> None:
        self.span = timedelta(days=days)
        self.opened: dict[tuple[str, str], list[tuple[datetime, str]]] = defaultdict(list)
        self.tones: dict[tuple[str, str, str], ToneLabel] = {}
        self.heard: dict[tuple[str, str], list[tuple[datetime, ToneLabel]]] = defaultdict(list)

    def past(self, mention: Mention, conversation: str) -> Past:
        author = (mention.platform, mention.author.id)
        at = mention.created_at
        contacts = sum(
            1
            for before, where in self.opened[author]
            if where != conversation and timedelta() <= at - before <= self.span
        )
        heard = [tone for before, tone in self.heard[author][-_HEARD:] if timedelta() <= at - before <= self.span]
        return Past(
            contacts=contacts,
            tone=self.tones.get((*author, conversation), "unknown"),
            negative=sum(tone in NEGATIVE for tone in heard),
            positive=sum(tone in POSITIVE for tone in heard),
        )

    def keep(self, mention: Mention, conversation: str, decision: Decision, *, opened: bool) -> None:
        author = (mention.platform, mention.author.id)
        self.tones[*author, conversation] = decision.tone.label
        if not decision.ignored and not mention.own:
            self.heard[author].append((mention.created_at, decision.tone.label))
        if opened:
            self.opened[author].append((mention.created_at, conversation))


def _count(made: Backtest, one: Replayed, policy: Policy) -> None:
    mention, decision = one.mention, one.decision
    made.replayed.append(one)
    by = made.by
    by["tone"][decision.tone.label] += 1
    by["feedback"].update(decision.feedback or ["none"])
    by["rules"].update(decision.rules)
    made.minutes[mention.created_at.replace(second=0, microsecond=0)] += CALLS[one.fate]
    if one.fate == "ignored":
        by["ignored"]["our own post" if mention.own else decision.ignored] += 1
    if one.fate == "ticket":
        by["priority"][decision.settings.priority or "none"] += 1
        by["group"][decision.settings.group or "none"] += 1
        at = mention.created_at.astimezone(policy.zone)
        by["per_day"][at.date().isoformat()] += 1
        made.hours[at.replace(minute=0, second=0, microsecond=0)] += 1


# --- two mappings side by side -----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Change:
    """One mention that another mapping treats otherwise. `differs` names what, each with before and after."""

    mention: Mention
    before: Decision
    after: Decision
    differs: tuple[tuple[str, Any, Any], ...]

    @property
    def silences(self) -> bool:
        """Whether a negative mention that had a ticket would get none."""
        return bool(self.after.ignored) and not self.before.ignored and self.after.tone.label in NEGATIVE


@dataclass(frozen=True, slots=True)
class Comparison:
    """What a change of the mapping does: `rerouted` get another decision, priority or place; `retouched` differ only
    in tags, kinds of feedback, deadlines or words."""

    decided: int
    rerouted: tuple[Change, ...]
    retouched: tuple[Change, ...]

    @property
    def silenced(self) -> tuple[Change, ...]:
        """Negatives that would be ignored now and were not before."""
        return tuple(change for change in self.rerouted if change.silences)


def compare(before: Backtest, after: Backtest) -> Comparison:
    """Both have to come from the same mentions."""
    rerouted: list[Change] = []
    retouched: list[Change] = []
    for old, new in zip(before.replayed, after.replayed, strict=True):
        if new.mention.own:
            continue
        routing = _routing(old.decision, new.decision)
        if routing:
            rerouted.append(Change(new.mention, old.decision, new.decision, tuple(routing)))
        elif looks := _looks(old.decision, new.decision):
            retouched.append(Change(new.mention, old.decision, new.decision, tuple(looks)))
    return Comparison(len(after.replayed), tuple(rerouted), tuple(retouched))


def _routing(old: Decision, new: Decision) -> list[tuple[str, Any, Any]]:
    if old.ignored or new.ignored:
        was, now = (f"ignored: {one.ignored}" if one.ignored else "ticket" for one in (old, new))
        return [("decision", was, now)] if was != now else []
    return _differences(_ROUTING, old.settings, new.settings)


def _looks(old: Decision, new: Decision) -> list[tuple[str, Any, Any]]:
    names = ("feedback", "answer_expected", "deadlines", "owner", "subject", "comment", "suggestion", "answer")
    return [*_differences(("tags", "untag"), old.settings, new.settings), *_differences(names, old, new)]


def _differences(names: Sequence[str], old: object, new: object) -> list[tuple[str, Any, Any]]:
    pairs = [(name, getattr(old, name), getattr(new, name)) for name in names]
    return [(name, was, now) for name, was, now in pairs if was != now]
