"""One symbol at the broker: its rules, its last tick, and the prices at which something happens.

Every tick is compared with four bounds and a time. Only when one is reached are positions and
orders looked at; so a tick costs the same with a hundred open positions as with none.
"""

from edge_bridge.adapters.paper.settings import SymbolSettings
from edge_bridge.adapters.paper.tape import SymbolTape

NEVER = 1 << 62
UNTIMED = -NEVER


class Book:
    """Quote and bounds of a symbol. `seq` is the last tick that has had its effect."""

    __slots__ = (
        "ask", "ask_high", "ask_low", "bid", "bid_high", "bid_low", "day", "described", "due_ns",
        "is_open", "journaled_seq", "midnight_ns", "scale", "selected", "seq", "settings", "tape",
        "ts_ns",
    )  # fmt: skip

    def __init__(self, settings: SymbolSettings, tape: SymbolTape) -> None:
        self.settings = settings
        self.tape = tape
        self.scale: int = 10**settings.digits
        self.seq = -1
        self.journaled_seq = -1
        self.ts_ns = UNTIMED
        self.bid = settings.last_bid
        self.ask = settings.last_ask
        self.day = 0  # of the broker's clock, up to which night swap is charged
        self.midnight_ns = UNTIMED  # the next one after the last time the bounds were set
        self.is_open = True
        self.selected = settings.selected
        self.described: tuple[tuple[SymbolSettings, bool], dict[str, object]] | None = None
        self.disarm()

    def disarm(self) -> None:
        """Expect nothing from the next ticks."""
        self.bid_low = self.ask_low = -NEVER
        self.bid_high = self.ask_high = self.due_ns = NEVER

    def wake_always(self) -> None:
        """Look at every tick."""
        self.bid_low = NEVER

    def wake_when_bid(self, *, at_most: int | None = None, at_least: int | None = None) -> None:
        """Look again when the bid falls or rises to a price."""
        if at_most is not None and at_most > self.bid_low:
            self.bid_low = at_most
        if at_least is not None and at_least < self.bid_high:
            self.bid_high = at_least

    def wake_when_ask(self, *, at_most: int | None = None, at_least: int | None = None) -> None:
        """Look again when the ask falls or rises to a price."""
        if at_most is not None and at_most > self.ask_low:
            self.ask_low = at_most
        if at_least is not None and at_least < self.ask_high:
            self.ask_high = at_least

    @property
    def has_price(self) -> bool:
        """Whether a tick or the price of an earlier session is known."""
        return self.bid > 0

    @property
    def has_quotes(self) -> bool:
        """Whether a tick has come in this session."""
        return self.seq >= 0
