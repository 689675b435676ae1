"""Finds adapters by entry point. Ours and those of other packages are found the same way."""

from __future__ import annotations

from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import TypeVar

from connector.errors import ConnectorError
from connector.helpdesks.base import Helpdesk
from connector.sources.base import Source

SOURCES = "connector.sources"
HELPDESKS = "connector.helpdesks"

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


def _load(group: str, kind: str, contract: type[T]) -> type[T]:
    point = _found(group)[kind]
    try:
        loaded = point.load()
    except Exception as error:  # whatever another package does when it is loaded is told of its account
        raise ConnectorError(f'the adapter "{kind}" cannot be loaded: {error}') from error
    if not (isinstance(loaded, type) and issubclass(loaded, contract)):
        raise ConnectorError(f'the adapter "{kind}" ({point.value}) is not a {contract.__name__}')
    return loaded
