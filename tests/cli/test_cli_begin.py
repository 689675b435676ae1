"""init, sandbox, run: what is written can be used as it stands, and processes speak and end as they should."""

from __future__ import annotations

import json
import re
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest
from cli_builders import Folder, folder

from connector import config, plugins
from connector.helpdesks.freshdesk import FreshdeskOptions
from connector.testing.simulators.zendesk import ZendeskSandbox

SECRETS = "ZENDESK_API_TOKEN=sandbox\nFRESHDESK_API_KEY=sandbox\n"
PLATFORMS = plugins.source_types()


def secrets(made: Folder) -> str:
    """Every secret that is asked for, filled in: those of X and Telegram as they have to look."""
    names = re.findall(r"^(\w+)=$", (made.path / ".env.example").read_text(encoding="utf-8"), re.MULTILINE)
    own = {"X_ACCESS_TOKEN": "1-token"}
    wanted = [name for name in names if not name.startswith(("ZENDESK", "FRESHDESK"))]
    return SECRETS + "".join(f"{name}={own.get(name, '123456:' + 'A' * 35)}\n" for name in wanted)


def init(path: Path, *words: str, input: str | None = None, yes: bool = True) -> Folder:  # noqa: A002
    made = Folder(path)
    done = made.run("init", str(path), *(["--yes"] if yes else []), *words, input=input)
    assert done.exit_code == 0, done.output
    return made


@contextmanager
def process(*words: str) -> Iterator[subprocess.Popen[str]]:
    """The command as a process of its own; it ends with the block."""
    started = subprocess.Popen(
        [sys.executable, "-m", "connector", *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        yield started
    finally:
        started.kill()
        started.communicate()


# --- init ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["--platforms", "bluesky"],
        ["--platforms", "webhook, RSS ,manual,bluesky"],
        ["--platforms", ", ".join(PLATFORMS)],
        ["--hours", "1"],
        ["--hours", "72"],
    ],
)
def test_what_it_writes_passes_its_own_checks(tmp_path: Path, words: Sequence[str]) -> None:
    made = init(tmp_path / "new", *words)
    made.write(".env", secrets(made))
    checked, tested = made.run("check", "--strict"), made.run("test")

    assert (checked.exit_code, checked.stdout, checked.stderr) == (0, "", "0 errors, 0 warnings\n")
    assert tested.exit_code == 0, tested.stdout
    assert tested.stderr.endswith("0 failed\n")


@pytest.mark.parametrize("platform", PLATFORMS)
def test_each_platform_gets_what_it_needs_and_no_more(tmp_path: Path, platform: str) -> None:
    made = init(tmp_path / "new", "--platforms", platform)
    made.write(".env", secrets(made))
    (source,) = config.load(made.file).sources.values()
    text = made.file.read_text(encoding="utf-8").partition("sources:")[2]

    assert source.type == platform
    assert f"docs/sources/{platform}.md" in text
    assert "#poll" not in text
    assert len(text.strip().splitlines()) <= 9
    assert made.run("check", "--strict").exit_code == 0, made.run("check").stdout


def test_without_secrets_a_check_names_each_that_is_missing(tmp_path: Path) -> None:
    made = init(tmp_path / "new", "--platforms", "webhook,bluesky")
    made.write(".env", (made.path / ".env.example").read_text(encoding="utf-8"))
    done = made.run("check")

    assert done.exit_code == 1
    for name in ("ZENDESK_API_TOKEN", "FEED_TOKEN", "BSKY_APP_PASSWORD"):
        assert f"the environment variable {name} is empty; fill it in, there or in .env" in done.stdout
    assert done.stderr == "3 errors, 0 warnings\n"


def test_files_are_named_on_stdout_and_the_next_step_beside_it(tmp_path: Path) -> None:
    done = Folder(tmp_path / "new").run("init", str(tmp_path / "new"), "--yes")

    assert all(line.startswith("wrote ") for line in done.stdout.splitlines())
    assert done.stderr == "next: copy .env.example to .env and fill it in, then: connector doctor && connector test\n"


