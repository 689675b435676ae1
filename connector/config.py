"""config.yaml → frozen models, every mistake at once with file:line:column.

Each account's options are the pydantic model its adapter declares, so a key that the adapter does not know is told
with what was probably meant. Addresses and folders are relative to the file they stand in.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import pydantic
from pydantic import BaseModel, ConfigDict, Field

from connector import plugins
from connector.adapter import AccountOptions
from connector.errors import ConfigError, ConnectorError, Problem
from connector.helpdesks.base import HelpdeskOptions, plain_address
from connector.sources.base import SourceOptions
from connector.yamlfile import Document, Where, did_you_mean, dotted, load_dotenv, read

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,39}")


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ServerOptions(_Section):
    """The listener for hooks, health and metrics."""

    listen: str = Field(default="127.0.0.1:8080", description="address:port; port 0 takes a free one")
    max_body: int = Field(default=1_048_576, ge=1_024, description="largest hook body in bytes")
    public_url: str = Field(
        default="", description="the address under which the world reaches us, https://…; `connector doctor` uses it"
    )

    @pydantic.field_validator("public_url")
    @classmethod
    def _public(cls, value: str) -> str:
        return plain_address(value, "https://connector.acme.example") if value.strip() else ""

    @pydantic.field_validator("listen")
    @classmethod
    def _address(cls, value: str) -> str:
        host, separator, port = value.rpartition(":")
        if not separator or not host or not port.isdigit() or int(port) > 65_535:
            raise ValueError("write it as address:port, such as 127.0.0.1:8080")
        return value

    def hook_url(self, account: str) -> str:
        """The address at which the world calls that account; empty when nobody knows how it reaches us."""
        return f"{self.public_url}/hooks/{account}" if self.public_url else ""

    @property
    def host(self) -> str:
        """The address part."""
        return self.listen.rpartition(":")[0].strip("[]")

    @property
    def port(self) -> int:
        """The port part."""
        return int(self.listen.rpartition(":")[2])


class DeliveryOptions(_Section):
    """How the engine works; the defaults are right for most."""

    workers: int = Field(default=16, ge=1, le=64, description="calls under way at once")
    in_doubt_wait: float = Field(
        default=120.0, ge=0, description="seconds in which a request that was not answered may still take effect"
    )
    give_up_after: float = Field(default=259_200.0, ge=60, description="seconds until a delivery is given up")
    first_pause: float = Field(default=5.0, ge=0, description="seconds before the first repetition; doubles")
    longest_pause: float = Field(default=3_600.0, ge=1, description="the longest such pause, in seconds")
    probe_every: float = Field(default=300.0, ge=0.1, description="seconds between probes of a stopped account")
    reconcile_after: float = Field(
        default=900.0, ge=0, description="seconds until what was in doubt is looked at again"
    )
    tell_after: float = Field(default=600.0, ge=1, description="seconds a reply may wait until its ticket says so")
    lease: float = Field(
        default=120.0, ge=5, description="seconds a replica may hold a delivery without a sign of life"
    )


class LogOptions(_Section):
    """What is logged and how."""

    level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="debug, info, warning, error"
    )
    json_lines: bool | None = Field(default=None, description="JSON lines; default: unless a terminal looks")


class _Top(_Section):
    store: str = Field(default="sqlite:///connector.db", description="sqlite:///file.db or postgresql://…")
    server: ServerOptions = ServerOptions()
    mappings: str = Field(default="mappings/", description="the folder with the mapping")
    retention_days: int = Field(
        default=0, ge=0, le=36_500, description="days after which what people said is erased; 0: never"
    )
    helpdesks: dict[str, Any] = Field(description="the accounts tickets go to, by a name of yours")
    sources: dict[str, Any] = Field(default_factory=dict, description="the accounts we listen to, by a name of yours")
    delivery: DeliveryOptions = DeliveryOptions()
    log: LogOptions = LogOptions()


@dataclass(frozen=True, slots=True)
class Config:
    """A whole, checked configuration."""

    file: Path
    store: str
    server: ServerOptions
    mappings: Path
    helpdesks: Mapping[str, HelpdeskOptions]
    sources: Mapping[str, SourceOptions]
    delivery: DeliveryOptions
    log: LogOptions
    retention_days: int = 0
    problems: tuple[Problem, ...] = field(default=())


def load(path: Path) -> Config:
    """The configuration in that file; ConfigError with every mistake in it."""
    load_dotenv(path.parent / ".env")
    document = read(path)
    problems = list(document.problems)
    values = document.value if document.value is not None else {}
    top = _section(document, values, (), _Top, problems)
    desks, sources = _block(values, "helpdesks"), _block(values, "sources")
    helpdesk_options = {name: _account(document, "helpdesks", name, raw, problems) for name, raw in desks.items()}
    source_options = {name: _account(document, "sources", name, raw, problems) for name, raw in sources.items()}
    for name, raw in sources.items():
        _cross_check(document, name, raw, desks, problems)
    if top is not None and not desks:
        problems.append(document.problem(("helpdesks",), "needs at least one helpdesk", at_key=True))
    named = values.get("mappings", _Top.model_fields["mappings"].default) if isinstance(values, dict) else None
    mappings = path.parent / named if isinstance(named, str) else path.parent
    if not mappings.is_dir():
        problems.append(
            document.problem(("mappings",), f"there is no folder {mappings}; `connector init` writes one")
        )
    if problems or top is None:
        raise ConfigError(problems)
    return Config(
        file=path,
        store=_store(top.store, path.parent),
        server=top.server,
        mappings=mappings,
        helpdesks={name: o for name, o in helpdesk_options.items() if isinstance(o, HelpdeskOptions)},
        sources={name: o for name, o in source_options.items() if isinstance(o, SourceOptions)},
        delivery=top.delivery,
        log=top.log,
        retention_days=top.retention_days,
    )


def _store(url: str, base: Path) -> str:
    prefix = "sqlite:///"
    if url.startswith(prefix) and not url.startswith("sqlite:////") and url != prefix:
        return f"{prefix}{(base / url.removeprefix(prefix)).absolute()}"
    return url


def _block(values: Any, section: str) -> dict[str, Any]:
    """The accounts of a section as they were written, also when something else in the file is wrong."""
    found = values.get(section) if isinstance(values, dict) else None
    return {str(name): raw for name, raw in found.items()} if isinstance(found, dict) else {}


def _account(document: Document, section: str, name: str, raw: Any, problems: list[Problem]) -> AccountOptions | None:
    where: Where = (section, name)
    if not _NAME.fullmatch(str(name)):
        message = "a name is a letter, then letters, digits, - or _ (at most 40)"
        problems.append(document.problem(where, message, at_key=True))
    if not isinstance(raw, dict):
        problems.append(document.problem(where, "has to be a block of keys, at least `type`"))
        return None
    known = plugins.helpdesk_types() if section == "helpdesks" else plugins.source_types()
    kind = raw.get("type")
    if kind not in known:
        message = "`type` is missing" if kind is None else f'"{kind}" is not a known type'
        place = (*where, "type") if kind is not None else where
        problems.append(document.problem(place, message + did_you_mean(str(kind or ""), known)))
        return None
    try:
        adapter = plugins.helpdesk_class(kind) if section == "helpdesks" else plugins.source_class(kind)
    except ConnectorError as error:
        problems.append(document.problem((*where, "type"), error.sentence))
        return None
    return _section(document, raw, where, adapter.Options, problems)


def _cross_check(document: Document, name: str, raw: Any, desks: Mapping[str, Any], problems: list[Problem]) -> None:
    if name in desks:
        problems.append(
            document.problem(("sources", name), f'"{name}" names a helpdesk too; names are shared', at_key=True)
        )
    desk = raw.get("helpdesk") if isinstance(raw, dict) else None
    if isinstance(desk, str) and desk not in desks:
        where = ("sources", name, "helpdesk")
        problems.append(document.problem(where, f'there is no helpdesk "{desk}"' + did_you_mean(desk, desks)))


M = Any


def _section(document: Document, raw: Any, where: Where, model: type[M], problems: list[Problem]) -> M | None:
    """The model made of these values; its mistakes, each at its place, when it cannot be made."""
    if not isinstance(raw, dict):
        problems.append(document.problem(where, "has to be a block of keys"))
        return None
    try:
        return model.model_validate(raw)
    except pydantic.ValidationError as error:
        # a value that could not be read was told already, and what a whole section lacks may follow from it
        unread = {problem.path for problem in document.problems}
        inside = any(path.startswith(dotted(where)) for path in unread)
        mistakes = error.errors(include_url=False)
        problems += [
            _problem(document, where, model, one)
            for one in mistakes
            if dotted((*where, *one["loc"])) not in unread and (one["loc"] or not inside)
        ]
        return None


def _problem(document: Document, where: Where, model: type[M], error: Any) -> Problem:
    step: Where = (*where, *error["loc"])
    kind = error["type"]
    if kind == "missing":
        return document.problem(step[:-1], f"`{step[-1]}` is missing")
    if kind == "extra_forbidden":
        fields = _fields(model, error["loc"][:-1])
        return document.problem(step, f'unknown key "{step[-1]}"' + did_you_mean(str(step[-1]), fields), at_key=True)
    return document.problem(step, _sentence(kind, error))


_HAS_TO_BE = {
    "string": "text",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "dict": "a block of keys",
    "model": "a block of keys",
    "list": "a list",
    "tuple": "a list",
    "set": "a list",
    "frozen_set": "a list",
    "greater_than_equal": "at least {ge:g}",
    "greater_than": "more than {gt:g}",
    "less_than_equal": "at most {le:g}",
    "less_than": "less than {lt:g}",
    "finite_number": "a finite number",
}
"""What pydantic's kinds of mistakes ask for, in words people use."""


