"""How needed ticket fields, clocks and unclear writes are judged, whoever the helpdesk is."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from connector.errors import AuthFailed, Rejected, Temporary, Uncertain, Unsupported
from connector.helpdesks.base import Helpdesk, HelpdeskCapabilities, HelpdeskOptions
from connector.helpdesks.examination import Finding, Needs, Probe, clock, fields_found, refused, unfit, write_once
from connector.http import Http
from connector.model import (
    CommentDraft,
    FieldKind,
    FieldNeed,
    FieldSpec,
    Identity,
    Key,
    Receipt,
    Request,
    TicketDraft,
    Vocabulary,
)

KNOWN = (
    FieldSpec("1", "Tone", "tagger", ("tone_bad", "Bad", "tone_good", "Good")),
    FieldSpec("2", "Topics", "multiselect", ("a", "b")),
    FieldSpec("3", "Urgent", "checkbox"),
    FieldSpec("4", "Followers", "integer"),
    FieldSpec("5", "Weight", "decimal"),
    FieldSpec("6", "Seen", "date"),
    FieldSpec("7", "Note", "text"),
    FieldSpec("8", "Twice", "text"),
    FieldSpec("9", "Twice", "text"),
    FieldSpec("10", "Priority", "priority"),
    FieldSpec("cf_mood", "Mood", "dropdown", ("glad",)),
)
NOW = datetime(2026, 3, 2, 10, 0, 0, 400_000, tzinfo=UTC)


def ours(name: str, kind: FieldKind, *values: str) -> FieldNeed:
    return FieldNeed(name, kind, values, "reply_field", ours=True)


@pytest.mark.parametrize(
    "need",
    [
        ours("tone", "dropdown", "bad", "GOOD"),
        ours("1", "dropdown", "tone_bad"),
        ours("CF_MOOD", "dropdown", "glad"),
        ours("Topics", "dropdown", "a"),
        ours("Topics", "multiselect", "a", "b"),
        ours("Note", "dropdown", "whatever"),
        ours("Note", "date"),
        ours("Urgent", "checkbox"),
        ours("Followers", "integer"),
        ours("Weight", "integer"),
        ours("Seen", "date"),
    ],
)
def test_a_field_that_takes_what_is_written_into_it_is_as_it_should_be(need: FieldNeed) -> None:
    assert unfit(need, KNOWN) == ""


@pytest.mark.parametrize(
    ("need", "words"),
    [
        (ours("Tone", "dropdown", "Bad", "ugly"), '"Tone" lacks the option "ugly"'),
        (ours("Tone", "dropdown", "x", "y"), '"Tone" lacks the options "x", "y"'),
        (ours("Tone", "multiselect", "Bad"), '"Tone" is a drop-down field; it has to be a multi-select one'),
        (ours("Followers", "text"), '"Followers" is a whole number field; it has to be a single-line text one'),
        (ours("Followers", "decimal"), '"Followers" is a whole number field; it has to be a decimal number one'),
        (ours("Urgent", "dropdown", "x"), '"Urgent" is a checkbox field; it has to be a drop-down one'),
        (ours("Priority", "dropdown", "x"), '"Priority" is a field of the helpdesk itself'),
        (ours("Twice", "text"), '2 fields are called "Twice"'),
        (ours("Nothing", "text"), 'there is no ticket field "Nothing"'),
    ],
)
def test_what_keeps_a_field_from_being_used_is_one_sentence(need: FieldNeed, words: str) -> None:
    assert unfit(need, KNOWN) == f"{words} (reply_field)"


def test_a_name_that_is_nearly_right_is_told_with_what_was_meant() -> None:
    assert unfit(ours("Follwers", "integer"), KNOWN).endswith('"Follwers" (reply_field) — did you mean "Followers"?')


def one(need: FieldNeed, **able: bool) -> Finding:
    (found,) = fields_found([need], KNOWN, "Zendesk", lambda _: ("do it",), **able)
    return found


def test_only_what_cannot_be_meant_otherwise_is_offered_to_be_made() -> None:
    both = {"makes": True, "extends": True}

    assert one(FieldNeed("Nothing", "text"), **both).remedy == "field:Nothing"
    assert one(FieldNeed("Nothing", "text")).remedy == ""
    assert one(FieldNeed("Follwers", "integer"), **both).remedy == ""
    assert one(FieldNeed("360012345", "text"), **both).remedy == ""
    assert one(FieldNeed("cf_nothing", "text"), **both).remedy == ""
    assert one(ours("Tone", "dropdown", "ugly"), **both).remedy == "options:Tone"
    assert one(ours("Tone", "dropdown", "ugly"), makes=True).remedy == ""
    assert one(ours("Urgent", "dropdown", "ugly"), **both).remedy == ""


def test_values_of_a_mapping_are_left_to_the_mappings_own_check() -> None:
    """It tells each with its line, and an unknown one may be a mistake."""
    assert one(FieldNeed("Tone", "dropdown", ("ugly",)), extends=True).state == "ok"


@pytest.mark.parametrize(
    ("away", "state"), [(0, "ok"), (29, "ok"), (-29, "ok"), (45, "wrong"), (-45, "wrong"), (86_400, "wrong")]
)
def test_the_helpdesks_clock_is_compared_with_ours(away: int, state: str) -> None:
    probe = Probe()
    clock(probe, format_datetime(NOW + timedelta(seconds=away), usegmt=True), NOW, NOW + timedelta(seconds=2), 300.0)

    assert [found.state for found in probe.found] == [state]
    assert probe.found[0].stands_in_the_way == (away == 86_400)


@pytest.mark.parametrize("date", ["", "yesterday", "Mon, 99 Foo 2026"])
def test_a_helpdesk_that_does_not_tell_the_time_is_not_blamed(date: str) -> None:
    probe = Probe()
    clock(probe, date, NOW, NOW, None)

    assert [(found.state, found.necessary) for found in probe.found] == [("unknown", False)]


def test_a_write_that_was_not_answered_is_looked_for() -> None:
    def lost() -> None:
        raise Uncertain("no answer")

    write_once(lambda: None, lambda: pytest.fail("it was answered: nobody has to look"))
    write_once(lost, lambda: ["it is there"])
    with pytest.raises(Uncertain):
        write_once(lost, list)


def test_only_a_refusal_says_that_the_login_is_wrong() -> None:
    assert refused(AuthFailed("no", status=401), "do this").state == "wrong"
    assert refused(Temporary("away")).state == "unknown"
    assert refused(AuthFailed("no", status=401), "do this").sentence == "no (HTTP 401)"


def test_what_cannot_be_asked_is_a_finding() -> None:
    def ask() -> None:
        raise Rejected("not allowed", status=403)

    probe = Probe()
    probe.asking("names", "groups", ask)

    assert probe.found == [
        Finding("names", "groups", "unknown", "cannot be asked: not allowed (HTTP 403)", necessary=False)
    ]


class Plain(Helpdesk):
    """A helpdesk of somebody else's, which knows nothing of doctors."""

    type = "plain"
    capabilities = HelpdeskCapabilities()

    def check(self) -> Identity:
        return Identity("1", "Ann", notes=("webhook_secret is not set",))

    def vocabulary(self) -> Vocabulary:
        return Vocabulary(fields=KNOWN)

    def prepare(self, draft: TicketDraft | CommentDraft) -> Request:
        raise NotImplementedError

    def send(self, request: Request, key: Key) -> Receipt:
        raise NotImplementedError

    def find(self, request: Request, key: Key) -> tuple[Receipt, ...]:
        raise NotImplementedError


def test_any_helpdesk_can_be_examined_by_what_every_one_can_do() -> None:
    desk = Plain("desk", HelpdeskOptions(type="plain"), Http("desk"))
    told = desk.examine(Needs((ours("Tone", "dropdown", "ugly"), ours("Note", "text"), ours("Nothing", "text"))))
    missing = told[-1]

    assert [(found.subject, found.state, found.necessary) for found in told] == [
        ("credentials", "ok", True),
        ("note", "unknown", False),
        ("Tone", "wrong", True),
        ("Note", "ok", True),
        ("Nothing", "missing", True),
    ]
    assert not [found for found in told if found.remedy]
    with pytest.raises(Unsupported):
        desk.apply(Needs(), missing)
    with pytest.raises(Unsupported):
        desk.hook_secret(Needs())
