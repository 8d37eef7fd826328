"""When a worker is started, given up or tried again: a state machine without I/O.

It is told what happened and when, and answers what to do. Time and chance come from outside, so
that a simulation can drive a year of failures in a second and get the same answers again.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from contracts.trading_reasons import AccountHealth

Step = Literal["start", "ask", "kill"]
"""Start the process; ask it to end; kill it."""
Phase = Literal["waiting", "starting", "running", "reopening", "ending", "given_up", "stopped"]
_After = Literal["fail", "refuse", "start", "stop"]
SECOND_NS = 1_000_000_000
REASON_LENGTH_MAX = 200


@dataclass(frozen=True, slots=True)
class WatchSettings:
    """Bounds of one account's watch, in nanoseconds."""

    start_max_ns: int = 110 * SECOND_NS
    """Launching a terminal may take about 100 s."""
    silence_max_ns: int = 20 * SECOND_NS
    end_max_ns: int = 5 * SECOND_NS
    """From being asked to end until being killed."""
    backoff_first_ns: int = SECOND_NS
    backoff_max_ns: int = 60 * SECOND_NS
    failures_max: int = 5
    """So many failures within the window open the circuit."""
    failures_window_ns: int = 600 * SECOND_NS
    open_first_ns: int = 60 * SECOND_NS
    open_max_ns: int = 3_600 * SECOND_NS
    stable_ns: int = 60 * SECOND_NS
    """Up for so long, earlier failures are forgiven."""


