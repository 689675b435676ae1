"""A sandbox that speaks Freshdesk's API v2, misbehaves on request, and has pages for a person.

>>> from connector.testing.simulators.freshdesk import FreshdeskSandbox
>>> with FreshdeskSandbox() as sandbox:
...     address = sandbox.start()
"""

from __future__ import annotations

from connector.testing.simulators.freshdesk.account import ADMIN_EMAIL, ADMIN_KEY, AGENT_EMAIL, AGENT_KEY
from connector.testing.simulators.freshdesk.faults import Faults
from connector.testing.simulators.freshdesk.hooks import Rule
from connector.testing.simulators.freshdesk.limits import Limits
from connector.testing.simulators.freshdesk.sandbox import FreshdeskSandbox, serve

__all__ = [
    "ADMIN_EMAIL",
    "ADMIN_KEY",
    "AGENT_EMAIL",
    "AGENT_KEY",
    "Faults",
    "FreshdeskSandbox",
    "Limits",
    "Rule",
    "serve",
]
