"""The rows of the pretended Zendesk account, and where they are found.

Rows are kept in the vendor's own words, without addresses (those are added when shown). Look-ups by id,
external id, e-mail and identity cost the same however many rows there are.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterator

from connector.testing.simulators.desk import AccountDesk
from connector.testing.simulators.journal import Journal, Key
from connector.testing.simulators.zendesk.answers import Refusal, Row, not_found
from connector.testing.simulators.zendesk.faults import Faults
from connector.testing.simulators.zendesk.limits import Meter

ACCOUNT_ID = 22129848


class Desk(AccountDesk[Faults, Meter]):
    """All rows of the account.

    `tickets`, `users`... map an id to a row; `comments`, `audits` and `identities` map the owner's id to such
    a mapping, oldest first. `clock` gives Unix seconds.
    """

    first_id = 24_000_000_000_000
    scopes: tuple[str, ...] = ("read", "write")
    """What the access token may do."""

    def __init__(
        self, journal: Journal | None, faults: Faults, seed: int, meter: Meter, clock: Callable[[], float]
    ) -> None:
        super().__init__(journal, faults, seed, meter, clock)
        self._order_touches()

    def _clear(self) -> None:
        super()._clear()
        self.tables = {}
        self.owned = {"comment": {}, "audit": {}, "identity": {}}
        for name in ("ticket", "user", "upload", "attachment", "webhook", "trigger", "job", "ticket_field"):
            self.tables[name] = {}
        for name in ("ticket_form", "group", "group_membership", "brand", "custom_status", "idempotency"):
            self.tables[name] = {}
        self.tickets = self.tables["ticket"]
        self.users = self.tables["user"]
        self.comments = self.owned["comment"]
        self.audits = self.owned["audit"]
        self.identities = self.owned["identity"]
        self.by_external: dict[str, dict[int, None]] = {}
        self.users_by_email: dict[str, int] = {}
        self.users_by_external: dict[str, int] = {}
        self.users_by_identity: dict[tuple[str, str], int] = {}
        self._external_of: dict[Key, str] = {}
        self._touches: list[tuple[int, int, int]] = []
        self._next_touch = 0
        self._events: list[tuple[int, int, int]] = []

    # -- changing rows --------------------------------------------------------------------------------------

    def touch(self, ticket: Row) -> None:
        """Save a ticket as changed now: it moves to the end of the exports."""
        now = max(self.now(), self._touches[-1][0] if self._touches else 0)
        self._next_touch += 1
        ticket["generated_timestamp"], ticket["touch"] = now, self._next_touch
        self._touches.append((now, self._next_touch, ticket["id"]))
        self.put("ticket", ticket)

    def tell(self, kind: str, ticket: Row, event: Row) -> None:
        """Let the outgoing webhooks know."""
        if self.listener is not None:
            self.listener(kind, ticket, event)

    # -- finding rows ---------------------------------------------------------------------------------------

    def not_found(self) -> Refusal:
        """The vendor's 404."""
        return not_found()

    def ticket(self, number: int) -> Row:
        """A ticket that is not deleted, or 404."""
        found = self.row("ticket", number)
        if found["status"] == "deleted":
            raise not_found()
        return found

    def comments_of(self, ticket: int) -> list[Row]:
        """The comments of a ticket, oldest first."""
        return list(self.comments.get(ticket, {}).values())

    def touched_since(self, start: int, until: float, after: int = 0) -> Iterator[Row]:
        """Tickets whose last change lies in [start, until], oldest change first; deleted ones too.

        `after` is the `touch` of the last row already known: changes are numbered, so that none within one
        second is lost or told twice.
        """
        for index in range(bisect_left(self._touches, (start, after + 1, 0)), len(self._touches)):
            when, touch, number = self._touches[index]
            if when > until:
                return
            if self.tickets[number]["touch"] == touch:
                yield self.tickets[number]

    def events_since(self, start: int, until: float) -> Iterator[tuple[int, Row]]:
        """(Unix second, audit) of all tickets in [start, until], oldest first."""
        for index in range(bisect_left(self._events, (start, 0, 0)), len(self._events)):
            when, ticket, audit = self._events[index]
            if when > until:
                return
            yield when, self.audits[ticket][audit]

    # -- keeping the indexes --------------------------------------------------------------------------------

    def _set(self, table: str, owner: Key | None, key: Key, row: Row) -> None:
        super()._set(table, owner, key, row)
        if table == "ticket":
            self._next_ticket = max(self._next_ticket, row["id"] + 1)
            external = row["external_id"]
            if self._external_of.get(key) != external:
                self.by_external.get(self._external_of.pop(key, ""), {}).pop(row["id"], None)
                if external is not None:
                    self._external_of[key] = external
                    self.by_external.setdefault(external, {})[row["id"]] = None
        elif isinstance(key, int):
            self._next_id = max(self._next_id, key, *(e["id"] for e in row.get("events", ())))
            if table == "audit" and (not self._events or self._events[-1][2] < key):
                self._events.append((row["generated_timestamp"], row["ticket_id"], key))
            elif table == "user":
                self._index_user(row)
            elif table == "identity":
                self.users_by_identity[row["type"], row["value"].lower()] = row["user_id"]

    def _index_user(self, row: Row) -> None:
        for index, name in ((self.users_by_email, "email"), (self.users_by_external, "external_id")):
            value = row[name]
            if value is not None and index.get(value.lower()) != row["id"]:
                index[value.lower()] = row["id"]

    def forget_names(self, user: Row) -> None:
        """Take a user's e-mail and external id out of the indexes, before they change."""
        for index, name in ((self.users_by_email, "email"), (self.users_by_external, "external_id")):
            if user[name] is not None:
                index.pop(user[name].lower(), None)

    def _order_touches(self) -> None:
        tickets = self.tickets.values()
        self._touches = sorted((t["generated_timestamp"], t["touch"], t["id"]) for t in tickets)
        self._next_touch = self._touches[-1][1] if self._touches else 0
        audits = (a for owned in self.audits.values() for a in owned.values())
        self._events = sorted((a["generated_timestamp"], a["ticket_id"], a["id"]) for a in audits)
