"""The running process: threads, clock, signals, reload, graceful stop. One process a replica.

    main          signals set flags, files are watched, systemd is told
    listener      uvicorn, for hooks, health and metrics
    dispatcher    the one writer
    workers       each carries one delivery at a time
    pullers       one per source that can be polled, one per helpdesk for replies
    reconciler    looks once more at what was ever in doubt, and tells of replies that wait
    watcher       tells tickets that their first answer is due, or late
    storms        links the tickets of a storm, tells digests, ends what is over
    eraser        takes out what people said when its time is over

Time, chance and threads live here and nowhere else.
"""

from __future__ import annotations

from connector.daemon.process import Daemon

__all__ = ["Daemon"]
