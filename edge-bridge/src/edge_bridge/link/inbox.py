"""Messages for the edge: stored durably, handed over at once, only then deleted from the queue.

A thread of its own. What comes twice is known by its event id. What cannot be read (unknown type
or version, not JSON) is put back: the queue's redrive policy moves it to the dead-letter queue.
"""

import json
import logging
import queue
import threading
from collections import deque

from pydantic import ValidationError

from contracts.envelope import Envelope
from contracts.registry import UnknownMessage, UnknownSchemaVersion, parse_envelope
from edge_bridge.errors import LinkDied, StorageFull
from edge_bridge.link.aws import ERRORS, LONG_POLL_S, EdgeQueue, Received
from edge_bridge.link.journal import InboxRow, Journal

HANDED_MAX = 1_000
PUT_BACK_S = 1
BACKOFF_S = 1.0
IDLE_POLL_S = 0.2
"""How often an eager inbox looks while nothing is awaited."""
HANDLING_WAIT_S = 0.05
"""The engine has the processor to itself so long before the queue is told."""

_log = logging.getLogger(__name__)


class Inbox:
    """Fill a queue of envelopes from the edge's SQS queue."""

    def __init__(self, journal: Journal, source: EdgeQueue, eager_poll_ms: int = 0) -> None:
        self._journal, self._source = journal, source
        self._eager_s = eager_poll_ms / 1_000
        self._handed: queue.Queue[Envelope] = queue.Queue(HANDED_MAX)
        self._restored: deque[Envelope] = deque()
        self._stopping = threading.Event()
        self._awaited = threading.Event()
        self._handled = threading.Event()
        self.unreadable = 0
        self._thread = threading.Thread(target=self._run, name="inbox", daemon=True)

    def start(self) -> None:
        """Hand over what an earlier process stored and did not handle, then start to receive."""
        self._restored.extend(
            parse_envelope(row.detail_type, json.loads(row.body))
            for row in self._journal.read_inbox()
        )
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
                received = self._source.receive(0 if self._eager_s else LONG_POLL_S)
                if received:
                    self._take_in(received)
                elif self._eager_s:
                    self._pause()
            except ERRORS as error:
                _log.warning("edge queue does not answer: %s", error)
                self._stopping.wait(BACKOFF_S)
            except StorageFull as error:  # what was not stored comes again
                _log.error("messages cannot be stored: %s", error)
                self._stopping.wait(BACKOFF_S)

    def _pause(self) -> None:
        if self._awaited.is_set():
            self._stopping.wait(self._eager_s)
        else:
            self._awaited.wait(IDLE_POLL_S)

    def _take_in(self, received: list[Received]) -> None:
        handles: list[str] = []
        self._handled.clear()
        for message in received:
            envelope = self._read(message)
            if envelope is None:
                self.unreadable += 1
                self._source.put_back(message.handle, PUT_BACK_S)
                continue
            row = InboxRow(
                str(envelope.meta.event_id), envelope.detail_type, envelope.to_json()
            )  # fmt: skip
            if self._journal.store_message(row):
                self._hand_over(envelope)
            handles.append(message.handle)
        if handles:
            self._handled.wait(HANDLING_WAIT_S)
            self._source.delete(handles)

    def _hand_over(self, envelope: Envelope) -> None:
        """Wait for room while the engine is busy; at a stop the journal keeps the message."""
        while not self._stopping.is_set():
            try:
                self._handed.put(envelope, timeout=IDLE_POLL_S)
            except queue.Full:
                continue
            return

    def _read(self, message: Received) -> Envelope | None:
        try:
            body = json.loads(message.body)
            return parse_envelope(body["detail-type"], body["detail"])
        except (
            ValueError, KeyError, TypeError, UnknownMessage, UnknownSchemaVersion, ValidationError,
        ) as error:  # fmt: skip
            _log.error("unreadable message on the edge queue: %s", type(error).__name__)
            return None
