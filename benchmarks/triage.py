"""How long triage takes for one mention: CPU time, without and with the judging of the tone.

    python benchmarks/triage.py [--mappings DIR] [--rounds 5]

The mentions are those of the demo, decided by the shipped mapping over and over. "Without tone" hands each mention
its tone, as a listening tool would, so that nothing but kinds of feedback, score, rules, tables, deadlines, templates
and the trace is measured. Prints one JSON line: microseconds of CPU a mention, the best round of several.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import time
from collections.abc import Sequence
from pathlib import Path

from connector.model import Mention
from connector.sources.manual import mentions_from_file
from connector.triage import Policy, load

ROOT = Path(__file__).resolve().parents[1]


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--mappings", type=Path, default=ROOT / "mappings")
    parser.add_argument("--rounds", type=int, default=5)
    chosen = parser.parse_args()
    began = time.process_time()
    policy = load(chosen.mappings)
    loading = time.process_time() - began
    file = ROOT / "connector" / "demo_mentions.jsonl"
    mentions = list(mentions_from_file(file, source="demo", platform="demo", received_at=time.time()))
    toned = [dataclasses.replace(mention, tone=policy.decide(mention).tone) for mention in mentions]
    known = [mention if mention.tone and mention.tone.label != "unknown" else _neutral(mention) for mention in toned]
    told = {
        "mentions": len(mentions),
        "load_ms": round(loading * 1000),
        "without_tone_us": _measured(policy, known, chosen.rounds),
        "with_tone_us": _measured(policy, mentions, chosen.rounds),
    }
    print(json.dumps(told))


def _neutral(mention: Mention) -> Mention:
    """A tone the policy takes as given: one that is unknown would be judged anew."""
    tone = mention.tone
    return dataclasses.replace(mention, tone=dataclasses.replace(tone, label="neutral") if tone else None)


def _measured(policy: Policy, mentions: Sequence[Mention], rounds: int) -> int:
    """Microseconds of CPU a mention, in the best of some rounds of about two thousand decisions."""
    repeats = max(1, 2_000 // len(mentions))
    best = float("inf")
    for _ in range(rounds):
        began = time.process_time()
        for _ in range(repeats):
            for mention in mentions:
                policy.decide(mention)
        best = min(best, (time.process_time() - began) / (repeats * len(mentions)))
    return round(best * 1e6)


if __name__ == "__main__":
    main()
