"""`connector demo`: the main job on this machine, without credentials, and nothing of it pretended but the two ends.

The ends are a helpdesk's sandbox and a small website of our own where made-up people write. Between them runs the
same daemon as ever, on a generated config.yaml and the shipped mapping: mentions come in through signed hooks,
tickets are opened over HTTP, agents' answers are found by the helpdesk's webhook and posted back, signed.

This is, beside `connector sandbox`, the one place in the product that may use `connector.testing`: see `stage`.
"""

from __future__ import annotations

import time

from connector import log
from connector.demo.play import keep_on, play
from connector.demo.screen import Screen
from connector.demo.stage import stage
from connector.errors import ConnectorError


def show(helpdesk: str = "zendesk", *, fast: bool, keep: bool) -> None:
    """Run it at that helpdesk and tell it. ConnectorError when anything did not come out even; `fast` leaves out the
    pauses, `keep` lets everything go on running afterwards, until Ctrl-C."""
    log.configure(level="error")
    screen = Screen(pause=0.0 if fast else 1.0)
    started = time.monotonic()
    try:
        with stage(helpdesk) as built:
            wrong = play(built, screen)
            if wrong:
                raise ConnectorError("the demo did not come out even: " + "; ".join(wrong))
            screen.line()
            screen.line(f"   even, after {time.monotonic() - started:.1f} s")
            if keep:
                keep_on(built, screen)
    except KeyboardInterrupt:
        screen.line()
        screen.line("   stopped; nothing is left behind")
        raise SystemExit(1) from None
