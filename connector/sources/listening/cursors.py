"""Two ways to go on where we were. Each asks through the functions it is given and keeps nothing but its cursor."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from connector.errors import BadAnswer, Temporary
from connector.fieldmap import Pull
from connector.fieldmap.values import at_path, time_of
from connector.model import Cursor, Mention, Page

MAX_KNOWN = 20_000
_MAX_PAGES = 40
_MARGIN = 3_600.0


@dataclass(frozen=True, slots=True)
class Row:
    """A mention and what it was made of."""

    mention: Mention
    row: Mapping[str, Any]


Ask = Callable[[Mapping[str, str]], Any]
Rows = Callable[[Any], list[Mapping[str, Any]]]
Read = Callable[[Mapping[str, Any]], Row | None]


def by_sequence(
    pull: Pull, cursor: Cursor | None, limit: int, ask: Ask, rows: Rows, read: Read, service: str
) -> Page[Mention]:
    """The mentions above the last number, lowest first. The cursor is that number."""
    way = pull.sequence
    assert way is not None
    last = _remembered(cursor).get("last")
    if not isinstance(last, int):
        return Page((), _written({"v": 1, "last": _end(pull, ask, rows, service)}))
    # a tool that may give the highest first is asked for all it gives at once: a short answer would have a hole below
    size = min(limit, pull.size.most) if way.ascending else pull.size.most
    body = ask({pull.size.param: str(size), way.param: str(last)})
    found = rows(body)
    numbered = sorted(((_number(row, way.path, service), row) for row in found), key=lambda one: one[0])
    fresh = [(number, row) for number, row in numbered if number > last]
    taken = fresh[:limit]
    told: dict[str, Mention] = {}
    for number, row in taken:
        made = read(row)
        last = max(last, number)
        if made is not None:
            told.setdefault(made.mention.external_id, made.mention)
    more = len(fresh) > len(taken) or (bool(fresh) and len(found) >= size)
    return Page(tuple(told.values()), _written({"v": 1, "last": last}), more)


def _end(pull: Pull, ask: Ask, rows: Rows, service: str) -> int:
    """The highest number there is now; 0 where there is no mention yet."""
    way = pull.sequence
    assert way is not None
    body = ask({pull.size.param: str(pull.size.most), **way.begin.params})
    given = at_path(body, way.begin.path) if way.begin.path else None
    if given is not None:
        return _whole(given, service)
    return max((_number(row, way.path, service) for row in rows(body)), default=0)


def _number(row: Mapping[str, Any], path: str, service: str) -> int:
    return _whole(at_path(row, path), service)


def _whole(value: Any, service: str) -> int:
    try:
        return int(str(value))
    except ValueError:
        raise BadAnswer("a mention has no number to go on from", service=service, operation="mentions") from None


def by_window(
    pull: Pull,
    cursor: Cursor | None,
    limit: int,
    look_back: float,
    now: float,
    ask: Ask,
    rows: Rows,
    read: Read,
    service: str,
) -> Page[Mention]:
    """What stands in the last days and was not told, in the order it was found where the tool says. The cursor knows
    what was told by short hashes of its ids, each with the time it was said at, as long as the window reaches."""
    way = pull.window
    assert way is not None
    memory = _remembered(cursor)
    at = memory.get("at")
    first = not isinstance(at, int | float)
    known: dict[str, int] = dict(memory.get("known") or {})
    begin = max(min(now, now if first else float(at or now)) - look_back, now - way.longest_days * 86_400)
    found = _window(pull, way.bounds(begin, now), ask, rows)
    if not found and way.never_empty and any(said > begin + _MARGIN for said in known.values()):
        raise Temporary(
            "the tool answered with nothing where it had mentions before: it does so when asked too often",
            service=service,
            operation="mentions",
        )
    fresh: dict[str, Row] = {}
    for row in found:
        made = read(row)
        if made is not None and _mark(made.mention) not in known:
            fresh.setdefault(_mark(made.mention), made)
    ordered = sorted(fresh.items(), key=lambda one: (_found_at(one[1], way.order), one[1].mention.created_at))
    page = [] if first else ordered[:limit]
    for mark, made in ordered if first else page:
        known[mark] = int(made.mention.created_at.timestamp())
    more = not first and len(ordered) > len(page)
    state = {"v": 1, "at": at if more else now, "known": _bounded(known, begin - 86_400)}
    return Page(tuple(made.mention for _, made in page), _written(state), more)


def _window(pull: Pull, bounds: Mapping[str, str], ask: Ask, rows: Rows) -> list[Mapping[str, Any]]:
    """Every row of a span, page after page."""
    assert pull.window is not None
    paging, size = pull.window.paging, pull.size.most
    found: list[Mapping[str, Any]] = []
    onward = "" if paging is None or paging.by == "answer" else str(paging.start)
    for turn in range(_MAX_PAGES):
        place = {paging.param: onward} if paging is not None and onward and (turn or paging.by != "answer") else {}
        body = ask({pull.size.param: str(size), **bounds, **place})
        page = rows(body)
        found += page
        if paging is None or not page:
            break
        if paging.by == "answer":
            following = at_path(body, paging.path)
            if not following or str(following) == onward:
                break
            onward = str(following)
        elif len(page) < size:
            break
        else:
            onward = str(paging.start + (turn + 1 if paging.by == "pages" else len(found)))
    return found


def _found_at(made: Row, path: str) -> str:
    return (path and time_of(at_path(made.row, path), (), "UTC")) or ""


def _mark(mention: Mention) -> str:
    words = f"{mention.external_id}\x1f{mention.version}"
    return hashlib.sha256(words.encode("utf-8", "replace")).hexdigest()[:12]


def _bounded(known: Mapping[str, int], floor: float) -> dict[str, int]:
    """What the window still reaches, at most so many, the oldest first to go."""
    kept = {mark: said for mark, said in known.items() if said >= floor}
    return dict(sorted(kept.items(), key=lambda one: one[1])[-MAX_KNOWN:])


def _remembered(cursor: Cursor | None) -> dict[str, Any]:
    try:
        value = json.loads(cursor or "{}")
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def _written(state: Mapping[str, Any]) -> Cursor:
    return Cursor(json.dumps(state, separators=(",", ":")))
