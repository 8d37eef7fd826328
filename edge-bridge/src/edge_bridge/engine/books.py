"""The broker's books of one account, read without waiting for a terminal that can be asked.

One slow terminal must not hold up the engine, which serves all accounts on one thread: a question
is put once, and until its answer is there the books are as silent as a terminal that does not
answer. Whoever needs them looks again, as it would after an outage.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import cast

from edge_bridge.ports import (
    AsksDeals,
    Deal,
    DealsHandle,
    Position,
    SymbolUnknown,
    Terminal,
    TerminalUnavailable,
)

QUESTIONS_MAX = 4
"""Put at once; no more are asked while these are open."""
TURNS_KEPT = 4
"""A question that nobody looked at for so many readings of the account is not wanted any more: its
answer would be old."""


class DealsPending(TerminalUnavailable):
    """The deals were asked for; look again."""

    def __init__(self) -> None:
        super().__init__(0, "the deals were asked for and are not here yet")


@dataclass(slots=True)
class _Question:
    handle: DealsHandle
    turn: int


@dataclass(slots=True)
class BrokerBooks:
    """Positions and deals of an account."""

    terminal: Terminal
    _turn: int = 0
    _asked: dict[int, _Question] = field(default_factory=dict)
    """By the time from which deals were asked for."""
    _asks: bool = field(init=False)

    def __post_init__(self) -> None:
        self._asks = isinstance(self.terminal, AsksDeals)

    def turn(self) -> None:
        """The account was read: let go of questions that nobody wants answered any more."""
        self._turn += 1
        if not self._asked:
            return
        oldest = self._turn - TURNS_KEPT
        for time_ns in [key for key, each in self._asked.items() if each.turn < oldest]:
            del self._asked[time_ns]

    def positions(self) -> Sequence[Position]:
        """Read every open position. Raises TerminalUnavailable."""
        return self.terminal.positions()

    def deals_since(self, time_ns: int) -> Sequence[Deal]:
        """Read the deals at or after a time. Raises TerminalUnavailable, also while they are asked
        for; an answer is given once, and was asked for after the look before."""
        try:
            if not self._asks:
                return self.terminal.deals_since(time_ns)
            return self._collect(cast(AsksDeals, self.terminal), time_ns)
        except SymbolUnknown as error:
            raise TerminalUnavailable(0, f"deals of a symbol that is not known: {error}") from error

    def _collect(self, terminal: AsksDeals, time_ns: int) -> Sequence[Deal]:
        question = self._asked.get(time_ns)
        if question is None:
            if len(self._asked) >= QUESTIONS_MAX:
                raise DealsPending
            question = _Question(terminal.ask_deals(time_ns), self._turn)
            self._asked[time_ns] = question
        question.turn = self._turn
        try:
            deals = question.handle.poll()
        except (TerminalUnavailable, SymbolUnknown):
            del self._asked[time_ns]
            raise
        if deals is None:
            raise DealsPending
        del self._asked[time_ns]
        return deals
