"""The commands explain themselves, and wrong usage is told as such."""

from __future__ import annotations

from collections.abc import Iterator

import click
import pytest
from cli_builders import Folder
from click.testing import CliRunner

from connector import __version__
from connector.cli import cli


def commands(
    group: click.Group = cli, words: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    yield words, group
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from commands(command, (*words, name))
        else:
            yield (*words, name), command


ALL = list(commands())


@pytest.mark.parametrize(
    ("words", "command"), ALL, ids=lambda part: " ".join(part) if isinstance(part, tuple) else ""
)
def test_its_help_says_what_it_is_for(words: tuple[str, ...], command: click.Command) -> None:
    done = CliRunner().invoke(cli, [*words, "--help"])

    assert done.exit_code == 0
    assert done.stderr == ""
    assert done.stdout.startswith("Usage: ")
    sentence = (command.help or "").split("\n\n")[0]
    assert sentence[:1].isupper()
    assert sentence.rstrip().endswith(".")
    for option in command.params:
        if isinstance(option, click.Option):
            assert (option.help or "")[:1].isupper(), (words, option.name)
            assert (option.help or "").endswith(".") or option.type.name == "choice", (words, option.name)


@pytest.mark.parametrize("words", [words for words, command in ALL if isinstance(command, click.Group)], ids=" ".join)
def test_a_list_of_commands_shows_whole_sentences(words: tuple[str, ...]) -> None:
    shown = CliRunner().invoke(cli, [*words, "--help"]).stdout

    assert "..." not in shown.partition("Commands:")[2]


@pytest.mark.parametrize(
    "words",
    [
        ["nonsense"],
        ["check", "--nonsense"],
        ["explain"],
        ["explain", "1", "--file", __file__],
        ["submit"],
        ["submit", "text", "--file", __file__],
        ["submit", "--file", "/nowhere"],
        ["preview"],
        ["schema", "everything"],
        ["deliveries", "show"],
        ["deliveries", "retry"],
        ["deliveries", "retry", "one"],
        ["deliveries", "drop", "1.5"],
        ["deliveries", "list", "--state", "done,lost"],
        ["deliveries", "list", "--kind", "mentions"],
        ["deliveries", "list", "--limit", "-1"],
        ["verify", "--limit", "-1"],
        ["init", "--hours", "0"],
        ["init", "--helpdesk", "jira"],
        ["doctor", "nobody"],
        ["doctor", "feed"],
        ["doctor", "--apply", "--json"],
    ],
    ids=" ".join,
)
def test_wrong_usage_is_exit_code_2_and_says_so_on_stderr(here: Folder, words: list[str]) -> None:
    done = here.run(*words)

    assert done.exit_code == 2
    assert done.stdout == ""
    assert "Usage: connector" in done.stderr


def test_a_wrong_word_is_told_with_what_was_meant(here: Folder) -> None:
    assert 'did you mean "failed"' in here.run("deliveries", "list", "--state", "faild").stderr


def test_it_tells_its_version() -> None:
    assert CliRunner().invoke(cli, ["--version"]).stdout == f"connector, version {__version__}\n"


@pytest.mark.parametrize(
    "words",
    [
        ["check"],
        ["doctor"],
        ["run"],
        ["status"],
        ["submit", "text"],
        ["deliveries", "list"],
        ["deliveries", "show", "1"],
        ["deliveries", "retry", "1"],
        ["deliveries", "release", "1"],
        ["deliveries", "drop", "1"],
        ["explain", "1"],
        ["verify"],
        ["reload"],
    ],
    ids=" ".join,
)
def test_without_a_configuration_it_says_what_to_do(
    words: list[str], tmp_path: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(str(tmp_path))
    done = CliRunner().invoke(cli, words, catch_exceptions=False)

    assert done.exit_code == 78
    assert done.stdout == ""
    assert done.stderr == "there is no config.yaml; `connector init` writes one, `connector demo` needs none\n"


def test_the_configuration_may_be_named_in_the_environment(here: Folder) -> None:
    done = CliRunner().invoke(cli, ["check"], env={"CONNECTOR_CONFIG": str(here.file)})

    assert done.exit_code == 0, done.output


@pytest.mark.parametrize(
    "words",
    [
        ["doctor"],
        ["run"],
        ["status"],
        ["submit", "text"],
        ["deliveries", "list"],
        ["verify"],
        ["reload"],
        ["explain", "1"],
    ],
)
def test_a_wrong_configuration_is_told_whole_and_nothing_is_touched(here: Folder, words: list[str]) -> None:
    text = here.file.read_text(encoding="utf-8").replace("token: try-me-out", "tokn: x").replace("email:", "mail:")
    here.file.write_text(text, encoding="utf-8")
    done = here.run(*words)

    assert done.exit_code == 78
    assert "config.yaml:8:5" in done.stdout
    assert 'unknown key "mail" — did you mean "email"?' in done.stdout
    assert 'unknown key "tokn" — did you mean "token"?' in done.stdout
    assert done.stderr.endswith("nothing was started or changed\n")
    assert not here.database.exists()
