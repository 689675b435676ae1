"""The JSON Schema of a mapping file, for editors: completion, and red lines before anything is saved.

`connector schema mapping > mapping.schema.json`, and in the file: `# yaml-language-server: $schema=…`. It is made
from the tables the reader itself uses, so a key cannot be known to one and not to the other. The reader stays the
judge: it also sees what a schema cannot.
"""

from __future__ import annotations

from typing import Any

from connector.model import PRIORITIES
from connector.triage.facts import WEEKDAYS
from connector.triage.rules import TABLES
from connector.triage.settings import STATUSES, TYPES
from connector.triage.tone.section import BELIEF
from connector.triage.tone.weights import CLASSES
from connector.triage.when import BOUNDS, COUNTS, FIELDS, LABELS, Shape

Schema = dict[str, Any]

_TEXT: Schema = {"type": ["string", "number"]}
_SCALAR: Schema = {"type": ["string", "number", "boolean"]}
_SHAPE_DEFS: dict[Shape, str] = {
    "name": "names",
    "language": "languages",
    "number": "number",
    "text": "text",
    "flag": "flag",
    "parent": "parent",
    "hours": "hours",
    "weekdays": "weekdays",
}
_SAID: dict[str, str] = {
    "source": "name of the account in config.yaml",
    "platform": "the network it was said on",
    "kind": "what it is",
    "tone": "what it feels like",
    "priority": "the priority set so far (normal before any rule)",
    "language": "ru, uk, en, … or unknown",
    "author.followers": "how many follow the author; unknown matches nothing",
    "author.handle": "short name, with or without @; * for any letters",
    "author.name": "name as people see it; * for any letters",
    "author.verified": "verified by the platform",
    "text": "title and text: whole words, beginnings (возврат*), phrases, or a regular expression",
    "parent": "whether it answers something, or what the answered text has in it",
    "rating": "stars of a review",
    "engagement.total": "all counts together",
    "hour": "hour of day in the time zone, both ends included: 9-17, 22-6",
    "weekday": "mon to sun, or a range such as mon-fri",
    "private": "only we can read it",
}


