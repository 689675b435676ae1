"""The WordPress source keeps the contract, against the simulator; `tests/servers` asks the real one the same."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from connector.errors import AuthFailed, Closed, Gone, Rejected, Temporary, Uncertain
from connector.http import Http
from connector.model import Cursor, Mention, Page, ReplyDraft, key_of
from connector.sources.wordpress import Wordpress, WordpressOptions
from connector.testing.contracts import Misbehaviour, SourceContract, SourceWorld, drained
from connector.testing.simulators.wordpress import EDITOR, WordpressSimulator


class BlogWorld(SourceWorld):
    def __init__(self, blog: WordpressSimulator) -> None:
        self.blog = blog
        self.secrets = (blog.password,)
        self.made: list[Wordpress] = []
        self.ahead = 0.0
        self.source: Wordpress = self.again()

    def again(self, **more: Any) -> Wordpress:
        given = {"type": "wordpress", "helpdesk": "desk", "url": self.blog.url, "user": self.blog.user, **more}
        options = WordpressOptions.model_validate({"app_password": self.blog.password, **given})
        source = Wordpress("blog", options, Http("blog"), clock=lambda: time.time() + self.ahead)
        self.made.append(source)
        return source

    def say(self, text: str) -> str:
        return str(self.blog.comment(text))

    def say_ourselves(self, text: str) -> str:
        return str(self.blog.comment(text, "Acme", author=EDITOR))

    def take_back(self, external_id: str) -> None:
        self.blog.set_status(int(external_id), "trash")

    def address(self, external_id: str) -> str:
        return f"{self.blog.url}/?p=5#comment-{external_id}"

    def posted(self) -> list[str]:
        return self.blog.answers()

    def misbehave(self, how: Misbehaviour) -> None:
        self.blog.misbehave(how)

    def behave(self) -> None:
        self.blog.behave()


@pytest.fixture
def there() -> Iterator[BlogWorld]:
    with WordpressSimulator("editor", "abcd EFGH ijkl") as blog:
        world = BlogWorld(blog)
        yield world
        for source in world.made:
            source.close()


class TestWordpress(SourceContract):
    @pytest.fixture
    def world(self, there: BlogWorld) -> SourceWorld:
        return there


def begun(world: BlogWorld) -> Cursor:
    return world.source.fetch(None, 50).cursor


def heard(world: BlogWorld, text: str = "Where is my order?", **more: Any) -> Mention:
    cursor = begun(world)
    world.blog.comment(text, **more)
    return drained(world, cursor, 1)[0]


def test_a_comment_comes_with_its_post_and_what_it_answers(there: BlogWorld) -> None:
    first = there.blog.comment("The first", "Ben")
    mention = heard(there, "I think <b>so</b> too", parent=first)
    assert (mention.text, mention.title, mention.thread_id) == ("I think so too", "News & more", "5")
    assert mention.parent is not None
    assert (mention.parent.id, mention.parent.text, mention.parent.author) == (str(first), "The first", "Ben")
    assert mention.url.endswith(f"#comment-{mention.external_id}")


def test_a_comment_under_the_post_itself_has_the_post_as_parent(there: BlogWorld) -> None:
    mention = there.source.enrich(heard(there))
    assert mention.parent is not None
    assert (mention.parent.id, mention.parent.author, mention.parent.text) == (
        "post-5",
        "News & more",
        "All about it",
    )


def test_a_comment_whose_parent_was_deleted_still_comes(there: BlogWorld) -> None:
    assert heard(there, parent=999).parent is not None


def test_nobodys_address_is_shown_and_each_person_is_one(there: BlogWorld) -> None:
    cursor = begun(there)
    for name, mail in (("Ann", "ann@a.example"), ("Ann", "other@b.example"), ("Ann K.", "ANN@a.example")):
        there.blog.comment("hello", name, mail=mail)
    ids = [one.author.id for one in drained(there, cursor, 3)]
    assert ids[0] == ids[2] != ids[1]
    assert "ann@" not in str(drained(there, cursor, 3))


def test_an_edit_and_a_deletion_are_told_once(there: BlogWorld) -> None:
    cursor = begun(there)
    number = there.blog.comment("first words")
    page = there.source.fetch(cursor, 50)
    there.blog.edit(number, "other words")
    edited = there.source.fetch(page.cursor, 50)
    assert [(one.text, bool(one.version)) for one in edited.items] == [("other words", True)]
    there.blog.delete(number)
    gone = there.source.fetch(edited.cursor, 50)
    assert [(one.external_id, one.deleted, one.author.id) for one in gone.items] == [
        (str(number), True, page.items[0].author.id)
    ]
    assert there.source.fetch(gone.cursor, 50).items == ()


def test_what_was_there_before_us_is_never_told_edited_or_not(there: BlogWorld) -> None:
    old = there.blog.comment("ancient")
    cursor = begun(there)
    there.blog.edit(old, "ancient and edited")
    page = there.source.fetch(cursor, 50)
    there.blog.delete(old)
    assert (page.items, there.source.fetch(page.cursor, 50).items) == ((), ())


def test_a_comment_that_left_the_window_is_neither_new_nor_gone(there: BlogWorld) -> None:
    cursor = begun(there)
    there.blog.comment("soon old")
    page = there.source.fetch(cursor, 50)
    for hours in (150, 160, 169, 175, 180, 200, 230, 300):
        there.ahead = hours * 3600
        page = there.source.fetch(page.cursor, 50)
        assert page.items == (), f"after {hours} h"
    assert '"known":{}' in page.cursor


@pytest.mark.parametrize("status", ["spam", "trash", "hold"])
def test_what_is_not_published_is_no_ticket_until_it_is(there: BlogWorld, status: str) -> None:
    cursor = begun(there)
    number = there.blog.comment("buy now", status=status)
    page = there.source.fetch(cursor, 50)
    there.blog.set_status(number, "approved")
    later = there.source.fetch(page.cursor, 50)
    assert page.items == ()
    assert [one.external_id for one in later.items] == [str(number)]


def test_held_comments_can_be_tickets_that_say_so_and_are_not_answered_yet(there: BlogWorld) -> None:
    there.source = there.again(held=True)
    mention = heard(there, status="hold")
    assert mention.title == "News & more (awaits moderation)"
    with pytest.raises(Closed) as caught:
        there.source.reply_limits(mention)
    assert "approve it there" in caught.value.sentence
    there.blog.set_status(int(mention.external_id), "approved")
    assert there.source.reply_limits(mention).max_length == 16_000


def test_a_trackback_is_no_mention(there: BlogWorld) -> None:
    cursor = begun(there)
    there.blog.comment("[…] as they say […]", type="pingback")
    assert there.source.fetch(cursor, 50).items == ()


def test_more_than_a_page_of_comments_is_read_whole(there: BlogWorld) -> None:
    cursor = begun(there)
    said = [there.say(f"number {number}") for number in range(230)]
    assert [one.external_id for one in drained(there, cursor, 230, limit=60)] == said


def test_a_site_in_another_time_zone_hides_nothing(there: BlogWorld) -> None:
    for hours in (-11, 0, 14):
        there.blog.offset = timedelta(hours=hours)
        there.source = there.again(watch_hours=1)
        said = heard(there, f"at UTC{hours:+}")
        assert said.text == f"at UTC{hours:+}"


def test_a_user_who_may_not_moderate_is_told(there: BlogWorld) -> None:
    there.blog.may_moderate = False
    with pytest.raises(AuthFailed) as caught:
        there.source.check()
    assert "role editor" in caught.value.sentence


def test_an_answer_held_for_moderation_is_waited_for_and_never_sent_again(there: BlogWorld) -> None:
    request, key = there.source.prepare(ReplyDraft(heard(there), "We are looking.")), key_of("held")
    there.blog.moderated = True
    with pytest.raises(Uncertain) as sent:
        there.source.send(request, key)
    with pytest.raises(Temporary) as looked:
        there.source.find(request, key)
    assert "holds the answer for moderation" in sent.value.sentence
    assert "holds the answer for moderation" in looked.value.sentence
    answer = max(there.blog.comments)
    there.blog.set_status(answer, "approved")
    assert [one.id for one in there.again().find(request, key)] == [str(answer)]
    assert there.posted() == ["We are looking."]


def test_an_answer_whose_mark_an_app_took_is_known_by_its_words(there: BlogWorld) -> None:
    request = there.source.prepare(ReplyDraft(heard(there), "We are <looking>."))
    receipt = there.source.send(request, key_of("a"))
    assert there.source.find(request, key_of("another")) == ()
    there.blog.comments[int(receipt.id)].agent = "wp-android/24"
    assert [one.id for one in there.source.find(request, key_of("a"))] == [receipt.id]


@pytest.mark.parametrize("status", ["spam", "trash"])
def test_an_answer_that_was_thrown_away_failed(there: BlogWorld, status: str) -> None:
    request, key = there.source.prepare(ReplyDraft(heard(there), "We are looking.")), key_of("spam")
    there.blog.moderated = True
    with pytest.raises(Uncertain):
        there.source.send(request, key)
    there.blog.set_status(max(there.blog.comments), status)
    with pytest.raises(Rejected) as caught:
        there.source.find(request, key)
    assert status in caught.value.sentence


def test_refusals_say_what_to_do(there: BlogWorld) -> None:
    request = there.source.prepare(ReplyDraft(heard(there), "We are looking."))
    there.blog.hurried = True
    with pytest.raises(Temporary) as slow:
        there.source.send(request, key_of("a"))
    assert slow.value.wait == 20
    there.blog.hurried, there.blog.closed = False, True
    with pytest.raises(Closed):
        there.source.send(request, key_of("a"))
    there.blog.closed = False
    there.source.send(request, key_of("a"))
    with pytest.raises(Rejected) as twice:
        there.source.send(request, key_of("b"))
    assert "already" in twice.value.sentence
    elsewhere = replace(request, body=request.body.replace('"post":5', '"post":6'))
    with pytest.raises(Gone):
        there.source.send(elsewhere, key_of("c"))


def test_markup_in_an_answer_stands_as_it_was_written(there: BlogWorld) -> None:
    there.source.send(there.source.prepare(ReplyDraft(heard(there), 'Use <b> & "x"')), key_of("m"))
    assert there.posted() == ['Use <b> & "x"']
    assert "<b>" not in there.blog.comments[max(there.blog.comments)].raw


@pytest.mark.parametrize(
    "url", ["http://other.example/?p=5#comment-2", "{site}/?p=5", "{site}/?p=5#comment-x", "{site}/?p=5#comment-999"]
)
def test_only_a_comment_of_this_site_is_located(there: BlogWorld, url: str) -> None:
    mention = replace(heard(there), url=url.format(site=there.blog.url))
    assert there.source.locate(mention) is None


def test_a_list_that_is_none_is_told(there: BlogWorld) -> None:
    page: Page[Mention] = there.source.fetch(None, 50)
    assert page.items == ()
    with pytest.raises(ValueError, match="https"):
        there.again(url="blog.example")
