"""Requests that were handed over and have not answered: at most one a position, none sent twice.

Handing over comes first for all, looking for answers after that. What does not answer in time is of
unknown outcome; only the broker's books tell then, and only after they were read again may another
request touch the position.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal
from uuid import UUID

from edge_bridge.engine.desk import Desk
from edge_bridge.engine.models import Order
from edge_bridge.engine.risk import refuse_close
from edge_bridge.ports import (
    Action,
    CancelRequest,
    Done,
    OrderRequest,
    Rejected,
    SendHandle,
    SendResult,
    Unknown,
)

Purpose = Literal["close", "part", "stops", "cancel"]
Place = tuple[UUID, Purpose | Literal["position"], int]
"""Account, and the position or pending order that is touched."""
RETRY_FIRST_NS = 1_000_000_000
RETRY_MAX_NS = 60_000_000_000
PAUSES_MAX = 10_000
MARKET_CLOSED = 10_018
CLOSED_PAUSE_NS = 900_000_000_000
"""After a refusal for a closed market, should no newer price tell that it has opened."""
NO_ANSWER = Unknown(0, "no answer in time")


@dataclass(slots=True)
class OrderFlight:
    """An order under way."""

    order: Order
    desk: Desk
    handle: SendHandle
    begun_ns: int
    """Of the machine's own counter, for the round trip."""
    deadline: datetime


@dataclass(slots=True)
class _Act:
    desk: Desk
    purpose: Purpose
    handle: SendHandle
    deadline: datetime
    order_key: str
    symbol: str


@dataclass(slots=True)
class _Refusals:
    count: int = 0
    next_ns: int = 0
    closed_symbol: str | None = None
    """The market of this symbol was closed, as of a quote of the next time."""
    closed_ns: int = 0
    refused_ns: int = 0


@dataclass(slots=True)
class Answer:
    """What became of a close, a move of stops or a cancellation."""

    desk: Desk
    purpose: Purpose
    order_key: str
    result: SendResult


@dataclass(slots=True)
class Acts:
    """Closes, moves and cancellations: one at a time for each position or pending order."""

    wait: timedelta
    market_open: Callable[[int], bool | None] = lambda _: None
    """Whether the market's week is open at a market time; None when it is not known."""
    _flying: dict[Place, _Act] = field(default_factory=dict)
    _refused: dict[Place, _Refusals] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self._flying)

    def may_begin(self, desk: Desk, purpose: Purpose, subject: int, now_ns: int) -> bool:
        """Whether nothing is under way there, and a refusal is long enough ago."""
        if _place(desk, purpose, subject) in self._flying:
            return False
        refused = self._refused.get((desk.account.account_id, purpose, subject))
        if refused is None:
            return True
        return now_ns >= refused.next_ns and self._may_be_open(desk, refused, now_ns)

    def _may_be_open(self, desk: Desk, refused: _Refusals, now_ns: int) -> bool:
        """Whether a market that was closed may have opened: a newer price, or time, tells."""
        if refused.closed_symbol is None:
            return True
        quote = desk.read_quote(refused.closed_symbol)
        if quote is not None and quote.time_ns > refused.closed_ns:
            return True
        closed = refuse_close(self.market_open(now_ns)) is not None
        return not closed and now_ns - refused.refused_ns >= CLOSED_PAUSE_NS

    def begin(
        self,
        desk: Desk,
        purpose: Purpose,
        subject: int,
        action: Action,
        *,
        now: datetime,
        order_key: str = "",
    ) -> None:
        """Hand a request over. The caller asked `may_begin`."""
        handle = desk.terminal.begin(action)
        act = _Act(desk, purpose, handle, now + self.wait, order_key, _find_symbol(action))
        self._flying[_place(desk, purpose, subject)] = act

    def collect(self, now: datetime, now_ns: int) -> list[Answer]:
        """Take the answers that are there, and give up on those that are overdue."""
        answers: list[Answer] = []
        for place, act in list(self._flying.items()):
            result = act.handle.poll()
            if result is None and now < act.deadline:
                continue
            del self._flying[place]
            result = result or NO_ANSWER
            self._note((place[0], act.purpose, place[2]), result, now_ns)
            if isinstance(result, Rejected) and result.code == MARKET_CLOSED:
                self._note_closed((place[0], act.purpose, place[2]), act, now_ns)
            answers.append(Answer(act.desk, act.purpose, act.order_key, result))
        return answers

    def count_refusals(self, desk: Desk, purpose: Purpose, subject: int) -> int:
        """How often a request was refused there in a row."""
        known = self._refused.get((desk.account.account_id, purpose, subject))
        return known.count if known else 0

    def forget(self, desk: Desk, purpose: Purpose, subject: int) -> None:
        """Start anew: the request is another one now, or there is nothing left to touch."""
        self._refused.pop((desk.account.account_id, purpose, subject), None)

    def _note(self, place: Place, result: SendResult, now_ns: int) -> None:
        """The more refusals in a row, the longer the pause of market time before the next try;
        after a success the broker's books get a moment to show it."""
        if len(self._refused) >= PAUSES_MAX:
            self._refused = {k: each for k, each in self._refused.items() if each.next_ns > now_ns}
        match result:
            case Done() | Rejected(code=10_025):  # done, or as asked already
                self._refused[place] = _Refusals(0, now_ns + RETRY_FIRST_NS)
            case _:
                known = self._refused.setdefault(place, _Refusals())
                pause = min(RETRY_MAX_NS, RETRY_FIRST_NS << min(known.count, 10))
                known.count, known.next_ns = known.count + 1, now_ns + pause
                known.closed_symbol = None

    def _note_closed(self, place: Place, act: _Act, now_ns: int) -> None:
        """Wait for the market rather than asking again and again."""
        quote, refused = act.desk.read_quote(act.symbol), self._refused[place]
        refused.closed_symbol, refused.refused_ns = act.symbol, now_ns
        refused.closed_ns = 0 if quote is None else quote.time_ns


def _find_symbol(action: Action) -> str:
    if isinstance(action, OrderRequest | CancelRequest):
        return action.symbol
    return action.position.symbol


def _place(desk: Desk, purpose: Purpose, subject: int) -> Place:
    """Close, part and stops share a position; tickets of pending orders are their own."""
    kind: Purpose | Literal["position"] = "cancel" if purpose == "cancel" else "position"
    return desk.account.account_id, kind, subject
