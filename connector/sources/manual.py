"""Mentions that people hand in: a text, a text with its address, a CSV or JSONL file. See `connector submit`.

It hides how spreadsheets write tables. One rule must hold: the same thing handed in twice has the same id, so that
the second time is a duplicate and not a second ticket; where no id is given, it is made of what was said, by whom
and where. Every mistake of a file is told at once, with its line.

Nothing is polled, nothing calls us and nothing can be answered from here: an agent follows the link.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar

from pydantic import Field

from connector.errors import BadHook, ConfigError, Problem
from connector.http import Http
from connector.mentionjson import read_mention
from connector.model import Identity, Mention
from connector.sources.base import Source, SourceCapabilities, SourceOptions
from connector.yamlfile import did_you_mean

MAX_FILE = 64 * 1024 * 1024

_PLAIN = (
    "id kind text url title created_at edited_at deleted language tone thread_id rating private own attachments"
).split()
_DOTTED = (
    "author.id author.name author.handle author.url author.avatar_url author.followers author.verified "
    "parent.id parent.text parent.url parent.author"
).split()
COLUMNS: tuple[str, ...] = (*_PLAIN, *_DOTTED)
"""The column names of a CSV file; also `engagement.` with any name after it."""


class ManualOptions(SourceOptions):
    """Nothing to log in to."""

    platform: str = Field(default="manual", description="network to note on the tickets")


class Manual(Source):
    """The source behind `connector submit`."""

    type: ClassVar[str] = "manual"
    about: ClassVar[str] = "what colleagues find and hand in: text, CSV, JSONL; the link is answered by hand"
    Options = ManualOptions
    capabilities: ClassVar[SourceCapabilities] = SourceCapabilities(edits=True, deletes=True, attachments_in=True)

    def __init__(self, name: str, options: ManualOptions, http: Http) -> None:
        super().__init__(name, options, http)
        self.options: ManualOptions = options
        self.platform = options.platform

    def check(self) -> Identity:
        """Nobody but ourselves."""
        return Identity(
            self.name, self.platform, notes=("takes what `connector submit` hands in; cannot be answered",)
        )


def mention_from_text(
    text: str, *, source: str, platform: str, received_at: float, url: str = "", author: str = ""
) -> Mention:
    """One mention from a text, its address and its author's name where known. BadHook 422 when it cannot be one."""
    obj: dict[str, Any] = {"text": text, "url": url, "author": {"name": author}}
    return read_mention(_identified(obj), source=source, platform=platform, received_at=received_at)


def mentions_from_file(path: Path, *, source: str, platform: str, received_at: float) -> tuple[Mention, ...]:
    """The mentions of a CSV (`.csv`, `.tsv`, `.txt`), JSONL (`.jsonl`, `.ndjson`) or JSON file, in its order.

    ConfigError with every mistake and its line; none of the file is then to be used.
    """
    try:
        if path.stat().st_size > MAX_FILE:
            raise ConfigError([Problem(str(path), 0, 0, "", f"is larger than {MAX_FILE // 2**20} MB; split it")])
        content = path.read_bytes()
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise ConfigError([Problem(str(path), 0, 0, "", f"cannot be read: {reason}")]) from None
    return mentions_from_bytes(content, str(path), source=source, platform=platform, received_at=received_at)


def mentions_from_bytes(
    content: bytes, name: str, *, source: str, platform: str, received_at: float
) -> tuple[Mention, ...]:
    """The same for a file already read; `name` tells what it is, and is shown with each mistake."""
    text = _decoded(content)
    rows = {".jsonl": _jsonl_rows, ".ndjson": _jsonl_rows, ".json": _json_rows}.get(
        Path(name).suffix.lower(), _csv_rows
    )
    problems: list[Problem] = []
    mentions: list[Mention] = []
    for line, row in rows(text, name, problems):
        try:
            mention = read_mention(_identified(row), source=source, platform=platform, received_at=received_at)
        except BadHook as refusal:
            problems.append(Problem(name, line, 1, "", refusal.sentence))
        else:
            mentions.append(mention)
    if problems:
        raise ConfigError(sorted(problems, key=lambda problem: (problem.line, problem.column)))
    return tuple(mentions)


def _decoded(content: bytes) -> str:
    """UTF-8 with or without its mark, UTF-16 with it, else cp1251 as spreadsheets in Russian write."""
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        return content.decode("utf-16", "replace")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("cp1251", "replace")


