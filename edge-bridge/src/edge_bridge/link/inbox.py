"""Messages for the edge: stored durably, handed over at once, only then deleted from the queue.

A thread of its own around `intake.py`, which says what becomes of a message.
"""

import logging
import queue
import threading
from collections import deque

from contracts.envelope import Envelope
from edge_bridge.errors import LinkDied
from edge_bridge.link.aws import ERRORS, LONG_POLL_S, EdgeQueue
from edge_bridge.link.intake import Intake, Stored
from edge_bridge.link.journal import Journal

HANDED_MAX = 1_000
BACKOFF_S = 1.0
IDLE_POLL_S = 0.2
"""How often an eager inbox looks while nothing is awaited."""
HANDLING_WAIT_S = 0.05
"""The engine has the processor to itself so long before the queue is told."""

_log = logging.getLogger(__name__)


class Inbox:
    """Fill a queue of envelopes from the edge's SQS queue."""

    def __init__(self, journal: Journal, source: EdgeQueue, eager_poll_ms: int = 0) -> None:
        self._intake, self._source = Intake(journal, source), source
        self._eager_s = eager_poll_ms / 1_000
        self._handed: queue.Queue[Envelope] = queue.Queue(HANDED_MAX)
        self._restored: deque[Envelope] = deque()
        self._stopping = threading.Event()
        self._awaited = threading.Event()
        self._handled = threading.Event()
        self._thread = threading.Thread(target=self._run, name="inbox", daemon=True)

    @property
    def unreadable(self) -> int:
        """Messages that could not be read."""
        return self._intake.unreadable

    def start(self) -> None:
        """Hand over what an earlier process stored and did not handle, then start to receive."""
        self._restored.extend(self._intake.restore())
        self._thread.start()

    def stop(self, timeout_s: float = LONG_POLL_S + 5.0) -> None:
        """Stop after the poll under way."""
        self._stopping.set()
        self._awaited.set()
        self._handled.set()
        self._thread.join(timeout_s)

    def expect(self, awaited: bool) -> None:
        """Tell whether somebody waits for a message right now."""
        if awaited:
            self._awaited.set()
        else:
            self._awaited.clear()

    def take(self, timeout_s: float) -> Envelope | None:
        """Take the next message; None when none comes in time. Raises LinkDied."""
        if not (self._thread.is_alive() or self._stopping.is_set()):
            raise LinkDied("inbox")
        if self._restored:
            return self._restored.popleft()
        try:
            return self._handed.get(timeout_s > 0, timeout_s)
        except queue.Empty:
            return None

    def note_handled(self) -> None:
        """Tell that a message was handled, so that the queue may be told too."""
        if self._handed.empty():
            self._handled.set()

    def is_empty(self) -> bool:
        """Whether the queue holds nothing for us, in flight or waiting."""
        try:
            return self._handed.empty() and not self._restored and self._source.count() == 0
        except ERRORS:
            return False

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                stored = self._intake.receive(0 if self._eager_s else LONG_POLL_S)
                if stored.handles or stored.envelopes:
                    self._take_in(stored)
                elif self._eager_s:
                    self._pause()
            except ERRORS as error:
                _log.warning("edge queue does not answer: %s", error)
                self._stopping.wait(BACKOFF_S)

    def _pause(self) -> None:
        if self._awaited.is_set():
            self._stopping.wait(self._eager_s)
        else:
            self._awaited.wait(IDLE_POLL_S)

    def _take_in(self, stored: Stored) -> None:
        self._handled.clear()
        for envelope in stored.envelopes:
            self._hand_over(envelope)
        if stored.handles:
            self._handled.wait(HANDLING_WAIT_S)
            self._intake.confirm(stored.handles)

    def _hand_over(self, envelope: Envelope) -> None:
        """Wait for room while the engine is busy; at a stop the journal keeps the message."""
        while not self._stopping.is_set():
            try:
                self._handed.put(envelope, timeout=IDLE_POLL_S)
            except queue.Full:
                continue
            return
