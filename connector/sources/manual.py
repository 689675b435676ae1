"""Mentions that people hand in: a text, a text with its address, a CSV, XLSX or JSONL file. See `connector submit`.

It hides how spreadsheets write tables. One rule must hold: the same thing handed in twice has the same id, so that
the second time is a duplicate and not a second ticket; where no id is given, it is made of what was said, by whom
and where. Every mistake of a file is told at once, with its line. An export of another tool, whose columns are called
otherwise, goes through a field map (`connector.fieldmap`).

Nothing is polled, nothing calls us and nothing can be answered from here: an agent follows the link.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar

from pydantic import Field

from connector.errors import BadHook, ConfigError, Problem
from connector.fieldmap import FieldMap, identified, sheet
from connector.http import Http
from connector.mentionjson import read_mention
from connector.model import Identity, Mention
from connector.sources.base import Source, SourceCapabilities, SourceOptions
from connector.yamlfile import did_you_mean

MAX_FILE = 64 * 1024 * 1024
_HEADER_WITHIN = 20

_Rows = Iterator[tuple[int, dict[str, Any]]]
_Lines = Iterator[tuple[int, list[Any]]]

_PLAIN = (
    "id kind text url title created_at edited_at deleted language tone thread_id rating private own attachments"
).split()
_DOTTED = (
    "author.id author.name author.handle author.url author.avatar_url author.followers author.verified "
    "parent.id parent.text parent.url parent.author"
).split()
_OTHER_NAMES = "`connector schema mention` tells the names; a file with others needs a field map: --map"
COLUMNS: tuple[str, ...] = (*_PLAIN, *_DOTTED)
"""The column names of a CSV file; also `engagement.` with any name after it."""


class ManualOptions(SourceOptions):
    """Nothing to log in to."""

    platform: str = Field(default="manual", description="network to note on the tickets")
    map: str = Field(default="", description="field map for files: a preset such as export, or a .yaml file")


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
    return read_mention(identified(obj), source=source, platform=platform, received_at=received_at)


def mentions_from_file(
    path: Path, *, source: str, platform: str, received_at: float, chart: FieldMap | None = None
) -> tuple[Mention, ...]:
    """The mentions of a table (`.csv`, `.tsv`, `.txt`, `.xlsx`), JSONL (`.jsonl`, `.ndjson`) or JSON file, in its
    order; read by `chart` where there is one, else its columns or keys are those of Mention JSON.

    ConfigError with every mistake and its line; none of the file is then to be used.
    """
    try:
        if path.stat().st_size > MAX_FILE:
            raise ConfigError([Problem(str(path), 0, 0, "", f"is larger than {MAX_FILE // 2**20} MB; split it")])
        content = path.read_bytes()
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise ConfigError([Problem(str(path), 0, 0, "", f"cannot be read: {reason}")]) from None
    return mentions_from_bytes(
        content, str(path), source=source, platform=platform, received_at=received_at, chart=chart
    )


def mentions_from_bytes(
    content: bytes, name: str, *, source: str, platform: str, received_at: float, chart: FieldMap | None = None
) -> tuple[Mention, ...]:
    """The same for a file already read; `name` tells what it is, and is shown with each mistake."""
    problems: list[Problem] = []
    mentions: list[Mention] = []
    for line, row in _rows(content, name, chart, problems):
        if chart is not None and chart.left_out(row):
            continue
        try:
            made, network = (identified(row), "") if chart is None else chart.mention(row)
            mention = read_mention(made, source=source, platform=network or platform, received_at=received_at)
        except BadHook as refusal:
            problems.append(Problem(name, line, 1, "", refusal.sentence))
        else:
            mentions.append(mention)
    if problems:
        raise ConfigError(sorted(problems, key=lambda problem: (problem.line, problem.column)))
    return tuple(mentions)


def _rows(content: bytes, name: str, chart: FieldMap | None, problems: list[Problem]) -> _Rows:
    kind = Path(name).suffix.lower()
    if kind in (".jsonl", ".ndjson"):
        return _jsonl_rows(_decoded(content), name, problems)
    if kind == ".json":
        return _json_rows(_decoded(content), name, chart, problems)
    if kind == ".xls":
        message = "is an old Excel file; save it as .xlsx or CSV"
        raise ConfigError([Problem(name, 0, 0, "", message)])
    table = sheet.lines(content, name) if kind == ".xlsx" else _delimited(_decoded(content), name, chart, problems)
    return _table_rows(table, name, chart, problems)


def _decoded(content: bytes) -> str:
    """UTF-8 with or without its mark, UTF-16 with it, else cp1251 as spreadsheets in Russian write."""
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        return content.decode("utf-16", "replace")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("cp1251", "replace")


def _jsonl_rows(text: str, name: str, problems: list[Problem]) -> _Rows:
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        row = _loaded(line, name, number, problems)
        if isinstance(row, dict):
            yield number, row
        elif row is not None:
            problems.append(Problem(name, number, 1, "", "is not a mention; write one JSON object on each line"))


def _json_rows(text: str, name: str, chart: FieldMap | None, problems: list[Problem]) -> _Rows:
    value = _loaded(text, name, 1, problems)
    rows = value if isinstance(value, list) else [] if value is None else [value]
    if chart is not None and value is not None:
        try:
            rows = chart.rows(value)
        except ValueError as error:
            problems.append(Problem(name, 1, 1, "", str(error)))
            return
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


def _delimited(text: str, name: str, chart: FieldMap | None, problems: list[Problem]) -> _Lines:
    """The lines of a CSV file, each with its number, which a cell with line breaks in it moves on."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=_delimiter(text, chart), strict=False)
    last = 0
    try:
        for cells in reader:
            line, last = last + 1, reader.line_num
            yield line, list(cells)
    except csv.Error as error:
        problems.append(Problem(name, reader.line_num, 1, "", f"is not a table: {error}"))


