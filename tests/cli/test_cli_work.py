"""submit, status, deliveries, verify, reload: what people do with a connector that runs, or does not yet."""

from __future__ import annotations

import fcntl
import hashlib
import os
from pathlib import Path

import pytest
import sqlalchemy as sa
from cli_builders import Folder, folder, lines

from connector.model import TicketId
from connector.store import Store, privates
from connector.store.store import HEAD
from connector.store.tables import conversations
from connector.testing.simulators.zendesk import ZendeskSandbox

READING = [
    ["status"],
    ["deliveries", "list"],
    ["deliveries", "show", "1"],
    ["explain", "1"],
    ["verify"],
    ["silence", "list"],
]
TENDING = [
    ["deliveries", "retry", "1"],
    ["deliveries", "release", "1"],
    ["deliveries", "drop", "1"],
    ["silence", "end", "1"],
]


def told(text: str) -> dict[str, str]:
    """`word   what` lines as a mapping."""
    return {line.split(" ", 1)[0]: line.partition(" ")[2].strip() for line in text.splitlines() if line.strip()}


# --- what there is before anything ran ----------------------------------------------------------------------------


@pytest.mark.parametrize("words", READING + TENDING, ids=" ".join)
def test_looking_makes_no_database(here: Folder, words: list[str]) -> None:
    done = here.run(*words)

    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr == f"error: there is no database yet at {here.database}; `connector run` makes it\n"
    assert sorted(path.name for path in here.path.iterdir()) == ["config.yaml", "mappings"]


@pytest.mark.parametrize("words", [*READING, *TENDING, ["submit", "text"]], ids=" ".join)
def test_an_older_connectors_database_is_left_as_it_is(here: Folder, words: list[str]) -> None:
    here.migrated("0001")
    before = hashlib.sha256(here.database.read_bytes()).hexdigest()
    done = here.run(*words)

    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr == (
        f"error: the database is that of an older connector (schema 0001, this one needs {HEAD}):"
        " stop that one, then `connector run` brings it up to date\n"
    )
    assert hashlib.sha256(here.database.read_bytes()).hexdigest() == before
    assert not list(here.path.glob("*.bak"))


@pytest.mark.parametrize("words", [*READING, *TENDING, ["submit", "text"]], ids=" ".join)
def test_a_newer_connectors_database_is_left_as_it_is(here: Folder, words: list[str]) -> None:
    here.migrated("9999")
    done = here.run(*words)

    assert (done.exit_code, done.stdout) == (1, "")
    assert "written by a newer connector (schema 9999" in done.stderr
    assert done.stderr.endswith("upgrade\n")


def test_a_file_that_is_no_database_is_told(here: Folder) -> None:
    here.database.write_bytes(b"hello, I am a letter\n" * 100)
    done = here.run("status")

    assert done.exit_code == 1
    assert done.stderr == f"error: store: sqlite:///{here.database} cannot be read: file is not a database\n"


def test_looking_waits_for_no_writer(here: Folder) -> None:

    here.run("submit", "text")
    store = Store(f"sqlite:///{here.database}")
    with store.begin():
        assert here.run("status").exit_code == 0
    store.close()


# --- submit -------------------------------------------------------------------------------------------------------


def test_a_text_is_accepted_once(here: Folder) -> None:
    words = ("submit", "Где мой заказ?", "--url", "https://x.example/1", "--author", "Анна")
    first, second = here.run(*words), here.run(*words)

    assert (first.exit_code, first.stdout) == (0, "1 accepted, 0 known already\n")
    assert first.stderr == "it waits until a connector runs: `connector run`\n"
    assert (second.exit_code, second.stdout, second.stderr) == (0, "0 accepted, 1 known already\n", "")
    (row,) = here.json("deliveries", "list")
    assert (row["kind"], row["state"], row["source"], row["account"]) == ("mention", "ready", "found", "desk")


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv", "id,text,author.id\n1,one,ann\n2,two,bob\n"),
        (
            "a.jsonl",
            '{"id": "1", "text": "one", "author": {"id": "a"}}\n{"id": "2", "text": "two", "author": {"id": "a"}}\n',
        ),
        (
            "a.json",
            '[{"id": "1", "text": "one", "author": {"id": "a"}}, {"id": "2", "text": "two", "author": {"id": "a"}}]',
        ),
    ],
)
def test_a_file_of_them_is_accepted_once(here: Folder, name: str, content: str) -> None:
    file = here.write(name, content)

    assert here.run("submit", "--file", file).stdout == "2 accepted, 0 known already\n"
    assert here.run("submit", "--file", file).stdout == "0 accepted, 2 known already\n"


