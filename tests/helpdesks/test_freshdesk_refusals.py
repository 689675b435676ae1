"""Every error body we know of comes out as the right error, with a sentence for a person."""

from __future__ import annotations

import json
from typing import Any

import pytest

from connector.errors import AuthFailed, ConnectorError, Gone, Rejected, Temporary, Unsupported
from connector.helpdesks.freshdesk.refusals import refusal, refused, sentence
from connector.http import Answer


def answer(status: int, body: Any) -> Answer:
    return Answer(status, {}, body if isinstance(body, bytes) else json.dumps(body).encode())


def invalid(field: str, message: str, code: str, **more: Any) -> dict[str, Any]:
    error = {"field": field, "message": message, "code": code, **more}
    return {"description": "Validation failed", "errors": [error]}


REQUESTER = "Please fill at least 1 of requester_id, phone, email, twitter_id, facebook_id fields"
PAGE = "You cannot access tickets beyond the 300th page. Please provide a smaller page number."


@pytest.mark.parametrize(
    ("status", "body", "wanted", "told"),
    [
        (400, invalid("requester_id", REQUESTER, "missing_field"), Rejected, "requester_id: Please fill"),
        (400, invalid("page", PAGE, "invalid_value"), Rejected, "300th page"),
        (400, invalid("x", "Unexpected/invalid field in request", "invalid_field"), Rejected, "x: Unexpected"),
        (400, invalid("priority", "It should be a/an Integer", "datatype_mismatch"), Rejected, "priority: It should"),
        (
            400,
            invalid("cf_topic", "It should be one of these values", "invalid_value"),
            Rejected,
            '"Topic" .cf_topic.',
        ),
        (400, invalid("status", "", "readonly_field"), Rejected, "status: readonly field"),
        (400, {"code": "invalid_json", "message": "Request body has invalid json format"}, Rejected, "invalid json"),
        (403, {"code": "access_denied", "message": "You are not authorized"}, Rejected, "not allowed for this agent"),
        (403, {"code": "require_feature", "message": "The Products feature is needed"}, Unsupported, "the plan"),
        (403, {"code": "account_suspended", "message": "Your account has been suspended."}, AuthFailed, "suspended"),
        (403, {"code": "ssl_required", "message": "SSL certificate verification failed"}, AuthFailed, "https://"),
        (404, b" ", Gone, "any more"),
        (404, b"", Gone, "any more"),
        (405, b"", Unsupported, "405"),
        (406, b"", Rejected, "406"),
        (409, invalid("email", "It should be a unique value", "duplicate_value"), Temporary, "unique value"),
        (413, b"<html><body><h1>413 Request Entity Too Large</h1></body></html>", Rejected, "Too Large"),
        (415, {"code": "invalid_content_type", "message": "Content-Type header is not allowed"}, Rejected, "Content"),
        (400, b"[1]", Rejected, "[1]"),
        (400, b"\xff" * 10, Rejected, ""),
    ],
)
def test_a_refusal_says_what_to_do_and_why(status: int, body: Any, wanted: type[ConnectorError], told: str) -> None:
    labels = {"cf_topic": "Topic"}
    error = refused(answer(status, body), service="desk", operation="x", label=lambda name: labels.get(name, ""))
    assert type(error) is wanted
    assert told.replace(" .cf_topic.", " (cf_topic)") in error.sentence
    assert 0 < len(error.sentence) <= 350
    assert not set("{}<>") & set(error.sentence)


def test_a_403_and_a_404_mean_what_the_call_says() -> None:
    denied = answer(403, {"code": "access_denied", "message": "no"})
    assert type(refused(denied, service="d", operation="x", forbidden=AuthFailed)) is AuthFailed
    error = refused(answer(404, b" "), service="d", operation="x", missing=AuthFailed)
    assert type(error) is AuthFailed
    assert "base_url" in error.sentence


def test_several_complaints_are_all_told() -> None:
    body = {"description": "Validation failed", "errors": []}
    body["errors"] = [{"field": name, "message": "is missing", "code": "missing_field"} for name in ("a", "b")]
    assert sentence(answer(400, body)) == "a: is missing; b: is missing"


def test_a_duplicate_may_name_the_contact_it_is_of() -> None:
    body = invalid(
        "unique_external_id", "It should be a unique value", "duplicate_value", additional_info={"user_id": 7}
    )
    told = refusal(answer(409, body))
    assert told.duplicate
    assert told.about("unique_external_id")
    assert told.complaints[0].user_id == 7
    odd = invalid("x", "y", "z", additional_info=[1])
    assert refusal(answer(409, odd)).complaints[0].user_id is None


def test_a_wrong_key_is_told_in_freshdesks_words() -> None:
    body = {"code": "invalid_credentials", "message": "You have to be logged in to perform this action."}
    assert sentence(answer(401, body)) == "You have to be logged in to perform this action."
