"""What is remembered of an author comes with the claim of their next mention."""

from __future__ import annotations

from collections.abc import Callable

import sqlalchemy as sa
from store_builders import NOON, answer, arrive, claim, linked, one, reply, settle

from connector.model import Author, Mention
from connector.store import Store
from connector.store.tables import ANSWERED_THERE

Make = Callable[..., Mention]


def test_other_tickets_of_the_same_person_are_remembered_newest_first(store: Store, mention: Make) -> None:
    linked(store, mention(thread_id="a"), "7")
    arrive(store, mention(thread_id="b"), at=NOON + 10)
    settle(store, one(store, at=NOON + 10), ticket="8", at=NOON + 10)
    arrive(store, mention(thread_id="c"), mention(thread_id="d", author=Author("u2", "Olga")), at=NOON + 20)
    found = {got.mention.author.id: got.contacts for got in claim(store, at=NOON + 20) if got.mention}
    assert found == {"u1": (("8", NOON + 10), ("7", NOON)), "u2": ()}


def test_what_was_said_in_the_same_conversation_is_no_other_ticket(store: Store, mention: Make) -> None:
    linked(store, mention(thread_id="a"), "7")
    arrive(store, mention(thread_id="a"))
    assert one(store).contacts == ()


def test_an_answer_that_stands_and_the_last_decision_are_remembered(store: Store, mention: Make) -> None:
    linked(store, mention(thread_id="a"), "7")
    arrive(store, mention(thread_id="a"))
    second = one(store)
    assert second.answered is False
    settle(store, second, trace="decided")
    answer(store, reply(1))
    settle(store, one(store, account="feed"))
    arrive(store, mention(thread_id="a"))
    again = one(store)
    assert (again.answered, again.last_trace) == (True, "decided")


def test_an_answer_given_on_the_platform_itself_counts(store: Store, mention: Make) -> None:
    linked(store, mention(thread_id="a"))
    arrive(store, mention(thread_id="a", own=True))
    settle(store, one(store), reason=ANSWERED_THERE)
    arrive(store, mention(thread_id="a"))
    assert one(store).answered is True


def test_the_past_of_many_takes_no_more_statements_than_that_of_one(store: Store, mention: Make) -> None:
    counted: list[str] = []
    sa.event.listen(store.engine, "before_cursor_execute", lambda *told: counted.append(told[2]))
    arrive(store, mention(thread_id="a"))
    counted.clear()
    one(store)
    alone = len(counted)
    arrive(store, *(mention(thread_id=f"b{n}", author=Author(f"p{n}")) for n in range(20)))
    counted.clear()
    assert len(claim(store, 20)) == 20
    assert len(counted) == alone


def spoken(store: Store, mention: Mention, tone: str, at: float = NOON, end: str = "done") -> None:
    """It was carried, and judged to be so."""
    arrive(store, mention, at=at)
    settle(store, one(store, at=at), end, tone=tone, at=at)


def test_the_tones_in_which_somebody_spoke_before_are_remembered(store: Store, mention: Make) -> None:
    spoken(store, mention(thread_id="a"), "negative")
    spoken(store, mention(thread_id="b"), "positive", NOON + 10)
    spoken(store, mention(thread_id="c"), "negative", NOON + 20, end="ignored")
    spoken(store, mention(thread_id="d", author=Author("u2", "Olga")), "negative", NOON + 30)
    arrive(store, mention(thread_id="e"), mention(thread_id="f", author=Author("u3", "Ida")), at=NOON + 40)
    found = {got.mention.author.id: sorted(got.tones) for got in claim(store, at=NOON + 40) if got.mention}
    assert found == {"u1": [("negative", NOON), ("positive", NOON + 10)], "u3": []}


def test_no_more_than_the_last_twenty_are_remembered(store: Store, mention: Make) -> None:
    for n in range(25):
        spoken(store, mention(thread_id=f"t{n}"), "negative" if n < 10 else "positive", NOON + n)
    arrive(store, mention(thread_id="now"), at=NOON + 100)
    tones = [tone for tone, _ in one(store, at=NOON + 100).tones]
    assert (len(tones), tones.count("negative")) == (20, 5)
