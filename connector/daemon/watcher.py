"""The watcher: tells tickets that their first answer is due, or late. One look when asked; the daemon loops.

Every replica looks. Which of them takes a step is settled by the database: the step, the note about it and its key
are one transaction, and rows that another works on are passed over.
"""

from __future__ import annotations

from collections.abc import Callable

from connector import log
from connector.daemon.dispatcher import written
from connector.daemon.pullers import Writer
from connector.errors import ConnectorError
from connector.flow.deliver import Wiring
from connector.flow.notes import deadline_note
from connector.store import Tx
from connector.store.reconcile import Passed, passed, told

_EVERY = 5.0
_AT_ONCE = 50


class Watcher:
    """Takes the steps that passed, with the mapping as it is now."""

    def __init__(self, writer: Writer, wiring: Callable[[], Wiring]) -> None:
        self.name = "deadlines"
        self.retired = False
        self._writer = writer
        self._wiring = wiring
        self._log = log.get(thread=self.name)

    def pull_once(self) -> float:
        """One look; the seconds to wait before the next."""
        try:
            steps = written(self._writer.run(self._look), 60)
        except ConnectorError:
            return _EVERY  # the database is away, which the dispatcher tells; nothing was taken
        except Exception:  # noqa: BLE001 - tried again at the next look
            self._log.exception("deadlines cannot be watched")
            return _EVERY
        for step in steps:
            tell = self._log.info if step.step == "reminder" else self._log.warning
            tell("first answer due", ticket=step.ticket, step=step.step, source=step.source)
        return 0.0 if len(steps) == _AT_ONCE else _EVERY

    def _look(self, tx: Tx) -> list[Passed]:
        wiring = self._wiring()
        steps = [] if self.retired else passed(tx, _AT_ONCE)
        for step in steps:
            desk = wiring.helpdesks.get(step.helpdesk)
            quiet = desk.options.commands.do_not_reply if desk is not None else ""
            told(tx, step, deadline_note(step, wiring.policy, quiet))
        return steps
