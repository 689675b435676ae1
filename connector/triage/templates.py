"""Subject and comment of a ticket, from Jinja2 templates that cannot do harm.

A template is text with `{{ values }}`, `{% if %}` and one plain `{% for %}`. There is nothing to call, nothing to
multiply and nothing to include, so none can run long, reach out or grow without end; the output is cut at a length as
it is produced. Names are checked and samples rendered when a mapping is loaded, so a template that loads works.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from typing import Any

from jinja2 import StrictUndefined, Template, TemplateError, TemplateSyntaxError, nodes
from jinja2.sandbox import ImmutableSandboxedEnvironment

from connector.markup import shorten
from connector.model import Author, Deadlines, Decision, Mention, Parent, Past, Settings, Tone
from connector.triage.sheet import Sheet
from connector.yamlfile import Where, did_you_mean

SUBJECT = "{{ platform }} · {{ author }}: {{ title or text or kind }}"
COMMENT = """\
{% if title %}
{{ title }}

{% endif %}
{{ text or "(no text)" }}
{% if rating is not none %}

Rating: {{ stars }}
{% endif %}
{% if url %}

{{ url }}
{% endif %}
"""

MOST_SUBJECT = 150
MOST_COMMENT = 60_000
MOST_ANSWER = 5_000
_MOST_TEMPLATE = 8_000
_MOST_REPLACED = 200_000
_FORBIDDEN: Mapping[type[nodes.Node], str] = {
    nodes.Call: "calls something; use a filter instead, as in {{ text|upper }}",
    nodes.CallBlock: "has a {% call %}",
    nodes.Macro: "has a {% macro %}",
    nodes.FilterBlock: "has a {% filter %} block",
    nodes.Include: "includes another template",
    nodes.Import: "imports another template",
    nodes.FromImport: "imports another template",
    nodes.Extends: "extends another template",
    nodes.Block: "has a {% block %}",
    nodes.Assign: "has a {% set %}",
    nodes.AssignBlock: "has a {% set %}",
    nodes.With: "has a {% with %}",
    nodes.Mul: "multiplies; that could grow without end",
    nodes.Pow: "raises to a power; that could grow without end",
    nodes.Mod: "uses %; that could grow without end",
}
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
_PLATFORMS: Mapping[str, str] = {
    "bluesky": "Bluesky",
    "mastodon": "Mastodon",
    "vk": "VK",
    "ok": "OK",
    "x": "X",
    "rss": "RSS",
    "youtube": "YouTube",
    "tiktok": "TikTok",
    "linkedin": "LinkedIn",
    "github": "GitHub",
    "app_store": "App Store",
    "google_play": "Google Play",
}


@dataclass(frozen=True, slots=True)
class _Said:
    """The author of a mention as templates see them: printed whole, or one datum at a time."""

    id: str
    name: str
    handle: str
    url: str
    followers: int | None
    verified: bool | None

    def __str__(self) -> str:
        return shown_author(Author(self.id, self.name, self.handle))


@dataclass(frozen=True, slots=True)
class _Answered:
    """The parent as templates see it: false where there is none."""

    text: str = ""
    url: str = ""
    author: str = ""
    there: bool = False

    def __bool__(self) -> bool:
        return self.there

    def __str__(self) -> str:
        return self.text


def shown_author(author: Author) -> str:
    """`Anna (@anna)`, or as much of it as there is."""
    handle = f"@{author.handle}" if author.handle else ""
    if author.name and handle and author.name not in (author.handle, handle):
        return f"{author.name} ({handle})"
    return handle or author.name or author.id


def shown_platform(platform: str) -> str:
    """The platform's name as people write it."""
    return _PLATFORMS.get(platform.lower()) or platform.replace("_", " ").capitalize()


def stars(rating: float | None) -> str:
    """A rating for people: ★★★★☆ (4 of 5) where it is one of five, else the number."""
    if rating is None:
        return ""
    number = f"{rating:g}"
    if not 0 <= rating <= 5:
        return number
    full = int(rating + 0.5)
    return f"{'★' * full}{'☆' * (5 - full)} ({number} of 5)"


def values(mention: Mention, made: Decision, past: Past, zone: tzinfo) -> dict[str, Any]:
    """What a template may name, of a decision whose texts are not written yet. The keys are a promise to admins."""
    author, parent, due = mention.author, mention.parent, made.deadlines
    return {
        "source": mention.source,
        "platform": shown_platform(mention.platform),
        "kind": mention.kind.replace("_", " "),
        "text": _CONTROL.sub("", mention.text).strip(),
        "title": _CONTROL.sub("", mention.title).strip(),
        "url": mention.url,
        "author": _Said(author.id, author.name, author.handle, author.url, author.followers, author.verified),
        "parent": _Answered(parent.text, parent.url, parent.author, True) if parent else _Answered(),
        "tone": made.tone.label,
        "language": made.language,
        "priority": made.settings.priority,
        "tags": made.settings.tags,
        "feedback": made.feedback[0] if made.feedback else "",
        "kinds": made.feedback,
        "answer_expected": made.answer_expected,
        "owner": made.owner,
        "score": made.score,
        "contacts": past.contacts,
        "role": made.role,
        "target": _local(due.target, zone) if due else "",
        "breach": _local(due.breach, zone) if due else "",
        "ceiling": _local(due.ceiling, zone) if due else "",
        "rating": mention.rating,
        "stars": stars(mention.rating),
        "engagement": dict(mention.engagement),
        "private": mention.private,
        "posted": _local(mention.created_at, zone),
    }


