"""Names and bounds of the feature set ``bars-v1``, for readers that need no arithmetic (numpy)."""

FEATURE_SET = "bars-v1"
WINDOW = 64
MAX_HOLE_BARS = 10
"""A wider hole between two bars (a weekend) makes the window unfit; quiet minutes do not."""

COLUMNS = ("open_ns", "open", "high", "low", "close", "spread", "ticks")
"""Numbers of a bar, in the order that windows hold them."""

RETURNS = (1, 2, 3, 5, 10, 15, 30, 60)
EMAS = (5, 10, 20, 40)
SPANS = (5, 15, 30, 60)

FEATURES: tuple[str, ...] = (
    *(f"return_{k}" for k in RETURNS),
    *(f"ema_distance_{span}" for span in EMAS),
    "macd",
    "macd_histogram",
    *(f"efficiency_{k}" for k in (15, 60)),
    *(f"position_in_range_{k}" for k in (15, 60)),
    "bollinger_20",
    *(f"rsi_{k}" for k in (15, 60)),
    *(f"volatility_ratio_{k}" for k in (5, 15)),
    *(f"range_ratio_{k}" for k in (5, 15)),
    "volatility_to_range",
    "autocorrelation_30",
    "body",
    "upper_wick",
    "lower_wick",
    "spread_to_range",
    "spread_ratio",
    "tick_intensity",
    "tick_intensity_5",
    "signed_ticks_15",
    "minute_sin",
    "minute_cos",
    "weekday_sin",
    "weekday_cos",
)
"""Names of the columns, in order."""
