"""Mention JSON: the form in which any system can hand us mentions, over a webhook or in a file.

It hides the whole distance between a stranger's bytes and our Mention. One rule must hold: whatever comes in, either
mentions come out or a BadHook with one sentence that names the place and the way out, and never any of the text
itself. A list is taken whole or not at all, so that a caller may simply send it again.

It is kind where kindness loses nothing: numbers are taken as ids, a time without a zone is UTC, `null` is the same as
absent, control characters are dropped, half an emoji becomes U+FFFD, unknown keys are ignored (a bridge may send all
it has). It is strict where a guess could put words on the wrong ticket: ids, kinds, tones, sizes.

    400  not JSON at all           413  too large, or too many at once           422  JSON, but not a mention
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from pydantic import (
    BaseModel,
    ConfigDict,
    FailFast,
    Field,
    StrictInt,
    StrictStr,
    TypeAdapter,
    ValidationError,
    WithJsonSchema,
)
from pydantic_core import ErrorDetails

from connector.errors import BadHook
from connector.model import KINDS, TONES, Attachment, Author, Kind, Mention, Parent, Tone, ToneLabel, utc
from connector.yamlfile import did_you_mean, dotted

MAX_BODY = 16 * 1024 * 1024
MAX_MENTIONS = 1_000
MAX_TEXT = 256 * 1024

_NOT_BEFORE = datetime(1990, 1, 1, tzinfo=UTC)
_MAY_BE_AHEAD = timedelta(minutes=5)
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")
_SURROGATES = re.compile(r"[\ud800-\udfff]")
_SCRIPT = re.compile(r"\s*(javascript|data|vbscript):", re.IGNORECASE)
_KINDS: Mapping[str, Kind] = {kind: kind for kind in KINDS}
_LABELS: Mapping[str, ToneLabel] = {label: label for label in TONES}
_SCORES: Mapping[str, float] = {
    "very_negative": -1.0,
    "negative": -0.5,
    "neutral": 0.0,
    "positive": 0.5,
    "very_positive": 1.0,
}

EXAMPLE: Mapping[str, Any] = {
    "id": "wall-1_77_501",
    "kind": "comment",
    "text": "Третий день без ответа. Верните деньги!",
    "url": "https://example.com/wall-1_77?reply=501",
    "created_at": "2026-11-22T09:30:00Z",
    "language": "ru",
    "tone": "negative",
    "thread_id": "wall-1_77",
    "parent": {"id": "wall-1_77", "text": "Новая коллекция уже в продаже", "url": "https://example.com/wall-1_77"},
    "author": {
        "id": "501",
        "name": "Анна К.",
        "handle": "anna_k",
        "url": "https://example.com/anna_k",
        "followers": 1840,
    },
    "engagement": {"likes": 12, "replies": 3},
    "rating": None,
    "attachments": [{"url": "https://example.com/receipt.jpg", "type": "image/jpeg", "name": "receipt.jpg"}],
}


# --- the shape ---------------------------------------------------------------------------------------------

_Id = StrictStr | StrictInt
_Short = Annotated[str, Field(max_length=2_000)]
_Url = Annotated[str, Field(max_length=8_000)]
_Count = Annotated[int, Field(ge=0, le=2**53)]
_Whole = Annotated[int, Field(ge=-(2**53), le=2**53)]
_Number = Annotated[float, Field(allow_inf_nan=False, ge=-1e15, le=1e15)]


class _Shape(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True, hide_input_in_errors=True)


class _Author(_Shape):
    """Who said it."""

    id: Annotated[_Id, Field(description="stable id on the platform; a number is taken as text")]
    name: Annotated[_Short | None, Field(description="name as people see it")] = None
    handle: Annotated[_Short | None, Field(description="short name, with or without @")] = None
    url: Annotated[_Url | None, Field(description="profile page")] = None
    avatar_url: Annotated[_Url | None, Field(description="picture")] = None
    followers: Annotated[_Count | None, Field(description="how many follow them")] = None
    verified: Annotated[bool | None, Field(description="verified by the platform")] = None


class _Parent(_Shape):
    """The post this mention answers."""

    id: Annotated[_Id | None, Field(description="its id")] = None
    text: Annotated[str | None, Field(description="its text, shown to the agent")] = None
    url: Annotated[_Url | None, Field(description="its address")] = None
    author: Annotated[_Short | None, Field(description="name of its author")] = None


class _Attachment(_Shape):
    """A file by address."""

    url: Annotated[_Url, Field(description="where it can be fetched, http or https")]
    type: Annotated[_Short | None, Field(description="media type, such as image/jpeg")] = None
    name: Annotated[_Short | None, Field(description="file name")] = None
    size: Annotated[_Count | None, Field(description="bytes, where known")] = None


_Counts = Annotated[dict[_Short, _Whole | None], Field(max_length=100)]
_Attachments = Annotated[list[_Attachment], Field(max_length=100)]

_TIME_SCHEMA = WithJsonSchema(
    {"anyOf": [{"type": "string", "format": "date-time"}, {"type": "number"}, {"type": "null"}]}
)
_TONE_SCHEMA: dict[str, Any] = {
    "description": "what the sender thinks of its tone: a label, or a label with score (-1 to 1) and confidence "
    "(0 to 1); a bare label is taken as certain, `unknown` lets us judge ourselves",
    "anyOf": [
        {"enum": list(TONES)},
        {
            "type": "object",
            "required": ["label"],
            "properties": {
                "label": {"enum": list(TONES)},
                "score": {"type": "number", "minimum": -1, "maximum": 1},
                "confidence": {"type": "number", "minimum": 0, "maximum": 1},
            },
        },
    ],
}


class _MentionShape(_Shape):
    """One thing somebody said. Only `id`, `text` and `author.id` are required."""

    id: Annotated[_Id, Field(description="stable id; the same id again is recognised as a duplicate")]
    text: Annotated[str | None, Field(description="what was said, plain text, at most 256 kB; may be empty")] = None
    author: Annotated[_Author, Field(description="who said it")]
    kind: Annotated[_Short | None, Field(description="what it is; default: post")] = None
    url: Annotated[_Url | None, Field(description="where it can be read")] = None
    title: Annotated[_Short | None, Field(description="headline of an article, a topic or a review")] = None
    created_at: Annotated[
        datetime | None,
        Field(description="ISO 8601 or a Unix time; without a zone it is UTC; default: when it reached us"),
        _TIME_SCHEMA,
    ] = None
    edited_at: Annotated[
        datetime | None,
        Field(description="time of the last edit: makes it a new version of the same id"),
        _TIME_SCHEMA,
    ] = None
    deleted: Annotated[bool | None, Field(description="true: taken back by its author; text may be absent")] = None
    language: Annotated[_Short | None, Field(description="language code such as ru or en-GB")] = None
    tone: Annotated[Any, Field(json_schema_extra=_TONE_SCHEMA)] = None
    thread_id: Annotated[
        _Id | None, Field(description="what belongs together; default: the parent's id, else its own id")
    ] = None
    parent: Annotated[_Parent | None, Field(description="the post it answers")] = None
    engagement: Annotated[_Counts | None, Field(description="whole numbers by name: likes, replies, views …")] = None
    rating: Annotated[_Number | None, Field(description="stars of a review")] = None
    attachments: Annotated[_Attachments | None, Field(description="files it carries")] = None
    private: Annotated[bool | None, Field(description="only we can read it; default: true for kind dm")] = None
    own: Annotated[bool | None, Field(description="true: written by ourselves, so no ticket is made of it")] = None


_ONE = TypeAdapter(_MentionShape)
_MANY: TypeAdapter[list[_MentionShape]] = TypeAdapter(
    Annotated[list[_MentionShape], Field(max_length=MAX_MENTIONS), FailFast()]
)


# --- reading -----------------------------------------------------------------------------------------------


def read_mentions(body: bytes, *, source: str, platform: str, received_at: float) -> tuple[Mention, ...]:
    """The mentions in a body that holds one object or a list of them, in the order given.

    `received_at` (Unix seconds) stands in for a missing or impossible `created_at`. BadHook 400, 413 or 422.
    """
    if len(body) > MAX_BODY:
        raise BadHook(f"the body is larger than {MAX_BODY // 2**20} MB; send less at once", status=413)
    body = body.removeprefix(b"\xef\xbb\xbf").strip(b" \t\r\n")
    if not body:
        raise BadHook("the body is empty; send one mention or a list of them as JSON", status=400)
    many = body[:1] == b"["
    if not many and body[:1] != b"{":
        _refuse_other(body)
    shapes = _parsed(body, _MANY if many else _ONE)
    items: list[_MentionShape] = shapes if many else [shapes]
    mentions: list[Mention] = []
    try:
        for shape in items:
            mentions.append(_mention(shape, source, platform, received_at))  # noqa: PERF401  its length is the place
    except _Wrong as wrong:
        place = f"[{len(mentions)}].{wrong.place}" if many else wrong.place
        raise BadHook(f"{place} {wrong.sentence}", status=422) from None
    return tuple(mentions)


def read_mention(obj: Mapping[str, Any], *, source: str, platform: str, received_at: float) -> Mention:
    """The mention in one object that was parsed already; texts in place of numbers will do. BadHook 422."""
    try:
        shape = _ONE.validate_python(_scrubbed(dict(obj)))
    except ValidationError as error:
        raise _refusal(error) from None
    except RecursionError:
        raise BadHook("the mention is nested too deeply", status=400) from None
    try:
        return _mention(shape, source, platform, received_at)
    except _Wrong as wrong:
        raise BadHook(f"{wrong.place} {wrong.sentence}", status=422) from None


def schema() -> dict[str, Any]:
    """The JSON Schema (2020-12) of a body: one mention, or a list of up to 1,000."""
    made = _ONE.json_schema(ref_template="#/$defs/{model}")
    parts = made.pop("$defs")
    made |= {"title": "Mention", "required": ["id", "text", "author"], "examples": [dict(EXAMPLE)]}
    kind = made["properties"]["kind"]
    kind["anyOf"] = [{"enum": list(KINDS)}, {"type": "null"}]
    whole = {"mention": made, **parts}
    for shape in whole.values():
        for rule in shape["properties"].values():
            rule.pop("title", None)
            rule.pop("default", None)
    text = json.dumps(whole)
    for part in parts:
        text = text.replace(f'"{part}"', f'"{part[1:].lower()}"').replace(f"/{part}", f"/{part[1:].lower()}")
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Mention JSON",
        "description": "What POST /hooks/<source> takes, and what `connector submit` and `connector explain` read. "
        "Keys that are not named here are ignored; null means absent.",
        "anyOf": [
            {"$ref": "#/$defs/mention"},
            {"type": "array", "maxItems": MAX_MENTIONS, "items": {"$ref": "#/$defs/mention"}},
        ],
        "$defs": json.loads(text),
    }


def _parsed(body: bytes, adapter: TypeAdapter[Any]) -> Any:
    try:
        return adapter.validate_json(body)
    except ValidationError as error:
        if b"\\u" not in body or error.errors(include_url=False, include_input=False)[0]["type"] != "json_invalid":
            raise _refusal(error) from None
    # The fast parser refuses half an emoji ("\ud83d" alone), which a bridge makes when it cuts a text: read again.
    try:
        return adapter.validate_python(_scrubbed(json.loads(body)))
    except ValidationError as error:
        raise _refusal(error) from None
    except RecursionError:
        raise BadHook("the JSON is nested too deeply", status=400) from None
    except ValueError:
        pass
    try:
        adapter.validate_json(body)
    except ValidationError as error:
        raise _refusal(error) from None
    raise BadHook("the body is not JSON", status=400)


def _scrubbed(value: Any) -> Any:
    """The same value without lone surrogates, which no database and no UTF-8 can hold."""
    if isinstance(value, str):
        return _SURROGATES.sub("\ufffd", value)
    if isinstance(value, dict):
        return {_scrubbed(key): _scrubbed(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_scrubbed(item) for item in value]
    return value


def _refuse_other(body: bytes) -> None:
    """A body that begins neither an object nor a list: other JSON (422), or none at all (400)."""
    words = {b'"': "a text", b"t": "true", b"f": "false", b"n": "null"}
    try:
        json.loads(body)
    except (ValueError, RecursionError):
        raise BadHook("the body is not JSON; send one mention or a list of them", status=400) from None
    shown = words.get(body[:1], "a number")
    raise BadHook(f"the body has to be a mention or a list of mentions, not {shown}", status=422)


# --- refusing ----------------------------------------------------------------------------------------------

_SENTENCES: Mapping[str, str] = {
    "missing": "is missing; every mention needs id, text and author.id",
    "string_type": "has to be text",
    "string_unicode": "is not readable text",
    "int_type": "has to be a whole number",
    "int_parsing": "has to be a whole number",
    "int_parsing_size": "is too large a number",
    "int_from_float": "has to be a whole number",
    "float_type": "has to be a number",
    "float_parsing": "has to be a number",
    "finite_number": "has to be a finite number",
    "bool_type": "has to be true or false",
    "bool_parsing": "has to be true or false",
    "list_type": "has to be a list",
    "dict_type": "has to be an object",
    "model_type": "has to be an object",
    "greater_than_equal": "is too small a number",
    "less_than_equal": "is too large a number",
}
_TIME = "is not a time; write it like 2026-11-22T09:30:00Z"


def _refusal(error: ValidationError) -> BadHook:
    first = error.errors(include_url=False, include_input=False)[0]
    kind = first["type"]
    if kind == "json_invalid":
        return BadHook(f"the body is not JSON: {_json_reason(first)}", status=400)
    place = _place(_steps(first))
    if kind == "too_long" and not first["loc"]:
        return BadHook(f"the list holds more than {MAX_MENTIONS} mentions; send at most that many", status=413)
    if kind in ("string_too_long", "too_long"):
        limit = first.get("ctx", {}).get("max_length")
        return BadHook(f"{place} is longer than {limit}; shorten it", status=422)
    if kind.startswith(("datetime", "date_", "timezone")):
        return BadHook(f"{place} {_TIME}", status=422)
    if kind in ("string_type", "int_type") and first["loc"][-1] in ("str", "int"):
        return BadHook(f"{place} has to be text or a whole number", status=422)
    if kind == "missing" and "attachments" in first["loc"]:
        return BadHook(f"{place} is missing; every attachment needs it", status=422)
    sentence = _SENTENCES.get(kind, "is not what belongs there; see `connector schema mention`")
    return BadHook(f"{place} {sentence}", status=422)


def _steps(error: ErrorDetails) -> tuple[int | str, ...]:
    """The path as it stands in the JSON: without pydantic's names for the branches of a choice."""
    steps = error["loc"]
    if len(steps) > 1 and steps[-1] in ("str", "int") and steps[-2] in ("id", "thread_id"):
        return steps[:-1]
    return tuple(step for step in steps if step != "[key]")


