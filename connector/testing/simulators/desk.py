"""What every pretended helpdesk account has: rows with ids, its faults and limits, and who is told of a change."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable
from typing import Any, ClassVar, Generic, Protocol, TypeVar

from connector.testing.simulators.answers import Refusal, Row
from connector.testing.simulators.dice import CommonFaults, FaultBox
from connector.testing.simulators.journal import Journal, Key
from connector.testing.simulators.ledger import Ledger


class Meter(Protocol):
    """Counts requests; made anew of the same limits it has counted none."""

    limits: Any

    def __init__(self, limits: Any) -> None: ...


FaultsT = TypeVar("FaultsT", bound=CommonFaults)
MeterT = TypeVar("MeterT", bound=Meter)


class AccountDesk(Ledger, ABC, Generic[FaultsT, MeterT]):
    """The rows of one account. A subclass says what is 404 there, and makes its tables in `_clear`, after ours."""

    first_id: ClassVar[int]
    """Ids of everything but tickets start here, beyond 32 bits, as the vendors' do today."""

    def __init__(
        self, journal: Journal | None, faults: FaultsT, seed: int, meter: MeterT, clock: Callable[[], float]
    ) -> None:
        self.faults = FaultBox(faults, seed)
        self.meter = meter
        self.requests: Counter[str] = Counter()
        self.listener: Callable[[str, Row, Row], None] | None = None
        super().__init__(journal, clock)

    @abstractmethod
    def not_found(self) -> Refusal:
        """The vendor's 404 for a row that is not there."""

    def new_id(self) -> int:
        """The next id of anything but tickets."""
        self._next_id += 1
        return self._next_id

    def new_ticket_id(self) -> int:
        """The next ticket number."""
        number = self._next_ticket
        self._next_ticket += 1
        return number

    def row(self, table: str, key: Key) -> Row:
        """The row, or 404."""
        found = self.tables[table].get(key)
        if found is None:
            raise self.not_found()
        return found

    def count_anew(self) -> None:
        """Forget how often anything was asked; the limits stay."""
        self.meter = type(self.meter)(self.meter.limits)

    def reset(self) -> None:
        """Forget every row and every count; the faults stay."""
        self.empty()
        self.requests.clear()
        self.faults.hits.clear()
        self.count_anew()

    def _clear(self) -> None:
        super()._clear()
        self._next_id = self.first_id
        self._next_ticket = 1
