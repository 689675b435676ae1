"""Deadlines and calendars: instants through working hours, holidays and changes of the clock."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from triage_builders import policy_of, said

from connector.errors import ConfigError
from connector.model import Deadlines, Decision, FieldSpec, Settings, Vocabulary, decode, encode
from connector.triage import because_line
from connector.triage.calendars import Calendar, around_the_clock
from connector.triage.deadlines import spelt

MOSCOW = ZoneInfo("Europe/Moscow")
BERLIN = ZoneInfo("Europe/Berlin")
WEEK = ((540, 1080),)  # 9-18
OFFICE = Calendar("office", MOSCOW, (WEEK,) * 5 + ((), ()), frozenset({date(2026, 2, 23)}), frozenset({(5, 9)}))


def at(text: str, zone: ZoneInfo = MOSCOW) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=zone)


@pytest.mark.parametrize(
    ("posted", "hours", "due"),
    [
        ("2026-03-04T10:00", 2, "2026-03-04T12:00"),
        ("2026-03-04T16:00", 8, "2026-03-05T15:00"),
        ("2026-03-04T03:00", 1, "2026-03-04T10:00"),
        ("2026-03-04T09:00", 9, "2026-03-04T18:00"),
        ("2026-03-06T17:00", 2, "2026-03-09T10:00"),
        ("2026-03-07T12:00", 8, "2026-03-09T17:00"),
        ("2026-02-20T17:00", 2, "2026-02-24T10:00"),
        ("2026-05-08T17:00", 2, "2026-05-11T10:00"),
        ("2026-03-04T10:00", 24, "2026-03-06T16:00"),
    ],
)
def test_working_hours_are_counted_over_nights_weekends_and_holidays(posted: str, hours: int, due: str) -> None:
    [found] = OFFICE.after(at(posted), [hours * 60])

    assert found == at(due)
    assert found.tzinfo is UTC


def test_a_day_on_which_the_clocks_change_is_as_long_as_it_is() -> None:
    always = Calendar("always", BERLIN, (((0, 1440),),) * 7)

    [spring] = always.after(at("2026-03-28T12:00", BERLIN), [24 * 60])
    assert spring == at("2026-03-29T13:00", BERLIN)
    [autumn] = always.after(at("2026-10-24T12:00", BERLIN), [24 * 60])
    assert autumn == at("2026-10-25T11:00", BERLIN)


def test_hours_over_midnight_belong_to_the_day_they_begin_on() -> None:
    night = Calendar("night", MOSCOW, (((1200, 1680),), (), (), (), (), (), ()))  # Monday 20-4

    assert night.is_open(at("2026-03-10T03:59"))  # Tuesday
    assert not night.is_open(at("2026-03-10T04:00"))
    assert not night.is_open(at("2026-03-09T03:00"))
    assert night.after(at("2026-03-09T22:00"), [3 * 60, 7 * 60]) == [at("2026-03-10T01:00"), at("2026-03-16T21:00")]


def test_stretches_that_overlap_are_counted_once() -> None:
    both = Calendar("both", MOSCOW, (((540, 900), (720, 1080)),) * 7)

    assert both.after(at("2026-03-04T09:00"), [9 * 60]) == [at("2026-03-04T18:00")]


@given(st.integers(0, 6_000_000), st.integers(1, 3000), st.integers(0, 3000))
def test_counting_on_is_the_same_as_counting_at_once_and_never_ends_out_of_hours(
    posted: int, first: int, more: int
) -> None:
    start = at("2020-01-01T00:00") + timedelta(minutes=posted)
    one, both = OFFICE.after(start, [first, first + more])

    assert start < one <= both
    assert OFFICE.is_open(one - timedelta(minutes=1))
    if more:
        assert OFFICE.after(one, [more]) == [both]
    assert around_the_clock(start, [first]) <= [one]


def test_what_is_never_open_long_enough_is_refused() -> None:
    rare = Calendar("rare", MOSCOW, (((0, 1),), (), (), (), (), (), ()))

    with pytest.raises(OverflowError, match="rare is not open long enough"):
        rare.after(at("2026-03-04T10:00"), [100_000])


# --- in a mapping ------------------------------------------------------------------------------------------

WHOLE = """
    timezone: Europe/Moscow
    calendars:
      office: {hours: {mon-fri: 9-18}}
    feedback: {thanks: {words: [thanks], answer_expected: false, owner: a}}
    rules:
      - {name: loud, when: {text: loud}, set: {priority: urgent, fields: {Own: mine}}}
    deadlines:
      first_reply:
        - {name: at once, when: {priority: urgent}, target: 1h 30min}
        - {name: nobody waits, when: {answer_expected: false}, none: true}
        - {name: usual, calendar: office}
      tags: true
      fields: {target: Answer by, breach: Own, ceiling: {name: Last day, as: date}}
    templates: {subject: "{{ target }}|{{ breach }}|{{ ceiling }}"}
    tables: {tone: {unknown: {tags: [x]}, neutral: {tags: [x]}}}
    """


def test_the_first_that_fits_makes_the_instants_the_tag_and_the_fields(tmp_path: Path) -> None:
    decision = policy_of(tmp_path, WHOLE).decide(said("what?"))  # Wednesday 15:00 in Moscow
    due = decision.deadlines

    assert due is not None
    assert (due.target, due.breach, due.ceiling) == (
        at("2026-03-05T14:00"),
        at("2026-03-05T18:00"),
        at("2026-03-09T12:00"),
    )
    assert (due.rule, due.within, due.calendar) == ("usual", "8h", "office")
    assert "answer_within_8h" in decision.settings.tags
    assert decision.settings.fields == {
        "Answer by": "2026-03-05T11:00:00Z",
        "Own": "2026-03-05T15:00:00Z",
        "Last day": "2026-03-09",
    }
    assert decision.subject == "2026-03-05 14:00|2026-03-05 18:00|2026-03-09 12:00"
    [line] = [line for line in decision.because if line.field == "deadline"]
    assert line.why == "target 8h, breach 12h, ceiling 24h of office, from when it was posted"


def test_what_a_rule_put_into_a_field_stays(tmp_path: Path) -> None:
    decision = policy_of(tmp_path, WHOLE).decide(said("loud?"))

    assert decision.settings.fields["Own"] == "mine"
    assert "answer_within_1h30min" in decision.settings.tags
    assert any("deadline at once would set" in because_line(line) for line in decision.because)
    assert decision.deadlines is not None
    assert decision.deadlines.breach - decision.deadlines.target == timedelta(hours=10, minutes=30)


def test_where_nobody_waits_there_is_no_deadline_and_the_trace_says_why(tmp_path: Path) -> None:
    decision = policy_of(tmp_path, WHOLE).decide(said("thanks"))

    assert decision.deadlines is None
    assert not any("answer" in tag for tag in decision.settings.tags)
    assert decision.subject == "||"
    assert "deadline  none  nobody waits" in "\n".join(map(because_line, decision.because))


def test_by_default_it_is_8_12_and_24_hours_around_the_clock(tmp_path: Path) -> None:
    due = policy_of(tmp_path, "deadlines: {}").decide(said()).deadlines

    assert due is not None
    posted = said().created_at
    assert [due.target - posted, due.breach - posted, due.ceiling - posted] == [
        timedelta(hours=8),
        timedelta(hours=12),
        timedelta(hours=24),
    ]
    assert policy_of(tmp_path, "").decide(said()).deadlines is None


def test_at_the_end_of_time_there_is_none(tmp_path: Path) -> None:
    late = said(created_at=datetime.max.replace(tzinfo=UTC))

    assert policy_of(tmp_path, "deadlines: {}").decide(late).deadlines is None


def test_an_ignored_mention_has_none(tmp_path: Path) -> None:
    policy = policy_of(tmp_path, "deadlines: {}\nrules: [{name: a, when: {tone: [neutral, unknown]}, ignore: quiet}]")

    assert policy.decide(said("12")).deadlines is None


def test_they_go_through_the_store_and_back(tmp_path: Path) -> None:
    decision = policy_of(tmp_path, WHOLE).decide(said("what?"))

    assert decode(Decision, encode(decision)).deadlines == decision.deadlines


def test_a_decision_stored_by_an_older_version_is_still_read() -> None:
    old = '{"settings":{"priority":"high"},"subject":"s","comment":"c","tone":{"label":"negative"},"rules":["a"]}'
    decision = decode(Decision, old)

    assert (decision.feedback, decision.deadlines, decision.score) == ((), None, None)


def test_rules_may_ask_whether_a_calendar_was_open_and_for_the_day(tmp_path: Path) -> None:
    policy = policy_of(
        tmp_path,
        """
        timezone: Europe/Moscow
        calendars: {office: {hours: {mon-fri: 9-18}}, weekend: {hours: {sat-sun: [9-12, "13:00-18:30"]}}}
        rules:
          - {name: closed, when: {not: {open: [office, weekend]}}, set: {tags: [a]}}
          - {name: summer, when: {date: {from: 2026-06-01, to: 2026-08-31}}, set: {tags: [b]}}
          - {name: one day, when: {date: [2026-03-04, 2026-05-09]}, set: {tags: [c]}}
          - {name: from then on, when: {date: {from: 2026-06-01}}, set: {tags: [d]}}
        """,
    )

    def met(text: str) -> tuple[str, ...]:
        return policy.decide(said(created_at=at(text))).rules

    assert met("2026-03-04T10:00") == ("one day",)
    assert met("2026-03-07T12:30") == ("closed",)
    assert met("2026-03-07T18:15") == ()
    assert met("2026-08-31T23:59") == ("closed", "summer", "from then on")
    assert met("2026-09-01T00:00") == ("closed", "from then on")


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("calendars: {a: {}}", "has no hours"),
        ("calendars: {a: {hours: {}}}", "is never open"),
        ("calendars: {a: {hours: {mon-fry: 9-18}}}", 'did you mean "fri"?'),
        ("calendars: {a: {hours: {mon: 9}}}", "9 are not hours"),
        ("calendars: {a: {hours: {mon: 25-26}}}", '"25-26" are not hours'),
        ("calendars: {a: {hours: {mon: 9-9}}}", "are not hours"),
        ("calendars: {a: {hours: {mon-fri: 9-18, tue: 9-12}}}", "tue is given twice"),
        (
            "calendars: {a: {hours: {mon: 9-18}, holidays: [9 May]}}",
            "is not a day: write it as in 2026-05-09, or 05-09",
        ),
        ("calendars: {a: {hours: {mon: 9-18}, timezone: Mars}}", '"Mars" is not a time zone'),
        (
            "rules: [{name: r, when: {open: office}, set: {tags: [a]}}]",
            '"office" is not a calendar; the mapping names',
        ),
        ("rules: [{name: r, when: {date: soon}, set: {tags: [a]}}]", '"soon" is not a day'),
        ("rules: [{name: r, when: {date: {from: 2026-02-01, to: 2026-01-01}}, set: {tags: [a]}}]", "holds no day"),
        ("deadlines: {first_reply: [{name: a, target: soon}]}", '"soon" is not a length of time'),
        ("deadlines: {first_reply: [{name: a, target: 8}]}", "8 is not a length of time"),
        ("deadlines: {first_reply: [{name: a, target: 9h, breach: 3h}]}", "have to come in this order"),
        ("deadlines: {first_reply: [{target: 9h}]}", "has no name"),
        ("deadlines: {first_reply: [{name: a, calendar: b}]}", 'there is no calendar "b"'),
        ("deadlines: {first_reply: [{name: a, none: true, target: 1h}]}", "is given together with hours"),
        ("deadlines: {first_reply: []}", "has to be a list: every deadline begins"),
        ("deadlines: {fields: {traget: x}}", 'did you mean "target"?'),
        ("deadlines: {fields: {target: {name: x, as: day}}}", '"day" is not a form'),
    ],
)
def test_mistakes_are_told_with_the_way_out(tmp_path: Path, content: str, told: str) -> None:
    with pytest.raises(ConfigError) as caught:
        policy_of(tmp_path, content)

    assert told in str(caught.value)


def test_a_deadline_after_one_that_fits_everything_is_warned_of(tmp_path: Path) -> None:
    [told] = policy_of(tmp_path, "deadlines: {first_reply: [{name: a}, {name: b, when: {kind: dm}}]}").warnings

    assert told.message.startswith('"b" is never reached: "a"')


def test_the_fields_are_looked_for_in_the_helpdesk(tmp_path: Path) -> None:
    policy = policy_of(
        tmp_path, "deadlines: {fields: {target: Due, ceiling: {name: Late, as: date}, breach: Nowhere}}"
    )
    desk = Vocabulary(fields=(FieldSpec("1", "Due", "date"), FieldSpec("2", "Late", "date")))

    assert [problem.message.partition(" (")[0] for problem in policy.lint(desk)] == [
        'the field "Due" takes a date such as 2026-01-31',
        'there is no ticket field "Nowhere"',
    ]


@pytest.mark.parametrize(("minutes", "text"), [(480, "8h"), (45, "45min"), (90, "1h30min"), (60, "1h")])
def test_a_length_of_time_is_spelt_as_a_tag_can_hold_it(minutes: int, text: str) -> None:
    assert spelt(minutes) == text


# --- reminders and escalations -----------------------------------------------------------------------------

WATCHED = """
    timezone: Europe/Moscow
    calendars: {office: {hours: {mon-fri: 9-18}}}
    deadlines:
      first_reply:
        - name: at once
          when: {priority: urgent}
          target: 2h
          remind_before: 30min
          escalate: {target: {group: Duty}}
        - {name: brief, when: {text: brief}, target: 1h}
        - {name: office, when: {text: office}, calendar: office}
        - {name: usual}
      remind_before: 1h
      escalate:
        breach: {tags: [late], priority: high, note: somebody}
        ceiling: {tags: [very_late], priority: urgent, fields: {Owner: lead}, untag: [calm]}
    rules:
      - {name: loud, when: {text: loud}, set: {priority: urgent}}
    """


def test_the_reminder_comes_before_the_target_in_the_hours_that_count(tmp_path: Path) -> None:
    policy = policy_of(tmp_path, WATCHED)

    def reminded(text: str) -> tuple[datetime | None, datetime]:
        due = policy.decide(said(text)).deadlines  # posted on Wednesday at 15:00 in Moscow
        assert due is not None
        return due.reminder, due.target

    assert reminded("hello") == (at("2026-03-04T22:00"), at("2026-03-04T23:00"))
    assert reminded("office") == (at("2026-03-05T13:00"), at("2026-03-05T14:00"))
    assert reminded("loud") == (at("2026-03-04T16:30"), at("2026-03-04T17:00"))
    assert reminded("brief") == (None, at("2026-03-04T16:00")), "it would be at once"
    assert any("nobody is reminded of it" in one.message for one in policy.warnings)


def test_without_a_word_about_it_nobody_is_reminded_and_nothing_escalates(tmp_path: Path) -> None:
    policy = policy_of(tmp_path, "deadlines: {}")
    due = policy.decide(said()).deadlines

    assert due is not None
    assert [step for step, _ in due.steps] == ["target", "breach", "ceiling"]
    assert policy.escalation("usual", ("target", "breach", "ceiling")) is None
    assert policy_of(tmp_path, "").escalation("usual", ("breach",)) is None


def test_the_steps_go_through_the_store_in_their_order(tmp_path: Path) -> None:
    due = policy_of(tmp_path, WATCHED).decide(said()).deadlines

    assert due is not None
    again = decode(Deadlines, encode(due))
    assert again == due
    assert [step for step, _ in again.steps] == ["reminder", "target", "breach", "ceiling"]


def test_of_several_steps_missed_the_last_speaks_and_all_are_set(tmp_path: Path) -> None:
    policy = policy_of(tmp_path, WATCHED)

    assert policy.escalation("usual", ("reminder", "target")) is None
    assert policy.escalation("usual", ("breach",)) == (
        "breach",
        Settings(priority="high", tags=("late",)),
        "somebody",
    )
    assert policy.escalation("usual", ("reminder", "target", "breach", "ceiling")) == (
        "ceiling",
        Settings(priority="urgent", tags=("late", "very_late"), untag=("calm",), fields={"Owner": "lead"}),
        "",
    )


def test_a_deadline_may_have_escalations_of_its_own(tmp_path: Path) -> None:
    policy = policy_of(tmp_path, WATCHED)

    assert policy.escalation("at once", ("target", "breach")) == ("target", Settings(group="Duty"), "")
    assert policy.escalation("gone since", ("breach",)) == policy.escalation("usual", ("breach",))


def test_the_helpdesk_is_asked_about_the_groups_and_fields_of_escalations(tmp_path: Path) -> None:
    told = [problem.message for problem in policy_of(tmp_path, WATCHED).lint(Vocabulary(groups=("Leads",)))]

    assert told == [
        'there is no ticket field "Owner"; this helpdesk has no fields of its own',
        'there is no group "Duty" (allowed: Leads)',
    ]
