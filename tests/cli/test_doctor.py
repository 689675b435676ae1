"""doctor: what is missing is told with its steps, what can be made is made once, and no secret is printed."""

from __future__ import annotations

import json
import stat
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from cli_builders import Folder, folder, lines
from click.testing import CliRunner

from connector.cli import cli
from connector.testing.simulators.freshdesk import FreshdeskSandbox
from connector.testing.simulators.zendesk import ZendeskSandbox
from connector.testing.simulators.zendesk.limits import Limits

MAPPING = """\
rules:
  - name: a
    set: {group: PR, fields: {Topic: Late delivery, Followers: 3}}
"""


@pytest.fixture
def address() -> Iterator[str]:
    """Where the world reaches a connector: it refuses a call that nobody signed."""

    class Refusing(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            body = b'{"error":"the signature headers are missing"}'
            self.send_response(401 if self.path == "/hooks/desk" else 404)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Refusing)
    thread = Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()
    thread.join()


def without_secret(text: str) -> str:
    return text.replace("    webhook_secret: wh-s3cr3t\n", "")


def public(url: str) -> Any:
    return lambda text: without_secret(text).replace(
        "{listen: 127.0.0.1:0}", f'{{listen: "127.0.0.1:0", public_url: "{url}"}}'
    )


@pytest.fixture
def reached(tmp_path: Path, sandbox: ZendeskSandbox, address: str) -> Folder:
    """An installation whose address is known, and that has no webhook yet."""
    return folder(tmp_path / "reached", desk=sandbox.address, rules=MAPPING, edit=public(address))


def found(made: Folder, *words: str) -> dict[str, dict[str, Any]]:
    """The findings about the helpdesk by subject, as a script hears them."""
    rows = made.json("doctor", *words)["findings"]
    return {row["subject"]: row for row in rows if row["account"] == "desk"}


def posts(sandbox: ZendeskSandbox) -> int:
    return sum(count for name, count in sandbox.requests().items() if not name.startswith("GET "))


# --- looking ------------------------------------------------------------------------------------------------------


def test_where_all_is_well_it_says_so_and_touches_nothing(
    tmp_path: Path, sandbox: ZendeskSandbox, address: str
) -> None:
    sandbox.limits = Limits()
    well = folder(tmp_path / "well", desk=sandbox.address, edit=public(address))
    well.migrated()
    well.run("doctor", "--apply", "--yes", "desk", "--secret-file", str(well.path / "hook"))
    before = posts(sandbox)
    text = well.file.read_text(encoding="utf-8")
    well.file.write_text(
        text.replace("    api_token:", "    webhook_secret: !file hook\n    api_token:"), encoding="utf-8"
    )
    done = well.run("doctor")

    assert (done.exit_code, done.stderr) == (0, "all is well\n"), done.stdout
    told = lines(done.stdout)
    assert told[0] == f"here {well.file}"
    assert told[2] == f"ok public_url {address} leads to a connector that runs"
    assert f"desk zendesk, {sandbox.address}" in told
    assert "ok credentials as Анна Администратор, admin" in told
    assert "ok secret webhook_secret is the one it signs with" in told
    assert "found manual" in told
    assert "feed webhook" in told
    assert posts(sandbox) == before


def test_it_changes_nothing_and_makes_no_database(reached: Folder, sandbox: ZendeskSandbox) -> None:
    reached.run("doctor")

    assert posts(sandbox) == 0
    assert not reached.database.exists()


def test_a_token_that_is_not_ours_is_told_with_the_steps(tmp_path: Path, sandbox: ZendeskSandbox) -> None:
    done = folder(tmp_path / "live", desk=sandbox.address, token="wr0ng-t0ken").run("doctor")
    told = lines(done.stdout)

    assert done.exit_code == 1
    assert "wrong credentials Zendesk does not know this e-mail address and token" in told
    assert told[told.index("wrong credentials Zendesk does not know this e-mail address and token") + 1].startswith(
        "→ "
    )
    assert "wr0ng" not in done.output
    # the others are looked at all the same
    assert any(line.startswith("ok credentials takes calls at /hooks/feed") for line in told)


