"""Zendesk Support: mentions become tickets of the person who wrote them, agents' public comments are the replies.

The pieces, each a file: `options`, `account` (calling), `limits` (how often), `refusals` (what an error means),
`people` (requesters), `names` (titles to ids), `drafts` (the bodies), `comments` (reading them), `files`, `hooks`;
`doctor` and `wakeup` (what the account lacks, and making it).

Two promises carry the rest. A ticket is created with an Idempotency-Key and always the same bytes, so trying again is
safe for two hours; later, and for comments, which have no such key, our key in the ticket's audit metadata tells
whether it happened. And the requester is an end user with external id `platform:id`, author of what they said.

developer.zendesk.com/api-reference/ticketing/introduction (Idempotency), …/tickets/tickets, …/tickets/ticket_comments
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import ClassVar

from pydantic import SecretStr

from connector.adapter import Hook
from connector.errors import (
    AuthFailed,
    BadAnswer,
    Closed,
    RateLimited,
    Rejected,
    Uncertain,
    Unsupported,
)
from connector.helpdesks.base import Helpdesk, HelpdeskCapabilities
from connector.helpdesks.content import defused
from connector.helpdesks.examination import Finding, Needs
from connector.helpdesks.zendesk import drafts, hooks, limits
from connector.helpdesks.zendesk.account import Account, Json, login_header
from connector.helpdesks.zendesk.comments import Comments, receipt_from_audit
from connector.helpdesks.zendesk.doctor import Doctor
from connector.helpdesks.zendesk.files import Files
from connector.helpdesks.zendesk.names import TYPES, Names
from connector.helpdesks.zendesk.options import ZendeskOptions
from connector.helpdesks.zendesk.people import People
from connector.helpdesks.zendesk.refusals import Refusal, refusal, sentence
from connector.http import Answer, Http
from connector.log import remember_secret
from connector.model import (
    CommentDraft,
    CommentId,
    Cursor,
    Identity,
    Key,
    Merge,
    Page,
    Person,
    Receipt,
    Reply,
    Request,
    Settings,
    TicketDraft,
    TicketId,
    TicketState,
    Vocabulary,
)

__all__ = ["Zendesk", "ZendeskOptions", "state_of"]

_OPEN = "ticket"
_COMMENT = "comment"
_START = "start:"
_PEOPLE_FIELDS = ("requester", "requester_id", "submitter", "submitter_id", "author", "author_id")


class Zendesk(Helpdesk):
    """One Zendesk account."""

    type = "zendesk"
    Options = ZendeskOptions
    capabilities: ClassVar[HelpdeskCapabilities] = HelpdeskCapabilities(
        push=True,
        idempotent_create=True,
        find=True,
        attachments=True,
        custom_fields=True,
        problems=True,
        closed_ticket="follow_up",
    )
    # developer.zendesk.com: users (delete, then permanently delete), ticket comments (redaction)
    erasing: ClassVar[str] = (
        "delete these tickets for good, or redact their comments, then delete the requester and permanently delete"
        " them (DELETE /api/v2/deleted_users/ID)"
    )
    options: ZendeskOptions

    def __init__(self, name: str, options: ZendeskOptions, http: Http) -> None:
        super().__init__(name, options, http)
        http.explain = sentence
        self._secret = _shown(options.webhook_secret)
        remember_secret(self._secret)
        login = login_header(options.email, _shown(options.api_token), _shown(options.oauth_token))
        self._account = Account(http, options.base_url, login)
        self._names = Names(self._account)
        self._account.field_title = self._names.title
        self._people = People(self._account)
        self._files = Files(self._account, int(options.attachment_limit_mb * 1024 * 1024))
        self._comments = Comments(self._account)
        self._exports = limits.Window(options.exports_per_minute)
        self._doctor = Doctor(self._account, self._names, options)
        self._ticket_page = f"{options.base_url}/agent/tickets/"

    def check(self) -> Identity:
        """Who we are there. A wrong token is answered with an anonymous user, not with 401 (recorded)."""
        user, _ = self._account.ourselves()
        notes = []
        if user["role"] == "agent":
            notes.append(
                "role agent: the safety net for replies (incremental export) needs an admin; "
                "replies will come by webhook only"
            )
        if not self._secret:
            notes.append("webhook_secret is not set: replies are found by polling only")
        return Identity(str(user["id"]), str(user.get("name") or ""), self.options.base_url, tuple(notes))

    def prepare(self, draft: TicketDraft | CommentDraft) -> Request:
        """Make the requester, the files and the names ready, and freeze the body."""
        if isinstance(draft, TicketDraft):
            return Request(_OPEN, self._ticket_body(draft), repeatable=True)
        written = self._written(draft)
        return Request(_COMMENT, drafts.freeze(written), repeatable=not written.comments)

    def send(self, request: Request, key: Key) -> Receipt:
        """One ticket, or one update of a ticket. Closed and Gone as the contract says."""
        if request.op == _OPEN:
            return self._open(request, key)
        return self._update(drafts.thaw(request.body), key)

    def find(self, request: Request, key: Key) -> tuple[Receipt, ...]:
        """Tickets with our external id that carry the key, or the ticket's comments that do. A change of settings
        alone leaves nothing to find, and may be sent again."""
        if request.op == _OPEN:
            return self._opened(request, key)
        written = drafts.thaw(request.body)
        if not written.comments:
            return ()
        url = self.ticket_url(written.ticket)
        found = self._comments.marked(written.ticket, key, written.made_at)
        return tuple(Receipt(comment, url, written.ticket) for comment in found)

    def ticket_url(self, ticket: TicketId) -> str:
        """Where an agent reads the ticket."""
        return f"{self._ticket_page}{ticket}"

    def vocabulary(self) -> Vocabulary:
        """Fields with their options, groups, brands, forms, and the plan's limit from the rate headers."""
        return self._names.vocabulary()

    def examine(self, needs: Needs) -> tuple[Finding, ...]:
        """Log-in, role, scopes, limits, clock, names, fields, webhook with its trigger and secret; see `doctor`."""
        return self._doctor.examine(needs)

    def apply(self, needs: Needs, finding: Finding) -> str:
        """Make a ticket field, an option, the webhook or the trigger, unless it is there."""
        return self._doctor.apply(needs, finding)

    def hook_secret(self, needs: Needs) -> str:
        """The signing secret of the webhook that calls us; admins only. Gone when there is no such webhook."""
        return self._doctor.hook_secret(needs)

    def read_hook(self, hook: Hook) -> Sequence[TicketId]:
        """The ticket of an event or of a trigger's call; for a merge the ticket merged into as well."""
        hooks.verify(hook, self._secret, self.options.webhook_window)
        return hooks.tickets_in(hook.body)

    def changed_tickets(self, cursor: Cursor | None, limit: int) -> Page[TicketId]:
        """The incremental export, which leaves out the newest minute. Unsupported for an agent: it is for admins.

        developer.zendesk.com/api-reference/ticketing/ticket-management/incremental_exports. A ticket may come twice.
        """
        operation = "read changed tickets"
        wait = self._exports.enter()
        if wait > 0:
            self.http.budget.pause(limits.INCREMENTAL, wait, "endpoint")
            raise RateLimited(wait=wait, scope="endpoint", service=self.http.service, operation=operation)
        asked: Json = {"per_page": max(1, min(limit, 1000))}
        if cursor is None:
            cursor = Cursor(f"{_START}{int(time.time()) - 61}")
        if cursor.startswith(_START):
            asked["start_time"] = cursor.removeprefix(_START)
        else:
            asked["cursor"] = cursor
        answer = self._account.call(
            "GET",
            "/incremental/tickets/cursor",
            operation=operation,
            params=asked,
            kind=limits.INCREMENTAL,
            expect=(403,),
        )
        if answer.status == 403:
            raise Unsupported(
                "the list of changed tickets is for admins; give this user the admin role, or connect a webhook",
                service=self.http.service,
                operation=operation,
                status=403,
            )
        body = self._account.object_in(answer, operation)
        rows = self._account.rows_in(body, "tickets", operation)
        after = body.get("after_cursor")
        tickets = dict.fromkeys(TicketId(str(row["id"])) for row in rows if row.get("status") != "deleted")
        return Page(
            tuple(tickets),
            Cursor(after) if isinstance(after, str) and after else cursor,
            more=body.get("end_of_stream") is False and bool(after),
        )

    def read_replies(self, ticket: TicketId) -> Sequence[Reply]:
        """Every comment of the ticket, oldest first."""
        return self._comments.replies(ticket)

    def read_tickets(self, tickets: Sequence[TicketId]) -> Sequence[TicketState]:
        """Status, tags, assignee's name and satisfaction of up to 100 tickets (tickets page, show_many)."""
        operation = "read tickets"
        params = {"ids": ",".join(tickets), "include": "users"}
        body = self._account.get("/tickets/show_many", operation=operation, params=params)
        users = body.get("users")
        names = {row.get("id"): str(row.get("name") or "") for row in users} if isinstance(users, list) else {}
        rows = self._account.rows_in(body, "tickets", operation)
        field = self._tone_field() if rows else 0
        return tuple(state_of(row, names, field) for row in rows if row.get("status") != "deleted")

    def _tone_field(self) -> int:
        """The id of the tone field; 0 without one. One that is not there is told by `check --live`, and keeps nobody
        from reading how tickets stand."""
        with suppress(Rejected):
            return self._names.field(self.options.tone_field).id if self.options.tone_field else 0
        return 0

    def read_reply(self, ticket: TicketId, comment: CommentId) -> Reply | None:
        """One comment as it is now."""
        return self._comments.reply(ticket, comment)

    def find_tickets(self, external_id: str) -> tuple[Receipt, ...]:
        """Tickets with that external id, which Zendesk does not keep unique. Their comments are not looked at."""
        return tuple(Receipt("", self.ticket_url(ticket), ticket) for ticket in self._with_external_id(external_id))

    def survivor(self, ticket: TicketId) -> Merge | None:
        """The ticket this one was merged into, as far as Zendesk shows it."""
        return self._comments.survivor(ticket)

    # --- writing -------------------------------------------------------------------------------------------

    def _ticket_body(self, draft: TicketDraft) -> str:
        author = self._author_id(draft.author)
        comment = self._comment(draft, draft.follow_up_of is not None)
        comment["public"] = True
        comment["author_id"] = author
        untag = drafts.tags_of(draft.settings.untag)
        tags = [tag for tag in drafts.tags_of(draft.settings.tags) if tag not in untag]
        ticket: Json = {
            "subject": defused(draft.subject),
            "external_id": draft.external_id,
            "requester_id": author,
            "comment": comment,
            **self._set(draft.settings),
        }
        if draft.follow_up_of is None:
            ticket["submitter_id"] = author
        else:
            ticket["via_followup_source_id"] = _number(draft.follow_up_of)
        if tags:
            ticket["tags"] = tags
        return drafts.dumped({"ticket": ticket})

    def _written(self, draft: CommentDraft) -> drafts.Written:
        ticket: Json = self._set(draft.settings)
        if draft.html:
            comment = self._comment(draft, True)
            comment["public"] = draft.public
            if draft.author is not None:
                comment["author_id"] = self._author_id(draft.author)
            ticket["comment"] = comment
        return drafts.Written(
            ticket=TicketId(str(_number(draft.ticket))),
            tags=drafts.tags_of(draft.settings.tags),
            untag=drafts.tags_of(draft.settings.untag),
            made_at=datetime.now(UTC),
            body=drafts.dumped({"ticket": ticket}) if ticket else "",
            comments=bool(draft.html),
        )

    def _comment(self, draft: TicketDraft | CommentDraft, as_agent: bool) -> Json:
        """The comment with its files. `as_agent`: the API user is its updater, so no placeholder may be left in it;
        a new ticket submitted by its requester holds static text (tickets page)."""
        tokens, missing = self._files.upload(draft.attachments)
        html = defused(draft.html) if as_agent else draft.html
        comment: Json = {"html_body": drafts.comment_html(html, missing)}
        if tokens:
            comment["uploads"] = tokens
        return comment

    def _set(self, settings: Settings) -> Json:
        """The settings as properties of a ticket; Rejected for a name or value Zendesk does not have."""
        given: Json = {}
        if settings.priority:
            given["priority"] = settings.priority
        if settings.type:
            given["type"] = self._one_of(settings.type, "type", TYPES)
        if settings.status:
            given |= self._names.status(settings.status)
        if settings.group:
            given["group_id"] = self._names.id_of("group", settings.group)
        if settings.brand:
            given["brand_id"] = self._names.id_of("brand", settings.brand)
        if settings.form:
            given["ticket_form_id"] = self._names.id_of("form", settings.form)
        if settings.problem:
            given["problem_id"] = _number(TicketId(settings.problem))
        if settings.fields:
            values = [self._names.field_value(name, value) for name, value in settings.fields.items()]
            given["custom_fields"] = [{"id": number, "value": value} for number, value in values]
        return given

    def _one_of(self, value: str, name: str, allowed: Sequence[str]) -> str:
        word = value.strip().lower()
        if word not in allowed:
            raise Rejected(
                f'a ticket\'s {name} cannot be "{value}"; there are: {", ".join(allowed)}',
                service=self.http.service,
                operation="prepare",
            )
        return word

    def _author_id(self, person: Person) -> int:
        return self._people.id_of(person)

    def _open(self, request: Request, key: Key) -> Receipt:
        answer = self._account.call(
            "POST",
            "/tickets",
            operation="open ticket",
            body=drafts.with_key(request.body, key),
            headers={"Content-Type": "application/json", "Idempotency-Key": key},
            expect=(400, 422),
            forbidden=AuthFailed,
        )
        if answer.status < 300:
            return self._receipt(answer, "open ticket")
        told = refusal(answer)
        if told.code == "IdempotentRequestError":
            found = self._opened(request, key)
            if found:
                return found[0]
        self._doubt_author(told, request.body)
        raise self._account.refused(answer, "open ticket")

    def _update(self, written: drafts.Written, key: Key) -> Receipt:
        path = f"/tickets/{written.ticket}"
        for method, tags in (("PUT", written.tags), ("DELETE", written.untag)):
            if tags:
                answer = self._account.call(
                    method,
                    f"{path}/tags",
                    operation="change tags",
                    json={"tags": tags},
                    kind=limits.UPDATES,
                    ticket=written.ticket,
                    read=True,  # adding or removing a tag twice is doing it once
                    expect=(422,),
                )
                self._taken(answer, written.ticket, "change tags")
        if not written.body:
            return Receipt("", self.ticket_url(written.ticket), written.ticket)
        answer = self._account.call(
            "PUT",
            path,
            operation="update ticket",
            body=drafts.with_key(written.body, key),
            headers={"Content-Type": "application/json"},
            kind=limits.UPDATES,
            ticket=written.ticket,
            expect=(422,),
        )
        if answer.status >= 300:
            self._doubt_author(refusal(answer), written.body)
        self._taken(answer, written.ticket, "update ticket")
        return self._receipt(answer, "update ticket")

    def _taken(self, answer: Answer, ticket: TicketId, operation: str) -> None:
        """Closed or Rejected when the update was refused. The refusal's text is translated, so for one that is about
        the status (or about nothing in particular) the ticket itself is asked."""
        if answer.status < 300:
            return
        details = refusal(answer).details
        if not details or "status" in details or "base" in details:
            shown = self._account.get(f"/tickets/{ticket}", operation="read ticket").get("ticket")
            if isinstance(shown, dict) and shown.get("status") == "closed":
                raise Closed(
                    "the ticket is closed and can no longer be changed",
                    service=self.http.service,
                    operation=operation,
                    status=answer.status,
                )
        raise self._account.refused(answer, operation)

    def _doubt_author(self, told: Refusal, body: str) -> None:
        """A refusal that is about a person: that user may have been deleted or merged since we learnt its id."""
        if any(name in told.details for name in _PEOPLE_FIELDS):
            author = drafts.ticket_in(body).get("comment", {}).get("author_id")
            if author is not None:
                self._people.forget(author)

    def _receipt(self, answer: Answer, operation: str) -> Receipt:
        """What was written. An answer that cannot be read leaves that open: it was accepted."""
        try:
            receipt = receipt_from_audit(self._account.object_in(answer, operation), self._ticket_page)
        except BadAnswer:
            receipt = None
        if receipt is None:
            raise Uncertain(
                "it was accepted, but the answer cannot be read",
                service=self.http.service,
                operation=operation,
                status=answer.status,
            )
        return receipt

    # --- looking -------------------------------------------------------------------------------------------

    def _opened(self, request: Request, key: Key) -> tuple[Receipt, ...]:
        """Tickets with the external id whose first comment carries the key, oldest first. One that tells no key at
        all counts: nobody else uses our external ids."""
        found = []
        for ticket in self._with_external_id(str(drafts.ticket_in(request.body)["external_id"])):
            comment, carried = self._comments.first(ticket)
            if carried is None or carried == key:
                found.append(Receipt(comment, self.ticket_url(ticket), ticket))
        return tuple(found)

    def _with_external_id(self, external_id: str) -> list[TicketId]:
        rows = self._account.rows(
            "/tickets",
            "tickets",
            operation="find ticket",
            params={"external_id": external_id},
            kind="tickets-index",
        )
        alive = [
            int(row["id"]) for row in rows if row.get("external_id") == external_id and row.get("status") != "deleted"
        ]
        return [TicketId(str(number)) for number in sorted(set(alive))]


def state_of(row: Json, names: Mapping[int, str], tone_field: int = 0) -> TicketState:
    """A ticket's row in our words; a custom status counts as its category, which `status` holds. `tone_field` is the
    id of the field that holds the tone: of a drop-down its option's tag (tickets page, custom_fields)."""
    custom = {one.get("id"): one.get("value") for one in row.get("custom_fields") or () if isinstance(one, dict)}
    rating = row.get("satisfaction_rating")
    score = str(rating.get("score") or "") if isinstance(rating, dict) else ""
    return TicketState(
        TicketId(str(row["id"])),
        status=str(row.get("status") or ""),
        tags=tuple(str(tag) for tag in row.get("tags") or ()),
        assignee=names.get(row.get("assignee_id") or 0, ""),
        satisfaction=score.partition("_")[0] if score.startswith(("good", "bad")) else "",
        tone=str(custom.get(tone_field) or ""),
    )


def _shown(secret: SecretStr | None) -> str:
    return secret.get_secret_value() if secret is not None else ""


def _number(ticket: TicketId) -> int:
    if not (ticket.isascii() and ticket.isdigit()):
        raise Rejected(f'"{ticket}" is no ticket id of Zendesk', operation="prepare")
    return int(ticket)
