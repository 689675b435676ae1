"""What is looked at now and then: tickets of a storm to be linked, digests to be told, storms that are over, and
tickets that wait for a private message.

Each step is one transaction of the writer. Several replicas may look at once: rows are locked, and what is told has
a key.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import TypeVar

from connector import log
from connector.daemon.dispatcher import written
from connector.daemon.pullers import Writer
from connector.errors import Temporary
from connector.flow import notes
from connector.flow import storms as words
from connector.flow.turn import Wiring
from connector.store import Store, Tx, digests, privates, storms
from connector.store.storms import Announce, Placement, Sighting, Storm, Watch

T = TypeVar("T")

_EVERY = 3.0
_WITHIN = 60.0
_FORGET_EVERY = 6 * 3600.0


class StormWatch:
    """Places mentions durably for the workers, and tends what is on. `wiring` is asked for at every turn."""

    def __init__(self, store: Store, writer: Writer, wiring: Callable[[], Wiring]) -> None:
        self.name = "storms"
        self.retired = False
        self.store = store
        self.writer = writer
        self.wiring = wiring
        self._forget_at = time.monotonic()
        self._log = log.get(thread="storms")

    def place(self, seen: Sequence[Sighting], watch: Watch | None, announce: Announce) -> list[Placement]:
        """Where these mentions go; durable when this gives back."""
        found = self._do(lambda tx: [storms.place(tx, one, watch, announce) for one in seen])
        for placement in found:
            if placement.began and placement.storm is not None:
                self._tell("storm began", placement.storm)
        return found

    def pull_once(self) -> float:
        """One look; the seconds to wait before the next."""
        try:
            if not self.retired:
                self._tend()
        except Temporary:
            pass  # the database is away, which the dispatcher tells
        except Exception:  # noqa: BLE001 - tried again at the next look
            self._log.exception("storms cannot be tended")
        return _EVERY

    def _tend(self) -> None:
        wiring = self.wiring()
        if wiring.shadow:
            return
        if time.monotonic() >= self._forget_at:
            self._do(storms.forget_sightings)
            self._forget_at = time.monotonic() + _FORGET_EVERY
        patience = wiring.policy.private.remind_after * 60.0
        with self.store.read() as tx:
            busy, late = storms.busy(tx), privates.waits_longer(tx, patience)
        if late:
            self._do(lambda tx: privates.remind(tx, patience, notes.reminder_note))
        if not busy:
            return
        linked = self._do(lambda tx: storms.link(tx, lambda *which: words.incident_note(wiring, *which)))
        told = self._do(lambda tx: digests.gather(tx, lambda some: words.digest_bulletin(wiring, some)))
        if linked or told:
            self._log.info("storm tended", linked=linked, in_digests=told)
        for storm in self._do(lambda tx: storms.end(tx, words.summary_note)):
            self._tell("storm over", storm)

    def _do(self, work: Callable[[Tx], T]) -> T:
        return written(self.writer.run(work), _WITHIN)

    def _tell(self, event: str, storm: Storm) -> None:
        self._log.warning(
            event,
            storm=storm.id,
            topic=storm.topic,
            source=storm.source or "all",
            authors=storm.authors,
            usual=round(storm.usual, 1),
        )
