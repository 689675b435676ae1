"""YAML in which every value knows its place.

`read` gives plain Python values and, beside them, file:line:column for each path, so that a mistake found much later
(by pydantic, by the mapping, by the live helpdesk) can still be shown where the admin typed it. Two tags are known:

    token: !env ZENDESK_API_TOKEN          the environment variable; `!env NAME default` has a default
    token: !file /run/secrets/zendesk      the file's content, without the newline at its end

What a tag brought in is remembered as a secret and never reaches a log. Keys given twice, unknown tags and
nesting or aliases out of all proportion are mistakes. This is the only door to YAML and to the environment.
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from connector.errors import ConfigError, Problem
from connector.log import remember_secret

Where = tuple[str | int, ...]

_COLLECTIONS = ("tag:yaml.org,2002:map", "tag:yaml.org,2002:seq")
_MAX_DEPTH = 40
_MAX_NODES = 200_000


@dataclass(frozen=True, slots=True)
class Place:
    """Line and column, counted from 1."""

    line: int
    column: int


@dataclass(slots=True)
class Document:
    """A read file: its values, and the place of each path in it. `file` is the name shown to people."""

    file: str
    value: Any
    places: dict[Where, Place] = field(default_factory=dict)
    key_places: dict[Where, Place] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    def place(self, where: Where) -> Place:
        """The place of a value, or of the nearest thing around it that has one."""
        while where:
            if where in self.places:
                return self.places[where]
            where = where[:-1]
        return self.places.get((), Place(1, 1))

    def problem(self, where: Where, message: str, *, severity: Any = "error", at_key: bool = False) -> Problem:
        """A mistake at that path; `at_key` points at the key instead of its value."""
        place = self.key_places.get(where) if at_key else None
        place = place or self.place(where)
        return Problem(self.file, place.line, place.column, dotted(where), message, severity)

    def at(self, where: Where) -> str:
        """`file:line` of a path, for traces."""
        return f"{self.file}:{self.place(where).line}"


def dotted(where: Iterable[str | int]) -> str:
    """A path as people write it: rules[2].set.priority."""
    text = ""
    for step in where:
        text += f"[{step}]" if isinstance(step, int) else (f".{step}" if text else str(step))
    return text


def did_you_mean(word: str, allowed: Iterable[str]) -> str:
    """The tail of a sentence: what was probably meant, and what is allowed."""
    options = [str(option) for option in allowed]
    close = difflib.get_close_matches(str(word).lower(), [o.lower() for o in options], n=1, cutoff=0.6)
    hint = ""
    if close:
        meant = next(o for o in options if o.lower() == close[0])
        hint = f' — did you mean "{meant}"?'
    whole = len(options) <= 14  # leaving out one or two hides more than it saves
    shown = ", ".join(options if whole else [*options[:12], "…"])
    return f"{hint} (allowed: {shown})" if shown else hint


def read(path: Path, shown: str | None = None) -> Document:
    """The document in a file. ConfigError when it cannot be read or is not YAML; smaller mistakes are collected
    in `problems`, so that all of them can be told at once."""
    name = shown or str(path)
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(
            [Problem(name, 0, 0, "", f"cannot be read: {error.strerror or type(error).__name__}")]
        ) from None
    except UnicodeDecodeError as error:
        raise ConfigError([_not_utf8(name, error)]) from None
    return parse(text, name, path.parent)


def _not_utf8(name: str, error: UnicodeDecodeError) -> Problem:
    return Problem(name, 0, 0, "", f"is not UTF-8 text (byte {error.start}); save it as UTF-8")


def parse(text: str, name: str, base: Path | None = None) -> Document:
    """The document in a text; `base` is where `!file` starts from."""
    document = Document(file=name, value=None)
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        message = f"is not valid YAML: {error.problem or error.context or 'cannot be read'}"
        raise ConfigError([Problem(name, line, column, "", message)]) from None
    except (yaml.YAMLError, RecursionError) as error:
        message = f"is not valid YAML: {str(error).splitlines()[0]}"
        raise ConfigError([Problem(name, 1, 1, "", message)]) from None
    if node is not None:
        document.value = _Builder(document, base or Path()).build(node, (), 0)
    return document


def _unknown(tag: str) -> str:
    return f'unknown tag "{tag}"; known are !env NAME and !file PATH'


class _Builder:
    def __init__(self, document: Document, base: Path) -> None:
        self.document = document
        self.base = base
        self.scalars = yaml.SafeLoader("")
        self.nodes = 0

    def fail(self, node: yaml.Node, where: Where, message: str) -> None:
        mark = node.start_mark
        self.document.problems.append(
            Problem(self.document.file, mark.line + 1, mark.column + 1, dotted(where), message)
        )

    def build(self, node: yaml.Node, where: Where, depth: int) -> Any:
        self.nodes += 1
        if depth > _MAX_DEPTH or self.nodes > _MAX_NODES:
            mark = node.start_mark
            message = "is nested or repeated out of all proportion"
            raise ConfigError([Problem(self.document.file, mark.line + 1, mark.column + 1, dotted(where), message)])
        self.document.places[where] = Place(node.start_mark.line + 1, node.start_mark.column + 1)
        if not isinstance(node, yaml.ScalarNode) and node.tag not in _COLLECTIONS:
            self.fail(node, where, _unknown(node.tag))
            return None
        if isinstance(node, yaml.MappingNode):
            return self.mapping(node, where, depth)
        if isinstance(node, yaml.SequenceNode):
            return [self.build(child, (*where, i), depth + 1) for i, child in enumerate(node.value)]
        return self.scalar(node, where)

    def mapping(self, node: yaml.MappingNode, where: Where, depth: int) -> dict[Any, Any]:
        result: dict[Any, Any] = {}
        for key_node, value_node in node.value:
            simple = isinstance(key_node, yaml.ScalarNode) and not key_node.tag.startswith("!")
            key = self.scalar(key_node, where) if simple else None
            if not isinstance(key, str | int | float | bool):
                self.fail(key_node, where, "a key has to be plain text")
                continue
            if key in result:
                self.fail(key_node, (*where, str(key)), f'the key "{key}" is given twice; keep one')
                continue
            step = (*where, key if isinstance(key, str) else str(key))
            self.document.key_places[step] = Place(key_node.start_mark.line + 1, key_node.start_mark.column + 1)
            result[key] = self.build(value_node, step, depth + 1)
        return result

    def scalar(self, node: yaml.Node, where: Where) -> Any:
        if node.tag == "!env":
            return self.environment(node, where)
        if node.tag == "!file":
            return self.file(node, where)
        if node.tag.startswith("!"):
            self.fail(node, where, _unknown(node.tag))
            return None
        try:
            return self.scalars.construct_object(node, deep=True)
        except (yaml.YAMLError, ValueError) as error:
            self.fail(node, where, f"cannot be read: {str(error).splitlines()[0]}")
            return None

    def environment(self, node: yaml.Node, where: Where) -> str | None:
        name, has_default, default = str(node.value).strip().partition(" ")
        default = default.strip()
        if default[:1] in ("'", '"') and default[:1] == default[-1:] and len(default) > 1:
            default = default[1:-1]  # `!env NAME ""`: YAML leaves quotes that do not begin a value as they are
        value = os.environ.get(name, default if has_default else None)
        if value is None:
            self.fail(node, where, f"the environment variable {name} is not set; set it, or write it into .env")
            return None
        if not value and not has_default:
            self.fail(node, where, f"the environment variable {name} is empty; fill it in, there or in .env")
            return None
        remember_secret(value)
        return value

    def file(self, node: yaml.Node, where: Where) -> str | None:
        path = self.base / str(node.value).strip()
        try:
            value = path.read_text(encoding="utf-8").rstrip("\r\n")
        except (OSError, UnicodeDecodeError) as error:
            self.fail(node, where, f"the file {path} cannot be read: {type(error).__name__}")
            return None
        remember_secret(value)
        return value


def load_dotenv(path: Path) -> None:
    """Put NAME=value lines of a .env file into the environment; what is set already wins. No file: nothing."""
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except OSError:
        return
    except UnicodeDecodeError as error:
        raise ConfigError([_not_utf8(str(path), error)]) from None
    for line in lines:
        name, separator, value = line.strip().removeprefix("export ").partition("=")
        if separator and not name.startswith("#"):
            os.environ.setdefault(name.strip(), value.strip().strip("'\""))


def environment(name: str, default: str = "") -> str:
    """One environment variable, for the few settings that are not in a file (systemd's socket, CI switches)."""
    return os.environ.get(name, default)
