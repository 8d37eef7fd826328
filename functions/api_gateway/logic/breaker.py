"""Stops asking a store that does not answer, so that each request does not wait for it anew."""


class Breaker:
    """Opens after some failures in a row; after a pause one call tries again (half-open)."""

    def __init__(self, failures_max: int, pause_s: float) -> None:
        self._failures_max, self._pause_s = failures_max, pause_s
        self._failures = 0
        self._open_until = 0.0
        self.outages = 0
        """How often the store failed: whatever it missed meanwhile must be made up."""

    def allows(self, now_s: float) -> bool:
        """Whether to ask the store now."""
        return self._failures < self._failures_max or now_s >= self._open_until

    def succeed(self) -> None:
        """The store answered."""
        self._failures = 0

    def fail(self, now_s: float) -> None:
        """The store did not answer."""
        self.outages += 1
        self._failures += 1
        self._open_until = now_s + self._pause_s