def test_a_private_message_handed_in_comes_onto_the_ticket_that_waits_for_it(here: Folder) -> None:
    public = '{"id": "1", "text": "help", "author": {"id": "ann"}, "thread_id": "t"}'
    private = '{"id": "2", "text": "my number", "author": {"id": "ann"}, "thread_id": "dm", "kind": "dm"}'
    here.run("submit", "--file", here.write("a.jsonl", public))
    store = Store(f"sqlite:///{here.database}")
    with store.begin() as tx:
        tx.execute(sa.update(conversations).values(ticket="7"))
        assert privates.heed(tx, "desk", TicketId("7"), "move_to_private", there=True)
    here.run("submit", "--file", here.write("b.jsonl", private))
    with store.read() as tx:
        assert tx.execute(sa.select(conversations.c.ticket)).scalars().all() == ["7", "7"]
    store.close()


def test_a_file_with_a_mistake_is_not_accepted_at_all(here: Folder) -> None:
    file = here.write("a.csv", "id,text,author.id,created_at\n1,one,ann,\n2,two,bob,yesterday\n")
    done = here.run("submit", "--file", file)

    assert done.exit_code == 78
    assert lines(done.stdout)[0].startswith(f"{file}:3:")
    assert "nothing was started or changed" in done.stderr
    assert not here.database.exists()


@pytest.mark.parametrize("text", ["", "   "])
def test_a_text_that_says_nothing_is_refused(here: Folder, text: str) -> None:
    done = here.run("submit", text)

    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr.endswith("Error: the TEXT is empty\n")
    assert not here.database.exists()


def test_which_manual_source_has_to_be_clear(tmp_path: Path) -> None:
    none = folder(tmp_path / "none", edit=lambda text: text.replace("  found: {type: manual, helpdesk: desk}\n", ""))
    two = folder(tmp_path / "two", edit=lambda text: text + "  other: {type: manual, helpdesk: desk}\n")

    assert "there is no source of type manual; add one" in none.run("submit", "text").stderr
    assert two.run("submit", "text").stderr == "error: say which with --source: found, other\n"
    assert 'did you mean "other"?' in two.run("submit", "text", "--source", "othr").stderr
    assert two.run("submit", "text", "--source", "feed").exit_code == 1
    assert two.run("submit", "text", "--source", "other").exit_code == 0


# --- status -------------------------------------------------------------------------------------------------------


def test_the_status_of_nothing_names_every_account(here: Folder) -> None:
    here.migrated()
    done = here.run("status")

    assert (done.exit_code, done.stderr) == (0, "")
    rows = told(done.stdout)
    assert rows["not"] == "running here"
    assert set(rows) >= {"desk", "feed", "found", "replies", "balance"}
    assert rows["balance"].startswith("0 received = 0 ticketed")
    assert here.json("status")["running"] is None


def test_the_status_tells_what_waits_and_what_was_carried(live: Folder) -> None:
    live.run("submit", "one")
    waiting = live.run("status")
    live.carry()
    live.run("submit", "two")
    live.run("submit", "two")
    live.carry()
    done = live.run("status")

    assert "mention ready 1" in "\n".join(lines(waiting.stdout))
    assert "oldest    waiting since 0 s" in waiting.stdout
    assert told(done.stdout)["balance"].startswith("3 received = 2 ticketed + 0 appended + 1 duplicates")
    assert done.exit_code == 0
    status = live.json("status")
    assert status["balance"]["even"] is True
    assert status["first_answers"] == {"watched": 0, "past_target": 0, "late": 0}
    assert {account["name"]: account["type"] for account in status["accounts"]} == {
        "desk": "zendesk", "feed": "webhook", "found": "manual",
    }  # fmt: skip


@pytest.mark.parametrize("state", ["failed", "unsure", "held"])
def test_what_needs_somebody_is_exit_code_1(here: Folder, state: str) -> None:
    here.run("submit", "one")
    here.sql("UPDATE deliveries SET state = ?", state)
    done = here.run("status")

    assert done.exit_code == 1
    assert done.stderr == "1 needs somebody: connector deliveries list --state held,failed,unsure\n"


def test_the_status_counts_whose_first_answer_is_awaited_and_late(live: Folder) -> None:
    live.mapping("deadlines: {}\n", "20-deadlines.yaml")
    for text in ("one", "two", "three"):
        live.run("submit", text)
    live.carry()
    assert told(live.run("status").stdout)["awaited"] == "3 first answers"
    live.sql("UPDATE watches SET target = 1 WHERE delivery > ?", 1)
    live.sql("UPDATE watches SET breach = 1 WHERE delivery > ?", 2)
    done = live.run("status")
    assert told(done.stdout)["awaited"] == "3 first answers, 2 past the target, 1 of them late"
    assert done.exit_code == 0, "it is the agents' turn, not the operator's"
    assert live.json("status")["first_answers"] == {"watched": 3, "past_target": 2, "late": 1}


