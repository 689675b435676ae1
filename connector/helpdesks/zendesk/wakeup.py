"""The webhook by which Zendesk wakes us up: whether it is there, calls us, is signed with our secret; and making it.

Two ways lead to a call. A webhook subscribes to Zendesk's events; or it is connected to a trigger, which then has to
be there as well. One cannot be turned into the other (support.zendesk.com, "Creating webhooks to interact with
third-party systems"). A webhook is ours by its address, not by its name.

developer.zendesk.com/api-reference/webhooks (subscriptions, PATCH, signing_secret); the shape of triggers as in
`doctor`. Answers about webhooks are for admins.
"""

from __future__ import annotations

import hmac
from urllib.parse import urlsplit

from connector.errors import ConnectorError, Gone
from connector.helpdesks.examination import Needs, Probe, told, write_once
from connector.helpdesks.zendesk.account import Account, Json
from connector.log import remember_secret

_BY_TRIGGER = "conditional_ticket_events"
_COMMENTED = "zen:event-type:ticket.comment_added"
_MERGED = "zen:event-type:ticket.merged"
_BODY = '{"ticket_id": "{{ticket.id}}"}'
_TRIGGER_STEPS = (
    "Admin Center → Objects and rules → Business rules → Triggers → Create trigger",
    "conditions (all): Ticket is Updated; Comment is Public",
    "action: Notify by active webhook → this webhook, with the JSON body",
    f"  {_BODY}",
)


