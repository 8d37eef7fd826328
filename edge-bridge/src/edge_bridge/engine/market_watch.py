"""What is known of the market for all accounts: closes a minute, the calendar, a signal's scene.

Held once an engine. The scene of a signal is drawn for its first account and kept for the others.
"""

from functools import partial

from contracts.ai_orchestration import SignalIssued
from edge_bridge.engine.calendar import MINUTE_NS, TradingCalendar, find_week_minute, to_ns
from edge_bridge.engine.correlation import ReturnBook
from edge_bridge.engine.picture import Scene
from edge_bridge.engine.sizing import to_ppm
from edge_bridge.ports import Quote


class Correlated(dict[str, int | None]):
    """How one symbol moves with others, asked once each."""

    def __init__(self, symbol: str, returns: ReturnBook) -> None:
        super().__init__()
        self._symbol, self._returns = symbol, returns

    def __missing__(self, other: str) -> int | None:
        self[other] = found = self._returns.correlate(self._symbol, other)
        return found


class MarketWatch:
    """References in, scenes out."""

    def __init__(self) -> None:
        self.calendar = TradingCalendar()
        self.returns = ReturnBook()
        self._scene: Scene | None = None

    def note_quote(self, quote: Quote) -> None:
        """Take a reference quote: the last one of a minute is the minute's close."""
        self.returns.note(quote.symbol, quote.time_ns // MINUTE_NS, quote.bid + quote.ask)

    def note_bar(self, symbol: str, open_ns: int, close: int, spread: int) -> None:
        """Take a closed M1 bar of bids, such as of the history before the first quote."""
        self.returns.note(symbol, open_ns // MINUTE_NS, 2 * close + spread)

    def draw_scene(self, signal: SignalIssued, now_ns: int, reference: Quote | None) -> Scene:
        """What a signal meets now; the same scene for every account that asks at once."""
        known = self._scene
        if (
            known is not None
            and known.signal is signal
            and known.now_ns == now_ns
            and known.reference is reference
        ):
            return known
        calendar, week = self.calendar, self.calendar.find_market_week(now_ns)
        win = signal.probability if signal.direction == "buy" else 1 - signal.probability
        self._scene = Scene(
            now_ns=now_ns,
            signal=signal,
            as_of_ns=to_ns(signal.as_of),
            expires_ns=to_ns(signal.expires_at),
            factor_ppm=to_ppm(signal.size_factor),
            win_ppm=to_ppm(win),
            reference=reference,
            volatility_ppm=self.returns.find_volatility(signal.symbol, now_ns // MINUTE_NS),
            week_minute=find_week_minute(now_ns),
            market_open=week.open,
            week_ends_ns=week.ends_ns if week.open else None,
            find_rollovers=partial(calendar.find_rollovers, now_ns=now_ns),
            find_news=partial(calendar.find_news, now_ns=now_ns),
            correlate=Correlated(signal.symbol, self.returns).__getitem__,
        )
        return self._scene
