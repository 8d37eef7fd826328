"""The Terminal port over any module that looks like MetaTrader5, real or simulated.

What it must never do is send an order twice. A send whose answer is lost is Unknown and stays so:
nothing here retries, and nothing raises after an order has left.
"""

from collections.abc import Sequence

from edge_bridge.adapters import constants as c
from edge_bridge.adapters import history, mapping
from edge_bridge.adapters.api import RETCODE_NAMES
from edge_bridge.adapters.clock import BrokerClock
from edge_bridge.adapters.credentials import Credentials, read_folder, read_path
from edge_bridge.adapters.mapping import Spec
from edge_bridge.adapters.module import MetaTrader5Module, SymbolRow
from edge_bridge.adapters.outcomes import EXECUTED, NOT_SENT, UNDECIDED
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
    PriceUnknown,
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
    WrongTerminal,
)

_FAR_FUTURE_S = 2**31 - 1


class ModuleTerminal:
    """The Terminal port; blocking, one account, one thread."""

    def __init__(
        self, module: MetaTrader5Module, credentials: Credentials, clock: BrokerClock
    ) -> None:
        self._module = module
        self._credentials = credentials
        self._clock = clock
        self._specs: dict[str, Spec] = {}
        self._minor = 100
        self._hedging = True

    def connect(self) -> AccountState:
        """Open the terminal, log in, and check path, login and server."""
        wanted = self._credentials
        opened = self._module.initialize(
            wanted.path, login=wanted.login, password=wanted.password, server=wanted.server,
            timeout=wanted.connect_timeout_ms,
        )  # fmt: skip
        if not opened:
            raise self._unavailable("terminal did not open")
        state = self.account()
        self._specs.clear()
        self._minor = 10**state.currency_digits
        self._hedging = state.hedging
        return state

    def disconnect(self) -> None:
        """Close the connection."""
        self._module.shutdown()

    def account(self) -> AccountState:
        """Read the account; disconnect from a terminal that is not the expected one."""
        terminal = self._module.terminal_info()
        row = None if terminal is None else self._module.account_info()
        if terminal is None or row is None:
            raise self._unavailable("no account state")
        wanted = self._credentials
        expected = (read_folder(wanted.path), wanted.login, wanted.server)
        found = (read_path(terminal.path), row.login, row.server)
        if found != expected:
            self._module.shutdown()
            raise WrongTerminal(f"connected to {found}, not {expected}")
        return mapping.read_account(row, terminal)

    def instrument(self, symbol: str) -> Instrument:
        """Read the trading rules of a symbol, and its margin at the price of now."""
        row = self._read_symbol(symbol)
        self._require_tradable(symbol)
        if not row.ask or not row.trade_tick_value:
            raise PriceUnknown(symbol)
        margin = self._module.order_calc_margin(c.ORDER_TYPE_BUY, symbol, 1.0, row.ask)
        if margin is None:
            raise PriceUnknown(f"{symbol}: no margin")
        return mapping.read_instrument(row, margin)

    def _read_symbol(self, symbol: str) -> SymbolRow:
        row = None
        if self._module.symbol_select(symbol, True):
            row = self._module.symbol_info(symbol)
        if row is None:
            code, message = self._module.last_error()
            if code in (c.E_FAIL, c.E_NOT_FOUND, c.E_INVALID_PARAMS):
                raise SymbolUnknown(symbol)
            raise TerminalUnavailable(code, message)
        self._specs[symbol] = mapping.read_spec(row)
        return row

    def _spec(self, symbol: str) -> Spec:
        if symbol not in self._specs:
            self._read_symbol(symbol)
        return self._specs[symbol]

    def _require_tradable(self, symbol: str) -> Spec:
        spec = self._spec(symbol)
        if not spec.tradable:
            raise SymbolUnknown(f"{symbol}: finer volumes or a longer name than can be traded")
        return spec

    def quote(self, symbol: str) -> Quote | None:
        """Read the last tick of a symbol."""
        spec = self._spec(symbol)
        row = self._module.symbol_info_tick(symbol)
        if row is None:
            raise self._unavailable(f"no tick of {symbol}")
        return mapping.read_quote(symbol, row, spec.scale, self._clock) if row.time_msc else None

    def send(self, request: OrderRequest) -> SendResult:
        """Send a market order, at most once."""
        try:
            spec = self._require_tradable(request.symbol)
            price = self._find_price(spec, buy=request.side == "buy")
        except (SymbolUnknown, TerminalUnavailable) as error:
            return _refuse(error)
        return self._send(mapping.write_order(request, spec, price), spec, 0)

    def begin(self, action: Action) -> SendHandle:
        """Send a request and keep its answer: this terminal blocks."""
        match action:
            case OrderRequest():
                return Answered(self.send(action))
            case CloseRequest():
                return Answered(self._close(action))
            case StopsRequest(position, stop_loss, take_profit):
                return Answered(self.move_stops(position, stop_loss, take_profit))
            case CancelRequest(ticket, symbol):
                return Answered(self.cancel_order(ticket, symbol))

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
        return self._close(CloseRequest(position, volume, deviation, magic, comment))

    def _close(self, close: CloseRequest) -> SendResult:
        position = close.position
        order = OrderRequest(
            client_id="",
            symbol=position.symbol,
            side="sell" if position.side == "buy" else "buy",
            volume=position.volume if close.volume is None else close.volume,
            magic=position.magic if close.magic is None else close.magic,
            deviation=close.deviation,
            comment=close.comment,
        )
        try:
            spec = self._spec(order.symbol)
            price = self._find_price(spec, buy=order.side == "buy")
        except (SymbolUnknown, TerminalUnavailable) as error:
            return _refuse(error)
        fields = mapping.write_order(order, spec, price)
        return self._send(fields | {"position": position.ticket}, spec, position.identifier)

    def move_stops(self, position: Position, stop_loss: int, take_profit: int) -> SendResult:
        """Set stop loss and take profit of a position; nothing to change is an answer too."""
        try:
            spec = self._spec(position.symbol)
        except (SymbolUnknown, TerminalUnavailable) as error:
            return _refuse(error)
        fields: dict[str, object] = {
            "action": c.TRADE_ACTION_SLTP,
            "symbol": position.symbol,
            "position": position.ticket,
            "sl": stop_loss / spec.scale,
            "tp": take_profit / spec.scale,
        }
        return self._send(fields, spec, position.identifier)

    def cancel_order(self, ticket: int, symbol: str) -> SendResult:
        """Remove a pending order."""
        try:
            spec = self._spec(symbol)
        except (SymbolUnknown, TerminalUnavailable) as error:
            return _refuse(error)
        return self._send({"action": c.TRADE_ACTION_REMOVE, "order": ticket}, spec, 0)

    def _find_price(self, spec: Spec, *, buy: bool) -> float:
        """The price to ask for, where the execution mode looks at it."""
        if not spec.needs_price:
            return 0.0
        row = self._module.symbol_info_tick(spec.symbol)
        if row is None:
            raise self._unavailable(f"no tick of {spec.symbol}")
        return row.ask if buy else row.bid

    def _send(self, fields: dict[str, object], spec: Spec, position: int) -> SendResult:
        row = self._module.order_send(fields)
        if row is None:
            code, message = self._module.last_error()
            return Rejected(code, message) if code in NOT_SENT else Unknown(code, message)
        if row.retcode in EXECUTED:
            return mapping.read_answer(row, spec.scale, position or self._find_opened(row.order))
        reason = RETCODE_NAMES.get(row.retcode, row.comment)
        if row.retcode in UNDECIDED:
            return Unknown(row.retcode, reason)
        return Rejected(row.retcode, reason)

    def _find_opened(self, order: int) -> int:
        """A position's identifier: the opening order's ticket, on hedging accounts. On netting
        ones an older position may have grown, so it is left to the deals (0)."""
        return order if self._hedging else 0

    def positions(self) -> Sequence[Position]:
        """Read every open position, oldest first."""
        rows = self._module.positions_get()
        if rows is None:
            raise self._unavailable("no positions")
        found = [
            mapping.read_position(row, self._spec(row.symbol).scale, self._minor, self._clock)
            for row in rows
        ]
        return sorted(found, key=lambda each: (each.time_ns, each.identifier))

    def pending_orders(self) -> Sequence[PendingOrder]:
        """Read every pending order, oldest first."""
        rows = self._module.orders_get()
        if rows is None:
            raise self._unavailable("no orders")
        found = [
            mapping.read_pending(row, self._spec(row.symbol).scale, self._clock) for row in rows
        ]
        return sorted(found, key=lambda each: (each.time_ns, each.ticket))

    def deals_since(self, time_ns: int) -> Sequence[Deal]:
        """Read the buys and sells at or after a time (whole milliseconds), oldest first."""
        since_ms = self._clock.to_broker_ms(time_ns)
        rows = self._module.history_deals_get(max(1, since_ms // 1000), _FAR_FUTURE_S)
        if rows is None:
            raise self._unavailable("no deals")
        found = [
            mapping.read_deal(row, self._spec(row.symbol).scale, self._minor, self._clock)
            for row in rows
            if row.time_msc >= since_ms and row.type in (c.DEAL_TYPE_BUY, c.DEAL_TYPE_SELL)
        ]
        return sorted(found, key=lambda each: (each.time_ns, each.ticket))

    def bars(self, symbol: str, timeframe: Timeframe, count: int) -> Sequence[Bar]:
        """Read the last bars, oldest first, the forming one last."""
        spec = self._spec(symbol)
        rows = self._module.copy_rates_from_pos(symbol, mapping.TIMEFRAMES[timeframe], 0, count)
        if rows is None:
            raise self._unavailable(f"no bars of {symbol}")
        return [history.read_bar(row, spec.scale, self._clock) for row in rows]

    def ticks_between(self, symbol: str, from_ns: int, to_ns: int) -> TickColumns:
        """Read kept ticks; the module takes whole seconds, so the edges are cut here."""
        spec = self._spec(symbol)
        first_ms, last_ms = (self._clock.to_broker_ms(each) for each in (from_ns, to_ns - 1))
        rows = self._module.copy_ticks_range(
            symbol, max(1, first_ms // 1000), last_ms // 1000 + 1, c.COPY_TICKS_INFO
        )
        if rows is None:
            raise self._unavailable(f"no ticks of {symbol}")
        return history.read_ticks(rows, spec.scale, self._clock, from_ns, to_ns)

    def _unavailable(self, what: str) -> TerminalUnavailable:
        code, message = self._module.last_error()
        return TerminalUnavailable(code, f"{what}: {message}")


def _refuse(error: SymbolUnknown | TerminalUnavailable) -> Rejected:
    """Refuse a request that has not left yet."""
    code = c.INVALID if isinstance(error, SymbolUnknown) else c.CONNECTION
    return Rejected(code, str(error))
