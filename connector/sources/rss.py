"""Feeds: RSS 0.9 to 2.0, Atom, Google Alerts; from the web or from a file. They can be read and not answered.

It hides how feeds are written in practice. One rule must hold: an entry is told once, however the feed reorders,
shortens or repeats itself. So the cursor holds the ids of recent entries (their short hashes, at most 5,000), not a
date; a first pull only remembers what stands there, unless `since` says otherwise.

An entry's id is its guid or Atom id, else its link, else a hash of title and date. Conditional GET as RFC 9110 has it
(ETag, Last-Modified); WordPress was seen to answer 304 to both. Google Alerts wrap every link in a redirect of
google.com/url and mark words with <b>: both are taken off (shape seen in public feeds; Google documents none).
feedparser reads bytes, so a character set named wrongly still comes out right; what it cannot read is left out, and
only a document that is no feed at all is an error.
"""

from __future__ import annotations

import hashlib
import io
import json
import re
from calendar import timegm
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import SplitResult, parse_qs, unquote, urljoin, urlsplit

import feedparser
from pydantic import Field, field_validator

from connector.errors import BadAnswer, Temporary
from connector.http import Answer, Http
from connector.markup import shorten, to_text
from connector.model import Attachment, Author, Cursor, Identity, Mention, Page, utc
from connector.sources.base import Source, SourceCapabilities, SourceOptions

MAX_FEED = 8 * 1024 * 1024
MAX_KNOWN = 5_000
MAX_TEXT = 60_000


class RssOptions(SourceOptions):
    """`url` is all that is needed."""

    url: str = Field(description="address of the feed: https://…, or file:///path or a path for a file")
    platform: str = Field(default="rss", description="network to note on the tickets")
    poll: float = Field(default=300.0, ge=0.05, description="seconds between two looks")
    since: str = Field(
        default="now", description="what a first look tells: `now` nothing, `all` everything, or a time to begin at"
    )
    edits: bool = Field(default=False, description="tell an entry again when its title or text changes")
    own_domains: tuple[str, ...] = Field(
        default=(), description="entries that link to these domains are our own and become no tickets"
    )

    @field_validator("url")
    @classmethod
    def _known_scheme(cls, value: str) -> str:
        scheme = urlsplit(value).scheme
        if not value.strip() or (scheme and scheme not in ("http", "https", "file") and "://" in value):
            raise ValueError("has to be an https:// or file:// address, or the path of a file")
        return value.strip()

    @field_validator("since")
    @classmethod
    def _now_all_or_time(cls, value: str) -> str:
        if value not in ("now", "all") and _iso(value) is None:
            raise ValueError('has to be "now", "all" or a time such as 2026-11-22T09:30:00Z')
        return value


class Rss(Source):
    """One feed."""

    type: ClassVar[str] = "rss"
    about: ClassVar[str] = "RSS, Atom and Google Alerts; the link is answered by hand"
    Options = RssOptions
    capabilities: ClassVar[SourceCapabilities] = SourceCapabilities(
        kinds=("article",), pull=True, edits=True, attachments_in=True
    )

    def __init__(self, name: str, options: RssOptions, http: Http) -> None:
        super().__init__(name, options, http)
        self.options: RssOptions = options
        http.explain = lambda answer: f"the feed's server answered HTTP {answer.status}"

    def check(self) -> Identity:
        """The feed's own title. BadAnswer when it is no feed."""
        feed = parsed(self._read({}), self.name)
        title = _plain(feed.feed.get("title", "")) or self.name
        return Identity(
            self.options.url, title, str(feed.feed.get("link", "")), notes=("can be read, cannot be answered",)
        )

    def fetch(self, cursor: Cursor | None, limit: int) -> Page[Mention]:
        """The entries not told yet, oldest first. BadAnswer when the document is no feed."""
        memory = _remembered(cursor)
        cursor = cursor if memory else None
        answer = self._read(memory)
        if answer.status == 304 and cursor is not None:
            return Page((), cursor)
        mentions = mentions_from(parsed(answer, self.name), self.name, self.options, answer.url)
        known: dict[str, str] = dict(memory.get("known", {}))
        fresh = [one for one in mentions if self._is_news(one, known)]
        held_back = fresh if cursor is None and self.options.since == "now" else self._too_old(fresh, cursor)
        for one in held_back:
            known[_short(one.external_id)] = _print(one)
        told = [one for one in fresh if one not in held_back]
        page = told[:limit]
        versions = []
        for one in page:
            mark = _short(one.external_id)
            versions.append(_as_edit(one) if mark in known else one)
            known[mark] = _print(one)
        more = len(told) > len(page)
        present = {_short(one.external_id) for one in mentions}
        state: dict[str, Any] = {"v": 1, "known": _bounded(known, present)}
        if not more:  # a rest waits in this very document: ask for it again, whole
            for word, header in (("etag", "ETag"), ("modified", "Last-Modified")):
                if answer.headers.get(header):
                    state[word] = answer.headers[header]
        return Page(tuple(versions), Cursor(json.dumps(state, separators=(",", ":"))), more)

    def _is_news(self, mention: Mention, known: Mapping[str, str]) -> bool:
        print_ = known.get(_short(mention.external_id))
        return print_ is None or (self.options.edits and print_ != _print(mention))

    def _too_old(self, fresh: list[Mention], cursor: Cursor | None) -> list[Mention]:
        begin = None if cursor is not None else _iso(self.options.since)
        return [one for one in fresh if begin is not None and one.created_at < begin]

    def _read(self, memory: Mapping[str, Any]) -> Answer:
        path = _file(self.options.url)
        if path is not None:
            return _from_file(path, self.name)
        headers = {"Accept": "application/rss+xml, application/atom+xml, application/xml;q=0.9, */*;q=0.5"}
        if memory.get("etag"):
            headers["If-None-Match"] = str(memory["etag"])
        if memory.get("modified"):
            headers["If-Modified-Since"] = str(memory["modified"])
        answer = self.http.call("GET", self.options.url, operation="feed", headers=headers, expect=(304,))
        if len(answer.body) > MAX_FEED:
            raise BadAnswer(f"the feed is larger than {MAX_FEED // 2**20} MB", service=self.name, operation="feed")
        return answer


