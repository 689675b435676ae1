"""Between plain text and HTML: what was typed is what is read, links are kept, and nothing runs."""

from __future__ import annotations

import re

import pytest
from bs4 import BeautifulSoup
from hypothesis import given
from hypothesis import strategies as st

from connector.markup import link, shorten, to_html, to_text

LETTERS = st.text(alphabet="abc ДЖ<>&\"'/=;#:.,!\\-_()[]{}\U0001f642", max_size=60)
LINES = st.lists(LETTERS.map(lambda text: " ".join(text.split())).filter(bool), min_size=1, max_size=5)


@given(LINES)
def test_a_text_comes_back_as_it_was(lines: list[str]) -> None:
    text = "\n".join(lines)

    assert to_text(to_html(text)) == text


@given(LINES)
def test_paragraphs_come_back_as_they_were(paragraphs: list[str]) -> None:
    text = "\n\n".join(paragraphs)

    assert to_text(to_html(text)) == text


@given(st.text(max_size=80))
def test_whatever_is_typed_makes_only_our_tags(text: str) -> None:
    soup = BeautifulSoup(to_html(text), "html.parser")

    assert {tag.name for tag in soup.find_all()} <= {"p", "br", "a"}
    for tag in soup.find_all("a"):
        assert re.match(r"https?://", str(tag["href"]), re.IGNORECASE)
        assert set(tag.attrs) == {"href", "rel"}


@given(st.text(max_size=80))
def test_whatever_comes_as_html_is_a_text(html: str) -> None:
    shown = to_text(html)

    assert shown == shown.strip()
    assert "\n\n\n" not in shown


def test_an_address_is_made_a_link_without_the_full_stop_after_it() -> None:
    assert to_html("See https://x.example/a?b=1&c=2.") == (
        '<p>See <a href="https://x.example/a?b=1&amp;c=2" rel="noopener noreferrer nofollow">'
        "https://x.example/a?b=1&amp;c=2</a>.</p>"
    )
    assert to_text(to_html("See https://x.example/a?b=1&c=2.")) == "See https://x.example/a?b=1&c=2."


@pytest.mark.parametrize("url", ["javascript:alert(1)", "data:text/html,x", "JaVaScRiPt:x", "//x.example", "", "x"])
def test_what_is_no_web_address_is_no_link(url: str) -> None:
    assert "<a" not in link(url, "click")


def test_an_address_cannot_break_out_of_its_link() -> None:
    soup = BeautifulSoup(link('https://x.example/"onclick="alert(1)', "<b>"), "html.parser")

    assert [tag.name for tag in soup.find_all()] == ["a"]
    assert set(soup.a.attrs if soup.a else {}) == {"href", "rel"}


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("<p>One</p><p>Two</p>", "One\n\nTwo"),
        ("<div>One<br>Two</div><div>Three</div>", "One\nTwo\n\nThree"),
        ("One&nbsp;&amp; &lt;two&gt;", "One & <two>"),
        ("<ul><li>a</li><li>b</li></ul>", "• a\n• b"),
        ('<a href="https://x.example/a">here</a>', "here (https://x.example/a)"),
        ('<a href="https://x.example/">https://x.example</a>', "https://x.example"),
        ('<a href="https://x.example/a">x.example/a</a>', "x.example/a"),
        ('<a href="https://x.example/a"></a>', "https://x.example/a"),
        ('<a href="mailto:help@x.example">help@x.example</a>', "help@x.example"),
        ('<a href="mailto:help@x.example">write</a>', "write (help@x.example)"),
        ('<a href="tel:+7999">call</a>', "call (+7999)"),
        ('<a href="javascript:alert(1)">click</a>', "click"),
        ("<a>plain</a>", "plain"),
        ('<img src="x.png" alt="a kettle">', "a kettle"),
        ('<img src="x.png">', ""),
        ("<script>alert(1)</script>a<style>b{}</style><!-- c --><template>d</template>", "a"),
        ("<head><title>t</title></head>a", "a"),
        ("<pre>a\n  b</pre>", "a\n  b"),
        ("<table><tr><td>a</td><td>b</td></tr><tr><td>c</td></tr></table>", "a b\n\nc"),
        ("<blockquote>said</blockquote>answered", "said\nanswered"),
        ("a\x00\x08b", "ab"),
        ("<b>not <i>closed", "not closed"),
        ("", ""),
        ("   \n\t ", ""),
    ],
)
def test_an_agents_html_is_read_as_people_would(html: str, text: str) -> None:
    assert to_text(html) == text


def test_deep_nesting_is_no_bug() -> None:
    assert to_text("<div>" * 5_000 + "deep" + "</div>" * 5_000) == "deep"
    assert to_text("<b>" * 3_000 + "bold").strip() == "bold"


@given(st.text(max_size=60), st.integers(min_value=4, max_value=40))
def test_a_line_is_never_longer_than_asked(text: str, length: int) -> None:
    line = shorten(text, length)

    assert len(line) <= length
    assert "\n" not in line
    if len(" ".join(text.split())) <= length:
        assert line == " ".join(text.split())
    else:
        assert line.endswith("…")


def test_a_line_is_cut_at_a_word() -> None:
    assert shorten("one two  three\nfour", 14) == "one two three…"
    assert shorten("a" * 20, 10) == "a" * 9 + "…"
