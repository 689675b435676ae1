"""`tone report`: what agents changed, told and written for training; before anything was read back it says so."""

from __future__ import annotations

from cli_builders import Folder

from connector.model import TicketId, TicketState
from connector.store import Store, tickets
from connector.testing.simulators.zendesk import ZendeskSandbox


def test_before_anything_was_read_back_it_says_what_to_set(here: Folder) -> None:
    here.migrated()
    done = here.run("tone", "report")

    assert done.exit_code == 1
    assert "set `tone_field` of the helpdesk" in done.stderr


def test_what_agents_changed_is_told_and_written(live: Folder, sandbox: ZendeskSandbox) -> None:
    live.migrated()
    for n in range(3):
        live.run(
            "submit", f"This bomb is a terrible thing {n}", "--author", f"a{n}", "--url", f"https://x.example/{n}"
        )
    live.carry()
    store = Store(f"sqlite:///{live.database}")
    try:
        with store.begin() as tx:
            for one in sandbox.tickets():
                state = TicketState(TicketId(str(one["id"])), "solved", tone="tone_positive")
                tickets.note_state(tx, "desk", state)
    finally:
        store.close()
    told = live.run("tone", "report", "--export", str(live.path / "labels.tsv"))
    found = live.json("tone", "report")
    lines = (live.path / "labels.tsv").read_text("utf-8").splitlines()

    assert told.exit_code == 0, told.stderr
    assert "3 tickets with a tone, 0% left as it was read" in told.stdout
    assert (found["texts"], found["left"]) == (3, 0)
    assert "bomb" in {one["word"] for one in found["proposals"]}
    assert lines[0] == "text\tlabel\tlang\tsource"
    assert [line.split("\t")[1] for line in lines[1:]] == ["positive"] * 3
    assert live.run("tone", "evaluate", str(live.path / "labels.tsv")).exit_code == 0
