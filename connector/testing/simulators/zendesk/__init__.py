"""A sandbox that speaks Zendesk's Support API, misbehaves on request, and has pages for a person.

>>> from connector.testing.simulators.zendesk import ZendeskSandbox
>>> with ZendeskSandbox() as sandbox:
...     address = sandbox.start()
"""

from __future__ import annotations

from connector.testing.simulators.zendesk.account import ADMIN_EMAIL, AGENT_EMAIL, TOKEN
from connector.testing.simulators.zendesk.faults import Faults
from connector.testing.simulators.zendesk.limits import Limits
from connector.testing.simulators.zendesk.sandbox import ZendeskSandbox, serve

__all__ = ["ADMIN_EMAIL", "AGENT_EMAIL", "TOKEN", "Faults", "Limits", "ZendeskSandbox", "serve"]
