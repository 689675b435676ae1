"""The keys of a Zendesk account in config.yaml."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from connector.helpdesks.zendesk import Zendesk, ZendeskOptions
from connector.http import Http
from connector.model import TicketId

LOGIN = {"email": "bot@acme.com", "api_token": "very-secret-token"}


def options(**given: Any) -> ZendeskOptions:
    return ZendeskOptions.model_validate({"type": "zendesk", "base_url": "https://acme.zendesk.com", **given})


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("https://acme.zendesk.com/", "https://acme.zendesk.com"),
        ("https://acme.zendesk.com/api/v2/", "https://acme.zendesk.com"),
        ("http://127.0.0.1:8081", "http://127.0.0.1:8081"),
        ("http://[::1]:8081", "http://[::1]:8081"),
        ("http://localhost:8081", "http://localhost:8081"),
    ],
)
def test_an_address_is_kept_plain(given: str, kept: str) -> None:
    assert options(base_url=given, **LOGIN).base_url == kept


@pytest.mark.parametrize(
    "given",
    [
        "acme",
        "ftp://acme.zendesk.com",
        "http://acme.zendesk.com",
        "https://u:p@acme.zendesk.com",
        "https://a/?x=1",
        "",
    ],
)
def test_another_address_is_refused(given: str) -> None:
    with pytest.raises(ValidationError, match="has to"):
        options(base_url=given, **LOGIN)


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"email": "bot@acme.com"},
        {"api_token": "x"},
        {"email": "bot@acme.com", "api_token": ""},
        {**LOGIN, "oauth_token": "y"},
        {"email": "bot@acme.com", "oauth_token": "y"},
    ],
)
def test_there_is_exactly_one_way_to_log_in(given: dict[str, str]) -> None:
    with pytest.raises(ValidationError, match="oauth_token"):
        options(**given)


def test_secrets_do_not_show() -> None:
    made = options(**LOGIN, webhook_secret="another-secret")
    desk = Zendesk("desk", made, Http("desk"))
    assert "very-secret-token" not in f"{made!r} {made} {desk!r}"
    assert "another-secret" not in f"{made!r} {made}"
    assert desk.ticket_url(TicketId("7")) == "https://acme.zendesk.com/agent/tickets/7"
    desk.close()
