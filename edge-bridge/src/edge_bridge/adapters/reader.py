"""The reading half of the Terminal port: connection, account, prices, books, over any module that
looks like MetaTrader5, real or simulated.
"""

from collections.abc import Sequence

from edge_bridge.adapters import constants as c
from edge_bridge.adapters import history, mapping
from edge_bridge.adapters.clock import BrokerClock
from edge_bridge.adapters.credentials import Credentials, read_path
from edge_bridge.adapters.mapping import Spec
from edge_bridge.adapters.module import DealStruct, MetaTrader5Module, SymbolRow
from edge_bridge.ports import (
    AccountState,
    Bar,
    Deal,
    Instrument,
    PendingOrder,
    Position,
    PriceUnknown,
    Quote,
    SymbolUnknown,
    TerminalUnavailable,
    TickColumns,
    Timeframe,
    WrongTerminal,
)

_FAR_FUTURE_S = 2**31 - 1
_SCALE_ASSUMED = 10**5
_DEALS_KEPT = 1_024


class ModuleReader:
    """What can be asked of a terminal; blocking, one account, one thread."""

    def __init__(
        self, module: MetaTrader5Module, credentials: Credentials, clock: BrokerClock
    ) -> None:
        self._module = module
        self._credentials = credentials
        self._clock = clock
        self._specs: dict[str, Spec] = {}
        self._minor = 100
        self._hedging = True
        self._verified: tuple[str, int, str] | None = None
        self._deals: dict[int, tuple[DealStruct, int, Deal]] = {}
        """A deal is final, and the newest are read at every close."""

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
        self._deals.clear()
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
        found = (terminal.path, row.login, row.server)
        if found != self._verified:
            self._verify(*found)
            self._verified = found
        return mapping.read_account(row, terminal)

    def _verify(self, path: str, login: int, server: str) -> None:
        wanted = self._credentials
        expected = (read_path(wanted.path).parent, wanted.login, wanted.server)
        found = (read_path(path), login, server)
        if found != expected:
            self._module.shutdown()
            raise WrongTerminal(f"connected to {found}, not {expected}")

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

    def _scale(self, symbol: str) -> int:
        """Of a held symbol's prices. One that the broker does not list any more must not hide what
        else is held: its prices are told in an assumed unit, and nothing is priced by them."""
        try:
            return self._spec(symbol).scale
        except SymbolUnknown:
            return _SCALE_ASSUMED

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

    def positions(self) -> Sequence[Position]:
        """Read every open position, oldest first."""
        rows = self._module.positions_get()
        if rows is None:
            raise self._unavailable("no positions")
        found = [
            mapping.read_position(row, self._scale(row.symbol), self._minor, self._clock)
            for row in rows
        ]
        if len(found) < 2:
            return found
        return sorted(found, key=lambda each: (each.time_ns, each.identifier))

    def pending_orders(self) -> Sequence[PendingOrder]:
        """Read every pending order, oldest first."""
        rows = self._module.orders_get()
        if rows is None:
            raise self._unavailable("no orders")
        if not rows:
            return []
        found = [mapping.read_pending(row, self._scale(row.symbol), self._clock) for row in rows]
        return sorted(found, key=lambda each: (each.time_ns, each.ticket))

    def deals_since(self, time_ns: int) -> Sequence[Deal]:
        """Read the buys and sells at or after a time (whole milliseconds), oldest first."""
        since_ms = self._clock.to_broker_ms(time_ns)
        rows = self._module.history_deals_get(max(1, since_ms // 1000), _FAR_FUTURE_S)
        if rows is None:
            raise self._unavailable("no deals")
        found = [
            self._read_deal(row)
            for row in rows
            if row.time_msc >= since_ms and row.type in (c.DEAL_TYPE_BUY, c.DEAL_TYPE_SELL)
        ]
        return sorted(found, key=lambda each: (each.time_ns, each.ticket))

    def _read_deal(self, row: DealStruct) -> Deal:
        known, scale = self._deals.get(row.ticket), self._scale(row.symbol)
        if known is None or known[0] != row or known[1] != scale:
            deal = mapping.read_deal(row, scale, self._minor, self._clock)
            if len(self._deals) >= _DEALS_KEPT:
                self._deals.clear()
            self._deals[row.ticket] = known = row, scale, deal
        return known[2]

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
