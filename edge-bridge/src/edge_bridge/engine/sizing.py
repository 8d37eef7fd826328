"""How large: the share of equity that may be lost at the stop, rounded down to what can be traded.

Integers only. Every rounding is towards the smaller position.
"""

from dataclasses import dataclass
from decimal import ROUND_CEILING, Decimal
from math import floor

from edge_bridge.ports import LOT, Instrument

_NANO = 10**9
_PPM = 1_000_000
_BP = 10_000


@dataclass(frozen=True, slots=True)
class Contractual:
    """An instrument's money values as integers: minor units of the account currency x 10^9."""

    instrument: Instrument
    point_nano: int
    """Of one point on a hundredth of a lot, rounded up."""
    margin_nano: int
    """Margin of a hundredth of a lot, rounded up."""


def read_contract(instrument: Instrument, currency_digits: int) -> Contractual:
    """Read an instrument's money values once, off the order's way."""
    minor = Decimal(10) ** currency_digits
    point = instrument.tick_value * minor / (instrument.tick_size * LOT)
    margin = instrument.margin_per_lot * minor / LOT
    return Contractual(instrument, _to_nano(point), _to_nano(margin))


def _to_nano(amount: Decimal) -> int:
    return int((amount * _NANO).to_integral_value(ROUND_CEILING))


def size_position(
    equity: int, risk_bp: int, size_factor: float, stop_distance: int, contract: Contractual
) -> int:
    """Volume in hundredths of a lot whose loss at the stop stays within the risk; 0 if none does.

    Equity in minor units, the distance in points. Never above the instrument's maximum.
    """
    loss_nano = stop_distance * contract.point_nano
    if equity <= 0 or loss_nano <= 0 or not 0 < size_factor <= 1:
        return 0
    factor_ppm = floor(size_factor * _PPM)
    budget_nano = equity * risk_bp * factor_ppm * _NANO // (_BP * _PPM)
    rules = contract.instrument
    volume = min(budget_nano // loss_nano, rules.volume_max)
    volume -= volume % rules.volume_step
    return volume if volume >= rules.volume_min else 0


def measure_margin(volume: int, contract: Contractual) -> int:
    """Margin of a volume in minor units, rounded up."""
    return -(-volume * contract.margin_nano // _NANO)


def measure_notional(volume: int, leverage: int, contract: Contractual) -> int:
    """What a volume is worth, in minor units of the account currency, rounded up."""
    return -(-volume * contract.margin_nano * leverage // _NANO)
