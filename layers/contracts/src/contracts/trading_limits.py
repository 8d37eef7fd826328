"""How a tenant wants an account traded: sizing, limits, exits. Values only; messages carry them.

Basis points (bp) are ten-thousandths, volumes hundredths of a lot, distances points of the symbol.
A limit that is None does not apply; the platform's own bounds always do. Everything here can only
narrow what the plan and the platform allow.
"""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from contracts.envelope import Contract, UtcDatetime

Execution = Literal["signal_only", "trade"]
"""Whether signals are only shown, or traded on the account (paper or live, as the account is)."""
SizingMethod = Literal["fixed_lot", "fixed_risk", "volatility_target", "kelly", "account_ratio"]
LossBasis = Literal["balance", "equity"]
LossPeriod = Literal["day", "week", "month"]
ShareBp = Annotated[int, Field(ge=1, le=10_000)]
Symbol = Annotated[str, Field(min_length=1, max_length=29)]


class SessionWindow(Contract):
    """A weekly span in UTC in which entries are allowed, within one day; Monday is 0."""

    weekday: int = Field(ge=0, le=6)
    from_minute: int = Field(ge=0, le=1_439)
    to_minute: int = Field(ge=1, le=1_440)

    @model_validator(mode="after")
    def _ends_after_it_begins(self) -> "SessionWindow":
        if self.to_minute <= self.from_minute:
            raise ValueError("to_minute must be after from_minute")
        return self


class Sizing(Contract):
    """How large an entry is. Whatever the method says, the limits cut or deny it."""

    method: SizingMethod = "fixed_risk"
    fixed_lot: int = Field(default=1, ge=1, le=100_000)
    """``fixed_lot``: hundredths of a lot."""
    risk_bp: int = Field(default=50, ge=1, le=500)
    """``fixed_risk``: share of equity lost at the stop."""
    target_volatility_bp: int = Field(default=1_000, ge=10, le=10_000)
    """``volatility_target``: the position's yearly volatility over equity."""
    kelly_fraction_bp: int = Field(default=2_500, ge=1, le=10_000)
    """``kelly``: the share of the full Kelly stake (a quarter by default)."""
    kelly_cap_bp: int = Field(default=200, ge=1, le=500)
    """``kelly``: never more than this share of equity at the stop."""
    account_ratio_ppm: int = Field(default=10, ge=1, le=10_000)
    """``account_ratio``: hundredths of a lot for each million minor units of equity: 10 are 0.10
    lot for 10,000 dollars."""


class LossLimit(Contract):
    """A loss that stops entries for the rest of the period, on the tenant's local calendar."""

    period: LossPeriod
    basis: LossBasis
    max_bp: ShareBp
    """Of what the basis was when the period began."""
    close_positions: bool = False


class ExitPlan(Contract):
    """What is done to an open position besides its stop, target and horizon. 0 = not done."""

    trailing_start: int = Field(default=0, ge=0, le=1_000_000)
    """Profit in points from which the stop trails."""
    trailing_distance: int = Field(default=0, ge=0, le=1_000_000)
    trailing_step: int = Field(default=10, ge=1, le=1_000_000)
    """The stop moves by at least this much."""
    break_even_at: int = Field(default=0, ge=0, le=1_000_000)
    """Profit in points at which the stop goes to the opening price plus the offset."""
    break_even_offset: int = Field(default=0, ge=0, le=1_000_000)
    partial_close_at: int = Field(default=0, ge=0, le=1_000_000)
    """Profit in points at which a share of the position is closed, once."""
    partial_close_bp: int = Field(default=5_000, ge=1, le=9_999)
    time_exit_s: int = Field(default=0, ge=0, le=2_592_000)
    """Closes earlier than the signal's horizon would."""


class TradingLimits(Contract):
    """One account's settings, or a tenant's for all accounts without settings of their own."""

    execution: Execution = "trade"
    sizing: Sizing = Sizing()
    exits: ExitPlan = ExitPlan()
    symbols: tuple[Symbol, ...] | None = Field(default=None, max_length=200)
    """Symbols that may be traded; None: all that the plan has."""
    sessions: tuple[SessionWindow, ...] = Field(default=(), max_length=50)
    """Empty: always."""
    news_before_s: int = Field(default=300, ge=0, le=86_400)
    news_after_s: int = Field(default=300, ge=0, le=86_400)
    rollover_before_s: int = Field(default=300, ge=0, le=7_200)
    """No entry so long before and after the broker's midnight."""
    rollover_after_s: int = Field(default=300, ge=0, le=7_200)
    weekend_before_s: int = Field(default=3_600, ge=0, le=172_800)
    """No entry so long before the week's close (Friday 17:00 in New York)."""
    signal_age_max_s: int = Field(default=60, ge=1, le=3_600)
    quote_age_max_ms: int = Field(default=60_000, ge=100, le=600_000)
    spread_max: int | None = Field(default=None, ge=1)
    """Points."""
    spread_share_max_bp: ShareBp = 5_000
    """Spread over stop distance."""
    collar_bp: int = Field(default=20, ge=1, le=1_000)
    """How far the account's price may be from the market data's."""
    orders_per_minute_max: int = Field(default=10, ge=1, le=600)
    orders_per_day_max: int | None = Field(default=None, ge=1)
    pending_orders_max: int = Field(default=20, ge=0, le=500)
    positions_max: int | None = Field(default=None, ge=1, le=500)
    volume_max: int | None = Field(default=None, ge=1)
    """Of one order."""
    volume_total_max: int | None = Field(default=None, ge=1)
    """Of all open positions with the new one."""
    symbol_exposure_max_bp: int = Field(default=300_000, ge=1)
    """Notional over equity."""
    currency_exposure_max_bp: int = Field(default=400_000, ge=1)
    correlated_exposure_max_bp: int = Field(default=500_000, ge=1)
    """Notional of the positions whose symbols move together, over equity."""
    correlation_min_bp: ShareBp = 7_000
    """From which correlation of returns symbols count as moving together."""
    leverage_max_bp: int = Field(default=1_000_000, ge=1)
    """All notional over equity."""
    margin_level_min_bp: int = Field(default=20_000, ge=0)
    """Equity over margin after the fill."""
    free_margin_share_max_bp: ShareBp = 8_000
    losses: tuple[LossLimit, ...] = Field(default=(), max_length=6)
    drawdown_max_bp: ShareBp = 2_000
    """Fall of equity from its peak that latches the kill switch."""
    cooldown_s: int = Field(default=60, ge=0, le=604_800)
    """Pause in a symbol after a stop loss."""
    losses_in_row_max: int | None = Field(default=None, ge=1, le=100)
    losses_cooldown_s: int = Field(default=3_600, ge=0, le=604_800)
    """Pause of the account after so many losses in a row."""

    @model_validator(mode="after")
    def _one_limit_each(self) -> "TradingLimits":
        kinds = [(each.period, each.basis) for each in self.losses]
        if len(kinds) != len(set(kinds)):
            raise ValueError("one loss limit for each period and basis")
        return self


class NewsWindow(Contract):
    """An event after which prices of a currency jump."""

    currency: str = Field(pattern="^[A-Z]{3}$")
    at: UtcDatetime
    title: str = Field(max_length=200)
