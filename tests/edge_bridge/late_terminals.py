"""A terminal that takes requests at once and answers when told, as a worker process would."""

from collections import deque
from collections.abc import Callable
from typing import Any

from edge_bridge.ports import Action, SendResult, Terminal


class LateHandle:
    """A handle whose answer comes when the terminal lets it."""

    def __init__(self) -> None:
        self.result: SendResult | None = None

    def poll(self) -> SendResult | None:
        return self.result


class LateTerminal:
    """Everything else is the terminal behind it. `eager`: executes at once, answers later."""

    def __init__(self, behind: Terminal, *, eager: bool = False) -> None:
        self._behind, self.eager = behind, eager
        self.handed: list[Action] = []
        self.waiting: deque[tuple[LateHandle, Callable[[], SendResult | None]]] = deque()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._behind, name)

    def begin(self, action: Action) -> LateHandle:
        self.handed.append(action)
        handle = LateHandle()
        if self.eager:
            answer = self._behind.begin(action).poll()
            self.waiting.append((handle, lambda: answer))
        else:
            self.waiting.append((handle, lambda: self._behind.begin(action).poll()))
        return handle

    def answer(self, count: int = 1_000) -> None:
        """Answer the oldest requests, executing those that were not."""
        for _ in range(min(count, len(self.waiting))):
            handle, execute = self.waiting.popleft()
            handle.result = execute()

    def lose(self) -> None:
        """Never answer what was taken so far."""
        self.waiting.clear()