# --- from the feed's words to ours -------------------------------------------------------------------------


def parsed(answer: Answer, service: str) -> Any:
    """feedparser's reading of a document. BadAnswer when it holds neither a feed nor an entry.

    It is handed a stream, for it would open bytes that look like a path or an address; and no address of the feed,
    for it would make ids of it ("g1" becomes https://host/g1), and they would change when the feed moves.
    """
    content = answer.body
    about = {}
    if "charset" in answer.headers.get("Content-Type", ""):
        about["content-type"] = answer.headers["Content-Type"]
    try:
        feed = feedparser.parse(
            io.BytesIO(content), sanitize_html=False, resolve_relative_uris=False, response_headers=about
        )
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError, AssertionError) as error:
        raise BadAnswer(
            f"the feed cannot be read ({type(error).__name__})", service=service, operation="feed"
        ) from None
    if feed.get("version") or feed.get("entries"):
        return feed
    if re.search(rb"<(!doctype\s+html|html)\b", content[:2_000], re.IGNORECASE):
        sentence = "this is a web page and not a feed; look for its RSS or Atom address"
    elif not content.strip():
        sentence = "the feed is empty: not even a heading"
    else:
        sentence = "this is neither RSS nor Atom"
    raise BadAnswer(sentence, service=service, operation="feed")


def mentions_from(feed: Any, source: str, options: RssOptions, base: str = "") -> list[Mention]:
    """The entries of a feed, oldest first; of two with one id the first in the feed is taken. `base` is where the
    feed was found: links may be relative to it."""
    found: dict[str, Mention] = {}
    for place, entry in enumerate(feed.entries):
        mention = mention_from_entry(entry, feed, source, options, place, base)
        if mention is not None:
            found.setdefault(mention.external_id, mention)
    newest_last = list(found.values())[::-1]
    return sorted(newest_last, key=lambda one: one.created_at)


def mention_from_entry(
    entry: Any, feed: Any, source: str, options: RssOptions, place: int = 0, base: str = ""
) -> Mention | None:
    """One entry; None for one that says nothing at all. `place` is its place in a feed without dates."""
    title = shorten(_plain(entry.get("title", "")), 500)
    link = unwrapped(_absolute(str(entry.get("link", "")).strip(), base))
    body = _body(entry)
    stamp = _time(entry, "published") or _time(entry, "updated")
    external_id = str(entry.get("id", "")).strip() or link
    if not external_id:
        if not (title or body):
            return None
        words = f"{title}\n{entry.get('published') or entry.get('updated') or body[:200]}"
        external_id = "hash:" + hashlib.sha256(words.encode("utf-8", "replace")).hexdigest()[:32]
    host = _host(link).removeprefix("www.")
    external_id = external_id if len(external_id) <= 500 else _short(external_id)
    return Mention(
        source=source,
        platform=options.platform,
        external_id=external_id,
        author=_author(entry, feed, host),
        text=body or title,
        created_at=stamp or _undated(feed, place),
        kind="article",
        url=link,
        title=title,
        thread_id=external_id,
        language=_language(entry, feed),
        attachments=_attachments(entry),
        own=any(host == domain or host.endswith(f".{domain}") for domain in map(_domain, options.own_domains)),
    )


def unwrapped(link: str) -> str:
    """A link of Google Alerts without its redirect; any other as it is."""
    parts = _split(link)
    if parts.path != "/url" or not re.fullmatch(r"(www\.)?google\.[a-z.]{2,6}", parts.hostname or ""):
        return link
    query = parse_qs(parts.query)
    inner = (query.get("url") or query.get("q") or [""])[0]
    return inner if inner.startswith(("http://", "https://")) else link


def _body(entry: Any) -> str:
    """The longest thing it has to say, as plain text."""
    contents = [part.get("value", "") for part in entry.get("content", []) if isinstance(part, Mapping)]
    texts = [_plain(value) for value in (*contents, entry.get("summary", ""))]
    return max(texts, key=len, default="")[:MAX_TEXT]