def _local(at: datetime, zone: tzinfo) -> str:
    with suppress(OverflowError, ValueError):
        at = at.astimezone(zone)
    return at.strftime("%Y-%m-%d %H:%M")


# --- the environment ---------------------------------------------------------------------------------------


def _excerpt(value: Any, length: int = 100) -> str:
    return shorten(str(value), max(2, int(length)))


def _replace(value: Any, old: str, new: str) -> str:
    text = str(value)
    if len(text) + text.count(str(old)) * len(str(new)) > _MOST_REPLACED:
        return text
    return text.replace(str(old), str(new))


def _join(value: Any, between: str = ", ") -> str:
    return str(value) if isinstance(value, str) else str(between).join(str(item) for item in value)


def _environment() -> ImmutableSandboxedEnvironment:
    made = ImmutableSandboxedEnvironment(undefined=StrictUndefined, trim_blocks=True, keep_trailing_newline=False)
    made.globals.clear()
    kept = (
        "default",
        "d",
        "upper",
        "lower",
        "title",
        "capitalize",
        "trim",
        "first",
        "last",
        "length",
        "count",
        "abs",
        "round",
        "int",
    )
    made.filters = {name: made.filters[name] for name in kept}
    made.filters |= {"excerpt": _excerpt, "replace": _replace, "join": _join}
    return made


_ENVIRONMENT = _environment()


class Ready:
    """A template that loaded: `text` gives its output, at most `most` characters of it."""

    def __init__(self, source: str, most: int) -> None:
        self.template: Template = _ENVIRONMENT.from_string(source)
        self.most = most

    def text(self, values: Mapping[str, Any]) -> str:
        """The output, without control characters. TemplateError and the like when a value was not as expected."""
        pieces: list[str] = []
        room = self.most + 1
        for piece in self.template.generate(values):
            pieces.append(piece[:room])
            room -= len(pieces[-1])
            if room <= 0:
                break
        text = _CONTROL.sub("", "".join(pieces)).strip()
        return text if len(text) <= self.most else text[: self.most - 1] + "…"


DEFAULT_SUBJECT = Ready(SUBJECT, 2_000)
DEFAULT_COMMENT = Ready(COMMENT, MOST_COMMENT)


def read_template(source: Any, where: Where, sheet: Sheet, most: int) -> Ready | None:
    """The template written at `where`, tried on samples; mistakes go onto the sheet with the line they stand in."""
    if not isinstance(source, str) or not source.strip():
        sheet.wrong(where, "has to be the text of a template; leave it out to use the usual one")
        return None
    if len(source) > _MOST_TEMPLATE:
        sheet.wrong(where, f"is longer than {_MOST_TEMPLATE} characters")
        return None
    wrong = _Lines(source, where, sheet)
    try:
        tree = _ENVIRONMENT.parse(source)
    except TemplateSyntaxError as error:
        wrong.say(error.lineno, f"is not a template: {error.message or 'cannot be read'}")
        return None
    if not _allowed(tree, wrong):
        return None
    ready = Ready(source, most)
    for sample in _samples():
        try:
            ready.text(sample)
        except (TemplateError, TypeError, ValueError, ArithmeticError) as error:
            wrong.say(_line_of(error), f"fails on a sample mention: {_reason(error, sample)}")
            return None
    return ready


@dataclass(frozen=True, slots=True)
class Answers:
    """Drafts of answers, by kind of feedback and language; "" where one text is for every language."""

    by_kind: Mapping[str, Mapping[str, Ready]]

    def find(self, kinds: Sequence[str], languages: Sequence[str]) -> Ready | None:
        """The draft for the first of these kinds that has one, or the nearest above it that has; in the first of the
        languages it is written in, else in the first it is written in at all."""
        for kind in kinds:
            parts = kind.split(".")
            for length in range(len(parts), 0, -1):
                texts = self.by_kind.get(".".join(parts[:length]))
                if texts:
                    wanted = next((language for language in languages if language in texts), next(iter(texts)))
                    return texts[wanted]
        return None

    def has(self, kind: str, language: str = "") -> bool:
        """Whether there is a draft for this kind, or for one above it; with `language`, one that is written in it or
        is for every language."""
        found = self.find((kind,), (language,))
        if found is None or not language:
            return found is not None
        texts = next(texts for texts in self.by_kind.values() if found in texts.values())
        return language in texts or "" in texts


