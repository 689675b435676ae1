"""connector forget: shown first, asked, done, and said what is left to do elsewhere."""

from __future__ import annotations

import json

from cli_builders import Folder, lines

WORDS = ("hunter2", "Annabel")


def said(folder: Folder, name: str = "Annabel", text: str = "my password is hunter2") -> None:
    """Somebody's post, found by a colleague, becomes a ticket."""
    post = {"id": f"p{len(text)}", "text": text, "author": {"id": f"u-{name}", "name": name, "handle": name.lower()}}
    path = folder.write("mention.jsonl", json.dumps(post) + "\n")
    assert folder.run("submit", "--file", path).exit_code == 0
    folder.carry()


def journal(folder: Folder) -> str:
    """All that stands in the tables that hold what people said."""
    tables = ("mentions", "deliveries", "parts", "replies")
    return "\n".join(str(row) for table in tables for row in folder.sql(f"SELECT * FROM {table}"))


def test_it_shows_what_it_will_do_and_asks(live: Folder) -> None:
    said(live)
    done = live.run("forget", "@annabel", input="n\n")

    assert done.exit_code == 0
    assert lines(done.stdout)[:2] == [
        "author manual:u-Annabel Annabel @annabel",
        "erases 1 mention in 1 conversation, and how they were decided and sent",
    ]
    assert "stays     at desk: 1\n" in done.stdout
    assert "permanently delete them (DELETE /api/v2/deleted_users/ID)" in done.stdout
    assert done.stderr == "Erase this? [y/N]: n\nnothing was erased\n"
    assert all(word in journal(live) for word in WORDS)


def test_after_a_yes_it_is_gone_and_the_same_post_makes_no_second_ticket(live: Folder) -> None:
    said(live)
    done = live.run("forget", "manual:u-Annabel", input="y\n")

    assert (done.exit_code, done.stderr) == (0, "Erase this? [y/N]: y\nerased\n")
    assert not [word for word in WORDS if word in journal(live)]
    again = live.run("submit", "--file", str(live.path / "mention.jsonl"))
    assert again.stdout == "0 accepted, 1 known already\n"
    assert live.run("verify").exit_code == 0
    assert live.run("status").exit_code == 0


def test_a_script_sees_the_plan_and_erases_with_yes_only(live: Folder) -> None:
    said(live)
    plan = live.json("forget", "annabel")
    assert (plan["erased"], plan["mentions"], plan["stays"]) == (False, 1, [{"helpdesk": "desk", "ticket": "1"}])
    assert "hunter2" in journal(live)
    assert live.json("forget", "annabel", "--yes")["erased"] is True
    assert "hunter2" not in journal(live)


def test_without_anybody_to_ask_nothing_happens(live: Folder) -> None:
    said(live)
    done = live.run("forget", "annabel", input="")
    assert done.exit_code == 1
    assert "hunter2" in journal(live)


def test_nobody_and_several_are_told(live: Folder) -> None:
    said(live)
    live.sql("UPDATE mentions SET author = ?", "other:x")
    said(live, text="me again")
    said(live, "annabel", "me too")
    several = live.run("forget", "annabel", "--yes")
    assert (several.exit_code, several.stderr) == (
        1,
        'error: "annabel" are several: manual:u-Annabel, manual:u-annabel, other:x; say which\n',
    )
    nobody = live.run("forget", "nobody", "--yes")
    assert nobody.exit_code == 1
    assert nobody.stderr.startswith(
        'error: the journal knows nobody called "nobody"; an identity is what tickets carry'
    )


def test_what_was_erased_is_not_explained_any_more(live: Folder) -> None:
    said(live)
    live.run("forget", "annabel", "--yes")
    done = live.run("explain", "1")
    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr.startswith("error: what delivery 1 said was erased")
    assert live.run("deliveries", "list").exit_code == 0
    assert live.run("deliveries", "show", "1").exit_code == 0


def test_a_helpdesk_that_is_not_configured_any_more_is_no_obstacle(live: Folder) -> None:
    said(live)
    live.sql("UPDATE conversations SET helpdesk = ?", "gone")
    done = live.run("forget", "annabel", "--yes")
    assert "stays     at gone: 1\n          erase the tickets and the requester there by hand\n" in done.stdout