def _json_reason(first: ErrorDetails) -> str:
    reason = str(first.get("ctx", {}).get("error", "cannot be read"))
    if "recursion" in reason:
        return "it is nested too deeply"
    return "".join(c if c.isprintable() else "?" for c in reason)[:160]


def _place(where: tuple[int | str, ...]) -> str:
    shown = "".join(c if c.isprintable() else "?" for c in dotted(where))[:120]
    return shown or "the body"


class _Wrong(ValueError):
    """Something in one mention is not as it has to be: the place in it, and the sentence about it."""

    def __init__(self, place: str, sentence: str) -> None:
        super().__init__(place, sentence)
        self.place = place
        self.sentence = sentence


# --- from their words to ours ------------------------------------------------------------------------------


def _mention(shape: _MentionShape, source: str, platform: str, received_at: float) -> Mention:
    external_id = _id(shape.id, "id")
    deleted = bool(shape.deleted)
    if shape.text is None and not deleted:
        raise _Wrong("text", _SENTENCES["missing"])
    text = shape.text or ""
    if len(text) > MAX_TEXT // 4 and len(text.encode()) > MAX_TEXT:
        raise _Wrong("text", f"is longer than {MAX_TEXT // 1024} kB; shorten it and link to the rest")
    parent = _parent(shape.parent)
    kind = _kind(shape.kind)
    thread_id = "" if shape.thread_id in (None, "") else _id(shape.thread_id, "thread_id")
    return Mention(
        source=source,
        platform=platform,
        external_id=external_id,
        version=_version(shape),
        author=_author(shape.author),
        text=_clean(text),
        created_at=_time(shape.created_at, received_at),
        kind=kind,
        url=_url(shape.url, "url"),
        title=_line(shape.title),
        thread_id=thread_id or (parent.id if parent is not None and parent.id else external_id),
        parent=parent,
        language=_language(shape.language),
        tone=_tone(shape.tone),
        rating=shape.rating,
        engagement={_clean(k): v for k, v in (shape.engagement or {}).items() if v is not None},
        attachments=tuple(
            Attachment(_url(one.url, f"attachments[{n}].url"), _line(one.type), _line(one.name), one.size)
            for n, one in enumerate(shape.attachments or ())
        ),
        own=bool(shape.own),
        private=kind == "dm" if shape.private is None else shape.private,
        deleted=deleted,
    )


