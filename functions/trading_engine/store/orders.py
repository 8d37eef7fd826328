"""SQL of orders, positions, their parts and their stops; bound to the transaction's tenant."""

from typing import Any
from uuid import UUID

from contracts.trading_engine import (
    OrderDenied,
    OrderFilled,
    OrderRejected,
    PositionClosed,
    PositionReduced,
    StopsMoved,
)
from kit.db import Transaction

_POSITION = (
    "p.order_id, p.account_id, p.symbol, p.digits, p.direction, p.volume,"
    " CASE WHEN p.closed_at IS NULL THEN coalesce(r.volume_left, p.volume) ELSE 0 END"
    " AS volume_left, p.position_ticket, p.price_open,"
    " CASE WHEN s.order_id IS NULL THEN p.stop_loss ELSE nullif(s.stop_loss, 0) END AS stop_loss,"
    " CASE WHEN s.order_id IS NULL THEN p.take_profit ELSE nullif(s.take_profit, 0) END"
    " AS take_profit, p.opened_at, p.price_close,"
    " p.profit_cents, coalesce(p.profit_cents, r.profit_cents, 0) AS realised_cents,"
    " p.balance_cents, p.close_reason, p.closed_at"
)
"""A position with its parts and moves. Its end tells the whole profit, the parts' included."""


