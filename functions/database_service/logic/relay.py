"""Use cases of database_service: relaying events that a crash left behind, judging health."""

import time
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


def check_health(probes: dict[str, Callable[[], dict[str, Any]]]) -> dict[str, Any]:
    """Run each store's probe; a store that fails is down, with its reason, and never hides others.

    Returns {status: up|down, stores: {name: {status, latency_ms, ...}}}.
    """
    stores: dict[str, Any] = {}
    for name, probe in probes.items():
        started = time.perf_counter()
        try:
            answer = {"status": "up", **probe()}
        except Exception as error:  # noqa: BLE001 - any failure of a probe is what it reports
            answer = {"status": "down", "reason": f"{type(error).__name__}: {error}"[:200]}
        answer["latency_ms"] = round((time.perf_counter() - started) * 1_000, 3)
        stores[name] = answer
    down = any(store["status"] == "down" for store in stores.values())
    return {"status": "down" if down else "up", "stores": stores}