def test_a_helpdesk_that_is_away_is_in_the_way(here: Folder) -> None:
    done = here.run("doctor", "desk")

    assert done.exit_code == 1
    assert "unknown credentials cannot be asked: cannot connect: connection refused" in lines(done.stdout)
    assert "1 thing in the way" in done.stderr


def test_what_the_mapping_names_is_told_once_with_its_place(live: Folder) -> None:
    live.mapping(
        "rules:\n"
        "  - name: a\n"
        "    set:\n"
        "      group: Подержка\n"
        "      fields: {Topic: Late delivery, Tone: possitive}\n"
    )
    told = [row for row in live.json("doctor")["findings"] if "10-rules.yaml" in row["subject"] + row["sentence"]]
    said = {row["subject"].rpartition("/")[2]: (row["state"], row["sentence"]) for row in told}

    assert said["Topic"] == ("missing", 'there is no ticket field "Topic" (mappings/10-rules.yaml:5)')
    assert 'did you mean "Поддержка"?' in said["10-rules.yaml:4"][1]
    assert 'did you mean "positive"?' in said["10-rules.yaml:5"][1]
    assert said["Tone"][0] == "ok"
    assert len(told) == 4


def test_a_mapping_with_mistakes_keeps_nothing_else_from_being_looked_at(live: Folder) -> None:
    live.mapping("rules: [{name: a, set: {priority: hihg}}]\n")
    done = live.run("doctor")
    told = lines(done.stdout)

    assert done.exit_code == 1
    (mistake,) = [line for line in told if "10-rules.yaml:1" in line]
    assert mistake.startswith("wrong ")
    assert 'did you mean "high"?' in mistake
    assert "ok credentials as Анна Администратор, admin" in told


def test_one_helpdesk_can_be_looked_at_alone(live: Folder) -> None:
    accounts = {row["account"] for row in live.json("doctor", "desk")["findings"]}

    assert accounts == {"here", "desk"}
    assert {row["account"] for row in live.json("doctor")["findings"]} == {"here", "desk", "found", "feed"}


def test_both_helpdesks_are_looked_at(tmp_path: Path, sandbox: ZendeskSandbox) -> None:
    with FreshdeskSandbox(rate_limit=50) as other:
        other.start()
        block = f"  fresh:\n    type: freshdesk\n    base_url: {other.address}\n    api_key: sandbox\nsources:\n"
        both = folder(tmp_path / "both", desk=sandbox.address, edit=lambda text: text.replace("sources:\n", block))
        done = both.run("doctor", "fresh")
        limited = both.run("doctor", "--secret-file", "x")
        title = f"fresh freshdesk, {other.address}"

    assert done.exit_code == 0
    assert title in lines(done.stdout)
    assert "50 a minute: a trial" in done.stdout
    assert "Admin → Workflows → Automations" in done.stdout
    assert limited.exit_code == 2
    assert "--secret-file is for one helpdesk; name it: desk, fresh" in limited.stderr


def test_a_database_of_another_time_is_in_the_way(live: Folder) -> None:
    live.migrated("0001")
    done = live.run("doctor")

    assert done.exit_code == 1
    assert any(
        line.startswith("wrong store the database is that of an older connector") for line in lines(done.stdout)
    )


@pytest.mark.parametrize(
    ("url", "desk", "state", "in_the_way"),
    [
        ("", None, "missing", False),
        ("http://127.0.0.1:9", None, "unknown", False),
        ("http://localhost:9", "https://acme.zendesk.invalid", "wrong", True),
    ],
)
def test_the_address_of_ours_is_judged(
    tmp_path: Path, sandbox: ZendeskSandbox, url: str, desk: str | None, state: str, in_the_way: bool
) -> None:
    made = folder(tmp_path / "live", desk=desk or sandbox.address, edit=public(url))
    (row,) = [row for row in made.json("doctor")["findings"] if row["subject"] == "public_url"]

    assert (row["state"], row["state"] != "ok" and row["necessary"]) == (state, in_the_way)