def read_answer(value: Any, where: Where, sheet: Sheet) -> dict[str, Ready]:
    """The draft of one kind: a template, or one for each language."""
    if not isinstance(value, dict):
        ready = read_template(value, where, sheet, MOST_ANSWER)
        return {"": ready} if ready else {}
    found: dict[str, Ready] = {}
    for language, source in sheet.mapping(
        value, where, "a template, or a mapping from languages to templates"
    ).items():
        at = (*where, language)
        if not re.fullmatch(r"[a-z]{2,3}", language):
            sheet.wrong(
                at, f'"{language}" is not a language code: two or three letters such as ru or en', at_key=True
            )
        ready = read_template(source, at, sheet, MOST_ANSWER)
        if ready is not None:
            found[language] = ready
    if not value:
        sheet.wrong(where, "has no text in any language")
    return found


class _Lines:
    """Says mistakes at the file's line in which a line of the template stands."""

    def __init__(self, source: str, where: Where, sheet: Sheet) -> None:
        place = sheet.document.place(where)
        self.first = place.line + 1 if "\n" in source else place.line  # a `|` block begins below its key
        self.place, self.where, self.sheet = place, where, sheet

    def say(self, line: int, message: str) -> None:
        problem = self.sheet.document.problem(self.where, message)
        if line > 1 or self.first != self.place.line:
            problem = type(problem)(problem.file, self.first + max(line, 1) - 1, 1, problem.path, message)
        self.sheet.problems.append(problem)


def _allowed(tree: nodes.Template, wrong: _Lines) -> bool:
    fine = True
    for kind, message in _FORBIDDEN.items():
        for node in tree.find_all(kind):
            wrong.say(node.lineno, message)
            fine = False
    for loop in tree.find_all(nodes.For):
        if loop.recursive or loop.find(nodes.For):
            wrong.say(loop.lineno, "has a loop in a loop")
            fine = False
    for used in tree.find_all((nodes.Filter, nodes.Test)):
        known = _ENVIRONMENT.filters if isinstance(used, nodes.Filter) else _ENVIRONMENT.tests
        if used.name not in known:
            what = "filter" if isinstance(used, nodes.Filter) else "test"
            wrong.say(used.lineno, f'"{used.name}" is not a {what}{did_you_mean(used.name, known)}')
            fine = False
    names = _samples()[0]
    own = {node.name for node in tree.find_all(nodes.Name) if node.ctx == "store"} | {"loop"}
    for node in tree.find_all(nodes.Name):
        if node.name not in names and node.name not in own:
            wrong.say(node.lineno, f'"{node.name}" is not known here{did_you_mean(node.name, names)}')
            fine = False
    return fine


def _samples() -> Sequence[dict[str, Any]]:
    """A mention with everything, and one with as little as there may be."""
    full = Mention(
        source="sky", platform="bluesky", external_id="1", text="Третий день без связи", title="Связь", kind="review",
        author=Author("7", "Anna", "anna", "https://example.com/anna", followers=12, verified=True),
        created_at=datetime(2026, 1, 1, tzinfo=UTC), url="https://example.com/1", rating=2.0,
        parent=Parent("0", "We are back", "https://example.com/0", "Acme"), engagement={"likes": 3},
    )  # fmt: skip
    bare = Mention("sky", "bluesky", "2", Author("8"), "", datetime(2026, 1, 1, tzinfo=UTC))
    later = datetime(2026, 1, 2, tzinfo=UTC)
    whole = Decision(
        Settings(priority="normal", tags=("one", "two")), "", "", Tone("negative", -0.5, 0.8), "ru",
        feedback=("complaint.delivery",), score=40, owner="logistics",
        deadlines=Deadlines(later, later, later, "8h", "usual"),
    )  # fmt: skip
    poor = Decision(Settings(priority="normal"), "", "", Tone("unknown"))
    return [values(full, whole, Past(contacts=2), UTC), values(bare, poor, Past(), UTC)]


def _line_of(error: Exception) -> int:
    """The template's line an error came from: jinja2 puts it into the traceback as the frame of `<template>`."""
    line, trace = 1, error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == "<template>":
            line = trace.tb_lineno
        trace = trace.tb_next
    return line


def _reason(error: Exception, sample: Mapping[str, Any]) -> str:
    text = (
        str(error)
        .replace("connector.triage.templates._Said object", "author")
        .replace("connector.triage.templates._Answered object", "parent")
    )
    found = re.fullmatch(r"'(author|parent)' has no attribute '(\w+)'", text)
    if found:
        known = [name for name in sample[found[1]].__dataclass_fields__ if name != "there"]
        return f'{found[1]} has no "{found[2]}"{did_you_mean(found[2], known)}'
    return text.splitlines()[0] if text else type(error).__name__
