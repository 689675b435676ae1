"""Storms: when many people are unhappy about one thing at once, as the mapping says.

    storm:
      by: feedback                # one topic is: the main kind of feedback; or rule: the first of `rules` that fitted
      per_source: false           # count each source for itself
      authors: 15                 # so many different people unhappy about it
      within: 30min               # within that time,
      times: 3                    # and so many times as many as usual at that time of day,
      days: 7                     # as of the days before
      calm: 1h                    # it is over when fewer than `authors` are unhappy within that time
      keep_apart: {author.handle: {list: vip}}
      set: {priority: urgent, group: Crisis team}       # the problem ticket
      tags: [storm]               # each ticket that belongs to it
      tickets_per_hour: 200       # what comes beyond goes into a digest

Reading only: who counts, and what becomes of whom, is the store's to decide (store/storms.py), for it needs what was
before. What is private is always kept apart: it is nobody's business in a digest.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from connector.model import Because, Mention, Settings
from connector.triage.condition import Check, Condition, told
from connector.triage.deadlines import read_minutes
from connector.triage.facts import Facts
from connector.triage.settings import Assignment, read_settings, settings_of
from connector.triage.sheet import Sheet, shown
from connector.triage.when import Named, read_when
from connector.yamlfile import Document, Where, did_you_mean

TOPICS = ("feedback", "rule")
STORM_KEYS = (
    "by", "rules", "per_source", "authors", "within", "times", "days", "calm", "keep_apart", "set", "tags",
    "tickets_per_hour",
)  # fmt: skip
SET_KEYS = ("priority", "status", "group", "brand", "form", "tags", "fields")
OTHER = "other"
"""The topic of what is of no kind of feedback."""

MOST_DAYS = 28
_MOST = 100_000


@dataclass(frozen=True, slots=True)
class Storm:
    """The section as it is written; times in minutes. `settings` are the problem ticket's, `tags` its incidents'.
    `tickets_per_hour` is None where there is no cap."""

    by: str
    rules: tuple[str, ...]
    per_source: bool
    authors: int
    within: int
    times: float
    days: int
    calm: int
    apart: Condition | None
    check: Check | None
    settings: tuple[Assignment, ...]
    tags: tuple[str, ...]
    tickets_per_hour: int | None
    where: Where
    document: Document

    @property
    def problem(self) -> Settings:
        """What goes onto the problem ticket."""
        return settings_of({one.field: one.value for one in self.settings})


def topic_of(storm: Storm | None, facts: Facts, fitted: Sequence[str]) -> str:
    """What the mention is about, as storms and silences count it; empty when it is about none of it."""
    if storm is not None and storm.by == "rule":
        return next((name for name in fitted if name in storm.rules), "")
    return facts.kinds[0] if facts.kinds else OTHER


def is_apart(storm: Storm | None, mention: Mention, facts: Facts, trace: list[Because]) -> bool:
    """Whether it gets a ticket of its own, come what may: what is private, and whom the mapping keeps apart. When
    that cannot be told, because a pattern takes too long, it is."""
    if mention.private or mention.kind == "dm":
        return True
    if storm is None or storm.check is None or storm.apart is None:
        return False
    place = storm.document.at((*storm.where, "keep_apart"))
    try:
        held = storm.check(facts)
        why = told(storm.apart, facts, True) if held else ""
    except TimeoutError:
        held, why = True, "a pattern took too long on this text"
    if held:
        trace.append(Because("apart", True, "storm keep_apart", place, why))
    return held


# --- reading -----------------------------------------------------------------------------------------------


def read_storm(value: Any, where: Where, sheet: Sheet, named: Named, rules: Sequence[str]) -> Storm:
    """The section as it is written; mistakes go onto the sheet. `rules` are the names of all rules."""
    keys = sheet.mapping(value, where, f"a mapping with {', '.join(STORM_KEYS)}")
    sheet.keys(keys, where, STORM_KEYS, "a part of a storm")
    by = sheet.choice(keys["by"], (*where, "by"), TOPICS, "what makes a topic") if "by" in keys else "feedback"
    within = read_minutes(keys["within"], (*where, "within"), sheet) if "within" in keys else 30
    calm = read_minutes(keys["calm"], (*where, "calm"), sheet) if "calm" in keys else max(60, within)
    if calm < within:
        sheet.wrong((*where, "calm"), "is shorter than `within`: the storm would end while it begins")
    apart = read_when(keys["keep_apart"], (*where, "keep_apart"), sheet, named) if "keep_apart" in keys else None
    authors = _whole("authors", 15, 2, _MOST, keys, where, sheet)
    cap = _whole("tickets_per_hour", 0, 1, _MOST, keys, where, sheet) or None
    if cap is not None and cap < authors:
        sheet.doubt(
            (*where, "tickets_per_hour"),
            f"is less than `authors` ({authors}): most of a storm would be in a digest before it begins",
        )
    return Storm(
        by=by or "feedback",
        rules=_rules(by, keys, where, sheet, rules),
        per_source=bool(sheet.flag(keys["per_source"], (*where, "per_source"))) if "per_source" in keys else False,
        authors=authors,
        within=within,
        times=_times(keys, where, sheet),
        days=_whole("days", 7, 1, MOST_DAYS, keys, where, sheet),
        calm=calm,
        apart=apart,
        check=apart.check if apart is not None else None,
        settings=_settings(keys, where, sheet),
        tags=_tags(keys, where, sheet),
        tickets_per_hour=cap,
        where=where,
        document=sheet.document,
    )


def _rules(by: str, keys: Mapping[str, Any], where: Where, sheet: Sheet, known: Sequence[str]) -> tuple[str, ...]:
    at = (*where, "rules")
    if by != "rule":
        if "rules" in keys:
            sheet.wrong(at, "is for `by: rule` only", at_key=True)
        return ()
    if "rules" not in keys:
        sheet.wrong((*where, "by"), "needs `rules`: name those that stand for a topic each")
        return ()
    found = []
    for spot, item in sheet.items(keys["rules"], at):
        name = " ".join(sheet.text(item, spot).split())
        if name and name not in known:
            sheet.wrong(spot, f'there is no rule "{name}"{did_you_mean(name, known)}')
        found.append(name)
    return tuple(found)


def _whole(key: str, usual: int, least: int, most: int, keys: Mapping[str, Any], where: Where, sheet: Sheet) -> int:
    if key not in keys:
        return usual
    value = keys[key]
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        sheet.wrong((*where, key), f"has to be a whole number, {least} to {most}, not {shown(value)}")
        return usual
    return value


def _times(keys: Mapping[str, Any], where: Where, sheet: Sheet) -> float:
    value = keys.get("times", 3)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 1 <= value <= 1000:
        sheet.wrong((*where, "times"), f"has to be a number, 1 to 1000, not {shown(value)}")
        return 3.0
    return float(value)


def _settings(keys: Mapping[str, Any], where: Where, sheet: Sheet) -> tuple[Assignment, ...]:
    if "set" not in keys:
        return ()
    at = (*where, "set")
    found = read_settings(keys["set"], at, sheet)
    given = keys["set"] if isinstance(keys["set"], dict) else {}
    for key in given:
        if key in ("type", "problem", "score", "untag"):
            sheet.wrong((*at, key), "cannot be set here: it is the problem ticket itself", at_key=True)
    return tuple(one for one in found if one.field.partition(".")[0] in SET_KEYS)


def _tags(keys: Mapping[str, Any], where: Where, sheet: Sheet) -> tuple[str, ...]:
    if "tags" not in keys:
        return ("storm",)
    found = read_settings({"tags": keys["tags"]}, where, sheet)
    return tuple(tag for one in found for tag in one.value)
