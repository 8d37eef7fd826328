"""PostgreSQL's side of the gate: tenants, what was revoked, and the days' quotas."""

from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

from contracts.subscription_service import ApiLimits, Tier
from contracts.user_service import RevokedKind
from functions.api_gateway.models import DayRow, Limits, Mark, Standing, TenantState
from kit.db import Transaction

MARK_LIFE = timedelta(minutes=15)
"""Longer than an access token lives."""
KEY_MARK_LIFE = timedelta(days=1)
MARKS_MAX = 5_000

_STANDING = """
SELECT coalesce(t.tier, d.tier) AS tier, coalesce(t.requests_per_second, d.requests_per_second)
    AS requests_per_second, coalesce(t.burst, d.burst) AS burst,
  CASE WHEN t.tier IS NULL THEN d.requests_per_day ELSE t.requests_per_day END AS requests_per_day,
  coalesce(t.time_zone, 'Asia/Jakarta') AS time_zone,
  coalesce(t.entitlements_version, 0) AS entitlements_version,
  coalesce(t.state, 'open') AS state, coalesce(t.state_version, 0) AS state_version
FROM tier_limits d LEFT JOIN tenants t ON t.tenant_id = %s WHERE d.tier = %s
"""


class TenantStore:
    """The projection of one tenant."""

    def __init__(self, tx: Transaction) -> None:
        self._tx = tx

    def read_standing(self, tier: Tier) -> Standing:
        """What is known of the tenant; ``tier`` is taken when its grant was never heard of."""
        row = self._tx.fetch_one(_STANDING, [self._tx.tenant_id, tier])
        assert row is not None, "every tier has its limits"
        return Standing(
            tier=row["tier"],
            limits=Limits(row["requests_per_second"], row["burst"], row["requests_per_day"]),
            time_zone=row["time_zone"],
            entitlements_version=row["entitlements_version"],
            state=row["state"],
            state_version=row["state_version"],
        )

    def set_entitlements(
        self, version: int, tier: Tier, api: ApiLimits | None, time_zone: str
    ) -> None:
        """Keep a grant unless a newer one is known; without limits the tier's own are taken."""
        self._tx.execute(
            "INSERT INTO tenants (tenant_id, tier, entitlements_version, requests_per_second,"
            " burst, requests_per_day, time_zone, updated_at)"
            " SELECT %(tenant)s, d.tier, %(version)s, coalesce(%(rate)s, d.requests_per_second),"
            " coalesce(%(burst)s, d.burst),"
            " CASE WHEN %(rate)s IS NULL THEN d.requests_per_day ELSE %(quota)s END,"
            " %(zone)s, %(now)s FROM tier_limits d WHERE d.tier = %(tier)s"
            " ON CONFLICT (tenant_id) DO UPDATE SET tier = EXCLUDED.tier,"
            " entitlements_version = EXCLUDED.entitlements_version,"
            " requests_per_second = EXCLUDED.requests_per_second, burst = EXCLUDED.burst,"
            " requests_per_day = EXCLUDED.requests_per_day, time_zone = EXCLUDED.time_zone,"
            " updated_at = EXCLUDED.updated_at"
            " WHERE tenants.entitlements_version < EXCLUDED.entitlements_version",
            {
                "tenant": self._tx.tenant_id,
                "version": version,
                "tier": tier,
                "rate": api.requests_per_second if api else None,
                "burst": api.burst if api else None,
                "quota": api.requests_per_day if api else None,
                "zone": time_zone,
                "now": self._tx.now,
            },
        )

    def set_state(self, version: int, state: TenantState) -> None:
        """Keep a state unless a newer one is known."""
        self._tx.execute(
            "INSERT INTO tenants (tenant_id, state, state_version, updated_at)"
            " VALUES (%s, %s, %s, %s) ON CONFLICT (tenant_id) DO UPDATE SET state = EXCLUDED.state,"
            " state_version = EXCLUDED.state_version, updated_at = EXCLUDED.updated_at"
            " WHERE tenants.state_version < EXCLUDED.state_version",
            [self._tx.tenant_id, state, version, self._tx.now],
        )

    def add_revocation(self, kind: RevokedKind, subject_id: UUID, before: datetime) -> Mark:
        """Keep that access ended; the latest instant counts. Returns what is in force.

        Rows of the tenant that no credential can outlive go at the same time.
        """
        life = KEY_MARK_LIFE if kind == "api_key" else MARK_LIFE
        row = self._tx.fetch_one(
            "INSERT INTO revocations (tenant_id, kind, subject_id, before, expires_at)"
            " VALUES (%s, %s, %s, %s, %s) ON CONFLICT (tenant_id, kind, subject_id) DO UPDATE"
            " SET before = greatest(revocations.before, EXCLUDED.before),"
            " expires_at = greatest(revocations.expires_at, EXCLUDED.expires_at)"
            " RETURNING kind, subject_id, before",
            [self._tx.tenant_id, kind, subject_id, before, before + life],
        )
        assert row is not None
        self._tx.execute("DELETE FROM revocations WHERE expires_at < %s", [self._tx.now])
        return _read_mark(row)

    def list_marks(self, now: datetime) -> tuple[Mark, ...]:
        """What of the tenant was ended and could still be tried, newest first."""
        rows = self._tx.fetch_all(
            "SELECT kind, subject_id, before FROM revocations WHERE tenant_id = %s"
            " AND expires_at >= %s ORDER BY before DESC LIMIT %s",
            [self._tx.tenant_id, now, MARKS_MAX],
        )
        return tuple(_read_mark(row) for row in rows)

    def find_marks(
        self, user_id: UUID, kind: RevokedKind, subject_id: UUID, now: datetime
    ) -> tuple[Mark, ...]:
        """The marks that could end one credential."""
        rows = self._tx.fetch_all(
            "SELECT kind, subject_id, before FROM revocations WHERE tenant_id = %s"
            " AND (kind, subject_id) IN (('user', %s), (%s, %s)) AND expires_at >= %s LIMIT 2",
            [self._tx.tenant_id, user_id, kind, subject_id, now],
        )
        return tuple(_read_mark(row) for row in rows)


