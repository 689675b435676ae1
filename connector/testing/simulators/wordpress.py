"""A small WordPress on loopback: posts, comments, moderation, one editor and visitors, in memory.

An independent reading of the REST handbook and of recorded answers of a real WordPress 6.1.9; it shares no code with
the adapter. It keeps the manners that matter here: `after` compares the site's local time, `status=any`
shows the trash and wants the right to moderate, answers to deleted comments are accepted, the same words twice under
one comment are 409, too fast is 400 (comment_flood), a held comment is 201 like any other, and a password that is
wrong makes a stranger of you: 401 where only a user may look.

    with WordpressSimulator("editor", "app pass") as blog:
        number = blog.comment("Where is my order?", "Ann")
        …requests to blog.url…

Misbehaviour is switched with `misbehave` and `behave`; `cut` and `broken` do what was asked before they fail.
"""

from __future__ import annotations

import base64
import html
import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

from connector.testing.simulators.threaded import ThreadedServer, Told

EDITOR = 7


class WpError(Exception):
    """A refusal: status, code, message."""

    def __init__(self, status: int, code: str, message: str = "Sorry, no.") -> None:
        super().__init__(code)
        self.status, self.code, self.message = status, code, message


@dataclass
class Comment:
    """One comment; `author` is 0 for a visitor."""

    id: int
    post: int
    parent: int
    author: int
    name: str
    mail: str
    raw: str
    at: datetime
    status: str = "approved"
    agent: str = "Mozilla/5.0"
    type: str = "comment"


