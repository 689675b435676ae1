"""Mentions to tickets, the connector beside a naive script: one JSON line.

    python benchmarks/run.py [--mentions 2000] [--rounds 3] [--store postgresql://…] [--latency 0.02]

Each round runs both programs, one after the other, each against a fresh stub helpdesk (and the connector on a fresh
SQLite file): first a burst, sent as fast as it is accepted, then a paced run for latencies. What is counted and what
is not: README.md in this folder. Linux only: CPU and memory are read from /proc.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
WARM_UP = 50
_FIRST_PACED, _FIRST_WARM = 1_000_000, 2_000_000
_TICK = os.sysconf("SC_CLK_TCK")

_CONFIG = """\
store: {store}
server: {{listen: 127.0.0.1:0}}
mappings: {mappings}
helpdesks:
  desk: {{type: zendesk, base_url: "{helpdesk}", email: bot@example.com, api_token: sandbox}}
sources:
  feed: {{type: webhook, helpdesk: desk, token: benchmark-token}}
"""


@dataclass(frozen=True)
class Program:
    """One of the two programs, running: where it listens, and what is asked of it at the end."""

    process: subprocess.Popen[str]
    port: int
    config: Path | None = None

    def cpu(self) -> float:
        """Seconds of CPU, user and system, that it has used so far."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICK

    def peak_mb(self) -> float:
        """The most memory it ever held (VmHWM)."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.partition("VmHWM:")[2].split()[0]) / 1024

    def balance(self) -> Mapping[str, Any]:
        """The connector's own ledger."""
        command = [sys.executable, "-m", "connector", "-c", str(self.config), "status", "--json"]
        told = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)
        ledger: Mapping[str, Any] = json.loads(told.stdout)["balance"]
        return ledger


@contextmanager
def running(command: list[str], errors: Any = None) -> Iterator[subprocess.Popen[str]]:
    """A process of ours, ended whatever happens."""
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True, cwd=HERE.parent)
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(timeout=60)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@contextmanager
def helpdesk(latency: float) -> Iterator[int]:
    """A fresh stub; its port."""
    with running([sys.executable, str(HERE / "stub.py"), "--latency", str(latency)]) as process:
        assert process.stdout is not None
        yield int(process.stdout.readline())


@contextmanager
def connector(desk: int, store: str) -> Iterator[Program]:
    """`connector run` as a user runs it, but for a store that syncs to disk as usual and is new."""
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        config = Path(folder) / "config.yaml"
        mappings = HERE.parent / "mappings"
        address = f"http://127.0.0.1:{desk}"
        config.write_text(_CONFIG.format(store=store, mappings=mappings, helpdesk=address), encoding="utf-8")
        log = Path(folder) / "log"
        with (
            log.open("w") as errors,
            running([sys.executable, "-m", "connector", "-c", str(config), "run"], errors) as process,
        ):
            yield Program(process, _port_in(log), config)


def _port_in(log: Path) -> int:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        _, found, rest = log.read_text(encoding="utf-8").partition("hooks and health on http://127.0.0.1:")
        if found and "\n" in rest:
            return int("".join(c for c in rest.split("\n")[0].split()[0] if c.isdigit()))
        time.sleep(0.05)
    raise SystemExit(f"the connector did not start:\n{log.read_text(encoding='utf-8')}")


@contextmanager
def naive(desk: int, _store: str) -> Iterator[Program]:
    """The naive script."""
    with running([sys.executable, str(HERE / "naive.py"), f"http://127.0.0.1:{desk}"]) as process:
        assert process.stdout is not None
        yield Program(process, int(process.stdout.readline()))


# --- one run -----------------------------------------------------------------------------------------------


def send(port: int, options: argparse.Namespace, **shape: Any) -> Any:
    """What the load generator measured."""
    words = {"known": options.known, "follow-ups": options.follow_ups, "connections": options.connections, **shape}
    arguments = [part for name, value in words.items() for part in (f"--{name}", str(value))]
    done = subprocess.run(
        [sys.executable, str(HERE / "load.py"), str(port), *arguments], check=True, capture_output=True, text=True
    )
    return json.loads(done.stdout)


def seen(desk: int, until: int) -> Any:
    """What came to the helpdesk, once so many mentions did and it has been quiet for half a second."""
    deadline, quiet, calls = time.monotonic() + 600, time.monotonic(), -1
    while time.monotonic() < deadline:
        told = _ask(desk, "/seen")
        if told["calls"] != calls:
            calls, quiet = told["calls"], time.monotonic()
        if told["seen"] >= until and time.monotonic() - quiet > 0.5:
            return _ask(desk, "/seen?everything")
        time.sleep(0.1)
    raise SystemExit(f"only {told['seen']} of {until} mentions came to the helpdesk")