def _table_rows(table: _Lines, name: str, chart: FieldMap | None, problems: list[Problem]) -> _Rows:
    """Each line under its header. Without a map the header is the first line; with one, the first that has a column
    the map knows, for exports begin with a few words about themselves."""
    header: list[str] = []
    for line, cells in table:
        if not any(str(cell).strip() for cell in cells):
            continue
        if not header:
            names = [str(cell).strip().lower() for cell in cells]
            if chart is None:
                problems += _header_problems(names, name)
                if problems:
                    return
            elif not chart.knows(names):
                if line >= _HEADER_WITHIN:
                    break
                continue
            header = names
            continue
        if len(cells) > len(header) and any(str(cell).strip() for cell in cells[len(header) :]):
            problems.append(
                Problem(name, line, 1, "", f"has {len(cells)} cells for {len(header)} columns; quote the text")
            )
            continue
        row = dict(zip(header, cells, strict=False))
        yield line, _nested({k: str(v) for k, v in row.items()}) if chart is None else row
    if not header:
        problems += _header_problems([], name) if chart is None else [_no_column(name, chart)]


def _no_column(name: str, chart: FieldMap) -> Problem:
    wanted = ", ".join((*chart.paths("text"), *chart.paths("url"))[:12])
    return Problem(name, 1, 1, "", f"no line names a column for text or url; the map looks for {wanted}")


def _delimiter(text: str, chart: FieldMap | None) -> str:
    """The one of ; , and tab that stands most often in the header, which a map knows by its columns."""
    lines = [line for line in text.splitlines()[:_HEADER_WITHIN] if line.strip()]
    for line in lines if chart is not None else ():
        for mark in ",;\t":
            if mark in line and chart is not None and chart.knows(cell.strip(' "') for cell in line.split(mark)):
                return mark
    return max(",;\t", key=lines[0].count) if lines else ","


def _header_problems(header: list[str], name: str) -> list[Problem]:
    if "text" not in header:
        message = f'has no column "text" in its first line; {_OTHER_NAMES}'
        return [Problem(name, 1, 1, "", message)]
    problems = []
    for number, column in enumerate(header, start=1):
        if header.index(column) < number - 1 and column:
            problems.append(Problem(name, 1, number, column, f'the column "{column}" is there twice; keep one'))
        elif column and column not in COLUMNS and not column.startswith("engagement."):
            message = f"unknown column{_meant(column)}; {_OTHER_NAMES}"
            problems.append(Problem(name, 1, number, column, message))
    return problems


def _meant(column: str) -> str:
    """The column that was probably meant: the name, where the word is that of a person."""
    meant = f"{column}.name" if f"{column}.name" in COLUMNS else ""
    return f' — did you mean "{meant}"?' if meant else did_you_mean(column, COLUMNS).partition(" (allowed: ")[0]


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
