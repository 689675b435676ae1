"""The machine-readable API (VKCOM/vk-api-schema) as a judge of requests, which come as forms: all values are text."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

_BOOLEAN = re.compile(r"0|1|true|false")
_INTEGER = re.compile(r"-?\d+")


class Description:
    """Which methods there are, who may call them, what they take. `folder` has one folder for each section."""

    def __init__(self, folder: Path) -> None:
        self._methods: dict[str, dict[str, Any]] = {}
        for path in folder.glob("*/methods.json"):
            for method in json.loads(path.read_text(encoding="utf-8"))["methods"]:
                self._methods[method["name"]] = method

    def may(self, method: str, token: str) -> bool:
        """Whether a token of that kind (user, group) may call it."""
        return token in self._methods.get(method, {}).get("access_token_type", ())

    def problems(self, method: str, params: dict[str, str]) -> list[str]:
        """What is wrong with a call; nothing, if it is good."""
        known = self._methods.get(method)
        if known is None:
            return [f"no method {method}"]
        fields = {one["name"]: one for one in known.get("parameters", ())}
        found = [f"{method} has no {name}" for name in params if name not in fields]
        for name, value in params.items():
            problem = _problem(value, fields[name]) if name in fields else ""
            if problem:
                found.append(f"{method}.{name} {problem}: {value[:80]!r}")
        return found + [f"{method} needs {n}" for n, one in fields.items() if one.get("required") and n not in params]


def _problem(value: str, field: dict[str, Any]) -> str:
    kinds = field.get("type", "string")
    kinds = [kinds] if isinstance(kinds, str) else kinds
    if "array" in kinds:
        inside = field.get("items", {})
        if len(value.split(",")) > field.get("maxItems", 10**9):
            return "has too many items"
        return next((problem for one in value.split(",") if (problem := _problem(one, inside))), "")
    if "enum" in field and value not in map(str, field["enum"]):
        return f"is none of {field['enum']}"
    if "string" in kinds:
        return "is too long" if len(value) > field.get("maxLength", 10**9) else ""
    if "boolean" in kinds and not _BOOLEAN.fullmatch(value):
        return "is no boolean"
    if "integer" in kinds and not _INTEGER.fullmatch(value):
        return "is no integer"
    if "integer" in kinds and not field.get("minimum", -(2**63)) <= int(value) <= field.get("maximum", 2**63):
        return "is out of range"
    return ""
