"""One account in trouble keeps neither the others from being looked at, nor the agents from being told."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest

from connector.daemon import reconciler
from connector.errors import AuthFailed, Temporary
from connector.flow.retry import Patience


@dataclass
class Around:
    """What the store and the adapters say, and what they were told."""

    trouble: dict[int, Exception] = field(default_factory=dict)
    looked: list[int] = field(default_factory=list)
    told: list[int] = field(default_factory=list)
    away: bool = False

    def run(self, work: Callable[[Any], Any]) -> Future[Any]:
        future: Future[Any] = Future()
        if self.away:
            future.set_exception(Temporary("away"))
        else:
            future.set_result(work(None))
        return future

    def reconcile(self, claim: Any, _: Any) -> tuple[()]:
        if claim.id in self.trouble:
            raise self.trouble[claim.id]
        return ()


@pytest.fixture
def around(monkeypatch: pytest.MonkeyPatch) -> Around:
    made = Around()
    claims = [SimpleNamespace(id=number, ticket="7") for number in (1, 2, 3)]
    monkeypatch.setattr(reconciler, "doubtful", lambda *_: claims[:2])
    monkeypatch.setattr(reconciler, "overdue", lambda *_: [(claims[2], "stopped")])
    monkeypatch.setattr(reconciler, "reconcile", made.reconcile)
    monkeypatch.setattr(reconciler, "waiting", lambda *_: "a note")
    monkeypatch.setattr(reconciler, "checked", lambda _, claim, __: made.looked.append(claim.id))
    monkeypatch.setattr(reconciler, "tell_waiting", lambda _, claim, __: made.told.append(claim.id))
    return made


def look(around: Around) -> float:
    wiring: Any = SimpleNamespace(patience=Patience(reconcile_after=400, tell_after=40))
    return reconciler.Reconciler(around, "w", lambda: wiring).pull_once()  # type: ignore[arg-type]


@pytest.mark.parametrize("error", [AuthFailed("no"), Temporary("busy")], ids=["stopped", "busy"])
def test_an_account_that_cannot_be_asked_keeps_no_other_from_it(around: Around, error: Exception) -> None:
    around.trouble[1] = error
    assert look(around) == 10
    assert (around.told, around.looked) == ([3], [2])


def test_a_bug_is_told_and_the_agents_are_told_all_the_same(around: Around) -> None:
    around.trouble[1] = ZeroDivisionError()
    look(around)
    assert around.told == [3]


def test_a_database_that_is_away_is_waited_for(around: Around) -> None:
    around.away = True
    assert look(around) == 10
