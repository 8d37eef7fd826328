"""A paper market as an outsider sees it: the two specifications, `feed`, and nothing else."""

from pathlib import Path
from typing import Any

from edge_bridge.adapters import constants as c
from edge_bridge.adapters.paper import AccountSpec, SimulatedTerminal, SymbolSpec

OPEN_MSC = 1_400_000_400_000  # Tuesday 2014-05-13 17:00 on the broker's clock
DAY_MS = 86_400_000
ACCOUNT: dict[str, Any] = {
    "login": 1001, "password": "pw", "server": "Paper-Demo", "currency": "USD",
    "leverage": 100, "balance": 10_000.0, "margin_mode": 2,
}  # fmt: skip
EURUSD: dict[str, Any] = {
    "name": "EURUSD", "digits": 5, "trade_contract_size": 100_000.0, "volume_min": 0.01,
    "volume_max": 100.0, "volume_step": 0.01, "trade_stops_level": 10, "filling_mode": 2,
    "trade_exemode": 2, "currency_base": "EUR", "currency_profit": "USD",
    "currency_margin": "EUR",
}  # fmt: skip
USDJPY = SymbolSpec(name="USDJPY", digits=3)


class Market:
    """One terminal and a clock that moves a second a tick."""

    def __init__(
        self,
        *others: SymbolSpec,
        account: dict[str, Any] | None = None,
        journal: Path | None = None,
        sleep: Any = None,
        **rules: Any,
    ) -> None:
        self.slept: list[float] = []
        self.mt5: Any = SimulatedTerminal(
            account=AccountSpec(**(ACCOUNT | (account or {}))),
            symbols=[SymbolSpec(**(EURUSD | rules)), *others],
            journal=journal,
            sleep=sleep or self.slept.append,
        )
        self.time_msc = OPEN_MSC
        assert self.mt5.initialize(login=1001, password="pw", server="Paper-Demo")

    def tick(self, bid: float, ask: float, symbol: str = "EURUSD", *, ms: int = 1_000) -> None:
        """Feed one tick, a second after the last one unless told otherwise."""
        self.time_msc += ms
        self.mt5.feed(symbol, self.time_msc, bid, ask)

    def send(self, **fields: Any) -> Any:
        """Send a request that is expected to be answered."""
        result = self.mt5.order_send(fields)
        assert result is not None, self.mt5.last_error()
        return result

    def buy(self, volume: float = 0.1, **fields: Any) -> Any:
        return self.deal(c.ORDER_TYPE_BUY, volume, **fields)

    def sell(self, volume: float = 0.1, **fields: Any) -> Any:
        return self.deal(c.ORDER_TYPE_SELL, volume, **fields)

    def deal(self, side: int, volume: float, **fields: Any) -> Any:
        """Send a market order, IOC unless told otherwise."""
        return self.send(
            **{
                "action": c.TRADE_ACTION_DEAL, "symbol": "EURUSD", "type": side, "volume": volume,
                "type_filling": c.ORDER_FILLING_IOC,
            } | fields
        )  # fmt: skip

    def wait(self, kind: int, price: float, volume: float = 0.1, **fields: Any) -> Any:
        """Send an order that waits for its price."""
        return self.send(
            **{
                "action": c.TRADE_ACTION_PENDING, "symbol": "EURUSD", "type": kind,
                "volume": volume, "price": price, "type_filling": c.ORDER_FILLING_RETURN,
            } | fields
        )  # fmt: skip

    @property
    def position(self) -> Any:
        """The only open position."""
        (row,) = self.mt5.positions_get()
        return row

    @property
    def deals(self) -> list[Any]:
        """The deals after the deposit."""
        return [row for row in self.mt5.history_deals_get(1, 2**31 - 1) if row.symbol]


def open_market(*others: SymbolSpec, **given: Any) -> Market:
    """Make a market at 1.10000/1.10010."""
    market = Market(*others, **given)
    market.tick(1.10000, 1.10010)
    return market
