"""Events leave through here: rows of a transaction first, the bus right after its commit.

A row that was published is deleted; one that a crash or a refusal left behind is found and sent
again by the relay. Readers are idempotent by event id, so twice is harmless and never is not.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from contracts.envelope import Envelope
from kit.observability import warn

MAX_ENTRIES_A_CALL = 10
MAX_CALL_BYTES = 250_000
"""EventBridge takes 256 KiB a call, all entries together."""


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


def _split_calls(rows: Sequence[OutboxRow]) -> Iterator[list[OutboxRow]]:
    """Calls that the bus's limits allow; a row over the limit goes alone, to be refused alone."""
    call: list[OutboxRow] = []
    size = 0
    for row in rows:
        row_size = len(row.envelope.encode()) + len(row.source) + len(row.detail_type) + 64
        if call and (len(call) == MAX_ENTRIES_A_CALL or size + row_size > MAX_CALL_BYTES):
            yield call
            call, size = [], 0
        call.append(row)
        size += row_size
    if call:
        yield call


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
        for chunk in _split_calls(rows):
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
