"""What a sandbox does wrong on purpose: probabilities, one-shot scripts, and counts of what happened.

Everything can be changed while it runs. Chances are drawn from one seeded generator, so a single-threaded
run can be repeated. The kinds come from incidents that real users of the vendors reported.
"""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import asdict, dataclass, field, fields, replace
from fnmatch import fnmatchcase
from typing import ClassVar, Generic, TypeVar

from connector.testing.simulators.answers import Row

WRITES = ("POST", "PUT", "DELETE", "PATCH")


@dataclass(slots=True)
class CommonFaults:
    """The misbehaviour every vendor is capable of. Plain numbers are probabilities 0..1, `_s` are seconds.

    `rate_429` / `rate_429_plain`: refused with Retry-After `retry_after_s`, with JSON or without.
    `error_5xx`: 500, 502 or 503 with an HTML body. `cut_before`: connection cut, nothing applied.
    `answer_lost_*`: applied, connection cut without an answer. `late_apply_*`: connection cut at once and
    applied `late_apply_s` later. `slow`: answered after `slow_s`. `text_plain_errors`: a refusal loses its JSON.
    `search_lag_s`: how long the search does not know a new ticket. `localized_errors`: descriptions in Russian.
    `webhook_*`: outgoing calls doubled, swapped with the next one, lost, late.
    `script`: one-shot faults, see `FaultBox.draw`.
    """

    SCRIPTABLE: ClassVar[tuple[str, ...]] = (
        "rate_429", "rate_429_plain", "error_5xx", "cut_before", "answer_lost", "slow", "late_apply",
        "text_plain_errors",
    )  # fmt: skip

    rate_429: float = 0.0
    rate_429_plain: float = 0.0
    retry_after_s: int = 1
    error_5xx: float = 0.0
    cut_before: float = 0.0
    answer_lost_post: float = 0.0
    answer_lost_put: float = 0.0
    slow: float = 0.0
    slow_s: float = 1.0
    late_apply_post: float = 0.0
    late_apply_put: float = 0.0
    late_apply_s: float = 1.0
    search_lag_s: float = 0.0
    text_plain_errors: float = 0.0
    localized_errors: bool = False
    webhook_duplicate: float = 0.0
    webhook_reorder: float = 0.0
    webhook_drop: float = 0.0
    webhook_delay_s: float = 0.0
    script: list[Row] = field(default_factory=list)

    def __post_init__(self) -> None:
        for item in self.script:
            if item.get("fault") not in self.SCRIPTABLE:
                known = ", ".join(self.SCRIPTABLE)
                raise ValueError(f"script: fault must be one of {known}, got {item.get('fault')!r}")


Wanted = TypeVar("Wanted", bound=CommonFaults)


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault that strikes one request; `options` are the script's extra keys (`seconds`, `status`...)."""

    name: str
    options: Row = field(default_factory=dict)


class FaultBox(Generic[Wanted]):
    """The dice: decides which fault strikes when, and counts. Used under the desk's lock."""

    def __init__(self, faults: Wanted, seed: int) -> None:
        self.faults = faults
        self.hits: Counter[str] = Counter()
        self._chance = random.Random(seed)

    def change(self, wanted: Row) -> Row:
        """Set the named faults; ValueError names what is unknown or ill-typed."""
        known = {f.name: f.type for f in fields(self.faults)}
        for name, value in wanted.items():
            if name not in known:
                raise ValueError(f"unknown fault: {name}")
            kind = known[name]
            good = (
                isinstance(value, list)
                if "list" in str(kind)
                else isinstance(value, bool)
                if kind == "bool"
                else isinstance(value, (int, float)) and not isinstance(value, bool) and value >= 0
            )
            if not good:
                raise ValueError(f"{name}: expected {kind}, got {value!r}")
        self.faults = replace(self.faults, **wanted)
        return self.shown()

    def shown(self) -> Row:
        """The faults as JSON."""
        return asdict(self.faults)

    def happens(self, name: str) -> bool:
        """Whether the fault of that name strikes now, by its probability; counted if it does."""
        rate = float(getattr(self.faults, name))
        if rate <= 0 or self._chance.random() >= rate:
            return False
        self.hits[name] += 1
        return True

    def draw(self, method: str, path: str) -> list[Fault]:
        """The faults that strike this request.

        Scripted ones come first: `{"method": "POST", "path": "/api/v2/tickets", "fault": "answer_lost",
        "times": 1, "skip": 0}`; method and path may be `*` or a glob, `skip` lets that many pass before.
        """
        struck: list[Fault] = []
        for item in list(self.faults.script):
            if not fnmatchcase(method, item.get("method", "*")):
                continue
            if not fnmatchcase(path, item.get("path", "*").removesuffix(".json")):
                continue
            if item.get("skip", 0) > 0:
                item["skip"] -= 1
                continue
            item["times"] = item.get("times", 1) - 1
            if item["times"] <= 0:
                self.faults.script.remove(item)
            self.hits[item["fault"]] += 1
            struck.append(Fault(item["fault"], item))
        if struck:
            return struck
        names = ["rate_429", "rate_429_plain", "error_5xx", "cut_before"]
        if method in WRITES:
            ending = "post" if method == "POST" else "put"
            names += [f"late_apply_{ending}", f"answer_lost_{ending}"]
        for name in names:
            if self.happens(name):
                struck.append(Fault(name.removesuffix("_post").removesuffix("_put")))
                break
        if self.happens("slow"):
            struck.append(Fault("slow"))
        return struck

    def pick(self, options: list[int]) -> int:
        """One of the given numbers."""
        return self._chance.choice(options)
