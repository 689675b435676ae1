"""A reply in pieces: each fits, nothing is lost, and the cuts are where a reader would make them."""

from __future__ import annotations

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from connector.flow.split import split


def utf16(text: str) -> int:
    """As some platforms count: an emoji is two."""
    return len(text.encode("utf-16-le")) // 2


def utf8(text: str) -> int:
    """As others count."""
    return len(text.encode())


def linked(text: str) -> int:
    """As Mastodon counts: every address is 23."""
    return len(re.sub(r"https?://\S+", "x" * 23, text))


MEASURES = (len, utf16, utf8)
WORDS = st.text(st.characters(categories=("L", "N", "P", "So")), min_size=1, max_size=12)
GAPS = st.sampled_from([" ", "  ", "\n", "\n\n", ". ", "! ", " \n \n", "\t"])


@st.composite
def prose(draw: st.DrawFn) -> str:
    """Words with all kinds of gaps."""
    return "".join(draw(st.lists(st.tuples(WORDS, GAPS).map("".join), min_size=1, max_size=40)))


def unnumbered(pieces: list[str]) -> list[str]:
    """The pieces without their numbers, which are as they should be."""
    if len(pieces) < 2:
        return pieces
    bare = []
    for n, piece in enumerate(pieces, 1):
        number = f" ({n}/{len(pieces)})"
        assert piece.endswith(number)
        bare.append(piece.removesuffix(number))
    return bare


def squeezed(text: str) -> str:
    """Without its white space."""
    return "".join(text.split())


@given(text=prose(), measure=st.sampled_from(MEASURES), longest=st.integers(1, 120), most=st.integers(1, 12))
@example(text="a" * 50, measure=len, longest=16, most=9)
@example(text="é" * 50, measure=utf8, longest=9, most=12)
def test_pieces_fit_are_few_enough_are_numbered_and_lose_nothing_but_white_space(
    text: str, measure: object, longest: int, most: int
) -> None:
    assert callable(measure)
    pieces = split(text, measure, longest, most)
    assert len(pieces) <= most
    assert all(measure(piece) <= longest for piece in pieces)
    if pieces:
        bare = unnumbered(pieces)
        assert all(piece.strip() == piece and piece for piece in bare)
        assert squeezed("".join(bare)) == squeezed(text)
    elif text.strip():
        assert measure(text.strip()) > longest, "what fits whole is never refused"


@given(text=prose(), longest=st.integers(30, 120))
def test_no_word_is_cut_where_every_word_has_room(text: str, longest: int) -> None:
    pieces = split(text, len, longest, 99)
    assert pieces
    assert " ".join(unnumbered(pieces)).split() == text.split()


@given(text=prose(), longest=st.integers(12, 120), most=st.integers(1, 9))
def test_more_parts_never_make_a_cut_impossible(text: str, longest: int, most: int) -> None:
    if split(text, len, longest, most):
        assert split(text, len, longest, most + 1)


def test_what_fits_stays_whole_and_unnumbered() -> None:
    assert split("  short \n", len, 5, 3) == ["short"]
    assert split("as long as you like", len, None, 1) == ["as long as you like"]


@pytest.mark.parametrize("text", ["", "  \n "])
def test_nothing_gives_nothing(text: str) -> None:
    assert split(text, len, 10, 3) == []
    assert split(text, len, None, 3) == []


@pytest.mark.parametrize(
    ("longest", "most"),
    [(10, 1), (20, 2), (6, 99), (1, 99), (0, 99)],
    ids=["one post", "two posts", "no room beside the number", "one character", "none"],
)
def test_what_cannot_be_done_is_not_done_by_half(longest: int, most: int) -> None:
    assert split("word " * 12, len, longest, most) == []


def test_paragraphs_are_kept_together_before_lines_and_lines_before_sentences() -> None:
    paragraphs = "First paragraph. It has two sentences.\n\nSecond paragraph."
    assert split(paragraphs, len, 50, 2) == [
        "First paragraph. It has two sentences. (1/2)",
        "Second paragraph. (2/2)",
    ]
    lines = "First line. More of it.\nSecond line. And more."
    assert split(lines, len, 40, 2) == ["First line. More of it. (1/2)", "Second line. And more. (2/2)"]
    sentences = "One sentence of words. Another sentence of words."
    assert split(sentences, len, 40, 2) == ["One sentence of words. (1/2)", "Another sentence of words. (2/2)"]


def test_a_good_place_that_leaves_a_post_half_empty_is_no_good_place() -> None:
    text = "Yes.\n\nThis is a long paragraph without any stop that has to go on for a while"
    first = split(text, len, 60, 3)[0]
    assert first.startswith("Yes.\n\nThis is a long paragraph")


def test_a_word_that_is_too_long_alone_is_cut() -> None:
    assert split("x" * 20, len, 16, 2) == ["x" * 10 + " (1/2)", "x" * 10 + " (2/2)"]


def test_the_platform_counts_not_we() -> None:
    faces = "🙂" * 12
    assert split(faces, len, 12, 3) == [faces]
    pieces = split(faces, utf16, 20, 3)
    assert [utf16(piece) for piece in pieces] == [20, 16]
    address = "https://example.com/" + "a" * 100
    assert split(f"See {address}", linked, 30, 1) == [f"See {address}"]


def test_the_room_for_the_numbers_is_counted_in() -> None:
    pieces = split("abc " * 40, len, 20, 99)
    assert len(pieces) > 9
    assert pieces[-1].endswith(f"({len(pieces)}/{len(pieces)})")
    assert max(map(len, pieces)) <= 20


def test_a_post_is_filled_to_its_last_character() -> None:
    assert split("abc de fgh ij", len, 12, 2) == ["abc de (1/2)", "fgh ij (2/2)"]
