"""The life of a pretended helpdesk account: listening, calling out, its faults, limits and counts.

What is in the account, and what people do there, is the business of each vendor's own sandbox.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from types import TracebackType
from typing import Any, ClassVar, Generic, Self, TypeVar

from starlette.applications import Starlette
from starlette.routing import Mount, Route
from starlette.types import ASGIApp

from connector.testing.simulators.courier import Courier
from connector.testing.simulators.desk import AccountDesk
from connector.testing.simulators.journal import Journal
from connector.testing.simulators.line import Listener
from connector.testing.simulators.seen import SeenComment, SeenTicket
from connector.testing.simulators.web import File

DeskT = TypeVar("DeskT", bound=AccountDesk[Any, Any])
FaultsT = TypeVar("FaultsT")
LimitsT = TypeVar("LimitsT")
CourierT = TypeVar("CourierT", bound=Courier)


class Sandbox(ABC, Generic[DeskT, CourierT, FaultsT, LimitsT]):
    """One account, which listens from `start` to `stop`."""

    name: ClassVar[str]
    """Of its listening thread."""
    home: ClassVar[str]
    """Its address while it does not listen."""

    def __init__(self, desk: DeskT, courier: CourierT, journal: Journal | None) -> None:
        self.desk = desk
        self._courier = courier
        self._journal = journal
        self._listener: Listener | None = None

    def _open(self, api: ASGIApp, control: Iterable[Route], pages: Iterable[Route]) -> None:
        """Fill the account if it is empty, and make its application."""
        self._seed()
        self.app = Starlette(
            routes=[Mount("/api/v2", app=api), Mount("/_sandbox", routes=list(control)), *pages],
        )

    def start(self, host: str = "127.0.0.1", port: int = 0) -> str:
        """Listen in a thread of its own; the base address, ready to be asked."""
        self._listener = Listener(self.app, host, port, self.name)
        self._start_courier()
        self._listener.start()
        return self._listener.address

    def run(self, host: str, port: int, ready: Callable[[str], None] | None = None) -> None:
        """Listen here until interrupted; `ready` is told the base address."""
        self._listener = Listener(self.app, host, port, self.name)
        self._start_courier()
        if ready is not None:
            ready(self._listener.address)
        try:
            self._listener.run()
        finally:
            self.stop()

    def stop(self) -> None:
        """Stop listening and calling out, let go of the file."""
        if self._listener is not None:
            self._listener.stop()
            self._listener = None
        self._courier.stop()
        if self._journal is not None:
            self._journal.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def address(self) -> str:
        """The base address while it listens."""
        return self._listener.address if self._listener is not None else self.home

    @property
    def faults(self) -> FaultsT:
        """The wanted misbehaviour; its attributes may be set at any time."""
        found: FaultsT = self.desk.faults.faults
        return found

    @faults.setter
    def faults(self, wanted: FaultsT) -> None:
        with self.desk.lock:
            self.desk.faults.faults = wanted

    @property
    def limits(self) -> LimitsT:
        """The allowed requests; setting them starts every count anew."""
        found: LimitsT = self.desk.meter.limits
        return found

    @limits.setter
    def limits(self, wanted: LimitsT) -> None:
        with self.desk.lock:
            self.desk.meter.limits = wanted
            self.desk.count_anew()

    def hits(self) -> dict[str, int]:
        """How often each fault struck."""
        with self.desk.lock:
            return dict(self.desk.faults.hits)

    def requests(self) -> dict[str, int]:
        """How often each endpoint was asked, e.g. `POST /api/v2/tickets`, `PUT /api/v2/tickets/*`."""
        with self.desk.lock:
            return dict(self.desk.requests)

    def reset(self) -> None:
        """A fresh account: default rows, no counts; the faults stay."""
        with self.desk.turn():
            self._courier.clear()
            self.desk.reset()
            self._seed()

    @abstractmethod
    def state(self) -> dict[str, Any]:
        """Everything in the account, as JSON."""

    @abstractmethod
    def merge(self, into: int, source: int) -> None:
        """Merge one ticket into another."""

    @abstractmethod
    def ticket(self, number: int) -> dict[str, Any]:
        """One ticket; KeyError if there is none."""

    # -- what people see and do there, in the same words at every vendor's ---------------------------------------

    @abstractmethod
    def seen_tickets(self) -> list[SeenTicket]:
        """Every ticket, oldest first, deleted ones too."""

    @abstractmethod
    def seen_comments(self, number: int) -> list[SeenComment]:
        """Everything said on a ticket, oldest first, beginning with the first message."""

    @abstractmethod
    def answer(
        self, number: int, html: str, *, public: bool = True, files: Sequence[File] = (), status: str | None = None
    ) -> SeenComment:
        """Answer in the web interface as an agent, or leave a private note; `status` as in SeenTicket."""

    @abstractmethod
    def hide(self, number: int, comment: int) -> None:
        """Make a public comment private."""

    @abstractmethod
    def take_away(self, number: int, comment: int) -> None:
        """Take away what a comment says, as far as the vendor lets people."""

    @abstractmethod
    def close(self, number: int) -> None:
        """Close a ticket."""

    @abstractmethod
    def delete(self, number: int) -> None:
        """Delete a ticket softly."""

    @abstractmethod
    def call_at(self, url: str) -> None:
        """Where the account's webhook calls from now on, with the secret it has."""

    @abstractmethod
    def _seed(self) -> None:
        """Make the default rows of an empty account."""

    def _start_courier(self) -> None:
        if not self._courier.is_alive():
            self._courier.start()
