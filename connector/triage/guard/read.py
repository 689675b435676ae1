"""Reading `guard:` of a mapping, mistakes onto the sheet."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import phonenumbers

from connector.triage.facts import fold
from connector.triage.guard import ACTIONS, CHECKS, PRIVATE, PUBLIC, Action, Check, Guard, own
from connector.triage.guard.personal import FINDERS
from connector.triage.sheet import Sheet, shown
from connector.yamlfile import Where

KEYS = (
    "public",
    "private",
    "personal_data",
    "region",
    "allow",
    "banned",
    "brand",
    "links",
    "rude",
    "repeated",
    "do_not_answer",
    "accounts",
)
Lists = Mapping[str, tuple[str, ...]]


def read_guard(value: Any, sheet: Sheet, lists: Lists) -> Guard:
    """The guard that a mapping asks for; what it does not name stays as it is by default."""
    where: Where = ("guard",)
    keys = sheet.mapping(value, where, f"a mapping with {', '.join(KEYS)}")
    sheet.keys(keys, where, KEYS, "a part of the guard")
    usual = Guard()

    def texts(key: str, default: tuple[str, ...] = ()) -> tuple[str, ...]:
        return _texts(keys[key], (*where, key), sheet, lists) if key in keys else default

    most, within = _repeated(keys["repeated"], sheet) if "repeated" in keys else (usual.most, usual.within)
    sources, threads = _silent(keys["do_not_answer"], sheet, lists) if "do_not_answer" in keys else ((), ())
    return Guard(
        public=_profile(keys.get("public"), (*where, "public"), sheet, PUBLIC),
        private=_profile(keys.get("private"), (*where, "private"), sheet, PRIVATE),
        data=_kinds(keys["personal_data"], sheet) if "personal_data" in keys else usual.data,
        region=_region(keys["region"], sheet) if "region" in keys else usual.region,
        allow=own(texts("allow")),
        banned=texts("banned"),
        brand=_brand(keys["brand"], sheet, lists) if "brand" in keys else {},
        links=tuple(fold(domain).removeprefix("www.") for domain in texts("links")),
        rude=texts("rude"),
        most=most,
        within=within,
        silent_sources=frozenset(fold(source) for source in sources),
        silent_threads=frozenset(threads),
        accounts=_accounts(keys["accounts"], sheet) if "accounts" in keys else {},
    )


def _profile(value: Any, where: Where, sheet: Sheet, usual: Mapping[Check, Action]) -> Mapping[Check, Action]:
    if value is None:
        return usual
    keys = sheet.mapping(value, where, "a mapping from checks to what is done")
    sheet.keys(keys, where, CHECKS, "a check")
    chosen = dict(usual)
    for check in CHECKS:
        if check in keys:
            action = sheet.choice(keys[check], (*where, check), ACTIONS, "something the guard can do")
            if action:
                chosen[check] = cast("Action", action)
    if where[-1] == "private" and "to_private" in chosen.values():
        sheet.wrong(where, "an answer that is private already cannot go to_private; write hold or warn")
    return chosen


def _texts(value: Any, where: Where, sheet: Sheet, lists: Lists) -> tuple[str, ...]:
    if isinstance(value, dict):
        keys = sheet.mapping(value, where, "a list of texts or {list: name}")
        sheet.keys(keys, where, ("list",), "known here")
        name = sheet.choice(keys.get("list"), (*where, "list"), lists, "a list") if "list" in keys else ""
        return lists.get(name, ())
    return tuple(text for at, item in sheet.items(value, where) if (text := sheet.text(item, at)))


def _kinds(value: Any, sheet: Sheet) -> tuple[str, ...]:
    where: Where = ("guard", "personal_data")
    return tuple(
        kind for at, item in sheet.items(value, where) if (kind := sheet.choice(item, at, FINDERS, "personal data"))
    )


def _region(value: Any, sheet: Sheet) -> str:
    region = sheet.text(value, ("guard", "region")).upper()
    if region and region not in phonenumbers.SUPPORTED_REGIONS:
        sheet.wrong(("guard", "region"), f'"{region}" is not a country; write two letters, such as RU, KZ, DE or US')
        return ""
    return region


def _brand(value: Any, sheet: Sheet, lists: Lists) -> dict[str, tuple[str, ...]]:
    where: Where = ("guard", "brand")
    keys = sheet.mapping(value, where, "a mapping from the right spelling to wrong ones")
    return {
        right: _texts(wrong, (*where, right), sheet, lists) if wrong not in (None, []) else ()
        for right, wrong in keys.items()
    }


def _accounts(value: Any, sheet: Sheet) -> dict[str, str]:
    where: Where = ("guard", "accounts")
    keys = sheet.mapping(value, where, "a mapping from sources to the account that answers there")
    return {source: sheet.text(account, (*where, source)) for source, account in keys.items()}


def _repeated(value: Any, sheet: Sheet) -> tuple[int, float]:
    where: Where = ("guard", "repeated")
    keys = sheet.mapping(value, where, "a mapping with times and hours")
    sheet.keys(keys, where, ("times", "hours"), "known here")
    usual = Guard()
    return (
        int(_number(keys.get("times", usual.most), (*where, "times"), sheet, whole=True)),
        _number(keys.get("hours", usual.within), (*where, "hours"), sheet),
    )


def _number(value: Any, where: Where, sheet: Sheet, *, whole: bool = False) -> float:
    fine = isinstance(value, int if whole else int | float) and not isinstance(value, bool) and value > 0
    if not fine:
        sheet.wrong(where, f"has to be a {'whole ' if whole else ''}number above 0, not {shown(value)}")
        return 1.0
    return float(value)


def _silent(value: Any, sheet: Sheet, lists: Lists) -> tuple[tuple[str, ...], tuple[str, ...]]:
    where: Where = ("guard", "do_not_answer")
    keys = sheet.mapping(value, where, "a mapping with source and thread")
    sheet.keys(keys, where, ("source", "thread"), "known here")

    def of(key: str) -> tuple[str, ...]:
        return _texts(keys[key], (*where, key), sheet, lists) if key in keys else ()

    return of("source"), of("thread")
