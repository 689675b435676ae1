"""People who wrote somewhere, as end users of Zendesk: external id `platform:id`, a name, never an invented address.

Known ones cost no call. `users/create_or_update` is limited to one a second for the whole account and five a minute
for one user (rate-limits page), so we create, and only when Zendesk says the external id is taken do we look it up.
Creating twice is harmless for that reason: the external id is unique, in any case (users page).

Who is known on X gets an identity of that kind (its value is the screen name; user identities page), by which agents
and Zendesk's own channel find the same person. An identity belongs to one user: where it is taken, ours does without.
"""

from __future__ import annotations

import threading
from collections import OrderedDict

from connector.errors import AuthFailed, BadAnswer, Temporary
from connector.helpdesks.zendesk import limits
from connector.helpdesks.zendesk.account import Account, Json
from connector.helpdesks.zendesk.refusals import refusal
from connector.model import Person

_MOST_KNOWN = 50_000
_LONGEST_NAME = 255
_IDENTITIES = {"x": "twitter", "twitter": "twitter"}


class People:
    """The requesters of one account. Thread-safe."""

    def __init__(self, account: Account) -> None:
        self._account = account
        self._known: OrderedDict[str, int] = OrderedDict()
        self._lock = threading.Lock()

    def id_of(self, person: Person) -> int:
        """The user's id, made if need be. Temporary when two made the same user at once; Rejected when refused."""
        external_id = person.external_id.casefold()
        with self._lock:
            known = self._known.get(external_id)
            if known is not None:
                self._known.move_to_end(external_id)
                return known
        user_id = self._create(person)
        with self._lock:
            self._known[external_id] = user_id
            if len(self._known) > _MOST_KNOWN:
                self._known.popitem(last=False)
        return user_id

    def forget(self, user_id: int) -> None:
        """A user that Zendesk refused as author: merged or deleted since. The next draft makes it again."""
        with self._lock:
            for external_id in [key for key, known in self._known.items() if known == user_id]:
                del self._known[external_id]

    def _create(self, person: Person, *, identities: bool = True) -> int:
        operation = "create user"
        user = user_body(person, identities=identities)
        answer = self._account.call(
            "POST",
            "/users",
            operation=operation,
            json={"user": user},
            kind=limits.USERS,
            read=True,  # the external id is unique: a second try finds the first one's user
            expect=(409, 422),
            forbidden=AuthFailed,
        )
        if answer.status < 300:
            return self._id(self._account.object_in(answer, operation).get("user"), operation)
        # a refusal may have lost its JSON on the way, so who is there already is found by looking, not by its words
        found = self._look_up(person.external_id)
        if found is not None:
            return found
        if "identities" in user and answer.status == 422 and refusal(answer).duplicate("value"):
            return self._create(person, identities=False)
        if answer.status == 409 or refusal(answer).duplicate("external_id"):
            raise Temporary(
                f"Zendesk says the user {person.external_id} exists and does not find it yet",
                wait=10.0,
                service=self._account.http.service,
                operation=operation,
            )
        raise self._account.refused(answer, operation)

    def _look_up(self, external_id: str) -> int | None:
        operation = "find user"
        body = self._account.get("/users/search", operation=operation, params={"external_id": external_id})
        for row in self._account.rows_in(body, "users", operation):
            if str(row.get("external_id") or "").casefold() == external_id.casefold():
                return self._id(row, operation)
        return None

    def _id(self, user: Json | None, operation: str) -> int:
        user_id = user.get("id") if isinstance(user, dict) else None
        if not isinstance(user_id, int):
            raise BadAnswer("the answer has no user", service=self._account.http.service, operation=operation)
        return user_id


def user_body(person: Person, *, identities: bool = True) -> Json:
    """The user as Zendesk takes it. A name is needed (an empty one is a 422), so the external id stands in. Zendesk
    fetches the picture itself from `remote_photo_url` (its OpenAPI file, User)."""
    name = " ".join(person.name.split())[:_LONGEST_NAME] or person.external_id.partition(":")[2] or person.external_id
    body: Json = {
        "name": name,
        "external_id": person.external_id,
        "role": "end-user",
        "skip_verify_email": True,
    }
    if person.url:
        body["details"] = person.url
    if person.avatar_url.startswith("https://"):
        body["remote_photo_url"] = person.avatar_url
    kind = _IDENTITIES.get(person.external_id.partition(":")[0])
    if identities and kind and person.handle:
        body["identities"] = [{"type": kind, "value": person.handle}]
    return body