def _clean(text: str) -> str:
    return _CONTROL.sub("", text)


def _line(text: str | None) -> str:
    return " ".join(_CONTROL.sub("", text).split()) if text else ""


def _id(value: str | int | None, at: str) -> str:
    if isinstance(value, int) and abs(value) >= 10**40:
        raise _Wrong(at, "is too large a number")
    text = str(value).strip()
    if not text:
        raise _Wrong(at, "is empty; it has to be a stable id")
    if len(text) > 500:
        raise _Wrong(at, "is longer than 500 characters; shorten it")
    if _CONTROL.search(text):
        raise _Wrong(at, "holds a control character; ids have to be plain text")
    return text


def _url(value: str | None, at: str) -> str:
    url = _CONTROL.sub("", value).strip() if value else ""
    if _SCRIPT.match(url):
        raise _Wrong(at, "is not an address; it has to begin with http:// or https://")
    return url


def _kind(value: str | None) -> Kind:
    if not value:
        return "post"
    kind = _KINDS.get(value.strip().lower())
    if kind is None:
        raise _Wrong("kind", f"is not a kind{did_you_mean(value[:40], KINDS)}")
    return kind


def _author(shape: _Author) -> Author:
    return Author(
        id=_id(shape.id, "author.id"),
        name=_line(shape.name),
        handle=_line(shape.handle).removeprefix("@"),
        url=_url(shape.url, "author.url"),
        avatar_url=_url(shape.avatar_url, "author.avatar_url"),
        followers=shape.followers,
        verified=shape.verified,
    )


