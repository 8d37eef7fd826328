"""The authorizer's questions to PostgreSQL, each one transaction of the tenant who asks.

The database is opened at the first question: most requests have none, and a cold start is shorter
without it.
"""

from collections.abc import Callable
from datetime import date, datetime
from typing import TYPE_CHECKING, TypeVar
from uuid import UUID

from contracts.ids import uuid7
from contracts.subscription_service import Tier
from functions.api_gateway.errors import RecordsUnavailable
from functions.api_gateway.models import Day, DayRow, Grant, Identity, Mark, Snapshot, Standing
from kit.errors import Unavailable

if TYPE_CHECKING:
    from functions.api_gateway.store.audit import AuditStore
    from kit.db import Database, Transaction

FindDay = Callable[[str, datetime], Day]
ChooseBlock = Callable[[int, DayRow, int | None], tuple[int, DayRow] | None]
Answer = TypeVar("Answer")


class Records:
    """Tenants, revocations and quotas as PostgreSQL knows them."""

    def __init__(
        self,
        open_room: "Callable[[], Database]",
        find_day: FindDay,
        choose_block: ChooseBlock,
    ) -> None:
        self._open, self._find_day, self._choose_block = open_room, find_day, choose_block

    def read_snapshot(self, tenant_id: UUID, tier: Tier, now: datetime) -> Snapshot:
        """All that Redis must hold of a tenant. Raises RecordsUnavailable."""
        from functions.api_gateway.store.tenants import QuotaStore, TenantStore

        def read(tx: "Transaction") -> Snapshot:
            tenants = TenantStore(tx)
            standing = tenants.read_standing(tier)
            day = self._find_day(standing.time_zone, now)
            row = QuotaStore(tx).read_day(day.label)
            return Snapshot(standing, day, row, tenants.list_marks(now))

        return self._ask(tenant_id, read)

    def read_standing(self, who: Identity, now: datetime) -> tuple[Standing, tuple[Mark, ...]]:
        """What one request is judged by without Redis. Raises RecordsUnavailable."""
        from functions.api_gateway.store.tenants import TenantStore

        def read(tx: "Transaction") -> tuple[Standing, tuple[Mark, ...]]:
            tenants = TenantStore(tx)
            marks = tenants.find_marks(who.user_id, who.credential, who.subject_id, now)
            return tenants.read_standing(who.tier), marks

        return self._ask(who.tenant_id, read)

    def lease(self, tenant_id: UUID, tier: Tier, day: date, seen_no: int | None) -> Grant | None:
        """Hand out a block of a day's units, none when the day has no more of them.

        None: look at Redis again; a block is on its way there, or there is no quota any more.
        Raises RecordsUnavailable.
        """
        from functions.api_gateway.store.tenants import QuotaStore, TenantStore

        def hand_out(tx: "Transaction") -> Grant | None:
            quota = TenantStore(tx).read_standing(tier).limits.requests_per_day
            if quota is None:
                return None
            days = QuotaStore(tx)
            chosen = self._choose_block(quota, days.lock_day(day, quota), seen_no)
            if chosen is None:
                return None
            units, row = chosen
            if units:
                days.keep_day(day, row)
            return Grant(uuid7(), day, units, row)

        return self._ask(tenant_id, hand_out)

    def charge(self, tenant_id: UUID, quota: int, day: date) -> int | None:
        """Take one unit past Redis; what is left then, or None. Raises RecordsUnavailable."""
        from functions.api_gateway.store.tenants import QuotaStore

        def take(tx: "Transaction") -> int | None:
            days = QuotaStore(tx)
            row = days.lock_day(day, quota)
            if row.leased >= quota:
                return None
            days.keep_day(day, DayRow(row.leased + 1, row.lease_no))
            return quota - row.leased - 1

        return self._ask(tenant_id, take)

    def append_audit(self, tenant_id: UUID, append: "Callable[[AuditStore], bool]") -> None:
        """Append to a tenant's chain in a transaction of its own. Raises RecordsUnavailable."""
        from functions.api_gateway.store.audit import AuditStore

        self._ask(tenant_id, lambda tx: append(AuditStore(tx)))

    def _ask(self, tenant_id: UUID, ask: "Callable[[Transaction], Answer]") -> Answer:
        import psycopg

        try:
            with self._open().transaction(tenant_id) as tx:
                return ask(tx)
        except (Unavailable, psycopg.OperationalError, psycopg.InterfaceError) as error:
            raise RecordsUnavailable(
                f"PostgreSQL did not answer: {type(error).__name__}"
            ) from error
