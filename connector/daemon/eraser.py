"""The eraser: takes what people said out of the journal when the retention time is over. A batch when asked, until
all that is old enough was looked at once; the daemon loops. Every replica may: rows another works on are passed over.
"""

from __future__ import annotations

from collections.abc import Callable

from connector import log
from connector.daemon.dispatcher import written
from connector.daemon.pullers import Writer
from connector.errors import ConnectorError
from connector.store.people import Place, expire

_BATCH = 100
_BETWEEN = 0.5
_START = (0.0, 0)
_EVERY = 600.0


class Eraser:
    """Erases conversations finished longer ago than `days` says now; 0 keeps everything."""

    def __init__(self, writer: Writer, days: Callable[[], int]) -> None:
        self.name = "retention"
        self.retired = False
        self._writer = writer
        self._days = days
        self._erased = 0
        self._after: Place = _START
        self._log = log.get(thread=self.name)

    def pull_once(self) -> float:
        """One batch; the seconds to wait before the next."""
        days = self._days()
        if not days or self.retired:
            return _EVERY
        try:
            count, after = written(self._writer.run(lambda tx: expire(tx, days, _BATCH, self._after)), 60)
        except ConnectorError:
            return _EVERY  # the database is away, which the dispatcher tells
        except Exception:  # noqa: BLE001 - tried again later
            self._log.exception("retention failed")
            return _EVERY
        self._erased += count
        self._after = after or _START
        if after:
            return _BETWEEN
        if self._erased:
            self._log.info("erased after retention", mentions=self._erased, days=days)
            self._erased = 0
        return _EVERY
