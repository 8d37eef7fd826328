"""Faults on demand: what goes wrong with orders in real life, at a chosen send."""

from dataclasses import dataclass
from typing import Literal

from edge_bridge.adapters import constants as c

PipeDeath = Literal["before", "after"]


@dataclass(frozen=True, slots=True)
class Fault:
    """What happens to one send: refused with a code, the pipe dies, or it only takes long."""

    retcode: int = 0
    pipe_dies: PipeDeath | None = None
    delay_s: float = 0.0


NO_FAULT = Fault()


class FaultPlan:
    """Faults for the next sends, in the order they were asked for; then every n-th rule."""

    def __init__(self) -> None:
        self._next: list[Fault] = []
        self._every = 0
        self._every_retcode = 0
        self._sends = 0

    def reject_next(self, count: int = 1, retcode: int = c.REJECT) -> None:
        """Refuse the next sends with a retcode."""
        self._next.extend([Fault(retcode=retcode)] * count)

    def requote_next(self, count: int = 1) -> None:
        """Answer the next sends with a requote."""
        self.reject_next(count, c.REQUOTE)

    def reject_every(self, nth: int, retcode: int = c.REJECT) -> None:
        """Refuse every n-th send from now on; 0 stops it."""
        self._every, self._every_retcode, self._sends = nth, retcode, 0

    def kill_pipe_next(self, when: PipeDeath = "after") -> None:
        """Lose the pipe during the next send, before or after the server executed it."""
        self._next.append(Fault(pipe_dies=when))

    def delay_next(self, seconds: float, count: int = 1) -> None:
        """Let the next sends take long."""
        self._next.extend([Fault(delay_s=seconds)] * count)

    def take(self) -> Fault:
        """Give the fault of the send that is starting."""
        self._sends += 1
        if self._next:
            return self._next.pop(0)
        if self._every and self._sends % self._every == 0:
            return Fault(retcode=self._every_retcode)
        return NO_FAULT
