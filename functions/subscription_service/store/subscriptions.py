"""The tenant's subscription, what was granted to it, and its periods."""

from datetime import datetime
from typing import Any
from uuid import UUID

from contracts.subscription_service import EntitlementsChanged
from functions.subscription_service.models import Period, Plan, Subscription
from functions.subscription_service.store.plans import PlanStore

_SUBSCRIPTION = (
    "SELECT subscription_id, plan_code, plan_version, state, anchor_at, time_zone, pending_plan,"
    " paid_until FROM subscriptions WHERE tenant_id = %s"
)
_PERIOD = (
    "SELECT period_id, subscription_id, number, starts_at, ends_at, plan_code, plan_version,"
    " used_plan_code, used_plan_version, uses_before, state = 'closed' AS closed FROM periods"
    " WHERE tenant_id = %s"
)


class LifecycleStore(PlanStore):
    """Subscription, grants and periods of the transaction's tenant."""

    def find_latest(self, *, lock: bool) -> Subscription | None:
        """The newest subscription, ended or not; ``lock`` makes the tenant's changes queue up."""
        return self._find_subscription("", lock=lock)

    def find_living(self, *, lock: bool) -> Subscription | None:
        """The subscription that has not ended."""
        return self._find_subscription(" AND state <> 'ended'", lock=lock)

    def _find_subscription(self, where: str, *, lock: bool) -> Subscription | None:
        if lock:
            self._tx.execute(
                "SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))",
                [f"subscription_service:{self._tx.tenant_id}"],
            )
        row = self._tx.fetch_one(
            f"{_SUBSCRIPTION}{where} ORDER BY created_at DESC LIMIT 1", [self._tx.tenant_id]
        )
        return Subscription(**row) if row else None

    def add_subscription(self, subscription: Subscription, now: datetime) -> None:
        """Add a subscription; a unique index refuses a second living one."""
        self._tx.execute(
            "INSERT INTO subscriptions (tenant_id, subscription_id, plan_code, plan_version, state,"
            " anchor_at, time_zone, created_at) VALUES (%s, %s, %s, %s, %s, %s, %s, %s)",
            [
                self._tx.tenant_id,
                subscription.subscription_id,
                subscription.plan_code,
                subscription.plan_version,
                subscription.state,
                subscription.anchor_at,
                subscription.time_zone,
                now,
            ],
        )

    def save_subscription(self, subscription: Subscription) -> None:
        """Write what may change of a subscription."""
        self._tx.execute(
            "UPDATE subscriptions SET plan_code = %s, plan_version = %s, state = %s,"
            " pending_plan = %s, paid_until = %s WHERE tenant_id = %s AND subscription_id = %s",
            [
                subscription.plan_code,
                subscription.plan_version,
                subscription.state,
                subscription.pending_plan,
                subscription.paid_until,
                self._tx.tenant_id,
                subscription.subscription_id,
            ],
        )

    def is_closed(self) -> bool:
        """Whether the tenant closed for good."""
        row = self._tx.fetch_one(
            "SELECT 1 FROM closures WHERE tenant_id = %s", [self._tx.tenant_id]
        )
        return row is not None

    def note_closure(self, now: datetime) -> None:
        """Keep that the tenant closed; the first time stands."""
        self._tx.execute(
            "INSERT INTO closures (tenant_id, closed_at) VALUES (%s, %s) ON CONFLICT DO NOTHING",
            [self._tx.tenant_id, now],
        )

    def is_suspended(self) -> bool:
        """Whether the platform suspended the tenant."""
        row = self._tx.fetch_one(
            "SELECT suspended FROM suspensions WHERE tenant_id = %s", [self._tx.tenant_id]
        )
        return row is not None and bool(row["suspended"])

    def note_suspension(self, version: int, *, suspended: bool) -> bool:
        """Keep a suspension or its end; False when a later one is known."""
        row = self._tx.fetch_one(
            "INSERT INTO suspensions (tenant_id, version, suspended, changed_at)"
            " VALUES (%s, %s, %s, %s) ON CONFLICT (tenant_id) DO UPDATE"
            " SET version = excluded.version, suspended = excluded.suspended,"
            " changed_at = excluded.changed_at WHERE suspensions.version < excluded.version"
            " RETURNING version",
            [self._tx.tenant_id, version, suspended, self._tx.now],
        )
        return row is not None

    def next_grant_version(self) -> int:
        """The version after the highest granted so far."""
        row = self._tx.fetch_one(
            "SELECT coalesce(max(version), 0) + 1 AS next FROM grants WHERE tenant_id = %s",
            [self._tx.tenant_id],
        )
        return int(row["next"]) if row else 1

    def add_grant(self, granted: EntitlementsChanged, now: datetime) -> None:
        """Keep what was granted."""
        self._tx.execute(
            "INSERT INTO grants (tenant_id, version, entitlements, granted_at)"
            " VALUES (%s, %s, %s, %s)",
            [self._tx.tenant_id, granted.version, granted.model_dump_json(), now],
        )

    def find_grant(self) -> dict[str, Any] | None:
        """The entitlements in force."""
        row = self._tx.fetch_one(
            "SELECT entitlements FROM grants WHERE tenant_id = %s ORDER BY version DESC LIMIT 1",
            [self._tx.tenant_id],
        )
        return dict(row["entitlements"]) if row else None

    def last_period(self, subscription_id: UUID) -> Period:
        """The period with the highest number."""
        row = self._tx.fetch_one(
            f"{_PERIOD} AND subscription_id = %s ORDER BY number DESC LIMIT 1",
            [self._tx.tenant_id, subscription_id],
        )
        assert row is not None, "a subscription starts with its first period"
        return Period(**row)

    def open_period_at(self, subscription_id: UUID, at: datetime) -> Period | None:
        """The open period that takes what happens at an instant: its own, or the one after it."""
        row = self._tx.fetch_one(
            f"{_PERIOD} AND subscription_id = %s AND state = 'open' AND ends_at > %s"
            " ORDER BY number LIMIT 1",
            [self._tx.tenant_id, subscription_id, at],
        )
        return Period(**row) if row else None

    def add_period(self, period: Period) -> None:
        """Open a period; foreign key and checks hold it to the end of the one before."""
        self._tx.execute(
            "INSERT INTO periods (tenant_id, period_id, subscription_id, number, follows,"
            " starts_at, ends_at, plan_code, plan_version, state)"
            " VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, 'open')",
            [
                self._tx.tenant_id,
                period.period_id,
                period.subscription_id,
                period.number,
                period.starts_at if period.number else None,
                period.starts_at,
                period.ends_at,
                period.plan_code,
                period.plan_version,
            ],
        )

    def bill_period_by(
        self, period_id: UUID, plan: Plan, used: Plan | None, uses_before: int
    ) -> None:
        """Bill an open period by a plan, and note what was used before the present plan began."""
        self._tx.execute(
            "UPDATE periods SET plan_code = %s, plan_version = %s, used_plan_code = %s,"
            " used_plan_version = %s, uses_before = %s WHERE tenant_id = %s AND period_id = %s",
            [
                plan.code,
                plan.version,
                used.code if used else None,
                used.version if used else None,
                uses_before,
                self._tx.tenant_id,
                period_id,
            ],
        )

    def lock_period(self, period_id: UUID) -> Period | None:
        """A period, locked for this transaction."""
        row = self._tx.fetch_one(
            f"{_PERIOD} AND period_id = %s FOR UPDATE", [self._tx.tenant_id, period_id]
        )
        return Period(**row) if row else None

    def has_open_before(self, subscription_id: UUID, number: int) -> bool:
        """Whether a period before this number is still open."""
        row = self._tx.fetch_one(
            "SELECT 1 FROM periods WHERE tenant_id = %s AND subscription_id = %s AND number < %s"
            " AND state = 'open' LIMIT 1",
            [self._tx.tenant_id, subscription_id, number],
        )
        return row is not None

    def close_period(self, period_id: UUID, run_id: UUID, now: datetime) -> None:
        """Close a period for good."""
        self._tx.execute(
            "UPDATE periods SET state = 'closed', run_id = %s, closed_at = %s"
            " WHERE tenant_id = %s AND period_id = %s",
            [run_id, now, self._tx.tenant_id, period_id],
        )

    def mark_period_paid(
        self, subscription_id: UUID, period_end: datetime, paid_at: datetime
    ) -> bool:
        """Note the payment of a closed period; False when it was noted or there is no such one."""
        row = self._tx.fetch_one(
            "UPDATE periods SET paid_at = %s WHERE tenant_id = %s AND subscription_id = %s"
            " AND ends_at = %s AND state = 'closed' AND paid_at IS NULL RETURNING period_id",
            [paid_at, self._tx.tenant_id, subscription_id, period_end],
        )
        return row is not None