def _parent(shape: _Parent | None) -> Parent | None:
    if shape is None:
        return None
    given = "" if shape.id in (None, "") else _id(shape.id, "parent.id")
    text, url = _clean(shape.text or "")[: MAX_TEXT // 4], _url(shape.url, "parent.url")
    if not (given or text or url):
        return None
    return Parent(id=given or url, text=text, url=url, author=_line(shape.author))


def _language(value: str | None) -> str:
    """The first part of a language tag, in lower case; "" for one that says nothing."""
    if not value:
        return ""
    code = value.strip().lower().replace("_", "-").partition("-")[0]
    return code if code.isalpha() and len(code) in (2, 3) and code != "und" else ""


def _tone(value: Any) -> Tone | None:
    """Their judgement as ours; None where they have none, so that our own is asked."""
    if value is None or value == "":
        return None
    at = "tone"
    score: float | None = None
    confidence = 1.0
    if isinstance(value, dict):
        score = _share(value.get("score"), -1.0, "tone.score")
        given = _share(value.get("confidence"), 0.0, "tone.confidence")
        confidence = 1.0 if given is None else given
        value, at = value.get("label"), "tone.label"
    if not isinstance(value, str):
        raise _Wrong(at, f"is not a tone{did_you_mean('', TONES)}")
    label = _LABELS.get(value.strip().lower())
    if label is None:
        raise _Wrong(at, f"is not a tone{did_you_mean(value[:40], TONES)}")
    if label == "unknown":
        return None
    return Tone(label, _SCORES[label] if score is None else score, confidence, by="source")


def _share(value: Any, low: float, at: str) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= 1:
        raise _Wrong(at, f"has to be a number from {low:g} to 1")
    return float(value)


def _zoned(value: datetime, at: str) -> datetime:
    try:
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
    except (OverflowError, ValueError):
        raise _Wrong(at, _TIME) from None


def _time(value: datetime | None, received_at: float) -> datetime:
    """When it was said. A time before 1990 is how some systems write "unknown", and one more than five minutes ahead
    is a clock gone wrong: both are taken as the time it reached us, for deadlines are counted from here."""
    received = utc(received_at)
    if value is None:
        return received
    said = _zoned(value, "created_at")
    return said if _NOT_BEFORE <= said <= received + _MAY_BE_AHEAD else received


def _version(shape: _MentionShape) -> str:
    if shape.deleted:
        return "deleted"
    if shape.edited_at is None:
        return ""
    return _zoned(shape.edited_at, "edited_at").isoformat().replace("+00:00", "Z")
