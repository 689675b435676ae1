"""The pretended Freshdesk account as one object: start it, look into it, play the agent in it.

It shares nothing with the product on purpose: if the adapter misreads the vendor's documents, this must not
misread them with it.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from connector.testing.simulators.freshdesk import (
    account,
    control,
    conversations,
    fields,
    files,
    hooks,
    pages,
    people,
    shown,
    tickets,
)
from connector.testing.simulators.freshdesk.answers import Row, Wanted, complaint
from connector.testing.simulators.freshdesk.api import Api
from connector.testing.simulators.freshdesk.desk import Desk
from connector.testing.simulators.freshdesk.faults import Faults
from connector.testing.simulators.freshdesk.limits import Limits, Meter
from connector.testing.simulators.journal import Journal
from connector.testing.simulators.sandbox import Sandbox
from connector.testing.simulators.seen import SeenComment, SeenFile, SeenTicket
from connector.testing.simulators.web import File

SECRET_HEADER = "X-Webhook-Secret"
_STATUS_WORDS = {2: "open", 3: "pending", tickets.RESOLVED: "solved", tickets.CLOSED: "closed"}
_PRIORITY_WORDS = {1: "low", 2: "normal", 3: "high", 4: "urgent"}


class FreshdeskSandbox(Sandbox[Desk, hooks.Courier, Faults, Limits]):
    """One account.

    `data` is the file it lives in (None = memory only), `rate_limit` the account's requests a minute (None turns
    every limit off, unless `limits` says otherwise). `webhook_url` is what the account's automation rule calls on
    every change, with `webhook_secret` in the header `webhook_header`; `rule` says all of that and the body in full.
    `clock` gives Unix seconds. Rows are returned as copies in the API's own words.
    """

    name = "freshdesk-sandbox"
    home = "http://sandbox.freshdesk.com"

    def __init__(
        self,
        data: Path | None = None,
        faults: Faults | None = None,
        seed: int = 0,
        rate_limit: int | None = 700,
        *,
        limits: Limits | None = None,
        webhook_url: str | None = None,
        webhook_secret: str | None = None,
        webhook_header: str = SECRET_HEADER,
        webhook_timeout: float = 10.0,
        rule: hooks.Rule | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        if limits is None:
            limits = Limits.off() if rate_limit is None else Limits(account=rate_limit)
        if rule is None and webhook_url is not None:
            rule = hooks.Rule(webhook_url, {webhook_header: webhook_secret} if webhook_secret else {})
        journal = Journal(data) if data is not None else None
        desk = Desk(journal, faults or Faults(), seed, Meter(limits), clock)
        super().__init__(desk, hooks.Courier(desk, rule, webhook_timeout), journal)
        desk.listener = self._courier.post
        self._open(Api(desk), control.routes(self), pages.routes(self))

    # -- looking in -----------------------------------------------------------------------------------------

    @property
    def rule(self) -> hooks.Rule | None:
        """The automation rule that calls out; may be set at any time, None for none."""
        return self._courier.rule

    @rule.setter
    def rule(self, wanted: hooks.Rule | None) -> None:
        with self.desk.lock:
            self._courier.rule = wanted

    def tickets(self) -> list[Row]:
        """Every ticket, oldest first, deleted ones and spam too."""
        with self.desk.lock:
            return [self.ticket(number) for number in self.desk.tickets if isinstance(number, int)]

    def ticket(self, number: int) -> Row:
        """One ticket, with requester and stats; KeyError if there is none."""
        with self.desk.lock:
            row = self.desk.tickets[number]
            told = shown.ticket(self.desk, row, self.address, ("requester", "stats"))
            return copy.deepcopy({**told, "deleted": row["deleted"]})

    def conversations(self, number: int) -> list[Row]:
        """The conversations of a ticket, oldest first."""
        with self.desk.lock:
            rows = self.desk.conversations_of(number)
            return copy.deepcopy([shown.conversation(self.desk, row, self.address) for row in rows])

    def contacts(self) -> list[Row]:
        """Every contact, oldest first."""
        with self.desk.lock:
            return copy.deepcopy(list(self.desk.contacts.values()))

    def agents(self) -> dict[str, Row]:
        """The agents by e-mail address."""
        with self.desk.lock:
            return {row["contact"]["email"]: copy.deepcopy(row) for row in self.desk.agents.values()}

    def fields(self) -> dict[str, Row]:
        """The ticket fields by name, as /ticket_fields tells them."""
        with self.desk.lock:
            rows = self.desk.tables["field"].values()
            return {row["name"]: copy.deepcopy(fields.shown(self.desk, row)) for row in rows}

    def deliveries(self) -> list[Row]:
        """The automation rule's calls so far, oldest first: event, ticket_id, status, attempts' codes, body."""
        with self.desk.lock:
            return copy.deepcopy(list(self._courier.deliveries))

    def state(self) -> Row:
        """Everything, as JSON."""
        with self.desk.lock:
            return {
                "tickets": [row | {"conversations": self.conversations(row["id"])} for row in self.tickets()],
                "contacts": self.contacts(),
                "agents": list(self.agents().values()),
                "deliveries": self.deliveries(),
                "requests": self.requests(),
                "faults": self.desk.faults.shown(),
                "hits": self.hits(),
                "limits": self.desk.meter.limits.shown(),
            }

    # -- playing the agent ----------------------------------------------------------------------------------

    def agent_reply(
        self,
        number: int,
        html_body: str,
        public: bool = True,
        uploads: Sequence[File] = (),
        status: int | None = None,
        author: str = account.AGENT_EMAIL,
    ) -> Row:
        """Reply (or leave a private note) in the web interface as an agent; the conversation.

        `uploads` are `(name, content type, content)`, `status` is 2 to 7. Raises the API's refusals.
        """
        with self.desk.turn():
            agent, ticket = self._agent(author), self.desk.live_ticket(number)
            add = conversations.reply if public else conversations.note
            wrong = files.check_size(self.desk, list(uploads))
            if status is not None and status not in fields.statuses(self.desk):
                wrong.append(complaint("status", "It should be one of the account's statuses", "invalid_value"))
            said = add(self.desk, ticket, agent, Wanted({"body": html_body}, list(uploads), wrong))
            if status is not None:
                tickets.update(self.desk, ticket, Wanted({"status": status}))
            return copy.deepcopy(shown.conversation(self.desk, said, self.address))

    def agent_note(self, number: int, html_body: str, public: bool = False, author: str = account.AGENT_EMAIL) -> Row:
        """Leave a note, private or public, as an agent; the conversation."""
        with self.desk.turn():
            ticket, wanted = self.desk.live_ticket(number), Wanted({"body": html_body, "private": not public})
            said = conversations.note(self.desk, ticket, self._agent(author), wanted)
            return copy.deepcopy(shown.conversation(self.desk, said, self.address))

    def set_status(self, number: int, status: int) -> None:
        """Change a ticket's status in the web interface."""
        with self.desk.turn():
            tickets.update(self.desk, self.desk.live_ticket(number), Wanted({"status": status}))

    def close(self, number: int) -> None:
        """Close a ticket."""
        self.set_status(number, tickets.CLOSED)

    def delete(self, number: int) -> None:
        """Delete a ticket softly."""
        with self.desk.turn():
            tickets.delete(self.desk, self.desk.row("ticket", number))

    def restore(self, number: int) -> None:
        """Bring a deleted ticket back, or one that was marked as spam."""
        with self.desk.turn():
            row = self.desk.row("ticket", number)
            if row["spam"]:
                row["spam"] = False
                self.desk.touch(row)
            else:
                tickets.restore(self.desk, row)

    def spam(self, number: int) -> None:
        """Mark a ticket as spam."""
        with self.desk.turn():
            tickets.spam(self.desk, self.desk.live_ticket(number))

    def merge(self, into: int, source: int) -> None:
        """Merge one ticket into another; the source is closed."""
        with self.desk.turn():
            tickets.merge(self.desk, self._agent(account.AGENT_EMAIL), {"primary_id": into, "ticket_ids": [source]})

    def make_private(self, conversation: int) -> Row:
        """Turn a public conversation into a private one."""
        with self.desk.turn():
            return copy.deepcopy(
                conversations.make_private(self.desk, conversation, self._agent(account.AGENT_EMAIL))
            )

    def edit(self, conversation: int, html_body: str) -> Row:
        """Change a note's text."""
        with self.desk.turn():
            agent = self._agent(account.AGENT_EMAIL)
            return copy.deepcopy(conversations.edit(self.desk, conversation, agent, Wanted({"body": html_body})))

    def delete_conversation(self, conversation: int) -> None:
        """Take a note or a reply away."""
        with self.desk.turn():
            conversations.delete(self.desk, conversation)

    def rate(self, number: int, rating: int, feedback: str | None = None) -> Row:
        """The requester's answer to the survey, e.g. 103 (extremely happy) or -103 (extremely unhappy). That it
        updates the ticket is unconfirmed."""
        with self.desk.turn():
            ticket, stamp = self.desk.live_ticket(number), self.desk.stamp()
            survey = next(iter(self.desk.tables["survey"].values()))
            row = {
                "id": self.desk.new_id(), "survey_id": survey["id"], "user_id": ticket["requester_id"],
                "agent_id": ticket["responder_id"], "group_id": ticket["group_id"], "ticket_id": number,
                "feedback": feedback, "ratings": {"default_question": rating}, "created_at": stamp,
                "updated_at": stamp,
            }  # fmt: skip
            self.desk.touch(ticket)
            return copy.deepcopy(self.desk.put("rating", row))

    def assign(self, number: int, author: str = account.AGENT_EMAIL) -> None:
        """Give a ticket to an agent."""
        with self.desk.turn():
            tickets.update(self.desk, self.desk.live_ticket(number), Wanted({"responder_id": self._agent(author)}))

    def add_field(self, label: str, type: str, **more: object) -> Row:  # noqa: A002 - the vendor's word
        """Make a custom field as an admin would: `choices`, `dependent_fields`, `required_for_agents`..."""
        with self.desk.turn():
            return copy.deepcopy(fields.create(self.desk, {"label": label, "type": type, **more}))

    def add_contact(self, **wanted: object) -> Row:
        """Make a contact, as POST contacts does."""
        with self.desk.turn():
            return copy.deepcopy(people.create(self.desk, wanted))

    # -- in the words of every vendor -------------------------------------------------------------------------

    def seen_tickets(self) -> list[SeenTicket]:
        """Every ticket, oldest first, deleted ones and spam too."""
        with self.desk.lock:
            labels = fields.statuses(self.desk)
            return [
                SeenTicket(
                    row["id"], row["subject"] or "",
                    "deleted" if row["deleted"] else "spam" if row["spam"]
                    else _STATUS_WORDS.get(row["status"]) or labels[row["status"]],
                    _PRIORITY_WORDS[row["priority"]], row["type"] or "", tuple(row["tags"]),
                )
                for row in self.desk.tickets.values()
            ]  # fmt: skip

    def seen_comments(self, number: int) -> list[SeenComment]:
        """The description and the conversations of a ticket, oldest first."""
        with self.desk.lock:
            row = self.desk.row("ticket", number)
            opening = {
                "id": 0, "private": False, "user_id": row["requester_id"], "attachments": row["attachments"],
                "body": row["description"], "body_text": row["description_text"],
            }  # fmt: skip
            return [self._seen(said) for said in (opening, *self.desk.conversations_of(number))]

    def answer(
        self, number: int, html: str, *, public: bool = True, files: Sequence[File] = (), status: str | None = None
    ) -> SeenComment:
        """Reply as an agent, or leave a private note."""
        wanted = next((n for n, word in _STATUS_WORDS.items() if word == status), None)
        said = self.agent_reply(number, html, public, files, wanted)
        with self.desk.lock:
            return self._seen(conversations.found(self.desk, said["id"])[1])

    def hide(self, number: int, comment: int) -> None:
        """Make a conversation private; the ticket's own description cannot be."""
        self.make_private(comment)

    def take_away(self, number: int, comment: int) -> None:
        """Delete a note or a reply."""
        self.delete_conversation(comment)

    def call_at(self, url: str) -> None:
        """Give the automation rule its address, as an admin does."""
        rule = self.rule
        assert rule is not None
        self.rule = replace(rule, url=url)

    # -- inside ---------------------------------------------------------------------------------------------

    def _seed(self) -> None:
        with self.desk.turn():
            if not self.desk.agents:
                account.seed(self.desk)

    def _seen(self, row: Row) -> SeenComment:
        person = self.desk.person(row["user_id"]) or {}
        held = [files.shown(self.desk, number, self.address) for number in row["attachments"]]
        return SeenComment(
            row["id"], not row["private"], row["user_id"] in self.desk.agents, person.get("name", ""), row["body"],
            row["body_text"].strip(),
            tuple(SeenFile(f["name"], f["content_type"], f["size"], f["attachment_url"]) for f in held),
        )  # fmt: skip

    def _agent(self, email: str) -> int:
        found = self.desk.named("email", email)
        if found is None or found not in self.desk.agents:
            raise KeyError(f"no agent has the address {email}")
        return found


def serve(
    host: str = "127.0.0.1",
    port: int = 0,
    data: Path | None = None,
    webhook_url: str | None = None,
    webhook_secret: str | None = None,
    faults: Faults | None = None,
    ready: Callable[[str], None] | None = None,
    rate_limit: int | None = 700,
    *,
    webhook_header: str = SECRET_HEADER,
) -> None:
    """Run a sandbox until interrupted; `ready` is told its base address once it listens."""
    sandbox = FreshdeskSandbox(
        data, faults, rate_limit=rate_limit, webhook_url=webhook_url, webhook_secret=webhook_secret,
        webhook_header=webhook_header,
    )  # fmt: skip
    sandbox.run(host, port, ready)