def _sentence(kind: str, error: Any) -> str:
    """What is wrong with a value. It never holds the value, which may be a secret, but for a choice among words."""
    facts, given = error.get("ctx", {}), error["input"]
    if kind == "literal_error":
        return f'"{given}" cannot stand here' + did_you_mean(str(given), re.findall(r"'([^']*)'", facts["expected"]))
    if kind in ("too_short", "string_too_short"):
        what = "item" if isinstance(given, list | tuple | dict) else "character"
        return f"has to have at least {facts['min_length']} {what}" + ("s" if facts["min_length"] > 1 else "")
    wanted = _HAS_TO_BE.get(kind) or _HAS_TO_BE.get(re.sub(r"_(type|parsing|from_float)$", "", kind))
    if wanted is not None:
        quotes = "; put it into quotes" if wanted == "text" and isinstance(given, int | float) else ""
        return f"has to be {wanted.format(**facts)}{quotes}"
    message = str(error["msg"]).removeprefix("Value error, ")
    return message[:1].lower() + message[1:]


def _fields(model: type[M], path: tuple[Any, ...]) -> list[str]:
    for step in path:
        found = model.model_fields.get(str(step))
        if found is None or not (isinstance(found.annotation, type) and issubclass(found.annotation, BaseModel)):
            return []
        model = found.annotation
    return list(model.model_fields)


def schema() -> dict[str, Any]:
    """A JSON Schema of config.yaml for editors, every installed adapter's options included."""
    top = _Top.model_json_schema()
    definitions = top.setdefault("$defs", {})
    for section, kinds, find in (
        ("helpdesks", plugins.helpdesk_types(), plugins.helpdesk_class),
        ("sources", plugins.source_types(), plugins.source_class),
    ):
        branches = []
        for kind in kinds:
            options = find(kind).Options.model_json_schema(ref_template=f"#/$defs/{section}_{kind}_{{model}}")
            for name, definition in options.pop("$defs", {}).items():
                definitions[f"{section}_{kind}_{name}"] = definition
            options["properties"]["type"] = {"const": kind}
            options["title"] = kind
            definitions[f"{section}_{kind}"] = options
            branches.append({"$ref": f"#/$defs/{section}_{kind}"})
        top["properties"][section]["additionalProperties"] = {"oneOf": branches}
    top["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    top["title"] = "connector configuration"
    return top
