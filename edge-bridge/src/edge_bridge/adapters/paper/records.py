"""The module's functions that read positions, orders and deals; errors are raised."""

from collections.abc import Callable, Iterable, Mapping
from operator import attrgetter
from typing import Any, TypeVar

from edge_bridge.adapters.paper import views
from edge_bridge.adapters.paper.arguments import (
    ArgumentRefused,
    matches_group,
    parse_date,
    parse_filters,
)
from edge_bridge.adapters.paper.broker import Broker
from edge_bridge.adapters.paper.rows import DealRow, OrderRow, PositionRow
from edge_bridge.adapters.paper.structs import Struct

_R = TypeVar("_R", OrderRow, PositionRow)
_H = TypeVar("_H", OrderRow, DealRow)
CLOCK_BACK_MS = 3_600_000
"""The broker's clock goes back an hour in autumn."""


def get_positions(broker: Broker, filters: Mapping[str, Any]) -> tuple[Struct, ...]:
    """Open positions, all or by ticket, symbol or group, in that precedence."""
    rows = _filter_active(broker.ledger.positions.values(), filters)
    return tuple(views.show_position(row, broker) for row in rows)


def get_orders(broker: Broker, filters: Mapping[str, Any]) -> tuple[Struct, ...]:
    """Active orders, all or by ticket, symbol or group, in that precedence."""
    rows = _filter_active(broker.ledger.orders.values(), filters)
    return tuple(views.show_order(row, broker) for row in rows)


def _filter_active(rows: Iterable[_R], filters: Mapping[str, Any]) -> list[_R]:
    chosen = parse_filters(filters, ("ticket", "symbol", "group"))
    if chosen is None:
        return list(rows)
    name, value = chosen
    if name == "group":
        return [row for row in rows if matches_group(row.symbol, str(value))]
    return [row for row in rows if getattr(row, name) == value]


def get_past_orders(
    broker: Broker, bounds: tuple[object, ...], filters: Mapping[str, Any]
) -> tuple[Struct, ...]:
    """Orders that are done, by the time they were set up, by ticket or by position."""
    rows = _filter_past(
        broker.ledger.past_orders.values(), bounds, filters, attrgetter("time_setup_msc")
    )
    return tuple(views.show_order(row, broker) for row in rows)


def get_deals(
    broker: Broker, bounds: tuple[object, ...], filters: Mapping[str, Any]
) -> tuple[Struct, ...]:
    """Deals by time, by their own ticket or by position."""
    deals = _cut_deals(broker.ledger.deals, bounds)
    rows = _filter_past(deals, bounds, filters, attrgetter("time_msc"))
    return tuple(views.show_deal(row, broker) for row in rows)


def _cut_deals(deals: dict[int, DealRow], bounds: tuple[object, ...]) -> Iterable[DealRow]:
    """Leave out deals long before the first date, unseen: they are booked in the order of time,
    and a history that is asked for at every close would be read whole each time."""
    begin = parse_date(bounds[0]) if len(bounds) == 2 else 0
    if not begin:
        return deals.values()
    recent: list[DealRow] = []
    since_ms = begin * 1000 - CLOCK_BACK_MS
    for row in reversed(deals.values()):
        if row.time_msc < since_ms:
            break
        recent.append(row)
    return reversed(recent)


def _filter_past(
    rows: Iterable[_H],
    bounds: tuple[object, ...],
    filters: Mapping[str, Any],
    time_ms: Callable[[_H], int],
) -> list[_H]:
    chosen = parse_filters(filters, ("ticket", "position", "group"))
    if chosen is not None and chosen[0] == "ticket":
        return [row for row in rows if row.ticket == chosen[1]]
    if chosen is not None and chosen[0] == "position":
        return [row for row in rows if row.position_id == chosen[1]]
    if len(bounds) != 2:
        raise ArgumentRefused("Invalid arguments: two dates, a ticket or a position")
    begin, end = parse_date(bounds[0]), parse_date(bounds[1])
    if not begin or not end:  # the module leaves a zero date uninitialised: nothing to rely on
        return []
    first_ms, last_ms = begin * 1000, (end + 1) * 1000
    found = [row for row in rows if first_ms <= time_ms(row) < last_ms]
    if chosen is None:
        return found
    return [row for row in found if matches_group(row.symbol, str(chosen[1]))]
