"""Logging: an event is a short fixed phrase, facts are keys; JSON unless a terminal looks.

Two things never get out: secrets (whatever came in through !env or !file, and whatever an adapter was handed at
log-in) and what people wrote. The keys in `_PERSONAL` are replaced by their length, at any depth; an object is told
by its kind; a traceback keeps its places and the kind of its error, but the words only of our own errors, which are
sentences made to be shown. structlog is configured here and nowhere else.
"""

from __future__ import annotations

import logging
import re
import sys
import traceback
from collections.abc import Mapping, MutableMapping
from datetime import date
from pathlib import PurePath
from typing import Any

import structlog

_secrets: set[str] = set()
_pattern: re.Pattern[str] | None = None
_PERSONAL = frozenset({"text", "html", "body", "name", "handle", "author", "email", "phone", "subject", "comment"})
_HIDDEN = frozenset({"token", "api_token", "password", "app_password", "secret", "authorization", "cookie"})
_LONGEST_CHAIN = 10
_URL_PASSWORD = re.compile(r"(?<=://)([^/\s:@]*):([^/\s@]+)@")
_BEARER = re.compile(r"\b([Bb]earer|Basic)\s+[A-Za-z0-9._~+/=-]{6,}")


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


def _told(key: str, value: Any) -> Any:
    """A fact as it may be shown."""
    if key in _HIDDEN:
        return "***"
    if value is None or isinstance(value, bool | int | float):
        return value
    if key in _PERSONAL:
        return f"<{len(value)} characters>" if isinstance(value, str) else f"<{type(value).__name__}>"
    if isinstance(value, Mapping):
        return {masked(str(name)): _told(str(name), one) for name, one in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_told("", one) for one in value]
    if isinstance(value, str | PurePath | date):
        return masked(str(value))
    return f"<{type(value).__name__}>"


def _redact(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    for key, value in event.items():
        event[key] = _told(key, value)
    return event


def _traceback(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """An error with the places it went through; its own words may be what somebody wrote."""
    given = event.pop("exc_info", None)
    error = sys.exc_info()[1] if given is True else given[1] if isinstance(given, tuple) else given
    told: list[str] = []
    while isinstance(error, BaseException) and len(told) < _LONGEST_CHAIN:
        kind, words = type(error), str(error)
        shown = words if kind.__module__ == "connector.errors" else f"<{len(words)} characters>"
        told.append("".join(traceback.format_tb(error.__traceback__)) + f"{kind.__qualname__}: {shown}")
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if told:
        event["exception"] = "\ncaused by\n".join(told)
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
            _traceback,
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
