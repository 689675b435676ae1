"""Which handler answers a path: one step for each of its parts, literal parts before ids."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Generic, TypeVar

Handler = TypeVar("Handler")


class Routes(Generic[Handler]):
    """The handlers of an API; a pattern's `*` stands for one variable part."""

    def __init__(self, prefix: str, routes: Iterable[tuple[str, str, Handler]]) -> None:
        self._root: dict[str, Any] = {}
        for method, pattern, handler in routes:
            node = self._root
            for part in pattern.split("/"):
                node = node.setdefault(part, {})
            node[f"{method} "] = (handler, f"{method} {prefix}{pattern}")

    def find(self, method: str, path: str) -> tuple[Handler, str, list[str]] | None:
        """(handler, its name for the counters, the variable parts), or None."""
        node, values = self._node(path)
        found = node.get(f"{method} ") if node is not None else None
        return (*found, values) if found else None

    def methods(self, path: str) -> list[str]:
        """The methods a path knows; none if there is no such path."""
        node, _ = self._node(path)
        return sorted(key.strip() for key in node or {} if key.endswith(" "))

    def _node(self, path: str) -> tuple[dict[str, Any] | None, list[str]]:
        node, values = self._root, []
        for part in path.split("/"):
            if part in node:
                node = node[part]
            elif "*" in node:
                node = node["*"]
                values.append(part)
            else:
                return None, []
        return node, values