def test_a_server_that_is_not_ours_behind_the_address_is_told(
    tmp_path: Path, sandbox: ZendeskSandbox, address: str
) -> None:
    made = folder(tmp_path / "live", desk=sandbox.address, edit=public(f"{address}/elsewhere"))
    (row,) = [row for row in made.json("doctor")["findings"] if row["subject"] == "public_url"]

    assert row["state"] == "unknown"
    assert row["sentence"].endswith("it answered HTTP 404")


# --- making -------------------------------------------------------------------------------------------------------


def test_it_asks_before_it_makes_anything(reached: Folder, sandbox: ZendeskSandbox) -> None:
    refused = reached.run("doctor", "--apply", input="n\n")
    assert refused.exit_code == 1
    assert "Make these at the helpdesk? [y/N]" in refused.stderr
    assert "desk: Topic: there is no ticket field" in refused.stderr
    assert posts(sandbox) == 0

    nobody = reached.run("doctor", "--apply", input="")
    assert nobody.exit_code == 1
    assert posts(sandbox) == 0

    agreed = reached.run("doctor", "--apply", input="y\n")
    told = lines(agreed.stdout)
    assert (
        'done desk: made the ticket field "Topic" (drop-down, with "Late delivery"); see that it stands on your'
        in (" ".join(told))
    )
    assert any(line.startswith('done desk: made the webhook "connector desk"') for line in told)
    # what remains is the human's: the secret
    assert told[told.index("what remains:") + 1] == (
        "missing desk: secret webhook_secret is not set, so its calls are refused"
    )
    assert agreed.exit_code == 1


def test_making_twice_makes_once(reached: Folder, sandbox: ZendeskSandbox) -> None:
    first = reached.json("doctor", "--apply", "--yes")
    made = posts(sandbox)
    second = reached.json("doctor", "--apply", "--yes")

    assert [(one["subject"], one["ok"]) for one in first["applied"]] == [("Topic", True), ("webhook", True)]
    assert second["applied"] == []
    assert posts(sandbox) == made == 2
    assert len(sandbox.desk.tables["webhook"]) == 1


def test_with_a_trigger_if_that_is_wanted(reached: Folder, sandbox: ZendeskSandbox) -> None:
    told = reached.json("doctor", "--apply", "--yes", "--by-trigger")

    assert [one["subject"] for one in told["applied"]] == ["Topic", "webhook", "trigger"]
    assert found(reached)["trigger"]["state"] == "ok"
    assert len(sandbox.desk.tables["trigger"]) == 1


def test_one_that_cannot_be_made_keeps_no_other_from_being_made(reached: Folder, sandbox: ZendeskSandbox) -> None:
    sandbox.faults.script = [{"method": "POST", "path": "/api/v2/ticket_fields", "fault": "error_5xx", "times": 1}]
    done = reached.run("doctor", "--apply", "--yes")

    assert done.exit_code == 1
    assert any(line.startswith("failed desk: Topic: could not be done: ") for line in lines(done.stdout))
    assert len(sandbox.desk.tables["webhook"]) == 1


def test_what_an_agent_may_not_make_is_told(tmp_path: Path, sandbox: ZendeskSandbox, address: str) -> None:
    agent = folder(
        tmp_path / "agent", desk=sandbox.address, email="agent@example.com", rules=MAPPING, edit=public(address)
    )
    told = agent.json("doctor", "--apply", "--yes")

    assert [(one["subject"], one["ok"]) for one in told["applied"]] == [("Topic", False)]
    assert "not allowed for this user" in told["applied"][0]["sentence"]


