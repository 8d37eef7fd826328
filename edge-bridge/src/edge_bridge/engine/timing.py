"""How long the engine waits and how often it looks: business time, settings of the process."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from contracts.trading_reasons import SlaMetric


@dataclass(frozen=True, slots=True)
class Timing:
    """Waits and periods."""

    answer_wait: timedelta = timedelta(seconds=10)
    """A request without an answer for so long is of unknown outcome."""
    reconcile_every: timedelta = timedelta(seconds=30)
    """Books are compared this often when nothing else asks for it."""
    missing_grace: timedelta = timedelta(seconds=3)
    """A position may be gone for so long before the deals that closed it are booked."""
    monotonic: Callable[[], float] | None = None
    """Seconds that never step, for waits; None: business time is known not to step."""
    sla_window_s: int = 60
    sla_limits: Mapping[SlaMetric, float] = field(
        default_factory=lambda: {
            "decision_to_order_us": 1_200.0,
            "order_round_trip_us": 1_000_000.0,
            "tick_age_ms": 5_000.0,
        }
    )
    """Percentile 99 of a window must not be above."""
