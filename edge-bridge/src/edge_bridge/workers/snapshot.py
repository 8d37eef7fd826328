"""The newest state of an account's terminal that its worker has told."""

from edge_bridge.ports import (
    AccountState,
    Instrument,
    PendingOrder,
    Position,
    PriceUnknown,
    Quote,
    SymbolUnknown,
)
from edge_bridge.workers.messages import State


class Snapshot:
    """Values as last told; written by the supervisor's thread, read by the engine's.

    Each value is replaced as a whole, so a reader sees an old one or a new one, never half.
    """

    def __init__(self) -> None:
        self.read_ns = 0
        """When it was read, on the machine's monotonic clock; 0 before the first time."""
        self.market = 0
        self.account: AccountState | None = None
        self.positions: tuple[Position, ...] = ()
        self.orders: tuple[PendingOrder, ...] = ()
        self.quotes: dict[str, Quote] = {}
        self.rules: dict[str, Instrument | None] = {}

    def take(self, state: State) -> None:
        """Take what changed; the time last, so that nothing looks newer than it is."""
        if state.positions is not None:
            self.positions = tuple(state.positions)
        if state.orders is not None:
            self.orders = tuple(state.orders)
        for quote in state.quotes:
            self.quotes[quote.symbol] = quote
        self.rules.update(state.rules)
        if state.account is not None:
            self.account = state.account
        self.market = state.market
        self.read_ns = state.at_ns

    def find_rules(self, symbol: str) -> Instrument:
        """Raises SymbolUnknown, and PriceUnknown while the symbol was not told."""
        try:
            rules = self.rules[symbol]
        except KeyError:
            raise PriceUnknown(f"{symbol} has not been read yet") from None
        if rules is None:
            raise SymbolUnknown(symbol)
        return rules

    def find_quote(self, symbol: str) -> Quote | None:
        """Raises SymbolUnknown; None before its first tick."""
        if symbol in self.rules and self.rules[symbol] is None:
            raise SymbolUnknown(symbol)
        return self.quotes.get(symbol)
