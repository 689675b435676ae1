"""Pullers: each does one pull when asked and says how long to wait. The daemon loops; a test calls it five times.

What is pulled becomes durable together with its cursor, in one transaction fenced by the epoch of the right to pull;
a replica that lost the right meanwhile writes nothing. Trouble is told when it begins and when it ends.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from contextlib import suppress
from typing import Protocol, TypeVar

from connector import log
from connector.daemon.dispatcher import written
from connector.errors import (
    AuthFailed,
    BadAnswer,
    ConnectorError,
    Gone,
    RateLimited,
    Rejected,
    Temporary,
    Unsupported,
)
from connector.flow.intake import located, storable
from connector.flow.notes import recalled_html
from connector.helpdesks.base import Helpdesk
from connector.model import Cursor, Merge, Page, Reply, TicketId, TicketState
from connector.sources.base import Source
from connector.store import Tx, privates, tickets, watches
from connector.store.arrivals import (
    Pull,
    accept_replies,
    delay_wakeup,
    due_wakeups,
    lease_pull,
    move_cursor,
    note_trouble,
    wake,
)
from connector.store.store import now

T = TypeVar("T")

_PAGE = 100
_LONGEST = 600.0
_AUTH_PAUSE = 300.0
_ASIDE = 300.0
_PATIENT_FOR = 5


class Writer(Protocol):
    """What a puller needs of the dispatcher."""

    def run(self, work: Callable[[Tx], T]) -> Future[T]:
        """Do this in the next transaction."""


class RightLost(ConnectorError):
    """Another replica pulls for this account now."""


class Puller:
    """Shared by both kinds: the right to pull, the bookkeeping of trouble, growing pauses.

    `poll` is the time between two pulls, `grace` how much longer than that the right lasts without a sign of life.
    A puller that is `retired` stores nothing more: one with newer options goes on in its place.
    """

    def __init__(self, name: str, owner: str, writer: Writer, poll: float, grace: float) -> None:
        self.name = name
        self.owner = owner
        self.writer = writer
        self.poll = poll
        self.lease = poll + grace
        self.trouble = ""
        self.failures = 0
        self.known: Callable[[str], None] = lambda _: None
        self.retired = False
        self._checked = False
        self._log = log.get(account=name)

    def pull_once(self) -> float:
        """One pull; the seconds to wait before the next."""
        try:
            pull = self._do(lambda tx: lease_pull(tx, self.name, self.owner, self.lease))
            if pull is None:
                return self.lease / 4  # another replica has it, or had it when it died
            if not self._checked:
                self.check()
                self._checked = True
            wait = self.pull(pull)
        except RightLost:
            return self.poll
        except ConnectorError as error:
            return self._failed(error)
        except Exception as error:  # noqa: BLE001 - one bad account is quarantined loudly while others run
            self._log.exception("pull failed")
            return self._failed(ConnectorError(f"bug: {type(error).__name__}"))
        if self.trouble:
            self._log.info("account back", failures=self.failures)
            self.trouble, self.failures = "", 0
        return wait

    def check(self) -> None:
        """Called before the first pull: who are we there?"""

    def pull(self, pull: Pull) -> float:
        """One pull with the right in hand; the seconds to wait."""
        raise NotImplementedError

    def _do(self, work: Callable[[Tx], T]) -> T:
        return written(self.writer.run(work), 120)

    def _move(self, tx: Tx, pull: Pull, cursor: Cursor) -> None:
        """The bookmark, in the transaction of what it stands for; all of it is rolled back when the right is lost."""
        if self.retired or not move_cursor(tx, self.name, pull, cursor):
            raise RightLost

    def _failed(self, error: ConnectorError) -> float:
        self.failures += 1
        sentence = error.sentence
        if not self.trouble:
            self._log.error("account in trouble", trouble=sentence)
        self.trouble = sentence
        with suppress(ConnectorError):  # the database may be away too; the dispatcher tells that
            self._do(lambda tx: note_trouble(tx, self.name, sentence))
        if isinstance(error, RateLimited):
            return error.wait
        if isinstance(error, AuthFailed):
            return _AUTH_PAUSE
        asked = error.wait if isinstance(error, Temporary) and error.wait else 0.0
        return max(asked, min(_LONGEST, self.poll * 2.0 ** min(self.failures, 10)))


class SourcePuller(Puller):
    """Mentions of one source. `others` gives all sources there are now: one may answer what this one finds."""

    def __init__(
        self,
        source: Source,
        owner: str,
        writer: Writer,
        grace: float,
        others: Callable[[], Mapping[str, Source]] = dict,
    ) -> None:
        super().__init__(source.name, owner, writer, source.options.poll, grace)
        self.source = source
        self.others = others

    def check(self) -> None:
        """Learn which account answers, for the cards."""
        found = self.source.check()
        self.known(found.name or found.id)

    def pull(self, pull: Pull) -> float:
        """One page, stored with its cursor."""
        page = self.source.fetch(pull.cursor, _PAGE)
        found = located(page.items, self.source, self.others(), patient=self.failures < _PATIENT_FOR)

        def store(tx: Tx) -> int:
            fresh = privates.accept(tx, found) if found else []
            self._move(tx, pull, page.cursor)
            return sum(fresh)

        new = self._do(store)
        if new:
            self._log.info("mentions accepted", new=new, known=len(found) - new)
        return 0.0 if page.more else self.poll


class ReplyPuller(Puller):
    """Agents' replies of one helpdesk: tickets a hook named, and now and then every ticket that changed."""

    def __init__(self, helpdesk: Helpdesk, owner: str, writer: Writer, grace: float) -> None:
        super().__init__(helpdesk.name, owner, writer, helpdesk.options.poll, grace)
        self.helpdesk = helpdesk
        self.blind = ""
        self._next_look = 0.0

    def check(self) -> None:
        """Are the credentials ours? What the role cannot do is told."""
        found = self.helpdesk.check()
        self.known(found.name or found.id)
        for note in found.notes:
            self._log.warning("helpdesk account limited", note=note)

    def pull(self, pull: Pull) -> float:
        """Look at the tickets that wait for it; then, when it is time, ask which ones changed."""
        due, read_at = self._do(lambda tx: (due_wakeups(tx, self.name, _PAGE), now(tx)))
        states = self._states([ticket for ticket, _ in due])
        for ticket, seq in due:
            self._look(ticket, seq, states.get(ticket), read_at)
        if len(due) == _PAGE:
            return 0.0
        if self.blind:
            return self.poll
        left = self._next_look - time.monotonic()
        if left <= 0:
            left = self._changed(pull)
            self._next_look = time.monotonic() + left
        return 0.0 if due else left

    def _changed(self, pull: Pull) -> float:
        """Wake the tickets that changed since the last look; the seconds until the next."""
        try:
            page: Page[TicketId] = self.helpdesk.changed_tickets(pull.cursor, 1_000)
        except Unsupported as error:
            self.blind = error.sentence
            self._log.warning("only hooks tell of replies", why=error.sentence)
            return self.poll
        except RateLimited as error:
            return max(error.wait, self.poll)

        def store(tx: Tx) -> int:
            woken = wake(tx, self.name, page.items) if page.items else 0
            self._move(tx, pull, page.cursor)
            return woken

        woken = self._do(store)
        return 0.0 if page.more or woken else self.poll

    def _states(self, wanted: Sequence[TicketId]) -> dict[TicketId, TicketState]:
        """How these tickets stand; nothing of a helpdesk that cannot tell: replies do not wait for that."""
        if not wanted:
            return {}
        try:
            return {state.ticket: state for state in self.helpdesk.read_tickets(wanted)}
        except Unsupported:
            return {}
        except (BadAnswer, Rejected, Gone) as error:
            self._log.warning("how tickets stand cannot be read", why=error.sentence)
            return {}

    def _look(self, ticket: TicketId, seq: int, state: TicketState | None, read_at: float) -> None:
        merge: Merge | None = None
        replies: Sequence[Reply] = ()
        whole = False  # a merged or deleted ticket does not show what became of its comments
        closed = state is not None and state.status == "closed"
        try:
            if closed:
                merge = self.helpdesk.survivor(ticket)
            replies = [storable(reply) for reply in self.helpdesk.read_replies(ticket)]
            whole = merge is None
        except Gone:
            pass
        except AuthFailed:
            raise
        except (Temporary, RateLimited) as error:
            self._later(ticket, error.wait or 30.0)
            if isinstance(error, RateLimited):
                raise
            return
        except Exception as error:  # noqa: BLE001 - a ticket that cannot be read must not keep the others from it
            known = isinstance(error, ConnectorError)
            why = error.sentence if isinstance(error, ConnectorError) else f"bug: {type(error).__name__}"
            self._log.error("ticket cannot be read", ticket=ticket, why=why, exc_info=None if known else error)
            self._later(ticket, _ASIDE)
            return

        def store(tx: Tx) -> int:
            new = accept_replies(tx, self.name, ticket, replies, seq)
            if whole:
                # on a closed ticket they may also have moved with a merge that cannot be told
                tickets.recall(tx, self.name, ticket, replies, recalled_html, missing=not closed)
            if state is not None:
                self._heed(tx, state, read_at, merge)
            return new

        try:
            new = self._do(store)
        except Temporary:
            raise
        except ConnectorError as error:
            self._log.error("ticket cannot be stored", ticket=ticket, why=error.sentence)
            self._later(ticket, _ASIDE)
            return
        if new:
            self._log.info("replies accepted", ticket=ticket, new=new)
        if merge is not None:
            self._log.info("ticket merged, its conversation moves", ticket=ticket, into=merge.into)

    def _heed(self, tx: Tx, state: TicketState, read_at: float, merge: Merge | None) -> None:
        """Remember how the ticket stands, and do what its tags ask."""
        commands = self.helpdesk.options.commands
        tickets.note_state(tx, self.name, state)
        if commands.mute_author:
            change = tickets.mute if commands.mute_author in state.tags else tickets.unmute
            change(tx, self.name, state.ticket)
        if commands.move_to_private:
            there = commands.move_to_private in state.tags
            if privates.heed(tx, self.name, state.ticket, commands.move_to_private, there=there):
                self._log.info("moved to private", ticket=state.ticket)
        if commands.release_reply and commands.release_reply in state.tags:
            tickets.release(tx, self.name, state.ticket, commands.release_reply)
        if merge is not None:
            tickets.move(tx, self.name, state.ticket, merge)  # whoever waits, waits on: only this ticket is closed
        else:
            watches.heed(tx, self.name, state, commands.do_not_reply, read_at)

    def _later(self, ticket: TicketId, seconds: float) -> None:
        self._do(lambda tx: delay_wakeup(tx, self.name, ticket, seconds))
