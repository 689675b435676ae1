"""The daemon itself: start, reload, drain."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import random
import secrets
import signal
import socket
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import IO, Any, TypeVar

from connector import app, log, plugins, triage
from connector.adapter import ChallengeAnswer, Hook
from connector.app import Assembly
from connector.config import Config
from connector.config import load as load_config
from connector.daemon.dispatcher import Dispatcher, written
from connector.daemon.eraser import Eraser
from connector.daemon.metrics import exposition
from connector.daemon.pullers import Puller, ReplyPuller, SourcePuller
from connector.daemon.reconciler import Reconciler
from connector.daemon.storms import StormWatch
from connector.daemon.watcher import Watcher
from connector.errors import ConfigError, ConnectorError, Temporary, Unsupported
from connector.flow.deliver import Wiring, carry
from connector.flow.intake import arrivals, homes_for, located
from connector.model import Mention
from connector.server import Handlers, Listener, application
from connector.sources.base import Source
from connector.store import Claim, Outcome
from connector.store.arrivals import release_pulls, wake
from connector.store.journal import remember
from connector.store.queue import LeaseLost
from connector.yamlfile import environment

T = TypeVar("T")

_WATCH = 1.0
_STALE = 30.0
_LOCATORS = 4
_LEAVE = 5.0


class _Loop:
    """A thread that asks a puller for one pull after another until it is stopped; `nudge` cuts a wait short."""

    def __init__(self, puller: Puller | Reconciler | Watcher | Eraser | StormWatch) -> None:
        self.puller = puller
        self._nudged = threading.Event()
        self._stopped = False
        self._thread = threading.Thread(target=self._run, name=f"pull-{puller.name}", daemon=True)
        self._thread.start()

    def nudge(self) -> None:
        """There is something to look at now."""
        self._nudged.set()

    def stop(self) -> None:
        """Pull no more; gives back at once."""
        self._stopped = self.puller.retired = True
        self._nudged.set()

    def join(self, within: float) -> None:
        """Wait for the pull under way."""
        self._thread.join(timeout=within)

    def _run(self) -> None:
        while not self._stopped:
            wait = self.puller.pull_once()
            if wait > 0:
                self._nudged.wait(wait)
            self._nudged.clear()


class Daemon:
    """One replica. `run` gives back when a signal or `stop` ended it."""

    def __init__(self, config: Config, policy: triage.Policy, *, shadow: bool = False) -> None:
        self.config = config
        self.shadow = shadow
        self.owner = f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"
        self.address = ""
        self.identities: dict[str, str] = {}
        self._log = log.get()
        self._store = app.open_store(config, alone=True)
        self._assembly = app.assemble(config)
        self._wiring = self._wire(policy)
        self._dispatcher = Dispatcher(
            self._store,
            self.owner,
            workers=config.delivery.workers,
            lease=config.delivery.lease,
            accounts=self._accounts,
        )
        self._storms = StormWatch(self._store, self._dispatcher, lambda: self._wiring)
        self._grace = config.delivery.lease / 8
        self._loops: dict[str, _Loop] = {}
        self._watching: list[_Loop] = []
        self._workers: list[threading.Thread] = []
        self._retired: list[Assembly] = []
        self._stopped_accounts: set[str] = set()
        self._draining = False
        self._end = threading.Event()
        self._hup = False
        self._seen = self._fingerprint()
        self._listener: Listener | None = None
        self._elsewhere = ThreadPoolExecutor(_LOCATORS, "locate")

    def _wire(self, policy: triage.Policy) -> Wiring:
        return app.wire(self.config, self._assembly, policy, identities=self.identities, shadow=self.shadow)

    def _accounts(self) -> list[str]:
        wiring = self._wiring
        return [*wiring.helpdesks, *wiring.sources]

    # --- life ---

    def run(self, ready: Callable[[str], None] | None = None, *, signals: bool = True) -> None:
        """Start, run until told to end, drain. `ready` is called with the listener's address."""
        if signals:
            # a handler only sets a flag: work done inside one could find any lock held
            signal.signal(signal.SIGTERM, lambda *_: self._end.set())
            signal.signal(signal.SIGINT, lambda *_: self._end.set())
            signal.signal(signal.SIGHUP, lambda *_: setattr(self, "_hup", True))
        self.start()
        if ready is not None:
            ready(self.address)
        pid_file = self._write_pid()
        next_look = time.monotonic() + _WATCH
        try:
            while not self._end.wait(0.2):
                if self._dispatcher.beat > time.monotonic() - _STALE:
                    _notify("WATCHDOG=1")
                due = time.monotonic() >= next_look
                if self._hup or (due and self._fingerprint() != self._seen):
                    self._hup = False
                    self.reload()
                if due:
                    next_look = time.monotonic() + _WATCH
        finally:
            if pid_file is not None:
                Path(pid_file.name).unlink(missing_ok=True)
                pid_file.close()
            self.drain()

    def stop(self) -> None:
        """End `run`; from any thread."""
        self._end.set()

    def start(self) -> None:
        """Everything runs when this gives back."""
        server = self.config.server
        hand = self._dispatcher
        metrics = exposition(self._store, hand.settled, hand.hits, lambda: hand.in_hand)
        handlers = Handlers(self.receive, self._alive, self._ready, metrics, self.challenged)
        self._listener = Listener(application(handlers, server.max_body), server.host, server.port)
        self._dispatcher.start()
        for number in range(self.config.delivery.workers):
            worker = threading.Thread(target=self._work, name=f"worker-{number}", daemon=True)
            worker.start()
            self._workers.append(worker)
        self._start_pullers()
        self._watching += [
            _Loop(Reconciler(hand, self.owner, lambda: self._wiring)),
            _Loop(Watcher(hand, lambda: self._wiring)),
            _Loop(Eraser(hand, lambda: self.config.retention_days)),
            _Loop(self._storms),
        ]
        self._listener.start()
        self.address = self._listener.address
        self._remember_policy(ok=True, problems=[])
        for name, why in self._assembly.broken.items():
            self._log.error("account quarantined", account=name, why=why)
        self._log.info("running", address=self.address, store=self._store.shown, shadow=self.shadow)
        _notify("READY=1")

    def drain(self) -> None:
        """Refuse what is new, finish what is in hand, let go of everything."""
        self._draining = True
        self._end.set()
        _notify("STOPPING=1")
        self._log.info("draining", in_hand=self._dispatcher.in_hand)
        if self._listener is not None:
            self._listener.stop()
        self._elsewhere.shutdown(wait=False, cancel_futures=True)
        loops = [*self._loops.values(), *self._watching]
        for loop in loops:
            loop.stop()
        self._dispatcher.stop_claiming()
        grace = time.monotonic() + _LEAVE
        for loop in loops:  # they all were told at once
            loop.join(max(0.0, grace - time.monotonic()))
        with contextlib.suppress(ConnectorError):
            written(self._dispatcher.run(lambda tx: release_pulls(tx, self.owner)), 10)
        # that was a turn that claimed nothing, so no claim can come any more and the workers may go home
        self._dispatcher.claims.close()
        clean = self._dispatcher.stop(within=45)
        for assembly in (*self._retired, self._assembly):
            for source in assembly.sources.values():
                source.close()
            for helpdesk in assembly.helpdesks.values():
                helpdesk.close()
        self._store.close()
        self._log.info("stopped", clean=clean)

    # --- hooks ---

    def receive(self, name: str, hook: Hook) -> Future[dict[str, Any] | str]:
        """Verify and read a hook; the future is done when what it brought is durable."""
        if self._draining:
            raise Temporary("stopping; come again", wait=5)
        wiring = self._wiring
        source = wiring.sources.get(name)
        if source is not None and source.capabilities.push:
            mentions = source.read_hook(hook)
            wanted = source.hook_answer(hook)
            if mentions and homes_for(source, wiring.sources):
                accepted: Future[list[bool]] = self._elsewhere.submit(
                    self._accept_located, mentions, source, wiring.sources
                )
            elif mentions:
                accepted = self._dispatcher.accept(arrivals(mentions, source.options))
            else:
                accepted = _done([])
            return _then(
                accepted,
                lambda fresh: (
                    {"accepted": sum(fresh), "duplicates": len(fresh) - sum(fresh)} if wanted is None else wanted
                ),
            )
        helpdesk = wiring.helpdesks.get(name)
        if helpdesk is not None and helpdesk.capabilities.push:
            tickets = list(helpdesk.read_hook(hook))
            if not tickets:
                return _done({"woken": 0})
            return _then(
                self._dispatcher.run(lambda tx: wake(tx, name, tickets)), lambda woken: self._woken(name, woken)
            )
        raise LookupError(name)

    def challenged(self, name: str, query: Mapping[str, str]) -> ChallengeAnswer:
        """The answer to a platform that asks whether the hook's address is ours."""
        source = self._wiring.sources.get(name)
        if source is None or not source.capabilities.push:
            raise LookupError(name)
        try:
            return source.answer_challenge(query)
        except Unsupported:
            raise LookupError(name) from None

    def _accept_located(
        self, mentions: Sequence[Mention], source: Source, sources: Mapping[str, Source]
    ) -> list[bool]:
        """A hook's mentions which another account may answer: it is asked first, outside the listener's thread."""
        found = located(mentions, source, sources)
        if self._draining:
            raise Temporary("stopping; come again", wait=5)
        return written(self._dispatcher.accept(found), 120)

    def _woken(self, name: str, woken: int) -> dict[str, Any]:
        loop = self._loops.get(name)
        if woken and loop is not None:
            loop.nudge()
        return {"woken": woken}

    def _alive(self) -> str:
        idle = time.monotonic() - self._dispatcher.beat
        return f"the dispatcher has not moved for {idle:.0f} s" if idle > _STALE else ""

    def _ready(self) -> str:
        return "stopping" if self._draining else self._dispatcher.trouble or self._alive()

    # --- workers ---

    def _work(self) -> None:
        claims = self._dispatcher.claims
        while (claim := claims.get()) is not None:
            started = time.monotonic()
            try:
                outcome = self._carried(claim)
            finally:
                claims.done(claim)
            self._dispatcher.settle(outcome)
            self._tell(claim, outcome, time.monotonic() - started)

    def _carried(self, claim: Claim) -> Outcome:
        if self._draining:
            # not begun: nothing was sent, so it goes back as it was
            return Outcome(claim, counted=False, in_doubt=claim.in_doubt)
        try:
            chance = random.random()  # noqa: S311
            return carry(claim, self._wiring, self._dispatcher.intend, chance, self._bug, self._storms.place)
        except LeaseLost:
            return Outcome(claim, counted=False, in_doubt=True)
        except Exception as error:  # noqa: BLE001 - the worker goes on; the delivery is looked up before it is sent
            self._bug(error)
            return Outcome(claim, reason=f"bug: {type(error).__name__}", wait=60.0, in_doubt=True)

    def _bug(self, error: Exception) -> None:
        self._log.error("bug", exc_info=error)

    def _tell(self, claim: Claim, outcome: Outcome, seconds: float) -> None:
        """One line per delivery that ends; an account's trouble when it begins and when it ends."""
        facts = {"delivery": claim.id, "kind": claim.kind, "source": claim.source, "account": claim.account}
        if outcome.stop:
            if claim.account not in self._stopped_accounts:
                self._stopped_accounts.add(claim.account)
                self._log.error("account stopped", account=claim.account, why=outcome.stop)
        elif outcome.receipt is not None and claim.account in self._stopped_accounts:
            self._stopped_accounts.discard(claim.account)
            self._log.info("account back", account=claim.account)
        if outcome.end in ("failed", "unsure", "held"):
            self._log.warning(f"delivery {outcome.end}", reason=outcome.reason, attempts=claim.attempts, **facts)
        elif outcome.end is not None:
            ticket = outcome.ticket or claim.ticket
            self._log.info("delivery carried", end=outcome.end, ticket=ticket, seconds=round(seconds, 3), **facts)
        else:
            self._log.debug("delivery waits", reason=outcome.reason, wait=outcome.wait, **facts)

    # --- pullers ---

    def _start_pullers(self) -> None:
        for name, source in self._assembly.sources.items():
            if name in self._loops:
                continue
            if source.capabilities.pull:
                self._loops[name] = self._loop(self._source_puller(source))
            else:
                self._introduce(name, source)
        for name, helpdesk in self._assembly.helpdesks.items():
            if name not in self._loops:
                self._loops[name] = self._loop(ReplyPuller(helpdesk, self.owner, self._dispatcher, self._grace))

    def _source_puller(self, source: Source) -> SourcePuller:
        return SourcePuller(source, self.owner, self._dispatcher, self._grace, lambda: self._wiring.sources)

    def _introduce(self, name: str, source: Source) -> None:
        """Learn which account answers; one that cannot say so still takes hooks, and the others run."""
        try:
            self.identities.setdefault(name, source.check().name)
        except Exception as error:  # noqa: BLE001 - one bad account is told and must not keep the others from running
            self._log.error("account in trouble", account=name, trouble=str(error))

    def _loop(self, puller: Puller) -> _Loop:
        puller.known = lambda identity: self.identities.__setitem__(puller.name, identity)
        return _Loop(puller)

    # --- reload ---

    def reload(self) -> list[str]:
        """Read the files again: take them all or keep what runs. The mistakes that kept them out, if any."""
        self._seen = self._fingerprint()
        _notify("RELOADING=1")
        try:
            config = load_config(self.config.file)
            policy = triage.load(config.mappings, find=plugins.tone_detector)
            self._declare(config)
        except Temporary as error:
            self._seen = ()  # nothing is wrong with the files: they are taken up when the database is back
            _notify("READY=1")
            return [str(error)]
        except ConnectorError as error:
            problems = [str(p) for p in error.problems] if isinstance(error, ConfigError) else [str(error)]
            self._log.error(
                "reload refused, the old configuration goes on", problems=len(problems), first=problems[0]
            )
            self._remember_policy(ok=False, problems=problems)
            _notify("READY=1")
            return problems
        fixed = ("store", "server", "delivery")
        late = [name for name in fixed if getattr(config, name) != getattr(self.config, name)]
        if late:
            self._log.warning("restart to take these over", sections=", ".join(late))
        same = policy.version == self._wiring.policy.version and config == self.config
        self.config = config
        self._exchange(app.assemble(config, self._assembly), policy)
        self._remember_policy(ok=True, problems=[])
        self._log.info("reloaded" if not same else "nothing changed", policy=policy.version)
        _notify("READY=1")
        return []

    def _declare(self, config: Config) -> None:
        """Every account and its budget, before the first call is made under it."""
        written(self._dispatcher.run(lambda tx: app.declare(tx, config)), 30)

    def _exchange(self, assembly: Assembly, policy: triage.Policy) -> None:
        """Swap the adapters and the policy; pullers of what changed are stopped and begun anew."""
        before = self._assembly
        old: dict[str, object] = {**before.sources, **before.helpdesks}
        new: dict[str, object] = {**assembly.sources, **assembly.helpdesks}
        gone = [name for name, outlet in old.items() if new.get(name) is not outlet]
        for name in gone:
            loop = self._loops.pop(name, None)
            if loop is not None:
                loop.stop()
        for name in gone:
            self.identities.pop(name, None)
        if gone:
            # calls under way may still use them: they are closed at the end
            self._retired.append(
                Assembly(
                    {name: s for name, s in before.sources.items() if name in gone},
                    {name: h for name, h in before.helpdesks.items() if name in gone},
                )
            )
        self._assembly = assembly
        self._wiring = self._wire(policy)
        self._start_pullers()
        for name, why in assembly.broken.items():
            self._log.error("account quarantined", account=name, why=why)

    def _remember_policy(self, *, ok: bool, problems: list[str]) -> None:
        value = json.dumps(
            {"at": time.time(), "ok": ok, "policy": self._wiring.policy.version, "problems": problems[:20]}
        )
        with contextlib.suppress(ConnectorError):
            written(self._dispatcher.run(lambda tx: remember(tx, "reload", value)), 30)

    def _fingerprint(self) -> tuple[tuple[str, int, int], ...]:
        """Which files make up the configuration, and when they were last written."""
        mappings = self.config.mappings
        files = [self.config.file, *sorted(mappings.glob("*.y*ml")), *sorted(mappings.glob("lists/*.y*ml"))]
        found = []
        for file in files:
            with contextlib.suppress(OSError):
                state = file.stat()
                found.append((str(file), state.st_mtime_ns, state.st_size))
        return tuple(found)

    def _write_pid(self) -> IO[str] | None:
        """Where `connector reload` finds us. It is held for our life: after a crash the number could be anybody's. A
        folder we may not write to is no reason to stop."""
        try:
            file = self.config.file.with_name(self.config.file.name + ".pid").open("a+", encoding="ascii")
        except OSError:
            return None
        for _ in range(20):  # somebody may be asking this moment whether it is held
            with contextlib.suppress(OSError):
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                file.truncate(0)
                file.write(str(os.getpid()))
                file.flush()
                return file
            time.sleep(0.02)
        file.close()
        return None


def _notify(state: str) -> None:
    """Tell systemd (sd_notify(3)): never blocks, never fails."""
    address = environment("NOTIFY_SOCKET")
    if not address:
        return
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notifier:
        notifier.setblocking(False)
        stamp = f"\nMONOTONIC_USEC={time.monotonic_ns() // 1000}" if state == "RELOADING=1" else ""
        notifier.sendto((state + stamp).encode(), address.replace("@", "\0", 1) if address[0] == "@" else address)


def _done(value: T) -> Future[T]:
    future: Future[T] = Future()
    future.set_result(value)
    return future


def _then(first: Future[Any], make: Callable[[Any], dict[str, Any] | str]) -> Future[dict[str, Any] | str]:
    """A future of what `make` makes of the first one's result."""
    second: Future[dict[str, Any] | str] = Future()

    def pass_on(done: Future[Any]) -> None:
        error = done.exception()
        if error is not None:
            second.set_exception(error)
        else:
            second.set_result(make(done.result()))

    first.add_done_callback(pass_on)
    return second
