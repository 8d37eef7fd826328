"""A worker and its terminal in virtual time: latency, hangs, deaths, lost answers, restarts.

The broker is the simulated terminal and outlives everything. The worker's life is decided by the
same state machine that the supervisor runs; only processes and pipes are replaced by a queue of
requests with due times, so that one seed always gives the same story.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any

from edge_bridge.adapters import constants as c
from edge_bridge.adapters.paper import SimulatedTerminal
from edge_bridge.adapters.paper.terminal import open_terminal
from edge_bridge.ports import (
    AccountState,
    Action,
    Answered,
    Bar,
    CancelRequest,
    CloseRequest,
    Deal,
    Instrument,
    OrderRequest,
    PendingOrder,
    Position,
    Quote,
    Rejected,
    SendHandle,
    SendResult,
    StopsRequest,
    SymbolUnknown,
    TerminalUnavailable,
    TickColumns,
    Timeframe,
    Unknown,
)
from edge_bridge.workers.policy import AccountWatch, WatchSettings

SECOND_NS = 1_000_000_000
OFFLINE = 10_031
PIPE_LOST = -10_002
SNAPSHOT_AGE_MAX_NS = 25 * SECOND_NS
SETTINGS = WatchSettings(
    silence_max_ns=8 * SECOND_NS, backoff_max_ns=10 * SECOND_NS, open_first_ns=15 * SECOND_NS,
    open_max_ns=40 * SECOND_NS,
)  # fmt: skip


@dataclass(eq=False)
class Request:
    """One request in the pipe."""

    action: Action
    execute_ns: int
    answer_ns: int
    answer: SendResult | None = None
    """What the terminal said, known to the worker alone until it has come back."""
    result: SendResult | None = None

    def poll(self) -> SendResult | None:
        """The answer, once it has come back through the pipe."""
        return self.result


@dataclass(eq=False)
class Question:
    """A question for deals in the pipe."""

    link: "Link"
    since_ns: int
    due_ns: int
    life: int

    def poll(self) -> Sequence[Deal] | None:
        """The deals as of now, once the worker has come to it; it dies with its worker."""
        link = self.link
        if self.life != link.life or not link.alive:
            raise TerminalUnavailable(PIPE_LOST, "the worker is gone")
        if link.hung or link.ready_ns is not None or link.now_ns < self.due_ns:
            return None
        return link.port.deals_since(self.since_ns)


@dataclass
class Snapshot:
    """What the worker pushed last."""

    at_ns: int
    account: AccountState
    positions: Sequence[Position]
    pending: Sequence[PendingOrder]
    quotes: dict[str, Quote | None]
    instruments: dict[str, Instrument]


@dataclass
class Link:
    """One account's worker, as the host sees it, and the broker behind it."""

    broker: SimulatedTerminal
    rng: Random
    symbols: tuple[str, ...]
    depart: Callable[["Link", Action], None] = lambda _link, _action: None
    """Asked when a request is about to leave."""
    now_ns: int = 0
    alive: bool = False
    hung: bool = False
    life: int = 0
    """Counts the worker's starts."""
    ready_ns: int | None = None
    snapshot: Snapshot | None = None
    pipe: list[Request] = field(default_factory=list)
    log: list[tuple[int, Action]] = field(default_factory=list)
    """Every request that left, with its time: what the claims are judged by."""

    def __post_init__(self) -> None:
        self.port = open_terminal(self.broker)
        self.boot(0)

    def boot(self, now_ns: int) -> None:
        """A new host watches the account; no worker runs yet."""
        self.now_ns = now_ns
        self.watch = AccountWatch(SETTINGS, self.rng.random, now_ns)

    def advance(self, now_ns: int) -> None:
        """Let time pass: the worker works, the watch watches."""
        self.now_ns = now_ns
        if self.alive and not self.hung:
            self._work()
        step = self.watch.advance(now_ns)
        if step == "start":
            self.alive, self.hung, self.life = True, False, self.life + 1
            self.ready_ns = now_ns + self.rng.randrange(SECOND_NS // 10, 3 * SECOND_NS)
        elif step in ("ask", "kill"):
            self.die("killed by its watch")

    def _work(self) -> None:
        if self.ready_ns is not None:
            if self.now_ns < self.ready_ns:
                return
            self.ready_ns = None
            self.port.connect()
            self.watch.note_ready(self.now_ns)
        for request in list(self.pipe):
            self._serve(request)
        try:
            self._push()
        except TerminalUnavailable as error:
            self.watch.note_lost(self.now_ns, str(error))
            self.port.connect()
            self.watch.note_ready(self.now_ns)
            return
        self.watch.note_sign(self.now_ns)

    def _serve(self, request: Request) -> None:
        """Execute a request when its time has come, and bring its answer back when that has."""
        if request.answer is None and request.execute_ns <= self.now_ns:
            request.answer = self.port.begin(request.action).poll()
        if request.answer is not None and request.answer_ns <= self.now_ns:
            request.result = request.answer
            self.pipe.remove(request)

    def _push(self) -> None:
        self.snapshot = Snapshot(
            self.now_ns,
            self.port.account(),
            self.port.positions(),
            self.port.pending_orders(),
            {symbol: self.port.quote(symbol) for symbol in self.symbols},
            {symbol: self.port.instrument(symbol) for symbol in self.symbols},
        )

    def die(self, reason: str, *, host_too: bool = False) -> None:
        """The worker's process ends. What it had read from the pipe may still have been done."""
        if not self.alive and not host_too:
            return
        for request in self.pipe:
            # The pipe's other end may read on for a moment after its host has died.
            if host_too and request.answer is None and not self.hung and self.rng.random() < 0.5:
                self.port.begin(request.action)
            request.result = Unknown(PIPE_LOST, reason)
        self.pipe.clear()
        self.alive = self.hung = False
        self.snapshot, self.ready_ns = None, None
        self.broker.shutdown()
        if not host_too:
            self.watch.note_exit(self.now_ns, reason)

    def begin(self, action: Action) -> SendHandle:
        """Write a request into the pipe."""
        if not self.alive or self.ready_ns is not None:
            return Answered(Rejected(OFFLINE, "no worker"))
        self.depart(self, action)
        self.log.append((self.now_ns, action))
        slow = self.rng.random() < 0.3
        execute_ns = self.now_ns + (self.rng.randrange(SECOND_NS, 8 * SECOND_NS) if slow else 0)
        answer_ns = execute_ns + (self.rng.randrange(4 * SECOND_NS) if slow else 0)
        request = Request(action, execute_ns, answer_ns)
        self.pipe.append(request)
        if not self.hung:
            self._serve(request)
        return request

    def broker_positions(self) -> list[Any]:
        """What is open at the broker, whoever may know of it."""
        if not self.broker.positions_total():
            self.broker.initialize()
        return list(self.broker.positions_get() or ())

    def broker_orders(self) -> list[Any]:
        """What waits for its price at the broker."""
        self.broker_positions()
        return list(self.broker.orders_get() or ())

    def act_by_hand(self, rng: Random) -> None:
        """The account's owner trades beside us: opens, closes, takes a part, moves stops, waits."""
        held = self.broker_positions()
        was_open = self.alive and self.ready_ns is None
        chosen = rng.choice(("open", "close", "part", "stops", "wait"))
        if chosen == "open":
            self.port.send(OrderRequest("hand", "EURUSD", rng.choice(("buy", "sell")), 10))
        elif chosen == "wait":
            self._place_by_hand(rng)
        elif held:
            ticket = rng.choice(held).ticket
            (position,) = [each for each in self.port.positions() if each.ticket == ticket]
            if chosen == "stops":
                self.port.move_stops(position, position.stop_loss and position.stop_loss - 5, 0)
            else:
                part = max(1, position.volume // 3) if chosen == "part" else None
                self.port.close_position(position, volume=part)
        if not was_open:
            self.broker.shutdown()

    def _place_by_hand(self, rng: Random) -> None:
        tick = self.broker.symbol_info_tick("EURUSD")
        assert tick is not None  # there were ticks before
        price = round(tick.bid - rng.uniform(0.0003, 0.003), 5)
        self.broker.order_send({
            "action": c.TRADE_ACTION_PENDING, "symbol": "EURUSD", "volume": 0.1,
            "type": c.ORDER_TYPE_BUY_LIMIT, "price": price,
            "type_filling": c.ORDER_FILLING_RETURN, "type_time": c.ORDER_TIME_GTC,
        })  # fmt: skip

    def list_deals(self) -> list[Deal]:
        """Every buy and sell at the broker, oldest first."""
        self.broker.initialize()
        return list(self.port.deals_since(1))

    def look(self) -> Snapshot:
        """The newest snapshot. Raises TerminalUnavailable when it is old or there is none."""
        shot = self.snapshot
        if not self.alive or shot is None or self.now_ns - shot.at_ns > SNAPSHOT_AGE_MAX_NS:
            raise TerminalUnavailable(PIPE_LOST, "no news of the worker")
        return shot

    def think_ns(self) -> int:
        """How long the worker takes for an answer."""
        return self.rng.choice((0, 0, self.rng.randrange(6 * SECOND_NS)))

    def ask(self) -> Any:
        """The terminal itself, for questions that wait for an answer."""
        if not self.alive or self.hung or self.ready_ns is not None:
            raise TerminalUnavailable(PIPE_LOST, "the worker does not answer")
        return self.port


class ChaosTerminal:
    """The Terminal port over a link; what the engine holds."""

    def __init__(self, link: Link) -> None:
        self._link = link

    def connect(self) -> AccountState:
        return self._link.look().account

    def disconnect(self) -> None:
        return

    def account(self) -> AccountState:
        return self._link.look().account

    def instrument(self, symbol: str) -> Instrument:
        try:
            return self._link.look().instruments[symbol]
        except KeyError:
            raise SymbolUnknown(symbol) from None

    def quote(self, symbol: str) -> Quote | None:
        return self._link.look().quotes.get(symbol)

    def begin(self, action: Action) -> SendHandle:
        return self._link.begin(action)

    def send(self, request: OrderRequest) -> SendResult:
        return self._link.begin(request).poll() or Unknown(PIPE_LOST, "slow")

    def close_position(self, position: Position, **how: Any) -> SendResult:
        return self._link.begin(CloseRequest(position, **how)).poll() or Unknown(0, "slow")

    def move_stops(self, position: Position, stop_loss: int, take_profit: int) -> SendResult:
        request = StopsRequest(position, stop_loss, take_profit)
        return self._link.begin(request).poll() or Unknown(0, "slow")

    def cancel_order(self, ticket: int, symbol: str) -> SendResult:
        return self._link.begin(CancelRequest(ticket, symbol)).poll() or Unknown(0, "slow")

    def positions(self) -> Sequence[Position]:
        return self._link.look().positions

    def pending_orders(self) -> Sequence[PendingOrder]:
        return self._link.look().pending

    def deals_since(self, time_ns: int) -> Sequence[Deal]:
        return self._link.ask().deals_since(time_ns)  # type: ignore[no-any-return]

    def ask_deals(self, time_ns: int) -> Question:
        link = self._link
        return Question(link, time_ns, link.now_ns + link.think_ns(), link.life)

    def bars(self, symbol: str, timeframe: Timeframe, count: int) -> Sequence[Bar]:
        return self._link.ask().bars(symbol, timeframe, count)  # type: ignore[no-any-return]

    def ticks_between(self, symbol: str, from_ns: int, to_ns: int) -> TickColumns:
        return self._link.ask().ticks_between(symbol, from_ns, to_ns)  # type: ignore[no-any-return]
