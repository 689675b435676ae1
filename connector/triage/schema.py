"""The JSON Schema of a mapping file, for editors: completion, and red lines before anything is saved.

`connector schema mapping > mapping.schema.json`, and in the file: `# yaml-language-server: $schema=…`. It is made
from the tables the reader itself uses, so a key cannot be known to one and not to the other. The reader stays the
judge: it also sees what a schema cannot.
"""

from __future__ import annotations

from typing import Any

from connector.model import PRIORITIES
from connector.triage.deadlines import ESCALATED, FORMS, STEPS
from connector.triage.facts import WEEKDAYS
from connector.triage.guard import ACTIONS, CHECKS
from connector.triage.guard.personal import FINDERS
from connector.triage.roles import NAMED
from connector.triage.rules import TABLES
from connector.triage.score import STEPPED, TALLIES, THRESHOLDS
from connector.triage.settings import STATUSES, TYPES
from connector.triage.storm import MOST_DAYS, SET_KEYS, TOPICS
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
    "dates": "dates",
    "called": "words",
}
_TEMPLATE: Schema = {"type": "string", "minLength": 1}
_RULES: Schema = {"type": ["array", "null"], "items": {"$ref": "#/$defs/rule"}}
_POINTS: Schema = {"type": "integer", "minimum": -10000, "maximum": 10000}
_SPAN: Schema = {"type": "string", "pattern": r"^\s*(\d{1,4}\s*h)?\s*(\d{1,4}\s*min)?\s*$"}
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
    "date": "a day, several, or {from: …, to: …}, both ends included",
    "open": "posted while this calendar (or one of these) was open",
    "feedback": "kinds of feedback, with all under them: complaint is complaint.delivery too",
    "answer_expected": "whether somebody waits for an answer",
    "score": "the score so far",
    "author.contacts": "earlier tickets of the author within remember_days",
    "author.negative": "earlier negative mentions of the author within remember_days, of the last twenty",
    "author.positive": "the same, positive ones",
    "role": "who the author is to us, as `people` says",
    "after_answer": "we have answered in this conversation before",
    "last_tone": "tone of the author's last mention in this conversation; unknown for a first one",
    "text.length": "how many characters were said",
    "text.links": "how many web addresses stand in it",
    "text.hashtags": "how many #hashtags stand in it",
}


