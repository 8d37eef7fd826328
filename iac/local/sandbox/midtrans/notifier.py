"""Delivery of Midtrans notifications: first attempt at once, redelivery in the background.

The real waits are 2 to 210 minutes; here they are seconds and a setting (`retry_waits_s`).
"""

import asyncio
from collections import deque
from datetime import UTC, datetime
from typing import Any

from iac.local.sandbox.webhook import Delivery, WebhookCaller, WebhookTarget

ANSWER_WITHIN_S = 5.0
NOTIFICATIONS_KEPT_MAX = 5_000
REDELIVERIES_RUNNING_MAX = 1_000
RETRIES_BY_STATUS = {500: 1, 503: 4, 400: 2, 404: 2}
RETRIES_OTHERWISE = 5
DEFAULT_WAITS_S = (0.5, 1.0, 2.0, 4.0, 8.0)


class Notifier:
    """Posts notifications to the merchant's webhook and keeps a log of every attempt."""

    def __init__(self) -> None:
        self.target = WebhookTarget()
        self.waits_s: tuple[float, ...] = DEFAULT_WAITS_S
        self._caller = WebhookCaller(ANSWER_WITHIN_S)
        self._log: deque[dict[str, Any]] = deque(maxlen=NOTIFICATIONS_KEPT_MAX)
        self._redeliveries: set[asyncio.Task[None]] = set()

    async def send(self, document: dict[str, Any]) -> dict[str, Any]:
        """Deliver once, plan redelivery when it was refused, and return the log entry."""
        entry: dict[str, Any] = {
            "order_id": document["order_id"],
            "transaction_status": document["transaction_status"],
            "document": document,
            "delivered": False,
            "attempts": [],
        }
        self._log.append(entry)
        if not self.target.url:
            entry["skipped"] = "no webhook_url is set"
            return entry
        delivery = await self._attempt(entry)
        if not delivery.accepted:
            self._plan_redelivery(entry, delivery)
        return entry

    def start_sending(self, document: dict[str, Any]) -> None:
        """Deliver without making the caller wait."""
        self._run(self._send_quietly(document))

    async def _send_quietly(self, document: dict[str, Any]) -> None:
        await self.send(document)

    async def _attempt(self, entry: dict[str, Any]) -> Delivery:
        delivery = await self._caller.post(self.target, entry["document"])
        entry["attempts"].append(
            {
                "at": datetime.now(UTC).isoformat(timespec="milliseconds"),
                "status": delivery.status,
                "answer": delivery.answer,
            }
        )
        entry["delivered"] = delivery.accepted
        return delivery

    def _plan_redelivery(self, entry: dict[str, Any], first: Delivery) -> None:
        if not self._run(self._redeliver(entry, first)):
            entry["skipped"] = f"{REDELIVERIES_RUNNING_MAX} redeliveries are running already"

    async def _redeliver(self, entry: dict[str, Any], last: Delivery) -> None:
        for done in range(RETRIES_OTHERWISE):
            if done >= RETRIES_BY_STATUS.get(last.status or 0, RETRIES_OTHERWISE):
                return
            await asyncio.sleep(self.waits_s[min(done, len(self.waits_s) - 1)])
            last = await self._attempt(entry)
            if last.accepted:
                return

    def _run(self, work: Any) -> bool:
        if len(self._redeliveries) >= REDELIVERIES_RUNNING_MAX:
            work.close()
            return False
        task = asyncio.create_task(work)
        self._redeliveries.add(task)
        task.add_done_callback(self._redeliveries.discard)
        return True

    def listing(self, order_id: str = "") -> list[dict[str, Any]]:
        """Return the log, oldest first, of one order or of all."""
        return [entry for entry in self._log if not order_id or entry["order_id"] == order_id]

    def clear(self) -> None:
        """Forget the log and stop redelivering."""
        self._log.clear()
        for task in self._redeliveries:
            task.cancel()

    async def close(self) -> None:
        """Stop redelivering and close connections."""
        self.clear()
        await self._caller.close()
