"""The WordPress source against a real WordPress: the contract's suite, and what only a real one can show.

`CONNECTOR_WORDPRESS` is the site's address, `CONNECTOR_WORDPRESS_LOGIN` is `user:application password` of an
administrator of a site that nobody needs: CONTRIBUTING has the commands. Posts and comments are made and left there.
"""

from __future__ import annotations

import html
import os
import uuid
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
import requests

from connector.errors import AuthFailed, Closed, Gone, Rejected, Temporary, Uncertain
from connector.http import Http
from connector.model import Cursor, Mention, Page, ReplyDraft, key_of
from connector.sources.wordpress import Wordpress, WordpressOptions
from connector.testing.contracts import SourceContract, SourceWorld, drained

URL = os.environ.get("CONNECTOR_WORDPRESS", "")
USER, _, PASSWORD = os.environ.get("CONNECTOR_WORDPRESS_LOGIN", "").partition(":")

pytestmark = [
    pytest.mark.servers,
    pytest.mark.skipif(not (URL and PASSWORD), reason="set CONNECTOR_WORDPRESS and …_LOGIN to run it"),
]


class OnlyMine(Wordpress):
    """The same source, which sees the comments of one test's own post: other tests' stand on the same site."""

    post = 0

    def fetch(self, cursor: Cursor | None, limit: int) -> Page[Mention]:
        page = super().fetch(cursor, limit)
        return replace(page, items=tuple(one for one in page.items if one.thread_id == str(self.post)))


class RealBlog(SourceWorld):
    def __init__(self) -> None:
        self.secrets = (PASSWORD,)
        self.made: list[Wordpress] = []
        made = self.ask("POST", "/posts", json={"title": f"News {uuid.uuid4().hex[:6]}", "status": "publish"})
        self.post = int(made["id"])
        self.source: Wordpress = self.again()

    def ask(self, method: str, route: str, **more: Any) -> Any:
        params = {"rest_route": f"/wp/v2{route}", **more.pop("params", {})}
        answer = requests.request(method, f"{URL}/", params=params, auth=(USER, PASSWORD), timeout=30, **more)
        answer.raise_for_status()
        return answer.json()

    def again(self, **more: Any) -> Wordpress:
        given = {"type": "wordpress", "helpdesk": "desk", "url": URL, "user": USER, "app_password": PASSWORD, **more}
        source = OnlyMine("blog", WordpressOptions.model_validate(given), Http("blog"))
        source.post = self.post
        self.made.append(source)
        return source

    def say(self, text: str, **more: Any) -> str:
        who = {"author_name": "Ann", "author_email": "ann@example.org"}
        return str(self.ask("POST", "/comments", json={"post": self.post, "content": text, **who, **more})["id"])

    def say_ourselves(self, text: str) -> str:
        return str(self.ask("POST", "/comments", json={"post": self.post, "content": text})["id"])

    def take_back(self, external_id: str) -> None:
        self.ask("DELETE", f"/comments/{external_id}")

    def set_status(self, number: str, status: str) -> None:
        self.ask("POST", f"/comments/{number}", json={"status": status})

    def address(self, external_id: str) -> str:
        return f"{URL}/?p={self.post}#comment-{external_id}"

    def ours(self) -> list[Any]:
        asked = {"post": str(self.post), "context": "edit", "status": "all", "orderby": "id", "order": "asc"}
        rows = self.ask("GET", "/comments", params=asked)
        return [row for row in rows if row["author"] and row["parent"]]

    def posted(self) -> list[str]:
        return [html.unescape(row["content"]["raw"]) for row in self.ours() if row["status"] == "approved"]


@pytest.fixture
def there() -> Iterator[RealBlog]:
    world = RealBlog()
    yield world
    for source in world.made:
        source.close()


class TestWordpressServer(SourceContract):
    @pytest.fixture
    def world(self, there: RealBlog) -> SourceWorld:
        return there


def heard(world: RealBlog, text: str = "Where is my order?", **more: Any) -> Mention:
    cursor = world.source.fetch(None, 50).cursor
    world.say(text, **more)
    return drained(world, cursor, 1)[0]


