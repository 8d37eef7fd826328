"""User analytics from ClickHouse, platform-wide: for the staff's route only, counts only.

Every step is a question of "was there ever", so an event stored twice counts once without FINAL.
"""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any, Protocol

from kit.analytics import Analytics

_FUNNEL = """
SELECT month, count() AS registered, countIf(was_verified) AS verified,
  countIf(was_predicted) AS first_prediction, countIf(was_filled) AS first_order,
  countIf(has_paid) AS paid_invoice
FROM (
  SELECT tenant_id,
    toStartOfMonth(toTimeZone(minIf(occurred_at, detail_type = 'UserRegistered'), 'Asia/Jakarta'))
      AS month,
    countIf(detail_type = 'UserRegistered') > 0 AS has_registered,
    countIf(detail_type = 'EmailVerified') > 0 AS was_verified,
    was_verified AND countIf(detail_type = 'PredictionDelivered') > 0 AS was_predicted,
    was_predicted AND countIf(detail_type = 'OrderFilled') > 0 AS was_filled,
    was_filled AND countIf(detail_type = 'InvoicePaid'
      AND JSONExtractInt(data, 'total') > 0) > 0 AS has_paid
  FROM events
  WHERE detail_type IN ('UserRegistered', 'EmailVerified', 'PredictionDelivered', 'OrderFilled',
    'InvoicePaid') AND occurred_at >= {starts_at:DateTime64(6, 'UTC')}
  GROUP BY tenant_id
)
WHERE has_registered AND month >= {first:Date} AND month <= {last:Date}
GROUP BY month ORDER BY month LIMIT 100
"""

_ACTIVE = """
SELECT signed_up.month AS month, dateDiff('month', signed_up.month, seen.month) AS age,
  count() AS tenants
FROM (
  SELECT tenant_id, toStartOfMonth(toTimeZone(min(occurred_at), 'Asia/Jakarta')) AS month
  FROM events
  WHERE detail_type = 'UserRegistered' AND occurred_at >= {starts_at:DateTime64(6, 'UTC')}
    AND occurred_at < {ends_at:DateTime64(6, 'UTC')}
  GROUP BY tenant_id
) AS signed_up
JOIN (
  SELECT DISTINCT tenant_id, toStartOfMonth(toTimeZone(occurred_at, 'Asia/Jakarta')) AS month
  FROM events
  WHERE detail_type IN ('UserSignedIn', 'PredictionDelivered')
    AND occurred_at >= {starts_at:DateTime64(6, 'UTC')}
    AND occurred_at < {ends_at:DateTime64(6, 'UTC')}
) AS seen ON seen.tenant_id = signed_up.tenant_id
WHERE seen.month >= signed_up.month
GROUP BY month, age ORDER BY month, age LIMIT 10000
"""


class Period(Protocol):
    """Consecutive months by their first days, and the instants that bound them."""

    def __getitem__(self, index: int, /) -> date: ...
    @property
    def starts_at(self) -> datetime: ...
    @property
    def ends_at(self) -> datetime: ...


class AnalyticsStore:
    """Counts of tenants by the month of their registration."""

    def __init__(self, analytics: Analytics) -> None:
        self._analytics = analytics

    def count_funnel(self, months: Period) -> Sequence[dict[str, Any]]:
        """A row for each month with sign-ups: how many came how far until now."""
        return self._analytics.query_platform(_FUNNEL, _bind(months))

    def count_active(self, months: Period) -> Sequence[dict[str, Any]]:
        """Tenants active in a month, by the month of sign-up and the months in between."""
        return self._analytics.query_platform(_ACTIVE, _bind(months))


def _bind(months: Period) -> dict[str, Any]:
    return {
        "first": months[0],
        "last": months[-1],
        "starts_at": months.starts_at.strftime("%Y-%m-%d %H:%M:%S"),
        "ends_at": months.ends_at.strftime("%Y-%m-%d %H:%M:%S"),
    }
