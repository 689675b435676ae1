"""Triage: what becomes of a mention. Pure and offline: no network, no store, no clock, no threads.

load(directory)          the policy in a directory of YAML, or ConfigError with every mistake in it
Policy.decide(mention, past)   the Decision, with a trace that says which rule set what, where and why
Policy.lint(vocabulary)  what the mapping names and the helpdesk does not have
run_tests(directory, p)  the admin's own tests, `tests/*.yaml` beside the mapping
card(mention, decision)  the context card an agent sees first
tone(mention)            tone and language, as the shipped model reads them
mapping_schema()         the JSON Schema for editors
"""

from connector.triage.card import because_line, card
from connector.triage.cases import CaseResult, run_tests
from connector.triage.load import load
from connector.triage.policy import Outcome, Policy
from connector.triage.schema import mapping_schema
from connector.triage.tone import ToneDetector, tone

__all__ = [
    "CaseResult",
    "Outcome",
    "Policy",
    "ToneDetector",
    "because_line",
    "card",
    "load",
    "mapping_schema",
    "run_tests",
    "tone",
]
