"""Stands where the bus would, in tests that look at what a transaction published."""

import json
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from contracts.envelope import Envelope
from contracts.registry import parse_envelope
from kit.outbox import OutboxRow


class RecordingPublisher:
    """Takes every row, or none while ``refusing`` is set."""

    def __init__(self) -> None:
        self.rows: list[OutboxRow] = []
        self.refusing = False

    def publish(self, rows: Sequence[OutboxRow]) -> list[UUID]:
        if self.refusing:
            return []
        self.rows.extend(rows)
        return [row.event_id for row in rows]

    def envelopes(self, contract: type[Any] | None = None) -> list[Envelope]:
        """What was published, read back through the contracts."""
        parsed = [parse_envelope(row.detail_type, json.loads(row.envelope)) for row in self.rows]
        return [e for e in parsed if contract is None or isinstance(e.data, contract)]

    def messages(self, contract: type[Any]) -> list[Any]:
        return [envelope.data for envelope in self.envelopes(contract)]
