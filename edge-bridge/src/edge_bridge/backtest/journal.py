"""The engine's journal in memory: a backtest that is killed is run again, so nothing need last.

Live and replay keep theirs in SQLite (`link/journal.py`); the engine does not see the difference.
"""

from collections.abc import Iterable, Sequence
from uuid import UUID

from contracts.envelope import Envelope
from edge_bridge.engine.journal import Record


class BacktestJournal:
    """Records in a dict, events in a list."""

    def __init__(self) -> None:
        self._records: dict[str, dict[str, str]] = {}
        self.events: list[Envelope] = []
        """What the outside would have heard, in order."""

    def write(
        self,
        *,
        events: Sequence[Envelope] = (),
        records: Iterable[Record] = (),
        done: Sequence[UUID] = (),
        quiet: bool = False,
    ) -> None:
        """Take a step."""
        del done, quiet  # nothing is delivered twice here, and nobody waits to be woken
        self.events.extend(events)
        for kind, key, value in records:
            if value is None:
                self._records.get(kind, {}).pop(key, None)
            else:
                self._records.setdefault(kind, {})[key] = value

    def load(self, kind: str) -> dict[str, str]:
        """Read the records of a kind by key."""
        return dict(self._records.get(kind, {}))
