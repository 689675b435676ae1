"""The vendors' descriptions of their APIs, as judges of what the adapters send and of what comes back.

The descriptions lie outside the project (they are the vendors') and are looked for beside it; where one is absent the
tests that need it are skipped and say so. Zendesk's is the derived file in which answers may hold null, as real ones
do; for Freshdesk there are schemas of its objects, which real ones pass, and samples.
"""

from __future__ import annotations

import json
import re
from functools import cached_property
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT4

CONTRACTS = Path(__file__).parents[3] / "shared" / "contracts"
_OAS = CONTRACTS / "zendesk" / "zendesk-support-oas.relaxed.jsonschema.yaml"
_WEBHOOKS_OAS = CONTRACTS / "zendesk" / "zendesk-webhooks-oas.yaml"
_URN = "urn:oas"


class ZendeskOas:
    """Checks of bodies, by method and path (`/api/v2/tickets/7`, with or without `.json`). AssertionError tells what
    is wrong; KeyError that the description has no such call."""

    def __init__(self, path: Path) -> None:
        self.document = yaml.load(path.read_text(encoding="utf-8"), _Loader)
        # the description demands of a field's value what only a field's definition has
        self.document["components"]["schemas"].get("CustomFieldObject", {}).pop("required", None)
        self._registry = Registry().with_resource(_URN, Resource(self.document, DRAFT4))

    @cached_property
    def _routes(self) -> list[tuple[re.Pattern[str], str]]:
        routes = [path for path in self.document["paths"] if not path.endswith(".json")]
        routes.sort(key=lambda path: path.count("{"))
        return [(re.compile(re.sub(r"\\?\{\w+\\?\}", "[^/]+", re.escape(path))), path) for path in routes]

    def operation(self, method: str, path: str) -> str:
        """The JSON pointer of a call."""
        asked = path.removesuffix(".json")
        for pattern, known in self._routes:
            if pattern.fullmatch(asked) and method.lower() in self.document["paths"][known]:
                return f"/paths/{known.replace('~', '~0').replace('/', '~1')}/{method.lower()}"
        raise KeyError(f"{method} {path}")

    def check_request(self, method: str, path: str, body: Any) -> None:
        """The body of a call; calls whose body the description leaves open pass."""
        self._check(f"{self.operation(method, path)}/requestBody/content/application~1json/schema", body)

    def check_answer(self, method: str, path: str, status: int, body: Any) -> None:
        """The body of an answer of that status."""
        pointer = f"{self.operation(method, path)}/responses/{status}/content/application~1json/schema"
        self._check(pointer, body)

    def _check(self, pointer: str, body: Any) -> None:
        place: Any = self.document
        for step in pointer.split("/")[1:]:
            place = place.get(step.replace("~1", "/").replace("~0", "~")) if isinstance(place, dict) else None
        if place is None:
            return
        validator = _Nullable({"$ref": f"{_URN}#{pointer}"}, registry=self._registry)
        errors = [f"{list(error.absolute_path)}: {error.message[:300]}" for error in validator.iter_errors(body)]
        assert not errors, f"{pointer}: {errors[:5]}"


class _Loader(yaml.SafeLoader):
    """The description holds one bare `=`, which YAML 1.1 takes for something special."""


_Loader.add_constructor("tag:yaml.org,2002:value", lambda loader, node: loader.construct_scalar(node))


def _type(validator: Any, types: Any, instance: Any, schema: Any) -> Any:
    if instance is None and schema.get("nullable"):
        return
    yield from jsonschema.Draft4Validator.VALIDATORS["type"](validator, types, instance, schema)


_Nullable = jsonschema.validators.extend(jsonschema.Draft4Validator, {"type": _type})


@pytest.fixture(scope="session")
def zendesk_oas() -> ZendeskOas:
    """Zendesk's description, or a skip."""
    if not _OAS.exists():
        pytest.skip(f"Zendesk's API description is not here ({_OAS.name} in ../shared/contracts/zendesk)")
    return ZendeskOas(_OAS)


@pytest.fixture(scope="session")
def zendesk_webhooks_oas() -> ZendeskOas:
    """Zendesk's description of webhooks, whose paths begin at `/webhooks`, or a skip."""
    if not _WEBHOOKS_OAS.exists():
        pytest.skip(f"Zendesk's description of webhooks is not here ({_WEBHOOKS_OAS.name})")
    return ZendeskOas(_WEBHOOKS_OAS)


@pytest.fixture(scope="session")
def zendesk_recordings() -> Path:
    """The folder of Zendesk's recorded exchanges, or a skip."""
    folder = CONTRACTS / "zendesk" / "recordings-2012-2015"
    if not folder.exists():
        pytest.skip("the recorded exchanges are not here (../shared/contracts/zendesk/recordings-2012-2015)")
    return folder


class FreshdeskSchemas:
    """Checks of Freshdesk's objects by the name of their list (`tickets`). The schemas require nothing, so besides
    the types it is checked that an object has no property they do not know; `also` names those that are known from
    elsewhere."""

    def __init__(self, folder: Path) -> None:
        self._schemas = {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in folder.glob("*.json")}

    def check(self, kind: str, body: Any, also: frozenset[str] = frozenset()) -> None:
        """The types and the names of an object's properties."""
        schema = self._schemas[kind]
        errors = [f"{list(error.absolute_path)}: {error.message[:300]}" for error in _errors(schema, body)]
        assert not errors, f"{kind}: {errors[:5]}"
        unknown = set(body) - set(schema["properties"]) - also
        assert not unknown, f"{kind} has no {sorted(unknown)}"


def _errors(schema: Any, body: Any) -> Any:
    return jsonschema.Draft7Validator(schema).iter_errors(body)


@pytest.fixture(scope="session")
def freshdesk_schemas() -> FreshdeskSchemas:
    """Schemas of Freshdesk's objects, or a skip."""
    folder = CONTRACTS / "freshdesk" / "jsonschema"
    if not folder.exists():
        pytest.skip("the schemas of Freshdesk's objects are not here (../shared/contracts/freshdesk/jsonschema)")
    return FreshdeskSchemas(folder)


@pytest.fixture(scope="session")
def freshdesk_samples() -> Path:
    """The folder of sample answers, or a skip."""
    folder = CONTRACTS / "freshdesk" / "samples"
    if not folder.exists():
        pytest.skip("the samples are not here (../shared/contracts/freshdesk/samples)")
    return folder


@pytest.fixture(scope="session")
def telegram_description() -> Path | None:
    """The machine-readable Bot API, where it is at hand: the simulator then holds every request against it."""
    path = CONTRACTS / "telegram" / "bot-api.json"
    return path if path.exists() else None


@pytest.fixture(scope="session")
def vk_contracts() -> Path | None:
    """The folder of VK's machine-readable API, where it is at hand."""
    path = CONTRACTS / "vk"
    return path if path.exists() else None
