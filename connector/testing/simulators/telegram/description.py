"""The machine-readable Bot API (PaulSonOfLars/telegram-bot-api-spec) as a judge of requests."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

_SIMPLE: dict[str, type | tuple[type, ...]] = {
    "Integer": int,
    "String": str,
    "Boolean": bool,
    "True": bool,
    "Float": (int, float),
}


class Description:
    """Which methods there are, what they take, and of what type it is."""

    def __init__(self, path: Path) -> None:
        self._whole = json.loads(path.read_text(encoding="utf-8"))

    def problems(self, method: str, params: dict[str, Any], uploaded: set[str]) -> list[str]:
        """What is wrong with a call; nothing, if it is good."""
        known = self._whole["methods"].get(method)
        if known is None:
            return [f"no method {method}"]
        fields = {one["name"]: one for one in known.get("fields", ())}
        found = [f"{method} has no {name}" for name in params if name not in fields]
        found += [
            f"{method}.{name} is no {fields[name]['types']}: {value!r}"
            for name, value in params.items()
            if name in fields and not self.fits(value, fields[name]["types"])
        ]
        given = {*params, *uploaded}
        return found + [f"{method} needs {n}" for n, one in fields.items() if one["required"] and n not in given]

    def fits(self, value: Any, types: list[str]) -> bool:
        """Whether a value is of one of these types."""
        return any(self._is(value, one) for one in types)

    def _is(self, value: Any, kind: str) -> bool:
        if kind.startswith("Array of "):
            return isinstance(value, list) and all(self._is(one, kind.removeprefix("Array of ")) for one in value)
        if kind in _SIMPLE:
            boolean = kind in ("Boolean", "True")
            return isinstance(value, _SIMPLE[kind]) and isinstance(value, bool) == boolean
        described = self._whole["types"].get(kind)
        if described is None or not isinstance(value, dict):
            return False
        if described.get("subtypes"):
            return self.fits(value, described["subtypes"])
        fields = {one["name"]: one for one in described.get("fields", ())}
        return all(n in value for n, one in fields.items() if one["required"]) and all(
            name in fields and self.fits(content, fields[name]["types"]) for name, content in value.items()
        )
