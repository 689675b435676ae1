"""Whatever the section storm says, whatever is silenced and in whatever order people come: everybody's words stand
at the helpdesk in the end, the ledger is even, and a private message stands on its own ticket and nowhere else."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

from flow_builders import NOON as DAY
from flow_builders import said
from hypothesis import given, settings
from hypothesis import strategies as st
from weather_builders import House

from connector.markup import to_text
from connector.model import Author, Mention, Tone
from connector.store import Store, journal, silences
from connector.triage import load

FEEDBACK = {
    "complaint.delivery": {"words": ["parcel"], "owner": "a"},
    "complaint": {"tone": ["negative", "very_negative"], "owner": "a"},
    "greeting": {"words": ["hello"], "owner": "a"},
}
DRAFT = "How do you do"
automatic = st.fixed_dictionaries(
    {"kinds": st.sampled_from([["greeting"], ["greeting", "complaint.delivery"]])},
    optional={"dry_run": st.booleans(), "per_hour": st.integers(1, 3), "confidence": st.sampled_from([0.5, 0.9])},
)

sections = st.fixed_dictionaries(
    {"authors": st.integers(2, 4)},
    optional={
        "per_source": st.booleans(),
        "times": st.integers(1, 3),
        "keep_apart": st.sampled_from([{"author.handle": "p1"}, {"text": ["parcel"]}, {"tone": "very_negative"}]),
        "tickets_per_hour": st.integers(1, 6),
        "calm": st.just("2h"),
        "tags": st.just(["storm", "crisis"]),
    },
)
people = st.fixed_dictionaries(
    {
        "who": st.integers(1, 6),
        "thread": st.integers(1, 8),
        "tone": st.sampled_from(["negative", "very_negative", "neutral"]),
        "text": st.sampled_from(["parcel", "hello"]),
        "private": st.booleans(),
    }
)
silenced = st.one_of(st.none(), st.sampled_from(["complaint", "complaint.delivery", "other"]))
steps = st.lists(st.tuples(st.lists(people, min_size=1, max_size=8), silenced, st.booleans()), min_size=1, max_size=4)


def mention_of(number: int, facts: dict[str, Any]) -> Mention:
    who = facts["who"]
    thread = f"dm{number}" if facts["private"] else f"t{facts['thread']}"
    return said(
        number,
        f"{facts['text']} word{number}end",
        author=Author(f"u{who}", f"P {who}", f"p{who}"),
        thread_id=thread,
        tone=Tone(facts["tone"], -0.5, 0.9),
        private=facts["private"],
        created_at=DAY,
    )


@given(st.one_of(st.none(), sections), st.one_of(st.none(), automatic), steps, st.booleans())
@settings(deadline=None, max_examples=40)
def test_everybodys_words_reach_the_helpdesk(
    section: dict[str, Any] | None,
    answers: dict[str, Any] | None,
    days: list[tuple[list[dict[str, Any]], str | None, bool]],
    problems: bool,
) -> None:
    with tempfile.TemporaryDirectory() as directory:
        drafts = {"complaint": "sorry", "greeting": DRAFT}
        mapping = {
            "feedback": FEEDBACK,
            "templates": {"answers": drafts},
            **({"automatic": answers} if answers else {}),
        }
        Path(directory, "m.yaml").write_text(json.dumps(mapping | ({"storm": section} if section else {})))
        store = Store(f"sqlite:///{directory}/c.db")
        store.migrate()
        try:
            house = House(store, load(Path(directory)), problems=problems)
            everything = _lived(house, days)
            _nobody_is_lost(house, everything)
            _only_the_content_are_answered(house, really=answers is not None and answers.get("dry_run") is False)
        finally:
            store.close()


def _lived(house: House, days: list[tuple[list[dict[str, Any]], str | None, bool]]) -> list[Mention]:
    said_so_far: list[Mention] = []
    for speakers, topic, tended in days:
        if topic is not None:
            house.turn(lambda tx, t=topic: silences.silence(tx, topic=t, source="", seconds=600, why=""))
        fresh = [mention_of(len(said_so_far) + n, facts) for n, facts in enumerate(speakers, 1)]
        said_so_far += fresh
        house.say(*fresh)
        if tended:
            house.tend()
    house.tend(3 * 3600)
    house.tend(3 * 3600)
    return said_so_far


def _nobody_is_lost(house: House, everything: list[Mention]) -> None:
    assert house.bugs == []
    assert house.memory.breaches == []
    written = house.written()
    with house.store.read() as tx:
        ledger = journal.balance(tx)
    assert ledger.even
    assert (ledger.held, ledger.failed, ledger.pending, sum(ledger.ignored.values())) == (0, 0, 0, 0)
    for mention in everything:
        word = mention.text.split()[1]
        assert word in written
        if mention.private:
            holders = [one for one in house.tickets if one.draft and word in one.draft.html]
            assert len(holders) == 1
            others = [one for one in house.tickets if one is not holders[0]]
            assert not any(word in to_text(draft.html) for one in others for _, _, draft in one.comments)


def _only_the_content_are_answered(house: House, *, really: bool) -> None:
    assert really or house.source.posts == []
    for post in house.source.posts:
        answered = post.draft.mention
        assert post.draft.text in (DRAFT, "sorry")
        assert answered.tone is not None
        assert answered.tone.label == "neutral"
        assert not answered.private
