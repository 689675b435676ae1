"""What people wrote, made fit for a helpdesk: nothing too long, no placeholder left alive."""

from __future__ import annotations

import re

import pytest
from bs4 import BeautifulSoup
from hypothesis import given, settings
from hypothesis import strategies as st

from connector.helpdesks import content

LINK = '<a href="https://social.example/1">open</a>'


@pytest.mark.parametrize(
    "text",
    [
        "{{ticket.id}}",
        "{%if x%}",
        "{{{{x}}}}",
        "&#123;&#123;x&#125;}",
        "&lbrace;{x",
        "&#x7B;%x%&#x7d;",
        "{&#37;x&percnt;}",
    ],
)
def test_no_placeholder_is_left_alive(text: str) -> None:
    shown = BeautifulSoup(content.defused(text), "html.parser").get_text()
    assert not [live for live in ("{{", "{%", "}}", "%}") if live in shown]
    assert shown.replace("\u2060", "") == BeautifulSoup(text, "html.parser").get_text()


@pytest.mark.parametrize("text", ["", "plain", "{one} 100% }", "&#1234; &amp;#123; &#x7bc;", "a & b"])
def test_text_without_placeholders_stays_as_it_is(text: str) -> None:
    assert content.defused(text) == text


def test_what_fits_is_not_touched() -> None:
    assert content.comment_html("<p>short</p>", (), "Deskly", 400) == "<p>short</p>"
    just = "я" * 200
    assert content.fitting(just, "Deskly", 400) == just


PARTS = st.sampled_from(["слово ", "&amp;", "😀", "<br>", LINK, "x" * 50])
WHOLE = st.recursive(
    PARTS,
    lambda parts: st.builds(
        lambda tag, inner: f'<{tag} dir="auto">{"".join(inner)}</{tag}>',
        st.sampled_from(["b", "p", "div"]),
        st.lists(parts, max_size=6),
    ),
    max_leaves=60,
)


@settings(deadline=None)
@given(pieces=st.lists(WHOLE, max_size=20), limit=st.integers(400, 900))
def test_what_is_cut_fits_and_is_still_whole_html(pieces: list[str], limit: int) -> None:
    html = "".join(pieces)
    cut = content.fitting(html, "Deskly", limit)
    assert len(cut.encode()) <= limit
    assert is_whole(cut)
    if len(html.encode()) > limit:
        assert "cut here" in cut
        assert (LINK in cut) == (LINK in html)
    else:
        assert cut == html


@settings(deadline=None)
@given(text=st.text(alphabet='<>&;ab /{}"=!-ё', max_size=900))
def test_whatever_is_cut_fits(text: str) -> None:
    assert len(content.fitting(text, "Deskly", 400).encode()) <= 400


def is_whole(html: str) -> bool:
    """Whether every element is closed where it should be."""
    open_tags: list[str] = []
    for slash, name in re.findall(r"<(/?)(\w+)", html):
        if slash:
            if not open_tags or open_tags.pop() != name:
                return False
        elif name != "br":
            open_tags.append(name)
    return not open_tags


def test_the_cut_closes_what_it_opened_and_keeps_the_last_link() -> None:
    html = f"<blockquote><p>{'long text ' * 200}</p></blockquote><p>{LINK}</p>"
    cut = content.fitting(html, "Deskly", 600)
    assert cut.startswith("<blockquote><p>long text")
    assert "</p></blockquote><p>… cut here" in cut
    assert cut.endswith(f"{LINK}</p>")
    assert len(cut.encode()) <= 600
