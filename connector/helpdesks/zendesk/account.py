"""One Zendesk account as a place to call: its address, how we log in, what it refuses and how often it may be asked.

Hides the log-in header, both ways of paging, the budget's names and the reading of bodies. The one rule: whatever
comes back is either what was asked for, of the expected shape, or an error that says what to do next.
"""

from __future__ import annotations

import base64
import json as jsonlib
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any

from connector.errors import AuthFailed, BadAnswer, Rejected, Scope
from connector.helpdesks.zendesk import limits
from connector.helpdesks.zendesk.refusals import JUDGED, refused
from connector.http import Answer, Http
from connector.log import remember_secret

_PAGE = 100
_MOST_PAGES = 200

Json = dict[str, Any]


class Account:
    """Calls to `base_url`/api/v2. `login` is the value of the Authorization header."""

    def __init__(self, http: Http, base_url: str, login: str) -> None:
        self.http = http
        self.base_url = base_url
        self.api = f"{base_url}/api/v2"
        self._login = {"Authorization": login}
        self.plan_limit: int | None = None
        self.field_title: Callable[[int], str] = lambda _: ""

    def call(
        self,
        method: str,
        path: str,
        *,
        operation: str,
        params: Mapping[str, Any] | None = None,
        json: Any = None,
        body: bytes | str | None = None,
        headers: Mapping[str, str] | None = None,
        kind: str = limits.ACCOUNT,
        ticket: str = "",
        read: bool | None = None,
        expect: Collection[int] = (),
        forbidden: type[AuthFailed | Rejected] = Rejected,
    ) -> Answer:
        """The answer if it is 2xx or in `expect`, else the error it means.

        `kind` is the budget of calls like this one; `ticket` the ticket it changes; `read` as in `Http.call`.
        """
        names = [kind] if kind else []
        if ticket:
            names.append(limits.of_ticket(ticket))

        def learn(answer: Answer) -> None:
            limits.learn(self.http.budget, answer, ticket)
            if self.plan_limit is None:
                self.plan_limit = limits.plan_limit(answer.headers)

        def limited(answer: Answer) -> tuple[str, Scope]:
            return limits.of_refusal(answer, kind, ticket)

        answer = self.http.call(
            method,
            f"{self.api}{path}",
            operation=operation,
            params=params,
            json=json,
            body=body,
            headers={**self._login, **(headers or {})},
            read=read,
            expect=JUDGED,
            limits=names,
            learn=learn,
            limited=limited,
        )
        if answer.status < 300 or answer.status in expect:
            return answer
        raise self.refused(answer, operation, forbidden)

    def refused(self, answer: Answer, operation: str, forbidden: type[AuthFailed | Rejected] = Rejected) -> Exception:
        """The error for an answer whose status was expected, so that the caller could look at it first."""
        return refused(
            answer, service=self.http.service, operation=operation, forbidden=forbidden, title=self.field_title
        )

    def get(self, path: str, *, operation: str, params: Mapping[str, Any] | None = None, **options: Any) -> Json:
        """A GET's body, an object. BadAnswer when it is anything else."""
        return self.object_in(self.call("GET", path, operation=operation, params=params, **options), operation)

    def ourselves(self) -> tuple[Json, Answer]:
        """The user we are, an agent or admin, and the answer that said so. AuthFailed when we are none: a wrong token
        is answered with an anonymous user, not with 401 (recorded)."""
        answer = self.call("GET", "/users/me", operation="check", forbidden=AuthFailed)
        user = self.object_in(answer, "check").get("user")
        if not isinstance(user, dict):
            raise BadAnswer("the answer has no user", service=self.http.service, operation="check")
        role = str(user.get("role") or "")
        if not user.get("id"):
            words = "Zendesk does not know this e-mail address and token"
        elif role not in ("agent", "admin"):
            words = f'this user is no agent (its role is "{role}"); tickets need an agent or admin'
        else:
            return user, answer
        raise AuthFailed(words, service=self.http.service, operation="check")

    def pages(
        self, path: str, *, operation: str, params: Mapping[str, Any] | None = None, **options: Any
    ) -> Iterator[Json]:
        """Each page of a list, by cursor where Zendesk offers one, else by page number.

        `links.next` is there on the last page too (recorded), so only `meta.has_more` is believed.
        """
        asked: dict[str, Any] = {"page[size]": _PAGE, **(params or {})}
        for number in range(2, _MOST_PAGES + 2):
            page = self.get(path, operation=operation, params=asked, **options)
            yield page
            meta = page.get("meta")
            if isinstance(meta, dict):
                after = meta.get("after_cursor")
                if not meta.get("has_more") or not after or after == asked.get("page[after]"):
                    return
                asked["page[after]"] = after
            elif page.get("next_page"):
                asked = {**(params or {}), "per_page": _PAGE, "page": number}
            else:
                return

    def rows(
        self, path: str, key: str, *, operation: str, params: Mapping[str, Any] | None = None, **options: Any
    ) -> Iterator[Json]:
        """Every object under `key` on every page."""
        for page in self.pages(path, operation=operation, params=params, **options):
            yield from self.rows_in(page, key, operation)

    def object_in(self, answer: Answer, operation: str) -> Json:
        """The body of an answer, which has to be an object."""
        try:
            body = jsonlib.loads(answer.body)
        except (ValueError, RecursionError):
            body = None
        if not isinstance(body, dict):
            raise BadAnswer(
                "the answer is not a JSON object",
                service=self.http.service,
                operation=operation,
                status=answer.status,
            )
        return body

    def rows_in(self, body: Json, key: str, operation: str) -> list[Json]:
        """The list under `key`; BadAnswer when it is not a list of objects with an id."""
        rows = body.get(key)
        if not isinstance(rows, list) or not all(isinstance(row, dict) and "id" in row for row in rows):
            raise BadAnswer(f'the answer has no list "{key}"', service=self.http.service, operation=operation)
        return rows


def login_header(email: str, api_token: str, oauth_token: str) -> str:
    """The Authorization header: Bearer, or Basic with `email/token`. What it holds is masked from now on."""
    if oauth_token:
        remember_secret(oauth_token)
        return f"Bearer {oauth_token}"
    pair = base64.b64encode(f"{email}/token:{api_token}".encode()).decode()
    remember_secret(api_token)
    remember_secret(pair)
    return f"Basic {pair}"
