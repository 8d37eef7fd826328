"""The thread that watches all workers: reads every connection, judges every watch, starts, kills.

It reads before it judges: after a pause of the host itself, no worker is blamed for it.
"""

import selectors
import socket
import threading
from collections import deque
from collections.abc import Callable
from uuid import UUID

from edge_bridge.workers.channel import Channel
from edge_bridge.workers.launch import Program
from edge_bridge.workers.market import MarketRing, TickShelf
from edge_bridge.workers.passwords import OpenSecret, PasswordDesk
from edge_bridge.workers.plan import WorkerSpec
from edge_bridge.workers.reception import Reception, Visitor
from edge_bridge.workers.slot import Slot

LOOK_NS = 50_000_000
"""Between two looks at the watches."""


class Tower:
    """Slots, connections and processes. `post`, `wake` and `list_slots` from any thread."""

    def __init__(
        self,
        program: Program,
        open_secret: OpenSecret,
        tell: Callable[[Slot], None],
        now_ns: Callable[[], int],
        starting_max: int,
    ) -> None:
        self.program = program
        self.tell, self._now_ns, self._starting_max = tell, now_ns, starting_max
        self.ring, self.shelf = MarketRing(), TickShelf()
        self.lock = threading.Lock()
        self.slots: dict[UUID, Slot] = {}
        """Changed under the lock."""
        self._commands: deque[Callable[[], None]] = deque()
        self._selector = selectors.DefaultSelector()
        self._bell, self._ear = socket.socketpair()
        for each in (self._bell, self._ear):
            each.setblocking(False)
        self._reception = Reception(self.wake)
        for listening in (self._ear, self._reception.listener):
            self._selector.register(listening, selectors.EVENT_READ)
        self._desk = PasswordDesk(open_secret)
        self._pumped = 0
        self._look_ns = 0
        self._stop_ns: int | None = None

    @property
    def port(self) -> int:
        """Where workers knock."""
        return self._reception.port

    def post(self, command: Callable[[], None]) -> None:
        """Have something done by the thread."""
        self._commands.append(command)
        self.wake()

    def wake(self) -> None:
        """Have the thread look for work now."""
        try:
            self._bell.send(b"!")
        except OSError:
            return  # it rings already, or nobody listens any more

    def list_slots(self) -> list[Slot]:
        """Every account served."""
        with self.lock:
            return list(self.slots.values())

    def ask_to_stop(self, at_ns: int) -> None:
        """End all workers; those that run at the given time are killed."""
        self.post(lambda: self._begin_stop(at_ns))

    def change(self, slot: Slot, spec: WorkerSpec) -> None:
        """Serve an account under other settings; the thread's own."""
        if spec.version > slot.spec.version:
            with self.lock:  # its end may have been faster than its change
                self.slots.setdefault(spec.account_id, slot)
            slot.spec, slot.password = spec, None
            slot.watch.change(self._now_ns())

    def grant_credit(self) -> None:
        """Let the feeds send what the host has room for; the thread's own."""
        for slot in self.list_slots():
            slot.grant_credit()

    def run(self) -> None:
        """Watch until stopped and every worker is gone; should this fail, no worker outlives it."""
        try:
            self._watch()
        finally:
            for slot in self.list_slots():
                if slot.process is not None:
                    slot.process.kill()
                slot.line.go_down(slot.channel, "nobody watches the workers any more")
            self._close()

    def _watch(self) -> None:
        while self._stop_ns is None or self.slots:
            while self._commands:
                self._commands.popleft()()
            if self._pumped != self.ring.next:
                self._pumped = self.ring.next
                for slot in self.list_slots():
                    if slot.channel is not None:
                        self._pass_on(slot, slot.channel)
            for key, mask in self._selector.select(LOOK_NS / 1e9):
                self._serve(key, mask)
            now_ns = self._now_ns()
            if now_ns >= self._look_ns:
                self._look_ns = now_ns + LOOK_NS
                self._look(now_ns)

    def _serve(self, key: selectors.SelectorKey, mask: int) -> None:
        match key.data:
            case Slot() as slot:
                self._serve_slot(slot, mask)
            case Visitor() as visitor:
                self._welcome(visitor)
            case _ if key.fileobj is self._ear:
                self._ear.recv(65_536)
            case _:
                visitor_or_none = self._reception.accept(self._now_ns())
                if visitor_or_none is not None:
                    connection = visitor_or_none.channel.socket
                    self._selector.register(connection, selectors.EVENT_READ, visitor_or_none)

    def _welcome(self, visitor: Visitor) -> None:
        key = self._reception.read_key(visitor)
        if key is None:
            return
        self._reception.visitors.discard(visitor)
        for slot in self.list_slots():
            process = slot.process
            if process is not None and process.key == key and slot.channel is None:
                slot.admit(visitor.channel)
                self._selector.modify(visitor.channel.socket, selectors.EVENT_READ, slot)
                return
        self._turn_away(visitor)

    def _turn_away(self, visitor: Visitor) -> None:
        self._reception.visitors.discard(visitor)
        self._forget(visitor.channel)
        visitor.channel.close()

    def _forget(self, channel: Channel) -> None:
        if channel.socket.fileno() >= 0 and channel.socket in self._selector.get_map():
            self._selector.unregister(channel.socket)

    def _serve_slot(self, slot: Slot, mask: int) -> None:
        channel = slot.channel
        if channel is None:
            return
        if mask & selectors.EVENT_WRITE:
            channel.flush()
        if mask & selectors.EVENT_READ and not slot.read(self._now_ns()):
            self._forget(channel)
            self._look_ns = 0  # the process is gone, or is to be killed
        else:
            self._pass_on(slot, channel)
        self.tell(slot)

    def _pass_on(self, slot: Slot, channel: Channel) -> None:
        """Send the market on; wait for room when there is more to send."""
        caught_up = slot.line.pump_market()
        writing = not channel.is_clear or not caught_up
        if writing != channel.writing and channel.socket in self._selector.get_map():
            channel.writing = writing
            events = selectors.EVENT_READ | (selectors.EVENT_WRITE if writing else 0)
            self._selector.modify(channel.socket, events, slot)

    def _look(self, now_ns: int) -> None:
        slots = self.list_slots()
        starting = sum(each.watch.phase == "starting" for each in slots)
        for slot in slots:
            if slot.find_exit(now_ns) and slot.channel is not None:
                self._forget(slot.channel)
                slot.drop_channel()
            may_start = starting < self._starting_max
            if may_start and slot.watch.wants_start(now_ns):
                may_start = self._desk.provide(slot, now_ns)
            before = slot.watch.starts
            slot.step(now_ns, may_start=may_start)
            starting += slot.watch.starts - before
            self.tell(slot)
            if slot.is_over:
                self._remove(slot)
        for visitor in self._reception.find_overdue(now_ns):
            self._turn_away(visitor)
        if self._stop_ns is not None:
            self._stop(slots, now_ns, self._stop_ns)

    def _remove(self, slot: Slot) -> None:
        account_id = slot.spec.account_id
        slot.line.go_down(None, "the account is not served any more")
        self._desk.forget(account_id)
        with self.lock:
            self.slots.pop(account_id, None)

    def _begin_stop(self, at_ns: int) -> None:
        self._stop_ns = at_ns
        self._look_ns = 0
        self._stop(self.list_slots(), self._now_ns(), at_ns)

    def _stop(self, slots: list[Slot], now_ns: int, at_ns: int) -> None:
        for slot in slots:
            if slot.watch.phase not in ("ending", "stopped"):
                slot.watch.stop(now_ns)
            elif now_ns >= at_ns and slot.process is not None:
                slot.process.kill()

    def _close(self) -> None:
        self._desk.close()
        self._reception.close()
        self._selector.close()
        self._bell.close()
        self._ear.close()
