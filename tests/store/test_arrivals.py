"""What came in is stored, with its delivery and its cursor, in one transaction or not at all."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa
from store_builders import (
    NOON,
    answer,
    arrival,
    arrive,
    claim,
    done,
    intend,
    linked,
    one,
    reply,
    rows,
    settle,
    sound,
    states,
    turn,
)

from connector.errors import ConnectorError
from connector.model import Cursor, Mention, Parent, TicketId
from connector.store import Store, journal
from connector.store.arrivals import (
    Pull,
    accept_mentions,
    accept_replies,
    delay_wakeup,
    due_wakeups,
    lease_pull,
    move_cursor,
    note_trouble,
    release_pulls,
    wake,
)
from connector.store.tables import mentions, replies

Make = Callable[..., Mention]


# --- mentions ---


def test_a_new_mention_is_new_once(store: Store, mention: Make) -> None:
    first = mention("a")
    assert arrive(store, first) == [True]
    assert arrive(store, first) == [False]
    with store.read() as tx:
        ledger = journal.balance(tx)
    assert (ledger.received, ledger.duplicates, ledger.pending) == (2, 1, 1)
    sound(store)


def test_the_same_mention_twice_in_one_batch_is_stored_once(store: Store, mention: Make) -> None:
    a, b = mention("a"), mention("b")
    assert arrive(store, a, b, a, b, a) == [True, True, False, False, False]
    assert len(states(store)) == 2
    sound(store)


def test_another_version_of_a_mention_is_new(store: Store, mention: Make) -> None:
    assert arrive(store, mention("a"), mention("a", version="2"), mention("a", version="2")) == [True, True, False]


def test_the_same_id_at_another_source_is_another_mention(store: Store, mention: Make) -> None:
    assert arrive(store, mention("a", source="one"), mention("a", source="two")) == [True, True]


def test_the_first_of_a_conversation_is_ready_and_the_rest_wait_in_order(store: Store, mention: Make) -> None:
    arrive(store, mention("a", thread_id="x"), mention("b", thread_id="y"), mention("c", thread_id="x"))
    arrive(store, mention("d", thread_id="y"), mention("e", thread_id="x"))
    assert states(store) == ["ready", "ready", "blocked", "blocked", "blocked"]
    sound(store)


def test_a_conversation_whose_work_is_done_is_free_again(store: Store, mention: Make) -> None:
    linked(store, mention("a"))
    arrive(store, mention("b"), mention("c"))
    assert states(store) == ["done", "ready", "blocked"]


def test_our_own_post_is_remembered_and_ignored(store: Store, mention: Make) -> None:
    with turn(store) as tx:
        mine = arrival(mention("mine", own=True), ignored="our own post")
        accept_mentions(tx, [mine, arrival(mention("theirs"))])
    assert rows(store, "state", "reason") == [("ignored", "our own post"), ("ready", "")]
    assert rows(store, "ended_at")[0] is not None
    assert arrive(store, mention("mine")) == [False]
    with store.read() as tx:
        assert journal.balance(tx).ignored == {"our own post": 1}
    sound(store)


def test_an_edit_told_without_its_thread_comes_to_the_ticket_of_what_it_edits(store: Store, mention: Make) -> None:
    linked(store, mention("a", thread_id="x"))
    arrive(store, mention("a", thread_id="a", version="2"))
    edit = one(store)
    assert (edit.ticket, edit.mention and edit.mention.version) == ("7", "2")
    sound(store)


def own(store: Store, mention: Mention, **facts: Any) -> None:
    with turn(store) as tx:
        accept_mentions(tx, [arrival(mention, ignored="our own post", **facts)])


def test_our_own_post_that_answers_somebody_comes_to_their_ticket(store: Store, mention: Make) -> None:
    linked(store, mention("a", thread_id="x"))
    own(store, mention("mine", own=True, thread_id="x", parent=Parent("a")), conversation="x\x1fus")
    found = one(store)
    assert (found.mention and found.mention.external_id, found.ticket) == ("mine", "7")
    assert found.followers == ()
    sound(store)


def test_without_a_parent_it_comes_to_the_ticket_of_its_thread(store: Store, mention: Make) -> None:
    linked(store, mention("a", thread_id="x"))
    own(store, mention("mine", own=True, thread_id="x"))
    assert one(store).ticket == "7"


@pytest.mark.parametrize("facts", [{"version": "2"}, {"deleted": True, "version": "deleted"}])
def test_what_we_change_or_take_back_is_no_answer(store: Store, mention: Make, facts: dict[str, Any]) -> None:
    linked(store, mention("a", thread_id="x"))
    own(store, mention("mine", own=True, thread_id="x", **facts))
    assert states(store) == ["done", "ignored"]


def test_our_own_post_in_the_same_page_as_what_it_answers_comes_to_its_ticket_too(
    store: Store, mention: Make
) -> None:
    page = [
        arrival(mention("a", thread_id="x"), conversation="x\x1fu1"),
        arrival(
            mention("mine", own=True, thread_id="x", parent=Parent("a")),
            conversation="x\x1fus",
            ignored="our own post",
        ),
        arrival(mention("b", thread_id="y")),
    ]
    with turn(store) as tx:
        assert accept_mentions(tx, page) == [True, True, True]
    assert rows(store, "conversation", "state") == [(1, "ready"), (1, "blocked"), (3, "ready")]
    sound(store)


def test_where_everything_was_ignored_nobody_is_told_of_our_own_post(store: Store, mention: Make) -> None:
    arrive(store, mention("a", thread_id="x"), ignored="advert")
    own(store, mention("mine", own=True, thread_id="x", parent=Parent("a")))
    assert states(store) == ["ignored", "ignored"]


def test_what_a_reply_is_known_to_have_become_is_ignored_at_once(store: Store, mention: Make) -> None:
    linked(store, mention("a"))
    answer(store, reply(1))
    done(store, one(store, account="feed"), number="mine")
    own(store, mention("mine", own=True, parent=Parent("a")))
    own(store, mention("by hand", own=True, parent=Parent("a")))
    assert states(store, kind="mention") == ["done", "ignored", "ready"]
    claimed = one(store)
    assert (claimed.posted, claimed.posting) == (frozenset({"mine"}), False)
    assert [one.html for one in claimed.replies] == ["<p>answer 1</p>"]


@pytest.mark.parametrize("told_back", [True, False])
def test_a_post_of_ours_below_our_own_reply_comes_to_the_same_ticket(
    store: Store, mention: Make, told_back: bool
) -> None:
    linked(store, mention("a", thread_id="x"))
    answer(store, reply(1))
    done(store, one(store, account="feed"), number="mine")
    if told_back:
        own(store, mention("mine", own=True, thread_id="x", parent=Parent("a")), conversation="x\x1fus")
    more = mention("more", own=True, thread_id="x", parent=Parent("mine"))
    own(store, more, conversation="x\x1fus")
    found = one(store)
    assert (found.mention and found.mention.external_id, found.ticket) == ("more", "7")


def test_a_reply_on_its_way_is_told_with_our_own_post(store: Store, mention: Make) -> None:
    linked(store, mention("a"))
    answer(store, reply(1))
    intend(store, one(store, account="feed"), op="reply")
    own(store, mention("mine", own=True, parent=Parent("a")))
    assert one(store).posting


def test_our_own_post_is_never_put_into_a_persons_mouth(store: Store, mention: Make) -> None:
    linked(store, mention("a", thread_id="x"))
    arrive(store, mention("b", thread_id="x"))
    own(store, mention("mine", own=True, thread_id="x"))
    arrive(store, mention("c", thread_id="x"))
    assert one(store).followers == ()
    sound(store)


def test_what_is_held_from_birth_is_no_part_of_its_lane(store: Store, mention: Make) -> None:
    arrive(store, mention("a"), held="too many at once")
    arrive(store, mention("b"))
    assert rows(store, "state", "reason") == [("held", "too many at once"), ("ready", "")]
    sound(store)


def test_more_than_a_chunk_is_accepted_whole(store: Store, mention: Make) -> None:
    many = [mention(f"n{n}", thread_id=f"t{n % 7}") for n in range(1_100)]
    fresh = arrive(store, *many, many[0], many[1_099])
    assert fresh == [True] * 1_100 + [False] * 2
    assert states(store).count("ready") == 7
    sound(store)


def test_ids_are_text_whatever_is_in_them(store: Store, mention: Make) -> None:
    odd = ["'; DROP TABLE mentions --", "été/🙂", " a", "a", "A", "%", "x" * 2_000]
    assert arrive(store, *(mention(name) for name in odd)) == [True] * len(odd)
    with store.read() as tx:
        assert list(tx.execute(sa.select(mentions.c.external_id).order_by(mentions.c.id)).scalars()) == odd


def test_nothing_is_stored_when_the_transaction_is_undone(store: Store, mention: Make) -> None:
    with pytest.raises(ZeroDivisionError), turn(store) as tx:
        accept_mentions(tx, [arrival(mention())])
        raise ZeroDivisionError
    with store.read() as tx:
        assert journal.balance(tx) == journal.Balance()
    assert states(store) == []


# --- cursors ---


def _leased(store: Store, owner: str = "w", at: float = NOON) -> Pull:
    with turn(store, at) as tx:
        pull = lease_pull(tx, "feed", owner, 30.0)
    assert pull is not None
    return pull


def _cursor(store: Store) -> Cursor | None:
    with store.read() as tx:
        return journal.cursor_of(tx, "feed")


def test_the_first_pull_has_no_cursor_and_the_next_goes_on_where_it_stopped(store: Store) -> None:
    first = _leased(store)
    assert first.cursor is None
    with turn(store) as tx:
        assert move_cursor(tx, "feed", first, Cursor("page 2"))
    again = _leased(store, at=NOON + 1)
    assert again == Pull(Cursor("page 2"), first.epoch), "our own right is renewed, not taken anew"


def test_mentions_and_cursor_are_undone_together_when_the_right_was_lost(store: Store, mention: Make) -> None:
    mine = _leased(store, "w1")
    theirs = _leased(store, "w2", NOON + 31)
    assert theirs.epoch == mine.epoch + 1

    class RightLost(ConnectorError):
        pass

    with pytest.raises(RightLost), turn(store) as tx:
        accept_mentions(tx, [arrival(mention())])
        if not move_cursor(tx, "feed", mine, Cursor("mine")):
            raise RightLost
    assert states(store) == []
    assert _cursor(store) is None
    with turn(store) as tx:
        accept_mentions(tx, [arrival(mention())])
        assert move_cursor(tx, "feed", theirs, Cursor("theirs"))
    assert (_cursor(store), states(store)) == (Cursor("theirs"), ["ready"])


def test_nobody_else_pulls_while_the_right_lasts(store: Store) -> None:
    _leased(store, "w1")
    with turn(store, NOON + 29) as tx:
        assert lease_pull(tx, "feed", "w2", 30.0) is None
    with turn(store, NOON + 31) as tx:
        assert lease_pull(tx, "feed", "w2", 30.0) is not None


def test_a_right_that_was_given_up_is_free_at_once(store: Store) -> None:
    first = _leased(store, "w1")
    with turn(store, NOON + 1) as tx:
        release_pulls(tx, "w1")
    assert _leased(store, "w2", NOON + 2).epoch == first.epoch + 1


def test_trouble_is_remembered_with_its_beginning_and_gone_with_the_next_page(store: Store) -> None:
    pull = _leased(store)
    for at, text in ((NOON, "no answer"), (NOON + 60, "still no answer")):
        with turn(store, at) as tx:
            note_trouble(tx, "feed", text)
    with store.read() as tx:
        (account,) = journal.standing(tx)
    assert (account.trouble, account.trouble_since) == ("still no answer", NOON)
    with turn(store, NOON + 90) as tx:
        move_cursor(tx, "feed", pull, Cursor("1"))
    with store.read() as tx:
        (account,) = journal.standing(tx)
    assert (account.trouble, account.trouble_since, account.pulled_at) == ("", None, NOON + 90)


# --- replies ---


def test_only_public_comments_of_agents_that_are_not_ours_are_taken(store: Store, mention: Make) -> None:
    linked(store, mention())
    found = (
        reply(1),
        reply(2, public=False, html="<p>between us</p>"),
        reply(3, by_agent=False),
        reply(4, ours=True),
        reply(5),
    )
    assert answer(store, *found) == 2
    with store.read() as tx:
        stored = tx.execute(sa.select(replies.c.comment, replies.c.body).order_by(replies.c.id)).all()
    assert [row.comment for row in stored] == ["c1", "c5"]
    assert not any("between us" in row.body for row in stored)
    assert states(store, kind="reply") == ["ready", "blocked"]
    sound(store)


def test_a_comment_whose_id_stands_on_one_of_our_receipts_is_ours(store: Store, mention: Make) -> None:
    arrive(store, mention())
    done(store, one(store), ticket="7", number="c9")
    assert answer(store, reply(9), reply(10)) == 1
    with store.read() as tx:
        assert list(tx.execute(sa.select(replies.c.comment)).scalars()) == ["c10"]


def test_a_comment_is_taken_once_however_often_it_is_read(store: Store, mention: Make) -> None:
    linked(store, mention())
    assert answer(store, reply(1)) == 1
    assert answer(store, reply(1), reply(2)) == 1
    assert answer(store, reply(1), reply(2)) == 0
    assert states(store, kind="reply") == ["ready", "blocked"]
    sound(store)


def test_a_comment_that_becomes_public_later_is_taken_then(store: Store, mention: Make) -> None:
    linked(store, mention())
    assert answer(store, reply(1, public=False)) == 0
    assert answer(store, reply(1)) == 1


def test_a_ticket_we_do_not_know_is_none_of_ours(store: Store, mention: Make) -> None:
    linked(store, mention())
    assert answer(store, reply(1, ticket="8"), ticket="8") == 0
    with turn(store) as tx:
        assert accept_replies(tx, "another desk", TicketId("7"), [reply(1)], None) == 0


def test_an_answer_does_not_wait_behind_mentions_nor_mentions_behind_an_answer(store: Store, mention: Make) -> None:
    linked(store, mention())
    arrive(store, mention())
    answer(store, reply(1))
    assert states(store) == ["done", "ready", "ready"]
    settle(store, one(store, account="feed"), "unsure")
    arrive(store, mention())
    done(store, one(store))
    assert states(store) == ["done", "done", "unsure", "ready"]
    sound(store)


# --- wake-ups ---


def _wake(store: Store, *tickets: str, at: float = NOON) -> int:
    with turn(store, at) as tx:
        return wake(tx, "desk", [TicketId(ticket) for ticket in tickets])


def _due(store: Store, at: float = NOON) -> list[tuple[TicketId, int]]:
    with turn(store, at) as tx:
        return due_wakeups(tx, "desk", 10)


def test_only_linked_tickets_are_woken(store: Store, mention: Make) -> None:
    linked(store, mention())
    assert _wake(store, "7", "8", "7") == 1
    assert [ticket for ticket, _ in _due(store)] == ["7"]


def test_reading_settles_the_wake_up(store: Store, mention: Make) -> None:
    linked(store, mention())
    _wake(store, "7")
    ((_, seq),) = _due(store)
    answer(store, reply(1), seq=seq)
    assert _due(store) == []


def test_a_ticket_woken_again_while_it_was_read_is_read_again(store: Store, mention: Make) -> None:
    linked(store, mention())
    _wake(store, "7")
    ((_, seq),) = _due(store)
    _wake(store, "7")
    answer(store, seq=seq)
    ((_, later),) = _due(store)
    assert later > seq
    answer(store, seq=later)
    assert _due(store) == []


def test_a_ticket_that_cannot_be_read_now_is_read_later(store: Store, mention: Make) -> None:
    linked(store, mention())
    _wake(store, "7")
    with turn(store, NOON) as tx:
        delay_wakeup(tx, "desk", TicketId("7"), 30)
    assert _due(store, NOON + 29) == []
    assert len(_due(store, NOON + 30)) == 1


def test_a_ticket_linked_after_a_doubt_is_looked_at_for_answers_that_came_before(store: Store, mention: Make) -> None:
    arrive(store, mention())
    settle(store, one(store, at=NOON), None, in_doubt=True, at=NOON)
    found = one(store, at=NOON + 1)
    settle(store, found, receipt=None, ticket=TicketId("7"), at=NOON + 2)
    assert [ticket for ticket, _ in _due(store, NOON + 3)] == ["7"]


def test_a_reading_transaction_sees_one_picture(store: Store, mention: Make) -> None:
    with store.read() as tx:
        before = journal.balance(tx)
        if store.is_sqlite:  # PostgreSQL's default reads each statement anew; nobody relies on more there
            arrive(store, mention())
            assert journal.balance(tx) == before
    arrive(store, mention())
    assert claim(store)
