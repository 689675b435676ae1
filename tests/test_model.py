"""The words of the house: frozen, and the same after being stored."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connector import model
from connector.model import Attachment, Author, Mention, Parent, Settings, Tone, decode, encode, key_of, utc

WORDS = [kind for kind in vars(model).values() if isinstance(kind, type) and dataclasses.is_dataclass(kind)]
STORED = [kind for kind in WORDS if kind is not model.Page]

text = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
times = st.integers(0, 4_000_000_000_000).map(lambda milliseconds: utc(milliseconds / 1_000))
scalars = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | text
counts = st.dictionaries(text, st.integers(0, 2**53), max_size=3)
fractions = st.floats(-1, 1)

st.register_type_strategy(datetime, times)
st.register_type_strategy(str, text)
st.register_type_strategy(float, fractions)
st.register_type_strategy(int, st.integers(-(2**53), 2**53))
mentions = st.builds(Mention, engagement=counts, created_at=times)
fields = st.dictionaries(text, scalars | st.lists(text, max_size=2), max_size=3)
chosen = st.builds(Settings, fields=fields)
because = st.builds(model.Because, value=scalars | st.lists(text, max_size=2))
MADE: dict[type, st.SearchStrategy[Any]] = {
    Mention: mentions,
    Settings: chosen,
    model.Because: because,
    model.Decision: st.builds(model.Decision, settings=chosen, because=st.lists(because, max_size=2).map(tuple)),
    model.TicketDraft: st.builds(model.TicketDraft, settings=chosen),
    model.Bulletin: st.builds(model.Bulletin, ticket=st.builds(model.TicketDraft, settings=chosen)),
    model.CommentDraft: st.builds(model.CommentDraft, settings=chosen),
    model.ReplyDraft: st.builds(model.ReplyDraft, mention=mentions),
}


@pytest.mark.parametrize("kind", STORED)
def test_it_is_the_same_after_being_stored(kind: type) -> None:
    @settings(max_examples=25, deadline=None)
    @given(MADE.get(kind, st.builds(kind)))
    def stored(value: Any) -> None:
        again = decode(kind, encode(value))

        assert again == value
        assert encode(again) == encode(value)

    stored()


@pytest.mark.parametrize("kind", WORDS)
def test_it_cannot_be_changed(kind: Any) -> None:
    assert kind.__dataclass_params__.frozen
    assert hasattr(kind, "__slots__")


def test_a_mention_written_by_an_older_version_is_read() -> None:
    """What was stored before a field was added lacks it; its default is taken."""
    said = (
        '{"source":"f","platform":"f","external_id":"1","author":{"id":"7"},"text":"x",'
        '"created_at":"2026-01-01T00:00:00Z"}'
    )
    read = decode(Mention, said)

    assert read == Mention("f", "f", "1", Author("7"), "x", datetime(2026, 1, 1, tzinfo=UTC))
    assert decode(Mention, said[:-1] + ',"added_later":1}') == read


def test_a_whole_mention_is_the_same_after_being_stored() -> None:
    whole = Mention(
        source="feed", platform="forum", external_id="1", author=Author("7", "Анна", "anna", "u", "a", 3, True),
        text="\x00 \u2028 🙂 'x' \"y\"", created_at=datetime(2026, 1, 1, 1, 2, 3, 456789, tzinfo=UTC), kind="review",
        parent=Parent("0", "t", "u", "a"), tone=Tone("negative", -0.5, 0.25, ("не", "плохо"), "lexicon"), rating=2.5,
        engagement={"likes": 3}, attachments=(Attachment("https://x.example/a.png", "image/png", "a", 7),),
        own=True, private=True, deleted=True, ref="{}",
    )  # fmt: skip

    assert decode(Mention, encode(whole)) == whole
    assert "\x00" not in encode(whole)


@pytest.mark.parametrize(
    ("author", "shown"),
    [(Author("7", "Анна", "anna"), "Анна"), (Author("7", handle="anna"), "@anna"), (Author("7"), "7")],
)
def test_an_author_is_shown_by_the_best_name_there_is(author: Author, shown: str) -> None:
    assert author.shown == shown


def test_a_key_is_the_same_for_ever() -> None:
    assert key_of("ticket", "feed", "1") == "bb2fcc4c6d1dc0a8730159fdcdd049462765476e"


@given(st.lists(text, min_size=1, max_size=3), st.lists(text, min_size=1, max_size=3))
def test_other_words_give_another_key(one: list[str], other: list[str]) -> None:
    plain = [word.replace("\x1f", "") for word in one], [word.replace("\x1f", "") for word in other]

    assert (key_of(*plain[0]) == key_of(*plain[1])) == (plain[0] == plain[1])


def test_a_unix_time_is_a_time_in_utc() -> None:
    assert utc(0) == datetime(1970, 1, 1, tzinfo=UTC)