def test_a_stopped_account_is_exit_code_1(here: Folder) -> None:
    here.migrated()
    here.sql("INSERT INTO accounts (name, stopped, stopped_at) VALUES ('desk', 'the token is not valid', 1)")
    done = here.run("status")

    assert done.exit_code == 1
    assert "STOPPED" in done.stdout
    assert "the token is not valid" in done.stdout


def test_a_ledger_that_is_not_even_is_exit_code_1(here: Folder) -> None:
    here.run("submit", "one")
    here.sql("UPDATE counters SET received = received + 1")

    assert here.run("status").exit_code == 1
    assert "≠ NOT" in here.run("status").stdout
    assert here.run("verify", "--offline").exit_code == 1
    assert here.json("verify", "--offline")["even"] is False


# --- deliveries ---------------------------------------------------------------------------------------------------


def test_deliveries_are_listed_and_shown(live: Folder) -> None:
    live.run("submit", "Terrible service!", "--url", "https://x.example/1")
    live.carry()
    listed = live.run("deliveries", "list")
    shown = live.run("deliveries", "show", "1")

    assert lines(listed.stdout)[0] == "id kind state source ticket born what"
    assert lines(listed.stdout)[1].startswith("1 mention done found 1 ")
    rows = told(shown.stdout)
    assert rows["delivery"] == "1  mention → desk"
    assert rows["state"] == "done, 1 attempt" or rows["state"] == "done, 0 attempts"
    assert "ticket 1" in rows["about"]
    assert "Terrible service!" in shown.stdout
    assert live.run("deliveries", "show", "ticket:1").stdout == shown.stdout
    assert live.json("deliveries", "show", "1")["ticket"] == "1"


def test_a_list_of_nothing_says_so_beside_the_answer(here: Folder) -> None:
    here.migrated()

    assert here.run("deliveries", "list").stderr == "none\n"
    assert here.run("deliveries", "list").stdout == ""
    assert here.json("deliveries", "list") == []
    wrong = here.run("deliveries", "list", "--source", "fund")
    assert wrong.exit_code == 2
    assert 'there is no source "fund" — did you mean "found"?' in wrong.stderr


def test_a_list_can_be_narrowed(here: Folder) -> None:
    for text in ("one", "two", "three"):
        here.run("submit", text)
    here.sql("UPDATE deliveries SET state = 'failed' WHERE id = 2")

    assert [row["id"] for row in here.json("deliveries", "list")] == [3, 2, 1]
    assert [row["id"] for row in here.json("deliveries", "list", "--state", "failed,held")] == [2]
    assert [row["id"] for row in here.json("deliveries", "list", "--limit", "1")] == [3]
    assert here.json("deliveries", "list", "--kind", "reply,note") == []
    assert here.json("deliveries", "list", "--source", "feed") == []


@pytest.mark.parametrize("reference", ["99", "found:nobody", "ticket:99"])
def test_a_delivery_that_is_not_there_is_told(here: Folder, reference: str) -> None:
    here.migrated()
    done = here.run("deliveries", "show", reference)

    assert (done.exit_code, done.stdout) == (1, "")
    assert f'knows nothing of "{reference}"' in done.stderr


def test_what_failed_is_sent_again(live: Folder) -> None:
    live.run("submit", "one")
    live.sql("UPDATE deliveries SET state = 'failed', reason = 'no'")
    live.sql("UPDATE conversations SET live_in = 0")
    done = live.run("deliveries", "retry", "1")
    live.carry()

    assert (done.exit_code, done.stdout, done.stderr) == (0, "delivery 1 goes again\n", "")
    assert live.json("deliveries", "show", "1")["state"] == "done"


def test_what_is_held_is_released(here: Folder) -> None:
    here.run("submit", "one")
    here.sql("UPDATE deliveries SET state = 'held', reason = 'shadow'")
    here.sql("UPDATE conversations SET live_in = 0")

    assert here.run("deliveries", "release", "1").stdout == "delivery 1 is released\n"
    assert here.run("deliveries", "release", "1").stderr == "delivery 1 is ready; this is for held\n"


def test_what_is_dropped_counts_as_ignored(here: Folder) -> None:
    here.run("submit", "one")
    done = here.run("deliveries", "drop", "1", "--reason", "a test")

    assert (done.exit_code, done.stdout) == (0, "delivery 1 is dropped\n")
    assert "1 ignored (dropped: a test 1)" in here.run("verify", "--offline").stdout
    assert here.run("deliveries", "drop", "1").exit_code == 1


