"""Relays events that a crash left in a room's outbox."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any, Protocol
from uuid import UUID


class Row(Protocol):
    """An event that waits."""

    @property
    def event_id(self) -> UUID:
        """Its id, fixed when it was written."""


class Outbox(Protocol):
    """One room's outbox, inside a transaction."""

    def lock_left_behind(self, before: datetime, limit: int) -> list[Any]:
        """Rows older than ``before`` that nobody else relays."""

    def delete(self, event_ids: list[UUID]) -> None:
        """Forget rows that the bus has taken."""


def relay_outbox(
    outbox: Outbox,
    publish: Callable[[Sequence[Any]], list[UUID]],
    now: datetime,
    min_age_s: int,
    limit: int,
) -> tuple[int, int]:
    """Publish a room's left-behind rows; returns (found, sent).

    The rows stay locked until the transaction ends: a crash after the bus took them publishes them
    again, which readers survive; a crash before loses nothing.
    """
    rows = outbox.lock_left_behind(now - timedelta(seconds=min_age_s), limit)
    if not rows:
        return 0, 0
    sent = publish(rows)
    if sent:
        outbox.delete(sent)
    return len(rows), len(sent)