def test_it_asks_four_questions_and_who_you_are(tmp_path: Path) -> None:
    answers = (
        'webhook\nчайник, "quoted" \\ word\n4\nСтарший смены!\n'
        "zendesk\nhttps://Acme.zendesk.com/agent\nann@acme.example\n"
    )
    made = init(tmp_path / "new", input=answers, yes=False)
    text = made.file.read_text(encoding="utf-8")
    ours = (made.path / "mappings" / "90-ours.yaml").read_text(encoding="utf-8")
    made.write(".env", secrets(made))

    assert "base_url: https://acme.zendesk.com\n" in text
    assert "email: ann@acme.example\n" in text
    deadlines = (made.path / "mappings" / "35-deadlines.yaml").read_text(encoding="utf-8")
    assert "target: 4h, breach: 6h, ceiling: 24h" in deadlines
    assert "старший_смены" in ours
    assert made.run("check").exit_code == 0, made.run("check").stdout


def test_freshdesk_is_asked_for_what_freshdesk_needs(tmp_path: Path) -> None:
    answers = "webhook\nprice\n8\nlead\nFreshdesk\nhttps://Acme.freshdesk.com/a/tickets\n"
    made = init(tmp_path / "new", input=answers, yes=False)
    lacking = made.run("check")
    made.write(".env", secrets(made))
    desk = config.load(made.file).helpdesks["desk"]

    assert "the environment variable FRESHDESK_API_KEY" in lacking.stdout
    assert "FRESHDESK_API_KEY=\n" in (made.path / ".env.example").read_text(encoding="utf-8")
    assert "ZENDESK" not in lacking.stdout + made.file.read_text(encoding="utf-8")
    assert isinstance(desk, FreshdeskOptions)
    assert desk.base_url == "https://acme.freshdesk.com"
    assert made.run("check", "--strict").exit_code == 0, made.run("check").stdout


def test_scripts_name_the_helpdesk(tmp_path: Path) -> None:
    made = init(tmp_path / "new", "--helpdesk", "freshdesk", "--subdomain", "acme.freshdesk.com")

    assert "base_url: https://acme.freshdesk.com\n" in made.file.read_text(encoding="utf-8")


ODD = ["", "a: b", "#", "'", "{}", "\\", "  ", "!env X", "a,b,,c", "%s {words}"]


@pytest.mark.parametrize("helpdesk", ["zendesk", "freshdesk"])
@pytest.mark.parametrize("odd", ODD)
def test_odd_answers_make_no_broken_files(tmp_path: Path, odd: str, helpdesk: str) -> None:
    made = init(
        tmp_path / "new",
        "--topics",
        odd,
        "--unhappy",
        odd,
        "--subdomain",
        odd,
        "--email",
        odd,
        "--helpdesk",
        helpdesk,
    )
    made.write(".env", secrets(made))

    assert made.run("check").exit_code == 0, made.run("check").stdout


def test_an_unknown_platform_is_told_and_nothing_written(tmp_path: Path) -> None:
    done = Folder(tmp_path / "new").run("init", str(tmp_path / "new"), "--yes", "--platforms", "webhook,myspace")

    assert done.exit_code == 1
    told, known = done.stderr.removesuffix("\n").split("; there are ")
    assert told == 'error: "myspace" is not a platform we know'
    assert sorted(known.split(", ")) == PLATFORMS
    assert not (tmp_path / "new").exists()


def test_it_asks_nothing_where_it_would_write_over_something(tmp_path: Path) -> None:
    made = init(tmp_path / "new")
    done = made.run("init", str(made.path), input="webhook\n")

    assert (done.exit_code, "there already" in done.stderr, "1. On which" in done.stderr) == (1, True, False)


