"""The request log in ClickHouse: a row a request, whoever sends it how often."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from contracts.api_gateway import ServedRequest
from contracts.ids import NIL
from kit.analytics import Analytics

Group = Literal["route", "day", "status"]
GROUPS_MAX = 500

_COLUMNS = (
    "tenant_id", "request_id", "user_id", "method", "route", "status", "latency_ms", "credential",
    "code", "served_at",
)  # fmt: skip
_COUNTS = (
    "count() AS requests, countIf(status >= 400) AS refused,"
    " quantileExact(0.5)(latency_ms) AS p50_ms, quantileExact(0.95)(latency_ms) AS p95_ms"
)
_WHERE = (
    "FROM api_requests FINAL WHERE tenant_id = {tenant_id:UUID}"
    " AND served_at >= {begin:DateTime64(6, 'UTC')} AND served_at < {end:DateTime64(6, 'UTC')}"
)
_IN_ALL = f"SELECT '' AS key, {_COUNTS} {_WHERE} GROUP BY key"
_BY_GROUP: dict[Group, str] = {
    "route": f"SELECT concat(method, ' ', route) AS key, {_COUNTS} {_WHERE}"
    f" GROUP BY key ORDER BY requests DESC, key LIMIT {GROUPS_MAX}",
    "day": f"SELECT toString(toDate(served_at, {{zone:String}})) AS key, {_COUNTS} {_WHERE}"
    f" GROUP BY key ORDER BY key LIMIT {GROUPS_MAX}",
    "status": f"SELECT toString(status) AS key, {_COUNTS} {_WHERE}"
    f" GROUP BY key ORDER BY key LIMIT {GROUPS_MAX}",
}


class RequestStore:
    """Requests by (tenant, request): storing one again changes nothing."""

    def __init__(self, analytics: Analytics) -> None:
        self._analytics = analytics

    def add(self, requests: Sequence[ServedRequest]) -> None:
        """Store requests; those of nobody's belong to the nil tenant."""
        self._analytics.insert(
            "api_requests",
            _COLUMNS,
            [
                [
                    r.tenant_id or NIL, r.request_id, r.user_id, r.method, r.route, r.status,
                    r.latency_ms, r.credential, r.code or "", r.served_at,
                ]
                for r in requests
            ],
        )  # fmt: skip

    def count(
        self, tenant_id: UUID, begin: datetime, end: datetime, group: Group | None, zone: str
    ) -> list[dict[str, Any]]:
        """Counts and latencies of a tenant in [begin, end), in all or by group."""
        return self._analytics.query(
            tenant_id,
            _BY_GROUP[group] if group else _IN_ALL,
            {"begin": begin, "end": end, "zone": zone},
        )
