"""How large: five methods, rounded down to what can be traded, none above the account's own risk.

Integers only, and every rounding is towards the smaller position. Pure: what a method needs comes
in, a volume in hundredths of a lot comes out; 0 means that even the smallest is too large.
Whatever the method, a loss at the stop stays within `cap_bp` of equity, and `size_factor` shrinks.
"""

from dataclasses import dataclass
from decimal import ROUND_CEILING, Decimal
from math import floor

from contracts.trading_limits import SizingMethod
from edge_bridge.ports import LOT, Instrument

NANO = 10**9
PPM = 1_000_000
BP = 10_000


@dataclass(frozen=True, slots=True)
class Contractual:
    """An instrument's money values as integers: minor units of the account currency x 10^9."""

    instrument: Instrument
    point_nano: int
    """Of one point on a hundredth of a lot, rounded up."""
    margin_nano: int
    """Margin of a hundredth of a lot, rounded up."""


@dataclass(frozen=True, slots=True)
class SizeRule:
    """An account's sizing with the bounds of its limits worked in."""

    method: SizingMethod = "fixed_risk"
    cap_bp: int = 50
    """No method loses more of equity at the stop."""
    risk_bp: int = 50
    lot: int = 1
    volatility_bp: int = 1_000
    kelly_bp: int = 2_500
    kelly_cap_bp: int = 200
    ratio_ppm: int = 100_000


@dataclass(slots=True)
class Stake:
    """What one entry is sized from. Money in minor units, distances and price in points.

    Not frozen: one is made for every account while a signal waits.
    """

    equity: int
    price: int
    stop_distance: int
    target_distance: int
    factor_ppm: int
    """The signal's size factor; see `to_ppm`."""
    win_ppm: int
    """Probability of the signal's direction."""
    volatility_ppm: int | None
    """Yearly, of the symbol's returns; None when it is not known."""
    leverage: int


def read_contract(instrument: Instrument, currency_digits: int) -> Contractual:
    """Read an instrument's money values once, off the order's way."""
    minor = Decimal(10) ** currency_digits
    point = instrument.tick_value * minor / (instrument.tick_size * LOT)
    margin = instrument.margin_per_lot * minor / LOT
    return Contractual(instrument, _to_nano(point), _to_nano(margin))


def _to_nano(amount: Decimal) -> int:
    return int((amount * NANO).to_integral_value(ROUND_CEILING))


def to_ppm(share: float) -> int:
    """A share from 0 to 1 as millionths, rounded down; anything else is 0."""
    return floor(share * PPM) if 0 < share <= 1 else 0


def size_position(rule: SizeRule, stake: Stake, contract: Contractual) -> int | None:
    """Volume of an entry by the account's method; None when the volatility it needs is unknown."""
    loss_nano = stake.stop_distance * contract.point_nano
    if stake.equity <= 0 or loss_nano <= 0 or not 0 < stake.factor_ppm <= PPM:
        return 0
    method = rule.method
    if method == "fixed_risk":
        return fit_volume(_size_by_risk(min(rule.risk_bp, rule.cap_bp), stake, contract), contract)
    if method == "fixed_lot":
        volume = rule.lot * stake.factor_ppm // PPM
    elif method == "account_ratio":
        volume = size_by_ratio(rule.ratio_ppm, stake)
    elif method == "kelly":
        volume = size_by_kelly(rule, stake, contract)
    elif stake.volatility_ppm is None or stake.volatility_ppm <= 0:
        return None
    else:
        volume = size_by_volatility(rule.volatility_bp, stake.volatility_ppm, stake, contract)
    cap = stake.equity * rule.cap_bp * NANO // (BP * loss_nano)
    return fit_volume(min(volume, cap), contract)


def _size_by_risk(risk_bp: int, stake: Stake, contract: Contractual) -> int:
    """The volume that loses a share of equity at the stop."""
    budget_nano = stake.equity * risk_bp * stake.factor_ppm * NANO // (BP * PPM)
    return budget_nano // (stake.stop_distance * contract.point_nano)


def size_by_ratio(ratio_ppm: int, stake: Stake) -> int:
    """So many hundredths of a lot for each million minor units of equity."""
    return stake.equity * ratio_ppm * stake.factor_ppm // (PPM * PPM)


def size_by_kelly(rule: SizeRule, stake: Stake, contract: Contractual) -> int:
    """A fraction of the Kelly stake, which is p - (1 - p) x stop / target; no edge, no position."""
    win, stop, target = stake.win_ppm, stake.stop_distance, stake.target_distance
    if target <= 0:
        return 0
    edge_ppm = (win * target - (PPM - win) * stop) // target
    if edge_ppm <= 0:
        return 0
    share_ppm = min(edge_ppm * rule.kelly_bp // BP, rule.kelly_cap_bp * (PPM // BP))
    budget_nano = stake.equity * share_ppm * stake.factor_ppm * NANO // (PPM * PPM)
    return budget_nano // (stop * contract.point_nano)


def size_by_volatility(
    target_bp: int, volatility_ppm: int, stake: Stake, contract: Contractual
) -> int:
    """The volume whose notional times yearly volatility is a share of equity."""
    unit_nano = price_unit(stake.price, stake.leverage, contract)
    budget = stake.equity * NANO * target_bp * stake.factor_ppm
    return budget // (BP * volatility_ppm * unit_nano) if unit_nano > 0 else 0


def fit_volume(volume: int, contract: Contractual) -> int:
    """The largest volume not above this one that the broker takes; 0 if there is none."""
    rules = contract.instrument
    volume = min(volume, rules.volume_max)
    volume -= volume % rules.volume_step
    return volume if volume >= rules.volume_min else 0


def measure_margin(volume: int, contract: Contractual) -> int:
    """Margin of a volume in minor units, rounded up."""
    return -(-volume * contract.margin_nano // NANO)


def price_unit(price: int, leverage: int, contract: Contractual) -> int:
    """What a hundredth of a lot is worth, minor units x 10^9.

    Price times point value, or margin times leverage where that is more: a broker that asks for
    less margin than the leverage says does not make a position smaller.
    """
    return max(price * contract.point_nano, contract.margin_nano * leverage)


def measure_notional(volume: int, price: int, leverage: int, contract: Contractual) -> int:
    """What a volume is worth, in minor units of the account currency, rounded up."""
    return -(-volume * price_unit(price, leverage, contract) // NANO)