def mapping_schema() -> Schema:
    """The JSON Schema (2020-12) of one file in the mappings directory."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Mapping",
        "description": "What becomes of a mention: feedback, score, rules, tables, deadlines, templates, lists.",
        "type": ["object", "null"],
        "additionalProperties": False,
        "properties": {
            "timezone": {
                "type": "string",
                "description": "for hour and weekday, such as Europe/Moscow; UTC if absent",
            },
            "tone": {"$ref": "#/$defs/tone"},
            "rules": {**_RULES, "description": "first to last"},
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
                    "answers": {
                        "type": ["object", "null"],
                        "description": "drafts for the agent by kind of feedback, for all languages or for each",
                        "additionalProperties": {
                            "anyOf": [
                                _TEMPLATE,
                                {"type": "object", "minProperties": 1, "additionalProperties": _TEMPLATE},
                            ]
                        },
                    },
                },
            },
            "remember_days": {"type": "integer", "minimum": 1, "maximum": 3650, "description": "30 if absent"},
            "calendars": {"type": ["object", "null"], "additionalProperties": {"$ref": "#/$defs/calendar"}},
            "feedback": {
                "type": ["object", "null"],
                "description": "kinds of feedback, the most telling first; a dot puts one under another",
                "additionalProperties": {"$ref": "#/$defs/kind"},
            },
            "people": {
                "type": ["object", "null"],
                "additionalProperties": False,
                "description": "who an author is to us; the first role that fits counts",
                "properties": {role: {"$ref": "#/$defs/when"} for role in NAMED},
            },
            "score": {"$ref": "#/$defs/score"},
            "sources": {
                "type": ["object", "null"],
                "description": "rules for one source alone",
                "additionalProperties": _object({"rules": _RULES}),
            },
            "brands": {
                "type": ["object", "null"],
                "description": "what is about a brand: it is set, and its rules apply",
                "additionalProperties": {
                    **_object({"when": {"$ref": "#/$defs/when"}, "rules": _RULES}),
                    "required": ["when"],
                },
            },
            "deadlines": {"$ref": "#/$defs/deadlines"},
            "card": _nullable(_object({"trace": {"type": "boolean", "description": "true: the whole explanation"}})),
            "lists": {
                "type": ["object", "null"],
                "additionalProperties": _one_or_many(_TEXT),
                "description": "named lists of words or authors, used as {list: name}",
            },
            "guard": _guard(),
            "storm": _storm(),
            "automatic": _automatic(),
            "move_to_private": _private(),
        },
        "$defs": _definitions(),
    }


def _guard() -> Schema:
    listed: Schema = {"anyOf": [_one_or_many(_TEXT), _object({"list": {"type": "string"}})]}
    profile = _object({check: {"enum": list(ACTIONS)} for check in CHECKS})
    return _object(
        {
            "public": {**profile, "description": "what is done about an answer everybody can read"},
            "private": {**profile, "description": "what is done about an answer to the person alone"},
            "personal_data": {**_one_or_many({"enum": list(FINDERS)}), "description": "what counts as such"},
            "region": {"type": "string", "pattern": "^[A-Za-z]{2}$", "description": "of numbers without +"},
            "allow": {**listed, "description": "our own numbers and addresses"},
            "banned": {**listed, "description": "words and phrases not to be used; word* for all that begin so"},
            "brand": {
                "type": "object",
                "additionalProperties": {"anyOf": [*listed["anyOf"], {"type": "null"}, {"maxItems": 0}]},
                "description": "the right spelling, and wrong ones",
            },
            "links": {**listed, "description": "domains that may be linked to; any if absent"},
            "rude": {**listed, "description": "words no answer of ours has"},
            "repeated": _object(
                {
                    "times": {"type": "integer", "minimum": 1},
                    "hours": {"type": "number", "exclusiveMinimum": 0},
                }
            ),
            "do_not_answer": _object({"source": listed, "thread": listed}),
            "accounts": {"type": "object", "additionalProperties": _TEXT, "description": "who answers, by source"},
        }
    )


def _definitions() -> Schema:
    listed: Schema = _object({"list": {"type": "string", "description": "a name under lists"}})
    text = _object(
        {
            "words": {"anyOf": [_one_or_many(_TEXT), listed]},
            "list": {"type": "string"},
            "matches": {"type": "string", "minLength": 1, "maxLength": 2000, "description": "regular expression"},
        }
    )
    day: Schema = {"pattern": r"^\d{4}-\d{2}-\d{2}$"}
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
        "settings": _settings(),
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
        "words": _one_or_many({"type": "string"}),
        "dates": {"anyOf": [_one_or_many(day), _object({"from": day, "to": day})]},
        "kind": _object(
            {
                "words": {"$ref": "#/$defs/text"},
                "tone": _field("tone", "label"),
                "when": {"$ref": "#/$defs/when"},
                "answer_expected": {"type": "boolean"},
                "owner": {**_TEXT, "description": "whose matter it is"},
            }
        ),
        "calendar": {
            "type": "object",
            "additionalProperties": False,
            "required": ["hours"],
            "properties": {
                "timezone": {"type": "string"},
                "hours": {
                    "type": "object",
                    "minProperties": 1,
                    "propertyNames": {"pattern": _weekday_pattern()},
                    "additionalProperties": _one_or_many({"type": "string"}),
                },
                "holidays": _one_or_many({"pattern": r"^(\d{4}-)?\d{2}-\d{2}$"}),
            },
        },
        "score": _score(),
        "deadlines": _deadlines(),
        "escalate": _escalate(),
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


def _score() -> Schema:
    steps = _one_or_many(_object({**{bound: {"type": "number"} for bound in BOUNDS}, "points": _POINTS}))
    extra = _object({"name": _TEXT, "when": {"$ref": "#/$defs/when"}, "points": _POINTS})
    made = _object(
        {
            "start": {**_POINTS, "description": "to begin with"},
            "strength": {**_POINTS, "description": "times how negative the tone is, 0 to 1"},
            **{name: _nullable(_points(allowed)) for name, allowed in TALLIES.items()},
            **{name: {"anyOf": [steps, {"type": "null"}]} for name in STEPPED},
            "also": {"type": "array", "items": {**extra, "required": ["name", "when", "points"]}},
            "thresholds": _object(dict.fromkeys(THRESHOLDS, _POINTS)),
        }
    )
    return {**made, "description": "how much a mention matters; every summand stands in the trace"}


def _deadlines() -> Schema:
    one = _object(
        {
            "name": _TEXT,
            "when": {"$ref": "#/$defs/when"},
            **dict.fromkeys(STEPS, _SPAN),
            "calendar": {**_TEXT, "description": "whose hours count; every hour if absent"},
            "none": {"type": "boolean", "description": "true: no deadline"},
            "remind_before": {**_SPAN, "description": "how long before this target; what holds for all if absent"},
            "escalate": {"$ref": "#/$defs/escalate"},
        }
    )
    field = {"anyOf": [_TEXT, {**_object({"name": _TEXT, "as": {"enum": list(FORMS)}}), "required": ["name"]}]}
    return {
        "type": ["object", "null"],
        "additionalProperties": False,
        "description": "when the first answer is due, counted from when the mention was posted",
        "properties": {
            "first_reply": {"type": "array", "minItems": 1, "items": {**one, "required": ["name"]}},
            "tags": {"type": "boolean", "description": "true: a tag such as answer_within_8h"},
            "fields": _object(dict.fromkeys(STEPS, field)),
            "remind_before": {**_SPAN, "description": "how long before the target a note reminds of it"},
            "escalate": {"$ref": "#/$defs/escalate"},
        },
    }


def _escalate() -> Schema:
    one = _object(
        {
            "note": {**_TEXT, "description": "what the note on the ticket says besides"},
            **{name: {"$ref": f"#/$defs/settings/properties/{name}"} for name in ESCALATED},
        }
    )
    what = "what happens when a step passes without an answer"
    return {
        "type": "object",
        "additionalProperties": False,
        "description": what,
        "properties": dict.fromkeys(STEPS, one),
    }


def _settings() -> Schema:
    return {
        "type": "object",
        "minProperties": 1,
        "additionalProperties": False,
        "properties": {
            "priority": {"enum": list(PRIORITIES)},
            "score": {**_POINTS, "description": "points to add; below zero to take away"},
            "problem": {**_TEXT, "description": "number of the problem ticket this is an incident of"},
            "type": {"anyOf": [{"enum": list(TYPES)}, _TEXT], "description": "or a type of the account's own"},
            "status": {"anyOf": [{"enum": list(STATUSES)}, _TEXT], "description": "or one of the account's own"},
            **{name: {**_TEXT, "description": f"name or id of a {name}"} for name in ("group", "brand", "form")},
            "tags": {**_one_or_many(_TEXT), "description": "added"},
            "untag": {**_one_or_many(_TEXT), "description": "removed"},
            "fields": {
                "type": "object",
                "description": "ticket fields by title or id; a choice takes its tag",
                "additionalProperties": {"anyOf": [_SCALAR, {"type": "array", "items": _TEXT}]},
            },
        },
    }


def _storm() -> Schema:
    settings = _settings()["properties"]
    made = _object(
        {
            "by": {"enum": list(TOPICS), "description": "what makes one topic; feedback if absent"},
            "rules": {**_one_or_many(_TEXT), "description": "with by: rule, those that stand for a topic each"},
            "per_source": {"type": "boolean", "description": "true: count each source for itself"},
            "authors": {"type": "integer", "minimum": 2, "description": "so many different people unhappy about it"},
            "within": {**_SPAN, "description": "within that time; 30min if absent"},
            "times": {"type": "number", "minimum": 1, "description": "times the usual of that time of day"},
            "days": {"type": "integer", "minimum": 1, "maximum": MOST_DAYS, "description": "compared with so many"},
            "calm": {**_SPAN, "description": "over when fewer are unhappy within that time; 1h if absent"},
            "keep_apart": {"$ref": "#/$defs/when", "description": "gets tickets of its own, come what may"},
            "set": {**_object({key: settings[key] for key in SET_KEYS}), "description": "the problem ticket"},
            "tags": {**_one_or_many(_TEXT), "description": "of each ticket that belongs to it; storm if absent"},
            "tickets_per_hour": {"type": "integer", "minimum": 1, "description": "what is beyond goes into a digest"},
        }
    )
    return {**_nullable(made), "description": "many people unhappy about one thing at once"}


def _automatic() -> Schema:
    made = _object(
        {
            "kinds": {**_one_or_many(_TEXT), "description": "of feedback, whose drafts are sent without an agent"},
            "confidence": {
                "type": "number",
                "minimum": 0.5,
                "maximum": 1,
                "description": "of the tone; 0.8 if absent",
            },
            "per_hour": {"type": "integer", "minimum": 1, "maximum": 10000, "description": "20 if absent"},
            "dry_run": {"type": "boolean", "description": "false: really; true, and if absent: a note says what"},
        }
    )
    return {
        **_nullable({**made, "required": ["kinds"]}),
        "description": "answers without an agent, never to a negative",
    }


def _private() -> Schema:
    texts: Schema = {"type": "object", "minProperties": 1, "additionalProperties": _TEMPLATE}
    line = {"anyOf": [_TEMPLATE, texts], "description": "what stands in public, for all languages or for each"}
    made = _object({"line": line, "remind_after": {**_SPAN, "description": "24h if absent"}})
    return {**_nullable(made), "description": "where an agent asks the person to write privately"}


def _points(allowed: tuple[str, ...] | None) -> Schema:
    if allowed is None:
        return {"type": "object", "additionalProperties": _POINTS}
    return _object(dict.fromkeys(allowed, _POINTS))


def _nullable(schema: Schema) -> Schema:
    return {**schema, "type": [schema["type"], "null"], "minProperties": 0}


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
