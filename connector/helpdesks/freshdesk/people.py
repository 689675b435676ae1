"""People at Freshdesk: those who wrote somewhere, as contacts, and those who answer, as agents.

A contact is known by its unique_external_id `platform:id`, has a name and never an invented e-mail address. We
create, and only when Freshdesk says the value is taken do we look: the 409 may name the contact in
`additional_info.user_id` (unconfirmed), else `GET /contacts?unique_external_id=` finds it (seen in several clients).
Creating twice is harmless for that reason.

Agents and contacts are both users; who of them is an agent only `GET /agents/{id}` tells.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable

from connector.errors import AuthFailed, BadAnswer, Gone, Rejected, Temporary
from connector.helpdesks.freshdesk import limits
from connector.helpdesks.freshdesk.account import Account, Json
from connector.helpdesks.freshdesk.refusals import refusal
from connector.http import Answer
from connector.model import Person

_MOST_KNOWN = 50_000
_LONGEST_NAME = 255
_AGENT_FRESH = 3_600.0
_STRANGER_FRESH = 60.0


class Contacts:
    """The requesters of one account. Thread-safe."""

    def __init__(self, account: Account) -> None:
        self._account = account
        self._known: OrderedDict[str, int] = OrderedDict()
        self._names: dict[int, str] = {}
        self._lock = threading.Lock()

    def id_of(self, person: Person) -> int:
        """The contact's id, made if need be. Temporary when two made the same one at once; Rejected when refused."""
        external_id = person.external_id
        with self._lock:
            known = self._known.get(external_id)
            if known is not None:
                self._known.move_to_end(external_id)
                return known
        contact, name = self._made(person)
        with self._lock:
            self._known[external_id] = contact
            self._names[contact] = name
            if len(self._known) > _MOST_KNOWN:
                _, oldest = self._known.popitem(last=False)
                self._names.pop(oldest, None)
        return contact

    def name_of(self, contact: int) -> str:
        """The name of a contact where it costs no call; else nothing."""
        return self._names.get(contact, "")

    def forget(self, contact: int) -> None:
        """One that Freshdesk refused: merged or deleted since. The next draft makes it again."""
        with self._lock:
            self._names.pop(contact, None)
            for external_id in [key for key, known in self._known.items() if known == contact]:
                del self._known[external_id]

    def _made(self, person: Person) -> tuple[int, str]:
        operation = "create contact"
        body = contact_body(person)
        answer = self._account.call(
            "POST",
            "/contacts",
            operation=operation,
            json=body,
            read=True,  # unique_external_id is unique: a second try finds the first one's contact
            expect=(400, 409),
            forbidden=AuthFailed,
            missing=AuthFailed,
        )
        if answer.status < 300:
            return self._account.id_in(answer, operation), str(body["name"])
        told = refusal(answer)
        if answer.status != 409 and not told.duplicate:
            raise self._account.refused(answer, operation)
        return self._taken(person, answer)

    def _taken(self, person: Person, answer: Answer) -> tuple[int, str]:
        """The contact that has this external id already."""
        named = next((one.user_id for one in refusal(answer).complaints if one.user_id), None)
        if named is not None:
            return named, str(contact_body(person)["name"])
        found = self._found(person.external_id)
        if found is not None:
            return int(found["id"]), str(found.get("name") or "")
        operation, service = "find contact", self._account.http.service
        if self._found(person.external_id, state="deleted") is not None:
            raise Rejected(
                f"the contact {person.external_id} was deleted at Freshdesk; restore it there, or delete it for good",
                service=service,
                operation=operation,
            )
        raise Temporary(
            f"Freshdesk says the contact {person.external_id} exists and does not find it yet",
            wait=10.0,
            service=service,
            operation=operation,
        )

    def _found(self, external_id: str, **more: str) -> Json | None:
        sheet = self._account.page(
            "/contacts",
            1,
            operation="find contact",
            params={"unique_external_id": external_id, **more},
            kind=limits.CONTACTS,
            missing=AuthFailed,
        )
        wanted = external_id.casefold()
        return next(
            (row for row in sheet.rows if str(row.get("unique_external_id") or "").casefold() == wanted), None
        )


def contact_body(person: Person) -> Json:
    """The contact as Freshdesk takes it. It needs a name, so the external id stands in for an empty one; the address
    of the profile goes into the description, the only free text (the avatar would be a file: left out)."""
    name = " ".join(person.name.split())[:_LONGEST_NAME] or person.external_id.partition(":")[2] or person.external_id
    body: Json = {"name": name, "unique_external_id": person.external_id}
    if person.url:
        body["description"] = person.url
    return body


class Agents:
    """Who works there. Thread-safe; an agent is asked about once an hour, anybody else once a minute, since a contact
    can be made an agent and then what they write has to leave."""

    def __init__(self, account: Account, clock: Callable[[], float] = time.monotonic) -> None:
        self._account = account
        self._clock = clock
        self._known: dict[int, tuple[float, str | None]] = {}

    def name_of(self, user: int) -> str | None:
        """The agent's name; None: no agent. Rejected when this API key may not look."""
        asked_at, name = self._known.get(user, (None, None))
        now = self._clock()
        if asked_at is None or now - asked_at > (_STRANGER_FRESH if name is None else _AGENT_FRESH):
            name = self._asked(user)
            if len(self._known) > _MOST_KNOWN:
                self._known.clear()
            self._known[user] = (now, name)
        return name

    def me(self) -> tuple[int, str]:
        """Our own id and name. AuthFailed when the key is wrong or there is no such account."""
        body = self._account.get("/agents/me", operation="check", forbidden=AuthFailed, missing=AuthFailed)
        number = body.get("id")
        if not isinstance(number, int):
            raise BadAnswer("the answer has no agent", service=self._account.http.service, operation="check")
        return number, _name(body)

    def _asked(self, user: int) -> str | None:
        try:
            return _name(self._account.get(f"/agents/{user}", operation="read agent"))
        except Gone:
            return None


def _name(agent: Json) -> str:
    contact = agent.get("contact")
    return str(contact.get("name") or contact.get("email") or "") if isinstance(contact, dict) else ""