class OrderStore:
    """What the edge reported of a tenant's orders and positions."""

    def __init__(self, tx: Transaction) -> None:
        self._tx = tx

    def record_fill(self, e: OrderFilled) -> None:
        """An order was executed: its row, and a position (unless its close came first)."""
        self._insert_order(
            e,
            "filled",
            None,
            e.volume,
            e.price,
            e.stop_loss,
            e.take_profit,
            e.filled_at,
            e.order_path_us,
        )
        self._tx.execute(
            "INSERT INTO positions (tenant_id, order_id, account_id, symbol, digits, direction,"
            " volume, position_ticket, price_open, stop_loss, take_profit, opened_at)"
            " VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)"
            " ON CONFLICT (tenant_id, order_id) DO UPDATE SET volume = CASE"
            " WHEN positions.closed_at IS NULL THEN excluded.volume ELSE positions.volume END,"
            " stop_loss = excluded.stop_loss, take_profit = excluded.take_profit",
            [
                self._tx.tenant_id,
                e.order_id,
                e.account_id,
                e.symbol,
                e.digits,
                e.direction,
                e.volume,
                e.position_ticket,
                e.price,
                e.stop_loss,
                e.take_profit,
                e.filled_at,
            ],
        )

    def record_rejection(self, e: OrderRejected) -> None:
        """The terminal refused."""
        self._insert_order(
            e,
            "rejected",
            f"{e.retcode} {e.reason}",
            e.volume,
            None,
            None,
            None,
            e.rejected_at,
            e.order_path_us,
        )

    def record_denial(self, e: OrderDenied) -> None:
        """Our own checks refused."""
        self._insert_order(e, "denied", e.reason, None, None, None, None, e.denied_at, None)

    def _insert_order(self, e: Any, state: str, reason: str | None, *rest: Any) -> None:
        self._tx.execute(
            "INSERT INTO orders (tenant_id, order_id, account_id, signal_id, symbol, direction,"
            " state, reason, volume, price, stop_loss, take_profit, decided_at, order_path_us)"
            " VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)"
            " ON CONFLICT (tenant_id, order_id) DO NOTHING",
            [
                self._tx.tenant_id,
                e.order_id,
                e.account_id,
                e.signal_id,
                e.symbol,
                e.direction,
                state,
                reason,
                *rest,
            ],
        )

    def record_close(self, e: PositionClosed) -> None:
        """A position is flat; its fill and its parts may still be on their way."""
        self._tx.execute(
            "INSERT INTO positions (tenant_id, order_id, account_id, symbol, digits, direction,"
            " volume, position_ticket, price_open, opened_at, price_close, profit_cents,"
            " balance_cents, close_reason, closed_at)"
            " VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)"
            " ON CONFLICT (tenant_id, order_id) DO UPDATE SET volume = excluded.volume,"
            " price_close = excluded.price_close, profit_cents = excluded.profit_cents,"
            " balance_cents = excluded.balance_cents,"
            " close_reason = excluded.close_reason, closed_at = excluded.closed_at",
            [
                self._tx.tenant_id,
                e.order_id,
                e.account_id,
                e.symbol,
                e.digits,
                e.direction,
                e.volume,
                e.position_ticket,
                e.price_open,
                e.opened_at,
                e.price_close,
                e.profit_cents,
                e.balance_cents,
                e.reason,
                e.closed_at,
            ],
        )

    def record_reduction(self, e: PositionReduced) -> None:
        """A part was closed; its deal names it, whatever came before or after."""
        self._tx.execute(
            "INSERT INTO reductions (tenant_id, order_id, deal_ticket, account_id, volume_closed,"
            " volume_left, price, profit_cents, reduced_at) VALUES (%(tenant)s, %(order_id)s,"
            " %(deal_ticket)s, %(account_id)s, %(volume_closed)s, %(volume_left)s, %(price)s,"
            " %(profit_cents)s, %(reduced_at)s) ON CONFLICT DO NOTHING",
            {"tenant": self._tx.tenant_id, **e.model_dump()},
        )

    def record_stops(self, e: StopsMoved) -> None:
        """Stops are elsewhere; the newest move stands."""
        self._tx.execute(
            "INSERT INTO stop_moves (tenant_id, order_id, account_id, stop_loss, take_profit,"
            " moved_at) VALUES (%(tenant)s, %(order_id)s, %(account_id)s, %(stop_loss)s,"
            " %(take_profit)s, %(moved_at)s) ON CONFLICT (tenant_id, order_id) DO UPDATE SET"
            " stop_loss = excluded.stop_loss, take_profit = excluded.take_profit,"
            " moved_at = excluded.moved_at WHERE stop_moves.moved_at <= excluded.moved_at",
            {"tenant": self._tx.tenant_id, **e.model_dump()},
        )

    def list_orders(self, limit: int, cursor: UUID | None) -> list[dict[str, Any]]:
        """Orders, newest first, after the cursor's order."""
        return self._tx.fetch_all(
            "SELECT order_id, account_id, signal_id, symbol, direction, state, reason, volume,"
            " price, stop_loss, take_profit, decided_at, order_path_us FROM orders"
            " WHERE %(cursor)s::uuid IS NULL OR (decided_at, order_id) <"
            " (SELECT decided_at, order_id FROM orders WHERE order_id = %(cursor)s)"
            " ORDER BY decided_at DESC, order_id DESC LIMIT %(limit)s",
            {"cursor": cursor, "limit": limit},
        )

    def list_positions(
        self, limit: int, cursor: UUID | None, *, closed: bool
    ) -> list[dict[str, Any]]:
        """Positions, newest first: open ones, or closed ones (trades)."""
        return self._tx.fetch_all(
            f"SELECT {_POSITION} FROM positions p"
            " LEFT JOIN stop_moves s ON s.tenant_id = p.tenant_id AND s.order_id = p.order_id"
            " LEFT JOIN LATERAL (SELECT min(volume_left) AS volume_left,"
            " sum(profit_cents)::bigint AS profit_cents FROM reductions"
            " WHERE tenant_id = p.tenant_id AND order_id = p.order_id) r ON true"
            " WHERE (p.closed_at IS NOT NULL) = %(closed)s AND (%(cursor)s::uuid IS NULL"
            " OR (p.opened_at, p.order_id) <"
            " (SELECT opened_at, order_id FROM positions WHERE order_id = %(cursor)s))"
            " ORDER BY p.opened_at DESC, p.order_id DESC LIMIT %(limit)s",
            {"cursor": cursor, "limit": limit, "closed": closed},
        )
