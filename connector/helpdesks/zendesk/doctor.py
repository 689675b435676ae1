"""What a Zendesk account lacks, and how it gets it: the examination behind `connector doctor`.

Hides which pages are asked and what their rows mean. The one rule: nothing is made before it was looked for, and what
was sent and not answered is looked for before it is told, so that making it twice makes it once.

developer.zendesk.com/api-reference: users/users (role, restrictions), oauth/tokens (scopes), tickets/ticket_fields
(making them, adding options), webhooks/webhooks-api (subscriptions, signing secret), business-rules/triggers; the
action `notification_webhook` and the condition `comment_is_public` from recorded triggers and other people's clients.
Unconfirmed: whether a field that is made stands on every form.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import partial

from connector.errors import ConnectorError, Gone, Unsupported
from connector.helpdesks.examination import (
    KIND_WORDS,
    Finding,
    Needs,
    Probe,
    clock,
    fields_found,
    refused,
    write_once,
)
from connector.helpdesks.names import shown
from connector.helpdesks.zendesk.account import Account, Json
from connector.helpdesks.zendesk.names import Names, named
from connector.helpdesks.zendesk.options import ZendeskOptions
from connector.helpdesks.zendesk.wakeup import Wakeup
from connector.model import FieldKind, FieldNeed, FieldSpec

_TOKEN_STEPS = (
    "in Zendesk: Admin Center → Apps and integrations → APIs → Zendesk API: Token access on, Add API token",
    "email in config.yaml has to be that of an agent or admin of this account; the token goes into .env",
)
_TYPES: Mapping[FieldKind, str] = {"dropdown": "tagger"}


class Doctor:
    """The examination of one account."""

    def __init__(self, account: Account, names: Names, options: ZendeskOptions) -> None:
        self._account = account
        self._names = names
        self._options = options
        secret = options.webhook_secret
        self._secret = secret.get_secret_value() if secret is not None else ""

    def examine(self, needs: Needs) -> tuple[Finding, ...]:
        """Every finding, in the order in which a person would mend them."""
        probe = Probe()
        before = datetime.now(UTC)
        try:
            user, answer = self._account.ourselves()
        except ConnectorError as error:
            return (refused(error, *_TOKEN_STEPS),)
        after = datetime.now(UTC)
        self._user(probe, user)
        if self._options.oauth_token is not None:
            probe.asking("account", "scopes", lambda: self._scopes(probe))
        clock(probe, answer.headers.get("Date", ""), before, after, self._options.webhook_window)
        self._limit(probe)
        for kind in ("group", "brand", "form"):
            probe.asking("names", f"{kind}s", partial(self._listed, probe, kind))
        probe.asking("names", "agents", lambda: self._agents(probe))
        probe.asking("fields", "ticket fields", lambda: self._fields(probe, needs), necessary=bool(needs.fields))
        admin = user.get("role") == "admin"
        Wakeup(self._account, needs, self._secret).examine(probe, admin=admin)
        return tuple(probe.found)

    def apply(self, needs: Needs, finding: Finding) -> str:
        """Make what the finding lacks; a sentence about what was done."""
        what, _, name = finding.remedy.partition(":")
        if what == "field":
            return self._make_field(_need(needs, name))
        if what == "options":
            return self._add_options(_need(needs, name))
        return Wakeup(self._account, needs, self._secret).apply(what)

    def hook_secret(self, needs: Needs) -> str:
        """The signing secret of the webhook that calls `needs.hook_url`."""
        return Wakeup(self._account, needs, self._secret).signing_secret()

    # --- looking -------------------------------------------------------------------------------------------

    def _user(self, probe: Probe, user: Json) -> None:
        role = str(user["role"])
        probe.ok("account", "credentials", f"as {user.get('name') or user['id']}, {role}")
        team = "in Zendesk: Admin Center → People → Team → Team members → this user"
        if user.get("suspended"):
            probe.add("account", "user", "wrong", "this user is suspended: so are the tickets it makes", team)
        if user.get("only_private_comments"):
            words = "this user may write private comments only (a light agent?): mentions cannot become tickets"
            probe.add("account", "role", "wrong", words, f"{team}: give it a role that may comment publicly")
        elif role == "admin":
            probe.ok("account", "role", "admin: may do all that is asked here")
        else:
            probe.add(
                "account",
                "role",
                "wrong",
                "agent: cannot list changed tickets, so answers are found through the webhook only",
                f"{team}: make it an admin; or set webhook_secret and connect a webhook",
                necessary=not self._secret,
            )
        restriction = user.get("ticket_restriction")
        if role == "agent" and restriction:
            words = f"this user sees some tickets only ({restriction}); answers on the others are not found"
            probe.add("account", "ticket access", "wrong", words, f"{team}: Ticket access: All tickets")

    def _scopes(self, probe: Probe) -> None:
        token = self._account.get("/oauth/tokens/current", operation="read scopes").get("token")
        scopes = [str(one) for one in token.get("scopes") or ()] if isinstance(token, dict) else []
        enough = "read" in scopes and ("write" in scopes or {"tickets:write", "users:write"} <= set(scopes))
        if enough:
            probe.ok("account", "scopes", shown(scopes))
        else:
            words = f"the access token may do too little, it has the scopes {shown(scopes)}"
            probe.add("account", "scopes", "wrong", words, "make an access token with the scopes: read write")

    def _limit(self, probe: Probe) -> None:
        limit, wanted = self._account.plan_limit, self._options.requests_per_minute
        if limit is None:
            probe.add("limits", "requests", "unknown", "Zendesk does not tell the plan's limit", necessary=False)
        elif wanted is not None and wanted > limit:
            words = f"requests_per_minute is {wanted:g}, and the plan allows {limit}"
            steps = "take requests_per_minute out of config.yaml, or make it smaller than the plan's limit"
            probe.add("limits", "requests", "wrong", words, steps, necessary=False)
        else:
            probe.ok("limits", "requests", f"{limit} a minute, shared with every other app of the account")

    def _listed(self, probe: Probe, kind: str) -> None:
        found = self._names.read(kind) if kind == "group" else self._names.read_if_any(kind)
        words = shown(one.title for one in found)
        probe.ok("names", f"{kind}s", words)

    def _agents(self, probe: Probe) -> None:
        asked = {"role[]": ["admin", "agent"]}
        rows = self._account.rows("/users", "users", operation="list agents", params=asked)
        working = [row for row in rows if row.get("active", True) and not row.get("suspended")]
        probe.ok("names", "agents", f"{len(working)} who can answer")

    def _fields(self, probe: Probe, needs: Needs) -> None:
        rows = self._field_rows()
        off = {str(row.get("title") or "").casefold() for row in rows if not row.get("active", True)}
        alive = [named(row) for row in rows if row.get("active", True)]
        known = [
            FieldSpec(str(one.id), one.title, one.type, tuple(w for o in one.options for w in (o.value, o.name) if w))
            for one in alive
        ]
        probe.ok("fields", "ticket fields", f"{len(known)} in use, {len(needs.fields)} named by us")
        for finding in fields_found(needs.fields, known, "Zendesk", _field_steps, makes=True, extends=True):
            if finding.state == "missing" and finding.subject.casefold() in off:
                words = f'the ticket field "{finding.subject}" is there, but switched off'
                way = 'Admin Center → Objects and rules → Tickets → Fields: "Activate" in its menu'
                probe.add("fields", finding.subject, "wrong", words, way)
            else:
                probe.found.append(finding)

    def _field_rows(self) -> list[Json]:
        return list(self._account.rows("/ticket_fields", "ticket_fields", operation="list ticket fields"))

    # --- making --------------------------------------------------------------------------------------------

    def _make_field(self, need: FieldNeed) -> str:
        rows = self._field_rows()
        if _titled(rows, need.name):
            return f'the ticket field "{need.name}" is there already'
        kind = _TYPES.get(need.kind, need.kind)
        body: Json = {"type": kind, "title": need.name}
        if need.values:
            taken = {tag for row in rows for tag in _tags(row)}
            body["custom_field_options"] = [_option(need.name, value, taken) for value in need.values]
        write_once(
            lambda: self._post("/ticket_fields", "make ticket field", ticket_field=body),
            lambda: _titled(self._field_rows(), need.name),
        )
        values = f", with {shown(need.values)}" if need.values else ""
        made = f'made the ticket field "{need.name}" ({KIND_WORDS[kind]}{values})'
        return f"{made}; see that it stands on your ticket forms"

    def _post(self, path: str, operation: str, **body: Json) -> None:
        self._account.call("POST", path, operation=operation, json=body)

    def _add_options(self, need: FieldNeed) -> str:
        rows = self._field_rows()
        row = _titled(rows, need.name) or _numbered(rows, need.name)
        if row is None:
            raise Gone(f'there is no ticket field "{need.name}"', service=self._account.http.service)
        taken = {tag for one in rows for tag in _tags(one)}
        path, added = f"/ticket_fields/{row['id']}", []
        for value in need.values:
            if value.casefold() in _answering(row):
                continue
            option = _option(need.name, value, taken)

            def there(option: Json = option) -> bool:
                now = self._account.get(path, operation="read ticket field").get("ticket_field")
                return isinstance(now, dict) and option["value"] in _tags(now)

            write_once(partial(self._post, f"{path}/options", "add option", custom_field_option=option), there)
            added.append(value)
        return f'added {shown(added)} to the ticket field "{need.name}"' if added else "the options are there already"


def _need(needs: Needs, name: str) -> FieldNeed:
    for need in needs.fields:
        if need.name == name:
            return need
    raise Unsupported(f'nothing needs a ticket field "{name}"')


def _titled(rows: Sequence[Json], name: str) -> Json | None:
    folded = name.strip().casefold()
    return next((row for row in rows if str(row.get("title") or "").casefold() == folded), None)


def _numbered(rows: Sequence[Json], name: str) -> Json | None:
    return next((row for row in rows if str(row["id"]) == name.strip()), None)


def _tags(row: Json) -> list[str]:
    """The tags a field uses: they must not be used by another one."""
    options = [str(one.get("value") or "") for one in row.get("custom_field_options") or () if isinstance(one, dict)]
    return [*options, str(row["tag"])] if row.get("tag") else options


def _answering(row: Json) -> set[str]:
    """Every word an option of the field answers to."""
    options = [one for one in row.get("custom_field_options") or () if isinstance(one, dict)]
    return {str(one.get(key) or "").casefold() for one in options for key in ("value", "name")}


def _option(field: str, word: str, taken: set[str]) -> Json:
    """An option called `word`; its value is a tag, which no other field may use."""
    tag = _tag(word) or "option"
    if tag in taken:
        tag = f"{_tag(field)}_{tag}"
    taken.add(tag)
    return {"name": word, "value": tag}


def _tag(word: str) -> str:
    return re.sub(r"[^\w-]+", "_", word.strip().lower()).strip("_")


def _field_steps(need: FieldNeed) -> tuple[str, ...]:
    kinds = {
        "dropdown": "Drop-down",
        "multiselect": "Multi-select",
        "checkbox": "Checkbox",
        "integer": "Numeric",
        "decimal": "Decimal",
        "date": "Date",
        "text": "Text",
    }
    first = f"Admin Center → Objects and rules → Tickets → Fields → Add field: {kinds[need.kind]}, named {need.name}"
    values = (f"its values: {', '.join(need.values)}",) if need.values else ()
    return (first, *values, "not required; put it onto the ticket forms your agents use")
