"""Freshdesk: mentions become tickets of the contact who wrote them, agents' public replies and notes go back.

The pieces, each a file: `options`, `account` (calling), `limits` (how often), `refusals` (what an error means),
`people` (contacts and agents), `names` (labels to values), `drafts` (the bodies), `comments` (reading them), `files`,
`changes` (which tickets moved), `standing` (how they stand), `hooks`, `doctor` (what the account lacks).

Nothing here is idempotent, so two promises carry the rest. Whatever we write ends with a mark of its key, and a
ticket carries our external id besides: an unclear creation is settled by the list of that contact's tickets, an
unclear note by reading the conversation, before anything is sent again; never by search, which lags by minutes. And a
follow-up is a public, incoming note of the contact: a reply would be mailed, and a contact of ours has no address.

Facts and their certainty: the API reference at developers.freshdesk.com as its clients quote it, recordings of
2017-2021; what is only from memory is called unconfirmed where it is used.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

from pydantic import SecretStr

from connector.adapter import Hook
from connector.errors import AuthFailed, BadAnswer, Closed, ConnectorError, Gone, Rejected, Uncertain
from connector.helpdesks.base import Helpdesk, HelpdeskCapabilities
from connector.helpdesks.content import defused
from connector.helpdesks.examination import Finding, Needs
from connector.helpdesks.freshdesk import drafts, hooks, limits
from connector.helpdesks.freshdesk.account import Account, Json, Sheet
from connector.helpdesks.freshdesk.changes import Bookmark, changed, stamp
from connector.helpdesks.freshdesk.comments import Comments, first_id, mark_of_row
from connector.helpdesks.freshdesk.doctor import Doctor
from connector.helpdesks.freshdesk.drafts import Change, Opening
from connector.helpdesks.freshdesk.files import File, Files, multipart
from connector.helpdesks.freshdesk.names import CLOSED, PRIORITIES, Names
from connector.helpdesks.freshdesk.options import FreshdeskOptions
from connector.helpdesks.freshdesk.people import Agents, Contacts
from connector.helpdesks.freshdesk.refusals import refusal, sentence
from connector.helpdesks.freshdesk.standing import Standing
from connector.http import Answer, Http
from connector.log import remember_secret
from connector.markup import link, shorten
from connector.model import (
    CommentDraft,
    CommentId,
    Cursor,
    Identity,
    Key,
    Merge,
    Page,
    Receipt,
    Reply,
    Request,
    Settings,
    TicketDraft,
    TicketId,
    TicketState,
    Vocabulary,
    decode,
    encode,
)

__all__ = ["Freshdesk", "FreshdeskOptions"]

_OPEN = "ticket"
_COMMENT = "comment"
_CLOCKS_DIFFER = timedelta(days=1)
_SEARCH_LAG = timedelta(minutes=15)
_MOST_RECENT_PAGES = 3


class Freshdesk(Helpdesk):
    """One Freshdesk account."""

    type = "freshdesk"
    Options = FreshdeskOptions
    capabilities: ClassVar[HelpdeskCapabilities] = HelpdeskCapabilities(
        push=True,
        idempotent_create=False,
        find=True,
        attachments=True,
        custom_fields=True,
        closed_ticket="reopen",
    )
    # the call is in several clients of the API; what becomes of the contact's tickets with it is unconfirmed
    erasing: ClassVar[str] = (
        "delete these tickets, empty the trash, and delete the contact for good"
        " (DELETE /api/v2/contacts/ID/hard_delete?force=true)"
    )
    options: FreshdeskOptions

    def __init__(self, name: str, options: FreshdeskOptions, http: Http) -> None:
        super().__init__(name, options, http)
        http.explain = sentence
        self._secret = _shown(options.webhook_secret)
        remember_secret(self._secret)
        self._account = Account(http, options.base_url, options.api_key.get_secret_value())
        self._names = Names(self._account)
        self._account.field_label = self._names.label
        self._contacts = Contacts(self._account)
        self._agents = Agents(self._account)
        self._standing = Standing(self._account, self._agents)
        self._comments = Comments(self._account, self._contacts, self._agents)
        self._doctor = Doctor(self._account, self._names, options)
        self._files = Files(http, int(options.attachment_limit_mb * 1024 * 1024))

    def check(self) -> Identity:
        """Which agent the key belongs to. A wrong address answers with 404, a wrong key with 401 (recorded)."""
        number, name = self._agents.me()
        notes = []
        if not self._secret:
            notes.append("webhook_secret is not set: replies are found by polling only")
        if self.options.key_in == "field":
            try:
                self._names.field(self.options.key_field)
            except Rejected as error:
                notes.append(f"key_field: {error.sentence}")
        return Identity(str(number), name, self.options.base_url, tuple(notes))

    def prepare(self, draft: TicketDraft | CommentDraft) -> Request:
        """Make the contact and the names ready, and freeze the draft. Files are fetched when it is sent: they go in
        the same call, and are too large to be kept."""
        if isinstance(draft, TicketDraft):
            return Request(_OPEN, encode(self._opening(draft)))
        change = self._change(draft)
        return Request(_COMMENT, encode(change), repeatable=not change.html)

    def send(self, request: Request, key: Key) -> Receipt:
        """One ticket; or one note, with the changes that go with it made first, since those may be repeated."""
        if request.op == _OPEN:
            return self._open(decode(Opening, request.body), key)
        return self._update(decode(Change, request.body), key)

    def find(self, request: Request, key: Key) -> tuple[Receipt, ...]:
        """The contact's tickets that carry our external id and this key, or the ticket's notes that carry the key. A
        change of settings alone leaves nothing to find, and may be sent again."""
        if request.op == _OPEN:
            return self._opened(decode(Opening, request.body), key)
        change = decode(Change, request.body)
        if not change.html:
            return ()
        url = self.ticket_url(change.ticket)
        return tuple(Receipt(note, url, change.ticket) for note in self._comments.marked(change.ticket, key))

    def ticket_url(self, ticket: TicketId) -> str:
        """Where an agent reads the ticket."""
        return f"{self.options.base_url}/a/tickets/{ticket}"

    def vocabulary(self) -> Vocabulary:
        """Fields with their choices, groups, products (as brands), and the plan's limit from the rate headers. There
        are no forms, so `check --live` tells every rule that sets one."""
        return self._names.vocabulary()

    def examine(self, needs: Needs) -> tuple[Finding, ...]:
        """Key, rights, limits, clock, names, fields, and how the automation rule has to be; see `doctor`."""
        return self._doctor.examine(needs)

    def apply(self, needs: Needs, finding: Finding) -> str:
        """Make a ticket field, unless it is there. Nothing else can be made by the API."""
        return self._doctor.apply(needs, finding)

    def read_hook(self, hook: Hook) -> Sequence[TicketId]:
        """The ticket an automation rule's call speaks of."""
        hooks.verify(hook, self._secret, self.options.webhook_header)
        return hooks.tickets_in(hook.body)

    def changed_tickets(self, cursor: Cursor | None, limit: int) -> Page[TicketId]:
        """Tickets updated since the bookmark; see `changes`. Deleted ones and spam are not listed."""
        bookmark = Bookmark.of(cursor, datetime.now(UTC))
        params = {
            "updated_since": bookmark.asked,
            "order_by": "updated_at",
            "order_type": "asc",
            "per_page": max(1, min(limit, 100)),
        }

        def page(number: int) -> Sheet:
            return self._tickets(number, params, "read changed tickets")

        return changed(bookmark, page)

    def read_replies(self, ticket: TicketId) -> Sequence[Reply]:
        """The description and every conversation, oldest first."""
        return self._comments.replies(ticket)

    def read_reply(self, ticket: TicketId, comment: CommentId) -> Reply | None:
        """One comment as it is now, on a ticket that is still there."""
        return self._comments.reply(ticket, comment)

    def find_tickets(self, external_id: str) -> tuple[Receipt, ...]:
        """Tickets that carry this external id, by search, each looked at; one that search does not know yet is sought
        among the tickets of the last minutes. Archived tickets are not found: search leaves them out."""
        rows = [self._alive(TicketId(str(row["id"]))) for row in self._searched(external_id)]
        found = {int(row["id"]) for row in rows if row is not None and self._carries(row, external_id)}
        if not found:
            params = {
                "updated_since": stamp(datetime.now(UTC) - _SEARCH_LAG),
                "order_by": "updated_at",
                "order_type": "desc",
            }
            number, more = 0, True
            while more and number < _MOST_RECENT_PAGES:
                number += 1
                recent = self._tickets(number, params, "find ticket")
                more = recent.more
                found |= {int(row["id"]) for row in recent.rows if self._carries(row, external_id)}
        tickets = [TicketId(str(number)) for number in sorted(found)]
        return tuple(Receipt("", self.ticket_url(ticket), ticket) for ticket in tickets)

    def read_tickets(self, tickets: Sequence[TicketId]) -> Sequence[TicketState]:
        """Status, tags, who works on it, satisfaction and tone, a call for each ticket: Freshdesk shows several only
        as a list by time."""
        field = ""
        if self.options.tone_field and tickets:
            with suppress(Rejected):  # told by `check --live`
                field = self._names.field(self.options.tone_field).name
        states = []
        for ticket in tickets:
            with suppress(Gone):
                states.append(self._standing.of(ticket, self._comments.looked_at(ticket), field))
        return tuple(states)

    def survivor(self, ticket: TicketId) -> Merge | None:
        """The ticket this one was merged into, as far as Freshdesk shows it, and when."""
        return self._comments.survivor(ticket)

    # --- freezing ------------------------------------------------------------------------------------------

    def _opening(self, draft: TicketDraft) -> Opening:
        fields: Json = {
            "subject": shorten(defused(draft.subject), drafts.LONGEST_SUBJECT) or draft.external_id,
            "requester_id": self._contacts.id_of(draft.author),
            **self._set(draft.settings),
        }
        try:
            fields |= drafts.due_of(draft.settings.fields)
        except ValueError as error:
            raise self._names.rejected(str(error)) from None
        if "product_id" not in fields and self.options.product:
            fields["product_id"] = self._names.product(self.options.product)
        if self.options.source is not None:
            fields["source"] = self.options.source
        if self.options.email_config is not None:
            fields["email_config_id"] = self.options.email_config
        gone = {tag.casefold() for tag in drafts.tags_of(draft.settings.untag)}
        tags = [tag for tag in drafts.tags_of(draft.settings.tags) if tag.casefold() not in gone]
        custom = self._custom(draft.settings)
        if self.options.key_in == "tag":
            tags.append(drafts.reference_of(draft.external_id))
        else:
            custom[self._names.field(self.options.key_field).name] = drafts.reference_text(draft.external_id)
        if tags:
            fields["tags"] = tags
        if custom:
            fields["custom_fields"] = custom
        html = draft.html
        if draft.follow_up_of is not None:
            html += f"<p>Continues {link(self.ticket_url(draft.follow_up_of), f'ticket {draft.follow_up_of}')}.</p>"
        return Opening(fields, html, datetime.now(UTC), draft.external_id, draft.attachments)

    def _change(self, draft: CommentDraft) -> Change:
        spoken = bool(draft.html) and draft.author is not None
        return Change(
            ticket=_ticket(draft.ticket),
            html=draft.html,
            public=draft.public,
            user=self._contacts.id_of(draft.author) if spoken and draft.author is not None else None,
            fields=self._set(draft.settings),
            custom=self._custom(draft.settings),
            tags=drafts.tags_of(draft.settings.tags),
            untag=drafts.tags_of(draft.settings.untag),
            files=draft.attachments if draft.html else (),
        )

    def _set(self, settings: Settings) -> Json:
        """The settings as properties of a ticket; Rejected for a name Freshdesk does not have. A form is passed over:
        there are none here, and a rule may be meant for another helpdesk."""
        given: Json = {}
        if settings.priority:
            given["priority"] = PRIORITIES[settings.priority]
        if settings.type and (kind := self._names.ticket_type(settings.type)):
            given["type"] = kind
        if settings.status:
            given["status"] = self._names.status(settings.status)
        if settings.group:
            given["group_id"] = self._names.group(settings.group)
        if settings.brand:
            given["product_id"] = self._names.product(settings.brand)
        return given

    def _custom(self, settings: Settings) -> Json:
        wanted = ((name, value) for name, value in settings.fields.items() if name not in drafts.DUE)
        return dict(self._names.field_value(name, value) for name, value in wanted)

    # --- writing -------------------------------------------------------------------------------------------

    def _open(self, opening: Opening, key: Key) -> Receipt:
        operation = "open ticket"
        files, missing = self._files.fetched(opening.files)
        fields = {**opening.fields, "description": drafts.body_of(opening.html, missing, key)}
        answer = self._written("/tickets", operation, fields, files, limits.CREATES, missing_account=True)
        # refused for certain, so it may be sent again: with its files as links, or without due dates
        if answer.status >= 300 and files and _too_much(answer):
            fields["description"], files = drafts.body_of(opening.html, opening.files, key), []
            answer = self._written("/tickets", operation, fields, files, limits.CREATES, missing_account=True)
        if answer.status >= 300 and refusal(answer).about(*drafts.DUE):
            fields = {name: value for name, value in fields.items() if name not in drafts.DUE}
            answer = self._written("/tickets", operation, fields, files, limits.CREATES, missing_account=True)
        if answer.status >= 300:
            if refusal(answer).about("requester_id"):
                self._contacts.forget(int(opening.fields["requester_id"]))
            raise self._account.refused(answer, operation, AuthFailed, AuthFailed)
        ticket = TicketId(str(self._id(answer, operation)))
        return Receipt(first_id(ticket), self.ticket_url(ticket), ticket)

    def _update(self, change: Change, key: Key) -> Receipt:
        ticket, url = change.ticket, self.ticket_url(change.ticket)
        if change.settles or change.public:
            row = self._comments.ticket(ticket)
            if change.public and row.get("status") == CLOSED and self.survivor(ticket) is not None:
                raise Closed("the ticket was merged into another", service=self.http.service, operation="add note")
            self._settle(change, row)
        if not change.html:
            return Receipt("", url, ticket)
        operation = "add note"
        path = f"/tickets/{ticket}/notes"
        files, missing = self._files.fetched(change.files)
        note: Json = {"body": drafts.body_of(change.html, missing, key), "private": not change.public}
        if change.user is not None:
            note |= {"user_id": change.user, "incoming": True}
        answer = self._written(path, operation, note, files, limits.NOTES)
        if answer.status >= 300 and files and _too_much(answer):
            note["body"] = drafts.body_of(change.html, change.files, key)
            answer = self._written(path, operation, note, (), limits.NOTES)
        if answer.status >= 300:
            if change.user is not None and refusal(answer).about("user_id"):
                self._contacts.forget(change.user)
            raise self._refused(answer, ticket, operation)
        return Receipt(str(self._id(answer, operation)), url, ticket)

    def _settle(self, change: Change, row: Json) -> None:
        """Bring the ticket to what the change says, in one call, or none when it is so already.

        Tags are replaced as a whole, so the list is written that was read a moment before: a tag that somebody else
        sets in that moment is lost, and nothing in the API can prevent that.
        """
        wanted = {name: value for name, value in change.fields.items() if row.get(name) != value}
        present = row.get("custom_fields")
        known = present if isinstance(present, dict) else {}
        custom = {name: value for name, value in change.custom.items() if name not in known or known[name] != value}
        if custom:
            wanted["custom_fields"] = custom
        before = [str(tag) for tag in row.get("tags") or []]
        after = drafts.tags_after(before, change.tags, change.untag)
        if after != before:
            wanted["tags"] = after
        if not wanted:
            return
        answer = self._account.call(
            "PUT",
            f"/tickets/{change.ticket}",
            operation="update ticket",
            json=wanted,
            kind=limits.UPDATES,
            read=True,  # setting a value twice is setting it once
            expect=(400, 403, 405, 409),
        )
        if answer.status >= 300:
            raise self._refused(answer, change.ticket, "update ticket")

    def _written(
        self,
        path: str,
        operation: str,
        fields: Json,
        files: Sequence[File],
        kind: str,
        missing_account: bool = False,
    ) -> Answer:
        """One call, as JSON or, with files, as multipart."""
        told: dict[str, Any] = {"operation": operation, "kind": kind, "expect": (400, 403, 405, 409, 413)}
        if missing_account:
            told |= {"missing": AuthFailed}
        if not files:
            return self._account.call("POST", path, json=fields, **told)
        body, content_type = multipart(fields, files)
        return self._account.call("POST", path, body=body, headers={"Content-Type": content_type}, **told)

    def _refused(self, answer: Answer, ticket: TicketId, operation: str) -> Exception:
        """What a refused change of a ticket means. How a deleted one refuses is not documented, so we look at it."""
        if answer.status != 413:
            try:
                self._comments.ticket(ticket)
            except Gone as gone:
                return gone
            except ConnectorError:
                pass  # the refusal itself says enough
        return self._account.refused(answer, operation)

    def _id(self, answer: Answer, operation: str) -> int:
        """The id of what was written. An answer that cannot be read leaves that open: it was accepted."""
        try:
            return self._account.id_in(answer, operation)
        except BadAnswer:
            raise Uncertain(
                "it was accepted, but the answer cannot be read",
                service=self.http.service,
                operation=operation,
                status=answer.status,
            ) from None

    # --- looking -------------------------------------------------------------------------------------------

    def _opened(self, opening: Opening, key: Key) -> tuple[Receipt, ...]:
        """The contact's tickets since then with our external id and this key, oldest first. One that tells no key at
        all, edited perhaps, counts: nobody else uses our external ids."""
        params = {
            "requester_id": opening.fields["requester_id"],
            "updated_since": stamp(opening.at - _CLOCKS_DIFFER),
            "order_by": "created_at",
            "order_type": "asc",
        }
        found = []
        number, more = 0, True
        while more:
            number += 1
            sheet = self._tickets(number, params, "find ticket")
            more = sheet.more
            for row in sheet.rows:
                if self._carries(row, opening.external_id):
                    ticket = TicketId(str(row["id"]))
                    whole = self._alive(ticket)
                    if whole is not None and mark_of_row(whole) in ("", drafts.mark_of(key)):
                        found.append(Receipt(first_id(ticket), self.ticket_url(ticket), ticket))
        return tuple(found)

    def _tickets(self, number: int, params: Json, operation: str) -> Sheet:
        """A page of the list of tickets. No `include`: each would cost two requests more."""
        return self._account.page(
            "/tickets", number, operation=operation, params=params, kind=limits.TICKETS, missing=AuthFailed
        )

    def _alive(self, ticket: TicketId) -> Json | None:
        try:
            return self._comments.ticket(ticket)
        except Gone:
            return None

    def _carries(self, row: Json, external_id: str) -> bool:
        """Whether a ticket has our external id, in either place: the configuration may have changed since."""
        if drafts.reference_of(external_id) in [str(tag).casefold() for tag in row.get("tags") or []]:
            return True
        custom = row.get("custom_fields")
        return isinstance(custom, dict) and drafts.reference_text(external_id) in custom.values()

    def _searched(self, external_id: str) -> list[Json]:
        """What search knows of our external id. The query stands in double quotes, its value in single ones."""
        if self.options.key_in == "tag":
            query = f"tag:'{drafts.reference_of(external_id)}'"
        else:
            name = self._names.field(self.options.key_field).name
            query = f"{name}:'{drafts.reference_text(external_id)}'"
        operation = "search tickets"
        body = self._account.get("/search/tickets", operation=operation, params={"query": f'"{query}"'})
        return self._account.rows_in(body.get("results"), operation)


def _too_much(answer: Answer) -> bool:
    """Whether it was refused for its files."""
    return answer.status == 413 or refusal(answer).about("attachments")


def _shown(secret: SecretStr | None) -> str:
    return secret.get_secret_value() if secret is not None else ""


def _ticket(ticket: TicketId) -> TicketId:
    if not (ticket.isascii() and ticket.isdigit()):
        raise Rejected(f'"{ticket}" is no ticket id of Freshdesk', operation="prepare")
    return TicketId(str(int(ticket)))