_Rows = Iterator[tuple[int, dict[str, Any]]]


def _jsonl_rows(text: str, name: str, problems: list[Problem]) -> _Rows:
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        row = _loaded(line, name, number, problems)
        if isinstance(row, dict):
            yield number, row
        elif row is not None:
            problems.append(Problem(name, number, 1, "", "is not a mention; write one JSON object on each line"))


def _json_rows(text: str, name: str, problems: list[Problem]) -> _Rows:
    value = _loaded(text, name, 1, problems)
    rows = value if isinstance(value, list) else [] if value is None else [value]
    for number, row in enumerate(rows):
        if isinstance(row, dict):
            yield 1, row
        else:
            problems.append(Problem(name, 1, 1, f"[{number}]", "is not a mention; write an object"))


def _loaded(text: str, name: str, line: int, problems: list[Problem]) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        problems.append(Problem(name, line + error.lineno - 1, error.colno, "", f"is not JSON: {error.msg.lower()}"))
    except (ValueError, RecursionError):
        problems.append(Problem(name, line, 1, "", "is not JSON: it is nested too deeply or holds too long a number"))
    return None


def _csv_rows(text: str, name: str, problems: list[Problem]) -> _Rows:
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=_delimiter(text), strict=False)
    try:
        header = [cell.strip().lower() for cell in next(reader, [])]
        problems += _header_problems(header, name)
        if problems:
            return
        last = reader.line_num
        for cells in reader:
            line, last = last + 1, reader.line_num
            if not any(cell.strip() for cell in cells):
                continue
            if len(cells) > len(header):
                problems.append(
                    Problem(name, line, 1, "", f"has {len(cells)} cells for {len(header)} columns; quote the text")
                )
                continue
            yield line, _nested(dict(zip(header, cells, strict=False)))
    except csv.Error as error:
        problems.append(Problem(name, reader.line_num, 1, "", f"is not a table: {error}"))


def _delimiter(text: str) -> str:
    """The one of ; , and tab that stands most often in the header."""
    header = next((line for line in text.splitlines() if line.strip()), "")
    return max(",;\t", key=header.count)


def _header_problems(header: list[str], name: str) -> list[Problem]:
    if "text" not in header:
        message = f'has no column "text" in its first line{did_you_mean("text", COLUMNS)}'
        return [Problem(name, 1, 1, "", message)]
    problems = []
    for number, column in enumerate(header, start=1):
        if header.index(column) < number - 1 and column:
            problems.append(Problem(name, 1, number, column, f'the column "{column}" is there twice; keep one'))
        elif column and column not in COLUMNS and not column.startswith("engagement."):
            problems.append(Problem(name, 1, number, column, f"unknown column{did_you_mean(column, COLUMNS)}"))
    return problems


def _nested(row: Mapping[str, str]) -> dict[str, Any]:
    """A row as Mention JSON; empty cells are absent, `attachments` is addresses with spaces between."""
    made: dict[str, Any] = {}
    for column, cell in row.items():
        value = cell.strip()
        if column == "text":
            made["text"] = cell
        elif not column or not value:
            continue
        elif column == "attachments":
            made["attachments"] = [{"url": url} for url in value.split()]
        elif "." in column:
            outer, inner = column.split(".", 1)
            made.setdefault(outer, {})[inner] = value
        else:
            made[column] = value.replace(",", ".") if column == "rating" else value
    return made


def _identified(row: Mapping[str, Any]) -> dict[str, Any]:
    """The same with an id and an author's id, made of the content where they are not given."""
    made = dict(row)
    author = made.get("author")
    author = dict(author) if isinstance(author, dict) else {} if author is None else author
    if isinstance(author, dict):
        if author.get("id") in (None, ""):
            known = next(
                (
                    author[k]
                    for k in ("handle", "url", "name")
                    if isinstance(author.get(k), str) and author[k].strip()
                ),
                "",
            )
            author["id"] = " ".join(known.removeprefix("@").split()).casefold()[:200] or "unknown"
        made["author"] = author
    if made.get("id") in (None, ""):
        who = author.get("id") if isinstance(author, dict) else ""
        said = (made.get("text"), made.get("url"), who, made.get("created_at"), made.get("title"))
        words = json.dumps([" ".join(str(word or "").split()) for word in said])
        made["id"] = "m-" + hashlib.sha256(words.encode()).hexdigest()[:24]
    return made
