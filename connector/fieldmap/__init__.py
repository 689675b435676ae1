"""Field maps: how the mentions of a listening tool, or the rows of an export, become Mention JSON. Data, not code.

A map is YAML: where the mentions stand in a body (`items`), which path gives which field (`fields`), what is left out
(`skip`), and how the tool is asked (`pull`). Those of tools we know lie in `presets/`, each with the source of its
facts and what nobody has confirmed; a map of yours is laid over one of them, key by key, or stands alone.

It hides how each tool writes names, times, tones and numbers. One rule must hold: a value that cannot be read as its
field is left out, never guessed; only what a mention cannot be without (id, author) is missed by whoever reads it.

    about: where the facts are from
    items: [mentions, ""]              first path that is there; "" is the body itself, a list or one object
    fields:
      id: [id, mentionId]              first path that holds something
      text: {path: fullText, html: true}
      created_at: {path: published, time: [iso], zone: Europe/Moscow}
      tone: {path: sentiment, values: {positive: positive, negative: negative}}
    skip: {spam: [true]}
    pull: {url: …}                     see `Pull`

A path names a key as it stands, in any case of letters; else steps with dots between, numbers for places in a list.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

import pydantic
from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from connector.errors import BadHook
from connector.fieldmap.values import Rule, at_path, clean_count, shown
from connector.yamlfile import did_you_mean, parse, read

PRESETS = Path(__file__).parent / "presets"

Stamp = Literal["unix", "unix_ms", "iso", "date"]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Begin(_Part):
    """How a first pull learns where the end is: these parameters, and the path of the highest number in the answer
    (default: the highest among the items)."""

    params: Mapping[str, str] = Field(default_factory=dict)
    path: str = ""


class Sequence(_Part):
    """The tool numbers mentions in the order it found them: ask for those above the last one we know. `ascending`: it
    answers with the lowest of them first, so that any page length will do."""

    param: str
    path: str
    ascending: bool = True
    begin: Begin = Begin()


class Bound(_Part):
    """A parameter that holds a time."""

    param: str
    form: Stamp


class Paging(_Part):
    """How the next page of a window is asked for: a number that counts pages or items from `start`, or what the
    answer holds at `path`."""

    param: str
    by: Literal["pages", "items", "answer"]
    start: int = 0
    path: str = ""


class Window(_Part):
    """The tool can only be asked for a span of time: ask for it again and again, and know what was told by its id.
    `order` is the path of the time the tool found a mention at; `longest_days` what it allows in one question.
    `never_empty`: no rows where there were some before mean that it refused, not that there are none."""

    begin: Bound
    end: Bound | None = None
    paging: Paging | None = None
    order: str = ""
    longest_days: float = 30.0
    never_empty: bool = False

    def bounds(self, begin: float, end: float) -> dict[str, str]:
        """The parameters for a span of Unix seconds; a whole day more where the tool takes days only."""
        made = {self.begin.param: _stamped(begin, self.begin.form)}
        if self.end is not None:
            made[self.end.param] = _stamped(end + (86_400 if self.end.form == "date" else 60), self.end.form)
        return made


class Size(_Part):
    """The parameter that says how many to give at once, and the most the tool gives."""

    param: str
    most: int = Field(ge=1)


class Pull(_Part):
    """How the tool is asked. `{token}` and the names in `needs` stand for what the account has: in the address, the
    headers and the parameters."""

    url: str
    needs: tuple[str, ...] = ()
    headers: Mapping[str, str] = Field(default_factory=dict)
    params: Mapping[str, str | tuple[str, ...]] = Field(default_factory=dict)
    size: Size
    sequence: Sequence | None = None
    window: Window | None = None

    @model_validator(mode="after")
    def _one_way_to_go_on(self) -> Pull:
        if (self.sequence is None) == (self.window is None):
            raise ValueError("needs `sequence` or `window`, to know where to go on")
        return self


class FieldMap(_Part):
    """A whole map."""

    about: str = ""
    items: tuple[str, ...] = ("",)
    fields: Mapping[str, Rule]
    skip: Mapping[str, tuple[Any, ...]] = Field(default_factory=dict)
    pull: Pull | None = None

    @field_validator("items", mode="before")
    @classmethod
    def _one_path_will_do(cls, value: Any) -> Any:
        return (value,) if isinstance(value, str) else value

    @field_validator("fields")
    @classmethod
    def _are_fields(cls, value: Mapping[str, Rule]) -> Mapping[str, Rule]:
        for name in value:
            if name not in FIELDS and not name.startswith("engagement."):
                raise ValueError(f'"{name}" is not a field of a mention{did_you_mean(name, FIELDS)}')
        for name in ("text", "url"):
            if name in value:
                return value
        raise ValueError("a map has to say where `text` or `url` are")

    def rows(self, body: Any) -> list[Mapping[str, Any]]:
        """The items in a parsed body. ValueError when there is no list and no object where the map says."""
        for path in self.items:
            found = body if not path else at_path(body, path)
            if isinstance(found, list):
                return [row for row in found if isinstance(row, Mapping)]
            if isinstance(found, Mapping):
                return [found]
        raise ValueError(f"there is no list of mentions in the answer (looked for {shown(self.items)})")

    def paths(self, field: str) -> tuple[str, ...]:
        """Where a field is looked for."""
        rule = self.fields.get(field)
        return rule.path if rule is not None else ()

    def knows(self, names: Iterable[str]) -> bool:
        """Whether these columns are those of a table this map can read."""
        wanted = {path.casefold() for field in ("text", "url") for path in self.paths(field)}
        return any(name.casefold() in wanted for name in names)

    def left_out(self, row: Mapping[str, Any]) -> bool:
        """Whether `skip` says so."""
        return any(_said(at_path(row, path)) in map(_said, values) for path, values in self.skip.items())

    def mention(self, row: Mapping[str, Any]) -> tuple[dict[str, Any], str]:
        """A row as Mention JSON, and the platform it was said on ("" where neither the map nor its address tells).
        What lacks an id gets one of its content, see `identified`. BadHook 422 for a row that says nothing."""
        made: dict[str, Any] = {}
        platform = ""
        for name, rule in self.fields.items():
            value = rule.read(row, name)
            if value is None:
                continue
            if name == "platform":
                platform = str(value)
            elif "." in name:
                outer, inner = name.split(".", 1)
                made.setdefault(outer, {})[inner] = value
            else:
                made[name] = value
        if not any(made.get(word) for word in ("text", "title", "url")):
            raise BadHook("a mention has neither a text nor an address", status=422)
        made.setdefault("text", "")
        _count(made)
        made = identified(made)
        return made, platform or platform_of(str(made.get("url") or ""))


FIELDS: tuple[str, ...] = (
    *"platform id kind text url title created_at edited_at deleted language tone thread_id rating".split(),
    *"private own".split(),
    *"author.id author.name author.handle author.url author.avatar_url author.followers author.verified".split(),
    *"parent.id parent.text parent.url parent.author attachments".split(),
)
"""What a map can fill; and `engagement.` with any name after it."""


def load(name: str, over: Mapping[str, Any] | None = None) -> FieldMap:
    """A preset by name, or the map in a file (a name that ends in .yaml), with `over` laid over it; with no name,
    `over` alone. ValueError says what is wrong; ConfigError too, for a file that is no YAML."""
    if name.endswith((".yaml", ".yml")):
        whole = read(Path(name)).value
    elif not name:
        whole = {}
    elif name in presets():
        whole = parse((PRESETS / f"{name}.yaml").read_text(encoding="utf-8"), f"{name}.yaml").value
    else:
        raise ValueError(f'"{name}" is neither a .yaml file nor a preset{did_you_mean(name, presets())}')
    if not isinstance(whole, Mapping):
        raise ValueError(f"{name} has to be a block of keys")  # noqa: TRY004  every mistake of a map is one kind
    try:
        return FieldMap.model_validate(_laid_over(whole, over or {}))
    except pydantic.ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(step) for step in first["loc"]) or "the map"
        message = first["msg"].removeprefix("Value error, ")
        raise ValueError(f"{place}: {message[:1].lower()}{message[1:]}") from None


@cache
def presets() -> tuple[str, ...]:
    """The names of the maps that come with this package."""
    return tuple(sorted(file.stem for file in PRESETS.glob("*.yaml") if file.stem != "hosts"))


def platform_of(url: str) -> str:
    """The network behind an address, in the words of our adapters; "" for one nobody knows."""
    try:
        host = (urlsplit(url).hostname or "").removeprefix("www.").removeprefix("m.")
    except ValueError:
        return ""
    while host:
        if host in _hosts():
            return _hosts()[host]
        host = host.partition(".")[2]
    return ""


@cache
def _hosts() -> Mapping[str, str]:
    known: Mapping[str, list[str]] = parse((PRESETS / "hosts.yaml").read_text(encoding="utf-8"), "hosts.yaml").value
    return {host: platform for platform, hosts in known.items() for host in hosts}


def _laid_over(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    made = dict(below)
    for key, value in above.items():
        was = made.get(key)
        # a field's rule is replaced whole: half of one and half of another is nobody's meaning
        deeper = isinstance(was, Mapping) and isinstance(value, Mapping) and key in ("fields", "pull", "skip")
        made[key] = _laid_over(was, value) if deeper and isinstance(was, Mapping) else value
    return made


def identified(obj: Mapping[str, Any]) -> dict[str, Any]:
    """Mention JSON with an id and an author's id, made of the content where they are not given: an author is known by
    handle, address or name; a mention by what was said, where, by whom and when, so that the same row is a duplicate
    the second time, and two posts under one address are two."""
    made = dict(obj)
    author = made.get("author")
    author = dict(author) if isinstance(author, dict) else {} if author is None else author
    if isinstance(author, dict):
        if author.get("id") in (None, ""):
            known = (author[word] for word in ("handle", "url", "name") if isinstance(author.get(word), str))
            name = next((one for one in known if one.strip()), "")
            author["id"] = " ".join(name.removeprefix("@").split()).casefold()[:200] or "unknown"
        made["author"] = author
    if made.get("id") in (None, ""):
        who = author.get("id") if isinstance(author, dict) else ""
        said = (made.get("text"), made.get("url"), who, made.get("created_at"), made.get("title"))
        words = json.dumps([" ".join(str(word or "").split()) for word in said])
        made["id"] = "m-" + hashlib.sha256(words.encode()).hexdigest()[:24]
    return made


def _count(made: dict[str, Any]) -> None:
    """Numbers as numbers; those that are none are left out."""
    author = made.get("author", {})
    if "followers" in author:
        count = clean_count(author.pop("followers"))
        author |= {"followers": count} if count is not None and count >= 0 else {}
    if "engagement" in made:
        counts = {name: clean_count(value) for name, value in made["engagement"].items()}
        made["engagement"] = {name: count for name, count in counts.items() if count is not None}


def _stamped(seconds: float, form: Stamp) -> str:
    at = datetime.fromtimestamp(int(seconds), UTC)
    forms = {"unix": str(int(seconds)), "unix_ms": str(int(seconds) * 1_000), "date": at.date().isoformat()}
    return forms.get(form) or at.strftime("%Y-%m-%dT%H:%M:%S.000+0000")


def _said(value: Any) -> str:
    return str(value).strip().casefold()
