"""The context card: every question answered, nothing people typed can act, only web addresses are links."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from bs4 import BeautifulSoup
from hypothesis import given
from hypothesis import strategies as st
from triage_builders import NOON, policy_of, said

from connector.markup import to_text
from connector.model import Attachment, Author, Because, Decision, Mention, Parent, Past, Settings, TicketId, Tone
from connector.triage import card, load

SHIPPED = load(Path(__file__).parents[2] / "mappings")
KEPT = {"p", "strong", "ul", "li", "blockquote", "a", "br"}
FULL = said(
    "Третий день без связи, это позор",
    author_url="https://bsky.app/profile/anna",
    author_followers=120000,
    author_verified=True,
    url="https://bsky.app/post/1",
    parent=Parent("0", "Мы починили связь", "https://bsky.app/post/0", "Acme"),
    engagement={"likes": 12, "reposts": 3},
    rating=2,
    attachments=(Attachment("https://example.com/a.jpg"),),
)


def shown(mention: Mention, answers_as: str = "@acme_help", limits: str = "at most 300 characters") -> str:
    return " ".join(to_text(card(mention, SHIPPED.decide(mention), answers_as=answers_as, limits=limits)).split())


def test_all_seven_questions_are_answered() -> None:
    text = shown(FULL)

    for question in ("Who:", "What:", "When:", "Where:", "Why:", "How:", "How far:"):
        assert question in text
    assert "Anna (@anna) (https://bsky.app/profile/anna) · 120 000 followers · verified" in text
    assert "«Третий день без связи, это позор» · 1 attachment" in text
    assert "Tone: negative, from the rating («2 of 5») · language: ru" in text
    assert "Wed 04 Mar 2026, 12:00 UTC" in text
    assert "In answer to Acme (https://bsky.app/post/0):" in text
    assert "Мы починили связь" in text
    assert "priority urgent: the score 110 is at least 80 (mappings/30-score.yaml:" in text
    assert "top blogger (mappings/20-rules.yaml:" in text
    assert "author.followers 120000 is ≥ 10000" in text
    assert "Feedback: complaint · owner: customer managers" in text
    assert "Answer by 14:00 · late from 16:00 · never after" in text
    assert "A draft to make your own: Здравствуйте, Anna! Нам очень жаль" in text
    assert f"mapping {SHIPPED.version}" in text
    assert "a public comment here is posted publicly as @acme_help (at most 300 characters)" in text
    assert "12 likes · 3 reposts · rating ★★☆☆☆ (2 of 5)" in text


def test_public_and_private_are_told_in_words() -> None:
    assert shown(FULL).startswith("🌐 PUBLIC · Bluesky · post — everyone can read it")
    private = shown(said("hello", private=True, kind="dm"))
    assert private.startswith("🔒 PRIVATE · Bluesky · dm — only the author and we can read it.")
    assert "posted privately as" in private


def test_what_cannot_be_answered_from_here_says_so_with_the_link() -> None:
    text = shown(FULL, answers_as="", limits="this feed takes no answers")

    assert "it cannot be answered from here: use the link (https://bsky.app/post/1) and answer there" in text
    assert "this feed takes no answers" in text
    assert "answer it where it was said" in shown(said("x", url=""), answers_as="", limits="")


def test_that_it_is_answered_by_hand_stands_in_the_first_line() -> None:
    first = shown(FULL, answers_as="", limits="").partition("Who:")[0]

    assert "everyone can read it." in first
    assert "Answer it by hand, not here." in first
    assert "will read the answer" not in first
    assert "by hand" not in shown(FULL)


def test_of_a_deadline_the_day_is_told_where_it_is_another_one() -> None:
    decision = SHIPPED.decide(FULL)
    assert decision.deadlines is not None
    posted = FULL.created_at
    late = replace(
        decision.deadlines,
        target=posted + timedelta(hours=3),
        breach=posted + timedelta(hours=20),
        ceiling=posted + timedelta(days=400),
    )
    html = card(FULL, replace(decision, deadlines=late), answers_as="", limits="", zone=ZoneInfo("Europe/Moscow"))

    assert (
        "Answer by <strong>18:00</strong> · late from Thu 05 Mar, 11:00 · never after Thu 08 Apr 2027, 15:00" in html
    )


def test_times_are_told_in_the_zone_of_the_policy() -> None:
    html = card(FULL, SHIPPED.decide(FULL), answers_as="", limits="", zone=ZoneInfo("Europe/Moscow"))

    assert "15:00 Europe/Moscow" in html


def test_a_mention_of_which_little_is_known_says_little() -> None:
    bare = Mention("feed", "rss", "1", Author("7"), "", FULL.created_at)
    text = shown(bare)

    assert "Who: 7 • What: «no text» Tone: unknown Probably nobody expects an answer. •" in text
    assert "draft" not in text
    assert "How far: not known" in text
    assert "In answer to" not in text


def test_without_any_rule_the_card_says_so(tmp_path: Path) -> None:
    html = card(FULL, policy_of(tmp_path, "").decide(FULL), answers_as="", limits="")

    assert "no rule matched; the usual settings" in html


def test_the_whole_explanation_stands_on_the_card_when_the_mapping_wants_it(tmp_path: Path) -> None:
    decision = SHIPPED.decide(FULL)
    told = to_text(card(FULL, decision, answers_as="", limits="", trace=True))
    (tmp_path / "00.yaml").write_text("card: {trace: true}\n")

    assert not SHIPPED.card_trace
    assert load(tmp_path).card_trace
    assert "score +30 score tone.negative mappings/30-score.yaml:" in " ".join(told.split())
    assert "score +30" not in to_text(card(FULL, decision, answers_as="", limits=""))


def test_links_lead_to_web_addresses_only() -> None:
    mention = said(
        "x", url="javascript:alert(1)", author_url="data:text/html,x", parent=Parent("0", "y", "ftp://x", "z")
    )

    soup = BeautifulSoup(card(mention, SHIPPED.decide(mention), answers_as="", limits=""), "html.parser")
    assert soup.find_all("a") == []


@given(st.text(max_size=80), st.text(max_size=80))
def test_nothing_people_typed_becomes_markup(text: str, other: str) -> None:
    evil = f'<script>{text}</script>"><img src=x onerror=alert(1)>{other}'
    mention = said(
        evil, title=evil, author_name=evil, author_handle=evil, author_url=f"https://e.com/{other}", url=evil,
        source=evil, platform=evil, engagement={evil: 3}, parent=Parent(evil, evil, f'https://e.com/"{text}', evil),
    )  # fmt: skip
    decision = Decision(
        Settings(), "s", "c", Tone("negative", evidence=(evil,), by=evil), rules=(evil,), language=evil,
        feedback=(evil,), owner=evil, suggestion=evil, because=(Because(evil, evil, evil, evil, evil),),
    )  # fmt: skip
    soup = BeautifulSoup(card(mention, decision, answers_as=evil, limits=evil, trace=True), "html.parser")

    tags = soup.find_all(True)
    assert {tag.name for tag in tags} <= KEPT
    assert {key for tag in tags for key in tag.attrs} <= {"href", "rel"}
    assert all(re.match("https?://", str(tag["href"])) for tag in soup.find_all("a"))


def test_what_is_remembered_of_the_author_stands_with_who() -> None:
    past = Past(3, (TicketId("12"), TicketId("9")), answered=True, tone="very_negative")
    links = {TicketId("12"): "https://desk.example/12"}
    html = card(FULL, SHIPPED.decide(FULL, past), answers_as="", limits="", past=past, tickets=links)
    text = " ".join(to_text(html).split())

    assert "3 earlier tickets: #12 (https://desk.example/12), #9 …" in text
    assert "An answer of ours stands in this conversation already." in text
    assert "Their last message here was very negative." in text
    assert "earlier ticket" not in shown(FULL)


def test_when_it_came_to_us_and_where_in_the_thread_it_stands() -> None:
    first, later = said(thread_id="1"), said(thread_id="0")
    html = card(first, SHIPPED.decide(first), answers_as="", limits="", seen=NOON + timedelta(minutes=3))

    assert "Wed 04 Mar 2026, 12:00 UTC · seen 12:03" in " ".join(to_text(html).split())
    assert "it begins a thread" in shown(first)
    assert "further down in a thread" in shown(later)
    assert "a thread" not in shown(FULL)


def test_a_storm_and_who_is_kept_apart_from_it_are_reasons(tmp_path: Path) -> None:
    policy = policy_of(tmp_path, "storm: {keep_apart: {author.handle: anna}}")
    decision = policy.decide(FULL)
    stormy = replace(decision, because=(*decision.because, Because("problem", "7", "storm", "", "a storm is on")))

    assert "kept apart from storms" in to_text(card(FULL, decision, answers_as="", limits=""))
    assert "storm: problem 7; a storm is on" in to_text(card(FULL, stormy, answers_as="", limits=""))
