"""What was handed to a worker and not answered yet."""

from collections.abc import Callable
from typing import Any, Generic, TypeVar

from edge_bridge.ports import SendResult, SymbolUnknown, TerminalUnavailable
from edge_bridge.workers.messages import guard
from edge_bridge.workers.wire import Ticks, WireBroken, read_json

_T = TypeVar("_T")


class RequestHandle:
    """A request that was handed over; `end` is where its frame ends in the stream."""

    __slots__ = ("_result", "end")

    def __init__(self, end: int) -> None:
        self.end = end
        self._result: SendResult | None = None

    @property
    def is_over(self) -> bool:
        """Whether there is an answer."""
        return self._result is not None

    def poll(self) -> SendResult | None:
        """Look for the answer without waiting; None while there is none."""
        return self._result

    def settle(self, result: SendResult) -> None:
        """Answer it; the first answer stays."""
        if self._result is None:
            self._result = result


class ReadHandle(Generic[_T]):
    """A question; its answer is what the terminal gave, or why it gave none."""

    __slots__ = ("_answer", "_error", "_read", "is_over", "parts")

    def __init__(self, read: "Callable[[ReadHandle[_T], Any], _T]") -> None:
        self._read = read
        self.is_over = False
        self.parts: list[Ticks] = []
        self._answer: _T | None = None
        self._error: TerminalUnavailable | SymbolUnknown | None = None

    def poll(self) -> _T | None:
        """Look for the answer without waiting; None while there is none. Raises
        TerminalUnavailable and SymbolUnknown when that is the answer."""
        if self._error is not None:
            raise self._error
        return self._answer

    def take(self, payload: bytes) -> None:
        """Take the answer's frame. Raises WireBroken when it is none."""
        match read_json(payload):
            case ["ok", answer]:
                self._answer = guard(lambda content: self._read(self, content), answer)
                self.is_over = True
            case ["symbol", _, reason]:
                self.fail(SymbolUnknown(str(reason)))
            case ["down", int(code), reason]:
                self.fail(TerminalUnavailable(code, str(reason)))
            case _:
                raise WireBroken("an answer of unknown kind")

    def fail(self, error: TerminalUnavailable | SymbolUnknown) -> None:
        """There will be no answer."""
        if not self.is_over:
            self._error, self.is_over = error, True
