"""The daemon as a whole, in this process: a mention in, a reply out, reload, drain, two replicas, what it tells."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
import sqlalchemy as sa
from daemon_world import DaemonWorld, mention, until
from prometheus_client.parser import text_string_to_metric_families

from connector.adapter import Hook
from connector.daemon.process import _notify
from connector.errors import Temporary
from connector.sources.manual import Manual
from connector.sources.webhook import Webhook
from connector.store import Store
from connector.store.store import StoreBusy
from connector.store.tables import accounts, muted


@pytest.fixture
def world(tmp_path: Path, store_url: str) -> Iterator[DaemonWorld]:
    """A world on each database."""
    made = DaemonWorld(tmp_path, store_url)
    yield made
    made.close()


@pytest.fixture
def small(tmp_path: Path) -> Iterator[DaemonWorld]:
    """A world on SQLite, where the database makes no difference."""
    made = DaemonWorld(tmp_path, f"sqlite:///{tmp_path / 'connector.db'}")
    yield made
    made.close()


# --- the main job ---


def test_a_hook_becomes_a_ticket_and_the_agents_answer_goes_back_once(world: DaemonWorld) -> None:
    world.start()
    assert world.send(mention(1), mention(2, thread_id="m1")).json() == {"accepted": 2, "duplicates": 0}
    assert world.send(mention(1)).json() == {"accepted": 0, "duplicates": 1}
    ledger = world.carried()
    assert (ledger.ticketed, ledger.appended, ledger.duplicates) == (1, 1, 1)
    (ticket,) = world.sandbox.tickets()
    world.sandbox.agent_reply(int(ticket["id"]), html_body="<p>We are <b>looking</b>.</p>")
    until(lambda: world.bridge.order, "the reply to arrive")
    world.carried()
    (posted,) = world.bridge.posts.values()
    assert (posted["mention_id"], posted["text"].replace("*", "")) == ("m2", "We are looking.")
    notes = [one["plain_body"] for one in world.sandbox.comments(int(ticket["id"])) if not one["public"]]
    assert sum("Reply posted" in note for note in notes) == 1


def test_a_private_note_never_leaves(small: DaemonWorld) -> None:
    small.start()
    small.send(mention(1))
    small.carried()
    small.sandbox.agent_reply(1, "between us", public=False)
    small.sandbox.agent_reply(1, "for everybody")
    until(lambda: small.bridge.order, "the reply to arrive")
    assert [post["text"] for post in small.bridge.posts.values()] == ["for everybody"]


# --- what agents say with tags and merges ---


def _tag(world: DaemonWorld, ticket: int, tag: str) -> None:
    """An agent adds a tag in the helpdesk."""
    login = ("admin@example.com/token", "sandbox")
    url = f"{world.sandbox.address}/api/v2/tickets/{ticket}/tags"
    assert requests.put(url, json={"tags": [tag]}, auth=login, timeout=10).ok


def _muted(world: DaemonWorld) -> int:
    store = Store(world.settings["store"])
    with store.read() as tx:
        count = tx.execute(sa.select(sa.func.count()).select_from(muted)).scalar_one()
    store.close()
    return int(count)


def test_an_answer_the_guard_holds_leaves_when_an_agent_releases_it(world: DaemonWorld) -> None:
    world.start()
    world.send(mention(1))
    world.carried()
    (ticket,) = world.sandbox.tickets()
    number = int(ticket["id"])
    world.sandbox.agent_reply(number, html_body="<p>Call me: +7 903 555-12-34</p>")
    notes = until(
        lambda: [c for c in world.sandbox.comments(number) if "Reply held" in c["plain_body"]],
        "the note of the guard",
    )
    assert "+7 903 555-12-34" in notes[0]["plain_body"]
    assert not world.bridge.order
    _tag(world, number, "release_reply")
    until(lambda: world.bridge.order, "the released reply to arrive")
    until(lambda: "release_reply" not in world.sandbox.ticket(number)["tags"], "the tag to be taken off")
    world.carried()
    assert len(world.bridge.posts) == 1


def test_whoever_an_agent_mutes_opens_no_more_tickets(world: DaemonWorld) -> None:
    world.start()
    world.send(mention(1))
    world.carried()
    _tag(world, int(world.sandbox.tickets()[0]["id"]), "mute_author")
    until(lambda: _muted(world), "the author to be muted")
    world.send(mention(2, thread_id="elsewhere"))
    assert world.carried().ignored == {"author muted by an agent on ticket 1": 1}
    assert len(world.sandbox.tickets()) == 1


def test_the_conversation_of_a_merged_ticket_is_answered_from_the_one_that_survived(world: DaemonWorld) -> None:
    world.start()
    world.send(mention(1, thread_id="a"), mention(2, thread_id="b", author={"id": "u9", "name": "Olga"}))
    world.carried()
    first, second = (int(ticket["id"]) for ticket in world.sandbox.tickets())
    world.sandbox.merge(first, second)
    world.sandbox.agent_reply(first, html_body="<p>Both are mended.</p>")
    until(lambda: world.bridge.order, "the answer to arrive")
    world.carried()
    assert len(world.bridge.posts) == 1
    world.send(mention(3, thread_id="b", author={"id": "u9", "name": "Olga"}))
    world.carried()
    assert any("number 3" in c["plain_body"] for c in world.sandbox.comments(first))
    assert len(world.sandbox.tickets()) == 2


def test_every_loop_ends_with_the_process(small: DaemonWorld) -> None:
    before = set(threading.enumerate())
    one = small.start()
    ours = [thread for thread in threading.enumerate() if thread not in before and thread.name.startswith("pull-")]
    assert {"pull-reconciler", "pull-storms", "pull-deadlines", "pull-retention"} <= {thread.name for thread in ours}
    one.stop()
    assert [thread.name for thread in ours if thread.is_alive()] == []


# --- reload ---


def test_a_change_made_while_the_database_is_away_is_taken_over_when_it_is_back(
    small: DaemonWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = small.start()

    def away(_: object) -> None:
        raise Temporary("the database is not available")

    with monkeypatch.context() as meanwhile:
        meanwhile.setattr(one.daemon, "_declare", away)
        small.settings["sources"]["second"] = small.webhook()
        small.write()
        assert one.daemon.reload()
        assert small.send(mention(1), source="second").status_code == 404
    until(lambda: small.send(mention(1), source="second").ok, "the change to be taken over")


def test_a_good_reload_takes_over_a_new_source_and_declares_its_budget(world: DaemonWorld) -> None:
    one = world.start()
    assert world.send(mention(1), source="second").status_code == 404
    world.settings["sources"]["second"] = world.webhook(requests_per_minute=30)
    world.write()
    assert one.daemon.reload() == []
    store = Store(world.settings["store"])
    with store.read() as tx:
        rows = {row.name: row.per_minute for row in tx.execute(accounts.select())}
    store.close()
    assert rows == {"desk": None, "feed": None, "second": 30.0}
    assert world.send(mention(1), source="second").status_code == 200
    assert world.carried().ticketed == 1


@pytest.mark.parametrize(
    "spoil",
    [
        lambda world: world.config.write_text("helpdesks: [", encoding="utf-8"),
        lambda world: world.config.write_bytes(b"\xff\xfe\x00"),
        lambda world: world.config.unlink(),
        lambda world: world.settings["sources"]["feed"].update(tokken="x") or world.write(),
        lambda world: (world.mappings / "10-rules.yaml").write_text("rules: {", encoding="utf-8"),
    ],
    ids=["broken", "not-text", "gone", "misspelt", "mapping"],
)
def test_a_refused_reload_keeps_the_old_and_says_why(small: DaemonWorld, spoil: Callable[[DaemonWorld], Any]) -> None:
    one = small.start()
    spoil(small)
    problems = one.daemon.reload()
    assert problems
    assert ".yaml" in problems[0], problems
    assert small.send(mention(1)).status_code == 200
    assert small.carried().ticketed == 1


def test_a_changed_file_is_noticed(small: DaemonWorld) -> None:
    one = small.start()
    small.settings["sources"]["second"] = small.webhook()
    small.write()
    until(lambda: small.send(mention(1), source="second").status_code == 200, "the change to be noticed")
    assert one.alive


def test_a_changed_source_restarts_only_its_own_puller(small: DaemonWorld) -> None:
    for name in ("left", "right"):
        small.settings["sources"][name] = {
            "type": "rss",
            "helpdesk": "desk",
            "url": f"{small.desk}/no/{name}",
            "poll": 60,
            "allow_private_addresses": True,
        }
    one = small.start()
    before = dict(one.daemon._loops)
    small.settings["sources"]["left"]["poll"] = 61
    small.write()
    assert one.daemon.reload() == []
    after = one.daemon._loops
    assert {name for name in before if before[name] is not after[name]} == {"left"}
    before["left"].join(20)
    assert not before["left"]._thread.is_alive()


def test_a_removed_source_takes_no_more_hooks(small: DaemonWorld) -> None:
    small.settings["sources"]["second"] = small.webhook()
    one = small.start()
    del small.settings["sources"]["second"]
    small.write()
    one.daemon.reload()
    assert small.send(mention(1), source="second").status_code == 404
    assert small.send(mention(1)).status_code == 200


# --- trouble ---


def test_a_broken_adapter_is_quarantined_while_the_others_run(
    small: DaemonWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    small.settings["sources"]["broken"] = {"type": "manual", "helpdesk": "desk"}

    def fall_apart(*_: Any) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(Manual, "__init__", fall_apart)
    small.start()
    assert small.send(mention(1)).status_code == 200
    assert small.carried().ticketed == 1


def test_a_source_that_cannot_say_who_it_is_still_takes_hooks(
    small: DaemonWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fall_apart(_: Any) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(Webhook, "check", fall_apart)
    small.start()
    assert small.send(mention(1)).status_code == 200
    assert small.carried().ticketed == 1


def test_a_helpdesk_that_is_away_gets_everything_when_it_is_back(world: DaemonWorld) -> None:
    world.sandbox.faults.error_5xx = 1.0
    world.start()
    for number in range(5):
        assert world.send(mention(number)).json()["accepted"] == 1
    until(lambda: world.sandbox.hits().get("error_5xx", 0) > 5, "some tries")
    world.sandbox.faults.error_5xx = 0.0
    assert world.carried().ticketed == 5
    assert len(world.sandbox.tickets()) == 5


# --- the end ---


def test_calls_in_flight_end_before_the_daemon_does(world: DaemonWorld) -> None:
    world.sandbox.faults.slow, world.sandbox.faults.slow_s = 1.0, 0.3
    one = world.start()
    for number in range(12):
        world.send(mention(number))
    until(lambda: world.sandbox.requests().get("POST /api/v2/tickets"), "a call in flight")
    one.stop()
    store = Store(world.settings["store"])
    with store.read() as tx:
        found = {row.state for row in tx.exec_driver_sql("SELECT state FROM deliveries")}
        doubt = tx.exec_driver_sql("SELECT count(*) FROM deliveries WHERE doubted_at IS NOT NULL").scalar()
    store.close()
    assert found <= {"ready", "blocked", "done"}
    assert doubt == 0
    world.sandbox.faults.slow = 0.0
    world.start()
    assert world.carried().ticketed == 12
    assert len(world.sandbox.tickets()) == 12


def test_what_comes_while_it_drains_is_sent_away_with_a_time_to_come_again(small: DaemonWorld) -> None:
    one = small.start()
    one.stop()
    with pytest.raises(Temporary, match="come again"):
        one.daemon.receive("feed", Hook({}, b"{}", 0.0))
    assert one.daemon._ready() == "stopping"


def test_a_second_daemon_on_the_same_sqlite_is_refused_by_name(small: DaemonWorld) -> None:
    small.start()
    with pytest.raises(StoreBusy, match=rf"process {os.getpid()}\b.*PostgreSQL"):
        small.start()


def test_two_daemons_on_one_postgresql_share_the_work_without_doubles(tmp_path: Path, postgres: Any) -> None:
    world = DaemonWorld(tmp_path, postgres.fresh())
    try:
        world.sandbox.faults.slow, world.sandbox.faults.slow_s = 1.0, 0.02
        first, second = world.start(), world.start()
        for number in range(40):
            to = first if number % 2 else second
            world.send(*(mention(f"{number}-{part}", thread_id=f"t{number}") for part in range(2)), to=to)
        ledger = world.carried()
        assert (ledger.ticketed, ledger.ticketed + ledger.appended) == (40, 80)
        assert len({ticket["external_id"] for ticket in world.sandbox.tickets()}) == 40
        assert len(world.sandbox.tickets()) == 40
        turns = [sum(one.daemon._dispatcher.settled.values()) for one in (first, second)]
        assert min(turns) > 0, turns
    finally:
        world.close()


# --- what it tells ---

FAMILIES = {
    "connector_turns",
    "connector_rule_hits",
    "connector_in_hand",
    "connector_store_up",
    "connector_deliveries",
    "connector_oldest_waiting_seconds",
    "connector_mentions_received",
    "connector_mentions_duplicate",
    "connector_last_mention_age_seconds",
    "connector_account_stopped",
    "connector_account_trouble",
    "connector_first_answers",
    "connector_storm_people",
    "connector_silences",
}


def _metrics(url: str) -> dict[str, Any]:
    answer = requests.get(f"{url}/metrics", timeout=10)
    assert answer.headers["Content-Type"].startswith("text/plain")
    return {family.name: family for family in text_string_to_metric_families(answer.text)}


def test_the_metrics_are_what_prometheus_reads(world: DaemonWorld) -> None:
    one = world.start()
    world.send(mention(1))
    world.send(mention(1))
    world.send(mention(2, text="Верните деньги!", author={"id": "u2"}))
    world.carried()
    until(lambda: not one.daemon._dispatcher.in_hand, "everything to be put down")
    found = _metrics(one.url)
    assert set(found) == FAMILIES
    assert all(family.documentation for family in found.values())

    def value(name: str, **labels: str) -> float:
        return next(s.value for s in found[name].samples if s.labels == labels and not s.name.endswith("_created"))

    assert value("connector_store_up") == 1
    assert value("connector_turns", kind="mention", end="done") == 2
    assert value("connector_rule_hits", rule="money back") == 1
    assert value("connector_mentions_received", source="feed") == 3
    assert value("connector_mentions_duplicate", source="feed") == 1
    assert value("connector_account_stopped", account="desk") == 0
    counted = {state: value("connector_first_answers", state=state) for state in ("in_time", "past_target", "late")}
    assert counted == {"in_time": 2, "past_target": 0, "late": 0}


def test_without_its_database_it_is_alive_not_ready_and_says_so_in_the_metrics(
    small: DaemonWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = small.start()
    for path in ("healthz", "readyz"):
        assert requests.get(f"{one.url}/{path}", timeout=10).text == "ok"

    def away(*_: Any) -> Any:
        raise Temporary("the database is not available: told to be away", service="store")

    with monkeypatch.context() as patch:
        patch.setattr(Store, "begin", away)
        patch.setattr(Store, "read", away)
        refused = small.send(mention(1))
        assert (refused.status_code, refused.headers["Retry-After"]) == (503, "5")
        answer = requests.get(f"{one.url}/readyz", timeout=10)
        assert (answer.status_code, answer.text) == (503, "the database is not available: told to be away")
        assert requests.get(f"{one.url}/healthz", timeout=10).status_code == 200
        assert _metrics(one.url)["connector_store_up"].samples[0].value == 0
    until(lambda: requests.get(f"{one.url}/readyz", timeout=10).status_code == 200, "it to be ready again")
    assert small.send(mention(1)).status_code == 200


def test_systemd_is_told_of_every_step(small: DaemonWorld, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ear:
        ear.bind(str(tmp_path / "notify"))
        ear.settimeout(20)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        one = small.start()
        heard = [ear.recv(200).decode()]
        while "WATCHDOG=1" not in heard:
            heard.append(ear.recv(200).decode())
        one.daemon.reload()
        while not heard[-2].startswith("RELOADING=1"):
            heard.append(ear.recv(200).decode())
        one.stop()
        while heard[-1] != "STOPPING=1":
            heard.append(ear.recv(200).decode())
    steps = [line.split("\n")[0] for line in heard if line != "WATCHDOG=1"]
    assert steps == ["READY=1", "RELOADING=1", "READY=1", "STOPPING=1"]
    (reloading,) = [line for line in heard if line.startswith("RELOADING")]
    assert int(reloading.split("MONOTONIC_USEC=")[1]) > 0


def test_a_full_or_missing_notification_socket_blocks_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "nobody"))
    _notify("WATCHDOG=1")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as deaf:
        deaf.bind(str(tmp_path / "full"))
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "full"))
        teller = threading.Thread(target=lambda: [_notify("WATCHDOG=1") for _ in range(2_000)])
        teller.start()
        teller.join(20)
        assert not teller.is_alive()