def test_an_edit_and_a_deletion_for_good_are_told(there: RealBlog) -> None:
    cursor = there.source.fetch(None, 50).cursor
    number = there.say("first words")
    page = there.source.fetch(cursor, 50)
    there.ask("POST", f"/comments/{number}", json={"content": "other words"})
    edited = there.source.fetch(page.cursor, 50)
    there.ask("DELETE", f"/comments/{number}", params={"force": "true"})
    gone = there.source.fetch(edited.cursor, 50)
    assert [(one.external_id, one.text) for one in edited.items] == [(number, "other words")]
    assert [(one.external_id, one.deleted) for one in gone.items] == [(number, True)]
    assert there.source.fetch(gone.cursor, 50).items == ()


def test_the_post_and_the_comment_above_stand_on_the_mention(there: RealBlog) -> None:
    first = there.say("The first one")
    mention = heard(there, "And I say so too", parent=int(first))
    assert mention.title.startswith("News ")
    assert mention.parent is not None
    assert (mention.parent.id, mention.parent.text) == (first, "The first one")


def test_a_held_comment_comes_when_it_is_approved(there: RealBlog) -> None:
    cursor = there.source.fetch(None, 50).cursor
    number = there.say("wait for me", status="hold")
    page = there.source.fetch(cursor, 50)
    there.set_status(number, "approved")
    assert page.items == ()
    assert [one.external_id for one in there.source.fetch(page.cursor, 50).items] == [number]


def test_an_answer_that_is_held_is_found_held_and_then_posted_or_thrown_away(there: RealBlog) -> None:
    request, key = there.source.prepare(ReplyDraft(heard(there), "We are looking.")), key_of(uuid.uuid4().hex)
    receipt = there.source.send(request, key)
    there.set_status(receipt.id, "hold")
    with pytest.raises(Temporary):
        there.source.find(request, key)
    there.set_status(receipt.id, "spam")
    with pytest.raises(Rejected):
        there.source.find(request, key)
    there.set_status(receipt.id, "approved")
    assert [one.id for one in there.source.find(request, key)] == [receipt.id]


def test_a_real_refusal_says_what_to_do(there: RealBlog) -> None:
    mention = heard(there)
    request = there.source.prepare(ReplyDraft(mention, "We are looking."))
    there.source.send(request, key_of("a"))
    with pytest.raises(Rejected, match="already"):
        there.source.send(request, key_of("b"))
    other = there.source.prepare(ReplyDraft(mention, "Now it is closed"))
    there.ask("POST", f"/posts/{there.post}", json={"comment_status": "closed"})
    with pytest.raises(Closed):
        there.source.send(other, key_of("c"))
    there.ask("DELETE", f"/comments/{mention.external_id}", params={"force": "true"})
    with pytest.raises(Gone):
        there.source.prepare(ReplyDraft(mention, "Too late"))


def test_a_wrong_password_and_a_user_without_rights_are_told(there: RealBlog) -> None:
    wrong = there.again(app_password="wrong wrong wrong")
    for call in (wrong.check, lambda: wrong.fetch(None, 1)):
        with pytest.raises(AuthFailed):
            call()
    name = f"reader{uuid.uuid4().hex[:6]}"
    user = there.ask("POST", "/users", json={"username": name, "email": f"{name}@example.org", "password": name})
    key = there.ask("POST", f"/users/{user['id']}/application-passwords", json={"name": "connector"})
    reader = there.again(user=name, app_password=key["password"])
    with pytest.raises(AuthFailed, match="editor"):
        reader.check()
    with pytest.raises(AuthFailed):
        reader.fetch(None, 1)


def test_markup_and_emoji_stand_as_they_were_written(there: RealBlog) -> None:
    text = 'Use <b> & "x" 🙂\n\nSecond paragraph, <script>no</script>'
    receipt = there.source.send(there.source.prepare(ReplyDraft(heard(there), text)), key_of(uuid.uuid4().hex))
    [row] = there.ours()
    assert html.unescape(row["content"]["raw"]) == text
    assert "<script>" not in row["content"]["rendered"]
    assert receipt.url.endswith(f"#comment-{receipt.id}")


def test_a_lost_answer_is_found_by_its_key(there: RealBlog) -> None:
    request, key = there.source.prepare(ReplyDraft(heard(there), "Only once")), key_of(uuid.uuid4().hex)
    there.source.http.timeout = (5.0, 0.001)
    with pytest.raises((Uncertain, Temporary)):
        there.source.send(request, key)
    found = there.again().find(request, key)
    for _ in range(200):
        found = found or there.again().find(request, key)
    assert len(found) <= 1
    assert there.posted() == ["Only once"] * len(found)
