"""Plans as the platform's rows: every tenant reads them, the room cannot write them."""

from typing import Any

from contracts.subscription_service import Tier
from functions.subscription_service.models import MeterRule, Plan
from kit.db import Transaction

PLANS_MAX = 50


class PlanStore:
    """Plans: platform rows that every tenant reads and no room writes."""

    def __init__(self, tx: Transaction) -> None:
        self._tx = tx

    def find_plan(self, code: Tier, version: int | None = None) -> Plan | None:
        """A published version of a plan, the newest unless one is named."""
        return next(iter(self._read_plans("v.plan_code = %s", [code], version)), None)

    def find_default_plan(self) -> Plan:
        """The plan a new tenant starts with."""
        return self._read_plans("p.is_default", [], None)[0]

    def list_plans(self) -> list[Plan]:
        """The newest version of every plan, by rank."""
        return self._read_plans("true", [], None)

    def _read_plans(self, where: str, params: list[Any], version: int | None) -> list[Plan]:
        rows = self._tx.fetch_all(
            "SELECT DISTINCT ON (p.rank) v.plan_code, v.version, p.name, r.amount,"
            " (SELECT jsonb_object_agg(e.feature, e.value) FROM entitlements e"
            "  WHERE e.plan_code = v.plan_code AND e.plan_version = v.version) AS features,"
            " (SELECT jsonb_agg(jsonb_build_array(m.meter, m.quota_window, m.quota, m.hard,"
            "  m.unit_price) ORDER BY m.meter DESC) FROM meter_rules m"
            "  WHERE m.plan_code = v.plan_code AND m.plan_version = v.version) AS meters"
            " FROM plan_versions v JOIN plans p ON p.code = v.plan_code"
            " JOIN prices r ON r.plan_code = v.plan_code AND r.plan_version = v.version"
            f" WHERE {where} AND v.published_at IS NOT NULL"
            " AND (%s::int IS NULL OR v.version = %s::int)"
            " ORDER BY p.rank, v.version DESC LIMIT %s",
            [*params, version, version, PLANS_MAX],
        )
        return [
            Plan(
                code=row["plan_code"],
                version=row["version"],
                name=row["name"],
                price=row["amount"],
                features=row["features"] or {},
                meters=tuple(MeterRule(*rule) for rule in row["meters"] or ()),
            )
            for row in rows
        ]
