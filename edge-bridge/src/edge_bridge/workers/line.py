"""One account's line to its worker, across the worker's deaths: what is asked, what was told.

A request is sent at most once: its number is never used again; a worker that dies leaves it Unknown
if it had left and Rejected if it had not; nothing is kept for the next worker.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from edge_bridge.adapters.constants import CONNECTION, E_INTERNAL_FAIL_CONNECT
from edge_bridge.ports import (
    Action,
    Answered,
    Rejected,
    SendHandle,
    SendResult,
    TerminalUnavailable,
    Unknown,
)
from edge_bridge.workers import messages
from edge_bridge.workers.channel import Channel
from edge_bridge.workers.handles import ReadHandle, RequestHandle
from edge_bridge.workers.market import MarketReader
from edge_bridge.workers.messages import SYMBOLS_MAX, Asked
from edge_bridge.workers.snapshot import Snapshot
from edge_bridge.workers.wire import Frame, Kind, WireBroken, pack_json, read_json, read_ticks

_T = TypeVar("_T")
IN_FLIGHT_MAX = 256
STALE = "the worker has told nothing for too long"


@dataclass(frozen=True, slots=True)
class LineSettings:
    """Bounds of a line."""

    state_age_max_ns: int = 5_000_000_000
    """Older states are no answer, and a worker that is silent for so long gets no requests."""
    request_life_ns: int = 5_000_000_000
    """A request that the worker takes up later is not executed."""
    answer_wait_s: float = 10.0
    """Of the methods that wait for a request's answer."""
    read_wait_s: float = 5.0
    """And for a question's."""


