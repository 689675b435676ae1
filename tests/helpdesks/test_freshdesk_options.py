"""The keys of a Freshdesk account in config.yaml."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from connector.helpdesks.freshdesk import Freshdesk, FreshdeskOptions
from connector.http import Http
from connector.model import TicketId


def options(**given: Any) -> FreshdeskOptions:
    whole = {"type": "freshdesk", "base_url": "https://acme.freshdesk.com", "api_key": "very-secret-key", **given}
    return FreshdeskOptions.model_validate(whole)


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("https://acme.freshdesk.com/", "https://acme.freshdesk.com"),
        ("https://acme.freshdesk.com/api/v2/", "https://acme.freshdesk.com"),
        ("http://127.0.0.1:8081", "http://127.0.0.1:8081"),
    ],
)
def test_an_address_is_kept_plain(given: str, kept: str) -> None:
    assert options(base_url=given).base_url == kept


@pytest.mark.parametrize("given", ["acme", "http://acme.freshdesk.com", "https://u:p@acme.freshdesk.com", ""])
def test_another_address_is_refused(given: str) -> None:
    with pytest.raises(ValidationError, match="has to"):
        options(base_url=given)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"key_in": "field"}, "needs key_field"),
        ({"key_in": "field", "key_field": " "}, "needs key_field"),
        ({"key_field": "cf_ref"}, "goes with key_in: field"),
        ({"key_in": "note"}, "tag"),
        ({"api_key": ""}, "is empty"),
        ({"webhook_header": "X Secret"}, "pattern"),
        ({"attachment_limit_mb": 21}, "20"),
        ({"source": 0}, "greater"),
        ({"apikey": "x"}, "Extra"),
    ],
)
def test_what_does_not_go_together_is_refused(given: dict[str, Any], told: str) -> None:
    with pytest.raises(ValidationError, match=told):
        options(**given)


def test_our_id_can_stand_in_a_field() -> None:
    assert options(key_in="field", key_field="Connector reference").key_field == "Connector reference"


def test_secrets_do_not_show() -> None:
    made = options(webhook_secret="another-secret")
    desk = Freshdesk("desk", made, Http("desk"))
    assert "very-secret-key" not in f"{made!r} {made} {desk!r}"
    assert "another-secret" not in f"{made!r} {made}"
    assert desk.ticket_url(TicketId("7")) == "https://acme.freshdesk.com/a/tickets/7"
    desk.close()
