"""silence add, list, end: what people see of it, and what they may not ask for."""

from __future__ import annotations

import pytest
from cli_builders import Folder

MAPPING = "feedback: {complaint.delivery: {words: [parcel], owner: a}}\n"


@pytest.fixture
def ready(here: Folder) -> Folder:
    """With a journal and a kind of feedback."""
    here.mapping(MAPPING, "20.yaml")
    here.migrated()
    return here


def test_a_silence_is_begun_shown_and_ended(ready: Folder) -> None:
    begun = ready.run("silence", "add", "--topic", "complaint", "--for", "1h 30min", "--why", "strike")
    (listed,) = ready.json("silence", "list")
    status = ready.run("status")
    ended = ready.run("silence", "end", "1")

    assert begun.stdout.startswith("silence 1: no new tickets of complaint until ")
    assert "connector silence end 1" in begun.stderr
    assert (listed["topic"], listed["source"], listed["why"], listed["kept"]) == ("complaint", "", "strike", 0)
    assert round(listed["until"] - listed["made_at"]) == 5400
    assert "silence   1: complaint until" in status.stdout
    assert (ended.exit_code, ended.stdout) == (0, "silence 1 is over\n")
    assert ready.json("silence", "list") == []
    assert len(ready.json("silence", "list", "--all")) == 1


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--for", "2h"], "say what to silence: --topic, --source or both"),
        (["--topic", "complaint", "--for", "soon"], '"soon": write it as in 2h, 45min or 1d 12h, at most 30d'),
        (["--topic", "complaint", "--for", "31d"], "at most 30d"),
        (["--topic", "complaints", "--for", "2h"], 'did you mean "complaint"?'),
        (["--source", "fed", "--for", "2h"], 'did you mean "feed"?'),
    ],
)
def test_what_cannot_be_silenced_is_told_with_the_way_out(ready: Folder, words: list[str], told: str) -> None:
    done = ready.run("silence", "add", *words)

    assert done.exit_code == 2
    assert told in " ".join(done.stderr.split())


def test_a_silence_that_is_over_or_unknown_cannot_be_ended(ready: Folder) -> None:
    ready.run("silence", "add", "--source", "feed", "--for", "2h")
    ready.run("silence", "end", "1")

    assert ready.run("silence", "end", "1").stderr == "silence 1 is over already\n"
    assert ready.run("silence", "end", "9").exit_code == 1
    assert ready.run("silence", "list").stderr == "none\n"