class Line:
    """Requests and questions from any thread; states and answers from the supervisor's."""

    def __init__(
        self,
        settings: LineSettings | None = None,
        monotonic_ns: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self._settings = settings or LineSettings()
        self._now_ns = monotonic_ns
        self._changed = threading.Condition()
        self._channel: Channel | None = None
        self._market: MarketReader | None = None
        self._reason = "not started yet"
        self._number = 0
        self._pending: dict[int, RequestHandle | ReadHandle[Any]] = {}
        self._held: list[tuple[RequestHandle, SendResult]] = []
        self._watched: dict[str, None] = {}
        self.snapshot = Snapshot()

    def go_up(self, channel: Channel, market: MarketReader | None) -> None:
        """The worker's terminal is open."""
        with self._changed:
            self.snapshot = Snapshot()
            self._channel, self._market = channel, market
            for symbol in self._watched:
                channel.offer(pack_json(Kind.WATCH, 0, symbol))

    def pause(self, reason: str) -> None:
        """The terminal does not answer and is opened again; take no new requests meanwhile."""
        with self._changed:
            self._channel, self._reason = None, reason
            self._release()
            self._changed.notify_all()

    def go_down(self, channel: Channel | None, reason: str) -> None:
        """The worker is gone: settle what it has not answered."""
        with self._changed:
            self._channel, self._market, self._reason = None, None, reason
            self._release()
            for handle in self._pending.values():
                if isinstance(handle, ReadHandle):
                    handle.fail(self.explain())
                elif channel is not None and channel.has_left(handle.end):
                    handle.settle(Unknown(E_INTERNAL_FAIL_CONNECT, f"the answer is lost: {reason}"))
                else:
                    handle.settle(Rejected(CONNECTION, f"not sent: {reason}"))
            self._pending.clear()
            self._changed.notify_all()

    def pump_market(self) -> bool:
        """Send the market on as far as the worker takes it; tell whether all of it has left."""
        with self._changed:
            if self._market is None or self._channel is None:
                return True
            self._market.pump(self._channel)
            return self._market.is_caught_up

    def take_state(self, frame: Frame) -> None:
        """Take a state, and let out the answers that came before it. Raises WireBroken."""
        state = messages.read_state(read_json(frame.payload))
        with self._changed:
            self.snapshot.take(state)
            self._release()
            self._changed.notify_all()

    def take_answer(self, frame: Frame) -> None:
        """Take an answer, or ticks of one. Raises WireBroken when nobody asked.

        A request's answer is held until the state that follows it: who sees an order executed also
        sees its position.
        """
        with self._changed:
            handle = self._pending.get(frame.number)
            if handle is None:
                raise WireBroken(f"an answer to {frame.number}, which was not asked")
            if isinstance(handle, RequestHandle):
                self._held.append((handle, messages.read_result(read_json(frame.payload))))
            elif frame.kind is Kind.TICKS:
                handle.parts.append(read_ticks(frame.payload))
                return
            else:
                handle.take(frame.payload)
                self._changed.notify_all()
            del self._pending[frame.number]

    def _release(self) -> None:
        for handle, result in self._held:
            handle.settle(result)
        self._held.clear()

    def begin(self, action: Action) -> SendHandle:
        """Hand a request over, at most once, and do not wait for its answer."""
        with self._changed:
            channel = self._channel
            if channel is None or (hindrance := self._find_hindrance(channel)):
                return _refuse(self._reason if channel is None else hindrance)
            self._number += 1
            deadline_ns = self._now_ns() + self._settings.request_life_ns
            try:
                content = messages.write_action(action, deadline_ns)
                end = channel.offer(pack_json(Kind.REQUEST, self._number, content))
            except (TypeError, WireBroken) as error:
                return _refuse(f"cannot be written: {error}")
            if end is None:
                return _refuse("the worker takes nothing at the moment")
            handle = RequestHandle(end)
            self._pending[self._number] = handle
            return handle

    def _find_hindrance(self, channel: Channel) -> str:
        """Why nothing should be sent now; what is not sent need not be reconciled."""
        if self._is_stale():
            return STALE
        if len(self._pending) >= IN_FLIGHT_MAX:
            return f"{IN_FLIGHT_MAX} requests are in flight"
        if self._market is not None:
            self._market.pump(channel)
            if not self._market.is_caught_up:
                return "the simulated terminal is behind the market"
        return ""

    def execute(self, action: Action) -> SendResult:
        """Hand a request over and wait within a bound; then its outcome is Unknown."""
        handle = self.begin(action)
        wait_s = self._settings.answer_wait_s
        with self._changed:
            self._changed.wait_for(lambda: handle.poll() is not None, wait_s)
        return handle.poll() or Unknown(E_INTERNAL_FAIL_CONNECT, f"no answer in {wait_s:g} s")

    def ask(
        self, what: Asked, *arguments: Any, read: Callable[[ReadHandle[_T], Any], _T]
    ) -> ReadHandle[_T]:
        """Ask a question and do not wait for its answer."""
        handle = ReadHandle(read)
        with self._changed:
            if self._channel is None or len(self._pending) >= IN_FLIGHT_MAX:
                handle.fail(self.explain())
                return handle
            self._number += 1
            frame = pack_json(Kind.ASK, self._number, [what, *arguments])
            if self._channel.offer(frame) is None:
                handle.fail(self.explain())
            else:
                self._pending[self._number] = handle
        return handle

    def wait(self, handle: ReadHandle[_T]) -> _T:
        """Wait for a question's answer within a bound. Raises TerminalUnavailable."""
        wait_s = self._settings.read_wait_s
        with self._changed:
            self._changed.wait_for(lambda: handle.is_over, wait_s)
        answer = handle.poll()
        if answer is None:
            raise TerminalUnavailable(E_INTERNAL_FAIL_CONNECT, f"no answer in {wait_s:g} s")
        return answer

    def fresh(self) -> Snapshot:
        """The state as last told. Raises TerminalUnavailable when there is none or it is old."""
        if self._channel is None:
            raise self.explain()
        if self._is_stale():
            raise TerminalUnavailable(E_INTERNAL_FAIL_CONNECT, STALE)
        return self.snapshot

    def _is_stale(self) -> bool:
        return self._now_ns() - self.snapshot.read_ns > self._settings.state_age_max_ns

    def watch(self, symbol: str) -> None:
        """Have a symbol's quote and rules told from now on."""
        with self._changed:
            if symbol in self._watched or len(self._watched) >= SYMBOLS_MAX:
                return
            self._watched[symbol] = None
            if self._channel is not None:
                self._channel.offer(pack_json(Kind.WATCH, 0, symbol))

    def explain(self) -> TerminalUnavailable:
        """Why the terminal is not there."""
        return TerminalUnavailable(E_INTERNAL_FAIL_CONNECT, self._reason)


def _refuse(reason: str) -> Answered:
    return Answered(Rejected(CONNECTION, reason))