@pytest.mark.parametrize("present", ["config.yaml", ".env.example", "mappings/20-rules.yaml"])
def test_it_writes_over_nothing_unless_told(tmp_path: Path, present: str) -> None:
    made = init(tmp_path / "new")
    for path in [
        path for path in made.path.rglob("*") if path.is_file() and str(path.relative_to(made.path)) != present
    ]:
        path.unlink()
    (made.path / present).write_text("# mine\n", encoding="utf-8")
    done = made.run("init", str(made.path), "--yes")

    assert done.exit_code == 1
    assert done.stderr == f"error: there already: {made.path / present}; use --force to write over them\n"
    assert (made.path / present).read_text(encoding="utf-8") == "# mine\n"
    assert made.run("init", str(made.path), "--yes", "--force").exit_code == 0
    assert (made.path / present).read_text(encoding="utf-8") != "# mine\n"


def test_nobody_there_to_answer_is_no_traceback(tmp_path: Path) -> None:
    done = Folder(tmp_path / "new").run("init", str(tmp_path / "new"), input="")

    assert done.exit_code == 1
    assert "Aborted!" in done.stderr
    assert not (tmp_path / "new").exists()


# --- processes ----------------------------------------------------------------------------------------------------


def test_a_sandbox_tells_its_address_on_stdout_and_ends_when_told() -> None:
    with process("sandbox", "zendesk", "--port", "0") as running:
        assert running.stdout is not None
        address = running.stdout.readline().strip()
        with urllib.request.urlopen(f"{address}/_sandbox/state") as answer:
            assert json.load(answer)["tickets"] == []
        running.send_signal(signal.SIGINT)
        assert running.stderr is not None
        beside = running.stderr.read()

        assert running.wait(10) == 0
        assert beside.splitlines() == [
            f"tickets for a person: {address}/ · API: {address}/api/v2 · admin@example.com, token sandbox"
        ]


def test_a_pipe_that_is_closed_is_no_traceback(here: Folder) -> None:
    command = f"{sys.executable} -m connector schema config | head -1"
    done = subprocess.run(["bash", "-o", "pipefail", "-c", command], capture_output=True, text=True, check=False)

    assert done.stdout == "{\n"
    assert "Traceback" not in done.stderr


def test_a_running_one_is_known_reloaded_and_ends_clean(tmp_path: Path, sandbox: ZendeskSandbox) -> None:
    running_here = folder(
        tmp_path / "live", desk=sandbox.address, edit=lambda text: text + "log: {json_lines: true}\n"
    )
    with process("-c", str(running_here.file), "run") as running:
        assert running.stderr is not None
        seen: list[str] = []
        while not seen or "hooks and health on" not in seen[-1]:
            seen.append(running.stderr.readline())
            assert seen[-1], seen
        assert running_here.run("submit", "Terrible service!").stderr == ""
        running_here.mapping("rules: []\n")
        reloaded = running_here.run("reload")
        status = running_here.json("status")
        running_here.mapping("rules: [{name: a, set: {priority: hihg}}]\n")
        refused = running_here.run("reload")
        running.send_signal(signal.SIGTERM)
        rest = running.stderr.read()

        assert running.wait(20) == 0
        assert reloaded.stdout.startswith("reloaded, policy ")
        assert status["running"] == running.pid
        assert refused.exit_code == 78
        assert [json.loads(line)["event"] for line in rest.splitlines()][-1] == "stopped"
        assert not running_here.file.with_name("config.yaml.pid").exists()


@pytest.mark.parametrize("kind", ["zendesk", "freshdesk"])
def test_a_sandbox_whose_port_is_taken_says_so_with_the_way_out(tmp_path: Path, kind: str) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = Folder(tmp_path).run("sandbox", kind, "--port", str(port))

    assert done.exit_code == 1
    assert done.stderr.startswith(f"error: cannot listen on 127.0.0.1:{port}: ")
    assert done.stderr.endswith("; --port 0 takes a free one\n")
