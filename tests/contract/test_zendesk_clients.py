"""Clients by others, unchanged, read the sandbox and find on it exactly what the connector wrote.

They were written for Zendesk by people who never saw our sandbox: where they stumble, it is not like Zendesk.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from daemon_world import DaemonWorld, mention
from zenpy import Zenpy
from zenpy.lib.api_objects import Comment, Ticket, User

from connector import triage
from connector.mentionjson import read_mention
from connector.model import KINDS, Decision
from connector.testing.simulators.zendesk import Faults

MODULES = os.environ.get("CONNECTOR_NODE_MODULES", "")

NOW = datetime.now(UTC)  # the hour has a say in how they are decided
SAID = [
    mention(kind, kind=kind, author={"id": f"u-{kind}", "name": f"Anna <{kind}> & Söhne 🙂", "followers": 7})
    for kind in KINDS
] + [
    mention("angry", text="Верните деньги! Это ужасно, обман!", author={"id": "u-angry", "name": "Пётр"}),
    mention("glad", text="Thank you, that was wonderful! <b>&amp;</b> {{ticket.id}}", author={"id": "u-glad"}),
    mention("stars", kind="review", rating=1, text="Broken\non arrival", author={"id": "u-stars", "name": "R"}),
    mention("empty", text="", author={"id": "u-empty", "name": "E"}),
]
SAID = [one | {"created_at": NOW.isoformat()} for one in SAID]
FOLLOWED = mention("more", thread_id="mangry", text="And another thing", author={"id": "u-other", "name": "Other"})


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DaemonWorld]:
    """A world in which all of it was said, carried, and one answer given."""
    folder = tmp_path_factory.mktemp("clients")
    made = DaemonWorld(folder, f"sqlite:///{folder / 'c.db'}", faults=Faults(incremental_lag_s=0.0))
    made.start()
    try:
        assert made.send(*SAID).json()["accepted"] == len(SAID)
        made.carried()
        made.send(FOLLOWED)
        made.carried()
        yield made
    finally:
        made.close()


@pytest.fixture(scope="module")
def zenpy(world: DaemonWorld) -> Zenpy:
    """Zenpy builds an address of a subdomain and a domain; 127 and 0.0.1 make ours."""
    before = os.environ.get("ZENPY_FORCE_SCHEME")
    os.environ["ZENPY_FORCE_SCHEME"] = "http"
    try:
        port = urlsplit(world.desk).port
        client = Zenpy(
            subdomain="127", domain=f"0.0.1:{port}", email="admin@example.com", token="sandbox", disable_cache=True
        )
        client.users.me()
        return client
    finally:
        if before is not None:
            os.environ["ZENPY_FORCE_SCHEME"] = before


@pytest.fixture(autouse=True)
def plain_http(monkeypatch: pytest.MonkeyPatch) -> None:
    """Zenpy's own switch."""
    monkeypatch.setenv("ZENPY_FORCE_SCHEME", "http")


def _decided(world: DaemonWorld, said: dict[str, Any]) -> Decision:
    policy = triage.load(world.mappings)
    return policy.decide(read_mention(said, source="feed", platform="feed", received_at=NOW.timestamp()))


def _bare(text: str) -> str:
    """Without the invisible joiners that keep Zendesk from taking `{{…}}` in a stranger's text for a placeholder."""
    return text.replace("\u2060", "")


def _ticket(zenpy: Zenpy, said: dict[str, Any]) -> Any:
    (found,) = list(zenpy.tickets(external_id=f"feed:{said['id']}"))
    return found


@pytest.mark.parametrize("said", SAID, ids=[one["id"] for one in SAID])
def test_zenpy_reads_exactly_what_the_connector_wrote(world: DaemonWorld, zenpy: Zenpy, said: dict[str, Any]) -> None:
    decision = _decided(world, said)
    ticket = _ticket(zenpy, said)
    assert _bare(ticket.subject) == decision.subject
    assert ticket.priority == decision.settings.priority
    assert set(decision.settings.tags) <= set(ticket.tags)
    author = said["author"]
    assert ticket.requester.external_id == f"feed:{author['id']}"
    assert ticket.requester.name == author.get("name", author["id"])
    assert ticket.requester.email is None
    titles = {field.title: field.id for field in zenpy.ticket_fields()}
    held = {field["id"]: field["value"] for field in ticket.custom_fields}
    for title, value in decision.settings.fields.items():
        assert held[titles[title]] == value
    first = next(iter(zenpy.tickets.comments(ticket)))
    assert first.public
    assert first.author.external_id == f"feed:{author['id']}"
    plain = _bare(first.plain_body)
    for line in decision.comment.split("\n"):
        assert line.strip() in plain
    assert "<script" not in first.html_body


