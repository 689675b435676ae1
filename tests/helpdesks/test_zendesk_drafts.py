"""Zendesk's bodies: the same bytes for the same key, tags as it keeps them."""

from __future__ import annotations

import json
from datetime import UTC, datetime

from connector.helpdesks.zendesk import drafts
from connector.model import Attachment, Key, TicketId


def test_the_key_goes_into_the_metadata_and_changes_nothing_else() -> None:
    text = drafts.dumped({"ticket": {"subject": "Ёж", "comment": {"html_body": "<p>}}</p>"}}})
    sent = json.loads(drafts.with_key(text, Key("abc")))
    assert sent["ticket"].pop("metadata") == {"connector_key": "abc"}
    assert sent == json.loads(text)
    assert drafts.with_key(text, Key("abc")) == drafts.with_key(text, Key("abc"))


def test_a_frozen_update_thaws_to_itself() -> None:
    written = drafts.Written(TicketId("7"), ("a",), ("b", "c"), datetime.now(UTC), '{"ticket":{"x":"\\n"}}', True)
    assert drafts.thaw(drafts.freeze(written)) == written


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
