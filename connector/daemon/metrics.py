"""What Prometheus reads: counted by this process, and read from the store when it asks."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.registry import Collector

from connector.errors import ConnectorError
from connector.store import Store, journal, watches
from connector.store.silences import Silence, list_silences
from connector.store.storms import Summary, active_storms


class _Reading(Collector):
    def __init__(
        self,
        store: Store,
        settled: Mapping[tuple[str, str], int],
        hits: Mapping[str, int],
        in_hand: Callable[[], int],
    ) -> None:
        self.store = store
        self.settled = settled
        self.hits = hits
        self.in_hand = in_hand

    def describe(self) -> Iterable[Metric]:
        return []

    def collect(self) -> Iterable[Metric]:
        turns = CounterMetricFamily(
            "connector_turns", "Turns of carrying by this process, by how they ended", labels=["kind", "end"]
        )
        for (kind, end), count in sorted(dict(self.settled).items()):
            turns.add_metric([kind, end], count)
        yield turns
        rules = CounterMetricFamily(
            "connector_rule_hits", "Mentions that a rule of the mapping fitted", labels=["rule"]
        )
        for rule, count in sorted(dict(self.hits).items()):
            rules.add_metric([rule], count)
        yield rules
        in_hand = GaugeMetricFamily("connector_in_hand", "Deliveries this process is working on")
        in_hand.add_metric([], self.in_hand())
        yield in_hand
        up = GaugeMetricFamily("connector_store_up", "Whether the database answers")
        try:
            with self.store.read() as tx:
                standing, backlog, oldest = journal.standing(tx), journal.backlog(tx), journal.oldest_waiting(tx)
                awaited = watches.overview(tx)
                raging, silent = active_storms(tx), list_silences(tx)
        except ConnectorError:
            up.add_metric([], 0)
            yield up
            return
        up.add_metric([], 1)
        yield up
        yield from _from_store(standing, backlog, oldest)
        yield _first_answers(awaited)
        yield from _storms(raging, silent)


def _from_store(
    standing: list[journal.Account], backlog: Mapping[tuple[str, str], int], oldest: float | None
) -> Iterable[Metric]:
    now = time.time()
    waiting = GaugeMetricFamily("connector_deliveries", "Deliveries not at their end", labels=["kind", "state"])
    for (kind, state), count in sorted(backlog.items()):
        waiting.add_metric([kind, state], count)
    yield waiting
    age = GaugeMetricFamily("connector_oldest_waiting_seconds", "Age of the oldest delivery that is due")
    age.add_metric([], 0.0 if oldest is None else now - oldest)
    yield age
    received = CounterMetricFamily("connector_mentions_received", "Mentions that arrived", labels=["source"])
    known = CounterMetricFamily("connector_mentions_duplicate", "Of them, those known already", labels=["source"])
    last = GaugeMetricFamily("connector_last_mention_age_seconds", "Since the last mention", labels=["source"])
    stopped = GaugeMetricFamily("connector_account_stopped", "1 while no call is made", labels=["account"])
    trouble = GaugeMetricFamily("connector_account_trouble", "1 while pulling does not work", labels=["account"])
    for account in standing:
        if account.received:
            received.add_metric([account.name], account.received)
            known.add_metric([account.name], account.duplicates)
        if account.last_at is not None:
            last.add_metric([account.name], now - account.last_at)
        stopped.add_metric([account.name], int(bool(account.stopped)))
        trouble.add_metric([account.name], int(bool(account.trouble)))
    yield from (received, known, last, stopped, trouble)


def _first_answers(awaited: watches.Overview) -> Metric:
    found = GaugeMetricFamily(
        "connector_first_answers", "Conversations that wait for a first answer", labels=["state"]
    )
    in_time = awaited.watched - awaited.past_target
    found.add_metric(["in_time"], in_time)
    found.add_metric(["past_target"], awaited.past_target - awaited.late)
    found.add_metric(["late"], awaited.late)
    return found


def _storms(raging: list[Summary], silent: list[Silence]) -> Iterable[Metric]:
    storms = GaugeMetricFamily("connector_storm_people", "People in a storm that is on", labels=["topic", "source"])
    for summary in raging:
        storms.add_metric([summary.storm.topic, summary.storm.source], summary.people)
    silences = GaugeMetricFamily("connector_silences", "Silences that last")
    silences.add_metric([], len(silent))
    yield from (storms, silences)


def exposition(
    store: Store, settled: Mapping[tuple[str, str], int], hits: Mapping[str, int], in_hand: Callable[[], int]
) -> Callable[[], tuple[bytes, str]]:
    """A function that gives the metrics as Prometheus reads them, with their content type."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Reading(store, settled, hits, in_hand))
    return lambda: (generate_latest(registry), CONTENT_TYPE_LATEST)
