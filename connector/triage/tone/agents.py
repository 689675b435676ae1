"""What agents make of the tone: how often they left what we read, where they changed it, and what that suggests.

A ticket's tone field that holds another tone than the one we decided is a correction, and its text with the agent's
tone is a label to learn from. A word that stands in several corrected texts of one kind and in no text of another is
proposed as the mapping's own (`tone: words:`). Proposals are counted, not understood: somebody has to read them.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from connector.model import TONES, ToneLabel
from connector.triage.facts import Said
from connector.triage.feedback import NEGATIVE
from connector.triage.tone.weights import CLASSES

_SHORTEST = 4
_MOST_PROPOSED = 20


@dataclass(frozen=True, slots=True)
class Judged:
    """One text: what we read and what the agent's field says. `settled`: the ticket is solved, so that a tone left as
    it was was seen by somebody."""

    text: str
    ours: ToneLabel
    theirs: ToneLabel
    language: str = ""
    source: str = ""
    settled: bool = False

    @property
    def changed(self) -> bool:
        """Whether the agent says something else."""
        return self.ours != self.theirs


@dataclass(frozen=True, slots=True)
class Proposal:
    """A word that agents' corrections suggest for one class: in so many corrected texts, and in none of another."""

    word: str
    label: str
    texts: int


@dataclass(frozen=True, slots=True)
class Report:
    """`groups` counts texts and those left as we read them, by source and language; `changes` what became what."""

    texts: int
    left: int
    groups: Mapping[tuple[str, str], tuple[int, int]] = field(default_factory=dict)
    changes: Mapping[tuple[str, str], int] = field(default_factory=dict)
    proposals: tuple[Proposal, ...] = ()

    @property
    def agreement(self) -> float:
        """The share left as we read it."""
        return self.left / max(1, self.texts)


def tone_in(value: str) -> ToneLabel | None:
    """The tone that a field's value names, as a word of ours or with something around it (tone_negative, Very
    Negative); None where it names none."""
    plain = "_".join(Said(value).words).replace("__", "_")
    by_length = sorted(TONES, key=lambda label: -len(label))  # very_negative has negative in it
    return next((label for label in by_length if f"_{label}_" in f"_{plain}_"), None)


def class_of(label: ToneLabel) -> str:
    """The class a tone belongs to; empty for unknown."""
    if label in NEGATIVE:
        return CLASSES[0]
    return "" if label == "unknown" else CLASSES[1] if label == "neutral" else CLASSES[2]


def report(judged: Sequence[Judged], least: int = 3) -> Report:
    """The whole of it. A word is proposed when it stands in at least so many corrected texts."""
    groups: defaultdict[tuple[str, str], list[int]] = defaultdict(lambda: [0, 0])
    for one in judged:
        group = groups[one.source, one.language or "unknown"]
        group[0] += 1
        group[1] += not one.changed
    changes = Counter((one.ours, one.theirs) for one in judged if one.changed)
    return Report(
        texts=len(judged),
        left=sum(not one.changed for one in judged),
        groups={name: (texts, left) for name, (texts, left) in sorted(groups.items())},
        changes=dict(changes.most_common()),
        proposals=tuple(_proposals(judged, least)),
    )


def _proposals(judged: Iterable[Judged], least: int) -> list[Proposal]:
    stands: defaultdict[str, set[str]] = defaultdict(set)
    corrected: Counter[tuple[str, str]] = Counter()
    for one in judged:
        label = class_of(one.theirs)
        words = {word for word in Said(one.text).words if len(word) >= _SHORTEST and not word.isdigit()}
        for word in words if label else ():
            stands[word].add(label)
            if class_of(one.ours) != label:
                corrected[word, label] += 1
    found = [
        Proposal(word, label, count)
        for (word, label), count in corrected.items()
        if count >= least and stands[word] == {label}
    ]
    return sorted(found, key=lambda one: (-one.texts, one.word))[:_MOST_PROPOSED]


def learnable(judged: Iterable[Judged]) -> list[Judged]:
    """What a model may learn from: what an agent changed, and what was left on a ticket that somebody solved."""
    return [one for one in judged if class_of(one.theirs) and (one.changed or one.settled)]


def write_labelled(judged: Iterable[Judged], path: Path) -> None:
    """Write texts with what agents say of them, as `read_labelled` reads it. OSError when the file cannot be."""
    with path.open("w", encoding="utf-8", newline="") as file:
        file.write("text\tlabel\tlang\tsource\n")
        for one in judged:
            text = " ".join(one.text.split()).replace("\\", "\\\\")
            file.write(f"{text}\t{class_of(one.theirs)}\t{one.language}\t{one.source}\n")
