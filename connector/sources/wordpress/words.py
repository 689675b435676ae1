"""From WordPress's JSON to our words. Pure functions; nothing here asks anybody."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from connector.errors import BadAnswer
from connector.http import Answer
from connector.markup import shorten, to_text
from connector.model import Author, Cursor, Mention, Parent

SLACK = 26 * 3600.0
"""No time zone is further from another."""

PRINT, SAID, POST, AUTHOR, TOLD = range(5)
"""What the cursor keeps of a comment: fingerprint, Unix time, post, author's id, and whether it was told."""


def mention_from(row: Mapping[str, Any], source: str, me: int, version: str = "") -> Mention:
    """A comment as a mention. Its thread is the post; it answers the comment above it, else the post. An author who
    is no user is known by a hash of the e-mail address, which is shown to nobody, else by name."""
    embedded = row.get("_embedded") or {}
    post, above = _first(embedded.get("up")), _first(embedded.get("in-reply-to"))
    title = shorten(to_text(str((post.get("title") or {}).get("rendered") or "")), 300)
    if row.get("status") == "hold":
        title = f"{title} (awaits moderation)".strip()
    return Mention(
        source=source,
        platform="wordpress",
        external_id=str(row["id"]),
        version=version,
        author=Author(
            id=author_id(row),
            name=str(row.get("author_name") or ""),
            url=str(row.get("author_url") or ""),
            avatar_url=str((row.get("author_avatar_urls") or {}).get("96") or ""),
        ),
        text=to_text(str((row.get("content") or {}).get("rendered") or "")),
        created_at=_said_at(row),
        kind="comment",
        url=str(row.get("link") or ""),
        title=title,
        thread_id=str(row["post"]),
        parent=_parent(row, post, above),
        own=bool(me) and row.get("author") == me,
    )


def author_id(row: Mapping[str, Any]) -> str:
    """Stable for a user and for a guest with an address."""
    if row.get("author"):
        return f"user-{row['author']}"
    mail = str(row.get("author_email") or "").strip().casefold()
    name = str(row.get("author_name") or "").strip().casefold()
    word = hashlib.sha256((mail or name or "nobody").encode("utf-8", "replace")).hexdigest()[:16]
    return f"guest-{word}"


def _parent(row: Mapping[str, Any], post: Mapping[str, Any], above: Mapping[str, Any]) -> Parent:
    if above.get("id"):
        words = to_text(str((above.get("content") or {}).get("rendered") or ""))
        return Parent(str(above["id"]), words, str(above.get("link") or ""), str(above.get("author_name") or ""))
    if row.get("parent"):  # there, but not shown to us
        return Parent(str(row["parent"]))
    words = to_text(str((post.get("excerpt") or {}).get("rendered") or ""))
    name = to_text(str((post.get("title") or {}).get("rendered") or ""))
    return Parent(f"post-{row['post']}", words, str(post.get("link") or ""), name)


def _first(value: Any) -> Mapping[str, Any]:
    """The embedded object; nothing for one that may not be seen (then it is an error with a code)."""
    one = value[0] if isinstance(value, list) and value else {}
    return one if isinstance(one, Mapping) and "code" not in one else {}


def _said_at(row: Mapping[str, Any]) -> datetime:
    return datetime.fromisoformat(str(row["date_gmt"])).replace(tzinfo=UTC)


def memo(row: Mapping[str, Any], *, told: bool) -> list[Any]:
    """What the cursor keeps of a comment."""
    return [print_of(row), int(_said_at(row).timestamp()), row.get("post"), author_id(row), told]


def print_of(row: Mapping[str, Any]) -> str:
    """A fingerprint of what an edit would change."""
    content = row.get("content") or {}
    text = str(content.get("raw") if "raw" in content else content.get("rendered") or "")
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:8]


def number_of(value: Any) -> int:
    """A user's id; BadAnswer when there is none."""
    if not isinstance(value, int):
        raise BadAnswer("the answer names no user", operation="users")
    return value


def remembered(cursor: Cursor | None) -> dict[str, Any]:
    """What a cursor holds; nothing for none, or for one that is not ours."""
    try:
        value = json.loads(cursor or "{}")
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def written(known: Mapping[str, list[Any]], horizon: float) -> Cursor:
    """Twice the slack is kept, so that nothing forgotten is found anew."""
    floor = horizon - 2 * SLACK
    kept = {number: memo for number, memo in known.items() if memo[SAID] >= floor}
    return Cursor(json.dumps({"v": 1, "known": kept}, separators=(",", ":")))


def code_of(answer: Answer) -> str:
    """The word of a refusal, such as rest_comment_closed."""
    try:
        told = json.loads(answer.body)
    except (ValueError, RecursionError):
        return ""
    return str(told.get("code") or "") if isinstance(told, dict) else ""


def explain(answer: Answer) -> str:
    """One sentence from `{"code", "message"}`, or from an HTML page of the web server before it."""
    try:
        told = json.loads(answer.body)
    except (ValueError, RecursionError):
        told = None
    message = told.get("message") if isinstance(told, dict) else None
    if isinstance(message, str) and message.strip():
        return f"WordPress says: {' '.join(to_text(message).split())[:300]}"
    return f"the site answered HTTP {answer.status}"
