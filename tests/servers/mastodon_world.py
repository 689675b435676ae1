"""A running Mastodon API by somebody else as a SourceWorld: the client's own posts go through plain HTTP calls."""

from __future__ import annotations

import re
from typing import Any

import requests

from connector.http import Http
from connector.sources.mastodon import Mastodon, MastodonOptions
from connector.testing.contracts import Misbehaviour, SourceWorld


class Person:
    """An account on the server, driven without any of our code."""

    def __init__(self, server: str, token: str) -> None:
        self.server = server
        self.http = requests.Session()
        self.http.trust_env = False
        self.http.headers["Authorization"] = f"Bearer {token}"
        me = self.call("GET", "/api/v1/accounts/verify_credentials")
        self.id, self.acct = str(me["id"]), str(me["acct"])

    def call(self, verb: str, path: str, **given: Any) -> Any:
        answer = self.http.request(verb, f"{self.server}{path}", timeout=30, **given)
        assert answer.ok, answer.text
        return answer.json()

    def post(self, text: str, **more: str) -> str:
        return str(self.call("POST", "/api/v1/statuses", data={"status": text, "visibility": "public", **more})["id"])

    def delete(self, status: str) -> None:
        self.call("DELETE", f"/api/v1/statuses/{status}")

    def posts(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        page = [{"id": None}]
        while page:
            params = {"limit": "40", **({"max_id": page[-1]["id"]} if found else {})}
            page = self.call("GET", f"/api/v1/accounts/{self.id}/statuses", params=params)
            found += page
        return sorted(found, key=lambda one: str(one["created_at"]))


class MastodonWorld(SourceWorld):
    """`server tokens` of two accounts: ours and a client's. Faults are those of mastodon_mock."""

    def __init__(self, server: str, ours: str, clients: str) -> None:
        self.server, self.token = server, ours
        self.brand, self.client = Person(server, ours), Person(server, clients)
        self.begun = {one["id"] for one in self.brand.posts()}
        self.secrets = (ours,)
        self.made: list[Mastodon] = []
        self.source: Mastodon = self.again()

    def again(self, **more: object) -> Mastodon:
        options = MastodonOptions.model_validate(
            {
                "type": "mastodon",
                "helpdesk": "desk",
                "server": self.server,
                "access_token": self.token,
                "watch_every": 0,
                **more,
            }
        )
        source = Mastodon("fedi", options, Http("fedi", allow_private=True))
        self.made.append(source)
        return source

    def say(self, text: str) -> str:
        return self.client.post(f"@{self.brand.acct} {text}")

    def say_ourselves(self, text: str) -> str:
        return self.brand.post(f"@{self.client.acct} {text}", in_reply_to_id=self.say("well?"))

    def take_back(self, external_id: str) -> None:
        self.client.delete(external_id)

    def posted(self) -> list[str]:
        new = [one for one in self.brand.posts() if one["id"] not in self.begun]
        texts = [self.brand.call("GET", f"/api/v1/statuses/{one['id']}/source")["text"] for one in new]
        return [re.sub(rf"^@{self.client.acct} ", "", text) for text in texts]

    def misbehave(self, how: Misbehaviour) -> None:
        effects: dict[str, dict[str, Any]] = {
            "unauthorized": {"type": "status", "status": 401},
            "slow_down": {"type": "ratelimit", "headers": {"Retry-After": "7"}},
            "broken": {"type": "status", "status": 503},
            "refuses": {"type": "status", "status": 422},
            "nonsense": {"type": "malformed"},
        }
        if how not in effects:
            raise NotImplementedError
        self.client.call("POST", "/api/v1/_mock/faults", json={"match": {}, "effect": effects[how], "count": 50})

    def behave(self) -> None:
        self.client.call("DELETE", "/api/v1/_mock/faults")

    def close(self) -> None:
        for source in self.made:
            source.close()
        self.brand.http.close()
        self.client.http.close()
