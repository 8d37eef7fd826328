"""Wakes the server's loop for a publisher that must not wait.

Waking a loop is a system call, during which a thread gives up the interpreter and may get it back
only after the loop's round to all clients. A thread that does nothing else takes that upon itself.
"""

import queue
import threading
from collections.abc import Callable


class Bell:
    """A thread that calls `wake` each time the bell is rung, until `close`."""

    def __init__(self, wake: Callable[[], object]) -> None:
        self._wake = wake
        self._rung: queue.SimpleQueue[bool] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="stream-bell", daemon=True)
        self._thread.start()

    def ring(self) -> None:
        """Have the loop woken; costs about a microsecond. The hub rings once until it is heard."""
        self._rung.put(True)

    def close(self) -> None:
        """End the thread."""
        self._rung.put(False)

    def _run(self) -> None:
        while self._rung.get():
            try:
                self._wake()
            except RuntimeError:  # the loop has ended; nobody is left to wake
                return