class AccountWatch:
    """The life of one account's worker. At most one process is alive, from `start` to `exited`."""

    def __init__(self, settings: WatchSettings, draw: Callable[[], float], now_ns: int) -> None:
        self._settings = settings
        self._draw = draw
        self.phase: Phase = "waiting"
        self.health: AccountHealth = "starting"
        self.reason = ""
        self.alive = False
        self.starts = 0
        self._due_ns: int | None = now_ns
        self._ready_ns = 0
        self._failures: deque[int] = deque(maxlen=settings.failures_max)
        self._in_row = 0
        self._times_open = 0
        self._trial = False
        self._after: _After = "fail"
        self._ask = False

    @property
    def restarts(self) -> int:
        """How often the worker was started again."""
        return max(0, self.starts - 1)

    def wants_start(self, now_ns: int) -> bool:
        """Whether a start is due."""
        waiting = self.phase in ("waiting", "given_up")
        return waiting and self._due_ns is not None and now_ns >= self._due_ns

    def advance(self, now_ns: int, *, may_start: bool = True) -> Step | None:
        """What is to be done now; do it before asking again."""
        if self._ask:
            self._ask = False
            return "ask"
        if self._due_ns is None or now_ns < self._due_ns:
            return None
        if self.phase in ("waiting", "given_up"):
            return self._start(now_ns) if may_start else None
        return self._end_overdue(now_ns)

    def _end_overdue(self, now_ns: int) -> Step | None:
        settings = self._settings
        match self.phase:
            case "starting" | "reopening":
                seconds = settings.start_max_ns / SECOND_NS
                return self._kill(now_ns, f"the terminal did not open within {seconds:g} s")
            case "running":
                seconds = settings.silence_max_ns / SECOND_NS
                return self._kill(now_ns, f"silent for more than {seconds:g} s")
            case "ending":
                self._due_ns = now_ns + settings.end_max_ns
                return "kill"
        return None

    def _start(self, now_ns: int) -> Step:
        assert not self.alive, "one process an account"
        self._trial = self.phase == "given_up"
        self.alive = True
        self.starts += 1
        self._go("starting", "starting", self.reason, now_ns + self._settings.start_max_ns)
        return "start"

    def _kill(self, now_ns: int, reason: str) -> Step:
        self._after = "fail"
        self._go("ending", "hung", reason, now_ns + self._settings.end_max_ns)
        return "kill"

    def note_ready(self, now_ns: int) -> None:
        """The terminal is open, and it is the right one."""
        if self.phase in ("starting", "reopening"):
            self._ready_ns = now_ns
            self._go("running", "connected", "", now_ns + self._settings.silence_max_ns)

    def note_sign(self, now_ns: int) -> None:
        """The worker gave a sign of life."""
        if self.phase != "running":
            return
        self._due_ns = now_ns + self._settings.silence_max_ns
        if now_ns - self._ready_ns >= self._settings.stable_ns and self._in_row:
            self._forgive()

    def _forgive(self) -> None:
        self._failures.clear()
        self._in_row = self._times_open = 0
        self._trial = False

    def note_lost(self, now_ns: int, reason: str) -> None:
        """The terminal stopped answering; the worker opens it again, as long as a start may take.

        Too often, and the worker is ended and the circuit opens.
        """
        if self.phase != "running":
            return
        self._in_row += 1
        if self._trial or self._count_failure(now_ns):
            self._after = "fail"
            self._go("ending", "disconnected", reason, now_ns + self._settings.end_max_ns)
            self._ask = True
        else:
            self._go("reopening", "disconnected", reason, now_ns + self._settings.start_max_ns)

    def note_refused(self, now_ns: int, reason: str) -> None:
        """Wrong password or wrong terminal: only a change or a hand may have it tried again."""
        if self.phase == "stopped" or self._is_leaving():
            return
        if self.alive:
            self._after = "refuse"
            self._go("ending", "circuit_open", reason, now_ns + self._settings.end_max_ns)
            self._ask = True
        else:
            self._go("given_up", "circuit_open", reason, None)

    def note_failed(self, now_ns: int, reason: str) -> None:
        """The worker could not even be started."""
        self.alive = False
        self._end(now_ns, reason)

    def note_protocol(self, now_ns: int, reason: str) -> None:
        """The worker said what no worker says: it is killed."""
        if self.alive and not self._is_leaving():
            self._after = "fail"
            self._go("ending", "hung", reason, now_ns)

    def note_exit(self, now_ns: int, reason: str) -> None:
        """The process is gone, for whatever reason."""
        self.alive = False
        self._end(now_ns, reason)

    def change(self, now_ns: int) -> None:
        """Start anew under other settings; what failed under the old ones is forgotten."""
        self._forgive()
        self._replace(now_ns, "start", "starting")

    def stop(self, now_ns: int) -> None:
        """End the worker for good."""
        self._replace(now_ns, "stop", "stopped")

    def retry(self, now_ns: int) -> None:
        """Try again at once, by hand."""
        if self.phase in ("waiting", "given_up"):
            self._forgive()
            self._go("waiting", "starting", self.reason, now_ns)

    def _is_leaving(self) -> bool:
        """Whether the process is ending because it was told to, not because it failed."""
        return self.phase == "ending" and self._after in ("start", "stop")

    def _replace(self, now_ns: int, after: _After, health: AccountHealth) -> None:
        if self.alive:
            was_ending = self.phase == "ending"
            due_ns = self._due_ns if was_ending else now_ns + self._settings.end_max_ns
            self._after = after
            self._ask = not was_ending
            self._go("ending", health if after == "start" else self.health, self.reason, due_ns)
        elif after == "stop":
            self._go("stopped", health, "", None)
        else:
            self._go("waiting", health, "", now_ns)

    def _end(self, now_ns: int, reason: str) -> None:
        self._ask = False
        after: _After = self._after if self.phase == "ending" else "fail"
        if self.phase == "ending" and after in ("fail", "refuse"):
            reason = self.reason
        match after:
            case "stop":
                self._go("stopped", "stopped", "", None)
            case "start":
                self._go("waiting", "starting", "", now_ns)
            case "refuse":
                self._go("given_up", "circuit_open", reason, None)
            case "fail":
                self._fail(now_ns, reason)

    def _fail(self, now_ns: int, reason: str) -> None:
        settings = self._settings
        lost_before = self.health == "disconnected"  # counted when it was lost
        if not lost_before:
            self._in_row += 1
        enough = self._is_full(now_ns) if lost_before else self._count_failure(now_ns)
        if self._trial or enough:
            span = _grow(settings.open_first_ns, self._times_open, settings.open_max_ns)
            self._times_open += 1
            self._failures.clear()
            self._go("given_up", "circuit_open", reason, now_ns + self._jitter(span))
        else:
            span = _grow(settings.backoff_first_ns, self._in_row - 1, settings.backoff_max_ns)
            self._go("waiting", "backing_off", reason, now_ns + self._jitter(span))
        self._trial = False

    def _count_failure(self, now_ns: int) -> bool:
        self._failures.append(now_ns)
        return self._is_full(now_ns)

    def _is_full(self, now_ns: int) -> bool:
        since = now_ns - self._settings.failures_window_ns
        return sum(each >= since for each in self._failures) >= self._settings.failures_max

    def _jitter(self, span_ns: int) -> int:
        """Between half of a span and all of it, so that many accounts do not come back at once."""
        return span_ns // 2 + int(span_ns / 2 * self._draw())

    def _go(self, phase: Phase, health: AccountHealth, reason: str, due_ns: int | None) -> None:
        self.phase, self.health, self._due_ns = phase, health, due_ns
        self.reason = reason[:REASON_LENGTH_MAX]


def _grow(first_ns: int, times: int, max_ns: int) -> int:
    return min(max_ns, first_ns << min(times, 40))
