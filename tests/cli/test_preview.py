"""preview: what would have been, counted as the engine counts, and what a change re-routes."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from connector.cli import cli
from connector.cli.backtest import compare, replay
from connector.model import Author, Decision, Mention, Tone
from connector.store import Store
from connector.store.arrivals import Arrival, accept_mentions
from connector.triage import Policy, load

SHIPPED = Path(__file__).parents[2] / "mappings"
NOON = datetime(2026, 3, 4, 12, tzinfo=UTC)
CONFIG = """\
store: sqlite:///connector.db
helpdesks:
  desk: {{type: zendesk, base_url: https://acme.zendesk.com, email: bot@acme.com, api_token: secret-token{more}}}
sources:
  found: {{type: manual, helpdesk: desk}}
"""


def said(number: int, text: str = "hello", tone: str = "neutral", **others: Any) -> Mention:
    return Mention(
        **{
            "source": "found",
            "platform": "forum",
            "external_id": str(number),
            "author": Author(others.pop("author", str(number))),
            "text": text,
            "tone": Tone(tone),  # type: ignore[arg-type]
            "created_at": NOON + timedelta(minutes=number),
            **others,
        }
    )


def policy(directory: Path, content: str) -> Policy:
    directory.mkdir(exist_ok=True)
    (directory / "10.yaml").write_text(content)
    return load(directory)


# --- counting ----------------------------------------------------------------------------------------------


def test_each_mention_ends_as_it_would_in_the_engine(tmp_path: Path) -> None:
    made = replay(
        [
            said(1, thread_id="t"),
            said(1, thread_id="t"),
            said(2, thread_id="t"),
            said(1, "hello!", thread_id="t", version="2"),
            said(3, "hiring"),
            said(4, own=True),
            said(5, thread_id="u", version="7"),
        ],
        policy(tmp_path / "m", "rules: [{name: adverts, when: {text: hiring, tone: neutral}, ignore: advert}]"),
    )

    assert [one.fate for one in made.replayed] == ["ticket", "appended", "edited", "ignored", "ignored", "ticket"]
    assert (made.seen, made.duplicates) == (7, 1)
    assert made.by["ignored"] == {"advert": 1, "our own post": 1}
    assert made.calls == 3 + 1 + 1 + 3


def test_the_busiest_hour_and_minute_are_found(tmp_path: Path) -> None:
    crowd = [said(n, created_at=NOON + timedelta(seconds=n)) for n in range(10)]
    made = replay([*crowd, said(100, created_at=NOON + timedelta(days=2))], policy(tmp_path / "m", "timezone: UTC"))

    assert made.busiest == (NOON, 10)
    assert made.calls_at_most == 30
    assert made.days == 3


def test_earlier_tickets_of_an_author_count_but_not_that_of_the_same_conversation(tmp_path: Path) -> None:
    rules = (
        "remember_days: 2\nrules:\n"
        "  - {name: again, when: {author.contacts: {at_least: 1}}, set: {tags: [again]}}\n"
        "  - {name: worse, when: {last_tone: positive, tone: neutral}, set: {tags: [worse]}}\n"
    )
    made = replay(
        [
            said(1, author="anna", thread_id="t", tone="positive"),
            said(2, author="anna", thread_id="t"),
            said(3, author="anna", thread_id="u"),
            said(4, author="boris", thread_id="v"),
            said(5, author="anna", thread_id="w", created_at=NOON + timedelta(days=9)),
        ],
        policy(tmp_path / "m", rules),
    )

    assert [one.decision.rules for one in made.replayed] == [(), ("worse",), ("again",), (), ()]


def test_rules_that_nothing_met_are_named(tmp_path: Path) -> None:
    rules = "rules: [{name: a, when: {kind: dm}, set: {tags: [x]}}, {name: b, set: {tags: [y]}}]"

    assert replay([said(1)], policy(tmp_path / "m", rules)).never == ("a",)


# --- comparing ---------------------------------------------------------------------------------------------


def test_a_change_re_routes_and_silences_and_the_rest_is_told_apart(tmp_path: Path) -> None:
    mentions = [said(1), said(2, "bot", "negative"), said(3, "vip"), said(4, "tagged"), said(5, own=True)]
    old = policy(tmp_path / "old", "rules: [{name: v, when: {text: vip}, set: {priority: high}}]")
    new = policy(
        tmp_path / "new",
        "rules:\n"
        "  - {name: v, when: {text: vip}, set: {priority: urgent, group: Press}}\n"
        "  - {name: t, when: {text: tagged}, set: {tags: [t]}}\n"
        "  - {name: bots, when: {text: bot}, ignore: a bot, allow_negative: true}\n",
    )
    found = compare(replay(mentions, old), replay(mentions, new))

    assert found.decided == 5
    assert [(change.mention.external_id, change.differs) for change in found.rerouted] == [
        ("2", (("decision", "ticket", "ignored: a bot"),)),
        ("3", (("priority", "high", "urgent"), ("group", None, "Press"))),
    ]
    assert [change.mention.external_id for change in found.silenced] == ["2"]
    assert [change.differs for change in found.retouched] == [(("tags", (), ("t",)),)]


def test_the_same_mapping_changes_nothing() -> None:
    same = load(SHIPPED)
    mentions = [said(n, text) for n, text in enumerate(("Ужас", "Спасибо", "casino", "where is it?"))]
    found = compare(replay(mentions, same), replay(mentions, same))

    assert (found.rerouted, found.retouched) == ((), ())


# --- as a person runs it -----------------------------------------------------------------------------------


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "config.yaml").write_text(CONFIG.format(more=", requests_per_minute: 5"))
    policy(tmp_path / "mappings", "rules: [{name: bots, when: {text: bot}, ignore: a bot, allow_negative: true}]")
    policy(tmp_path / "before", "rules: []")
    return tmp_path


def run(*words: str) -> Result:
    done = CliRunner().invoke(cli, ["preview", *words])
    assert done.exit_code == 0, done.output
    return done


def file_of(place: Path, mentions: list[dict[str, Any]]) -> str:
    file = place / "mentions.jsonl"
    file.write_text("".join(json.dumps(mention) + "\n" for mention in mentions))
    return str(file)


LINES = [
    {"id": "1", "text": "an awful bot", "tone": "negative", "created_at": "2026-03-04T12:00:00Z"},
    {"id": "2", "text": "hello", "created_at": "2026-03-04T12:00:20Z"},
    {"id": "3", "text": "hello again", "created_at": "2026-03-04T12:00:40Z"},
]


def test_it_tells_counts_the_plan_and_the_negatives_that_would_be_ignored(place: Path) -> None:
    told = run("--file", file_of(place, LINES)).stdout

    assert "3 seen → 2 tickets (2 a day, at most 2 in an hour: 2026-03-04 12:00), 0 appended" in told
    assert "about 6 calls to the helpdesk, at most 6 in a minute; the plan allows 5, so the busiest minute" in told
    assert "warning: 1 negative mention would be ignored\n  a bot  file:1 «an awful bot»" in told
    assert "the plan allows 100\n" in run("--file", file_of(place, LINES), "--plan", "100").stdout


def test_against_another_folder_it_says_what_the_change_re_routes(place: Path) -> None:
    told = run("--file", file_of(place, LINES), "--against", "before").stdout

    assert "this change: 1 of 3 mentions re-routed; 1 negatives would be ignored; 0 more differ" in told
    assert "file:1 «an awful bot»\n  decision: ticket → ignored: a bot\n  rules: + bots" in told
    whole = json.loads(run("--file", file_of(place, LINES), "--against", "before", "--json").stdout)
    assert whole["changes"]["negatives_newly_ignored"] == 1
    assert whole["changes"]["rerouted"][0]["differs"] == {"decision": {"before": "ticket", "after": "ignored: a bot"}}
    assert whole["seen"] == 3
    assert whole["tickets"] == len(whole["decisions"]) == 2


def test_the_last_days_come_from_the_journal(place: Path) -> None:
    store = Store("sqlite:///connector.db")
    store.migrate()
    with store.begin() as tx:
        accept_mentions(
            tx, [Arrival(mention=said(n, "hello", source=s), conversation=str(n), helpdesk="desk", ignored="")
                 for n, s in enumerate(("found", "found", "other"))]
        )  # fmt: skip
    store.close()

    assert "3 seen → 3 tickets" in run("--last", "7d").stdout
    assert "1 seen → 1 ticket (" in run("--last", "1h", "--source", "other").stdout
    assert CliRunner().invoke(cli, ["preview", "--last", "soon"]).exit_code == 2
    assert CliRunner().invoke(cli, ["preview"]).exit_code == 2


def test_a_file_can_be_looked_at_without_a_configuration(place: Path) -> None:
    (place / "config.yaml").unlink()
    told = run("--file", file_of(place, LINES), "--mappings", "before").stdout

    assert "what the plan allows is not known" in told


def test_a_decision_can_be_compared_with_one_that_has_deadlines(place: Path) -> None:
    policy(place / "mappings", "deadlines: {tags: true}")
    told = run("--file", file_of(place, LINES), "--against", "before", "--samples", "1").stdout

    assert "0 of 3 mentions re-routed" in told
    assert "deadlines: none → usual (8h)" in told
    assert isinstance(load(place / "before").decide(said(1)), Decision)
