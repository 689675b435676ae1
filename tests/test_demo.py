"""`connector demo`, as somebody who just installed it runs it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest


@pytest.fixture(scope="module", params=["zendesk", "freshdesk"])
def shown(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """What it prints at each helpdesk, run in an empty folder with an empty temporary folder."""
    here, scratch = tmp_path_factory.mktemp("here"), tmp_path_factory.mktemp("scratch")
    done = subprocess.run(
        [sys.executable, "-W", "error::ResourceWarning", "-m", "connector", "demo", "--helpdesk", request.param,
         "--fast"],
        capture_output=True, cwd=here, env={"TMPDIR": str(scratch), "PYTHONUTF8": "1"}, timeout=120, check=False,
    )  # fmt: skip

    assert done.returncode == 0, done.stderr.decode()
    assert done.stderr.decode() == ""
    assert list(here.iterdir()) == []
    assert list(Path(scratch).iterdir()) == []
    lines = done.stdout.decode().splitlines()
    assert f"a {request.param.capitalize()} sandbox" in lines[2]
    return lines


def after(shown: list[str], chapter: str) -> list[str]:
    """The lines of one chapter."""
    begin = next(n for n, line in enumerate(shown) if line.startswith(chapter))
    end = next((n for n in range(begin + 1, len(shown)) if shown[n][:2].rstrip(".").isdigit()), len(shown))
    return shown[begin + 1 : end]


def test_every_chapter_is_told(shown: list[str]) -> None:
    assert [line for line in shown if line[:1].isdigit() and line[1:3] == ". "] == [
        "1. What people write becomes tickets",
        "2. Two of the tickets, whole",
        "3. Agents answer in the helpdesk",
        "4. Where they were asked, people read the answers",
        "5. The books",
    ]


def test_enough_is_said_in_it_to_be_believed(shown: list[str]) -> None:
    ledger = " ".join(line.strip() for line in after(shown, "5."))
    received = int(ledger.split(" received = ")[0])
    tickets = [line for line in after(shown, "1.") if line[:5].strip().isdigit() and "  +" not in line[:10]]

    assert received >= 40
    assert len(tickets) >= 20


def test_the_books_are_even_and_every_check_is_fine(shown: list[str]) -> None:
    books = after(shown, "5.")

    assert " received = " in " ".join(books)
    assert "NOT" not in " ".join(books)
    assert sum(line.strip().startswith("ok  ") for line in books) == 6
    assert shown[-1].strip().startswith("even, after ")


def test_answers_arrive_and_the_private_note_does_not(shown: list[str]) -> None:
    said, threads = "\n".join(after(shown, "3.")), "\n".join(after(shown, "4."))

    assert "private note, which has to stay here" in said
    assert threads.count("our answer") == 3
    assert "партии 0218" in said
    assert "партии 0218" not in threads


def test_a_terminal_of_100_columns_is_wide_enough(shown: list[str]) -> None:
    assert max(map(len, shown)) <= 100
    assert not any("\033" in line for line in shown)
