"""Freshdesk's bodies: marked with their key, nothing too long, no placeholder left alive, others' tags left alone."""

from __future__ import annotations

from datetime import UTC, datetime
from email import message_from_bytes

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connector.helpdesks.freshdesk import drafts
from connector.helpdesks.freshdesk.comments import without_quote
from connector.helpdesks.freshdesk.drafts import Change, Opening
from connector.helpdesks.freshdesk.files import File, multipart
from connector.markup import to_text
from connector.model import Attachment, Key, TicketId, decode, encode

CAT = Attachment("https://social.example/cat.png", "image/png", "cat.png")
WORDS = st.text(alphabet=" abc0123456789connectorref<>&{}\n", max_size=300)


@settings(deadline=None)
@given(text=WORDS, key=st.text(min_size=1, max_size=60))
def test_the_mark_is_found_whatever_stands_before_it(text: str, key: str) -> None:
    body = drafts.body_of(f"<p>{text} connector ref {'0' * 20}</p>", (), Key(key))
    assert drafts.mark_in(to_text(body)) == drafts.mark_of(Key(key))


def test_other_keys_have_other_marks() -> None:
    assert len({drafts.mark_of(Key(word)) for word in ("a", "a-1", "a-2", "b")}) == 4


def test_a_text_that_only_speaks_of_a_mark_has_none() -> None:
    assert drafts.mark_in("connector ref 0123") == ""
    assert drafts.mark_in(f"connector ref {'a' * 20}" + " and so on" * 100) == ""


def test_a_body_too_long_is_cut_visibly_and_still_marked() -> None:
    body = drafts.body_of(f"<p>{'слово {{x}} ' * 20_000}</p>", [CAT], Key("k"))
    assert len(body.encode()) < 65_000
    assert "longer than Freshdesk keeps" in body
    assert "cat.png" in body
    assert "{{" not in body
    assert drafts.mark_in(to_text(body)) == drafts.mark_of(Key("k"))


def test_the_reference_is_short_and_needs_no_escaping() -> None:
    for external_id in ("a", "sky:at://did/x?y='z'", "я" * 400):
        reference = drafts.reference_of(external_id)
        assert len(reference) <= 32
        assert reference.isascii()
        assert not set(reference) & set("'\" ,:")


@pytest.mark.parametrize("external_id", ["it's", 'a"b', "a b", "a\\b", "x" * 300])
def test_what_a_search_cannot_ask_for_stands_in_the_field_in_short(external_id: str) -> None:
    assert drafts.reference_text(external_id) == drafts.reference_of(external_id)
    assert drafts.reference_text("mastodon:1") == "mastodon:1"


def test_what_is_frozen_thaws_to_itself() -> None:
    opening = Opening({"tags": ["a"], "priority": 2}, "<p>ё</p>", datetime.now(UTC), "sky:1", (CAT,))
    change = Change(TicketId("7"), "<p>x</p>", True, 5, {"status": 2}, {"cf_x": True, "cf_n": 1.5}, ("a",), ("b",))
    assert decode(Opening, encode(opening)) == opening
    assert decode(Change, encode(change)) == change


def test_tags_are_clean_and_each_once() -> None:
    assert drafts.tags_of(["Very  Bad", "a,b", " x ", "", "very bad", "ЖАЛОБА"]) == ("Very Bad", "a b", "x", "ЖАЛОБА")


TAGS = st.lists(st.sampled_from(["a", "B", "c", "D", "e"]), unique=True)


@settings(deadline=None)
@given(present=TAGS, added=TAGS, removed=TAGS)
def test_tags_of_others_stay_as_they_are(present: list[str], added: list[str], removed: list[str]) -> None:
    after = drafts.tags_after(present, [tag.upper() for tag in added], [tag.lower() for tag in removed])
    assert [tag for tag in after if tag in present] == [tag for tag in present if tag not in removed]
    folded = {tag.casefold() for tag in after}
    gone = {tag.casefold() for tag in removed}
    assert folded == ({tag.casefold() for tag in [*present, *added]} - gone)
    assert len(folded) == len(after)


def test_a_multipart_body_is_read_back_as_it_was_meant() -> None:
    fields = {
        "subject": "Ёж",
        "priority": 2,
        "private": False,
        "type": None,
        "tags": ["a", "b"],
        "custom_fields": {"cf_x": True, "cf_city": "Омск"},
    }
    body, kind = multipart(fields, [File('a"b.png', b"\x89PNG\r\n--x", "image/png")])
    whole = message_from_bytes(b"Content-Type: " + kind.encode() + b"\r\n\r\n" + body)
    told = []
    for part in whole.get_payload():
        name = part.get_param("name", header="content-disposition")
        told.append((name, part.get_filename(), part.get_payload(decode=True)))
    assert told == [
        ("subject", None, "Ёж".encode()),
        ("priority", None, b"2"),
        ("private", None, b"false"),
        ("tags[]", None, b"a"),
        ("tags[]", None, b"b"),
        ("custom_fields[cf_x]", None, b"true"),
        ("custom_fields[cf_city]", None, "Омск".encode()),
        ("attachments[]", "a%22b.png", b"\x89PNG\r\n--x"),
    ]


def test_what_freshdesk_quotes_below_an_answer_is_taken_away() -> None:
    quoted = (
        '<div>Thanks!</div><div class="freshdesk_quote"><blockquote class="freshdesk_quote">'
        "<p>Where is my parcel?</p></blockquote></div>"
    )
    assert to_text(without_quote(quoted)) == "Thanks!"
    assert without_quote("<p>a <blockquote>b</blockquote></p>") == "<p>a <blockquote>b</blockquote></p>"
