"""The pretended Zendesk account as one object: start it, look into it, play the agent in it.

It shares nothing with the product on purpose: if the adapter misreads the vendor's documents, this must not
misread them with it.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from connector.testing.simulators.journal import Journal
from connector.testing.simulators.sandbox import Sandbox
from connector.testing.simulators.seen import SeenComment, SeenFile, SeenTicket
from connector.testing.simulators.web import File
from connector.testing.simulators.zendesk import (
    account,
    comments,
    control,
    hooks,
    pages,
    people,
    shown,
    tickets,
    uploads,
)
from connector.testing.simulators.zendesk.answers import Actor, Row
from connector.testing.simulators.zendesk.api import Api
from connector.testing.simulators.zendesk.desk import Desk
from connector.testing.simulators.zendesk.faults import Faults
from connector.testing.simulators.zendesk.limits import Limits, Meter


class ZendeskSandbox(Sandbox[Desk, hooks.Courier, Faults, Limits]):
    """One account.

    `data` is the file it lives in (None = memory only), `rate_limit` the account's requests a minute (None
    turns every limit off, unless `limits` says otherwise), `webhook_url` is called for every event, signed
    with `webhook_secret`, `clock` gives Unix seconds. Rows are returned as copies in the API's own words.
    """

    name = "zendesk-sandbox"
    home = "http://sandbox.example.com"

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
        webhook_timeout: float = 10.0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        if limits is None:
            limits = Limits.off() if rate_limit is None else Limits(account=rate_limit)
        journal = Journal(data) if data is not None else None
        desk = Desk(journal, faults or Faults(), seed, Meter(limits), clock)
        super().__init__(desk, hooks.Courier(desk, webhook_timeout), journal)
        desk.listener = self._courier.post
        self._webhook = (webhook_url, webhook_secret)
        self._open(Api(desk), control.routes(self), pages.routes(self))

    # -- looking in -----------------------------------------------------------------------------------------

    def tickets(self) -> list[Row]:
        """Every ticket, oldest first; deleted ones have the status `deleted`."""
        with self.desk.lock:
            return [copy.deepcopy(shown.ticket(row, self.address)) for row in self.desk.tickets.values()]

    def ticket(self, number: int) -> Row:
        """One ticket; KeyError if there is none."""
        with self.desk.lock:
            return copy.deepcopy(shown.ticket(self.desk.tickets[number], self.address))

    def comments(self, ticket_id: int) -> list[Row]:
        """The comments of a ticket, oldest first."""
        with self.desk.lock:
            rows = self.desk.comments_of(ticket_id)
            return copy.deepcopy([shown.comment(self.desk, row, self.address) for row in rows])

    def audits(self, ticket_id: int) -> list[Row]:
        """The audits of a ticket, oldest first."""
        with self.desk.lock:
            rows = self.desk.audits.get(ticket_id, {}).values()
            return copy.deepcopy([shown.audit(self.desk, row, self.address) for row in rows])

    def users(self) -> list[Row]:
        """Every user, oldest first, with `identities`."""
        with self.desk.lock:
            owned = self.desk.identities
            rows = self.desk.users.values()
            return copy.deepcopy([{**u, "identities": list(owned.get(u["id"], {}).values())} for u in rows])

    def fields(self) -> dict[str, Row]:
        """The ticket fields by title."""
        with self.desk.lock:
            return {row["title"]: copy.deepcopy(row) for row in self.desk.tables["ticket_field"].values()}

    def deliveries(self) -> list[Row]:
        """The webhook calls so far, oldest first: ids, type, status, attempts' codes, payload."""
        with self.desk.lock:
            return [hooks.told(call) for call in list(self._courier.deliveries)]

    def state(self) -> Row:
        """Everything, as JSON."""
        with self.desk.lock:
            every = [row | {"comments": self.comments(row["id"])} for row in self.tickets()]
            attachments = [shown.attachment(self.desk, int(n), self.address) for n in self.desk.tables["attachment"]]
            return {
                "tickets": every,
                "users": self.users(),
                "uploads": copy.deepcopy(list(self.desk.tables["upload"].values())),
                "attachments": attachments,
                "webhooks": [hooks.shown(row) for row in self.desk.tables["webhook"].values()],
                "deliveries": self.deliveries(),
                "requests": self.requests(),
                "faults": self.desk.faults.shown(),
                "hits": self.hits(),
                "limits": self.desk.meter.limits.shown(),
            }

    # -- playing the agent ----------------------------------------------------------------------------------

    def agent_reply(
        self,
        ticket_id: int,
        body: str | None = None,
        html_body: str | None = None,
        public: bool = True,
        author: str = account.AGENT_EMAIL,
        uploads: Sequence[str | File] = (),
        status: str | None = None,
    ) -> Row:
        """Answer (or note) in the web interface as a member of staff; the comment.

        `uploads` are tokens or `(name, content type, content)`. Raises the API's refusals, e.g. when closed.
        """
        with self.desk.turn():
            said: Row = {"public": public, "uploads": [self._token(item) for item in uploads]}
            said |= {"html_body": html_body} if html_body is not None else {"body": body}
            wanted: Row = {"comment": said} | ({"status": status} if status else {})
            tickets.update(self.desk, self._staff(author), self.desk.ticket(ticket_id), wanted)
        return self.comments(ticket_id)[-1]

    def set_status(self, ticket_id: int, status: str, author: str = account.AGENT_EMAIL) -> None:
        """Change a ticket's status in the web interface."""
        with self.desk.turn():
            tickets.update(self.desk, self._staff(author), self.desk.ticket(ticket_id), {"status": status})

    def close(self, ticket_id: int) -> None:
        """Close a ticket for good, as the vendor does some days after solving."""
        self.set_status(ticket_id, "closed", account.ADMIN_EMAIL)

    def delete(self, ticket_id: int) -> None:
        """Delete a ticket softly."""
        with self.desk.turn():
            tickets.delete(self.desk, self.desk.ticket(ticket_id))

    def merge(self, into: int, source: int) -> None:
        """Merge one ticket into another; the source is closed."""
        with self.desk.turn():
            target, other = self.desk.ticket(into), self.desk.ticket(source)
            tickets.merge(self.desk, self._staff(account.AGENT_EMAIL), target, [other], {})

    def make_private(self, ticket_id: int, comment_id: int) -> None:
        """Turn a public comment into a note."""
        with self.desk.turn():
            comments.make_private(self.desk, self.desk.ticket(ticket_id), comment_id)

    def redact(self, ticket_id: int, comment_id: int, text: str) -> None:
        """Black out a text in a comment."""
        with self.desk.turn():
            comments.redact(self.desk, self.desk.ticket(ticket_id), comment_id, text)

    def add_status(self, category: str, label: str, *, active: bool = True) -> int:
        """Make a status of the account's own as an admin would; its id."""
        with self.desk.turn():
            return int(account.custom_status(self.desk, category, label, active=active)["id"])

    # -- in the words of every vendor -------------------------------------------------------------------------

    def seen_tickets(self) -> list[SeenTicket]:
        """Every ticket, oldest first, deleted ones too."""
        with self.desk.lock:
            return [
                SeenTicket(
                    row["id"], row["subject"] or "", row["status"], row["priority"] or "", row["type"] or "",
                    tuple(row["tags"]),
                )
                for row in self.desk.tickets.values()
            ]  # fmt: skip

    def seen_comments(self, number: int) -> list[SeenComment]:
        """The comments of a ticket, oldest first."""
        with self.desk.lock:
            return [self._seen(row) for row in self.desk.comments_of(number)]

    def answer(
        self, number: int, html: str, *, public: bool = True, files: Sequence[File] = (), status: str | None = None
    ) -> SeenComment:
        """Answer as an agent."""
        said = self.agent_reply(number, html_body=html, public=public, uploads=files, status=status)
        with self.desk.lock:
            return self._seen(comments.one(self.desk, number, said["id"]))

    def hide(self, number: int, comment: int) -> None:
        """Make a comment private."""
        self.make_private(number, comment)

    def take_away(self, number: int, comment: int) -> None:
        """Black out all of a comment: Zendesk has no way to delete one."""
        with self.desk.turn():
            ticket, said = self.desk.ticket(number), comments.one(self.desk, number, comment)
            lines = [line for line in said["plain_body"].splitlines() if line.strip()]
            html = "".join(f"<redact>{line.strip()}</redact>" for line in lines)
            comments.redact_html(self.desk, ticket, comment, html)

    def call_at(self, url: str) -> None:
        """Give the webhook its address, as an admin does."""
        with self.desk.turn():
            row = next(row for row in self.desk.tables["webhook"].values() if row["name"] == "connector")
            self.desk.put("webhook", row | {"endpoint": url})

    # -- inside ---------------------------------------------------------------------------------------------

    def _seed(self) -> None:
        with self.desk.turn():
            if not self.desk.users:
                account.seed(self.desk)
            url, secret = self._webhook
            if url is None:
                return
            wanted: Row = {"name": "connector", "endpoint": url}
            wanted["subscriptions"] = [hooks.PREFIX + kind for kind in hooks.DEFAULT_KINDS]
            old = [row for row in self.desk.tables["webhook"].values() if row["name"] == "connector"]
            row = old[0] if old else hooks.create(self.desk, wanted, next(iter(self.desk.users.values()))["id"])
            row |= {"endpoint": url} | ({"secret": secret} if secret else {})
            self.desk.put("webhook", row)

    def _seen(self, row: Row) -> SeenComment:
        author = self.desk.users.get(row["author_id"], {})
        files = [shown.attachment(self.desk, number, self.address) for number in row["attachments"]]
        return SeenComment(
            row["id"], row["public"], bool(author) and people.is_staff(author), author.get("name", ""),
            row["html_body"], row["plain_body"].strip(),
            tuple(SeenFile(f["file_name"], f["content_type"], f["size"], f["content_url"]) for f in files),
        )  # fmt: skip

    def _staff(self, email: str) -> Actor:
        return Actor(self.desk.users_by_email[email.lower()], client="Mozilla/5.0", channel="web")

    def _token(self, item: str | File) -> str:
        return item if isinstance(item, str) else str(uploads.add(self.desk, *item)["token"])


def serve(
    host: str = "127.0.0.1",
    port: int = 0,
    data: Path | None = None,
    webhook_url: str | None = None,
    webhook_secret: str | None = None,
    faults: Faults | None = None,
    ready: Callable[[str], None] | None = None,
    rate_limit: int | None = 700,
) -> None:
    """Run a sandbox until interrupted; `ready` is told its base address once it listens."""
    sandbox = ZendeskSandbox(
        data, faults, rate_limit=rate_limit, webhook_url=webhook_url, webhook_secret=webhook_secret
    )
    sandbox.run(host, port, ready)
