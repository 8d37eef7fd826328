"""What a worker tells of its terminal: only what changed since it was told last."""

from edge_bridge.ports import (
    AccountState,
    Instrument,
    PendingOrder,
    Position,
    PriceUnknown,
    Quote,
    SymbolUnknown,
    Terminal,
)
from edge_bridge.workers.messages import SYMBOLS_MAX, Opening, State

_NS_A_MS = 1_000_000


class StateReader:
    """Reads a terminal and remembers what was told."""

    def __init__(self, terminal: Terminal, opening: Opening) -> None:
        self._terminal = terminal
        self._rules_ns = opening.rules_ms * _NS_A_MS
        self._watched = dict.fromkeys((*(name for name, _ in opening.symbols), *opening.feed))
        self.forget()

    def forget(self) -> None:
        """Tell everything at the next reading."""
        self._account: AccountState | None = None
        self._positions: list[Position] | None = None
        self._orders: list[PendingOrder] | None = None
        self._quotes: dict[str, Quote] = {}
        self._rules: dict[str, Instrument | None] = {}
        self._rules_read_ns: dict[str, int] = {}

    def watch(self, symbol: str) -> None:
        """Tell a symbol's quote and rules from now on."""
        if len(self._watched) < SYMBOLS_MAX:
            self._watched[symbol] = None

    def read(self, now_ns: int, market: int) -> State:
        """Read the terminal. Raises TerminalUnavailable and WrongTerminal."""
        state = State(now_ns, market)
        account = self._terminal.account()
        if account != self._account:
            self._account = state.account = account
        positions = list(self._terminal.positions())
        if positions != self._positions:
            self._positions = state.positions = positions
        orders = list(self._terminal.pending_orders())
        if orders != self._orders:
            self._orders = state.orders = orders
        for position in positions:
            self.watch(position.symbol)
        for symbol in self._watched:
            self._read_symbol(symbol, now_ns, state)
        return state

    def _read_symbol(self, symbol: str, now_ns: int, state: State) -> None:
        try:
            quote = self._terminal.quote(symbol)
            if quote is not None and quote != self._quotes.get(symbol):
                self._quotes[symbol] = quote
                state.quotes.append(quote)
            read_ns = self._rules_read_ns.get(symbol)
            if read_ns is not None and now_ns - read_ns < self._rules_ns:
                return
            rules: Instrument | None = self._terminal.instrument(symbol)
        except PriceUnknown:
            return
        except SymbolUnknown:
            rules = None
        self._rules_read_ns[symbol] = now_ns
        if symbol not in self._rules or self._rules[symbol] != rules:
            self._rules[symbol] = state.rules[symbol] = rules
