"""What the X adapter asks, and what the simulator answers, by X's own OpenAPI description (2.167).

The description and X's guides name the same things differently; the adapter asks with the guides' names. They are
translated here before they are looked up, and whatever has no counterpart is a failure.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012
from test_x import XWorld, heard

from connector.model import Attachment, ReplyDraft, key_of
from connector.testing.contracts import drained
from connector.testing.simulators.x import XSimulator

_FILE = Path(__file__).parents[3] / "shared" / "contracts" / "x" / "openapi.json"
_URN = "urn:x"
PARAMETERS = {"tweet.fields": "post.fields"}
FIELDS = {"note_tweet": "note_post"}
EXPANSIONS = {"referenced_tweets.id": "referenced_posts"}
DEFAULT = {"author_id", "in_reply_to_user_id", "referenced_tweets", "sender_id"}
"""Fields the guides have one ask for, and the description always tells or ties to an expansion."""
NESTED = {"referenced_tweets.id.author_id"}
"""Expansions of an expanded post: in the guides only."""


class XDescription:
    """Checks of calls, by verb and path. AssertionError tells what is wrong; KeyError that there is no such call."""

    def __init__(self, path: Path) -> None:
        self.document = json.loads(path.read_text(encoding="utf-8"))
        self._registry = Registry().with_resource(_URN, Resource(self.document, DRAFT202012))

    def operation(self, verb: str, path: str) -> tuple[str, Any]:
        """The JSON pointer of a call, and the call."""
        for known, calls in sorted(self.document["paths"].items(), key=lambda one: one[0].count("{")):
            pattern = re.sub(r"\\{\w+\\}", "[^/]+", re.escape(known))
            if re.fullmatch(pattern, path) and verb.lower() in calls:
                return f"/paths/{known.replace('/', '~1')}/{verb.lower()}", calls[verb.lower()]
        raise KeyError(f"{verb} {path}")

    def check_call(self, verb: str, path: str, params: dict[str, str], body: Any) -> None:
        """The parameters and the body of a call."""
        pointer, call = self.operation(verb, path)
        assert any("UserToken" in one for one in call["security"]), f"{verb} {path} takes no OAuth 1.0a"
        known = {one["name"]: one for one in map(self._resolved, call.get("parameters", []))}
        for name, value in params.items():
            rule = known[PARAMETERS.get(name, name)]["schema"]
            values: Any = value
            if rule["type"] == "integer":
                values = int(value)
            elif rule["type"] == "array":
                words = FIELDS | EXPANSIONS
                values = [words.get(one, one) for one in value.split(",") if one not in DEFAULT | NESTED]
                values += [one for one in ("author_id",) if name == "expansions" and one in value.split(",")]
                values += [one for one in ("sender_id",) if name == "expansions" and one in value.split(",")]
            self._check(values, rule, f"{verb} {path} {name}")
        if body is not None:
            schema = f"{_URN}#{pointer}/requestBody/content/application~1json/schema"
            self._check(body, {"$ref": schema}, f"{verb} {path}")
        else:
            assert not call.get("requestBody", {}).get("required")

    def check_answer(self, verb: str, path: str, status: int, body: Any) -> None:
        """The body of an answer."""
        pointer, _ = self.operation(verb, path)
        schema = f"{_URN}#{pointer}/responses/{status}/content/application~1json/schema"
        self._check(body, {"$ref": schema}, f"{verb} {path} {status}")

    def _resolved(self, parameter: Any) -> Any:
        name = parameter.get("$ref", "").rsplit("/", 1)[-1]
        return self.document["components"]["parameters"][name] if name else parameter

    def _check(self, value: Any, schema: Any, place: str) -> None:
        rule = {"$ref": f"{_URN}#{schema['$ref'][1:]}"} if str(schema.get("$ref", "")).startswith("#") else schema
        rule = json.loads(json.dumps(rule).replace('"#/components', f'"{_URN}#/components'))
        errors = jsonschema.Draft202012Validator(rule, registry=self._registry).iter_errors(value)
        found = [f"{list(one.absolute_path)}: {one.message[:200]}" for one in errors]
        assert not found, f"{place}: {found[:4]}"


@pytest.fixture(scope="module")
def description() -> XDescription:
    if not _FILE.exists():
        pytest.skip("X's API description is not here (../shared/contracts/x/openapi.json)")
    return XDescription(_FILE)


@pytest.fixture
def there() -> Iterator[XWorld]:
    with XSimulator() as simulator:
        world = XWorld(simulator)
        yield world
        for source in world.made:
            source.close()


def everything(there: XWorld) -> None:
    """Every call the adapter makes, once at least."""
    there.source.check()
    mention = heard(there)
    first = there.x.post(there.brand, "ours")
    heard(there, "@brand and this", answers=first)
    there.source.enrich(mention)
    cursor = there.source.fetch(None, 50).cursor
    there.x.edit(there.say("edited"), "@brand now")
    there.x.delete(there.say("deleted"))
    there.x.message(there.ann, there.brand, "psst")
    drained(there, cursor, 3)
    there.source.http.download = lambda *_, **__: _File()  # type: ignore[method-assign,assignment]
    draft = ReplyDraft(mention, "answer", attachments=(Attachment("https://desk.example/a.png"),))
    for private in (False, True):
        draft = ReplyDraft(mention, "answer", attachments=draft.attachments, private=private)
        request = there.source.prepare(draft)
        there.source.send(request, key_of("k"))
        assert there.source.find(request, key_of("k"))


class _File:
    type = "image/png"
    content = b"\x89PNG"


def test_every_call_is_as_described(there: XWorld, description: XDescription) -> None:
    everything(there)
    assert len({(verb, re.sub(r"\d+", "1", path)) for verb, path, _, _ in there.x.asked}) == 9
    for verb, path, params, body in there.x.asked:
        description.check_call(verb, path, params, body)


def test_the_checks_can_fail(description: XDescription) -> None:
    with pytest.raises(AssertionError, match="max_results"):
        description.check_call("GET", "/2/users/1/mentions", {"max_results": "101"}, None)
    with pytest.raises(AssertionError, match="expansions"):
        description.check_call("GET", "/2/users/1/mentions", {"expansions": "author"}, None)
    with pytest.raises(KeyError):
        description.check_call("GET", "/2/users/1/mentions", {"since": "1"}, None)
    with pytest.raises(AssertionError, match="reply"):
        description.check_call("POST", "/2/tweets", {}, {"text": "a", "reply": {"to": "1"}})
    with pytest.raises(KeyError):
        description.check_call("GET", "/2/nothing", {}, None)


def test_the_simulator_answers_as_described(there: XWorld, description: XDescription) -> None:
    there.x.dialect = "description"
    told: list[tuple[str, str, int, Any]] = []
    answer = there.x.answer

    def listening(verb: str, target: str, headers: dict[str, str], body: bytes) -> Any:
        found = answer(verb, target, headers, body)
        assert found is not None
        told.append((verb, target.split("?", maxsplit=1)[0], found[0], json.loads(found[2])))
        return found

    there.x.answer = listening  # type: ignore[method-assign]
    everything(there)
    assert len(told) > 15
    for verb, path, status, body in told:
        description.check_answer(verb, path, status, _as_described(body))


def _as_described(body: Any) -> Any:
    """Counts have other names in the description, and more of them are required."""
    text = json.dumps(body).replace('"retweet_count": 1', '"repost_count": 1, "bookmark_count": 0')
    text = text.replace('"quote_count": 0', '"quote_count": 0, "impression_count": 0')
    text = text.replace('"following_count": 1', '"following_count": 1, "post_count": 1, "listed_count": 0')
    return json.loads(text)
