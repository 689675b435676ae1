"""Meta's calls: the challenge, the signature, and the entries of ours in a body.

https://developers.facebook.com/docs/graph-api/webhooks/getting-started. One rule must hold: nothing of a call is read
before its signature is known to fit. It is made over the body as it was sent.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from connector.adapter import ChallengeAnswer, Hook
from connector.errors import BadHook
from connector.model import HIDDEN, Mention, Parent
from connector.sources.meta.words import (
    direct_message,
    edited,
    fb_author,
    fb_pictures,
    ig_comment,
    ig_mention,
    instant,
)

HEADER = "x-hub-signature-256"
_POSTS = frozenset({"post", "status", "photo", "video", "share", "album", "note"})


def answered(token: str | None, query: Mapping[str, str]) -> ChallengeAnswer:
    """The challenge, given back to whoever knows our token."""
    given = query.get("hub.verify_token", "")
    if token is None or query.get("hub.mode") != "subscribe":
        raise BadHook("this is no subscription, or `verify_token` is not set here", status=403)
    if not hmac.compare_digest(given.encode(), token.encode()):
        raise BadHook("hub.verify_token is not the one configured for this source", status=403)
    return ChallengeAnswer(query.get("hub.challenge", ""))


def entries(secret: str, hook: Hook, kind: str, ours: frozenset[str]) -> Iterator[Mapping[str, Any]]:
    """The entries about our account. BadHook 401: not signed by Meta; 400, 422: not one of its bodies."""
    given = hook.headers.get(HEADER, "")
    digest = hmac.new(secret.encode(), hook.body, hashlib.sha256).hexdigest()
    if not given:
        raise BadHook(f"{HEADER} is missing: only Meta may call this", status=401)
    if not hmac.compare_digest(given.encode(), f"sha256={digest}".encode()):
        raise BadHook("the signature does not fit this body and the app's secret", status=401)
    try:
        told = json.loads(hook.body)
    except (ValueError, RecursionError):
        raise BadHook("the body is not JSON", status=400) from None
    found = told.get("entry") if isinstance(told, dict) else None
    if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
        raise BadHook("the body holds no entries", status=422)
    if told.get("object") != kind:
        return iter(())
    return (one for one in found if str(one.get("id")) in ours)


def page_mentions(entry: Mapping[str, Any], *, source: str, web: str, us: str, messages: bool) -> list[Mention]:
    """What one entry about a page brings. KeyError, TypeError, ValueError when it is not what it should be."""
    found: list[Mention | None] = []
    for change in entry.get("changes") or ():
        field, value = change.get("field"), change.get("value")
        if not isinstance(value, Mapping):
            continue
        if field in ("feed", "mention"):
            found.append(_fed(value, entry, source=source, web=web, us=us))
        elif field == "ratings":
            found.append(_rated(value, entry, source=source, web=web, us=us))
    if messages:
        told = entry.get("messaging") or ()
        found += [direct_message(one, source=source, platform="facebook", web=web, us=us) for one in told]
    return [one for one in found if one is not None]


def account_mentions(
    entry: Mapping[str, Any], *, source: str, web: str, us: str, handle: str, messages: bool
) -> list[Mention]:
    """What one entry about an Instagram account brings; its changes may stand in the entry itself."""
    found: list[Mention | None] = []
    for change in [*(entry.get("changes") or ()), *([entry] if "field" in entry else [])]:
        field, value = change.get("field"), change.get("value")
        at = instant(entry["time"] if entry["time"] < 10**11 else entry["time"] / 1000).timestamp()
        if field in ("comments", "live_comments"):
            comment = {"timestamp": at, **value}
            found.append(ig_comment(comment, value["media"], source=source, web=web, us=us, handle=handle))
        elif field == "mentions":
            found.append(ig_mention(value, at, source=source))
    if messages:
        told = entry.get("messaging") or ()
        found += [direct_message(one, source=source, platform="instagram", web=web, us=us) for one in told]
    return [one for one in found if one is not None]


def _fed(value: Mapping[str, Any], entry: Mapping[str, Any], *, source: str, web: str, us: str) -> Mention | None:
    """A comment or post on the page's feed, or one elsewhere that mentions the page; None: a reaction, an un-hiding,
    a post of the page's own."""
    item, verb = str(value.get("item") or ""), str(value.get("verb") or "add")
    is_comment = item == "comment"
    if not is_comment and item not in _POSTS:
        return None
    versions = {"add": "", "remove": "deleted", "hide": HIDDEN}
    text = str(value.get("message") or "")
    version = edited(text) if verb in ("edited", "edit") else versions.get(verb)
    if version is None:
        return None
    post = str(value["post_id"])
    number = str(value["comment_id"]) if is_comment else post
    writer = value.get("from") or {"id": value.get("sender_id"), "name": value.get("sender_name")}
    author = fb_author(writer, number, web)
    above = str(value.get("parent_id") or "")
    above = above if above not in (post, number) else ""
    memo: dict[str, str] = {"kind": "post"}
    if is_comment:
        memo = {"kind": "comment", "post": post, "above": above, "top": above or number}
    parent = Parent(above or post, url=f"{web}/{above or post}") if is_comment else None
    return Mention(
        source=source,
        platform="facebook",
        external_id=number,
        version=version,
        author=author,
        text="" if version in ("deleted", HIDDEN) else text,
        created_at=instant(value.get("created_time") or entry.get("time")),
        kind="comment" if is_comment else "post",
        url=str((value.get("post") or {}).get("permalink_url") or f"{web}/{number}"),
        thread_id=post,
        parent=parent,
        attachments=fb_pictures({"photo": value.get("photo")} if value.get("photo") else {}),
        own=author.id == us,
        deleted=version == "deleted",
        ref=json.dumps(memo, separators=(",", ":")),
    )


def _rated(value: Mapping[str, Any], entry: Mapping[str, Any], *, source: str, web: str, us: str) -> Mention | None:
    """A recommendation of the page, or a comment below one (its shape is not confirmed)."""
    if value.get("item") == "comment":
        return _fed({"post_id": value.get("open_graph_story_id"), **value}, entry, source=source, web=web, us=us)
    if value.get("item") != "rating":
        return None
    story, verb = str(value.get("open_graph_story_id") or ""), str(value.get("verb") or "add")
    author = fb_author({"id": value.get("reviewer_id"), "name": value.get("reviewer_name")}, story, web)
    text = str(value.get("review_text") or "")
    stars, kind = value.get("rating"), str(value.get("recommendation_type") or "").lower()
    rating = float(stars) if isinstance(stars, int | float) else {"positive": 5.0, "negative": 1.0}.get(kind)
    known = Mention(
        source=source,
        platform="facebook",
        external_id=f"rating:{story or author.id}",
        author=author,
        text=text or {"positive": "(recommends the page)", "negative": "(does not recommend the page)"}.get(kind, ""),
        created_at=instant(value.get("created_time") or entry.get("time")),
        kind="review",
        url=f"{web}/{story}" if story else f"{web}/{us}/reviews",
        thread_id=story or f"rating:{author.id}",
        rating=rating,
        own=author.id == us,
        ref=json.dumps({"kind": "review", "story": story}, separators=(",", ":")),
    )
    if verb in ("edit", "edited"):
        return replace(known, version=edited(known.text))
    return replace(known, version="deleted", deleted=True, text="") if verb == "remove" else known