def test_a_field_for_replies_that_lacks_options_gets_them(tmp_path: Path, sandbox: ZendeskSandbox) -> None:
    made = folder(
        tmp_path / "live",
        desk=sandbox.address,
        edit=lambda text: text.replace("    api_token:", "    reply_field: Reply state\n    api_token:"),
    )
    checked = made.run("check", "--live")
    made.run("doctor", "--apply", "--yes")

    assert 'helpdesks.desk.reply_field  "Reply state" lacks the options "unsure", "kept"\n' in checked.stdout
    assert "config.yaml:9:18" in checked.stdout
    assert made.run("check", "--live").stdout == ""
    assert found(made)["Reply state"]["state"] == "ok"


# --- the secret ---------------------------------------------------------------------------------------------------


def test_the_signing_secret_goes_into_a_file_of_its_owner_and_nowhere_else(
    reached: Folder, sandbox: ZendeskSandbox
) -> None:
    file = reached.path / "secrets" / "desk"
    done = reached.run("doctor", "--apply", "--yes", "--secret-file", str(file))
    (hook,) = sandbox.desk.tables["webhook"].values()

    assert file.read_text(encoding="utf-8") == hook["secret"] + "\n"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert hook["secret"] not in done.output
    assert "webhook_secret: !file secrets/desk" in lines(done.stdout)

    text = reached.file.read_text(encoding="utf-8")
    with_file = text.replace("    api_token:", "    webhook_secret: !file secrets/desk\n    api_token:")
    reached.file.write_text(with_file, encoding="utf-8")
    assert found(reached)["secret"]["state"] == "ok"
    assert reached.run("doctor").exit_code == 0


def test_a_file_that_holds_it_already_is_closed_to_others_and_any_other_is_left_alone(
    reached: Folder, sandbox: ZendeskSandbox
) -> None:
    reached.run("doctor", "--apply", "--yes")
    (hook,) = sandbox.desk.tables["webhook"].values()
    same, other = Path(reached.write("same", hook["secret"])), Path(reached.write("other", "my diary"))
    same.chmod(0o644)

    assert "the signing secret stands in" in reached.run("doctor", "--secret-file", str(same)).stdout
    assert stat.S_IMODE(same.stat().st_mode) == 0o600
    refused = reached.run("doctor", "--secret-file", str(other))
    assert refused.exit_code == 1
    assert "holds something else; take it away, or name another file" in refused.stdout
    assert other.read_text(encoding="utf-8") == "my diary"


def test_without_a_webhook_there_is_no_secret_and_no_file(reached: Folder) -> None:
    told = reached.json("doctor", "--secret-file", str(reached.path / "secret"))

    assert not told["ok"] or not all(one["ok"] for one in told["applied"])
    assert "no webhook of this account calls us" in told["applied"][0]["sentence"]
    assert not (reached.path / "secret").exists()


# --- how it looks -------------------------------------------------------------------------------------------------


def test_colours_are_for_terminals(live: Folder) -> None:
    def said(**how: Any) -> str:
        return CliRunner().invoke(cli, ["-c", str(live.file), "doctor"], catch_exceptions=False, **how).stdout

    assert "\x1b[32m" in said(color=True)
    assert "\x1b[" not in said()
    assert "\x1b[" not in said(color=True, env={"NO_COLOR": "1"})


def test_a_script_hears_everything(reached: Folder) -> None:
    done = reached.run("doctor", "--json")
    told = json.loads(done.stdout)
    (topic,) = [row for row in told["findings"] if row["subject"] == "Topic"]

    assert done.stderr == ""
    assert told["ok"] is False
    assert topic["account"] == "desk"
    assert (topic["section"], topic["state"], topic["necessary"], topic["can_apply"]) == (
        "fields",
        "missing",
        True,
        True,
    )
    assert topic["steps"][0].endswith("Add field: Drop-down, named Topic")
