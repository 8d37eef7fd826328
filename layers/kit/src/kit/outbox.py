"""Events leave through here: rows of a transaction first, the bus right after its commit.

A row that was published is deleted; one that a crash or a refusal left behind is found and sent
again by the relay. Readers are idempotent by event id, so twice is harmless and never is not.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from contracts.envelope import Envelope
from kit.observability import warn

MAX_ENTRIES_A_CALL = 10
MAX_ENTRY_BYTES = 250_000


@dataclass(frozen=True, slots=True)
class OutboxRow:
    """An event that waits for the bus."""

    event_id: UUID
    source: str
    detail_type: str
    envelope: str


def make_row(envelope: Envelope) -> OutboxRow:
    """Write an envelope down as a row."""
    return OutboxRow(
        envelope.meta.event_id, envelope.source, envelope.detail_type, envelope.to_json()
    )


class Publisher(Protocol):
    """Hands rows to the bus."""

    def publish(self, rows: Sequence[OutboxRow]) -> list[UUID]:
        """Send rows; return the ids that the bus took."""


class BusPublisher:
    """EventBridge, ten entries a call, each entry's own success checked."""

    def __init__(self, bus_name: str) -> None:
        self._bus_name = bus_name

    def publish(self, rows: Sequence[OutboxRow]) -> list[UUID]:
        """Send rows; return the ids that the bus took. Never raises: the relay retries."""
        import botocore.exceptions

        from kit.aws import client

        sent: list[UUID] = []
        for start in range(0, len(rows), MAX_ENTRIES_A_CALL):
            chunk = rows[start : start + MAX_ENTRIES_A_CALL]
            entries = [
                {
                    "EventBusName": self._bus_name,
                    "Source": row.source,
                    "DetailType": row.detail_type,
                    "Detail": row.envelope,
                }
                for row in chunk
            ]
            try:
                answer = client("events").put_events(Entries=entries)
            except (botocore.exceptions.ClientError, botocore.exceptions.BotoCoreError) as error:
                warn("bus refused a call; the relay will retry", error=str(error), rows=len(chunk))
                continue
            for row, result in zip(chunk, answer["Entries"], strict=True):
                if result.get("EventId"):
                    sent.append(row.event_id)
                else:
                    warn(
                        "bus refused an event; the relay will retry",
                        event_id=str(row.event_id),
                        error_code=result.get("ErrorCode"),
                    )
        return sent
