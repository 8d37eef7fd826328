"""The Terminal port in the host, over an account's line to its worker.

Account, positions, orders, quotes and rules are what the worker told last: reading them never
waits, and what is too old is refused. Deals, bars and ticks are asked for and waited for within a
bound; `ask_deals` does not wait.
"""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from edge_bridge.adapters.constants import E_INTERNAL_FAIL_CONNECT
from edge_bridge.ports import (
    AccountState,
    Action,
    Bar,
    CancelRequest,
    CloseRequest,
    Deal,
    Instrument,
    OrderRequest,
    PendingOrder,
    Position,
    PriceUnknown,
    Quote,
    SendHandle,
    SendResult,
    StopsRequest,
    TerminalUnavailable,
    TickColumns,
    Timeframe,
)
from edge_bridge.workers import messages
from edge_bridge.workers.handles import ReadHandle
from edge_bridge.workers.line import Line


class RemoteTerminal:
    """One account's terminal in another process; the same object across the worker's restarts."""

    def __init__(self, account_id: UUID, line: Line) -> None:
        self.account_id = account_id
        self._line = line

    def connect(self) -> AccountState:
        """Read the account; opening the terminal is the supervisor's."""
        return self.account()

    def disconnect(self) -> None:
        """Nothing: the worker belongs to the supervisor."""

    def account(self) -> AccountState:
        """Read the account as last told."""
        account = self._line.fresh().account
        if account is None:
            raise TerminalUnavailable(E_INTERNAL_FAIL_CONNECT, "no account was told yet")
        return account

    def positions(self) -> Sequence[Position]:
        """Read the open positions as last told."""
        return self._line.fresh().positions

    def pending_orders(self) -> Sequence[PendingOrder]:
        """Read the pending orders as last told."""
        return self._line.fresh().orders

    def instrument(self, symbol: str) -> Instrument:
        """Read a symbol's rules as last told; PriceUnknown until the worker has read them."""
        try:
            return self._line.fresh().find_rules(symbol)
        except PriceUnknown:
            self._line.watch(symbol)
            raise

    def quote(self, symbol: str) -> Quote | None:
        """Read a symbol's last tick as last told; None until the worker has read one."""
        quote = self._line.fresh().find_quote(symbol)
        if quote is None:
            self._line.watch(symbol)
        return quote

    def begin(self, action: Action) -> SendHandle:
        """Hand a request over, at most once, and do not wait for its answer."""
        return self._line.begin(action)

    def send(self, request: OrderRequest) -> SendResult:
        """Send a market order, at most once; Unknown when no answer came in time."""
        return self._line.execute(request)

    def close_position(
        self,
        position: Position,
        *,
        volume: int | None = None,
        deviation: int = 0,
        magic: int | None = None,
        comment: str = "",
    ) -> SendResult:
        """Close a position or a part of it, at most once."""
        return self._line.execute(CloseRequest(position, volume, deviation, magic, comment))

    def move_stops(self, position: Position, stop_loss: int, take_profit: int) -> SendResult:
        """Set stop loss and take profit of a position."""
        return self._line.execute(StopsRequest(position, stop_loss, take_profit))

    def cancel_order(self, ticket: int, symbol: str) -> SendResult:
        """Remove a pending order."""
        return self._line.execute(CancelRequest(ticket, symbol))

    def ask_deals(self, time_ns: int) -> ReadHandle[list[Deal]]:
        """Ask for the deals at or after a time and do not wait."""
        return self._line.ask("deals", time_ns, read=_read_deals)

    def deals_since(self, time_ns: int) -> Sequence[Deal]:
        """Read the deals at or after a time; waits within a bound."""
        return self._line.wait(self.ask_deals(time_ns))

    def bars(self, symbol: str, timeframe: Timeframe, count: int) -> Sequence[Bar]:
        """Read the last bars; waits within a bound."""
        return self._line.wait(self._line.ask("bars", symbol, timeframe, count, read=_read_bars))

    def ticks_between(self, symbol: str, from_ns: int, to_ns: int) -> TickColumns:
        """Read kept ticks; waits within a bound."""
        return self._line.wait(self._line.ask("ticks", symbol, from_ns, to_ns, read=_read_ticks))


def _read_deals(_: ReadHandle[list[Deal]], rows: Any) -> list[Deal]:
    return [messages.read_deal(row) for row in rows]


def _read_bars(_: ReadHandle[list[Bar]], rows: Any) -> list[Bar]:
    return [messages.read_bar(row) for row in rows]


def _read_ticks(handle: ReadHandle[TickColumns], count: Any) -> TickColumns:
    ts_ns: list[int] = []
    bid: list[int] = []
    ask: list[int] = []
    for part in handle.parts:
        ts_ns.extend(part.columns.ts_ns)
        bid.extend(part.columns.bid)
        ask.extend(part.columns.ask)
    if len(ts_ns) != count:
        raise ValueError("ticks are missing")
    return TickColumns(ts_ns, bid, ask)
