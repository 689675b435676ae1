"""Mistakes as SARIF 2.1.0 (OASIS, docs.oasis-open.org/sarif/sarif/v2.1.0), the form code review and editors take in.

One run with one result for each mistake. A rule is the part of the file a mistake is in (rules, tables, feedback …):
our mistakes have no numbers. Files are told as they are everywhere, relative to where the mapping's folder lies.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

from connector import __version__
from connector.errors import Problem

_SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"


def sarif(problems: Sequence[Problem]) -> dict[str, Any]:
    """A SARIF log of these mistakes."""
    rules = sorted({_rule(problem) for problem in problems})
    return {
        "$schema": _SCHEMA,
        "version": "2.1.0",
        "runs": [
            {
                "tool": {
                    "driver": {
                        "name": "connector",
                        "version": __version__,
                        "rules": [
                            {"id": rule, "shortDescription": {"text": f"connector check: {rule}"}} for rule in rules
                        ],
                    }
                },
                "columnKind": "unicodeCodePoints",
                "results": [_result(problem, rules) for problem in problems],
            }
        ],
    }


def _rule(problem: Problem) -> str:
    return re.split(r"[.\[]", problem.path, maxsplit=1)[0] or "file"


def _result(problem: Problem, rules: Sequence[str]) -> dict[str, Any]:
    place: dict[str, Any] = {"artifactLocation": {"uri": quote(problem.file.replace("\\", "/"))}}
    if problem.line > 0:
        place["region"] = {"startLine": problem.line, "startColumn": max(problem.column, 1)}
    where: dict[str, Any] = {"physicalLocation": place}
    if problem.path:
        where["logicalLocations"] = [{"fullyQualifiedName": problem.path}]
    rule = _rule(problem)
    return {
        "ruleId": rule,
        "ruleIndex": rules.index(rule),
        "level": problem.severity,
        "message": {"text": f"{problem.path} {problem.message}".strip()},
        "locations": [where],
    }
