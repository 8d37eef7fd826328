"""What an account holds, summed up once a reading, so that a signal adds one order to a few sums.

Notional is in minor units of the account currency. Orders that wait for their price count as held:
they may fill at any time. They are left out of the net of a currency, where one that offsets a
position would hide what is open until then.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from edge_bridge.engine.sizing import Contractual, measure_notional
from edge_bridge.ports import AccountState, PendingOrder, Position


@dataclass(slots=True)
class Holdings:
    """Sums over an account's positions and pending orders."""

    positions: int = 0
    pending: int = 0
    volume: int = 0
    gross: dict[str, int] = field(default_factory=dict)
    """Notional by symbol, whatever the direction."""
    net: dict[str, int] = field(default_factory=dict)
    """Signed notional by currency, the account's own left out."""
    total: int = 0
    unpriced: bool = False
    """Something is held whose worth is not known."""


def sum_holdings(
    positions: Sequence[Position],
    pending: Sequence[PendingOrder],
    contracts: Mapping[str, Contractual],
    state: AccountState,
) -> Holdings:
    """Sum up what an account holds."""
    held = Holdings(len(positions), len(pending))
    for position in positions:
        contract = contracts.get(position.symbol)
        if contract is None:
            held.unpriced = True
            continue
        notional = measure_notional(position.volume, position.price_open, state.leverage, contract)
        _add(held, position.symbol, position.volume, notional)
        signed = notional if position.side == "buy" else -notional
        rules, net = contract.instrument, held.net
        net[rules.currency_base] = net.get(rules.currency_base, 0) + signed
        net[rules.currency_profit] = net.get(rules.currency_profit, 0) - signed
    for order in pending:
        contract = contracts.get(order.symbol)
        if contract is None:
            held.unpriced = True
            continue
        notional = measure_notional(order.volume, order.price, state.leverage, contract)
        _add(held, order.symbol, order.volume, notional)
    held.net.pop(state.currency, None)
    return held


def _add(held: Holdings, symbol: str, volume: int, notional: int) -> None:
    held.volume += volume
    held.gross[symbol] = held.gross.get(symbol, 0) + notional
    held.total += notional
