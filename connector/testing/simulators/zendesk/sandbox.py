"""The pretended Zendesk account as one object: start it, look into it, play the agent in it.

It shares nothing with the product on purpose: if the adapter misreads the vendor's documents, this must not
misread them with it.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from starlette.applications import Starlette
from starlette.routing import Mount

from connector.testing.simulators.journal import Journal
from connector.testing.simulators.line import Listener
from connector.testing.simulators.web import File
from connector.testing.simulators.zendesk import (
    account,
    comments,
    control,
    hooks,
    pages,
    shown,
    tickets,
    uploads,
)
from connector.testing.simulators.zendesk.answers import Actor, Row
from connector.testing.simulators.zendesk.api import Api
from connector.testing.simulators.zendesk.desk import Desk
from connector.testing.simulators.zendesk.faults import Faults
from connector.testing.simulators.zendesk.limits import Limits, Meter


class ZendeskSandbox:
    """One account.

    `data` is the file it lives in (None = memory only), `rate_limit` the account's requests a minute (None
    turns every limit off, unless `limits` says otherwise), `webhook_url` is called for every event, signed
    with `webhook_secret`, `clock` gives Unix seconds. Rows are returned as copies in the API's own words.
    """

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
        self._journal = Journal(data) if data is not None else None
        self.desk = Desk(self._journal, faults or Faults(), seed, limits, clock)
        self._courier = hooks.Courier(self.desk, webhook_timeout)
        self.desk.listener = self._courier.post
        self._webhook = (webhook_url, webhook_secret)
        self._listener: Listener | None = None
        self._seed()
        self.app = Starlette(
            routes=[
                Mount("/api/v2", app=Api(self.desk)),
                Mount("/_sandbox", routes=control.routes(self)),
                *pages.routes(self),
            ]
        )

    # -- running --------------------------------------------------------------------------------------------

    def start(self, host: str = "127.0.0.1", port: int = 0) -> str:
        """Listen in a thread of its own; the base address, ready to be asked."""
        self._listener = Listener(self.app, host, port, "zendesk-sandbox")
        self._start_courier()
        self._listener.start()
        return self._listener.address

    def run(self, host: str, port: int, ready: Callable[[str], None] | None = None) -> None:
        """Listen here until interrupted; `ready` is told the base address."""
        self._listener = Listener(self.app, host, port, "zendesk-sandbox")
        self._start_courier()
        if ready is not None:
            ready(self._listener.address)
        try:
            self._listener.run()
        finally:
            self.stop()

    def stop(self) -> None:
        """Stop listening and calling out, let go of the file."""
        if self._listener is not None:
            self._listener.stop()
            self._listener = None
        self._courier.stop()
        if self._journal is not None:
            self._journal.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def address(self) -> str:
        """The base address while it listens."""
        return self._listener.address if self._listener is not None else "http://sandbox.example.com"

    # -- looking in -----------------------------------------------------------------------------------------

    @property
    def faults(self) -> Faults:
        """The wanted misbehaviour; its attributes may be set at any time."""
        return self.desk.faults.faults

    @faults.setter
    def faults(self, wanted: Faults) -> None:
        with self.desk.lock:
            self.desk.faults.faults = wanted

    @property
    def limits(self) -> Limits:
        """The allowed requests; setting them starts every count anew."""
        return self.desk.meter.limits

    @limits.setter
    def limits(self, wanted: Limits) -> None:
        with self.desk.lock:
            self.desk.meter = Meter(wanted)

    def hits(self) -> dict[str, int]:
        """How often each fault struck."""
        with self.desk.lock:
            return dict(self.desk.faults.hits)

    def requests(self) -> dict[str, int]:
        """How often each endpoint was asked, e.g. `POST /api/v2/tickets`, `PUT /api/v2/tickets/*`."""
        with self.desk.lock:
            return dict(self.desk.requests)

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

    def reset(self) -> None:
        """A fresh account: default rows, no counts; the faults stay."""
        with self.desk.turn():
            self._courier.clear()
            self.desk.reset()
            self._seed()

    # -- inside ---------------------------------------------------------------------------------------------

    def _start_courier(self) -> None:
        if not self._courier.is_alive():
            self._courier.start()

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
