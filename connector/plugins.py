"""Finds adapters and tone detectors by entry point. Ours and those of other packages are found the same way."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any, TypeVar

from connector.errors import ConnectorError
from connector.helpdesks.base import Helpdesk
from connector.sources.base import Source
from connector.triage import ToneDetector

SOURCES = "connector.sources"
HELPDESKS = "connector.helpdesks"
TONES = "connector.tones"

T = TypeVar("T")


@cache
def _found(group: str) -> dict[str, EntryPoint]:
    return {point.name: point for point in entry_points(group=group)}


def source_types() -> list[str]:
    """The names that may stand as `type` of a source."""
    return sorted(_found(SOURCES))


def helpdesk_types() -> list[str]:
    """The names that may stand as `type` of a helpdesk."""
    return sorted(_found(HELPDESKS))


def source_class(kind: str) -> type[Source]:
    """The adapter of that type; LookupError when there is none."""
    return _load(SOURCES, kind, Source)


def helpdesk_class(kind: str) -> type[Helpdesk]:
    """The adapter of that type; LookupError when there is none."""
    return _load(HELPDESKS, kind, Helpdesk)  # type: ignore[type-abstract]  # mypy knows no "abstract class as a bound"


def tone_detector(name: str, options: Mapping[str, Any]) -> ToneDetector:
    """The tone detector of that name, made with its options. LookupError, its first argument a sentence, when there
    is none; ConnectorError when it cannot be made."""
    known = _found(TONES)
    if name not in known:
        there = f"there are {', '.join(sorted(known))}" if known else "none is installed"
        raise LookupError(f'"{name}" is no tone detector here; {there} (entry points of the group {TONES})')
    try:
        detector = known[name].load()(options)
    except Exception as error:
        raise ConnectorError(f'the tone detector "{name}" cannot be made: {error}') from error
    if not callable(getattr(detector, "detect", None)):
        raise ConnectorError(f'the tone detector "{name}" ({known[name].value}) has no detect(said, language)')
    return detector  # type: ignore[no-any-return]  # only its one method counts, and that was looked at


def _load(group: str, kind: str, contract: type[T]) -> type[T]:
    point = _found(group)[kind]
    try:
        loaded = point.load()
    except Exception as error:  # whatever another package does when it is loaded is told of its account
        raise ConnectorError(f'the adapter "{kind}" cannot be loaded: {error}') from error
    if not (isinstance(loaded, type) and issubclass(loaded, contract)):
        raise ConnectorError(f'the adapter "{kind}" ({point.value}) is not a {contract.__name__}')
    return loaded
