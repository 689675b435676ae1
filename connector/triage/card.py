"""The context card: a private note with all an agent asks before answering.

Who, what, when, where, why, how, and how far it reaches. Whether everyone can read the answer stands first, in words.
Everything people typed is escaped; links go to web addresses only; the tags are those that helpdesks keep.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, tzinfo
from importlib import resources
from typing import Any

from jinja2 import Environment, StrictUndefined

from connector.markup import shorten
from connector.model import Because, Decision, Mention, Past, TicketId
from connector.triage.facts import NOTHING_KNOWN
from connector.triage.templates import shown_author, shown_platform, stars

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
_LATER = timedelta(minutes=1)
_MOST_REASONS = 8
_MOST_LINES = 60
_MOST_SUGGESTED = 20
NO_TICKETS: Mapping[TicketId, str] = {}


def _excerpt(text: object, length: int) -> str:
    return shorten(_CONTROL.sub(" ", str(text)), length)


def _is_web(url: object) -> bool:
    return re.match(r"https?://[^\s]+$", str(url), re.IGNORECASE) is not None


def _environment() -> Environment:
    made = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    made.filters["excerpt"] = _excerpt
    made.tests["web"] = _is_web
    return made


_TEMPLATE = _environment().from_string((resources.files(__package__) / "card.html").read_text(encoding="utf-8"))


def card(
    mention: Mention,
    decision: Decision,
    *,
    answers_as: str,
    limits: str,
    closes_at: datetime | None = None,
    zone: tzinfo = UTC,
    trace: bool = False,
    past: Past = NOTHING_KNOWN,
    tickets: Mapping[TicketId, str] = NO_TICKETS,
    seen: datetime | None = None,
) -> str:
    """The card as HTML. `answers_as` is the account that will answer, empty when none can; `limits` is what an
    answer has to keep to, or why there can be none, in words; after `closes_at` the platform takes no answer; times
    are told in `zone`. With `trace` the whole explanation stands on it, else a line for each rule that matched.
    `past` is what we remember of the author, with the addresses of its `tickets` where they are known; `seen` is when
    the mention came to us."""
    due, posted = decision.deadlines, mention.created_at
    return _TEMPLATE.render(
        mention=mention,
        decision=decision,
        author=mention.author,
        parent=mention.parent,
        shown_author=_excerpt(shown_author(mention.author), 120),
        platform=shown_platform(mention.platform),
        kind=mention.kind.replace("_", " "),
        tone=_tone(decision),
        posted=moment(posted, zone),
        seen=_beside(seen, posted, zone) if seen is not None and seen - posted >= _LATER else "",
        past=past,
        earlier=[(ticket, tickets.get(ticket, "")) for ticket in past.tickets],
        position=_position(mention),
        due={step: _beside(getattr(due, step), posted, zone) for step in ("target", "breach", "ceiling")}
        if due
        else {},
        feedback=", ".join(kind.replace("_", " ").replace(".", ": ") for kind in decision.feedback),
        suggestion=_lines(decision.suggestion),
        reasons=_whole(decision) if trace else _reasons(decision),
        extent=_extent(mention),
        answers_as=answers_as,
        limits=limits,
        closes=moment(closes_at, zone) if closes_at is not None else "",
        number=_number,
    ).strip()


def _tone(decision: Decision) -> str:
    tone = decision.tone
    label = tone.label.replace("_", " ")
    by = {"source": "says the source", "rating": "from the rating", "words": "from the words"}.get(tone.by, tone.by)
    return label if tone.label == "unknown" or not by else f"{label}, {by}"


def _beside(at: datetime, posted: datetime, zone: tzinfo) -> str:
    """A time that stands under the mention's own: the day is told where it is another one, the zone stands there."""
    try:
        here, there = at.astimezone(zone), posted.astimezone(zone)
    except (OverflowError, ValueError):
        return str(at)
    day = "" if here.date() == there.date() else "%a %d %b, " if here.year == there.year else "%a %d %b %Y, "
    return here.strftime(f"{day}%H:%M")


def _position(mention: Mention) -> str:
    if mention.parent is not None:
        return ""  # the card shows what it answers
    return "it begins a thread" if mention.thread_id in ("", mention.external_id) else "further down in a thread"


def moment(at: datetime, zone: tzinfo) -> str:
    """A time as agents read it: Wed 04 Mar 2026, 15:00 Europe/Moscow."""
    try:
        return at.astimezone(zone).strftime("%a %d %b %Y, %H:%M ") + str(getattr(zone, "key", "UTC"))
    except (OverflowError, ValueError):
        return str(at)


def _reasons(decision: Decision) -> list[str]:
    """The priority where the score made it, then one line per rule that matched: its name, its place, why, and what
    it set."""
    found = [
        _excerpt(f"priority {line.value}: {line.why} ({line.place})", 400)
        for line in decision.because
        if line.field == "priority" and line.rule == "score"
    ]
    for line in decision.because:
        if line.rule == "storm":
            found.append(_excerpt(f"storm: {line.field} {_plain(line.value)}; {line.why}", 400))
        elif line.field == "apart":
            found.append(_excerpt(f"kept apart from storms ({line.place}): {line.why}", 400))
    for name in decision.rules[:_MOST_REASONS]:
        lines = [line for line in decision.because if line.rule == name and not line.why.startswith("kept:")]
        sets = "; ".join(
            f"{line.field} {_plain(line.value)}" for line in lines if line.field not in ("stop", "ignored")
        )
        place = next((line.place for line in lines if line.place), "")
        why = next((line.why for line in lines if line.why and line.field != "stop"), "")
        told = "; ".join(part for part in (sets, why) if part)
        found.append(_excerpt(f"{name}{f' ({place})' if place else ''}{f': {told}' if told else ''}", 400))
    left = len(decision.rules) - _MOST_REASONS
    return [*found, f"and {left} more"] if left > 0 else found


def _whole(decision: Decision) -> list[str]:
    """Every line of the trace, as `connector explain` tells it."""
    found = [_excerpt(because_line(line), 400) for line in decision.because[:_MOST_LINES]]
    left = len(decision.because) - _MOST_LINES
    return [*found, f"and {left} more"] if left > 0 else found


def because_line(line: Because) -> str:
    """One line of a trace as text: field, value, rule, place and why."""
    value = _plain(line.value)
    if line.field == "score" and isinstance(line.value, int):
        value = f"{line.value:+d}"
    return "  ".join(part for part in (line.field, value, line.rule, line.place, line.why) if part)


def _lines(text: str) -> list[str]:
    return [_excerpt(line, 600) for line in text.splitlines() if line.strip()][:_MOST_SUGGESTED]


def _extent(mention: Mention) -> str:
    parts = []
    if mention.author.followers is not None:
        parts.append(f"{_number(mention.author.followers)} followers")
    parts += [f"{_number(count)} {_excerpt(name, 40)}" for name, count in list(mention.engagement.items())[:12]]
    if mention.rating is not None:
        parts.append(f"rating {stars(mention.rating)}")
    return " · ".join(parts) or "not known"


def _number(value: int) -> str:
    return f"{value:,}".replace(",", "\u202f")


def _plain(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, tuple | list) else str(value)
