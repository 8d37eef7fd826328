"""What the host says about itself at /health: counts and ages, nothing of any tenant."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class HostHealth:
    """The host now. Not ready: no account is connected, the outbox is full, ticks are too old."""

    ready: bool
    accounts: Mapping[str, int] = field(default_factory=dict)
    """How many accounts are in each state of health."""
    outbox_rows: int = 0
    outbox_bytes: int = 0
    tick_age_s: float | None = None
    """Of the newest tick of all; None before the first."""

    def describe(self) -> dict[str, Any]:
        """The answer's fields."""
        return {
            "status": "ready" if self.ready else "not_ready",
            "accounts": dict(self.accounts),
            "outbox": {"rows": self.outbox_rows, "bytes": self.outbox_bytes},
            "tick_age_s": self.tick_age_s,
        }


def report_nothing() -> HostHealth:
    """The health of a host that has told nothing: not ready."""
    return HostHealth(ready=False)