class Wakeup:
    """The webhook of one account that calls `needs.hook_url`, or, where nobody knows that address, any address that
    ends as ours does. `secret` is the configured one."""

    def __init__(self, account: Account, needs: Needs, secret: str) -> None:
        self._account = account
        self._needs = needs
        self._secret = secret

    # --- looking -------------------------------------------------------------------------------------------

    def examine(self, probe: Probe, *, admin: bool) -> None:
        """The webhook, its trigger if it needs one, and its secret."""
        try:
            found = self._ours()
        except ConnectorError as error:
            words = f"whether a webhook calls us cannot be asked: {told(error)}"
            probe.add("webhook", "webhook", "unknown", words, *self._steps(), necessary=bool(self._secret) and admin)
            return
        if not found:
            self._missing(probe)
            return
        for hook in found[1:]:
            words = f'"{hook.get("name")}" calls the same address: every answer is told more than once (harmless)'
            probe.add("webhook", "second webhook", "wrong", words, "delete it, or switch it off", necessary=False)
        hook = found[0]
        self._webhook(probe, hook)
        if _by_trigger(hook):
            probe.asking("webhook", "trigger", lambda: self._trigger(probe, hook), necessary=True)
        probe.asking("webhook", "secret", lambda: self._signed(probe, hook), necessary=True)

    def _missing(self, probe: Probe) -> None:
        url = self._needs.hook_url
        if not url:
            words = "no webhook calls us: answers are found by polling, a minute or two later"
            way = "set server.public_url in config.yaml, the address under which the world reaches us; then again"
            probe.add("webhook", "webhook", "missing", words, way, necessary=bool(self._secret))
            return
        words = f"no webhook calls {url}: answers are found by polling, a minute or two later"
        remedy, needed = "webhook", bool(self._secret)
        probe.add("webhook", "webhook", "missing", words, *self._steps(), remedy=remedy, necessary=needed)
        if self._needs.by_rule:
            words = "no trigger calls the webhook"
            probe.add("webhook", "trigger", "missing", words, *_TRIGGER_STEPS, remedy="trigger", necessary=needed)

    def _webhook(self, probe: Probe, hook: Json) -> None:
        name = f'"{hook.get("name")}"'
        page = "Admin Center → Apps and integrations → Webhooks → "
        if hook.get("status") != "active":
            words = f"{name} is switched off"
            probe.add("webhook", "webhook", "wrong", words, f'{page}{name}: "Activate"', remedy="webhook")
        elif (hook.get("http_method"), hook.get("request_format")) != ("POST", "json"):
            words = f"{name} does not POST JSON"
            probe.add("webhook", "webhook", "wrong", words, f"{page}{name}: method POST, format JSON")
        elif not _by_trigger(hook) and _COMMENTED not in _events(hook):
            words = f"{name} is not subscribed to comments"
            way = f"{page}{name}: subscribe to Comment added to ticket, and Ticket merged"
            probe.add("webhook", "webhook", "wrong", words, way, remedy="webhook")
        elif not _by_trigger(hook) and _MERGED not in _events(hook):
            words = f"{name} is not subscribed to merges: answers on a ticket that was merged are found by polling"
            way = f"{page}{name}: subscribe to Ticket merged"
            probe.add("webhook", "webhook", "wrong", words, way, remedy="webhook", necessary=False)
        else:
            how = "by a trigger" if _by_trigger(hook) else "by events"
            probe.ok("webhook", "webhook", f"{name} calls {hook.get('endpoint')}, {how}")

    def _trigger(self, probe: Probe, hook: Json) -> None:
        found = self._triggers(str(hook["id"]))
        active = [row for row in found if row.get("active")]
        if not found:
            words = f'no trigger calls "{hook.get("name")}"'
            probe.add("webhook", "trigger", "missing", words, *_TRIGGER_STEPS, remedy="trigger")
        elif not active:
            words = f'the trigger "{found[0].get("title")}" is switched off'
            way = "Admin Center → Objects and rules → Business rules → Triggers → Inactive: Activate"
            probe.add("webhook", "trigger", "wrong", words, way, remedy="trigger")
        elif not any("ticket_id" in body and "ticket.id" in body for body in map(_body_of, active)):
            words = f'the trigger "{active[0].get("title")}" does not say which ticket it is about'
            probe.add("webhook", "trigger", "wrong", words, "its JSON body has to be:", f"  {_BODY}")
        else:
            probe.ok("webhook", "trigger", f'"{active[0].get("title")}" calls it')

    def _signed(self, probe: Probe, hook: Json) -> None:
        account = self._account.http.service
        fetch = (
            f"connector doctor {account} --secret-file secrets/{account}   (a file only you can read)",
            f"in config.yaml, helpdesks.{account}: webhook_secret: !file and that file; then connector reload",
        )
        if not self._secret:
            words = "webhook_secret is not set, so its calls are refused"
            probe.add("webhook", "secret", "missing", words, *fetch)
        elif hmac.compare_digest(self._secret_of(hook).encode(), self._secret.encode()):
            probe.ok("webhook", "secret", "webhook_secret is the one it signs with")
        else:
            words = "webhook_secret is not the one it signs with, so its calls are refused"
            probe.add("webhook", "secret", "wrong", words, *fetch)

    # --- making --------------------------------------------------------------------------------------------

    def apply(self, what: str) -> str:
        """Make or mend the `webhook` or the `trigger`."""
        return self._make_trigger() if what == "trigger" else self._make_webhook()

    def signing_secret(self) -> str:
        """What it signs with. Gone when there is no webhook."""
        return self._secret_of(self._hook())

    def _make_webhook(self) -> str:
        found = self._ours()
        if found:
            return self._mend_webhook(found[0])
        url, name = self._needs.hook_url, f"connector {self._account.http.service}"
        made: Json = {
            "name": name,
            "endpoint": url,
            "http_method": "POST",
            "request_format": "json",
            "status": "active",
            "subscriptions": [_BY_TRIGGER] if self._needs.by_rule else [_COMMENTED, _MERGED],
        }
        write_once(
            lambda: self._account.call("POST", "/webhooks", operation="make webhook", json={"webhook": made}),
            self._ours,
        )
        how = "a trigger calls" if self._needs.by_rule else "comments and merges call"
        return f'made the webhook "{name}": {how} {url}'

    def _mend_webhook(self, hook: Json) -> str:
        changes: Json = {} if hook.get("status") == "active" else {"status": "active"}
        lacking = [event for event in (_COMMENTED, _MERGED) if event not in _events(hook)]
        if lacking and not _by_trigger(hook):
            changes["subscriptions"] = [*_events(hook), *lacking]
        if not changes:
            return f'the webhook "{hook.get("name")}" is there already'
        self._account.call(
            "PATCH",
            f"/webhooks/{hook['id']}",
            operation="mend webhook",
            json={"webhook": changes},
            read=True,  # saying it twice is saying it once
        )
        return f'the webhook "{hook.get("name")}": ' + ", ".join(
            words
            for key, words in (("status", "switched on"), ("subscriptions", "subscribed to comments and merges"))
            if key in changes
        )

    def _make_trigger(self) -> str:
        hook = str(self._hook()["id"])
        found = self._triggers(hook)
        if any(row.get("active") for row in found):
            return f'the trigger "{found[0].get("title")}" is there already'
        if found:
            # all of it: naming a part of a trigger is not allowed, or clears the rest (triggers page)
            kept = ("title", "conditions", "actions", "category_id")
            whole = {name: found[0][name] for name in kept if found[0].get(name) is not None}
            self._account.call(
                "PUT",
                f"/triggers/{found[0]['id']}",
                operation="switch trigger on",
                json={"trigger": {**whole, "active": True}},
                read=True,  # the same
            )
            return f'switched the trigger "{found[0].get("title")}" on'
        title = f"connector {self._account.http.service}: public comment"
        trigger: Json = {
            "title": title,
            "conditions": {
                "all": [
                    {"field": "update_type", "operator": "is", "value": "Change"},
                    {"field": "comment_is_public", "operator": "is", "value": "true"},
                ]
            },
            "actions": [{"field": "notification_webhook", "value": [hook, _BODY]}],
        }
        write_once(
            lambda: self._account.call("POST", "/triggers", operation="make trigger", json={"trigger": trigger}),
            lambda: self._triggers(hook),
        )
        return f'made the trigger "{title}"'

    # --- asking --------------------------------------------------------------------------------------------

    def _ours(self) -> list[Json]:
        """The webhooks that call us, those in use first."""
        rows = self._account.rows("/webhooks", "webhooks", operation="list webhooks")
        found = [row for row in rows if self._calls_us(str(row.get("endpoint") or ""))]
        return sorted(found, key=lambda row: row.get("status") != "active")

    def _calls_us(self, endpoint: str) -> bool:
        if self._needs.hook_url:
            return _same(endpoint) == _same(self._needs.hook_url)
        return urlsplit(endpoint).path.rstrip("/").endswith(f"/hooks/{self._account.http.service}")

    def _hook(self) -> Json:
        found = self._ours()
        if not found:
            words = "no webhook of this account calls us; with server.public_url set, `doctor --apply` makes it"
            raise Gone(words, service=self._account.http.service)
        return found[0]

    def _triggers(self, hook: str) -> list[Json]:
        rows = self._account.rows("/triggers", "triggers", operation="list triggers")
        return [row for row in rows if any(action[0] == hook for action in _calls(row))]

    def _secret_of(self, hook: Json) -> str:
        path = f"/webhooks/{hook['id']}/signing_secret"
        told = self._account.get(path, operation="read signing secret").get("signing_secret")
        secret = str(told.get("secret") or "") if isinstance(told, dict) else ""
        remember_secret(secret)
        if not secret:
            raise Gone("Zendesk does not tell the signing secret", service=self._account.http.service)
        return secret

    def _steps(self) -> tuple[str, ...]:
        url = self._needs.hook_url or "https://your.host/hooks/" + self._account.http.service
        first = "Admin Center → Apps and integrations → Webhooks → Create webhook"
        last = f"endpoint {url}, method POST, format JSON, no authentication (the calls are signed)"
        if self._needs.by_rule:
            return (f"{first}: Trigger or automation", last)
        return (f"{first}: Zendesk events: Comment added to ticket, Ticket merged", last)


def _same(address: str) -> tuple[str, str, str]:
    parts = urlsplit(address.strip())
    return parts.scheme.lower(), parts.netloc.lower(), parts.path.rstrip("/")


def _events(hook: Json) -> list[str]:
    return [str(one) for one in hook.get("subscriptions") or ()]


def _by_trigger(hook: Json) -> bool:
    return _BY_TRIGGER in _events(hook)


def _calls(trigger: Json) -> list[list[str]]:
    """What a trigger tells webhooks: of each, its id and the body; one without a body stands as its id alone."""
    found = []
    for action in trigger.get("actions") or ():
        if isinstance(action, dict) and action.get("field") == "notification_webhook":
            value = action.get("value")
            found.append([str(one) for one in value] if isinstance(value, list) and value else [str(value)])
    return found


def _body_of(trigger: Json) -> str:
    return "".join(part for call in _calls(trigger) for part in call[1:])
