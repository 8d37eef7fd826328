"""The watch over all workers of a host, and the only door to them.

Whoever calls from another thread never waits for a worker, only for this package's short locks.
"""

import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from uuid import UUID

from contracts.trading_engine import AccountHealthChanged
from contracts.trading_reasons import AccountHealth
from edge_bridge.times import SystemClock, WallClock
from edge_bridge.workers.launch import Program
from edge_bridge.workers.line import Line, LineSettings
from edge_bridge.workers.market import FeedTicks
from edge_bridge.workers.passwords import OpenSecret
from edge_bridge.workers.plan import WorkerSpec
from edge_bridge.workers.policy import AccountWatch, WatchSettings
from edge_bridge.workers.remote import RemoteTerminal
from edge_bridge.workers.slot import Slot
from edge_bridge.workers.tower import Tower
from edge_bridge.workers.wire import Ticks

TellHealth = Callable[[UUID, AccountHealthChanged], None]
"""Tenant, change; called on the supervisor's thread, so it must hand over and return."""


class AccountOfAnotherTenant(Exception):
    """The account is known, and belongs to another tenant."""


class SupervisorDied(Exception):
    """Nobody watches the workers; they were killed. Start the host again."""


class TooManyWorkers(Exception):
    """The host is full."""


@dataclass(frozen=True, slots=True)
class SupervisorSettings:
    """Bounds of a host's workers."""

    watch: WatchSettings = field(default_factory=WatchSettings)
    line: LineSettings = field(default_factory=LineSettings)
    starting_max: int = 8
    """Workers that may be opening their terminals at once."""
    workers_max: int = 400
    """Windows waits for at most 512 connections at once; some are for those who knock."""


@dataclass(frozen=True, slots=True)
class WorkerReport:
    """One worker as it is now."""

    account_id: UUID
    tenant_id: UUID
    health: AccountHealth
    reason: str
    restarts: int
    pid: int | None
    market_missed: int
    """Market frames that a simulated terminal never got: gone before it came back."""


class Supervisor:
    """Workers of many accounts."""

    def __init__(
        self,
        tell_health: TellHealth,
        open_secret: OpenSecret,
        settings: SupervisorSettings | None = None,
        *,
        program: Program | None = None,
        clock: WallClock | None = None,
        monotonic_ns: Callable[[], int] = time.monotonic_ns,
        draw: Callable[[], float] = random.random,
    ) -> None:
        self._tell_health = tell_health
        self._settings = settings or SupervisorSettings()
        self._clock = clock or SystemClock()
        self._now_ns, self._draw = monotonic_ns, draw
        self._told: dict[UUID, tuple[AccountHealth, str]] = {}
        self._tower = Tower(
            program or Program(), open_secret, self._tell, monotonic_ns, self._settings.starting_max
        )
        self._thread = threading.Thread(target=self._tower.run, name="supervisor", daemon=True)

    @property
    def port(self) -> int:
        """Where workers knock."""
        return self._tower.port

    def start(self) -> None:
        """Begin to watch."""
        self._thread.start()

    def add(self, spec: WorkerSpec) -> RemoteTerminal:
        """Serve an account, or serve it anew when the version is higher than the known one.

        Raises AccountOfAnotherTenant and TooManyWorkers.
        """
        tower = self._tower
        with tower.lock:
            slot = tower.slots.get(spec.account_id)
            if slot is None:
                if len(tower.slots) >= self._settings.workers_max:
                    raise TooManyWorkers(f"{len(tower.slots)} workers run on this host")
                slot = self._open_slot(spec)
                tower.slots[spec.account_id] = slot
            elif slot.spec.tenant_id != spec.tenant_id:
                raise AccountOfAnotherTenant(str(spec.account_id))
        kept = slot
        tower.post(lambda: tower.change(kept, spec))
        return RemoteTerminal(spec.account_id, slot.line)

    def _open_slot(self, spec: WorkerSpec) -> Slot:
        watch = AccountWatch(self._settings.watch, self._draw, self._now_ns())
        return Slot(spec, watch, Line(self._settings.line, self._now_ns), self._tower)

    def remove(self, account_id: UUID) -> None:
        """Serve an account no more: its worker is asked to end, then killed."""
        if slot := self._find(account_id):
            self._tower.post(lambda: slot.watch.stop(self._now_ns()))

    def retry(self, account_id: UUID) -> None:
        """Close an account's circuit by hand."""
        if slot := self._find(account_id):
            self._tower.post(lambda: slot.watch.retry(self._now_ns()))

    def _find(self, account_id: UUID) -> Slot | None:
        with self._tower.lock:
            return self._tower.slots.get(account_id)

    def terminal(self, account_id: UUID) -> RemoteTerminal | None:
        """An account's terminal, whether its worker is up or not; None when it is not served."""
        slot = self._find(account_id)
        return None if slot is None else RemoteTerminal(account_id, slot.line)

    def feed_market(self, ticks: Ticks) -> None:
        """Give the market's accepted ticks of one symbol to all simulated terminals."""
        self._tower.ring.append(ticks)
        self._tower.wake()

    def take_ticks(self) -> list[FeedTicks]:
        """Take what the feeds have read; taking is what lets them read on."""
        waiting = self._tower.shelf.take()
        if waiting:
            self._tower.post(self._tower.grant_credit)
        return waiting

    def report(self) -> list[WorkerReport]:
        """Every account's worker as it is now."""
        return [
            WorkerReport(
                slot.spec.account_id,
                slot.spec.tenant_id,
                slot.watch.health,
                slot.watch.reason,
                slot.watch.restarts,
                process.pid if (process := slot.process) else None,
                slot.market_missed,
            )
            for slot in self._tower.list_slots()
        ]

    def check(self) -> None:
        """Raise SupervisorDied when nobody watches the workers."""
        if not self._thread.is_alive():
            raise SupervisorDied("the supervisor's thread has ended; its traceback says why")

    def stop(self, within_s: float = 10.0) -> None:
        """End all workers: asked first, killed at the end of the time."""
        self._tower.ask_to_stop(self._now_ns() + int(within_s * 1e9))
        self._thread.join(within_s + 10.0)

    def _tell(self, slot: Slot) -> None:
        watch, account_id = slot.watch, slot.spec.account_id
        now = (watch.health, watch.reason)
        if self._told.get(account_id) == now:
            return
        self._told[account_id] = now
        change = AccountHealthChanged(
            account_id=account_id,
            health=watch.health,
            reason=watch.reason,
            restarts=watch.restarts,
            changed_at=self._clock.now(),
        )
        self._tell_health(slot.spec.tenant_id, change)
        if slot.is_over:
            del self._told[account_id]
