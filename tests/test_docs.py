"""What the documents say is true: the example configuration loads and is whole, commands and pages are there."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner
from pydantic import BaseModel

from connector import config, plugins
from connector.cli import cli
from connector.config import DeliveryOptions, LogOptions, ServerOptions

ROOT = Path(__file__).parents[1]
EXAMPLE = ROOT / "config.example.yaml"
TEXT = EXAMPLE.read_text(encoding="utf-8")
PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))]

OFF = re.compile(r"^( *)#(?=[a-z_]+:)", re.MULTILINE)
"""An option that is off: # without a space."""


@pytest.fixture(autouse=True)
def _nothing_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in re.findall(r"!env (\w+)", TEXT):
        monkeypatch.delenv(name, raising=False)


def blocks(text: str, section: str) -> dict[str, str]:
    """The accounts of a section by their type, each with its own lines, options that are off taken in."""
    whole = OFF.sub(r"\1", text)
    body = re.split(r"^(\w+):.*$", whole, flags=re.MULTILINE)
    lines = body[body.index(section) + 1]
    found = {}
    for block in re.split(r"^  \w+:$", lines, flags=re.MULTILINE)[1:]:
        kind = re.search(r"^    type: (\w+)", block, re.MULTILINE)
        assert kind is not None
        found[kind[1]] = block
    return found


def models() -> Iterator[tuple[str, type[BaseModel], str]]:
    for kind, block in blocks(TEXT, "helpdesks").items():
        yield f"helpdesks.{kind}", plugins.helpdesk_class(kind).Options, block
    for kind, block in blocks(TEXT, "sources").items():
        yield f"sources.{kind}", plugins.source_class(kind).Options, block
    for name, model in (("server", ServerOptions), ("delivery", DeliveryOptions), ("log", LogOptions)):
        body = re.split(r"^(\w+):.*$", OFF.sub(r"\1", TEXT), flags=re.MULTILINE)
        yield name, model, body[body.index(name) + 1]


def test_the_example_loads_as_it_stands_with_nothing_in_the_environment() -> None:
    done = CliRunner().invoke(cli, ["-c", str(EXAMPLE), "check"])

    assert done.exit_code == 0, done.output
    assert "0 errors, 0 warnings" in done.output


@pytest.mark.parametrize(
    ("name", "model", "block"), list(models()), ids=lambda value: value if isinstance(value, str) else ""
)
def test_every_option_stands_in_the_example(name: str, model: type[BaseModel], block: str) -> None:
    missing = [key for key in model.model_fields if not re.search(rf"^\s+{key}:", block, re.MULTILINE)]

    assert not missing, f"{name} lacks {missing}"


def test_the_example_has_every_account_type_and_every_section() -> None:
    assert sorted(blocks(TEXT, "helpdesks")) == plugins.helpdesk_types()
    assert set(blocks(TEXT, "sources")) == set(plugins.source_types())
    assert not set(config.schema()["properties"]) - set(re.findall(r"^(\w+):", TEXT, re.MULTILINE))


def test_options_that_are_off_are_valid_when_they_are_switched_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    signing = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    for name in re.findall(r"!env (\w+)", TEXT):
        monkeypatch.setenv(name, signing)
    on = OFF.sub(r"\1", TEXT)
    without_oauth = re.sub(r"^ +oauth_token:.*\n", "", on, flags=re.MULTILINE)
    (tmp_path / "mappings").mkdir()
    (tmp_path / "config.yaml").write_text(without_oauth, encoding="utf-8")

    loaded = config.load(tmp_path / "config.yaml")

    assert set(loaded.sources) == {"feed", "found", "sky", "tool", "blog", "news"}


def test_defaults_shown_in_the_example_are_the_defaults() -> None:
    loaded = config.load(EXAMPLE)

    assert loaded.delivery == DeliveryOptions()
    assert loaded.server == ServerOptions()
    assert loaded.log == LogOptions()


def test_every_account_type_has_its_page_and_every_page_its_type() -> None:
    pages = {page.stem for page in (ROOT / "docs" / "sources").glob("*.md")}

    assert pages == set(plugins.source_types())


def commands() -> list[tuple[str, list[str]]]:
    """Each `connector …` that stands in a document as something to type."""
    found = []
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        shell = "\n".join(re.findall(r"```(?:sh|console|bash)\n(.*?)```", text, re.DOTALL))
        lines = re.findall(r"^(?:\$ )?(?:sudo \S+ )?connector ([^\n#|]*)", shell, re.MULTILINE)
        found += [(page.name, line.split()) for line in [*lines, *re.findall(r"`connector ([^`|]*)`", text)]]
    return found


@pytest.mark.parametrize(("page", "words"), commands())
def test_every_command_in_the_documents_exists_with_its_options(page: str, words: list[str]) -> None:
    command: click.Command = cli
    options: set[str] = {"-c", "--config", "-h", "--help", "--version"}
    for word in words:
        if word in ("&&", "then", "…"):
            break
        if word.startswith("-"):
            known = options | {name for parameter in command.params for name in parameter.opts}
            assert word.partition("=")[0].strip("[]") in known, f"{page}: {command.name} has no {word}"
        elif isinstance(command, click.Group) and not word.endswith((".yaml", "]")):
            found = command.commands.get(word)
            assert found is not None or command is not cli, f"{page}: there is no `connector {word}`"
            command = found or command


def test_every_link_between_the_documents_leads_somewhere() -> None:
    broken = [
        f"{page.name}: {target}"
        for page in PAGES
        for target in re.findall(r"\]\((?!https?://|#)([^)#\s]+)", page.read_text(encoding="utf-8"))
        if not (page.parent / target).exists()
    ]

    assert not broken
