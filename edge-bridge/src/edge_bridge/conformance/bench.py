"""What a check works with: the terminal under test, one symbol, and patience."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from edge_bridge.ports import Done, OrderRequest, Position, SendResult, Side, Terminal

_T = TypeVar("_T")
POLL_S = 0.05


class NotConforming(Exception):
    """A terminal does not do what the port promises; the text says what and how it was seen."""


@dataclass(slots=True)
class Bench:
    """The terminal under test. `fresh` makes the same terminal again, not connected yet."""

    fresh: Callable[[], Terminal]
    symbol: str
    magic: int = 771_000_001
    patience_s: float = 10.0
    sleep: Callable[[float], None] = time.sleep
    owns_connection: bool = True
    """Whether `disconnect` really closes; a worker's connection is its supervisor's."""
    terminal: Terminal = field(init=False)

    def __post_init__(self) -> None:
        self.terminal = self.fresh()

    def expect(self, holds: bool, fact: str) -> None:
        """Raise NotConforming unless it holds."""
        if not holds:
            raise NotConforming(fact)

    def wait_for(self, read: Callable[[], _T | None], what: str) -> _T:
        """Read until there is something, a broker's books take a moment. Raises NotConforming."""
        for _ in range(max(1, round(self.patience_s / POLL_S))):
            found = read()
            if found is not None:
                return found
            self.sleep(POLL_S)
        raise NotConforming(f"{what} did not come within {self.patience_s:.0f} s")

    def next_magic(self) -> int:
        """A magic that no order of this run has had."""
        self.magic += 1
        return self.magic

    def smallest(self) -> int:
        """The smallest volume that can be halved."""
        rules = self.terminal.instrument(self.symbol)
        return 2 * max(rules.volume_min, rules.volume_step)

    def open(self, side: Side, stop_loss: int = 0, take_profit: int = 0) -> Position:
        """Open a position with a magic of its own; return it as the broker lists it."""
        magic = self.next_magic()
        request = OrderRequest(
            "conformance", self.symbol, side, self.smallest(), stop_loss, take_profit, magic, 50
        )
        answer = self.terminal.send(request)
        self.expect(isinstance(answer, Done), f"a market order was answered {answer}")
        return self.wait_for(lambda: self.find(magic), "the position")

    def find(self, magic: int) -> Position | None:
        """The open position with a magic."""
        return next((p for p in self.terminal.positions() if p.magic == magic), None)

    def close(self, position: Position) -> None:
        """Close a position and wait until it is gone."""
        answer = self.terminal.close_position(position, deviation=50)
        self.expect(isinstance(answer, Done), f"a close was answered {answer}")
        self.wait_for(lambda: self.is_flat(position) or None, "the end of the position")

    def is_flat(self, position: Position) -> bool:
        """Whether a position is gone."""
        return all(p.identifier != position.identifier for p in self.terminal.positions())

    def expect_refused(self, answer: SendResult, what: str, kinds: tuple[str, ...]) -> None:
        """A refusal for one of these reasons."""
        kind = getattr(answer, "kind", None)
        self.expect(kind in kinds, f"{what} was answered {answer}, not refused for {kinds}")

    def sweep(self) -> None:
        """Close what this run left open."""
        for position in self.terminal.positions():
            if position.magic > 771_000_001 and position.symbol == self.symbol:
                self.terminal.close_position(position, deviation=50)
