"""The rows of the pretended Freshdesk account, and where they are found.

Rows are kept in the vendor's own words, without addresses (those are added when shown). Finding a ticket by
number, by requester or by its last change, and a person by any of the names they have, costs the same however
many rows there are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from connector.testing.simulators.desk import AccountDesk
from connector.testing.simulators.freshdesk.answers import Refusal, Row, not_found
from connector.testing.simulators.freshdesk.faults import Faults
from connector.testing.simulators.freshdesk.limits import Meter
from connector.testing.simulators.journal import Journal, Key

NAMES = ("email", "phone", "mobile", "twitter_id", "facebook_id", "unique_external_id")
"""What a contact can be found by."""


class Desk(AccountDesk[Faults, Meter]):
    """All rows of the account; `conversations` map a ticket's number to its conversations, oldest first."""

    first_id = 1_070_000_000_000

    def __init__(
        self, journal: Journal | None, faults: Faults, seed: int, meter: Meter, clock: Callable[[], float]
    ) -> None:
        super().__init__(journal, faults, seed, meter, clock)
        ordered = sorted(self.tickets.values(), key=lambda row: (row["updated_at"], row["touch"]))
        self._touched.clear()
        self._touched.update((int(row["id"]), None) for row in ordered)

    def _clear(self) -> None:
        super()._clear()
        names = ("ticket", "contact", "agent", "group", "product", "role", "company", "email_config", "field")
        self.tables = {name: {} for name in (*names, "attachment", "survey", "rating")}
        self.owned = {"conversation": {}}
        self.tickets = self.tables["ticket"]
        self.contacts = self.tables["contact"]
        self.agents = self.tables["agent"]
        self.conversations = self.owned["conversation"]
        self.ticket_of: dict[int, int] = {}
        self.tickets_of: dict[int, dict[int, None]] = {}
        self._people: dict[tuple[str, str], int] = {}
        self._touched: dict[int, None] = {}
        self._touch = 0

    # -- changing rows --------------------------------------------------------------------------------------

    def touch(self, ticket: Row) -> None:
        """Save a ticket as changed now."""
        self._touch += 1
        ticket |= {"updated_at": self.stamp(), "touch": self._touch}
        self.put("ticket", ticket)

    def tell(self, happened: str, ticket: Row, **more: object) -> None:
        """Let the automation rules know what happened to a ticket."""
        if self.listener is not None:
            self.listener(happened, ticket, more)

    # -- finding rows ---------------------------------------------------------------------------------------

    def not_found(self) -> Refusal:
        """The vendor's 404."""
        return not_found()

    def live_ticket(self, number: int) -> Row:
        """A ticket that can be worked on, or 404 (deleted and spam: unconfirmed)."""
        found = self.row("ticket", number)
        if found["deleted"] or found["spam"]:
            raise not_found()
        return found

    def conversations_of(self, ticket: int) -> list[Row]:
        """The conversations of a ticket, oldest first."""
        return sorted(self.conversations.get(ticket, {}).values(), key=lambda row: int(row["id"]))

    def person(self, number: int) -> Row | None:
        """A contact, or an agent as the contact they are, or None."""
        agent = self.agents.get(number)
        if agent is not None:
            return {**agent["contact"], "id": number}
        return self.contacts.get(number)

    def named(self, name: str, value: object) -> int | None:
        """The id of the person whose `email`, `twitter_id`... is the value."""
        return self._people.get((name, str(value).lower()))

    def latest(self) -> Iterator[Row]:
        """The tickets, the most lately changed first."""
        return (self.tickets[number] for number in reversed(self._touched))

    # -- keeping the indexes --------------------------------------------------------------------------------

    def remove(self, table: str, key: Key, owner: Key | None = None) -> None:
        """Forget a row and the names it had."""
        if table == "contact":
            self.forget_names(self.contacts[key])
        super().remove(table, key, owner)

    def forget_names(self, person: Row) -> None:
        """Take a contact's names out of the index, before they change."""
        for name in NAMES:
            if person.get(name) is not None:
                self._people.pop((name, str(person[name]).lower()), None)

    def _set(self, table: str, owner: Key | None, key: Key, row: Row) -> None:
        super()._set(table, owner, key, row)
        if table == "ticket":
            number = int(row["id"])
            self._next_ticket = max(self._next_ticket, number + 1)
            self._touch = max(self._touch, row["touch"])
            self._touched.pop(number, None)
            self._touched[number] = None
            self.tickets_of.setdefault(row["requester_id"], {})[number] = None
        elif isinstance(key, int):
            self._next_id = max(self._next_id, key)
            if table == "conversation" and isinstance(owner, int):
                self.ticket_of[key] = owner
            elif table in ("contact", "agent"):
                self._index_person(row if table == "contact" else row["contact"], key)

    def _index_person(self, person: Row, number: int) -> None:
        for name in NAMES:
            if person.get(name) is not None:
                self._people.setdefault((name, str(person[name]).lower()), number)
