"""SQL of trading_engine, bound to the transaction's tenant."""

from typing import Any
from uuid import UUID

from contracts.subscription_service import EntitlementsChanged
from contracts.trading_engine import OrderDenied, OrderFilled, OrderRejected, PositionClosed
from functions.trading_engine.models import Account, LinkAccount
from kit.db import Transaction

_ACCOUNT = (
    "account_id, mode, login, server, currency, leverage, initial_balance_cents,"
    " risk_per_trade_bp, max_open_positions, max_daily_loss_bp, state, version,"
    " confirmed_version >= version AS confirmed"
)


class AccountStore:
    """A tenant's accounts and what its plan allows."""

    def __init__(self, tx: Transaction) -> None:
        self._tx = tx

    def keep_entitlements(self, event: EntitlementsChanged) -> None:
        """Keep the highest version seen."""
        self._tx.execute(
            "INSERT INTO entitlements (tenant_id, version, tier, paper_accounts, live_accounts)"
            " VALUES (%s, %s, %s, %s, %s) ON CONFLICT (tenant_id) DO UPDATE SET"
            " version = excluded.version, tier = excluded.tier,"
            " paper_accounts = excluded.paper_accounts, live_accounts = excluded.live_accounts"
            " WHERE entitlements.version < excluded.version",
            [
                self._tx.tenant_id,
                event.version,
                event.tier,
                event.paper_accounts,
                event.live_accounts,
            ],
        )

    def lock_allowance(self) -> int | None:
        """Paper accounts allowed; locks the row, so that two requests cannot both take the last."""
        row = self._tx.fetch_one(
            "SELECT paper_accounts FROM entitlements WHERE tenant_id = %s FOR UPDATE",
            [self._tx.tenant_id],
        )
        return None if row is None else int(row["paper_accounts"])

    def count_linked(self) -> int:
        """Linked paper accounts."""
        row = self._tx.fetch_one(
            "SELECT count(*) AS n FROM accounts WHERE mode = 'paper' AND state = 'linked'"
        )
        assert row is not None
        return int(row["n"])

    def add_paper(self, account_id: UUID, body: LinkAccount) -> Account:
        """Insert a paper account under a login of its own."""
        row = self._tx.fetch_one(
            "INSERT INTO accounts (tenant_id, account_id, mode, login, server, currency, leverage,"
            " initial_balance_cents, risk_per_trade_bp, max_open_positions, max_daily_loss_bp,"
            " created_at) VALUES (%s, %s, 'paper', nextval('paper_login'), 'Sinyal-Paper', 'USD',"
            f" %s, %s, %s, %s, %s, %s) RETURNING {_ACCOUNT}",
            [
                self._tx.tenant_id,
                account_id,
                body.leverage,
                body.initial_balance_cents,
                body.risk_per_trade_bp,
                body.max_open_positions,
                body.max_daily_loss_bp,
                self._tx.now,
            ],
        )
        return Account.model_validate(row)

    def list_accounts(self) -> list[Account]:
        """The tenant's linked accounts, oldest first."""
        rows = self._tx.fetch_all(
            f"SELECT {_ACCOUNT} FROM accounts WHERE state = 'linked' ORDER BY created_at LIMIT 100"
        )
        return [Account.model_validate(row) for row in rows]

    def confirm(self, account_id: UUID, version: int) -> None:
        """Keep which version of an account the edge has; the highest stands."""
        self._tx.execute(
            "UPDATE accounts SET confirmed_version = %s"
            " WHERE account_id = %s AND confirmed_version < %s",
            [version, account_id, version],
        )

    def unlink(self, account_id: UUID) -> int | None:
        """Mark an account as unlinked; its new version, or None when there is none to unlink."""
        row = self._tx.fetch_one(
            "UPDATE accounts SET state = 'unlinked', version = version + 1"
            " WHERE account_id = %s AND state = 'linked' RETURNING version",
            [account_id],
        )
        return None if row is None else int(row["version"])

    def unlink_all(self) -> list[tuple[UUID, int]]:
        """Mark every linked account of the tenant as unlinked; their ids and new versions."""
        rows = self._tx.fetch_all(
            "UPDATE accounts SET state = 'unlinked', version = version + 1"
            " WHERE tenant_id = %s AND state = 'linked' RETURNING account_id, version",
            [self._tx.tenant_id],
        )
        return sorted((row["account_id"], int(row["version"])) for row in rows)

    def is_closed(self) -> bool:
        """Whether the tenant closed for good."""
        row = self._tx.fetch_one(
            "SELECT 1 AS one FROM closures WHERE tenant_id = %s", [self._tx.tenant_id]
        )
        return row is not None

    def note_closure(self) -> None:
        """Keep that the tenant closed; the first time stands."""
        self._tx.execute(
            "INSERT INTO closures (tenant_id, closed_at) VALUES (%s, %s) ON CONFLICT DO NOTHING",
            [self._tx.tenant_id, self._tx.now],
        )

    def owns(self, account_id: UUID) -> bool:
        """Whether the account is this tenant's."""
        return (
            self._tx.fetch_one("SELECT 1 AS one FROM accounts WHERE account_id = %s", [account_id])
            is not None
        )


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
            " ON CONFLICT (tenant_id, order_id) DO UPDATE SET"
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
        """A position is flat; its fill may still be on its way."""
        self._tx.execute(
            "INSERT INTO positions (tenant_id, order_id, account_id, symbol, digits, direction,"
            " volume, position_ticket, price_open, opened_at, price_close, profit_cents,"
            " balance_cents, close_reason, closed_at)"
            " VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)"
            " ON CONFLICT (tenant_id, order_id) DO UPDATE SET price_close = excluded.price_close,"
            " profit_cents = excluded.profit_cents, balance_cents = excluded.balance_cents,"
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
            "SELECT order_id, account_id, symbol, digits, direction, volume, position_ticket,"
            " price_open, stop_loss, take_profit, opened_at, price_close, profit_cents,"
            " balance_cents, close_reason, closed_at FROM positions"
            " WHERE (closed_at IS NOT NULL) = %(closed)s AND (%(cursor)s::uuid IS NULL"
            " OR (opened_at, order_id) <"
            " (SELECT opened_at, order_id FROM positions WHERE order_id = %(cursor)s))"
            " ORDER BY opened_at DESC, order_id DESC LIMIT %(limit)s",
            {"cursor": cursor, "limit": limit, "closed": closed},
        )
