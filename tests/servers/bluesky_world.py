"""The real Bluesky server stack as a SourceWorld: a client account of its own posts through plain HTTP calls."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import requests

from connector.http import Http
from connector.sources.bluesky import Bluesky, BlueskyOptions
from connector.testing.contracts import SourceWorld

POST = "app.bsky.feed.post"


def now(ahead: timedelta = timedelta()) -> str:
    return (datetime.now(UTC) + ahead).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class Person:
    """An account on the server, driven without any of our code."""

    def __init__(self, pds: str, handle: str, password: str) -> None:
        self.pds = pds
        self.http = requests.Session()
        self.http.trust_env = False
        told = self.call("com.atproto.server.createSession", {"identifier": handle, "password": password})
        self.did, self.handle = told["did"], told["handle"]
        self.http.headers["Authorization"] = f"Bearer {told['accessJwt']}"

    def call(self, method: str, body: dict[str, Any]) -> Any:
        answer = self.http.post(f"{self.pds}/xrpc/{method}", json=body, timeout=30)
        assert answer.ok, answer.text
        return answer.json() if answer.content else None

    def ask(self, method: str, **params: Any) -> Any:
        answer = self.http.get(f"{self.pds}/xrpc/{method}", params=params, timeout=30)
        assert answer.ok, answer.text
        return answer.json()

    def create(self, collection: str, record: dict[str, Any], rkey: str | None = None) -> dict[str, str]:
        body = {"repo": self.did, "collection": collection, "record": {"$type": collection, **record}}
        told = self.call("com.atproto.repo.createRecord", body | ({"rkey": rkey} if rkey else {}))
        return {"uri": told["uri"], "cid": told["cid"]}

    def mention(self, whom: Person | Any, text: str, *, before: str = "", **more: Any) -> dict[str, str]:
        """A post `before @whom text`, with the facet that makes it a mention."""
        tag = f"@{whom.handle}"
        start = len(before.encode())
        facet = {
            "index": {"byteStart": start, "byteEnd": start + len(tag)},
            "features": [{"$type": "app.bsky.richtext.facet#mention", "did": whom.did}],
        }
        record = {"text": f"{before}{tag} {text}", "createdAt": now(), "langs": ["ru"], "facets": [facet]}
        return self.create(POST, record | more)

    def delete(self, uri: str) -> None:
        _, _, did, collection, rkey = uri.split("/")
        self.call("com.atproto.repo.deleteRecord", {"repo": did, "collection": collection, "rkey": rkey})

    def posts(self) -> list[dict[str, Any]]:
        told = self.ask("com.atproto.repo.listRecords", repo=self.did, collection=POST, limit=100)
        return sorted(told["records"], key=lambda one: str(one["value"]["createdAt"]))


class RealWorld(SourceWorld):
    """`network.json` names the PDS and the two accounts `brand` (ours) and `client`."""

    def __init__(self, network: Path) -> None:
        told = json.loads(network.read_text())
        self.pds = told["pds"]
        accounts = told["accounts"]
        self.account = accounts["brand"]
        self.brand = Person(self.pds, accounts["brand"]["handle"], accounts["brand"]["password"])
        self.client = Person(self.pds, accounts["client"]["handle"], accounts["client"]["password"])
        self.begun = {one["uri"] for one in self.brand.posts()}
        self.secrets = (self.account["password"],)
        self.source: Bluesky = self.again()

    def again(self) -> Bluesky:
        options = BlueskyOptions(
            type="bluesky",
            helpdesk="desk",
            service=self.pds,
            identifier=self.account["handle"],
            app_password=self.account["password"],
            watch_deletes_every=0,
        )
        return Bluesky("sky", options, Http("sky", allow_private=True))

    def say(self, text: str) -> str:
        uri = self.client.mention(self.brand, text)["uri"]
        self.wait_for(lambda: self._indexed(uri))
        return uri

    def take_back(self, external_id: str) -> None:
        self.client.delete(external_id)
        self.wait_for(lambda: not self._indexed(external_id))

    def posted(self) -> list[str]:
        return [one["value"]["text"] for one in self.brand.posts() if one["uri"] not in self.begun]

    def settle(self) -> None:
        time.sleep(0.2)

    def _indexed(self, uri: str) -> bool:
        return bool(self.brand.ask("app.bsky.feed.getPosts", uris=uri)["posts"])

    def wait_for(self, there: Any) -> None:
        until = time.monotonic() + 30
        while not there():
            assert time.monotonic() < until, "the server did not catch up within 30 s"
            time.sleep(0.1)
