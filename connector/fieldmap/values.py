"""One field's rule: which paths, and what is made of the value found there."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict, field_validator, model_validator

from connector.markup import to_text

_MAX_TEXT = 60_000
_MARKUP = re.compile(r"</?[a-zA-Z][^<>]*>|&#?\w+;")
_BLOCKS = re.compile(r"<(p|br|div|li|tr|h\d)\b", re.IGNORECASE)
_COUNTED = re.compile(r"[+-]?\d{1,15}(?:[.,]0+)?")


class Rule(BaseModel):
    """Where a field comes from and how it is read.

    `path` or a list of paths, the first that holds something counts; `join` puts several together with a space.
    `when` names paths and what has to stand at one of them for the rule to be used; `form` is what is made of a value
    (an address of an id: https://x.com/i/status/{}). `html` takes markup off. `time` names the forms a time may
    have: unix, unix_ms, iso, or as strptime has it; `zone` is meant where a time names none. `values` translates
    (letters in any case) and leaves out what it does not know; `steps` does the same for numbers: [[0.3, negative],
    [0.7, neutral], [1, positive]] is up to 0.3, up to 0.7, up to 1. Where nothing comes of it, `otherwise` is another
    rule to try, and `default` stands in at last.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    path: tuple[str, ...] = ()
    join: tuple[str, ...] = ()
    html: bool = False
    time: tuple[str, ...] = ()
    zone: str = "UTC"
    when: Mapping[str, tuple[str, ...]] = {}
    form: str = "{}"
    values: Mapping[str, str] | None = None
    steps: tuple[tuple[float, str], ...] = ()
    default: str | None = None
    otherwise: Rule | None = None

    @model_validator(mode="before")
    @classmethod
    def _short_forms(cls, given: Any) -> Any:
        """`id: mentionId` and `id: [id, mentionId]`."""
        if isinstance(given, str | list | tuple):
            return {"path": given}
        return given

    @field_validator("path", "join", "time", mode="before")
    @classmethod
    def _one_will_do(cls, value: Any) -> Any:
        return (value,) if isinstance(value, str) else value

    @field_validator("values", mode="before")
    @classmethod
    def _in_small_letters(cls, value: Any) -> Any:
        if isinstance(value, Mapping):
            return {_word(key): _word(word) if isinstance(word, bool) else word for key, word in value.items()}
        return value

    @field_validator("zone")
    @classmethod
    def _is_zone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (ValueError, OSError, LookupError):
            raise ValueError(f'"{value}" is not a time zone; write it as in Europe/Moscow') from None
        return value

    def read(self, row: Mapping[str, Any], field: str) -> Any:
        """The field's value in one row; None where there is none that can be read."""
        value = self._translated(self._found(row))
        if value is not None and self.form != "{}":
            value = self.form.replace("{}", str(value))
        if value in (None, "") and self.otherwise is not None:
            return self.otherwise.read(row, field)
        if value in (None, ""):
            value = self.default
        if value is None:
            return None
        if field in ("created_at", "edited_at"):
            return time_of(value, self.time, self.zone)
        if field == "attachments":
            urls = value if isinstance(value, list) else str(value).split()
            found = [str(one.get("url") if isinstance(one, Mapping) else one) for one in urls]
            return [{"url": url} for url in found if url.startswith(("http://", "https://"))][:20] or None
        if field == "rating":
            return _number(value)
        if isinstance(value, Mapping | list):
            return None
        text = _plain(str(value)) if self.html else str(value)
        return text[:_MAX_TEXT] if field in ("text", "parent.text") else text.strip() or None

    def _found(self, row: Mapping[str, Any]) -> Any:
        if self.when and not any(_word(at_path(row, path)) in words for path, words in self.when.items()):
            return None
        for path in self.path:
            value = at_path(row, path)
            if value not in (None, "", [], {}):
                return value
        parts = [str(value) for path in self.join if (value := at_path(row, path)) not in (None, "")]
        return " ".join(parts) or None

    def _translated(self, value: Any) -> Any:
        if value is None:
            return None
        if self.values is not None:
            return self.values.get(_word(value))
        if self.steps:
            number = _number(value)
            return None if number is None else next((word for top, word in self.steps if number <= top), None)
        return value


def at_path(value: Any, path: str) -> Any:
    """What stands at that path: a key as written, else in any case of letters, else step by step; None: nothing."""
    if isinstance(value, Mapping):
        if path in value:
            return value[path]
        wanted = _word(path)
        for key in value:
            if _word(key) == wanted:
                return value[key]
    head, dot, rest = path.partition(".")
    if isinstance(value, list) and head.isdecimal():
        found = value[int(head)] if int(head) < len(value) else None
        return at_path(found, rest) if dot else found
    return at_path(value[head], rest) if dot and isinstance(value, Mapping) and head in value else None


def time_of(value: Any, forms: Iterable[str], zone: str) -> str | None:
    """A time in ISO 8601 with its zone; None for what is none of these forms."""
    if isinstance(value, datetime | date):  # a spreadsheet's cell
        at = value if isinstance(value, datetime) else datetime(value.year, value.month, value.day)  # noqa: DTZ001
        return _zoned(at, zone)
    text = str(value).strip()
    for form in (*forms, "iso"):
        try:
            if form in ("unix", "unix_ms"):
                seconds = float(text) / (1_000 if form == "unix_ms" else 1)
                return datetime.fromtimestamp(seconds, UTC).isoformat()
            at = _iso(text) if form == "iso" else datetime.strptime(text, form)  # noqa: DTZ007  the map names the zone
            return _zoned(at, zone)
        except (ValueError, OverflowError, OSError):
            continue
    return None


def clean_count(value: Any) -> int | None:
    """A whole number as tools and spreadsheets write it (1 840, 12.0); None for anything else."""
    text = re.sub(r"[\s\u00a0\u202f]", "", str(value))
    return int(re.split(r"[.,]", text)[0]) if _COUNTED.fullmatch(text) and not isinstance(value, bool) else None


def shown(paths: Iterable[str]) -> str:
    """Paths for a person."""
    return ", ".join(path or "the whole body" for path in paths)


def _iso(text: str) -> datetime:
    """Also with seven digits of a second, as .NET writes them, and with +0000."""
    text = re.sub(r"(\.\d{6})\d+", r"\1", text)
    return datetime.fromisoformat(re.sub(r"([+-]\d{2})(\d{2})$", r"\1:\2", text) if ":" in text else text)


def _zoned(at: datetime, zone: str) -> str:
    return (at if at.tzinfo is not None else at.replace(tzinfo=ZoneInfo(zone))).astimezone(UTC).isoformat()


def _number(value: Any) -> float | None:
    try:
        return float(str(value).strip().replace(",", "."))
    except ValueError:
        return None


def _plain(html: str) -> str:
    """Markup taken off; the lines of a text that has hardly any (a word marked with <b>) are kept."""
    text = re.sub(r"[\ud800-\udfff]", "\ufffd", html)
    if not _MARKUP.search(text):
        return text
    if not _BLOCKS.search(text):
        text = text.replace("\n", "<br>")
    try:
        return to_text(text[: _MAX_TEXT * 8])
    except RecursionError:
        return " ".join(re.sub(r"<[^<>]*>", " ", text[:_MAX_TEXT]).split())


def _word(value: Any) -> str:
    return " ".join(str(value).split()).casefold()
