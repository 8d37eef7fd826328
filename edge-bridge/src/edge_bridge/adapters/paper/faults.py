"""Faults on demand: what goes wrong with a terminal in real life, at a chosen call."""

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

from edge_bridge.adapters import constants as c
from edge_bridge.adapters.api import RETCODE_NAMES
from edge_bridge.adapters.paper.execution import FULL, Liquidity

PipeDeath = Literal["before", "after"]
ANY_CALL = "*"
SEND = "order_send"
_QUEUE_MAX = 100_000
_RETCODES = {name.lower(): code for code, name in RETCODE_NAMES.items()} | {
    "busy": c.TOO_MANY_REQUESTS,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Fault:
    """What happens to one call: refused with a code, the pipe dies, the programs' interface is
    off, only a part is filled, the answer comes before the deal, or it only takes long."""

    retcode: int = 0
    pipe_dies: PipeDeath | None = None
    delay_s: float = 0.0
    api_off: bool = False
    liquidity: Liquidity = FULL
    placed: bool = False
    executes: bool = False  # a retcode that is answered although the order was executed
    call: str = SEND


NO_FAULT = Fault()


class FaultPlan:
    """Faults for the next calls, in the order they were asked for; then every n-th send."""

    def __init__(self) -> None:
        self._next: list[Fault] = []
        self._every = 0
        self._every_retcode = 0
        self._sends = 0

    def reject_next(self, count: int = 1, retcode: int = c.REJECT) -> None:
        """Refuse the next sends with a retcode."""
        self.add(Fault(retcode=retcode), count)

    def requote_next(self, count: int = 1) -> None:
        """Answer the next sends with a requote."""
        self.reject_next(count, c.REQUOTE)

    def reject_every(self, nth: int, retcode: int = c.REJECT) -> None:
        """Refuse every n-th send from now on; 0 stops it."""
        self._every, self._every_retcode, self._sends = nth, retcode, 0

    def kill_pipe_next(self, when: PipeDeath = "after") -> None:
        """Lose the pipe during the next send, before or after the server executed it."""
        self.add(Fault(pipe_dies=when), 1)

    def delay_next(self, seconds: float, count: int = 1) -> None:
        """Let the next sends take long."""
        self.add(Fault(delay_s=seconds), count)

    def add(self, fault: Fault, times: int) -> None:
        """Ask for a fault at each of the next calls it is for."""
        if len(self._next) + times > _QUEUE_MAX:
            raise ValueError(f"more than {_QUEUE_MAX} faults: let the terminal work some off")
        self._next.extend([fault] * times)

    @property
    def has_plans(self) -> bool:
        """Whether any call may fail."""
        return bool(self._next or self._every)

    def take(self, call: str, *, deal: bool = False, only_delays: bool = False) -> Fault:
        """Give the fault of the call that is starting; a partial fill waits for a deal."""
        if call == SEND:
            self._sends += 1
        if not self._next and not self._every:
            return NO_FAULT
        for place, fault in enumerate(self._next):
            meant = fault.call in (call, ANY_CALL) and (deal or fault.liquidity is FULL)
            if meant and (fault.delay_s or not only_delays):
                return self._next.pop(place)
        if call == SEND and self._every and self._sends % self._every == 0:
            return Fault(retcode=self._every_retcode)
        return NO_FAULT


def normalise_kind(kind: str) -> str:
    """Write a kind's name as it is known here: "Pipe dies" is pipe_dies."""
    return kind.strip().lower().replace(" ", "_").replace("-", "_")


def make_fault(
    kind: str,
    *,
    when: PipeDeath = "after",
    seconds: float = 1.0,
    fraction: float = 0.5,
    volume: float | None = None,
    retcode: int = c.REJECT,
    call: str | None = None,
) -> Fault:
    """Make a fault by its kind's name. Raises ValueError for an unknown kind or value."""
    if when not in ("before", "after"):
        raise ValueError(f"when={when!r}: 'before' or 'after' the server executed the order")
    if not 0 <= seconds <= 86_400 or not 0 <= fraction <= 1:
        raise ValueError("seconds are between 0 and a day, a fraction between 0 and 1")
    found = None if volume is None else round(volume * 100)
    kinds: dict[str, Callable[[], Fault]] = {
        "pipe_dies": lambda: Fault(pipe_dies=when, call=call or SEND),
        "api_disabled": lambda: Fault(api_off=True, call=call or ANY_CALL),
        "slow": lambda: Fault(delay_s=seconds, call=call or ANY_CALL),
        "hang": lambda: Fault(delay_s=seconds, call=call or ANY_CALL),
        "partial_fill": lambda: Fault(liquidity=Liquidity(Fraction(fraction), found)),
        "placed": lambda: Fault(placed=True),
        "timeout": lambda: Fault(retcode=c.TIMEOUT, executes=when == "after"),
        "reject": lambda: Fault(retcode=retcode),
    }
    name = normalise_kind(kind)
    if name in kinds:
        return kinds[name]()
    if name in _RETCODES:
        return Fault(retcode=_RETCODES[name])
    raise ValueError(f"{kind!r} is no kind of fault: {', '.join([*kinds, 'tick_gap', *_RETCODES])}")