def test_zenpy_sees_a_second_person_and_the_card_on_one_ticket(zenpy: Zenpy) -> None:
    ticket = next(iter(zenpy.tickets(external_id="feed:mangry")))
    comments = list(zenpy.tickets.comments(ticket))
    assert [one.public for one in comments] == [True, False, True]
    assert comments[2].author.name == "Other"
    assert "And another thing" in comments[2].plain_body


def test_zenpy_lists_searches_and_exports_every_ticket(zenpy: Zenpy) -> None:
    expected = {f"feed:{one['id']}" for one in SAID}
    for found in (
        zenpy.tickets(),
        zenpy.tickets.incremental(start_time=1),
        zenpy.tickets.incremental(start_time=1, paginate_by_time=False),
        zenpy.search(type="ticket"),
    ):
        # other tests leave tickets of their own, which carry no external id
        assert {one.external_id for one in found if one.external_id} == expected


def test_zenpy_reads_audits_fields_groups_and_people(zenpy: Zenpy) -> None:
    ticket = next(iter(zenpy.tickets(external_id="feed:mangry")))
    audits = list(zenpy.tickets.audits(ticket))
    assert [audit.ticket_id for audit in audits] == [ticket.id] * len(audits)
    assert {"Tone", "Source"} <= {field.title for field in zenpy.ticket_fields()}
    assert "PR" in {group.name for group in zenpy.groups()}
    assert zenpy.users.me().role == "admin"
    (found,) = list(zenpy.users.search(external_id="feed:u-angry"))
    assert found.name == "Пётр"


def test_zenpy_writes_as_it_does_on_zendesk(zenpy: Zenpy, tmp_path: Path) -> None:
    made = zenpy.users.create_or_update(User(name="New One", external_id="feed:new"))
    again = zenpy.users.create_or_update(User(name="New Two", external_id="feed:new"))
    assert (again.id, again.name) == (made.id, "New Two")
    file = tmp_path / "plan.txt"
    file.write_bytes(b"the plan")
    upload = zenpy.attachments.upload(str(file), target_name="plan.txt")
    wanted = Ticket(
        subject="By zenpy", requester_id=made.id, tags=["zenpy_test"],
        comment=Comment(html_body="<p>hello</p>", uploads=[upload.token]),
    )  # fmt: skip
    ticket = zenpy.tickets.create(wanted).ticket
    (comment,) = list(zenpy.tickets.comments(ticket))
    (attachment,) = comment.attachments
    assert (attachment.file_name, attachment.size) == ("plan.txt", 8)
    ticket.comment = Comment(body="solved it", public=False)
    ticket.status = "solved"
    zenpy.tickets.update(ticket)
    assert zenpy.tickets(id=ticket.id).status == "solved"
    assert [one.public for one in zenpy.tickets.comments(ticket)] == [True, False]
    zenpy.tickets.delete(zenpy.tickets(id=ticket.id))
    assert ticket.id not in {one.id for one in zenpy.tickets()}


_NODE = """
const {createClient} = require(process.argv[1]);
const client = createClient({username: "admin@example.com", token: "sandbox", endpointUri: process.argv[2]});
(async () => {
  const me = await client.users.me();
  const tickets = await client.tickets.list();
  const comments = {};
  for (const ticket of tickets) comments[ticket.external_id] = await client.tickets.getComments(ticket.id);
  const fields = await client.ticketfields.list();
  const exported = await client.tickets.incremental(1);
  const users = await client.users.list();
  console.log(JSON.stringify({me: me.result || me, tickets, comments, fields, exported, users}));
})().catch(error => { console.error(error); process.exit(1); });
"""


@pytest.mark.skipif(
    not MODULES or not shutil.which("node"),
    reason="CONNECTOR_NODE_MODULES names no folder with node-zendesk (npm install node-zendesk), or node is missing",
)
def test_node_zendesk_reads_exactly_what_the_connector_wrote(world: DaemonWorld) -> None:
    package = str(Path(MODULES).absolute() / "node-zendesk")
    done = subprocess.run(
        ["node", "-e", _NODE, package, f"{world.desk}/api/v2"], capture_output=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr.decode()
    told = json.loads(done.stdout)
    tickets = {one["external_id"]: one for one in told["tickets"]}
    people = {one["id"]: one for one in told["users"]}
    assert told["me"]["role"] == "admin"
    for said in SAID:
        decision = _decided(world, said)
        ticket = tickets[f"feed:{said['id']}"]
        assert (_bare(ticket["subject"]), ticket["priority"]) == (decision.subject, decision.settings.priority)
        assert set(decision.settings.tags) <= set(ticket["tags"])
        assert people[ticket["requester_id"]]["external_id"] == f"feed:{said['author']['id']}"
        first = told["comments"][ticket["external_id"]][0]
        for line in decision.comment.split("\n"):
            assert line.strip() in _bare(first["plain_body"])
    assert {"Tone", "Source"} <= {field["title"] for field in told["fields"]}
    assert {one["external_id"] for one in told["exported"]} >= {f"feed:{one['id']}" for one in SAID}
