"""Logging: an event is a short fixed phrase, facts are keys; JSON unless a terminal looks.

Two things never get out: secrets (whatever came in through !env or !file, and whatever an adapter was handed at
log-in) and what people wrote (the keys in `_PERSONAL` are replaced by their length). structlog is configured
here and nowhere else.
"""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import MutableMapping
from typing import Any

import structlog

_secrets: set[str] = set()
_pattern: re.Pattern[str] | None = None
_PERSONAL = frozenset({"text", "html", "body", "name", "handle", "author", "email", "phone", "subject", "comment"})
_HIDDEN = frozenset({"token", "api_token", "password", "app_password", "secret", "authorization", "cookie"})
_URL_PASSWORD = re.compile(r"(?<=://)([^/\s:@]+):([^/\s@]+)@")
_BEARER = re.compile(r"\b(Bearer|Basic)\s+[A-Za-z0-9._~+/=-]{6,}")


def remember_secret(value: str) -> None:
    """From now on this text is masked wherever it would be shown. Very short values are left alone."""
    global _pattern
    if len(value) >= 5 and value not in _secrets:
        _secrets.add(value)
        _pattern = re.compile("|".join(re.escape(s) for s in sorted(_secrets, key=len, reverse=True)))


def masked(text: str) -> str:
    """The text without any known secret, bearer token or password in an address."""
    if _pattern is not None:
        text = _pattern.sub("***", text)
    text = _URL_PASSWORD.sub(r"\1:***@", text)
    return _BEARER.sub(r"\1 ***", text)


def _redact(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    for key, value in event.items():
        if key in _HIDDEN:
            event[key] = "***"
        elif key in _PERSONAL and isinstance(value, str):
            event[key] = f"<{len(value)} characters>"
        elif isinstance(value, str):
            event[key] = masked(value)
        elif value is not None and not isinstance(value, int | float | bool):
            event[key] = masked(str(value))
    return event


def configure(*, json: bool | None = None, level: str = "info") -> None:
    """Set up logging to stderr. `json` None: JSON unless stderr is a terminal."""
    as_json = not sys.stderr.isatty() if json is None else json
    renderer: Any = (
        structlog.processors.JSONRenderer(ensure_ascii=False)
        if as_json
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            _redact,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelName(level.upper())),
        logger_factory=structlog.PrintLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=False,
    )


def get(**facts: Any) -> Any:
    """A logger with these facts bound."""
    return structlog.get_logger(**facts)
