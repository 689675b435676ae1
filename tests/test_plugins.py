"""Adapters are found by entry point, ours and those of other packages alike."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.metadata import EntryPoint

import pytest

from connector import plugins
from connector.errors import ConnectorError
from connector.helpdesks.base import Helpdesk
from connector.sources.base import Source


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, dict[str, str]]]:
    """What other packages bring, beside ours: group → name → value."""
    more: dict[str, dict[str, str]] = {}
    real = plugins.entry_points

    def found(*, group: str) -> list[EntryPoint]:
        others = [EntryPoint(name, value, group) for name, value in more.get(group, {}).items()]
        return [*real(group=group), *others]

    monkeypatch.setattr(plugins, "entry_points", found)
    plugins._found.cache_clear()
    yield more
    plugins._found.cache_clear()


def test_every_adapter_of_ours_is_found_and_is_what_it_says() -> None:
    assert plugins.source_types() == ["bluesky", "listening", "manual", "rss", "webhook", "wordpress"]
    assert plugins.helpdesk_types() == ["freshdesk", "zendesk"]
    for kind in plugins.source_types():
        assert issubclass(plugins.source_class(kind), Source)
        assert plugins.source_class(kind).type == kind
    for kind in plugins.helpdesk_types():
        assert issubclass(plugins.helpdesk_class(kind), Helpdesk)
        assert plugins.helpdesk_class(kind).type == kind


def test_one_of_another_package_is_found_the_same_way(installed: dict[str, dict[str, str]]) -> None:
    installed[plugins.SOURCES] = {"memory": "connector.testing.memory:MemorySource"}

    assert "memory" in plugins.source_types()
    assert issubclass(plugins.source_class("memory"), Source)


@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        ("nowhere.at_all:Thing", 'the adapter "broken" cannot be loaded: No module named'),
        ("connector.sources.rss:Nothing", 'the adapter "broken" cannot be loaded: '),
        ("connector.helpdesks.zendesk:Zendesk", "is not a Source"),
        ("connector.sources.rss:_NAME", "cannot be loaded"),
        ("json:dumps", 'the adapter "broken" (json:dumps) is not a Source'),
    ],
)
def test_one_that_is_none_is_told_in_a_sentence(
    value: str, sentence: str, installed: dict[str, dict[str, str]]
) -> None:
    installed[plugins.SOURCES] = {"broken": value}
    with pytest.raises(ConnectorError) as caught:
        plugins.source_class("broken")

    assert sentence in str(caught.value)


def test_a_type_nobody_brings_is_a_lookup_error() -> None:
    with pytest.raises(LookupError):
        plugins.source_class("telepathy")
    with pytest.raises(LookupError):
        plugins.helpdesk_class("telepathy")
