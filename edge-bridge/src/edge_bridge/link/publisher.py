"""Drain the outbox, in order, as soon as something is in it.

A thread of its own. A message leaves the journal only after the other side took it; a crash in
between sends it again under the same event id. A message that the other side refuses as it is, is
set aside after some tries, so that it cannot stop the ones behind it. Whatever the disk says, the
thread lives on and tries again.
"""

import logging
import sqlite3
import threading
import time
from collections import Counter
from collections.abc import Mapping

from edge_bridge.errors import LinkDied
from edge_bridge.link.aws import ENTRIES_MAX, ERRORS, Sender, split_calls
from edge_bridge.link.journal import Journal, OutboxRow
from edge_bridge.link.outbox import Lane
from edge_bridge.ports import StorageFull

IDLE_WAIT_S = 0.5
"""Upper bound of a wait; a write wakes the thread at once."""
BACKOFF_FIRST_S = 0.05
BACKOFF_MAX_S = 5.0
REFUSALS_MAX = 5
CHECKPOINT_ROWS = 500
CHECKPOINT_EVERY_S = 30.0
"""Steps that send nothing grow the write-ahead log too, and so does every step of an outage."""
LANES: tuple[Lane, ...] = ("bus", "market")

_log = logging.getLogger(__name__)


class Publisher:
    """The bus first, for a decision waits for it; then the queue."""

    def __init__(self, journal: Journal, senders: Mapping[Lane, Sender]) -> None:
        self._journal, self._senders = journal, senders
        self._work = threading.Event()
        self._stopping = threading.Event()
        self._progress = threading.Condition()
        self._refusals: Counter[tuple[Lane, int]] = Counter()
        self._since_checkpoint = 0
        self._failures = 0
        self.pause_s = 0.0
        """How long the thread leaves the other side alone after a call that led to nothing."""
        self._gone: dict[Lane, list[OutboxRow]] = {"bus": [], "market": []}
        """Taken by the other side, and not forgotten here yet: the disk was full."""
        self._started = False
        self.sent: Counter[Lane] = Counter()
        self._thread = threading.Thread(target=self._run, name="publisher", daemon=True)
        journal.on_write = self._work.set

    def start(self) -> None:
        """Start to drain."""
        self._started = True
        self._work.set()
        self._thread.start()

    def stop(self, timeout_s: float = 10.0) -> None:
        """Stop after the call under way; what is left stays in the journal."""
        self._stopping.set()
        self._work.set()
        self._thread.join(timeout_s)

    def wait_below(self, rows: int, timeout_s: float) -> bool:
        """Wait until at most so many messages wait; tell whether that came in time.

        Raises LinkDied when nobody will ever send them.
        """
        deadline = time.monotonic() + timeout_s
        with self._progress:
            while self._journal.depth() > rows:
                if self._started and not (self._thread.is_alive() or self._stopping.is_set()):
                    raise LinkDied("publisher")
                left = deadline - time.monotonic()
                if left <= 0:
                    return False
                self._work.set()
                self._progress.wait(min(left, IDLE_WAIT_S))
        return True

    def _run(self) -> None:
        checkpoint_at = time.monotonic() + CHECKPOINT_EVERY_S
        while not self._stopping.is_set():
            self._work.wait(IDLE_WAIT_S)
            self._work.clear()
            while not self._stopping.is_set() and self.drain_once():
                pass
            if time.monotonic() >= checkpoint_at:
                self._checkpoint()
                checkpoint_at = time.monotonic() + CHECKPOINT_EVERY_S
            if self.pause_s:
                self._stopping.wait(self.pause_s)
                self._work.set()

    def drain_once(self) -> bool:
        """Send one call's worth; False when there was nothing to do or nothing worked.

        Never waits: how long to leave the other side alone is in `pause_s`.
        """
        self.pause_s = 0.0
        try:
            for lane in LANES:
                if self._gone[lane]:
                    self._forget(lane)
                rows = self._journal.read_outbox(lane, ENTRIES_MAX)
                if rows:
                    return self._send(lane, rows)
        except (StorageFull, sqlite3.Error) as error:
            self._back_off(f"the journal does not answer, or forgets nothing: {error}")
        return False

    def _send(self, lane: Lane, rows: list[OutboxRow]) -> bool:
        call = split_calls(rows)[0]
        try:
            taken = self._senders[lane].send(call)
        except ERRORS as error:
            self._back_off(f"{lane} took nothing: {error}")
            return False
        self._gone[lane] = list(taken.sent)
        for row in taken.refused:
            self._refusals[(lane, row.seq)] += 1
            if self._refusals[(lane, row.seq)] >= REFUSALS_MAX:
                self._journal.set_aside(lane, row)
                _log.error("%s refuses %s %s for good", lane, row.detail_type, row.event_id)
                del self._refusals[(lane, row.seq)]
        if not self._gone[lane]:
            self._back_off(f"{lane} refused {len(call)} messages")
            return False
        self._failures = 0
        self._forget(lane)
        return True

    def _forget(self, lane: Lane) -> None:
        """Forget what was sent; while the disk is full nothing of the lane is sent again."""
        gone = self._gone[lane]
        self._journal.forget_sent(lane, gone)
        self._gone[lane] = []
        self.sent[lane] += len(gone)
        with self._progress:
            self._progress.notify_all()
        self._since_checkpoint += len(gone)
        if self._since_checkpoint >= CHECKPOINT_ROWS:
            self._checkpoint()

    def _checkpoint(self) -> None:
        """Shorten the write-ahead log; a disk that takes nothing is asked again later."""
        self._since_checkpoint = 0
        try:
            self._journal.checkpoint()
        except (StorageFull, sqlite3.Error) as error:
            _log.warning("the write-ahead log stays as it is for now: %s", error)

    def _back_off(self, fact: str) -> None:
        self._failures += 1
        self.pause_s = min(BACKOFF_MAX_S, BACKOFF_FIRST_S * 2 ** min(self._failures - 1, 10))
        _log.warning("%s; again in %.2f s", fact, self.pause_s)
