"""What tenants see on their private channels: orders as told, positions and accounts as read.

Orders come from the engine's own events, once they are durable; positions and accounts from the
last reading of each account, and only when something changed.
"""

import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict
from typing import Any
from uuid import UUID

from contracts.envelope import Envelope
from contracts.trading_engine import (
    AccountHealthChanged,
    KillSwitchChanged,
    OrderDenied,
    OrderFilled,
    OrderRejected,
    PositionClosed,
    PositionReduced,
    StopsMoved,
)
from edge_bridge.engine.desk import Desk
from edge_bridge.engine.journal import Record
from edge_bridge.link.journal import Journal
from edge_bridge.link.outbox import WrittenMessage
from edge_bridge.stream.hub import Hub, NotStreamable

_ORDERS = (OrderDenied, OrderFilled, OrderRejected, PositionClosed, PositionReduced, StopsMoved)
Told = Envelope | WrittenMessage

_log = logging.getLogger(__name__)


class ToldJournal:
    """The engine's journal; tells of events once they are durable."""

    def __init__(self, inner: Journal, tell: Callable[[Envelope], None]) -> None:
        self._inner, self._tell = inner, tell
        self.load = inner.load

    def write(
        self,
        *,
        events: Sequence[Envelope] = (),
        records: Iterable[Record] = (),
        done: Sequence[UUID] = (),
        quiet: bool = False,
    ) -> None:
        """Write a step, then tell of its events."""
        self._inner.write(events=events, records=records, done=done, quiet=quiet)
        for event in events:
            self._tell(event)


class PrivateChannels:
    """Publishes to the hub; remembers what was published, so that only changes go out."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._shown: dict[tuple[str, str], tuple[UUID, dict[str, Any]]] = {}

    def tell(self, envelope: Envelope) -> None:
        """An event of the engine is durable."""
        tenant_id, data = envelope.meta.tenant_id, envelope.data
        if tenant_id is None:
            return
        match data:
            case _ if isinstance(data, _ORDERS):
                key, channel = str(data.order_id), "orders"
            case KillSwitchChanged():
                key, channel = f"kill_switch/{data.account_id or data.scope}", "account"
            case AccountHealthChanged():
                key, channel = f"health/{data.account_id}", "account"
            case _:
                return
        payload = {"event": envelope.detail_type, **data.model_dump(mode="json")}
        self._publish(tenant_id, channel, key, payload)

    def show(self, desks: Iterable[Desk]) -> None:
        """Show accounts and positions as last read."""
        seen: set[tuple[str, str]] = set()
        for desk in desks:
            tenant_id, account_id = desk.account.tenant_id, str(desk.account.account_id)
            if desk.state is not None:
                state = asdict(desk.state) | {"account_id": account_id, "held": desk.held}
                seen.add(self._show(tenant_id, "account", account_id, state))
            elif ("account", account_id) in self._shown:
                seen.add(("account", account_id))  # silent for a moment; the last reading stands
            for position in desk.positions:
                value = asdict(position) | {"account_id": account_id}
                key = f"{account_id}/{position.identifier}"
                seen.add(self._show(tenant_id, "positions", key, value))
        for gone in [each for each in self._shown if each not in seen]:
            tenant_id, _ = self._shown.pop(gone)
            self._publish(tenant_id, gone[0], gone[1], None)

    def _show(
        self, tenant_id: UUID, channel: str, key: str, value: dict[str, Any]
    ) -> tuple[str, str]:
        place = (channel, key)
        if self._shown.get(place) != (tenant_id, value):
            self._shown[place] = (tenant_id, value)
            self._publish(tenant_id, channel, key, value)
        return place

    def _publish(
        self, tenant_id: UUID, channel: Any, key: str, payload: dict[str, Any] | None
    ) -> None:
        try:
            self._hub.publish_private(tenant_id, channel, key, payload)
        except NotStreamable as error:
            _log.error("%s of a tenant is not streamed: %s", channel, error)