def _ask(desk: int, path: str) -> Any:
    with urllib.request.urlopen(f"http://127.0.0.1:{desk}{path}", timeout=10) as answer:
        return json.loads(answer.read())


def measure(make: Any, options: argparse.Namespace) -> dict[str, Any]:
    """Both load shapes on one program."""
    with helpdesk(options.latency) as desk, make(desk, options.store) as program:
        sent = WARM_UP
        send(program.port, options, mentions=WARM_UP, first=_FIRST_WARM)
        seen(desk, sent)

        used, began = program.cpu(), seen(desk, sent)["calls"]
        sent += options.mentions
        burst = send(program.port, options, mentions=options.mentions)
        came = seen(desk, sent)
        used = program.cpu() - used
        result = {
            "throughput_per_s": options.mentions / (came["last"] - burst["start"]),
            "accepts_per_s": options.mentions / (burst["last"] - burst["start"]),
            "cpu_s_per_1000": used / options.mentions * 1000,
            "calls_per_mention": (came["calls"] - began) / options.mentions,
            "burst_accept_ms": _percentiles(burst["accepted"]),
            "refused": burst["refused"],
        }
        if options.paced:
            sent += options.paced
            paced = send(program.port, options, mentions=options.paced, first=_FIRST_PACED, rate=options.rate)
            came = seen(desk, sent)
            result["refused"] += paced["refused"]
            result["accept_ms"] = _percentiles(paced["accepted"])
            result["to_ticket_ms"] = _percentiles([came["first"][mark] - at for mark, at in paced["sent"].items()])
        result |= {"peak_mb": program.peak_mb(), "shown_twice": came["twice"], "durable": program.config is not None}
        if program.config is not None:
            result["balance_even"] = _even(program, sent)
        return result


def _even(program: Program, sent: int) -> bool:
    """Whether the ledger accounts for every mention, with nothing waiting or in trouble."""
    ledger = program.balance()
    settled = ledger["ticketed"] + ledger["appended"] == sent
    return bool(ledger["even"] and ledger["received"] == sent and settled)


def _percentiles(seconds: list[float]) -> dict[str, float]:
    cuts = statistics.quantiles(seconds, n=100, method="inclusive")
    return {"p50": cuts[49] * 1000, "p99": cuts[98] * 1000}


# --- all of it ---------------------------------------------------------------------------------------------


def median(results: list[Any]) -> Any:
    """The median of each number over the rounds; of words of truth, whether all are true."""
    first = results[0]
    if isinstance(first, dict):
        return {name: median([one[name] for one in results]) for name in first}
    if isinstance(first, bool):
        return all(results)
    return round(statistics.median(results), 3)


def main() -> None:
    """Run the rounds, print the line."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--mentions", type=int, default=2000, help="in the burst")
    arguments.add_argument("--paced", type=int, default=300, help="in the paced run; 0: none")
    arguments.add_argument("--rate", type=float, default=50.0, help="mentions a second in the paced run")
    arguments.add_argument("--rounds", type=int, default=3)
    arguments.add_argument("--follow-ups", type=float, default=0.2, help="share that continues a conversation")
    arguments.add_argument("--known", type=float, default=0.25, help="of the others, share by known authors")
    arguments.add_argument("--connections", type=int, default=32, help="of the load generator")
    arguments.add_argument("--latency", type=float, default=0.0, help="seconds the helpdesk takes for each answer")
    arguments.add_argument("--store", default="sqlite:///bench.db", help="an empty database, for one round at a time")
    arguments.add_argument("--only", choices=("ours", "naive"), help="run one of the two")
    options = arguments.parse_args()
    programs = {"ours": connector, "naive": naive}
    wanted = [options.only] if options.only else list(programs)
    results: dict[str, list[dict[str, Any]]] = {name: [] for name in wanted}
    for number in range(options.rounds):
        for name in wanted if number % 2 == 0 else wanted[::-1]:
            results[name].append(measure(programs[name], options))
    line: dict[str, Any] = {name: median(found) for name, found in results.items()}
    if len(line) == 2:
        ours, other = line["ours"], line["naive"]
        line["ratio"] = {
            "throughput": round(ours["throughput_per_s"] / other["throughput_per_s"], 2),
            "cpu": round(ours["cpu_s_per_1000"] / other["cpu_s_per_1000"], 2),
        }
    line["load"] = {
        "mentions": options.mentions,
        "mix": f"{options.follow_ups:.0%} follow-ups; of the rest {options.known:.0%} by known authors",
        "connections": options.connections,
        "paced_per_s": options.rate if options.paced else None,
        "helpdesk_latency_s": options.latency,
        "store": options.store.partition(":")[0],
        "rounds": options.rounds,
        "cores": os.cpu_count(),
    }
    print(json.dumps(line))


if __name__ == "__main__":
    main()