class QuotaStore:
    """The units of a tenant's day. A lock on the day's row is held until the transaction ends."""

    def __init__(self, tx: Transaction) -> None:
        self._tx = tx

    def read_day(self, day: date) -> DayRow:
        """How much was handed out; nothing yet when there is no row."""
        row = self._tx.fetch_one(
            "SELECT leased, lease_no FROM quota_days WHERE tenant_id = %s AND day = %s",
            [self._tx.tenant_id, day],
        )
        return DayRow(row["leased"], row["lease_no"]) if row else DayRow(0, 0)

    def lock_day(self, day: date, quota: int) -> DayRow:
        """The day's row, locked, under today's quota; a lower one stops at what is handed out."""
        row = self._tx.fetch_one(
            "INSERT INTO quota_days (tenant_id, day, quota) VALUES (%s, %s, %s)"
            " ON CONFLICT (tenant_id, day) DO UPDATE"
            " SET quota = greatest(EXCLUDED.quota, quota_days.leased)"
            " RETURNING leased, lease_no",
            [self._tx.tenant_id, day, quota],
        )
        assert row is not None
        return DayRow(row["leased"], row["lease_no"])

    def keep_day(self, day: date, row: DayRow) -> None:
        """Hand out: the row's CHECK refuses more than the quota."""
        self._tx.execute(
            "UPDATE quota_days SET leased = %s, lease_no = %s WHERE tenant_id = %s AND day = %s",
            [row.leased, row.lease_no, self._tx.tenant_id, day],
        )


def _read_mark(row: dict[str, Any]) -> Mark:
    before: datetime = row["before"]
    return Mark(row["kind"], row["subject_id"], int(before.timestamp() * 1_000))
