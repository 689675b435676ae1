"""A folder that works, and a sandbox to point it at."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from cli_builders import Folder, folder

from connector.testing.simulators.zendesk import ZendeskSandbox


@pytest.fixture(autouse=True)
def _own_environment() -> Iterator[None]:
    """What a .env file brings in ends with the test."""
    before = dict(os.environ)
    yield
    os.environ.clear()
    os.environ.update(before)


@pytest.fixture
def here(tmp_path: Path) -> Folder:
    """An installation whose helpdesk is away."""
    return folder(tmp_path / "here")


@pytest.fixture
def sandbox() -> Iterator[ZendeskSandbox]:
    """A Zendesk account that answers."""
    with ZendeskSandbox(rate_limit=None) as running:
        running.start()
        yield running


@pytest.fixture
def live(tmp_path: Path, sandbox: ZendeskSandbox) -> Folder:
    """An installation whose helpdesk is the sandbox."""
    return folder(tmp_path / "live", desk=sandbox.address)
