"""Zendesk's bodies: the same bytes for the same key, nothing too long, no placeholder left alive."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime

import pytest
from bs4 import BeautifulSoup
from hypothesis import given
from hypothesis import strategies as st

from connector.helpdesks.zendesk import drafts
from connector.model import Attachment, Key, TicketId

LINK = '<a href="https://social.example/1">open</a>'


def test_the_key_goes_into_the_metadata_and_changes_nothing_else() -> None:
    text = drafts.dumped({"ticket": {"subject": "Ёж", "comment": {"html_body": "<p>}}</p>"}}})
    sent = json.loads(drafts.with_key(text, Key("abc")))
    assert sent["ticket"].pop("metadata") == {"connector_key": "abc"}
    assert sent == json.loads(text)
    assert drafts.with_key(text, Key("abc")) == drafts.with_key(text, Key("abc"))


def test_a_frozen_update_thaws_to_itself() -> None:
    written = drafts.Written(TicketId("7"), ("a",), ("b", "c"), datetime.now(UTC), '{"ticket":{"x":"\\n"}}', True)
    assert drafts.thaw(drafts.freeze(written)) == written


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
    shown = BeautifulSoup(drafts.defused(text), "html.parser").get_text()
    assert not [live for live in ("{{", "{%", "}}", "%}") if live in shown]
    assert shown.replace("\u2060", "") == BeautifulSoup(text, "html.parser").get_text()


@pytest.mark.parametrize("text", ["", "plain", "{one} 100% }", "&#1234; &amp;#123; &#x7bc;", "a & b"])
def test_text_without_placeholders_stays_as_it_is(text: str) -> None:
    assert drafts.defused(text) == text


def test_what_fits_is_not_touched() -> None:
    assert drafts.comment_html("<p>short</p>", ()) == "<p>short</p>"
    just = "я" * (drafts.LIMIT // 2)
    assert drafts.fitting(just) == just


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


@given(pieces=st.lists(WHOLE, max_size=20), limit=st.integers(400, 900))
def test_what_is_cut_fits_and_is_still_whole_html(pieces: list[str], limit: int) -> None:
    html = "".join(pieces)
    cut = drafts.fitting(html, limit)
    assert len(cut.encode()) <= limit
    assert is_whole(cut)
    if len(html.encode()) > limit:
        assert "cut here" in cut
        assert (LINK in cut) == (LINK in html)
    else:
        assert cut == html


@given(text=st.text(alphabet='<>&;ab /{}"=!-ё', max_size=900))
def test_whatever_is_cut_fits(text: str) -> None:
    assert len(drafts.fitting(text, 400).encode()) <= 400


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
    cut = drafts.fitting(html, 600)
    assert cut.startswith("<blockquote><p>long text")
    assert "</p></blockquote><p>… cut here" in cut
    assert cut.endswith(f"{LINK}</p>")
    assert len(cut.encode()) <= 600


def test_missing_files_are_linked_even_when_the_text_is_cut() -> None:
    missing = [Attachment("https://social.example/a.png?x=1&y=2", name="<a>.png")]
    html = drafts.comment_html("<p>" + "text " * 100_000 + "</p>", missing)
    assert html.endswith(
        'href="https://social.example/a.png?x=1&amp;y=2" rel="noopener noreferrer nofollow">&lt;a&gt;.png</a></p>'
    )
    assert len(html.encode()) <= drafts.LIMIT
    many = drafts.comment_html("<p>x</p>", missing * 50)
    assert "and 30 more" in many


def test_tags_are_written_as_zendesk_keeps_them() -> None:
    assert drafts.tags_of(["Very Bad", "a,b", " x ", "", "very_bad", "ЖАЛОБА"]) == ("very_bad", "a_b", "x", "жалоба")
