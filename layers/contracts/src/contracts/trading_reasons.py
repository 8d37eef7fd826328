"""The closed lists of trading: why an order was denied, why a position ended, what broke."""

from typing import Literal

AccountMode = Literal["paper", "live"]
DenialReason = Literal[
    "account_unknown",
    "account_not_tradable",
    "symbol_not_entitled",
    "instrument_unknown",
    "quota_exhausted",
    "signal_expired",
    "signal_invalid",
    "duplicate_signal",
    "kill_switch",
    "quote_missing",
    "quote_stale",
    "spread_too_wide",
    "price_collar",
    "stop_too_close",
    "position_limit",
    "exposure_limit",
    "currency_exposure_limit",
    "daily_loss_limit",
    "drawdown_limit",
    "margin_insufficient",
    "volume_below_minimum",
    "order_rate_limit",
    "cooldown",
    "reconciliation_pending",
    "signal_only",
    "symbol_not_allowed",
    "session_closed",
    "news_blackout",
    "rollover_blackout",
    "weekend_blackout",
    "daily_order_limit",
    "pending_order_limit",
    "volume_limit",
    "total_volume_limit",
    "correlated_exposure_limit",
    "leverage_limit",
    "margin_level_limit",
    "weekly_loss_limit",
    "monthly_loss_limit",
    "losses_in_row",
    "market_closed",
    "storage_full",
    "terminal_unavailable",
]
CloseReason = Literal[
    "stop_loss",
    "take_profit",
    "horizon",
    "manual",
    "kill_switch",
    "stop_out",
    "loss_limit",
    "time_exit",
]
KillScope = Literal["tenant", "host", "account"]
AccountHealth = Literal[
    "starting", "connected", "disconnected", "hung", "backing_off", "circuit_open", "stopped"
]
DifferenceKind = Literal[
    "external_position",
    "external_gone",
    "position_missing",
    "volume_differs",
    "stops_differ",
    "order_unknown",
]
SlaMetric = Literal["tick_age_ms", "decision_to_order_us", "order_round_trip_us"]