@pytest.mark.parametrize("verb", ["retry", "release", "drop"])
def test_one_wrong_number_keeps_none_of_the_others(here: Folder, verb: str) -> None:
    here.run("submit", "one")
    here.sql("UPDATE deliveries SET state = 'held'")
    here.sql("UPDATE conversations SET live_in = 0")
    done = here.run("deliveries", verb, "99", "1")

    assert done.exit_code == 1
    assert done.stderr == "there is no delivery 99\n"
    assert done.stdout.startswith("delivery 1 ")


@pytest.mark.parametrize("verb", ["retry", "release"])
def test_what_is_done_is_never_done_again(live: Folder, sandbox: ZendeskSandbox, verb: str) -> None:
    live.run("submit", "one")
    live.carry()
    done = live.run("deliveries", verb, "1")
    live.carry()

    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr.startswith("delivery 1 is done; ")
    assert len(sandbox.tickets()) == 1


@pytest.mark.parametrize("number", ["0", "-1", str(2**70)])
def test_a_number_no_delivery_can_have_is_told(here: Folder, number: str) -> None:
    here.migrated()

    assert here.run("deliveries", "retry", "--", number).exit_code == 2
    assert here.run("deliveries", "show", "--", number).exit_code == 1


# --- verify -------------------------------------------------------------------------------------------------------


def test_an_even_ledger_is_proved_at_the_helpdesk(live: Folder) -> None:
    for text in ("one", "two"):
        live.run("submit", text)
    live.carry()
    done = live.run("verify")

    assert (done.exit_code, done.stderr) == (0, "")
    assert done.stdout.startswith("2 received = 2 ticketed")
    assert "2 tickets looked up: 0 missing, 0 doubled, 0 moved" in done.stdout
    assert done.stdout.endswith("nothing is lost, nothing is doubled in the ledger and at the helpdesk\n")
    assert live.run("verify", "--offline").stdout.endswith("doubled in the ledger\n")
    assert live.run("verify", "--limit", "1").stdout.count("1 ticket looked up") == 1


def test_a_ticket_that_is_missing_is_found_out(live: Folder, sandbox: ZendeskSandbox) -> None:
    live.run("submit", "one")
    live.carry()
    sandbox.delete(1)
    done = live.run("verify")

    assert done.exit_code == 1
    assert "1 ticket looked up: 1 missing, 0 doubled, 0 moved" in done.stdout
    assert ": ticket 1 is not at desk" in done.stdout
    assert len(live.json("verify")["missing"]) == 1
    assert live.run("verify", "--offline").exit_code == 0


def test_a_ticket_that_is_doubled_is_found_out(live: Folder, sandbox: ZendeskSandbox) -> None:
    live.run("submit", "one")
    live.carry()
    with sandbox.desk.turn():
        sandbox.desk.put("ticket", sandbox.desk.tickets[1] | {"id": 77})
    done = live.run("verify")

    assert done.exit_code == 1
    assert "0 missing, 1 doubled" in done.stdout
    assert ": tickets 1, 77 at desk" in done.stdout
    assert len(live.json("verify")["doubled"]) == 1


def test_a_ticket_that_is_another_one_is_told(live: Folder) -> None:
    live.run("submit", "one")
    live.carry()
    live.sql("UPDATE conversations SET ticket = '5'")
    done = live.run("verify")

    assert "1 moved" in done.stdout
    assert "the journal says 5, desk says 1" in done.stdout


def test_a_helpdesk_that_is_away_is_no_proof(live: Folder, sandbox: ZendeskSandbox) -> None:
    live.run("submit", "one")
    live.carry()
    sandbox.stop()
    done = live.run("verify")

    assert done.exit_code == 1
    assert done.stderr.startswith("error: desk ")
    assert "cannot connect" in done.stderr


# --- reload -------------------------------------------------------------------------------------------------------


def test_a_reload_without_a_running_connector_says_so(here: Folder) -> None:
    done = here.run("reload")

    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr == "error: no connector runs on this configuration here; `connector run` starts one\n"


def test_a_file_left_over_by_a_crash_names_nobody(here: Folder) -> None:
    """Its number is that of a living process, which must get no signal."""
    here.migrated()
    here.write("config.yaml.pid", str(os.getppid()))

    assert here.run("reload").exit_code == 1
    assert here.json("status")["running"] is None


def test_a_process_that_lives_holds_its_file(here: Folder) -> None:
    here.migrated()
    with Path(here.write("config.yaml.pid", "4711")).open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)

        assert here.json("status")["running"] == 4711
        assert here.run("status").stdout.startswith("running as process 4711\n")


def test_a_reload_checks_the_files_first(here: Folder) -> None:
    here.mapping("rules:\n  - name: a\n    set: {priority: hihg}\n")
    done = here.run("reload")

    assert done.exit_code == 78
    assert "10-rules.yaml:3:21" in done.stdout