def mapping_schema() -> Schema:
    """The JSON Schema (2020-12) of one file in the mappings directory."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Mapping",
        "description": "What becomes of a mention: rules, tables, templates and lists.",
        "type": ["object", "null"],
        "additionalProperties": False,
        "properties": {
            "timezone": {
                "type": "string",
                "description": "for hour and weekday, such as Europe/Moscow; UTC if absent",
            },
            "tone": {"$ref": "#/$defs/tone"},
            "rules": {"type": ["array", "null"], "items": {"$ref": "#/$defs/rule"}, "description": "first to last"},
            "tables": {
                "type": ["object", "null"],
                "additionalProperties": False,
                "description": "applied after the rules; what a rule set wins",
                "properties": {name: _table(allowed) for name, allowed in TABLES.items()},
            },
            "templates": {
                "type": ["object", "null"],
                "additionalProperties": False,
                "description": "Jinja2: {{ platform }}, {{ author }}, {{ title }}, {{ text }}, {{ url }} …",
                "properties": {
                    "subject": {"type": "string", "minLength": 1, "description": "one line, cut at 150 characters"},
                    "comment": {"type": "string", "minLength": 1, "description": "plain text"},
                },
            },
            "lists": {
                "type": ["object", "null"],
                "additionalProperties": _one_or_many(_TEXT),
                "description": "named lists of words or authors, used as {list: name}",
            },
        },
        "$defs": _definitions(),
    }


def _definitions() -> Schema:
    listed: Schema = _object({"list": {"type": "string", "description": "a name under lists"}})
    text = _object(
        {
            "words": {"anyOf": [_one_or_many(_TEXT), listed]},
            "list": {"type": "string"},
            "matches": {"type": "string", "minLength": 1, "maxLength": 2000, "description": "regular expression"},
        }
    )
    conditions: Schema = {"type": "array", "minItems": 1, "items": {"$ref": "#/$defs/when"}}
    return {
        "rule": {
            "type": "object",
            "required": ["name"],
            "additionalProperties": False,
            "not": {"required": ["set", "ignore"]},
            "properties": {
                "name": {**_TEXT, "description": "unique; shown in traces and on tickets"},
                "when": {"$ref": "#/$defs/when"},
                "set": {"$ref": "#/$defs/settings"},
                "ignore": {**_TEXT, "description": "why no ticket is made"},
                "stop": {"type": "boolean", "description": "true: no later rule is looked at"},
                "allow_negative": {"type": "boolean", "description": "true: this ignore rule may match complaints"},
            },
        },
        "when": {
            "anyOf": [
                conditions,
                {
                    "type": "object",
                    "minProperties": 1,
                    "additionalProperties": False,
                    "properties": {
                        "any": {**conditions, "description": "at least one holds"},
                        "all": {**conditions, "description": "every one holds"},
                        "not": {"$ref": "#/$defs/when", "description": "it does not hold"},
                        **{
                            name: {**_field(name, shape), "description": _SAID[name]}
                            for name, shape in FIELDS.items()
                        },
                        **{f"engagement.{count}": {"$ref": "#/$defs/number"} for count in COUNTS},
                    },
                    "patternProperties": {r"^engagement\.[a-z][a-z0-9_]*$": {"$ref": "#/$defs/number"}},
                },
            ]
        },
        "settings": {
            "type": "object",
            "minProperties": 1,
            "additionalProperties": False,
            "properties": {
                "priority": {"enum": list(PRIORITIES)},
                "type": {"enum": list(TYPES)},
                "status": {"enum": list(STATUSES)},
                **{name: {**_TEXT, "description": f"name or id of a {name}"} for name in ("group", "brand", "form")},
                "tags": {**_one_or_many(_TEXT), "description": "added"},
                "untag": {**_one_or_many(_TEXT), "description": "removed"},
                "fields": {
                    "type": "object",
                    "description": "ticket fields by title or id; a choice takes its tag",
                    "additionalProperties": {"anyOf": [_SCALAR, {"type": "array", "items": _TEXT}]},
                },
            },
        },
        "tone": _tone(),
        "names": {
            "anyOf": [
                _one_or_many(_TEXT),
                _object({"list": {"type": "string"}, "matches": {"type": "string", "minLength": 1}}),
            ]
        },
        "languages": _one_or_many({"type": "string", "pattern": r"^\s*([A-Za-z]{2,3}|unknown)\s*$"}),
        "number": {
            "anyOf": [_one_or_many({"type": "number"}), _object({bound: {"type": "number"} for bound in BOUNDS})]
        },
        "text": {"anyOf": [_one_or_many(_TEXT), text]},
        "parent": {"anyOf": [{"type": "boolean"}, _one_or_many(_TEXT), text]},
        "flag": {"type": "boolean"},
        "hours": _one_or_many(
            {
                "anyOf": [
                    {"type": "integer", "minimum": 0, "maximum": 23},
                    {"type": "string", "pattern": r"^\s*\d{1,2}\s*[-–]\s*\d{1,2}\s*$"},
                ]
            }
        ),
        "weekdays": _one_or_many({"type": "string", "pattern": _weekday_pattern()}),
    }


def _tone() -> Schema:
    belief: Schema = {"enum": list(BELIEF)}
    named: Schema = {"type": "object", "additionalProperties": belief}
    return {
        "type": ["object", "null"],
        "additionalProperties": False,
        "description": "whose tone counts, and how texts are read",
        "properties": {
            "source": {"anyOf": [belief, named], "description": "the tone a source gives; for all, or each by name"},
            "stars": {**belief, "description": "the stars of a review"},
            "unknown_below": {"type": "number", "minimum": 0, "maximum": 1, "description": "least confidence"},
            "words": {
                **_object({name: _one_or_many(_TEXT) for name in CLASSES}),
                "description": "words with a tone of their own here",
            },
            "model": {"type": "string", "description": "a file of connector tone train, beside the mapping"},
            "detector": {"type": "string", "description": "a detector of the entry point group connector.tones"},
            "options": {"type": "object", "description": "the detector's own options"},
        },
    }


def _weekday_pattern() -> str:
    days = "|".join("".join(f"[{letter.upper()}{letter}]" for letter in day) for day in WEEKDAYS)
    return rf"^\s*({days})(\s*[-–]\s*({days}))?\s*$"


def _field(name: str, shape: Shape) -> Schema:
    if shape == "label":
        return _one_or_many({"enum": list(LABELS[name])})
    return {"$ref": f"#/$defs/{_SHAPE_DEFS[shape]}"}


def _table(allowed: tuple[str, ...] | None) -> Schema:
    rows: Schema = {"$ref": "#/$defs/settings"}
    if allowed is None:
        return {"type": ["object", "null"], "additionalProperties": rows}
    return {"type": ["object", "null"], "additionalProperties": False, "properties": dict.fromkeys(allowed, rows)}


def _one_or_many(item: Schema) -> Schema:
    return {"anyOf": [item, {"type": "array", "minItems": 1, "items": item}]}


def _object(properties: Schema) -> Schema:
    return {"type": "object", "minProperties": 1, "additionalProperties": False, "properties": properties}
