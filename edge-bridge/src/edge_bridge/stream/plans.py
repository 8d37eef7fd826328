"""What a tenant's plan lets it stream. A tenant nobody has heard of may stream nothing."""

from dataclasses import dataclass

from contracts.subscription_service import ALL_SYMBOLS, EntitlementsChanged, Tier

SYMBOLS_MAX: dict[Tier, int | None] = {"free": 1, "pro": 10, "enterprise": None}
"""Where the plan itself names no number."""
CONNECTIONS_MAX: dict[Tier, int] = {"free": 2, "pro": 10, "enterprise": 100}


@dataclass(frozen=True, slots=True)
class StreamLimits:
    """A tenant's limits over all its connections; None is no limit."""

    symbols: frozenset[str] | None
    symbols_max: int | None
    connections_max: int

    def allows(self, symbol: str) -> bool:
        """Whether the plan names a symbol."""
        return self.symbols is None or symbol in self.symbols


def read_limits(plan: EntitlementsChanged) -> StreamLimits:
    """The stream's part of what a tenant may use."""
    everything = ALL_SYMBOLS in plan.symbols
    return StreamLimits(
        symbols=None if everything else frozenset(plan.symbols),
        symbols_max=plan.max_symbols or SYMBOLS_MAX[plan.tier],
        connections_max=CONNECTIONS_MAX[plan.tier],
    )
