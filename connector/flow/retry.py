"""When to try again: a pure decision over the error, the attempts and the age. The only owner of retrying in minutes
and hours (`http.py` owns the seconds)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from connector.errors import (
    AuthFailed,
    BadAnswer,
    Closed,
    ConnectorError,
    Gone,
    RateLimited,
    Rejected,
    Temporary,
    Uncertain,
    Unsupported,
)


@dataclass(frozen=True, slots=True)
class Patience:
    """How long the engine waits for what; seconds. See `delivery` in config.yaml.

    `in_doubt_wait`: how long a request that was sent and not answered may still take effect; before that a look-up
    that finds nothing proves nothing. `key_memory`: how long the other side remembers an idempotency key.
    """

    in_doubt_wait: float = 120.0
    key_memory: float = 7_000.0
    give_up_after: float = 3 * 86_400.0
    first_pause: float = 5.0
    longest_pause: float = 3_600.0
    probe_every: float = 300.0
    reconcile_after: float = 900.0
    tell_after: float = 600.0
    lease: float = 120.0


@dataclass(frozen=True, slots=True)
class Verdict:
    """What to do: try `again` after `wait` (`counted` as an attempt or not), `fail`, or leave it to a `person`.

    `pause` and `stop` concern the whole account.
    """

    what: Literal["again", "fail", "person"]
    wait: float = 0.0
    counted: bool = True
    pause: float = 0.0
    stop: str = ""


_GIVEN_UP = (Rejected, Unsupported, Closed, BadAnswer, Gone)
_BUG_TRIES = 3


def decide(
    error: Exception, *, attempts: int, age: float, doubted: bool, chance: float, patience: Patience
) -> Verdict:
    """What becomes of a delivery after this error. `chance` in [0, 1) spreads the pauses; `doubted` says that an
    earlier try may have happened, so that giving up would be a lie: then a person decides."""
    too_old = age > patience.give_up_after
    if isinstance(error, RateLimited):
        whole = error.wait if error.scope == "account" else 0.0
        return Verdict("again", wait=error.wait * (1 + 0.1 * chance), counted=False, pause=whole)
    if isinstance(error, AuthFailed):
        wait = patience.probe_every
        return Verdict("again", wait=1.0, counted=False, pause=wait, stop=error.sentence or "not authorised")
    foreseen = isinstance(error, ConnectorError)
    if isinstance(error, _GIVEN_UP) or (foreseen and too_old) or (not foreseen and attempts >= _BUG_TRIES - 1):
        return Verdict("person" if doubted or isinstance(error, Uncertain) else "fail")
    pause = growing(attempts, chance, patience)
    if isinstance(error, Uncertain):
        return Verdict("again", wait=min(patience.in_doubt_wait, pause))
    asked = error.wait if isinstance(error, Temporary) and error.wait else 0.0
    return Verdict("again", wait=max(asked, pause))


def growing(attempts: int, chance: float, patience: Patience) -> float:
    """A pause that doubles with each attempt, spread over half its length so that a crowd does not return at once."""
    pause = min(patience.longest_pause, patience.first_pause * 2.0 ** min(attempts, 20))
    return pause * (0.5 + 0.5 * chance)
