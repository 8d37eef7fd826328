"""The simulated terminal as a backtest reads it: the broker's whole numbers as they are.

The module's structs carry floats and the broker's clock, and the adapter turns them back; with
both sides in one process and thousands of readings a run, that is most of what reading costs. Here
account, positions and deals are read from the broker's rows. The values are those of the adapter,
which a test holds both to. Everything else, requests above all, goes through the module.
"""

from collections.abc import Sequence

from edge_bridge.adapters import constants as c
from edge_bridge.adapters import mapping
from edge_bridge.adapters.paper.records import CLOCK_BACK_MS
from edge_bridge.adapters.paper.rows import MILLIONTHS, DealRow, PositionRow
from edge_bridge.adapters.paper.simulated import SimulatedTerminal
from edge_bridge.adapters.paper.terminal import open_terminal
from edge_bridge.adapters.terminal import ModuleTerminal
from edge_bridge.ports import AccountState, Deal, PendingOrder, Position

_TRADES = (c.DEAL_TYPE_BUY, c.DEAL_TYPE_SELL)


class BacktestTerminal(ModuleTerminal):
    """A terminal whose pipe never breaks and whose books are read in place."""

    def __init__(self, simulated: SimulatedTerminal) -> None:
        inner = open_terminal(simulated)
        super().__init__(inner._module, inner._credentials, inner._clock)
        self._simulated, self._broker = simulated, simulated.broker
        self._kept: dict[int, Deal] = {}
        """Deals are final."""

    def account(self) -> AccountState:
        """Read the account."""
        simulated, broker = self._simulated, self._broker
        account, value = simulated.account, broker.value
        margin = value.measure_margin()
        equity = value.measure_equity()
        return AccountState(
            account.login,
            account.server,
            account.currency,
            2,
            broker.ledger.balance,
            equity,
            margin,
            equity - margin,
            account.leverage,
            simulated.server_trade_allowed
            and account.trade_allowed
            and account.trade_expert
            and simulated.terminal_trade_allowed,
            account.hedging,
            account.trade_mode == c.ACCOUNT_TRADE_MODE_DEMO,
        )

    def positions(self) -> Sequence[Position]:
        """Read every open position, oldest first."""
        found = [self._read_row(row) for row in self._broker.ledger.positions.values()]
        if len(found) > 1:
            found.sort(key=lambda each: (each.time_ns, each.identifier))
        return found

    def _read_row(self, row: PositionRow) -> Position:
        price = row.price_open
        if row.price_millionths:
            scale = self._broker.books[row.symbol].scale
            price = round(row.fine_price / (MILLIONTHS * scale) * scale)
        return Position(
            row.ticket, row.identifier, row.symbol,
            "buy" if row.type == c.ORDER_TYPE_BUY else "sell", row.volume, price, row.sl, row.tp,
            self._clock.to_utc_ns(row.time_msc), row.magic, row.comment,
            self._broker.value.measure_floating(row), row.swap,
        )  # fmt: skip

    def pending_orders(self) -> Sequence[PendingOrder]:
        """Read every pending order, oldest first."""
        return super().pending_orders() if self._broker.ledger.orders else []

    def deals_since(self, time_ns: int) -> Sequence[Deal]:
        """Read the buys and sells at or after a time (whole milliseconds), oldest first."""
        since_ms = self._clock.to_broker_ms(time_ns)
        found: list[Deal] = []
        for row in reversed(self._broker.ledger.deals.values()):
            if row.time_msc < since_ms - CLOCK_BACK_MS:
                break
            if row.time_msc >= since_ms and row.type in _TRADES:
                found.append(self._kept.get(row.ticket) or self._keep(row))
        found.sort(key=lambda each: (each.time_ns, each.ticket))
        return found

    def _keep(self, row: DealRow) -> Deal:
        deal = self._kept[row.ticket] = Deal(
            row.ticket, row.order, row.position_id, row.symbol,
            "buy" if row.type == c.ORDER_TYPE_BUY else "sell", mapping.ENTRIES[row.entry],
            mapping.REASONS.get(row.reason, "other"), row.volume, row.price,
            self._clock.to_utc_ns(row.time_msc), row.magic, row.comment, row.profit,
            row.commission + row.fee, row.swap,
        )  # fmt: skip
        return deal