class WordpressSimulator(ThreadedServer):
    """The site; a context manager that listens on a free port of loopback."""

    def __init__(self, user: str, password: str) -> None:
        super().__init__()
        self.user, self.password = user, password
        self.comments: dict[int, Comment] = {}
        self.offset = timedelta(hours=3)  # the site's local time
        self.closed = False
        self.moderated = False
        self.hurried = False
        self.may_moderate = True
        self.calls: list[str] = []
        self._how = ""

    # what a test makes happen

    def comment(self, text: str, name: str = "Ann", *, parent: int = 0, age_hours: float = 0, **more: Any) -> int:
        """Somebody comments the post; the number of the comment."""
        with self.lock:
            number = len(self.comments) + 2
            # numbers follow one another, so do times: a second apart, in the past
            at = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=age_hours, seconds=300 - number)
            given = {"author": 0, "mail": f"{name.lower()}@example.org", **more}
            self.comments[number] = Comment(number, 5, parent, name=name, raw=text, at=at, **given)
            return number

    def edit(self, number: int, text: str) -> None:
        """A moderator or a plug-in changes the words."""
        self.comments[number].raw = text

    def set_status(self, number: int, status: str) -> None:
        """approved, hold, spam or trash."""
        self.comments[number].status = status

    def delete(self, number: int) -> None:
        """For good."""
        del self.comments[number]

    def answers(self) -> list[str]:
        """What the editor wrote, as readers see it."""
        own = [one for one in self.comments.values() if one.author == EDITOR and one.status == "approved"]
        return [html.unescape(one.raw) for one in own if one.agent.startswith("connector")]

    def misbehave(self, how: str) -> None:
        """From now on every call ends like this."""
        self._how = how

    def behave(self) -> None:
        """Answer well again."""
        self._how = ""

    # what it answers

    def answer(self, method: str, path: str, headers: dict[str, str], body: bytes) -> Told | None:
        """The answer to one call; None to hang up."""
        with self.lock:
            params = {name: values[0] for name, values in parse_qs(urlsplit(path).query).items()}
            route = params.get("rest_route", "")
            self.calls.append(f"{method} {route}")
            bad: dict[str, Told] = {
                "unauthorized": (
                    401,
                    {},
                    b'{"code":"rest_not_logged_in","message":"You are not currently logged in."}',
                ),
                "slow_down": (429, {"Retry-After": "7"}, b"<h1>Too many requests</h1>"),
                "refuses": (400, {}, b'{"code":"rest_invalid_param","message":"Invalid parameter(s)"}'),
                "nonsense": (200, {"Content-Type": "text/html"}, b"<b>Warning</b>: PHP"),
            }
            if self._how in bad:
                return bad[self._how]
            try:
                status, told, more = self._route(method, route, params, headers, body)
            except WpError as error:
                told = {"code": error.code, "message": error.message, "data": {"status": error.status}}
                status, more = error.status, {}
            if self._how == "cut":
                return None
            if self._how == "broken":
                return 500, {"Content-Type": "text/html"}, b"<p>There has been a critical error on this website.</p>"
            return status, {"Content-Type": "application/json; charset=UTF-8", **more}, json.dumps(told).encode()

    def _route(
        self, method: str, route: str, params: dict[str, str], headers: dict[str, str], body: bytes
    ) -> tuple[int, Any, dict[str, str]]:
        known = (
            headers.get("authorization", "")
            == "Basic " + base64.b64encode(f"{self.user}:{self.password}".encode()).decode()
        )
        editor = known and self.may_moderate
        if route == "/wp/v2/users/me":
            if not known:
                raise WpError(401, "rest_not_logged_in", "You are not currently logged in.")
            rights = {"read": True, **({"moderate_comments": True} if editor else {})}
            return 200, {"id": EDITOR, "name": "Acme", "slug": "acme", "capabilities": rights}, {}
        if route == "/wp/v2/posts/5":
            return 200, {"id": 5, "excerpt": {"rendered": "<p>All about it</p>"}, **_POST}, {}
        if route == "/wp/v2/comments" and method == "GET":
            return self._list(params, editor, known)
        if route == "/wp/v2/comments" and method == "POST":
            if not known:
                raise WpError(401, "rest_comment_login_required", "Sorry, you must be logged in to comment.")
            return 201, self._shown(self._post(json.loads(body)), edit=editor, embed=False), {}
        found = re.fullmatch(r"/wp/v2/comments/(\d+)", route)
        if found and method == "GET":
            one = self.comments.get(int(found[1]))
            if one is None:
                raise WpError(404, "rest_comment_invalid_id", "Invalid comment ID.")
            if params.get("context") == "edit" and not editor:
                raise WpError(403 if known else 401, "rest_forbidden_context")
            return 200, self._shown(one, edit=editor, embed="_embed" in params), {}
        raise WpError(404, "rest_no_route", "No route was found matching the URL and request method.")

    def _list(self, params: dict[str, str], editor: bool, known: bool) -> tuple[int, Any, dict[str, str]]:
        if not editor and (params.get("status", "approve") != "approve" or "author" in params):
            raise WpError(403 if known else 401, "rest_forbidden_param", "Query parameter not permitted: status")
        wanted = {
            "approve": ("approved",), "all": ("approved", "hold"), "hold": ("hold",), "spam": ("spam",),
            "trash": ("trash",), "any": ("approved", "hold", "spam", "trash"),
        }.get(params.get("status", "approve"), ())  # fmt: skip
        rows = [one for one in self.comments.values() if one.status in wanted]
        if "after" in params:
            after = datetime.fromisoformat(params["after"]).replace(tzinfo=UTC)
            rows = [one for one in rows if one.at + self.offset > after]
        for name in ("post", "parent", "author"):
            if name in params:
                rows = [one for one in rows if getattr(one, name) == int(params[name])]
        rows.sort(key=lambda one: one.id if params.get("orderby") == "id" else one.at.timestamp())
        if params.get("order", "desc") == "desc":
            rows.reverse()
        size, page = int(params.get("per_page", "10")), int(params.get("page", "1"))
        if not 1 <= size <= 100:
            raise WpError(400, "rest_invalid_param", "Invalid parameter(s): per_page")
        shown = [self._shown(one, edit=editor, embed="_embed" in params) for one in rows[(page - 1) * size :][:size]]
        return 200, shown, {"X-WP-Total": str(len(rows)), "X-WP-TotalPages": str(-(-len(rows) // size))}

    def _post(self, given: dict[str, Any]) -> Comment:
        if given.get("post") != 5:
            raise WpError(403, "rest_comment_invalid_post_id", "Sorry, you are not allowed to create this comment.")
        if self.closed:
            raise WpError(403, "rest_comment_closed", "Sorry, comments are closed for this item.")
        text, parent = str(given.get("content", "")), int(given.get("parent") or 0)
        if len(text.encode()) > 65_525:
            raise WpError(400, "comment_content_column_length", "Comment field exceeds maximum length allowed.")
        if any(one.raw == text and one.parent == parent and one.author == EDITOR for one in self.comments.values()):
            raise WpError(409, "comment_duplicate", "Duplicate comment detected; it looks as though you&#8217;ve…")
        if self.hurried:
            raise WpError(400, "comment_flood", "You are posting comments too quickly. Slow down.")
        agent = str(given.get("author_user_agent") or "python")
        status = "hold" if self.moderated else "approved"
        number = self.comment(text, "Acme", parent=parent, author=EDITOR, agent=agent, status=status)
        return self.comments[number]

    def _shown(self, one: Comment, *, edit: bool, embed: bool) -> dict[str, Any]:
        paragraphs = "".join(f"<p>{part}</p>\n" for part in one.raw.split("\n\n")).replace("\n<", "<")
        row: dict[str, Any] = {
            "id": one.id,
            "post": one.post,
            "parent": one.parent,
            "author": one.author,
            "author_name": one.name,
            "author_url": "",
            "date": (one.at + self.offset).strftime("%Y-%m-%dT%H:%M:%S"),
            "date_gmt": one.at.strftime("%Y-%m-%dT%H:%M:%S"),
            "content": {"rendered": paragraphs, **({"raw": one.raw} if edit else {})},
            "link": f"{self.url}/?p={one.post}#comment-{one.id}",
            "status": one.status,
            "type": one.type,
            "author_avatar_urls": {"96": "http://1.gravatar.example/avatar/x?s=96"},
        }
        if edit:
            row |= {"author_email": one.mail, "author_ip": "127.0.0.1", "author_user_agent": one.agent}
        if embed:
            above = self.comments.get(one.parent)
            row["_embedded"] = {"up": [{**_POST, "excerpt": {"rendered": ""}}]}
            if one.parent:
                gone = {"code": "rest_comment_invalid_id", "message": "Invalid comment ID.", "data": {"status": 404}}
                shown = self._shown(above, edit=False, embed=False) if above is not None else gone
                row["_embedded"]["in-reply-to"] = [shown]
        return row


_POST: dict[str, Any] = {
    "id": 5,
    "type": "post",
    "link": "http://blog.example/?p=5",
    "title": {"rendered": "News &amp; more"},
}
