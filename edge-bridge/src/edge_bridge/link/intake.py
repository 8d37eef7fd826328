"""From the edge's queue into the journal: what came is stored before the queue forgets it.

What comes twice is known by its event id. What cannot be read (unknown type or version, not JSON)
is put back: the queue's redrive policy moves it to the dead-letter queue. What cannot be stored
stays in the queue and comes again later; an order to stop is obeyed meanwhile, for it does no harm
twice.
"""

import json
import logging
import sqlite3
from collections.abc import Sequence
from typing import NamedTuple, Protocol

from pydantic import ValidationError

from contracts.envelope import Envelope
from contracts.registry import UnknownMessage, UnknownSchemaVersion, parse_envelope
from contracts.trading_engine import EngageKillSwitch
from edge_bridge.link.aws import ERRORS, Received
from edge_bridge.link.journal import InboxRow, Journal
from edge_bridge.ports import StorageFull

PUT_BACK_S = 1
UNSTORED_BACK_S = 600
"""A queue gives up on what came a few times: on a full disk messages come seldom."""
_UNREADABLE = (
    ValueError, KeyError, TypeError, UnknownMessage, UnknownSchemaVersion, ValidationError,
)  # fmt: skip

_log = logging.getLogger(__name__)


class Source(Protocol):
    """The edge's queue."""

    def receive(self, wait_s: int) -> list[Received]:
        """Take up to ten messages, waiting for the first."""

    def delete(self, handles: Sequence[str]) -> None:
        """Forget messages that are stored here."""

    def put_back(self, handle: str, seconds: int) -> None:
        """Let a message come again."""


class Stored(NamedTuple):
    """A poll's outcome: what is new, and what the queue may forget."""

    envelopes: list[Envelope]
    handles: list[str]


class Intake:
    """One poll at a time; `confirm` after the journal has it, never before."""

    def __init__(self, journal: Journal, source: Source) -> None:
        self._journal, self._source = journal, source
        self.unreadable = 0

    def restore(self) -> list[Envelope]:
        """What an earlier process stored and did not handle, oldest first."""
        rows = self._journal.read_inbox()
        return [parse_envelope(row.detail_type, json.loads(row.body)) for row in rows]

    def receive(self, wait_s: int) -> Stored:
        """Poll once and store what came. Raises the link's ERRORS when the queue is silent."""
        stored = Stored([], [])
        for message in self._source.receive(wait_s):
            envelope = self._read(message)
            if envelope is None:
                self.unreadable += 1
                self._put_back(message.handle, PUT_BACK_S)
                continue
            row = InboxRow(
                str(envelope.meta.event_id), envelope.detail_type, envelope.to_json()
            )  # fmt: skip
            try:
                is_new = self._journal.store_message(row)
            except (StorageFull, sqlite3.Error) as error:
                _log.error("a message stays in the queue, the journal took none: %s", error)
                self._put_back(message.handle, UNSTORED_BACK_S)
                if isinstance(envelope.data, EngageKillSwitch):
                    stored.envelopes.append(envelope)
                continue
            if is_new:
                stored.envelopes.append(envelope)
            stored.handles.append(message.handle)
        return stored

    def confirm(self, handles: Sequence[str]) -> None:
        """Let the queue forget what is stored; one that stays comes again and is known."""
        if handles:
            self._source.delete(handles)

    def _put_back(self, handle: str, seconds: int) -> None:
        """Let a message come again; if that fails too, it comes when the queue thinks it lost.

        It must not end the poll: what was stored before it would never be handed over.
        """
        try:
            self._source.put_back(handle, seconds)
        except ERRORS as error:
            _log.warning("a message was not put back: %s", error)

    def _read(self, message: Received) -> Envelope | None:
        try:
            body = json.loads(message.body)
            return parse_envelope(body["detail-type"], body["detail"])
        except _UNREADABLE as error:
            _log.error("unreadable message on the edge queue: %s", type(error).__name__)
            return None
