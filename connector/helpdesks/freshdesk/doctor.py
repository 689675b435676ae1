"""What a Freshdesk account lacks, and how it gets it: the examination behind `connector doctor`.

Freshdesk tells no plan: the free one has no API at all, and the others are told by the limit in the headers of every
answer (50 requests a minute: a trial). No call to read or make automation rules is documented that we know of, so how
the rule has to be is told and not checked. The one rule: a ticket field is made after it was looked for, and looked
for again when the answer was lost.

developers.freshdesk.com/api: agents (ticket_scope 1 global, 2 group, 3 restricted; occasional), ticket_fields,
create_ticket_field (POST /admin/ticket_fields, choices with value and position). Unconfirmed: that every plan with an
API lets admins make fields by it, and what a plan without one answers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial

from connector.errors import AuthFailed, ConnectorError, Rejected, Unsupported
from connector.helpdesks.examination import (
    KIND_WORDS,
    Finding,
    Needs,
    Probe,
    clock,
    fields_found,
    matching,
    refused,
    write_once,
)
from connector.helpdesks.freshdesk.account import Account, Json
from connector.helpdesks.freshdesk.names import Names, named
from connector.helpdesks.freshdesk.options import FreshdeskOptions
from connector.helpdesks.names import Named, shown
from connector.model import FieldKind, FieldNeed, FieldSpec

_TRIAL = 50
_KEY_STEPS = (
    "log in to Freshdesk as the agent that shall write: Profile settings → View API key; it goes into .env",
    "base_url has to be the account's own address, https://….freshdesk.com, without a domain of yours",
    "the free plan has no API: the account has to be on a trial or a paid plan",
)
_SCOPES = {2: "of its groups", 3: "assigned to it"}
_TYPES: Mapping[FieldKind, str] = {
    "dropdown": "custom_dropdown",
    "checkbox": "custom_checkbox",
    "integer": "custom_number",
    "decimal": "custom_decimal",
    "date": "custom_date",
    "text": "custom_text",
}
"""How a field of that kind is made. Lists of several choices are not among what the reference says can be made."""


class Doctor:
    """The examination of one account."""

    def __init__(self, account: Account, names: Names, options: FreshdeskOptions) -> None:
        self._account = account
        self._names = names
        self._options = options

    def examine(self, needs: Needs) -> tuple[Finding, ...]:
        """Every finding, in the order in which a person would mend them."""
        probe = Probe()
        before = datetime.now(UTC)
        try:
            answer = self._account.call(
                "GET", "/agents/me", operation="check", forbidden=AuthFailed, missing=AuthFailed
            )
            after = datetime.now(UTC)
            self._agent(probe, self._account.object_in(answer, "check"))
        except ConnectorError as error:
            return (refused(error, *_KEY_STEPS),)
        clock(probe, answer.headers.get("Date", ""), before, after, None)
        self._limit(probe)
        probe.asking("names", "groups", partial(self._listed, probe, "group", "groups"))
        probe.asking("names", "products", partial(self._listed, probe, "brand", "products"))
        probe.asking("names", "agents", lambda: self._agents(probe))
        if self._options.product:
            probe.asking("names", "product", lambda: self._product(probe), necessary=True)
        if self._options.email_config is not None:
            probe.asking("names", "email_config", lambda: self._mailbox(probe), necessary=True)
        probe.asking("fields", "ticket fields", lambda: self._fields(probe, needs), necessary=bool(needs.fields))
        self._rule(probe, needs)
        return tuple(probe.found)

    def apply(self, needs: Needs, finding: Finding) -> str:
        """Make the ticket field that the finding lacks; a sentence about what was done."""
        what, _, name = finding.remedy.partition(":")
        need = next((one for one in self._needed(needs) if what == "field" and one.name == name), None)
        kind = _TYPES.get(need.kind) if need is not None else None
        if need is None or kind is None:
            raise Unsupported("Freshdesk lets nobody make that by its API", service=self._account.http.service)
        if self._labelled(name):
            return f'the ticket field "{name}" is there already'
        body: Json = {"label": name, "label_for_customers": name, "type": kind}
        if need.values:
            body["choices"] = [{"value": value, "position": n} for n, value in enumerate(need.values, start=1)]
        path, operation = "/admin/ticket_fields", "make ticket field"
        write_once(
            lambda: self._account.call("POST", path, operation=operation, json=body),
            lambda: self._labelled(name),
        )
        choices = f", with {shown(need.values)}" if need.values else ""
        return f'made the ticket field "{name}" ({KIND_WORDS[need.kind]}{choices})'

    # --- looking -------------------------------------------------------------------------------------------

    def _agent(self, probe: Probe, agent: Json) -> None:
        contact = agent.get("contact")
        name = contact.get("name") if isinstance(contact, dict) else None
        probe.ok("account", "credentials", f"as {name or agent.get('id')}")
        admin = "in Freshdesk: Admin → Team → Agents → this agent"
        scope = agent.get("ticket_scope")
        if scope in _SCOPES:
            words = f"this agent sees only tickets {_SCOPES[scope]}: answers on the others are not found"
            probe.add("account", "ticket scope", "wrong", words, f"{admin}: Scope: Global access")
        elif scope == 1:
            probe.ok("account", "ticket scope", "all tickets")
        if agent.get("occasional"):
            words = "this is an occasional agent, who may work on some days only"
            probe.add("account", "agent", "wrong", words, f"{admin}: Full time", necessary=False)

    def _limit(self, probe: Probe) -> None:
        limit, wanted = self._account.limits.plan, self._options.requests_per_minute
        if limit is None:
            probe.add("limits", "requests", "unknown", "Freshdesk does not tell the plan's limit", necessary=False)
        elif wanted is not None and wanted > limit:
            words = f"requests_per_minute is {wanted:g}, and the plan allows {limit}"
            steps = "take requests_per_minute out of config.yaml, or make it smaller than the plan's limit"
            probe.add("limits", "requests", "wrong", words, steps, necessary=False)
        elif limit <= _TRIAL:
            words = f"{limit} a minute: a trial. Every mention takes about four, webhooks count too"
            probe.add("limits", "requests", "wrong", words, "take a paid plan before you go live", necessary=False)
        else:
            probe.ok("limits", "requests", f"{limit} a minute (an hour on old accounts), webhooks count too")

    def _listed(self, probe: Probe, kind: str, word: str) -> None:
        probe.ok("names", word, shown(one.title for one in self._names.read_if_any(kind)))

    def _agents(self, probe: Probe) -> None:
        rows = list(self._account.rows("/agents", operation="list agents"))
        probe.ok("names", "agents", f"{len(rows)} who can answer")

    def _product(self, probe: Probe) -> None:
        try:
            self._names.product(self._options.product)
            probe.ok("names", "product", self._options.product)
        except Rejected as error:
            probe.add("names", "product", "wrong", error.sentence, "mend the option product in config.yaml")

    def _mailbox(self, probe: Probe) -> None:
        number = self._options.email_config
        rows = list(self._account.rows("/email_configs", operation="list support addresses"))
        found = next((row for row in rows if row.get("id") == number), None)
        if found is None:
            there = ", ".join(f"{row['id']} ({row.get('reply_email')})" for row in rows) or "none"
            words = f"there is no support address {number}; there are: {there}"
            probe.add("names", "email_config", "wrong", words, "mend the option email_config in config.yaml")
        else:
            probe.ok("names", "email_config", str(found.get("reply_email") or number))

    def _needed(self, needs: Needs) -> tuple[FieldNeed, ...]:
        """With the field our own id goes into, where the options want one."""
        if self._options.key_in != "field":
            return needs.fields
        return (*needs.fields, FieldNeed(self._options.key_field, "text", place="key_field", ours=True))

    def _fields(self, probe: Probe, needs: Needs) -> None:
        rows = self._field_rows()
        known = [spec(one) for row in rows for one in named(row)]
        needed = self._needed(needs)
        custom = sum(not row.get("default") for row in rows)
        probe.ok("fields", "ticket fields", f"{custom} of your own, {len(needed)} named by us")
        found = fields_found(needed, known, "Freshdesk", _field_steps, makes=True)
        probe.found += [
            one if one.remedy == "" or self._makes(needed, one) else replace(one, remedy="") for one in found
        ]
        for row in rows:
            label = str(row.get("label") or "")
            if not row.get("default") and row.get("required_for_agents") and not _named_by(needed, row):
                words = "is required of agents, and no rule sets it: tickets cannot be made"
                way = "Admin → Workflows → Ticket fields: not required when submitting the form; or set it in a rule"
                probe.add("fields", label, "wrong", words, way)

    def _makes(self, needed: tuple[FieldNeed, ...], finding: Finding) -> bool:
        return any(one.name == finding.subject and one.kind in _TYPES for one in needed)

    def _field_rows(self) -> list[Json]:
        return list(self._account.rows("/ticket_fields", operation="list ticket fields", missing=AuthFailed))

    def _labelled(self, name: str) -> list[FieldSpec]:
        return matching(name, [spec(one) for row in self._field_rows() for one in named(row)])

    def _rule(self, probe: Probe, needs: Needs) -> None:
        url = needs.hook_url or "https://your.host/hooks/" + self._account.http.service
        secret = self._options.webhook_secret
        steps = (
            "Admin → Workflows → Automations → Ticket updates → New rule",
            "performed by: Agent; when: Reply is sent, or Note is added of type Public",
            f"do: Trigger webhook: POST {url}, encoding JSON",
            f"  custom header {self._options.webhook_header}: the secret in webhook_secret",
            '  content, Advanced: {"ticket_id": {{ticket.id}}}',
        )
        if secret is None or not secret.get_secret_value():
            words = "webhook_secret is not set: answers are found by polling, a minute or two later"
            way = "think of a secret (openssl rand -hex 24), set webhook_secret in config.yaml to it, then:"
            probe.add("webhook", "automation rule", "missing", words, way, *steps, necessary=False)
            return
        words = "whether a rule calls us cannot be asked: Freshdesk has no call for that. It has to be like this:"
        probe.add("webhook", "automation rule", "unknown", words, *steps, necessary=False)


def spec(one: Named) -> FieldSpec:
    """A field as the mapping knows it."""
    return FieldSpec(one.name, one.title, one.type, tuple(option.value for option in one.options))


def _named_by(needed: tuple[FieldNeed, ...], row: Json) -> bool:
    return any(matching(need.name, [spec(one) for one in named(row)]) for need in needed)


def _field_steps(need: FieldNeed) -> tuple[str, ...]:
    kinds = {
        "dropdown": "Dropdown",
        "multiselect": "Multi-select dropdown",
        "checkbox": "Checkbox",
        "integer": "Number",
        "decimal": "Decimal",
        "date": "Date",
        "text": "Single-line text",
    }
    first = f"Admin → Workflows → Ticket fields: drag {kinds[need.kind]} into the form, label {need.name}"
    choices = (f"its choices: {', '.join(need.values)}",) if need.values else ()
    return (first, *choices, "not required")
