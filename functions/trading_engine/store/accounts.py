"""SQL of accounts and of what the plan allows, bound to the transaction's tenant."""

import json
from datetime import datetime
from typing import Any
from uuid import UUID

import psycopg

from contracts.subscription_service import EntitlementsChanged
from contracts.trading_reasons import AccountMode
from functions.trading_engine.errors import AccountNotLinkable
from functions.trading_engine.models import Account, Allowance, LinkAccount, LinkLiveAccount
from kit.db import Transaction

_ACCOUNT = (
    "account_id, mode, login, server, currency, leverage, initial_balance_cents,"
    " risk_per_trade_bp, max_open_positions, max_daily_loss_bp, symbols, symbol_suffix,"
    " broker_zone, broker_ahead_hours, state, version,"
    " confirmed_version >= version AS confirmed, pending, pending_at, health, health_reason,"
    " health_since, restarts, latched, latch_reason,"
    " differed_at > coalesce(resolved_at, '-infinity') IS TRUE AS held,"
    " CASE WHEN differed_at > coalesce(resolved_at, '-infinity') THEN differed_as END"
    " AS held_reason"
)
_ALLOWANCE = "SELECT paper_accounts, live_accounts, symbols, max_symbols FROM entitlements"
_CHANGE = (
    "server = coalesce(%(server)s, server), currency = coalesce(%(currency)s, currency),"
    " leverage = coalesce(%(leverage)s, leverage),"
    " risk_per_trade_bp = coalesce(%(risk_per_trade_bp)s, risk_per_trade_bp),"
    " max_open_positions = coalesce(%(max_open_positions)s, max_open_positions),"
    " max_daily_loss_bp = coalesce(%(max_daily_loss_bp)s, max_daily_loss_bp),"
    " symbols = coalesce(%(symbols)s::jsonb, symbols),"
    " symbol_suffix = coalesce(%(symbol_suffix)s, symbol_suffix),"
    " broker_zone = coalesce(%(broker_zone)s, broker_zone),"
    " broker_ahead_hours = coalesce(%(broker_ahead_hours)s, broker_ahead_hours),"
    " pending = CASE WHEN %(weighed)s THEN %(pending)s::jsonb ELSE pending END,"
    " pending_at = CASE WHEN %(weighed)s THEN %(pending_at)s::timestamptz ELSE pending_at END"
)
"""What is not given stays; what waits is replaced, or taken back, when it was weighed anew."""
_CHANGEABLE = (
    "server", "currency", "leverage", "risk_per_trade_bp", "max_open_positions",
    "max_daily_loss_bp", "symbols", "symbol_suffix", "broker_zone", "broker_ahead_hours",
    "pending", "pending_at",
)  # fmt: skip
_JSON = ("symbols", "pending")