def _plain(html: Any) -> str:
    text = re.sub(r"[\ud800-\udfff]", "\ufffd", str(html or ""))
    try:
        return to_text(text[: MAX_TEXT * 8])
    except RecursionError:
        return " ".join(re.sub(r"<[^<>]*>", " ", text[:MAX_TEXT]).split())


def _time(entry: Any, word: str) -> datetime | None:
    value = entry.get(f"{word}_parsed")
    if value is None:
        return None
    try:
        return utc(timegm(value))
    except (ValueError, OverflowError, TypeError):
        return None


def _undated(feed: Any, place: int) -> datetime:
    """Feeds without dates are newest first: the feed's own date, else today at midnight, less a second a place:
    so they stand in order, and the same document reads the same twice on one day."""
    start = _time(feed.feed, "published") or _time(feed.feed, "updated")
    if start is None:
        start = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return utc(start.timestamp() - place)


def _author(entry: Any, feed: Any, host: str) -> Author:
    """The entry's author, else the feed's; known by address or name within their site, for feeds give no ids."""
    detail = entry.get("author_detail") or {}
    mailed = re.fullmatch(r"\S+@\S+ \((.+)\)", str(entry.get("author") or ""))  # as RSS 2.0 wants it
    name = _plain(mailed[1] if mailed else detail.get("name") or entry.get("author") or "")
    href = str(detail.get("href") or "")
    site = host or _host(str(feed.feed.get("link", "")))
    shown = name or _plain((entry.get("source") or {}).get("title", "")) or site or _plain(feed.feed.get("title", ""))
    known = href or (f"{site}/{name}" if name else site or shown)
    return Author(id=(known or "unknown")[:300], name=shorten(shown, 200), url=href)


def _language(entry: Any, feed: Any) -> str:
    for holder in (*entry.get("content", []), entry.get("summary_detail"), entry.get("title_detail")):
        if isinstance(holder, Mapping) and holder.get("language"):
            return _code(holder["language"])
    return _code(feed.feed.get("language", ""))


def _code(tag: Any) -> str:
    code = re.split(r"[-_]", str(tag or "").lower())[0]
    return code if re.fullmatch(r"[a-z]{2,3}", code) else ""


def _attachments(entry: Any) -> tuple[Attachment, ...]:
    found: dict[str, Attachment] = {}
    for one in (*entry.get("enclosures", []), *entry.get("media_content", []), *entry.get("media_thumbnail", [])):
        url = str(one.get("href") or one.get("url") or "")
        if url.startswith(("http://", "https://")) and url not in found:
            size = str(one.get("length") or one.get("filesize") or "")
            name = unquote(_split(url).path.rsplit("/", 1)[-1])[:200]
            found[url] = Attachment(url, str(one.get("type") or ""), name, int(size) if size.isdecimal() else None)
    return tuple(found.values())[:20]


# --- small things ------------------------------------------------------------------------------------------


def _split(url: str) -> SplitResult:
    """The parts of an address; of none for what is no address."""
    try:
        return urlsplit(url)
    except ValueError:
        return urlsplit("")


def _absolute(link: str, base: str) -> str:
    try:
        return urljoin(base, link) if link and base.startswith("http") else link
    except ValueError:
        return link


def _host(url: str) -> str:
    return _split(url).hostname or ""


def _domain(value: str) -> str:
    return (_host(value) or value).lower().removeprefix("www.").strip("/")


def _file(url: str) -> Path | None:
    """The path that a `file:` address or a bare path names; None for the web."""
    if url.startswith(("http://", "https://")):
        return None
    if url.startswith("file:"):
        return Path(unquote(urlsplit(url).path))
    return Path(url)


def _from_file(path: Path, service: str) -> Answer:
    try:
        if path.stat().st_size > MAX_FEED:
            raise BadAnswer(f"the feed is larger than {MAX_FEED // 2**20} MB", service=service, operation="feed")
        return Answer(200, {}, path.read_bytes(), path.as_uri() if path.is_absolute() else str(path))
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise Temporary(f"the file {path} cannot be read: {reason}", service=service, operation="feed") from None


def _iso(text: str) -> datetime | None:
    try:
        value = datetime.fromisoformat(text)
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _short(external_id: str) -> str:
    return hashlib.sha256(external_id.encode("utf-8", "replace")).hexdigest()[:16]


def _print(mention: Mention) -> str:
    """A fingerprint of what an edit would change."""
    return hashlib.sha256(f"{mention.title}\n{mention.text}".encode("utf-8", "replace")).hexdigest()[:8]


def _as_edit(mention: Mention) -> Mention:
    return replace(mention, version=_print(mention))


def _bounded(known: dict[str, str], present: set[str]) -> dict[str, str]:
    """At most so many, the longest known first to go, and never one that stands in the feed now."""
    if len(known) <= MAX_KNOWN:
        return known
    spare = len(known) - MAX_KNOWN
    gone = [mark for mark in known if mark not in present][:spare]
    return {mark: print_ for mark, print_ in known.items() if mark not in set(gone)}


def _remembered(cursor: Cursor | None) -> dict[str, Any]:
    if cursor is None:
        return {}
    try:
        value = json.loads(cursor)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}
