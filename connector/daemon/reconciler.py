"""The reconciler: looks once more at what was ever in doubt, and tells tickets of replies that wait too long. One
look when asked; the daemon loops. Every replica may: what is told has a key, and what was looked at is marked.

An account that cannot be asked now keeps neither the others nor the agents from being told.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from connector import log
from connector.daemon.dispatcher import written
from connector.daemon.pullers import Writer
from connector.errors import ConnectorError, Temporary
from connector.flow.deliver import Wiring, reconcile, waiting
from connector.store import Claim, Tx
from connector.store.reconcile import checked, doubtful, overdue, tell_waiting

T = TypeVar("T")

_AT_ONCE = 50
_WITHIN = 60.0


class Reconciler:
    """Looks with the adapters as they are now."""

    def __init__(self, writer: Writer, owner: str, wiring: Callable[[], Wiring]) -> None:
        self.name = "reconciler"
        self.retired = False
        self._writer = writer
        self._owner = owner
        self._wiring = wiring
        self._log = log.get(thread=self.name)

    def pull_once(self) -> float:
        """One look; the seconds to wait before the next."""
        patience = self._wiring().patience
        try:
            for claim, why in self._do(lambda tx: overdue(tx, self._owner, patience.tell_after, _AT_ONCE)):
                self._tell(claim, why)
            for claim in self._do(lambda tx: doubtful(tx, self._owner, patience.reconcile_after, _AT_ONCE)):
                if not self.retired:
                    self._look(claim)
        except Temporary:
            pass  # the database is away, which the dispatcher tells
        except Exception:  # noqa: BLE001 - tried again at the next look
            self._log.exception("reconciler failed")
        return min(60.0, max(0.2, min(patience.reconcile_after, patience.tell_after) / 4))

    def _look(self, claim: Claim) -> None:
        try:
            told = reconcile(claim, self._wiring())
        except ConnectorError as error:  # its account cannot be asked now: at a later look
            self._log.debug("cannot be looked up", delivery=claim.id, why=error.sentence)
            return
        if told:
            self._log.error("written more than once", delivery=claim.id, ticket=claim.ticket)
        self._do(lambda tx: checked(tx, claim, told))

    def _tell(self, claim: Claim, why: str) -> None:
        note = waiting(claim, self._wiring(), why or "it has not been its turn yet")
        if note is not None:
            self._do(lambda tx: tell_waiting(tx, claim, note))
            self._log.warning("reply waits", delivery=claim.id, ticket=claim.ticket, why=why)

    def _do(self, work: Callable[[Tx], T]) -> T:
        return written(self._writer.run(work), _WITHIN)