class AccountStore:
    """A tenant's accounts and what its plan allows."""

    def __init__(self, tx: Transaction) -> None:
        self._tx = tx

    def keep_entitlements(self, event: EntitlementsChanged) -> None:
        """Keep the highest version seen."""
        self._tx.execute(
            "INSERT INTO entitlements (tenant_id, version, tier, paper_accounts, live_accounts,"
            " symbols, max_symbols)"
            " VALUES (%s, %s, %s, %s, %s, %s, %s) ON CONFLICT (tenant_id) DO UPDATE SET"
            " version = excluded.version, tier = excluded.tier,"
            " paper_accounts = excluded.paper_accounts, live_accounts = excluded.live_accounts,"
            " symbols = excluded.symbols, max_symbols = excluded.max_symbols"
            " WHERE entitlements.version < excluded.version",
            [
                self._tx.tenant_id,
                event.version,
                event.tier,
                event.paper_accounts,
                event.live_accounts,
                list(event.symbols),
                event.max_symbols,
            ],
        )

    def find_allowance(self) -> Allowance | None:
        """What the plan allows, or None when no plan is known."""
        row = self._tx.fetch_one(f"{_ALLOWANCE} WHERE tenant_id = %s", [self._tx.tenant_id])
        return None if row is None else Allowance.model_validate(row)

    def lock_allowance(self) -> Allowance | None:
        """The same, locked, so that two requests cannot both take the last account."""
        row = self._tx.fetch_one(
            f"{_ALLOWANCE} WHERE tenant_id = %s FOR UPDATE", [self._tx.tenant_id]
        )
        return None if row is None else Allowance.model_validate(row)

    def count_linked(self, mode: AccountMode) -> int:
        """Linked accounts of a kind."""
        row = self._tx.fetch_one(
            "SELECT count(*) AS n FROM accounts WHERE mode = %s AND state = 'linked'", [mode]
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

    def add_live(self, account_id: UUID, body: LinkLiveAccount, sealed: str) -> Account:
        """Insert a broker's account. Raises AccountNotLinkable when somebody trades it."""
        fields = body.model_dump(exclude={"mode", "password"})
        try:
            row = self._tx.fetch_one(
                "INSERT INTO accounts (tenant_id, account_id, mode, login, server, currency,"
                " leverage, initial_balance_cents, risk_per_trade_bp, max_open_positions,"
                " max_daily_loss_bp, symbols, symbol_suffix, broker_zone, broker_ahead_hours,"
                " sealed_password, created_at) VALUES (%(tenant)s, %(id)s, 'live', %(login)s,"
                " %(server)s, %(currency)s, %(leverage)s, 0, %(risk_per_trade_bp)s,"
                " %(max_open_positions)s, %(max_daily_loss_bp)s, %(symbols)s, %(symbol_suffix)s,"
                f" %(broker_zone)s, %(broker_ahead_hours)s, %(sealed)s, %(now)s)"
                f" RETURNING {_ACCOUNT}",
                {
                    **fields,
                    "symbols": json.dumps(body.symbols),
                    "tenant": self._tx.tenant_id,
                    "id": account_id,
                    "sealed": sealed,
                    "now": self._tx.now,
                },
            )
        except psycopg.errors.UniqueViolation as error:
            raise AccountNotLinkable from error
        return Account.model_validate(row)

    def find_live(self, server: str, login: int) -> Account | None:
        """The tenant's own row of a broker's account, linked or not."""
        row = self._tx.fetch_one(
            f"SELECT {_ACCOUNT} FROM accounts WHERE mode = 'live'"
            " AND lower(server) = lower(%s) AND login = %s",
            [server, login],
        )
        return None if row is None else Account.model_validate(row)

    def lock(self, account_id: UUID) -> Account | None:
        """A linked account, locked until the transaction ends."""
        row = self._tx.fetch_one(
            f"SELECT {_ACCOUNT} FROM accounts WHERE account_id = %s AND state = 'linked'"
            " FOR UPDATE",
            [account_id],
        )
        return None if row is None else Account.model_validate(row)

    def change(self, account_id: UUID, fields: dict[str, Any], sealed: str | None) -> Account:
        """Change columns, link it when it was not, count its version up.

        Raises AccountNotLinkable when somebody else linked it meanwhile.
        """
        values = dict.fromkeys(_CHANGEABLE) | fields
        texts = {name: json.dumps(values[name]) for name in _JSON if values[name] is not None}
        try:
            row = self._tx.fetch_one(
                "UPDATE accounts SET state = 'linked', version = version + 1,"
                f" sealed_password = coalesce(%(sealed)s, sealed_password), {_CHANGE}"
                f" WHERE account_id = %(id)s RETURNING {_ACCOUNT}",
                {
                    **values,
                    **texts,
                    "weighed": "pending" in fields,
                    "sealed": sealed,
                    "id": account_id,
                },
            )
        except psycopg.errors.UniqueViolation as error:
            raise AccountNotLinkable from error
        return Account.model_validate(row)

    def find_sealed(self, account_id: UUID) -> str | None:
        """The sealed password; only the edge can open it."""
        row = self._tx.fetch_one(
            "SELECT sealed_password FROM accounts WHERE account_id = %s", [account_id]
        )
        return None if row is None else row["sealed_password"]

    def list_accounts(self) -> list[Account]:
        """The tenant's linked accounts, oldest first."""
        rows = self._tx.fetch_all(
            f"SELECT {_ACCOUNT} FROM accounts WHERE state = 'linked' ORDER BY created_at LIMIT 100"
        )
        return [Account.model_validate(row) for row in rows]

    def list_due(self, now: datetime) -> list[UUID]:
        """Linked accounts whose looser numbers take effect now."""
        rows = self._tx.fetch_all(
            "SELECT account_id FROM accounts WHERE state = 'linked' AND pending IS NOT NULL"
            " AND pending_at <= %s ORDER BY account_id LIMIT 100",
            [now],
        )
        return [row["account_id"] for row in rows]

    def confirm(self, account_id: UUID, version: int) -> None:
        """Keep which version of an account the edge has; the highest stands."""
        self._tx.execute(
            "UPDATE accounts SET confirmed_version = %s"
            " WHERE account_id = %s AND confirmed_version < %s",
            [version, account_id, version],
        )

    def unlink(self, account_id: UUID) -> int | None:
        """Unlink an account and forget its password; its new version, or None when there is none
        to unlink."""
        row = self._tx.fetch_one(
            "UPDATE accounts SET state = 'unlinked', version = version + 1, sealed_password = NULL"
            " WHERE account_id = %s AND state = 'linked' RETURNING version",
            [account_id],
        )
        return None if row is None else int(row["version"])

    def unlink_all(self) -> list[tuple[UUID, int]]:
        """Unlink every account of the tenant; their ids and new versions."""
        rows = self._tx.fetch_all(
            "UPDATE accounts SET state = 'unlinked', version = version + 1, sealed_password = NULL"
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

    def is_linked(self, account_id: UUID) -> bool:
        """Whether the account is this tenant's and traded."""
        row = self._tx.fetch_one(
            "SELECT 1 AS one FROM accounts WHERE account_id = %s AND state = 'linked'",
            [account_id],
        )
        return row is not None
