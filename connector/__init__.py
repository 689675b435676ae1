"""connector: mentions become helpdesk tickets, agents' answers go back to where people wrote."""

from __future__ import annotations

__version__ = "0.1.0"
